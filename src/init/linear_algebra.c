/* SPDX-License-Identifier: Apache-2.0 */
/* Linear algebra for the maps of parametrizations. */
#include <math.h>
#include <string.h>

#include "init/linear_algebra.h"

void kdl__matrix_multiply(const double *a, const double *b, size_t m, size_t l, size_t n,
                          double *out)
{
    memset(out, 0, m * n * sizeof *out);
    for (size_t i = 0; i < m; i++) {
        for (size_t p = 0; p < l; p++) {
            const double factor = a[i * l + p], *row = b + p * n;
            double *to = out + i * n;
            for (size_t j = 0; j < n; j++)
                to[j] += factor * row[j];
        }
    }
}

static void set_identity(double *a, size_t n)
{
    memset(a, 0, n * n * sizeof *a);
    for (size_t i = 0; i < n; i++)
        a[i * n + i] = 1;
}

/* ---- exponential ------------------------------------------------------------------------- */

/* The largest sum of a row's magnitudes. */
static double norm_of_rows(const double *a, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += fabs(a[i * n + j]);
        if (!(sum <= largest))
            largest = sum;
    }
    return largest;
}

/*
 * By scaling and squaring: Taylor's polynomial of degree 12, whose rest is below 0.25^13 / 13! =
 * 2.4e-18, of a / 2^s with a norm of at most 1/4.
 */
kdl_status kdl__matrix_exp(kdl_context *ctx, const double *a, size_t n, double *out)
{
    enum { DEGREE = 12 };
    double norm = norm_of_rows(a, n);
    int squarings = 0;
    set_identity(out, n);
    if (norm == 0)
        return KDL_OK;
    if (isfinite(norm)) {
        frexp(norm * 4, &squarings);
        squarings = squarings > 0 ? squarings : 0;
    }
    double *scaled = kdl__alloc_quiet(ctx, n * n, sizeof *scaled);
    double *product = kdl__alloc_quiet(ctx, n * n, sizeof *product);
    kdl_status status = scaled && product ? KDL_OK : KDL_ERROR_MEMORY;
    for (size_t i = 0; i < n * n && !status; i++)
        scaled[i] = ldexp(a[i], -squarings);
    for (int degree = DEGREE; degree > 0 && !status; degree--) { /* out = I + scaled out / degree */
        kdl__matrix_multiply(scaled, out, n, n, n, product);
        set_identity(out, n);
        for (size_t i = 0; i < n * n; i++)
            out[i] += product[i] / degree;
    }
    for (int i = 0; i < squarings && !status; i++) {
        kdl__matrix_multiply(out, out, n, n, n, product);
        memcpy(out, product, n * n * sizeof *out);
    }
    kdl_free(ctx, scaled);
    kdl_free(ctx, product);
    return status;
}

/* ---- solving ----------------------------------------------------------------------------- */

/* Of a matrix with `width` columns; likewise below. */
static void swap_rows(double *a, size_t width, size_t i, size_t j)
{
    for (size_t l = 0; l < width && i != j; l++) {
        double kept = a[i * width + l];
        a[i * width + l] = a[j * width + l];
        a[j * width + l] = kept;
    }
}

/* Row `from` times `factor` off row `to`. */
static void subtract_row(double *a, size_t width, size_t to, size_t from, double factor)
{
    for (size_t l = 0; l < width; l++)
        a[to * width + l] -= factor * a[from * width + l];
}

void kdl__solve(double *a, double *b, size_t n, size_t m)
{
    for (size_t i = 0; i < n; i++) {
        size_t pivot = i;
        for (size_t r = i + 1; r < n; r++)
            pivot = fabs(a[r * n + i]) > fabs(a[pivot * n + i]) ? r : pivot;
        swap_rows(a, n, i, pivot);
        swap_rows(b, m, i, pivot);
        const double inverse = 1 / a[i * n + i];
        for (size_t l = 0; l < n; l++)
            a[i * n + l] *= inverse;
        for (size_t l = 0; l < m; l++)
            b[i * m + l] *= inverse;
        for (size_t r = 0; r < n; r++) {
            const double factor = a[r * n + i];
            if (r == i || factor == 0)
                continue;
            subtract_row(a, n, r, i, factor);
            subtract_row(b, m, r, i, factor);
        }
    }
}

kdl_status kdl__cayley(kdl_context *ctx, const double *a, size_t n, double *out)
{
    double *left = kdl__alloc_quiet(ctx, n * n, sizeof *left);
    if (!left)
        return KDL_ERROR_MEMORY;
    set_identity(left, n);
    set_identity(out, n);
    for (size_t i = 0; i < n * n; i++) {
        left[i] -= a[i] / 2;
        out[i] += a[i] / 2;
    }
    kdl__solve(left, out, n, n);
    kdl_free(ctx, left);
    return KDL_OK;
}

/* ---- Householder's reflections ----------------------------------------------------------- */

/* Applies I - tau v v' to columns [first, k), where v is 1 at row `at` and `v` (step k) below. */
static void reflect(double *a, size_t n, size_t k, size_t at, const double *v, double tau,
                    size_t first)
{
    for (size_t j = first; j < k; j++) {
        double sum = a[at * k + j];
        for (size_t i = at + 1; i < n; i++)
            sum += v[i * k] * a[i * k + j];
        a[at * k + j] -= tau * sum;
        for (size_t i = at + 1; i < n; i++)
            a[i * k + j] -= tau * sum * v[i * k];
    }
}

void kdl__householder_factor(double *a, size_t n, size_t k)
{
    for (size_t j = 0; j < k; j++) {
        double alpha = a[j * k + j], below = 0;
        for (size_t i = j + 1; i < n; i++)
            below += a[i * k + j] * a[i * k + j];
        if (below == 0) { /* no reflection: tau is 0, and R's element as it is */
            a[j * k + j] = (alpha < 0) - (alpha > 0);
            continue;
        }
        double beta = -copysign(sqrt(alpha * alpha + below), alpha);
        for (size_t i = j + 1; i < n; i++)
            a[i * k + j] /= alpha - beta;
        reflect(a, n, k, j, a + j, (beta - alpha) / beta, j + 1);
        a[j * k + j] = (beta > 0) - (beta < 0);
    }
}

void kdl__householder_product(const double *a, size_t n, size_t k, double *out)
{
    memset(out, 0, n * k * sizeof *out);
    for (size_t i = 0; i < k; i++)
        out[i * k + i] = 1;
    for (size_t j = k; j-- > 0;) {
        double norm = 1;
        for (size_t i = j + 1; i < n; i++)
            norm += a[i * k + j] * a[i * k + j];
        reflect(out, n, k, j, a + j, 2 / norm, 0);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            out[i * k + j] *= trunc(a[j * k + j]);
}
