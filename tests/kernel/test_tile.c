/* SPDX-License-Identifier: Apache-2.0 */
/* The tile of a matrix product: every table against its definition, to the last bit. */
#include "kernels/kernels.h"
#include "support/unit.h"

enum { ROWS = KDL__TILE_ROWS, COLUMNS = KDL__TILE_COLUMNS, MOST = 300, LONGEST_LDC = 19 };

static double a[MOST * ROWS], b[MOST * COLUMNS];
static double before[COLUMNS * LONGEST_LDC], expected[COLUMNS * LONGEST_LDC];

/* Numbers of both signs whose sums round at every step. */
static void fill(double *values, size_t n, uint32_t seed)
{
    kdl__mt mt;
    kdl__mt_seed(&mt, seed);
    kdl__kernels_ref.uniform_f64(&mt, -1, 1, values, n);
}

static void define(size_t k, size_t ldc)
{
    memcpy(expected, before, sizeof expected);
    for (size_t j = 0; j < COLUMNS; j++) {
        for (size_t i = 0; i < ROWS; i++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += a[p * ROWS + i] * b[p * COLUMNS + j];
            expected[j * ldc + i] += sum;
        }
    }
}

static void test_every_table_sums_in_order(void **state)
{
    (void)state;
    const size_t depths[] = { 0, 1, 2, 7, 64, MOST }, strides[] = { ROWS, 11, LONGEST_LDC };
    fill(a, MOST * ROWS, 1);
    fill(b, MOST * COLUMNS, 2);
    fill(before, COLUMNS * LONGEST_LDC, 3);
    const kdl__kernels *kernels;
    for (size_t table = 0; (kernels = kdl__kernels_at(table)); table++) {
        for (size_t d = 0; d < sizeof depths / sizeof *depths; d++) {
            for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
                double c[COLUMNS * LONGEST_LDC];
                memcpy(c, before, sizeof c);
                define(depths[d], strides[s]);
                kernels->tile_f64(depths[d], a, b, c, strides[s]);
                assert_memory_equal(c, expected, sizeof c);
            }
        }
    }
}

static void test_tables_end_with_the_best(void **state)
{
    (void)state;
    size_t count = 0;
    while (kdl__kernels_at(count))
        count++;
    assert_ptr_equal(kdl__kernels_at(0), &kdl__kernels_ref);
    assert_ptr_equal(kdl__kernels_at(count - 1), kdl__kernels_best());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_sums_in_order),
        cmocka_unit_test(test_tables_end_with_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
