/* SPDX-License-Identifier: Apache-2.0 */
/* LeNet-5: nothing but torch.nn's layers and their defaults. */
#include "networks.h"

kdl_module *lenet5(kdl_context *ctx)
{
    static const kdl_module_class class = { .name = "LeNet5" };
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "features",
                   kdl_nn_sequential(ctx, kdl_nn_conv2d(ctx, 1, 6, 5), kdl_nn_tanh(ctx),
                                     kdl_nn_avg_pool2d(ctx, 2, .stride = 2),
                                     kdl_nn_conv2d(ctx, 6, 16, 5), kdl_nn_tanh(ctx),
                                     kdl_nn_avg_pool2d(ctx, 2, .stride = 2)));
    kdl_add_module(net, "classifier",
                   kdl_nn_sequential(ctx, kdl_nn_flatten(ctx), kdl_nn_linear(ctx, 400, 120),
                                     kdl_nn_tanh(ctx), kdl_nn_linear(ctx, 120, 84),
                                     kdl_nn_tanh(ctx), kdl_nn_linear(ctx, 84, 10)));
    return net;
}
