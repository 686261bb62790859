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
    bool is_f64;
    const kdl__recurrent_steps *steps;
} recurrent_run;

/* ---- rows -------------------------------------------------------------------------------- */

/* The first of a step's rows among all; one more step: how many there are. */
static int64_t first_row(const recurrent_run *run, int64_t t)
{
    return run->r->first_rows ? run->r->first_rows[t] : t * run->r->batch;
}

static int64_t all_rows(const recurrent_run *run)
{
    return first_row(run, run->r->steps);
}

static int64_t row_count(const recurrent_run *run, int64_t t)
{
    return first_row(run, t + 1) - first_row(run, t);
}

/*
 * The work's elements: the gates of all rows; then (hidden) for each row, an LSTM's cell states or
 * a GRU's hidden part of the new gate; then an LSTM's outputs before their projection. An RNN needs
 * none: its gates are its outputs.
 */
static int64_t second_part(const recurrent_run *run, int64_t row)
{
    return all_rows(run) * run->width + row * run->r->hidden;
}

static int64_t third_part(const recurrent_run *run, int64_t row)
{
    return second_part(run, all_rows(run) + row);
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
                            .is_f64 = kdl__float_index(input),
                            .steps = kdl__recurrent_steps_of(input) };
}

static void *at(const recurrent_run *run, kdl_tensor *tensor, int64_t element)
{
    size_t size = run->is_f64 ? sizeof(double) : sizeof(float);
    return (char *)tensor->storage->data + (size_t)(tensor->offset + element) * size;
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

/* Rows of a step that go on from rows of the step before, or from the first states. */
typedef struct piece {
    int64_t row, count;
    int64_t before;   /* the first row that they go on from; -1: first states */
    int64_t sequence; /* the first one's number */
} piece;

/* Those of step t, one or two; sequences that begin only there, in reverse, are the last. */
static int pieces_of(const recurrent_run *run, int64_t t, piece pieces[2])
{
    int64_t first = first_row(run, t), rows = row_count(run, t), before = place_before(run, t);
    int64_t going_on = before < 0 ? 0 : row_count(run, before);
    int count = 0;
    going_on = going_on < rows ? going_on : rows;
    if (going_on > 0)
        pieces[count++] = (piece){ first, going_on, first_row(run, before), 0 };
    if (rows > going_on)
        pieces[count++] = (piece){ first + going_on, rows - going_on, -1, going_on };
    return count;
}

/* What a piece goes on from, in all rows or in the first states. One reference. */
static kdl_tensor *before_piece(const piece *p, kdl_tensor *rows, kdl_tensor *first, int64_t width)
{
    return p->before < 0 ? kdl__matrix_at(first, p->sequence * width, p->count, width)
                         : kdl__matrix_at(rows, p->before * width, p->count, width);
}

/* The same of the cell states. */
static void *cells_before(const recurrent_run *run, const piece *p)
{
    return p->before < 0 ? at(run, run->operands[KDL__RECURRENT_C0], p->sequence * run->r->hidden)
                         : at(run, run->work, second_part(run, p->before));
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
    int64_t rows = all_rows(run);
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

static void lstm_forward(const recurrent_run *run, const piece *p)
{
    const kdl__recurrence *r = run->r;
    void *y = run->hr ? at(run, run->work, third_part(run, p->row))
                      : at(run, run->result, p->row * r->hidden);
    run->steps->lstm(p->count, r->hidden, at(run, run->work, p->row * run->width),
                     cells_before(run, p), at(run, run->work, second_part(run, p->row)), y);
    if (run->hr)
        kdl__matmul_into(kdl__matrix_at(run->work, third_part(run, p->row), p->count, r->hidden),
                         kdl_tensor_retain(run->hr), 0,
                         kdl__matrix_at(run->result, p->row * r->outputs, p->count, r->outputs));
}

static void gru_forward(const recurrent_run *run, const piece *p, kdl_tensor *before)
{
    const kdl__recurrence *r = run->r;
    run->steps->gru(p->count, r->hidden, at(run, run->work, p->row * run->width),
                    at(run, run->hidden, 0), at(run, before, 0),
                    at(run, run->work, second_part(run, p->row)),
                    at(run, run->result, p->row * r->hidden));
}

/* Where the product of the state before goes: a GRU's apart from the gates, with its bias. */
static kdl_tensor *product_of_state(const recurrent_run *run, const piece *p)
{
    kdl_tensor *bias = run->operands[KDL__RECURRENT_BIAS_HH];
    if (!run->hidden)
        return kdl__matrix_at(run->slab, p->row * run->width, p->count, run->width);
    if (bias)
        repeat_vector(run, bias, p->count, at(run, run->hidden, 0));
    return kdl__matrix_at(run->hidden, 0, p->count, run->width);
}

static void forward_piece(const recurrent_run *run, const piece *p)
{
    const kdl__recurrence *r = run->r;
    kdl_tensor *h0 = run->operands[KDL__RECURRENT_H0];
    kdl_tensor *before = before_piece(p, run->result, h0, r->outputs);
    bool sums = !run->hidden || run->operands[KDL__RECURRENT_BIAS_HH];
    kdl__matmul_into(kdl_tensor_retain(before), kdl_tensor_retain(run->hh), sums,
                     product_of_state(run, p));
    if (before && r->cell == KDL__CELL_LSTM)
        lstm_forward(run, p);
    else if (before && r->cell == KDL__CELL_GRU)
        gru_forward(run, p, before);
    else if (before)
        run->steps->rnn(p->count * r->hidden, r->cell == KDL__CELL_RELU,
                        at(run, run->result, p->row * r->hidden));
    kdl_tensor_release(before);
}

/* Behind an LSTM's outputs: the last cell state of each sequence. */
static void keep_last_cells(const recurrent_run *run)
{
    const kdl__recurrence *r = run->r;
    size_t size = kdl_dtype_nbytes(run->result->storage->dtype);
    for (int64_t i = 0; i < r->steps; i++) {
        int64_t t = place_of(run, i), rows = row_count(run, t);
        int64_t going_on = i + 1 < r->steps ? row_count(run, place_of(run, i + 1)) : 0;
        if (going_on < rows)
            memcpy(at(run, run->result, all_rows(run) * r->outputs + going_on * r->hidden),
                   at(run, run->work, second_part(run, first_row(run, t) + going_on)),
                   (size_t)((rows - going_on) * r->hidden) * size);
    }
}

static bool has_memory(const recurrent_run *run)
{
    for (int i = 0; i < KDL__RECURRENT_COUNT; i++)
        if (run->operands[i] && !kdl_tensor_data(run->operands[i]))
            return false;
    return true;
}

/* A tensor of so many elements for each row. */
static kdl_tensor *new_rows(const recurrent_run *run, int64_t columns)
{
    const kdl_tensor *input = run->operands[0];
    const kdl__recurrence *r = run->r;
    int64_t packed[] = { all_rows(run), columns }, sizes[] = { r->steps, r->batch, columns };
    return kdl__new_values(input->ctx, input->storage->dtype, r->first_rows ? 2 : 3,
                           r->first_rows ? packed : sizes);
}

static kdl_tensor *new_result(const recurrent_run *run)
{
    const kdl__recurrence *r = run->r;
    kdl_context *ctx = run->operands[0]->ctx;
    if (r->cell != KDL__CELL_LSTM)
        return new_rows(run, r->outputs);
    int64_t rows[] = { all_rows(run), r->outputs + r->hidden }, numel; /* no less */
    if (!kdl__shape_numel(ctx, 2, rows, &numel))
        return NULL;
    numel = rows[0] * r->outputs + r->batch * r->hidden;
    return kdl__new_values(ctx, run->operands[0]->storage->dtype, 1, &numel);
}

static kdl_tensor *new_work(const recurrent_run *run)
{
    int64_t parts = run->operands[KDL__RECURRENT_HR] ? 2 : 1;
    return new_rows(run, run->width + parts * run->r->hidden);
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
    for (int64_t i = 0; ready && i < r->steps && !kdl__failed(ctx); i++) {
        piece pieces[2];
        int count = pieces_of(&run, place_of(&run, i), pieces);
        for (int k = 0; k < count; k++)
            forward_piece(&run, &pieces[k]);
    }
    if (ready && r->cell == KDL__CELL_LSTM)
        keep_last_cells(&run);
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

static void back_piece(const recurrent_run *run, const back *d, const piece *p)
{
    const kdl__recurrence *r = run->r;
    int64_t row = p->row * run->width;
    kdl_tensor *hr = run->operands[KDL__RECURRENT_HR];
    kdl_tensor *to = before_piece(p, d->outputs, d->h0, r->outputs);
    if (hr)
        kdl__matmul_into(kdl__matrix_at(d->outputs, p->row * r->outputs, p->count, r->outputs),
                         kdl_tensor_retain(hr), 0, kdl__matrix_at(d->y, 0, p->count, r->hidden));
    void *dy = hr ? at(run, d->y, 0) : at(run, d->outputs, p->row * r->hidden);
    if (!to)
        return;
    if (r->cell == KDL__CELL_LSTM) {
        run->steps->lstm_grad(p->count, r->hidden, at(run, run->work, row), cells_before(run, p),
                              at(run, run->work, second_part(run, p->row)), dy,
                              at(run, d->c, p->sequence * r->hidden), at(run, d->gates, row));
    } else if (r->cell == KDL__CELL_GRU) {
        void *y_before = p->before < 0
                             ? at(run, run->operands[KDL__RECURRENT_H0], p->sequence * r->hidden)
                             : at(run, run->result, p->before * r->hidden);
        run->steps->gru_grad(p->count, r->hidden, at(run, run->work, row), y_before,
                             at(run, run->work, second_part(run, p->row)), dy,
                             at(run, d->gates, row), at(run, d->hidden, row), at(run, to, 0));
    } else {
        run->steps->rnn_grad(p->count * r->hidden, r->cell == KDL__CELL_RELU,
                             at(run, run->result, p->row * r->hidden), dy);
    }
    kdl__matmul_into(kdl__matrix_at(d->hidden, row, p->count, run->width),
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

static back begin_back(const recurrent_run *run, kdl_tensor *grad)
{
    const kdl__recurrence *r = run->r;
    back d = { .outputs = kdl__clone_row_major(grad), .h0 = zeros(run, r->outputs) };
    d.gates = is_rnn(run) ? kdl_tensor_retain(d.outputs) : new_rows(run, run->width);
    d.hidden = r->cell == KDL__CELL_GRU ? new_rows(run, run->width) : kdl_tensor_retain(d.gates);
    if (r->cell == KDL__CELL_LSTM && d.outputs)
        d.c = kdl__matrix_at(d.outputs, all_rows(run) * r->outputs, r->batch, r->hidden);
    if (run->operands[KDL__RECURRENT_HR])
        d.y = zeros(run, r->hidden);
    return d;
}

/* The product of a^T b, which have all rows. */
static kdl_tensor *over_steps(const recurrent_run *run, kdl_tensor *a, int64_t m, kdl_tensor *b,
                              int64_t first, int64_t n)
{
    int64_t rows = all_rows(run), sizes[] = { m, n };
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, 2, sizes);
    kdl_tensor *left = kdl__matrix_at(a, 0, rows, m);
    kdl__matmul_into(turned(left), kdl__matrix_at(b, first, rows, n), 0, kdl_tensor_retain(result));
    kdl_tensor_release(left);
    return result;
}

/* The states before all rows, put together. One reference. */
static kdl_tensor *states_before(const recurrent_run *run)
{
    int64_t width = run->r->outputs;
    kdl_tensor *h0 = run->operands[KDL__RECURRENT_H0], *all = new_rows(run, width);
    size_t size = kdl_dtype_nbytes(h0->storage->dtype);
    for (int64_t t = 0; all && t < run->r->steps; t++) {
        piece pieces[2];
        int count = pieces_of(run, t, pieces);
        for (int k = 0; k < count; k++) {
            const piece *p = &pieces[k];
            const void *from = p->before < 0 ? at(run, h0, p->sequence * width)
                                             : at(run, run->result, p->before * width);
            memcpy(at(run, all, p->row * width), from, (size_t)(p->count * width) * size);
        }
    }
    return all;
}

/*
 * The product of the gates and the states before. Where all steps have as many rows, those of all
 * but one are outputs, one step apart, and need not be put together.
 */
static kdl_tensor *weight_of_state(const recurrent_run *run, const back *d)
{
    const kdl__recurrence *r = run->r;
    if (r->first_rows) {
        kdl_tensor *before = states_before(run);
        kdl_tensor *product =
            before ? over_steps(run, d->hidden, run->width, before, 0, r->outputs) : NULL;
        kdl_tensor_release(before);
        return product;
    }
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
    int64_t rows = all_rows(run);
    kdl_tensor *result = new_rows(run, run->r->inputs);
    if (result)
        kdl__matmul_into(kdl__matrix_at(d->gates, 0, rows, run->width),
                         kdl_tensor_retain(run->operands[KDL__RECURRENT_IH]), 0,
                         kdl__matrix_at(result, 0, rows, run->r->inputs));
    return result;
}

static kdl_tensor *of_bias(const recurrent_run *run, kdl_tensor *gates)
{
    kdl_tensor *rows = kdl__matrix_at(gates, 0, all_rows(run), run->width);
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
    for (int64_t i = r->steps - 1; i >= 0 && !kdl__failed(ctx); i--) {
        piece pieces[2];
        int count = pieces_of(&run, place_of(&run, i), pieces);
        for (int k = 0; k < count; k++)
            back_piece(&run, &d, &pieces[k]);
    }
    for (int place = 0; place < KDL__RECURRENT_COUNT; place++)
        gradients[place] =
            (wanted >> place & 1) && !kdl__failed(ctx) ? gradient_of(&run, &d, place) : NULL;
    kdl_tensor *all[] = { d.outputs, d.gates, d.hidden, d.h0, d.c, d.y };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kdl_tensor_release(all[i]);
    return ctx->status;
}
