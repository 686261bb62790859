/* SPDX-License-Identifier: Apache-2.0 */
/* A DCGAN's generator: weights_init goes by what a class is called, as its authors' does. */
#include <string.h>
#include "networks.h"

static void weights_init(kdl_module *module, void *unused)
{
    const char *name = kdl_module_type(module)->name;
    (void)unused;
    if (strstr(name, "Conv")) {
        kdl_init_normal_(kdl_parameter(module, "weight"), .mean = 0, .std = 0.02);
    } else if (strstr(name, "BatchNorm")) {
        kdl_init_normal_(kdl_parameter(module, "weight"), .mean = 1, .std = 0.02);
        kdl_init_zeros_(kdl_parameter(module, "bias"));
    }
}

static void add_stage(kdl_module *main, int64_t inputs, int64_t outputs, int64_t stride,
                      int64_t padding)
{
    kdl_context *ctx = kdl_module_context(main);
    kdl_append(main, kdl_nn_conv_transpose2d(ctx, inputs, outputs, 4, .stride = stride,
                                             .padding = padding, .bias = false));
    kdl_append(main, kdl_nn_batch_norm2d(ctx, outputs));
    kdl_append(main, kdl_nn_relu(ctx, .inplace = true));
}

kdl_module *dcgan_generator(kdl_context *ctx, int64_t width)
{
    static const kdl_module_class class = { .name = "Generator" };
    kdl_module *net = kdl_module_new(ctx, &class), *main = kdl_nn_sequential(ctx);
    if (main) {
        add_stage(main, 10, width * 4, 1, 0);
        add_stage(main, width * 4, width * 2, 2, 1);
        add_stage(main, width * 2, width, 2, 1);
    }
    kdl_append(main,
               kdl_nn_conv_transpose2d(ctx, width, 3, 4, .stride = 2, .padding = 1, .bias = false));
    kdl_append(main, kdl_nn_tanh(ctx));
    kdl_add_module(net, "main", main);
    kdl_apply(net, weights_init, NULL);
    return net;
}
