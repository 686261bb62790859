/* SPDX-License-Identifier: Apache-2.0 */
/* Adadelta (Zeiler, 2012), as torch/optim/adadelta.py. */
#include "optim/update.h"

typedef struct adadelta_step {
    kdl__decay decay;
    double lr, rho, eps;
} adadelta_step;

/* States: the averages of squared gradients and of squared changes. */
#define DEFINE_ADADELTA(T)                                                                         \
    KDL__ELEMENT(adadelta, adadelta_step, T)                                                       \
    {                                                                                              \
        (void)flags, (void)c;                                                                      \
        const T rho = (T)s->rho, rest = (T)(1 - s->rho), eps = (T)s->eps;                          \
        *a = *a * rho + rest * g * g;                                                              \
        T delta = sqrt(*b + eps) / sqrt(*a + eps) * g;                                             \
        *b = *b * rho + rest * delta * delta;                                                      \
        return x - (T)s->lr * delta;                                                               \
    }
DEFINE_ADADELTA(float)
DEFINE_ADADELTA(double)
KDL__UPDATE(loops, adadelta, adadelta_step, 0)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_adadelta_options *o = options;
    adadelta_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay, false, o->lr),
                           .lr = o->lr,
                           .rho = o->rho,
                           .eps = o->eps };
    return kdl__optim_update(param, grad, 3, loops, &call);
}

static const kdl_adadelta_options defaults = KDL_ADADELTA_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_adadelta_options),
    KDL__NUMBER(kdl_adadelta_options, rho, KDL__UP_TO_ONE, "rho value"),
    KDL__EPS(kdl_adadelta_options),
    KDL__WEIGHT_DECAY(kdl_adadelta_options),
    KDL__FLAG(kdl_adadelta_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class adadelta =
    KDL__OPTIM_CLASS("kdl_optim_adadelta", defaults, hypers, .scalars = { "step" },
                     .states = { "square_avg", "acc_delta" },
                     .dense_only = "Adadelta does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_adadelta_with(kdl_iterator params, const kdl_adadelta_options *options)
{
    return kdl__optimizer_new(&adadelta, params, options);
}
