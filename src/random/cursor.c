/* SPDX-License-Identifier: Apache-2.0 */
/* Engines that move about in streams. */
#include <math.h>

#include "random/stream.h"

void kdl__cursor_init(kdl__cursor *cursor, const kdl__kernels *kernels)
{
    cursor->kernels = kernels;
    cursor->stream = NULL;
    cursor->draw = 0;
}

void kdl__cursor_free(kdl__cursor *cursor)
{
    kdl__stream_release(cursor->stream);
    cursor->stream = NULL;
}

void kdl__cursor_move(kdl__cursor *cursor, kdl__stream *stream, uint64_t draw)
{
    if (cursor->stream == stream && cursor->draw == draw)
        return;
    if (cursor->stream != stream) {
        kdl__stream_retain(stream);
        kdl__stream_release(cursor->stream);
        cursor->stream = stream;
        cursor->mt = stream->origin;
        cursor->draw = 0;
    }
    /* Words stay until their block goes, so a few steps back are free. Place 0 of a block does not
     * occur: it is place 624 of the block before. */
    if (draw < cursor->draw && cursor->draw - draw < cursor->mt.next) {
        cursor->mt.next -= (uint32_t)(cursor->draw - draw);
        cursor->draw = draw;
        return;
    }
    if (draw < cursor->draw) {
        cursor->mt = stream->origin;
        cursor->draw = 0;
    }
    kdl__mt_skip(cursor->kernels, &cursor->mt, draw - cursor->draw);
    cursor->draw = draw;
}

uint32_t kdl__cursor_draw(kdl__cursor *cursor)
{
    cursor->draw++;
    return kdl__mt_draw(&cursor->mt);
}

void kdl__cursor_draws(kdl__cursor *cursor, uint32_t *out, size_t n)
{
    cursor->kernels->draws(&cursor->mt, out, n);
    cursor->draw += n;
}

uint64_t kdl__cursor_draw64(kdl__cursor *cursor)
{
    uint64_t high = kdl__cursor_draw(cursor);
    return high << 32 | kdl__cursor_draw(cursor);
}

void kdl__cursor_uniforms(kdl__cursor *cursor, double *out, size_t n)
{
    cursor->kernels->uniform_f64(&cursor->mt, 0.0, 1.0, out, n);
    cursor->draw += 2 * n;
}

double kdl__cursor_uniform(kdl__cursor *cursor)
{
    uint64_t mantissa = kdl__cursor_draw64(cursor) & ((UINT64_C(1) << 53) - 1);
    return (double)mantissa * 0x1p-53;
}

/* at::normal_distribution<double>: Box-Muller with log1p. */
kdl__pair kdl__normal_pair(double u1, double u2)
{
    double radius = sqrt(-2.0 * log1p(-u2));
    double theta = 2.0 * 3.14159265358979323846 * u1;
    return (kdl__pair){ radius * cos(theta), radius * sin(theta) };
}
