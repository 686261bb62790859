/* SPDX-License-Identifier: Apache-2.0 */
/* Losses that are taken element by element of an input and a target. */
#include <math.h>
#include <string.h>

#include "autograd/loss.h"
#include "compute/pair.h"
#include "kindling/ops.h"

kdl_tensor *kdl__reduce_losses(kdl_tensor *losses, kdl_reduction reduction)
{
    if (!losses || reduction == KDL_REDUCTION_NONE)
        return losses;
    kdl_tensor *result = reduction == KDL_REDUCTION_MEAN ? kdl_mean(losses) : kdl_sum(losses);
    if (reduction == KDL_REDUCTION_BATCHMEAN && losses->ndim > 0) {
        kdl_tensor *sum = result;
        result = kdl_div(sum, (double)losses->dims[0]);
        kdl_tensor_release(sum);
    }
    kdl_tensor_release(losses);
    return result;
}

bool kdl__same_sizes(const kdl_tensor *a, const kdl_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->dims, b->dims, (size_t)a->ndim * sizeof *a->dims) == 0;
}

/* ---- the functions ----------------------------------------------------------------------- */

static void pair_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *x = kdl__saved_value(function, 0), *t = kdl__saved_value(function, 1);
    for (int i = 0; i < 2; i++)
        if (x && t && kdl__needs(function, i))
            kdl__give(function, i,
                      kdl__compute_pair_grad((kdl__pair_loss)function->integers[0], i == 1, grad, x,
                                             t, function->numbers));
}

#define PAIR_CLASS(name, backward_name, ...) { backward_name, pair_backward },
static const kdl__function_class classes[] = { KDL__PAIR_LIST(PAIR_CLASS) };

/* The losses of elements, recorded. */
static kdl_tensor *losses_of(kdl__pair_loss which, kdl_tensor *input, kdl_tensor *target,
                             double number, const char *place)
{
    kdl__operands pair;
    if (!kdl__operands_prepare(&pair, input, target, place))
        return NULL;
    kdl__numbers numbers = { number, 0, 0 };
    kdl_tensor *result = kdl__compute_pair(which, pair.a, pair.b, numbers);
    kdl__function *function = kdl__record(result, &classes[which], 2, pair.a, pair.b);
    if (function) {
        function->numbers = numbers;
        function->integers[0] = which;
    }
    kdl__save(function, 0, pair.a);
    kdl__save(function, 1, pair.b);
    kdl__operands_free(&pair);
    return kdl__cast(result, pair.dtype);
}

static kdl_tensor *loss(kdl__pair_loss which, kdl_tensor *input, kdl_tensor *target, double number,
                        kdl_reduction reduction, const char *place)
{
    return kdl__reduce_losses(losses_of(which, input, target, number, place), reduction);
}

/* ---- differences ------------------------------------------------------------------------- */

static void warn_of_sizes(const kdl_tensor *input, const kdl_tensor *target)
{
    if (!input || !target || kdl__same_sizes(input, target))
        return;
    kdl__warn(input->ctx,
              "Using a target size (torch.Size(%s)) that is different to the input size "
              "(torch.Size(%s)). This will likely lead to incorrect results due to "
              "broadcasting. Please ensure they have the same size.",
              kdl__shape_text(target->ndim, target->dims).chars,
              kdl__shape_text(input->ndim, input->dims).chars);
}

kdl_tensor *kdl_f_mse_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction)
{
    warn_of_sizes(input, target);
    return loss(KDL__PAIR_mse, input, target, 0, reduction, __func__);
}

kdl_tensor *kdl_f_l1_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction)
{
    warn_of_sizes(input, target);
    return loss(KDL__PAIR_l1, input, target, 0, reduction, __func__);
}

/* ValueError, unless `valid`. */
static bool check_number(const kdl_tensor *input, bool valid, const char *place, const char *text)
{
    if (!kdl__refuses(input) && !valid)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME, "%s", text);
    return valid;
}

kdl_tensor *kdl_f_smooth_l1_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction,
                                 double beta)
{
    warn_of_sizes(input, target);
    if (!check_number(input, beta >= 0, __func__,
                      "smooth_l1_loss does not support negative values for beta."))
        return NULL;
    return loss(beta == 0 ? KDL__PAIR_l1 : KDL__PAIR_smooth_l1, input, target, beta, reduction,
                __func__);
}

kdl_tensor *kdl_f_huber_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction,
                             double delta)
{
    warn_of_sizes(input, target);
    if (!check_number(input, delta > 0, __func__,
                      "huber_loss does not support non-positive values for delta."))
        return NULL;
    return loss(KDL__PAIR_huber, input, target, delta, reduction, __func__);
}

/* ---- of two classes ---------------------------------------------------------------------- */

/* times `weight`, which may be NULL, then made one. Consumes `losses`. */
static kdl_tensor *weighted(kdl_tensor *losses, kdl_tensor *weight, kdl_reduction reduction)
{
    kdl__scope scope = { 0 };
    if (weight)
        losses = kdl_mul_tensor(kdl__hold(&scope, losses), weight);
    return kdl__close(&scope, kdl__reduce_losses(losses, reduction));
}

/* ValueError (false) where the sizes differ. */
static bool check_same_sizes(const kdl_tensor *input, const kdl_tensor *target, bool logits,
                             const char *place)
{
    if (kdl__refuses(input) || kdl__refuses(target))
        return false;
    if (kdl__same_sizes(input, target))
        return true;
    const kdl_tensor *first = target, *second = input;
    kdl__fail_at(input->ctx, place, KDL_ERROR_VALUE,
                 logits ? "Target size (torch.Size(%s)) must be the same as input size "
                          "(torch.Size(%s))"
                        : "Using a target size (torch.Size(%s)) that is different to the input "
                          "size (torch.Size(%s)) is deprecated. Please ensure they have the same "
                          "size.",
                 kdl__shape_text(first->ndim, first->dims).chars,
                 kdl__shape_text(second->ndim, second->dims).chars);
    return false;
}

/* RuntimeError (false) where a value lies outside [0, 1]. */
static bool check_probabilities(kdl_tensor *input, const char *place)
{
    kdl__scope scope = { 0 };
    const kdl__tape *tape = kdl__no_grad(input->ctx);
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(input, place));
    kdl_tensor *row = kdl__hold(&scope, kdl_contiguous(kdl__hold(&scope, kdl_flatten(x, 0, -1))));
    input->ctx->tape = tape;
    bool valid = row && kdl_tensor_data(row);
    for (int64_t i = 0; valid && i < row->numel; i++) {
        double value = kdl__element(row, i);
        valid = value >= 0 && value <= 1;
    }
    if (row && !valid)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "all elements of input should be between 0 and 1");
    kdl__close(&scope, NULL);
    return valid;
}

kdl_tensor *kdl_f_binary_cross_entropy(kdl_tensor *input, kdl_tensor *target, kdl_tensor *weight,
                                       kdl_reduction reduction)
{
    if (!check_same_sizes(input, target, false, __func__) || !check_probabilities(input, __func__))
        return NULL;
    return weighted(losses_of(KDL__PAIR_bce, input, target, 0, __func__), weight, reduction);
}

/* (1 - t) x - (1 + (pos_weight - 1) t) logsigmoid(x) */
static kdl_tensor *positive_weighted(kdl_tensor *input, kdl_tensor *target, kdl_tensor *pos_weight)
{
    kdl__scope scope = { 0 };
    kdl_tensor *less = kdl__hold(&scope, kdl_sub(pos_weight, 1));
    kdl_tensor *more = kdl__hold(&scope, kdl_mul_tensor(less, target));
    kdl_tensor *factor = kdl__hold(&scope, kdl_add(more, 1));
    kdl_tensor *logarithm = kdl__hold(&scope, kdl_f_logsigmoid(input));
    kdl_tensor *positive = kdl__hold(&scope, kdl_mul_tensor(factor, logarithm));
    kdl_tensor *rest = kdl__hold(&scope, kdl_rsub(target, 1));
    kdl_tensor *negative = kdl__hold(&scope, kdl_mul_tensor(rest, input));
    return kdl__close(&scope, kdl_sub_tensor(negative, positive));
}

kdl_tensor *kdl_f_binary_cross_entropy_with_logits(kdl_tensor *input, kdl_tensor *target,
                                                   kdl_tensor *weight, kdl_tensor *pos_weight,
                                                   kdl_reduction reduction)
{
    if (!check_same_sizes(input, target, true, __func__))
        return NULL;
    kdl_tensor *losses = pos_weight ? positive_weighted(input, target, pos_weight)
                                    : losses_of(KDL__PAIR_bce_logits, input, target, 0, __func__);
    return weighted(losses, weight, reduction);
}

kdl_tensor *kdl_f_multilabel_soft_margin_loss(kdl_tensor *input, kdl_tensor *target,
                                              kdl_tensor *weight, kdl_reduction reduction)
{
    kdl__scope scope = { 0 };
    kdl_tensor *losses = losses_of(KDL__PAIR_bce_logits, input, target, 0, __func__);
    losses = kdl__hold(&scope, weighted(losses, weight, KDL_REDUCTION_NONE));
    /* By the input's last dimension, whatever it was broadcast to. */
    int dim = input ? input->ndim - 1 : 0;
    double size = dim >= 0 && input ? (double)input->dims[dim] : 1;
    kdl_tensor *sums = kdl__hold(&scope, kdl_sum_dim(losses, dim, false));
    return kdl__reduce_losses(kdl__close(&scope, kdl_div(sums, size)), reduction);
}

kdl_tensor *kdl_f_soft_margin_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction)
{
    return loss(KDL__PAIR_soft_margin, input, target, 0, reduction, __func__);
}

kdl_tensor *kdl_f_hinge_embedding_loss(kdl_tensor *input, kdl_tensor *target, double margin,
                                       kdl_reduction reduction)
{
    return loss(KDL__PAIR_hinge_embedding, input, target, margin, reduction, __func__);
}

/* ---- distributions ----------------------------------------------------------------------- */

kdl_tensor *kdl_f_kl_div(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction,
                         bool log_target)
{
    return loss(log_target ? KDL__PAIR_kl_log : KDL__PAIR_kl, input, target, 0, reduction,
                __func__);
}

/* Stirling's t log(t) - t + log(2 pi t) / 2, where t > 1; else 0. */
static kdl_tensor *stirling(kdl_tensor *target)
{
    kdl__scope scope = { 0 };
    kdl_tensor *large = kdl__hold(&scope, kdl_gt(target, 1));
    kdl_tensor *one = kdl__hold(&scope, kdl_ones_like(target));
    kdl_tensor *t = kdl__hold(&scope, kdl_where(large, target, one));
    kdl_tensor *logarithm = kdl__hold(&scope, kdl_log(t));
    kdl_tensor *product = kdl__hold(&scope, kdl_mul_tensor(t, logarithm));
    kdl_tensor *less = kdl__hold(&scope, kdl_sub_tensor(product, t));
    kdl_tensor *half = kdl__hold(&scope, kdl_mul(logarithm, 0.5));
    kdl_tensor *sum = kdl__hold(&scope, kdl_add_tensor(less, half));
    kdl_tensor *all = kdl__hold(&scope, kdl_add(sum, 0.5 * log(2 * M_PI)));
    kdl_tensor *zero = kdl__hold(&scope, kdl_zeros_like(target));
    return kdl__close(&scope, kdl_where(large, all, zero));
}

kdl_tensor *kdl_f_poisson_nll_loss(kdl_tensor *input, kdl_tensor *target, bool log_input, bool full,
                                   double eps, kdl_reduction reduction)
{
    kdl__scope scope = { 0 };
    kdl_tensor *losses = losses_of(log_input ? KDL__PAIR_poisson_log : KDL__PAIR_poisson, input,
                                   target, eps, __func__);
    if (full)
        losses = kdl_add_tensor(kdl__hold(&scope, losses), kdl__hold(&scope, stirling(target)));
    return kdl__close(&scope, kdl__reduce_losses(losses, reduction));
}

/* `var` as it broadcasts to the input; ValueError (NULL) if it does not. One reference. */
static kdl_tensor *variances(kdl_tensor *input, kdl_tensor *var)
{
    int differing = 0;
    for (int d = 0; d < input->ndim && var->ndim == input->ndim; d++)
        differing += input->dims[d] != var->dims[d] ? (int)var->dims[d] : 0;
    bool narrow = var->ndim == input->ndim - 1 &&
                  memcmp(var->dims, input->dims, (size_t)var->ndim * sizeof *var->dims) == 0;
    if (narrow)
        return kdl_unsqueeze(var, -1);
    if (kdl__same_sizes(input, var) || (var->ndim == input->ndim && differing == 1))
        return kdl_tensor_retain(var);
    kdl__fail_at(input->ctx, "kdl_f_gaussian_nll_loss", KDL_ERROR_VALUE,
                 "var is of incorrect size");
    return NULL;
}

/* Values below `eps` become it, with a gradient of 1 all the same. One reference; ValueError. */
static kdl_tensor *raised_to(kdl_tensor *var, double eps)
{
    kdl__scope scope = { 0 };
    if (kdl__refuses(var))
        return NULL;
    const kdl__tape *tape = kdl__no_grad(var->ctx);
    kdl_tensor *least = NULL, *missing = NULL;
    if (var->numel > 0)
        least = kdl__hold(&scope,
                          kdl_min_dim(kdl__hold(&scope, kdl_flatten(var, 0, -1)), 0, false, NULL));
    if (least && kdl_tensor_item(least) < 0)
        kdl__fail_at(var->ctx, "kdl_f_gaussian_nll_loss", KDL_ERROR_VALUE,
                     "var has negative entry/entries");
    kdl_tensor *clamped = kdl__hold(&scope, kdl_clamp(var, eps, INFINITY));
    missing = kdl__hold(&scope, kdl_sub_tensor(clamped, var));
    var->ctx->tape = tape;
    return kdl__close(&scope, kdl_add_tensor(var, missing));
}

kdl_tensor *kdl_f_gaussian_nll_loss(kdl_tensor *input, kdl_tensor *target, kdl_tensor *var,
                                    bool full, double eps, kdl_reduction reduction)
{
    kdl_tensor *all[] = { input, target, var };
    if (!kdl__usable(__func__, 3, all))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *v = kdl__hold(&scope, raised_to(kdl__hold(&scope, variances(input, var)), eps));
    kdl_tensor *squares = kdl__hold(&scope, losses_of(KDL__PAIR_mse, input, target, 0, __func__));
    kdl_tensor *relative = kdl__hold(&scope, kdl_div_tensor(squares, v));
    kdl_tensor *sum = kdl__hold(&scope, kdl_add_tensor(relative, kdl__hold(&scope, kdl_log(v))));
    kdl_tensor *losses = kdl_mul(sum, 0.5);
    if (full)
        losses = kdl_add(kdl__hold(&scope, losses), 0.5 * log(2 * M_PI));
    return kdl__close(&scope, kdl__reduce_losses(losses, reduction));
}
