/* SPDX-License-Identifier: Apache-2.0 */
/* Generators: a place in a stream, the spare normal, and an engine that usually stands there. */
#include <string.h>
#include "random/stream.h"

kdl_status kdl__generator_restart(kdl_generator *generator, kdl__stream *stream)
{
    kdl__segment *segment = stream ? kdl__segment_first(generator->ctx, stream) : NULL;
    kdl__stream_release(stream);
    if (!segment)
        return generator->ctx->status;
    kdl__generator_enter(generator, segment);
    kdl__spare_free(&generator->spare);
    generator->next_float = 0;
    generator->next_float_valid = false;
    return KDL_OK;
}

static void destroy(kdl_generator *generator)
{
    kdl_context *ctx = generator->ctx;
    kdl__position_free(&generator->at);
    kdl__spare_free(&generator->spare);
    kdl__cursor_free(&generator->cursor);
    kdl__free_aligned(ctx, generator);
}

static kdl_generator *new_generator(kdl_context *ctx, bool is_default)
{
    kdl_generator *generator = kdl__alloc_aligned(ctx, KDL__CACHE_LINE, sizeof *generator);
    if (!generator)
        return NULL;
    memset(generator, 0, sizeof *generator);
    atomic_init(&generator->references, 1);
    generator->ctx = ctx;
    generator->is_default = is_default;
    kdl__cursor_init(&generator->cursor, kdl__kernels_of(ctx));
    if (kdl__generator_restart(generator, kdl__stream_from_seed(ctx, KDL_DEFAULT_SEED))) {
        destroy(generator);
        return NULL;
    }
    return generator;
}

kdl_generator *kdl_generator_new(kdl_context *ctx)
{
    kdl_generator *generator = kdl__failed(ctx) ? NULL : new_generator(ctx, false);
    if (generator)
        kdl_context_retain(ctx);
    return generator;
}

/* The context owns its default generator: references to it are references to the context. */
kdl_generator *kdl_generator_retain(kdl_generator *generator)
{
    if (generator && generator->is_default)
        kdl_context_retain(generator->ctx);
    else if (generator)
        atomic_fetch_add_explicit(&generator->references, 1, memory_order_relaxed);
    return generator;
}

void kdl_generator_release(kdl_generator *generator)
{
    if (!generator)
        return;
    kdl_context *ctx = generator->ctx;
    if (generator->is_default) {
        kdl_context_release(ctx);
    } else if (atomic_fetch_sub_explicit(&generator->references, 1, memory_order_acq_rel) == 1) {
        destroy(generator);
        kdl_context_release(ctx);
    }
}

static void destroy_default(kdl_context *ctx, void *generator)
{
    (void)ctx;
    destroy(generator);
}

kdl_generator *kdl_default_generator(kdl_context *ctx)
{
    kdl_generator *generator = kdl__slot_get(ctx, KDL__SLOT_DEFAULT_GENERATOR);
    if (generator || kdl__failed(ctx))
        return generator;
    generator = new_generator(ctx, true);
    if (generator)
        kdl__slot_set(ctx, KDL__SLOT_DEFAULT_GENERATOR, generator, destroy_default);
    return generator;
}

kdl_generator *kdl__generator_or_default(kdl_context *ctx, kdl_generator *generator)
{
    if (!generator)
        return kdl_default_generator(ctx);
    if (generator->ctx == ctx)
        return generator;
    kdl__fail(ctx, KDL_ERROR_VALUE, "the generator is of another context");
    return NULL;
}

kdl_generator *kdl_generator_clone(kdl_generator *generator)
{
    kdl_generator *clone = generator ? kdl_generator_new(generator->ctx) : NULL;
    if (!clone)
        return NULL;
    kdl__position_free(&clone->at);
    kdl__position_copy(&clone->at, &generator->at);
    kdl__spare_copy(&clone->spare, &generator->spare);
    clone->next_float = generator->next_float;
    clone->next_float_valid = generator->next_float_valid;
    return clone;
}

/* ---- seeds ------------------------------------------------------------------------------- */

kdl_status kdl_generator_manual_seed(kdl_generator *generator, uint64_t seed)
{
    if (!generator)
        return KDL_ERROR_VALUE;
    if (kdl__failed(generator->ctx))
        return generator->ctx->status;
    return kdl__generator_restart(generator, kdl__stream_from_seed(generator->ctx, seed));
}

kdl_status kdl_manual_seed(kdl_context *ctx, uint64_t seed)
{
    kdl_generator *generator = kdl_default_generator(ctx);
    return generator ? kdl_generator_manual_seed(generator, seed) : ctx->status;
}

uint64_t kdl_generator_initial_seed(const kdl_generator *generator)
{
    return generator ? generator->at.segment->stream->seed : 0;
}

/* ---- positions --------------------------------------------------------------------------- */

void kdl__generator_take(kdl_generator *generator, uint64_t draws, kdl__position *from)
{
    kdl__position_copy(from, &generator->at);
    generator->at.offset += draws;
}

void kdl__generator_enter(kdl_generator *generator, kdl__segment *segment)
{
    kdl__position_free(&generator->at);
    generator->at = (kdl__position){ segment, 0 };
}

kdl__cursor *kdl__generator_cursor(kdl_generator *generator)
{
    generator->cursor.kernels = kdl__kernels_of(generator->ctx);
    return &generator->cursor;
}

/* Makes the absolute position known, computing what it depends on. */
static kdl_status resolve(kdl_generator *generator, const char *place)
{
    kdl_context *ctx = generator->ctx;
    if (kdl__failed(ctx))
        return ctx->status;
    kdl_status status =
        kdl__segment_resolve(generator->at.segment, kdl__generator_cursor(generator));
    if (status && !kdl__failed(ctx))
        kdl__fail_at(ctx, place, status, "the generator's position could not be computed");
    return status;
}

kdl__cursor *kdl__generator_engine(kdl_generator *generator, const char *place)
{
    if (!generator || resolve(generator, place))
        return NULL;
    const kdl__position *at = &generator->at;
    kdl__cursor *cursor = kdl__generator_cursor(generator);
    kdl__cursor_move(cursor, at->segment->stream, at->segment->start + at->offset);
    return cursor;
}

int64_t kdl_generator_tell(kdl_generator *generator)
{
    if (!generator || resolve(generator, __func__))
        return -1;
    return (int64_t)(generator->at.segment->start + generator->at.offset);
}

kdl_status kdl_generator_seek(kdl_generator *generator, int64_t position)
{
    if (!generator)
        return KDL_ERROR_VALUE;
    kdl_context *ctx = generator->ctx;
    if (kdl__failed(ctx))
        return ctx->status;
    if (position < 0)
        return kdl__fail(ctx, KDL_ERROR_VALUE, "a position must not be negative, got %lld",
                         (long long)position);
    kdl__segment *segment = kdl__segment_first(ctx, generator->at.segment->stream);
    if (!segment)
        return ctx->status;
    kdl__generator_enter(generator, segment);
    generator->at.offset = (uint64_t)position;
    kdl__spare_free(&generator->spare);
    return KDL_OK;
}

uint32_t kdl_generator_random(kdl_generator *generator)
{
    kdl__cursor *cursor = kdl__generator_engine(generator, __func__);
    if (!cursor)
        return 0;
    generator->at.offset++;
    return kdl__cursor_draw(cursor);
}

uint64_t kdl_generator_random64(kdl_generator *generator)
{
    kdl__cursor *cursor = kdl__generator_engine(generator, __func__);
    if (!cursor)
        return 0;
    generator->at.offset += 2;
    return kdl__cursor_draw64(cursor);
}
