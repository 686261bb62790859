/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, LSTM, GRU and their cells (torch/nn/modules/rnn.py). */
#include <math.h>
#include <string.h>

#include "kindling/init.h"
#include "nn/arguments.h"

/* reset_parameters() of them all: every parameter U(-k, k) with k = 1/sqrt(hidden_size). */
static kdl_status reset_by_hidden_size(kdl_module *module, int64_t hidden_size)
{
    double stdv = hidden_size > 0 ? 1 / sqrt((double)hidden_size) : 0;
    for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);)
        kdl_init_uniform_(it.tensor, .a = -stdv, .b = stdv);
    return module->ctx->status;
}

/* ---- layers ------------------------------------------------------------------------------ */

static kdl_status reset_rnn(kdl_module *module)
{
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    return reset_by_hidden_size(module, rnn->hidden_size);
}

/* RNNBase's checks of its numbers, in its order. */
static bool check_rnn(kdl_module *module)
{
    kdl_rnn_options *rnn = kdl_module_fields(module);
    double dropout = kdl_number(rnn->dropout);
    const char *fault = NULL;
    if (!(dropout >= 0 && dropout <= 1)) {
        fault = "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed";
    } else {
        if (dropout > 0 && rnn->num_layers == 1)
            kdl__warn_in(module, "dropout option adds dropout after all but last recurrent layer, "
                                 "so non-zero dropout expects num_layers greater than 1, but got "
                                 "dropout={dropout} and num_layers={num_layers}");
        if (rnn->input_size <= 0)
            fault = "input_size must be greater than zero";
        else if (rnn->hidden_size <= 0)
            fault = "hidden_size must be greater than zero";
        else if (rnn->num_layers <= 0)
            fault = "num_layers must be greater than zero";
        else if (rnn->proj_size < 0)
            fault = "proj_size should be a positive integer or zero to disable projections";
        else if (rnn->proj_size >= rnn->hidden_size)
            fault = "proj_size has to be smaller than hidden_size";
    }
    if (fault)
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE, "%s", fault);
    rnn->dropout = dropout;
    return !fault;
}

/* How many gates the rows of a weight are; 0 for a mode that is none. */
static int64_t count_gates(const char *mode)
{
    if (strcmp(mode, "LSTM") == 0)
        return 4;
    if (strcmp(mode, "GRU") == 0)
        return 3;
    return strcmp(mode, "RNN_TANH") == 0 || strcmp(mode, "RNN_RELU") == 0;
}

/* Registers "weight_ih_l0_reverse" and the like. */
static void add_weight(kdl_module *module, const char *role, int64_t layer, bool reverse,
                       kdl_shape shape)
{
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    char name[48];
    snprintf(name, sizeof name, "%s_l%lld%s", role, (long long)layer, reverse ? "_reverse" : "");
    kdl__add_empty_parameter(module, name, shape, rnn->dtype, true);
}

static void add_layer(kdl_module *module, int64_t layer, bool reverse, int64_t rows)
{
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    int64_t outputs = rnn->proj_size > 0 ? rnn->proj_size : rnn->hidden_size;
    int64_t inputs = rnn->input_size;
    if (layer > 0 && !kdl__size_product(module, outputs, rnn->bidirectional ? 2 : 1, &inputs))
        return;
    add_weight(module, "weight_ih", layer, reverse, KDL_SHAPE(rows, inputs));
    add_weight(module, "weight_hh", layer, reverse, KDL_SHAPE(rows, outputs));
    if (rnn->bias) {
        add_weight(module, "bias_ih", layer, reverse, KDL_SHAPE(rows));
        add_weight(module, "bias_hh", layer, reverse, KDL_SHAPE(rows));
    }
    if (rnn->proj_size > 0)
        add_weight(module, "weight_hr", layer, reverse,
                   KDL_SHAPE(rnn->proj_size, rnn->hidden_size));
}

static void build_rnn_base(kdl_module *module)
{
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    int64_t gates, rows;
    if (!check_rnn(module))
        return;
    gates = count_gates(rnn->mode);
    if (gates == 0)
        kdl__fail_in(module, KDL_ERROR_VALUE, "Unrecognized RNN mode: {mode}");
    if (gates == 0 || !kdl__size_product(module, gates, rnn->hidden_size, &rows))
        return;
    for (int64_t layer = 0; layer < rnn->num_layers && !kdl__failed(module->ctx); layer++) {
        add_layer(module, layer, false, rows);
        if (rnn->bidirectional)
            add_layer(module, layer, true, rows);
    }
    kdl_reset_parameters(module);
}

static void build_with_mode(kdl_module *module, const char *mode)
{
    ((kdl_rnn_options *)kdl_module_fields(module))->mode = mode;
    build_rnn_base(module);
}

static void build_lstm(kdl_module *module)
{
    build_with_mode(module, "LSTM");
}

/* RNN and GRU refuse a proj_size, and then have none. */
static bool take_no_proj_size(kdl_module *module)
{
    kdl_rnn_options *rnn = kdl_module_fields(module);
    if (rnn->proj_size != KDL_NONE_INT) {
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "proj_size argument is only supported for LSTM, not RNN or GRU");
        return false;
    }
    rnn->proj_size = 0;
    return true;
}

static void build_gru(kdl_module *module)
{
    if (take_no_proj_size(module))
        build_with_mode(module, "GRU");
}

static void build_rnn(kdl_module *module)
{
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    if (!take_no_proj_size(module))
        return;
    if (strcmp(rnn->nonlinearity, "tanh") == 0)
        build_with_mode(module, "RNN_TANH");
    else if (strcmp(rnn->nonlinearity, "relu") == 0)
        build_with_mode(module, "RNN_RELU");
    else
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.");
}

#define SIZES                                                                                      \
    KDL__ARGUMENT(kdl_rnn_options, input_size), KDL__ARGUMENT(kdl_rnn_options, hidden_size),       \
        KDL__ARGUMENT(kdl_rnn_options, num_layers)
#define SWITCHES                                                                                   \
    KDL__ARGUMENT(kdl_rnn_options, bias), KDL__ARGUMENT(kdl_rnn_options, batch_first),             \
        KDL__ARGUMENT(kdl_rnn_options, dropout), KDL__ARGUMENT(kdl_rnn_options, bidirectional),    \
        KDL__ARGUMENT(kdl_rnn_options, proj_size), KDL__FACTORY(kdl_rnn_options)
#define REPR_SWITCHES                                                                              \
    "[, num_layers={num_layers}][, bias={bias}][, batch_first={batch_first}]"                      \
    "[, dropout={dropout}][, bidirectional={bidirectional}]"
#define REPR "{input_size}, {hidden_size}" REPR_SWITCHES
#define REPR_PROJECTED "{input_size}, {hidden_size}[, proj_size={proj_size}]" REPR_SWITCHES

KDL__TABLE(rnn_base, kdl_rnn_options, KDL_LSTM_DEFAULTS, 3,
           (.repr = REPR_PROJECTED, .build = build_rnn_base), KDL__ARGUMENT(kdl_rnn_options, mode),
           SIZES, SWITCHES)
KDL__TABLE(rnn, kdl_rnn_options, KDL_RNN_DEFAULTS, 2, (.repr = REPR, .build = build_rnn), SIZES,
           KDL__ARGUMENT(kdl_rnn_options, nonlinearity), SWITCHES)
KDL__TABLE(lstm, kdl_rnn_options, KDL_LSTM_DEFAULTS, 2,
           (.repr = REPR_PROJECTED, .build = build_lstm), SIZES, SWITCHES)
KDL__TABLE(gru, kdl_rnn_options, KDL_GRU_DEFAULTS, 2, (.repr = REPR, .build = build_gru), SIZES,
           SWITCHES)
KDL__LAYER(rnn_base, "RNNBase", NULL, kdl_rnn_options, rnn_base_arguments,
           .reset_parameters = reset_rnn)
KDL__LAYER(rnn, "RNN", KDL_CLASS_RNN_BASE, kdl_rnn_options, rnn_arguments)
KDL__LAYER(lstm, "LSTM", KDL_CLASS_RNN_BASE, kdl_rnn_options, lstm_arguments)
KDL__LAYER(gru, "GRU", KDL_CLASS_RNN_BASE, kdl_rnn_options, gru_arguments)

/* ---- cells ------------------------------------------------------------------------------- */

static kdl_status reset_rnn_cell(kdl_module *module)
{
    const kdl_rnn_cell_options *cell = kdl_module_fields(module);
    return reset_by_hidden_size(module, cell->hidden_size);
}

static void build_rnn_cell_base(kdl_module *module)
{
    const kdl_rnn_cell_options *cell = kdl_module_fields(module);
    int64_t rows;
    if (!kdl__size_product(module, cell->num_chunks, cell->hidden_size, &rows))
        return;
    kdl__add_empty_parameter(module, "weight_ih", KDL_SHAPE(rows, cell->input_size), cell->dtype,
                             true);
    kdl__add_empty_parameter(module, "weight_hh", KDL_SHAPE(rows, cell->hidden_size), cell->dtype,
                             true);
    kdl__add_empty_parameter(module, "bias_ih", KDL_SHAPE(rows), cell->dtype, cell->bias);
    kdl__add_empty_parameter(module, "bias_hh", KDL_SHAPE(rows), cell->dtype, cell->bias);
    kdl_reset_parameters(module);
}

static void build_with_chunks(kdl_module *module, int64_t num_chunks)
{
    ((kdl_rnn_cell_options *)kdl_module_fields(module))->num_chunks = num_chunks;
    build_rnn_cell_base(module);
}

static void build_rnn_cell(kdl_module *module)
{
    build_with_chunks(module, 1);
}

static void build_lstm_cell(kdl_module *module)
{
    build_with_chunks(module, 4);
}

static void build_gru_cell(kdl_module *module)
{
    build_with_chunks(module, 3);
}

#define CELL_SIZES                                                                                 \
    KDL__ARGUMENT(kdl_rnn_cell_options, input_size),                                               \
        KDL__ARGUMENT(kdl_rnn_cell_options, hidden_size),                                          \
        KDL__ARGUMENT(kdl_rnn_cell_options, bias)
#define CELL_REPR "{input_size}, {hidden_size}[, bias={bias}]"

KDL__TABLE(rnn_cell_base, kdl_rnn_cell_options, KDL_RNN_CELL_DEFAULTS, 4,
           (.repr = CELL_REPR, .build = build_rnn_cell_base), CELL_SIZES,
           KDL__ARGUMENT(kdl_rnn_cell_options, num_chunks), KDL__FACTORY(kdl_rnn_cell_options))
KDL__TABLE(rnn_cell, kdl_rnn_cell_options, KDL_RNN_CELL_DEFAULTS, 2,
           (.repr = CELL_REPR "[, nonlinearity={nonlinearity}]", .build = build_rnn_cell),
           CELL_SIZES, KDL__ARGUMENT(kdl_rnn_cell_options, nonlinearity),
           KDL__FACTORY(kdl_rnn_cell_options))
KDL__TABLE(lstm_cell, kdl_rnn_cell_options, KDL_LSTM_CELL_DEFAULTS, 2,
           (.repr = CELL_REPR, .build = build_lstm_cell), CELL_SIZES,
           KDL__FACTORY(kdl_rnn_cell_options))
KDL__TABLE(gru_cell, kdl_rnn_cell_options, KDL_GRU_CELL_DEFAULTS, 2,
           (.repr = CELL_REPR, .build = build_gru_cell), CELL_SIZES,
           KDL__FACTORY(kdl_rnn_cell_options))
KDL__LAYER(rnn_cell_base, "RNNCellBase", NULL, kdl_rnn_cell_options, rnn_cell_base_arguments,
           .reset_parameters = reset_rnn_cell)
KDL__LAYER(rnn_cell, "RNNCell", KDL_CLASS_RNN_CELL_BASE, kdl_rnn_cell_options, rnn_cell_arguments)
KDL__LAYER(lstm_cell, "LSTMCell", KDL_CLASS_RNN_CELL_BASE, kdl_rnn_cell_options,
           lstm_cell_arguments)
KDL__LAYER(gru_cell, "GRUCell", KDL_CLASS_RNN_CELL_BASE, kdl_rnn_cell_options, gru_cell_arguments)
