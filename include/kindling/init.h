/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.init: fill tensors as PyTorch's initialisers do, with PyTorch's bits.
 *
 * Optional arguments are given by name, with PyTorch's names and defaults:
 *
 *     kdl_init_xavier_uniform_(weight);
 *     kdl_init_kaiming_normal_(weight, .mode = KDL_FAN_OUT, .nonlinearity = KDL_NONLINEARITY_RELU);
 *
 * All take every strided tensor, and draw from `.generator` or the context's default one, which
 * they leave where PyTorch's would be. In a deferred context (plan.h) they are recorded. A function
 * returns the status in force; an error's message is PyTorch's. Not thread safe: see base.h.
 * Source: torch/nn/init.py of PyTorch 2.13.0.
 */
#ifndef KINDLING_INIT_H
#define KINDLING_INIT_H

#include "kindling/options.h"
#include "kindling/random.h"
#include "kindling/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- gains and fans ---------------------------------------------------------------------- */

/** The functions that kdl_init_calculate_gain() knows. */
typedef enum kdl_nonlinearity {
    KDL_NONLINEARITY_LINEAR = 0,
    KDL_NONLINEARITY_CONV1D,
    KDL_NONLINEARITY_CONV2D,
    KDL_NONLINEARITY_CONV3D,
    KDL_NONLINEARITY_CONV_TRANSPOSE1D,
    KDL_NONLINEARITY_CONV_TRANSPOSE2D,
    KDL_NONLINEARITY_CONV_TRANSPOSE3D,
    KDL_NONLINEARITY_SIGMOID,
    KDL_NONLINEARITY_TANH,
    KDL_NONLINEARITY_RELU,
    KDL_NONLINEARITY_LEAKY_RELU,
    KDL_NONLINEARITY_SELU,
    KDL_NONLINEARITY_COUNT
} kdl_nonlinearity;

/** Which fan the kaiming functions keep the variance for: of the forward or the backward pass. */
typedef enum kdl_fan_mode { KDL_FAN_IN = 0, KDL_FAN_OUT } kdl_fan_mode;

/** PyTorch's name, e.g. "leaky_relu" (a static string); NULL for a value that is none. */
KDL_API const char *kdl_nonlinearity_name(kdl_nonlinearity nonlinearity);

/** Reads PyTorch's name into *nonlinearity. ValueError `Unsupported nonlinearity NAME`. */
KDL_API kdl_status kdl_nonlinearity_parse(kdl_context *ctx, const char *name,
                                          kdl_nonlinearity *nonlinearity);

/** Reads "fan_in" or "fan_out", in upper or lower case. ValueError `Mode NAME not supported`. */
KDL_API kdl_status kdl_fan_mode_parse(kdl_context *ctx, const char *name, kdl_fan_mode *mode);

/** Options of kdl_init_calculate_gain(). */
typedef struct kdl_init_calculate_gain_options {
    size_t nbytes; /**< sizeof(kdl_init_calculate_gain_options), for the ABI */
    double param;  /**< the negative slope of leaky_relu; default 0.01 */
} kdl_init_calculate_gain_options;

#define KDL_INIT_CALCULATE_GAIN_DEFAULTS                                                           \
    {                                                                                              \
        sizeof(kdl_init_calculate_gain_options), 0.01                                              \
    }

/**
 * calculate_gain(nonlinearity, param=None): the recommended gain. 1 for linear, convolutions and
 * sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + param^2)) for leaky_relu, 3/4 for selu.
 * NaN on failure: ValueError for a value that is no nonlinearity, and where the square of `param`
 * overflows (OverflowError in Python).
 */
#define kdl_init_calculate_gain(ctx, nonlinearity, ...)                                            \
    KDL__WITH(kdl_init_calculate_gain_options, KDL_INIT_CALCULATE_GAIN_DEFAULTS, (__VA_ARGS__),    \
              kdl_init_calculate_gain_with, ctx, nonlinearity)
KDL_API double kdl_init_calculate_gain_with(kdl_context *ctx, kdl_nonlinearity nonlinearity,
                                            const kdl_init_calculate_gain_options *options);

/**
 * _calculate_fan_in_and_fan_out(tensor): sizes 1 and 0 of the tensor, each times the product of the
 * sizes behind them. ValueError for fewer than two dimensions.
 */
KDL_API kdl_status kdl_init_calculate_fan_in_and_fan_out(const kdl_tensor *tensor, int64_t *fan_in,
                                                         int64_t *fan_out);

/* ---- distributions ----------------------------------------------------------------------- */

/** Options of kdl_init_uniform_(). */
typedef struct kdl_init_uniform_options {
    size_t nbytes;            /**< sizeof(kdl_init_uniform_options), for the ABI */
    double a;                 /**< the lower bound; default 0 */
    double b;                 /**< the upper bound; default 1 */
    kdl_generator *generator; /**< default NULL: the context's (borrowed) */
} kdl_init_uniform_options;

#define KDL_INIT_UNIFORM_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_init_uniform_options), 0, 1, NULL                                               \
    }

/** uniform_(tensor, a=0, b=1): U[a, b). */
#define kdl_init_uniform_(tensor, ...)                                                             \
    KDL__WITH(kdl_init_uniform_options, KDL_INIT_UNIFORM_DEFAULTS, (__VA_ARGS__),                  \
              kdl_init_uniform_with_, tensor)
KDL_API kdl_status kdl_init_uniform_with_(kdl_tensor *tensor,
                                          const kdl_init_uniform_options *options);

/** Options of kdl_init_normal_(). */
typedef struct kdl_init_normal_options {
    size_t nbytes;            /**< sizeof(kdl_init_normal_options), for the ABI */
    double mean;              /**< default 0 */
    double std;               /**< the standard deviation; default 1 */
    kdl_generator *generator; /**< default NULL: the context's (borrowed) */
} kdl_init_normal_options;

#define KDL_INIT_NORMAL_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_init_normal_options), 0, 1, NULL                                                \
    }

/** normal_(tensor, mean=0, std=1). */
#define kdl_init_normal_(tensor, ...)                                                              \
    KDL__WITH(kdl_init_normal_options, KDL_INIT_NORMAL_DEFAULTS, (__VA_ARGS__),                    \
              kdl_init_normal_with_, tensor)
KDL_API kdl_status kdl_init_normal_with_(kdl_tensor *tensor,
                                         const kdl_init_normal_options *options);

/** Options of kdl_init_trunc_normal_(). */
typedef struct kdl_init_trunc_normal_options {
    size_t nbytes;            /**< sizeof(kdl_init_trunc_normal_options), for the ABI */
    double mean;              /**< of the normal before truncation; default 0 */
    double std;               /**< its standard deviation; default 1 */
    double a;                 /**< the smallest value; default -2 */
    double b;                 /**< the largest value; default 2 */
    kdl_generator *generator; /**< default NULL: the context's (borrowed) */
} kdl_init_trunc_normal_options;

#define KDL_INIT_TRUNC_NORMAL_DEFAULTS                                                             \
    {                                                                                              \
        sizeof(kdl_init_trunc_normal_options), 0, 1, -2, 2, NULL                                   \
    }

/**
 * trunc_normal_(tensor, mean=0, std=1, a=-2, b=2): a normal distribution cut off outside [a, b].
 *
 * As PyTorch 2.12 and later draw it: the whole tensor again and again, of which the values that are
 * still outside are taken (or, where less than 30 % of the normal lies within, uniform candidates
 * that are rejected by the density). So the number of draws depends on the data, except where no
 * normal can lie outside, as with std = 0.02. Bounds that hardly any candidate meets take long, as
 * they do in PyTorch.
 *
 * Errors: uniform_'s when a > b; ZeroDivisionError for std = 0; normal_'s for dtypes. Warns when
 * the mean is more than two standard deviations outside.
 */
#define kdl_init_trunc_normal_(tensor, ...)                                                        \
    KDL__WITH(kdl_init_trunc_normal_options, KDL_INIT_TRUNC_NORMAL_DEFAULTS, (__VA_ARGS__),        \
              kdl_init_trunc_normal_with_, tensor)
KDL_API kdl_status kdl_init_trunc_normal_with_(kdl_tensor *tensor,
                                               const kdl_init_trunc_normal_options *options);

/* ---- without draws ----------------------------------------------------------------------- */

/** constant_(tensor, val). */
KDL_API kdl_status kdl_init_constant_(kdl_tensor *tensor, double val);
/** ones_(tensor). */
KDL_API kdl_status kdl_init_ones_(kdl_tensor *tensor);
/** zeros_(tensor). */
KDL_API kdl_status kdl_init_zeros_(kdl_tensor *tensor);

/** eye_(tensor): the identity matrix, not necessarily square. ValueError unless two-dimensional. */
KDL_API kdl_status kdl_init_eye_(kdl_tensor *tensor);

/** Options of kdl_init_dirac_(). */
typedef struct kdl_init_dirac_options {
    size_t nbytes;  /**< sizeof(kdl_init_dirac_options), for the ABI */
    int64_t groups; /**< of the convolution; default 1 */
} kdl_init_dirac_options;

#define KDL_INIT_DIRAC_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_init_dirac_options), 1                                                          \
    }

/**
 * dirac_(tensor, groups=1): a convolution's weight of 3, 4 or 5 dimensions that passes its input
 * channels on, as many as possible. ValueError for other dimensions, and where groups does not
 * divide size 0.
 */
#define kdl_init_dirac_(tensor, ...)                                                               \
    KDL__WITH(kdl_init_dirac_options, KDL_INIT_DIRAC_DEFAULTS, (__VA_ARGS__),                      \
              kdl_init_dirac_with_, tensor)
KDL_API kdl_status kdl_init_dirac_with_(kdl_tensor *tensor, const kdl_init_dirac_options *options);

/* ---- by fan ------------------------------------------------------------------------------ */

/** Options of kdl_init_xavier_uniform_(), kdl_init_xavier_normal_() and kdl_init_orthogonal_(). */
typedef struct kdl_init_gain_options {
    size_t nbytes;            /**< sizeof(kdl_init_gain_options), for the ABI */
    double gain;              /**< a factor; default 1 */
    kdl_generator *generator; /**< default NULL: the context's (borrowed) */
} kdl_init_gain_options;

#define KDL_INIT_GAIN_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_init_gain_options), 1, NULL                                                     \
    }
#define KDL__INIT_WITH_GAIN(named, function, tensor)                                               \
    KDL__WITH(kdl_init_gain_options, KDL_INIT_GAIN_DEFAULTS, named, function, tensor)

/**
 * xavier_uniform_(tensor, gain=1): U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and
 * Bengio, 2010). ValueError for fewer than two dimensions, ZeroDivisionError for sizes 0 and 0.
 */
#define kdl_init_xavier_uniform_(tensor, ...)                                                      \
    KDL__INIT_WITH_GAIN((__VA_ARGS__), kdl_init_xavier_uniform_with_, tensor)
KDL_API kdl_status kdl_init_xavier_uniform_with_(kdl_tensor *tensor,
                                                 const kdl_init_gain_options *options);

/** xavier_normal_(tensor, gain=1): N(0, std), std = gain * sqrt(2 / (fan_in + fan_out)). */
#define kdl_init_xavier_normal_(tensor, ...)                                                       \
    KDL__INIT_WITH_GAIN((__VA_ARGS__), kdl_init_xavier_normal_with_, tensor)
KDL_API kdl_status kdl_init_xavier_normal_with_(kdl_tensor *tensor,
                                                const kdl_init_gain_options *options);

/** Options of kdl_init_kaiming_uniform_() and kdl_init_kaiming_normal_(). */
typedef struct kdl_init_kaiming_options {
    size_t nbytes;                 /**< sizeof(kdl_init_kaiming_options), for the ABI */
    double a;                      /**< the negative slope, for leaky_relu; default 0 */
    kdl_fan_mode mode;             /**< default KDL_FAN_IN */
    kdl_nonlinearity nonlinearity; /**< default KDL_NONLINEARITY_LEAKY_RELU */
    kdl_generator *generator;      /**< default NULL: the context's (borrowed) */
} kdl_init_kaiming_options;

#define KDL_INIT_KAIMING_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_init_kaiming_options), 0, KDL_FAN_IN, KDL_NONLINEARITY_LEAKY_RELU, NULL         \
    }
#define KDL__INIT_KAIMING(named, function, tensor)                                                 \
    KDL__WITH(kdl_init_kaiming_options, KDL_INIT_KAIMING_DEFAULTS, named, function, tensor)

/**
 * kaiming_uniform_(tensor, a=0, mode=fan_in, nonlinearity=leaky_relu): U(-bound, bound), bound =
 * gain * sqrt(3 / fan) (He et al., 2015). A tensor without elements is left alone, with a warning.
 * ValueError for fewer than two dimensions and for values that are no mode or nonlinearity.
 */
#define kdl_init_kaiming_uniform_(tensor, ...)                                                     \
    KDL__INIT_KAIMING((__VA_ARGS__), kdl_init_kaiming_uniform_with_, tensor)
KDL_API kdl_status kdl_init_kaiming_uniform_with_(kdl_tensor *tensor,
                                                  const kdl_init_kaiming_options *options);

/** kaiming_normal_(tensor, a=0, mode=fan_in, nonlinearity=leaky_relu): N(0, gain / sqrt(fan)). */
#define kdl_init_kaiming_normal_(tensor, ...)                                                      \
    KDL__INIT_KAIMING((__VA_ARGS__), kdl_init_kaiming_normal_with_, tensor)
KDL_API kdl_status kdl_init_kaiming_normal_with_(kdl_tensor *tensor,
                                                 const kdl_init_kaiming_options *options);

/* ---- orthogonal and sparse matrices ------------------------------------------------------ */

/**
 * orthogonal_(tensor, gain=1): a (semi-)orthogonal matrix of size(0) rows, times gain (Saxe et al.,
 * 2013): the Q of a normal matrix, with the signs of R's diagonal. f32 and f64. The draws are
 * PyTorch's; for the bits see kdl_set_lapack(). ValueError for fewer than two dimensions,
 * RuntimeError where the tensor cannot be viewed as a matrix, NotImplementedError for other dtypes
 * (after their draws, as in PyTorch). A tensor without elements is left alone.
 */
#define kdl_init_orthogonal_(tensor, ...)                                                          \
    KDL__INIT_WITH_GAIN((__VA_ARGS__), kdl_init_orthogonal_with_, tensor)
KDL_API kdl_status kdl_init_orthogonal_with_(kdl_tensor *tensor,
                                             const kdl_init_gain_options *options);

/** Options of kdl_init_sparse_(). */
typedef struct kdl_init_sparse_options {
    size_t nbytes;            /**< sizeof(kdl_init_sparse_options), for the ABI */
    double std;               /**< of the elements that are not zero; default 0.01 */
    kdl_generator *generator; /**< for those; default NULL: the context's (borrowed) */
} kdl_init_sparse_options;

#define KDL_INIT_SPARSE_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_init_sparse_options), 0.01, NULL                                                \
    }

/**
 * sparse_(tensor, sparsity, std=0.01): N(0, std), of which ceil(sparsity * rows) elements in each
 * column are then zeroed (Martens, 2010). Which ones is drawn from the context's default generator
 * even when `.generator` is given, as in PyTorch. ValueError unless two-dimensional.
 */
#define kdl_init_sparse_(tensor, sparsity, ...)                                                    \
    KDL__WITH(kdl_init_sparse_options, KDL_INIT_SPARSE_DEFAULTS, (__VA_ARGS__),                    \
              kdl_init_sparse_with_, tensor, sparsity)
KDL_API kdl_status kdl_init_sparse_with_(kdl_tensor *tensor, double sparsity,
                                         const kdl_init_sparse_options *options);

/* ---- what computes orthogonal_ ----------------------------------------------------------- */

/**
 * Chooses what computes the QR factorisations of kdl_init_orthogonal_() in this context.
 *
 * "builtin" (the default): Kindling's own, in f64, with the same bits on every machine and for any
 *     number of threads. They are as good as PyTorch's but differ from them by rounding.
 * "mkl" or "mkl:PATH": Intel's MKL, loaded now: PATH is libmkl_rt.so.2 or the folder that holds it;
 *     without PATH the dynamic linker's search finds it. PyTorch's own bits, which depend on its
 *     number of threads: set this context's to the same (kdl_set_num_threads()). PyTorch 2.13.0
 *     carries MKL 2024.2; another version is accepted with a warning. x86-64 only.
 *
 * What was recorded (plan.h) is computed by the choice in force when its values are needed.
 * Errors: ValueError for another name; RuntimeError when the library cannot be loaded or lacks a
 * function, with the dynamic linker's words. The choice then stays what it was.
 * A library that was loaded stays loaded until the process ends.
 */
KDL_API kdl_status kdl_set_lapack(kdl_context *ctx, const char *name);

/** The choice in force: "builtin" or "mkl" (a static string). */
KDL_API const char *kdl_get_lapack(const kdl_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
