/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, means, extremes and softmax, with gradients. */
#include <string.h>

#include "autograd/function.h"
#include "compute/unary.h"
#include "kindling/functional.h"

/* The result in the dtype of what it was computed from. Consumes both references. */
static kdl_tensor *finish(kdl_tensor *result, kdl_tensor *x, kdl_dtype dtype)
{
    kdl_tensor_release(x);
    bool is_index = result && !kdl_dtype_is_floating_point(result->storage->dtype);
    return is_index ? result : kdl__cast(result, dtype);
}

/* A dimension of the tensor, or -1 with IndexError; 0 or -1 of a tensor without dimensions: 0. */
static int dimension(const kdl_tensor *tensor, int dim)
{
    return kdl__wrap_dim(tensor->ctx, dim, tensor->ndim ? tensor->ndim : 1);
}

/* ---- sum, mean --------------------------------------------------------------------------- */

/* A gradient of the result, seen at every element of the input: numbers.a times. */
static void sum_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl_tensor *scaled =
        function->numbers.a == 1
            ? kdl_tensor_retain(grad)
            : kdl__compute_unary(&kdl__unaries[KDL__UNARY_mul_number], grad, function->numbers);
    kdl_tensor *wide = scaled;
    kdl_shape shape = { .ndim = input->ndim };
    for (int d = 0; d < input->ndim; d++)
        shape.sizes[d] = input->sizes[d];
    int64_t dim = function->integers[0];
    if (scaled && dim >= 0 && input->ndim > 0 && scaled->ndim < input->ndim) {
        wide = kdl_unsqueeze(scaled, (int)dim);
        kdl_tensor_release(scaled);
    }
    kdl__give(function, 0, wide ? kdl_expand(wide, shape) : NULL);
    kdl_tensor_release(wide);
}

static const kdl__function_class sum_class = { "SumBackward0", sum_backward };
static const kdl__function_class sum_dim_class = { "SumBackward1", sum_backward };
static const kdl__function_class mean_class = { "MeanBackward0", sum_backward };
static const kdl__function_class mean_dim_class = { "MeanBackward1", sum_backward };

/* The sum over dimension `dim`, or all of them (-1), divided by how many it is of for a mean. */
static kdl_tensor *sum(kdl_tensor *tensor, int dim, bool keepdim, bool mean,
                       const kdl__function_class *class, const char *place)
{
    kdl_tensor *x = kdl__operand(tensor, place);
    if (!x)
        return NULL;
    int64_t count = dim < 0 ? x->numel : x->ndim ? x->dims[dim] : 1;
    kdl_tensor *result = kdl__compute_sum(x,
                                          dim < 0   ? UINT32_MAX
                                          : x->ndim ? 1U << dim
                                                    : 0,
                                          keepdim);
    if (result && mean) {
        kdl_tensor *total = result;
        result = kdl__compute_unary(&kdl__unaries[KDL__UNARY_div_number], total,
                                    (kdl__numbers){ (double)count, 0, 0 });
        kdl_tensor_release(total);
    }
    kdl__function *function = kdl__record(result, class, 1, x);
    if (function) {
        function->numbers.a = mean ? 1 / (double)count : 1;
        function->integers[0] = dim;
    }
    return finish(result, x, tensor->storage->dtype);
}

kdl_tensor *kdl_sum(kdl_tensor *tensor)
{
    return sum(tensor, -1, false, false, &sum_class, __func__);
}

kdl_tensor *kdl_mean(kdl_tensor *tensor)
{
    return sum(tensor, -1, false, true, &mean_class, __func__);
}

kdl_tensor *kdl_sum_dim(kdl_tensor *tensor, int dim, bool keepdim)
{
    if (kdl__refuses(tensor) || (dim = dimension(tensor, dim)) < 0)
        return NULL;
    return sum(tensor, dim, keepdim, false, &sum_dim_class, __func__);
}

kdl_tensor *kdl_mean_dim(kdl_tensor *tensor, int dim, bool keepdim)
{
    if (kdl__refuses(tensor) || (dim = dimension(tensor, dim)) < 0)
        return NULL;
    return sum(tensor, dim, keepdim, true, &mean_dim_class, __func__);
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
    if (!x || (dim = dimension(x, dim)) < 0) {
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
    if (!x || (dim = dimension(x, dim)) < 0) {
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
