/* SPDX-License-Identifier: Apache-2.0 */
/* AdaptiveLogSoftmaxWithLoss (torch/nn/modules/adaptive.py). */
#include <math.h>

#include "nn/arguments.h"

static void fail(kdl_module *module, kdl_status status, const char *message)
{
    kdl__fail_at(module->ctx, module->class->name, status, "%s", message);
}

/* Python's checks of the cutoffs, behind which it then puts n_classes. */
static bool check_cutoffs(kdl_module *module)
{
    kdl_adaptive_log_softmax_with_loss_options *adaptive = kdl_module_fields(module);
    kdl_shape *cutoffs = &adaptive->cutoffs;
    int64_t below = 0;
    bool rising = true;
    for (int i = 0; i < cutoffs->ndim; below = cutoffs->sizes[i++])
        rising = rising && cutoffs->sizes[i] > below && cutoffs->sizes[i] < adaptive->n_classes;
    if (cutoffs->ndim == 0 && cutoffs->sizes[0] != KDL_EMPTY_TUPLE)
        fail(module, KDL_ERROR_TYPE, "'int' object is not iterable");
    else if (cutoffs->ndim == 0)
        fail(module, KDL_ERROR_VALUE, "cutoffs should be a sequence of length larger than 0");
    else if (!rising)
        fail(module, KDL_ERROR_VALUE,
             "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
             "order, where each value is between 1 and n_classes-1");
    else if (cutoffs->ndim == KDL_MAX_DIMS)
        fail(module, KDL_ERROR_NOT_IMPLEMENTED, "more than 15 cutoffs are not supported");
    else
        cutoffs->sizes[cutoffs->ndim++] = adaptive->n_classes;
    return !kdl__failed(module->ctx);
}

/* a // b of Python's ints; b is not 0. */
static int64_t divide_ints(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

/* a // b of Python's floats; b is not 0. */
static double divide_floats(double a, double b)
{
    double rest = fmod(a, b), quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0))
        quotient -= 1;
    double down = floor(quotient);
    return quotient - down > 0.5 ? down + 1 : down;
}

/* in_features // div_value**exponent, where div_value is an int. */
static int64_t divide_by_int(kdl_module *module, int64_t in_features, int64_t base, int exponent)
{
    int64_t power = 1;
    bool beyond = false, negative = base < 0 && exponent % 2 == 1;
    for (int i = 0; i < exponent && !beyond; i++)
        beyond = __builtin_mul_overflow(power, base, &power);
    if (power == 0) {
        fail(module, KDL_ERROR_ZERO_DIVISION, "integer division or modulo by zero");
        return 0;
    }
    if (beyond) /* the quotient lies between -1 and 1 */
        return in_features != 0 && (in_features < 0) != negative ? -1 : 0;
    return divide_ints(in_features, power);
}

/* int(in_features // div_value**exponent), where div_value is a float. */
static int64_t divide_by_float(kdl_module *module, int64_t in_features, double base, int exponent)
{
    double power = pow(base, exponent), quotient;
    if (isinf(power) && isfinite(base)) /* Python's OverflowError */
        fail(module, KDL_ERROR_VALUE, "(34, 'Numerical result out of range')");
    else if (power == 0)
        fail(module, KDL_ERROR_ZERO_DIVISION, "float floor division by zero");
    if (kdl__failed(module->ctx))
        return 0;
    quotient = divide_floats((double)in_features, power);
    if (isnan(quotient))
        fail(module, KDL_ERROR_VALUE, "cannot convert float NaN to integer");
    else if (isinf(quotient)) /* an OverflowError, too */
        fail(module, KDL_ERROR_VALUE, "cannot convert float infinity to integer");
    else if (!(fabs(quotient) < 0x1p63))
        fail(module, KDL_ERROR_TYPE,
             "empty(): argument 'size' failed to unpack the object at pos 1 with error \"Overflow "
             "when unpacking long long");
    return kdl__failed(module->ctx) ? 0 : (int64_t)quotient;
}

static kdl_module *make_linear(const kdl_module *module, int64_t inputs, int64_t outputs, bool bias)
{
    const kdl_adaptive_log_softmax_with_loss_options *adaptive = kdl_module_fields(module);
    return kdl_nn_linear(module->ctx, inputs, outputs, .bias = bias, .dtype = adaptive->dtype);
}

static void build_adaptive(kdl_module *module)
{
    const kdl_adaptive_log_softmax_with_loss_options *adaptive = kdl_module_fields(module);
    if (!check_cutoffs(module))
        return;
    const int64_t *cutoffs = adaptive->cutoffs.sizes, in_features = adaptive->in_features;
    int clusters = adaptive->cutoffs.ndim - 1;
    kdl_add_module(module, "head",
                   make_linear(module, in_features, cutoffs[0] + clusters, adaptive->head_bias));
    kdl_module *tail = kdl_nn_module_list(module->ctx);
    for (int i = 0; i < clusters && !kdl__failed(module->ctx); i++) {
        double number = adaptive->div_value;
        int64_t hidden = kdl_is_int(number) ? divide_by_int(module, in_features,
                                                            (int64_t)kdl_number(number), i + 1)
                                            : divide_by_float(module, in_features, number, i + 1);
        kdl_append(tail, kdl_nn_sequential(
                             module->ctx, make_linear(module, in_features, hidden, false),
                             make_linear(module, hidden, cutoffs[i + 1] - cutoffs[i], false)));
    }
    kdl_add_module(module, "tail", tail);
}

/* Of the head, then of the two Linears of each cluster. */
static kdl_status reset_adaptive(kdl_module *module)
{
    kdl_module *tail = kdl_submodule(module, "tail");
    kdl_reset_parameters(kdl_submodule(module, "head"));
    for (int64_t i = 0; i < kdl_child_count(tail); i++) {
        kdl_module *cluster = kdl_child(tail, i);
        kdl_reset_parameters(kdl_child(cluster, 0));
        kdl_reset_parameters(kdl_child(cluster, 1));
    }
    return module->ctx->status;
}

#define ADAPTIVE kdl_adaptive_log_softmax_with_loss_options
KDL__TABLE(adaptive, ADAPTIVE, KDL_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS_DEFAULTS, 3,
           (.build = build_adaptive), KDL__ARGUMENT(ADAPTIVE, in_features),
           KDL__ARGUMENT(ADAPTIVE, n_classes), KDL__ARGUMENT(ADAPTIVE, cutoffs),
           KDL__ARGUMENT(ADAPTIVE, div_value), KDL__ARGUMENT(ADAPTIVE, head_bias),
           KDL__FACTORY(ADAPTIVE))
KDL__LAYER(adaptive_log_softmax_with_loss, "AdaptiveLogSoftmaxWithLoss", NULL, ADAPTIVE,
           adaptive_arguments, .reset_parameters = reset_adaptive)
