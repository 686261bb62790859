/* SPDX-License-Identifier: Apache-2.0 */
/* Bags of embeddings: sums, means and maxima of rows of a table, with gradients. */
#include <string.h>

#include "autograd/embedding_ops.h"
#include "compute/table.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

typedef enum bag_mode { BAG_SUM, BAG_MEAN, BAG_MAX } bag_mode;

/* What a bag's function keeps besides tensors: the indices, and of a sum with weights those and
 * the table; of a maximum the rows. */
typedef struct bag_call {
    bag_mode mode;
    bool by_freq, sparse;
    int64_t padding, bags;
    int64_t begins[]; /* of the bags, and the last one's end */
} bag_call;

enum { SAVED_INDICES, SAVED_WEIGHTS, SAVED_TABLE, SAVED_ROWS };

static size_t call_size(int64_t bags)
{
    return sizeof(bag_call) + ((size_t)bags + 1) * sizeof(int64_t);
}

/* How the gradient of each index's row comes from its bag's. */
static void scale_bags(const bag_call *call, const int64_t *indices, kdl_tensor *weights,
                       double *scales, int64_t *places)
{
    for (int64_t b = 0; b < call->bags; b++) {
        int64_t counted = 0;
        for (int64_t i = call->begins[b]; i < call->begins[b + 1]; i++) {
            counted += indices[i] != call->padding;
            places[i] = b;
        }
        for (int64_t i = call->begins[b]; i < call->begins[b + 1]; i++) {
            if (weights)
                scales[i] *= kdl__load_double(weights->storage->dtype, kdl_tensor_data(weights), i);
            if (call->mode == BAG_MEAN && counted > 0)
                scales[i] /= (double)counted;
        }
    }
}

static void sum_backward(kdl__function *function, kdl_tensor *g, kdl_tensor *indices,
                         kdl_tensor *weights)
{
    const bag_call *call = function->own;
    kdl_context *ctx = function->ctx;
    int64_t count = call->begins[call->bags];
    const int64_t *values = kdl_tensor_data(indices);
    if (kdl__refuses_sparse(function, call->sparse, call->by_freq))
        return;
    kdl_tensor *table = call->sparse ? NULL : kdl__new_table_grad(function, g->storage->dtype);
    int64_t *places = kdl__alloc(ctx, (size_t)count, sizeof *places);
    double *scales = call->by_freq
                         ? kdl__by_frequency(ctx, values, count, function->edges[0].sizes[0], true)
                         : kdl__alloc(ctx, (size_t)count, sizeof *scales);
    for (int64_t i = 0; scales && !call->by_freq && i < count; i++)
        scales[i] = 1;
    bool ready = !kdl__failed(ctx);
    if (ready)
        scale_bags(call, values, weights, scales, places);
    if (ready && call->sparse)
        kdl__give_sparse(function, g, indices, places, scales, call->padding);
    else if (ready)
        kdl__add_rows(table, g, &(kdl__row_sum){ values, places, scales, count, call->padding });
    kdl_free(ctx, scales);
    kdl_free(ctx, places);
    if (!call->sparse)
        kdl__give(function, 0, table);
}

/* Of a maximum, whose rows are known. */
static void max_backward(kdl__function *function, kdl_tensor *g, kdl_tensor *rows)
{
    kdl_tensor *table = kdl__new_table_grad(function, g->storage->dtype);
    const int64_t *values = kdl_tensor_data(rows);
    if (table && values)
        kdl__max_bags_grad(table, g, values);
    kdl__give(function, 0, table);
}

static kdl_tensor *weights_backward(kdl__function *function, kdl_tensor *g, kdl_tensor *indices)
{
    const bag_call *call = function->own;
    kdl_tensor *table = kdl__saved_value(function, SAVED_TABLE), *result = NULL;
    if (table)
        result = kdl__new_values(function->ctx, g->storage->dtype, 1, function->edges[1].sizes);
    if (result)
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    const kdl__bags bags = { kdl_tensor_data(indices), call->begins, call->bags, call->padding };
    if (result && bags.indices)
        kdl__bag_weights_grad(table, &bags, g, result);
    return result;
}

static void bag_backward(kdl__function *function, kdl_tensor *grad)
{
    const bag_call *call = function->own;
    bool largest = call->mode == BAG_MAX, weighted = function->count > 1;
    kdl_tensor *indices = kdl__saved_value(function, largest ? SAVED_ROWS : SAVED_INDICES);
    kdl_tensor *weights = weighted ? kdl__saved_value(function, SAVED_WEIGHTS) : NULL;
    kdl_tensor *g = kdl__failed(function->ctx) ? NULL : kdl__row_major(grad, "kdl_backward");
    if (g && largest)
        max_backward(function, g, indices);
    else if (g && kdl__needs(function, 0))
        sum_backward(function, g, indices, weights);
    if (g && weighted && kdl__needs(function, 1))
        kdl__give(function, 1, weights_backward(function, g, indices));
    kdl_tensor_release(g);
}

static const kdl__function_class bag_class = { "EmbeddingBagBackward0", bag_backward };

/* ---- what fits --------------------------------------------------------------------------- */

static bool fail_value(const kdl_tensor *input, const char *text)
{
    kdl__fail_at(input->ctx, "kdl_f_embedding_bag", KDL_ERROR_VALUE, "%s", text);
    return false;
}

static bool read_mode(const kdl_tensor *input, const kdl_f_embedding_bag_options *o, bag_mode *mode)
{
    static const char *const modes[] = { "sum", "mean", "max" };
    for (int i = 0; i < 3; i++) {
        if (!o->mode || strcmp(o->mode, modes[i]) != 0)
            continue;
        *mode = (bag_mode)i;
        if (i == BAG_MAX && o->scale_grad_by_freq)
            return fail_value(input,
                              "max mode does not support scaling the gradient by the frequency");
        if (i == BAG_MAX && o->sparse)
            return fail_value(input, "max mode does not support sparse weights");
        return true;
    }
    return fail_value(input, "mode has to be one of sum, mean or max");
}

static bool check_weights(const kdl_tensor *input, const kdl_tensor *weight,
                          const kdl_f_embedding_bag_options *o)
{
    const kdl_tensor *given = o->per_sample_weights;
    kdl_context *ctx = input->ctx;
    if (!given)
        return true;
    if (kdl__check_contexts(input, given, "kdl_f_embedding_bag"))
        return false;
    if (given->ndim != input->ndim ||
        memcmp(given->dims, input->dims, (size_t)input->ndim * sizeof *input->dims) != 0)
        kdl__fail_at(ctx, "kdl_f_embedding_bag", KDL_ERROR_VALUE,
                     "embedding_bag: If per_sample_weights (torch.Size(%s)) is not None, then it "
                     "must have the same shape as the input (torch.Size(%s))",
                     kdl__shape_text(given->ndim, given->dims).chars,
                     kdl__shape_text(input->ndim, input->dims).chars);
    else if (strcmp(o->mode, "sum") != 0)
        kdl__fail_at(ctx, "kdl_f_embedding_bag", KDL_ERROR_NOT_IMPLEMENTED,
                     "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
                     "supported for mode='sum' (got mode='%s'). Please open a feature request on "
                     "GitHub.",
                     o->mode);
    else if (given->storage->dtype != weight->storage->dtype)
        kdl__fail_at(ctx, "kdl_f_embedding_bag", KDL_ERROR_RUNTIME,
                     "Expected tensor for argument #1 'weight' to have the same type as tensor for "
                     "argument #1 'per_sample_weights'; but type torch.%sTensor does not equal "
                     "torch.%sTensor (while checking arguments for embedding_bag)",
                     kdl_dtype_scalar_name(weight->storage->dtype),
                     kdl_dtype_scalar_name(given->storage->dtype));
    return !kdl__failed(ctx);
}

static bool check_input(const kdl_tensor *input, const kdl_tensor *weight, kdl_tensor *offsets)
{
    char text[96];
    if (weight->ndim != 2)
        snprintf(text, sizeof text, "weight has to be a 2D Tensor, but got Tensor of dimension %d",
                 weight->ndim);
    else if (input->ndim != 1 && input->ndim != 2)
        snprintf(text, sizeof text,
                 "input has to be 1D or 2D Tensor, but got Tensor of dimension %d", input->ndim);
    else if (input->ndim == 2 && offsets)
        snprintf(text, sizeof text, "if input is 2D, then offsets has to be None");
    else if (input->ndim == 1 && !offsets)
        snprintf(text, sizeof text, "offsets has to be a 1D Tensor but got None");
    else if (input->ndim == 1 && offsets->ndim != 1)
        snprintf(text, sizeof text, "offsets has to be a 1D Tensor");
    else
        return true;
    return fail_value(input, text);
}

/* ---- where bags begin --------------------------------------------------------------------- */

static bool ascend(const int64_t *values, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (values[i] < values[i - 1])
            return false;
    return true;
}

static bool check_offsets(const kdl_tensor *offsets, const int64_t *values, int64_t count)
{
    kdl_context *ctx = offsets->ctx;
    int64_t n = offsets->numel;
    if (n > 0 && values[0] != 0)
        kdl__fail_at(ctx, "kdl_f_embedding_bag", KDL_ERROR_RUNTIME,
                     "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to "
                     "start from position 0. However, got %" PRId64,
                     values[0]);
    else if (n > 0 && values[n - 1] > count)
        kdl__fail_at(ctx, "kdl_f_embedding_bag", KDL_ERROR_RUNTIME,
                     "offsets[-1] can not be greater than input's length %" PRId64
                     " but got offsets[-1] of %" PRId64,
                     count, values[n - 1]);
    else if (!ascend(values, n))
        kdl__fail_at(ctx, "kdl_f_embedding_bag", KDL_ERROR_RUNTIME, "offsets have to ascend");
    return !kdl__failed(ctx);
}

/* A call whose bags are the rows of the input; from kdl__alloc. */
static bag_call *fixed_bags(const kdl_tensor *input)
{
    bag_call *call = kdl__alloc(input->ctx, 1, call_size(input->dims[0]));
    if (!call)
        return NULL;
    call->bags = input->dims[0];
    for (int64_t b = 0; b <= call->bags; b++)
        call->begins[b] = b * input->dims[1];
    return call;
}

/* One whose bags begin at the offsets. */
static bag_call *bags_at(const kdl_tensor *input, kdl_tensor *offsets, bool include_last)
{
    kdl_dtype dtype = offsets->storage->dtype;
    if (dtype != KDL_I64 && dtype != KDL_I32) {
        kdl__fail_at(input->ctx, "kdl_f_embedding_bag", KDL_ERROR_RUNTIME,
                     "Expected tensor for argument #1 'offsets' to have one of the following "
                     "scalar types: Long, Int; but got torch.%sTensor instead (while checking "
                     "arguments for embedding_bag)",
                     kdl_dtype_scalar_name(dtype));
        return NULL;
    }
    kdl__scope scope = { 0 };
    kdl_tensor *whole = kdl__hold(&scope, kdl_to(offsets, KDL_I64));
    kdl_tensor *flat = kdl__hold(&scope, kdl_contiguous(whole));
    const int64_t *values = flat ? kdl_tensor_data(flat) : NULL;
    bag_call *call = NULL;
    if (values && include_last && flat->numel == 0)
        kdl__fail_at(input->ctx, "kdl_f_embedding_bag", KDL_ERROR_RUNTIME,
                     "include_last_offset: number of offset should be at least 1");
    else if (values && check_offsets(flat, values, input->numel))
        call = kdl__alloc(input->ctx, 1, call_size(flat->numel));
    if (call) {
        call->bags = flat->numel - include_last;
        memcpy(call->begins, values, (size_t)flat->numel * sizeof *values);
        if (!include_last)
            call->begins[call->bags] = input->numel;
    }
    kdl__close(&scope, NULL);
    return call;
}

/* ---- the function ------------------------------------------------------------------------ */

/* The rows that a maximum comes from, as a tensor; *result gets the maximum. */
static kdl_tensor *max_of_bags(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *result)
{
    kdl_tensor *rows = kdl__new_values(table->ctx, KDL_I64, 2, result->dims);
    if (rows)
        kdl__max_bags(table, bags, result, rows->storage->data);
    return rows;
}

static kdl_tensor *record_bags(const kdl__lookup *l, const bag_call *call, kdl_tensor *table,
                               kdl_tensor *weights)
{
    int64_t sizes[] = { call->bags, table->dims[1] };
    const kdl__bags bags = { l->values, call->begins, call->bags, call->padding };
    kdl_tensor *result = kdl__new_values(table->ctx, table->storage->dtype, 2, sizes);
    kdl_tensor *rows = NULL;
    if (result && call->mode == BAG_MAX)
        rows = max_of_bags(table, &bags, result);
    else if (result)
        kdl__sum_bags(table, &bags, weights, call->mode == BAG_MEAN, result);
    kdl__function *function = kdl__record(result, &bag_class, weights ? 2 : 1, table, weights);
    kdl__keep(function, call, call_size(call->bags));
    kdl__save(function, SAVED_INDICES, l->indices);
    kdl__save(function, SAVED_WEIGHTS, weights);
    kdl__save(function, SAVED_TABLE, weights ? table : NULL);
    kdl__save(function, SAVED_ROWS, rows);
    kdl_tensor_release(rows);
    return result;
}

/* The factors as they are computed with: a row-major vector. One reference; NULL: none. */
static kdl_tensor *flat_weights(kdl_tensor *weights)
{
    kdl__scope scope = { 0 };
    kdl_tensor *wide = kdl__hold(&scope, kdl__operand(weights, "kdl_f_embedding_bag"));
    kdl_tensor *flat = kdl__hold(&scope, kdl_reshape(wide, KDL_SHAPE(-1)));
    return kdl__close(&scope, kdl_contiguous(flat));
}

static kdl_tensor *run_bags(const kdl__lookup *l, const bag_call *call, kdl_tensor *weights,
                            kdl_dtype dtype)
{
    kdl__scope scope = { 0 };
    kdl_context *ctx = l->table->ctx;
    kdl_tensor *table = kdl__hold(&scope, kdl__operand(l->table, l->place)), *result = NULL;
    kdl_tensor *factors = weights ? kdl__hold(&scope, flat_weights(weights)) : NULL;
    if (factors)
        kdl_tensor_data(factors);
    if (!kdl__failed(ctx))
        result = record_bags(l, call, table, factors);
    return kdl__close(&scope, kdl__cast(result, dtype));
}

kdl_tensor *kdl_f_embedding_bag_with(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *offsets,
                                     const kdl_f_embedding_bag_options *given)
{
    kdl_f_embedding_bag_options o = KDL_F_EMBEDDING_BAG_DEFAULTS;
    kdl__lookup l = { .place = "kdl_f_embedding_bag", .name = "embedding_bag" };
    bag_mode mode;
    if (!kdl__check_lookup(&l, input, weight) ||
        !kdl__read_options(input->ctx, l.place, &o, sizeof o, given) ||
        (offsets && kdl__check_contexts(input, offsets, l.place)) ||
        !check_input(input, weight, offsets) || !read_mode(input, &o, &mode) ||
        !check_weights(input, weight, &o) ||
        !kdl__read_padding(&l, weight, o.padding_idx, KDL_ERROR_RUNTIME,
                           "padding_idx must be within the number of embeddings, %" PRId64
                           " through %" PRId64 ", but got %" PRId64))
        return NULL;
    bag_call *call = offsets ? bags_at(input, offsets, o.include_last_offset) : fixed_bags(input);
    kdl_tensor *result = NULL;
    if (call && kdl__prepare_lookup(&l, input, weight, o.max_norm, o.norm_type)) {
        call->mode = mode;
        call->by_freq = o.scale_grad_by_freq;
        call->sparse = o.sparse;
        call->padding = l.padding;
        result = run_bags(&l, call, o.per_sample_weights, weight->storage->dtype);
    }
    kdl_free(input->ctx, call);
    kdl__free_lookup(&l);
    return result;
}
