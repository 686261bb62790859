/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a plan as a recipe.
 *
 * Histories form a graph: tensors share them after copies, copies read them, and draws may be
 * counted from the end of an op whose length depends on its data. The graph is walked once, each op
 * behind those that it needs; what is needed from more than one place becomes a named entry of
 * "histories", everything else stands where it is used.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "plan/region.h"
#include "recipe/recipe.h"

/* An op being visited, and which of the ops that it needs comes next. */
typedef struct frame {
    kdl__node *node;
    int next;
} frame;

typedef struct writer {
    kdl_context *ctx;
    kdl_plan *plan;
    kdl__stream *stream;   /* the plan's own */
    kdl__stream **streams; /* others */
    size_t stream_count, stream_capacity;
    frame *stack;
    size_t depth, stack_capacity;
    /*
     * Every op once, those that it needs before it. Its mark counts the places that need it; once
     * it is written as a history, the mark is minus the history's number.
     */
    kdl__node **order;
    size_t count, order_capacity;
    int histories; /* written so far */
} writer;

/* ---- the graph ------------------------------------------------------------------------------ */

static kdl__node *opener(const kdl__position *position)
{
    return position->segment ? position->segment->opener : NULL;
}

/* One more place needs `node`. Being counted from is like two: it takes a name. */
static bool visit(writer *w, kdl__node *node, int places)
{
    if (!node)
        return true;
    node->mark += places;
    if (node->mark > places)
        return true;
    if (!kdl__grow(w->ctx, (void **)&w->stack, &w->stack_capacity, w->depth + 1,
                   sizeof *w->stack)) {
        node->mark = 0;
        return false;
    }
    w->stack[w->depth++] = (frame){ node, 0 };
    return true;
}

/* Visits the next thing that the op on top of the stack needs; puts it into the order at last. */
static bool step(writer *w)
{
    frame *top = &w->stack[w->depth - 1];
    kdl__node *node = top->node;
    switch (top->next++) {
    case 0:
        return visit(w, node->previous, 1);
    case 1:
        return visit(w, node->op.source.node, 1);
    case 2:
        return visit(w, opener(&node->op.at), 2);
    case 3:
        return visit(w, opener(&node->op.spare.origin), 2);
    default:
        if (!kdl__grow(w->ctx, (void **)&w->order, &w->order_capacity, w->count + 1,
                       sizeof *w->order))
            return false;
        w->order[w->count++] = node;
        w->depth--;
        return true;
    }
}

static bool walk(writer *w, kdl__node *node, int places)
{
    bool ok = visit(w, node, places);
    while (ok && w->depth)
        ok = step(w);
    return ok;
}

static bool walk_plan(writer *w)
{
    for (size_t i = 0; i < w->plan->count; i++) {
        const kdl__plan_entry *entry = &w->plan->entries[i];
        if (entry->view.tied_to < 0 && !walk(w, entry->values.node, 1))
            return false;
    }
    return walk(w, opener(&w->plan->end), 2);
}

static void clear_marks(writer *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->order[i]->mark = 0;
    for (size_t i = 0; i < w->depth; i++)
        w->stack[i].node->mark = 0;
}

/* ---- streams and positions ------------------------------------------------------------------ */

static bool same_stream(const kdl__stream *a, const kdl__stream *b)
{
    return a == b || (a && b && !a->imported && !b->imported && a->seed == b->seed);
}

/* The number of a stream that is not the plan's own, from 1; 0 on failure. */
static size_t stream_number(writer *w, kdl__stream *stream)
{
    for (size_t i = 0; i < w->stream_count; i++)
        if (same_stream(w->streams[i], stream))
            return i + 1;
    if (!kdl__grow(w->ctx, (void **)&w->streams, &w->stream_capacity, w->stream_count + 1,
                   sizeof *w->streams))
        return 0;
    w->streams[w->stream_count] = stream;
    return ++w->stream_count;
}

/* "draw": 7, with what it is counted from where that is not the beginning of the plan's stream. */
static void add_position(writer *w, kdl__text *json, const kdl__position *position)
{
    const kdl__node *node = opener(position);
    if (node)
        kdl__text_printf(json, "\"behind\": \"%d\", ", -node->mark);
    else if (!same_stream(position->segment->stream, w->stream))
        kdl__text_printf(json, "\"stream\": \"%zu\", ",
                         stream_number(w, position->segment->stream));
    kdl__text_printf(json, "\"draw\": %llu", (unsigned long long)position->offset);
}

/* "seed": 42, or the state's bytes where the stream began from one. */
static void add_stream(writer *w, kdl__text *json, kdl__stream *stream)
{
    if (!stream->imported) {
        const char *quote = stream->seed > INT64_MAX ? "\"" : ""; /* JSON parsers stop at 2^63 */
        kdl__text_printf(json, "\"seed\": %s%llu%s", quote, (unsigned long long)stream->seed,
                         quote);
        return;
    }
    uint8_t state[KDL_GENERATOR_STATE_NBYTES];
    kdl_generator *generator = kdl_generator_new(w->ctx);
    if (generator && !kdl__generator_restart(generator, kdl__stream_retain(stream)) &&
        !kdl_generator_get_state(generator, state)) {
        kdl__text_puts(json, "\"state\": ");
        kdl__json_add_base64(json, state, sizeof state);
    }
    kdl_generator_release(generator);
}

/* ---- ops ------------------------------------------------------------------------------------ */

static void add_sizes(kdl__text *json, const char *key, int count, const int64_t *sizes)
{
    kdl__text_printf(json, "\"%s\": [", key);
    for (int i = 0; i < count; i++)
        kdl__text_printf(json, "%s%lld", i ? ", " : "", (long long)sizes[i]);
    kdl__text_puts(json, "]");
}

static bool same_sizes(const kdl__region *a, const kdl__region *b)
{
    return a->ndim == b->ndim &&
           memcmp(a->sizes, b->sizes, (size_t)a->ndim * sizeof *a->sizes) == 0;
}

/* What tells the op's elements from all those of the storage. */
static void add_region(kdl__text *json, const kdl__region *region, const kdl__region *whole)
{
    if (region->offset)
        kdl__text_printf(json, ", \"offset\": %lld", (long long)region->offset);
    if (!same_sizes(region, whole)) {
        kdl__text_puts(json, ", ");
        add_sizes(json, "shape", region->ndim, region->sizes);
    }
    if (!kdl__region_is_contiguous(region)) {
        kdl__text_puts(json, ", ");
        add_sizes(json, "strides", region->ndim, region->strides);
    }
}

static void add_arguments(kdl__text *json, const kdl__op *op)
{
    for (int i = 0; i < KDL__OP_NUMBERS && op->class->number_names[i]; i++) {
        kdl__text_printf(json, ", \"%s\": ", op->class->number_names[i]);
        kdl__json_add_number(json, op->number[i]);
    }
    for (int i = 0; i < KDL__OP_INTEGERS && op->class->integer_names[i]; i++)
        kdl__text_printf(json, ", \"%s\": %lld", op->class->integer_names[i],
                         (long long)op->integer[i]);
}

static void add_draws(writer *w, kdl__text *json, const kdl__op *op)
{
    if (!op->at.segment)
        return;
    uint64_t draws = op->class->draws(op);
    kdl__text_puts(json, ", ");
    add_position(w, json, &op->at);
    if (draws != KDL__DRAWS_UNKNOWN)
        kdl__text_printf(json, ", \"draws\": %llu", (unsigned long long)draws);
    if (!op->spare.present)
        return;
    kdl__text_puts(json, ", \"spare\": {");
    if (op->spare.known) {
        kdl__text_puts(json, "\"value\": ");
        kdl__json_add_number(json, op->spare.value);
    } else {
        add_position(w, json, &op->spare.origin);
    }
    kdl__text_puts(json, "}");
}

static void add_values(writer *w, kdl__text *json, const kdl__values *values, int ndim,
                       const int64_t *sizes);

/* `whole`: all elements of the op's storage. */
static void add_op(writer *w, kdl__text *json, const kdl__op *op, const kdl__region *whole)
{
    if (kdl__recipe_class(op->class->name) != op->class)
        kdl__fail_at(w->ctx, "kdl_plan_to_json", KDL_ERROR_NOT_IMPLEMENTED,
                     "the operation '%s' cannot be written in a recipe", op->class->name);
    kdl__text_printf(json, "{\"op\": \"%s\"", op->class->name);
    add_arguments(json, op);
    add_region(json, &op->region, whole);
    add_draws(w, json, op);
    if (op->class->flags & (KDL__OP_SOURCE | KDL__OP_FREE_SOURCE)) {
        const kdl__region *view = &op->source.region;
        kdl__text_puts(json, ", \"source\": {");
        add_values(w, json, &op->source, view->ndim, view->sizes);
        kdl__text_puts(json, "}");
    }
    kdl__text_puts(json, "}");
}

static bool is_named(const kdl__node *node)
{
    return node->mark < 0 || node->mark > 1;
}

/* The ops that end in `head`, oldest first, from the last history on that has a name. */
static void add_ops(writer *w, kdl__text *json, kdl__node *head, const kdl__region *whole)
{
    size_t count = 0;
    kdl__node *base = head;
    while (base && base->mark >= 0) {
        count++;
        base = base->previous;
        if (base && is_named(base))
            break;
    }
    kdl__node **ops = kdl__alloc(w->ctx, count, sizeof *ops);
    if (!ops)
        return;
    for (size_t i = count; i > 0; head = head->previous)
        ops[--i] = head;
    if (base)
        kdl__text_printf(json, ", \"from\": \"%d\"", -base->mark);
    for (size_t i = 0; i < count; i++) {
        kdl__text_puts(json, i ? ", " : ", \"ops\": [");
        add_op(w, json, &ops[i]->op, whole);
    }
    kdl__text_puts(json, count ? "]" : "");
    kdl_free(w->ctx, ops);
}

/* The elements of values in memory, row-major. */
static void add_data(writer *w, kdl__text *json, const kdl__values *values)
{
    size_t size = kdl_dtype_nbytes(values->dtype), numel = (size_t)values->region.numel;
    void *data = kdl__alloc(w->ctx, numel, size);
    if (!data)
        return;
    if (numel)
        kdl__region_gather(&values->region, size, values->storage->data, 0, numel, data);
    kdl__text_puts(json, ", \"data\": ");
    kdl__json_add_base64(json, data, numel * size);
    kdl_free(w->ctx, data);
}

/* The members that describe values: of a tensor, or of what a copy reads. */
static void add_values(writer *w, kdl__text *json, const kdl__values *values, int ndim,
                       const int64_t *sizes)
{
    const kdl__region *region = &values->region;
    kdl__region whole;
    kdl__text_printf(json, "\"dtype\": \"%s\", ", kdl_dtype_name(values->dtype));
    add_sizes(json, "shape", ndim, sizes);
    if (values->storage) {
        add_data(w, json, values);
        return;
    }
    if (!values->node)
        return;
    kdl__recipe_plain_region(&whole, ndim, sizes, region->numel);
    if (region->numel != values->storage_numel || !kdl__region_is_contiguous(region)) {
        kdl__text_printf(json, ", \"view\": {\"numel\": %lld", (long long)values->storage_numel);
        if (region->offset)
            kdl__text_printf(json, ", \"offset\": %lld", (long long)region->offset);
        if (!kdl__region_is_contiguous(region)) {
            kdl__text_puts(json, ", ");
            add_sizes(json, "strides", ndim, region->strides);
        }
        kdl__text_puts(json, "}");
        kdl__recipe_plain_region(&whole, 1, &values->storage_numel, values->storage_numel);
    }
    add_ops(w, json, values->node, &whole);
}

/* ---- histories ------------------------------------------------------------------------------ */

/* How many elements the storage of a history has at least. */
static int64_t numel_behind(const kdl__node *head)
{
    int64_t numel = 0;
    for (const kdl__node *node = head; node; node = node->previous) {
        const kdl__region *region = &node->op.region;
        int64_t end = region->offset + 1;
        for (int d = 0; d < region->ndim; d++)
            end += (region->sizes[d] - 1) * region->strides[d];
        numel = end > numel ? end : numel;
    }
    return numel;
}

static void add_history(writer *w, kdl__text *json, kdl__node *head)
{
    int64_t numel = numel_behind(head);
    const kdl__region *last = &head->op.region;
    kdl__region whole;
    if (last->numel == numel && kdl__region_is_contiguous(last))
        kdl__recipe_plain_region(&whole, last->ndim, last->sizes, numel);
    else
        kdl__recipe_plain_region(&whole, 1, &numel, numel);
    kdl__text_printf(json, "%s\n    {\"id\": \"%d\", \"dtype\": \"%s\", ", w->histories ? "," : "",
                     w->histories + 1, kdl_dtype_name(head->op.dtype));
    add_sizes(json, "shape", whole.ndim, whole.sizes);
    add_ops(w, json, head, &whole);
    kdl__text_puts(json, "}");
    head->mark = -++w->histories;
}

static void add_histories(writer *w, kdl__text *json)
{
    for (size_t i = 0; i < w->count && !kdl__failed(w->ctx); i++)
        if (is_named(w->order[i]))
            add_history(w, json, w->order[i]);
}

static void add_tensors(writer *w, kdl__text *json)
{
    for (size_t i = 0; i < w->plan->count && !kdl__failed(w->ctx); i++) {
        const kdl__plan_entry *entry = &w->plan->entries[i];
        const kdl_plan_tensor *tensor = &entry->view;
        kdl__text_puts(json, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
        kdl__json_add_string(json, tensor->name);
        kdl__text_puts(json, ", ");
        if (tensor->tied_to >= 0) {
            kdl__text_puts(json, "\"same_as\": ");
            kdl__json_add_string(json, w->plan->entries[tensor->tied_to].view.name);
        } else {
            add_values(w, json, &entry->values, tensor->shape.ndim, tensor->shape.sizes);
        }
        kdl__text_puts(json, "}");
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_attributes(writer *w, kdl__text *json)
{
    for (size_t i = 0; i < w->plan->attribute_count; i++) {
        kdl__text_puts(json, i ? ",\n    " : ",\n  \"attributes\": {\n    ");
        kdl__json_add_string(json, w->plan->attributes[i].key);
        kdl__text_puts(json, ": ");
        kdl__json_add_string(json, w->plan->attributes[i].value);
    }
    kdl__text_puts(json, w->plan->attribute_count ? "\n  }" : "");
}

/* All but the tensors and histories, which come first as they find out which streams there are. */
static void add_head(writer *w, kdl__text *json)
{
    kdl__text_printf(json, "{\n  \"kindling_recipe\": %d,\n  \"profile\": \"%s\"",
                     KDL__RECIPE_VERSION, kdl_profile());
    if (w->stream) {
        kdl__text_puts(json, ",\n  ");
        add_stream(w, json, w->stream);
    }
    for (size_t i = 0; i < w->stream_count; i++) {
        kdl__text_puts(json, i ? ",\n    " : ",\n  \"streams\": {\n    ");
        kdl__text_printf(json, "\"%zu\": {", i + 1);
        add_stream(w, json, w->streams[i]);
        kdl__text_puts(json, "}");
    }
    kdl__text_puts(json, w->stream_count ? "\n  }" : "");
    add_attributes(w, json);
    kdl__text_puts(json, w->plan->end.segment ? ",\n  \"end\": {" : ",\n  \"end\": null");
    if (w->plan->end.segment) {
        add_position(w, json, &w->plan->end);
        kdl__text_puts(json, "}");
    }
}

static char *write_recipe(writer *w)
{
    kdl__text json, histories, tensors;
    kdl__text_init(&json, w->ctx);
    kdl__text_init(&histories, w->ctx);
    kdl__text_init(&tensors, w->ctx);
    add_histories(w, &histories);
    add_tensors(w, &tensors);
    add_head(w, &json);
    if (histories.length) {
        kdl__text_puts(&json, ",\n  \"histories\": [");
        kdl__text_add(&json, histories.data, histories.length);
        kdl__text_puts(&json, "\n  ]");
    }
    kdl__text_puts(&json, ",\n  \"tensors\": [");
    if (tensors.length)
        kdl__text_add(&json, tensors.data, tensors.length);
    kdl__text_puts(&json, "\n  ]\n}\n");
    kdl__text_free(&histories);
    kdl__text_free(&tensors);
    if (!kdl__failed(w->ctx))
        return kdl__text_take(&json);
    kdl__text_free(&json);
    return NULL;
}

/* Names and attributes become JSON as they are. */
static kdl_status check_texts(const kdl_plan *plan)
{
    const char *bad = NULL;
    for (size_t i = 0; i < plan->count && !bad; i++)
        if (!kdl__is_utf8(plan->entries[i].view.name, strlen(plan->entries[i].view.name)))
            bad = plan->entries[i].view.name;
    for (size_t i = 0; i < plan->attribute_count && !bad; i++) {
        const kdl__plan_attribute *a = &plan->attributes[i];
        if (!kdl__is_utf8(a->key, strlen(a->key)))
            bad = a->key;
        else if (!kdl__is_utf8(a->value, strlen(a->value)))
            bad = a->value;
    }
    return bad ? kdl__fail_at(plan->ctx, "kdl_plan_to_json", KDL_ERROR_VALUE, "'%s' is not UTF-8",
                              bad)
               : KDL_OK;
}

char *kdl_plan_to_json(kdl_plan *plan)
{
    if (!plan || kdl__failed(plan->ctx) || check_texts(plan))
        return NULL;
    writer w = { .ctx = plan->ctx, .plan = plan, .stream = kdl__plan_stream(plan) };
    char *json = walk_plan(&w) ? write_recipe(&w) : NULL;
    clear_marks(&w);
    kdl_free(w.ctx, w.streams);
    kdl_free(w.ctx, w.stack);
    kdl_free(w.ctx, w.order);
    return json;
}
