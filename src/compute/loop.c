/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over the elements of several tensors at once: few long runs, on every thread. */
#include <string.h>

#include "compute/compute.h"

typedef struct loop_state {
    int count, ndim;
    int64_t numel;
    int64_t sizes[KDL_MAX_DIMS];                      /* the innermost last */
    int64_t strides[KDL_MAX_DIMS][KDL__MAX_OPERANDS]; /* in bytes */
    char *data[KDL__MAX_OPERANDS];
    kdl__inner_loop *inner;
    const void *arguments;
} loop_state;

/* ---- shares ------------------------------------------------------------------------------ */

/* A share should be worth starting a thread for. */
enum { SHARE = 1 << 15 };

typedef struct range_run {
    kdl__range *run;
    const void *data;
    int64_t count;
    size_t shares;
} range_run;

static kdl_status run_share(void *user_data, size_t share, int worker)
{
    (void)worker;
    const range_run *all = user_data;
    uint64_t count = (uint64_t)all->count;
    int64_t first = (int64_t)kdl__portion(count, all->shares, share);
    all->run(all->data, first, (int64_t)kdl__portion(count, all->shares, share + 1));
    return KDL_OK;
}

void kdl__run_ranges(kdl_context *ctx, int64_t count, int64_t work, kdl__range *run,
                     const void *data)
{
    int64_t most = work > 0 ? (int64_t)((double)count * (double)work / SHARE) : 0;
    most = most < count ? most : count;
    range_run all = { run, data, count, (size_t)(most < ctx->threads ? most : ctx->threads) };
    if (most > 1 && ctx->threads > 1)
        (void)kdl__parallel(ctx, all.shares, run_share, &all); /* which cannot fail */
    else if (count > 0)
        run(data, 0, count);
}

/* ---- loops ------------------------------------------------------------------------------- */

/* Appends a dimension, as part of the one before where every operand's elements run on. */
static void add_dim(loop_state *loop, int64_t size, const int64_t *strides)
{
    if (size == 1)
        return;
    size_t nbytes = sizeof *strides * (size_t)loop->count;
    if (loop->ndim > 0) {
        int last = loop->ndim - 1;
        bool runs_on = true;
        for (int k = 0; k < loop->count; k++)
            runs_on = runs_on && loop->strides[last][k] == strides[k] * size;
        if (runs_on) {
            loop->sizes[last] *= size;
            memcpy(loop->strides[last], strides, nbytes);
            return;
        }
    }
    loop->sizes[loop->ndim] = size;
    memcpy(loop->strides[loop->ndim++], strides, nbytes);
}

/* Positions [from, to) of dimension `dim` only; of all for -1. */
static void set_up(loop_state *loop, kdl_tensor *const *tensors, int dim, int64_t from, int64_t to)
{
    const kdl_tensor *first = tensors[0];
    loop->numel = dim < 0 ? first->numel : first->numel / first->dims[dim] * (to - from);
    for (int d = 0; d < first->ndim; d++) {
        int64_t strides[KDL__MAX_OPERANDS];
        for (int k = 0; k < loop->count; k++) {
            const kdl_tensor *tensor = tensors[k];
            int own = d - (first->ndim - tensor->ndim);
            bool repeats = own < 0 || tensor->dims[own] == 1;
            strides[k] =
                repeats ? 0
                        : tensor->strides[own] * (int64_t)kdl_dtype_nbytes(tensor->storage->dtype);
            if (d == dim)
                loop->data[k] += from * strides[k];
        }
        add_dim(loop, d == dim ? to - from : first->dims[d], strides);
    }
    if (loop->ndim == 0) {
        static const int64_t none[KDL__MAX_OPERANDS] = { 0 };
        loop->ndim = 1;
        loop->sizes[0] = 1;
        memcpy(loop->strides[0], none, sizeof none);
    }
}

/* Elements [first, last) in row-major order, one inner run after the other. */
static void run_range(const void *state, int64_t first, int64_t last)
{
    const loop_state *loop = state;
    int inner = loop->ndim - 1;
    int64_t index[KDL_MAX_DIMS], rest = first;
    char *data[KDL__MAX_OPERANDS];
    memcpy(data, loop->data, sizeof data);
    for (int d = inner; d >= 0; d--) {
        index[d] = rest % loop->sizes[d];
        rest /= loop->sizes[d];
        for (int k = 0; k < loop->count; k++)
            data[k] += index[d] * loop->strides[d][k];
    }
    while (first < last) {
        int64_t n = loop->sizes[inner] - index[inner];
        n = n < last - first ? n : last - first;
        loop->inner(loop->arguments, data, loop->strides[inner], n);
        first += n;
        index[inner] += n;
        for (int k = 0; k < loop->count; k++)
            data[k] += n * loop->strides[inner][k];
        for (int d = inner; d > 0 && index[d] == loop->sizes[d]; d--) {
            for (int k = 0; k < loop->count; k++)
                data[k] += loop->strides[d - 1][k] - loop->sizes[d] * loop->strides[d][k];
            index[d] = 0;
            index[d - 1]++;
        }
    }
}

/* The operands' memory; false: an error stands. */
static bool get_data(loop_state *loop, kdl_tensor *const *tensors)
{
    for (int k = 0; k < loop->count; k++) {
        loop->data[k] = kdl_tensor_data(tensors[k]);
        if (!loop->data[k])
            return false;
    }
    return true;
}

kdl_status kdl__loop_run(kdl_tensor *const *tensors, int count, kdl__inner_loop *inner,
                         const void *arguments)
{
    kdl_context *ctx = tensors[0]->ctx;
    loop_state loop = { .count = count, .inner = inner, .arguments = arguments };
    if (!get_data(&loop, tensors))
        return ctx->status;
    if (tensors[0]->numel > 0) {
        set_up(&loop, tensors, -1, 0, 0);
        kdl__run_ranges(ctx, loop.numel, 1, run_range, &loop);
    }
    return KDL_OK;
}

/* A loop that is cut along a dimension. */
typedef struct sliced {
    const loop_state *loop; /* not set up yet */
    kdl_tensor *const *tensors;
    int dim;
    int64_t pieces; /* 0: any */
    int64_t apart;
} sliced;

static void run_slice(const void *data, int64_t first, int64_t last)
{
    const sliced *all = data;
    uint64_t size = (uint64_t)all->tensors[0]->dims[all->dim];
    if (!all->pieces) {
        loop_state loop = *all->loop;
        set_up(&loop, all->tensors, all->dim, first, last);
        run_range(&loop, 0, loop.numel);
    }
    for (int64_t i = first; all->pieces && i < last; i++) {
        loop_state loop = *all->loop;
        loop.data[0] += i * all->apart;
        set_up(&loop, all->tensors, all->dim,
               (int64_t)kdl__portion(size, (size_t)all->pieces, (size_t)i),
               (int64_t)kdl__portion(size, (size_t)all->pieces, (size_t)i + 1));
        run_range(&loop, 0, loop.numel);
    }
}

kdl_status kdl__loop_run_sliced(kdl_tensor *const *tensors, int count, int dim, int64_t pieces,
                                int64_t apart, kdl__inner_loop *inner, const void *arguments)
{
    kdl_context *ctx = tensors[0]->ctx;
    loop_state loop = { .count = count, .inner = inner, .arguments = arguments };
    if (!get_data(&loop, tensors))
        return ctx->status;
    if (tensors[0]->numel == 0)
        return KDL_OK;
    sliced all = { &loop, tensors, dim, pieces, apart };
    int64_t slices = pieces ? pieces : tensors[0]->dims[dim];
    kdl__run_ranges(ctx, slices, tensors[0]->numel / slices, run_slice, &all);
    return KDL_OK;
}

kdl__loop_set kdl__loops_of(const kdl_tensor *tensor)
{
    if (tensor->storage->dtype == KDL_F64)
        return KDL__LOOPS_F64;
#ifdef __x86_64__
    return tensor->ctx->cpu >= KDL__CPU_AVX512 ? KDL__LOOPS_AVX512
           : tensor->ctx->cpu == KDL__CPU_AVX2 ? KDL__LOOPS_AVX2
                                               : KDL__LOOPS_F32;
#else
    return KDL__LOOPS_F32;
#endif
}

kdl_tensor *kdl__new_values(kdl_context *ctx, kdl_dtype dtype, int ndim, const int64_t *sizes)
{
    int64_t numel;
    if (kdl__failed(ctx) || !kdl__shape_numel(ctx, ndim, sizes, &numel))
        return NULL;
    kdl__storage *storage = kdl__storage_new(ctx, dtype, numel);
    if (!storage)
        return NULL;
    kdl_tensor *tensor = kdl__tensor_new(ctx, storage, 0, ndim, sizes, NULL);
    kdl__storage_release(storage);
    return tensor;
}
