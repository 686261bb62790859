/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sampling at places that a grid gives (torch.nn.functional.grid_sample): each element is a
 * weighted sum of elements around its place, and the weights are products of one for each
 * dimension.
 */
#ifndef KDL_SRC_COMPUTE_SAMPLE_H
#define KDL_SRC_COMPUTE_SAMPLE_H

#include "compute/compute.h"

typedef enum kdl__sample_mode {
    KDL__SAMPLE_BILINEAR,
    KDL__SAMPLE_NEAREST,
    KDL__SAMPLE_BICUBIC
} kdl__sample_mode;

typedef enum kdl__sample_padding {
    KDL__SAMPLE_ZEROS,
    KDL__SAMPLE_BORDER,
    KDL__SAMPLE_REFLECTION
} kdl__sample_padding;

typedef struct kdl__sampling {
    kdl__sample_mode mode;
    kdl__sample_padding padding;
    bool align_corners;
} kdl__sampling;

/*
 * Of input (N, C, ...) at grid (N, ..., 2 or 3), all row-major and of one dtype: (N, C, ...) with
 * the grid's sizes; no dimension of the input but N and C is empty.
 */
kdl_tensor *kdl__compute_grid_sample(const kdl__sampling *how, kdl_tensor *input, kdl_tensor *grid);
/* Adds to the gradients of input and grid, row-major tensors, of which either may be NULL. */
void kdl__compute_grid_sample_grad(const kdl__sampling *how, kdl_tensor *grad, kdl_tensor *input,
                                   kdl_tensor *grid, kdl_tensor *input_grad, kdl_tensor *grid_grad);

#endif
