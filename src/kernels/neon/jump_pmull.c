/* SPDX-License-Identifier: Apache-2.0 */
/* Jump-ahead with PMULL: squares by table, products of digits by the instruction. */
#include <arm_neon.h>
#include "kernels/jump_multiply.h"
#include "kernels/neon/neon.h"

typedef uint64x2_t kdl__pairs;

static inline kdl__pairs kdl__pairs_low(kdl__pairs a, kdl__pairs b)
{
    return vreinterpretq_u64_p128(
        vmull_p64((poly64_t)vgetq_lane_u64(a, 0), (poly64_t)vgetq_lane_u64(b, 0)));
}

static inline kdl__pairs kdl__pairs_high(kdl__pairs a, kdl__pairs b)
{
    return vreinterpretq_u64_p128(
        vmull_high_p64(vreinterpretq_p64_u64(a), vreinterpretq_p64_u64(b)));
}

#define kdl__pairs_swap(a) vextq_u64(a, a, 1)
#define kdl__pairs_join(a, b) vextq_u64(a, b, 1)
#include "kernels/jump_clmul.h"

static void multiply_points(kdl__jump_point *points)
{
    for (size_t p = 0; p < KDL__JUMP_POINTS; p++) {
        uint64_t *words = points[p].words;
        kdl__pairs pairs[KDL__JUMP_DIGIT_WORDS];
        for (int i = 0; i < KDL__JUMP_DIGIT_WORDS; i++)
            pairs[i] = vld1q_u64(words + 2 * i);
        kdl__jump_multiply_pairs(pairs, pairs, pairs + KDL__JUMP_DIGIT_WORDS / 2);
        for (int i = 0; i < KDL__JUMP_DIGIT_WORDS; i++)
            vst1q_u64(words + 2 * i, pairs[i]);
    }
}

static void multiply(kdl__jump_element *product, const kdl__jump_element *x,
                     const kdl__jump_element *y)
{
    kdl__jump_multiply_by(product, x, y, multiply_points);
}

void kdl__jump_power_pmull(kdl__jump_element *power, uint64_t steps)
{
    kdl__jump_map squaring;
    kdl__jump_map_init(&squaring, KDL__JUMP_SQUARING);
    kdl__jump_raise(power, steps, kdl__jump_square_by_map, &squaring);
}

void kdl__jump_apply_pmull(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power)
{
    kdl__jump_move(words, power, multiply);
}

void kdl__jump_pmull(uint32_t words[KDL__MT_WORDS], uint64_t steps)
{
    kdl__jump_element power;
    kdl__jump_power_pmull(&power, steps);
    kdl__jump_apply_pmull(words, &power);
}
