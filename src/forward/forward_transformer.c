/* SPDX-License-Identifier: Apache-2.0 */
/* forward() of Transformer, its encoder and decoder, and their layers. */
#include <string.h>

#include "autograd/function.h"
#include "forward/forwards.h"
#include "kindling/functional.h"

/* ---- blocks of a layer: each gives one reference ------------------------------------------ */

/* What a child of the module makes of x. */
static kdl_tensor *pass(const kdl_module *module, const char *child, kdl_tensor *x)
{
    return kdl_forward(kdl_submodule(module, child), x);
}

/* Attention of x to `memory`, and its dropout. */
static kdl_tensor *attention_block(const kdl_module *module, const char *attention,
                                   const char *dropout, kdl_tensor *x, kdl_tensor *memory,
                                   kdl_tensor *padding, kdl_tensor *mask)
{
    kdl__scope scope = { 0 };
    kdl_tensor *inputs[] = { x, memory, memory, padding, mask }, *output = NULL;
    kdl_call_with(kdl_submodule(module, attention), inputs, 5, &output, 1);
    return kdl__close(&scope, pass(module, dropout, kdl__hold(&scope, output)));
}

static kdl_tensor *activate(const kdl_module *module, kdl_tensor *x)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    if (!layer->activation)
        return pass(module, "activation", x);
    return strcmp(layer->activation, "gelu") == 0 ? kdl_f_gelu(x, "none") : kdl_f_relu(x);
}

/* Both linear layers, with the dropout between them and the one behind. */
static kdl_tensor *feedforward_block(const kdl_module *module, const char *dropout, kdl_tensor *x)
{
    kdl__scope scope = { 0 };
    kdl_tensor *inner = kdl__hold(&scope, pass(module, "linear1", x));
    kdl_tensor *active = kdl__hold(&scope, activate(module, inner));
    kdl_tensor *dropped = kdl__hold(&scope, pass(module, "dropout", active));
    kdl_tensor *outer = kdl__hold(&scope, pass(module, "linear2", dropped));
    return kdl__close(&scope, pass(module, dropout, outer));
}

/* ---- layers ------------------------------------------------------------------------------ */

/* A layer's blocks, each beside a way around it: x + block(norm(x)), or norm(x + block(x)). */
typedef kdl_tensor *layer_block(const kdl_module *module, kdl_tensor *x, kdl_tensor *const *inputs);

/* Consumes x. */
static kdl_tensor *with_residual(const kdl_module *module, layer_block *block, const char *norm,
                                 kdl_tensor *x, kdl_tensor *const *inputs)
{
    const kdl_transformer_layer_options *layer = kdl_module_fields(module);
    kdl__scope scope = { 0 };
    kdl__hold(&scope, x);
    kdl_tensor *before = layer->norm_first ? kdl__hold(&scope, pass(module, norm, x)) : x;
    kdl_tensor *change = kdl__hold(&scope, block(module, before, inputs));
    kdl_tensor *sum = kdl_add_tensor(x, change);
    if (!layer->norm_first)
        sum = pass(module, norm, kdl__hold(&scope, sum));
    return kdl__close(&scope, sum);
}

/* {src, mask, src_key_padding_mask}. */
static kdl_tensor *encoder_attention(const kdl_module *module, kdl_tensor *x,
                                     kdl_tensor *const *inputs)
{
    return attention_block(module, "self_attn", "dropout1", x, x, inputs[2], inputs[1]);
}

static kdl_tensor *encoder_feedforward(const kdl_module *module, kdl_tensor *x,
                                       kdl_tensor *const *inputs)
{
    (void)inputs;
    return feedforward_block(module, "dropout2", x);
}

static kdl_status encoder_layer(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    kdl_tensor *x = kdl_tensor_retain(inputs[0]);
    x = with_residual(module, encoder_attention, "norm1", x, inputs);
    outputs[0] = with_residual(module, encoder_feedforward, "norm2", x, inputs);
    return module->ctx->status;
}

/* {tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask}. */
static kdl_tensor *decoder_attention(const kdl_module *module, kdl_tensor *x,
                                     kdl_tensor *const *inputs)
{
    return attention_block(module, "self_attn", "dropout1", x, x, inputs[4], inputs[2]);
}

static kdl_tensor *decoder_memory(const kdl_module *module, kdl_tensor *x,
                                  kdl_tensor *const *inputs)
{
    return attention_block(module, "multihead_attn", "dropout2", x, inputs[1], inputs[5],
                           inputs[3]);
}

static kdl_tensor *decoder_feedforward(const kdl_module *module, kdl_tensor *x,
                                       kdl_tensor *const *inputs)
{
    (void)inputs;
    return feedforward_block(module, "dropout3", x);
}

static kdl_status decoder_layer(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    kdl_tensor *x = kdl_tensor_retain(inputs[0]);
    x = with_residual(module, decoder_attention, "norm1", x, inputs);
    x = with_residual(module, decoder_memory, "norm2", x, inputs);
    outputs[0] = with_residual(module, decoder_feedforward, "norm3", x, inputs);
    return module->ctx->status;
}

/* ---- stacks ------------------------------------------------------------------------------ */

/* The first input through all layers, beside the `count` - 1 others, then through the norm. */
static kdl_tensor *run_stack(const kdl_module *module, kdl_tensor *const *inputs, int count)
{
    kdl_module *layers = kdl_submodule(module, "layers");
    kdl_module *norm = kdl_submodule(module, "norm");
    kdl_tensor *x = kdl_tensor_retain(inputs[0]);
    for (int64_t i = 0; x && i < kdl_child_count(layers); i++) {
        kdl_tensor *given[6] = { x }, *next = NULL;
        memcpy(given + 1, inputs + 1, (size_t)(count - 1) * sizeof *given);
        kdl_call_with(kdl_child(layers, i), given, count, &next, 1);
        kdl_tensor_release(x);
        x = next;
    }
    if (!norm)
        return x;
    kdl_tensor *result = kdl_forward(norm, x);
    kdl_tensor_release(x);
    return result;
}

static kdl_status encoder(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                          kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    outputs[0] = run_stack(module, inputs, 3);
    return module->ctx->status;
}

static kdl_status decoder(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                          kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    outputs[0] = run_stack(module, inputs, 6);
    return module->ctx->status;
}

/* ---- the whole --------------------------------------------------------------------------- */

static bool check_transformer(const kdl_module *module, const kdl_tensor *src,
                              const kdl_tensor *tgt)
{
    const kdl_transformer_options *whole = kdl_module_fields(module);
    const char *fault = NULL;
    if (src->ndim < 2 || tgt->ndim != src->ndim)
        fault = "src and tgt must have 2 or 3 dimensions";
    else if (src->ndim == 3 && src->dims[!whole->batch_first] != tgt->dims[!whole->batch_first])
        fault = "the batch number of src and tgt must be equal";
    else if (src->dims[src->ndim - 1] != whole->d_model ||
             tgt->dims[tgt->ndim - 1] != whole->d_model)
        fault = "the feature number of src and tgt must be equal to d_model";
    if (fault)
        kdl__fail_at(module->ctx, "Transformer", KDL_ERROR_RUNTIME, "%s", fault);
    return !fault;
}

/*
 * {src, tgt, src_mask, tgt_mask, memory_mask, src_key_padding_mask, tgt_key_padding_mask,
 * memory_key_padding_mask}.
 */
static kdl_status transformer(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                              kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    kdl_tensor *memory = NULL;
    kdl_tensor *source[] = { inputs[0], inputs[2], inputs[5] };
    if (!check_transformer(module, inputs[0], inputs[1]) ||
        kdl_call_with(kdl_submodule(module, "encoder"), source, 3, &memory, 1))
        return module->ctx->status;
    kdl_tensor *target[] = { inputs[1], memory, inputs[3], inputs[4], inputs[6], inputs[7] };
    kdl_call_with(kdl_submodule(module, "decoder"), target, 6, outputs, 1);
    kdl_tensor_release(memory);
    return module->ctx->status;
}

const kdl__forward_entry kdl__transformer_forwards[] = {
    KDL__SEVERAL(KDL_CLASS_TRANSFORMER_ENCODER_LAYER, encoder_layer, 1, 3, 1),
    KDL__SEVERAL(KDL_CLASS_TRANSFORMER_DECODER_LAYER, decoder_layer, 2, 6, 1),
    KDL__SEVERAL(KDL_CLASS_TRANSFORMER_ENCODER, encoder, 1, 3, 1),
    KDL__SEVERAL(KDL_CLASS_TRANSFORMER_DECODER, decoder, 2, 6, 1),
    KDL__SEVERAL(KDL_CLASS_TRANSFORMER, transformer, 2, 8, 1),
    KDL__END_OF_FORWARDS,
};
