/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table by their numbers: added to, put together in bags, kept short. f32 and f64. */
#ifndef KDL_SRC_COMPUTE_TABLE_H
#define KDL_SRC_COMPUTE_TABLE_H

#include "compute/compute.h"

/* Indices in bags: bag b has [begins[b], begins[b + 1]); those equal to `padding` do not count. */
typedef struct kdl__bags {
    const int64_t *indices, *begins;
    int64_t count; /* of bags */
    int64_t padding;
} kdl__bags;

/* table[indices[i]] += scales[i] * rows[places[i]], in the order of i; places NULL: i itself. */
typedef struct kdl__row_sum {
    const int64_t *indices, *places;
    const double *scales; /* NULL: 1 */
    int64_t count, padding;
} kdl__row_sum;
void kdl__add_rows(kdl_tensor *table, kdl_tensor *rows, const kdl__row_sum *sum);

/* Each bag's sum of rows, each times its weight (NULL: 1), divided by their number if `mean`. */
void kdl__sum_bags(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *weights, bool mean,
                   kdl_tensor *result);
/* The largest elements of each bag's rows, and in which row of the table they are (-1: in none). */
void kdl__max_bags(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *result, int64_t *rows);
/* table[rows[i]] += grad[i], element by element of rows; the gradient of the former. */
void kdl__max_bags_grad(kdl_tensor *table, kdl_tensor *grad, const int64_t *rows);
/* The gradient of a weight: the product of its bag's gradient and its row; 0 for padding. */
void kdl__bag_weights_grad(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *grad,
                           kdl_tensor *result);

/*
 * Scales those rows of a table (in memory, any strides) whose norm is larger than `max_norm` down
 * to it, each once. Gives false when memory runs out.
 */
bool kdl__shorten_rows(kdl_tensor *table, const int64_t *indices, int64_t count, double max_norm,
                       double norm_type);

#endif
