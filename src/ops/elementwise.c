/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic on elements: add_ and mul_ by a number or a tensor, abs_, comparisons with a number.
 *
 * PyTorch converts the operands to a dtype in common and computes there; f16 and bf16 in float.
 * Here a piece of each operand is converted to that, combined, and converted to the result's dtype.
 */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "plan/region.h"

enum { PIECE = 1024 };
typedef union piece {
    float f32[PIECE];
    double f64[PIECE];
    uint64_t u64[PIECE]; /* integers wrap around */
    uint32_t u32[PIECE];
    uint8_t u8[PIECE];
    char bytes[PIECE * sizeof(double)];
} piece;

/* The dtype that values of `dtype` are computed in: the 16-bit floats in f32, bools in i64. */
static kdl_dtype computed_in(kdl_dtype dtype)
{
    if (dtype == KDL_BOOL)
        return KDL_I64;
    return dtype == KDL_F16 || dtype == KDL_BF16 ? KDL_F32 : dtype;
}

/* Whether a number counts as a Python int beside integers. */
static bool is_whole(double value)
{
    return value == floor(value) && value >= -0x1p63 && value < 0x1p63;
}

/* Converts `count` values (at most a piece) to `common`, and on to what is computed in. */
static void widen(const kdl__kernels *kernels, kdl_dtype dtype, const void *values,
                  kdl_dtype common, piece *out, uint64_t count)
{
    piece between;
    kernels->convert(dtype, values, common, between.bytes, count);
    kernels->convert(common, between.bytes, computed_in(common), out->bytes, count);
}

/*
 * The same of a Python number: a whole one beside integers is an int, of which they take the low
 * bits.
 */
static void widen_number(const kdl__kernels *kernels, double number, kdl_dtype dtype, piece *out)
{
    int64_t integer;
    if (kdl_dtype_is_floating_point(dtype)) {
        widen(kernels, KDL_F64, &number, dtype, out, 1);
    } else {
        kernels->convert(KDL_F64, &number, KDL_I64, &integer, 1);
        widen(kernels, KDL_I64, &integer, dtype, out, 1);
    }
}

/*
 * What a single operand beside values of `dtype` is converted to: PyTorch rounds it to their dtype
 * for an addition, but a factor of f16 and bf16 stays a float.
 */
static kdl_dtype single_dtype(const kdl__op_class *class, kdl_dtype dtype)
{
    bool factor = class == &kdl__op_mul || class == &kdl__op_mul_tensor;
    return factor && kdl_dtype_is_floating_point(dtype) ? computed_in(dtype) : dtype;
}

/* ---- add_ and mul_ ----------------------------------------------------------------------- */

static kdl_status number_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                               uint64_t first, uint64_t count, void *values)
{
    (void)whole, (void)first;
    const kdl__kernels *kernels = worker->cursor->kernels;
    const kdl_dtype computed = computed_in(op->dtype);
    const bool multiply = op->class == &kdl__op_mul;
    piece own, other;
    widen_number(kernels, op->number[0], single_dtype(op->class, op->dtype), &other);
    if (computed == op->dtype) {
        kernels->combine(computed, multiply, values, &other, true, count);
        return KDL_OK;
    }
    char *at = values;
    for (uint64_t n; count > 0; count -= n, at += n * kdl_dtype_nbytes(op->dtype)) {
        n = count < PIECE ? count : PIECE;
        kernels->convert(op->dtype, at, computed, own.bytes, n);
        kernels->combine(computed, multiply, &own, &other, true, n);
        kernels->convert(computed, own.bytes, op->dtype, at, n);
    }
    return KDL_OK;
}

/* 0: bools, 1: integers, 2: floating-point numbers. */
static int category(kdl_dtype dtype)
{
    return kdl_dtype_is_floating_point(dtype) ? 2 : dtype != KDL_BOOL;
}

/* torch.promote_types(a, b). */
static kdl_dtype promote(kdl_dtype a, kdl_dtype b)
{
    if (a == b || category(a) > category(b))
        return a;
    if (category(a) < category(b))
        return b;
    if (category(a) == 1)
        return a == KDL_I64 || b == KDL_I64 ? KDL_I64 : KDL_I32;
    return a == KDL_F64 || b == KDL_F64 ? KDL_F64 : KDL_F32;
}

kdl_dtype kdl__result_type(const kdl_tensor *a, const kdl_tensor *b)
{
    kdl_dtype of_a = a->storage->dtype, of_b = b->storage->dtype;
    if ((a->ndim == 0) == (b->ndim == 0))
        return promote(of_a, of_b);
    kdl_dtype scalar = a->ndim == 0 ? of_a : of_b, other = a->ndim == 0 ? of_b : of_a;
    return category(scalar) > category(other) ? scalar : other;
}

static kdl_status tensor_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                               uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const kdl__kernels *kernels = worker->cursor->kernels;
    kdl_dtype common = promote(op->dtype, op->source.dtype), computed = computed_in(common);
    const bool multiply = op->class == &kdl__op_mul_tensor;
    const void *memory = kdl__values_memory(&op->source, first);
    if (memory && computed == op->dtype && computed == op->source.dtype) {
        kernels->combine(computed, multiply, values, memory, false, count);
        return KDL_OK;
    }
    piece own, other, source;
    char *at = values;
    for (uint64_t n; count > 0; count -= n, first += n, at += n * kdl_dtype_nbytes(op->dtype)) {
        n = count < PIECE ? count : PIECE;
        kdl_status status = kdl__values_range(&op->source, worker, first, n, source.bytes);
        if (status)
            return status;
        widen(kernels, op->dtype, at, common, &own, n);
        widen(kernels, op->source.dtype, source.bytes, common, &other, n);
        kernels->combine(computed, multiply, &own, &other, false, n);
        kernels->convert(computed, own.bytes, op->dtype, at, n);
    }
    return KDL_OK;
}

static kdl_status refuse_result(kdl_context *ctx, kdl_dtype dtype, kdl_dtype result,
                                const char *place)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                        "result type %s can't be cast to the desired output type %s",
                        kdl_dtype_scalar_name(result), kdl_dtype_scalar_name(dtype));
}

static kdl_status check_number(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (!kdl_dtype_is_floating_point(op->dtype) && !is_whole(op->number[0]))
        return refuse_result(ctx, op->dtype, KDL_F32, place);
    return op->dtype == KDL_BOOL ? refuse_result(ctx, KDL_BOOL, KDL_I64, place) : KDL_OK;
}

static kdl_status check_tensor(kdl__op *op, kdl_context *ctx, const char *place)
{
    kdl_dtype common = promote(op->dtype, op->source.dtype);
    return category(common) > category(op->dtype) ? refuse_result(ctx, op->dtype, common, place)
                                                  : KDL_OK;
}

const kdl__op_class kdl__op_add = {
    .name = "add",
    .flags = KDL__OP_READS,
    .write = KDL__WRITE_ADD,
    .number_names = { "value" },
    .range = number_range,
    .check = check_number,
};

const kdl__op_class kdl__op_mul = {
    .name = "mul",
    .flags = KDL__OP_READS,
    .write = KDL__WRITE_SCALE,
    .number_names = { "value" },
    .range = number_range,
    .check = check_number,
};

const kdl__op_class kdl__op_add_tensor = {
    .name = "add_tensor",
    .flags = KDL__OP_READS | KDL__OP_SOURCE,
    .write = KDL__WRITE_ADD,
    .range = tensor_range,
    .check = check_tensor,
};

const kdl__op_class kdl__op_mul_tensor = {
    .name = "mul_tensor",
    .flags = KDL__OP_READS | KDL__OP_SOURCE,
    .write = KDL__WRITE_MUL,
    .range = tensor_range,
    .check = check_tensor,
};

static kdl_status apply_number(kdl_tensor *tensor, const kdl__op_class *class, double value,
                               const char *place)
{
    if (kdl__refuses(tensor) || kdl__check_written(tensor, NULL, place))
        return kdl__refusal(tensor);
    kdl__op op = { .class = class, .number = { value } };
    return kdl__op_apply(tensor, &op, NULL, place);
}

kdl_status kdl_add_(kdl_tensor *tensor, double value)
{
    return apply_number(tensor, &kdl__op_add, value, __func__);
}

kdl_status kdl_mul_(kdl_tensor *tensor, double value)
{
    return apply_number(tensor, &kdl__op_mul, value, __func__);
}

/*
 * A tensor without dimensions does not widen the result, as a number does not. Gives a reference.
 */
static kdl_tensor *as_operand(const kdl_tensor *tensor, const kdl__op_class *class,
                              kdl_tensor *other)
{
    if (other->ndim > 0 || tensor->ndim == 0)
        return kdl_tensor_retain(other);
    return kdl_to(other, single_dtype(class, kdl_tensor_dtype(tensor)));
}

static kdl_status apply_tensor(kdl_tensor *tensor, const kdl__op_class *class, kdl_tensor *other,
                               const char *place)
{
    kdl_status status = kdl__check_operand(tensor, other, place);
    if (status)
        return status;
    kdl__op op = {
        .dtype = kdl_tensor_dtype(tensor),
        .source = { .dtype = kdl_tensor_dtype(other) },
    };
    kdl_tensor *operand = NULL;
    if (!check_tensor(&op, tensor->ctx, place))
        operand = as_operand(tensor, class, other);
    if (operand)
        kdl__apply_source(tensor, class, operand, NULL, place);
    kdl_tensor_release(operand);
    return tensor->ctx->status;
}

kdl_status kdl_add_tensor_(kdl_tensor *tensor, kdl_tensor *other)
{
    return apply_tensor(tensor, &kdl__op_add_tensor, other, __func__);
}

kdl_status kdl_mul_tensor_(kdl_tensor *tensor, kdl_tensor *other)
{
    return apply_tensor(tensor, &kdl__op_mul_tensor, other, __func__);
}

/* ---- abs --------------------------------------------------------------------------------- */

static const kdl__op_class kdl__op_abs_of;

static kdl_status abs_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                            uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const void *source = values;
    if (op->class == &kdl__op_abs_of) {
        source = kdl__values_memory(&op->source, first);
        kdl_status status =
            source ? KDL_OK : kdl__values_range(&op->source, worker, first, count, values);
        if (status)
            return status;
        source = source ? source : values;
    }
    worker->cursor->kernels->absolute(op->dtype, source, values, count);
    return KDL_OK;
}

static kdl_status check_abs(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (op->dtype == KDL_BOOL)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"abs_cpu\" not implemented for 'Bool'");
    return KDL_OK;
}

/* In one pass; never recorded, where copies cost nothing. */
static const kdl__op_class kdl__op_abs_of = {
    .name = "abs_of",
    .flags = KDL__OP_SOURCE,
    .range = abs_range,
    .check = check_abs,
};

const kdl__op_class kdl__op_abs = {
    .name = "abs",
    .flags = KDL__OP_READS,
    .write = KDL__WRITE_ABS,
    .range = abs_range,
    .check = check_abs,
};

static kdl_status apply_abs(kdl_tensor *tensor, const char *place)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl__op op = { .class = &kdl__op_abs };
    return kdl__op_apply(tensor, &op, NULL, place);
}

kdl_status kdl_abs_(kdl_tensor *tensor)
{
    return apply_abs(tensor, __func__);
}

/* Of values in memory into another tensor there. */
static kdl_status absolute_of(kdl_tensor *tensor, kdl_tensor *result, const char *place)
{
    kdl__op op = { .class = &kdl__op_abs_of };
    kdl_status status = kdl__values_of(tensor, false, &op.source);
    return status ? status : kdl__op_apply(result, &op, NULL, place);
}

/* Without a record. */
static kdl_tensor *absolute(kdl_tensor *tensor, const char *place)
{
    const bool in_memory = tensor && !tensor->ctx->deferred;
    kdl_tensor *result = in_memory ? kdl_empty_like(tensor) : kdl_clone(tensor);
    if (result && (in_memory ? absolute_of(tensor, result, place) : apply_abs(result, place))) {
        kdl_tensor_release(result);
        return NULL;
    }
    return result;
}

kdl_tensor *kdl_abs(kdl_tensor *tensor)
{
    kdl_tensor *values = kdl_detach(tensor), *result = absolute(values, __func__);
    kdl_tensor_release(values);
    if (result && kdl__tape_wants(tensor))
        tensor->ctx->tape->absolute(tensor, result);
    return result;
}

/* ---- comparisons ------------------------------------------------------------------------- */

static kdl_status compare_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const kdl__kernels *kernels = worker->cursor->kernels;
    double value = op->number[0];
    /* An integer beside a fraction becomes a float, of the default dtype. */
    bool whole_number = is_whole(value);
    kdl_dtype common =
        kdl_dtype_is_floating_point(op->source.dtype) || whole_number ? op->source.dtype : KDL_F32;
    const kdl__relation relation = (kdl__relation)(op->class - kdl__op_comparisons);
    kdl_dtype computed = computed_in(common);
    piece number, own, source;
    unsigned char answers[PIECE];
    widen_number(kernels, value, common == KDL_BOOL ? KDL_I64 : common, &number);
    const void *memory = kdl__values_memory(&op->source, first);
    if (memory && computed == op->source.dtype && op->dtype == KDL_BOOL) {
        kernels->compare(computed, relation, memory, &number, values, count);
        return KDL_OK;
    }
    char *at = values;
    for (uint64_t n; count > 0; count -= n, first += n, at += n * kdl_dtype_nbytes(op->dtype)) {
        n = count < PIECE ? count : PIECE;
        kdl_status status = kdl__values_range(&op->source, worker, first, n, source.bytes);
        if (status)
            return status;
        widen(kernels, op->source.dtype, source.bytes, common, &own, n);
        kernels->compare(computed, relation, &own, &number, answers, n);
        kernels->convert(KDL_BOOL, answers, op->dtype, at, n);
    }
    return KDL_OK;
}

#define COMPARISON(word)                                                                           \
    {                                                                                              \
        .name = word, .flags = KDL__OP_SOURCE, .number_names = { "value" }, .range = compare_range \
    }
const kdl__op_class kdl__op_comparisons[KDL__COMPARISON_COUNT] = {
    [KDL__EQ] = COMPARISON("eq"), [KDL__NE] = COMPARISON("ne"), [KDL__LT] = COMPARISON("lt"),
    [KDL__LE] = COMPARISON("le"), [KDL__GT] = COMPARISON("gt"), [KDL__GE] = COMPARISON("ge"),
};

static kdl_tensor *apply_comparison(kdl_tensor *tensor, int relation, double value,
                                    const char *place)
{
    if (kdl__refuses(tensor))
        return NULL;
    kdl_tensor *result = kdl__empty_like(tensor, KDL_BOOL);
    kdl__op op = { .class = &kdl__op_comparisons[relation], .number = { value } };
    if (result && !kdl__values_of(tensor, !result->storage->data, &op.source))
        kdl__op_apply(result, &op, NULL, place);
    if (result && kdl__failed(tensor->ctx)) {
        kdl_tensor_release(result);
        return NULL;
    }
    return result;
}

#define DEFINE_COMPARISON(function, relation)                                                      \
    kdl_tensor *function(kdl_tensor *tensor, double value)                                         \
    {                                                                                              \
        return apply_comparison(tensor, relation, value, __func__);                                \
    }
DEFINE_COMPARISON(kdl_eq, KDL__EQ)
DEFINE_COMPARISON(kdl_ne, KDL__NE)
DEFINE_COMPARISON(kdl_lt, KDL__LT)
DEFINE_COMPARISON(kdl_le, KDL__LE)
DEFINE_COMPARISON(kdl_gt, KDL__GT)
DEFINE_COMPARISON(kdl_ge, KDL__GE)
