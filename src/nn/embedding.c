/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding (torch/nn/modules/sparse.py). */
#include "kindling/init.h"
#include "kindling/ops.h"
#include "nn/arguments.h"

void kdl__embedding_zero_padding(kdl_module *module)
{
    const kdl_embedding_options *embedding = kdl_module_fields(module);
    if (embedding->padding_idx == KDL_NONE_INT)
        return;
    kdl_tensor *row = kdl_select(kdl_parameter(module, "weight"), 0, embedding->padding_idx);
    kdl_zero_(row);
    kdl_tensor_release(row);
}

static kdl_status reset_embedding(kdl_module *module)
{
    kdl_init_normal_(kdl_parameter(module, "weight"));
    kdl__embedding_zero_padding(module);
    return module->ctx->status;
}

static void build_embedding(kdl_module *module)
{
    kdl_embedding_options *embedding = kdl_module_fields(module);
    int64_t rows = embedding->num_embeddings, padding_idx = embedding->padding_idx;
    if (padding_idx != KDL_NONE_INT) {
        if (padding_idx >= rows || padding_idx < -rows) {
            kdl__fail_in(module, KDL_ERROR_VALUE, "Padding_idx must be within num_embeddings");
            return;
        }
        embedding->padding_idx += padding_idx < 0 ? rows : 0;
    }
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(rows, embedding->embedding_dim),
                             embedding->dtype, true);
    kdl_reset_parameters(module);
}

KDL__TABLE(embedding, kdl_embedding_options, KDL_EMBEDDING_DEFAULTS, 2,
           (.repr = "{num_embeddings}, {embedding_dim}[, padding_idx={padding_idx}]"
                    "[, max_norm={max_norm}][, norm_type={norm_type}]"
                    "[, scale_grad_by_freq={scale_grad_by_freq}][, sparse={sparse}]",
            .build = build_embedding),
           KDL__ARGUMENT(kdl_embedding_options, num_embeddings),
           KDL__ARGUMENT(kdl_embedding_options, embedding_dim),
           KDL__OPTIONAL_ARGUMENT(kdl_embedding_options, padding_idx),
           KDL__OPTIONAL_ARGUMENT(kdl_embedding_options, max_norm),
           KDL__ARGUMENT(kdl_embedding_options, norm_type),
           KDL__ARGUMENT(kdl_embedding_options, scale_grad_by_freq),
           KDL__ARGUMENT(kdl_embedding_options, sparse), KDL__FACTORY(kdl_embedding_options))
KDL__LAYER(embedding, "Embedding", NULL, kdl_embedding_options, embedding_arguments,
           .reset_parameters = reset_embedding)
