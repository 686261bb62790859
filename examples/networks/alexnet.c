/* SPDX-License-Identifier: Apache-2.0 */
/* AlexNet, as it is in torchvision. */
#include "networks.h"

static kdl_module *features(kdl_context *ctx, int64_t width)
{
    return kdl_nn_sequential(
        ctx, kdl_nn_conv2d(ctx, 3, width, 11, .stride = 4, .padding = 2),
        kdl_nn_relu(ctx, .inplace = true), kdl_nn_max_pool2d(ctx, 3, .stride = 2),
        kdl_nn_conv2d(ctx, width, 3 * width, 5, .padding = 2), kdl_nn_relu(ctx, .inplace = true),
        kdl_nn_max_pool2d(ctx, 3, .stride = 2),
        kdl_nn_conv2d(ctx, 3 * width, 6 * width, 3, .padding = 1),
        kdl_nn_relu(ctx, .inplace = true),
        kdl_nn_conv2d(ctx, 6 * width, 4 * width, 3, .padding = 1),
        kdl_nn_relu(ctx, .inplace = true),
        kdl_nn_conv2d(ctx, 4 * width, 4 * width, 3, .padding = 1),
        kdl_nn_relu(ctx, .inplace = true), kdl_nn_max_pool2d(ctx, 3, .stride = 2));
}

kdl_module *alexnet(kdl_context *ctx, int64_t width, int64_t hidden, int64_t classes)
{
    static const kdl_module_class class = { .name = "AlexNet" };
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "features", features(ctx, width));
    kdl_add_module(net, "avgpool", kdl_nn_adaptive_avg_pool2d(ctx, KDL_SHAPE(6, 6)));
    kdl_add_module(
        net, "classifier",
        kdl_nn_sequential(ctx, kdl_nn_dropout(ctx), kdl_nn_linear(ctx, 4 * width * 36, hidden),
                          kdl_nn_relu(ctx, .inplace = true), kdl_nn_dropout(ctx),
                          kdl_nn_linear(ctx, hidden, hidden), kdl_nn_relu(ctx, .inplace = true),
                          kdl_nn_linear(ctx, hidden, classes)));
    return net;
}
