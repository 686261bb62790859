/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums, extremes and softmax. f32 is summed in double: one order of summation for any number of
 * threads, and closer to the true sum than PyTorch's own order.
 */
#include <math.h>
#include <string.h>

#include "compute/compute.h"

/* ---- sums -------------------------------------------------------------------------------- */

/* Operands: the sums (f64), the values. Sums of a row in eight lanes, so that they can be vectors. */
#define DEFINE_SUM(name, type)                                                                     \
    static double name##_row(const type *values, int64_t n)                                        \
    {                                                                                              \
        double lanes[8] = { 0 };                                                                   \
        int64_t i = 0;                                                                             \
        for (; i + 8 <= n; i += 8)                                                                 \
            for (int lane = 0; lane < 8; lane++)                                                   \
                lanes[lane] += values[i + lane];                                                   \
        for (; i < n; i++)                                                                         \
            lanes[i % 8] += values[i];                                                             \
        return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +                                   \
               ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));                                    \
    }                                                                                              \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        (void)arguments;                                                                           \
        double *sums = (double *)data[0];                                                          \
        const type *values = (const type *)data[1];                                                \
        if (strides[0] == 0 && strides[1] == sizeof(type)) {                                       \
            *sums += name##_row(values, n);                                                        \
        } else if (strides[0] == sizeof(double) && strides[1] == sizeof(type)) {                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                sums[i] += values[i];                                                              \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                *(double *)(data[0] + i * strides[0]) +=                                           \
                    *(const type *)(data[1] + i * strides[1]);                                     \
        }                                                                                          \
    }
DEFINE_SUM(sum_f32, float)
DEFINE_SUM(sum_f64, double)

/* `sums` with the tensor's sizes, but each sum seen everywhere that it sums: stride 0 there. */
static kdl_tensor *spread(kdl_tensor *sums, const kdl_tensor *tensor)
{
    int64_t strides[KDL_MAX_DIMS];
    for (int d = 0; d < tensor->ndim; d++)
        strides[d] = sums->dims[d] == 1 ? 0 : sums->strides[d];
    return kdl__tensor_new(tensor->ctx, sums->storage, 0, tensor->ndim, tensor->dims, strides);
}

/* The sums over the dimensions of size 1 in `sizes`, in f64. */
static kdl_tensor *sum_wide(kdl_tensor *tensor, const int64_t *sizes)
{
    kdl_context *ctx = tensor->ctx;
    kdl_tensor *sums = kdl__new_values(ctx, KDL_F64, tensor->ndim, sizes);
    if (!sums)
        return NULL;
    memset(sums->storage->data, 0, kdl_tensor_nbytes(sums));
    kdl_tensor *everywhere = spread(sums, tensor);
    kdl_tensor *operands[] = { everywhere, tensor };
    if (everywhere)
        kdl__loop_run(operands, 2, true, kdl__float_index(tensor) ? sum_f64 : sum_f32, NULL);
    kdl_tensor_release(everywhere);
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
        memcpy(result->storage->data, from, kdl_tensor_nbytes(sums));
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
    return rows && kdl_tensor_data(rows) ? rows : NULL;
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

typedef struct softmax_call {
    int64_t n; /* elements of a row */
    bool logarithm;
} softmax_call;

/* Each call of these loops is for whole rows: operand strides along rows are n elements. */
#define DEFINE_SOFTMAX(name, type, M)                                                              \
    static void name##_row(const type *in, type *out, int64_t n, bool logarithm)                   \
    {                                                                                              \
        type most = n > 0 ? in[0] : 0;                                                             \
        for (int64_t i = 1; i < n; i++)                                                            \
            most = in[i] > most ? in[i] : most;                                                    \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] = M(exp)(in[i] - most);                                                         \
        double sum = name##_sum_row(out, n);                                                       \
        if (logarithm) {                                                                           \
            const type shift = most + (type)log(sum);                                              \
            for (int64_t i = 0; i < n; i++)                                                        \
                out[i] = in[i] - shift;                                                            \
        } else {                                                                                   \
            const type factor = (type)(1 / sum);                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                out[i] *= factor;                                                                  \
        }                                                                                          \
    }                                                                                              \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        const softmax_call *call = arguments;                                                      \
        for (int64_t i = 0; i < n; i++)                                                            \
            name##_row((const type *)(data[1] + i * strides[1]),                                   \
                       (type *)(data[0] + i * strides[0]), call->n, call->logarithm);              \
    }                                                                                              \
    static void name##_grad(const void *arguments, char *const *data, const int64_t *strides,      \
                            int64_t n)                                                             \
    {                                                                                              \
        const softmax_call *call = arguments;                                                      \
        for (int64_t r = 0; r < n; r++) {                                                          \
            type *out = (type *)(data[0] + r * strides[0]);                                        \
            const type *g = (const type *)(data[1] + r * strides[1]);                              \
            const type *y = (const type *)(data[2] + r * strides[2]);                              \
            double sum = 0;                                                                        \
            for (int64_t i = 0; i < call->n; i++)                                                  \
                sum += call->logarithm ? g[i] : g[i] * y[i];                                       \
            for (int64_t i = 0; i < call->n; i++)                                                  \
                out[i] =                                                                           \
                    call->logarithm ? g[i] - M(exp)(y[i]) * (type)sum : (g[i] - (type)sum) * y[i]; \
        }                                                                                          \
    }
#define FLOAT_MATH(function) function##f
#define DOUBLE_MATH(function) function
#define softmax_f32_sum_row sum_f32_row
#define softmax_f64_sum_row sum_f64_row
DEFINE_SOFTMAX(softmax_f32, float, FLOAT_MATH)
DEFINE_SOFTMAX(softmax_f64, double, DOUBLE_MATH)

/* The first element of each row, for a loop over rows. */
static kdl_tensor *row_starts(kdl_tensor *rows)
{
    int64_t n = row_length(rows), count = n ? rows->numel / n : 0;
    return kdl__tensor_new(rows->ctx, rows->storage, rows->offset, 1, &count, &n);
}

static void run_rows(kdl_tensor *const *rows, int count, kdl__inner_loop *inner,
                     const softmax_call *call)
{
    kdl_tensor *starts[3] = { NULL };
    bool ready = true;
    for (int i = 0; i < count; i++) {
        starts[i] = row_starts(rows[i]);
        ready = ready && starts[i];
    }
    if (ready)
        kdl__loop_run(starts, count, false, inner, call);
    for (int i = 0; i < count; i++)
        kdl_tensor_release(starts[i]);
}

kdl_tensor *kdl__compute_softmax(kdl_tensor *tensor, int dim, bool logarithm)
{
    kdl_tensor *rows = as_rows(tensor, dim);
    kdl_tensor *result =
        rows ? kdl__new_values(rows->ctx, rows->storage->dtype, rows->ndim, rows->dims) : NULL;
    if (result) {
        softmax_call call = { row_length(rows), logarithm };
        kdl_tensor *operands[] = { result, rows };
        run_rows(operands, 2, kdl__float_index(rows) ? softmax_f64 : softmax_f32, &call);
    }
    kdl_tensor_release(rows);
    return from_rows(result, dim);
}

kdl_tensor *kdl__compute_softmax_grad(kdl_tensor *grad, kdl_tensor *result, int dim, bool logarithm)
{
    kdl_tensor *g = as_rows(grad, dim), *y = as_rows(result, dim), *out = NULL;
    if (g && y)
        out = kdl__new_values(g->ctx, g->storage->dtype, g->ndim, g->dims);
    if (out) {
        softmax_call call = { row_length(g), logarithm };
        kdl_tensor *operands[] = { out, g, y };
        run_rows(operands, 3, kdl__float_index(g) ? softmax_f64_grad : softmax_f32_grad, &call);
    }
    kdl_tensor_release(g);
    kdl_tensor_release(y);
    return from_rows(out, dim);
}
