/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, segments of them, positions, and spare normals: the bookkeeping. */
#include <math.h>
#include <string.h>

#include "random/stream.h"

static kdl__stream *new_stream(kdl_context *ctx, uint64_t seed, bool imported)
{
    kdl__stream *stream = kdl__alloc_aligned(ctx, KDL__CACHE_LINE, sizeof *stream);
    if (!stream)
        return NULL;
    memset(stream, 0, sizeof *stream);
    atomic_init(&stream->references, 1);
    stream->ctx = ctx;
    stream->seed = seed;
    stream->imported = imported;
    return stream;
}

kdl__stream *kdl__stream_from_seed(kdl_context *ctx, uint64_t seed)
{
    kdl__stream *stream = new_stream(ctx, seed, false);
    if (stream)
        kdl__mt_seed(&stream->origin, (uint32_t)seed);
    return stream;
}

kdl__stream *kdl__stream_from_state(kdl_context *ctx, uint64_t seed, const kdl__mt *origin,
                                    uint64_t next)
{
    kdl__stream *stream = new_stream(ctx, seed, true);
    if (!stream)
        return NULL;
    stream->origin = *origin;
    stream->next = next;
    return stream;
}

kdl__stream *kdl__stream_retain(kdl__stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    return stream;
}

void kdl__stream_release(kdl__stream *stream)
{
    if (stream && atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) == 1)
        kdl__free_aligned(stream->ctx, stream);
}

/* ---- segments ---------------------------------------------------------------------------- */

kdl__segment *kdl__segment_first(kdl_context *ctx, kdl__stream *stream)
{
    kdl__segment *segment = kdl__alloc_zeroed(ctx, 1, sizeof *segment);
    if (!segment)
        return NULL;
    atomic_init(&segment->references, 1);
    segment->stream = kdl__stream_retain(stream);
    segment->resolved = true;
    return segment;
}

kdl__segment *kdl__segment_after(kdl_context *ctx, kdl__stream *stream, void *opener,
                                 kdl_status (*resolve)(void *opener, kdl__cursor *cursor,
                                                       uint64_t *start),
                                 void (*release_opener)(void *opener))
{
    kdl__segment *segment = kdl__segment_first(ctx, stream);
    if (!segment) {
        release_opener(opener);
        return NULL;
    }
    segment->resolved = false;
    segment->opener = opener;
    segment->resolve = resolve;
    segment->release_opener = release_opener;
    return segment;
}

kdl__segment *kdl__segment_retain(kdl__segment *segment)
{
    atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
    return segment;
}

void kdl__segment_release(kdl__segment *segment)
{
    if (!segment || atomic_fetch_sub_explicit(&segment->references, 1, memory_order_acq_rel) != 1)
        return;
    kdl_context *ctx = segment->stream->ctx;
    if (segment->opener)
        segment->release_opener(segment->opener);
    kdl__stream_release(segment->stream);
    kdl_free(ctx, segment);
}

kdl_status kdl__segment_resolve(kdl__segment *segment, kdl__cursor *cursor)
{
    if (segment->resolved)
        return KDL_OK;
    kdl_status status = segment->resolve(segment->opener, cursor, &segment->start);
    segment->resolved = status == KDL_OK;
    return status;
}

/* ---- positions --------------------------------------------------------------------------- */

void kdl__position_copy(kdl__position *to, const kdl__position *from)
{
    to->segment = from->segment ? kdl__segment_retain(from->segment) : NULL;
    to->offset = from->offset;
}

void kdl__position_free(kdl__position *position)
{
    kdl__segment_release(position->segment);
    position->segment = NULL;
}

/* ---- the spare normal -------------------------------------------------------------------- */

void kdl__spare_copy(kdl__spare *to, const kdl__spare *from)
{
    *to = *from;
    kdl__position_copy(&to->origin, &from->origin);
}

void kdl__spare_free(kdl__spare *spare)
{
    kdl__position_free(&spare->origin);
    *spare = (kdl__spare){ 0 };
}

double kdl__spare_value(const kdl__spare *spare, kdl__cursor *cursor)
{
    if (spare->known)
        return spare->value;
    const kdl__segment *segment = spare->origin.segment;
    kdl__cursor_move(cursor, segment->stream, segment->start + spare->origin.offset);
    double u1 = kdl__cursor_uniform(cursor), u2 = kdl__cursor_uniform(cursor);
    return kdl__normal_pair(u1, u2).second;
}
