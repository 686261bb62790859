/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on elements and comparisons: values, errors, recorded in plans and recipes. */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

static kdl_tensor *floats(kdl_context *ctx, int64_t count, const float *values)
{
    return kdl_tensor_from_data(ctx, KDL_F32, KDL_SHAPE(count), values);
}

static void assert_prints(kdl_tensor *tensor, const char *expected)
{
    char *text = kdl_tensor_to_string(tensor);
    assert_non_null(text);
    assert_string_equal(text, expected);
    kdl_free(kdl_tensor_context(tensor), text);
}

static void test_values(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *tensor = floats(ctx, 4, (float[]){ -6, 5, -0.5f, 8 });
    kdl_tensor *size = kdl_abs(tensor), *mask = kdl_ge(size, 5), *few = kdl_lt(tensor, 0);
    assert_prints(size, "tensor([6.0000, 5.0000, 0.5000, 8.0000])");
    assert_prints(mask, "tensor([ True,  True, False,  True])");
    assert_prints(few, "tensor([ True, False,  True, False])");
    kdl_mul_tensor_(tensor, mask);
    assert_prints(tensor, "tensor([-6.,  5., -0.,  8.])");
    kdl_add_(tensor, 0.25);
    kdl_add_tensor_(tensor, mask);
    assert_prints(tensor, "tensor([-4.7500,  6.2500,  0.2500,  9.2500])");
    kdl_mul_tensor_(tensor, tensor); /* itself */
    assert_prints(tensor, "tensor([2.2562e+01, 3.9062e+01, 6.2500e-02, 8.5562e+01])");
    kdl_tensor_release(tensor);
    kdl_tensor_release(size);
    kdl_tensor_release(mask);
    kdl_tensor_release(few);

    /* A column of a matrix, by a row. */
    kdl_tensor *ones = kdl_ones(ctx, KDL_SHAPE(2, 3)), *column = kdl_select(ones, 1, 1);
    tensor = floats(ctx, 3, (float[]){ 1, 2, 3 });
    kdl_mul_(column, 5);
    kdl_mul_tensor_(ones, tensor);
    assert_prints(ones, "tensor([[ 1., 10.,  3.],\n        [ 1., 10.,  3.]])");
    kdl_tensor_release(column);
    kdl_tensor_release(ones);
    kdl_tensor_release(tensor);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *integers = kdl_ones(ctx, KDL_SHAPE(2), .dtype = KDL_I64);
    kdl_tensor *bools = kdl_ones(ctx, KDL_SHAPE(2), .dtype = KDL_BOOL);
    kdl_tensor *floating = kdl_ones(ctx, KDL_SHAPE(3)), *matrix = kdl_ones(ctx, KDL_SHAPE(2, 3));
    kdl_tensor *pair = kdl_ones(ctx, KDL_SHAPE(2));
    kdl_add_(integers, 0.5);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "result type Float can't be cast to the desired output type Long");
    kdl_mul_tensor_(integers, pair);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "result type Float can't be cast to the desired output type Long");
    kdl_add_(bools, 1);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "result type Long can't be cast to the desired output type Bool");
    kdl_abs_(bools);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED, "\"abs_cpu\" not implemented for 'Bool'");
    assert_null(kdl_abs(bools));
    kdl_error_clear(ctx);
    kdl_mul_tensor_(pair, floating);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "The size of tensor a (2) must match the size of tensor b (3) at non-singleton "
                 "dimension 0");
    kdl_mul_tensor_(floating, matrix);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "output with shape [3] doesn't match the broadcast shape [2, 3]");
    assert_prints(floating, "tensor([1., 1., 1.])");
    assert_int_equal(kdl_mul_tensor_(floating, NULL), KDL_ERROR_VALUE);
    assert_int_equal(kdl_add_(NULL, 1), KDL_ERROR_VALUE);
    assert_null(kdl_abs(NULL));
    assert_null(kdl_ge(NULL, 1));
    kdl_context *other = kdl_context_new(NULL);
    kdl_tensor *stranger = kdl_ones(other, KDL_SHAPE(3));
    kdl_mul_tensor_(floating, stranger);
    assert_error(ctx, KDL_ERROR_VALUE, "the tensors are of different contexts");
    kdl_tensor_release(stranger);
    kdl_context_release(other);
    kdl_tensor_release(integers);
    kdl_tensor_release(bools);
    kdl_tensor_release(floating);
    kdl_tensor_release(matrix);
    kdl_tensor_release(pair);
}

/* A user's own initialiser: uniform on -10..10, of which what is below 5 in size becomes zero. */
static kdl_tensor *masked_uniform(kdl_context *ctx)
{
    kdl_tensor *tensor = kdl_empty(ctx, KDL_SHAPE(300, 7)), *row = kdl_select(tensor, 0, 3);
    kdl_uniform_(tensor, -10, 10);
    kdl_tensor *size = kdl_abs(tensor), *mask = kdl_ge(size, 5);
    kdl_mul_tensor_(tensor, mask);
    kdl_add_(row, 0.125);
    kdl_add_tensor_(row, row);
    kdl_tensor_release(row);
    kdl_tensor_release(size);
    kdl_tensor_release(mask);
    return tensor;
}

static void test_recorded(void **state)
{
    kdl_context *eager = *state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_set_deferred(ctx, true);
    kdl_manual_seed(eager, 5);
    kdl_manual_seed(ctx, 5);
    kdl_tensor *expected = masked_uniform(eager), *tensor = masked_uniform(ctx);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_plan_add(plan, "weight", tensor);
    kdl_tensor *mask = kdl_ge(tensor, 5);
    kdl_plan_add(plan, "mask", mask);
    char *json = kdl_plan_to_json(plan);
    assert_non_null(strstr(json, "\"mul_tensor\""));
    assert_non_null(strstr(json, "\"ge\""));
    kdl_plan *again = kdl_plan_from_json(ctx, json, strlen(json), NULL);
    assert_non_null(again);
    const float *all = kdl_tensor_data(expected);
    for (int64_t first = 2093; first >= 0; first -= 91) { /* ranges, from the end */
        float values[7];
        kdl_plan_request request = { 0, first, 7, values };
        assert_int_equal(kdl_plan_read(plan, &request, 1), KDL_OK);
        assert_memory_equal(values, all + first, sizeof values);
        assert_int_equal(kdl_plan_read(again, &request, 1), KDL_OK);
        assert_memory_equal(values, all + first, sizeof values);
        bool large[7];
        request = (kdl_plan_request){ 1, first, 7, large };
        assert_int_equal(kdl_plan_read(again, &request, 1), KDL_OK);
        for (int i = 0; i < 7; i++)
            assert_int_equal(large[i], all[first + i] >= 5);
    }
    assert_false(kdl_tensor_is_materialized(tensor));
    kdl_free(ctx, json);
    kdl_plan_release(plan);
    kdl_plan_release(again);
    kdl_tensor_release(mask);
    kdl_tensor_release(tensor);
    kdl_tensor_release(expected);
    kdl_context_release(ctx);
}

static kdl_status run(kdl_context *ctx, void *deferred)
{
    kdl_set_deferred(ctx, *(bool *)deferred);
    kdl_tensor *tensor = masked_uniform(ctx);
    if (tensor)
        kdl_materialize(tensor);
    kdl_tensor_release(tensor);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(run, &(bool){ false });
    check_allocation_failures(run, &(bool){ true });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_values),
        CONTEXT_TEST(test_errors),
        CONTEXT_TEST(test_recorded),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
