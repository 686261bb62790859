/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of LBFGS: parameters as one vector, its memory, the line search. */
#ifndef KDL_SRC_OPTIM_LBFGS_H
#define KDL_SRC_OPTIM_LBFGS_H

#include "optim/optimizer.h"

/* How the gradient changed by a step (PyTorch's old_dirs, old_stps), and 1 / their product. */
typedef struct kdl__lbfgs_change {
    kdl_tensor *dir, *stp; /* owned */
    double ro;
} kdl__lbfgs_change;

/* What is kept from step to step; vectors are of all parameters' elements, in their dtype. */
typedef struct kdl__lbfgs {
    int64_t func_evals, n_iter;
    kdl_tensor *d, *prev_flat_grad; /* the direction; the gradient before */
    double t, h_diag, prev_loss;    /* the step along d; the first guess of the inverse Hessian */
    kdl__lbfgs_change *changes;
    size_t count, capacity;
} kdl__lbfgs;

void kdl__lbfgs_free(kdl_context *ctx, void *state);
/* Forgets the oldest change. */
void kdl__lbfgs_forget(kdl__lbfgs *state);
/* Remembers a change; its tensors are consumed, also on failure. */
kdl_status kdl__lbfgs_remember(kdl_context *ctx, kdl__lbfgs *state, kdl__lbfgs_change change);
/* The class's save_own and load_own. */
void kdl__lbfgs_save(const kdl_optimizer *optimizer, kdl_state_dict *dict);
void *kdl__lbfgs_load(kdl_optimizer *optimizer, kdl_state_dict *dict, const char *prefix);

/* What evaluates the loss and its gradient. */
typedef struct kdl__objective {
    kdl_optimizer *optimizer;
    kdl_closure *closure;
    void *user_data;
} kdl__objective;

/* How many elements all parameters have. */
int64_t kdl__flat_numel(const kdl_optimizer *optimizer);
/* All gradients, zeros for those that are not there; all parameters. One reference; NULL: error. */
kdl_tensor *kdl__flat_grad(kdl_optimizer *optimizer);
kdl_tensor *kdl__flat_params(kdl_optimizer *optimizer);
/* The parameters become x + t d; without x only t d is added to them. */
kdl_status kdl__move_params(kdl_optimizer *optimizer, kdl_tensor *x, double t, kdl_tensor *d);
/* Calls the closure where gradients are recorded: the loss (one reference), also as a number. */
kdl_tensor *kdl__evaluate(const kdl__objective *objective, double *loss);

/* A point on the line x + t d: the loss there, the gradient and its slope along d. */
typedef struct kdl__line_point {
    double t, f, slope;
    kdl_tensor *grad; /* owned */
} kdl__line_point;

/*
 * _strong_wolfe(): looks for a point with less loss and less slope than at `start` (t = 0, where
 * the parameters are and stay), beginning at t. `found` gets a gradient to be released; *evals how
 * often the closure was called, at most max_ls + 1 times.
 */
kdl_status kdl__strong_wolfe(const kdl__objective *objective, const kdl__line_point *start,
                             kdl_tensor *d, double t, int64_t max_ls, kdl__line_point *found,
                             int64_t *evals);

#endif
