/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.functional, in libkindling_train. What math.h says of functions holds here too; what
 * PyTorch takes by name is taken by name, with PyTorch's defaults.
 */
#ifndef KINDLING_FUNCTIONAL_H
#define KINDLING_FUNCTIONAL_H

#include "kindling/functional_window.h"
#include "kindling/functional_loss.h"
#include "kindling/functional_packed.h"
#include "kindling/functional_sequence.h"
#include "kindling/indexing.h"
#include "kindling/layer.h"
#include "kindling/math.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * F.linear(input, weight, bias=None): input (*, in_features), weight (out_features, in_features),
 * bias (out_features) or NULL; gives (*, out_features). RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_linear(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias);

/**
 * F.bilinear(input1, input2, weight, bias=None): input1 (*, I), input2 (*, J), weight (O, I, J),
 * bias (O) or NULL; gives (*, O): input1 weight[o] input2 + bias[o]. RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_bilinear(kdl_tensor *input1, kdl_tensor *input2, kdl_tensor *weight,
                                   kdl_tensor *bias);

/* ---- activations ------------------------------------------------------------------------- */

/** F.relu, relu6, logsigmoid, silu, mish, softsign, tanhshrink, hardsigmoid, hardswish, selu. */
KDL_API kdl_tensor *kdl_f_relu(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_relu6(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_logsigmoid(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_silu(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_mish(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_softsign(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_tanhshrink(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_hardsigmoid(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_hardswish(kdl_tensor *input);
KDL_API kdl_tensor *kdl_f_selu(kdl_tensor *input);
/** F.gelu(input, approximate): "none" or "tanh". RuntimeError for another one. */
KDL_API kdl_tensor *kdl_f_gelu(kdl_tensor *input, const char *approximate);
/** F.elu(input, alpha), F.celu(input, alpha); PyTorch's default is 1. */
KDL_API kdl_tensor *kdl_f_elu(kdl_tensor *input, double alpha);
KDL_API kdl_tensor *kdl_f_celu(kdl_tensor *input, double alpha);
/** F.leaky_relu(input, negative_slope); PyTorch's default is 0.01. */
KDL_API kdl_tensor *kdl_f_leaky_relu(kdl_tensor *input, double negative_slope);
/** F.hardtanh(input, min_val, max_val); PyTorch's defaults are -1 and 1. */
KDL_API kdl_tensor *kdl_f_hardtanh(kdl_tensor *input, double min_val, double max_val);
/** F.softplus(input, beta, threshold); PyTorch's defaults are 1 and 20. */
KDL_API kdl_tensor *kdl_f_softplus(kdl_tensor *input, double beta, double threshold);
/** F.softshrink(input, lambd), F.hardshrink(input, lambd); PyTorch's default is 0.5. */
KDL_API kdl_tensor *kdl_f_softshrink(kdl_tensor *input, double lambd);
KDL_API kdl_tensor *kdl_f_hardshrink(kdl_tensor *input, double lambd);
/** F.threshold(input, threshold, value). */
KDL_API kdl_tensor *kdl_f_threshold(kdl_tensor *input, double threshold, double value);
/** F.softmax(input, dim), F.log_softmax(input, dim). IndexError. */
KDL_API kdl_tensor *kdl_f_softmax(kdl_tensor *input, int dim);
KDL_API kdl_tensor *kdl_f_log_softmax(kdl_tensor *input, int dim);
/** F.softmin(input, dim): softmax of -input. IndexError. */
KDL_API kdl_tensor *kdl_f_softmin(kdl_tensor *input, int dim);
/** F.glu(input, dim): the first half along `dim` times the sigmoid of the second. RuntimeError. */
KDL_API kdl_tensor *kdl_f_glu(kdl_tensor *input, int dim);
/**
 * F.prelu(input, weight): leaky_relu by a slope for all, or one for each channel of (N, C, ...).
 * RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_prelu(kdl_tensor *input, kdl_tensor *weight);
/**
 * F.rrelu(input, lower, upper, training): leaky_relu by slopes that are drawn, in training, for the
 * elements that are not above 0, else by their mean. PyTorch's defaults are 1/8 and 1/3.
 * RuntimeError.
 */
KDL_API kdl_tensor *kdl_f_rrelu(kdl_tensor *input, double lower, double upper, bool training);

/* ---- dropout ----------------------------------------------------------------------------- */

/**
 * F.dropout(input, p, training): zeroes with probability p and scales the rest by 1 / (1 - p),
 * drawing as PyTorch does on a CPU. Not in training: the input itself. ValueError for p outside
 * [0, 1].
 */
KDL_API kdl_tensor *kdl_f_dropout(kdl_tensor *input, double p, bool training);
/**
 * F.dropout1d, 2d, 3d: drop whole channels of (N, C, ...); 1d and 3d take (C, ...) too. ValueError,
 * RuntimeError, and PyTorch's warnings for other numbers of dimensions.
 */
KDL_API kdl_tensor *kdl_f_dropout1d(kdl_tensor *input, double p, bool training);
KDL_API kdl_tensor *kdl_f_dropout2d(kdl_tensor *input, double p, bool training);
KDL_API kdl_tensor *kdl_f_dropout3d(kdl_tensor *input, double p, bool training);
/** F.alpha_dropout, F.feature_alpha_dropout (channels): keep mean and variance. ValueError. */
KDL_API kdl_tensor *kdl_f_alpha_dropout(kdl_tensor *input, double p, bool training);
KDL_API kdl_tensor *kdl_f_feature_alpha_dropout(kdl_tensor *input, double p, bool training);

/* ---- normalisation: weight and bias may be NULL -------------------------------------------- */

/** F.layer_norm(input, normalized_shape, weight, bias, eps). RuntimeError for other sizes. */
KDL_API kdl_tensor *kdl_f_layer_norm(kdl_tensor *input, kdl_shape normalized_shape,
                                     kdl_tensor *weight, kdl_tensor *bias, double eps);
/** F.rms_norm(input, normalized_shape, weight, eps); KDL_NONE_FLOAT: the dtype's own epsilon. */
KDL_API kdl_tensor *kdl_f_rms_norm(kdl_tensor *input, kdl_shape normalized_shape,
                                   kdl_tensor *weight, double eps);
/** F.group_norm(input, num_groups, weight, bias, eps): input (N, C, ...). */
KDL_API kdl_tensor *kdl_f_group_norm(kdl_tensor *input, int64_t num_groups, kdl_tensor *weight,
                                     kdl_tensor *bias, double eps);
/**
 * F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps): input
 * (N, C, ...). In training the batch's own statistics count, and the running ones (NULL: none) go
 * on by `momentum`; otherwise these count.
 */
KDL_API kdl_tensor *kdl_f_batch_norm(kdl_tensor *input, kdl_tensor *running_mean,
                                     kdl_tensor *running_var, kdl_tensor *weight, kdl_tensor *bias,
                                     bool training, double momentum, double eps);

/* ---- tables ------------------------------------------------------------------------------ */

/** Options of kdl_f_embedding(). */
typedef struct kdl_f_embedding_options {
    size_t nbytes;           /**< sizeof(kdl_f_embedding_options), for the ABI */
    int64_t padding_idx;     /**< default KDL_NONE_INT; negative ones count from the end */
    double max_norm;         /**< default KDL_NONE_FLOAT */
    double norm_type;        /**< default 2 */
    bool scale_grad_by_freq; /**< default false */
    bool sparse;             /**< default false: the weight's gradient is dense */
} kdl_f_embedding_options;

#define KDL_F_EMBEDDING_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_f_embedding_options), KDL_NONE_INT, KDL_NONE_FLOAT, 2.0, false, false           \
    }

/**
 * F.embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
 * scale_grad_by_freq=False, sparse=False): rows of weight (num_embeddings, embedding_dim) by
 * indices of any sizes (i64 or i32). Row padding_idx gets no gradient. With max_norm, rows that are
 * longer by that norm are first shortened to it, in place. scale_grad_by_freq divides a row's
 * gradient by how often it was asked for. With `sparse` a leaf's gradient has the rows that were
 * asked for only (kdl_tensor_grad_rows()). IndexError for an index outside the table, RuntimeError
 * for other dtypes, NotImplementedError for max_norm of f16 and bf16.
 */
#define kdl_f_embedding(input, weight, ...)                                                        \
    KDL__WITH(kdl_f_embedding_options, KDL_F_EMBEDDING_DEFAULTS, (__VA_ARGS__),                    \
              kdl_f_embedding_with, input, weight)
KDL_API kdl_tensor *kdl_f_embedding_with(kdl_tensor *input, kdl_tensor *weight,
                                         const kdl_f_embedding_options *options);

/** Options of kdl_f_embedding_bag(). */
typedef struct kdl_f_embedding_bag_options {
    size_t nbytes;                  /**< sizeof(kdl_f_embedding_bag_options), for the ABI */
    double max_norm;                /**< default KDL_NONE_FLOAT */
    double norm_type;               /**< default 2 */
    bool scale_grad_by_freq;        /**< default false */
    const char *mode;               /**< default "mean"; "sum", "max" */
    kdl_tensor *per_sample_weights; /**< default NULL (borrowed): a factor for each index; "sum" */
    bool include_last_offset;       /**< default false: the last bag goes to the end */
    int64_t padding_idx;            /**< default KDL_NONE_INT; negative ones count from the end */
    bool sparse;                    /**< default false; not for "max" */
} kdl_f_embedding_bag_options;

#define KDL_F_EMBEDDING_BAG_DEFAULTS                                                               \
    {                                                                                              \
        sizeof(kdl_f_embedding_bag_options), KDL_NONE_FLOAT, 2.0, false, "mean", NULL, false,      \
            KDL_NONE_INT, false                                                                    \
    }

/**
 * F.embedding_bag(input, weight, offsets=None, ...): the sum, mean or maximum of each bag of rows.
 * input (B, N) holds B bags, offsets then NULL; input (N) has bags that begin at offsets (B), from
 * 0 on. Gives (B, embedding_dim). Indices equal to padding_idx do not count; of an empty bag comes
 * 0. The rest is as in kdl_f_embedding(). ValueError and RuntimeError with PyTorch's text.
 */
#define kdl_f_embedding_bag(input, weight, offsets, ...)                                           \
    KDL__WITH(kdl_f_embedding_bag_options, KDL_F_EMBEDDING_BAG_DEFAULTS, (__VA_ARGS__),            \
              kdl_f_embedding_bag_with, input, weight, offsets)
KDL_API kdl_tensor *kdl_f_embedding_bag_with(kdl_tensor *input, kdl_tensor *weight,
                                             kdl_tensor *offsets,
                                             const kdl_f_embedding_bag_options *options);

/**
 * F.one_hot(tensor, num_classes=-1): classes (i64) as rows of 0 and a 1 (i64), with num_classes -1
 * as many as the largest asks for. RuntimeError for classes that do not fit.
 */
KDL_API kdl_tensor *kdl_f_one_hot(kdl_tensor *tensor, int64_t num_classes);

#ifdef __cplusplus
}
#endif
#endif
