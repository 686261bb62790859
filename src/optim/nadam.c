/* SPDX-License-Identifier: Apache-2.0 */
/* NAdam (Dozat, 2016: Adam with Nesterov momentum), as torch/optim/nadam.py. */
#include "optim/update.h"

typedef struct nadam_step {
    kdl__decay decay;
    double beta1, beta2, eps, correction; /* correction: 1 - beta2^t */
    double grad_size, mean_size;          /* how far along the gradient, and the average */
} nadam_step;

/* States: the averages of gradients and of squares. */
#define DEFINE_NADAM(T)                                                                            \
    KDL__ELEMENT(nadam, nadam_step, T)                                                             \
    {                                                                                              \
        (void)flags, (void)c;                                                                      \
        *a = KDL__LERP(*a, g, (T)(1 - s->beta1));                                                  \
        *b = *b * (T)s->beta2 + (T)(1 - s->beta2) * g * g;                                         \
        T under = sqrt(*b / (T)s->correction) + (T)s->eps;                                         \
        return x - (T)s->grad_size * (g / under) - (T)s->mean_size * (*a / under);                 \
    }
DEFINE_NADAM(float)
DEFINE_NADAM(double)
KDL__UPDATE(loops, nadam, nadam_step, 0)

enum { STEP, MU_PRODUCT };

/* The momentum of step t, which grows towards beta1. */
static double momentum_at(const kdl_nadam_options *o, double t)
{
    return o->beta1 * (1 - 0.5 * pow(0.96, t * o->momentum_decay));
}

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_nadam_options *o = options;
    double t = param->scalars[STEP], mu = momentum_at(o, t), next = momentum_at(o, t + 1);
    double before = t == 1 ? 1 : param->scalars[MU_PRODUCT];
    double product = param->wide ? before * mu : (float)before * (float)mu;
    nadam_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay,
                                               o->decoupled_weight_decay, o->lr),
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .eps = o->eps,
                        .correction = 1 - pow(o->beta2, t),
                        .grad_size = o->lr * (1 - mu) / (1 - product),
                        .mean_size = o->lr * next / (1 - product * next) };
    if (kdl__optim_update(param, grad, 3, loops, &call) == KDL_OK)
        param->scalars[MU_PRODUCT] = product;
    return grad->ctx->status;
}

static const kdl_nadam_options defaults = KDL_NADAM_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_nadam_options),
    KDL__EPS(kdl_nadam_options),
    KDL__BETAS(kdl_nadam_options),
    KDL__WEIGHT_DECAY(kdl_nadam_options),
    KDL__NUMBER(kdl_nadam_options, momentum_decay, KDL__NOT_NEGATIVE, "momentum_decay value"),
    KDL__FLAG(kdl_nadam_options, decoupled_weight_decay),
    KDL__FLAG(kdl_nadam_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class nadam =
    KDL__OPTIM_CLASS("kdl_optim_nadam", defaults, hypers, .scalars = { "step", "mu_product" },
                     .states = { "exp_avg", "exp_avg_sq" },
                     .dense_only = "NAdam does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_nadam_with(kdl_iterator params, const kdl_nadam_options *options)
{
    return kdl__optimizer_new(&nadam, params, options);
}
