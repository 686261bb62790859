/* SPDX-License-Identifier: Apache-2.0 */
/* Adafactor (Shazeer and Stern, 2018), as torch/optim/_adafactor.py. */
#include <float.h>

#include "optim/update.h"

enum { ROW_VAR, COL_VAR, VARIANCE };

typedef struct adafactor_step {
    double weight, sign, eps1;  /* of averages; of the gradient; the root's lower bound */
    double shrink, size, count; /* of the parameter; of the update; how many are averaged */
} adafactor_step;

#define AT(k, T) (*(T *)(data[k] + i * strides[k]))
#define DEFINE_LOOP(name, T, ...)                                                                  \
    static void name##_##T(const void *given, char *const *data, const int64_t *strides,           \
                           int64_t n)                                                              \
    {                                                                                              \
        const adafactor_step *s = given;                                                           \
        for (int64_t i = 0; i < n; i++)                                                            \
            __VA_ARGS__;                                                                           \
    }
#define DEFINE_LOOPS(name, value_float, value_double)                                              \
    DEFINE_LOOP(name, float, value_float)                                                          \
    DEFINE_LOOP(name, double, value_double)                                                        \
    static kdl__inner_loop *const name[2] = { name##_float, name##_double };

/* Operands: an average, the sums that it moves towards the mean of. */
#define AVERAGE(T) AT(0, T) = KDL__LERP(AT(0, T), AT(1, T) / (T)s->count, (T)s->weight)
DEFINE_LOOPS(average, AVERAGE(float), AVERAGE(double))

/* Operands: the update, the gradient, and the variance as it is or as rows, columns, their sums. */
#define AT_LEAST(value, least) ((value) < (least) ? (least) : (value))
#define SCALE(T, variance)                                                                         \
    AT(0, T) = (T)s->sign * AT(1, T) / sqrt(AT_LEAST(variance, (T)(s->eps1 * s->eps1)))
DEFINE_LOOPS(scale, SCALE(float, AT(2, float)), SCALE(double, AT(2, double)))
#define OUTER(T)                                                                                   \
    {                                                                                              \
        const T mean = AT(4, T) / (T)s->count;                                                     \
        const T outer = AT(2, T) * AT(3, T) / AT_LEAST(mean, (T)s->eps1);                          \
        SCALE(T, outer);                                                                           \
    }
DEFINE_LOOPS(scale_outer, OUTER(float), OUTER(double))

/* Operands: the parameter, the update. */
#define APPLY(T) AT(0, T) = AT(0, T) * (T)s->shrink - (T)s->size * AT(1, T)
DEFINE_LOOPS(apply, APPLY(float), APPLY(double))

static kdl_status run(kdl__inner_loop *const loops[2], const adafactor_step *call, int count,
                      kdl_tensor *const *operands)
{
    for (int i = 0; i < count; i++)
        if (!operands[i])
            return operands[0]->ctx->status;
    return kdl__loop_run(operands, count, loops[kdl__float_index(operands[0])], call);
}

/* Moves the average over dimension `dim` towards the mean of the squares there. */
static void average_dim(kdl__optim_param *param, int state, kdl_tensor *squares, int dim,
                        adafactor_step *call)
{
    kdl_tensor *sums = squares ? kdl__compute_sum(squares, 1u << dim, true) : NULL;
    if (sums && !kdl__optim_state(param, state, 0)) {
        call->count = (double)squares->dims[dim];
        run(average, call, 2, (kdl_tensor *[]){ param->states[state], sums });
    }
    kdl_tensor_release(sums);
}

/* The gradient over the root of its variance, which is that of its row times that of its column. */
static void scale_matrix(kdl__optim_param *param, kdl_tensor *grad, kdl_tensor *squares,
                         kdl_tensor *update, adafactor_step *call)
{
    int ndim = grad->ndim;
    average_dim(param, ROW_VAR, squares, ndim - 1, call);
    average_dim(param, COL_VAR, squares, ndim - 2, call);
    kdl_tensor *rows = param->states[ROW_VAR];
    if (kdl__failed(grad->ctx))
        return;
    kdl_tensor *sums = kdl__compute_sum(rows, 1u << (ndim - 2), true);
    call->count = (double)rows->dims[ndim - 2];
    run(scale_outer, call, 5, (kdl_tensor *[]){ update, grad, rows, param->states[COL_VAR], sums });
    kdl_tensor_release(sums);
}

static void scale_vector(kdl__optim_param *param, kdl_tensor *grad, kdl_tensor *squares,
                         kdl_tensor *update, adafactor_step *call)
{
    call->count = 1;
    if (!kdl__optim_state(param, VARIANCE, 0))
        run(average, call, 2, (kdl_tensor *[]){ param->states[VARIANCE], squares });
    if (!kdl__failed(grad->ctx))
        run(scale, call, 3, (kdl_tensor *[]){ update, grad, param->states[VARIANCE] });
}

/* The root of the mean of squares, its norm rounded as PyTorch's. */
static double root_mean_square(kdl_tensor *tensor)
{
    double norm;
    kdl__norm(tensor, 2, &norm);
    norm = kdl__float_index(tensor) ? norm : (float)norm;
    return norm / sqrt((double)tensor->numel);
}

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_adafactor_options *o = options;
    kdl_tensor *tensor = param->tensor;
    double t = param->scalars[0], longest = 1 / sqrt(t);
    double eps1 = o->eps1 == o->eps1         ? o->eps1
                  : kdl__float_index(tensor) ? DBL_EPSILON
                                             : FLT_EPSILON;
    if (tensor->numel == 0)
        return KDL_OK;
    adafactor_step call = { .weight = pow(t, o->beta2_decay),
                            .sign = o->maximize ? -1 : 1,
                            .eps1 = eps1,
                            .shrink = o->weight_decay != 0 ? 1 - o->lr * o->weight_decay : 1 };
    double rms = root_mean_square(tensor);
    double size = (rms > o->eps2 ? rms : o->eps2) * (o->lr < longest ? o->lr : longest);
    kdl_tensor *squares = kdl__compute_binary(KDL__MUL, grad, grad, 1);
    kdl_tensor *update =
        kdl__new_values(tensor->ctx, tensor->storage->dtype, tensor->ndim, tensor->dims);
    if (squares && update) {
        (grad->ndim > 1 ? scale_matrix : scale_vector)(param, grad, squares, update, &call);
        double clip = root_mean_square(update) / o->d;
        call.size = size / (clip > 1 ? clip : 1);
        if (!kdl__failed(tensor->ctx))
            run(apply, &call, 2, (kdl_tensor *[]){ tensor, update });
    }
    kdl_tensor_release(squares);
    kdl_tensor_release(update);
    return tensor->ctx->status;
}

static kdl_shape state_shape(const kdl_tensor *param, int state)
{
    kdl_shape shape = kdl_tensor_shape(param);
    if (state == ROW_VAR && shape.ndim > 1)
        shape.sizes[shape.ndim - 1] = 1;
    else if (state == COL_VAR && shape.ndim > 1)
        shape.sizes[shape.ndim - 2] = 1;
    return shape;
}

static kdl_status check(kdl_context *ctx, const void *options)
{
    const kdl_adafactor_options *o = options;
    const char *place = "kdl_optim_adafactor";
    if (kdl__require(ctx, place, o->lr >= 0, "Learning rate should be >= 0 but is: %s", o->lr) ||
        kdl__require(ctx, place, o->beta2_decay <= 0, "beta2_decay should be <= 0 but is: %s",
                     o->beta2_decay) ||
        kdl__require(ctx, place, !(o->eps1 < 0), "epsilon1 should be >= 0 but is: %s", o->eps1) ||
        kdl__require(ctx, place, o->eps2 >= 0, "epsilon2 should be >= 0 but is: %s", o->eps2) ||
        kdl__require(ctx, place, o->d >= 1, "Clipping threshold d should be >= 1 but is: %s", o->d))
        return ctx->status;
    return kdl__require(ctx, place, o->weight_decay >= 0, "weight_decay should be >= 0 but is: %s",
                        o->weight_decay);
}

static const kdl_adafactor_options defaults = KDL_ADAFACTOR_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__NUMBER(kdl_adafactor_options, lr, KDL__ANY, NULL),
    KDL__NUMBER(kdl_adafactor_options, beta2_decay, KDL__ANY, NULL),
    KDL__NUMBERS(kdl_adafactor_options, "eps", eps1, 2),
    KDL__NUMBER(kdl_adafactor_options, d, KDL__ANY, NULL),
    KDL__NUMBER(kdl_adafactor_options, weight_decay, KDL__ANY, NULL),
    KDL__FLAG(kdl_adafactor_options, maximize),
    KDL__FIXED("foreach", "null"),
};
static const kdl__optim_class adafactor = KDL__OPTIM_CLASS(
    "kdl_optim_adafactor", defaults, hypers, .scalars = { "step" },
    .states = { "row_var", "col_var", "variance" }, .state_shape = state_shape, .check = check,
    .dense_only = "Adafactor does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_adafactor_with(kdl_iterator params, const kdl_adafactor_options *options)
{
    return kdl__optimizer_new(&adafactor, params, options);
}
