/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: sort, argsort, topk. Places are found first; the values and their gradients are gather's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/lines.h"
#include "kindling/indexing.h"

/* An element by what it is ordered by, and its place in its line. */
typedef struct entry {
    int64_t key, index;
} entry;

/* Integers in the order of the numbers: -0 is 0, and a NaN is larger than any. */
static int64_t key_of(double value)
{
    int64_t bits;
    value += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return INT64_MAX;
    return bits < 0 ? INT64_MIN - bits : bits;
}

static int compare_keys(const entry *a, const entry *b)
{
    return (a->key > b->key) - (a->key < b->key);
}

/* Of equal ones the first comes first, whichever way they are ordered. */
static int upward(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare_keys(x, y);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int downward(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare_keys(y, x);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

typedef struct ordering {
    kdl__lines lines;
    kdl_tensor *tensor; /* row-major: of f64 or i64 */
    entry *entries;     /* of all lines */
    int64_t k, *places; /* k of each line, as in a tensor that has only those */
    int (*compare)(const void *, const void *);
} ordering;

static void order_lines(const void *data, int64_t first, int64_t last)
{
    const ordering *o = data;
    const kdl__lines *from = &o->lines, to = { o->k, from->inner, from->lines };
    const bool is_float = o->tensor->storage->dtype == KDL_F64;
    const char *values = (const char *)o->tensor->storage->data + o->tensor->offset * 8;
    for (int64_t line = first; line < last; line++) {
        entry *entries = o->entries + line * from->count;
        for (int64_t i = 0; i < from->count; i++) {
            int64_t place = kdl__line_place(from, line, i);
            entries[i].key = is_float ? key_of(((const double *)values)[place])
                                      : ((const int64_t *)values)[place];
            entries[i].index = i;
        }
        qsort(entries, (size_t)from->count, sizeof *entries, o->compare);
        for (int64_t i = 0; i < o->k; i++)
            o->places[kdl__line_place(&to, line, i)] = entries[i].index;
    }
}

/*
 * Where the first k of each line in order are: i64, row-major. A tensor without dimensions has one.
 */
static kdl_tensor *places_in_order(kdl_tensor *tensor, int dim, int64_t k, bool down)
{
    kdl_context *ctx = tensor->ctx;
    bool is_float = kdl_dtype_is_floating_point(tensor->storage->dtype);
    kdl_shape shape = kdl_tensor_shape(tensor);
    if (shape.ndim)
        shape.sizes[dim] = k;
    else
        k = 1;
    kdl_tensor *values = kdl__cast(kdl_detach(tensor), is_float ? KDL_F64 : KDL_I64);
    kdl_tensor *rows = kdl__in_rows(values);
    kdl_tensor_release(values);
    if (!rows)
        return NULL;
    ordering o = { .lines = kdl__lines_of(rows, dim),
                   .tensor = rows,
                   .k = k,
                   .compare = down ? downward : upward };
    o.entries = kdl__alloc(ctx, (size_t)rows->numel, sizeof *o.entries);
    kdl_tensor *result = o.entries ? kdl__new_values(ctx, KDL_I64, shape.ndim, shape.sizes) : NULL;
    if (result) {
        o.places = result->storage->data;
        kdl__run_ranges(ctx, o.lines.lines, o.lines.count * 8, order_lines, &o);
    }
    kdl_free(ctx, o.entries);
    kdl_tensor_release(rows);
    return result;
}

/* The elements at `places` (consumed), which *indices gets too unless it is NULL. */
static kdl_tensor *elements_at(kdl_tensor *tensor, int dim, kdl_tensor *places, const char *name,
                               kdl_tensor **indices)
{
    kdl_tensor *result = kdl__named(places ? kdl_gather(tensor, dim, places) : NULL, name);
    if (indices)
        *indices = result ? kdl_tensor_retain(places) : NULL;
    kdl_tensor_release(places);
    return result;
}

kdl_tensor *kdl_argsort(kdl_tensor *tensor, int dim, bool descending)
{
    if (kdl__refuses(tensor) || (dim = kdl__dim_of(tensor, dim)) < 0)
        return NULL;
    return places_in_order(tensor, dim, tensor->ndim ? tensor->dims[dim] : 1, descending);
}

kdl_tensor *kdl_sort(kdl_tensor *tensor, int dim, bool descending, kdl_tensor **indices)
{
    return elements_at(tensor, dim, kdl_argsort(tensor, dim, descending), "SortBackward1", indices);
}

kdl_tensor *kdl_topk(kdl_tensor *tensor, int64_t k, int dim, bool largest, kdl_tensor **indices)
{
    if (indices)
        *indices = NULL;
    if (kdl__refuses(tensor) || (dim = kdl__dim_of(tensor, dim)) < 0)
        return NULL;
    if (k < 0 || k > (tensor->ndim ? tensor->dims[dim] : 1)) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME, "selected index k out of range");
        return NULL;
    }
    return elements_at(tensor, dim, places_in_order(tensor, dim, k, largest), "TopkBackward0",
                       indices);
}
