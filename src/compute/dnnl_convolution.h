/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions in f32 by oneDNN's own primitives, kept by their shapes in the context. */
#ifndef KDL_SRC_COMPUTE_DNNL_CONVOLUTION_H
#define KDL_SRC_COMPUTE_DNNL_CONVOLUTION_H

#include "compute/dnnl_api.h"
#include "compute/window.h"

/*
 * Computes one of a convolution's three: into result from source and weight (and bias, NULL: none),
 * into source, or into weight. All are row-major and in memory; the sizes are those of the forward
 * pass. False: oneDNN has no primitive for it, or an error stands; nothing was written.
 */
bool kdl__dnnl_convolve(kdl__dnnl_kind kind, kdl_tensor *source, kdl_tensor *weight,
                        kdl_tensor *result, kdl_tensor *bias, const kdl__window *window,
                        int64_t groups);

#endif
