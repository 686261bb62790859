/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations of instances and of neighbouring channels, composed of other functions. */
#include <string.h>

#include "autograd/norm_ops.h"
#include "autograd/window_ops.h"
#include "compute/resample.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- instances --------------------------------------------------------------------------- */

/* A vector of channels repeated for each of `batch` instances: (batch * C). NULL for NULL. */
static kdl_tensor *repeated(kdl__scope *scope, kdl_tensor *vector, int64_t batch)
{
    if (!vector)
        return NULL;
    kdl_tensor *wide = kdl__hold(scope, kdl_expand(vector, KDL_SHAPE(batch, vector->dims[0])));
    return kdl__hold(scope, kdl_reshape(wide, KDL_SHAPE(batch * vector->dims[0])));
}

/* running = the mean of what the instances made of it. */
static void put_mean(kdl_tensor *running, kdl_tensor *of_instances, int64_t batch)
{
    if (!running)
        return;
    const kdl__tape *tape = kdl__no_grad(running->ctx);
    kdl__scope scope = { 0 };
    kdl_tensor *rows =
        kdl__hold(&scope, kdl_reshape(of_instances, KDL_SHAPE(batch, running->dims[0])));
    kdl_tensor *mean = kdl__hold(&scope, kdl_mean_dim(rows, 0, false));
    if (mean)
        kdl_copy_(running, mean);
    kdl__close(&scope, NULL);
    running->ctx->tape = tape;
}

static bool check_instances(const kdl_tensor *input, kdl_tensor *const vectors[4], bool by_input)
{
    kdl_context *ctx = input->ctx;
    int64_t inner = 1;
    for (int d = 2; d < input->ndim; d++)
        inner *= input->dims[d];
    if (by_input && (input->ndim < 3 || inner == 1))
        kdl__fail_at(ctx, "kdl_f_instance_norm", KDL_ERROR_VALUE,
                     "Expected more than 1 spatial element when training, got input size "
                     "torch.Size(%s)",
                     kdl__shape_text(input->ndim, input->dims).chars);
    else if (!vectors[0] != !vectors[1])
        kdl__fail_at(ctx, "kdl_f_instance_norm", KDL_ERROR_VALUE,
                     "running_mean and running_var must either both be None or neither be None");
    else if (!by_input && !vectors[0])
        kdl__fail_at(ctx, "kdl_f_instance_norm", KDL_ERROR_RUNTIME,
                     "Expected running_mean and running_var to be defined when use_input_stats is "
                     "false");
    return !kdl__failed(ctx) &&
           (input->ndim < 2 ||
            kdl__check_channels(input, vectors, input->dims[0], "kdl_f_instance_norm"));
}

/* As PyTorch does it: each instance's channel is a channel of a batch of one. */
static kdl_tensor *norm_instances(kdl_tensor *input, kdl_tensor *const vectors[4], double momentum,
                                  double eps)
{
    kdl__scope scope = { 0 };
    int64_t batch = input->dims[0];
    kdl_tensor *wide[4];
    const kdl__tape *tape = kdl__no_grad(input->ctx);
    for (int i = 0; i < 4; i++) {
        if (i == 2) /* weight and bias learn */
            input->ctx->tape = tape;
        wide[i] = repeated(&scope, vectors[i], batch);
        if (i < 2 && wide[i] && batch == 1) /* no view of what is written */
            wide[i] = kdl__hold(&scope, kdl_clone(wide[i]));
    }
    kdl_shape shape = kdl_tensor_shape(input);
    shape.sizes[1] *= batch;
    shape.sizes[0] = 1;
    kdl_tensor *flat = kdl__hold(&scope, kdl_reshape(input, shape));
    kdl_tensor *result = kdl__hold(
        &scope, kdl_f_batch_norm(flat, wide[0], wide[1], wide[2], wide[3], true, momentum, eps));
    if (result) {
        put_mean(vectors[0], wide[0], batch);
        put_mean(vectors[1], wide[1], batch);
    }
    return kdl__close(&scope, kdl_reshape(result, kdl_tensor_shape(input)));
}

kdl_tensor *kdl_f_instance_norm(kdl_tensor *input, kdl_tensor *running_mean,
                                kdl_tensor *running_var, kdl_tensor *weight, kdl_tensor *bias,
                                bool use_input_stats, double momentum, double eps)
{
    kdl_tensor *const vectors[] = { running_mean, running_var, weight, bias };
    if (!kdl__usable(__func__, 1, &input) || !check_instances(input, vectors, use_input_stats))
        return NULL;
    if (!use_input_stats)
        return kdl_f_batch_norm(input, running_mean, running_var, weight, bias, false, momentum,
                                eps);
    if (input->numel == 0)
        return kdl_clone(input);
    return norm_instances(input, vectors, momentum, eps);
}

/* ---- neighbouring channels ---------------------------------------------------------------- */

/*
 * The sums of the squares of channels [c - before, c + behind], times `scale`: windows over (N, 1,
 * C, the rest), padded with zeros.
 */
static kdl_tensor *neighbours(kdl_tensor *input, int64_t before, int64_t behind, double scale)
{
    kdl__scope scope = { 0 };
    int64_t size = before + behind + 1, rest = 1;
    for (int d = 2; d < input->ndim; d++)
        rest *= input->dims[d];
    kdl_shape folded = KDL_SHAPE(input->dims[0], 1, input->dims[1], rest);
    kdl_tensor *squares = kdl__hold(&scope, kdl_square(input));
    kdl_tensor *planes = kdl__hold(&scope, kdl_reshape(squares, folded));
    kdl_tensor *padded = kdl__hold(&scope, kdl_f_pad(planes, KDL_SHAPE(0, 0, before, behind)));
    kdl_tensor *means =
        kdl__hold(&scope, kdl_f_avg_pool2d(padded, KDL_SHAPE(size, 1), .stride = 1));
    kdl_tensor *scaled = kdl__hold(&scope, kdl_mul(means, scale * (double)size));
    return kdl__close(&scope, kdl_reshape(scaled, kdl_tensor_shape(input)));
}

/* input / (k + neighbours) ** beta; `divisor` is the sum (consumed). */
static kdl_tensor *divided(kdl_tensor *input, kdl_tensor *sums, double beta, double k)
{
    kdl__scope scope = { 0 };
    kdl_tensor *base = kdl__hold(&scope, kdl_add(kdl__hold(&scope, sums), k));
    return kdl__close(&scope, kdl_div_tensor(input, kdl__hold(&scope, kdl_pow(base, beta))));
}

kdl_tensor *kdl_f_local_response_norm(kdl_tensor *input, int64_t size, double alpha, double beta,
                                      double k)
{
    if (!kdl__usable(__func__, 1, &input))
        return NULL;
    if (input->ndim < 3) {
        kdl__fail(input->ctx, KDL_ERROR_VALUE,
                  "Expected 3D or higher dimensionality                          input (got %d "
                  "dimensions)",
                  input->ndim);
        return NULL;
    }
    if (input->numel == 0)
        return kdl_tensor_retain(input);
    if (size < 1 || size > INT32_MAX) {
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "kernel size should be greater than zero, but got kH: %" PRId64 " kW: 1", size);
        return NULL;
    }
    return divided(input, neighbours(input, size / 2, (size - 1) / 2, alpha / (double)size), beta,
                   k);
}

/* ---- across maps -------------------------------------------------------------------------- */

/*
 * Sums over channels [c - before, c + behind], and `always` (below 0: none); freed by the caller.
 */
static kdl__taps *channel_taps(kdl_context *ctx, int64_t channels, int64_t before, int64_t behind,
                               int64_t always)
{
    before = before < channels ? before : channels;
    behind = behind < channels ? behind : channels;
    kdl__taps *taps = kdl__taps_new(ctx, 1, channels, channels, before + behind + 2);
    for (int64_t c = 0; taps && c < channels; c++) {
        kdl__tap *tap = taps->tap + c * taps->width;
        for (int64_t i = c - before; i <= c + behind; i++)
            if (i >= 0 && i < channels)
                *tap++ = (kdl__tap){ i, 1 };
        if (always >= 0 && always < c - before)
            *tap = (kdl__tap){ always, 1 };
    }
    return taps;
}

static kdl_tensor *sum_channels(kdl_tensor *x, int64_t before, int64_t behind, int64_t always)
{
    kdl__taps *taps = x ? channel_taps(x->ctx, x->dims[1], before, behind, always) : NULL;
    kdl_tensor *sums = taps ? kdl__compute_resample(x, taps) : NULL;
    if (x)
        kdl_free(x->ctx, taps);
    return sums;
}

/*
 * What PyTorch's class computes as the gradient, which is not quite the derivative: its window lies
 * otherwise. numbers: alpha / size and beta; integers[0]: size; saved: x, the divisor's base, y.
 */
static void cross_map_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *x = kdl__saved_value(function, 0), *base = kdl__saved_value(function, 1);
    kdl_tensor *y = kdl__saved_value(function, 2);
    if (!x || !base || !y)
        return;
    int64_t size = function->integers[0], before = size - size / 2;
    kdl__scope scope = { 0 };
    kdl_tensor *ratio =
        kdl__hold(&scope, kdl_div_tensor(kdl__hold(&scope, kdl_mul_tensor(grad, y)), base));
    kdl_tensor *row_major = kdl__hold(&scope, kdl_contiguous(ratio));
    kdl_tensor *sums = kdl__hold(&scope, sum_channels(row_major, before, size - 1 - before, -1));
    kdl_tensor *minus = kdl__hold(&scope, kdl_mul(kdl__hold(&scope, kdl_mul_tensor(x, sums)),
                                                  -2 * function->numbers.a * function->numbers.b));
    kdl_tensor *power = kdl__hold(&scope, kdl_pow(base, -function->numbers.b));
    kdl_tensor *direct = kdl__hold(&scope, kdl_mul_tensor(power, grad));
    kdl__give(function, 0, kdl__close(&scope, kdl_add_tensor(direct, minus)));
}

static const kdl__function_class cross_map_class = { "CrossMapLRN2dBackward", cross_map_backward };

/*
 * Windows of (size - 1) / 2 channels on each side; the first channel, once in the sum, stays in it,
 * as it does in PyTorch.
 */
static kdl_tensor *cross_map(kdl_tensor *x, int64_t size, kdl__numbers numbers, double k)
{
    kdl__scope scope = { 0 };
    const kdl__tape *tape = kdl__no_grad(x->ctx);
    kdl_tensor *squares = kdl__hold(&scope, kdl_square(x));
    int64_t side = (size - 1) / 2;
    kdl_tensor *sums = kdl__hold(&scope, sum_channels(squares, side, side, 0));
    kdl_tensor *base = kdl__hold(&scope, kdl_add(kdl__hold(&scope, kdl_mul(sums, numbers.a)), k));
    kdl_tensor *power = kdl__hold(&scope, kdl_pow(base, -numbers.b));
    kdl_tensor *result = kdl_mul_tensor(x, power);
    x->ctx->tape = tape;
    kdl__function *function = kdl__record(result, &cross_map_class, 1, x);
    if (function) {
        function->numbers = numbers;
        function->integers[0] = size;
    }
    kdl__save(function, 0, x);
    kdl__save(function, 1, base);
    kdl__save(function, 2, result);
    return kdl__close(&scope, result);
}

kdl_tensor *kdl_f_cross_map_lrn2d(kdl_tensor *input, int64_t size, double alpha, double beta,
                                  double k)
{
    kdl_tensor *x = kdl__row_major(input, __func__), *result = NULL;
    if (!x)
        return NULL;
    if (x->ndim != 4)
        kdl__fail(x->ctx, KDL_ERROR_VALUE,
                  "CrossMapLRN2d: Expected input to be 4D, got %dD instead.", x->ndim);
    else if (size < 1 || size > INT32_MAX)
        kdl__fail(x->ctx, KDL_ERROR_RUNTIME, "the size must be positive, but is %" PRId64, size);
    else
        result = cross_map(x, size, (kdl__numbers){ alpha / (double)size, beta, 0 }, k);
    kdl_tensor_release(x);
    return result ? kdl__cast(result, input->storage->dtype) : NULL;
}
