/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of an element and what it should be. */
#include "compute/pair.h"

#define KDL__LOOPS "compute/pair_loops.h"
#include "compute/loop_sets.h"

/* The value, the gradient of x, and that of t. */
#define ENTRY(name, ...)                                                                           \
    { KDL__LOOP_SET(name), KDL__LOOP_SET(name##_of_x), KDL__LOOP_SET(name##_of_t) },
static kdl__inner_loop *const loops[][3][KDL__LOOP_SETS] = { KDL__PAIR_LIST(ENTRY) };

static kdl_tensor *run(int which, kdl__pair_loss function, int count, kdl_tensor *const *inputs,
                       kdl__numbers numbers)
{
    kdl_tensor *first = inputs[0], *operands[4] = { NULL };
    kdl_shape shape = kdl_tensor_shape(first);
    for (int i = 0; i < count; i++) {
        operands[1 + i] = inputs[i];
        if (!kdl__broadcast(first->ctx, &shape, inputs[i]))
            return NULL;
    }
    operands[0] = kdl__new_values(first->ctx, first->storage->dtype, shape.ndim, shape.sizes);
    if (operands[0])
        kdl__loop_run(operands, 1 + count, loops[function][which][kdl__loops_of(first)], &numbers);
    return operands[0];
}

kdl_tensor *kdl__compute_pair(kdl__pair_loss function, kdl_tensor *x, kdl_tensor *t,
                              kdl__numbers numbers)
{
    return run(0, function, 2, (kdl_tensor *[]){ x, t }, numbers);
}

kdl_tensor *kdl__compute_pair_grad(kdl__pair_loss function, bool of_target, kdl_tensor *g,
                                   kdl_tensor *x, kdl_tensor *t, kdl__numbers numbers)
{
    return run(of_target ? 2 : 1, function, 3, (kdl_tensor *[]){ g, x, t }, numbers);
}
