/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 16 lanes, for AVX-512 F, BW, DQ and VL (Skylake-X and later, Zen 4 and later). */
#ifndef KDL_SRC_KERNELS_AVX512_LANES_AVX512_H
#define KDL_SRC_KERNELS_AVX512_LANES_AVX512_H

#include <immintrin.h>

#define LANES 16
#include "kernels/lanes/lanes.h"

INLINE words words_merge(words mask, words a, words b)
{
    return (words)_mm512_ternarylogic_epi32((__m512i)mask, (__m512i)a, (__m512i)b, 0xca);
}

INLINE words words_xor_if_odd(words a, words b, words matrix)
{
    __mmask16 odd = _mm512_test_epi32_mask((__m512i)b, _mm512_set1_epi32(1));
    return (words)_mm512_mask_xor_epi32((__m512i)a, odd, (__m512i)a, (__m512i)matrix);
}

INLINE words words_round(words a)
{
    __mmask16 odd = _mm512_test_epi32_mask((__m512i)a, _mm512_set1_epi32(1 << 16));
    __m512i rounded = (__m512i)(a + 0x7fff);
    return (words)_mm512_mask_add_epi32(rounded, odd, rounded, _mm512_set1_epi32(1));
}

INLINE halves words_upper(words a, words b, bool paired)
{
    const __m512i straight =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    const __m512i unpaired =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 31, 29, 27, 25, 23, 21, 19, 17, 47, 45, 43,
                         41, 39, 37, 35, 33, 15, 13, 11, 9, 7, 5, 3, 1);
    return (halves)_mm512_permutex2var_epi16((__m512i)a, paired ? unpaired : straight, (__m512i)b);
}

/* Two blocks: lanes 8 to 15 are the second one's. */
INLINE void words_pair(const uint32_t *block, words *first, words *second)
{
    __m512i low = _mm512_loadu_si512(block), high = _mm512_loadu_si512(block + 16);
    *first = (words)_mm512_mask_loadu_epi32(low, 0xff00, block + 8);
    *second = (words)_mm512_mask_loadu_epi32(high, 0x00ff, block + 8);
}

INLINE void floats_unpair(floats *first, floats *second)
{
    __m512 low = _mm512_shuffle_f32x4((__m512)*first, (__m512)*second, 0x44);
    *second = (floats)_mm512_shuffle_f32x4((__m512)*first, (__m512)*second, 0xee);
    *first = (floats)low;
}

INLINE floats floats_fma(floats a, floats b, floats c)
{
    return (floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

INLINE floats floats_sqrt(floats a)
{
    return (floats)_mm512_sqrt_ps((__m512)a);
}

INLINE floats floats_replace(floats a, floats old, floats new)
{
    __mmask16 equal = _mm512_cmp_ps_mask((__m512)a, (__m512)old, _CMP_EQ_OQ);
    return (floats)_mm512_mask_mov_ps((__m512)a, equal, (__m512) new);
}

INLINE halves halves_replace(halves a, halves compared, halves old, halves new)
{
    __mmask32 equal = _mm512_cmpeq_epi16_mask((__m512i)(a & compared), (__m512i)old);
    return (halves)_mm512_mask_mov_epi16((__m512i)a, equal, (__m512i) new);
}

typedef __m512 table;

INLINE table table_of(const float eight[8])
{
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(eight));
}

INLINE floats table_look_up(table from, words index)
{
    return (floats)_mm512_permutexvar_ps((__m512i)index, from);
}

INLINE floats floats_if_bit(words a, uint32_t bit, floats yes, floats no)
{
    __mmask16 set = _mm512_test_epi32_mask((__m512i)a, (__m512i)words_all(bit));
    return (floats)_mm512_mask_blend_ps(set, (__m512)no, (__m512)yes);
}

INLINE halves floats_to_f16(floats a, floats b, bool paired)
{
    enum { MODE = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    const __m512i straight = _mm512_set_epi64(11, 10, 9, 8, 3, 2, 1, 0);
    const __m512i unpaired = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    return (halves)_mm512_permutex2var_epi64(
        _mm512_castsi256_si512(_mm512_cvtps_ph((__m512)a, MODE)), paired ? unpaired : straight,
        _mm512_castsi256_si512(_mm512_cvtps_ph((__m512)b, MODE)));
}

INLINE floats floats_from_f16(const uint16_t *in)
{
    return (floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)in));
}

INLINE floats floats_from_bf16(const uint16_t *in)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)in));
    return (floats)((words)wide << 16);
}

INLINE floats floats_from_f64(const double *in)
{
    __m256 low = _mm512_cvtpd_ps(_mm512_loadu_pd(in));
    __m256 high = _mm512_cvtpd_ps(_mm512_loadu_pd(in + 8));
    return (floats)_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

INLINE void floats_to_f64(floats a, double *out)
{
    _mm512_storeu_pd(out, _mm512_cvtps_pd(_mm512_castps512_ps256((__m512)a)));
    _mm512_storeu_pd(out + 8, _mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)a, 1)));
}

INLINE doubles doubles_from_draws(words a)
{
    __m512i mantissa = _mm512_and_si512(_mm512_rol_epi64((__m512i)a, 32),
                                        _mm512_set1_epi64((INT64_C(1) << 53) - 1));
    return (doubles)_mm512_cvtepi64_pd(mantissa);
}

INLINE doubles doubles_fma(doubles a, doubles b, doubles c)
{
    return (doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

INLINE doubles doubles_replace(doubles a, doubles old, doubles new)
{
    __mmask8 equal = _mm512_cmp_pd_mask((__m512d)a, (__m512d)old, _CMP_EQ_OQ);
    return (doubles)_mm512_mask_mov_pd((__m512d)a, equal, (__m512d) new);
}

INLINE size_t floats_list_outside(floats a, floats low, floats high, uint32_t first, uint32_t *out)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __mmask16 outside = (__mmask16)(_mm512_cmp_ps_mask((__m512)a, (__m512)low, _CMP_LT_OQ) |
                                    _mm512_cmp_ps_mask((__m512)a, (__m512)high, _CMP_GT_OQ));
    __m512i numbers = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)first));
    /* Compressed in a register: compressing into memory is slow. */
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(outside, numbers));
    return (size_t)__builtin_popcount(outside);
}

INLINE void words_stream(void *out, words a)
{
    _mm512_stream_si512(out, (__m512i)a);
}

INLINE void stream_end(void)
{
    _mm_sfence();
}

#endif
