/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uninitialised parameters and buffers, and modules that have them until the shape of an input is
 * known (torch/nn/parameter.py, torch/nn/modules/lazy.py).
 */
#include <string.h>

#include "kindling/ops.h"
#include "nn/arguments.h"

kdl_tensor *kdl__uninitialized_new(kdl_context *ctx, kdl_dtype dtype, bool parameter)
{
    const int64_t sizes[KDL_MAX_DIMS] = { 0 };
    kdl_tensor *empty = kdl_empty(ctx, KDL_SHAPE(0), .dtype = dtype, .requires_grad = parameter);
    kdl_tensor *tensor =
        empty ? kdl__tensor_new(ctx, empty->storage, 0, KDL_MAX_DIMS, sizes, NULL) : NULL;
    kdl_tensor_release(empty);
    if (!tensor)
        return NULL;
    tensor->ndim = 1;
    tensor->is_uninitialized = true;
    tensor->is_parameter = tensor->requires_grad = parameter;
    return tensor;
}

void kdl__add_uninitialized_parameter(kdl_module *module, const char *name, kdl_dtype dtype,
                                      bool present)
{
    if (kdl__module_refuses(module))
        return;
    kdl_register_parameter(module, name,
                           present ? kdl__uninitialized_new(module->ctx, dtype, true) : NULL);
}

void kdl__add_uninitialized_buffer(kdl_module *module, const char *name, kdl_dtype dtype,
                                   bool present)
{
    if (kdl__module_refuses(module))
        return;
    kdl_register_buffer(module, name,
                        present ? kdl__uninitialized_new(module->ctx, dtype, false) : NULL);
}

void kdl__initialize_tensor(kdl_tensor *tensor, kdl_shape shape)
{
    if (!tensor || kdl__failed(tensor->ctx) || !tensor->is_uninitialized)
        return;
    kdl_tensor *ready = kdl_empty(tensor->ctx, shape, .dtype = kdl_tensor_dtype(tensor));
    if (!ready)
        return;
    kdl__storage_release(tensor->storage);
    tensor->storage = kdl__storage_retain(ready->storage);
    tensor->numel = ready->numel;
    tensor->ndim = ready->ndim;
    memcpy(tensor->dims, ready->dims, (size_t)ready->ndim * sizeof *ready->dims);
    memcpy(tensor->strides, ready->strides, (size_t)ready->ndim * sizeof *ready->strides);
    tensor->is_uninitialized = false;
    kdl_tensor_release(ready);
}

bool kdl_has_uninitialized_params(const kdl_module *module)
{
    bool found = false;
    for (size_t i = 0; module && i < module->count; i++) {
        const kdl__member *member = &module->members[i];
        found = found ||
                (member->kind != KDL__MODULE && member->tensor && member->tensor->is_uninitialized);
    }
    return found;
}

kdl_status kdl_initialize_parameters(kdl_module *module, kdl_shape input)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    const kdl__arguments *arguments = kdl__class_arguments(module->class);
    if (!arguments || !arguments->initialize)
        return kdl__fail(module->ctx, KDL_ERROR_KEY,
                         "'%s' object has no attribute 'initialize_parameters'",
                         module->class->name);
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    arguments->initialize(module, &input);
    module->ctx->tape = tape;
    if (!kdl__failed(module->ctx) && module->class->arguments == arguments)
        module->class = arguments->becomes;
    return module->ctx->status;
}
