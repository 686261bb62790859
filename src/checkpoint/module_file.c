/* SPDX-License-Identifier: Apache-2.0 */
/* Modules and state_dicts in files. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "nn/state_dict.h"

/* ---- saving ------------------------------------------------------------------------------ */

static int by_key(const void *left, const void *right)
{
    const kdl__state_entry *a = left, *b = right;
    return strcmp(a->key, b->key);
}

kdl_status kdl_save_with(kdl_module *module, const char *path, const kdl_save_options *options)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    kdl_state_dict *dict = kdl_module_state_dict(module);
    kdl_plan *plan = dict ? kdl_plan_new(module->ctx) : NULL;
    /* A plan writes the first of tied tensors, save_model() the one whose name sorts first. */
    if (dict)
        qsort(dict->entries, dict->count, sizeof *dict->entries, by_key);
    if (plan && kdl_state_dict_plan(dict, plan) == KDL_OK)
        kdl_plan_save_with(plan, path, options);
    kdl_plan_release(plan);
    kdl_state_dict_release(dict);
    return module->ctx->status;
}

/* ---- a file as a state_dict -------------------------------------------------------------- */

typedef struct file_source {
    kdl__state_source base;
    kdl_safetensors *file; /* owned */
} file_source;

static kdl_tensor *read_tensor(kdl__state_source *source, int index)
{
    kdl_safetensors *file = ((file_source *)source)->file;
    kdl_context *ctx = kdl_safetensors_context(file);
    const kdl_safetensors_entry *entry = kdl_safetensors_get(file, index);
    if (!entry || !kdl__safetensors_check(file, index, 0, entry->numel))
        return NULL;
    kdl__storage *storage = kdl__storage_new(ctx, entry->dtype, entry->numel);
    kdl_tensor *tensor = NULL;
    if (storage && !kdl_safetensors_read(file, index, 0, entry->numel, storage->data))
        tensor = kdl__tensor_new(ctx, storage, 0, entry->shape.ndim, entry->shape.sizes, NULL);
    kdl__storage_release(storage);
    return tensor;
}

static void close_source(kdl__state_source *source)
{
    kdl_safetensors *file = ((file_source *)source)->file;
    kdl_context *ctx = kdl_context_retain(kdl_safetensors_context(file));
    kdl_safetensors_close(file);
    kdl_free(ctx, source);
    kdl_context_release(ctx);
}

/* Takes over the file, also on failure. */
static kdl__state_source *new_source(kdl_context *ctx, kdl_safetensors *file)
{
    file_source *source = file ? kdl__alloc(ctx, 1, sizeof *source) : NULL;
    if (source)
        *source = (file_source){ { 1, read_tensor, close_source }, file };
    else
        kdl_safetensors_close(file);
    return source ? &source->base : NULL;
}

kdl_state_dict *kdl_state_dict_open(kdl_context *ctx, const char *path)
{
    if (kdl__failed(ctx))
        return NULL;
    kdl_safetensors *file = kdl_safetensors_open(ctx, path);
    kdl__state_source *source = new_source(ctx, file);
    kdl_state_dict *dict = source ? kdl_state_dict_new(ctx) : NULL;
    for (int i = 0; dict && i < kdl_safetensors_count(file) && !kdl__failed(ctx); i++) {
        const kdl_safetensors_entry *entry = kdl_safetensors_get(file, i);
        kdl__state_dict_add_lazy(dict, entry->name, entry->shape, source, i);
    }
    kdl__state_source_release(source);
    if (!kdl__failed(ctx))
        return dict;
    kdl_state_dict_release(dict);
    return NULL;
}

/* ---- loading ----------------------------------------------------------------------------- */

static bool are_tied(const kdl_tensor *a, const kdl_tensor *b)
{
    size_t nbytes = 2 * (size_t)a->ndim * sizeof *a->dims; /* sizes and strides */
    return a->storage == b->storage && a->offset == b->offset && a->ndim == b->ndim &&
           memcmp(a->dims, b->dims, nbytes) == 0;
}

/* Gives what the module has tied all its names in `dict`, where that has one of them. */
static void complete_ties(kdl_module *module, kdl_state_dict *dict)
{
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);) {
        if (kdl_state_dict_contains(dict, it.name))
            continue;
        for (kdl_iterator other = kdl_state_dict(module); kdl_next(&other);) {
            if (are_tied(it.tensor, other.tensor) && kdl_state_dict_contains(dict, other.name)) {
                kdl_tensor *value = kdl_state_dict_get(dict, other.name);
                kdl_state_dict_set(dict, it.name, kdl_tensor_retain(value));
                break;
            }
        }
    }
}

kdl_status kdl_load_with(kdl_module *module, const char *path, const kdl_load_options *options)
{
    if (kdl__module_refuses(module))
        return kdl__module_refusal(module);
    kdl_state_dict *dict = kdl_state_dict_open(module->ctx, path);
    if (dict) {
        complete_ties(module, dict);
        kdl_load_state_dict_with(module, dict, options);
    }
    kdl_state_dict_release(dict);
    return module->ctx->status;
}
