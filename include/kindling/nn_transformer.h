/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's attention and transformers (torch/nn/modules/activation.py and transformer.py). The
 * layers of a stack are deep copies of one: they begin equal, and only that one draws.
 */
#ifndef KINDLING_NN_TRANSFORMER_H
#define KINDLING_NN_TRANSFORMER_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_CLASS_NON_DYNAMICALLY_QUANTIZABLE_LINEAR (&kdl_class_non_dynamically_quantizable_linear)
#define KDL_CLASS_MULTIHEAD_ATTENTION (&kdl_class_multihead_attention)
#define KDL_CLASS_TRANSFORMER_ENCODER_LAYER (&kdl_class_transformer_encoder_layer)
#define KDL_CLASS_TRANSFORMER_DECODER_LAYER (&kdl_class_transformer_decoder_layer)
#define KDL_CLASS_TRANSFORMER_ENCODER (&kdl_class_transformer_encoder)
#define KDL_CLASS_TRANSFORMER_DECODER (&kdl_class_transformer_decoder)
#define KDL_CLASS_TRANSFORMER (&kdl_class_transformer)
KDL_API extern const kdl_module_class kdl_class_non_dynamically_quantizable_linear,
    kdl_class_multihead_attention, kdl_class_transformer_encoder_layer,
    kdl_class_transformer_decoder_layer, kdl_class_transformer_encoder,
    kdl_class_transformer_decoder, kdl_class_transformer;

/* ---- attention --------------------------------------------------------------------------- */

/** Arguments of nn.MultiheadAttention. */
typedef struct kdl_multihead_attention_options {
    size_t nbytes;                /**< sizeof(kdl_multihead_attention_options), for the ABI */
    int64_t embed_dim, num_heads; /**< required */
    double dropout;               /**< default 0 */
    bool bias;                    /**< default true */
    bool add_bias_kv;             /**< default false: with bias_k and bias_v */
    bool add_zero_attn;           /**< default false */
    int64_t kdim, vdim;           /**< default KDL_NONE_INT: embed_dim, which the fields have */
    bool batch_first;             /**< default false */
    kdl_dtype dtype;              /**< default KDL_F32 */
} kdl_multihead_attention_options;

#define KDL_MULTIHEAD_ATTENTION_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_multihead_attention_options), 0, 0, 0.0, true, false, false, KDL_NONE_INT,      \
            KDL_NONE_INT, false, KDL_F32                                                           \
    }

/**
 * nn.MultiheadAttention(embed_dim, num_heads, ...), with E = embed_dim. out_proj, a Linear(E, E),
 * draws first; then in_proj_weight [3 E, E] is xavier_uniform_ (or q_proj_weight [E, E],
 * k_proj_weight [E, kdim] and v_proj_weight [E, vdim] are, when kdim or vdim is not E), the biases
 * in_proj_bias [3 E] and out_proj.bias [E] are 0, bias_k and bias_v [1, 1, E] are xavier_normal_.
 * ValueError with PyTorch's text for sizes that are not positive, and where PyTorch has an
 * AssertionError: for an embed_dim that num_heads does not divide.
 *
 * It computes {query, key, value, key_padding_mask, attn_mask} to {output, weights averaged over
 * the heads, weights of each head}, masks NULL or as PyTorch has them (a bool one forbids where it
 * is true). With the first output alone, PyTorch's need_weights=False, a query that sees no key
 * gives 0, otherwise NaN. Where PyTorch has an AssertionError, ValueError with its text.
 */
#define kdl_nn_multihead_attention(ctx, embed_dim_, num_heads_, ...)                               \
    KDL__NN(kdl_multihead_attention_options, KDL_MULTIHEAD_ATTENTION_DEFAULTS,                     \
            KDL_CLASS_MULTIHEAD_ATTENTION, ctx, .embed_dim = embed_dim_, .num_heads = num_heads_,  \
            __VA_ARGS__)

/**
 * MultiheadAttention._reset_parameters(): as the constructor, but for out_proj.weight. (PyTorch's
 * class has no reset_parameters(), and so kdl_reset_parameters() refuses it.) TypeError for
 * another module.
 */
KDL_API kdl_status kdl_multihead_attention_reset_parameters(kdl_module *module);

/* ---- layers ------------------------------------------------------------------------------ */

/** Arguments of nn.TransformerEncoderLayer and nn.TransformerDecoderLayer. */
typedef struct kdl_transformer_layer_options {
    size_t nbytes;                 /**< sizeof(kdl_transformer_layer_options), for the ABI */
    int64_t d_model, nhead;        /**< required */
    int64_t dim_feedforward;       /**< default 2048 */
    double dropout;                /**< default 0.1 */
    const char *activation;        /**< "relu" (the default) or "gelu" */
    double layer_norm_eps;         /**< default 1e-5 */
    bool batch_first;              /**< default false */
    bool norm_first;               /**< default false */
    bool bias;                     /**< default true: of all that can have one */
    kdl_dtype dtype;               /**< default KDL_F32 */
    kdl_module *activation_module; /**< `activation` as a module; default NULL (consumed) */
} kdl_transformer_layer_options;

#define KDL_TRANSFORMER_LAYER_DEFAULTS                                                             \
    {                                                                                              \
        sizeof(kdl_transformer_layer_options), 0, 0, 2048, 0.1, "relu", 1e-5, false, false, true,  \
            KDL_F32, NULL                                                                          \
    }

/**
 * nn.TransformerEncoderLayer(d_model, nhead, ...): self_attn, linear1, linear2, norm1, norm2, and
 * nn.TransformerDecoderLayer: self_attn, multihead_attn, linear1, linear2, norm1 to norm3; they
 * draw in this order. RuntimeError with PyTorch's text for an unknown activation.
 *
 * They compute {src, mask, src_key_padding_mask} and {tgt, memory, tgt_mask, memory_mask,
 * tgt_key_padding_mask, memory_key_padding_mask} to {output}; TransformerEncoder and
 * TransformerDecoder the same. Masks may be NULL. What PyTorch computes while gradients are on: its
 * inference with nested tensors, which has 0 at padded places, is not there.
 */
#define kdl_nn_transformer_encoder_layer(ctx, d_model_, nhead_, ...)                               \
    KDL__NN(kdl_transformer_layer_options, KDL_TRANSFORMER_LAYER_DEFAULTS,                         \
            KDL_CLASS_TRANSFORMER_ENCODER_LAYER, ctx, .d_model = d_model_, .nhead = nhead_,        \
            __VA_ARGS__)
#define kdl_nn_transformer_decoder_layer(ctx, d_model_, nhead_, ...)                               \
    KDL__NN(kdl_transformer_layer_options, KDL_TRANSFORMER_LAYER_DEFAULTS,                         \
            KDL_CLASS_TRANSFORMER_DECODER_LAYER, ctx, .d_model = d_model_, .nhead = nhead_,        \
            __VA_ARGS__)

/* ---- stacks ------------------------------------------------------------------------------ */

/** Arguments of nn.TransformerEncoder. */
typedef struct kdl_transformer_encoder_options {
    size_t nbytes;             /**< sizeof(kdl_transformer_encoder_options), for the ABI */
    kdl_module *encoder_layer; /**< required; consumed */
    int64_t num_layers;        /**< required */
    kdl_module *norm;          /**< default NULL; consumed */
    bool enable_nested_tensor; /**< default true */
    bool mask_check;           /**< default true */
} kdl_transformer_encoder_options;

#define KDL_TRANSFORMER_ENCODER_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_transformer_encoder_options), NULL, 0, NULL, true, true                         \
    }

/**
 * nn.TransformerEncoder(encoder_layer, num_layers, norm=None, ...): `layers`, a ModuleList of deep
 * copies of the layer, and `norm`. With enable_nested_tensor, PyTorch's warning when a forward
 * could not use nested tensors.
 */
#define kdl_nn_transformer_encoder(ctx, encoder_layer_, num_layers_, ...)                          \
    KDL__NN(kdl_transformer_encoder_options, KDL_TRANSFORMER_ENCODER_DEFAULTS,                     \
            KDL_CLASS_TRANSFORMER_ENCODER, ctx, .encoder_layer = encoder_layer_,                   \
            .num_layers = num_layers_, __VA_ARGS__)

/** Arguments of nn.TransformerDecoder. */
typedef struct kdl_transformer_decoder_options {
    size_t nbytes;             /**< sizeof(kdl_transformer_decoder_options), for the ABI */
    kdl_module *decoder_layer; /**< required; consumed */
    int64_t num_layers;        /**< required */
    kdl_module *norm;          /**< default NULL; consumed */
} kdl_transformer_decoder_options;

#define KDL_TRANSFORMER_DECODER_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_transformer_decoder_options), NULL, 0, NULL                                     \
    }

/** nn.TransformerDecoder(decoder_layer, num_layers, norm=None): as the encoder. */
#define kdl_nn_transformer_decoder(ctx, decoder_layer_, num_layers_, ...)                          \
    KDL__NN(kdl_transformer_decoder_options, KDL_TRANSFORMER_DECODER_DEFAULTS,                     \
            KDL_CLASS_TRANSFORMER_DECODER, ctx, .decoder_layer = decoder_layer_,                   \
            .num_layers = num_layers_, __VA_ARGS__)

/** Arguments of nn.Transformer. */
typedef struct kdl_transformer_options {
    size_t nbytes;                 /**< sizeof(kdl_transformer_options), for the ABI */
    int64_t d_model;               /**< default 512 */
    int64_t nhead;                 /**< default 8 */
    int64_t num_encoder_layers;    /**< default 6 */
    int64_t num_decoder_layers;    /**< default 6 */
    int64_t dim_feedforward;       /**< default 2048 */
    double dropout;                /**< default 0.1 */
    const char *activation;        /**< "relu" (the default) or "gelu" */
    kdl_module *custom_encoder;    /**< default NULL; consumed */
    kdl_module *custom_decoder;    /**< default NULL; consumed */
    double layer_norm_eps;         /**< default 1e-5 */
    bool batch_first;              /**< default false */
    bool norm_first;               /**< default false */
    bool bias;                     /**< default true */
    kdl_dtype dtype;               /**< default KDL_F32 */
    kdl_module *activation_module; /**< `activation` as a module; default NULL (consumed) */
} kdl_transformer_options;

#define KDL_TRANSFORMER_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_transformer_options), 512, 8, 6, 6, 2048, 0.1, "relu", NULL, NULL, 1e-5, false, \
            false, true, KDL_F32, NULL                                                             \
    }

/**
 * nn.Transformer(d_model=512, nhead=8, ...): encoder and decoder, each with a LayerNorm at its
 * end; then every parameter with more than one dimension is xavier_uniform_, in the order of
 * parameters(). It computes {src, tgt, src_mask, tgt_mask, memory_mask, src_key_padding_mask,
 * tgt_key_padding_mask, memory_key_padding_mask} to {output}; masks may be NULL.
 */
#define kdl_nn_transformer(ctx, ...)                                                               \
    KDL__NN(kdl_transformer_options, KDL_TRANSFORMER_DEFAULTS, KDL_CLASS_TRANSFORMER, ctx,         \
            __VA_ARGS__)

/** Transformer._reset_parameters(), the last step; as for attention. */
KDL_API kdl_status kdl_transformer_reset_parameters(kdl_module *module);

#ifdef __cplusplus
}
#endif
#endif
