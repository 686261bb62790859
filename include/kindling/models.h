/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models of the transformers library (5.23.0) from their config.json.
 *
 * The tree has the modules of transformers' class, constructed in its order, so that the same
 * draws are consumed; then its initialisation passes over the tree are run. Under one seed every
 * weight is the one that AutoModel...from_config(config) has, and so is the generator's state.
 * In a deferred context (plan.h) this computes no weight, whatever the model's size.
 *
 * The tree is for weights: what only the forward pass would read (rotary frequencies, dropout
 * while training) is not in it, and such fields of the configuration are not checked.
 */
#ifndef KINDLING_MODELS_H
#define KINDLING_MODELS_H

#include "kindling/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The model_type of the family at `index`, e.g. "gpt2" (a static string); NULL at the end. */
KDL_API const char *kdl_model_family(int index);

/** Options of kdl_model_from_config(); start from KDL_MODEL_DEFAULTS. */
typedef struct kdl_model_options {
    size_t nbytes;    /**< sizeof(kdl_model_options), for the ABI */
    kdl_dtype dtype;  /**< from_config(dtype=...); default KDL_DTYPE_COUNT: the configuration's */
    const char *head; /**< default NULL: the class that architectures[0] names, else "causal" */
} kdl_model_options;

#define KDL_MODEL_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_model_options), KDL_DTYPE_COUNT, NULL                                           \
    }

/**
 * AutoModelFor...from_config(config, dtype=...), from the text of a config.json of `nbytes` bytes.
 * Draws from the context's default generator. Gives one reference to a module of the class that
 * transformers would make, e.g. "GPT2LMHeadModel" (kdl_module_type(model)->name).
 *
 * .dtype: the weights are drawn in it (no cast); the configuration's own `dtype` or `torch_dtype`
 * counts otherwise, and without one it is f32. .head: the class's name, or one of "base",
 * "causal", "sequence-classification", "token-classification", "question-answering",
 * "double-heads", as far as the family has it.
 *
 * Errors: KDL_ERROR_FORMAT, with line and column, for text that is no JSON (Infinity and NaN are
 * taken, as Python writes them), and for a field of the wrong type or out of its range;
 * NotImplementedError for a family, a head, a dtype or a field that is not supported, by name;
 * ValueError for fields that contradict each other.
 */
#define kdl_model_from_config(ctx, text, nbytes, ...)                                              \
    KDL__WITH(kdl_model_options, KDL_MODEL_DEFAULTS, (__VA_ARGS__), kdl_model_from_config_with,    \
              ctx, text, nbytes)
KDL_API kdl_module *kdl_model_from_config_with(kdl_context *ctx, const char *text, size_t nbytes,
                                               const kdl_model_options *options);

/**
 * The tensors of the model.safetensors that model.save_pretrained() writes, in the file's order:
 * one name for tied ones, no buffer that is not persistent, larger dtypes first, then by name. Its
 * attribute "model" is the class's name. TypeError for a module that is no such model. One
 * reference (kdl_plan_release()).
 */
KDL_API kdl_plan *kdl_model_checkpoint_plan(kdl_module *model);

#ifdef __cplusplus
}
#endif
#endif
