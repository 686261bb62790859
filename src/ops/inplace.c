/* SPDX-License-Identifier: Apache-2.0 */
/* Writing tensors in place: fill_, copy_, and one element. */
#include "ops/ops.h"
#include "plan/region.h"

/* ---- fill_ ------------------------------------------------------------------------------- */

kdl_status kdl__fill_value(kdl_tensor *tensor, double value, const char *place)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl__op op = { .class = &kdl__op_constant, .number = { value } };
    return kdl__op_apply(tensor, &op, NULL, place);
}

kdl_status kdl_fill_(kdl_tensor *tensor, double value)
{
    return kdl__fill_value(tensor, value, __func__);
}

kdl_status kdl_zero_(kdl_tensor *tensor)
{
    return kdl__fill_value(tensor, 0, __func__);
}

kdl_status kdl_fill_int_(kdl_tensor *tensor, int64_t value)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl__op op = { .class = &kdl__op_constant_integer, .integer = { value } };
    return kdl__op_apply(tensor, &op, NULL, __func__);
}

/* ---- copy_ ------------------------------------------------------------------------------- */

/*
 * Whether `source` broadcasts to the tensor's sizes; otherwise PyTorch's error: sizes that do not
 * fit together, looked at from the last one, or a source that is the larger one.
 */
static kdl_status check_broadcast(const kdl_tensor *tensor, const kdl_tensor *source,
                                  const char *place)
{
    kdl_shape shape = { .ndim = tensor->ndim > source->ndim ? tensor->ndim : source->ndim };
    bool larger = source->ndim > tensor->ndim;
    for (int d = shape.ndim - 1; d >= 0; d--) {
        int own = d - (shape.ndim - tensor->ndim), other = d - (shape.ndim - source->ndim);
        int64_t a = own < 0 ? 1 : tensor->dims[own], b = other < 0 ? 1 : source->dims[other];
        if (a != b && a != 1 && b != 1)
            return kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                                "The size of tensor a (%" PRId64 ") must match the size of tensor "
                                "b (%" PRId64 ") at non-singleton dimension %d",
                                a, b, d);
        shape.sizes[d] = a == 1 ? b : a;
        larger = larger || shape.sizes[d] != a;
    }
    if (larger)
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                            "output with shape %s doesn't match the broadcast shape %s",
                            kdl__shape_text(tensor->ndim, tensor->dims).chars,
                            kdl__shape_text(shape.ndim, shape.sizes).chars);
    return KDL_OK;
}

kdl_status kdl__check_contexts(const kdl_tensor *tensor, const kdl_tensor *source,
                               const char *place)
{
    if (kdl__refuses(tensor) || !source)
        return source ? kdl__refusal(tensor) : KDL_ERROR_VALUE;
    if (source->ctx != tensor->ctx)
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_VALUE,
                            "the tensors are of different contexts");
    return kdl__refuses(source) ? kdl__refusal(source) : KDL_OK;
}

kdl_status kdl__check_operand(const kdl_tensor *tensor, const kdl_tensor *source, const char *place)
{
    kdl_status status = kdl__check_contexts(tensor, source, place);
    if (!status)
        status = kdl__check_written(tensor, source, place);
    return status ? status : check_broadcast(tensor, source, place);
}

/* Without a record. */
static kdl_status write_source(kdl_tensor *tensor, const kdl__op_class *class, kdl_tensor *source,
                               kdl_generator *generator, const char *place)
{
    kdl_tensor *expanded = kdl_expand(source, kdl_tensor_shape(tensor));
    if (!expanded)
        return tensor->ctx->status;
    kdl__op op = { .class = class };
    /* Memory is copied where the op may run later, or reads what it writes. */
    bool keep = !tensor->storage->data || tensor->storage == source->storage;
    if (!kdl__check_written(tensor, expanded, place) && !kdl__values_of(expanded, keep, &op.source))
        kdl__op_apply(tensor, &op, generator, place);
    kdl_tensor_release(expanded);
    return tensor->ctx->status;
}

kdl_status kdl__apply_source(kdl_tensor *tensor, const kdl__op_class *class, kdl_tensor *source,
                             kdl_generator *generator, const char *place)
{
    kdl__write write = { .tensor = tensor, .source = source, .kind = class->write };
    if (kdl__write_begin(&write, place))
        return tensor->ctx->status;
    const kdl__tape *tape = kdl__no_grad(tensor->ctx);
    kdl_status status = write_source(tensor, class, source, generator, place);
    return kdl__write_end(&write, kdl__restore_grad(tensor, tape, status));
}

kdl_status kdl_copy_(kdl_tensor *tensor, kdl_tensor *source)
{
    if (tensor && tensor == source)
        return tensor->ctx->status;
    kdl_status status = kdl__check_operand(tensor, source, __func__);
    return status ? status : kdl__apply_source(tensor, &kdl__op_copy, source, NULL, __func__);
}

/* A copy of the tensor in `copy`, which is released on failure. */
static kdl_tensor *copied(kdl_tensor *copy, kdl_tensor *tensor)
{
    if (!copy)
        return NULL;
    const kdl__tape *tape = kdl__no_grad(copy->ctx);
    if (kdl__restore_grad(copy, tape, kdl_copy_(copy, tensor))) {
        kdl_tensor_release(copy);
        return NULL;
    }
    if (kdl__tape_wants(tensor))
        tape->copied(tensor, copy);
    return copy;
}

kdl_tensor *kdl_clone(kdl_tensor *tensor)
{
    return kdl__refuses(tensor) ? NULL : copied(kdl_empty_like(tensor), tensor);
}

kdl_tensor *kdl__clone_row_major(kdl_tensor *tensor)
{
    kdl_shape shape = kdl_tensor_shape(tensor);
    return copied(kdl_empty(tensor->ctx, shape, .dtype = tensor->storage->dtype), tensor);
}

kdl_tensor *kdl_contiguous(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return NULL;
    return kdl_tensor_is_contiguous(tensor) ? kdl_tensor_retain(tensor)
                                            : kdl__clone_row_major(tensor);
}

kdl_tensor *kdl_to(kdl_tensor *tensor, kdl_dtype dtype)
{
    if (kdl__refuses(tensor))
        return NULL;
    if (kdl_tensor_dtype(tensor) == dtype)
        return kdl_tensor_retain(tensor);
    return copied(kdl__empty_like(tensor, dtype), tensor);
}

kdl_status kdl_tensor_set(kdl_tensor *tensor, const int64_t *index, double value)
{
    int64_t offset;
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    /* As PyTorch does, which makes a tensor of the number before it looks for the place. */
    kdl_dtype dtype = tensor->storage->dtype;
    bool is_half = dtype == KDL_F16 || dtype == KDL_BF16;
    if ((!is_half && kdl__scalar_check(tensor->ctx, __func__, dtype, value)) ||
        !kdl__element_offset(tensor, index, &offset))
        return tensor->ctx->status;
    kdl_tensor *element =
        kdl__tensor_new(tensor->ctx, tensor->storage, tensor->offset + offset, 0, NULL, NULL);
    if (element)
        kdl__follow_base(element, tensor);
    kdl_fill_(element, value);
    kdl_tensor_release(element);
    return tensor->ctx->status;
}
