/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, transposed and lazy ones too (torch/nn/modules/conv.py). */
#include <string.h>

#include "nn/arguments.h"

static bool is_transposed(const kdl_module *module)
{
    return kdl_isinstance(module, KDL_CLASS_CONV_TRANSPOSE_ND);
}

static bool is_padding_mode(const char *name)
{
    static const char *const modes[] = { "zeros", "reflect", "replicate", "circular" };
    bool known = false;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        known = known || strcmp(name, modes[i]) == 0;
    return known;
}

static bool is_strided(const kdl_shape *stride)
{
    bool strided = false;
    for (int i = 0; i < stride->ndim; i++)
        strided = strided || stride->sizes[i] != 1;
    return strided;
}

/* What _ConvTransposeNd and _ConvNd check, in this order; a Lazy one has no channels yet. */
static kdl_status check_conv(kdl_module *module, int64_t in_channels, int64_t out_channels)
{
    const kdl_conv_options *conv = kdl_module_fields(module);
    bool named_padding = conv->paddings.ndim == 0;
    const char *message = NULL;
    if (is_transposed(module) && strcmp(conv->padding_mode, "zeros") != 0)
        return kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                            "Only \"zeros\" padding mode is supported for %s", module->class->name);
    if (is_transposed(module) && named_padding)
        return kdl__fail_in(module, KDL_ERROR_TYPE, "padding cannot be {padding!r}");
    if (conv->groups <= 0)
        message = "groups must be a positive integer";
    else if (in_channels % conv->groups != 0)
        message = "in_channels must be divisible by groups";
    else if (out_channels % conv->groups != 0)
        message = "out_channels must be divisible by groups";
    else if (conv->padding == KDL_PADDING_SAME && named_padding && is_strided(&conv->strides))
        message = "padding='same' is not supported for strided convolutions";
    else if (conv->kernel_size.ndim > KDL_MAX_DIMS - 2)
        message = "kernel_size {kernel_size} has too many dimensions";
    if (!message && !is_padding_mode(conv->padding_mode))
        return kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                            "padding_mode must be one of {'zeros', 'reflect', 'replicate', "
                            "'circular'}, but got padding_mode='%s'",
                            conv->padding_mode);
    return message ? kdl__fail_in(module, KDL_ERROR_VALUE, message) : KDL_OK;
}

static kdl_shape weight_shape(const kdl_module *module)
{
    const kdl_conv_options *conv = kdl_module_fields(module);
    bool transposed = is_transposed(module);
    kdl_shape shape = { .ndim = conv->kernel_size.ndim + 2 };
    shape.sizes[0] = transposed ? conv->in_channels : conv->out_channels;
    shape.sizes[1] = (transposed ? conv->out_channels : conv->in_channels) / conv->groups;
    for (int i = 0; i < conv->kernel_size.ndim; i++)
        shape.sizes[2 + i] = conv->kernel_size.sizes[i];
    return shape;
}

static void build_conv(kdl_module *module)
{
    const kdl_conv_options *conv = kdl_module_fields(module);
    if (check_conv(module, conv->in_channels, conv->out_channels))
        return;
    kdl__add_empty_parameter(module, "weight", weight_shape(module), conv->dtype, true);
    kdl__add_empty_parameter(module, "bias", KDL_SHAPE(conv->out_channels), conv->dtype,
                             conv->bias);
    kdl_reset_parameters(module);
}

/* ---- Lazy -------------------------------------------------------------------------------- */

static void build_lazy_conv(kdl_module *module)
{
    const kdl_conv_options *conv = kdl_module_fields(module);
    if (check_conv(module, 0, 0))
        return;
    kdl__add_uninitialized_parameter(module, "weight", conv->dtype, true);
    kdl__add_uninitialized_parameter(module, "bias", conv->dtype, conv->bias);
}

static kdl_status reset_lazy_conv(kdl_module *module)
{
    const kdl_conv_options *conv = kdl_module_fields(module);
    if (kdl_has_uninitialized_params(module) || conv->in_channels == 0)
        return KDL_OK;
    return kdl__reset_by_fan_in(module);
}

/* The channels of an input, which may lack the batch's dimension, become in_channels. */
static void initialize_conv(kdl_module *module, const kdl_shape *input)
{
    kdl_conv_options *conv = kdl_module_fields(module);
    int without_batch = kdl__class_arguments(module->class)->expand + 1;
    if (input->ndim != without_batch && input->ndim != without_batch + 1) {
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_RUNTIME,
                     "Expected %dD (unbatched) or %dD (batched) input to %s, but got input of "
                     "size: torch.Size(%s)",
                     without_batch, without_batch + 1, module->class->name,
                     kdl__shape_text(input->ndim, input->sizes).chars);
        return;
    }
    int64_t in_channels = input->sizes[input->ndim - without_batch];
    if (in_channels % conv->groups != 0) {
        kdl__fail_in(module, KDL_ERROR_VALUE, "in_channels must be divisible by groups");
        return;
    }
    conv->in_channels = in_channels;
    kdl__initialize_tensor(kdl_parameter(module, "weight"), weight_shape(module));
    kdl__initialize_tensor(kdl_parameter(module, "bias"), KDL_SHAPE(conv->out_channels));
    kdl_reset_parameters(module);
}

/* ---- classes ----------------------------------------------------------------------------- */

static const kdl_conv_options conv_defaults = KDL_CONV_DEFAULTS;
/* An ordinary one has no output_padding. */
#define CONV_REPR(output_padding)                                                                  \
    "{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={stride}"                    \
    "[, padding={padding}][, dilation={dilation}]" output_padding "[, groups={groups}]"            \
    "[, bias={bias?}][, padding_mode={padding_mode}]"
static const char conv_repr[] = CONV_REPR("");
static const char conv_transpose_repr[] = CONV_REPR("[, output_padding={output_padding}]");

static const kdl__argument conv_list[] = {
    KDL__ARGUMENT(kdl_conv_options, in_channels),
    KDL__ARGUMENT(kdl_conv_options, out_channels),
    KDL__ARGUMENT(kdl_conv_options, kernel_size),
    KDL__PLURAL(kdl_conv_options, stride, strides),
    KDL__PLURAL(kdl_conv_options, padding, paddings),
    KDL__PLURAL(kdl_conv_options, dilation, dilations),
    KDL__ARGUMENT(kdl_conv_options, groups),
    KDL__ARGUMENT(kdl_conv_options, bias),
    KDL__ARGUMENT(kdl_conv_options, padding_mode),
    KDL__FACTORY(kdl_conv_options),
};

static const kdl__argument conv_transpose_list[] = {
    KDL__ARGUMENT(kdl_conv_options, in_channels),
    KDL__ARGUMENT(kdl_conv_options, out_channels),
    KDL__ARGUMENT(kdl_conv_options, kernel_size),
    KDL__PLURAL(kdl_conv_options, stride, strides),
    KDL__PLURAL(kdl_conv_options, padding, paddings),
    KDL__PLURAL(kdl_conv_options, output_padding, output_paddings),
    KDL__ARGUMENT(kdl_conv_options, groups),
    KDL__ARGUMENT(kdl_conv_options, bias),
    KDL__PLURAL(kdl_conv_options, dilation, dilations),
    KDL__ARGUMENT(kdl_conv_options, padding_mode),
    KDL__FACTORY(kdl_conv_options),
};

/* A class for `n` dimensions; a lazy one does not take in_channels. */
#define CONV(lower, title, parent, kind, n, lazy, reset, ...)                                      \
    static const kdl__arguments lower##_arguments = { .list = kind##_list,                         \
                                                      .count = KDL__LENGTH(kind##_list),           \
                                                      .hidden = lazy,                              \
                                                      .required = 3 - (lazy),                      \
                                                      .defaults = &conv_defaults,                  \
                                                      .nbytes = sizeof conv_defaults,              \
                                                      .expand = n,                                 \
                                                      .repr = kind##_repr,                         \
                                                      __VA_ARGS__ };                               \
    KDL__LAYER(lower, title, parent, kdl_conv_options, lower##_arguments, .reset_parameters = reset)

#define LAZY(class) .build = build_lazy_conv, .becomes = class, .initialize = initialize_conv

#define CONVS(n)                                                                                   \
    CONV(conv##n##d, "Conv" #n "d", KDL_CLASS_CONV_ND, conv, n, 0, kdl__reset_by_fan_in,           \
         .build = build_conv)                                                                      \
    CONV(conv_transpose##n##d, "ConvTranspose" #n "d", KDL_CLASS_CONV_TRANSPOSE_ND,                \
         conv_transpose, n, 0, kdl__reset_by_fan_in, .build = build_conv)                          \
    CONV(lazy_conv##n##d, "LazyConv" #n "d", KDL_CLASS_CONV##n##D, conv, n, 1, reset_lazy_conv,    \
         LAZY(KDL_CLASS_CONV##n##D))                                                               \
    CONV(lazy_conv_transpose##n##d, "LazyConvTranspose" #n "d", KDL_CLASS_CONV_TRANSPOSE##n##D,    \
         conv_transpose, n, 1, reset_lazy_conv, LAZY(KDL_CLASS_CONV_TRANSPOSE##n##D))

const kdl_module_class kdl_class_conv_nd = { .name = "_ConvNd" };
const kdl_module_class kdl_class_conv_transpose_nd = { .name = "_ConvTransposeNd",
                                                       .parent = KDL_CLASS_CONV_ND };
CONVS(1)
CONVS(2)
CONVS(3)
