/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of storages and the orders of their elements. */
#include <string.h>

#include "plan/grid.h"
#include "plan/region.h"

void kdl__region_of(const kdl_tensor *tensor, kdl__region *region)
{
    region->offset = tensor->offset;
    region->numel = tensor->numel;
    region->ndim = tensor->ndim;
    memcpy(region->sizes, tensor->dims, (size_t)tensor->ndim * sizeof *region->sizes);
    memcpy(region->strides, tensor->strides, (size_t)tensor->ndim * sizeof *region->strides);
}

bool kdl__region_is_contiguous(const kdl__region *region)
{
    return kdl__shape_is_contiguous(region->ndim, region->sizes, region->strides);
}

void kdl__region_bounds(const kdl__region *region, int64_t *low, int64_t *high)
{
    *low = *high = region->offset;
    if (region->numel == 0)
        return;
    *high += 1;
    for (int d = 0; d < region->ndim; d++)
        *high += (region->sizes[d] - 1) * region->strides[d];
}

static void swap_dims(kdl__region *region, int a, int b)
{
    int64_t size = region->sizes[a], stride = region->strides[a];
    region->sizes[a] = region->sizes[b];
    region->strides[a] = region->strides[b];
    region->sizes[b] = size;
    region->strides[b] = stride;
}

void kdl__region_sort_both(kdl__region *region, kdl__region *other)
{
    for (int i = 1; i < region->ndim; i++)
        for (int j = i; j > 0 && region->strides[j - 1] < region->strides[j]; j--) {
            swap_dims(region, j - 1, j);
            swap_dims(other, j - 1, j);
        }
}

void kdl__region_drop_repeats(kdl__region *region)
{
    for (int d = 0; d < region->ndim; d++)
        if (region->strides[d] == 0 && region->sizes[d] > 1) {
            region->numel /= region->sizes[d];
            region->sizes[d] = 1;
        }
}

/* ---- walks ------------------------------------------------------------------------------- */

void kdl__walk_init(kdl__walk *walk, const kdl__region *region)
{
    walk->offset = region->offset;
    walk->numel = region->numel;
    walk->ndim = 0;
    walk->is_row_major = true;
    int64_t row_major = region->numel;
    for (int d = 0; d < region->ndim && region->numel > 0; d++) {
        int64_t size = region->sizes[d], stride = region->strides[d];
        row_major /= size;
        if (size == 1)
            continue;
        int at = walk->ndim++;
        for (; at > 0 && walk->strides[at - 1] < stride; at--) {
            walk->sizes[at] = walk->sizes[at - 1];
            walk->strides[at] = walk->strides[at - 1];
            walk->row_major[at] = walk->row_major[at - 1];
            walk->is_row_major = false;
        }
        walk->sizes[at] = size;
        walk->strides[at] = stride;
        walk->row_major[at] = row_major;
    }
}

/* The sum over dimensions of an element's index times `steps`. */
static int64_t dot_index(const kdl__walk *walk, int64_t index, const int64_t *steps)
{
    int64_t sum = 0;
    for (int d = walk->ndim - 1; d >= 0; d--) {
        sum += index % walk->sizes[d] * steps[d];
        index /= walk->sizes[d];
    }
    return sum;
}

int64_t kdl__walk_address(const kdl__walk *walk, int64_t index)
{
    return walk->offset + dot_index(walk, index, walk->strides);
}

int64_t kdl__walk_row_major(const kdl__walk *walk, int64_t index)
{
    return walk->is_row_major ? index : dot_index(walk, index, walk->row_major);
}

int64_t kdl__walk_lower_bound(const kdl__walk *walk, int64_t address)
{
    int64_t low = 0, high = walk->numel;
    if (address <= walk->offset)
        return 0;
    if (high > 0 && kdl__walk_address(walk, high - 1) < address)
        return high;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (kdl__walk_address(walk, middle) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t kdl__walk_row(const kdl__walk *walk, int64_t index)
{
    if (walk->ndim == 0)
        return 1;
    int64_t size = walk->sizes[walk->ndim - 1];
    return walk->strides[walk->ndim - 1] == 1 ? size - index % size : 0;
}

/* ---- copying ----------------------------------------------------------------------------- */

void kdl__walk_scatter(const kdl__walk *walk, size_t size, int64_t low, void *memory, int64_t first,
                       int64_t count, const void *in)
{
    kdl__grid grid = { .ndim = walk->ndim, .to = walk->offset - low, .from = -first };
    memcpy(grid.sizes, walk->sizes, sizeof grid.sizes);
    memcpy(grid.to_steps, walk->strides, sizeof grid.to_steps);
    kdl__shape_strides(grid.ndim, grid.sizes, grid.from_steps);
    kdl__grid_copy(&grid, size, memory, in, first, count);
}

void kdl__walk_gather(const kdl__walk *walk, size_t size, int64_t low, const void *memory,
                      int64_t first, int64_t count, void *out)
{
    kdl__grid grid = { .ndim = walk->ndim, .to = -first, .from = walk->offset - low };
    memcpy(grid.sizes, walk->sizes, sizeof grid.sizes);
    memcpy(grid.from_steps, walk->strides, sizeof grid.from_steps);
    kdl__shape_strides(grid.ndim, grid.sizes, grid.to_steps);
    kdl__grid_copy(&grid, size, out, memory, first, count);
}

void kdl__region_gather(const kdl__region *region, size_t size, const void *storage, uint64_t first,
                        uint64_t count, void *out)
{
    kdl__grid grid = { .ndim = region->ndim, .to = -(int64_t)first, .from = region->offset };
    memcpy(grid.sizes, region->sizes, sizeof grid.sizes);
    memcpy(grid.from_steps, region->strides, sizeof grid.from_steps);
    kdl__shape_strides(grid.ndim, grid.sizes, grid.to_steps);
    kdl__grid_copy(&grid, size, out, storage, (int64_t)first, (int64_t)count);
}

void kdl__region_copy(const kdl__region *to, int64_t low, void *memory, const kdl__region *from,
                      const void *storage, size_t size, int64_t first, int64_t count)
{
    kdl__grid grid = { .ndim = to->ndim, .to = to->offset - low, .from = from->offset };
    memcpy(grid.sizes, to->sizes, sizeof grid.sizes);
    memcpy(grid.to_steps, to->strides, sizeof grid.to_steps);
    memcpy(grid.from_steps, from->strides, sizeof grid.from_steps);
    kdl__grid_copy(&grid, size, memory, storage, first, count);
}
