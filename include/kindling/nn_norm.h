/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's normalisation layers (torch/nn/modules/normalization.py, batchnorm.py and
 * instancenorm.py). They draw nothing: a weight is 1, a bias 0.
 */
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

#define KDL_CLASS_GROUP_NORM (&kdl_class_group_norm)
#define KDL_CLASS_LOCAL_RESPONSE_NORM (&kdl_class_local_response_norm)
#define KDL_CLASS_CROSS_MAP_LRN2D (&kdl_class_cross_map_lrn2d)
KDL_API extern const kdl_module_class kdl_class_group_norm, kdl_class_local_response_norm,
    kdl_class_cross_map_lrn2d;

/** Arguments of nn.GroupNorm. */
typedef struct kdl_group_norm_options {
    size_t nbytes;                    /**< sizeof(kdl_group_norm_options), for the ABI */
    int64_t num_groups, num_channels; /**< required */
    double eps;                       /**< default 1e-5 */
    bool affine;                      /**< default true: with a weight */
    bool bias;                        /**< default true: with a bias, where there is a weight */
    kdl_dtype dtype;                  /**< default KDL_F32 */
} kdl_group_norm_options;

#define KDL_GROUP_NORM_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_group_norm_options), 0, 0, 1e-5, true, true, KDL_F32                            \
    }

/**
 * nn.GroupNorm(num_groups, num_channels, eps=1e-05, affine=True, dtype=None, *, bias=True): weight
 * and bias [num_channels]. ValueError with PyTorch's text unless the groups divide the channels.
 */
#define kdl_nn_group_norm(ctx, num_groups_, num_channels_, ...)                                    \
    KDL__NN(kdl_group_norm_options, KDL_GROUP_NORM_DEFAULTS, KDL_CLASS_GROUP_NORM, ctx,            \
            .num_groups = num_groups_, .num_channels = num_channels_, __VA_ARGS__)

/** Arguments of nn.LocalResponseNorm and nn.CrossMapLRN2d. */
typedef struct kdl_local_response_norm_options {
    size_t nbytes; /**< sizeof(kdl_local_response_norm_options), for the ABI */
    int64_t size;  /**< required */
    double alpha;  /**< default 1e-4 */
    double beta;   /**< default 0.75 */
    double k;      /**< default 1; of CrossMapLRN2d kdl_int(1) */
} kdl_local_response_norm_options;

#define KDL_LOCAL_RESPONSE_NORM_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_local_response_norm_options), 0, 1e-4, 0.75, 1                                  \
    }

#define KDL_CROSS_MAP_LRN2D_DEFAULTS                                                               \
    {                                                                                              \
        sizeof(kdl_local_response_norm_options), 0, 1e-4, 0.75, KDL__INT_ONE                       \
    }

/** nn.LocalResponseNorm(size, alpha=0.0001, beta=0.75, k=1.0). */
#define kdl_nn_local_response_norm(ctx, size_, ...)                                                \
    KDL__NN(kdl_local_response_norm_options, KDL_LOCAL_RESPONSE_NORM_DEFAULTS,                     \
            KDL_CLASS_LOCAL_RESPONSE_NORM, ctx, .size = size_, __VA_ARGS__)
/** nn.CrossMapLRN2d(size, alpha=0.0001, beta=0.75, k=1). */
#define kdl_nn_cross_map_lrn2d(ctx, size_, ...)                                                    \
    KDL__NN(kdl_local_response_norm_options, KDL_CROSS_MAP_LRN2D_DEFAULTS,                         \
            KDL_CLASS_CROSS_MAP_LRN2D, ctx, .size = size_, __VA_ARGS__)

/* ---- over batches and instances ----------------------------------------------------------- */

/** nn.modules.batchnorm._NormBase, the parent of all of them; _BatchNorm, _InstanceNorm. */
#define KDL_CLASS_NORM_BASE (&kdl_class_norm_base)
#define KDL_CLASS_BATCH_NORM (&kdl_class_batch_norm)
#define KDL_CLASS_INSTANCE_NORM (&kdl_class_instance_norm)
#define KDL_CLASS_BATCH_NORM1D (&kdl_class_batch_norm1d)
#define KDL_CLASS_BATCH_NORM2D (&kdl_class_batch_norm2d)
#define KDL_CLASS_BATCH_NORM3D (&kdl_class_batch_norm3d)
#define KDL_CLASS_SYNC_BATCH_NORM (&kdl_class_sync_batch_norm)
#define KDL_CLASS_INSTANCE_NORM1D (&kdl_class_instance_norm1d)
#define KDL_CLASS_INSTANCE_NORM2D (&kdl_class_instance_norm2d)
#define KDL_CLASS_INSTANCE_NORM3D (&kdl_class_instance_norm3d)
#define KDL_CLASS_LAZY_BATCH_NORM1D (&kdl_class_lazy_batch_norm1d)
#define KDL_CLASS_LAZY_BATCH_NORM2D (&kdl_class_lazy_batch_norm2d)
#define KDL_CLASS_LAZY_BATCH_NORM3D (&kdl_class_lazy_batch_norm3d)
#define KDL_CLASS_LAZY_INSTANCE_NORM1D (&kdl_class_lazy_instance_norm1d)
#define KDL_CLASS_LAZY_INSTANCE_NORM2D (&kdl_class_lazy_instance_norm2d)
#define KDL_CLASS_LAZY_INSTANCE_NORM3D (&kdl_class_lazy_instance_norm3d)
KDL_API extern const kdl_module_class kdl_class_norm_base, kdl_class_batch_norm,
    kdl_class_instance_norm, kdl_class_batch_norm1d, kdl_class_batch_norm2d, kdl_class_batch_norm3d,
    kdl_class_sync_batch_norm, kdl_class_instance_norm1d, kdl_class_instance_norm2d,
    kdl_class_instance_norm3d, kdl_class_lazy_batch_norm1d, kdl_class_lazy_batch_norm2d,
    kdl_class_lazy_batch_norm3d, kdl_class_lazy_instance_norm1d, kdl_class_lazy_instance_norm2d,
    kdl_class_lazy_instance_norm3d;

/** Arguments of the batch and instance norms. */
typedef struct kdl_batch_norm_options {
    size_t nbytes;            /**< sizeof(kdl_batch_norm_options), for the ABI */
    int64_t num_features;     /**< required; not by Lazy ones */
    double eps;               /**< default 1e-5 */
    double momentum;          /**< default 0.1; KDL_NONE_FLOAT: a cumulative average */
    bool affine;              /**< default true, of InstanceNorm false: with a weight */
    bool track_running_stats; /**< default true, of InstanceNorm false: with the buffers */
    bool bias;                /**< default true: with a bias, where there is a weight */
    kdl_dtype dtype;          /**< default KDL_F32 */
} kdl_batch_norm_options;

#define KDL_BATCH_NORM_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_batch_norm_options), 0, 1e-5, 0.1, true, true, true, KDL_F32                    \
    }
#define KDL_INSTANCE_NORM_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_batch_norm_options), 0, 1e-5, 0.1, false, false, true, KDL_F32                  \
    }
#define KDL__BATCH_NORM(type, ctx, features, ...)                                                  \
    KDL__NN(kdl_batch_norm_options, KDL_BATCH_NORM_DEFAULTS, type, ctx, .num_features = features,  \
            __VA_ARGS__)
#define KDL__INSTANCE_NORM(type, ctx, features, ...)                                               \
    KDL__NN(kdl_batch_norm_options, KDL_INSTANCE_NORM_DEFAULTS, type, ctx,                         \
            .num_features = features, __VA_ARGS__)

/**
 * nn.BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm: (num_features, eps=1e-05, momentum=0.1,
 * affine=True, track_running_stats=True, dtype=None, *, bias=True). weight and bias
 * [num_features]; buffers running_mean (0) and running_var (1) [num_features] in the dtype,
 * num_batches_tracked (0) in int64.
 */
#define kdl_nn_batch_norm1d(ctx, num_features_, ...)                                               \
    KDL__BATCH_NORM(KDL_CLASS_BATCH_NORM1D, ctx, num_features_, __VA_ARGS__)
#define kdl_nn_batch_norm2d(ctx, num_features_, ...)                                               \
    KDL__BATCH_NORM(KDL_CLASS_BATCH_NORM2D, ctx, num_features_, __VA_ARGS__)
#define kdl_nn_batch_norm3d(ctx, num_features_, ...)                                               \
    KDL__BATCH_NORM(KDL_CLASS_BATCH_NORM3D, ctx, num_features_, __VA_ARGS__)
#define kdl_nn_sync_batch_norm(ctx, num_features_, ...)                                            \
    KDL__BATCH_NORM(KDL_CLASS_SYNC_BATCH_NORM, ctx, num_features_, __VA_ARGS__)

/**
 * nn.SyncBatchNorm.convert_sync_batchnorm(module): puts a SyncBatchNorm with the same tensors in
 * the place of every batch norm in a tree. Consumes the caller's reference and gives one, to the
 * root, which is another module only if it is a batch norm itself:
 *
 *     net = kdl_convert_sync_batchnorm(net);
 *
 * As in PyTorch, of several names of one batch norm in a module only the first is converted, hooks
 * stay behind, and one in two places becomes two with the same tensors. NotImplementedError for a
 * parametrized one; what was converted before a failure stays so.
 */
KDL_API kdl_module *kdl_convert_sync_batchnorm(kdl_module *module);

/**
 * nn.InstanceNorm1d, InstanceNorm2d, InstanceNorm3d: (num_features, eps=1e-05, momentum=0.1,
 * affine=False, track_running_stats=False, dtype=None, *, bias=True), with the same tensors.
 */
#define kdl_nn_instance_norm1d(ctx, num_features_, ...)                                            \
    KDL__INSTANCE_NORM(KDL_CLASS_INSTANCE_NORM1D, ctx, num_features_, __VA_ARGS__)
#define kdl_nn_instance_norm2d(ctx, num_features_, ...)                                            \
    KDL__INSTANCE_NORM(KDL_CLASS_INSTANCE_NORM2D, ctx, num_features_, __VA_ARGS__)
#define kdl_nn_instance_norm3d(ctx, num_features_, ...)                                            \
    KDL__INSTANCE_NORM(KDL_CLASS_INSTANCE_NORM3D, ctx, num_features_, __VA_ARGS__)

/**
 * nn.LazyBatchNorm1d, ... LazyInstanceNorm3d: as the batch norms, for both with affine and
 * track_running_stats, without num_features: kdl_initialize_parameters() tells it.
 */
#define kdl_nn_lazy_batch_norm1d(ctx, ...)                                                         \
    KDL__BATCH_NORM(KDL_CLASS_LAZY_BATCH_NORM1D, ctx, 0, __VA_ARGS__)
#define kdl_nn_lazy_batch_norm2d(ctx, ...)                                                         \
    KDL__BATCH_NORM(KDL_CLASS_LAZY_BATCH_NORM2D, ctx, 0, __VA_ARGS__)
#define kdl_nn_lazy_batch_norm3d(ctx, ...)                                                         \
    KDL__BATCH_NORM(KDL_CLASS_LAZY_BATCH_NORM3D, ctx, 0, __VA_ARGS__)
#define kdl_nn_lazy_instance_norm1d(ctx, ...)                                                      \
    KDL__BATCH_NORM(KDL_CLASS_LAZY_INSTANCE_NORM1D, ctx, 0, __VA_ARGS__)
#define kdl_nn_lazy_instance_norm2d(ctx, ...)                                                      \
    KDL__BATCH_NORM(KDL_CLASS_LAZY_INSTANCE_NORM2D, ctx, 0, __VA_ARGS__)
#define kdl_nn_lazy_instance_norm3d(ctx, ...)                                                      \
    KDL__BATCH_NORM(KDL_CLASS_LAZY_INSTANCE_NORM3D, ctx, 0, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
