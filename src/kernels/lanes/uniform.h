/* SPDX-License-Identifier: Apache-2.0 */
/* Draws, and Tensor.uniform_ of all floating-point dtypes. */
#ifndef KDL_SRC_KERNELS_LANES_UNIFORM_H
#define KDL_SRC_KERNELS_LANES_UNIFORM_H

#include <math.h>
#include "kernels/lanes/convert.h"
#include "kernels/lanes/twist.h"
#include "kernels/ref/ref.h"

/* What LANES raw words become. */
enum kind { DRAWS, DRAWS_24_BITS, UNIFORM_F32, UNIFORM_F16, UNIFORM_BF16, UNIFORM_F64 };

/* A uniform's arguments, for the dtype that is made. */
struct range {
    floats scale, from, to;
    doubles scale_f64, from_f64, to_f64;
    halves lower, upper, compared;
};

INLINE size_t kind_nbytes(enum kind kind)
{
    return kind == UNIFORM_F64 ? 8 : kind == UNIFORM_F16 || kind == UNIFORM_BF16 ? 2 : 4;
}

INLINE size_t kind_draws(enum kind kind)
{
    return kind == UNIFORM_F64 ? 2 : 1;
}

INLINE void put_words(void *out, words vector, bool stream)
{
    if (stream)
        words_stream(out, vector);
    else
        words_store(out, vector);
}

INLINE void put_halves(void *out, halves vector, bool stream)
{
    if (stream)
        halves_stream(out, vector);
    else
        halves_store(out, vector);
}

INLINE floats affine(const struct range *range, words draws)
{
    return floats_fma(floats_from_words(draws & 0xffffff), range->scale, range->from);
}

INLINE halves replace_upper(const struct range *range, halves values)
{
    halves equal = (halves)((values & range->compared) == range->upper);
    return (equal & range->lower) | (~equal & values);
}

/* Makes LANES / kind_draws(kind) values of the words, and puts them down at `out`. */
INLINE void put(enum kind kind, const struct range *range, words raw, void *out, bool stream)
{
    words draws = temper(raw);
    floats values;
    doubles values_f64;
    switch (kind) {
    case DRAWS:
        put_words(out, draws, stream);
        break;
    case DRAWS_24_BITS:
        put_words(out, draws & 0xffffff, stream);
        break;
    case UNIFORM_F32:
        values = floats_replace(affine(range, draws), range->to, range->from);
        put_words(out, (words)values, stream);
        break;
    case UNIFORM_F16:
        put_halves(out, replace_upper(range, floats_to_f16(affine(range, draws))), stream);
        break;
    case UNIFORM_BF16:
        put_halves(out, replace_upper(range, floats_to_bf16(affine(range, draws))), stream);
        break;
    case UNIFORM_F64:
        values_f64 = doubles_fma(doubles_from_draws(draws), range->scale_f64, range->from_f64);
        values_f64 = doubles_replace(values_f64, range->to_f64, range->from_f64);
        put_words(out, (words)values_f64, stream);
        break;
    }
}

/* n values, wherever the engine stands and the destination lies. */
INLINE void put_some(kdl__mt *mt, enum kind kind, const struct range *range, char *out, size_t n)
{
    const size_t group = LANES / kind_draws(kind), nbytes = group * kind_nbytes(kind);
    for (; n >= group; n -= group, out += nbytes)
        put(kind, range, take(mt, LANES), out, false);
    if (n > 0) {
        char last[4 * LANES];
        put(kind, range, take(mt, (uint32_t)(n * kind_draws(kind))), last, false);
        memcpy(out, last, n * kind_nbytes(kind));
    }
}

/*
 * As many draws as `blocks` blocks have, when fewer than LANES words are left in the present one.
 * Each new vector slides up to those that are left behind it.
 */
INLINE void put_blocks(kdl__mt *mt, enum kind kind, const struct range *range, char *out,
                       size_t blocks, bool stream)
{
    const size_t nbytes = LANES / kind_draws(kind) * kind_nbytes(kind);
    slide by = slide_behind(KDL__MT_WORDS - mt->next);
    words before = words_load(mt->words + KDL__MT_WORDS - LANES);
    for (; blocks > 0; blocks--) {
        for (size_t i = 0; i < VECTORS; i++, out += nbytes) {
            words made = twist_vector(mt->words, i);
            put(kind, range, words_slide(before, made, by), out, stream);
            before = made;
        }
    }
    if (stream)
        stream_end();
}

/*
 * n values. When they are many, the first ones bring the destination to a vector's alignment, the
 * next ones the engine to the end of its block; from there on it goes block by block.
 */
INLINE void put_all(kdl__mt *mt, enum kind kind, const struct range *range, void *out, size_t n)
{
    const size_t size = kind_nbytes(kind), draws = kind_draws(kind);
    const size_t group = LANES / draws, block = KDL__MT_WORDS / draws;
    char *at = out;
    if (n >= 3 * block) {
        size_t first = -(uintptr_t)at % (group * size) / size;
        put_some(mt, kind, range, at, first);
        size_t some = (KDL__MT_WORDS - mt->next) / LANES * group;
        put_some(mt, kind, range, at + first * size, some);
        at += (first + some) * size;
        n -= first + some;
        size_t blocks = n / block;
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
    put_all(mt, UNIFORM_F64, &range, out, n);
}

#endif
