/* SPDX-License-Identifier: Apache-2.0 */
/* Ops whose values are a function, in double, of all that they read. */
#include <string.h>

#include "init/whole.h"

/* All elements of the source, as doubles; NULL and *status on failure. */
static double *read_source(const kdl__op *op, kdl__worker *worker, kdl_status *status)
{
    const kdl__values *source = &op->source;
    uint64_t numel = (uint64_t)source->region.numel;
    void *values = kdl__alloc_quiet(worker->ctx, numel, kdl_dtype_nbytes(source->dtype));
    double *wide = kdl__alloc_quiet(worker->ctx, numel, sizeof *wide);
    *status = values && wide ? KDL_OK : KDL_ERROR_MEMORY;
    if (!*status)
        *status = kdl__values_range(source, worker, 0, numel, values);
    if (!*status)
        worker->cursor->kernels->convert(source->dtype, values, KDL_F64, wide, numel);
    kdl_free(worker->ctx, values);
    if (!*status)
        return wide;
    kdl_free(worker->ctx, wide);
    return NULL;
}

kdl_status kdl__whole_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared,
                              kdl__whole_function *function)
{
    kdl_status status;
    uint64_t numel = (uint64_t)op->region.numel;
    double *in = read_source(op, worker, &status);
    double *out = in ? kdl__alloc_quiet(worker->ctx, numel, sizeof *out) : NULL;
    if (in && out) {
        memset(out, 0, numel * sizeof *out);
        prepared->whole = kdl__alloc_quiet(worker->ctx, numel, kdl_dtype_nbytes(op->dtype));
    }
    if (!status)
        status = prepared->whole ? function(op, worker, in, out) : KDL_ERROR_MEMORY;
    if (!status)
        worker->cursor->kernels->convert(KDL_F64, out, op->dtype, prepared->whole, numel);
    kdl_free(worker->ctx, in);
    kdl_free(worker->ctx, out);
    return status;
}

kdl_status kdl__whole_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                            uint64_t first, uint64_t count, void *values)
{
    (void)worker;
    size_t size = kdl_dtype_nbytes(op->dtype);
    memcpy(values, (const char *)whole + first * size, count * size);
    return KDL_OK;
}

kdl_status kdl__whole_check(const kdl__op *op, int64_t source_numel, kdl_context *ctx,
                            const char *place)
{
    if (op->source.region.numel == source_numel && op->source.dtype == op->dtype &&
        kdl_dtype_is_floating_point(op->dtype))
        return KDL_OK;
    return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                        "%s reads %lld elements of its own dtype, of floating point",
                        op->class->name, (long long)source_numel);
}

/* The tensors' elements in one vector. */
static kdl_tensor *concatenate(kdl_context *ctx, kdl_dtype dtype, int count,
                               kdl_tensor *const *sources)
{
    int64_t numel = 0, at = 0;
    for (int i = 0; i < count; i++)
        numel += sources[i]->numel;
    kdl_tensor *all = kdl_empty(ctx, KDL_SHAPE(numel), .dtype = dtype);
    for (int i = 0; i < count && all; at += sources[i++]->numel) {
        kdl_tensor *part = kdl_narrow(all, 0, at, sources[i]->numel);
        kdl_tensor *shaped = part ? kdl_view(part, kdl_tensor_shape(sources[i])) : NULL;
        if (shaped)
            kdl_copy_(shaped, sources[i]);
        kdl_tensor_release(part);
        kdl_tensor_release(shaped);
    }
    return all;
}

kdl_status kdl__whole_apply(kdl_tensor *tensor, const kdl__op *op, int count,
                            kdl_tensor *const *sources, const char *place)
{
    kdl__op applied = *op;
    bool whole = !kdl__refuses(tensor);
    for (int i = 0; i < count; i++)
        whole = whole && sources[i];
    if (!whole)
        return kdl__refusal(tensor);
    kdl_tensor *source = concatenate(tensor->ctx, kdl_tensor_dtype(tensor), count, sources);
    if (source && !kdl__failed(tensor->ctx) && !kdl__values_of(source, false, &applied.source))
        kdl__op_apply(tensor, &applied, NULL, place);
    kdl_tensor_release(source);
    return tensor->ctx->status;
}
