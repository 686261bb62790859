/* SPDX-License-Identifier: Apache-2.0 */
/* RAdam (Liu et al., 2020: Adam with a rectified variance), as torch/optim/radam.py. */
#include "optim/update.h"

typedef struct radam_step {
    kdl__decay decay;
    double beta1, beta2, eps, lr, correction; /* correction: 1 - beta1^t */
    double scale;                             /* sqrt(1 - beta2^t) times the rectification */
} radam_step;

enum { RECTIFIED = 1 };

/* States: the averages of gradients and of squares. */
#define DEFINE_RADAM(T)                                                                            \
    KDL__ELEMENT(radam, radam_step, T)                                                             \
    {                                                                                              \
        (void)c;                                                                                   \
        *a = KDL__LERP(*a, g, (T)(1 - s->beta1));                                                  \
        *b = *b * (T)s->beta2 + (T)(1 - s->beta2) * g * g;                                         \
        T change = *a / (T)s->correction * (T)s->lr;                                               \
        if (flags & RECTIFIED)                                                                     \
            change = change * ((T)s->scale / (sqrt(*b) + (T)s->eps));                              \
        return x - change;                                                                         \
    }
DEFINE_RADAM(float)
DEFINE_RADAM(double)
KDL__UPDATE(plain, radam, radam_step, 0)
KDL__UPDATE(rectified, radam, radam_step, RECTIFIED)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_radam_options *o = options;
    double t = param->scalars[0], power = pow(o->beta2, t), correction2 = 1 - power;
    double most = 2 / (1 - o->beta2) - 1, length = most - 2 * t * power / correction2;
    radam_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay,
                                               o->decoupled_weight_decay, o->lr),
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .eps = o->eps,
                        .lr = o->lr,
                        .correction = 1 - pow(o->beta1, t) };
    if (length <= 5) /* the variance of so few steps is not to be trusted */
        return kdl__optim_update(param, grad, 3, plain, &call);
    call.scale = sqrt(correction2) *
                 sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
    return kdl__optim_update(param, grad, 3, rectified, &call);
}

static const kdl_radam_options defaults = KDL_RADAM_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_radam_options),
    KDL__EPS(kdl_radam_options),
    KDL__BETAS(kdl_radam_options),
    KDL__WEIGHT_DECAY(kdl_radam_options),
    KDL__FLAG(kdl_radam_options, decoupled_weight_decay),
    KDL__FLAG(kdl_radam_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class radam =
    KDL__OPTIM_CLASS("kdl_optim_radam", defaults, hypers, .scalars = { "step" },
                     .states = { "exp_avg", "exp_avg_sq" },
                     .dense_only = "RAdam does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_radam_with(kdl_iterator params, const kdl_radam_options *options)
{
    return kdl__optimizer_new(&radam, params, options);
}
