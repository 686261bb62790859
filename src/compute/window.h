/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over one to three spatial dimensions: convolutions and pooling, f32 and f64, row-major. */
#ifndef KDL_SRC_COMPUTE_WINDOW_H
#define KDL_SRC_COMPUTE_WINDOW_H

#include "compute/compute.h"

/* How a kernel moves over an input. Three dimensions always: those that are not there are 1 wide. */
typedef struct kdl__window {
    int64_t input[3], output[3], kernel[3], stride[3], dilation[3];
    int64_t padding[3]; /* before the first element; what is behind the last follows */
} kdl__window;

static inline int64_t kdl__volume(const int64_t sizes[3])
{
    return sizes[0] * sizes[1] * sizes[2];
}

/*
 * output (N, O, ...) = input (N, C, ...) * weight (O, C / groups, ...) + bias (O) or NULL: each sample
 * as a matrix of its windows, which is then multiplied. `shape` is the output's.
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

/*
 * The largest element of each window (NaN wins), and where it lies in its plane (i64), in tensors of
 * `shape`; the padding counts as -inf. Planes are what dimensions before the spatial ones make up.
 */
kdl_status kdl__compute_max_pool(kdl_tensor *input, const kdl__window *window, kdl_shape shape,
                                 kdl_tensor **values, kdl_tensor **indices);
kdl_tensor *kdl__compute_max_pool_grad(kdl_tensor *grad, kdl_tensor *indices, kdl_shape shape,
                                       int64_t input_volume);

/* How an average divides: by the kernel's volume with padding or without, or by `divisor`. */
typedef struct kdl__average {
    bool count_include_pad;
    int64_t divisor;   /* 0: none given */
    int64_t behind[3]; /* padding after the last element */
    bool adaptive;     /* windows from floor(i in / out) to ceil((i + 1) in / out) */
} kdl__average;

kdl_tensor *kdl__compute_avg_pool(kdl_tensor *input, const kdl__window *window,
                                  const kdl__average *average, kdl_shape shape);
kdl_tensor *kdl__compute_avg_pool_grad(kdl_tensor *grad, const kdl__window *window,
                                       const kdl__average *average, kdl_shape shape);

#endif
