/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row-major tensor as lines of elements along a dimension, for what goes along them one by one.
 */
#ifndef KDL_SRC_AUTOGRAD_LINES_H
#define KDL_SRC_AUTOGRAD_LINES_H

#include "autograd/function.h"

/* `lines` lines of `count` elements each, which lie `inner` apart. */
typedef struct kdl__lines {
    int64_t count, inner, lines;
} kdl__lines;

static inline kdl__lines kdl__lines_of(const kdl_tensor *tensor, int dim)
{
    kdl__lines lines = { tensor->ndim ? tensor->dims[dim] : 1, 1, 0 };
    for (int d = dim + 1; d < tensor->ndim; d++)
        lines.inner *= tensor->dims[d];
    lines.lines = lines.count ? tensor->numel / lines.count : 0;
    return lines;
}

/* Where element `i` of a line is. */
static inline int64_t kdl__line_place(const kdl__lines *lines, int64_t line, int64_t i)
{
    return (line / lines->inner * lines->count + i) * lines->inner + line % lines->inner;
}

/* A dimension of the tensor, or -1 with IndexError; 0 or -1 of one without dimensions: 0. */
static inline int kdl__dim_of(const kdl_tensor *tensor, int dim)
{
    return kdl__wrap_dim(tensor->ctx, dim, tensor->ndim ? tensor->ndim : 1);
}

/*
 * Those dimensions as bits; none given: all. false: IndexError, or RuntimeError for one named
 * twice.
 */
static inline bool kdl__dims_mask(const kdl_tensor *tensor, int count, const int *dims,
                                  uint32_t *mask)
{
    *mask = 0;
    for (int i = 0; i < count; i++) {
        int dim = kdl__dim_of(tensor, dims[i]);
        if (dim < 0)
            return false;
        if (*mask >> dim & 1) {
            kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                      "dim %d appears multiple times in the list of dims", dim);
            return false;
        }
        *mask |= 1U << dim;
    }
    return true;
}

#endif
