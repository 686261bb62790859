/* SPDX-License-Identifier: Apache-2.0 */
/* Transformer, its encoder and decoder, their layers (torch/nn/modules/transformer.py). */
#include <string.h>

#include "kindling/init.h"
#include "nn/arguments.h"

/* ---- layers ------------------------------------------------------------------------------ */

static void add_attention(kdl_module *module, const char *name)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    kdl_add_module(module, name,
                   kdl_nn_multihead_attention(module->ctx, layer->d_model, layer->nhead,
                                              .dropout = layer->dropout, .bias = layer->bias,
                                              .batch_first = layer->batch_first,
                                              .dtype = layer->dtype));
}

static void add_linear(kdl_module *module, const char *name, int64_t inputs, int64_t outputs)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    kdl_add_module(
        module, name,
        kdl_nn_linear(module->ctx, inputs, outputs, .bias = layer->bias, .dtype = layer->dtype));
}

static void add_dropout(kdl_module *module, const char *name)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    kdl_add_module(module, name, kdl_nn_dropout(module->ctx, .p = layer->dropout));
}

static void add_norm(kdl_module *module, const char *name)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    kdl_add_module(module, name,
                   kdl_nn_layer_norm(module->ctx, layer->d_model, .eps = layer->layer_norm_eps,
                                     .bias = layer->bias, .dtype = layer->dtype));
}

static void add_feedforward(kdl_module *module)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    add_linear(module, "linear1", layer->d_model, layer->dim_feedforward);
    add_dropout(module, "dropout");
    add_linear(module, "linear2", layer->dim_feedforward, layer->d_model);
}

/* The activation, a function (which is told by its name) or a module. */
static void add_activation(kdl_module *module)
{
    kdl_transformer_layer_options *layer = kdl_module_fields(module);
    if (layer->activation_module) {
        layer->activation = NULL;
        kdl_add_module(module, "activation", kdl__take_module(&layer->activation_module));
    } else if (strcmp(layer->activation, "relu") != 0 && strcmp(layer->activation, "gelu") != 0) {
        kdl__fail_in(module, KDL_ERROR_RUNTIME, "activation should be relu/gelu, not {activation}");
    }
}

static void build_encoder_layer(kdl_module *module)
{
    add_attention(module, "self_attn");
    add_feedforward(module);
    add_norm(module, "norm1");
    add_norm(module, "norm2");
    add_dropout(module, "dropout1");
    add_dropout(module, "dropout2");
    add_activation(module);
}

static void build_decoder_layer(kdl_module *module)
{
    add_attention(module, "self_attn");
    add_attention(module, "multihead_attn");
    add_feedforward(module);
    add_norm(module, "norm1");
    add_norm(module, "norm2");
    add_norm(module, "norm3");
    add_dropout(module, "dropout1");
    add_dropout(module, "dropout2");
    add_dropout(module, "dropout3");
    add_activation(module);
}

/* `activation` stands for a string, and last, by its name only, for a module. */
#define LAYER_TABLE(name, builder)                                                                 \
    KDL__TABLE(                                                                                    \
        name, kdl_transformer_layer_options, KDL_TRANSFORMER_LAYER_DEFAULTS, 2,                    \
        (.keyword_only = 1, .build = builder),                                                     \
        KDL__ARGUMENT(kdl_transformer_layer_options, d_model),                                     \
        KDL__ARGUMENT(kdl_transformer_layer_options, nhead),                                       \
        KDL__ARGUMENT(kdl_transformer_layer_options, dim_feedforward),                             \
        KDL__ARGUMENT(kdl_transformer_layer_options, dropout),                                     \
        KDL__ARGUMENT(kdl_transformer_layer_options, activation),                                  \
        KDL__ARGUMENT(kdl_transformer_layer_options, layer_norm_eps),                              \
        KDL__ARGUMENT(kdl_transformer_layer_options, batch_first),                                 \
        KDL__ARGUMENT(kdl_transformer_layer_options, norm_first),                                  \
        KDL__ARGUMENT(kdl_transformer_layer_options, bias),                                        \
        KDL__FACTORY(kdl_transformer_layer_options),                                               \
        KDL__NAMED_ARGUMENT(kdl_transformer_layer_options, "activation", activation_module, true))
LAYER_TABLE(encoder_layer, build_encoder_layer)
LAYER_TABLE(decoder_layer, build_decoder_layer)
KDL__LAYER(transformer_encoder_layer, "TransformerEncoderLayer", NULL,
           kdl_transformer_layer_options, encoder_layer_arguments)
KDL__LAYER(transformer_decoder_layer, "TransformerDecoderLayer", NULL,
           kdl_transformer_layer_options, decoder_layer_arguments)

/* ---- stacks ------------------------------------------------------------------------------ */

/* Registers `layers`, deep copies of one layer, and the norm (consumed) behind them, if any. */
static void add_stack(kdl_module *module, kdl_module *layer, int64_t count, kdl_module *norm)
{
    kdl_module *layers = kdl_nn_module_list(module->ctx);
    for (int64_t i = 0; i < count && !kdl__failed(module->ctx); i++)
        kdl_append(layers, kdl_module_deep_copy(layer));
    kdl_add_module(module, "layers", layers);
    if (norm)
        kdl_add_module(module, "norm", norm);
}

static bool has_relu_or_gelu(const kdl_module *layer)
{
    const kdl_module *activation = kdl_submodule(layer, "activation");
    const kdl_transformer_layer_options *fields = kdl_module_fields(layer);
    return fields->activation || kdl_isinstance(activation, KDL_CLASS_RELU) ||
           kdl_isinstance(activation, KDL_CLASS_GELU);
}

static bool has_equal_norms(const kdl_module *layer)
{
    const kdl_module *first = kdl_submodule(layer, "norm1"),
                     *second = kdl_submodule(layer, "norm2");
    if (!kdl_isinstance(first, KDL_CLASS_LAYER_NORM) ||
        !kdl_isinstance(second, KDL_CLASS_LAYER_NORM))
        return false;
    const kdl_layer_norm_options *one = kdl_module_fields(first), *two = kdl_module_fields(second);
    return kdl_number(one->eps) == kdl_number(two->eps);
}

/*
 * Why a forward with nested tensors is not possible, in PyTorch's words and order; NULL if it is.
 */
static const char *why_no_nested_tensor(const kdl_module *layer)
{
    if (!kdl_isinstance(layer, KDL_CLASS_TRANSFORMER_ENCODER_LAYER))
        return "encoder_layer was not TransformerEncoderLayer";
    const kdl_transformer_layer_options *fields = kdl_module_fields(layer);
    const kdl_module *attention = kdl_submodule(layer, "self_attn");
    const kdl_multihead_attention_options *attn = kdl_module_fields(attention);
    if (!kdl_isinstance(attention, KDL_CLASS_MULTIHEAD_ATTENTION))
        return "encoder_layer.self_attn was not MultiheadAttention"; /* PyTorch: AttributeError */
    if (fields->norm_first)
        return "encoder_layer.norm_first was True";
    if (!attn->batch_first)
        return "encoder_layer.self_attn.batch_first was not True"
               "(use batch_first for better inference performance)";
    if (attn->kdim != attn->embed_dim || attn->vdim != attn->embed_dim)
        return "encoder_layer.self_attn._qkv_same_embed_dim was not True";
    if (!kdl_parameter(attention, "in_proj_bias"))
        return "encoder_layer.self_attn was passed bias=False";
    if (!has_relu_or_gelu(layer))
        return "encoder_layer.activation_relu_or_gelu was not True";
    if (!has_equal_norms(layer))
        return "encoder_layer.norm1.eps was not equal to encoder_layer.norm2.eps";
    if (attn->num_heads % 2 == 1)
        return "encoder_layer.self_attn.num_heads is odd";
    return NULL;
}

static void build_encoder(kdl_module *module)
{
    kdl_transformer_encoder_options *encoder = kdl_module_fields(module);
    add_stack(module, encoder->encoder_layer, encoder->num_layers,
              kdl__take_module(&encoder->norm));
    const char *why = why_no_nested_tensor(encoder->encoder_layer);
    if (encoder->enable_nested_tensor && why)
        kdl__warn(module->ctx,
                  "enable_nested_tensor is True, but self.use_nested_tensor is False because %s",
                  why);
}

static void build_decoder(kdl_module *module)
{
    kdl_transformer_decoder_options *decoder = kdl_module_fields(module);
    add_stack(module, decoder->decoder_layer, decoder->num_layers,
              kdl__take_module(&decoder->norm));
}

KDL__TABLE(encoder, kdl_transformer_encoder_options, KDL_TRANSFORMER_ENCODER_DEFAULTS, 2,
           (.build = build_encoder), KDL__ARGUMENT(kdl_transformer_encoder_options, encoder_layer),
           KDL__ARGUMENT(kdl_transformer_encoder_options, num_layers),
           KDL__OPTIONAL_ARGUMENT(kdl_transformer_encoder_options, norm),
           KDL__ARGUMENT(kdl_transformer_encoder_options, enable_nested_tensor),
           KDL__ARGUMENT(kdl_transformer_encoder_options, mask_check))
KDL__TABLE(decoder, kdl_transformer_decoder_options, KDL_TRANSFORMER_DECODER_DEFAULTS, 2,
           (.build = build_decoder), KDL__ARGUMENT(kdl_transformer_decoder_options, decoder_layer),
           KDL__ARGUMENT(kdl_transformer_decoder_options, num_layers),
           KDL__OPTIONAL_ARGUMENT(kdl_transformer_decoder_options, norm))
KDL__LAYER(transformer_encoder, "TransformerEncoder", NULL, kdl_transformer_encoder_options,
           encoder_arguments)
KDL__LAYER(transformer_decoder, "TransformerDecoder", NULL, kdl_transformer_decoder_options,
           decoder_arguments)

/* ---- the whole --------------------------------------------------------------------------- */

static kdl_module *make_norm(const kdl_module *module)
{
    const kdl_transformer_options *whole = kdl_module_fields(module);
    return kdl_nn_layer_norm(module->ctx, whole->d_model, .eps = whole->layer_norm_eps,
                             .bias = whole->bias, .dtype = whole->dtype);
}

/* The layer that the encoder or the decoder is made of. */
static kdl_module *make_layer(const kdl_module *module, const kdl_module_class *class)
{
    const kdl_transformer_options *whole = kdl_module_fields(module);
    const kdl_transformer_layer_options layer = {
        .nbytes = sizeof layer,
        .d_model = whole->d_model,
        .nhead = whole->nhead,
        .dim_feedforward = whole->dim_feedforward,
        .dropout = whole->dropout,
        .activation = whole->activation,
        .layer_norm_eps = whole->layer_norm_eps,
        .batch_first = whole->batch_first,
        .norm_first = whole->norm_first,
        .bias = whole->bias,
        .dtype = whole->dtype,
        .activation_module = kdl_module_retain(whole->activation_module),
    };
    return kdl_nn_new(module->ctx, class, &layer);
}

kdl_status kdl_transformer_reset_parameters(kdl_module *module)
{
    if (!kdl__refuses_type(module, KDL_CLASS_TRANSFORMER, __func__)) {
        for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);) {
            if (kdl_tensor_ndim(it.tensor) > 1)
                kdl_init_xavier_uniform_(it.tensor);
        }
    }
    return kdl__module_refusal(module);
}

static void build_transformer(kdl_module *module)
{
    kdl_transformer_options *whole = kdl_module_fields(module);
    kdl_module *encoder = kdl__take_module(&whole->custom_encoder);
    if (!encoder) {
        kdl_module *layer = make_layer(module, KDL_CLASS_TRANSFORMER_ENCODER_LAYER);
        encoder = kdl_nn_transformer_encoder(module->ctx, layer, whole->num_encoder_layers,
                                             .norm = make_norm(module));
    }
    kdl_add_module(module, "encoder", encoder);
    kdl_module *decoder = kdl__take_module(&whole->custom_decoder);
    if (!decoder) {
        kdl_module *layer = make_layer(module, KDL_CLASS_TRANSFORMER_DECODER_LAYER);
        decoder = kdl_nn_transformer_decoder(module->ctx, layer, whole->num_decoder_layers,
                                             .norm = make_norm(module));
    }
    kdl_add_module(module, "decoder", decoder);
    kdl_transformer_reset_parameters(module);
}

KDL__TABLE(transformer, kdl_transformer_options, KDL_TRANSFORMER_DEFAULTS, 0,
           (.keyword_only = 1, .build = build_transformer),
           KDL__ARGUMENT(kdl_transformer_options, d_model),
           KDL__ARGUMENT(kdl_transformer_options, nhead),
           KDL__ARGUMENT(kdl_transformer_options, num_encoder_layers),
           KDL__ARGUMENT(kdl_transformer_options, num_decoder_layers),
           KDL__ARGUMENT(kdl_transformer_options, dim_feedforward),
           KDL__ARGUMENT(kdl_transformer_options, dropout),
           KDL__ARGUMENT(kdl_transformer_options, activation),
           KDL__OPTIONAL_ARGUMENT(kdl_transformer_options, custom_encoder),
           KDL__OPTIONAL_ARGUMENT(kdl_transformer_options, custom_decoder),
           KDL__ARGUMENT(kdl_transformer_options, layer_norm_eps),
           KDL__ARGUMENT(kdl_transformer_options, batch_first),
           KDL__ARGUMENT(kdl_transformer_options, norm_first),
           KDL__ARGUMENT(kdl_transformer_options, bias), KDL__FACTORY(kdl_transformer_options),
           KDL__NAMED_ARGUMENT(kdl_transformer_options, "activation", activation_module, true))
KDL__LAYER(transformer, "Transformer", NULL, kdl_transformer_options, transformer_arguments)
