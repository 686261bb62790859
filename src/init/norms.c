/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.norm_except_dim(v, 2, dim), with PyTorch's bits: the order of its sums decides them. Rows
 * that lie contiguous it adds up in as many lanes as an AVX2 register has, each product rounded;
 * then lane by lane; of the elements left over it takes four with rounded products (as GCC has
 * vectorised that loop), and fuses the rest. Columns are summed element by element, not fused.
 */
#include <math.h>

#include "init/init.h"

enum { LANES_F32 = 8, LANES_F64 = 4, GROUP = 4 };

/* `lanes` is 1 for columns. */
#define DEFINE_NORM(name, type, square_root, multiply_add)                                         \
    static type name(const type *x, size_t n, size_t lanes)                                        \
    {                                                                                              \
        type sums[LANES_F32] = { 0 }, sum;                                                         \
        size_t i = 0, body = n - n % lanes, group = (n - body) / GROUP * GROUP;                    \
        for (; i < body; i++)                                                                      \
            sums[i % lanes] += x[i] * x[i];                                                        \
        sum = sums[0];                                                                             \
        for (size_t j = 1; j < lanes; j++)                                                         \
            sum += sums[j];                                                                        \
        for (; i < body + group; i++)                                                              \
            sum += x[i] * x[i];                                                                    \
        for (; i < n; i++)                                                                         \
            sum = multiply_add(x[i], x[i], sum);                                                   \
        return square_root(sum);                                                                   \
    }
DEFINE_NORM(norm_f32, float, sqrtf, fmaf)
DEFINE_NORM(norm_f64, double, sqrt, fma)

/* integer[0]: whether the source's rows are columns of what PyTorch sums. */
static kdl_status norm_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                             uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const kdl__kernels *kernels = worker->cursor->kernels;
    const kdl_dtype computed = op->dtype == KDL_F64 ? KDL_F64 : KDL_F32;
    const size_t size = kdl_dtype_nbytes(op->dtype);
    const uint64_t length = (uint64_t)(op->source.region.numel / op->region.numel);
    const size_t lanes = op->integer[0] ? 1 : computed == KDL_F64 ? LANES_F64 : LANES_F32;
    void *row = kdl__alloc_quiet(worker->ctx, length, size);
    double *wide = kdl__alloc_quiet(worker->ctx, length, sizeof *wide);
    kdl_status status = row && wide ? KDL_OK : KDL_ERROR_MEMORY;
    for (uint64_t i = 0; i < count && !status; i++) {
        status = kdl__values_range(&op->source, worker, (first + i) * length, length, row);
        if (status)
            break;
        kernels->convert(op->dtype, row, computed, wide, length);
        float single = computed == KDL_F32 ? norm_f32((const float *)wide, length, lanes) : 0;
        double norm = computed == KDL_F64 ? norm_f64(wide, length, lanes) : 0;
        kernels->convert(computed, computed == KDL_F64 ? (void *)&norm : (void *)&single, op->dtype,
                         (char *)values + i * size, 1);
    }
    kdl_free(worker->ctx, row);
    kdl_free(worker->ctx, wide);
    return status;
}

static kdl_status norm_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    if (!kdl_dtype_is_floating_point(op->dtype))
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "linalg.vector_norm: Expected a floating point or complex tensor as "
                            "input. Got %s",
                            kdl_dtype_scalar_name(op->dtype));
    if (op->source.dtype != op->dtype ||
        (op->region.numel > 0 && op->source.region.numel % op->region.numel != 0))
        return kdl__fail_at(
            ctx, place, KDL_ERROR_RUNTIME,
            "norm_except_dim reads as many elements of its own dtype for each norm");
    return KDL_OK;
}

const kdl__op_class kdl__op_norm_except_dim = {
    .name = "norm_except_dim",
    .flags = KDL__OP_FREE_SOURCE,
    .integer_names = { "columns" },
    .range = norm_range,
    .check = norm_check,
};

/* The tensor as PyTorch goes through it, so that dimension `dim` comes first. */
static kdl_tensor *dimension_first(kdl_tensor *tensor, int dim)
{
    int order[KDL_MAX_DIMS], ndim = tensor->ndim;
    if (dim <= 0 || dim < ndim - 1)
        return kdl_transpose(tensor, 0, dim < 0 ? 0 : dim);
    order[0] = dim;
    for (int d = 1; d < ndim; d++)
        order[d] = d - 1;
    return kdl_permute(tensor, ndim, order);
}

kdl_tensor *kdl__norm_except_dim(kdl_tensor *tensor, int dim, const char *place)
{
    kdl_context *ctx = tensor->ctx;
    kdl_shape shape = { .ndim = dim < 0 ? 0 : tensor->ndim };
    for (int d = 0; d < shape.ndim; d++)
        shape.sizes[d] = d == dim ? tensor->dims[d] : 1;
    if (dim >= 0 && tensor->dims[dim] == 0) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "cannot reshape tensor of 0 elements into shape [%s] because the unspecified "
                     "dimension size -1 can be any value and is ambiguous",
                     dim > 0 && dim == tensor->ndim - 1 ? "-1, 0" : "0, -1");
        return NULL;
    }
    kdl_tensor *norms = kdl_empty(ctx, shape, .dtype = kdl_tensor_dtype(tensor));
    kdl_tensor *rows = norms ? dimension_first(tensor, tensor->ndim > 0 ? dim : -1) : NULL;
    bool columns = dim > 0 && dim == tensor->ndim - 1 && tensor->dims[dim] > 1;
    kdl__op op = { .class = &kdl__op_norm_except_dim, .integer = { columns } };
    if (rows && !kdl__values_of(rows, norms->storage->data == NULL, &op.source))
        kdl__op_apply(norms, &op, NULL, place);
    kdl_tensor_release(rows);
    if (!kdl__failed(ctx))
        return norms;
    kdl_tensor_release(norms);
    return NULL;
}
