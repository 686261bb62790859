/* SPDX-License-Identifier: Apache-2.0 */
/* The builtin QR: orthogonal, a factorisation, and the same bits however it is computed. */
#include <math.h>
#include "init/qr.h"
#include "support/counting_allocator.h"
#include "support/golden.h"
#include "support/unit.h"

typedef struct matrix {
    size_t m, n, ld;
    double *a, *diagonal;
} matrix;

/* The same normals on every machine, rounded to f32 as orthogonal_ draws them. */
static matrix matrix_new(size_t m, size_t n)
{
    matrix x = { .m = m, .n = n, .ld = kdl__qr_leading_dimension(m) };
    size_t count = (x.ld * n + 15) / 16 * 16;
    float *draws = malloc(count * sizeof *draws);
    x.a = malloc(count * sizeof *x.a);
    x.diagonal = malloc(n * sizeof *x.diagonal);
    assert_true(draws && x.a && x.diagonal);
    kdl__mt mt;
    kdl__mt_seed(&mt, (uint32_t)(1000 * m + n));
    kdl__kernels_ref.normal_f32(&mt, 0, 1, draws, count);
    for (size_t i = 0; i < count; i++)
        x.a[i] = (double)draws[i];
    free(draws);
    return x;
}

static void matrix_free(matrix *x)
{
    free(x->a);
    free(x->diagonal);
}

static double product(const matrix *x, size_t i, const matrix *y, size_t j)
{
    double sum = 0;
    for (size_t p = 0; p < x->m; p++)
        sum += x->a[i * x->ld + p] * y->a[j * y->ld + p];
    return sum;
}

static kdl_context *context_of(int threads)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = threads;
    kdl_context *ctx = kdl_context_new(&options);
    assert_non_null(ctx);
    return ctx;
}

static const size_t shapes[][2] = { { 1, 1 },    { 2, 1 },     { 9, 8 },    { 64, 64 },
                                    { 65, 64 },  { 65, 65 },   { 100, 7 },  { 129, 128 },
                                    { 300, 70 }, { 200, 200 }, { 1000, 3 }, { 264, 264 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void test_it_is_an_orthogonal_factorisation(void **state)
{
    (void)state;
    kdl_context *ctx = context_of(1);
    for (size_t s = 0; s < SHAPES; s++) {
        size_t n = shapes[s][1];
        matrix a = matrix_new(shapes[s][0], n), q = matrix_new(shapes[s][0], n);
        assert_int_equal(kdl__qr(ctx, kdl__kernels_best(), q.m, n, q.a, q.ld, q.diagonal), KDL_OK);
        double tolerance = 0x1p-52 * 8 * (double)(n + 1);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                assert_true(fabs(product(&q, i, &q, j) - (i == j)) <= tolerance);
                double r = product(&q, i, &a, j), size = 0;
                for (size_t p = 0; p < a.m; p++)
                    size += fabs(a.a[j * a.ld + p]);
                if (i >= j)
                    assert_true(fabs(r - (i == j ? q.diagonal[i] : 0)) <= tolerance * size);
            }
        }
        matrix_free(&a);
        matrix_free(&q);
    }
    kdl_context_release(ctx);
}

/* The digest of Q and of R's diagonal. */
static uint64_t digest_of(size_t m, size_t n, int threads, const kdl__kernels *kernels)
{
    kdl_context *ctx = context_of(threads);
    matrix q = matrix_new(m, n);
    assert_int_equal(kdl__qr(ctx, kernels, m, n, q.a, q.ld, q.diagonal), KDL_OK);
    uint64_t digest = golden_digest(q.diagonal, n * sizeof(double));
    for (size_t j = 0; j < n; j++)
        digest = digest * 31 + golden_digest(q.a + j * q.ld, m * sizeof(double));
    matrix_free(&q);
    kdl_context_release(ctx);
    return digest;
}

/* What every machine, compiler, table of kernels and number of threads must give. */
static void test_the_bits_are_the_same_everywhere(void **state)
{
    (void)state;
    const struct {
        size_t m, n;
        uint64_t digest;
    } frozen[] = { { 9, 8, UINT64_C(0x9e5354e0c7419899) },
                   { 129, 128, UINT64_C(0x1425c8d184ff7292) },
                   { 300, 70, UINT64_C(0xbfcd97706d9e5422) },
                   { 520, 520, UINT64_C(0x6249de5a096c66fb) } };
    const int threads[] = { 7, 1, 2 };
    for (size_t i = 0; i < sizeof frozen / sizeof *frozen; i++) {
        const kdl__kernels *kernels;
        for (size_t table = 0; (kernels = kdl__kernels_at(table)); table++)
            for (size_t t = 0; t < 3; t += CASE_STEP(3))
                assert_int_equal(digest_of(frozen[i].m, frozen[i].n, threads[t], kernels),
                                 frozen[i].digest);
    }
}

static void test_a_column_that_is_reduced_already(void **state)
{
    (void)state;
    kdl_context *ctx = context_of(1);
    double a[] = { -3, 0, 0, 0, 0, 4 }, diagonal[2];
    const double q[] = { 1, 0, 0, 0, 0, -1 };
    assert_int_equal(kdl__qr(ctx, kdl__kernels_best(), 3, 2, a, 3, diagonal), KDL_OK);
    assert_true(diagonal[0] == -3 && diagonal[1] == -4);
    for (size_t i = 0; i < 6; i++)
        assert_true(a[i] == q[i]);
    kdl_context_release(ctx);
}

static kdl_status factor_once(kdl_context *ctx, void *body_data)
{
    (void)body_data;
    matrix q = matrix_new(70, 66);
    kdl_status status = kdl__qr(ctx, kdl__kernels_best(), q.m, q.n, q.a, q.ld, q.diagonal);
    matrix_free(&q);
    return status ? kdl__fail_memory(ctx) : KDL_OK;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    check_allocation_failures(factor_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_an_orthogonal_factorisation),
        cmocka_unit_test(test_the_bits_are_the_same_everywhere),
        cmocka_unit_test(test_a_column_that_is_reduced_already),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
