/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by their places: the way every function that indexes goes, and the way back. */
#ifndef KDL_SRC_COMPUTE_GATHER_H
#define KDL_SRC_COMPUTE_GATHER_H

#include "compute/compute.h"

/*
 * A row-major tensor of `shape` made of runs of `run` elements of `tensor` (row-major, any dtype):
 * the i-th begins at its element places[i] (i64, row-major).
 */
kdl_tensor *kdl__take_runs(kdl_tensor *tensor, kdl_tensor *places, int64_t run, kdl_shape shape);
/*
 * Zeros of `shape` to which the runs of `grad` (f32 or f64) are added at their places, in order, so
 * that the sums are the same on every run.
 */
kdl_tensor *kdl__add_runs(kdl_tensor *grad, kdl_tensor *places, int64_t run, kdl_shape shape);
/*
 * Writes the runs of `source` over those at the places in `target`, or adds them (f32 or f64), in
 * order. Both are row-major, in memory and of one dtype.
 */
void kdl__put_runs(kdl_tensor *target, kdl_tensor *places, int64_t run, kdl_tensor *source,
                   bool add);

#endif
