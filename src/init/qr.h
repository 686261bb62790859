/* SPDX-License-Identifier: Apache-2.0 */
/* The QR factorisation that orthogonal_ is made of. */
#ifndef KDL_SRC_INIT_QR_H
#define KDL_SRC_INIT_QR_H

#include "base/base.h"
#include "kernels/kernels.h"

/*
 * Replaces `a` (m x n, m >= n >= 1, column-major, `ld` between columns) by the first n columns of
 * Q in its Householder factorisation A = QR, and writes R's diagonal to `diagonal`. The signs are
 * LAPACK's: r_ii and the element that it replaces differ in sign, unless nothing lies below it.
 *
 * The same bits on every machine, for every number of threads and from every compiler: each sum is
 * taken in an order that only m and n decide. Elements must be far from the ends of double's
 * range (no scaling guards the squares). KDL_ERROR_MEMORY is returned, not recorded.
 */
kdl_status kdl__qr(kdl_context *ctx, const kdl__kernels *kernels, size_t m, size_t n, double *a,
                   size_t ld, double *diagonal);

/* A leading dimension for columns of m doubles that keeps them apart in a cache. */
static inline size_t kdl__qr_leading_dimension(size_t m)
{
    size_t ld = (m + 7) / 8 * 8;
    return ld % 64 ? ld : ld + 8;
}

#endif
