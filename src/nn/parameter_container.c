/* SPDX-License-Identifier: Apache-2.0 */
/* ParameterList and ParameterDict: modules that only hold parameters. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nn/arguments.h"

/* ---- printing ---------------------------------------------------------------------------- */

/* torch.typename(parameter): a Parameter has its class's. */
static void add_entry(kdl__text *text, const kdl__member *member, const char *kind)
{
    const kdl_tensor *tensor = member->tensor;
    kdl__text_printf(text, "%s  (%s): Parameter containing: [%s of size ",
                     text->length > 0 ? "\n" : "", member->name, kind);
    for (int d = 0; d < tensor->ndim; d++)
        kdl__text_printf(text, "%s%" PRId64, d > 0 ? "x" : "", tensor->dims[d]);
    kdl__text_puts(text, "]");
}

static char *repr(const kdl_module *module, bool as_dict)
{
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    for (size_t i = 0; i < module->count; i++) {
        const kdl__member *member = &module->members[i];
        char kind[64];
        if (member->kind != KDL__PARAMETER || !member->tensor)
            continue;
        kdl_dtype dtype = member->tensor->storage->dtype;
        snprintf(kind, sizeof kind, "torch.%s%s",
                 as_dict ? kdl_dtype_scalar_name(dtype) : kdl_dtype_name(dtype),
                 as_dict ? "Tensor" : "");
        add_entry(&text, member, kind);
    }
    return kdl__text_take(&text);
}

static char *list_repr(const kdl_module *module)
{
    return repr(module, false);
}

static char *dict_repr(const kdl_module *module)
{
    return repr(module, true);
}

KDL__LAYER(parameter_list, "ParameterList", NULL, size_t, kdl__no_arguments,
           .extra_repr = list_repr)
KDL__LAYER(parameter_dict, "ParameterDict", NULL, size_t, kdl__no_arguments,
           .extra_repr = dict_repr)

/* ---- shared ------------------------------------------------------------------------------ */

static bool check_class(kdl_module *module, const kdl_module_class *class, const char *operation)
{
    if (!kdl__module_refuses(module) && !kdl_isinstance(module, class))
        kdl__fail_at(module->ctx, "kdl_parameter_container", KDL_ERROR_KEY,
                     "'%s' object has no attribute '%s'", module->class->name, operation);
    return !kdl__module_refuses(module);
}

/* Puts a tensor (consumed) under a name, wrapped in a Parameter if it is none. */
static kdl_status put(kdl_module *module, const char *name, kdl_tensor *tensor)
{
    if (!tensor)
        return kdl__module_refuses(module)
                   ? kdl__module_refusal(module)
                   : kdl__fail_at(module->ctx, "kdl_parameter_container", KDL_ERROR_TYPE,
                                  "the value of '%s' is no tensor", name);
    return kdl_set_attribute(module, name,
                             tensor->is_parameter ? tensor : kdl_parameter_new(tensor));
}

static kdl_status refuse(kdl_module *module, kdl_tensor *tensor)
{
    kdl_tensor_release(tensor);
    return kdl__module_refusal(module);
}

/* ---- ParameterList ----------------------------------------------------------------------- */

int64_t kdl_parameter_count(const kdl_module *container)
{
    int64_t count = 0;
    for (size_t i = 0; container && i < container->count; i++)
        count += container->members[i].kind == KDL__PARAMETER;
    return count;
}

/* The name of list[index]; IndexError (false) out of range. */
static bool index_name(kdl_module *list, int64_t index, char name[24])
{
    int64_t count = kdl_parameter_count(list);
    if (index < -count || index >= count) {
        kdl__fail_at(list->ctx, "kdl_parameter_list_get", KDL_ERROR_INDEX,
                     "index %" PRId64 " is out of range", index);
        return false;
    }
    snprintf(name, 24, "%" PRId64, index + (index < 0 ? count : 0));
    return true;
}

kdl_tensor *kdl_parameter_list_get(kdl_module *list, int64_t index)
{
    char name[24];
    if (!check_class(list, KDL_CLASS_PARAMETER_LIST, "__getitem__") ||
        !index_name(list, index, name))
        return NULL;
    return kdl_parameter(list, name);
}

kdl_status kdl_parameter_list_set(kdl_module *list, int64_t index, kdl_tensor *tensor)
{
    char name[24];
    if (!check_class(list, KDL_CLASS_PARAMETER_LIST, "__setitem__") ||
        !index_name(list, index, name))
        return refuse(list, tensor);
    return put(list, name, tensor);
}

kdl_status kdl_parameter_list_append(kdl_module *list, kdl_tensor *tensor)
{
    char name[24];
    if (!check_class(list, KDL_CLASS_PARAMETER_LIST, "append"))
        return refuse(list, tensor);
    snprintf(name, sizeof name, "%" PRId64, kdl_parameter_count(list));
    return put(list, name, tensor);
}

kdl_status kdl_parameter_list_extend(kdl_module *list, kdl_module *other)
{
    if (!check_class(list, KDL_CLASS_PARAMETER_LIST, "extend") ||
        !check_class(other, KDL_CLASS_PARAMETER_LIST, "__iter__"))
        return kdl__module_refusal(list);
    int64_t count = kdl_parameter_count(other); /* it may be the list itself */
    for (int64_t i = 0; i < count && !kdl__failed(list->ctx); i++)
        kdl_parameter_list_append(list, kdl_tensor_retain(kdl_parameter_list_get(other, i)));
    return list->ctx->status;
}

/* ---- ParameterDict ----------------------------------------------------------------------- */

kdl_tensor *kdl_parameter_dict_get(kdl_module *dict, const char *key)
{
    if (!check_class(dict, KDL_CLASS_PARAMETER_DICT, "__getitem__"))
        return NULL;
    kdl_tensor *parameter = kdl_parameter(dict, key);
    if (!parameter)
        kdl__fail(dict->ctx, KDL_ERROR_KEY, "'ParameterDict' object has no attribute '%s'", key);
    return parameter;
}

kdl_status kdl_parameter_dict_set(kdl_module *dict, const char *key, kdl_tensor *tensor)
{
    if (!check_class(dict, KDL_CLASS_PARAMETER_DICT, "__setitem__"))
        return refuse(dict, tensor);
    return put(dict, key, tensor);
}

kdl_tensor *kdl_parameter_dict_pop(kdl_module *dict, const char *key)
{
    kdl_tensor *parameter = kdl_tensor_retain(kdl_parameter_dict_get(dict, key));
    if (parameter)
        kdl__module_take_out(dict, kdl__module_find(dict, key, strlen(key)));
    return parameter;
}

kdl_status kdl_parameter_dict_update(kdl_module *dict, kdl_module *other)
{
    if (!check_class(dict, KDL_CLASS_PARAMETER_DICT, "update") ||
        !check_class(other, KDL_CLASS_PARAMETER_DICT, "items"))
        return kdl__module_refusal(dict);
    for (size_t i = 0; i < other->count && !kdl__failed(dict->ctx); i++) {
        const kdl__member *member = &other->members[i];
        if (member->kind == KDL__PARAMETER && member->tensor)
            put(dict, member->name, kdl_tensor_retain(member->tensor));
    }
    return dict->ctx->status;
}

kdl_status kdl_parameter_dict_clear(kdl_module *dict)
{
    if (!check_class(dict, KDL_CLASS_PARAMETER_DICT, "clear"))
        return kdl__module_refusal(dict);
    for (size_t i = dict->count; i-- > 0;)
        if (dict->members[i].kind == KDL__PARAMETER)
            kdl__module_take_out(dict, &dict->members[i]);
    return KDL_OK;
}
