/* SPDX-License-Identifier: Apache-2.0 */
/* What all optimisers share: groups of parameters, steps, state. */
#include <string.h>

#include "autograd/function.h"
#include "compute/coalesce.h"
#include "optim/update.h"

/* ---- lifetime ---------------------------------------------------------------------------- */

void kdl__optim_group_free(kdl_context *ctx, kdl__optim_group *group)
{
    for (size_t i = 0; group->params && i < group->count; i++) {
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
        kdl__optim_group_free(ctx, &optimizer->groups[i]);
    if (optimizer->own)
        optimizer->class->free_own(ctx, optimizer->own);
    kdl_free(ctx, optimizer->groups);
    kdl_free(ctx, optimizer->defaults);
    kdl_free(ctx, optimizer);
    kdl_context_release(ctx);
}

/* ---- groups ------------------------------------------------------------------------------ */

kdl_status kdl__check_dtype(const kdl_tensor *param, const kdl_tensor *state, const char *place)
{
    kdl_dtype dtype = kdl_tensor_dtype(param), other = state ? kdl_tensor_dtype(state) : dtype;
    if (dtype != KDL_F32 && dtype != KDL_F64)
        return kdl__fail_at(param->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "parameters of %s are not optimised: keep them in f32",
                            kdl_dtype_name(dtype));
    if (other != dtype)
        return kdl__fail_at(param->ctx, place, KDL_ERROR_RUNTIME,
                            "a parameter is torch.%s now, but its optimizer's state is torch.%s: "
                            "make the optimizer after converting",
                            kdl_dtype_name(dtype), kdl_dtype_name(other));
    return KDL_OK;
}

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
    if (tensor->ctx != ctx)
        return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_VALUE,
                            "the parameters are of different contexts");
    if (kdl__check_dtype(tensor, NULL, "kdl_optimizer_add_param_group"))
        return ctx->status;
    if (!kdl_tensor_is_leaf(tensor))
        return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_VALUE,
                            "can't optimize a non-leaf Tensor");
    if (optimizer->class->check_param && optimizer->class->check_param(tensor))
        return ctx->status;
    for (size_t i = 0; i < optimizer->count; i++)
        if (holds(&optimizer->groups[i], tensor))
            return kdl__fail_at(ctx, "kdl_optimizer_add_param_group", KDL_ERROR_VALUE,
                                "some parameters appear in more than one parameter group");
    if (!kdl__grow(ctx, (void **)&group->params, &group->capacity, group->count + 1,
                   sizeof *group->params))
        return ctx->status;
    kdl__optim_param *param = &group->params[group->count++];
    *param = (kdl__optim_param){ .tensor = kdl_tensor_retain(tensor), .class = optimizer->class };
    if (optimizer->class->begin && optimizer->count == 0)
        optimizer->class->begin(param, optimizer->defaults);
    return ctx->status;
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
        !kdl__keep_texts(ctx, class, options) && !kdl__check_hypers(ctx, class, options) &&
        !(class->check && class->check(ctx, options)))
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
    bool repeats = false;
    while (!kdl__failed(ctx) && kdl_next(&params)) {
        if (holds(group, params.tensor))
            repeats = true;
        else
            add_param(optimizer, group, params.tensor);
    }
    if (!kdl__failed(ctx) && repeats)
        kdl__warn(ctx, "optimizer contains a parameter group with duplicate parameters; in future, "
                       "this will cause an error; see github.com/pytorch/pytorch/issues/40967 for "
                       "more information");
    return ctx->status;
}

kdl_status kdl_optimizer_add_param_group(kdl_optimizer *optimizer, kdl_iterator params,
                                         const void *options)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = optimizer->ctx;
    kdl__optim_group group = { 0 };
    if (optimizer->class->step_closure && optimizer->count > 0)
        return kdl__fail(ctx, KDL_ERROR_VALUE,
                         "LBFGS doesn't support per-parameter options (parameter groups)");
    if (!fill_group(optimizer, params, options, &group) &&
        kdl__grow(ctx, (void **)&optimizer->groups, &optimizer->capacity, optimizer->count + 1,
                  sizeof group))
        optimizer->groups[optimizer->count++] = group;
    else
        kdl__optim_group_free(ctx, &group);
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
    if (optimizer->defaults)
        kdl_optimizer_add_param_group(optimizer, params, NULL);
    if (!kdl__failed(ctx) && optimizer->groups[0].count == 0)
        kdl__fail_at(ctx, class->name, KDL_ERROR_VALUE, "optimizer got an empty parameter list");
    if (!kdl__failed(ctx))
        return optimizer;
    kdl_optimizer_release(optimizer);
    return NULL;
}

size_t kdl_optimizer_group_count(const kdl_optimizer *optimizer)
{
    return optimizer ? optimizer->count : 0;
}

/* ---- steps ------------------------------------------------------------------------------- */

/* PyTorch's error for a gradient where it should be dense, or sparse; NULL when it is fine. */
static const char *find_misfit(kdl_optimizer *optimizer, size_t group, const kdl_tensor *param)
{
    const kdl__optim_class *class = optimizer->class;
    if (!param->grad_rows)
        return class->sparse_only;
    if (class->no_decay && *kdl__group_number(optimizer, group, "weight_decay") != 0)
        return class->no_decay;
    return class->dense_only;
}

static kdl_status check_param(kdl_optimizer *optimizer, size_t group, const kdl__optim_param *param)
{
    kdl_context *ctx = optimizer->ctx;
    const char *place = optimizer->class->name, *misfit;
    if (!param->tensor->grad)
        return KDL_OK;
    for (int i = 0; i < KDL__MAX_STATES; i++)
        if (kdl__check_dtype(param->tensor, param->states[i], place))
            return ctx->status;
    if (kdl__check_written(param->tensor, NULL, place))
        return ctx->status;
    misfit = find_misfit(optimizer, group, param->tensor);
    return misfit ? kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s", misfit) : KDL_OK;
}

/* Before anything is changed: whether all that has a gradient can step. */
static kdl_status check_params(kdl_optimizer *optimizer)
{
    for (size_t g = 0; g < optimizer->count; g++)
        for (size_t i = 0; i < optimizer->groups[g].count; i++)
            if (check_param(optimizer, g, &optimizer->groups[g].params[i]))
                return optimizer->ctx->status;
    return KDL_OK;
}

static void step_param(kdl_optimizer *optimizer, kdl__optim_param *param, const void *options)
{
    const kdl__optim_class *class = optimizer->class;
    kdl_tensor *tensor = param->tensor, *rows = NULL, *grad = NULL;
    if (!tensor->grad)
        return;
    if (class->begin)
        class->begin(param, optimizer->defaults);
    if (tensor->grad_rows && !(class->moves_all && class->moves_all(options)))
        kdl__coalesce(tensor->grad_rows, tensor->grad, &rows, &grad);
    else
        grad = kdl__dense_grad(tensor);
    param->rows = rows;
    param->scalars[0]++;
    if (kdl__failed(tensor->ctx) || class->step(param, grad, options))
        param->scalars[0]--;
    param->rows = NULL;
    tensor->storage->version++;
    kdl_tensor_release(rows);
    kdl_tensor_release(grad);
}

kdl_status kdl_optimizer_step(kdl_optimizer *optimizer)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return optimizer ? optimizer->ctx->status : KDL_ERROR_VALUE;
    kdl_context *ctx = optimizer->ctx;
    if (!optimizer->class->step)
        return kdl__fail(ctx, KDL_ERROR_TYPE,
                         "LBFGS.step() missing 1 required positional argument: 'closure'");
    if (check_params(optimizer))
        return ctx->status;
    const kdl__tape *tape = kdl__no_grad(ctx);
    optimizer->has_stepped = true;
    for (size_t g = 0; g < optimizer->count; g++) {
        kdl__optim_group *group = &optimizer->groups[g];
        for (size_t i = 0; i < group->count && !kdl__failed(ctx); i++)
            step_param(optimizer, &group->params[i], group->options);
    }
    ctx->tape = tape;
    return ctx->status;
}

kdl_tensor *kdl__call_closure(kdl_optimizer *optimizer, kdl_closure *closure, void *user_data)
{
    kdl_context *ctx = optimizer->ctx;
    bool was = kdl_set_grad_enabled(ctx, true);
    kdl_tensor *loss = closure(user_data);
    kdl_set_grad_enabled(ctx, was);
    if (!loss && !kdl__failed(ctx))
        kdl__fail_at(ctx, "kdl_optimizer_step_closure", KDL_ERROR_VALUE,
                     "the closure gave no loss");
    if (!kdl__failed(ctx))
        return loss;
    kdl_tensor_release(loss);
    return NULL;
}

kdl_tensor *kdl_optimizer_step_closure(kdl_optimizer *optimizer, kdl_closure *closure,
                                       void *user_data)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return NULL;
    kdl_context *ctx = optimizer->ctx;
    kdl_tensor *loss = NULL;
    if (!closure) {
        kdl__fail(ctx, KDL_ERROR_TYPE, "'NoneType' object is not callable");
    } else if (optimizer->class->step_closure) {
        const kdl__tape *tape = kdl__no_grad(ctx);
        optimizer->has_stepped = true;
        loss = optimizer->class->step_closure(optimizer, closure, user_data);
        ctx->tape = tape;
    } else {
        loss = kdl__call_closure(optimizer, closure, user_data);
        kdl_optimizer_step(optimizer);
    }
    if (!kdl__failed(ctx))
        return loss;
    kdl_tensor_release(loss);
    return NULL;
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

kdl_shape kdl__optim_state_shape(const kdl__optim_param *param, int index)
{
    return param->class->state_shape ? param->class->state_shape(param->tensor, index)
                                     : kdl_tensor_shape(param->tensor);
}

kdl_status kdl__optim_state(kdl__optim_param *param, int index, double initial)
{
    kdl_tensor *tensor = param->tensor, *state = param->states[index];
    if (state || kdl__refuses(tensor))
        return tensor->ctx->status;
    kdl_shape shape = kdl__optim_state_shape(param, index);
    state = kdl__new_values(tensor->ctx, tensor->storage->dtype, shape.ndim, shape.sizes);
    if (state && kdl_fill_(state, initial) == KDL_OK)
        param->states[index] = state;
    else
        kdl_tensor_release(state);
    return tensor->ctx->status;
}

/* ---- updates ----------------------------------------------------------------------------- */

/* Updates of some rows of matrices. */
typedef struct row_update {
    kdl__inner_loop *loop;
    const void *arguments;
    char *data[KDL__MAX_OPERANDS];
    int64_t pitches[KDL__MAX_OPERANDS], strides[KDL__MAX_OPERANDS]; /* in bytes */
    const int64_t *rows;
    int64_t width;
} row_update;

static void update_row_range(const void *given, int64_t first, int64_t last)
{
    const row_update *u = given;
    for (int64_t i = first; i < last; i++) {
        char *row[KDL__MAX_OPERANDS];
        for (int k = 0; k < KDL__MAX_OPERANDS; k++)
            row[k] = u->data[k] + (k == KDL__GRAD ? i : u->rows[i]) * u->pitches[k];
        u->loop(u->arguments, row, u->strides, u->width);
    }
}

/* `rows` are different ones of each matrix, and the gradient's are theirs in turn. */
static kdl_status update_rows(kdl_tensor *rows, kdl_tensor *const *operands, kdl__inner_loop *loop,
                              const void *arguments)
{
    kdl_context *ctx = rows->ctx;
    int64_t item = (int64_t)kdl_dtype_nbytes(operands[0]->storage->dtype);
    row_update u = { .loop = loop,
                     .arguments = arguments,
                     .rows = kdl_tensor_data(rows),
                     .width = operands[0]->dims[1] };
    for (int k = 0; k < KDL__MAX_OPERANDS; k++) {
        u.data[k] = kdl_tensor_data(operands[k]);
        u.pitches[k] = operands[k]->strides[0] * item;
        u.strides[k] = operands[k]->strides[1] * item;
    }
    if (!kdl__failed(ctx))
        kdl__run_ranges(ctx, rows->numel, u.width, update_row_range, &u);
    return ctx->status;
}

kdl_status kdl__optim_update(kdl__optim_param *param, kdl_tensor *grad, unsigned states,
                             kdl__inner_loop *const *loops, const void *arguments)
{
    kdl_tensor *operands[KDL__MAX_OPERANDS] = { param->tensor, [KDL__GRAD] = grad };
    kdl__inner_loop *loop = loops[kdl__loops_of(param->tensor)];
    for (int i = 0; i < KDL__MAX_STATES; i++) {
        bool used = states >> i & 1;
        if (used && kdl__optim_state(param, i, 0))
            return grad->ctx->status;
        operands[2 + i] = used ? param->states[i] : param->tensor; /* which is not touched there */
    }
    return param->rows ? update_rows(param->rows, operands, loop, arguments)
                       : kdl__loop_run(operands, KDL__MAX_OPERANDS, loop, arguments);
}
