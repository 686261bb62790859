/* SPDX-License-Identifier: Apache-2.0 */
/* Draws, and Tensor.uniform_ of all floating-point dtypes. */
#ifndef KDL_SRC_KERNELS_LANES_UNIFORM_H
#define KDL_SRC_KERNELS_LANES_UNIFORM_H

#include <math.h>
#include "kernels/lanes/convert.h"
#include "kernels/lanes/twist.h"
#include "kernels/ref/ref.h"

/* What LANES raw words become. */
enum kind {
    DRAWS,
    DRAWS_24_BITS,
    UNIFORM_F32,
    UNIFORM_F32_REPLACED, /* for ranges where some draw gives `to` */
    UNIFORM_F16,
    UNIFORM_BF16,
    UNIFORM_F64,
    UNIFORM_F64_REPLACED
};

/* A uniform's arguments, for the dtype that is made. */
struct range {
    floats scale, from, to;
    doubles scale_f64, from_f64, to_f64;
    halves lower, upper, compared;
};

INLINE size_t kind_nbytes(enum kind kind)
{
    return kind >= UNIFORM_F64 ? 8 : kind == UNIFORM_F16 || kind == UNIFORM_BF16 ? 2 : 4;
}

INLINE size_t kind_draws(enum kind kind)
{
    return kind >= UNIFORM_F64 ? 2 : 1;
}

INLINE void put_words(void *out, words vector, bool stream)
{
    if (stream)
        words_stream(out, vector);
    else
        words_store(out, vector);
}

INLINE floats affine(const struct range *range, words draws)
{
    return floats_fma(floats_from_words(draws & 0xffffff), range->scale, range->from);
}

INLINE doubles affine_f64(const struct range *range, words draws)
{
    return doubles_fma(doubles_from_draws(draws), range->scale_f64, range->from_f64);
}

INLINE words replace_upper(const struct range *range, halves values)
{
    return (words)halves_replace(values, range->compared, range->upper, range->lower);
}

/* What becomes of a vector of draws, for kinds that fill one with them. */
INLINE words make(enum kind kind, const struct range *range, words draws)
{
    switch (kind) {
    case DRAWS_24_BITS:
        return draws & 0xffffff;
    case UNIFORM_F32:
        return (words)affine(range, draws);
    case UNIFORM_F32_REPLACED:
        return (words)floats_replace(affine(range, draws), range->to, range->from);
    case UNIFORM_F64:
        return (words)affine_f64(range, draws);
    case UNIFORM_F64_REPLACED:
        return (words)doubles_replace(affine_f64(range, draws), range->to_f64, range->from_f64);
    default:
        return draws;
    }
}

/* Makes PAIR / kind_draws(kind) values of two vectors of raw words, and puts them at `out`. */
INLINE void put(enum kind kind, const struct range *range, words a, words b, char *out, bool stream)
{
    a = temper(a);
    b = temper(b);
    if (kind == UNIFORM_F16) {
        halves values = floats_to_f16(affine(range, a), affine(range, b), false);
        put_words(out, replace_upper(range, values), stream);
    } else if (kind == UNIFORM_BF16) {
        halves values = floats_to_bf16(affine(range, a), affine(range, b), false);
        put_words(out, replace_upper(range, values), stream);
    } else {
        put_words(out, make(kind, range, a), stream);
        put_words(out + sizeof a, make(kind, range, b), stream);
    }
}

/* n values, wherever the engine stands and the destination lies. */
INLINE void put_some(kdl__mt *mt, enum kind kind, const struct range *range, char *out, size_t n)
{
    const size_t pair = PAIR / kind_draws(kind), size = kind_nbytes(kind);
    for (; n >= pair; n -= pair, out += pair * size) {
        words a = take(mt, LANES), b = take(mt, LANES);
        put(kind, range, a, b, out, false);
    }
    if (n > 0) {
        const uint32_t count = (uint32_t)(n * kind_draws(kind));
        char last[2 * sizeof(words)];
        words a = take(mt, count < LANES ? count : LANES);
        words b = take(mt, count < LANES ? 0 : count - LANES);
        put(kind, range, a, b, last, false);
        memcpy(out, last, n * size);
    }
}

/*
 * As many draws as an even number of blocks has, when at most MIRROR words of the present block are
 * used. A vector of it is taken just before its place goes to the next block.
 */
INLINE void put_blocks(kdl__mt *mt, enum kind kind, const struct range *range, char *out,
                       size_t blocks, bool stream)
{
    const size_t nbytes = PAIR / kind_draws(kind) * kind_nbytes(kind);
    const uint32_t *unused = mt->words + mt->next;
    size_t i = 0;
    for (size_t pairs = blocks * VECTORS / 2; pairs > 0; pairs--, out += nbytes) {
        words a = words_load(unused + LANES * i);
        twist_vector(mt->words, i);
        i = i + 1 < VECTORS ? i + 1 : 0;
        words b = words_load(unused + LANES * i);
        twist_vector(mt->words, i);
        i = i + 1 < VECTORS ? i + 1 : 0;
        put(kind, range, a, b, out, stream);
    }
    if (stream)
        stream_end();
}

/*
 * n values. When they are many, the first ones bring the destination to a vector's alignment, the
 * next ones the engine into a new block; from there on it goes block by block. The last block is
 * not replaced before a draw is wanted of the next one, as in every engine.
 */
INLINE void put_all(kdl__mt *mt, enum kind kind, const struct range *range, void *out, size_t n)
{
    const size_t size = kind_nbytes(kind), draws = kind_draws(kind);
    const size_t pair = PAIR / draws, block = KDL__MT_WORDS / draws;
    char *at = out;
    if (n >= 4 * block) {
        size_t first = -(uintptr_t)at % sizeof(words) / size;
        put_some(mt, kind, range, at, first);
        size_t some = (KDL__MT_WORDS - mt->next) / PAIR * pair + pair;
        put_some(mt, kind, range, at + first * size, some);
        at += (first + some) * size;
        n -= first + some;
        size_t blocks = (n - 1) / block / 2 * 2;
        if (n * size >= KDL__STREAM_NBYTES)
            put_blocks(mt, kind, range, at, blocks, true);
        else
            put_blocks(mt, kind, range, at, blocks, false);
        at += blocks * block * size;
        n -= blocks * block;
    }
    put_some(mt, kind, range, at, n);
}

static void draw_words(kdl__mt *mt, uint32_t *out, size_t n)
{
    const struct range none = { 0 };
    put_all(mt, DRAWS, &none, out, n);
}

/*
 * Here the factor 2^-24 (f64: 2^-53) that makes a draw a number in [0, 1) is moved from the draw to
 * the length of the range. Their product is then the same number before it is rounded, except for
 * a length so small that the factor rounds it. Those are left to ref, as are arguments that are not
 * finite: so no value is a NaN.
 *
 * Values grow with their draws, and `to` is the most that a value can be rounded to. So f32 and f64
 * ask of the last draw alone whether any gives `to` and has to be replaced; in half precision some
 * nearly always do.
 */
static bool scales_f32(float from, float length)
{
    return isfinite(from) && isfinite(length) && length * 0x1p-24f * 0x1p24f == length;
}

static bool scales_f64(double from, double length)
{
    return isfinite(from) && isfinite(length) && length * 0x1p-53 * 0x1p53 == length;
}

static struct range range_f32(float from, float to)
{
    return (struct range){ .scale = floats_all((to - from) * 0x1p-24f),
                           .from = floats_all(from),
                           .to = floats_all(to) };
}

/* As numbers, -0 equals 0: when that is the upper bound the signs are left out of it. */
static struct range range_half(float from, float to, uint16_t lower, uint16_t upper)
{
    struct range range = range_f32(from, to);
    uint16_t compared = upper & 0x7fff ? 0xffff : 0x7fff;
    range.lower = halves_all(lower);
    range.upper = halves_all(upper & compared);
    range.compared = halves_all(compared);
    return range;
}

static void uniform_f32(kdl__mt *mt, float from, float to, float *out, size_t n)
{
    if (!scales_f32(from, to - from)) {
        kdl__uniform_f32_ref(mt, from, to, out, n);
        return;
    }
    const struct range range = range_f32(from, to);
    if (fmaf(0x1p24f - 1, (to - from) * 0x1p-24f, from) == to)
        put_all(mt, UNIFORM_F32_REPLACED, &range, out, n);
    else
        put_all(mt, UNIFORM_F32, &range, out, n);
}

static void uniform_f16(kdl__mt *mt, float from, float to, uint16_t *out, size_t n)
{
    if (!scales_f32(from, to - from)) {
        kdl__uniform_f16_ref(mt, from, to, out, n);
        return;
    }
    const struct range range = range_half(from, to, kdl__f32_to_f16(from), kdl__f32_to_f16(to));
    put_all(mt, UNIFORM_F16, &range, out, n);
}

static void uniform_bf16(kdl__mt *mt, float from, float to, uint16_t *out, size_t n)
{
    if (!scales_f32(from, to - from)) {
        kdl__uniform_bf16_ref(mt, from, to, out, n);
        return;
    }
    const struct range range = range_half(from, to, kdl__f32_to_bf16(from), kdl__f32_to_bf16(to));
    put_all(mt, UNIFORM_BF16, &range, out, n);
}

static void uniform_f64(kdl__mt *mt, double from, double to, double *out, size_t n)
{
    if (!scales_f64(from, to - from)) {
        kdl__uniform_f64_ref(mt, from, to, out, n);
        return;
    }
    const struct range range = { .scale_f64 = doubles_all((to - from) * 0x1p-53),
                                 .from_f64 = doubles_all(from),
                                 .to_f64 = doubles_all(to) };
    if (fma(0x1p53 - 1, (to - from) * 0x1p-53, from) == to)
        put_all(mt, UNIFORM_F64_REPLACED, &range, out, n);
    else
        put_all(mt, UNIFORM_F64, &range, out, n);
}

#endif
