/* SPDX-License-Identifier: Apache-2.0 */
/* RMSprop (Hinton's lecture; centered: Graves, 2013), as torch/optim/rmsprop.py. */
#include "optim/update.h"

typedef struct rmsprop_step {
    kdl__decay decay;
    double lr, alpha, eps, momentum;
} rmsprop_step;

enum { CENTERED = 1, HAS_MOMENTUM = 2 };

/* States: the averages of squares and of gradients, the momentum. */
#define DEFINE_RMSPROP(T)                                                                          \
    KDL__ELEMENT(rmsprop, rmsprop_step, T)                                                         \
    {                                                                                              \
        *a = *a * (T)s->alpha + (T)(1 - s->alpha) * g * g;                                         \
        T variance = *a;                                                                           \
        if (flags & CENTERED) {                                                                    \
            *b = KDL__LERP(*b, g, (T)(1 - s->alpha));                                              \
            variance = variance - *b * *b;                                                         \
        }                                                                                          \
        g = g / (sqrt(variance) + (T)s->eps);                                                      \
        if (flags & HAS_MOMENTUM)                                                                  \
            *c = g = *c * (T)s->momentum + g;                                                      \
        return x - (T)s->lr * g;                                                                   \
    }
DEFINE_RMSPROP(float)
DEFINE_RMSPROP(double)
KDL__UPDATE(plain, rmsprop, rmsprop_step, 0)
KDL__UPDATE(centered, rmsprop, rmsprop_step, CENTERED)
KDL__UPDATE(with_momentum, rmsprop, rmsprop_step, HAS_MOMENTUM)
KDL__UPDATE(centered_momentum, rmsprop, rmsprop_step, CENTERED | HAS_MOMENTUM)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    static kdl__inner_loop *const *const loops[] = { plain, centered, with_momentum,
                                                     centered_momentum };
    const kdl_rmsprop_options *o = options;
    rmsprop_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay, false, o->lr),
                          .lr = o->lr,
                          .alpha = o->alpha,
                          .eps = o->eps,
                          .momentum = o->momentum };
    unsigned flags = (o->centered ? CENTERED : 0) | (o->momentum > 0 ? HAS_MOMENTUM : 0);
    return kdl__optim_update(param, grad, 1 | flags << 1, loops[flags], &call);
}

static const kdl_rmsprop_options defaults = KDL_RMSPROP_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_rmsprop_options),
    KDL__EPS(kdl_rmsprop_options),
    KDL__NUMBER(kdl_rmsprop_options, momentum, KDL__NOT_NEGATIVE, "momentum value"),
    KDL__WEIGHT_DECAY(kdl_rmsprop_options),
    KDL__NUMBER(kdl_rmsprop_options, alpha, KDL__NOT_NEGATIVE, "alpha value"),
    KDL__FLAG(kdl_rmsprop_options, centered),
    KDL__FLAG(kdl_rmsprop_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class rmsprop =
    KDL__OPTIM_CLASS("kdl_optim_rmsprop", defaults, hypers, .scalars = { "step" },
                     .states = { "square_avg", "grad_avg", "momentum_buffer" },
                     .dense_only = "RMSprop does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_rmsprop_with(kdl_iterator params, const kdl_rmsprop_options *options)
{
    return kdl__optimizer_new(&rmsprop, params, options);
}
