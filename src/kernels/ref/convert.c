/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversions between dtypes: what tensor.to(dtype) gives on x86-64.
 *
 * A value is loaded as float, double, int32 or int64 and then stored:
 * - to a float type: rounded to nearest even, overflowing to infinity; to f16 and bf16 by way of
 *   float, whatever the source;
 * - float to integer: truncated. C++ leaves values out of range, infinities and NaN undefined; the
 *   x86-64 instructions that PyTorch compiles to give the most negative int64 or int32, and for
 *   uint8 the low byte of the int64 (so -1.0 gives 255, 300.0 gives 44, NaN gives 0);
 * - integer to integer: the low bits;
 * - to bool: whether it is not zero (NaN is not);
 * - to the same dtype: the same bits.
 */
#include <string.h>
#include "kernels/half.h"
#include "kernels/ref/ref.h"

static inline int64_t truncate_i64(double value)
{
    return value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : INT64_MIN;
}

static inline int32_t truncate_i32(double value)
{
    return value > -2147483649.0 && value < 2147483648.0 ? (int32_t)value : INT32_MIN;
}

typedef float element_f32;
typedef double element_f64;
typedef uint16_t element_f16, element_bf16;
typedef int64_t element_i64;
typedef int32_t element_i32;
typedef uint8_t element_u8, element_boolean;

#define LOAD_f32(x) (x)
#define LOAD_f64(x) (x)
#define LOAD_f16(x) kdl__f16_to_f32(x)
#define LOAD_bf16(x) kdl__bf16_to_f32(x)
#define LOAD_i64(x) (x)
#define LOAD_i32(x) (x)
#define LOAD_u8(x) ((int32_t)(x))
#define LOAD_boolean(x) ((int32_t)((x) != 0))

#define STORE_f32(v) ((float)(v))
#define STORE_f64(v) ((double)(v))
#define STORE_f16(v) kdl__f32_to_f16((float)(v))
#define STORE_bf16(v) kdl__f32_to_bf16((float)(v))
#define STORE_i64(v)                                                                               \
    _Generic((v), int32_t : (v), int64_t : (v), default : truncate_i64((double)(v)))
#define STORE_i32(v)                                                                               \
    _Generic((v), int32_t : (v), int64_t : (int32_t)(v), default : truncate_i32((double)(v)))
#define STORE_u8(v) ((uint8_t)STORE_i64(v))
#define STORE_boolean(v) ((uint8_t)((v) != 0))

#define PAIR(from, to)                                                                             \
    static void from##_to_##to(const void *in, void *out, size_t n)                                \
    {                                                                                              \
        const element_##from *source = in;                                                         \
        element_##to *target = out;                                                                \
        for (size_t i = 0; i < n; i++)                                                             \
            target[i] = STORE_##to(LOAD_##from(source[i]));                                        \
    }
#define PAIRS_FROM(from)                                                                           \
    PAIR(from, f32)                                                                                \
    PAIR(from, f64)                                                                                \
    PAIR(from, f16)                                                                                \
    PAIR(from, bf16)                                                                               \
    PAIR(from, i64)                                                                                \
    PAIR(from, i32)                                                                                \
    PAIR(from, u8)                                                                                 \
    PAIR(from, boolean)
#define ROW(from)                                                                                  \
    {                                                                                              \
        [KDL_F32] = from##_to_f32, [KDL_F64] = from##_to_f64, [KDL_F16] = from##_to_f16,           \
        [KDL_BF16] = from##_to_bf16, [KDL_I64] = from##_to_i64, [KDL_I32] = from##_to_i32,         \
        [KDL_U8] = from##_to_u8, [KDL_BOOL] = from##_to_boolean                                    \
    }

PAIRS_FROM(f32)
PAIRS_FROM(f64)
PAIRS_FROM(f16)
PAIRS_FROM(bf16)
PAIRS_FROM(i64)
PAIRS_FROM(i32)
PAIRS_FROM(u8)
PAIRS_FROM(boolean)

void kdl__convert_ref(kdl_dtype from, const void *in, kdl_dtype to, void *out, size_t n)
{
    static void (*const pairs[KDL_DTYPE_COUNT][KDL_DTYPE_COUNT])(const void *, void *, size_t) = {
        [KDL_F32] = ROW(f32), [KDL_F64] = ROW(f64), [KDL_F16] = ROW(f16), [KDL_BF16] = ROW(bf16),
        [KDL_I64] = ROW(i64), [KDL_I32] = ROW(i32), [KDL_U8] = ROW(u8),   [KDL_BOOL] = ROW(boolean),
    };
    if (from == to)
        memcpy(out, in, n * kdl_dtype_nbytes(from));
    else
        pairs[from][to](in, out, n);
}
