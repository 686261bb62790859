/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jump of kdl__kernels where a vector holds one pair of words: squares by table, products of
 * digits by the instruction. The file that includes this one defines before, besides what
 * jump_clmul.h asks for, JUMP_NAME(part): the name of a function, "_power", "_apply" or nothing
 * being its part.
 */
#include "kernels/jump_clmul.h"
#include "kernels/jump_multiply.h"

typedef kdl__pairs stored_pairs __attribute__((may_alias));

static void multiply_points(kdl__jump_point *points)
{
    for (size_t p = 0; p < KDL__JUMP_POINTS; p++) {
        stored_pairs *pairs = (stored_pairs *)points[p].words;
        kdl__pairs factors[10];
        for (int i = 0; i < 10; i++)
            factors[i] = pairs[i];
        kdl__jump_multiply_pairs(factors, factors, factors + 5);
        for (int i = 0; i < 10; i++)
            pairs[i] = factors[i];
    }
}

static void multiply(kdl__jump_element *product, const kdl__jump_element *x,
                     const kdl__jump_element *y)
{
    kdl__jump_multiply_by(product, x, y, multiply_points);
}

void JUMP_NAME(_power)(kdl__jump_element *power, uint64_t steps)
{
    kdl__jump_map squaring;
    kdl__jump_map_init(&squaring, KDL__JUMP_SQUARING);
    kdl__jump_raise(power, steps, kdl__jump_square_by_map, &squaring);
}

void JUMP_NAME(_apply)(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power)
{
    kdl__jump_move(words, power, multiply);
}

void JUMP_NAME()(uint32_t words[KDL__MT_WORDS], uint64_t steps)
{
    kdl__jump_element power;
    JUMP_NAME(_power)(&power, steps);
    JUMP_NAME(_apply)(words, &power);
}
