/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connectionist temporal classification loss (Graves et al., 2006): the probability of all the
 * paths through an extended target, blanks between its labels, forward (alpha) and backward (beta).
 */
#include <math.h>
#include <string.h>

#include "autograd/loss.h"
#include "kindling/ops.h"

/* One sequence: its logarithms, its labels, and where its gradients go. */
typedef struct sequence {
    const kdl_tensor *log_probs;
    kdl_tensor *gradients;
    int64_t offset, step;   /* element (t, c) at offset + t * step + c */
    int64_t times, classes; /* times: the input's own length */
    const int64_t *labels;
    int64_t label_count, blank;
} sequence;

static double add_logs(double a, double b)
{
    double most = a > b ? a : b, least = a > b ? b : a;
    return most == -INFINITY ? most : most + log1p(exp(least - most));
}

static double log_prob(const sequence *q, int64_t t, int64_t class)
{
    return kdl__element(q->log_probs, q->offset + t * q->step + class);
}

/* Label s of the extended target, of which every other one is blank. */
static int64_t label(const sequence *q, int64_t s)
{
    return s % 2 ? q->labels[s / 2] : q->blank;
}

/* Whether a path may go from s - 2 to s. */
static bool may_skip(const sequence *q, int64_t s)
{
    return s % 2 && s >= 2 && label(q, s) != label(q, s - 2);
}

/* alpha (T, S): paths that are at s at time t; the loss: minus the logarithm of all of them. */
static double run_forward(const sequence *q, double *alpha)
{
    int64_t count = 2 * q->label_count + 1;
    if (q->times == 0)
        return q->label_count == 0 ? 0 : INFINITY;
    for (int64_t s = 0; s < count; s++)
        alpha[s] = s < 2 ? log_prob(q, 0, label(q, s)) : -INFINITY;
    for (int64_t t = 1; t < q->times; t++) {
        const double *before = alpha + (t - 1) * count;
        for (int64_t s = 0; s < count; s++) {
            double sum = before[s];
            if (s >= 1)
                sum = add_logs(sum, before[s - 1]);
            if (may_skip(q, s))
                sum = add_logs(sum, before[s - 2]);
            alpha[t * count + s] = sum + log_prob(q, t, label(q, s));
        }
    }
    const double *last = alpha + (q->times - 1) * count;
    return -(count > 1 ? add_logs(last[count - 1], last[count - 2]) : last[0]);
}

static void run_backward(const sequence *q, double *beta)
{
    int64_t count = 2 * q->label_count + 1;
    for (int64_t t = q->times - 1; t >= 0; t--) {
        const double *after = beta + (t + 1) * count;
        for (int64_t s = count - 1; s >= 0; s--) {
            double sum = s >= count - 2 ? 0 : -INFINITY;
            if (t < q->times - 1) {
                sum = after[s];
                if (s + 1 < count)
                    sum = add_logs(sum, after[s + 1]);
                if (s + 2 < count && may_skip(q, s + 2))
                    sum = add_logs(sum, after[s + 2]);
            }
            beta[t * count + s] = sum + log_prob(q, t, label(q, s));
        }
    }
}

/* exp(x) - exp(paths through the class - x): PyTorch's, of the scores before a log_softmax. */
static void give_gradients(const sequence *q, double loss, const double *alpha, const double *beta,
                           double *through)
{
    int64_t count = 2 * q->label_count + 1;
    for (int64_t t = 0; t < q->times; t++) {
        for (int64_t c = 0; c < q->classes; c++)
            through[c] = -INFINITY;
        for (int64_t s = 0; s < count; s++) {
            double *paths = &through[label(q, s)];
            *paths = add_logs(*paths, alpha[t * count + s] + beta[t * count + s]);
        }
        for (int64_t c = 0; c < q->classes; c++) {
            double x = log_prob(q, t, c);
            kdl__set_element(q->gradients, q->offset + t * q->step + c,
                             exp(x) - exp(through[c] + loss - x));
        }
    }
}

/* The loss of one sequence, and its gradients. */
static double compute(const sequence *q, bool zero_infinity)
{
    kdl_context *ctx = q->log_probs->ctx;
    size_t cells = (size_t)((2 * q->label_count + 1) * (q->times + 1));
    double *alpha = kdl__alloc(ctx, cells, sizeof *alpha);
    double *beta = kdl__alloc(ctx, cells, sizeof *beta);
    double *through = kdl__alloc(ctx, (size_t)q->classes + 1, sizeof *through);
    double loss = 0;
    if (alpha && beta && through) {
        loss = run_forward(q, alpha);
        bool lost = loss == INFINITY && zero_infinity;
        if (!lost) {
            run_backward(q, beta);
            give_gradients(q, loss, alpha, beta, through);
        }
        loss = lost ? 0 : loss;
    }
    kdl_free(ctx, alpha);
    kdl_free(ctx, beta);
    kdl_free(ctx, through);
    return loss;
}

/* ---- arguments --------------------------------------------------------------------------- */

typedef struct ctc_call {
    kdl_tensor *x, *targets, *input_lengths, *target_lengths; /* row-major */
    int64_t times, samples, classes, blank;
} ctc_call;

static const int64_t *lengths_of(const kdl_tensor *tensor)
{
    return (const int64_t *)tensor->storage->data + tensor->offset;
}

static kdl_status refuse(const ctc_call *call, kdl_status code, const char *text)
{
    return kdl__fail_at(call->x->ctx, "kdl_f_ctc_loss", code, "%s", text);
}

static bool check(const ctc_call *call)
{
    kdl_tensor *integers[] = { call->targets, call->input_lengths, call->target_lengths };
    for (int i = 0; i < 3; i++)
        if (integers[i]->storage->dtype != KDL_I64)
            return !refuse(call, KDL_ERROR_NOT_IMPLEMENTED,
                           "targets and lengths of int64 are needed");
    if (call->blank < 0 || call->blank >= call->classes)
        return !refuse(call, KDL_ERROR_RUNTIME, "blank must be in label range");
    if (call->input_lengths->numel != call->samples)
        return !refuse(call, KDL_ERROR_RUNTIME, "input_lengths must be of size batch_size");
    if (call->target_lengths->numel != call->samples)
        return !refuse(call, KDL_ERROR_RUNTIME, "target_lengths must be of size batch_size");
    bool padded = call->targets->ndim == 2;
    int64_t sum = 0, most = padded ? call->targets->dims[1] : call->targets->numel;
    for (int64_t n = 0; n < call->samples; n++) {
        int64_t times = lengths_of(call->input_lengths)[n];
        int64_t count = lengths_of(call->target_lengths)[n];
        if (times < 0 || times > call->times)
            return !refuse(call, KDL_ERROR_RUNTIME,
                           "Expected input_lengths to have value at most the input's length");
        if (count < 0 || count > most)
            return !refuse(call, KDL_ERROR_RUNTIME,
                           "Expected target_lengths to have value at most the targets' length");
        sum += count;
    }
    if (padded ? call->targets->dims[0] != call->samples : sum != most)
        return !refuse(call, KDL_ERROR_RUNTIME,
                       "Expected tensor to have size of the sum of target_lengths, or (N, S)");
    for (int64_t i = 0; i < call->targets->numel; i++)
        if (lengths_of(call->targets)[i] < 0 || lengths_of(call->targets)[i] >= call->classes)
            return !refuse(call, KDL_ERROR_INDEX, "targets must be in label range");
    return true;
}

static void compute_all(const ctc_call *call, bool zero_infinity, kdl_tensor *losses,
                        kdl_tensor *gradients)
{
    int64_t begin = 0;
    bool padded = call->targets->ndim == 2;
    memset(gradients->storage->data, 0, kdl_tensor_nbytes(gradients));
    for (int64_t n = 0; n < call->samples && !kdl__failed(losses->ctx); n++) {
        int64_t count = lengths_of(call->target_lengths)[n];
        sequence q = { .log_probs = call->x,
                       .gradients = gradients,
                       .offset = n * call->classes,
                       .step = call->samples * call->classes,
                       .times = lengths_of(call->input_lengths)[n],
                       .classes = call->classes,
                       .labels = lengths_of(call->targets) +
                                 (padded ? n * call->targets->dims[1] : begin),
                       .label_count = count,
                       .blank = call->blank };
        kdl__set_element(losses, n, compute(&q, zero_infinity));
        begin += count;
    }
}

/* 'mean' divides each loss by its target's length, at least 1, first. Consumes `losses`. */
static kdl_tensor *reduce(kdl_tensor *losses, kdl_tensor *target_lengths, kdl_reduction reduction)
{
    if (!losses || reduction != KDL_REDUCTION_MEAN)
        return kdl__reduce_losses(losses, reduction);
    kdl__scope scope = { 0 };
    kdl_tensor *lengths = kdl__hold(&scope, kdl_to(target_lengths, losses->storage->dtype));
    kdl_tensor *divisors = kdl__hold(&scope, kdl_clamp(lengths, 1, INFINITY));
    divisors = kdl__hold(&scope, kdl_reshape(divisors, kdl_tensor_shape(losses)));
    kdl_tensor *each = kdl_div_tensor(kdl__hold(&scope, losses), divisors);
    return kdl__close(&scope, kdl__reduce_losses(each, reduction));
}

kdl_tensor *kdl_f_ctc_loss(kdl_tensor *log_probs, kdl_tensor *targets, kdl_tensor *input_lengths,
                           kdl_tensor *target_lengths, int64_t blank, kdl_reduction reduction,
                           bool zero_infinity)
{
    kdl_tensor *all[] = { log_probs, targets, input_lengths, target_lengths };
    if (!kdl__usable(__func__, 4, all))
        return NULL;
    if (log_probs->ndim != 2 && log_probs->ndim != 3) {
        kdl__fail(log_probs->ctx, KDL_ERROR_RUNTIME,
                  "log_probs of (T, N, C) or (T, C) are needed, not of size %s",
                  kdl__shape_text(log_probs->ndim, log_probs->dims).chars);
        return NULL;
    }
    if (targets->ndim < 1 || targets->ndim > 2) {
        kdl__fail(log_probs->ctx, KDL_ERROR_RUNTIME,
                  "Expected 1 to 2 dimensions, but got %d-dimensional tensor for argument #2 "
                  "'targets' (while checking arguments for ctc_loss_allocate_outputs)",
                  targets->ndim);
        return NULL;
    }
    kdl__scope scope = { 0 };
    kdl_tensor *wide = kdl__hold(&scope, kdl__operand(log_probs, __func__));
    all[0] = wide;
    for (int i = 0; i < 4; i++) {
        all[i] = kdl__hold(&scope, kdl_contiguous(all[i]));
        if (!all[i] || !kdl_tensor_data(all[i]))
            return kdl__close(&scope, NULL);
    }
    kdl_tensor *x = all[0], *losses = NULL, *gradients = NULL;
    bool batched = x->ndim == 3;
    ctc_call call = {
        x, all[1], all[2], all[3], x->dims[0], batched ? x->dims[1] : 1, x->dims[x->ndim - 1], blank
    };
    if (check(&call)) {
        gradients = kdl__hold(&scope, kdl__new_values(x->ctx, x->storage->dtype, x->ndim, x->dims));
        losses = kdl__new_values(x->ctx, x->storage->dtype, batched, &call.samples);
    }
    if (losses && gradients) {
        compute_all(&call, zero_infinity, losses, gradients);
        kdl__record_rows(losses, x, gradients);
    }
    losses = reduce(losses, all[3], reduction);
    return kdl__cast(kdl__close(&scope, losses), log_probs->storage->dtype);
}
