/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's layers that move, repeat or pad elements (torch/nn/modules/padding.py, flatten.py,
 * fold.py, upsampling.py, pixelshuffle.py, channelshuffle.py). They have no parameters.
 */
#ifndef KINDLING_NN_SHAPE_H
#define KINDLING_NN_SHAPE_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- padding ----------------------------------------------------------------------------- */

/** nn.modules.padding._CircularPadNd and so on, the parents; ZeroPad is a ConstantPad. */
#define KDL_CLASS_CIRCULAR_PAD_ND (&kdl_class_circular_pad_nd)
#define KDL_CLASS_CIRCULAR_PAD1D (&kdl_class_circular_pad1d)
#define KDL_CLASS_CIRCULAR_PAD2D (&kdl_class_circular_pad2d)
#define KDL_CLASS_CIRCULAR_PAD3D (&kdl_class_circular_pad3d)
#define KDL_CLASS_CONSTANT_PAD_ND (&kdl_class_constant_pad_nd)
#define KDL_CLASS_CONSTANT_PAD1D (&kdl_class_constant_pad1d)
#define KDL_CLASS_CONSTANT_PAD2D (&kdl_class_constant_pad2d)
#define KDL_CLASS_CONSTANT_PAD3D (&kdl_class_constant_pad3d)
#define KDL_CLASS_REFLECTION_PAD_ND (&kdl_class_reflection_pad_nd)
#define KDL_CLASS_REFLECTION_PAD1D (&kdl_class_reflection_pad1d)
#define KDL_CLASS_REFLECTION_PAD2D (&kdl_class_reflection_pad2d)
#define KDL_CLASS_REFLECTION_PAD3D (&kdl_class_reflection_pad3d)
#define KDL_CLASS_REPLICATION_PAD_ND (&kdl_class_replication_pad_nd)
#define KDL_CLASS_REPLICATION_PAD1D (&kdl_class_replication_pad1d)
#define KDL_CLASS_REPLICATION_PAD2D (&kdl_class_replication_pad2d)
#define KDL_CLASS_REPLICATION_PAD3D (&kdl_class_replication_pad3d)
#define KDL_CLASS_ZERO_PAD1D (&kdl_class_zero_pad1d)
#define KDL_CLASS_ZERO_PAD2D (&kdl_class_zero_pad2d)
#define KDL_CLASS_ZERO_PAD3D (&kdl_class_zero_pad3d)
KDL_API extern const kdl_module_class kdl_class_circular_pad_nd, kdl_class_circular_pad1d,
    kdl_class_circular_pad2d, kdl_class_circular_pad3d, kdl_class_constant_pad_nd,
    kdl_class_constant_pad1d, kdl_class_constant_pad2d, kdl_class_constant_pad3d,
    kdl_class_reflection_pad_nd, kdl_class_reflection_pad1d, kdl_class_reflection_pad2d,
    kdl_class_reflection_pad3d, kdl_class_replication_pad_nd, kdl_class_replication_pad1d,
    kdl_class_replication_pad2d, kdl_class_replication_pad3d, kdl_class_zero_pad1d,
    kdl_class_zero_pad2d, kdl_class_zero_pad3d;

/** Arguments of the paddings. */
typedef struct kdl_pad_options {
    size_t nbytes;     /**< sizeof(kdl_pad_options), for the ABI */
    kdl_shape padding; /**< required: left and right, then those of the dimension before, ... */
    double value;      /**< ConstantPad: required; ZeroPad: 0 */
} kdl_pad_options;

#define KDL_PAD_DEFAULTS                                                                           \
    {                                                                                              \
        sizeof(kdl_pad_options), { { 0 }, 0 }, 0                                                   \
    }
#define KDL__PAD(type, ctx, widths, number)                                                        \
    KDL__NN(kdl_pad_options, KDL_PAD_DEFAULTS, type, ctx, .padding = KDL__AS_SHAPE(widths),        \
            .value = (number))

/** nn.CircularPad1d, CircularPad2d, CircularPad3d: (padding). */
#define kdl_nn_circular_pad1d(ctx, padding_) KDL__PAD(KDL_CLASS_CIRCULAR_PAD1D, ctx, padding_, 0)
#define kdl_nn_circular_pad2d(ctx, padding_) KDL__PAD(KDL_CLASS_CIRCULAR_PAD2D, ctx, padding_, 0)
#define kdl_nn_circular_pad3d(ctx, padding_) KDL__PAD(KDL_CLASS_CIRCULAR_PAD3D, ctx, padding_, 0)
/** nn.ConstantPad1d, ConstantPad2d, ConstantPad3d: (padding, value). */
#define kdl_nn_constant_pad1d(ctx, padding_, value_)                                               \
    KDL__PAD(KDL_CLASS_CONSTANT_PAD1D, ctx, padding_, KDL__AS_NUMBER(value_))
#define kdl_nn_constant_pad2d(ctx, padding_, value_)                                               \
    KDL__PAD(KDL_CLASS_CONSTANT_PAD2D, ctx, padding_, KDL__AS_NUMBER(value_))
#define kdl_nn_constant_pad3d(ctx, padding_, value_)                                               \
    KDL__PAD(KDL_CLASS_CONSTANT_PAD3D, ctx, padding_, KDL__AS_NUMBER(value_))
/** nn.ReflectionPad1d, ReflectionPad2d, ReflectionPad3d: (padding). */
#define kdl_nn_reflection_pad1d(ctx, padding_)                                                     \
    KDL__PAD(KDL_CLASS_REFLECTION_PAD1D, ctx, padding_, 0)
#define kdl_nn_reflection_pad2d(ctx, padding_)                                                     \
    KDL__PAD(KDL_CLASS_REFLECTION_PAD2D, ctx, padding_, 0)
#define kdl_nn_reflection_pad3d(ctx, padding_)                                                     \
    KDL__PAD(KDL_CLASS_REFLECTION_PAD3D, ctx, padding_, 0)
/** nn.ReplicationPad1d, ReplicationPad2d, ReplicationPad3d: (padding). */
#define kdl_nn_replication_pad1d(ctx, padding_)                                                    \
    KDL__PAD(KDL_CLASS_REPLICATION_PAD1D, ctx, padding_, 0)
#define kdl_nn_replication_pad2d(ctx, padding_)                                                    \
    KDL__PAD(KDL_CLASS_REPLICATION_PAD2D, ctx, padding_, 0)
#define kdl_nn_replication_pad3d(ctx, padding_)                                                    \
    KDL__PAD(KDL_CLASS_REPLICATION_PAD3D, ctx, padding_, 0)
/** nn.ZeroPad1d, ZeroPad2d, ZeroPad3d: (padding). */
#define kdl_nn_zero_pad1d(ctx, padding_) KDL__PAD(KDL_CLASS_ZERO_PAD1D, ctx, padding_, 0)
#define kdl_nn_zero_pad2d(ctx, padding_) KDL__PAD(KDL_CLASS_ZERO_PAD2D, ctx, padding_, 0)
#define kdl_nn_zero_pad3d(ctx, padding_) KDL__PAD(KDL_CLASS_ZERO_PAD3D, ctx, padding_, 0)

/* ---- flattening, folding ----------------------------------------------------------------- */

#define KDL_CLASS_FLATTEN (&kdl_class_flatten)
#define KDL_CLASS_UNFLATTEN (&kdl_class_unflatten)
#define KDL_CLASS_FOLD (&kdl_class_fold)
#define KDL_CLASS_UNFOLD (&kdl_class_unfold)
KDL_API extern const kdl_module_class kdl_class_flatten, kdl_class_unflatten, kdl_class_fold,
    kdl_class_unfold;

/** Arguments of nn.Flatten. */
typedef struct kdl_flatten_options {
    size_t nbytes;     /**< sizeof(kdl_flatten_options), for the ABI */
    int64_t start_dim; /**< default 1 */
    int64_t end_dim;   /**< default -1 */
} kdl_flatten_options;

#define KDL_FLATTEN_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_flatten_options), 1, -1                                                         \
    }

/** nn.Flatten(start_dim=1, end_dim=-1). */
#define kdl_nn_flatten(ctx, ...)                                                                   \
    KDL__NN(kdl_flatten_options, KDL_FLATTEN_DEFAULTS, KDL_CLASS_FLATTEN, ctx, __VA_ARGS__)

/** Arguments of nn.Unflatten. */
typedef struct kdl_unflatten_options {
    size_t nbytes;              /**< sizeof(kdl_unflatten_options), for the ABI */
    int64_t dim;                /**< required */
    kdl_shape unflattened_size; /**< required */
} kdl_unflatten_options;

#define KDL_UNFLATTEN_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_unflatten_options), 0,                                                          \
        {                                                                                          \
            { 0 }, 0                                                                               \
        }                                                                                          \
    }

/** nn.Unflatten(dim, unflattened_size). TypeError with PyTorch's text for a size that is an int. */
#define kdl_nn_unflatten(ctx, dim_, unflattened_size_)                                             \
    KDL__NN(kdl_unflatten_options, KDL_UNFLATTEN_DEFAULTS, KDL_CLASS_UNFLATTEN, ctx,               \
            .dim = (dim_), .unflattened_size = KDL__AS_SHAPE(unflattened_size_))

/** Arguments of nn.Fold and nn.Unfold. */
typedef struct kdl_fold_options {
    size_t nbytes;                         /**< sizeof(kdl_fold_options), for the ABI */
    kdl_shape output_size;                 /**< required; of Fold */
    kdl_shape kernel_size;                 /**< required */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< default 1 */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0 */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default 1 */
} kdl_fold_options;

#define KDL_FOLD_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_fold_options), { { 0 }, 0 }, { { 0 }, 0 }, KDL__DEFAULT_INT(1),                 \
            KDL__DEFAULT_INT(0), KDL__DEFAULT_INT(1)                                               \
    }

/** nn.Fold(output_size, kernel_size, dilation=1, padding=0, stride=1). */
#define kdl_nn_fold(ctx, output_size_, kernel_size_, ...)                                          \
    KDL__NN(kdl_fold_options, KDL_FOLD_DEFAULTS, KDL_CLASS_FOLD, ctx,                              \
            .output_size = KDL__AS_SHAPE(output_size_),                                            \
            .kernel_size = KDL__AS_SHAPE(kernel_size_), __VA_ARGS__)
/** nn.Unfold(kernel_size, dilation=1, padding=0, stride=1). */
#define kdl_nn_unfold(ctx, kernel_size_, ...)                                                      \
    KDL__NN(kdl_fold_options, KDL_FOLD_DEFAULTS, KDL_CLASS_UNFOLD, ctx,                            \
            .kernel_size = KDL__AS_SHAPE(kernel_size_), __VA_ARGS__)

/* ---- shuffling, upsampling --------------------------------------------------------------- */

#define KDL_CLASS_CHANNEL_SHUFFLE (&kdl_class_channel_shuffle)
#define KDL_CLASS_PIXEL_SHUFFLE (&kdl_class_pixel_shuffle)
#define KDL_CLASS_PIXEL_UNSHUFFLE (&kdl_class_pixel_unshuffle)
#define KDL_CLASS_UPSAMPLE (&kdl_class_upsample)
#define KDL_CLASS_UPSAMPLING_BILINEAR2D (&kdl_class_upsampling_bilinear2d)
#define KDL_CLASS_UPSAMPLING_NEAREST2D (&kdl_class_upsampling_nearest2d)
KDL_API extern const kdl_module_class kdl_class_channel_shuffle, kdl_class_pixel_shuffle,
    kdl_class_pixel_unshuffle, kdl_class_upsample, kdl_class_upsampling_bilinear2d,
    kdl_class_upsampling_nearest2d;

/** Arguments of nn.ChannelShuffle. */
typedef struct kdl_channel_shuffle_options {
    size_t nbytes;  /**< sizeof(kdl_channel_shuffle_options), for the ABI */
    int64_t groups; /**< required */
} kdl_channel_shuffle_options;

#define KDL_CHANNEL_SHUFFLE_DEFAULTS                                                               \
    {                                                                                              \
        sizeof(kdl_channel_shuffle_options), 0                                                     \
    }

/** nn.ChannelShuffle(groups). */
#define kdl_nn_channel_shuffle(ctx, groups_)                                                       \
    KDL__NN(kdl_channel_shuffle_options, KDL_CHANNEL_SHUFFLE_DEFAULTS, KDL_CLASS_CHANNEL_SHUFFLE,  \
            ctx, .groups = (groups_))

/** Arguments of nn.PixelShuffle (upscale_factor) and nn.PixelUnshuffle (downscale_factor). */
typedef struct kdl_pixel_shuffle_options {
    size_t nbytes;  /**< sizeof(kdl_pixel_shuffle_options), for the ABI */
    int64_t factor; /**< required */
} kdl_pixel_shuffle_options;

#define KDL_PIXEL_SHUFFLE_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_pixel_shuffle_options), 0                                                       \
    }

/** nn.PixelShuffle(upscale_factor). */
#define kdl_nn_pixel_shuffle(ctx, upscale_factor_)                                                 \
    KDL__NN(kdl_pixel_shuffle_options, KDL_PIXEL_SHUFFLE_DEFAULTS, KDL_CLASS_PIXEL_SHUFFLE, ctx,   \
            .factor = (upscale_factor_))
/** nn.PixelUnshuffle(downscale_factor). */
#define kdl_nn_pixel_unshuffle(ctx, downscale_factor_)                                             \
    KDL__NN(kdl_pixel_shuffle_options, KDL_PIXEL_SHUFFLE_DEFAULTS, KDL_CLASS_PIXEL_UNSHUFFLE, ctx, \
            .factor = (downscale_factor_))

/** Arguments of nn.Upsample; UpsamplingNearest2d and UpsamplingBilinear2d take the first two. */
typedef struct kdl_upsample_options {
    size_t nbytes;                                     /**< sizeof(kdl_upsample_options) */
    KDL_INT_OR_SHAPE(size, sizes);                     /**< default KDL_NONE_INT */
    KDL_NUMBER_OR_RATIOS(scale_factor, scale_factors); /**< default KDL_NONE_FLOAT */
    const char *mode;                                  /**< default "nearest" */
    int8_t align_corners;                              /**< default KDL_NONE_BOOL */
    int8_t recompute_scale_factor;                     /**< default KDL_NONE_BOOL */
} kdl_upsample_options;

#define KDL_UPSAMPLE_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_upsample_options), KDL__DEFAULT_INT(KDL_NONE_INT),                              \
            KDL__DEFAULT_NUMBER(KDL_NONE_FLOAT), "nearest", KDL_NONE_BOOL, KDL_NONE_BOOL           \
    }
#define KDL_UPSAMPLING_BILINEAR2D_DEFAULTS                                                         \
    {                                                                                              \
        sizeof(kdl_upsample_options), KDL__DEFAULT_INT(KDL_NONE_INT),                              \
            KDL__DEFAULT_NUMBER(KDL_NONE_FLOAT), "bilinear", true, KDL_NONE_BOOL                   \
    }

/**
 * nn.Upsample(size=None, scale_factor=None, mode='nearest', align_corners=None,
 * recompute_scale_factor=None).
 */
#define kdl_nn_upsample(ctx, ...)                                                                  \
    KDL__NN(kdl_upsample_options, KDL_UPSAMPLE_DEFAULTS, KDL_CLASS_UPSAMPLE, ctx, __VA_ARGS__)
/** nn.UpsamplingNearest2d, UpsamplingBilinear2d: (size=None, scale_factor=None). */
#define kdl_nn_upsampling_nearest2d(ctx, ...)                                                      \
    KDL__NN(kdl_upsample_options, KDL_UPSAMPLE_DEFAULTS, KDL_CLASS_UPSAMPLING_NEAREST2D, ctx,      \
            __VA_ARGS__)
#define kdl_nn_upsampling_bilinear2d(ctx, ...)                                                     \
    KDL__NN(kdl_upsample_options, KDL_UPSAMPLING_BILINEAR2D_DEFAULTS,                              \
            KDL_CLASS_UPSAMPLING_BILINEAR2D, ctx, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
