/* SPDX-License-Identifier: Apache-2.0 */
/* Adamax (Kingma and Ba, 2015: Adam with the infinity norm), as torch/optim/adamax.py. */
#include "optim/update.h"

typedef struct adamax_step {
    kdl__decay decay;
    double beta1, beta2, eps, step_size; /* step_size: lr / (1 - beta1^t) */
} adamax_step;

/* States: the average of gradients, the decaying maximum of their magnitudes. */
#define DEFINE_ADAMAX(T)                                                                           \
    KDL__ELEMENT(adamax, adamax_step, T)                                                           \
    {                                                                                              \
        (void)flags, (void)c;                                                                      \
        *a = KDL__LERP(*a, g, (T)(1 - s->beta1));                                                  \
        T old = *b * (T)s->beta2, now = fabs(g) + (T)s->eps;                                       \
        *b = old > now || old != old ? old : now; /* a NaN stays one */                            \
        return x - (T)s->step_size * (*a / *b);                                                    \
    }
DEFINE_ADAMAX(float)
DEFINE_ADAMAX(double)
KDL__UPDATE(loops, adamax, adamax_step, 0)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_adamax_options *o = options;
    adamax_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay, false, o->lr),
                         .beta1 = o->beta1,
                         .beta2 = o->beta2,
                         .eps = o->eps,
                         .step_size = o->lr / (1 - pow(o->beta1, param->scalars[0])) };
    return kdl__optim_update(param, grad, 3, loops, &call);
}

static const kdl_adamax_options defaults = KDL_ADAMAX_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_adamax_options),
    KDL__EPS(kdl_adamax_options),
    KDL__BETAS(kdl_adamax_options),
    KDL__WEIGHT_DECAY(kdl_adamax_options),
    KDL__FLAG(kdl_adamax_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class adamax = KDL__OPTIM_CLASS(
    "kdl_optim_adamax", defaults, hypers, .scalars = { "step" }, .states = { "exp_avg", "exp_inf" },
    .dense_only = "Adamax does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_adamax_with(kdl_iterator params, const kdl_adamax_options *options)
{
    return kdl__optimizer_new(&adamax, params, options);
}
