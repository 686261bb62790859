/* SPDX-License-Identifier: Apache-2.0 */
/* Lazy modules: what they are before and after they know a shape, and what they refuse. */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

static const char unusable[] =
    "Attempted to use an uninitialized parameter. This error happens when you are using a lazy "
    "module: call kdl_initialize_parameters() on it first";

static void test_uninitialized(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *lazy = kdl_nn_lazy_batch_norm2d(ctx, .dtype = KDL_F64);
    kdl_tensor *weight = kdl_parameter(lazy, "weight"), *mean = kdl_buffer(lazy, "running_mean");
    assert_true(kdl_has_uninitialized_params(lazy));
    assert_true(kdl_tensor_is_uninitialized(weight) && kdl_tensor_is_uninitialized(mean));
    assert_true(kdl_tensor_is_parameter(weight) && kdl_tensor_requires_grad(weight));
    assert_false(kdl_tensor_requires_grad(mean));
    assert_false(kdl_tensor_is_uninitialized(kdl_buffer(lazy, "num_batches_tracked")));
    assert_int_equal(kdl_tensor_dtype(weight), KDL_F64);
    assert_int_equal(kdl_tensor_numel(weight), 0);

    char *text = kdl_tensor_to_string(weight);
    assert_string_equal(text, "<UninitializedParameter>");
    kdl_free(ctx, text);
    text = kdl_tensor_to_string(mean);
    assert_string_equal(text, "<UninitializedBuffer>");
    kdl_free(ctx, text);

    kdl_zero_(weight);
    assert_error(ctx, KDL_ERROR_VALUE, unusable);
    assert_null(kdl_tensor_data(mean));
    assert_error(ctx, KDL_ERROR_VALUE, unusable);
    assert_null(kdl_clone(weight));
    assert_error(ctx, KDL_ERROR_VALUE, unusable);
    assert_int_equal(kdl_module_numel(lazy), -1);
    assert_error(ctx, KDL_ERROR_VALUE, unusable);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_module_plan(lazy, plan);
    assert_error(ctx, KDL_ERROR_VALUE, unusable);
    kdl_plan_release(plan);
    assert_int_equal(kdl_reset_parameters(lazy), KDL_OK);
    assert_true(kdl_has_uninitialized_params(lazy));
    kdl_module_release(lazy);
}

static void test_initialized(void **state)
{
    kdl_context *ctx = *state;
    kdl_manual_seed(ctx, 1);
    kdl_module *eager = kdl_nn_linear(ctx, 7, 3);
    kdl_module *lazy = kdl_nn_lazy_linear(ctx, 3);
    assert_true(kdl_isinstance(lazy, KDL_CLASS_LINEAR));
    assert_false(kdl_module_is(lazy, KDL_CLASS_LINEAR));
    kdl_tensor *weight = kdl_parameter(lazy, "weight");
    kdl_manual_seed(ctx, 1);
    assert_int_equal(kdl_initialize_parameters(lazy, KDL_SHAPE(2, 5, 7)), KDL_OK);
    assert_true(kdl_module_is(lazy, KDL_CLASS_LINEAR));
    assert_false(kdl_has_uninitialized_params(lazy));
    assert_ptr_equal(kdl_parameter(lazy, "weight"), weight); /* the same tensor */
    assert_int_equal(kdl_tensor_size(weight, 1), 7);
    assert_memory_equal(kdl_tensor_data(weight), kdl_tensor_data(kdl_parameter(eager, "weight")),
                        kdl_tensor_nbytes(weight));
    assert_memory_equal(kdl_tensor_data(kdl_parameter(lazy, "bias")),
                        kdl_tensor_data(kdl_parameter(eager, "bias")), 3 * sizeof(float));
    char *text = kdl_module_to_string(lazy);
    assert_string_equal(text, "Linear(in_features=7, out_features=3, bias=True)");
    kdl_free(ctx, text);
    kdl_initialize_parameters(lazy, KDL_SHAPE(2, 7));
    assert_error(ctx, KDL_ERROR_KEY, "'Linear' object has no attribute 'initialize_parameters'");
    kdl_module_release(lazy);
    kdl_module_release(eager);
}

/* Without tensors that wait nothing is inferred, not even what is printed. */
static void test_nothing_to_initialize(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *norm = kdl_nn_lazy_batch_norm1d(ctx, .affine = false, .track_running_stats = false);
    assert_int_equal(kdl_initialize_parameters(norm, KDL_SHAPE(2, 5)), KDL_OK);
    char *text = kdl_module_to_string(norm);
    assert_string_equal(text, "BatchNorm1d(0, eps=1e-05, momentum=0.1, affine=False, bias=False, "
                              "track_running_stats=False)");
    kdl_free(ctx, text);
    kdl_module_release(norm);
}

/* A weight that was given before is checked against the input. */
static void test_given_weight(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *lazy = kdl_nn_lazy_linear(ctx, 2, .bias = false);
    kdl_register_parameter(lazy, "weight", kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(2, 3))));
    kdl_initialize_parameters(lazy, KDL_SHAPE(4));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "The in_features inferred from input: 4 is not equal to in_features from "
                 "self.weight: 3");
    assert_false(kdl_module_is(lazy, KDL_CLASS_LINEAR));
    assert_int_equal(kdl_initialize_parameters(lazy, KDL_SHAPE(3)), KDL_OK);
    const int64_t index[] = { 0, 2 };
    assert_true(kdl_tensor_get(kdl_parameter(lazy, "weight"), index) == 1);
    kdl_module_release(lazy);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *conv = kdl_nn_lazy_conv2d(ctx, 4, 3, .groups = 2);
    kdl_initialize_parameters(conv, KDL_SHAPE(5, 5));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but got input of "
                 "size: torch.Size([5, 5])");
    kdl_initialize_parameters(conv, KDL_SHAPE(1, 5, 8, 8));
    assert_error(ctx, KDL_ERROR_VALUE, "in_channels must be divisible by groups");
    assert_true(kdl_has_uninitialized_params(conv));
    assert_int_equal(kdl_initialize_parameters(conv, KDL_SHAPE(6, 8, 8)), KDL_OK);
    assert_int_equal(kdl_tensor_size(kdl_parameter(conv, "weight"), 1), 3);
    kdl_module_release(conv);

    kdl_module *linear = kdl_nn_lazy_linear(ctx, 4), *norm = kdl_nn_lazy_instance_norm1d(ctx);
    kdl_initialize_parameters(linear, KDL_SCALAR_SHAPE);
    assert_error(ctx, KDL_ERROR_INDEX, "tuple index out of range");
    kdl_initialize_parameters(norm, KDL_SHAPE(3));
    assert_error(ctx, KDL_ERROR_INDEX, "tuple index out of range");
    kdl_module_release(linear);
    kdl_module_release(norm);
    assert_int_equal(kdl_initialize_parameters(NULL, KDL_SHAPE(3)), KDL_ERROR_VALUE);
    assert_false(kdl_has_uninitialized_params(NULL));
}

static kdl_status initialize_all(kdl_context *ctx, void *data)
{
    (void)data;
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_lazy_conv1d(ctx, 4, 3, .dtype = KDL_F64),
                                        kdl_nn_lazy_batch_norm1d(ctx), kdl_nn_lazy_linear(ctx, 2));
    for (int i = 0; i < 3; i++)
        kdl_initialize_parameters(kdl_child(net, i), KDL_SHAPE(1, 4, 8));
    kdl_free(ctx, kdl_module_to_string(net));
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(initialize_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_uninitialized),
        CONTEXT_TEST(test_initialized),
        CONTEXT_TEST(test_nothing_to_initialize),
        CONTEXT_TEST(test_given_weight),
        CONTEXT_TEST(test_errors),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
