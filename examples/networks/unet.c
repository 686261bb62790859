/* SPDX-License-Identifier: Apache-2.0 */
/* U-Net: lists of modules, transposed convolutions. */
#include "networks.h"

static kdl_module *double_conv(kdl_context *ctx, int64_t inputs, int64_t outputs)
{
    return kdl_nn_sequential(ctx, kdl_nn_conv2d(ctx, inputs, outputs, 3, .padding = 1),
                             kdl_nn_batch_norm2d(ctx, outputs), kdl_nn_relu(ctx),
                             kdl_nn_conv2d(ctx, outputs, outputs, 3, .padding = 1),
                             kdl_nn_relu(ctx));
}

kdl_module *unet(kdl_context *ctx, int64_t width)
{
    enum { DEPTH = 4 };
    static const kdl_module_class class = { .name = "UNet" };
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_module *downs = kdl_nn_module_list(ctx);
    for (int i = 0; i < DEPTH; i++)
        kdl_append(downs, double_conv(ctx, i == 0 ? 1 : width << (i - 1), width << i));
    kdl_add_module(net, "downs", downs);
    kdl_add_module(net, "pool", kdl_nn_max_pool2d(ctx, 2));
    kdl_module *ups = kdl_nn_module_list(ctx);
    for (int i = 0; i + 1 < DEPTH; i++)
        kdl_append(ups, kdl_nn_conv_transpose2d(ctx, width << (i + 1), width << i, 2, .stride = 2));
    kdl_add_module(net, "ups", ups);
    kdl_module *merges = kdl_nn_module_list(ctx);
    for (int i = 0; i + 1 < DEPTH; i++)
        kdl_append(merges, double_conv(ctx, width << (i + 1), width << i));
    kdl_add_module(net, "merges", merges);
    kdl_add_module(
        net, "upsample",
        kdl_nn_upsample(ctx, .scale_factor = 2, .mode = "bilinear", .align_corners = true));
    kdl_add_module(net, "out", kdl_nn_conv2d(ctx, width, 2, 1));
    return net;
}
