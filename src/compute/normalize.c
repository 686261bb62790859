/* SPDX-License-Identifier: Apache-2.0 */
/* Normalising rows. Means and variances are summed in double. */
#include "compute/normalize.h"

#include <math.h>

#include "compute/row_lanes.h"

typedef struct normalize_call {
    kdl__rows rows;
    const void *in, *result; /* `in` is the gradient of the result where there is one */
    void *out;
    kdl__moments moments;   /* written */
    const double *variance; /* read on the way back */
} normalize_call;

#define KDL__LOOPS "compute/normalize_loops.h"
#include "compute/loop_sets.h"

kdl_tensor *kdl__compute_normalize(kdl_tensor *input, const kdl__rows *rows,
                                   const kdl__moments *moments)
{
    static kdl__range *const loops[] = KDL__LOOP_SET(normalize);
    kdl_tensor *result =
        kdl__new_values(input->ctx, input->storage->dtype, input->ndim, input->dims);
    normalize_call call = { .rows = *rows, .in = kdl_tensor_data(input), .moments = *moments };
    if (result) {
        call.out = result->storage->data;
        kdl__run_ranges(input->ctx, rows->rows, rows->outer * rows->inner,
                        loops[kdl__loops_of(input)], &call);
    }
    return result;
}

kdl_tensor *kdl__compute_normalize_grad(kdl_tensor *grad, kdl_tensor *result, const kdl__rows *rows,
                                        const double *variance)
{
    static kdl__range *const loops[] = KDL__LOOP_SET(normalize_grad);
    kdl_tensor *out = kdl__new_values(grad->ctx, grad->storage->dtype, grad->ndim, grad->dims);
    normalize_call call = { .rows = *rows,
                            .in = kdl_tensor_data(grad),
                            .result = kdl_tensor_data(result),
                            .variance = variance };
    if (out) {
        call.out = out->storage->data;
        kdl__run_ranges(grad->ctx, rows->rows, rows->outer * rows->inner,
                        loops[kdl__loops_of(grad)], &call);
    }
    return out;
}
