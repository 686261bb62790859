/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one op on those of its elements that lie in a window of the storage. */
#include <string.h>

#include "plan/region.h"

enum { BATCH = 1024 }; /* elements gathered at a time from a strided region */

/* One batch of consecutive elements of a strided region, scattered to their places. */
static kdl_status run_batch(const kdl__op *op, const void *whole, kdl__worker *worker,
                            const kdl__walk *walk, int64_t first, int64_t count, int64_t low,
                            char *window)
{
    _Alignas(16) char values[BATCH * sizeof(double)];
    int64_t addresses[BATCH];
    size_t size = kdl_dtype_nbytes(op->dtype);
    for (int64_t i = 0; i < count; i++)
        addresses[i] = kdl__walk_address(walk, first + i) - low;
    if (op->class->flags & KDL__OP_READS)
        for (int64_t i = 0; i < count; i++)
            memcpy(values + (size_t)i * size, window + (size_t)addresses[i] * size, size);
    kdl_status status =
        op->class->range(op, whole, worker, (uint64_t)first, (uint64_t)count, values);
    if (!status)
        for (int64_t i = 0; i < count; i++)
            memcpy(window + (size_t)addresses[i] * size, values + (size_t)i * size, size);
    return status;
}

static kdl_status run_strided(const kdl__op *op, const void *whole, kdl__worker *worker,
                              int64_t low, int64_t high, char *window)
{
    kdl__walk walk;
    kdl__walk_init(&walk, &op->region);
    int64_t first = kdl__walk_lower_bound(&walk, low), end = kdl__walk_lower_bound(&walk, high);
    if (walk.is_row_major || op->class->flags & KDL__OP_STREAM_ORDER) {
        kdl_status status = KDL_OK;
        for (; first < end && !status; first += BATCH) {
            int64_t count = end - first < BATCH ? end - first : BATCH;
            status = run_batch(op, whole, worker, &walk, first, count, low, window);
        }
        return status;
    }
    /* The values depend on the row-major number, which jumps about: one element at a time. */
    size_t size = kdl_dtype_nbytes(op->dtype);
    for (; first < end; first++) {
        char *at = window + (size_t)(kdl__walk_address(&walk, first) - low) * size;
        kdl_status status =
            op->class->range(op, whole, worker, (uint64_t)kdl__walk_row_major(&walk, first), 1, at);
        if (status)
            return status;
    }
    return KDL_OK;
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
