/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What torch.nn's layers for sequences compute, with gradients, in libkindling_train: torch.lstm
 * and its kin, attention. Included by functional.h.
 */
#ifndef KINDLING_FUNCTIONAL_SEQUENCE_H
#define KINDLING_FUNCTIONAL_SEQUENCE_H

#include "kindling/layer.h"
#include "kindling/math.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- recurrent layers -------------------------------------------------------------------- */

/** Options of kdl_lstm(), kdl_gru(), kdl_rnn_tanh(), kdl_rnn_relu(). */
typedef struct kdl_recurrent_options {
    size_t nbytes;           /**< sizeof(kdl_recurrent_options), for the ABI */
    bool has_biases;         /**< default true */
    int64_t num_layers;      /**< default 1 */
    double dropout;          /**< between layers, when `train`; default 0 */
    bool train;              /**< default false */
    bool bidirectional;      /**< default false */
    bool batch_first;        /**< default false: (T, N, C); true: (N, T, C) */
    kdl_tensor *batch_sizes; /**< of packed sequences (borrowed); default NULL */
} kdl_recurrent_options;

#define KDL_RECURRENT_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_recurrent_options), true, 1, 0.0, false, false, false, NULL                     \
    }

/**
 * torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu(input, hx, params, ...): the outputs of the
 * last layer at all of T steps, (T, N, D * P) with D directions, N sequences and P = hidden_size,
 * or what an LSTM's projection gives.
 *
 * - input: (T, N, C), or (T, C) without a batch; T is at least 1.
 * - hx: the first states, {h_0 (layers * D, N, P)}, for an LSTM {h_0, c_0 (layers * D, N, H)};
 *   NULL, or {NULL}: zeros. Without a batch they have no N.
 * - params: by layer, then by direction: weight_ih, weight_hh, with biases bias_ih, bias_hh, and an
 *   LSTM's weight_hr if it has a projection; `count` of them in all.
 * - states: NULL, or room for as many as hx has: references to the last states, h_n and c_n.
 *
 * Dropout draws as PyTorch does. All are of one dtype (ValueError). RuntimeError with nn.RNNBase's
 * text where sizes do not fit.
 *
 * With batch_sizes the input is the data (rows, C) of packed sequences (functional_packed.h), as
 * are the outputs; states are of the sequences in their order there. kdl_call_packed() sees to the
 * rest.
 */
#define kdl_lstm(input, hx, params, count, states, ...)                                            \
    KDL__RECURRENT(kdl_lstm_with, input, hx, params, count, states, __VA_ARGS__)
#define kdl_gru(input, hx, params, count, states, ...)                                             \
    KDL__RECURRENT(kdl_gru_with, input, hx, params, count, states, __VA_ARGS__)
#define kdl_rnn_tanh(input, hx, params, count, states, ...)                                        \
    KDL__RECURRENT(kdl_rnn_tanh_with, input, hx, params, count, states, __VA_ARGS__)
#define kdl_rnn_relu(input, hx, params, count, states, ...)                                        \
    KDL__RECURRENT(kdl_rnn_relu_with, input, hx, params, count, states, __VA_ARGS__)
#define KDL__RECURRENT(function, input, hx, params, count, states, ...)                            \
    KDL__WITH(kdl_recurrent_options, KDL_RECURRENT_DEFAULTS, (__VA_ARGS__), function, input, hx,   \
              params, count, states)
KDL_API kdl_tensor *kdl_lstm_with(kdl_tensor *input, kdl_tensor *const *hx,
                                  kdl_tensor *const *params, int count, kdl_tensor **states,
                                  const kdl_recurrent_options *options);
KDL_API kdl_tensor *kdl_gru_with(kdl_tensor *input, kdl_tensor *const *hx,
                                 kdl_tensor *const *params, int count, kdl_tensor **states,
                                 const kdl_recurrent_options *options);
KDL_API kdl_tensor *kdl_rnn_tanh_with(kdl_tensor *input, kdl_tensor *const *hx,
                                      kdl_tensor *const *params, int count, kdl_tensor **states,
                                      const kdl_recurrent_options *options);
KDL_API kdl_tensor *kdl_rnn_relu_with(kdl_tensor *input, kdl_tensor *const *hx,
                                      kdl_tensor *const *params, int count, kdl_tensor **states,
                                      const kdl_recurrent_options *options);

/**
 * torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell(input, hx, w_ih, w_hh,
 * b_ih, b_hh): one step of input (N, C) or (C), which gives the next h (N, H) or (H). hx is the
 * state before (for an LSTM h and c), NULL or of NULL: zeros; biases may be NULL. *c (may be NULL)
 * gets a reference to an LSTM's next c. RuntimeError where sizes do not fit.
 */
KDL_API kdl_tensor *kdl_lstm_cell(kdl_tensor *input, kdl_tensor *const *hx, kdl_tensor *w_ih,
                                  kdl_tensor *w_hh, kdl_tensor *b_ih, kdl_tensor *b_hh,
                                  kdl_tensor **c);
KDL_API kdl_tensor *kdl_gru_cell(kdl_tensor *input, kdl_tensor *hx, kdl_tensor *w_ih,
                                 kdl_tensor *w_hh, kdl_tensor *b_ih, kdl_tensor *b_hh);
KDL_API kdl_tensor *kdl_rnn_tanh_cell(kdl_tensor *input, kdl_tensor *hx, kdl_tensor *w_ih,
                                      kdl_tensor *w_hh, kdl_tensor *b_ih, kdl_tensor *b_hh);
KDL_API kdl_tensor *kdl_rnn_relu_cell(kdl_tensor *input, kdl_tensor *hx, kdl_tensor *w_ih,
                                      kdl_tensor *w_hh, kdl_tensor *b_ih, kdl_tensor *b_hh);

/* ---- attention --------------------------------------------------------------------------- */

/** Options of kdl_f_scaled_dot_product_attention(). */
typedef struct kdl_f_attention_options {
    size_t nbytes;         /**< sizeof(kdl_f_attention_options), for the ABI */
    kdl_tensor *attn_mask; /**< default NULL (borrowed); bool: true takes part; else it is added */
    double dropout_p;      /**< of the weights, whatever mode modules are in; default 0 */
    bool is_causal;        /**< query l sees keys 0 to l; default false */
    double scale;          /**< default KDL_NONE_FLOAT: 1 / sqrt(E) */
    bool enable_gqa;       /**< several heads of query share one of key and value; default false */
} kdl_f_attention_options;

#define KDL_F_ATTENTION_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_f_attention_options), NULL, 0.0, false, KDL_NONE_FLOAT, false                   \
    }

/**
 * F.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False,
 * scale=None, enable_gqa=False): query (..., L, E), key (..., S, E), value (..., S, V), whose
 * batches are broadcast, give (..., L, V): softmax(scale query key^T + mask) value. The mask is
 * broadcast to (..., L, S). A query that may see nothing gives 0. Dropout draws as PyTorch does on
 * a CPU. RuntimeError where sizes and dtypes do not fit.
 */
#define kdl_f_scaled_dot_product_attention(query, key, value, ...)                                 \
    KDL__WITH(kdl_f_attention_options, KDL_F_ATTENTION_DEFAULTS, (__VA_ARGS__),                    \
              kdl_f_scaled_dot_product_attention_with, query, key, value)
KDL_API kdl_tensor *kdl_f_scaled_dot_product_attention_with(kdl_tensor *query, kdl_tensor *key,
                                                            kdl_tensor *value,
                                                            const kdl_f_attention_options *options);

/**
 * nn.Transformer.generate_square_subsequent_mask(size, dtype): (size, size), -inf above the
 * diagonal and 0 elsewhere. PyTorch's default dtype is KDL_F32.
 */
KDL_API kdl_tensor *kdl_generate_square_subsequent_mask(kdl_context *ctx, int64_t size,
                                                        kdl_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif
