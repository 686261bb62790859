/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead in MT19937: the product of two elements (jump_element.h, docs/jump.md).
 *
 * An element is a polynomial in u with 32 digits, each a polynomial in t of 624 bits. Karatsuba's
 * formula on each of the five bits of a digit's number makes 243 products of digits out of 1024.
 */
#ifndef KDL_SRC_KERNELS_JUMP_MULTIPLY_H
#define KDL_SRC_KERNELS_JUMP_MULTIPLY_H

#include "kernels/jump_element.h"

enum {
    KDL__JUMP_DIGITS = 32,
    KDL__JUMP_DIGIT_WORDS = 10,  /* 64-bit words that hold a digit */
    KDL__JUMP_POINTS = 243,      /* 3^5 */
    KDL__JUMP_POINTS_ROUND = 244 /* with room to take them in fours */
};

/* A digit of each factor, side by side; later, in the same place, their product. */
typedef struct kdl__jump_point {
    uint64_t words[2 * KDL__JUMP_DIGIT_WORDS];
} kdl__jump_point;

/* Multiplies the two digits of each of KDL__JUMP_POINTS_ROUND points. */
typedef void kdl__jump_multiply_points(kdl__jump_point *points);

/*
 * Transposes `width` matrices of 64 x 64 bits at once: bit j of rows[k * width + q] changes places
 * with bit k of rows[j * width + q]. (Halves, quarters, ...: H. S. Warren, Hacker's Delight, 7-3.)
 */
static inline void kdl__jump_transpose(uint64_t *rows, size_t width)
{
    uint64_t mask = 0x00000000ffffffff;
    for (size_t size = 32; size > 0; size /= 2, mask ^= mask << size) {
        for (size_t k = 0; k < 64; k = ((k | size) + 1) & ~size) {
            uint64_t *upper = rows + k * width, *lower = rows + (k | size) * width;
            for (size_t q = 0; q < width; q++) {
                uint64_t changed = (upper[q] >> size ^ lower[q]) & mask;
                upper[q] ^= changed << size;
                lower[q] ^= changed;
            }
        }
    }
}

/* Where digit k stands among the points: the bits of k read as a number in base three. */
static inline size_t kdl__jump_place(size_t k)
{
    size_t place = 0;
    for (int bit = 4; bit >= 0; bit--)
        place = 3 * place + (k >> bit & 1);
    return place;
}

/* sum[i] += first[i] + second[i] for `count` points. */
static inline void kdl__jump_add_points(kdl__jump_point *sum, const kdl__jump_point *first,
                                        const kdl__jump_point *second, size_t count)
{
    enum { WIDTH = 2 * KDL__JUMP_DIGIT_WORDS };
    for (size_t i = 0; i < count; i++)
        for (size_t w = 0; w < WIDTH; w++)
            sum[i].words[w] ^= first[i].words[w] ^ second[i].words[w];
}

/* The digits of both factors, and their sums: for each bit of the number, 0, 1, and 0 + 1. */
static inline void kdl__jump_evaluate(const kdl__jump_element *x, const kdl__jump_element *y,
                                      kdl__jump_point points[KDL__JUMP_POINTS_ROUND])
{
    enum { WIDTH = KDL__JUMP_DIGIT_WORDS };
    uint64_t rows[64][WIDTH];
    for (size_t q = 0; q < WIDTH; q++)
        for (size_t j = 0; j < 64; j++)
            rows[j][q] = x->words[64 * q + j] | (uint64_t)y->words[64 * q + j] << 32;
    kdl__jump_transpose(rows[0], WIDTH);
    memset(points, 0, sizeof *points * KDL__JUMP_POINTS_ROUND);
    for (size_t k = 0; k < KDL__JUMP_DIGITS; k++) {
        kdl__jump_point *point = &points[kdl__jump_place(k)];
        memcpy(point->words, rows[k], sizeof rows[k]);
        memcpy(point->words + WIDTH, rows[KDL__JUMP_DIGITS + k], sizeof rows[k]);
    }
    for (size_t stride = 1, blocks = 16; blocks > 0; stride *= 3, blocks /= 2)
        for (size_t block = 0; block < blocks; block++) {
            kdl__jump_point *zero = points + 3 * stride * kdl__jump_place(block);
            kdl__jump_add_points(zero + 2 * stride, zero, zero + stride, stride);
        }
}

/*
 * The digits of the product from the products of the digits. For each bit of the number, worth b,
 * the three products p0, p1, p2 at 0, 1, 0 + 1 make p0 + (p0 + p1 + p2) u^b + p1 u^2b.
 */
static inline void kdl__jump_interpolate(kdl__jump_point points[KDL__JUMP_POINTS_ROUND],
                                         uint64_t rows[64][2 * KDL__JUMP_DIGIT_WORDS])
{
    enum { WIDTH = 2 * KDL__JUMP_DIGIT_WORDS };
    for (size_t stride = 1; stride < KDL__JUMP_POINTS; stride *= 3)
        for (size_t block = 0; block < KDL__JUMP_POINTS; block += 3 * stride)
            kdl__jump_add_points(points + block + 2 * stride, points + block,
                                 points + block + stride, stride);
    memset(rows, 0, sizeof(uint64_t) * 64 * WIDTH);
    for (size_t p = 0; p < KDL__JUMP_POINTS; p++) {
        static const unsigned char worth[3] = { 0, 2, 1 };
        size_t digit = 0;
        for (size_t rest = p, bit = 1; rest > 0; rest /= 3, bit *= 2)
            digit += worth[rest % 3] * bit;
        for (size_t w = 0; w < WIDTH; w++)
            rows[digit][w] ^= points[p].words[w];
    }
}

/*
 * u^32 h(u) = q(u) (u^32 + P(u)) + r(u): the quotient q, by Barrett's method. The reciprocal
 * floor(u^64 / (u^32 + P)) is u^32 plus the u^i whose h >> (32 - i) are added here.
 */
static inline uint32_t kdl__jump_quotient(uint32_t h)
{
    return h ^ h >> 1 ^ h >> 6 ^ h >> 8 ^ h >> 9 ^ h >> 10 ^ h >> 12 ^ h >> 18 ^ h >> 19 ^ h >> 20 ^
           h >> 21 ^ h >> 22 ^ h >> 23 ^ h >> 24 ^ h >> 25 ^ h >> 26 ^ h >> 27 ^ h >> 29 ^ h >> 31;
}

/* The low 32 bits of q P, which is what r is. */
static inline uint32_t kdl__jump_remainder(uint32_t q)
{
    return q << 3 ^ q << 4 ^ q << 7 ^ q << 12 ^ q << 16 ^ q << 18 ^ q << 19 ^ q << 24 ^ q << 25 ^
           q << 27 ^ q << 28 ^ q << 29 ^ q << 30 ^ q << 31;
}

/* product = x y. The factors may be the same, and either may be the product. */
static inline void kdl__jump_multiply(kdl__jump_element *product, const kdl__jump_element *x,
                                      const kdl__jump_element *y,
                                      kdl__jump_multiply_points *multiply_points)
{
    enum { WIDTH = 2 * KDL__JUMP_DIGIT_WORDS, TERMS = KDL__JUMP_PRODUCT_WORDS };
    _Alignas(64) kdl__jump_point points[KDL__JUMP_POINTS_ROUND];
    _Alignas(64) uint64_t rows[64][WIDTH];
    kdl__jump_evaluate(x, y, points);
    multiply_points(points);
    kdl__jump_interpolate(points, rows);
    kdl__jump_transpose(rows[0], WIDTH);

    /* rows[m % 64][m / 64] is now the coefficient of t^m, of degree at most 62 in u. */
    uint32_t low[64 * WIDTH], quotient[64 * WIDTH];
    for (size_t q = 0; q < WIDTH; q++)
        for (size_t j = 0; j < 64; j++) {
            low[64 * q + j] = (uint32_t)rows[j][q];
            quotient[64 * q + j] = (uint32_t)(rows[j][q] >> 32);
        }
    for (size_t m = 0; m < TERMS; m++)
        quotient[m] = kdl__jump_quotient(quotient[m]);
    kdl__jump_product unfolded;
    unfolded.words[0] = 0; /* the coefficient of t^0 is 0 or 1 */
    for (size_t m = 0; m + 1 < TERMS; m++)
        unfolded.words[1 + m] = low[m] ^ kdl__jump_remainder(quotient[m]) ^ quotient[m + 1];
    kdl__jump_fold(&unfolded, product, false);
}

/* Moves a state ahead: multiplies its element by `power`. */
static inline void kdl__jump_move(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power,
                                  kdl__jump_multiply_points *multiply_points)
{
    kdl__jump_element state;
    kdl__jump_from_words(words, &state);
    kdl__jump_multiply(&state, &state, power, multiply_points);
    kdl__jump_to_words(&state, words);
}

#endif
