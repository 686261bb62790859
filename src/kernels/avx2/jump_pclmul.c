/* SPDX-License-Identifier: Apache-2.0 */
/* Jump-ahead with PCLMULQDQ: squares by table, products of digits by the instruction. */
#include <immintrin.h>
#include "kernels/avx2/avx2.h"
#include "kernels/jump_multiply.h"

typedef __m128i kdl__pairs;
#define kdl__pairs_low(a, b) _mm_clmulepi64_si128(a, b, 0x00)
#define kdl__pairs_high(a, b) _mm_clmulepi64_si128(a, b, 0x11)
#define kdl__pairs_swap(a) _mm_shuffle_epi32(a, 0x4e)
#define kdl__pairs_join(a, b) _mm_alignr_epi8(b, a, 8)
#include "kernels/jump_clmul.h"

static void multiply_points(kdl__jump_point *points)
{
    for (size_t p = 0; p < KDL__JUMP_POINTS; p++) {
        __m128i *pairs = (__m128i *)points[p].words;
        __m128i factors[10];
        for (int i = 0; i < 10; i++)
            factors[i] = _mm_load_si128(pairs + i);
        kdl__jump_multiply_pairs(factors, factors, factors + 5);
        for (int i = 0; i < 10; i++)
            _mm_store_si128(pairs + i, factors[i]);
    }
}

static void multiply(kdl__jump_element *product, const kdl__jump_element *x,
                     const kdl__jump_element *y)
{
    kdl__jump_multiply_by(product, x, y, multiply_points);
}

void kdl__jump_power_pclmul(kdl__jump_element *power, uint64_t steps)
{
    kdl__jump_map squaring;
    kdl__jump_map_init(&squaring, KDL__JUMP_SQUARING);
    kdl__jump_raise(power, steps, kdl__jump_square_by_map, &squaring);
}

void kdl__jump_apply_pclmul(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power)
{
    kdl__jump_move(words, power, multiply);
}

void kdl__jump_pclmul(uint32_t words[KDL__MT_WORDS], uint64_t steps)
{
    kdl__jump_element power;
    kdl__jump_power_pclmul(&power, steps);
    kdl__jump_apply_pclmul(words, &power);
}
