/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.init by itself: every function on torch.empty(3, 5), the gains, and fans.
 * What memory held before goes to stderr, since nobody knows it. Its twin is init_functions.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

static void show(const char *name, kdl_tensor *tensor)
{
    printf("%s\n", name);
    kdl_tensor_print(tensor, stdout);
    kdl_tensor_release(tensor);
}

/* kdl_init_FUNCTION ARGUMENTS of w = torch.empty(SHAPE). */
#define INIT(shape, function, arguments)                                                           \
    do {                                                                                           \
        kdl_tensor *w = kdl_empty(ctx, shape);                                                     \
        kdl_tensor_print(w, stderr);                                                               \
        kdl_init_##function arguments;                                                             \
        show(#function, w);                                                                        \
    } while (0)

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_shape matrix = KDL_SHAPE(3, 5);
    kdl_manual_seed(ctx, 42);
    INIT(matrix, uniform_, (w, .a = -1, .b = 1));
    INIT(matrix, normal_, (w, .std = 0.02));
    INIT(matrix, trunc_normal_, (w, .a = -1, .b = 1));
    INIT(matrix, constant_, (w, 0.3));
    INIT(matrix, xavier_uniform_, (w, .gain = 2));
    INIT(matrix, xavier_normal_, (w, .gain = 2));
    INIT(matrix, kaiming_uniform_, (w, .nonlinearity = KDL_NONLINEARITY_RELU));
    INIT(matrix, kaiming_normal_, (w, .mode = KDL_FAN_OUT));
    INIT(matrix, orthogonal_, (w));
    INIT(matrix, sparse_, (w, 0.4, .std = 1));
    INIT(KDL_SHAPE(4, 2, 3), dirac_, (w, .groups = 2));
    INIT(matrix, ones_, (w));
    INIT(matrix, zeros_, (w));
    INIT(matrix, eye_, (w));

    for (int i = 0; i < KDL_NONLINEARITY_COUNT; i++)
        printf("%-16s %.6f\n", kdl_nonlinearity_name((kdl_nonlinearity)i),
               kdl_init_calculate_gain(ctx, (kdl_nonlinearity)i));
    int64_t fan_in, fan_out;
    kdl_tensor *weight = kdl_empty(ctx, KDL_SHAPE(3, 48, 11, 11));
    kdl_init_calculate_fan_in_and_fan_out(weight, &fan_in, &fan_out);
    printf("fan_in %lld, fan_out %lld\n", (long long)fan_in, (long long)fan_out);
    kdl_init_kaiming_normal_(weight);
    kdl_tensor *rows = kdl_flatten(weight, 0, 2);
    show("kaiming_normal_", kdl_select(rows, 0, 0));
    kdl_tensor_release(rows);
    kdl_tensor_release(weight);
    kdl_context_release(ctx);
    return 0;
}
