/* SPDX-License-Identifier: Apache-2.0 */
/* Rprop (Riedmiller and Braun, 1993), as torch/optim/rprop.py. */
#include "optim/update.h"

typedef struct rprop_step {
    kdl__decay decay;
    double shrink, grow, least, most;
} rprop_step;

/* States: the gradient before, and how far each element goes. */
#define DEFINE_RPROP(T)                                                                            \
    KDL__ELEMENT(rprop, rprop_step, T)                                                             \
    {                                                                                              \
        (void)flags, (void)c;                                                                      \
        const T turn = g * *a, least = (T)s->least, most = (T)s->most;                             \
        T size = *b * (turn > 0 ? (T)s->grow : turn < 0 ? (T)s->shrink : 1);                       \
        size = size < least ? least : size;                                                        \
        *b = size = size > most ? most : size;                                                     \
        *a = g = turn < 0 ? 0 : g;                      /* after a turn it stays for a step */     \
        return g > 0 ? x - size : g < 0 ? x + size : x; /* torch.sign(NaN) is 0 */                 \
    }
DEFINE_RPROP(float)
DEFINE_RPROP(double)
KDL__UPDATE(loops, rprop, rprop_step, 0)

enum { PREV, STEP_SIZE };

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_rprop_options *o = options;
    rprop_step call = { .decay = kdl__decay_of(o->maximize, 0, false, o->lr),
                        .shrink = o->eta_minus,
                        .grow = o->eta_plus,
                        .least = o->step_size_min,
                        .most = o->step_size_max };
    if (kdl__optim_state(param, STEP_SIZE, o->lr))
        return grad->ctx->status;
    return kdl__optim_update(param, grad, 3, loops, &call);
}

static kdl_status check(kdl_context *ctx, const void *options)
{
    const kdl_rprop_options *o = options;
    if (0 < o->eta_minus && o->eta_minus < 1 && 1 < o->eta_plus)
        return KDL_OK;
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_repr(&text, o->eta_minus);
    kdl__text_puts(&text, ", ");
    kdl__text_repr(&text, o->eta_plus);
    char *numbers = kdl__text_take(&text);
    if (numbers)
        kdl__fail_at(ctx, "kdl_optim_rprop", KDL_ERROR_VALUE, "Invalid eta values: %s", numbers);
    kdl_free(ctx, numbers);
    return ctx->status;
}

static const kdl_rprop_options defaults = KDL_RPROP_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__LR(kdl_rprop_options),
    KDL__NUMBERS(kdl_rprop_options, "etas", eta_minus, 2),
    KDL__NUMBERS(kdl_rprop_options, "step_sizes", step_size_min, 2),
    KDL__FLAG(kdl_rprop_options, maximize),
    KDL__SWITCHES,
};
static const kdl__optim_class rprop = KDL__OPTIM_CLASS(
    "kdl_optim_rprop", defaults, hypers, .scalars = { "step" }, .states = { "prev", "step_size" },
    .check = check, .dense_only = "Rprop does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_rprop_with(kdl_iterator params, const kdl_rprop_options *options)
{
    return kdl__optimizer_new(&rprop, params, options);
}
