/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The losses of torch.nn.functional, and its distances: in libkindling_train. Operands are of
 * floating point but for classes (i64); f16 and bf16 are computed in f32. What PyTorch has a
 * default for and C does not is said with each. Gradients go to inputs and, but for classes, to
 * targets.
 *
 * The modules (nn_loss.h) take the same tensors: kdl_call(criterion, input, target).
 */
#ifndef KINDLING_FUNCTIONAL_LOSS_H
#define KINDLING_FUNCTIONAL_LOSS_H

#include "kindling/math.h"
#include "kindling/nn_loss.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How the losses of elements become one: PyTorch's reduction='none', 'mean', 'sum'. */
typedef enum kdl_reduction {
    KDL_REDUCTION_NONE,
    KDL_REDUCTION_MEAN,
    KDL_REDUCTION_SUM,
    KDL_REDUCTION_BATCHMEAN /**< of kl_div: the sum, divided by the first size */
} kdl_reduction;

/* ---- differences: sizes that differ are broadcast, with a warning ---------------------------- */

/**
 * F.mse_loss, F.l1_loss(input, target, reduction). RuntimeError for sizes that do not broadcast.
 */
KDL_API kdl_tensor *kdl_f_mse_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction);
KDL_API kdl_tensor *kdl_f_l1_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction);
/** F.smooth_l1_loss(input, target, reduction, beta=1); RuntimeError for beta < 0. */
KDL_API kdl_tensor *kdl_f_smooth_l1_loss(kdl_tensor *input, kdl_tensor *target,
                                         kdl_reduction reduction, double beta);
/** F.huber_loss(input, target, reduction, delta=1); RuntimeError unless delta > 0. */
KDL_API kdl_tensor *kdl_f_huber_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction,
                                     double delta);

/* ---- of two classes ---------------------------------------------------------------------- */

/**
 * F.binary_cross_entropy(input, target, weight=None, reduction): of probabilities; `weight` (NULL:
 * none) is broadcast. ValueError where the sizes differ, RuntimeError for inputs outside [0, 1].
 */
KDL_API kdl_tensor *kdl_f_binary_cross_entropy(kdl_tensor *input, kdl_tensor *target,
                                               kdl_tensor *weight, kdl_reduction reduction);
/** F.binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction). */
KDL_API kdl_tensor *kdl_f_binary_cross_entropy_with_logits(kdl_tensor *input, kdl_tensor *target,
                                                           kdl_tensor *weight,
                                                           kdl_tensor *pos_weight,
                                                           kdl_reduction reduction);
/** F.multilabel_soft_margin_loss(input, target, weight=None, reduction): a loss for each row. */
KDL_API kdl_tensor *kdl_f_multilabel_soft_margin_loss(kdl_tensor *input, kdl_tensor *target,
                                                      kdl_tensor *weight, kdl_reduction reduction);
/** F.soft_margin_loss(input, target, reduction): targets are 1 or -1. */
KDL_API kdl_tensor *kdl_f_soft_margin_loss(kdl_tensor *input, kdl_tensor *target,
                                           kdl_reduction reduction);
/** F.hinge_embedding_loss(input, target, margin=1, reduction): targets are 1 or -1. */
KDL_API kdl_tensor *kdl_f_hinge_embedding_loss(kdl_tensor *input, kdl_tensor *target, double margin,
                                               kdl_reduction reduction);

/* ---- distributions ----------------------------------------------------------------------- */

/** F.kl_div(input, target, reduction, log_target=False): `input` are logarithms. */
KDL_API kdl_tensor *kdl_f_kl_div(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction,
                                 bool log_target);
/** F.poisson_nll_loss(input, target, log_input=True, full=False, eps=1e-8, reduction). */
KDL_API kdl_tensor *kdl_f_poisson_nll_loss(kdl_tensor *input, kdl_tensor *target, bool log_input,
                                           bool full, double eps, kdl_reduction reduction);
/**
 * F.gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction): `var` of the input's
 * sizes, or without the last one, or with one of 1. ValueError for others and for negative ones.
 */
KDL_API kdl_tensor *kdl_f_gaussian_nll_loss(kdl_tensor *input, kdl_tensor *target, kdl_tensor *var,
                                            bool full, double eps, kdl_reduction reduction);

/* ---- of classes -------------------------------------------------------------------------- */

/** Options of kdl_f_cross_entropy(), kdl_f_nll_loss(); start from KDL_F_CLASS_LOSS_DEFAULTS. */
typedef struct kdl_f_class_loss_options {
    size_t nbytes;           /**< sizeof(kdl_f_class_loss_options), for the ABI */
    int64_t ignore_index;    /**< targets that do not count; default -100 */
    kdl_reduction reduction; /**< default KDL_REDUCTION_MEAN */
    kdl_tensor *weight;      /**< a factor for each class (borrowed); default NULL */
    double label_smoothing;  /**< cross_entropy only: in [0, 1]; default 0 */
} kdl_f_class_loss_options;

#define KDL_F_CLASS_LOSS_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_f_class_loss_options), -100, KDL_REDUCTION_MEAN, NULL, 0                        \
    }

/**
 * F.cross_entropy(input, target, weight=None, ignore_index=-100, reduction='mean',
 * label_smoothing=0.0): input (C), (N, C) or (N, C, ...) scores; target classes (i64) of the
 * input's sizes without C, or probabilities of the input's sizes. IndexError for a class outside 0
 * .. C - 1, ValueError and RuntimeError for other sizes.
 */
#define kdl_f_cross_entropy(input, target, ...)                                                    \
    KDL__WITH(kdl_f_class_loss_options, KDL_F_CLASS_LOSS_DEFAULTS, (__VA_ARGS__),                  \
              kdl_f_cross_entropy_with, input, target)
/** F.nll_loss: the same of logarithms of probabilities, and of classes. */
#define kdl_f_nll_loss(input, target, ...)                                                         \
    KDL__WITH(kdl_f_class_loss_options, KDL_F_CLASS_LOSS_DEFAULTS, (__VA_ARGS__),                  \
              kdl_f_nll_loss_with, input, target)
KDL_API kdl_tensor *kdl_f_cross_entropy_with(kdl_tensor *input, kdl_tensor *target,
                                             const kdl_f_class_loss_options *options);
KDL_API kdl_tensor *kdl_f_nll_loss_with(kdl_tensor *input, kdl_tensor *target,
                                        const kdl_f_class_loss_options *options);

/** Options of kdl_f_linear_cross_entropy(). */
typedef struct kdl_f_linear_cross_entropy_options {
    size_t nbytes;           /**< sizeof(kdl_f_linear_cross_entropy_options), for the ABI */
    kdl_tensor *linear_bias; /**< (C) or (C, ...), as the weight has it (borrowed); default NULL */
    kdl_tensor *weight;      /**< a factor for each class (borrowed); default NULL */
    kdl_reduction reduction; /**< default KDL_REDUCTION_MEAN */
    int64_t ignore_index;    /**< default KDL_NONE_INT: -100, for classes */
    double label_smoothing;  /**< default 0 */
    kdl_linear_cross_entropy_options options; /**< default: not in chunks */
} kdl_f_linear_cross_entropy_options;

#define KDL_F_LINEAR_CROSS_ENTROPY_DEFAULTS                                                        \
    {                                                                                              \
        sizeof(kdl_f_linear_cross_entropy_options), NULL, NULL, KDL_REDUCTION_MEAN, KDL_NONE_INT,  \
            0, KDL_LINEAR_CROSS_ENTROPY_OPTIONS_DEFAULTS                                           \
    }

/**
 * F.linear_cross_entropy(input, linear_weight, target, linear_bias=None, weight=None,
 * reduction='mean', ignore_index=None, label_smoothing=0.0, options=None): cross_entropy() of
 * linear(input, linear_weight, linear_bias): input (F) or (N, F), linear_weight (C, F) or, for N
 * samples of several predictions, (C, ..., F). The options (nn_loss.h) compute it in chunks of the
 * batch: kdl_f_linear_cross_entropy(x, w, t, .options.chunked = true). Errors as PyTorch's.
 */
#define kdl_f_linear_cross_entropy(input, linear_weight, target, ...)                              \
    KDL__WITH(kdl_f_linear_cross_entropy_options, KDL_F_LINEAR_CROSS_ENTROPY_DEFAULTS,             \
              (__VA_ARGS__), kdl_f_linear_cross_entropy_with, input, linear_weight, target)
KDL_API kdl_tensor *kdl_f_linear_cross_entropy_with(
    kdl_tensor *input, kdl_tensor *linear_weight, kdl_tensor *target,
    const kdl_f_linear_cross_entropy_options *options);

/**
 * F.multi_margin_loss(input, target, p=1, margin=1, weight=None, reduction): input (N, C) or (C), a
 * class (i64) for each row. ValueError for a p that is neither 1 nor 2.
 */
KDL_API kdl_tensor *kdl_f_multi_margin_loss(kdl_tensor *input, kdl_tensor *target, int64_t p,
                                            double margin, kdl_tensor *weight,
                                            kdl_reduction reduction);
/** F.multilabel_margin_loss(input, target, reduction): a row's classes (i64) end with -1. */
KDL_API kdl_tensor *kdl_f_multilabel_margin_loss(kdl_tensor *input, kdl_tensor *target,
                                                 kdl_reduction reduction);
/**
 * F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction,
 * zero_infinity=False): log_probs (T, N, C) or (T, C); targets (i64) (N, S), or one after the
 * other; lengths (i64) of (N) or (). 'mean' divides each loss by its target's length first. As
 * PyTorch's, its gradient takes for granted that log_probs come from log_softmax. RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_ctc_loss(kdl_tensor *log_probs, kdl_tensor *targets,
                                   kdl_tensor *input_lengths, kdl_tensor *target_lengths,
                                   int64_t blank, kdl_reduction reduction, bool zero_infinity);

/* ---- distances and their margins ----------------------------------------------------------- */

/**
 * F.cosine_similarity(x1, x2, dim=1, eps=1e-8), F.pairwise_distance(x1, x2, p=2, eps=1e-6, ...).
 */
KDL_API kdl_tensor *kdl_f_cosine_similarity(kdl_tensor *x1, kdl_tensor *x2, int dim, double eps);
KDL_API kdl_tensor *kdl_f_pairwise_distance(kdl_tensor *x1, kdl_tensor *x2, double p, double eps,
                                            bool keepdim);
/** F.normalize(input, p=2, dim=1, eps=1e-12): divided by its norms along `dim`. */
KDL_API kdl_tensor *kdl_f_normalize(kdl_tensor *input, double p, int dim, double eps);
/** F.margin_ranking_loss(x1, x2, target, margin=0, reduction): targets are 1 or -1. */
KDL_API kdl_tensor *kdl_f_margin_ranking_loss(kdl_tensor *x1, kdl_tensor *x2, kdl_tensor *target,
                                              double margin, kdl_reduction reduction);
/** F.cosine_embedding_loss(x1, x2, target, margin=0, reduction): (N, D) and (N), or (D) and (). */
KDL_API kdl_tensor *kdl_f_cosine_embedding_loss(kdl_tensor *x1, kdl_tensor *x2, kdl_tensor *target,
                                                double margin, kdl_reduction reduction);
/**
 * F.triplet_margin_loss(anchor, positive, negative, margin=1, p=2, eps=1e-6, swap=False,
 * reduction). ValueError unless margin > 0.
 */
KDL_API kdl_tensor *kdl_f_triplet_margin_loss(kdl_tensor *anchor, kdl_tensor *positive,
                                              kdl_tensor *negative, double margin, double p,
                                              double eps, bool swap, kdl_reduction reduction);

/* ---- adaptive softmax -------------------------------------------------------------------- */

/**
 * AdaptiveLogSoftmaxWithLoss.log_prob(input), .predict(input): input (N, in_features); logarithms
 * of the probabilities of all classes (N, n_classes), the likeliest ones (N) of i64. TypeError for
 * another module. The module itself: inputs (input, target), outputs (output, loss).
 */
KDL_API kdl_tensor *kdl_adaptive_log_prob(kdl_module *module, kdl_tensor *input);
KDL_API kdl_tensor *kdl_adaptive_predict(kdl_module *module, kdl_tensor *input);

#ifdef __cplusplus
}
#endif
#endif
