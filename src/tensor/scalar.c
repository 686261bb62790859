/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that become elements: what c10::Scalar's checked conversions refuse, in the kernels of
 * fill_, arange and linspace.
 */
#include <float.h>
#include <math.h>

#include "tensor/tensor_impl.h"

double kdl__float_max(kdl_dtype dtype)
{
    switch (dtype) {
    case KDL_F16:
        return 65504.0;
    case KDL_BF16:
        return 0x1.fep127;
    case KDL_F32:
        return FLT_MAX;
    default:
        return DBL_MAX;
    }
}

/* 2^63 passes for int64, whose limit is rounded to double first; it becomes the lowest int64. */
static bool fits(kdl_dtype dtype, double value)
{
    switch (dtype) {
    case KDL_I64:
        return value >= -0x1p63 && value <= 0x1p63;
    case KDL_I32:
        return value >= INT32_MIN && value <= INT32_MAX;
    case KDL_U8:
        return value >= 0 && value <= UINT8_MAX;
    case KDL_BOOL:
        return true;
    default:
        return !isfinite(value) || fabs(value) <= kdl__float_max(dtype);
    }
}

/* Negative integers wrap around in uint8, as far as their magnitudes fit. */
static bool integer_fits(kdl_dtype dtype, int64_t value)
{
    switch (dtype) {
    case KDL_I32:
        return value >= INT32_MIN && value <= INT32_MAX;
    case KDL_U8:
        return value >= -UINT8_MAX && value <= UINT8_MAX;
    case KDL_F16:
        return value >= -65504 && value <= 65504;
    default:
        return true;
    }
}

static kdl_status overflow(kdl_context *ctx, const char *place, kdl_dtype dtype)
{
    static const char *const names[KDL_DTYPE_COUNT] = {
        [KDL_F32] = "float",          [KDL_F64] = "double",  [KDL_F16] = "c10::Half",
        [KDL_BF16] = "c10::BFloat16", [KDL_I64] = "int64_t", [KDL_I32] = "int",
        [KDL_U8] = "uint8_t",         [KDL_BOOL] = "bool",
    };
    return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                        "value cannot be converted to type %s without overflow", names[dtype]);
}

kdl_status kdl__scalar_check(kdl_context *ctx, const char *place, kdl_dtype dtype, double value)
{
    return fits(dtype, value) ? KDL_OK : overflow(ctx, place, dtype);
}

kdl_status kdl__integer_scalar_check(kdl_context *ctx, const char *place, kdl_dtype dtype,
                                     int64_t value)
{
    return integer_fits(dtype, value) ? KDL_OK : overflow(ctx, place, dtype);
}
