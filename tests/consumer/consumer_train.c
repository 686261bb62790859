/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program outside the tree that trains: one weight learns by how much its inputs were multiplied.
 */
#include <kindling/train.h>
#include <stdio.h>

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_linear(ctx, 1, 1, .bias = false);
    kdl_tensor *inputs = kdl_randn(ctx, KDL_SHAPE(32, 1)), *targets = kdl_mul(inputs, 0.6);
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 0.1);
    for (int step = 0; step < 200; step++) {
        kdl_optimizer_zero_grad(optimizer);
        kdl_tensor *outputs = kdl_forward(net, inputs);
        kdl_tensor *loss = kdl_f_mse_loss(outputs, targets, KDL_REDUCTION_MEAN);
        kdl_backward(loss);
        kdl_optimizer_step(optimizer);
        kdl_tensor_release(loss);
        kdl_tensor_release(outputs);
    }
    kdl_tensor *weight = kdl_get_parameter(net, "weight");
    printf("%.2f was learned\n", kdl_tensor_item(weight));
    int failed = kdl_error_status(ctx) != KDL_OK;
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(targets);
    kdl_tensor_release(inputs);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return failed;
}
