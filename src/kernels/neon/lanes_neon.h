/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 4 lanes, for every AArch64 processor. */
#ifndef KDL_SRC_KERNELS_NEON_LANES_NEON_H
#define KDL_SRC_KERNELS_NEON_LANES_NEON_H

#include <arm_neon.h>

#define LANES 4
#include "kernels/lanes/lanes.h"

INLINE words words_merge(words mask, words a, words b)
{
    return (words)vbslq_u32((uint32x4_t)mask, (uint32x4_t)a, (uint32x4_t)b);
}

INLINE words words_xor_if_odd(words a, words b, words matrix)
{
    return a ^ ((words)vtstq_u32((uint32x4_t)b, vdupq_n_u32(1)) & matrix);
}

INLINE words words_round(words a)
{
    return a + 0x7fff + (a >> 16 & 1);
}

/* A pair is in order already: a vector lies in a half of the block. */
INLINE halves words_upper(words a, words b, bool paired)
{
    (void)paired;
    return (halves)vuzp2q_u16((uint16x8_t)a, (uint16x8_t)b);
}

/* The bytes of an index of words. */
INLINE uint8x16_t bytes_of(words index)
{
    return (uint8x16_t)(index * 0x04040404 + 0x03020100);
}

/* Half of a block. */
INLINE void words_pair(const uint32_t *block, words *first, words *second)
{
    *first = words_load(block);
    *second = words_load(block + 8);
}

INLINE void floats_unpair(floats *first, floats *second)
{
    (void)first;
    (void)second;
}

INLINE floats floats_fma(floats a, floats b, floats c)
{
    return (floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

INLINE floats floats_sqrt(floats a)
{
    return (floats)vsqrtq_f32((float32x4_t)a);
}

INLINE floats floats_replace(floats a, floats old, floats new)
{
    uint32x4_t equal = vceqq_f32((float32x4_t)a, (float32x4_t)old);
    return (floats)vbslq_f32(equal, (float32x4_t) new, (float32x4_t)a);
}

INLINE halves halves_replace(halves a, halves compared, halves old, halves new)
{
    uint16x8_t equal = vceqq_u16((uint16x8_t)(a & compared), (uint16x8_t)old);
    return (halves)vbslq_u16(equal, (uint16x8_t) new, (uint16x8_t)a);
}

typedef uint8x16x2_t table;

INLINE table table_of(const float eight[8])
{
    return (table){ { vreinterpretq_u8_f32(vld1q_f32(eight)),
                      vreinterpretq_u8_f32(vld1q_f32(eight + 4)) } };
}

INLINE floats table_look_up(table from, words index)
{
    return (floats)vqtbl2q_u8(from, bytes_of(index));
}

INLINE floats floats_if_bit(words a, uint32_t bit, floats yes, floats no)
{
    uint32x4_t set = vtstq_u32((uint32x4_t)a, vdupq_n_u32(bit));
    return (floats)vbslq_f32(set, (float32x4_t)yes, (float32x4_t)no);
}

INLINE halves floats_to_f16(floats a, floats b, bool paired)
{
    (void)paired;
    return (halves)vcvt_high_f16_f32(vcvt_f16_f32((float32x4_t)a), (float32x4_t)b);
}

INLINE floats floats_from_f16(const uint16_t *in)
{
    return (floats)vcvt_f32_f16((float16x4_t)vld1_u16(in));
}

INLINE floats floats_from_bf16(const uint16_t *in)
{
    return (floats)((words)vmovl_u16(vld1_u16(in)) << 16);
}

INLINE floats floats_from_f64(const double *in)
{
    return (floats)vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(in)), vld1q_f64(in + 2));
}

INLINE void floats_to_f64(floats a, double *out)
{
    vst1q_f64(out, vcvt_f64_f32(vget_low_f32((float32x4_t)a)));
    vst1q_f64(out + 2, vcvt_high_f64_f32((float32x4_t)a));
}

INLINE doubles doubles_from_draws(words a)
{
    longs draws = (longs)vrev64q_u32((uint32x4_t)a);
    return (doubles)vcvtq_f64_u64((uint64x2_t)(draws & ((UINT64_C(1) << 53) - 1)));
}

INLINE doubles doubles_fma(doubles a, doubles b, doubles c)
{
    return (doubles)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}

INLINE doubles doubles_replace(doubles a, doubles old, doubles new)
{
    uint64x2_t equal = vceqq_f64((float64x2_t)a, (float64x2_t)old);
    return (doubles)vbslq_f64(equal, (float64x2_t) new, (float64x2_t)a);
}

/*
 * The processors themselves notice long runs of stores, and stop to bring in what is overwritten.
 */
INLINE void words_stream(void *out, words a)
{
    words_store(out, a);
}

INLINE void stream_end(void)
{
}

#endif
