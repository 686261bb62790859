/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling with gradients, for what pads and interpolates. */
#ifndef KDL_SRC_AUTOGRAD_RESAMPLE_OPS_H
#define KDL_SRC_AUTOGRAD_RESAMPLE_OPS_H

#include "autograd/function.h"
#include "compute/resample.h"

/*
 * x (consumed; NULL: an error stands), row-major, resampled along one dimension and recorded under
 * the name of PyTorch's function. Frees the taps. One reference.
 */
kdl_tensor *kdl__resample(kdl_tensor *x, kdl__taps *taps, const char *name);
#endif
