/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.optim, in libkindling_train: what updates parameters by their gradients.
 *
 *     kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 0.1, .momentum = 0.9);
 *     for (...) {
 *         kdl_optimizer_zero_grad(optimizer);
 *         kdl_tensor *loss = ...;
 *         kdl_backward(loss);
 *         kdl_optimizer_step(optimizer);
 *         kdl_tensor_release(loss);
 *     }
 *     kdl_optimizer_release(optimizer);
 *
 * Parameters are f32 or f64 (others: NotImplementedError). A parameter without a gradient is left
 * as it is. The same bits for any number of threads.
 */
#ifndef KINDLING_OPTIM_H
#define KINDLING_OPTIM_H

#include "kindling/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kdl_optimizer kdl_optimizer;

/** Frees it with its state; the parameters stay. NULL is ignored. */
KDL_API void kdl_optimizer_release(kdl_optimizer *optimizer);

/** Optimizer.step(). */
KDL_API kdl_status kdl_optimizer_step(kdl_optimizer *optimizer);
/** Optimizer.zero_grad(): the parameters' gradients become None. */
KDL_API kdl_status kdl_optimizer_zero_grad(kdl_optimizer *optimizer);

/** len(Optimizer.param_groups); 0 for NULL. */
KDL_API size_t kdl_optimizer_group_count(const kdl_optimizer *optimizer);
/** Optimizer.param_groups[group]["lr"]; IndexError (and 0). */
KDL_API double kdl_optimizer_lr(kdl_optimizer *optimizer, size_t group);
/** Sets it, as learning-rate schedules do. */
KDL_API kdl_status kdl_optimizer_set_lr(kdl_optimizer *optimizer, size_t group, double lr);

/** Options of kdl_optim_sgd(); start from KDL_SGD_DEFAULTS. */
typedef struct kdl_sgd_options {
    size_t nbytes;       /**< sizeof(kdl_sgd_options), for the ABI */
    double lr;           /**< learning rate; PyTorch's default is 1e-3 */
    double momentum;     /**< default 0 */
    double dampening;    /**< default 0 */
    double weight_decay; /**< default 0 */
    bool nesterov;       /**< default false */
    bool maximize;       /**< default false */
} kdl_sgd_options;

#define KDL_SGD_DEFAULTS                                                                           \
    {                                                                                              \
        sizeof(kdl_sgd_options), 1e-3, 0, 0, 0, false, false                                       \
    }

/**
 * torch.optim.SGD(params, lr, momentum, dampening, weight_decay, nesterov, maximize), for the
 * parameters that an iteration gives: kdl_named_parameters(net). ValueError with PyTorch's text for
 * arguments out of range, no parameters at all, and one that is there already.
 */
#define kdl_optim_sgd(params, lr_, ...)                                                            \
    KDL__WITH(kdl_sgd_options, KDL_SGD_DEFAULTS, (.lr = lr_, __VA_ARGS__), kdl_optim_sgd_with,     \
              params)
KDL_API kdl_optimizer *kdl_optim_sgd_with(kdl_iterator params, const kdl_sgd_options *options);

/** Options of kdl_optim_adam() and kdl_optim_adamw(); start from their defaults. */
typedef struct kdl_adam_options {
    size_t nbytes;       /**< sizeof(kdl_adam_options), for the ABI */
    double lr;           /**< learning rate; PyTorch's default is 1e-3 */
    double beta1, beta2; /**< default 0.9, 0.999 */
    double eps;          /**< default 1e-8 */
    double weight_decay; /**< default 0; AdamW: 0.01 */
    bool amsgrad;        /**< default false */
    bool maximize;       /**< default false */
} kdl_adam_options;

#define KDL_ADAM_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_adam_options), 1e-3, 0.9, 0.999, 1e-8, 0, false, false                          \
    }
#define KDL_ADAMW_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_adam_options), 1e-3, 0.9, 0.999, 1e-8, 1e-2, false, false                       \
    }

/** torch.optim.Adam, torch.optim.AdamW (Loshchilov and Hutter: decoupled weight decay). */
#define kdl_optim_adam(params, lr_, ...)                                                           \
    KDL__WITH(kdl_adam_options, KDL_ADAM_DEFAULTS, (.lr = lr_, __VA_ARGS__), kdl_optim_adam_with,  \
              params)
#define kdl_optim_adamw(params, lr_, ...)                                                          \
    KDL__WITH(kdl_adam_options, KDL_ADAMW_DEFAULTS, (.lr = lr_, __VA_ARGS__),                      \
              kdl_optim_adamw_with, params)
KDL_API kdl_optimizer *kdl_optim_adam_with(kdl_iterator params, const kdl_adam_options *options);
KDL_API kdl_optimizer *kdl_optim_adamw_with(kdl_iterator params, const kdl_adam_options *options);

/**
 * Optimizer.add_param_group(): further parameters with arguments of their own, in the struct of the
 * optimizer's kind. ValueError as above, TypeError for a struct of another size.
 */
KDL_API kdl_status kdl_optimizer_add_param_group(kdl_optimizer *optimizer, kdl_iterator params,
                                                 const void *options);

#ifdef __cplusplus
}
#endif
#endif
