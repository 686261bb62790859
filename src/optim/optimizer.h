/* SPDX-License-Identifier: Apache-2.0 */
/* optim: optimisers, each a table of functions over parameters and their state. */
#ifndef KDL_SRC_OPTIM_OPTIMIZER_H
#define KDL_SRC_OPTIM_OPTIMIZER_H

#include <stddef.h>
#include "compute/compute.h"
#include "kindling/optim.h"
#include "nn/module_impl.h"

#define KDL__MAX_STATES 3
#define KDL__MAX_SCALARS 3

typedef struct kdl__optim_param {
    kdl_tensor *tensor; /* retained */
    const struct kdl__optim_class *class;
    /* What the optimiser keeps, by the class's names; NULL until a step needs it. */
    kdl_tensor *states[KDL__MAX_STATES];
    /* PyTorch keeps these as tensors of one f32, rounded so. The first counts the steps. */
    double scalars[KDL__MAX_SCALARS];
    bool wide; /* the scalars are f64, but for the first: as PyTorch makes them when it loads f64 */
    kdl_tensor *rows; /* during a step: those that its gradient has (borrowed); NULL: all */
} kdl__optim_param;

/* What learning-rate schedules keep in a group beside the optimiser's own entries. */
typedef enum kdl__scheduled {
    KDL__INITIAL_LR,
    KDL__MAX_LR,
    KDL__MIN_LR,
    KDL__BASE_MOMENTUM,
    KDL__MAX_MOMENTUM,
    KDL__SCHEDULED_COUNT
} kdl__scheduled;

typedef struct kdl__optim_group {
    void *options; /* the class's struct */
    kdl__optim_param *params;
    size_t count, capacity;
    double scheduled[KDL__SCHEDULED_COUNT];
    bool has_scheduled[KDL__SCHEDULED_COUNT];
} kdl__optim_group;

/* ---- hyperparameters --------------------------------------------------------------------- */

typedef enum kdl__hyper_kind {
    KDL__HYPER_NUMBER, /* `count` doubles: a list unless it is one; NaN is None */
    KDL__HYPER_INT,    /* int64_t */
    KDL__HYPER_FLAG,   /* bool */
    KDL__HYPER_TEXT,   /* const char *; NULL is None */
    KDL__HYPER_FIXED   /* no argument here; `what` is PyTorch's default in JSON */
} kdl__hyper_kind;

typedef enum kdl__hyper_range {
    KDL__ANY,
    KDL__NOT_NEGATIVE,
    KDL__BELOW_ONE, /* [0, 1) */
    KDL__UP_TO_ONE  /* [0, 1] */
} kdl__hyper_range;

/* An entry of PyTorch's param_groups: its key, where the options have it, what it may be. */
typedef struct kdl__hyper {
    const char *key, *what; /* `what` it is called in "Invalid WHAT: VALUE" */
    size_t offset;
    kdl__hyper_kind kind;
    kdl__hyper_range range;
    int count;
} kdl__hyper;

#define KDL__ENTRY(key, what, options, field, kind, range, count)                                  \
    {                                                                                              \
        key, what, offsetof(options, field), kind, range, count                                    \
    }
#define KDL__NUMBER(options, field, range, what)                                                   \
    KDL__ENTRY(#field, what, options, field, KDL__HYPER_NUMBER, range, 1)
#define KDL__NUMBERS(options, key, field, count)                                                   \
    KDL__ENTRY(key, NULL, options, field, KDL__HYPER_NUMBER, KDL__ANY, count)
#define KDL__BETAS(options)                                                                        \
    KDL__ENTRY("betas", "beta parameter", options, beta1, KDL__HYPER_NUMBER, KDL__BELOW_ONE, 2)
#define KDL__INT(options, field)                                                                   \
    KDL__ENTRY(#field, NULL, options, field, KDL__HYPER_INT, KDL__ANY, 1)
#define KDL__FLAG(options, field)                                                                  \
    KDL__ENTRY(#field, NULL, options, field, KDL__HYPER_FLAG, KDL__ANY, 1)
#define KDL__TEXT(options, field)                                                                  \
    KDL__ENTRY(#field, NULL, options, field, KDL__HYPER_TEXT, KDL__ANY, 1)
#define KDL__FIXED(key, json)                                                                      \
    {                                                                                              \
        key, json, 0, KDL__HYPER_FIXED, KDL__ANY, 0                                                \
    }
/* The entries of almost every optimiser, with the names that its errors use. */
#define KDL__LR(options) KDL__NUMBER(options, lr, KDL__NOT_NEGATIVE, "learning rate")
#define KDL__EPS(options) KDL__NUMBER(options, eps, KDL__NOT_NEGATIVE, "epsilon value")
#define KDL__WEIGHT_DECAY(options)                                                                 \
    KDL__NUMBER(options, weight_decay, KDL__NOT_NEGATIVE, "weight_decay value")
#define KDL__SWITCHES                                                                              \
    KDL__FIXED("foreach", "null"), KDL__FIXED("capturable", "false"),                              \
        KDL__FIXED("differentiable", "false")

/* ---- classes ----------------------------------------------------------------------------- */

typedef struct kdl__optim_class {
    const char *name; /* of the function that makes it */
    size_t options_nbytes;
    const void *defaults;
    const kdl__hyper *hypers; /* in the order in which they are checked */
    int hyper_count;
    const char *scalars[KDL__MAX_SCALARS], *states[KDL__MAX_STATES]; /* as PyTorch calls them */
    /* The sizes of a parameter's state; NULL: the parameter's. */
    kdl_shape (*state_shape)(const kdl_tensor *param, int state);
    /* Further errors of arguments; NULL: none. */
    kdl_status (*check)(kdl_context *ctx, const void *options);
    /* The error of a parameter that it does not take; NULL: takes all. */
    kdl_status (*check_param)(const kdl_tensor *param);
    /*
     * Makes a parameter's state by the constructor's arguments, unless it is there: of the first
     * group's parameters at once, of all before a step. NULL: there are zeros.
     */
    kdl_status (*begin)(kdl__optim_param *param, const void *defaults);
    /* PyTorch's errors for a sparse gradient, at all and with weight decay; NULL: it is taken. */
    const char *dense_only, *no_decay;
    const char *sparse_only; /* and for a dense one */
    /* Whether a step also changes rows that a sparse gradient lacks; NULL: no. */
    bool (*moves_all)(const void *options);
    /* One step of one parameter, whose gradient (of its dtype) is there: all of it, or its rows. */
    kdl_status (*step)(kdl__optim_param *param, kdl_tensor *grad, const void *options);
    /*
     * For one that evaluates the loss itself, and has one group only: a step of all parameters
     * (gives the loss), and what it keeps (kdl_optimizer's `own`) into a state_dict, out of one
     * where its entries begin with `prefix` (a new one; an error is recorded), and freed.
     */
    kdl_tensor *(*step_closure)(kdl_optimizer *optimizer, kdl_closure *closure, void *user_data);
    void (*save_own)(const kdl_optimizer *optimizer, kdl_state_dict *dict);
    void *(*load_own)(kdl_optimizer *optimizer, kdl_state_dict *dict, const char *prefix);
    void (*free_own)(kdl_context *ctx, void *own);
} kdl__optim_class;

/* A class by its function, the defaults of its options and the table of their entries. */
#define KDL__OPTIM_CLASS(function, default_options, table, ...)                                    \
    {                                                                                              \
        .name = function, .options_nbytes = sizeof(default_options),                               \
        .defaults = &(default_options), .hypers = (table),                                         \
        .hyper_count = (int)(sizeof(table) / sizeof *(table)), __VA_ARGS__                         \
    }

struct kdl_optimizer {
    kdl_context *ctx; /* retained */
    long references;
    bool has_stepped;
    const kdl__optim_class *class;
    void *defaults; /* the constructor's arguments, which further groups begin with */
    kdl__optim_group *groups;
    size_t count, capacity;
    void *own; /* the class's, when it has step_closure */
};

kdl_optimizer *kdl__optimizer_new(const kdl__optim_class *class, kdl_iterator params,
                                  const void *options);

/* Where a group's entry lies in its options. */
static inline void *kdl__hyper_place(const kdl__hyper *hyper, void *options)
{
    return (char *)options + hyper->offset;
}
/* Records an error whose format has one %s: the number, as Python writes it. */
kdl_status kdl__fail_number(kdl_context *ctx, const char *place, kdl_status status,
                            const char *format, double number);
/* The same, ValueError, unless `valid`. */
kdl_status kdl__require(kdl_context *ctx, const char *place, bool valid, const char *format,
                        double number);
/* Copies the options' texts to where they live as long as the context. */
kdl_status kdl__keep_texts(kdl_context *ctx, const kdl__optim_class *class, void *options);
/* Records ValueError "Invalid WHAT: VALUE" for the first hyperparameter out of its range. */
kdl_status kdl__check_hypers(kdl_context *ctx, const kdl__optim_class *class, const void *options);

/* What schedules keep is called, in the order of kdl__scheduled. */
extern const char *const kdl__scheduled_keys[KDL__SCHEDULED_COUNT];
/* Where a group has the number of that key (the first of a pair); NULL when it has none. */
double *kdl__group_number(kdl_optimizer *optimizer, size_t group, const char *key);
static inline void kdl__schedule(kdl__optim_group *group, kdl__scheduled which, double value)
{
    group->scheduled[which] = value;
    group->has_scheduled[which] = true;
}

/* torch.linalg.vector_norm(tensor, p) of f32 or f64, and of numbers: in double, not rounded. */
kdl_status kdl__norm(kdl_tensor *tensor, double p, double *norm);
/* torch.dot(a, b) of as many elements in one dtype, likewise. */
kdl_status kdl__dot(kdl_tensor *a, kdl_tensor *b, double *product);
double kdl__norm_of(const double *values, size_t count, double p);

/* Records the error of a parameter that is not f32 or f64, or not what its state (or NULL) is. */
kdl_status kdl__check_dtype(const kdl_tensor *param, const kdl_tensor *state, const char *place);
/* Frees what a group holds. */
void kdl__optim_group_free(kdl_context *ctx, kdl__optim_group *group);
/* The sizes that a state of a parameter has. */
kdl_shape kdl__optim_state_shape(const kdl__optim_param *param, int index);
/* Puts a tensor (consumed) under "state.<index>.<name>". */
void kdl__put_state(kdl_state_dict *dict, size_t index, const char *name, kdl_tensor *tensor);
/* A tensor of one number, f32, f64 or i64. */
kdl_tensor *kdl__number_tensor(kdl_context *ctx, double value, kdl_dtype dtype);
/* The loss that a closure gives where gradients are recorded; NULL when an error stands. */
kdl_tensor *kdl__call_closure(kdl_optimizer *optimizer, kdl_closure *closure, void *user_data);
/* Makes the index-th state of a parameter, filled with `initial`, unless it is there. */
kdl_status kdl__optim_state(kdl__optim_param *param, int index, double initial);

#endif
