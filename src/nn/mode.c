/* SPDX-License-Identifier: Apache-2.0 */
/* What is set on all of a tree: training or not, gradients, the dtype. */
#include "kindling/ops.h"
#include "nn/module_impl.h"

kdl_status kdl_module_train(kdl_module *module, bool mode)
{
    for (kdl_iterator it = kdl_named_modules(module); kdl_next(&it);)
        it.module->evaluates = !mode;
    return kdl__module_refusal(module);
}

kdl_status kdl_module_eval(kdl_module *module)
{
    return kdl_module_train(module, false);
}

bool kdl_module_training(const kdl_module *module)
{
    return module && !module->evaluates;
}

kdl_status kdl_module_zero_grad(kdl_module *module, bool set_to_none)
{
    for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);) {
        if (set_to_none)
            kdl_tensor_set_grad(it.tensor, NULL);
        else if (it.tensor->grad)
            kdl_zero_(it.tensor->grad);
    }
    return kdl__module_refusal(module);
}

/* tensor.data = tensor.data.to(dtype), where it is of floating point. */
static void convert_data(kdl_tensor *tensor, kdl_dtype dtype)
{
    if (!tensor || !kdl_dtype_is_floating_point(kdl_tensor_dtype(tensor)))
        return;
    kdl_tensor *converted = kdl_to(tensor, dtype);
    if (converted)
        kdl__tensor_set_data(tensor, converted);
    kdl_tensor_release(converted);
}

/* Replaces a buffer by its conversion. */
static void convert_buffer(kdl_module *module, const kdl__member *member, kdl_dtype dtype)
{
    if (!member->tensor || !kdl_dtype_is_floating_point(kdl_tensor_dtype(member->tensor)))
        return;
    kdl_tensor *converted = kdl_to(member->tensor, dtype);
    if (converted)
        kdl_register_buffer(module, member->name, converted, .persistent = member->persistent);
}

kdl_status kdl_module_to(kdl_module *module, kdl_dtype dtype)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    if (!kdl_dtype_is_floating_point(dtype))
        return kdl__fail(module->ctx, KDL_ERROR_TYPE,
                         "nn.Module.to only accepts floating point or complex dtypes, but got "
                         "desired dtype=torch.%s",
                         kdl_dtype_name(dtype));
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    for (kdl_iterator it = kdl_named_modules(module); kdl_next(&it);) {
        for (size_t i = 0; i < it.module->count && !kdl__failed(module->ctx); i++) {
            const kdl__member *member = &it.module->members[i];
            if (member->kind == KDL__BUFFER)
                convert_buffer(it.module, member, dtype);
            if (member->kind != KDL__PARAMETER || !member->tensor)
                continue;
            convert_data(member->tensor, dtype);
            convert_data(member->tensor->grad, dtype);
        }
    }
    module->ctx->tape = tape;
    return module->ctx->status;
}
