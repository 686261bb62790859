/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's losses and distances (torch/nn/modules/loss.py, adaptive.py and distance.py). They
 * draw nothing, but for LinearCrossEntropyLoss and AdaptiveLogSoftmaxWithLoss, which have Linears.
 *
 * Every loss, but for the adaptive one, has `reduction`: "mean" (the default), "sum" or "none";
 * forward checks it. Those that have `size_average` and `reduce` warn when they are given, for both
 * are deprecated: they then say the reduction. A `weight` or `pos_weight` becomes a buffer of that
 * name (consumed).
 */
#ifndef KINDLING_NN_LOSS_H
#define KINDLING_NN_LOSS_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** nn.modules.loss._Loss, the parent of all losses, and _WeightedLoss, of those with a weight. */
#define KDL_CLASS_LOSS (&kdl_class_loss)
#define KDL_CLASS_WEIGHTED_LOSS (&kdl_class_weighted_loss)
KDL_API extern const kdl_module_class kdl_class_loss, kdl_class_weighted_loss;

/* What the structs begin with, and its defaults. */
#define KDL__LOSS                                                                                  \
    size_t nbytes;         /* the struct's size, for the ABI */                                    \
    const char *reduction; /* default "mean" */                                                    \
    int8_t size_average;   /* deprecated; default KDL_NONE_BOOL */                                 \
    int8_t reduce          /* deprecated; default KDL_NONE_BOOL */
#define KDL__WEIGHTED_LOSS                                                                         \
    KDL__LOSS;                                                                                     \
    kdl_tensor *weight /* default NULL */
#define KDL__LOSS_DEFAULTS "mean", KDL_NONE_BOOL, KDL_NONE_BOOL
#define KDL__WEIGHTED_LOSS_DEFAULTS KDL__LOSS_DEFAULTS, NULL

/* ---- without arguments of their own ------------------------------------------------------ */

#define KDL_CLASS_L1_LOSS (&kdl_class_l1_loss)
#define KDL_CLASS_MSE_LOSS (&kdl_class_mse_loss)
#define KDL_CLASS_MULTI_LABEL_MARGIN_LOSS (&kdl_class_multi_label_margin_loss)
#define KDL_CLASS_SOFT_MARGIN_LOSS (&kdl_class_soft_margin_loss)
#define KDL_CLASS_BCE_LOSS (&kdl_class_bce_loss)
#define KDL_CLASS_MULTI_LABEL_SOFT_MARGIN_LOSS (&kdl_class_multi_label_soft_margin_loss)
KDL_API extern const kdl_module_class kdl_class_l1_loss, kdl_class_mse_loss,
    kdl_class_multi_label_margin_loss, kdl_class_soft_margin_loss, kdl_class_bce_loss,
    kdl_class_multi_label_soft_margin_loss;

/** Arguments of nn.L1Loss, MSELoss, MultiLabelMarginLoss, SoftMarginLoss. */
typedef struct kdl_loss_options {
    KDL__LOSS;
} kdl_loss_options;

#define KDL_LOSS_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_loss_options), KDL__LOSS_DEFAULTS                                               \
    }

/** nn.L1Loss, MSELoss, MultiLabelMarginLoss, SoftMarginLoss: (reduction='mean'). */
#define kdl_nn_l1_loss(ctx, ...)                                                                   \
    KDL__NN(kdl_loss_options, KDL_LOSS_DEFAULTS, KDL_CLASS_L1_LOSS, ctx, __VA_ARGS__)
#define kdl_nn_mse_loss(ctx, ...)                                                                  \
    KDL__NN(kdl_loss_options, KDL_LOSS_DEFAULTS, KDL_CLASS_MSE_LOSS, ctx, __VA_ARGS__)
#define kdl_nn_multi_label_margin_loss(ctx, ...)                                                   \
    KDL__NN(kdl_loss_options, KDL_LOSS_DEFAULTS, KDL_CLASS_MULTI_LABEL_MARGIN_LOSS, ctx,           \
            __VA_ARGS__)
#define kdl_nn_soft_margin_loss(ctx, ...)                                                          \
    KDL__NN(kdl_loss_options, KDL_LOSS_DEFAULTS, KDL_CLASS_SOFT_MARGIN_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.BCELoss and nn.MultiLabelSoftMarginLoss. */
typedef struct kdl_weighted_loss_options {
    KDL__WEIGHTED_LOSS;
} kdl_weighted_loss_options;

#define KDL_WEIGHTED_LOSS_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_weighted_loss_options), KDL__WEIGHTED_LOSS_DEFAULTS                             \
    }

/** nn.BCELoss, MultiLabelSoftMarginLoss: (weight=None, reduction='mean'). */
#define kdl_nn_bce_loss(ctx, ...)                                                                  \
    KDL__NN(kdl_weighted_loss_options, KDL_WEIGHTED_LOSS_DEFAULTS, KDL_CLASS_BCE_LOSS, ctx,        \
            __VA_ARGS__)
#define kdl_nn_multi_label_soft_margin_loss(ctx, ...)                                              \
    KDL__NN(kdl_weighted_loss_options, KDL_WEIGHTED_LOSS_DEFAULTS,                                 \
            KDL_CLASS_MULTI_LABEL_SOFT_MARGIN_LOSS, ctx, __VA_ARGS__)

/* ---- likelihoods ------------------------------------------------------------------------- */

#define KDL_CLASS_NLL_LOSS (&kdl_class_nll_loss)
#define KDL_CLASS_CROSS_ENTROPY_LOSS (&kdl_class_cross_entropy_loss)
#define KDL_CLASS_LINEAR_CROSS_ENTROPY_LOSS (&kdl_class_linear_cross_entropy_loss)
#define KDL_CLASS_BCE_WITH_LOGITS_LOSS (&kdl_class_bce_with_logits_loss)
#define KDL_CLASS_POISSON_NLL_LOSS (&kdl_class_poisson_nll_loss)
#define KDL_CLASS_GAUSSIAN_NLL_LOSS (&kdl_class_gaussian_nll_loss)
#define KDL_CLASS_KL_DIV_LOSS (&kdl_class_kl_div_loss)
#define KDL_CLASS_CTC_LOSS (&kdl_class_ctc_loss)
KDL_API extern const kdl_module_class kdl_class_nll_loss, kdl_class_cross_entropy_loss,
    kdl_class_linear_cross_entropy_loss, kdl_class_bce_with_logits_loss, kdl_class_poisson_nll_loss,
    kdl_class_gaussian_nll_loss, kdl_class_kl_div_loss, kdl_class_ctc_loss;

/** Arguments of nn.NLLLoss. */
typedef struct kdl_nll_loss_options {
    KDL__WEIGHTED_LOSS;
    int64_t ignore_index; /**< default -100 */
} kdl_nll_loss_options;

#define KDL_NLL_LOSS_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_nll_loss_options), KDL__WEIGHTED_LOSS_DEFAULTS, -100                            \
    }

/** nn.NLLLoss(weight=None, ignore_index=-100, reduction='mean'). */
#define kdl_nn_nll_loss(ctx, ...)                                                                  \
    KDL__NN(kdl_nll_loss_options, KDL_NLL_LOSS_DEFAULTS, KDL_CLASS_NLL_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.CrossEntropyLoss. */
typedef struct kdl_cross_entropy_loss_options {
    KDL__WEIGHTED_LOSS;
    int64_t ignore_index;   /**< default -100 */
    double label_smoothing; /**< default 0 */
} kdl_cross_entropy_loss_options;

#define KDL_CROSS_ENTROPY_LOSS_DEFAULTS                                                            \
    {                                                                                              \
        sizeof(kdl_cross_entropy_loss_options), KDL__WEIGHTED_LOSS_DEFAULTS, -100, 0               \
    }

/** nn.CrossEntropyLoss(weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0). */
#define kdl_nn_cross_entropy_loss(ctx, ...)                                                        \
    KDL__NN(kdl_cross_entropy_loss_options, KDL_CROSS_ENTROPY_LOSS_DEFAULTS,                       \
            KDL_CLASS_CROSS_ENTROPY_LOSS, ctx, __VA_ARGS__)

/**
 * nn.LinearCrossEntropyOptions: the loss is computed in chunks of the batch, so that the scores of
 * all of it are never there at once; for many classes. Gradients come with the loss, in the forward
 * pass, but those of reduction "none". Where chunks cannot be (label_smoothing, out_features,
 * targets that are no int64) there is a warning, and the options are ignored.
 *
 * Chunks of f16 and bf16 are computed in f32 by every acc_policy: PyTorch's "accurate".
 */
typedef struct kdl_linear_cross_entropy_options {
    bool chunked;             /**< default false: options=None, and the others do not count */
    bool allow_retain_graph;  /**< default false: kdl_backward() once, also with retain_graph */
    int64_t batch_chunk_size; /**< rows of a chunk; default KDL_NONE_INT: as the method says */
    const char
        *chunking_method;   /**< default "auto"; "aspect_ratio", "aspect_ratio:N"; NULL: none */
    const char *acc_policy; /**< default "auto"; "accurate", "balanced", "compact" */
    kdl_dtype acc_dtype;    /**< default KDL_NONE_DTYPE; KDL_F32 or the input's */
} kdl_linear_cross_entropy_options;

#define KDL_LINEAR_CROSS_ENTROPY_OPTIONS_DEFAULTS                                                  \
    {                                                                                              \
        false, false, KDL_NONE_INT, "auto", "auto", KDL_NONE_DTYPE                                 \
    }

/** Arguments of nn.LinearCrossEntropyLoss. */
typedef struct kdl_linear_cross_entropy_loss_options {
    KDL__WEIGHTED_LOSS;
    int64_t in_features, num_classes;         /**< required */
    kdl_shape out_features;                   /**< default (): one prediction */
    bool bias;                                /**< default false */
    kdl_dtype dtype;                          /**< default KDL_F32 */
    int64_t ignore_index;                     /**< default KDL_NONE_INT */
    double label_smoothing;                   /**< default 0 */
    kdl_linear_cross_entropy_options options; /**< default: none */
} kdl_linear_cross_entropy_loss_options;

#define KDL_LINEAR_CROSS_ENTROPY_LOSS_DEFAULTS                                                     \
    {                                                                                              \
        sizeof(kdl_linear_cross_entropy_loss_options), KDL__WEIGHTED_LOSS_DEFAULTS, 0, 0,          \
            { { KDL_EMPTY_TUPLE }, 0 }, false, KDL_F32, KDL_NONE_INT, 0,                           \
            KDL_LINEAR_CROSS_ENTROPY_OPTIONS_DEFAULTS                                              \
    }

/**
 * nn.LinearCrossEntropyLoss(in_features, num_classes, *, out_features=(), bias=False, dtype=None,
 * reduction='mean', weight=None, ignore_index=None, label_smoothing=0.0, options=None), with a
 * child `linear`, Linear(in_features, num_classes times all out_features). RuntimeError with
 * PyTorch's text for a weight that is not [num_classes] and a label_smoothing outside [0, 1],
 * ValueError for options that cannot be. In C:
 *
 *     kdl_nn_linear_cross_entropy_loss(ctx, 512, 50257, .options.chunked = true)
 */
#define kdl_nn_linear_cross_entropy_loss(ctx, in_features_, num_classes_, ...)                     \
    KDL__NN(kdl_linear_cross_entropy_loss_options, KDL_LINEAR_CROSS_ENTROPY_LOSS_DEFAULTS,         \
            KDL_CLASS_LINEAR_CROSS_ENTROPY_LOSS, ctx, .in_features = in_features_,                 \
            .num_classes = num_classes_, __VA_ARGS__)

/** Arguments of nn.BCEWithLogitsLoss. */
typedef struct kdl_bce_with_logits_loss_options {
    KDL__WEIGHTED_LOSS;
    kdl_tensor *pos_weight; /**< default NULL */
} kdl_bce_with_logits_loss_options;

#define KDL_BCE_WITH_LOGITS_LOSS_DEFAULTS                                                          \
    {                                                                                              \
        sizeof(kdl_bce_with_logits_loss_options), KDL__WEIGHTED_LOSS_DEFAULTS, NULL                \
    }

/** nn.BCEWithLogitsLoss(weight=None, reduction='mean', pos_weight=None). */
#define kdl_nn_bce_with_logits_loss(ctx, ...)                                                      \
    KDL__NN(kdl_bce_with_logits_loss_options, KDL_BCE_WITH_LOGITS_LOSS_DEFAULTS,                   \
            KDL_CLASS_BCE_WITH_LOGITS_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.PoissonNLLLoss. */
typedef struct kdl_poisson_nll_loss_options {
    KDL__LOSS;
    bool log_input; /**< default true */
    bool full;      /**< default false */
    double eps;     /**< default 1e-8 */
} kdl_poisson_nll_loss_options;

#define KDL_POISSON_NLL_LOSS_DEFAULTS                                                              \
    {                                                                                              \
        sizeof(kdl_poisson_nll_loss_options), KDL__LOSS_DEFAULTS, true, false, 1e-8                \
    }

/** nn.PoissonNLLLoss(log_input=True, full=False, eps=1e-08, reduction='mean'). */
#define kdl_nn_poisson_nll_loss(ctx, ...)                                                          \
    KDL__NN(kdl_poisson_nll_loss_options, KDL_POISSON_NLL_LOSS_DEFAULTS,                           \
            KDL_CLASS_POISSON_NLL_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.GaussianNLLLoss. */
typedef struct kdl_gaussian_nll_loss_options {
    KDL__LOSS;
    bool full;  /**< default false */
    double eps; /**< default 1e-6 */
} kdl_gaussian_nll_loss_options;

#define KDL_GAUSSIAN_NLL_LOSS_DEFAULTS                                                             \
    {                                                                                              \
        sizeof(kdl_gaussian_nll_loss_options), KDL__LOSS_DEFAULTS, false, 1e-6                     \
    }

/** nn.GaussianNLLLoss(*, full=False, eps=1e-06, reduction='mean'). */
#define kdl_nn_gaussian_nll_loss(ctx, ...)                                                         \
    KDL__NN(kdl_gaussian_nll_loss_options, KDL_GAUSSIAN_NLL_LOSS_DEFAULTS,                         \
            KDL_CLASS_GAUSSIAN_NLL_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.KLDivLoss. */
typedef struct kdl_kl_div_loss_options {
    KDL__LOSS;
    bool log_target; /**< default false */
} kdl_kl_div_loss_options;

#define KDL_KL_DIV_LOSS_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_kl_div_loss_options), KDL__LOSS_DEFAULTS, false                                 \
    }

/** nn.KLDivLoss(reduction='mean', log_target=False). */
#define kdl_nn_kl_div_loss(ctx, ...)                                                               \
    KDL__NN(kdl_kl_div_loss_options, KDL_KL_DIV_LOSS_DEFAULTS, KDL_CLASS_KL_DIV_LOSS, ctx,         \
            __VA_ARGS__)

/** Arguments of nn.CTCLoss. */
typedef struct kdl_ctc_loss_options {
    KDL__LOSS;
    int64_t blank;      /**< default 0 */
    bool zero_infinity; /**< default false */
} kdl_ctc_loss_options;

#define KDL_CTC_LOSS_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_ctc_loss_options), KDL__LOSS_DEFAULTS, 0, false                                 \
    }

/** nn.CTCLoss(blank=0, reduction='mean', zero_infinity=False). */
#define kdl_nn_ctc_loss(ctx, ...)                                                                  \
    KDL__NN(kdl_ctc_loss_options, KDL_CTC_LOSS_DEFAULTS, KDL_CLASS_CTC_LOSS, ctx, __VA_ARGS__)

/* ---- with a threshold or a margin -------------------------------------------------------- */

#define KDL_CLASS_SMOOTH_L1_LOSS (&kdl_class_smooth_l1_loss)
#define KDL_CLASS_HUBER_LOSS (&kdl_class_huber_loss)
#define KDL_CLASS_HINGE_EMBEDDING_LOSS (&kdl_class_hinge_embedding_loss)
#define KDL_CLASS_COSINE_EMBEDDING_LOSS (&kdl_class_cosine_embedding_loss)
#define KDL_CLASS_MARGIN_RANKING_LOSS (&kdl_class_margin_ranking_loss)
#define KDL_CLASS_MULTI_MARGIN_LOSS (&kdl_class_multi_margin_loss)
#define KDL_CLASS_TRIPLET_MARGIN_LOSS (&kdl_class_triplet_margin_loss)
#define KDL_CLASS_TRIPLET_MARGIN_WITH_DISTANCE_LOSS (&kdl_class_triplet_margin_with_distance_loss)
KDL_API extern const kdl_module_class kdl_class_smooth_l1_loss, kdl_class_huber_loss,
    kdl_class_hinge_embedding_loss, kdl_class_cosine_embedding_loss, kdl_class_margin_ranking_loss,
    kdl_class_multi_margin_loss, kdl_class_triplet_margin_loss,
    kdl_class_triplet_margin_with_distance_loss;

/** Arguments of nn.SmoothL1Loss. */
typedef struct kdl_smooth_l1_loss_options {
    KDL__LOSS;
    double beta; /**< default 1 */
} kdl_smooth_l1_loss_options;

#define KDL_SMOOTH_L1_LOSS_DEFAULTS                                                                \
    {                                                                                              \
        sizeof(kdl_smooth_l1_loss_options), KDL__LOSS_DEFAULTS, 1                                  \
    }

/** nn.SmoothL1Loss(reduction='mean', beta=1.0). */
#define kdl_nn_smooth_l1_loss(ctx, ...)                                                            \
    KDL__NN(kdl_smooth_l1_loss_options, KDL_SMOOTH_L1_LOSS_DEFAULTS, KDL_CLASS_SMOOTH_L1_LOSS,     \
            ctx, __VA_ARGS__)

/** Arguments of nn.HuberLoss. */
typedef struct kdl_huber_loss_options {
    KDL__LOSS;
    double delta; /**< default 1 */
} kdl_huber_loss_options;

#define KDL_HUBER_LOSS_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_huber_loss_options), KDL__LOSS_DEFAULTS, 1                                      \
    }

/** nn.HuberLoss(reduction='mean', delta=1.0). */
#define kdl_nn_huber_loss(ctx, ...)                                                                \
    KDL__NN(kdl_huber_loss_options, KDL_HUBER_LOSS_DEFAULTS, KDL_CLASS_HUBER_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.HingeEmbeddingLoss, CosineEmbeddingLoss, MarginRankingLoss. */
typedef struct kdl_margin_loss_options {
    KDL__LOSS;
    double margin; /**< default 0; of HingeEmbeddingLoss 1 */
} kdl_margin_loss_options;

#define KDL_MARGIN_LOSS_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_margin_loss_options), KDL__LOSS_DEFAULTS, 0                                     \
    }
#define KDL_HINGE_EMBEDDING_LOSS_DEFAULTS                                                          \
    {                                                                                              \
        sizeof(kdl_margin_loss_options), KDL__LOSS_DEFAULTS, 1                                     \
    }

/** nn.HingeEmbeddingLoss(margin=1.0, reduction='mean'). */
#define kdl_nn_hinge_embedding_loss(ctx, ...)                                                      \
    KDL__NN(kdl_margin_loss_options, KDL_HINGE_EMBEDDING_LOSS_DEFAULTS,                            \
            KDL_CLASS_HINGE_EMBEDDING_LOSS, ctx, __VA_ARGS__)
/** nn.CosineEmbeddingLoss, nn.MarginRankingLoss: (margin=0.0, reduction='mean'). */
#define kdl_nn_cosine_embedding_loss(ctx, ...)                                                     \
    KDL__NN(kdl_margin_loss_options, KDL_MARGIN_LOSS_DEFAULTS, KDL_CLASS_COSINE_EMBEDDING_LOSS,    \
            ctx, __VA_ARGS__)
#define kdl_nn_margin_ranking_loss(ctx, ...)                                                       \
    KDL__NN(kdl_margin_loss_options, KDL_MARGIN_LOSS_DEFAULTS, KDL_CLASS_MARGIN_RANKING_LOSS, ctx, \
            __VA_ARGS__)

/** Arguments of nn.MultiMarginLoss. */
typedef struct kdl_multi_margin_loss_options {
    KDL__WEIGHTED_LOSS;
    int64_t p;     /**< default 1; or 2 */
    double margin; /**< default 1 */
} kdl_multi_margin_loss_options;

#define KDL_MULTI_MARGIN_LOSS_DEFAULTS                                                             \
    {                                                                                              \
        sizeof(kdl_multi_margin_loss_options), KDL__WEIGHTED_LOSS_DEFAULTS, 1, 1                   \
    }

/**
 * nn.MultiMarginLoss(p=1, margin=1.0, weight=None, reduction='mean'). ValueError with PyTorch's
 * text for another p and for a weight that is not one-dimensional.
 */
#define kdl_nn_multi_margin_loss(ctx, ...)                                                         \
    KDL__NN(kdl_multi_margin_loss_options, KDL_MULTI_MARGIN_LOSS_DEFAULTS,                         \
            KDL_CLASS_MULTI_MARGIN_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.TripletMarginLoss. */
typedef struct kdl_triplet_margin_loss_options {
    KDL__LOSS;
    double margin; /**< default 1 */
    double p;      /**< default 2 */
    double eps;    /**< default 1e-6 */
    bool swap;     /**< default false */
} kdl_triplet_margin_loss_options;

#define KDL_TRIPLET_MARGIN_LOSS_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_triplet_margin_loss_options), KDL__LOSS_DEFAULTS, 1, 2, 1e-6, false             \
    }

/**
 * nn.TripletMarginLoss(margin=1.0, p=2.0, eps=1e-06, swap=False, reduction='mean'). ValueError
 * with PyTorch's text for a margin that is not positive.
 */
#define kdl_nn_triplet_margin_loss(ctx, ...)                                                       \
    KDL__NN(kdl_triplet_margin_loss_options, KDL_TRIPLET_MARGIN_LOSS_DEFAULTS,                     \
            KDL_CLASS_TRIPLET_MARGIN_LOSS, ctx, __VA_ARGS__)

/** Arguments of nn.TripletMarginWithDistanceLoss. */
typedef struct kdl_triplet_margin_with_distance_loss_options {
    KDL__LOSS;
    kdl_module *distance_function; /**< default NULL: nn.PairwiseDistance() (consumed) */
    double margin;                 /**< default 1 */
    bool swap;                     /**< default false */
} kdl_triplet_margin_with_distance_loss_options;

#define KDL_TRIPLET_MARGIN_WITH_DISTANCE_LOSS_DEFAULTS                                             \
    {                                                                                              \
        sizeof(kdl_triplet_margin_with_distance_loss_options), KDL__LOSS_DEFAULTS, NULL, 1, false  \
    }

/**
 * nn.TripletMarginWithDistanceLoss(*, distance_function=None, margin=1.0, swap=False,
 * reduction='mean'), where the distance is a module and becomes the child of that name. ValueError
 * with PyTorch's text for a margin that is not positive.
 */
#define kdl_nn_triplet_margin_with_distance_loss(ctx, ...)                                         \
    KDL__NN(kdl_triplet_margin_with_distance_loss_options,                                         \
            KDL_TRIPLET_MARGIN_WITH_DISTANCE_LOSS_DEFAULTS,                                        \
            KDL_CLASS_TRIPLET_MARGIN_WITH_DISTANCE_LOSS, ctx, __VA_ARGS__)

/* ---- adaptive softmax -------------------------------------------------------------------- */

#define KDL_CLASS_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS (&kdl_class_adaptive_log_softmax_with_loss)
KDL_API extern const kdl_module_class kdl_class_adaptive_log_softmax_with_loss;

/** Arguments of nn.AdaptiveLogSoftmaxWithLoss. */
typedef struct kdl_adaptive_log_softmax_with_loss_options {
    size_t nbytes;                  /**< sizeof(kdl_adaptive_log_softmax_with_loss_options) */
    int64_t in_features, n_classes; /**< required */
    kdl_shape cutoffs;              /**< required, at most 15; the fields have n_classes, too */
    double div_value;               /**< default 4 */
    bool head_bias;                 /**< default false */
    kdl_dtype dtype;                /**< default KDL_F32 */
} kdl_adaptive_log_softmax_with_loss_options;

#define KDL_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS_DEFAULTS                                                \
    {                                                                                              \
        sizeof(kdl_adaptive_log_softmax_with_loss_options), 0, 0, { { KDL_EMPTY_TUPLE }, 0 }, 4,   \
            false, KDL_F32                                                                         \
    }

/**
 * nn.AdaptiveLogSoftmaxWithLoss(in_features, n_classes, cutoffs, div_value=4.0, head_bias=False):
 * `head`, a Linear(in_features, cutoffs[0] + clusters), and `tail`, for the i-th cluster (from 1)
 * a Sequential of two Linears by way of in_features // div_value**i features. Errors are
 * PyTorch's (an OverflowError is a ValueError); NotImplementedError for more than 15 cutoffs.
 */
#define kdl_nn_adaptive_log_softmax_with_loss(ctx, in_features_, n_classes_, cutoffs_, ...)        \
    KDL__NN(kdl_adaptive_log_softmax_with_loss_options,                                            \
            KDL_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS_DEFAULTS, KDL_CLASS_ADAPTIVE_LOG_SOFTMAX_WITH_LOSS, \
            ctx, .in_features = in_features_, .n_classes = n_classes_, .cutoffs = cutoffs_,        \
            __VA_ARGS__)

/* ---- distances --------------------------------------------------------------------------- */

#define KDL_CLASS_COSINE_SIMILARITY (&kdl_class_cosine_similarity)
#define KDL_CLASS_PAIRWISE_DISTANCE (&kdl_class_pairwise_distance)
KDL_API extern const kdl_module_class kdl_class_cosine_similarity, kdl_class_pairwise_distance;

/** Arguments of nn.CosineSimilarity. */
typedef struct kdl_cosine_similarity_options {
    size_t nbytes; /**< sizeof(kdl_cosine_similarity_options), for the ABI */
    int64_t dim;   /**< default 1 */
    double eps;    /**< default 1e-8 */
} kdl_cosine_similarity_options;

#define KDL_COSINE_SIMILARITY_DEFAULTS                                                             \
    {                                                                                              \
        sizeof(kdl_cosine_similarity_options), 1, 1e-8                                             \
    }

/** nn.CosineSimilarity(dim=1, eps=1e-08). */
#define kdl_nn_cosine_similarity(ctx, ...)                                                         \
    KDL__NN(kdl_cosine_similarity_options, KDL_COSINE_SIMILARITY_DEFAULTS,                         \
            KDL_CLASS_COSINE_SIMILARITY, ctx, __VA_ARGS__)

/** Arguments of nn.PairwiseDistance. */
typedef struct kdl_pairwise_distance_options {
    size_t nbytes; /**< sizeof(kdl_pairwise_distance_options), for the ABI */
    double p;      /**< default 2 */
    double eps;    /**< default 1e-6 */
    bool keepdim;  /**< default false */
} kdl_pairwise_distance_options;

#define KDL_PAIRWISE_DISTANCE_DEFAULTS                                                             \
    {                                                                                              \
        sizeof(kdl_pairwise_distance_options), 2, 1e-6, false                                      \
    }

/** nn.PairwiseDistance(p=2.0, eps=1e-06, keepdim=False). */
#define kdl_nn_pairwise_distance(ctx, ...)                                                         \
    KDL__NN(kdl_pairwise_distance_options, KDL_PAIRWISE_DISTANCE_DEFAULTS,                         \
            KDL_CLASS_PAIRWISE_DISTANCE, ctx, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
