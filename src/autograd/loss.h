/* SPDX-License-Identifier: Apache-2.0 */
/* What the losses have in common. */
#ifndef KDL_SRC_AUTOGRAD_LOSS_H
#define KDL_SRC_AUTOGRAD_LOSS_H

#include "autograd/function.h"
#include "kindling/functional.h"

/* The losses made one as `reduction` says. Consumes them; NULL stays NULL. */
kdl_tensor *kdl__reduce_losses(kdl_tensor *losses, kdl_reduction reduction);

/* Whether both have the same sizes. */
bool kdl__same_sizes(const kdl_tensor *a, const kdl_tensor *b);

/*
 * Makes `losses`, one for each row of `x`, a function of it: `gradients` (of the sizes of x) are
 * those of each row's loss by its elements.
 */
void kdl__record_rows(kdl_tensor *losses, kdl_tensor *x, kdl_tensor *gradients);

/* max(0, margin + to_positive - to_negative), the last at most `between` (NULL: nothing). */
kdl_tensor *kdl__triplet_loss(kdl_tensor *to_positive, kdl_tensor *to_negative, kdl_tensor *between,
                              double margin, kdl_reduction reduction);
/* Whether a triplet loss can be computed of the three; PyTorch's errors. */
bool kdl__check_triplet(kdl_tensor *const *tensors, double margin, const char *place);

#endif
