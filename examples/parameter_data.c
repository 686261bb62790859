/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parameter and its data: the same elements, with gradients and without. Twin: parameter_data.py.
 */
#include <stdio.h>
#include <kindling/kindling.h>

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    const float values[] = { 1, 2, 3 };

    /* nn.Parameter(torch.tensor([1., 2., 3.])): it takes over the tensor that it is given. */
    kdl_tensor *param = kdl_parameter_new(kdl_tensor_from_data(ctx, KDL_F32, KDL_SHAPE(3), values));
    kdl_tensor_print(param, stdout);

    /* param.data is param.detach(): no copy, so what is written there is seen here. */
    kdl_tensor *data = kdl_detach(param);
    kdl_tensor_print(data, stdout);
    kdl_mul_(data, 10);
    kdl_tensor_print(param, stdout);

    kdl_requires_grad_(param, false); /* frozen */
    kdl_tensor_print(param, stdout);

    kdl_tensor_release(data);
    kdl_tensor_release(param);
    kdl_context_release(ctx);
    return 0;
}
