/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions along a dimension beyond sums and extremes: moments, norms, products. */
#include <math.h>
#include <string.h>

#include "autograd/lines.h"
#include "compute/unary.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* A reduced tensor with its dimension again, of size 1, unless it was kept. One reference. */
static kdl_tensor *with_dim(kdl_tensor *tensor, int ndim, int dim)
{
    return tensor && tensor->ndim < ndim ? kdl_unsqueeze(tensor, dim) : kdl_tensor_retain(tensor);
}

/* Without the dimension of size 1, unless it is to be kept. Consumes `tensor`. */
static kdl_tensor *without_dim(kdl_tensor *tensor, int dim, bool keepdim)
{
    if (!tensor || keepdim || tensor->ndim == 0)
        return tensor;
    kdl_tensor *result = kdl_squeeze(tensor, dim);
    kdl_tensor_release(tensor);
    return result;
}

/* How many elements a dimension has; the dimension wrapped in *dim. -1: an error stands. */
static int64_t length_of(const kdl_tensor *tensor, int *dim)
{
    if (kdl__refuses(tensor))
        return -1;
    *dim = kdl__dim_of(tensor, *dim);
    if (*dim < 0)
        return -1;
    return tensor->ndim ? tensor->dims[*dim] : 1;
}

/* ---- moments ----------------------------------------------------------------------------- */

/*
 * The tensor less the first element along `dim`, a constant: as elements that are all the same then
 * have a mean without rounding, their variance is 0. One reference.
 */
static kdl_tensor *less_first(kdl_tensor *tensor, int dim)
{
    kdl__scope scope = { 0 };
    kdl_tensor *constant = kdl__hold(&scope, kdl_detach(tensor));
    kdl_tensor *first = constant;
    if (constant && constant->ndim > 0 && constant->dims[dim] > 0)
        first = kdl__hold(&scope, kdl_narrow(constant, dim, 0, 1));
    else if (constant && constant->ndim > 0)
        return kdl__close(&scope, kdl_tensor_retain(tensor));
    return kdl__close(&scope, kdl_sub_tensor(tensor, first));
}

static kdl_tensor *variance(kdl_tensor *tensor, int dim, double correction, bool keepdim)
{
    kdl__scope scope = { 0 };
    int64_t count = length_of(tensor, &dim);
    if (count < 0)
        return NULL;
    kdl_tensor *shifted = kdl__hold(&scope, less_first(tensor, dim));
    kdl_tensor *mean = kdl__hold(&scope, kdl_mean_dim(shifted, dim, true));
    kdl_tensor *difference = kdl__hold(&scope, kdl_sub_tensor(shifted, mean));
    kdl_tensor *squares = kdl__hold(&scope, kdl_square(difference));
    kdl_tensor *sum = kdl__hold(&scope, kdl_sum_dim(squares, dim, keepdim));
    double divisor = (double)count - correction;
    return kdl__close(&scope, kdl_div(sum, divisor > 0 ? divisor : 0));
}

kdl_tensor *kdl_var_dim(kdl_tensor *tensor, int dim, double correction, bool keepdim)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(tensor, __func__));
    kdl_tensor *result = x ? variance(x, dim, correction, keepdim) : NULL;
    return kdl__close(&scope, result ? kdl__cast(result, tensor->storage->dtype) : NULL);
}

kdl_tensor *kdl_std_dim(kdl_tensor *tensor, int dim, double correction, bool keepdim)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(tensor, __func__));
    if (!x)
        return NULL;
    kdl_tensor *squared = kdl__hold(&scope, variance(x, dim, correction, keepdim));
    /* Where it is 0, so is the gradient, which the root alone would make 0 times infinity. */
    kdl_tensor *none = kdl__hold(&scope, kdl_eq(squared, 0));
    kdl_tensor *positive = kdl__hold(&scope, kdl_masked_fill(squared, none, 1));
    kdl_tensor *root = kdl__hold(&scope, kdl_sqrt(positive));
    kdl_tensor *result = kdl_masked_fill(root, none, 0);
    return kdl__close(&scope, kdl__cast(result, tensor->storage->dtype));
}

/* ---- extremes that share their gradient ---------------------------------------------------- */

/* integers: the dimension; saved: the input, the extremes. */
static void extremes_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    int dim = (int)function->integers[0];
    kdl_tensor *x = kdl__saved_value(function, 0), *y = kdl__saved_value(function, 1);
    if (!x || !y)
        return;
    y = kdl__hold(&scope, with_dim(y, x->ndim, dim));
    kdl_tensor *g = kdl__hold(&scope, with_dim(grad, x->ndim, dim));
    kdl_tensor *chosen = kdl__hold(&scope, y ? kdl__compute_binary(KDL__EQUAL, x, y, 1) : NULL);
    kdl_tensor *count = kdl__hold(&scope, kdl_sum_dim(chosen, dim, true));
    kdl_tensor *share = kdl__hold(&scope, kdl_div_tensor(g, count));
    kdl__give(function, 0, kdl__close(&scope, kdl_mul_tensor(chosen, share)));
}

static const kdl__function_class amax_class = { "AmaxBackward0", extremes_backward };
static const kdl__function_class amin_class = { "AminBackward0", extremes_backward };

static kdl_tensor *extremes(kdl_tensor *tensor, int dim, bool keepdim, bool least,
                            const char *place)
{
    kdl__scope scope = { 0 };
    const int given = dim;
    int64_t count = length_of(tensor, &dim);
    if (count == 0)
        kdl__fail_at(tensor->ctx, place, KDL_ERROR_INDEX,
                     "%s(): Expected reduction dim %d to have non-zero size.",
                     least ? "amin" : "amax", given);
    kdl_tensor *x = kdl__hold(&scope, count <= 0 ? NULL : kdl__operand(tensor, place));
    if (!x)
        return NULL;
    const kdl__tape *tape = kdl__no_grad(x->ctx);
    kdl_tensor *y = least ? kdl_min_dim(x, dim, keepdim, NULL) : kdl_max_dim(x, dim, keepdim, NULL);
    x->ctx->tape = tape;
    kdl__function *function = kdl__record(y, least ? &amin_class : &amax_class, 1, x);
    if (function)
        function->integers[0] = dim;
    kdl__save(function, 0, x);
    kdl__save(function, 1, y);
    return kdl__cast(kdl__close(&scope, y), tensor->storage->dtype);
}

kdl_tensor *kdl_amax(kdl_tensor *tensor, int dim, bool keepdim)
{
    return extremes(tensor, dim, keepdim, false, __func__);
}

kdl_tensor *kdl_amin(kdl_tensor *tensor, int dim, bool keepdim)
{
    return extremes(tensor, dim, keepdim, true, __func__);
}

/* ---- logsumexp --------------------------------------------------------------------------- */

/* The largest elements, 0 where they are infinite, as a constant. */
static kdl_tensor *shifts(kdl_tensor *tensor, int dim)
{
    kdl__scope scope = { 0 };
    const kdl__tape *tape = kdl__no_grad(tensor->ctx);
    kdl_tensor *most = kdl__hold(&scope, kdl_amax(tensor, dim, true));
    kdl_tensor *magnitude = kdl__hold(&scope, kdl_abs(most));
    kdl_tensor *infinite = kdl__hold(&scope, kdl_eq(magnitude, INFINITY));
    kdl_tensor *zero = kdl__hold(&scope, kdl_zeros_like(most));
    kdl_tensor *result = kdl__close(&scope, kdl_where(infinite, zero, most));
    tensor->ctx->tape = tape;
    return result;
}

kdl_tensor *kdl_logsumexp(kdl_tensor *tensor, int dim, bool keepdim)
{
    kdl__scope scope = { 0 };
    int64_t count = length_of(tensor, &dim);
    if (count < 0)
        return NULL;
    if (count == 0) { /* the logarithm of nothing */
        kdl_tensor *sum = kdl__hold(&scope, kdl_sum_dim(tensor, dim, keepdim));
        return kdl__close(&scope, kdl_log(sum));
    }
    kdl_tensor *shift = kdl__hold(&scope, shifts(tensor, dim));
    kdl_tensor *moved = kdl__hold(&scope, kdl_sub_tensor(tensor, shift));
    kdl_tensor *powers = kdl__hold(&scope, kdl_exp(moved));
    kdl_tensor *sum = kdl__hold(&scope, kdl_sum_dim(powers, dim, true));
    kdl_tensor *logarithm = kdl__hold(&scope, kdl_log(sum));
    return without_dim(kdl__close(&scope, kdl_add_tensor(logarithm, shift)), dim, keepdim);
}

/* ---- norms ------------------------------------------------------------------------------- */

static kdl_tensor *number(const kdl_tensor *like, double value)
{
    return kdl_full(like->ctx, KDL_SCALAR_SHAPE, value, .dtype = like->storage->dtype);
}

/* numerator / denominator, 0 where the denominator is 0. Nothing is consumed. */
static kdl_tensor *divide_or_zero(kdl_tensor *numerator, kdl_tensor *denominator)
{
    kdl__scope scope = { 0 };
    if (!numerator || !denominator)
        return NULL;
    kdl_tensor *quotient = kdl__hold(&scope, kdl_div_tensor(numerator, denominator));
    kdl_tensor *none = kdl__hold(&scope, kdl_eq(denominator, 0));
    kdl_tensor *zero = kdl__hold(&scope, number(numerator, 0));
    return kdl__close(&scope, kdl_where(none, zero, quotient));
}

/* The derivative of the p-norm by x: sign(x) (|x| / norm)^(p - 1), 0 where the norm is 0. */
static kdl_tensor *norm_slope(kdl_tensor *x, kdl_tensor *norm, double p, int dim)
{
    kdl__scope scope = { 0 };
    if (p == 2)
        return divide_or_zero(x, norm);
    kdl_tensor *magnitude = kdl__hold(&scope, kdl_abs(x));
    kdl_tensor *sign = kdl__hold(&scope, divide_or_zero(x, magnitude));
    if (p == 0)
        return kdl__close(&scope, kdl_mul(sign, 0));
    if (p == 1)
        return kdl__close(&scope, kdl_mul(sign, 1));
    kdl_tensor *factor;
    if (isinf(p)) {
        kdl_tensor *chosen = kdl__hold(
            &scope, magnitude ? kdl__compute_binary(KDL__EQUAL, magnitude, norm, 1) : NULL);
        kdl_tensor *count = kdl__hold(&scope, kdl_sum_dim(chosen, dim, true));
        factor = kdl__hold(&scope, kdl_div_tensor(chosen, count));
    } else {
        kdl_tensor *ratio = kdl__hold(&scope, divide_or_zero(magnitude, norm));
        factor = kdl__hold(&scope, kdl_pow(ratio, p - 1));
    }
    return kdl__close(&scope, kdl_mul_tensor(sign, factor));
}

/* integers: the dimension; numbers: p; saved: the input, the norms. */
static void norm_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    int dim = (int)function->integers[0];
    kdl_tensor *x = kdl__saved_value(function, 0), *norm = kdl__saved_value(function, 1);
    if (!x || !norm)
        return;
    norm = kdl__hold(&scope, with_dim(norm, x->ndim, dim));
    kdl_tensor *g = kdl__hold(&scope, with_dim(grad, x->ndim, dim));
    kdl_tensor *slope = kdl__hold(&scope, norm_slope(x, norm, function->numbers.a, dim));
    kdl__give(function, 0, kdl__close(&scope, kdl_mul_tensor(slope, g)));
}

static const kdl__function_class norm_class = { "LinalgVectorNormBackward0", norm_backward };

static kdl_tensor *norm_of(kdl_tensor *x, double p, int dim, bool keepdim)
{
    kdl__scope scope = { 0 };
    if (p == 2) {
        kdl_tensor *squares = kdl__hold(&scope, kdl_square(x));
        return kdl__close(&scope, kdl_sqrt(kdl__hold(&scope, kdl_sum_dim(squares, dim, keepdim))));
    }
    kdl_tensor *magnitude = kdl__hold(&scope, kdl_abs(x));
    if (isinf(p))
        return kdl__close(&scope, p > 0 ? kdl_amax(magnitude, dim, keepdim)
                                        : kdl_amin(magnitude, dim, keepdim));
    if (p == 0) {
        kdl_tensor *other = kdl__hold(&scope, kdl_ne(magnitude, 0));
        kdl_tensor *counted = kdl__hold(&scope, other ? kdl_to(other, x->storage->dtype) : NULL);
        return kdl__close(&scope, kdl_sum_dim(counted, dim, keepdim));
    }
    kdl_tensor *powers = kdl__hold(&scope, kdl_pow(magnitude, p));
    kdl_tensor *sum = kdl__hold(&scope, kdl_sum_dim(powers, dim, keepdim));
    return kdl__close(&scope, kdl_pow(sum, 1 / p));
}

kdl_tensor *kdl_norm_dim(kdl_tensor *tensor, double p, int dim, bool keepdim)
{
    kdl__scope scope = { 0 };
    const int given = dim;
    int64_t count = length_of(tensor, &dim);
    if (count == 0 && isinf(p))
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "linalg.vector_norm cannot compute the %s norm on the dimension %dbecause this "
                  "dimension is empty and the operation does not have an identity",
                  p > 0 ? "inf" : "-inf", given);
    kdl_tensor *x = kdl__hold(&scope, count < 0 ? NULL : kdl__operand(tensor, __func__));
    if (!x)
        return NULL;
    const kdl__tape *tape = kdl__no_grad(x->ctx);
    kdl_tensor *norm = norm_of(x, p, dim, keepdim);
    x->ctx->tape = tape;
    kdl__function *function = kdl__record(norm, &norm_class, 1, x);
    if (function) {
        function->integers[0] = dim;
        function->numbers.a = p;
    }
    kdl__save(function, 0, x);
    kdl__save(function, 1, norm);
    return kdl__cast(kdl__close(&scope, norm), tensor->storage->dtype);
}

/* ---- products and sums in order ------------------------------------------------------------ */

/* Sums from the first element on, or from the last. One reference. */
static kdl_tensor *running_sums(kdl_tensor *tensor, int dim, bool from_last)
{
    kdl_tensor *x = kdl__in_rows(tensor);
    kdl_tensor *result = x ? kdl__compute_running_sums(x, dim, from_last) : NULL;
    kdl_tensor_release(x);
    return result;
}

static void cumsum_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__give(function, 0, running_sums(grad, (int)function->integers[0], true));
}

static const kdl__function_class cumsum_class = { "CumsumBackward0", cumsum_backward };

kdl_tensor *kdl_cumsum(kdl_tensor *tensor, int dim)
{
    kdl__scope scope = { 0 };
    int64_t count = length_of(tensor, &dim);
    kdl_tensor *x = kdl__hold(&scope, count < 0 ? NULL : kdl__operand(tensor, __func__));
    if (!x)
        return NULL;
    kdl_tensor *result = running_sums(x, dim, false);
    kdl__function *function = kdl__record(result, &cumsum_class, 1, x);
    if (function)
        function->integers[0] = dim;
    return kdl__cast(kdl__close(&scope, result), tensor->storage->dtype);
}

/* The gradient of each element: g times the product of the others of its line. */
static kdl_tensor *products_of_others(const kdl_tensor *x, const kdl_tensor *g, int dim)
{
    kdl_tensor *result = kdl__new_values(x->ctx, x->storage->dtype, x->ndim, x->dims);
    const kdl__lines l = kdl__lines_of(x, dim);
    for (int64_t line = 0; result && line < l.lines; line++) {
        double product = kdl__element(g, line);
        for (int64_t i = 0; i < l.count; i++) {
            kdl__set_element(result, kdl__line_place(&l, line, i), product);
            product *= kdl__element(x, kdl__line_place(&l, line, i));
        }
        product = 1;
        for (int64_t i = l.count - 1; i >= 0; i--) {
            int64_t at = kdl__line_place(&l, line, i);
            kdl__set_element(result, at, kdl__element(result, at) * product);
            product *= kdl__element(x, at);
        }
    }
    return result;
}

static void prod_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__saved_value(function, 0), *g = kdl__hold(&scope, kdl__in_rows(grad));
    if (x && g)
        kdl__give(function, 0, products_of_others(x, g, (int)function->integers[0]));
    kdl__close(&scope, NULL);
}

static const kdl__function_class prod_class = { "ProdBackward1", prod_backward };

kdl_tensor *kdl_prod_dim(kdl_tensor *tensor, int dim, bool keepdim)
{
    kdl__scope scope = { 0 };
    int64_t count = length_of(tensor, &dim);
    kdl_tensor *x = kdl__hold(&scope, count < 0 ? NULL : kdl__operand(tensor, __func__));
    x = kdl__hold(&scope, x ? kdl__in_rows(x) : NULL);
    if (!x)
        return kdl__close(&scope, NULL);
    kdl_shape shape = kdl_tensor_shape(x);
    if (shape.ndim)
        shape.sizes[dim] = 1;
    kdl_tensor *result = kdl__new_values(x->ctx, x->storage->dtype, shape.ndim, shape.sizes);
    const kdl__lines l = kdl__lines_of(x, dim);
    for (int64_t line = 0; result && line < result->numel; line++) {
        double product = 1;
        for (int64_t i = 0; i < l.count; i++)
            product *= kdl__element(x, kdl__line_place(&l, line, i));
        kdl__set_element(result, line, product);
    }
    kdl__function *function = kdl__record(result, &prod_class, 1, x);
    if (function)
        function->integers[0] = dim;
    kdl__save(function, 0, x);
    result = without_dim(kdl__close(&scope, result), dim, keepdim);
    return kdl__cast(result, tensor->storage->dtype);
}

/* ---- of all elements ----------------------------------------------------------------------- */

/* The elements in one row. One reference. */
static kdl_tensor *as_row(kdl_tensor *tensor)
{
    return kdl__refuses(tensor) ? NULL : kdl_reshape(tensor, KDL_SHAPE(-1));
}

static kdl_tensor *extreme_of_all(kdl_tensor *tensor, bool least, const char *place)
{
    if (!kdl__refuses(tensor) && tensor->numel == 0)
        kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                     "%s(): Expected reduction dim to be specified for input.numel() == 0. Specify "
                     "the reduction dim with the 'dim' argument.",
                     least ? "min" : "max");
    kdl__scope scope = { 0 };
    kdl_tensor *row = kdl__hold(&scope, as_row(tensor));
    return kdl__close(&scope, row ? extremes(row, 0, false, least, place) : NULL);
}

kdl_tensor *kdl_max(kdl_tensor *tensor)
{
    return extreme_of_all(tensor, false, __func__);
}

kdl_tensor *kdl_min(kdl_tensor *tensor)
{
    return extreme_of_all(tensor, true, __func__);
}

kdl_tensor *kdl_prod(kdl_tensor *tensor)
{
    kdl__scope scope = { 0 };
    kdl_tensor *result = kdl_prod_dim(kdl__hold(&scope, as_row(tensor)), 0, false);
    return kdl__named(kdl__close(&scope, result), "ProdBackward0");
}

kdl_tensor *kdl_var(kdl_tensor *tensor, double correction)
{
    kdl__scope scope = { 0 };
    return kdl__close(&scope, kdl_var_dim(kdl__hold(&scope, as_row(tensor)), 0, correction, false));
}

kdl_tensor *kdl_std(kdl_tensor *tensor, double correction)
{
    kdl__scope scope = { 0 };
    return kdl__close(&scope, kdl_std_dim(kdl__hold(&scope, as_row(tensor)), 0, correction, false));
}
