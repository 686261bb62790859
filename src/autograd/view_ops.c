/* SPDX-License-Identifier: Apache-2.0 */
/* The gradients of what the core does with tensors: views and copies. */
#include <string.h>

#include "autograd/function.h"

/* ---- views ------------------------------------------------------------------------------- */

/* The place of the view in a tensor of its input's sizes. One reference. */
static kdl_tensor *place_in(kdl_tensor *whole, const kdl__view_how *how, const kdl_tensor *grad)
{
    if (how->kind == KDL__VIEW_SELECT)
        return kdl_select(whole, how->dim, how->start);
    kdl_tensor *rest = kdl_slice(whole, how->dim, how->start, INT64_MAX, how->step);
    kdl_tensor *part = kdl_narrow(rest, how->dim, 0, grad->dims[how->dim]);
    kdl_tensor_release(rest);
    return part;
}

/* Zeros of the input's sizes with `grad` in the place of the view. Gives one reference. */
static kdl_tensor *put_back(const kdl__function *function, const kdl__view_how *how,
                            kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl_tensor *whole =
        kdl__new_values(function->ctx, grad->storage->dtype, input->ndim, input->sizes);
    if (!whole)
        return NULL;
    memset(whole->storage->data, 0, kdl_tensor_nbytes(whole));
    kdl_tensor *part = place_in(whole, how, grad);
    if (part)
        kdl_copy_(part, grad);
    kdl_tensor_release(part);
    return whole;
}

/* Where other parts were put back before, as of queries, keys and values: into the same sum. */
static void give_part(kdl__function *function, const kdl__view_how *how, kdl_tensor *grad)
{
    kdl_tensor *sum = kdl__open_sum(function, 0);
    if (!sum || sum->storage->dtype != grad->storage->dtype) {
        kdl__give(function, 0, put_back(function, how, grad));
        return;
    }
    kdl_tensor *part = place_in(sum, how, grad);
    if (part)
        kdl__accumulate(part, grad, 1);
    kdl_tensor_release(part);
}

static kdl_tensor *permute_back(const kdl__view_how *how, kdl_tensor *grad)
{
    int back[KDL_MAX_DIMS];
    for (int d = 0; d < grad->ndim; d++)
        back[how->dims[d]] = d;
    return kdl_permute(grad, grad->ndim, back);
}

static kdl_tensor *reshape_back(const kdl__edge *input, kdl_tensor *grad)
{
    kdl_shape shape = { .ndim = input->ndim };
    memcpy(shape.sizes, input->sizes, (size_t)input->ndim * sizeof *shape.sizes);
    return kdl_reshape(grad, shape);
}

static void view_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__view_how *how = function->own;
    switch (how->kind) {
    case KDL__VIEW_RESHAPE:
        kdl__give(function, 0, reshape_back(&function->edges[0], grad));
        break;
    case KDL__VIEW_PERMUTE:
        kdl__give(function, 0, permute_back(how, grad));
        break;
    case KDL__VIEW_RANGE:
    case KDL__VIEW_SELECT:
        give_part(function, how, grad);
        break;
    case KDL__VIEW_EXPAND:
        kdl__give(function, 0, kdl_tensor_retain(grad)); /* summed on the way */
    }
}

static const kdl__function_class view_class = { "ViewBackward0", view_backward };

void kdl__record_view(kdl_tensor *base, kdl_tensor *result, const kdl__view_how *how)
{
    kdl__function *function = kdl__record(result, &view_class, 1, base);
    kdl__keep(function, how, sizeof *how);
    if (function)
        function->name = how->name;
}

/* ---- copies ------------------------------------------------------------------------------ */

static void copy_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__give(function, 0, kdl_tensor_retain(grad)); /* converted on the way */
}

static const kdl__function_class clone_class = { "CloneBackward0", copy_backward };
static const kdl__function_class to_class = { "ToCopyBackward0", copy_backward };

void kdl__record_copy(kdl_tensor *source, kdl_tensor *result)
{
    bool same = source->storage->dtype == result->storage->dtype;
    kdl__record(result, same ? &clone_class : &to_class, 1, source);
}
