/* SPDX-License-Identifier: Apache-2.0 */
/* Sequential, ModuleList, ModuleDict: modules that only hold others, and what lists can do. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nn/arguments.h"

KDL__LAYER(sequential, "Sequential", NULL, size_t, kdl__no_arguments)
KDL__LAYER(module_list, "ModuleList", NULL, size_t, kdl__no_arguments)
KDL__LAYER(module_dict, "ModuleDict", NULL, size_t, kdl__no_arguments)

static bool is_list(const kdl_module *module)
{
    return kdl_isinstance(module, KDL_CLASS_SEQUENTIAL) ||
           kdl_isinstance(module, KDL_CLASS_MODULE_LIST);
}

/* Whether it is a list and nothing is wrong; `operation` is what is asked of it. */
static bool check_list(kdl_module *container, const char *operation)
{
    if (!kdl__module_refuses(container) && !is_list(container))
        kdl__fail_at(container->ctx, "kdl_append", KDL_ERROR_KEY,
                     "'%s' object has no attribute '%s'", container->class->name, operation);
    return !kdl__module_refuses(container);
}

/* container[index] as a member; IndexError and NULL out of range. */
static kdl__member *member_at(kdl_module *container, int64_t index)
{
    int64_t count = kdl_child_count(container), at = index < 0 ? index + count : index;
    for (size_t i = 0; i < container->count && at >= 0; i++)
        if (container->members[i].kind == KDL__MODULE && at-- == 0)
            return &container->members[i];
    kdl__fail_at(container->ctx, "kdl_child", KDL_ERROR_INDEX, "index %" PRId64 " is out of range",
                 index);
    return NULL;
}

/* ---- one more, one less ------------------------------------------------------------------ */

kdl_status kdl_append(kdl_module *container, kdl_module *child)
{
    check_list(container, "append");
    char name[24];
    snprintf(name, sizeof name, "%" PRId64, kdl_child_count(container));
    return kdl_add_module(container, name, child);
}

/* Moves the last child to `index`, and those from there on one further; names stay. */
static void rotate(kdl_module *container, int64_t index)
{
    kdl__member *last = member_at(container, -1);
    kdl_module *moved = last->module;
    for (int64_t i = kdl_child_count(container) - 1; i > index; i--)
        member_at(container, i)->module = member_at(container, i - 1)->module;
    member_at(container, index)->module = moved;
}

kdl_status kdl_insert(kdl_module *container, int64_t index, kdl_module *child)
{
    if (check_list(container, "insert")) {
        int64_t count = kdl_child_count(container);
        if (index < -count || index > count)
            kdl__fail(container->ctx, KDL_ERROR_INDEX, "Index out of range: %" PRId64, index);
        else
            index += index < 0 ? count : 0;
    }
    kdl_status status = kdl_append(container, child);
    if (!status)
        rotate(container, index);
    return status;
}

kdl_status kdl_extend(kdl_module *container, kdl_module *other)
{
    if (!check_list(container, "extend") || kdl__module_refuses(other))
        return container ? kdl__module_refusal(container) : KDL_ERROR_VALUE;
    int64_t count = kdl_child_count(other); /* it may be the container itself */
    for (int64_t i = 0; i < count && !kdl__failed(container->ctx); i++)
        kdl_append(container, kdl_module_retain(kdl_child(other, i)));
    return container->ctx->status;
}

kdl_status kdl_set_child(kdl_module *container, int64_t index, kdl_module *child)
{
    kdl__member *member = check_list(container, "__setitem__") ? member_at(container, index) : NULL;
    if (member)
        return kdl_add_module(container, member->name, child);
    kdl_module_release(child);
    return kdl__module_refusal(container);
}

/* Names "0", "1", ... for all children, in the place of theirs. */
static void renumber(kdl_module *container)
{
    int64_t number = 0;
    for (size_t i = 0; i < container->count && !kdl__failed(container->ctx); i++) {
        kdl__member *member = &container->members[i];
        if (member->kind != KDL__MODULE)
            continue;
        char *name = kdl__asprintf(container->ctx, "%" PRId64, number++);
        if (!name)
            return;
        kdl_free(container->ctx, member->name);
        member->name = name;
    }
}

kdl_module *kdl_pop(kdl_module *container, int64_t index)
{
    kdl__member *member = check_list(container, "pop") ? member_at(container, index) : NULL;
    if (!member)
        return NULL;
    kdl_module *child = kdl_module_retain(member->module);
    kdl__module_take_out(container, member);
    renumber(container);
    return child;
}

kdl_status kdl_delete_child(kdl_module *container, int64_t index)
{
    kdl_module_release(kdl_pop(container, index));
    return kdl__module_refusal(container);
}

/* ---- new containers ---------------------------------------------------------------------- */

kdl_module *kdl_children_slice(kdl_module *container, int64_t start, int64_t end, int64_t step)
{
    if (!check_list(container, "__getitem__"))
        return NULL;
    if (step <= 0) {
        kdl__fail(container->ctx, KDL_ERROR_VALUE,
                  step ? "step must be greater than zero" : "slice step cannot be zero");
        return NULL;
    }
    bool named = kdl_isinstance(container, KDL_CLASS_SEQUENTIAL);
    int64_t count = kdl_child_count(container);
    start = start < 0 ? start + count : start;
    end = end < 0 ? end + count : end;
    kdl_module *result = kdl_nn_new(container->ctx, container->class, NULL);
    for (int64_t i = start < 0 ? 0 : start; result && i < end && i < count; i += step) {
        const kdl__member *member = member_at(container, i);
        if (named)
            kdl_add_module(result, member->name, kdl_module_retain(member->module));
        else
            kdl_append(result, kdl_module_retain(member->module));
    }
    return result ? kdl__module_finish(result) : NULL;
}

kdl_module *kdl_concatenate(kdl_module *a, kdl_module *b)
{
    if (!check_list(a, "__add__") || kdl__module_refuses(b))
        return NULL;
    bool sequential = kdl_isinstance(a, KDL_CLASS_SEQUENTIAL);
    if (sequential && !kdl_isinstance(b, KDL_CLASS_SEQUENTIAL)) {
        kdl__fail(a->ctx, KDL_ERROR_VALUE,
                  "add operator supports only objects of Sequential class, but %s is given.",
                  b->class->name);
        return NULL;
    }
    kdl_module *result =
        kdl_nn_new(a->ctx, sequential ? KDL_CLASS_SEQUENTIAL : KDL_CLASS_MODULE_LIST, NULL);
    kdl_extend(result, a);
    kdl_extend(result, b);
    return result ? kdl__module_finish(result) : NULL;
}

kdl_module *kdl_repeat(kdl_module *sequential, int64_t times)
{
    if (!check_list(sequential, "__mul__"))
        return NULL;
    if (times <= 0 || !kdl_isinstance(sequential, KDL_CLASS_SEQUENTIAL)) {
        kdl__fail(sequential->ctx, KDL_ERROR_VALUE,
                  "Non-positive multiplication factor %" PRId64 " for %s, or no Sequential", times,
                  sequential->class->name);
        return NULL;
    }
    kdl_module *result = kdl_nn_new(sequential->ctx, KDL_CLASS_SEQUENTIAL, NULL);
    for (int64_t i = 0; i < times && !kdl__failed(sequential->ctx); i++)
        kdl_extend(result, sequential);
    return result ? kdl__module_finish(result) : NULL;
}

/* ---- dictionaries ------------------------------------------------------------------------ */

static bool check_dict(kdl_module *dict, const char *operation)
{
    if (!kdl__module_refuses(dict) && !kdl_isinstance(dict, KDL_CLASS_MODULE_DICT))
        kdl__fail_at(dict->ctx, "kdl_module_dict", KDL_ERROR_KEY,
                     "'%s' object has no attribute '%s'", dict->class->name, operation);
    return !kdl__module_refuses(dict);
}

kdl_module *kdl_module_dict_pop(kdl_module *dict, const char *key)
{
    if (!check_dict(dict, "pop"))
        return NULL;
    kdl__member *member = kdl__module_find(dict, key, strlen(key));
    if (!member || member->kind != KDL__MODULE) {
        kdl__fail(dict->ctx, KDL_ERROR_KEY, "'%s'", key);
        return NULL;
    }
    kdl_module *child = kdl_module_retain(member->module);
    kdl__module_take_out(dict, member);
    return child;
}

kdl_status kdl_module_dict_update(kdl_module *dict, kdl_module *other)
{
    if (!check_dict(dict, "update") || !check_dict(other, "keys"))
        return kdl__module_refusal(dict);
    for (size_t i = 0; i < other->count && !kdl__failed(dict->ctx); i++) {
        const kdl__member *member = &other->members[i];
        if (member->kind == KDL__MODULE)
            kdl_add_module(dict, member->name, kdl_module_retain(member->module));
    }
    return dict->ctx->status;
}

kdl_status kdl_module_dict_clear(kdl_module *dict)
{
    if (!check_dict(dict, "clear"))
        return kdl__module_refusal(dict);
    for (size_t i = dict->count; i-- > 0;)
        if (dict->members[i].kind == KDL__MODULE)
            kdl__module_take_out(dict, &dict->members[i]);
    return KDL_OK;
}
