/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors for tests. */
#include "support/tensors.h"

#include "tensor/tensor_impl.h"

kdl_tensor *make_tensor(kdl_context *ctx, kdl_dtype dtype, kdl_shape shape, const void *pattern,
                        size_t nbytes)
{
    int64_t numel;
    if (!kdl__shape_numel(ctx, shape.ndim, shape.sizes, &numel))
        return NULL;
    kdl__storage *storage = kdl__storage_new(ctx, dtype, numel);
    if (!storage)
        return NULL;
    unsigned char *bytes = storage->data;
    size_t total = (size_t)numel * kdl_dtype_nbytes(dtype);
    for (size_t i = 0; i < total; i++)
        bytes[i] = nbytes ? ((const unsigned char *)pattern)[i % nbytes] : 0;
    kdl_tensor *tensor = kdl__tensor_new(ctx, storage, 0, shape.ndim, shape.sizes, NULL);
    kdl__storage_release(storage);
    return tensor;
}

void release_tensors(kdl_tensor *const *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kdl_tensor_release(tensors[i]);
}
