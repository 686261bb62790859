/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of other pools: power averages, and the way back from max pooling. */
#include <math.h>
#include <string.h>

#include "autograd/window_ops.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- unpooling --------------------------------------------------------------------------- */

/* integers[0]: how many planes there are. */
static void unpool_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *indices = kdl__saved_value(function, 0);
    kdl_tensor *g = indices ? kdl_contiguous(grad) : NULL;
    if (g)
        kdl__give(function, 0, kdl__compute_gather(g, indices, function->integers[0]));
    kdl_tensor_release(g);
}

static const kdl__function_class unpool_class = { "MaxUnpoolBackward0", unpool_backward };

/*
 * What _unpool_output_size makes of the arguments: the output's spatial sizes. ValueError (false).
 */
static bool unpooled_sizes(const kdl_tensor *x, int nd, const kdl_shape *kernels,
                           const kdl_f_max_unpool_options *o, kdl_shape *shape)
{
    const kdl_shape *given = &o->output_size;
    int skipped = given->ndim == nd + 2 ? 2 : 0;
    *shape = (kdl_shape){ .sizes = { x->dims[0], x->dims[1] }, .ndim = nd + 2 };
    if (given->ndim > 0 && given->ndim != nd && !skipped) {
        kdl__fail_at(x->ctx, "kdl_f_max_unpool", KDL_ERROR_VALUE,
                     "output_size should be a sequence containing %d or %d elements, but it has a "
                     "length of '%d'",
                     nd, nd + 2, given->ndim);
        return false;
    }
    for (int d = 0; d < nd; d++) {
        int64_t kernel = kdl__part(kernels, d), stride = kdl__part(&o->strides, d);
        stride = stride == KDL_NONE_INT ? kernel : stride;
        int64_t size = (x->dims[2 + d] - 1) * stride + kernel - 2 * kdl__part(&o->paddings, d);
        shape->sizes[2 + d] = given->ndim > 0 ? given->sizes[skipped + d] : size;
        int64_t least = size - stride, most = size + stride;
        if (given->ndim > 0 && (shape->sizes[2 + d] <= least || shape->sizes[2 + d] >= most)) {
            kdl__fail_at(x->ctx, "kdl_f_max_unpool", KDL_ERROR_VALUE,
                         "invalid output_size \"%s\" (dim %d must be between %" PRId64 " and "
                         "%" PRId64 ")",
                         kdl__shape_text(nd, given->sizes + skipped).chars, d, least, most);
            return false;
        }
    }
    return true;
}

/* Whether the indices are the input's, and in the output's planes; PyTorch's RuntimeErrors. */
static bool check_indices(const kdl_tensor *input, kdl_tensor *indices, const kdl_shape *shape)
{
    bool same = indices->ndim == input->ndim;
    for (int d = 0; same && d < input->ndim; d++)
        same = indices->dims[d] == input->dims[d];
    int nd = shape->ndim - 2;
    if (indices->storage->dtype != KDL_I64) {
        kdl__fail_at(input->ctx, "kdl_f_max_unpool", KDL_ERROR_RUNTIME,
                     "elements in indices should be type int64 but got: %s",
                     kdl_dtype_scalar_name(indices->storage->dtype));
        return false;
    }
    if (!same) {
        kdl__fail_at(
            input->ctx, "kdl_f_max_unpool", KDL_ERROR_RUNTIME,
            "Expected shape of indices to be same as that of the input tensor (%s) but got "
            "indices tensor with shape: %s",
            kdl__shape_text(input->ndim, input->dims).chars,
            kdl__shape_text(indices->ndim, indices->dims).chars);
        return false;
    }
    int64_t volume = 1;
    for (int d = 0; d < nd; d++)
        volume *= shape->sizes[2 + d];
    const int64_t *index = kdl_tensor_data(indices);
    for (int64_t i = 0; index && i < indices->numel; i++) {
        if (index[i] < 0 || index[i] >= volume) {
            kdl__shape_chars text = kdl__spatial_text(nd, shape->sizes + 2, "x");
            kdl__fail_at(input->ctx, "kdl_f_max_unpool", KDL_ERROR_RUNTIME,
                         "Found an invalid max index: %" PRId64
                         " (output volumes are of size %.*s)",
                         index[i], (int)strlen(text.chars) - 2, text.chars + 1);
            return false;
        }
    }
    return index;
}

static bool check_unpool(kdl_context *ctx, int nd, const kdl_shape *kernels,
                         const kdl_f_max_unpool_options *o)
{
    kdl_shape strides = o->strides;
    bool own = strides.ndim > 0 || strides.sizes[0] != KDL_NONE_INT;
    return kdl__check_list(ctx, "kdl_f_max_unpool", "kernel_size", kernels, nd, 1,
                           "kernel size should be greater than zero") &&
           kdl__check_list(ctx, "kdl_f_max_unpool", "stride", own ? &strides : kernels, nd, 1,
                           "strides should be greater than zero") &&
           kdl__check_list(ctx, "kdl_f_max_unpool", "padding", &o->paddings, nd, 0,
                           "pad must be non-negative");
}

kdl_tensor *kdl_f_max_unpool_with(int nd, kdl_tensor *input, kdl_tensor *indices,
                                  kdl_shape kernel_size, const kdl_f_max_unpool_options *given)
{
    kdl_f_max_unpool_options options = KDL_F_MAX_UNPOOL_DEFAULTS;
    kdl_tensor *both[] = { input, indices }, *result = NULL;
    if (!kdl__usable("kdl_f_max_unpool", 2, both))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__batched(input, nd, NULL, "kdl_f_max_unpool"));
    kdl_tensor *places = kdl__hold(&scope, kdl_contiguous(indices));
    kdl_shape shape;
    if (x && places &&
        kdl__read_options(x->ctx, "kdl_f_max_unpool", &options, sizeof options, given) &&
        check_unpool(x->ctx, nd, &kernel_size, &options) &&
        unpooled_sizes(x, nd, &kernel_size, &options, &shape) &&
        check_indices(input, places, &shape)) {
        int64_t planes = x->dims[0] * x->dims[1];
        result = kdl__compute_scatter(x, places, planes, shape, false);
        kdl__function *function = kdl__record(result, &unpool_class, 1, x);
        kdl_tensor *kept = kdl__hold(&scope, input->ndim == nd + 1 ? kdl_unsqueeze(places, 0)
                                                                   : kdl_tensor_retain(places));
        if (function)
            function->integers[0] = planes;
        kdl__save(function, 0, kept);
    }
    return kdl__close(&scope, kdl__unbatched(result, input, nd));
}

/* ---- power averages ---------------------------------------------------------------------- */

/* sign(x) relu(|x|), whose gradient at 0 is 0, as PyTorch writes it. */
static kdl_tensor *signed_part(kdl_tensor *x)
{
    kdl__scope scope = { 0 };
    kdl_tensor *part = kdl__hold(&scope, kdl_f_relu(kdl__hold(&scope, kdl_abs(x))));
    kdl_tensor *minus = kdl__hold(&scope, kdl_neg(part));
    return kdl__close(&scope, kdl_where(kdl__hold(&scope, kdl_lt(x, 0)), minus, part));
}

/* An infinite norm: the largest magnitude, or the least. */
static kdl_tensor *extreme_pool(int nd, kdl_tensor *input, bool least, kdl_shape kernel_size,
                                const kdl_f_pool_options *options)
{
    kdl__scope scope = { 0 };
    kdl_tensor *magnitude = kdl__hold(&scope, kdl_abs(input));
    if (!least)
        return kdl__close(&scope, kdl_f_max_pool_with(nd, magnitude, kernel_size, options));
    kdl_tensor *largest =
        kdl__hold(&scope, kdl_f_max_pool_with(nd, kdl__hold(&scope, kdl_neg(magnitude)),
                                              kernel_size, options));
    return kdl__close(&scope, kdl_neg(largest));
}

kdl_tensor *kdl_f_lp_pool_with(int nd, kdl_tensor *input, double norm_type, kdl_shape kernel_size,
                               const kdl_f_pool_options *given)
{
    kdl_f_pool_options options = KDL_F_POOL_DEFAULTS, read = KDL_F_POOL_DEFAULTS;
    norm_type = kdl_number(norm_type);
    if (kdl__refuses(input) ||
        !kdl__read_options(input->ctx, "kdl_f_lp_pool", &read, sizeof read, given))
        return NULL;
    options.strides = read.strides;
    options.ceil_mode = read.ceil_mode;
    if (isinf(norm_type))
        return extreme_pool(nd, input, norm_type < 0, kernel_size, &options);
    if (norm_type == 0) {
        kdl__fail_at(input->ctx, "kdl_f_lp_pool", KDL_ERROR_ZERO_DIVISION, "division by zero");
        return NULL;
    }
    double volume = 1;
    for (int d = 0; d < nd; d++)
        volume *= (double)kdl__part(&kernel_size, d);
    kdl__scope scope = { 0 };
    kdl_tensor *power = kdl__hold(&scope, kdl_pow(input, norm_type));
    kdl_tensor *mean = kdl__hold(&scope, kdl_f_avg_pool_with(nd, power, kernel_size, &options));
    kdl_tensor *sum = kdl__hold(&scope, kdl_mul(kdl__hold(&scope, signed_part(mean)), volume));
    return kdl__close(&scope, kdl_pow(sum, 1 / norm_type));
}
