/* SPDX-License-Identifier: Apache-2.0 */
/* Distances (torch/nn/modules/distance.py). */
#include "nn/arguments.h"

KDL__TABLE(cosine_similarity, kdl_cosine_similarity_options, KDL_COSINE_SIMILARITY_DEFAULTS, 0,
           (.repr = NULL), KDL__ARGUMENT(kdl_cosine_similarity_options, dim),
           KDL__ARGUMENT(kdl_cosine_similarity_options, eps))
KDL__LAYER(cosine_similarity, "CosineSimilarity", NULL, kdl_cosine_similarity_options,
           cosine_similarity_arguments)

KDL__TABLE(pairwise_distance, kdl_pairwise_distance_options, KDL_PAIRWISE_DISTANCE_DEFAULTS, 0,
           (.repr = NULL), KDL__ARGUMENT(kdl_pairwise_distance_options, p),
           KDL__ARGUMENT(kdl_pairwise_distance_options, eps),
           KDL__ARGUMENT(kdl_pairwise_distance_options, keepdim))
KDL__LAYER(pairwise_distance, "PairwiseDistance", NULL, kdl_pairwise_distance_options,
           pairwise_distance_arguments)
