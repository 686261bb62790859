/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and strides: products, row-major strides, contiguity, and their text. */
#include <string.h>

#include "tensor/tensor_impl.h"

int64_t kdl__wrapping_mul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

bool kdl__shape_product(int ndim, const int64_t *sizes, int64_t *product)
{
    /* As in PyTorch, only the end must fit int64_t: a 0 can still come. */
    uint64_t numel = 1;
    for (int d = 0; d < ndim; d++) {
        if (sizes[d] < 0 || __builtin_mul_overflow(numel, (uint64_t)sizes[d], &numel))
            return false;
    }
    *product = (int64_t)numel;
    return numel <= INT64_MAX;
}

/* Whether row-major strides can be counted, where a size of 0 counts as 1. */
static bool strides_fit(int ndim, const int64_t *sizes)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d > 0; d--) {
        if (__builtin_mul_overflow(stride, sizes[d] ? sizes[d] : 1, &stride))
            return false;
    }
    return true;
}

bool kdl__ndim_allowed(kdl_context *ctx, int ndim)
{
    if (ndim >= 0 && ndim <= KDL_MAX_DIMS)
        return true;
    kdl__fail(ctx, KDL_ERROR_VALUE, "a tensor has from 0 to %d dimensions, got %d", KDL_MAX_DIMS,
              ndim);
    return false;
}

bool kdl__shape_numel(kdl_context *ctx, int ndim, const int64_t *sizes, int64_t *numel)
{
    if (!kdl__ndim_allowed(ctx, ndim))
        return false;
    for (int d = 0; d < ndim; d++) {
        if (sizes[d] < 0) {
            kdl__fail(ctx, KDL_ERROR_RUNTIME,
                      "Trying to create tensor with negative dimension %" PRId64 ": %s", sizes[d],
                      kdl__shape_text(ndim, sizes).chars);
            return false;
        }
    }
    if (!kdl__shape_product(ndim, sizes, numel)) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME, "Storage size calculation overflowed with sizes=%s",
                  kdl__shape_text(ndim, sizes).chars);
        return false;
    }
    if (!strides_fit(ndim, sizes)) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME, "Stride calculation overflowed");
        return false;
    }
    return true;
}

void kdl__shape_strides(int ndim, const int64_t *sizes, int64_t *strides)
{
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        strides[d] = stride;
        stride = kdl__wrapping_mul(stride, sizes[d] ? sizes[d] : 1);
    }
}

bool kdl__shape_is_contiguous(int ndim, const int64_t *sizes, const int64_t *strides)
{
    bool in_order = true;
    int64_t expected = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        if (sizes[d] == 0)
            return true;
        if (sizes[d] != 1 && strides[d] != expected)
            in_order = false;
        expected = kdl__wrapping_mul(expected, sizes[d]);
    }
    return in_order;
}

bool kdl__shape_is_dense(int ndim, const int64_t *sizes, const int64_t *strides)
{
    int left = 0;
    int64_t expected = 1;
    for (int d = 0; d < ndim; d++) {
        if (sizes[d] == 0)
            return true;
        left += sizes[d] > 1;
    }
    for (int d = ndim - 1; d >= 0 && left > 0; d--)
        if (sizes[d] > 1 && strides[d] == expected) {
            expected = kdl__wrapping_mul(expected, sizes[d]);
            left--;
            d = ndim; /* the next one may stand anywhere */
        }
    return left == 0;
}

/*
 * Which of two dimensions has the smaller step, as PyTorch's TensorIterator decides: negative for
 * the first, 0 where nothing tells.
 */
static int compare_dims(const int64_t *sizes, const int64_t *strides, int a, int b)
{
    if (strides[a] == 0 || strides[b] == 0)
        return 0;
    if (strides[a] != strides[b])
        return strides[a] < strides[b] ? -1 : 1;
    return sizes[a] > sizes[b];
}

void kdl__shape_strides_like(int ndim, const int64_t *sizes, const int64_t *strides, int64_t *like)
{
    int order[KDL_MAX_DIMS];
    if (kdl__shape_is_dense(ndim, sizes, strides)) {
        memcpy(like, strides, (size_t)ndim * sizeof *like);
        return;
    }
    for (int i = 0; i < ndim; i++) {
        order[i] = ndim - 1 - i;
        for (int at = i, j = i - 1; j >= 0; j--) {
            int comparison = compare_dims(sizes, strides, order[j], order[at]);
            if (comparison < 0)
                break;
            if (comparison == 0)
                continue;
            int dim = order[j];
            order[j] = order[at];
            order[at] = dim;
            at = j;
        }
    }
    int64_t stride = 1;
    for (int i = 0; i < ndim; i++) {
        like[order[i]] = stride;
        stride = kdl__wrapping_mul(stride, sizes[order[i]] ? sizes[order[i]] : 1);
    }
}

bool kdl__tensor_overlaps(const kdl_tensor *tensor)
{
    if (tensor->numel < 2)
        return false;
    for (int d = 0; d < tensor->ndim; d++) {
        if (tensor->dims[d] > 1 && tensor->strides[d] == 0)
            return true;
    }
    return false;
}

static bool is_dense(const kdl_tensor *tensor)
{
    return kdl__shape_is_dense(tensor->ndim, tensor->dims, tensor->strides);
}

bool kdl__tensors_partly_overlap(const kdl_tensor *a, const kdl_tensor *b)
{
    if (a->storage != b->storage || a->numel == 0 || b->numel == 0 || !is_dense(a) || !is_dense(b))
        return false;
    if (a->offset == b->offset && a->numel == b->numel)
        return a->ndim != b->ndim ||
               memcmp(a->strides, b->strides, (size_t)a->ndim * sizeof *a->strides) != 0;
    return a->offset < b->offset + b->numel && b->offset < a->offset + a->numel;
}

kdl__shape_chars kdl__shape_text(int ndim, const int64_t *sizes)
{
    kdl__shape_chars text;
    char *at = text.chars;
    *at++ = '[';
    for (int d = 0; d < ndim; d++)
        at += sprintf(at, "%s%" PRId64, d ? ", " : "", sizes[d]);
    *at++ = ']';
    *at = '\0';
    return text;
}

int kdl__wrap_dim(kdl_context *ctx, int dim, int ndim)
{
    int count = ndim ? ndim : 1; /* a tensor without dimensions is taken for one with one */
    if (dim < -count || dim >= count) {
        kdl__fail(ctx, KDL_ERROR_INDEX,
                  "Dimension out of range (expected to be in range of [%d, %d], but got %d)",
                  -count, count - 1, dim);
        return -1;
    }
    return dim < 0 ? dim + count : dim;
}
