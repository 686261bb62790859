/* SPDX-License-Identifier: Apache-2.0 */
/* What all optimisers share: groups of parameters, steps, state. */
#include <math.h>
#include <string.h>

#include "optim/update.h"

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

kdl_optimizer *kdl_optimizer_retain(kdl_optimizer *optimizer)
{
    if (optimizer)
        optimizer->references++;
    return optimizer;
}

void kdl_optimizer_release(kdl_optimizer *optimizer)
{
    if (!optimizer || --optimizer->references > 0)
        return;
    kdl_context *ctx = optimizer->ctx;
    for (size_t i = 0; i < optimizer->count; i++)
        free_group(ctx, &optimizer->groups[i]);
    kdl_free(ctx, optimizer->groups);
    kdl_free(ctx, optimizer->defaults);
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
    if (!kdl__grow(ctx, (void **)&group->params, &group->capacity, group->count + 1,
                   sizeof *group->params))
        return ctx->status;
    kdl__optim_param *param = &group->params[group->count++];
    *param = (kdl__optim_param){ .tensor = kdl_tensor_retain(tensor) };
    return optimizer->class->begin ? optimizer->class->begin(param, group->options) : KDL_OK;
}

/* A copy of `base` with what the caller gives over it, checked. */
static void *read_options(kdl_optimizer *optimizer, const void *base, const void *given)
{
    kdl_context *ctx = optimizer->ctx;
    const kdl__optim_class *class = optimizer->class;
    void *options = kdl__alloc(ctx, 1, class->options_nbytes);
    if (!options)
        return NULL;
    memcpy(options, base, class->options_nbytes);
    if (kdl__read_options(ctx, class->name, options, class->options_nbytes, given) &&
        !kdl__check_hypers(ctx, class, options) && !(class->check && class->check(ctx, options)))
        return options;
    kdl_free(ctx, options);
    return NULL;
}

/* A group with its options checked, not in the optimiser yet. */
static kdl_status fill_group(kdl_optimizer *optimizer, kdl_iterator params, const void *options,
                             kdl__optim_group *group)
{
    kdl_context *ctx = optimizer->ctx;
    group->options = read_options(optimizer, optimizer->defaults, options);
    while (!kdl__failed(ctx) && kdl_next(&params))
        if (!holds(group, params.tensor))
            add_param(optimizer, group, params.tensor);
    if (!kdl__failed(ctx) && group->count == 0)
        kdl__fail_at(ctx, optimizer->class->name, KDL_ERROR_VALUE,
                     "optimizer got an empty parameter list");
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
    optimizer->references = 1;
    optimizer->class = class;
    optimizer->defaults = read_options(optimizer, class->defaults, options);
    if (optimizer->defaults && !kdl_optimizer_add_param_group(optimizer, params, NULL))
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
    optimizer->has_stepped = true;
    for (size_t g = 0; g < optimizer->count; g++) {
        kdl__optim_group *group = &optimizer->groups[g];
        for (size_t i = 0; i < group->count && !kdl__failed(ctx); i++) {
            kdl__optim_param *param = &group->params[i];
            if (!param->tensor->grad)
                continue;
            param->scalars[0]++;
            if (optimizer->class->step(param, param->tensor->grad, group->options))
                param->scalars[0]--;
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

kdl_status kdl__optim_state(kdl__optim_param *param, int index, double initial)
{
    kdl_tensor *tensor = param->tensor, *state = param->states[index];
    if (state)
        return KDL_OK;
    state = kdl__new_values(tensor->ctx, tensor->storage->dtype, tensor->ndim, tensor->dims);
    if (state && kdl_fill_(state, initial) == KDL_OK)
        param->states[index] = state;
    else
        kdl_tensor_release(state);
    return tensor->ctx->status;
}

kdl_status kdl__optim_update(kdl__optim_param *param, kdl_tensor *grad, unsigned states,
                             kdl__inner_loop *const loops[2], const void *arguments)
{
    kdl_tensor *operands[KDL__MAX_OPERANDS] = { param->tensor, grad };
    for (int i = 0; i < KDL__MAX_STATES; i++) {
        bool used = states >> i & 1;
        if (used && kdl__optim_state(param, i, 0))
            return grad->ctx->status;
        operands[2 + i] = used ? param->states[i] : param->tensor; /* which is not touched there */
    }
    return kdl__loop_run(operands, KDL__MAX_OPERANDS, false, loops[kdl__float_index(param->tensor)],
                         arguments);
}

/* ---- hyperparameters --------------------------------------------------------------------- */

static bool is_in_range(kdl__hyper_range range, double value)
{
    switch (range) {
    case KDL__NOT_NEGATIVE:
        return value >= 0;
    case KDL__BELOW_ONE:
        return value >= 0 && value < 1;
    case KDL__UP_TO_ONE:
        return value >= 0 && value <= 1;
    default:
        return true;
    }
}

/* "Invalid beta parameter at index 0: 1.0"; the index is left out when it is negative. */
static kdl_status check_hyper(kdl_context *ctx, const char *place, const kdl__hyper *hyper,
                              int index, double value)
{
    if (is_in_range(hyper->range, value))
        return KDL_OK;
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_repr(&text, value);
    char *number = kdl__text_take(&text);
    if (number && index < 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "Invalid %s: %s", hyper->what, number);
    else if (number)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "Invalid %s at index %d: %s", hyper->what, index,
                     number);
    kdl_free(ctx, number);
    return ctx->status;
}

kdl_status kdl__check_hypers(kdl_context *ctx, const kdl__optim_class *class, const void *options)
{
    for (int i = 0; i < class->hyper_count && !kdl__failed(ctx); i++) {
        const kdl__hyper *hyper = &class->hypers[i];
        const double *values = (const void *)((const char *)options + hyper->offset);
        if (hyper->kind == KDL__HYPER_NUMBER)
            check_hyper(ctx, class->name, hyper, -1, *values);
        for (int k = 0; hyper->kind == KDL__HYPER_PAIR && k < 2 && !kdl__failed(ctx); k++)
            check_hyper(ctx, class->name, hyper, k, values[k]);
    }
    return ctx->status;
}

size_t kdl_optimizer_group_count(const kdl_optimizer *optimizer)
{
    return optimizer ? optimizer->count : 0;
}

const char *const kdl__scheduled_keys[KDL__SCHEDULED_COUNT] = {
    "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum",
};

static const kdl__hyper *find_hyper(const kdl_optimizer *optimizer, const char *key)
{
    const kdl__optim_class *class = optimizer->class;
    for (int i = 0; i < class->hyper_count; i++)
        if (class->hypers[i].kind != KDL__HYPER_FIXED && strcmp(class->hypers[i].key, key) == 0)
            return &class->hypers[i];
    return NULL;
}

double *kdl__group_number(kdl_optimizer *optimizer, size_t group, const char *key)
{
    const kdl__hyper *hyper = find_hyper(optimizer, key);
    return hyper && hyper->kind != KDL__HYPER_FLAG
               ? (void *)((char *)optimizer->groups[group].options + hyper->offset)
               : NULL;
}

/* Whether there is that group, and nothing else is wrong; else IndexError. */
static bool has_group(kdl_optimizer *optimizer, size_t group, const char *place)
{
    if (optimizer && group >= optimizer->count)
        kdl__fail_at(optimizer->ctx, place, KDL_ERROR_INDEX, "there is no parameter group %zu",
                     group);
    return optimizer && !kdl__failed(optimizer->ctx);
}

/* Reads an entry of a group, or writes it. False, with an error, when there is none. */
static bool access_entry(kdl_optimizer *optimizer, size_t group, const char *key, int index,
                         double *value, bool write)
{
    kdl__optim_group *entries = &optimizer->groups[group];
    const kdl__hyper *hyper = find_hyper(optimizer, key);
    double *number = hyper ? kdl__group_number(optimizer, group, key) : NULL;
    bool *flag = hyper && !number ? (bool *)entries->options + hyper->offset : NULL;
    for (int i = 0; !hyper && i < KDL__SCHEDULED_COUNT; i++)
        if (strcmp(kdl__scheduled_keys[i], key) == 0 && (write || entries->has_scheduled[i])) {
            entries->has_scheduled[i] = true;
            number = &entries->scheduled[i];
        }
    if (!number && !flag)
        kdl__fail_at(optimizer->ctx, "kdl_optimizer_get", KDL_ERROR_KEY, "'%s'", key);
    else if (index < 0 || index > (hyper && hyper->kind == KDL__HYPER_PAIR))
        kdl__fail_at(optimizer->ctx, "kdl_optimizer_get", KDL_ERROR_INDEX,
                     "'%s' has no number at %d", key, index);
    else if (write && flag)
        *flag = *value != 0;
    else if (write)
        number[index] = *value;
    else
        *value = flag ? *flag : number[index];
    return !kdl__failed(optimizer->ctx);
}

double kdl_optimizer_get(kdl_optimizer *optimizer, size_t group, const char *key, int index)
{
    double value = 0;
    if (has_group(optimizer, group, __func__))
        access_entry(optimizer, group, key, index, &value, false);
    return value;
}

kdl_status kdl_optimizer_set(kdl_optimizer *optimizer, size_t group, const char *key, int index,
                             double value)
{
    if (has_group(optimizer, group, __func__))
        access_entry(optimizer, group, key, index, &value, true);
    return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
}

double kdl_optimizer_lr(kdl_optimizer *optimizer, size_t group)
{
    return kdl_optimizer_get(optimizer, group, "lr", 0);
}

kdl_status kdl_optimizer_set_lr(kdl_optimizer *optimizer, size_t group, double lr)
{
    return kdl_optimizer_set(optimizer, group, "lr", 0, lr);
}
