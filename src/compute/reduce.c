/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums, extremes and softmax. f32 is summed in double: one order of summation for any number of
 * threads, and closer to the true sum than PyTorch's own order.
 */
#include <math.h>
#include <string.h>

#include "compute/compute.h"
#include "compute/row_lanes.h"

/* Rows of n elements, one behind the other. */
typedef struct softmax_call {
    const void *in, *result; /* `in` is the gradient of the result where there is one */
    void *out;
    int64_t n;
    bool logarithm;
} softmax_call;

#define KDL__LOOPS "compute/reduce_loops.h"
#include "compute/loop_sets.h"

/* ---- sums -------------------------------------------------------------------------------- */

/* `sums` with the tensor's sizes, but each sum seen everywhere that it sums: stride 0 there. */
static kdl_tensor *spread(kdl_tensor *sums, const kdl_tensor *tensor)
{
    int64_t strides[KDL_MAX_DIMS];
    for (int d = 0; d < tensor->ndim; d++)
        strides[d] = sums->dims[d] == 1 ? 0 : sums->strides[d];
    return kdl__tensor_new(tensor->ctx, sums->storage, 0, tensor->ndim, tensor->dims, strides);
}

/* The longest of the dimensions that are summed, or of those that are not; -1: none. */
static int longest(const kdl_tensor *tensor, const int64_t *sizes, bool summed)
{
    int dim = -1;
    for (int d = 0; d < tensor->ndim; d++)
        if (tensor->dims[d] > 1 && (sizes[d] == 1) == summed &&
            (dim < 0 || tensor->dims[d] > tensor->dims[dim]))
            dim = d;
    return dim;
}

/*
 * Into how many pieces a sum is cut when its results are too few to be shared among threads: by its
 * sizes alone, so that the order of summation is one for all.
 */
static int64_t piece_count(const kdl_tensor *tensor, int kept, int summed)
{
    enum { ENOUGH = 64, PIECE = 1 << 16, MOST = 64 };
    if (summed < 0 || (kept >= 0 && tensor->dims[kept] >= ENOUGH))
        return 1;
    int64_t pieces = tensor->numel / PIECE < MOST ? tensor->numel / PIECE : MOST;
    pieces = pieces < tensor->dims[summed] ? pieces : tensor->dims[summed];
    return pieces > 1 ? pieces : 1;
}

/* Adds the sums of all pieces to those of the first, which they follow. */
static void add_pieces(double *sums, int64_t count, int64_t pieces)
{
    for (int64_t i = count; i < count * pieces; i++)
        sums[i % count] += sums[i];
}

/* The sums over the dimensions of size 1 in `sizes`, in f64; behind them may be others. */
static kdl_tensor *sum_wide(kdl_tensor *tensor, const int64_t *sizes)
{
    kdl_context *ctx = tensor->ctx;
    int kept = longest(tensor, sizes, false), summed = longest(tensor, sizes, true);
    int64_t pieces = piece_count(tensor, kept, summed), count;
    if (!kdl__shape_numel(ctx, tensor->ndim, sizes, &count))
        return NULL;
    kdl_tensor *memory = kdl__new_values(ctx, KDL_F64, 2, (int64_t[]){ pieces, count });
    kdl_tensor *sums =
        memory ? kdl__tensor_new(ctx, memory->storage, 0, tensor->ndim, sizes, NULL) : NULL;
    kdl_tensor *everywhere = sums ? spread(sums, tensor) : NULL;
    if (everywhere) {
        double *values = sums->storage->data;
        kdl_tensor *operands[] = { everywhere, tensor };
        static kdl__inner_loop *const loops[] = KDL__LOOP_SET(sum);
        kdl__inner_loop *inner = loops[kdl__loops_of(tensor)];
        memset(values, 0, kdl_tensor_nbytes(memory));
        if (summed >= 0 && (pieces > 1 || kept < 0))
            kdl__loop_run_sliced(operands, 2, summed, pieces, count * (int64_t)sizeof *values,
                                 inner, NULL);
        else if (kept >= 0)
            kdl__loop_run_sliced(operands, 2, kept, 0, 0, inner, NULL);
        else
            kdl__loop_run(operands, 2, inner, NULL);
        add_pieces(values, count, pieces);
    }
    kdl_tensor_release(everywhere);
    kdl_tensor_release(memory);
    return sums;
}

/* In the tensor's dtype, with other sizes for as many elements. Consumes `sums`. */
static kdl_tensor *finish_sum(kdl_tensor *sums, kdl_dtype dtype, int ndim, const int64_t *sizes)
{
    if (!sums)
        return NULL;
    kdl_tensor *result = kdl__new_values(sums->ctx, dtype, ndim, sizes);
    const double *from = sums->storage->data;
    if (result && dtype == KDL_F64)
        memcpy(result->storage->data, from, kdl_tensor_nbytes(result));
    else if (result)
        for (int64_t i = 0; i < sums->numel; i++)
            ((float *)result->storage->data)[i] = (float)from[i];
    kdl_tensor_release(sums);
    return result;
}

kdl_tensor *kdl__compute_sum(kdl_tensor *tensor, uint32_t mask, bool keep)
{
    int64_t sizes[KDL_MAX_DIMS], left[KDL_MAX_DIMS];
    int ndim = 0;
    for (int d = 0; d < tensor->ndim; d++) {
        bool summed = mask >> d & 1;
        sizes[d] = summed ? 1 : tensor->dims[d];
        if (!summed || keep)
            left[ndim++] = sizes[d];
    }
    return finish_sum(sum_wide(tensor, sizes), tensor->storage->dtype, ndim, left);
}

kdl_tensor *kdl__sum_to(kdl_tensor *tensor, int ndim, const int64_t *sizes)
{
    int64_t wide[KDL_MAX_DIMS];
    int added = tensor->ndim - ndim;
    for (int d = 0; d < tensor->ndim; d++)
        wide[d] = d < added ? 1 : sizes[d - added];
    return finish_sum(sum_wide(tensor, wide), tensor->storage->dtype, ndim, sizes);
}

/* ---- rows -------------------------------------------------------------------------------- */

/* The tensor row-major with dimension `dim` last: rows. Gives one reference. */
static kdl_tensor *as_rows(kdl_tensor *tensor, int dim)
{
    kdl_tensor *moved = tensor->ndim > 1 ? kdl_transpose(tensor, dim, -1) : kdl_detach(tensor);
    kdl_tensor *rows = moved ? kdl_contiguous(moved) : NULL;
    kdl_tensor_release(moved);
    return kdl__in_memory(rows);
}

/* Rows back to where their dimension was, row-major. Consumes `rows`. */
static kdl_tensor *from_rows(kdl_tensor *rows, int dim)
{
    if (!rows || rows->ndim < 2 || dim == rows->ndim - 1)
        return rows;
    kdl_tensor *moved = kdl_transpose(rows, dim, -1),
               *result = moved ? kdl_contiguous(moved) : NULL;
    kdl_tensor_release(moved);
    kdl_tensor_release(rows);
    return result;
}

static int64_t row_length(const kdl_tensor *rows)
{
    return rows->ndim > 0 ? rows->dims[rows->ndim - 1] : 1;
}

/* ---- extremes ---------------------------------------------------------------------------- */

#define DEFINE_EXTREME(name, type)                                                                 \
    static int64_t name(const type *row, int64_t n, bool least)                                    \
    {                                                                                              \
        int64_t best = 0;                                                                          \
        for (int64_t i = 1; i < n && row[best] == row[best]; i++)                                  \
            if (row[i] != row[i] || (least ? row[i] < row[best] : row[i] > row[best]))             \
                best = i;                                                                          \
        return best;                                                                               \
    }
DEFINE_EXTREME(extreme_f32, float)
DEFINE_EXTREME(extreme_f64, double)

static void find_extremes(const kdl_tensor *rows, bool least, char *values, int64_t *indices)
{
    int64_t n = row_length(rows), count = n ? rows->numel / n : 0;
    size_t size = kdl_dtype_nbytes(rows->storage->dtype);
    for (int64_t r = 0; r < count; r++) {
        const char *row = (const char *)rows->storage->data + (size_t)(rows->offset + r * n) * size;
        indices[r] = size == sizeof(double) ? extreme_f64((const double *)row, n, least)
                                            : extreme_f32((const float *)row, n, least);
        memcpy(values + (size_t)r * size, row + (size_t)indices[r] * size, size);
    }
}

kdl_status kdl__compute_extreme(kdl_tensor *tensor, int dim, bool keep, bool least,
                                kdl_tensor **values, kdl_tensor **indices)
{
    kdl_context *ctx = tensor->ctx;
    kdl_shape shape = kdl_tensor_shape(tensor), moved = shape;
    if (shape.ndim > 0) {
        shape.sizes[dim] = 1;
        moved.sizes[dim] = moved.sizes[moved.ndim - 1];
        moved.sizes[moved.ndim - 1] = 1;
    }
    kdl_tensor *rows = as_rows(tensor, dim);
    *values = kdl__new_values(ctx, tensor->storage->dtype, moved.ndim, moved.sizes);
    *indices = kdl__new_values(ctx, KDL_I64, moved.ndim, moved.sizes);
    if (rows && *values && *indices) {
        find_extremes(rows, least, (*values)->storage->data, (*indices)->storage->data);
        kdl_tensor **results[] = { values, indices };
        for (int i = 0; i < 2; i++) {
            kdl_tensor *placed = from_rows(*results[i], dim);
            *results[i] = keep || !placed || shape.ndim == 0 ? kdl_tensor_retain(placed)
                                                             : kdl_squeeze(placed, dim);
            kdl_tensor_release(placed);
        }
    }
    kdl_tensor_release(rows);
    return ctx->status;
}

/* ---- softmax ----------------------------------------------------------------------------- */

static void run_rows(const softmax_call *call, const kdl_tensor *rows, kdl__range *const *loops)
{
    if (call->n > 0)
        kdl__run_ranges(rows->ctx, rows->numel / call->n, call->n, loops[kdl__loops_of(rows)],
                        call);
}

kdl_tensor *kdl__compute_softmax(kdl_tensor *tensor, int dim, bool logarithm)
{
    static kdl__range *const loops[] = KDL__LOOP_SET(softmax);
    kdl_tensor *rows = as_rows(tensor, dim);
    kdl_tensor *result =
        rows ? kdl__new_values(rows->ctx, rows->storage->dtype, rows->ndim, rows->dims) : NULL;
    if (result)
        run_rows(&(softmax_call){ .in = kdl_tensor_data(rows),
                                  .out = result->storage->data,
                                  .n = row_length(rows),
                                  .logarithm = logarithm },
                 rows, loops);
    kdl_tensor_release(rows);
    return from_rows(result, dim);
}

kdl_tensor *kdl__compute_softmax_grad(kdl_tensor *grad, kdl_tensor *result, int dim, bool logarithm)
{
    static kdl__range *const loops[] = KDL__LOOP_SET(softmax_grad);
    kdl_tensor *g = as_rows(grad, dim), *y = as_rows(result, dim), *out = NULL;
    if (g && y)
        out = kdl__new_values(g->ctx, g->storage->dtype, g->ndim, g->dims);
    if (out)
        run_rows(&(softmax_call){ .in = kdl_tensor_data(g),
                                  .result = kdl_tensor_data(y),
                                  .out = out->storage->data,
                                  .n = row_length(g),
                                  .logarithm = logarithm },
                 g, loops);
    kdl_tensor_release(g);
    kdl_tensor_release(y);
    return from_rows(out, dim);
}
