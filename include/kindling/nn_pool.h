/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn's pooling layers (torch/nn/modules/pooling.py). They have no parameters. */
#ifndef KINDLING_NN_POOL_H
#define KINDLING_NN_POOL_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- max --------------------------------------------------------------------------------- */

/** nn.modules.pooling._MaxPoolNd, the parent of these. */
#define KDL_CLASS_MAX_POOL_ND (&kdl_class_max_pool_nd)
#define KDL_CLASS_MAX_POOL1D (&kdl_class_max_pool1d)
#define KDL_CLASS_MAX_POOL2D (&kdl_class_max_pool2d)
#define KDL_CLASS_MAX_POOL3D (&kdl_class_max_pool3d)
KDL_API extern const kdl_module_class kdl_class_max_pool_nd, kdl_class_max_pool1d,
    kdl_class_max_pool2d, kdl_class_max_pool3d;

/** Arguments of nn.MaxPool1d, MaxPool2d, MaxPool3d. */
typedef struct kdl_max_pool_options {
    size_t nbytes;                         /**< sizeof(kdl_max_pool_options), for the ABI */
    kdl_shape kernel_size;                 /**< required */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default KDL_NONE_INT: kernel_size */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0 */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< default 1 */
    bool return_indices;                   /**< default false */
    bool ceil_mode;                        /**< default false */
} kdl_max_pool_options;

#define KDL_MAX_POOL_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_max_pool_options), { { 0 }, 0 }, KDL__DEFAULT_INT(KDL_NONE_INT),                \
            KDL__DEFAULT_INT(0), KDL__DEFAULT_INT(1), false, false                                 \
    }
#define KDL__MAX_POOL(type, ctx, kernel, ...)                                                      \
    KDL__NN(kdl_max_pool_options, KDL_MAX_POOL_DEFAULTS, type, ctx,                                \
            .kernel_size = KDL__AS_SHAPE(kernel), __VA_ARGS__)

/**
 * nn.MaxPool1d, MaxPool2d, MaxPool3d: (kernel_size, stride=None, padding=0, dilation=1,
 * return_indices=False, ceil_mode=False). With return_indices they have a second output, i64
 * (kdl_call_with()), as have the adaptive and the fractional ones.
 */
#define kdl_nn_max_pool1d(ctx, kernel_size_, ...)                                                  \
    KDL__MAX_POOL(KDL_CLASS_MAX_POOL1D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_max_pool2d(ctx, kernel_size_, ...)                                                  \
    KDL__MAX_POOL(KDL_CLASS_MAX_POOL2D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_max_pool3d(ctx, kernel_size_, ...)                                                  \
    KDL__MAX_POOL(KDL_CLASS_MAX_POOL3D, ctx, kernel_size_, __VA_ARGS__)

/** nn.modules.pooling._MaxUnpoolNd, the parent of these. */
#define KDL_CLASS_MAX_UNPOOL_ND (&kdl_class_max_unpool_nd)
#define KDL_CLASS_MAX_UNPOOL1D (&kdl_class_max_unpool1d)
#define KDL_CLASS_MAX_UNPOOL2D (&kdl_class_max_unpool2d)
#define KDL_CLASS_MAX_UNPOOL3D (&kdl_class_max_unpool3d)
KDL_API extern const kdl_module_class kdl_class_max_unpool_nd, kdl_class_max_unpool1d,
    kdl_class_max_unpool2d, kdl_class_max_unpool3d;

/** Arguments of nn.MaxUnpool1d, MaxUnpool2d, MaxUnpool3d. */
typedef struct kdl_max_unpool_options {
    size_t nbytes;                       /**< sizeof(kdl_max_unpool_options), for the ABI */
    kdl_shape kernel_size;               /**< required */
    KDL_INT_OR_SHAPE(stride, strides);   /**< default KDL_NONE_INT: kernel_size */
    KDL_INT_OR_SHAPE(padding, paddings); /**< default 0 */
} kdl_max_unpool_options;

#define KDL_MAX_UNPOOL_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_max_unpool_options), { { 0 }, 0 }, KDL__DEFAULT_INT(KDL_NONE_INT),              \
            KDL__DEFAULT_INT(0)                                                                    \
    }
#define KDL__MAX_UNPOOL(type, ctx, kernel, ...)                                                    \
    KDL__NN(kdl_max_unpool_options, KDL_MAX_UNPOOL_DEFAULTS, type, ctx,                            \
            .kernel_size = KDL__AS_SHAPE(kernel), __VA_ARGS__)

/**
 * nn.MaxUnpool1d, MaxUnpool2d, MaxUnpool3d: (kernel_size, stride=None, padding=0). Called with two
 * inputs, what was pooled and its indices; forward()'s output_size is kdl_f_max_unpool2d()'s.
 */
#define kdl_nn_max_unpool1d(ctx, kernel_size_, ...)                                                \
    KDL__MAX_UNPOOL(KDL_CLASS_MAX_UNPOOL1D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_max_unpool2d(ctx, kernel_size_, ...)                                                \
    KDL__MAX_UNPOOL(KDL_CLASS_MAX_UNPOOL2D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_max_unpool3d(ctx, kernel_size_, ...)                                                \
    KDL__MAX_UNPOOL(KDL_CLASS_MAX_UNPOOL3D, ctx, kernel_size_, __VA_ARGS__)

/* ---- average, norm ----------------------------------------------------------------------- */

/** nn.modules.pooling._AvgPoolNd, the parent of these. */
#define KDL_CLASS_AVG_POOL_ND (&kdl_class_avg_pool_nd)
#define KDL_CLASS_AVG_POOL1D (&kdl_class_avg_pool1d)
#define KDL_CLASS_AVG_POOL2D (&kdl_class_avg_pool2d)
#define KDL_CLASS_AVG_POOL3D (&kdl_class_avg_pool3d)
KDL_API extern const kdl_module_class kdl_class_avg_pool_nd, kdl_class_avg_pool1d,
    kdl_class_avg_pool2d, kdl_class_avg_pool3d;

/** Arguments of nn.AvgPool1d, AvgPool2d, AvgPool3d. */
typedef struct kdl_avg_pool_options {
    size_t nbytes;                       /**< sizeof(kdl_avg_pool_options), for the ABI */
    kdl_shape kernel_size;               /**< required */
    KDL_INT_OR_SHAPE(stride, strides);   /**< default KDL_NONE_INT: kernel_size */
    KDL_INT_OR_SHAPE(padding, paddings); /**< default 0 */
    bool ceil_mode;                      /**< default false */
    bool count_include_pad;              /**< default true */
    int64_t divisor_override;            /**< default KDL_NONE_INT; AvgPool1d has none */
} kdl_avg_pool_options;

#define KDL_AVG_POOL_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_avg_pool_options), { { 0 }, 0 }, KDL__DEFAULT_INT(KDL_NONE_INT),                \
            KDL__DEFAULT_INT(0), false, true, KDL_NONE_INT                                         \
    }
#define KDL__AVG_POOL(type, ctx, kernel, ...)                                                      \
    KDL__NN(kdl_avg_pool_options, KDL_AVG_POOL_DEFAULTS, type, ctx,                                \
            .kernel_size = KDL__AS_SHAPE(kernel), __VA_ARGS__)

/**
 * nn.AvgPool1d, AvgPool2d, AvgPool3d: (kernel_size, stride=None, padding=0, ceil_mode=False,
 * count_include_pad=True, divisor_override=None).
 */
#define kdl_nn_avg_pool1d(ctx, kernel_size_, ...)                                                  \
    KDL__AVG_POOL(KDL_CLASS_AVG_POOL1D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_avg_pool2d(ctx, kernel_size_, ...)                                                  \
    KDL__AVG_POOL(KDL_CLASS_AVG_POOL2D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_avg_pool3d(ctx, kernel_size_, ...)                                                  \
    KDL__AVG_POOL(KDL_CLASS_AVG_POOL3D, ctx, kernel_size_, __VA_ARGS__)

/** nn.modules.pooling._LPPoolNd, the parent of these. */
#define KDL_CLASS_LP_POOL_ND (&kdl_class_lp_pool_nd)
#define KDL_CLASS_LP_POOL1D (&kdl_class_lp_pool1d)
#define KDL_CLASS_LP_POOL2D (&kdl_class_lp_pool2d)
#define KDL_CLASS_LP_POOL3D (&kdl_class_lp_pool3d)
KDL_API extern const kdl_module_class kdl_class_lp_pool_nd, kdl_class_lp_pool1d,
    kdl_class_lp_pool2d, kdl_class_lp_pool3d;

/** Arguments of nn.LPPool1d, LPPool2d, LPPool3d. */
typedef struct kdl_lp_pool_options {
    size_t nbytes;                     /**< sizeof(kdl_lp_pool_options), for the ABI */
    double norm_type;                  /**< required */
    kdl_shape kernel_size;             /**< required */
    KDL_INT_OR_SHAPE(stride, strides); /**< default KDL_NONE_INT: kernel_size */
    bool ceil_mode;                    /**< default false */
} kdl_lp_pool_options;

#define KDL_LP_POOL_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_lp_pool_options), 0, { { 0 }, 0 }, KDL__DEFAULT_INT(KDL_NONE_INT), false        \
    }
#define KDL__LP_POOL(type, ctx, norm, kernel, ...)                                                 \
    KDL__NN(kdl_lp_pool_options, KDL_LP_POOL_DEFAULTS, type, ctx,                                  \
            .norm_type = KDL__AS_NUMBER(norm), .kernel_size = KDL__AS_SHAPE(kernel), __VA_ARGS__)

/** nn.LPPool1d, LPPool2d, LPPool3d: (norm_type, kernel_size, stride=None, ceil_mode=False). */
#define kdl_nn_lp_pool1d(ctx, norm_type_, kernel_size_, ...)                                       \
    KDL__LP_POOL(KDL_CLASS_LP_POOL1D, ctx, norm_type_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lp_pool2d(ctx, norm_type_, kernel_size_, ...)                                       \
    KDL__LP_POOL(KDL_CLASS_LP_POOL2D, ctx, norm_type_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lp_pool3d(ctx, norm_type_, kernel_size_, ...)                                       \
    KDL__LP_POOL(KDL_CLASS_LP_POOL3D, ctx, norm_type_, kernel_size_, __VA_ARGS__)

/* ---- to a size --------------------------------------------------------------------------- */

/** nn.modules.pooling._AdaptiveAvgPoolNd and _AdaptiveMaxPoolNd, the parents of these. */
#define KDL_CLASS_ADAPTIVE_AVG_POOL_ND (&kdl_class_adaptive_avg_pool_nd)
#define KDL_CLASS_ADAPTIVE_AVG_POOL1D (&kdl_class_adaptive_avg_pool1d)
#define KDL_CLASS_ADAPTIVE_AVG_POOL2D (&kdl_class_adaptive_avg_pool2d)
#define KDL_CLASS_ADAPTIVE_AVG_POOL3D (&kdl_class_adaptive_avg_pool3d)
#define KDL_CLASS_ADAPTIVE_MAX_POOL_ND (&kdl_class_adaptive_max_pool_nd)
#define KDL_CLASS_ADAPTIVE_MAX_POOL1D (&kdl_class_adaptive_max_pool1d)
#define KDL_CLASS_ADAPTIVE_MAX_POOL2D (&kdl_class_adaptive_max_pool2d)
#define KDL_CLASS_ADAPTIVE_MAX_POOL3D (&kdl_class_adaptive_max_pool3d)
KDL_API extern const kdl_module_class kdl_class_adaptive_avg_pool_nd, kdl_class_adaptive_avg_pool1d,
    kdl_class_adaptive_avg_pool2d, kdl_class_adaptive_avg_pool3d, kdl_class_adaptive_max_pool_nd,
    kdl_class_adaptive_max_pool1d, kdl_class_adaptive_max_pool2d, kdl_class_adaptive_max_pool3d;

/** Arguments of the adaptive pools. */
typedef struct kdl_adaptive_pool_options {
    size_t nbytes;         /**< sizeof(kdl_adaptive_pool_options), for the ABI */
    kdl_shape output_size; /**< required; KDL_NONE_INT, in a tuple too: the input's size */
    bool return_indices;   /**< AdaptiveMaxPool: default false */
} kdl_adaptive_pool_options;

#define KDL_ADAPTIVE_POOL_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_adaptive_pool_options), { { 0 }, 0 }, false                                     \
    }
#define KDL__ADAPTIVE_POOL(type, ctx, output, ...)                                                 \
    KDL__NN(kdl_adaptive_pool_options, KDL_ADAPTIVE_POOL_DEFAULTS, type, ctx,                      \
            .output_size = KDL__AS_SHAPE(output), __VA_ARGS__)

/** nn.AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d: (output_size). */
#define kdl_nn_adaptive_avg_pool1d(ctx, output_size_)                                              \
    KDL__ADAPTIVE_POOL(KDL_CLASS_ADAPTIVE_AVG_POOL1D, ctx, output_size_)
#define kdl_nn_adaptive_avg_pool2d(ctx, output_size_)                                              \
    KDL__ADAPTIVE_POOL(KDL_CLASS_ADAPTIVE_AVG_POOL2D, ctx, output_size_)
#define kdl_nn_adaptive_avg_pool3d(ctx, output_size_)                                              \
    KDL__ADAPTIVE_POOL(KDL_CLASS_ADAPTIVE_AVG_POOL3D, ctx, output_size_)
/** nn.AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d: (output_size, return_indices). */
#define kdl_nn_adaptive_max_pool1d(ctx, output_size_, ...)                                         \
    KDL__ADAPTIVE_POOL(KDL_CLASS_ADAPTIVE_MAX_POOL1D, ctx, output_size_, __VA_ARGS__)
#define kdl_nn_adaptive_max_pool2d(ctx, output_size_, ...)                                         \
    KDL__ADAPTIVE_POOL(KDL_CLASS_ADAPTIVE_MAX_POOL2D, ctx, output_size_, __VA_ARGS__)
#define kdl_nn_adaptive_max_pool3d(ctx, output_size_, ...)                                         \
    KDL__ADAPTIVE_POOL(KDL_CLASS_ADAPTIVE_MAX_POOL3D, ctx, output_size_, __VA_ARGS__)

#define KDL_CLASS_FRACTIONAL_MAX_POOL2D (&kdl_class_fractional_max_pool2d)
#define KDL_CLASS_FRACTIONAL_MAX_POOL3D (&kdl_class_fractional_max_pool3d)
KDL_API extern const kdl_module_class kdl_class_fractional_max_pool2d,
    kdl_class_fractional_max_pool3d;

/** Arguments of nn.FractionalMaxPool2d and FractionalMaxPool3d. */
typedef struct kdl_fractional_max_pool_options {
    size_t nbytes;                                     /**< sizeof(..._options), for the ABI */
    kdl_shape kernel_size;                             /**< required */
    KDL_INT_OR_SHAPE(output_size, output_sizes);       /**< default KDL_NONE_INT */
    KDL_NUMBER_OR_RATIOS(output_ratio, output_ratios); /**< default KDL_NONE_FLOAT */
    bool return_indices;                               /**< default false */
    kdl_tensor *random_samples; /**< default NULL; becomes the buffer _random_samples (consumed) */
} kdl_fractional_max_pool_options;

#define KDL_FRACTIONAL_MAX_POOL_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_fractional_max_pool_options), { { 0 }, 0 }, KDL__DEFAULT_INT(KDL_NONE_INT),     \
            KDL__DEFAULT_NUMBER(KDL_NONE_FLOAT), false, NULL                                       \
    }
#define KDL__FRACTIONAL_MAX_POOL(type, ctx, kernel, ...)                                           \
    KDL__NN(kdl_fractional_max_pool_options, KDL_FRACTIONAL_MAX_POOL_DEFAULTS, type, ctx,          \
            .kernel_size = KDL__AS_SHAPE(kernel), __VA_ARGS__)

/**
 * nn.FractionalMaxPool2d, FractionalMaxPool3d: (kernel_size, output_size=None, output_ratio=None,
 * return_indices=False). ValueError with PyTorch's text unless just one of output_size and
 * output_ratio is given, and for ratios that are not between 0 and 1.
 */
#define kdl_nn_fractional_max_pool2d(ctx, kernel_size_, ...)                                       \
    KDL__FRACTIONAL_MAX_POOL(KDL_CLASS_FRACTIONAL_MAX_POOL2D, ctx, kernel_size_, __VA_ARGS__)
#define kdl_nn_fractional_max_pool3d(ctx, kernel_size_, ...)                                       \
    KDL__FRACTIONAL_MAX_POOL(KDL_CLASS_FRACTIONAL_MAX_POOL3D, ctx, kernel_size_, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
