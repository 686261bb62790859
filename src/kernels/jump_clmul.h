/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead in MT19937: products of digits (jump_multiply.h) by an instruction that multiplies two
 * 64-bit words without carries. A vector holds a pair of words of one digit, or of several digits
 * in lanes. The file that includes this one says before what its processor has:
 *
 *     kdl__pairs                     the vector type, of 128-bit lanes; ^ adds
 *     kdl__pairs_low(a, b)           in each lane, the product of the low words
 *     kdl__pairs_high(a, b)          in each lane, the product of the high words
 *     kdl__pairs_swap(a)             in each lane, the words changed over
 *     kdl__pairs_join(a, b)          in each lane, the high word of a, then the low word of b
 */
#ifndef KDL_SRC_KERNELS_JUMP_CLMUL_H
#define KDL_SRC_KERNELS_JUMP_CLMUL_H

#define KDL__JUMP_INLINE static inline __attribute__((always_inline))

/*
 * Five terms by five in 14 products instead of 25: Karatsuba's formula for 3 + 2 terms, and for
 * each part. These are the sums of terms that are multiplied.
 */
KDL__JUMP_INLINE void kdl__jump_sums_of_5(kdl__pairs sums[14], const kdl__pairs terms[5])
{
    for (int i = 0; i < 5; i++)
        sums[i] = terms[i];
    sums[5] = terms[0] ^ terms[1];
    sums[6] = terms[0] ^ terms[2];
    sums[7] = terms[1] ^ terms[2];
    sums[8] = terms[3] ^ terms[4];
    sums[9] = terms[0] ^ terms[3];
    sums[10] = terms[1] ^ terms[4];
    sums[11] = sums[9] ^ sums[10];
    sums[12] = sums[9] ^ terms[2];
    sums[13] = sums[10] ^ terms[2];
}

/* The nine coefficients of the product, from the products of those sums. */
KDL__JUMP_INLINE void kdl__jump_product_of_5(kdl__pairs product[9], const kdl__pairs p[14])
{
    kdl__pairs low1 = p[5] ^ p[0] ^ p[1], low2 = p[6] ^ p[0] ^ p[1] ^ p[2];
    kdl__pairs low3 = p[7] ^ p[1] ^ p[2], high1 = p[8] ^ p[3] ^ p[4];
    kdl__pairs sum1 = p[11] ^ p[9] ^ p[10], sum2 = p[12] ^ p[9] ^ p[10] ^ p[2];
    kdl__pairs sum3 = p[13] ^ p[10] ^ p[2];
    product[0] = p[0];
    product[1] = low1;
    product[2] = low2;
    product[3] = low3 ^ p[9] ^ p[0] ^ p[3];
    product[4] = p[2] ^ sum1 ^ low1 ^ high1;
    product[5] = sum2 ^ low2 ^ p[4];
    product[6] = sum3 ^ low3 ^ p[3];
    product[7] = high1;
    product[8] = p[4];
}

/* The product of two digits of ten words, as five pairs each, to ten pairs; it may replace them. */
KDL__JUMP_INLINE void kdl__jump_multiply_pairs(kdl__pairs product[10], const kdl__pairs x[5],
                                               const kdl__pairs y[5])
{
    kdl__pairs xs[14], ys[14], terms[14], low[9], high[9], middle[9];
    kdl__jump_sums_of_5(xs, x);
    kdl__jump_sums_of_5(ys, y);
    for (int i = 0; i < 14; i++)
        terms[i] = kdl__pairs_low(xs[i], ys[i]);
    kdl__jump_product_of_5(low, terms);
    for (int i = 0; i < 14; i++)
        terms[i] = kdl__pairs_high(xs[i], ys[i]);
    kdl__jump_product_of_5(high, terms);
    kdl__pairs xm[5], ym[5];
    for (int i = 0; i < 5; i++) {
        xm[i] = x[i] ^ kdl__pairs_swap(x[i]);
        ym[i] = y[i] ^ kdl__pairs_swap(y[i]);
    }
    kdl__jump_sums_of_5(xs, xm);
    kdl__jump_sums_of_5(ys, ym);
    for (int i = 0; i < 14; i++)
        terms[i] = kdl__pairs_low(xs[i], ys[i]);
    kdl__jump_product_of_5(middle, terms);
    for (int i = 0; i < 9; i++)
        middle[i] ^= low[i] ^ high[i];

    /* low + middle 2^64 + high 2^128, where each is a sum over 2^(128 i). */
    const kdl__pairs zero = { 0 };
    product[0] = low[0] ^ kdl__pairs_join(zero, middle[0]);
    for (int i = 1; i < 9; i++)
        product[i] = low[i] ^ high[i - 1] ^ kdl__pairs_join(middle[i - 1], middle[i]);
    product[9] = high[8] ^ kdl__pairs_join(middle[8], zero);
}

#endif
