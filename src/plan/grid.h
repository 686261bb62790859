/* SPDX-License-Identifier: Apache-2.0 */
/* Copying elements between places that lie at equal steps along each of some dimensions. */
#ifndef KDL_SRC_PLAN_GRID_H
#define KDL_SRC_PLAN_GRID_H

#include "tensor/tensor_impl.h"

/*
 * Elements in dimensions, numbered with the last dimension running fastest, and where each lies at
 * either end: at `to` or `from` plus its indices times the steps, all in elements.
 */
typedef struct kdl__grid {
    int ndim;
    int64_t sizes[KDL_MAX_DIMS];
    int64_t to, from;
    int64_t to_steps[KDL_MAX_DIMS];
    int64_t from_steps[KDL_MAX_DIMS];
} kdl__grid;

/*
 * Copies elements [first, first + count) of `size` bytes (1, 2, 4 or 8) from `in` to `out`, which
 * do not overlap. Simplifies the grid.
 */
void kdl__grid_copy(kdl__grid *grid, size_t size, void *out, const void *in, int64_t first,
                    int64_t count);

#endif
