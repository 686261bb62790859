/* SPDX-License-Identifier: Apache-2.0 */
/* LBFGS (Nocedal, 1980; Liu and Nocedal, 1989), as torch/optim/lbfgs.py. */
#include <math.h>
#include <string.h>

#include "autograd/function.h"
#include "kindling/math.h"
#include "optim/lbfgs.h"

/* ---- parameters as one vector ------------------------------------------------------------ */

int64_t kdl__flat_numel(const kdl_optimizer *optimizer)
{
    const kdl__optim_group *group = &optimizer->groups[0];
    int64_t numel = 0;
    for (size_t i = 0; i < group->count; i++)
        numel += group->params[i].tensor->numel;
    return numel;
}

/* The part of a flat vector from *offset on, of a parameter's sizes; goes on to the next part. */
static kdl_tensor *next_part(kdl_tensor *flat, int64_t *offset, const kdl_tensor *param)
{
    kdl_tensor *part = kdl_narrow(flat, 0, *offset, param->numel);
    kdl_tensor *shaped = part ? kdl_view(part, kdl_tensor_shape(param)) : NULL;
    kdl_tensor_release(part);
    *offset += param->numel;
    return shaped;
}

static kdl_tensor *flatten(kdl_optimizer *optimizer, bool grads)
{
    const kdl__optim_group *group = &optimizer->groups[0];
    int64_t numel = kdl__flat_numel(optimizer), offset = 0;
    kdl_dtype dtype = kdl_tensor_dtype(group->params[0].tensor);
    kdl_tensor *flat = kdl__new_values(optimizer->ctx, dtype, 1, &numel);
    for (size_t i = 0; flat && i < group->count && !kdl__failed(optimizer->ctx); i++) {
        kdl_tensor *tensor = group->params[i].tensor;
        kdl_tensor *part = next_part(flat, &offset, tensor);
        kdl_tensor *source = grads ? kdl__dense_grad(tensor) : kdl_tensor_retain(tensor);
        if (part && grads && !tensor->grad)
            kdl_zero_(part);
        else if (part && source)
            kdl_copy_(part, source);
        kdl_tensor_release(source);
        kdl_tensor_release(part);
    }
    if (!kdl__failed(optimizer->ctx))
        return flat;
    kdl_tensor_release(flat);
    return NULL;
}

kdl_tensor *kdl__flat_grad(kdl_optimizer *optimizer)
{
    return flatten(optimizer, true);
}

kdl_tensor *kdl__flat_params(kdl_optimizer *optimizer)
{
    return flatten(optimizer, false);
}

kdl_status kdl__move_params(kdl_optimizer *optimizer, kdl_tensor *x, double t, kdl_tensor *d)
{
    const kdl__optim_group *group = &optimizer->groups[0];
    int64_t at = 0, along = 0;
    for (size_t i = 0; i < group->count && !kdl__failed(optimizer->ctx); i++) {
        kdl_tensor *tensor = group->params[i].tensor;
        kdl_tensor *value = x ? next_part(x, &at, tensor) : NULL;
        kdl_tensor *change = next_part(d, &along, tensor);
        if (value)
            kdl_copy_(tensor, value);
        if (change && t != 0)
            kdl__accumulate(tensor, change, t);
        tensor->storage->version++;
        kdl_tensor_release(value);
        kdl_tensor_release(change);
    }
    return optimizer->ctx->status;
}

kdl_tensor *kdl__evaluate(const kdl__objective *objective, double *loss)
{
    kdl_tensor *value =
        kdl__call_closure(objective->optimizer, objective->closure, objective->user_data);
    *loss = value ? kdl_tensor_item(value) : 0;
    return value;
}

/* ---- steps ------------------------------------------------------------------------------- */

/* One call of step(). */
typedef struct lbfgs_call {
    kdl__objective objective;
    kdl_context *ctx;
    const kdl_lbfgs_options *options;
    kdl__lbfgs *state;
    kdl_tensor *grad; /* as it is now */
    double loss;
    int64_t evals;
} lbfgs_call;

/* Rounded to the parameters' dtype, in which PyTorch has its numbers. */
static double round_to(const kdl_tensor *like, double value)
{
    return kdl__float_index(like) ? value : (float)value;
}

static double dot(kdl_tensor *a, kdl_tensor *b)
{
    double product = 0;
    if (a && b)
        kdl__dot(a, b, &product);
    return a ? round_to(a, product) : 0;
}

static double largest(kdl_tensor *tensor)
{
    double norm = 0;
    kdl__norm(tensor, INFINITY, &norm);
    return norm;
}

static void replace(kdl_tensor **place, kdl_tensor *value)
{
    kdl_tensor_release(*place);
    *place = value;
}

/* Remembers how the last step changed the gradient, unless that tells nothing. */
static void learn(lbfgs_call *c)
{
    kdl__lbfgs *state = c->state;
    kdl_tensor *y = kdl_sub_tensor(c->grad, state->prev_flat_grad),
               *s = kdl_mul(state->d, state->t);
    double ys = dot(y, s);
    if (!kdl__failed(c->ctx) && ys > 1e-10) {
        if (state->count > 0 && state->count >= (size_t)c->options->history_size)
            kdl__lbfgs_forget(state);
        state->h_diag = round_to(y, ys / dot(y, y));
        kdl__lbfgs_remember(c->ctx, state, (kdl__lbfgs_change){ y, s, round_to(y, 1 / ys) });
    } else {
        kdl_tensor_release(y);
        kdl_tensor_release(s);
    }
}

/* The direction: minus the gradient times the inverse Hessian that the changes tell of. */
static void set_direction(lbfgs_call *c)
{
    kdl__lbfgs *state = c->state;
    size_t count = state->count;
    double *al = kdl__alloc(c->ctx, count, sizeof *al);
    kdl_tensor *q = al ? kdl_mul(c->grad, -1) : NULL;
    for (size_t i = count; q && i-- > 0 && !kdl__failed(c->ctx);) {
        al[i] = round_to(q, dot(state->changes[i].stp, q) * state->changes[i].ro);
        kdl__accumulate(q, state->changes[i].dir, -al[i]);
    }
    kdl_tensor *r = q ? kdl_mul(q, state->h_diag) : NULL;
    for (size_t i = 0; r && i < count && !kdl__failed(c->ctx); i++) {
        double be = round_to(r, dot(state->changes[i].dir, r) * state->changes[i].ro);
        kdl__accumulate(r, state->changes[i].stp, round_to(r, al[i] - be));
    }
    if (r)
        replace(&state->d, r);
    kdl_tensor_release(q);
    kdl_free(c->ctx, al);
}

/* Sets the direction, and how far to go along it at first. */
static void prepare(lbfgs_call *c)
{
    kdl__lbfgs *state = c->state;
    if (++state->n_iter > 1) {
        learn(c);
        set_direction(c);
        state->t = c->options->lr;
    } else {
        double sum = 0;
        while (state->count > 0)
            kdl__lbfgs_forget(state);
        state->h_diag = 1;
        replace(&state->d, kdl_mul(c->grad, -1));
        kdl__norm(c->grad, 1, &sum);
        double first = round_to(c->grad, 1 / round_to(c->grad, sum));
        state->t = first < 1 ? round_to(c->grad, first * c->options->lr) : c->options->lr;
    }
    replace(&state->prev_flat_grad, kdl_tensor_retain(c->grad));
    state->prev_loss = c->loss;
}

/* Goes along the direction, looking for a good place with a line search. */
static void search(lbfgs_call *c, double slope)
{
    kdl__lbfgs *state = c->state;
    kdl__line_point start = { .f = c->loss, .slope = slope, .grad = c->grad }, found = { 0 };
    int64_t evals = 0;
    if (strcmp(c->options->line_search_fn, "strong_wolfe") != 0)
        kdl__fail_at(c->ctx, "kdl_optim_lbfgs", KDL_ERROR_RUNTIME,
                     "only 'strong_wolfe' is supported");
    else if (!kdl__strong_wolfe(&c->objective, &start, state->d, state->t,
                                c->options->max_eval - c->evals, &found, &evals)) {
        c->loss = found.f;
        state->t = found.t;
        replace(&c->grad, kdl_tensor_retain(found.grad));
        kdl__move_params(c->objective.optimizer, NULL, state->t, state->d);
    }
    kdl_tensor_release(found.grad);
    c->evals += evals;
    state->func_evals += evals;
}

/* Goes along the direction as far as it was told, and evaluates unless it is the last time. */
static void walk(lbfgs_call *c, bool is_last)
{
    kdl__move_params(c->objective.optimizer, NULL, c->state->t, c->state->d);
    if (is_last || kdl__failed(c->ctx))
        return;
    kdl_tensor_release(kdl__evaluate(&c->objective, &c->loss));
    if (!kdl__failed(c->ctx))
        replace(&c->grad, kdl__flat_grad(c->objective.optimizer));
    c->evals++;
    c->state->func_evals++;
}

/* Whether step n was the last of this call. */
static bool is_done(const lbfgs_call *c, int64_t n)
{
    const kdl_lbfgs_options *o = c->options;
    return kdl__failed(c->ctx) || n == o->max_iter || c->evals >= o->max_eval ||
           largest(c->grad) <= o->tolerance_grad ||
           largest(c->state->d) * fabs(c->state->t) <= o->tolerance_change ||
           fabs(c->loss - c->state->prev_loss) < o->tolerance_change;
}

static void iterate(lbfgs_call *c)
{
    const kdl_lbfgs_options *o = c->options;
    bool go_on = !(largest(c->grad) <= o->tolerance_grad);
    for (int64_t n = 1; go_on && n <= o->max_iter && !kdl__failed(c->ctx); n++) {
        prepare(c);
        double slope = kdl__failed(c->ctx) ? 0 : dot(c->grad, c->state->d);
        if (kdl__failed(c->ctx) || slope > -o->tolerance_change)
            break;
        if (o->line_search_fn)
            search(c, slope);
        else
            walk(c, n == o->max_iter);
        go_on = !is_done(c, n);
    }
}

/* As one vector has one dtype, so must the parameters: that of the directions before. */
static kdl_status check_params(const kdl_optimizer *optimizer)
{
    const kdl__optim_group *group = &optimizer->groups[0];
    const kdl__lbfgs *state = optimizer->own;
    kdl_dtype dtype = kdl_tensor_dtype(group->params[0].tensor);
    if (kdl__check_dtype(group->params[0].tensor, state ? state->d : NULL, "kdl_optim_lbfgs"))
        return optimizer->ctx->status;
    for (size_t i = 0; i < group->count; i++) {
        if (kdl__check_written(group->params[i].tensor, NULL, "kdl_optim_lbfgs"))
            return optimizer->ctx->status;
        if (kdl_tensor_dtype(group->params[i].tensor) != dtype)
            return kdl__fail_at(optimizer->ctx, "kdl_optim_lbfgs", KDL_ERROR_NOT_IMPLEMENTED,
                                "LBFGS wants parameters of one dtype");
    }
    return KDL_OK;
}

static kdl_tensor *step(kdl_optimizer *optimizer, kdl_closure *closure, void *user_data)
{
    kdl_context *ctx = optimizer->ctx;
    if (check_params(optimizer))
        return NULL;
    if (!optimizer->own)
        optimizer->own = kdl__alloc_zeroed(ctx, 1, sizeof(kdl__lbfgs));
    lbfgs_call c = { .objective = { optimizer, closure, user_data },
                     .ctx = ctx,
                     .options = optimizer->groups[0].options,
                     .state = optimizer->own,
                     .evals = 1 };
    kdl_tensor *loss = c.state ? kdl__evaluate(&c.objective, &c.loss) : NULL;
    c.grad = loss ? kdl__flat_grad(optimizer) : NULL;
    if (c.grad) {
        c.state->func_evals++;
        iterate(&c);
    }
    kdl_tensor_release(c.grad);
    return loss;
}

static const kdl_lbfgs_options defaults = KDL_LBFGS_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_lbfgs_options),
    KDL__INT(kdl_lbfgs_options, max_iter),
    KDL__INT(kdl_lbfgs_options, max_eval),
    KDL__NUMBER(kdl_lbfgs_options, tolerance_grad, KDL__ANY, NULL),
    KDL__NUMBER(kdl_lbfgs_options, tolerance_change, KDL__ANY, NULL),
    KDL__INT(kdl_lbfgs_options, history_size),
    KDL__TEXT(kdl_lbfgs_options, line_search_fn),
};
static const kdl__optim_class lbfgs = KDL__OPTIM_CLASS(
    "kdl_optim_lbfgs", defaults, hypers, .step_closure = step, .save_own = kdl__lbfgs_save,
    .load_own = kdl__lbfgs_load, .free_own = kdl__lbfgs_free);

kdl_optimizer *kdl_optim_lbfgs_with(kdl_iterator params, const kdl_lbfgs_options *given)
{
    kdl_lbfgs_options options = KDL_LBFGS_DEFAULTS;
    if (kdl__module_refuses(params.root_) ||
        !kdl__read_options(params.root_->ctx, lbfgs.name, &options, sizeof options, given))
        return NULL;
    if (options.max_eval == KDL_NONE_INT)
        options.max_eval = options.max_iter * 5 / 4;
    return kdl__optimizer_new(&lbfgs, params, &options);
}
