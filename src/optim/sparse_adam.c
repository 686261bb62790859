/* SPDX-License-Identifier: Apache-2.0 */
/* SparseAdam, as torch/optim/sparse_adam.py: Adam for the rows that a gradient has, and no others. */
#include <math.h>

#include "compute/coalesce.h"
#include "optim/optimizer.h"

typedef struct row_step {
    double beta1, beta2, eps, size;
    bool maximize;
} row_step;

/* One row of a parameter, of its gradient, and of the averages of gradients and of squares. */
#define DEFINE_ROW(name, T, sqrt)                                                                  \
    static void name(const row_step *s, T *x, const T *grad, T *mean, T *square, int64_t n)        \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T g = s->maximize ? -grad[i] : grad[i];                                          \
            mean[i] += (g - mean[i]) * (T)(1 - s->beta1);                                          \
            square[i] += (g * g - square[i]) * (T)(1 - s->beta2);                                  \
            x[i] += (T)-s->size * (mean[i] / (sqrt(square[i]) + (T)s->eps));                       \
        }                                                                                          \
    }
DEFINE_ROW(row_f32, float, sqrtf)
DEFINE_ROW(row_f64, double, sqrt)

static void step_rows(const row_step *s, const kdl__optim_param *param, kdl_tensor *rows,
                      kdl_tensor *grad)
{
    kdl_tensor *table = param->tensor;
    int64_t width = table->dims[0] ? table->numel / table->dims[0] : 0;
    const int64_t *row = kdl_tensor_data(rows);
    void *x = kdl_tensor_data(table), *mean = kdl_tensor_data(param->states[0]);
    void *square = kdl_tensor_data(param->states[1]);
    const void *g = kdl_tensor_data(grad);
    if (!row || !x || !mean || !square || !g)
        return;
    for (int64_t i = 0; i < rows->numel; i++) {
        int64_t at = row[i] * width, from = i * width;
        if (kdl__float_index(table))
            row_f64(s, (double *)x + at, (const double *)g + from, (double *)mean + at,
                    (double *)square + at, width);
        else
            row_f32(s, (float *)x + at, (const float *)g + from, (float *)mean + at,
                    (float *)square + at, width);
    }
}

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_sparse_adam_options *o = options;
    kdl_tensor *rows = NULL, *sums = NULL;
    double t = param->scalars[0];
    const row_step s = { o->beta1, o->beta2, o->eps,
                         o->lr * sqrt(1 - pow(o->beta2, t)) / (1 - pow(o->beta1, t)), o->maximize };
    if (!kdl_tensor_is_contiguous(param->tensor))
        return kdl__fail_at(grad->ctx, "kdl_optim_sparse_adam", KDL_ERROR_NOT_IMPLEMENTED,
                            "a parameter that is not contiguous is not optimised");
    if (!kdl__optim_state(param, 0, 0) && !kdl__optim_state(param, 1, 0) &&
        !kdl__coalesce(param->tensor->grad_rows, grad, &rows, &sums))
        step_rows(&s, param, rows, sums);
    kdl_tensor_release(rows);
    kdl_tensor_release(sums);
    return grad->ctx->status;
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
static const kdl__optim_class sparse_adam = { .name = "kdl_optim_sparse_adam",
                                              .options_nbytes = sizeof defaults,
                                              .defaults = &defaults,
                                              KDL__HYPERS(hypers),
                                              .scalars = { "step" },
                                              .states = { "exp_avg", "exp_avg_sq" },
                                              .check = check,
                                              .sparse = true,
                                              .step = step };

kdl_optimizer *kdl_optim_sparse_adam_with(kdl_iterator params,
                                          const kdl_sparse_adam_options *options)
{
    return kdl__optimizer_new(&sparse_adam, params, options);
}
