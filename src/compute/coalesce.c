/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse gradients: rows by their numbers, each once. */
#include "compute/coalesce.h"

#include <stdlib.h>
#include <string.h>

#include "compute/table.h"

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The distinct numbers, rising, in the first of *count places. */
static void make_unique(int64_t *numbers, int64_t *count)
{
    int64_t kept = 0;
    qsort(numbers, (size_t)*count, sizeof *numbers, compare);
    for (int64_t i = 0; i < *count; i++)
        if (i == 0 || numbers[i] != numbers[i - 1])
            numbers[kept++] = numbers[i];
    *count = kept;
}

/* For each row its place among the distinct ones. */
static void find_places(const int64_t *rows, int64_t count, const int64_t *unique, int64_t kinds,
                        int64_t *places)
{
    for (int64_t i = 0; i < count; i++)
        places[i] =
            (const int64_t *)bsearch(&rows[i], unique, (size_t)kinds, sizeof *unique, compare) -
            unique;
}

kdl_status kdl__coalesce(kdl_tensor *rows, kdl_tensor *values, kdl_tensor **unique_rows,
                         kdl_tensor **sums)
{
    kdl_context *ctx = rows->ctx;
    int64_t count = rows->numel, kinds = count;
    const int64_t *given = kdl_tensor_data(rows);
    kdl_tensor *places = kdl__new_values(ctx, KDL_I64, 1, &count);
    *unique_rows = *sums = NULL;
    if (given && places) {
        int64_t *sorted = places->storage->data;
        memcpy(sorted, given, (size_t)count * sizeof *given);
        make_unique(sorted, &kinds);
        kdl_shape shape = kdl_tensor_shape(values);
        shape.sizes[0] = kinds;
        *unique_rows = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(kinds), sorted);
        *sums = kdl__new_values(ctx, values->storage->dtype, shape.ndim, shape.sizes);
    }
    if (*unique_rows && *sums) {
        int64_t *place = places->storage->data;
        find_places(given, count, kdl_tensor_data(*unique_rows), kinds, place);
        memset((*sums)->storage->data, 0, kdl_tensor_nbytes(*sums));
        kdl__add_rows(*sums, values, &(kdl__row_sum){ place, NULL, NULL, count, -1 });
    }
    kdl_tensor_release(places);
    return ctx->status;
}
