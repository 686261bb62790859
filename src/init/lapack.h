/* SPDX-License-Identifier: Apache-2.0 */
/* A LAPACK found at run time: MKL's, which gives PyTorch's bits. */
#ifndef KDL_SRC_INIT_LAPACK_H
#define KDL_SRC_INIT_LAPACK_H

#include "base/base.h"
#include "kindling/dtype.h"

typedef struct kdl__lapack kdl__lapack;

/* What kdl_set_lapack() chose; NULL: the builtin QR. */
const kdl__lapack *kdl__lapack_of(const kdl_context *ctx);

/*
 * As kdl__qr(), in `dtype` (f32 or f64), with m between columns, by LAPACK's geqrf and orgqr as
 * torch.linalg.qr calls them. Returns a status and records nothing: KDL_ERROR_MEMORY, or
 * KDL_ERROR_RUNTIME when LAPACK refuses the matrix (m or n beyond its 32-bit integers).
 */
kdl_status kdl__lapack_qr(const kdl__lapack *lapack, kdl_context *ctx, kdl_dtype dtype, size_t m,
                          size_t n, void *a, void *diagonal);

#endif
