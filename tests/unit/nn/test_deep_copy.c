/* SPDX-License-Identifier: Apache-2.0 */
/* copy.deepcopy() of modules: ties, storages, strides, fields, recorded values, failures. */
#include "kindling/kindling.h"
#include "nn/module_impl.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* Asserts equal names, values, strides and flags in two tensors' storages of their own. */
static void assert_copied(kdl_tensor *copy, kdl_tensor *source)
{
    size_t nbytes = kdl_tensor_nbytes(source), rank = (size_t)kdl_tensor_ndim(source);
    assert_ptr_not_equal(copy, source);
    assert_false(kdl_tensor_shares_storage(copy, source));
    assert_int_equal(kdl_tensor_is_parameter(copy), kdl_tensor_is_parameter(source));
    assert_int_equal(kdl_tensor_requires_grad(copy), kdl_tensor_requires_grad(source));
    assert_memory_equal(kdl_tensor_strides(copy), kdl_tensor_strides(source),
                        rank * sizeof(int64_t));
    assert_memory_equal(kdl_tensor_data(copy), kdl_tensor_data(source), nbytes);
}

static void test_ties(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *shared = kdl_nn_linear(ctx, 3, 3);
    kdl_tensor *weight = kdl_tensor_retain(kdl_parameter(shared, "weight"));
    kdl_requires_grad_(kdl_parameter(shared, "bias"), false);
    kdl_module *inner = kdl_nn_sequential(ctx, shared, kdl_nn_dropout(ctx, .p = 0.25));
    kdl_module *net = kdl_nn_sequential(ctx, inner, kdl_module_retain(shared), kdl_nn_relu(ctx));
    kdl_register_parameter(net, "tied", weight);
    kdl_register_parameter(net, "none", NULL);
    kdl_register_buffer(net, "cache", kdl_ones(ctx, KDL_SHAPE(2)), .persistent = false);
    kdl_add_module(net, "nobody", NULL);

    kdl_module *copy = kdl_module_deep_copy(net);
    kdl_iterator theirs = kdl_named_parameters(net, .remove_duplicate = false);
    for (kdl_iterator it = kdl_named_parameters(copy, .remove_duplicate = false); kdl_next(&it);) {
        assert_true(kdl_next(&theirs));
        assert_string_equal(it.name, theirs.name);
        assert_copied(it.tensor, theirs.tensor);
    }
    assert_false(kdl_next(&theirs));
    assert_copied(kdl_buffer(copy, "cache"), kdl_buffer(net, "cache"));
    assert_int_equal(kdl_module_numel(copy), kdl_module_numel(net));
    assert_ptr_equal(kdl_submodule(copy, "0.0"), kdl_submodule(copy, "1"));
    assert_ptr_equal(kdl_parameter(copy, "tied"), kdl_parameter(copy, "0.0.weight"));
    for (kdl_iterator it = kdl_state_dict(copy); kdl_next(&it);)
        assert_string_not_equal(it.name, "cache");
    char *printed = kdl_module_to_string(copy), *expected = kdl_module_to_string(net);
    assert_string_equal(printed, expected);
    kdl_free(ctx, printed);
    kdl_free(ctx, expected);
    kdl_module_release(net);
    assert_int_equal(kdl_child_count(copy), 4); /* it needs nothing of the original */
    kdl_module_release(copy);
    assert_null(kdl_module_deep_copy(NULL));
}

/* Of a matrix [2, 3, 4] that lies in memory as [4, 2, 3], a view of it is a parameter. */
static void test_strides(void **state)
{
    kdl_context *ctx = *state;
    const int order[] = { 1, 2, 0 };
    kdl_tensor *data = kdl_rand(ctx, KDL_SHAPE(4, 2, 3));
    kdl_tensor *permuted = kdl_permute(data, 3, order), *narrow = kdl_narrow(permuted, 1, 1, 2);
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_MODULE);
    kdl_register_parameter(module, "dense", kdl_parameter_new(kdl_tensor_retain(permuted)));
    kdl_register_parameter(module, "narrow", kdl_parameter_new(kdl_tensor_retain(narrow)));
    kdl_register_buffer(module, "first", permuted);
    kdl_register_buffer(module, "second", narrow);
    kdl_tensor_release(data);

    kdl_module *copy = kdl_module_deep_copy(module);
    const int64_t dense[] = { 3, 1, 6 }, closed[] = { 2, 1, 4 };
    kdl_tensor *parameter = kdl_parameter(copy, "narrow");
    assert_memory_equal(kdl_tensor_strides(kdl_parameter(copy, "dense")), dense, sizeof dense);
    assert_memory_equal(kdl_tensor_strides(parameter), closed, sizeof closed);
    for (int64_t i = 0; i < 16; i++) {
        const int64_t at[] = { i / 8, i / 4 % 2, i % 4 };
        assert_true(kdl_tensor_get(parameter, at) == kdl_tensor_get(narrow, at));
        assert_true(kdl_tensor_get(kdl_buffer(copy, "second"), at) == kdl_tensor_get(narrow, at));
    }
    /* Parameters part, as clones do; buffers keep what they share. */
    assert_false(kdl_tensor_shares_storage(parameter, kdl_parameter(copy, "dense")));
    assert_true(kdl_tensor_shares_storage(kdl_buffer(copy, "first"), kdl_buffer(copy, "second")));
    assert_false(kdl_tensor_shares_storage(kdl_buffer(copy, "first"), kdl_buffer(module, "first")));
    assert_int_equal(kdl_tensor_storage_offset(kdl_buffer(copy, "second")), 1);
    kdl_module_release(copy);
    kdl_module_release(module);
}

/* ---- fields ------------------------------------------------------------------------------ */

typedef struct plain_fields {
    int64_t size;
} plain_fields;
typedef struct owning_fields {
    plain_fields plain;
    char *text; /* owned */
    double scale;
} owning_fields;

static void free_text(kdl_module *module)
{
    kdl_free(kdl_module_context(module), ((owning_fields *)kdl_module_fields(module))->text);
}

static void copy_text(kdl_module *copy, const kdl_module *source)
{
    owning_fields *to = kdl_module_fields(copy);
    const owning_fields *from = kdl_module_fields(source);
    to->text = kdl_format(kdl_module_context(copy), "%s", from->text);
    to->scale = from->scale;
}

static const kdl_module_class plain_class = { .name = "Plain",
                                              .fields_nbytes = sizeof(plain_fields) };
static const kdl_module_class owning_class = { .name = "Owning",
                                               .parent = &plain_class,
                                               .fields_nbytes = sizeof(owning_fields),
                                               .destroy = free_text,
                                               .copy = copy_text };
static const kdl_module_class derived_class = { .name = "Derived", .parent = &owning_class };
static const kdl_module_class careless_class = { .name = "Careless",
                                                 .parent = &plain_class,
                                                 .fields_nbytes = sizeof(owning_fields),
                                                 .destroy = free_text };

static kdl_module *owning(kdl_context *ctx, const kdl_module_class *class)
{
    kdl_module *module = kdl_module_new(ctx, class);
    owning_fields *fields = kdl_module_fields(module);
    if (fields)
        *fields = (owning_fields){ { 7 }, kdl_format(ctx, "text"), 0.5 };
    return module;
}

static void test_fields(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = owning(ctx, &derived_class), *copy = kdl_module_deep_copy(module);
    const owning_fields *from = kdl_module_fields(module), *fields = kdl_module_fields(copy);
    assert_true(kdl_module_is(copy, &derived_class));
    assert_int_equal(fields->plain.size, 7);
    assert_true(fields->scale == 0.5);
    assert_string_equal(fields->text, "text");
    assert_ptr_not_equal(fields->text, from->text);
    kdl_module_release(module);
    kdl_module_release(copy);

    module = kdl_nn_sequential(ctx, owning(ctx, &careless_class));
    assert_null(kdl_module_deep_copy(module));
    assert_error(ctx, KDL_ERROR_TYPE,
                 "Careless cannot be copied: its class has destroy() but no copy()");
    kdl_module_release(module);
}

/* ---- recorded values --------------------------------------------------------------------- */

static void test_recorded(void **state)
{
    kdl_context *ctx = *state;
    kdl_set_deferred(ctx, true);
    kdl_module *module = kdl_nn_linear(ctx, 1 << 20, 1 << 20);
    kdl_module *copy = kdl_module_deep_copy(module);
    kdl_zero_(kdl_parameter(module, "bias"));
    float ours[7], theirs[7];
    for (int64_t at = 0; at < (int64_t)1 << 40; at += 123456789012) {
        kdl_tensor_read(kdl_parameter(copy, "weight"), at, 7, ours);
        kdl_tensor_read(kdl_parameter(module, "weight"), at, 7, theirs);
        assert_memory_equal(ours, theirs, sizeof ours);
    }
    kdl_tensor_read(kdl_parameter(copy, "bias"), 0, 7, ours);
    assert_true(ours[0] != 0);
    kdl_tensor_read(kdl_parameter(module, "bias"), 0, 7, theirs);
    assert_true(theirs[0] == 0);
    kdl_module_release(module);
    kdl_module_release(copy);
}

/* ---- limits ------------------------------------------------------------------------------ */

static void test_depth(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *root = kdl_nn_sequential(ctx), *inner = root;
    for (int depth = 1; depth <= KDL_MAX_MODULE_DEPTH; depth++) {
        kdl_append(inner, kdl_nn_sequential(ctx));
        inner = kdl_child(inner, 0);
    }
    assert_null(kdl_module_deep_copy(root));
    assert_error(ctx, KDL_ERROR_VALUE, "modules are nested more than 64 deep");
    kdl_module_release(kdl_module_deep_copy(kdl_child(root, 0)));
    kdl_module_release(root);
}

static kdl_status build_and_copy(kdl_context *ctx, void *deferred)
{
    kdl_set_deferred(ctx, deferred != NULL);
    kdl_module *shared = kdl_nn_linear(ctx, 3, 3);
    kdl_module *net =
        kdl_nn_sequential(ctx, kdl_module_retain(shared), shared, owning(ctx, &owning_class));
    kdl_tensor *buffer = kdl_rand(ctx, KDL_SHAPE(4, 2));
    kdl_register_buffer(net, "view", buffer ? kdl_t(buffer) : NULL);
    kdl_register_parameter(net, "scale", buffer ? kdl_parameter_new(kdl_t(buffer)) : NULL);
    kdl_register_buffer(net, "data", buffer);
    kdl_module_release(kdl_module_deep_copy(net));
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    static char deferred;
    check_allocation_failures(build_and_copy, NULL);
    check_allocation_failures(build_and_copy, &deferred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_ties),   CONTEXT_TEST(test_strides),
        CONTEXT_TEST(test_fields), CONTEXT_TEST(test_recorded),
        CONTEXT_TEST(test_depth),  cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
