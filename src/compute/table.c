/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables. One thread, and in the order of the indices: the same sums on every run. */
#include "compute/table.h"

#include <math.h>

/* What bags have in common: BODY for each index i of bag b, `row` being its row of the table. */
#define EACH_IN_BAG(type, bags, BODY)                                                              \
    for (int64_t i = (bags)->begins[b]; i < (bags)->begins[b + 1]; i++) {                          \
        const type *row = from + (bags)->indices[i] * width;                                       \
        if ((bags)->indices[i] == (bags)->padding)                                                 \
            continue;                                                                              \
        BODY                                                                                       \
    }

#define DEFINE_TABLE(suffix, type)                                                                 \
    static void add_rows_##suffix(type *table, const type *rows, int64_t width,                    \
                                  const kdl__row_sum *sum)                                         \
    {                                                                                              \
        for (int64_t i = 0; i < sum->count; i++) {                                                 \
            type *restrict to = table + sum->indices[i] * width;                                   \
            const type *restrict from = rows + (sum->places ? sum->places[i] : i) * width;         \
            const type scale = sum->scales ? (type)sum->scales[i] : 1;                             \
            for (int64_t k = 0; k < width && sum->indices[i] != sum->padding; k++)                 \
                to[k] += scale * from[k];                                                          \
        }                                                                                          \
    }                                                                                              \
    static void sum_bags_##suffix(const type *from, int64_t width, const kdl__bags *bags,          \
                                  const type *weights, bool mean, type *restrict out)              \
    {                                                                                              \
        for (int64_t b = 0; b < bags->count; b++, out += width) {                                  \
            int64_t counted = 0;                                                                   \
            for (int64_t k = 0; k < width; k++)                                                    \
                out[k] = 0;                                                                        \
            EACH_IN_BAG(type, bags, {                                                              \
                const type weight = weights ? weights[i] : 1;                                      \
                counted++;                                                                         \
                for (int64_t k = 0; k < width; k++)                                                \
                    out[k] += weight * row[k];                                                     \
            })                                                                                     \
            for (int64_t k = 0; mean && counted > 0 && k < width; k++)                             \
                out[k] /= (type)counted;                                                           \
        }                                                                                          \
    }                                                                                              \
    static void max_bags_##suffix(const type *from, int64_t width, const kdl__bags *bags,          \
                                  type *out, int64_t *rows)                                        \
    {                                                                                              \
        for (int64_t b = 0; b < bags->count; b++, out += width, rows += width) {                   \
            for (int64_t k = 0; k < width; k++) {                                                  \
                out[k] = 0;                                                                        \
                rows[k] = -1;                                                                      \
            }                                                                                      \
            EACH_IN_BAG(type, bags, {                                                              \
                for (int64_t k = 0; k < width; k++) {                                              \
                    if (rows[k] >= 0 && !(row[k] > out[k]))                                        \
                        continue;                                                                  \
                    out[k] = row[k];                                                               \
                    rows[k] = bags->indices[i];                                                    \
                }                                                                                  \
            })                                                                                     \
        }                                                                                          \
    }                                                                                              \
    static void max_bags_grad_##suffix(type *table, const type *grad, int64_t width,               \
                                       int64_t numel, const int64_t *rows)                         \
    {                                                                                              \
        for (int64_t i = 0; i < numel; i++)                                                        \
            if (rows[i] >= 0)                                                                      \
                table[rows[i] * width + i % width] += grad[i];                                     \
    }                                                                                              \
    static void bag_weights_grad_##suffix(const type *from, int64_t width, const kdl__bags *bags,  \
                                          const type *grad, type *out)                             \
    {                                                                                              \
        for (int64_t b = 0; b < bags->count; b++, grad += width) {                                 \
            for (int64_t i = bags->begins[b]; i < bags->begins[b + 1]; i++)                        \
                out[i] = 0;                                                                        \
            EACH_IN_BAG(type, bags, {                                                              \
                double sum = 0;                                                                    \
                for (int64_t k = 0; k < width; k++)                                                \
                    sum += (double)grad[k] * (double)row[k];                                       \
                out[i] = (type)sum;                                                                \
            })                                                                                     \
        }                                                                                          \
    }                                                                                              \
    static void shorten_row_##suffix(type *row, int64_t width, int64_t stride, double max_norm,    \
                                     double norm_type)                                             \
    {                                                                                              \
        double norm = 0;                                                                           \
        for (int64_t k = 0; k < width; k++) {                                                      \
            double size = fabs((double)row[k * stride]);                                           \
            if (isinf(norm_type))                                                                  \
                norm = size > norm ? size : norm;                                                  \
            else                                                                                   \
                norm += pow(size, norm_type);                                                      \
        }                                                                                          \
        norm = isinf(norm_type) ? norm : pow(norm, 1 / norm_type);                                 \
        for (int64_t k = 0; norm > max_norm && k < width; k++)                                     \
            row[k * stride] *= (type)(max_norm / (norm + 1e-7));                                   \
    }
DEFINE_TABLE(f32, float)
DEFINE_TABLE(f64, double)

/* A tensor's elements; all tensors but a table to be shortened are row-major and in memory. */
static void *values_of(const kdl_tensor *tensor)
{
    if (!tensor)
        return NULL;
    return (char *)tensor->storage->data +
           (size_t)tensor->offset * kdl_dtype_nbytes(tensor->storage->dtype);
}

/* The function of the table's type. */
#define CALL(table, name, ...)                                                                     \
    (kdl__float_index(table) ? name##_f64(__VA_ARGS__) : name##_f32(__VA_ARGS__))

void kdl__add_rows(kdl_tensor *table, kdl_tensor *rows, const kdl__row_sum *sum)
{
    CALL(table, add_rows, values_of(table), values_of(rows), table->dims[1], sum);
}

void kdl__sum_bags(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *weights, bool mean,
                   kdl_tensor *result)
{
    CALL(table, sum_bags, values_of(table), table->dims[1], bags, values_of(weights), mean,
         values_of(result));
}

void kdl__max_bags(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *result, int64_t *rows)
{
    CALL(table, max_bags, values_of(table), table->dims[1], bags, values_of(result), rows);
}

void kdl__max_bags_grad(kdl_tensor *table, kdl_tensor *grad, const int64_t *rows)
{
    CALL(table, max_bags_grad, values_of(table), values_of(grad), table->dims[1], grad->numel,
         rows);
}

void kdl__bag_weights_grad(kdl_tensor *table, const kdl__bags *bags, kdl_tensor *grad,
                           kdl_tensor *result)
{
    CALL(table, bag_weights_grad, values_of(table), table->dims[1], bags, values_of(grad),
         values_of(result));
}

bool kdl__shorten_rows(kdl_tensor *table, const int64_t *indices, int64_t count, double max_norm,
                       double norm_type)
{
    bool *done = kdl__alloc_zeroed(table->ctx, (size_t)table->dims[0], sizeof *done);
    for (int64_t i = 0; done && i < count; i++) {
        int64_t first = indices[i] * table->strides[0];
        if (done[indices[i]])
            continue;
        done[indices[i]] = true;
        if (kdl__float_index(table))
            shorten_row_f64((double *)values_of(table) + first, table->dims[1], table->strides[1],
                            max_norm, norm_type);
        else
            shorten_row_f32((float *)values_of(table) + first, table->dims[1], table->strides[1],
                            max_norm, norm_type);
    }
    bool enough = done;
    kdl_free(table->ctx, done);
    return enough;
}
