/* SPDX-License-Identifier: Apache-2.0 */
/* What normalisations by channels have in common. */
#ifndef KDL_SRC_AUTOGRAD_NORM_OPS_H
#define KDL_SRC_AUTOGRAD_NORM_OPS_H

#include "autograd/function.h"

/*
 * Whether running_mean, running_var, weight and bias, in this order and where they are not NULL,
 * hold a number for each channel of `input` (N, C, ...); RuntimeError if not, in which PyTorch
 * counts each number `times`.
 */
bool kdl__check_channels(const kdl_tensor *input, kdl_tensor *const vectors[4], int64_t times,
                         const char *place);

#endif
