/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ResNet-50, as in torchvision: `downsample` is constructed before the block that it becomes a part
 * of, so its draws come first.
 */
#include "networks.h"

/* A Bottleneck; `downsample` is consumed and may be NULL. */
static kdl_module *bottleneck(kdl_context *ctx, int64_t inputs, int64_t planes, int64_t stride,
                              kdl_module *downsample)
{
    static const kdl_module_class class = { .name = "Bottleneck" };
    kdl_module *block = kdl_module_new(ctx, &class);
    kdl_add_module(block, "conv1", kdl_nn_conv2d(ctx, inputs, planes, 1, .bias = false));
    kdl_add_module(block, "bn1", kdl_nn_batch_norm2d(ctx, planes));
    kdl_add_module(
        block, "conv2",
        kdl_nn_conv2d(ctx, planes, planes, 3, .stride = stride, .padding = 1, .bias = false));
    kdl_add_module(block, "bn2", kdl_nn_batch_norm2d(ctx, planes));
    kdl_add_module(block, "conv3", kdl_nn_conv2d(ctx, planes, planes * 4, 1, .bias = false));
    kdl_add_module(block, "bn3", kdl_nn_batch_norm2d(ctx, planes * 4));
    kdl_add_module(block, "relu", kdl_nn_relu(ctx, .inplace = true));
    if (downsample) /* self.downsample = None registers nothing */
        kdl_add_module(block, "downsample", downsample);
    return block;
}

static kdl_module *layer(kdl_context *ctx, int64_t inputs, int64_t planes, int count,
                         int64_t stride)
{
    kdl_module *downsample = kdl_nn_sequential(
        ctx, kdl_nn_conv2d(ctx, inputs, planes * 4, 1, .stride = stride, .bias = false),
        kdl_nn_batch_norm2d(ctx, planes * 4));
    kdl_module *blocks =
        kdl_nn_sequential(ctx, bottleneck(ctx, inputs, planes, stride, downsample));
    for (int i = 1; i < count; i++)
        kdl_append(blocks, bottleneck(ctx, planes * 4, planes, 1, NULL));
    return blocks;
}

kdl_module *resnet50(kdl_context *ctx, int64_t width, int64_t classes)
{
    static const kdl_module_class class = { .name = "ResNet50" };
    static const struct {
        const char *name;
        int count;
    } layers[] = { { "layer1", 3 }, { "layer2", 4 }, { "layer3", 6 }, { "layer4", 3 } };
    int64_t inputs = width;
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "conv1",
                   kdl_nn_conv2d(ctx, 3, width, 7, .stride = 2, .padding = 3, .bias = false));
    kdl_add_module(net, "bn1", kdl_nn_batch_norm2d(ctx, width));
    kdl_add_module(net, "relu", kdl_nn_relu(ctx, .inplace = true));
    kdl_add_module(net, "maxpool", kdl_nn_max_pool2d(ctx, 3, .stride = 2, .padding = 1));
    for (int i = 0; i < 4; i++) {
        int64_t planes = width << i;
        kdl_add_module(net, layers[i].name,
                       layer(ctx, inputs, planes, layers[i].count, i > 0 ? 2 : 1));
        inputs = planes * 4;
    }
    kdl_add_module(net, "avgpool", kdl_nn_adaptive_avg_pool2d(ctx, KDL_SHAPE(1, 1)));
    kdl_add_module(net, "fc", kdl_nn_linear(ctx, inputs, classes));
    for (kdl_iterator it = kdl_named_modules(net); kdl_next(&it);)
        if (kdl_isinstance(it.module, KDL_CLASS_CONV2D))
            kdl_init_kaiming_normal_(kdl_parameter(it.module, "weight"), .mode = KDL_FAN_OUT,
                                     .nonlinearity = KDL_NONLINEARITY_RELU);
    return net;
}
