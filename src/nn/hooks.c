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

/* A user's class takes what its function takes. */
static kdl__forward_entry own_forward(const kdl_module_class *class)
{
    bool several = class->call;
    return (kdl__forward_entry){
        class,
        class->forward,
        class->call,
        several ? 0 : 1,
        several ? KDL__MAX_CALL : 1,
        several ? KDL__MAX_CALL : 1,
    };
}

/* The forward of the module's class or of the nearest that it is derived from; false: an error. */
static bool find_forward(const kdl_module *module, kdl__forward_entry *entry)
{
    const kdl__forwards *forwards = kdl__slot_get(module->ctx, KDL__SLOT_FORWARDS);
    for (const kdl_module_class *class = module->class; class; class = class->parent) {
        const kdl__forward_entry *found = NULL;
        *entry = own_forward(class);
        if (!class->forward && !class->call && forwards)
            found = forwards->find(class);
        if (found)
            *entry = *found;
        if (entry->forward || entry->call)
            return true;
    }
    kdl__fail_at(module->ctx, "kdl_forward", KDL_ERROR_NOT_IMPLEMENTED,
                 "Module [%s] is missing the required \"forward\" function (those of torch.nn's "
                 "classes are in libkindling_train)",
                 module->class->name);
    return false;
}

static bool check_counts(const kdl_module *module, const kdl__forward_entry *entry,
                         kdl_tensor *const *inputs, int input_count, int output_count)
{
    bool fits = input_count >= entry->least && input_count <= entry->most;
    for (int i = 0; fits && i < entry->least; i++)
        fits = inputs[i];
    if (fits && output_count >= 1 && output_count <= entry->outputs)
        return true;
    kdl__fail_at(module->ctx, "kdl_forward", KDL_ERROR_TYPE,
                 "%s.forward() takes from %d to %d tensors and gives up to %d, but %d were given "
                 "(or one of them is NULL) and %d wanted",
                 module->class->name, entry->least, entry->most, entry->outputs, input_count,
                 output_count);
    return false;
}

static void run_forward(kdl_module *module, const kdl__forward_entry *entry, kdl_tensor **inputs,
                        int input_count, kdl_tensor **outputs, int output_count)
{
    kdl__computed *before = kdl__begin_computed(module);
    if (kdl__failed(module->ctx))
        ;
    else if (entry->forward)
        outputs[0] = entry->forward(module, inputs[0]);
    else
        entry->call(module, inputs, input_count, outputs, output_count);
    kdl__end_computed(module, before);
}

static void run_with_hooks(kdl_module *module, const kdl__forward_entry *entry, kdl_tensor **inputs,
                           int input_count, kdl_tensor **outputs, int output_count)
{
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_FORWARD_PRE);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&inputs[0],
                ((kdl_forward_pre_hook *)hook->function)(module, inputs[0], hook->user_data));
    kdl__hooks_end(module);
    if (!kdl__failed(module->ctx))
        run_forward(module, entry, inputs, input_count, outputs, output_count);
    hook = kdl__hooks_begin(module, KDL__HOOK_FORWARD);
    for (; hook && outputs[0] && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&outputs[0], ((kdl_forward_hook *)hook->function)(module, inputs[0], outputs[0],
                                                                  hook->user_data));
    kdl__hooks_end(module);
}

kdl_status kdl_call_with(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                         kdl_tensor **outputs, int output_count)
{
    for (int i = 0; i < output_count; i++)
        outputs[i] = NULL;
    kdl__forward_entry entry;
    if (kdl__module_refuses(module) || !find_forward(module, &entry) ||
        !check_counts(module, &entry, inputs, input_count, output_count))
        return kdl__module_refusal(module);
    kdl_tensor *given[KDL__MAX_CALL] = { NULL };
    for (int i = 0; i < input_count; i++)
        given[i] = kdl_tensor_retain(inputs[i]);
    run_with_hooks(module, &entry, given, input_count, outputs, output_count);
    for (int i = 0; i < KDL__MAX_CALL; i++)
        kdl_tensor_release(given[i]);
    for (int i = 0; i < output_count && kdl__failed(module->ctx); i++) {
        kdl_tensor_release(outputs[i]);
        outputs[i] = NULL;
    }
    return module->ctx->status;
}

kdl_tensor *kdl_forward(kdl_module *module, kdl_tensor *input)
{
    kdl_tensor *output = NULL;
    kdl_call_with(module, &input, 1, &output, 1);
    return output;
}
