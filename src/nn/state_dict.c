/* SPDX-License-Identifier: Apache-2.0 */
/* state_dict as an object: collecting it from a module, its operations, printing. */
#include "nn/state_dict.h"

#include <string.h>

#include "kindling/module_hooks.h"
#include "nn/key_list.h"

static bool refuses(const kdl_state_dict *dict)
{
    return !dict || kdl__failed(dict->ctx);
}

static kdl_status refusal(const kdl_state_dict *dict)
{
    return dict ? dict->ctx->status : KDL_ERROR_VALUE;
}

/* ---- entries ----------------------------------------------------------------------------- */

void kdl__state_source_release(kdl__state_source *source)
{
    if (source && --source->references == 0)
        source->close(source);
}

/* Frees what an entry stands for; the key stays. */
static void drop_value(kdl__state_entry *entry)
{
    kdl_tensor_release(entry->tensor);
    kdl__state_source_release(entry->source);
    entry->tensor = NULL;
    entry->source = NULL;
}

kdl_tensor *kdl__state_entry_value(const kdl__state_entry *entry)
{
    return entry->tensor ? kdl_tensor_retain(entry->tensor)
                         : entry->source->read(entry->source, entry->index);
}

kdl__state_entry *kdl__state_dict_find(const kdl_state_dict *dict, const char *key)
{
    for (size_t i = 0; dict && i < dict->count; i++) {
        size_t at = (dict->next + i) % dict->count;
        if (strcmp(dict->entries[at].key, key) == 0) {
            ((kdl_state_dict *)dict)->next = at + 1;
            return &dict->entries[at];
        }
    }
    return NULL;
}

/* Puts a value (consumed, also on failure) under a key, in the place of what is there or last. */
static kdl_status put_value(kdl_state_dict *dict, const char *key, kdl__state_entry value)
{
    kdl__state_entry *entry = kdl__state_dict_find(dict, key);
    void *entries = dict->entries;
    if (entry) {
        value.key = entry->key;
        drop_value(entry);
        *entry = value;
        return KDL_OK;
    }
    value.key = NULL;
    if (kdl__grow(dict->ctx, &entries, &dict->capacity, dict->count + 1, sizeof value)) {
        dict->entries = entries;
        value.key = kdl__strdup(dict->ctx, key);
    }
    if (value.key)
        dict->entries[dict->count++] = value;
    else
        drop_value(&value);
    return dict->ctx->status;
}

kdl_status kdl__state_dict_add_lazy(kdl_state_dict *dict, const char *key, kdl_shape shape,
                                    kdl__state_source *source, int index)
{
    source->references++;
    return put_value(dict, key,
                     (kdl__state_entry){ .shape = shape, .source = source, .index = index });
}

/* Takes an entry out without freeing what it holds. */
static kdl__state_entry take_entry(kdl_state_dict *dict, kdl__state_entry *entry)
{
    kdl__state_entry taken = *entry;
    dict->count--;
    memmove(entry, entry + 1, (size_t)(dict->entries + dict->count - entry) * sizeof *entry);
    return taken;
}

/* ---- the dictionary ---------------------------------------------------------------------- */

kdl_state_dict *kdl_state_dict_new(kdl_context *ctx)
{
    if (kdl__failed(ctx))
        return NULL;
    kdl_state_dict *dict = kdl__alloc_zeroed(ctx, 1, sizeof *dict);
    if (dict)
        dict->ctx = kdl_context_retain(ctx);
    return dict;
}

void kdl_state_dict_release(kdl_state_dict *dict)
{
    if (!dict)
        return;
    kdl_context *ctx = dict->ctx;
    for (size_t i = 0; i < dict->count; i++) {
        kdl_free(ctx, dict->entries[i].key);
        drop_value(&dict->entries[i]);
    }
    kdl_free(ctx, dict->entries);
    kdl_free(ctx, dict);
    kdl_context_release(ctx);
}

kdl_context *kdl_state_dict_context(const kdl_state_dict *dict)
{
    return dict ? dict->ctx : NULL;
}

size_t kdl_state_dict_count(const kdl_state_dict *dict)
{
    return dict ? dict->count : 0;
}

const char *kdl_state_dict_key(const kdl_state_dict *dict, size_t index)
{
    return index < kdl_state_dict_count(dict) ? dict->entries[index].key : NULL;
}

bool kdl_state_dict_contains(const kdl_state_dict *dict, const char *key)
{
    return kdl__state_dict_find(dict, key) != NULL;
}

/* The entry of a key, or NULL with Python's KeyError. */
static kdl__state_entry *get_entry(kdl_state_dict *dict, const char *key, const char *place)
{
    if (refuses(dict))
        return NULL;
    kdl__state_entry *entry = kdl__state_dict_find(dict, key);
    if (!entry)
        kdl__fail_at(dict->ctx, place, KDL_ERROR_KEY, "'%s'", key);
    return entry;
}

kdl_tensor *kdl_state_dict_get(kdl_state_dict *dict, const char *key)
{
    kdl__state_entry *entry = get_entry(dict, key, __func__);
    if (entry && !entry->tensor) {
        kdl_tensor *tensor = kdl__state_entry_value(entry);
        if (tensor) {
            drop_value(entry);
            entry->tensor = tensor;
        }
    }
    return entry ? entry->tensor : NULL;
}

kdl_status kdl_state_dict_set(kdl_state_dict *dict, const char *key, kdl_tensor *tensor)
{
    if (!refuses(dict) && tensor && tensor->ctx != dict->ctx)
        kdl__fail(dict->ctx, KDL_ERROR_VALUE, "the tensor '%s' is of another context", key);
    if (refuses(dict) || !tensor) {
        kdl_tensor_release(tensor);
        return dict && kdl__failed(dict->ctx) ? dict->ctx->status : KDL_ERROR_VALUE;
    }
    return put_value(dict, key,
                     (kdl__state_entry){ .tensor = tensor, .shape = kdl_tensor_shape(tensor) });
}

kdl_status kdl_state_dict_remove(kdl_state_dict *dict, const char *key)
{
    kdl__state_entry *entry = get_entry(dict, key, __func__);
    if (entry) {
        kdl__state_entry taken = take_entry(dict, entry);
        kdl_free(dict->ctx, taken.key);
        drop_value(&taken);
    }
    return refusal(dict);
}

kdl_status kdl_state_dict_rename(kdl_state_dict *dict, const char *key, const char *new_key)
{
    kdl__state_entry *entry = get_entry(dict, key, __func__);
    if (entry) {
        kdl__state_entry taken = take_entry(dict, entry);
        put_value(dict, new_key, taken);
        kdl_free(dict->ctx, taken.key);
    }
    return refusal(dict);
}

kdl_state_dict *kdl_state_dict_part(kdl_state_dict *dict, const char *prefix)
{
    return refuses(dict) ? NULL : kdl__state_dict_copy(dict, prefix);
}

kdl_state_dict *kdl__state_dict_copy(kdl_state_dict *dict, const char *prefix)
{
    size_t length = strlen(prefix);
    kdl_state_dict *copy = kdl_state_dict_new(dict->ctx);
    for (size_t i = 0; copy && i < dict->count && !kdl__failed(dict->ctx); i++) {
        kdl__state_entry entry = dict->entries[i];
        if (strncmp(entry.key, prefix, length) != 0)
            continue;
        kdl_tensor_retain(entry.tensor);
        if (entry.source)
            entry.source->references++;
        put_value(copy, entry.key + length, entry);
    }
    if (copy && kdl__failed(dict->ctx)) {
        kdl_state_dict_release(copy);
        return NULL;
    }
    return copy;
}

kdl_status kdl_state_dict_plan(kdl_state_dict *dict, kdl_plan *plan)
{
    for (size_t i = 0; plan && !refuses(dict) && i < dict->count; i++)
        kdl_plan_add(plan, dict->entries[i].key, kdl_state_dict_get(dict, dict->entries[i].key));
    return plan ? refusal(dict) : KDL_ERROR_VALUE;
}

/* ---- of a module ------------------------------------------------------------------------- */

typedef struct collecting {
    kdl_context *ctx;
    kdl_state_dict *dict;
    bool keep_vars;
} collecting;

static void call_pre_hooks(kdl_module *module, const char *prefix)
{
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_STATE_DICT_PRE);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        ((kdl_state_dict_pre_hook *)hook->function)(module, prefix, hook->user_data);
    kdl__hooks_end(module);
}

static void call_post_hooks(kdl_module *module, kdl_state_dict *dict, const char *prefix)
{
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_STATE_DICT_POST);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        ((kdl_state_dict_post_hook *)hook->function)(module, dict, prefix, hook->user_data);
    kdl__hooks_end(module);
}

/* The entries of one module of a kind. */
static void collect_own(collecting *state, kdl_module *module, const char *prefix, int kind)
{
    for (size_t i = 0; i < module->count && !kdl__failed(state->ctx); i++) {
        const kdl__member *member = &module->members[i];
        if (member->kind != kind || !member->persistent || !member->tensor)
            continue;
        char *key = kdl__asprintf(state->ctx, "%s%s", prefix, member->name);
        if (key)
            kdl_state_dict_set(state->dict, key,
                               state->keep_vars ? kdl_tensor_retain(member->tensor)
                                                : kdl_detach(member->tensor));
        kdl_free(state->ctx, key);
    }
}

static void collect(collecting *state, kdl_module *module, const char *prefix, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(state->ctx, "kdl_module_state_dict");
        return;
    }
    call_pre_hooks(module, prefix);
    collect_own(state, module, prefix, KDL__PARAMETER);
    collect_own(state, module, prefix, KDL__BUFFER);
    for (size_t i = 0; i < module->count && !kdl__failed(state->ctx); i++) {
        const kdl__member *member = &module->members[i];
        if (member->kind != KDL__MODULE || !member->module)
            continue;
        char *below = kdl__asprintf(state->ctx, "%s%s.", prefix, member->name);
        if (below)
            collect(state, member->module, below, depth + 1);
        kdl_free(state->ctx, below);
    }
    if (!kdl__failed(state->ctx))
        call_post_hooks(module, state->dict, prefix);
}

kdl_state_dict *kdl_module_state_dict_with(kdl_module *module, const kdl_state_dict_options *given)
{
    kdl_state_dict_options options = KDL_STATE_DICT_DEFAULTS;
    if (kdl__module_refuses(module) ||
        !kdl__read_options(module->ctx, "kdl_module_state_dict", &options, sizeof options, given))
        return NULL;
    collecting state = { .ctx = module->ctx, .keep_vars = options.keep_vars };
    state.dict = kdl_state_dict_new(module->ctx);
    if (state.dict)
        collect(&state, module, options.prefix, 1);
    if (!kdl__failed(module->ctx))
        return state.dict;
    kdl_state_dict_release(state.dict);
    return NULL;
}

/* ---- printing ---------------------------------------------------------------------------- */

char *kdl_state_dict_to_string(kdl_state_dict *dict)
{
    if (refuses(dict))
        return NULL;
    kdl__text text;
    kdl__text_init(&text, dict->ctx);
    kdl__text_puts(&text, dict->count > 0 ? "OrderedDict([" : "OrderedDict(");
    for (size_t i = 0; i < dict->count && !kdl__failed(dict->ctx); i++) {
        char *tensor = kdl_tensor_to_string(kdl_state_dict_get(dict, dict->entries[i].key));
        kdl__text_puts(&text, i > 0 ? ", (" : "(");
        kdl__text_quoted(&text, dict->entries[i].key);
        kdl__text_printf(&text, ", %s)", tensor ? tensor : "");
        kdl_free(dict->ctx, tensor);
    }
    kdl__text_puts(&text, dict->count > 0 ? "])" : ")");
    if (!kdl__failed(dict->ctx))
        return kdl__text_take(&text);
    kdl__text_free(&text);
    return NULL;
}

char *kdl_state_dict_keys_to_string(kdl_state_dict *dict)
{
    kdl_key_list *keys = refuses(dict) ? NULL : kdl_key_list_new(dict->ctx);
    for (size_t i = 0; keys && i < dict->count; i++)
        kdl_key_list_append(keys, dict->entries[i].key);
    char *list = kdl_key_list_to_string(keys);
    char *text = list ? kdl__asprintf(dict->ctx, "odict_keys(%s)", list) : NULL;
    if (dict)
        kdl_free(dict->ctx, list);
    kdl_key_list_release(keys);
    return text;
}
