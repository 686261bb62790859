/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and those transposed, with gradients. */
#include <string.h>

#include "autograd/window_ops.h"
#include "kindling/functional_window.h"

/* What a convolution takes besides tensors, as PyTorch's function `name` does. */
typedef struct arguments {
    const char *name, *place;
    bool transposed;
    kdl_shape strides, paddings, output_paddings, dilations;
    int64_t groups;
} arguments;

/* What a convolution's function keeps besides tensors; in kdl__function's `own`. */
typedef struct conv_call {
    kdl__window window; /* a transposed one's goes from its output to its input */
    int64_t groups;
    bool transposed;
} conv_call;

/* ---- the functions ----------------------------------------------------------------------- */

static kdl_tensor *convolve(const conv_call *call, kdl_tensor *x, kdl_tensor *weight,
                            kdl_tensor *bias, kdl_shape shape)
{
    if (!call->transposed)
        return kdl__compute_conv(x, weight, bias, &call->window, call->groups, shape);
    kdl_tensor *result =
        kdl__compute_conv_input_grad(x, weight, &call->window, call->groups, shape);
    if (result && bias)
        kdl__compute_add_bias(result, bias);
    return result;
}

/* A transposed one is the gradient of an ordinary one, whose input is its output. */
static void conv_backward(kdl__function *function, kdl_tensor *grad)
{
    const conv_call *call = function->own;
    kdl_tensor *input = kdl__saved_value(function, 0), *weight = kdl__saved_value(function, 1);
    kdl_tensor *g = input && weight ? kdl_contiguous(grad) : NULL;
    if (g && kdl__needs(function, 0)) {
        conv_call back = *call;
        back.transposed = !call->transposed;
        kdl__give(function, 0,
                  convolve(&back, g, weight, NULL, kdl__edge_shape(&function->edges[0])));
    }
    if (g && kdl__needs(function, 1))
        kdl__give(function, 1,
                  kdl__compute_conv_weight_grad(
                      call->transposed ? input : g, call->transposed ? g : input, &call->window,
                      call->groups, kdl__edge_shape(&function->edges[1])));
    if (g && function->count > 2 && kdl__needs(function, 2))
        kdl__give(function, 2, kdl__compute_sum(g, UINT32_MAX & ~2U, false));
    kdl_tensor_release(g);
}

static const kdl__function_class conv_class = { "ConvolutionBackward0", conv_backward };

/* ---- checks ------------------------------------------------------------------------------ */

static bool check_arguments(kdl_context *ctx, const arguments *a, int nd)
{
    if (a->groups < 1) {
        kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME, "non-positive groups is not supported");
        return false;
    }
    kdl_shape paddings = a->paddings;
    for (int d = 0; d < nd && !a->transposed; d++)
        if (kdl__part(&paddings, d) == KDL_PADDING_SAME ||
            kdl__part(&paddings, d) == KDL_PADDING_VALID)
            paddings.sizes[d] = 0;
    return kdl__check_list(ctx, a->place, "stride", &a->strides, nd, 1,
                           "non-positive stride is not supported") &&
           kdl__check_list(ctx, a->place, "padding", &paddings, nd, 0,
                           "negative padding is not supported") &&
           kdl__check_list(ctx, a->place, "output_padding", &a->output_paddings, nd, 0,
                           "negative output_padding is not supported") &&
           kdl__check_list(ctx, a->place, "dilation", &a->dilations, nd, 1,
                           "dilation should be greater than zero");
}

/* Whether weight and bias fit to the input; PyTorch's RuntimeErrors. */
static bool check_operands(const kdl_tensor *x, const kdl_tensor *weight, const kdl_tensor *bias,
                           int nd, const arguments *a)
{
    kdl_context *ctx = x->ctx;
    if (weight->ndim != nd + 2) {
        kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                     "expected a weight of %d dimensions, but got one of size %s", nd + 2,
                     kdl__shape_text(weight->ndim, weight->dims).chars);
        return false;
    }
    kdl__shape_chars size = kdl__shape_text(weight->ndim, weight->dims);
    if (weight->dims[0] == 0) {
        kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                     "Given groups=%" PRId64 ", expected weight to be at least 1 at dimension 0, "
                     "but got weight of size %s instead",
                     a->groups, size.chars);
        return false;
    }
    for (int d = 2; d < weight->ndim; d++)
        if (weight->dims[d] == 0) {
            kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                         "kernel size should be greater than zero, but got a weight of size %s",
                         size.chars);
            return false;
        }
    int64_t inputs = a->transposed ? weight->dims[0] : weight->dims[1] * a->groups;
    int64_t outputs = a->transposed ? weight->dims[1] * a->groups : weight->dims[0];
    if (weight->dims[0] % a->groups)
        kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                     "Given groups=%" PRId64 ", expected weight to be divisible by %" PRId64
                     " at dimension 0, but got weight of size [%s] instead",
                     a->groups, a->groups, size.chars);
    else if (x->dims[1] != inputs)
        kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                     "Given %s=%" PRId64 ", weight of size %s, expected input%s to have "
                     "%" PRId64 " channels, but got %" PRId64 " channels instead",
                     a->transposed ? "transposed" : "groups", a->transposed ? 1 : a->groups,
                     size.chars, kdl__shape_text(x->ndim, x->dims).chars, inputs, x->dims[1]);
    else if (bias && (bias->ndim != 1 || bias->dims[0] != outputs))
        kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                     "Given %sweight of size %s, expected bias to be 1-dimensional with %" PRId64
                     " elements, but got bias of size %s instead",
                     a->transposed ? "transposed=1, " : "", size.chars, outputs,
                     kdl__shape_text(bias->ndim, bias->dims).chars);
    return !kdl__failed(ctx);
}

/* RuntimeError (false) unless all that are there have the input's dtype. */
static bool check_dtypes(kdl_tensor *const *operands, int count, const char *place)
{
    kdl_dtype dtype = operands[0]->storage->dtype;
    for (int i = 1; i < count; i++) {
        if (operands[i]->storage->dtype != dtype) {
            kdl__fail_at(operands[0]->ctx, place, KDL_ERROR_RUNTIME,
                         "expected scalar type %s but found %s", kdl_dtype_scalar_name(dtype),
                         kdl_dtype_scalar_name(operands[i]->storage->dtype));
            return false;
        }
    }
    return true;
}

/* ---- geometry ---------------------------------------------------------------------------- */

/* Padding 'same': as much before as behind, and one more behind where it is odd. */
static int64_t padding_before(const arguments *a, int d, int64_t reach, int64_t *both)
{
    int64_t padding = kdl__part(&a->paddings, d);
    if (padding == KDL_PADDING_SAME) {
        *both = reach - 1;
        return *both / 2;
    }
    if (padding == KDL_PADDING_VALID)
        padding = 0;
    *both = 2 * padding;
    return padding;
}

/* The output's size along a dimension, below 1 where there is no room. */
static int64_t conv_size(const arguments *a, int d, int64_t size, int64_t reach, int64_t *before)
{
    int64_t both, stride = kdl__part(&a->strides, d);
    *before = padding_before(a, d, reach, &both);
    if (a->transposed)
        return (size - 1) * stride - both + reach + kdl__part(&a->output_paddings, d);
    return size + both < reach ? 0 : (size + both - reach) / stride + 1;
}

static bool check_same(kdl_context *ctx, const arguments *a, int nd)
{
    for (int d = 0; d < nd; d++) {
        if (kdl__part(&a->paddings, d) == KDL_PADDING_SAME && kdl__part(&a->strides, d) != 1) {
            kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                         "padding='same' is not supported for strided convolutions");
            return false;
        }
        int64_t more = kdl__part(&a->output_paddings, d);
        if (more && more >= kdl__part(&a->strides, d) && more >= kdl__part(&a->dilations, d)) {
            kdl__fail_at(ctx, a->place, KDL_ERROR_RUNTIME,
                         "output padding must be smaller than either stride or dilation, but got "
                         "output_padding: %" PRId64 " stride: %" PRId64 " dilation: %" PRId64,
                         more, kdl__part(&a->strides, d), kdl__part(&a->dilations, d));
            return false;
        }
    }
    return true;
}

static void fail_small(const kdl_tensor *x, const kdl_tensor *weight, const kdl_shape *shape,
                       const arguments *a)
{
    int nd = x->ndim - 2;
    int64_t padded[3], reaches[3];
    for (int d = 0; d < nd; d++) {
        int64_t both;
        reaches[d] = kdl__part(&a->dilations, d) * (weight->dims[2 + d] - 1) + 1;
        padding_before(a, d, reaches[d], &both);
        padded[d] = x->dims[2 + d] + both;
    }
    if (a->transposed)
        kdl__fail_at(x->ctx, a->place, KDL_ERROR_RUNTIME,
                     "Given input size per channel: %s. Calculated output size per channel: %s. "
                     "Output size is too small",
                     kdl__spatial_text(nd, x->dims + 2, " x ").chars,
                     kdl__spatial_text(nd, shape->sizes + 2, " x ").chars);
    else
        kdl__fail_at(x->ctx, a->place, KDL_ERROR_RUNTIME,
                     "Calculated padded input size per channel: %s. Kernel size: %s. Kernel size "
                     "can't be greater than actual input size",
                     kdl__spatial_text(nd, padded, " x ").chars,
                     kdl__spatial_text(nd, reaches, " x ").chars);
}

/* The window and the output's sizes. */
static bool set_conv(const kdl_tensor *x, const kdl_tensor *weight, int nd, const arguments *a,
                     conv_call *call, kdl_shape *shape)
{
    kdl__window *w = &call->window;
    *call = (conv_call){ kdl__window_of_one(), a->groups, a->transposed };
    int64_t outputs = a->transposed ? weight->dims[1] * a->groups : weight->dims[0];
    *shape = (kdl_shape){ .sizes = { x->dims[0], outputs }, .ndim = nd + 2 };
    bool fits = true;
    for (int d = 0; d < nd; d++) {
        int at = kdl__window_slot(nd, d);
        w->kernel[at] = weight->dims[2 + d];
        w->stride[at] = kdl__part(&a->strides, d);
        w->dilation[at] = kdl__part(&a->dilations, d);
        int64_t reach = w->dilation[at] * (w->kernel[at] - 1) + 1, size = x->dims[2 + d];
        int64_t result = conv_size(a, d, size, reach, &w->padding[at]);
        shape->sizes[2 + d] = result;
        w->input[at] = a->transposed ? result : size;
        w->output[at] = a->transposed ? size : result;
        fits = fits && result > 0;
    }
    int64_t plane = 1;
    for (int d = 0; d < nd; d++)
        plane *= x->dims[2 + d];
    if (plane == 0 && (fits || a->transposed)) {
        kdl__fail_at(x->ctx, a->place, KDL_ERROR_RUNTIME,
                     "Only zero batch or zero channel inputs are supported, but got input shape: "
                     "%s",
                     kdl__shape_text(x->ndim, x->dims).chars);
        return false;
    }
    if (!fits)
        fail_small(x, weight, shape, a);
    return fits;
}

/* ---- calls ------------------------------------------------------------------------------- */

static kdl_tensor *record(kdl_tensor *x, kdl_tensor *weight, kdl_tensor *bias, int nd,
                          const arguments *a)
{
    conv_call call;
    kdl_shape shape;
    if (!check_operands(x, weight, bias, nd, a) || !set_conv(x, weight, nd, a, &call, &shape))
        return NULL;
    kdl_tensor *result = convolve(&call, x, weight, bias, shape);
    kdl__function *function = kdl__record(result, &conv_class, bias ? 3 : 2, x, weight, bias);
    kdl__keep(function, &call, sizeof call);
    kdl__save(function, 0, x);
    kdl__save(function, 1, weight);
    return result;
}

static kdl_tensor *conv(int nd, kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                        const arguments *a)
{
    kdl_tensor *operands[] = { input, weight, bias };
    int count = bias ? 3 : 2;
    if (!check_dtypes(operands, count, a->place) || !check_arguments(input->ctx, a, nd) ||
        !check_same(input->ctx, a, nd))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__batched(input, nd, a->name, a->place));
    kdl_tensor *w = kdl__hold(&scope, kdl__row_major(weight, a->place));
    kdl_tensor *b = bias ? kdl__hold(&scope, kdl__row_major(bias, a->place)) : NULL;
    kdl_tensor *result = x && w && (b || !bias) ? record(x, w, b, nd, a) : NULL;
    return kdl__close(&scope, kdl__unbatched(result, input, nd));
}

kdl_tensor *kdl_f_conv_with(int nd, kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                            const kdl_f_conv_options *given)
{
    kdl_f_conv_options o = KDL_F_CONV_DEFAULTS;
    kdl_tensor *operands[] = { input, weight, bias };
    if (!kdl__usable("kdl_f_conv", bias ? 3 : 2, operands) ||
        !kdl__read_options(input->ctx, "kdl_f_conv", &o, sizeof o, given))
        return NULL;
    return conv(nd, input, weight, bias,
                &(arguments){ .name = "conv",
                              .place = "kdl_f_conv",
                              .strides = o.strides,
                              .paddings = o.paddings,
                              .dilations = o.dilations,
                              .groups = o.groups });
}

kdl_tensor *kdl_f_conv_transpose_with(int nd, kdl_tensor *input, kdl_tensor *weight,
                                      kdl_tensor *bias, const kdl_f_conv_transpose_options *given)
{
    kdl_f_conv_transpose_options o = KDL_F_CONV_TRANSPOSE_DEFAULTS;
    kdl_tensor *operands[] = { input, weight, bias };
    if (!kdl__usable("kdl_f_conv_transpose", bias ? 3 : 2, operands) ||
        !kdl__read_options(input->ctx, "kdl_f_conv_transpose", &o, sizeof o, given))
        return NULL;
    return conv(nd, input, weight, bias,
                &(arguments){ .name = "conv_transpose",
                              .place = "kdl_f_conv_transpose",
                              .transposed = true,
                              .strides = o.strides,
                              .paddings = o.paddings,
                              .output_paddings = o.output_paddings,
                              .dilations = o.dilations,
                              .groups = o.groups });
}
