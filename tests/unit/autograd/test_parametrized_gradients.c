/* SPDX-License-Identifier: Apache-2.0 */
/* Parametrizations while gradients are recorded: whose flow, and what is refused. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

static kdl_tensor *triple(kdl_module *module, kdl_tensor *x)
{
    (void)module;
    return kdl_mul(x, 3);
}
static const kdl_module_class tripled = { .name = "Triple", .forward = triple };

/* Of one's own: the original gets the gradient. */
static void test_own(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2);
    kdl_register_parametrization(linear, "weight", kdl_module_new(ctx, &tripled));
    kdl_tensor *original = kdl_parameter(linear, "parametrizations.weight.original");
    assert_true(kdl_tensor_is_leaf(original));
    kdl_tensor *weight = kdl_parametrized(linear, "weight"), *sum = kdl_sum(weight);
    assert_true(kdl_tensor_requires_grad(weight));
    kdl_backward(sum);
    assert_true(kdl_tensor_get(kdl_tensor_grad(original), (const int64_t[]){ 1, 0 }) == 3);
    kdl_tensor_release(sum);
    kdl_tensor_release(weight);
    kdl_remove_parametrizations(linear, "weight", true);
    assert_true(kdl_tensor_is_leaf(kdl_parameter(linear, "weight")));
    kdl_module_release(linear);
}

/* One that has no gradients: registered and removed as ever, computed only without recording. */
static void test_refused(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 4, 4);
    kdl_parametrizations_orthogonal(linear);
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(1, 4));
    for (int i = 0; i < 2; i++) {
        assert_null(i == 0 ? kdl_parametrized(linear, "weight") : kdl_forward(linear, input));
        assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                     "_Orthogonal has no gradients: switch them off (kdl_set_grad_enabled)");
    }
    bool was = kdl_set_grad_enabled(ctx, false);
    kdl_tensor *weight = kdl_parametrized(linear, "weight"), *output = kdl_forward(linear, input);
    kdl_set_grad_enabled(ctx, was);
    assert_false(kdl_tensor_requires_grad(weight));
    assert_non_null(output);
    assert_null(kdl_parameter(linear, "weight"));
    kdl_set_parametrized(linear, "weight", weight);
    assert_true(kdl_is_grad_enabled(ctx));
    kdl_tensor_release(output);
    kdl_tensor_release(weight);
    kdl_remove_parametrizations(linear, "weight", true);
    assert_true(kdl_tensor_requires_grad(kdl_parameter(linear, "weight")));
    kdl_tensor_release(input);
    kdl_module_release(linear);
}

/* The sum of the squares of what a module gives for some numbers; computes the gradients where enabled. */
static double loss_of(void *module)
{
    kdl_context *ctx = kdl_module_context(module);
    kdl_tensor *input = kdl_linspace(ctx, 0.1, 0.9, 15, .dtype = KDL_F64);
    kdl_tensor *rows = kdl_reshape(input, KDL_SHAPE(5, 3)), *output = kdl_forward(module, rows);
    kdl_tensor *squares = kdl_square(output), *sum = kdl_sum(squares);
    double value = kdl_tensor_item(sum);
    if (kdl_is_grad_enabled(ctx))
        kdl_backward(sum);
    release_all(input, rows, output, squares, sum);
    return value;
}

static void test_norms(void **state)
{
    kdl_context *ctx = *state;
    for (int which = 0; which < 2; which++) {
        kdl_module *linear = kdl_nn_linear(ctx, 3, 4, .dtype = KDL_F64);
        if (which == 0)
            kdl_parametrizations_weight_norm(linear);
        else
            kdl_parametrizations_spectral_norm(linear);
        kdl_module_train(linear, false);
        loss_of(linear);
        for (kdl_iterator it = kdl_named_parameters(linear); kdl_next(&it);)
            check_leaf(it.tensor, loss_of, linear);
        kdl_module_release(linear);
    }
}

static kdl_status train(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 3, 4), kdl_nn_linear(ctx, 4, 2));
    kdl_parametrizations_weight_norm(kdl_child(net, 0));
    kdl_parametrizations_spectral_norm(kdl_child(net, 1));
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(2, 3));
    kdl_tensor *output = net && input ? kdl_forward(net, input) : NULL, *sum = kdl_sum(output);
    kdl_backward(sum);
    release_all(input, output, sum);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(train, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_own),
        TRAINING_TEST(test_refused),
        TRAINING_TEST(test_norms),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
