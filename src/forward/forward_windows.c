/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards of convolutions, pooling, padding and what else moves over places. */
#include <string.h>

#include "forward/forwards.h"
#include "kindling/functional_window.h"
#include "kindling/nn.h"

/* ---- convolutions ------------------------------------------------------------------------ */

/* _ConvNd's _reversed_padding_repeated_twice: what a mode other than zeros is padded with. */
static kdl_shape pad_of(const kdl_conv_options *conv)
{
    int nd = conv->kernel_size.ndim;
    kdl_shape pad = { .ndim = 2 * nd };
    for (int d = 0; d < nd; d++) {
        int64_t *both = &pad.sizes[2 * (nd - 1 - d)];
        both[0] = both[1] = conv->paddings.ndim > 0 ? conv->paddings.sizes[d] : 0;
        if (conv->paddings.ndim == 0 && conv->padding == KDL_PADDING_SAME) {
            int64_t total = conv->dilations.sizes[d] * (conv->kernel_size.sizes[d] - 1);
            both[0] = total / 2;
            both[1] = total - both[0];
        }
    }
    return pad;
}

static kdl_tensor *conv(kdl_module *module, kdl_tensor *input)
{
    const kdl_conv_options *own = kdl_module_fields(module);
    bool zeros = strcmp(own->padding_mode, "zeros") == 0;
    kdl_tensor *padded =
        zeros ? kdl_tensor_retain(input) : kdl_f_pad(input, pad_of(own), .mode = own->padding_mode);
    kdl_tensor *result = KDL__F_CONV(own->kernel_size.ndim, padded, kdl_parameter(module, "weight"),
                                     kdl_parameter(module, "bias"), .strides = own->strides,
                                     .paddings = zeros ? own->paddings : (kdl_shape){ .ndim = 0 },
                                     .dilations = own->dilations, .groups = own->groups);
    kdl_tensor_release(padded);
    return result;
}

static kdl_tensor *conv_transpose(kdl_module *module, kdl_tensor *input)
{
    const kdl_conv_options *own = kdl_module_fields(module);
    return KDL__F_CONV_TRANSPOSE(own->kernel_size.ndim, input, kdl_parameter(module, "weight"),
                                 kdl_parameter(module, "bias"), .strides = own->strides,
                                 .paddings = own->paddings, .output_paddings = own->output_paddings,
                                 .dilations = own->dilations, .groups = own->groups);
}

/* ---- pooling ----------------------------------------------------------------------------- */

/* Where indices go, if a module gives them and they are wanted. */
static kdl_tensor **second(bool return_indices, kdl_tensor **outputs, int output_count)
{
    return return_indices && output_count > 1 ? &outputs[1] : NULL;
}

static kdl_status max_pool(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                           kdl_tensor **outputs, int output_count)
{
    (void)input_count;
    const kdl_max_pool_options *own = kdl_module_fields(module);
    outputs[0] = KDL__F_POOL(kdl_f_max_pool_with, kdl__spatial(module), inputs[0], own->kernel_size,
                             .strides = own->strides, .paddings = own->paddings,
                             .dilations = own->dilations, .ceil_mode = own->ceil_mode,
                             .indices = second(own->return_indices, outputs, output_count));
    return module->ctx->status;
}

static kdl_tensor *avg_pool(kdl_module *module, kdl_tensor *input)
{
    const kdl_avg_pool_options *own = kdl_module_fields(module);
    return KDL__F_POOL(kdl_f_avg_pool_with, kdl__spatial(module), input, own->kernel_size,
                       .strides = own->strides, .paddings = own->paddings,
                       .ceil_mode = own->ceil_mode, .count_include_pad = own->count_include_pad,
                       .divisor_override = own->divisor_override);
}

static kdl_tensor *adaptive_avg_pool(kdl_module *module, kdl_tensor *input)
{
    const kdl_adaptive_pool_options *own = kdl_module_fields(module);
    return kdl_f_adaptive_avg_pool(kdl__spatial(module), input, own->output_size);
}

static kdl_status adaptive_max_pool(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                    kdl_tensor **outputs, int output_count)
{
    (void)input_count;
    const kdl_adaptive_pool_options *own = kdl_module_fields(module);
    outputs[0] = kdl_f_adaptive_max_pool(kdl__spatial(module), inputs[0], own->output_size,
                                         second(own->return_indices, outputs, output_count));
    return module->ctx->status;
}

static kdl_tensor *lp_pool(kdl_module *module, kdl_tensor *input)
{
    const kdl_lp_pool_options *own = kdl_module_fields(module);
    return KDL__F_LP_POOL(kdl__spatial(module), input, own->norm_type, own->kernel_size,
                          .strides = own->strides, .ceil_mode = own->ceil_mode);
}

static kdl_status fractional_max_pool(kdl_module *module, kdl_tensor *const *inputs,
                                      int input_count, kdl_tensor **outputs, int output_count)
{
    (void)input_count;
    const kdl_fractional_max_pool_options *own = kdl_module_fields(module);
    outputs[0] = KDL__F_FRACTIONAL_MAX_POOL(
        kdl__spatial(module), inputs[0], own->kernel_size, .output_sizes = own->output_sizes,
        .output_ratios = own->output_ratios,
        .random_samples = kdl_buffer(module, "_random_samples"),
        .indices = second(own->return_indices, outputs, output_count));
    return module->ctx->status;
}

/* inputs: what was pooled, and its indices. */
static kdl_status max_unpool(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                             kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    const kdl_max_unpool_options *own = kdl_module_fields(module);
    outputs[0] = KDL__F_MAX_UNPOOL(kdl__spatial(module), inputs[0], inputs[1], own->kernel_size,
                                   .strides = own->strides, .paddings = own->paddings);
    return module->ctx->status;
}

/* ---- padding ----------------------------------------------------------------------------- */

static kdl_tensor *pad_by(kdl_module *module, kdl_tensor *input, const char *mode)
{
    const kdl_pad_options *own = kdl_module_fields(module);
    return kdl_f_pad(input, own->padding, .mode = mode, .value = kdl_number(own->value));
}

static kdl_tensor *constant_pad(kdl_module *module, kdl_tensor *input)
{
    return pad_by(module, input, "constant");
}

static kdl_tensor *reflection_pad(kdl_module *module, kdl_tensor *input)
{
    return pad_by(module, input, "reflect");
}

static kdl_tensor *replication_pad(kdl_module *module, kdl_tensor *input)
{
    return pad_by(module, input, "replicate");
}

/* nn.CircularPad*'s _check_input_dim. */
static kdl_tensor *circular_pad(kdl_module *module, kdl_tensor *input)
{
    int nd = kdl__spatial(module), ndim = kdl_tensor_ndim(input);
    if (ndim != nd + 1 && ndim != nd + 2) {
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                     "expected %dD or %dD input (got %dD input)", nd + 1, nd + 2, ndim);
        return NULL;
    }
    return pad_by(module, input, "circular");
}

/* ---- moving elements --------------------------------------------------------------------- */

static kdl_tensor *pixel_shuffle(kdl_module *module, kdl_tensor *input)
{
    const kdl_pixel_shuffle_options *own = kdl_module_fields(module);
    return kdl_f_pixel_shuffle(input, own->factor);
}

static kdl_tensor *pixel_unshuffle(kdl_module *module, kdl_tensor *input)
{
    const kdl_pixel_shuffle_options *own = kdl_module_fields(module);
    return kdl_f_pixel_unshuffle(input, own->factor);
}

static kdl_tensor *channel_shuffle(kdl_module *module, kdl_tensor *input)
{
    const kdl_channel_shuffle_options *own = kdl_module_fields(module);
    return kdl_channel_shuffle(input, own->groups);
}

static kdl_tensor *fold(kdl_module *module, kdl_tensor *input)
{
    const kdl_fold_options *own = kdl_module_fields(module);
    return kdl_f_fold(input, own->output_size, own->kernel_size, .dilations = own->dilations,
                      .paddings = own->paddings, .strides = own->strides);
}

static kdl_tensor *unfold(kdl_module *module, kdl_tensor *input)
{
    const kdl_fold_options *own = kdl_module_fields(module);
    return kdl_f_unfold(input, own->kernel_size, .dilations = own->dilations,
                        .paddings = own->paddings, .strides = own->strides);
}

static kdl_tensor *upsample(kdl_module *module, kdl_tensor *input)
{
    const kdl_upsample_options *own = kdl_module_fields(module);
    return kdl_f_interpolate(input, .sizes = own->sizes, .scale_factors = own->scale_factors,
                             .mode = own->mode, .align_corners = own->align_corners,
                             .recompute_scale_factor = own->recompute_scale_factor);
}

/* ---- the table --------------------------------------------------------------------------- */

#define FORWARDS(n)                                                                                \
    KDL__ONE(KDL_CLASS_CONV##n##D, conv),                                                          \
        KDL__ONE(KDL_CLASS_CONV_TRANSPOSE##n##D, conv_transpose),                                  \
        KDL__SEVERAL(KDL_CLASS_MAX_POOL##n##D, max_pool, 1, 1, 2),                                 \
        KDL__ONE(KDL_CLASS_AVG_POOL##n##D, avg_pool),                                              \
        KDL__ONE(KDL_CLASS_ADAPTIVE_AVG_POOL##n##D, adaptive_avg_pool),                            \
        KDL__SEVERAL(KDL_CLASS_ADAPTIVE_MAX_POOL##n##D, adaptive_max_pool, 1, 1, 2),               \
        KDL__ONE(KDL_CLASS_LP_POOL##n##D, lp_pool),                                                \
        KDL__SEVERAL(KDL_CLASS_MAX_UNPOOL##n##D, max_unpool, 2, 2, 1),                             \
        KDL__ONE(KDL_CLASS_CONSTANT_PAD##n##D, constant_pad),                                      \
        KDL__ONE(KDL_CLASS_ZERO_PAD##n##D, constant_pad),                                          \
        KDL__ONE(KDL_CLASS_REFLECTION_PAD##n##D, reflection_pad),                                  \
        KDL__ONE(KDL_CLASS_REPLICATION_PAD##n##D, replication_pad),                                \
        KDL__ONE(KDL_CLASS_CIRCULAR_PAD##n##D, circular_pad)

const kdl__forward_entry kdl__window_forwards[] = {
    FORWARDS(1),
    FORWARDS(2),
    FORWARDS(3),
    KDL__SEVERAL(KDL_CLASS_FRACTIONAL_MAX_POOL2D, fractional_max_pool, 1, 1, 2),
    KDL__SEVERAL(KDL_CLASS_FRACTIONAL_MAX_POOL3D, fractional_max_pool, 1, 1, 2),
    KDL__ONE(KDL_CLASS_PIXEL_SHUFFLE, pixel_shuffle),
    KDL__ONE(KDL_CLASS_PIXEL_UNSHUFFLE, pixel_unshuffle),
    KDL__ONE(KDL_CLASS_CHANNEL_SHUFFLE, channel_shuffle),
    KDL__ONE(KDL_CLASS_FOLD, fold),
    KDL__ONE(KDL_CLASS_UNFOLD, unfold),
    KDL__ONE(KDL_CLASS_UPSAMPLE, upsample),
    KDL__ONE(KDL_CLASS_UPSAMPLING_NEAREST2D, upsample),
    KDL__ONE(KDL_CLASS_UPSAMPLING_BILINEAR2D, upsample),
    KDL__END_OF_FORWARDS,
};
