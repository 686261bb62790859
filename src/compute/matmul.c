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

/* The product of `rows` rows of a with `columns` columns of b, where those begin at a, b and c. */
static void multiply(const product *p, int64_t rows, int64_t columns, const char *a, const char *b,
                     char *c)
{
    if (p->is_f64)
        cblas_dgemm(CblasRowMajor, p->a.transposed ? CblasTrans : CblasNoTrans,
                    p->b.transposed ? CblasTrans : CblasNoTrans, (blasint)rows, (blasint)columns,
                    (blasint)p->k, p->alpha, (const double *)a, (blasint)p->a.leading,
                    (const double *)b, (blasint)p->b.leading, p->beta, (double *)c, (blasint)p->n);
    else
        dnnl_sgemm(p->a.transposed ? 'T' : 'N', p->b.transposed ? 'T' : 'N', rows, columns, p->k,
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

int kdl__one_library_thread(void)
{
    int threads = omp_get_max_threads();
    if (threads != 1)
        omp_set_num_threads(1);
    return threads;
}

void kdl__restore_library_threads(int threads)
{
    if (threads != 1)
        omp_set_num_threads(threads);
}

/* ---- tiles ------------------------------------------------------------------------------- */

/*
 * Results in tiles, each of them a product by itself on one thread. Where the libraries split one
 * product themselves, its bits depend on the number of threads; the tiles, which the sizes alone
 * decide, do not. Nor do the libraries' threads, which wait for more work busily, take the
 * processors from the context's.
 */
typedef struct tiling {
    const product *p;
    const kdl_tensor *result;
    char *out;
    int64_t rows, columns;    /* of a tile */
    int64_t down, per_matrix; /* tiles below each other; all of a matrix */
} tiling;

/* The length of the parts, alike but for the last, into which `side` falls, none above `most`. */
static int64_t part_of(int64_t side, int64_t most)
{
    int64_t count = at_least_1((side + most - 1) / most);
    return ((side + count - 1) / count + 15) / 16 * 16;
}

static tiling tile(const product *p, const kdl_tensor *result, char *out)
{
    /*
     * Large enough for the libraries' best speed; few ones are made smaller if they stay worth it.
     */
    enum { ROWS = 128, FEWEST_ROWS = 32, COLUMNS = 192, FEW = 4, WORK = 1 << 21 };
    tiling all = { .p = p, .result = result, .out = out };
    all.columns = part_of(p->n, COLUMNS);
    int64_t across = (p->n + all.columns - 1) / all.columns;
    for (int64_t most = ROWS; most >= FEWEST_ROWS; most /= 2) {
        all.rows = part_of(p->m, most);
        all.down = (p->m + all.rows - 1) / all.rows;
        if (across * all.down >= FEW || all.rows * all.columns < WORK / at_least_1(p->k))
            break;
    }
    all.per_matrix = across * all.down;
    return all;
}

static kdl_status multiply_tile(void *user_data, size_t index, int worker)
{
    (void)worker;
    const tiling *all = user_data;
    const product *p = all->p;
    const size_t size = p->is_f64 ? sizeof(double) : sizeof(float);
    int64_t matrix = (int64_t)index / all->per_matrix, within = (int64_t)index % all->per_matrix;
    int64_t row = within % all->down * all->rows, column = within / all->down * all->columns;
    int64_t rows = p->m - row < all->rows ? p->m - row : all->rows;
    int64_t columns = p->n - column < all->columns ? p->n - column : all->columns;
    int64_t a =
        batch_offset(p->a.tensor, all->result, matrix) + row * (p->a.transposed ? 1 : p->a.leading);
    int64_t b = batch_offset(p->b.tensor, all->result, matrix) +
                column * (p->b.transposed ? p->b.leading : 1);
    int64_t c = (matrix * p->m + row) * p->n + column;
    int threads = kdl__one_library_thread();
    multiply(p, rows, columns, p->a.data + (size_t)a * size, p->b.data + (size_t)b * size,
             all->out + (size_t)c * size);
    kdl__restore_library_threads(threads);
    return KDL_OK;
}

static void multiply_all(const product *p, const kdl_tensor *result, char *out)
{
    tiling all = tile(p, result, out);
    if (p->k == 0) { /* which the libraries do not want */
        if (p->beta == 0)
            memset(out, 0, kdl_tensor_nbytes(result));
        return;
    }
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
    int64_t count = result->numel / (p->m * p->n);
    (void)kdl__parallel(result->ctx, (size_t)(count * all.per_matrix), multiply_tile, &all);
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

void kdl__matmul_into(kdl_tensor *a, kdl_tensor *b, double beta, kdl_tensor *result)
{
    if (a && b && result)
        kdl__compute_matmul(a, b, 1, beta, result);
    kdl_tensor_release(a);
    kdl_tensor_release(b);
    kdl_tensor_release(result);
}

kdl_tensor *kdl__matrix_at(kdl_tensor *tensor, int64_t first, int64_t rows, int64_t columns)
{
    const int64_t dims[] = { rows, columns };
    return kdl__tensor_new(tensor->ctx, tensor->storage, tensor->offset + first, 2, dims, NULL);
}
