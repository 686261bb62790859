/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of torch.nn.utils.parametrizations weight_norm and spectral_norm, in double: PyTorch's
 * sums are not followed, so the values differ by rounding.
 */
#include <math.h>
#include <string.h>

#include "init/whole.h"

/* The product of sizes that an op or a recipe gives; -1 when it is too large to add to. */
static int64_t product(int64_t a, int64_t b)
{
    const int64_t limit = INT64_MAX / 4;
    int64_t result;
    bool fits = a >= 0 && b >= 0 && a < limit && b < limit &&
                !__builtin_mul_overflow(a, b, &result) && result < limit;
    return fits ? result : -1;
}

/* ---- weight_norm ------------------------------------------------------------------------- */

/* v * (g / |v|) for each row of v; the source is g, then v. */
static kdl_status normalize_rows(const kdl__op *op, kdl__worker *worker, const double *in,
                                 double *out)
{
    (void)worker;
    size_t rows = (size_t)op->integer[0], length = (size_t)op->region.numel / rows;
    for (size_t i = 0; i < rows; i++) {
        const double *v = in + rows + i * length;
        double sum = 0;
        for (size_t j = 0; j < length; j++)
            sum += v[j] * v[j];
        for (size_t j = 0; j < length; j++)
            out[i * length + j] = v[j] * (in[i] / sqrt(sum));
    }
    return KDL_OK;
}

static kdl_status weight_norm_prepare(const kdl__op *op, kdl__worker *worker,
                                      kdl__prepared *prepared)
{
    return kdl__whole_prepare(op, worker, prepared, normalize_rows);
}

static kdl_status weight_norm_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    int64_t rows = op->integer[0], numel = op->region.numel;
    bool divides = rows > 0 && numel % rows == 0;
    return kdl__whole_check(op, divides ? rows + numel : -1, ctx, place);
}

const kdl__op_class kdl__op_weight_norm = {
    .name = "weight_norm",
    .flags = KDL__OP_FREE_SOURCE,
    .integer_names = { "rows" },
    .prepare = weight_norm_prepare,
    .range = kdl__whole_range,
    .check = weight_norm_check,
};

/* ---- spectral_norm ----------------------------------------------------------------------- */

/* a'b, in lanes: a sum that a compiler can keep in vectors. */
static double dot(const double *a, const double *b, size_t n)
{
    enum { LANES = 8 };
    double sums[LANES] = { 0 }, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[i + lane] * b[i + lane];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (size_t lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

/* W v */
static void multiply(const double *w, size_t height, size_t width, const double *v, double *out)
{
    for (size_t i = 0; i < height; i++)
        out[i] = dot(w + i * width, v, width);
}

/* W' u */
static void multiply_transposed(const double *w, size_t height, size_t width, const double *u,
                                double *out)
{
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < height; i++)
        for (size_t j = 0; j < width; j++)
            out[j] += w[i * width + j] * u[i];
}

/* x / max(|x|, eps) */
static void normalize(double *x, size_t n, double eps)
{
    const double norm = fmax(sqrt(dot(x, x, n)), eps);
    for (size_t i = 0; i < n; i++)
        x[i] /= norm;
}

/*
 * Rounds of u = normalize(W v), v = normalize(W' u); the source is v, then W. One of the vectors
 * is the result.
 */
static kdl_status iterate(const kdl__op *op, kdl__worker *worker, const double *in, double *out)
{
    size_t height = (size_t)op->integer[0], width = (size_t)op->integer[1];
    double *u = kdl__alloc_quiet(worker->ctx, height, sizeof *u);
    double *v = kdl__alloc_quiet(worker->ctx, width, sizeof *v);
    if (u && v) {
        memcpy(v, in, width * sizeof *v);
        for (int64_t round = 0; round < op->integer[2]; round++) {
            multiply(in + width, height, width, v, u);
            normalize(u, height, op->number[0]);
            multiply_transposed(in + width, height, width, u, v);
            normalize(v, width, op->number[0]);
        }
        bool wants_u = op->class == &kdl__op_power_u;
        memcpy(out, wants_u ? u : v, (wants_u ? height : width) * sizeof *out);
    }
    kdl_status status = u && v ? KDL_OK : KDL_ERROR_MEMORY;
    kdl_free(worker->ctx, u);
    kdl_free(worker->ctx, v);
    return status;
}

static kdl_status power_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    return kdl__whole_prepare(op, worker, prepared, iterate);
}

static kdl_status power_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    int64_t height = op->integer[0], width = op->integer[1], numel = product(height, width);
    bool fits = op->region.numel == (op->class == &kdl__op_power_u ? height : width) &&
                op->integer[2] > 0 && numel >= 0;
    return kdl__whole_check(op, fits ? width + numel : -1, ctx, place);
}

#define POWER(word)                                                                                \
    {                                                                                              \
        .name = word, .flags = KDL__OP_FREE_SOURCE, .number_names = { "eps" },                     \
        .integer_names = { "height", "width", "rounds" }, .prepare = power_prepare,                \
        .range = kdl__whole_range, .check = power_check                                            \
    }
const kdl__op_class kdl__op_power_u = POWER("power_u");
const kdl__op_class kdl__op_power_v = POWER("power_v");

/* W / (u' W v); the source is u, then v, then W. */
static kdl_status divide_by_sigma(const kdl__op *op, kdl__worker *worker, const double *in,
                                  double *out)
{
    size_t height = (size_t)op->integer[0], width = (size_t)op->integer[1];
    const double *u = in, *v = in + height, *w = v + width;
    double *product_v = kdl__alloc_quiet(worker->ctx, height, sizeof *product_v), sigma;
    if (!product_v)
        return KDL_ERROR_MEMORY;
    multiply(w, height, width, v, product_v);
    sigma = dot(u, product_v, height);
    for (size_t i = 0; i < height * width; i++)
        out[i] = w[i] / sigma;
    kdl_free(worker->ctx, product_v);
    return KDL_OK;
}

static kdl_status spectral_norm_prepare(const kdl__op *op, kdl__worker *worker,
                                        kdl__prepared *prepared)
{
    return kdl__whole_prepare(op, worker, prepared, divide_by_sigma);
}

static kdl_status spectral_norm_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    int64_t height = op->integer[0], width = op->integer[1], numel = product(height, width);
    return kdl__whole_check(op, op->region.numel == numel ? height + width + numel : -1, ctx,
                            place);
}

const kdl__op_class kdl__op_spectral_norm = {
    .name = "spectral_norm",
    .flags = KDL__OP_FREE_SOURCE,
    .integer_names = { "height", "width" },
    .prepare = spectral_norm_prepare,
    .range = kdl__whole_range,
    .check = spectral_norm_check,
};
