/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fills of every table against those of ref, bit for bit: any length, any place of the engine
 * in its block, any place in memory, any arguments; with what lies around the destination, and the
 * engine's state behind the last draw.
 */
#include <math.h>
#include "fill_cases.h"
#include "support/unit.h"

enum { ROOM = 2 * KDL__STREAM_NBYTES, MARGIN = 256 };

static _Alignas(64) unsigned char expected[ROOM], actual[ROOM];
static uint32_t random_state = 12345;

/* A number below `bound`, from a generator that has nothing to do with the one under test. */
static uint32_t below(uint32_t bound)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)random_state * bound >> 32);
}

static void start_at(kdl__mt *mt, uint32_t next)
{
    kdl__mt_seed(mt, random_state);
    kdl__mt_regenerate(mt);
    mt->next = next;
}

/* `shift`: elements from a multiple of 64 bytes. */
static void check(fill_case fill, uint32_t next, double a, double b, size_t n, size_t shift)
{
    const size_t size = fill_cases[fill].nbytes;
    const size_t offset = MARGIN + shift * size;
    const size_t nbytes = offset + n * size + MARGIN;
    assert_true(nbytes <= ROOM);
    kdl__mt start, after_ref, after;
    start_at(&start, next);
    memset(expected, 0xa5, nbytes);
    after_ref = start;
    run_fill_case(&kdl__kernels_ref, fill, &after_ref, a, b, expected + offset, n);
    const kdl__kernels *kernels;
    for (size_t table = 1; (kernels = next_fills(&table));) {
        memset(actual, 0xa5, nbytes);
        after = start;
        run_fill_case(kernels, fill, &after, a, b, actual + offset, n);
        if (memcmp(actual, expected, nbytes) != 0 || after.next != after_ref.next ||
            memcmp(after.words, after_ref.words, 4 * KDL__MT_WORDS) != 0)
            fail_msg("%s %s(%a, %a): %zu values, next = %u, shift = %zu", kernels->name,
                     fill_cases[fill].name, a, b, n, next, shift);
    }
}

/* The count of values nearest below n that the fill takes. */
static size_t whole(fill_case fill, size_t n)
{
    return n - n % fill_cases[fill].unit;
}

static void test_lengths(void **state)
{
    (void)state;
    for (fill_case fill = 0; fill < FILL_CASES; fill++) {
        const size_t unit = fill_cases[fill].unit;
        for (size_t n = 0; n <= 100; n++)
            for (uint32_t k = 0; k < 6; k++)
                check(fill, k < 3 ? k * 312 : 600 + below(25), 0, 1, n * unit, below(33));
        for (size_t block = 312; block <= 5 * 624; block += 312)
            for (size_t n = block - 20; n <= block + 20; n++)
                check(fill, below(625), -1, 2, whole(fill, n), below(33));
    }
}

static void test_every_place_of_the_engine(void **state)
{
    (void)state;
    const size_t lengths[] = { 16, 640, 4000 };
    for (fill_case fill = 0; fill < FILL_CASES; fill++)
        for (uint32_t next = 0; next <= KDL__MT_WORDS; next += CASE_STEP(13))
            for (size_t i = 0; i < 3; i++)
                check(fill, next, 0.25, 3, whole(fill, lengths[i] - i % 2 * below(16)), 0);
}

static void test_every_place_in_memory(void **state)
{
    (void)state;
    for (fill_case fill = 0; fill < FILL_CASES; fill++)
        for (size_t shift = 0; shift < 64; shift++)
            check(fill, below(625), -0.5, 0.5, whole(fill, 2500 + below(200)), shift);
}

/* Long enough for stores past the caches. */
static void test_long_fills(void **state)
{
    (void)state;
    for (fill_case fill = 0; fill < FILL_CASES; fill++) {
        const size_t n = KDL__STREAM_NBYTES / fill_cases[fill].nbytes;
        check(fill, 624, -0.125, 0.125, whole(fill, n), 0);
        check(fill, 624, -0.125, 0.125, whole(fill, n + n / 3 + 5), 0);
        check(fill, 77, -0.125, 0.125, whole(fill, n + n / 7 + 13), 0);
        check(fill, 608, -0.125, 0.125, whole(fill, n + 1000), 3);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    const double values[] = { 0,       -0.0,      1,      -1,       0.1,       -0.1,
                              5,       5.0078125, 1e-3,   1e-10,    -65504,    65519,
                              65520,   1e5,       3.3e38, -3.3e38,  1e-37,     1e-40,
                              -1e-45,  2.5e-308,  1e-320, 1e308,    -1e308,    0x1p-25,
                              0x1p-24, 3e-8,      6.1e-5, INFINITY, -INFINITY, (double)NAN };
    const size_t count = sizeof values / sizeof *values;
    for (fill_case fill = 0; fill < FILL_CASES; fill++)
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < count; j++)
                check(fill, 500, values[i], values[j], whole(fill, 210), 1);
}

static double random_number(void)
{
    double magnitude = ldexp(1 + below(1 << 24) * 0x1p-24, (int)below(50) - 40);
    return below(2) ? magnitude : -magnitude;
}

static void test_random_cases(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        fill_case fill = (fill_case)below(FILL_CASES);
        double a = random_number(), b = fabs(random_number());
        bool normal = fill_cases[fill].unit > 1;
        check(fill, below(625), a, normal ? b : a + b, whole(fill, below(3000)), below(64));
    }
}

/* A mean of -0 shows the sign of a radius of 0, which the first draw of 0 gives. */
static void test_zero_draws(void **state)
{
    (void)state;
    const double means[] = { 0, -0.0, 1 }, stds[] = { 0, 1, -0.0 };
    for (fill_case fill = FILL_NORMAL_F32; fill < FILL_CASES; fill++) {
        for (int i = 0; i < 9; i++) {
            kdl__mt start = { .next = 0 }, after; /* tempered, 0 is 0 */
            unsigned char zeros[64 * 8], others[64 * 8];
            after = start;
            run_fill_case(&kdl__kernels_ref, fill, &after, means[i / 3], stds[i % 3], zeros, 64);
            const kdl__kernels *kernels;
            for (size_t table = 1; (kernels = next_fills(&table));) {
                after = start;
                run_fill_case(kernels, fill, &after, means[i / 3], stds[i % 3], others, 64);
                assert_memory_equal(others, zeros, 64 * fill_cases[fill].nbytes);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_every_place_of_the_engine),
        cmocka_unit_test(test_every_place_in_memory),
        cmocka_unit_test(test_long_fills),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_random_cases),
        cmocka_unit_test(test_zero_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
