/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear algebra in double on row-major matrices. Each sum is taken in an order of its own, so the
 * bits are the same on every machine; rounding is no other library's.
 */
#ifndef KDL_SRC_INIT_LINEAR_ALGEBRA_H
#define KDL_SRC_INIT_LINEAR_ALGEBRA_H

#include "base/base.h"

/* out [m, n] = a [m, l] b [l, n]; apart from both. */
void kdl__matrix_multiply(const double *a, const double *b, size_t m, size_t l, size_t n,
                          double *out);

/* out = exp(a), both n x n. KDL_ERROR_MEMORY is returned, not recorded, here and below. */
kdl_status kdl__matrix_exp(kdl_context *ctx, const double *a, size_t n, double *out);

/* b = a^-1 b, n x n and n x m, by Gauss-Jordan elimination with partial pivoting; `a` is lost. */
KDL__SHARED void kdl__solve(double *a, double *b, size_t n, size_t m);

/* out = (I - a/2)^-1 (I + a/2), for a skew-symmetric `a` (then there is an inverse). */
kdl_status kdl__cayley(kdl_context *ctx, const double *a, size_t n, double *out);

/*
 * Replaces a (n x k, n >= k) by what LAPACK's geqrf leaves, reflectors below the diagonal and R
 * above; on the diagonal by the sign of R's, the other way round where a step reflects nothing.
 */
void kdl__householder_factor(double *a, size_t n, size_t k);

/*
 * out [n, k]: the first columns of the product of the reflectors below the diagonal of a [n, k],
 * each of them of unit length by its own norm, times the integers on the diagonal.
 */
KDL__SHARED void kdl__householder_product(const double *a, size_t n, size_t k, double *out);

#endif
