/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNorm, RMSNorm, GroupNorm and the local ones (torch/nn/modules/normalization.py). */
#include "kindling/init.h"
#include "nn/arguments.h"

kdl_status kdl__reset_affine(kdl_module *module)
{
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    if (weight)
        kdl_init_ones_(weight);
    if (bias)
        kdl_init_zeros_(bias);
    return module->ctx->status;
}

void kdl__add_affine(kdl_module *module, kdl_shape shape, kdl_dtype dtype, bool affine, bool bias)
{
    kdl__add_empty_parameter(module, "weight", shape, dtype, affine);
    kdl__add_empty_parameter(module, "bias", shape, dtype, affine && bias);
}

static void build_layer_norm(kdl_module *module)
{
    const kdl_layer_norm_options *norm = kdl_module_fields(module);
    kdl__add_affine(module, norm->normalized_shape, norm->dtype, norm->elementwise_affine,
                    norm->bias);
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
           .reset_parameters = kdl__reset_affine)

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
           .reset_parameters = kdl__reset_affine)

/* ---- GroupNorm --------------------------------------------------------------------------- */

static void build_group_norm(kdl_module *module)
{
    const kdl_group_norm_options *norm = kdl_module_fields(module);
    if (norm->num_groups == 0) {
        kdl__fail_in(module, KDL_ERROR_ZERO_DIVISION, "integer modulo by zero");
        return;
    }
    if (norm->num_channels % norm->num_groups != 0) {
        kdl__fail_in(
            module, KDL_ERROR_VALUE,
            "num_channels ({num_channels}) must be divisible by num_groups ({num_groups})");
        return;
    }
    kdl__add_affine(module, KDL_SHAPE(norm->num_channels), norm->dtype, norm->affine, norm->bias);
    kdl_reset_parameters(module);
}

KDL__TABLE(group_norm, kdl_group_norm_options, KDL_GROUP_NORM_DEFAULTS, 2,
           (.repr = "{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias?}",
            .keyword_only = 1, .build = build_group_norm),
           KDL__ARGUMENT(kdl_group_norm_options, num_groups),
           KDL__ARGUMENT(kdl_group_norm_options, num_channels),
           KDL__ARGUMENT(kdl_group_norm_options, eps),
           KDL__ARGUMENT(kdl_group_norm_options, affine), KDL__FACTORY(kdl_group_norm_options),
           KDL__ARGUMENT(kdl_group_norm_options, bias))
KDL__LAYER(group_norm, "GroupNorm", NULL, kdl_group_norm_options, group_norm_arguments,
           .reset_parameters = kdl__reset_affine)

/* ---- local ------------------------------------------------------------------------------- */

static const char local_repr[] = "{size}, alpha={alpha}, beta={beta}, k={k}";

KDL__TABLE(local_response_norm, kdl_local_response_norm_options, KDL_LOCAL_RESPONSE_NORM_DEFAULTS,
           1, (.repr = local_repr), KDL__ARGUMENT(kdl_local_response_norm_options, size),
           KDL__ARGUMENT(kdl_local_response_norm_options, alpha),
           KDL__ARGUMENT(kdl_local_response_norm_options, beta),
           KDL__ARGUMENT(kdl_local_response_norm_options, k))
KDL__LAYER(local_response_norm, "LocalResponseNorm", NULL, kdl_local_response_norm_options,
           local_response_norm_arguments)

KDL__TABLE(cross_map_lrn2d, kdl_local_response_norm_options, KDL_CROSS_MAP_LRN2D_DEFAULTS, 1,
           (.repr = local_repr), KDL__ARGUMENT(kdl_local_response_norm_options, size),
           KDL__ARGUMENT(kdl_local_response_norm_options, alpha),
           KDL__ARGUMENT(kdl_local_response_norm_options, beta),
           KDL__ARGUMENT(kdl_local_response_norm_options, k))
KDL__LAYER(cross_map_lrn2d, "CrossMapLRN2d", NULL, kdl_local_response_norm_options,
           cross_map_lrn2d_arguments)
