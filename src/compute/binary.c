/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two elements, with broadcasting. */
#include "compute/compute.h"

#define KDL__LOOPS "compute/binary_loops.h"
#include "compute/loop_sets.h"

static kdl__inner_loop *const loops[KDL__BINARY_COUNT][KDL__LOOP_SETS] = {
    [KDL__ADD] = KDL__LOOP_SET(add),         [KDL__MUL] = KDL__LOOP_SET(mul),
    [KDL__DIV] = KDL__LOOP_SET(div),         [KDL__POW] = KDL__LOOP_SET(power),
    [KDL__MAXIMUM] = KDL__LOOP_SET(maximum), [KDL__MINIMUM] = KDL__LOOP_SET(minimum),
    [KDL__EQUAL] = KDL__LOOP_SET(equal),     [KDL__LESS] = KDL__LOOP_SET(less),
};

/* ---- tensors ----------------------------------------------------------------------------- */

bool kdl__broadcast_sizes(kdl_context *ctx, const char *place, kdl_shape *shape, int ndim,
                          const int64_t *sizes)
{
    kdl_shape own = *shape;
    shape->ndim = own.ndim > ndim ? own.ndim : ndim;
    for (int d = shape->ndim - 1, i = own.ndim - 1, j = ndim - 1; d >= 0; d--, i--, j--) {
        int64_t a = i < 0 ? 1 : own.sizes[i], b = j < 0 ? 1 : sizes[j];
        if (a != b && a != 1 && b != 1) {
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                         "The size of tensor a (%" PRId64 ") must match the size of tensor b "
                         "(%" PRId64 ") at non-singleton dimension %d",
                         a, b, d);
            return false;
        }
        shape->sizes[d] = a == 1 ? b : a;
    }
    return true;
}

bool kdl__broadcast(kdl_context *ctx, kdl_shape *shape, const kdl_tensor *tensor)
{
    return kdl__broadcast_sizes(ctx, "kdl_expand", shape, tensor->ndim, tensor->dims);
}

kdl_tensor *kdl__compute_binary(kdl__binary function, kdl_tensor *a, kdl_tensor *b, double alpha)
{
    kdl_shape shape = kdl_tensor_shape(a);
    if (!kdl__broadcast(a->ctx, &shape, b))
        return NULL;
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, shape.ndim, shape.sizes);
    kdl_tensor *operands[] = { result, a, b };
    if (result)
        kdl__loop_run(operands, 3, loops[function][kdl__loops_of(a)], &alpha);
    return result;
}

static void where_i64(const void *arguments, char *const *data, const int64_t *strides, int64_t n)
{
    (void)arguments;
    for (int64_t i = 0; i < n; i++) {
        int from = *(const unsigned char *)(data[1] + i * strides[1]) ? 2 : 3;
        *(int64_t *)(data[0] + i * strides[0]) = *(const int64_t *)(data[from] + i * strides[from]);
    }
}

kdl_tensor *kdl__compute_where(kdl_tensor *mask, kdl_tensor *a, kdl_tensor *b)
{
    kdl_shape shape = kdl_tensor_shape(mask);
    if (!kdl__broadcast(a->ctx, &shape, a) || !kdl__broadcast(a->ctx, &shape, b))
        return NULL;
    kdl_tensor *result = kdl__new_values(a->ctx, a->storage->dtype, shape.ndim, shape.sizes);
    kdl_tensor *operands[] = { result, mask, a, b };
    static kdl__inner_loop *const where_loops[] = KDL__LOOP_SET(where);
    if (result)
        kdl__loop_run(operands, 4,
                      a->storage->dtype == KDL_I64 ? where_i64 : where_loops[kdl__loops_of(a)],
                      NULL);
    return result;
}

kdl_status kdl__accumulate(kdl_tensor *target, kdl_tensor *source, double alpha)
{
    kdl_tensor *operands[] = { target, target, source };
    return kdl__loop_run(operands, 3, loops[KDL__ADD][kdl__loops_of(target)], &alpha);
}
