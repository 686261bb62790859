/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards of activations and dropouts. */
#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/nn.h"

/* ---- activations ------------------------------------------------------------------------- */

#define DEFINE_PLAIN(name, function)                                                               \
    static kdl_tensor *name(kdl_module *module, kdl_tensor *input)                                 \
    {                                                                                              \
        (void)module;                                                                              \
        return function(input);                                                                    \
    }
#define DEFINE_WITH(name, type, function, ...)                                                     \
    static kdl_tensor *name(kdl_module *module, kdl_tensor *input)                                 \
    {                                                                                              \
        const type *options = kdl_module_fields(module);                                           \
        return function(input, __VA_ARGS__);                                                       \
    }

DEFINE_PLAIN(relu, kdl_f_relu)
DEFINE_PLAIN(relu6, kdl_f_relu6)
DEFINE_PLAIN(sigmoid, kdl_sigmoid)
DEFINE_PLAIN(hyperbolic, kdl_tanh)
DEFINE_PLAIN(log_sigmoid, kdl_f_logsigmoid)
DEFINE_PLAIN(silu, kdl_f_silu)
DEFINE_PLAIN(mish, kdl_f_mish)
DEFINE_PLAIN(softsign, kdl_f_softsign)
DEFINE_PLAIN(tanhshrink, kdl_f_tanhshrink)
DEFINE_PLAIN(hardsigmoid, kdl_f_hardsigmoid)
DEFINE_PLAIN(hardswish, kdl_f_hardswish)
DEFINE_PLAIN(selu, kdl_f_selu)
DEFINE_WITH(gelu, kdl_gelu_options, kdl_f_gelu, options->approximate)
DEFINE_WITH(elu, kdl_elu_options, kdl_f_elu, kdl_number(options->alpha))
DEFINE_WITH(celu, kdl_elu_options, kdl_f_celu, kdl_number(options->alpha))
DEFINE_WITH(leaky_relu, kdl_leaky_relu_options, kdl_f_leaky_relu,
            kdl_number(options->negative_slope))
DEFINE_WITH(hardtanh, kdl_hardtanh_options, kdl_f_hardtanh, kdl_number(options->min_val),
            kdl_number(options->max_val))
DEFINE_WITH(softplus, kdl_softplus_options, kdl_f_softplus, kdl_number(options->beta),
            kdl_number(options->threshold))
DEFINE_WITH(softshrink, kdl_shrink_options, kdl_f_softshrink, kdl_number(options->lambd))
DEFINE_WITH(hardshrink, kdl_shrink_options, kdl_f_hardshrink, kdl_number(options->lambd))
DEFINE_WITH(threshold, kdl_threshold_options, kdl_f_threshold, kdl_number(options->threshold),
            kdl_number(options->value))

DEFINE_WITH(glu, kdl_dim_options, kdl_f_glu, (int)options->dim)

/* nn.PReLU's parameter, and nn.RReLU's draws while it trains. */
static kdl_tensor *prelu(kdl_module *module, kdl_tensor *input)
{
    return kdl_f_prelu(input, kdl_parameter(module, "weight"));
}

static kdl_tensor *rrelu(kdl_module *module, kdl_tensor *input)
{
    const kdl_rrelu_options *options = kdl_module_fields(module);
    return kdl_f_rrelu(input, kdl_number(options->lower), kdl_number(options->upper),
                       kdl_module_training(module));
}

/* ---- softmax ----------------------------------------------------------------------------- */

/* _get_softmax_dim: what dim=None means, with PyTorch's warning. */
static int softmax_dim(kdl_module *module, const kdl_tensor *input, const char *name)
{
    const kdl_dim_options *options = kdl_module_fields(module);
    if (options->dim != KDL_NONE_INT)
        return (int)options->dim;
    kdl__warn(module->ctx,
              "Implicit dimension choice for %s has been deprecated. Change the call to include "
              "dim=X as an argument.",
              name);
    int ndim = kdl_tensor_ndim(input);
    return ndim == 0 || ndim == 1 || ndim == 3 ? 0 : 1;
}

static kdl_tensor *softmax(kdl_module *module, kdl_tensor *input)
{
    return kdl_f_softmax(input, softmax_dim(module, input, "softmax"));
}

static kdl_tensor *log_softmax(kdl_module *module, kdl_tensor *input)
{
    return kdl_f_log_softmax(input, softmax_dim(module, input, "log_softmax"));
}

static kdl_tensor *softmin(kdl_module *module, kdl_tensor *input)
{
    return kdl_f_softmin(input, softmax_dim(module, input, "softmin"));
}

static kdl_tensor *softmax2d(kdl_module *module, kdl_tensor *input)
{
    int ndim = kdl_tensor_ndim(input);
    if (ndim == 3 || ndim == 4)
        return kdl_f_softmax(input, -3);
    kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                 "Softmax2d: expected input to be 3D or 4D, got %dD instead", ndim);
    return NULL;
}

/* ---- dropouts ---------------------------------------------------------------------------- */

#define DEFINE_DROPOUT(name, function)                                                             \
    static kdl_tensor *name(kdl_module *module, kdl_tensor *input)                                 \
    {                                                                                              \
        const kdl_dropout_options *options = kdl_module_fields(module);                            \
        return function(input, kdl_number(options->p), kdl_module_training(module));               \
    }
DEFINE_DROPOUT(dropout, kdl_f_dropout)
DEFINE_DROPOUT(dropout1d, kdl_f_dropout1d)
DEFINE_DROPOUT(dropout2d, kdl_f_dropout2d)
DEFINE_DROPOUT(dropout3d, kdl_f_dropout3d)
DEFINE_DROPOUT(alpha_dropout, kdl_f_alpha_dropout)
DEFINE_DROPOUT(feature_alpha_dropout, kdl_f_feature_alpha_dropout)

/* ---- the table --------------------------------------------------------------------------- */

const kdl__forward_entry kdl__element_forwards[] = {
    KDL__ONE(KDL_CLASS_RELU, relu),
    KDL__ONE(KDL_CLASS_TANH, hyperbolic),
    KDL__ONE(KDL_CLASS_SIGMOID, sigmoid),
    KDL__ONE(KDL_CLASS_GELU, gelu),
    KDL__ONE(KDL_CLASS_SILU, silu),
    KDL__ONE(KDL_CLASS_DROPOUT, dropout),
    KDL__ONE(KDL_CLASS_RELU6, relu6),
    KDL__ONE(KDL_CLASS_LOG_SIGMOID, log_sigmoid),
    KDL__ONE(KDL_CLASS_MISH, mish),
    KDL__ONE(KDL_CLASS_SOFTSIGN, softsign),
    KDL__ONE(KDL_CLASS_TANHSHRINK, tanhshrink),
    KDL__ONE(KDL_CLASS_HARDSIGMOID, hardsigmoid),
    KDL__ONE(KDL_CLASS_HARDSWISH, hardswish),
    KDL__ONE(KDL_CLASS_SELU, selu),
    KDL__ONE(KDL_CLASS_ELU, elu),
    KDL__ONE(KDL_CLASS_CELU, celu),
    KDL__ONE(KDL_CLASS_LEAKY_RELU, leaky_relu),
    KDL__ONE(KDL_CLASS_HARDTANH, hardtanh),
    KDL__ONE(KDL_CLASS_SOFTPLUS, softplus),
    KDL__ONE(KDL_CLASS_SOFTSHRINK, softshrink),
    KDL__ONE(KDL_CLASS_HARDSHRINK, hardshrink),
    KDL__ONE(KDL_CLASS_THRESHOLD, threshold),
    KDL__ONE(KDL_CLASS_SOFTMAX, softmax),
    KDL__ONE(KDL_CLASS_LOG_SOFTMAX, log_softmax),
    KDL__ONE(KDL_CLASS_GLU, glu),
    KDL__ONE(KDL_CLASS_PRELU, prelu),
    KDL__ONE(KDL_CLASS_RRELU, rrelu),
    KDL__ONE(KDL_CLASS_SOFTMIN, softmin),
    KDL__ONE(KDL_CLASS_SOFTMAX2D, softmax2d),
    KDL__ONE(KDL_CLASS_DROPOUT1D, dropout1d),
    KDL__ONE(KDL_CLASS_DROPOUT2D, dropout2d),
    KDL__ONE(KDL_CLASS_DROPOUT3D, dropout3d),
    KDL__ONE(KDL_CLASS_ALPHA_DROPOUT, alpha_dropout),
    KDL__ONE(KDL_CLASS_FEATURE_ALPHA_DROPOUT, feature_alpha_dropout),
    KDL__END_OF_FORWARDS,
};
