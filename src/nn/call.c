/* SPDX-License-Identifier: Apache-2.0 */
/* Calling a module: its forward, or that of torch.nn's class which it is, between its hooks. */
#include "kindling/module_hooks.h"
#include "nn/arguments.h"
#include "nn/module_impl.h"

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

/* A Lazy module gets its shapes from its first input. */
static kdl_status infer_parameters(kdl_module *module, kdl_tensor *const *inputs, int input_count)
{
    const kdl__arguments *arguments = kdl__class_arguments(module->class);
    bool lazy = arguments && arguments->initialize && module->class->arguments == arguments;
    return lazy && input_count > 0 && inputs[0]
               ? kdl_initialize_parameters(module, kdl_tensor_shape(inputs[0]))
               : KDL_OK;
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

static bool has_backward_hooks(const kdl_module *module)
{
    for (const kdl__hook *hook = module->hooks; hook; hook = hook->next)
        if (hook->id && (hook->kind == KDL__HOOK_BACKWARD_PRE || hook->kind == KDL__HOOK_BACKWARD))
            return true;
    return false;
}

static void run_with_hooks(kdl_module *module, const kdl__forward_entry *entry, kdl_tensor **inputs,
                           int input_count, kdl_tensor **outputs, int output_count)
{
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_FORWARD_PRE);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&inputs[0],
                ((kdl_forward_pre_hook *)hook->function)(module, inputs[0], hook->user_data));
    kdl__hooks_end(module);
    const kdl__tape *tape = has_backward_hooks(module) ? module->ctx->tape : NULL;
    kdl__module_call *call = tape ? tape->call(module, &inputs[0]) : NULL;
    if (!kdl__failed(module->ctx))
        run_forward(module, entry, inputs, input_count, outputs, output_count);
    hook = kdl__hooks_begin(module, KDL__HOOK_FORWARD);
    for (; hook && outputs[0] && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&outputs[0], ((kdl_forward_hook *)hook->function)(module, inputs[0], outputs[0],
                                                                  hook->user_data));
    kdl__hooks_end(module);
    if (tape)
        tape->called(call, &outputs[0]);
}

kdl_status kdl_call_with(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                         kdl_tensor **outputs, int output_count)
{
    for (int i = 0; i < output_count; i++)
        outputs[i] = NULL;
    kdl__forward_entry entry;
    if (kdl__module_refuses(module) || infer_parameters(module, inputs, input_count) ||
        !find_forward(module, &entry) ||
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
