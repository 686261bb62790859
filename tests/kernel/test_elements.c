/* SPDX-License-Identifier: Apache-2.0 */
/* The loops over elements of every table against those of ref, bit for bit. */
#include "kernels/kernels.h"
#include "support/unit.h"

enum { MOST = 200, MARGIN = 16 };

static const kdl__kernels *kernels; /* the table under test */
static kdl__mt mt;

/* Random bits with some zeros and equal ones: NaNs are the processor's where two meet, so none. */
static void random_values(kdl_dtype dtype, void *out, size_t n)
{
    uint64_t words[MOST];
    for (size_t i = 0; i < n; i++) {
        words[i] = (uint64_t)kdl__mt_draw(&mt) << 32 | kdl__mt_draw(&mt);
        if (words[i] % 5 == 0)
            words[i] = i > 0 && words[i] % 2 ? words[i - 1] : 0;
        if (dtype == KDL_F32) {
            float value = (float)(int32_t)words[i] * 0x1p-20F;
            memcpy((float *)out + i, &value, sizeof value);
        } else if (dtype == KDL_F64) {
            double value = (double)(int64_t)words[i] * 0x1p-40;
            memcpy((double *)out + i, &value, sizeof value);
        } else {
            size_t size = kdl_dtype_nbytes(dtype);
            memcpy((char *)out + i * size, &words[i], size);
        }
    }
}

static const kdl_dtype computed[] = { KDL_F32, KDL_F64, KDL_I64, KDL_I32, KDL_U8 };

static void check_combine(kdl_dtype dtype, bool multiply, bool single, size_t n)
{
    double expected[MOST], actual[MOST], other[MOST];
    random_values(dtype, expected, MOST);
    random_values(dtype, other, MOST);
    memcpy(actual, expected, sizeof actual);
    kdl__kernels_ref.combine(dtype, multiply, expected, other, single, n);
    kernels->combine(dtype, multiply, actual, other, single, n);
    assert_memory_equal(actual, expected, MOST * kdl_dtype_nbytes(dtype));
}

static void check_compare(kdl_dtype dtype, size_t n)
{
    double values[MOST];
    unsigned char expected[MOST], actual[MOST];
    random_values(dtype, values, MOST);
    for (kdl__relation relation = KDL__EQ; relation <= KDL__GE; relation++) {
        memset(expected, 0xa5, sizeof expected);
        memset(actual, 0xa5, sizeof actual);
        const char *number = (const char *)values + n / 2 * kdl_dtype_nbytes(dtype);
        kdl__kernels_ref.compare(dtype, relation, values, number, expected, n);
        kernels->compare(dtype, relation, values, number, actual, n);
        assert_memory_equal(actual, expected, sizeof actual);
    }
}

static void check_absolute(kdl_dtype dtype, size_t n)
{
    double values[MOST], expected[MOST] = { 0 };
    random_values(dtype == KDL_F16 || dtype == KDL_BF16 ? KDL_I32 : dtype, values, MOST);
    kdl__kernels_ref.absolute(dtype, values, expected, n);
    memset((char *)expected + n * kdl_dtype_nbytes(dtype), 0, MARGIN);
    memset((char *)values + n * kdl_dtype_nbytes(dtype), 0, MARGIN);
    kernels->absolute(dtype, values, values, n); /* in place */
    assert_memory_equal(values, expected, n * kdl_dtype_nbytes(dtype) + MARGIN);
}

static void test_arithmetic(void **state)
{
    (void)state;
    for (size_t n = 0; n < MOST - MARGIN; n += n < 40 ? 1 : 17) {
        for (size_t i = 0; i < sizeof computed / sizeof *computed; i++) {
            for (int kind = 0; kind < 4; kind++)
                check_combine(computed[i], kind & 1, kind >> 1, n);
            check_compare(computed[i], n);
        }
        for (kdl_dtype dtype = KDL_F32; dtype <= KDL_U8; dtype++)
            check_absolute(dtype, n);
    }
}

static void check_sequences(double a, double b, uint64_t numel, uint64_t first, size_t n)
{
    double expected[MOST] = { 0 }, actual[MOST] = { 0 };
#define SAME(field, type, number)                                                                  \
    kdl__kernels_ref.field((number)a, (number)b, numel, first, n, (type *)expected);               \
    kernels->field((number)a, (number)b, numel, first, n, (type *)actual);                         \
    assert_memory_equal(actual, expected, sizeof actual)
    SAME(arange_f64, double, double);
    SAME(arange_f32, float, double);
    SAME(arange_f16, float, float);
    SAME(arange_bf16, float, float);
    SAME(linspace_f64, double, double);
    SAME(linspace_f32, float, float);
#undef SAME
}

static void test_sequences(void **state)
{
    (void)state;
    for (uint64_t numel = 2; numel < MOST; numel++)
        for (uint64_t first = 0; first < numel; first += 1 + numel / 7) {
            check_sequences(-0.3, 0.7, numel, first, numel - first);
            check_sequences(1e5, -1e-3, numel, first, (numel - first) / 2);
        }
    check_sequences(0, 1e-3, UINT64_C(1) << 24, (1 << 24) - 100, 100);
    check_sequences(0, 1, UINT64_C(1) << 33, (UINT64_C(1) << 32) - 50, 100); /* past 32 bits */
}

/* One element at a time, and all at once. */
static void test_ranges(void **state)
{
    (void)state;
    float whole[MOST], singly[MOST];
    for (uint64_t numel = 2; numel < MOST; numel += 3) {
        kernels->arange_f32(0.1, 0.3, numel, 0, numel, whole);
        for (uint64_t i = 0; i < numel; i++)
            kernels->arange_f32(0.1, 0.3, numel, i, 1, singly + i);
        assert_memory_equal(singly, whole, numel * sizeof *whole);
        kernels->linspace_f32(0.1F, 0.3F, numel, 0, numel, whole);
        for (uint64_t i = 0; i < numel; i++)
            kernels->linspace_f32(0.1F, 0.3F, numel, i, 1, singly + i);
        assert_memory_equal(singly, whole, numel * sizeof *whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_ranges),
    };
    kdl__mt_seed(&mt, 7);
    int failed = 0;
    for (size_t table = 0; (kernels = kdl__kernels_at(table)); table++)
        failed += cmocka_run_group_tests_name(kernels->name, tests, NULL, NULL);
    return failed;
}
