/* SPDX-License-Identifier: Apache-2.0 */
/* What attention has between its two products: scores, masked, made probabilities; f32 and f64. */
#ifndef KDL_SRC_COMPUTE_SCORES_H
#define KDL_SRC_COMPUTE_SCORES_H

#include "compute/compute.h"

/* What becomes of scores (..., L, S) before their softmax. */
typedef struct kdl__masking {
    kdl_tensor *mask; /* broadcast to the scores: bool (true stays) or added; NULL: none */
    bool causal;      /* element (l, s) stays for s <= l only */
    bool safe;        /* a row of which nothing stays becomes 0, not NaN */
} kdl__masking;

/* Scores (row-major) become the softmax of their rows, in place. */
kdl_status kdl__compute_attention(kdl_tensor *scores, const kdl__masking *masking);
/* The scores' gradient from that of the probabilities: p (g - sum(g p)) in each row. */
kdl_tensor *kdl__compute_attention_grad(kdl_tensor *grad, kdl_tensor *probabilities);

#endif
