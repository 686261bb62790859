/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019), as torch/optim/adam.py. */
#include "optim/update.h"

typedef struct adam_step {
    kdl__decay decay;
    double beta1, beta2, eps;
    double step_size, scale; /* lr / (1 - beta1^t), sqrt(1 - beta2^t) */
} adam_step;

enum { AMSGRAD = 1 };

/* States: the averages of gradients and of squares, the maxima of the latter. */
#define DEFINE_ADAM(T)                                                                             \
    KDL__ELEMENT(adam, adam_step, T)                                                               \
    {                                                                                              \
        *a = KDL__LERP(*a, g, (T)(1 - s->beta1));                                                  \
        *b = *b * (T)s->beta2 + (T)(1 - s->beta2) * g * g;                                         \
        T under = *b;                                                                              \
        if (flags & AMSGRAD)                                                                       \
            *c = under = *c > under ? *c : under;                                                  \
        return x - (T)s->step_size * (*a / (sqrt(under) / (T)s->scale + (T)s->eps));               \
    }
DEFINE_ADAM(float)
DEFINE_ADAM(double)
KDL__UPDATE(plain, adam, adam_step, 0)
KDL__UPDATE(amsgrad, adam, adam_step, AMSGRAD)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_adam_options *o = options;
    double t = param->scalars[0];
    adam_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay,
                                              o->decoupled_weight_decay, o->lr),
                       .beta1 = o->beta1,
                       .beta2 = o->beta2,
                       .eps = o->eps,
                       .step_size = o->lr / (1 - pow(o->beta1, t)),
                       .scale = sqrt(1 - pow(o->beta2, t)) };
    if (o->amsgrad)
        return kdl__optim_update(param, grad, 7, amsgrad, &call);
    return kdl__optim_update(param, grad, 3, plain, &call);
}

static const kdl_adam_options adam_defaults = KDL_ADAM_DEFAULTS;
static const kdl_adam_options adamw_defaults = KDL_ADAMW_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_adam_options),
    KDL__EPS(kdl_adam_options),
    KDL__BETAS(kdl_adam_options),
    KDL__WEIGHT_DECAY(kdl_adam_options),
    KDL__FLAG(kdl_adam_options, amsgrad),
    KDL__FLAG(kdl_adam_options, maximize),
    KDL__FLAG(kdl_adam_options, decoupled_weight_decay),
    KDL__SWITCHES,
    KDL__FIXED("fused", "null"),
};
#define ADAM_CLASS(function, class_defaults)                                                       \
    KDL__OPTIM_CLASS(                                                                              \
        function, class_defaults, hypers, .scalars = { "step" },                                   \
        .states = { "exp_avg", "exp_avg_sq", "max_exp_avg_sq" },                                   \
        .dense_only =                                                                              \
            "Adam does not support sparse gradients, please consider SparseAdam instead",          \
        .step = step)
static const kdl__optim_class adam = ADAM_CLASS("kdl_optim_adam", adam_defaults);
static const kdl__optim_class adamw = ADAM_CLASS("kdl_optim_adamw", adamw_defaults);

kdl_optimizer *kdl_optim_adam_with(kdl_iterator params, const kdl_adam_options *options)
{
    return kdl__optimizer_new(&adam, params, options);
}

kdl_optimizer *kdl_optim_adamw_with(kdl_iterator params, const kdl_adam_options *options)
{
    return kdl__optimizer_new(&adamw, params, options);
}
