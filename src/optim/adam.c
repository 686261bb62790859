/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019), as torch/optim/adam.py. */
#include <math.h>

#include "optim/optimizer.h"

typedef struct adam_step {
    double beta1, beta2, eps, weight_decay;
    double shrink;           /* what AdamW multiplies the parameter with before */
    double step_size, scale; /* lr / (1 - beta1^t), sqrt(1 - beta2^t) */
    bool amsgrad, maximize;
} adam_step;

/* Operands: the parameter, its gradient, the averages of gradients and squares, their maxima. */
#define DEFINE_ADAM(name, type, M)                                                                 \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        const adam_step *s = arguments;                                                            \
        const type beta2 = (type)s->beta2, kept1 = (type)(1 - s->beta1);                           \
        const type kept2 = (type)(1 - s->beta2), eps = (type)s->eps, scale = (type)s->scale;       \
        const type decay = (type)s->weight_decay, shrink = (type)s->shrink;                        \
        const type size = (type)-s->step_size, sign = s->maximize ? -1 : 1;                        \
        for (int64_t i = 0; i < n; i++) {                                                          \
            type *x = (type *)(data[0] + i * strides[0]);                                          \
            type *mean = (type *)(data[2] + i * strides[2]);                                       \
            type *square = (type *)(data[3] + i * strides[3]);                                     \
            type g = sign * *(const type *)(data[1] + i * strides[1]);                             \
            *x *= shrink;                                                                          \
            g = g + decay * *x;                                                                    \
            *mean = *mean + kept1 * (g - *mean);                                                   \
            *square = *square * beta2 + kept2 * g * g;                                             \
            type under = *square;                                                                  \
            if (s->amsgrad) {                                                                      \
                type *most = (type *)(data[4] + i * strides[4]);                                   \
                *most = under = *most > under ? *most : under;                                     \
            }                                                                                      \
            *x = *x + size * (*mean / (M(sqrt)(under) / scale + eps));                             \
        }                                                                                          \
    }
#define FLOAT_MATH(function) function##f
#define DOUBLE_MATH(function) function
DEFINE_ADAM(adam_f32, float, FLOAT_MATH)
DEFINE_ADAM(adam_f64, double, DOUBLE_MATH)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const kdl_adam_options *options,
                       bool decoupled)
{
    double t = (double)param->step, lr = options->lr, decay = options->weight_decay;
    adam_step call = { .beta1 = options->beta1,
                       .beta2 = options->beta2,
                       .eps = options->eps,
                       .weight_decay = decoupled ? 0 : decay,
                       .shrink = decoupled ? 1 - lr * decay : 1,
                       .step_size = lr / (1 - pow(options->beta1, t)),
                       .scale = sqrt(1 - pow(options->beta2, t)),
                       .amsgrad = options->amsgrad,
                       .maximize = options->maximize };
    kdl_tensor *operands[KDL__MAX_OPERANDS] = { param->tensor, grad };
    int states = options->amsgrad ? 3 : 2;
    for (int i = 0; i < states; i++)
        if (!(operands[2 + i] = kdl__optim_state(param, i)))
            return grad->ctx->status;
    return kdl__loop_run(operands, 2 + states, false, kdl__float_index(grad) ? adam_f64 : adam_f32,
                         &call);
}

static kdl_status step_adam(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    return step(param, grad, options, false);
}

static kdl_status step_adamw(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    return step(param, grad, options, true);
}

static bool is_fraction(double beta)
{
    return beta >= 0 && beta < 1;
}

static kdl_status check(kdl_context *ctx, const void *given)
{
    const kdl_adam_options *o = given;
    if (kdl__check_hyper(ctx, o->lr >= 0, "learning rate", o->lr) ||
        kdl__check_hyper(ctx, o->eps >= 0, "epsilon value", o->eps) ||
        kdl__check_hyper(ctx, is_fraction(o->beta1), "beta parameter at index 0", o->beta1) ||
        kdl__check_hyper(ctx, is_fraction(o->beta2), "beta parameter at index 1", o->beta2))
        return ctx->status;
    return kdl__check_hyper(ctx, o->weight_decay >= 0, "weight_decay value", o->weight_decay);
}

static const kdl_adam_options adam_defaults = KDL_ADAM_DEFAULTS;
static const kdl_adam_options adamw_defaults = KDL_ADAMW_DEFAULTS;
static const kdl__optim_class adam = { "kdl_optim_adam", sizeof adam_defaults, &adam_defaults,
                                       check, step_adam };
static const kdl__optim_class adamw = { "kdl_optim_adamw", sizeof adamw_defaults, &adamw_defaults,
                                        check, step_adamw };

kdl_optimizer *kdl_optim_adam_with(kdl_iterator params, const kdl_adam_options *options)
{
    return kdl__optimizer_new(&adam, params, options);
}

kdl_optimizer *kdl_optim_adamw_with(kdl_iterator params, const kdl_adam_options *options)
{
    return kdl__optimizer_new(&adamw, params, options);
}
