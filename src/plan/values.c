/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a view at one moment, and the ops that write given values. */
#include <string.h>

#include "plan/region.h"

kdl__storage *kdl__storage_new_empty(kdl_context *ctx, kdl_dtype dtype, int64_t numel)
{
    if (ctx->deferred)
        return kdl__storage_new_deferred(ctx, dtype, numel, &kdl__deferred_by_history, NULL);
    return kdl__storage_new(ctx, dtype, numel);
}

void kdl__fail_worker(kdl_context *ctx, const char *place, kdl_status status)
{
    if (status == KDL_ERROR_MEMORY)
        kdl__fail_at(ctx, place, status, "out of memory");
    else
        kdl__fail_at(ctx, place, status, "%s while computing values", kdl_status_name(status));
}

/* ---- snapshots --------------------------------------------------------------------------- */

/* A private copy of the elements of a tensor in memory, as a contiguous region. */
static kdl_status copy_memory(kdl_tensor *tensor, kdl__values *values)
{
    kdl__storage *copy = kdl__storage_new(tensor->ctx, values->dtype, tensor->numel);
    if (!copy)
        return tensor->ctx->status;
    kdl__region_gather(&values->region, kdl_dtype_nbytes(values->dtype), tensor->storage->data, 0,
                       (uint64_t)tensor->numel, copy->data);
    values->storage = copy;
    values->region.offset = 0;
    kdl__shape_strides(values->region.ndim, values->region.sizes, values->region.strides);
    return KDL_OK;
}

kdl_status kdl__values_of(kdl_tensor *tensor, bool copy, kdl__values *values)
{
    kdl__storage *storage = tensor->storage;
    memset(values, 0, sizeof *values);
    if (copy && storage->history &&
        ((kdl__node *)storage->history)->copy_depth >= KDL__MAX_COPY_DEPTH &&
        kdl__storage_materialize(storage))
        return tensor->ctx->status;
    values->dtype = storage->dtype;
    values->storage_numel = storage->numel;
    kdl__region_of(tensor, &values->region);
    if (!storage->data)
        values->node = storage->history ? kdl__node_retain(storage->history) : NULL;
    else if (copy)
        return copy_memory(tensor, values);
    else
        values->storage = kdl__storage_retain(storage);
    return KDL_OK;
}

void kdl__values_free(kdl__values *values)
{
    kdl__values_drop(values);
    kdl__node_release(values->node);
    kdl__storage_release(values->storage);
    memset(values, 0, sizeof *values);
}

/* Computes a strided view of a history as a whole: its ranges would touch everything anyway. */
static kdl_status gather(kdl__values *values, kdl__worker *worker, int64_t low, int64_t high)
{
    size_t size = kdl_dtype_nbytes(values->dtype);
    char *window = kdl__alloc_quiet(worker->ctx, (size_t)(high - low), size);
    values->gathered = kdl__alloc_quiet(worker->ctx, (size_t)values->region.numel, size);
    kdl_status status = window && values->gathered ? KDL_OK : KDL_ERROR_MEMORY;
    if (!status)
        status = kdl__history_range(values->node, values->dtype, worker, low, high, window);
    if (!status) {
        kdl__region in_window = values->region;
        in_window.offset -= low;
        kdl__region_gather(&in_window, size, window, 0, (uint64_t)in_window.numel,
                           values->gathered);
    }
    kdl_free(worker->ctx, window);
    return status;
}

kdl_status kdl__values_prepare(kdl__values *values, kdl__worker *worker)
{
    if (!values->node || values->gathered)
        return KDL_OK;
    int64_t low, high;
    kdl__region_bounds(&values->region, &low, &high);
    kdl_status status = kdl__history_prepare(values->node, low, high, worker);
    if (!status && !kdl__region_is_contiguous(&values->region))
        status = gather(values, worker, low, high);
    return status;
}

void kdl__values_drop(kdl__values *values)
{
    if (!values->node)
        return;
    kdl_free(values->node->ctx, values->gathered);
    values->gathered = NULL;
    kdl__history_drop(values->node);
}

const void *kdl__values_memory(const kdl__values *values, uint64_t first)
{
    if (!values->storage || !kdl__region_is_contiguous(&values->region))
        return NULL;
    return (const char *)values->storage->data +
           ((uint64_t)values->region.offset + first) * kdl_dtype_nbytes(values->dtype);
}

kdl_status kdl__values_range(const kdl__values *values, kdl__worker *worker, uint64_t first,
                             uint64_t count, void *out)
{
    size_t size = kdl_dtype_nbytes(values->dtype);
    int64_t low = values->region.offset + (int64_t)first;
    if (values->storage)
        kdl__region_gather(&values->region, size, values->storage->data, first, count, out);
    else if (values->gathered)
        memcpy(out, (char *)values->gathered + first * size, count * size);
    else if (values->node)
        return kdl__history_range(values->node, values->dtype, worker, low, low + (int64_t)count,
                                  out);
    else
        memset(out, 0, count * size);
    return KDL_OK;
}

/* ---- ops --------------------------------------------------------------------------------- */

static kdl_status constant_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                 uint64_t first, uint64_t count, void *values)
{
    (void)whole, (void)first;
    bool integer = op->class == &kdl__op_constant_integer;
    uint64_t bits = 0;
    const kdl__kernels *kernels = worker->cursor->kernels;
    if (integer)
        kernels->convert(KDL_I64, op->integer, op->dtype, &bits, 1);
    else
        kernels->convert(KDL_F64, op->number, op->dtype, &bits, 1);
    kernels->fill(values, kdl_dtype_nbytes(op->dtype), bits, count);
    return KDL_OK;
}

/* One element of a 16-bit type PyTorch converts from double, and lets it overflow. */
static bool is_one_half(const kdl__op *op)
{
    return op->region.numel == 1 && (op->dtype == KDL_F16 || op->dtype == KDL_BF16);
}

static kdl_status constant_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    return is_one_half(op) ? KDL_OK : kdl__scalar_check(ctx, place, op->dtype, op->number[0]);
}

static kdl_status constant_integer_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (!is_one_half(op))
        return kdl__integer_scalar_check(ctx, place, op->dtype, op->integer[0]);
    op->class = &kdl__op_constant;
    op->number[0] = (double)op->integer[0];
    return KDL_OK;
}

const kdl__op_class kdl__op_constant = {
    .name = "constant",
    .number_names = { "value" },
    .range = constant_range,
    .check = constant_check,
};

const kdl__op_class kdl__op_constant_integer = {
    .name = "constant_integer",
    .integer_names = { "value" },
    .range = constant_range,
    .check = constant_integer_check,
};

static kdl_status copy_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                             uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const kdl__values *source = &op->source;
    if (source->dtype == op->dtype)
        return kdl__values_range(source, worker, first, count, values);
    const kdl__kernels *kernels = worker->cursor->kernels;
    const void *memory = kdl__values_memory(source, first);
    if (memory) {
        kernels->convert(source->dtype, memory, op->dtype, values, count);
        return KDL_OK;
    }
    enum { PIECE = 2048 };
    _Alignas(16) char piece[PIECE * sizeof(double)];
    for (uint64_t done = 0; done < count; done += PIECE) {
        uint64_t n = count - done < PIECE ? count - done : PIECE;
        kdl_status status = kdl__values_range(source, worker, first + done, n, piece);
        if (status)
            return status;
        kernels->convert(source->dtype, piece, op->dtype,
                         (char *)values + done * kdl_dtype_nbytes(op->dtype), n);
    }
    return KDL_OK;
}

const kdl__op_class kdl__op_copy = {
    .name = "copy",
    .flags = KDL__OP_SOURCE,
    .write = KDL__WRITE_COPY,
    .range = copy_range,
};
