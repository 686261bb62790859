/* SPDX-License-Identifier: Apache-2.0 */
/* GPT-2 (transformers/models/gpt2). */
#include <math.h>

#include "models/models_impl.h"

/* ---- configuration ----------------------------------------------------------------------- */

typedef struct gpt2 {
    kdl__config base;
    int64_t vocab_size, n_positions, n_embd, n_layer, n_head, n_inner;
    const char *activation_function;
    double resid_pdrop, embd_pdrop, attn_pdrop, layer_norm_epsilon, initializer_range;
    bool add_cross_attention, tie_word_embeddings;
    const char *summary_type, *summary_activation;
    bool summary_use_proj, summary_proj_to_labels;
    double summary_first_dropout, summary_last_dropout;
    double classifier_dropout, hidden_dropout;
} gpt2;

static const gpt2 defaults = {
    .vocab_size = 50257,
    .n_positions = 1024,
    .n_embd = 768,
    .n_layer = 12,
    .n_head = 12,
    .n_inner = KDL_NONE_INT,
    .activation_function = "gelu_new",
    .resid_pdrop = 0.1,
    .embd_pdrop = 0.1,
    .attn_pdrop = 0.1,
    .layer_norm_epsilon = 1e-5,
    .initializer_range = 0.02,
    .tie_word_embeddings = true,
    .summary_type = "cls_index",
    .summary_use_proj = true,
    .summary_proj_to_labels = true,
    .summary_first_dropout = 0.1,
    .classifier_dropout = KDL_NONE_FLOAT,
    .hidden_dropout = KDL_NONE_FLOAT,
};

#define FIELD(type, name)                                                                          \
    {                                                                                              \
#name, NULL, KDL__CONFIG_##type, offsetof(gpt2, name), 0                                   \
    }
#define ALIASED(type, name, alias)                                                                 \
    {                                                                                              \
#name, #alias, KDL__CONFIG_##type, offsetof(gpt2, name), 0                                 \
    }

static const kdl__config_field fields[] = {
    FIELD(SIZE, vocab_size),
    ALIASED(SIZE, n_positions, max_position_embeddings),
    ALIASED(SIZE, n_embd, hidden_size),
    { "n_layer", "num_hidden_layers", KDL__CONFIG_SIZE, offsetof(gpt2, n_layer), KDL__MAX_LAYERS },
    ALIASED(SIZE, n_head, num_attention_heads),
    FIELD(OPTIONAL_SIZE, n_inner),
    FIELD(STRING, activation_function),
    FIELD(NUMBER, resid_pdrop),
    FIELD(NUMBER, embd_pdrop),
    FIELD(NUMBER, attn_pdrop),
    FIELD(FLOAT, layer_norm_epsilon),
    FIELD(FLOAT, initializer_range),
    FIELD(BOOL, add_cross_attention),
    FIELD(BOOL, tie_word_embeddings),
    FIELD(STRING, summary_type),
    FIELD(OPTIONAL_STRING, summary_activation),
    FIELD(BOOL, summary_use_proj),
    FIELD(BOOL, summary_proj_to_labels),
    FIELD(NUMBER, summary_first_dropout),
    FIELD(NUMBER, summary_last_dropout),
    FIELD(OPTIONAL_NUMBER, classifier_dropout),
    FIELD(OPTIONAL_NUMBER, hidden_dropout),
    { 0 },
};

static kdl_status check(void *config)
{
    const gpt2 *c = config;
    if (c->n_layer > 0 && (c->n_head == 0 || c->n_embd % c->n_head != 0))
        return kdl__fail_at(c->base.ctx, "kdl_model_from_config", KDL_ERROR_VALUE,
                            "`embed_dim` must be divisible by num_heads (got `embed_dim`: %lld and "
                            "`num_heads`: %lld).",
                            (long long)c->n_embd, (long long)c->n_head);
    return KDL_OK;
}

/* ---- modules ----------------------------------------------------------------------------- */

static const kdl_module_class attention_class = { .name = "GPT2Attention" };
static const kdl_module_class mlp_class = { .name = "GPT2MLP" };
static const kdl_module_class block_class = { .name = "GPT2Block" };
static const kdl_module_class summary_class = { .name = "GPT2SequenceSummary" };

static kdl_module *conv1d(const gpt2 *c, int64_t nf, int64_t nx)
{
    return kdl__conv1d(c->base.ctx, nf, nx, c->base.dtype);
}

static kdl_module *layer_norm(const gpt2 *c)
{
    return kdl_nn_layer_norm(c->base.ctx, KDL_SHAPE(c->n_embd), .eps = c->layer_norm_epsilon,
                             .dtype = c->base.dtype);
}

static kdl_module *dropout(const gpt2 *c, double p)
{
    return kdl_nn_dropout(c->base.ctx, .p = p);
}

static kdl_module *attention(const gpt2 *c, bool cross)
{
    kdl_module *module = kdl_module_new(c->base.ctx, &attention_class);
    if (cross) {
        kdl_add_module(module, "c_attn", conv1d(c, 2 * c->n_embd, c->n_embd));
        kdl_add_module(module, "q_attn", conv1d(c, c->n_embd, c->n_embd));
    } else {
        kdl_add_module(module, "c_attn", conv1d(c, 3 * c->n_embd, c->n_embd));
    }
    kdl_add_module(module, "c_proj", conv1d(c, c->n_embd, c->n_embd));
    kdl_add_module(module, "attn_dropout", dropout(c, c->attn_pdrop));
    kdl_add_module(module, "resid_dropout", dropout(c, c->resid_pdrop));
    return module;
}

static kdl_module *mlp(const gpt2 *c)
{
    int64_t n_inner = c->n_inner == KDL_NONE_INT ? 4 * c->n_embd : c->n_inner;
    kdl_module *module = kdl_module_new(c->base.ctx, &mlp_class);
    kdl_add_module(module, "c_fc", conv1d(c, n_inner, c->n_embd));
    kdl_add_module(module, "c_proj", conv1d(c, c->n_embd, n_inner));
    kdl_add_module(module, "act",
                   kdl__hf_activation(&c->base, "activation_function", c->activation_function));
    kdl_add_module(module, "dropout", dropout(c, c->resid_pdrop));
    return module;
}

static kdl_module *block(const gpt2 *c)
{
    kdl_module *module = kdl_module_new(c->base.ctx, &block_class);
    kdl_add_module(module, "ln_1", layer_norm(c));
    kdl_add_module(module, "attn", attention(c, false));
    kdl_add_module(module, "ln_2", layer_norm(c));
    if (c->add_cross_attention) {
        kdl_add_module(module, "crossattention", attention(c, true));
        kdl_add_module(module, "ln_cross_attn", layer_norm(c));
    }
    kdl_add_module(module, "mlp", mlp(c));
    return module;
}

/* A vector that sums a sequence up, for GPT2DoubleHeadsModel. */
static kdl_module *sequence_summary(const gpt2 *c, int64_t num_labels)
{
    kdl_context *ctx = c->base.ctx;
    if (strcmp(c->summary_type, "attn") == 0)
        kdl__fail_at(ctx, "kdl_model_from_config", KDL_ERROR_NOT_IMPLEMENTED,
                     "\"summary_type\" is \"attn\", which transformers does not implement");
    kdl_module *module = kdl_module_new(ctx, &summary_class);
    int64_t classes = c->summary_proj_to_labels && num_labels > 0 ? num_labels : c->n_embd;
    kdl_add_module(module, "summary",
                   c->summary_use_proj ? kdl__hf_linear(&c->base, c->n_embd, classes, true)
                                       : kdl_nn_identity(ctx));
    kdl_add_module(module, "activation",
                   c->summary_activation && *c->summary_activation
                       ? kdl__hf_activation(&c->base, "summary_activation", c->summary_activation)
                       : kdl_nn_identity(ctx));
    kdl_add_module(module, "first_dropout",
                   c->summary_first_dropout > 0 ? dropout(c, c->summary_first_dropout)
                                                : kdl_nn_identity(ctx));
    kdl_add_module(module, "last_dropout",
                   c->summary_last_dropout > 0 ? dropout(c, c->summary_last_dropout)
                                               : kdl_nn_identity(ctx));
    return module;
}

/* ---- models ------------------------------------------------------------------------------ */

typedef struct gpt2_pretrained {
    kdl__pretrained base;
    double initializer_range;
    int64_t n_layer;
} gpt2_pretrained;

/* Here the raw initializer_range counts, 0.0 too. */
static void init_weights(const kdl__pretrained *base, kdl_module *module)
{
    const gpt2_pretrained *self = (const gpt2_pretrained *)base;
    if (kdl_isinstance(module, &kdl__class_conv1d)) {
        kdl_init_normal_(kdl_parameter(module, "weight"), .std = self->initializer_range);
        kdl_init_zeros_(kdl_parameter(module, "bias"));
    }
    if (kdl_isinstance(module, &attention_class) || kdl_isinstance(module, &mlp_class))
        kdl_init_normal_(kdl_parameter(module, "c_proj.weight"),
                         .std = self->initializer_range / sqrt(2 * (double)self->n_layer));
}

#define MODEL_CLASS(title)                                                                         \
    {                                                                                              \
        .name = (title), .parent = &kdl__class_pretrained_model,                                   \
        .fields_nbytes = sizeof(gpt2_pretrained)                                                   \
    }
static const kdl_module_class model_class = MODEL_CLASS("GPT2Model");
static const kdl_module_class causal_class = MODEL_CLASS("GPT2LMHeadModel");
static const kdl_module_class double_class = MODEL_CLASS("GPT2DoubleHeadsModel");
static const kdl_module_class sequence_class = MODEL_CLASS("GPT2ForSequenceClassification");
static const kdl_module_class token_class = MODEL_CLASS("GPT2ForTokenClassification");
static const kdl_module_class question_class = MODEL_CLASS("GPT2ForQuestionAnswering");

static const kdl__tie ties[] = { { "lm_head.weight", "transformer.wte.weight" }, { 0 } };

static kdl_module *pretrained(const gpt2 *c, const kdl_module_class *class, const kdl__tie *tied)
{
    kdl_module *module = kdl_module_new(c->base.ctx, class);
    if (module)
        *(gpt2_pretrained *)kdl_module_fields(module) =
            (gpt2_pretrained){ { kdl__base_std(c->initializer_range), init_weights, tied },
                               c->initializer_range,
                               c->n_layer };
    return module;
}

static kdl_module *construct_base(const void *config)
{
    const gpt2 *c = config;
    kdl_context *ctx = c->base.ctx;
    kdl_module *model = pretrained(c, &model_class, NULL);
    kdl_add_module(model, "wte",
                   kdl_nn_embedding(ctx, c->vocab_size, c->n_embd, .dtype = c->base.dtype));
    kdl_add_module(model, "wpe",
                   kdl_nn_embedding(ctx, c->n_positions, c->n_embd, .dtype = c->base.dtype));
    kdl_add_module(model, "drop", dropout(c, c->embd_pdrop));
    kdl_module *blocks = kdl_nn_module_list(ctx);
    for (int64_t i = 0; i < c->n_layer && !kdl__failed(ctx); i++)
        kdl_append(blocks, block(c));
    kdl_add_module(model, "h", blocks);
    kdl_add_module(model, "ln_f", layer_norm(c));
    return kdl__post_init(model);
}

/* A model that begins with the base model. */
static kdl_module *with_base(const gpt2 *c, const kdl_module_class *class, const kdl__tie *tied)
{
    kdl_module *model = pretrained(c, class, tied);
    kdl_add_module(model, "transformer", construct_base(c));
    return model;
}

static kdl_module *with_lm_head(const gpt2 *c, const kdl_module_class *class)
{
    kdl_module *model = with_base(c, class, c->tie_word_embeddings ? ties : NULL);
    kdl_add_module(model, "lm_head", kdl__hf_linear(&c->base, c->n_embd, c->vocab_size, false));
    return model;
}

static kdl_module *construct_causal(const void *config)
{
    return kdl__post_init(with_lm_head(config, &causal_class));
}

static kdl_module *construct_double(const void *config)
{
    kdl_module *model = with_lm_head(config, &double_class);
    kdl_add_module(model, "multiple_choice_head", sequence_summary(config, 1));
    return kdl__post_init(model);
}

static kdl_module *construct_sequence(const void *config)
{
    const gpt2 *c = config;
    kdl_module *model = with_base(c, &sequence_class, NULL);
    kdl_add_module(model, "score", kdl__hf_linear(&c->base, c->n_embd, c->base.num_labels, false));
    return kdl__post_init(model);
}

static kdl_module *construct_token(const void *config)
{
    const gpt2 *c = config;
    kdl_module *model = with_base(c, &token_class, NULL);
    kdl_add_module(model, "dropout",
                   dropout(c, kdl__classifier_dropout(c->classifier_dropout, c->hidden_dropout)));
    kdl_add_module(model, "classifier",
                   kdl__hf_linear(&c->base, c->n_embd, c->base.num_labels, true));
    return kdl__post_init(model);
}

static kdl_module *construct_question(const void *config)
{
    const gpt2 *c = config;
    kdl_module *model = with_base(c, &question_class, NULL);
    kdl_add_module(model, "qa_outputs", kdl__hf_linear(&c->base, c->n_embd, 2, true));
    return kdl__post_init(model);
}

static const kdl__head heads[] = {
    { "GPT2Model", "base", construct_base },
    { "GPT2LMHeadModel", "causal", construct_causal },
    { "GPT2DoubleHeadsModel", "double-heads", construct_double },
    { "GPT2ForSequenceClassification", "sequence-classification", construct_sequence },
    { "GPT2ForTokenClassification", "token-classification", construct_token },
    { "GPT2ForQuestionAnswering", "question-answering", construct_question },
    { 0 },
};

const kdl__family kdl__family_gpt2 = {
    .model_type = "gpt2",
    .heads = heads,
    .config_nbytes = sizeof(gpt2),
    .config_defaults = &defaults,
    .config_fields = fields,
    .check = check,
};
