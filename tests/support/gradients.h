/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients against finite differences, for tests of libkindling_train. */
#ifndef KDL_TESTS_SUPPORT_GRADIENTS_H
#define KDL_TESTS_SUPPORT_GRADIENTS_H

#include "kindling/tensor.h"

/* A function of two tensors (3, 4), of which it may leave the second alone. */
typedef kdl_tensor *gradient_body(kdl_tensor *a, kdl_tensor *b);

/* An array of them, as the two arguments that it is passed in. */
#define GRADIENT_BODIES(array) (array), sizeof(array) / sizeof *(array)

/* Asserts that each function's gradients of both in f64 are what finite differences say. */
void check_gradients(kdl_context *ctx, gradient_body *const *functions, size_t count);

/*
 * Computes all of the functions and their gradients, once only forward, so that nothing but the
 * tensors that go frees the record, with every allocation failing in turn.
 */
void check_gradient_allocations(gradient_body *const *functions, size_t count);

/* Asserts that the gradient that a leaf of f64 has is what finite differences of `value` say. */
void check_leaf(kdl_tensor *leaf, double (*value)(void *data), void *data);

/* The sum of the elements, weighted so that none is like another; NULL on failure. */
kdl_tensor *weighted_sum(kdl_tensor *tensor);

#endif
