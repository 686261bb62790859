/* SPDX-License-Identifier: Apache-2.0 */
/* DenseNet-121: layers named in a Sequential, blocks that are dictionaries of layers. */
#include <stdio.h>
#include "networks.h"

static kdl_module *dense_layer(kdl_context *ctx, int64_t inputs, int64_t growth)
{
    static const kdl_module_class class = { .name = "DenseLayer", .parent = KDL_CLASS_SEQUENTIAL };
    kdl_module *layer = kdl_nn_new(ctx, &class, NULL);
    kdl_add_module(layer, "norm1", kdl_nn_batch_norm2d(ctx, inputs));
    kdl_add_module(layer, "relu1", kdl_nn_relu(ctx, .inplace = true));
    kdl_add_module(layer, "conv1", kdl_nn_conv2d(ctx, inputs, 4 * growth, 1, .bias = false));
    kdl_add_module(layer, "norm2", kdl_nn_batch_norm2d(ctx, 4 * growth));
    kdl_add_module(layer, "relu2", kdl_nn_relu(ctx, .inplace = true));
    kdl_add_module(layer, "conv2",
                   kdl_nn_conv2d(ctx, 4 * growth, growth, 3, .padding = 1, .bias = false));
    return layer;
}

static kdl_module *dense_block(kdl_context *ctx, int64_t channels, int64_t growth, int count)
{
    kdl_module *block = kdl_nn_module_dict(ctx);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "denselayer%d", i + 1);
        kdl_add_module(block, name, dense_layer(ctx, channels + i * growth, growth));
    }
    return block;
}

static void initialize(kdl_module *net)
{
    for (kdl_iterator it = kdl_named_modules(net); kdl_next(&it);) {
        if (kdl_isinstance(it.module, KDL_CLASS_CONV2D))
            kdl_init_kaiming_normal_(kdl_parameter(it.module, "weight"));
        else if (kdl_isinstance(it.module, KDL_CLASS_LINEAR))
            kdl_init_zeros_(kdl_parameter(it.module, "bias"));
    }
}

static kdl_module *transition(kdl_context *ctx, int64_t channels)
{
    return kdl_nn_sequential(ctx, kdl_nn_batch_norm2d(ctx, channels),
                             kdl_nn_relu(ctx, .inplace = true),
                             kdl_nn_conv2d(ctx, channels, channels / 2, 1, .bias = false),
                             kdl_nn_avg_pool2d(ctx, 2, .stride = 2));
}

static kdl_module *features(kdl_context *ctx, int64_t growth, int64_t *channels)
{
    static const int counts[] = { 6, 12, 24, 16 };
    kdl_module *net = kdl_nn_sequential(ctx);
    kdl_add_module(net, "conv0",
                   kdl_nn_conv2d(ctx, 3, *channels, 7, .stride = 2, .padding = 3, .bias = false));
    kdl_add_module(net, "norm0", kdl_nn_batch_norm2d(ctx, *channels));
    kdl_add_module(net, "relu0", kdl_nn_relu(ctx, .inplace = true));
    kdl_add_module(net, "pool0", kdl_nn_max_pool2d(ctx, 3, .stride = 2, .padding = 1));
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "denseblock%d", i + 1);
        kdl_add_module(net, name, dense_block(ctx, *channels, growth, counts[i]));
        *channels += counts[i] * growth;
        if (i == 3)
            break;
        snprintf(name, sizeof name, "transition%d", i + 1);
        kdl_add_module(net, name, transition(ctx, *channels));
        *channels /= 2;
    }
    kdl_add_module(net, "norm5", kdl_nn_batch_norm2d(ctx, *channels));
    return net;
}

kdl_module *densenet121(kdl_context *ctx, int64_t growth, int64_t classes)
{
    static const kdl_module_class class = { .name = "DenseNet" };
    int64_t channels = 2 * growth;
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "features", features(ctx, growth, &channels));
    kdl_add_module(net, "classifier", kdl_nn_linear(ctx, channels, classes));
    initialize(net);
    return net;
}
