/* SPDX-License-Identifier: Apache-2.0 */
/* optim: optimisers, each a table of functions over parameters and their state. */
#ifndef KDL_SRC_OPTIM_OPTIMIZER_H
#define KDL_SRC_OPTIM_OPTIMIZER_H

#include "compute/compute.h"
#include "kindling/optim.h"
#include "nn/module_impl.h"

#define KDL__MAX_STATES 3

typedef struct kdl__optim_param {
    kdl_tensor *tensor; /* retained */
    /* What the optimiser keeps, of the parameter's sizes; NULL until its first step. */
    kdl_tensor *states[KDL__MAX_STATES];
    int64_t step; /* how many steps it took part in */
} kdl__optim_param;

typedef struct kdl__optim_group {
    void *options; /* the class's struct; `lr` is its second field */
    kdl__optim_param *params;
    size_t count, capacity;
} kdl__optim_group;

typedef struct kdl__optim_class {
    const char *name;
    size_t options_nbytes;
    const void *defaults;
    /* Records PyTorch's ValueError where an argument is out of range. */
    kdl_status (*check)(kdl_context *ctx, const void *options);
    /* One step of one parameter, whose gradient (of its dtype) is there. */
    kdl_status (*step)(kdl__optim_param *param, kdl_tensor *grad, const void *options);
} kdl__optim_class;

struct kdl_optimizer {
    kdl_context *ctx; /* retained */
    const kdl__optim_class *class;
    kdl__optim_group *groups;
    size_t count, capacity;
};

kdl_optimizer *kdl__optimizer_new(const kdl__optim_class *class, kdl_iterator params,
                                  const void *options);

/* The index-th state of a parameter: zeros at first. NULL on failure. */
kdl_tensor *kdl__optim_state(kdl__optim_param *param, int index);

/* ValueError "Invalid WHAT: VALUE", unless `valid`. */
kdl_status kdl__check_hyper(kdl_context *ctx, bool valid, const char *what, double value);

#endif
