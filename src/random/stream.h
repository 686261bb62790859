/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random: streams and positions in them, generators, and the distributions, each of which can be
 * computed for any range of its elements.
 *
 * A stream is an immutable origin: a seed or an imported state. A position in it is counted in
 * 32-bit draws. After an operation whose number of draws depends on its data the absolute position
 * is not known until that operation has run; positions behind it are therefore counted from a new
 * segment, whose start is found when it is needed.
 */
#ifndef KDL_SRC_RANDOM_STREAM_H
#define KDL_SRC_RANDOM_STREAM_H

#include "kernels/kernels.h"
#include "kindling/random.h"
#include "tensor/tensor_impl.h"

typedef struct kdl__stream {
    kdl__mt origin; /* the engine at position 0 */
    uint64_t next;  /* and PyTorch's counter there, which is 0 or 624 when a block is used up */
    atomic_long references;
    kdl_context *ctx; /* borrowed: whatever holds the stream holds the context */
    uint64_t seed;    /* what initial_seed() tells */
    bool imported;    /* from a state's bytes rather than from `seed` */
} kdl__stream;

kdl__stream *kdl__stream_from_seed(kdl_context *ctx, uint64_t seed);
kdl__stream *kdl__stream_from_state(kdl_context *ctx, uint64_t seed, const kdl__mt *origin,
                                    uint64_t next);
kdl__stream *kdl__stream_retain(kdl__stream *stream);
void kdl__stream_release(kdl__stream *stream);

/*
 * An engine that stands somewhere in a stream. Each thread has its own; moving to where it
 * already stands costs nothing, so that consecutive fills run on.
 */
typedef struct kdl__cursor {
    const kdl__kernels *kernels;
    kdl__stream *stream; /* retained; NULL: nowhere yet */
    uint64_t draw;       /* absolute, in draws */
    kdl__mt mt;
} kdl__cursor;

void kdl__cursor_init(kdl__cursor *cursor, const kdl__kernels *kernels);
void kdl__cursor_free(kdl__cursor *cursor);
/* Moves to `draw` draws after the stream's origin, by stepping or jumping. */
void kdl__cursor_move(kdl__cursor *cursor, kdl__stream *stream, uint64_t draw);

/* The next draw, the next two as 64 bits, and those as a uniform double on [0, 1). */
uint32_t kdl__cursor_draw(kdl__cursor *cursor);
/* n such draws. */
void kdl__cursor_draws(kdl__cursor *cursor, uint32_t *out, size_t n);
uint64_t kdl__cursor_draw64(kdl__cursor *cursor);
double kdl__cursor_uniform(kdl__cursor *cursor);
/* n such uniform doubles. */
void kdl__cursor_uniforms(kdl__cursor *cursor, double *out, size_t n);

/* Two standard normals from two uniforms; PyTorch hands out the first and keeps the second. */
typedef struct kdl__pair {
    double first, second;
} kdl__pair;
kdl__pair kdl__normal_pair(double u1, double u2);

/*
 * A run of positions in a stream that starts at a known draw, or behind an operation (`opener`)
 * that must run first. `start` is valid once `resolved`. Resolving is for one thread.
 */
typedef struct kdl__segment {
    atomic_long references;
    kdl__stream *stream; /* retained */
    bool resolved;
    uint64_t start;
    void *opener; /* owned; NULL for a stream's first segment */
    kdl_status (*resolve)(void *opener, kdl__cursor *cursor, uint64_t *start);
    void (*release_opener)(void *opener);
    struct kdl__segment *behind; /* scratch, while a row of segments is being resolved */
} kdl__segment;

/* The segment at a stream's beginning (the stream is retained). */
kdl__segment *kdl__segment_first(kdl_context *ctx, kdl__stream *stream);
/* The segment behind `opener`, which it owns from now on (even on failure). */
kdl__segment *kdl__segment_after(kdl_context *ctx, kdl__stream *stream, void *opener,
                                 kdl_status (*resolve)(void *opener, kdl__cursor *cursor,
                                                       uint64_t *start),
                                 void (*release_opener)(void *opener));
kdl__segment *kdl__segment_retain(kdl__segment *segment);
void kdl__segment_release(kdl__segment *segment);
/*
 * Finds `start` if it is not known, computing with `cursor`; records nothing, returns the opener's
 * status.
 */
kdl_status kdl__segment_resolve(kdl__segment *segment, kdl__cursor *cursor);

/* A position: `offset` draws into a segment. The holder owns a reference to the segment. */
typedef struct kdl__position {
    kdl__segment *segment;
    uint64_t offset;
} kdl__position;

/*
 * The second value of a Box-Muller pair in double, kept for the next element-by-element normal.
 * Either its value is known, or it is to be computed from the four draws at `origin`.
 */
typedef struct kdl__spare {
    bool present;
    bool known;
    double value;
    kdl__position origin; /* owned when present && !known */
} kdl__spare;

struct kdl_generator {
    atomic_long references;
    kdl_context *ctx; /* retained, except by the context's default generator */
    bool is_default;
    kdl__position at; /* the next draw */
    kdl__spare spare;
    float next_float; /* of a state's bytes: kept, never used */
    bool next_float_valid;
    kdl__cursor cursor; /* see kdl__generator_cursor() */
};

/* The generator to use: `generator`, or the context's default one. NULL on failure. */
KDL__SHARED kdl_generator *kdl__generator_or_default(kdl_context *ctx, kdl_generator *generator);
/* Goes to the beginning of `stream` (taken over; NULL: an error stands), without a spare normal. */
kdl_status kdl__generator_restart(kdl_generator *generator, kdl__stream *stream);
/* Its cursor, wherever that stands, computing with the context's present kernels. */
kdl__cursor *kdl__generator_cursor(kdl_generator *generator);
/* Its engine, moved to where the generator is, computing what that depends on; NULL on failure. */
kdl__cursor *kdl__generator_engine(kdl_generator *generator, const char *place);
/* Takes the next `draws` draws: *from (owned by the caller) is where they begin. */
void kdl__generator_take(kdl_generator *generator, uint64_t draws, kdl__position *from);
/* Continues behind an operation of unknown length, at the beginning of `segment` (owned). */
void kdl__generator_enter(kdl_generator *generator, kdl__segment *segment);

void kdl__position_copy(kdl__position *to, const kdl__position *from);
void kdl__position_free(kdl__position *position);
void kdl__spare_copy(kdl__spare *to, const kdl__spare *from);
void kdl__spare_free(kdl__spare *spare);
/* Its value, computed with `cursor` if it is not known (its segment must be resolved). */
double kdl__spare_value(const kdl__spare *spare, kdl__cursor *cursor);

#endif
