/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: the largest element of each window, or the mean. */
#include <math.h>
#include <string.h>

#include "compute/window.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- largest ----------------------------------------------------------------------------- */

#define EACH_OUTPUT                                                                                \
    for (int64_t x = 0; x < w->output[0]; x++)                                                     \
        for (int64_t y = 0; y < w->output[1]; y++)                                                 \
            for (int64_t z = 0; z < w->output[2]; z++)

/* The input's index of element `step` of the window at `place` along dimension `d`. */
static int64_t index_at(const kdl__window *w, int d, int64_t place, int64_t step)
{
    return place * w->stride[d] - w->padding[d] + step * w->dilation[d];
}

#define DEFINE_MAX_POOL(name, type)                                                                \
    static int64_t name##_find(const kdl__window *w, const type *plane, const int64_t place[3])    \
    {                                                                                              \
        int64_t best = -1;                                                                         \
        for (int64_t a = 0; a < w->kernel[0]; a++)                                                 \
            for (int64_t b = 0; b < w->kernel[1]; b++)                                             \
                for (int64_t e = 0; e < w->kernel[2]; e++) {                                       \
                    int64_t i = index_at(w, 0, place[0], a), j = index_at(w, 1, place[1], b);      \
                    int64_t l = index_at(w, 2, place[2], e);                                       \
                    if (i < 0 || i >= w->input[0] || j < 0 || j >= w->input[1] || l < 0 ||         \
                        l >= w->input[2])                                                          \
                        continue;                                                                  \
                    int64_t at = (i * w->input[1] + j) * w->input[2] + l;                          \
                    if (best < 0 || plane[at] > plane[best] || plane[at] != plane[at])             \
                        best = at;                                                                 \
                }                                                                                  \
        return best;                                                                               \
    }                                                                                              \
    static void name(const kdl__window *w, const type *plane, type *values, int64_t *indices)      \
    {                                                                                              \
        EACH_OUTPUT                                                                                \
        {                                                                                          \
            const int64_t place[] = { x, y, z };                                                   \
            *indices = name##_find(w, plane, place);                                               \
            *values++ = *indices < 0 ? -INFINITY : plane[*indices];                                \
            indices++;                                                                             \
        }                                                                                          \
    }
DEFINE_MAX_POOL(max_pool_f32, float)
DEFINE_MAX_POOL(max_pool_f64, double)

kdl_status kdl__compute_max_pool(kdl_tensor *input, const kdl__window *w, kdl_shape shape,
                                 kdl_tensor **values, kdl_tensor **indices)
{
    kdl_context *ctx = input->ctx;
    *values = kdl__new_values(ctx, input->storage->dtype, shape.ndim, shape.sizes);
    *indices = kdl__new_values(ctx, KDL_I64, shape.ndim, shape.sizes);
    if (!*values || !*indices)
        return ctx->status;
    int64_t volume = kdl__volume(w->input), places = kdl__volume(w->output);
    int64_t planes = places ? (*values)->numel / places : 0;
    for (int64_t p = 0; p < planes; p++) {
        int64_t *found = (int64_t *)(*indices)->storage->data + p * places;
        if (kdl__float_index(input))
            max_pool_f64(w, (const double *)input->storage->data + input->offset + p * volume,
                         (double *)(*values)->storage->data + p * places, found);
        else
            max_pool_f32(w, (const float *)input->storage->data + input->offset + p * volume,
                         (float *)(*values)->storage->data + p * places, found);
    }
    return KDL_OK;
}

kdl_tensor *kdl__compute_max_pool_grad(kdl_tensor *grad, kdl_tensor *indices, kdl_shape shape,
                                       int64_t input_volume)
{
    kdl_tensor *result = kdl__new_values(grad->ctx, grad->storage->dtype, shape.ndim, shape.sizes);
    if (!result)
        return NULL;
    memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    int64_t planes = input_volume ? result->numel / input_volume : 0;
    int64_t places = planes ? grad->numel / planes : 0;
    const int64_t *index = indices->storage->data;
    for (int64_t i = 0; i < planes * places; i++) {
        int64_t at = i / places * input_volume + index[i];
        if (index[i] < 0)
            continue;
        if (kdl__float_index(grad))
            ((double *)result->storage->data)[at] +=
                ((const double *)grad->storage->data)[grad->offset + i];
        else
            ((float *)result->storage->data)[at] +=
                ((const float *)grad->storage->data)[grad->offset + i];
    }
    return result;
}

/* ---- mean -------------------------------------------------------------------------------- */

/* The part of the input that a window covers along one dimension, and how far it counts. */
typedef struct extent {
    int64_t begin, end, counted;
} extent;

static extent extent_of(const kdl__window *w, const kdl__average *average, int d, int64_t place)
{
    int64_t size = w->input[d], parts = w->output[d];
    if (average->adaptive) {
        int64_t begin = place * size / parts, end = ((place + 1) * size + parts - 1) / parts;
        return (extent){ begin, end, end - begin };
    }
    int64_t begin = place * w->stride[d] - w->padding[d];
    int64_t end = smaller(begin + w->kernel[d], size + average->behind[d]);
    extent result = { larger(begin, 0), smaller(end, size), end - begin };
    if (!average->count_include_pad)
        result.counted = result.end - result.begin;
    return result;
}

static double divisor_of(const kdl__average *average, const extent e[3])
{
    return (double)(average->divisor ? average->divisor
                                     : e[0].counted * e[1].counted * e[2].counted);
}

#define EACH_COVERED(e)                                                                            \
    for (int64_t i = (e)[0].begin; i < (e)[0].end; i++)                                            \
        for (int64_t j = (e)[1].begin; j < (e)[1].end; j++)                                        \
            for (int64_t l = (e)[2].begin; l < (e)[2].end; l++)

#define DEFINE_AVG_POOL(name, type)                                                                \
    static void name(const kdl__window *w, const kdl__average *average, const type *plane,         \
                     type *values)                                                                 \
    {                                                                                              \
        EACH_OUTPUT                                                                                \
        {                                                                                          \
            extent e[] = { extent_of(w, average, 0, x), extent_of(w, average, 1, y),               \
                           extent_of(w, average, 2, z) };                                          \
            double sum = 0;                                                                        \
            EACH_COVERED(e) sum += plane[(i * w->input[1] + j) * w->input[2] + l];                 \
            *values++ = (type)(sum / divisor_of(average, e));                                      \
        }                                                                                          \
    }                                                                                              \
    static void name##_grad(const kdl__window *w, const kdl__average *average, type *plane,        \
                            const type *grad)                                                      \
    {                                                                                              \
        EACH_OUTPUT                                                                                \
        {                                                                                          \
            extent e[] = { extent_of(w, average, 0, x), extent_of(w, average, 1, y),               \
                           extent_of(w, average, 2, z) };                                          \
            type share = (type)(*grad++ / divisor_of(average, e));                                 \
            EACH_COVERED(e) plane[(i * w->input[1] + j) * w->input[2] + l] += share;               \
        }                                                                                          \
    }
DEFINE_AVG_POOL(avg_pool_f32, float)
DEFINE_AVG_POOL(avg_pool_f64, double)

kdl_tensor *kdl__compute_avg_pool(kdl_tensor *input, const kdl__window *w,
                                  const kdl__average *average, kdl_shape shape)
{
    kdl_tensor *result =
        kdl__new_values(input->ctx, input->storage->dtype, shape.ndim, shape.sizes);
    int64_t volume = kdl__volume(w->input), places = kdl__volume(w->output);
    int64_t planes = result && places ? result->numel / places : 0;
    for (int64_t p = 0; p < planes; p++) {
        if (kdl__float_index(input))
            avg_pool_f64(w, average,
                         (const double *)input->storage->data + input->offset + p * volume,
                         (double *)result->storage->data + p * places);
        else
            avg_pool_f32(w, average,
                         (const float *)input->storage->data + input->offset + p * volume,
                         (float *)result->storage->data + p * places);
    }
    return result;
}

kdl_tensor *kdl__compute_avg_pool_grad(kdl_tensor *grad, const kdl__window *w,
                                       const kdl__average *average, kdl_shape shape)
{
    kdl_tensor *result = kdl__new_values(grad->ctx, grad->storage->dtype, shape.ndim, shape.sizes);
    if (!result)
        return NULL;
    memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    int64_t volume = kdl__volume(w->input), places = kdl__volume(w->output);
    int64_t planes = places ? grad->numel / places : 0;
    for (int64_t p = 0; p < planes; p++) {
        if (kdl__float_index(grad))
            avg_pool_f64_grad(w, average, (double *)result->storage->data + p * volume,
                              (const double *)grad->storage->data + grad->offset + p * places);
        else
            avg_pool_f32_grad(w, average, (float *)result->storage->data + p * volume,
                              (const float *)grad->storage->data + grad->offset + p * places);
    }
    return result;
}
