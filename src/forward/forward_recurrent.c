/* SPDX-License-Identifier: Apache-2.0 */
/* forward() of RNN, LSTM, GRU and their cells. */
#include <stdio.h>
#include <string.h>

#include "autograd/function.h"
#include "forward/forwards.h"
#include "kindling/functional.h"

/* ---- layers ------------------------------------------------------------------------------ */

/* The parameters of all layers and directions in PyTorch's order; from kdl__alloc. */
static kdl_tensor **flat_weights(const kdl_module *module, int *count)
{
    enum { ROLES = 5 };
    static const char *const roles[ROLES] = { "weight_ih", "weight_hh", "bias_ih", "bias_hh",
                                              "weight_hr" };
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    int64_t directions = rnn->num_layers * (rnn->bidirectional ? 2 : 1);
    kdl_tensor **params = kdl__alloc(module->ctx, (size_t)directions, ROLES * sizeof *params);
    *count = 0;
    for (int64_t i = 0; params && i < directions; i++) {
        for (int role = 0; role < ROLES; role++) {
            char name[48];
            bool reverse = rnn->bidirectional && i % 2;
            snprintf(name, sizeof name, "%s_l%lld%s", roles[role],
                     (long long)(rnn->bidirectional ? i / 2 : i), reverse ? "_reverse" : "");
            kdl_tensor *param = kdl_parameter(module, name);
            if (param)
                params[(*count)++] = param;
        }
    }
    return params;
}

typedef kdl_tensor *recurrent_function(kdl_tensor *input, kdl_tensor *const *hx,
                                       kdl_tensor *const *params, int count, kdl_tensor **states,
                                       const kdl_recurrent_options *options);

static recurrent_function *function_of(const char *mode)
{
    if (strcmp(mode, "LSTM") == 0)
        return kdl_lstm_with;
    if (strcmp(mode, "GRU") == 0)
        return kdl_gru_with;
    return strcmp(mode, "RNN_RELU") == 0 ? kdl_rnn_relu_with : kdl_rnn_tanh_with;
}

/* What inputs are, by their places: c_0 is an LSTM's, what follows is of packed sequences. */
enum { INPUT, H_0, C_0, BATCH_SIZES, SORTED_INDICES, UNSORTED_INDICES, INPUTS };

/* A state with its sequences (dimension 1) in another order, or as it is. One reference. */
static kdl_tensor *reordered(kdl_tensor *state, kdl_tensor *order)
{
    return state && order ? kdl_index_select(state, 1, order) : kdl_tensor_retain(state);
}

static kdl_status recurrent_layers(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                   kdl_tensor **outputs, int output_count)
{
    const kdl_rnn_options *rnn = kdl_module_fields(module);
    kdl_tensor *given[INPUTS] = { NULL }, *hx[2] = { NULL };
    memcpy(given, inputs, (size_t)input_count * sizeof *given);
    bool has_cells = strcmp(rnn->mode, "LSTM") == 0;
    if (given[C_0] && !has_cells)
        return kdl__fail_at(module->ctx, rnn->mode, KDL_ERROR_TYPE, "only an LSTM takes a c_0");
    kdl_recurrent_options options = KDL_RECURRENT_DEFAULTS;
    kdl_tensor *states[2] = { NULL };
    int count;
    options.has_biases = rnn->bias;
    options.num_layers = rnn->num_layers;
    options.dropout = rnn->dropout;
    options.train = kdl_module_training(module);
    options.bidirectional = rnn->bidirectional;
    options.batch_first = rnn->batch_first;
    options.batch_sizes = given[BATCH_SIZES];
    kdl_tensor **params = flat_weights(module, &count);
    for (int s = 0; s < 2; s++)
        hx[s] = reordered(given[H_0 + s], given[SORTED_INDICES]);
    if (params)
        outputs[0] = function_of(rnn->mode)(inputs[0], hx, params, count,
                                            output_count > 1 ? states : NULL, &options);
    for (int s = 0; s < 2; s++) {
        if (s + 1 < output_count)
            outputs[s + 1] = reordered(states[s], given[UNSORTED_INDICES]);
        kdl_tensor_release(states[s]);
        kdl_tensor_release(hx[s]);
    }
    kdl_free(module->ctx, params);
    return module->ctx->status;
}

kdl_status kdl_call_packed(kdl_module *module, const kdl_packed_sequence *packed,
                           kdl_tensor *const *hx, kdl_packed_sequence *output, kdl_tensor **states)
{
    kdl_tensor *outputs[3] = { NULL }, *inputs[INPUTS] = { packed->data };
    *output = (kdl_packed_sequence){ 0 };
    for (int s = 0; states && s < 2; s++)
        states[s] = NULL;
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    bool has_cells = kdl_isinstance(module, KDL_CLASS_LSTM);
    if (!kdl_isinstance(module, KDL_CLASS_RNN_BASE) || !packed->data || !packed->batch_sizes)
        return kdl__fail_at(module->ctx, __func__, KDL_ERROR_TYPE,
                            "an RNN, LSTM or GRU and a packed sequence are needed");
    inputs[H_0] = hx ? hx[0] : NULL;
    inputs[C_0] = hx && has_cells ? hx[1] : NULL;
    inputs[BATCH_SIZES] = packed->batch_sizes;
    inputs[SORTED_INDICES] = packed->sorted_indices;
    inputs[UNSORTED_INDICES] = packed->unsorted_indices;
    if (kdl_call_with(module, inputs, INPUTS, outputs, states ? 2 + has_cells : 1))
        return module->ctx->status;
    output->data = outputs[0];
    output->batch_sizes = kdl_tensor_retain(packed->batch_sizes);
    output->sorted_indices = kdl_tensor_retain(packed->sorted_indices);
    output->unsorted_indices = kdl_tensor_retain(packed->unsorted_indices);
    for (int s = 0; states && s < 1 + has_cells; s++)
        states[s] = outputs[1 + s];
    return KDL_OK;
}

/* ---- cells ------------------------------------------------------------------------------- */

/* A cell's parameters: weight_ih, weight_hh, bias_ih, bias_hh. */
#define PARAMETERS(module)                                                                         \
    kdl_parameter(module, "weight_ih"), kdl_parameter(module, "weight_hh"),                        \
        kdl_parameter(module, "bias_ih"), kdl_parameter(module, "bias_hh")

/* {input, h, c} to {h, c}. */
static kdl_status lstm_cell(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                            kdl_tensor **outputs, int output_count)
{
    (void)input_count;
    outputs[0] = kdl_lstm_cell(inputs[0], inputs + 1, PARAMETERS(module),
                               output_count > 1 ? &outputs[1] : NULL);
    return module->ctx->status;
}

/* {input, h} to {h}. */
static kdl_status gru_cell(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                           kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    outputs[0] = kdl_gru_cell(inputs[0], inputs[1], PARAMETERS(module));
    return module->ctx->status;
}

static kdl_status rnn_cell(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                           kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    const kdl_rnn_cell_options *cell = kdl_module_fields(module);
    if (strcmp(cell->nonlinearity, "tanh") == 0)
        outputs[0] = kdl_rnn_tanh_cell(inputs[0], inputs[1], PARAMETERS(module));
    else if (strcmp(cell->nonlinearity, "relu") == 0)
        outputs[0] = kdl_rnn_relu_cell(inputs[0], inputs[1], PARAMETERS(module));
    else
        kdl__fail_at(module->ctx, "kdl_forward", KDL_ERROR_RUNTIME, "Unknown nonlinearity: %s",
                     cell->nonlinearity);
    return module->ctx->status;
}

const kdl__forward_entry kdl__recurrent_forwards[] = {
    KDL__SEVERAL(KDL_CLASS_RNN, recurrent_layers, 1, INPUTS, 2),
    KDL__SEVERAL(KDL_CLASS_GRU, recurrent_layers, 1, INPUTS, 2),
    KDL__SEVERAL(KDL_CLASS_LSTM, recurrent_layers, 1, INPUTS, 3),
    KDL__SEVERAL(KDL_CLASS_RNN_CELL, rnn_cell, 1, 2, 1),
    KDL__SEVERAL(KDL_CLASS_GRU_CELL, gru_cell, 1, 2, 1),
    KDL__SEVERAL(KDL_CLASS_LSTM_CELL, lstm_cell, 1, 3, 2),
    KDL__END_OF_FORWARDS,
};
