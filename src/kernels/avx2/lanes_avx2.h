/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 8 lanes, for AVX2, FMA and F16C (Haswell and later, Zen and later). */
#ifndef KDL_SRC_KERNELS_AVX2_LANES_AVX2_H
#define KDL_SRC_KERNELS_AVX2_LANES_AVX2_H

#include <immintrin.h>

#define LANES 8
#include "kernels/lanes/lanes.h"

INLINE words words_merge(words mask, words a, words b)
{
    return (a & mask) | (b & ~mask);
}

INLINE words words_xor_if_odd(words a, words b, words matrix)
{
    return a ^ (-(b & 1) & matrix);
}

INLINE words words_round(words a)
{
    return a + 0x7fff + (a >> 16 & 1);
}

/* A pair is in order already: a vector is half a block. */
INLINE halves words_upper(words a, words b, bool paired)
{
    (void)paired;
    __m256i mixed = _mm256_packus_epi32((__m256i)(a >> 16), (__m256i)(b >> 16));
    return (halves)_mm256_permute4x64_epi64(mixed, 0xd8);
}

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
    return (floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

INLINE floats floats_sqrt(floats a)
{
    return (floats)_mm256_sqrt_ps((__m256)a);
}

INLINE floats floats_replace(floats a, floats old, floats new)
{
    __m256 equal = _mm256_cmp_ps((__m256)a, (__m256)old, _CMP_EQ_OQ);
    return (floats)_mm256_blendv_ps((__m256)a, (__m256) new, equal);
}

INLINE halves halves_replace(halves a, halves compared, halves old, halves new)
{
    __m256i equal = _mm256_cmpeq_epi16((__m256i)(a & compared), (__m256i)old);
    return (halves)_mm256_blendv_epi8((__m256i)a, (__m256i) new, equal);
}

typedef __m256 table;

INLINE table table_of(const float eight[8])
{
    return _mm256_loadu_ps(eight);
}

INLINE floats table_look_up(table from, words index)
{
    return (floats)_mm256_permutevar8x32_ps(from, (__m256i)index);
}

INLINE floats floats_if_bit(words a, uint32_t bit, floats yes, floats no)
{
    words sign = a << __builtin_clz(bit);
    return (floats)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)sign);
}

INLINE halves floats_to_f16(floats a, floats b, bool paired)
{
    (void)paired;
    enum { MODE = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    return (halves)_mm256_setr_m128i(_mm256_cvtps_ph((__m256)a, MODE),
                                     _mm256_cvtps_ph((__m256)b, MODE));
}

INLINE floats floats_from_f16(const uint16_t *in)
{
    return (floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)in));
}

INLINE floats floats_from_bf16(const uint16_t *in)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)in));
    return (floats)((words)wide << 16);
}

INLINE floats floats_from_f64(const double *in)
{
    return (floats)_mm256_setr_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(in)),
                                    _mm256_cvtpd_ps(_mm256_loadu_pd(in + 4)));
}

INLINE void floats_to_f64(floats a, double *out)
{
    _mm256_storeu_pd(out, _mm256_cvtps_pd(_mm256_castps256_ps128((__m256)a)));
    _mm256_storeu_pd(out + 4, _mm256_cvtps_pd(_mm256_extractf128_ps((__m256)a, 1)));
}

/*
 * There is no conversion of 64-bit integers. But 0x453... with the first word's 21 bits for its
 * last ones is the number 2^84 + 2^32 first, and 0x433... with the second word is 2^52 + second.
 * Neither the difference nor the sum, below 2^53, needs rounding.
 */
INLINE doubles doubles_from_draws(words a)
{
    longs draws = (longs)a;
    doubles first = (doubles)((draws & 0x1fffff) | UINT64_C(0x4530000000000000));
    doubles second = (doubles)(draws >> 32 | UINT64_C(0x4330000000000000));
    return (first - (0x1p84 + 0x1p52)) + second;
}

INLINE doubles doubles_fma(doubles a, doubles b, doubles c)
{
    return (doubles)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

INLINE doubles doubles_replace(doubles a, doubles old, doubles new)
{
    __m256d equal = _mm256_cmp_pd((__m256d)a, (__m256d)old, _CMP_EQ_OQ);
    return (doubles)_mm256_blendv_pd((__m256d)a, (__m256d) new, equal);
}

INLINE size_t floats_list_outside(floats a, floats low, floats high, uint32_t first, uint32_t *out)
{
    __m256 outside = _mm256_or_ps(_mm256_cmp_ps((__m256)a, (__m256)low, _CMP_LT_OQ),
                                  _mm256_cmp_ps((__m256)a, (__m256)high, _CMP_GT_OQ));
    size_t count = 0;
    for (unsigned left = (unsigned)_mm256_movemask_ps(outside); left; left &= left - 1)
        out[count++] = first + (uint32_t)__builtin_ctz(left);
    return count;
}

INLINE void words_stream(void *out, words a)
{
    _mm256_stream_si256(out, (__m256i)a);
}

INLINE void stream_end(void)
{
    _mm_sfence();
}

#endif
