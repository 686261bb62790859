/* SPDX-License-Identifier: Apache-2.0 */
/* MultiheadAttention (torch/nn/modules/activation.py). */
#include "kindling/init.h"
#include "nn/arguments.h"

/* Linear under another name, which keeps PyTorch's dynamic quantisation away from it. */
const kdl_module_class kdl_class_non_dynamically_quantizable_linear = {
    .name = "NonDynamicallyQuantizableLinear",
    .parent = KDL_CLASS_LINEAR,
};

kdl_status kdl_multihead_attention_reset_parameters(kdl_module *module)
{
    static const char *const weights[] = { "in_proj_weight", "q_proj_weight", "k_proj_weight",
                                           "v_proj_weight" };
    if (!kdl__refuses_type(module, KDL_CLASS_MULTIHEAD_ATTENTION, __func__)) {
        for (int i = 0; i < KDL__LENGTH(weights); i++) {
            kdl_tensor *weight = kdl_parameter(module, weights[i]);
            if (weight)
                kdl_init_xavier_uniform_(weight);
        }
        if (kdl_parameter(module, "in_proj_bias")) {
            kdl_init_constant_(kdl_parameter(module, "in_proj_bias"), 0);
            kdl_init_constant_(kdl_parameter(module, "out_proj.bias"), 0);
        }
        if (kdl_parameter(module, "bias_k"))
            kdl_init_xavier_normal_(kdl_parameter(module, "bias_k"));
        if (kdl_parameter(module, "bias_v"))
            kdl_init_xavier_normal_(kdl_parameter(module, "bias_v"));
    }
    return kdl__module_refusal(module);
}

static bool check_attention(kdl_module *module)
{
    kdl_multihead_attention_options *attention = kdl_module_fields(module);
    if (attention->embed_dim <= 0 || attention->num_heads <= 0)
        kdl__fail_in(module, KDL_ERROR_VALUE,
                     "embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} "
                     "and num_heads={num_heads} instead");
    else if (attention->embed_dim % attention->num_heads != 0)
        kdl__fail_in(module, KDL_ERROR_VALUE, "embed_dim must be divisible by num_heads");
    if (attention->kdim == KDL_NONE_INT)
        attention->kdim = attention->embed_dim;
    if (attention->vdim == KDL_NONE_INT)
        attention->vdim = attention->embed_dim;
    return !kdl__failed(module->ctx);
}

/* One matrix for queries, keys and values, or one for each: those that are not there are None. */
static void add_projections(kdl_module *module, int64_t fused_rows)
{
    const kdl_multihead_attention_options *attention = kdl_module_fields(module);
    int64_t width = attention->embed_dim;
    bool fused = attention->kdim == width && attention->vdim == width;
    kdl__add_empty_parameter(module, "q_proj_weight", KDL_SHAPE(width, width), attention->dtype,
                             !fused);
    kdl__add_empty_parameter(module, "k_proj_weight", KDL_SHAPE(width, attention->kdim),
                             attention->dtype, !fused);
    kdl__add_empty_parameter(module, "v_proj_weight", KDL_SHAPE(width, attention->vdim),
                             attention->dtype, !fused);
    kdl__add_empty_parameter(module, "in_proj_weight", KDL_SHAPE(fused_rows, width),
                             attention->dtype, fused);
    kdl__add_empty_parameter(module, "in_proj_bias", KDL_SHAPE(fused_rows), attention->dtype,
                             attention->bias);
}

static void build_attention(kdl_module *module)
{
    const kdl_multihead_attention_options *attention = kdl_module_fields(module);
    kdl_linear_options linear = KDL_LINEAR_DEFAULTS;
    int64_t fused_rows;
    if (!check_attention(module) ||
        !kdl__size_product(module, 3, attention->embed_dim, &fused_rows))
        return;
    add_projections(module, fused_rows);
    linear.in_features = linear.out_features = attention->embed_dim;
    linear.bias = attention->bias;
    linear.dtype = attention->dtype;
    kdl_add_module(module, "out_proj",
                   kdl_nn_new(module->ctx, KDL_CLASS_NON_DYNAMICALLY_QUANTIZABLE_LINEAR, &linear));
    if (attention->add_bias_kv) {
        kdl_shape shape = KDL_SHAPE(1, 1, attention->embed_dim);
        kdl__add_empty_parameter(module, "bias_k", shape, attention->dtype, true);
        kdl__add_empty_parameter(module, "bias_v", shape, attention->dtype, true);
    }
    kdl_multihead_attention_reset_parameters(module);
}

KDL__TABLE(multihead_attention, kdl_multihead_attention_options, KDL_MULTIHEAD_ATTENTION_DEFAULTS,
           2, (.build = build_attention), KDL__ARGUMENT(kdl_multihead_attention_options, embed_dim),
           KDL__ARGUMENT(kdl_multihead_attention_options, num_heads),
           KDL__ARGUMENT(kdl_multihead_attention_options, dropout),
           KDL__ARGUMENT(kdl_multihead_attention_options, bias),
           KDL__ARGUMENT(kdl_multihead_attention_options, add_bias_kv),
           KDL__ARGUMENT(kdl_multihead_attention_options, add_zero_attn),
           KDL__OPTIONAL_ARGUMENT(kdl_multihead_attention_options, kdim),
           KDL__OPTIONAL_ARGUMENT(kdl_multihead_attention_options, vdim),
           KDL__ARGUMENT(kdl_multihead_attention_options, batch_first),
           KDL__FACTORY(kdl_multihead_attention_options))
KDL__LAYER(multihead_attention, "MultiheadAttention", NULL, kdl_multihead_attention_options,
           multihead_attention_arguments)
