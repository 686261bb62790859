/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of attention's scores: masked and made probabilities in one go, while they are in the cache. */
#include "compute/scores.h"

#include <math.h>
#include <string.h>

#include "compute/gate_math.h"

/* ---- rows -------------------------------------------------------------------------------- */

/*
 * Floats as integers that are ordered as they are, a positive NaN above all: their maximum can be a
 * vector's, without a branch for NaN.
 */
static float greatest_f32(const float *x, int64_t n)
{
    int32_t most = INT32_MIN;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits = kdl__bits_of(x[i]), ordered = bits ^ ((bits >> 31) & KDL__FLOAT_MAGNITUDE);
        most = ordered > most ? ordered : most;
    }
    return kdl__float_of(most ^ ((most >> 31) & KDL__FLOAT_MAGNITUDE));
}

static double greatest_f64(const double *x, int64_t n)
{
    double most = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most || isnan(x[i]) ? x[i] : most;
    return most;
}

static double exp_of_minus_f64(double size)
{
    return exp(-size);
}

/* In eight lanes, which can be vectors; the same for any number of threads. */
#define SUM_IN_LANES(i, n, term)                                                                   \
    double lanes[8] = { 0 };                                                                       \
    int64_t i = 0;                                                                                 \
    for (; i + 8 <= n; i += 8)                                                                     \
        for (int64_t lane = 0; lane < 8; lane++)                                                   \
            lanes[lane] += (double)(term(i + lane));                                               \
    for (; i < n; i++)                                                                             \
        lanes[i % 8] += (double)(term(i));                                                         \
    double sum = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +                                 \
                 ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));

#define VALUE(i) x[i]
#define PRODUCT(i) (g[i] * p[i])
#define DEFINE_ROWS(suffix, type, exp_of_minus)                                                    \
    static void softmax_##suffix(type *restrict x, int64_t n, bool safe)                           \
    {                                                                                              \
        const type most = greatest_##suffix(x, n);                                                 \
        if (safe && most == (type)-INFINITY) {                                                     \
            memset(x, 0, (size_t)n * sizeof *x);                                                   \
            return;                                                                                \
        }                                                                                          \
        for (int64_t k = 0; k < n; k++)                                                            \
            x[k] = exp_of_minus(most - x[k]);                                                      \
        SUM_IN_LANES(i, n, VALUE)                                                                  \
        const type factor = (type)(1 / sum);                                                       \
        for (int64_t k = 0; k < n; k++)                                                            \
            x[k] *= factor;                                                                        \
    }                                                                                              \
    static void softmax_grad_##suffix(const type *restrict g, const type *restrict p,              \
                                      type *restrict out, int64_t n)                               \
    {                                                                                              \
        SUM_IN_LANES(i, n, PRODUCT)                                                                \
        const type all = (type)sum;                                                                \
        for (int64_t k = 0; k < n; k++)                                                            \
            out[k] = p[k] * (g[k] - all);                                                          \
    }                                                                                              \
    static void add_mask_##suffix(type *restrict x, const type *mask, int64_t stride, int64_t n)   \
    {                                                                                              \
        if (stride == 1)                                                                           \
            for (int64_t i = 0; i < n; i++)                                                        \
                x[i] += mask[i];                                                                   \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++)                                                        \
                x[i] += mask[i * stride];                                                          \
    }                                                                                              \
    static void choose_##suffix(type *restrict x, const bool *mask, int64_t stride, int64_t n)     \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                            \
            x[i] = mask[i * stride] ? x[i] : (type)-INFINITY;                                      \
    }
DEFINE_ROWS(f32, float, kdl__exp_down)
DEFINE_ROWS(f64, double, exp_of_minus_f64)

/* ---- all rows ---------------------------------------------------------------------------- */

typedef struct scores_call {
    const kdl_tensor *scores;
    const kdl__masking *masking;
    char *data;
    const char *mask;
    int64_t strides[KDL_MAX_DIMS]; /* the mask's, for each dimension of the scores */
    size_t mask_size;              /* bytes of its elements */
    int64_t rows, n;
    size_t shares;
    const char *grad, *probabilities; /* for the gradient, of which `data` is the result */
} scores_call;

/* Where the mask's elements of a row begin. */
static const char *mask_of(const scores_call *call, int64_t row)
{
    int64_t offset = 0;
    for (int d = call->scores->ndim - 2; d >= 0; d--) {
        offset += row % call->scores->dims[d] * call->strides[d];
        row /= call->scores->dims[d];
    }
    return call->mask + offset * (int64_t)call->mask_size;
}

static void mask_row(const scores_call *call, int64_t row, void *x, int64_t n)
{
    const char *mask = mask_of(call, row);
    int64_t stride = call->strides[call->scores->ndim - 1];
    bool is_f64 = kdl__float_index(call->scores);
    if (call->masking->mask->storage->dtype == KDL_BOOL && is_f64)
        choose_f64(x, (const bool *)mask, stride, n);
    else if (call->masking->mask->storage->dtype == KDL_BOOL)
        choose_f32(x, (const bool *)mask, stride, n);
    else if (is_f64)
        add_mask_f64(x, (const double *)mask, stride, n);
    else
        add_mask_f32(x, (const float *)mask, stride, n);
}

static void run_row(const scores_call *call, int64_t row)
{
    bool is_f64 = kdl__float_index(call->scores);
    size_t size = is_f64 ? sizeof(double) : sizeof(float);
    int64_t length = call->scores->dims[call->scores->ndim - 2], n = call->n;
    char *x = call->data + (size_t)(row * call->n) * size;
    if (call->masking->causal && row % length + 1 < n) {
        n = row % length + 1;
        memset(x + (size_t)n * size, 0, (size_t)(call->n - n) * size);
    }
    if (call->mask)
        mask_row(call, row, x, n);
    if (is_f64)
        softmax_f64((double *)x, n, call->masking->safe);
    else
        softmax_f32((float *)x, n, call->masking->safe);
}

static void run_row_grad(const scores_call *call, int64_t row)
{
    bool is_f64 = kdl__float_index(call->scores);
    size_t at = (size_t)(row * call->n) * (is_f64 ? sizeof(double) : sizeof(float));
    if (is_f64)
        softmax_grad_f64((const double *)(call->grad + at),
                         (const double *)(call->probabilities + at), (double *)(call->data + at),
                         call->n);
    else
        softmax_grad_f32((const float *)(call->grad + at),
                         (const float *)(call->probabilities + at), (float *)(call->data + at),
                         call->n);
}

static kdl_status run_share(void *user_data, size_t share, int worker)
{
    (void)worker;
    const scores_call *call = user_data;
    int64_t row = (int64_t)kdl__share_begin((uint64_t)call->rows, call->shares, share);
    int64_t end = (int64_t)kdl__share_begin((uint64_t)call->rows, call->shares, share + 1);
    for (; row < end; row++) {
        if (call->grad)
            run_row_grad(call, row);
        else
            run_row(call, row);
    }
    return KDL_OK;
}

/* Rows are split among threads where each gets enough to be worth starting it. */
static kdl_status run_all_rows(scores_call *call)
{
    static const int64_t worth = 1 << 14; /* elements */
    kdl_context *ctx = call->scores->ctx;
    int64_t most = call->scores->numel / worth;
    call->n = call->scores->dims[call->scores->ndim - 1];
    call->rows = call->n ? call->scores->numel / call->n : 0;
    most = most < call->rows ? most : call->rows;
    call->shares = most < 1 ? 1 : (size_t)(most < ctx->threads ? most : ctx->threads);
    if (call->rows > 0)
        kdl__parallel(ctx, call->shares, run_share, call);
    return ctx->status;
}

kdl_status kdl__compute_attention(kdl_tensor *scores, const kdl__masking *masking)
{
    scores_call call = { .scores = scores, .masking = masking, .data = kdl_tensor_data(scores) };
    kdl_tensor *mask = masking->mask;
    if (mask) {
        call.mask = kdl_tensor_data(mask);
        call.mask_size = kdl_dtype_nbytes(mask->storage->dtype);
        for (int d = 0; d < mask->ndim; d++)
            if (mask->dims[d] != 1)
                call.strides[scores->ndim - mask->ndim + d] = mask->strides[d];
    }
    return kdl__failed(scores->ctx) ? scores->ctx->status : run_all_rows(&call);
}

kdl_tensor *kdl__compute_attention_grad(kdl_tensor *grad, kdl_tensor *probabilities)
{
    const kdl_tensor *p = probabilities;
    kdl_tensor *g = kdl_contiguous(grad);
    kdl_tensor *result = g ? kdl__new_values(p->ctx, p->storage->dtype, p->ndim, p->dims) : NULL;
    scores_call call = { .scores = result };
    if (result) {
        call.data = kdl_tensor_data(result);
        call.grad = kdl_tensor_data(g);
        call.probabilities = kdl_tensor_data(probabilities);
        run_all_rows(&call);
    }
    kdl_tensor_release(g);
    return result;
}
