/* SPDX-License-Identifier: Apache-2.0 */
/* torch.eye, arange and linspace: values that depend on the element's number. */
#include <math.h>
#include <string.h>

#include "ops/ops.h"

static const kdl_tensor_options default_options = KDL_TENSOR_DEFAULTS;
static const kdl_tensor_options default_int_options = KDL_TENSOR_INT_DEFAULTS;

/* A tensor on which `op` was applied. */
static kdl_tensor *created(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *options,
                           kdl__op *op, const char *place)
{
    kdl_tensor *tensor = kdl__empty(ctx, shape, options);
    kdl_status status = tensor ? kdl__op_apply(tensor, op, NULL, place) : ctx->status;
    return kdl__created(tensor, status, options->requires_grad, place);
}

/* ---- eye --------------------------------------------------------------------------------- */

static kdl_status eye_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                            uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const kdl__kernels *kernels = worker->cursor->kernels;
    size_t size = kdl_dtype_nbytes(op->dtype);
    uint64_t columns = (uint64_t)op->region.sizes[1];
    double value = 1;
    uint64_t one = 0;
    kernels->convert(KDL_F64, &value, op->dtype, &one, 1);
    memset(values, 0, count * size);
    /* The first diagonal element at or behind `first`, then one every columns + 1. */
    uint64_t row = first / columns;
    if (first % columns > row)
        row++;
    uint64_t rows = (uint64_t)op->region.sizes[0], last = rows < columns ? rows : columns;
    for (; row < last && row * (columns + 1) < first + count; row++)
        memcpy((char *)values + (row * (columns + 1) - first) * size, &one, size);
    return KDL_OK;
}

static kdl_status eye_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (op->region.ndim == 2)
        return KDL_OK;
    return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "an eye has 2 dimensions, not %d",
                        op->region.ndim);
}

const kdl__op_class kdl__op_eye = { .name = "eye", .range = eye_range, .check = eye_check };

kdl_tensor *kdl_eye_with(kdl_context *ctx, int64_t n, int64_t m, const kdl_tensor_options *options)
{
    if (kdl__failed(ctx))
        return NULL;
    if (n < 0 || m < 0) {
        kdl__fail_at(ctx, "kdl_eye", KDL_ERROR_RUNTIME,
                     "%s must be greater or equal to 0, got %lld", n < 0 ? "n" : "m",
                     (long long)(n < 0 ? n : m));
        return NULL;
    }
    if (__builtin_mul_overflow(n, m, &(int64_t){ 0 })) {
        kdl__fail_at(ctx, "kdl_eye", KDL_ERROR_RUNTIME, "numel: integer multiplication overflow");
        return NULL;
    }
    kdl__op op = { .class = &kdl__op_eye };
    return created(ctx, KDL_SHAPE(n, m), options ? options : &default_options, &op, "kdl_eye");
}

/* ---- arange ------------------------------------------------------------------------------ */

enum { CHUNK = 256 }; /* elements computed at a time, before they become the op's dtype */

/* As x86-64 converts it; kdl__scalar_check() lets no more than 2^63 itself pass beyond int64. */
static int64_t truncated(double value)
{
    return value < 0x1p63 ? (int64_t)value : INT64_MIN;
}

static void count_integers(int64_t start, int64_t step, uint64_t first, uint64_t n, int64_t *out)
{
    for (uint64_t i = 0; i < n; i++)
        out[i] = (int64_t)((uint64_t)start + (uint64_t)step * (first + i));
}

static kdl_status arange_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                               uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const double start = op->number[0], step = op->number[1];
    const size_t size = kdl_dtype_nbytes(op->dtype);
    const uint64_t numel = (uint64_t)op->region.numel;
    const kdl__kernels *kernels = worker->cursor->kernels;
    char *out = values;
    if (op->dtype == KDL_F32)
        kernels->arange_f32(start, step, numel, first, count, values);
    else if (op->dtype == KDL_F64)
        kernels->arange_f64(start, step, numel, first, count, values);
    else
        for (uint64_t n; count > 0; count -= n, first += n, out += n * size) {
            n = count < CHUNK ? count : CHUNK;
            if (kdl_dtype_is_floating_point(op->dtype)) {
                float floats[CHUNK];
                (op->dtype == KDL_F16 ? kernels->arange_f16 : kernels->arange_bf16)(
                    (float)start, (float)step, numel, first, n, floats);
                kernels->convert(KDL_F32, floats, op->dtype, out, n);
            } else {
                int64_t integers[CHUNK];
                count_integers(truncated(start), truncated(step), first, n, integers);
                kernels->convert(KDL_I64, integers, op->dtype, out, n);
            }
        }
    return KDL_OK;
}

/* The dtype that start and step are converted to before PyTorch's kernel counts. */
static kdl_dtype counting_dtype(kdl_dtype dtype)
{
    if (!kdl_dtype_is_floating_point(dtype))
        return KDL_I64;
    return kdl_dtype_nbytes(dtype) == 2 ? KDL_F32 : KDL_F64;
}

static kdl_status arange_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    kdl_dtype dtype = counting_dtype(op->dtype);
    if (op->dtype == KDL_BOOL)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"arange_cpu\" not implemented for 'Bool'");
    kdl_status status = kdl__scalar_check(ctx, place, dtype, op->number[0]);
    return status ? status : kdl__scalar_check(ctx, place, dtype, op->number[1]);
}

const kdl__op_class kdl__op_arange = {
    .name = "arange",
    .number_names = { "start", "step" },
    .range = arange_range,
    .check = arange_check,
};

static kdl_status check_bounds(kdl_context *ctx, double start, double end, double step)
{
    static const char place[] = "kdl_arange";
    if (!(step > 0 || step < 0))
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "step must be nonzero");
    if (!isfinite(start) || !isfinite(end))
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "unsupported range: %g -> %g", start,
                            end);
    if (step > 0 ? end < start : end > start)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "upper bound and lower bound inconsistent with step sign");
    return KDL_OK;
}

/* The length in integers, to which the numbers are truncated first; it wraps as PyTorch's does. */
static kdl_status integer_length(kdl_context *ctx, double start, double end, double step,
                                 double *length)
{
    static const char place[] = "kdl_arange";
    if (kdl__scalar_check(ctx, place, KDL_I64, start) ||
        kdl__scalar_check(ctx, place, KDL_I64, end) || kdl__scalar_check(ctx, place, KDL_I64, step))
        return ctx->status;
    const int64_t by = truncated(step);
    if (by == 0)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "step must be nonzero");
    const uint64_t span = (uint64_t)truncated(end) - (uint64_t)truncated(start);
    const int64_t rounded_up = (int64_t)(span + (uint64_t)by - (by > 0 ? 1 : UINT64_MAX));
    const int64_t steps = by == -1 ? 0 : rounded_up / by; /* INT64_MIN / -1 has no result */
    *length = by == -1 ? -(double)rounded_up : (double)steps;
    return KDL_OK;
}

kdl_tensor *kdl_arange_with(kdl_context *ctx, double start, double end, double step,
                            const kdl_tensor_options *options)
{
    if (kdl__failed(ctx))
        return NULL;
    if (!options)
        options = &default_int_options;
    kdl__op op = { .class = &kdl__op_arange, .dtype = options->dtype, .number = { start, step } };
    double length = ceil((end - start) / step);
    if (options->dtype == KDL_BOOL ? arange_check(&op, ctx, "kdl_arange")
                                   : check_bounds(ctx, start, end, step))
        return NULL;
    if (options->dtype == KDL_I64 && integer_length(ctx, start, end, step, &length))
        return NULL;
    if (!(length >= 0 && length < 0x1p63)) {
        kdl__fail_at(ctx, "kdl_arange", KDL_ERROR_RUNTIME, "invalid size, possible overflow?");
        return NULL;
    }
    return created(ctx, KDL_SHAPE((int64_t)length), options, &op, "kdl_arange");
}

/* ---- linspace ---------------------------------------------------------------------------- */

/* Numbers as they are when they were stored in the dtype. */
static void store(const kdl__kernels *kernels, kdl_dtype dtype, float *values, size_t n)
{
    uint16_t stored[CHUNK];
    kernels->convert(KDL_F32, values, dtype, stored, n);
    kernels->convert(dtype, stored, KDL_F32, values, n);
}

/* The 16-bit types: every intermediate result is stored. Two at least, a chunk at most. */
static void divide_halves(const kdl__kernels *kernels, const kdl__op *op, uint64_t first, size_t n,
                          float *out)
{
    const uint64_t steps = (uint64_t)op->region.numel;
    float ends[] = { (float)op->number[0], (float)op->number[1] }, step, last = (float)(steps - 1);
    store(kernels, op->dtype, ends, 2);
    step = ends[1] - ends[0];
    store(kernels, op->dtype, &step, 1);
    store(kernels, op->dtype, &last, 1);
    step /= last;
    store(kernels, op->dtype, &step, 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = first + i;
        out[i] = (float)(at < steps / 2 ? at : steps - at - 1);
    }
    store(kernels, op->dtype, out, n);
    for (size_t i = 0; i < n; i++)
        out[i] *= step;
    store(kernels, op->dtype, out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = first + i < steps / 2 ? ends[0] + out[i] : ends[1] - out[i];
}

/* Integers are computed in double. */
static kdl_status linspace_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                 uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const double start = op->number[0], end = op->number[1];
    const size_t size = kdl_dtype_nbytes(op->dtype);
    const uint64_t steps = (uint64_t)op->region.numel;
    const kdl__kernels *kernels = worker->cursor->kernels;
    char *out = values;
    if (op->dtype == KDL_F32)
        kernels->linspace_f32((float)start, (float)end, steps, first, count, values);
    else if (op->dtype == KDL_F64)
        kernels->linspace_f64(start, end, steps, first, count, values);
    else
        for (uint64_t n; count > 0; count -= n, first += n, out += n * size) {
            n = count < CHUNK ? count : CHUNK;
            if (kdl_dtype_is_floating_point(op->dtype)) {
                float floats[CHUNK];
                divide_halves(kernels, op, first, n, floats);
                kernels->convert(KDL_F32, floats, op->dtype, out, n);
            } else {
                double doubles[CHUNK];
                kernels->linspace_f64((double)truncated(start), (double)truncated(end), steps,
                                      first, n, doubles);
                kernels->convert(KDL_F64, doubles, op->dtype, out, n);
            }
        }
    return KDL_OK;
}

/* A single element is filled in. */
static kdl_status linspace_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (op->region.numel == 0)
        return KDL_OK;
    if (op->region.numel == 1) {
        op->class = &kdl__op_constant;
        return op->class->check(op, ctx, place);
    }
    if (op->dtype == KDL_BOOL)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"linspace_cpu\" not implemented for 'Bool'");
    kdl_status status = kdl__scalar_check(ctx, place, op->dtype, op->number[0]);
    return status ? status : kdl__scalar_check(ctx, place, op->dtype, op->number[1]);
}

const kdl__op_class kdl__op_linspace = {
    .name = "linspace",
    .number_names = { "start", "end" },
    .range = linspace_range,
    .check = linspace_check,
};

kdl_tensor *kdl_linspace_with(kdl_context *ctx, double start, double end, int64_t steps,
                              const kdl_tensor_options *options)
{
    if (kdl__failed(ctx))
        return NULL;
    if (steps < 0) {
        kdl__fail_at(ctx, "kdl_linspace", KDL_ERROR_RUNTIME,
                     "number of steps must be non-negative");
        return NULL;
    }
    kdl__op op = { .class = &kdl__op_linspace, .number = { start, end } };
    return created(ctx, KDL_SHAPE(steps), options ? options : &default_options, &op,
                   "kdl_linspace");
}
