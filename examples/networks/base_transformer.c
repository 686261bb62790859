/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn's own transformer: its parameters of more than one dimension are xavier_uniform_. */
#include "networks.h"

kdl_module *transformer(kdl_context *ctx, int64_t d_model, int64_t nhead, int64_t layers,
                        int64_t dim_feedforward)
{
    return kdl_nn_transformer(ctx, .d_model = d_model, .nhead = nhead, .num_encoder_layers = layers,
                              .num_decoder_layers = layers, .dim_feedforward = dim_feedforward);
}
