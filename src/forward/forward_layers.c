/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards of layers: containers, linear, norms, activations. */
#include <math.h>

#include "autograd/function.h"
#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/nn.h"

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
    const kdl_embedding_options *own = kdl_module_fields(module);
    return kdl_f_embedding(input, kdl_parameter(module, "weight"), .padding_idx = own->padding_idx,
                           .max_norm = own->max_norm, .norm_type = own->norm_type,
                           .scale_grad_by_freq = own->scale_grad_by_freq);
}

/* {input, offsets, per_sample_weights}. */
static kdl_status embedding_bag(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    const kdl_embedding_bag_options *own = kdl_module_fields(module);
    outputs[0] = kdl_f_embedding_bag(
        inputs[0], kdl_parameter(module, "weight"), inputs[1], .max_norm = own->max_norm,
        .norm_type = own->norm_type, .scale_grad_by_freq = own->scale_grad_by_freq,
        .mode = own->mode, .per_sample_weights = inputs[2],
        .include_last_offset = own->include_last_offset, .padding_idx = own->padding_idx);
    return module->ctx->status;
}

/* {input1, input2}. */
static kdl_status bilinear(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                           kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    outputs[0] = kdl_f_bilinear(inputs[0], inputs[1], kdl_parameter(module, "weight"),
                                kdl_parameter(module, "bias"));
    return module->ctx->status;
}

static kdl_tensor *flatten(kdl_module *module, kdl_tensor *input)
{
    const kdl_flatten_options *options = kdl_module_fields(module);
    return kdl_flatten(input, (int)options->start_dim, (int)options->end_dim);
}

/* ---- norms ------------------------------------------------------------------------------- */

static kdl_tensor *layer_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_layer_norm_options *own = kdl_module_fields(module);
    return kdl_f_layer_norm(input, own->normalized_shape, kdl_parameter(module, "weight"),
                            kdl_parameter(module, "bias"), own->eps);
}

static kdl_tensor *rms_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_rms_norm_options *own = kdl_module_fields(module);
    return kdl_f_rms_norm(input, own->normalized_shape, kdl_parameter(module, "weight"), own->eps);
}

static kdl_tensor *group_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_group_norm_options *own = kdl_module_fields(module);
    return kdl_f_group_norm(input, own->num_groups, kdl_parameter(module, "weight"),
                            kdl_parameter(module, "bias"), own->eps);
}

/* One more batch seen; momentum=None averages over all of them alike. */
static double batch_momentum(kdl_module *module, double momentum)
{
    kdl_tensor *seen = kdl_buffer(module, "num_batches_tracked");
    if (!seen || !kdl_module_training(module))
        return isnan(momentum) ? 0 : momentum;
    bool was = kdl_set_grad_enabled(module->ctx, false);
    kdl_add_(seen, 1);
    kdl_set_grad_enabled(module->ctx, was);
    return isnan(momentum) ? 1 / kdl_tensor_item(seen) : momentum;
}

/* BatchNorm's _check_input_dim(): ValueError (false). */
static bool check_batch_dims(const kdl_module *module, const kdl_tensor *input)
{
    int ndim = input->ndim;
    bool sync = kdl_isinstance(module, KDL_CLASS_SYNC_BATCH_NORM);
    bool one = kdl_isinstance(module, KDL_CLASS_BATCH_NORM1D);
    bool two = kdl_isinstance(module, KDL_CLASS_BATCH_NORM2D);
    bool fits = sync ? ndim >= 2 : one ? ndim == 2 || ndim == 3 : ndim == (two ? 4 : 5);
    if (!fits)
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                     "expected %s input (got %dD input)",
                     sync  ? "at least 2D"
                     : one ? "2D or 3D"
                     : two ? "4D"
                           : "5D",
                     ndim);
    return fits;
}

static kdl_tensor *batch_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_batch_norm_options *own = kdl_module_fields(module);
    if (!check_batch_dims(module, input))
        return NULL;
    double momentum = batch_momentum(module, own->momentum);
    kdl_tensor *mean = kdl_buffer(module, "running_mean"), *var = kdl_buffer(module, "running_var");
    bool by_batch = kdl_module_training(module) || !mean || !var;
    return kdl_f_batch_norm(input, mean, var, kdl_parameter(module, "weight"),
                            kdl_parameter(module, "bias"), by_batch, momentum, own->eps);
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

const kdl__forward_entry kdl__layer_forwards[] = {
    KDL__ONE(KDL_CLASS_SEQUENTIAL, sequential),
    KDL__ONE(KDL_CLASS_LINEAR, linear),
    KDL__ONE(KDL_CLASS_RELU, relu),
    KDL__ONE(KDL_CLASS_TANH, hyperbolic),
    KDL__ONE(KDL_CLASS_SIGMOID, sigmoid),
    KDL__ONE(KDL_CLASS_GELU, gelu),
    KDL__ONE(KDL_CLASS_SILU, silu),
    KDL__ONE(KDL_CLASS_EMBEDDING, embedding),
    KDL__SEVERAL(KDL_CLASS_EMBEDDING_BAG, embedding_bag, 1, 3, 1),
    KDL__SEVERAL(KDL_CLASS_BILINEAR, bilinear, 2, 2, 1),
    KDL__ONE(KDL_CLASS_DROPOUT, dropout),
    KDL__ONE(KDL_CLASS_FLATTEN, flatten),
    KDL__ONE(KDL_CLASS_IDENTITY, identity),
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
    KDL__ONE(KDL_CLASS_LAYER_NORM, layer_norm),
    KDL__ONE(KDL_CLASS_RMS_NORM, rms_norm),
    KDL__ONE(KDL_CLASS_GROUP_NORM, group_norm),
    KDL__ONE(KDL_CLASS_SYNC_BATCH_NORM, batch_norm),
    KDL__ONE(KDL_CLASS_BATCH_NORM1D, batch_norm),
    KDL__ONE(KDL_CLASS_BATCH_NORM2D, batch_norm),
    KDL__ONE(KDL_CLASS_BATCH_NORM3D, batch_norm),
    KDL__END_OF_FORWARDS,
};
