/* SPDX-License-Identifier: Apache-2.0 */
/* Any range of a fill: where its draws are, and what becomes of them. */
#include <math.h>
#include <string.h>

#include "random/fill.h"

enum { BLOCK = 16 }; /* values that PyTorch's vectorised normal makes together */

bool kdl__distribution_uses_spare(kdl__distribution distribution)
{
    return distribution == KDL__NORMAL_SERIAL || distribution == KDL__LOG_NORMAL;
}

static uint64_t draws_per_value(const kdl__fill *fill)
{
    return fill->dtype == KDL_F64 ? 2 : 1;
}

/* f32 and f64 draw the last block again when it is not whole; f16 and bf16 draw it only then. */
static uint64_t block_normal_draws(const kdl__fill *fill)
{
    uint64_t tail = fill->numel % BLOCK;
    if (!tail)
        return fill->numel * draws_per_value(fill);
    bool half = fill->dtype == KDL_F16 || fill->dtype == KDL_BF16;
    return (half ? fill->numel - tail + BLOCK : fill->numel + BLOCK) * draws_per_value(fill);
}

/* Pairs that an element-by-element normal computes: a spare at hand gives the first value. */
static uint64_t serial_pairs(const kdl__fill *fill)
{
    uint64_t values = fill->numel - (fill->has_spare && fill->numel > 0);
    return (values + 1) / 2;
}

uint64_t kdl__fill_draws(const kdl__fill *fill)
{
    switch (fill->distribution) {
    case KDL__UNIFORM:
        return fill->numel * draws_per_value(fill);
    case KDL__NORMAL:
        return block_normal_draws(fill);
    case KDL__NORMAL_SERIAL:
    case KDL__LOG_NORMAL:
        return 4 * serial_pairs(fill);
    default:
        return 2 * fill->numel;
    }
}

bool kdl__fill_leaves_spare(const kdl__fill *fill, uint64_t *offset)
{
    uint64_t pairs = serial_pairs(fill);
    uint64_t values = fill->numel - (fill->has_spare && fill->numel > 0);
    *offset = pairs ? 4 * (pairs - 1) : 0;
    return kdl__distribution_uses_spare(fill->distribution) && values % 2 == 1;
}

/* ---- uniform and block normals ----------------------------------------------------------- */

static void run_uniform(const kdl__fill *fill, kdl__cursor *cursor, void *out, size_t n)
{
    const kdl__kernels *kernels = cursor->kernels;
    if (fill->dtype == KDL_F32)
        kernels->uniform_f32(&cursor->mt, (float)fill->a, (float)fill->b, out, n);
    else if (fill->dtype == KDL_F16)
        kernels->uniform_f16(&cursor->mt, (float)fill->a, (float)fill->b, out, n);
    else if (fill->dtype == KDL_BF16)
        kernels->uniform_bf16(&cursor->mt, (float)fill->a, (float)fill->b, out, n);
    else
        kernels->uniform_f64(&cursor->mt, fill->a, fill->b, out, n);
    cursor->draw += n * draws_per_value(fill);
}

/* n is a multiple of BLOCK. */
static void run_normal(const kdl__fill *fill, kdl__cursor *cursor, void *out, size_t n)
{
    const kdl__kernels *kernels = cursor->kernels;
    if (fill->dtype == KDL_F32)
        kernels->normal_f32(&cursor->mt, (float)fill->a, (float)fill->b, out, n);
    else if (fill->dtype == KDL_F16)
        kernels->normal_f16(&cursor->mt, (float)fill->a, (float)fill->b, out, n);
    else if (fill->dtype == KDL_BF16)
        kernels->normal_bf16(&cursor->mt, (float)fill->a, (float)fill->b, out, n);
    else
        kernels->normal_f64(&cursor->mt, fill->a, fill->b, out, n);
    cursor->draw += n * draws_per_value(fill);
}

/* Elements [from, to) of the block whose draws begin at `draw`. */
static void part_of_block(const kdl__fill *fill, kdl__stream *stream, uint64_t draw,
                          kdl__cursor *cursor, uint64_t from, uint64_t to, char *out)
{
    _Alignas(64) char block[BLOCK * sizeof(double)];
    size_t size = kdl_dtype_nbytes(fill->dtype);
    kdl__cursor_move(cursor, stream, draw);
    run_normal(fill, cursor, block, BLOCK);
    memcpy(out, block + from * size, (to - from) * size);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void normal_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                         kdl__cursor *cursor, uint64_t first, uint64_t count, char *out)
{
    size_t size = kdl_dtype_nbytes(fill->dtype);
    uint64_t per_value = draws_per_value(fill), end = first + count, at = first;
    /* With a ragged end the last 16 values come from draws of their own. */
    uint64_t regular = fill->numel % BLOCK ? fill->numel - BLOCK : fill->numel;
    uint64_t regular_end = min_u64(end, regular);
    while (at < regular_end) {
        uint64_t within = at % BLOCK, block_draw = start + (at - within) * per_value;
        uint64_t whole = within ? 0 : (regular_end - at) / BLOCK * BLOCK;
        if (whole) {
            kdl__cursor_move(cursor, stream, block_draw);
            run_normal(fill, cursor, out + (at - first) * size, whole);
            at += whole;
        } else {
            uint64_t to = min_u64(BLOCK, within + (regular_end - at));
            part_of_block(fill, stream, block_draw, cursor, within, to, out + (at - first) * size);
            at += to - within;
        }
    }
    if (at < end)
        part_of_block(fill, stream, start + block_normal_draws(fill) - BLOCK * per_value, cursor,
                      at - regular, end - regular, out + (at - first) * size);
}

/* ---- element by element ------------------------------------------------------------------ */

/* A double in the fill's dtype, as c10 casts it: to f16 and bf16 through float. */
static void store(const kdl__fill *fill, const kdl__cursor *cursor, double value, char *out)
{
    float narrow = (float)value;
    if (fill->dtype == KDL_F16 || fill->dtype == KDL_BF16)
        cursor->kernels->convert(KDL_F32, &narrow, fill->dtype, out, 1);
    else
        cursor->kernels->convert(KDL_F64, &value, fill->dtype, out, 1);
}

static void serial_normal_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                                kdl__cursor *cursor, uint64_t first, uint64_t count, char *out)
{
    size_t size = kdl_dtype_nbytes(fill->dtype);
    kdl__pair pair = { fill->spare, fill->spare };
    uint64_t i = first, end = first + count;
    if (fill->has_spare && i == 0 && i < end)
        store(fill, cursor, fma(fill->spare, fill->b, fill->a), out + size * (i++ - first));
    for (bool have = false; i < end; i++) {
        uint64_t value = i - fill->has_spare;
        if (!have || value % 2 == 0) {
            kdl__cursor_move(cursor, stream, start + value / 2 * 4);
            double u1 = kdl__cursor_uniform(cursor);
            pair = kdl__normal_pair(u1, kdl__cursor_uniform(cursor));
            have = true;
        }
        double normal = value % 2 ? pair.second : pair.first;
        store(fill, cursor, fma(normal, fill->b, fill->a), out + size * (i - first));
    }
}

void kdl__fill_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                     kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    switch (fill->distribution) {
    case KDL__UNIFORM:
        kdl__cursor_move(cursor, stream, start + first * draws_per_value(fill));
        run_uniform(fill, cursor, values, count);
        break;
    case KDL__NORMAL:
        normal_range(fill, stream, start, cursor, first, count, values);
        break;
    default:
        serial_normal_range(fill, stream, start, cursor, first, count, values);
    }
}

kdl_status kdl__fill_check(kdl_context *ctx, const char *place, const kdl__fill *fill)
{
    if (fill->distribution > KDL__NORMAL_SERIAL)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED, "%s is not there yet", place);
    if (!kdl_dtype_is_floating_point(fill->dtype))
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            fill->distribution == KDL__UNIFORM
                                ? "\"check_uniform_bounds\" not implemented for '%s'"
                                : "\"normal_kernel_cpu\" not implemented for '%s'",
                            kdl_dtype_scalar_name(fill->dtype));
    return KDL_OK;
}
