/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, means, extremes and softmax, with gradients. */
#include <string.h>

#include "autograd/lines.h"
#include "compute/unary.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* The result in the dtype of what it was computed from. Consumes both references. */
static kdl_tensor *finish(kdl_tensor *result, kdl_tensor *x, kdl_dtype dtype)
{
    kdl_tensor_release(x);
    bool is_index = result && !kdl_dtype_is_floating_point(result->storage->dtype);
    return is_index ? result : kdl__cast(result, dtype);
}

/* ---- sum, mean --------------------------------------------------------------------------- */

/* numbers.a times a gradient of the result, seen at every element; integers[0]: the dimensions. */
static void sum_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl_shape shape = { .ndim = input->ndim }, once = shape;
    for (int d = 0; d < input->ndim; d++) {
        shape.sizes[d] = input->sizes[d];
        once.sizes[d] = function->integers[0] >> d & 1 ? 1 : input->sizes[d];
    }
    kdl__scope scope = { 0 };
    kdl_tensor *scaled =
        function->numbers.a == 1
            ? grad
            : kdl__hold(&scope, kdl__compute_unary(&kdl__unaries[KDL__UNARY_mul_number], grad,
                                                   function->numbers));
    kdl_tensor *wide = kdl__hold(&scope, scaled ? kdl_reshape(scaled, once) : NULL);
    kdl__give(function, 0, kdl__close(&scope, wide ? kdl_expand(wide, shape) : NULL));
}

static const kdl__function_class sum_class = { "SumBackward0", sum_backward };
static const kdl__function_class sum_dim_class = { "SumBackward1", sum_backward };
static const kdl__function_class mean_class = { "MeanBackward0", sum_backward };
static const kdl__function_class mean_dim_class = { "MeanBackward1", sum_backward };

/* The sum of integers or bool: i64, and what is too large wraps around. */
static kdl_tensor *sum_integers(kdl_tensor *tensor, uint32_t mask, bool keepdim)
{
    kdl__scope scope = { 0 };
    kdl_shape all = kdl_tensor_shape(tensor), left = { .ndim = all.ndim }, without = { .ndim = 0 };
    for (int d = 0; d < all.ndim; d++) {
        left.sizes[d] = mask >> d & 1 ? 1 : all.sizes[d];
        if (!(mask >> d & 1))
            without.sizes[without.ndim++] = all.sizes[d];
    }
    kdl_tensor *wide = kdl__hold(&scope, kdl_to(tensor, KDL_I64));
    kdl_tensor *rows = kdl__hold(&scope, kdl__in_rows(wide));
    kdl_tensor *sums =
        kdl__hold(&scope, rows ? kdl__new_values(rows->ctx, KDL_I64, left.ndim, left.sizes) : NULL);
    if (!sums)
        return kdl__close(&scope, NULL);
    const int64_t *values = (const int64_t *)rows->storage->data + rows->offset;
    uint64_t *to = sums->storage->data;
    memset(to, 0, kdl_tensor_nbytes(sums));
    for (int64_t i = 0; i < rows->numel; i++) {
        int64_t rest = i, place = 0, stride = 1;
        for (int d = all.ndim - 1; d >= 0; rest /= all.sizes[d], stride *= left.sizes[d], d--)
            place += left.sizes[d] == 1 ? 0 : rest % all.sizes[d] * stride;
        to[place] += (uint64_t)values[i];
    }
    return kdl__close(&scope, kdl_reshape(sums, keepdim ? left : without));
}

/* The sum over dimensions, divided by how many elements each is of for a mean. */
static kdl_tensor *sum(kdl_tensor *tensor, uint32_t mask, bool keepdim, bool mean,
                       const kdl__function_class *class, const char *place)
{
    if (!mean && !kdl__refuses(tensor) && !kdl_dtype_is_floating_point(tensor->storage->dtype))
        return sum_integers(tensor, mask, keepdim);
    kdl_tensor *x = kdl__operand(tensor, place);
    if (!x)
        return NULL;
    int64_t count = 1;
    for (int d = 0; d < x->ndim; d++)
        count *= mask >> d & 1 ? x->dims[d] : 1;
    kdl_tensor *result = kdl__compute_sum(x, mask, keepdim);
    if (result && mean) {
        kdl_tensor *total = result;
        result = kdl__compute_unary(&kdl__unaries[KDL__UNARY_div_number], total,
                                    (kdl__numbers){ (double)count, 0, 0 });
        kdl_tensor_release(total);
    }
    kdl__function *function = kdl__record(result, class, 1, x);
    if (function) {
        function->numbers.a = mean ? 1 / (double)count : 1;
        function->integers[0] = mask;
    }
    return finish(result, x, tensor->storage->dtype);
}

kdl_tensor *kdl_sum(kdl_tensor *tensor)
{
    return sum(tensor, UINT32_MAX, false, false, &sum_class, __func__);
}

kdl_tensor *kdl_mean(kdl_tensor *tensor)
{
    return sum(tensor, UINT32_MAX, false, true, &mean_class, __func__);
}

kdl_tensor *kdl_sum_dim(kdl_tensor *tensor, int dim, bool keepdim)
{
    return kdl_sum_dims(tensor, 1, &dim, keepdim);
}

kdl_tensor *kdl_mean_dim(kdl_tensor *tensor, int dim, bool keepdim)
{
    return kdl_mean_dims(tensor, 1, &dim, keepdim);
}

kdl_tensor *kdl_sum_dims(kdl_tensor *tensor, int count, const int *dims, bool keepdim)
{
    uint32_t mask;
    if (kdl__refuses(tensor) || !kdl__dims_mask(tensor, count, dims, &mask))
        return NULL;
    return sum(tensor, count ? mask : UINT32_MAX, keepdim, false, &sum_dim_class, __func__);
}

kdl_tensor *kdl_mean_dims(kdl_tensor *tensor, int count, const int *dims, bool keepdim)
{
    uint32_t mask;
    if (kdl__refuses(tensor) || !kdl__dims_mask(tensor, count, dims, &mask))
        return NULL;
    return sum(tensor, count ? mask : UINT32_MAX, keepdim, true, &mean_dim_class, __func__);
}

/* ---- any, all ------------------------------------------------------------------------------ */

/* Whether some element is true or, with `negate`, whether some is false. */
static bool has(const kdl_tensor *rows, bool negate)
{
    const unsigned char *values = (const unsigned char *)rows->storage->data + rows->offset;
    for (int64_t i = 0; i < rows->numel; i++)
        if ((values[i] != 0) != negate)
            return true;
    return false;
}

static kdl_tensor *any(kdl_tensor *tensor, bool negate)
{
    kdl__scope scope = { 0 };
    kdl_tensor *truth = kdl__hold(&scope, kdl__refuses(tensor) ? NULL : kdl_ne(tensor, 0));
    kdl_tensor *rows = kdl__hold(&scope, kdl__in_rows(truth));
    kdl_tensor *result = rows ? kdl__new_values(rows->ctx, KDL_BOOL, 0, NULL) : NULL;
    if (result)
        *(unsigned char *)result->storage->data = has(rows, negate) != negate;
    return kdl__close(&scope, result);
}

kdl_tensor *kdl_any(kdl_tensor *tensor)
{
    return any(tensor, false);
}

kdl_tensor *kdl_all(kdl_tensor *tensor)
{
    return any(tensor, true);
}

/* ---- max, min ---------------------------------------------------------------------------- */

/* The gradient at the elements that were chosen, zeros elsewhere. */
static void extreme_dim_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl_tensor *indices = kdl__saved_value(function, 0);
    kdl_tensor *whole =
        indices ? kdl__new_values(function->ctx, grad->storage->dtype, input->ndim, input->sizes)
                : NULL;
    kdl_tensor *flat = whole ? kdl_contiguous(grad) : NULL;
    if (flat && kdl_tensor_data(flat)) {
        size_t size = kdl_dtype_nbytes(grad->storage->dtype);
        int64_t inner = 1, n = input->ndim ? input->sizes[function->integers[0]] : 1;
        for (int d = (int)function->integers[0] + 1; d < input->ndim; d++)
            inner *= input->sizes[d];
        memset(whole->storage->data, 0, kdl_tensor_nbytes(whole));
        const int64_t *index = indices->storage->data;
        for (int64_t i = 0; i < indices->numel; i++) {
            int64_t at = (i / inner * n + index[i]) * inner + i % inner;
            memcpy((char *)whole->storage->data + (size_t)at * size,
                   (const char *)flat->storage->data + (size_t)(flat->offset + i) * size, size);
        }
    }
    kdl__give(function, 0, kdl_tensor_retain(whole));
    kdl_tensor_release(whole);
    kdl_tensor_release(flat);
}

static const kdl__function_class max_class = { "MaxBackward0", extreme_dim_backward };
static const kdl__function_class min_class = { "MinBackward0", extreme_dim_backward };

static kdl_tensor *extreme(kdl_tensor *tensor, int dim, bool keepdim, bool least,
                           kdl_tensor **indices, const char *place)
{
    kdl_tensor *x = kdl__operand(tensor, place), *values = NULL, *where = NULL;
    if (!x || (dim = kdl__dim_of(x, dim)) < 0) {
        kdl_tensor_release(x);
        return NULL;
    }
    if (x->ndim > 0 && x->dims[dim] == 0)
        kdl__fail_at(x->ctx, place, KDL_ERROR_INDEX,
                     "%s(): Expected reduction dim %d to have non-zero size.",
                     least ? "min" : "max", dim);
    else if (!kdl__compute_extreme(x, dim, keepdim, least, &values, &where)) {
        kdl__function *function = kdl__record(values, least ? &min_class : &max_class, 1, x);
        if (function)
            function->integers[0] = dim;
        kdl__save(function, 0, where);
    }
    if (indices)
        *indices = kdl_tensor_retain(where);
    kdl_tensor_release(where);
    return finish(values, x, tensor->storage->dtype);
}

kdl_tensor *kdl_max_dim(kdl_tensor *tensor, int dim, bool keepdim, kdl_tensor **indices)
{
    return extreme(tensor, dim, keepdim, false, indices, __func__);
}

kdl_tensor *kdl_min_dim(kdl_tensor *tensor, int dim, bool keepdim, kdl_tensor **indices)
{
    return extreme(tensor, dim, keepdim, true, indices, __func__);
}

static kdl_tensor *extreme_index(kdl_tensor *tensor, int dim, bool keepdim, bool least,
                                 const char *place)
{
    kdl_tensor *indices = NULL;
    kdl_tensor_release(extreme(tensor, dim, keepdim, least, &indices, place));
    return indices;
}

kdl_tensor *kdl_argmax(kdl_tensor *tensor, int dim, bool keepdim)
{
    return extreme_index(tensor, dim, keepdim, false, __func__);
}

kdl_tensor *kdl_argmin(kdl_tensor *tensor, int dim, bool keepdim)
{
    return extreme_index(tensor, dim, keepdim, true, __func__);
}

/* ---- softmax ----------------------------------------------------------------------------- */

static void softmax_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *result = kdl__saved_value(function, 0);
    if (result)
        kdl__give(function, 0,
                  kdl__compute_softmax_grad(grad, result, (int)function->integers[0],
                                            function->integers[1]));
}

static const kdl__function_class softmax_class = { "SoftmaxBackward0", softmax_backward };
static const kdl__function_class log_softmax_class = { "LogSoftmaxBackward0", softmax_backward };

static kdl_tensor *softmax(kdl_tensor *tensor, int dim, bool logarithm, const char *place)
{
    kdl_tensor *x = kdl__operand(tensor, place);
    if (!x || (dim = kdl__dim_of(x, dim)) < 0) {
        kdl_tensor_release(x);
        return NULL;
    }
    kdl_tensor *result = kdl__compute_softmax(x, dim, logarithm);
    kdl__function *function =
        kdl__record(result, logarithm ? &log_softmax_class : &softmax_class, 1, x);
    if (function) {
        function->integers[0] = dim;
        function->integers[1] = logarithm;
    }
    kdl__save(function, 0, result);
    return finish(result, x, tensor->storage->dtype);
}

kdl_tensor *kdl_f_softmax(kdl_tensor *tensor, int dim)
{
    return softmax(tensor, dim, false, __func__);
}

kdl_tensor *kdl_f_log_softmax(kdl_tensor *tensor, int dim)
{
    return softmax(tensor, dim, true, __func__);
}
