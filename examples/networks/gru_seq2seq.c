/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encoder and a decoder; the output layer's weight is the embedding's: one parameter, two names.
 */
#include "networks.h"

kdl_module *gru_seq2seq(kdl_context *ctx)
{
    static const kdl_module_class class = { .name = "Seq2Seq" };
    kdl_module *net = kdl_module_new(ctx, &class);
    kdl_add_module(net, "embedding", kdl_nn_embedding(ctx, 60, 20));
    kdl_add_module(net, "encoder", kdl_nn_gru(ctx, 20, 20, .batch_first = true));
    kdl_add_module(net, "decoder", kdl_nn_gru(ctx, 20, 20, .batch_first = true));
    kdl_add_module(net, "out", kdl_nn_linear(ctx, 20, 60, .bias = false));
    kdl_register_parameter(kdl_submodule(net, "out"), "weight",
                           kdl_tensor_retain(kdl_parameter(net, "embedding.weight")));
    return net;
}
