/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling along one dimension, and its gradient. */
#include <string.h>

#include "compute/resample.h"
#include "compute/window.h"

kdl__taps *kdl__taps_new(kdl_context *ctx, int dim, int64_t input, int64_t output, int64_t width)
{
    size_t count, nbytes;
    kdl__taps *taps = NULL;
    if (kdl__mul_size((size_t)output, (size_t)width, &count) &&
        kdl__mul_size(count, sizeof(kdl__tap), &nbytes) && nbytes < SIZE_MAX - sizeof *taps)
        taps = kdl__alloc_zeroed(ctx, 1, sizeof *taps + nbytes);
    else
        kdl__fail_memory(ctx);
    if (!taps)
        return NULL;
    *taps = (kdl__taps){ dim, input, output, width, 0, sizeof *taps + nbytes };
    for (size_t i = 0; i < count; i++)
        taps->tap[i].index = -1;
    return taps;
}

typedef struct resampling {
    const kdl__taps *taps;
    const char *from;
    char *to;
    int64_t inner; /* elements of one step along the dimension */
} resampling;

/* A plane is what lies behind one index of the dimensions before. */
#define DEFINE_RESAMPLE(suffix, type)                                                              \
    static void take_##suffix(void *state, int64_t p)                                              \
    {                                                                                              \
        const resampling *run = state;                                                             \
        const kdl__taps *taps = run->taps;                                                         \
        const type *from = (const type *)run->from + p * taps->input * run->inner;                 \
        type *to = (type *)run->to + p * taps->output * run->inner;                                \
        for (int64_t i = 0; i < taps->output; i++, to += run->inner) {                             \
            const kdl__tap *tap = taps->tap + i * taps->width;                                     \
            bool first = true;                                                                     \
            for (int64_t t = 0; t < taps->width; t++, tap++) {                                     \
                if (tap->index < 0)                                                                \
                    continue;                                                                      \
                const type *row = from + tap->index * run->inner, weight = (type)tap->weight;      \
                for (int64_t k = 0; k < run->inner; k++)                                           \
                    to[k] = first ? weight * row[k] : to[k] + weight * row[k];                     \
                first = false;                                                                     \
            }                                                                                      \
            for (int64_t k = 0; first && k < run->inner; k++)                                      \
                to[k] = (type)taps->fill;                                                          \
        }                                                                                          \
    }                                                                                              \
    static void give_##suffix(void *state, int64_t p)                                              \
    {                                                                                              \
        const resampling *run = state;                                                             \
        const kdl__taps *taps = run->taps;                                                         \
        const type *from = (const type *)run->from + p * taps->output * run->inner;                \
        type *to = (type *)run->to + p * taps->input * run->inner;                                 \
        memset(to, 0, (size_t)(taps->input * run->inner) * sizeof *to);                            \
        for (int64_t i = 0; i < taps->output; i++, from += run->inner) {                           \
            const kdl__tap *tap = taps->tap + i * taps->width;                                     \
            for (int64_t t = 0; t < taps->width; t++, tap++) {                                     \
                if (tap->index < 0)                                                                \
                    continue;                                                                      \
                type *row = to + tap->index * run->inner, weight = (type)tap->weight;              \
                for (int64_t k = 0; k < run->inner; k++)                                           \
                    row[k] += weight * from[k];                                                    \
            }                                                                                      \
        }                                                                                          \
    }
DEFINE_RESAMPLE(f32, float)
DEFINE_RESAMPLE(f64, double)

static kdl_tensor *resample(kdl_tensor *source, const kdl__taps *taps, int64_t size,
                            kdl__plane_task *const loops[2])
{
    kdl_shape shape = kdl_tensor_shape(source);
    shape.sizes[taps->dim] = size;
    kdl_tensor *result =
        kdl__new_values(source->ctx, source->storage->dtype, shape.ndim, shape.sizes);
    if (!result)
        return NULL;
    int64_t planes = 1, inner = 1;
    for (int d = 0; d < shape.ndim; d++)
        if (d != taps->dim)
            *(d < taps->dim ? &planes : &inner) *= shape.sizes[d];
    resampling run = { taps, kdl_tensor_data(source), kdl_tensor_data(result), inner };
    kdl__each_plane(source->ctx, planes, planes * inner * taps->output,
                    loops[kdl__float_index(source)], &run);
    return result;
}

kdl_tensor *kdl__compute_resample(kdl_tensor *input, const kdl__taps *taps)
{
    static kdl__plane_task *const loops[] = { take_f32, take_f64 };
    return resample(input, taps, taps->output, loops);
}

kdl_tensor *kdl__compute_resample_grad(kdl_tensor *grad, const kdl__taps *taps)
{
    static kdl__plane_task *const loops[] = { give_f32, give_f64 };
    return resample(grad, taps, taps->input, loops);
}
