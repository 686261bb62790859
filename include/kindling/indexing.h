/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch's functions that choose, order and arrange elements, with gradients: in libkindling_train.
 *
 * Tensors of any dtype, unless it is said otherwise. Each function gives one reference, NULL on
 * failure; `dim` may be negative (IndexError where there is no such dimension). Results are copies,
 * row-major, where they are not called views.
 */
#ifndef KINDLING_INDEXING_H
#define KINDLING_INDEXING_H

#include "kindling/autograd.h"
#include "kindling/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- elements by indices and masks -------------------------------------------------------- */

/**
 * torch.gather(tensor, dim, index), torch.index_select(tensor, dim, index): indices are i64 or i32,
 * of as many dimensions as the tensor, or a vector. RuntimeError, IndexError.
 */
KDL_API kdl_tensor *kdl_gather(kdl_tensor *tensor, int dim, kdl_tensor *index);
KDL_API kdl_tensor *kdl_index_select(kdl_tensor *tensor, int dim, kdl_tensor *index);
/** torch.masked_select(tensor, mask): one dimension, row by row; mask bool, both broadcast. */
KDL_API kdl_tensor *kdl_masked_select(kdl_tensor *tensor, kdl_tensor *mask);
/** torch.masked_fill(tensor, mask, value): `value` where the mask (bool, broadcast) is true. */
KDL_API kdl_tensor *kdl_masked_fill(kdl_tensor *tensor, kdl_tensor *mask, double value);

/**
 * torch.scatter(tensor, dim, index, src): a copy of the tensor with src's elements at the places
 * that gather() would take them from. `index` may be smaller than `src`. Where places repeat, the
 * last one stays. RuntimeError for another dtype, IndexError.
 */
KDL_API kdl_tensor *kdl_scatter(kdl_tensor *tensor, int dim, kdl_tensor *index, kdl_tensor *src);
/**
 * torch.scatter_add(tensor, dim, index, src), torch.index_add(tensor, dim, index, source,
 * alpha=alpha): what comes is added, in the order of the indices. Tensors of a floating dtype
 * (NotImplementedError).
 */
KDL_API kdl_tensor *kdl_scatter_add(kdl_tensor *tensor, int dim, kdl_tensor *index,
                                    kdl_tensor *src);
KDL_API kdl_tensor *kdl_index_add(kdl_tensor *tensor, int dim, kdl_tensor *index,
                                  kdl_tensor *source, double alpha);

/* ---- order ------------------------------------------------------------------------------- */

/**
 * torch.sort(tensor, dim, descending, stable=True): the values; *indices (may be NULL) gets one
 * reference to where they were (i64). Equal elements stay in order; a NaN is larger than any
 * number.
 */
KDL_API kdl_tensor *kdl_sort(kdl_tensor *tensor, int dim, bool descending, kdl_tensor **indices);
/** torch.argsort(tensor, dim, descending, stable=True). */
KDL_API kdl_tensor *kdl_argsort(kdl_tensor *tensor, int dim, bool descending);
/**
 * torch.topk(tensor, k, dim, largest): the k largest (or smallest) in order, and where they were.
 * Of equal elements the first ones; PyTorch leaves that open. RuntimeError for a k out of range.
 */
KDL_API kdl_tensor *kdl_topk(kdl_tensor *tensor, int64_t k, int dim, bool largest,
                             kdl_tensor **indices);

/* ---- draws ------------------------------------------------------------------------------- */

/**
 * torch.multinomial(tensor, num_samples, replacement): indices (i64) of a vector, or of each row of
 * a matrix, of weights that need not add up to 1: (num_samples) or (rows, num_samples). PyTorch's
 * own draws, from the context's generator or `.generator =` (borrowed). Several samples without
 * replacement come as kdl_topk() orders them: where quotients are equal, as often of f16 and bf16,
 * PyTorch leaves the order open. RuntimeError for weights that are negative, not finite or all 0,
 * and for more samples than weights without replacement.
 */
#define kdl_multinomial(tensor, num_samples, replacement, ...)                                     \
    KDL__WITH(kdl_random_options, KDL_RANDOM_DEFAULTS, (__VA_ARGS__), kdl_multinomial_with,        \
              tensor, num_samples, replacement)
KDL_API kdl_tensor *kdl_multinomial_with(kdl_tensor *tensor, int64_t num_samples, bool replacement,
                                         const kdl_random_options *options);

/* ---- putting together and taking apart ------------------------------------------------------ */

/**
 * torch.cat(tensors, dim) and torch.stack(tensors, dim), of `count` tensors, at least one (of none
 * there is no context to hold the error: NULL), of one dtype.
 */
KDL_API kdl_tensor *kdl_cat(kdl_tensor *const *tensors, int count, int dim);
KDL_API kdl_tensor *kdl_stack(kdl_tensor *const *tensors, int count, int dim);
/**
 * torch.split(tensor, split_size, dim), torch.chunk(tensor, chunks, dim): views, one reference
 * each, in `parts`, which has room for `room` (ValueError if that is not enough). Gives how many
 * there are; 0 on failure.
 */
KDL_API int kdl_split(kdl_tensor *tensor, int64_t split_size, int dim, kdl_tensor **parts,
                      int room);
KDL_API int kdl_chunk(kdl_tensor *tensor, int64_t chunks, int dim, kdl_tensor **parts, int room);
/**
 * torch.unbind(tensor, dim): the same of its parts along a dimension, which is gone; it may have
 * none.
 */
KDL_API int kdl_unbind(kdl_tensor *tensor, int dim, kdl_tensor **parts, int room);

/* ---- arrangement -------------------------------------------------------------------------- */

/** torch.flip(tensor, dims): `count` dimensions in reverse. RuntimeError for one named twice. */
KDL_API kdl_tensor *kdl_flip(kdl_tensor *tensor, int count, const int *dims);
/** torch.roll(tensor, shift, dim): what leaves at the end comes back at the beginning. */
KDL_API kdl_tensor *kdl_roll(kdl_tensor *tensor, int64_t shift, int dim);
/** torch.tile(tensor, repeats), Tensor.repeat(): how often along each of the last dimensions. */
KDL_API kdl_tensor *kdl_tile(kdl_tensor *tensor, kdl_shape repeats);
/**
 * torch.tril, torch.triu(tensor, diagonal): zeros above, or below, that diagonal of each matrix.
 */
KDL_API kdl_tensor *kdl_tril(kdl_tensor *tensor, int64_t diagonal);
KDL_API kdl_tensor *kdl_triu(kdl_tensor *tensor, int64_t diagonal);

#ifdef __cplusplus
}
#endif
#endif
