/* SPDX-License-Identifier: Apache-2.0 */
/* Learning-rate schedules that go up and down, and momentum down and up, as lr_scheduler.py. */
#include <math.h>
#include <string.h>

#include "optim/schedule.h"

/* The momentum of a group, or its beta1; NULL when its optimiser has neither. */
static double *momentum_of(kdl_optimizer *optimizer, size_t group)
{
    double *betas = kdl__group_number(optimizer, group, "betas");
    return betas ? betas : kdl__group_number(optimizer, group, "momentum");
}

/* Begins each group's momentum at its highest, and notes its bounds there. */
static void begin_momentum(kdl_lr_scheduler *scheduler, const double *base, const double *most,
                           bool is_new)
{
    kdl_optimizer *optimizer = scheduler->optimizer;
    for (size_t g = 0; g < scheduler->group_count && base && most && is_new; g++) {
        *momentum_of(optimizer, g) = most[g];
        kdl__schedule(&optimizer->groups[g], KDL__MAX_MOMENTUM, most[g]);
        kdl__schedule(&optimizer->groups[g], KDL__BASE_MOMENTUM, base[g]);
    }
}

static bool has_momentum(kdl_lr_scheduler *scheduler)
{
    if (momentum_of(scheduler->optimizer, 0))
        return true;
    kdl__fail_at(kdl__lr_context(scheduler), scheduler->class->place, KDL_ERROR_VALUE,
                 "optimizer must support momentum or beta1 with `cycle_momentum` option enabled");
    return false;
}

/* ---- CyclicLR ---------------------------------------------------------------------------- */

typedef struct cyclic_lr {
    kdl_lr_scheduler base;
    double *least_lrs, *max_lrs, *base_momentums, *max_momentums; /* owned */
    double total_size, step_ratio, gamma;
    kdl_lr_scale_function *scale; /* of the cycle, or of the epoch with `by_epoch` */
    void *user_data;
    bool by_epoch, cycle_momentum;
} cyclic_lr;

static double scale_triangular(double x, void *unused)
{
    (void)x, (void)unused;
    return 1;
}

static double scale_triangular2(double x, void *unused)
{
    (void)unused;
    return 1 / pow(2, x - 1);
}

static double scale_exp_range(double x, void *scheduler)
{
    return pow(((cyclic_lr *)scheduler)->gamma, x);
}

static double cyclic_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)lr;
    const cyclic_lr *s = (cyclic_lr *)scheduler;
    double epoch = (double)s->base.last_epoch;
    double cycles = kdl__lr_divide(scheduler, epoch, s->total_size), cycle = floor(1 + cycles);
    double x = 1.0 + cycles - cycle;
    double factor = x <= s->step_ratio ? kdl__lr_divide(scheduler, x, s->step_ratio)
                                       : kdl__lr_divide(scheduler, x - 1, s->step_ratio - 1);
    double scale = s->scale(s->by_epoch ? epoch : cycle, s->user_data);
    if (s->cycle_momentum && !kdl__failed(kdl__lr_context(scheduler))) {
        double most = s->max_momentums[group];
        *momentum_of(s->base.optimizer, group) =
            most - (most - s->base_momentums[group]) * factor * scale;
    }
    return s->base.base_lrs[group] + (s->max_lrs[group] - s->base.base_lrs[group]) * factor * scale;
}

static void cyclic_destroy(kdl_lr_scheduler *scheduler)
{
    cyclic_lr *s = (cyclic_lr *)scheduler;
    kdl_context *ctx = kdl__lr_context(scheduler);
    kdl_free(ctx, s->least_lrs);
    kdl_free(ctx, s->max_lrs);
    kdl_free(ctx, s->base_momentums);
    kdl_free(ctx, s->max_momentums);
}

static const kdl__lr_field cyclic_fields[] = {
    KDL__LR_FIELD(cyclic_lr, "max_lrs", KDL__LR_LIST, max_lrs),
    KDL__LR_FIELD(cyclic_lr, "total_size", KDL__LR_NUMBER, total_size),
    KDL__LR_FIELD(cyclic_lr, "step_ratio", KDL__LR_NUMBER, step_ratio),
    KDL__LR_FIELD(cyclic_lr, "gamma", KDL__LR_NUMBER, gamma),
};
static const kdl__lr_class cyclic_class = KDL__LR_CLASS(
    cyclic_lr, "CyclicLR", "kdl_lr_cyclic", .next = cyclic_next, .destroy = cyclic_destroy,
    KDL__LR_FIELDS(cyclic_fields), .fixed = "\"_scale_fn_custom\": null");

static void set_scale(cyclic_lr *s, const kdl_lr_cyclic_options *o)
{
    s->gamma = o->gamma;
    s->user_data = s;
    if (o->scale_fn) {
        s->scale = o->scale_fn;
        s->user_data = o->scale_fn_user_data;
        s->by_epoch = strcmp(o->scale_mode, "cycle") != 0;
    } else if (strcmp(o->mode, "triangular") == 0) {
        s->scale = scale_triangular;
    } else if (strcmp(o->mode, "triangular2") == 0) {
        s->scale = scale_triangular2;
    } else if (strcmp(o->mode, "exp_range") == 0) {
        s->scale = scale_exp_range;
        s->by_epoch = true;
    } else {
        kdl__fail_at(kdl__lr_context(&s->base), cyclic_class.place, KDL_ERROR_VALUE,
                     "mode is invalid and scale_fn is None");
    }
}

kdl_lr_scheduler *kdl_lr_cyclic_with(kdl_optimizer *optimizer, double base_lr, double max_lr,
                                     const kdl_lr_cyclic_options *given)
{
    kdl_lr_cyclic_options o = KDL_LR_CYCLIC_DEFAULTS;
    cyclic_lr *s = kdl__lr_new(&cyclic_class, optimizer, &o, sizeof o, given);
    if (!s)
        return NULL;
    kdl_lr_scheduler *scheduler = &s->base;
    s->least_lrs = kdl__lr_values(scheduler, "base_lr", o.base_lrs, base_lr);
    s->max_lrs = kdl__lr_values(scheduler, "max_lr", o.max_lrs, max_lr);
    double up = (double)o.step_size_up;
    double down = o.step_size_down == KDL_NONE_INT ? up : (double)o.step_size_down;
    s->total_size = up + down;
    if (!kdl__failed(optimizer->ctx))
        s->step_ratio = kdl__lr_divide(scheduler, up, s->total_size);
    if (!kdl__failed(optimizer->ctx))
        set_scale(s, &o);
    s->cycle_momentum = o.cycle_momentum;
    if (!kdl__failed(optimizer->ctx) && o.cycle_momentum && has_momentum(scheduler)) {
        s->base_momentums =
            kdl__lr_values(scheduler, "base_momentum", o.base_momentums, o.base_momentum);
        s->max_momentums =
            kdl__lr_values(scheduler, "max_momentum", o.max_momentums, o.max_momentum);
    }
    if (kdl__failed(optimizer->ctx))
        return kdl__lr_finish(s);
    for (size_t g = 0; g < scheduler->group_count && o.last_epoch == -1; g++)
        *kdl__lr_of(scheduler, g) = s->least_lrs[g];
    begin_momentum(scheduler, s->base_momentums, s->max_momentums, o.last_epoch == -1);
    scheduler = kdl__lr_start(s, o.last_epoch);
    if (scheduler) /* as PyTorch: only from the second step on, should the group know another */
        memcpy(scheduler->base_lrs, s->least_lrs, scheduler->group_count * sizeof(double));
    return scheduler;
}

/* ---- OneCycleLR -------------------------------------------------------------------------- */

typedef struct one_cycle_lr {
    kdl_lr_scheduler base;
    double total_steps, pct_start;
    bool three_phase, is_linear, cycle_momentum;
} one_cycle_lr;

/* Where a phase ends, and what the rate and the momentum are at its ends. */
typedef struct cycle_phase {
    double end_step;
    kdl__scheduled lr[2], momentum[2];
} cycle_phase;

static int cycle_phases(const one_cycle_lr *s, cycle_phase phases[3])
{
    double up = s->pct_start * s->total_steps - 1;
    phases[0] = (cycle_phase){ up,
                               { KDL__INITIAL_LR, KDL__MAX_LR },
                               { KDL__MAX_MOMENTUM, KDL__BASE_MOMENTUM } };
    phases[1] = (cycle_phase){ s->total_steps - 1,
                               { KDL__MAX_LR, KDL__MIN_LR },
                               { KDL__BASE_MOMENTUM, KDL__MAX_MOMENTUM } };
    if (!s->three_phase)
        return 2;
    phases[1].end_step = 2 * s->pct_start * s->total_steps - 2;
    phases[1].lr[1] = KDL__INITIAL_LR;
    phases[2] = (cycle_phase){ s->total_steps - 1,
                               { KDL__INITIAL_LR, KDL__MIN_LR },
                               { KDL__MAX_MOMENTUM, KDL__MAX_MOMENTUM } };
    return 3;
}

static double anneal(const one_cycle_lr *s, const double *values, const kdl__scheduled ends[2],
                     double pct)
{
    double start = values[ends[0]], end = values[ends[1]];
    return s->is_linear ? (end - start) * pct + start
                        : end + (start - end) / 2.0 * (cos(M_PI * pct) + 1);
}

static double one_cycle_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    one_cycle_lr *s = (one_cycle_lr *)scheduler;
    double step = (double)s->base.last_epoch, start = 0;
    if (step > s->total_steps) {
        kdl__fail_at(kdl__lr_context(scheduler), scheduler->class->place, KDL_ERROR_VALUE,
                     "Tried to step %.0f times. The specified number of total steps is %.0f", step,
                     s->total_steps);
        return lr;
    }
    cycle_phase phases[3];
    int count = cycle_phases(s, phases), i = 0;
    for (; i < count - 1 && step > phases[i].end_step; i++)
        start = phases[i].end_step;
    double pct = kdl__lr_divide(scheduler, step - start, phases[i].end_step - start);
    const double *values = s->base.optimizer->groups[group].scheduled;
    if (s->cycle_momentum && !kdl__failed(kdl__lr_context(scheduler)))
        *momentum_of(s->base.optimizer, group) = anneal(s, values, phases[i].momentum, pct);
    return anneal(s, values, phases[i].lr, pct);
}

static const kdl__lr_field one_cycle_fields[] = {
    KDL__LR_FIELD(one_cycle_lr, "total_steps", KDL__LR_COUNT, total_steps),
};
static const kdl__lr_class one_cycle_class =
    KDL__LR_CLASS(one_cycle_lr, "OneCycleLR", "kdl_lr_one_cycle", .next = one_cycle_next,
                  KDL__LR_FIELDS(one_cycle_fields));

static void check_positive(kdl_lr_scheduler *scheduler, const char *name, int64_t value)
{
    if (value <= 0)
        kdl__fail_at(kdl__lr_context(scheduler), one_cycle_class.place, KDL_ERROR_VALUE,
                     "Expected positive integer %s, but got %lld", name, (long long)value);
}

static void set_total_steps(one_cycle_lr *s, const kdl_lr_one_cycle_options *o)
{
    if (o->total_steps != KDL_NONE_INT) {
        check_positive(&s->base, "total_steps", o->total_steps);
        s->total_steps = (double)o->total_steps;
    } else if (o->epochs != KDL_NONE_INT && o->steps_per_epoch != KDL_NONE_INT) {
        check_positive(&s->base, "epochs", o->epochs);
        check_positive(&s->base, "steps_per_epoch", o->steps_per_epoch);
        s->total_steps = (double)o->epochs * (double)o->steps_per_epoch;
    } else {
        kdl__fail_at(kdl__lr_context(&s->base), one_cycle_class.place, KDL_ERROR_VALUE,
                     "You must define either total_steps OR (epochs AND steps_per_epoch)");
    }
}

/* Reads the arguments that are not lists. */
static kdl_status set_cycle(one_cycle_lr *s, const kdl_lr_one_cycle_options *o)
{
    kdl_context *ctx = kdl__lr_context(&s->base);
    set_total_steps(s, o);
    s->pct_start = o->pct_start;
    s->three_phase = o->three_phase;
    s->is_linear = strcmp(o->anneal_strategy, "linear") == 0;
    s->cycle_momentum = o->cycle_momentum;
    if (!kdl__failed(ctx) && !(o->pct_start >= 0 && o->pct_start <= 1))
        kdl__fail_number(ctx, one_cycle_class.place, KDL_ERROR_VALUE,
                         "Expected float between 0 and 1 pct_start, but got %s", o->pct_start);
    if (!kdl__failed(ctx) && !s->is_linear && strcmp(o->anneal_strategy, "cos") != 0)
        kdl__fail_at(ctx, one_cycle_class.place, KDL_ERROR_VALUE,
                     "anneal_strategy must be one of 'cos' or 'linear', instead got %s",
                     o->anneal_strategy);
    return ctx->status;
}

kdl_lr_scheduler *kdl_lr_one_cycle_with(kdl_optimizer *optimizer, double max_lr,
                                        const kdl_lr_one_cycle_options *given)
{
    kdl_lr_one_cycle_options o = KDL_LR_ONE_CYCLE_DEFAULTS;
    one_cycle_lr *s = kdl__lr_new(&one_cycle_class, optimizer, &o, sizeof o, given);
    if (!s || set_cycle(s, &o))
        return kdl__lr_finish(s);
    kdl_lr_scheduler *scheduler = &s->base;
    bool is_new = o.last_epoch == -1;
    double *max_lrs = kdl__lr_values(scheduler, "max_lr", o.max_lrs, max_lr);
    double *base = NULL, *most = NULL;
    if (max_lrs && o.cycle_momentum && has_momentum(scheduler)) {
        most = kdl__lr_values(scheduler, "max_momentum", o.max_momentums, o.max_momentum);
        base = kdl__lr_values(scheduler, "base_momentum", o.base_momentums, o.base_momentum);
    }
    for (size_t g = 0; g < scheduler->group_count && is_new && !kdl__failed(optimizer->ctx); g++) {
        double first = kdl__lr_divide(scheduler, max_lrs[g], o.div_factor);
        kdl__optim_group *group = &optimizer->groups[g];
        kdl__schedule(group, KDL__INITIAL_LR, first);
        kdl__schedule(group, KDL__MAX_LR, max_lrs[g]);
        kdl__schedule(group, KDL__MIN_LR, kdl__lr_divide(scheduler, first, o.final_div_factor));
    }
    if (!kdl__failed(optimizer->ctx))
        begin_momentum(scheduler, base, most, is_new);
    kdl_free(optimizer->ctx, max_lrs);
    kdl_free(optimizer->ctx, base);
    kdl_free(optimizer->ctx, most);
    return kdl__lr_start(s, o.last_epoch);
}
