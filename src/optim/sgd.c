/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic gradient descent with momentum, as torch/optim/sgd.py. */
#include "optim/update.h"

typedef struct sgd_step {
    kdl__decay decay;
    double lr, momentum, kept; /* kept: 1 - dampening, or 1 at the first step */
    bool nesterov;
} sgd_step;

enum { HAS_MOMENTUM = 1 };

#define DEFINE_SGD(T)                                                                              \
    KDL__ELEMENT(sgd, sgd_step, T)                                                                 \
    {                                                                                              \
        (void)b, (void)c;                                                                          \
        if (flags & HAS_MOMENTUM) {                                                                \
            *a = *a * (T)s->momentum + (T)s->kept * g;                                             \
            g = s->nesterov ? g + (T)s->momentum * *a : *a;                                        \
        }                                                                                          \
        return x - (T)s->lr * g;                                                                   \
    }
DEFINE_SGD(float)
DEFINE_SGD(double)
KDL__UPDATE(plain, sgd, sgd_step, 0)
KDL__UPDATE(with_momentum, sgd, sgd_step, HAS_MOMENTUM)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_sgd_options *o = options;
    sgd_step call = { .decay = kdl__decay_of(o->maximize, o->weight_decay, false, o->lr),
                      .lr = o->lr,
                      .momentum = o->momentum,
                      .kept = param->states[0] ? 1 - o->dampening : 1,
                      .nesterov = o->nesterov };
    if (o->momentum == 0)
        return kdl__optim_update(param, grad, 0, plain, &call);
    return kdl__optim_update(param, grad, 1, with_momentum, &call);
}

/* The momentum of rows without a gradient goes on. */
static bool has_momentum(const void *given)
{
    return ((const kdl_sgd_options *)given)->momentum != 0;
}

static kdl_status check(kdl_context *ctx, const void *given)
{
    const kdl_sgd_options *options = given;
    if (options->nesterov && (options->momentum <= 0 || options->dampening != 0))
        return kdl__fail_at(ctx, "kdl_optim_sgd", KDL_ERROR_VALUE,
                            "Nesterov momentum requires a momentum and zero dampening");
    return KDL_OK;
}

static const kdl_sgd_options defaults = KDL_SGD_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_sgd_options),
    KDL__NUMBER(kdl_sgd_options, momentum, KDL__NOT_NEGATIVE, "momentum value"),
    KDL__WEIGHT_DECAY(kdl_sgd_options),
    KDL__NUMBER(kdl_sgd_options, dampening, KDL__ANY, NULL),
    KDL__FLAG(kdl_sgd_options, nesterov),
    KDL__FLAG(kdl_sgd_options, maximize),
    KDL__FIXED("foreach", "null"),
    KDL__FIXED("differentiable", "false"),
    KDL__FIXED("fused", "null"),
};
static const kdl__optim_class sgd = KDL__OPTIM_CLASS(
    "kdl_optim_sgd", defaults, hypers, .states = { "momentum_buffer" }, .check = check,
    .no_decay = "add(sparse, dense) is not supported. Use add(dense, sparse) instead.",
    .moves_all = has_momentum, .step = step);

kdl_optimizer *kdl_optim_sgd_with(kdl_iterator params, const kdl_sgd_options *options)
{
    return kdl__optimizer_new(&sgd, params, options);
}
