/* SPDX-License-Identifier: Apache-2.0 */
/* Writing tensors in place: fill_, copy_, and one element. */
#include <float.h>
#include <math.h>
#include "ops/ops.h"
#include "plan/region.h"

/* ---- fill_ ------------------------------------------------------------------------------- */

/* The largest finite value that c10's checked conversion from double lets through, above zero. */
static double conversion_limit(kdl_dtype dtype)
{
    switch (dtype) {
    case KDL_F32:
    case KDL_BF16: /* checked as a float */
        return FLT_MAX;
    case KDL_F16:
        return 0x1.ffdffffffffffp15; /* what still rounds to 65504 */
    case KDL_I64:
        return 0x1p63;
    case KDL_I32:
        return INT32_MAX;
    case KDL_U8:
        return UINT8_MAX;
    default:
        return DBL_MAX;
    }
}

static bool converts(kdl_dtype dtype, double value)
{
    if (dtype == KDL_BOOL || (kdl_dtype_is_floating_point(dtype) && !isfinite(value)))
        return true;
    double limit = conversion_limit(dtype);
    double lowest = dtype == KDL_U8 ? 0 : dtype == KDL_I32 ? INT32_MIN : -limit;
    return value >= lowest && value <= limit;
}

static kdl_status fail_conversion(const kdl_tensor *tensor, const char *place)
{
    static const char *const names[KDL_DTYPE_COUNT] = {
        [KDL_F32] = "float",          [KDL_F64] = "double",  [KDL_F16] = "c10::Half",
        [KDL_BF16] = "c10::BFloat16", [KDL_I64] = "int64_t", [KDL_I32] = "int",
        [KDL_U8] = "uint8_t",         [KDL_BOOL] = "bool",
    };
    return kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                        "value cannot be converted to type %s without overflow",
                        names[kdl_tensor_dtype(tensor)]);
}

kdl_status kdl__fill_value(kdl_tensor *tensor, double value, const char *place)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (!converts(kdl_tensor_dtype(tensor), value))
        return fail_conversion(tensor, place);
    kdl__op op = { .class = &kdl__op_constant, .number = { value } };
    return kdl__op_apply(tensor, &op, NULL, place);
}

kdl_status kdl_fill_(kdl_tensor *tensor, double value)
{
    return kdl__fill_value(tensor, value, __func__);
}

kdl_status kdl_zero_(kdl_tensor *tensor)
{
    return kdl__fill_value(tensor, 0, __func__);
}

kdl_status kdl_fill_int_(kdl_tensor *tensor, int64_t value)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    /* A negative integer may wrap in an unsigned dtype, unlike a negative float. */
    kdl_dtype dtype = kdl_tensor_dtype(tensor);
    if (!converts(dtype, dtype == KDL_U8 ? fabs((double)value) : (double)value))
        return fail_conversion(tensor, __func__);
    kdl__op op = { .class = &kdl__op_constant_integer, .integer = { value } };
    return kdl__op_apply(tensor, &op, NULL, __func__);
}

/* ---- copy_ ------------------------------------------------------------------------------- */

kdl_status kdl_copy_(kdl_tensor *tensor, kdl_tensor *source)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (!source)
        return KDL_ERROR_VALUE;
    if (source->ctx != tensor->ctx)
        return kdl__fail(tensor->ctx, KDL_ERROR_VALUE, "the tensors are of different contexts");
    kdl_tensor *expanded = kdl_expand(source, kdl_tensor_shape(tensor));
    if (!expanded)
        return tensor->ctx->status;
    kdl__op op = { .class = &kdl__op_copy };
    /* Memory is copied where the op may run later, or reads what it writes. */
    bool keep = !tensor->storage->data || tensor->storage == source->storage;
    if (!kdl__values_of(expanded, keep, &op.source))
        kdl__op_apply(tensor, &op, NULL, __func__);
    kdl_tensor_release(expanded);
    return tensor->ctx->status;
}

kdl_tensor *kdl_clone(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return NULL;
    kdl_tensor *clone = kdl_empty_like(tensor);
    if (clone && kdl_copy_(clone, tensor)) {
        kdl_tensor_release(clone);
        return NULL;
    }
    return clone;
}

kdl_tensor *kdl_contiguous(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return NULL;
    return kdl_tensor_is_contiguous(tensor) ? kdl_tensor_retain(tensor) : kdl_clone(tensor);
}

kdl_tensor *kdl_to(kdl_tensor *tensor, kdl_dtype dtype)
{
    if (kdl__refuses(tensor))
        return NULL;
    if (kdl_tensor_dtype(tensor) == dtype)
        return kdl_tensor_retain(tensor);
    kdl_tensor *result = kdl_empty(tensor->ctx, kdl_tensor_shape(tensor), .dtype = dtype);
    if (result && kdl_copy_(result, tensor)) {
        kdl_tensor_release(result);
        return NULL;
    }
    return result;
}

kdl_status kdl_tensor_set(kdl_tensor *tensor, const int64_t *index, double value)
{
    int64_t offset;
    if (kdl__refuses(tensor) || !kdl__element_offset(tensor, index, &offset))
        return kdl__refusal(tensor);
    kdl_tensor *element =
        kdl__tensor_new(tensor->ctx, tensor->storage, tensor->offset + offset, 0, NULL, NULL);
    kdl_fill_(element, value);
    kdl_tensor_release(element);
    return tensor->ctx->status;
}
