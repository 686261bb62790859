/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a recurrent layer over all steps, f32 and f64: the product of the input with its
 * weight at once, then step by step what depends on the step before.
 */
#ifndef KDL_SRC_COMPUTE_RECURRENCE_H
#define KDL_SRC_COMPUTE_RECURRENCE_H

#include "compute/compute.h"

typedef enum kdl__cell { KDL__CELL_TANH, KDL__CELL_RELU, KDL__CELL_LSTM, KDL__CELL_GRU } kdl__cell;

/* How many gates lie below one another in a weight. */
static inline int kdl__gate_count(kdl__cell cell)
{
    return cell == KDL__CELL_LSTM ? 4 : cell == KDL__CELL_GRU ? 3 : 1;
}

/* Its operands, by their places: row-major but for the weights; NULL where there is none. */
enum {
    KDL__RECURRENT_INPUT, /* (steps, batch, inputs), or (rows, inputs) */
    KDL__RECURRENT_IH,    /* (gates * hidden, inputs) */
    KDL__RECURRENT_HH,    /* (gates * hidden, outputs) */
    KDL__RECURRENT_HR,    /* (outputs, hidden): the projection of an LSTM, or NULL */
    KDL__RECURRENT_H0,    /* (batch, outputs) */
    KDL__RECURRENT_C0,    /* (batch, hidden): an LSTM's, else NULL */
    KDL__RECURRENT_KEPT,  /* so many are needed for the gradient */
    KDL__RECURRENT_BIAS_IH = KDL__RECURRENT_KEPT, /* (gates * hidden) or NULL, as the next */
    KDL__RECURRENT_BIAS_HH,
    KDL__RECURRENT_COUNT
};

typedef struct kdl__recurrence {
    kdl__cell cell;
    bool reverse; /* from the last step to the first */
    int64_t steps, batch, inputs, hidden;
    int64_t outputs; /* of a step: hidden, or what the projection gives */
    /*
     * NULL, or of packed sequences, which are sorted, the longest first: where each step's rows
     * begin, of the sequences that have so many steps, and then how many rows there are in all.
     */
    const int64_t *first_rows;
} kdl__recurrence;

/*
 * The outputs of all steps, (steps, batch, outputs) or (rows, outputs); an LSTM's as a vector of
 * these and, behind them, the last cell states (batch, hidden). *work gets what the gradient needs
 * besides (a reference; NULL: nothing). NULL on failure.
 */
kdl_tensor *kdl__compute_recurrence(const kdl__recurrence *recurrence, kdl_tensor *const *operands,
                                    kdl_tensor **work);

/*
 * From the result's gradient those of the operands of which `wanted` has the bit: gradients[place]
 * gets one reference, the others NULL. Of the operands the biases are not looked at.
 */
kdl_status kdl__compute_recurrence_grad(const kdl__recurrence *recurrence, kdl_tensor *grad,
                                        kdl_tensor *const *operands, kdl_tensor *result,
                                        kdl_tensor *work, uint32_t wanted, kdl_tensor **gradients);

#endif
