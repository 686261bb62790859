/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversions between the floating-point dtypes, all by way of float: that rounds once, as every
 * other dtype is either narrower than float or, in f64's case, PyTorch's own way too.
 */
#ifndef KDL_SRC_KERNELS_LANES_CONVERT_H
#define KDL_SRC_KERNELS_LANES_CONVERT_H

#include "kernels/lanes/lanes.h"
#include "kernels/ref/ref.h"

INLINE floats load_as_floats(kdl_dtype dtype, const void *in)
{
    switch (dtype) {
    case KDL_F64:
        return floats_from_f64(in);
    case KDL_F16:
        return floats_from_f16(in);
    case KDL_BF16:
        return floats_from_bf16(in);
    default:
        return (floats)words_load(in);
    }
}

/* To nearest, ties to even, as kdl__f32_to_bf16; not for NaN, some of which the carry changes. */
INLINE halves floats_to_bf16(floats a, floats b, bool paired)
{
    return words_upper(words_round((words)a), words_round((words)b), paired);
}

INLINE floats with_quiet_nan(floats vector)
{
    words nan = (words)(vector != vector); /* NOLINT(misc-redundant-expression): true of NaN */
    return (floats)((nan & 0x7fc00000) | (~nan & (words)vector));
}

/* 2 * LANES values. */
INLINE void store_floats(kdl_dtype dtype, floats a, floats b, void *out)
{
    switch (dtype) {
    case KDL_F64:
        floats_to_f64(a, out);
        floats_to_f64(b, (double *)out + LANES);
        break;
    case KDL_F16:
        words_store(out, (words)floats_to_f16(a, b, false));
        break;
    case KDL_BF16:
        words_store(out, (words)floats_to_bf16(with_quiet_nan(a), with_quiet_nan(b), false));
        break;
    default:
        words_store(out, (words)a);
        words_store((float *)out + LANES, (words)b);
        break;
    }
}

INLINE size_t float_nbytes(kdl_dtype dtype)
{
    return dtype == KDL_F64 ? 8 : dtype == KDL_F32 ? 4 : 2;
}

INLINE void convert_pair(kdl_dtype from, const char *in, kdl_dtype to, char *out)
{
    store_floats(to, load_as_floats(from, in),
                 load_as_floats(from, in + LANES * float_nbytes(from)), out);
}

INLINE void convert_floats(kdl_dtype from, const char *in, kdl_dtype to, char *out, size_t n)
{
    const size_t in_nbytes = float_nbytes(from), out_nbytes = float_nbytes(to);
    for (; n >= PAIR; n -= PAIR, in += PAIR * in_nbytes, out += PAIR * out_nbytes)
        convert_pair(from, in, to, out);
    if (n > 0) {
        double source[PAIR] = { 0 }, target[PAIR];
        memcpy(source, in, n * in_nbytes);
        convert_pair(from, (char *)source, to, (char *)target);
        memcpy(out, target, n * out_nbytes);
    }
}

INLINE void convert_from(kdl_dtype from, const void *in, kdl_dtype to, void *out, size_t n)
{
    switch (to) {
    case KDL_F64:
        convert_floats(from, in, KDL_F64, out, n);
        break;
    case KDL_F16:
        convert_floats(from, in, KDL_F16, out, n);
        break;
    case KDL_BF16:
        convert_floats(from, in, KDL_BF16, out, n);
        break;
    default:
        convert_floats(from, in, KDL_F32, out, n);
        break;
    }
}

static bool is_float(kdl_dtype dtype)
{
    return dtype == KDL_F32 || dtype == KDL_F64 || dtype == KDL_F16 || dtype == KDL_BF16;
}

static void convert(kdl_dtype from, const void *in, kdl_dtype to, void *out, size_t n)
{
    if (from == to || !is_float(from) || !is_float(to))
        kdl__convert_ref(from, in, to, out, n);
    else if (from == KDL_F64)
        convert_from(KDL_F64, in, to, out, n);
    else if (from == KDL_F16)
        convert_from(KDL_F16, in, to, out, n);
    else if (from == KDL_BF16)
        convert_from(KDL_BF16, in, to, out, n);
    else
        convert_from(KDL_F32, in, to, out, n);
}

#endif
