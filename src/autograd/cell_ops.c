/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent cells: one step of the layers in recurrent_ops.c. */
#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* PyTorch's name in messages, and the layer that a cell is a step of. */
typedef struct recurrent_cell {
    const char *name;
    kdl_tensor *(*layer)(kdl_tensor *input, kdl_tensor *const *hx, kdl_tensor *const *params,
                         int count, kdl_tensor **states, const kdl_recurrent_options *options);
} recurrent_cell;

/* PyTorch's checks of a state that may be NULL: (N, H), or (H) beside an input (C). */
static bool check_cell_state(const recurrent_cell *cell, kdl_tensor *input, kdl_tensor *state,
                             int64_t hidden)
{
    kdl_context *ctx = input->ctx;
    int64_t batch = input->dims[0];
    if (!state)
        return true;
    if (kdl__check_contexts(input, state, cell->name))
        return false;
    if (state->ndim != input->ndim)
        kdl__fail_at(ctx, cell->name, KDL_ERROR_VALUE,
                     "%sCell: Expected hidden to be %dD, got %dD instead", cell->name, input->ndim,
                     state->ndim);
    else if (input->ndim == 2 && state->dims[0] != batch)
        kdl__fail_at(ctx, cell->name, KDL_ERROR_RUNTIME,
                     "Input batch size %" PRId64 " doesn't match hidden0 batch size %" PRId64,
                     batch, state->dims[0]);
    else if (state->dims[state->ndim - 1] != hidden)
        kdl__fail_at(ctx, cell->name, KDL_ERROR_RUNTIME,
                     "hidden0 has inconsistent hidden_size: got %" PRId64 ", expected %" PRId64,
                     state->dims[state->ndim - 1], hidden);
    return !kdl__failed(ctx);
}

static bool check_cell(const recurrent_cell *cell, kdl_tensor *input, kdl_tensor *const *hx,
                       kdl_tensor *const *params)
{
    kdl_context *ctx = input->ctx;
    int64_t width = input->ndim ? input->dims[input->ndim - 1] : 0;
    if (!kdl__usable(cell->name, 2, params))
        return false;
    if (input->ndim != 1 && input->ndim != 2)
        kdl__fail_at(ctx, cell->name, KDL_ERROR_VALUE,
                     "%sCell: Expected input to be 1D or 2D, got %dD instead", cell->name,
                     input->ndim);
    else if (params[0]->ndim != 2 || params[1]->ndim != 2 || !params[2] != !params[3])
        kdl__fail_at(ctx, cell->name, KDL_ERROR_RUNTIME,
                     "a cell needs weights of 2 dimensions, and two biases or none");
    else if (width != params[0]->dims[1])
        kdl__fail_at(ctx, cell->name, KDL_ERROR_RUNTIME,
                     "input has inconsistent input_size: got %" PRId64 " expected %" PRId64, width,
                     params[0]->dims[1]);
    return !kdl__failed(ctx) && check_cell_state(cell, input, hx[0], params[1]->dims[1]) &&
           check_cell_state(cell, input, hx[1], params[1]->dims[1]);
}

/* A cell is a layer of one step: (1, N, C), or (1, C) without a batch. */
static kdl_tensor *run_cell(const recurrent_cell *cell, kdl_tensor *input, kdl_tensor *const *hx,
                            kdl_tensor *const *params, kdl_tensor **c)
{
    kdl_recurrent_options options = KDL_RECURRENT_DEFAULTS;
    kdl__scope scope = { 0 };
    kdl_tensor *states[2] = { NULL }, *before[2] = { NULL };
    if (kdl__refuses(input) || !check_cell(cell, input, hx, params))
        return NULL;
    options.has_biases = params[2];
    kdl_tensor *x = kdl__hold(&scope, kdl_unsqueeze(input, 0));
    for (int s = 0; s < 2; s++)
        before[s] = hx[s] ? kdl__hold(&scope, kdl_unsqueeze(hx[s], 0)) : NULL;
    kdl_tensor *y = kdl__hold(
        &scope, cell->layer(x, before, params, params[2] ? 4 : 2, c ? states : NULL, &options));
    kdl__hold(&scope, states[0]);
    kdl__hold(&scope, states[1]);
    if (c)
        *c = kdl_select(states[1], 0, 0);
    return kdl__close(&scope, kdl_select(y, 0, 0));
}

kdl_tensor *kdl_lstm_cell(kdl_tensor *input, kdl_tensor *const *hx, kdl_tensor *w_ih,
                          kdl_tensor *w_hh, kdl_tensor *b_ih, kdl_tensor *b_hh, kdl_tensor **c)
{
    kdl_tensor *const params[] = { w_ih, w_hh, b_ih, b_hh }, *const none[2] = { NULL };
    if (c)
        *c = NULL;
    return run_cell(&(recurrent_cell){ "LSTM", kdl_lstm_with }, input, hx ? hx : none, params, c);
}

#define DEFINE_CELL(public, name, layer)                                                           \
    kdl_tensor *public(kdl_tensor * input, kdl_tensor * hx, kdl_tensor * w_ih, kdl_tensor * w_hh,  \
                       kdl_tensor * b_ih, kdl_tensor * b_hh)                                       \
    {                                                                                              \
        kdl_tensor *const params[] = { w_ih, w_hh, b_ih, b_hh }, *const state[2] = { hx };         \
        return run_cell(&(recurrent_cell){ name, layer }, input, state, params, NULL);             \
    }
DEFINE_CELL(kdl_gru_cell, "GRU", kdl_gru_with)
DEFINE_CELL(kdl_rnn_tanh_cell, "RNN", kdl_rnn_tanh_with)
DEFINE_CELL(kdl_rnn_relu_cell, "RNN", kdl_rnn_relu_with)
