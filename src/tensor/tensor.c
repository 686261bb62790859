/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor's lifetime and properties. */
#include <string.h>

#include "tensor/tensor_impl.h"

kdl_tensor *kdl__tensor_new(kdl_context *ctx, kdl__storage *storage, int64_t offset, int ndim,
                            const int64_t *sizes, const int64_t *strides)
{
    int64_t numel;
    if (!kdl__shape_product(ndim, sizes, &numel)) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME, "numel: integer multiplication overflow");
        return NULL;
    }
    size_t nbytes = (size_t)ndim * sizeof(int64_t);
    kdl_tensor *tensor = kdl__alloc_zeroed(ctx, 1, sizeof *tensor + 2 * nbytes);
    if (!tensor)
        return NULL;
    atomic_init(&tensor->references, 1);
    tensor->ctx = kdl_context_retain(ctx);
    tensor->storage = kdl__storage_retain(storage);
    tensor->offset = offset;
    tensor->numel = numel;
    tensor->ndim = ndim;
    tensor->strides = tensor->dims + ndim;
    if (ndim > 0) /* without dimensions there may be no sizes either */
        memcpy(tensor->dims, sizes, nbytes);
    if (strides && ndim > 0)
        memcpy(tensor->strides, strides, nbytes);
    else
        kdl__shape_strides(ndim, sizes, tensor->strides);
    return tensor;
}

kdl_tensor *kdl_tensor_retain(kdl_tensor *tensor)
{
    if (tensor)
        atomic_fetch_add_explicit(&tensor->references, 1, memory_order_relaxed);
    return tensor;
}

void kdl_tensor_release(kdl_tensor *tensor)
{
    if (!tensor || atomic_fetch_sub_explicit(&tensor->references, 1, memory_order_acq_rel) != 1)
        return;
    kdl_context *ctx = tensor->ctx;
    if (tensor->release_autograd)
        tensor->release_autograd(tensor->autograd);
    kdl_tensor_release(tensor->grad);
    kdl_tensor_release(tensor->grad_rows);
    kdl_tensor_release(tensor->base);
    kdl__storage_release(tensor->storage);
    kdl_free(ctx, tensor);
    kdl_context_release(ctx);
}

bool kdl_tensor_is_uninitialized(const kdl_tensor *tensor)
{
    return tensor->is_uninitialized;
}

bool kdl__refuse_uninitialized(const kdl_tensor *tensor)
{
    kdl__fail_at(tensor->ctx, "kdl_initialize_parameters", KDL_ERROR_VALUE,
                 "Attempted to use an uninitialized parameter. This error happens when you are "
                 "using a lazy module: call kdl_initialize_parameters() on it first");
    return true;
}

kdl_context *kdl_tensor_context(const kdl_tensor *tensor)
{
    return tensor->ctx;
}

kdl_dtype kdl_tensor_dtype(const kdl_tensor *tensor)
{
    return tensor->storage->dtype;
}

int kdl_tensor_ndim(const kdl_tensor *tensor)
{
    return tensor->ndim;
}

const int64_t *kdl_tensor_sizes(const kdl_tensor *tensor)
{
    return tensor->dims;
}

const int64_t *kdl_tensor_strides(const kdl_tensor *tensor)
{
    return tensor->strides;
}

kdl_shape kdl_tensor_shape(const kdl_tensor *tensor)
{
    kdl_shape shape = { .ndim = tensor->ndim };
    memcpy(shape.sizes, tensor->dims, (size_t)tensor->ndim * sizeof(int64_t));
    return shape;
}

int64_t kdl_tensor_size(const kdl_tensor *tensor, int dim)
{
    if (kdl__failed(tensor->ctx))
        return -1;
    if (tensor->ndim == 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_INDEX,
                  "Dimension specified as %d but tensor has no dimensions", dim);
        return -1;
    }
    dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim);
    return dim < 0 ? -1 : tensor->dims[dim];
}

int64_t kdl_tensor_numel(const kdl_tensor *tensor)
{
    return tensor->numel;
}

size_t kdl_tensor_nbytes(const kdl_tensor *tensor)
{
    return (size_t)tensor->numel * kdl_dtype_nbytes(tensor->storage->dtype);
}

int64_t kdl_tensor_storage_offset(const kdl_tensor *tensor)
{
    return tensor->offset;
}

bool kdl_tensor_is_contiguous(const kdl_tensor *tensor)
{
    return kdl__shape_is_contiguous(tensor->ndim, tensor->dims, tensor->strides);
}

bool kdl_tensor_shares_storage(const kdl_tensor *a, const kdl_tensor *b)
{
    return a->storage == b->storage;
}

bool kdl_tensor_is_materialized(const kdl_tensor *tensor)
{
    return tensor->storage->data != NULL;
}

void kdl__tensor_set_data(kdl_tensor *tensor, const kdl_tensor *data)
{
    kdl__storage *storage = kdl__storage_retain(data->storage);
    kdl__storage_release(tensor->storage);
    tensor->storage = storage;
    tensor->offset = data->offset;
    memcpy(tensor->strides, data->strides, (size_t)tensor->ndim * sizeof *tensor->strides);
}

kdl_tensor *kdl_tensor_grad(const kdl_tensor *tensor)
{
    return tensor ? tensor->grad : NULL;
}

/* PyTorch's checks of a tensor that becomes another one's gradient. */
static void check_grad(const kdl_tensor *tensor, const kdl_tensor *grad)
{
    kdl_context *ctx = tensor->ctx;
    kdl_dtype dtype = tensor->storage->dtype, other = grad->storage->dtype;
    if (grad->ctx != ctx)
        kdl__fail_at(ctx, "kdl_tensor_set_grad", KDL_ERROR_VALUE,
                     "the gradient is of another context");
    else if (grad == tensor)
        kdl__fail_at(ctx, "kdl_tensor_set_grad", KDL_ERROR_RUNTIME,
                     "can't assign Variable as its own grad");
    else if (other != dtype)
        kdl__fail_at(ctx, "kdl_tensor_set_grad", KDL_ERROR_RUNTIME,
                     "the gradient of a tensor of %s cannot be of %s", kdl_dtype_name(dtype),
                     kdl_dtype_name(other));
    else if (grad->ndim != tensor->ndim ||
             memcmp(grad->dims, tensor->dims, (size_t)tensor->ndim * sizeof *grad->dims) != 0)
        kdl__fail_at(ctx, "kdl_tensor_set_grad", KDL_ERROR_RUNTIME,
                     "attempting to assign a gradient of size '%s' to a tensor of size '%s'. "
                     "Please ensure that the gradient and the tensor are the same size",
                     kdl__shape_text(grad->ndim, grad->dims).chars,
                     kdl__shape_text(tensor->ndim, tensor->dims).chars);
}

kdl_status kdl_tensor_set_grad(kdl_tensor *tensor, kdl_tensor *grad)
{
    if (!kdl__refuses(tensor) && grad)
        check_grad(tensor, grad);
    if (kdl__refuses(tensor)) {
        kdl_tensor_release(grad);
        return kdl__refusal(tensor);
    }
    kdl_tensor_release(tensor->grad);
    kdl_tensor_release(tensor->grad_rows);
    tensor->grad = grad;
    tensor->grad_rows = NULL;
    return KDL_OK;
}

bool kdl_tensor_requires_grad(const kdl_tensor *tensor)
{
    return kdl__requires_grad(tensor);
}

kdl_status kdl_requires_grad_(kdl_tensor *tensor, bool requires_grad)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (requires_grad && !kdl_dtype_is_floating_point(tensor->storage->dtype))
        return kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                         "only Tensors of floating point dtype can require gradients");
    tensor->requires_grad = requires_grad;
    return KDL_OK;
}

bool kdl_tensor_is_parameter(const kdl_tensor *tensor)
{
    return tensor->is_parameter;
}

void *kdl_tensor_data(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor) || kdl__storage_materialize(tensor->storage) != KDL_OK)
        return NULL;
    size_t size = kdl_dtype_nbytes(tensor->storage->dtype);
    return (char *)tensor->storage->data + (size_t)tensor->offset * size;
}
