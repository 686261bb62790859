/* SPDX-License-Identifier: Apache-2.0 */
/* Identity and Linear (torch/nn/modules/linear.py). */
#include <math.h>

#include "kindling/init.h"
#include "nn/layers.h"
#include "nn/module_impl.h"

const kdl_module_class kdl_class_identity = { .name = "Identity" };

kdl_module *kdl_nn_identity(kdl_context *ctx)
{
    return kdl_module_new(ctx, KDL_CLASS_IDENTITY);
}

static kdl_status linear_reset_parameters(kdl_module *module)
{
    const kdl__linear *linear = kdl_module_fields(module);
    kdl_tensor *weight = kdl_parameter(module, "weight"), *bias = kdl_parameter(module, "bias");
    if (weight)
        kdl_init_kaiming_uniform_(weight, .a = sqrt(5.0));
    if (bias) {
        /* Without inputs both ends are 0: not -0.0, which uniform_ would keep. */
        double bound = linear->in_features > 0 ? 1 / sqrt((double)linear->in_features) : 0;
        kdl_init_uniform_(bias, .a = bound > 0 ? -bound : 0, .b = bound);
    }
    return module->ctx->status;
}

static char *linear_extra_repr(const kdl_module *module)
{
    const kdl__linear *linear = kdl_module_fields(module);
    return kdl_format(module->ctx, "in_features=%lld, out_features=%lld, bias=%s",
                      (long long)linear->in_features, (long long)linear->out_features,
                      kdl__bool_name(kdl_parameter(module, "bias")));
}

const kdl_module_class kdl_class_linear = {
    .name = "Linear",
    .fields_nbytes = sizeof(kdl__linear),
    .reset_parameters = linear_reset_parameters,
    .extra_repr = linear_extra_repr,
};

kdl_module *kdl_nn_linear_with(kdl_context *ctx, int64_t in_features, int64_t out_features,
                               const kdl_linear_options *given)
{
    kdl_linear_options options = KDL_LINEAR_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_linear", &options, sizeof options, given))
        return NULL;
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_LINEAR);
    if (!module)
        return NULL;
    *(kdl__linear *)kdl_module_fields(module) = (kdl__linear){ in_features, out_features };
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(out_features, in_features), options.dtype,
                             true);
    kdl__add_empty_parameter(module, "bias", KDL_SHAPE(out_features), options.dtype, options.bias);
    kdl_reset_parameters(module);
    return kdl__module_finish(module);
}
