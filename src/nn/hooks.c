/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: registering, removing and going through them; forward, which is called between two kinds. */
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

/* ---- forward ----------------------------------------------------------------------------- */

/* What a hook gave, in the place of *tensor (a reference). */
static void replace(kdl_tensor **tensor, kdl_tensor *given)
{
    if (given) {
        kdl_tensor_release(*tensor);
        *tensor = given;
    }
}

static kdl_tensor *call_forward(kdl_module *module, kdl_tensor *input)
{
    const kdl__forwards *forwards = kdl__slot_get(module->ctx, KDL__SLOT_FORWARDS);
    bool parametrized = kdl_is_parametrized(module, NULL);
    for (const kdl_module_class *class = module->class; class; class = class->parent) {
        kdl__forward *forward = class->forward;
        if (!forward && forwards && !parametrized) /* they look for parameters by their names */
            forward = forwards->find(class);
        if (forward)
            return forward(module, input);
    }
    if (parametrized)
        kdl__fail_at(module->ctx, "kdl_forward", KDL_ERROR_NOT_IMPLEMENTED,
                     "forward of a parametrized %s is not supported", module->class->name);
    kdl__fail_at(module->ctx, "kdl_forward", KDL_ERROR_NOT_IMPLEMENTED,
                 "Module [%s] is missing the required \"forward\" function (those of torch.nn's "
                 "classes are in libkindling_train)",
                 module->class->name);
    return NULL;
}

kdl_tensor *kdl_forward(kdl_module *module, kdl_tensor *input)
{
    if (kdl__module_refuses(module))
        return NULL;
    kdl_tensor *given = kdl_tensor_retain(input), *output = NULL;
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_FORWARD_PRE);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&given, ((kdl_forward_pre_hook *)hook->function)(module, given, hook->user_data));
    kdl__hooks_end(module);
    if (!kdl__failed(module->ctx))
        output = call_forward(module, given);
    hook = kdl__hooks_begin(module, KDL__HOOK_FORWARD);
    for (; hook && output && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&output,
                ((kdl_forward_hook *)hook->function)(module, given, output, hook->user_data));
    kdl__hooks_end(module);
    kdl_tensor_release(given);
    if (kdl__failed(module->ctx)) {
        kdl_tensor_release(output);
        return NULL;
    }
    return output;
}
