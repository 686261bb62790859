/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding (torch/nn/modules/sparse.py). */
#include <math.h>

#include "kindling/init.h"
#include "kindling/ops.h"
#include "nn/layers.h"
#include "nn/module_impl.h"

void kdl__embedding_zero_padding(kdl_module *module)
{
    const kdl__embedding *embedding = kdl_module_fields(module);
    if (embedding->padding_idx == KDL_NONE_INT)
        return;
    kdl_tensor *row = kdl_select(kdl_parameter(module, "weight"), 0, embedding->padding_idx);
    kdl_zero_(row);
    kdl_tensor_release(row);
}

static kdl_status embedding_reset_parameters(kdl_module *module)
{
    kdl_init_normal_(kdl_parameter(module, "weight"));
    kdl__embedding_zero_padding(module);
    return module->ctx->status;
}

static char *embedding_extra_repr(const kdl_module *module)
{
    const kdl__embedding *embedding = kdl_module_fields(module);
    kdl__text text;
    kdl__text_init(&text, module->ctx);
    kdl__text_printf(&text, "%lld, %lld", (long long)embedding->num_embeddings,
                     (long long)embedding->embedding_dim);
    if (embedding->padding_idx != KDL_NONE_INT)
        kdl__text_printf(&text, ", padding_idx=%lld", (long long)embedding->padding_idx);
    if (!isnan(embedding->max_norm)) {
        kdl__text_puts(&text, ", max_norm=");
        kdl__text_repr(&text, embedding->max_norm);
    }
    if (embedding->norm_type != 2) {
        kdl__text_puts(&text, ", norm_type=");
        kdl__text_repr(&text, embedding->norm_type);
    }
    if (embedding->scale_grad_by_freq)
        kdl__text_puts(&text, ", scale_grad_by_freq=True");
    if (embedding->sparse)
        kdl__text_puts(&text, ", sparse=True");
    return kdl__text_take(&text);
}

const kdl_module_class kdl_class_embedding = {
    .name = "Embedding",
    .fields_nbytes = sizeof(kdl__embedding),
    .reset_parameters = embedding_reset_parameters,
    .extra_repr = embedding_extra_repr,
};

kdl_module *kdl_nn_embedding_with(kdl_context *ctx, int64_t num_embeddings, int64_t embedding_dim,
                                  const kdl_embedding_options *given)
{
    kdl_embedding_options options = KDL_EMBEDDING_DEFAULTS;
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_nn_embedding", &options, sizeof options, given))
        return NULL;
    int64_t padding_idx = options.padding_idx;
    if (padding_idx != KDL_NONE_INT) {
        if (padding_idx >= num_embeddings || padding_idx < -num_embeddings) {
            kdl__fail_at(ctx, "kdl_nn_embedding", KDL_ERROR_VALUE,
                         "Padding_idx must be within num_embeddings");
            return NULL;
        }
        padding_idx += padding_idx < 0 ? num_embeddings : 0;
    }
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_EMBEDDING);
    if (!module)
        return NULL;
    *(kdl__embedding *)kdl_module_fields(module) =
        (kdl__embedding){ .num_embeddings = num_embeddings,
                          .embedding_dim = embedding_dim,
                          .padding_idx = padding_idx,
                          .max_norm = options.max_norm,
                          .norm_type = options.norm_type,
                          .scale_grad_by_freq = options.scale_grad_by_freq,
                          .sparse = options.sparse };
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(num_embeddings, embedding_dim),
                             options.dtype, true);
    kdl_reset_parameters(module);
    return kdl__module_finish(module);
}
