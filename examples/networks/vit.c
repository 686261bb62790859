/* SPDX-License-Identifier: Apache-2.0 */
/* A vision transformer: parameters of its own between its modules, which draw in that order. */
#include "networks.h"

static kdl_module *block(kdl_context *ctx, int64_t width)
{
    static const kdl_module_class class = { .name = "ViTBlock" };
    kdl_module *self = kdl_module_new(ctx, &class);
    kdl_add_module(self, "ln_1", kdl_nn_layer_norm(ctx, width, .eps = 1e-6));
    kdl_add_module(self, "attn", kdl_nn_multihead_attention(ctx, width, 2, .batch_first = true));
    kdl_add_module(self, "ln_2", kdl_nn_layer_norm(ctx, width, .eps = 1e-6));
    kdl_add_module(self, "mlp",
                   kdl_nn_sequential(ctx, kdl_nn_linear(ctx, width, 4 * width), kdl_nn_gelu(ctx),
                                     kdl_nn_linear(ctx, 4 * width, width)));
    return self;
}

kdl_module *vit(kdl_context *ctx, int64_t width)
{
    static const kdl_module_class class = { .name = "ViT" };
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "conv_proj", kdl_nn_conv2d(ctx, 3, width, 4, .stride = 4));
    kdl_register_parameter(net, "class_token",
                           kdl_parameter_new(kdl_zeros(ctx, KDL_SHAPE(1, 1, width))));
    kdl_register_parameter(net, "pos_embedding",
                           kdl_parameter_new(kdl_empty(ctx, KDL_SHAPE(1, 65, width))));
    kdl_init_normal_(kdl_parameter(net, "pos_embedding"), .std = 0.02);
    kdl_module *blocks = kdl_nn_sequential(ctx);
    for (int i = 0; i < 3; i++)
        kdl_append(blocks, block(ctx, width));
    kdl_add_module(net, "blocks", blocks);
    kdl_add_module(net, "head", kdl_nn_linear(ctx, width, 10));
    return net;
}
