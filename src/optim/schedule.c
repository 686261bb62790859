/* SPDX-License-Identifier: Apache-2.0 */
/* What all learning-rate schedules share: their lives, steps, rates. */
#include <math.h>

#include "optim/schedule.h"

/* ---- lifetime ---------------------------------------------------------------------------- */

void *kdl__lr_new(const kdl__lr_class *class, kdl_optimizer *optimizer, void *options,
                  size_t nbytes, const void *given)
{
    if (!optimizer || kdl__failed(optimizer->ctx))
        return NULL;
    kdl_context *ctx = optimizer->ctx;
    if (!kdl__read_options(ctx, class->place, options, nbytes, given))
        return NULL;
    kdl_lr_scheduler *scheduler = kdl__alloc_zeroed(ctx, 1, class->nbytes);
    if (!scheduler)
        return NULL;
    scheduler->class = class;
    scheduler->optimizer = kdl_optimizer_retain(optimizer);
    scheduler->group_count = optimizer->count;
    double **lists[] = { &scheduler->base_lrs, &scheduler->last_lrs, &scheduler->next_lrs };
    for (int i = 0; i < 3 && !kdl__failed(ctx); i++)
        *lists[i] = kdl__alloc_zeroed(ctx, optimizer->count, sizeof **lists[i]);
    return kdl__lr_finish(scheduler);
}

void kdl_lr_scheduler_release(kdl_lr_scheduler *scheduler)
{
    if (!scheduler)
        return;
    kdl_optimizer *optimizer = scheduler->optimizer;
    kdl_context *ctx = optimizer->ctx;
    if (scheduler->class->destroy)
        scheduler->class->destroy(scheduler);
    kdl_free(ctx, scheduler->base_lrs);
    kdl_free(ctx, scheduler->last_lrs);
    kdl_free(ctx, scheduler->next_lrs);
    kdl_free(ctx, scheduler);
    kdl_optimizer_release(optimizer);
}

kdl_lr_scheduler *kdl__lr_finish(void *given)
{
    kdl_lr_scheduler *scheduler = given;
    if (!scheduler || !kdl__failed(kdl__lr_context(scheduler)))
        return scheduler;
    kdl_lr_scheduler_release(scheduler);
    return NULL;
}

kdl_lr_scheduler *kdl__lr_start(void *given, int64_t last_epoch)
{
    kdl_lr_scheduler *scheduler = given;
    if (!scheduler || kdl__failed(kdl__lr_context(scheduler)))
        return kdl__lr_finish(scheduler);
    for (size_t g = 0; g < scheduler->group_count; g++) {
        kdl__optim_group *group = &scheduler->optimizer->groups[g];
        bool is_known = group->has_scheduled[KDL__INITIAL_LR];
        if (last_epoch == -1 && !is_known)
            kdl__schedule(group, KDL__INITIAL_LR, *kdl__lr_of(scheduler, g));
        else if (!is_known)
            kdl__fail_at(
                kdl__lr_context(scheduler), scheduler->class->place, KDL_ERROR_KEY,
                "param 'initial_lr' is not specified in param_groups[%zu] when resuming "
                "scheduler with last_epoch >= 0.\nThis typically happens when:\n1. You're "
                "trying to resume training from a checkpoint but haven't properly loaded "
                "the optimizer state\n2. You're using last_epoch >= 0 for a fresh training "
                "run (not recommended)",
                g);
        scheduler->base_lrs[g] = group->scheduled[KDL__INITIAL_LR];
    }
    scheduler->last_epoch = last_epoch;
    kdl__lr_initial_step(scheduler);
    return kdl__lr_finish(scheduler);
}

/* ---- steps ------------------------------------------------------------------------------- */

void kdl__lr_remember(kdl_lr_scheduler *scheduler)
{
    for (size_t g = 0; g < scheduler->group_count; g++)
        scheduler->last_lrs[g] = *kdl__lr_of(scheduler, g);
}

kdl_status kdl__lr_update(kdl_lr_scheduler *scheduler, const double *epoch)
{
    const kdl__lr_class *class = scheduler->class;
    kdl_context *ctx = kdl__lr_context(scheduler);
    if (class->is_composite)
        return kdl__fail_at(ctx, class->place, KDL_ERROR_NOT_IMPLEMENTED,
                            "%s cannot begin at a milestone of another schedule", class->name);
    int64_t before = scheduler->last_epoch;
    scheduler->last_epoch = epoch ? (int64_t)*epoch : before + 1;
    for (size_t g = 0; g < scheduler->group_count && !kdl__failed(ctx); g++)
        scheduler->next_lrs[g] = epoch && class->closed_form
                                     ? class->closed_form(scheduler, g)
                                     : class->next(scheduler, g, *kdl__lr_of(scheduler, g));
    if (kdl__failed(ctx))
        scheduler->last_epoch = before;
    for (size_t g = 0; g < scheduler->group_count && !kdl__failed(ctx); g++)
        *kdl__lr_of(scheduler, g) = scheduler->next_lrs[g];
    kdl__lr_remember(scheduler);
    return ctx->status;
}

/* LRScheduler.step(), with its warnings. */
static kdl_status usual_step(kdl_lr_scheduler *scheduler, const double *epoch)
{
    kdl_context *ctx = kdl__lr_context(scheduler);
    if (scheduler->step_count == 1 && !scheduler->optimizer->has_stepped)
        kdl__warn(ctx, "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In "
                       "PyTorch 1.1.0 and later, you should call them in the opposite order: "
                       "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will "
                       "result in PyTorch skipping the first value of the learning rate schedule. "
                       "See more details at https://pytorch.org/docs/stable/optim.html"
                       "#how-to-adjust-learning-rate");
    scheduler->step_count++;
    return kdl__lr_update(scheduler, epoch);
}

kdl_status kdl__lr_step_any(kdl_lr_scheduler *scheduler, const double *given)
{
    kdl_context *ctx = kdl__lr_context(scheduler);
    if (scheduler->group_count != scheduler->optimizer->count)
        return kdl__fail_at(ctx, scheduler->class->place, KDL_ERROR_VALUE,
                            "the schedule is of %zu parameter groups, and now the optimizer has "
                            "%zu: add groups before you make schedules",
                            scheduler->group_count, scheduler->optimizer->count);
    return scheduler->class->step ? scheduler->class->step(scheduler, given)
                                  : usual_step(scheduler, given);
}

kdl_status kdl__lr_initial_step(kdl_lr_scheduler *scheduler)
{
    scheduler->step_count = 0;
    scheduler->initial = true;
    kdl__lr_step_any(scheduler, NULL);
    scheduler->initial = false;
    return kdl__lr_context(scheduler)->status;
}

static bool refuses(const kdl_lr_scheduler *scheduler)
{
    return !scheduler || kdl__failed(kdl__lr_context(scheduler));
}

static kdl_status refusal(const kdl_lr_scheduler *scheduler)
{
    return scheduler ? kdl__lr_context(scheduler)->status : KDL_ERROR_VALUE;
}

/* Whether the class's step takes what the caller has. */
static bool takes(kdl_lr_scheduler *scheduler, bool metrics, bool epoch, const char *place)
{
    if (refuses(scheduler))
        return false;
    const kdl__lr_class *class = scheduler->class;
    if (class->takes_metrics != metrics)
        kdl__fail_at(kdl__lr_context(scheduler), place, KDL_ERROR_TYPE,
                     metrics ? "%s.step() takes no metrics"
                             : "%s.step() missing 1 required positional argument: 'metrics'",
                     class->name);
    else if (epoch && class->is_composite)
        kdl__fail_at(kdl__lr_context(scheduler), place, KDL_ERROR_TYPE, "%s.step() takes no epoch",
                     class->name);
    return !refuses(scheduler);
}

kdl_status kdl_lr_scheduler_step(kdl_lr_scheduler *scheduler)
{
    return takes(scheduler, false, false, __func__) ? kdl__lr_step_any(scheduler, NULL)
                                                    : refusal(scheduler);
}

kdl_status kdl_lr_scheduler_step_epoch(kdl_lr_scheduler *scheduler, double epoch)
{
    return takes(scheduler, false, true, __func__) ? kdl__lr_step_any(scheduler, &epoch)
                                                   : refusal(scheduler);
}

kdl_status kdl_lr_scheduler_step_metrics(kdl_lr_scheduler *scheduler, double metrics)
{
    return takes(scheduler, true, false, __func__) ? kdl__lr_step_any(scheduler, &metrics)
                                                   : refusal(scheduler);
}

double kdl_lr_scheduler_last_lr(kdl_lr_scheduler *scheduler, size_t group)
{
    if (refuses(scheduler))
        return 0;
    if (group < scheduler->group_count)
        return scheduler->last_lrs[group];
    kdl__fail(kdl__lr_context(scheduler), KDL_ERROR_INDEX, "there is no parameter group %zu",
              group);
    return 0;
}

int64_t kdl_lr_scheduler_last_epoch(const kdl_lr_scheduler *scheduler)
{
    return scheduler ? scheduler->last_epoch : 0;
}

/* ---- for the classes --------------------------------------------------------------------- */

double kdl__lr_divide(kdl_lr_scheduler *scheduler, double a, double b)
{
    if (b != 0)
        return a / b;
    kdl__fail_at(kdl__lr_context(scheduler), scheduler->class->place, KDL_ERROR_ZERO_DIVISION,
                 "float division by zero");
    return 0;
}

double kdl__lr_power(kdl_lr_scheduler *scheduler, double a, double b)
{
    if (a != 0 || !(b < 0))
        return pow(a, b);
    kdl__fail_at(kdl__lr_context(scheduler), scheduler->class->place, KDL_ERROR_ZERO_DIVISION,
                 "0.0 cannot be raised to a negative power");
    return 0;
}

double *kdl__lr_values(kdl_lr_scheduler *scheduler, const char *name, kdl_lr_values list,
                       double same)
{
    kdl_context *ctx = kdl__lr_context(scheduler);
    size_t count = scheduler->group_count;
    if (list.values && list.count != count)
        kdl__fail_at(ctx, scheduler->class->place, KDL_ERROR_VALUE,
                     "%s must have the same length as optimizer.param_groups. %s has %zu values, "
                     "param_groups has %zu.",
                     name, name, list.count, count);
    double *values = kdl__failed(ctx) ? NULL : kdl__alloc(ctx, count, sizeof *values);
    for (size_t g = 0; values && g < count; g++)
        values[g] = list.values ? list.values[g] : same;
    return values;
}

int64_t *kdl__lr_copy_milestones(kdl_lr_scheduler *scheduler, kdl_milestones milestones)
{
    int64_t *copy = kdl__alloc(kdl__lr_context(scheduler), milestones.count, sizeof *copy);
    for (size_t i = 0; copy && i < milestones.count; i++)
        copy[i] = milestones.epochs[i];
    return copy;
}
