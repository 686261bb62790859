/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that trains: a network learns exclusive or. README.md shows it; its twin is
 * learn_xor.py.
 */
#include <stdio.h>
#include <kindling/train.h>

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 42);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 8), kdl_nn_tanh(ctx),
                                        kdl_nn_linear(ctx, 8, 2));
    const float corners[] = { 0, 0, 0, 1, 1, 0, 1, 1 };
    const int64_t answers[] = { 0, 1, 1, 0 };
    kdl_tensor *input = kdl_tensor_from_data(ctx, KDL_F32, KDL_SHAPE(4, 2), corners);
    kdl_tensor *target = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(4), answers);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(net), 0.1);

    for (int step = 0; step <= 60; step++) {
        kdl_optimizer_zero_grad(optimizer);
        kdl_tensor *scores = kdl_forward(net, input);
        kdl_tensor *loss = kdl_f_cross_entropy(scores, target);
        kdl_backward(loss);
        kdl_optimizer_step(optimizer);
        if (step % 20 == 0)
            printf("step %2d  loss %.4f\n", step, kdl_tensor_item(loss));
        kdl_tensor_release(loss);
        kdl_tensor_release(scores);
    }
    if (kdl_error_status(ctx)) /* the first error stays, and what follows it does nothing */
        fprintf(stderr, "%s\n", kdl_error_message(ctx));
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(target);
    kdl_tensor_release(input);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
