/* SPDX-License-Identifier: Apache-2.0 */
/* orthogonal_: normals, their QR factorisation, Q with the signs of R's diagonal, times gain. */
#include <string.h>

#include "init/init.h"
#include "init/lapack.h"
#include "init/qr.h"

/* ---- matrices ---------------------------------------------------------------------------- */

/* Element (i, j) of `from` becomes (j, i) of `to`, in blocks that fit a cache. */
static inline void transpose_elements(char *to, const char *from, size_t rows, size_t columns,
                                      size_t size)
{
    enum { BLOCK = 32 };
    for (size_t i0 = 0; i0 < rows; i0 += BLOCK)
        for (size_t j0 = 0; j0 < columns; j0 += BLOCK)
            for (size_t j = j0; j < columns && j < j0 + BLOCK; j++)
                for (size_t i = i0; i < rows && i < i0 + BLOCK; i++)
                    memcpy(to + (j * rows + i) * size, from + (i * columns + j) * size, size);
}

static void transpose(kdl_dtype dtype, void *to, const void *from, size_t rows, size_t columns)
{
    if (dtype == KDL_F32)
        transpose_elements(to, from, rows, columns, sizeof(float));
    else
        transpose_elements(to, from, rows, columns, sizeof(double));
}

/* A column-major m x n matrix of a dtype, m >= n, to become Q; and the diagonal of R. */
typedef struct matrix {
    kdl_dtype dtype;
    size_t m, n;
    void *a;
    void *diagonal;
} matrix;

/* In f64 whatever the dtype; only Q's elements are rounded to it. */
static kdl_status factor_builtin(kdl__worker *worker, matrix *x)
{
    const kdl__kernels *kernels = worker->cursor->kernels;
    size_t size = kdl_dtype_nbytes(x->dtype), ld = kdl__qr_leading_dimension(x->m);
    double *wide = kdl__alloc_quiet(worker->ctx, x->n, ld * sizeof *wide);
    double *diagonal = kdl__alloc_quiet(worker->ctx, x->n, sizeof *diagonal);
    kdl_status status = wide && diagonal ? KDL_OK : KDL_ERROR_MEMORY;
    for (size_t j = 0; j < x->n && !status; j++)
        kernels->convert(x->dtype, (char *)x->a + j * x->m * size, KDL_F64, wide + j * ld, x->m);
    if (!status)
        status = kdl__qr(worker->ctx, kernels, x->m, x->n, wide, ld, diagonal);
    for (size_t j = 0; j < x->n && !status; j++)
        kernels->convert(KDL_F64, wide + j * ld, x->dtype, (char *)x->a + j * x->m * size, x->m);
    if (!status)
        kernels->convert(KDL_F64, diagonal, x->dtype, x->diagonal, x->n);
    kdl_free(worker->ctx, wide);
    kdl_free(worker->ctx, diagonal);
    return status;
}

/* Each column times the sign of its diagonal element, then times gain: both roundings PyTorch's. */
static void scale_columns(matrix *x, double gain)
{
    for (size_t j = 0; j < x->n; j++) {
        if (x->dtype == KDL_F32) {
            float *column = (float *)x->a + j * x->m, r = ((float *)x->diagonal)[j];
            float sign = (float)((r > 0) - (r < 0));
            for (size_t i = 0; i < x->m; i++)
                column[i] = column[i] * sign * (float)gain;
        } else {
            double *column = (double *)x->a + j * x->m, r = ((double *)x->diagonal)[j];
            double sign = (r > 0) - (r < 0);
            for (size_t i = 0; i < x->m; i++)
                column[i] = column[i] * sign * gain;
        }
    }
}

/* ---- the op ------------------------------------------------------------------------------ */

static kdl__fill normals_of(const kdl__op *op)
{
    kdl__fill fill = kdl__normal_of(op->dtype, (uint64_t)op->region.numel, true, 0, 1);
    fill.has_spare = fill.distribution == KDL__NORMAL_SERIAL && op->spare.present;
    return fill;
}

static uint64_t orthogonal_draws(const kdl__op *op)
{
    kdl__fill fill = normals_of(op);
    return kdl__fill_draws(&fill);
}

static bool orthogonal_leaves_spare(const kdl__op *op, uint64_t *offset)
{
    kdl__fill fill = normals_of(op);
    return kdl__fill_leaves_spare(&fill, offset);
}

/* The normals, row-major. */
static void draw(const kdl__op *op, kdl__worker *worker, void *values)
{
    kdl__fill fill = normals_of(op);
    if (fill.has_spare)
        fill.spare = kdl__spare_value(&op->spare, worker->cursor);
    kdl__fill_range(&fill, op->at.segment->stream, kdl__op_start(op), worker->cursor, 0, fill.numel,
                    values);
}

static kdl_status orthogonal_prepare(const kdl__op *op, kdl__worker *worker,
                                     kdl__prepared *prepared)
{
    kdl_context *ctx = worker->ctx;
    size_t size = kdl_dtype_nbytes(op->dtype), numel = (size_t)op->region.numel;
    size_t rows = (size_t)op->region.sizes[0], columns = numel / rows;
    bool tall = rows >= columns; /* else the transposed matrix is factored: row-major is that */
    matrix x = { .dtype = op->dtype, .m = tall ? rows : columns, .n = tall ? columns : rows };
    void *values = prepared->whole = kdl__alloc_quiet(ctx, numel, size);
    x.a = tall ? kdl__alloc_quiet(ctx, numel, size) : values;
    x.diagonal = kdl__alloc_quiet(ctx, x.n, size);
    kdl_status status = values && x.a && x.diagonal ? KDL_OK : KDL_ERROR_MEMORY;
    if (!status) {
        draw(op, worker, values);
        if (tall)
            transpose(op->dtype, x.a, values, rows, columns);
        const kdl__lapack *lapack = kdl__lapack_of(ctx);
        status = lapack ? kdl__lapack_qr(lapack, ctx, op->dtype, x.m, x.n, x.a, x.diagonal)
                        : factor_builtin(worker, &x);
    }
    if (!status) {
        scale_columns(&x, op->number[0]);
        if (tall)
            transpose(op->dtype, values, x.a, columns, rows);
    }
    if (tall)
        kdl_free(ctx, x.a);
    kdl_free(ctx, x.diagonal);
    return status;
}

static kdl_status orthogonal_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                   uint64_t first, uint64_t count, void *values)
{
    (void)worker;
    size_t size = kdl_dtype_nbytes(op->dtype);
    memcpy(values, (const char *)whole + first * size, count * size);
    return KDL_OK;
}

static kdl_status orthogonal_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (op->region.ndim < 2)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "Only tensors with 2 or more dimensions are supported");
    if (op->dtype != KDL_F32 && op->dtype != KDL_F64)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"geqrf_cpu\" not implemented for '%s'",
                            kdl_dtype_scalar_name(op->dtype));
    bool serial = normals_of(op).distribution == KDL__NORMAL_SERIAL;
    op->class = serial ? &kdl__op_orthogonal_serial : &kdl__op_orthogonal;
    return KDL_OK;
}

const kdl__op_class kdl__op_orthogonal = {
    .name = "orthogonal",
    .number_names = { "gain" },
    .draws = orthogonal_draws,
    .prepare = orthogonal_prepare,
    .range = orthogonal_range,
    .check = orthogonal_check,
};

const kdl__op_class kdl__op_orthogonal_serial = {
    .name = "orthogonal_serial",
    .number_names = { "gain" },
    .draws = orthogonal_draws,
    .leaves_spare = orthogonal_leaves_spare,
    .prepare = orthogonal_prepare,
    .range = orthogonal_range,
    .check = orthogonal_check,
};

/* ---- orthogonal_ ------------------------------------------------------------------------- */

/* PyTorch finds out about dtypes, views and overlaps only after it has drawn. */
static kdl_status draw_in_vain(kdl_tensor *tensor, kdl_generator *generator, const char *place)
{
    kdl_tensor *drawn =
        kdl_empty(tensor->ctx, KDL_SHAPE(tensor->numel), .dtype = kdl_tensor_dtype(tensor));
    kdl__fill_normal(drawn, 0, 1, generator, place);
    kdl_tensor_release(drawn);
    return tensor->ctx->status;
}

static bool is_matrix(const kdl_tensor *tensor)
{
    int64_t strides[2], sizes[] = { tensor->dims[0], tensor->numel / tensor->dims[0] };
    return kdl__view_strides(tensor, 2, sizes, strides);
}

kdl_status kdl_init_orthogonal_with_(kdl_tensor *tensor, const kdl_init_gain_options *options)
{
    static const kdl_init_gain_options defaults = KDL_INIT_GAIN_DEFAULTS;
    static const char place[] = "kdl_init_orthogonal_";
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl_context *ctx = tensor->ctx;
    if (!options)
        options = &defaults;
    kdl_generator *generator = kdl__generator_or_default(ctx, options->generator);
    if (!generator || (tensor->ndim >= 2 && tensor->numel == 0))
        return ctx->status;
    kdl__op op = { .number = { options->gain }, .dtype = kdl_tensor_dtype(tensor) };
    kdl__region_of(tensor, &op.region);
    bool has_qr = op.dtype == KDL_F32 || op.dtype == KDL_F64;
    bool fits = tensor->ndim >= 2 && is_matrix(tensor);
    if (tensor->ndim >= 2 && (!has_qr || !fits || kdl__tensor_overlaps(tensor)) &&
        draw_in_vain(tensor, generator, place))
        return ctx->status;
    if (orthogonal_check(&op, ctx, place))
        return ctx->status;
    if (!fits)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s", KDL__NO_VIEW);
    return kdl__init_apply(tensor, &op, generator, place);
}
