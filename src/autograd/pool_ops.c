/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling by windows and to a size, with gradients. */
#include <string.h>

#include "autograd/pool_ops.h"
#include "autograd/window_ops.h"
#include "kindling/functional_window.h"

/* ---- the functions ----------------------------------------------------------------------- */

/* integers[0]: how many planes there are. */
static void max_pool_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *indices = kdl__saved_value(function, 0);
    kdl_tensor *g = indices ? kdl_contiguous(grad) : NULL;
    if (g)
        kdl__give(function, 0,
                  kdl__compute_scatter(g, indices, function->integers[0],
                                       kdl__edge_shape(&function->edges[0]), true));
    kdl_tensor_release(g);
}

static void avg_pool_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *g = kdl_contiguous(grad);
    if (g)
        kdl__give(
            function, 0,
            kdl__compute_avg_pool_grad(g, function->own, kdl__edge_shape(&function->edges[0])));
    kdl_tensor_release(g);
}

static const kdl__function_class max_pool_class = { "MaxPoolBackward0", max_pool_backward };
static const kdl__function_class avg_pool_class = { "AvgPoolBackward0", avg_pool_backward };

kdl_tensor *kdl__max_pool(kdl_tensor *x, const kdl_tensor *input, const kdl__spans *spans,
                          kdl_shape shape, kdl_tensor **indices)
{
    kdl_tensor *values = NULL, *found = NULL;
    int nd = shape.ndim - 2;
    if (!kdl__compute_max_pool(x, spans, shape, &values, &found)) {
        kdl__function *function = kdl__record(values, &max_pool_class, 1, x);
        if (function)
            function->integers[0] = x->dims[0] * x->dims[1];
        kdl__save(function, 0, found);
    }
    values = kdl__unbatched(values, input, nd);
    if (indices)
        *indices =
            found && input->ndim == nd + 1 ? kdl_squeeze(found, 0) : kdl_tensor_retain(found);
    kdl_tensor_release(found);
    if (!values || kdl__failed(x->ctx)) {
        kdl_tensor_release(values);
        if (indices)
            *indices = (kdl_tensor_release(*indices), NULL);
        return NULL;
    }
    return values;
}

static kdl_tensor *average(kdl_tensor *x, const kdl_tensor *input, const kdl__spans *spans,
                           kdl_shape shape)
{
    kdl_tensor *result = kdl__compute_avg_pool(x, spans, shape);
    kdl__keep(kdl__record(result, &avg_pool_class, 1, x), spans, spans->nbytes);
    return kdl__unbatched(result, input, shape.ndim - 2);
}

/* ---- windows ----------------------------------------------------------------------------- */

/* PyTorch's pooling_output_shape: the last window begins in the input or the padding before it. */
static int64_t pooled_size(int64_t size, int64_t reach, int64_t padding, int64_t stride, bool ceil)
{
    int64_t room = size + 2 * padding - reach + (ceil ? stride - 1 : 0);
    if (room < 0)
        return 0;
    int64_t count = room / stride + 1;
    return ceil && (count - 1) * stride >= size + padding ? count - 1 : count;
}

/* Whether a pool's numbers can be; PyTorch's RuntimeErrors. */
static bool check_pool(kdl_context *ctx, int nd, const kdl_shape *kernels,
                       const kdl_f_pool_options *o, const char *place)
{
    static const char not_zero[] = "stride should not be zero";
    kdl_shape strides = o->strides;
    bool own_stride = strides.ndim > 0 || strides.sizes[0] != KDL_NONE_INT;
    if (!kdl__check_list(ctx, place, "kernel_size", kernels, nd, 1,
                         "kernel size should be greater than zero") ||
        !kdl__check_list(ctx, place, "stride", own_stride ? &strides : kernels, nd, 1, not_zero) ||
        !kdl__check_list(ctx, place, "padding", &o->paddings, nd, 0, "pad must be non-negative") ||
        !kdl__check_list(ctx, place, "dilation", &o->dilations, nd, 1,
                         "dilation should be greater than zero"))
        return false;
    for (int d = 0; d < nd; d++) {
        int64_t kernel = kdl__part(kernels, d), dilation = kdl__part(&o->dilations, d);
        int64_t padding = kdl__part(&o->paddings, d);
        if (padding > (dilation * (kernel - 1) + 1) / 2) {
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                         "pad should be at most half of effective kernel size, but got pad=%" PRId64
                         ", kernel_size=%" PRId64 " and dilation=%" PRId64,
                         padding, kernel, dilation);
            return false;
        }
    }
    return true;
}

/* The window and the output's sizes; RuntimeError (false) where one would be empty. */
static bool set_pool(const kdl_tensor *x, int nd, const kdl_shape *kernels,
                     const kdl_f_pool_options *o, const char *place, kdl__window *w,
                     kdl_shape *shape)
{
    *w = kdl__window_of_one();
    *shape = (kdl_shape){ .sizes = { x->dims[0], x->dims[1] }, .ndim = nd + 2 };
    bool fits = true;
    for (int d = 0; d < nd; d++) {
        int at = kdl__window_slot(nd, d);
        w->input[at] = x->dims[2 + d];
        w->kernel[at] = kdl__part(kernels, d);
        w->padding[at] = kdl__part(&o->paddings, d);
        w->dilation[at] = kdl__part(&o->dilations, d);
        w->stride[at] = kdl__part(&o->strides, d);
        if (w->stride[at] == KDL_NONE_INT)
            w->stride[at] = w->kernel[at];
        shape->sizes[2 + d] = w->output[at] =
            pooled_size(w->input[at], w->dilation[at] * (w->kernel[at] - 1) + 1, w->padding[at],
                        w->stride[at], o->ceil_mode);
        fits = fits && w->output[at] > 0;
    }
    if (!fits)
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "Given input size: %s. Calculated output size: %s. Output size is too small",
                     kdl__spatial_text(nd + 1, x->dims + 1, "x").chars,
                     kdl__spatial_text(nd + 1, shape->sizes + 1, "x").chars);
    return fits;
}

/* RuntimeError (false) for an input that is empty but for its batch. */
static bool check_filled(const kdl_tensor *x, const kdl_tensor *input, const char *place)
{
    int nd = x->ndim - 2;
    for (int d = 1; d < x->ndim; d++) {
        if (x->dims[d] == 0) {
            kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME, KDL__POOL_INPUT, nd + 1, nd + 2,
                         kdl__shape_text(input->ndim, input->dims).chars);
            return false;
        }
    }
    return true;
}

/* The spans of a pool over the input x; the caller frees them. */
static kdl__spans *pool_spans(const kdl_tensor *x, const kdl_tensor *input, kdl_shape kernels,
                              const kdl_f_pool_options *o, const char *place, kdl_shape *shape)
{
    int nd = x->ndim - 2;
    kdl__window w;
    if (!check_pool(x->ctx, nd, &kernels, o, place) || !check_filled(x, input, place) ||
        !set_pool(x, nd, &kernels, o, place, &w, shape))
        return NULL;
    kdl__spans *spans = kdl__spans_new(x->ctx, w.input, w.output, 0);
    if (spans)
        kdl__spans_of_window(spans, &w, w.padding, o->count_include_pad);
    return spans;
}

kdl_tensor *kdl_f_max_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                const kdl_f_pool_options *given)
{
    kdl_f_pool_options options = KDL_F_POOL_DEFAULTS;
    kdl_tensor *x = kdl__batched(input, nd, NULL, "kdl_f_max_pool"), *result = NULL;
    if (x && kdl__read_options(x->ctx, "kdl_f_max_pool", &options, sizeof options, given)) {
        kdl_shape shape;
        if (options.indices)
            *options.indices = NULL;
        kdl__spans *spans = pool_spans(x, input, kernel_size, &options, "kdl_f_max_pool", &shape);
        if (spans)
            result = kdl__max_pool(x, input, spans, shape, options.indices);
        kdl_free(x->ctx, spans);
    }
    kdl_tensor_release(x);
    return result;
}

kdl_tensor *kdl_f_avg_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                const kdl_f_pool_options *given)
{
    kdl_f_pool_options options = KDL_F_POOL_DEFAULTS;
    kdl_tensor *x = kdl__batched(input, nd, NULL, "kdl_f_avg_pool"), *result = NULL;
    if (x && kdl__read_options(x->ctx, "kdl_f_avg_pool", &options, sizeof options, given)) {
        kdl_shape shape;
        kdl__spans *spans = NULL;
        options.dilation = 1;
        options.dilations.ndim = 0;
        if (options.divisor_override == 0)
            kdl__fail_at(x->ctx, "kdl_f_avg_pool", KDL_ERROR_RUNTIME, "divisor must be not zero");
        else
            spans = pool_spans(x, input, kernel_size, &options, "kdl_f_avg_pool", &shape);
        if (spans && options.divisor_override != KDL_NONE_INT)
            spans->divisor = options.divisor_override;
        if (spans)
            result = average(x, input, spans, shape);
        kdl_free(x->ctx, spans);
    }
    kdl_tensor_release(x);
    return result;
}

/* ---- to a size --------------------------------------------------------------------------- */

/* The spans of adaptive pooling; the caller frees them. PyTorch's RuntimeErrors. */
static kdl__spans *adaptive_spans(const kdl_tensor *x, const kdl_tensor *input,
                                  const kdl_shape *sizes, const char *place, kdl_shape *shape)
{
    int nd = x->ndim - 2;
    kdl__window w = kdl__window_of_one();
    *shape = (kdl_shape){ .sizes = { x->dims[0], x->dims[1] }, .ndim = nd + 2 };
    if (!check_filled(x, input, place))
        return NULL;
    if (sizes->ndim > 0 && sizes->ndim != nd) {
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME, "output_size.size() must be %d", nd);
        return NULL;
    }
    for (int d = 0; d < nd; d++) {
        int at = kdl__window_slot(nd, d);
        int64_t size = kdl__part(sizes, d);
        w.input[at] = x->dims[2 + d];
        shape->sizes[2 + d] = w.output[at] = size == KDL_NONE_INT ? w.input[at] : size;
        if (w.output[at] < 0 || w.output[at] > INT32_MAX) {
            kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                         "elements of output_size must be greater than or equal to 0 but received "
                         "%" PRId64,
                         w.output[at]);
            return NULL;
        }
    }
    kdl__spans *spans = kdl__spans_new(x->ctx, w.input, w.output, 0);
    if (spans)
        kdl__spans_adaptive(spans);
    return spans;
}

kdl_tensor *kdl_f_adaptive_avg_pool(int nd, kdl_tensor *input, kdl_shape output_size)
{
    kdl_tensor *x = kdl__batched(input, nd, NULL, __func__), *result = NULL;
    if (x) {
        kdl_shape shape;
        kdl__spans *spans = adaptive_spans(x, input, &output_size, __func__, &shape);
        if (spans)
            result = average(x, input, spans, shape);
        kdl_free(x->ctx, spans);
    }
    kdl_tensor_release(x);
    return result;
}

kdl_tensor *kdl_f_adaptive_max_pool(int nd, kdl_tensor *input, kdl_shape output_size,
                                    kdl_tensor **indices)
{
    kdl_tensor *x = kdl__batched(input, nd, NULL, __func__), *result = NULL;
    if (indices)
        *indices = NULL;
    if (x) {
        kdl_shape shape;
        kdl__spans *spans = adaptive_spans(x, input, &output_size, __func__, &shape);
        if (spans)
            result = kdl__max_pool(x, input, spans, shape, indices);
        kdl_free(x->ctx, spans);
    }
    kdl_tensor_release(x);
    return result;
}
