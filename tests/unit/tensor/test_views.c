/* SPDX-License-Identifier: Apache-2.0 */
/* Views: PyTorch's layouts and errors for sequences of calls. */
#include "support/cases.h"
#include "support/unit.h"
#include "tensor/tensor_impl.h"

static void check_numbers(const json_t *expected, const int64_t *numbers, int count)
{
    assert_int_equal(json_array_size(expected), count);
    for (int i = 0; i < count; i++)
        assert_int_equal(numbers[i], json_integer_value(json_array_get(expected, (size_t)i)));
}

static void check_layout(const kdl_tensor *view, const json_t *given)
{
    check_numbers(json_object_get(given, "sizes"), kdl_tensor_sizes(view), kdl_tensor_ndim(view));
    check_numbers(json_object_get(given, "strides"), kdl_tensor_strides(view),
                  kdl_tensor_ndim(view));
    assert_int_equal(kdl_tensor_storage_offset(view),
                     json_integer_value(json_object_get(given, "offset")));
    assert_int_equal(kdl_tensor_is_contiguous(view),
                     json_is_true(json_object_get(given, "contiguous")));
}

static void test_golden_sequences(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    json_t *cases = load_cases("views.json"), *given;
    size_t i, layouts = 0, errors = 0;
    json_array_foreach(cases, i, given)
    {
        kdl_tensor *view = case_tensor(ctx, given);
        if (json_object_get(given, "error")) {
            assert_null(view);
            assert_string_equal(kdl_status_name(kdl_error_status(ctx)), case_text(given, "error"));
            assert_string_equal(kdl_error_message(ctx), case_text(given, "message"));
            kdl_error_clear(ctx);
            errors++;
        } else {
            assert_int_equal(kdl_error_status(ctx), KDL_OK);
            check_layout(view, given);
            kdl_tensor_release(view);
            layouts++;
        }
    }
    assert_true(layouts > 200 && errors > 50);
    json_decref(cases);
    kdl_context_release(ctx);
}

static void test_too_many_dimensions(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    const int64_t one[KDL_MAX_DIMS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    kdl__storage *storage = kdl__storage_new(ctx, KDL_F32, 1);
    kdl_tensor *tensor = kdl__tensor_new(ctx, storage, 0, KDL_MAX_DIMS, one, NULL);
    kdl__storage_release(storage);
    kdl_shape shape = { .ndim = KDL_MAX_DIMS + 1 };
    assert_null(kdl_unsqueeze(tensor, 3));
    assert_error(ctx, KDL_ERROR_VALUE, "a tensor has from 0 to 16 dimensions, got 17");
    assert_null(kdl_expand(tensor, shape));
    assert_error(ctx, KDL_ERROR_VALUE, "a tensor has from 0 to 16 dimensions, got 17");
    assert_null(kdl_view(tensor, shape));
    assert_error(ctx, KDL_ERROR_VALUE, "a tensor has from 0 to 16 dimensions, got 17");
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_sequences),
        cmocka_unit_test(test_too_many_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
