/* SPDX-License-Identifier: Apache-2.0 */
/* Averaged stochastic gradient descent (Polyak and Juditsky, 1992), as torch/optim/asgd.py. */
#include "optim/update.h"

typedef struct asgd_step {
    kdl__decay decay;
    double eta, kept, mu; /* kept: 1 - lambd eta */
} asgd_step;

/* State: the average of the parameter. */
#define DEFINE_ASGD(T)                                                                             \
    KDL__ELEMENT(asgd, asgd_step, T)                                                               \
    {                                                                                              \
        (void)flags, (void)b, (void)c;                                                             \
        x = x * (T)s->kept - (T)s->eta * g;                                                        \
        *a = s->mu == 1 ? x : *a + (x - *a) * (T)s->mu;                                            \
        return x;                                                                                  \
    }
DEFINE_ASGD(float)
DEFINE_ASGD(double)
KDL__UPDATE(loops, asgd, asgd_step, 0)

enum { STEP, ETA, MU };

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_asgd_options *o = options;
    double t = param->scalars[STEP], eta = t == 1 ? (float)o->lr : param->scalars[ETA];
    asgd_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay, false, o->lr),
                       .eta = eta,
                       .kept = 1 - o->lambd * eta,
                       .mu = t == 1 ? 1 : param->scalars[MU] };
    if (kdl__optim_update(param, grad, 1, loops, &call))
        return grad->ctx->status;
    param->scalars[ETA] = (float)(o->lr / pow(1 + o->lambd * o->lr * t, o->alpha));
    param->scalars[MU] = (float)(1 / (t - o->t0 > 1 ? t - o->t0 : 1));
    return KDL_OK;
}

static const kdl_asgd_options defaults = KDL_ASGD_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_asgd_options),
    KDL__WEIGHT_DECAY(kdl_asgd_options),
    KDL__NUMBER(kdl_asgd_options, lambd, KDL__ANY, NULL),
    KDL__NUMBER(kdl_asgd_options, alpha, KDL__ANY, NULL),
    KDL__NUMBER(kdl_asgd_options, t0, KDL__ANY, NULL),
    KDL__FLAG(kdl_asgd_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class asgd = KDL__OPTIM_CLASS(
    "kdl_optim_asgd", defaults, hypers, .scalars = { "step", "eta", "mu" }, .states = { "ax" },
    .dense_only = "ASGD does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_asgd_with(kdl_iterator params, const kdl_asgd_options *options)
{
    return kdl__optimizer_new(&asgd, params, options);
}
