/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_outside_f32 of every table: the numbers that ref lists, and nothing written behind the room.
 */
#include <math.h>

#include "kernels/kernels.h"
#include "support/unit.h"

enum { MOST = 300 };

static uint32_t next_random(uint32_t *state)
{
    return *state = *state * 1664525 + 1013904223;
}

static float random_value(uint32_t *state)
{
    static const float special[] = { INFINITY, -INFINITY, NAN, 2, -2, -0.0F, 2.0000002F };
    uint32_t word = next_random(state);
    if (word >> 28 == 0)
        return special[(word >> 8) % 7];
    return (float)(int32_t)word * 0x1p-30F; /* about -2 .. 2 */
}

static void check_table(const kdl__kernels *kernels, size_t n, size_t shift, float low, float high)
{
    float values[MOST + 16];
    uint32_t expected[MOST + KDL__MT_SCRATCH], actual[MOST + KDL__MT_SCRATCH + 1];
    uint32_t state = (uint32_t)(n * 31 + shift), first = next_random(&state) & 0xffffff;
    for (size_t i = 0; i < n; i++)
        values[shift + i] = random_value(&state);
    memset(actual, 0xab, sizeof actual);
    size_t count = kdl__kernels_ref.list_outside_f32(values + shift, low, high, n, first, expected);
    assert_int_equal(kernels->list_outside_f32(values + shift, low, high, n, first, actual), count);
    assert_memory_equal(actual, expected, count * sizeof *actual);
    assert_int_equal(actual[n + KDL__MT_SCRATCH], 0xabababab);
}

static void test_lengths(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    for (size_t table = 0; (kernels = kdl__kernels_at(table)); table++)
        for (size_t n = 0; n <= MOST; n += CASE_STEP(7))
            for (size_t shift = 0; shift < 16; shift++) {
                check_table(kernels, n, shift, -1, 1);
                check_table(kernels, n, shift, -2, 2);
                check_table(kernels, n, shift, 1, -1); /* all but NaNs */
            }
}

static void test_ref(void **state)
{
    (void)state;
    const float values[] = { 0, -3, NAN, 2, 2.5F, -INFINITY };
    uint32_t numbers[6 + KDL__MT_SCRATCH];
    assert_int_equal(kdl__kernels_ref.list_outside_f32(values, -2, 2, 6, 10, numbers), 3);
    assert_int_equal(numbers[0], 11);
    assert_int_equal(numbers[1], 14);
    assert_int_equal(numbers[2], 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
