/* SPDX-License-Identifier: Apache-2.0 */
/* Activations (torch/nn/modules/activation.py). */
#include <math.h>
#include <string.h>

#include "kindling/init.h"
#include "nn/arguments.h"

/* ---- without arguments ------------------------------------------------------------------- */

KDL__LAYER(log_sigmoid, "LogSigmoid", NULL, size_t, kdl__no_arguments)
KDL__LAYER(sigmoid, "Sigmoid", NULL, size_t, kdl__no_arguments)
KDL__LAYER(softmax2d, "Softmax2d", NULL, size_t, kdl__no_arguments)
KDL__LAYER(softsign, "Softsign", NULL, size_t, kdl__no_arguments)
KDL__LAYER(tanh, "Tanh", NULL, size_t, kdl__no_arguments)
KDL__LAYER(tanhshrink, "Tanhshrink", NULL, size_t, kdl__no_arguments)

/* ---- in place or not --------------------------------------------------------------------- */

KDL__TABLE(silent, kdl_inplace_options, KDL_INPLACE_DEFAULTS, 0, (.repr = NULL),
           KDL__ARGUMENT(kdl_inplace_options, inplace))
KDL__LAYER(hardsigmoid, "Hardsigmoid", NULL, kdl_inplace_options, silent_arguments)
KDL__LAYER(hardswish, "Hardswish", NULL, kdl_inplace_options, silent_arguments)

KDL__TABLE(inplace, kdl_inplace_options, KDL_INPLACE_DEFAULTS, 0, (.repr = "[inplace={inplace}]"),
           KDL__ARGUMENT(kdl_inplace_options, inplace))
KDL__LAYER(mish, "Mish", NULL, kdl_inplace_options, inplace_arguments)
KDL__LAYER(relu, "ReLU", NULL, kdl_inplace_options, inplace_arguments)
KDL__LAYER(selu, "SELU", NULL, kdl_inplace_options, inplace_arguments)
KDL__LAYER(silu, "SiLU", NULL, kdl_inplace_options, inplace_arguments)

/* ---- with a dimension -------------------------------------------------------------------- */

KDL__TABLE(glu, kdl_dim_options, KDL_GLU_DEFAULTS, 0, (.repr = "dim={dim}"),
           KDL__ARGUMENT(kdl_dim_options, dim))
KDL__LAYER(glu, "GLU", NULL, kdl_dim_options, glu_arguments)

KDL__TABLE(dim, kdl_dim_options, KDL_DIM_DEFAULTS, 0, (.repr = "dim={dim}"),
           KDL__OPTIONAL_ARGUMENT(kdl_dim_options, dim))
KDL__LAYER(log_softmax, "LogSoftmax", NULL, kdl_dim_options, dim_arguments)
KDL__LAYER(softmax, "Softmax", NULL, kdl_dim_options, dim_arguments)
KDL__LAYER(softmin, "Softmin", NULL, kdl_dim_options, dim_arguments)

/* ---- with numbers ------------------------------------------------------------------------ */

KDL__TABLE(elu, kdl_elu_options, KDL_ELU_DEFAULTS, 0,
           (.repr = "alpha={alpha}[, inplace={inplace}]"), KDL__ARGUMENT(kdl_elu_options, alpha),
           KDL__ARGUMENT(kdl_elu_options, inplace))
KDL__LAYER(celu, "CELU", NULL, kdl_elu_options, elu_arguments)
KDL__LAYER(elu, "ELU", NULL, kdl_elu_options, elu_arguments)

static void check_gelu(kdl_module *module)
{
    const kdl_gelu_options *gelu = kdl_module_fields(module);
    if (strcmp(gelu->approximate, "tanh") != 0 && strcmp(gelu->approximate, "none") != 0)
        kdl__fail_in(module, KDL_ERROR_RUNTIME,
                     "approximate argument must be either none or tanh.");
}

KDL__TABLE(gelu, kdl_gelu_options, KDL_GELU_DEFAULTS, 0,
           (.repr = "approximate={approximate!r}", .build = check_gelu),
           KDL__ARGUMENT(kdl_gelu_options, approximate))
KDL__LAYER(gelu, "GELU", NULL, kdl_gelu_options, gelu_arguments)

KDL__TABLE(shrink, kdl_shrink_options, KDL_SHRINK_DEFAULTS, 0, (.repr = "{lambd}"),
           KDL__ARGUMENT(kdl_shrink_options, lambd))
KDL__LAYER(hardshrink, "Hardshrink", NULL, kdl_shrink_options, shrink_arguments)
KDL__LAYER(softshrink, "Softshrink", NULL, kdl_shrink_options, shrink_arguments)

static void rename_bound(kdl_module *module, const char *name, double deprecated, double *bound)
{
    if (isnan(kdl_number(deprecated)))
        return;
    kdl__warn(module->ctx, "keyword argument `%s_value` is deprecated and renamed to `%s_val`",
              name, name);
    *bound = deprecated;
}

static void check_hardtanh(kdl_module *module)
{
    kdl_hardtanh_options *hardtanh = kdl_module_fields(module);
    rename_bound(module, "min", hardtanh->min_value, &hardtanh->min_val);
    rename_bound(module, "max", hardtanh->max_value, &hardtanh->max_val);
    if (kdl_number(hardtanh->max_val) <= kdl_number(hardtanh->min_val))
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "max_val ({max_val}) must be greater than min_val ({min_val})");
}

KDL__TABLE(hardtanh, kdl_hardtanh_options, KDL_HARDTANH_DEFAULTS, 0,
           (.repr = "min_val={min_val}, max_val={max_val}[, inplace={inplace}]",
            .build = check_hardtanh),
           KDL__ARGUMENT(kdl_hardtanh_options, min_val),
           KDL__ARGUMENT(kdl_hardtanh_options, max_val),
           KDL__ARGUMENT(kdl_hardtanh_options, inplace),
           KDL__OPTIONAL_ARGUMENT(kdl_hardtanh_options, min_value),
           KDL__OPTIONAL_ARGUMENT(kdl_hardtanh_options, max_value))
KDL__LAYER(hardtanh, "Hardtanh", NULL, kdl_hardtanh_options, hardtanh_arguments)

KDL__TABLE(relu6, kdl_hardtanh_options, KDL_RELU6_DEFAULTS, 0, (.repr = "[inplace={inplace}]"),
           KDL__ARGUMENT(kdl_hardtanh_options, inplace))
KDL__LAYER(relu6, "ReLU6", KDL_CLASS_HARDTANH, kdl_hardtanh_options, relu6_arguments)

KDL__TABLE(leaky_relu, kdl_leaky_relu_options, KDL_LEAKY_RELU_DEFAULTS, 0,
           (.repr = "negative_slope={negative_slope}[, inplace={inplace}]"),
           KDL__ARGUMENT(kdl_leaky_relu_options, negative_slope),
           KDL__ARGUMENT(kdl_leaky_relu_options, inplace))
KDL__LAYER(leaky_relu, "LeakyReLU", NULL, kdl_leaky_relu_options, leaky_relu_arguments)

static kdl_status reset_prelu(kdl_module *module)
{
    const kdl_prelu_options *prelu = kdl_module_fields(module);
    return kdl_init_constant_(kdl_parameter(module, "weight"), kdl_number(prelu->init));
}

static void build_prelu(kdl_module *module)
{
    const kdl_prelu_options *prelu = kdl_module_fields(module);
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(prelu->num_parameters), prelu->dtype,
                             true);
    kdl_reset_parameters(module);
}

KDL__TABLE(prelu, kdl_prelu_options, KDL_PRELU_DEFAULTS, 0,
           (.repr = "num_parameters={num_parameters}", .build = build_prelu),
           KDL__ARGUMENT(kdl_prelu_options, num_parameters), KDL__ARGUMENT(kdl_prelu_options, init),
           KDL__FACTORY(kdl_prelu_options))
KDL__LAYER(prelu, "PReLU", NULL, kdl_prelu_options, prelu_arguments,
           .reset_parameters = reset_prelu)

KDL__TABLE(rrelu, kdl_rrelu_options, KDL_RRELU_DEFAULTS, 0,
           (.repr = "lower={lower}, upper={upper}[, inplace={inplace}]"),
           KDL__ARGUMENT(kdl_rrelu_options, lower), KDL__ARGUMENT(kdl_rrelu_options, upper),
           KDL__ARGUMENT(kdl_rrelu_options, inplace))
KDL__LAYER(rrelu, "RReLU", NULL, kdl_rrelu_options, rrelu_arguments)

KDL__TABLE(softplus, kdl_softplus_options, KDL_SOFTPLUS_DEFAULTS, 0,
           (.repr = "beta={beta}, threshold={threshold}"),
           KDL__ARGUMENT(kdl_softplus_options, beta),
           KDL__ARGUMENT(kdl_softplus_options, threshold))
KDL__LAYER(softplus, "Softplus", NULL, kdl_softplus_options, softplus_arguments)

KDL__TABLE(threshold, kdl_threshold_options, KDL_THRESHOLD_DEFAULTS, 2,
           (.repr = "threshold={threshold}, value={value}[, inplace={inplace}]"),
           KDL__ARGUMENT(kdl_threshold_options, threshold),
           KDL__ARGUMENT(kdl_threshold_options, value),
           KDL__ARGUMENT(kdl_threshold_options, inplace))
KDL__LAYER(threshold, "Threshold", NULL, kdl_threshold_options, threshold_arguments)
