/* SPDX-License-Identifier: Apache-2.0 */
/* dirac_ and sparse_: tensors of mostly zeros. */
#include <math.h>
#include <string.h>

#include "init/init.h"

/* ---- dirac_ ------------------------------------------------------------------------------ */

/* One in the middle of the kernel from each group's input channel d to its output channel d. */
static kdl_status dirac_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                              uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const int64_t *sizes = op->region.sizes;
    size_t size = kdl_dtype_nbytes(op->dtype);
    double value = 1;
    uint64_t one = 0, kernel = 1, middle = 0;
    worker->cursor->kernels->convert(KDL_F64, &value, op->dtype, &one, 1);
    memset(values, 0, count * size);
    if (op->integer[0] <= 0)
        return KDL_OK;
    for (int d = 2; d < op->region.ndim; d++) {
        kernel *= (uint64_t)sizes[d];
        middle = middle * (uint64_t)sizes[d] + (uint64_t)sizes[d] / 2;
    }
    uint64_t inputs = (uint64_t)sizes[1], row_numel = inputs * kernel;
    uint64_t group = (uint64_t)(sizes[0] / op->integer[0]);
    for (uint64_t row = first / row_numel; row * row_numel < first + count; row++) {
        uint64_t channel = row % group, at = row * row_numel + channel * kernel + middle;
        if (channel < inputs && at >= first && at < first + count)
            memcpy((char *)values + (at - first) * size, &one, size);
    }
    return KDL_OK;
}

static kdl_status dirac_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    int64_t groups = op->integer[0];
    const int64_t *sizes = op->region.sizes;
    if (op->region.ndim < 3 || op->region.ndim > 5)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "Only tensors with 3, 4, or 5 dimensions are supported");
    if (groups == 0)
        return kdl__fail_at(ctx, place, KDL_ERROR_ZERO_DIVISION, "integer modulo by zero");
    if (sizes[0] % groups != 0)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "dim 0 must be divisible by groups");
    bool any = groups > 0 && sizes[0] > 0 && sizes[1] > 0;
    for (int d = 2; d < op->region.ndim && any; d++)
        if (sizes[d] == 0)
            return kdl__fail_at(ctx, place, KDL_ERROR_INDEX,
                                "index 0 is out of bounds for dimension %d with size 0", d);
    return KDL_OK;
}

const kdl__op_class kdl__op_dirac = {
    .name = "dirac",
    .integer_names = { "groups" },
    .range = dirac_range,
    .check = dirac_check,
};

kdl_status kdl_init_dirac_with_(kdl_tensor *tensor, const kdl_init_dirac_options *options)
{
    static const kdl_init_dirac_options defaults = KDL_INIT_DIRAC_DEFAULTS;
    static const char place[] = "kdl_init_dirac_";
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl__op op = { .class = &kdl__op_dirac,
                   .integer = { (options ? options : &defaults)->groups } };
    kdl__region_of(tensor, &op.region);
    if (dirac_check(&op, tensor->ctx, place))
        return tensor->ctx->status;
    return kdl__init_apply(tensor, &op, NULL, place);
}

/* ---- sparse_ ----------------------------------------------------------------------------- */

static uint64_t sparse_draws(const kdl__op *op)
{
    return (uint64_t)op->region.sizes[1] * kdl__permutation_draws((uint64_t)op->region.sizes[0]);
}

/* A bit for each element, row-major: whether it is zeroed. */
static kdl_status sparse_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    uint64_t rows = (uint64_t)op->region.sizes[0], columns = (uint64_t)op->region.sizes[1];
    uint64_t zeros = (uint64_t)op->integer[0];
    int64_t *order = kdl__alloc_quiet(worker->ctx, rows, sizeof *order);
    unsigned char *mask = kdl__alloc_quiet(worker->ctx, rows * columns / 8 + 1, 1);
    prepared->whole = mask;
    if (!order || !mask) {
        kdl_free(worker->ctx, order);
        return KDL_ERROR_MEMORY;
    }
    memset(mask, 0, rows * columns / 8 + 1);
    kdl__cursor_move(worker->cursor, op->at.segment->stream, kdl__op_start(op));
    for (uint64_t column = 0; column < columns; column++) {
        kdl__permutation(order, rows, worker->cursor);
        for (uint64_t i = 0; i < zeros; i++) {
            uint64_t bit = (uint64_t)order[i] * columns + column;
            mask[bit / 8] |= (unsigned char)(1u << bit % 8);
        }
    }
    kdl_free(worker->ctx, order);
    return KDL_OK;
}

static kdl_status sparse_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                               uint64_t first, uint64_t count, void *values)
{
    (void)worker;
    const unsigned char *mask = whole;
    size_t size = kdl_dtype_nbytes(op->dtype);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bit = first + i;
        if (mask[bit / 8] >> bit % 8 & 1)
            memset((char *)values + i * size, 0, size);
    }
    return KDL_OK;
}

static kdl_status sparse_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    int64_t zeros = op->integer[0];
    if (op->region.ndim != 2)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "Only tensors with 2 dimensions are supported");
    if (zeros < 0 || zeros > op->region.sizes[0])
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "%lld zeros in a column of %lld rows",
                            (long long)zeros, (long long)op->region.sizes[0]);
    return KDL_OK;
}

const kdl__op_class kdl__op_sparse = {
    .name = "sparse",
    .flags = KDL__OP_READS,
    .integer_names = { "zeros" },
    .draws = sparse_draws,
    .prepare = sparse_prepare,
    .range = sparse_range,
    .check = sparse_check,
};

/* How many of the rows a slice [:count] takes, as Python counts. */
static int64_t sliced_rows(double count, int64_t rows)
{
    if (count >= (double)rows)
        return rows;
    if (count >= 0)
        return (int64_t)count;
    return count <= -(double)rows ? 0 : rows + (int64_t)count;
}

kdl_status kdl_init_sparse_with_(kdl_tensor *tensor, double sparsity,
                                 const kdl_init_sparse_options *options)
{
    static const kdl_init_sparse_options defaults = KDL_INIT_SPARSE_DEFAULTS;
    static const char place[] = "kdl_init_sparse_";
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl_context *ctx = tensor->ctx;
    if (!options)
        options = &defaults;
    if (tensor->ndim != 2)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "Only tensors with 2 dimensions are supported");
    int64_t rows = tensor->dims[0];
    double zeros = ceil(sparsity * (double)rows);
    if (!isfinite(zeros))
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "cannot convert float %s to integer",
                            isnan(zeros) ? "NaN" : "infinity");
    kdl_generator *chooser = kdl_default_generator(ctx);
    if (!chooser || kdl__fill_normal(tensor, 0, options->std, options->generator, place))
        return ctx->status;
    kdl__op op = { .class = &kdl__op_sparse, .integer = { sliced_rows(zeros, rows) } };
    return kdl__init_apply(tensor, &op, chooser, place);
}
