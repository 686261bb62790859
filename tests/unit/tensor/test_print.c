/* SPDX-License-Identifier: Apache-2.0 */
/* Printed tensors: PyTorch's text, character for character. */
#include "support/cases.h"
#include "support/tensors.h"
#include "support/unit.h"
#include "tensor/tensor_impl.h"

static void test_golden_texts(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    json_t *cases = load_cases("printed.json"), *given;
    size_t i;
    json_array_foreach(cases, i, given)
    {
        kdl_tensor *tensor = case_tensor(ctx, given);
        assert_non_null(tensor);
        tensor->requires_grad = json_is_true(json_object_get(given, "requires_grad"));
        tensor->is_parameter = json_is_true(json_object_get(given, "parameter"));
        char *text = kdl_tensor_to_string(tensor);
        assert_string_equal(text, case_text(given, "text"));
        kdl_free(ctx, text);
        kdl_tensor_release(tensor);
    }
    assert_true(i >= 300);
    json_decref(cases);
    kdl_context_release(ctx);
}

static void test_print_to_a_file(void **state)
{
    (void)state;
    const float values[] = { 1, -2.5f };
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *tensor = make_tensor(ctx, KDL_F32, KDL_SHAPE(2), values, sizeof values);
    FILE *file = tmpfile();
    char line[100];
    assert_non_null(file);
    assert_int_equal(kdl_tensor_print(tensor, file), KDL_OK);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "tensor([ 1.0000, -2.5000])\n");
    fclose(file);

    file = fopen("/dev/full", "w");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    assert_int_equal(kdl_tensor_print(tensor, file), KDL_ERROR_IO);
    assert_error(ctx, KDL_ERROR_IO, "cannot write a tensor's text: No space left on device");
    fclose(file);
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_texts),
        cmocka_unit_test(test_print_to_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
