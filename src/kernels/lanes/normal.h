/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensor.normal_ of contiguous tensors: Box-Muller on blocks of 16 draws, as kernels/ref/normal.c
 * has it from PyTorch. Every pair of draws gives the bits that it gives there; some operations are
 * left out, or done on the draws' integers, where that changes no bit.
 *
 * Two blocks of the engine are tempered at a time, into the first-level cache; then GROUPS vectors
 * of pairs go through each statement side by side, which hides the latency of the last one.
 */
#ifndef KDL_SRC_KERNELS_LANES_NORMAL_H
#define KDL_SRC_KERNELS_LANES_NORMAL_H

#include "kernels/lanes/uniform.h"

enum {
    BLOCK = 16, /* draws and values, of which the first half are the radii's */
    UNIT = PAIR > BLOCK ? PAIR : BLOCK, /* whole blocks in whole pairs of vectors */
    GROUPS = LANES == 4 ? 4 : 3, /* 2 * 624 values are 13 (16 lanes), 26 or 39 times as many */
    BATCH = 2 * KDL__MT_WORDS
};

#define EACH_GROUP _Pragma("GCC unroll 4") for (int i = 0; i < groups; i++)

/*
 * radius = sqrt(-2 log(1 - u)) for u = k / 2^24.
 *
 * - 1 - u is (2^24 - k) / 2^24, so 2^24 - k is converted instead and 24 taken off its exponent.
 * - The float's bits minus those of sqrt(1/2) have above bit 23 the exponent that leaves the number
 *   in [sqrt(1/2), sqrt(2)), and below it what is to be added to sqrt(1/2)'s bits again: the number
 *   and exponent that ref finds by comparing.
 * - The factor -2 is in the constants: a power of two goes through every rounding (no number here
 *   comes near the denormal ones). Only for u = 0 the radius is 0 and not ref's -0: see normal().
 */
INLINE void radii_of(floats *radius, const words *k, const int groups)
{
    const uint32_t root_half = 0x3f3504f3;
    floats x[GROUPS], y[GROUPS], z[GROUPS], e[GROUPS];
    EACH_GROUP
    {
        words bits = (words)floats_from_words((1 << 24) - k[i]) - (root_half + (24 << 23));
        e[i] = floats_from_words((words)((integers)bits >> 23));
        x[i] = (floats)((bits & 0x007fffff) + root_half) - 1.0f;
    }
    EACH_GROUP z[i] = x[i] * x[i];
    EACH_GROUP y[i] =
        floats_fma(x[i], floats_all(-2 * 7.0376836292e-2f), floats_all(2 * 1.1514610310e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(-2 * 1.1676998740e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(2 * 1.2420140846e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(-2 * 1.4249322787e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(2 * 1.6668057665e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(-2 * 2.0000714765e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(2 * 2.4999993993e-1f));
    EACH_GROUP y[i] = floats_fma(y[i], x[i], floats_all(-2 * 3.3333331174e-1f));
    EACH_GROUP y[i] = y[i] * x[i];
    EACH_GROUP y[i] = floats_fma(y[i], z[i], e[i] * (2 * 2.12194440e-4f));
    EACH_GROUP y[i] = y[i] + z[i]; /* -2 (y - z / 2) */
    EACH_GROUP y[i] = floats_fma(x[i], floats_all(-2.0f), y[i]);
    EACH_GROUP radius[i] = floats_sqrt(floats_fma(e[i], floats_all(-2 * 0.693359375f), y[i]));
}

/*
 * Sine and cosine of 2 pi u for u = k / 2^24.
 *
 * - 2 pi 2^-24, times k: the power of two goes through the rounding.
 * - The octant is told by the upper three bits of k. Rounding the angle and its product with 4 / pi
 *   as ref does finds the same even octant j for every k (the tests go through all of them).
 * - The first two parts of pi / 4 are taken off in one step: their sum is a float, and the step
 *   that ref takes first does not round. (Its result is below 1 and a multiple of the angle's last
 *   bit, which is 2^-24 or more unless j = 0.)
 * - Signs are put in where they are free: the sine's on x, of which it is an odd function in every
 *   step; the cosine's, as s = +-1, in the last step: fma(c, s, s) = s (c + 1) rounded once.
 */
INLINE void sines_of(floats *sine, floats *cosine, const words *k, const int groups)
{
    const table even = table_of((float[]){ 0, 2, 2, 4, 4, 6, 6, 8 });
    /* The signs of what the two polynomials become, sine or cosine, by octant. */
    const table sine_sign = table_of((float[]){ 0, -0.0f, -0.0f, -0.0f, -0.0f, 0, 0, 0 });
    const table cosine_sign = table_of((float[]){ 1, 1, 1, -1, -1, -1, -1, 1 });
    floats x[GROUPS], z[GROUPS], s[GROUPS], c[GROUPS], sign[GROUPS];
    EACH_GROUP
    {
        words octant = k[i] >> 21;
        sign[i] = table_look_up(cosine_sign, octant);
        s[i] = table_look_up(sine_sign, octant);
        z[i] = table_look_up(even, octant);
    }
    EACH_GROUP x[i] = floats_from_words(k[i]) * ((float)(2.0 * 3.14159265358979323846) * 0x1p-24f);
    EACH_GROUP x[i] =
        floats_fma(z[i], floats_all(-(0.78515625f + 2.4187564849853515625e-4f)), x[i]);
    EACH_GROUP x[i] = floats_fma(z[i], floats_all(-3.77489497744594108e-8f), x[i]);
    EACH_GROUP z[i] = x[i] * x[i];
    EACH_GROUP x[i] = (floats)((words)x[i] ^ (words)s[i]);
    EACH_GROUP c[i] =
        floats_fma(z[i], floats_all(2.443315711809948e-5f), floats_all(-1.388731625493765e-3f));
    EACH_GROUP s[i] = floats_fma(z[i], floats_all(-1.9515295891e-4f), floats_all(8.3321608736e-3f));
    EACH_GROUP c[i] = floats_fma(c[i], z[i], floats_all(4.166664568298827e-2f));
    EACH_GROUP s[i] = floats_fma(s[i], z[i], floats_all(-1.6666654611e-1f));
    EACH_GROUP c[i] = c[i] * z[i];
    EACH_GROUP s[i] = s[i] * z[i];
    EACH_GROUP c[i] = floats_fma(c[i], z[i], z[i] * -0.5f);
    EACH_GROUP s[i] = floats_fma(s[i], x[i], x[i]);
    EACH_GROUP c[i] = floats_fma(c[i], sign[i], sign[i]);
    EACH_GROUP
    {
        /* Octants 1, 2, 5 and 6 change them over: after adding one, those with bit 1. */
        words swapped = k[i] + (1 << 21);
        sine[i] = floats_if_bit(swapped, 1 << 22, c[i], s[i]);
        cosine[i] = floats_if_bit(swapped, 1 << 22, s[i], c[i]);
    }
}

/* 2 * LANES values, from the order of pairs to that of blocks. */
INLINE void put_pair(kdl_dtype dtype, floats first, floats second, char *out, bool stream)
{
    if (dtype == KDL_F16) {
        put_words(out, (words)floats_to_f16(first, second, true), stream);
    } else if (dtype == KDL_BF16) {
        put_words(out, (words)floats_to_bf16(first, second, true), stream);
    } else {
        floats_unpair(&first, &second);
        put_words(out, (words)first, stream);
        put_words(out + sizeof first, (words)second, stream);
    }
}

/* Where the draws of a pair of vectors begin: with 4 lanes, two pairs share a block. */
INLINE size_t pair_begin(int pair)
{
    return LANES == 4 ? BLOCK * (size_t)(pair / 2) + LANES * (size_t)(pair % 2)
                      : PAIR * (size_t)pair;
}

/* groups * PAIR draws of 24 bits, whole blocks, to as many values. */
INLINE void box_muller(const uint32_t *draws, const int groups, kdl_dtype dtype, floats mean,
                       floats std, char *out, bool stream)
{
    const size_t size = dtype == KDL_F32 ? 4 : 2;
    words first[GROUPS], second[GROUPS];
    floats radius[GROUPS], sine[GROUPS], cosine[GROUPS];
    EACH_GROUP words_pair(draws + pair_begin(i), &first[i], &second[i]);
    radii_of(radius, first, groups);
    sines_of(sine, cosine, second, groups);
    EACH_GROUP
    {
        cosine[i] = floats_fma(radius[i] * cosine[i], std, mean);
        sine[i] = floats_fma(radius[i] * sine[i], std, mean);
        if (LANES > 4) {
            put_pair(dtype, cosine[i], sine[i], out + size * PAIR * (size_t)i, stream);
        } else if (i % 2 == 1) { /* the halves of a block */
            put_pair(dtype, cosine[i - 1], cosine[i], out + size * PAIR * (size_t)(i - 1), stream);
            put_pair(dtype, sine[i - 1], sine[i], out + size * PAIR * (size_t)i, stream);
        }
    }
}

/* n <= UNIT draws of 24 bits to as many values. Two copies, so that it may be half a vector. */
static void box_muller_few(const uint32_t *draws, kdl_dtype dtype, float mean, float std, char *out,
                           size_t n)
{
    uint32_t padded[UNIT] = { 0 };
    char values[4 * UNIT];
    memcpy(padded, draws, n * sizeof *draws);
    box_muller(padded, UNIT / PAIR, dtype, floats_all(mean), floats_all(std), values, false);
    memcpy(out, values, n * (dtype == KDL_F32 ? 4 : 2));
}

/* n, a multiple of BLOCK, draws of 24 bits to as many values. */
INLINE void transform(const uint32_t *draws, kdl_dtype dtype, float mean, float std, char *out,
                      size_t n, bool stream)
{
    const size_t size = dtype == KDL_F32 ? 4 : 2;
    for (; n >= GROUPS * PAIR; n -= GROUPS * PAIR, draws += GROUPS * PAIR) {
        box_muller(draws, GROUPS, dtype, floats_all(mean), floats_all(std), out, stream);
        out += GROUPS * PAIR * size;
    }
    for (size_t count; n > 0; n -= count, draws += count, out += count * size) {
        count = n < UNIT ? n : UNIT;
        box_muller_few(draws, dtype, mean, std, out, count);
    }
}

/*
 * Lays down at most BATCH of the next draws, and no more than are wanted; returns how many. They
 * bring the engine into a new block, or take it from there into the next but one.
 */
INLINE size_t draw_batch(kdl__mt *mt, uint32_t *draws, size_t wanted)
{
    if (mt->next <= MIRROR && wanted > BATCH) {
        put_blocks(mt, DRAWS_24_BITS, NULL, (char *)draws, 2, false);
        return BATCH;
    }
    size_t some = wanted > BATCH ? (KDL__MT_WORDS - mt->next) / UNIT * UNIT + UNIT : BATCH;
    size_t count = wanted < some ? wanted : some;
    put_some(mt, DRAWS_24_BITS, NULL, (char *)draws, count);
    return count;
}

/*
 * A radius of 0 where ref has -0 (see radii_of) shows only when it is added to a mean of -0; that
 * is left to ref, as are arguments that are not finite, so that no value is a NaN.
 */
static bool is_plain(float mean, float std)
{
    return isfinite(mean) && isfinite(std) && !(mean == 0 && signbit(mean));
}

INLINE void normal(kdl__mt *mt, kdl_dtype dtype, float mean, float std, void *out, size_t n)
{
    _Alignas(64) uint32_t draws[BATCH];
    const size_t size = dtype == KDL_F32 ? 4 : 2;
    const bool aligned = (uintptr_t)out % sizeof(words) == 0;
    const bool stream = aligned && n * size >= KDL__STREAM_NBYTES;
    char *at = out;
    for (size_t count; n > 0; n -= count, at += count * size) {
        count = draw_batch(mt, draws, n);
        if (stream)
            transform(draws, dtype, mean, std, at, count, true);
        else
            transform(draws, dtype, mean, std, at, count, false);
    }
    if (stream)
        stream_end();
}

static void normal_f32(kdl__mt *mt, float mean, float std, float *out, size_t n)
{
    if (is_plain(mean, std))
        normal(mt, KDL_F32, mean, std, out, n);
    else
        kdl__normal_f32_ref(mt, mean, std, out, n);
}

static void normal_f16(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n)
{
    if (is_plain(mean, std))
        normal(mt, KDL_F16, mean, std, out, n);
    else
        kdl__normal_f16_ref(mt, mean, std, out, n);
}

static void normal_bf16(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n)
{
    if (is_plain(mean, std))
        normal(mt, KDL_BF16, mean, std, out, n);
    else
        kdl__normal_bf16_ref(mt, mean, std, out, n);
}

/* libm's functions, which no vector of ours reproduces; but the draws are faster. */
static void normal_f64(kdl__mt *mt, double mean, double std, double *out, size_t n)
{
    enum { CHUNK = 512 };
    for (size_t count; n > 0; n -= count, out += count) {
        count = n < CHUNK ? n : CHUNK;
        uniform_f64(mt, 0.0, 1.0, out, count);
        kdl__box_muller_f64_ref(mean, std, out, count);
    }
}

#endif
