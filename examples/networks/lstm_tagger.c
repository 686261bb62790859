/* SPDX-License-Identifier: Apache-2.0 */
/* A tagger: an embedding with padding, two bidirectional LSTM layers, a linear layer. */
#include "networks.h"

kdl_module *lstm_tagger(kdl_context *ctx)
{
    static const kdl_module_class class = { .name = "Tagger" };
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "embedding", kdl_nn_embedding(ctx, 100, 16, .padding_idx = 0));
    kdl_add_module(net, "lstm",
                   kdl_nn_lstm(ctx, 16, 24, .num_layers = 2, .batch_first = true, .dropout = 0.3,
                               .bidirectional = true));
    kdl_add_module(net, "dropout", kdl_nn_dropout(ctx, .p = 0.3));
    kdl_add_module(net, "out", kdl_nn_linear(ctx, 48, 9));
    return net;
}
