/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted storage, in memory or to be computed when it is asked for. */
#include <string.h>

#include "tensor/tensor_impl.h"

static kdl__storage *storage_header(kdl_context *ctx, kdl_dtype dtype, int64_t numel)
{
    int64_t nbytes;
    if (__builtin_mul_overflow(numel, (int64_t)kdl_dtype_nbytes(dtype), &nbytes)) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "Storage size calculation overflowed with sizes=[%" PRId64 "]", numel);
        return NULL;
    }
    kdl__storage *storage = kdl__alloc_zeroed(ctx, 1, sizeof *storage);
    if (!storage)
        return NULL;
    atomic_init(&storage->references, 1);
    storage->ctx = kdl_context_retain(ctx);
    storage->dtype = dtype;
    storage->numel = numel;
    return storage;
}

/* Gives the storage its memory, uninitialised and untouched. */
static bool allocate_values(kdl__storage *storage)
{
    size_t nbytes = (size_t)storage->numel * kdl_dtype_nbytes(storage->dtype);
    storage->data = kdl__alloc_aligned(storage->ctx, KDL__CACHE_LINE, nbytes);
    return storage->data;
}

static void free_values(kdl__storage *storage)
{
    kdl__free_aligned(storage->ctx, storage->data);
    storage->data = NULL;
}

static void drop_history(kdl__storage *storage)
{
    if (storage->history)
        storage->deferred->release(storage->history);
    storage->history = NULL;
    storage->deferred = NULL;
}

kdl__storage *kdl__storage_new(kdl_context *ctx, kdl_dtype dtype, int64_t numel)
{
    kdl__storage *storage = storage_header(ctx, dtype, numel);
    if (storage && !allocate_values(storage)) {
        kdl__storage_release(storage);
        return NULL;
    }
    return storage;
}

kdl__storage *kdl__storage_new_deferred(kdl_context *ctx, kdl_dtype dtype, int64_t numel,
                                        const kdl__deferred *deferred, void *history)
{
    kdl__storage *storage = storage_header(ctx, dtype, numel);
    if (!storage) {
        if (history)
            deferred->release(history);
        return NULL;
    }
    storage->deferred = deferred;
    storage->history = history;
    return storage;
}

kdl__storage *kdl__storage_retain(kdl__storage *storage)
{
    atomic_fetch_add_explicit(&storage->references, 1, memory_order_relaxed);
    return storage;
}

void kdl__storage_release(kdl__storage *storage)
{
    if (!storage || atomic_fetch_sub_explicit(&storage->references, 1, memory_order_acq_rel) != 1)
        return;
    kdl_context *ctx = storage->ctx;
    drop_history(storage);
    free_values(storage);
    kdl_free(ctx, storage);
    kdl_context_release(ctx);
}

kdl_status kdl__storage_materialize(kdl__storage *storage)
{
    kdl_context *ctx = storage->ctx;
    if (storage->data)
        return KDL_OK;
    if (kdl__failed(ctx) || !allocate_values(storage))
        return ctx->status;
    if (!storage->history) {
        memset(storage->data, 0, (size_t)storage->numel * kdl_dtype_nbytes(storage->dtype));
    } else {
        kdl_status status = storage->deferred->materialize(ctx, storage->history, storage->dtype,
                                                           storage->numel, storage->data);
        if (status != KDL_OK) {
            free_values(storage);
            return status;
        }
    }
    drop_history(storage);
    return KDL_OK;
}
