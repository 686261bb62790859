/* SPDX-License-Identifier: Apache-2.0 */
/* Learning-rate schedules that multiply with a factor, as torch/optim/lr_scheduler.py. */
#include <math.h>
#include <string.h>

#include "optim/schedule.h"

/* ---- LambdaLR, MultiplicativeLR ---------------------------------------------------------- */

typedef struct lambda_lr {
    kdl_lr_scheduler base;
    kdl_lr_function *function;
    void *user_data;
} lambda_lr;

static double lambda_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)lr;
    const lambda_lr *s = (lambda_lr *)scheduler;
    return s->base.base_lrs[group] * s->function(s->base.last_epoch, group, s->user_data);
}

static double multiplicative_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    const lambda_lr *s = (lambda_lr *)scheduler;
    return s->base.initial ? lr : lr * s->function(s->base.last_epoch, group, s->user_data);
}

static const kdl__lr_class lambda_class = KDL__LR_CLASS(
    lambda_lr, "LambdaLR", "kdl_lr_lambda", .next = lambda_next, .fixed = "\"lr_lambdas\": []");
static const kdl__lr_class multiplicative_class =
    KDL__LR_CLASS(lambda_lr, "MultiplicativeLR", "kdl_lr_multiplicative",
                  .next = multiplicative_next, .fixed = "\"lr_lambdas\": []");

static kdl_lr_scheduler *new_lambda(const kdl__lr_class *class, kdl_optimizer *optimizer,
                                    kdl_lr_function *function, void *user_data,
                                    const kdl_lr_options *given)
{
    kdl_lr_options o = KDL_LR_DEFAULTS;
    lambda_lr *s = kdl__lr_new(class, optimizer, &o, sizeof o, given);
    if (s) {
        s->function = function;
        s->user_data = user_data;
        if (!function)
            kdl__fail_at(optimizer->ctx, class->place, KDL_ERROR_TYPE,
                         "lr_lambda should be a function, but got NoneType");
    }
    return kdl__lr_start(s, o.last_epoch);
}

kdl_lr_scheduler *kdl_lr_lambda_with(kdl_optimizer *optimizer, kdl_lr_function *lr_lambda,
                                     void *user_data, const kdl_lr_options *options)
{
    return new_lambda(&lambda_class, optimizer, lr_lambda, user_data, options);
}

kdl_lr_scheduler *kdl_lr_multiplicative_with(kdl_optimizer *optimizer, kdl_lr_function *lr_lambda,
                                             void *user_data, const kdl_lr_options *options)
{
    return new_lambda(&multiplicative_class, optimizer, lr_lambda, user_data, options);
}

/* ---- StepLR, ExponentialLR --------------------------------------------------------------- */

typedef struct step_lr {
    kdl_lr_scheduler base;
    int64_t step_size; /* ExponentialLR: 1 */
    double gamma;
} step_lr;

static double step_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)group;
    const step_lr *s = (step_lr *)scheduler;
    return s->base.last_epoch == 0 || s->base.last_epoch % s->step_size != 0 ? lr : lr * s->gamma;
}

static double exponential_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)group;
    return scheduler->initial ? lr : lr * ((step_lr *)scheduler)->gamma;
}

static double step_closed(kdl_lr_scheduler *scheduler, size_t group)
{
    const step_lr *s = (step_lr *)scheduler;
    int64_t epoch = s->base.last_epoch, steps = epoch / s->step_size;
    steps -= epoch % s->step_size != 0 && (epoch < 0) != (s->step_size < 0); /* Python's // */
    return s->base.base_lrs[group] * kdl__lr_power(scheduler, s->gamma, (double)steps);
}

static const kdl__lr_field step_fields[] = {
    KDL__LR_FIELD(step_lr, "step_size", KDL__LR_DIVISOR, step_size),
    KDL__LR_FIELD(step_lr, "gamma", KDL__LR_NUMBER, gamma),
};
static const kdl__lr_class step_class =
    KDL__LR_CLASS(step_lr, "StepLR", "kdl_lr_step", .next = step_next, .closed_form = step_closed,
                  KDL__LR_FIELDS(step_fields));
static const kdl__lr_field exponential_fields[] = {
    KDL__LR_FIELD(step_lr, "gamma", KDL__LR_NUMBER, gamma),
};
static const kdl__lr_class exponential_class =
    KDL__LR_CLASS(step_lr, "ExponentialLR", "kdl_lr_exponential", .next = exponential_next,
                  .closed_form = step_closed, KDL__LR_FIELDS(exponential_fields));

kdl_lr_scheduler *kdl_lr_step_with(kdl_optimizer *optimizer, int64_t step_size,
                                   const kdl_lr_step_options *given)
{
    kdl_lr_step_options o = KDL_LR_STEP_DEFAULTS;
    step_lr *s = kdl__lr_new(&step_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->step_size = step_size;
        s->gamma = o.gamma;
        if (step_size == 0)
            kdl__fail_at(optimizer->ctx, step_class.place, KDL_ERROR_ZERO_DIVISION,
                         "integer modulo by zero");
    }
    return kdl__lr_start(s, o.last_epoch);
}

kdl_lr_scheduler *kdl_lr_exponential_with(kdl_optimizer *optimizer, double gamma,
                                          const kdl_lr_options *given)
{
    kdl_lr_options o = KDL_LR_DEFAULTS;
    step_lr *s = kdl__lr_new(&exponential_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->step_size = 1;
        s->gamma = gamma;
    }
    return kdl__lr_start(s, o.last_epoch);
}

/* ---- MultiStepLR ------------------------------------------------------------------------- */

typedef struct multi_step_lr {
    kdl_lr_scheduler base;
    int64_t *milestones; /* owned */
    size_t count;
    double gamma;
} multi_step_lr;

static double multi_step_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)group;
    const multi_step_lr *s = (multi_step_lr *)scheduler;
    double times = 0;
    for (size_t i = 0; i < s->count; i++)
        times += s->milestones[i] == s->base.last_epoch;
    return times == 0 ? lr : lr * kdl__lr_power(scheduler, s->gamma, times);
}

static double multi_step_closed(kdl_lr_scheduler *scheduler, size_t group)
{
    const multi_step_lr *s = (multi_step_lr *)scheduler;
    double times = 0;
    for (size_t i = 0; i < s->count; i++)
        times += s->milestones[i] <= s->base.last_epoch;
    return s->base.base_lrs[group] * kdl__lr_power(scheduler, s->gamma, times);
}

static void multi_step_destroy(kdl_lr_scheduler *scheduler)
{
    kdl_free(kdl__lr_context(scheduler), ((multi_step_lr *)scheduler)->milestones);
}

static const kdl__lr_field multi_step_fields[] = {
    KDL__LR_FIELD(multi_step_lr, "gamma", KDL__LR_NUMBER, gamma),
};
static const kdl__lr_class multi_step_class =
    KDL__LR_CLASS(multi_step_lr, "MultiStepLR", "kdl_lr_multi_step", .next = multi_step_next,
                  .closed_form = multi_step_closed, .destroy = multi_step_destroy,
                  KDL__LR_FIELDS(multi_step_fields));

kdl_lr_scheduler *kdl_lr_multi_step_with(kdl_optimizer *optimizer, kdl_milestones milestones,
                                         const kdl_lr_step_options *given)
{
    kdl_lr_step_options o = KDL_LR_STEP_DEFAULTS;
    multi_step_lr *s = kdl__lr_new(&multi_step_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->milestones = kdl__lr_copy_milestones(&s->base, milestones);
        s->count = milestones.count;
        s->gamma = o.gamma;
    }
    return kdl__lr_start(s, o.last_epoch);
}

/* ---- ConstantLR -------------------------------------------------------------------------- */

typedef struct constant_lr {
    kdl_lr_scheduler base;
    double factor;
    int64_t total_iters;
} constant_lr;

static double constant_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)group;
    const constant_lr *s = (constant_lr *)scheduler;
    if (s->base.last_epoch == 0)
        return lr * s->factor;
    return s->base.last_epoch != s->total_iters ? lr : lr * kdl__lr_divide(scheduler, 1, s->factor);
}

static double constant_closed(kdl_lr_scheduler *scheduler, size_t group)
{
    const constant_lr *s = (constant_lr *)scheduler;
    bool is_over = s->base.last_epoch >= s->total_iters;
    return s->base.base_lrs[group] * (s->factor + is_over * (1 - s->factor));
}

static const kdl__lr_field constant_fields[] = {
    KDL__LR_FIELD(constant_lr, "factor", KDL__LR_NUMBER, factor),
    KDL__LR_FIELD(constant_lr, "total_iters", KDL__LR_INT, total_iters),
};
static const kdl__lr_class constant_class =
    KDL__LR_CLASS(constant_lr, "ConstantLR", "kdl_lr_constant", .next = constant_next,
                  .closed_form = constant_closed, KDL__LR_FIELDS(constant_fields));

kdl_lr_scheduler *kdl_lr_constant_with(kdl_optimizer *optimizer,
                                       const kdl_lr_constant_options *given)
{
    kdl_lr_constant_options o = KDL_LR_CONSTANT_DEFAULTS;
    constant_lr *s = kdl__lr_new(&constant_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->factor = o.factor;
        s->total_iters = o.total_iters;
        if (o.factor > 1 || o.factor < 0)
            kdl__fail_at(optimizer->ctx, constant_class.place, KDL_ERROR_VALUE,
                         "Constant multiplicative factor expected to be between 0 and 1.");
    }
    return kdl__lr_start(s, o.last_epoch);
}

/* ---- LinearLR ---------------------------------------------------------------------------- */

typedef struct linear_lr {
    kdl_lr_scheduler base;
    double start_factor, end_factor;
    int64_t total_iters;
} linear_lr;

static double linear_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)group;
    const linear_lr *s = (linear_lr *)scheduler;
    int64_t epoch = s->base.last_epoch;
    if (epoch == 0)
        return lr * s->start_factor;
    if (s->base.initial || epoch > s->total_iters)
        return lr;
    double change = s->end_factor - s->start_factor;
    double now = (double)s->total_iters * s->start_factor + (double)(epoch - 1) * change;
    return lr * (1.0 + kdl__lr_divide(scheduler, change, now));
}

static double linear_closed(kdl_lr_scheduler *scheduler, size_t group)
{
    const linear_lr *s = (linear_lr *)scheduler;
    int64_t epoch = s->base.last_epoch;
    double way = (s->end_factor - s->start_factor) *
                 (double)(s->total_iters < epoch ? s->total_iters : epoch);
    return s->base.base_lrs[group] *
           (s->start_factor + kdl__lr_divide(scheduler, way, (double)s->total_iters));
}

static const kdl__lr_field linear_fields[] = {
    KDL__LR_FIELD(linear_lr, "start_factor", KDL__LR_NUMBER, start_factor),
    KDL__LR_FIELD(linear_lr, "end_factor", KDL__LR_NUMBER, end_factor),
    KDL__LR_FIELD(linear_lr, "total_iters", KDL__LR_INT, total_iters),
};
static const kdl__lr_class linear_class =
    KDL__LR_CLASS(linear_lr, "LinearLR", "kdl_lr_linear", .next = linear_next,
                  .closed_form = linear_closed, KDL__LR_FIELDS(linear_fields));

kdl_lr_scheduler *kdl_lr_linear_with(kdl_optimizer *optimizer, const kdl_lr_linear_options *given)
{
    kdl_lr_linear_options o = KDL_LR_LINEAR_DEFAULTS;
    linear_lr *s = kdl__lr_new(&linear_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->start_factor = o.start_factor;
        s->end_factor = o.end_factor;
        s->total_iters = o.total_iters;
        if (o.start_factor > 1 || o.start_factor <= 0)
            kdl__fail_at(optimizer->ctx, linear_class.place, KDL_ERROR_VALUE,
                         "Starting multiplicative factor expected to be greater than 0 and less or "
                         "equal to 1.");
        else if (o.end_factor > 1 || o.end_factor < 0)
            kdl__fail_at(optimizer->ctx, linear_class.place, KDL_ERROR_VALUE,
                         "Ending multiplicative factor expected to be between 0 and 1.");
    }
    return kdl__lr_start(s, o.last_epoch);
}

/* ---- PolynomialLR ------------------------------------------------------------------------ */

typedef struct polynomial_lr {
    kdl_lr_scheduler base;
    int64_t total_iters;
    double power;
} polynomial_lr;

static double polynomial_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)group;
    const polynomial_lr *s = (polynomial_lr *)scheduler;
    int64_t epoch = s->base.last_epoch;
    if (s->base.initial || epoch > s->total_iters)
        return lr;
    double total = (double)s->total_iters;
    double now = 1.0 - kdl__lr_divide(scheduler, (double)epoch, total);
    double before = 1.0 - kdl__lr_divide(scheduler, (double)(epoch - 1), total);
    return lr * kdl__lr_power(scheduler, kdl__lr_divide(scheduler, now, before), s->power);
}

static double polynomial_closed(kdl_lr_scheduler *scheduler, size_t group)
{
    const polynomial_lr *s = (polynomial_lr *)scheduler;
    int64_t epoch = s->base.last_epoch < s->total_iters ? s->base.last_epoch : s->total_iters;
    double rest = 1.0 - kdl__lr_divide(scheduler, (double)epoch, (double)s->total_iters);
    return s->base.base_lrs[group] * kdl__lr_power(scheduler, rest, s->power);
}

static const kdl__lr_field polynomial_fields[] = {
    KDL__LR_FIELD(polynomial_lr, "total_iters", KDL__LR_INT, total_iters),
    KDL__LR_FIELD(polynomial_lr, "power", KDL__LR_NUMBER, power),
};
static const kdl__lr_class polynomial_class =
    KDL__LR_CLASS(polynomial_lr, "PolynomialLR", "kdl_lr_polynomial", .next = polynomial_next,
                  .closed_form = polynomial_closed, KDL__LR_FIELDS(polynomial_fields));

kdl_lr_scheduler *kdl_lr_polynomial_with(kdl_optimizer *optimizer,
                                         const kdl_lr_polynomial_options *given)
{
    kdl_lr_polynomial_options o = KDL_LR_POLYNOMIAL_DEFAULTS;
    polynomial_lr *s = kdl__lr_new(&polynomial_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->total_iters = o.total_iters;
        s->power = o.power;
    }
    return kdl__lr_start(s, o.last_epoch);
}
