/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.functional's convolutions, pooling, padding and what else moves over one to three
 * spatial dimensions, in libkindling_train. Where PyTorch takes an int or a tuple of one for each
 * dimension, an argument has two names, `.stride = 2` and `.strides = KDL_SHAPE(2, 1)`; those that
 * come first take either. The input is (N, C, ...) or, where it is not said otherwise, (C, ...).
 */
#ifndef KINDLING_FUNCTIONAL_WINDOW_H
#define KINDLING_FUNCTIONAL_WINDOW_H

#include "kindling/layer.h"
#include "kindling/math.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- convolution ------------------------------------------------------------------------- */

/** Options of kdl_f_conv1d() to kdl_f_conv3d(); start from KDL_F_CONV_DEFAULTS. */
typedef struct kdl_f_conv_options {
    size_t nbytes;                         /**< sizeof(kdl_f_conv_options), for the ABI */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default 1 */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0; KDL_PADDING_SAME, _VALID */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< default 1 */
    int64_t groups;                        /**< default 1 */
} kdl_f_conv_options;

#define KDL_F_CONV_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_f_conv_options), KDL__DEFAULT_INT(1), KDL__DEFAULT_INT(0), KDL__DEFAULT_INT(1), \
            1                                                                                      \
    }
#define KDL__F_CONV(nd, input, weight, bias, ...)                                                  \
    KDL__WITH(kdl_f_conv_options, KDL_F_CONV_DEFAULTS, (__VA_ARGS__), kdl_f_conv_with, nd, input,  \
              weight, bias)

/**
 * F.conv1d, conv2d, conv3d(input, weight, bias, stride=1, padding=0, dilation=1, groups=1): input
 * (N, C, ...) or (C, ...), weight (O, C / groups, ...), bias (O) or NULL. RuntimeError where sizes
 * do not fit.
 */
#define kdl_f_conv1d(input, weight, bias, ...) KDL__F_CONV(1, input, weight, bias, __VA_ARGS__)
#define kdl_f_conv2d(input, weight, bias, ...) KDL__F_CONV(2, input, weight, bias, __VA_ARGS__)
#define kdl_f_conv3d(input, weight, bias, ...) KDL__F_CONV(3, input, weight, bias, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_conv_with(int nd, kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                                    const kdl_f_conv_options *options);

/** Options of kdl_f_conv_transpose1d() to 3d(); start from KDL_F_CONV_TRANSPOSE_DEFAULTS. */
typedef struct kdl_f_conv_transpose_options {
    size_t nbytes;                                     /**< sizeof(..._options), for the ABI */
    KDL_INT_OR_SHAPE(stride, strides);                 /**< default 1 */
    KDL_INT_OR_SHAPE(padding, paddings);               /**< default 0 */
    KDL_INT_OR_SHAPE(output_padding, output_paddings); /**< default 0 */
    KDL_INT_OR_SHAPE(dilation, dilations);             /**< default 1 */
    int64_t groups;                                    /**< default 1 */
} kdl_f_conv_transpose_options;

#define KDL_F_CONV_TRANSPOSE_DEFAULTS                                                              \
    {                                                                                              \
        sizeof(kdl_f_conv_transpose_options), KDL__DEFAULT_INT(1), KDL__DEFAULT_INT(0),            \
            KDL__DEFAULT_INT(0), KDL__DEFAULT_INT(1), 1                                            \
    }
#define KDL__F_CONV_TRANSPOSE(nd, input, weight, bias, ...)                                        \
    KDL__WITH(kdl_f_conv_transpose_options, KDL_F_CONV_TRANSPOSE_DEFAULTS, (__VA_ARGS__),          \
              kdl_f_conv_transpose_with, nd, input, weight, bias)

/**
 * F.conv_transpose1d, 2d, 3d(input, weight, bias, stride=1, padding=0, output_padding=0, groups=1,
 * dilation=1): input (N, C, ...) or (C, ...), weight (C, O / groups, ...), bias (O) or NULL.
 * RuntimeError where sizes do not fit.
 */
#define kdl_f_conv_transpose1d(input, weight, bias, ...)                                           \
    KDL__F_CONV_TRANSPOSE(1, input, weight, bias, __VA_ARGS__)
#define kdl_f_conv_transpose2d(input, weight, bias, ...)                                           \
    KDL__F_CONV_TRANSPOSE(2, input, weight, bias, __VA_ARGS__)
#define kdl_f_conv_transpose3d(input, weight, bias, ...)                                           \
    KDL__F_CONV_TRANSPOSE(3, input, weight, bias, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_conv_transpose_with(int nd, kdl_tensor *input, kdl_tensor *weight,
                                              kdl_tensor *bias,
                                              const kdl_f_conv_transpose_options *options);

/* ---- padding ----------------------------------------------------------------------------- */

/** Options of kdl_f_pad(); start from KDL_F_PAD_DEFAULTS. */
typedef struct kdl_f_pad_options {
    size_t nbytes;    /**< sizeof(kdl_f_pad_options), for the ABI */
    const char *mode; /**< default "constant"; "reflect", "replicate", "circular" */
    double value;     /**< of "constant": default 0 */
} kdl_f_pad_options;

#define KDL_F_PAD_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_f_pad_options), "constant", 0                                                   \
    }

/**
 * F.pad(input, pad, mode='constant', value=0): `pad` is a KDL_SHAPE of what is put before and
 * behind the last dimension, then the one before it, and so on; a negative number takes away.
 * "constant" pads any dimensions of any input, the others the last one to three of an input of one
 * or two more. RuntimeError for what does not fit, NotImplementedError for other numbers of
 * dimensions and modes.
 */
#define kdl_f_pad(input, pad, ...)                                                                 \
    KDL__WITH(kdl_f_pad_options, KDL_F_PAD_DEFAULTS, (__VA_ARGS__), kdl_f_pad_with, input, pad)
KDL_API kdl_tensor *kdl_f_pad_with(kdl_tensor *input, kdl_shape pad,
                                   const kdl_f_pad_options *options);

/* ---- pooling ----------------------------------------------------------------------------- */

/** Options of the pooling functions, as far as each has them; start from KDL_F_POOL_DEFAULTS. */
typedef struct kdl_f_pool_options {
    size_t nbytes;                         /**< sizeof(kdl_f_pool_options), for the ABI */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default KDL_NONE_INT: kernel_size */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0 */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< max only: default 1 */
    bool ceil_mode;                        /**< default false */
    bool count_include_pad;                /**< average only: default true */
    int64_t divisor_override;              /**< average only: default KDL_NONE_INT */
    kdl_tensor **indices; /**< max only: gets one reference to where they lie; default NULL */
} kdl_f_pool_options;

#define KDL_F_POOL_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_f_pool_options), KDL__DEFAULT_INT(KDL_NONE_INT), KDL__DEFAULT_INT(0),           \
            KDL__DEFAULT_INT(1), false, true, KDL_NONE_INT, NULL                                   \
    }
#define KDL__F_POOL(function, nd, input, kernel, ...)                                              \
    KDL__WITH(kdl_f_pool_options, KDL_F_POOL_DEFAULTS, (__VA_ARGS__), function, nd, input,         \
              KDL__AS_SHAPE(kernel))

/**
 * F.max_pool1d, 2d, 3d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
 * `.indices = &indices` gets them as i64, each its element's place in its plane (C is no part of
 * it). RuntimeError where sizes do not fit.
 */
#define kdl_f_max_pool1d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_max_pool_with, 1, input, kernel, __VA_ARGS__)
#define kdl_f_max_pool2d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_max_pool_with, 2, input, kernel, __VA_ARGS__)
#define kdl_f_max_pool3d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_max_pool_with, 3, input, kernel, __VA_ARGS__)
/** F.avg_pool1d, 2d, 3d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, ...). */
#define kdl_f_avg_pool1d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_avg_pool_with, 1, input, kernel, __VA_ARGS__)
#define kdl_f_avg_pool2d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_avg_pool_with, 2, input, kernel, __VA_ARGS__)
#define kdl_f_avg_pool3d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_avg_pool_with, 3, input, kernel, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_max_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                        const kdl_f_pool_options *options);
KDL_API kdl_tensor *kdl_f_avg_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                        const kdl_f_pool_options *options);
/** F.adaptive_avg_pool1d, 2d, 3d (nd = 1, 2, 3); KDL_NONE_INT in output_size: the input's size. */
KDL_API kdl_tensor *kdl_f_adaptive_avg_pool(int nd, kdl_tensor *input, kdl_shape output_size);
/** F.adaptive_max_pool1d, 2d, 3d; *indices (may be NULL) gets one reference to where they lie. */
KDL_API kdl_tensor *kdl_f_adaptive_max_pool(int nd, kdl_tensor *input, kdl_shape output_size,
                                            kdl_tensor **indices);

#define KDL__F_LP_POOL(nd, input, norm_type, kernel, ...)                                          \
    KDL__WITH(kdl_f_pool_options, KDL_F_POOL_DEFAULTS, (__VA_ARGS__), kdl_f_lp_pool_with, nd,      \
              input, norm_type, KDL__AS_SHAPE(kernel))

/** F.lp_pool1d, 2d, 3d(input, norm_type, kernel_size, stride=None, ceil_mode=False). */
#define kdl_f_lp_pool1d(input, norm_type, kernel, ...)                                             \
    KDL__F_LP_POOL(1, input, norm_type, kernel, __VA_ARGS__)
#define kdl_f_lp_pool2d(input, norm_type, kernel, ...)                                             \
    KDL__F_LP_POOL(2, input, norm_type, kernel, __VA_ARGS__)
#define kdl_f_lp_pool3d(input, norm_type, kernel, ...)                                             \
    KDL__F_LP_POOL(3, input, norm_type, kernel, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_lp_pool_with(int nd, kdl_tensor *input, double norm_type,
                                       kdl_shape kernel_size, const kdl_f_pool_options *options);

/** Options of kdl_f_max_unpool1d() to 3d(); start from KDL_F_MAX_UNPOOL_DEFAULTS. */
typedef struct kdl_f_max_unpool_options {
    size_t nbytes;                       /**< sizeof(kdl_f_max_unpool_options), for the ABI */
    KDL_INT_OR_SHAPE(stride, strides);   /**< default KDL_NONE_INT: kernel_size */
    KDL_INT_OR_SHAPE(padding, paddings); /**< default 0 */
    kdl_shape output_size;               /**< default KDL_SCALAR_SHAPE: None */
} kdl_f_max_unpool_options;

#define KDL_F_MAX_UNPOOL_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_f_max_unpool_options), KDL__DEFAULT_INT(KDL_NONE_INT), KDL__DEFAULT_INT(0),     \
        {                                                                                          \
            { 0 }, 0                                                                               \
        }                                                                                          \
    }
#define KDL__F_MAX_UNPOOL(nd, input, indices, kernel, ...)                                         \
    KDL__WITH(kdl_f_max_unpool_options, KDL_F_MAX_UNPOOL_DEFAULTS, (__VA_ARGS__),                  \
              kdl_f_max_unpool_with, nd, input, indices, KDL__AS_SHAPE(kernel))

/**
 * F.max_unpool1d, 2d, 3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
 * zeros, and the input's elements at the indices that max pooling gave. ValueError for an
 * output_size that no such pooling has, RuntimeError for indices of other sizes or out of range.
 */
#define kdl_f_max_unpool1d(input, indices, kernel, ...)                                            \
    KDL__F_MAX_UNPOOL(1, input, indices, kernel, __VA_ARGS__)
#define kdl_f_max_unpool2d(input, indices, kernel, ...)                                            \
    KDL__F_MAX_UNPOOL(2, input, indices, kernel, __VA_ARGS__)
#define kdl_f_max_unpool3d(input, indices, kernel, ...)                                            \
    KDL__F_MAX_UNPOOL(3, input, indices, kernel, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_max_unpool_with(int nd, kdl_tensor *input, kdl_tensor *indices,
                                          kdl_shape kernel_size,
                                          const kdl_f_max_unpool_options *options);

/**
 * Options of kdl_f_fractional_max_pool2d(), 3d(); start from KDL_F_FRACTIONAL_MAX_POOL_DEFAULTS.
 */
typedef struct kdl_f_fractional_max_pool_options {
    size_t nbytes;                                     /**< sizeof(..._options), for the ABI */
    KDL_INT_OR_SHAPE(output_size, output_sizes);       /**< default KDL_NONE_INT */
    KDL_NUMBER_OR_RATIOS(output_ratio, output_ratios); /**< default KDL_NONE_FLOAT */
    kdl_tensor *random_samples; /**< (N, C, spatial dimensions), borrowed; default NULL: drawn */
    kdl_tensor **indices;       /**< gets one reference; default NULL */
} kdl_f_fractional_max_pool_options;

#define KDL_F_FRACTIONAL_MAX_POOL_DEFAULTS                                                         \
    {                                                                                              \
        sizeof(kdl_f_fractional_max_pool_options), KDL__DEFAULT_INT(KDL_NONE_INT),                 \
            KDL__DEFAULT_NUMBER(KDL_NONE_FLOAT), NULL, NULL                                        \
    }
#define KDL__F_FRACTIONAL_MAX_POOL(nd, input, kernel, ...)                                         \
    KDL__WITH(kdl_f_fractional_max_pool_options, KDL_F_FRACTIONAL_MAX_POOL_DEFAULTS,               \
              (__VA_ARGS__), kdl_f_fractional_max_pool_with, nd, input, KDL__AS_SHAPE(kernel))

/**
 * F.fractional_max_pool2d, 3d(input, kernel_size, output_size, output_ratio, return_indices,
 * _random_samples): draws N C 2 (or 3) numbers as torch.rand does, unless they are given. The
 * chosen elements are PyTorch's. ValueError without output_size and output_ratio, RuntimeError
 * where sizes do not fit.
 */
#define kdl_f_fractional_max_pool2d(input, kernel, ...)                                            \
    KDL__F_FRACTIONAL_MAX_POOL(2, input, kernel, __VA_ARGS__)
#define kdl_f_fractional_max_pool3d(input, kernel, ...)                                            \
    KDL__F_FRACTIONAL_MAX_POOL(3, input, kernel, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_fractional_max_pool_with(
    int nd, kdl_tensor *input, kdl_shape kernel_size,
    const kdl_f_fractional_max_pool_options *options);

/* ---- normalisation over places and neighbouring channels ------------------------------------ */

/**
 * F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps):
 * input (N, C, ...); vectors of C or NULL. With use_input_stats the running ones (both or none) go
 * on by `momentum`, otherwise they count. ValueError, RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_instance_norm(kdl_tensor *input, kdl_tensor *running_mean,
                                        kdl_tensor *running_var, kdl_tensor *weight,
                                        kdl_tensor *bias, bool use_input_stats, double momentum,
                                        double eps);
/**
 * F.local_response_norm(input, size, alpha, beta, k): input (N, C, ...), of 3 dimensions at least
 * (ValueError); PyTorch's defaults are 1e-4, 0.75 and 1.
 */
KDL_API kdl_tensor *kdl_f_local_response_norm(kdl_tensor *input, int64_t size, double alpha,
                                              double beta, double k);
/**
 * nn.CrossMapLRN2d's function of (N, C, H, W), with its peculiarities: the first channel counts for
 * all that follow it, and the gradient is what PyTorch's class computes. ValueError.
 */
KDL_API kdl_tensor *kdl_f_cross_map_lrn2d(kdl_tensor *input, int64_t size, double alpha,
                                          double beta, double k);

/* ---- moving elements --------------------------------------------------------------------- */

/**
 * F.pixel_shuffle, pixel_unshuffle: (*, C r r, H, W) to (*, C, H r, W r), and back. RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_pixel_shuffle(kdl_tensor *input, int64_t upscale_factor);
KDL_API kdl_tensor *kdl_f_pixel_unshuffle(kdl_tensor *input, int64_t downscale_factor);
/** torch.channel_shuffle(input, groups): input (N, C, ...). RuntimeError. */
KDL_API kdl_tensor *kdl_channel_shuffle(kdl_tensor *input, int64_t groups);
/** Tensor.unflatten(dim, sizes): one size may be -1. IndexError, RuntimeError. */
KDL_API kdl_tensor *kdl_unflatten(kdl_tensor *tensor, int dim, kdl_shape sizes);

/** Options of kdl_f_unfold() and kdl_f_fold(); start from KDL_F_FOLD_DEFAULTS. */
typedef struct kdl_f_fold_options {
    size_t nbytes;                         /**< sizeof(kdl_f_fold_options), for the ABI */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< default 1 */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0 */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default 1 */
} kdl_f_fold_options;

#define KDL_F_FOLD_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_f_fold_options), KDL__DEFAULT_INT(1), KDL__DEFAULT_INT(0), KDL__DEFAULT_INT(1)  \
    }

/**
 * F.unfold(input, kernel_size, dilation=1, padding=0, stride=1): the blocks of (N, C, H, W) as
 * columns (N, C kernel, blocks). RuntimeError.
 */
#define kdl_f_unfold(input, kernel, ...)                                                           \
    KDL__WITH(kdl_f_fold_options, KDL_F_FOLD_DEFAULTS, (__VA_ARGS__), kdl_f_unfold_with, input,    \
              KDL__AS_SHAPE(kernel))
/** F.fold(input, output_size, kernel_size, ...): columns (N, C kernel, blocks), overlaps summed. */
#define kdl_f_fold(input, output, kernel, ...)                                                     \
    KDL__WITH(kdl_f_fold_options, KDL_F_FOLD_DEFAULTS, (__VA_ARGS__), kdl_f_fold_with, input,      \
              KDL__AS_SHAPE(output), KDL__AS_SHAPE(kernel))
KDL_API kdl_tensor *kdl_f_unfold_with(kdl_tensor *input, kdl_shape kernel_size,
                                      const kdl_f_fold_options *options);
KDL_API kdl_tensor *kdl_f_fold_with(kdl_tensor *input, kdl_shape output_size, kdl_shape kernel_size,
                                    const kdl_f_fold_options *options);

/** Options of kdl_f_interpolate(); start from KDL_F_INTERPOLATE_DEFAULTS. */
typedef struct kdl_f_interpolate_options {
    size_t nbytes;                                     /**< sizeof(..._options), for the ABI */
    KDL_INT_OR_SHAPE(size, sizes);                     /**< default KDL_NONE_INT */
    KDL_NUMBER_OR_RATIOS(scale_factor, scale_factors); /**< default KDL_NONE_FLOAT */
    const char *mode;              /**< default "nearest"; "nearest-exact", "linear", "bilinear", */
                                   /**< "trilinear", "bicubic", "area"; "lanczos" */
    int8_t align_corners;          /**< default KDL_NONE_BOOL */
    int8_t recompute_scale_factor; /**< default KDL_NONE_BOOL */
    bool antialias;                /**< default false; "bilinear", "bicubic" and "lanczos" only */
} kdl_f_interpolate_options;

#define KDL_F_INTERPOLATE_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_f_interpolate_options), KDL__DEFAULT_INT(KDL_NONE_INT),                         \
            KDL__DEFAULT_NUMBER(KDL_NONE_FLOAT), "nearest", KDL_NONE_BOOL, KDL_NONE_BOOL, false    \
    }

/**
 * F.interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None,
 * recompute_scale_factor=None, antialias=False): input (N, C, ...) of 3 to 5 dimensions; with
 * antialias (N, C, H, W), in which what lies between the elements that remain counts too. Errors
 * are PyTorch's.
 */
#define kdl_f_interpolate(input, ...)                                                              \
    KDL__WITH(kdl_f_interpolate_options, KDL_F_INTERPOLATE_DEFAULTS, (__VA_ARGS__),                \
              kdl_f_interpolate_with, input)
KDL_API kdl_tensor *kdl_f_interpolate_with(kdl_tensor *input,
                                           const kdl_f_interpolate_options *options);

/* ---- spatial transformers ---------------------------------------------------------------- */

/** Options of kdl_f_grid_sample(); start from KDL_F_GRID_SAMPLE_DEFAULTS. */
typedef struct kdl_f_grid_sample_options {
    size_t nbytes;    /**< sizeof(kdl_f_grid_sample_options), for the ABI */
    const char *mode; /**< default "bilinear" (of volumes trilinear); "nearest", "bicubic" */
    const char *padding_mode; /**< default "zeros"; "border", "reflection" */
    int8_t align_corners;     /**< default KDL_NONE_BOOL: false, with PyTorch's warning */
} kdl_f_grid_sample_options;

#define KDL_F_GRID_SAMPLE_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_f_grid_sample_options), "bilinear", "zeros", KDL_NONE_BOOL                      \
    }

/**
 * F.grid_sample(input, grid, mode='bilinear', padding_mode='zeros', align_corners=None): input
 * (N, C, H, W) at places (N, H', W', 2) gives (N, C, H', W'), and (N, C, D, H, W) at
 * (N, D', H', W', 3) likewise. A place is (x, y) or (x, y, z); -1 and 1 are the ends of W, of H and
 * of D: the centers of the corners with align_corners, else their outer borders. "bicubic" is for
 * images. Gradients go to both. f16 and bf16 are computed in f32, also the places. ValueError and
 * RuntimeError with PyTorch's text.
 */
#define kdl_f_grid_sample(input, grid, ...)                                                        \
    KDL__WITH(kdl_f_grid_sample_options, KDL_F_GRID_SAMPLE_DEFAULTS, (__VA_ARGS__),                \
              kdl_f_grid_sample_with, input, grid)
KDL_API kdl_tensor *kdl_f_grid_sample_with(kdl_tensor *input, kdl_tensor *grid,
                                           const kdl_f_grid_sample_options *options);
/**
 * F.affine_grid(theta, size, align_corners=None): the places (N, H, W, 2) for kdl_f_grid_sample()
 * that affine matrices (N, 2, 3) give for a size (N, C, H, W), or (N, D, H, W, 3) that (N, 3, 4)
 * give for (N, C, D, H, W). KDL_NONE_BOOL: false, with PyTorch's warning. Errors are PyTorch's.
 */
KDL_API kdl_tensor *kdl_f_affine_grid(kdl_tensor *theta, kdl_shape size, int8_t align_corners);

#ifdef __cplusplus
}
#endif
#endif
