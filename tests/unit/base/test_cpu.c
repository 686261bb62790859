/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an instruction set: names, errors, and that it takes effect. */
#include "kernels/kernels.h"
#include "kindling/kindling.h"
#include "random/stream.h"
#include "support/unit.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(kdl_cpu_at(0), "ref");
    size_t count = 1;
    while (kdl_cpu_at(count))
        count++;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_string_equal(kdl_get_cpu(ctx), kdl_cpu_at(count - 1));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(kdl_set_cpu(ctx, kdl_cpu_at(i)), KDL_OK);
        assert_string_equal(kdl_get_cpu(ctx), kdl_cpu_at(i));
        assert_string_equal(kdl__kernels_of(ctx)->name, kdl_cpu_at(i));
        assert_ptr_equal(kdl__kernels_at(i), kdl__kernels_of(ctx));
    }
    assert_null(kdl__kernels_at(count));
    const char *const best[] = { "auto", NULL };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(kdl_set_cpu(ctx, "ref"), KDL_OK);
        assert_int_equal(kdl_set_cpu(ctx, best[i]), KDL_OK);
        assert_ptr_equal(kdl__kernels_of(ctx), kdl__kernels_best());
    }
    kdl_context_release(ctx);
}

static void test_refused(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    const char *before = kdl_get_cpu(ctx);
    char message[256] = "no kernels for cpu 'sse9'; this machine has auto";
    for (size_t i = 0; kdl_cpu_at(i); i++) {
        strcat(message, ", ");
        strcat(message, kdl_cpu_at(i));
    }
    assert_int_equal(kdl_set_cpu(ctx, "sse9"), KDL_ERROR_VALUE);
    assert_string_equal(kdl_error_place(ctx), "kdl_set_cpu");
    assert_int_equal(kdl_set_cpu(ctx, "ref"), KDL_ERROR_VALUE); /* the error stands */
    assert_error(ctx, KDL_ERROR_VALUE, message);
    assert_ptr_equal(kdl_get_cpu(ctx), before);
#ifdef __x86_64__
    assert_int_equal(kdl_set_cpu(ctx, "neon"), KDL_ERROR_VALUE);
    kdl_error_clear(ctx);
#endif
    kdl_context_release(ctx);
}

static void test_option(void **state)
{
    (void)state;
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.cpu = "ref";
    kdl_context *ctx = kdl_context_new(&options);
    assert_string_equal(kdl_get_cpu(ctx), "ref");
    kdl_context_release(ctx);
    options.nbytes = offsetof(kdl_context_options, cpu); /* a caller that knew no more */
    ctx = kdl_context_new(&options);
    assert_ptr_equal(kdl__kernels_of(ctx), kdl__kernels_best());
    kdl_context_release(ctx);
    options.nbytes = sizeof options;
    options.cpu = "";
    assert_null(kdl_context_new(&options));
}

/* A tensor's first half by one instruction set, the second by another: one stream goes on. */
static void test_changed_between_fills(void **state)
{
    (void)state;
    enum { N = 5000 };
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *whole = kdl_empty(ctx, KDL_SHAPE(2 * N)), *halves = kdl_empty(ctx, KDL_SHAPE(2, N));
    kdl_tensor *rows[] = { kdl_select(halves, 0, 0), kdl_select(halves, 0, 1) };
    kdl_manual_seed(ctx, 3);
    kdl_uniform_(whole, -1, 1);
    for (size_t first = 0; kdl_cpu_at(first); first++) {
        for (size_t second = 0; kdl_cpu_at(second); second++) {
            kdl_manual_seed(ctx, 3);
            kdl_set_cpu(ctx, kdl_cpu_at(first));
            kdl_uniform_(rows[0], -1, 1);
            kdl_set_cpu(ctx, kdl_cpu_at(second));
            kdl_uniform_(rows[1], -1, 1);
            kdl_generator *generator = kdl_default_generator(ctx);
            assert_ptr_equal(kdl__generator_cursor(generator)->kernels, kdl__kernels_of(ctx));
            assert_memory_equal(kdl_tensor_data(halves), kdl_tensor_data(whole),
                                2 * N * sizeof(float));
        }
    }
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_tensor_release(rows[0]);
    kdl_tensor_release(rows[1]);
    kdl_tensor_release(whole);
    kdl_tensor_release(halves);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_option),
        cmocka_unit_test(test_changed_between_fills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
