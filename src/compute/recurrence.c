/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers, forwards and back. What a step has of the one before is one product. */
#include <string.h>

#include "compute/recurrence.h"
#include "compute/recurrence_steps.h"

typedef struct recurrent_run {
    const kdl__recurrence *r;
    kdl_tensor *const *operands;
    kdl_tensor *result, *work;
    kdl_tensor *slab;    /* holds the gates of all steps, at its beginning */
    kdl_tensor *hh, *hr; /* forwards: the weights turned, for products from the left */
    kdl_tensor *hidden;  /* forwards: a GRU's product of the state before, of one step */
    int64_t width;       /* of a row of gates */
    int64_t state;       /* elements of a state (batch, hidden) */
    bool is_f64;
    const kdl__recurrent_steps *steps;
} recurrent_run;

/*
 * The work's elements: the gates of all steps; then (batch, hidden) for each step, an LSTM's cell
 * states or a GRU's hidden part of the new gate; then an LSTM's outputs before their projection.
 * An RNN needs none: its gates are its outputs.
 */
static int64_t second_part(const recurrent_run *run, int64_t t)
{
    return run->r->steps * run->r->batch * run->width + t * run->state;
}

static int64_t third_part(const recurrent_run *run, int64_t t)
{
    return second_part(run, run->r->steps + t);
}

static bool is_rnn(const recurrent_run *run)
{
    return kdl__gate_count(run->r->cell) == 1;
}

static recurrent_run start(const kdl__recurrence *r, kdl_tensor *const *operands)
{
    const kdl_tensor *input = operands[KDL__RECURRENT_INPUT];
    return (recurrent_run){ .r = r,
                            .operands = operands,
                            .width = kdl__gate_count(r->cell) * r->hidden,
                            .state = r->batch * r->hidden,
                            .is_f64 = kdl__float_index(input),
                            .steps = kdl__recurrent_steps_of(input) };
}

static void *at(const recurrent_run *run, kdl_tensor *tensor, int64_t element)
{
    size_t size = run->is_f64 ? sizeof(double) : sizeof(float);
    return (char *)tensor->storage->data + (size_t)(tensor->offset + element) * size;
}

/* The outputs of step t, (batch, outputs), in a tensor that begins with all of them. */
static kdl_tensor *step_of(const recurrent_run *run, kdl_tensor *outputs, int64_t t)
{
    const kdl__recurrence *r = run->r;
    return kdl__matrix_at(outputs, t * r->batch * r->outputs, r->batch, r->outputs);
}

/* The i-th step's place, and that of the step before; -1: before the first one. */
static int64_t place_of(const recurrent_run *run, int64_t i)
{
    return run->r->reverse ? run->r->steps - 1 - i : i;
}

static int64_t place_before(const recurrent_run *run, int64_t t)
{
    int64_t before = run->r->reverse ? t + 1 : t - 1;
    return before == run->r->steps ? -1 : before;
}

static kdl_tensor *turned(kdl_tensor *tensor)
{
    return tensor ? kdl_transpose(tensor, 0, 1) : NULL;
}

/* Each of `count` rows in `to` becomes the vector. */
static void repeat_vector(const recurrent_run *run, kdl_tensor *vector, int64_t count, char *to)
{
    const void *from = kdl_tensor_data(vector);
    size_t nbytes = kdl_tensor_nbytes(vector);
    for (int64_t i = 0; from && i < count; i++)
        memcpy(to + (size_t)i * nbytes, at(run, vector, 0), nbytes);
}

/* ---- forwards ---------------------------------------------------------------------------- */

/* The gates' part of the input and the biases; a GRU's bias_hh belongs to its hidden part. */
static void begin_gates(const recurrent_run *run)
{
    kdl_tensor *const *o = run->operands;
    kdl_tensor *input = o[KDL__RECURRENT_INPUT], *bias = o[KDL__RECURRENT_BIAS_IH], *sum = NULL;
    int64_t rows = run->r->steps * run->r->batch;
    if (bias && run->r->cell != KDL__CELL_GRU)
        bias = sum = kdl__compute_binary(KDL__ADD, bias, o[KDL__RECURRENT_BIAS_HH], 1);
    if (bias)
        repeat_vector(run, bias, rows, at(run, run->slab, 0));
    kdl__matmul_into(kdl__matrix_at(input, 0, rows, run->r->inputs), turned(o[KDL__RECURRENT_IH]),
                     bias ? 1 : 0, kdl__matrix_at(run->slab, 0, rows, run->width));
    kdl_tensor_release(sum);
}

/*
 * A weight turned, as each step multiplies by it: copied where that is often, since the product of
 * few rows with a matrix that lies well is up to five times as fast.
 */
static kdl_tensor *multiplier(const recurrent_run *run, kdl_tensor *weight)
{
    kdl_tensor *view = turned(weight);
    kdl_tensor *result =
        view && run->r->steps > 2 ? kdl__clone_row_major(view) : kdl_tensor_retain(view);
    kdl_tensor_release(view);
    return result;
}

static void lstm_forward(const recurrent_run *run, int64_t t)
{
    const kdl__recurrence *r = run->r;
    int64_t before = place_before(run, t);
    kdl_tensor *c0 = run->operands[KDL__RECURRENT_C0], *hr = run->hr;
    void *c_before = before < 0 ? at(run, c0, 0) : at(run, run->work, second_part(run, before));
    void *y = hr ? at(run, run->work, third_part(run, t)) : at(run, run->result, t * run->state);
    run->steps->lstm(r->batch, r->hidden, at(run, run->work, t * r->batch * run->width), c_before,
                     at(run, run->work, second_part(run, t)), y);
    if (hr)
        kdl__matmul_into(kdl__matrix_at(run->work, third_part(run, t), r->batch, r->hidden),
                         kdl_tensor_retain(hr), 0, step_of(run, run->result, t));
}

static void gru_forward(const recurrent_run *run, int64_t t, kdl_tensor *before)
{
    const kdl__recurrence *r = run->r;
    run->steps->gru(r->batch, r->hidden, at(run, run->work, t * r->batch * run->width),
                    at(run, run->hidden, 0), at(run, before, 0),
                    at(run, run->work, second_part(run, t)), at(run, run->result, t * run->state));
}

/* Where the product of the state before goes: a GRU's apart from the gates, with its bias. */
static kdl_tensor *product_of_state(const recurrent_run *run, int64_t t)
{
    kdl_tensor *bias = run->operands[KDL__RECURRENT_BIAS_HH];
    if (!run->hidden)
        return kdl__matrix_at(run->slab, t * run->r->batch * run->width, run->r->batch, run->width);
    if (bias)
        repeat_vector(run, bias, run->r->batch, at(run, run->hidden, 0));
    return kdl_tensor_retain(run->hidden);
}

static void forward_step(const recurrent_run *run, int64_t t)
{
    const kdl__recurrence *r = run->r;
    int64_t place = place_before(run, t);
    kdl_tensor *h0 = run->operands[KDL__RECURRENT_H0];
    kdl_tensor *before = place < 0 ? kdl_tensor_retain(h0) : step_of(run, run->result, place);
    bool sums = !run->hidden || run->operands[KDL__RECURRENT_BIAS_HH];
    kdl__matmul_into(kdl_tensor_retain(before), kdl_tensor_retain(run->hh), sums,
                     product_of_state(run, t));
    if (before && r->cell == KDL__CELL_LSTM)
        lstm_forward(run, t);
    else if (before && r->cell == KDL__CELL_GRU)
        gru_forward(run, t, before);
    else if (before)
        run->steps->rnn(run->state, r->cell == KDL__CELL_RELU,
                        at(run, run->result, t * run->state));
    kdl_tensor_release(before);
}

static bool has_memory(const recurrent_run *run)
{
    for (int i = 0; i < KDL__RECURRENT_COUNT; i++)
        if (run->operands[i] && !kdl_tensor_data(run->operands[i]))
            return false;
    return true;
}

static kdl_tensor *new_result(const recurrent_run *run)
{
    const kdl__recurrence *r = run->r;
    kdl_context *ctx = run->operands[0]->ctx;
    kdl_dtype dtype = run->operands[0]->storage->dtype;
    int64_t sizes[] = { r->steps, r->batch, r->outputs };
    if (r->cell != KDL__CELL_LSTM)
        return kdl__new_values(ctx, dtype, 3, sizes);
    int64_t rows[] = { r->steps, r->batch, r->outputs + r->hidden }, numel; /* no less */
    if (!kdl__shape_numel(ctx, 3, rows, &numel))
        return NULL;
    numel = r->steps * r->batch * r->outputs + run->state;
    return kdl__new_values(ctx, dtype, 1, &numel);
}

static kdl_tensor *new_work(const recurrent_run *run)
{
    const kdl__recurrence *r = run->r;
    int64_t parts = run->operands[KDL__RECURRENT_HR] ? 2 : 1;
    int64_t sizes[] = { r->steps, r->batch, run->width + parts * r->hidden };
    return kdl__new_values(run->operands[0]->ctx, run->operands[0]->storage->dtype, 3, sizes);
}

/* All that the steps write and read; false on failure. */
static bool begin_forward(recurrent_run *run)
{
    kdl_tensor *const *o = run->operands;
    kdl_context *ctx = o[0]->ctx;
    int64_t sizes[] = { run->r->batch, run->width };
    run->result = has_memory(run) ? new_result(run) : NULL;
    if (run->result && !is_rnn(run))
        run->work = new_work(run);
    if (run->r->cell == KDL__CELL_GRU)
        run->hidden = kdl__new_values(ctx, o[0]->storage->dtype, 2, sizes);
    run->slab = is_rnn(run) ? run->result : run->work;
    run->hh = multiplier(run, o[KDL__RECURRENT_HH]);
    run->hr = multiplier(run, o[KDL__RECURRENT_HR]);
    if (!kdl__failed(ctx))
        begin_gates(run);
    return !kdl__failed(ctx);
}

kdl_tensor *kdl__compute_recurrence(const kdl__recurrence *r, kdl_tensor *const *operands,
                                    kdl_tensor **work)
{
    kdl_context *ctx = operands[0]->ctx;
    const kdl__tape *tape = kdl__no_grad(ctx);
    recurrent_run run = start(r, operands);
    bool ready = begin_forward(&run);
    for (int64_t i = 0; ready && i < r->steps && !kdl__failed(ctx); i++)
        forward_step(&run, place_of(&run, i));
    if (ready && r->cell == KDL__CELL_LSTM)
        memcpy(at(&run, run.result, r->steps * r->batch * r->outputs),
               at(&run, run.work, second_part(&run, place_of(&run, r->steps - 1))),
               (size_t)run.state * kdl_dtype_nbytes(run.result->storage->dtype));
    kdl_tensor_release(run.hh);
    kdl_tensor_release(run.hr);
    kdl_tensor_release(run.hidden);
    ctx->tape = tape;
    *work = run.work;
    return run.result;
}

/* ---- back -------------------------------------------------------------------------------- */

/* The gradients on their way; the first three begin with all steps. */
typedef struct back {
    kdl_tensor *outputs; /* of the outputs: what came in, and what later steps add */
    kdl_tensor *gates;   /* of the gates; an RNN's are `outputs` */
    kdl_tensor *hidden;  /* of a GRU's hidden parts of them; of others the same as `gates` */
    kdl_tensor *h0, *c;  /* of the first state; of the cell state, an LSTM's */
    kdl_tensor *y;       /* of what an LSTM projects, of one step */
} back;

static void back_step(const recurrent_run *run, const back *d, int64_t t)
{
    const kdl__recurrence *r = run->r;
    int64_t before = place_before(run, t), row = t * r->batch * run->width;
    kdl_tensor *hr = run->operands[KDL__RECURRENT_HR], *c0 = run->operands[KDL__RECURRENT_C0];
    kdl_tensor *to = before < 0 ? kdl_tensor_retain(d->h0) : step_of(run, d->outputs, before);
    if (hr)
        kdl__matmul_into(step_of(run, d->outputs, t), kdl_tensor_retain(hr), 0,
                         kdl_tensor_retain(d->y));
    void *dy = hr ? at(run, d->y, 0) : at(run, d->outputs, t * run->state);
    if (!to)
        return;
    if (r->cell == KDL__CELL_LSTM) {
        void *c_before = before < 0 ? at(run, c0, 0) : at(run, run->work, second_part(run, before));
        run->steps->lstm_grad(r->batch, r->hidden, at(run, run->work, row), c_before,
                              at(run, run->work, second_part(run, t)), dy, at(run, d->c, 0),
                              at(run, d->gates, row));
    } else if (r->cell == KDL__CELL_GRU) {
        void *y_before = before < 0 ? at(run, run->operands[KDL__RECURRENT_H0], 0)
                                    : at(run, run->result, before * run->state);
        run->steps->gru_grad(r->batch, r->hidden, at(run, run->work, row), y_before,
                             at(run, run->work, second_part(run, t)), dy, at(run, d->gates, row),
                             at(run, d->hidden, row), at(run, to, 0));
    } else {
        run->steps->rnn_grad(run->state, r->cell == KDL__CELL_RELU,
                             at(run, run->result, t * run->state), dy);
    }
    kdl__matmul_into(kdl__matrix_at(d->hidden, row, r->batch, run->width),
                     kdl_tensor_retain(run->operands[KDL__RECURRENT_HH]), 1, to);
}

static kdl_tensor *zeros(const recurrent_run *run, int64_t columns)
{
    int64_t sizes[] = { run->r->batch, columns };
    kdl_tensor *tensor = kdl__new_values(run->result->ctx, run->result->storage->dtype, 2, sizes);
    if (tensor)
        memset(tensor->storage->data, 0, kdl_tensor_nbytes(tensor));
    return tensor;
}

static kdl_tensor *new_gates(const recurrent_run *run)
{
    int64_t sizes[] = { run->r->steps, run->r->batch, run->width };
    return kdl__new_values(run->result->ctx, run->result->storage->dtype, 3, sizes);
}

static back begin_back(const recurrent_run *run, kdl_tensor *grad)
{
    const kdl__recurrence *r = run->r;
    back d = { .outputs = kdl__clone_row_major(grad), .h0 = zeros(run, r->outputs) };
    d.gates = is_rnn(run) ? kdl_tensor_retain(d.outputs) : new_gates(run);
    d.hidden = r->cell == KDL__CELL_GRU ? new_gates(run) : kdl_tensor_retain(d.gates);
    if (r->cell == KDL__CELL_LSTM && d.outputs)
        d.c = kdl__matrix_at(d.outputs, r->steps * r->batch * r->outputs, r->batch, r->hidden);
    if (run->operands[KDL__RECURRENT_HR])
        d.y = zeros(run, r->hidden);
    return d;
}

/* The product of a^T b, which have all steps as their rows. */
static kdl_tensor *over_steps(const recurrent_run *run, kdl_tensor *a, int64_t m, kdl_tensor *b,
                              int64_t first, int64_t n)
{
    int64_t rows = run->r->steps * run->r->batch, sizes[] = { m, n };
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, 2, sizes);
    kdl_tensor *left = kdl__matrix_at(a, 0, rows, m);
    kdl__matmul_into(turned(left), kdl__matrix_at(b, first, rows, n), 0, kdl_tensor_retain(result));
    kdl_tensor_release(left);
    return result;
}

/* The same of the gates and the states before: all steps' but one's are outputs one step apart. */
static kdl_tensor *weight_of_state(const recurrent_run *run, const back *d)
{
    const kdl__recurrence *r = run->r;
    int64_t first = place_of(run, 0), rows = (r->steps - 1) * r->batch;
    int64_t gates_from = r->reverse ? 0 : r->batch, outputs_from = r->reverse ? r->batch : 0;
    int64_t sizes[] = { run->width, r->outputs };
    kdl_tensor *result = kdl__new_values(d->hidden->ctx, d->hidden->storage->dtype, 2, sizes);
    kdl_tensor *one =
        kdl__matrix_at(d->hidden, first * r->batch * run->width, r->batch, run->width);
    kdl_tensor *others = kdl__matrix_at(d->hidden, gates_from * run->width, rows, run->width);
    kdl__matmul_into(turned(one), kdl_tensor_retain(run->operands[KDL__RECURRENT_H0]), 0,
                     kdl_tensor_retain(result));
    kdl__matmul_into(turned(others),
                     kdl__matrix_at(run->result, outputs_from * r->outputs, rows, r->outputs), 1,
                     kdl_tensor_retain(result));
    kdl_tensor_release(one);
    kdl_tensor_release(others);
    return result;
}

static kdl_tensor *of_input(const recurrent_run *run, const back *d)
{
    const kdl__recurrence *r = run->r;
    int64_t sizes[] = { r->steps, r->batch, r->inputs }, rows = r->steps * r->batch;
    kdl_tensor *result = kdl__new_values(d->gates->ctx, d->gates->storage->dtype, 3, sizes);
    if (result)
        kdl__matmul_into(kdl__matrix_at(d->gates, 0, rows, run->width),
                         kdl_tensor_retain(run->operands[KDL__RECURRENT_IH]), 0,
                         kdl__matrix_at(result, 0, rows, r->inputs));
    return result;
}

static kdl_tensor *of_bias(const recurrent_run *run, kdl_tensor *gates)
{
    kdl_tensor *rows = kdl__matrix_at(gates, 0, run->r->steps * run->r->batch, run->width);
    kdl_tensor *result = rows ? kdl__compute_sum(rows, 1, false) : NULL;
    kdl_tensor_release(rows);
    return result;
}

static kdl_tensor *gradient_of(const recurrent_run *run, const back *d, int place)
{
    const kdl__recurrence *r = run->r;
    switch (place) {
    case KDL__RECURRENT_INPUT:
        return of_input(run, d);
    case KDL__RECURRENT_IH:
        return over_steps(run, d->gates, run->width, run->operands[KDL__RECURRENT_INPUT], 0,
                          r->inputs);
    case KDL__RECURRENT_HH:
        return weight_of_state(run, d);
    case KDL__RECURRENT_HR:
        return over_steps(run, d->outputs, r->outputs, run->work, third_part(run, 0), r->hidden);
    case KDL__RECURRENT_H0:
        return kdl_tensor_retain(d->h0);
    case KDL__RECURRENT_C0:
        return kdl_tensor_retain(d->c);
    case KDL__RECURRENT_BIAS_IH:
        return of_bias(run, d->gates);
    default:
        return of_bias(run, d->hidden);
    }
}

kdl_status kdl__compute_recurrence_grad(const kdl__recurrence *r, kdl_tensor *grad,
                                        kdl_tensor *const *operands, kdl_tensor *result,
                                        kdl_tensor *work, uint32_t wanted, kdl_tensor **gradients)
{
    kdl_context *ctx = grad->ctx;
    recurrent_run run = start(r, operands);
    run.result = result;
    run.work = work;
    back d = begin_back(&run, grad);
    for (int64_t i = r->steps - 1; i >= 0 && !kdl__failed(ctx); i--)
        back_step(&run, &d, place_of(&run, i));
    for (int place = 0; place < KDL__RECURRENT_COUNT; place++)
        gradients[place] =
            (wanted >> place & 1) && !kdl__failed(ctx) ? gradient_of(&run, &d, place) : NULL;
    kdl_tensor *all[] = { d.outputs, d.gates, d.hidden, d.h0, d.c, d.y };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kdl_tensor_release(all[i]);
    return ctx->status;
}
