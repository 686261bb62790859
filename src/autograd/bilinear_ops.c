/* SPDX-License-Identifier: Apache-2.0 */
/* Bilinear forms, with gradients: made of products that have theirs. */
#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

static bool check_bilinear(kdl_tensor *a, kdl_tensor *b, kdl_tensor *weight, kdl_tensor *bias)
{
    kdl_tensor *all[] = { a, b, weight, bias };
    const char *place = "kdl_f_bilinear";
    if (!kdl__usable(place, bias ? 4 : 3, all))
        return false;
    kdl_context *ctx = a->ctx;
    for (int i = 1; i < (bias ? 4 : 3); i++)
        if (all[i]->storage->dtype != a->storage->dtype) {
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                         "All tensors must have the same dtype, got input1: %s, input2: %s, "
                         "weight: %s%s%s",
                         kdl__dtype_cpp_name(a->storage->dtype),
                         kdl__dtype_cpp_name(b->storage->dtype),
                         kdl__dtype_cpp_name(weight->storage->dtype), bias ? ", bias: " : "",
                         bias ? kdl__dtype_cpp_name(bias->storage->dtype) : "");
            return false;
        }
    if (weight->ndim != 3 || a->ndim < 1 || (bias && bias->ndim != 1))
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "a weight of 3 dimensions, inputs of at least 1 and a bias of 1 are needed");
    else if (a->ndim != b->ndim)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "bilinear(): input dimensions do not match: got %d and %d", a->ndim, b->ndim);
    for (int d = 0; d < a->ndim - 1 && !kdl__failed(ctx); d++)
        if (a->dims[d] != b->dims[d])
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                         "bilinear(): input batch dimensions do not match at dim %d: got %" PRId64
                         " and %" PRId64,
                         d, a->dims[d], b->dims[d]);
    for (int i = 0; i < 2 && !kdl__failed(ctx); i++)
        if (all[i]->dims[a->ndim - 1] != weight->dims[1 + i])
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                         "bilinear(): input%d size does not match weight size: got %" PRId64
                         " but expected %" PRId64,
                         i + 1, all[i]->dims[a->ndim - 1], weight->dims[1 + i]);
    if (bias && !kdl__failed(ctx) && bias->dims[0] != weight->dims[0])
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "bilinear(): bias size does not match weight size: got %" PRId64
                     " but expected %" PRId64,
                     bias->dims[0], weight->dims[0]);
    return !kdl__failed(ctx);
}

/* (*, I) weight (O, I, J) as (O, *, J), times the other input, summed: (O, *), then turned. */
kdl_tensor *kdl_f_bilinear(kdl_tensor *input1, kdl_tensor *input2, kdl_tensor *weight,
                           kdl_tensor *bias)
{
    kdl__scope scope = { 0 };
    if (!check_bilinear(input1, input2, weight, bias))
        return NULL;
    kdl_shape sizes = kdl_tensor_shape(input1);
    int64_t rows = 1;
    for (int d = 0; d < sizes.ndim - 1; d++)
        rows *= sizes.sizes[d];
    sizes.sizes[sizes.ndim - 1] = weight->dims[0];
    kdl_tensor *a = kdl__hold(&scope, kdl_reshape(input1, KDL_SHAPE(rows, weight->dims[1])));
    kdl_tensor *b = kdl__hold(&scope, kdl_reshape(input2, KDL_SHAPE(rows, weight->dims[2])));
    kdl_tensor *half = kdl__hold(&scope, kdl_matmul(a, weight));
    kdl_tensor *product = kdl__hold(&scope, kdl_mul_tensor(half, b));
    kdl_tensor *sum = kdl__hold(&scope, kdl_sum_dim(product, -1, false));
    kdl_tensor *values = kdl__hold(&scope, kdl_transpose(sum, 0, 1));
    if (bias)
        values = kdl__hold(&scope, kdl_add_tensor(values, bias));
    return kdl__close(&scope, kdl_reshape(values, sizes));
}
