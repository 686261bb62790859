/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn's activations and dropouts (torch/nn/modules/activation.py and dropout.py). */
#ifndef KINDLING_NN_ACTIVATION_H
#define KINDLING_NN_ACTIVATION_H

#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- without arguments ------------------------------------------------------------------- */

#define KDL_CLASS_LOG_SIGMOID (&kdl_class_log_sigmoid)
#define KDL_CLASS_SIGMOID (&kdl_class_sigmoid)
#define KDL_CLASS_SOFTMAX2D (&kdl_class_softmax2d)
#define KDL_CLASS_SOFTSIGN (&kdl_class_softsign)
#define KDL_CLASS_TANH (&kdl_class_tanh)
#define KDL_CLASS_TANHSHRINK (&kdl_class_tanhshrink)
KDL_API extern const kdl_module_class kdl_class_log_sigmoid, kdl_class_sigmoid, kdl_class_softmax2d,
    kdl_class_softsign, kdl_class_tanh, kdl_class_tanhshrink;

/** nn.LogSigmoid(), nn.Sigmoid(), nn.Softmax2d(), nn.Softsign(), nn.Tanh(), nn.Tanhshrink(). */
#define kdl_nn_log_sigmoid(ctx) kdl_nn_new(ctx, KDL_CLASS_LOG_SIGMOID, NULL)
#define kdl_nn_sigmoid(ctx) kdl_nn_new(ctx, KDL_CLASS_SIGMOID, NULL)
#define kdl_nn_softmax2d(ctx) kdl_nn_new(ctx, KDL_CLASS_SOFTMAX2D, NULL)
#define kdl_nn_softsign(ctx) kdl_nn_new(ctx, KDL_CLASS_SOFTSIGN, NULL)
#define kdl_nn_tanh(ctx) kdl_nn_new(ctx, KDL_CLASS_TANH, NULL)
#define kdl_nn_tanhshrink(ctx) kdl_nn_new(ctx, KDL_CLASS_TANHSHRINK, NULL)

/* ---- in place or not --------------------------------------------------------------------- */

#define KDL_CLASS_HARDSIGMOID (&kdl_class_hardsigmoid)
#define KDL_CLASS_HARDSWISH (&kdl_class_hardswish)
#define KDL_CLASS_MISH (&kdl_class_mish)
#define KDL_CLASS_RELU (&kdl_class_relu)
#define KDL_CLASS_SELU (&kdl_class_selu)
#define KDL_CLASS_SILU (&kdl_class_silu)
KDL_API extern const kdl_module_class kdl_class_hardsigmoid, kdl_class_hardswish, kdl_class_mish,
    kdl_class_relu, kdl_class_selu, kdl_class_silu;

/** Arguments of the activations that have only this one. */
typedef struct kdl_inplace_options {
    size_t nbytes; /**< sizeof(kdl_inplace_options), for the ABI */
    bool inplace;  /**< default false */
} kdl_inplace_options;

#define KDL_INPLACE_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_inplace_options), false                                                         \
    }
#define KDL__INPLACE(type, ctx, ...)                                                               \
    KDL__NN(kdl_inplace_options, KDL_INPLACE_DEFAULTS, type, ctx, __VA_ARGS__)

/** nn.Hardsigmoid, Hardswish, Mish, ReLU, SELU, SiLU: (inplace=False). */
#define kdl_nn_hardsigmoid(ctx, ...) KDL__INPLACE(KDL_CLASS_HARDSIGMOID, ctx, __VA_ARGS__)
#define kdl_nn_hardswish(ctx, ...) KDL__INPLACE(KDL_CLASS_HARDSWISH, ctx, __VA_ARGS__)
#define kdl_nn_mish(ctx, ...) KDL__INPLACE(KDL_CLASS_MISH, ctx, __VA_ARGS__)
#define kdl_nn_relu(ctx, ...) KDL__INPLACE(KDL_CLASS_RELU, ctx, __VA_ARGS__)
#define kdl_nn_selu(ctx, ...) KDL__INPLACE(KDL_CLASS_SELU, ctx, __VA_ARGS__)
#define kdl_nn_silu(ctx, ...) KDL__INPLACE(KDL_CLASS_SILU, ctx, __VA_ARGS__)

/* ---- with a dimension -------------------------------------------------------------------- */

#define KDL_CLASS_GLU (&kdl_class_glu)
#define KDL_CLASS_LOG_SOFTMAX (&kdl_class_log_softmax)
#define KDL_CLASS_SOFTMAX (&kdl_class_softmax)
#define KDL_CLASS_SOFTMIN (&kdl_class_softmin)
KDL_API extern const kdl_module_class kdl_class_glu, kdl_class_log_softmax, kdl_class_softmax,
    kdl_class_softmin;

/** Arguments of nn.GLU, nn.LogSoftmax, nn.Softmax and nn.Softmin. */
typedef struct kdl_dim_options {
    size_t nbytes; /**< sizeof(kdl_dim_options), for the ABI */
    int64_t dim;   /**< default KDL_NONE_INT; of GLU -1 */
} kdl_dim_options;

#define KDL_DIM_DEFAULTS                                                                           \
    {                                                                                              \
        sizeof(kdl_dim_options), KDL_NONE_INT                                                      \
    }
#define KDL_GLU_DEFAULTS                                                                           \
    {                                                                                              \
        sizeof(kdl_dim_options), -1                                                                \
    }

/** nn.GLU(dim=-1); nn.LogSoftmax, Softmax, Softmin: (dim=None). */
#define kdl_nn_glu(ctx, ...)                                                                       \
    KDL__NN(kdl_dim_options, KDL_GLU_DEFAULTS, KDL_CLASS_GLU, ctx, __VA_ARGS__)
#define kdl_nn_log_softmax(ctx, ...)                                                               \
    KDL__NN(kdl_dim_options, KDL_DIM_DEFAULTS, KDL_CLASS_LOG_SOFTMAX, ctx, __VA_ARGS__)
#define kdl_nn_softmax(ctx, ...)                                                                   \
    KDL__NN(kdl_dim_options, KDL_DIM_DEFAULTS, KDL_CLASS_SOFTMAX, ctx, __VA_ARGS__)
#define kdl_nn_softmin(ctx, ...)                                                                   \
    KDL__NN(kdl_dim_options, KDL_DIM_DEFAULTS, KDL_CLASS_SOFTMIN, ctx, __VA_ARGS__)

/* ---- with numbers ------------------------------------------------------------------------ */

#define KDL_CLASS_CELU (&kdl_class_celu)
#define KDL_CLASS_ELU (&kdl_class_elu)
#define KDL_CLASS_GELU (&kdl_class_gelu)
#define KDL_CLASS_HARDSHRINK (&kdl_class_hardshrink)
#define KDL_CLASS_HARDTANH (&kdl_class_hardtanh)
#define KDL_CLASS_LEAKY_RELU (&kdl_class_leaky_relu)
#define KDL_CLASS_PRELU (&kdl_class_prelu)
#define KDL_CLASS_RELU6 (&kdl_class_relu6)
#define KDL_CLASS_RRELU (&kdl_class_rrelu)
#define KDL_CLASS_SOFTPLUS (&kdl_class_softplus)
#define KDL_CLASS_SOFTSHRINK (&kdl_class_softshrink)
#define KDL_CLASS_THRESHOLD (&kdl_class_threshold)
KDL_API extern const kdl_module_class kdl_class_celu, kdl_class_elu, kdl_class_gelu,
    kdl_class_hardshrink, kdl_class_hardtanh, kdl_class_leaky_relu, kdl_class_prelu,
    kdl_class_relu6, kdl_class_rrelu, kdl_class_softplus, kdl_class_softshrink, kdl_class_threshold;

/** Arguments of nn.CELU and nn.ELU. */
typedef struct kdl_elu_options {
    size_t nbytes; /**< sizeof(kdl_elu_options), for the ABI */
    double alpha;  /**< default 1 */
    bool inplace;  /**< default false */
} kdl_elu_options;

#define KDL_ELU_DEFAULTS                                                                           \
    {                                                                                              \
        sizeof(kdl_elu_options), 1, false                                                          \
    }

/** nn.CELU(alpha=1.0, inplace=False), nn.ELU(alpha=1.0, inplace=False). */
#define kdl_nn_celu(ctx, ...)                                                                      \
    KDL__NN(kdl_elu_options, KDL_ELU_DEFAULTS, KDL_CLASS_CELU, ctx, __VA_ARGS__)
#define kdl_nn_elu(ctx, ...)                                                                       \
    KDL__NN(kdl_elu_options, KDL_ELU_DEFAULTS, KDL_CLASS_ELU, ctx, __VA_ARGS__)

/** Arguments of nn.GELU. */
typedef struct kdl_gelu_options {
    size_t nbytes;           /**< sizeof(kdl_gelu_options), for the ABI */
    const char *approximate; /**< default "none"; or "tanh" */
} kdl_gelu_options;

#define KDL_GELU_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_gelu_options), "none"                                                           \
    }

/** nn.GELU(approximate='none'). RuntimeError for another name (PyTorch: in forward). */
#define kdl_nn_gelu(ctx, ...)                                                                      \
    KDL__NN(kdl_gelu_options, KDL_GELU_DEFAULTS, KDL_CLASS_GELU, ctx, __VA_ARGS__)

/** Arguments of nn.Hardshrink and nn.Softshrink. */
typedef struct kdl_shrink_options {
    size_t nbytes; /**< sizeof(kdl_shrink_options), for the ABI */
    double lambd;  /**< default 0.5 */
} kdl_shrink_options;

#define KDL_SHRINK_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_shrink_options), 0.5                                                            \
    }

/** nn.Hardshrink(lambd=0.5), nn.Softshrink(lambd=0.5). */
#define kdl_nn_hardshrink(ctx, ...)                                                                \
    KDL__NN(kdl_shrink_options, KDL_SHRINK_DEFAULTS, KDL_CLASS_HARDSHRINK, ctx, __VA_ARGS__)
#define kdl_nn_softshrink(ctx, ...)                                                                \
    KDL__NN(kdl_shrink_options, KDL_SHRINK_DEFAULTS, KDL_CLASS_SOFTSHRINK, ctx, __VA_ARGS__)

/** Arguments of nn.Hardtanh, and what nn.ReLU6 remembers, which takes `inplace` only. */
typedef struct kdl_hardtanh_options {
    size_t nbytes;    /**< sizeof(kdl_hardtanh_options), for the ABI */
    double min_val;   /**< default -1; of ReLU6 0 */
    double max_val;   /**< default 1; of ReLU6 6 */
    bool inplace;     /**< default false */
    double min_value; /**< deprecated; default KDL_NONE_FLOAT */
    double max_value; /**< deprecated; default KDL_NONE_FLOAT */
} kdl_hardtanh_options;

#define KDL_HARDTANH_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_hardtanh_options), -1, 1, false, KDL_NONE_FLOAT, KDL_NONE_FLOAT                 \
    }
#define KDL_RELU6_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_hardtanh_options), 0, 6, false, KDL_NONE_FLOAT, KDL_NONE_FLOAT                  \
    }

/**
 * nn.Hardtanh(min_val=-1.0, max_val=1.0, inplace=False). ValueError with PyTorch's text unless
 * max_val is greater; a warning for min_value and max_value.
 */
#define kdl_nn_hardtanh(ctx, ...)                                                                  \
    KDL__NN(kdl_hardtanh_options, KDL_HARDTANH_DEFAULTS, KDL_CLASS_HARDTANH, ctx, __VA_ARGS__)
/** nn.ReLU6(inplace=False), which is a Hardtanh from 0 to 6. */
#define kdl_nn_relu6(ctx, ...)                                                                     \
    KDL__NN(kdl_hardtanh_options, KDL_RELU6_DEFAULTS, KDL_CLASS_RELU6, ctx, __VA_ARGS__)

/** Arguments of nn.LeakyReLU. */
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
    KDL__NN(kdl_leaky_relu_options, KDL_LEAKY_RELU_DEFAULTS, KDL_CLASS_LEAKY_RELU, ctx, __VA_ARGS__)

/** Arguments of nn.PReLU. */
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

/** nn.PReLU(num_parameters=1, init=0.25, dtype=None): weight [num_parameters] is init. */
#define kdl_nn_prelu(ctx, ...)                                                                     \
    KDL__NN(kdl_prelu_options, KDL_PRELU_DEFAULTS, KDL_CLASS_PRELU, ctx, __VA_ARGS__)

/** Arguments of nn.RReLU. */
typedef struct kdl_rrelu_options {
    size_t nbytes; /**< sizeof(kdl_rrelu_options), for the ABI */
    double lower;  /**< default 1/8 */
    double upper;  /**< default 1/3 */
    bool inplace;  /**< default false */
} kdl_rrelu_options;

#define KDL_RRELU_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_rrelu_options), 1.0 / 8, 1.0 / 3, false                                         \
    }

/** nn.RReLU(lower=1/8, upper=1/3, inplace=False). */
#define kdl_nn_rrelu(ctx, ...)                                                                     \
    KDL__NN(kdl_rrelu_options, KDL_RRELU_DEFAULTS, KDL_CLASS_RRELU, ctx, __VA_ARGS__)

/** Arguments of nn.Softplus. */
typedef struct kdl_softplus_options {
    size_t nbytes;    /**< sizeof(kdl_softplus_options), for the ABI */
    double beta;      /**< default 1 */
    double threshold; /**< default 20 */
} kdl_softplus_options;

#define KDL_SOFTPLUS_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_softplus_options), 1, 20                                                        \
    }

/** nn.Softplus(beta=1.0, threshold=20.0). */
#define kdl_nn_softplus(ctx, ...)                                                                  \
    KDL__NN(kdl_softplus_options, KDL_SOFTPLUS_DEFAULTS, KDL_CLASS_SOFTPLUS, ctx, __VA_ARGS__)

/** Arguments of nn.Threshold. */
typedef struct kdl_threshold_options {
    size_t nbytes;           /**< sizeof(kdl_threshold_options), for the ABI */
    double threshold, value; /**< required */
    bool inplace;            /**< default false */
} kdl_threshold_options;

#define KDL_THRESHOLD_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_threshold_options), 0, 0, false                                                 \
    }

/** nn.Threshold(threshold, value, inplace=False): kdl_nn_threshold(ctx, 0.1, 20). */
#define kdl_nn_threshold(ctx, threshold_, value_, ...)                                             \
    KDL__NN(kdl_threshold_options, KDL_THRESHOLD_DEFAULTS, KDL_CLASS_THRESHOLD, ctx,               \
            .threshold = KDL__AS_NUMBER(threshold_), .value = KDL__AS_NUMBER(value_), __VA_ARGS__)

/* ---- dropout ----------------------------------------------------------------------------- */

/** nn.modules.dropout._DropoutNd, the parent of all of them. */
#define KDL_CLASS_DROPOUT_ND (&kdl_class_dropout_nd)
#define KDL_CLASS_ALPHA_DROPOUT (&kdl_class_alpha_dropout)
#define KDL_CLASS_DROPOUT (&kdl_class_dropout)
#define KDL_CLASS_DROPOUT1D (&kdl_class_dropout1d)
#define KDL_CLASS_DROPOUT2D (&kdl_class_dropout2d)
#define KDL_CLASS_DROPOUT3D (&kdl_class_dropout3d)
#define KDL_CLASS_FEATURE_ALPHA_DROPOUT (&kdl_class_feature_alpha_dropout)
KDL_API extern const kdl_module_class kdl_class_dropout_nd, kdl_class_alpha_dropout,
    kdl_class_dropout, kdl_class_dropout1d, kdl_class_dropout2d, kdl_class_dropout3d,
    kdl_class_feature_alpha_dropout;

/** Arguments of the dropouts. */
typedef struct kdl_dropout_options {
    size_t nbytes; /**< sizeof(kdl_dropout_options), for the ABI */
    double p;      /**< default 0.5 */
    bool inplace;  /**< default false */
} kdl_dropout_options;

#define KDL_DROPOUT_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_dropout_options), 0.5, false                                                    \
    }
#define KDL__DROPOUT(type, ctx, ...)                                                               \
    KDL__NN(kdl_dropout_options, KDL_DROPOUT_DEFAULTS, type, ctx, __VA_ARGS__)

/**
 * nn.AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout: (p=0.5,
 * inplace=False). ValueError with PyTorch's text for p outside [0, 1].
 */
#define kdl_nn_alpha_dropout(ctx, ...) KDL__DROPOUT(KDL_CLASS_ALPHA_DROPOUT, ctx, __VA_ARGS__)
#define kdl_nn_dropout(ctx, ...) KDL__DROPOUT(KDL_CLASS_DROPOUT, ctx, __VA_ARGS__)
#define kdl_nn_dropout1d(ctx, ...) KDL__DROPOUT(KDL_CLASS_DROPOUT1D, ctx, __VA_ARGS__)
#define kdl_nn_dropout2d(ctx, ...) KDL__DROPOUT(KDL_CLASS_DROPOUT2D, ctx, __VA_ARGS__)
#define kdl_nn_dropout3d(ctx, ...) KDL__DROPOUT(KDL_CLASS_DROPOUT3D, ctx, __VA_ARGS__)
#define kdl_nn_feature_alpha_dropout(ctx, ...)                                                     \
    KDL__DROPOUT(KDL_CLASS_FEATURE_ALPHA_DROPOUT, ctx, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
