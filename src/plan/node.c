/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories: chains of ops. A node never changes once it is made (but for what was prepared), so
 * that copies and snapshots share it; writing a storage puts a new node in front.
 */
#include <string.h>

#include "plan/op.h"

void kdl__op_free(kdl__op *op)
{
    kdl__position_free(&op->at);
    kdl__spare_free(&op->spare);
    kdl__values_free(&op->source);
}

kdl__node *kdl__node_new(kdl_context *ctx, kdl__node *previous, kdl__op *op)
{
    kdl__node *node = kdl__alloc_zeroed(ctx, 1, sizeof *node);
    if (!node) {
        kdl__op_free(op);
        return NULL;
    }
    atomic_init(&node->references, 1);
    node->ctx = ctx;
    node->previous = previous ? kdl__node_retain(previous) : NULL;
    node->op = *op;
    node->copy_depth = previous ? previous->copy_depth : 0;
    const kdl__node *source = op->source.node;
    if (source && source->copy_depth >= node->copy_depth)
        node->copy_depth = source->copy_depth + 1;
    return node;
}

kdl__node *kdl__node_retain(kdl__node *node)
{
    atomic_fetch_add_explicit(&node->references, 1, memory_order_relaxed);
    return node;
}

void kdl__op_drop(kdl__op *op, kdl_context *ctx, kdl__prepared *prepared)
{
    kdl_free(ctx, prepared->whole);
    *prepared = (kdl__prepared){ 0 };
    kdl__values_drop(&op->source);
}

void kdl__node_drop(kdl__node *node)
{
    if (node->is_prepared)
        kdl__op_drop(&node->op, node->ctx, &node->prepared);
    node->is_prepared = false;
}

/*
 * Freeing a node may release others: the one below, those that it copies from, and those that
 * opened the segments of its draws. They wait in a list for the outermost call, so that histories
 * of any length are freed without recursion.
 */
static _Thread_local kdl__node *dead;
static _Thread_local bool burying;

static void bury(kdl__node *node)
{
    kdl__node_drop(node);
    kdl__op_free(&node->op);
    kdl__node_release(node->previous);
    kdl_free(node->ctx, node);
}

void kdl__node_release(kdl__node *node)
{
    if (!node || atomic_fetch_sub_explicit(&node->references, 1, memory_order_acq_rel) != 1)
        return;
    node->next_dead = dead;
    dead = node;
    if (burying)
        return;
    burying = true;
    while (dead) {
        node = dead;
        dead = node->next_dead;
        bury(node);
    }
    burying = false;
}

/* The segment that the opener of `segment` itself starts in. */
static kdl__segment *segment_before(const kdl__segment *segment)
{
    return ((const kdl__node *)segment->opener)->op.at.segment;
}

/*
 * Resolves the segment of a position, and first those that lie before it: in order, so that a long
 * row of data-dependent ops does not become a deep recursion.
 */
static kdl_status resolve_position(const kdl__position *position, kdl__cursor *cursor)
{
    kdl__segment *segment = position->segment, *behind = NULL;
    kdl_status status = KDL_OK;
    for (; segment && !segment->resolved; segment = segment_before(segment)) {
        segment->behind = behind;
        behind = segment;
    }
    for (segment = behind; segment && !status; segment = segment->behind)
        status = kdl__segment_resolve(segment, cursor);
    return status;
}

kdl_status kdl__op_prepare(kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    kdl_status status = resolve_position(&op->at, worker->cursor);
    if (!status && op->spare.present && !op->spare.known)
        status = resolve_position(&op->spare.origin, worker->cursor);
    if (!status)
        status = kdl__values_prepare(&op->source, worker);
    if (!status && op->class->prepare)
        status = op->class->prepare(op, worker, prepared);
    if (status)
        kdl__op_drop(op, worker->ctx, prepared);
    return status;
}

kdl_status kdl__node_prepare(kdl__node *node, kdl__worker *worker)
{
    if (node->is_prepared)
        return KDL_OK;
    kdl_status status = kdl__op_prepare(&node->op, worker, &node->prepared);
    node->is_prepared = !status;
    return status;
}

/* Whether nothing before the node shows in the storage's elements [low, high). */
static bool covers(const kdl__node *node, int64_t low, int64_t high)
{
    const kdl__region *region = &node->op.region;
    return !(node->op.class->flags & KDL__OP_READS) && kdl__region_is_contiguous(region) &&
           region->offset <= low && region->offset + region->numel >= high;
}

/*
 * How many nodes make up [low, high), from the newest on, and whether they leave nothing as it was.
 */
static size_t count_nodes(kdl__node *head, int64_t low, int64_t high, bool *covered)
{
    size_t count = 0;
    *covered = false;
    for (kdl__node *node = head; node && !*covered; node = node->previous) {
        *covered = covers(node, low, high);
        count++;
    }
    return count;
}

kdl_status kdl__history_prepare(kdl__node *head, int64_t low, int64_t high, kdl__worker *worker)
{
    kdl_status status = KDL_OK;
    for (kdl__node *node = head; node && !status; node = node->previous) {
        status = kdl__node_prepare(node, worker);
        if (covers(node, low, high))
            break;
    }
    return status;
}

void kdl__history_drop(kdl__node *head)
{
    for (kdl__node *node = head; node; node = node->previous)
        kdl__node_drop(node);
}

kdl_status kdl__history_range(kdl__node *head, kdl_dtype dtype, kdl__worker *worker, int64_t low,
                              int64_t high, void *out)
{
    kdl__node *few[16], **nodes = few;
    bool covered;
    size_t count = count_nodes(head, low, high, &covered);
    if (count > sizeof few / sizeof *few) {
        nodes = kdl__alloc_quiet(worker->ctx, count, sizeof *nodes);
        if (!nodes)
            return KDL_ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++, head = head->previous)
        nodes[i] = head;
    if (!covered)
        memset(out, 0, (size_t)(high - low) * kdl_dtype_nbytes(dtype));
    kdl_status status = KDL_OK;
    for (size_t i = count; i-- > 0 && !status;)
        status = kdl__op_run(&nodes[i]->op, nodes[i]->prepared.whole, worker, low, high, out);
    if (nodes != few)
        kdl_free(worker->ctx, nodes);
    return status;
}
