/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An optimiser updates parameters: three steps of SGD. A layer that is in two places is updated
 * once, by the sum of both gradients; what is frozen stays as it is. Its twin is optimizer_step.py.
 */
#include <stdio.h>
#include <kindling/train.h>

/* The rules of own_network.c. */
static void init_weights(kdl_module *module, void *unused)
{
    (void)unused;
    if (!kdl_module_is(module, KDL_CLASS_LINEAR))
        return;
    kdl_init_xavier_uniform_(kdl_parameter(module, "weight"));
    kdl_init_zeros_(kdl_parameter(module, "bias"));
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 0);
    kdl_module *shared = kdl_nn_linear(ctx, 3, 3); /* ours; each place below gets a reference */
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 3), kdl_nn_relu(ctx),
                                        kdl_module_retain(shared), kdl_nn_relu(ctx),
                                        kdl_module_retain(shared), kdl_nn_linear(ctx, 3, 1));
    kdl_apply(net, init_weights, NULL);
    kdl_module_requires_grad_(kdl_child(net, 0), false); /* the first layer is frozen */
    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(8, 2)), *target = kdl_sum_dim(input, 1, true);
    kdl_iterator_print(kdl_named_parameters(net), stdout);

    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 0.1);
    for (int step = 0; step < 3; step++) {
        kdl_optimizer_zero_grad(optimizer);
        kdl_tensor *output = kdl_forward(net, input);
        kdl_tensor *loss = kdl_f_mse_loss(output, target, KDL_REDUCTION_MEAN);
        kdl_backward(loss);
        kdl_optimizer_step(optimizer);
        printf("step %d: loss %.4f\n", step, kdl_tensor_item(loss));
        kdl_tensor_release(output);
        kdl_tensor_release(loss);
    }
    kdl_iterator_print(kdl_named_parameters(net), stdout);

    if (kdl_error_status(ctx))
        fprintf(stderr, "%s\n", kdl_error_message(ctx));
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(input);
    kdl_tensor_release(target);
    kdl_module_release(net);
    kdl_module_release(shared);
    kdl_context_release(ctx);
    return 0;
}
