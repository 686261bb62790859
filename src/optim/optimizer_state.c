/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Optimizer.state_dict() and load_state_dict(): tensors "state.<index>.<name>" as PyTorch names
 * them, parameter groups as the JSON of PyTorch's param_groups. Files hold both.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_python.h"
#include "optim/optimizer.h"

static bool refuses(const kdl_optimizer *optimizer)
{
    return !optimizer || kdl__failed(optimizer->ctx);
}

static kdl_status refusal(const kdl_optimizer *optimizer)
{
    return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
}

/* ---- saving ------------------------------------------------------------------------------ */

void kdl__put_state(kdl_state_dict *dict, size_t index, const char *name, kdl_tensor *tensor)
{
    kdl_context *ctx = kdl_state_dict_context(dict);
    char *key = kdl__asprintf(ctx, "state.%zu.%s", index, name);
    if (key)
        kdl_state_dict_set(dict, key, tensor);
    else
        kdl_tensor_release(tensor);
    kdl_free(ctx, key);
}

kdl_tensor *kdl__number_tensor(kdl_context *ctx, double value, kdl_dtype dtype)
{
    kdl_tensor *tensor = kdl__new_values(ctx, dtype, 0, NULL);
    void *data = tensor ? tensor->storage->data : NULL;
    if (tensor && dtype == KDL_F64)
        *(double *)data = value;
    else if (tensor && dtype == KDL_I64)
        *(int64_t *)data = (int64_t)value;
    else if (tensor)
        *(float *)data = (float)value;
    return tensor;
}

static void save_param(const kdl__optim_param *param, size_t index, kdl_state_dict *dict)
{
    const kdl__optim_class *class = param->class;
    kdl_context *ctx = kdl_state_dict_context(dict);
    bool has_state = param->scalars[0] > 0;
    for (int i = 0; i < KDL__MAX_STATES; i++)
        has_state = has_state || param->states[i];
    for (int i = 0; has_state && i < KDL__MAX_SCALARS && class->scalars[i]; i++)
        kdl__put_state(
            dict, index, class->scalars[i],
            kdl__number_tensor(ctx, param->scalars[i], param->wide && i ? KDL_F64 : KDL_F32));
    for (int i = 0; i < KDL__MAX_STATES; i++)
        if (param->states[i])
            kdl__put_state(dict, index, class->states[i], kdl_tensor_retain(param->states[i]));
}

kdl_state_dict *kdl_optimizer_state_dict(kdl_optimizer *optimizer)
{
    if (refuses(optimizer))
        return NULL;
    kdl_state_dict *dict = kdl_state_dict_new(optimizer->ctx);
    size_t index = 0;
    for (size_t g = 0; dict && g < optimizer->count; g++)
        for (size_t i = 0; i < optimizer->groups[g].count && !refuses(optimizer); i++)
            save_param(&optimizer->groups[g].params[i], index++, dict);
    if (dict && optimizer->class->save_own)
        optimizer->class->save_own(optimizer, dict);
    if (!refuses(optimizer))
        return dict;
    kdl_state_dict_release(dict);
    return NULL;
}

/* Begins an entry of a JSON object. */
static void add_key(kdl__text *json, const char *key)
{
    kdl__text_printf(json, "\"%s\": ", key);
}

static void add_number(kdl__text *json, double value)
{
    if (value == value)
        kdl__json_add_any_number(json, value);
    else
        kdl__text_puts(json, "null");
}

static void add_hyper(kdl__text *json, const kdl__hyper *hyper, void *options)
{
    const double *numbers = kdl__hyper_place(hyper, options);
    const char *const *text = (const void *)numbers;
    add_key(json, hyper->key);
    switch (hyper->kind) {
    case KDL__HYPER_NUMBER:
        for (int i = 0; i < hyper->count; i++) {
            kdl__text_puts(json, hyper->count == 1 ? "" : i == 0 ? "[" : ", ");
            add_number(json, numbers[i]);
        }
        kdl__text_puts(json, hyper->count > 1 ? "]" : "");
        break;
    case KDL__HYPER_INT:
        kdl__text_printf(json, "%lld", (long long)*(const int64_t *)(const void *)numbers);
        break;
    case KDL__HYPER_FLAG:
        kdl__text_puts(json, *(const bool *)(const void *)numbers ? "true" : "false");
        break;
    case KDL__HYPER_TEXT:
        if (*text)
            kdl__json_add_string(json, *text);
        else
            kdl__text_puts(json, "null");
        break;
    case KDL__HYPER_FIXED:
        kdl__text_puts(json, hyper->what);
        break;
    }
    kdl__text_puts(json, ", ");
}

/* `index` is the first parameter's. */
static void add_group(kdl__text *json, const kdl_optimizer *optimizer, size_t g, size_t index)
{
    const kdl__optim_group *group = &optimizer->groups[g];
    kdl__text_puts(json, "{");
    for (int i = 0; i < optimizer->class->hyper_count; i++)
        add_hyper(json, &optimizer->class->hypers[i], group->options);
    for (int i = 0; i < KDL__SCHEDULED_COUNT; i++) {
        if (!group->has_scheduled[i])
            continue;
        add_key(json, kdl__scheduled_keys[i]);
        add_number(json, group->scheduled[i]);
        kdl__text_puts(json, ", ");
    }
    add_key(json, "params");
    kdl__text_puts(json, "[");
    for (size_t i = 0; i < group->count; i++)
        kdl__text_printf(json, "%s%zu", i ? ", " : "", index + i);
    kdl__text_puts(json, "]}");
}

char *kdl_optimizer_param_groups(kdl_optimizer *optimizer)
{
    if (refuses(optimizer))
        return NULL;
    kdl__text json;
    kdl__text_init(&json, optimizer->ctx);
    size_t index = 0;
    for (size_t g = 0; g < optimizer->count; g++) {
        kdl__text_puts(&json, g ? ", " : "[");
        add_group(&json, optimizer, g, index);
        index += optimizer->groups[g].count;
    }
    kdl__text_puts(&json, "]");
    return kdl__text_take(&json);
}

/* ---- loading ----------------------------------------------------------------------------- */

/* What is read before anything is changed: all groups, without their tensors' references. */
typedef struct loading {
    kdl_optimizer *optimizer;
    kdl_context *ctx;
    const char *place;
    json_t *json;
    kdl__optim_group *groups; /* as many as the optimiser has */
    int64_t *ids;             /* of each parameter, in the order of the groups */
    size_t count, next;       /* of parameters; where the next id probably is */
    void *own;                /* for one that evaluates the loss itself */
} loading;

static kdl_status fail_entry(loading *l, const char *key, const char *wanted)
{
    return kdl__fail_at(l->ctx, l->place, KDL_ERROR_TYPE, "param_groups: \"%s\" must be %s", key,
                        wanted);
}

static void read_number(loading *l, const char *key, const json_t *json, double *value)
{
    if (json_is_null(json))
        *value = KDL_NONE_FLOAT;
    else if (!kdl__json_number(json, value))
        fail_entry(l, key, "a number");
}

/* PyTorch's __setstate__() gives flags that older states lack their defaults; the rest must be. */
static void read_hyper(loading *l, const kdl__hyper *hyper, void *options, const json_t *json)
{
    void *place = kdl__hyper_place(hyper, options);
    const json_t *value = json_object_get(json, hyper->key);
    if (hyper->kind == KDL__HYPER_FIXED)
        return;
    if (!value && hyper->kind == KDL__HYPER_FLAG)
        *(bool *)place = *(bool *)kdl__hyper_place(hyper, (void *)l->optimizer->class->defaults);
    else if (!value)
        kdl__fail_at(l->ctx, l->place, KDL_ERROR_KEY, "'%s'", hyper->key);
    else if (hyper->kind == KDL__HYPER_FLAG && json_is_boolean(value))
        *(bool *)place = json_is_true(value);
    else if (hyper->kind == KDL__HYPER_INT && json_is_integer(value))
        *(int64_t *)place = json_integer_value(value);
    else if (hyper->kind == KDL__HYPER_TEXT && json_is_null(value))
        *(const char **)place = NULL;
    else if (hyper->kind == KDL__HYPER_TEXT && json_is_string(value))
        *(const char **)place =
            kdl__intern(l->ctx, json_string_value(value), json_string_length(value));
    else if (hyper->kind == KDL__HYPER_NUMBER && hyper->count == 1)
        read_number(l, hyper->key, value, place);
    else if (hyper->kind == KDL__HYPER_NUMBER && json_array_size(value) == (size_t)hyper->count)
        for (int i = 0; i < hyper->count; i++)
            read_number(l, hyper->key, json_array_get(value, (size_t)i), (double *)place + i);
    else
        fail_entry(l, hyper->key,
                   hyper->kind == KDL__HYPER_FLAG   ? "true or false"
                   : hyper->kind == KDL__HYPER_INT  ? "an integer"
                   : hyper->kind == KDL__HYPER_TEXT ? "a string"
                                                    : "a list of numbers");
}

static void read_group(loading *l, size_t g, const json_t *json)
{
    const kdl__optim_class *class = l->optimizer->class;
    kdl__optim_group *group = &l->groups[g], *old = &l->optimizer->groups[g];
    group->count = old->count;
    group->params = kdl__alloc_zeroed(l->ctx, old->count, sizeof *group->params);
    group->options = kdl__alloc(l->ctx, 1, class->options_nbytes);
    if (!group->params || !group->options)
        return;
    memcpy(group->options, old->options, class->options_nbytes);
    for (int i = 0; i < class->hyper_count && !kdl__failed(l->ctx); i++)
        read_hyper(l, &class->hypers[i], group->options, json);
    for (int i = 0; i < KDL__SCHEDULED_COUNT && !kdl__failed(l->ctx); i++) {
        const json_t *value = json_object_get(json, kdl__scheduled_keys[i]);
        group->has_scheduled[i] = value;
        if (value)
            read_number(l, kdl__scheduled_keys[i], value, &group->scheduled[i]);
    }
    const json_t *ids = json_object_get(json, "params"), *id;
    for (size_t i = 0; i < group->count && !kdl__failed(l->ctx); i++) {
        id = json_array_get(ids, i);
        if (!json_is_integer(id))
            fail_entry(l, "params", "a list of integers");
        l->ids[l->count++] = json_integer_value(id);
    }
}

/* Reads the groups after PyTorch's own checks. */
static kdl_status read_groups(loading *l)
{
    kdl_optimizer *optimizer = l->optimizer;
    size_t params = 0;
    if (!json_is_array(l->json))
        return kdl__fail_at(l->ctx, l->place, KDL_ERROR_TYPE, "param_groups must be a list");
    if (json_array_size(l->json) != optimizer->count)
        return kdl__fail_at(l->ctx, l->place, KDL_ERROR_VALUE,
                            "loaded state dict has a different number of parameter groups");
    for (size_t g = 0; g < optimizer->count; g++) {
        const json_t *ids = json_object_get(json_array_get(l->json, g), "params");
        if (json_array_size(ids) != optimizer->groups[g].count)
            return kdl__fail_at(l->ctx, l->place, KDL_ERROR_VALUE,
                                "loaded state dict contains a parameter group that doesn't match "
                                "the size of optimizer's group");
        params += optimizer->groups[g].count;
    }
    l->groups = kdl__alloc_zeroed(l->ctx, optimizer->count, sizeof *l->groups);
    l->ids = kdl__alloc(l->ctx, params, sizeof *l->ids);
    for (size_t g = 0; l->groups && l->ids && g < optimizer->count && !kdl__failed(l->ctx); g++)
        read_group(l, g, json_array_get(l->json, g));
    return l->ctx->status;
}

/* The parameter of an id, new and (in *old) as it is; NULL when no group has it. */
static kdl__optim_param *find_param(loading *l, int64_t id, kdl__optim_param **old)
{
    for (size_t i = 0; i < l->count; i++) {
        size_t at = (l->next + i) % l->count, g = 0, place = at;
        if (l->ids[at] != id)
            continue;
        l->next = at; /* several entries of one parameter follow each other */
        while (place >= l->groups[g].count)
            place -= l->groups[g++].count;
        *old = &l->optimizer->groups[g].params[place];
        return &l->groups[g].params[place];
    }
    return NULL;
}

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count && names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* A state's values (borrowed) into a parameter of that dtype and those sizes. */
static void read_state(loading *l, kdl__optim_param *param, const kdl__optim_param *old, int index,
                       const char *key, kdl_tensor *value)
{
    kdl_shape wanted = kdl__optim_state_shape(old, index), given = kdl_tensor_shape(value);
    size_t nbytes = sizeof *wanted.sizes * (size_t)wanted.ndim;
    if (given.ndim != wanted.ndim || memcmp(given.sizes, wanted.sizes, nbytes) != 0) {
        kdl__fail_at(l->ctx, l->place, KDL_ERROR_VALUE,
                     "%s has other sizes than the parameter's state", key);
        return;
    }
    kdl_tensor *copy =
        kdl__new_values(l->ctx, old->tensor->storage->dtype, wanted.ndim, wanted.sizes);
    if (copy && kdl_copy_(copy, value) == KDL_OK)
        param->states[index] = copy;
    else
        kdl_tensor_release(copy);
}

/* Reads the entry "state.<id>.<name>". */
static void read_entry(loading *l, const char *key, kdl_tensor *value)
{
    const kdl__optim_class *class = l->optimizer->class;
    char *name = NULL;
    kdl__optim_param *param = NULL, *old = NULL;
    if (strncmp(key, "state.", 6) == 0 && key[6] >= '0' && key[6] <= '9') {
        int64_t id = strtoll(key + 6, &name, 10);
        param = *name == '.' ? find_param(l, id, &old) : NULL;
    }
    int scalar = param ? find_name(class->scalars, KDL__MAX_SCALARS, name + 1) : -1;
    int state = param ? find_name(class->states, KDL__MAX_STATES, name + 1) : -1;
    if (scalar < 0 && state < 0)
        kdl__fail_at(l->ctx, l->place, KDL_ERROR_VALUE,
                     "'%s' is no state of this optimizer's parameters", key);
    else if (state >= 0)
        read_state(l, param, old, state, key, value);
    else
        param->scalars[scalar] = kdl_tensor_item(value);
    if (param)
        param->wide = kdl__float_index(old->tensor);
}

/* ValueError for parameters whose sizes are not known yet. */
static kdl_status check_initialized(loading *l)
{
    for (size_t g = 0; g < l->optimizer->count; g++)
        for (size_t i = 0; i < l->optimizer->groups[g].count; i++)
            if (kdl__refuses(l->optimizer->groups[g].params[i].tensor))
                return l->ctx->status;
    return KDL_OK;
}

static void read_states(loading *l, kdl_state_dict *dict)
{
    const kdl__optim_class *class = l->optimizer->class;
    if (kdl_state_dict_count(dict) > 0 && check_initialized(l))
        return;
    if (class->load_own) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "state.%lld.", (long long)l->ids[0]);
        l->own = class->load_own(l->optimizer, dict, prefix);
        return;
    }
    for (size_t i = 0; i < kdl_state_dict_count(dict) && !kdl__failed(l->ctx); i++) {
        const char *key = kdl_state_dict_key(dict, i);
        kdl_tensor *value = kdl_state_dict_get(dict, key);
        if (value)
            read_entry(l, key, value);
    }
}

/* Puts what was read in the place of what is there. */
static void replace(loading *l)
{
    for (size_t g = 0; g < l->optimizer->count; g++) {
        kdl__optim_group *group = &l->groups[g], *old = &l->optimizer->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            group->params[i].tensor = kdl_tensor_retain(old->params[i].tensor);
            group->params[i].class = l->optimizer->class;
        }
        group->capacity = group->count;
        kdl__optim_group previous = *old;
        *old = *group;
        *group = previous; /* freed at the end */
    }
    void *own = l->optimizer->own;
    l->optimizer->own = l->own;
    l->own = own;
}

static kdl_status load(kdl_optimizer *optimizer, kdl_state_dict *dict, const char *param_groups,
                       const char *place)
{
    kdl_context *ctx = optimizer->ctx;
    loading l = { .optimizer = optimizer, .ctx = ctx, .place = place };
    const kdl__tape *tape = kdl__no_grad(ctx);
    l.json = kdl__json_parse(ctx, place, param_groups, strlen(param_groups));
    if (l.json)
        read_groups(&l);
    if (!kdl__failed(ctx))
        read_states(&l, dict);
    if (!kdl__failed(ctx))
        replace(&l);
    if (l.own)
        optimizer->class->free_own(ctx, l.own);
    for (size_t g = 0; l.groups && g < optimizer->count; g++)
        kdl__optim_group_free(ctx, &l.groups[g]);
    ctx->tape = tape;
    kdl_free(ctx, l.groups);
    kdl_free(ctx, l.ids);
    json_decref(l.json);
    return ctx->status;
}

kdl_status kdl_optimizer_load_state_dict(kdl_optimizer *optimizer, kdl_state_dict *state_dict,
                                         const char *param_groups)
{
    if (refuses(optimizer) || !state_dict || !param_groups)
        return refuses(optimizer) ? refusal(optimizer) : KDL_ERROR_VALUE;
    return load(optimizer, state_dict, param_groups, __func__);
}

/* ---- files ------------------------------------------------------------------------------- */

kdl_status kdl_optimizer_save_with(kdl_optimizer *optimizer, const char *path,
                                   const kdl_save_options *options)
{
    if (refuses(optimizer))
        return refusal(optimizer);
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    char *groups = kdl_optimizer_param_groups(optimizer);
    kdl_plan *plan = groups ? kdl_plan_new(optimizer->ctx) : NULL;
    if (plan && !kdl_state_dict_plan(dict, plan) &&
        !kdl_plan_set_attribute(plan, "param_groups", groups))
        kdl_plan_save_with(plan, path, options);
    kdl_plan_release(plan);
    kdl_free(optimizer->ctx, groups);
    kdl_state_dict_release(dict);
    return optimizer->ctx->status;
}

/* The parameter groups in a file's metadata, to be freed; NULL, with an error, without them. */
static char *read_param_groups(kdl_context *ctx, const char *path, const char *place)
{
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    char *found = NULL;
    const char *key, *value;
    for (int i = 0; !found && i < kdl_safetensors_metadata_count(file) && !kdl__failed(ctx); i++)
        if (!kdl_safetensors_metadata(file, i, &key, &value) &&
            strcmp(key, "kindling.param_groups") == 0)
            found = kdl__strdup(ctx, value);
    kdl_safetensors_close(file);
    if (!found && !kdl__failed(ctx))
        kdl__fail_at(ctx, place, KDL_ERROR_FORMAT,
                     "%s holds no optimizer: its metadata lacks \"kindling.param_groups\"", path);
    return found;
}

kdl_status kdl_optimizer_load(kdl_optimizer *optimizer, const char *path)
{
    if (refuses(optimizer))
        return refusal(optimizer);
    char *groups = read_param_groups(optimizer->ctx, path, __func__);
    kdl_state_dict *dict = groups ? kdl_state_dict_open(optimizer->ctx, path) : NULL;
    if (dict)
        load(optimizer, dict, groups, __func__);
    kdl_state_dict_release(dict);
    kdl_free(optimizer->ctx, groups);
    return optimizer->ctx->status;
}
