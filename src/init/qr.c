/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blocked Householder QR in f64 (compact WY form: Schreiber and Van Loan, 1989).
 *
 * The reflections of a panel of columns are joined to one, H = I - V T V' with T upper triangular.
 * With Y = V T that is I - Y V', and its transpose I - V Y'; applying either to the columns on the
 * right is two matrix products, done for one tile of columns after the other, on all threads.
 * A panel's own reflections are found in blocks of INNER columns by the same means.
 *
 * No fused multiply-add: half of the machines that Kindling runs on may lack it, and a sum's bits
 * would tell. On those that have it, two pipes for multiplying and two for adding are as fast.
 */
#include "init/qr.h"

#include <math.h>
#include <string.h>

/* All of these decide the order of summation, and so the bits. */
#define PANEL 64
#define INNER 8   /* columns of a panel that are reduced one by one */
#define DEPTH 256 /* terms of a product summed in registers before they are added to memory */
#define STRIP 64

typedef struct factorization {
    kdl_context *ctx;
    const kdl__kernels *kernels;
    size_t m, n, ld;
    double *a;
    double *t; /* of every panel: PANEL x PANEL, column-major, in the order of panels */
    /* The reflection at hand, on the rows from `first` on: */
    size_t first, rows, width;
    double *v, *y;        /* rows x width, column-major */
    double *left, *right; /* packed: rows x width, width x rows */
    /* What the tasks of apply() share out: */
    size_t begin, end; /* columns */
    double *scratch;   /* for each worker SCRATCH doubles */
} factorization;

#define SCRATCH ((DEPTH + PANEL) * STRIP)

static size_t minimum(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/*
 * ---- products ------------------------------------------------------------------------------
 *
 * The left operand is packed once, by groups of KDL__TILE_ROWS rows, DEPTH columns at a time; the
 * right one as it is used, by groups of KDL__TILE_COLUMNS columns. Groups are filled with zeros.
 */

/* The m x k matrix whose element (i, p) is a[i * row_stride + p * column_stride]. */
static void pack_left(double *packed, size_t m, size_t k, const double *a, size_t row_stride,
                      size_t column_stride)
{
    for (size_t from = 0; from < k; from += DEPTH) {
        size_t depth = minimum(DEPTH, k - from);
        for (size_t top = 0; top < m; top += KDL__TILE_ROWS) {
            size_t height = minimum(KDL__TILE_ROWS, m - top);
            for (size_t p = from; p < from + depth; p++, packed += KDL__TILE_ROWS) {
                const double *source = a + top * row_stride + p * column_stride;
                for (size_t i = 0; i < height; i++)
                    packed[i] = source[i * row_stride];
                for (size_t i = height; i < KDL__TILE_ROWS; i++)
                    packed[i] = 0;
            }
        }
    }
}

/* `depth` rows of n columns. */
static void pack_right(double *packed, size_t depth, size_t n, const double *b, size_t ldb)
{
    for (size_t j = 0; j < n; j += KDL__TILE_COLUMNS) {
        for (size_t p = 0; p < depth; p++)
            for (size_t i = 0; i < KDL__TILE_COLUMNS; i++)
                *packed++ = j + i < n ? b[(j + i) * ldb + p] : 0;
    }
}

/* One tile of c, which may stick out of the matrix on the right and below. */
static void add_tile(const kdl__kernels *kernels, size_t depth, const double *a, const double *b,
                     size_t height, size_t width, double *c, size_t ldc)
{
    if (height >= KDL__TILE_ROWS && width >= KDL__TILE_COLUMNS) {
        kernels->tile_f64(depth, a, b, c, ldc);
        return;
    }
    double whole[KDL__TILE_ROWS * KDL__TILE_COLUMNS] = { 0 };
    kernels->tile_f64(depth, a, b, whole, KDL__TILE_ROWS);
    for (size_t j = 0; j < minimum(width, KDL__TILE_COLUMNS); j++)
        for (size_t i = 0; i < minimum(height, KDL__TILE_ROWS); i++)
            c[j * ldc + i] += whole[j * KDL__TILE_ROWS + i];
}

/* c (m x n) += packed left (m x k) * b (k x n), n <= STRIP; `space`: DEPTH * n doubles. */
static void multiply_add(const kdl__kernels *kernels, size_t m, size_t n, size_t k,
                         const double *left, const double *b, size_t ldb, double *c, size_t ldc,
                         double *space)
{
    for (size_t from = 0; from < k; from += DEPTH) {
        size_t depth = minimum(DEPTH, k - from);
        pack_right(space, depth, n, b + from, ldb);
        for (size_t i = 0; i < m; i += KDL__TILE_ROWS, left += KDL__TILE_ROWS * depth)
            for (size_t j = 0; j < n; j += KDL__TILE_COLUMNS)
                add_tile(kernels, depth, left, space + j * depth, m - i, n - j, c + j * ldc + i,
                         ldc);
    }
}

/* ---- one reflection after the other --------------------------------------------------------- */

/* Eight interleaved sums, joined in pairs at a distance of 4, 2, 1. */
static double dot(size_t n, const double *x, const double *y)
{
    double sums[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t lane = 0; lane < 8; lane++)
            sums[lane] += x[i + lane] * y[i + lane];
    for (size_t lane = 0; i < n; i++, lane++)
        sums[lane] += x[i] * y[i];
    for (size_t distance = 4; distance > 0; distance /= 2)
        for (size_t lane = 0; lane < distance; lane++)
            sums[lane] += sums[lane + distance];
    return sums[0];
}

/*
 * The reflection I - tau v v' that takes x (n values) to a multiple of the first unit vector. x
 * becomes that multiple, followed by v without its leading 1. Returns tau.
 */
static double reflect(size_t n, double *x)
{
    double below = dot(n - 1, x + 1, x + 1);
    if (below == 0)
        return 0;
    double alpha = x[0];
    double beta = -copysign(sqrt(alpha * alpha + below), alpha);
    double scale = 1 / (alpha - beta);
    for (size_t i = 1; i < n; i++)
        x[i] *= scale;
    x[0] = beta;
    return (beta - alpha) / beta;
}

/* Applies that reflection to y. */
static void apply_one(size_t n, double tau, const double *x, double *y)
{
    double factor = tau * (y[0] + dot(n - 1, x + 1, y + 1));
    y[0] -= factor;
    for (size_t i = 1; i < n; i++)
        y[i] -= factor * x[i];
}

/* Reduces `width` columns at the diagonal's element `first`. */
static void reduce_columns(factorization *f, size_t first, size_t width, double *tau)
{
    for (size_t j = 0; j < width; j++) {
        size_t diagonal = first + j;
        double *x = f->a + diagonal * f->ld + diagonal;
        tau[j] = reflect(f->m - diagonal, x);
        for (size_t i = 1; j + i < width; i++)
            apply_one(f->m - diagonal, tau[j], x, x + i * f->ld);
    }
}

/* ---- joined reflections ----------------------------------------------------------------------*/

/* Takes V of the reflections at `first` out of the matrix, with its ones and zeros. */
static void load_v(factorization *f, size_t first, size_t width)
{
    f->first = first;
    f->rows = f->m - first;
    f->width = width;
    for (size_t j = 0; j < width; j++) {
        double *column = f->v + j * f->rows;
        memset(column, 0, j * sizeof *column);
        column[j] = 1;
        memcpy(column + j + 1, f->a + (first + j) * f->ld + first + j + 1,
               (f->rows - j - 1) * sizeof *column);
    }
}

/* T (upper triangle, column-major by PANEL) of the loaded V, from the taus. */
static void form_t(factorization *f, const double *tau, double *t)
{
    double products[PANEL * PANEL];
    memset(products, 0, f->width * f->width * sizeof *products);
    pack_left(f->right, f->width, f->rows, f->v, f->rows, 1);
    multiply_add(f->kernels, f->width, f->width, f->rows, f->right, f->v, f->rows, products,
                 f->width, f->scratch);
    memset(t, 0, PANEL * PANEL * sizeof *t);
    for (size_t j = 0; j < f->width; j++) {
        const double *product = products + j * f->width;
        for (size_t i = 0; i < j; i++) {
            double sum = 0;
            for (size_t p = i; p < j; p++)
                sum += t[p * PANEL + i] * product[p];
            t[j * PANEL + i] = -tau[j] * sum;
        }
        t[j * PANEL + j] = tau[j];
    }
}

/* Y = V T. Leaves V packed as the left operand. */
static void form_y(factorization *f, const double *t)
{
    memset(f->y, 0, f->rows * f->width * sizeof *f->y);
    pack_left(f->left, f->rows, f->width, f->v, 1, f->rows);
    multiply_add(f->kernels, f->rows, f->width, f->width, f->left, t, PANEL, f->y, f->rows,
                 f->scratch);
}

/* Tile `index` of the columns: C -= left (right C). */
static kdl_status apply_to_tile(void *user_data, size_t index, int worker)
{
    factorization *f = user_data;
    size_t column = f->begin + index * STRIP;
    size_t count = minimum(STRIP, f->end - column);
    double *c = f->a + column * f->ld + f->first;
    double *inner = f->scratch + (size_t)worker * SCRATCH, *space = inner + PANEL * STRIP;
    memset(inner, 0, f->width * count * sizeof *inner);
    multiply_add(f->kernels, f->width, count, f->rows, f->right, c, f->ld, inner, f->width, space);
    for (size_t i = 0; i < f->width * count; i++)
        inner[i] = -inner[i];
    multiply_add(f->kernels, f->rows, count, f->width, f->left, inner, f->width, c, f->ld, space);
    return KDL_OK;
}

static void apply(factorization *f, size_t begin, size_t end)
{
    f->begin = begin;
    f->end = end;
    if (begin < end)
        kdl__parallel(f->ctx, (end - begin + STRIP - 1) / STRIP, apply_to_tile, f);
}

/* Applies the reflections at `first`, in their order, to the columns [first + width, end). */
static void reflect_columns(factorization *f, size_t first, size_t width, const double *tau,
                            double *t, size_t end)
{
    load_v(f, first, width);
    form_t(f, tau, t);
    if (first + width == end)
        return;
    form_y(f, t);
    pack_left(f->right, f->width, f->rows, f->y, f->rows, 1);
    apply(f, first + width, end);
}

/* ---- the two halves ------------------------------------------------------------------------- */

/* R on and above the diagonal, the reflections below it, their T in f->t. */
static void factor(factorization *f)
{
    for (size_t first = 0; first < f->n; first += PANEL) {
        size_t width = minimum(PANEL, f->n - first);
        double tau[PANEL], *t = f->t + first * PANEL;
        for (size_t inner = 0; inner < width; inner += INNER) {
            size_t count = minimum(INNER, width - inner);
            reduce_columns(f, first + inner, count, tau + inner);
            if (inner + count < width)
                reflect_columns(f, first + inner, count, tau + inner, t, first + width);
        }
        reflect_columns(f, first, width, tau, t, f->n);
    }
}

/* The reflections, the last panel's first, applied to the identity, in place. */
static void generate(factorization *f)
{
    for (size_t first = (f->n - 1) / PANEL * PANEL + PANEL; first > 0;) {
        first -= PANEL;
        load_v(f, first, minimum(PANEL, f->n - first));
        form_y(f, f->t + first * PANEL);
        pack_left(f->left, f->rows, f->width, f->y, 1, f->rows);
        pack_left(f->right, f->width, f->rows, f->v, f->rows, 1);
        for (size_t j = first; j < f->n; j++) {
            size_t below = j < first + f->width ? f->rows : f->width;
            memset(f->a + j * f->ld + first, 0, below * sizeof *f->a);
            if (j < first + f->width)
                f->a[j * f->ld + j] = 1;
        }
        apply(f, first, f->n);
    }
}

kdl_status kdl__qr(kdl_context *ctx, const kdl__kernels *kernels, size_t m, size_t n, double *a,
                   size_t ld, double *diagonal)
{
    size_t width = minimum(PANEL, n),
           packed = round_up(m, KDL__TILE_ROWS) * round_up(width, KDL__TILE_ROWS);
    factorization f = { .ctx = ctx, .kernels = kernels, .m = m, .n = n, .ld = ld };
    f.a = a;
    f.t = kdl__alloc_quiet(ctx, round_up(n, PANEL), PANEL * sizeof *f.t);
    f.v = kdl__alloc_quiet(ctx, m, width * sizeof *f.v);
    f.y = kdl__alloc_quiet(ctx, m, width * sizeof *f.y);
    f.left = kdl__alloc_quiet(ctx, packed, sizeof *f.left);
    f.right = kdl__alloc_quiet(ctx, packed, sizeof *f.right);
    f.scratch = kdl__alloc_quiet(ctx, (size_t)ctx->threads, SCRATCH * sizeof *f.scratch);
    bool enough = f.t && f.v && f.y && f.left && f.right && f.scratch;
    if (enough) {
        factor(&f);
        for (size_t j = 0; j < n; j++)
            diagonal[j] = a[j * ld + j];
        generate(&f);
    }
    kdl_free(ctx, f.t);
    kdl_free(ctx, f.v);
    kdl_free(ctx, f.y);
    kdl_free(ctx, f.left);
    kdl_free(ctx, f.right);
    kdl_free(ctx, f.scratch);
    return enough ? KDL_OK : KDL_ERROR_MEMORY;
}
