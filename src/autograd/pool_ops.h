/* SPDX-License-Identifier: Apache-2.0 */
/* Max pooling by spans, however they came about. */
#ifndef KDL_SRC_AUTOGRAD_POOL_OPS_H
#define KDL_SRC_AUTOGRAD_POOL_OPS_H

#include "autograd/function.h"
#include "compute/window.h"

/*
 * The largest elements of x (row-major, with a batch), recorded, as a tensor of `shape` without the
 * batch where `input` had none; *indices (may be NULL) gets one reference to where they lie, or
 * NULL.
 */
kdl_tensor *kdl__max_pool(kdl_tensor *x, const kdl_tensor *input, const kdl__spans *spans,
                          kdl_shape shape, kdl_tensor **indices);

#endif
