/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and pooling, with gradients. */
#include <string.h>

#include "autograd/function.h"
#include "compute/window.h"
#include "kindling/functional.h"

/* ---- geometry ---------------------------------------------------------------------------- */

/* An int stands for as many of itself. */
static int64_t part(const kdl_shape *shape, int d)
{
    return shape->ndim > 0 ? shape->sizes[d] : shape->sizes[0];
}

/* Where dimension d of nd lies among a window's three. */
static int slot(int nd, int d)
{
    return 3 - nd + d;
}

static void set_dim(kdl__window *w, int at, int64_t input, int64_t kernel, int64_t stride,
                    int64_t padding, int64_t dilation)
{
    w->input[at] = input;
    w->kernel[at] = kernel;
    w->stride[at] = stride;
    w->padding[at] = padding;
    w->dilation[at] = dilation;
}

static void clear_window(kdl__window *w)
{
    for (int at = 0; at < 3; at++) {
        set_dim(w, at, 1, 1, 1, 0, 1);
        w->output[at] = 1;
    }
}

/* The input with a batch's dimension in front, if it has none, row-major. One reference. */
static kdl_tensor *batched(kdl_tensor *input, int nd, const char *place)
{
    kdl_tensor *x = kdl__operand(input, place);
    if (x && x->ndim != nd + 1 && x->ndim != nd + 2) {
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected %dD (unbatched) or %dD (batched) input, but got input of size: %s",
                     nd + 1, nd + 2, kdl__shape_text(x->ndim, x->dims).chars);
        kdl_tensor_release(x);
        return NULL;
    }
    kdl_tensor *wide = x && x->ndim == nd + 1 ? kdl_unsqueeze(x, 0) : kdl_tensor_retain(x);
    kdl_tensor *result = wide ? kdl_contiguous(wide) : NULL;
    kdl_tensor_release(x);
    kdl_tensor_release(wide);
    return result && kdl_tensor_data(result) ? result : NULL;
}

/* Without the batch's dimension where the input had none, in its dtype. Consumes `result`. */
static kdl_tensor *unbatched(kdl_tensor *result, const kdl_tensor *input, int nd)
{
    if (result && input->ndim == nd + 1) {
        kdl_tensor *narrow = kdl_squeeze(result, 0);
        kdl_tensor_release(result);
        result = narrow;
    }
    return kdl__cast(result, input->storage->dtype);
}

/* ---- convolution ------------------------------------------------------------------------- */

/* What a convolution's function keeps besides tensors; in kdl__function's `own`. */
typedef struct conv_call {
    kdl__window window;
    int64_t groups;
} conv_call;

static kdl_shape shape_of(const kdl__edge *edge)
{
    kdl_shape shape = { .ndim = edge->ndim };
    memcpy(shape.sizes, edge->sizes, (size_t)edge->ndim * sizeof *edge->sizes);
    return shape;
}

static void conv_backward(kdl__function *function, kdl_tensor *grad)
{
    const conv_call *call = function->own;
    kdl_tensor *input = kdl__saved_value(function, 0), *weight = kdl__saved_value(function, 1);
    kdl_tensor *g = input && weight ? kdl_contiguous(grad) : NULL;
    if (g && kdl__needs(function, 0))
        kdl__give(function, 0,
                  kdl__compute_conv_input_grad(g, weight, &call->window, call->groups,
                                               shape_of(&function->edges[0])));
    if (g && kdl__needs(function, 1))
        kdl__give(function, 1,
                  kdl__compute_conv_weight_grad(g, input, &call->window, call->groups,
                                                shape_of(&function->edges[1])));
    if (g && function->count > 2 && kdl__needs(function, 2))
        kdl__give(function, 2, kdl__compute_sum(g, UINT32_MAX & ~2U, false));
    kdl_tensor_release(g);
}

static const kdl__function_class conv_class = { "ConvolutionBackward0", conv_backward };

/* Padding 'same': as much before as behind, and one more behind where it is odd. */
static int64_t padding_before(const kdl_f_conv_options *o, int d, int64_t reach, int64_t *both)
{
    int64_t padding = part(&o->paddings, d);
    if (padding == KDL_PADDING_SAME) {
        *both = reach - 1;
        return *both / 2;
    }
    if (padding == KDL_PADDING_VALID)
        padding = 0;
    *both = 2 * padding;
    return padding;
}

static bool set_window(const kdl_tensor *x, const kdl_tensor *weight, int nd,
                       const kdl_f_conv_options *o, conv_call *call, kdl_shape *shape)
{
    clear_window(&call->window);
    call->groups = o->groups;
    *shape = (kdl_shape){ .sizes = { x->dims[0], weight->dims[0] }, .ndim = nd + 2 };
    for (int d = 0; d < nd; d++) {
        int64_t kernel = weight->dims[2 + d], size = x->dims[2 + d], both;
        int64_t stride = part(&o->strides, d), dilation = part(&o->dilations, d);
        int64_t reach = dilation * (kernel - 1) + 1, before = padding_before(o, d, reach, &both);
        if (stride < 1 || dilation < 1 || before < 0 || size + both < reach) {
            kdl__fail_at(x->ctx, "kdl_f_conv", KDL_ERROR_RUNTIME,
                         "Calculated padded input size per channel: (%" PRId64 "). Kernel size: "
                         "(%" PRId64 "). Kernel size can't be greater than actual input size, and "
                         "stride, dilation and padding must not be negative",
                         size + both, reach);
            return false;
        }
        int at = slot(nd, d);
        set_dim(&call->window, at, size, kernel, stride, before, dilation);
        shape->sizes[2 + d] = call->window.output[at] = (size + both - reach) / stride + 1;
    }
    return true;
}

static bool check_conv(const kdl_tensor *x, const kdl_tensor *weight, int nd,
                       const kdl_f_conv_options *o)
{
    kdl_context *ctx = x->ctx;
    if (weight->ndim != nd + 2)
        kdl__fail_at(ctx, "kdl_f_conv", KDL_ERROR_RUNTIME,
                     "expected a weight of %d dimensions, but got one of size %s", nd + 2,
                     kdl__shape_text(weight->ndim, weight->dims).chars);
    else if (o->groups < 1 || weight->dims[0] % o->groups)
        kdl__fail_at(ctx, "kdl_f_conv", KDL_ERROR_RUNTIME,
                     "Given groups=%" PRId64 ", expected weight to be divisible by it at "
                     "dimension 0, but got weight of size %s instead",
                     o->groups, kdl__shape_text(weight->ndim, weight->dims).chars);
    else if (x->dims[1] != weight->dims[1] * o->groups)
        kdl__fail_at(ctx, "kdl_f_conv", KDL_ERROR_RUNTIME,
                     "Given groups=%" PRId64 ", weight of size %s, expected input%s to have "
                     "%" PRId64 " channels, but got %" PRId64 " channels instead",
                     o->groups, kdl__shape_text(weight->ndim, weight->dims).chars,
                     kdl__shape_text(x->ndim, x->dims).chars, weight->dims[1] * o->groups,
                     x->dims[1]);
    return !kdl__failed(ctx);
}

/* A row-major operand in the dtype that is computed in. One reference; NULL for NULL. */
static kdl_tensor *row_major(kdl_tensor *tensor)
{
    kdl_tensor *wide = tensor ? kdl__operand(tensor, "kdl_f_conv") : NULL;
    kdl_tensor *result = wide ? kdl_contiguous(wide) : NULL;
    kdl_tensor_release(wide);
    return result && kdl_tensor_data(result) ? result : NULL;
}

kdl_tensor *kdl_f_conv_with(int nd, kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                            const kdl_f_conv_options *given)
{
    kdl_f_conv_options options = KDL_F_CONV_DEFAULTS;
    kdl_tensor *both[] = { input, weight };
    if (!kdl__usable("kdl_f_conv", 2, both) ||
        !kdl__read_options(input->ctx, "kdl_f_conv", &options, sizeof options, given))
        return NULL;
    kdl_tensor *x = batched(input, nd, "kdl_f_conv"), *w = row_major(weight), *b = row_major(bias);
    kdl_tensor *result = NULL;
    conv_call call;
    kdl_shape shape;
    if (x && w && !kdl__failed(x->ctx) && check_conv(x, w, nd, &options) &&
        set_window(x, w, nd, &options, &call, &shape)) {
        result = kdl__compute_conv(x, w, b, &call.window, call.groups, shape);
        kdl__function *function = kdl__record(result, &conv_class, b ? 3 : 2, x, w, b);
        kdl__keep(function, &call, sizeof call);
        kdl__save(function, 0, x);
        kdl__save(function, 1, w);
    }
    kdl_tensor_release(x);
    kdl_tensor_release(w);
    kdl_tensor_release(b);
    return unbatched(result, input, nd);
}

/* ---- pooling ----------------------------------------------------------------------------- */

typedef struct pool_call {
    kdl__window window;
    kdl__average average;
} pool_call;

static void max_pool_backward(kdl__function *function, kdl_tensor *grad)
{
    const pool_call *call = function->own;
    kdl_tensor *indices = kdl__saved_value(function, 0);
    kdl_tensor *g = indices ? kdl_contiguous(grad) : NULL;
    if (g)
        kdl__give(function, 0,
                  kdl__compute_max_pool_grad(g, indices, shape_of(&function->edges[0]),
                                             kdl__volume(call->window.input)));
    kdl_tensor_release(g);
}

static void avg_pool_backward(kdl__function *function, kdl_tensor *grad)
{
    const pool_call *call = function->own;
    kdl_tensor *g = kdl_contiguous(grad);
    if (g)
        kdl__give(function, 0,
                  kdl__compute_avg_pool_grad(g, &call->window, &call->average,
                                             shape_of(&function->edges[0])));
    kdl_tensor_release(g);
}

static const kdl__function_class max_pool_class = { "MaxPoolBackward0", max_pool_backward };
static const kdl__function_class avg_pool_class = { "AvgPoolBackward0", avg_pool_backward };

/* PyTorch's pooling_output_shape: the last window begins in the input or the padding before it. */
static int64_t pooled_size(int64_t size, int64_t reach, int64_t padding, int64_t stride, bool ceil)
{
    int64_t room = size + 2 * padding - reach + (ceil ? stride - 1 : 0);
    if (room < 0)
        return 0;
    int64_t count = room / stride + 1;
    return ceil && (count - 1) * stride >= size + padding ? count - 1 : count;
}

static bool set_pool(const kdl_tensor *x, int nd, const kdl_shape *kernels,
                     const kdl_f_pool_options *o, pool_call *call, kdl_shape *shape)
{
    clear_window(&call->window);
    *shape = (kdl_shape){ .sizes = { x->dims[0], x->dims[1] }, .ndim = nd + 2 };
    for (int d = 0; d < nd; d++) {
        int64_t kernel = part(kernels, d), dilation = part(&o->dilations, d);
        int64_t padding = part(&o->paddings, d), size = x->dims[2 + d];
        int64_t stride = part(&o->strides, d);
        if (stride == KDL_NONE_INT)
            stride = kernel;
        int64_t reach = dilation * (kernel - 1) + 1, at = slot(nd, d);
        if (kernel < 1 || stride < 1 || dilation < 1 || padding < 0 || padding > reach / 2) {
            kdl__fail_at(x->ctx, "kdl_f_pool", KDL_ERROR_RUNTIME,
                         "pad should be at most half of effective kernel size, but got pad=%" PRId64
                         ", kernel_size=%" PRId64 " and dilation=%" PRId64 ", stride=%" PRId64,
                         padding, kernel, dilation, stride);
            return false;
        }
        set_dim(&call->window, (int)at, size, kernel, stride, padding, dilation);
        call->average.behind[at] = padding;
        shape->sizes[2 + d] = call->window.output[at] =
            pooled_size(size, reach, padding, stride, o->ceil_mode);
        if (shape->sizes[2 + d] < 1) {
            kdl__fail_at(x->ctx, "kdl_f_pool", KDL_ERROR_RUNTIME,
                         "Given input size: %s. Output size is too small",
                         kdl__shape_text(x->ndim, x->dims).chars);
            return false;
        }
    }
    return true;
}

kdl_tensor *kdl_f_max_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                const kdl_f_pool_options *given)
{
    kdl_f_pool_options options = KDL_F_POOL_DEFAULTS;
    kdl_tensor *x = batched(input, nd, "kdl_f_max_pool"), *result = NULL, *indices = NULL;
    pool_call call = { .average = { .count_include_pad = true } };
    kdl_shape shape;
    if (x && kdl__read_options(x->ctx, "kdl_f_max_pool", &options, sizeof options, given) &&
        set_pool(x, nd, &kernel_size, &options, &call, &shape) &&
        !kdl__compute_max_pool(x, &call.window, shape, &result, &indices)) {
        kdl__function *function = kdl__record(result, &max_pool_class, 1, x);
        kdl__keep(function, &call, sizeof call);
        kdl__save(function, 0, indices);
    }
    kdl_tensor_release(x);
    kdl_tensor_release(indices);
    return result ? unbatched(result, input, nd) : NULL;
}

static kdl_tensor *average(kdl_tensor *x, const pool_call *call, kdl_shape shape)
{
    kdl_tensor *result = kdl__compute_avg_pool(x, &call->window, &call->average, shape);
    kdl__keep(kdl__record(result, &avg_pool_class, 1, x), call, sizeof *call);
    return result;
}

kdl_tensor *kdl_f_avg_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                const kdl_f_pool_options *given)
{
    kdl_f_pool_options options = KDL_F_POOL_DEFAULTS;
    kdl_tensor *x = batched(input, nd, "kdl_f_avg_pool"), *result = NULL;
    pool_call call = { 0 };
    kdl_shape shape;
    if (x && kdl__read_options(x->ctx, "kdl_f_avg_pool", &options, sizeof options, given)) {
        call.average.count_include_pad = options.count_include_pad;
        call.average.divisor =
            options.divisor_override == KDL_NONE_INT ? 0 : options.divisor_override;
        if (set_pool(x, nd, &kernel_size, &options, &call, &shape))
            result = average(x, &call, shape);
    }
    kdl_tensor_release(x);
    return result ? unbatched(result, input, nd) : NULL;
}

kdl_tensor *kdl_f_adaptive_avg_pool(int nd, kdl_tensor *input, kdl_shape output_size)
{
    kdl_tensor *x = batched(input, nd, __func__), *result = NULL;
    pool_call call = { .average = { .adaptive = true } };
    if (x) {
        kdl_shape shape = { .sizes = { x->dims[0], x->dims[1] }, .ndim = nd + 2 };
        clear_window(&call.window);
        for (int d = 0; d < nd; d++) {
            int64_t size = part(&output_size, d), at = slot(nd, d);
            call.window.input[at] = x->dims[2 + d];
            shape.sizes[2 + d] = call.window.output[at] =
                size == KDL_NONE_INT ? x->dims[2 + d] : size;
        }
        result = average(x, &call, shape);
    }
    kdl_tensor_release(x);
    return result ? unbatched(result, input, nd) : NULL;
}
