/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.nn.utils.parametrize and torch.nn.utils.parametrizations: a tensor of a module that is
 * computed from others, its originals.
 *
 *     kdl_parametrizations_weight_norm(linear);            // originals g and v of the weight
 *     kdl_tensor *weight = kdl_parametrized(linear, "weight");
 *
 * As in PyTorch the module gets a child `parametrizations`, a ModuleDict with a ParametrizationList
 * for each tensor, so that state_dict() has "parametrizations.weight.original0"; it is printed as
 * ParametrizedLinear(...). It stays of its class: kdl_module_type() is Linear, where PyTorch
 * derives a class from it. kdl_parameter(linear, "weight") finds nothing any more, but while
 * kdl_forward() runs, which computes all parametrized tensors of the module itself first: then it
 * gives their values.
 *
 * Gradients go to the originals, through these and through parametrizations of one's own.
 *
 * All of it can be recorded: originals, buffers and parametrized values are materialised with a
 * plan. Values come from sums in double, so they differ from PyTorch's by rounding (by less than
 * 1e-5); the originals of weight_norm, and all draws, are PyTorch's bits.
 */
#ifndef KINDLING_NN_PARAMETRIZE_H
#define KINDLING_NN_PARAMETRIZE_H

#include "kindling/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/** ParametrizationList: a ModuleList of a tensor's parametrizations, with its originals. */
#define KDL_CLASS_PARAMETRIZATION_LIST (&kdl_class_parametrization_list)
KDL_API extern const kdl_module_class kdl_class_parametrization_list;

/* ---- parametrize ------------------------------------------------------------------------- */

/** How many originals a tensor may have. */
#define KDL_MAX_ORIGINALS 8

/** Options of kdl_register_parametrization(); start from KDL_PARAMETRIZATION_DEFAULTS. */
typedef struct kdl_parametrization_options {
    size_t nbytes; /**< sizeof(kdl_parametrization_options), for the ABI */
    bool unsafe;   /**< default false; true: dtype and shape are not checked */
} kdl_parametrization_options;

#define KDL_PARAMETRIZATION_DEFAULTS                                                               \
    {                                                                                              \
        sizeof(kdl_parametrization_options), false                                                 \
    }

/**
 * parametrize.register_parametrization(module, tensor_name, parametrization, unsafe=False).
 * `parametrization` (consumed) is a module whose class has `forward`, or `parametrize` for several
 * originals, and perhaps `right_inverse` (kdl_module_class). Without an inverse the tensor itself
 * is the original. On a tensor that is parametrized it is appended to the others.
 *
 * Unless unsafe, forward and right_inverse are called to see whether dtype and shape stay:
 * ValueError with PyTorch's text if not. ValueError for a name that is no parameter and no buffer.
 * NotImplementedError for a right_inverse to one tensor of another shape. On failure the module
 * stays as it was.
 */
#define kdl_register_parametrization(module, tensor_name, parametrization, ...)                    \
    KDL__WITH(kdl_parametrization_options, KDL_PARAMETRIZATION_DEFAULTS, (__VA_ARGS__),            \
              kdl_register_parametrization_with, module, tensor_name, parametrization)
KDL_API kdl_status kdl_register_parametrization_with(kdl_module *module, const char *tensor_name,
                                                     kdl_module *parametrization,
                                                     const kdl_parametrization_options *options);

/** parametrize.is_parametrized(module, tensor_name): any tensor of it, where the name is NULL. */
KDL_API bool kdl_is_parametrized(const kdl_module *module, const char *tensor_name);

/**
 * module.name of a parametrized tensor: computed anew at each call; one reference. (A spectral norm
 * in training goes on with its power iteration.) ValueError for one that is not parametrized.
 */
KDL_API kdl_tensor *kdl_parametrized(kdl_module *module, const char *tensor_name);

/**
 * module.name = value: the originals become those of `value`, by the right inverses, last
 * parametrization first. RuntimeError where one has none; ValueError for another dtype.
 */
KDL_API kdl_status kdl_set_parametrized(kdl_module *module, const char *tensor_name,
                                        kdl_tensor *value);

/**
 * parametrize.remove_parametrizations(module, tensor_name, leave_parametrized): the tensor becomes
 * a parameter (or buffer) again, with the parametrized value, or else with the original's.
 * ValueError for a tensor that is not parametrized, and to go back where there are several
 * originals.
 */
KDL_API kdl_status kdl_remove_parametrizations(kdl_module *module, const char *tensor_name,
                                               bool leave_parametrized);

/* ---- parametrizations -------------------------------------------------------------------- */

/** Options of kdl_parametrizations_weight_norm(). */
typedef struct kdl_weight_norm_options {
    size_t nbytes;    /**< sizeof(kdl_weight_norm_options), for the ABI */
    const char *name; /**< default "weight" */
    int64_t dim;      /**< default 0; KDL_NONE_INT (or -1): one norm for all */
} kdl_weight_norm_options;

#define KDL_WEIGHT_NORM_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_weight_norm_options), "weight", 0                                               \
    }

/**
 * parametrizations.weight_norm(module, name='weight', dim=0): w = g v/|v|, with original0 = g, the
 * norms (sizes 1 but for `dim`), and original1 = v. (Salimans & Kingma, arXiv:1602.07868.) Errors
 * are PyTorch's. Loading takes the keys "weight_g" and "weight_v" for them, too.
 */
#define kdl_parametrizations_weight_norm(module, ...)                                              \
    KDL__WITH(kdl_weight_norm_options, KDL_WEIGHT_NORM_DEFAULTS, (__VA_ARGS__),                    \
              kdl_parametrizations_weight_norm_with, module)
KDL_API kdl_status kdl_parametrizations_weight_norm_with(kdl_module *module,
                                                         const kdl_weight_norm_options *options);

/** Options of kdl_parametrizations_spectral_norm(). */
typedef struct kdl_spectral_norm_options {
    size_t nbytes;              /**< sizeof(kdl_spectral_norm_options), for the ABI */
    const char *name;           /**< default "weight" */
    int64_t n_power_iterations; /**< default 1 */
    double eps;                 /**< default 1e-12 */
    int64_t dim; /**< default KDL_NONE_INT: 1 for ConvTranspose1d to 3d, 0 for others */
} kdl_spectral_norm_options;

#define KDL_SPECTRAL_NORM_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_spectral_norm_options), "weight", 1, 1e-12, KDL_NONE_INT                        \
    }

/**
 * parametrizations.spectral_norm(module, name='weight', n_power_iterations=1, eps=1e-12,
 * dim=None): w = W/sigma, with `original` W and the buffers _u and _v, which are drawn from N(0, 1)
 * and go through 15 power iterations (and n_power_iterations more, when the module trains). (Miyato
 * et al., arXiv:1802.05957.) Errors are PyTorch's.
 */
#define kdl_parametrizations_spectral_norm(module, ...)                                            \
    KDL__WITH(kdl_spectral_norm_options, KDL_SPECTRAL_NORM_DEFAULTS, (__VA_ARGS__),                \
              kdl_parametrizations_spectral_norm_with, module)
KDL_API kdl_status kdl_parametrizations_spectral_norm_with(
    kdl_module *module, const kdl_spectral_norm_options *options);

/** Options of kdl_parametrizations_orthogonal(). */
typedef struct kdl_orthogonal_options {
    size_t nbytes;              /**< sizeof(kdl_orthogonal_options), for the ABI */
    const char *name;           /**< default "weight" */
    const char *orthogonal_map; /**< default NULL: "matrix_exp" if square, else "householder" */
    bool use_trivialization;    /**< default true */
} kdl_orthogonal_options;

#define KDL_ORTHOGONAL_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_orthogonal_options), "weight", NULL, true                                       \
    }

/**
 * parametrizations.orthogonal(module, name='weight', orthogonal_map=None, *,
 * use_trivialization=True): a matrix Q [.., m, n] (or batch of them) with orthonormal columns, or
 * rows where m < n. `orthogonal_map` is "matrix_exp", "cayley" or "householder".
 *
 * With trivialization Q = base map(original): `original` is -I, and the buffer `base` [.., l, l],
 * l = max(m, n), is the weight's Q factor with the signs of R's diagonal (the weight itself if it
 * is orthogonal), completed by l - min(m, n) columns drawn from N(0, 1). Without, `original` is the
 * weight, or its reflectors under "householder". (Lezcano-Casado, arXiv:1909.09501.) f32 and f64;
 * other dtypes keep their weight, and then, as in PyTorch, have no value. Errors are PyTorch's.
 */
#define kdl_parametrizations_orthogonal(module, ...)                                               \
    KDL__WITH(kdl_orthogonal_options, KDL_ORTHOGONAL_DEFAULTS, (__VA_ARGS__),                      \
              kdl_parametrizations_orthogonal_with, module)
KDL_API kdl_status kdl_parametrizations_orthogonal_with(kdl_module *module,
                                                        const kdl_orthogonal_options *options);

#ifdef __cplusplus
}
#endif
#endif
