/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resampling along one dimension: padding, interpolation, and whatever takes a few of many
 * elements.
 */
#ifndef KDL_SRC_COMPUTE_RESAMPLE_H
#define KDL_SRC_COMPUTE_RESAMPLE_H

#include "compute/compute.h"

/* One of the input's elements that make up one of the result's. */
typedef struct kdl__tap {
    int64_t index; /* below 0: none */
    double weight;
} kdl__tap;

/* Element i of the result along `dim` is the weighted sum of taps [i * width, (i + 1) * width). */
typedef struct kdl__taps {
    int dim;
    int64_t input, output; /* sizes */
    int64_t width;
    double fill;   /* what an element without taps is */
    size_t nbytes; /* of all of this */
    kdl__tap tap[];
} kdl__taps;

/* With taps that are none, which the caller sets, and frees when it is done. */
kdl__taps *kdl__taps_new(kdl_context *ctx, int dim, int64_t input, int64_t output, int64_t width);

/* The resampled tensor, row-major as `input` is; an element of one tap of weight 1 is copied. */
kdl_tensor *kdl__compute_resample(kdl_tensor *input, const kdl__taps *taps);
kdl_tensor *kdl__compute_resample_grad(kdl_tensor *grad, const kdl__taps *taps);

/*
 * Keys' cubic convolution (1981), whose weights have the parameter a: of elements at distances up
 * to 1, and from 1 to 2.
 */
static inline double kdl__cubic_near(double x, double a)
{
    return ((a + 2) * x - (a + 3)) * x * x + 1;
}
static inline double kdl__cubic_far(double x, double a)
{
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

#endif
