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
    size_t shares;
} loop_state;

/* A share should be worth starting a thread for. */
enum { SHARE = 1 << 15 };

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

static void set_up(loop_state *loop, kdl_tensor *const *tensors)
{
    const kdl_tensor *first = tensors[0];
    loop->numel = first->numel;
    for (int d = 0; d < first->ndim; d++) {
        int64_t strides[KDL__MAX_OPERANDS];
        for (int k = 0; k < loop->count; k++) {
            const kdl_tensor *tensor = tensors[k];
            int own = d - (first->ndim - tensor->ndim);
            bool repeats = own < 0 || tensor->dims[own] == 1;
            strides[k] =
                repeats ? 0
                        : tensor->strides[own] * (int64_t)kdl_dtype_nbytes(tensor->storage->dtype);
        }
        add_dim(loop, first->dims[d], strides);
    }
    if (loop->ndim == 0) {
        static const int64_t none[KDL__MAX_OPERANDS] = { 0 };
        loop->ndim = 1;
        loop->sizes[0] = 1;
        memcpy(loop->strides[0], none, sizeof none);
    }
}

/* Elements [first, last) in row-major order, one inner run after the other. */
static void run_range(const loop_state *loop, int64_t first, int64_t last)
{
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

static kdl_status run_share(void *user_data, size_t share, int worker)
{
    (void)worker;
    const loop_state *loop = user_data;
    uint64_t numel = (uint64_t)loop->numel;
    run_range(loop, (int64_t)kdl__share_begin(numel, loop->shares, share),
              (int64_t)kdl__share_begin(numel, loop->shares, share + 1));
    return KDL_OK;
}

kdl_status kdl__loop_run(kdl_tensor *const *tensors, int count, bool serial, kdl__inner_loop *inner,
                         const void *arguments)
{
    kdl_context *ctx = tensors[0]->ctx;
    loop_state loop = { .count = count, .inner = inner, .arguments = arguments, .shares = 1 };
    for (int k = 0; k < count; k++) {
        loop.data[k] = kdl_tensor_data(tensors[k]);
        if (!loop.data[k])
            return ctx->status;
    }
    if (tensors[0]->numel == 0)
        return KDL_OK;
    set_up(&loop, tensors);
    int64_t most = loop.numel / SHARE;
    if (!serial && most > 1 && ctx->threads > 1)
        loop.shares = (size_t)(most < ctx->threads ? most : ctx->threads);
    if (loop.shares > 1)
        return kdl__parallel(ctx, loop.shares, run_share, &loop);
    run_range(&loop, 0, loop.numel);
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
