/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a step of a recurrent layer does element by element. Arrays are row-major, (batch, ...), of
 * one type; a row of gates holds one gate of n elements after another.
 */
#ifndef KDL_SRC_COMPUTE_RECURRENCE_STEPS_H
#define KDL_SRC_COMPUTE_RECURRENCE_STEPS_H

#include "compute/compute.h"

typedef struct kdl__recurrent_steps {
    /* y becomes tanh(y) or relu(y); dy the gradient of what it was taken of. */
    void (*rnn)(int64_t n, bool relu, void *y);
    void (*rnn_grad)(int64_t n, bool relu, const void *y, void *dy);
    /*
     * Input, forget, cell and output gates get their values in place;
     * c = forget c_before + input cell, y = output tanh(c).
     */
    void (*lstm)(int64_t batch, int64_t n, void *gates, const void *c_before, void *c, void *y);
    /* From dy and dc, which becomes that of c_before, the gates' gradients. */
    void (*lstm_grad)(int64_t batch, int64_t n, const void *gates, const void *c_before,
                      const void *c, const void *dy, void *dc, void *dgates);
    /*
     * Reset, update and new gates get their values in place, from the parts that the input and the
     * hidden state have in them: new = tanh(input part + reset * hidden part), of which the latter
     * goes to `kept`; y = new + update (before - new).
     */
    void (*gru)(int64_t batch, int64_t n, void *gates, const void *hidden, const void *before,
                void *kept, void *y);
    /* The gradients of both parts of the gates; what y has of `before` itself: added to dbefore. */
    void (*gru_grad)(int64_t batch, int64_t n, const void *gates, const void *before,
                     const void *kept, const void *dy, void *dgates, void *dhidden, void *dbefore);
} kdl__recurrent_steps;

/* Those for a tensor's dtype and its context; for f32 all give the same bits. */
const kdl__recurrent_steps *kdl__recurrent_steps_of(const kdl_tensor *tensor);

#endif
