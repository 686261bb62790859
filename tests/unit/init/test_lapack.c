/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a LAPACK: what is refused, and that a refusal changes nothing. */
#include "kindling/init.h"
#include "support/unit.h"

static void test_builtin_is_the_default(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_string_equal(kdl_get_lapack(ctx), "builtin");
    assert_int_equal(kdl_set_lapack(ctx, "builtin"), KDL_OK);
    assert_string_equal(kdl_get_lapack(ctx), "builtin");
    kdl_context_release(ctx);
}

static void test_unknown_names(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_int_equal(kdl_set_lapack(ctx, "openblas"), KDL_ERROR_VALUE);
    assert_string_equal(kdl_error_place(ctx), "kdl_set_lapack");
    assert_error(ctx, KDL_ERROR_VALUE,
                 "unknown LAPACK 'openblas', it is one of builtin, mkl, mkl:PATH");
    kdl_set_lapack(ctx, "mkl:");
    assert_error(ctx, KDL_ERROR_VALUE,
                 "unknown LAPACK 'mkl:', it is one of builtin, mkl, mkl:PATH");
    kdl_set_lapack(ctx, NULL);
    assert_error(ctx, KDL_ERROR_VALUE, "no name of a LAPACK was given");
    kdl_context_release(ctx);
}

static void test_a_library_that_is_not_there(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_int_equal(kdl_set_lapack(ctx, "mkl:/nowhere/libmkl_rt.so.2"), KDL_ERROR_RUNTIME);
    assert_non_null(
        strstr(kdl_error_message(ctx), "MKL cannot be loaded: /nowhere/libmkl_rt.so.2"));
    kdl_error_clear(ctx);
    assert_int_equal(kdl_set_lapack(ctx, "mkl:/"), KDL_ERROR_RUNTIME); /* a folder without it */
    assert_non_null(strstr(kdl_error_message(ctx), "//libmkl_rt.so.2"));
    kdl_error_clear(ctx);
    assert_string_equal(kdl_get_lapack(ctx), "builtin");
    kdl_context_release(ctx);
}

static void test_a_library_that_is_not_mkl(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_set_lapack(ctx, "mkl:libc.so.6");
    assert_error(ctx, KDL_ERROR_RUNTIME, "the library given as MKL has no function sgeqrf_");
    assert_string_equal(kdl_get_lapack(ctx), "builtin");
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin_is_the_default),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_a_library_that_is_not_there),
        cmocka_unit_test(test_a_library_that_is_not_mkl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
