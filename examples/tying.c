/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tied parameters: one layer in two places has one weight, listed once, saved under two names, and
 * its gradient is the sum of both places'. Its twin is tying.py.
 */
#include <stdio.h>
#include <kindling/train.h>

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 0);
    kdl_module *shared = kdl_nn_linear(ctx, 8, 8); /* ours; each place below gets a reference */
    kdl_module *net = kdl_nn_sequential(
        ctx, kdl_nn_linear(ctx, 4, 8), kdl_nn_relu(ctx), kdl_module_retain(shared),
        kdl_nn_relu(ctx), kdl_module_retain(shared), kdl_nn_relu(ctx), kdl_nn_linear(ctx, 8, 1));

    kdl_module_print(net, stdout);
    for (kdl_iterator it = kdl_named_parameters(net); kdl_next(&it);)
        printf("%s ", it.name);
    printf("\n%d\n", (int)kdl_module_numel(net));
    kdl_state_dict *state = kdl_module_state_dict(net);
    char *keys = kdl_state_dict_keys_to_string(state);
    printf("%s\n", keys);

    kdl_init_constant_(kdl_parameter(net, "2.weight"), 0.25); /* in one place is in both */
    printf("%g\n", kdl_tensor_get(kdl_parameter(net, "4.weight"), (int64_t[]){ 0, 0 }));

    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(2, 4)), *output = kdl_forward(net, input);
    kdl_tensor *loss = kdl_sum(output);
    kdl_backward(loss);
    kdl_tensor *grad = kdl_select(kdl_tensor_grad(kdl_parameter(shared, "weight")), 0, 0);
    kdl_tensor_print(grad, stdout);

    kdl_free(ctx, keys);
    kdl_state_dict_release(state);
    kdl_tensor_release(grad);
    kdl_tensor_release(loss);
    kdl_tensor_release(output);
    kdl_tensor_release(input);
    kdl_module_release(net);
    kdl_module_release(shared);
    kdl_context_release(ctx);
    return 0;
}
