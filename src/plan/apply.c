/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to an op: it runs at once, or becomes part of its storage's history. */
#include <string.h>

#include "plan/region.h"

/* Takes the op's draws and the spare normal from the generator, and tells where they were. */
static uint64_t take_draws(kdl__op *op, kdl_generator *generator)
{
    const kdl__op_class *class = op->class;
    uint64_t offset = 0;
    if (class->leaves_spare)
        kdl__spare_copy(&op->spare, &generator->spare); /* draws() looks at it */
    uint64_t draws = class->draws(op);
    kdl__generator_take(generator, draws == KDL__DRAWS_UNKNOWN ? 0 : draws, &op->at);
    if (!class->leaves_spare || draws == KDL__DRAWS_UNKNOWN)
        return draws;
    kdl__spare_free(&generator->spare);
    if (class->leaves_spare(op, &offset)) {
        generator->spare.present = true;
        kdl__position_copy(&generator->spare.origin, &op->at);
        generator->spare.origin.offset += offset;
    }
    return draws;
}

/* The same for an op whose draws are known only now that it was prepared. */
static void take_prepared(kdl_generator *generator, const kdl__op *op,
                          const kdl__prepared *prepared)
{
    generator->at.offset += prepared->draws;
    if (op->class->leaves_spare) {
        kdl__spare_free(&generator->spare);
        generator->spare.present = generator->spare.known = prepared->spare_present;
        generator->spare.value = prepared->spare;
    }
}

static kdl_status run_now(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator)
{
    uint64_t draws = generator ? take_draws(op, generator) : 0;
    kdl__storage *storage = tensor->storage;
    kdl__cursor fresh, *cursor = generator ? kdl__generator_cursor(generator) : &fresh;
    if (!generator)
        kdl__cursor_init(&fresh, kdl__kernels_of(tensor->ctx));
    kdl__worker worker = { tensor->ctx, cursor, true };
    kdl__prepared prepared = { 0 };
    if (kdl__region_is_contiguous(&op->region))
        prepared.target =
            (char *)storage->data + (size_t)op->region.offset * kdl_dtype_nbytes(op->dtype);
    kdl_status status = kdl__op_prepare(op, &worker, &prepared);
    if (!status) {
        if (!prepared.in_place)
            status = kdl__op_run_all(op, prepared.whole, &worker, storage->numel, storage->data);
        if (!status && draws == KDL__DRAWS_UNKNOWN)
            take_prepared(generator, op, &prepared);
        kdl__op_drop(op, tensor->ctx, &prepared);
    }
    kdl__op_free(op);
    if (!generator)
        kdl__cursor_free(&fresh);
    return status;
}

/* ---- recording --------------------------------------------------------------------------- */

static void release_node(void *node)
{
    kdl__node_release(node);
}

/* Where the stream goes on behind a node of unknown length: it has to be computed. */
static kdl_status resolve_behind(void *opener, kdl__cursor *cursor, uint64_t *start)
{
    kdl__node *node = opener;
    kdl__worker worker = { node->ctx, cursor, true };
    kdl_status status = kdl__node_prepare(node, &worker);
    if (!status)
        *start = kdl__op_start(&node->op) + node->prepared.draws;
    /* Nobody but the segment knows the node any more: its values were overwritten. */
    if (atomic_load_explicit(&node->references, memory_order_acquire) == 1)
        kdl__node_drop(node);
    return status;
}

static kdl_status enter_segment_behind(kdl_context *ctx, kdl__node *node, kdl_generator *generator)
{
    kdl__segment *segment = kdl__segment_after(
        ctx, node->op.at.segment->stream, kdl__node_retain(node), resolve_behind, release_node);
    if (!segment)
        return ctx->status;
    kdl__generator_enter(generator, segment);
    return KDL_OK;
}

/* An op of unknown length that also leaves a spare normal: the next op cannot do without it. */
static kdl_status prepare_now(kdl__node *node, kdl_generator *generator)
{
    kdl__worker worker = { node->ctx, kdl__generator_cursor(generator), true };
    kdl_status status = kdl__node_prepare(node, &worker);
    if (!status)
        take_prepared(generator, &node->op, &node->prepared);
    return status;
}

kdl__node *kdl__node_record(kdl_context *ctx, kdl__node *previous, int64_t numel, kdl__op *op,
                            kdl_generator *generator, const char *place)
{
    bool overwrites = !(op->class->flags & KDL__OP_READS) && op->region.numel == numel &&
                      kdl__region_is_contiguous(&op->region);
    uint64_t draws = generator ? take_draws(op, generator) : 0;
    kdl__node *node = kdl__node_new(ctx, overwrites ? NULL : previous, op);
    if (!node)
        return NULL;
    kdl_status status = KDL_OK;
    if (draws == KDL__DRAWS_UNKNOWN)
        status = op->class->leaves_spare ? prepare_now(node, generator)
                                         : enter_segment_behind(ctx, node, generator);
    if (!status)
        return node;
    if (!kdl__failed(ctx))
        kdl__fail_worker(ctx, place, status);
    kdl__node_release(node);
    return NULL;
}

static kdl_status record(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator,
                         const char *place)
{
    kdl__storage *storage = tensor->storage;
    kdl__node *node =
        kdl__node_record(tensor->ctx, storage->history, storage->numel, op, generator, place);
    if (!node)
        return tensor->ctx->status;
    kdl__node_release(storage->history);
    storage->history = node;
    return KDL_OK;
}

/* A whole copy between histories of one dtype needs no op: both storages share the history. */
static bool share_history(kdl_tensor *tensor, kdl__op *op)
{
    kdl__storage *storage = tensor->storage;
    kdl__values *source = &op->source;
    if (op->class != &kdl__op_copy || source->storage || source->dtype != op->dtype ||
        source->region.numel != storage->numel || op->region.numel != storage->numel ||
        source->region.offset != 0 || !kdl__region_is_contiguous(&source->region) ||
        !kdl__region_is_contiguous(&op->region) || source->storage_numel != storage->numel)
        return false;
    kdl__node_release(storage->history);
    storage->history = source->node;
    source->node = NULL;
    kdl__op_free(op);
    return true;
}

/* ---- both -------------------------------------------------------------------------------- */

kdl_status kdl__check_written(const kdl_tensor *tensor, const kdl_tensor *source, const char *place)
{
    const char *overlap = NULL;
    if (kdl__tensor_overlaps(tensor))
        overlap = "more than one element of the written-to tensor refers";
    else if (source && kdl__tensors_partly_overlap(tensor, source))
        overlap = "some elements of the input tensor and the written-to tensor refer";
    if (!overlap)
        return KDL_OK;
    return kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                        "unsupported operation: %s to a single memory location. Please clone() the "
                        "tensor before performing the operation.",
                        overlap);
}

static kdl_status check(kdl_tensor *tensor, kdl__op *op, const char *place)
{
    if (op->class->check && op->class->check(op, tensor->ctx, place))
        return tensor->ctx->status;
    bool once = op->class == &kdl__op_constant || op->class == &kdl__op_constant_integer;
    return once ? KDL_OK : kdl__check_written(tensor, NULL, place);
}

/* Checks, then runs or records the op. */
static kdl_status write_values(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator,
                               const char *place)
{
    kdl_context *ctx = tensor->ctx;
    op->dtype = tensor->storage->dtype;
    kdl__region_of(tensor, &op->region);
    if (check(tensor, op, place)) {
        kdl__op_free(op);
        return ctx->status;
    }
    tensor->storage->version++;
    kdl__region_drop_repeats(&op->region);
    if (op->class->flags & KDL__OP_SOURCE)
        kdl__region_sort_both(&op->region, &op->source.region);
    if (op->region.numel == 0) {
        kdl__op_free(op);
        return KDL_OK;
    }
    kdl_status status = KDL_OK;
    if (tensor->storage->data)
        status = run_now(tensor, op, generator);
    else if (!share_history(tensor, op))
        status = record(tensor, op, generator, place);
    if (status && !kdl__failed(ctx))
        kdl__fail_worker(ctx, place, status);
    return status;
}

kdl_status kdl__op_apply(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator,
                         const char *place)
{
    kdl_context *ctx = tensor->ctx;
    kdl__write write = { .tensor = tensor, .kind = op->class->write, .number = op->number[0] };
    if (kdl__failed(ctx) || kdl__write_begin(&write, place)) {
        kdl__op_free(op);
        return ctx->status;
    }
    return kdl__write_end(&write, write_values(tensor, op, generator, place));
}
