/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of torch.nn.utils.parametrizations.orthogonal, in double, on batches of n x k matrices
 * with n >= k: LAPACK's factorisations are not followed, so the values differ by rounding.
 */
#include <math.h>
#include <string.h>

#include "init/linear_algebra.h"
#include "init/qr.h"
#include "init/whole.h"

enum { MATRIX_EXP, CAYLEY, HOUSEHOLDER };

/* How many matrices of so many elements an op has; 0 unless they fill it. */
static int64_t batch_of(const kdl__op *op, int64_t rows, int64_t columns)
{
    int64_t numel;
    if (rows <= 0 || columns <= 0 || __builtin_mul_overflow(rows, columns, &numel))
        return 0;
    return op->region.numel % numel == 0 ? op->region.numel / numel : 0;
}

/* ---- the base ---------------------------------------------------------------------------- */

/* Whether the columns are orthonormal, as torch.allclose(Q'Q, I, atol=10 n eps) says. */
static bool is_orthogonal(const double *q, size_t n, double eps)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0, one = i == j;
            for (size_t l = 0; l < n; l++)
                sum += q[l * n + i] * q[l * n + j];
            if (!(fabs(sum - one) <= 10.0 * (double)n * eps + 1e-5 * one))
                return false;
        }
    }
    return true;
}

/* The Q of a square matrix, its columns times the signs of R's diagonal. */
static kdl_status orthogonalize(kdl__worker *worker, const double *in, double *out, size_t n)
{
    size_t ld = kdl__qr_leading_dimension(n);
    double *columns = kdl__alloc_quiet(worker->ctx, n, ld * sizeof *columns);
    double *diagonal = kdl__alloc_quiet(worker->ctx, n, sizeof *diagonal);
    kdl_status status = columns && diagonal ? KDL_OK : KDL_ERROR_MEMORY;
    for (size_t i = 0; i < n && !status; i++)
        for (size_t j = 0; j < n; j++)
            columns[j * ld + i] = in[i * n + j];
    if (!status)
        status = kdl__qr(worker->ctx, worker->cursor->kernels, n, n, columns, ld, diagonal);
    for (size_t i = 0; i < n && !status; i++)
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = columns[j * ld + i] * ((diagonal[j] > 0) - (diagonal[j] < 0));
    kdl_free(worker->ctx, columns);
    kdl_free(worker->ctx, diagonal);
    return status;
}

/* integer: n; whether matrices that are orthogonal already stay, all of them. */
static kdl_status make_base(const kdl__op *op, kdl__worker *worker, const double *in, double *out)
{
    size_t n = (size_t)op->integer[0], batch = (size_t)batch_of(op, op->integer[0], op->integer[0]);
    bool stay = op->integer[1];
    double eps = op->dtype == KDL_F64 ? 0x1p-52 : 0x1p-23;
    for (size_t b = 0; b < batch && stay; b++)
        stay = is_orthogonal(in + b * n * n, n, eps);
    if (stay) {
        memcpy(out, in, batch * n * n * sizeof *out);
        return KDL_OK;
    }
    kdl_status status = KDL_OK;
    for (size_t b = 0; b < batch && !status; b++)
        status = orthogonalize(worker, in + b * n * n, out + b * n * n, n);
    return status;
}

static kdl_status base_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    return kdl__whole_prepare(op, worker, prepared, make_base);
}

static kdl_status base_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    bool fits = op->region.numel == 0 || batch_of(op, op->integer[0], op->integer[0]);
    return kdl__whole_check(op, fits ? op->region.numel : -1, ctx, place);
}

const kdl__op_class kdl__op_orthogonal_base = {
    .name = "orthogonal_base",
    .flags = KDL__OP_FREE_SOURCE,
    .integer_names = { "n", "may_stay" },
    .prepare = base_prepare,
    .range = kdl__whole_range,
    .check = base_check,
};

/* ---- reflectors -------------------------------------------------------------------------- */

/* What the householder map has for a matrix: its QR's reflectors, with signs on the diagonal. */
static kdl_status find_reflectors(const kdl__op *op, kdl__worker *worker, const double *in,
                                  double *out)
{
    (void)worker;
    size_t n = (size_t)op->integer[0], k = (size_t)op->integer[1];
    size_t batch = (size_t)batch_of(op, op->integer[0], op->integer[1]);
    memcpy(out, in, batch * n * k * sizeof *out);
    for (size_t b = 0; b < batch; b++)
        kdl__householder_factor(out + b * n * k, n, k);
    return KDL_OK;
}

static kdl_status reflectors_prepare(const kdl__op *op, kdl__worker *worker,
                                     kdl__prepared *prepared)
{
    return kdl__whole_prepare(op, worker, prepared, find_reflectors);
}

static kdl_status reflectors_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    bool fits = op->region.numel == 0 ||
                (op->integer[0] >= op->integer[1] && batch_of(op, op->integer[0], op->integer[1]));
    return kdl__whole_check(op, fits ? op->region.numel : -1, ctx, place);
}

const kdl__op_class kdl__op_reflectors = {
    .name = "reflectors",
    .flags = KDL__OP_FREE_SOURCE,
    .integer_names = { "n", "k" },
    .prepare = reflectors_prepare,
    .range = kdl__whole_range,
    .check = reflectors_check,
};

/* ---- the maps ---------------------------------------------------------------------------- */

/* The first k columns of exp(A) or (I - A/2)^-1 (I + A/2), A = tril(X) - tril(X)'. */
static kdl_status map_skew(kdl__worker *worker, int64_t map, const double *x, size_t n, size_t k,
                           double *out)
{
    double *a = kdl__alloc_quiet(worker->ctx, n * n, sizeof *a);
    double *q = kdl__alloc_quiet(worker->ctx, n * n, sizeof *q);
    kdl_status status = a && q ? KDL_OK : KDL_ERROR_MEMORY;
    if (!status) {
        memset(a, 0, n * n * sizeof *a);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < k && j < i; j++) {
                a[i * n + j] = x[i * k + j];
                a[j * n + i] = -x[i * k + j];
            }
        }
        status = map == MATRIX_EXP ? kdl__matrix_exp(worker->ctx, a, n, q)
                                   : kdl__cayley(worker->ctx, a, n, q);
    }
    for (size_t i = 0; i < n && !status; i++)
        memcpy(out + i * k, q + i * n, k * sizeof *out);
    kdl_free(worker->ctx, a);
    kdl_free(worker->ctx, q);
    return status;
}

/* One matrix; `base` is NULL without trivialization. */
static kdl_status map_one(const kdl__op *op, kdl__worker *worker, const double *x,
                          const double *base, double *out)
{
    size_t n = (size_t)op->integer[1], k = (size_t)op->integer[2];
    double *q = kdl__alloc_quiet(worker->ctx, n * k, sizeof *q);
    kdl_status status = q ? KDL_OK : KDL_ERROR_MEMORY;
    if (!status && op->integer[0] == HOUSEHOLDER)
        kdl__householder_product(x, n, k, q);
    else if (!status)
        status = map_skew(worker, op->integer[0], x, n, k, q);
    if (!status && base)
        kdl__matrix_multiply(base, q, n, n, k, out);
    else if (!status)
        memcpy(out, q, n * k * sizeof *out);
    kdl_free(worker->ctx, q);
    return status;
}

/* integer: map, n, k, trivialized; the source is X and then, with trivialization, the base. */
static kdl_status map_all(const kdl__op *op, kdl__worker *worker, const double *in, double *out)
{
    size_t n = (size_t)op->integer[1], k = (size_t)op->integer[2];
    size_t batch = (size_t)batch_of(op, op->integer[1], op->integer[2]);
    kdl_status status = KDL_OK;
    for (size_t b = 0; b < batch && !status; b++)
        status = map_one(op, worker, in + b * n * k,
                         op->integer[3] ? in + batch * n * k + b * n * n : NULL, out + b * n * k);
    return status;
}

static kdl_status map_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    return kdl__whole_prepare(op, worker, prepared, map_all);
}

static kdl_status map_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    int64_t n = op->integer[1], k = op->integer[2], batch = batch_of(op, n, k), numel = 0;
    bool fits =
        op->region.numel == 0 ||
        (batch > 0 && n >= k && op->integer[0] >= MATRIX_EXP && op->integer[0] <= HOUSEHOLDER &&
         (!op->integer[3] || (!__builtin_mul_overflow(batch * n, n, &numel) &&
                              numel < INT64_MAX / 2 && op->region.numel < INT64_MAX / 2)));
    if (op->region.numel == 0)
        return KDL_OK;
    return kdl__whole_check(op, fits ? op->region.numel + numel : -1, ctx, place);
}

const kdl__op_class kdl__op_orthogonal_map = {
    .name = "orthogonal_map",
    .flags = KDL__OP_FREE_SOURCE,
    .integer_names = { "map", "n", "k", "trivialized" },
    .prepare = map_prepare,
    .range = kdl__whole_range,
    .check = map_check,
};
