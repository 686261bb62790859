/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: names, ties, ops, costs, and reading any range on any number of threads. */
#include "kindling/kindling.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static kdl_context *deferred_context(int threads)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = true;
    options.threads = threads;
    return kdl_context_new(&options);
}

/* Three tensors, of which `b` is overwritten and `c` is a view of `a`. */
static kdl_plan *make_plan(kdl_context *ctx)
{
    kdl_manual_seed(ctx, 42);
    kdl_tensor *a = kdl_randn(ctx, KDL_SHAPE(50, 30));
    kdl_tensor *b = kdl_rand(ctx, KDL_SHAPE(20));
    kdl_normal_(b, 1, 0.5);
    kdl_tensor *c = kdl_transpose(a, 0, 1), *zeros = kdl_zeros(ctx, KDL_SHAPE(7), .dtype = KDL_I64);
    kdl_mul_(a, 2);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_plan_add(plan, "a", a);
    kdl_plan_add(plan, "b", b);
    kdl_plan_add(plan, "a again", a);
    kdl_plan_add(plan, "c", c);
    kdl_plan_add(plan, "zeros", zeros);
    kdl_plan_set_end(plan, kdl_default_generator(ctx));
    kdl_tensor_release(a);
    kdl_tensor_release(b);
    kdl_tensor_release(c);
    kdl_tensor_release(zeros);
    return plan;
}

static void test_entries(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = make_plan(ctx);
    assert_ptr_equal(kdl_plan_context(plan), ctx);
    assert_int_equal(kdl_plan_count(plan), 5);
    assert_int_equal(kdl_plan_find(plan, "c"), 3);
    assert_int_equal(kdl_plan_find(plan, "d"), -1);
    const kdl_plan_tensor *a = kdl_plan_get(plan, 0), *again = kdl_plan_get(plan, 2);
    assert_string_equal(a->name, "a");
    assert_int_equal(a->numel, 1500);
    assert_int_equal(a->shape.sizes[1], 30);
    assert_int_equal(a->tied_to, -1);
    assert_int_equal(again->tied_to, 0);
    assert_int_equal(kdl_plan_get(plan, 3)->tied_to, -1); /* other strides: not the same values */
    assert_null(kdl_plan_get(plan, 5));
    assert_error(ctx, KDL_ERROR_INDEX, "tensor 5 of a plan of 5");
    kdl_tensor *other = kdl_zeros(ctx, KDL_SHAPE(1));
    assert_int_equal(kdl_plan_add(plan, "b", other), KDL_ERROR_KEY);
    assert_error(ctx, KDL_ERROR_KEY, "the plan has a tensor named 'b' already");
    assert_int_equal(kdl_plan_count(plan), 5);
    kdl_tensor_release(other);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void test_ops_and_cost(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = make_plan(ctx);
    kdl_plan_op op;
    assert_int_equal(kdl_plan_op_count(plan, 0), 2);
    assert_int_equal(kdl_plan_get_op(plan, 0, 0, &op), KDL_OK);
    assert_string_equal(op.name, "normal");
    assert_string_equal(op.arguments, "0, 1");
    assert_int_equal(op.draw, 0);
    assert_int_equal(op.draws, 1516); /* 1500, and 16 more because it ends in a part of a block */
    assert_int_equal(kdl_plan_get_op(plan, 0, 1, &op), KDL_OK);
    assert_string_equal(op.name, "mul");
    assert_int_equal(op.draw, -1);
    assert_int_equal(op.draws, 0);
    assert_int_equal(kdl_plan_op_count(plan, 1), 1); /* the uniform was overwritten */
    assert_int_equal(kdl_plan_get_op(plan, 1, 0, &op), KDL_OK);
    assert_string_equal(op.arguments, "1, 0.5");
    assert_int_equal(op.draw, 1536);
    assert_int_equal(kdl_plan_get_op(plan, 1, 1, &op), KDL_ERROR_INDEX);
    assert_error(ctx, KDL_ERROR_INDEX, "op 1 of a tensor with 1");
    kdl_plan_cost cost;
    assert_int_equal(kdl_plan_get_cost(plan, &cost), KDL_OK);
    assert_int_equal(cost.draws, 1516 + 20 + 36);
    assert_int_equal(cost.live_draws, 1516 + 36);
    assert_int_equal(cost.numel, 1500 + 20 + 1500 + 7);
    assert_int_equal(cost.nbytes, 3020 * 4 + 7 * 8);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

static void test_attributes(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = kdl_plan_new(ctx);
    assert_null(kdl_plan_attribute(plan, "model"));
    kdl_plan_set_attribute(plan, "model", "A");
    kdl_plan_set_attribute(plan, "note", "n");
    kdl_plan_set_attribute(plan, "model", "B");
    assert_string_equal(kdl_plan_attribute(plan, "model"), "B");
    kdl_plan_set_attribute(plan, "model", NULL);
    kdl_plan_set_attribute(plan, "absent", NULL);
    assert_null(kdl_plan_attribute(plan, "model"));
    assert_string_equal(kdl_plan_attribute(plan, "note"), "n");
    kdl_plan_release(plan);
    kdl_context_release(ctx);
}

/* One large tensor among small ones, in many pieces of odd lengths, on 1, 2, 3 and 7 threads. */
static void test_threads(void **state)
{
    (void)state;
    enum { LARGE = 700001, SMALL = 33, SMALLS = 40, PIECE = 300007 };
    static float expected[LARGE + SMALL * SMALLS], values[LARGE + SMALL * SMALLS];
    static const int threads[] = { 1, 2, 3, 7 };
    for (int t = 0; t < 4; t++) {
        kdl_context *ctx = deferred_context(threads[t]);
        kdl_plan *plan = kdl_plan_new(ctx);
        kdl_manual_seed(ctx, 7);
        kdl_plan_request requests[2 * SMALLS + 4];
        int count = 0;
        float *out = values;
        for (int i = 0; i <= SMALLS; i++) {
            char name[16];
            snprintf(name, sizeof name, "%d", i);
            int64_t numel = i == SMALLS / 2 ? LARGE : SMALL;
            kdl_tensor *tensor = kdl_randn(ctx, KDL_SHAPE(numel));
            kdl_plan_add(plan, name, tensor);
            kdl_tensor_release(tensor);
            for (int64_t first = 0; first < numel; first += PIECE, count++) {
                int64_t n = numel - first < PIECE ? numel - first : PIECE;
                requests[count] = (kdl_plan_request){ i, first, n, out };
                out += n;
            }
        }
        memset(values, 0, sizeof values);
        assert_int_equal(kdl_plan_read(plan, requests, count), KDL_OK);
        if (t == 0)
            memcpy(expected, values, sizeof values);
        assert_memory_equal(values, expected, sizeof values);
        kdl_plan_release(plan);
        kdl_context_release(ctx);
    }
}

/* Eager fills of a large tensor and of strided views of it, the stream going on behind them. */
static void test_eager_threads(void **state)
{
    (void)state;
    enum { ROWS = 1201, COLUMNS = 913 };
    static float expected[ROWS * COLUMNS + 5];
    static const int threads[] = { 1, 2, 3, 7 };
    for (int t = 0; t < 4; t++) {
        kdl_context_options options = KDL_CONTEXT_DEFAULTS;
        options.threads = threads[t];
        kdl_context *ctx = kdl_context_new(&options);
        kdl_manual_seed(ctx, 11);
        kdl_tensor *tensor = kdl_randn(ctx, KDL_SHAPE(ROWS, COLUMNS));
        kdl_tensor *turned = kdl_transpose(tensor, 0, 1);
        kdl_tensor *lower = kdl_narrow(turned, 1, 100, ROWS - 100);
        kdl_uniform_(lower, 0, 1);
        kdl_mul_(tensor, 1.5);
        kdl_tensor *behind = kdl_rand(ctx, KDL_SHAPE(5));
        const float *values = kdl_tensor_data(tensor), *last = kdl_tensor_data(behind);
        if (t == 0) {
            memcpy(expected, values, sizeof expected - 5 * sizeof *last);
            memcpy(expected + ROWS * COLUMNS, last, 5 * sizeof *last);
        }
        assert_memory_equal(values, expected, sizeof expected - 5 * sizeof *last);
        assert_memory_equal(last, expected + ROWS * COLUMNS, 5 * sizeof *last);
        kdl_tensor_release(behind);
        kdl_tensor_release(lower);
        kdl_tensor_release(turned);
        kdl_tensor_release(tensor);
        kdl_context_release(ctx);
    }
}

static void test_bad_requests(void **state)
{
    (void)state;
    kdl_context *ctx = deferred_context(1);
    kdl_plan *plan = make_plan(ctx);
    float value;
    kdl_plan_request request = { 1, 19, 2, &value };
    assert_int_equal(kdl_plan_read(plan, &request, 1), KDL_ERROR_INDEX);
    assert_error(ctx, KDL_ERROR_INDEX, "elements [19, 19 + 2) of 'b', which has 20");
    request = (kdl_plan_request){ -1, 0, 1, &value };
    assert_int_equal(kdl_plan_read(plan, &request, 1), KDL_ERROR_INDEX);
    assert_error(ctx, KDL_ERROR_INDEX, "tensor -1 of a plan of 5");
    request = (kdl_plan_request){ 1, INT64_MAX, INT64_MAX, &value };
    assert_int_equal(kdl_plan_read(plan, &request, 1), KDL_ERROR_INDEX);
    kdl_error_clear(ctx);
    request = (kdl_plan_request){ 1, 20, 0, NULL };
    assert_int_equal(kdl_plan_read(plan, &request, 1), KDL_OK);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
    assert_int_equal(kdl_plan_read(NULL, &request, 1), KDL_ERROR_VALUE);
    kdl_plan_release(NULL);
}

static kdl_status failing_plan(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_set_deferred(ctx, true);
    kdl_plan *plan = make_plan(ctx);
    kdl_plan_cost cost;
    kdl_plan_get_cost(plan, &cost);
    float values[100];
    kdl_plan_request request = { 3, 700, 100, values };
    kdl_plan_read(plan, &request, 1);
    kdl_plan_release(plan);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(failing_plan, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_ops_and_cost),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_eager_threads),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
