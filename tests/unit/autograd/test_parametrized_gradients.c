/* SPDX-License-Identifier: Apache-2.0 */
/* Parametrizations while gradients are recorded: whose flow, and what is refused. */
#include "kindling/train.h"
#include "support/unit.h"

static int set_up(void **state)
{
    *state = kdl_context_new(NULL);
    if (!*state)
        return 1;
    kdl_manual_seed(*state, 1);
    return kdl_train_enable(*state) != KDL_OK;
}

static int tear_down(void **state)
{
    int failed = kdl_error_status(*state) != KDL_OK;
    kdl_context_release(*state);
    return failed;
}

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

/* Those that have no gradients: registered and removed as ever, computed only without recording. */
static void test_refused(void **state)
{
    kdl_context *ctx = *state;
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = { "_WeightNorm", "_SpectralNorm", "_Orthogonal" };
        kdl_module *linear = kdl_nn_linear(ctx, 4, 4);
        if (i == 0)
            kdl_parametrizations_weight_norm(linear);
        else if (i == 1)
            kdl_parametrizations_spectral_norm(linear);
        else
            kdl_parametrizations_orthogonal(linear);
        assert_string_equal(kdl_error_message(ctx), "");
        assert_null(kdl_parametrized(linear, "weight"));
        char expected[96];
        snprintf(expected, sizeof expected,
                 "%s has no gradients: switch them off (kdl_set_grad_enabled)", names[i]);
        assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED, expected);
        bool was = kdl_set_grad_enabled(ctx, false);
        kdl_tensor *weight = kdl_parametrized(linear, "weight");
        kdl_set_grad_enabled(ctx, was);
        assert_false(kdl_tensor_requires_grad(weight));
        kdl_set_parametrized(linear, "weight", weight);
        assert_true(kdl_is_grad_enabled(ctx));
        kdl_tensor_release(weight);

        kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(1, 4));
        assert_null(kdl_forward(linear, input));
        assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                     "forward of a parametrized Linear is not supported");
        kdl_remove_parametrizations(linear, "weight", true);
        assert_true(kdl_tensor_requires_grad(kdl_parameter(linear, "weight")));
        kdl_tensor *output = kdl_forward(linear, input);
        assert_non_null(output);
        kdl_tensor_release(output);
        kdl_tensor_release(input);
        kdl_module_release(linear);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
