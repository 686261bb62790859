/* SPDX-License-Identifier: Apache-2.0 */
/* Rows by their numbers, and tensors put together. */
#include <string.h>

#include "autograd/function.h"
#include "kindling/functional.h"

/* ---- embedding --------------------------------------------------------------------------- */

static bool check_indices(const kdl_tensor *indices, const int64_t *values, int64_t rows)
{
    for (int64_t i = 0; i < indices->numel; i++) {
        if (values[i] < 0 || values[i] >= rows) {
            kdl__fail_at(indices->ctx, "kdl_f_embedding", KDL_ERROR_INDEX,
                         "index out of range in self: %" PRId64 " in a table of %" PRId64 " rows",
                         values[i], rows);
            return false;
        }
    }
    return true;
}

/* In the order of the indices, so that the sums are the same on every run. */
static void add_rows(kdl_tensor *table, const kdl_tensor *indices, const kdl_tensor *rows,
                     int64_t padding_idx)
{
    int64_t width = table->dims[1];
    const int64_t *index = indices->storage->data;
    index += indices->offset;
    for (int64_t i = 0; i < indices->numel; i++) {
        if (index[i] == padding_idx)
            continue;
        if (kdl__float_index(table)) {
            double *to = (double *)table->storage->data + index[i] * width;
            const double *from = (const double *)rows->storage->data + rows->offset + i * width;
            for (int64_t k = 0; k < width; k++)
                to[k] += from[k];
        } else {
            float *to = (float *)table->storage->data + index[i] * width;
            const float *from = (const float *)rows->storage->data + rows->offset + i * width;
            for (int64_t k = 0; k < width; k++)
                to[k] += from[k];
        }
    }
}

static void embedding_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *indices = kdl__saved_value(function, 0);
    kdl_tensor *rows = indices ? kdl_contiguous(grad) : NULL;
    kdl_tensor *table =
        rows ? kdl__new_values(function->ctx, grad->storage->dtype, 2, function->edges[0].sizes)
             : NULL;
    if (table && kdl_tensor_data(rows)) {
        memset(table->storage->data, 0, kdl_tensor_nbytes(table));
        add_rows(table, indices, rows, function->integers[0]);
    }
    kdl_tensor_release(rows);
    kdl__give(function, 0, table);
}

static const kdl__function_class embedding_class = { "EmbeddingBackward0", embedding_backward };

static bool check_embedding(kdl_tensor *input, kdl_tensor *weight, int64_t *padding_idx)
{
    kdl_tensor *both[] = { input, weight };
    if (!kdl__usable("kdl_f_embedding", 2, both))
        return false;
    int64_t rows = weight->ndim ? weight->dims[0] : 0;
    if (input->storage->dtype != KDL_I64)
        kdl__fail_at(input->ctx, "kdl_f_embedding", KDL_ERROR_NOT_IMPLEMENTED,
                     "indices of int64 are needed, not of %s",
                     kdl_dtype_name(input->storage->dtype));
    else if (weight->ndim != 2)
        kdl__fail_at(input->ctx, "kdl_f_embedding", KDL_ERROR_RUNTIME, "'weight' must be 2-D");
    else if (*padding_idx == KDL_NONE_INT)
        *padding_idx = -1;
    else if (*padding_idx < -rows || *padding_idx >= rows)
        kdl__fail_at(input->ctx, "kdl_f_embedding", KDL_ERROR_VALUE,
                     "Padding_idx must be within num_embeddings");
    else
        *padding_idx += *padding_idx < 0 ? rows : 0;
    return !kdl__failed(input->ctx);
}

kdl_tensor *kdl_f_embedding(kdl_tensor *input, kdl_tensor *weight, int64_t padding_idx)
{
    if (!check_embedding(input, weight, &padding_idx))
        return NULL;
    kdl_shape shape = kdl_tensor_shape(input);
    if (!kdl__ndim_allowed(input->ctx, shape.ndim + 1))
        return NULL;
    shape.sizes[shape.ndim++] = weight->dims[1];
    kdl_tensor *indices = kdl_contiguous(input), *table = kdl_contiguous(weight), *result = NULL;
    const int64_t *index = indices ? kdl_tensor_data(indices) : NULL;
    const char *rows = table ? kdl_tensor_data(table) : NULL;
    if (index && rows && check_indices(indices, index, weight->dims[0]))
        result = kdl__new_values(input->ctx, table->storage->dtype, shape.ndim, shape.sizes);
    if (result) {
        size_t nbytes = (size_t)weight->dims[1] * kdl_dtype_nbytes(table->storage->dtype);
        for (int64_t i = 0; i < indices->numel; i++)
            memcpy((char *)result->storage->data + (size_t)i * nbytes,
                   rows + (size_t)index[i] * nbytes, nbytes);
        kdl__function *function = kdl__record(result, &embedding_class, 1, table);
        if (function)
            function->integers[0] = padding_idx;
        kdl__save(function, 0, indices);
    }
    kdl_tensor_release(indices);
    kdl_tensor_release(table);
    return result;
}

/* ---- cat, stack -------------------------------------------------------------------------- */

/* Each input's part of the gradient; integers[0]: the dimension. */
static void cat_backward(kdl__function *function, kdl_tensor *grad)
{
    int dim = (int)function->integers[0];
    int64_t start = 0;
    for (int i = 0; i < function->count; i++) {
        int64_t size = function->edges[i].sizes[dim];
        if (kdl__needs(function, i))
            kdl__give(function, i, kdl_narrow(grad, dim, start, size));
        start += size;
    }
}

static const kdl__function_class cat_class = { "CatBackward0", cat_backward };

/* The sizes together; false, with PyTorch's error, where the others differ. */
static bool cat_sizes(kdl_tensor *const *tensors, int count, int dim, kdl_shape *shape)
{
    const kdl_tensor *first = tensors[0];
    *shape = kdl_tensor_shape(first);
    for (int i = 1; i < count; i++) {
        const kdl_tensor *tensor = tensors[i];
        if (tensor->ndim != first->ndim || tensor->storage->dtype != first->storage->dtype) {
            kdl__fail_at(first->ctx, "kdl_cat", KDL_ERROR_RUNTIME,
                         "Tensors must have same number of dimensions and dtype: got %d (%s) and "
                         "%d (%s)",
                         first->ndim, kdl_dtype_name(first->storage->dtype), tensor->ndim,
                         kdl_dtype_name(tensor->storage->dtype));
            return false;
        }
        for (int d = 0; d < first->ndim; d++) {
            if (d != dim && tensor->dims[d] != first->dims[d]) {
                kdl__fail_at(first->ctx, "kdl_cat", KDL_ERROR_RUNTIME,
                             "Sizes of tensors must match except in dimension %d. Expected size "
                             "%" PRId64 " but got size %" PRId64 " for tensor number %d in the "
                             "list.",
                             dim, first->dims[d], tensor->dims[d], i);
                return false;
            }
        }
        shape->sizes[dim] += tensor->dims[dim];
    }
    return true;
}

static void copy_parts(kdl_tensor *result, kdl_tensor *const *tensors, int count, int dim)
{
    const kdl__tape *tape = kdl__no_grad(result->ctx);
    int64_t start = 0;
    for (int i = 0; i < count; i++) {
        kdl_tensor *part = kdl_narrow(result, dim, start, tensors[i]->dims[dim]);
        if (part)
            kdl_copy_(part, tensors[i]);
        kdl_tensor_release(part);
        start += tensors[i]->dims[dim];
    }
    result->ctx->tape = tape;
}

kdl_tensor *kdl_cat(kdl_tensor *const *tensors, int count, int dim)
{
    if (count < 1 || !kdl__usable(__func__, count, tensors))
        return NULL;
    kdl_context *ctx = tensors[0]->ctx;
    kdl_shape shape;
    if (tensors[0]->ndim == 0) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "zero-dimensional tensor (at position 0) cannot be concatenated");
        return NULL;
    }
    dim = kdl__wrap_dim(ctx, dim, tensors[0]->ndim);
    if (dim < 0 || !cat_sizes(tensors, count, dim, &shape))
        return NULL;
    kdl_tensor *result = kdl__new_values(ctx, tensors[0]->storage->dtype, shape.ndim, shape.sizes);
    if (result)
        copy_parts(result, tensors, count, dim);
    kdl__function *function = kdl__record_list(result, &cat_class, count, tensors);
    if (function)
        function->integers[0] = dim;
    return result;
}

kdl_tensor *kdl_stack(kdl_tensor *const *tensors, int count, int dim)
{
    if (count < 1 || !kdl__usable(__func__, count, tensors))
        return NULL;
    kdl_context *ctx = tensors[0]->ctx;
    dim = kdl__wrap_dim(ctx, dim, tensors[0]->ndim + 1);
    kdl_tensor **wide = dim < 0 ? NULL : kdl__alloc_zeroed(ctx, (size_t)count, sizeof *wide);
    for (int i = 0; wide && i < count && !kdl__failed(ctx); i++)
        wide[i] = kdl_unsqueeze(tensors[i], dim);
    kdl_tensor *result = wide && !kdl__failed(ctx) ? kdl_cat(wide, count, dim) : NULL;
    for (int i = 0; wide && i < count; i++)
        kdl_tensor_release(wide[i]);
    kdl_free(ctx, wide);
    return result;
}
