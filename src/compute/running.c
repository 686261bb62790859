/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums along a dimension, in double, several lines at a time: a single one would wait. */
#include "compute/compute.h"

/*
 * Lines side by side in memory, in vectors; or one behind the other, so few that rows of any length
 * find room in the nearest cache.
 */
enum { WIDE = 256, FEW = 4 };

typedef struct running {
    const void *in;
    void *out;
    int64_t count, inner, lines; /* a line's elements, which are `inner` apart, and the lines */
    int64_t blocks;              /* of WIDE lines, in `inner` of them */
    bool from_last;
} running;

#define KDL__LOOPS "compute/running_loops.h"
#include "compute/loop_sets.h"

kdl_tensor *kdl__compute_running_sums(kdl_tensor *tensor, int dim, bool from_last)
{
    static kdl__range *const wide[] = KDL__LOOP_SET(side_by_side);
    static kdl__range *const few[] = KDL__LOOP_SET(in_rows);
    running r = { .count = tensor->ndim ? tensor->dims[dim] : 1, .inner = 1 };
    for (int d = dim + 1; d < tensor->ndim; d++)
        r.inner *= tensor->dims[d];
    kdl_tensor *result =
        kdl__new_values(tensor->ctx, tensor->storage->dtype, tensor->ndim, tensor->dims);
    if (!result || tensor->numel == 0)
        return result;
    r.in = kdl_tensor_data(tensor);
    r.out = kdl_tensor_data(result);
    r.from_last = from_last;
    r.lines = tensor->numel / r.count;
    r.blocks = (r.inner + WIDE - 1) / WIDE;
    int64_t blocks = r.inner > 1 ? r.lines / r.inner * r.blocks : (r.lines + FEW - 1) / FEW;
    kdl__run_ranges(tensor->ctx, blocks, tensor->numel / blocks,
                    (r.inner > 1 ? wide : few)[kdl__loops_of(tensor)], &r);
    return result;
}
