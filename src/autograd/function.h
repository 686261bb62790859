/* SPDX-License-Identifier: Apache-2.0 */
/*
 * autograd: the record of what was computed from what, and the functions that are recorded.
 *
 * A tensor that was computed from others which require gradients holds the function that made it;
 * a function holds the functions (or leaves) of its inputs and what it needs of their values.
 * Nothing refers the other way, so a graph goes when its last tensor goes.
 *
 * A recorded function is written so:
 *
 *     kdl_tensor *result = compute(a, b);
 *     kdl__function *function = kdl__record(result, &class, 2, a, b);
 *     kdl__save(function, 0, a);
 *     return result;
 *
 * where kdl__record() gives NULL when nothing has to be recorded, and kdl__save() takes that.
 */
#ifndef KDL_SRC_AUTOGRAD_FUNCTION_H
#define KDL_SRC_AUTOGRAD_FUNCTION_H

#include <assert.h>

#include "compute/compute.h"
#include "kindling/autograd.h"
#include "tensor/tape.h"

typedef struct kdl__function kdl__function;

typedef struct kdl__function_class {
    const char *name; /* as PyTorch prints it, e.g. "MulBackward0" */
    /*
     * Gives the inputs that need them (kdl__needs) their gradients by kdl__give(), from `grad`,
     * which has the result's sizes and dtype. Nothing is recorded meanwhile.
     */
    void (*backward)(kdl__function *function, kdl_tensor *grad);
} kdl__function_class;

/* Where an input's gradient goes: to the function that made it, or to a leaf; or nowhere. */
typedef struct kdl__edge {
    kdl__function *function; /* retained */
    kdl_tensor *leaf;        /* retained */
    kdl_dtype dtype;
    int ndim;
    const int64_t *sizes; /* in the function's own memory */
} kdl__edge;

typedef struct kdl__saved {
    kdl_tensor *tensor; /* retained */
    uint32_t version;
    const char *made_by; /* the name of the function that made it; NULL: none did */
} kdl__saved;

#define KDL__MAX_SAVED 8

struct kdl__function {
    const kdl__function_class *class;
    const char *name;  /* the class's, unless one class has several */
    kdl_context *ctx;  /* borrowed: tensors keep it */
    uint64_t sequence; /* later functions have higher ones */
    long references;
    kdl_tensor *output; /* not retained: NULL when it is gone */
    kdl_tensor *grad;   /* what has come together so far, during a backward pass */
    struct kdl__hook *hooks;
    bool retains_grad, freed;
    kdl__saved saved[KDL__MAX_SAVED];
    void (*destroy)(kdl__function *function); /* frees what the rest owns; NULL: nothing to do */
    const void *table;                        /* the rest is the class's own */
    kdl__numbers numbers;
    int64_t integers[4];
    void *own;           /* whatever else the class needs; see kdl__keep() */
    kdl__function *next; /* in the list of those to be freed */
    int count;
    kdl__edge edges[]; /* then their sizes */
};

/*
 * Makes `result` (may be NULL) the output of a function of `count` inputs, where something records
 * and one of them requires gradients. Gives the function (borrowed), or NULL.
 */
kdl__function *kdl__record(kdl_tensor *result, const kdl__function_class *class, int count, ...);
kdl__function *kdl__record_list(kdl_tensor *result, const kdl__function_class *class, int count,
                                kdl_tensor *const *inputs);
/* Keeps a tensor for the backward pass, as saved[place]; nothing for a NULL function. */
void kdl__save(kdl__function *function, int place, kdl_tensor *tensor);
/* Whether input `index` wants its gradient. */
static inline bool kdl__needs(const kdl__function *function, int index)
{
    return function->edges[index].function || function->edges[index].leaf;
}
/*
 * The factors of a product as saved[0] and [1], each only where the other one's gradient needs it.
 */
static inline void kdl__save_factors(kdl__function *function, kdl_tensor *a, kdl_tensor *b)
{
    if (function && kdl__needs(function, 1))
        kdl__save(function, 0, a);
    if (function && kdl__needs(function, 0))
        kdl__save(function, 1, b);
}
/* Keeps a copy of `nbytes` bytes in function->own; nothing for a NULL function. */
void kdl__keep(kdl__function *function, const void *data, size_t nbytes);
/* What was saved (borrowed); NULL, with PyTorch's error, when it was freed or overwritten. */
kdl_tensor *kdl__saved_value(kdl__function *function, int place);

/*
 * Hands input `index` its gradient, or a part of it. Consumes `grad` (NULL: an error stands), which
 * may be broadcast from the input's sizes: what was repeated is summed.
 */
void kdl__give(kdl__function *function, int index, kdl_tensor *grad);

/*
 * The same of rows of the input, (n, ...), by their numbers (n), i64: a leaf keeps them as they
 * are, a sparse gradient. Consumes both.
 */
void kdl__give_rows(kdl__function *function, int index, kdl_tensor *rows, kdl_tensor *grad);

/*
 * What has come together for the function that made input `index`, if more may be written into it
 * (borrowed, f32 or f64); NULL: nothing that one may write.
 */
kdl_tensor *kdl__open_sum(const kdl__function *function, int index);

/*
 * A leaf's gradient, a sparse one as a dense copy. One reference; NULL: none, or an error stands.
 */
kdl_tensor *kdl__dense_grad(kdl_tensor *leaf);

void kdl__function_release(kdl__function *function);
/* Frees what was saved, which a backward pass has used; a function that saves nothing goes on. */
void kdl__free_graph(kdl__function *function);
void kdl__free_hooks(kdl__function *function);

/* ---- the context's part ------------------------------------------------------------------ */

typedef struct kdl__training {
    kdl__tape tape;
    uint64_t sequence, hook;
    kdl__function **ready; /* a heap, during a backward pass: the highest sequence first */
    size_t ready_count, ready_capacity;
    kdl__function *dead;
    bool freeing, running;
} kdl__training;

/* Lets the context record from now on. */
kdl_status kdl__autograd_enable(kdl_context *ctx);

static inline kdl__training *kdl__training_of(const kdl_context *ctx)
{
    return kdl__slot_get(ctx, KDL__SLOT_TRAINING);
}

/* The functions of the tape (tensor/tape.h). */
void kdl__record_view(kdl_tensor *base, kdl_tensor *result, const kdl__view_how *how);
void kdl__record_copy(kdl_tensor *source, kdl_tensor *result);
void kdl__record_abs(kdl_tensor *source, kdl_tensor *result);
void kdl__record_derived(kdl_tensor *result, kdl__derivation how, int detail,
                         kdl_tensor *const *inputs);
kdl__module_call *kdl__begin_module_call(kdl_module *module, kdl_tensor **input);
void kdl__end_module_call(kdl__module_call *call, kdl_tensor **output);
kdl_status kdl__begin_write(kdl__write *write, const char *place);
void kdl__end_write(const kdl__write *write);
/* Makes a view of a tensor that was written since a region of what it holds now. */
void kdl__record_region(kdl_tensor *view);

/* The gradient as hooks leave it. Consumes `grad`. */
kdl_tensor *kdl__run_hooks(kdl__function *function, kdl_tensor *grad);

/* The function that a tensor's hooks and retained gradient belong to; for a leaf one of its own. */
kdl__function *kdl__function_of(kdl_tensor *tensor);
bool kdl__is_leaf_function(const kdl__function *function);
/* The function that made what the tensor holds (borrowed); NULL: it is a leaf. */
kdl__function *kdl__maker(kdl_tensor *tensor);
/* The result of a composite function, by PyTorch's name of its gradient's. NULL stays NULL. */
static inline kdl_tensor *kdl__named(kdl_tensor *result, const char *name)
{
    kdl__function *function = result ? kdl__maker(result) : NULL;
    if (function)
        function->name = name;
    return result;
}

/* ---- for the functions that are recorded ------------------------------------------------- */

/*
 * Whether the tensors, of which `count` are given, can be used together by the function `place`:
 * errors are recorded.
 */
bool kdl__usable(const char *place, int count, kdl_tensor *const *tensors);

/*
 * The tensor in the dtype that it is computed with: f16 and bf16 go through f32. One reference;
 * NULL, with NotImplementedError at `place`, for a dtype that is not of floating point.
 */
kdl_tensor *kdl__operand(kdl_tensor *tensor, const char *place);
/* The tensor row-major and in memory: itself, if it is. One reference; NULL for NULL. */
kdl_tensor *kdl__in_rows(kdl_tensor *tensor);
/* kdl__operand() of that kind. One reference; NULL with an error at `place`. */
kdl_tensor *kdl__row_major(kdl_tensor *tensor, const char *place);
/* Two tensors in the dtype in common that they are computed with. */
typedef struct kdl__operands {
    kdl_tensor *a, *b; /* one reference each */
    kdl_dtype dtype;   /* the result's */
} kdl__operands;
/* false: an error stands, and there is nothing to free. */
bool kdl__operands_prepare(kdl__operands *pair, kdl_tensor *a, kdl_tensor *b, const char *place);
void kdl__operands_free(kdl__operands *pair);
/* A number rounded to a floating dtype, as one of its elements is. */
double kdl__as_element(kdl_dtype dtype, double value);
/* The tensor in another dtype, or itself. Consumes it; NULL stays NULL. */
kdl_tensor *kdl__cast(kdl_tensor *tensor, kdl_dtype dtype);

/*
 * The temporary tensors of a function that is composed of others. Functions give NULL for a NULL
 * operand (an error stands then), so calls follow each other without a look at every result:
 *
 *     kdl__scope scope = { 0 };
 *     kdl_tensor *e = kdl__hold(&scope, kdl_exp(x));
 *     return kdl__close(&scope, kdl_mul_tensor(e, x));
 */
#define KDL__SCOPE_MAX 32
typedef struct kdl__scope {
    int count;
    kdl_tensor *tensors[KDL__SCOPE_MAX];
} kdl__scope;

/* Takes over a reference until the scope is closed; gives its argument. */
static inline kdl_tensor *kdl__hold(kdl__scope *scope, kdl_tensor *tensor)
{
    assert(scope->count < KDL__SCOPE_MAX);
    return scope->tensors[scope->count++] = tensor;
}
/* Releases what the scope holds; gives `result`, which it does not hold. */
static inline kdl_tensor *kdl__close(kdl__scope *scope, kdl_tensor *result)
{
    while (scope->count > 0)
        kdl_tensor_release(scope->tensors[--scope->count]);
    return result;
}

/*
 * alpha a b of matrices or batches of them, f32 or f64, without a record. One reference; NULL, with
 * PyTorch's error, where their sizes do not fit.
 */
kdl_tensor *kdl__multiply(kdl_tensor *a, kdl_tensor *b, double alpha);

/*
 * Whether mat1 and mat2 have one dtype of floating point, and `self`, what is added, too: errors
 * are recorded in addmm()'s words, or for a NULL `self` in mm()'s.
 */
bool kdl__check_addmm_dtypes(kdl_tensor *mat1, kdl_tensor *mat2, kdl_tensor *self,
                             const char *place);

/* Functions of one element, recorded. */
kdl_tensor *kdl__apply_unary(kdl_tensor *x, int function, kdl__numbers numbers, const char *place);

#endif
