/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transformers' PreTrainedModel: its initialisation pass, tying, and what save_pretrained writes
 * (transformers/modeling_utils.py).
 */
#include <stdlib.h>
#include <string.h>

#include "models/models_impl.h"

const kdl_module_class kdl__class_pretrained_model = {
    .name = "PreTrainedModel",
    .fields_nbytes = sizeof(kdl__pretrained),
};

/* ---- initialising ------------------------------------------------------------------------ */

void kdl__init_weights(const kdl__pretrained *self, kdl_module *module)
{
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    const char *name = kdl_module_type(module)->name;
    if (kdl_isinstance(module, KDL_CLASS_LINEAR)) {
        kdl_init_normal_(weight, .std = self->std);
        if (bias)
            kdl_init_zeros_(bias);
    } else if (kdl_isinstance(module, KDL_CLASS_EMBEDDING)) {
        kdl_init_normal_(weight, .std = self->std);
        kdl__embedding_zero_padding(module);
    } else if (strstr(name, "LayerNorm") || strstr(name, "RMSNorm")) {
        if (weight)
            kdl_init_ones_(weight);
        if (bias)
            kdl_init_zeros_(bias);
    }
}

/* initialize_weights(): a model within the model is initialised by its own rules. */
static void initialize(kdl_module *module, const kdl__pretrained *model, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH)
        kdl__fail_depth(module->ctx, "kdl_model_from_config");
    if (kdl_isinstance(module, &kdl__class_pretrained_model))
        model = kdl_module_fields(module);
    kdl_module *child;
    for (size_t i = 0; !kdl__failed(module->ctx) && (child = kdl__module_next_child(module, &i));)
        initialize(child, model, depth + 1);
    if (module->hf_initialized)
        return;
    kdl__init_weights(model, module);
    if (model->init_weights)
        model->init_weights(model, module);
    module->hf_initialized = true;
}

/* tie_weights(): the target's module gets the source's parameter. */
static void tie(kdl_module *model, const kdl__tie *pair)
{
    kdl_tensor *source = kdl_get_parameter(model, pair->source);
    const char *dot = strrchr(pair->target, '.');
    char *path = kdl__strndup(model->ctx, pair->target, (size_t)(dot - pair->target));
    if (source && path)
        kdl_register_parameter(kdl_get_submodule(model, path), dot + 1, kdl_tensor_retain(source));
    kdl_free(model->ctx, path);
}

kdl_module *kdl__post_init(kdl_module *model)
{
    if (!kdl__module_refuses(model)) {
        const kdl__pretrained *self = kdl_module_fields(model);
        const kdl__tape *tape = kdl__no_grad(model->ctx);
        initialize(model, self, 1);
        model->ctx->tape = tape;
        for (const kdl__tie *pair = self->ties; pair && pair->target; pair++)
            tie(model, pair);
    }
    return kdl__module_finish(model);
}

/* ---- saving ------------------------------------------------------------------------------ */

typedef struct saved_tensor {
    char *name;
    kdl_tensor *tensor; /* borrowed */
} saved_tensor;

/* The order of a safetensors file: by dtype, in falling order of the format's list, then name. */
static int compare_saved(const void *left, const void *right)
{
    static const int rank[KDL_DTYPE_COUNT] = {
        [KDL_BOOL] = 0, [KDL_U8] = 1,  [KDL_F16] = 2, [KDL_BF16] = 3,
        [KDL_I32] = 4,  [KDL_F32] = 5, [KDL_F64] = 6, [KDL_I64] = 7,
    };
    const saved_tensor *a = left, *b = right;
    int difference = rank[kdl_tensor_dtype(b->tensor)] - rank[kdl_tensor_dtype(a->tensor)];
    return difference ? difference : strcmp(a->name, b->name);
}

/* Whether the model, or one within it, has `name` as the target of a tie. */
static bool is_tie_target(kdl_module *model, const char *name)
{
    for (kdl_iterator it = kdl_named_modules(model); kdl_next(&it);) {
        if (!kdl_isinstance(it.module, &kdl__class_pretrained_model))
            continue;
        const kdl__pretrained *self = kdl_module_fields(it.module);
        size_t length = strlen(it.name);
        if (length && (strncmp(name, it.name, length) != 0 || name[length] != '.'))
            continue;
        for (const kdl__tie *pair = self->ties; pair && pair->target; pair++) {
            if (strcmp(name + length + (length > 0), pair->target) == 0)
                return true;
        }
    }
    return false;
}

/* A safetensors file has no two names for one tensor: the targets of ties are left out. */
static void plan_saved(kdl_module *model, saved_tensor *saved, size_t count, kdl_plan *plan)
{
    size_t kept = 0;
    for (kdl_iterator it = kdl_state_dict(model); kept < count && kdl_next(&it);) {
        bool shared = it.tensor->owners > 1 && it.tensor->numel > 0; /* no element, no alias */
        if (shared && is_tie_target(model, it.name))
            continue;
        saved[kept].tensor = it.tensor;
        saved[kept].name = kdl__strdup(model->ctx, it.name);
        kept += saved[kept].name != NULL;
    }
    if (kept)
        qsort(saved, kept, sizeof *saved, compare_saved);
    for (size_t i = 0; i < kept; i++) {
        kdl_plan_add(plan, saved[i].name, saved[i].tensor);
        kdl_free(model->ctx, saved[i].name);
    }
}

kdl_plan *kdl_model_checkpoint_plan(kdl_module *model)
{
    if (kdl__module_refuses(model))
        return NULL;
    kdl_context *ctx = model->ctx;
    if (!kdl_isinstance(model, &kdl__class_pretrained_model)) {
        kdl__fail(ctx, KDL_ERROR_TYPE, "a %s is not a PreTrainedModel", model->class->name);
        return NULL;
    }
    size_t count = 0;
    for (kdl_iterator it = kdl_state_dict(model); kdl_next(&it);)
        count++;
    kdl_plan *plan = kdl_plan_new(ctx);
    saved_tensor *saved = kdl__alloc(ctx, count, sizeof *saved);
    if (plan && saved) {
        plan_saved(model, saved, count, plan);
        kdl_plan_set_attribute(plan, "model", model->class->name);
    }
    kdl_free(ctx, saved);
    if (kdl__failed(ctx)) {
        kdl_plan_release(plan);
        return NULL;
    }
    return plan;
}
