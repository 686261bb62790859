/* SPDX-License-Identifier: Apache-2.0 */
/* What the modules of each class remember: kdl_module_fields() of such a module. */
#ifndef KDL_SRC_NN_LAYERS_H
#define KDL_SRC_NN_LAYERS_H

#include "kindling/nn.h"

typedef struct kdl__linear {
    int64_t in_features, out_features;
} kdl__linear;

typedef struct kdl__embedding {
    int64_t num_embeddings, embedding_dim;
    int64_t padding_idx; /* never negative but KDL_NONE_INT */
    double max_norm, norm_type;
    bool scale_grad_by_freq, sparse;
} kdl__embedding;

/* Zeroes the row padding_idx of an Embedding's weight, if it has one. */
void kdl__embedding_zero_padding(kdl_module *module);

/* Of LayerNorm and RMSNorm. */
typedef struct kdl__norm {
    kdl_shape normalized_shape;
    double eps;
    bool elementwise_affine;
} kdl__norm;

typedef struct kdl__dropout {
    double p;
    bool inplace;
} kdl__dropout;

/* Of every activation; each class knows which of these it has. */
typedef struct kdl__activation {
    bool inplace;
    const char *approximate; /* static */
    double negative_slope;
    double init;
    int64_t num_parameters;
} kdl__activation;

#endif
