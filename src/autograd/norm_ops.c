/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations, with gradients: rows made alike, then scaled and shifted. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "autograd/norm_ops.h"
#include "compute/normalize.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- rows -------------------------------------------------------------------------------- */

/* What the function keeps: the geometry, and behind it the rows' variances. */
typedef struct normalized {
    kdl__rows rows;
    double variance[];
} normalized;

static void normalize_backward(kdl__function *function, kdl_tensor *grad)
{
    const normalized *own = function->own;
    kdl_tensor *result = kdl__saved_value(function, 0);
    kdl_tensor *g = result ? kdl_contiguous(grad) : NULL;
    if (g)
        kdl__give(function, 0, kdl__compute_normalize_grad(g, result, &own->rows, own->variance));
    kdl_tensor_release(g);
}

static const kdl__function_class normalize_class = { "NormalizeBackward0", normalize_backward };

/* The rows of x (row-major) normalised and recorded; their means and variances, to be freed. */
static kdl_tensor *normalize(kdl_tensor *x, const kdl__rows *rows, kdl__moments *moments)
{
    kdl_context *ctx = x->ctx;
    size_t count = (size_t)rows->rows, nbytes = sizeof(normalized) + count * sizeof(double);
    normalized *own = kdl__alloc_zeroed(ctx, 1, nbytes);
    moments->mean = kdl__alloc_zeroed(ctx, count, sizeof(double));
    moments->variance = own ? own->variance : NULL;
    kdl_tensor *result = own && moments->mean ? kdl__compute_normalize(x, rows, moments) : NULL;
    if (own)
        own->rows = *rows;
    kdl__function *function = kdl__record(result, &normalize_class, 1, x);
    kdl__keep(function, own, nbytes);
    kdl__save(function, 0, result);
    return result;
}

static void free_moments(kdl_context *ctx, kdl__moments *moments)
{
    kdl_free(ctx, moments->mean);
    if (moments->variance)
        kdl_free(ctx, (char *)moments->variance - offsetof(normalized, variance));
}

/* A vector with a place for each dimension behind the channels': (C, 1, ...). */
static kdl_tensor *per_channel(kdl_tensor *vector, int ndim)
{
    kdl_shape shape = { .sizes = { -1 }, .ndim = ndim > 2 ? ndim - 1 : 1 };
    for (int d = 1; d < shape.ndim; d++)
        shape.sizes[d] = 1;
    return kdl_reshape(vector, shape);
}

/* x * weight + bias, either of which may be NULL; `channels`: they are a channel's. Consumes x. */
static kdl_tensor *scale_and_shift(kdl_tensor *x, kdl_tensor *weight, kdl_tensor *bias,
                                   bool channels)
{
    kdl_tensor *operands[] = { weight, bias };
    for (int i = 0; i < 2 && x; i++) {
        if (!operands[i])
            continue;
        kdl_tensor *operand =
            channels ? per_channel(operands[i], x->ndim) : kdl_tensor_retain(operands[i]);
        kdl_tensor *next = NULL;
        if (operand)
            next = i == 0 ? kdl_mul_tensor(x, operand) : kdl_add_tensor(x, operand);
        kdl_tensor_release(operand);
        kdl_tensor_release(x);
        x = next;
    }
    return x;
}

/* ---- what fits --------------------------------------------------------------------------- */

/* Parameters have the input's dtype, or of f16 and bf16 f32: the first one decides which. */
static bool check_dtypes(const kdl_tensor *input, kdl_tensor *const operands[], int count,
                         const char *place)
{
    kdl_dtype dtype = input->storage->dtype, first = dtype;
    for (int i = count - 1; i >= 0; i--)
        if (operands[i])
            first = operands[i]->storage->dtype;
    kdl_dtype wanted = first == dtype ? dtype : KDL_F32;
    for (int i = 0; i < count; i++) {
        if (!operands[i] || operands[i]->storage->dtype == wanted)
            continue;
        if (first != dtype)
            kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                         "mixed dtype (CPU): expect parameter to have scalar type of Float");
        else
            kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                         "expected scalar type %s but found %s", kdl_dtype_scalar_name(dtype),
                         kdl_dtype_scalar_name(operands[i]->storage->dtype));
        return false;
    }
    if (first == dtype || dtype == KDL_F16 || dtype == KDL_BF16)
        return true;
    kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                 "mixed dtype (CPU): all inputs must share same datatype.");
    return false;
}

static bool check_like_shape(const kdl_tensor *operand, const char *name, const kdl_shape *shape,
                             const char *place)
{
    if (!operand ||
        (operand->ndim == shape->ndim &&
         memcmp(operand->dims, shape->sizes, (size_t)shape->ndim * sizeof *shape->sizes) == 0))
        return true;
    kdl__fail_at(operand->ctx, place, KDL_ERROR_RUNTIME,
                 "Expected %s to be of same shape as normalized_shape, but got %s of shape %s and "
                 "normalized_shape = %s",
                 name, name, kdl__shape_text(operand->ndim, operand->dims).chars,
                 kdl__shape_text(shape->ndim, shape->sizes).chars);
    return false;
}

static bool check_channel_vector(const kdl_tensor *operand, const char *name,
                                 const kdl_tensor *input, const char *place)
{
    if (!operand || (operand->ndim == 1 && operand->dims[0] == input->dims[1]))
        return true;
    kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                 "Expected %s to be a vector of size equal to the number of channels in input, but "
                 "got %s of shape %s and input of shape %s",
                 name, name, kdl__shape_text(operand->ndim, operand->dims).chars,
                 kdl__shape_text(input->ndim, input->dims).chars);
    return false;
}

/* ---- layers, groups ---------------------------------------------------------------------- */

static bool ends_in(const kdl_tensor *input, const kdl_shape *shape)
{
    int before = input->ndim - shape->ndim;
    return shape->ndim > 0 && before >= 0 &&
           memcmp(input->dims + before, shape->sizes, (size_t)shape->ndim * sizeof *shape->sizes) ==
               0;
}

/* `centered`: layer_norm(), which has other words than rms_norm(). */
static bool check_end(const kdl_tensor *x, const kdl_shape *shape, bool centered, const char *place)
{
    if (ends_in(x, shape))
        return true;
    if (!centered && x->ndim < shape->ndim)
        kdl__fail_at(x->ctx, place, KDL_ERROR_VALUE,
                     "Input tensor must have at least %d dimensions, but got %d", shape->ndim,
                     x->ndim);
    else
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "Given normalized_shape=%s, expected input with shape [*%s%s, but got input "
                     "of size%s",
                     kdl__shape_text(shape->ndim, shape->sizes).chars, centered ? ", " : "",
                     kdl__shape_text(shape->ndim, shape->sizes).chars + 1,
                     kdl__shape_text(x->ndim, x->dims).chars);
    return false;
}

static kdl_tensor *norm_of_last(kdl_tensor *input, const kdl_shape *shape, kdl_tensor *weight,
                                kdl_tensor *bias, double eps, bool centered, const char *place)
{
    kdl_tensor *x = kdl__row_major(input, place);
    if (!x)
        return NULL;
    kdl_tensor *const operands[] = { weight, bias };
    if (!check_like_shape(weight, "weight", shape, place) ||
        !check_like_shape(bias, "bias", shape, place) || !check_end(x, shape, centered, place) ||
        (centered && !check_dtypes(input, operands, 2, place))) {
        kdl_tensor_release(x);
        return NULL;
    }
    kdl__rows rows = { 1, 1, 1, eps, centered };
    for (int d = 0; d < x->ndim; d++)
        *(d < x->ndim - shape->ndim ? &rows.rows : &rows.inner) *= x->dims[d];
    kdl__moments moments;
    kdl_tensor *result = normalize(x, &rows, &moments);
    free_moments(x->ctx, &moments);
    kdl_tensor_release(x);
    return kdl__cast(scale_and_shift(result, weight, bias, false), input->storage->dtype);
}

kdl_tensor *kdl_f_layer_norm(kdl_tensor *input, kdl_shape shape, kdl_tensor *weight,
                             kdl_tensor *bias, double eps)
{
    return norm_of_last(input, &shape, weight, bias, eps, true, __func__);
}

kdl_tensor *kdl_f_rms_norm(kdl_tensor *input, kdl_shape shape, kdl_tensor *weight, double eps)
{
    if (isnan(eps) && input)
        eps = kdl_tensor_dtype(input) == KDL_F64 ? DBL_EPSILON : FLT_EPSILON;
    return norm_of_last(input, &shape, weight, NULL, eps, false, __func__);
}

/* Whether there are channels; RuntimeError (false) if not. */
static bool has_channels(const kdl_tensor *x, const char *place)
{
    if (x->ndim >= 2)
        return true;
    kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                 "Expected at least 2 dimensions for input tensor but received %d", x->ndim);
    return false;
}

kdl_tensor *kdl_f_group_norm(kdl_tensor *input, int64_t groups, kdl_tensor *weight,
                             kdl_tensor *bias, double eps)
{
    kdl_tensor *const operands[] = { weight, bias };
    kdl_tensor *x = kdl__row_major(input, __func__), *result = NULL;
    if (x && has_channels(x, __func__)) {
        if (groups < 1 || x->dims[1] % groups) {
            kdl__fail(x->ctx, KDL_ERROR_RUNTIME,
                      "Expected number of channels in input to be divisible by num_groups, but got "
                      "input of shape %s and num_groups=%" PRId64,
                      kdl__shape_text(x->ndim, x->dims).chars, groups);
        } else if (check_channel_vector(weight, "weight", x, __func__) &&
                   check_channel_vector(bias, "bias", x, __func__) &&
                   check_dtypes(input, operands, 2, __func__)) {
            int64_t count = x->dims[0] * groups;
            kdl__rows rows = { 1, count, count ? x->numel / count : 0, eps, true };
            kdl__moments moments;
            result = normalize(x, &rows, &moments);
            free_moments(x->ctx, &moments);
        }
    }
    kdl_tensor_release(x);
    return result ? kdl__cast(scale_and_shift(result, weight, bias, true), input->storage->dtype)
                  : NULL;
}

/* ---- batches ----------------------------------------------------------------------------- */

bool kdl__check_channels(const kdl_tensor *input, kdl_tensor *const vectors[4], int64_t times,
                         const char *place)
{
    static const char *const names[] = { "running_mean", "running_var", "weight", "bias" };
    for (int i = 0; i < 4; i++) {
        if (!vectors[i] || (vectors[i]->ndim == 1 && vectors[i]->dims[0] == input->dims[1]))
            continue;
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "%s should contain %" PRId64 " elements not %" PRId64, names[i],
                     times * input->dims[1], times * vectors[i]->numel);
        return false;
    }
    kdl_tensor *const operands[] = { vectors[2], vectors[3], vectors[0], vectors[1] };
    return check_dtypes(input, operands, 4, place);
}

/* running = (1 - momentum) running + momentum batch; the variance as of a sample. */
static void go_on(kdl_tensor *running, const double *batch, double correction, double momentum)
{
    if (!running || !kdl_tensor_data(running))
        return;
    const kdl__tape *tape = kdl__no_grad(running->ctx);
    kdl_tensor *next = kdl__new_values(running->ctx, KDL_F64, 1, running->dims);
    for (int64_t c = 0; next && c < running->numel; c++) {
        double value = kdl__load_double(running->storage->dtype, running->storage->data,
                                        running->offset + c * running->strides[0]);
        kdl__set_element(next, c, (1 - momentum) * value + momentum * batch[c] * correction);
    }
    if (next)
        kdl_copy_(running, next);
    kdl_tensor_release(next);
    running->ctx->tape = tape;
}

static kdl_tensor *by_batch(kdl_tensor *x, kdl_tensor *mean, kdl_tensor *var, double momentum,
                            double eps)
{
    int64_t channels = x->dims[1], samples = x->dims[0];
    int64_t inner = samples * channels > 0 ? x->numel / (samples * channels) : 0;
    int64_t count = samples * inner;
    if (count <= 1) {
        kdl__fail_at(x->ctx, "kdl_f_batch_norm", KDL_ERROR_VALUE,
                     "Expected more than 1 value per channel when training, got input size "
                     "torch.Size(%s)",
                     kdl__shape_text(x->ndim, x->dims).chars);
        return NULL;
    }
    kdl__rows rows = { samples, channels, inner, eps, true };
    kdl__moments moments;
    kdl_tensor *result = normalize(x, &rows, &moments);
    if (result) {
        go_on(mean, moments.mean, 1, momentum);
        go_on(var, moments.variance, (double)count / (double)(count - 1), momentum);
    }
    free_moments(x->ctx, &moments);
    return result;
}

/* (x - mean) / sqrt(var + eps), of the running ones. */
static kdl_tensor *by_running(kdl_tensor *x, kdl_tensor *mean, kdl_tensor *var, double eps)
{
    kdl_tensor *sum = kdl_add(var, eps), *factor = sum ? kdl_rsqrt(sum) : NULL;
    kdl_tensor *minus = kdl_neg(mean), *shift = minus ? per_channel(minus, x->ndim) : NULL;
    kdl_tensor *scale = factor ? per_channel(factor, x->ndim) : NULL;
    kdl_tensor *moved = shift ? kdl_add_tensor(x, shift) : NULL;
    kdl_tensor *result = moved && scale ? kdl_mul_tensor(moved, scale) : NULL;
    kdl_tensor *all[] = { sum, factor, minus, shift, scale, moved };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kdl_tensor_release(all[i]);
    return result;
}

kdl_tensor *kdl_f_batch_norm(kdl_tensor *input, kdl_tensor *running_mean, kdl_tensor *running_var,
                             kdl_tensor *weight, kdl_tensor *bias, bool training, double momentum,
                             double eps)
{
    kdl_tensor *const vectors[] = { running_mean, running_var, weight, bias };
    kdl_tensor *x = kdl__row_major(input, __func__), *result = NULL;
    if (x && has_channels(x, __func__) && kdl__check_channels(input, vectors, 1, __func__)) {
        if (training)
            result = by_batch(x, running_mean, running_var, momentum, eps);
        else if (running_mean && running_var)
            result = by_running(x, running_mean, running_var, eps);
        else
            kdl__fail(x->ctx, KDL_ERROR_RUNTIME,
                      "Expected running_mean and running_var to be defined when training=False");
    }
    kdl_tensor_release(x);
    return result ? kdl__cast(scale_and_shift(result, weight, bias, true), input->storage->dtype)
                  : NULL;
}
