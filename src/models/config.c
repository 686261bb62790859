/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a config.json: typed fields, and what all configurations have in common. */
#include <math.h>
#include <string.h>

#include "base/json_python.h"
#include "models/models_impl.h"

json_t *kdl__config_parse(kdl_context *ctx, const char *text, size_t nbytes)
{
    json_t *json = kdl__json_parse(ctx, __func__, text, nbytes);
    if (json && !json_is_object(json)) {
        kdl__fail(ctx, KDL_ERROR_FORMAT, "the configuration is not a JSON object");
        json_decref(json);
        return NULL;
    }
    return json;
}

/* ---- typed fields ------------------------------------------------------------------------ */

static const char *json_kind(const json_t *json)
{
    double special;
    if (kdl__json_special(json, &special))
        return "a number that is not finite";
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a floating-point number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        break;
    }
    return "null";
}

static bool fail_type(const kdl__config *config, const char *name, const char *wanted,
                      const json_t *json)
{
    kdl__fail_at(config->ctx, "kdl_model_from_config", KDL_ERROR_FORMAT,
                 "\"%s\" must be %s, but is %s", name, wanted, json_kind(json));
    return false;
}

static bool read_size(const kdl__config *config, const char *name, const json_t *json,
                      int64_t maximum, int64_t *value)
{
    if (!json_is_integer(json))
        return fail_type(config, name, "an integer", json);
    *value = json_integer_value(json);
    if (*value >= 0 && *value <= maximum)
        return true;
    kdl__fail_at(config->ctx, "kdl_model_from_config", KDL_ERROR_FORMAT,
                 "\"%s\" must be from 0 to %lld, but is %lld", name, (long long)maximum,
                 (long long)*value);
    return false;
}

static bool read_number(const kdl__config *config, const char *name, const json_t *json,
                        bool integers, double *value)
{
    if (kdl__json_special(json, value))
        return true;
    /* transformers insists on 1.0 where it wants a float; an integer is a TypeError there. */
    if (!(integers ? json_is_number(json) : json_is_real(json)))
        return fail_type(config, name, integers ? "a number" : "a floating-point number", json);
    *value = json_number_value(json);
    return true;
}

/* Sets a field that may be null to None; false when it may not be. */
static bool read_null(kdl__config_type type, void *at)
{
    switch (type) {
    case KDL__CONFIG_OPTIONAL_SIZE:
    case KDL__CONFIG_OPTIONAL_INT:
        *(int64_t *)at = KDL_NONE_INT;
        return true;
    case KDL__CONFIG_OPTIONAL_NUMBER:
        *(double *)at = KDL_NONE_FLOAT;
        return true;
    case KDL__CONFIG_OPTIONAL_STRING:
        *(const char **)at = NULL;
        return true;
    default:
        return false;
    }
}

static bool read_field(const kdl__config *config, const kdl__config_field *field, const char *name,
                       const json_t *json, void *at)
{
    if (json_is_null(json) && read_null(field->type, at))
        return true;
    switch (field->type) {
    case KDL__CONFIG_SIZE:
    case KDL__CONFIG_OPTIONAL_SIZE:
        return read_size(config, name, json, field->maximum ? field->maximum : INT32_MAX, at);
    case KDL__CONFIG_OPTIONAL_INT:
        if (!json_is_integer(json))
            return fail_type(config, name, "an integer or null", json);
        *(int64_t *)at = json_integer_value(json);
        return true;
    case KDL__CONFIG_FLOAT:
        return read_number(config, name, json, false, at);
    case KDL__CONFIG_NUMBER:
    case KDL__CONFIG_OPTIONAL_NUMBER:
        return read_number(config, name, json, true, at);
    case KDL__CONFIG_BOOL:
        if (!json_is_boolean(json))
            return fail_type(config, name, "true or false", json);
        *(bool *)at = json_is_true(json);
        return true;
    case KDL__CONFIG_STRING:
    case KDL__CONFIG_OPTIONAL_STRING:
        if (!json_is_string(json))
            return fail_type(config, name, "a string", json);
        *(const char **)at = json_string_value(json);
        return true;
    }
    return false;
}

bool kdl__config_read(kdl__config *config, const kdl__config_field *fields)
{
    for (const kdl__config_field *field = fields; field->name; field++) {
        void *at = (char *)config + field->offset;
        const char *names[] = { field->name, field->alias };
        for (int i = 0; i < 2; i++) {
            const json_t *json = names[i] ? json_object_get(config->json, names[i]) : NULL;
            if (json && !read_field(config, field, names[i], json, at))
                return false;
        }
    }
    return true;
}

/* ---- what all configurations have -------------------------------------------------------- */

/* config.dtype, or torch_dtype as older versions wrote it: one of torch's names. */
static bool read_dtype(kdl__config *config)
{
    static const struct {
        const char *name;
        kdl_dtype dtype;
    } dtypes[] = {
        { "float32", KDL_F32 },   { "float", KDL_F32 },   { "float64", KDL_F64 },
        { "double", KDL_F64 },    { "float16", KDL_F16 }, { "half", KDL_F16 },
        { "bfloat16", KDL_BF16 },
    };
    const char *key = "dtype";
    const json_t *json = json_object_get(config->json, key);
    if (!json || json_is_null(json))
        json = json_object_get(config->json, key = "torch_dtype");
    config->dtype = KDL_F32;
    if (!json || json_is_null(json))
        return true;
    if (!json_is_string(json))
        return fail_type(config, key, "a string", json);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(json_string_value(json), dtypes[i].name) == 0) {
            config->dtype = dtypes[i].dtype;
            return true;
        }
    }
    kdl__fail_at(config->ctx, "kdl_model_from_config", KDL_ERROR_NOT_IMPLEMENTED,
                 "\"%s\" is \"%s\"; weights can be drawn in float32, float64, float16, bfloat16",
                 key, json_string_value(json));
    return false;
}

/*
 * num_labels is the length of id2label, 2 without one; where both are given, num_labels counts.
 * The check of problem_type comes before that.
 */
static bool read_labels(kdl__config *config)
{
    const json_t *id2label = json_object_get(config->json, "id2label");
    const json_t *num_labels = json_object_get(config->json, "num_labels");
    const json_t *problem_type = json_object_get(config->json, "problem_type");
    int64_t given = 2;
    if (num_labels && !read_size(config, "num_labels", num_labels, INT32_MAX, &given))
        return false;
    config->num_labels = given;
    if (id2label && !json_is_null(id2label)) {
        if (!json_is_object(id2label))
            return fail_type(config, "id2label", "an object", id2label);
        config->num_labels = (int64_t)json_object_size(id2label);
    }
    const char *problem = json_string_value(problem_type);
    if (problem && strcmp(problem, "single_label_classification") == 0 && config->num_labels == 1) {
        kdl__fail_at(config->ctx, "kdl_model_from_config", KDL_ERROR_VALUE,
                     "`problem_type=\"single_label_classification\"` requires `num_labels > 1`");
        return false;
    }
    if (num_labels)
        config->num_labels = given;
    return true;
}

bool kdl__config_read_common(kdl__config *config, kdl_dtype dtype)
{
    static const struct {
        const char *name, *reason;
    } refused[] = {
        { "quantization_config", "quantised weights are" },
        { "auto_map", "code that comes with a model is" },
        { "per_layer_config", "layers that differ from each other are" },
        { "pruned_heads", "pruned attention heads are" },
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const json_t *json = json_object_get(config->json, refused[i].name);
        if (!json || json_is_null(json) || (json_is_object(json) && json_object_size(json) == 0))
            continue;
        kdl__fail_at(config->ctx, "kdl_model_from_config", KDL_ERROR_NOT_IMPLEMENTED,
                     "\"%s\" cannot be honoured: %s not supported", refused[i].name,
                     refused[i].reason);
        return false;
    }
    if (!read_dtype(config) || !read_labels(config))
        return false;
    if (dtype != KDL_DTYPE_COUNT)
        config->dtype = dtype;
    return true;
}

const char *kdl__config_architecture(const kdl__config *config, bool *valid)
{
    const json_t *list = json_object_get(config->json, "architectures");
    *valid = true;
    if (!list || json_is_null(list) || (json_is_array(list) && json_array_size(list) == 0))
        return NULL;
    const char *name = json_string_value(json_array_get(list, 0));
    if (!name)
        *valid = fail_type(config, "architectures", "a list of class names", list);
    return name;
}
