/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling: the largest element of each window, or the mean; and elements by where they lie. */
#include <math.h>
#include <string.h>

#include "compute/window.h"

/* ---- planes ------------------------------------------------------------------------------ */

typedef struct plane_run {
    kdl__plane_task *task;
    void *state;
    int64_t planes;
    size_t shares;
} plane_run;

/* A share should be worth starting a thread for. */
enum { PLANE_SHARE = 1 << 15 };

static kdl_status run_planes(void *user_data, size_t share, int worker)
{
    (void)worker;
    const plane_run *run = user_data;
    uint64_t planes = (uint64_t)run->planes;
    for (uint64_t p = kdl__share_begin(planes, run->shares, share),
                  end = kdl__share_begin(planes, run->shares, share + 1);
         p < end; p++)
        run->task(run->state, (int64_t)p);
    return KDL_OK;
}

kdl_status kdl__each_plane(kdl_context *ctx, int64_t planes, int64_t work, kdl__plane_task *task,
                           void *state)
{
    int64_t shares = work / PLANE_SHARE;
    shares = shares < ctx->threads ? shares : ctx->threads;
    shares = shares < planes ? shares : planes;
    plane_run run = { task, state, planes, shares > 1 ? (size_t)shares : 1 };
    return kdl__parallel(ctx, run.shares, run_planes, &run);
}

/* ---- spans ------------------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

kdl__spans *kdl__spans_new(kdl_context *ctx, const int64_t input[3], const int64_t output[3],
                           int64_t planes)
{
    size_t each = (size_t)output[0] + (size_t)output[1] + (size_t)output[2], count, nbytes;
    kdl__spans *spans = NULL;
    if (kdl__mul_size(each, (size_t)larger(planes, 1), &count) &&
        kdl__mul_size(count, sizeof(kdl__span), &nbytes) && nbytes < SIZE_MAX - sizeof *spans)
        spans = kdl__alloc_zeroed(ctx, 1, sizeof *spans + nbytes);
    else
        kdl__fail_memory(ctx);
    if (!spans)
        return NULL;
    for (int d = 0; d < 3; d++) {
        spans->input[d] = input[d];
        spans->output[d] = output[d];
        spans->start[d] = d == 0 ? 0 : spans->start[d - 1] + output[d - 1];
    }
    spans->plane = planes ? (int64_t)each : 0;
    spans->nbytes = sizeof *spans + nbytes;
    return spans;
}

static kdl__span window_span(const kdl__window *w, int d, int64_t place, int64_t behind,
                             bool count_padding)
{
    int64_t size = w->input[d], step = w->dilation[d];
    int64_t begin = place * w->stride[d] - w->padding[d];
    int64_t end = smaller(begin + (w->kernel[d] - 1) * step + 1, size + behind);
    /* The first one that is no padding. */
    int64_t first = begin < 0 ? begin + (-begin + step - 1) / step * step : begin;
    kdl__span span = { first, smaller(end, size), step, end - begin };
    if (!count_padding)
        span.counted = larger(span.end - span.begin, 0);
    return span;
}

void kdl__spans_of_window(kdl__spans *spans, const kdl__window *w, const int64_t behind[3],
                          bool count_padding)
{
    for (int d = 0; d < 3; d++)
        for (int64_t i = 0; i < spans->output[d]; i++)
            spans->span[spans->start[d] + i] = window_span(w, d, i, behind[d], count_padding);
}

void kdl__spans_adaptive(kdl__spans *spans)
{
    for (int d = 0; d < 3; d++) {
        int64_t size = spans->input[d], parts = spans->output[d];
        for (int64_t i = 0; i < parts; i++) {
            int64_t begin = i * size / parts, end = ((i + 1) * size + parts - 1) / parts;
            spans->span[spans->start[d] + i] = (kdl__span){ begin, end, 1, end - begin };
        }
    }
}

/* Every row of a plane's output, with its spans as a and b. */
#define EACH_ROW(s, p)                                                                             \
    const kdl__span *spans_ = (s)->span + (p) * (s)->plane;                                        \
    for (const kdl__span *a = spans_ + (s)->start[0], *a_end_ = a + (s)->output[0]; a < a_end_;    \
         a++)                                                                                      \
        for (const kdl__span *b = spans_ + (s)->start[1], *b_end_ = b + (s)->output[1];            \
             b < b_end_; b++)

/* Every place of it, with c for its place in the row. */
#define EACH_OUTPUT(s, p)                                                                          \
    EACH_ROW(s, p)                                                                                 \
    for (const kdl__span *c = spans_ + (s)->start[2], *c_end_ = c + (s)->output[2]; c < c_end_; c++)

/* Every element of the input that a, b and c cover, as `at`. */
#define EACH_COVERED(s)                                                                            \
    for (int64_t i = a->begin; i < a->end; i += a->step)                                           \
        for (int64_t j = b->begin; j < b->end; j += b->step)                                       \
            for (int64_t row_ = (i * (s)->input[1] + j) * (s)->input[2], at = row_ + c->begin;     \
                 at < row_ + c->end; at += c->step)

/* ---- the loops --------------------------------------------------------------------------- */

typedef struct pooling {
    const kdl__spans *spans;
    const char *from;
    char *to;
    int64_t *indices;
    int64_t input, output; /* elements of a plane of `from`, of `to` */
} pooling;

static double divisor_of(const kdl__spans *s, const kdl__span *a, const kdl__span *b,
                         const kdl__span *c)
{
    return (double)(s->divisor ? s->divisor : a->counted * b->counted * c->counted);
}

/* What a task of plane p works with: it reads `from`, writes `to`. */
#define OF_PLANE(type)                                                                             \
    const pooling *pool = state;                                                                   \
    const type *from = (const type *)pool->from + p * pool->input;                                 \
    type *to = (type *)pool->to + p * pool->output

/* How many spans from the first on are alike, and equally far apart (`*stride`); one at least. */
static int64_t side_by_side(const kdl__span *first, const kdl__span *end, int64_t *stride)
{
    const kdl__span *next = first + 1;
    *stride = next < end ? next->begin - first->begin : 1;
    while (next < end && next->end - next->begin == first->end - first->begin &&
           next->step == first->step && next->begin - next[-1].begin == *stride)
        next++;
    return next - first;
}

enum { WINDOWS = 4 }; /* done together: a vector of their numbers */

#define KDL__LOOPS "compute/pool_loops.h"
#include "compute/loop_sets.h"

#define DEFINE_POOLS(suffix, type)                                                                 \
    static void avg_##suffix(void *state, int64_t p)                                               \
    {                                                                                              \
        OF_PLANE(type);                                                                            \
        EACH_OUTPUT(pool->spans, p)                                                                \
        {                                                                                          \
            double sum = 0;                                                                        \
            EACH_COVERED(pool->spans) sum += from[at];                                             \
            *to++ = (type)(sum / divisor_of(pool->spans, a, b, c));                                \
        }                                                                                          \
    }                                                                                              \
    static void avg_grad_##suffix(void *state, int64_t p)                                          \
    {                                                                                              \
        OF_PLANE(type);                                                                            \
        EACH_OUTPUT(pool->spans, p)                                                                \
        {                                                                                          \
            type share = (type)(*from++ / divisor_of(pool->spans, a, b, c));                       \
            EACH_COVERED(pool->spans) to[at] += share;                                             \
        }                                                                                          \
    }                                                                                              \
    static void scatter_##suffix(void *state, int64_t p)                                           \
    {                                                                                              \
        OF_PLANE(type);                                                                            \
        const int64_t *index = pool->indices + p * pool->input;                                    \
        for (int64_t i = 0; i < pool->input; i++)                                                  \
            if (index[i] >= 0)                                                                     \
                to[index[i]] = from[i];                                                            \
    }                                                                                              \
    static void scatter_add_##suffix(void *state, int64_t p)                                       \
    {                                                                                              \
        OF_PLANE(type);                                                                            \
        const int64_t *index = pool->indices + p * pool->input;                                    \
        for (int64_t i = 0; i < pool->input; i++)                                                  \
            if (index[i] >= 0)                                                                     \
                to[index[i]] += from[i];                                                           \
    }                                                                                              \
    static void gather_##suffix(void *state, int64_t p)                                            \
    {                                                                                              \
        OF_PLANE(type);                                                                            \
        const int64_t *index = pool->indices + p * pool->output;                                   \
        for (int64_t i = 0; i < pool->output; i++)                                                 \
            to[i] = index[i] < 0 ? 0 : from[index[i]];                                             \
    }

DEFINE_POOLS(f32, float)
DEFINE_POOLS(f64, double)

/* ---- calls ------------------------------------------------------------------------------- */

static char *values_of(kdl_tensor *tensor)
{
    return (char *)tensor->storage->data +
           (size_t)tensor->offset * kdl_dtype_nbytes(tensor->storage->dtype);
}

/* A task over all planes of `from` and `to`. */
static void run(kdl_tensor *from, kdl_tensor *to, kdl_tensor *indices, const kdl__spans *spans,
                int64_t planes, kdl__plane_task *task)
{
    if (planes == 0)
        return;
    pooling pool = { spans,
                     values_of(from),
                     values_of(to),
                     indices ? (int64_t *)values_of(indices) : NULL,
                     from->numel / planes,
                     to->numel / planes };
    kdl__each_plane(from->ctx, planes, larger(from->numel, to->numel), task, &pool);
}

static int64_t planes_of(const kdl_tensor *tensor, const int64_t sizes[3])
{
    int64_t volume = kdl__volume(sizes);
    return volume ? tensor->numel / volume : 0;
}

kdl_status kdl__compute_max_pool(kdl_tensor *input, const kdl__spans *spans, kdl_shape shape,
                                 kdl_tensor **values, kdl_tensor **indices)
{
    static kdl__plane_task *const loops[] = KDL__LOOP_SET(max_plane);
    kdl_context *ctx = input->ctx;
    *values = kdl__new_values(ctx, input->storage->dtype, shape.ndim, shape.sizes);
    *indices = kdl__new_values(ctx, KDL_I64, shape.ndim, shape.sizes);
    if (*values && *indices)
        run(input, *values, *indices, spans, planes_of(*values, spans->output),
            loops[kdl__loops_of(input)]);
    return ctx->status;
}

kdl_tensor *kdl__compute_avg_pool(kdl_tensor *input, const kdl__spans *spans, kdl_shape shape)
{
    static kdl__plane_task *const loops[] = { avg_f32, avg_f64 };
    kdl_tensor *result =
        kdl__new_values(input->ctx, input->storage->dtype, shape.ndim, shape.sizes);
    if (result)
        run(input, result, NULL, spans, planes_of(result, spans->output),
            loops[kdl__float_index(input)]);
    return result;
}

static kdl_tensor *new_zeros(const kdl_tensor *like, const kdl_shape *shape)
{
    kdl_tensor *result =
        kdl__new_values(like->ctx, like->storage->dtype, shape->ndim, shape->sizes);
    if (result)
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    return result;
}

kdl_tensor *kdl__compute_avg_pool_grad(kdl_tensor *grad, const kdl__spans *spans, kdl_shape shape)
{
    static kdl__plane_task *const loops[] = { avg_grad_f32, avg_grad_f64 };
    kdl_tensor *result = new_zeros(grad, &shape);
    if (result)
        run(grad, result, NULL, spans, planes_of(grad, spans->output),
            loops[kdl__float_index(grad)]);
    return result;
}

kdl_tensor *kdl__compute_scatter(kdl_tensor *source, kdl_tensor *indices, int64_t planes,
                                 kdl_shape shape, bool add)
{
    static kdl__plane_task *const loops[] = { scatter_f32, scatter_f64 };
    static kdl__plane_task *const adding[] = { scatter_add_f32, scatter_add_f64 };
    kdl_tensor *result = new_zeros(source, &shape);
    if (result)
        run(source, result, indices, NULL, planes,
            (add ? adding : loops)[kdl__float_index(source)]);
    return result;
}

kdl_tensor *kdl__compute_gather(kdl_tensor *source, kdl_tensor *indices, int64_t planes)
{
    static kdl__plane_task *const loops[] = { gather_f32, gather_f64 };
    kdl_tensor *result =
        kdl__new_values(source->ctx, source->storage->dtype, indices->ndim, indices->dims);
    if (result)
        run(source, result, indices, NULL, planes, loops[kdl__float_index(source)]);
    return result;
}
