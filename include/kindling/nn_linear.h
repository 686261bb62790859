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
#define KDL_CLASS_EMBEDDING (&kdl_class_embedding)
KDL_API extern const kdl_module_class kdl_class_identity, kdl_class_linear, kdl_class_embedding;

/** nn.Identity(). */
#define kdl_nn_identity(ctx) kdl_nn_new(ctx, KDL_CLASS_IDENTITY, NULL)

/** Arguments of nn.Linear. */
typedef struct kdl_linear_options {
    size_t nbytes;                     /**< sizeof(kdl_linear_options), for the ABI */
    int64_t in_features, out_features; /**< required */
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

/** Arguments of nn.Embedding. */
typedef struct kdl_embedding_options {
    size_t nbytes;                         /**< sizeof(kdl_embedding_options), for the ABI */
    int64_t num_embeddings, embedding_dim; /**< required */
    int64_t padding_idx;     /**< default KDL_NONE_INT; negative ones count from the end */
    double max_norm;         /**< default KDL_NONE_FLOAT */
    double norm_type;        /**< default 2 */
    bool scale_grad_by_freq; /**< default false */
    bool sparse;             /**< default false */
    kdl_dtype dtype;         /**< default KDL_F32 */
} kdl_embedding_options;

#define KDL_EMBEDDING_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_embedding_options), 0, 0, KDL_NONE_INT, KDL_NONE_FLOAT, 2.0, false, false,      \
            KDL_F32                                                                                \
    }

/**
 * nn.Embedding(num_embeddings, embedding_dim, ...). weight [num_embeddings, embedding_dim] is
 * N(0, 1); then the row padding_idx is zeroed. ValueError with PyTorch's text for a padding_idx
 * that is not within num_embeddings.
 */
#define kdl_nn_embedding(ctx, num_embeddings_, embedding_dim_, ...)                                \
    KDL__NN(kdl_embedding_options, KDL_EMBEDDING_DEFAULTS, KDL_CLASS_EMBEDDING, ctx,               \
            .num_embeddings = num_embeddings_, .embedding_dim = embedding_dim_, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
