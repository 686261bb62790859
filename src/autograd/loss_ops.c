/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and dropout. */
#include <math.h>
#include <string.h>

#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- of elements ------------------------------------------------------------------------- */

/* Consumes `losses`. */
static kdl_tensor *reduce(kdl_tensor *losses, kdl_reduction reduction)
{
    if (!losses || reduction == KDL_REDUCTION_NONE)
        return losses;
    kdl_tensor *result = reduction == KDL_REDUCTION_MEAN ? kdl_mean(losses) : kdl_sum(losses);
    kdl_tensor_release(losses);
    return result;
}

static void warn_of_sizes(const kdl_tensor *input, const kdl_tensor *target)
{
    bool same = input->ndim == target->ndim &&
                memcmp(input->dims, target->dims, (size_t)input->ndim * sizeof *input->dims) == 0;
    if (!same)
        kdl__warn(input->ctx,
                  "Using a target size (torch.Size(%s)) that is different to the input size "
                  "(torch.Size(%s)). This will likely lead to incorrect results due to "
                  "broadcasting. Please ensure they have the same size.",
                  kdl__shape_text(target->ndim, target->dims).chars,
                  kdl__shape_text(input->ndim, input->dims).chars);
}

static kdl_tensor *difference_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction,
                                   kdl_tensor *(*measure)(kdl_tensor *), const char *place)
{
    kdl_tensor *both[] = { input, target };
    if (!kdl__usable(place, 2, both))
        return NULL;
    warn_of_sizes(input, target);
    kdl_tensor *difference = kdl_sub_tensor(input, target);
    kdl_tensor *losses = difference ? measure(difference) : NULL;
    kdl_tensor_release(difference);
    return reduce(losses, reduction);
}

kdl_tensor *kdl_f_mse_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction)
{
    return difference_loss(input, target, reduction, kdl_square, __func__);
}

kdl_tensor *kdl_f_l1_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction)
{
    return difference_loss(input, target, reduction, kdl_abs, __func__);
}

/* ---- of classes -------------------------------------------------------------------------- */

/* Element (row, class of the row) of a row-major matrix, as double. */
static double load(const kdl_tensor *tensor, int64_t index)
{
    return kdl__load_double(tensor->storage->dtype, tensor->storage->data, tensor->offset + index);
}

static void store(kdl_tensor *tensor, int64_t index, double value)
{
    if (tensor->storage->dtype == KDL_F64)
        ((double *)tensor->storage->data)[index] = value;
    else
        ((float *)tensor->storage->data)[index] = (float)value;
}

/* -input[i, target[i]], summed or not; how many targets count goes to *counted. */
static kdl_tensor *pick_losses(kdl_tensor *input, kdl_tensor *target, int64_t ignore_index,
                               kdl_reduction reduction, int64_t *counted)
{
    int64_t rows = input->dims[0], classes = input->dims[1];
    int ndim = reduction == KDL_REDUCTION_NONE;
    kdl_tensor *result = kdl__new_values(input->ctx, input->storage->dtype, ndim, &rows);
    const int64_t *labels = kdl_tensor_data(target);
    double sum = 0;
    *counted = 0;
    for (int64_t i = 0; result && labels && i < rows; i++) {
        if (labels[i] != ignore_index && (labels[i] < 0 || labels[i] >= classes)) {
            kdl__fail_at(input->ctx, "kdl_f_nll_loss", KDL_ERROR_INDEX,
                         "Target %" PRId64 " is out of bounds.", labels[i]);
            break;
        }
        bool counts = labels[i] != ignore_index;
        double loss = counts ? -load(input, i * classes + labels[i]) : 0;
        *counted += counts;
        sum += loss;
        if (ndim)
            store(result, i, loss);
    }
    if (result && !ndim)
        store(result, 0, reduction == KDL_REDUCTION_MEAN ? sum / (double)*counted : sum);
    return result;
}

static void nll_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl_tensor *target = kdl__saved_value(function, 0);
    kdl_tensor *g = target ? kdl_contiguous(grad) : NULL;
    kdl_tensor *result =
        g ? kdl__new_values(function->ctx, grad->storage->dtype, 2, input->sizes) : NULL;
    if (result && kdl_tensor_data(g)) {
        const int64_t *labels = kdl_tensor_data(target);
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
        double scale = function->numbers.a;
        for (int64_t i = 0; i < input->sizes[0]; i++)
            if (labels[i] != function->integers[0])
                store(result, i * input->sizes[1] + labels[i], -scale * load(g, g->ndim ? i : 0));
    }
    kdl_tensor_release(g);
    kdl__give(function, 0, result);
}

static const kdl__function_class nll_class = { "NllLossBackward0", nll_backward };

static bool check_classes(kdl_tensor *input, kdl_tensor *target, const char *place)
{
    kdl_tensor *both[] = { input, target };
    if (!kdl__usable(place, 2, both))
        return false;
    kdl_context *ctx = input->ctx;
    if (!kdl_dtype_is_floating_point(input->storage->dtype) || target->storage->dtype != KDL_I64)
        kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "scores of floating point and classes of int64 are needed, not %s and %s",
                     kdl_dtype_name(input->storage->dtype), kdl_dtype_name(target->storage->dtype));
    else if (input->ndim != 2 || target->ndim != 1)
        kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "scores (N, C) and classes (N) are needed, not of sizes %s and %s",
                     kdl__shape_text(input->ndim, input->dims).chars,
                     kdl__shape_text(target->ndim, target->dims).chars);
    else if (input->dims[0] != target->dims[0])
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "Expected input batch_size (%" PRId64 ") to match target batch_size (%" PRId64
                     ").",
                     input->dims[0], target->dims[0]);
    return !kdl__failed(ctx);
}

kdl_tensor *kdl_f_nll_loss_with(kdl_tensor *input, kdl_tensor *target,
                                const kdl_f_class_loss_options *given)
{
    kdl_f_class_loss_options options = KDL_F_CLASS_LOSS_DEFAULTS;
    if (!check_classes(input, target, "kdl_f_nll_loss") ||
        !kdl__read_options(input->ctx, "kdl_f_nll_loss", &options, sizeof options, given))
        return NULL;
    kdl_dtype dtype = input->storage->dtype;
    kdl_tensor *wide = kdl_to(input, dtype == KDL_F64 ? KDL_F64 : KDL_F32);
    kdl_tensor *x = wide ? kdl_contiguous(wide) : NULL, *labels = kdl_contiguous(target);
    kdl_tensor *result = NULL;
    int64_t counted = 0;
    if (x && labels && kdl_tensor_data(x))
        result = pick_losses(x, labels, options.ignore_index, options.reduction, &counted);
    kdl__function *function = x ? kdl__record(result, &nll_class, 1, x) : NULL;
    if (function) {
        function->numbers.a = options.reduction == KDL_REDUCTION_MEAN ? 1 / (double)counted : 1;
        function->integers[0] = options.ignore_index;
        kdl__save(function, 0, labels);
    }
    kdl_tensor *converted = result && !kdl__failed(result->ctx) ? kdl_to(result, dtype) : NULL;
    kdl_tensor_release(result);
    kdl_tensor_release(wide);
    kdl_tensor_release(x);
    kdl_tensor_release(labels);
    return converted;
}

kdl_tensor *kdl_f_cross_entropy_with(kdl_tensor *input, kdl_tensor *target,
                                     const kdl_f_class_loss_options *options)
{
    if (!check_classes(input, target, "kdl_f_cross_entropy"))
        return NULL;
    kdl_tensor *logarithms = kdl_f_log_softmax(input, 1);
    kdl_tensor *result = logarithms ? kdl_f_nll_loss_with(logarithms, target, options) : NULL;
    kdl_tensor_release(logarithms);
    return result;
}

/* ---- dropout ----------------------------------------------------------------------------- */

/* PyTorch's at::dropout: a mask of bernoulli_(1 - p), scaled, times the input. */
kdl_tensor *kdl_f_dropout(kdl_tensor *input, double p, bool training)
{
    if (kdl__refuses(input))
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        kdl__fail(input->ctx, KDL_ERROR_VALUE,
                  "dropout probability has to be between 0 and 1, but got %g", p);
        return NULL;
    }
    if (p == 0 || !training || input->numel == 0)
        return kdl_tensor_retain(input);
    if (p == 1)
        return kdl_mul(input, 0);
    kdl_tensor *mask = kdl_empty_like(input), *scaled = NULL, *result = NULL;
    if (mask && !kdl_bernoulli_(mask, 1 - p))
        scaled = kdl_div(mask, 1 - p);
    if (scaled)
        result = kdl_mul_tensor(input, scaled);
    kdl_tensor_release(mask);
    kdl_tensor_release(scaled);
    return result;
}
