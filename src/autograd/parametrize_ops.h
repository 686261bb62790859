/* SPDX-License-Identifier: Apache-2.0 */
/* What the gradients of parametrizations have in common. */
#ifndef KDL_SRC_AUTOGRAD_PARAMETRIZE_OPS_H
#define KDL_SRC_AUTOGRAD_PARAMETRIZE_OPS_H

#include "autograd/function.h"

/*
 * `result` is the orthogonal parametrization of x by a map (its number), times base (may be NULL).
 */
void kdl__record_orthogonal(kdl_tensor *result, int map, kdl_tensor *x, kdl_tensor *base);

#endif
