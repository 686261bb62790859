/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings: rows of a table by their numbers, with gradients. */
#include <math.h>
#include <string.h>

#include "autograd/embedding_ops.h"
#include "compute/table.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- what both have in common ------------------------------------------------------------- */

void kdl__free_lookup(kdl__lookup *l)
{
    kdl_tensor_release(l->table);
    kdl_tensor_release(l->indices);
}

bool kdl__check_lookup(const kdl__lookup *l, kdl_tensor *input, kdl_tensor *weight)
{
    kdl_tensor *both[] = { input, weight };
    kdl_context *ctx;
    if (!kdl__usable(l->place, 2, both))
        return false;
    ctx = input->ctx;
    if (input->storage->dtype != KDL_I64 && input->storage->dtype != KDL_I32)
        kdl__fail_at(ctx, l->place, KDL_ERROR_RUNTIME,
                     "Expected tensor for argument #1 'indices' to have one of the following "
                     "scalar types: Long, Int; but got torch.%sTensor instead (while checking "
                     "arguments for %s)",
                     kdl_dtype_scalar_name(input->storage->dtype), l->name);
    else if (!kdl_dtype_is_floating_point(weight->storage->dtype))
        kdl__fail_at(ctx, l->place, KDL_ERROR_NOT_IMPLEMENTED,
                     "a weight of floating point is needed, not of %s",
                     kdl_dtype_name(weight->storage->dtype));
    return !kdl__failed(ctx);
}

bool kdl__read_padding(kdl__lookup *l, const kdl_tensor *weight, int64_t padding_idx,
                       kdl_status status, const char *outside)
{
    int64_t rows = weight->dims[0];
    l->padding = -1;
    if (padding_idx == KDL_NONE_INT)
        return true;
    if (padding_idx < -rows || padding_idx >= rows) {
        kdl__fail_at(weight->ctx, l->place, status, outside, -rows, rows - 1, padding_idx);
        return false;
    }
    l->padding = padding_idx + (padding_idx < 0 ? rows : 0);
    return true;
}

static bool check_indices(const kdl__lookup *l, int64_t rows)
{
    for (int64_t i = 0; i < l->indices->numel; i++) {
        if (l->values[i] < 0 || l->values[i] >= rows) {
            if (strcmp(l->name, "embedding_bag") == 0)
                kdl__fail_at(l->indices->ctx, l->place, KDL_ERROR_RUNTIME,
                             "Index %" PRId64 " of input takes value %" PRId64
                             " which is not in the valid range [0, %" PRId64 ")",
                             i, l->values[i], rows);
            else
                kdl__fail_at(l->indices->ctx, l->place, KDL_ERROR_INDEX,
                             "index out of range in self: %" PRId64 " in a table of %" PRId64
                             " rows",
                             l->values[i], rows);
            return false;
        }
    }
    return true;
}

/* torch.embedding_renorm_(), which writes the weight itself, under no_grad. */
static bool renormalize(const kdl__lookup *l, kdl_tensor *weight, double max_norm, double norm_type)
{
    kdl_dtype dtype = weight->storage->dtype;
    if (isnan(max_norm))
        return true;
    if (dtype != KDL_F32 && dtype != KDL_F64) {
        kdl__fail_at(weight->ctx, l->place, KDL_ERROR_NOT_IMPLEMENTED,
                     "max_norm needs a weight of float32 or float64, not %s",
                     kdl_dtype_name(dtype));
        return false;
    }
    if (!kdl_tensor_data(weight) ||
        !kdl__shorten_rows(weight, l->values, l->indices->numel, max_norm, norm_type))
        return false;
    weight->storage->version++;
    return true;
}

bool kdl__prepare_lookup(kdl__lookup *l, kdl_tensor *input, kdl_tensor *weight, double max_norm,
                         double norm_type)
{
    kdl_tensor *whole = kdl_to(input, KDL_I64);
    l->indices = kdl_contiguous(whole);
    l->values = l->indices ? kdl_tensor_data(l->indices) : NULL;
    kdl_tensor_release(whole);
    if (l->values && check_indices(l, weight->dims[0]) &&
        renormalize(l, weight, max_norm, norm_type))
        l->table = kdl_contiguous(weight);
    return l->table && kdl_tensor_data(l->table);
}

/*
 * By row, how often it is asked for; from kdl__alloc. For bags PyTorch looks the number up at the
 * wrong place, and so do we: the u-th distinct row gets that of the u-th of all sorted indices.
 */
static int64_t *frequencies(kdl_context *ctx, const int64_t *indices, int64_t count, int64_t rows,
                            bool of_bags)
{
    int64_t *times = kdl__alloc_zeroed(ctx, (size_t)rows, sizeof *times);
    int64_t *found = of_bags ? kdl__alloc_zeroed(ctx, (size_t)rows, sizeof *found) : NULL;
    for (int64_t i = 0; times && i < count; i++)
        times[indices[i]]++;
    /* `row` is that of the sorted index at `distinct`; `end` is where it stops being it. */
    for (int64_t r = 0, distinct = 0, row = -1, end = 0; times && found && r < rows; r++) {
        if (times[r] == 0)
            continue;
        while (end <= distinct)
            end += times[++row];
        found[r] = times[row];
        distinct++;
    }
    if (!of_bags)
        return times;
    kdl_free(ctx, times);
    return found;
}

double *kdl__by_frequency(kdl_context *ctx, const int64_t *indices, int64_t count, int64_t rows,
                          bool of_bags)
{
    int64_t *times = frequencies(ctx, indices, count, rows, of_bags);
    double *scales = kdl__alloc(ctx, (size_t)count, sizeof *scales);
    for (int64_t i = 0; times && scales && i < count; i++)
        scales[i] = 1 / (double)times[indices[i]];
    kdl_free(ctx, times);
    return scales;
}

kdl_tensor *kdl__new_table_grad(const kdl__function *function, kdl_dtype dtype)
{
    kdl_tensor *table = kdl__new_values(function->ctx, dtype, 2, function->edges[0].sizes);
    if (table)
        memset(table->storage->data, 0, kdl_tensor_nbytes(table));
    return table;
}

void kdl__give_sparse(kdl__function *function, kdl_tensor *g, kdl_tensor *indices,
                      const int64_t *places, const double *scales, int64_t padding)
{
    kdl_context *ctx = function->ctx;
    const int64_t *values = kdl_tensor_data(indices);
    int64_t all = indices->numel, count = 0;
    int64_t *targets = kdl__alloc(ctx, (size_t)all, sizeof *targets);
    for (int64_t i = 0; targets && i < all; i++)
        targets[i] = values[i] == padding ? -1 : count++;
    const int64_t sizes[] = { count, function->edges[0].sizes[1] };
    kdl_tensor *rows = kdl__new_values(ctx, KDL_I64, 1, sizes);
    kdl_tensor *grad = kdl__new_values(ctx, g->storage->dtype, 2, sizes);
    if (targets && rows && grad) {
        for (int64_t i = 0; i < all; i++)
            if (targets[i] >= 0)
                ((int64_t *)rows->storage->data)[targets[i]] = values[i];
        memset(grad->storage->data, 0, kdl_tensor_nbytes(grad));
        kdl__add_rows(grad, g, &(kdl__row_sum){ targets, places, scales, all, -1 });
    }
    kdl_free(ctx, targets);
    kdl__give_rows(function, 0, rows, grad);
}

bool kdl__refuses_sparse(const kdl__function *function, bool sparse, bool by_freq)
{
    if (sparse && by_freq)
        kdl__fail_at(function->ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                     "embedding_backward: scale_grad_by_freq not supported with sparse gradients");
    return sparse && by_freq;
}

/* ---- embedding --------------------------------------------------------------------------- */

/* integers: the padding's index; whether gradients are scaled by frequency; whether sparse. */
static void embedding_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_context *ctx = function->ctx;
    kdl_tensor *indices = kdl__saved_value(function, 0);
    kdl_tensor *g = indices ? kdl__row_major(grad, "kdl_backward") : NULL, *table = NULL;
    double *scales = NULL;
    bool sparse = function->integers[2],
         refused = g && kdl__refuses_sparse(function, sparse, function->integers[1]);
    if (g && sparse && !refused) {
        kdl__give_sparse(function, g, indices, NULL, NULL, function->integers[0]);
        kdl_tensor_release(g);
        return;
    }
    if (g && !kdl__failed(ctx))
        table = kdl__new_table_grad(function, g->storage->dtype);
    const int64_t *values = table ? kdl_tensor_data(indices) : NULL;
    if (values && function->integers[1])
        scales = kdl__by_frequency(ctx, values, indices->numel, table->dims[0], false);
    if (values && !kdl__failed(ctx))
        kdl__add_rows(
            table, g,
            &(kdl__row_sum){ values, NULL, scales, indices->numel, function->integers[0] });
    kdl_free(ctx, scales);
    kdl_tensor_release(g);
    kdl__give(function, 0, table);
}

static const kdl__function_class embedding_class = { "EmbeddingBackward0", embedding_backward };

/* The rows, in the weight's dtype. */
static kdl_tensor *pick_rows(const kdl__lookup *l, kdl_tensor *input)
{
    const kdl_tensor *table = l->table;
    kdl_shape shape = kdl_tensor_shape(input);
    shape.sizes[shape.ndim++] = table->dims[1];
    kdl_tensor *result =
        kdl__new_values(table->ctx, table->storage->dtype, shape.ndim, shape.sizes);
    size_t nbytes = (size_t)table->dims[1] * kdl_dtype_nbytes(table->storage->dtype);
    const char *rows = kdl_tensor_data(l->table);
    for (int64_t i = 0; result && i < l->indices->numel; i++)
        memcpy((char *)result->storage->data + (size_t)i * nbytes,
               rows + (size_t)l->values[i] * nbytes, nbytes);
    return result;
}

kdl_tensor *kdl_f_embedding_with(kdl_tensor *input, kdl_tensor *weight,
                                 const kdl_f_embedding_options *given)
{
    kdl_f_embedding_options o = KDL_F_EMBEDDING_DEFAULTS;
    kdl__lookup l = { .place = "kdl_f_embedding", .name = "embedding" };
    kdl_tensor *result = NULL;
    if (!kdl__check_lookup(&l, input, weight) ||
        !kdl__read_options(input->ctx, l.place, &o, sizeof o, given))
        return NULL;
    if (weight->ndim != 2)
        kdl__fail_at(input->ctx, l.place, KDL_ERROR_RUNTIME, "'weight' must be 2-D");
    if (!kdl__failed(input->ctx) && kdl__ndim_allowed(input->ctx, input->ndim + 1) &&
        kdl__read_padding(&l, weight, o.padding_idx, KDL_ERROR_VALUE,
                          "Padding_idx must be within num_embeddings") &&
        kdl__prepare_lookup(&l, input, weight, o.max_norm, o.norm_type)) {
        result = pick_rows(&l, input);
        kdl__function *function = kdl__record(result, &embedding_class, 1, l.table);
        if (function) {
            function->integers[0] = l.padding;
            function->integers[1] = o.scale_grad_by_freq;
            function->integers[2] = o.sparse;
        }
        kdl__save(function, 0, l.indices);
    }
    kdl__free_lookup(&l);
    return result;
}
