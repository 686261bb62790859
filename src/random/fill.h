/* SPDX-License-Identifier: Apache-2.0 */
/* One fill of a whole tensor by a distribution, of which any range of elements can be computed. */
#ifndef KDL_SRC_RANDOM_FILL_H
#define KDL_SRC_RANDOM_FILL_H

#include "random/stream.h"

/* PyTorch's in-place random functions, by the path that its CPU kernel takes. */
typedef enum kdl__distribution {
    KDL__UNIFORM,       /* a = from, b = to */
    KDL__NORMAL,        /* a = mean, b = std; contiguous, numel >= 16: blocks of 16 */
    KDL__NORMAL_SERIAL, /* a = mean, b = std; any other tensor: pairs in double, with the spare */
    KDL__LOG_NORMAL,    /* a = mean, b = std, of the underlying normal; uses the spare */
    KDL__EXPONENTIAL,   /* a = lambd */
    KDL__CAUCHY,        /* a = median, b = sigma */
    KDL__GEOMETRIC,     /* a = p */
    KDL__BERNOULLI,     /* a = p */
    KDL__RANDOM,        /* low + draw % range; range 0: all 64 bits */
    KDL__RANDOM_DTYPE,  /* random_() without a range: the dtype's own */
    KDL__DISTRIBUTION_COUNT
} kdl__distribution;

typedef struct kdl__fill {
    kdl__distribution distribution;
    kdl_dtype dtype;
    uint64_t numel; /* of the whole fill */
    double a, b;
    int64_t low;
    uint64_t range;
    bool has_spare; /* serial normals: the first value is `spare`, not a draw */
    double spare;
} kdl__fill;

/* How many 32-bit draws the whole fill consumes. */
uint64_t kdl__fill_draws(const kdl__fill *fill);

/* Whether the distribution goes through the spare normal at all. */
bool kdl__distribution_uses_spare(kdl__distribution distribution);
/*
 * Whether the fill, of at least one element, leaves a spare normal behind; *offset: where its four
 * draws begin, from the fill's start.
 */
bool kdl__fill_leaves_spare(const kdl__fill *fill, uint64_t *offset);

/*
 * Elements [first, first + count) of the fill whose draws begin at the absolute position `start`
 * of `stream`: the same bits as the whole fill has there. Elements are counted in the order in
 * which PyTorch visits them. `values` is contiguous and of the fill's dtype.
 */
void kdl__fill_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                     kdl__cursor *cursor, uint64_t first, uint64_t count, void *values);

/*
 * Checks the arguments as PyTorch does, with its messages, and records the error at `place` (the
 * public function's name) in `ctx`.
 */
kdl_status kdl__fill_check(kdl_context *ctx, const char *place, const kdl__fill *fill);

/*
 * random_(from, to): sets `low` and `range` of a fill whose dtype is known. A float dtype moves
 * both bounds inwards to where rounding cannot leave [from, to). Checks and warns as PyTorch does.
 */
kdl_status kdl__fill_set_range(kdl_context *ctx, const char *place, kdl__fill *fill, int64_t from,
                               int64_t to);
/* The same for random_(from, None): up to the dtype's largest integer, see kdl__dtype_range(). */
kdl_status kdl__fill_set_from(kdl_context *ctx, const char *place, kdl__fill *fill, int64_t from);

#endif
