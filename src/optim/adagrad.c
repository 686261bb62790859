/* SPDX-License-Identifier: Apache-2.0 */
/* Adagrad (Duchi, Hazan and Singer, 2011), as torch/optim/adagrad.py. */
#include "optim/update.h"

typedef struct adagrad_step {
    kdl__decay decay;
    double lr, eps;
} adagrad_step;

/* State: the sum of squares. */
#define DEFINE_ADAGRAD(T)                                                                          \
    KDL__ELEMENT(adagrad, adagrad_step, T)                                                         \
    {                                                                                              \
        (void)flags, (void)b, (void)c;                                                             \
        *a = *a + g * g;                                                                           \
        return x - (T)s->lr * (g / (sqrt(*a) + (T)s->eps));                                        \
    }
DEFINE_ADAGRAD(float)
DEFINE_ADAGRAD(double)
KDL__UPDATE(loops, adagrad, adagrad_step, 0)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_adagrad_options *o = options;
    adagrad_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay, false, o->lr),
                          .lr = o->lr / (1 + (param->scalars[0] - 1) * o->lr_decay),
                          .eps = o->eps };
    return kdl__optim_update(param, grad, 1, loops, &call);
}

/* PyTorch looks at the constructor's value only, whatever a group says. */
static kdl_status begin(kdl__optim_param *param, const void *defaults)
{
    const kdl_adagrad_options *o = defaults;
    return kdl__optim_state(param, 0, o->initial_accumulator_value);
}

static const kdl_adagrad_options class_defaults = KDL_ADAGRAD_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_adagrad_options),
    KDL__NUMBER(kdl_adagrad_options, lr_decay, KDL__NOT_NEGATIVE, "lr_decay value"),
    KDL__WEIGHT_DECAY(kdl_adagrad_options),
    KDL__NUMBER(kdl_adagrad_options, initial_accumulator_value, KDL__NOT_NEGATIVE,
                "initial_accumulator_value value"),
    KDL__EPS(kdl_adagrad_options),
    KDL__FLAG(kdl_adagrad_options, maximize),
    KDL__FIXED("foreach", "null"),
    KDL__FIXED("differentiable", "false"),
    KDL__FIXED("fused", "null"),
};
static const kdl__optim_class adagrad = KDL__OPTIM_CLASS(
    "kdl_optim_adagrad", class_defaults, hypers, .scalars = { "step" }, .states = { "sum" },
    .begin = begin, .no_decay = "weight_decay option is not compatible with sparse gradients",
    .step = step);

kdl_optimizer *kdl_optim_adagrad_with(kdl_iterator params, const kdl_adagrad_options *options)
{
    return kdl__optimizer_new(&adagrad, params, options);
}
