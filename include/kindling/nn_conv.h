/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's convolutions (torch/nn/modules/conv.py).
 *
 * weight is [out_channels, in_channels / groups, kernel...], of a transposed one [in_channels,
 * out_channels / groups, kernel...], and U(-k, k) with k = 1/sqrt(fan_in), where fan_in is the
 * product of its sizes but the first (kaiming_uniform_ with a = sqrt(5)); then bias
 * [out_channels] likewise. ValueError with PyTorch's texts for channels and groups that do not
 * divide, an unknown padding_mode, and KDL_PADDING_SAME with a stride.
 */
#ifndef KINDLING_NN_CONV_H
#define KINDLING_NN_CONV_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** nn.modules.conv._ConvNd, the parent of all of them; _ConvTransposeNd, of those transposed. */
#define KDL_CLASS_CONV_ND (&kdl_class_conv_nd)
#define KDL_CLASS_CONV_TRANSPOSE_ND (&kdl_class_conv_transpose_nd)
#define KDL_CLASS_CONV1D (&kdl_class_conv1d)
#define KDL_CLASS_CONV2D (&kdl_class_conv2d)
#define KDL_CLASS_CONV3D (&kdl_class_conv3d)
#define KDL_CLASS_CONV_TRANSPOSE1D (&kdl_class_conv_transpose1d)
#define KDL_CLASS_CONV_TRANSPOSE2D (&kdl_class_conv_transpose2d)
#define KDL_CLASS_CONV_TRANSPOSE3D (&kdl_class_conv_transpose3d)
KDL_API extern const kdl_module_class kdl_class_conv_nd, kdl_class_conv_transpose_nd,
    kdl_class_conv1d, kdl_class_conv2d, kdl_class_conv3d, kdl_class_conv_transpose1d,
    kdl_class_conv_transpose2d, kdl_class_conv_transpose3d;

/** Arguments of the convolutions. */
typedef struct kdl_conv_options {
    size_t nbytes;                         /**< sizeof(kdl_conv_options), for the ABI */
    int64_t in_channels, out_channels;     /**< required; in_channels not by Lazy ones */
    kdl_shape kernel_size;                 /**< required */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default 1 */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0; KDL_PADDING_SAME, _VALID */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< default 1 */
    KDL_INT_OR_SHAPE(output_padding, output_paddings); /**< of those transposed; default 0 */
    int64_t groups;                                    /**< default 1 */
    bool bias;                                         /**< default true */
    const char *padding_mode; /**< default "zeros"; "reflect", "replicate", "circular" */
    kdl_dtype dtype;          /**< default KDL_F32 */
} kdl_conv_options;

#define KDL_CONV_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_conv_options), 0, 0, { { 0 }, 0 }, KDL__DEFAULT_INT(1), KDL__DEFAULT_INT(0),    \
            KDL__DEFAULT_INT(1), KDL__DEFAULT_INT(0), 1, true, "zeros", KDL_F32                    \
    }
#define KDL__CONV(type, ctx, in, out, kernel, ...)                                                 \
    KDL__NN(kdl_conv_options, KDL_CONV_DEFAULTS, type, ctx, .in_channels = in,                     \
            .out_channels = out, .kernel_size = KDL__AS_SHAPE(kernel), __VA_ARGS__)

/**
 * nn.Conv1d, Conv2d, Conv3d: (in_channels, out_channels, kernel_size, stride=1, padding=0,
 * dilation=1, groups=1, bias=True, padding_mode='zeros', dtype=None).
 */
#define kdl_nn_conv1d(ctx, in_channels_, out_channels_, kernel_size_, ...)                         \
    KDL__CONV(KDL_CLASS_CONV1D, ctx, in_channels_, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_conv2d(ctx, in_channels_, out_channels_, kernel_size_, ...)                         \
    KDL__CONV(KDL_CLASS_CONV2D, ctx, in_channels_, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_conv3d(ctx, in_channels_, out_channels_, kernel_size_, ...)                         \
    KDL__CONV(KDL_CLASS_CONV3D, ctx, in_channels_, out_channels_, kernel_size_, __VA_ARGS__)

/**
 * nn.ConvTranspose1d, ConvTranspose2d, ConvTranspose3d: (in_channels, out_channels, kernel_size,
 * stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, padding_mode='zeros',
 * dtype=None).
 */
#define kdl_nn_conv_transpose1d(ctx, in_channels_, out_channels_, kernel_size_, ...)               \
    KDL__CONV(KDL_CLASS_CONV_TRANSPOSE1D, ctx, in_channels_, out_channels_, kernel_size_,          \
              __VA_ARGS__)
#define kdl_nn_conv_transpose2d(ctx, in_channels_, out_channels_, kernel_size_, ...)               \
    KDL__CONV(KDL_CLASS_CONV_TRANSPOSE2D, ctx, in_channels_, out_channels_, kernel_size_,          \
              __VA_ARGS__)
#define kdl_nn_conv_transpose3d(ctx, in_channels_, out_channels_, kernel_size_, ...)               \
    KDL__CONV(KDL_CLASS_CONV_TRANSPOSE3D, ctx, in_channels_, out_channels_, kernel_size_,          \
              __VA_ARGS__)

/* ---- Lazy: in_channels is told later, by kdl_initialize_parameters() ----------------------- */

#define KDL_CLASS_LAZY_CONV1D (&kdl_class_lazy_conv1d)
#define KDL_CLASS_LAZY_CONV2D (&kdl_class_lazy_conv2d)
#define KDL_CLASS_LAZY_CONV3D (&kdl_class_lazy_conv3d)
#define KDL_CLASS_LAZY_CONV_TRANSPOSE1D (&kdl_class_lazy_conv_transpose1d)
#define KDL_CLASS_LAZY_CONV_TRANSPOSE2D (&kdl_class_lazy_conv_transpose2d)
#define KDL_CLASS_LAZY_CONV_TRANSPOSE3D (&kdl_class_lazy_conv_transpose3d)
KDL_API extern const kdl_module_class kdl_class_lazy_conv1d, kdl_class_lazy_conv2d,
    kdl_class_lazy_conv3d, kdl_class_lazy_conv_transpose1d, kdl_class_lazy_conv_transpose2d,
    kdl_class_lazy_conv_transpose3d;

/** nn.LazyConv1d, ... LazyConvTranspose3d: as those above, without in_channels. */
#define kdl_nn_lazy_conv1d(ctx, out_channels_, kernel_size_, ...)                                  \
    KDL__CONV(KDL_CLASS_LAZY_CONV1D, ctx, 0, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lazy_conv2d(ctx, out_channels_, kernel_size_, ...)                                  \
    KDL__CONV(KDL_CLASS_LAZY_CONV2D, ctx, 0, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lazy_conv3d(ctx, out_channels_, kernel_size_, ...)                                  \
    KDL__CONV(KDL_CLASS_LAZY_CONV3D, ctx, 0, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lazy_conv_transpose1d(ctx, out_channels_, kernel_size_, ...)                        \
    KDL__CONV(KDL_CLASS_LAZY_CONV_TRANSPOSE1D, ctx, 0, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lazy_conv_transpose2d(ctx, out_channels_, kernel_size_, ...)                        \
    KDL__CONV(KDL_CLASS_LAZY_CONV_TRANSPOSE2D, ctx, 0, out_channels_, kernel_size_, __VA_ARGS__)
#define kdl_nn_lazy_conv_transpose3d(ctx, out_channels_, kernel_size_, ...)                        \
    KDL__CONV(KDL_CLASS_LAZY_CONV_TRANSPOSE3D, ctx, 0, out_channels_, kernel_size_, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
