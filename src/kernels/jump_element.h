/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead in MT19937: states and powers of the transition as elements of F2[t]/phi, each kept as
 * 624 words in base u = t^623 + t^396. docs/jump.md derives what is written here.
 *
 *     element = sum of bit k of words[j] times t^j u^k,  0 <= j < 624, 0 <= k < 32
 *
 * Every element has exactly one such form in which words[0] is 0 or 1; all functions expect it and
 * keep it. Two relations reduce everything else to it:
 *
 *     t^623 = u + t^396                        (what u is)
 *     t u^32 = t P(u) + 1                      (phi = 0)
 */
#ifndef KDL_SRC_KERNELS_JUMP_ELEMENT_H
#define KDL_SRC_KERNELS_JUMP_ELEMENT_H

#include <stdbool.h>
#include <string.h>
#include "kernels/mt19937.h"

/* P(u) = sum of a_i u^(31-i), i <= 30, where a_i is bit i of MT19937's matrix word 0x9908b0df. */
#define KDL__JUMP_P 0xfb0d1098u

/*
 * What a multiplication gives, reduced in u but not yet in t: words[1 + m] holds the coefficient of
 * t^m, a polynomial in u of degree below 32, for -1 <= m <= 1246.
 */
#define KDL__JUMP_PRODUCT_WORDS 1248
typedef struct kdl__jump_product {
    _Alignas(64) uint32_t words[KDL__JUMP_PRODUCT_WORDS + 48]; /* room to write 64 at a time */
} kdl__jump_product;

/* u times a polynomial in u; what it loses is t^-1 times the word's top bit. */
static inline uint32_t kdl__jump_times_u(uint32_t word)
{
    return (word << 1) ^ (-(word >> 31) & KDL__JUMP_P);
}

/*
 * Divides by u, as polynomials in t: the product is remainder + quotient u with the remainder's
 * degree at most 623. The product is used up.
 */
static inline void kdl__jump_fold(kdl__jump_product *restrict product,
                                  kdl__jump_element *restrict element)
{
    enum { N = KDL__MT_WORDS, TAP = KDL__MT_SHIFT - 1, GAP = N - 1 - TAP };
    const uint32_t *low = product->words + 1; /* from t^0 */
    uint32_t *quotient = product->words + N;  /* from t^623: the quotient is made in place */
    uint32_t *words = element->words;

    /* quotient_m = S_(m+623) + quotient_(m+227), of which the last 227 are just S. */
    for (int m = N - 2 * GAP; m < N - GAP; m++)
        quotient[m] ^= quotient[m + GAP];
    for (int m = 0; m < N - 2 * GAP; m++)
        quotient[m] ^= quotient[m + GAP];

    /* t^623 may stay: what would be the quotient at t^0 is the remainder there. */
    uint32_t last = quotient[0];
    quotient[0] = 0;
    for (int m = 0; m <= TAP; m++)
        words[m] = low[m] ^ kdl__jump_times_u(quotient[m]) ^ quotient[m + 1] >> 31;
    for (int m = TAP + 1; m < N - 1; m++)
        words[m] =
            low[m] ^ kdl__jump_times_u(quotient[m]) ^ quotient[m + 1] >> 31 ^ quotient[m - TAP];
    words[N - 1] = last ^ kdl__jump_times_u(quotient[N - 1]);
}

/* After the words were moved up by one, to multiply by t: t^624 = t u + t^397. */
static inline void kdl__jump_fold_top(kdl__jump_element *element)
{
    uint32_t *words = element->words, top = words[KDL__MT_WORDS];
    words[KDL__MT_WORDS] = 0;
    words[KDL__MT_SHIFT] ^= top;
    words[1] ^= kdl__jump_times_u(top);
    words[0] = top >> 31;
}

/* element = element^2, times t if `by_t`, with the tables that the implementation has prepared. */
typedef void kdl__jump_square(const void *tables, kdl__jump_element *element, bool by_t);

/* power = t^steps: squares, and multiplies by t, along the bits of `steps`. */
static inline void kdl__jump_raise(kdl__jump_element *power, uint64_t steps,
                                   kdl__jump_square *square, const void *tables)
{
    int bits = 0; /* still to come after the leading ones, which choose a power below t^624 */
    while (steps >> bits >= KDL__MT_WORDS)
        bits++;
    memset(power, 0, sizeof *power);
    power->words[steps >> bits] = 1;
    while (bits-- > 0)
        square(tables, power, steps >> bits & 1);
}

static inline uint32_t kdl__jump_reverse_bits(uint32_t word)
{
    word = (word >> 1 & 0x55555555) | (word & 0x55555555) << 1;
    word = (word >> 2 & 0x33333333) | (word & 0x33333333) << 2;
    word = (word >> 4 & 0x0f0f0f0f) | (word & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(word);
}

/* The element of a state. The low 31 bits of words[0] are no part of a state and are not read. */
static inline void kdl__jump_from_words(const uint32_t words[KDL__MT_WORDS],
                                        kdl__jump_element *element)
{
    enum { N = KDL__MT_WORDS, GAP = N - KDL__MT_SHIFT };
    uint32_t reversed[N], *raw = element->words;
    for (int j = 0; j < N; j++)
        reversed[j] = kdl__jump_reverse_bits(words[N - 1 - j]);
    /* Bit 0 of a reversed word w goes to t^(623-w), the others to t^(624-w). */
    raw[0] = reversed[0] & 1;
    for (int j = 1; j < N; j++)
        raw[j] = (reversed[j - 1] & ~1u) | (reversed[j] & 1);
    memset(raw + N, 0, sizeof *element - sizeof reversed);
    raw[0] ^= raw[GAP] & 1;
    for (int j = 1; j < N - GAP; j++)
        raw[j] ^= raw[j + GAP];
}

/* The state of an element; the low 31 bits of words[0] become 0. */
static inline void kdl__jump_to_words(const kdl__jump_element *element,
                                      uint32_t words[KDL__MT_WORDS])
{
    enum { N = KDL__MT_WORDS, GAP = N - KDL__MT_SHIFT };
    uint32_t raw[N + 1];
    memcpy(raw, element->words, sizeof(uint32_t) * N);
    raw[N] = 0;
    for (int j = N - 2 * GAP; j < N - GAP; j++)
        raw[j] ^= raw[j + GAP];
    for (int j = 0; j < N - 2 * GAP; j++)
        raw[j] ^= raw[j + GAP];
    for (int j = 0; j < N; j++)
        words[N - 1 - j] = kdl__jump_reverse_bits((raw[j + 1] & ~1u) | (raw[j] & 1));
}

#endif
