/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops over elements in plain C. Each table includes them (static), so that its flags decide in
 * which vectors they are compiled; the bits are the same, as nothing but what is written is fused.
 */
#ifndef KDL_SRC_KERNELS_ELEMENTS_H
#define KDL_SRC_KERNELS_ELEMENTS_H

#include <math.h>
#include <string.h>
#include "kernels/half.h"
#include "kernels/kernels.h"

/* ---- arithmetic -------------------------------------------------------------------------- */

#define COMBINE_LOOP(type, operator, operand)                                                      \
    for (size_t i = 0; i < n; i++)                                                                 \
    own[i] = (type)(own[i] operator operand)

/* A single operand in a loop of its own, which the compiler keeps in a register. */
#define COMBINE(type)                                                                              \
    do {                                                                                           \
        type *restrict own = values;                                                               \
        const type *restrict by = other, one = *by;                                                \
        if (multiply && single)                                                                    \
            COMBINE_LOOP(type, *, one);                                                            \
        else if (multiply)                                                                         \
            COMBINE_LOOP(type, *, by[i]);                                                          \
        else if (single)                                                                           \
            COMBINE_LOOP(type, +, one);                                                            \
        else                                                                                       \
            COMBINE_LOOP(type, +, by[i]);                                                          \
    } while (0)

static void combine(kdl_dtype dtype, bool multiply, void *values, const void *other, bool single,
                    size_t n)
{
    if (n == 0)
        return;
    switch (dtype) {
    case KDL_F32:
        COMBINE(float);
        break;
    case KDL_F64:
        COMBINE(double);
        break;
    case KDL_I64:
        COMBINE(uint64_t);
        break;
    case KDL_I32:
        COMBINE(uint32_t);
        break;
    default:
        COMBINE(uint8_t);
        break;
    }
}

#undef COMBINE
#undef COMBINE_LOOP

/* Signs are bits of their own, and what is below zero is subtracted from it, wrapping around. */
#define WITHOUT_SIGN(type, mask)                                                                   \
    do {                                                                                           \
        const type *from = in;                                                                     \
        type *to = out;                                                                            \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = from[i] & (mask);                                                              \
    } while (0)
#define DISTANCE_FROM_ZERO(type)                                                                   \
    do {                                                                                           \
        const type *from = in;                                                                     \
        type *to = out;                                                                            \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = from[i] >> (8 * sizeof(type) - 1) ? -from[i] : from[i];                        \
    } while (0)

typedef uint16_t bits_16 __attribute__((may_alias));
typedef uint32_t bits_32 __attribute__((may_alias));
typedef uint64_t bits_64 __attribute__((may_alias));

static void absolute(kdl_dtype dtype, const void *in, void *out, size_t n)
{
    switch (dtype) {
    case KDL_F16:
    case KDL_BF16:
        WITHOUT_SIGN(bits_16, 0x7fff);
        break;
    case KDL_F32:
        WITHOUT_SIGN(bits_32, 0x7fffffff);
        break;
    case KDL_F64:
        WITHOUT_SIGN(bits_64, INT64_MAX);
        break;
    case KDL_I32:
        DISTANCE_FROM_ZERO(uint32_t);
        break;
    case KDL_I64:
        DISTANCE_FROM_ZERO(uint64_t);
        break;
    default:
        memmove(out, in, n);
        break;
    }
}

#undef WITHOUT_SIGN
#undef DISTANCE_FROM_ZERO

/* ---- comparisons ------------------------------------------------------------------------- */

#define COMPARE_LOOP(operator)                                                                     \
    for (size_t i = 0; i < n; i++)                                                                 \
        out[i] = a[i] operator b;                                                                  \
    break

#define COMPARE(type)                                                                              \
    do {                                                                                           \
        const type *restrict a = values;                                                           \
        const type b = *(const type *)number;                                                      \
        switch (relation) {                                                                        \
        case KDL__EQ:                                                                              \
            COMPARE_LOOP(==);                                                                      \
        case KDL__NE:                                                                              \
            COMPARE_LOOP(!=);                                                                      \
        case KDL__LT:                                                                              \
            COMPARE_LOOP(<);                                                                       \
        case KDL__LE:                                                                              \
            COMPARE_LOOP(<=);                                                                      \
        case KDL__GT:                                                                              \
            COMPARE_LOOP(>);                                                                       \
        case KDL__GE:                                                                              \
            COMPARE_LOOP(>=);                                                                      \
        }                                                                                          \
    } while (0)

static void compare(kdl_dtype dtype, kdl__relation relation, const void *values, const void *number,
                    unsigned char *restrict out, size_t n)
{
    switch (dtype) {
    case KDL_F32:
        COMPARE(float);
        break;
    case KDL_F64:
        COMPARE(double);
        break;
    case KDL_I64:
        COMPARE(int64_t);
        break;
    case KDL_I32:
        COMPARE(int32_t);
        break;
    default:
        COMPARE(uint8_t);
        break;
    }
}

#undef COMPARE
#undef COMPARE_LOOP

/* ---- sequences --------------------------------------------------------------------------- */

/* A number as it is when it was stored in f16 or bf16. */
static float through_f16(float value)
{
    return kdl__f16_to_f32(kdl__f32_to_f16(value));
}

static float through_bf16(float value)
{
    return kdl__bf16_to_f32(kdl__f32_to_bf16(value));
}

static float through_f32(double value)
{
    return (float)value;
}

static double through_f64(double value)
{
    return value;
}

/*
 * How PyTorch's kernel counts, with AVX2 and AVX-512 alike: in vectors of 32 bytes, as long as
 * there are pairs of them, whose first element is stored before the others are counted from it;
 * the elements behind are all counted from `start`. In double for f32 and f64, in float for the
 * 16-bit types. The compiler fused the multiplications and additions, but not those in bf16
 * vectors: next(lane) is the element that lies `lane` behind `base`.
 */
#define DEFINE_ARANGE(name, type, out_type, lanes, through, fused, next)                           \
    static void name(type start, type step, uint64_t numel, uint64_t first, size_t n,              \
                     out_type *out)                                                                \
    {                                                                                              \
        const uint64_t in_vectors = numel - numel % (2 * (lanes));                                 \
        for (size_t i = 0; i < n;) {                                                               \
            const uint64_t at = first + i;                                                         \
            const unsigned lane = at < in_vectors ? at % (lanes) : 0;                              \
            const type base = (type)through(fused(step, (type)(at - lane), start));                \
            if (at < in_vectors && lane == 0 && n - i >= (lanes)) {                                \
                for (int each = 0; each < (lanes); each++)                                         \
                    out[i + (size_t)each] = (out_type)next((type)each);                            \
                i += (lanes);                                                                      \
            } else {                                                                               \
                out[i++] = (out_type)next((type)lane);                                             \
            }                                                                                      \
        }                                                                                          \
    }
#define NEXT_F64(lane) fma(lane, step, base)
#define NEXT_F32(lane) fmaf(lane, step, base)
#define NEXT_BF16(lane) (base + (lane)*step)
DEFINE_ARANGE(arange_f64, double, double, 4, through_f64, fma, NEXT_F64)
DEFINE_ARANGE(arange_f32, double, float, 8, through_f32, fma, NEXT_F64)
DEFINE_ARANGE(arange_f16, float, float, 16, through_f16, fmaf, NEXT_F32)
DEFINE_ARANGE(arange_bf16, float, float, 16, through_bf16, fmaf, NEXT_BF16)
#undef DEFINE_ARANGE
#undef NEXT_F64
#undef NEXT_F32
#undef NEXT_BF16

/*
 * From both ends towards the middle, so that both are met. With what GCC fuses in PyTorch's builds.
 * Numbers of 32 bits, where they are enough, become floating-point ones in vectors of any width.
 */
#define LINSPACE_LOOP(type, integer, fused)                                                        \
    for (size_t i = 0; i < half; i++)                                                              \
        out[i] = fused(step, (type)((integer)first + (integer)i), start);                          \
    for (size_t i = half; i < n; i++)                                                              \
    out[i] = fused(-step, (type)((integer)(numel - 1 - first) - (integer)i), end)

#define DEFINE_LINSPACE(name, type, fused)                                                         \
    static void name(type start, type end, uint64_t numel, uint64_t first, size_t n, type *out)    \
    {                                                                                              \
        const type step = (end - start) / (type)(numel - 1);                                       \
        const uint64_t before = numel / 2 > first ? numel / 2 - first : 0;                         \
        const size_t half = before < n ? before : n;                                               \
        if (numel <= INT32_MAX) {                                                                  \
            LINSPACE_LOOP(type, int32_t, fused);                                                   \
        } else {                                                                                   \
            LINSPACE_LOOP(type, uint64_t, fused);                                                  \
        }                                                                                          \
    }
DEFINE_LINSPACE(linspace_f64, double, fma)
DEFINE_LINSPACE(linspace_f32, float, fmaf)
#undef DEFINE_LINSPACE
#undef LINSPACE_LOOP

/* The fields of a table. */
#define KDL__ELEMENT_KERNELS                                                                       \
    .combine = combine, .absolute = absolute, .compare = compare, .arange_f64 = arange_f64,        \
    .arange_f32 = arange_f32, .arange_f16 = arange_f16, .arange_bf16 = arange_bf16,                \
    .linspace_f64 = linspace_f64, .linspace_f32 = linspace_f32

#endif
