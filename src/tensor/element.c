/* SPDX-License-Identifier: Apache-2.0 */
/* Reading single elements. */
#include "kernels/half.h"
#include "tensor/tensor_impl.h"

double kdl__load_double(kdl_dtype dtype, const void *data, int64_t index)
{
    switch (dtype) {
    case KDL_F32:
        return ((const float *)data)[index];
    case KDL_F64:
        return ((const double *)data)[index];
    case KDL_F16:
        return kdl__f16_to_f32(((const uint16_t *)data)[index]);
    case KDL_BF16:
        return kdl__bf16_to_f32(((const uint16_t *)data)[index]);
    default:
        return (double)kdl__load_int(dtype, data, index);
    }
}

int64_t kdl__load_int(kdl_dtype dtype, const void *data, int64_t index)
{
    switch (dtype) {
    case KDL_I64:
        return ((const int64_t *)data)[index];
    case KDL_I32:
        return ((const int32_t *)data)[index];
    case KDL_U8:
        return ((const uint8_t *)data)[index];
    case KDL_BOOL:
        return ((const uint8_t *)data)[index] != 0;
    default:
        return (int64_t)kdl__load_double(dtype, data, index);
    }
}

double kdl_tensor_item(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return 0;
    if (tensor->numel != 1) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "a Tensor with %" PRId64 " elements cannot be converted to Scalar",
                  tensor->numel);
        return 0;
    }
    const void *data = kdl_tensor_data(tensor);
    return data ? kdl__load_double(tensor->storage->dtype, data, 0) : 0;
}

bool kdl__element_offset(const kdl_tensor *tensor, const int64_t *index, int64_t *offset)
{
    *offset = 0;
    for (int d = 0; d < tensor->ndim; d++) {
        int64_t size = tensor->dims[d];
        if (index[d] < -size || index[d] >= size) {
            kdl__fail(tensor->ctx, KDL_ERROR_INDEX,
                      "index %" PRId64 " is out of bounds for dimension %d with size %" PRId64,
                      index[d], d, size);
            return false;
        }
        *offset += (index[d] + (index[d] < 0 ? size : 0)) * tensor->strides[d];
    }
    return true;
}

double kdl_tensor_get(kdl_tensor *tensor, const int64_t *index)
{
    int64_t offset;
    const void *data = kdl_tensor_data(tensor);
    if (!data || !kdl__element_offset(tensor, index, &offset))
        return 0;
    return kdl__load_double(tensor->storage->dtype, data, offset);
}
