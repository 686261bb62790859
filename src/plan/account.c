/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan holds: the ops behind each tensor, and how many draws survive. */
#include <stdio.h>
#include <string.h>

#include "plan/plan_impl.h"

/* "0, 0.02": integral numbers without their ".0". */
static void add_arguments(kdl__text *text, const kdl__op *op)
{
    for (int i = 0; i < KDL__OP_NUMBERS && op->class->number_names[i]; i++) {
        kdl__text_puts(text, i ? ", " : "");
        kdl__text_repr(text, op->number[i]);
        if (text->length > 2 && strcmp(text->data + text->length - 2, ".0") == 0)
            text->length -= 2;
    }
    for (int i = 0; i < KDL__OP_INTEGERS && op->class->integer_names[i]; i++)
        kdl__text_printf(text, "%s%lld", text->length ? ", " : "", (long long)op->integer[i]);
}

/* The op's draws, from its class or, where they depend on data, from what was computed. */
static int64_t node_draws(const kdl__node *node)
{
    uint64_t draws = node->op.class->draws ? node->op.class->draws(&node->op) : 0;
    if (draws != KDL__DRAWS_UNKNOWN)
        return (int64_t)draws;
    return node->is_prepared ? (int64_t)node->prepared.draws : -1;
}

static int64_t absolute_draw(const kdl__position *at)
{
    return at->segment && at->segment->resolved ? (int64_t)(at->segment->start + at->offset) : -1;
}

int kdl_plan_op_count(const kdl_plan *plan, int index)
{
    if (index < 0 || (size_t)index >= plan->count)
        return 0;
    int count = 0;
    for (const kdl__node *node = plan->entries[index].values.node; node; node = node->previous)
        count++;
    return count;
}

kdl_status kdl_plan_get_op(kdl_plan *plan, int index, int op, kdl_plan_op *out)
{
    if (!plan || kdl__failed(plan->ctx))
        return plan ? plan->ctx->status : KDL_ERROR_VALUE;
    int count = kdl_plan_op_count(plan, index);
    if (op < 0 || op >= count)
        return kdl__fail(plan->ctx, KDL_ERROR_INDEX, "op %d of a tensor with %d", op, count);
    const kdl__node *node = plan->entries[index].values.node;
    for (int i = count - 1; i > op; i--)
        node = node->previous;
    out->name = node->op.class->name;
    kdl__text arguments;
    kdl__text_init(&arguments, plan->ctx);
    add_arguments(&arguments, &node->op);
    snprintf(out->arguments, sizeof out->arguments, "%.*s", (int)arguments.length,
             arguments.data ? arguments.data : "");
    kdl__text_free(&arguments);
    out->draws = node_draws(node);
    out->draw = absolute_draw(&node->op.at);
    return plan->ctx->status;
}

kdl__stream *kdl__plan_stream(const kdl_plan *plan)
{
    if (plan->end.segment)
        return plan->end.segment->stream;
    for (size_t i = 0; i < plan->count; i++)
        for (const kdl__node *node = plan->entries[i].values.node; node; node = node->previous)
            if (node->op.at.segment)
                return node->op.at.segment->stream;
    return NULL;
}

bool kdl_plan_seed(const kdl_plan *plan, uint64_t *seed)
{
    const kdl__stream *stream = plan ? kdl__plan_stream(plan) : NULL;
    if (!stream || stream->imported)
        return false;
    *seed = stream->seed;
    return true;
}

/* ---- costs ------------------------------------------------------------------------------- */

/* A set of nodes: many tensors may share one. */
typedef struct node_set {
    kdl_context *ctx;
    const kdl__node **slots;
    size_t capacity, count;
} node_set;

static size_t slot_of(const node_set *set, const kdl__node *node)
{
    size_t at = (size_t)(((uintptr_t)node >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    for (at &= set->capacity - 1; set->slots[at] && set->slots[at] != node;)
        at = (at + 1) & (set->capacity - 1);
    return at;
}

/* False when the node was there already, or on failure. */
static bool insert_node(node_set *set, const kdl__node *node)
{
    if ((set->count + 1) * 2 > set->capacity) {
        node_set bigger = { set->ctx, NULL, set->capacity ? set->capacity * 2 : 256, 0 };
        bigger.slots = kdl__alloc_zeroed(set->ctx, bigger.capacity, sizeof *bigger.slots);
        if (!bigger.slots)
            return false;
        for (size_t i = 0; i < set->capacity; i++)
            if (set->slots[i])
                bigger.slots[slot_of(&bigger, set->slots[i])] = set->slots[i];
        bigger.count = set->count;
        kdl_free(set->ctx, set->slots);
        *set = bigger;
    }
    size_t at = slot_of(set, node);
    if (set->slots[at])
        return false;
    set->slots[at] = node;
    set->count++;
    return true;
}

/* Adds up the draws of a history and of what it copies from; each node counts once. */
static void add_live_draws(node_set *set, const kdl__node *head, int64_t *draws)
{
    for (const kdl__node *node = head; node && insert_node(set, node); node = node->previous) {
        int64_t own = node_draws(node);
        *draws = own < 0 || *draws < 0 ? -1 : *draws + own;
        add_live_draws(set, node->op.source.node, draws);
    }
}

kdl_status kdl_plan_get_cost(kdl_plan *plan, kdl_plan_cost *cost)
{
    if (!plan || kdl__failed(plan->ctx))
        return plan ? plan->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = plan->ctx;
    *cost = (kdl_plan_cost){ 0 };
    node_set set = { .ctx = ctx };
    for (size_t i = 0; i < plan->count; i++) {
        const kdl__plan_entry *entry = &plan->entries[i];
        if (entry->view.tied_to < 0) {
            cost->numel += entry->view.numel;
            cost->nbytes += entry->view.numel * (int64_t)kdl_dtype_nbytes(entry->view.dtype);
        }
        add_live_draws(&set, entry->values.node, &cost->live_draws);
    }
    kdl_free(ctx, set.slots);
    cost->draws = absolute_draw(&plan->end);
    return ctx->status;
}
