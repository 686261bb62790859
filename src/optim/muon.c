/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Muon (Jordan et al., 2024), as torch/optim/_muon.py. What PyTorch keeps in bf16 is f32 here,
 * rounded to bf16 where PyTorch rounds.
 */
#include <string.h>

#include "autograd/function.h"
#include "kernels/half.h"
#include "optim/update.h"

typedef struct muon_step {
    double momentum, shrink, size;
    bool nesterov;
} muon_step;

#define AT(k, T) (*(T *)(data[k] + i * strides[k]))

/* Operands: the direction (f32), the gradient, the momentum; the parameter, the direction (f32). */
#define DEFINE_MUON(T)                                                                             \
    static void direct_##T(const void *given, char *const *data, const int64_t *strides,           \
                           int64_t n)                                                              \
    {                                                                                              \
        const muon_step *s = given;                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            T g = AT(1, T), buffer = KDL__LERP(AT(2, T), g, (T)(1 - s->momentum));                 \
            AT(2, T) = buffer;                                                                     \
            AT(0, float) = (float)(s->nesterov ? KDL__LERP(g, buffer, (T)s->momentum) : buffer);   \
        }                                                                                          \
    }                                                                                              \
    static void apply_##T(const void *given, char *const *data, const int64_t *strides, int64_t n) \
    {                                                                                              \
        const muon_step *s = given;                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            AT(0, T) = AT(0, T) * (T)s->shrink - (T)s->size * (T)AT(1, float);                     \
    }
DEFINE_MUON(float)
DEFINE_MUON(double)

/* Operand: what is divided and rounded to bf16. */
static void round_bf16(const void *divisor, char *const *data, const int64_t *strides, int64_t n)
{
    const float by = *(const float *)divisor;
    for (int64_t i = 0; i < n; i++)
        AT(0, float) = kdl__bf16_to_f32(kdl__f32_to_bf16(AT(0, float) / by));
}

static kdl_status to_bf16(kdl_tensor *tensor, float divisor)
{
    return kdl__loop_run(&tensor, 1, round_bf16, &divisor);
}

/* alpha a b + beta c, rounded to bf16: torch.addmm(c, a, b). `c` may be NULL. One reference. */
static kdl_tensor *addmm(kdl_tensor *c, kdl_tensor *a, kdl_tensor *b, double beta, double alpha)
{
    if (!a || !b)
        return NULL;
    kdl_context *ctx = a->ctx;
    kdl_tensor *result = kdl__new_values(ctx, KDL_F32, 2, (int64_t[]){ a->dims[0], b->dims[1] });
    if (result && c)
        kdl_copy_(result, c);
    if (result && !kdl__failed(ctx))
        kdl__compute_matmul(a, b, alpha, c ? beta : 0, result);
    if (result && !kdl__failed(ctx) && !to_bf16(result, 1))
        return result;
    kdl_tensor_release(result);
    return NULL;
}

/* One iteration towards the nearest orthogonal matrix. Consumes x; gives the next (NULL: error). */
static kdl_tensor *iterate(kdl_tensor *x, const kdl_muon_options *o)
{
    kdl__scope scope = { 0 };
    kdl__hold(&scope, x);
    kdl_tensor *gram = kdl__hold(&scope, addmm(NULL, x, kdl__hold(&scope, kdl_t(x)), 0, 1));
    kdl_tensor *update = kdl__hold(&scope, addmm(gram, gram, gram, o->ns_b, o->ns_c));
    return kdl__close(&scope, addmm(x, update, x, o->ns_a, 1));
}

/*
 * The orthogonal matrix nearest to a direction, whose singular values Newton and Schulz' iteration
 * takes near one. One reference; NULL on failure.
 */
static kdl_tensor *orthogonalize(kdl_tensor *direction, const kdl_muon_options *o)
{
    bool is_tall = direction->dims[0] > direction->dims[1];
    double norm = 0;
    if (to_bf16(direction, 1) || kdl__norm(direction, 2, &norm))
        return NULL;
    norm = kdl__bf16_to_f32(kdl__f32_to_bf16((float)norm));
    double least = kdl__bf16_to_f32(kdl__f32_to_bf16((float)o->eps));
    kdl_tensor *x = is_tall ? kdl_t(direction) : kdl_tensor_retain(direction);
    if (x)
        to_bf16(x, (float)(norm < least ? least : norm));
    for (int64_t i = 0; x && i < o->ns_steps && !kdl__failed(x->ctx); i++)
        x = iterate(x, o);
    kdl_tensor *result = x && is_tall ? kdl_t(x) : kdl_tensor_retain(x);
    kdl_tensor_release(x);
    return result;
}

/* What the learning rate is multiplied with, for the matrix' shape. */
static double rate_ratio(const char *function, double rows, double columns)
{
    if (function && strcmp(function, "match_rms_adamw") == 0)
        return 0.2 * sqrt(rows > columns ? rows : columns);
    return sqrt(rows > columns ? rows / columns : 1);
}

static kdl_status step(kdl__optim_param *param, kdl_tensor *grad, const void *options)
{
    const kdl_muon_options *o = options;
    kdl_tensor *tensor = param->tensor;
    kdl_context *ctx = tensor->ctx;
    bool is_f64 = kdl__float_index(tensor);
    if (o->ns_steps >= 100)
        return kdl__fail_at(ctx, "kdl_optim_muon", KDL_ERROR_VALUE,
                            "Number of steps must be less than 100 for computational efficiency");
    if (tensor->numel == 0 || kdl__optim_state(param, 0, 0))
        return ctx->status;
    double ratio = rate_ratio(o->adjust_lr_fn, (double)tensor->dims[0], (double)tensor->dims[1]);
    muon_step call = { .momentum = o->momentum,
                       .shrink = 1 - o->lr * o->weight_decay,
                       .size = o->lr * ratio,
                       .nesterov = o->nesterov };
    kdl_tensor *direction = kdl__new_values(ctx, KDL_F32, 2, tensor->dims), *update = NULL;
    if (direction && !kdl__loop_run((kdl_tensor *[]){ direction, grad, param->states[0] }, 3,
                                    is_f64 ? direct_double : direct_float, &call))
        update = orthogonalize(direction, o);
    if (update)
        kdl__loop_run((kdl_tensor *[]){ tensor, update }, 2, is_f64 ? apply_double : apply_float,
                      &call);
    kdl_tensor_release(update);
    kdl_tensor_release(direction);
    return ctx->status;
}

static kdl_status check_param(const kdl_tensor *tensor)
{
    if (tensor->ndim == 2)
        return KDL_OK;
    return kdl__fail_at(tensor->ctx, "kdl_optim_muon", KDL_ERROR_VALUE,
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        "torch.Size(%s)",
                        kdl__shape_text(tensor->ndim, tensor->dims).chars);
}

static kdl_status check(kdl_context *ctx, const void *options)
{
    const kdl_muon_options *o = options;
    const char *place = "kdl_optim_muon", *function = o->adjust_lr_fn;
    if (kdl__require(ctx, place, o->lr >= 0, "Learning rate should be >= 0 but is: %s", o->lr) ||
        kdl__require(ctx, place, o->momentum >= 0, "momentum should be >= 0 but is: %s",
                     o->momentum) ||
        kdl__require(ctx, place, o->weight_decay >= 0, "weight decay should be >= 0 but is: %s",
                     o->weight_decay))
        return ctx->status;
    if (function && strcmp(function, "original") != 0 && strcmp(function, "match_rms_adamw") != 0)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "Adjust learning rate function %s is not supported", function);
    return ctx->status;
}

static const kdl_muon_options defaults = KDL_MUON_DEFAULTS;
static const kdl__hyper hypers[] = {
    KDL__NUMBER(kdl_muon_options, lr, KDL__ANY, NULL),
    KDL__NUMBER(kdl_muon_options, weight_decay, KDL__ANY, NULL),
    KDL__NUMBER(kdl_muon_options, momentum, KDL__ANY, NULL),
    KDL__FLAG(kdl_muon_options, nesterov),
    KDL__NUMBERS(kdl_muon_options, "ns_coefficients", ns_a, 3),
    KDL__NUMBER(kdl_muon_options, eps, KDL__ANY, NULL),
    KDL__INT(kdl_muon_options, ns_steps),
    KDL__TEXT(kdl_muon_options, adjust_lr_fn),
};
static const kdl__optim_class muon =
    KDL__OPTIM_CLASS("kdl_optim_muon", defaults, hypers, .states = { "momentum_buffer" },
                     .check = check, .check_param = check_param,
                     .dense_only = "Muon does not support sparse gradients", .step = step);

kdl_optimizer *kdl_optim_muon_with(kdl_iterator params, const kdl_muon_options *options)
{
    return kdl__optimizer_new(&muon, params, options);
}
