/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead in MT19937: the product of two elements (jump_element.h, docs/jump.md).
 *
 * An element is a polynomial in u with 32 digits, each a polynomial in t of 624 bits. Karatsuba's
 * formula on each of the five bits of a digit's number makes 243 products of digits out of 1024.
 */
#ifndef KDL_SRC_KERNELS_JUMP_MULTIPLY_H
#define KDL_SRC_KERNELS_JUMP_MULTIPLY_H

#include "kernels/jump_map.h"

enum {
    KDL__JUMP_DIGITS = 32,
    KDL__JUMP_DIGIT_WORDS = 10, /* 64-bit words that hold a digit */
    KDL__JUMP_POINTS = 81,      /* 3^4 */
    KDL__JUMP_POINTS_ROUND = 84 /* with room to take them in fours */
};

typedef uint64_t kdl__jump_quad __attribute__((vector_size(32)));

/* A digit of each factor, side by side; later, in the same place, their product. */
typedef union kdl__jump_point {
    uint64_t words[2 * KDL__JUMP_DIGIT_WORDS];
    kdl__jump_quad quads[KDL__JUMP_DIGIT_WORDS / 2];
} kdl__jump_point;

/* Multiplies the two digits of each of KDL__JUMP_POINTS_ROUND points. */
typedef void kdl__jump_multiply_points(kdl__jump_point *points);

/*
 * Transposes matrices of `height` x `height` bits, height 64 or 32: one in each word of a row, or
 * in each half of a word. (Halves, quarters, ...: H. S. Warren, Hacker's Delight, 7-3.)
 */
static inline void kdl__jump_transpose(kdl__jump_point *rows, size_t height)
{
    for (size_t size = height / 2; size > 0; size /= 2) {
        const uint64_t mask = UINT64_MAX / ((UINT64_C(1) << size) + 1);
        for (size_t k = 0; k < height; k = ((k | size) + 1) & ~size) {
            uint64_t *restrict upper = rows[k].words, *restrict lower = rows[k | size].words;
            for (size_t w = 0; w < 2 * KDL__JUMP_DIGIT_WORDS; w++) {
                uint64_t changed = (upper[w] >> size ^ lower[w]) & mask;
                upper[w] ^= changed << size;
                lower[w] ^= changed;
            }
        }
    }
}

/* sum += a */
static inline void kdl__jump_add(kdl__jump_point *sum, const kdl__jump_point *a)
{
    for (int q = 0; q < KDL__JUMP_DIGIT_WORDS / 2; q++)
        sum->quads[q] ^= a->quads[q];
}

/* sum = a + b */
static inline void kdl__jump_sum(kdl__jump_point *sum, const kdl__jump_point *a,
                                 const kdl__jump_point *b)
{
    for (int q = 0; q < KDL__JUMP_DIGIT_WORDS / 2; q++)
        sum->quads[q] = a->quads[q] ^ b->quads[q];
}

/*
 * Karatsuba's formula takes (a0 + a1 U) (b0 + b1 U) from three products: p0 = a0 b0, p1 = a1 b1 and
 * p2 = (a0 + a1) (b0 + b1), as p0 + (p0 + p1 + p2) U + p1 U^2. Here U is u, u^2, u^4 and u^8, one
 * after the other, so that a point has four numbers from 0 to 2: it stands at the place that they
 * say in base three. The digits themselves are the points without a 2, so digit k stands where the
 * bits of k say in base three.
 */
static const unsigned char kdl__jump_place[16] = { 0,  1,  3,  4,  9,  10, 12, 13,
                                                   27, 28, 30, 31, 36, 37, 39, 40 };

/* From the digits: a point with a 2 is the sum of those that have 0 and 1 instead. */
static inline void kdl__jump_evaluate(kdl__jump_point points[KDL__JUMP_POINTS])
{
    for (size_t stride = 1, blocks = 8; blocks > 0; stride *= 3, blocks /= 2)
        for (size_t block = 0; block < blocks; block++) {
            kdl__jump_point *point = points + 3 * stride * kdl__jump_place[block];
            for (size_t i = 0; i < stride; i++, point++)
                kdl__jump_sum(point + 2 * stride, point, point + stride);
        }
}

/* Karatsuba's formula for U and for U^2: nine products to the coefficients of U^0, ..., U^6. */
static inline void kdl__jump_combine(kdl__jump_quad sums[7], const kdl__jump_quad products[9])
{
    kdl__jump_quad first[9], second[9];
    for (int i = 0; i < 9; i += 3) {
        first[i] = products[i];
        first[i + 1] = products[i] ^ products[i + 1] ^ products[i + 2];
        first[i + 2] = products[i + 1];
    }
    for (int i = 0; i < 3; i++) {
        second[i] = first[i];
        second[3 + i] = first[i] ^ first[3 + i] ^ first[6 + i];
        second[6 + i] = first[3 + i];
    }
    sums[0] = second[0];
    sums[1] = second[1];
    sums[2] = second[2] ^ second[3];
    sums[3] = second[4];
    sums[4] = second[5] ^ second[6];
    sums[5] = second[7];
    sums[6] = second[8];
}

/* The 31 digits of a product of 16 by 16 digits, from the products at the points. */
static inline void kdl__jump_interpolate(kdl__jump_point digits[31],
                                         const kdl__jump_point points[KDL__JUMP_POINTS])
{
    enum { QUADS = KDL__JUMP_DIGIT_WORDS / 2 };
    kdl__jump_quad products[9], sums[7];
    memset(digits, 0, sizeof *digits * 31);
    for (int q = 0; q < QUADS; q++) {
        kdl__jump_quad parts[7][9]; /* coefficients of u^0, ..., u^6, for each nine points */
        for (int nine = 0; nine < 9; nine++) {
            for (int i = 0; i < 9; i++)
                products[i] = points[9 * nine + i].quads[q];
            kdl__jump_combine(sums, products);
            for (int k = 0; k < 7; k++)
                parts[k][nine] = sums[k];
        }
        for (int k = 0; k < 7; k++) {
            kdl__jump_combine(sums, parts[k]);
            for (int i = 0; i < 7; i++)
                digits[k + 4 * i].quads[q] ^= sums[i];
        }
    }
}

/* The digits of x and y, side by side. */
static inline void kdl__jump_digits(kdl__jump_point digits[KDL__JUMP_DIGITS],
                                    const kdl__jump_element *x, const kdl__jump_element *y)
{
    for (size_t q = 0; q < KDL__JUMP_DIGIT_WORDS; q++) {
        const uint32_t *from_x = x->words + 64 * q, *from_y = y->words + 64 * q;
        for (size_t j = 0; j < 32; j++) {
            digits[j].words[q] = from_x[j] | (uint64_t)from_x[32 + j] << 32;
            digits[j].words[KDL__JUMP_DIGIT_WORDS + q] = from_y[j] | (uint64_t)from_y[32 + j] << 32;
        }
    }
    kdl__jump_transpose(digits, KDL__JUMP_DIGITS);
}

/* The 63 digits of the product: Karatsuba's formula with U = u^16, and for each part. */
static inline void kdl__jump_multiply_digits(kdl__jump_point product[64],
                                             const kdl__jump_point digits[KDL__JUMP_DIGITS],
                                             kdl__jump_multiply_points *multiply_points)
{
    kdl__jump_point points[KDL__JUMP_POINTS_ROUND], parts[31];
    memset(product, 0, sizeof *product * 64);
    for (int part = 0; part < 3; part++) {
        for (size_t k = 0; k < 16; k++)
            if (part < 2)
                points[kdl__jump_place[k]] = digits[16 * part + k];
            else
                kdl__jump_sum(&points[kdl__jump_place[k]], &digits[k], &digits[16 + k]);
        kdl__jump_evaluate(points);
        memset(points + KDL__JUMP_POINTS, 0,
               sizeof *points * (KDL__JUMP_POINTS_ROUND - KDL__JUMP_POINTS));
        multiply_points(points);
        kdl__jump_interpolate(parts, points);
        for (size_t k = 0; k < 31; k++) {
            kdl__jump_add(product + 16 + k, parts + k);
            if (part < 2)
                kdl__jump_add(product + 32 * part + k, parts + k);
        }
    }
}

/* The product's digits to coefficients of t^m, reduced in u. */
static inline void kdl__jump_reduce(kdl__jump_product *product, kdl__jump_point digits[64])
{
    kdl__jump_map reduction;
    kdl__jump_map_init(&reduction, KDL__JUMP_REDUCTION);
    kdl__jump_transpose(digits, 64);

    /* digits[j].words[q] is now the coefficient of t^(64q+j), of degree at most 62 in u. */
    uint32_t *word = product->words;
    *word = 0;
    for (size_t q = 0; q < 2 * KDL__JUMP_DIGIT_WORDS; q++)
        for (size_t j = 0; j < 64; j++) {
            uint64_t coefficient = digits[j].words[q];
            uint64_t image = kdl__jump_image(&reduction, (uint32_t)(coefficient >> 32));
            *word++ ^= (uint32_t)image;
            *word = (uint32_t)coefficient ^ (uint32_t)(image >> 32);
        }
}

/* product = x y. The factors may be the same, and either may be the product. */
typedef void kdl__jump_multiply(kdl__jump_element *product, const kdl__jump_element *x,
                                const kdl__jump_element *y);

/* A kdl__jump_multiply but for the products of digits. */
static inline void kdl__jump_multiply_by(kdl__jump_element *product, const kdl__jump_element *x,
                                         const kdl__jump_element *y,
                                         kdl__jump_multiply_points *multiply_points)
{
    kdl__jump_point digits[KDL__JUMP_DIGITS], product_digits[64];
    kdl__jump_product unfolded;
    kdl__jump_digits(digits, x, y);
    kdl__jump_multiply_digits(product_digits, digits, multiply_points);
    kdl__jump_reduce(&unfolded, product_digits);
    kdl__jump_fold(&unfolded, product);
}

/* Moves a state ahead: multiplies its element by `power`. */
static inline void kdl__jump_move(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power,
                                  kdl__jump_multiply *multiply)
{
    kdl__jump_element state;
    kdl__jump_from_words(words, &state);
    multiply(&state, &state, power);
    kdl__jump_to_words(&state, words);
}

#endif
