/* SPDX-License-Identifier: Apache-2.0 */
/* What functions over spatial dimensions have in common: geometry, batches, row-major operands. */
#ifndef KDL_SRC_AUTOGRAD_WINDOW_OPS_H
#define KDL_SRC_AUTOGRAD_WINDOW_OPS_H

#include "autograd/function.h"
#include "compute/window.h"

/* What stands for dimension `d` in a list: an int stands for as many of itself. */
static inline int64_t kdl__part(const kdl_shape *list, int d)
{
    return list->ndim > 0 ? list->sizes[d] : list->sizes[0];
}

/* The sizes of a recorded function's input. */
kdl_shape kdl__edge_shape(const kdl__edge *edge);

/* A window that has nothing but 1 wide dimensions. */
kdl__window kdl__window_of_one(void);
/* Where dimension `d` of `nd` lies among a window's three. */
static inline int kdl__window_slot(int nd, int d)
{
    return 3 - nd + d;
}

/*
 * kdl__row_major() of an input of `nd` spatial dimensions, with a batch's dimension in front if it
 * has none; RuntimeError for another number of dimensions, where PyTorch's function is `name`
 * (NULL: a pool).
 */
kdl_tensor *kdl__batched(kdl_tensor *input, int nd, const char *name, const char *place);
#define KDL__POOL_INPUT                                                                            \
    "Expected %dD or %dD (batch mode) tensor with optional 0 dim batch size for input, but got:%s"
/* Without the batch's dimension where the input had none, in its dtype. Consumes `result`. */
kdl_tensor *kdl__unbatched(kdl_tensor *result, const kdl_tensor *input, int nd);

/*
 * Whether a list has one number for each of `nd` dimensions, or is an int, and none is below
 * `least` or beyond an int; RuntimeError, `message` for one below.
 */
bool kdl__check_list(kdl_context *ctx, const char *place, const char *what, const kdl_shape *list,
                     int nd, int64_t least, const char *message);
/* "(3 x 4)", for messages, with " x " between. */
kdl__shape_chars kdl__spatial_text(int nd, const int64_t *sizes, const char *between);

#endif
