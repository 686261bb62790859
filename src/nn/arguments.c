/* SPDX-License-Identifier: Apache-2.0 */
/* Constructing a module from the table of its class's arguments. */
#include "nn/arguments.h"

#include <math.h>
#include <string.h>

/* The size that every option struct begins with, and no more. */
static const size_t no_options = sizeof no_options;
const kdl__arguments kdl__no_arguments = { .defaults = &no_options, .nbytes = sizeof no_options };

const kdl__arguments *kdl__class_arguments(const kdl_module_class *class)
{
    while (class && !class->arguments)
        class = class->parent;
    return class ? class->arguments : NULL;
}

const kdl__argument *kdl__find_argument(const kdl__arguments *arguments, const char *name,
                                        size_t length)
{
    for (int i = 0; i < arguments->count; i++) {
        const char *known = arguments->list[i].name;
        if (strncmp(known, name, length) == 0 && known[length] == '\0')
            return &arguments->list[i];
    }
    return NULL;
}

kdl_tensor *kdl__take(kdl_tensor **field)
{
    kdl_tensor *tensor = *field;
    *field = NULL;
    return tensor;
}

void kdl__expand(kdl_shape *shape, int count)
{
    bool is_int = shape->ndim == 0 && shape->sizes[0] > KDL_EMPTY_TUPLE;
    for (int i = 0; is_int && i < count; i++)
        shape->sizes[i] = shape->sizes[0];
    if (is_int)
        shape->ndim = count;
}

kdl_module *kdl__take_module(kdl_module **field)
{
    kdl_module *module = *field;
    *field = NULL;
    return module;
}

bool kdl__refuses_type(const kdl_module *module, const kdl_module_class *class, const char *place)
{
    if (!kdl__module_refuses(module) && !kdl_isinstance(module, class))
        kdl__fail_at(module->ctx, place, KDL_ERROR_TYPE, "the module is no %s but a %s",
                     class->name, module->class->name);
    return kdl__module_refuses(module);
}

bool kdl__size_product(const kdl_module *module, int64_t a, int64_t b, int64_t *product)
{
    if (!__builtin_mul_overflow(a, b, product))
        return true;
    kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_RUNTIME,
                 "numel: integer multiplication overflow");
    return false;
}

void kdl__expand_ratios(kdl_ratios *ratios, int count)
{
    bool is_number =
        ratios->count == 0 && (!isnan(ratios->values[0]) || kdl_is_int(ratios->values[0]));
    for (int i = 0; is_number && i < count; i++)
        ratios->values[i] = ratios->values[0];
    if (is_number)
        ratios->count = count;
}

/* Releases the tensors and modules in a class's struct, of which `nbytes` are there. */
static void release_objects(const kdl__arguments *arguments, const void *fields, size_t nbytes)
{
    for (int i = 0; i < arguments->count; i++) {
        const kdl__argument *argument = &arguments->list[i];
        const void *at = (const unsigned char *)fields + argument->offset;
        if (argument->offset + sizeof(void *) > nbytes)
            continue;
        if (argument->kind == KDL__KIND_TENSOR)
            kdl_tensor_release(*(kdl_tensor *const *)at);
        if (argument->kind == KDL__KIND_MODULE)
            kdl_module_release(*(kdl_module *const *)at);
    }
}

/* Releases those that are still in a module's fields. */
static void drop_objects(kdl_module *module)
{
    const kdl__arguments *arguments = kdl__class_arguments(module->class);
    release_objects(arguments, module->fields, arguments->nbytes);
    for (int i = 0; i < arguments->count; i++) {
        const kdl__argument *argument = &arguments->list[i];
        if (argument->kind == KDL__KIND_TENSOR || argument->kind == KDL__KIND_MODULE)
            memset(kdl__argument_at(module, argument), 0, sizeof(void *));
    }
}

kdl_module *kdl__nn_begin(kdl_context *ctx, const kdl_module_class *class)
{
    const kdl__arguments *arguments = kdl__class_arguments(class);
    if (!kdl__failed(ctx) && !arguments)
        kdl__fail_at(ctx, "kdl_nn_new", KDL_ERROR_TYPE,
                     "%s has no arguments: construct it with kdl_module_new()", class->name);
    kdl_module *module = kdl_module_new(ctx, class);
    if (module)
        memcpy(module->fields, arguments->defaults, arguments->nbytes);
    return module;
}

/* Whether a string or a module that must be there is not. */
static bool is_missing(const kdl_module *module, const kdl__argument *argument)
{
    const void *at = kdl__argument_at(module, argument);
    if (argument->optional)
        return false;
    return (argument->kind == KDL__KIND_STRING && !*(const char *const *)at) ||
           (argument->kind == KDL__KIND_MODULE && !*(kdl_module *const *)at);
}

kdl_module *kdl__nn_finish(kdl_module *module)
{
    const kdl__arguments *arguments = kdl__class_arguments(module->class);
    for (int i = 0; i < arguments->count; i++) {
        const kdl__argument *argument = &arguments->list[i];
        const char **string = kdl__argument_at(module, argument);
        if (argument->kind == KDL__KIND_STRING && *string)
            *string = kdl__intern(module->ctx, *string, strlen(*string));
        if (is_missing(module, argument))
            kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_TYPE,
                         "the argument '%s' cannot be None", argument->name);
        if (argument->kind == KDL__KIND_SHAPE)
            kdl__expand(kdl__argument_at(module, argument), arguments->expand);
        if (argument->kind == KDL__KIND_RATIOS)
            kdl__expand_ratios(kdl__argument_at(module, argument), arguments->expand);
    }
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    if (arguments->build && !kdl__failed(module->ctx))
        arguments->build(module);
    module->ctx->tape = tape;
    drop_objects(module);
    return kdl__module_finish(module);
}

void kdl__nn_abandon(kdl_module *module)
{
    if (module)
        drop_objects(module);
    kdl_module_release(module);
}

kdl_module *kdl_nn_new(kdl_context *ctx, const kdl_module_class *class, const void *options)
{
    const kdl__arguments *arguments = kdl__class_arguments(class);
    if (!kdl__failed(ctx) && arguments && arguments->required > 0 && !options)
        kdl__fail(ctx, KDL_ERROR_TYPE, "%s() misses its required arguments", class->name);
    kdl_module *module = kdl__nn_begin(ctx, class);
    if (module && kdl__read_options(ctx, class->name, module->fields, arguments->nbytes, options))
        return kdl__nn_finish(module);
    if (!module && arguments && options)
        release_objects(arguments, options, *(const size_t *)options);
    kdl_module_release(module);
    return NULL;
}
