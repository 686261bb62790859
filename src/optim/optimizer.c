/* SPDX-License-Identifier: Apache-2.0 */
/* What all optimisers share: groups of parameters, steps, state. */
#include <math.h>
#include <string.h>

#include "optim/optimizer.h"

/* ---- lifetime ---------------------------------------------------------------------------- */

static void free_group(kdl_context *ctx, kdl__optim_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        kdl_tensor_release(group->params[i].tensor);
        for (int k = 0; k < KDL__MAX_STATES; k++)
            kdl_tensor_release(group->params[i].states[k]);
    }
    kdl_free(ctx, group->params);
    kdl_free(ctx, group->options);
}

void kdl_optimizer_release(kdl_optimizer *optimizer)
{
    if (!optimizer)
        return;
    kdl_context *ctx = optimizer->ctx;
    for (size_t i = 0; i < optimizer->count; i++)
        free_group(ctx, &optimizer->groups[i]);
    kdl_free(ctx, optimizer->groups);
    kdl_free(ctx, optimizer);
    kdl_context_release(ctx);
}

/* ---- groups ------------------------------------------------------------------------------ */

static bool holds(const kdl__optim_group *group, const kdl_tensor *tensor)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->params[i].tensor == tensor)
            return true;
    return false;
}

static kdl_status add_param(kdl_optimizer *optimizer, kdl__optim_group *group, kdl_tensor *tensor)
{
    kdl_context *ctx = optimizer->ctx;
    kdl_dtype dtype = kdl_tensor_dtype(tensor);
    if (tensor->ctx != ctx)
        return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_VALUE,
                            "the parameters are of different contexts");
    if (dtype != KDL_F32 && dtype != KDL_F64)
        return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_NOT_IMPLEMENTED,
                            "parameters of %s are not optimised: keep them in f32",
                            kdl_dtype_name(dtype));
    if (!kdl_tensor_is_leaf(tensor))
        return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_VALUE,
                            "can't optimize a non-leaf Tensor");
    for (size_t i = 0; i < optimizer->count; i++)
        if (holds(&optimizer->groups[i], tensor))
            return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_VALUE,
                                "some parameters appear in more than one parameter group");
    if (kdl__grow(ctx, (void **)&group->params, &group->capacity, group->count + 1,
                  sizeof *group->params))
        group->params[group->count++] = (kdl__optim_param){ .tensor = kdl_tensor_retain(tensor) };
    return ctx->status;
}

/* A group with its options checked, not in the optimiser yet. */
static kdl_status fill_group(kdl_optimizer *optimizer, kdl_iterator params, const void *options,
                             kdl__optim_group *group)
{
    kdl_context *ctx = optimizer->ctx;
    const kdl__optim_class *class = optimizer->class;
    group->options = kdl__alloc(ctx, 1, class->options_nbytes);
    if (!group->options)
        return ctx->status;
    memcpy(group->options, class->defaults, class->options_nbytes);
    if (!kdl__read_options(ctx, class->name, group->options, class->options_nbytes, options) ||
        class->check(ctx, group->options))
        return ctx->status;
    while (!kdl__failed(ctx) && kdl_next(&params))
        if (!holds(group, params.tensor))
            add_param(optimizer, group, params.tensor);
    if (!kdl__failed(ctx) && group->count == 0)
        kdl__fail_at(ctx, class->name, KDL_ERROR_VALUE, "optimizer got an empty parameter list");
    return ctx->status;
}

kdl_status kdl_optimizer_add_param_group(kdl_optimizer *optimizer, kdl_iterator params,
                                         const void *options)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = optimizer->ctx;
    kdl__optim_group group = { 0 };
    if (!fill_group(optimizer, params, options, &group) &&
        kdl__grow(ctx, (void **)&optimizer->groups, &optimizer->capacity, optimizer->count + 1,
                  sizeof group))
        optimizer->groups[optimizer->count++] = group;
    else
        free_group(ctx, &group);
    return ctx->status;
}

kdl_optimizer *kdl__optimizer_new(const kdl__optim_class *class, kdl_iterator params,
                                  const void *options)
{
    if (kdl__module_refuses(params.root_))
        return NULL;
    kdl_context *ctx = params.root_->ctx;
    kdl_optimizer *optimizer = kdl__alloc_zeroed(ctx, 1, sizeof *optimizer);
    if (!optimizer)
        return NULL;
    optimizer->ctx = kdl_context_retain(ctx);
    optimizer->class = class;
    if (!kdl_optimizer_add_param_group(optimizer, params, options))
        return optimizer;
    kdl_optimizer_release(optimizer);
    return NULL;
}

/* ---- steps ------------------------------------------------------------------------------- */

kdl_status kdl_optimizer_step(kdl_optimizer *optimizer)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = optimizer->ctx;
    const kdl__tape *tape = kdl__no_grad(ctx);
    for (size_t g = 0; g < optimizer->count; g++) {
        kdl__optim_group *group = &optimizer->groups[g];
        for (size_t i = 0; i < group->count && !kdl__failed(ctx); i++) {
            kdl__optim_param *param = &group->params[i];
            if (!param->tensor->grad)
                continue;
            param->step++;
            optimizer->class->step(param, param->tensor->grad, group->options);
            param->tensor->storage->version++;
        }
    }
    ctx->tape = tape;
    return ctx->status;
}

kdl_status kdl_optimizer_zero_grad(kdl_optimizer *optimizer)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
    for (size_t g = 0; g < optimizer->count; g++)
        for (size_t i = 0; i < optimizer->groups[g].count; i++)
            kdl_tensor_set_grad(optimizer->groups[g].params[i].tensor, NULL);
    return optimizer->ctx->status;
}

kdl_tensor *kdl__optim_state(kdl__optim_param *param, int index)
{
    kdl_tensor *tensor = param->tensor, **state = &param->states[index];
    if (!*state)
        *state = kdl__new_values(tensor->ctx, tensor->storage->dtype, tensor->ndim, tensor->dims);
    else
        return *state;
    if (*state)
        memset((*state)->storage->data, 0, kdl_tensor_nbytes(*state));
    return *state;
}

/* ---- hyperparameters --------------------------------------------------------------------- */

kdl_status kdl__check_hyper(kdl_context *ctx, bool valid, const char *what, double value)
{
    if (valid)
        return KDL_OK;
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_repr(&text, value);
    char *number = kdl__text_take(&text);
    if (number)
        kdl__fail_at(ctx, "kdl_optim", KDL_ERROR_VALUE, "Invalid %s: %s", what, number);
    kdl_free(ctx, number);
    return ctx->status;
}

size_t kdl_optimizer_group_count(const kdl_optimizer *optimizer)
{
    return optimizer ? optimizer->count : 0;
}

/* Every options struct begins so. */
typedef struct any_options {
    size_t nbytes;
    double lr;
} any_options;

static any_options *group_options(kdl_optimizer *optimizer, size_t group, const char *place)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return NULL;
    if (group < optimizer->count)
        return optimizer->groups[group].options;
    kdl__fail_at(optimizer->ctx, place, KDL_ERROR_INDEX, "there is no parameter group %zu", group);
    return NULL;
}

double kdl_optimizer_lr(kdl_optimizer *optimizer, size_t group)
{
    const any_options *options = group_options(optimizer, group, __func__);
    return options ? options->lr : 0;
}

kdl_status kdl_optimizer_set_lr(kdl_optimizer *optimizer, size_t group, double lr)
{
    any_options *options = group_options(optimizer, group, __func__);
    if (options)
        options->lr = lr;
    return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
}
