/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one op on those of its elements that lie in a window of the storage, or on all of them. */
#include <string.h>

#include "plan/region.h"

enum { BATCH = 2048 }; /* elements computed at a time for a region with gaps */

/* One batch of consecutive elements, scattered to their places. */
static kdl_status run_batch(const kdl__op *op, const void *whole, kdl__worker *worker,
                            const kdl__walk *walk, int64_t first, int64_t count, int64_t low,
                            char *window)
{
    _Alignas(16) char values[BATCH * sizeof(double)];
    size_t size = kdl_dtype_nbytes(op->dtype);
    if (op->class->flags & KDL__OP_READS)
        kdl__walk_gather(walk, size, low, window, first, count, values);
    kdl_status status =
        op->class->range(op, whole, worker, (uint64_t)first, (uint64_t)count, values);
    if (!status)
        kdl__walk_scatter(walk, size, low, window, first, count, values);
    return status;
}

/* The values depend on the row-major number, which jumps about: one element at a time. */
static kdl_status run_singly(const kdl__op *op, const void *whole, kdl__worker *worker,
                             const kdl__walk *walk, int64_t first, int64_t end, int64_t low,
                             char *window)
{
    size_t size = kdl_dtype_nbytes(op->dtype);
    kdl_status status = KDL_OK;
    for (; first < end && !status; first++) {
        char *at = window + (size_t)(kdl__walk_address(walk, first) - low) * size;
        status =
            op->class->range(op, whole, worker, (uint64_t)kdl__walk_row_major(walk, first), 1, at);
    }
    return status;
}

/* Whether a copy can go from memory to memory without a batch between. */
static bool copies_memory(const kdl__op *op)
{
    const kdl__region *from = &op->source.region, *to = &op->region;
    return op->class == &kdl__op_copy && op->source.storage && op->source.dtype == op->dtype &&
           from->ndim == to->ndim &&
           memcmp(from->sizes, to->sizes, (size_t)to->ndim * sizeof *to->sizes) == 0;
}

static kdl_status run_strided(const kdl__op *op, const void *whole, kdl__worker *worker,
                              int64_t low, int64_t high, char *window)
{
    kdl__walk walk;
    kdl__walk_init(&walk, &op->region);
    int64_t first = kdl__walk_lower_bound(&walk, low), end = kdl__walk_lower_bound(&walk, high);
    if (!walk.is_row_major && !(op->class->flags & KDL__OP_STREAM_ORDER))
        return run_singly(op, whole, worker, &walk, first, end, low, window);
    kdl_status status = KDL_OK;
    if (copies_memory(op)) {
        kdl__region_copy(&op->region, low, window, &op->source.region, op->source.storage->data,
                         kdl_dtype_nbytes(op->dtype), first, end - first);
        return KDL_OK;
    }
    for (int64_t count; first < end && !status; first += count) {
        int64_t row = kdl__walk_row(&walk, first);
        count = row > BATCH ? row : BATCH;
        if (end - first < count)
            count = end - first;
        char *at =
            window + (size_t)(kdl__walk_address(&walk, first) - low) * kdl_dtype_nbytes(op->dtype);
        status = row > BATCH
                     ? op->class->range(op, whole, worker, (uint64_t)first, (uint64_t)count, at)
                     : run_batch(op, whole, worker, &walk, first, count, low, window);
    }
    return status;
}

kdl_status kdl__op_run(const kdl__op *op, const void *whole, kdl__worker *worker, int64_t low,
                       int64_t high, void *window)
{
    const kdl__region *region = &op->region;
    if (region->numel == 0)
        return KDL_OK;
    if (!kdl__region_is_contiguous(region))
        return run_strided(op, whole, worker, low, high, window);
    int64_t from = low > region->offset ? low : region->offset;
    int64_t end = region->offset + region->numel;
    if (high < end)
        end = high;
    if (from >= end)
        return KDL_OK;
    return op->class->range(op, whole, worker, (uint64_t)(from - region->offset),
                            (uint64_t)(end - from),
                            (char *)window + (size_t)(from - low) * kdl_dtype_nbytes(op->dtype));
}

/* ---- on several threads ------------------------------------------------------------------ */

/* Below this many elements another thread costs more than it saves. */
enum { MIN_SHARE = 128 * 1024 };

/* Shares begin at multiples of this, so that no block of 16 normals is computed twice. */
enum { ALIGNMENT = 16 };

size_t kdl__share_count(const kdl_context *ctx, uint64_t numel)
{
    uint64_t most = numel / MIN_SHARE;
    return most > (uint64_t)ctx->threads ? (size_t)ctx->threads : most ? (size_t)most : 1;
}

uint64_t kdl__share_begin(uint64_t numel, size_t count, size_t index)
{
    uint64_t length = (numel / count + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    return index == count || length * index > numel ? numel : length * index;
}

typedef struct sharing {
    const kdl__op *op;
    const void *whole;
    kdl__worker *worker;
    size_t shares;
    int64_t low; /* the storage's elements that the op may write begin here */
    uint64_t length;
    char *storage;
} sharing;

/* The last share ends where the stream goes on: it takes the caller's engine there. */
static kdl_status run_share(void *user_data, size_t index, int worker_index)
{
    (void)worker_index;
    const sharing *all = user_data;
    kdl__cursor own, *cursor = index + 1 == all->shares ? all->worker->cursor : &own;
    if (cursor == &own)
        kdl__cursor_init(&own, all->worker->cursor->kernels);
    kdl__worker worker = { all->worker->ctx, cursor, false };
    int64_t low = all->low + (int64_t)kdl__share_begin(all->length, all->shares, index);
    int64_t high = all->low + (int64_t)kdl__share_begin(all->length, all->shares, index + 1);
    kdl_status status = kdl__op_run(all->op, all->whole, &worker, low, high,
                                    all->storage + (size_t)low * kdl_dtype_nbytes(all->op->dtype));
    if (cursor == &own)
        kdl__cursor_free(&own);
    return status;
}

kdl_status kdl__op_run_all(const kdl__op *op, const void *whole, kdl__worker *worker, int64_t numel,
                           void *storage)
{
    size_t shares =
        worker->parallel ? kdl__share_count(worker->ctx, (uint64_t)op->region.numel) : 1;
    if (shares == 1)
        return kdl__op_run(op, whole, worker, 0, numel, storage);
    int64_t low, high;
    kdl__region_bounds(&op->region, &low, &high);
    sharing all = { op, whole, worker, shares, low, (uint64_t)(high - low), storage };
    return kdl__parallel(worker->ctx, shares, run_share, &all);
}
