/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards of containers, linear layers and tables, and of what is Lazy. */
#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/nn.h"
#include "kindling/ops.h"

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
                           .max_norm = kdl_number(own->max_norm),
                           .norm_type = kdl_number(own->norm_type),
                           .scale_grad_by_freq = own->scale_grad_by_freq, .sparse = own->sparse);
}

/* {input, offsets, per_sample_weights}. */
static kdl_status embedding_bag(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                                kdl_tensor **outputs, int output_count)
{
    (void)input_count, (void)output_count;
    const kdl_embedding_bag_options *own = kdl_module_fields(module);
    outputs[0] = kdl_f_embedding_bag(
        inputs[0], kdl_parameter(module, "weight"), inputs[1],
        .max_norm = kdl_number(own->max_norm), .norm_type = kdl_number(own->norm_type),
        .scale_grad_by_freq = own->scale_grad_by_freq, .mode = own->mode,
        .per_sample_weights = inputs[2], .include_last_offset = own->include_last_offset,
        .padding_idx = own->padding_idx, .sparse = own->sparse);
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

static kdl_tensor *unflatten(kdl_module *module, kdl_tensor *input)
{
    const kdl_unflatten_options *own = kdl_module_fields(module);
    return kdl_unflatten(input, (int)own->dim, own->unflattened_size);
}

/*
 * PyTorch's first forward of a Lazy module: it gets its shapes and is another class from then on.
 */
static kdl_tensor *lazy(kdl_module *module, kdl_tensor *input)
{
    if (kdl_initialize_parameters(module, kdl_tensor_shape(input)))
        return NULL;
    return kdl__find_forward(module->class)->forward(module, input);
}

/* ---- the table --------------------------------------------------------------------------- */

#define LAZY_FORWARDS(n)                                                                           \
    KDL__ONE(KDL_CLASS_LAZY_CONV##n##D, lazy),                                                     \
        KDL__ONE(KDL_CLASS_LAZY_CONV_TRANSPOSE##n##D, lazy),                                       \
        KDL__ONE(KDL_CLASS_LAZY_BATCH_NORM##n##D, lazy),                                           \
        KDL__ONE(KDL_CLASS_LAZY_INSTANCE_NORM##n##D, lazy)

const kdl__forward_entry kdl__layer_forwards[] = {
    KDL__ONE(KDL_CLASS_SEQUENTIAL, sequential),
    KDL__ONE(KDL_CLASS_LINEAR, linear),
    KDL__ONE(KDL_CLASS_EMBEDDING, embedding),
    KDL__ONE(KDL_CLASS_FLATTEN, flatten),
    KDL__ONE(KDL_CLASS_IDENTITY, identity),
    KDL__ONE(KDL_CLASS_UNFLATTEN, unflatten),
    KDL__SEVERAL(KDL_CLASS_EMBEDDING_BAG, embedding_bag, 1, 3, 1),
    KDL__SEVERAL(KDL_CLASS_BILINEAR, bilinear, 2, 2, 1),
    KDL__ONE(KDL_CLASS_LAZY_LINEAR, lazy),
    LAZY_FORWARDS(1),
    LAZY_FORWARDS(2),
    LAZY_FORWARDS(3),
    KDL__END_OF_FORWARDS,
};
