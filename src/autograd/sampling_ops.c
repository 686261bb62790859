/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.multinomial with the draws of PyTorch's CPU kernels. Without replacement, and for one
 * sample, an exponential race: the largest of weight / exponential draw come first. With
 * replacement, a search for uniform draws in the weights' running sums.
 */
#include <math.h>

#include "autograd/lines.h"
#include "kindling/indexing.h"
#include "kindling/math.h"

static const char *const place = "kdl_multinomial";

/* ---- what is refused ------------------------------------------------------------------------- */

static bool check_weights(const kdl_tensor *weights, int64_t num_samples, bool replacement)
{
    const char *what = NULL;
    kdl_context *ctx = weights->ctx;
    if (!kdl_dtype_is_floating_point(weights->storage->dtype)) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "multinomial only supports floating-point dtypes for input, got: %s",
                     kdl_dtype_scalar_name(weights->storage->dtype));
        return false;
    }
    if (weights->ndim < 1 || weights->ndim > 2)
        what = "prob_dist must be 1 or 2 dim";
    else if (num_samples <= 0)
        what = "cannot sample n_sample <= 0 samples";
    else if (!replacement && num_samples > weights->dims[weights->ndim - 1])
        what = "cannot sample n_sample > prob_dist.size(-1) samples without replacement";
    else if (weights->dims[weights->ndim - 1] > 1 << 24)
        what = "number of categories cannot exceed 2^24";
    if (what)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s", what);
    return !what;
}

/* The running sums of a row, divided by the last one; false with an error. */
static bool running_sums(const kdl_tensor *weights, int64_t row, double *sums)
{
    const int64_t count = weights->dims[weights->ndim - 1];
    const bool single = weights->storage->dtype != KDL_F64;
    const char *what = NULL;
    double sum = 0;
    for (int64_t i = 0; i < count && !what; i++) {
        double weight = kdl__element(weights, row * count + i);
        if (!(weight >= 0) || isinf(weight))
            what = "probability tensor contains either `inf`, `nan` or element < 0";
        sum = single ? (float)(sum + weight) : sum + weight;
        sums[i] = sum;
    }
    if (!what && !(sum > 0))
        what = "invalid multinomial distribution (sum of probabilities <= 0)";
    if (what)
        kdl__fail_at(weights->ctx, place, KDL_ERROR_RUNTIME, "%s", what);
    for (int64_t i = 0; i < count && !what; i++)
        sums[i] = single ? (float)(sums[i] / sum) : sums[i] / sum;
    return !what;
}

/* ---- draws --------------------------------------------------------------------------------- */

/* The first of increasing sums that a draw does not exceed; the last one counts as 1. */
static int64_t find(const double *sums, int64_t count, double draw)
{
    int64_t left = 0, right = count - 1;
    while (left < right) {
        int64_t middle = left + (right - left) / 2;
        if (sums[middle] < draw)
            left = middle + 1;
        else
            right = middle;
    }
    return left;
}

static void search_row(const kdl_tensor *draws, int64_t row, const double *sums, int64_t count,
                       kdl_tensor *result)
{
    const int64_t n = result->dims[result->ndim - 1];
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)result->storage->data)[row * n + i] =
            find(sums, count, kdl__element(draws, row * n + i));
}

static kdl_tensor *with_replacement(kdl_tensor *weights, kdl_shape shape,
                                    const kdl_random_options *options)
{
    kdl__scope scope = { 0 };
    kdl_context *ctx = weights->ctx;
    const int64_t count = weights->dims[weights->ndim - 1];
    kdl_tensor *result = kdl__new_values(ctx, KDL_I64, shape.ndim, shape.sizes);
    kdl_tensor *draws =
        kdl__hold(&scope, result ? kdl__new_values(ctx, KDL_F64, shape.ndim, shape.sizes) : NULL);
    double *sums = draws ? kdl__alloc(ctx, (size_t)count, sizeof *sums) : NULL;
    bool good = sums && count > 0;
    int64_t rows = count ? weights->numel / count : 0;
    for (int64_t row = 0; good && row < rows; row++)
        good = running_sums(weights, row, sums); /* before anything is drawn */
    if (good)
        good = kdl_uniform_with_(draws, 0, 1, options) == KDL_OK && kdl_tensor_data(draws);
    for (int64_t row = 0; good && row < rows; row++) {
        running_sums(weights, row, sums);
        search_row(draws, row, sums, count, result);
    }
    kdl_free(ctx, sums);
    kdl__close(&scope, NULL);
    return kdl__failed(ctx) ? (kdl_tensor_release(result), NULL) : result;
}

static kdl_tensor *by_race(kdl_tensor *weights, int64_t num_samples,
                           const kdl_random_options *options)
{
    kdl__scope scope = { 0 };
    kdl_dtype dtype = weights->storage->dtype;
    double *sums = kdl__alloc(weights->ctx, (size_t)weights->dims[weights->ndim - 1], sizeof *sums);
    int64_t rows = weights->ndim == 2 ? weights->dims[0] : 1;
    bool good = sums != NULL;
    for (int64_t row = 0; good && row < rows; row++)
        good = running_sums(weights, row, sums);
    kdl_free(weights->ctx, sums);
    if (!good)
        return NULL;
    kdl_tensor *draws =
        kdl__hold(&scope, kdl__new_values(weights->ctx, dtype, weights->ndim, weights->dims));
    if (!draws || kdl_exponential_with_(draws, 1, options))
        return kdl__close(&scope, NULL);
    kdl_tensor *race = kdl__hold(&scope, kdl_div_tensor(weights, draws)), *result = NULL;
    if (num_samples == 1)
        result = kdl_argmax(race, -1, true);
    else if (race)
        kdl_tensor_release(kdl_topk(race, num_samples, -1, true, &result));
    return kdl__close(&scope, result);
}

kdl_tensor *kdl_multinomial_with(kdl_tensor *tensor, int64_t num_samples, bool replacement,
                                 const kdl_random_options *options)
{
    if (kdl__refuses(tensor) || !check_weights(tensor, num_samples, replacement))
        return NULL;
    kdl__scope scope = { 0 };
    const kdl__tape *tape = kdl__no_grad(tensor->ctx);
    kdl_tensor *weights = kdl__hold(&scope, kdl__in_rows(tensor)), *result = NULL;
    kdl_shape shape = kdl_tensor_shape(tensor);
    shape.sizes[shape.ndim - 1] = num_samples;
    if (weights && weights->numel == 0)
        result = kdl__new_values(weights->ctx, KDL_I64, shape.ndim, shape.sizes);
    else if (weights)
        result = replacement && num_samples > 1 ? with_replacement(weights, shape, options)
                                                : by_race(weights, num_samples, options);
    tensor->ctx->tape = tape;
    return kdl__close(&scope, result);
}
