/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of the parametrizations that the core computes: weight_norm, spectral_norm. */
#include <math.h>

#include "autograd/parametrize_ops.h"
#include "kindling/functional.h"

/* The sum over all dimensions but `dim` (-1: over all), which stay. One reference. */
static kdl_tensor *sum_but(kdl_tensor *tensor, int dim)
{
    uint32_t all = UINT32_MAX;
    return tensor ? kdl__compute_sum(tensor, dim < 0 ? all : all & ~(1U << dim), true) : NULL;
}

/*
 * w = g v / |v|: with s = sum(grad v) / |v|, that of g is s, that of v g / |v| (grad - v s / |v|).
 */
static void weight_norm_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    int dim = (int)function->integers[0];
    kdl_tensor *g = kdl__saved_value(function, 0), *v = kdl__saved_value(function, 1);
    if (!g || !v)
        return;
    kdl_tensor *squares = kdl__hold(&scope, kdl_square(v));
    kdl_tensor *norm = kdl__hold(&scope, kdl_sqrt(kdl__hold(&scope, sum_but(squares, dim))));
    kdl_tensor *product = kdl__hold(&scope, kdl_mul_tensor(grad, v));
    kdl_tensor *sum = kdl__hold(&scope, sum_but(product, dim));
    kdl_tensor *s = kdl__hold(&scope, kdl_div_tensor(sum, norm));
    if (s && kdl__needs(function, 0))
        kdl__give(function, 0, kdl_reshape(s, kdl_tensor_shape(g)));
    kdl_tensor *slope = kdl__hold(&scope, kdl_div_tensor(s, norm));
    kdl_tensor *along = kdl__hold(&scope, kdl_mul_tensor(v, slope));
    kdl_tensor *across = kdl__hold(&scope, kdl_sub_tensor(grad, along));
    kdl_tensor *length = kdl__hold(&scope, norm ? kdl_reshape(g, kdl_tensor_shape(norm)) : NULL);
    kdl_tensor *factor = kdl__hold(&scope, kdl_div_tensor(length, norm));
    if (factor && kdl__needs(function, 1))
        kdl__give(function, 1, kdl_mul_tensor(across, factor));
    kdl__close(&scope, NULL);
}

/* A tensor as a matrix whose rows are dimension `dim`. One reference. */
static kdl_tensor *as_matrix(kdl_tensor *tensor, int dim)
{
    kdl__scope scope = { 0 };
    int order[KDL_MAX_DIMS] = { dim };
    for (int d = 0, count = 1; d < tensor->ndim; d++)
        if (d != dim)
            order[count++] = d;
    kdl_tensor *turned = kdl__hold(&scope, kdl_permute(tensor, tensor->ndim, order));
    return kdl__close(&scope, kdl_reshape(turned, KDL_SHAPE(tensor->dims[dim], -1)));
}

/* Back to where the matrix came from. Consumes it. */
static kdl_tensor *from_matrix(kdl_tensor *matrix, const kdl_tensor *like, int dim)
{
    kdl__scope scope = { 0 };
    kdl_shape shape = { .sizes = { like->dims[dim] }, .ndim = like->ndim };
    int back[KDL_MAX_DIMS];
    for (int d = 0, count = 1; d < like->ndim; d++) {
        back[d] = d == dim ? 0 : count;
        if (d != dim)
            shape.sizes[count++] = like->dims[d];
    }
    kdl_tensor *wide = kdl__hold(&scope, kdl_reshape(kdl__hold(&scope, matrix), shape));
    return kdl__close(&scope, kdl_permute(wide, like->ndim, back));
}

/* y = W / (u . W v), u and v constant: grad / sigma - sum(grad y) / sigma u v. */
static void spectral_norm_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    int dim = (int)function->integers[0];
    kdl_tensor *weight = kdl__saved_value(function, 0), *u = kdl__saved_value(function, 1);
    kdl_tensor *v = kdl__saved_value(function, 2);
    if (!weight || !u || !v)
        return;
    kdl_tensor *w = kdl__hold(&scope, as_matrix(weight, dim));
    kdl_tensor *g = kdl__hold(&scope, as_matrix(grad, dim));
    kdl_tensor *image = kdl__hold(&scope, kdl_matmul(w, v));
    kdl_tensor *sigma = kdl__hold(&scope, kdl_matmul(u, image));
    kdl_tensor *y = kdl__hold(&scope, kdl_div_tensor(w, sigma));
    kdl_tensor *sum = kdl__hold(&scope, kdl_sum(kdl__hold(&scope, kdl_mul_tensor(g, y))));
    kdl_tensor *column = kdl__hold(&scope, kdl_unsqueeze(u, 1));
    kdl_tensor *outer = kdl__hold(&scope, kdl_mul_tensor(column, v));
    kdl_tensor *along = kdl__hold(&scope, kdl_mul_tensor(outer, sum));
    kdl_tensor *rest = kdl__hold(&scope, kdl_sub_tensor(g, along));
    kdl_tensor *result = kdl_div_tensor(rest, sigma);
    kdl__give(function, 0, result ? from_matrix(result, weight, dim) : NULL);
    kdl__close(&scope, NULL);
}

/* y = w / max(|w|, eps) of a vector: (g - y (g . y)) / |w|, or where eps counts g / eps. */
static void unit_vector_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    kdl_tensor *weight = kdl__saved_value(function, 0), *least = kdl__saved_value(function, 1);
    kdl_tensor *w = kdl__hold(&scope, weight ? kdl_to(weight, KDL_F64) : NULL);
    kdl_tensor *g = kdl__hold(&scope, kdl_to(grad, KDL_F64));
    kdl_tensor *norm = kdl__hold(&scope, kdl_norm_dim(w, 2, 0, false));
    if (!norm || !g || !least)
        goto end;
    double length = kdl__element(norm, 0), eps = kdl__element(least, 0);
    if (length >= eps) {
        kdl_tensor *y = kdl__hold(&scope, kdl_div(w, length));
        kdl_tensor *along = kdl__hold(&scope, kdl_sum(kdl__hold(&scope, kdl_mul_tensor(g, y))));
        g = kdl__hold(&scope, kdl_sub_tensor(g, kdl__hold(&scope, kdl_mul_tensor(y, along))));
    }
    kdl_tensor *result = kdl_div(g, fmax(length, eps));
    kdl__give(function, 0, kdl__cast(result, grad->storage->dtype));
end:
    kdl__close(&scope, NULL);
}

static const kdl__function_class unit_vector_class = { "DivBackward0", unit_vector_backward };
static const kdl__function_class weight_norm_class = { "WeightNormInterfaceBackward0",
                                                       weight_norm_backward };
static const kdl__function_class spectral_norm_class = { "DivBackward0", spectral_norm_backward };

void kdl__record_derived(kdl_tensor *result, kdl__derivation how, int detail,
                         kdl_tensor *const *inputs)
{
    static const struct {
        const kdl__function_class *class;
        int inputs, saved;
    } kinds[] = {
        [KDL__DERIVED_WEIGHT_NORM] = { &weight_norm_class, 2, 2 },
        [KDL__DERIVED_SPECTRAL_NORM] = { &spectral_norm_class, 1, 3 },
        [KDL__DERIVED_UNIT_VECTOR] = { &unit_vector_class, 1, 2 },
    };
    if (how == KDL__DERIVED_ORTHOGONAL) {
        kdl__record_orthogonal(result, detail, inputs[0], inputs[1]);
        return;
    }
    kdl__function *function = kdl__record_list(result, kinds[how].class, kinds[how].inputs, inputs);
    if (function)
        function->integers[0] = detail;
    for (int i = 0; i < kinds[how].saved; i++)
        kdl__save(function, i, inputs[i]);
}
