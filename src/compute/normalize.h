/* SPDX-License-Identifier: Apache-2.0 */
/* Normalising: each row of a tensor to mean 0 and variance 1, and the way back. */
#ifndef KDL_SRC_COMPUTE_NORMALIZE_H
#define KDL_SRC_COMPUTE_NORMALIZE_H

#include "compute/compute.h"

/*
 * A row-major tensor seen as outer x rows x inner: row r is made of all its [.., r, ..]. A batch
 * norm's rows are channels, a layer norm's (outer 1) what stands before the normalised dimensions.
 */
typedef struct kdl__rows {
    int64_t outer, rows, inner;
    double eps;
    bool centered; /* false: only the mean square becomes 1 (RMSNorm) */
} kdl__rows;

/* What a normalisation found, by row, in f64 (owned by whoever asked; from kdl__alloc). */
typedef struct kdl__moments {
    double *mean, *variance; /* the variance as a mean of squares, without eps */
} kdl__moments;

/* The rows of `input` (row-major) normalised; their moments go to *moments, which has room. */
kdl_tensor *kdl__compute_normalize(kdl_tensor *input, const kdl__rows *rows,
                                   const kdl__moments *moments);
/* Its gradient, from that of the result, and the result. */
kdl_tensor *kdl__compute_normalize_grad(kdl_tensor *grad, kdl_tensor *result, const kdl__rows *rows,
                                        const double *variance);

#endif
