/* SPDX-License-Identifier: Apache-2.0 */
/* Fills: how many draws they take, and any range of their elements. */
#include "random/fill.h"

#include <string.h>
#include "random/distributions.h"

enum { BLOCK = 16 }; /* normals that Box-Muller makes at a time */

bool kdl__distribution_uses_spare(kdl__distribution distribution)
{
    return distribution == KDL__NORMAL_SERIAL || distribution == KDL__LOG_NORMAL;
}

static bool is_half(kdl_dtype dtype)
{
    return dtype == KDL_F16 || dtype == KDL_BF16;
}

/* Draws of one uniform, and so of one normal of a block. */
static unsigned uniform_width(const kdl__fill *fill)
{
    return fill->dtype == KDL_F64 ? 2 : 1;
}

/*
 * Where the draws of the last block begin when numel is no multiple of 16. In f32 and f64 PyTorch
 * has drawn a uniform for every element by then; the 16-bit types go block by block.
 */
static uint64_t tail_start(const kdl__fill *fill)
{
    uint64_t drawn = is_half(fill->dtype) ? fill->numel - fill->numel % BLOCK : fill->numel;
    return drawn * uniform_width(fill);
}

/* Elements that serial normals draw: all but the one that a spare gives. */
static uint64_t drawn_serially(const kdl__fill *fill)
{
    return fill->numel - (fill->has_spare && fill->numel > 0);
}

uint64_t kdl__fill_draws(const kdl__fill *fill)
{
    if (kdl__distribution_uses_spare(fill->distribution)) {
        uint64_t drawn = drawn_serially(fill);
        return 4 * (drawn / 2 + drawn % 2);
    }
    if (fill->distribution != KDL__NORMAL)
        return fill->numel * kdl__draws_per_element(fill);
    if (fill->numel % BLOCK == 0)
        return fill->numel * uniform_width(fill);
    return tail_start(fill) + BLOCK * uniform_width(fill);
}

bool kdl__fill_leaves_spare(const kdl__fill *fill, uint64_t *offset)
{
    if (!kdl__distribution_uses_spare(fill->distribution))
        return false;
    uint64_t drawn = drawn_serially(fill);
    *offset = 4 * (drawn / 2);
    return drawn % 2 == 1;
}

static void uniform_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                          kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    const kdl__kernels *kernels = cursor->kernels;
    const float from = (float)fill->a, to = (float)fill->b;
    kdl__cursor_move(cursor, stream, start + first * uniform_width(fill));
    switch (fill->dtype) {
    case KDL_F32:
        kernels->uniform_f32(&cursor->mt, from, to, values, count);
        break;
    case KDL_F16:
        kernels->uniform_f16(&cursor->mt, from, to, values, count);
        break;
    case KDL_BF16:
        kernels->uniform_bf16(&cursor->mt, from, to, values, count);
        break;
    default:
        kernels->uniform_f64(&cursor->mt, fill->a, fill->b, values, count);
        break;
    }
    cursor->draw += count * uniform_width(fill);
}

/* `count` normals, whole blocks, of the draws that follow. */
static void normal_blocks(const kdl__fill *fill, kdl__cursor *cursor, void *values, uint64_t count)
{
    const kdl__kernels *kernels = cursor->kernels;
    const float mean = (float)fill->a, std = (float)fill->b;
    switch (fill->dtype) {
    case KDL_F32:
        kernels->normal_f32(&cursor->mt, mean, std, values, count);
        break;
    case KDL_F16:
        kernels->normal_f16(&cursor->mt, mean, std, values, count);
        break;
    case KDL_BF16:
        kernels->normal_bf16(&cursor->mt, mean, std, values, count);
        break;
    default:
        kernels->normal_f64(&cursor->mt, fill->a, fill->b, values, count);
        break;
    }
    cursor->draw += count * uniform_width(fill);
}

/*
 * Elements [skip, skip + count) of the blocks that begin at `start`. Blocks of which only a part is
 * wanted are made aside. Returns where the next values go.
 */
static char *blocks_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                          kdl__cursor *cursor, uint64_t skip, uint64_t count, char *values)
{
    _Alignas(8) char aside[BLOCK * sizeof(double)];
    const size_t nbytes = kdl_dtype_nbytes(fill->dtype);
    if (count == 0)
        return values;
    kdl__cursor_move(cursor, stream, start + (skip - skip % BLOCK) * uniform_width(fill));
    skip %= BLOCK;
    for (uint64_t n; count > 0; count -= n, values += n * nbytes, skip = 0) {
        if (skip == 0 && count >= BLOCK) {
            n = count - count % BLOCK;
            normal_blocks(fill, cursor, values, n);
        } else {
            n = BLOCK - skip < count ? BLOCK - skip : count;
            normal_blocks(fill, cursor, aside, BLOCK);
            memcpy(values, aside + skip * nbytes, n * nbytes);
        }
    }
    return values;
}

static void normal_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                         kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    /* When the last block is drawn again, it overwrites what lies at and behind numel - 16. */
    const uint64_t tail = fill->numel % BLOCK ? fill->numel - BLOCK : fill->numel;
    const uint64_t before = first >= tail ? 0 : (count < tail - first ? count : tail - first);
    char *rest = blocks_range(fill, stream, start, cursor, first, before, values);
    if (before < count)
        blocks_range(fill, stream, start + tail_start(fill), cursor, first + before - tail,
                     count - before, rest);
}

void kdl__fill_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                     kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    if (count == 0)
        return;
    switch (fill->distribution) {
    case KDL__UNIFORM:
        uniform_range(fill, stream, start, cursor, first, count, values);
        break;
    case KDL__NORMAL:
        normal_range(fill, stream, start, cursor, first, count, values);
        break;
    case KDL__NORMAL_SERIAL:
    case KDL__LOG_NORMAL:
        kdl__paired_range(fill, stream, start, cursor, first, count, values);
        break;
    case KDL__RANDOM:
    case KDL__RANDOM_DTYPE:
        kdl__integer_range(fill, stream, start, cursor, first, count, values);
        break;
    default:
        kdl__continuous_range(fill, stream, start, cursor, first, count, values);
        break;
    }
}
