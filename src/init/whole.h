/* SPDX-License-Identifier: Apache-2.0 */
/* Ops whose values are a function, in double, of all that they read. */
#ifndef KDL_SRC_INIT_WHOLE_H
#define KDL_SRC_INIT_WHOLE_H

#include "init/init.h"

/*
 * What such an op computes: `in` has the source's elements, `out` (zeroed) is for the op's. It
 * records no error; memory comes from kdl__alloc_quiet().
 */
typedef kdl_status kdl__whole_function(const kdl__op *op, kdl__worker *worker, const double *in,
                                       double *out);

/* The prepare() and range() of an op that is such a function. */
kdl_status kdl__whole_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared,
                              kdl__whole_function *function);
kdl_status kdl__whole_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                            uint64_t first, uint64_t count, void *values);

/* A check(): RuntimeError unless the source has so many elements of the op's dtype. */
kdl_status kdl__whole_check(const kdl__op *op, int64_t source_numel, kdl_context *ctx,
                            const char *place);

/*
 * Does an op of `class` (with its arguments) to `tensor`, reading the elements of `count` tensors
 * of its dtype, row-major, one tensor after the other. NULL among them, as a constructor that
 * failed gives it, does nothing.
 */
kdl_status kdl__whole_apply(kdl_tensor *tensor, const kdl__op *op, int count,
                            kdl_tensor *const *sources, const char *place);

#endif
