/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn's linear and embedding layers (torch/nn/modules/linear.py and sparse.py). */
#ifndef KINDLING_NN_LINEAR_H
#define KINDLING_NN_LINEAR_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_CLASS_IDENTITY (&kdl_class_identity)
#define KDL_CLASS_LINEAR (&kdl_class_linear)
#define KDL_CLASS_LAZY_LINEAR (&kdl_class_lazy_linear)
#define KDL_CLASS_BILINEAR (&kdl_class_bilinear)
KDL_API extern const kdl_module_class kdl_class_identity, kdl_class_linear, kdl_class_lazy_linear,
    kdl_class_bilinear;

/** nn.Identity(). */
#define kdl_nn_identity(ctx) kdl_nn_new(ctx, KDL_CLASS_IDENTITY, NULL)

/** Arguments of nn.Linear. */
typedef struct kdl_linear_options {
    size_t nbytes;                     /**< sizeof(kdl_linear_options), for the ABI */
    int64_t in_features, out_features; /**< required; in_features not by LazyLinear */
    bool bias;                         /**< default true */
    kdl_dtype dtype;                   /**< default KDL_F32 */
} kdl_linear_options;

#define KDL_LINEAR_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_linear_options), 0, 0, true, KDL_F32                                            \
    }

/**
 * nn.Linear(in_features, out_features, bias=True, dtype=None). weight [out_features, in_features]
 * is U(-k, k) with k = 1/sqrt(in_features) (kaiming_uniform_ with a = sqrt(5)), then bias
 * [out_features] likewise.
 */
#define kdl_nn_linear(ctx, in_features_, out_features_, ...)                                       \
    KDL__NN(kdl_linear_options, KDL_LINEAR_DEFAULTS, KDL_CLASS_LINEAR, ctx,                        \
            .in_features = in_features_, .out_features = out_features_, __VA_ARGS__)

/**
 * nn.LazyLinear(out_features, bias=True, dtype=None): a Linear whose in_features
 * kdl_initialize_parameters() takes from the last size of an input.
 */
#define kdl_nn_lazy_linear(ctx, out_features_, ...)                                                \
    KDL__NN(kdl_linear_options, KDL_LINEAR_DEFAULTS, KDL_CLASS_LAZY_LINEAR, ctx,                   \
            .out_features = out_features_, __VA_ARGS__)

/** Arguments of nn.Bilinear. */
typedef struct kdl_bilinear_options {
    size_t nbytes;                                    /**< sizeof(kdl_bilinear_options) */
    int64_t in1_features, in2_features, out_features; /**< required */
    bool bias;                                        /**< default true */
    kdl_dtype dtype;                                  /**< default KDL_F32 */
} kdl_bilinear_options;

#define KDL_BILINEAR_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_bilinear_options), 0, 0, 0, true, KDL_F32                                       \
    }

/**
 * nn.Bilinear(in1_features, in2_features, out_features, bias=True, dtype=None). weight
 * [out_features, in1_features, in2_features] and then bias [out_features] are U(-k, k) with
 * k = 1/sqrt(in1_features). ValueError with PyTorch's text when in1_features is 0. It computes
 * {input1, input2} to {output}.
 */
#define kdl_nn_bilinear(ctx, in1_features_, in2_features_, out_features_, ...)                     \
    KDL__NN(kdl_bilinear_options, KDL_BILINEAR_DEFAULTS, KDL_CLASS_BILINEAR, ctx,                  \
            .in1_features = in1_features_, .in2_features = in2_features_,                          \
            .out_features = out_features_, __VA_ARGS__)

/* ---- embeddings -------------------------------------------------------------------------- */

#define KDL_CLASS_EMBEDDING (&kdl_class_embedding)
#define KDL_CLASS_EMBEDDING_BAG (&kdl_class_embedding_bag)
KDL_API extern const kdl_module_class kdl_class_embedding, kdl_class_embedding_bag;

/** Arguments of nn.Embedding. */
typedef struct kdl_embedding_options {
    size_t nbytes;                         /**< sizeof(kdl_embedding_options), for the ABI */
    int64_t num_embeddings, embedding_dim; /**< required */
    int64_t padding_idx;     /**< default KDL_NONE_INT; negative ones count from the end */
    double max_norm;         /**< default KDL_NONE_FLOAT */
    double norm_type;        /**< default 2 */
    bool scale_grad_by_freq; /**< default false */
    bool sparse;             /**< default false */
    kdl_tensor *weight;      /**< default NULL; the values (consumed), as from_pretrained gives */
    bool freeze;             /**< default false: the weight requires gradients */
    kdl_dtype dtype;         /**< default KDL_F32 */
} kdl_embedding_options;

#define KDL_EMBEDDING_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_embedding_options), 0, 0, KDL_NONE_INT, KDL_NONE_FLOAT, 2.0, false, false,      \
            NULL, false, KDL_F32                                                                   \
    }

/**
 * nn.Embedding(num_embeddings, embedding_dim, ...). weight [num_embeddings, embedding_dim] is
 * N(0, 1); then the row padding_idx is zeroed. ValueError with PyTorch's text for a padding_idx
 * that is not within num_embeddings. It computes kdl_f_embedding().
 */
#define kdl_nn_embedding(ctx, num_embeddings_, embedding_dim_, ...)                                \
    KDL__NN(kdl_embedding_options, KDL_EMBEDDING_DEFAULTS, KDL_CLASS_EMBEDDING, ctx,               \
            .num_embeddings = num_embeddings_, .embedding_dim = embedding_dim_, __VA_ARGS__)
/**
 * nn.Embedding.from_pretrained(embeddings, freeze=True, ...): the weight is on the same elements
 * as `embeddings` (consumed); nothing is drawn or zeroed. ValueError with PyTorch's text unless
 * they have two dimensions.
 */
#define kdl_nn_embedding_from_pretrained(ctx, embeddings_, ...)                                    \
    KDL__NN(kdl_embedding_options, KDL_EMBEDDING_DEFAULTS, KDL_CLASS_EMBEDDING, ctx,               \
            .num_embeddings = KDL_NONE_INT, .weight = embeddings_, .freeze = true, __VA_ARGS__)

/** Arguments of nn.EmbeddingBag. */
typedef struct kdl_embedding_bag_options {
    size_t nbytes;                         /**< sizeof(kdl_embedding_bag_options), for the ABI */
    int64_t num_embeddings, embedding_dim; /**< required */
    double max_norm;                       /**< default KDL_NONE_FLOAT */
    double norm_type;                      /**< default 2 */
    bool scale_grad_by_freq;               /**< default false */
    const char *mode;                      /**< default "mean"; "sum", "max" */
    bool sparse;                           /**< default false */
    kdl_tensor *weight;       /**< default NULL; the values (consumed), as from_pretrained gives */
    bool include_last_offset; /**< default false */
    int64_t padding_idx;      /**< default KDL_NONE_INT; negative ones count from the end */
    bool freeze;              /**< default false: the weight requires gradients */
    kdl_dtype dtype;          /**< default KDL_F32 */
} kdl_embedding_bag_options;

#define KDL_EMBEDDING_BAG_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_embedding_bag_options), 0, 0, KDL_NONE_FLOAT, 2.0, false, "mean", false, NULL,  \
            false, KDL_NONE_INT, false, KDL_F32                                                    \
    }

/**
 * nn.EmbeddingBag(num_embeddings, embedding_dim, ...): its weight is as Embedding's. It computes
 * {input, offsets, per_sample_weights} to {output} by kdl_f_embedding_bag(), from which the sizes
 * are; the last two may be left out.
 */
#define kdl_nn_embedding_bag(ctx, num_embeddings_, embedding_dim_, ...)                            \
    KDL__NN(kdl_embedding_bag_options, KDL_EMBEDDING_BAG_DEFAULTS, KDL_CLASS_EMBEDDING_BAG, ctx,   \
            .num_embeddings = num_embeddings_, .embedding_dim = embedding_dim_, __VA_ARGS__)
/** nn.EmbeddingBag.from_pretrained(embeddings, freeze=True, ...): as Embedding's. */
#define kdl_nn_embedding_bag_from_pretrained(ctx, embeddings_, ...)                                \
    KDL__NN(kdl_embedding_bag_options, KDL_EMBEDDING_BAG_DEFAULTS, KDL_CLASS_EMBEDDING_BAG, ctx,   \
            .num_embeddings = KDL_NONE_INT, .weight = embeddings_, .freeze = true, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
