/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distributions that PyTorch's CPU computes element by element, whatever the tensor's layout:
 * in double, with the host's libm, or in integers.
 *
 * Since each element takes the same number of draws (a pair of normals: four), any range of them
 * can be computed alone. The arithmetic is that of ATen/core/TransformationHelper.h, with the
 * multiplications and additions fused that GCC fuses in PyTorch's x86-64 builds.
 */
#ifndef KDL_SRC_RANDOM_DISTRIBUTIONS_H
#define KDL_SRC_RANDOM_DISTRIBUTIONS_H

#include "random/fill.h"

/*
 * How many integers random_() without a range chooses from: [0, max] of an integer dtype,
 * [0, 2^digits] of a float one.
 */
uint64_t kdl__dtype_range(kdl_dtype dtype);

/* How many draws one element takes; not for the normal ones. */
unsigned kdl__draws_per_element(const kdl__fill *fill);

/* bernoulli_, cauchy_, exponential_, geometric_: one uniform double an element. */
void kdl__continuous_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                           kdl__cursor *cursor, uint64_t first, uint64_t count, void *values);

/* random_ in its forms. */
void kdl__integer_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                        kdl__cursor *cursor, uint64_t first, uint64_t count, void *values);

/* normal_ of small or strided tensors, log_normal_: pairs, of which the second waits as a spare. */
void kdl__paired_range(const kdl__fill *fill, kdl__stream *stream, uint64_t start,
                       kdl__cursor *cursor, uint64_t first, uint64_t count, void *values);

#endif
