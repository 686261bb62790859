/* SPDX-License-Identifier: Apache-2.0 */
/*
 * models: families of transformers' models, from config.json to a module tree with their weights.
 *
 * A family is one file: the fields of its configuration, a constructor for each of its classes,
 * in transformers' order, and the rules that its _init_weights adds to the base class's.
 */
#ifndef KDL_SRC_MODELS_MODELS_IMPL_H
#define KDL_SRC_MODELS_MODELS_IMPL_H

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "kindling/init.h"
#include "kindling/models.h"
#include "kindling/ops.h"
#include "nn/module_impl.h"

/* Layers in a model: beyond any that exists, and few enough to be built in a moment. */
#define KDL__MAX_LAYERS 10000

/* ---- configurations ---------------------------------------------------------------------- */

/* What every family's configuration begins with (transformers' PreTrainedConfig). */
typedef struct kdl__config {
    kdl_context *ctx;
    const json_t *json;
    kdl_dtype dtype;
    int64_t num_labels;
} kdl__config;

typedef enum kdl__config_type {
    KDL__CONFIG_SIZE,          /* int64_t: an integer from 0 to the field's maximum */
    KDL__CONFIG_OPTIONAL_SIZE, /* the same or null, which is KDL_NONE_INT */
    KDL__CONFIG_OPTIONAL_INT,  /* int64_t: any integer or null */
    KDL__CONFIG_FLOAT,         /* double: a number with a point or an exponent */
    KDL__CONFIG_NUMBER,        /* double: any number */
    KDL__CONFIG_OPTIONAL_NUMBER,
    KDL__CONFIG_BOOL,
    KDL__CONFIG_STRING,         /* const char *, which lives as long as the JSON */
    KDL__CONFIG_OPTIONAL_STRING /* NULL for null */
} kdl__config_type;

/* A field of a family's configuration. What is absent keeps the default that is there. */
typedef struct kdl__config_field {
    const char *name, *alias; /* the alias (attribute_map) counts where both are given */
    kdl__config_type type;
    size_t offset;
    int64_t maximum; /* of sizes; 0: INT32_MAX */
} kdl__config_field;

/* Parses the text of a config.json; NULL with KDL_ERROR_FORMAT when it is no JSON object. */
json_t *kdl__config_parse(kdl_context *ctx, const char *text, size_t nbytes);
/* Reads what every configuration has; refuses what no family can honour. */
bool kdl__config_read_common(kdl__config *config, kdl_dtype dtype);
/* Reads a family's fields into the struct that begins with `config`; the last name is NULL. */
bool kdl__config_read(kdl__config *config, const kdl__config_field *fields);
/* The class that the configuration names, or NULL. *valid: false when an error was recorded. */
const char *kdl__config_architecture(const kdl__config *config, bool *valid);

/* ---- families ---------------------------------------------------------------------------- */

/* A class of a family that a configuration can ask for. */
typedef struct kdl__head {
    const char *class_name, *short_name;
    kdl_module *(*construct)(const void *config);
} kdl__head;

typedef struct kdl__family {
    const char *model_type;
    const kdl__head *heads; /* the last name is NULL */
    size_t config_nbytes;
    const void *config_defaults;
    const kdl__config_field *config_fields;
    /*
     * Checks what transformers checks, recording errors; fills in fields that follow from others.
     */
    kdl_status (*check)(void *config);
} kdl__family;

extern const kdl__family kdl__family_gpt2, kdl__family_llama;

/* ---- PreTrainedModel --------------------------------------------------------------------- */

/* A weight that is another one's too: dotted names, as in _tied_weights_keys. */
typedef struct kdl__tie {
    const char *target, *source;
} kdl__tie;

/* What a model, whole or within another, remembers; a family's may go on after it. */
typedef struct kdl__pretrained kdl__pretrained;
struct kdl__pretrained {
    double std; /* of the base rules */
    /* What the family's _init_weights(module) does after the base rules; NULL: nothing. */
    void (*init_weights)(const kdl__pretrained *self, kdl_module *module);
    const kdl__tie *ties; /* the last target is NULL; NULL: nothing is tied */
};

extern const kdl_module_class kdl__class_pretrained_model;

/* The base rules of PreTrainedModel._init_weights(). */
void kdl__init_weights(const kdl__pretrained *self, kdl_module *module);

/* The base rules' std for a config that has an initializer_range: where 0.0 counts as missing. */
static inline double kdl__base_std(double initializer_range)
{
    return initializer_range != 0 ? initializer_range : 0.02;
}

/*
 * PreTrainedModel.post_init(): initialises what no earlier pass has, children first, each by the
 * rules of the model that it is in; then ties. Returns what kdl__module_finish() does.
 */
kdl_module *kdl__post_init(kdl_module *model);

/* ---- modules that several families use --------------------------------------------------- */

/* transformers.pytorch_utils.Conv1D(nf, nx): a Linear with its weight transposed. */
extern const kdl_module_class kdl__class_conv1d;
kdl_module *kdl__conv1d(kdl_context *ctx, int64_t nf, int64_t nx, kdl_dtype dtype);

/* ACT2FN[name]; the error for an unknown name calls it by the configuration's `field`. */
kdl_module *kdl__hf_activation(const kdl__config *config, const char *field, const char *name);

/* The dropout before a token classifier, of the two fields that may tell it. */
static inline double kdl__classifier_dropout(double classifier_dropout, double hidden_dropout)
{
    if (!isnan(classifier_dropout))
        return classifier_dropout;
    return isnan(hidden_dropout) ? 0.1 : hidden_dropout;
}

/* nn.Linear in the configuration's dtype. */
kdl_module *kdl__hf_linear(const kdl__config *config, int64_t in_features, int64_t out_features,
                           bool bias);

#endif
