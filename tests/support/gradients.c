/* SPDX-License-Identifier: Apache-2.0 */
#include "support/gradients.h"

#include <math.h>

#include "kindling/train.h"
#include "support/counting_allocator.h"
#include "support/tensors.h"
#include "support/unit.h"

kdl_tensor *weighted_sum(kdl_tensor *tensor)
{
    kdl_tensor *flat = kdl_reshape(tensor, KDL_SHAPE(-1)), *weights = NULL;
    if (flat)
        weights = kdl_linspace(kdl_tensor_context(flat), 0.5, 1.5, kdl_tensor_numel(flat),
                               .dtype = kdl_tensor_dtype(flat));
    kdl_tensor *product = kdl_mul_tensor(flat, weights), *sum = kdl_sum(product);
    release_all(flat, weights, product);
    return sum;
}

void check_leaf(kdl_tensor *leaf, double (*value)(void *data), void *data)
{
    static const double step = 1e-6;
    kdl_context *ctx = kdl_tensor_context(leaf);
    double *values = kdl_tensor_data(leaf);
    const double *grad = kdl_tensor_data(kdl_tensor_grad(leaf));
    assert_non_null(grad);
    bool was = kdl_set_grad_enabled(ctx, false);
    for (int64_t i = 0; i < kdl_tensor_numel(leaf); i++) {
        double kept = values[i];
        values[i] = kept + step;
        double above = value(data);
        values[i] = kept - step;
        double below = value(data);
        values[i] = kept;
        assert_float_equal(grad[i], (above - below) / (2 * step), 1e-6 * (1 + fabs(grad[i])));
    }
    kdl_set_grad_enabled(ctx, was);
}

/* ---- functions of two tensors ------------------------------------------------------------ */

typedef struct operands {
    gradient_body *function;
    kdl_tensor *a, *b;
} operands;

static kdl_tensor *compute(const operands *o)
{
    kdl_tensor *value = o->function(o->a, o->b), *sum = weighted_sum(value);
    kdl_tensor_release(value);
    return sum;
}

static double evaluate(void *data)
{
    kdl_tensor *sum = compute(data);
    assert_non_null(sum);
    double value = kdl_tensor_item(sum);
    kdl_tensor_release(sum);
    return value;
}

void check_gradients(kdl_context *ctx, gradient_body *const *functions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        operands o = { functions[i], kdl_rand(ctx, KDL_SHAPE(3, 4), .dtype = KDL_F64),
                       kdl_rand(ctx, KDL_SHAPE(3, 4), .dtype = KDL_F64) };
        kdl_add_(o.a, 0.3);
        kdl_add_(o.b, 0.4);
        kdl_requires_grad_(o.a, true);
        kdl_requires_grad_(o.b, true);
        kdl_tensor *sum = compute(&o);
        assert_int_equal(kdl_backward(sum), KDL_OK);
        kdl_tensor_release(sum);
        check_leaf(o.a, evaluate, &o);
        if (kdl_tensor_grad(o.b))
            check_leaf(o.b, evaluate, &o);
        release_all(o.a, o.b);
    }
}

/* ---- failing memory ---------------------------------------------------------------------- */

static void compute_once(kdl_context *ctx, gradient_body *function, bool backward)
{
    kdl_tensor *a = kdl_full(ctx, KDL_SHAPE(3, 4), 0.5, .dtype = KDL_F64, .requires_grad = true);
    kdl_tensor *b = kdl_full(ctx, KDL_SHAPE(3, 4), 1, .dtype = KDL_F64, .requires_grad = true);
    kdl_tensor *value = a && b ? function(a, b) : NULL, *sum = kdl_sum(value);
    if (backward)
        kdl_backward(sum);
    release_all(a, b, value, sum);
}

static kdl_status compute_twice(kdl_context *ctx, void *data)
{
    gradient_body *const *function = data;
    kdl_train_enable(ctx);
    for (int backward = 0; backward < 2 && !kdl_error_status(ctx); backward++)
        compute_once(ctx, *function, backward);
    return kdl_error_status(ctx);
}

void check_gradient_allocations(gradient_body *const *functions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gradient_body *function = functions[i];
        check_allocation_failures(compute_twice, &function);
    }
}
