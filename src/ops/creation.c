/* SPDX-License-Identifier: Apache-2.0 */
/* torch.empty, zeros, full, rand and the others: a storage, and the op that fills it. */
#include <string.h>

#include "ops/ops.h"

static const kdl_tensor_options default_options = KDL_TENSOR_DEFAULTS;

/* torch.empty_strided of dense strides (NULL: row-major). */
static kdl_tensor *empty_strided(kdl_context *ctx, kdl_dtype dtype, const kdl_shape *shape,
                                 const int64_t *strides)
{
    int64_t numel;
    if (kdl__failed(ctx))
        return NULL;
    if (kdl_dtype_nbytes(dtype) == 0) {
        kdl__fail_at(ctx, "kdl_empty", KDL_ERROR_TYPE, "%d is no dtype", (int)dtype);
        return NULL;
    }
    if (!kdl__shape_numel(ctx, shape->ndim, shape->sizes, &numel))
        return NULL;
    kdl__storage *storage = kdl__storage_new_empty(ctx, dtype, numel);
    if (!storage)
        return NULL;
    kdl_tensor *tensor = kdl__tensor_new(ctx, storage, 0, shape->ndim, shape->sizes, strides);
    kdl__storage_release(storage);
    return tensor;
}

kdl_tensor *kdl__empty(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options)
{
    return empty_strided(ctx, options->dtype, &shape, NULL);
}

kdl_tensor *kdl__created(kdl_tensor *tensor, kdl_status status, bool requires_grad,
                         const char *place)
{
    if (tensor && !status && requires_grad && !kdl_dtype_is_floating_point(tensor->storage->dtype))
        status = kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                              "Only Tensors of floating point and complex dtype can require "
                              "gradients");
    if (tensor && status) {
        kdl_tensor_release(tensor);
        return NULL;
    }
    if (tensor)
        tensor->requires_grad = requires_grad;
    return tensor;
}

kdl_tensor *kdl_empty_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options)
{
    if (!options)
        options = &default_options;
    return kdl__created(kdl__empty(ctx, shape, options), KDL_OK, options->requires_grad,
                        "kdl_empty");
}

kdl_tensor *kdl_full_with(kdl_context *ctx, kdl_shape shape, double value,
                          const kdl_tensor_options *options)
{
    if (!options)
        options = &default_options;
    kdl_tensor *tensor = kdl__empty(ctx, shape, options);
    return kdl__created(tensor, kdl_fill_(tensor, value), options->requires_grad, "kdl_full");
}

kdl_tensor *kdl_zeros_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options)
{
    for (int d = 0; d < shape.ndim && !kdl__failed(ctx); d++)
        if (shape.sizes[d] < 0)
            kdl__fail_at(ctx, "kdl_zeros", KDL_ERROR_RUNTIME,
                         "zeros: Dimension size must be non-negative.");
    return kdl_full_with(ctx, shape, 0, options);
}

kdl_tensor *kdl_ones_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options)
{
    return kdl_full_with(ctx, shape, 1, options);
}

static kdl_tensor *random_tensor(kdl_context *ctx, kdl_shape shape, const kdl__fill *fill,
                                 const kdl_tensor_options *options, const char *place)
{
    if (!options)
        options = &default_options;
    kdl_tensor *tensor = kdl__empty(ctx, shape, options);
    kdl_status status = kdl__random_fill(tensor, fill, options->generator, place);
    return kdl__created(tensor, status, options->requires_grad, place);
}

kdl_tensor *kdl_rand_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options)
{
    kdl__fill fill = { .distribution = KDL__UNIFORM, .a = 0, .b = 1 };
    return random_tensor(ctx, shape, &fill, options, "kdl_rand");
}

kdl_tensor *kdl_randn_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options)
{
    kdl__fill fill = { .distribution = KDL__NORMAL, .a = 0, .b = 1 };
    return random_tensor(ctx, shape, &fill, options, "kdl_randn");
}

kdl_tensor *kdl_randint_with(kdl_context *ctx, int64_t low, int64_t high, kdl_shape shape,
                             const kdl_tensor_options *options)
{
    static const kdl_tensor_options defaults = KDL_TENSOR_INT_DEFAULTS;
    if (!options)
        options = &defaults;
    kdl_tensor *tensor = kdl__empty(ctx, shape, options);
    static const char place[] = "kdl_randint";
    kdl_status status = kdl__random_range(tensor, low, high, options->generator, place);
    return kdl__created(tensor, status, options->requires_grad, place);
}

/* ---- like another tensor ----------------------------------------------------------------- */

kdl_tensor *kdl__empty_like(kdl_tensor *tensor, kdl_dtype dtype)
{
    int64_t strides[KDL_MAX_DIMS];
    kdl_shape shape = kdl_tensor_shape(tensor);
    kdl__shape_strides_like(tensor->ndim, tensor->dims, tensor->strides, strides);
    return empty_strided(tensor->ctx, dtype, &shape, strides);
}

kdl_tensor *kdl_empty_like(kdl_tensor *tensor)
{
    return kdl__refuses(tensor) ? NULL : kdl__empty_like(tensor, kdl_tensor_dtype(tensor));
}

kdl_tensor *kdl_full_like(kdl_tensor *tensor, double value)
{
    kdl_tensor *like = kdl_empty_like(tensor);
    return kdl__created(like, kdl_fill_(like, value), false, "kdl_full_like");
}

kdl_tensor *kdl_zeros_like(kdl_tensor *tensor)
{
    return kdl_full_like(tensor, 0);
}

kdl_tensor *kdl_ones_like(kdl_tensor *tensor)
{
    return kdl_full_like(tensor, 1);
}

static kdl_tensor *random_like(kdl_tensor *tensor, kdl__distribution distribution,
                               const char *place)
{
    kdl__fill fill = { .distribution = distribution, .a = 0, .b = 1 };
    kdl_tensor *like = kdl_empty_like(tensor);
    return kdl__created(like, kdl__random_fill(like, &fill, NULL, place), false, place);
}

kdl_tensor *kdl_rand_like(kdl_tensor *tensor)
{
    return random_like(tensor, KDL__UNIFORM, "kdl_rand_like");
}

kdl_tensor *kdl_randn_like(kdl_tensor *tensor)
{
    return random_like(tensor, KDL__NORMAL, "kdl_randn_like");
}

/* ---- from data --------------------------------------------------------------------------- */

kdl_tensor *kdl_tensor_from_data(kdl_context *ctx, kdl_dtype dtype, kdl_shape shape,
                                 const void *data)
{
    if (kdl__failed(ctx))
        return NULL;
    int64_t numel;
    if (!kdl__shape_numel(ctx, shape.ndim, shape.sizes, &numel))
        return NULL;
    kdl__storage *storage = kdl__storage_new(ctx, dtype, numel);
    if (!storage)
        return NULL;
    memcpy(storage->data, data, (size_t)numel * kdl_dtype_nbytes(dtype));
    kdl_tensor *tensor = kdl__tensor_new(ctx, storage, 0, shape.ndim, shape.sizes, NULL);
    kdl__storage_release(storage);
    return tensor;
}

kdl_tensor *kdl_reshape(kdl_tensor *tensor, kdl_shape shape)
{
    if (kdl__refuses(tensor))
        return NULL;
    int64_t strides[KDL_MAX_DIMS];
    if (!kdl__view_sizes(tensor->ctx, &shape, tensor->numel, shape.sizes))
        return NULL;
    if (kdl__view_strides(tensor, shape.ndim, shape.sizes, strides))
        return kdl_view(tensor, shape);
    kdl_tensor *clone = kdl__clone_row_major(tensor);
    kdl_tensor *view = clone ? kdl_view(clone, shape) : NULL;
    kdl_tensor_release(clone);
    return view;
}

kdl_tensor *kdl_flatten(kdl_tensor *tensor, int start_dim, int end_dim)
{
    if (kdl__refuses(tensor))
        return NULL;
    int start = kdl__wrap_dim(tensor->ctx, start_dim, tensor->ndim);
    int end = kdl__wrap_dim(tensor->ctx, end_dim, tensor->ndim);
    if (start < 0 || end < 0)
        return NULL;
    if (start > end) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "flatten() has invalid args: start_dim cannot come after end_dim");
        return NULL;
    }
    if (tensor->ndim == 0)
        return kdl_reshape(tensor, KDL_SHAPE(1));
    if (start == end)
        return kdl_tensor_retain(tensor);
    kdl_shape shape = kdl_tensor_shape(tensor);
    for (int d = start + 1; d <= end; d++)
        shape.sizes[start] *= tensor->dims[d];
    for (int d = end + 1; d < tensor->ndim; d++)
        shape.sizes[d - (end - start)] = tensor->dims[d];
    shape.ndim -= end - start;
    return kdl_reshape(tensor, shape);
}
