/* SPDX-License-Identifier: Apache-2.0 */
/* Modules of transformers that several families use: Conv1D and the activations. */
#include <string.h>

#include "models/models_impl.h"

kdl_module *kdl__hf_linear(const kdl__config *config, int64_t in_features, int64_t out_features,
                           bool bias)
{
    return kdl_nn_linear(config->ctx, in_features, out_features, .bias = bias,
                         .dtype = config->dtype);
}

/* ---- Conv1D (transformers/pytorch_utils.py) ---------------------------------------------- */

typedef struct conv1d {
    int64_t nf, nx;
} conv1d;

static char *conv1d_extra_repr(const kdl_module *module)
{
    const conv1d *fields = kdl_module_fields(module);
    return kdl_format(module->ctx, "nf=%lld, nx=%lld", (long long)fields->nf,
                      (long long)fields->nx);
}

const kdl_module_class kdl__class_conv1d = {
    .name = "Conv1D",
    .fields_nbytes = sizeof(conv1d),
    .extra_repr = conv1d_extra_repr,
};

kdl_module *kdl__conv1d(kdl_context *ctx, int64_t nf, int64_t nx, kdl_dtype dtype)
{
    kdl_module *module = kdl_module_new(ctx, &kdl__class_conv1d);
    if (!module)
        return NULL;
    *(conv1d *)kdl_module_fields(module) = (conv1d){ nf, nx };
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(nx, nf), dtype, true);
    kdl__add_empty_parameter(module, "bias", KDL_SHAPE(nf), dtype, true);
    kdl_init_zeros_(kdl_parameter(module, "bias"));
    kdl_init_normal_(kdl_parameter(module, "weight"), .std = 0.02);
    return kdl__module_finish(module);
}

/* ---- activations (transformers/activations.py) ------------------------------------------- */

/* xIELU's numbers are bfloat16 whatever the model's dtype. */
static kdl_tensor *xielu_number(kdl_context *ctx, kdl_shape shape, double value)
{
    return kdl_full(ctx, shape, value, .dtype = KDL_BF16);
}

static void xielu_fill(kdl_module *module)
{
    kdl_context *ctx = module->ctx;
    /* log(expm1(0.8)) and log(expm1(0.8 - 0.5)), each step rounded to bfloat16. */
    kdl_register_parameter(module, "alpha_p",
                           kdl_parameter_new(xielu_number(ctx, KDL_SHAPE(1), 0.2041015625)));
    kdl_register_parameter(module, "alpha_n",
                           kdl_parameter_new(xielu_number(ctx, KDL_SHAPE(1), -1.046875)));
    kdl_register_buffer(module, "beta", xielu_number(ctx, KDL_SCALAR_SHAPE, 0.5));
    kdl_register_buffer(module, "eps", xielu_number(ctx, KDL_SCALAR_SHAPE, -1e-6));
}

/* Those of transformers' own, which remember nothing that is printed. */
static const struct {
    const char *name;
    kdl_module_class class;
    void (*fill)(kdl_module *module);
} activations[] = {
    { "gelu", { .name = "GELUActivation" }, NULL },
    { "gelu_10", { .name = "ClippedGELUActivation" }, NULL },
    { "gelu_fast", { .name = "FastGELUActivation" }, NULL },
    { "gelu_new", { .name = "NewGELUActivation" }, NULL },
    { "gelu_python", { .name = "GELUActivation" }, NULL },
    { "gelu_pytorch_tanh", { .name = "GELUTanh" }, NULL },
    { "gelu_python_tanh", { .name = "GELUTanh" }, NULL },
    { "gelu_accurate", { .name = "AccurateGELUActivation" }, NULL },
    { "laplace", { .name = "LaplaceActivation" }, NULL },
    { "linear", { .name = "LinearActivation" }, NULL },
    { "mish", { .name = "MishActivation" }, NULL },
    { "quick_gelu", { .name = "QuickGELUActivation" }, NULL },
    { "relu2", { .name = "ReLUSquaredActivation" }, NULL },
    { "silu", { .name = "SiLUActivation" }, NULL },
    { "sqrtsoftplus", { .name = "SqrtSoftplusActivation" }, NULL },
    { "xielu", { .name = "XIELUActivation" }, xielu_fill },
};

/* Those of torch.nn; NULL without an error for another name. */
static kdl_module *torch_activation(const kdl__config *config, const char *name)
{
    kdl_context *ctx = config->ctx;
    if (strcmp(name, "hardswish") == 0)
        return kdl_nn_hardswish(ctx);
    if (strcmp(name, "leaky_relu") == 0)
        return kdl_nn_leaky_relu(ctx);
    if (strcmp(name, "prelu") == 0)
        return kdl_nn_prelu(ctx, .dtype = config->dtype);
    if (strcmp(name, "relu") == 0)
        return kdl_nn_relu(ctx);
    if (strcmp(name, "relu6") == 0)
        return kdl_nn_relu6(ctx);
    if (strcmp(name, "sigmoid") == 0)
        return kdl_nn_sigmoid(ctx);
    if (strcmp(name, "swish") == 0)
        return kdl_nn_silu(ctx);
    if (strcmp(name, "tanh") == 0)
        return kdl_nn_tanh(ctx);
    return NULL;
}

kdl_module *kdl__hf_activation(const kdl__config *config, const char *field, const char *name)
{
    kdl_context *ctx = config->ctx;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (strcmp(name, activations[i].name) != 0)
            continue;
        kdl_module *module = kdl_module_new(ctx, &activations[i].class);
        if (module && activations[i].fill)
            activations[i].fill(module);
        return kdl__module_finish(module);
    }
    kdl_module *module = torch_activation(config, name);
    if (!module)
        kdl__fail_at(ctx, "kdl_model_from_config", KDL_ERROR_FORMAT,
                     "\"%s\" is \"%s\", which is no activation that transformers has", field, name);
    return module;
}
