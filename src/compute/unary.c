/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element, in f32 and f64, and their derivatives. */
#include "compute/compute.h"
#include "compute/unary.h"

#define KDL__LOOPS "compute/unary_loops.h"
#include "compute/loop_sets.h"

#define ENTRY(name, backward_name, saved, ...)                                                     \
    { backward_name, KDL__SAVES_##saved, KDL__LOOP_SET(name), KDL__LOOP_SET(name##_backward) },
const kdl__unary kdl__unaries[] = { KDL__UNARY_LIST(ENTRY) };

kdl_tensor *kdl__compute_unary(const kdl__unary *function, kdl_tensor *x, kdl__numbers numbers)
{
    kdl_tensor *y = kdl__new_values(x->ctx, x->storage->dtype, x->ndim, x->dims);
    kdl_tensor *operands[] = { y, x };
    if (y)
        kdl__loop_run(operands, 2, function->forward[kdl__loops_of(x)], &numbers);
    return y;
}

kdl_tensor *kdl__compute_derivative(const kdl__unary *function, kdl_tensor *g, kdl_tensor *saved,
                                    kdl__numbers numbers)
{
    kdl_tensor *result = kdl__new_values(g->ctx, g->storage->dtype, g->ndim, g->dims);
    kdl_tensor *operands[] = { result, g, saved };
    if (result)
        kdl__loop_run(operands, 3, function->backward[kdl__loops_of(g)], &numbers);
    return result;
}
