/* SPDX-License-Identifier: Apache-2.0 */
/* torch.eye, arange and linspace: values that depend on the element's number. */
#include <math.h>
#include <string.h>

#include "kernels/half.h"
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

/* A number as it is when it was stored in the dtype. */
static double stored(kdl_dtype dtype, double value)
{
    switch (dtype) {
    case KDL_F64:
        return value;
    case KDL_F16:
        return kdl__f16_to_f32(kdl__f32_to_f16((float)value));
    case KDL_BF16:
        return kdl__bf16_to_f32(kdl__f32_to_bf16((float)value));
    default:
        return (float)value;
    }
}

/*
 * How PyTorch's kernel counts, with AVX2 and AVX-512 alike: in vectors of 32 bytes, as long as
 * there are pairs of them, whose first element is stored before the others are counted from it;
 * the elements behind are all counted from `start`. In double for f32 and f64, in float for the
 * 16-bit types. The compiler fused the multiplications and additions, but not those in bf16 vectors.
 */
typedef struct counting {
    kdl_dtype dtype;
    uint64_t lanes;      /* elements of a vector */
    uint64_t in_vectors; /* how many elements lie in pairs of vectors */
} counting;

#define COUNT(name, type, fused)                                                                   \
    static void name(const counting *how, type start, type step, uint64_t first, uint64_t n,       \
                     type *out)                                                                    \
    {                                                                                              \
        type base = 0;                                                                             \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            uint64_t at = first + i, lane = at < how->in_vectors ? at % how->lanes : 0;            \
            if (i == 0 || lane == 0)                                                               \
                base = (type)stored(how->dtype, fused(step, (type)(at - lane), start));            \
            out[i] =                                                                               \
                how->dtype == KDL_BF16 ? base + (type)lane * step : fused((type)lane, step, base); \
        }                                                                                          \
    }
COUNT(count_doubles, double, fma)
COUNT(count_floats, float, fmaf)

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
    const uint64_t numel = (uint64_t)op->region.numel, lanes = 32 / size;
    const counting how = { op->dtype, lanes, numel - numel % (2 * lanes) };
    const kdl__kernels *kernels = worker->cursor->kernels;
    char *out = values;
    for (uint64_t n; count > 0; count -= n, first += n, out += n * size) {
        n = count < CHUNK ? count : CHUNK;
        if (!kdl_dtype_is_floating_point(op->dtype)) {
            int64_t integers[CHUNK];
            count_integers(truncated(start), truncated(step), first, n, integers);
            kernels->convert(KDL_I64, integers, op->dtype, out, n);
        } else if (size == 2) {
            float floats[CHUNK];
            count_floats(&how, (float)start, (float)step, first, n, floats);
            kernels->convert(KDL_F32, floats, op->dtype, out, n);
        } else {
            double doubles[CHUNK];
            count_doubles(&how, start, step, first, n, doubles);
            kernels->convert(KDL_F64, doubles, op->dtype, out, n);
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

/*
 * From both ends towards the middle, so that both are met. With what GCC fuses in PyTorch's builds;
 * integers are computed in double.
 */
#define DIVIDE(name, type, fused)                                                                  \
    static void name(type start, type end, uint64_t steps, uint64_t first, uint64_t n, type *out)  \
    {                                                                                              \
        const type step = (end - start) / (type)(steps - 1);                                       \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            uint64_t at = first + i;                                                               \
            out[i] = at < steps / 2 ? fused(step, (type)at, start)                                 \
                                    : fused(-step, (type)(steps - at - 1), end);                   \
        }                                                                                          \
    }
DIVIDE(divide_doubles, double, fma)
DIVIDE(divide_floats, float, fmaf)

/* The 16-bit types: every intermediate result is stored. */
static void divide_halves(kdl_dtype dtype, double start, double end, uint64_t steps, uint64_t first,
                          uint64_t n, float *out)
{
    const float from = (float)stored(dtype, start), to = (float)stored(dtype, end);
    const float step = (float)stored(dtype, to - from) / (float)stored(dtype, (float)(steps - 1));
    const float stored_step = (float)stored(dtype, step);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = first + i;
        bool before = at < steps / 2;
        float number = (float)stored(dtype, (float)(before ? at : steps - at - 1));
        float distance = (float)stored(dtype, stored_step * number);
        out[i] = before ? from + distance : to - distance;
    }
}

static kdl_status linspace_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                 uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const double start = op->number[0], end = op->number[1];
    const size_t size = kdl_dtype_nbytes(op->dtype);
    const uint64_t steps = (uint64_t)op->region.numel;
    const bool is_float = kdl_dtype_is_floating_point(op->dtype);
    const kdl__kernels *kernels = worker->cursor->kernels;
    char *out = values;
    for (uint64_t n; count > 0; count -= n, first += n, out += n * size) {
        n = count < CHUNK ? count : CHUNK;
        if (op->dtype == KDL_F32) {
            divide_floats((float)start, (float)end, steps, first, n, (float *)out);
        } else if (is_float && size == 2) {
            float floats[CHUNK];
            divide_halves(op->dtype, start, end, steps, first, n, floats);
            kernels->convert(KDL_F32, floats, op->dtype, out, n);
        } else {
            double doubles[CHUNK];
            divide_doubles(is_float ? start : (double)truncated(start),
                           is_float ? end : (double)truncated(end), steps, first, n, doubles);
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
