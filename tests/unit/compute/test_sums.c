/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums over any dimensions beside the plainest loop, with the same bits for any number of threads.
 */
#include <math.h>

#include "compute/compute.h"
#include "kindling/train.h"
#include "support/unit.h"

/* Where element `index` of the tensor, row-major, belongs among the sums. */
static int64_t place_of(const kdl_tensor *tensor, uint32_t mask, int64_t index)
{
    int64_t place = 0, stride = 1;
    for (int d = tensor->ndim - 1; d >= 0; d--) {
        if (!(mask >> d & 1)) {
            place += index % tensor->dims[d] * stride;
            stride *= tensor->dims[d];
        }
        index /= tensor->dims[d];
    }
    return place;
}

static void check_sum(kdl_context *ctx, kdl_shape shape, uint32_t mask, bool turned)
{
    kdl_manual_seed(ctx, 5);
    kdl_tensor *x = kdl_randn(ctx, shape);
    if (turned) {
        kdl_tensor *other = kdl_transpose(x, 0, -1);
        kdl_tensor_release(x);
        x = other;
    }
    kdl_tensor *rows = kdl_contiguous(x), *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        kdl_set_num_threads(ctx, threads);
        kdl_tensor *sum = kdl__compute_sum(x, mask, false);
        assert_non_null(sum);
        if (first)
            assert_memory_equal(kdl_tensor_data(first), kdl_tensor_data(sum),
                                kdl_tensor_nbytes(sum));
        else
            first = kdl_tensor_retain(sum);
        kdl_tensor_release(sum);
    }
    const float *values = kdl_tensor_data(rows), *sums = kdl_tensor_data(first);
    double *expected = calloc((size_t)first->numel, sizeof *expected);
    for (int64_t i = 0; i < rows->numel; i++)
        expected[place_of(rows, mask, i)] += values[i];
    for (int64_t i = 0; i < first->numel; i++)
        assert_true(fabs(sums[i] - expected[i]) <= 1e-6 * (1 + fabs(expected[i])));
    free(expected);
    kdl_tensor_release(first);
    kdl_tensor_release(rows);
    kdl_tensor_release(x);
}

/* Many results and few, the summed dimensions before, between and behind those that stay. */
static void test_sums(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    static const struct {
        kdl_shape shape;
        uint32_t mask;
    } cases[] = {
        { { { 300000 }, 1 }, 1 },       { { { 700, 300 }, 2 }, 1 },   { { { 700, 300 }, 2 }, 2 },
        { { { 700, 300 }, 2 }, 3 },     { { { 70000, 3 }, 2 }, 1 },   { { { 3, 70001 }, 2 }, 2 },
        { { { 90, 5, 301 }, 3 }, 5 },   { { { 5, 300, 90 }, 3 }, 2 }, { { { 17, 64, 150 }, 3 }, 5 },
        { { { 1, 200000, 1 }, 3 }, 7 }, { { { 66000 }, 1 }, 1 },      { { { 2, 3, 4 }, 3 }, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int turned = 0; turned < 2; turned++)
            check_sum(ctx, cases[i].shape, cases[i].mask, turned);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_context_release(ctx);
}

/* Along the middle one of three dimensions, from either end; exact, and the same on any threads. */
static void check_running(kdl_context *ctx, int64_t outer, int64_t count, int64_t inner)
{
    kdl_tensor *x = kdl_randn(ctx, KDL_SHAPE(outer, count, inner));
    const float *values = kdl_tensor_data(x);
    for (int threads = 1; threads <= 3; threads += 2)
        for (int from_last = 0; from_last < 2; from_last++) {
            kdl_set_num_threads(ctx, threads);
            kdl_tensor *sums = kdl__compute_running_sums(x, 1, from_last);
            const float *actual = kdl_tensor_data(sums);
            for (int64_t line = 0; line < outer * inner; line++) {
                double sum = 0;
                for (int64_t i = 0; i < count; i++) {
                    int64_t row = line / inner * count + (from_last ? count - 1 - i : i);
                    sum += (double)values[row * inner + line % inner];
                    assert_true(actual[row * inner + line % inner] == (float)sum);
                }
            }
            kdl_tensor_release(sums);
        }
    kdl_tensor_release(x);
}

static void test_running_sums(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    check_running(ctx, 1, 5, 1);
    check_running(ctx, 7, 300, 1);
    check_running(ctx, 403, 200, 1); /* the last lines are fewer than are done together */
    check_running(ctx, 3, 20, 2);
    check_running(ctx, 2, 100, 700);
    check_running(ctx, 1, 300, 256);
    check_running(ctx, 3, 0, 4);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_running_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
