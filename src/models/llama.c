/* SPDX-License-Identifier: Apache-2.0 */
/* Llama 1, 2 and 3 (transformers/models/llama, and modeling_layers.py for its heads). */
#include "models/models_impl.h"

/* ---- configuration ----------------------------------------------------------------------- */

typedef struct llama {
    kdl__config base;
    int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers;
    int64_t num_attention_heads, num_key_value_heads, head_dim;
    const char *hidden_act;
    double initializer_range, rms_norm_eps;
    int64_t pad_token_id;
    bool tie_word_embeddings, attention_bias, mlp_bias, token_classification_bias;
    double classifier_dropout, hidden_dropout;
} llama;

static const llama defaults = {
    .vocab_size = 32000,
    .hidden_size = 4096,
    .intermediate_size = 11008,
    .num_hidden_layers = 32,
    .num_attention_heads = 32,
    .num_key_value_heads = KDL_NONE_INT,
    .head_dim = KDL_NONE_INT,
    .hidden_act = "silu",
    .initializer_range = 0.02,
    .rms_norm_eps = 1e-6,
    .pad_token_id = KDL_NONE_INT,
    .token_classification_bias = true,
    .classifier_dropout = KDL_NONE_FLOAT,
    .hidden_dropout = KDL_NONE_FLOAT,
};

#define FIELD(type, name)                                                                          \
    {                                                                                              \
#name, NULL, KDL__CONFIG_##type, offsetof(llama, name), 0                                  \
    }

static const kdl__config_field fields[] = {
    FIELD(SIZE, vocab_size),
    FIELD(SIZE, hidden_size),
    FIELD(SIZE, intermediate_size),
    { "num_hidden_layers", NULL, KDL__CONFIG_SIZE, offsetof(llama, num_hidden_layers),
      KDL__MAX_LAYERS },
    FIELD(SIZE, num_attention_heads),
    FIELD(OPTIONAL_SIZE, num_key_value_heads),
    FIELD(OPTIONAL_SIZE, head_dim),
    FIELD(STRING, hidden_act),
    FIELD(FLOAT, initializer_range),
    FIELD(FLOAT, rms_norm_eps),
    FIELD(OPTIONAL_INT, pad_token_id),
    FIELD(BOOL, tie_word_embeddings),
    FIELD(BOOL, attention_bias),
    FIELD(BOOL, mlp_bias),
    FIELD(BOOL, token_classification_bias),
    FIELD(OPTIONAL_NUMBER, classifier_dropout),
    FIELD(OPTIONAL_NUMBER, hidden_dropout),
    { 0 },
};

/* The share of a head that rotary embeddings turn, which configurations keep in several places. */
static double partial_rotary_factor(const llama *c)
{
    static const char name[] = "partial_rotary_factor";
    const json_t *rope = json_object_get(c->base.json, "rope_scaling");
    if (json_object_size(rope) == 0)
        rope = json_object_get(c->base.json, "rope_parameters");
    const json_t *factor = json_object_get(rope, name);
    if (!factor)
        factor = json_object_get(c->base.json, name);
    return json_is_number(factor) ? json_number_value(factor) : 1;
}

/* What transformers checks of the sizes; fills in those that follow from others. */
static kdl_status check(void *config)
{
    static const char place[] = "kdl_model_from_config";
    llama *c = config;
    kdl_context *ctx = c->base.ctx;
    if (c->num_attention_heads == 0 || c->hidden_size % c->num_attention_heads != 0)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "The hidden size (%lld) is not a multiple of the number of attention "
                            "heads (%lld).",
                            (long long)c->hidden_size, (long long)c->num_attention_heads);
    if (c->head_dim == KDL_NONE_INT)
        c->head_dim = c->hidden_size / c->num_attention_heads;
    if (c->num_key_value_heads == KDL_NONE_INT)
        c->num_key_value_heads = c->num_attention_heads;
    if (c->num_hidden_layers > 0 && (c->num_key_value_heads == 0 || c->head_dim == 0))
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "\"%s\" is 0, so attention has no %s",
                            c->head_dim ? "num_key_value_heads" : "head_dim",
                            c->head_dim ? "keys" : "width");
    double turned = floor((double)c->head_dim * partial_rotary_factor(c));
    if (c->head_dim > 4 && c->head_dim % 2 && turned == (double)c->head_dim)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "RoPE requires an even rotary dimension, but got `head_dim`=%lld.",
                            (long long)c->head_dim);
    if (!(c->initializer_range >= 0 && c->initializer_range <= 1))
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "\"initializer_range\" must be from 0 to 1");
    return KDL_OK;
}

/* ---- modules ----------------------------------------------------------------------------- */

typedef struct rms_norm_fields {
    int64_t hidden_size;
    double eps;
} rms_norm_fields;

static char *rms_norm_extra_repr(const kdl_module *module)
{
    const rms_norm_fields *norm = kdl_module_fields(module);
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    kdl__text_tuple(&text, 1, &norm->hidden_size);
    kdl__text_puts(&text, ", eps=");
    kdl__text_repr(&text, norm->eps);
    return kdl__text_take(&text);
}

static const kdl_module_class rms_norm_class = {
    .name = "LlamaRMSNorm",
    .fields_nbytes = sizeof(rms_norm_fields),
    .extra_repr = rms_norm_extra_repr,
};
static const kdl_module_class attention_class = { .name = "LlamaAttention" };
static const kdl_module_class mlp_class = { .name = "LlamaMLP" };
static const kdl_module_class layer_class = { .name = "LlamaDecoderLayer" };
/* Its frequencies are buffers that are not saved. */
static const kdl_module_class rotary_class = { .name = "LlamaRotaryEmbedding" };

static kdl_module *rms_norm(const llama *c)
{
    kdl_module *module = kdl_module_new(c->base.ctx, &rms_norm_class);
    kdl_shape shape = KDL_SHAPE(c->hidden_size);
    if (!module)
        return NULL;
    *(rms_norm_fields *)kdl_module_fields(module) =
        (rms_norm_fields){ c->hidden_size, c->rms_norm_eps };
    kdl_register_parameter(module, "weight",
                           kdl_parameter_new(kdl_ones(c->base.ctx, shape, .dtype = c->base.dtype)));
    return module;
}

static kdl_module *attention(const llama *c)
{
    int64_t queries = c->num_attention_heads * c->head_dim;
    int64_t keys = c->num_key_value_heads * c->head_dim;
    bool bias = c->attention_bias;
    kdl_module *module = kdl_module_new(c->base.ctx, &attention_class);
    kdl_add_module(module, "q_proj", kdl__hf_linear(&c->base, c->hidden_size, queries, bias));
    kdl_add_module(module, "k_proj", kdl__hf_linear(&c->base, c->hidden_size, keys, bias));
    kdl_add_module(module, "v_proj", kdl__hf_linear(&c->base, c->hidden_size, keys, bias));
    kdl_add_module(module, "o_proj", kdl__hf_linear(&c->base, queries, c->hidden_size, bias));
    return module;
}

static kdl_module *mlp(const llama *c)
{
    int64_t inner = c->intermediate_size;
    bool bias = c->mlp_bias;
    kdl_module *module = kdl_module_new(c->base.ctx, &mlp_class);
    kdl_add_module(module, "gate_proj", kdl__hf_linear(&c->base, c->hidden_size, inner, bias));
    kdl_add_module(module, "up_proj", kdl__hf_linear(&c->base, c->hidden_size, inner, bias));
    kdl_add_module(module, "down_proj", kdl__hf_linear(&c->base, inner, c->hidden_size, bias));
    kdl_add_module(module, "act_fn", kdl__hf_activation(&c->base, "hidden_act", c->hidden_act));
    return module;
}

static kdl_module *layer(const llama *c)
{
    kdl_module *module = kdl_module_new(c->base.ctx, &layer_class);
    kdl_add_module(module, "self_attn", attention(c));
    kdl_add_module(module, "mlp", mlp(c));
    kdl_add_module(module, "input_layernorm", rms_norm(c));
    kdl_add_module(module, "post_attention_layernorm", rms_norm(c));
    return module;
}

/* ---- models ------------------------------------------------------------------------------ */

#define MODEL_CLASS(title)                                                                         \
    {                                                                                              \
        .name = (title), .parent = &kdl__class_pretrained_model                                    \
    }
static const kdl_module_class model_class = MODEL_CLASS("LlamaModel");
static const kdl_module_class causal_class = MODEL_CLASS("LlamaForCausalLM");
static const kdl_module_class sequence_class = MODEL_CLASS("LlamaForSequenceClassification");
static const kdl_module_class token_class = MODEL_CLASS("LlamaForTokenClassification");
static const kdl_module_class question_class = MODEL_CLASS("LlamaForQuestionAnswering");

static const kdl__tie ties[] = { { "lm_head.weight", "model.embed_tokens.weight" }, { 0 } };

static kdl_module *pretrained(const llama *c, const kdl_module_class *class, const kdl__tie *tied)
{
    kdl_module *module = kdl_module_new(c->base.ctx, class);
    if (module)
        *(kdl__pretrained *)kdl_module_fields(module) =
            (kdl__pretrained){ kdl__base_std(c->initializer_range), NULL, tied };
    return module;
}

static kdl_module *construct_base(const void *config)
{
    const llama *c = config;
    kdl_context *ctx = c->base.ctx;
    kdl_module *model = pretrained(c, &model_class, NULL);
    kdl_add_module(model, "embed_tokens",
                   kdl_nn_embedding(ctx, c->vocab_size, c->hidden_size,
                                    .padding_idx = c->pad_token_id, .dtype = c->base.dtype));
    kdl_module *layers = kdl_nn_module_list(ctx);
    for (int64_t i = 0; i < c->num_hidden_layers && !kdl__failed(ctx); i++)
        kdl_append(layers, layer(c));
    kdl_add_module(model, "layers", layers);
    kdl_add_module(model, "norm", rms_norm(c));
    kdl_add_module(model, "rotary_emb", kdl_module_new(ctx, &rotary_class));
    return kdl__post_init(model);
}

/* A model that begins with the base model, under `name`. */
static kdl_module *with_base(const llama *c, const kdl_module_class *class, const char *name,
                             const kdl__tie *tied)
{
    kdl_module *model = pretrained(c, class, tied);
    kdl_add_module(model, name, construct_base(c));
    return model;
}

static kdl_module *construct_causal(const void *config)
{
    const llama *c = config;
    kdl_module *model = with_base(c, &causal_class, "model", c->tie_word_embeddings ? ties : NULL);
    kdl_add_module(model, "lm_head",
                   kdl__hf_linear(&c->base, c->hidden_size, c->vocab_size, false));
    return kdl__post_init(model);
}

static kdl_module *construct_sequence(const void *config)
{
    const llama *c = config;
    kdl_module *model = with_base(c, &sequence_class, "model", NULL);
    kdl_add_module(model, "score",
                   kdl__hf_linear(&c->base, c->hidden_size, c->base.num_labels, false));
    return kdl__post_init(model);
}

static kdl_module *construct_token(const void *config)
{
    const llama *c = config;
    kdl_module *model = with_base(c, &token_class, "model", NULL);
    double p = kdl__classifier_dropout(c->classifier_dropout, c->hidden_dropout);
    kdl_add_module(model, "dropout", kdl_nn_dropout(c->base.ctx, .p = p));
    kdl_add_module(
        model, "score",
        kdl__hf_linear(&c->base, c->hidden_size, c->base.num_labels, c->token_classification_bias));
    return kdl__post_init(model);
}

static kdl_module *construct_question(const void *config)
{
    const llama *c = config;
    kdl_module *model = with_base(c, &question_class, "transformer", NULL);
    kdl_add_module(model, "qa_outputs", kdl__hf_linear(&c->base, c->hidden_size, 2, true));
    return kdl__post_init(model);
}

static const kdl__head heads[] = {
    { "LlamaModel", "base", construct_base },
    { "LlamaForCausalLM", "causal", construct_causal },
    { "LlamaForSequenceClassification", "sequence-classification", construct_sequence },
    { "LlamaForTokenClassification", "token-classification", construct_token },
    { "LlamaForQuestionAnswering", "question-answering", construct_question },
    { 0 },
};

const kdl__family kdl__family_llama = {
    .model_type = "llama",
    .heads = heads,
    .config_nbytes = sizeof(llama),
    .config_defaults = &defaults,
    .config_fields = fields,
    .check = check,
};
