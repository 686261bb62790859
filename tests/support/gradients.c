/* SPDX-License-Identifier: Apache-2.0 */
#include "support/gradients.h"

#include <math.h>

#include "kindling/train.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

/* The sum of what the function gives, weighted so that no element is like another. */
static kdl_tensor *weighted(gradient_body *function, kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *value = function(a, b);
    kdl_tensor *flat = value ? kdl_reshape(value, KDL_SHAPE(-1)) : NULL;
    kdl_tensor *weights = NULL, *product = NULL, *sum = NULL;
    if (flat)
        weights =
            kdl_linspace(kdl_tensor_context(a), 0.5, 1.5, kdl_tensor_numel(flat), .dtype = KDL_F64);
    if (weights)
        product = kdl_mul_tensor(flat, weights);
    if (product)
        sum = kdl_sum(product);
    kdl_tensor_release(value);
    kdl_tensor_release(flat);
    kdl_tensor_release(weights);
    kdl_tensor_release(product);
    return sum;
}

static double evaluate(gradient_body *function, kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *sum = weighted(function, a, b);
    assert_non_null(sum);
    double value = kdl_tensor_item(sum);
    kdl_tensor_release(sum);
    return value;
}

static void check_gradient(gradient_body *function, kdl_tensor *a, kdl_tensor *b, kdl_tensor *moved)
{
    static const double step = 1e-6;
    double *values = kdl_tensor_data(moved);
    const double *grad = kdl_tensor_data(kdl_tensor_grad(moved));
    for (int64_t i = 0; i < kdl_tensor_numel(moved); i++) {
        double kept = values[i];
        values[i] = kept + step;
        double above = evaluate(function, a, b);
        values[i] = kept - step;
        double below = evaluate(function, a, b);
        values[i] = kept;
        assert_float_equal(grad[i], (above - below) / (2 * step), 1e-6 * (1 + fabs(grad[i])));
    }
}

void check_gradients(kdl_context *ctx, gradient_body *function)
{
    kdl_tensor *a = kdl_rand(ctx, KDL_SHAPE(3, 4), .dtype = KDL_F64);
    kdl_tensor *b = kdl_rand(ctx, KDL_SHAPE(3, 4), .dtype = KDL_F64);
    kdl_add_(a, 0.3);
    kdl_add_(b, 0.4);
    kdl_requires_grad_(a, true);
    kdl_requires_grad_(b, true);
    kdl_tensor *sum = weighted(function, a, b);
    assert_int_equal(kdl_backward(sum), KDL_OK);
    kdl_tensor_release(sum);
    bool was = kdl_set_grad_enabled(ctx, false);
    check_gradient(function, a, b, a);
    if (kdl_tensor_grad(b))
        check_gradient(function, a, b, b);
    kdl_set_grad_enabled(ctx, was);
    kdl_tensor_release(a);
    kdl_tensor_release(b);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static void compute(kdl_context *ctx, gradient_body *function, bool backward)
{
    kdl_tensor *a = kdl_full(ctx, KDL_SHAPE(3, 4), 0.5, .dtype = KDL_F64, .requires_grad = true);
    kdl_tensor *b = kdl_full(ctx, KDL_SHAPE(3, 4), 1, .dtype = KDL_F64, .requires_grad = true);
    kdl_tensor *value = a && b ? function(a, b) : NULL, *sum = kdl_sum(value);
    if (backward)
        kdl_backward(sum);
    kdl_tensor *all[] = { a, b, value, sum };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kdl_tensor_release(all[i]);
}

static kdl_status compute_twice(kdl_context *ctx, void *data)
{
    gradient_body *const *function = data;
    kdl_train_enable(ctx);
    for (int backward = 0; backward < 2 && !kdl_error_status(ctx); backward++)
        compute(ctx, *function, backward);
    return kdl_error_status(ctx);
}

void check_gradient_allocations(gradient_body *const *functions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gradient_body *function = functions[i];
        check_allocation_failures(compute_twice, &function);
    }
}
