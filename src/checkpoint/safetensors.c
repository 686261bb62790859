/* SPDX-License-Identifier: Apache-2.0 */
/* The element types of safetensors files. */
#include "checkpoint/checkpoint.h"

/* The order was measured: Python's safetensors 0.8 saving one tensor of each type. */
const kdl__safetensors_dtype kdl__safetensors_dtypes[] = {
    { "U64", 64, KDL_DTYPE_COUNT },
    { "I64", 64, KDL_I64 },
    { "F64", 64, KDL_F64 },
    { "C64", 64, KDL_DTYPE_COUNT },
    { "F32", 32, KDL_F32 },
    { "U32", 32, KDL_DTYPE_COUNT },
    { "I32", 32, KDL_I32 },
    { "BF16", 16, KDL_BF16 },
    { "F16", 16, KDL_F16 },
    { "U16", 16, KDL_DTYPE_COUNT },
    { "I16", 16, KDL_DTYPE_COUNT },
    { "F8_E8M0", 8, KDL_DTYPE_COUNT },
    { "F8_E4M3", 8, KDL_DTYPE_COUNT },
    { "F8_E5M2", 8, KDL_DTYPE_COUNT },
    { "I8", 8, KDL_DTYPE_COUNT },
    { "U8", 8, KDL_U8 },
    { "F6_E3M2", 6, KDL_DTYPE_COUNT },
    { "F6_E2M3", 6, KDL_DTYPE_COUNT },
    { "F4", 4, KDL_DTYPE_COUNT },
    { "BOOL", 8, KDL_BOOL },
    { NULL, 0, KDL_DTYPE_COUNT },
};
