/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions and constant fills of every table against those of ref, bit for bit. */
#include "kernels/kernels.h"
#include "support/unit.h"

enum { MARGIN = 64, MOST = 1 << 16 };

static const kdl__kernels *kernels; /* the table under test */
static _Alignas(64) unsigned char expected[MOST * 8 + 2 * MARGIN], actual[MOST * 8 + 2 * MARGIN];

/* `in` and the result lie as far from a multiple of 64 bytes as `shift` elements are. */
static void check_conversion(kdl_dtype from, const void *in, kdl_dtype to, size_t n, size_t shift)
{
    static _Alignas(64) unsigned char source[MOST * 8 + MARGIN * 8];
    const size_t from_nbytes = kdl_dtype_nbytes(from), to_nbytes = kdl_dtype_nbytes(to);
    unsigned char *shifted = source + shift * from_nbytes;
    memcpy(shifted, in, n * from_nbytes);
    const size_t nbytes = (shift % 8 + n) * to_nbytes + MARGIN;
    memset(expected, 0xa5, nbytes);
    memset(actual, 0xa5, nbytes);
    kdl__kernels_ref.convert(from, shifted, to, expected + shift % 8 * to_nbytes, n);
    kernels->convert(from, shifted, to, actual + shift % 8 * to_nbytes, n);
    for (size_t i = 0; i < nbytes; i++)
        if (expected[i] != actual[i])
            fail_msg("%s, %s to %s: byte %zu of %zu elements, shift %zu", kernels->name,
                     kdl_dtype_name(from), kdl_dtype_name(to), i, n, shift);
}

/* Random bits, of which every third float is near a number that 16 bits can hold. */
static void fill_with_cases(kdl_dtype dtype, void *values, size_t n)
{
    kdl__mt mt;
    kdl__mt_seed(&mt, (uint32_t)dtype);
    uint32_t *words = values;
    for (size_t i = 0; i < n * kdl_dtype_nbytes(dtype) / 4; i++) {
        words[i] = kdl__mt_draw(&mt);
        if (dtype == KDL_F32 && i % 3 == 0)
            words[i] = (words[i] & 0xfffff000) + kdl__mt_draw(&mt) % 5 - 2;
        if (dtype == KDL_F32 && i % 3 == 1) /* the exponents that f16 has, and some around */
            words[i] = (words[i] & 0x8fffffff) | 0x30000000;
    }
    if (dtype == KDL_F64) /* only few of the random exponents are a float's */
        for (size_t i = 0; i < n; i += 1 + i % 2)
            words[2 * i + 1] = (words[2 * i + 1] & 0x83ffffff) | 0x38000000 << (i % 7 == 0);
}

static const kdl_dtype floats[] = { KDL_F32, KDL_F64, KDL_F16, KDL_BF16 };

static void test_conversions(void **state)
{
    (void)state;
    static uint64_t values[MOST];
    for (size_t i = 0; i < 4; i++) {
        fill_with_cases(floats[i], values, MOST);
        for (kdl_dtype to = 0; to < KDL_DTYPE_COUNT; to++) {
            check_conversion(floats[i], values, to, MOST - 100, 0);
            for (size_t n = 0; n <= 100; n++)
                check_conversion(floats[i], (char *)values + 64 * n, to, n, n % 23);
        }
    }
}

/* All that 16 bits can say. */
static void test_every_half(void **state)
{
    (void)state;
    static uint16_t every[1 << 16];
    for (uint32_t bits = 0; bits < 1 << 16; bits++)
        every[bits] = (uint16_t)bits;
    for (size_t to = 0; to < 4; to++) {
        check_conversion(KDL_F16, every, floats[to], 1 << 16, 0);
        check_conversion(KDL_BF16, every, floats[to], 1 << 16, 0);
    }
}

/* Every sign, exponent and upper half of a float, with lower halves around each tie. */
static void test_every_rounding_to_halves(void **state)
{
    (void)state;
    static uint32_t words[MOST];
    const uint32_t lower[] = {
        0, 1, 0x0fff, 0x1000, 0x1001, 0x1fff, 0x7fff, 0x8000, 0x8001, 0xffff
    };
    for (size_t i = 0; i < sizeof lower / sizeof *lower; i++) {
        for (uint32_t upper = 0; upper < 1 << 16; upper++)
            words[upper] = upper << 16 | lower[i];
        check_conversion(KDL_F32, words, KDL_F16, MOST, 0);
        check_conversion(KDL_F32, words, KDL_BF16, MOST, 0);
    }
}

static void check_fill(unsigned char *from_ref, unsigned char *from_table, size_t room,
                       size_t nbytes, size_t n, size_t shift)
{
    const uint64_t bits = UINT64_C(0xf1e2d3c4b5a69788);
    memset(from_ref, 0x11, room);
    memset(from_table, 0x11, room);
    kdl__kernels_ref.fill(from_ref + shift * nbytes, nbytes, bits, n);
    kernels->fill(from_table + shift * nbytes, nbytes, bits, n);
    assert_memory_equal(from_table, from_ref, room);
}

static void test_fills(void **state)
{
    (void)state;
    for (size_t nbytes = 1; nbytes <= 8; nbytes *= 2)
        for (size_t n = 0; n < 200; n++)
            for (size_t shift = 0; shift < 64; shift += 1 + shift / 9)
                check_fill(expected, actual, (n + 100) * nbytes, nbytes, n, shift);
}

/* Long enough for stores past the caches. */
static void test_long_fills(void **state)
{
    (void)state;
    const size_t room = 8 * KDL__STREAM_NBYTES + 4096;
    unsigned char *from_ref = test_malloc(room), *from_table = test_malloc(room);
    for (size_t nbytes = 1; nbytes <= 8; nbytes *= 2)
        for (size_t shift = 0; shift < 3; shift++)
            check_fill(from_ref, from_table, room, nbytes, 8 * KDL__STREAM_NBYTES / nbytes + 77,
                       shift);
    test_free(from_ref);
    test_free(from_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_every_half),
        cmocka_unit_test(test_every_rounding_to_halves),
        cmocka_unit_test(test_fills),
        cmocka_unit_test(test_long_fills),
    };
    int failed = 0;
    for (size_t i = 1; (kernels = kdl__kernels_at(i)); i++)
        failed += cmocka_run_group_tests_name(kernels->name, tests, NULL, NULL);
    return failed;
}
