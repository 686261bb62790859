/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In-place functions. What writes a tensor becomes its function, on top of the one before. What
 * writes a view becomes the function of the tensor that it is a view of: its backward takes the
 * view's part out of the whole gradient and puts back what is left for the values before; and every
 * view of that tensor, when it is used next, becomes a region of it (kdl__record_region).
 */
#include <string.h>

#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- regions ----------------------------------------------------------------------------- */

/* The elements of a view among those of its base, which are dense in some order of dimensions. */
typedef struct region {
    int whole_ndim, ndim;
    int64_t whole_sizes[KDL_MAX_DIMS], whole_strides[KDL_MAX_DIMS];
    int64_t offset, sizes[KDL_MAX_DIMS], strides[KDL_MAX_DIMS];
} region;

static void copy_sizes(int64_t *to, const int64_t *from, int ndim)
{
    memcpy(to, from, (size_t)ndim * sizeof *to);
}

static region region_of(const kdl_tensor *view)
{
    const kdl_tensor *base = view->base;
    region r = { .whole_ndim = base->ndim,
                 .ndim = view->ndim,
                 .offset = view->offset - base->offset };
    copy_sizes(r.whole_sizes, base->dims, base->ndim);
    copy_sizes(r.whole_strides, base->strides, base->ndim);
    copy_sizes(r.sizes, view->dims, view->ndim);
    copy_sizes(r.strides, view->strides, view->ndim);
    return r;
}

/* A tensor as the base was, uninitialised. One reference. */
static kdl_tensor *new_whole(kdl_context *ctx, const region *r, kdl_dtype dtype)
{
    int64_t numel = 1;
    for (int d = 0; d < r->whole_ndim; d++)
        numel *= r->whole_sizes[d];
    kdl__storage *storage = kdl__storage_new(ctx, dtype, numel);
    if (!storage)
        return NULL;
    kdl_tensor *whole =
        kdl__tensor_new(ctx, storage, 0, r->whole_ndim, r->whole_sizes, r->whole_strides);
    kdl__storage_release(storage);
    return whole;
}

/* The region of such a tensor. One reference; NULL for NULL. */
static kdl_tensor *part_of(kdl_tensor *whole, const region *r)
{
    return whole ? kdl__tensor_new(whole->ctx, whole->storage, r->offset, r->ndim, r->sizes,
                                   r->strides)
                 : NULL;
}

/* Whether the tensor's elements fill a stretch of its storage. */
static bool is_dense(const kdl_tensor *tensor)
{
    int64_t filled = 1;
    for (int round = 0; round < tensor->ndim; round++)
        for (int d = 0; d < tensor->ndim; d++)
            if (tensor->dims[d] > 1 && tensor->strides[d] == filled)
                filled *= tensor->dims[d];
    return tensor->numel == 0 || filled == tensor->numel;
}

/* Zeros but for the region, where the gradient is: the sum of it where an expanded view repeats. */
static void region_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    region r = *(const region *)function->own;
    for (int d = 0; d < r.ndim; d++) {
        if (r.strides[d] != 0 || r.sizes[d] < 2)
            continue;
        grad = kdl__hold(&scope, kdl_sum_dim(grad, d, true));
        r.sizes[d] = 1;
    }
    kdl_tensor *whole = grad ? new_whole(function->ctx, &r, grad->storage->dtype) : NULL;
    kdl_tensor *part = kdl__hold(&scope, part_of(whole, &r));
    if (part && !kdl_zero_(whole))
        kdl_copy_(part, grad);
    kdl__give(function, 0, kdl__close(&scope, whole));
}

static const kdl__function_class region_class = { "AsStridedBackward0", region_backward };

void kdl__record_region(kdl_tensor *view)
{
    const region r = region_of(view);
    kdl__keep(kdl__record(view, &region_class, 1, view->base), &r, sizeof r);
}

/* ---- writes ------------------------------------------------------------------------------ */

typedef struct write_call {
    kdl__write_kind kind;
    double number;
    bool of_region;
    region region;
} write_call;

/* The gradient of the values before, from that of the values after. One reference. */
static kdl_tensor *gradient_of_old(kdl__function *function, kdl_tensor *grad)
{
    const write_call *call = function->own;
    kdl__scope scope = { 0 };
    kdl_tensor *saved;
    switch (call->kind) {
    case KDL__WRITE_ADD:
        return kdl_clone(grad);
    case KDL__WRITE_SCALE:
        return kdl_mul(grad, call->number);
    case KDL__WRITE_MUL:
        saved = kdl__saved_value(function, 0);
        return saved ? kdl_mul_tensor(grad, saved) : NULL;
    case KDL__WRITE_ABS:
        saved = kdl__saved_value(function, 1);
        return kdl__close(&scope,
                          kdl_mul_tensor(grad, kdl__hold(&scope, saved ? kdl_sign(saved) : NULL)));
    default:
        return kdl_zeros_like(grad);
    }
}

/* That of the source. One reference. */
static kdl_tensor *gradient_of_source(kdl__function *function, kdl_tensor *grad)
{
    const write_call *call = function->own;
    if (call->kind != KDL__WRITE_MUL)
        return kdl_clone(grad);
    kdl_tensor *old = kdl__saved_value(function, 1);
    return old ? kdl_mul_tensor(grad, old) : NULL;
}

static void write_backward(kdl__function *function, kdl_tensor *grad)
{
    const write_call *call = function->own;
    kdl__scope scope = { 0 };
    kdl_tensor *whole = NULL, *part = grad;
    if (call->of_region) {
        whole = kdl__hold(&scope, new_whole(function->ctx, &call->region, grad->storage->dtype));
        part = kdl__hold(&scope, part_of(whole, &call->region));
        if (!part || kdl_copy_(whole, grad)) {
            kdl__close(&scope, NULL);
            return;
        }
    }
    if (function->count > 1 && kdl__needs(function, 1))
        kdl__give(function, 1, gradient_of_source(function, part));
    if (kdl__needs(function, 0)) {
        kdl_tensor *old = gradient_of_old(function, part);
        if (call->of_region && kdl__hold(&scope, old) && !kdl_copy_(part, old))
            old = kdl_tensor_retain(whole);
        kdl__give(function, 0, kdl__failed(function->ctx) ? NULL : old);
    }
    kdl__close(&scope, NULL);
}

static const kdl__function_class write_class = { "CopyBackwards", write_backward };

/* PyTorch's names. */
static const char *name_of(const kdl__write *write)
{
    if (write->tensor->base)
        return "CopySlices";
    switch (write->kind) {
    case KDL__WRITE_ADD:
        return "AddBackward0";
    case KDL__WRITE_SCALE:
    case KDL__WRITE_MUL:
        return "MulBackward0";
    case KDL__WRITE_ABS:
        return "AbsBackward0";
    case KDL__WRITE_COPY:
        return "CopyBackwards";
    default:
        return "FillBackward0";
    }
}

/* The source, where its gradient is wanted. */
static kdl_tensor *wanted_source(const kdl__write *write)
{
    bool read = write->source && write->kind != KDL__WRITE_OVER;
    return read && kdl__requires_grad(write->source) ? write->source : NULL;
}

static bool is_wanted(const kdl__write *write)
{
    return kdl_dtype_is_floating_point(write->tensor->storage->dtype) &&
           (kdl__requires_grad(write->tensor) || wanted_source(write));
}

static kdl_status check_write(const kdl__write *write, const char *place)
{
    kdl_tensor *tensor = write->tensor, *base = tensor->base;
    if (tensor->requires_grad && !kdl__maker(tensor))
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                            "a leaf Variable that requires grad is being used in an in-place "
                            "operation.");
    if (base && base->requires_grad && !kdl__maker(base))
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                            "a view of a leaf Variable that requires grad is being used in an "
                            "in-place operation.");
    if (base && !is_dense(base))
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "a view of a tensor with gaps between its elements cannot be written "
                            "in place with gradients: clone() the tensor first");
    if (write->kind == KDL__WRITE_MUL && write->source != tensor &&
        write->source->storage == tensor->storage)
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "a tensor cannot be multiplied in place by another part of its own "
                            "storage with gradients: clone() that part first");
    return KDL_OK;
}

kdl_status kdl__begin_write(kdl__write *write, const char *place)
{
    kdl_context *ctx = write->tensor->ctx;
    if (!is_wanted(write))
        return ctx->status;
    if (check_write(write, place))
        return ctx->status;
    bool keeps =
        write->kind == KDL__WRITE_ABS || (write->kind == KDL__WRITE_MUL && wanted_source(write));
    if (!keeps)
        return ctx->status;
    const kdl__tape *tape = kdl__no_grad(ctx);
    write->old = kdl_clone(write->tensor);
    ctx->tape = tape;
    return ctx->status;
}

void kdl__end_write(const kdl__write *write)
{
    kdl_tensor *tensor = write->tensor, *source = wanted_source(write);
    if (!is_wanted(write))
        return;
    write_call call = { .kind = write->kind, .number = write->number, .of_region = tensor->base };
    if (tensor->base)
        call.region = region_of(tensor);
    kdl_tensor *target = tensor->base ? tensor->base : tensor;
    const char *name = name_of(write);
    kdl__function *function = kdl__record(target, &write_class, source ? 2 : 1, target, source);
    kdl__keep(function, &call, sizeof call);
    if (!function)
        return;
    function->name = name;
    if (write->kind == KDL__WRITE_MUL && kdl__needs(function, 0))
        kdl__save(function, 0, write->source == tensor ? write->old : write->source);
    kdl__save(function, 1, write->old);
    /* A source that is a view of what was written was taken as it was before: it lags now. */
    if (source && source->base == target)
        source->base_version = source->storage->version - 1;
}
