/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: registering, removing and going through them. */
#include "kindling/module_hooks.h"
#include "nn/module_impl.h"

/* ---- the list ---------------------------------------------------------------------------- */

static kdl_hook add_hook(kdl_module *module, kdl__hook_kind kind, void (*function)(void),
                         void *user_data, bool prepend)
{
    if (kdl__module_refuses(module))
        return (kdl_hook){ 0 };
    kdl__hook *hook = kdl__alloc_zeroed(module->ctx, 1, sizeof *hook);
    if (!hook)
        return (kdl_hook){ 0 };
    *hook = (kdl__hook){ .kind = kind, .function = function, .user_data = user_data };
    kdl__hook **end = &module->hooks;
    while (*end && !prepend)
        end = &(*end)->next;
    hook->id = ++module->last_hook_id;
    hook->next = *end;
    *end = hook;
    return (kdl_hook){ module, hook->id };
}

/* Frees the hooks that were removed (all with `all`). */
static void sweep(kdl_module *module, bool all)
{
    for (kdl__hook **at = &module->hooks; *at;) {
        kdl__hook *hook = *at;
        if (!all && hook->id) {
            at = &hook->next;
            continue;
        }
        *at = hook->next;
        kdl_free(module->ctx, hook);
    }
}

void kdl_hook_remove(kdl_hook handle)
{
    for (kdl__hook *hook = handle.module ? handle.module->hooks : NULL; hook; hook = hook->next) {
        if (hook->id == handle.id)
            hook->id = 0;
    }
    if (handle.module && handle.module->hooks_running == 0)
        sweep(handle.module, false);
}

kdl__hook *kdl__hooks_next(const kdl__hook *hook)
{
    for (kdl__hook *next = hook->next; next; next = next->next) {
        if (next->id && next->kind == hook->kind)
            return next;
    }
    return NULL;
}

kdl__hook *kdl__hooks_begin(kdl_module *module, kdl__hook_kind kind)
{
    module->hooks_running++;
    const kdl__hook before = { .kind = kind, .next = module->hooks };
    return kdl__hooks_next(&before);
}

void kdl__hooks_end(kdl_module *module)
{
    if (--module->hooks_running == 0)
        sweep(module, false);
}

void kdl__hooks_free(kdl_module *module)
{
    sweep(module, true);
}

kdl_status kdl__hooks_copy(kdl_module *copy, const kdl_module *source)
{
    for (const kdl__hook *hook = source->hooks; hook; hook = hook->next) {
        if (hook->id)
            add_hook(copy, hook->kind, hook->function, hook->user_data, false);
    }
    return copy->ctx->status;
}

/* ---- registering ------------------------------------------------------------------------- */

kdl_hook kdl_register_forward_pre_hook(kdl_module *module, kdl_forward_pre_hook *hook,
                                       void *user_data, bool prepend)
{
    return add_hook(module, KDL__HOOK_FORWARD_PRE, (void (*)(void))hook, user_data, prepend);
}

kdl_hook kdl_register_forward_hook(kdl_module *module, kdl_forward_hook *hook, void *user_data,
                                   bool prepend)
{
    return add_hook(module, KDL__HOOK_FORWARD, (void (*)(void))hook, user_data, prepend);
}

kdl_hook kdl_register_full_backward_pre_hook(kdl_module *module, kdl_backward_pre_hook *hook,
                                             void *user_data, bool prepend)
{
    return add_hook(module, KDL__HOOK_BACKWARD_PRE, (void (*)(void))hook, user_data, prepend);
}

kdl_hook kdl_register_full_backward_hook(kdl_module *module, kdl_backward_hook *hook,
                                         void *user_data, bool prepend)
{
    return add_hook(module, KDL__HOOK_BACKWARD, (void (*)(void))hook, user_data, prepend);
}

kdl_hook kdl_register_state_dict_pre_hook(kdl_module *module, kdl_state_dict_pre_hook *hook,
                                          void *user_data)
{
    return add_hook(module, KDL__HOOK_STATE_DICT_PRE, (void (*)(void))hook, user_data, false);
}

kdl_hook kdl_register_state_dict_post_hook(kdl_module *module, kdl_state_dict_post_hook *hook,
                                           void *user_data)
{
    return add_hook(module, KDL__HOOK_STATE_DICT_POST, (void (*)(void))hook, user_data, false);
}

kdl_hook kdl_register_load_state_dict_pre_hook(kdl_module *module,
                                               kdl_load_state_dict_pre_hook *hook, void *user_data)
{
    return add_hook(module, KDL__HOOK_LOAD_PRE, (void (*)(void))hook, user_data, false);
}

kdl_hook kdl_register_load_state_dict_post_hook(kdl_module *module,
                                                kdl_load_state_dict_post_hook *hook,
                                                void *user_data)
{
    return add_hook(module, KDL__HOOK_LOAD_POST, (void (*)(void))hook, user_data, false);
}
