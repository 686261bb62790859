/* SPDX-License-Identifier: Apache-2.0 */
/* ParameterDict: parameters by name (torch/nn/modules/container.py). */
#include "nn/container.h"
#include "nn/key_list.h"

/*
 * The keys have their own order, as in PyTorch: it stays when an element that was None becomes a
 * Parameter, which is then the last of the module's parameters.
 */
typedef struct parameter_dict {
    size_t nbytes;
    kdl_key_list *keys; /* NULL before the first */
} parameter_dict;

/* ---- the class --------------------------------------------------------------------------- */

static char *dict_repr(const kdl_module *module)
{
    const parameter_dict *dict = kdl_module_fields(module);
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    const char *key;
    for (size_t i = 0; (key = kdl_key_list_get(dict->keys, i)); i++) {
        kdl_tensor *element = kdl_attribute(module, key);
        kdl__text_element(&text, key, element,
                          element ? kdl_dtype_scalar_name(kdl_tensor_dtype(element)) : "",
                          "Tensor");
    }
    return kdl__text_take(&text);
}

static kdl_tensor *dict_forward(kdl_module *module, kdl_tensor *input)
{
    (void)input;
    kdl__fail(module->ctx, KDL_ERROR_RUNTIME, "ParameterDict should not be called.");
    return NULL;
}

static void destroy_dict(kdl_module *module)
{
    parameter_dict *dict = kdl_module_fields(module);
    kdl_key_list_release(dict->keys);
}

/* The keys, from now on there; NULL when memory is short. */
static kdl_key_list *keys_of(kdl_module *module)
{
    parameter_dict *dict = kdl_module_fields(module);
    if (!dict->keys)
        dict->keys = kdl_key_list_new(module->ctx);
    return dict->keys;
}

static void copy_dict(kdl_module *copy, const kdl_module *source)
{
    const parameter_dict *dict = kdl_module_fields(source);
    const char *key;
    for (size_t i = 0; (key = kdl_key_list_get(dict->keys, i)); i++)
        kdl_key_list_append(keys_of(copy), key);
}

KDL__LAYER(parameter_dict, "ParameterDict", NULL, parameter_dict, kdl__no_arguments,
           .extra_repr = dict_repr, .forward = dict_forward, .destroy = destroy_dict,
           .copy = copy_dict)

/* ---- a dictionary's operations ----------------------------------------------------------- */

static bool refuses_dict(const kdl_module *dict, const char *place)
{
    return kdl__refuses_type(dict, KDL_CLASS_PARAMETER_DICT, place);
}

const kdl_key_list *kdl_parameter_dict_keys(kdl_module *dict)
{
    return refuses_dict(dict, __func__) ? NULL : keys_of(dict);
}

int64_t kdl__parameter_dict_count(const kdl_module *dict)
{
    if (!kdl_isinstance(dict, KDL_CLASS_PARAMETER_DICT))
        return 0;
    const parameter_dict *fields = kdl_module_fields(dict);
    return (int64_t)kdl_key_list_count(fields->keys);
}

bool kdl_parameter_dict_contains(const kdl_module *dict, const char *key)
{
    if (!kdl_isinstance(dict, KDL_CLASS_PARAMETER_DICT))
        return false;
    const parameter_dict *fields = kdl_module_fields(dict);
    return kdl_key_list_contains(fields->keys, key);
}

kdl_status kdl_parameter_dict_set(kdl_module *dict, const char *key, kdl_tensor *value)
{
    if (refuses_dict(dict, __func__)) {
        kdl_tensor_release(value);
        return kdl__module_refusal(dict);
    }
    bool fresh = !kdl_parameter_dict_contains(dict, key);
    if (fresh && kdl_key_list_append(keys_of(dict), key) != KDL_OK) {
        kdl_tensor_release(value);
        return dict->ctx->status;
    }
    if (kdl__set_element(dict, key, value) != KDL_OK && fresh)
        kdl__key_list_take_out(keys_of(dict), kdl_key_list_count(keys_of(dict)) - 1);
    return dict->ctx->status;
}

kdl_tensor *kdl_parameter_dict_get(kdl_module *dict, const char *key)
{
    return refuses_dict(dict, __func__) ? NULL : kdl__get_element(dict, key, __func__);
}

kdl_tensor *kdl_parameter_dict_setdefault(kdl_module *dict, const char *key, kdl_tensor *value)
{
    if (kdl_parameter_dict_contains(dict, key))
        kdl_tensor_release(value);
    else
        kdl_parameter_dict_set(dict, key, value);
    return kdl_parameter_dict_get(dict, key);
}

kdl_tensor *kdl_parameter_dict_pop(kdl_module *dict, const char *key)
{
    kdl_tensor *value = kdl_parameter_dict_get(dict, key);
    if (kdl__module_refuses(dict))
        return NULL;
    if (!kdl_parameter_dict_contains(dict, key)) {
        kdl__fail_key(dict->ctx, __func__, key);
        return NULL;
    }
    kdl_tensor_retain(value);
    kdl_delete_attribute(dict, key);
    kdl_key_list_remove(keys_of(dict), key);
    return value;
}

kdl_tensor *kdl_parameter_dict_popitem(kdl_module *dict, char **key)
{
    *key = NULL;
    const kdl_key_list *keys = kdl_parameter_dict_keys(dict);
    if (!keys)
        return NULL;
    if (kdl_key_list_count(keys) == 0) {
        kdl__fail(dict->ctx, KDL_ERROR_KEY, "popitem(): dictionary is empty");
        return NULL;
    }
    *key = kdl__strdup(dict->ctx, kdl_key_list_get(keys, kdl_key_list_count(keys) - 1));
    kdl_tensor *value = *key ? kdl_parameter_dict_pop(dict, *key) : NULL;
    if (kdl__failed(dict->ctx)) {
        kdl_free(dict->ctx, *key);
        *key = NULL;
    }
    return value;
}

kdl_status kdl_parameter_dict_clear(kdl_module *dict)
{
    const char *key;
    const kdl_key_list *keys = kdl_parameter_dict_keys(dict);
    while (!kdl__module_refuses(dict) && (key = kdl_key_list_get(keys, 0)))
        kdl_tensor_release(kdl_parameter_dict_pop(dict, key));
    return kdl__module_refusal(dict);
}

kdl_status kdl_parameter_dict_update(kdl_module *dict, kdl_module *from)
{
    if (refuses_dict(dict, __func__))
        return kdl__module_refusal(dict);
    if (!kdl_isinstance(from, KDL_CLASS_PARAMETER_DICT))
        return kdl__fail(dict->ctx, KDL_ERROR_TYPE,
                         "ParametersDict.update should be called with an iterable of key/value "
                         "pairs, but got %s",
                         from ? from->class->name : "NoneType");
    const char *key;
    const kdl_key_list *keys = kdl_parameter_dict_keys(from);
    for (size_t i = 0; !kdl__failed(dict->ctx) && (key = kdl_key_list_get(keys, i)); i++) {
        kdl_tensor *value = kdl_parameter_dict_get(from, key);
        if (!kdl__failed(dict->ctx))
            kdl_parameter_dict_set(dict, key, kdl_tensor_retain(value));
    }
    return dict->ctx->status;
}

kdl_module *kdl_parameter_dict_copy(kdl_module *dict)
{
    if (refuses_dict(dict, __func__))
        return NULL;
    kdl_module *copy = kdl_nn_new(dict->ctx, KDL_CLASS_PARAMETER_DICT, NULL);
    if (copy)
        kdl_parameter_dict_update(copy, dict);
    return kdl__module_finish(copy);
}
