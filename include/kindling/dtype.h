/* SPDX-License-Identifier: Apache-2.0 */
/* Element types, with PyTorch's names and layouts. */
#ifndef KINDLING_DTYPE_H
#define KINDLING_DTYPE_H

#include "kindling/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** torch.float32, float64, float16, bfloat16, int64, int32, uint8, bool. */
typedef enum kdl_dtype {
    KDL_F32 = 0,
    KDL_F64,
    KDL_F16,
    KDL_BF16,
    KDL_I64,
    KDL_I32,
    KDL_U8,
    KDL_BOOL,
    KDL_DTYPE_COUNT
} kdl_dtype;

/** Python's None where it may stand for a dtype. */
#define KDL_NONE_DTYPE KDL_DTYPE_COUNT

/** Bytes of one element; 0 for a value that is no dtype. */
KDL_API size_t kdl_dtype_nbytes(kdl_dtype dtype);

/** PyTorch's name without "torch.": "float32", "bfloat16", "int64", "bool" (a static string). */
KDL_API const char *kdl_dtype_name(kdl_dtype dtype);

/** The scalar type's C++ name as PyTorch's messages use it: "Float", "Half", "BFloat16", "Long". */
KDL_API const char *kdl_dtype_scalar_name(kdl_dtype dtype);

/** Whether it is one of the floating-point types. */
KDL_API bool kdl_dtype_is_floating_point(kdl_dtype dtype);

/** Reads "float32", "f32", "bf16", "torch.float16", ... into *dtype; false if it is none. */
KDL_API bool kdl_dtype_parse(const char *name, kdl_dtype *dtype);

#ifdef __cplusplus
}
#endif
#endif
