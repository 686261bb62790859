/* SPDX-License-Identifier: Apache-2.0 */
/* The context: options, references, the kept error, warnings, slots. */
#include "base/base.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static void test_options(void **state)
{
    (void)state;
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    kdl_context *ctx = kdl_context_new(&options);
    assert_non_null(ctx);
    assert_int_equal(kdl_get_num_threads(ctx), 1);
    kdl_context_release(ctx);

    options.threads = 7;
    ctx = kdl_context_new(&options);
    assert_int_equal(kdl_get_num_threads(ctx), 7);
    kdl_context_release(ctx);

    options.nbytes = offsetof(kdl_context_options, threads); /* a caller that knew no more */
    ctx = kdl_context_new(&options);
    assert_int_equal(kdl_get_num_threads(ctx), 1);
    kdl_context_release(ctx);

    options.nbytes = sizeof options + 1;
    assert_null(kdl_context_new(&options));
    options.nbytes = 0;
    assert_null(kdl_context_new(&options));
    options = (kdl_context_options)KDL_CONTEXT_DEFAULTS;
    options.threads = -1;
    assert_null(kdl_context_new(&options));
    counting_allocator allocator = { 0 };
    options = (kdl_context_options)KDL_CONTEXT_DEFAULTS;
    options.allocator.user_data = &allocator; /* without functions: the default ones */
    ctx = kdl_context_new(&options);
    assert_non_null(ctx);
    kdl_context_release(ctx);
    options.allocator.deallocate = (void (*)(void *, void *))abort;
    assert_null(kdl_context_new(&options));
}

static void test_references(void **state)
{
    (void)state;
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    assert_ptr_equal(kdl_context_retain(ctx), ctx);
    kdl_context_release(ctx);
    assert_int_equal(atomic_load(&allocator.live), 1);
    counting_context_release(&allocator, ctx);
    kdl_context_release(NULL);
}

static void test_first_error_is_kept(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_string_equal(kdl_error_place(ctx), "");
    assert_int_equal(kdl__fail(ctx, KDL_ERROR_VALUE, "first %d", 1), KDL_ERROR_VALUE);
    assert_int_equal(kdl__fail(ctx, KDL_ERROR_TYPE, "second"), KDL_ERROR_VALUE);
    assert_true(kdl__failed(ctx));
    assert_string_equal(kdl_error_place(ctx), "test_first_error_is_kept");
    assert_int_equal(kdl_set_num_threads(ctx, 3), KDL_ERROR_VALUE);
    assert_int_equal(kdl_get_num_threads(ctx), 1);
    assert_error(ctx, KDL_ERROR_VALUE, "first 1");
    assert_false(kdl__failed(ctx));
    assert_string_equal(kdl_error_message(ctx), "");
    assert_int_equal(kdl_set_num_threads(ctx, 3), KDL_OK);
    assert_int_equal(kdl_get_num_threads(ctx), 3);
    assert_int_equal(kdl_set_num_threads(ctx, -3), KDL_ERROR_VALUE);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "the number of threads must be 0 (all processors) or more, got -3");
    kdl_context_release(ctx);
}

static void test_long_message(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    for (size_t length = 509; length <= 514; length++) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME, "%.*s", (int)length, text);
        assert_int_equal(strlen(kdl_error_message(ctx)), length);
        kdl_error_clear(ctx);
    }
    kdl__fail(ctx, KDL_ERROR_RUNTIME, "%s", text);
    assert_error(ctx, KDL_ERROR_RUNTIME, text);

    allocator.fail_from = 1;
    allocator.fail_on = true;
    kdl__fail(ctx, KDL_ERROR_RUNTIME, "%s", text);
    text[511] = '\0';
    assert_error(ctx, KDL_ERROR_RUNTIME, text);
    kdl__fail(ctx, KDL_ERROR_RUNTIME, "released while it stands");
    counting_context_release(&allocator, ctx);
}

static void keep_message(void *user_data, const char *message)
{
    char *kept = user_data;
    strcpy(kept, message);
}

static void test_warnings(void **state)
{
    (void)state;
    char kept[2000] = "", text[1500];
    memset(text, 'w', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    kdl__warn(ctx, "dropped");
    kdl_set_warning_callback(ctx, keep_message, kept);
    kdl__warn(ctx, "size %d", 5);
    assert_string_equal(kept, "size 5");
    kdl__warn(ctx, "%s", text);
    assert_string_equal(kept, text);
    allocator.fail_from = 1;
    allocator.fail_on = true;
    kdl__warn(ctx, "%s", text);
    assert_int_equal(strlen(kept), 511);
    kdl_set_warning_callback(ctx, NULL, NULL);
    kdl__warn(ctx, "dropped");
    assert_int_equal(strlen(kept), 511);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    counting_context_release(&allocator, ctx);
}

static void count_destroyed(kdl_context *ctx, void *value)
{
    assert_non_null(ctx);
    ++*(int *)value;
}

static void test_slots(void **state)
{
    (void)state;
    int first = 0, second = 0, other = 0;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_null(kdl__slot_get(ctx, KDL__SLOT_DEFAULT_GENERATOR));
    kdl__slot_set(ctx, KDL__SLOT_DEFAULT_GENERATOR, &first, count_destroyed);
    kdl__slot_set(ctx, KDL__SLOT_LAPACK, &other, NULL);
    assert_ptr_equal(kdl__slot_get(ctx, KDL__SLOT_DEFAULT_GENERATOR), &first);
    kdl__slot_set(ctx, KDL__SLOT_DEFAULT_GENERATOR, &second, count_destroyed);
    assert_int_equal(first, 1);
    kdl_context_release(ctx);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    assert_int_equal(other, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_first_error_is_kept),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
