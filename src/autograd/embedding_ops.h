/* SPDX-License-Identifier: Apache-2.0 */
/* What embeddings and bags of them have in common: looking rows up, and their gradients. */
#ifndef KDL_SRC_AUTOGRAD_EMBEDDING_OPS_H
#define KDL_SRC_AUTOGRAD_EMBEDDING_OPS_H

#include "autograd/function.h"

/* A call's table and indices, one reference each: row-major and in memory. */
typedef struct kdl__lookup {
    const char *place, *name; /* PyTorch's name is for messages */
    kdl_tensor *table, *indices;
    const int64_t *values; /* of the indices */
    int64_t padding;       /* -1: none */
} kdl__lookup;

/* That both are there, with dtypes that fit; else false, with PyTorch's error. */
bool kdl__check_lookup(const kdl__lookup *l, kdl_tensor *input, kdl_tensor *weight);
/* The same number from the front; -1: none. False, with PyTorch's error, if it is outside. */
bool kdl__read_padding(kdl__lookup *l, const kdl_tensor *weight, int64_t padding_idx,
                       kdl_status status, const char *outside);
/* Fills in the table and the indices; the first step of both functions, after their checks. */
bool kdl__prepare_lookup(kdl__lookup *l, kdl_tensor *input, kdl_tensor *weight, double max_norm,
                         double norm_type);
void kdl__free_lookup(kdl__lookup *l);
/* 1 / frequency of each index; from kdl__alloc. */
double *kdl__by_frequency(kdl_context *ctx, const int64_t *indices, int64_t count, int64_t rows,
                          bool of_bags);
/* Zeros for the gradient of a table of the sizes, in the dtype that is computed with. */
kdl_tensor *kdl__new_table_grad(const kdl__function *function, kdl_dtype dtype);
/*
 * The rows that were asked for, without the padding, and their gradients: places[i] of `g` (NULL:
 * i) times scales[i] (NULL: 1).
 */
void kdl__give_sparse(kdl__function *function, kdl_tensor *g, kdl_tensor *indices,
                      const int64_t *places, const double *scales, int64_t padding);
/* PyTorch's error for both at once (true). */
bool kdl__refuses_sparse(const kdl__function *function, bool sparse, bool by_freq);

#endif
