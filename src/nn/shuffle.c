/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers that move or repeat elements (torch/nn/modules/flatten.py, fold.py, upsampling.py,
 * pixelshuffle.py, channelshuffle.py).
 */
#include "nn/arguments.h"

/* ---- flattening, folding ----------------------------------------------------------------- */

KDL__TABLE(flatten, kdl_flatten_options, KDL_FLATTEN_DEFAULTS, 0,
           (.repr = "start_dim={start_dim}, end_dim={end_dim}"),
           KDL__ARGUMENT(kdl_flatten_options, start_dim),
           KDL__ARGUMENT(kdl_flatten_options, end_dim))
KDL__LAYER(flatten, "Flatten", NULL, kdl_flatten_options, flatten_arguments)

static void check_unflatten(kdl_module *module)
{
    const kdl_unflatten_options *unflatten = kdl_module_fields(module);
    const kdl_shape *size = &unflatten->unflattened_size;
    if (size->ndim == 0 && size->sizes[0] != KDL_EMPTY_TUPLE)
        kdl__fail_in(module, KDL_ERROR_TYPE,
                     "unflattened_size must be a tuple of ints, but found type int");
}

KDL__TABLE(unflatten, kdl_unflatten_options, KDL_UNFLATTEN_DEFAULTS, 2,
           (.repr = "dim={dim}, unflattened_size={unflattened_size}", .build = check_unflatten),
           KDL__ARGUMENT(kdl_unflatten_options, dim),
           KDL__ARGUMENT(kdl_unflatten_options, unflattened_size))
KDL__LAYER(unflatten, "Unflatten", NULL, kdl_unflatten_options, unflatten_arguments)

#define UNFOLD_REPR                                                                                \
    "kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}"
#define UNFOLD_LIST                                                                                \
    KDL__ARGUMENT(kdl_fold_options, kernel_size),                                                  \
        KDL__PLURAL(kdl_fold_options, dilation, dilations),                                        \
        KDL__PLURAL(kdl_fold_options, padding, paddings),                                          \
        KDL__PLURAL(kdl_fold_options, stride, strides)

KDL__TABLE(fold, kdl_fold_options, KDL_FOLD_DEFAULTS, 2,
           (.repr = "output_size={output_size}, " UNFOLD_REPR),
           KDL__ARGUMENT(kdl_fold_options, output_size), UNFOLD_LIST)
KDL__LAYER(fold, "Fold", NULL, kdl_fold_options, fold_arguments)

KDL__TABLE(unfold, kdl_fold_options, KDL_FOLD_DEFAULTS, 1, (.repr = UNFOLD_REPR), UNFOLD_LIST)
KDL__LAYER(unfold, "Unfold", NULL, kdl_fold_options, unfold_arguments)

/* ---- shuffling --------------------------------------------------------------------------- */

KDL__TABLE(channel_shuffle, kdl_channel_shuffle_options, KDL_CHANNEL_SHUFFLE_DEFAULTS, 1,
           (.repr = "groups={groups}"), KDL__ARGUMENT(kdl_channel_shuffle_options, groups))
KDL__LAYER(channel_shuffle, "ChannelShuffle", NULL, kdl_channel_shuffle_options,
           channel_shuffle_arguments)

KDL__TABLE(pixel_shuffle, kdl_pixel_shuffle_options, KDL_PIXEL_SHUFFLE_DEFAULTS, 1,
           (.repr = "upscale_factor={upscale_factor}"),
           KDL__NAMED_ARGUMENT(kdl_pixel_shuffle_options, "upscale_factor", factor, false))
KDL__LAYER(pixel_shuffle, "PixelShuffle", NULL, kdl_pixel_shuffle_options, pixel_shuffle_arguments)

KDL__TABLE(pixel_unshuffle, kdl_pixel_shuffle_options, KDL_PIXEL_SHUFFLE_DEFAULTS, 1,
           (.repr = "downscale_factor={downscale_factor}"),
           KDL__NAMED_ARGUMENT(kdl_pixel_shuffle_options, "downscale_factor", factor, false))
KDL__LAYER(pixel_unshuffle, "PixelUnshuffle", NULL, kdl_pixel_shuffle_options,
           pixel_unshuffle_arguments)

/* ---- upsampling -------------------------------------------------------------------------- */

/* Factors are made floats; one that is 0 counts as None. */
static void build_upsample(kdl_module *module)
{
    kdl_upsample_options *upsample = kdl_module_fields(module);
    kdl_ratios *factors = &upsample->scale_factors;
    for (int i = 0; i < (factors->count > 0 ? factors->count : 1); i++)
        factors->values[i] = kdl_number(factors->values[i]);
    if (factors->count == 0 && factors->values[0] == 0)
        factors->values[0] = KDL_NONE_FLOAT;
}

static const char upsample_repr[] = "[scale_factor={scale_factor}|size={size}], mode={mode!r}";
#define TARGET                                                                                     \
    KDL__OPTIONAL_PLURAL(kdl_upsample_options, size, sizes),                                       \
        KDL__OPTIONAL_PLURAL(kdl_upsample_options, scale_factor, scale_factors)

KDL__TABLE(upsample, kdl_upsample_options, KDL_UPSAMPLE_DEFAULTS, 0,
           (.repr = upsample_repr, .build = build_upsample), TARGET,
           KDL__ARGUMENT(kdl_upsample_options, mode),
           KDL__OPTIONAL_ARGUMENT(kdl_upsample_options, align_corners),
           KDL__OPTIONAL_ARGUMENT(kdl_upsample_options, recompute_scale_factor))
KDL__LAYER(upsample, "Upsample", NULL, kdl_upsample_options, upsample_arguments)

KDL__TABLE(upsampling_nearest2d, kdl_upsample_options, KDL_UPSAMPLE_DEFAULTS, 0,
           (.hidden = 1, .repr = upsample_repr, .build = build_upsample),
           KDL__ARGUMENT(kdl_upsample_options, mode), TARGET)
KDL__LAYER(upsampling_nearest2d, "UpsamplingNearest2d", KDL_CLASS_UPSAMPLE, kdl_upsample_options,
           upsampling_nearest2d_arguments)

KDL__TABLE(upsampling_bilinear2d, kdl_upsample_options, KDL_UPSAMPLING_BILINEAR2D_DEFAULTS, 0,
           (.hidden = 1, .repr = upsample_repr, .build = build_upsample),
           KDL__ARGUMENT(kdl_upsample_options, mode), TARGET)
KDL__LAYER(upsampling_bilinear2d, "UpsamplingBilinear2d", KDL_CLASS_UPSAMPLE, kdl_upsample_options,
           upsampling_bilinear2d_arguments)
