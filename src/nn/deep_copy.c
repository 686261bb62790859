/* SPDX-License-Identifier: Apache-2.0 */
/* copy.deepcopy() of a tree of modules. */
#include <string.h>

#include "kindling/ops.h"
#include "nn/module_impl.h"

/* What has been copied and may be met again: modules, tensors, buffers' storages. Few are. */
typedef struct copied {
    const void *original;
    void *copy; /* borrowed: the new tree holds it */
} copied;

typedef struct copying {
    kdl_context *ctx;
    copied *list;
    size_t count, capacity;
} copying;

static void *find_copy(const copying *state, const void *original)
{
    for (size_t i = 0; i < state->count; i++) {
        if (state->list[i].original == original)
            return state->list[i].copy;
    }
    return NULL;
}

static void remember(copying *state, const void *original, void *copy)
{
    void *list = state->list;
    if (!copy ||
        !kdl__grow(state->ctx, &list, &state->capacity, state->count + 1, sizeof *state->list))
        return;
    state->list = list;
    state->list[state->count++] = (copied){ original, copy };
}

/* ---- tensors ----------------------------------------------------------------------------- */

/*
 * clone(memory_format=torch.preserve_format): without gaps, the dimensions' order in memory kept.
 */
static kdl_tensor *clone_preserving(kdl_tensor *tensor)
{
    int order[KDL_MAX_DIMS], inverse[KDL_MAX_DIMS], ndim = tensor->ndim;
    if (kdl_tensor_is_contiguous(tensor))
        return kdl_clone(tensor);
    for (int d = 0; d < ndim; d++) {
        int at = d;
        for (; at > 0 && tensor->strides[order[at - 1]] < tensor->strides[d]; at--)
            order[at] = order[at - 1];
        order[at] = d;
    }
    for (int d = 0; d < ndim; d++)
        inverse[order[d]] = d;
    kdl_tensor *view = kdl_permute(tensor, ndim, order);
    kdl_tensor *clone = view ? kdl_clone(view) : NULL;
    kdl_tensor *copy = clone ? kdl_permute(clone, ndim, inverse) : NULL;
    kdl_tensor_release(view);
    kdl_tensor_release(clone);
    return copy;
}

/* A plain tensor is copied with its whole storage, so that views of one stay views of one. */
static kdl_tensor *copy_with_storage(copying *state, kdl_tensor *tensor)
{
    kdl__storage *storage = tensor->storage, *copy = find_copy(state, storage);
    kdl_tensor *whole = NULL, *result = NULL;
    if (!copy) {
        kdl_tensor *source = kdl__tensor_new(state->ctx, storage, 0, 1, &storage->numel, NULL);
        whole = kdl_clone(source);
        kdl_tensor_release(source);
        copy = whole ? whole->storage : NULL;
    }
    if (copy)
        result = kdl__tensor_new(state->ctx, copy, tensor->offset, tensor->ndim, tensor->dims,
                                 tensor->strides);
    if (result && whole && atomic_load(&storage->references) > 1)
        remember(state, storage, copy);
    kdl_tensor_release(whole);
    if (result)
        result->requires_grad = tensor->requires_grad;
    return result;
}

static kdl_tensor *copy_tensor(copying *state, kdl_tensor *tensor)
{
    kdl_tensor *copy = tensor ? find_copy(state, tensor) : NULL;
    if (!tensor || copy)
        return kdl_tensor_retain(copy);
    if (tensor->is_uninitialized) {
        copy = kdl__uninitialized_new(state->ctx, kdl_tensor_dtype(tensor), tensor->is_parameter);
        if (copy)
            copy->requires_grad = tensor->requires_grad;
    } else if (tensor->is_parameter) {
        copy = kdl_parameter_new(clone_preserving(tensor), .requires_grad = tensor->requires_grad);
    } else {
        copy = copy_with_storage(state, tensor);
    }
    if (tensor->owners > 1)
        remember(state, tensor, copy);
    return copy;
}

/* ---- modules ----------------------------------------------------------------------------- */

/* The fields of a class and its ancestors, theirs first. */
static void copy_fields(const kdl_module_class *class, kdl_module *copy, const kdl_module *source)
{
    if (!class)
        return;
    copy_fields(class->parent, copy, source);
    if (kdl__failed(copy->ctx))
        return;
    size_t begin = 0;
    for (const kdl_module_class *ancestor = class->parent; ancestor; ancestor = ancestor->parent) {
        if (ancestor->fields_nbytes > begin)
            begin = ancestor->fields_nbytes;
    }
    if (class->copy)
        class->copy(copy, source);
    else if (class->destroy)
        kdl__fail_at(copy->ctx, "kdl_module_deep_copy", KDL_ERROR_TYPE,
                     "%s cannot be copied: its class has destroy() but no copy()", class->name);
    else if (class->fields_nbytes > begin)
        memcpy(copy->fields + begin, source->fields + begin, class->fields_nbytes - begin);
}

static kdl_module *copy_module(copying *state, const kdl_module *source, int depth);

static void copy_member(copying *state, kdl_module *copy, const kdl__member *member, int depth)
{
    if (member->kind == KDL__PARAMETER)
        kdl_register_parameter(copy, member->name, copy_tensor(state, member->tensor));
    else if (member->kind == KDL__BUFFER)
        kdl_register_buffer(copy, member->name, copy_tensor(state, member->tensor),
                            .persistent = member->persistent);
    else if (member->kind == KDL__PLAIN)
        kdl_set_attribute(copy, member->name, copy_tensor(state, member->tensor));
    else
        kdl_add_module(copy, member->name, copy_module(state, member->module, depth + 1));
}

static kdl_module *copy_module(copying *state, const kdl_module *source, int depth)
{
    kdl_module *copy = source ? find_copy(state, source) : NULL;
    if (!source || copy)
        return kdl_module_retain(copy);
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(state->ctx, "kdl_module_deep_copy");
        return NULL;
    }
    copy = kdl_module_new(state->ctx, source->class);
    if (!copy)
        return NULL;
    copy_fields(source->class, copy, source);
    copy->hf_initialized = source->hf_initialized;
    copy->evaluates = source->evaluates;
    kdl__hooks_copy(copy, source);
    for (size_t i = 0; i < source->count && !kdl__failed(state->ctx); i++)
        copy_member(state, copy, &source->members[i], depth);
    copy = kdl__module_finish(copy);
    if (source->owners > 1)
        remember(state, source, copy);
    return copy;
}

kdl_module *kdl_module_deep_copy(kdl_module *module)
{
    if (kdl__module_refuses(module))
        return NULL;
    copying state = { .ctx = module->ctx };
    const kdl__tape *tape = kdl__no_grad(module->ctx);
    kdl_module *copy = kdl__module_finish(copy_module(&state, module, 1));
    kdl_free(module->ctx, state.list);
    module->ctx->tape = tape;
    return copy;
}
