/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a recipe: its streams, its histories, its tensors. */
#include <string.h>

#include "recipe/reader.h"

static const char place[] = "kdl_plan_from_json";

/* ---- streams -------------------------------------------------------------------------------- */

/* The beginning of the stream that "seed" or "state" describe. */
static kdl__segment *read_stream(kdl__recipe_reader *r, const kdl__path *at, const json_t *object)
{
    uint64_t seed;
    void *state = NULL;
    size_t nbytes;
    kdl__segment *first = NULL;
    bool has_state = json_object_get(object, "state") != NULL;
    if (has_state && json_object_get(object, "seed")) {
        kdl__field_fail(r->ctx, at, "a stream has either a 'seed' or a 'state'");
        return NULL;
    }
    if (has_state ? !kdl__field_bytes(r->ctx, at, object, "state", &state, &nbytes)
                  : !kdl__field_seed(r->ctx, at, object, "seed", &seed))
        return NULL;
    kdl_generator *generator = kdl_generator_new(r->ctx);
    if (generator && !(has_state ? kdl_generator_set_state(generator, state, nbytes)
                                 : kdl_generator_manual_seed(generator, seed)))
        first = kdl__segment_retain(generator->at.segment);
    kdl_generator_release(generator);
    kdl_free(r->ctx, state);
    if (!first && has_state && kdl_error_status(r->ctx) == KDL_ERROR_RUNTIME) {
        kdl_error_clear(r->ctx);
        kdl__field_fail(r->ctx, at, "'state' is no state of a generator");
    }
    return first;
}

/* The recipe's own stream, where it has one; a new seed goes before what the recipe says. */
static bool read_own_stream(kdl__recipe_reader *r, const json_t *root, const uint64_t *seed)
{
    r->generator = kdl_generator_new(r->ctx);
    if (!r->generator)
        return false;
    if (seed) {
        if (kdl_generator_manual_seed(r->generator, *seed))
            return false;
        r->first = kdl__segment_retain(r->generator->at.segment);
    } else if (json_object_get(root, "seed") || json_object_get(root, "state")) {
        r->first = read_stream(r, NULL, root);
        if (!r->first)
            return false;
        kdl__generator_enter(r->generator, kdl__segment_retain(r->first));
    }
    return true;
}

static bool read_streams(kdl__recipe_reader *r, const json_t *root)
{
    static const char *const known[] = { "seed", "state" };
    const kdl__path at = { NULL, "streams", 0 };
    json_t *streams = json_object_get(root, "streams"), *stream;
    const char *name;
    if (!streams)
        return true;
    if (!json_is_object(streams))
        return kdl__field_fail(r->ctx, &at, "this must be an object");
    if (r->seed_replaced && json_object_size(streams)) {
        kdl__fail_at(r->ctx, place, KDL_ERROR_VALUE,
                     "the recipe has streams besides its own: a new seed would replace only that");
        return false;
    }
    r->streams = kdl__alloc(r->ctx, json_object_size(streams), sizeof *r->streams);
    if (!r->streams)
        return false;
    json_object_foreach(streams, name, stream)
    {
        const kdl__path below = { &at, name, 0 };
        if (!kdl__field_object(r->ctx, &below, stream, known, sizeof known / sizeof *known))
            return false;
        kdl__segment *first = read_stream(r, &below, stream);
        if (!first)
            return false;
        r->streams[r->stream_count++] = (kdl__named_stream){ name, first };
    }
    return true;
}

/* What positions are counted from; borrowed. */
static kdl__segment *read_segment(kdl__recipe_reader *r, const kdl__path *at, const json_t *object)
{
    const char *id, *name;
    if (json_object_get(object, "behind")) {
        if (json_object_get(object, "stream")) {
            kdl__field_fail(r->ctx, at, "draws are counted from one 'behind' or one 'stream'");
            return NULL;
        }
        if (!kdl__field_string(r->ctx, at, object, "behind", &id))
            return NULL;
        const kdl__named_history *history = kdl__recipe_history(r, at, id);
        if (history && !history->behind)
            kdl__field_fail(r->ctx, at, "the end of history '%s' is known: give the draw itself",
                            id);
        return history ? history->behind : NULL;
    }
    if (!json_object_get(object, "stream")) {
        if (!r->first)
            kdl__field_fail(r->ctx, at, "there is no seed to draw from");
        return r->first;
    }
    if (!kdl__field_string(r->ctx, at, object, "stream", &name))
        return NULL;
    for (size_t i = 0; i < r->stream_count; i++)
        if (strcmp(r->streams[i].name, name) == 0)
            return r->streams[i].first;
    kdl__field_fail(r->ctx, at, "there is no stream '%s'", name);
    return NULL;
}

bool kdl__recipe_position(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                          kdl__position *position)
{
    int64_t draw;
    kdl__segment *segment = read_segment(r, at, object);
    if (!segment || !kdl__field_count(r->ctx, at, object, "draw", &draw))
        return false;
    *position = (kdl__position){ kdl__segment_retain(segment), (uint64_t)draw };
    return true;
}

/* ---- histories ------------------------------------------------------------------------------ */

kdl__named_history *kdl__recipe_history(kdl__recipe_reader *r, const kdl__path *at, const char *id)
{
    const json_t *index = json_object_get(r->history_index, id);
    if (index)
        return &r->histories[json_integer_value(index)];
    kdl__field_fail(r->ctx, at, "there is no history '%s' before this", id);
    return NULL;
}

static bool read_history(kdl__recipe_reader *r, const kdl__path *at, const json_t *object)
{
    const char *id;
    kdl__values values;
    kdl_shape shape;
    if (!kdl__recipe_values(r, at, object, "id", &values, &shape))
        return false;
    kdl__node *node = values.node ? kdl__node_retain(values.node) : NULL;
    int64_t numel = values.storage_numel;
    kdl__values_free(&values);
    if (!node)
        return kdl__field_fail(r->ctx, at, "a history has ops");
    kdl__named_history *history = &r->histories[r->history_count++];
    *history = (kdl__named_history){ node, numel, NULL };
    const kdl__op *op = &node->op;
    bool is_open = op->class->draws && op->class->draws(op) == KDL__DRAWS_UNKNOWN;
    if (is_open && !op->class->leaves_spare && r->generator->at.segment->opener == node)
        history->behind = kdl__segment_retain(r->generator->at.segment);
    if (!kdl__field_string(r->ctx, at, object, "id", &id))
        return false;
    if (json_object_get(r->history_index, id))
        return kdl__field_fail(r->ctx, at, "the id '%s' is taken", id);
    if (json_object_set_new(r->history_index, id, json_integer((json_int_t)r->history_count - 1)))
        kdl__fail_memory(r->ctx);
    return !kdl__failed(r->ctx);
}

static bool read_histories(kdl__recipe_reader *r, const json_t *root)
{
    const kdl__path at = { NULL, "histories", 0 };
    const json_t *list = json_object_get(root, "histories");
    size_t count = json_array_size(list);
    if (list && !json_is_array(list))
        return kdl__field_fail(r->ctx, &at, "this must be a list");
    r->histories = kdl__alloc(r->ctx, count, sizeof *r->histories);
    r->history_index = json_object();
    if (!r->history_index)
        kdl__fail_memory(r->ctx);
    for (size_t i = 0; i < count && !kdl__failed(r->ctx); i++) {
        const kdl__path below = { &at, NULL, i };
        if (!read_history(r, &below, json_array_get(list, i)))
            return false;
    }
    return !kdl__failed(r->ctx);
}

/* ---- tensors -------------------------------------------------------------------------------- */

/* "same_as": the elements of an earlier tensor under another name. */
static bool read_tie(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                     const char *name)
{
    static const char *const known[] = { "name", "same_as" };
    const char *other;
    if (!kdl__field_object(r->ctx, at, object, known, sizeof known / sizeof *known) ||
        !kdl__field_string(r->ctx, at, object, "same_as", &other))
        return false;
    int index = kdl_plan_find(r->plan, other);
    if (index < 0)
        return kdl__field_fail(r->ctx, at, "there is no tensor '%s' before this", other);
    const kdl__plan_entry *entry = &r->plan->entries[index];
    const kdl_shape shape = entry->view.shape;
    kdl__values values = entry->values;
    values.gathered = NULL;
    if (values.node)
        kdl__node_retain(values.node);
    if (values.storage)
        kdl__storage_retain(values.storage);
    return !kdl__plan_append(r->plan, name, &shape, &values, entry->storage, place);
}

static bool read_tensor(kdl__recipe_reader *r, const kdl__path *at, const json_t *object)
{
    const char *name;
    kdl__values values;
    kdl_shape shape;
    if (!json_is_object(object))
        return kdl__field_fail(r->ctx, at, "this must be an object");
    if (!kdl__field_string(r->ctx, at, object, "name", &name))
        return false;
    if (kdl_plan_find(r->plan, name) >= 0)
        return kdl__field_fail(r->ctx, at, "the name '%s' is taken", name);
    if (json_object_get(object, "same_as"))
        return read_tie(r, at, object, name);
    return kdl__recipe_values(r, at, object, "name", &values, &shape) &&
           !kdl__plan_append(r->plan, name, &shape, &values, -1, place);
}

static bool read_tensors(kdl__recipe_reader *r, const json_t *root)
{
    const kdl__path at = { NULL, "tensors", 0 };
    const json_t *list = json_object_get(root, "tensors");
    size_t count = json_array_size(list);
    if (!json_is_array(list))
        return kdl__field_fail(r->ctx, &at, "this must be there, and a list");
    for (size_t i = 0; i < count; i++) {
        const kdl__path below = { &at, NULL, i };
        if (!read_tensor(r, &below, json_array_get(list, i)))
            return false;
    }
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool read_version(kdl__recipe_reader *r, const json_t *root)
{
    int64_t version;
    const char *profile;
    if (!json_is_object(root))
        return kdl__field_fail(r->ctx, NULL, "the text must be one object");
    if (!kdl__field_integer(r->ctx, NULL, root, "kindling_recipe", &version))
        return false;
    if (version != KDL__RECIPE_VERSION)
        return kdl__field_fail(r->ctx, NULL, "version %lld is not known, only %d is",
                               (long long)version, KDL__RECIPE_VERSION);
    if (!kdl__field_string(r->ctx, NULL, root, "profile", &profile))
        return false;
    return strcmp(profile, kdl_profile()) == 0 ||
           kdl__field_fail(r->ctx, NULL, "the profile '%s' is not known, only '%s' is", profile,
                           kdl_profile());
}

static bool read_attributes(kdl__recipe_reader *r, const json_t *root)
{
    const kdl__path at = { NULL, "attributes", 0 };
    json_t *attributes = json_object_get(root, "attributes"), *value;
    const char *key;
    if (attributes && !json_is_object(attributes))
        return kdl__field_fail(r->ctx, &at, "this must be an object");
    json_object_foreach(attributes, key, value)
    {
        if (!json_is_string(value))
            return kdl__field_fail(r->ctx, &at, "'%s' must be a string", key);
        if (kdl_plan_set_attribute(r->plan, key, json_string_value(value)))
            return false;
    }
    return true;
}

/*
 * "end": where the generator stands at last, or null when that is not known; unless it is told,
 * behind the op that was read last.
 */
static bool read_end(kdl__recipe_reader *r, const json_t *root)
{
    static const char *const known[] = { "draw", "behind", "stream" };
    const kdl__path at = { NULL, "end", 0 };
    const json_t *end = json_object_get(root, "end");
    if (json_is_null(end))
        return true;
    if (end)
        return kdl__field_object(r->ctx, &at, end, known, sizeof known / sizeof *known) &&
               kdl__recipe_position(r, &at, end, &r->plan->end);
    return !r->first || !kdl_plan_set_end(r->plan, r->generator);
}

static bool read_recipe(kdl__recipe_reader *r, const json_t *root, const uint64_t *seed)
{
    static const char *const known[] = { "kindling_recipe", "profile",   "seed",
                                         "state",           "streams",   "end",
                                         "attributes",      "histories", "tensors" };
    return read_version(r, root) &&
           kdl__field_object(r->ctx, NULL, root, known, sizeof known / sizeof *known) &&
           read_attributes(r, root) && read_own_stream(r, root, seed) && read_streams(r, root) &&
           read_histories(r, root) && read_tensors(r, root) && read_end(r, root);
}

static void free_reader(kdl__recipe_reader *r)
{
    for (size_t i = 0; i < r->stream_count; i++)
        kdl__segment_release(r->streams[i].first);
    for (size_t i = 0; i < r->history_count; i++) {
        kdl__node_release(r->histories[i].node);
        kdl__segment_release(r->histories[i].behind);
    }
    kdl__segment_release(r->first);
    kdl_generator_release(r->generator);
    kdl_free(r->ctx, r->streams);
    kdl_free(r->ctx, r->histories);
    json_decref(r->history_index);
}

kdl_plan *kdl_plan_from_json(kdl_context *ctx, const char *text, size_t nbytes,
                             const uint64_t *seed)
{
    kdl__recipe_reader r = { .ctx = ctx, .seed_replaced = seed != NULL };
    json_error_t error;
    if (kdl__failed(ctx))
        return NULL;
    json_t *root = json_loadb(text, nbytes, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        kdl__fail(ctx, KDL_ERROR_FORMAT, "recipe: line %d, column %d: %s", error.line, error.column,
                  error.text);
        return NULL;
    }
    r.plan = kdl_plan_new(ctx);
    bool ok = r.plan && read_recipe(&r, root, seed);
    free_reader(&r);
    json_decref(root);
    if (ok)
        return r.plan;
    kdl_plan_release(r.plan);
    return NULL;
}
