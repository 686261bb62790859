/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic gradient descent with momentum, as torch/optim/sgd.py. */
#include "optim/optimizer.h"

typedef struct sgd_step {
    double lr, momentum, kept, weight_decay; /* kept: 1 - dampening, or 1 at the first step */
    bool nesterov, maximize, has_momentum;
} sgd_step;

/* Operands: the parameter, its gradient, the momentum. */
#define DEFINE_SGD(name, type)                                                                     \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        const sgd_step *s = arguments;                                                             \
        const type lr = (type)-s->lr, momentum = (type)s->momentum, kept = (type)s->kept;          \
        const type decay = (type)s->weight_decay, sign = s->maximize ? -1 : 1;                     \
        for (int64_t i = 0; i < n; i++) {                                                          \
            type *x = (type *)(data[0] + i * strides[0]);                                          \
            type g = sign * *(const type *)(data[1] + i * strides[1]);                             \
            if (decay != 0)                                                                        \
                g = g + decay * *x;                                                                \
            if (s->has_momentum) {                                                                 \
                type *buffer = (type *)(data[2] + i * strides[2]);                                 \
                *buffer = *buffer * momentum + kept * g;                                           \
                g = s->nesterov ? g + momentum * *buffer : *buffer;                                \
            }                                                                                      \
            *x = *x + lr * g;                                                                      \
        }                                                                                          \
    }
DEFINE_SGD(sgd_f32, float)
DEFINE_SGD(sgd_f64, double)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *given)
{
    const kdl_sgd_options *options = given;
    bool first = !param->states[0];
    sgd_step call = { .lr = options->lr,
                      .momentum = options->momentum,
                      .kept = first ? 1 : 1 - options->dampening,
                      .weight_decay = options->weight_decay,
                      .nesterov = options->nesterov,
                      .maximize = options->maximize,
                      .has_momentum = options->momentum != 0 };
    kdl_tensor *operands[3] = { param->tensor, grad, NULL };
    if (call.has_momentum && !(operands[2] = kdl__optim_state(param, 0)))
        return grad->ctx->status;
    return kdl__loop_run(operands, call.has_momentum ? 3 : 2, false,
                         kdl__float_index(grad) ? sgd_f64 : sgd_f32, &call);
}

static kdl_status check(kdl_context *ctx, const void *given)
{
    const kdl_sgd_options *options = given;
    if (kdl__check_hyper(ctx, options->lr >= 0, "learning rate", options->lr) ||
        kdl__check_hyper(ctx, options->momentum >= 0, "momentum value", options->momentum) ||
        kdl__check_hyper(ctx, options->weight_decay >= 0, "weight_decay value",
                         options->weight_decay))
        return ctx->status;
    if (options->nesterov && (options->momentum <= 0 || options->dampening != 0))
        return kdl__fail_at(ctx, "kdl_optim_sgd", KDL_ERROR_VALUE,
                            "Nesterov momentum requires a momentum and zero dampening");
    return KDL_OK;
}

static const kdl_sgd_options defaults = KDL_SGD_DEFAULTS;
static const kdl__optim_class sgd = { "kdl_optim_sgd", sizeof defaults, &defaults, check, step };

kdl_optimizer *kdl_optim_sgd_with(kdl_iterator params, const kdl_sgd_options *options)
{
    return kdl__optimizer_new(&sgd, params, options);
}
