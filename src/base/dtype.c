/* SPDX-License-Identifier: Apache-2.0 */
/* The table of element types. */
#include <string.h>

#include "base/base.h"
#include "kindling/dtype.h"

/* `names`: PyTorch's first, then its alias if it has one, then the short form. */
static const struct {
    const char *names[3];
    const char *scalar_name, *cpp_name;
    size_t nbytes;
    bool floating_point;
} dtypes[KDL_DTYPE_COUNT] = {
    [KDL_F32] = { { "float32", "float", "f32" }, "Float", "float", 4, true },
    [KDL_F64] = { { "float64", "double", "f64" }, "Double", "double", 8, true },
    [KDL_F16] = { { "float16", "half", "f16" }, "Half", "c10::Half", 2, true },
    [KDL_BF16] = { { "bfloat16", NULL, "bf16" }, "BFloat16", "c10::BFloat16", 2, true },
    [KDL_I64] = { { "int64", "long", "i64" }, "Long", "long int", 8, false },
    [KDL_I32] = { { "int32", "int", "i32" }, "Int", "int", 4, false },
    [KDL_U8] = { { "uint8", NULL, "u8" }, "Byte", "unsigned char", 1, false },
    [KDL_BOOL] = { { "bool", NULL, NULL }, "Bool", "bool", 1, false },
};

static bool known(kdl_dtype dtype)
{
    return (unsigned)dtype < KDL_DTYPE_COUNT;
}

size_t kdl_dtype_nbytes(kdl_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].nbytes : 0;
}

const char *kdl_dtype_name(kdl_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].names[0] : "";
}

const char *kdl_dtype_scalar_name(kdl_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].scalar_name : "";
}

const char *kdl__dtype_cpp_name(kdl_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].cpp_name : "";
}

bool kdl_dtype_is_floating_point(kdl_dtype dtype)
{
    return known(dtype) && dtypes[dtype].floating_point;
}

bool kdl_dtype_parse(const char *name, kdl_dtype *dtype)
{
    static const char prefix[] = "torch.";
    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    for (int d = 0; d < KDL_DTYPE_COUNT; d++) {
        for (int n = 0; n < 3; n++) {
            if (dtypes[d].names[n] && strcmp(name, dtypes[d].names[n]) == 0) {
                *dtype = (kdl_dtype)d;
                return true;
            }
        }
    }
    return false;
}
