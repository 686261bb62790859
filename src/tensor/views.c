/* SPDX-License-Identifier: Apache-2.0 */
/* Views: other sizes and strides on the same storage, with PyTorch's rules and messages. */
#include <string.h>

#include "tensor/tape.h"

/* The place of a view in its storage, while it is worked out. */
typedef struct layout {
    int64_t offset;
    int ndim;
    int64_t sizes[KDL_MAX_DIMS], strides[KDL_MAX_DIMS];
} layout;

/* Reads the tensor's layout; false when there is no tensor or an error stands. */
static bool begin_view(const kdl_tensor *tensor, layout *view)
{
    if (kdl__refuses(tensor))
        return false;
    view->offset = tensor->offset;
    view->ndim = tensor->ndim;
    memcpy(view->sizes, tensor->dims, (size_t)tensor->ndim * sizeof(int64_t));
    memcpy(view->strides, tensor->strides, (size_t)tensor->ndim * sizeof(int64_t));
    return true;
}

/* The view; `how` tells a tape where its elements come from, NULL: it is cut off from gradients. */
static kdl_tensor *finish_view(kdl_tensor *tensor, const layout *view, const kdl__view_how *how)
{
    kdl_tensor *result = kdl__tensor_new(tensor->ctx, tensor->storage, view->offset, view->ndim,
                                         view->sizes, view->strides);
    if (result && how) {
        kdl__follow_base(result, tensor);
        if (kdl__tape_wants(tensor))
            tensor->ctx->tape->view(tensor, result, how);
    }
    return result;
}

static kdl_tensor *finish_reshape(kdl_tensor *tensor, const layout *view, const char *name)
{
    kdl__view_how how = { .kind = KDL__VIEW_RESHAPE, .name = name };
    return finish_view(tensor, view, &how);
}

static void remove_dim(layout *view, int dim)
{
    view->ndim--;
    for (int d = dim; d < view->ndim; d++) {
        view->sizes[d] = view->sizes[d + 1];
        view->strides[d] = view->strides[d + 1];
    }
}

kdl_tensor *kdl_alias(kdl_tensor *tensor)
{
    layout view;
    return begin_view(tensor, &view) ? finish_reshape(tensor, &view, "AliasBackward0") : NULL;
}

kdl_tensor *kdl_detach(kdl_tensor *tensor)
{
    layout view;
    return begin_view(tensor, &view) ? finish_view(tensor, &view, NULL) : NULL;
}

kdl_tensor *kdl_transpose(kdl_tensor *tensor, int dim0, int dim1)
{
    layout view;
    if (!begin_view(tensor, &view))
        return NULL;
    dim0 = kdl__wrap_dim(tensor->ctx, dim0, tensor->ndim);
    dim1 = kdl__wrap_dim(tensor->ctx, dim1, tensor->ndim);
    if (dim0 < 0 || dim1 < 0)
        return NULL;
    if (view.ndim > 0) {
        view.sizes[dim0] = tensor->dims[dim1];
        view.sizes[dim1] = tensor->dims[dim0];
        view.strides[dim0] = tensor->strides[dim1];
        view.strides[dim1] = tensor->strides[dim0];
    }
    kdl__view_how how = { .kind = KDL__VIEW_PERMUTE, .name = "TransposeBackward0" };
    for (int d = 0; d < view.ndim; d++)
        how.dims[d] = d == dim0 ? dim1 : d == dim1 ? dim0 : d;
    return finish_view(tensor, &view, &how);
}

kdl_tensor *kdl_t(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return NULL;
    if (tensor->ndim > 2) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "t() expects a tensor with <= 2 dimensions, but self is %dD", tensor->ndim);
        return NULL;
    }
    return tensor->ndim == 2 ? kdl_transpose(tensor, 0, 1) : kdl_alias(tensor);
}

kdl_tensor *kdl_permute(kdl_tensor *tensor, int ndim, const int *dims)
{
    layout view;
    bool seen[KDL_MAX_DIMS] = { false };
    kdl__view_how how = { .kind = KDL__VIEW_PERMUTE, .name = "PermuteBackward0" };
    if (!begin_view(tensor, &view))
        return NULL;
    if (ndim != tensor->ndim) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "permute(sparse_coo): number of dimensions in the tensor input does not match "
                  "the length of the desired ordering of dimensions i.e. input.dim() = %d is not "
                  "equal to len(dims) = %d",
                  tensor->ndim, ndim);
        return NULL;
    }
    for (int d = 0; d < ndim; d++) {
        int from = kdl__wrap_dim(tensor->ctx, dims[d], ndim);
        if (from < 0)
            return NULL;
        if (seen[from]) {
            kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME, "permute(): duplicate dims are not allowed.");
            return NULL;
        }
        seen[from] = true;
        how.dims[d] = from;
        view.sizes[d] = tensor->dims[from];
        view.strides[d] = tensor->strides[from];
    }
    return finish_view(tensor, &view, &how);
}

/* Checks narrow()'s range; the start made non-negative, or -1. */
static int64_t narrow_start(kdl_context *ctx, int64_t size, int64_t start, int64_t length)
{
    if (start < -size || start > size) {
        kdl__fail(ctx, KDL_ERROR_INDEX,
                  "start out of range (expected to be in range of [%" PRId64 ", %" PRId64
                  "], but got %" PRId64 ")",
                  -size, size, start);
        return -1;
    }
    start += start < 0 ? size : 0;
    if (start > size - length) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "start (%" PRId64 ") + length (%" PRId64 ") exceeds dimension size (%" PRId64
                  ").",
                  start, length, size);
        return -1;
    }
    return start;
}

kdl_tensor *kdl_narrow(kdl_tensor *tensor, int dim, int64_t start, int64_t length)
{
    layout view;
    if (!begin_view(tensor, &view))
        return NULL;
    if (tensor->ndim == 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME, "narrow() cannot be applied to a 0-dim tensor.");
        return NULL;
    }
    if (length < 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME, "narrow(): length must be non-negative.");
        return NULL;
    }
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim);
    if (dim < 0)
        return NULL;
    start = narrow_start(tensor->ctx, view.sizes[dim], start, length);
    if (start < 0)
        return NULL;
    view.offset += kdl__wrapping_mul(start, view.strides[dim]);
    view.sizes[dim] = length;
    kdl__view_how how = { KDL__VIEW_RANGE, "NarrowBackward0", .dim = dim, .start = start,
                          .step = 1 };
    return finish_view(tensor, &view, &how);
}

kdl_tensor *kdl_select(kdl_tensor *tensor, int dim, int64_t index)
{
    layout view;
    if (!begin_view(tensor, &view))
        return NULL;
    if (tensor->ndim == 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_INDEX, "select() cannot be applied to a 0-dim tensor.");
        return NULL;
    }
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim);
    if (dim < 0)
        return NULL;
    int64_t size = view.sizes[dim];
    if (index < -size || index >= size) {
        kdl__fail(tensor->ctx, KDL_ERROR_INDEX,
                  "select(): index %" PRId64 " out of range for tensor of size %s at dimension %d",
                  index, kdl__shape_text(tensor->ndim, tensor->dims).chars, dim);
        return NULL;
    }
    index += index < 0 ? size : 0;
    view.offset += index * view.strides[dim];
    remove_dim(&view, dim);
    kdl__view_how how = { KDL__VIEW_SELECT, "SelectBackward0", .dim = dim, .start = index };
    return finish_view(tensor, &view, &how);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

kdl_tensor *kdl_slice(kdl_tensor *tensor, int dim, int64_t start, int64_t end, int64_t step)
{
    layout view;
    if (!begin_view(tensor, &view))
        return NULL;
    if (tensor->ndim == 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_INDEX, "slice() cannot be applied to a 0-dim tensor.");
        return NULL;
    }
    if (step <= 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_VALUE,
                  step ? "step must be greater than zero" : "slice step cannot be zero");
        return NULL;
    }
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim);
    if (dim < 0)
        return NULL;
    int64_t size = view.sizes[dim];
    start = clamp(start < 0 ? start + size : start, 0, size);
    end = clamp(end < 0 ? end + size : end, start, size);
    view.offset += kdl__wrapping_mul(start, view.strides[dim]);
    view.sizes[dim] = end > start ? (end - start - 1) / step + 1 : 0;
    view.strides[dim] = kdl__wrapping_mul(view.strides[dim], step);
    kdl__view_how how = { KDL__VIEW_RANGE, "SliceBackward0", .dim = dim, .start = start,
                          .step = step };
    return finish_view(tensor, &view, &how);
}

kdl_tensor *kdl_squeeze(kdl_tensor *tensor, int dim)
{
    layout view;
    if (!begin_view(tensor, &view))
        return NULL;
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim);
    if (dim < 0)
        return NULL;
    if (view.ndim > 0 && view.sizes[dim] == 1)
        remove_dim(&view, dim);
    return finish_reshape(tensor, &view, "SqueezeBackward1");
}

kdl_tensor *kdl_unsqueeze(kdl_tensor *tensor, int dim)
{
    layout view;
    if (!begin_view(tensor, &view))
        return NULL;
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim + 1);
    if (dim < 0)
        return NULL;
    if (!kdl__ndim_allowed(tensor->ctx, tensor->ndim + 1))
        return NULL;
    for (int d = view.ndim++; d > dim; d--) {
        view.sizes[d] = view.sizes[d - 1];
        view.strides[d] = view.strides[d - 1];
    }
    view.strides[dim] =
        dim < tensor->ndim ? kdl__wrapping_mul(tensor->dims[dim], tensor->strides[dim]) : 1;
    view.sizes[dim] = 1;
    return finish_reshape(tensor, &view, "UnsqueezeBackward0");
}

/* PyTorch's name of a tensor's type in expand()'s message. */
static const char *legacy_type_name(kdl_dtype dtype)
{
    switch (dtype) {
    case KDL_BOOL:
        return "CPUBoolType";
    case KDL_BF16:
        return "CPUBFloat16Type";
    case KDL_F32:
        return "torch.FloatTensor";
    case KDL_F64:
        return "torch.DoubleTensor";
    case KDL_F16:
        return "torch.HalfTensor";
    case KDL_I64:
        return "torch.LongTensor";
    case KDL_I32:
        return "torch.IntTensor";
    default:
        return "torch.ByteTensor";
    }
}

/* Works out dimension `d` of the expanded view; those behind it are done. */
static bool expand_dim(const kdl_tensor *tensor, const kdl_shape *shape, int d, layout *view)
{
    int own = d - (shape->ndim - tensor->ndim); /* the tensor's dimension; negative: a new one */
    int64_t target = shape->sizes[d], size = own < 0 ? 1 : tensor->dims[own];
    if (target == -1 && own < 0 && tensor->ndim > 0) {
        kdl__fail_at(tensor->ctx, "kdl_expand", KDL_ERROR_RUNTIME,
                     "The expanded size of the tensor (-1) isn't allowed in a leading, "
                     "non-existing dimension %d",
                     d);
        return false;
    }
    if (target == -1 && own >= 0)
        target = size;
    if (target != size && size != 1) {
        kdl__fail_at(tensor->ctx, "kdl_expand", KDL_ERROR_RUNTIME,
                     "The expanded size of the tensor (%" PRId64 ") must match the existing size "
                     "(%" PRId64 ") at non-singleton dimension %d.  Target sizes: %s.  Tensor "
                     "sizes: %s",
                     target, size, d, kdl__shape_text(shape->ndim, shape->sizes).chars,
                     kdl__shape_text(tensor->ndim, tensor->dims).chars);
        return false;
    }
    view->sizes[d] = target;
    if (target != size || tensor->ndim == 0)
        view->strides[d] = 0;
    else if (own >= 0)
        view->strides[d] = tensor->strides[own];
    else
        view->strides[d] = kdl__wrapping_mul(view->sizes[d + 1], view->strides[d + 1]);
    return true;
}

kdl_tensor *kdl_expand(kdl_tensor *tensor, kdl_shape shape)
{
    layout view;
    if (!begin_view(tensor, &view) || !kdl__ndim_allowed(tensor->ctx, shape.ndim))
        return NULL;
    if (shape.ndim < tensor->ndim) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "expand(%s{%s}, size=%s): the number of sizes provided (%d) must be greater or "
                  "equal to the number of dimensions in the tensor (%d)",
                  legacy_type_name(tensor->storage->dtype),
                  kdl__shape_text(tensor->ndim, tensor->dims).chars,
                  kdl__shape_text(shape.ndim, shape.sizes).chars, shape.ndim, tensor->ndim);
        return NULL;
    }
    view.ndim = shape.ndim;
    for (int d = shape.ndim - 1; d >= 0; d--) {
        if (!expand_dim(tensor, &shape, d, &view))
            return NULL;
    }
    kdl__view_how how = { .kind = KDL__VIEW_EXPAND, .name = "ExpandBackward0" };
    return finish_view(tensor, &view, &how);
}

/* Finds the dimension of `shape` that is -1 (or -1), and the product of the others. */
static bool find_inferred(kdl_context *ctx, const kdl_shape *shape, int *inferred, int64_t *others)
{
    *inferred = -1;
    *others = 1;
    for (int d = 0; d < shape->ndim; d++) {
        int64_t size = shape->sizes[d];
        if (size < -1) {
            kdl__fail_at(ctx, "kdl_view", KDL_ERROR_RUNTIME,
                         "invalid shape dimension %" PRId64 " at index %d of shape %s", size, d,
                         kdl__shape_text(shape->ndim, shape->sizes).chars);
            return false;
        }
        if (size == -1 && *inferred >= 0) {
            kdl__fail_at(ctx, "kdl_view", KDL_ERROR_RUNTIME, "only one dimension can be inferred");
            return false;
        }
        if (size == -1)
            *inferred = d;
        else
            *others = kdl__wrapping_mul(*others, size);
    }
    return true;
}

bool kdl__view_sizes(kdl_context *ctx, const kdl_shape *shape, int64_t numel, int64_t *sizes)
{
    int inferred;
    int64_t others;
    if (!kdl__ndim_allowed(ctx, shape->ndim) || !find_inferred(ctx, shape, &inferred, &others))
        return false;
    memcpy(sizes, shape->sizes, (size_t)shape->ndim * sizeof *sizes);
    if (inferred < 0 ? others == numel : others > 0 && numel % others == 0) {
        if (inferred >= 0)
            sizes[inferred] = numel / others;
        return true;
    }
    if (inferred >= 0 && others == 0 && numel == 0)
        kdl__fail_at(ctx, "kdl_view", KDL_ERROR_RUNTIME,
                     "cannot reshape tensor of 0 elements into shape %s because the unspecified "
                     "dimension size -1 can be any value and is ambiguous",
                     kdl__shape_text(shape->ndim, shape->sizes).chars);
    else
        kdl__fail_at(ctx, "kdl_view", KDL_ERROR_RUNTIME,
                     "shape '%s' is invalid for input of size %" PRId64,
                     kdl__shape_text(shape->ndim, shape->sizes).chars, numel);
    return false;
}

/*
 * The tensor's dimensions fall into runs, within each of which the elements lie at equal distances.
 * The new dimensions must divide each run without reaching into the next.
 */
bool kdl__view_strides(const kdl_tensor *tensor, int ndim, const int64_t *sizes, int64_t *strides)
{
    if (tensor->numel == 0) {
        if (ndim == tensor->ndim && memcmp(sizes, tensor->dims, (size_t)ndim * sizeof *sizes) == 0)
            memcpy(strides, tensor->strides, (size_t)ndim * sizeof *strides);
        else
            kdl__shape_strides(ndim, sizes, strides);
        return true;
    }
    int next = ndim - 1;
    for (int d = 0; d < ndim; d++)
        strides[d] = 1; /* what a tensor without dimensions gets */
    for (int d = tensor->ndim - 1; d >= 0; d--) {
        int64_t distance = tensor->strides[d], run = tensor->dims[d], covered = 1;
        while (d > 0 && (tensor->dims[d - 1] == 1 ||
                         tensor->strides[d - 1] == kdl__wrapping_mul(run, distance)))
            run *= tensor->dims[--d];
        for (; next >= 0 && (covered < run || sizes[next] == 1); next--) {
            strides[next] = kdl__wrapping_mul(covered, distance);
            covered *= sizes[next];
        }
        if (covered != run)
            return false;
    }
    return true;
}

kdl_tensor *kdl_view(kdl_tensor *tensor, kdl_shape shape)
{
    layout view;
    if (!begin_view(tensor, &view) ||
        !kdl__view_sizes(tensor->ctx, &shape, tensor->numel, view.sizes))
        return NULL;
    view.ndim = shape.ndim;
    if (!kdl__view_strides(tensor, view.ndim, view.sizes, view.strides)) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME, KDL__NO_VIEW);
        return NULL;
    }
    return finish_reshape(tensor, &view, "ViewBackward0");
}
