/* SPDX-License-Identifier: Apache-2.0 */
/* Jump-ahead in plain C: squares by table, products of digits by shifting and adding. */
#include "kernels/jump_multiply.h"
#include "kernels/ref/ref.h"

/*
 * Multiplies two polynomials of 640 bits in place, left to right through all ten words at once,
 * four bits at a time ("comb": J. Lopez, R. Dahab, High-speed software multiplication in F2m,
 * 2000).
 */
static void multiply_point(uint64_t words[2 * KDL__JUMP_DIGIT_WORDS])
{
    enum { N = KDL__JUMP_DIGIT_WORDS };
    uint64_t multiples[16][N + 1] = { { 0 } };
    memcpy(multiples[1], words + N, sizeof(uint64_t) * N);
    for (int v = 2; v < 16; v += 2) {
        uint64_t carry = 0;
        for (int w = 0; w <= N; w++) {
            uint64_t half = multiples[v / 2][w];
            multiples[v][w] = half << 1 | carry;
            multiples[v + 1][w] = multiples[v][w] ^ multiples[1][w];
            carry = half >> 63;
        }
    }
    uint64_t product[2 * N] = { 0 };
    for (int shift = 60; shift >= 0; shift -= 4) {
        const uint64_t *terms[N];
        for (int i = 0; i < N; i++)
            terms[i] = multiples[words[i] >> shift & 15];
        uint64_t carry = 0;
#pragma GCC unroll 20
        for (int column = 0; column < 2 * N; column++) {
            uint64_t sum = product[column] << 4 | carry;
            carry = product[column] >> 60;
#pragma GCC unroll 10
            for (int i = 0; i < N; i++)
                if (column >= i && column <= i + N)
                    sum ^= terms[i][column - i];
            product[column] = sum;
        }
    }
    memcpy(words, product, sizeof product);
}

static void multiply_points(kdl__jump_point *points)
{
    for (size_t p = 0; p < KDL__JUMP_POINTS; p++)
        multiply_point(points[p].words);
}

static void multiply(kdl__jump_element *product, const kdl__jump_element *x,
                     const kdl__jump_element *y)
{
    kdl__jump_multiply_by(product, x, y, multiply_points);
}

void kdl__jump_power_ref(kdl__jump_element *power, uint64_t steps)
{
    kdl__jump_map squaring;
    kdl__jump_map_init(&squaring, KDL__JUMP_SQUARING);
    kdl__jump_raise(power, steps, kdl__jump_square_by_map, &squaring);
}

void kdl__jump_apply_ref(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power)
{
    kdl__jump_move(words, power, multiply);
}

void kdl__jump_ref(uint32_t words[KDL__MT_WORDS], uint64_t steps)
{
    kdl__jump_element power;
    kdl__jump_power_ref(&power, steps);
    kdl__jump_apply_ref(words, &power);
}
