/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What torch.nn.init raises. A failed call leaves its error in the context, where it stays until it
 * is cleared; until then other calls do nothing. Its twin is init_errors.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

/*
 * kdl_init_FUNCTION ARGUMENTS of w = torch.empty(SHAPE): what is raised, which is then forgotten.
 */
#define RAISES(shape, function, arguments)                                                         \
    do {                                                                                           \
        kdl_tensor *w = kdl_empty(ctx, shape);                                                     \
        kdl_init_##function arguments;                                                             \
        printf("%s\n%s: %s\n", #function, kdl_status_name(kdl_error_status(ctx)),                  \
               kdl_error_message(ctx));                                                            \
        kdl_error_clear(ctx);                                                                      \
        kdl_tensor_release(w);                                                                     \
    } while (0)

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_shape vector = KDL_SHAPE(3), matrix = KDL_SHAPE(3, 5);
    RAISES(matrix, uniform_, (w, .a = 2, .b = 1));
    RAISES(matrix, normal_, (w, .std = -1));
    RAISES(matrix, trunc_normal_, (w, .std = 0));
    RAISES(vector, xavier_uniform_, (w));
    RAISES(vector, kaiming_normal_, (w));
    RAISES(vector, orthogonal_, (w));
    RAISES(vector, sparse_, (w, 0.4));
    RAISES(vector, eye_, (w));
    RAISES(matrix, dirac_, (w));
    RAISES(KDL_SHAPE(3, 2, 3), dirac_, (w, .groups = 2));
    RAISES(KDL_SHAPE(0, 0), xavier_normal_, (w));
    kdl_context_release(ctx);
    return 0;
}
