/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors: typed, strided views of reference-counted storage, as torch.Tensor.
 *
 * Functions that give a tensor give the caller one reference (release it); arguments are borrowed.
 * Sizes and indices count elements. A dimension argument may be negative, counting from the end.
 *
 * Functions that can fail take a NULL tensor, which a failed call before them gave, and fail too,
 * so that calls may be nested. The properties of a tensor are asked of a tensor only.
 */
#ifndef KINDLING_TENSOR_H
#define KINDLING_TENSOR_H

#include <stdio.h>
#include "kindling/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The most dimensions that a tensor may have. */
#define KDL_MAX_DIMS 16

/** A list of sizes, by value. Write KDL_SHAPE(3, 5), or KDL_SCALAR_SHAPE for no dimensions. */
typedef struct kdl_shape {
    int64_t sizes[KDL_MAX_DIMS];
    int ndim;
} kdl_shape;

#define KDL__COUNT(...)                                                                            \
    KDL__COUNT_(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define KDL__COUNT_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) count

#ifdef __cplusplus
#define KDL__LITERAL(type) type
#else
#define KDL__LITERAL(type) (type)
#endif
#define KDL_SHAPE(...) (KDL__LITERAL(kdl_shape){ { __VA_ARGS__ }, KDL__COUNT(__VA_ARGS__) })
#define KDL_SCALAR_SHAPE (KDL__LITERAL(kdl_shape){ { 0 }, 0 })

typedef struct kdl_tensor kdl_tensor;

/** Adds a reference; returns its argument. Safe from any thread. */
KDL_API kdl_tensor *kdl_tensor_retain(kdl_tensor *tensor);

/** Drops a reference. NULL is ignored. */
KDL_API void kdl_tensor_release(kdl_tensor *tensor);

/** The context that the tensor belongs to (borrowed). */
KDL_API kdl_context *kdl_tensor_context(const kdl_tensor *tensor);

/** Tensor.dtype. */
KDL_API kdl_dtype kdl_tensor_dtype(const kdl_tensor *tensor);
/** Tensor.dim(): the number of dimensions, 0 for a scalar. */
KDL_API int kdl_tensor_ndim(const kdl_tensor *tensor);
/** Tensor.shape: ndim sizes, in elements (owned by the tensor). */
KDL_API const int64_t *kdl_tensor_sizes(const kdl_tensor *tensor);
/** Tensor.stride(): ndim strides, in elements (owned by the tensor). */
KDL_API const int64_t *kdl_tensor_strides(const kdl_tensor *tensor);
/** Tensor.shape, by value. */
KDL_API kdl_shape kdl_tensor_shape(const kdl_tensor *tensor);
/** Tensor.size(dim); IndexError (and -1) for a dimension that is not there. */
KDL_API int64_t kdl_tensor_size(const kdl_tensor *tensor, int dim);
/** Tensor.numel(): the number of elements, 1 for a scalar. */
KDL_API int64_t kdl_tensor_numel(const kdl_tensor *tensor);
/** Tensor.nbytes: numel times the element's bytes. */
KDL_API size_t kdl_tensor_nbytes(const kdl_tensor *tensor);
/** Tensor.storage_offset(): where the first element lies in the storage, in elements. */
KDL_API int64_t kdl_tensor_storage_offset(const kdl_tensor *tensor);
/** Tensor.is_contiguous(). */
KDL_API bool kdl_tensor_is_contiguous(const kdl_tensor *tensor);
/** Whether two tensors are views of one storage. */
KDL_API bool kdl_tensor_shares_storage(const kdl_tensor *a, const kdl_tensor *b);
/** Whether the values exist in memory; false while they are only recorded (see plan.h). */
KDL_API bool kdl_tensor_is_materialized(const kdl_tensor *tensor);

/** Tensor.requires_grad. */
KDL_API bool kdl_tensor_requires_grad(const kdl_tensor *tensor);
/** Tensor.requires_grad_(); RuntimeError for a dtype that is not floating point. */
KDL_API kdl_status kdl_requires_grad_(kdl_tensor *tensor, bool requires_grad);
/** Tensor.grad (borrowed); NULL: None. It is there for training to fill; kdl_detach() has none. */
KDL_API kdl_tensor *kdl_tensor_grad(const kdl_tensor *tensor);
/**
 * Tensor.grad = grad. Consumes the reference, also on failure; NULL: None. RuntimeError for a
 * gradient of another size or dtype, and for the tensor itself.
 */
KDL_API kdl_status kdl_tensor_set_grad(kdl_tensor *tensor, kdl_tensor *grad);
/** Whether the tensor is an nn.Parameter. */
KDL_API bool kdl_tensor_is_parameter(const kdl_tensor *tensor);

/**
 * The address of the tensor's first element (storage offset applied), materialising the storage
 * when it is only recorded. NULL on failure. Elements lie at the tensor's strides. The memory
 * belongs to the storage and stays where it is while any tensor of that storage lives. An empty
 * tensor gives a valid pointer.
 */
KDL_API void *kdl_tensor_data(kdl_tensor *tensor);

/**
 * Tensor.item(): the value of a tensor with one element (RuntimeError otherwise). 0 on failure.
 * An int64 beyond 2^53 is rounded. Materialises.
 */
KDL_API double kdl_tensor_item(kdl_tensor *tensor);

/**
 * tensor[i, j, ...].item(): one element by ndim indices, which may be negative (IndexError beyond
 * the sizes). 0 on failure. Rounds and materialises as kdl_tensor_item() does.
 */
KDL_API double kdl_tensor_get(kdl_tensor *tensor, const int64_t *index);

/**
 * Whether it is an UninitializedParameter or UninitializedBuffer of a Lazy module (layer.h): no
 * elements and no use, a ValueError, until the module's parameters are initialised.
 */
KDL_API bool kdl_tensor_is_uninitialized(const kdl_tensor *tensor);

/*
 * ---- views: they share the storage ----------------------------------------------------------
 *
 * Each gives another tensor (one reference) on the same storage, as PyTorch's function does under
 * torch.no_grad(): it does not require gradients and is no Parameter. Nothing is copied and nothing
 * materialised. NULL on failure; the error has PyTorch's kind and text. An IndexError is a
 * dimension, index or start out of range.
 */

/** tensor[...]: the same elements, sizes and strides. */
KDL_API kdl_tensor *kdl_alias(kdl_tensor *tensor);
/** Tensor.detach(): the same elements. */
KDL_API kdl_tensor *kdl_detach(kdl_tensor *tensor);
/** Tensor.transpose(dim0, dim1). IndexError. */
KDL_API kdl_tensor *kdl_transpose(kdl_tensor *tensor, int dim0, int dim1);
/** Tensor.t(): a matrix transposed, a vector or scalar as it is. RuntimeError beyond that. */
KDL_API kdl_tensor *kdl_t(kdl_tensor *tensor);
/**
 * Tensor.permute(dims): dimension d of the result is dimension dims[d] of the tensor. RuntimeError
 * unless `dims` has each of them once; IndexError.
 */
KDL_API kdl_tensor *kdl_permute(kdl_tensor *tensor, int ndim, const int *dims);
/**
 * Tensor.narrow(dim, start, length): a negative start counts from the end. RuntimeError for a
 * scalar and a range beyond the end; IndexError.
 */
KDL_API kdl_tensor *kdl_narrow(kdl_tensor *tensor, int dim, int64_t start, int64_t length);
/** Tensor.select(dim, index): one dimension less; a negative index counts back. IndexError. */
KDL_API kdl_tensor *kdl_select(kdl_tensor *tensor, int dim, int64_t index);
/**
 * tensor[start:end:step] along `dim`: negative bounds count from the end and all are clamped, as
 * Python does; INT64_MAX as end: to the end. ValueError for a step below 1; IndexError.
 */
KDL_API kdl_tensor *kdl_slice(kdl_tensor *tensor, int dim, int64_t start, int64_t end,
                              int64_t step);
/** Tensor.squeeze(dim): without that dimension if its size is 1, else unchanged. IndexError. */
KDL_API kdl_tensor *kdl_squeeze(kdl_tensor *tensor, int dim);
/** Tensor.unsqueeze(dim): with a dimension of size 1 put in before `dim`. IndexError. */
KDL_API kdl_tensor *kdl_unsqueeze(kdl_tensor *tensor, int dim);
/**
 * Tensor.expand(sizes): dimensions of size 1 repeated without a copy, new ones in front; -1 keeps
 * a size. RuntimeError where sizes do not fit.
 */
KDL_API kdl_tensor *kdl_expand(kdl_tensor *tensor, kdl_shape shape);
/**
 * Tensor.view(sizes): the same elements in the same order; one size may be -1. RuntimeError where
 * the sizes do not fit or a copy would be needed (kdl_reshape() makes it).
 */
KDL_API kdl_tensor *kdl_view(kdl_tensor *tensor, kdl_shape shape);

/* ---- text -------------------------------------------------------------------------------- */

/**
 * What Python's print(tensor) writes with PyTorch's default options, without the newline: four
 * digits, at most 80 columns, more than 1000 elements cut to three at each end. The caller frees
 * it with kdl_free(). Materialises. NULL on failure.
 */
KDL_API char *kdl_tensor_to_string(kdl_tensor *tensor);

/** print(tensor): writes it and a newline to `file`. KDL_ERROR_IO when that fails. */
KDL_API kdl_status kdl_tensor_print(kdl_tensor *tensor, FILE *file);

#ifdef __cplusplus
}
#endif
#endif
