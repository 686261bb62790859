/* SPDX-License-Identifier: Apache-2.0 */
/* VGG-16 with batch normalisation, with torchvision's initialisation: a loop over all modules. */
#include "networks.h"

static kdl_module *features(kdl_context *ctx, int64_t scale, int64_t *channels)
{
    static const int64_t sizes[] = { 64, 64,  0,   128, 128, 0,   256, 256, 256,
                                     0,  512, 512, 512, 0,   512, 512, 512, 0 };
    kdl_module *layers = kdl_nn_sequential(ctx);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] == 0) {
            kdl_append(layers, kdl_nn_max_pool2d(ctx, 2, .stride = 2));
            continue;
        }
        kdl_append(layers, kdl_nn_conv2d(ctx, *channels, sizes[i] / scale, 3, .padding = 1));
        *channels = sizes[i] / scale;
        kdl_append(layers, kdl_nn_batch_norm2d(ctx, *channels));
        kdl_append(layers, kdl_nn_relu(ctx, .inplace = true));
    }
    return layers;
}

static void initialize(kdl_module *net)
{
    for (kdl_iterator it = kdl_named_modules(net); kdl_next(&it);) {
        kdl_tensor *weight = kdl_parameter(it.module, "weight");
        if (kdl_isinstance(it.module, KDL_CLASS_CONV2D))
            kdl_init_kaiming_normal_(weight, .mode = KDL_FAN_OUT,
                                     .nonlinearity = KDL_NONLINEARITY_RELU);
        else if (kdl_isinstance(it.module, KDL_CLASS_BATCH_NORM2D))
            kdl_init_ones_(weight);
        else if (kdl_isinstance(it.module, KDL_CLASS_LINEAR))
            kdl_init_normal_(weight, .std = 0.01);
        else
            continue;
        kdl_init_zeros_(kdl_parameter(it.module, "bias"));
    }
}

kdl_module *vgg16_bn(kdl_context *ctx, int64_t scale, int64_t hidden, int64_t classes)
{
    static const kdl_module_class class = { .name = "VGG" };
    int64_t channels = 3;
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "features", features(ctx, scale, &channels));
    kdl_add_module(net, "classifier",
                   kdl_nn_sequential(ctx, kdl_nn_linear(ctx, channels * 49, hidden),
                                     kdl_nn_relu(ctx, .inplace = true), kdl_nn_dropout(ctx),
                                     kdl_nn_linear(ctx, hidden, hidden),
                                     kdl_nn_relu(ctx, .inplace = true), kdl_nn_dropout(ctx),
                                     kdl_nn_linear(ctx, hidden, classes)));
    initialize(net);
    return net;
}
