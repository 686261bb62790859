/* SPDX-License-Identifier: Apache-2.0 */
/* Containers as lists and dictionaries of modules and of parameters. */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* The modules of a container as "name:start_dim ", all of them Flatten. */
static const char *listed(kdl_module *container)
{
    static char text[256];
    text[0] = '\0';
    for (int64_t i = 0; i < kdl_child_count(container); i++) {
        const char *name = kdl_child_name(container, i);
        const kdl_flatten_options *options = kdl_module_fields(kdl_submodule(container, name));
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s:%lld ", name,
                 (long long)options->start_dim);
    }
    return text;
}

static kdl_module *flatten(kdl_context *ctx, int64_t number)
{
    return kdl_nn_flatten(ctx, .start_dim = number);
}

static void check_text(kdl_module *module, const char *expected)
{
    char *text = kdl_module_to_string(module);
    assert_non_null(text);
    assert_string_equal(text, expected);
    kdl_free(kdl_module_context(module), text);
}

/* ---- Sequential, ModuleList -------------------------------------------------------------- */

static void test_sequential(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net =
        kdl_nn_sequential_named(ctx, kdl_item("a", flatten(ctx, 10)),
                                kdl_item("b", flatten(ctx, 11)), kdl_item("c", flatten(ctx, 12)));
    assert_string_equal(listed(net), "a:10 b:11 c:12 ");
    kdl_module *part = kdl_children_slice(net, KDL_NONE_INT, KDL_NONE_INT, -2);
    assert_string_equal(listed(part), "c:12 a:10 ");

    assert_int_not_equal(kdl_insert(net, 1, flatten(ctx, 1)), KDL_OK);
    assert_error(ctx, KDL_ERROR_KEY, "'2'");
    assert_int_not_equal(kdl_insert(net, 4, flatten(ctx, 1)), KDL_OK);
    assert_error(ctx, KDL_ERROR_INDEX, "Index out of range: 4");
    kdl_set_child(net, -1, flatten(ctx, 13));
    kdl_module *popped = kdl_pop(net, 0);
    assert_string_equal(listed(net), "0:11 1:13 ");
    kdl_insert(net, -1, popped);
    assert_string_equal(listed(net), "0:11 1:10 2:13 ");

    kdl_extend(net, part);
    assert_string_equal(listed(net), "0:11 1:10 2:13 3:12 4:10 ");
    kdl_delete_children(net, 1, KDL_NONE_INT, 2);
    assert_string_equal(listed(net), "0:11 1:13 2:10 ");
    assert_int_not_equal(kdl_delete_children(net, 0, 1, 0), KDL_OK);
    assert_error(ctx, KDL_ERROR_VALUE, "slice step cannot be zero");

    kdl_module *both = kdl_concatenate(part, net), *twice = kdl_repeat(part, 2);
    assert_string_equal(listed(both), "0:12 1:10 2:11 3:13 4:10 ");
    assert_string_equal(listed(twice), "0:12 1:10 2:12 3:10 ");
    assert_null(kdl_repeat(part, 0));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Non-positive multiplication factor 0 for "
                 "<class 'torch.nn.modules.container.Sequential'>");
    kdl_module_release(twice);
    kdl_module_release(both);
    kdl_module_release(part);
    kdl_module_release(net);
}

static void test_module_list(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *list = kdl_nn_module_list(ctx, flatten(ctx, 10), flatten(ctx, 11));
    assert_int_not_equal(kdl_insert(list, -1, flatten(ctx, 1)), KDL_OK);
    assert_error(ctx, KDL_ERROR_KEY, "'-1'");
    kdl_insert(list, 0, flatten(ctx, 12));
    assert_string_equal(listed(list), "0:12 1:10 2:11 ");
    kdl_insert(list, 9, flatten(ctx, 19)); /* a hole, as in PyTorch */
    assert_null(kdl_child(list, 3));
    assert_error(ctx, KDL_ERROR_KEY, "'3'");
    kdl_delete_children(list, 1, 3, 1);
    assert_string_equal(listed(list), "0:12 1:19 ");
    assert_null(kdl_pop(list, 2));
    assert_error(ctx, KDL_ERROR_INDEX, "index 2 is out of range");

    kdl_module *dict = kdl_nn_module_dict(ctx);
    assert_int_not_equal(kdl_extend(list, dict), KDL_OK);
    assert_error(ctx, KDL_ERROR_TYPE, "str is not a Module subclass");
    assert_null(kdl_pop(dict, 0));
    assert_error(ctx, KDL_ERROR_KEY, "'ModuleDict' object has no attribute 'pop'");
    kdl_module_release(dict);
    kdl_module_release(list);
}

/* A number that a parameter has for a name cannot become a module's. */
static void test_taken_number(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_sequential_named(ctx, kdl_item("a", flatten(ctx, 10)),
                                              kdl_item("b", flatten(ctx, 11)));
    kdl_register_parameter(net, "0", kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(1))));
    assert_null(kdl_pop(net, 0));
    assert_error(ctx, KDL_ERROR_KEY, "attribute '0' already exists");
    assert_string_equal(listed(net), "a:10 b:11 ");
    kdl_module_release(net);
}

/* ---- ModuleDict -------------------------------------------------------------------------- */

static void test_module_dict(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *dict =
        kdl_nn_module_dict(ctx, kdl_item("x", flatten(ctx, 1)), kdl_item("y", flatten(ctx, 2)));
    kdl_module *other =
        kdl_nn_module_dict(ctx, kdl_item("z", flatten(ctx, 3)), kdl_item("x", flatten(ctx, 4)));
    kdl_module_dict_update(dict, other);
    assert_string_equal(listed(dict), "x:4 y:2 z:3 ");
    assert_true(kdl_module_dict_contains(dict, "z"));
    assert_ptr_equal(kdl_module_dict_get(dict, "z"), kdl_module_dict_get(other, "z"));
    kdl_module_release(kdl_module_dict_pop(dict, "y"));
    assert_false(kdl_module_dict_contains(dict, "y"));
    assert_null(kdl_module_dict_pop(dict, "y"));
    assert_error(ctx, KDL_ERROR_KEY, "'y'");
    kdl_module_dict_clear(dict);
    assert_int_equal(kdl_child_count(dict), 0);
    kdl_module_release(other);
    kdl_module_release(dict);
}

/* ---- ParameterList, ParameterDict -------------------------------------------------------- */

static void test_parameter_list(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *list = kdl_nn_parameter_list(ctx, kdl_ones(ctx, KDL_SHAPE(2, 3)),
                                             kdl_zeros(ctx, KDL_SCALAR_SHAPE, .dtype = KDL_BF16));
    kdl_parameter_list_append(list, NULL);
    assert_int_equal(kdl_parameter_count(list), 3);
    assert_true(kdl_tensor_is_parameter(kdl_parameter_list_get(list, 0)));
    assert_null(kdl_parameter_list_get(list, 2));
    check_text(list, "ParameterList(\n"
                     "    (0): Parameter containing: [torch.float32 of size 2x3]\n"
                     "    (1): Parameter containing: [torch.bfloat16 of size ]\n"
                     "    (2): Object of type: NoneType\n"
                     ")");
    assert_int_not_equal(
        kdl_parameter_list_append(list, kdl_ones(ctx, KDL_SHAPE(1), .dtype = KDL_I64)), KDL_OK);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Only Tensors of floating point and complex dtype can require gradients");
    assert_int_equal(kdl_parameter_count(list), 3);
    assert_int_not_equal(kdl_parameter_list_set(list, -4, NULL), KDL_OK);
    assert_error(ctx, KDL_ERROR_INDEX, "index -4 is out of range");

    kdl_module *part = kdl_parameter_list_slice(list, 0, 1, KDL_NONE_INT);
    assert_ptr_equal(kdl_parameter(part, "0"), kdl_parameter(list, "0"));
    check_text(part, "ParameterList(  (0): Parameter containing: [torch.float32 of size 2x3])");
    kdl_parameter_list_extend(part, list);
    assert_int_equal(kdl_parameter_count(part), 4);
    assert_int_equal(kdl_module_numel(part), 7);
    assert_null(kdl_forward(list, kdl_parameter(list, "0")));
    assert_error(ctx, KDL_ERROR_RUNTIME, "ParameterList should not be called.");
    kdl_module_release(part);
    kdl_module_release(list);
}

static void check_keys(kdl_module *dict, const char *expected)
{
    kdl_context *ctx = kdl_module_context(dict);
    const kdl_key_list *keys = kdl_parameter_dict_keys(dict);
    char text[64] = "";
    for (size_t i = 0; i < kdl_key_list_count(keys); i++)
        strcat(strcat(text, kdl_key_list_get(keys, i)), " ");
    assert_string_equal(text, expected);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
}

static void test_parameter_dict(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *dict = kdl_nn_parameter_dict(ctx);
    check_text(dict, "ParameterDict()");
    assert_int_equal(kdl_parameter_count(dict), 0);
    kdl_parameter_dict_set(dict, "left", NULL);
    kdl_parameter_dict_set(dict, "right", kdl_ones(ctx, KDL_SHAPE(5)));
    kdl_parameter_dict_set(dict, "left", kdl_ones(ctx, KDL_SHAPE(2, 2), .dtype = KDL_F64));
    check_keys(dict, "left right ");
    check_text(dict, "ParameterDict(\n"
                     "    (left): Parameter containing: [torch.DoubleTensor of size 2x2]\n"
                     "    (right): Parameter containing: [torch.FloatTensor of size 5]\n"
                     ")");
    kdl_iterator it = kdl_named_parameters(dict);
    assert_true(kdl_next(&it));
    assert_string_equal(it.name, "right"); /* left was None at first */

    assert_int_not_equal(kdl_parameter_dict_set(dict, "a.b", kdl_ones(ctx, KDL_SHAPE(1))), KDL_OK);
    assert_error(ctx, KDL_ERROR_KEY, "parameter name can't contain \".\"");
    check_keys(dict, "left right ");
    kdl_module *copy = kdl_parameter_dict_copy(dict), *deep = kdl_module_deep_copy(dict);
    assert_ptr_equal(kdl_parameter(copy, "left"), kdl_parameter(dict, "left"));
    assert_ptr_not_equal(kdl_parameter(deep, "left"), kdl_parameter(dict, "left"));
    check_keys(deep, "left right ");

    char *key;
    kdl_tensor_release(kdl_parameter_dict_popitem(dict, &key));
    assert_string_equal(key, "right");
    kdl_free(ctx, key);
    assert_null(kdl_parameter_dict_pop(dict, "right"));
    assert_error(ctx, KDL_ERROR_KEY, "'ParameterDict' object has no attribute 'right'");
    assert_non_null(kdl_parameter_dict_setdefault(dict, "new", kdl_zeros(ctx, KDL_SHAPE(1))));
    kdl_parameter_dict_update(dict, copy);
    check_keys(dict, "left new right ");
    assert_int_equal(kdl_parameter_count(dict), 3);
    kdl_parameter_dict_clear(dict);
    check_keys(dict, "");
    assert_null(kdl_parameter_dict_popitem(dict, &key));
    assert_null(key);
    assert_error(ctx, KDL_ERROR_KEY, "popitem(): dictionary is empty");
    kdl_module_release(deep);
    kdl_module_release(copy);
    kdl_module_release(dict);
}

/* ---- failures ---------------------------------------------------------------------------- */

static void test_nothing(void **state)
{
    kdl_context *ctx = *state;
    assert_int_equal(kdl_insert(NULL, 0, flatten(ctx, 1)), KDL_ERROR_VALUE);
    assert_int_equal(kdl_set_child(NULL, 0, flatten(ctx, 1)), KDL_ERROR_VALUE);
    assert_int_equal(kdl_extend(NULL, NULL), KDL_ERROR_VALUE);
    assert_null(kdl_pop(NULL, 0));
    assert_null(kdl_child_name(NULL, 0));
    assert_null(kdl_concatenate(NULL, NULL));
    assert_false(kdl_module_dict_contains(NULL, "a"));
    assert_int_equal(kdl_module_dict_clear(NULL), KDL_ERROR_VALUE);
    assert_int_equal(kdl_parameter_count(NULL), 0);
    assert_int_equal(kdl_parameter_list_append(NULL, kdl_ones(ctx, KDL_SHAPE(1))), KDL_ERROR_VALUE);
    assert_int_equal(kdl_parameter_list_extend(NULL, NULL), KDL_ERROR_VALUE);
    assert_null(kdl_parameter_dict_keys(NULL));
    assert_int_equal(kdl_parameter_dict_set(NULL, "a", kdl_ones(ctx, KDL_SHAPE(1))),
                     KDL_ERROR_VALUE);
    assert_int_equal(kdl_parameter_dict_clear(NULL), KDL_ERROR_VALUE);
}

static kdl_status use_all(kdl_context *ctx, void *body_data)
{
    (void)body_data;
    kdl_module *net = kdl_nn_sequential_named(ctx, kdl_item("a", flatten(ctx, 1)),
                                              kdl_item("b", flatten(ctx, 2)));
    kdl_insert(net, 2, flatten(ctx, 3));
    kdl_module_release(kdl_pop(net, 0));
    kdl_extend(net, net);
    kdl_delete_child(net, -1);
    kdl_module_release(kdl_repeat(net, 2));
    kdl_module *part = kdl_children_slice(net, 0, 1, 1), *both = kdl_concatenate(net, part);
    kdl_module *dict = kdl_nn_module_dict(ctx, kdl_item("net", both));
    kdl_module *list = kdl_nn_parameter_list(ctx, kdl_ones(ctx, KDL_SHAPE(2)));
    kdl_parameter_list_extend(list, list);
    kdl_module *named = kdl_nn_parameter_dict(ctx);
    kdl_parameter_dict_set(named, "a", kdl_ones(ctx, KDL_SHAPE(2)));
    kdl_parameter_dict_set(named, "b", NULL);
    kdl_module *copy = kdl_parameter_dict_copy(named), *deep = kdl_module_deep_copy(named);
    char *key = NULL, *text = named ? kdl_module_to_string(named) : NULL;
    if (copy)
        kdl_tensor_release(kdl_parameter_dict_popitem(copy, &key));
    kdl_free(ctx, key);
    kdl_free(ctx, text);
    kdl_module *modules[] = { net, part, dict, list, named, copy, deep };
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        kdl_module_release(modules[i]);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(use_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_sequential),     CONTEXT_TEST(test_module_list),
        CONTEXT_TEST(test_taken_number),   CONTEXT_TEST(test_module_dict),
        CONTEXT_TEST(test_parameter_list), CONTEXT_TEST(test_parameter_dict),
        CONTEXT_TEST(test_nothing),        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
