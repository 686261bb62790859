/* SPDX-License-Identifier: Apache-2.0 */
/* The distributions that are computed element by element. */
#include "random/distributions.h"

#include <math.h>

enum { CHUNK = 256 }; /* elements computed at a time; even, so that pairs stay whole */

static const double pi = 3.14159265358979323846;

/* From this range on random_ takes 64-bit draws. */
#define WIDE_RANGE (UINT64_C(1) << 28)

uint64_t kdl__dtype_range(kdl_dtype dtype)
{
    static const uint64_t ranges[KDL_DTYPE_COUNT] = {
        [KDL_F32] = (UINT64_C(1) << 24) + 1,
        [KDL_F64] = (UINT64_C(1) << 53) + 1,
        [KDL_F16] = (UINT64_C(1) << 11) + 1,
        [KDL_BF16] = (UINT64_C(1) << 8) + 1,
        [KDL_I64] = UINT64_C(1) << 63,
        [KDL_I32] = UINT64_C(1) << 31,
        [KDL_U8] = 256,
        [KDL_BOOL] = 2,
    };
    return ranges[dtype];
}

unsigned kdl__draws_per_element(const kdl__fill *fill)
{
    switch (fill->distribution) {
    case KDL__UNIFORM:
        return fill->dtype == KDL_F64 ? 2 : 1;
    case KDL__RANDOM:
        return fill->range == 0 || fill->range >= WIDE_RANGE ? 2 : 1;
    case KDL__RANDOM_DTYPE:
        return fill->dtype == KDL_F64 || fill->dtype == KDL_I64 ? 2 : 1;
    default:
        return 2;
    }
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Rounds n doubles to the fill's dtype and returns where the next ones go. */
static void *store_doubles(const kdl__fill *fill, const kdl__cursor *cursor, const double *in,
                           void *values, size_t n)
{
    cursor->kernels->convert(KDL_F64, in, fill->dtype, values, n);
    return (char *)values + n * kdl_dtype_nbytes(fill->dtype);
}

/*
 * PyTorch turns the double into uint8 by way of int32 (a plain conversion goes by way of int64), so
 * that what int32 cannot hold ends as the low byte of INT32_MIN.
 */
static double geometric(double u, double p, kdl_dtype dtype)
{
    double value = ceil(log(u) / log1p(-p));
    return dtype == KDL_U8 && value >= 0x1p31 ? 0.0 : value;
}

static void transform(const kdl__fill *fill, double *u, size_t n)
{
    const double a = fill->a, b = fill->b;
    switch (fill->distribution) {
    case KDL__EXPONENTIAL:
        for (size_t i = 0; i < n; i++)
            u[i] = -1.0 / a * log1p(-u[i]);
        break;
    case KDL__CAUCHY:
        for (size_t i = 0; i < n; i++)
            u[i] = fma(b, tan(pi * (u[i] - 0.5)), a);
        break;
    case KDL__GEOMETRIC:
        for (size_t i = 0; i < n; i++)
            u[i] = geometric(u[i], a, fill->dtype);
        break;
    default: /* KDL__BERNOULLI */
        for (size_t i = 0; i < n; i++)
            u[i] = u[i] < a ? 1.0 : 0.0;
        break;
    }
}

void kdl__continuous_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                           kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    double chunk[CHUNK];
    kdl__cursor_move(cursor, stream, start + 2 * first);
    for (uint64_t n; count > 0; count -= n) {
        n = smaller(count, CHUNK);
        kdl__cursor_uniforms(cursor, chunk, n);
        transform(fill, chunk, n);
        values = store_doubles(fill, cursor, chunk, values, n);
    }
}

void kdl__integer_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                        kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    uint32_t draws[2 * CHUNK];
    int64_t chunk[CHUNK];
    const unsigned width = kdl__draws_per_element(fill);
    const bool whole_dtype = fill->distribution == KDL__RANDOM_DTYPE;
    const uint64_t low = whole_dtype ? 0 : (uint64_t)fill->low;
    const uint64_t range = whole_dtype ? kdl__dtype_range(fill->dtype) : fill->range;
    kdl__cursor_move(cursor, stream, start + width * first);
    for (uint64_t n; count > 0; count -= n) {
        n = smaller(count, CHUNK);
        cursor->kernels->draws(&cursor->mt, draws, width * n);
        cursor->draw += width * n;
        for (size_t i = 0; i < n; i++) {
            uint64_t draw = width == 2 ? (uint64_t)draws[2 * i] << 32 | draws[2 * i + 1] : draws[i];
            chunk[i] = (int64_t)(low + (range ? draw % range : draw));
        }
        cursor->kernels->convert(KDL_I64, chunk, fill->dtype, values, n);
        values = (char *)values + n * kdl_dtype_nbytes(fill->dtype);
    }
}

/* Standard normals to the fill's mean, standard deviation and dtype. */
static void *store_normals(const kdl__fill *fill, const kdl__cursor *cursor, double *in,
                           void *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double value = fma(in[i], fill->b, fill->a);
        in[i] = fill->distribution == KDL__LOG_NORMAL ? exp(value) : value;
    }
    return store_doubles(fill, cursor, in, values, n);
}

void kdl__paired_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                       kdl__cursor *cursor, uint64_t first, uint64_t count, void *values)
{
    double chunk[CHUNK];
    if (fill->has_spare && count > 0) {
        if (first == 0) {
            chunk[0] = fill->spare;
            values = store_normals(fill, cursor, chunk, values, 1);
            count--;
        } else {
            first--;
        }
    }
    if (count == 0)
        return;
    kdl__cursor_move(cursor, stream, start + 4 * (first / 2));
    size_t skip = first % 2; /* the first pair's first value is not asked for */
    for (uint64_t n; count > 0; count -= n, skip = 0) {
        n = smaller(count, CHUNK - skip);
        size_t drawn = (skip + n + 1) / 2 * 2;
        kdl__cursor_uniforms(cursor, chunk, drawn);
        for (size_t i = 0; i < drawn; i += 2) {
            kdl__pair pair = kdl__normal_pair(chunk[i], chunk[i + 1]);
            chunk[i] = pair.first;
            chunk[i + 1] = pair.second;
        }
        values = store_normals(fill, cursor, chunk + skip, values, n);
    }
}
