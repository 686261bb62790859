/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's containers and layers. A constructor gives one reference, or NULL when it fails; its
 * parameters are initialised as PyTorch's are, from the context's default generator, in the same
 * order. Optional arguments are given by name: kdl_nn_linear(ctx, 784, 10, .bias = false); see
 * layer.h for how arguments are written.
 *
 * C leaves open in which order the arguments of a call are computed, and a wrong order would give
 * other bits. So do not write two layers as arguments of one call of your own; the containers
 * take theirs one after the other.
 */
#ifndef KINDLING_NN_H
#define KINDLING_NN_H

#include "kindling/layer.h"
#include "kindling/nn_activation.h"
#include "kindling/nn_container.h"
#include "kindling/nn_conv.h"
#include "kindling/nn_linear.h"
#include "kindling/nn_loss.h"
#include "kindling/nn_norm.h"
#include "kindling/nn_parametrize.h"
#include "kindling/nn_pool.h"
#include "kindling/nn_recurrent.h"
#include "kindling/nn_shape.h"
#include "kindling/nn_transformer.h"

#endif
