/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the training library is told while it records: which tensors were made from which. The core
 * computes as ever; without the training library, and under no_grad, a context's tape is NULL.
 */
#ifndef KDL_SRC_TENSOR_TAPE_H
#define KDL_SRC_TENSOR_TAPE_H

#include "tensor/tensor_impl.h"

/* How a view's elements are its base's. */
typedef enum kdl__view_kind {
    KDL__VIEW_RESHAPE, /* the same ones in the same order */
    KDL__VIEW_PERMUTE, /* dimension d is the base's dims[d] */
    KDL__VIEW_RANGE,   /* along `dim` every step-th from `start` */
    KDL__VIEW_SELECT,  /* at `start` of `dim`, which is gone */
    KDL__VIEW_EXPAND   /* repeated along dimensions of size 1 and new ones */
} kdl__view_kind;

typedef struct kdl__view_how {
    kdl__view_kind kind;
    const char *name; /* of its gradient's function, as PyTorch prints it */
    int dims[KDL_MAX_DIMS];
    int dim;
    int64_t start, step;
} kdl__view_how;

/* The parametrizations that the core computes and that have gradients. */
typedef enum kdl__derivation {
    KDL__DERIVED_WEIGHT_NORM,
    KDL__DERIVED_SPECTRAL_NORM,
    KDL__DERIVED_UNIT_VECTOR, /* spectral_norm of a vector */
    KDL__DERIVED_ORTHOGONAL
} kdl__derivation;

struct kdl_module;
typedef struct kdl__module_call kdl__module_call;

/* What an in-place function makes of the values that were there. */
typedef enum kdl__write_kind {
    KDL__WRITE_OVER,  /* they are gone, and what comes has no gradient */
    KDL__WRITE_COPY,  /* the source's instead */
    KDL__WRITE_ADD,   /* the source's, or a number, added */
    KDL__WRITE_SCALE, /* times a number */
    KDL__WRITE_MUL,   /* times the source's */
    KDL__WRITE_ABS    /* their magnitudes */
} kdl__write_kind;

/* One call of an in-place function. */
typedef struct kdl__write {
    kdl_tensor *tensor, *source; /* source: NULL if it has none */
    kdl__write_kind kind;
    double number;
    kdl_tensor *old; /* a copy of the values that were there, where a gradient needs them; owned */
} kdl__write;

/* KDL__SLOT_TRAINING of a context that can train begins with it. */
typedef struct kdl__tape {
    /* `result` is a view of `base`, which requires gradients. */
    void (*view)(kdl_tensor *base, kdl_tensor *result, const kdl__view_how *how);
    /* `result` has the values of `source`, which requires gradients, perhaps in another dtype. */
    void (*copied)(kdl_tensor *source, kdl_tensor *result);
    /* `result` has the magnitudes of `source`, which requires gradients. */
    void (*absolute)(kdl_tensor *source, kdl_tensor *result);
    /*
     * `result` was made of its inputs, of which some require gradients, without a record: of g and
     * v by weight_norm (detail: the dimension, -1 for all), of the weight, u and v by spectral_norm
     * (the dimension), of the weight and eps, a tensor, by that of a vector, of x and the base,
     * which may be NULL, by orthogonal (the number of its map).
     */
    void (*derived)(kdl_tensor *result, kdl__derivation how, int detail, kdl_tensor *const *inputs);
    /*
     * Around the forward of a module with backward hooks: they may put others in the place of its
     * first input and output. The second takes what the first gave, in any case.
     */
    kdl__module_call *(*call)(struct kdl_module *module, kdl_tensor **input);
    void (*called)(kdl__module_call *call, kdl_tensor **output);
    /* Before an in-place function writes: PyTorch's error at `place` where it may not. */
    kdl_status (*write)(kdl__write *write, const char *place);
    /* After it has written. */
    void (*written)(const kdl__write *write);
    /* The name of the function that made the tensor; NULL: a leaf. */
    const char *(*grad_fn)(const kdl_tensor *tensor);
} kdl__tape;

/* For code that PyTorch runs under torch.no_grad(): switches recording off, back to what it was. */
static inline const kdl__tape *kdl__no_grad(kdl_context *ctx)
{
    const kdl__tape *tape = ctx->tape;
    ctx->tape = NULL;
    return tape;
}

/* The same by a tensor, which may be NULL, and the way back: gives `status`. */
static inline const kdl__tape *kdl__no_grad_of(const kdl_tensor *tensor)
{
    return tensor ? kdl__no_grad(tensor->ctx) : NULL;
}
static inline kdl_status kdl__restore_grad(const kdl_tensor *tensor, const kdl__tape *tape,
                                           kdl_status status)
{
    if (tensor)
        tensor->ctx->tape = tape;
    return status;
}

static inline bool kdl__tape_wants(const kdl_tensor *tensor)
{
    return tensor->ctx->tape && kdl__requires_grad(tensor);
}

/* Before and after a function writes in place: the second gives `status`, how that went. */
static inline kdl_status kdl__write_begin(kdl__write *write, const char *place)
{
    const kdl__tape *tape = write->tensor->ctx->tape;
    return tape ? tape->write(write, place) : KDL_OK;
}
static inline kdl_status kdl__write_end(kdl__write *write, kdl_status status)
{
    const kdl__tape *tape = write->tensor->ctx->tape;
    if (tape && !status)
        tape->written(write);
    kdl_tensor_release(write->old);
    return status;
}

/* Makes `view` one of `tensor`, which shares its storage, where something may record. */
static inline void kdl__follow_base(kdl_tensor *view, kdl_tensor *tensor)
{
    if (!tensor->ctx->tape)
        return;
    view->base = kdl_tensor_retain(tensor->base ? tensor->base : tensor);
    view->base_version = tensor->storage->version;
}

#endif
