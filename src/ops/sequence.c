/* SPDX-License-Identifier: Apache-2.0 */
/* torch.eye, arange, linspace and randperm: values that depend on the element's number. */
#include <math.h>
#include <string.h>

#include "ops/ops.h"

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
    kdl_tensor *tensor = kdl_empty_with(ctx, KDL_SHAPE(n, m), options);
    kdl__op op = { .class = &kdl__op_eye };
    if (tensor && kdl__op_apply(tensor, &op, NULL, "kdl_eye")) {
        kdl_tensor_release(tensor);
        return NULL;
    }
    return tensor;
}

/* ---- arange, linspace -------------------------------------------------------------------- */

/* Element `index` in the dtype of the sequence; `number` tells how it is computed. */
typedef double sequence_value(const kdl__op *op, uint64_t index);

static kdl_status sequence_range(const kdl__op *op, kdl__worker *worker, sequence_value *value_of,
                                 uint64_t first, uint64_t count, void *values)
{
    size_t size = kdl_dtype_nbytes(op->dtype);
    for (uint64_t i = 0; i < count; i++) {
        double value = value_of(op, first + i);
        worker->cursor->kernels->convert(KDL_F64, &value, op->dtype, (char *)values + i * size, 1);
    }
    return KDL_OK;
}

static double arange_value(const kdl__op *op, uint64_t index)
{
    return op->number[0] + op->number[1] * (double)index;
}

static kdl_status arange_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                               uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    return sequence_range(op, worker, arange_value, first, count, values);
}

const kdl__op_class kdl__op_arange = {
    .name = "arange",
    .number_names = { "start", "step" },
    .range = arange_range,
};

kdl_tensor *kdl_arange_with(kdl_context *ctx, double start, double end, double step,
                            const kdl_tensor_options *options)
{
    static const kdl_tensor_options defaults = KDL_TENSOR_INT_DEFAULTS;
    if (kdl__failed(ctx))
        return NULL;
    const char *wrong =
        step == 0 || isnan(step)             ? "step must be nonzero"
        : !isfinite(start) || !isfinite(end) ? "unsupported range: start and end must be finite"
        : (end - start) / step < 0 ? "upper bound and lower bound inconsistent with step sign"
                                   : NULL;
    double length = wrong ? 0 : ceil((end - start) / step);
    if (!wrong && length >= 0x1p63)
        wrong = "invalid size, possible overflow?";
    if (wrong) {
        kdl__fail_at(ctx, "kdl_arange", KDL_ERROR_RUNTIME, "%s", wrong);
        return NULL;
    }
    kdl_tensor *tensor =
        kdl_empty_with(ctx, KDL_SHAPE((int64_t)length), options ? options : &defaults);
    kdl__op op = { .class = &kdl__op_arange, .number = { start, step } };
    if (tensor && kdl__op_apply(tensor, &op, NULL, "kdl_arange")) {
        kdl_tensor_release(tensor);
        return NULL;
    }
    return tensor;
}

static double linspace_value(const kdl__op *op, uint64_t index)
{
    uint64_t steps = (uint64_t)op->region.numel;
    double start = op->number[0], end = op->number[1];
    if (steps == 1)
        return start;
    double step = (end - start) / (double)(steps - 1);
    return index < steps / 2 ? start + step * (double)index
                             : end - step * (double)(steps - index - 1);
}

static kdl_status linspace_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                 uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    return sequence_range(op, worker, linspace_value, first, count, values);
}

const kdl__op_class kdl__op_linspace = {
    .name = "linspace",
    .number_names = { "start", "end" },
    .range = linspace_range,
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
    kdl_tensor *tensor = kdl_empty_with(ctx, KDL_SHAPE(steps), options);
    kdl__op op = { .class = &kdl__op_linspace, .number = { start, end } };
    if (tensor && kdl__op_apply(tensor, &op, NULL, "kdl_linspace")) {
        kdl_tensor_release(tensor);
        return NULL;
    }
    return tensor;
}

/* ---- randperm ---------------------------------------------------------------------------- */

/* From this length on PyTorch draws 64 bits for each element and shuffles "inside out". */
static const uint64_t long_randperm = 214748364;

uint64_t kdl__permutation_draws(uint64_t n)
{
    return n >= long_randperm ? 2 * n : n - (n > 0);
}

static uint64_t randperm_draws(const kdl__op *op)
{
    return kdl__permutation_draws((uint64_t)op->region.numel);
}

/* Fisher-Yates from the front, with 32-bit draws. */
static void shuffle(int64_t *order, uint64_t n, kdl__cursor *cursor)
{
    for (uint64_t i = 0; i < n; i++)
        order[i] = (int64_t)i;
    for (uint64_t i = 0; i + 1 < n; i++) {
        uint64_t other = i + kdl__cursor_draw(cursor) % (n - i);
        int64_t swapped = order[i];
        order[i] = order[other];
        order[other] = swapped;
    }
}

static void shuffle_inside_out(int64_t *order, uint64_t n, kdl__cursor *cursor)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t other = kdl__cursor_draw64(cursor) % (i + 1);
        order[i] = (int64_t)i;
        order[i] = order[other];
        order[other] = (int64_t)i;
    }
}

void kdl__permutation(int64_t *order, uint64_t n, kdl__cursor *cursor)
{
    if (n >= long_randperm)
        shuffle_inside_out(order, n, cursor);
    else
        shuffle(order, n, cursor);
}

static kdl_status randperm_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    uint64_t n = (uint64_t)op->region.numel;
    int64_t *order = kdl__alloc_quiet(worker->ctx, n, sizeof *order);
    if (!order)
        return KDL_ERROR_MEMORY;
    kdl__cursor_move(worker->cursor, op->at.segment->stream, kdl__op_start(op));
    kdl__permutation(order, n, worker->cursor);
    prepared->whole = order;
    return KDL_OK;
}

static kdl_status randperm_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                 uint64_t first, uint64_t count, void *values)
{
    worker->cursor->kernels->convert(KDL_I64, (const int64_t *)whole + first, op->dtype, values,
                                     count);
    return KDL_OK;
}

/* The largest n whose numbers a float dtype holds exactly, as PyTorch says it; bf16 is not checked. */
static const char *float_limit(kdl_dtype dtype, int64_t n)
{
    if (dtype == KDL_F16 && n > 2049)
        return "2049";
    if (dtype == KDL_F32 && n > (INT64_C(1) << 24) + 1)
        return "2^24+1";
    if (dtype == KDL_F64 && n > (INT64_C(1) << 53) + 1)
        return "2^53+1";
    return NULL;
}

static kdl_status check_randperm(kdl_context *ctx, kdl_dtype dtype, int64_t n)
{
    static const char place[] = "kdl_randperm";
    const char *limit = float_limit(dtype, n);
    if (n < 0)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "Trying to create tensor with negative dimension %lld: [%lld]",
                            (long long)n, (long long)n);
    if (limit)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "n cannot be greater than %s for %s type.", limit,
                            kdl_dtype_scalar_name(dtype));
    if ((dtype == KDL_U8 && n > 256) || (dtype == KDL_I32 && n > INT64_C(1) << 31))
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "value cannot be converted to type %s without overflow",
                            dtype == KDL_U8 ? "uint8_t" : "int");
    if (dtype == KDL_BOOL)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"randperm\" not implemented for 'Bool'");
    return KDL_OK;
}

static kdl_status randperm_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    (void)place;
    return check_randperm(ctx, op->dtype, op->region.numel);
}

const kdl__op_class kdl__op_randperm = {
    .name = "randperm",
    .draws = randperm_draws,
    .prepare = randperm_prepare,
    .range = randperm_range,
    .check = randperm_check,
};

kdl_tensor *kdl_randperm_with(kdl_context *ctx, int64_t n, const kdl_tensor_options *options)
{
    static const kdl_tensor_options defaults = KDL_TENSOR_INT_DEFAULTS;
    if (kdl__failed(ctx))
        return NULL;
    if (!options)
        options = &defaults;
    if (check_randperm(ctx, options->dtype, n))
        return NULL;
    kdl_generator *generator = kdl__generator_or_default(ctx, options->generator);
    kdl_tensor *tensor = generator ? kdl_empty_with(ctx, KDL_SHAPE(n), options) : NULL;
    kdl__op op = { .class = &kdl__op_randperm };
    if (tensor && kdl__op_apply(tensor, &op, generator, "kdl_randperm")) {
        kdl_tensor_release(tensor);
        return NULL;
    }
    return tensor;
}
