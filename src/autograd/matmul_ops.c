/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices with gradients: matmul and linear. */
#include "autograd/function.h"
#include "compute/unary.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* The last two dimensions exchanged; one reference. */
static kdl_tensor *transposed(kdl_tensor *tensor)
{
    return tensor ? kdl_transpose(tensor, -2, -1) : NULL;
}

/* ---- batches ----------------------------------------------------------------------------- */

/*
 * The sizes of a b, whose batches are broadcast; false, with PyTorch's error, where they do not
 * fit.
 */
static bool product_sizes(const kdl_tensor *a, const kdl_tensor *b, kdl_shape *shape)
{
    kdl_context *ctx = a->ctx;
    int64_t k = a->dims[a->ndim - 1];
    if (k != b->dims[b->ndim - 2]) {
        kdl__fail_at(ctx, "kdl_matmul", KDL_ERROR_RUNTIME,
                     "mat1 and mat2 shapes cannot be multiplied (%" PRId64 "x%" PRId64
                     " and %" PRId64 "x%" PRId64 ")",
                     a->dims[a->ndim - 2], k, b->dims[b->ndim - 2], b->dims[b->ndim - 1]);
        return false;
    }
    *shape = kdl_tensor_shape(a);
    shape->ndim -= 2;
    if (!kdl__broadcast_sizes(ctx, "kdl_matmul", shape, b->ndim - 2, b->dims))
        return false;
    shape->sizes[shape->ndim++] = a->dims[a->ndim - 2];
    shape->sizes[shape->ndim++] = b->dims[b->ndim - 1];
    return true;
}

kdl_tensor *kdl__multiply(kdl_tensor *a, kdl_tensor *b, double alpha)
{
    kdl_shape shape;
    if (!a || !b || !product_sizes(a, b, &shape))
        return NULL;
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, shape.ndim, shape.sizes);
    if (result)
        kdl__compute_matmul(a, b, alpha, 0, result);
    return result;
}

/* g b^T and a^T g: batches that were broadcast are summed on the way. */
static void matmul_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *a = kdl__saved_value(function, 0), *b = kdl__saved_value(function, 1);
    if (b && kdl__needs(function, 0)) {
        kdl_tensor *other = transposed(b);
        kdl__give(function, 0, kdl__multiply(grad, other, 1));
        kdl_tensor_release(other);
    }
    if (a && kdl__needs(function, 1)) {
        kdl_tensor *other = transposed(a);
        kdl__give(function, 1, kdl__multiply(other, grad, 1));
        kdl_tensor_release(other);
    }
}

static const kdl__function_class mm_class = { "MmBackward0", matmul_backward };
static const kdl__function_class bmm_class = { "BmmBackward0", matmul_backward };

/* ---- matmul ------------------------------------------------------------------------------ */

/* PyTorch's functions that matmul() leads to; each has words of its own. */
typedef enum product_kind { DOT, MV, MM, BMM } product_kind;

static product_kind product_of(const kdl_tensor *a, const kdl_tensor *b)
{
    if (b->ndim == 1)
        return a->ndim == 1 ? DOT : MV;
    return a->ndim > 2 && b->ndim > 2 ? BMM : MM;
}

static void fail_dtypes(const kdl_tensor *a, const kdl_tensor *b, const char *place)
{
    kdl_dtype left = a->storage->dtype, right = b->storage->dtype;
    const char *m = kdl_dtype_scalar_name(left), *n = kdl_dtype_scalar_name(right);
    switch (product_of(a, b)) {
    case DOT:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "dot : expected both vectors to have same dtype, but found %s and %s", m, n);
        return;
    case MV:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "addmv input tensors must have the same dtype, but got %s, %s, and %s", n, m,
                     n);
        return;
    case MM:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "expected m1 and m2 to have the same dtype, but got: %s != %s",
                     kdl__dtype_cpp_name(left), kdl__dtype_cpp_name(right));
        return;
    case BMM:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME, "expected scalar type %s but found %s", m,
                     n);
    }
}

/* The sizes but the last, or the last two, as one: how many rows, or matrices. */
static int64_t count_before(const kdl_tensor *tensor, int last)
{
    int64_t count = 1;
    for (int d = 0; d < tensor->ndim - last; d++)
        count *= tensor->dims[d];
    return count;
}

static void fail_sizes(const kdl_tensor *a, const kdl_tensor *b, const char *place)
{
    int64_t k = a->dims[a->ndim - 1], l = b->dims[b->ndim - (b->ndim > 1 ? 2 : 1)];
    int64_t rows = count_before(a, 1), columns = b->dims[b->ndim - 1];
    switch (product_of(a, b)) {
    case DOT:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "inconsistent tensor size, expected tensor [%" PRId64 "] and src [%" PRId64
                     "] to have the same number of elements, but got %" PRId64 " and %" PRId64
                     " elements respectively",
                     k, l, k, l);
        return;
    case MV:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "size mismatch, got input (%" PRId64 "), mat (%" PRId64 "x%" PRId64
                     "), vec (%" PRId64 ")",
                     rows, rows, k, l);
        return;
    case MM:
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "mat1 and mat2 shapes cannot be multiplied (%" PRId64 "x%" PRId64
                     " and %" PRId64 "x%" PRId64 ")",
                     rows, k, l, columns);
        return;
    case BMM:
        rows = count_before(a, 2);
        if (rows < count_before(b, 2))
            rows = count_before(b, 2);
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "Expected size for first two dimensions of batch2 tensor to be: [%" PRId64
                     ", %" PRId64 "] but got: [%" PRId64 ", %" PRId64 "].",
                     rows, k, rows, l);
    }
}

/* Batches may not fit either: product_sizes() says so. */
static bool check_product(kdl_tensor *a, kdl_tensor *b, const char *place)
{
    kdl_tensor *both[] = { a, b };
    if (!kdl__usable(place, 2, both))
        return false;
    if (a->ndim == 0 || b->ndim == 0)
        kdl__fail_at(a->ctx, place, KDL_ERROR_RUNTIME,
                     "both arguments to matmul need to be at least 1D, but they are %dD and %dD",
                     a->ndim, b->ndim);
    else if (a->storage->dtype != b->storage->dtype)
        fail_dtypes(a, b, place);
    else if (a->dims[a->ndim - 1] != b->dims[b->ndim - (b->ndim > 1 ? 2 : 1)])
        fail_sizes(a, b, place);
    else if (!kdl_dtype_is_floating_point(a->storage->dtype))
        kdl__fail_at(a->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "not implemented for tensors of %s: convert them with kdl_to()",
                     kdl_dtype_name(a->storage->dtype));
    return !kdl__failed(a->ctx);
}

/* Consumes `tensor`. */
static kdl_tensor *squeezed(kdl_tensor *tensor, int dim)
{
    kdl_tensor *result = tensor ? kdl_squeeze(tensor, dim) : NULL;
    kdl_tensor_release(tensor);
    return result;
}

/* One that computes with f32 or f64, and is a matrix or a batch. One reference. */
static kdl_tensor *as_matrices(kdl_tensor *tensor, int dim)
{
    kdl_dtype dtype = tensor->storage->dtype == KDL_F64 ? KDL_F64 : KDL_F32;
    return kdl__cast(tensor->ndim == 1 ? kdl_unsqueeze(tensor, dim) : kdl_tensor_retain(tensor),
                     dtype);
}

kdl_tensor *kdl_matmul(kdl_tensor *a, kdl_tensor *b)
{
    if (!check_product(a, b, __func__))
        return NULL;
    kdl_tensor *left = as_matrices(a, 0), *right = as_matrices(b, 1);
    kdl_tensor *result = kdl__multiply(left, right, 1);
    kdl__function *function =
        kdl__record(result, result && result->ndim > 2 ? &bmm_class : &mm_class, 2, left, right);
    kdl__save_factors(function, left, right);
    kdl_tensor_release(left);
    kdl_tensor_release(right);
    if (result && a->ndim == 1)
        result = squeezed(result, -2);
    if (result && b->ndim == 1)
        result = squeezed(result, -1);
    return kdl__cast(result, a->storage->dtype);
}

/* ---- bmm, addmm ---------------------------------------------------------------------------- */

static bool check_ndim(const kdl_tensor *tensor, int ndim, const char *name, const char *place)
{
    if (tensor->ndim == ndim)
        return true;
    kdl__fail_at(tensor->ctx, place, KDL_ERROR_RUNTIME,
                 ndim == 3 ? "%s must be a 3D tensor" : "%s must be a matrix, got %d-D tensor",
                 name, tensor->ndim);
    return false;
}

kdl_tensor *kdl_bmm(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *both[] = { a, b };
    if (!kdl__usable(__func__, 2, both) || !check_ndim(a, 3, "batch1", __func__) ||
        !check_ndim(b, 3, "batch2", __func__) || !check_product(a, b, __func__))
        return NULL;
    if (a->dims[0] != b->dims[0] || a->dims[2] != b->dims[1]) {
        kdl__fail(a->ctx, KDL_ERROR_RUNTIME,
                  "Expected size for first two dimensions of batch2 tensor to be: [%" PRId64
                  ", %" PRId64 "] but got: [%" PRId64 ", %" PRId64 "].",
                  a->dims[0], a->dims[2], b->dims[0], b->dims[1]);
        return NULL;
    }
    return kdl_matmul(a, b);
}

bool kdl__check_addmm_dtypes(kdl_tensor *mat1, kdl_tensor *mat2, kdl_tensor *self,
                             const char *place)
{
    kdl_dtype x = mat1->storage->dtype, w = mat2->storage->dtype;
    kdl_dtype b = self ? self->storage->dtype : w;
    if (x == w && b == w && kdl_dtype_is_floating_point(x))
        return true;
    if (x == w && b == w)
        kdl__fail_at(mat1->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "not implemented for tensors of %s: convert them with kdl_to()",
                     kdl_dtype_name(x));
    else if (self)
        kdl__fail_at(mat1->ctx, place, KDL_ERROR_RUNTIME,
                     "%s and mat2 must have the same dtype, but got %s and %s",
                     b != w ? "self" : "mat1", kdl_dtype_scalar_name(b != w ? b : x),
                     kdl_dtype_scalar_name(w));
    else
        kdl__fail_at(mat1->ctx, place, KDL_ERROR_RUNTIME,
                     "expected m1 and m2 to have the same dtype, but got: %s != %s",
                     kdl__dtype_cpp_name(x), kdl__dtype_cpp_name(w));
    return false;
}

kdl_tensor *kdl_addmm(kdl_tensor *input, kdl_tensor *mat1, kdl_tensor *mat2, double beta,
                      double alpha)
{
    kdl_tensor *all[] = { mat1, mat2, input };
    if (!kdl__usable(__func__, 3, all) || !check_ndim(mat1, 2, "mat1", __func__) ||
        !check_ndim(mat2, 2, "mat2", __func__) ||
        !kdl__check_addmm_dtypes(mat1, mat2, input, __func__) ||
        !check_product(mat1, mat2, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *product = kdl__hold(&scope, kdl_matmul(mat1, mat2)), *wide;
    product = alpha == 1 ? product : kdl__hold(&scope, kdl_mul(product, alpha));
    wide = kdl__hold(&scope, product ? kdl_expand(input, kdl_tensor_shape(product)) : NULL);
    if (beta != 1)
        wide = kdl__hold(&scope, beta == 0 ? kdl_zeros_like(wide) : kdl_mul(wide, beta));
    return kdl__named(kdl__close(&scope, kdl_add_tensor(product, wide)), "AddmmBackward0");
}

/* ---- which algorithms ------------------------------------------------------------------------ */

void kdl_use_deterministic_algorithms(kdl_context *ctx, bool mode)
{
    ctx->deterministic = mode;
}

bool kdl_are_deterministic_algorithms_enabled(const kdl_context *ctx)
{
    return ctx->deterministic;
}

/* ---- linear ------------------------------------------------------------------------------ */

/* Rows of `values` in each row of the matrix. */
static void repeat_row(kdl_tensor *matrix, kdl_tensor *values)
{
    kdl_tensor *operands[] = { matrix, values };
    static const kdl__numbers none = { 0 };
    kdl__loop_run(operands, 2, kdl__unaries[KDL__UNARY_add_number].forward[kdl__loops_of(matrix)],
                  &none);
}

/* input weight^T + bias, of matrices. */
static kdl_tensor *multiply_add(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias)
{
    int64_t sizes[] = { input->dims[0], weight->dims[0] };
    kdl_tensor *result = kdl__new_values(input->ctx, input->storage->dtype, 2, sizes);
    kdl_tensor *turned = result ? transposed(weight) : NULL;
    if (turned && bias)
        repeat_row(result, bias);
    if (turned)
        kdl__compute_matmul(input, turned, 1, bias ? 1 : 0, result);
    kdl_tensor_release(turned);
    return result;
}

static void linear_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *input = kdl__saved_value(function, 0), *weight = kdl__saved_value(function, 1);
    if (weight && kdl__needs(function, 0))
        kdl__give(function, 0, kdl__multiply(grad, weight, 1));
    if (input && kdl__needs(function, 1)) {
        kdl_tensor *turned = transposed(grad);
        kdl__give(function, 1, kdl__multiply(turned, input, 1));
        kdl_tensor_release(turned);
    }
    if (function->count > 2 && kdl__needs(function, 2))
        kdl__give(function, 2, kdl__compute_sum(grad, 1, false));
}

static const kdl__function_class linear_class = { "AddmmBackward0", linear_backward };

static bool check_linear(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias)
{
    const char *place = "kdl_f_linear";
    kdl_tensor *all[] = { input, weight, bias };
    if (!kdl__usable(place, bias ? 3 : 2, all))
        return false;
    kdl_context *ctx = input->ctx;
    int64_t rows = count_before(input, 1);
    if (input->ndim == 0 || weight->ndim == 0)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "both arguments to linear need to be at least 1D, but they are %dD and %dD",
                     input->ndim, weight->ndim);
    else if (weight->ndim > 2)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "t() expects a tensor with <= 2 dimensions, but self is %dD", weight->ndim);
    else if (weight->ndim == 1)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "mat2 must be a matrix, got 1-D tensor");
    else if (!kdl__check_addmm_dtypes(input, weight, bias, place))
        return false;
    else if (input->dims[input->ndim - 1] != weight->dims[1])
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "mat1 and mat2 shapes cannot be multiplied (%" PRId64 "x%" PRId64
                     " and %" PRId64 "x%" PRId64 ")",
                     rows, input->dims[input->ndim - 1], weight->dims[1], weight->dims[0]);
    else if (bias && bias->ndim != 1)
        kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "a bias of 1 dimension is needed, not of %d", bias->ndim);
    else if (bias && bias->dims[0] != weight->dims[0])
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "The expanded size of the tensor (%" PRId64 ") must match the existing size "
                     "(%" PRId64 ") at non-singleton dimension 1.  Target sizes: [%" PRId64
                     ", %" PRId64 "].  Tensor sizes: [%" PRId64 "]",
                     weight->dims[0], bias->dims[0], rows, weight->dims[0], bias->dims[0]);
    return !kdl__failed(ctx);
}

/* All but the last dimension made one. One reference. */
static kdl_tensor *as_rows_of(kdl_tensor *tensor)
{
    return kdl_reshape(tensor, KDL_SHAPE(count_before(tensor, 1), tensor->dims[tensor->ndim - 1]));
}

/* Back to the input's batch. Consumes `rows`. */
static kdl_tensor *like_batch(kdl_tensor *rows, const kdl_tensor *input)
{
    if (!rows || input->ndim == 2)
        return rows;
    kdl_shape shape = kdl_tensor_shape(input);
    shape.sizes[shape.ndim - 1] = rows->dims[1];
    kdl_tensor *result = kdl_view(rows, shape);
    kdl_tensor_release(rows);
    return result;
}

kdl_tensor *kdl_f_linear(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias)
{
    if (!check_linear(input, weight, bias))
        return NULL;
    kdl_dtype dtype = input->storage->dtype, computed = dtype == KDL_F64 ? KDL_F64 : KDL_F32;
    kdl_tensor *rows = as_rows_of(input);
    kdl_tensor *x = kdl__cast(rows, computed), *w = kdl_to(weight, computed);
    kdl_tensor *b = bias ? kdl_to(bias, computed) : NULL;
    kdl_tensor *result = NULL;
    if (x && w && (b || !bias)) {
        result = multiply_add(x, w, b);
        kdl__function *function = kdl__record(result, &linear_class, b ? 3 : 2, x, w, b);
        kdl__save_factors(function, x, w);
    }
    kdl_tensor_release(x);
    kdl_tensor_release(w);
    kdl_tensor_release(b);
    return kdl__cast(like_batch(result, input), dtype);
}
