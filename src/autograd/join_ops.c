/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors put together: cat and stack, with gradients. */
#include <string.h>

#include "autograd/function.h"
#include "autograd/loss.h"
#include "kindling/functional.h"

/* ---- cat, stack -------------------------------------------------------------------------- */

/* Each input's part of the gradient; integers[0]: the dimension. */
static void cat_backward(kdl__function *function, kdl_tensor *grad)
{
    int dim = (int)function->integers[0];
    int64_t start = 0;
    for (int i = 0; i < function->count; i++) {
        int64_t size = function->edges[i].sizes[dim];
        if (kdl__needs(function, i))
            kdl__give(function, i, kdl_narrow(grad, dim, start, size));
        start += size;
    }
}

static const kdl__function_class cat_class = { "CatBackward0", cat_backward };

/* The sizes together; false, with PyTorch's error, where the others differ. */
static bool cat_sizes(kdl_tensor *const *tensors, int count, int dim, kdl_shape *shape)
{
    const kdl_tensor *first = tensors[0];
    *shape = kdl_tensor_shape(first);
    for (int i = 1; i < count; i++) {
        const kdl_tensor *tensor = tensors[i];
        if (tensor->ndim != first->ndim) {
            kdl__fail_at(first->ctx, "kdl_cat", KDL_ERROR_RUNTIME,
                         "Tensors must have same number of dimensions: got %d and %d", first->ndim,
                         tensor->ndim);
            return false;
        }
        if (tensor->storage->dtype != first->storage->dtype) {
            kdl__fail_at(first->ctx, "kdl_cat", KDL_ERROR_NOT_IMPLEMENTED,
                         "tensors of one dtype are needed, not of %s and %s",
                         kdl_dtype_name(first->storage->dtype),
                         kdl_dtype_name(tensor->storage->dtype));
            return false;
        }
        for (int d = 0; d < first->ndim; d++) {
            if (d != dim && tensor->dims[d] != first->dims[d]) {
                kdl__fail_at(first->ctx, "kdl_cat", KDL_ERROR_RUNTIME,
                             "Sizes of tensors must match except in dimension %d. Expected size "
                             "%" PRId64 " but got size %" PRId64 " for tensor number %d in the "
                             "list.",
                             dim, first->dims[d], tensor->dims[d], i);
                return false;
            }
        }
        shape->sizes[dim] += tensor->dims[dim];
    }
    return true;
}

static void copy_parts(kdl_tensor *result, kdl_tensor *const *tensors, int count, int dim)
{
    const kdl__tape *tape = kdl__no_grad(result->ctx);
    int64_t start = 0;
    for (int i = 0; i < count; i++) {
        kdl_tensor *part = kdl_narrow(result, dim, start, tensors[i]->dims[dim]);
        if (part)
            kdl_copy_(part, tensors[i]);
        kdl_tensor_release(part);
        start += tensors[i]->dims[dim];
    }
    result->ctx->tape = tape;
}

kdl_tensor *kdl_cat(kdl_tensor *const *tensors, int count, int dim)
{
    if (count < 1 || !kdl__usable(__func__, count, tensors))
        return NULL;
    kdl_context *ctx = tensors[0]->ctx;
    kdl_shape shape;
    if (tensors[0]->ndim == 0) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "zero-dimensional tensor (at position 0) cannot be concatenated");
        return NULL;
    }
    dim = kdl__wrap_dim(ctx, dim, tensors[0]->ndim);
    if (dim < 0 || !cat_sizes(tensors, count, dim, &shape))
        return NULL;
    kdl_tensor *result = kdl__new_values(ctx, tensors[0]->storage->dtype, shape.ndim, shape.sizes);
    if (result)
        copy_parts(result, tensors, count, dim);
    kdl__function *function = kdl__record_list(result, &cat_class, count, tensors);
    if (function)
        function->integers[0] = dim;
    return result;
}

static bool check_stack(kdl_tensor *const *tensors, int count)
{
    const kdl_tensor *first = tensors[0];
    for (int i = 1; i < count; i++) {
        if (kdl__same_sizes(first, tensors[i]))
            continue;
        kdl__fail_at(first->ctx, "kdl_stack", KDL_ERROR_RUNTIME,
                     "stack expects each tensor to be equal size, but got %s at entry 0 and %s at "
                     "entry %d",
                     kdl__shape_text(first->ndim, first->dims).chars,
                     kdl__shape_text(tensors[i]->ndim, tensors[i]->dims).chars, i);
        return false;
    }
    return true;
}

kdl_tensor *kdl_stack(kdl_tensor *const *tensors, int count, int dim)
{
    if (count < 1 || !kdl__usable(__func__, count, tensors))
        return NULL;
    kdl_context *ctx = tensors[0]->ctx;
    dim = kdl__wrap_dim(ctx, dim, tensors[0]->ndim + 1);
    if (dim < 0 || !check_stack(tensors, count))
        return NULL;
    kdl_tensor **wide = kdl__alloc_zeroed(ctx, (size_t)count, sizeof *wide);
    for (int i = 0; wide && i < count && !kdl__failed(ctx); i++)
        wide[i] = kdl_unsqueeze(tensors[i], dim);
    kdl_tensor *result = wide && !kdl__failed(ctx) ? kdl_cat(wide, count, dim) : NULL;
    for (int i = 0; wide && i < count; i++)
        kdl_tensor_release(wide[i]);
    kdl_free(ctx, wide);
    return result;
}
