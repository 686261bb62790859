/* SPDX-License-Identifier: Apache-2.0 */
/* ModuleDict: modules by name (torch/nn/modules/container.py). */
#include <string.h>

#include "nn/container.h"
#include "nn/key_list.h"

KDL__LAYER(module_dict, "ModuleDict", NULL, size_t, kdl__no_arguments)

kdl_status kdl__fail_key(kdl_context *ctx, const char *place, const char *key)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_quoted(&text, key);
    if (!kdl__failed(ctx))
        kdl__fail_at(ctx, place, KDL_ERROR_KEY, "%.*s", (int)text.length, text.data);
    kdl__text_free(&text);
    return ctx->status;
}

static kdl__member *find(const kdl_module *dict, const char *key)
{
    kdl__member *member = kdl__module_find(dict, key, strlen(key));
    return member && member->kind == KDL__MODULE ? member : NULL;
}

bool kdl_module_dict_contains(const kdl_module *dict, const char *key)
{
    return find(dict, key);
}

kdl_module *kdl_module_dict_get(kdl_module *dict, const char *key)
{
    if (kdl__refuses_type(dict, KDL_CLASS_MODULE_DICT, __func__))
        return NULL;
    kdl__member *member = find(dict, key);
    if (!member)
        kdl__fail_key(dict->ctx, __func__, key);
    return member ? member->module : NULL;
}

kdl_module *kdl_module_dict_pop(kdl_module *dict, const char *key)
{
    if (kdl__refuses_type(dict, KDL_CLASS_MODULE_DICT, __func__))
        return NULL;
    kdl__member *member = find(dict, key);
    if (!member) {
        kdl__fail_key(dict->ctx, __func__, key);
        return NULL;
    }
    kdl_module *module = kdl_module_retain(member->module);
    kdl__module_take_out(dict, member);
    return module;
}

kdl_status kdl_module_dict_clear(kdl_module *dict)
{
    if (kdl__refuses_type(dict, KDL_CLASS_MODULE_DICT, __func__))
        return kdl__module_refusal(dict);
    for (size_t i = dict->count; i-- > 0;) {
        if (dict->members[i].kind == KDL__MODULE)
            kdl__module_take_out(dict, &dict->members[i]);
    }
    return KDL_OK;
}

kdl_status kdl_module_dict_update(kdl_module *dict, const kdl_module *from)
{
    if (kdl__refuses_type(dict, KDL_CLASS_MODULE_DICT, __func__))
        return kdl__module_refusal(dict);
    if (!kdl_isinstance(from, KDL_CLASS_MODULE_DICT))
        return kdl__fail(dict->ctx, KDL_ERROR_TYPE,
                         "ModuleDict.update should be called with an iterable of key/value pairs, "
                         "but got %s",
                         from ? from->class->name : "NoneType");
    for (size_t i = 0; i < from->count && !kdl__failed(dict->ctx); i++) {
        const kdl__member *member = &from->members[i];
        if (member->kind == KDL__MODULE)
            kdl_add_module(dict, member->name, kdl_module_retain(member->module));
    }
    return dict->ctx->status;
}

kdl_status kdl_add_item(kdl_module *module, kdl_module_item item)
{
    return kdl_add_module(module, item.name, item.module);
}
