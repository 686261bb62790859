/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that are composed of other functions: with parameters, draws or two halves. */
#include <string.h>

#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

kdl_tensor *kdl_f_glu(kdl_tensor *input, int dim)
{
    if (!kdl__usable(__func__, 1, &input))
        return NULL;
    if (input->ndim == 0) {
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "glu does not support scalars because halving size must be even");
        return NULL;
    }
    dim = kdl__wrap_dim(input->ctx, dim, input->ndim);
    if (dim < 0)
        return NULL;
    int64_t half = input->dims[dim] / 2;
    if (input->dims[dim] % 2) {
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "Halving dimension must be even, but dimension %d is size %" PRId64, dim,
                  input->dims[dim]);
        return NULL;
    }
    kdl__scope scope = { 0 };
    kdl_tensor *value = kdl__hold(&scope, kdl_narrow(input, dim, 0, half));
    kdl_tensor *gate = kdl__hold(&scope, kdl_narrow(input, dim, half, half));
    return kdl__close(&scope, kdl_mul_tensor(value, kdl__hold(&scope, kdl_sigmoid(gate))));
}

kdl_tensor *kdl_f_softmin(kdl_tensor *input, int dim)
{
    kdl__scope scope = { 0 };
    return kdl__close(&scope, kdl_f_softmax(kdl__hold(&scope, kdl_neg(input)), dim));
}

/* ---- a slope for what is not positive ------------------------------------------------------ */

/* input where it is above 0, else slope * input. */
static kdl_tensor *with_slope(kdl_tensor *input, kdl_tensor *slope)
{
    kdl__scope scope = { 0 };
    kdl_tensor *scaled = kdl__hold(&scope, kdl_mul_tensor(input, slope));
    return kdl__close(&scope, kdl_where(kdl__hold(&scope, kdl_gt(input, 0)), input, scaled));
}

static bool check_slopes(const kdl_tensor *input, const kdl_tensor *weight)
{
    int64_t channels = input->ndim > 1 ? input->dims[1] : 1;
    if (weight->storage->dtype != input->storage->dtype)
        kdl__fail_at(input->ctx, "kdl_f_prelu", KDL_ERROR_RUNTIME,
                     "prelu: Type promoting not supported. Got %s and %s",
                     kdl_dtype_scalar_name(input->storage->dtype),
                     kdl_dtype_scalar_name(weight->storage->dtype));
    else if (input->ndim == 0 && weight->numel != 1)
        kdl__fail_at(input->ctx, "kdl_f_prelu", KDL_ERROR_RUNTIME,
                     "Not allow zero-dim input tensor.");
    else if ((weight->numel == 1 || weight->numel == channels) && weight->ndim > 1)
        kdl__fail_at(input->ctx, "kdl_f_prelu", KDL_ERROR_RUNTIME,
                     "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = %d",
                     weight->ndim);
    else if (weight->numel != 1 && weight->numel != channels)
        kdl__fail_at(input->ctx, "kdl_f_prelu", KDL_ERROR_RUNTIME,
                     "Mismatch of parameter numbers and input channel size. Found parameter "
                     "numbers = %" PRId64 " and channel size = %" PRId64 ".",
                     weight->numel, channels);
    return !kdl__failed(input->ctx);
}

kdl_tensor *kdl_f_prelu(kdl_tensor *input, kdl_tensor *weight)
{
    kdl_tensor *both[] = { input, weight };
    if (!kdl__usable(__func__, 2, both) || !check_slopes(input, weight))
        return NULL;
    kdl_shape shape = { .ndim = input->ndim };
    for (int d = 0; d < shape.ndim; d++)
        shape.sizes[d] = d == 1 ? weight->numel : 1;
    kdl__scope scope = { 0 };
    return kdl__close(&scope, with_slope(input, kdl__hold(&scope, kdl_reshape(weight, shape))));
}

/* How many elements are not above 0: those that draw. */
static int64_t count_drawing(const kdl_tensor *x)
{
    int64_t count = 0;
    for (int64_t i = 0; i < x->numel; i++)
        count += kdl__element(x, i) <= 0;
    return count;
}

/*
 * at::rrelu_with_noise: for each element that is not above 0, in row-major order, a slope is drawn
 * as a double between the bounds as elements, not fused as uniform_() does it; the others have 1.
 * `x` is row-major, in memory.
 */
static kdl_tensor *draw_slopes(const kdl_tensor *x, double lower, double upper)
{
    kdl__scope scope = { 0 };
    kdl_tensor *noise = kdl__new_values(x->ctx, KDL_F64, x->ndim, x->dims);
    int64_t count = count_drawing(x);
    kdl_tensor *drawn = kdl__hold(&scope, kdl__new_values(x->ctx, KDL_F64, 1, &count));
    if (!noise || !drawn || kdl_uniform_(drawn, 0, 1)) {
        kdl_tensor_release(noise);
        return kdl__close(&scope, NULL);
    }
    lower = kdl__as_element(x->storage->dtype, lower);
    upper = kdl__as_element(x->storage->dtype, upper);
    const double *next = drawn->storage->data;
    double *slopes = noise->storage->data;
    for (int64_t i = 0; i < x->numel; i++)
        slopes[i] = kdl__element(x, i) <= 0 ? *next++ * (upper - lower) + lower : 1;
    return kdl__close(&scope, noise);
}

kdl_tensor *kdl_f_rrelu(kdl_tensor *input, double lower, double upper, bool training)
{
    if (!kdl__usable(__func__, 1, &input))
        return NULL;
    if (!(lower <= upper)) {
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "Lower bound should be less than or equal to the upper bound");
        return NULL;
    }
    if (!training)
        return kdl_f_leaky_relu(input, (lower + upper) / 2);
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_contiguous(input));
    kdl_tensor *noise =
        x && kdl_tensor_data(x) ? kdl__hold(&scope, draw_slopes(x, lower, upper)) : NULL;
    kdl_tensor *slopes = kdl__hold(&scope, kdl_to(noise, input->storage->dtype));
    return kdl__close(&scope, kdl_mul_tensor(input, slopes));
}
