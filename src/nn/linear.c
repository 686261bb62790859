/* SPDX-License-Identifier: Apache-2.0 */
/* Identity, Linear, LazyLinear, Bilinear (torch/nn/modules/linear.py). */
#include <math.h>

#include "kindling/init.h"
#include "nn/arguments.h"

KDL__LAYER(identity, "Identity", NULL, size_t, kdl__no_arguments)

kdl_status kdl__reset_by_fan_in(kdl_module *module)
{
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    int64_t fan_in = 0, fan_out;
    if (!weight)
        return module->ctx->status;
    kdl_init_kaiming_uniform_(weight, .a = sqrt(5.0));
    if (bias && kdl_init_calculate_fan_in_and_fan_out(weight, &fan_in, &fan_out) == KDL_OK) {
        double bound = 1 / sqrt((double)fan_in);
        /* Python's -0 is 0, and uniform_ would keep the sign. */
        kdl_init_uniform_(bias, .a = fan_in > 0 ? -bound : 0, .b = fan_in > 0 ? bound : 0);
    }
    return module->ctx->status;
}

static void build_linear(kdl_module *module)
{
    const kdl_linear_options *linear = kdl_module_fields(module);
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(linear->out_features, linear->in_features),
                             linear->dtype, true);
    kdl__add_empty_parameter(module, "bias", KDL_SHAPE(linear->out_features), linear->dtype,
                             linear->bias);
    kdl_reset_parameters(module);
}

static const char linear_repr[] =
    "in_features={in_features}, out_features={out_features}, bias={bias?}";

KDL__TABLE(linear, kdl_linear_options, KDL_LINEAR_DEFAULTS, 2,
           (.repr = linear_repr, .build = build_linear),
           KDL__ARGUMENT(kdl_linear_options, in_features),
           KDL__ARGUMENT(kdl_linear_options, out_features), KDL__ARGUMENT(kdl_linear_options, bias),
           KDL__FACTORY(kdl_linear_options))
KDL__LAYER(linear, "Linear", NULL, kdl_linear_options, linear_arguments,
           .reset_parameters = kdl__reset_by_fan_in)

/* ---- LazyLinear -------------------------------------------------------------------------- */

static void build_lazy_linear(kdl_module *module)
{
    const kdl_linear_options *linear = kdl_module_fields(module);
    kdl__add_uninitialized_parameter(module, "weight", linear->dtype, true);
    kdl__add_uninitialized_parameter(module, "bias", linear->dtype, linear->bias);
}

static kdl_status reset_lazy_linear(kdl_module *module)
{
    const kdl_linear_options *linear = kdl_module_fields(module);
    if (kdl_has_uninitialized_params(module) || linear->in_features == 0)
        return KDL_OK;
    return kdl__reset_by_fan_in(module);
}

static void initialize_linear(kdl_module *module, const kdl_shape *input)
{
    kdl_linear_options *linear = kdl_module_fields(module);
    kdl_tensor *weight = kdl_parameter(module, "weight");
    if (input->ndim == 0) {
        kdl__fail_in(module, KDL_ERROR_INDEX, "tuple index out of range");
        return;
    }
    int64_t in_features = input->sizes[input->ndim - 1];
    if (kdl_has_uninitialized_params(module)) {
        linear->in_features = in_features;
        kdl__initialize_tensor(weight, KDL_SHAPE(linear->out_features, in_features));
        kdl__initialize_tensor(kdl_parameter(module, "bias"), KDL_SHAPE(linear->out_features));
        kdl_reset_parameters(module);
    } else if (weight && kdl_tensor_size(weight, -1) != in_features) {
        /* The weight was loaded, but not this. */
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                     "The in_features inferred from input: %lld is not equal to in_features from "
                     "self.weight: %lld",
                     (long long)in_features, (long long)kdl_tensor_size(weight, -1));
    } else {
        linear->in_features = in_features;
    }
}

KDL__TABLE(lazy_linear, kdl_linear_options, KDL_LINEAR_DEFAULTS, 1,
           (.hidden = 1, .repr = linear_repr, .build = build_lazy_linear,
            .becomes = KDL_CLASS_LINEAR, .initialize = initialize_linear),
           KDL__ARGUMENT(kdl_linear_options, in_features),
           KDL__ARGUMENT(kdl_linear_options, out_features), KDL__ARGUMENT(kdl_linear_options, bias),
           KDL__FACTORY(kdl_linear_options))
KDL__LAYER(lazy_linear, "LazyLinear", KDL_CLASS_LINEAR, kdl_linear_options, lazy_linear_arguments,
           .reset_parameters = reset_lazy_linear)

/* ---- Bilinear ---------------------------------------------------------------------------- */

static kdl_status reset_bilinear(kdl_module *module)
{
    const kdl_bilinear_options *bilinear = kdl_module_fields(module);
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    if (bilinear->in1_features <= 0)
        return kdl__fail_in(module, KDL_ERROR_VALUE,
                            "in1_features must be > 0, but got (in1_features={in1_features})");
    double bound = 1 / sqrt((double)bilinear->in1_features);
    if (weight)
        kdl_init_uniform_(weight, .a = -bound, .b = bound);
    if (bias)
        kdl_init_uniform_(bias, .a = -bound, .b = bound);
    return module->ctx->status;
}

static void build_bilinear(kdl_module *module)
{
    const kdl_bilinear_options *bilinear = kdl_module_fields(module);
    kdl_shape shape =
        KDL_SHAPE(bilinear->out_features, bilinear->in1_features, bilinear->in2_features);
    kdl__add_empty_parameter(module, "weight", shape, bilinear->dtype, true);
    kdl__add_empty_parameter(module, "bias", KDL_SHAPE(bilinear->out_features), bilinear->dtype,
                             bilinear->bias);
    kdl_reset_parameters(module);
}

KDL__TABLE(bilinear, kdl_bilinear_options, KDL_BILINEAR_DEFAULTS, 3,
           (.repr = "in1_features={in1_features}, in2_features={in2_features}, "
                    "out_features={out_features}, bias={bias?}",
            .build = build_bilinear),
           KDL__ARGUMENT(kdl_bilinear_options, in1_features),
           KDL__ARGUMENT(kdl_bilinear_options, in2_features),
           KDL__ARGUMENT(kdl_bilinear_options, out_features),
           KDL__ARGUMENT(kdl_bilinear_options, bias), KDL__FACTORY(kdl_bilinear_options))
KDL__LAYER(bilinear, "Bilinear", NULL, kdl_bilinear_options, bilinear_arguments,
           .reset_parameters = reset_bilinear)
