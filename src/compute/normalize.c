/* SPDX-License-Identifier: Apache-2.0 */
/* Normalising rows. Means and variances are summed in double. */
#include <math.h>

#include "compute/normalize.h"

/* Every element of row `r`: BODY with `at` as its index. */
#define EACH_OF_ROW(r, BODY)                                                                       \
    for (int64_t o_ = 0; o_ < rows->outer; o_++)                                                   \
        for (int64_t at = (o_ * rows->rows + (r)) * rows->inner, end_ = at + rows->inner;          \
             at < end_; at++)                                                                      \
    BODY

#define DEFINE_NORMALIZE(name, type)                                                               \
    static void name(const kdl__rows *rows, int64_t r, const type *in, type *out,                  \
                     const kdl__moments *moments)                                                  \
    {                                                                                              \
        double count = (double)(rows->outer * rows->inner), mean = 0, squares = 0;                 \
        if (rows->centered)                                                                        \
            EACH_OF_ROW(r, mean += in[at];)                                                        \
        mean /= count;                                                                             \
        EACH_OF_ROW(r, squares += (in[at] - mean) * (in[at] - mean);)                              \
        double variance = squares / count, scale = 1 / sqrt(variance + rows->eps);                 \
        EACH_OF_ROW(r, out[at] = (type)((in[at] - mean) * scale);)                                 \
        moments->mean[r] = mean;                                                                   \
        moments->variance[r] = variance;                                                           \
    }                                                                                              \
    static void name##_grad(const kdl__rows *rows, int64_t r, const type *grad,                    \
                            const type *result, type *out, double variance)                        \
    {                                                                                              \
        double count = (double)(rows->outer * rows->inner), mean = 0, product = 0;                 \
        EACH_OF_ROW(r, {                                                                           \
            mean += grad[at];                                                                      \
            product += (double)grad[at] * result[at];                                              \
        })                                                                                         \
        mean = rows->centered ? mean / count : 0;                                                  \
        product /= count;                                                                          \
        double scale = 1 / sqrt(variance + rows->eps);                                             \
        EACH_OF_ROW(r, out[at] = (type)((grad[at] - mean - result[at] * product) * scale);)        \
    }
DEFINE_NORMALIZE(normalize_f32, float)
DEFINE_NORMALIZE(normalize_f64, double)

kdl_tensor *kdl__compute_normalize(kdl_tensor *input, const kdl__rows *rows,
                                   const kdl__moments *moments)
{
    kdl_tensor *result =
        kdl__new_values(input->ctx, input->storage->dtype, input->ndim, input->dims);
    for (int64_t r = 0; result && r < rows->rows; r++) {
        if (kdl__float_index(input))
            normalize_f64(rows, r, (const double *)input->storage->data + input->offset,
                          result->storage->data, moments);
        else
            normalize_f32(rows, r, (const float *)input->storage->data + input->offset,
                          result->storage->data, moments);
    }
    return result;
}

kdl_tensor *kdl__compute_normalize_grad(kdl_tensor *grad, kdl_tensor *result, const kdl__rows *rows,
                                        const double *variance)
{
    kdl_tensor *out = kdl__new_values(grad->ctx, grad->storage->dtype, grad->ndim, grad->dims);
    for (int64_t r = 0; out && r < rows->rows; r++) {
        if (kdl__float_index(grad))
            normalize_f64_grad(rows, r, (const double *)grad->storage->data + grad->offset,
                               (const double *)result->storage->data + result->offset,
                               out->storage->data, variance[r]);
        else
            normalize_f32_grad(rows, r, (const float *)grad->storage->data + grad->offset,
                               (const float *)result->storage->data + result->offset,
                               out->storage->data, variance[r]);
    }
    return out;
}
