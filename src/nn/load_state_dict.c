/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Module.load_state_dict().
 *
 * The tree is gone through as PyTorch does. To change nothing when something is wrong, it is gone
 * through twice: once to find faults, once to write. Hooks may change what is wrong, and want to
 * see values in their places; with them there is one walk, which keeps what it overwrites.
 */
#include <string.h>

#include "kindling/module_hooks.h"
#include "kindling/ops.h"
#include "nn/state_dict.h"

/* What a member was before: its tensor, and with `values` what stood there. Owned. */
typedef struct replaced {
    kdl_module *module;
    const char *name; /* of the member, which stays */
    kdl_tensor *tensor, *values;
} replaced;

typedef struct loading {
    kdl_context *ctx;
    kdl_state_dict *dict; /* a copy, which hooks may change */
    kdl_load_options options;
    kdl_incompatible_keys keys;
    bool finds, writes, undoes; /* what the walk does */
    replaced *log;
    size_t count, capacity;
} loading;

/* ---- values ------------------------------------------------------------------------------ */

/* Remembers a member before it is written, where that may have to be undone. */
static bool keep(loading *state, kdl_module *module, const kdl__member *member)
{
    if (!state->undoes)
        return true;
    void *log = state->log;
    if (!kdl__grow(state->ctx, &log, &state->capacity, state->count + 1, sizeof *state->log))
        return false;
    state->log = log;
    replaced entry = { module, member->name, NULL, NULL };
    if (!state->options.assign) {
        kdl_tensor *data = kdl_detach(member->tensor);
        entry.values = kdl_clone(data);
        kdl_tensor_release(data);
    }
    if (kdl__failed(state->ctx)) {
        kdl_tensor_release(entry.values);
        return false;
    }
    entry.tensor = kdl_tensor_retain(member->tensor);
    state->log[state->count++] = entry;
    return true;
}

/* Puts `tensor` (consumed) in the place of a parameter or buffer. */
static void put_back(kdl_module *module, const kdl__member *member, kdl_tensor *tensor)
{
    if (member->kind == KDL__PARAMETER)
        kdl_register_parameter(module, member->name, tensor);
    else
        kdl_register_buffer(module, member->name, tensor, .persistent = member->persistent);
}

/* Undoes what was written, the latest first, and forgets it. */
static void roll_back(loading *state)
{
    while (state->count > 0) {
        replaced *entry = &state->log[--state->count];
        const kdl__member *member =
            kdl__module_find(entry->module, entry->name, strlen(entry->name));
        if (entry->values)
            kdl_copy_(entry->tensor, entry->values);
        else if (member)
            put_back(entry->module, member, kdl_tensor_retain(entry->tensor));
        kdl_tensor_release(entry->tensor);
        kdl_tensor_release(entry->values);
    }
}

static void forget(loading *state)
{
    for (; state->count > 0; state->count--) {
        kdl_tensor_release(state->log[state->count - 1].tensor);
        kdl_tensor_release(state->log[state->count - 1].values);
    }
    kdl_free(state->ctx, state->log);
}

/* setattr(module, name, value) with `assign`; consumes the value. */
static void assign_value(kdl_module *module, const kdl__member *member, kdl_tensor *value)
{
    if (member->kind == KDL__PARAMETER) {
        bool requires_grad = member->tensor->requires_grad;
        if (value->is_parameter)
            kdl_requires_grad_(value, requires_grad);
        else
            value = kdl_parameter_new(value, .requires_grad = requires_grad);
    }
    if (value)
        put_back(module, member, value);
}

static void write_value(loading *state, kdl_module *module, const kdl__member *member,
                        const kdl__state_entry *entry)
{
    kdl_tensor *value = kdl__state_entry_value(entry);
    if (value && kdl_tensor_ndim(value) > kdl_tensor_ndim(member->tensor)) { /* [1] for a scalar */
        kdl_tensor *scalar = kdl_select(value, 0, 0);
        kdl_tensor_release(value);
        value = scalar;
    }
    if (!value || !keep(state, module, member)) {
        kdl_tensor_release(value);
    } else if (state->options.assign) {
        assign_value(module, member, value);
    } else {
        kdl_copy_(member->tensor, value);
        kdl_tensor_release(value);
    }
}

/* ---- one module -------------------------------------------------------------------------- */

static bool is_saved(const kdl__member *member, int kind)
{
    return member->kind == kind && member->persistent && member->tensor;
}

/* Whether the sizes are the same, or [1] for a scalar, which is how scalars were saved once. */
static bool fits(const kdl_tensor *tensor, const kdl_shape *shape)
{
    if (tensor->ndim == 0 && shape->ndim == 1 && shape->sizes[0] == 1)
        return true;
    return tensor->ndim == shape->ndim &&
           memcmp(tensor->dims, shape->sizes, (size_t)shape->ndim * sizeof *shape->sizes) == 0;
}

static void load_member(loading *state, kdl_module *module, const kdl__member *member,
                        const char *prefix)
{
    char *key = kdl__asprintf(state->ctx, "%s%s", prefix, member->name);
    const kdl__state_entry *entry = key ? kdl__state_dict_find(state->dict, key) : NULL;
    if (key && !entry) {
        if (state->finds)
            kdl_key_list_append(state->keys.missing_keys, key);
    } else if (entry && !fits(member->tensor, &entry->shape)) {
        char *message = kdl__asprintf(
            state->ctx,
            "size mismatch for %s: copying a param with shape torch.Size(%s) from checkpoint, the "
            "shape in current model is torch.Size(%s).",
            key, kdl__shape_text(entry->shape.ndim, entry->shape.sizes).chars,
            kdl__shape_text(member->tensor->ndim, member->tensor->dims).chars);
        if (message && state->finds)
            kdl_key_list_append(state->keys.error_msgs, message);
        kdl_free(state->ctx, message);
    } else if (entry && state->writes) {
        write_value(state, module, member, entry);
    }
    kdl_free(state->ctx, key);
}

/* Keys that begin as this module's do but name nothing in it. */
static void find_unexpected(loading *state, const kdl_module *module, const char *prefix)
{
    size_t length = strlen(prefix);
    for (size_t i = 0; i < state->dict->count; i++) {
        const char *key = state->dict->entries[i].key, *name = key + length;
        if (strncmp(key, prefix, length) != 0)
            continue;
        size_t end = strcspn(name, ".");
        const kdl__member *member = kdl__module_find(module, name, end);
        bool known = member && (name[end] == '.' ? member->kind == KDL__MODULE
                                                 : is_saved(member, KDL__PARAMETER) ||
                                                       is_saved(member, KDL__BUFFER));
        if (!known)
            kdl_key_list_append(state->keys.unexpected_keys, key);
    }
}

static void load_own(loading *state, kdl_module *module, const char *prefix)
{
    static const int kinds[] = { KDL__PARAMETER, KDL__BUFFER };
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < module->count && !kdl__failed(state->ctx); i++) {
            if (is_saved(&module->members[i], kinds[k]))
                load_member(state, module, &module->members[i], prefix);
        }
    }
    if (state->finds && !kdl__failed(state->ctx))
        find_unexpected(state, module, prefix);
}

/* ---- the tree ---------------------------------------------------------------------------- */

static void call_pre_hooks(loading *state, kdl_module *module, const char *prefix)
{
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_LOAD_PRE);
    for (; hook && !kdl__failed(state->ctx); hook = kdl__hooks_next(hook))
        ((kdl_load_state_dict_pre_hook *)hook->function)(module, state->dict, prefix, &state->keys,
                                                         hook->user_data);
    kdl__hooks_end(module);
}

static void call_post_hooks(loading *state, kdl_module *module)
{
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_LOAD_POST);
    for (; hook && !kdl__failed(state->ctx); hook = kdl__hooks_next(hook))
        ((kdl_load_state_dict_post_hook *)hook->function)(module, &state->keys, hook->user_data);
    kdl__hooks_end(module);
}

static void load(loading *state, kdl_module *module, const char *prefix, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(state->ctx, "kdl_load_state_dict");
        return;
    }
    call_pre_hooks(state, module, prefix);
    if (!kdl__failed(state->ctx))
        load_own(state, module, prefix);
    for (size_t i = 0; i < module->count && !kdl__failed(state->ctx); i++) {
        const kdl__member *member = &module->members[i];
        if (member->kind != KDL__MODULE || !member->module)
            continue;
        char *below = kdl__asprintf(state->ctx, "%s%s.", prefix, member->name);
        if (below)
            load(state, member->module, below, depth + 1);
        kdl_free(state->ctx, below);
    }
    if (!kdl__failed(state->ctx))
        call_post_hooks(state, module);
}

static bool has_hooks(kdl_module *module)
{
    for (kdl_iterator it = kdl_named_modules(module); kdl_next(&it);) {
        for (const kdl__hook *hook = it.module->hooks; hook; hook = hook->next) {
            if (hook->kind == KDL__HOOK_LOAD_PRE || hook->kind == KDL__HOOK_LOAD_POST)
                return true;
        }
    }
    return false;
}

/* ---- the verdict ------------------------------------------------------------------------- */

static void add_keys(kdl__text *text, const char *what, const kdl_key_list *keys)
{
    for (size_t i = 0; i < kdl_key_list_count(keys); i++)
        kdl__text_printf(text, i == 0 ? "\n\t%s key(s) in state_dict: \"%s\"" : "%.0s, \"%s\"",
                         what, kdl_key_list_get(keys, i));
    if (kdl_key_list_count(keys) > 0)
        kdl__text_puts(text, ". ");
}

static bool is_wrong(const loading *state)
{
    return kdl_key_list_count(state->keys.error_msgs) > 0 ||
           (state->options.strict && (kdl_key_list_count(state->keys.missing_keys) > 0 ||
                                      kdl_key_list_count(state->keys.unexpected_keys) > 0));
}

static void fail(loading *state, const kdl_module *module)
{
    kdl__text text;
    kdl__text_init(&text, state->ctx);
    kdl__text_printf(&text, "Error(s) in loading state_dict for %s:", module->class->name);
    if (state->options.strict) {
        add_keys(&text, "Missing", state->keys.missing_keys);
        add_keys(&text, "Unexpected", state->keys.unexpected_keys);
    }
    for (size_t i = 0; i < kdl_key_list_count(state->keys.error_msgs); i++)
        kdl__text_printf(&text, "\n\t%s", kdl_key_list_get(state->keys.error_msgs, i));
    if (!text.failed)
        kdl__fail_at(state->ctx, "kdl_load_state_dict", KDL_ERROR_RUNTIME, "%s", text.data);
    kdl__text_free(&text);
}

static void copy_keys(kdl_key_list *to, const kdl_key_list *from)
{
    for (size_t i = 0; to && i < kdl_key_list_count(from); i++)
        kdl_key_list_append(to, kdl_key_list_get(from, i));
}

static void run(loading *state, kdl_module *module)
{
    bool hooks = has_hooks(module);
    state->finds = true;
    state->writes = state->undoes = hooks;
    load(state, module, "", 1);
    if (!kdl__failed(state->ctx) && is_wrong(state)) {
        roll_back(state);
        fail(state, module);
    } else if (!hooks && !kdl__failed(state->ctx)) {
        state->finds = false;
        state->writes = true;
        load(state, module, "", 1);
    }
    copy_keys(state->options.missing_keys, state->keys.missing_keys);
    copy_keys(state->options.unexpected_keys, state->keys.unexpected_keys);
}

kdl_status kdl_load_state_dict_with(kdl_module *module, kdl_state_dict *dict,
                                    const kdl_load_options *given)
{
    if (kdl__module_refuses(module) || !dict)
        return kdl__module_refuses(module) ? kdl__module_refusal(module) : KDL_ERROR_VALUE;
    kdl_context *ctx = module->ctx;
    loading state = { .ctx = ctx, .options = KDL_LOAD_DEFAULTS };
    if (!kdl__read_options(ctx, "kdl_load_state_dict", &state.options, sizeof state.options, given))
        return ctx->status;
    if (dict->ctx != ctx)
        return kdl__fail_at(ctx, "kdl_load_state_dict", KDL_ERROR_VALUE,
                            "the state_dict is of another context");
    state.dict = kdl__state_dict_copy(dict, "");
    state.keys.missing_keys = kdl_key_list_new(ctx);
    state.keys.unexpected_keys = kdl_key_list_new(ctx);
    state.keys.error_msgs = kdl_key_list_new(ctx);
    const kdl__tape *tape = kdl__no_grad(ctx);
    if (!kdl__failed(ctx))
        run(&state, module);
    ctx->tape = tape;
    forget(&state);
    kdl_state_dict_release(state.dict);
    kdl_key_list_release(state.keys.missing_keys);
    kdl_key_list_release(state.keys.unexpected_keys);
    kdl_key_list_release(state.keys.error_msgs);
    return ctx->status;
}
