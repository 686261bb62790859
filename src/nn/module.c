/* SPDX-License-Identifier: Apache-2.0 */
/* A module's lifetime and class, and nn.Parameter. */
#include <string.h>

#include "nn/module_impl.h"

const kdl_module_class kdl_class_module = { .name = "Module" };

kdl_tensor *kdl_parameter_new_with(kdl_tensor *data, const kdl_parameter_options *given)
{
    kdl_parameter_options options = KDL_PARAMETER_DEFAULTS;
    kdl_tensor *parameter = NULL;
    if (!data)
        return NULL;
    if (!kdl__failed(data->ctx) &&
        kdl__read_options(data->ctx, __func__, &options, sizeof options, given)) {
        if (options.requires_grad && !kdl_dtype_is_floating_point(kdl_tensor_dtype(data)))
            kdl__fail(data->ctx, KDL_ERROR_RUNTIME,
                      "Only Tensors of floating point and complex dtype can require gradients");
        else
            parameter = kdl_detach(data);
    }
    kdl_tensor_release(data);
    if (parameter && kdl_requires_grad_(parameter, options.requires_grad)) {
        kdl_tensor_release(parameter);
        return NULL;
    }
    if (parameter)
        parameter->is_parameter = true;
    return parameter;
}

/* ---- classes ----------------------------------------------------------------------------- */

const kdl_module_class *kdl_module_type(const kdl_module *module)
{
    return module ? module->class : NULL;
}

bool kdl_module_is(const kdl_module *module, const kdl_module_class *type)
{
    return module && module->class == type;
}

bool kdl_isinstance(const kdl_module *module, const kdl_module_class *type)
{
    if (!module || type == KDL_CLASS_MODULE)
        return module;
    for (const kdl_module_class *class = module->class; class; class = class->parent) {
        if (class == type)
            return true;
    }
    return false;
}

kdl_status kdl_reset_parameters(kdl_module *module)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    const char *name = module->class->name;
    if (kdl_is_parametrized(module, NULL))
        return kdl__fail(module->ctx, KDL_ERROR_NOT_IMPLEMENTED,
                         "reset_parameters() of a parametrized %s is not supported: remove the "
                         "parametrizations first",
                         name);
    for (const kdl_module_class *class = module->class; class; class = class->parent) {
        if (class->reset_parameters) {
            const kdl__tape *tape = kdl__no_grad(module->ctx);
            class->reset_parameters(module);
            module->ctx->tape = tape;
            return module->ctx->status;
        }
    }
    return kdl__fail(module->ctx, KDL_ERROR_KEY, "'%s' object has no attribute 'reset_parameters'",
                     name);
}

/* ---- lifetime ---------------------------------------------------------------------------- */

kdl_module *kdl_module_new(kdl_context *ctx, const kdl_module_class *type)
{
    if (kdl__failed(ctx))
        return NULL;
    size_t nbytes = 0;
    for (const kdl_module_class *class = type; class; class = class->parent) {
        if (class->fields_nbytes > nbytes)
            nbytes = class->fields_nbytes;
    }
    if (nbytes > SIZE_MAX - sizeof(kdl_module)) {
        kdl__fail_memory(ctx);
        return NULL;
    }
    kdl_module *module = kdl__alloc_zeroed(ctx, 1, sizeof *module + nbytes);
    if (!module)
        return NULL;
    atomic_init(&module->references, 1);
    module->ctx = kdl_context_retain(ctx);
    module->class = type;
    return module;
}

kdl_module *kdl__module_finish(kdl_module *module)
{
    if (!module || !kdl__failed(module->ctx))
        return module;
    kdl_module_release(module);
    return NULL;
}

kdl_module *kdl_module_retain(kdl_module *module)
{
    if (module)
        atomic_fetch_add_explicit(&module->references, 1, memory_order_relaxed);
    return module;
}

/* Drops a reference; a module that had only this one is put before `doomed`. */
static kdl_module *drop(kdl_module *module, kdl_module *doomed)
{
    if (!module || atomic_fetch_sub_explicit(&module->references, 1, memory_order_acq_rel) != 1)
        return doomed;
    module->doomed = doomed;
    return module;
}

/* Frees a list of modules, to which those are added that only they held: no recursion. */
void kdl_module_release(kdl_module *module)
{
    for (kdl_module *doomed = drop(module, NULL); doomed;) {
        module = doomed;
        doomed = module->doomed;
        kdl_context *ctx = module->ctx;
        for (const kdl_module_class *class = module->class; class; class = class->parent) {
            if (class->destroy)
                class->destroy(module);
        }
        for (size_t i = 0; i < module->count; i++) {
            kdl__member *member = &module->members[i];
            kdl_free(ctx, member->name);
            if (member->kind != KDL__MODULE) {
                if (member->tensor)
                    member->tensor->owners--;
                kdl_tensor_release(member->tensor);
            } else if (member->module) {
                member->module->owners--;
                doomed = drop(member->module, doomed);
            }
        }
        kdl__hooks_free(module);
        kdl_free(ctx, module->members);
        kdl_free(ctx, module);
        kdl_context_release(ctx);
    }
}

kdl_context *kdl_module_context(const kdl_module *module)
{
    return module ? module->ctx : NULL;
}

void *kdl_module_fields(const kdl_module *module)
{
    return module ? (void *)module->fields : NULL;
}

char *kdl_format(kdl_context *ctx, const char *format, ...)
{
    if (kdl__failed(ctx))
        return NULL;
    va_list arguments;
    va_start(arguments, format);
    char *text = kdl__vasprintf(ctx, format, arguments);
    va_end(arguments);
    return text;
}
