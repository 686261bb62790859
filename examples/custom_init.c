/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An initialiser of one's own: uniform on -10 .. 10, and only what is 5 or more in magnitude stays.
 * Its twin is custom_init.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

static void init_custom(kdl_module *module, void *unused)
{
    (void)unused;
    if (!kdl_module_is(module, KDL_CLASS_LINEAR))
        return;
    kdl_tensor *weight = kdl_parameter(module, "weight");
    kdl_init_uniform_(weight, .a = -10, .b = 10);
    kdl_tensor *data = kdl_detach(weight), *magnitude = kdl_abs(data);
    kdl_tensor *mask = kdl_ge(magnitude, 5);
    kdl_mul_tensor_(data, mask); /* a bool tensor multiplies floats; zeros keep their sign */
    kdl_tensor_release(mask);
    kdl_tensor_release(magnitude);
    kdl_tensor_release(data);
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 0);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 3), kdl_nn_relu(ctx));
    kdl_apply(net, init_custom, NULL);
    kdl_tensor_print(kdl_parameter(net, "0.weight"), stdout);
    kdl_module_release(net);

    /*
     * The same in a plan: nothing is drawn until it is asked for, and then only what is asked for.
     */
    kdl_set_deferred(ctx, true);
    kdl_manual_seed(ctx, 0);
    net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 3), kdl_nn_relu(ctx));
    kdl_apply(net, init_custom, NULL);
    kdl_tensor *weight = kdl_parameter(net, "0.weight");
    float row[4];
    kdl_tensor_read(weight, 4, 4, row);
    printf("%d %.4f %.4f %.4f %.4f\n", kdl_tensor_is_materialized(weight), row[0], row[1], row[2],
           row[3]);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return 0;
}
