/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows over one to three spatial dimensions: convolutions and pooling, f32 and f64, row-major.
 */
#ifndef KDL_SRC_COMPUTE_WINDOW_H
#define KDL_SRC_COMPUTE_WINDOW_H

#include "compute/compute.h"

/*
 * How a kernel moves over an input. Three dimensions always: those that are not there are 1 wide.
 */
typedef struct kdl__window {
    int64_t input[3], output[3], kernel[3], stride[3], dilation[3];
    int64_t padding[3]; /* before the first element; what is behind the last follows */
} kdl__window;

static inline int64_t kdl__volume(const int64_t sizes[3])
{
    return sizes[0] * sizes[1] * sizes[2];
}

/*
 * output (N, O, ...) = input (N, C, ...) * weight (O, C / groups, ...) + bias (O) or NULL. `shape`
 * is the output's.
 */
kdl_tensor *kdl__compute_conv(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                              const kdl__window *window, int64_t groups, kdl_shape shape);
/* Its gradients from the output's; NULL in the place of one that is not wanted. */
kdl_tensor *kdl__compute_conv_input_grad(kdl_tensor *grad, kdl_tensor *weight,
                                         const kdl__window *window, int64_t groups,
                                         kdl_shape shape);
kdl_tensor *kdl__compute_conv_weight_grad(kdl_tensor *grad, kdl_tensor *input,
                                          const kdl__window *window, int64_t groups,
                                          kdl_shape shape);

/* output (N, O, ...) += bias (O). */
void kdl__compute_add_bias(kdl_tensor *output, kdl_tensor *bias);

/*
 * F.unfold and F.fold: the windows of (N, C, ...) as columns (N, C * kernel, output), and what lies
 * at a place in several added up. `shape` is the result's.
 */
kdl_tensor *kdl__compute_unfold(kdl_tensor *image, const kdl__window *window, kdl_shape shape);
kdl_tensor *kdl__compute_fold(kdl_tensor *columns, const kdl__window *window, kdl_shape shape);

/* ---- pooling ----------------------------------------------------------------------------- */

/* The input's elements that one window covers along a dimension, and how many an average counts. */
typedef struct kdl__span {
    int64_t begin, end, step, counted;
} kdl__span;

/* The windows of a pooling: in each dimension one span for each place in the output. */
typedef struct kdl__spans {
    int64_t input[3], output[3];
    int64_t start[3]; /* where a dimension's spans begin in `span` */
    int64_t plane;    /* from the spans of a plane to those of the next; 0: all have the same */
    int64_t divisor;  /* of averages; 0: what the window counts */
    size_t nbytes;    /* of all of this */
    kdl__span span[];
} kdl__spans;

/* With room for the spans, of each of `planes` planes or (0) one for all. The caller frees them. */
kdl__spans *kdl__spans_new(kdl_context *ctx, const int64_t input[3], const int64_t output[3],
                           int64_t planes);
/*
 * Sets those of a kernel that moves over the input; `behind` is the padding after the last element.
 * An average counts padding too with `count_padding`.
 */
void kdl__spans_of_window(kdl__spans *spans, const kdl__window *window, const int64_t behind[3],
                          bool count_padding);
/* Sets those of adaptive pooling: from floor(i in / out) to ceil((i + 1) in / out). */
void kdl__spans_adaptive(kdl__spans *spans);

/*
 * The largest element of each window (NaN wins), and where it lies in its plane (i64, -1: in an
 * empty window), in tensors of `shape`. Planes are what dimensions before the spatial ones make up.
 */
kdl_status kdl__compute_max_pool(kdl_tensor *input, const kdl__spans *spans, kdl_shape shape,
                                 kdl_tensor **values, kdl_tensor **indices);
/* The mean of each window, and its gradient. */
kdl_tensor *kdl__compute_avg_pool(kdl_tensor *input, const kdl__spans *spans, kdl_shape shape);
kdl_tensor *kdl__compute_avg_pool_grad(kdl_tensor *grad, const kdl__spans *spans, kdl_shape shape);

/*
 * Elements by where they lie in planes: a tensor of `shape` with each value of `source` put (last
 * wins), or added, at its index in its plane; and what lies at the indices. Indices below 0 are
 * left out. `planes`: how many planes there are.
 */
kdl_tensor *kdl__compute_scatter(kdl_tensor *source, kdl_tensor *indices, int64_t planes,
                                 kdl_shape shape, bool add);
kdl_tensor *kdl__compute_gather(kdl_tensor *source, kdl_tensor *indices, int64_t planes);

/* ---- planes ------------------------------------------------------------------------------ */

/* Runs task(state, plane) for each plane, on several threads where `work` elements are worth it. */
typedef void kdl__plane_task(void *state, int64_t plane);
kdl_status kdl__each_plane(kdl_context *ctx, int64_t planes, int64_t work, kdl__plane_task *task,
                           void *state);

#endif
