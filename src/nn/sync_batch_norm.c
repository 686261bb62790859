/* SPDX-License-Identifier: Apache-2.0 */
/* SyncBatchNorm.convert_sync_batchnorm() (torch/nn/modules/batchnorm.py). */
#include "nn/arguments.h"

#define PLACE "kdl_convert_sync_batchnorm"

/* Whether an earlier name of the module's is for the same child: named_children() gives it once. */
static bool is_repeated(const kdl_module *module, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        const kdl__member *earlier = &module->members[i];
        if (earlier->kind == KDL__MODULE && earlier->module == module->members[index].module)
            return true;
    }
    return false;
}

/* The child of the index-th member, if named_children() gives it. */
static kdl_module *child_at(const kdl_module *module, size_t index)
{
    const kdl__member *member = &module->members[index];
    bool given = member->kind == KDL__MODULE && member->module && !is_repeated(module, index);
    return given ? member->module : NULL;
}

/* A SyncBatchNorm with the tensors and children of a batch norm. */
static kdl_module *make_sync_norm(const kdl_module *norm)
{
    static const char *const buffers[] = { "running_mean", "running_var", "num_batches_tracked" };
    kdl_context *ctx = norm->ctx;
    if (!kdl__class_arguments(norm->class) || kdl_is_parametrized(norm, NULL)) {
        kdl__fail_at(ctx, PLACE, KDL_ERROR_NOT_IMPLEMENTED,
                     "a %s cannot be converted: it is parametrized, or its class lacks BatchNorm's "
                     "arguments",
                     norm->class->name);
        return NULL;
    }
    kdl_batch_norm_options options = *(const kdl_batch_norm_options *)kdl_module_fields(norm);
    options.bias = kdl_parameter(norm, "bias");
    kdl_module *sync = kdl_nn_new(ctx, KDL_CLASS_SYNC_BATCH_NORM, &options);
    if (!sync)
        return NULL;
    sync->evaluates = norm->evaluates;
    if (options.affine) {
        kdl_register_parameter(sync, "weight", kdl_tensor_retain(kdl_parameter(norm, "weight")));
        kdl_register_parameter(sync, "bias", kdl_tensor_retain(kdl_parameter(norm, "bias")));
    }
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        kdl_register_buffer(sync, buffers[i], kdl_tensor_retain(kdl_buffer(norm, buffers[i])));
    for (size_t i = 0; i < norm->count; i++) {
        if (child_at(norm, i))
            kdl_add_module(sync, norm->members[i].name, kdl_module_retain(child_at(norm, i)));
    }
    return kdl__module_finish(sync);
}

/* Gives one reference. */
static kdl_module *convert(kdl_module *module, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(module->ctx, PLACE);
        return NULL;
    }
    bool is_norm = kdl_isinstance(module, KDL_CLASS_BATCH_NORM);
    kdl_module *output = is_norm ? make_sync_norm(module) : kdl_module_retain(module);
    /* From the last, so that a child's first name is still there when it is met by another. */
    for (size_t i = output ? output->count : 0; i-- > 0 && !kdl__failed(output->ctx);) {
        kdl_module *child = child_at(output, i);
        kdl_module *converted = child ? convert(child, depth + 1) : NULL;
        if (converted && converted != child)
            kdl_add_module(output, output->members[i].name, converted);
        else
            kdl_module_release(converted);
    }
    return kdl__module_finish(output);
}

kdl_module *kdl_convert_sync_batchnorm(kdl_module *module)
{
    kdl_module *output = kdl__module_refuses(module) ? NULL : convert(module, 1);
    kdl_module_release(module);
    return output;
}
