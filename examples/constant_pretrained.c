/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants, and weights from a file that Python made (pretrained.safetensors): whole, then by
 * part, then frozen. Its twin is constant_pretrained.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

static void show(kdl_module *net)
{
    for (kdl_iterator it = kdl_named_parameters(net); kdl_next(&it);) {
        printf("%s ", it.name);
        kdl_tensor_print(it.tensor, stdout);
    }
}

static kdl_module *new_net(kdl_context *ctx)
{
    return kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 3), kdl_nn_relu(ctx),
                             kdl_nn_linear(ctx, 3, 1, .bias = false));
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 0);
    kdl_module *net = new_net(ctx);
    kdl_init_ones_(kdl_parameter(net, "0.weight"));
    kdl_init_zeros_(kdl_parameter(net, "0.bias"));
    kdl_init_constant_(kdl_parameter(net, "2.weight"), 0.3);
    show(net);

    kdl_load(net, "pretrained.safetensors"); /* all of it; a name too many or too few is an error */
    show(net);

    /* A part: what is under "0." goes into the first layer of another network, which is frozen. */
    kdl_module *other = new_net(ctx);
    kdl_state_dict *file = kdl_state_dict_open(ctx, "pretrained.safetensors");
    kdl_state_dict *first = kdl_state_dict_part(file, "0.");
    kdl_load_state_dict(kdl_child(other, 0), first);
    kdl_module_requires_grad_(kdl_child(other, 0), false);
    show(other);

    if (kdl_error_status(ctx))
        fprintf(stderr, "%s\n", kdl_error_message(ctx));
    kdl_state_dict_release(first);
    kdl_state_dict_release(file);
    kdl_module_release(other);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
