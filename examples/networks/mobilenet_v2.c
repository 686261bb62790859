/* SPDX-License-Identifier: Apache-2.0 */
/* MobileNetV2: grouped convolutions, one channel a group. */
#include "networks.h"

static kdl_module *inverted_residual(kdl_context *ctx, int64_t inputs, int64_t outputs,
                                     int64_t stride, int64_t ratio)
{
    static const kdl_module_class class = { .name = "InvertedResidual" };
    int64_t hidden = inputs * ratio;
    kdl_module *block = kdl_module_new(ctx, &class);
    kdl_add_module(
        block, "conv",
        kdl_nn_sequential(ctx, kdl_nn_conv2d(ctx, inputs, hidden, 1, .bias = false),
                          kdl_nn_batch_norm2d(ctx, hidden), kdl_nn_relu6(ctx, .inplace = true),
                          kdl_nn_conv2d(ctx, hidden, hidden, 3, .stride = stride, .padding = 1,
                                        .groups = hidden, .bias = false),
                          kdl_nn_batch_norm2d(ctx, hidden), kdl_nn_relu6(ctx, .inplace = true),
                          kdl_nn_conv2d(ctx, hidden, outputs, 1, .bias = false),
                          kdl_nn_batch_norm2d(ctx, outputs)));
    return block;
}

kdl_module *mobilenet_v2(kdl_context *ctx, int64_t scale, int64_t classes)
{
    static const kdl_module_class class = { .name = "MobileNetV2" };
    static const struct {
        int64_t ratio, outputs;
        int count;
        int64_t stride;
    } stages[] = { { 1, 16, 1, 1 }, { 6, 24, 2, 2 },  { 6, 32, 3, 2 }, { 6, 64, 4, 2 },
                   { 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 } };
    int64_t inputs = 32 / scale, last = 1280 / scale;
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_module *features = kdl_nn_sequential(
        ctx, kdl_nn_conv2d(ctx, 3, inputs, 3, .stride = 2, .padding = 1, .bias = false),
        kdl_nn_batch_norm2d(ctx, inputs), kdl_nn_relu6(ctx, .inplace = true));
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        for (int i = 0; i < stages[s].count; i++) {
            int64_t outputs = stages[s].outputs / scale, stride = i == 0 ? stages[s].stride : 1;
            kdl_append(features, inverted_residual(ctx, inputs, outputs, stride, stages[s].ratio));
            inputs = outputs;
        }
    }
    kdl_append(features, kdl_nn_conv2d(ctx, inputs, last, 1, .bias = false));
    kdl_append(features, kdl_nn_batch_norm2d(ctx, last));
    kdl_append(features, kdl_nn_relu6(ctx, .inplace = true));
    kdl_add_module(net, "features", features);
    kdl_add_module(
        net, "classifier",
        kdl_nn_sequential(ctx, kdl_nn_dropout(ctx, .p = 0.2), kdl_nn_linear(ctx, last, classes)));
    return net;
}
