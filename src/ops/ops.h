/* SPDX-License-Identifier: Apache-2.0 */
/* ops: torch's creating functions and Tensor's in-place functions, each making one kdl__op. */
#ifndef KDL_SRC_OPS_OPS_H
#define KDL_SRC_OPS_OPS_H

#include "kindling/ops.h"
#include "plan/op.h"

/* One class for each distribution, at its index. */
extern const kdl__op_class kdl__op_fills[KDL__DISTRIBUTION_COUNT];
extern const kdl__op_class kdl__op_bernoulli_tensor; /* source: a probability for each element */

extern const kdl__op_class kdl__op_eye;        /* ones where the last two indices are equal */
extern const kdl__op_class kdl__op_arange;     /* number: start, step */
extern const kdl__op_class kdl__op_linspace;   /* number: start, end */
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

/* torch.empty; whether it requires gradients is left to kdl__created(). */
kdl_tensor *kdl__empty(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options);
/*
 * What a creating function gives at last: the tensor (NULL: an error stands), or NULL after
 * releasing it, where filling it failed with `status` or its dtype cannot require gradients.
 */
kdl_tensor *kdl__created(kdl_tensor *tensor, kdl_status status, bool requires_grad,
                         const char *place);

/* torch.empty_like(tensor, dtype=...): its strides if they are dense, else its order of them. */
kdl_tensor *kdl__empty_like(kdl_tensor *tensor, kdl_dtype dtype);
/* Tensor.clone(memory_format=torch.contiguous_format). */
KDL__SHARED kdl_tensor *kdl__clone_row_major(kdl_tensor *tensor);

/* torch.result_type(a, b): one without dimensions only counts if it is of a higher category. */
KDL__SHARED kdl_dtype kdl__result_type(const kdl_tensor *a, const kdl_tensor *b);

/* Whether both can be used together: an error stands, or is recorded at `place`. */
KDL__SHARED kdl_status kdl__check_contexts(const kdl_tensor *tensor, const kdl_tensor *source,
                                           const char *place);
/* The same, and whether `source` can be broadcast to the tensor; PyTorch's errors. */
kdl_status kdl__check_operand(const kdl_tensor *tensor, const kdl_tensor *source,
                              const char *place);
/* Applies an op that reads `source`, which is expanded to the tensor's sizes. */
kdl_status kdl__apply_source(kdl_tensor *tensor, const kdl__op_class *class, kdl_tensor *source,
                             kdl_generator *generator, const char *place);

/*
 * Fills the tensor by a distribution as Tensor's in-place functions do. Of `fill` the distribution
 * and its arguments are read; a normal becomes serial where PyTorch's does. Errors at `place`.
 */
kdl_status kdl__random_fill(kdl_tensor *tensor, const kdl__fill *fill, kdl_generator *generator,
                            const char *place);
/* Tensor.random_(from, to), in the same way. */
kdl_status kdl__random_range(kdl_tensor *tensor, int64_t from, int64_t to, kdl_generator *generator,
                             const char *place);

/*
 * torch.randperm's permutation of 0 .. n - 1, from the cursor's next draws, and how many it takes.
 */
void kdl__permutation(int64_t *order, uint64_t n, kdl__cursor *cursor);
uint64_t kdl__permutation_draws(uint64_t n);

#endif
