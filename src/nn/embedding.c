/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding and EmbeddingBag (torch/nn/modules/sparse.py). */
#include "kindling/init.h"
#include "kindling/ops.h"
#include "nn/arguments.h"

/* What both do with the arguments that they share. */
typedef struct rows {
    int64_t *num_embeddings, *embedding_dim, *padding_idx;
    kdl_tensor **weight;
    bool freeze;
    kdl_dtype dtype;
    const char *outside; /* the message for a padding_idx that is not within num_embeddings */
} rows;
#define ROWS_OF(fields, message)                                                                   \
    (&(rows){ &(fields)->num_embeddings, &(fields)->embedding_dim, &(fields)->padding_idx,         \
              &(fields)->weight, (fields)->freeze, (fields)->dtype, message })

/* from_pretrained() gives no sizes, only the weight. */
static bool check_pretrained(kdl_module *module, const rows *of)
{
    const kdl_tensor *weight = *of->weight;
    bool sized = *of->num_embeddings != KDL_NONE_INT;
    const char *message = NULL;
    if (!weight && !sized)
        message = "embeddings must be a tensor";
    else if (weight && !sized && weight->ndim != 2)
        message = "Embeddings parameter is expected to be 2-dimensional";
    else if (weight && sized &&
             (weight->ndim != 2 || weight->dims[0] != *of->num_embeddings ||
              weight->dims[1] != *of->embedding_dim))
        message = "Shape of weight does not match num_embeddings and embedding_dim";
    if (message)
        kdl__fail_in(module, KDL_ERROR_VALUE, message);
    if (weight && !message) {
        *of->num_embeddings = weight->dims[0];
        *of->embedding_dim = weight->dims[1];
    }
    return !message;
}

static void build_rows(kdl_module *module, const rows *of)
{
    if (!check_pretrained(module, of))
        return;
    int64_t count = *of->num_embeddings, padding_idx = *of->padding_idx;
    if (padding_idx != KDL_NONE_INT && padding_idx != 0) {
        if (padding_idx >= count || padding_idx < -count) {
            kdl__fail_in(module, KDL_ERROR_VALUE, of->outside);
            return;
        }
        *of->padding_idx += padding_idx < 0 ? count : 0;
    }
    if (*of->weight) {
        kdl_tensor *weight = kdl_parameter_new(kdl__take(of->weight), .requires_grad = !of->freeze);
        kdl_register_parameter(module, "weight", weight);
        return;
    }
    kdl__add_empty_parameter(module, "weight", KDL_SHAPE(count, *of->embedding_dim), of->dtype,
                             true);
    kdl_reset_parameters(module);
    if (of->freeze)
        kdl_requires_grad_(kdl_parameter(module, "weight"), false);
}

static void zero_row(kdl_module *module, int64_t index)
{
    if (index == KDL_NONE_INT)
        return;
    kdl_tensor *row = kdl_select(kdl_parameter(module, "weight"), 0, index);
    kdl_zero_(row);
    kdl_tensor_release(row);
}

/* ---- Embedding --------------------------------------------------------------------------- */

void kdl__embedding_zero_padding(kdl_module *module)
{
    const kdl_embedding_options *embedding = kdl_module_fields(module);
    zero_row(module, embedding->padding_idx);
}

static kdl_status reset_embedding(kdl_module *module)
{
    kdl_init_normal_(kdl_parameter(module, "weight"));
    kdl__embedding_zero_padding(module);
    return module->ctx->status;
}

static void build_embedding(kdl_module *module)
{
    kdl_embedding_options *fields = kdl_module_fields(module);
    build_rows(module, ROWS_OF(fields, "Padding_idx must be within num_embeddings"));
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
           KDL__ARGUMENT(kdl_embedding_options, sparse),
           KDL__NAMED_ARGUMENT(kdl_embedding_options, "_weight", weight, true),
           KDL__NAMED_ARGUMENT(kdl_embedding_options, "_freeze", freeze, false),
           KDL__FACTORY(kdl_embedding_options))
KDL__LAYER(embedding, "Embedding", NULL, kdl_embedding_options, embedding_arguments,
           .reset_parameters = reset_embedding)

/* ---- EmbeddingBag ------------------------------------------------------------------------ */

static kdl_status reset_embedding_bag(kdl_module *module)
{
    const kdl_embedding_bag_options *bag = kdl_module_fields(module);
    kdl_init_normal_(kdl_parameter(module, "weight"));
    zero_row(module, bag->padding_idx);
    return module->ctx->status;
}

static void build_embedding_bag(kdl_module *module)
{
    kdl_embedding_bag_options *fields = kdl_module_fields(module);
    build_rows(module, ROWS_OF(fields, "padding_idx must be within num_embeddings"));
}

KDL__TABLE(embedding_bag, kdl_embedding_bag_options, KDL_EMBEDDING_BAG_DEFAULTS, 2,
           (.repr = "{num_embeddings}, {embedding_dim}[, max_norm={max_norm}]"
                    "[, norm_type={norm_type}][, scale_grad_by_freq={scale_grad_by_freq}]"
                    ", mode={mode!r}[, padding_idx={padding_idx}]",
            .build = build_embedding_bag),
           KDL__ARGUMENT(kdl_embedding_bag_options, num_embeddings),
           KDL__ARGUMENT(kdl_embedding_bag_options, embedding_dim),
           KDL__OPTIONAL_ARGUMENT(kdl_embedding_bag_options, max_norm),
           KDL__ARGUMENT(kdl_embedding_bag_options, norm_type),
           KDL__ARGUMENT(kdl_embedding_bag_options, scale_grad_by_freq),
           KDL__ARGUMENT(kdl_embedding_bag_options, mode),
           KDL__ARGUMENT(kdl_embedding_bag_options, sparse),
           KDL__NAMED_ARGUMENT(kdl_embedding_bag_options, "_weight", weight, true),
           KDL__ARGUMENT(kdl_embedding_bag_options, include_last_offset),
           KDL__OPTIONAL_ARGUMENT(kdl_embedding_bag_options, padding_idx),
           KDL__FACTORY(kdl_embedding_bag_options))
KDL__LAYER(embedding_bag, "EmbeddingBag", NULL, kdl_embedding_bag_options, embedding_bag_arguments,
           .reset_parameters = reset_embedding_bag)
