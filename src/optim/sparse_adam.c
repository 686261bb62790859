/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SparseAdam, as torch/optim/sparse_adam.py: Adam for the rows that a gradient has, and no others.
 */
#include "optim/update.h"

typedef struct sparse_adam_step {
    kdl__decay decay;
    double beta1, beta2, eps, size;
} sparse_adam_step;

/* States: the averages of gradients and of squares. */
#define DEFINE_SPARSE_ADAM(T)                                                                      \
    KDL__ELEMENT(sparse_adam, sparse_adam_step, T)                                                 \
    {                                                                                              \
        (void)flags, (void)c;                                                                      \
        *a += (g - *a) * (T)(1 - s->beta1);                                                        \
        *b += (g * g - *b) * (T)(1 - s->beta2);                                                    \
        return x + (T)-s->size * (*a / (sqrt(*b) + (T)s->eps));                                    \
    }
DEFINE_SPARSE_ADAM(float)
DEFINE_SPARSE_ADAM(double)
KDL__UPDATE(loops, sparse_adam, sparse_adam_step, 0)

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_sparse_adam_options *o = options;
    double t = param->scalars[0];
    sparse_adam_step call = { .decay = kdl__decay_of(o->maximize, 0, false, o->lr),
                              .beta1 = o->beta1,
                              .beta2 = o->beta2,
                              .eps = o->eps,
                              .size = o->lr * sqrt(1 - pow(o->beta2, t)) / (1 - pow(o->beta1, t)) };
    return kdl__optim_update(param, grad, 3, loops, &call);
}

static kdl_status check(kdl_context *ctx, const void *options)
{
    const kdl_sparse_adam_options *o = options;
    return kdl__require(ctx, "kdl_optim_sparse_adam", o->lr > 0, "Invalid learning rate: %s",
                        o->lr) ||
                   kdl__require(ctx, "kdl_optim_sparse_adam", o->eps > 0,
                                "Invalid epsilon value: %s", o->eps)
               ? ctx->status
               : KDL_OK;
}

static const kdl_sparse_adam_options defaults = KDL_SPARSE_ADAM_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__NUMBER(kdl_sparse_adam_options, lr, KDL__ANY, "learning rate"),
    KDL__BETAS(kdl_sparse_adam_options),
    KDL__NUMBER(kdl_sparse_adam_options, eps, KDL__ANY, "epsilon value"),
    KDL__FLAG(kdl_sparse_adam_options, maximize),
};
static const kdl__optim_class sparse_adam = KDL__OPTIM_CLASS(
    "kdl_optim_sparse_adam", defaults, hypers, .scalars = { "step" },
    .states = { "exp_avg", "exp_avg_sq" }, .check = check,
    .sparse_only = "SparseAdam does not support dense gradients, please consider Adam instead",
    .step = step);

kdl_optimizer *kdl_optim_sparse_adam_with(kdl_iterator params,
                                          const kdl_sparse_adam_options *options)
{
    return kdl__optimizer_new(&sparse_adam, params, options);
}
