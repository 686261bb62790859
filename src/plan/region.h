/* SPDX-License-Identifier: Apache-2.0 */
/* Regions: which elements of a storage a view covers, and the order in which they are visited. */
#ifndef KDL_SRC_PLAN_REGION_H
#define KDL_SRC_PLAN_REGION_H

#include "plan/op.h"

/*
 * A region's dimensions sorted by descending stride, those of size 1 dropped. No two elements of
 * the region share an address, so the address grows with the element's number in this order.
 */
typedef struct kdl__walk {
    int64_t offset;
    int64_t numel;
    int ndim;
    int64_t sizes[KDL_MAX_DIMS];
    int64_t strides[KDL_MAX_DIMS];
    int64_t row_major[KDL_MAX_DIMS]; /* how much a step in each adds to the row-major number */
    bool is_row_major;               /* whether both orders are one */
} kdl__walk;

void kdl__walk_init(kdl__walk *walk, const kdl__region *region);
/* Where element `index` of the walk lies in the storage, and its row-major number. */
int64_t kdl__walk_address(const kdl__walk *walk, int64_t index);
int64_t kdl__walk_row_major(const kdl__walk *walk, int64_t index);
/* The first element of the walk at or behind `address`. */
int64_t kdl__walk_lower_bound(const kdl__walk *walk, int64_t address);
/*
 * How many elements, `index` the first, have addresses in a row without gaps: 0 if there are gaps.
 */
int64_t kdl__walk_row(const kdl__walk *walk, int64_t index);

/*
 * Copies elements [first, first + count) of a walk out of its storage's memory, or into it;
 * `memory` begins at the storage's element `low`.
 */
void kdl__walk_gather(const kdl__walk *walk, size_t size, int64_t low, const void *memory,
                      int64_t first, int64_t count, void *out);
void kdl__walk_scatter(const kdl__walk *walk, size_t size, int64_t low, void *memory, int64_t first,
                       int64_t count, const void *in);

/* Drops dimensions that repeat one element (expanded ones): for ops that may write it just once. */
void kdl__region_drop_repeats(kdl__region *region);
/* Reorders the dimensions of both by descending stride of `region`: for elementwise copies. */
void kdl__region_sort_both(kdl__region *region, kdl__region *other);

/* The storage's elements from the first to behind the last one of a region. */
void kdl__region_bounds(const kdl__region *region, int64_t *low, int64_t *high);

/* Copies elements [first, first + count) of a region, row-major, out of its storage's memory. */
void kdl__region_gather(const kdl__region *region, size_t size, const void *storage, uint64_t first,
                        uint64_t count, void *out);
/*
 * Copies elements [first, first + count) of one region to those of another with the same sizes.
 * `memory` begins at the element `low` of the storage that is written.
 */
void kdl__region_copy(const kdl__region *to, int64_t low, void *memory, const kdl__region *from,
                      const void *storage, size_t size, int64_t first, int64_t count);

#endif
