/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch.optim.lr_scheduler, in libkindling_train: what changes learning rates while training goes
 * on.
 *
 *     kdl_lr_scheduler *schedule = kdl_lr_cosine_annealing(optimizer, epochs);
 *     for (int epoch = 0; epoch < epochs; epoch++) {
 *         ...
 *         kdl_optimizer_step(optimizer);
 *         kdl_lr_scheduler_step(schedule);
 *     }
 *     kdl_lr_scheduler_release(schedule);
 *
 * A schedule is of one optimiser, which it keeps alive, and sets "lr" in each of its groups as soon
 * as it is made, as in PyTorch: its numbers are PyTorch's. The order in which several are made
 * matters, so make each in a statement of its own. Almost all have the option `.last_epoch`
 * (default -1: a new run; else each group must have its "initial_lr" from the run before). One
 * thread at a time.
 */
#ifndef KINDLING_LR_SCHEDULER_H
#define KINDLING_LR_SCHEDULER_H

#include "kindling/layer.h"
#include "kindling/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kdl_lr_scheduler kdl_lr_scheduler;

/** Frees it, with the schedules that it consists of. NULL is ignored. */
KDL_API void kdl_lr_scheduler_release(kdl_lr_scheduler *scheduler);
/**
 * LRScheduler.step(): sets the next rates. Warns, as PyTorch does, when the optimiser has not taken
 * a step yet. TypeError for ReduceLROnPlateau, which wants a value.
 */
KDL_API kdl_status kdl_lr_scheduler_step(kdl_lr_scheduler *scheduler);
/**
 * LRScheduler.step(epoch): the rates of that epoch, in closed form where the class has one.
 * CosineAnnealingWarmRestarts takes fractions of epochs, the others cut them off. TypeError for
 * ReduceLROnPlateau and what consists of several schedules.
 */
KDL_API kdl_status kdl_lr_scheduler_step_epoch(kdl_lr_scheduler *scheduler, double epoch);
/** ReduceLROnPlateau.step(metrics). TypeError for the others. */
KDL_API kdl_status kdl_lr_scheduler_step_metrics(kdl_lr_scheduler *scheduler, double metrics);
/** LRScheduler.get_last_lr()[group]; IndexError (and 0). */
KDL_API double kdl_lr_scheduler_last_lr(kdl_lr_scheduler *scheduler, size_t group);
/** LRScheduler.last_epoch; 0 for NULL and ChainedScheduler. */
KDL_API int64_t kdl_lr_scheduler_last_epoch(const kdl_lr_scheduler *scheduler);

/**
 * LRScheduler.state_dict() as JSON, with PyTorch's keys (kdl_free): where the schedule is, and its
 * arguments that are numbers. In Python, json.loads() of it is what load_state_dict() takes.
 */
KDL_API char *kdl_lr_scheduler_state_dict(kdl_lr_scheduler *scheduler);
/**
 * LRScheduler.load_state_dict(), of a schedule constructed alike, from Kindling or (json.dumps() of
 * it) from PyTorch. Arguments that are functions, texts or milestones stay as constructed, and so
 * do the optimiser's rates, which its own state_dict brings. TypeError, KeyError, ValueError or
 * KDL_ERROR_FORMAT for what does not fit; then nothing is changed.
 */
KDL_API kdl_status kdl_lr_scheduler_load_state_dict(kdl_lr_scheduler *scheduler,
                                                    const char *state_dict);

/**
 * A list of numbers, one a parameter group; of no values: not given. (The macros for lists are C's;
 * in C++, where such a list would not live long enough, fill the struct.)
 */
typedef struct kdl_lr_values {
    const double *values; /**< borrowed during the call */
    size_t count;
} kdl_lr_values;
#define KDL_LR_VALUES(...)                                                                         \
    ((kdl_lr_values){ (const double[]){ __VA_ARGS__ },                                             \
                      sizeof(double[]){ __VA_ARGS__ } / sizeof(double) })

/** A list of epochs: KDL_MILESTONES(30, 80). */
typedef struct kdl_milestones {
    const int64_t *epochs; /**< borrowed during the call */
    size_t count;
} kdl_milestones;
#define KDL_MILESTONES(...)                                                                        \
    ((kdl_milestones){ (const int64_t[]){ __VA_ARGS__ },                                           \
                       sizeof(int64_t[]){ __VA_ARGS__ } / sizeof(int64_t) })

/* ---- factors ----------------------------------------------------------------------------- */

/** What a rate is multiplied with at an epoch, for a parameter group. */
typedef double kdl_lr_function(int64_t epoch, size_t group, void *user_data);

/** Options of those that have no others; start from KDL_LR_DEFAULTS. */
typedef struct kdl_lr_options {
    size_t nbytes;      /**< sizeof(kdl_lr_options), for the ABI */
    int64_t last_epoch; /**< default -1 */
} kdl_lr_options;
#define KDL_LR_DEFAULTS                                                                            \
    {                                                                                              \
        sizeof(kdl_lr_options), -1                                                                 \
    }

/** LambdaLR(optimizer, lr_lambda): the initial rate times the function. */
#define kdl_lr_lambda(optimizer, lr_lambda, user_data, ...)                                        \
    KDL__WITH(kdl_lr_options, KDL_LR_DEFAULTS, (__VA_ARGS__), kdl_lr_lambda_with, optimizer,       \
              lr_lambda, user_data)
KDL_API kdl_lr_scheduler *kdl_lr_lambda_with(kdl_optimizer *optimizer, kdl_lr_function *lr_lambda,
                                             void *user_data, const kdl_lr_options *options);
/** MultiplicativeLR(optimizer, lr_lambda): the rate before times the function, from epoch 1. */
#define kdl_lr_multiplicative(optimizer, lr_lambda, user_data, ...)                                \
    KDL__WITH(kdl_lr_options, KDL_LR_DEFAULTS, (__VA_ARGS__), kdl_lr_multiplicative_with,          \
              optimizer, lr_lambda, user_data)
KDL_API kdl_lr_scheduler *kdl_lr_multiplicative_with(kdl_optimizer *optimizer,
                                                     kdl_lr_function *lr_lambda, void *user_data,
                                                     const kdl_lr_options *options);

/** Options of kdl_lr_step() and kdl_lr_multi_step(); start from KDL_LR_STEP_DEFAULTS. */
typedef struct kdl_lr_step_options {
    size_t nbytes;      /**< sizeof(kdl_lr_step_options), for the ABI */
    double gamma;       /**< default 0.1 */
    int64_t last_epoch; /**< default -1 */
} kdl_lr_step_options;
#define KDL_LR_STEP_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_lr_step_options), 0.1, -1                                                       \
    }

/**
 * StepLR(optimizer, step_size, gamma): times gamma every step_size epochs (ZeroDivisionError: 0).
 */
#define kdl_lr_step(optimizer, step_size, ...)                                                     \
    KDL__WITH(kdl_lr_step_options, KDL_LR_STEP_DEFAULTS, (__VA_ARGS__), kdl_lr_step_with,          \
              optimizer, step_size)
KDL_API kdl_lr_scheduler *kdl_lr_step_with(kdl_optimizer *optimizer, int64_t step_size,
                                           const kdl_lr_step_options *options);
/** MultiStepLR(optimizer, milestones, gamma): times gamma at each milestone; twice at a double. */
#define kdl_lr_multi_step(optimizer, milestones, ...)                                              \
    KDL__WITH(kdl_lr_step_options, KDL_LR_STEP_DEFAULTS, (__VA_ARGS__), kdl_lr_multi_step_with,    \
              optimizer, milestones)
KDL_API kdl_lr_scheduler *kdl_lr_multi_step_with(kdl_optimizer *optimizer,
                                                 kdl_milestones milestones,
                                                 const kdl_lr_step_options *options);

/** Options of kdl_lr_constant(); start from KDL_LR_CONSTANT_DEFAULTS. */
typedef struct kdl_lr_constant_options {
    size_t nbytes;       /**< sizeof(kdl_lr_constant_options), for the ABI */
    double factor;       /**< default 1/3 */
    int64_t total_iters; /**< default 5 */
    int64_t last_epoch;  /**< default -1 */
} kdl_lr_constant_options;
#define KDL_LR_CONSTANT_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_lr_constant_options), 1.0 / 3, 5, -1                                            \
    }
/**
 * ConstantLR(optimizer, factor, total_iters): times the factor until that many epochs are over.
 * ValueError for a factor that is not between 0 and 1.
 */
#define kdl_lr_constant(optimizer, ...)                                                            \
    KDL__WITH(kdl_lr_constant_options, KDL_LR_CONSTANT_DEFAULTS, (__VA_ARGS__),                    \
              kdl_lr_constant_with, optimizer)
KDL_API kdl_lr_scheduler *kdl_lr_constant_with(kdl_optimizer *optimizer,
                                               const kdl_lr_constant_options *options);

/** Options of kdl_lr_linear(); start from KDL_LR_LINEAR_DEFAULTS. */
typedef struct kdl_lr_linear_options {
    size_t nbytes;       /**< sizeof(kdl_lr_linear_options), for the ABI */
    double start_factor; /**< default 1/3 */
    double end_factor;   /**< default 1 */
    int64_t total_iters; /**< default 5 */
    int64_t last_epoch;  /**< default -1 */
} kdl_lr_linear_options;
#define KDL_LR_LINEAR_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_lr_linear_options), 1.0 / 3, 1, 5, -1                                           \
    }
/**
 * LinearLR(optimizer, start_factor, end_factor, total_iters): times a factor that goes from one to
 * the other in a line. ValueError for factors that are not between 0 and 1, or a start of 0.
 */
#define kdl_lr_linear(optimizer, ...)                                                              \
    KDL__WITH(kdl_lr_linear_options, KDL_LR_LINEAR_DEFAULTS, (__VA_ARGS__), kdl_lr_linear_with,    \
              optimizer)
KDL_API kdl_lr_scheduler *kdl_lr_linear_with(kdl_optimizer *optimizer,
                                             const kdl_lr_linear_options *options);

/** ExponentialLR(optimizer, gamma): times gamma every epoch. */
#define kdl_lr_exponential(optimizer, gamma, ...)                                                  \
    KDL__WITH(kdl_lr_options, KDL_LR_DEFAULTS, (__VA_ARGS__), kdl_lr_exponential_with, optimizer,  \
              gamma)
KDL_API kdl_lr_scheduler *kdl_lr_exponential_with(kdl_optimizer *optimizer, double gamma,
                                                  const kdl_lr_options *options);

/** Options of kdl_lr_polynomial(); start from KDL_LR_POLYNOMIAL_DEFAULTS. */
typedef struct kdl_lr_polynomial_options {
    size_t nbytes;       /**< sizeof(kdl_lr_polynomial_options), for the ABI */
    int64_t total_iters; /**< default 5 */
    double power;        /**< default 1 */
    int64_t last_epoch;  /**< default -1 */
} kdl_lr_polynomial_options;
#define KDL_LR_POLYNOMIAL_DEFAULTS                                                                 \
    {                                                                                              \
        sizeof(kdl_lr_polynomial_options), 5, 1, -1                                                \
    }
/** PolynomialLR(optimizer, total_iters, power): times (1 - epoch / total_iters) ^ power, to 0. */
#define kdl_lr_polynomial(optimizer, ...)                                                          \
    KDL__WITH(kdl_lr_polynomial_options, KDL_LR_POLYNOMIAL_DEFAULTS, (__VA_ARGS__),                \
              kdl_lr_polynomial_with, optimizer)
KDL_API kdl_lr_scheduler *kdl_lr_polynomial_with(kdl_optimizer *optimizer,
                                                 const kdl_lr_polynomial_options *options);

/* ---- cosines ----------------------------------------------------------------------------- */

/** Options of kdl_lr_cosine_annealing(); start from KDL_LR_COSINE_DEFAULTS. */
typedef struct kdl_lr_cosine_options {
    size_t nbytes;      /**< sizeof(kdl_lr_cosine_options), for the ABI */
    double eta_min;     /**< default 0 */
    int64_t last_epoch; /**< default -1 */
} kdl_lr_cosine_options;
#define KDL_LR_COSINE_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_lr_cosine_options), 0, -1                                                       \
    }
/**
 * CosineAnnealingLR(optimizer, T_max, eta_min): down to eta_min along half a cosine of T_max
 * epochs, and up again (Loshchilov and Hutter, 2017). ZeroDivisionError for T_max 0.
 */
#define kdl_lr_cosine_annealing(optimizer, t_max, ...)                                             \
    KDL__WITH(kdl_lr_cosine_options, KDL_LR_COSINE_DEFAULTS, (__VA_ARGS__),                        \
              kdl_lr_cosine_annealing_with, optimizer, t_max)
KDL_API kdl_lr_scheduler *kdl_lr_cosine_annealing_with(kdl_optimizer *optimizer, int64_t t_max,
                                                       const kdl_lr_cosine_options *options);

/** Options of kdl_lr_cosine_annealing_warm_restarts(); start from KDL_LR_RESTARTS_DEFAULTS. */
typedef struct kdl_lr_restarts_options {
    size_t nbytes;      /**< sizeof(kdl_lr_restarts_options), for the ABI */
    int64_t t_mult;     /**< how much longer each run is than the one before; default 1 */
    double eta_min;     /**< default 0 */
    int64_t last_epoch; /**< default -1 */
} kdl_lr_restarts_options;
#define KDL_LR_RESTARTS_DEFAULTS                                                                   \
    {                                                                                              \
        sizeof(kdl_lr_restarts_options), 1, 0, -1                                                  \
    }
/**
 * CosineAnnealingWarmRestarts(optimizer, T_0, T_mult, eta_min): down along half a cosine of T_0
 * epochs, then from the top again. ValueError for T_0 or T_mult below 1.
 */
#define kdl_lr_cosine_annealing_warm_restarts(optimizer, t_0, ...)                                 \
    KDL__WITH(kdl_lr_restarts_options, KDL_LR_RESTARTS_DEFAULTS, (__VA_ARGS__),                    \
              kdl_lr_cosine_annealing_warm_restarts_with, optimizer, t_0)
KDL_API kdl_lr_scheduler *kdl_lr_cosine_annealing_warm_restarts_with(
    kdl_optimizer *optimizer, int64_t t_0, const kdl_lr_restarts_options *options);

/* ---- cycles ------------------------------------------------------------------------------ */

/** What scales the cycles' height: of the cycle's number (from 1) or the epoch. */
typedef double kdl_lr_scale_function(double x, void *user_data);

/** Options of kdl_lr_cyclic(); start from KDL_LR_CYCLIC_DEFAULTS. */
typedef struct kdl_lr_cyclic_options {
    size_t nbytes;                   /**< sizeof(kdl_lr_cyclic_options), for the ABI */
    int64_t step_size_up;            /**< default 2000 */
    int64_t step_size_down;          /**< default KDL_NONE_INT: step_size_up */
    const char *mode;                /**< "triangular" (the default), "triangular2", "exp_range" */
    double gamma;                    /**< of "exp_range"; default 1 */
    kdl_lr_scale_function *scale_fn; /**< default NULL: the mode's; else `mode` is ignored */
    void *scale_fn_user_data;
    const char *scale_mode; /**< what scale_fn takes: "cycle" (the default) or "iterations" */
    bool cycle_momentum;    /**< the momentum (or beta1) goes the other way; default true */
    double base_momentum;   /**< default 0.8 */
    double max_momentum;    /**< default 0.9 */
    int64_t last_epoch;     /**< default -1 */
    kdl_lr_values base_lrs, max_lrs, base_momentums, max_momentums; /**< for each group */
} kdl_lr_cyclic_options;
#define KDL_LR_CYCLIC_DEFAULTS                                                                     \
    {                                                                                              \
        sizeof(kdl_lr_cyclic_options), 2000, KDL_NONE_INT, "triangular", 1, NULL, NULL, "cycle",   \
            true, 0.8, 0.9, -1, { NULL, 0 }, { NULL, 0 }, { NULL, 0 },                             \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
/**
 * CyclicLR(optimizer, base_lr, max_lr, ...): up and down between two rates (Smith, 2017).
 * ValueError for an unknown mode, an optimiser without momentum, lists of another length than the
 * groups.
 */
#define kdl_lr_cyclic(optimizer, base_lr, max_lr, ...)                                             \
    KDL__WITH(kdl_lr_cyclic_options, KDL_LR_CYCLIC_DEFAULTS, (__VA_ARGS__), kdl_lr_cyclic_with,    \
              optimizer, base_lr, max_lr)
KDL_API kdl_lr_scheduler *kdl_lr_cyclic_with(kdl_optimizer *optimizer, double base_lr,
                                             double max_lr, const kdl_lr_cyclic_options *options);

/** Options of kdl_lr_one_cycle(); start from KDL_LR_ONE_CYCLE_DEFAULTS. */
typedef struct kdl_lr_one_cycle_options {
    size_t nbytes;               /**< sizeof(kdl_lr_one_cycle_options), for the ABI */
    int64_t total_steps;         /**< default KDL_NONE_INT: epochs * steps_per_epoch */
    int64_t epochs;              /**< default KDL_NONE_INT */
    int64_t steps_per_epoch;     /**< default KDL_NONE_INT */
    double pct_start;            /**< the part of the cycle that goes up; default 0.3 */
    const char *anneal_strategy; /**< "cos" (the default) or "linear" */
    bool cycle_momentum;         /**< the momentum (or beta1) goes the other way; default true */
    double base_momentum;        /**< default 0.85 */
    double max_momentum;         /**< default 0.95 */
    double div_factor;           /**< max_lr over the first rate; default 25 */
    double final_div_factor;     /**< the first rate over the last; default 1e4 */
    bool three_phase;            /**< down to the first rate, then on; default false */
    int64_t last_epoch;          /**< default -1 */
    kdl_lr_values max_lrs, base_momentums, max_momentums; /**< for each group */
} kdl_lr_one_cycle_options;
#define KDL_LR_ONE_CYCLE_DEFAULTS                                                                  \
    {                                                                                              \
        sizeof(kdl_lr_one_cycle_options), KDL_NONE_INT, KDL_NONE_INT, KDL_NONE_INT, 0.3, "cos",    \
            true, 0.85, 0.95, 25, 1e4, false, -1, { NULL, 0 }, { NULL, 0 },                        \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
/**
 * OneCycleLR(optimizer, max_lr, ...): up to max_lr once, then down (Smith and Topin, 2018). A step
 * after every batch. ValueError for arguments out of range, an optimiser without momentum, lists of
 * another length than the groups, and for a step after the last.
 */
#define kdl_lr_one_cycle(optimizer, max_lr, ...)                                                   \
    KDL__WITH(kdl_lr_one_cycle_options, KDL_LR_ONE_CYCLE_DEFAULTS, (__VA_ARGS__),                  \
              kdl_lr_one_cycle_with, optimizer, max_lr)
KDL_API kdl_lr_scheduler *kdl_lr_one_cycle_with(kdl_optimizer *optimizer, double max_lr,
                                                const kdl_lr_one_cycle_options *options);

/* ---- by a value -------------------------------------------------------------------------- */

/** Options of kdl_lr_reduce_on_plateau(); start from KDL_LR_PLATEAU_DEFAULTS. */
typedef struct kdl_lr_plateau_options {
    size_t nbytes;              /**< sizeof(kdl_lr_plateau_options), for the ABI */
    const char *mode;           /**< which values are better: "min" (the default) or "max" */
    double factor;              /**< default 0.1 */
    int64_t patience;           /**< default 10 */
    double threshold;           /**< default 1e-4 */
    const char *threshold_mode; /**< "rel" (the default) or "abs" */
    int64_t cooldown;           /**< default 0 */
    double min_lr;              /**< default 0 */
    double eps;                 /**< smaller changes are not made; default 1e-8 */
    kdl_lr_values min_lrs;      /**< for each group */
} kdl_lr_plateau_options;
#define KDL_LR_PLATEAU_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_lr_plateau_options), "min", 0.1, 10, 1e-4, "rel", 0, 0, 1e-8,                   \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
/**
 * ReduceLROnPlateau(optimizer, mode, factor, ...): times the factor when a value has not become
 * better for more than `patience` epochs; see kdl_lr_scheduler_step_metrics(). ValueError for a
 * factor that is not below 1 and unknown modes.
 */
#define kdl_lr_reduce_on_plateau(optimizer, ...)                                                   \
    KDL__WITH(kdl_lr_plateau_options, KDL_LR_PLATEAU_DEFAULTS, (__VA_ARGS__),                      \
              kdl_lr_reduce_on_plateau_with, optimizer)
KDL_API kdl_lr_scheduler *kdl_lr_reduce_on_plateau_with(kdl_optimizer *optimizer,
                                                        const kdl_lr_plateau_options *options);

/* ---- several ----------------------------------------------------------------------------- */

/**
 * SequentialLR(optimizer, schedulers, milestones): `count` schedules one after the other, the next
 * from each milestone on, which are one fewer. They are consumed, also on failure (NULL among them:
 * an error stands, or ValueError). ValueError for none, another number of milestones, one of
 * another optimiser and ReduceLROnPlateau.
 */
#define kdl_lr_sequential(optimizer, schedulers, count, milestones, ...)                           \
    KDL__WITH(kdl_lr_options, KDL_LR_DEFAULTS, (__VA_ARGS__), kdl_lr_sequential_with, optimizer,   \
              schedulers, count, milestones)
KDL_API kdl_lr_scheduler *kdl_lr_sequential_with(kdl_optimizer *optimizer,
                                                 kdl_lr_scheduler *const *schedulers, size_t count,
                                                 kdl_milestones milestones,
                                                 const kdl_lr_options *options);
/** ChainedScheduler(schedulers): each steps at every step. Consumed and refused as above. */
KDL_API kdl_lr_scheduler *kdl_lr_chained(kdl_optimizer *optimizer,
                                         kdl_lr_scheduler *const *schedulers, size_t count);

#ifdef __cplusplus
}
#endif
#endif
