/* SPDX-License-Identifier: Apache-2.0 */
/* Padding, with gradients: one dimension after the other. */
#include <string.h>

#include "autograd/resample_ops.h"
#include "autograd/window_ops.h"
#include "kindling/functional_window.h"

/* ---- resampling, recorded ---------------------------------------------------------------- */

static void resample_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *g = kdl_contiguous(grad);
    if (g)
        kdl__give(function, 0, kdl__compute_resample_grad(g, function->own));
    kdl_tensor_release(g);
}

static const kdl__function_class resample_class = { "ResampleBackward0", resample_backward };

kdl_tensor *kdl__resample(kdl_tensor *x, kdl__taps *taps, const char *name)
{
    kdl_tensor *result = x && taps ? kdl__compute_resample(x, taps) : NULL;
    kdl__function *function = kdl__record(result, &resample_class, 1, x);
    if (function) {
        function->name = name;
        kdl__keep(function, taps, taps->nbytes);
    }
    if (x)
        kdl_free(x->ctx, taps);
    kdl_tensor_release(x);
    return result;
}

/* ---- the modes --------------------------------------------------------------------------- */

/*
 * Where the element at `place` of the padded dimension lies in the input, of which [first, end) is
 * left by negative padding; -1: nowhere.
 */
typedef int64_t origin(int64_t place, int64_t size, int64_t first, int64_t end);

static int64_t constant(int64_t place, int64_t size, int64_t first, int64_t end)
{
    (void)first, (void)end;
    return place >= 0 && place < size ? place : -1;
}

static int64_t reflected(int64_t place, int64_t size, int64_t first, int64_t end)
{
    (void)first, (void)end;
    place = place < 0 ? -place : place;
    return place < size ? place : 2 * (size - 1) - place;
}

static int64_t replicated(int64_t place, int64_t size, int64_t first, int64_t end)
{
    (void)first, (void)end;
    return place < 0 ? 0 : place < size ? place : size - 1;
}

/* Only this one goes round in what is left. */
static int64_t circular(int64_t place, int64_t size, int64_t first, int64_t end)
{
    (void)size;
    return place < first ? place + (end - first) : place < end ? place : place - (end - first);
}

typedef enum pad_limit { NO_LIMIT, BELOW_SIZE, FILLED, UP_TO_SIZE } pad_limit;

static const struct mode {
    const char *name, *function;
    origin *origin;
    pad_limit limit;
} modes[] = {
    { "constant", "ConstantPadNdBackward0", constant, NO_LIMIT },
    { "reflect", "ReflectionPadBackward0", reflected, BELOW_SIZE },
    { "replicate", "ReplicationPadBackward0", replicated, FILLED },
    { "circular", "CircularPadBackward0", circular, UP_TO_SIZE },
};

static const struct mode *find_mode(kdl_context *ctx, const char *name)
{
    for (size_t i = 0; name && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    kdl__fail_at(ctx, "kdl_f_pad", KDL_ERROR_NOT_IMPLEMENTED, "Unrecognised padding mode %s",
                 name ? name : "None");
    return NULL;
}

/* ---- checks: PyTorch's errors ------------------------------------------------------------- */

/* What is padded before and behind dimension `d`; the list begins with the last one. */
static int64_t before(const kdl_shape *pad, int ndim, int d)
{
    int at = 2 * (ndim - 1 - d);
    return at < pad->ndim ? pad->sizes[at] : 0;
}
static int64_t behind(const kdl_shape *pad, int ndim, int d)
{
    int at = 2 * (ndim - 1 - d);
    return at < pad->ndim ? pad->sizes[at + 1] : 0;
}

static bool check_lengths(const kdl_tensor *x, const kdl_shape *pad, const struct mode *mode)
{
    int dims = pad->ndim / 2;
    if (pad->ndim % 2)
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                     "Padding length must be divisible by 2");
    else if (dims > x->ndim)
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                     "Padding length should be less than or equal to two times the input dimension "
                     "but got padding length %d and input of dimension %d",
                     pad->ndim, x->ndim);
    else if (mode->limit != NO_LIMIT &&
             (dims < 1 || dims > 3 || (x->ndim != dims + 1 && x->ndim != dims + 2)))
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_NOT_IMPLEMENTED,
                     "Padding size %d is not supported for %dD input tensor.", pad->ndim, x->ndim);
    for (int i = 0; i < pad->ndim; i++)
        if (pad->sizes[i] > INT32_MAX || pad->sizes[i] < -INT32_MAX)
            kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME, "integer out of range");
    return !kdl__failed(x->ctx);
}

/* Whether a mode can pad an input of these sizes: all but the batch must hold something. */
static bool check_filled(const kdl_tensor *x, int dims, const struct mode *mode)
{
    bool filled = true;
    for (int d = x->ndim - dims - 1; d < x->ndim; d++)
        filled = filled && x->dims[d] > 0;
    if (filled || mode->limit == NO_LIMIT || mode->limit == UP_TO_SIZE)
        return true;
    kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                 "Expected %dD or %dD (batch mode) tensor with possibly 0 batch size and other "
                 "non-zero dimensions for input, but got: %s",
                 dims + 1, dims + 2, kdl__shape_text(x->ndim, x->dims).chars);
    return false;
}

static bool check_dim(const kdl_tensor *x, const kdl_shape *pad, int d, const struct mode *mode)
{
    int64_t left = before(pad, x->ndim, d), right = behind(pad, x->ndim, d), size = x->dims[d];
    int64_t left_over = size + (left < 0 ? left : 0) + (right < 0 ? right : 0);
    if (mode->limit == BELOW_SIZE && (left >= size || right >= size))
        kdl__fail_at(
            x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
            "Argument #%d: Padding size should be less than the corresponding input "
            "dimension, but got: padding (%" PRId64 ", %" PRId64 ") at dimension %d of input %s",
            2 * (x->ndim - d) + 2, left, right, d, kdl__shape_text(x->ndim, x->dims).chars);
    else if (mode->limit == UP_TO_SIZE && (left > left_over || right > left_over))
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                     "Padding value causes wrapping around more than once.");
    else if (mode->limit == UP_TO_SIZE && size + left + right < 0)
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                     "Negative padding value is resulting in an empty dimension");
    else if (mode->limit == NO_LIMIT && size + left + right < 0)
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                     "The input size %" PRId64 ", plus negative padding %" PRId64 " and %" PRId64
                     " resulted in a negative output size, which is invalid. Check dimension %d of "
                     "your input.",
                     size, left, right, d);
    else if ((mode->limit == BELOW_SIZE || mode->limit == FILLED) && size + left + right < 1)
        kdl__fail_at(x->ctx, "kdl_f_pad", KDL_ERROR_RUNTIME,
                     "input (W: %" PRId64 ") is too small. Calculated output W: %" PRId64, size,
                     size + left + right);
    return !kdl__failed(x->ctx);
}

static bool check_pad(const kdl_tensor *x, const kdl_shape *pad, const struct mode *mode)
{
    if (!check_lengths(x, pad, mode) || !check_filled(x, pad->ndim / 2, mode))
        return false;
    for (int d = x->ndim - 1; d >= x->ndim - pad->ndim / 2; d--)
        if (!check_dim(x, pad, d, mode))
            return false;
    return true;
}

/* ---- the call ---------------------------------------------------------------------------- */

static kdl__taps *pad_taps(const kdl_tensor *x, const kdl_shape *pad, int d,
                           const struct mode *mode, double value)
{
    int64_t left = before(pad, x->ndim, d), right = behind(pad, x->ndim, d), size = x->dims[d];
    int64_t first = left < 0 ? -left : 0, end = size + (right < 0 ? right : 0);
    kdl__taps *taps = kdl__taps_new(x->ctx, d, size, size + left + right, 1);
    if (!taps)
        return NULL;
    taps->fill = value;
    for (int64_t i = 0; i < taps->output; i++)
        taps->tap[i] = (kdl__tap){ mode->origin(i - left, size, first, end), 1 };
    return taps;
}

kdl_tensor *kdl_f_pad_with(kdl_tensor *input, kdl_shape pad, const kdl_f_pad_options *given)
{
    kdl_f_pad_options options = KDL_F_PAD_DEFAULTS;
    kdl_tensor *x = kdl__row_major(input, "kdl_f_pad");
    if (!x)
        return NULL;
    const struct mode *mode = NULL;
    if (kdl__read_options(x->ctx, "kdl_f_pad", &options, sizeof options, given))
        mode = find_mode(x->ctx, options.mode);
    if (!mode || !check_pad(x, &pad, mode)) {
        kdl_tensor_release(x);
        return NULL;
    }
    for (int d = input->ndim - 1; d >= 0 && x; d--)
        if (before(&pad, x->ndim, d) || behind(&pad, x->ndim, d))
            x = kdl__resample(x, pad_taps(x, &pad, d, mode, options.value), mode->function);
    /* PyTorch gives a tensor of its own where nothing is padded. */
    if (x && x->storage == input->storage) {
        kdl_tensor *copy = kdl_clone(x);
        kdl_tensor_release(x);
        x = copy;
    }
    return x ? kdl__cast(x, input->storage->dtype) : NULL;
}
