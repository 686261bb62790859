/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards of losses and distances. Inputs: (input, target), or as a comment says. */
#include <string.h>

#include "autograd/loss.h"
#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/nn.h"

/* PyTorch's ValueError (false) for an unknown name. */
static bool read_reduction(const kdl_module *module, const char *name, kdl_reduction *reduction)
{
    static const char *const names[] = { "none", "mean", "sum", "batchmean" };
    int count = kdl_isinstance(module, KDL_CLASS_KL_DIV_LOSS) ? 4 : 3;
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            *reduction = (kdl_reduction)i;
            return true;
        }
    }
    kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                 "%s is not a valid value for reduction", name);
    return false;
}

/*
 * A forward that gives `function(...)`, in which inputs, own (the fields) and reduction are seen.
 */
#define DEFINE_LOSS(name, type, ...)                                                               \
    static kdl_status name(kdl_module *module, kdl_tensor *const *inputs, int input_count,         \
                           kdl_tensor **outputs, int output_count)                                 \
    {                                                                                              \
        (void)input_count, (void)output_count;                                                     \
        const type *own = kdl_module_fields(module);                                               \
        kdl_reduction reduction;                                                                   \
        if (read_reduction(module, own->reduction, &reduction))                                    \
            outputs[0] = __VA_ARGS__;                                                              \
        return module->ctx->status;                                                                \
    }

#define WEIGHT kdl_buffer(module, "weight")

DEFINE_LOSS(l1, kdl_loss_options, kdl_f_l1_loss(inputs[0], inputs[1], reduction))
DEFINE_LOSS(mse, kdl_loss_options, kdl_f_mse_loss(inputs[0], inputs[1], reduction))
DEFINE_LOSS(multi_label_margin, kdl_loss_options,
            kdl_f_multilabel_margin_loss(inputs[0], inputs[1], reduction))
DEFINE_LOSS(soft_margin, kdl_loss_options, kdl_f_soft_margin_loss(inputs[0], inputs[1], reduction))
DEFINE_LOSS(bce, kdl_weighted_loss_options,
            kdl_f_binary_cross_entropy(inputs[0], inputs[1], WEIGHT, reduction))
DEFINE_LOSS(multi_label_soft_margin, kdl_weighted_loss_options,
            kdl_f_multilabel_soft_margin_loss(inputs[0], inputs[1], WEIGHT, reduction))
DEFINE_LOSS(nll, kdl_nll_loss_options,
            kdl_f_nll_loss(inputs[0], inputs[1], .weight = WEIGHT,
                           .ignore_index = own->ignore_index, .reduction = reduction))
DEFINE_LOSS(cross_entropy, kdl_cross_entropy_loss_options,
            kdl_f_cross_entropy(inputs[0], inputs[1], .weight = WEIGHT,
                                .ignore_index = own->ignore_index, .reduction = reduction,
                                .label_smoothing = own->label_smoothing))
DEFINE_LOSS(bce_with_logits, kdl_bce_with_logits_loss_options,
            kdl_f_binary_cross_entropy_with_logits(inputs[0], inputs[1], WEIGHT,
                                                   kdl_buffer(module, "pos_weight"), reduction))
DEFINE_LOSS(poisson_nll, kdl_poisson_nll_loss_options,
            kdl_f_poisson_nll_loss(inputs[0], inputs[1], own->log_input, own->full, own->eps,
                                   reduction))
/* (input, target, var) */
DEFINE_LOSS(gaussian_nll, kdl_gaussian_nll_loss_options,
            kdl_f_gaussian_nll_loss(inputs[0], inputs[1], inputs[2], own->full, own->eps,
                                    reduction))
DEFINE_LOSS(kl_div, kdl_kl_div_loss_options,
            kdl_f_kl_div(inputs[0], inputs[1], reduction, own->log_target))
/* (log_probs, targets, input_lengths, target_lengths) */
DEFINE_LOSS(ctc, kdl_ctc_loss_options,
            kdl_f_ctc_loss(inputs[0], inputs[1], inputs[2], inputs[3], own->blank, reduction,
                           own->zero_infinity))
DEFINE_LOSS(smooth_l1, kdl_smooth_l1_loss_options,
            kdl_f_smooth_l1_loss(inputs[0], inputs[1], reduction, own->beta))
DEFINE_LOSS(huber, kdl_huber_loss_options,
            kdl_f_huber_loss(inputs[0], inputs[1], reduction, own->delta))
DEFINE_LOSS(hinge_embedding, kdl_margin_loss_options,
            kdl_f_hinge_embedding_loss(inputs[0], inputs[1], own->margin, reduction))
/* (input1, input2, target), both */
DEFINE_LOSS(cosine_embedding, kdl_margin_loss_options,
            kdl_f_cosine_embedding_loss(inputs[0], inputs[1], inputs[2], own->margin, reduction))
DEFINE_LOSS(margin_ranking, kdl_margin_loss_options,
            kdl_f_margin_ranking_loss(inputs[0], inputs[1], inputs[2], own->margin, reduction))
DEFINE_LOSS(multi_margin, kdl_multi_margin_loss_options,
            kdl_f_multi_margin_loss(inputs[0], inputs[1], own->p, own->margin, WEIGHT, reduction))
/* (anchor, positive, negative), both */
DEFINE_LOSS(triplet_margin, kdl_triplet_margin_loss_options,
            kdl_f_triplet_margin_loss(inputs[0], inputs[1], inputs[2], own->margin, own->p,
                                      own->eps, own->swap, reduction))

/* By a module of two inputs, or nn.PairwiseDistance(). */
static kdl_tensor *distance(kdl_module *function, kdl_tensor *a, kdl_tensor *b)
{
    return function ? kdl_call(function, a, b) : kdl_f_pairwise_distance(a, b, 2, 1e-6, false);
}

static kdl_tensor *triplet_by(kdl_module *module, kdl_tensor *const *inputs, double margin,
                              bool swap, kdl_reduction reduction)
{
    kdl_module *function = kdl_submodule(module, "distance_function");
    if (!kdl__check_triplet(inputs, margin, module->class->name))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *near = kdl__hold(&scope, distance(function, inputs[0], inputs[1]));
    kdl_tensor *far = kdl__hold(&scope, distance(function, inputs[0], inputs[2]));
    kdl_tensor *between = swap ? kdl__hold(&scope, distance(function, inputs[1], inputs[2])) : NULL;
    return kdl__close(&scope, kdl__triplet_loss(near, far, between, margin, reduction));
}

DEFINE_LOSS(triplet_margin_with_distance, kdl_triplet_margin_with_distance_loss_options,
            triplet_by(module, inputs, own->margin, own->swap, reduction))

/* ---- losses with parameters ---------------------------------------------------------------- */

/*
 * (input, target); the parameters of the child `linear` as (classes, *out_features, in_features).
 */
static kdl_tensor *linear_loss(kdl_module *module, kdl_tensor *const *inputs,
                               kdl_reduction reduction)
{
    const kdl_linear_cross_entropy_loss_options *own = kdl_module_fields(module);
    kdl_module *linear = kdl_submodule(module, "linear");
    kdl_tensor *weight = kdl_parameter(linear, "weight"), *bias = kdl_parameter(linear, "bias");
    kdl__scope scope = { 0 };
    kdl_shape shape = KDL_SHAPE(own->num_classes);
    for (int d = 0; d < own->out_features.ndim; d++)
        shape.sizes[shape.ndim++] = own->out_features.sizes[d];
    bias = bias ? kdl__hold(&scope, kdl_reshape(bias, shape)) : NULL;
    shape.sizes[shape.ndim++] = own->in_features;
    weight = kdl__hold(&scope, kdl_reshape(weight, shape));
    return kdl__close(
        &scope, kdl_f_linear_cross_entropy(
                    inputs[0], weight, inputs[1], .linear_bias = bias, .weight = WEIGHT,
                    .reduction = reduction, .ignore_index = own->ignore_index,
                    .label_smoothing = kdl_number(own->label_smoothing), .options = own->options));
}

DEFINE_LOSS(linear_cross_entropy, kdl_linear_cross_entropy_loss_options,
            linear_loss(module, inputs, reduction))

/* ---- distances: (x1, x2) ------------------------------------------------------------------- */

static kdl_status cosine_similarity(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                    kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    const kdl_cosine_similarity_options *own = kdl_module_fields(module);
    outputs[0] = kdl_f_cosine_similarity(inputs[0], inputs[1], (int)own->dim, own->eps);
    return module->ctx->status;
}

static kdl_status pairwise_distance(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                    kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    const kdl_pairwise_distance_options *own = kdl_module_fields(module);
    outputs[0] = kdl_f_pairwise_distance(inputs[0], inputs[1], own->p, own->eps, own->keepdim);
    return module->ctx->status;
}

const kdl__forward_entry kdl__loss_forwards[] = {
    KDL__SEVERAL(KDL_CLASS_L1_LOSS, l1, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_MSE_LOSS, mse, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_MULTI_LABEL_MARGIN_LOSS, multi_label_margin, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_SOFT_MARGIN_LOSS, soft_margin, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_BCE_LOSS, bce, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_MULTI_LABEL_SOFT_MARGIN_LOSS, multi_label_soft_margin, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_NLL_LOSS, nll, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_CROSS_ENTROPY_LOSS, cross_entropy, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_LINEAR_CROSS_ENTROPY_LOSS, linear_cross_entropy, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_BCE_WITH_LOGITS_LOSS, bce_with_logits, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_POISSON_NLL_LOSS, poisson_nll, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_GAUSSIAN_NLL_LOSS, gaussian_nll, 3, 3, 1),
    KDL__SEVERAL(KDL_CLASS_KL_DIV_LOSS, kl_div, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_CTC_LOSS, ctc, 4, 4, 1),
    KDL__SEVERAL(KDL_CLASS_SMOOTH_L1_LOSS, smooth_l1, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_HUBER_LOSS, huber, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_HINGE_EMBEDDING_LOSS, hinge_embedding, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_COSINE_EMBEDDING_LOSS, cosine_embedding, 3, 3, 1),
    KDL__SEVERAL(KDL_CLASS_MARGIN_RANKING_LOSS, margin_ranking, 3, 3, 1),
    KDL__SEVERAL(KDL_CLASS_MULTI_MARGIN_LOSS, multi_margin, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_TRIPLET_MARGIN_LOSS, triplet_margin, 3, 3, 1),
    KDL__SEVERAL(KDL_CLASS_TRIPLET_MARGIN_WITH_DISTANCE_LOSS, triplet_margin_with_distance, 3, 3,
                 1),
    KDL__SEVERAL(KDL_CLASS_COSINE_SIMILARITY, cosine_similarity, 2, 2, 1),
    KDL__SEVERAL(KDL_CLASS_PAIRWISE_DISTANCE, pairwise_distance, 2, 2, 1),
    KDL__END_OF_FORWARDS,
};
