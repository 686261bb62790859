/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of attention's scores: masked and made probabilities in one go, while in the cache. */
#include "compute/scores.h"

#include <string.h>

typedef struct row_functions {
    void (*softmax)(void *row, int64_t n, bool safe);
    void (*softmax_grad)(const void *grad, const void *probabilities, void *result, int64_t n);
    void (*add)(void *row, const void *mask, int64_t stride, int64_t n);
    void (*choose)(void *row, const void *mask, int64_t stride, int64_t n);
} row_functions;

#define KDL__LOOPS "compute/score_loops.h"
#include "compute/loop_sets.h"

static const row_functions *const row_sets[] = KDL__LOOP_SET(&rows);

typedef struct scores_call {
    const kdl_tensor *scores;
    const kdl__masking *masking;
    const row_functions *rows;
    char *data;
    size_t size; /* of an element */
    const char *mask;
    int64_t strides[KDL_MAX_DIMS]; /* the mask's in bytes, for each dimension of the scores */
    int64_t count, length, n;      /* rows, those of one matrix, and elements in each */
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
    return call->mask + offset;
}

static void mask_row(const scores_call *call, int64_t row, void *x, int64_t n)
{
    int64_t stride = call->strides[call->scores->ndim - 1];
    if (call->masking->mask->storage->dtype == KDL_BOOL)
        call->rows->choose(x, mask_of(call, row), stride, n);
    else
        call->rows->add(x, mask_of(call, row), stride / (int64_t)call->size, n);
}

static void run_row(const scores_call *call, int64_t row)
{
    int64_t n = call->n, seen = row % call->length + 1;
    char *x = call->data + (size_t)(row * n) * call->size;
    if (call->masking->causal && seen < n) {
        memset(x + (size_t)seen * call->size, 0, (size_t)(n - seen) * call->size);
        n = seen;
    }
    if (call->mask)
        mask_row(call, row, x, n);
    call->rows->softmax(x, n, call->masking->safe);
}

static void run_row_grad(const scores_call *call, int64_t row)
{
    size_t at = (size_t)(row * call->n) * call->size;
    call->rows->softmax_grad(call->grad + at, call->probabilities + at, call->data + at, call->n);
}

static kdl_status run_share(void *user_data, size_t share, int worker)
{
    (void)worker;
    const scores_call *call = user_data;
    int64_t row = (int64_t)kdl__share_begin((uint64_t)call->count, call->shares, share);
    int64_t end = (int64_t)kdl__share_begin((uint64_t)call->count, call->shares, share + 1);
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
    const kdl_tensor *scores = call->scores;
    int64_t most = scores->numel / worth;
    call->rows = row_sets[kdl__loops_of(scores)];
    call->size = kdl_dtype_nbytes(scores->storage->dtype);
    call->length = scores->dims[scores->ndim - 2];
    call->n = scores->dims[scores->ndim - 1];
    call->count = call->n ? scores->numel / call->n : 0;
    most = most < call->count ? most : call->count;
    call->shares =
        most < 1 ? 1 : (size_t)(most < scores->ctx->threads ? most : scores->ctx->threads);
    if (call->count > 0)
        kdl__parallel(scores->ctx, call->shares, run_share, call);
    return scores->ctx->status;
}

kdl_status kdl__compute_attention(kdl_tensor *scores, const kdl__masking *masking)
{
    scores_call call = { .scores = scores, .masking = masking, .data = kdl_tensor_data(scores) };
    kdl_tensor *mask = masking->mask;
    if (mask) {
        call.mask = kdl_tensor_data(mask);
        for (int d = 0; d < mask->ndim; d++)
            if (mask->dims[d] != 1)
                call.strides[scores->ndim - mask->ndim + d] =
                    mask->strides[d] * (int64_t)kdl_dtype_nbytes(mask->storage->dtype);
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
