/* SPDX-License-Identifier: Apache-2.0 */
/* What containers do as lists and dictionaries, when memory fails and when it does not. */
#include "kindling/kindling.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static kdl_status use_lists(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 1, 1), kdl_nn_relu(ctx));
    kdl_insert(net, 1, kdl_nn_tanh(ctx));
    kdl_extend(net, net);
    kdl_set_child(net, -1, kdl_nn_linear(ctx, 1, 2));
    kdl_delete_child(net, 0);
    kdl_module_release(kdl_pop(net, 2));
    kdl_module_release(kdl_children_slice(net, 0, INT64_MAX, 2));
    kdl_module_release(kdl_concatenate(net, net));
    kdl_module_release(kdl_repeat(net, 2));
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static kdl_status use_parameters(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module *list = kdl_nn_parameter_list(ctx), *dict = kdl_nn_parameter_dict(ctx);
    kdl_parameter_list_append(list, kdl_ones(ctx, KDL_SHAPE(2)));
    kdl_parameter_list_extend(list, list);
    kdl_parameter_list_set(list, -1, kdl_zeros(ctx, KDL_SHAPE(3)));
    kdl_parameter_dict_set(dict, "a", kdl_ones(ctx, KDL_SHAPE(2)));
    kdl_parameter_dict_update(dict, dict);
    kdl_tensor_release(kdl_parameter_dict_pop(dict, "a"));
    char *text = kdl_module_to_string(list);
    kdl_free(ctx, text);
    kdl_module_release(list);
    kdl_module_release(dict);
    return kdl_error_status(ctx);
}

static kdl_status use_dicts(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module *dict = kdl_nn_module_dict(ctx), *other = kdl_nn_module_dict(ctx);
    kdl_add_module(dict, "a", kdl_nn_linear(ctx, 1, 1));
    kdl_module_dict_update(other, dict);
    kdl_module_release(kdl_module_dict_pop(dict, "a"));
    kdl_module_dict_clear(other);
    kdl_module_release(dict);
    kdl_module_release(other);
    return kdl_error_status(ctx);
}

static void test_memory(void **state)
{
    (void)state;
    check_allocation_failures(use_lists, NULL);
    check_allocation_failures(use_parameters, NULL);
    check_allocation_failures(use_dicts, NULL);
}

static void test_order(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_relu(ctx), kdl_nn_tanh(ctx));
    kdl_insert(net, -1, kdl_nn_sigmoid(ctx));
    kdl_module *relu = kdl_pop(net, 0);
    assert_true(kdl_module_is(relu, KDL_CLASS_RELU));
    char *text = kdl_module_to_string(net);
    assert_string_equal(text, "Sequential(\n  (0): Sigmoid()\n  (1): Tanh()\n)");
    kdl_insert(net, 5, relu); /* consumed all the same */
    assert_error(ctx, KDL_ERROR_INDEX, "Index out of range: 5");
    kdl_insert(kdl_child(net, 0), 0, kdl_nn_relu(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "'Sigmoid' object has no attribute 'insert'");
    kdl_free(ctx, text);
    kdl_module_release(net);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
