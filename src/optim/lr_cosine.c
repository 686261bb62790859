/* SPDX-License-Identifier: Apache-2.0 */
/* Learning-rate schedules along a cosine (Loshchilov and Hutter, 2017), as lr_scheduler.py. */
#include <math.h>

#include "optim/schedule.h"

/* ---- CosineAnnealingLR ------------------------------------------------------------------- */

typedef struct cosine_lr {
    kdl_lr_scheduler base;
    int64_t t_max;
    double eta_min;
} cosine_lr;

static double cosine_closed(kdl_lr_scheduler *scheduler, size_t group)
{
    const cosine_lr *s = (cosine_lr *)scheduler;
    return s->eta_min + (s->base.base_lrs[group] - s->eta_min) *
                            (1 + cos(M_PI * (double)s->base.last_epoch / (double)s->t_max)) / 2;
}

static double cosine_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    const cosine_lr *s = (cosine_lr *)scheduler;
    int64_t epoch = s->base.last_epoch;
    double t_max = (double)s->t_max;
    if (s->base.initial)
        return lr;
    if (s->base.step_count == 1 && epoch > 0)
        return cosine_closed(scheduler, group);
    if ((epoch - 1 - s->t_max) % (2 * s->t_max) == 0) /* it begins to rise */
        return lr + (s->base.base_lrs[group] - s->eta_min) * (1 - cos(M_PI / t_max)) / 2;
    double now = 1 + cos(M_PI * (double)epoch / t_max);
    double before = 1 + cos(M_PI * (double)(epoch - 1) / t_max);
    return kdl__lr_divide(scheduler, now, before) * (lr - s->eta_min) + s->eta_min;
}

static const kdl__lr_field cosine_fields[] = {
    KDL__LR_FIELD(cosine_lr, "T_max", KDL__LR_DIVISOR, t_max),
    KDL__LR_FIELD(cosine_lr, "eta_min", KDL__LR_NUMBER, eta_min),
};
static const kdl__lr_class cosine_class =
    KDL__LR_CLASS(cosine_lr, "CosineAnnealingLR", "kdl_lr_cosine_annealing", .next = cosine_next,
                  .closed_form = cosine_closed, KDL__LR_FIELDS(cosine_fields));

kdl_lr_scheduler *kdl_lr_cosine_annealing_with(kdl_optimizer *optimizer, int64_t t_max,
                                               const kdl_lr_cosine_options *given)
{
    kdl_lr_cosine_options o = KDL_LR_COSINE_DEFAULTS;
    cosine_lr *s = kdl__lr_new(&cosine_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->t_max = t_max;
        s->eta_min = o.eta_min;
        if (t_max == 0)
            kdl__fail_at(optimizer->ctx, cosine_class.place, KDL_ERROR_ZERO_DIVISION,
                         "integer modulo by zero");
    }
    return kdl__lr_start(s, o.last_epoch);
}

/* ---- CosineAnnealingWarmRestarts --------------------------------------------------------- */

typedef struct restarts_lr {
    kdl_lr_scheduler base;
    double t_0, t_mult, eta_min;
    double t_cur, t_i; /* how far the run is, and how long */
} restarts_lr;

static double restarts_next(kdl_lr_scheduler *scheduler, size_t group, double lr)
{
    (void)lr;
    const restarts_lr *s = (restarts_lr *)scheduler;
    return s->eta_min +
           (s->base.base_lrs[group] - s->eta_min) * (1 + cos(M_PI * s->t_cur / s->t_i)) / 2;
}

/* Goes to where an epoch lies in its run. */
static void restarts_seek(restarts_lr *s, double epoch)
{
    if (epoch < s->t_0) {
        s->t_i = s->t_0;
        s->t_cur = epoch;
    } else if (s->t_mult == 1) {
        s->t_cur = fmod(epoch, s->t_0);
    } else {
        double runs = trunc(log(epoch / s->t_0 * (s->t_mult - 1) + 1) / log(s->t_mult));
        double times = pow(s->t_mult, runs);
        s->t_cur = epoch - s->t_0 * (times - 1) / (s->t_mult - 1);
        s->t_i = s->t_0 * times;
    }
}

static kdl_status restarts_step(kdl_lr_scheduler *scheduler, const double *epoch)
{
    restarts_lr *s = (restarts_lr *)scheduler;
    double first = 0, place;
    if (!epoch && s->base.last_epoch < 0)
        epoch = &first;
    if (epoch && !(*epoch >= 0 && *epoch <= 0x1p53))
        return kdl__fail_at(kdl__lr_context(scheduler), scheduler->class->place, KDL_ERROR_VALUE,
                            "Expected non-negative epoch, but got %g", *epoch);
    if (epoch) {
        restarts_seek(s, *epoch);
        place = floor(*epoch);
    } else {
        place = (double)s->base.last_epoch + 1;
        s->t_cur++;
        if (s->t_cur >= s->t_i) {
            s->t_cur = fmod(s->t_cur, s->t_i);
            s->t_i *= s->t_mult;
        }
    }
    return kdl__lr_update(scheduler, &place);
}

static const kdl__lr_field restarts_fields[] = {
    KDL__LR_FIELD(restarts_lr, "T_0", KDL__LR_COUNT, t_0),
    KDL__LR_FIELD(restarts_lr, "T_mult", KDL__LR_COUNT, t_mult),
    KDL__LR_FIELD(restarts_lr, "eta_min", KDL__LR_NUMBER, eta_min),
    KDL__LR_FIELD(restarts_lr, "T_cur", KDL__LR_NUMBER, t_cur),
    KDL__LR_FIELD(restarts_lr, "T_i", KDL__LR_COUNT, t_i),
};
static const kdl__lr_class restarts_class = KDL__LR_CLASS(
    restarts_lr, "CosineAnnealingWarmRestarts", "kdl_lr_cosine_annealing_warm_restarts",
    .next = restarts_next, .step = restarts_step, KDL__LR_FIELDS(restarts_fields));

kdl_lr_scheduler *kdl_lr_cosine_annealing_warm_restarts_with(kdl_optimizer *optimizer, int64_t t_0,
                                                             const kdl_lr_restarts_options *given)
{
    kdl_lr_restarts_options o = KDL_LR_RESTARTS_DEFAULTS;
    restarts_lr *s = kdl__lr_new(&restarts_class, optimizer, &o, sizeof o, given);
    if (s) {
        s->t_0 = s->t_i = (double)t_0;
        s->t_mult = (double)o.t_mult;
        s->eta_min = o.eta_min;
        s->t_cur = (double)o.last_epoch;
        if (t_0 <= 0)
            kdl__fail_at(optimizer->ctx, restarts_class.place, KDL_ERROR_VALUE,
                         "Expected positive integer T_0, but got %lld", (long long)t_0);
        else if (o.t_mult < 1)
            kdl__fail_at(optimizer->ctx, restarts_class.place, KDL_ERROR_VALUE,
                         "Expected integer T_mult >= 1, but got %lld", (long long)o.t_mult);
    }
    return kdl__lr_start(s, o.last_epoch);
}
