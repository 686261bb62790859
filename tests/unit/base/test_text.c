/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text, and numbers as Python writes them. */
#include <math.h>

#include "base/base.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static void test_building(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_puts(&text, "ab");
    kdl__text_add(&text, "cdef", 2);
    kdl__text_repeat(&text, '-', 3);
    kdl__text_printf(&text, "%d|%s", 42, "x");
    assert_int_equal(text.length, 11);
    char *taken = kdl__text_take(&text);
    assert_string_equal(taken, "abcd---42|x");
    kdl_free(ctx, taken);
    taken = kdl__text_take(&text); /* empty again */
    assert_string_equal(taken, "");
    kdl_free(ctx, taken);
    kdl_context_release(ctx);
}

/* Python 3: repr(value). */
static const struct {
    double value;
    const char *repr;
} reprs[] = {
    { 0.0, "0.0" },
    { -0.0, "-0.0" },
    { 1.0, "1.0" },
    { -2.5, "-2.5" },
    { 0.1, "0.1" },
    { 0.02, "0.02" },
    { 1e-5, "1e-05" },
    { 1e-4, "0.0001" },
    { 1.5e-5, "1.5e-05" },
    { 1e-12, "1e-12" },
    { 123456.789, "123456.789" },
    { 1e15, "1000000000000000.0" },
    { 9999999999999998.0, "9999999999999998.0" },
    { 1e16, "1e+16" },
    { 1.25e100, "1.25e+100" },
    { 0.1 + 0.2, "0.30000000000000004" },
    { 1.0 / 3, "0.3333333333333333" },
    { 5e-324, "5e-324" },
    { 1.7976931348623157e308, "1.7976931348623157e+308" },
    { INFINITY, "inf" },
    { -INFINITY, "-inf" },
    { NAN, "nan" },
};

static void test_repr(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof reprs / sizeof *reprs; i++) {
        kdl__text text;
        kdl__text_init(&text, ctx);
        kdl__text_puts(&text, "eps=");
        kdl__text_repr(&text, reprs[i].value);
        char *taken = kdl__text_take(&text);
        assert_string_equal(taken + 4, reprs[i].repr);
        kdl_free(ctx, taken);
    }
    kdl_context_release(ctx);
}

typedef struct options {
    size_t nbytes;
    int first;
    double second;
} options;

static void test_options(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    options given = { offsetof(options, second), 5, 6 }, read = { sizeof read, 1, 2 };
    assert_true(kdl__read_options(ctx, "place", &read, sizeof read, NULL));
    assert_int_equal(read.first, 1);
    assert_true(kdl__read_options(ctx, "place", &read, sizeof read, &given));
    assert_int_equal(read.first, 5);
    assert_float_equal(read.second, 2, 0);
    given.nbytes = sizeof given;
    assert_true(kdl__read_options(ctx, "place", &read, sizeof read, &given));
    assert_float_equal(read.second, 6, 0);
    for (size_t wrong = 0; wrong < 2; wrong++) {
        given.nbytes = wrong ? sizeof given + 1 : sizeof given.nbytes - 1;
        assert_false(kdl__read_options(ctx, "place", &read, sizeof read, &given));
        assert_string_equal(kdl_error_place(ctx), "place");
        assert_error(ctx, KDL_ERROR_TYPE,
                     "the options' size is wrong: are they of another version of the library?");
    }
    kdl_context_release(ctx);
}

static kdl_status build(kdl_context *ctx, void *body_data)
{
    (void)body_data;
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_repeat(&text, 'x', 100);
    kdl__text_repr(&text, 0.1);
    kdl__text_printf(&text, "%1000d", 1);
    kdl_free(ctx, kdl__text_take(&text));
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_building),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
