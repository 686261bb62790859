/* SPDX-License-Identifier: Apache-2.0 */
/* Built-in initialisers by the type of a module, with apply(). Its twin is init_by_type.py. */
#include <stdio.h>
#include <kindling/kindling.h>

/* type(module) == nn.Linear: exactly that class. */
static void init_normal(kdl_module *module, void *unused)
{
    (void)unused;
    if (!kdl_module_is(module, KDL_CLASS_LINEAR))
        return;
    kdl_init_normal_(kdl_parameter(module, "weight"), .mean = 0, .std = 1);
    kdl_init_zeros_(kdl_parameter(module, "bias"));
}

/* isinstance(module, nn.Linear): that class or one derived from it, such as this one. */
static const kdl_module_class scaled_linear = { .name = "ScaledLinear",
                                                .parent = KDL_CLASS_LINEAR };

static void count_linear(kdl_module *module, void *count)
{
    *(int *)count += kdl_isinstance(module, KDL_CLASS_LINEAR);
}

int main(void)
{
    static const kdl_module_class net_class = { .name = "Net" };
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 0);
    kdl_module *net = kdl_module_new(ctx, &net_class);
    kdl_add_module(net, "layers",
                   kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 3, 2), kdl_nn_relu(ctx),
                                     kdl_nn_linear(ctx, 2, 3)));
    kdl_add_module(
        net, "last",
        kdl_nn_new(ctx, &scaled_linear,
                   &(kdl_linear_options){ sizeof(kdl_linear_options), 3, 1, true, KDL_F32 }));
    kdl_apply(net, init_normal, NULL);
    int linear = 0;
    kdl_apply(net, count_linear, &linear);
    kdl_module_print(net, stdout);
    printf("%d\n", linear);
    for (kdl_iterator it = kdl_named_parameters(net); kdl_next(&it);) {
        printf("%s ", it.name);
        kdl_tensor_print(it.tensor, stdout);
    }
    if (kdl_error_status(ctx))
        fprintf(stderr, "%s\n", kdl_error_message(ctx));
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
