/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of matrices: oneDNN for f32, OpenBLAS for f64. Views are handed over as they lie where
 * the library can read them so, which transposed ones are; others are copied first.
 */
#include <cblas.h>
#include <dnnl.h>
#include <string.h>

#include "compute/compute.h"

typedef struct matrices {
    kdl_tensor *tensor; /* retained */
    const char *data;
    bool transposed;
    int64_t leading; /* elements from one row (of what lies in memory) to the next */
} matrices;

static int64_t at_least_1(int64_t value)
{
    return value > 1 ? value : 1;
}

/* Whether the last two dimensions are a matrix by rows, or by columns, and how far apart these. */
static bool lies_well(const kdl_tensor *tensor, matrices *operand)
{
    int64_t rows = tensor->dims[tensor->ndim - 2], columns = tensor->dims[tensor->ndim - 1];
    int64_t down = tensor->strides[tensor->ndim - 2], right = tensor->strides[tensor->ndim - 1];
    if ((right == 1 || columns <= 1) && (down >= at_least_1(columns) || rows <= 1)) {
        operand->transposed = false;
        operand->leading = rows <= 1 ? at_least_1(columns) : down;
        return true;
    }
    if ((down == 1 || rows <= 1) && (right >= at_least_1(rows) || columns <= 1)) {
        operand->transposed = true;
        operand->leading = columns <= 1 ? at_least_1(rows) : right;
        return true;
    }
    return false;
}

static bool prepare_operand(kdl_tensor *tensor, matrices *operand)
{
    operand->tensor =
        lies_well(tensor, operand) ? kdl_tensor_retain(tensor) : kdl__clone_row_major(tensor);
    if (!operand->tensor || !lies_well(operand->tensor, operand))
        return false;
    operand->data = kdl_tensor_data(operand->tensor);
    return operand->data;
}

typedef struct product {
    int64_t m, n, k;
    double alpha, beta;
    bool is_f64;
    matrices a, b;
} product;

/* The product of `rows` rows of `a` with b, where those begin at a and c. */
static void multiply(const product *p, int64_t rows, const char *a, const char *b, char *c)
{
    /* Without products to sum, the libraries want no sizes of 0. */
    if (p->k == 0 && p->beta == 0)
        memset(c, 0, (size_t)(rows * p->n) * (p->is_f64 ? sizeof(double) : sizeof(float)));
    if (p->k == 0)
        return;
    if (p->is_f64)
        cblas_dgemm(CblasRowMajor, p->a.transposed ? CblasTrans : CblasNoTrans,
                    p->b.transposed ? CblasTrans : CblasNoTrans, (blasint)rows, (blasint)p->n,
                    (blasint)p->k, p->alpha, (const double *)a, (blasint)p->a.leading,
                    (const double *)b, (blasint)p->b.leading, p->beta, (double *)c, (blasint)p->n);
    else
        dnnl_sgemm(p->a.transposed ? 'T' : 'N', p->b.transposed ? 'T' : 'N', rows, p->n, p->k,
                   (float)p->alpha, (const float *)a, p->a.leading, (const float *)b, p->b.leading,
                   (float)p->beta, (float *)c, p->n);
}

/* Where matrix `index` of the batch of `result` lies in an operand, in elements. */
static int64_t batch_offset(const kdl_tensor *tensor, const kdl_tensor *result, int64_t index)
{
    int64_t offset = 0;
    for (int d = result->ndim - 3; d >= 0; d--) {
        int own = d - (result->ndim - tensor->ndim);
        if (own >= 0 && tensor->dims[own] != 1)
            offset += index % result->dims[d] * tensor->strides[own];
        index /= result->dims[d];
    }
    return offset;
}

/* Of the OpenMP standard; its header comes with one compiler only, its library with oneDNN. */
int omp_get_max_threads(void);
void omp_set_num_threads(int threads);

static void set_threads(int threads)
{
    if (omp_get_max_threads() != threads)
        omp_set_num_threads(threads);
    if (openblas_get_num_threads() != threads)
        openblas_set_num_threads(threads);
}

/* ---- pieces ------------------------------------------------------------------------------ */

/*
 * A batch in pieces of rows, each of them a product by itself on one thread. Where the libraries
 * split one product, its bits depend on the number of threads; the pieces do not.
 */
typedef struct pieces {
    const product *p;
    const kdl_tensor *result;
    char *out;
    int64_t rows, each; /* rows of a piece, pieces of a matrix */
} pieces;

/* Rows of a piece where the bits must not depend on the threads. */
enum { PIECE = 128 };

static kdl_status multiply_piece(void *user_data, size_t index, int worker)
{
    (void)worker;
    const pieces *all = user_data;
    const product *p = all->p;
    size_t size = p->is_f64 ? sizeof(double) : sizeof(float);
    int64_t matrix = (int64_t)index / all->each, first = (int64_t)index % all->each * all->rows;
    int64_t left = p->m - first, rows = left < all->rows ? left : all->rows;
    int64_t skipped = first * (p->a.transposed ? 1 : p->a.leading);
    if (omp_get_max_threads() != 1)
        omp_set_num_threads(1); /* of this thread */
    multiply(p, rows,
             p->a.data + (size_t)(batch_offset(p->a.tensor, all->result, matrix) + skipped) * size,
             p->b.data + (size_t)batch_offset(p->b.tensor, all->result, matrix) * size,
             all->out + (size_t)((matrix * p->m + first) * p->n) * size);
    return KDL_OK;
}

/* Small products of a batch, which are not worth the threads one by one. */
static bool is_small(const product *p)
{
    return p->m * p->n * p->k < 1 << 21;
}

static void multiply_all(const product *p, const kdl_tensor *result, char *out)
{
    kdl_context *ctx = result->ctx;
    int64_t count = result->numel / (p->m * p->n);
    bool pieced = ctx->deterministic || (count > 1 && is_small(p));
    pieces all = { p, result, out, ctx->deterministic ? PIECE : p->m, 1 };
    all.each = (p->m + all.rows - 1) / all.rows;
    set_threads(pieced ? 1 : ctx->threads);
    if (pieced) {
        kdl__parallel(ctx, (size_t)(count * all.each), multiply_piece, &all);
        return;
    }
    size_t size = kdl_dtype_nbytes(result->storage->dtype);
    for (int64_t i = 0; i < count; i++)
        multiply(p, p->m, p->a.data + (size_t)batch_offset(p->a.tensor, result, i) * size,
                 p->b.data + (size_t)batch_offset(p->b.tensor, result, i) * size,
                 out + (size_t)(i * p->m * p->n) * size);
}

kdl_status kdl__compute_matmul(kdl_tensor *a, kdl_tensor *b, double alpha, double beta,
                               kdl_tensor *result)
{
    kdl_context *ctx = result->ctx;
    product p = {
        .m = result->dims[result->ndim - 2],
        .n = result->dims[result->ndim - 1],
        .k = a->dims[a->ndim - 1],
        .alpha = alpha,
        .beta = beta,
        .is_f64 = kdl__float_index(result),
    };
    char *out = kdl_tensor_data(result);
    if (out && prepare_operand(a, &p.a) && prepare_operand(b, &p.b) && result->numel > 0)
        multiply_all(&p, result, out);
    kdl_tensor_release(p.a.tensor);
    kdl_tensor_release(p.b.tensor);
    return ctx->status;
}
