/* SPDX-License-Identifier: Apache-2.0 */
/* JSON's strings and numbers, UTF-8, base64. */
#include <locale.h>
#include <math.h>

#include "base/json.h"
#include "support/unit.h"

static kdl_context *ctx;

static int make_context(void **state)
{
    (void)state;
    ctx = kdl_context_new(NULL);
    return ctx ? 0 : -1;
}

static int release_context(void **state)
{
    (void)state;
    kdl_context_release(ctx);
    return 0;
}

static void check_taken(kdl__text *text, const char *expected)
{
    char *taken = kdl__text_take(text);
    assert_string_equal(taken, expected);
    kdl_free(ctx, taken);
}

static void check_string(const char *given, const char *expected)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__json_add_string(&text, given);
    check_taken(&text, expected);
}

static void check_number(double given, const char *expected)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__json_add_number(&text, given);
    check_taken(&text, expected);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    check_string("", "\"\"");
    check_string("transformer.h.0", "\"transformer.h.0\"");
    check_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    check_string("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
    check_string("\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"");
    check_string("\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void numbers_read_back(void **state)
{
    (void)state;
    check_number(0, "0.0");
    check_number(-0.0, "-0.0");
    check_number(0.02, "0.02");
    check_number(0.1 + 0.2, "0.30000000000000004");
    check_number(1e300, "1e+300");
    check_number(5e-324, "5e-324");
    check_number(1.0 / 3, "0.3333333333333333");
    check_number(INFINITY, "\"inf\"");
    check_number(-INFINITY, "\"-inf\"");
    check_number(NAN, "\"nan\"");
    check_number(-NAN, "\"-nan\"");
}

static void numbers_do_not_follow_the_locale(void **state)
{
    (void)state;
    static const char *const locales[] = { "C", "fr_FR.UTF-8", "de_DE.UTF-8" };
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        setlocale(LC_ALL, locales[i]);
        check_number(0.02, "0.02");
        check_number(1.0 / 3, "0.3333333333333333");
    }
    setlocale(LC_ALL, "C");
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const char *const good[] = { "",
                                        "a",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80",
                                       "\xc3",
                                       "\xc0\xaf",
                                       "\xc3(",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xe2\x82",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf8\x88\x80\x80\x80",
                                       "\xff" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(kdl__is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(kdl__is_utf8(bad[i], strlen(bad[i])));
}

static void check_base64(const char *bytes, size_t nbytes, const char *expected)
{
    kdl__text text;
    char decoded[64];
    size_t found, length = strlen(expected);
    kdl__text_init(&text, ctx);
    kdl__json_add_base64(&text, bytes, nbytes);
    assert_int_equal(text.length, length + 2);
    assert_memory_equal(text.data + 1, expected, length);
    kdl__text_free(&text);
    assert_true(kdl__base64_nbytes(expected, length, &found));
    assert_int_equal(found, nbytes);
    assert_true(kdl__base64_decode(expected, length, decoded));
    assert_memory_equal(decoded, bytes, nbytes);
}

/* The examples of RFC 4648, and bytes above 127. */
static void base64_goes_both_ways(void **state)
{
    (void)state;
    check_base64("", 0, "");
    check_base64("f", 1, "Zg==");
    check_base64("fo", 2, "Zm8=");
    check_base64("foo", 3, "Zm9v");
    check_base64("foob", 4, "Zm9vYg==");
    check_base64("fooba", 5, "Zm9vYmE=");
    check_base64("foobar", 6, "Zm9vYmFy");
    check_base64("\xff\xfe\x00\x80", 4, "//4AgA==");
}

static void bad_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "=m9v"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char decoded[64];
        assert_false(kdl__base64_decode(bad[i], strlen(bad[i]), decoded));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(numbers_do_not_follow_the_locale),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(bad_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, make_context, release_context);
}
