/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of classes: of scores or their logarithms, and the numbers of classes. */
#include <math.h>
#include <string.h>

#include "autograd/loss.h"
#include "kindling/ops.h"

/* ---- sizes ------------------------------------------------------------------------------- */

/*
 * Scores (C), (N, C) or (N, C, ...): sample n, class c, place s at ((n * classes) + c) * inner + s.
 */
typedef struct scores {
    int64_t samples, classes, inner;
} scores;

static int class_dim(const kdl_tensor *input)
{
    return input->ndim > 1 ? 1 : 0;
}

static scores scores_of(int ndim, const int64_t *sizes)
{
    scores s = { ndim > 1 ? sizes[0] : 1, sizes[ndim > 1 ? 1 : 0], 1 };
    for (int d = 2; d < ndim; d++)
        s.inner *= sizes[d];
    return s;
}

/* The sizes of the classes of `input`: its own without the scores' dimension. */
static kdl_shape target_shape(const kdl_tensor *input)
{
    kdl_shape shape = { .ndim = input->ndim - 1 };
    for (int d = 0, at = 0; d < input->ndim; d++)
        if (d != class_dim(input))
            shape.sizes[at++] = input->dims[d];
    return shape;
}

static bool fits(const kdl_tensor *target, const kdl_shape *shape)
{
    return target->ndim == shape->ndim &&
           memcmp(target->dims, shape->sizes, (size_t)shape->ndim * sizeof *target->dims) == 0;
}

static bool check_weight_dtype(const kdl_tensor *input, const kdl_tensor *weight, const char *place)
{
    if (!weight || weight->storage->dtype == input->storage->dtype)
        return true;
    kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME, "expected scalar type %s but found %s",
                 kdl_dtype_scalar_name(input->storage->dtype),
                 kdl_dtype_scalar_name(weight->storage->dtype));
    return false;
}

static bool check_weight(const kdl_tensor *input, const kdl_tensor *weight, const char *place)
{
    int64_t classes = input->dims[class_dim(input)];
    if (!weight || (weight->ndim == 1 && weight->numel == classes))
        return check_weight_dtype(input, weight, place);
    kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                 "weight tensor should be defined either for all %" PRId64
                 " classes or no classes but got weight tensor of shape: %s",
                 classes, kdl__shape_text(weight->ndim, weight->dims).chars);
    return false;
}

static bool check_classes(kdl_tensor *input, kdl_tensor *target, kdl_tensor *weight,
                          const char *place)
{
    kdl_tensor *all[] = { input, target, weight };
    if (!kdl__usable(place, weight ? 3 : 2, all))
        return false;
    kdl_context *ctx = input->ctx;
    kdl_shape shape = input->ndim ? target_shape(input) : (kdl_shape){ 0 };
    int64_t batch = target->ndim ? target->dims[0] : 0;
    if (!kdl_dtype_is_floating_point(input->storage->dtype))
        kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "not implemented for a tensor of %s: convert it with kdl_to()",
                     kdl_dtype_name(input->storage->dtype));
    else if (input->ndim == 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "Expected 1 or more dimensions (got 0)");
    else if (input->ndim == 1 && target->ndim == 1 && batch != 1)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "For 1D input, 1D target must have size 1, but got target size: %" PRId64,
                     batch);
    else if (input->ndim > 1 && input->dims[0] != batch)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "Expected input batch_size (%" PRId64 ") to match target batch_size (%" PRId64
                     ").",
                     input->dims[0], batch);
    else if (input->ndim < 3 && target->ndim > 1)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "0D or 1D target tensor expected, multi-target not supported");
    else if (target->storage->dtype != KDL_I64)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "expected target dtype to be Long or Byte, but got %s",
                     kdl_dtype_scalar_name(target->storage->dtype));
    else if (!fits(target, &shape))
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "Expected target size %s, got %s",
                     kdl__shape_text(shape.ndim, shape.sizes).chars,
                     kdl__shape_text(target->ndim, target->dims).chars);
    return !kdl__failed(ctx) && check_weight(input, weight, place);
}

/* ---- nll_loss ---------------------------------------------------------------------------- */

/* integers: what is ignored; saved: the classes, the weights. */
static void nll_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl__scope scope = { 0 };
    kdl_tensor *target = kdl__saved_value(function, 0), *weight = kdl__saved_value(function, 1);
    kdl_tensor *g = kdl__hold(&scope, kdl__in_rows(grad));
    kdl_tensor *result =
        kdl__new_values(function->ctx, grad->storage->dtype, input->ndim, input->sizes);
    if (result && g && target) {
        const int64_t *labels = kdl_tensor_data(target);
        const scores s = scores_of(input->ndim, input->sizes);
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
        for (int64_t i = 0; i < s.samples * s.inner; i++) {
            if (labels[i] == function->integers[0])
                continue;
            double scale = function->numbers.a * (weight ? kdl__element(weight, labels[i]) : 1);
            int64_t at = (i / s.inner * s.classes + labels[i]) * s.inner + i % s.inner;
            kdl__set_element(result, at, -scale * kdl__element(g, g->numel > 1 ? i : 0));
        }
    }
    kdl__close(&scope, NULL);
    kdl__give(function, 0, result);
}

static const kdl__function_class nll_class = { "NllLossBackward0", nll_backward };

/* The losses, summed or not; the weights of what counts are added to *total. */
static kdl_tensor *pick_losses(kdl_tensor *input, kdl_tensor *target, kdl_tensor *weight,
                               int64_t ignore_index, kdl_reduction reduction, double *total)
{
    const scores s = scores_of(input->ndim, input->dims);
    bool each = reduction == KDL_REDUCTION_NONE;
    kdl_tensor *result =
        kdl__new_values(input->ctx, input->storage->dtype, each ? target->ndim : 0, target->dims);
    const int64_t *labels = kdl_tensor_data(target);
    double sum = 0;
    for (int64_t i = 0; result && i < s.samples * s.inner; i++) {
        bool counts = labels[i] != ignore_index;
        if (counts && (labels[i] < 0 || labels[i] >= s.classes)) {
            kdl__fail_at(input->ctx, "kdl_f_nll_loss", KDL_ERROR_INDEX,
                         "Target %" PRId64 " is out of bounds.", labels[i]);
            break;
        }
        int64_t at = counts ? (i / s.inner * s.classes + labels[i]) * s.inner + i % s.inner : 0;
        double factor = counts ? (weight ? kdl__element(weight, labels[i]) : 1) : 0;
        double loss = counts ? -factor * kdl__element(input, at) : 0;
        *total += factor;
        sum += loss;
        if (each)
            kdl__set_element(result, i, loss);
    }
    if (result && !each)
        kdl__set_element(result, 0, reduction == KDL_REDUCTION_MEAN ? sum / *total : sum);
    return result;
}

static kdl_tensor *nll(kdl_tensor *input, kdl_tensor *target, const kdl_f_class_loss_options *o,
                       double *total)
{
    kdl__scope scope = { 0 };
    kdl_dtype dtype = input->storage->dtype;
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(input, "kdl_f_nll_loss"));
    x = kdl__hold(&scope, kdl__in_rows(x));
    kdl_tensor *labels = kdl__hold(&scope, kdl__in_rows(target));
    kdl_tensor *weight = o->weight ? kdl__hold(&scope, kdl__in_rows(o->weight)) : NULL;
    kdl_tensor *result = NULL;
    *total = 0;
    if (x && labels && (weight || !o->weight))
        result = pick_losses(x, labels, weight, o->ignore_index, o->reduction, total);
    kdl__function *function = kdl__record(result, &nll_class, 1, x);
    if (function) {
        function->numbers.a = o->reduction == KDL_REDUCTION_MEAN ? 1 / *total : 1;
        function->integers[0] = o->ignore_index;
    }
    kdl__save(function, 0, labels);
    kdl__save(function, 1, weight);
    result = kdl__close(&scope, result);
    if (result && kdl__failed(result->ctx)) {
        kdl_tensor_release(result);
        return NULL;
    }
    return kdl__cast(result, dtype);
}

kdl_tensor *kdl_f_nll_loss_with(kdl_tensor *input, kdl_tensor *target,
                                const kdl_f_class_loss_options *given)
{
    kdl_f_class_loss_options options = KDL_F_CLASS_LOSS_DEFAULTS;
    double total;
    if (kdl__refuses(input) ||
        !kdl__read_options(input->ctx, "kdl_f_nll_loss", &options, sizeof options, given) ||
        !check_classes(input, target, options.weight, "kdl_f_nll_loss"))
        return NULL;
    return nll(input, target, &options, &total);
}

/* ---- cross_entropy ----------------------------------------------------------------------- */

/* The weights as they broadcast to scores: (C), (C, 1, ...). One reference; NULL for NULL. */
static kdl_tensor *weights_of_scores(kdl_tensor *weight, const kdl_tensor *like)
{
    kdl_shape shape = { .sizes = { -1 }, .ndim = like->ndim > 1 ? like->ndim - 1 : 1 };
    for (int d = 1; d < shape.ndim; d++)
        shape.sizes[d] = 1;
    return weight ? kdl_reshape(weight, shape) : NULL;
}

/* -sum over the classes of weights times logarithms. */
static kdl_tensor *minus_sum(kdl_tensor *logarithms, kdl_tensor *weight)
{
    kdl__scope scope = { 0 };
    int dim = class_dim(logarithms);
    kdl_tensor *weights = kdl__hold(&scope, weights_of_scores(weight, logarithms));
    if (weight)
        logarithms = kdl__hold(&scope, kdl_mul_tensor(logarithms, weights));
    kdl_tensor *sum = kdl__hold(&scope, kdl_sum_dim(logarithms, dim, false));
    return kdl__close(&scope, kdl_neg(sum));
}

/* (1 - smoothing) nll + smoothing / C of the losses of all classes together. */
static kdl_tensor *smoothed(kdl_tensor *logarithms, kdl_tensor *target,
                            const kdl_f_class_loss_options *o)
{
    kdl__scope scope = { 0 };
    double total, classes = (double)logarithms->dims[class_dim(logarithms)];
    kdl_tensor *picked = kdl__hold(&scope, nll(logarithms, target, o, &total));
    if (!picked)
        return NULL;
    kdl_tensor *all = kdl__hold(&scope, minus_sum(logarithms, o->weight));
    kdl_tensor *ignored = kdl__hold(&scope, kdl_eq(target, (double)o->ignore_index));
    kdl_tensor *zero = kdl__hold(&scope, kdl_zeros_like(all));
    kdl_tensor *spread = kdl__hold(&scope, kdl_where(ignored, zero, all));
    if (o->reduction != KDL_REDUCTION_NONE)
        spread = kdl__hold(&scope, kdl_sum(spread));
    double part = o->label_smoothing / classes;
    if (o->reduction == KDL_REDUCTION_MEAN)
        part /= total;
    kdl_tensor *first = kdl__hold(&scope, kdl_mul(picked, 1 - o->label_smoothing));
    kdl_tensor *second = kdl__hold(&scope, kdl_mul(spread, part));
    return kdl__close(&scope, kdl_add_tensor(first, second));
}

/* Of probabilities of classes instead of one. */
static kdl_tensor *of_probabilities(kdl_tensor *logarithms, kdl_tensor *target,
                                    const kdl_f_class_loss_options *o)
{
    kdl__scope scope = { 0 };
    int64_t classes = logarithms->dims[class_dim(logarithms)];
    int64_t samples = classes ? logarithms->numel / classes : 0;
    if (o->label_smoothing > 0) {
        target = kdl__hold(&scope, kdl_mul(target, 1 - o->label_smoothing));
        target = kdl__hold(&scope, kdl_add(target, o->label_smoothing / (double)classes));
    }
    kdl_tensor *products = kdl__hold(&scope, kdl_mul_tensor(logarithms, target));
    kdl_tensor *losses = products ? minus_sum(products, o->weight) : NULL;
    if (o->reduction == KDL_REDUCTION_NONE || !losses)
        return kdl__close(&scope, losses);
    kdl_tensor *sum = kdl_sum(kdl__hold(&scope, losses));
    if (o->reduction == KDL_REDUCTION_MEAN)
        sum = kdl_div(kdl__hold(&scope, sum), (double)samples);
    return kdl__close(&scope, sum);
}

static bool check_cross_entropy(kdl_tensor *input, kdl_tensor *target,
                                const kdl_f_class_loss_options *o)
{
    const char *place = "kdl_f_cross_entropy";
    kdl_tensor *all[] = { input, target, o->weight };
    if (!kdl__usable(place, o->weight ? 3 : 2, all))
        return false;
    if (!(o->label_smoothing >= 0 && o->label_smoothing <= 1)) {
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "label_smoothing must be between 0.0 and 1.0. Got: %g", o->label_smoothing);
        return false;
    }
    return kdl_dtype_is_floating_point(target->storage->dtype) && kdl__same_sizes(input, target) &&
                   input->ndim > 0
               ? check_weight(input, o->weight, place)
               : check_classes(input, target, o->weight, place);
}

kdl_tensor *kdl_f_cross_entropy_with(kdl_tensor *input, kdl_tensor *target,
                                     const kdl_f_class_loss_options *given)
{
    kdl_f_class_loss_options options = KDL_F_CLASS_LOSS_DEFAULTS;
    if (kdl__refuses(input) ||
        !kdl__read_options(input->ctx, "kdl_f_cross_entropy", &options, sizeof options, given) ||
        !check_cross_entropy(input, target, &options))
        return NULL;
    kdl__scope scope = { 0 };
    double total;
    kdl_tensor *logarithms = kdl__hold(&scope, kdl_f_log_softmax(input, class_dim(input)));
    if (!logarithms)
        return NULL;
    if (kdl_dtype_is_floating_point(target->storage->dtype))
        return kdl__close(&scope, of_probabilities(logarithms, target, &options));
    return kdl__close(&scope, options.label_smoothing > 0
                                  ? smoothed(logarithms, target, &options)
                                  : nll(logarithms, target, &options, &total));
}

/* ---- with margins ------------------------------------------------------------------------ */

static void rows_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_tensor *gradients = kdl__saved_value(function, 0);
    kdl_tensor *each = kdl__hold(&scope, kdl_unsqueeze(grad, -1));
    if (gradients && each)
        kdl__give(function, 0, kdl__compute_binary(KDL__MUL, gradients, each, 1));
    kdl__close(&scope, NULL);
}

static const kdl__function_class rows_class = { "RowLossBackward0", rows_backward };

void kdl__record_rows(kdl_tensor *losses, kdl_tensor *x, kdl_tensor *gradients)
{
    kdl__save(kdl__record(losses, &rows_class, 1, x), 0, gradients);
}

/* A row of scores with its loss and gradients, all of `classes` elements but the loss. */
typedef struct row {
    const kdl_tensor *x;
    kdl_tensor *losses, *gradients;
    int64_t first, index, classes;
} row;

static void add_gradient(const row *r, int64_t class, double value)
{
    kdl__set_element(r->gradients, r->first + class,
                     kdl__element(r->gradients, r->first + class) + value);
}

/* The loss of pushing the score of class `low` below that of `high` by `margin`, to the power p. */
static double push(const row *r, int64_t high, int64_t low, double margin, int64_t p, double factor)
{
    double z = margin - kdl__element(r->x, r->first + high) + kdl__element(r->x, r->first + low);
    if (z <= 0)
        return 0;
    double slope = factor * (p == 1 ? 1 : 2 * z) / (double)r->classes;
    add_gradient(r, low, slope);
    add_gradient(r, high, -slope);
    return factor * (p == 1 ? z : z * z) / (double)r->classes;
}

/* The loss of one row, whose classes begin at `labels`; `data` are the function's arguments. */
typedef double row_loss(const row *r, const int64_t *labels, const void *data);

static kdl_tensor *losses_of_rows(kdl_tensor *input, kdl_tensor *target, bool one_label,
                                  row_loss *function, const void *data, kdl_reduction reduction,
                                  const char *place)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(input, place)), *losses = NULL;
    x = kdl__hold(&scope, kdl__in_rows(x));
    kdl_tensor *labels = kdl__hold(&scope, kdl__in_rows(target));
    if (!x || !labels)
        return kdl__close(&scope, NULL);
    kdl_tensor *gradients =
        kdl__hold(&scope, kdl__new_values(x->ctx, x->storage->dtype, x->ndim, x->dims));
    if (gradients)
        losses = kdl__new_values(x->ctx, x->storage->dtype, x->ndim - 1, x->dims);
    if (losses) {
        int64_t classes = x->dims[x->ndim - 1], step = one_label ? 1 : classes;
        memset(gradients->storage->data, 0, kdl_tensor_nbytes(gradients));
        for (int64_t i = 0; i < losses->numel; i++) {
            const row r = { x, losses, gradients, i * classes, i, classes };
            kdl__set_element(
                losses, i, function(&r, (const int64_t *)kdl_tensor_data(labels) + i * step, data));
        }
        kdl__record_rows(losses, x, gradients);
    }
    losses = kdl__reduce_losses(losses, reduction);
    return kdl__cast(kdl__close(&scope, losses), input->storage->dtype);
}

/*
 * Whether there are rows of scores and a class (or as many as scores) for each; PyTorch's errors.
 */
static bool check_rows(kdl_tensor *input, kdl_tensor *target, bool one_label, const char *place)
{
    kdl_tensor *both[] = { input, target };
    if (!kdl__usable(place, 2, both))
        return false;
    bool known = input->ndim == 1 || input->ndim == 2;
    if (!known || (input->numel == 0 && (input->ndim == 1 || input->dims[1] == 0))) {
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
                     "%s",
                     kdl__shape_text(input->ndim, input->dims).chars);
        return false;
    }
    if (one_label && input->ndim == 1)
        known = target->numel == 1 && target->ndim < 2;
    else
        known = one_label ? target->ndim == 1 && target->dims[0] == input->dims[0]
                          : kdl__same_sizes(input, target);
    if (!known && one_label)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "multi_margin_loss: target tensor should be 1-D with size equal to the number "
                     "of input samples (batch size). Expected target size [%" PRId64
                     "], but got %s. Input has shape %s.",
                     input->ndim == 1 ? 1 : input->dims[0],
                     kdl__shape_text(target->ndim, target->dims).chars,
                     kdl__shape_text(input->ndim, input->dims).chars);
    else if (!known)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "inconsistent target size: %s for input of size: %s",
                     kdl__shape_text(target->ndim, target->dims).chars,
                     kdl__shape_text(input->ndim, input->dims).chars);
    else if (target->storage->dtype != KDL_I64)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME, "expected scalar type Long but found %s",
                     kdl_dtype_scalar_name(target->storage->dtype));
    return !kdl__failed(input->ctx);
}

/* Whether the classes, of which -1 may be one, are there; RuntimeError. */
static bool check_labels(kdl_tensor *target, int64_t least, int64_t classes, const char *place)
{
    kdl_tensor *labels = kdl__in_rows(target);
    const int64_t *values = labels ? kdl_tensor_data(labels) : NULL;
    for (int64_t i = 0; values && i < labels->numel && !kdl__failed(target->ctx); i++)
        if (values[i] < least || values[i] >= classes)
            kdl__fail_at(target->ctx, place, KDL_ERROR_RUNTIME,
                         least < 0 ? "argument #2 'target' is out of range"
                                   : "target out of range");
    kdl_tensor_release(labels);
    return values && !kdl__failed(target->ctx);
}

typedef struct margin_call {
    int64_t p;
    double margin;
    const kdl_tensor *weight;
} margin_call;

static double multi_margin(const row *r, const int64_t *labels, const void *data)
{
    const margin_call *call = data;
    double loss = 0, factor = call->weight ? kdl__element(call->weight, labels[0]) : 1;
    for (int64_t c = 0; c < r->classes; c++)
        if (c != labels[0])
            loss += push(r, labels[0], c, call->margin, call->p, factor);
    return loss;
}

kdl_tensor *kdl_f_multi_margin_loss(kdl_tensor *input, kdl_tensor *target, int64_t p, double margin,
                                    kdl_tensor *weight, kdl_reduction reduction)
{
    if (!check_rows(input, target, true, __func__))
        return NULL;
    int64_t classes = input->dims[input->ndim - 1];
    if (p != 1 && p != 2)
        kdl__fail(input->ctx, KDL_ERROR_VALUE, "only p == 1 and p == 2 supported");
    else if (weight && weight->ndim != 1)
        kdl__fail(input->ctx, KDL_ERROR_VALUE, "weight must be one-dimensional");
    else if (weight && weight->numel != classes)
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "inconsistent weight size, expected %" PRId64 " but got %s", classes,
                  kdl__shape_text(weight->ndim, weight->dims).chars);
    if (kdl__failed(input->ctx) || !check_weight_dtype(input, weight, __func__) ||
        !check_labels(target, 0, classes, __func__))
        return NULL;
    kdl_tensor *weights = weight ? kdl__in_rows(weight) : NULL;
    margin_call call = { p, margin, weights };
    kdl_tensor *result = NULL;
    if (weights || !weight)
        result = losses_of_rows(input, target, true, multi_margin, &call, reduction, __func__);
    kdl_tensor_release(weights);
    return result;
}

static bool is_label(const int64_t *labels, int64_t classes, int64_t class)
{
    for (int64_t i = 0; i < classes && labels[i] >= 0; i++)
        if (labels[i] == class)
            return true;
    return false;
}

/* The labels end with -1 or with the row. */
static double multilabel_margin(const row *r, const int64_t *labels, const void *data)
{
    (void)data;
    double loss = 0;
    for (int64_t i = 0; i < r->classes && labels[i] >= 0; i++)
        for (int64_t c = 0; c < r->classes; c++)
            if (!is_label(labels, r->classes, c))
                loss += push(r, labels[i], c, 1, 1, 1);
    return loss;
}

kdl_tensor *kdl_f_multilabel_margin_loss(kdl_tensor *input, kdl_tensor *target,
                                         kdl_reduction reduction)
{
    if (!check_rows(input, target, false, __func__) ||
        !check_labels(target, -1, input->dims[input->ndim - 1], __func__))
        return NULL;
    return losses_of_rows(input, target, false, multilabel_margin, NULL, reduction, __func__);
}
