/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn's containers and layers. A constructor gives one reference, or NULL when it fails; its
 * parameters are initialised as PyTorch's are, from the context's default generator, in the same
 * order. Optional arguments are given by name: kdl_nn_linear(ctx, 784, 10, .bias = false).
 *
 * C leaves open in which order the arguments of a call are computed, and a wrong order would give
 * other bits. So do not write two layers as arguments of one call of your own; the containers
 * below take theirs one after the other.
 */
#ifndef KINDLING_NN_H
#define KINDLING_NN_H

#include "kindling/each.h"
#include "kindling/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- containers -------------------------------------------------------------------------- */

#define KDL_CLASS_SEQUENTIAL (&kdl_class_sequential)
#define KDL_CLASS_MODULE_LIST (&kdl_class_module_list)
#define KDL_CLASS_MODULE_DICT (&kdl_class_module_dict)
KDL_API extern const kdl_module_class kdl_class_sequential, kdl_class_module_list,
    kdl_class_module_dict;

#define KDL__APPEND_TO(container, child) kdl_append(container, child);
#define KDL__CONTAINER(constructor, container, ...)                                                \
    __extension__({                                                                                \
        kdl_module *container = constructor(KDL__FIRST(__VA_ARGS__));                              \
        KDL__EACH_AFTER_FIRST(KDL__APPEND_TO, container, __VA_ARGS__)                              \
        container;                                                                                 \
    })

/**
 * nn.Sequential(modules...): kdl_nn_sequential(ctx, module, module, ...), up to 64 modules, which
 * are constructed (and so draw) in this order. They are consumed. More, or none at first:
 * kdl_append(); with names: kdl_add_module().
 */
#define kdl_nn_sequential(...)                                                                     \
    KDL__CONTAINER(kdl_nn_sequential_new, KDL__PASTE(kdl_sequential_, __COUNTER__), __VA_ARGS__)
/** nn.ModuleList([modules...]): likewise. */
#define kdl_nn_module_list(...)                                                                    \
    KDL__CONTAINER(kdl_nn_module_list_new, KDL__PASTE(kdl_list_, __COUNTER__), __VA_ARGS__)

KDL_API kdl_module *kdl_nn_sequential_new(kdl_context *ctx);
KDL_API kdl_module *kdl_nn_module_list_new(kdl_context *ctx);
/** nn.ModuleDict(), empty: fill it with kdl_add_module(). */
KDL_API kdl_module *kdl_nn_module_dict(kdl_context *ctx);

/* ---- linear layers ----------------------------------------------------------------------- */

#define KDL_CLASS_IDENTITY (&kdl_class_identity)
#define KDL_CLASS_LINEAR (&kdl_class_linear)
KDL_API extern const kdl_module_class kdl_class_identity, kdl_class_linear;

/** nn.Identity(). */
KDL_API kdl_module *kdl_nn_identity(kdl_context *ctx);

/** Options of kdl_nn_linear(); start from KDL_LINEAR_DEFAULTS. */
typedef struct kdl_linear_options {
    size_t nbytes;   /**< sizeof(kdl_linear_options), for the ABI */
    bool bias;       /**< default true */
    kdl_dtype dtype; /**< default KDL_F32 */
} kdl_linear_options;

#define KDL_LINEAR_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_linear_options), true, KDL_F32                                                  \
    }

/**
 * nn.Linear(in_features, out_features, bias=True, dtype=None). weight [out_features, in_features]
 * is U(-k, k) with k = 1/sqrt(in_features) (kaiming_uniform_ with a = sqrt(5)), then bias
 * [out_features] likewise.
 */
#define kdl_nn_linear(ctx, in_features, out_features, ...)                                         \
    KDL__WITH(kdl_linear_options, KDL_LINEAR_DEFAULTS, (__VA_ARGS__), kdl_nn_linear_with, ctx,     \
              in_features, out_features)
KDL_API kdl_module *kdl_nn_linear_with(kdl_context *ctx, int64_t in_features, int64_t out_features,
                                       const kdl_linear_options *options);

/* ---- embeddings -------------------------------------------------------------------------- */

#define KDL_CLASS_EMBEDDING (&kdl_class_embedding)
KDL_API extern const kdl_module_class kdl_class_embedding;

/** Options of kdl_nn_embedding(); start from KDL_EMBEDDING_DEFAULTS. */
typedef struct kdl_embedding_options {
    size_t nbytes;           /**< sizeof(kdl_embedding_options), for the ABI */
    int64_t padding_idx;     /**< default KDL_NONE_INT; negative ones count from the end */
    double max_norm;         /**< default KDL_NONE_FLOAT */
    double norm_type;        /**< default 2 */
    bool scale_grad_by_freq; /**< default false */
    bool sparse;             /**< default false */
    kdl_dtype dtype;         /**< default KDL_F32 */
} kdl_embedding_options;

#define KDL_EMBEDDING_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_embedding_options), KDL_NONE_INT, KDL_NONE_FLOAT, 2.0, false, false, KDL_F32    \
    }

/**
 * nn.Embedding(num_embeddings, embedding_dim, ...). weight [num_embeddings, embedding_dim] is
 * N(0, 1); then the row padding_idx is zeroed. ValueError with PyTorch's text for a padding_idx
 * that is not within num_embeddings.
 */
#define kdl_nn_embedding(ctx, num_embeddings, embedding_dim, ...)                                  \
    KDL__WITH(kdl_embedding_options, KDL_EMBEDDING_DEFAULTS, (__VA_ARGS__), kdl_nn_embedding_with, \
              ctx, num_embeddings, embedding_dim)
KDL_API kdl_module *kdl_nn_embedding_with(kdl_context *ctx, int64_t num_embeddings,
                                          int64_t embedding_dim,
                                          const kdl_embedding_options *options);

/* ---- normalisation ----------------------------------------------------------------------- */

#define KDL_CLASS_LAYER_NORM (&kdl_class_layer_norm)
#define KDL_CLASS_RMS_NORM (&kdl_class_rms_norm)
KDL_API extern const kdl_module_class kdl_class_layer_norm, kdl_class_rms_norm;

/** Options of kdl_nn_layer_norm(); start from KDL_LAYER_NORM_DEFAULTS. */
typedef struct kdl_layer_norm_options {
    size_t nbytes;           /**< sizeof(kdl_layer_norm_options), for the ABI */
    double eps;              /**< default 1e-5 */
    bool elementwise_affine; /**< default true: with a weight */
    bool bias;               /**< default true: with a bias, where there is a weight */
    kdl_dtype dtype;         /**< default KDL_F32 */
} kdl_layer_norm_options;

#define KDL_LAYER_NORM_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_layer_norm_options), 1e-5, true, true, KDL_F32                                  \
    }

/**
 * nn.LayerNorm(normalized_shape, eps, elementwise_affine, bias): weight of that shape is 1, bias
 * is 0; nothing is drawn. kdl_nn_layer_norm(ctx, KDL_SHAPE(768)).
 */
#define kdl_nn_layer_norm(ctx, normalized_shape, ...)                                              \
    KDL__WITH(kdl_layer_norm_options, KDL_LAYER_NORM_DEFAULTS, (__VA_ARGS__),                      \
              kdl_nn_layer_norm_with, ctx, normalized_shape)
KDL_API kdl_module *kdl_nn_layer_norm_with(kdl_context *ctx, kdl_shape normalized_shape,
                                           const kdl_layer_norm_options *options);

/** Options of kdl_nn_rms_norm(); start from KDL_RMS_NORM_DEFAULTS. */
typedef struct kdl_rms_norm_options {
    size_t nbytes;           /**< sizeof(kdl_rms_norm_options), for the ABI */
    double eps;              /**< default KDL_NONE_FLOAT: the dtype's own epsilon */
    bool elementwise_affine; /**< default true: with a weight */
    kdl_dtype dtype;         /**< default KDL_F32 */
} kdl_rms_norm_options;

#define KDL_RMS_NORM_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_rms_norm_options), KDL_NONE_FLOAT, true, KDL_F32                                \
    }

/** nn.RMSNorm(normalized_shape, eps, elementwise_affine): weight of that shape is 1. */
#define kdl_nn_rms_norm(ctx, normalized_shape, ...)                                                \
    KDL__WITH(kdl_rms_norm_options, KDL_RMS_NORM_DEFAULTS, (__VA_ARGS__), kdl_nn_rms_norm_with,    \
              ctx, normalized_shape)
KDL_API kdl_module *kdl_nn_rms_norm_with(kdl_context *ctx, kdl_shape normalized_shape,
                                         const kdl_rms_norm_options *options);

/* ---- dropout ----------------------------------------------------------------------------- */

#define KDL_CLASS_DROPOUT (&kdl_class_dropout)
KDL_API extern const kdl_module_class kdl_class_dropout;

/** Options of kdl_nn_dropout(); start from KDL_DROPOUT_DEFAULTS. */
typedef struct kdl_dropout_options {
    size_t nbytes; /**< sizeof(kdl_dropout_options), for the ABI */
    double p;      /**< default 0.5; printed as a float (Python prints an int as one) */
    bool inplace;  /**< default false */
} kdl_dropout_options;

#define KDL_DROPOUT_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_dropout_options), 0.5, false                                                    \
    }

/** nn.Dropout(p=0.5, inplace=False). ValueError with PyTorch's text for p outside [0, 1]. */
#define kdl_nn_dropout(ctx, ...)                                                                   \
    KDL__WITH(kdl_dropout_options, KDL_DROPOUT_DEFAULTS, (__VA_ARGS__), kdl_nn_dropout_with, ctx)
KDL_API kdl_module *kdl_nn_dropout_with(kdl_context *ctx, const kdl_dropout_options *options);

/* ---- activations ------------------------------------------------------------------------- */

#define KDL_CLASS_RELU (&kdl_class_relu)
#define KDL_CLASS_RELU6 (&kdl_class_relu6)
#define KDL_CLASS_SILU (&kdl_class_silu)
#define KDL_CLASS_MISH (&kdl_class_mish)
#define KDL_CLASS_HARDSWISH (&kdl_class_hardswish)
#define KDL_CLASS_SIGMOID (&kdl_class_sigmoid)
#define KDL_CLASS_TANH (&kdl_class_tanh)
#define KDL_CLASS_GELU (&kdl_class_gelu)
#define KDL_CLASS_LEAKY_RELU (&kdl_class_leaky_relu)
#define KDL_CLASS_PRELU (&kdl_class_prelu)
KDL_API extern const kdl_module_class kdl_class_relu, kdl_class_relu6, kdl_class_silu,
    kdl_class_mish, kdl_class_hardswish, kdl_class_sigmoid, kdl_class_tanh, kdl_class_gelu,
    kdl_class_leaky_relu, kdl_class_prelu;

/** Options of the activations that can work in place; start from KDL_INPLACE_DEFAULTS. */
typedef struct kdl_inplace_options {
    size_t nbytes; /**< sizeof(kdl_inplace_options), for the ABI */
    bool inplace;  /**< default false */
} kdl_inplace_options;

#define KDL_INPLACE_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_inplace_options), false                                                         \
    }
#define KDL__INPLACE(named, function, ctx)                                                         \
    KDL__WITH(kdl_inplace_options, KDL_INPLACE_DEFAULTS, named, function, ctx)

/** nn.ReLU(inplace=False). */
#define kdl_nn_relu(ctx, ...) KDL__INPLACE((__VA_ARGS__), kdl_nn_relu_with, ctx)
/** nn.ReLU6(inplace=False). */
#define kdl_nn_relu6(ctx, ...) KDL__INPLACE((__VA_ARGS__), kdl_nn_relu6_with, ctx)
/** nn.SiLU(inplace=False). */
#define kdl_nn_silu(ctx, ...) KDL__INPLACE((__VA_ARGS__), kdl_nn_silu_with, ctx)
/** nn.Mish(inplace=False). */
#define kdl_nn_mish(ctx, ...) KDL__INPLACE((__VA_ARGS__), kdl_nn_mish_with, ctx)
/** nn.Hardswish(inplace=False). */
#define kdl_nn_hardswish(ctx, ...) KDL__INPLACE((__VA_ARGS__), kdl_nn_hardswish_with, ctx)
KDL_API kdl_module *kdl_nn_relu_with(kdl_context *ctx, const kdl_inplace_options *options);
KDL_API kdl_module *kdl_nn_relu6_with(kdl_context *ctx, const kdl_inplace_options *options);
KDL_API kdl_module *kdl_nn_silu_with(kdl_context *ctx, const kdl_inplace_options *options);
KDL_API kdl_module *kdl_nn_mish_with(kdl_context *ctx, const kdl_inplace_options *options);
KDL_API kdl_module *kdl_nn_hardswish_with(kdl_context *ctx, const kdl_inplace_options *options);

/** nn.Sigmoid(). */
KDL_API kdl_module *kdl_nn_sigmoid(kdl_context *ctx);
/** nn.Tanh(). */
KDL_API kdl_module *kdl_nn_tanh(kdl_context *ctx);

/** Options of kdl_nn_gelu(); start from KDL_GELU_DEFAULTS. */
typedef struct kdl_gelu_options {
    size_t nbytes;           /**< sizeof(kdl_gelu_options), for the ABI */
    const char *approximate; /**< default "none"; or "tanh" */
} kdl_gelu_options;

#define KDL_GELU_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_gelu_options), "none"                                                           \
    }

/** nn.GELU(approximate='none'). ValueError for another name (PyTorch: in forward). */
#define kdl_nn_gelu(ctx, ...)                                                                      \
    KDL__WITH(kdl_gelu_options, KDL_GELU_DEFAULTS, (__VA_ARGS__), kdl_nn_gelu_with, ctx)
KDL_API kdl_module *kdl_nn_gelu_with(kdl_context *ctx, const kdl_gelu_options *options);

/** Options of kdl_nn_leaky_relu(); start from KDL_LEAKY_RELU_DEFAULTS. */
typedef struct kdl_leaky_relu_options {
    size_t nbytes;         /**< sizeof(kdl_leaky_relu_options), for the ABI */
    double negative_slope; /**< default 0.01 */
    bool inplace;          /**< default false */
} kdl_leaky_relu_options;

#define KDL_LEAKY_RELU_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_leaky_relu_options), 0.01, false                                                \
    }

/** nn.LeakyReLU(negative_slope=0.01, inplace=False). */
#define kdl_nn_leaky_relu(ctx, ...)                                                                \
    KDL__WITH(kdl_leaky_relu_options, KDL_LEAKY_RELU_DEFAULTS, (__VA_ARGS__),                      \
              kdl_nn_leaky_relu_with, ctx)
KDL_API kdl_module *kdl_nn_leaky_relu_with(kdl_context *ctx, const kdl_leaky_relu_options *options);

/** Options of kdl_nn_prelu(); start from KDL_PRELU_DEFAULTS. */
typedef struct kdl_prelu_options {
    size_t nbytes;          /**< sizeof(kdl_prelu_options), for the ABI */
    int64_t num_parameters; /**< default 1 */
    double init;            /**< default 0.25 */
    kdl_dtype dtype;        /**< default KDL_F32 */
} kdl_prelu_options;

#define KDL_PRELU_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_prelu_options), 1, 0.25, KDL_F32                                                \
    }

/** nn.PReLU(num_parameters=1, init=0.25): weight [num_parameters] is init. */
#define kdl_nn_prelu(ctx, ...)                                                                     \
    KDL__WITH(kdl_prelu_options, KDL_PRELU_DEFAULTS, (__VA_ARGS__), kdl_nn_prelu_with, ctx)
KDL_API kdl_module *kdl_nn_prelu_with(kdl_context *ctx, const kdl_prelu_options *options);

#ifdef __cplusplus
}
#endif
#endif
