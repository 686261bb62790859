/* SPDX-License-Identifier: Apache-2.0 */
/* ops: torch's creating functions and Tensor's in-place functions, each making one kdl__op. */
#ifndef KDL_SRC_OPS_OPS_H
#define KDL_SRC_OPS_OPS_H

#include "kindling/ops.h"
#include "plan/op.h"

/* One class for each distribution, at its index. */
extern const kdl__op_class kdl__op_fills[KDL__DISTRIBUTION_COUNT];

extern const kdl__op_class kdl__op_eye;        /* ones where the last two indices are equal */
extern const kdl__op_class kdl__op_arange;     /* number: start, step */
extern const kdl__op_class kdl__op_linspace;   /* number: start, end; integer: steps */
extern const kdl__op_class kdl__op_randperm;   /* a permutation of 0 .. numel - 1 */
extern const kdl__op_class kdl__op_abs;        /* of what is there */
extern const kdl__op_class kdl__op_add;        /* number: added to what is there */
extern const kdl__op_class kdl__op_mul;        /* number: factor */
extern const kdl__op_class kdl__op_add_tensor; /* the source's values, added */
extern const kdl__op_class kdl__op_mul_tensor; /* the source's values, as factors */

/* A class for each comparison of the source with a number: bools. */
#define KDL__COMPARISON_COUNT 6
extern const kdl__op_class kdl__op_comparisons[KDL__COMPARISON_COUNT];

/* Tensor.fill_(value). Errors at `place`. */
kdl_status kdl__fill_value(kdl_tensor *tensor, double value, const char *place);

/*
 * Fills the tensor by a distribution as Tensor's in-place functions do. Of `fill` the distribution
 * and its arguments are read; a normal becomes serial where PyTorch's does. Errors at `place`.
 */
kdl_status kdl__random_fill(kdl_tensor *tensor, const kdl__fill *fill, kdl_generator *generator,
                            const char *place);
/* Tensor.random_(from, to), in the same way. */
kdl_status kdl__random_range(kdl_tensor *tensor, int64_t from, int64_t to, kdl_generator *generator,
                             const char *place);

/* torch.randperm's permutation of 0 .. n - 1, from the cursor's next draws, and how many it takes. */
void kdl__permutation(int64_t *order, uint64_t n, kdl__cursor *cursor);
uint64_t kdl__permutation_draws(uint64_t n);

#endif
