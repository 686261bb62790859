/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn's normalisation layers (torch/nn/modules/normalization.py). They draw nothing. */
#ifndef KINDLING_NN_NORM_H
#define KINDLING_NN_NORM_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_CLASS_LAYER_NORM (&kdl_class_layer_norm)
#define KDL_CLASS_RMS_NORM (&kdl_class_rms_norm)
KDL_API extern const kdl_module_class kdl_class_layer_norm, kdl_class_rms_norm;

/** Arguments of nn.LayerNorm. */
typedef struct kdl_layer_norm_options {
    size_t nbytes;              /**< sizeof(kdl_layer_norm_options), for the ABI */
    kdl_shape normalized_shape; /**< required */
    double eps;                 /**< default 1e-5 */
    bool elementwise_affine;    /**< default true: with a weight */
    bool bias;                  /**< default true: with a bias, where there is a weight */
    kdl_dtype dtype;            /**< default KDL_F32 */
} kdl_layer_norm_options;

#define KDL_LAYER_NORM_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_layer_norm_options), { { 0 }, 0 }, 1e-5, true, true, KDL_F32                    \
    }

/**
 * nn.LayerNorm(normalized_shape, eps, elementwise_affine, bias): weight of that shape is 1, bias
 * is 0. kdl_nn_layer_norm(ctx, 768), or KDL_SHAPE(3, 5).
 */
#define kdl_nn_layer_norm(ctx, normalized_shape_, ...)                                             \
    KDL__NN(kdl_layer_norm_options, KDL_LAYER_NORM_DEFAULTS, KDL_CLASS_LAYER_NORM, ctx,            \
            .normalized_shape = KDL__AS_SHAPE(normalized_shape_), __VA_ARGS__)

/** Arguments of nn.RMSNorm. */
typedef struct kdl_rms_norm_options {
    size_t nbytes;              /**< sizeof(kdl_rms_norm_options), for the ABI */
    kdl_shape normalized_shape; /**< required */
    double eps;                 /**< default KDL_NONE_FLOAT: the dtype's own epsilon */
    bool elementwise_affine;    /**< default true: with a weight */
    kdl_dtype dtype;            /**< default KDL_F32 */
} kdl_rms_norm_options;

#define KDL_RMS_NORM_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_rms_norm_options), { { 0 }, 0 }, KDL_NONE_FLOAT, true, KDL_F32                  \
    }

/** nn.RMSNorm(normalized_shape, eps, elementwise_affine): weight of that shape is 1. */
#define kdl_nn_rms_norm(ctx, normalized_shape_, ...)                                               \
    KDL__NN(kdl_rms_norm_options, KDL_RMS_NORM_DEFAULTS, KDL_CLASS_RMS_NORM, ctx,                  \
            .normalized_shape = KDL__AS_SHAPE(normalized_shape_), __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
