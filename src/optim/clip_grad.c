/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients that are not to become too large, as torch/nn/utils/clip_grad.py. */
#include <math.h>

#include "optim/optimizer.h"

/* The gradients of parameters: f32 and f64 ones, each once. */
typedef struct grad_list {
    kdl_tensor **grads; /* borrowed */
    size_t count, capacity;
    bool has_f64;
} grad_list;

static kdl_status collect(kdl_context *ctx, kdl_iterator params, grad_list *list, const char *place)
{
    while (!kdl__failed(ctx) && kdl_next(&params)) {
        kdl_tensor *grad = params.tensor->grad;
        if (!grad)
            continue;
        kdl_dtype dtype = kdl_tensor_dtype(grad);
        if (dtype != KDL_F32 && dtype != KDL_F64)
            return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                                "gradients of %s are not clipped", kdl_dtype_name(dtype));
        if (params.tensor->grad_rows)
            return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                                "sparse gradients are not clipped");
        list->has_f64 = list->has_f64 || dtype == KDL_F64;
        if (kdl__check_written(grad, NULL, place))
            return ctx->status;
        void *grads = list->grads;
        if (kdl__grow(ctx, &grads, &list->capacity, list->count + 1, sizeof grad)) {
            list->grads = grads;
            list->grads[list->count++] = grad;
        }
    }
    return ctx->status;
}

/* The norm of the gradients' norms, rounded as PyTorch's tensors of one element are. */
static double total_norm(kdl_context *ctx, const grad_list *list, double p)
{
    double *norms = kdl__alloc(ctx, list->count, sizeof *norms), total = 0;
    for (size_t i = 0; norms && i < list->count && !kdl__failed(ctx); i++) {
        kdl__norm(list->grads[i], p, &norms[i]);
        if (kdl_tensor_dtype(list->grads[i]) == KDL_F32)
            norms[i] = (float)norms[i];
    }
    if (norms && !kdl__failed(ctx))
        total = kdl__norm_of(norms, list->count, p);
    kdl_free(ctx, norms);
    return list->has_f64 ? total : (float)total;
}

static kdl_status scale(kdl_context *ctx, const grad_list *list, double max_norm, double norm)
{
    double coefficient =
        list->has_f64 ? max_norm / (norm + 1e-6) : (float)max_norm / ((float)norm + 1e-6F);
    for (size_t i = 0; !(coefficient >= 1) && i < list->count && !kdl__failed(ctx); i++)
        kdl_mul_(list->grads[i], coefficient);
    return ctx->status;
}

double kdl_clip_grad_norm_with_(kdl_iterator params, double max_norm,
                                const kdl_clip_grad_norm_options *given)
{
    if (kdl__module_refuses(params.root_))
        return 0;
    kdl_context *ctx = params.root_->ctx;
    kdl_clip_grad_norm_options o = KDL_CLIP_GRAD_NORM_DEFAULTS;
    if (!kdl__read_options(ctx, "kdl_clip_grad_norm_", &o, sizeof o, given))
        return 0;
    grad_list list = { 0 };
    double norm = 0;
    const kdl__tape *tape = kdl__no_grad(ctx);
    if (!collect(ctx, params, &list, "kdl_clip_grad_norm_")) {
        norm = total_norm(ctx, &list, o.norm_type);
        if (o.error_if_nonfinite && !isfinite(norm))
            kdl__fail_number(ctx, "kdl_clip_grad_norm_", KDL_ERROR_RUNTIME,
                             "The total norm of order %s for gradients from `parameters` is "
                             "non-finite, so it cannot be clipped. To disable this error and scale "
                             "the gradients by the non-finite norm anyway, set "
                             "`error_if_nonfinite=False`",
                             o.norm_type);
        else
            scale(ctx, &list, max_norm, norm);
    }
    ctx->tape = tape;
    kdl_free(ctx, list.grads);
    return norm;
}

#define DEFINE_CLAMP(T)                                                                            \
    static void clamp_##T(const void *bound, char *const *data, const int64_t *strides, int64_t n) \
    {                                                                                              \
        const T most = (T) * (const double *)bound;                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            T *x = (T *)(data[0] + i * strides[0]), raised = *x < -most ? -most : *x;              \
            *x = raised > most ? most : raised;                                                    \
        }                                                                                          \
    }
DEFINE_CLAMP(float)
DEFINE_CLAMP(double)

kdl_status kdl_clip_grad_value_(kdl_iterator params, double clip_value)
{
    if (kdl__module_refuses(params.root_))
        return kdl__module_refusal(params.root_);
    kdl_context *ctx = params.root_->ctx;
    grad_list list = { 0 };
    const kdl__tape *tape = kdl__no_grad(ctx);
    collect(ctx, params, &list, __func__);
    for (size_t i = 0; i < list.count && !kdl__failed(ctx); i++) {
        bool is_f64 = kdl__float_index(list.grads[i]);
        kdl__loop_run(&list.grads[i], 1, is_f64 ? clamp_double : clamp_float, &clip_value);
        list.grads[i]->storage->version++;
    }
    ctx->tape = tape;
    kdl_free(ctx, list.grads);
    return ctx->status;
}
