/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of each element, of one tensor or of several that are broadcast, with gradients. */
#include <math.h>
#include <string.h>

#include "autograd/function.h"
#include "compute/unary.h"
#include "kernels/half.h"
#include "kindling/functional.h"

bool kdl__usable(const char *place, int count, kdl_tensor *const *tensors)
{
    for (int i = 0; i < count; i++)
        if (kdl__refuses(tensors[i]))
            return false;
    for (int i = 1; i < count; i++)
        if (kdl__check_contexts(tensors[0], tensors[i], place))
            return false;
    return true;
}

/* The dtype that values of a floating dtype are computed in. */
static kdl_dtype computed_in(kdl_dtype dtype)
{
    return dtype == KDL_F64 ? KDL_F64 : KDL_F32;
}

kdl_tensor *kdl__operand(kdl_tensor *tensor, const char *place)
{
    if (!kdl__usable(place, 1, &tensor))
        return NULL;
    kdl_dtype dtype = tensor->storage->dtype;
    if (kdl_dtype_is_floating_point(dtype))
        return kdl_to(tensor, computed_in(dtype));
    kdl__fail_at(tensor->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                 "not implemented for a tensor of %s: convert it with kdl_to()",
                 kdl_dtype_name(dtype));
    return NULL;
}

kdl_tensor *kdl__in_rows(kdl_tensor *tensor)
{
    return kdl__in_memory(kdl_contiguous(tensor));
}

kdl_tensor *kdl__row_major(kdl_tensor *tensor, const char *place)
{
    kdl__scope scope = { 0 };
    return kdl__close(&scope, kdl__in_rows(kdl__hold(&scope, kdl__operand(tensor, place))));
}

kdl_tensor *kdl__cast(kdl_tensor *tensor, kdl_dtype dtype)
{
    if (!tensor || tensor->storage->dtype == dtype)
        return tensor;
    kdl_tensor *converted = kdl_to(tensor, dtype);
    kdl_tensor_release(tensor);
    return converted;
}

double kdl__as_element(kdl_dtype dtype, double value)
{
    switch (dtype) {
    case KDL_F32:
        return (float)value;
    case KDL_F16:
        return kdl__f16_to_f32(kdl__f32_to_f16((float)value));
    case KDL_BF16:
        return kdl__bf16_to_f32(kdl__f32_to_bf16((float)value));
    default:
        return value;
    }
}

/* ---- of one tensor ----------------------------------------------------------------------- */

static void unary_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__unary *entry = function->table;
    kdl_tensor *saved = entry->saves ? kdl__saved_value(function, 0) : grad;
    if (saved)
        kdl__give(function, 0, kdl__compute_derivative(entry, grad, saved, function->numbers));
}

#define UNARY_CLASS(name, backward_name, ...) { backward_name, unary_backward },
static const kdl__function_class unary_classes[] = { KDL__UNARY_LIST(UNARY_CLASS) };

kdl_tensor *kdl__apply_unary(kdl_tensor *tensor, int which, kdl__numbers numbers, const char *place)
{
    const kdl__unary *entry = &kdl__unaries[which];
    kdl_tensor *x = kdl__operand(tensor, place);
    kdl_tensor *y = x ? kdl__compute_unary(entry, x, numbers) : NULL;
    kdl__function *function = kdl__record(y, &unary_classes[which], 1, x);
    if (function) {
        function->table = entry;
        function->numbers = numbers;
        if (entry->saves)
            kdl__save(function, 0, entry->saves == KDL__SAVES_y ? y : x);
    }
    kdl_tensor_release(x);
    return y ? kdl__cast(y, tensor->storage->dtype) : NULL;
}

/* kdl_abs() computes in every dtype, so what it saves may be f16 or bf16. */
static void abs_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_dtype dtype = grad->storage->dtype;
    kdl_tensor *x = kdl__saved_value(function, 0);
    kdl_tensor *values = kdl__hold(&scope, x ? kdl_to(x, computed_in(dtype)) : NULL);
    kdl_tensor *g = kdl__hold(&scope, values ? kdl_to(grad, computed_in(dtype)) : NULL);
    if (g)
        kdl__give(function, 0,
                  kdl__cast(kdl__compute_derivative(&kdl__unaries[KDL__UNARY_abs], g, values,
                                                    function->numbers),
                            dtype));
    kdl__close(&scope, NULL);
}

static const kdl__function_class abs_class = { "AbsBackward0", abs_backward };

void kdl__record_abs(kdl_tensor *source, kdl_tensor *result)
{
    kdl__save(kdl__record(result, &abs_class, 1, source), 0, source);
}

#define DEFINE_UNARY(public, which)                                                                \
    kdl_tensor *public(kdl_tensor * tensor)                                                        \
    {                                                                                              \
        return kdl__apply_unary(tensor, KDL__UNARY_##which, (kdl__numbers){ 0 }, __func__);        \
    }
#define DEFINE_UNARY_1(public, which, a, b, c)                                                     \
    kdl_tensor *public(kdl_tensor * tensor, double value)                                          \
    {                                                                                              \
        const kdl__numbers numbers = { a, b, c };                                                  \
        return kdl__apply_unary(tensor, KDL__UNARY_##which, numbers, __func__);                    \
    }
#define DEFINE_UNARY_2(public, which)                                                              \
    kdl_tensor *public(kdl_tensor * tensor, double a, double b)                                    \
    {                                                                                              \
        return kdl__apply_unary(tensor, KDL__UNARY_##which, (kdl__numbers){ a, b, 0 }, __func__);  \
    }

DEFINE_UNARY(kdl_neg, neg)
DEFINE_UNARY(kdl_exp, exp)
DEFINE_UNARY(kdl_expm1, expm1)
DEFINE_UNARY(kdl_log, log)
DEFINE_UNARY(kdl_log1p, log1p)
DEFINE_UNARY(kdl_sqrt, sqrt)
DEFINE_UNARY(kdl_rsqrt, rsqrt)
DEFINE_UNARY(kdl_reciprocal, reciprocal)
DEFINE_UNARY(kdl_square, square)
DEFINE_UNARY(kdl_exp2, exp2)
DEFINE_UNARY(kdl_log2, log2)
DEFINE_UNARY(kdl_log10, log10)
DEFINE_UNARY(kdl_sinh, sinh)
DEFINE_UNARY(kdl_cosh, cosh)
DEFINE_UNARY(kdl_asin, asin)
DEFINE_UNARY(kdl_acos, acos)
DEFINE_UNARY(kdl_atan, atan)
DEFINE_UNARY(kdl_asinh, asinh)
DEFINE_UNARY(kdl_acosh, acosh)
DEFINE_UNARY(kdl_atanh, atanh)
DEFINE_UNARY(kdl_erfc, erfc)
DEFINE_UNARY(kdl_sign, sign)
DEFINE_UNARY(kdl_floor, floor)
DEFINE_UNARY(kdl_ceil, ceil)
DEFINE_UNARY(kdl_round, round)
DEFINE_UNARY(kdl_trunc, trunc)
DEFINE_UNARY(kdl_sin, sin)
DEFINE_UNARY(kdl_cos, cos)
DEFINE_UNARY(kdl_tan, tan)
DEFINE_UNARY(kdl_tanh, tanh)
DEFINE_UNARY(kdl_erf, erf)
DEFINE_UNARY(kdl_sigmoid, sigmoid)
DEFINE_UNARY(kdl_f_relu, relu)
DEFINE_UNARY(kdl_f_logsigmoid, logsigmoid)
DEFINE_UNARY(kdl_f_silu, silu)
DEFINE_UNARY(kdl_f_mish, mish)
DEFINE_UNARY(kdl_f_softsign, softsign)
DEFINE_UNARY(kdl_f_tanhshrink, tanhshrink)
DEFINE_UNARY(kdl_f_hardsigmoid, hardsigmoid)
DEFINE_UNARY(kdl_f_hardswish, hardswish)
DEFINE_UNARY_1(kdl_mul, mul_number, value, 0, 0)
DEFINE_UNARY_1(kdl_div, div_number, value, 0, 0)
DEFINE_UNARY_1(kdl_rsub, rsub_number, value, 0, 0)
DEFINE_UNARY_1(kdl_rdiv, rdiv_number, value, 0, 0)
DEFINE_UNARY_1(kdl_pow, pow_number, value, 0, 0)
DEFINE_UNARY_1(kdl_f_elu, elu, value, 1, 1)
DEFINE_UNARY_1(kdl_f_celu, elu, value, 1, 1 / value)
DEFINE_UNARY_1(kdl_f_leaky_relu, leaky_relu, value, 0, 0)
DEFINE_UNARY_1(kdl_f_softshrink, softshrink, value, 0, 0)
DEFINE_UNARY_1(kdl_f_hardshrink, hardshrink, value, 0, 0)
DEFINE_UNARY_2(kdl_clamp, clamp)
DEFINE_UNARY_2(kdl_f_hardtanh, hardtanh)
DEFINE_UNARY_2(kdl_f_softplus, softplus)
DEFINE_UNARY_2(kdl_f_threshold, threshold)

/*
 * What is added to f16 and bf16 becomes an element first, what multiplies does not: as in PyTorch.
 */
static kdl_tensor *add_number(kdl_tensor *tensor, double value, const char *place)
{
    if (kdl__refuses(tensor))
        return NULL;
    const kdl__numbers numbers = { kdl__as_element(tensor->storage->dtype, value), 0, 0 };
    return kdl__apply_unary(tensor, KDL__UNARY_add_number, numbers, place);
}

kdl_tensor *kdl_add(kdl_tensor *tensor, double value)
{
    return add_number(tensor, value, __func__);
}

kdl_tensor *kdl_sub(kdl_tensor *tensor, double value)
{
    return add_number(tensor, -value, __func__);
}

kdl_tensor *kdl_f_relu6(kdl_tensor *tensor)
{
    return kdl__apply_unary(tensor, KDL__UNARY_hardtanh, (kdl__numbers){ 0, 6, 0 }, __func__);
}

kdl_tensor *kdl_f_selu(kdl_tensor *tensor)
{
    /* Klambauer et al., Self-Normalizing Neural Networks, 2017: alpha and scale. */
    static const kdl__numbers numbers = { 1.6732632423543772848170429916717,
                                          1.0507009873554804934193349852946, 1 };
    return kdl__apply_unary(tensor, KDL__UNARY_elu, numbers, __func__);
}

kdl_tensor *kdl_f_gelu(kdl_tensor *tensor, const char *approximate)
{
    bool is_tanh = approximate && strcmp(approximate, "tanh") == 0;
    if (!is_tanh && (!approximate || strcmp(approximate, "none") != 0)) {
        if (tensor && !kdl__failed(tensor->ctx))
            kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                      "approximate argument must be either none or tanh.");
        return NULL;
    }
    return kdl__apply_unary(tensor, is_tanh ? KDL__UNARY_gelu_tanh : KDL__UNARY_gelu,
                            (kdl__numbers){ 0 }, __func__);
}

/* ---- of two tensors ---------------------------------------------------------------------- */

void kdl__operands_free(kdl__operands *pair)
{
    kdl_tensor_release(pair->a);
    kdl_tensor_release(pair->b);
}

bool kdl__operands_prepare(kdl__operands *pair, kdl_tensor *a, kdl_tensor *b, const char *place)
{
    kdl_tensor *both[] = { a, b };
    if (!kdl__usable(place, 2, both))
        return false;
    pair->dtype = kdl__result_type(a, b);
    if (!kdl_dtype_is_floating_point(pair->dtype)) {
        kdl__fail_at(a->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "not implemented for tensors of %s: convert one with kdl_to()",
                     kdl_dtype_name(pair->dtype));
        return false;
    }
    pair->a = kdl_to(a, computed_in(pair->dtype));
    pair->b = kdl_to(b, computed_in(pair->dtype));
    if (pair->a && pair->b)
        return true;
    kdl__operands_free(pair);
    return false;
}

static kdl_tensor *binary(kdl__binary which, const kdl__function_class *class, kdl_tensor *a,
                          kdl_tensor *b, double alpha, const char *place)
{
    kdl__operands pair;
    if (!kdl__operands_prepare(&pair, a, b, place))
        return NULL;
    kdl_tensor *result = kdl__compute_binary(which, pair.a, pair.b, alpha);
    kdl__function *function = kdl__record(result, class, 2, pair.a, pair.b);
    if (function) {
        function->numbers.a = alpha;
        function->integers[0] = which;
        if (which == KDL__MUL) {
            kdl__save_factors(function, pair.a, pair.b);
        } else if (which != KDL__ADD) {
            kdl__save(function, 0, pair.a);
            kdl__save(function, 1, pair.b);
        }
        if (which == KDL__POW)
            kdl__save(function, 2, result);
    }
    kdl__operands_free(&pair);
    return kdl__cast(result, pair.dtype);
}

static void add_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__numbers numbers = { function->numbers.a, 0, 0 };
    if (kdl__needs(function, 0))
        kdl__give(function, 0, kdl_tensor_retain(grad));
    if (!kdl__needs(function, 1))
        return;
    kdl__give(function, 1,
              numbers.a == 1
                  ? kdl_tensor_retain(grad)
                  : kdl__compute_unary(&kdl__unaries[KDL__UNARY_mul_number], grad, numbers));
}

static void mul_backward(kdl__function *function, kdl_tensor *grad)
{
    for (int i = 0; i < 2; i++) {
        kdl_tensor *other = kdl__needs(function, i) ? kdl__saved_value(function, 1 - i) : NULL;
        if (other)
            kdl__give(function, i, kdl__compute_binary(KDL__MUL, grad, other, 1));
    }
}

/* The product of two tensors of which the first is consumed. */
static kdl_tensor *times(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *result = a && b ? kdl__compute_binary(KDL__MUL, a, b, 1) : NULL;
    kdl_tensor_release(a);
    return result;
}

/* a / b: g / b, and -(g / b) (a / b). */
static void div_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *a = kdl__saved_value(function, 0), *b = kdl__saved_value(function, 1);
    kdl_tensor *of_a = b ? kdl__compute_binary(KDL__DIV, grad, b, 1) : NULL;
    if (of_a && a && kdl__needs(function, 1)) {
        kdl_tensor *quotient = kdl__compute_binary(KDL__DIV, a, b, 1);
        kdl_tensor *of_b = times(quotient, of_a);
        kdl__give(function, 1,
                  of_b
                      ? kdl__compute_unary(&kdl__unaries[KDL__UNARY_neg], of_b, (kdl__numbers){ 0 })
                      : NULL);
        kdl_tensor_release(of_b);
    }
    if (kdl__needs(function, 0))
        kdl__give(function, 0, kdl_tensor_retain(of_a));
    kdl_tensor_release(of_a);
}

/* What is true of elements, as a mask of 1 and 0 that multiplies `value`; NULL on failure. */
static kdl_tensor *where_equal(kdl_tensor *a, double number, kdl_tensor *value)
{
    kdl_tensor *mask = kdl_eq(a, number), *zero = NULL, *result = NULL;
    if (mask)
        zero = kdl_zeros(a->ctx, KDL_SCALAR_SHAPE, .dtype = value->storage->dtype);
    if (zero)
        result = kdl__compute_where(mask, zero, value);
    kdl_tensor_release(mask);
    kdl_tensor_release(zero);
    return result;
}

/*
 * a ** b: g b a ** (b - 1), 0 where b is 0; g a ** b log(a), 0 where a is 0 (and b is not below).
 */
static void pow_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *a = kdl__saved_value(function, 0), *b = kdl__saved_value(function, 1);
    kdl_tensor *y = kdl__saved_value(function, 2);
    if (!a || !b || !y)
        return;
    if (kdl__needs(function, 0)) {
        kdl_tensor *less =
            kdl__compute_unary(&kdl__unaries[KDL__UNARY_add_number], b, (kdl__numbers){ -1, 0, 0 });
        kdl_tensor *power = less ? kdl__compute_binary(KDL__POW, a, less, 1) : NULL;
        kdl_tensor *all = times(times(power, b), grad);
        kdl__give(function, 0, all ? where_equal(b, 0, all) : NULL);
        kdl_tensor_release(all);
        kdl_tensor_release(less);
    }
    if (kdl__needs(function, 1)) {
        kdl_tensor *log = kdl__compute_unary(&kdl__unaries[KDL__UNARY_log], a, (kdl__numbers){ 0 });
        kdl_tensor *all = times(times(log, y), grad);
        kdl__give(function, 1, all ? where_equal(a, 0, all) : NULL);
        kdl_tensor_release(all);
    }
}

/* The gradient where an operand was chosen, half of it where both are equal. */
static void extreme_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *kept[] = { kdl__saved_value(function, 0), kdl__saved_value(function, 1) };
    bool largest = function->integers[0] == KDL__MAXIMUM;
    for (int i = 0; i < 2; i++) {
        if (!kept[0] || !kept[1] || !kdl__needs(function, i))
            continue;
        /* 1 where this one is chosen; where they are equal both are 1/2. */
        kdl_tensor *below = kept[largest ? 1 - i : i], *above = kept[largest ? i : 1 - i];
        kdl_tensor *chosen = kdl__compute_binary(KDL__LESS, below, above, 1);
        kdl_tensor *equal = kdl__compute_binary(KDL__EQUAL, below, above, 1);
        if (chosen && equal && !kdl__accumulate(chosen, equal, 0.5))
            kdl__give(function, i, kdl__compute_binary(KDL__MUL, chosen, grad, 1));
        kdl_tensor_release(chosen);
        kdl_tensor_release(equal);
    }
}

static const kdl__function_class add_class = { "AddBackward0", add_backward };
static const kdl__function_class sub_class = { "SubBackward0", add_backward };
static const kdl__function_class mul_class = { "MulBackward0", mul_backward };
static const kdl__function_class div_class = { "DivBackward0", div_backward };
static const kdl__function_class pow_class = { "PowBackward1", pow_backward };
static const kdl__function_class maximum_class = { "MaximumBackward0", extreme_backward };
static const kdl__function_class minimum_class = { "MinimumBackward0", extreme_backward };

#define DEFINE_BINARY(public, which, class, alpha)                                                 \
    kdl_tensor *public(kdl_tensor * a, kdl_tensor * b)                                             \
    {                                                                                              \
        return binary(which, &class, a, b, alpha, __func__);                                       \
    }
DEFINE_BINARY(kdl_add_tensor, KDL__ADD, add_class, 1)
DEFINE_BINARY(kdl_sub_tensor, KDL__ADD, sub_class, -1)
DEFINE_BINARY(kdl_mul_tensor, KDL__MUL, mul_class, 1)
DEFINE_BINARY(kdl_div_tensor, KDL__DIV, div_class, 1)
DEFINE_BINARY(kdl_pow_tensor, KDL__POW, pow_class, 1)
DEFINE_BINARY(kdl_maximum, KDL__MAXIMUM, maximum_class, 1)
DEFINE_BINARY(kdl_minimum, KDL__MINIMUM, minimum_class, 1)

/* ---- where ------------------------------------------------------------------------------- */

static void where_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *mask = kdl__saved_value(function, 0);
    kdl_tensor *zero = kdl_zeros(function->ctx, KDL_SCALAR_SHAPE, .dtype = grad->storage->dtype);
    if (mask && zero && kdl__needs(function, 0))
        kdl__give(function, 0, kdl__compute_where(mask, grad, zero));
    if (mask && zero && kdl__needs(function, 1))
        kdl__give(function, 1, kdl__compute_where(mask, zero, grad));
    kdl_tensor_release(zero);
}

static const kdl__function_class where_class = { "WhereBackward0", where_backward };

static bool check_condition(const kdl_tensor *a, const kdl_tensor *condition)
{
    if (condition->storage->dtype == KDL_BOOL)
        return true;
    kdl__fail_at(a->ctx, "kdl_where", KDL_ERROR_RUNTIME,
                 "where expected condition to be a boolean tensor, but got a tensor with dtype %s",
                 kdl_dtype_scalar_name(condition->storage->dtype));
    return false;
}

/* Of integers and bool, by way of i64. */
static kdl_tensor *where_integers(kdl_tensor *condition, kdl_tensor *a, kdl_tensor *b)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_to(a, KDL_I64)),
               *y = kdl__hold(&scope, kdl_to(b, KDL_I64));
    kdl_tensor *result = x && y ? kdl__compute_where(condition, x, y) : NULL;
    return kdl__cast(kdl__close(&scope, result), kdl__result_type(a, b));
}

kdl_tensor *kdl_where(kdl_tensor *condition, kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *all[] = { a, b, condition };
    if (!kdl__usable(__func__, 3, all) || !check_condition(a, condition))
        return NULL;
    if (!kdl_dtype_is_floating_point(kdl__result_type(a, b)))
        return where_integers(condition, a, b);
    kdl__operands pair;
    if (!kdl__operands_prepare(&pair, a, b, __func__))
        return NULL;
    kdl_tensor *result = kdl__compute_where(condition, pair.a, pair.b);
    kdl__save(kdl__record(result, &where_class, 2, pair.a, pair.b), 0, condition);
    kdl__operands_free(&pair);
    return kdl__cast(result, pair.dtype);
}
