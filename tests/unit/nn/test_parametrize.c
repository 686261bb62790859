/* SPDX-License-Identifier: Apache-2.0 */
/* Parametrizations of one's own: what PyTorch's tests of parametrize ask. */
#include "kindling/kindling.h"
#include "nn/module_impl.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* ---- parametrizations of one's own ------------------------------------------------------- */

/* x + x' */
static kdl_tensor *symmetric_forward(kdl_module *module, kdl_tensor *x)
{
    (void)module;
    kdl_tensor *result = kdl_clone(x), *transposed = kdl_t(x);
    if (result && transposed)
        kdl_add_tensor_(result, transposed);
    kdl_tensor_release(transposed);
    return result;
}
static const kdl_module_class symmetric = { .name = "Symmetric", .forward = symmetric_forward };

/* 2 x, with its inverse. */
static kdl_tensor *twice(kdl_tensor *x, double factor)
{
    kdl_tensor *result = kdl_clone(x);
    if (result)
        kdl_mul_(result, factor);
    return result;
}
static kdl_tensor *double_forward(kdl_module *module, kdl_tensor *x)
{
    (void)module;
    return twice(x, 2);
}
static int double_inverse(kdl_module *module, kdl_tensor *value, kdl_tensor **originals)
{
    (void)module;
    originals[0] = twice(value, 0.5);
    return originals[0] ? 1 : 0;
}
static const kdl_module_class doubled = { .name = "Double",
                                          .forward = double_forward,
                                          .right_inverse = double_inverse };

/* a * b of two originals, value and 1. */
static kdl_tensor *product_of_two(kdl_module *module, int count, kdl_tensor *const *originals)
{
    (void)module;
    assert_int_equal(count, 2);
    kdl_tensor *result = kdl_clone(originals[0]);
    if (result)
        kdl_mul_tensor_(result, originals[1]);
    return result;
}
static int two_inverse(kdl_module *module, kdl_tensor *value, kdl_tensor **originals)
{
    originals[0] = kdl_clone(value);
    originals[1] = kdl_ones(kdl_module_context(module), KDL_SHAPE(1));
    return 2;
}
static const kdl_module_class product = { .name = "Product",
                                          .parametrize = product_of_two,
                                          .right_inverse = two_inverse };

/* Other shapes and dtypes. */
static kdl_tensor *first_row(kdl_module *module, kdl_tensor *x)
{
    (void)module;
    return kdl_narrow(x, 0, 0, 1);
}
static kdl_tensor *to_f64(kdl_module *module, kdl_tensor *x)
{
    (void)module;
    return kdl_to(x, KDL_F64);
}
static int inverse_to_f64(kdl_module *module, kdl_tensor *value, kdl_tensor **originals)
{
    originals[0] = to_f64(module, value);
    return 1;
}
/* What PyTorch calls "must return a tensor". */
static kdl_tensor *no_tensor(kdl_module *module, kdl_tensor *x)
{
    (void)module, (void)x;
    return NULL;
}
static int no_originals(kdl_module *module, kdl_tensor *value, kdl_tensor **originals)
{
    (void)module, (void)value, (void)originals;
    return 0;
}
static const kdl_module_class empty_forward = { .name = "EmptyForward", .forward = no_tensor };
static const kdl_module_class empty_inverse = { .name = "EmptyInverse",
                                                .forward = double_forward,
                                                .right_inverse = no_originals };
/* Two originals, of which forward takes one. */
static const kdl_module_class wrong_number = { .name = "WrongNumber",
                                               .forward = double_forward,
                                               .right_inverse = two_inverse };
static int inverse_to_first_row(kdl_module *module, kdl_tensor *value, kdl_tensor **originals)
{
    originals[0] = first_row(module, value);
    return 1;
}
static kdl_tensor *product_as_f64(kdl_module *module, int count, kdl_tensor *const *originals)
{
    kdl_tensor *value = product_of_two(module, count, originals);
    kdl_tensor *wide = value ? kdl_to(value, KDL_F64) : NULL;
    kdl_tensor_release(value);
    return wide;
}
static const kdl_module_class narrow_inverse = { .name = "NarrowInverse",
                                                 .forward = double_forward,
                                                 .right_inverse = inverse_to_first_row };
static const kdl_module_class wide_product = { .name = "WideProduct",
                                               .parametrize = product_as_f64,
                                               .right_inverse = two_inverse };
static const kdl_module_class narrowed = { .name = "Narrowed", .forward = first_row };
static const kdl_module_class widened = { .name = "Widened", .forward = to_f64 };
static const kdl_module_class wide_inverse = { .name = "WideInverse",
                                               .forward = double_forward,
                                               .right_inverse = inverse_to_f64 };

static kdl_status add(kdl_module *module, const char *name, const kdl_module_class *class)
{
    return kdl_register_parametrization(module, name,
                                        kdl_module_new(kdl_module_context(module), class));
}

static void assert_printed(kdl_module *module, const char *expected)
{
    char *text = kdl_module_to_string(module);
    assert_string_equal(text, expected);
    kdl_free(kdl_module_context(module), text);
}

/* Asserts the names of the state_dict, each followed by a space. */
static void assert_names(kdl_module *module, const char *expected)
{
    char names[512] = "";
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);)
        strcat(strcat(names, it.name), " ");
    assert_string_equal(names, expected);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_register_and_remove(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 3, 3);
    kdl_tensor *weight = kdl_tensor_retain(kdl_parameter(linear, "weight"));
    float before[9];
    memcpy(before, kdl_tensor_data(weight), sizeof before);
    assert_false(kdl_is_parametrized(linear, NULL));
    add(linear, "weight", &symmetric);
    assert_true(kdl_is_parametrized(linear, NULL));
    assert_true(kdl_is_parametrized(linear, "weight"));
    assert_false(kdl_is_parametrized(linear, "bias"));
    assert_null(kdl_parameter(linear, "weight"));
    assert_ptr_equal(kdl_parameter(linear, "parametrizations.weight.original"), weight);
    assert_true(kdl_isinstance(linear, KDL_CLASS_LINEAR));
    assert_names(linear, "bias parametrizations.weight.original ");
    assert_printed(linear, "ParametrizedLinear(\n"
                           "  in_features=3, out_features=3, bias=True\n"
                           "  (parametrizations): ModuleDict(\n"
                           "    (weight): ParametrizationList(\n"
                           "      (0): Symmetric()\n"
                           "    )\n"
                           "  )\n"
                           ")");
    kdl_tensor *value = kdl_parametrized(linear, "weight");
    for (int i = 0; i < 9; i++)
        assert_true(((float *)kdl_tensor_data(value))[i] == before[i] + before[i % 3 * 3 + i / 3]);
    assert_int_equal(kdl_reset_parameters(linear), KDL_ERROR_NOT_IMPLEMENTED);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "reset_parameters() of a parametrized Linear is not supported: remove the "
                 "parametrizations first");

    kdl_remove_parametrizations(linear, "weight", false);
    assert_ptr_equal(kdl_parameter(linear, "weight"), weight);
    assert_memory_equal(kdl_tensor_data(weight), before, sizeof before);
    assert_names(linear, "bias weight ");
    assert_printed(linear, "Linear(in_features=3, out_features=3, bias=True)");
    add(linear, "weight", &symmetric);
    kdl_remove_parametrizations(linear, "weight", true);
    assert_ptr_equal(kdl_parameter(linear, "weight"), weight);
    assert_memory_equal(kdl_tensor_data(weight), kdl_tensor_data(value), sizeof before);
    kdl_tensor_release(value);
    kdl_tensor_release(weight);
    kdl_module_release(linear);
}

/* Of two the first sees the original; the last is inverted first. */
static void test_chain(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2, .bias = false);
    kdl_tensor *expected = twice(kdl_parameter(linear, "weight"), 2);
    add(linear, "weight", &doubled);
    add(linear, "weight", &doubled);
    assert_int_equal(kdl_child_count(kdl_submodule(linear, "parametrizations.weight")), 2);
    kdl_tensor *value = kdl_parametrized(linear, "weight");
    assert_memory_equal(kdl_tensor_data(value), kdl_tensor_data(expected), 16);
    kdl_set_parametrized(linear, "weight", expected);
    kdl_tensor *original = kdl_parameter(linear, "parametrizations.weight.original");
    assert_true(((float *)kdl_tensor_data(original))[3] * 4 ==
                ((float *)kdl_tensor_data(expected))[3]);
    kdl_tensor_release(value);
    kdl_tensor_release(expected);
    kdl_module_release(linear);
}

static void test_buffer(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *norm = kdl_nn_batch_norm1d(ctx, 4);
    add(norm, "running_var", &doubled);
    assert_names(norm, "weight bias running_mean num_batches_tracked "
                       "parametrizations.running_var.original ");
    assert_non_null(kdl_buffer(norm, "parametrizations.running_var.original"));
    kdl_remove_parametrizations(norm, "running_var", true);
    assert_true(kdl_tensor_get(kdl_buffer(norm, "running_var"), (int64_t[]){ 2 }) == 1);
    kdl_module_release(norm);
}

static void test_several_originals(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2);
    kdl_requires_grad_(kdl_parameter(linear, "weight"), false);
    add(linear, "weight", &product);
    assert_names(linear, "bias parametrizations.weight.original0 "
                         "parametrizations.weight.original1 ");
    assert_false(
        kdl_tensor_requires_grad(kdl_parameter(linear, "parametrizations.weight.original1")));
    assert_int_equal(kdl_remove_parametrizations(linear, "weight", false), KDL_ERROR_VALUE);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
                 "parametrized in terms of a sequence of tensors.");
    kdl_tensor *once = kdl_parametrized(linear, "weight");
    add(linear, "weight", &doubled); /* one on top of several */
    kdl_tensor *both = kdl_parametrized(linear, "weight");
    assert_true(kdl_tensor_get(both, (const int64_t[]){ 1, 0 }) ==
                2 * kdl_tensor_get(once, (const int64_t[]){ 1, 0 }));
    kdl_tensor_release(once);
    kdl_tensor_release(both);
    kdl_remove_parametrizations(linear, "weight", true);
    assert_null(kdl_parameter(linear, "weight")); /* no original wanted gradients */
    assert_non_null(kdl_buffer(linear, "weight"));
    kdl_module_release(linear);
}

static void test_training(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2);
    kdl_module_eval(linear);
    add(linear, "weight", &doubled);
    assert_false(kdl_module_training(kdl_submodule(linear, "parametrizations.weight.0")));
    kdl_module_train(linear, true);
    assert_true(kdl_module_training(kdl_submodule(linear, "parametrizations.weight.0")));
    kdl_module_release(linear);
}

static void test_copy(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 4, 3);
    kdl_parametrizations_weight_norm(linear);
    kdl_module *copy = kdl_module_deep_copy(linear);
    kdl_zero_(kdl_parameter(linear, "parametrizations.weight.original0"));
    kdl_tensor *value = kdl_parametrized(copy, "weight");
    assert_true(kdl_tensor_get(value, (int64_t[]){ 1, 1 }) != 0);
    kdl_tensor_release(value);
    kdl_remove_parametrizations(copy, "weight", true);
    assert_false(kdl_is_parametrized(copy, NULL));
    assert_true(kdl_is_parametrized(linear, "weight"));
    kdl_module_release(copy);
    kdl_module_release(linear);
}

/* A parameter of two modules: each has its own parametrization of the same original. */
static void test_tie(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *one = kdl_nn_linear(ctx, 2, 2, .bias = false);
    kdl_module *two = kdl_nn_linear(ctx, 2, 2, .bias = false);
    kdl_register_parameter(two, "weight", kdl_tensor_retain(kdl_parameter(one, "weight")));
    add(one, "weight", &doubled);
    assert_ptr_equal(kdl_parameter(two, "weight"),
                     kdl_parameter(one, "parametrizations.weight.original"));
    kdl_module *net = kdl_nn_sequential(ctx, one, two);
    assert_int_equal(kdl_module_numel(net), 4);
    kdl_module_release(net);
}

static const struct {
    const kdl_module_class *class;
    kdl_status status;
    const char *message;
} refused[] = {
    { &narrowed, KDL_ERROR_VALUE,
      "Registering a parametrization may not change the shape of the tensor, unless `unsafe` flag "
      "is enabled.\nunparametrized shape: torch.Size([3, 3])\nparametrized shape: torch.Size([1, "
      "3])" },
    { &widened, KDL_ERROR_VALUE,
      "Registering a parametrization may not change the dtype of the tensor, unless `unsafe` flag "
      "is enabled.\nunparametrized dtype: torch.float32\nparametrized dtype: torch.float64" },
    { &wide_inverse, KDL_ERROR_VALUE,
      "When `right_inverse` outputs one tensor, it may not change the dtype.\noriginal.dtype: "
      "torch.float32\nright_inverse(original).dtype: torch.float64" },
    { &wide_product, KDL_ERROR_VALUE,
      "Registering a parametrization may not change the dtype of the tensor, unless `unsafe` flag "
      "is enabled.\nunparametrized dtype: torch.float32\nparametrized dtype: torch.float64" },
    { &narrow_inverse, KDL_ERROR_NOT_IMPLEMENTED,
      "an original of another shape than the tensor is not supported" },
    { &empty_forward, KDL_ERROR_VALUE, "A parametrization must return a tensor. Got NoneType." },
    { &empty_inverse, KDL_ERROR_VALUE,
      "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got "
      "NoneType" },
    { &wrong_number, KDL_ERROR_TYPE,
      "WrongNumber.forward() takes 2 positional arguments but 3 were given" },
};

/* Behind one that is there. */
static const struct {
    const kdl_module_class *class;
    const char *message;
} refused_behind[] = {
    { &widened, "Registering a parametrization may not change the dtype of the tensor, unless the "
                "`unsafe` flag is enabled.\nmodule.weight.dtype: torch.float32\n"
                "parametrization(module.weight).dtype: torch.float64" },
    { &narrowed, "Registering a parametrization may not change the shape of the tensor, unless the "
                 "`unsafe` flag is enabled.\nmodule.weight.shape: torch.Size([3, 3])\n"
                 "parametrization(module.weight).shape: torch.Size([1, 3])" },
    { &wide_inverse, "The tensor returned by parametrization.right_inverse must have the same "
                     "dtype as module.weight, unless the `unsafe` flag is enabled.\n"
                     "module.weight.dtype: torch.float32\nreturned dtype: torch.float64" },
    { &narrow_inverse, "The tensor returned by parametrization.right_inverse must have the same "
                       "shape as module.weight, unless the `unsafe` flag is enabled.\n"
                       "module.weight.shape: torch.Size([3, 3])\nreturned shape: torch.Size([1, "
                       "3])" },
    { &wrong_number, "parametrization.right_inverse must return a tensor. Got: tuple" },
    { &empty_forward, "A parametrization must return a tensor. Got NoneType." },
};

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 3, 3);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(add(linear, "weight", refused[i].class), refused[i].status);
        assert_error(ctx, refused[i].status, refused[i].message);
        assert_names(linear, "weight bias "); /* it stays as it was */
    }
    add(linear, "nothing", &doubled);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Module 'Linear(in_features=3, out_features=3, bias=True)' does not have a "
                 "parameter, a buffer, or a parametrized element with name 'nothing'");
    kdl_remove_parametrizations(linear, "bias", true);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Module Linear(in_features=3, out_features=3, bias=True) does not have a "
                 "parametrization on bias");
    add(linear, "weight", &symmetric);
    kdl_tensor *value = kdl_zeros(ctx, KDL_SHAPE(3, 3));
    kdl_set_parametrized(linear, "weight", value);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "parametrization Symmetric does not implement right_inverse.");
    for (size_t i = 0; i < sizeof refused_behind / sizeof *refused_behind; i++) {
        add(linear, "weight", refused_behind[i].class);
        assert_error(ctx, KDL_ERROR_VALUE, refused_behind[i].message);
    }
    assert_int_equal(kdl_child_count(kdl_submodule(linear, "parametrizations.weight")), 1);
    kdl_tensor_release(value);
    kdl_module_release(linear);

    linear = kdl_nn_linear(ctx, 3, 3);
    kdl_module *unsafe = kdl_module_new(ctx, &narrowed);
    assert_int_equal(kdl_register_parametrization(linear, "weight", unsafe, .unsafe = true),
                     KDL_OK);
    value = kdl_parametrized(linear, "weight");
    assert_int_equal(kdl_tensor_numel(value), 3);
    kdl_tensor_release(value);
    kdl_module_release(linear);

    kdl_module *lazy = kdl_nn_lazy_linear(ctx, 3);
    assert_int_equal(kdl_parametrizations_weight_norm(lazy), KDL_ERROR_NOT_IMPLEMENTED);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "a module with uninitialized parameters cannot be parametrized");
    assert_int_equal(kdl_parametrizations_spectral_norm(lazy), KDL_ERROR_NOT_IMPLEMENTED);
    kdl_error_clear(ctx);
    kdl_module_release(lazy);
    assert_int_not_equal(kdl_parametrizations_weight_norm(NULL), KDL_OK);
    assert_null(kdl_parametrized(NULL, "weight"));
    assert_false(kdl_is_parametrized(NULL, NULL));
}

/* The original of one can be parametrized, too. */
static void test_nested(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2, .bias = false);
    kdl_tensor *expected = twice(kdl_parameter(linear, "weight"), 1);
    add(linear, "weight", &doubled);
    kdl_module *list = kdl_submodule(linear, "parametrizations.weight");
    assert_false(kdl_is_parametrized(list, "original"));
    add(list, "original", &doubled);
    assert_true(kdl_is_parametrized(list, "original"));
    assert_names(linear, "parametrizations.weight.parametrizations.original.original ");
    kdl_tensor *value = kdl_parametrized(linear, "weight");
    assert_memory_equal(kdl_tensor_data(value), kdl_tensor_data(expected), 16);
    assert_int_equal(kdl_set_parametrized(linear, "weight", expected), KDL_ERROR_NOT_IMPLEMENTED);
    kdl_error_clear(ctx);
    assert_int_equal(kdl_remove_parametrizations(linear, "weight", true),
                     KDL_ERROR_NOT_IMPLEMENTED);
    kdl_error_clear(ctx);
    kdl_remove_parametrizations(list, "original", true);
    assert_false(kdl_is_parametrized(list, NULL));
    kdl_remove_parametrizations(linear, "weight", true);
    assert_names(linear, "weight ");
    assert_memory_equal(kdl_tensor_data(kdl_parameter(linear, "weight")), kdl_tensor_data(expected),
                        16);
    kdl_tensor_release(value);
    kdl_tensor_release(expected);
    kdl_module_release(linear);
}

static kdl_status use_all(kdl_context *ctx, void *deferred)
{
    kdl_set_deferred(ctx, deferred != NULL);
    kdl_module *linear = kdl_nn_linear(ctx, 3, 3);
    if (linear) {
        add(linear, "weight", &product);
        add(linear, "weight", &doubled);
        add(linear, "bias", &doubled);
        kdl_tensor *value = kdl_parametrized(linear, "weight");
        kdl_set_parametrized(linear, "weight", value);
        kdl_tensor_release(value);
        kdl_module_release(kdl_module_deep_copy(linear));
        kdl_free(ctx, kdl_module_to_string(linear));
        kdl_remove_parametrizations(linear, "weight", true);
        kdl_remove_parametrizations(linear, "bias", false);
    }
    kdl_module_release(linear);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    static char deferred;
    check_allocation_failures(use_all, NULL);
    check_allocation_failures(use_all, &deferred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_register_and_remove),
        CONTEXT_TEST(test_chain),
        CONTEXT_TEST(test_buffer),
        CONTEXT_TEST(test_several_originals),
        CONTEXT_TEST(test_training),
        CONTEXT_TEST(test_copy),
        CONTEXT_TEST(test_tie),
        CONTEXT_TEST(test_errors),
        CONTEXT_TEST(test_nested),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
