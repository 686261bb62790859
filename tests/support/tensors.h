/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors for tests, without the layers above them. */
#ifndef KDL_TESTS_SUPPORT_TENSORS_H
#define KDL_TESTS_SUPPORT_TENSORS_H

#include "kindling/tensor.h"

/*
 * A row-major tensor whose storage holds the `nbytes` bytes at `pattern` over and over (zeros when
 * there are none). NULL on failure.
 */
kdl_tensor *make_tensor(kdl_context *ctx, kdl_dtype dtype, kdl_shape shape, const void *pattern,
                        size_t nbytes);

/* Releases tensors, of which any may be NULL. */
#define release_all(...)                                                                           \
    release_tensors((kdl_tensor *[]){ __VA_ARGS__ },                                               \
                    sizeof((kdl_tensor *[]){ __VA_ARGS__ }) / sizeof(kdl_tensor *))
void release_tensors(kdl_tensor *const *tensors, size_t count);

#endif
