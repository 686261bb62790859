/* SPDX-License-Identifier: Apache-2.0 */
/* Activations (torch/nn/modules/activation.py). */
#include <string.h>

#include "kindling/init.h"
#include "nn/layers.h"
#include "nn/module_impl.h"

static kdl_module *activation_new(kdl_context *ctx, const kdl_module_class *class,
                                  kdl__activation fields)
{
    kdl_module *module = kdl_module_new(ctx, class);
    if (module)
        *(kdl__activation *)kdl_module_fields(module) = fields;
    return module;
}

/* ---- with an `inplace` only -------------------------------------------------------------- */

static char *inplace_extra_repr(const kdl_module *module)
{
    const kdl__activation *fields = kdl_module_fields(module);
    return kdl__strdup(module->ctx, fields->inplace ? "inplace=True" : "");
}

static kdl_module *inplace_new(kdl_context *ctx, const kdl_module_class *class, const char *place,
                               const kdl_inplace_options *given)
{
    kdl_inplace_options options = KDL_INPLACE_DEFAULTS;
    if (kdl__failed(ctx) || !kdl__read_options(ctx, place, &options, sizeof options, given))
        return NULL;
    return activation_new(ctx, class, (kdl__activation){ .inplace = options.inplace });
}

#define INPLACE_ACTIVATION(title, lower, repr)                                                     \
    const kdl_module_class kdl_class_##lower = {                                                   \
        .name = (title),                                                                           \
        .fields_nbytes = sizeof(kdl__activation),                                                  \
        .extra_repr = (repr),                                                                      \
    };                                                                                             \
    kdl_module *kdl_nn_##lower##_with(kdl_context *ctx, const kdl_inplace_options *options)        \
    {                                                                                              \
        return inplace_new(ctx, &kdl_class_##lower, "kdl_nn_" #lower, options);                    \
    }

INPLACE_ACTIVATION("ReLU", relu, inplace_extra_repr)
INPLACE_ACTIVATION("ReLU6", relu6, inplace_extra_repr)
INPLACE_ACTIVATION("SiLU", silu, inplace_extra_repr)
INPLACE_ACTIVATION("Mish", mish, inplace_extra_repr)
INPLACE_ACTIVATION("Hardswish", hardswish, NULL)

/* ---- without arguments ------------------------------------------------------------------- */

const kdl_module_class kdl_class_sigmoid = { .name = "Sigmoid" };
const kdl_module_class kdl_class_tanh = { .name = "Tanh" };

kdl_module *kdl_nn_sigmoid(kdl_context *ctx)
{
    return kdl_module_new(ctx, KDL_CLASS_SIGMOID);
}

kdl_module *kdl_nn_tanh(kdl_context *ctx)
{
    return kdl_module_new(ctx, KDL_CLASS_TANH);
}

/* ---- GELU -------------------------------------------------------------------------------- */

static char *gelu_extra_repr(const kdl_module *module)
{
    const kdl__activation *fields = kdl_module_fields(module);
    return kdl_format(module->ctx, "approximate='%s'", fields->approximate);
}

const kdl_module_class kdl_class_gelu = {
    .name = "GELU",
    .fields_nbytes = sizeof(kdl__activation),
    .extra_repr = gelu_extra_repr,
};

kdl_module *kdl_nn_gelu_with(kdl_context *ctx, const kdl_gelu_options *given)
{
    kdl_gelu_options options = KDL_GELU_DEFAULTS;
    if (kdl__failed(ctx) || !kdl__read_options(ctx, "kdl_nn_gelu", &options, sizeof options, given))
        return NULL;
    bool tanh_form = strcmp(options.approximate, "tanh") == 0;
    if (!tanh_form && strcmp(options.approximate, "none") != 0) {
        kdl__fail_at(ctx, "kdl_nn_gelu", KDL_ERROR_VALUE,
                     "approximate argument must be either none or tanh.");
        return NULL;
    }
    return activation_new(ctx, KDL_CLASS_GELU,
                          (kdl__activation){ .approximate = tanh_form ? "tanh" : "none" });
}

/* ---- LeakyReLU --------------------------------------------------------------------------- */

static char *leaky_relu_extra_repr(const kdl_module *module)
{
    const kdl__activation *fields = kdl_module_fields(module);
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    kdl__text_puts(&text, "negative_slope=");
    kdl__text_repr(&text, fields->negative_slope);
    kdl__text_puts(&text, fields->inplace ? ", inplace=True" : "");
    return kdl__text_take(&text);
}

const kdl_module_class kdl_class_leaky_relu = {
    .name = "LeakyReLU",
    .fields_nbytes = sizeof(kdl__activation),
    .extra_repr = leaky_relu_extra_repr,
};

kdl_module *kdl_nn_leaky_relu_with(kdl_context *ctx, const kdl_leaky_relu_options *given)
{
    kdl_leaky_relu_options options = KDL_LEAKY_RELU_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_leaky_relu", &options, sizeof options, given))
        return NULL;
    return activation_new(
        ctx, KDL_CLASS_LEAKY_RELU,
        (kdl__activation){ .negative_slope = options.negative_slope, .inplace = options.inplace });
}

/* ---- PReLU ------------------------------------------------------------------------------- */

static kdl_status prelu_reset_parameters(kdl_module *module)
{
    const kdl__activation *fields = kdl_module_fields(module);
    return kdl_init_constant_(kdl_parameter(module, "weight"), fields->init);
}

static char *prelu_extra_repr(const kdl_module *module)
{
    const kdl__activation *fields = kdl_module_fields(module);
    return kdl_format(module->ctx, "num_parameters=%lld", (long long)fields->num_parameters);
}

const kdl_module_class kdl_class_prelu = {
    .name = "PReLU",
    .fields_nbytes = sizeof(kdl__activation),
    .reset_parameters = prelu_reset_parameters,
    .extra_repr = prelu_extra_repr,
};

kdl_module *kdl_nn_prelu_with(kdl_context *ctx, const kdl_prelu_options *given)
{
    kdl_prelu_options options = KDL_PRELU_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_prelu", &options, sizeof options, given))
        return NULL;
    kdl_module *module = activation_new(
        ctx, KDL_CLASS_PRELU,
        (kdl__activation){ .num_parameters = options.num_parameters, .init = options.init });
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(options.num_parameters), options.dtype,
                             true);
    kdl_reset_parameters(module);
    return kdl__module_finish(module);
}
