/* SPDX-License-Identifier: Apache-2.0 */
/* ReduceLROnPlateau, as torch/optim/lr_scheduler.py. */
#include <math.h>
#include <string.h>

#include "optim/schedule.h"

typedef struct plateau_lr {
    kdl_lr_scheduler base;
    bool seeks_max, is_relative;
    double factor, threshold, eps, best;
    double *min_lrs; /* owned */
    int64_t patience, cooldown, cooldown_counter, num_bad_epochs;
} plateau_lr;

static bool is_better(const plateau_lr *s, double value)
{
    if (s->seeks_max)
        return value > (s->is_relative ? s->best * (s->threshold + 1) : s->best + s->threshold);
    return value < (s->is_relative ? s->best * (1 - s->threshold) : s->best - s->threshold);
}

static void reduce(plateau_lr *s)
{
    for (size_t g = 0; g < s->base.group_count; g++) {
        double *lr = kdl__lr_of(&s->base, g), next = *lr * s->factor;
        next = s->min_lrs[g] > next ? s->min_lrs[g] : next;
        if (*lr - next > s->eps)
            *lr = next;
    }
}

static kdl_status plateau_step(kdl_lr_scheduler *scheduler, const double *metrics)
{
    plateau_lr *s = (plateau_lr *)scheduler;
    s->base.last_epoch++;
    if (is_better(s, *metrics)) {
        s->best = *metrics;
        s->num_bad_epochs = 0;
    } else {
        s->num_bad_epochs++;
    }
    if (s->cooldown_counter > 0) {
        s->cooldown_counter--;
        s->num_bad_epochs = 0;
    }
    if (s->num_bad_epochs > s->patience) {
        reduce(s);
        s->cooldown_counter = s->cooldown;
        s->num_bad_epochs = 0;
    }
    kdl__lr_remember(scheduler);
    return KDL_OK;
}

static void plateau_destroy(kdl_lr_scheduler *scheduler)
{
    kdl_free(kdl__lr_context(scheduler), ((plateau_lr *)scheduler)->min_lrs);
}

static const kdl__lr_field plateau_fields[] = {
    KDL__LR_FIELD(plateau_lr, "factor", KDL__LR_NUMBER, factor),
    KDL__LR_FIELD(plateau_lr, "patience", KDL__LR_INT, patience),
    KDL__LR_FIELD(plateau_lr, "threshold", KDL__LR_NUMBER, threshold),
    KDL__LR_FIELD(plateau_lr, "cooldown", KDL__LR_INT, cooldown),
    KDL__LR_FIELD(plateau_lr, "min_lrs", KDL__LR_LIST, min_lrs),
    KDL__LR_FIELD(plateau_lr, "eps", KDL__LR_NUMBER, eps),
    KDL__LR_FIELD(plateau_lr, "best", KDL__LR_NUMBER, best),
    KDL__LR_FIELD(plateau_lr, "cooldown_counter", KDL__LR_INT, cooldown_counter),
    KDL__LR_FIELD(plateau_lr, "num_bad_epochs", KDL__LR_INT, num_bad_epochs),
};
static const kdl__lr_class plateau_class = KDL__LR_CLASS(
    plateau_lr, "ReduceLROnPlateau", "kdl_lr_reduce_on_plateau", .step = plateau_step,
    .destroy = plateau_destroy, .takes_metrics = true, KDL__LR_FIELDS(plateau_fields));

static void check(kdl_context *ctx, const kdl_lr_plateau_options *o, size_t group_count)
{
    const char *place = plateau_class.place, *mode = o->mode, *by = o->threshold_mode;
    if (o->factor >= 1)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "Factor should be < 1.0.");
    else if (o->min_lrs.values && o->min_lrs.count != group_count)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "expected %zu min_lrs, got %zu", group_count,
                     o->min_lrs.count);
    else if (strcmp(mode, "min") != 0 && strcmp(mode, "max") != 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "mode %s is unknown!", mode);
    else if (strcmp(by, "rel") != 0 && strcmp(by, "abs") != 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "threshold mode %s is unknown!", by);
}

kdl_lr_scheduler *kdl_lr_reduce_on_plateau_with(kdl_optimizer *optimizer,
                                                const kdl_lr_plateau_options *given)
{
    kdl_lr_plateau_options o = KDL_LR_PLATEAU_DEFAULTS;
    plateau_lr *s = kdl__lr_new(&plateau_class, optimizer, &o, sizeof o, given);
    if (!s)
        return NULL;
    check(optimizer->ctx, &o, s->base.group_count);
    s->seeks_max = strcmp(o.mode, "max") == 0;
    s->is_relative = strcmp(o.threshold_mode, "rel") == 0;
    s->factor = o.factor;
    s->threshold = o.threshold;
    s->eps = o.eps;
    s->best = s->seeks_max ? -INFINITY : INFINITY;
    s->patience = o.patience;
    s->cooldown = o.cooldown;
    s->min_lrs = kdl__lr_values(&s->base, "min_lr", o.min_lrs, o.min_lr);
    kdl__lr_remember(&s->base);
    return kdl__lr_finish(s);
}
