/* SPDX-License-Identifier: Apache-2.0 */
/* Identity and Linear (torch/nn/modules/linear.py). */
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

KDL__TABLE(linear, kdl_linear_options, KDL_LINEAR_DEFAULTS, 2,
           (.repr = "in_features={in_features}, out_features={out_features}, bias={bias?}",
            .build = build_linear),
           KDL__ARGUMENT(kdl_linear_options, in_features),
           KDL__ARGUMENT(kdl_linear_options, out_features), KDL__ARGUMENT(kdl_linear_options, bias),
           KDL__FACTORY(kdl_linear_options))
KDL__LAYER(linear, "Linear", NULL, kdl_linear_options, linear_arguments,
           .reset_parameters = kdl__reset_by_fan_in)
