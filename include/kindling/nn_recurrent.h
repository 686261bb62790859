/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's recurrent layers and their cells (torch/nn/modules/rnn.py). Every parameter, biases
 * too, is U(-k, k) with k = 1/sqrt(hidden_size), drawn in the order of state_dict(). Gates lie one
 * below the other in a weight's rows: 1 of them in an RNN, 3 in a GRU, 4 in an LSTM.
 */
#ifndef KINDLING_NN_RECURRENT_H
#define KINDLING_NN_RECURRENT_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_CLASS_RNN_BASE (&kdl_class_rnn_base)
#define KDL_CLASS_RNN (&kdl_class_rnn)
#define KDL_CLASS_LSTM (&kdl_class_lstm)
#define KDL_CLASS_GRU (&kdl_class_gru)
#define KDL_CLASS_RNN_CELL_BASE (&kdl_class_rnn_cell_base)
#define KDL_CLASS_RNN_CELL (&kdl_class_rnn_cell)
#define KDL_CLASS_LSTM_CELL (&kdl_class_lstm_cell)
#define KDL_CLASS_GRU_CELL (&kdl_class_gru_cell)
KDL_API extern const kdl_module_class kdl_class_rnn_base, kdl_class_rnn, kdl_class_lstm,
    kdl_class_gru, kdl_class_rnn_cell_base, kdl_class_rnn_cell, kdl_class_lstm_cell,
    kdl_class_gru_cell;

/* ---- layers ------------------------------------------------------------------------------ */

/** Arguments of nn.RNN, LSTM, GRU and RNNBase. */
typedef struct kdl_rnn_options {
    size_t nbytes;                   /**< sizeof(kdl_rnn_options), for the ABI */
    int64_t input_size, hidden_size; /**< required */
    int64_t num_layers;              /**< default 1 */
    bool bias;                       /**< default true */
    bool batch_first;                /**< default false */
    double dropout;                  /**< default 0 */
    bool bidirectional;              /**< default false */
    int64_t proj_size;        /**< LSTM, RNNBase: default 0, no projection; others refuse it */
    kdl_dtype dtype;          /**< default KDL_F32 */
    const char *nonlinearity; /**< RNN: "tanh" (the default) or "relu" */
    const char *mode;         /**< RNNBase: "LSTM", "GRU", "RNN_TANH", "RNN_RELU"; else set */
} kdl_rnn_options;

#define KDL__RNN_DEFAULTS(proj_size, mode)                                                         \
    {                                                                                              \
        sizeof(kdl_rnn_options), 0, 0, 1, true, false, 0.0, false, proj_size, KDL_F32, "tanh",     \
            mode                                                                                   \
    }
/** For RNN and GRU, which have no proj_size. */
#define KDL_RNN_DEFAULTS KDL__RNN_DEFAULTS(KDL_NONE_INT, "RNN_TANH")
#define KDL_GRU_DEFAULTS KDL__RNN_DEFAULTS(KDL_NONE_INT, "GRU")
/** For LSTM and RNNBase. */
#define KDL_LSTM_DEFAULTS KDL__RNN_DEFAULTS(0, "LSTM")

/**
 * nn.RNN, nn.LSTM, nn.GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
 * dropout=0.0, bidirectional=False, ...). Layer k, and its reverse direction with the suffix
 * "_reverse", has
 *
 * - weight_ih_l{k} [gates * hidden_size, the layer's inputs]: input_size in layer 0, else what a
 *   layer gives in all its directions;
 * - weight_hh_l{k} [gates * hidden_size, hidden_size, or proj_size where that is given];
 * - bias_ih_l{k}, bias_hh_l{k} [gates * hidden_size], unless bias is false;
 * - weight_hr_l{k} [proj_size, hidden_size], where proj_size is given.
 *
 * ValueError with PyTorch's text for sizes that are not positive, a proj_size that is not below
 * hidden_size or not of an LSTM, an unknown nonlinearity, a dropout outside of [0, 1]. A warning
 * for dropout with one layer.
 *
 * They compute {input, h_0} to {output, h_n}, an LSTM {input, h_0, c_0} to {output, h_n, c_n};
 * states may be left out. Sizes and errors: functional_sequence.h.
 */
#define kdl_nn_rnn(ctx, input_size_, hidden_size_, ...)                                            \
    KDL__NN(kdl_rnn_options, KDL_RNN_DEFAULTS, KDL_CLASS_RNN, ctx, .input_size = input_size_,      \
            .hidden_size = hidden_size_, __VA_ARGS__)
#define kdl_nn_lstm(ctx, input_size_, hidden_size_, ...)                                           \
    KDL__NN(kdl_rnn_options, KDL_LSTM_DEFAULTS, KDL_CLASS_LSTM, ctx, .input_size = input_size_,    \
            .hidden_size = hidden_size_, __VA_ARGS__)
#define kdl_nn_gru(ctx, input_size_, hidden_size_, ...)                                            \
    KDL__NN(kdl_rnn_options, KDL_GRU_DEFAULTS, KDL_CLASS_GRU, ctx, .input_size = input_size_,      \
            .hidden_size = hidden_size_, __VA_ARGS__)

/** nn.RNNBase(mode, input_size, hidden_size, ...): what the three are made of. */
#define kdl_nn_rnn_base(ctx, mode_, input_size_, hidden_size_, ...)                                \
    KDL__NN(kdl_rnn_options, KDL_LSTM_DEFAULTS, KDL_CLASS_RNN_BASE, ctx, .mode = mode_,            \
            .input_size = input_size_, .hidden_size = hidden_size_, __VA_ARGS__)

/* ---- cells ------------------------------------------------------------------------------- */

/** Arguments of nn.RNNCell, LSTMCell, GRUCell and RNNCellBase. */
typedef struct kdl_rnn_cell_options {
    size_t nbytes;                   /**< sizeof(kdl_rnn_cell_options), for the ABI */
    int64_t input_size, hidden_size; /**< required */
    bool bias;                       /**< default true */
    kdl_dtype dtype;                 /**< default KDL_F32 */
    const char *nonlinearity;        /**< RNNCell: default "tanh"; forward() checks it */
    int64_t num_chunks;              /**< RNNCellBase: how many gates; else set */
} kdl_rnn_cell_options;

#define KDL__RNN_CELL_DEFAULTS(num_chunks)                                                         \
    {                                                                                              \
        sizeof(kdl_rnn_cell_options), 0, 0, true, KDL_F32, "tanh", num_chunks                      \
    }
#define KDL_RNN_CELL_DEFAULTS KDL__RNN_CELL_DEFAULTS(1)
#define KDL_LSTM_CELL_DEFAULTS KDL__RNN_CELL_DEFAULTS(4)
#define KDL_GRU_CELL_DEFAULTS KDL__RNN_CELL_DEFAULTS(3)

/**
 * nn.RNNCell, nn.LSTMCell, nn.GRUCell(input_size, hidden_size, bias=True, ...): weight_ih
 * [gates * hidden_size, input_size], weight_hh [gates * hidden_size, hidden_size] and, unless bias
 * is false, bias_ih and bias_hh [gates * hidden_size]. They compute {input, h} to {h}, an LSTMCell
 * {input, h, c} to {h, c}; states may be left out.
 */
#define kdl_nn_rnn_cell(ctx, input_size_, hidden_size_, ...)                                       \
    KDL__NN(kdl_rnn_cell_options, KDL_RNN_CELL_DEFAULTS, KDL_CLASS_RNN_CELL, ctx,                  \
            .input_size = input_size_, .hidden_size = hidden_size_, __VA_ARGS__)
#define kdl_nn_lstm_cell(ctx, input_size_, hidden_size_, ...)                                      \
    KDL__NN(kdl_rnn_cell_options, KDL_LSTM_CELL_DEFAULTS, KDL_CLASS_LSTM_CELL, ctx,                \
            .input_size = input_size_, .hidden_size = hidden_size_, __VA_ARGS__)
#define kdl_nn_gru_cell(ctx, input_size_, hidden_size_, ...)                                       \
    KDL__NN(kdl_rnn_cell_options, KDL_GRU_CELL_DEFAULTS, KDL_CLASS_GRU_CELL, ctx,                  \
            .input_size = input_size_, .hidden_size = hidden_size_, __VA_ARGS__)

/** nn.RNNCellBase(input_size, hidden_size, bias, num_chunks): what the three are made of. */
#define kdl_nn_rnn_cell_base(ctx, input_size_, hidden_size_, bias_, num_chunks_, ...)              \
    KDL__NN(kdl_rnn_cell_options, KDL_RNN_CELL_DEFAULTS, KDL_CLASS_RNN_CELL_BASE, ctx,             \
            .input_size = input_size_, .hidden_size = hidden_size_, .bias = bias_,                 \
            .num_chunks = num_chunks_, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
