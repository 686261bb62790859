/* SPDX-License-Identifier: Apache-2.0 */
/* Fractional max pooling (Graham, 2014): windows whose steps are drawn, with gradients. */
#include <math.h>

#include "autograd/pool_ops.h"
#include "autograd/window_ops.h"
#include "kindling/functional_window.h"
#include "kindling/ops.h"

/*
 * How far the windows' begins are apart, in all: floor((i + u) alpha) - floor(u alpha), where
 * PyTorch computes in the input's dtype, and the last window ends where the input does.
 */
static int64_t begin_of(int64_t i, int64_t input, int64_t output, int64_t pool, double u,
                        kdl_dtype dtype)
{
    if (i == output - 1)
        return input - pool;
    double range = kdl__as_element(dtype, (double)(input - pool));
    double alpha = kdl__as_element(dtype, range / kdl__as_element(dtype, (double)(output - 1)));
    double at = kdl__as_element(dtype, kdl__as_element(dtype, (double)i) + u);
    return (int64_t)kdl__as_element(dtype, at * alpha) - (int64_t)kdl__as_element(dtype, u * alpha);
}

/* Which of a plane's samples a dimension has: PyTorch takes them in two dimensions backwards. */
static int sample_of(int nd, int d)
{
    return nd == 2 ? 1 - d : d;
}

/* In the order of planes; `samples` is row-major (N, C, nd). */
static void set_spans(kdl__spans *spans, int nd, const kdl_shape *pools, const kdl_tensor *samples,
                      int64_t planes)
{
    kdl_dtype dtype = samples->storage->dtype;
    for (int64_t p = 0; p < planes; p++) {
        for (int d = 0; d < nd; d++) {
            int at = kdl__window_slot(nd, d);
            kdl__span *span = spans->span + p * spans->plane + spans->start[at];
            double u = kdl__element(samples, p * nd + sample_of(nd, d));
            int64_t pool = kdl__part(pools, d);
            for (int64_t i = 0; i < spans->output[at]; i++) {
                int64_t begin = begin_of(i, spans->input[at], spans->output[at], pool, u, dtype);
                span[i] = (kdl__span){ begin, begin + pool, 1, pool };
            }
        }
        for (int at = 0; at < 3 - nd; at++)
            spans->span[p * spans->plane + spans->start[at]] = (kdl__span){ 0, 1, 1, 1 };
    }
}

/* ---- checks: PyTorch's errors ------------------------------------------------------------- */

static bool has_size(const kdl_shape *size)
{
    return size->ndim > 0 || size->sizes[0] != KDL_NONE_INT;
}

/* The output's spatial sizes; ValueError (false) where there is nothing to tell them. */
static bool output_sizes(const kdl_tensor *x, int nd, const kdl_f_fractional_max_pool_options *o,
                         kdl_shape *shape)
{
    const kdl_ratios *ratios = &o->output_ratios;
    *shape = (kdl_shape){ .sizes = { x->dims[0], x->dims[1] }, .ndim = nd + 2 };
    bool scaled = ratios->count > 0 || !isnan(kdl_number(ratios->values[0]));
    if (!has_size(&o->output_sizes) && !scaled) {
        kdl__fail_at(x->ctx, "kdl_f_fractional_max_pool", KDL_ERROR_VALUE,
                     "fractional_max_pool%dd requires specifying either an output_size or an "
                     "output_ratio",
                     nd);
        return false;
    }
    for (int d = 0; d < nd; d++) {
        double ratio = kdl_number(ratios->values[ratios->count > 0 ? d : 0]);
        double size = has_size(&o->output_sizes) ? (double)kdl__part(&o->output_sizes, d)
                                                 : (double)x->dims[2 + d] * ratio;
        if (!(size >= 0 && size <= INT32_MAX)) {
            kdl__fail_at(x->ctx, "kdl_f_fractional_max_pool", KDL_ERROR_RUNTIME,
                         "Trying to create tensor with negative dimension %g", size);
            return false;
        }
        shape->sizes[2 + d] = (int64_t)size;
    }
    return true;
}

static bool check_pools(const kdl_tensor *x, int nd, const kdl_shape *pools, const kdl_shape *shape)
{
    static const char *const names[] = { "time", "height", "width" };
    if (!kdl__check_list(x->ctx, "kdl_f_fractional_max_pool", "kernel_size", pools, nd, 1,
                         "kernel size should be greater than zero"))
        return false;
    for (int d = 0; d <= nd; d++) {
        if (x->dims[1 + d] == 0) {
            kdl__fail_at(x->ctx, "kdl_f_fractional_max_pool", KDL_ERROR_RUNTIME,
                         "fractional_max_pool%dd(): Expected input to have non-zero size for "
                         "non-batch dimensions, but got%s with dimension %d being empty.",
                         nd, kdl__shape_text(x->ndim, x->dims).chars, 1 + d);
            return false;
        }
    }
    for (int d = 0; d < nd; d++) {
        /* The one of 3 dimensions does not take a pool that just fits. */
        if (shape->sizes[2 + d] + kdl__part(pools, d) - 1 > x->dims[2 + d] - (nd == 3)) {
            const char *name = names[kdl__window_slot(nd, d)];
            kdl__fail_at(x->ctx, "kdl_f_fractional_max_pool", KDL_ERROR_RUNTIME,
                         "fractional_max_pool%dd%s(): pool %s %" PRId64
                         " too large relative to input %s %" PRId64,
                         nd, nd == 3 ? "_out" : "", name, kdl__part(pools, d), name,
                         x->dims[2 + d]);
            return false;
        }
    }
    return true;
}

static bool check_samples(const kdl_tensor *x, kdl_dtype dtype, int nd, const kdl_tensor *samples)
{
    const char *fault = NULL;
    if (samples->storage->dtype != dtype)
        fault = "Expect _random_samples to have the same dtype as input";
    else if (samples->ndim != 3)
        fault = "Expect _random_samples to have 3 dimensions";
    else if (samples->dims[0] < x->dims[0])
        fault = "Expect _random_samples.size(0) no less then input batch size.";
    else if (samples->dims[1] != x->dims[1])
        fault = "Expect _random_samples.size(1) equals to input channel size.";
    else if (samples->dims[2] != nd)
        fault = "Expect _random_samples.size(2) equals to the number of spatial dimensions";
    if (fault)
        kdl__fail_at(x->ctx, "kdl_f_fractional_max_pool", KDL_ERROR_RUNTIME, "%s", fault);
    return !fault;
}

/* ---- the call ---------------------------------------------------------------------------- */

static kdl_tensor *pool_by_samples(kdl_tensor *x, kdl_tensor *input, const kdl_shape *pools,
                                   kdl_tensor *samples, const kdl_shape *shape,
                                   kdl_tensor **indices)
{
    int nd = shape->ndim - 2;
    kdl__window w = kdl__window_of_one();
    for (int d = 0; d < nd; d++) {
        w.input[kdl__window_slot(nd, d)] = x->dims[2 + d];
        w.output[kdl__window_slot(nd, d)] = shape->sizes[2 + d];
    }
    int64_t planes = x->dims[0] * x->dims[1];
    kdl__spans *spans = kdl__spans_new(x->ctx, w.input, w.output, planes);
    if (!spans)
        return NULL;
    set_spans(spans, nd, pools, samples, planes);
    kdl_tensor *result = kdl__max_pool(x, input, spans, *shape, indices);
    kdl_free(x->ctx, spans);
    return result;
}

/* The samples that were given, or those that PyTorch draws. One reference. */
static kdl_tensor *samples_for(const kdl_tensor *x, kdl_dtype dtype, int nd, kdl_tensor *given)
{
    if (!given)
        return kdl_rand(x->ctx, KDL_SHAPE(x->dims[0], x->dims[1], nd), .dtype = dtype);
    kdl_tensor *samples = kdl_contiguous(given);
    if (samples && kdl_tensor_data(samples) && check_samples(x, dtype, nd, samples))
        return samples;
    kdl_tensor_release(samples);
    return NULL;
}

kdl_tensor *kdl_f_fractional_max_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                           const kdl_f_fractional_max_pool_options *given)
{
    static const char place[] = "kdl_f_fractional_max_pool";
    kdl_f_fractional_max_pool_options options = KDL_F_FRACTIONAL_MAX_POOL_DEFAULTS;
    kdl_tensor *x = kdl__batched(input, nd, NULL, place), *samples = NULL, *result = NULL;
    kdl_shape shape;
    if (x && kdl__read_options(x->ctx, place, &options, sizeof options, given) &&
        output_sizes(x, nd, &options, &shape) && check_pools(x, nd, &kernel_size, &shape))
        samples = samples_for(x, input->storage->dtype, nd, options.random_samples);
    if (options.indices)
        *options.indices = NULL;
    if (samples && kdl_tensor_data(samples))
        result = pool_by_samples(x, input, &kernel_size, samples, &shape, options.indices);
    kdl_tensor_release(samples);
    kdl_tensor_release(x);
    return result;
}
