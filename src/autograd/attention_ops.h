/* SPDX-License-Identifier: Apache-2.0 */
/* What scaled_dot_product_attention() and MultiheadAttention have in common. */
#ifndef KDL_SRC_AUTOGRAD_ATTENTION_OPS_H
#define KDL_SRC_AUTOGRAD_ATTENTION_OPS_H

#include "autograd/function.h"
#include "compute/scores.h"

/*
 * softmax(scale q k^T + mask) of q (..., L, E), k (..., S, E), recorded: (..., L, S). q and k are
 * f32 or f64 and their batches fit; a mask of floating point is of their dtype. One reference.
 */
kdl_tensor *kdl__attention_weights(kdl_tensor *q, kdl_tensor *k, const kdl__masking *masking,
                                   double scale);

#endif
