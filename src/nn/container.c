/* SPDX-License-Identifier: Apache-2.0 */
/* Sequential and ModuleList: modules in a list (torch/nn/modules/container.py). */
#include "nn/container.h"

#include <string.h>

KDL__LAYER(sequential, "Sequential", NULL, size_t, kdl__no_arguments)
KDL__LAYER(module_list, "ModuleList", NULL, size_t, kdl__no_arguments)

#define NUMBER_NBYTES 24

static void write_number(char *name, int64_t number)
{
    snprintf(name, NUMBER_NBYTES, "%lld", (long long)number);
}

/* ---- indices ----------------------------------------------------------------------------- */

static int64_t clamp_index(int64_t index, int64_t length, int64_t lowest, int64_t highest)
{
    if (index < 0)
        return index + length > lowest ? index + length : lowest;
    return index < highest ? index : highest;
}

bool kdl__slice_indices(kdl_context *ctx, int64_t length, int64_t start, int64_t stop, int64_t step,
                        kdl__slice *slice)
{
    if (step == 0) {
        kdl__fail(ctx, KDL_ERROR_VALUE, "slice step cannot be zero");
        return false;
    }
    if (step == KDL_NONE_INT)
        step = 1;
    bool back = step < 0;
    int64_t lowest = back ? -1 : 0, highest = back ? length - 1 : length;
    if (start == KDL_NONE_INT)
        start = back ? highest : lowest;
    else
        start = clamp_index(start, length, lowest, highest);
    if (stop == KDL_NONE_INT)
        stop = back ? lowest : highest;
    else
        stop = clamp_index(stop, length, lowest, highest);
    int64_t span = back ? start - stop : stop - start, stride = back ? -step : step;
    *slice = (kdl__slice){ start, step, span > 0 ? (span - 1) / stride + 1 : 0 };
    return true;
}

int64_t kdl__list_index(kdl_context *ctx, int64_t length, int64_t index, const char *place)
{
    int64_t at = index < 0 ? index + length : index;
    if (at >= 0 && at < length)
        return at;
    kdl__fail_at(ctx, place, KDL_ERROR_INDEX, "index %lld is out of range", (long long)index);
    return -1;
}

/* ---- looking up -------------------------------------------------------------------------- */

static bool is_list(const kdl_module *module)
{
    return kdl_isinstance(module, KDL_CLASS_SEQUENTIAL) ||
           kdl_isinstance(module, KDL_CLASS_MODULE_LIST);
}

/* True when an error stands, or when `container` is no list of modules: AttributeError's text. */
static bool refuses(const kdl_module *container, const char *method, const char *place)
{
    if (!kdl__module_refuses(container) && !is_list(container))
        kdl__fail_at(container->ctx, place, KDL_ERROR_KEY, "'%s' object has no attribute '%s'",
                     container->class->name, method);
    return kdl__module_refuses(container);
}

int64_t kdl_child_count(const kdl_module *module)
{
    int64_t count = 0;
    for (size_t i = 0; module && i < module->count; i++)
        count += module->members[i].kind == KDL__MODULE;
    return count;
}

/* The member that is the module at a place, which exists. */
static kdl__member *nth(kdl_module *container, int64_t place)
{
    kdl__member *member = container->members;
    while (member->kind != KDL__MODULE || place-- > 0)
        member++;
    return member;
}

/*
 * container[index] as a place among its modules, or -1: an error. A ModuleList looks for the name,
 * which is the place, too, unless modules were added under other names.
 */
static int64_t find_place(kdl_module *container, int64_t index, const char *function)
{
    char name[NUMBER_NBYTES];
    int64_t count = kdl_child_count(container);
    int64_t place = kdl__list_index(container->ctx, count, index, function);
    if (place < 0 || !kdl_isinstance(container, KDL_CLASS_MODULE_LIST))
        return place;
    write_number(name, place);
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(nth(container, (place + i) % count)->name, name) == 0)
            return (place + i) % count;
    }
    kdl__fail_key(container->ctx, function, name);
    return -1;
}

kdl_module *kdl_child(kdl_module *module, int64_t index)
{
    int64_t place = kdl__module_refuses(module) ? -1 : find_place(module, index, __func__);
    return place < 0 ? NULL : nth(module, place)->module;
}

const char *kdl_child_name(kdl_module *module, int64_t index)
{
    if (kdl__module_refuses(module))
        return NULL;
    int64_t place = kdl__list_index(module->ctx, kdl_child_count(module), index, __func__);
    return place < 0 ? NULL : nth(module, place)->name;
}

/* ---- changing ---------------------------------------------------------------------------- */

kdl_status kdl_append(kdl_module *container, kdl_module *child)
{
    char name[NUMBER_NBYTES];
    if (refuses(container, "append", __func__)) {
        kdl_module_release(child);
        return kdl__module_refusal(container);
    }
    write_number(name, kdl_child_count(container));
    return kdl_add_module(container, name, child);
}

kdl_status kdl_set_child(kdl_module *container, int64_t index, kdl_module *child)
{
    int64_t place = -1;
    if (!refuses(container, "__setitem__", __func__))
        place = find_place(container, index, __func__);
    if (place >= 0)
        return kdl_add_module(container, nth(container, place)->name, child);
    kdl_module_release(child);
    return kdl__module_refusal(container);
}

/* PyTorch's checks of insert(); the index from the start. */
static bool check_insertion(kdl_module *container, int64_t *index)
{
    const char *place = "kdl_insert";
    kdl_context *ctx = container->ctx;
    int64_t count = kdl_child_count(container);
    if (kdl_isinstance(container, KDL_CLASS_SEQUENTIAL)) {
        if (*index < -count || *index > count)
            kdl__fail_at(ctx, place, KDL_ERROR_INDEX, "Index out of range: %lld",
                         (long long)*index);
        *index += *index < 0 ? count : 0;
    }
    for (int64_t i = count - 1; i >= *index && !kdl__failed(ctx); i--) {
        char name[NUMBER_NBYTES];
        write_number(name, i);
        const kdl__member *member = kdl__module_find(container, name, strlen(name));
        if (!member || member->kind != KDL__MODULE)
            kdl__fail_key(ctx, place, name);
    }
    return !kdl__failed(ctx);
}

kdl_status kdl_insert(kdl_module *container, int64_t index, kdl_module *child)
{
    char name[NUMBER_NBYTES];
    if (refuses(container, "insert", __func__) || !check_insertion(container, &index)) {
        kdl_module_release(child);
        return kdl__module_refusal(container);
    }
    int64_t count = kdl_child_count(container);
    write_number(name, index > count ? index : count);
    if (kdl_add_module(container, name, child))
        return container->ctx->status;
    /* Behind the others it is; now it goes forward past those that come after it. */
    kdl__member *later = kdl__module_find(container, name, strlen(name));
    for (int64_t i = count - 1; i >= index; i--) {
        write_number(name, i);
        kdl__member *earlier = kdl__module_find(container, name, strlen(name));
        kdl_module *moved = earlier->module;
        earlier->module = later->module;
        later->module = moved;
        later = earlier;
    }
    return KDL_OK;
}

/* The names "0", "1", ... for so many modules; NULL on failure. */
static char **make_names(kdl_module *container, int64_t count, const char *place)
{
    kdl_context *ctx = container->ctx;
    char **names = kdl__alloc_zeroed(ctx, (size_t)count + 1, sizeof *names);
    for (int64_t i = 0; i < count && !kdl__failed(ctx); i++) {
        char name[NUMBER_NBYTES];
        write_number(name, i);
        const kdl__member *member = kdl__module_find(container, name, strlen(name));
        if (member && member->kind != KDL__MODULE)
            kdl__fail_at(ctx, place, KDL_ERROR_KEY, "attribute '%s' already exists", name);
        else
            names[i] = kdl__strdup(ctx, name);
    }
    if (!kdl__failed(ctx))
        return names;
    for (int64_t i = 0; names && i < count; i++)
        kdl_free(ctx, names[i]);
    kdl_free(ctx, names);
    return NULL;
}

/* Deletes modules, and numbers those that are left. */
static kdl_status delete_slice(kdl_module *container, kdl__slice slice, const char *place)
{
    int64_t left = kdl_child_count(container) - slice.count;
    char **names = make_names(container, left, place), **next = names;
    if (!names)
        return container->ctx->status;
    for (int64_t i = 0; i < slice.count; i++) {
        int64_t from_end = slice.step > 0 ? slice.count - 1 - i : i; /* the last one first */
        kdl__module_take_out(container, nth(container, slice.start + from_end * slice.step));
    }
    for (size_t i = 0; i < container->count; i++) {
        if (container->members[i].kind != KDL__MODULE)
            continue;
        kdl_free(container->ctx, container->members[i].name);
        container->members[i].name = *next++;
    }
    kdl_free(container->ctx, names);
    return KDL_OK;
}

kdl_module *kdl_pop(kdl_module *container, int64_t index)
{
    int64_t place = -1;
    if (!refuses(container, "pop", __func__))
        place = find_place(container, index, __func__);
    if (place < 0)
        return NULL;
    kdl_module *child = kdl_module_retain(nth(container, place)->module);
    delete_slice(container, (kdl__slice){ place, 1, 1 }, __func__);
    return kdl__module_finish(child);
}

kdl_status kdl_delete_child(kdl_module *container, int64_t index)
{
    kdl_module_release(kdl_pop(container, index));
    return kdl__module_refusal(container);
}

kdl_status kdl_delete_children(kdl_module *container, int64_t start, int64_t stop, int64_t step)
{
    kdl__slice slice;
    if (!refuses(container, "__delitem__", __func__) &&
        kdl__slice_indices(container->ctx, kdl_child_count(container), start, stop, step, &slice))
        delete_slice(container, slice, __func__);
    return kdl__module_refusal(container);
}

/* ---- several at a time ------------------------------------------------------------------- */

kdl_module *kdl_children_slice(kdl_module *container, int64_t start, int64_t stop, int64_t step)
{
    kdl__slice slice;
    if (refuses(container, "__getitem__", __func__) ||
        !kdl__slice_indices(container->ctx, kdl_child_count(container), start, stop, step, &slice))
        return NULL;
    bool keeps_names = kdl_isinstance(container, KDL_CLASS_SEQUENTIAL);
    kdl_module *part = kdl_nn_new(container->ctx, container->class, NULL);
    for (int64_t i = 0; part && i < slice.count; i++) {
        kdl__member *member = nth(container, slice.start + i * slice.step);
        kdl_module *child = kdl_module_retain(member->module);
        if (keeps_names)
            kdl_add_module(part, member->name, child);
        else
            kdl_append(part, child);
    }
    return kdl__module_finish(part);
}

/* True when an error stands, or when `from` gives no modules: PyTorch's TypeError. */
static bool refuses_source(const kdl_module *container, const kdl_module *from)
{
    kdl_context *ctx = container->ctx;
    const char *type = from ? from->class->name : "NoneType", *place = "kdl_extend";
    if (from && is_list(from))
        return false;
    if (kdl_isinstance(from, KDL_CLASS_MODULE_DICT)) /* which gives its keys */
        kdl__fail_at(ctx, place, KDL_ERROR_TYPE, "str is not a Module subclass");
    else if (kdl_isinstance(container, KDL_CLASS_MODULE_LIST))
        kdl__fail_at(ctx, place, KDL_ERROR_TYPE,
                     "ModuleList.extend should be called with an iterable, but got %s", type);
    else
        kdl__fail_at(ctx, place, KDL_ERROR_TYPE, "'%s' object is not iterable", type);
    return true;
}

static void append_all(kdl_module *container, kdl_module *from)
{
    int64_t count = kdl_child_count(from);
    for (int64_t i = 0; i < count && !kdl__module_refuses(container); i++)
        kdl_append(container, kdl_module_retain(nth(from, i)->module));
}

kdl_status kdl_extend(kdl_module *container, kdl_module *from)
{
    if (refuses(container, "extend", __func__) || refuses_source(container, from))
        return kdl__module_refusal(container);
    append_all(container, from);
    return container->ctx->status;
}

/* str(type(module)), without the module in which a class of the user's is. */
static void write_type(char *text, size_t nbytes, const kdl_module *module)
{
    const char *name = module ? module->class->name : "NoneType";
    bool ours = kdl_module_is(module, KDL_CLASS_SEQUENTIAL) ||
                kdl_module_is(module, KDL_CLASS_MODULE_LIST) ||
                kdl_module_is(module, KDL_CLASS_MODULE_DICT);
    snprintf(text, nbytes, "<class '%s%s'>", ours ? "torch.nn.modules.container." : "", name);
}

kdl_module *kdl_concatenate(kdl_module *first, kdl_module *second)
{
    char type[128];
    if (refuses(first, "__add__", __func__))
        return NULL;
    bool list = kdl_isinstance(first, KDL_CLASS_MODULE_LIST);
    if (!list && !kdl_isinstance(second, KDL_CLASS_SEQUENTIAL)) {
        write_type(type, sizeof type, second);
        kdl__fail(first->ctx, KDL_ERROR_VALUE,
                  "add operator supports only objects of Sequential class, but %s is given.", type);
        return NULL;
    }
    if (refuses_source(first, second))
        return NULL;
    kdl_module *both =
        kdl_nn_new(first->ctx, list ? KDL_CLASS_MODULE_LIST : KDL_CLASS_SEQUENTIAL, NULL);
    append_all(both, first);
    append_all(both, second);
    return kdl__module_finish(both);
}

kdl_module *kdl_repeat(kdl_module *sequential, int64_t times)
{
    char type[128];
    if (kdl__refuses_type(sequential, KDL_CLASS_SEQUENTIAL, __func__))
        return NULL;
    if (times <= 0) {
        write_type(type, sizeof type, sequential);
        kdl__fail(sequential->ctx, KDL_ERROR_VALUE,
                  "Non-positive multiplication factor %lld for %s", (long long)times, type);
        return NULL;
    }
    kdl_module *repeated = kdl_nn_sequential(sequential->ctx);
    bool empty = kdl_child_count(sequential) == 0;
    for (int64_t i = 0; i < times && !empty && !kdl__module_refuses(repeated); i++)
        append_all(repeated, sequential);
    return kdl__module_finish(repeated);
}
