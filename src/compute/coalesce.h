/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse gradients: rows by their numbers, each once. */
#ifndef KDL_SRC_COMPUTE_COALESCE_H
#define KDL_SRC_COMPUTE_COALESCE_H

#include "compute/compute.h"

/*
 * Rows (n), i64, and their values (n, ...), of which those of one row are added up, in order: new
 * tensors, one reference each, the rows rising.
 */
kdl_status kdl__coalesce(kdl_tensor *rows, kdl_tensor *values, kdl_tensor **unique_rows,
                         kdl_tensor **sums);

#endif
