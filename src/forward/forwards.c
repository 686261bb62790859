/* SPDX-License-Identifier: Apache-2.0 */
/* forward: what torch.nn's modules compute, by their class. */
#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/nn.h"
#include "nn/module_impl.h"

/* ---- containers and layers --------------------------------------------------------------- */

static kdl_tensor *sequential(kdl_module *module, kdl_tensor *input)
{
    kdl_tensor *value = kdl_tensor_retain(input);
    /* By index: an iteration would give a module that is there twice once. */
    for (int64_t i = 0; value && i < kdl_child_count(module); i++) {
        kdl_tensor *next = kdl_forward(kdl_child(module, i), value);
        kdl_tensor_release(value);
        value = next;
    }
    return value;
}

static kdl_tensor *identity(kdl_module *module, kdl_tensor *input)
{
    (void)module;
    return kdl_tensor_retain(input);
}

static kdl_tensor *linear(kdl_module *module, kdl_tensor *input)
{
    return kdl_f_linear(input, kdl_parameter(module, "weight"), kdl_parameter(module, "bias"));
}

static kdl_tensor *embedding(kdl_module *module, kdl_tensor *input)
{
    const kdl_embedding_options *options = kdl_module_fields(module);
    return kdl_f_embedding(input, kdl_parameter(module, "weight"), options->padding_idx);
}

static kdl_tensor *flatten(kdl_module *module, kdl_tensor *input)
{
    const kdl_flatten_options *options = kdl_module_fields(module);
    return kdl_flatten(input, (int)options->start_dim, (int)options->end_dim);
}

static kdl_tensor *dropout(kdl_module *module, kdl_tensor *input)
{
    const kdl_dropout_options *options = kdl_module_fields(module);
    return kdl_f_dropout(input, options->p, kdl_module_training(module));
}

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
DEFINE_WITH(elu, kdl_elu_options, kdl_f_elu, options->alpha)
DEFINE_WITH(celu, kdl_elu_options, kdl_f_celu, options->alpha)
DEFINE_WITH(leaky_relu, kdl_leaky_relu_options, kdl_f_leaky_relu, options->negative_slope)
DEFINE_WITH(hardtanh, kdl_hardtanh_options, kdl_f_hardtanh, options->min_val, options->max_val)
DEFINE_WITH(softplus, kdl_softplus_options, kdl_f_softplus, options->beta, options->threshold)
DEFINE_WITH(softshrink, kdl_shrink_options, kdl_f_softshrink, options->lambd)
DEFINE_WITH(hardshrink, kdl_shrink_options, kdl_f_hardshrink, options->lambd)
DEFINE_WITH(threshold, kdl_threshold_options, kdl_f_threshold, options->threshold, options->value)

static kdl_tensor *softmax(kdl_module *module, kdl_tensor *input)
{
    const kdl_dim_options *options = kdl_module_fields(module);
    return kdl_f_softmax(input, (int)options->dim);
}

static kdl_tensor *log_softmax(kdl_module *module, kdl_tensor *input)
{
    const kdl_dim_options *options = kdl_module_fields(module);
    return kdl_f_log_softmax(input, (int)options->dim);
}

/* ---- the table --------------------------------------------------------------------------- */

static const struct {
    const kdl_module_class *class;
    kdl__forward *forward;
} forwards[] = {
    { KDL_CLASS_SEQUENTIAL, sequential },
    { KDL_CLASS_LINEAR, linear },
    { KDL_CLASS_RELU, relu },
    { KDL_CLASS_TANH, hyperbolic },
    { KDL_CLASS_SIGMOID, sigmoid },
    { KDL_CLASS_GELU, gelu },
    { KDL_CLASS_SILU, silu },
    { KDL_CLASS_EMBEDDING, embedding },
    { KDL_CLASS_DROPOUT, dropout },
    { KDL_CLASS_FLATTEN, flatten },
    { KDL_CLASS_IDENTITY, identity },
    { KDL_CLASS_RELU6, relu6 },
    { KDL_CLASS_LOG_SIGMOID, log_sigmoid },
    { KDL_CLASS_MISH, mish },
    { KDL_CLASS_SOFTSIGN, softsign },
    { KDL_CLASS_TANHSHRINK, tanhshrink },
    { KDL_CLASS_HARDSIGMOID, hardsigmoid },
    { KDL_CLASS_HARDSWISH, hardswish },
    { KDL_CLASS_SELU, selu },
    { KDL_CLASS_ELU, elu },
    { KDL_CLASS_CELU, celu },
    { KDL_CLASS_LEAKY_RELU, leaky_relu },
    { KDL_CLASS_HARDTANH, hardtanh },
    { KDL_CLASS_SOFTPLUS, softplus },
    { KDL_CLASS_SOFTSHRINK, softshrink },
    { KDL_CLASS_HARDSHRINK, hardshrink },
    { KDL_CLASS_THRESHOLD, threshold },
    { KDL_CLASS_SOFTMAX, softmax },
    { KDL_CLASS_LOG_SOFTMAX, log_softmax },
};

static kdl__forward *find_forward(const kdl_module_class *class)
{
    for (size_t i = 0; i < sizeof forwards / sizeof *forwards; i++)
        if (forwards[i].class == class)
            return forwards[i].forward;
    return NULL;
}

kdl_status kdl_train_enable(kdl_context *ctx)
{
    static const kdl__forwards table = { find_forward };
    if (kdl__autograd_enable(ctx) == KDL_OK)
        kdl__slot_set(ctx, KDL__SLOT_FORWARDS, (void *)&table, NULL);
    return ctx->status;
}
