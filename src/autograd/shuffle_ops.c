/* SPDX-License-Identifier: Apache-2.0 */
/* Elements moved from channels to places and back: shuffles, folding, unflatten; with gradients. */
#include "autograd/window_ops.h"
#include "kindling/functional_window.h"
#include "kindling/ops.h"

/* ---- shuffles ---------------------------------------------------------------------------- */

/* Seen with the sizes `split`, its dimensions in another order, then seen as `shape`. */
static kdl_tensor *rearranged(kdl_tensor *input, kdl_shape split, const int *order, kdl_shape shape)
{
    kdl__scope scope = { 0 };
    kdl_tensor *parts = kdl__hold(&scope, kdl_reshape(input, split));
    kdl_tensor *turned = kdl__hold(&scope, kdl_permute(parts, split.ndim, order));
    return kdl__close(&scope, kdl_reshape(turned, shape));
}

/*
 * The last three dimensions taken for five of these sizes, those in another order, then taken for
 * `last` three: images without regard to what lies before them.
 */
static kdl_tensor *rearranged_images(kdl_tensor *input, const int64_t parts[5], const int places[5],
                                     const int64_t last[3])
{
    int first = input->ndim - 3;
    kdl_shape split = kdl_tensor_shape(input), shape = split;
    int order[KDL_MAX_DIMS];
    for (int d = 0; d < first; d++)
        order[d] = d;
    for (int d = 0; d < 5; d++) {
        split.sizes[first + d] = parts[d];
        order[first + d] = first + places[d];
    }
    split.ndim = first + 5;
    for (int d = 0; d < 3; d++)
        shape.sizes[first + d] = last[d];
    return rearranged(input, split, order, shape);
}

static bool check_pixels(const kdl_tensor *input, const char *name, const char *factor_name,
                         int64_t factor)
{
    if (input->ndim < 3)
        kdl__fail_at(input->ctx, name, KDL_ERROR_RUNTIME,
                     "%s expects input to have at least 3 dimensions, but got input with %d "
                     "dimension(s)",
                     name, input->ndim);
    else if (factor < 1 || factor > INT32_MAX)
        kdl__fail_at(input->ctx, name, KDL_ERROR_RUNTIME,
                     "%s expects a positive %s, but got %" PRId64, name, factor_name, factor);
    return !kdl__failed(input->ctx) && kdl__ndim_allowed(input->ctx, input->ndim + 2);
}

kdl_tensor *kdl_f_pixel_shuffle(kdl_tensor *input, int64_t upscale_factor)
{
    int64_t r = upscale_factor;
    if (!kdl__usable(__func__, 1, &input) ||
        !check_pixels(input, "pixel_shuffle", "upscale_factor", r))
        return NULL;
    const int64_t *sizes = input->dims + input->ndim - 3;
    if (sizes[0] % (r * r)) {
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "pixel_shuffle expects its input's 'channel' dimension to be divisible by the "
                  "square of upscale_factor, but input.size(-3)=%" PRId64
                  " is not divisible by %" PRId64,
                  sizes[0], r * r);
        return NULL;
    }
    const int64_t channels = sizes[0] / (r * r);
    const int64_t parts[] = { channels, r, r, sizes[1], sizes[2] };
    static const int places[] = { 0, 3, 1, 4, 2 }; /* (C, r, r, H, W) as (C, H, r, W, r) */
    const int64_t shuffled[] = { channels, sizes[1] * r, sizes[2] * r };
    return rearranged_images(input, parts, places, shuffled);
}

kdl_tensor *kdl_f_pixel_unshuffle(kdl_tensor *input, int64_t downscale_factor)
{
    static const char *const names[] = { "height", "width" };
    int64_t r = downscale_factor;
    if (!kdl__usable(__func__, 1, &input) ||
        !check_pixels(input, "pixel_unshuffle", "downscale_factor", r))
        return NULL;
    const int64_t *sizes = input->dims + input->ndim - 3;
    for (int d = 0; d < 2; d++) {
        if (sizes[1 + d] % r) {
            kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                      "pixel_unshuffle expects %s to be divisible by downscale_factor, but "
                      "input.size(%d)=%" PRId64 " is not divisible by %" PRId64,
                      names[d], d - 2, sizes[1 + d], r);
            return NULL;
        }
    }
    const int64_t parts[] = { sizes[0], sizes[1] / r, r, sizes[2] / r, r };
    static const int places[] = { 0, 2, 4, 1, 3 }; /* (C, H, r, W, r) as (C, r, r, H, W) */
    const int64_t unshuffled[] = { sizes[0] * r * r, sizes[1] / r, sizes[2] / r };
    return rearranged_images(input, parts, places, unshuffled);
}

kdl_tensor *kdl_channel_shuffle(kdl_tensor *input, int64_t groups)
{
    if (!kdl__usable(__func__, 1, &input))
        return NULL;
    kdl_context *ctx = input->ctx;
    if (input->ndim < 3)
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "channel_shuffle expects input with > 2 dims, but got input with sizes %s",
                  kdl__shape_text(input->ndim, input->dims).chars);
    else if (groups < 1)
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "Number of groups to divide channels in must be positive. Value of "
                  "groups:%" PRId64,
                  groups);
    else if (input->dims[1] % groups)
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "Number of channels must be divisible by groups. Got %" PRId64 " channels and "
                  "%" PRId64 " groups.",
                  input->dims[1], groups);
    if (kdl__failed(ctx) || !kdl__ndim_allowed(ctx, input->ndim + 1))
        return NULL;
    kdl_shape shape = kdl_tensor_shape(input);
    kdl_shape split = { .sizes = { shape.sizes[0], groups, shape.sizes[1] / groups },
                        .ndim = shape.ndim + 1 };
    int order[KDL_MAX_DIMS] = { 0, 2, 1 };
    for (int d = 2; d < shape.ndim; d++) {
        split.sizes[d + 1] = shape.sizes[d];
        order[d + 1] = d + 1;
    }
    return rearranged(input, split, order, shape);
}

/* Tensor.unflatten's sizes, -1 filled in; RuntimeError (false) where they do not fit. */
static bool unflat_sizes(kdl_context *ctx, int64_t size, int dim, const kdl_shape *given,
                         kdl_shape *sizes)
{
    *sizes = *given;
    int64_t product = 1;
    int open = -1, opens = 0;
    bool overflow = false;
    for (int d = 0; d < given->ndim; d++) {
        if (given->sizes[d] == -1 && ++opens)
            open = d;
        else
            overflow |=
                given->sizes[d] < 0 || __builtin_mul_overflow(product, given->sizes[d], &product);
    }
    bool fits =
        !overflow && opens <= 1 && (opens ? product > 0 && size % product == 0 : product == size);
    if (fits && opens)
        sizes->sizes[open] = size / product;
    if (given->ndim == 0)
        kdl__fail_at(ctx, "kdl_unflatten", KDL_ERROR_RUNTIME, "unflatten: sizes must be non-empty");
    else if (!fits)
        kdl__fail_at(ctx, "kdl_unflatten", KDL_ERROR_RUNTIME,
                     "unflatten: Provided sizes %s don't multiply up to the size of dim %d "
                     "(%" PRId64 ") in the input tensor",
                     kdl__shape_text(given->ndim, given->sizes).chars, dim, size);
    return given->ndim > 0 && fits;
}

kdl_tensor *kdl_unflatten(kdl_tensor *tensor, int dim, kdl_shape sizes)
{
    if (!kdl__usable(__func__, 1, &tensor))
        return NULL;
    kdl_shape shape = kdl_tensor_shape(tensor), parts;
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim);
    if (dim < 0 || !unflat_sizes(tensor->ctx, tensor->dims[dim], dim, &sizes, &parts) ||
        !kdl__ndim_allowed(tensor->ctx, shape.ndim + parts.ndim - 1))
        return NULL;
    for (int d = shape.ndim - 1; d > dim; d--)
        shape.sizes[d + parts.ndim - 1] = shape.sizes[d];
    for (int d = 0; d < parts.ndim; d++)
        shape.sizes[dim + d] = parts.sizes[d];
    shape.ndim += parts.ndim - 1;
    return kdl_reshape(tensor, shape);
}

/* ---- folding ----------------------------------------------------------------------------- */

static void fold_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *g = kdl_contiguous(grad);
    if (g)
        kdl__give(function, 0,
                  kdl__compute_unfold(g, function->own, kdl__edge_shape(&function->edges[0])));
    kdl_tensor_release(g);
}

static void unfold_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *g = kdl_contiguous(grad);
    if (g)
        kdl__give(function, 0,
                  kdl__compute_fold(g, function->own, kdl__edge_shape(&function->edges[0])));
    kdl_tensor_release(g);
}

static const kdl__function_class fold_class = { "Col2ImBackward0", fold_backward };
static const kdl__function_class unfold_class = { "Im2ColBackward0", unfold_backward };

/* "(3, 4)", as these functions' messages write what an int or two stand for. */
static kdl__shape_chars pair_text(const kdl_shape *list)
{
    int64_t both[] = { kdl__part(list, 0), kdl__part(list, 1) };
    return kdl__spatial_text(2, both, ", ");
}

static bool check_fold(kdl_context *ctx, const char *place, const kdl_shape *kernel,
                       const kdl_f_fold_options *o)
{
    return kdl__check_list(ctx, place, "kernel_size", kernel, 2, 1,
                           "kernel size should be greater than zero") &&
           kdl__check_list(ctx, place, "dilation", &o->dilations, 2, 1,
                           "dilation should be greater than zero") &&
           kdl__check_list(ctx, place, "padding", &o->paddings, 2, 0,
                           "padding should be non-negative") &&
           kdl__check_list(ctx, place, "stride", &o->strides, 2, 1,
                           "stride should be greater than zero");
}

/*
 * The window over an image of these sizes; its output is how many blocks there are, below 1: none.
 */
static kdl__window fold_window(const int64_t sizes[2], const kdl_shape *kernel,
                               const kdl_f_fold_options *o)
{
    kdl__window w = kdl__window_of_one();
    for (int d = 0; d < 2; d++) {
        int at = kdl__window_slot(2, d);
        w.input[at] = sizes[d];
        w.kernel[at] = kdl__part(kernel, d);
        w.stride[at] = kdl__part(&o->strides, d);
        w.padding[at] = kdl__part(&o->paddings, d);
        w.dilation[at] = kdl__part(&o->dilations, d);
        int64_t room = sizes[d] + 2 * w.padding[at] - w.dilation[at] * (w.kernel[at] - 1) - 1;
        w.output[at] = room < 0 ? 0 : room / w.stride[at] + 1;
    }
    return w;
}

static bool all_filled(const kdl_tensor *x)
{
    for (int d = 1; d < x->ndim; d++)
        if (x->dims[d] == 0)
            return false;
    return true;
}

/* As kdl__batched(), of `ndim` dimensions with a batch; PyTorch's RuntimeError in its own words. */
static kdl_tensor *fold_operand(kdl_tensor *input, int ndim, const char *message, const char *place)
{
    kdl_tensor *x = kdl__row_major(input, place), *result = NULL;
    if (x && x->ndim == ndim - 1)
        result = kdl_unsqueeze(x, 0);
    else if (x && x->ndim == ndim)
        result = kdl_tensor_retain(x);
    if (x && !kdl__failed(x->ctx) && (!result || !all_filled(result))) {
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME, "%s%s", message,
                     kdl__shape_text(x->ndim, x->dims).chars);
        kdl_tensor_release(result);
        result = NULL;
    }
    kdl_tensor_release(x);
    return result;
}

static kdl_tensor *unfold(kdl_tensor *x, const kdl_shape *kernel, const kdl_f_fold_options *o)
{
    if (!check_fold(x->ctx, "kdl_f_unfold", kernel, o))
        return NULL;
    kdl__window w = fold_window(x->dims + 2, kernel, o);
    if (kdl__volume(w.output) < 1) {
        kdl__fail_at(x->ctx, "kdl_f_unfold", KDL_ERROR_RUNTIME,
                     "Given input with spatial size %s, kernel_size=%s, dilation=%s, padding=%s, "
                     "calculated shape of the array of sliding blocks as %s, but its components "
                     "must be at least one.",
                     kdl__spatial_text(2, x->dims + 2, ", ").chars, pair_text(kernel).chars,
                     pair_text(&o->dilations).chars, pair_text(&o->paddings).chars,
                     kdl__spatial_text(2, w.output + 1, ", ").chars);
        return NULL;
    }
    kdl_shape shape =
        KDL_SHAPE(x->dims[0], x->dims[1] * kdl__volume(w.kernel), kdl__volume(w.output));
    kdl_tensor *result = kdl__compute_unfold(x, &w, shape);
    kdl__keep(kdl__record(result, &unfold_class, 1, x), &w, sizeof w);
    return result;
}

kdl_tensor *kdl_f_unfold_with(kdl_tensor *input, kdl_shape kernel_size,
                              const kdl_f_fold_options *given)
{
    kdl_f_fold_options options = KDL_F_FOLD_DEFAULTS;
    kdl_tensor *result = NULL;
    kdl_tensor *x = fold_operand(input, 4,
                                 "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size "
                                 "and other non-zero dimensions for input, but got: ",
                                 "kdl_f_unfold");
    if (x && kdl__read_options(x->ctx, "kdl_f_unfold", &options, sizeof options, given))
        result = unfold(x, &kernel_size, &options);
    kdl_tensor_release(x);
    return kdl__unbatched(result, input, 2);
}

static bool check_blocks(const kdl_tensor *x, const kdl__window *w, const kdl_shape *size,
                         const kdl_shape *kernel, const kdl_f_fold_options *o)
{
    int64_t blocks = kdl__volume(w->output);
    if (x->dims[1] % kdl__volume(w->kernel))
        kdl__fail_at(x->ctx, "kdl_f_fold", KDL_ERROR_RUNTIME,
                     "Expected size of input's dimension 1 to be divisible by the product of "
                     "kernel_size, but got input.size(1)=%" PRId64 " and kernel_size=%s.",
                     x->dims[1], pair_text(kernel).chars);
    else if (blocks != x->dims[2])
        kdl__fail_at(x->ctx, "kdl_f_fold", KDL_ERROR_RUNTIME,
                     "Given output_size=%s, kernel_size=%s, dilation=%s, padding=%s, stride=%s, "
                     "expected size of input's dimension 2 to match the calculated number of "
                     "sliding blocks %" PRId64 " * %" PRId64 " = %" PRId64
                     ", but got input.size(2)=%" PRId64 ".",
                     pair_text(size).chars, pair_text(kernel).chars, pair_text(&o->dilations).chars,
                     pair_text(&o->paddings).chars, pair_text(&o->strides).chars, w->output[1],
                     w->output[2], blocks, x->dims[2]);
    return !kdl__failed(x->ctx);
}

static kdl_tensor *fold(kdl_tensor *x, const kdl_shape *size, const kdl_shape *kernel,
                        const kdl_f_fold_options *o)
{
    if (!check_fold(x->ctx, "kdl_f_fold", kernel, o) ||
        !kdl__check_list(x->ctx, "kdl_f_fold", "output_size", size, 2, 1,
                         "output_size should be greater than zero"))
        return NULL;
    int64_t sizes[] = { kdl__part(size, 0), kdl__part(size, 1) };
    kdl__window w = fold_window(sizes, kernel, o);
    if (!check_blocks(x, &w, size, kernel, o))
        return NULL;
    kdl_shape shape = KDL_SHAPE(x->dims[0], x->dims[1] / kdl__volume(w.kernel), sizes[0], sizes[1]);
    kdl_tensor *result = kdl__compute_fold(x, &w, shape);
    kdl__keep(kdl__record(result, &fold_class, 1, x), &w, sizeof w);
    return result;
}

kdl_tensor *kdl_f_fold_with(kdl_tensor *input, kdl_shape output_size, kdl_shape kernel_size,
                            const kdl_f_fold_options *given)
{
    kdl_f_fold_options options = KDL_F_FOLD_DEFAULTS;
    kdl_tensor *result = NULL;
    kdl_tensor *x = fold_operand(input, 3,
                                 "Expected 2D or 3D (batch mode) tensor for input with possibly 0 "
                                 "batch size and non-zero dimensions for input, but got: ",
                                 "kdl_f_fold");
    if (x && kdl__read_options(x->ctx, "kdl_f_fold", &options, sizeof options, given))
        result = fold(x, &output_size, &kernel_size, &options);
    kdl_tensor_release(x);
    return kdl__unbatched(result, input, 1);
}
