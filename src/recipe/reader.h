/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the recipe's reader share. */
#ifndef KDL_SRC_RECIPE_READER_H
#define KDL_SRC_RECIPE_READER_H

#include "recipe/fields.h"
#include "recipe/recipe.h"

/* A stream besides the recipe's own: its name (borrowed) and its beginning. */
typedef struct kdl__named_stream {
    const char *name;
    kdl__segment *first;
} kdl__named_stream;

/* An entry of "histories". */
typedef struct kdl__named_history {
    kdl__node *node;
    int64_t numel;        /* of the storage, at least */
    kdl__segment *behind; /* where draws go on behind its last op, if that is not known before */
} kdl__named_history;

typedef struct kdl__recipe_reader {
    kdl_context *ctx;
    kdl_plan *plan;
    bool seed_replaced;
    kdl__segment *first; /* the beginning of the recipe's own stream, or NULL */
    /* Stands behind the op that was read last. */
    kdl_generator *generator;
    kdl__named_stream *streams;
    size_t stream_count;
    kdl__named_history *histories;
    size_t history_count;
    json_t *history_index; /* their numbers by id */
} kdl__recipe_reader;

/* The history `id`, or NULL with the error. */
kdl__named_history *kdl__recipe_history(kdl__recipe_reader *r, const kdl__path *at, const char *id);
/* "draw", counted from what "behind" or "stream" say. The position is the caller's. */
bool kdl__recipe_position(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                          kdl__position *position);
/*
 * The members of a tensor, a history or a copy's source that say what its values are; `label` is
 * the one more that it has ("name", "id") or NULL. `shape` gets the view's sizes. The values are
 * the caller's.
 */
bool kdl__recipe_values(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                        const char *label, kdl__values *values, kdl_shape *shape);

#endif
