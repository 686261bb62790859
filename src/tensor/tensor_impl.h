/* SPDX-License-Identifier: Apache-2.0 */
/* tensor: dtypes, shapes, storage, strided views, element access and printing. */
#ifndef KDL_SRC_TENSOR_TENSOR_IMPL_H
#define KDL_SRC_TENSOR_TENSOR_IMPL_H

#include <inttypes.h>
#include "base/base.h"
#include "kindling/tensor.h"

/*
 * Values that are not in memory yet. The plan layer gives a storage such a history and knows how
 * to turn it into values; the tensor layer only asks for that, or drops it.
 */
typedef struct kdl__deferred {
    /* Writes the storage's numel elements to `values`, recording an error on failure. */
    kdl_status (*materialize)(kdl_context *ctx, void *history, kdl_dtype dtype, int64_t numel,
                              void *values);
    void (*release)(void *history);
} kdl__deferred;

/*
 * numel elements of one dtype. Exactly one of two states: materialised (`data` is set), or
 * deferred (`data` is NULL and `deferred` is set; a NULL history stands for zeros).
 */
typedef struct kdl__storage {
    atomic_long references;
    kdl_context *ctx; /* retained */
    kdl_dtype dtype;
    int64_t numel;
    uint32_t version; /* how often an in-place function has written it; wraps around */
    void *data;       /* from kdl__alloc_aligned, at least by a cache line */
    const kdl__deferred *deferred;
    void *history;
} kdl__storage;

/* A storage with uninitialised memory. */
KDL__SHARED kdl__storage *kdl__storage_new(kdl_context *ctx, kdl_dtype dtype, int64_t numel);
/* A storage without memory whose values `history` tells (owned, also on failure; NULL: zeros). */
kdl__storage *kdl__storage_new_deferred(kdl_context *ctx, kdl_dtype dtype, int64_t numel,
                                        const kdl__deferred *deferred, void *history);
kdl__storage *kdl__storage_retain(kdl__storage *storage);
KDL__SHARED void kdl__storage_release(kdl__storage *storage);
/* Makes sure that the values are in memory; the history is dropped. */
kdl_status kdl__storage_materialize(kdl__storage *storage);

struct kdl_tensor {
    atomic_long references;
    kdl_context *ctx; /* retained */
    kdl__storage *storage;
    int64_t offset; /* of the first element in the storage, in elements */
    int64_t numel;
    int ndim;
    bool requires_grad;
    bool is_parameter;
    bool is_uninitialized; /* an UninitializedParameter or -Buffer: no use until it has a shape */
    int owners;            /* under how many names modules hold it */
    kdl_tensor *grad;      /* owned; NULL: None */
    kdl_tensor *grad_rows; /* owned; of a sparse gradient: which rows `grad` has (i64) */
    /*
     * The tensor that this one is a view of, as gradients see it, which is no view itself; owned;
     * NULL: this is none, or it was made while nothing was recorded.
     */
    kdl_tensor *base;
    uint32_t base_version; /* the storage's when `autograd` was what the base's values came from */
    void *autograd;        /* belongs to the training library; NULL without it */
    void (*release_autograd)(void *slot); /* called when the tensor goes */
    int64_t *strides;                     /* = dims + ndim */
    int64_t dims[];                       /* sizes, then strides */
};

/* Whether the tensor is a view of one with gradients, which was written since. */
static inline bool kdl__lags_base(const kdl_tensor *tensor)
{
    return tensor->base && tensor->base->requires_grad &&
           tensor->base_version != tensor->storage->version;
}

/* Whether gradients are wanted of the tensor, or of what it is a view of. */
static inline bool kdl__requires_grad(const kdl_tensor *tensor)
{
    return tensor->requires_grad || kdl__lags_base(tensor);
}

/* A tensor on `storage` (retained); strides NULL: row-major. */
KDL__SHARED kdl_tensor *kdl__tensor_new(kdl_context *ctx, kdl__storage *storage, int64_t offset,
                                        int ndim, const int64_t *sizes, const int64_t *strides);

/* tensor.data = data, which has the same sizes: the tensor becomes a view of data's storage. */
void kdl__tensor_set_data(kdl_tensor *tensor, const kdl_tensor *data);

/* Whether a tensor may have so many dimensions; ValueError if not. */
KDL__SHARED bool kdl__ndim_allowed(kdl_context *ctx, int ndim);
/* The product of sizes: RuntimeError on a negative size or on overflow (false). */
KDL__SHARED bool kdl__shape_numel(kdl_context *ctx, int ndim, const int64_t *sizes, int64_t *numel);
/* The same without an error. */
bool kdl__shape_product(int ndim, const int64_t *sizes, int64_t *product);
/* Row-major strides as PyTorch makes them (a size of 0 counts as 1); they wrap around. */
void kdl__shape_strides(int ndim, const int64_t *sizes, int64_t *strides);
/* PyTorch's is_contiguous() of sizes and strides. */
KDL__SHARED bool kdl__shape_is_contiguous(int ndim, const int64_t *sizes, const int64_t *strides);
/* PyTorch's is_non_overlapping_and_dense(): row-major but for the order of the dimensions. */
bool kdl__shape_is_dense(int ndim, const int64_t *sizes, const int64_t *strides);
/*
 * The strides that torch.empty_like gives a tensor like one of these sizes and strides: the same
 * if they are dense, else dense ones with the dimensions in the same order.
 */
void kdl__shape_strides_like(int ndim, const int64_t *sizes, const int64_t *strides, int64_t *like);
/* Whether two elements of the view share an address (expanded dimensions). */
bool kdl__tensor_overlaps(const kdl_tensor *tensor);
/*
 * Whether the tensors, dense both, have some elements in common, but not the same ones in the same
 * places. For others false: that is too hard to say.
 */
bool kdl__tensors_partly_overlap(const kdl_tensor *a, const kdl_tensor *b);
/* "[2, 3]", for messages: kdl__shape_text(ndim, sizes).chars */
typedef struct kdl__shape_chars {
    char chars[KDL_MAX_DIMS * 22 + 3];
} kdl__shape_chars;
KDL__SHARED kdl__shape_chars kdl__shape_text(int ndim, const int64_t *sizes);

/* A dimension in [-ndim, ndim) made non-negative, or IndexError with PyTorch's text and -1. */
KDL__SHARED int kdl__wrap_dim(kdl_context *ctx, int dim, int ndim);

/*
 * a * b modulo 2^64. Strides that no element is reached by (a step beyond the end, sizes beside a
 * 0) may exceed int64_t; they wrap around as PyTorch's do.
 */
int64_t kdl__wrapping_mul(int64_t a, int64_t b);

/*
 * The strides that give the tensor's elements the sizes `sizes` (as many elements) without a copy;
 * false when there are none.
 */
bool kdl__view_strides(const kdl_tensor *tensor, int ndim, const int64_t *sizes, int64_t *strides);
/* What PyTorch says then. */
#define KDL__NO_VIEW                                                                               \
    "view size is not compatible with input tensor's size and stride (at least one dimension "     \
    "spans across two contiguous subspaces). Use .reshape(...) instead."
/* The sizes that `shape` means for `numel` elements, -1 filled in; RuntimeError (false) if none. */
bool kdl__view_sizes(kdl_context *ctx, const kdl_shape *shape, int64_t numel, int64_t *sizes);

/* Where tensor[index] lies behind the tensor's first element; IndexError (false) if nowhere. */
bool kdl__element_offset(const kdl_tensor *tensor, const int64_t *index, int64_t *offset);

/* The element at `index` of a dtype's array as double or int64 (bool: 0 or 1). */
KDL__SHARED double kdl__load_double(kdl_dtype dtype, const void *data, int64_t index);
int64_t kdl__load_int(kdl_dtype dtype, const void *data, int64_t index);

/* The largest finite number of a float dtype. */
double kdl__float_max(kdl_dtype dtype);
/*
 * Whether a Python float, or int, may become an element of the dtype; if not, RuntimeError "value
 * cannot be converted to type int64_t without overflow" at `place`.
 */
kdl_status kdl__scalar_check(kdl_context *ctx, const char *place, kdl_dtype dtype, double value);
kdl_status kdl__integer_scalar_check(kdl_context *ctx, const char *place, kdl_dtype dtype,
                                     int64_t value);

/* Records the error of using a tensor that is uninitialised; true. */
KDL__SHARED bool kdl__refuse_uninitialized(const kdl_tensor *tensor);

/*
 * True when an error stands, `tensor` is NULL or has no shape yet: the caller then returns
 * kdl__refusal(tensor).
 */
static inline bool kdl__refuses(const kdl_tensor *tensor)
{
    return !tensor || kdl__failed(tensor->ctx) ||
           (tensor->is_uninitialized && kdl__refuse_uninitialized(tensor));
}
static inline kdl_status kdl__refusal(const kdl_tensor *tensor)
{
    return tensor ? tensor->ctx->status : KDL_ERROR_VALUE;
}

#endif
