/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, its failures, and the growing string. */
#include <locale.h>
#include <math.h>

#include "base/base.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static void test_alloc(void **state)
{
    (void)state;
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    unsigned char *block = kdl__alloc_zeroed(ctx, 100, 3);
    for (int i = 0; i < 300; i++)
        assert_int_equal(block[i], 0);
    memset(block, 7, 300);
    block = kdl__realloc(ctx, block, 1000, 3);
    for (int i = 0; i < 300; i++)
        assert_int_equal(block[i], 7);
    void *empty = kdl__alloc(ctx, 0, 8);
    assert_non_null(empty);
    kdl_free(ctx, empty);
    kdl_free(ctx, block);
    kdl_free(ctx, NULL);
    counting_context_release(&allocator, ctx);
}

static void test_aligned(void **state)
{
    (void)state;
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    void *objects[40];
    for (size_t i = 0; i < 40; i++) {
        size_t alignment = i % 2 ? KDL__CACHE_LINE : 4096;
        objects[i] = kdl__alloc_aligned(ctx, alignment, 7 * i);
        assert_int_equal((uintptr_t)objects[i] % alignment, 0);
        memset(objects[i], 7, 7 * i);
    }
    for (size_t i = 0; i < 40; i++)
        kdl__free_aligned(ctx, objects[i]);
    kdl__free_aligned(ctx, NULL);
    allocator.fail_from = atomic_load(&allocator.calls) + 1;
    assert_null(kdl__alloc_aligned(ctx, 64, 100));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_MEMORY);
    allocator.fail_from = 0;
    kdl_error_clear(ctx);
    assert_null(kdl__alloc_aligned(ctx, 64, SIZE_MAX - 10));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_MEMORY);
    counting_context_release(&allocator, ctx);
}

/*
 * What goes back is what the next gets that asks for about as much; all goes when memory is short.
 */
static void test_kept(void **state)
{
    (void)state;
    enum { BLOCKS = 200, NBYTES = 100000 };
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    void *blocks[BLOCKS], *small = kdl__alloc_aligned(ctx, 64, 100);
    assert_int_equal(kdl__keep_memory(ctx), KDL_OK);
    long without = atomic_load(&allocator.live);
    void *first = kdl__alloc_aligned(ctx, 64, NBYTES);
    kdl__free_aligned(ctx, first);
    assert_int_equal(atomic_load(&allocator.live), without + 1);
    assert_ptr_not_equal(blocks[0] = kdl__alloc_aligned(ctx, 64, NBYTES / 2), first);
    assert_ptr_not_equal(blocks[1] = kdl__alloc_aligned(ctx, 64, NBYTES + 1), first);
    assert_ptr_equal(blocks[2] = kdl__alloc_aligned(ctx, 64, NBYTES - 10), first);
    memset(blocks[2], 7, NBYTES - 10);
    for (int i = 3; i < BLOCKS; i++)
        blocks[i] = kdl__alloc_aligned(ctx, 64, NBYTES);
    for (int i = 0; i < BLOCKS; i++)
        kdl__free_aligned(ctx, blocks[i]);
    kdl__free_aligned(ctx, small);
    /* So many are kept, not more. */
    assert_in_range(atomic_load(&allocator.live), without + 1, without + 150);
    allocator.fail_from = atomic_load(&allocator.calls) + 1;
    blocks[0] = kdl__alloc_aligned(ctx, 64, 3 * NBYTES);
    assert_non_null(blocks[0]);
    allocator.fail_on = true;
    allocator.fail_from = 1;
    assert_null(kdl__alloc_aligned(ctx, 64, 3 * NBYTES));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_MEMORY);
    assert_int_equal(atomic_load(&allocator.live), without);
    kdl__free_aligned(ctx, blocks[0]);
    counting_context_release(&allocator, ctx);
}

static void test_overflow(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_null(kdl__alloc_quiet(ctx, SIZE_MAX / 2, 4));
    assert_null(kdl__alloc_quiet(ctx, SIZE_MAX, 1));
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    assert_null(kdl__alloc(ctx, SIZE_MAX / 2 + 1, 2)); /* wraps to 0 */
    assert_error(ctx, KDL_ERROR_MEMORY,
                 "out of memory: cannot allocate 9223372036854775808 x 2 bytes");
    assert_null(kdl__alloc_zeroed(ctx, SIZE_MAX / 8 + 2, 8)); /* wraps to 8 */
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_MEMORY);
    kdl_error_clear(ctx);
    void *array = NULL;
    size_t capacity = 0;
    assert_false(kdl__grow(ctx, &array, &capacity, SIZE_MAX / 4, 8));
    assert_null(array);
    assert_int_equal(capacity, 0);
    kdl_error_clear(ctx);
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_puts(&text, "kept");
    kdl__text_repeat(&text, 'x', SIZE_MAX - 2);
    assert_true(text.failed);
    assert_string_equal(text.data, "kept");
    assert_null(kdl__text_take(&text));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_MEMORY);
    kdl_context_release(ctx);
}

static void test_grow(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    void *array = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(kdl__grow(ctx, &array, &capacity, i + 1, sizeof(int)));
        assert_true(capacity > i);
        ((int *)array)[i] = (int)i;
    }
    assert_int_equal(capacity, 1024);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((int *)array)[i], i);
    kdl_free(ctx, array);
    kdl_context_release(ctx);
}

static void test_text(void **state)
{
    (void)state;
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_puts(&text, "abc");
    kdl__text_add(&text, "defgh", 2);
    kdl__text_repeat(&text, ' ', 3);
    kdl__text_repeat(&text, '-', 0);
    kdl__text_printf(&text, "%d|%s", 42, "x");
    for (int i = 0; i < 100; i++)
        kdl__text_printf(&text, "%d", i % 10);
    assert_int_equal(text.length, 112);
    char *taken = kdl__text_take(&text);
    assert_int_equal(strlen(taken), 112);
    assert_memory_equal(taken, "abcde   42|x0123456789012", 25);
    kdl_free(ctx, taken);

    taken = kdl__text_take(&text); /* taking leaves it empty and usable */
    assert_string_equal(taken, "");
    kdl_free(ctx, taken);
    kdl__text_puts(&text, "unused");
    kdl__text_free(&text);

    char *copy = kdl__strndup(ctx, "hello", 4);
    assert_string_equal(copy, "hell");
    kdl_free(ctx, copy);
    copy = kdl__asprintf(ctx, "%s-%05d", "n", 12);
    assert_string_equal(copy, "n-00012");
    kdl_free(ctx, copy);
    counting_context_release(&allocator, ctx);
}

static void check_number(kdl_context *ctx, char conversion, int precision, double value,
                         const char *expected)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_puts(&text, "x,");
    kdl__text_double(&text, conversion, precision, value);
    kdl__text_puts(&text, "|");
    char *taken = kdl__text_take(&text);
    assert_memory_equal(taken, "x,", 2);
    assert_int_equal(strlen(taken), strlen(expected) + 3);
    assert_memory_equal(taken + 2, expected, strlen(expected));
    kdl_free(ctx, taken);
}

static void test_numbers(void **state)
{
    (void)state;
    /* The last one that is installed stays; the first is always there. */
    static const char *const locales[] = { "C", "ps_AF.UTF-8", "fr_FR.UTF-8", "de_DE.UTF-8" };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        setlocale(LC_ALL, locales[i]);
        check_number(ctx, 'f', 4, 1.5, "1.5000");
        check_number(ctx, 'f', 4, -12345.00005, "-12345.0001");
        check_number(ctx, 'f', 0, 2.5, "2");
        check_number(ctx, 'f', 0, 1e20, "100000000000000000000");
        check_number(ctx, 'e', 4, -1.25e-7, "-1.2500e-07");
        check_number(ctx, 'e', 4, 1e300, "1.0000e+300");
        check_number(ctx, 'g', 6, 0.02, "0.02");
        check_number(ctx, 'g', 17, 0.1, "0.10000000000000001");
        check_number(ctx, 'f', 4, -0.0, "-0.0000");
        check_number(ctx, 'f', 4, INFINITY, "inf");
        check_number(ctx, 'e', 4, -INFINITY, "-inf");
        check_number(ctx, 'f', 4, -NAN, "nan");
    }
    setlocale(LC_ALL, "C");
    kdl_context_release(ctx);
}

static void test_repr(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *expected; /* Python's repr(value) */
    } cases[] = {
        { 0.0, "0.0" },
        { -0.0, "-0.0" },
        { 1, "1.0" },
        { -100, "-100.0" },
        { 0.1, "0.1" },
        { 0.02, "0.02" },
        { 2.0 / 3, "0.6666666666666666" },
        { 0.0001, "0.0001" },
        { 0.00001, "1e-05" },
        { 0.000012345, "1.2345e-05" },
        { 123456.789, "123456.789" },
        { 1e15, "1000000000000000.0" },
        { 1e16, "1e+16" },
        { 123456789012345680.0, "1.2345678901234568e+17" },
        { 9007199254740993.0, "9007199254740992.0" },
        { 5e-324, "5e-324" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { INFINITY, "inf" },
        { -INFINITY, "-inf" },
        { -NAN, "nan" },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kdl__text text;
        kdl__text_init(&text, ctx);
        kdl__text_repr(&text, cases[i].value);
        char *taken = kdl__text_take(&text);
        assert_string_equal(taken, cases[i].expected);
        kdl_free(ctx, taken);
    }
    kdl_context_release(ctx);
}

static kdl_status use_everything(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl__text text;
    kdl__text_init(&text, ctx);
    for (int i = 0; i < 50; i++)
        kdl__text_printf(&text, "%d ", i);
    char *taken = kdl__text_take(&text);
    char *copy = kdl__strdup(ctx, "a copy");
    char *printed = kdl__asprintf(ctx, "%100d", 1);
    void *array = NULL;
    size_t capacity = 0;
    for (size_t n = 1; n < 100 && kdl__grow(ctx, &array, &capacity, n, 4); n++)
        ;
    bool whole = taken && copy && printed && capacity >= 99;
    assert_int_equal(whole, kdl_error_status(ctx) == KDL_OK);
    kdl_free(ctx, taken);
    kdl_free(ctx, copy);
    kdl_free(ctx, printed);
    kdl_free(ctx, array);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(use_everything, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
