/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules that consist of schedules: SequentialLR, ChainedScheduler, as lr_scheduler.py. */
#include "optim/schedule.h"

static void several_destroy(kdl_lr_scheduler *scheduler)
{
    kdl__several_lr *s = (kdl__several_lr *)scheduler;
    for (size_t i = 0; i < s->count; i++)
        kdl_lr_scheduler_release(s->parts[i]);
    kdl_free(kdl__lr_context(scheduler), s->parts);
    kdl_free(kdl__lr_context(scheduler), s->milestones);
}

static kdl_status chained_step(kdl_lr_scheduler *scheduler, const double *unused)
{
    (void)unused;
    kdl__several_lr *s = (kdl__several_lr *)scheduler;
    kdl_context *ctx = kdl__lr_context(scheduler);
    for (size_t i = 0; i < s->count && !kdl__failed(ctx); i++)
        kdl__lr_step_any(s->parts[i], NULL);
    kdl__lr_remember(scheduler);
    return ctx->status;
}

/* bisect.bisect_right(milestones, epoch): which part is on. */
static size_t part_at(const kdl__several_lr *s, int64_t epoch)
{
    size_t low = 0, high = s->count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (epoch < s->milestones[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static kdl_status sequential_step(kdl_lr_scheduler *scheduler, const double *unused)
{
    (void)unused;
    kdl__several_lr *s = (kdl__several_lr *)scheduler;
    static const double first = 0;
    int64_t epoch = ++s->base.last_epoch;
    size_t i = part_at(s, epoch);
    if (i > 0 && s->milestones[i - 1] == epoch)
        kdl__lr_update(s->parts[i], &first);
    else
        kdl__lr_step_any(s->parts[i], NULL);
    kdl__lr_remember(scheduler);
    return kdl__lr_context(scheduler)->status;
}

static const kdl__lr_class sequential_class =
    KDL__LR_CLASS(kdl__several_lr, "SequentialLR", "kdl_lr_sequential", .step = sequential_step,
                  .destroy = several_destroy, .is_composite = true);
static const kdl__lr_class chained_class =
    KDL__LR_CLASS(kdl__several_lr, "ChainedScheduler", "kdl_lr_chained", .step = chained_step,
                  .destroy = several_destroy, .is_composite = true);

static kdl_status check_part(const kdl__several_lr *s, size_t index, const kdl_lr_scheduler *part)
{
    kdl_context *ctx = kdl__lr_context(&s->base);
    const char *name = s->base.class->name, *place = s->base.class->place;
    if (!part)
        return kdl__fail_at(ctx, place, KDL_ERROR_TYPE,
                            "%s at index %zu should have `optimizer` as its attribute.", name,
                            index);
    if (part->class->takes_metrics)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "%s does not support `ReduceLROnPlateau` scheduler as it requires "
                            "additional kwargs to be specified when calling `step`, but got one at "
                            "index %zu in the given schedulers sequence.",
                            name, index);
    if (part->optimizer != s->base.optimizer)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "%s expects all schedulers to belong to the same optimizer, but got "
                            "scheduler %s at index %zu of another one",
                            name, part->class->name, index);
    return KDL_OK;
}

/* Consumes the parts, also on failure. */
static kdl__several_lr *new_several(const kdl__lr_class *class, kdl_optimizer *optimizer,
                                    kdl_lr_scheduler *const *parts, size_t count,
                                    const kdl_lr_options *given, kdl_lr_options *o)
{
    kdl__several_lr *s = kdl__lr_new(class, optimizer, o, sizeof *o, given);
    if (s)
        s->parts = kdl__alloc(optimizer->ctx, count, sizeof *s->parts);
    bool is_held = s && s->parts;
    for (size_t i = 0; i < count; i++) {
        if (is_held)
            s->parts[s->count++] = parts[i];
        else
            kdl_lr_scheduler_release(parts[i]);
    }
    if (is_held && count == 0)
        kdl__fail_at(optimizer->ctx, class->place, KDL_ERROR_VALUE,
                     class == &sequential_class
                         ? "%s expects at least one scheduler, but got no scheduler."
                         : "%s expects at least one scheduler to be chained, but got no scheduler.",
                     class->name);
    for (size_t i = 0; is_held && i < count && !kdl__failed(optimizer->ctx); i++)
        check_part(s, i, parts[i]);
    return s;
}

/* Takes back the step that each part took when it was made. */
static void undo(kdl_lr_scheduler *scheduler)
{
    const kdl__several_lr *s = (kdl__several_lr *)scheduler;
    for (size_t i = 0; s->base.class->is_composite && i < s->count; i++)
        undo(s->parts[i]);
    if (!scheduler->class->is_composite)
        scheduler->last_epoch--;
}

kdl_lr_scheduler *kdl_lr_sequential_with(kdl_optimizer *optimizer,
                                         kdl_lr_scheduler *const *schedulers, size_t count,
                                         kdl_milestones milestones, const kdl_lr_options *given)
{
    kdl_lr_options o = KDL_LR_DEFAULTS;
    kdl__several_lr *s = new_several(&sequential_class, optimizer, schedulers, count, given, &o);
    if (!s || kdl__failed(optimizer->ctx))
        return kdl__lr_finish(s);
    if (milestones.count != count - 1)
        kdl__fail_at(optimizer->ctx, sequential_class.place, KDL_ERROR_VALUE,
                     "Sequential Schedulers expects number of schedulers provided to be one more "
                     "than the number of milestone points, but got number of schedulers %zu and "
                     "the number of milestones to be equal to %zu",
                     count, milestones.count);
    else
        s->milestones = kdl__lr_copy_milestones(&s->base, milestones);
    if (kdl__failed(optimizer->ctx))
        return kdl__lr_finish(s);
    s->base.last_epoch = o.last_epoch + 1;
    for (size_t g = 0; g < s->base.group_count; g++)
        *kdl__lr_of(&s->base, g) = optimizer->groups[g].scheduled[KDL__INITIAL_LR];
    undo(&s->base);
    kdl__lr_initial_step(s->parts[part_at(s, 0)]);
    kdl__lr_remember(&s->base);
    return kdl__lr_finish(s);
}

kdl_lr_scheduler *kdl_lr_chained(kdl_optimizer *optimizer, kdl_lr_scheduler *const *schedulers,
                                 size_t count)
{
    kdl_lr_options o = KDL_LR_DEFAULTS;
    kdl__several_lr *s = new_several(&chained_class, optimizer, schedulers, count, NULL, &o);
    if (s)
        kdl__lr_remember(&s->base);
    return kdl__lr_finish(s);
}
