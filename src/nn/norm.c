/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNorm and RMSNorm (torch/nn/modules/normalization.py). */
#include <math.h>

#include "kindling/init.h"
#include "nn/layers.h"
#include "nn/module_impl.h"

static kdl_status norm_reset_parameters(kdl_module *module)
{
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    if (weight)
        kdl_init_ones_(weight);
    if (bias)
        kdl_init_zeros_(bias);
    return module->ctx->status;
}

/* "(768,), eps=1e-05, elementwise_affine=True" */
static void add_norm(kdl__text *text, const kdl__norm *norm)
{
    kdl__text_tuple(text, norm->normalized_shape.ndim, norm->normalized_shape.sizes);
    kdl__text_puts(text, ", eps=");
    if (isnan(norm->eps))
        kdl__text_puts(text, "None");
    else
        kdl__text_repr(text, norm->eps);
    kdl__text_printf(text, ", elementwise_affine=%s", kdl__bool_name(norm->elementwise_affine));
}

static char *rms_norm_extra_repr(const kdl_module *module)
{
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    add_norm(&text, kdl_module_fields(module));
    return kdl__text_take(&text);
}

static char *layer_norm_extra_repr(const kdl_module *module)
{
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    add_norm(&text, kdl_module_fields(module));
    kdl__text_printf(&text, ", bias=%s", kdl__bool_name(kdl_parameter(module, "bias")));
    return kdl__text_take(&text);
}

const kdl_module_class kdl_class_layer_norm = {
    .name = "LayerNorm",
    .fields_nbytes = sizeof(kdl__norm),
    .reset_parameters = norm_reset_parameters,
    .extra_repr = layer_norm_extra_repr,
};

const kdl_module_class kdl_class_rms_norm = {
    .name = "RMSNorm",
    .fields_nbytes = sizeof(kdl__norm),
    .reset_parameters = norm_reset_parameters,
    .extra_repr = rms_norm_extra_repr,
};

kdl_module *kdl_nn_layer_norm_with(kdl_context *ctx, kdl_shape normalized_shape,
                                   const kdl_layer_norm_options *given)
{
    kdl_layer_norm_options options = KDL_LAYER_NORM_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_layer_norm", &options, sizeof options, given))
        return NULL;
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_LAYER_NORM);
    if (!module)
        return NULL;
    *(kdl__norm *)kdl_module_fields(module) =
        (kdl__norm){ normalized_shape, options.eps, options.elementwise_affine };
    kdl__add_empty_parameter(module, "weight", normalized_shape, options.dtype,
                             options.elementwise_affine);
    kdl__add_empty_parameter(module, "bias", normalized_shape, options.dtype,
                             options.elementwise_affine && options.bias);
    kdl_reset_parameters(module);
    return kdl__module_finish(module);
}

kdl_module *kdl_nn_rms_norm_with(kdl_context *ctx, kdl_shape normalized_shape,
                                 const kdl_rms_norm_options *given)
{
    kdl_rms_norm_options options = KDL_RMS_NORM_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_rms_norm", &options, sizeof options, given))
        return NULL;
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_RMS_NORM);
    if (!module)
        return NULL;
    *(kdl__norm *)kdl_module_fields(module) =
        (kdl__norm){ normalized_shape, options.eps, options.elementwise_affine };
    kdl__add_empty_parameter(module, "weight", normalized_shape, options.dtype,
                             options.elementwise_affine);
    kdl_reset_parameters(module);
    return kdl__module_finish(module);
}
