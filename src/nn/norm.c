/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNorm and RMSNorm (torch/nn/modules/normalization.py). */
#include "kindling/init.h"
#include "nn/arguments.h"

static kdl_status reset_norm(kdl_module *module)
{
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    if (weight)
        kdl_init_ones_(weight);
    if (bias)
        kdl_init_zeros_(bias);
    return module->ctx->status;
}

static void build_layer_norm(kdl_module *module)
{
    const kdl_layer_norm_options *norm = kdl_module_fields(module);
    kdl__add_empty_parameter(module, "weight", norm->normalized_shape, norm->dtype,
                             norm->elementwise_affine);
    kdl__add_empty_parameter(module, "bias", norm->normalized_shape, norm->dtype,
                             norm->elementwise_affine && norm->bias);
    kdl_reset_parameters(module);
}

KDL__TABLE(layer_norm, kdl_layer_norm_options, KDL_LAYER_NORM_DEFAULTS, 1,
           (.repr = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, "
                    "bias={bias?}",
            .expand = 1, .build = build_layer_norm),
           KDL__ARGUMENT(kdl_layer_norm_options, normalized_shape),
           KDL__ARGUMENT(kdl_layer_norm_options, eps),
           KDL__ARGUMENT(kdl_layer_norm_options, elementwise_affine),
           KDL__ARGUMENT(kdl_layer_norm_options, bias), KDL__FACTORY(kdl_layer_norm_options))
KDL__LAYER(layer_norm, "LayerNorm", NULL, kdl_layer_norm_options, layer_norm_arguments,
           .reset_parameters = reset_norm)

static void build_rms_norm(kdl_module *module)
{
    const kdl_rms_norm_options *norm = kdl_module_fields(module);
    kdl__add_empty_parameter(module, "weight", norm->normalized_shape, norm->dtype,
                             norm->elementwise_affine);
    kdl_reset_parameters(module);
}

KDL__TABLE(rms_norm, kdl_rms_norm_options, KDL_RMS_NORM_DEFAULTS, 1,
           (.repr = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}",
            .expand = 1, .build = build_rms_norm),
           KDL__ARGUMENT(kdl_rms_norm_options, normalized_shape),
           KDL__OPTIONAL_ARGUMENT(kdl_rms_norm_options, eps),
           KDL__ARGUMENT(kdl_rms_norm_options, elementwise_affine),
           KDL__FACTORY(kdl_rms_norm_options))
KDL__LAYER(rms_norm, "RMSNorm", NULL, kdl_rms_norm_options, rms_norm_arguments,
           .reset_parameters = reset_norm)
