/* SPDX-License-Identifier: Apache-2.0 */
/* Elements in other places: flip, roll, tile, tril, triu. */
#include <string.h>

#include "autograd/lines.h"
#include "kindling/indexing.h"
#include "kindling/math.h"

/* ---- flip, roll --------------------------------------------------------------------------- */

/* n - 1, ..., 0. */
static kdl_tensor *backwards(kdl_context *ctx, int64_t n)
{
    kdl_tensor *indices = kdl__new_values(ctx, KDL_I64, 1, &n);
    for (int64_t i = 0; indices && i < n; i++)
        ((int64_t *)indices->storage->data)[i] = n - 1 - i;
    return indices;
}

kdl_tensor *kdl_flip(kdl_tensor *tensor, int count, const int *dims)
{
    uint32_t mask = 0;
    if (kdl__refuses(tensor) || !kdl__dims_mask(tensor, count, dims, &mask))
        return NULL;
    kdl_tensor *result = kdl_clone(tensor);
    for (int d = 0; result && d < tensor->ndim; d++) {
        if (!(mask >> d & 1))
            continue;
        kdl_tensor *indices = backwards(tensor->ctx, tensor->dims[d]);
        kdl_tensor *turned = indices ? kdl_index_select(result, d, indices) : NULL;
        kdl_tensor_release(indices);
        kdl_tensor_release(result);
        result = turned;
    }
    return kdl__named(result, "FlipBackward0");
}

kdl_tensor *kdl_roll(kdl_tensor *tensor, int64_t shift, int dim)
{
    if (kdl__refuses(tensor) || (dim = kdl__dim_of(tensor, dim)) < 0)
        return NULL;
    int64_t size = tensor->ndim ? tensor->dims[dim] : 0;
    if (size == 0)
        return kdl_clone(tensor);
    shift = (shift % size + size) % size;
    kdl__scope scope = { 0 };
    kdl_tensor *parts[] = { kdl__hold(&scope, kdl_narrow(tensor, dim, size - shift, shift)),
                            kdl__hold(&scope, kdl_narrow(tensor, dim, 0, size - shift)) };
    kdl_tensor *result = kdl__failed(tensor->ctx) ? NULL : kdl_cat(parts, 2, dim);
    return kdl__named(kdl__close(&scope, result), "RollBackward0");
}

/* ---- tile --------------------------------------------------------------------------------- */

/* The tensor `times` times along `dim`. */
static kdl_tensor *repeat_dim(kdl_tensor *tensor, int dim, int64_t times)
{
    kdl__scope scope = { 0 };
    kdl_tensor *apart = kdl__hold(&scope, kdl_unsqueeze(tensor, dim));
    kdl_shape shape = kdl_tensor_shape(tensor), wide = shape;
    if (!apart)
        return kdl__close(&scope, NULL);
    wide.ndim++;
    memmove(wide.sizes + dim + 1, shape.sizes + dim, (size_t)(shape.ndim - dim) * sizeof(int64_t));
    wide.sizes[dim] = times;
    kdl_tensor *often = kdl__hold(&scope, kdl_expand(apart, wide));
    kdl_tensor *rows = kdl__hold(&scope, often ? kdl_clone(often) : NULL);
    shape.sizes[dim] *= times; /* which is no larger than what was just made */
    return kdl__close(&scope, rows ? kdl_reshape(rows, shape) : NULL);
}

kdl_tensor *kdl_tile(kdl_tensor *tensor, kdl_shape repeats)
{
    if (kdl__refuses(tensor))
        return NULL;
    kdl_context *ctx = tensor->ctx;
    kdl_shape shape = { .ndim = repeats.ndim > tensor->ndim ? repeats.ndim : tensor->ndim };
    int fewer = shape.ndim - tensor->ndim, missing = shape.ndim - repeats.ndim;
    memmove(repeats.sizes + missing, repeats.sizes, (size_t)repeats.ndim * sizeof(int64_t));
    for (int d = 0; d < shape.ndim && !kdl__failed(ctx); d++) {
        shape.sizes[d] = d < fewer ? 1 : tensor->dims[d - fewer];
        if (d < missing)
            repeats.sizes[d] = 1;
        else if (repeats.sizes[d] < 0)
            kdl__fail(ctx, KDL_ERROR_RUNTIME,
                      "Trying to create tensor with negative dimension %" PRId64, repeats.sizes[d]);
    }
    kdl_tensor *copy = kdl__failed(ctx) ? NULL : kdl_clone(tensor);
    kdl_tensor *result = copy ? kdl_reshape(copy, shape) : NULL;
    kdl_tensor_release(copy);
    for (int d = 0; result && d < shape.ndim; d++) {
        if (repeats.sizes[d] == 1)
            continue;
        kdl_tensor *longer = repeat_dim(result, d, repeats.sizes[d]);
        kdl_tensor_release(result);
        result = longer;
    }
    return kdl__named(result, "RepeatBackward0");
}

/* ---- tril, triu --------------------------------------------------------------------------- */

/* Where column - row is at most `diagonal`, or at least that. */
static kdl_tensor *triangle(kdl_context *ctx, const int64_t *sizes, int64_t diagonal, bool lower)
{
    kdl_tensor *mask = kdl__new_values(ctx, KDL_BOOL, 2, sizes);
    unsigned char *inside = mask ? mask->storage->data : NULL;
    for (int64_t i = 0; inside && i < sizes[0]; i++)
        for (int64_t j = 0; j < sizes[1]; j++)
            *inside++ = lower ? j - i <= diagonal : j - i >= diagonal;
    return mask;
}

static kdl_tensor *part_of(kdl_tensor *tensor, int64_t diagonal, bool lower, const char *place)
{
    if (kdl__refuses(tensor))
        return NULL;
    if (tensor->ndim < 2) {
        kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                     "%s: input tensor must have at least 2 dimensions", place + sizeof "kdl_" - 1);
        return NULL;
    }
    kdl__scope scope = { 0 };
    const int64_t *sizes = tensor->dims + tensor->ndim - 2;
    kdl_tensor *mask = kdl__hold(&scope, triangle(tensor->ctx, sizes, diagonal, lower));
    kdl_tensor *zero = kdl__hold(
        &scope,
        mask ? kdl_zeros(tensor->ctx, KDL_SCALAR_SHAPE, .dtype = tensor->storage->dtype) : NULL);
    return kdl__close(&scope, zero ? kdl_where(mask, tensor, zero) : NULL);
}

kdl_tensor *kdl_tril(kdl_tensor *tensor, int64_t diagonal)
{
    return kdl__named(part_of(tensor, diagonal, true, __func__), "TrilBackward0");
}

kdl_tensor *kdl_triu(kdl_tensor *tensor, int64_t diagonal)
{
    return kdl__named(part_of(tensor, diagonal, false, __func__), "TriuBackward0");
}
