/* SPDX-License-Identifier: Apache-2.0 */
/* What functions over spatial dimensions have in common. */
#include <stdio.h>
#include <string.h>

#include "autograd/window_ops.h"

kdl_shape kdl__edge_shape(const kdl__edge *edge)
{
    kdl_shape shape = { .ndim = edge->ndim };
    memcpy(shape.sizes, edge->sizes, (size_t)edge->ndim * sizeof *edge->sizes);
    return shape;
}

kdl__window kdl__window_of_one(void)
{
    kdl__window w;
    for (int at = 0; at < 3; at++) {
        w.input[at] = w.output[at] = w.kernel[at] = w.stride[at] = w.dilation[at] = 1;
        w.padding[at] = 0;
    }
    return w;
}

kdl_tensor *kdl__batched(kdl_tensor *input, int nd, const char *name, const char *place)
{
    kdl_tensor *x = kdl__row_major(input, place);
    if (!x || x->ndim == nd + 2)
        return x;
    kdl_tensor *result = NULL;
    if (x->ndim == nd + 1)
        result = kdl_unsqueeze(x, 0);
    else if (!name)
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME, KDL__POOL_INPUT, nd + 1, nd + 2,
                     kdl__shape_text(x->ndim, x->dims).chars);
    else
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected %dD (unbatched) or %dD (batched) input to %s%dd, but got input of "
                     "size: %s",
                     nd + 1, nd + 2, name, nd, kdl__shape_text(x->ndim, x->dims).chars);
    kdl_tensor_release(x);
    return result;
}

kdl_tensor *kdl__unbatched(kdl_tensor *result, const kdl_tensor *input, int nd)
{
    if (result && input->ndim == nd + 1) {
        kdl_tensor *narrow = kdl_squeeze(result, 0);
        kdl_tensor_release(result);
        result = narrow;
    }
    return result ? kdl__cast(result, input->storage->dtype) : NULL;
}

bool kdl__check_list(kdl_context *ctx, const char *place, const char *what, const kdl_shape *list,
                     int nd, int64_t least, const char *message)
{
    if (list->ndim > 0 && list->ndim != nd) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "expected %s to be a single integer value or a list of %d values to match the "
                     "convolution dimensions, but got %s=%s",
                     what, nd, what, kdl__shape_text(list->ndim, list->sizes).chars);
        return false;
    }
    for (int d = 0; d < nd; d++) {
        if (kdl__part(list, d) < least || kdl__part(list, d) > INT32_MAX) {
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s",
                         kdl__part(list, d) < least ? message : "integer out of range");
            return false;
        }
    }
    return true;
}

kdl__shape_chars kdl__spatial_text(int nd, const int64_t *sizes, const char *between)
{
    kdl__shape_chars text = { "(" };
    size_t length = 1;
    for (int d = 0; d < nd; d++)
        length += (size_t)snprintf(text.chars + length, sizeof text.chars - length, "%s%" PRId64,
                                   d ? between : "", sizes[d]);
    snprintf(text.chars + length, sizeof text.chars - length, ")");
    return text;
}
