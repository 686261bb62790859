/* SPDX-License-Identifier: Apache-2.0 */
/* Exponentials, Cayley's map and Householder's reflections against what is known of them. */
#include <math.h>

#include "init/linear_algebra.h"
#include "support/contexts.h"

/* Fractions of -1 to 1 in no order. */
static void fill(double *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a[i] = (double)((i * 7919 + 13) % 199) / 99 - 1;
}

static void assert_identity(const double *a, size_t n, double tolerance)
{
    for (size_t i = 0; i < n * n; i++)
        assert_true(fabs(a[i] - (i / n == i % n)) <= tolerance);
}

/* The rotations of the plane, however often around. */
static void test_exp_of_rotations(void **state)
{
    for (double angle = -20; angle < 20; angle += 0.37) {
        const double a[] = { 0, -angle, angle, 0 };
        double out[4];
        assert_int_equal(kdl__matrix_exp(*state, a, 2, out), KDL_OK);
        assert_true(fabs(out[0] - cos(angle)) < 1e-13 && fabs(out[1] + sin(angle)) < 1e-13);
        assert_true(fabs(out[2] - sin(angle)) < 1e-13 && fabs(out[3] - cos(angle)) < 1e-13);
    }
}

/* exp(0) = I, exp(diag) = diag(exp), exp(a) exp(-a) = I. */
static void test_exp(void **state)
{
    enum { N = 7 };
    double a[N * N] = { 0 }, b[N * N], forth[N * N], back[N * N];
    kdl__matrix_exp(*state, a, N, forth);
    assert_identity(forth, N, 0);
    for (size_t i = 0; i < N; i++)
        a[i * N + i] = (double)i - 3;
    kdl__matrix_exp(*state, a, N, forth);
    for (size_t i = 0; i < N; i++)
        assert_true(fabs(forth[i * N + i] / exp((double)i - 3) - 1) < 1e-14);
    fill(a, N * N);
    for (size_t i = 0; i < N * N; i++)
        b[i] = -a[i];
    kdl__matrix_exp(*state, a, N, forth);
    kdl__matrix_exp(*state, b, N, back);
    kdl__matrix_multiply(forth, back, N, N, N, b);
    assert_identity(b, N, 1e-11);
}

/* (I - a/2) q = I + a/2, and q is orthogonal for a skew-symmetric a. */
static void test_cayley(void **state)
{
    enum { N = 12 };
    double x[N * N], a[N * N], q[N * N], product[N * N], transposed[N * N];
    fill(x, N * N);
    for (size_t i = 0; i < N * N; i++)
        a[i] = x[i] - x[i % N * N + i / N];
    assert_int_equal(kdl__cayley(*state, a, N, q), KDL_OK);
    for (size_t i = 0; i < N * N; i++)
        transposed[i] = q[i % N * N + i / N];
    kdl__matrix_multiply(transposed, q, N, N, N, product);
    assert_identity(product, N, 1e-13);
    kdl__matrix_multiply(a, q, N, N, N, product);
    for (size_t i = 0; i < N * N; i++)
        assert_true(fabs(q[i] - product[i] / 2 - (i / N == i % N) - a[i] / 2) < 1e-13);
}

/* Factor and product give the Q factor with the signs that make R's diagonal positive. */
static void test_householder(void **state)
{
    (void)state;
    enum { N = 9, K = 5 };
    double a[N * K], factors[N * K], q[N * K], r[K * K];
    fill(a, N * K);
    memcpy(factors, a, sizeof a);
    kdl__householder_factor(factors, N, K);
    kdl__householder_product(factors, N, K, q);
    for (size_t i = 0; i < K; i++) {
        assert_true(fabs(factors[i * K + i]) == 1);
        for (size_t j = 0; j < K; j++) {
            double gram = 0;
            r[i * K + j] = 0;
            for (size_t l = 0; l < N; l++) {
                gram += q[l * K + i] * q[l * K + j];
                r[i * K + j] += q[l * K + i] * a[l * K + j];
            }
            assert_true(fabs(gram - (i == j)) < 1e-13);
            assert_true(i <= j || fabs(r[i * K + j]) < 1e-13);
        }
        assert_true(r[i * K + i] > 0);
    }
    double one = 3;
    kdl__householder_factor(&one, 1, 1); /* nothing to reflect */
    assert_true(one == -1);
    kdl__householder_product(&one, 1, 1, q);
    assert_true(q[0] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_exp_of_rotations),
        CONTEXT_TEST(test_exp),
        CONTEXT_TEST(test_cayley),
        CONTEXT_TEST(test_householder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
