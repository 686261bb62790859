/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What LBFGS keeps, and its entries in a state_dict: those of the first parameter, lists with their
 * index behind the name ("state.0.old_dirs.3"), numbers as tensors.
 */
#include <string.h>

#include "optim/lbfgs.h"

static void free_change(const kdl__lbfgs_change *change)
{
    kdl_tensor_release(change->dir);
    kdl_tensor_release(change->stp);
}

void kdl__lbfgs_free(kdl_context *ctx, void *given)
{
    kdl__lbfgs *state = given;
    if (!state)
        return;
    for (size_t i = 0; i < state->count; i++)
        free_change(&state->changes[i]);
    kdl_tensor_release(state->d);
    kdl_tensor_release(state->prev_flat_grad);
    kdl_free(ctx, state->changes);
    kdl_free(ctx, state);
}

void kdl__lbfgs_forget(kdl__lbfgs *state)
{
    free_change(&state->changes[0]);
    state->count--;
    memmove(state->changes, state->changes + 1, state->count * sizeof *state->changes);
}

kdl_status kdl__lbfgs_remember(kdl_context *ctx, kdl__lbfgs *state, kdl__lbfgs_change change)
{
    if (change.dir && change.stp &&
        kdl__grow(ctx, (void **)&state->changes, &state->capacity, state->count + 1, sizeof change))
        state->changes[state->count++] = change;
    else
        free_change(&change);
    return ctx->status;
}

/* ---- saving ------------------------------------------------------------------------------ */

/* An element of a list: "old_dirs.3". */
static void put_element(kdl_state_dict *dict, const char *name, size_t index, kdl_tensor *tensor)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%zu", name, index);
    kdl__put_state(dict, 0, key, tensor);
}

void kdl__lbfgs_save(const kdl_optimizer *optimizer, kdl_state_dict *dict)
{
    const kdl__lbfgs *state = optimizer->own;
    if (!state || state->func_evals == 0)
        return;
    kdl_context *ctx = optimizer->ctx;
    kdl_dtype dtype = kdl_tensor_dtype(optimizer->groups[0].params[0].tensor);
    kdl__put_state(dict, 0, "func_evals",
                   kdl__number_tensor(ctx, (double)state->func_evals, KDL_I64));
    kdl__put_state(dict, 0, "n_iter", kdl__number_tensor(ctx, (double)state->n_iter, KDL_I64));
    if (state->n_iter == 0)
        return;
    kdl__put_state(dict, 0, "d", kdl_tensor_retain(state->d));
    kdl__put_state(dict, 0, "t", kdl__number_tensor(ctx, state->t, dtype));
    kdl__put_state(dict, 0, "H_diag", kdl__number_tensor(ctx, state->h_diag, dtype));
    kdl__put_state(dict, 0, "prev_flat_grad", kdl_tensor_retain(state->prev_flat_grad));
    kdl__put_state(dict, 0, "prev_loss", kdl__number_tensor(ctx, state->prev_loss, KDL_F64));
    for (size_t i = 0; i < state->count && !kdl__failed(ctx); i++) {
        const kdl__lbfgs_change *change = &state->changes[i];
        put_element(dict, "old_dirs", i, kdl_tensor_retain(change->dir));
        put_element(dict, "old_stps", i, kdl_tensor_retain(change->stp));
        put_element(dict, "ro", i, kdl__number_tensor(ctx, change->ro, dtype));
    }
}

/* ---- loading ----------------------------------------------------------------------------- */

typedef struct lbfgs_loading {
    kdl_context *ctx;
    kdl_state_dict *dict;
    const char *prefix; /* of the first parameter's entries */
    kdl_dtype dtype;
    int64_t numel; /* of all parameters */
    size_t used;   /* how many entries were read */
} lbfgs_loading;

/* The entry of a name (borrowed), or of element `index` of a list (-1: none). */
static kdl_tensor *find(lbfgs_loading *l, const char *name, int64_t index)
{
    char key[128], number[32] = "";
    if (index >= 0)
        snprintf(number, sizeof number, ".%lld", (long long)index);
    snprintf(key, sizeof key, "%s%s%s", l->prefix, name, number);
    l->used++;
    return kdl__failed(l->ctx) ? NULL : kdl_state_dict_get(l->dict, key);
}

static double read_number(lbfgs_loading *l, const char *name, int64_t index)
{
    kdl_tensor *value = find(l, name, index);
    return value ? kdl_tensor_item(value) : 0;
}

static int64_t read_count(lbfgs_loading *l, const char *name)
{
    double count = read_number(l, name, -1);
    if (count >= 0 && count < 0x1p62)
        return (int64_t)count;
    kdl__fail_at(l->ctx, "kdl_optimizer_load_state_dict", KDL_ERROR_VALUE, "%s%s is no count",
                 l->prefix, name);
    return 0;
}

/* A copy in the parameters' dtype. */
static kdl_tensor *read_vector(lbfgs_loading *l, const char *name, int64_t index)
{
    kdl_tensor *value = find(l, name, index);
    if (value && (value->ndim != 1 || value->numel != l->numel))
        kdl__fail_at(l->ctx, "kdl_optimizer_load_state_dict", KDL_ERROR_VALUE,
                     "%s%s has other sizes than the parameters' state", l->prefix, name);
    kdl_tensor *copy = value ? kdl__new_values(l->ctx, l->dtype, 1, &l->numel) : NULL;
    if (copy)
        kdl_copy_(copy, value);
    return copy;
}

static bool has_change(const lbfgs_loading *l, size_t index)
{
    char key[128];
    snprintf(key, sizeof key, "%sold_dirs.%zu", l->prefix, index);
    return kdl_state_dict_contains(l->dict, key);
}

/* What there is after the first step. */
static void read_memory(lbfgs_loading *l, kdl__lbfgs *state)
{
    state->d = read_vector(l, "d", -1);
    state->t = read_number(l, "t", -1);
    state->h_diag = read_number(l, "H_diag", -1);
    state->prev_flat_grad = read_vector(l, "prev_flat_grad", -1);
    state->prev_loss = read_number(l, "prev_loss", -1);
    for (size_t i = 0; has_change(l, i) && !kdl__failed(l->ctx); i++) {
        kdl__lbfgs_change change = { .dir = read_vector(l, "old_dirs", (int64_t)i),
                                     .stp = read_vector(l, "old_stps", (int64_t)i),
                                     .ro = read_number(l, "ro", (int64_t)i) };
        kdl__lbfgs_remember(l->ctx, state, change);
    }
}

static void read_all(lbfgs_loading *l, kdl__lbfgs *state)
{
    state->func_evals = read_count(l, "func_evals");
    state->n_iter = read_count(l, "n_iter");
    if (state->n_iter > 0)
        read_memory(l, state);
    if (!kdl__failed(l->ctx) && l->used != kdl_state_dict_count(l->dict))
        kdl__fail_at(l->ctx, "kdl_optimizer_load_state_dict", KDL_ERROR_VALUE,
                     "the state_dict has entries that are no state of LBFGS");
}

void *kdl__lbfgs_load(kdl_optimizer *optimizer, kdl_state_dict *dict, const char *prefix)
{
    kdl__lbfgs *state = kdl__alloc_zeroed(optimizer->ctx, 1, sizeof *state);
    lbfgs_loading l = { .ctx = optimizer->ctx,
                        .dict = dict,
                        .prefix = prefix,
                        .dtype = kdl_tensor_dtype(optimizer->groups[0].params[0].tensor),
                        .numel = kdl__flat_numel(optimizer) };
    if (state && kdl_state_dict_count(dict) > 0)
        read_all(&l, state);
    return state;
}
