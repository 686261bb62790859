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
 *
 * As in PyTorch, sparse gradients (kdl_tensor_grad_rows()) are for SparseAdam, SGD, Adagrad and
 * LBFGS; SGD and Adagrad take them without weight decay only. Only the rows that such a gradient
 * has move, but for SGD's momentum and in LBFGS.
 */
#ifndef KINDLING_OPTIM_H
#define KINDLING_OPTIM_H

#include "kindling/autograd.h"
#include "kindling/checkpoint.h"
#include "kindling/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kdl_optimizer kdl_optimizer;

/** One reference more, for whoever also keeps it. NULL stays NULL. */
KDL_API kdl_optimizer *kdl_optimizer_retain(kdl_optimizer *optimizer);
/**
 * Gives a reference back: the last frees it with its state; the parameters stay. NULL is ignored.
 */
KDL_API void kdl_optimizer_release(kdl_optimizer *optimizer);

/**
 * Optimizer.step(). TypeError for LBFGS, which wants a closure; PyTorch's RuntimeError for a
 * gradient that should be dense, or sparse, before any parameter has moved.
 */
KDL_API kdl_status kdl_optimizer_step(kdl_optimizer *optimizer);
/**
 * Sets all gradients to None, computes the loss and its gradients, and gives it (one reference).
 */
typedef kdl_tensor *kdl_closure(void *user_data);
/**
 * Optimizer.step(closure): calls the closure, where gradients are recorded, then steps; LBFGS,
 * which wants this, calls it several times. Gives the (first) loss (one reference); NULL on
 * failure. TypeError without a closure.
 */
KDL_API kdl_tensor *kdl_optimizer_step_closure(kdl_optimizer *optimizer, kdl_closure *closure,
                                               void *user_data);
/** Optimizer.zero_grad(): the parameters' gradients become None. */
KDL_API kdl_status kdl_optimizer_zero_grad(kdl_optimizer *optimizer);

/** len(Optimizer.param_groups); 0 for NULL. */
KDL_API size_t kdl_optimizer_group_count(const kdl_optimizer *optimizer);
/** Optimizer.param_groups[group]["lr"]; IndexError (and 0). */
KDL_API double kdl_optimizer_lr(kdl_optimizer *optimizer, size_t group);
/** Sets it, as learning-rate schedules do. */
KDL_API kdl_status kdl_optimizer_set_lr(kdl_optimizer *optimizer, size_t group, double lr);

/**
 * Optimizer.param_groups[group][key]: a number by PyTorch's name ("weight_decay", "initial_lr"), a
 * flag as 0 or 1; of a pair ("betas") the number at `index`, which else is 0. KeyError or
 * IndexError, and 0, when there is none.
 */
KDL_API double kdl_optimizer_get(kdl_optimizer *optimizer, size_t group, const char *key,
                                 int index);
/** Sets it; as in PyTorch, its range is not checked here. */
KDL_API kdl_status kdl_optimizer_set(kdl_optimizer *optimizer, size_t group, const char *key,
                                     int index, double value);

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
 * arguments out of range (NaN always is), no parameters at all, and one that another group has. One
 * that comes twice is taken once, with PyTorch's warning.
 */
#define kdl_optim_sgd(params, lr_, ...)                                                            \
    KDL__WITH(kdl_sgd_options, KDL_SGD_DEFAULTS, (.lr = lr_, __VA_ARGS__), kdl_optim_sgd_with,     \
              params)
KDL_API kdl_optimizer *kdl_optim_sgd_with(kdl_iterator params, const kdl_sgd_options *options);

/** Options of kdl_optim_adam() and kdl_optim_adamw(); start from their defaults. */
typedef struct kdl_adam_options {
    size_t nbytes;               /**< sizeof(kdl_adam_options), for the ABI */
    double lr;                   /**< learning rate; PyTorch's default is 1e-3 */
    double beta1, beta2;         /**< default 0.9, 0.999 */
    double eps;                  /**< default 1e-8 */
    double weight_decay;         /**< default 0; AdamW: 0.01 */
    bool amsgrad;                /**< default false */
    bool maximize;               /**< default false */
    bool decoupled_weight_decay; /**< of the parameter, not the gradient; default: only AdamW */
} kdl_adam_options;

#define KDL_ADAM_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_adam_options), 1e-3, 0.9, 0.999, 1e-8, 0, false, false, false                   \
    }
#define KDL_ADAMW_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_adam_options), 1e-3, 0.9, 0.999, 1e-8, 1e-2, false, false, true                 \
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

/** Options of kdl_optim_sparse_adam(); start from KDL_SPARSE_ADAM_DEFAULTS. */
typedef struct kdl_sparse_adam_options {
    size_t nbytes;       /**< sizeof(kdl_sparse_adam_options), for the ABI */
    double lr;           /**< default 1e-3; above 0 */
    double beta1, beta2; /**< default 0.9, 0.999 */
    double eps;          /**< default 1e-8; above 0 */
    bool maximize;       /**< default false */
} kdl_sparse_adam_options;

#define KDL_SPARSE_ADAM_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_sparse_adam_options), 1e-3, 0.9, 0.999, 1e-8, false                             \
    }

/**
 * torch.optim.SparseAdam(params, lr, betas, eps, maximize): of the rows that a sparse gradient has
 * (kdl_tensor_grad_rows()); averages of the others stay as they are. RuntimeError for dense ones.
 * In PyTorch's state its "step" is an int, in Kindling's a tensor as elsewhere: call int() on it.
 */
#define kdl_optim_sparse_adam(params, lr_, ...)                                                    \
    KDL__WITH(kdl_sparse_adam_options, KDL_SPARSE_ADAM_DEFAULTS, (.lr = lr_, __VA_ARGS__),         \
              kdl_optim_sparse_adam_with, params)
KDL_API kdl_optimizer *kdl_optim_sparse_adam_with(kdl_iterator params,
                                                  const kdl_sparse_adam_options *options);

/** Options of kdl_optim_rmsprop(); start from KDL_RMSPROP_DEFAULTS. */
typedef struct kdl_rmsprop_options {
    size_t nbytes;       /**< sizeof(kdl_rmsprop_options), for the ABI */
    double lr;           /**< learning rate; PyTorch's default is 1e-2 */
    double alpha;        /**< how slowly the average forgets; default 0.99 */
    double eps;          /**< default 1e-8 */
    double weight_decay; /**< default 0 */
    double momentum;     /**< default 0 */
    bool centered;       /**< divide by the variance; default false */
    bool maximize;       /**< default false */
} kdl_rmsprop_options;

#define KDL_RMSPROP_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_rmsprop_options), 1e-2, 0.99, 1e-8, 0, 0, false, false                          \
    }

/** torch.optim.RMSprop (Hinton's lecture; centered: Graves, 2013). */
#define kdl_optim_rmsprop(params, lr_, ...)                                                        \
    KDL__WITH(kdl_rmsprop_options, KDL_RMSPROP_DEFAULTS, (.lr = lr_, __VA_ARGS__),                 \
              kdl_optim_rmsprop_with, params)
KDL_API kdl_optimizer *kdl_optim_rmsprop_with(kdl_iterator params, const kdl_rmsprop_options *);

/** Options of kdl_optim_adagrad(); start from KDL_ADAGRAD_DEFAULTS. */
typedef struct kdl_adagrad_options {
    size_t nbytes;                    /**< sizeof(kdl_adagrad_options), for the ABI */
    double lr;                        /**< learning rate; PyTorch's default is 1e-2 */
    double lr_decay;                  /**< default 0 */
    double weight_decay;              /**< default 0 */
    double initial_accumulator_value; /**< default 0; the constructor's is every group's */
    double eps;                       /**< default 1e-10 */
    bool maximize;                    /**< default false */
} kdl_adagrad_options;

#define KDL_ADAGRAD_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_adagrad_options), 1e-2, 0, 0, 0, 1e-10, false                                   \
    }

/** torch.optim.Adagrad (Duchi, Hazan and Singer, 2011). */
#define kdl_optim_adagrad(params, lr_, ...)                                                        \
    KDL__WITH(kdl_adagrad_options, KDL_ADAGRAD_DEFAULTS, (.lr = lr_, __VA_ARGS__),                 \
              kdl_optim_adagrad_with, params)
KDL_API kdl_optimizer *kdl_optim_adagrad_with(kdl_iterator params, const kdl_adagrad_options *);

/** Options of kdl_optim_adadelta(); start from KDL_ADADELTA_DEFAULTS. */
typedef struct kdl_adadelta_options {
    size_t nbytes;       /**< sizeof(kdl_adadelta_options), for the ABI */
    double lr;           /**< learning rate; PyTorch's default is 1.0 */
    double rho;          /**< default 0.9 */
    double eps;          /**< default 1e-6 */
    double weight_decay; /**< default 0 */
    bool maximize;       /**< default false */
} kdl_adadelta_options;

#define KDL_ADADELTA_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_adadelta_options), 1.0, 0.9, 1e-6, 0, false                                     \
    }

/** torch.optim.Adadelta (Zeiler, 2012). */
#define kdl_optim_adadelta(params, lr_, ...)                                                       \
    KDL__WITH(kdl_adadelta_options, KDL_ADADELTA_DEFAULTS, (.lr = lr_, __VA_ARGS__),               \
              kdl_optim_adadelta_with, params)
KDL_API kdl_optimizer *kdl_optim_adadelta_with(kdl_iterator params, const kdl_adadelta_options *);

/** Options of kdl_optim_adamax(); start from KDL_ADAMAX_DEFAULTS. */
typedef struct kdl_adamax_options {
    size_t nbytes;       /**< sizeof(kdl_adamax_options), for the ABI */
    double lr;           /**< learning rate; PyTorch's default is 2e-3 */
    double beta1, beta2; /**< default 0.9, 0.999 */
    double eps;          /**< default 1e-8 */
    double weight_decay; /**< default 0 */
    bool maximize;       /**< default false */
} kdl_adamax_options;

#define KDL_ADAMAX_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_adamax_options), 2e-3, 0.9, 0.999, 1e-8, 0, false                               \
    }

/** torch.optim.Adamax (Kingma and Ba, 2015). */
#define kdl_optim_adamax(params, lr_, ...)                                                         \
    KDL__WITH(kdl_adamax_options, KDL_ADAMAX_DEFAULTS, (.lr = lr_, __VA_ARGS__),                   \
              kdl_optim_adamax_with, params)
KDL_API kdl_optimizer *kdl_optim_adamax_with(kdl_iterator params, const kdl_adamax_options *);

/** Options of kdl_optim_nadam(); start from KDL_NADAM_DEFAULTS. */
typedef struct kdl_nadam_options {
    size_t nbytes;               /**< sizeof(kdl_nadam_options), for the ABI */
    double lr;                   /**< learning rate; PyTorch's default is 2e-3 */
    double beta1, beta2;         /**< default 0.9, 0.999 */
    double eps;                  /**< default 1e-8 */
    double weight_decay;         /**< default 0 */
    double momentum_decay;       /**< default 4e-3 */
    bool decoupled_weight_decay; /**< of the parameter, not the gradient; default false */
    bool maximize;               /**< default false */
} kdl_nadam_options;

#define KDL_NADAM_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_nadam_options), 2e-3, 0.9, 0.999, 1e-8, 0, 4e-3, false, false                   \
    }

/** torch.optim.NAdam (Dozat, 2016). */
#define kdl_optim_nadam(params, lr_, ...)                                                          \
    KDL__WITH(kdl_nadam_options, KDL_NADAM_DEFAULTS, (.lr = lr_, __VA_ARGS__),                     \
              kdl_optim_nadam_with, params)
KDL_API kdl_optimizer *kdl_optim_nadam_with(kdl_iterator params, const kdl_nadam_options *);

/** Options of kdl_optim_radam(); start from KDL_RADAM_DEFAULTS. */
typedef struct kdl_radam_options {
    size_t nbytes;               /**< sizeof(kdl_radam_options), for the ABI */
    double lr;                   /**< learning rate; PyTorch's default is 1e-3 */
    double beta1, beta2;         /**< default 0.9, 0.999 */
    double eps;                  /**< default 1e-8 */
    double weight_decay;         /**< default 0 */
    bool decoupled_weight_decay; /**< of the parameter, not the gradient; default false */
    bool maximize;               /**< default false */
} kdl_radam_options;

#define KDL_RADAM_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_radam_options), 1e-3, 0.9, 0.999, 1e-8, 0, false, false                         \
    }

/** torch.optim.RAdam (Liu et al., 2020). */
#define kdl_optim_radam(params, lr_, ...)                                                          \
    KDL__WITH(kdl_radam_options, KDL_RADAM_DEFAULTS, (.lr = lr_, __VA_ARGS__),                     \
              kdl_optim_radam_with, params)
KDL_API kdl_optimizer *kdl_optim_radam_with(kdl_iterator params, const kdl_radam_options *);

/** Options of kdl_optim_rprop(); start from KDL_RPROP_DEFAULTS. */
typedef struct kdl_rprop_options {
    size_t nbytes;              /**< sizeof(kdl_rprop_options), for the ABI */
    double lr;                  /**< learning rate; PyTorch's default is 1e-2 */
    double eta_minus, eta_plus; /**< etas: what the step shrinks and grows by; default 0.5, 1.2 */
    double step_size_min, step_size_max; /**< step_sizes: its bounds; default 1e-6, 50 */
    bool maximize;                       /**< default false */
} kdl_rprop_options;

#define KDL_RPROP_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_rprop_options), 1e-2, 0.5, 1.2, 1e-6, 50, false                                 \
    }

/** torch.optim.Rprop (Riedmiller and Braun, 1993): for full batches. */
#define kdl_optim_rprop(params, lr_, ...)                                                          \
    KDL__WITH(kdl_rprop_options, KDL_RPROP_DEFAULTS, (.lr = lr_, __VA_ARGS__),                     \
              kdl_optim_rprop_with, params)
KDL_API kdl_optimizer *kdl_optim_rprop_with(kdl_iterator params, const kdl_rprop_options *);

/** Options of kdl_optim_asgd(); start from KDL_ASGD_DEFAULTS. */
typedef struct kdl_asgd_options {
    size_t nbytes;       /**< sizeof(kdl_asgd_options), for the ABI */
    double lr;           /**< learning rate; PyTorch's default is 1e-2 */
    double lambd;        /**< default 1e-4 */
    double alpha;        /**< default 0.75 */
    double t0;           /**< the step where averaging begins; default 1e6 */
    double weight_decay; /**< default 0 */
    bool maximize;       /**< default false */
} kdl_asgd_options;

#define KDL_ASGD_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_asgd_options), 1e-2, 1e-4, 0.75, 1e6, 0, false                                  \
    }

/** torch.optim.ASGD (Polyak and Juditsky, 1992). */
#define kdl_optim_asgd(params, lr_, ...)                                                           \
    KDL__WITH(kdl_asgd_options, KDL_ASGD_DEFAULTS, (.lr = lr_, __VA_ARGS__), kdl_optim_asgd_with,  \
              params)
KDL_API kdl_optimizer *kdl_optim_asgd_with(kdl_iterator params, const kdl_asgd_options *);

/** Options of kdl_optim_adafactor(); start from KDL_ADAFACTOR_DEFAULTS. */
typedef struct kdl_adafactor_options {
    size_t nbytes;       /**< sizeof(kdl_adafactor_options), for the ABI */
    double lr;           /**< the largest relative step; PyTorch's default is 1e-2 */
    double beta2_decay;  /**< default -0.8 */
    double eps1;         /**< default KDL_NONE_FLOAT: the dtype's epsilon */
    double eps2;         /**< default 1e-3 */
    double d;            /**< where updates are clipped; default 1 */
    double weight_decay; /**< of the parameter; default 0 */
    bool maximize;       /**< default false */
} kdl_adafactor_options;

#define KDL_ADAFACTOR_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_adafactor_options), 1e-2, -0.8, KDL_NONE_FLOAT, 1e-3, 1, 0, false               \
    }

/**
 * torch.optim.Adafactor (Shazeer and Stern, 2018): of matrices only the rows' and columns' sums.
 */
#define kdl_optim_adafactor(params, lr_, ...)                                                      \
    KDL__WITH(kdl_adafactor_options, KDL_ADAFACTOR_DEFAULTS, (.lr = lr_, __VA_ARGS__),             \
              kdl_optim_adafactor_with, params)
KDL_API kdl_optimizer *kdl_optim_adafactor_with(kdl_iterator params, const kdl_adafactor_options *);

/** Options of kdl_optim_muon(); start from KDL_MUON_DEFAULTS. */
typedef struct kdl_muon_options {
    size_t nbytes;            /**< sizeof(kdl_muon_options), for the ABI */
    double lr;                /**< learning rate; PyTorch's default is 1e-3 */
    double weight_decay;      /**< of the parameter; default 0.1 */
    double momentum;          /**< default 0.95 */
    bool nesterov;            /**< default true */
    double ns_a, ns_b, ns_c;  /**< ns_coefficients; default 3.4445, -4.775, 2.0315 */
    double eps;               /**< default 1e-7 */
    int64_t ns_steps;         /**< default 5 */
    const char *adjust_lr_fn; /**< NULL (the default), "original" or "match_rms_adamw" */
} kdl_muon_options;

#define KDL_MUON_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_muon_options), 1e-3, 0.1, 0.95, true, 3.4445, -4.7750, 2.0315, 1e-7, 5, NULL    \
    }

/**
 * torch.optim.Muon (Jordan et al., 2024): steps along the nearest orthogonal matrix, by Newton and
 * Schulz' iteration in bf16. ValueError for a parameter that is no matrix. Its products of matrices
 * are oneDNN's, whose bits depend on the processor.
 */
#define kdl_optim_muon(params, lr_, ...)                                                           \
    KDL__WITH(kdl_muon_options, KDL_MUON_DEFAULTS, (.lr = lr_, __VA_ARGS__), kdl_optim_muon_with,  \
              params)
KDL_API kdl_optimizer *kdl_optim_muon_with(kdl_iterator params, const kdl_muon_options *options);

/** Options of kdl_optim_lbfgs(); start from KDL_LBFGS_DEFAULTS. */
typedef struct kdl_lbfgs_options {
    size_t nbytes;              /**< sizeof(kdl_lbfgs_options), for the ABI */
    double lr;                  /**< learning rate; PyTorch's default is 1 */
    int64_t max_iter;           /**< of each step; default 20 */
    int64_t max_eval;           /**< calls of the closure; default KDL_NONE_INT: max_iter * 5 / 4 */
    double tolerance_grad;      /**< default 1e-7 */
    double tolerance_change;    /**< default 1e-9 */
    int64_t history_size;       /**< default 100 */
    const char *line_search_fn; /**< NULL (the default) or "strong_wolfe" */
} kdl_lbfgs_options;

#define KDL_LBFGS_DEFAULTS                                                                         \
    {                                                                                              \
        sizeof(kdl_lbfgs_options), 1, 20, KDL_NONE_INT, 1e-7, 1e-9, 100, NULL                      \
    }

/**
 * torch.optim.LBFGS (Nocedal, 1980; Liu and Nocedal, 1989), for parameters of one dtype in one
 * group. Steps by kdl_optimizer_step_closure().
 */
#define kdl_optim_lbfgs(params, lr_, ...)                                                          \
    KDL__WITH(kdl_lbfgs_options, KDL_LBFGS_DEFAULTS, (.lr = lr_, __VA_ARGS__),                     \
              kdl_optim_lbfgs_with, params)
KDL_API kdl_optimizer *kdl_optim_lbfgs_with(kdl_iterator params, const kdl_lbfgs_options *options);

/**
 * Optimizer.add_param_group(): further parameters (or none) with arguments of their own, in the
 * struct of the optimizer's kind; NULL: those of the constructor. ValueError as above, TypeError
 * for a struct of another size.
 */
KDL_API kdl_status kdl_optimizer_add_param_group(kdl_optimizer *optimizer, kdl_iterator params,
                                                 const void *options);

/* ---- state_dict -------------------------------------------------------------------------- */

/**
 * Optimizer.state_dict()["state"]: tensors "state.<index>.<name>", e.g. "state.0.exp_avg", as
 * PyTorch names them and in its dtypes ("step" is an f32 of no dimensions); they share their
 * storage with the optimiser's. The index counts the parameters through all groups.
 */
KDL_API kdl_state_dict *kdl_optimizer_state_dict(kdl_optimizer *optimizer);
/**
 * Optimizer.state_dict()["param_groups"] as JSON, with PyTorch's keys: in Python json.loads() of it
 * is what PyTorch's load_state_dict() takes (kdl_free).
 */
KDL_API char *kdl_optimizer_param_groups(kdl_optimizer *optimizer);
/**
 * Optimizer.load_state_dict({"state": ..., "param_groups": ...}), from Kindling or from PyTorch:
 * both go on from there with the same steps. Copies the values, converted to the parameters'
 * dtypes. PyTorch's ValueErrors for other numbers of groups and parameters; ValueError for states
 * that the optimiser does not have or of other sizes, TypeError and KeyError for entries of the
 * groups. The optimiser stays as it was on failure.
 */
KDL_API kdl_status kdl_optimizer_load_state_dict(kdl_optimizer *optimizer,
                                                 kdl_state_dict *state_dict,
                                                 const char *param_groups);

/**
 * Both in a safetensors file, the groups in its metadata as "kindling.param_groups". Options and
 * errors are kdl_plan_save()'s.
 */
#define kdl_optimizer_save(optimizer, path, ...)                                                   \
    KDL__WITH(kdl_save_options, KDL_SAVE_DEFAULTS, (__VA_ARGS__), kdl_optimizer_save_with,         \
              optimizer, path)
KDL_API kdl_status kdl_optimizer_save_with(kdl_optimizer *optimizer, const char *path,
                                           const kdl_save_options *options);
/** Loads such a file. KDL_ERROR_FORMAT for one without groups, and the errors from above. */
KDL_API kdl_status kdl_optimizer_load(kdl_optimizer *optimizer, const char *path);

/* ---- gradients that are not to become too large (torch.nn.utils) -------------------------- */

/** Options of kdl_clip_grad_norm_(); start from KDL_CLIP_GRAD_NORM_DEFAULTS. */
typedef struct kdl_clip_grad_norm_options {
    size_t nbytes;           /**< sizeof(kdl_clip_grad_norm_options), for the ABI */
    double norm_type;        /**< the norm's order; INFINITY: the largest magnitude; default 2 */
    bool error_if_nonfinite; /**< default false */
} kdl_clip_grad_norm_options;

#define KDL_CLIP_GRAD_NORM_DEFAULTS                                                                \
    {                                                                                              \
        sizeof(kdl_clip_grad_norm_options), 2, false                                               \
    }

/**
 * torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite): scales the
 * gradients, as if they were one vector, to a norm of at most max_norm. Gives the norm that they
 * had; 0 on failure. RuntimeError for a norm that is no number, or infinite, where that is asked
 * for; NotImplementedError for gradients that are sparse (as PyTorch's) or neither f32 nor f64. The
 * same bits for any number of threads.
 */
#define kdl_clip_grad_norm_(params, max_norm, ...)                                                 \
    KDL__WITH(kdl_clip_grad_norm_options, KDL_CLIP_GRAD_NORM_DEFAULTS, (__VA_ARGS__),              \
              kdl_clip_grad_norm_with_, params, max_norm)
KDL_API double kdl_clip_grad_norm_with_(kdl_iterator params, double max_norm,
                                        const kdl_clip_grad_norm_options *options);
/**
 * torch.nn.utils.clip_grad_value_(parameters, clip_value): into [-clip_value, clip_value].
 * NotImplementedError as above.
 */
KDL_API kdl_status kdl_clip_grad_value_(kdl_iterator params, double clip_value);

#ifdef __cplusplus
}
#endif
#endif
