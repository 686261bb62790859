/* SPDX-License-Identifier: Apache-2.0 */
/* What a module holds under its names: registering and looking up. */
#include <string.h>

#include "kindling/ops.h"
#include "nn/module_impl.h"

static const char *const kind_names[] = {
    [KDL__PARAMETER] = "parameter",
    [KDL__BUFFER] = "buffer",
    [KDL__MODULE] = "module",
    [KDL__PLAIN] = "attribute",
};

kdl__member *kdl__module_find(const kdl_module *module, const char *name, size_t length)
{
    for (size_t i = 0; module && i < module->count; i++) {
        kdl__member *member = &module->members[i];
        if (strncmp(member->name, name, length) == 0 && member->name[length] == '\0')
            return member;
    }
    return NULL;
}

/* ---- registering ------------------------------------------------------------------------- */

/* Counts a name that what the member stands for has gained or lost; releases what lost one. */
static void own(kdl__member *member)
{
    if (member->kind == KDL__MODULE && member->module)
        member->module->owners++;
    else if (member->kind != KDL__MODULE && member->tensor)
        member->tensor->owners++;
}

static void disown(kdl__member *member)
{
    if (member->kind == KDL__MODULE && member->module) {
        member->module->owners--;
        kdl_module_release(member->module);
    } else if (member->kind != KDL__MODULE && member->tensor) {
        member->tensor->owners--;
        kdl_tensor_release(member->tensor);
    }
}

/* PyTorch's checks of a name; the existing member of the same kind, if any, in *existing. */
static bool check_name(kdl_module *module, const char *name, int kind, kdl__member **existing)
{
    kdl_context *ctx = module->ctx;
    *existing = kdl__module_find(module, name, strlen(name));
    if (strchr(name, '.') && kind == KDL__MODULE)
        kdl__fail(ctx, KDL_ERROR_KEY, "module name can't contain \".\", got: %s", name);
    else if (strchr(name, '.'))
        kdl__fail(ctx, KDL_ERROR_KEY, "%s name can't contain \".\"", kind_names[kind]);
    else if (!*name)
        kdl__fail(ctx, KDL_ERROR_KEY, "%s name can't be empty string \"\"", kind_names[kind]);
    else if (*existing && (*existing)->kind != kind)
        kdl__fail(ctx, KDL_ERROR_KEY, "attribute '%s' already exists", name);
    return !kdl__failed(ctx);
}

/* Adds a member after the others. */
static bool add(kdl_module *module, const char *name, kdl__member fresh)
{
    void *members = module->members;
    if (!kdl__grow(module->ctx, &members, &module->capacity, module->count + 1,
                   sizeof *module->members))
        return false;
    module->members = members;
    fresh.name = kdl__strdup(module->ctx, name);
    if (fresh.name)
        module->members[module->count++] = fresh;
    return fresh.name;
}

/* Puts `fresh` (what it stands for is consumed, also on failure) under `name`. */
static kdl_status put(kdl_module *module, const char *name, kdl__member fresh)
{
    kdl__member *existing;
    bool valid = check_name(module, name, fresh.kind, &existing);
    own(&fresh);
    if (valid && existing) {
        kdl__member replaced = *existing;
        fresh.name = replaced.name;
        *existing = fresh;
        disown(&replaced);
    } else if (!valid || !add(module, name, fresh)) {
        disown(&fresh);
    }
    return module->ctx->status;
}

static kdl_status put_tensor(kdl_module *module, const char *name, kdl_tensor *tensor, int kind,
                             bool persistent)
{
    if (!kdl__module_refuses(module) && tensor && tensor->ctx != module->ctx)
        kdl__fail(module->ctx, KDL_ERROR_VALUE, "the %s '%s' is of another context",
                  kind_names[kind], name);
    if (kdl__module_refuses(module)) {
        kdl_tensor_release(tensor);
        return kdl__module_refusal(module);
    }
    return put(
        module, name,
        (kdl__member){ .kind = (unsigned char)kind, .persistent = persistent, .tensor = tensor });
}

kdl_status kdl_register_parameter(kdl_module *module, const char *name, kdl_tensor *parameter)
{
    if (!kdl__module_refuses(module) && parameter && !parameter->is_parameter)
        kdl__fail(module->ctx, KDL_ERROR_TYPE,
                  "cannot assign 'torch.%sTensor' object to parameter '%s' "
                  "(torch.nn.Parameter or None required)",
                  kdl_dtype_scalar_name(kdl_tensor_dtype(parameter)), name);
    return put_tensor(module, name, parameter, KDL__PARAMETER, true);
}

kdl_status kdl_register_buffer_with(kdl_module *module, const char *name, kdl_tensor *tensor,
                                    const kdl_buffer_options *given)
{
    kdl_buffer_options options = KDL_BUFFER_DEFAULTS;
    if (!kdl__module_refuses(module))
        kdl__read_options(module->ctx, __func__, &options, sizeof options, given);
    return put_tensor(module, name, tensor, KDL__BUFFER, options.persistent);
}

void kdl__module_take_out(kdl_module *module, kdl__member *member)
{
    kdl__member taken = *member;
    size_t behind = module->count - (size_t)(member - module->members) - 1;
    memmove(member, member + 1, behind * sizeof *member);
    module->count--;
    kdl_free(module->ctx, taken.name);
    disown(&taken);
}

kdl_status kdl_set_attribute(kdl_module *module, const char *name, kdl_tensor *tensor)
{
    if (kdl__module_refuses(module)) {
        kdl_tensor_release(tensor);
        return kdl__module_refusal(module);
    }
    kdl__member *existing = kdl__module_find(module, name, strlen(name));
    int kind = existing ? existing->kind : KDL__PLAIN;
    bool persistent = existing && existing->persistent;
    if (tensor && tensor->is_parameter) {
        if (existing && kind != KDL__PARAMETER)
            kdl__module_take_out(module, existing);
        kind = KDL__PARAMETER;
        persistent = true;
    } else if (tensor && (kind == KDL__PARAMETER || kind == KDL__MODULE)) {
        bool child = kind == KDL__MODULE;
        kdl__fail(module->ctx, KDL_ERROR_TYPE,
                  "cannot assign 'torch.%sTensor' as %s '%s' (torch.nn.%s or None expected)",
                  kdl_dtype_scalar_name(kdl_tensor_dtype(tensor)),
                  child ? "child module" : "parameter", name, child ? "Module" : "Parameter");
    } else if (kind == KDL__MODULE) { /* None */
        return kdl_add_module(module, name, NULL);
    }
    return put_tensor(module, name, tensor, kind, persistent);
}

kdl_status kdl_delete_attribute(kdl_module *module, const char *name)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    kdl__member *member = kdl__module_find(module, name, strlen(name));
    if (!member)
        return kdl__fail(module->ctx, KDL_ERROR_KEY, "'%s' object has no attribute '%s'",
                         module->class->name, name);
    kdl__module_take_out(module, member);
    return KDL_OK;
}

/* Whether `wanted` is `module` or somewhere in it. */
static bool contains(kdl_module *module, const kdl_module *wanted, int depth)
{
    if (module == wanted)
        return true;
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(module->ctx, "kdl_add_module");
        return false;
    }
    kdl_module *child;
    for (size_t i = 0; (child = kdl__module_next_child(module, &i));) {
        if (contains(child, wanted, depth + 1))
            return true;
    }
    return false;
}

kdl_status kdl_add_module(kdl_module *module, const char *name, kdl_module *child)
{
    if (!kdl__module_refuses(module) && child) {
        if (child->ctx != module->ctx)
            kdl__fail(module->ctx, KDL_ERROR_VALUE, "the module '%s' is of another context", name);
        else if (contains(child, module, 2))
            kdl__fail(module->ctx, KDL_ERROR_VALUE,
                      "the module '%s' contains the one it is added to", name);
    }
    if (kdl__module_refuses(module)) {
        kdl_module_release(child);
        return kdl__module_refusal(module);
    }
    return put(module, name, (kdl__member){ .kind = KDL__MODULE, .module = child });
}

void kdl__add_empty_parameter(kdl_module *module, const char *name, kdl_shape shape,
                              kdl_dtype dtype, bool present)
{
    if (kdl__module_refuses(module))
        return;
    kdl_tensor *parameter = NULL;
    if (present)
        parameter = kdl_parameter_new(kdl_empty(module->ctx, shape, .dtype = dtype));
    kdl_register_parameter(module, name, parameter);
}

/* ---- looking up -------------------------------------------------------------------------- */

/*
 * The member at a dotted path. When there is none and `ctx` is not NULL, a KeyError in PyTorch's
 * words is recorded in it.
 */
static kdl__member *find_path(const kdl_module *module, const char *path, int kind,
                              kdl_context *ctx, const char *place)
{
    static const char *const wanted[] = {
        [KDL__PARAMETER] = "not an nn.Parameter",
        [KDL__BUFFER] = "not a buffer",
        [KDL__MODULE] = "not an nn.Module",
    };
    for (;;) {
        size_t length = strcspn(path, ".");
        bool last = path[length] == '\0';
        int kind_here = last ? kind : KDL__MODULE;
        kdl__member *member = kdl__module_find(module, path, length);
        if (!member && ctx)
            kdl__fail_at(ctx, place, KDL_ERROR_KEY, "%s has no attribute `%.*s`",
                         module->class->name, (int)length, path);
        /* None is no parameter and no module, but a buffer that is None is one. */
        bool right = member && member->kind == kind_here &&
                     (kind_here == KDL__MODULE ? member->module != NULL
                                               : member->tensor || kind_here == KDL__BUFFER);
        if (member && !right && ctx)
            kdl__fail_at(ctx, place, KDL_ERROR_KEY, "`%.*s` is %s", (int)length, path,
                         wanted[kind_here]);
        if (!right || last)
            return right ? member : NULL;
        module = member->module;
        path += length + 1;
    }
}

kdl_tensor *kdl_parameter(const kdl_module *module, const char *path)
{
    for (const kdl__computed *c = module ? module->computed : NULL; c; c = c->next)
        if (strcmp(c->name, path) == 0)
            return c->tensor;
    kdl__member *member = module ? find_path(module, path, KDL__PARAMETER, NULL, NULL) : NULL;
    return member ? member->tensor : NULL;
}

kdl_tensor *kdl_buffer(const kdl_module *module, const char *path)
{
    kdl__member *member = module ? find_path(module, path, KDL__BUFFER, NULL, NULL) : NULL;
    return member ? member->tensor : NULL;
}

kdl_tensor *kdl_attribute(const kdl_module *module, const char *path)
{
    static const int kinds[] = { KDL__PARAMETER, KDL__BUFFER, KDL__PLAIN };
    for (size_t i = 0; module && i < sizeof kinds / sizeof *kinds; i++) {
        kdl__member *member = find_path(module, path, kinds[i], NULL, NULL);
        if (member)
            return member->tensor;
    }
    return NULL;
}

kdl_module *kdl_submodule(const kdl_module *module, const char *path)
{
    kdl__member *member = module ? find_path(module, path, KDL__MODULE, NULL, NULL) : NULL;
    return member ? member->module : NULL;
}

kdl_tensor *kdl_get_parameter(kdl_module *module, const char *target)
{
    if (kdl__module_refuses(module))
        return NULL;
    kdl__member *member = find_path(module, target, KDL__PARAMETER, module->ctx, __func__);
    return member ? member->tensor : NULL;
}

kdl_tensor *kdl_get_buffer(kdl_module *module, const char *target)
{
    if (kdl__module_refuses(module))
        return NULL;
    kdl__member *member = find_path(module, target, KDL__BUFFER, module->ctx, __func__);
    return member ? member->tensor : NULL;
}

kdl_module *kdl_get_submodule(kdl_module *module, const char *target)
{
    if (kdl__module_refuses(module))
        return NULL;
    if (!*target)
        return module;
    kdl__member *member = find_path(module, target, KDL__MODULE, module->ctx, __func__);
    return member ? member->module : NULL;
}
