/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two elements, with broadcasting. */
#include <math.h>

#include "compute/compute.h"

/* ---- the inner loops --------------------------------------------------------------------- */

/* Loops for operands that lie side by side, for a second one that is a single number, for others. */
#define DEFINE_LOOP(name, type, value)                                                             \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        const type alpha = (type) * (const double *)arguments;                                     \
        (void)alpha;                                                                               \
        type *out = (type *)data[0];                                                               \
        const type *left = (const type *)data[1], *right = (const type *)data[2];                  \
        bool flat = strides[0] == sizeof(type) && strides[1] == sizeof(type);                      \
        if (flat && strides[2] == sizeof(type)) {                                                  \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = left[i], b = right[i];                                              \
                out[i] = value;                                                                    \
            }                                                                                      \
        } else if (flat && strides[2] == 0) {                                                      \
            const type b = *right;                                                                 \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = left[i];                                                            \
                out[i] = value;                                                                    \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const type a = *(const type *)(data[1] + i * strides[1]);                          \
                const type b = *(const type *)(data[2] + i * strides[2]);                          \
                *(type *)(data[0] + i * strides[0]) = value;                                       \
            }                                                                                      \
        }                                                                                          \
    }
#define DEFINE_LOOPS(name, value_f32, value_f64)                                                   \
    DEFINE_LOOP(name##_f32, float, value_f32)                                                      \
    DEFINE_LOOP(name##_f64, double, value_f64)

DEFINE_LOOPS(add, a + alpha * b, a + alpha * b)
DEFINE_LOOPS(mul, a *b, a *b)
DEFINE_LOOPS(div, a / b, a / b)
DEFINE_LOOPS(power, powf(a, b), pow(a, b))
/* A NaN on either side is the result. */
DEFINE_LOOPS(maximum, a != a || a > b ? a : b, a != a || a > b ? a : b)
DEFINE_LOOPS(minimum, a != a || a < b ? a : b, a != a || a < b ? a : b)
DEFINE_LOOPS(equal, a == b, a == b)
DEFINE_LOOPS(less, a < b, a < b)

static kdl__inner_loop *const loops[KDL__BINARY_COUNT][2] = {
    [KDL__ADD] = { add_f32, add_f64 },
    [KDL__MUL] = { mul_f32, mul_f64 },
    [KDL__DIV] = { div_f32, div_f64 },
    [KDL__POW] = { power_f32, power_f64 },
    [KDL__MAXIMUM] = { maximum_f32, maximum_f64 },
    [KDL__MINIMUM] = { minimum_f32, minimum_f64 },
    [KDL__EQUAL] = { equal_f32, equal_f64 },
    [KDL__LESS] = { less_f32, less_f64 },
};

#define DEFINE_WHERE(name, type)                                                                   \
    static void name(const void *arguments, char *const *data, const int64_t *strides, int64_t n)  \
    {                                                                                              \
        (void)arguments;                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const bool chosen = *(const unsigned char *)(data[1] + i * strides[1]) != 0;           \
            const int operand = chosen ? 2 : 3;                                                    \
            *(type *)(data[0] + i * strides[0]) =                                                  \
                *(const type *)(data[operand] + i * strides[operand]);                             \
        }                                                                                          \
    }
DEFINE_WHERE(where_f32, float)
DEFINE_WHERE(where_f64, double)

/* ---- tensors ----------------------------------------------------------------------------- */

bool kdl__broadcast(kdl_context *ctx, kdl_shape *shape, const kdl_tensor *tensor)
{
    kdl_shape own = *shape;
    shape->ndim = own.ndim > tensor->ndim ? own.ndim : tensor->ndim;
    for (int d = shape->ndim - 1, i = own.ndim - 1, j = tensor->ndim - 1; d >= 0; d--, i--, j--) {
        int64_t a = i < 0 ? 1 : own.sizes[i], b = j < 0 ? 1 : tensor->dims[j];
        if (a != b && a != 1 && b != 1) {
            kdl__fail_at(ctx, "kdl_expand", KDL_ERROR_RUNTIME,
                         "The size of tensor a (%" PRId64 ") must match the size of tensor b "
                         "(%" PRId64 ") at non-singleton dimension %d",
                         a, b, d);
            return false;
        }
        shape->sizes[d] = a == 1 ? b : a;
    }
    return true;
}

kdl_tensor *kdl__compute_binary(kdl__binary function, kdl_tensor *a, kdl_tensor *b, double alpha)
{
    kdl_shape shape = kdl_tensor_shape(a);
    if (!kdl__broadcast(a->ctx, &shape, b))
        return NULL;
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, shape.ndim, shape.sizes);
    kdl_tensor *operands[] = { result, a, b };
    if (result)
        kdl__loop_run(operands, 3, loops[function][kdl__float_index(a)], &alpha);
    return result;
}

kdl_tensor *kdl__compute_where(kdl_tensor *mask, kdl_tensor *a, kdl_tensor *b)
{
    kdl_shape shape = kdl_tensor_shape(a);
    if (!kdl__broadcast(a->ctx, &shape, b) || !kdl__broadcast(a->ctx, &shape, mask))
        return NULL;
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, shape.ndim, shape.sizes);
    kdl_tensor *operands[] = { result, mask, a, b };
    if (result)
        kdl__loop_run(operands, 4, kdl__float_index(a) ? where_f64 : where_f32, NULL);
    return result;
}

kdl_status kdl__accumulate(kdl_tensor *target, kdl_tensor *source, double alpha)
{
    kdl_tensor *operands[] = { target, target, source };
    return kdl__loop_run(operands, 3, loops[KDL__ADD][kdl__float_index(target)], &alpha);
}
