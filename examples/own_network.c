/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network with rules of its own: a class in C with fields, its initialisation and its forward
 * pass. Its twin is own_network.py.
 */
#include <stdio.h>
#include <kindling/train.h>

/* relu(linear1(x)), then linear2. What the functions get is theirs to release. */
static kdl_tensor *forward(kdl_module *net, kdl_tensor *input)
{
    kdl_tensor *hidden = kdl_forward(kdl_submodule(net, "linear1"), input);
    kdl_tensor *active = kdl_f_relu(hidden);
    kdl_tensor *output = kdl_forward(kdl_submodule(net, "linear2"), active);
    kdl_tensor_release(hidden);
    kdl_tensor_release(active);
    return output;
}

static kdl_status reset_parameters(kdl_module *net)
{
    for (kdl_iterator it = kdl_named_children(net); kdl_next(&it);) {
        kdl_init_xavier_uniform_(kdl_parameter(it.module, "weight"));
        kdl_init_zeros_(kdl_parameter(it.module, "bias"));
    }
    return kdl_error_status(kdl_module_context(net));
}

static const kdl_module_class net_class = { .name = "Net",
                                            .forward = forward,
                                            .reset_parameters = reset_parameters };

static kdl_module *net_new(kdl_context *ctx, int input, int hidden, int output)
{
    kdl_module *net = kdl_module_new(ctx, &net_class);
    kdl_add_module(net, "linear1", kdl_nn_linear(ctx, input, hidden));
    kdl_add_module(net, "linear2", kdl_nn_linear(ctx, hidden, output));
    kdl_reset_parameters(net);
    return net;
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx); /* what computes: forward passes, gradients */
    kdl_manual_seed(ctx, 0);
    kdl_module *net = net_new(ctx, 4, 5, 2);
    kdl_module_print(net, stdout);
    kdl_iterator_print(kdl_named_parameters(net), stdout);
    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(3, 4)), *output = kdl_forward(net, input);
    kdl_tensor_print(output, stdout);
    kdl_tensor_release(input);
    kdl_tensor_release(output);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
