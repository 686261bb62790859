/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.functional, in libkindling_train. What math.h says of functions holds here too; what
 * PyTorch takes by name is taken by name, with PyTorch's defaults.
 */
#ifndef KINDLING_FUNCTIONAL_H
#define KINDLING_FUNCTIONAL_H

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
/**
 * F.dropout(input, p, training): zeroes with probability p and scales the rest by 1 / (1 - p),
 * drawing as PyTorch does on a CPU. Not in training: the input itself. ValueError for p outside
 * [0, 1].
 */
KDL_API kdl_tensor *kdl_f_dropout(kdl_tensor *input, double p, bool training);

/* ---- convolution, pooling: an int or a KDL_SHAPE of one for each dimension ------------------ */

/** Options of kdl_f_conv1d() to kdl_f_conv3d(); start from KDL_F_CONV_DEFAULTS. */
typedef struct kdl_f_conv_options {
    size_t nbytes;                         /**< sizeof(kdl_f_conv_options), for the ABI */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default 1 */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0; KDL_PADDING_SAME, _VALID */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< default 1 */
    int64_t groups;                        /**< default 1 */
} kdl_f_conv_options;

#define KDL_F_CONV_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_f_conv_options), KDL__DEFAULT_INT(1), KDL__DEFAULT_INT(0), KDL__DEFAULT_INT(1), \
            1                                                                                      \
    }
#define KDL__F_CONV(nd, input, weight, bias, ...)                                                  \
    KDL__WITH(kdl_f_conv_options, KDL_F_CONV_DEFAULTS, (__VA_ARGS__), kdl_f_conv_with, nd, input,  \
              weight, bias)

/**
 * F.conv1d, conv2d, conv3d(input, weight, bias, stride=1, padding=0, dilation=1, groups=1): input
 * (N, C, ...) or (C, ...), weight (O, C / groups, ...), bias (O) or NULL. RuntimeError where sizes
 * do not fit.
 */
#define kdl_f_conv1d(input, weight, bias, ...) KDL__F_CONV(1, input, weight, bias, __VA_ARGS__)
#define kdl_f_conv2d(input, weight, bias, ...) KDL__F_CONV(2, input, weight, bias, __VA_ARGS__)
#define kdl_f_conv3d(input, weight, bias, ...) KDL__F_CONV(3, input, weight, bias, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_conv_with(int nd, kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                                    const kdl_f_conv_options *options);

/** Options of the pooling functions, as far as each has them; start from KDL_F_POOL_DEFAULTS. */
typedef struct kdl_f_pool_options {
    size_t nbytes;                         /**< sizeof(kdl_f_pool_options), for the ABI */
    KDL_INT_OR_SHAPE(stride, strides);     /**< default KDL_NONE_INT: kernel_size */
    KDL_INT_OR_SHAPE(padding, paddings);   /**< default 0 */
    KDL_INT_OR_SHAPE(dilation, dilations); /**< max only: default 1 */
    bool ceil_mode;                        /**< default false */
    bool count_include_pad;                /**< average only: default true */
    int64_t divisor_override;              /**< average only: default KDL_NONE_INT */
} kdl_f_pool_options;

#define KDL_F_POOL_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_f_pool_options), KDL__DEFAULT_INT(KDL_NONE_INT), KDL__DEFAULT_INT(0),           \
            KDL__DEFAULT_INT(1), false, true, KDL_NONE_INT                                         \
    }
#define KDL__F_POOL(function, nd, input, kernel, ...)                                              \
    KDL__WITH(kdl_f_pool_options, KDL_F_POOL_DEFAULTS, (__VA_ARGS__), function, nd, input,         \
              KDL__AS_SHAPE(kernel))

/** F.max_pool1d, 2d, 3d(input, kernel_size, stride, padding, dilation, ceil_mode). */
#define kdl_f_max_pool1d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_max_pool_with, 1, input, kernel, __VA_ARGS__)
#define kdl_f_max_pool2d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_max_pool_with, 2, input, kernel, __VA_ARGS__)
#define kdl_f_max_pool3d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_max_pool_with, 3, input, kernel, __VA_ARGS__)
/** F.avg_pool1d, 2d, 3d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, ...). */
#define kdl_f_avg_pool1d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_avg_pool_with, 1, input, kernel, __VA_ARGS__)
#define kdl_f_avg_pool2d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_avg_pool_with, 2, input, kernel, __VA_ARGS__)
#define kdl_f_avg_pool3d(input, kernel, ...)                                                       \
    KDL__F_POOL(kdl_f_avg_pool_with, 3, input, kernel, __VA_ARGS__)
KDL_API kdl_tensor *kdl_f_max_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                        const kdl_f_pool_options *options);
KDL_API kdl_tensor *kdl_f_avg_pool_with(int nd, kdl_tensor *input, kdl_shape kernel_size,
                                        const kdl_f_pool_options *options);
/** F.adaptive_avg_pool1d, 2d, 3d (nd = 1, 2, 3); KDL_NONE_INT in output_size: the input's size. */
KDL_API kdl_tensor *kdl_f_adaptive_avg_pool(int nd, kdl_tensor *input, kdl_shape output_size);

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
 * (N, C, ...). In training the batch's own statistics count, and the running ones (NULL: none) go on
 * by `momentum`; otherwise these count.
 */
KDL_API kdl_tensor *kdl_f_batch_norm(kdl_tensor *input, kdl_tensor *running_mean,
                                     kdl_tensor *running_var, kdl_tensor *weight, kdl_tensor *bias,
                                     bool training, double momentum, double eps);

/* ---- losses ------------------------------------------------------------------------------ */

/** How the losses of elements become one: PyTorch's reduction='none', 'mean', 'sum'. */
typedef enum kdl_reduction {
    KDL_REDUCTION_NONE,
    KDL_REDUCTION_MEAN,
    KDL_REDUCTION_SUM
} kdl_reduction;

/** F.mse_loss, F.l1_loss(input, target, reduction): of one size. RuntimeError for others. */
KDL_API kdl_tensor *kdl_f_mse_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction);
KDL_API kdl_tensor *kdl_f_l1_loss(kdl_tensor *input, kdl_tensor *target, kdl_reduction reduction);

/** Options of kdl_f_cross_entropy(), kdl_f_nll_loss(); start from KDL_F_CLASS_LOSS_DEFAULTS. */
typedef struct kdl_f_class_loss_options {
    size_t nbytes;           /**< sizeof(kdl_f_class_loss_options), for the ABI */
    int64_t ignore_index;    /**< targets that do not count; default -100 */
    kdl_reduction reduction; /**< default KDL_REDUCTION_MEAN */
} kdl_f_class_loss_options;

#define KDL_F_CLASS_LOSS_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_f_class_loss_options), -100, KDL_REDUCTION_MEAN                                 \
    }

/**
 * F.cross_entropy(input, target, ignore_index=-100, reduction='mean'): input (N, C) scores, target
 * (N) classes (i64). IndexError for a class outside 0 .. C - 1, RuntimeError for other sizes. Class
 * weights, further dimensions and label smoothing are not there.
 */
#define kdl_f_cross_entropy(input, target, ...)                                                    \
    KDL__WITH(kdl_f_class_loss_options, KDL_F_CLASS_LOSS_DEFAULTS, (__VA_ARGS__),                  \
              kdl_f_cross_entropy_with, input, target)
/** F.nll_loss: the same of logarithms of probabilities. */
#define kdl_f_nll_loss(input, target, ...)                                                         \
    KDL__WITH(kdl_f_class_loss_options, KDL_F_CLASS_LOSS_DEFAULTS, (__VA_ARGS__),                  \
              kdl_f_nll_loss_with, input, target)
KDL_API kdl_tensor *kdl_f_cross_entropy_with(kdl_tensor *input, kdl_tensor *target,
                                             const kdl_f_class_loss_options *options);
KDL_API kdl_tensor *kdl_f_nll_loss_with(kdl_tensor *input, kdl_tensor *target,
                                        const kdl_f_class_loss_options *options);

/* ---- tables ------------------------------------------------------------------------------ */

/**
 * F.embedding(input, weight, padding_idx): rows of weight (num_embeddings, embedding_dim) by
 * indices of any sizes (i64); row padding_idx (KDL_NONE_INT: none; negative from the end) gets no
 * gradient. IndexError for an index outside the table.
 */
KDL_API kdl_tensor *kdl_f_embedding(kdl_tensor *input, kdl_tensor *weight, int64_t padding_idx);

#ifdef __cplusplus
}
#endif
#endif
