/* SPDX-License-Identifier: Apache-2.0 */
/* trunc_normal_: what its two ways share. */
#ifndef KDL_SRC_INIT_TRUNC_NORMAL_H
#define KDL_SRC_INIT_TRUNC_NORMAL_H

#include "init/init.h"

/*
 * Both ways draw whole tensors in rounds, and an element keeps what it has once that is accepted.
 * Rounds are as long whatever the data, so a chunk of elements can go through all its rounds alone:
 * it says how many it took, and the op took as many as the slowest chunk.
 */
typedef struct kdl__rounds kdl__rounds;
struct kdl__rounds {
    const kdl__op *op;
    kdl_context *ctx;
    /* Does elements [first, first + count), counted as the op counts them. */
    kdl_status (*chunk)(const kdl__rounds *rounds, kdl__cursor *cursor, uint64_t first,
                        uint64_t count, void *values, uint64_t *taken);
    double lowest, highest;      /* for redraws: the bounds in the dtype */
    char *values;                /* of all elements */
    atomic_uint_least64_t taken; /* by the slowest chunk so far */
    kdl__cursor *cursor;         /* to use when there is only one chunk */
};

/*
 * Computes the op's values, on all threads, into prepared->whole or in place; `taken` is then
 * right.
 */
kdl_status kdl__rounds_run(kdl__rounds *rounds, kdl__worker *worker, kdl__prepared *prepared);

/* The range() of both: a copy out of the whole. */
kdl_status kdl__rounds_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                             uint64_t first, uint64_t count, void *values);

/* The check() of both: which way to go, and what PyTorch refuses on either. */
kdl_status kdl__trunc_normal_check(kdl__op *op, kdl_context *ctx, const char *place);

/* Where the density is highest within [a, b]: Python's max(a, min(mean, b)). */
static inline double kdl__trunc_mode(double mean, double a, double b)
{
    double low = b < mean ? b : mean;
    return low > a ? low : a;
}

/* The draws() of both. */
uint64_t kdl__rounds_draws(const kdl__op *op);

#endif
