/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dict: parameters and persistent buffers by name, in order. Its twin is print_state_dict.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

/* print(module.state_dict()), print(module.state_dict().keys()) */
static void show(kdl_module *module)
{
    kdl_context *ctx = kdl_module_context(module);
    kdl_state_dict *state = kdl_module_state_dict(module);
    char *text = kdl_state_dict_to_string(state), *keys = kdl_state_dict_keys_to_string(state);
    printf("%s\n%s\n", text, keys);
    kdl_free(ctx, text);
    kdl_free(ctx, keys);
    kdl_state_dict_release(state);
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 0);

    kdl_module *linear = kdl_nn_linear(ctx, 2, 2);
    show(linear);
    kdl_tensor_print(kdl_parameter(linear, "weight"), stdout); /* linear.weight */
    kdl_tensor_print(kdl_parameter(linear, "bias"), stdout);

    /* A BatchNorm has buffers, which are saved too: means, variances, a count. */
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 3), kdl_nn_batch_norm1d(ctx, 3));
    show(net);

    /* Loading says all that is wrong at once, and then has changed nothing. */
    kdl_state_dict *state = kdl_module_state_dict(net);
    kdl_load_state_dict(linear, state);
    printf("%s: %s\n", kdl_status_name(kdl_error_status(ctx)), kdl_error_message(ctx));
    kdl_error_clear(ctx);

    kdl_state_dict_release(state);
    kdl_module_release(linear);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
