/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by their places. */
#include "compute/gather.h"

#include <string.h>

kdl_tensor *kdl__take_runs(kdl_tensor *tensor, kdl_tensor *places, int64_t run, kdl_shape shape)
{
    kdl_dtype dtype = tensor->storage->dtype;
    kdl_tensor *result = kdl__new_values(tensor->ctx, dtype, shape.ndim, shape.sizes);
    const int64_t *place = kdl_tensor_data(places);
    const char *from = kdl_tensor_data(tensor);
    if (!result || !place || !from) {
        kdl_tensor_release(result);
        return NULL;
    }
    size_t size = kdl_dtype_nbytes(dtype), nbytes = (size_t)run * size;
    char *to = result->storage->data;
    for (int64_t i = 0; i < places->numel; i++)
        memcpy(to + (size_t)i * nbytes, from + (size_t)place[i] * size, nbytes);
    return result;
}

#define DEFINE_ADD(name, type)                                                                     \
    static void name(const int64_t *place, int64_t count, int64_t run, const void *grad,           \
                     void *result)                                                                 \
    {                                                                                              \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const type *from = (const type *)grad + i * run;                                       \
            type *to = (type *)result + place[i];                                                  \
            for (int64_t k = 0; k < run; k++)                                                      \
                to[k] += from[k];                                                                  \
        }                                                                                          \
    }
DEFINE_ADD(add_f32, float)
DEFINE_ADD(add_f64, double)

static void write_runs(const int64_t *place, int64_t count, size_t nbytes, size_t size,
                       const char *from, char *to)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(to + (size_t)place[i] * size, from + (size_t)i * nbytes, nbytes);
}

void kdl__put_runs(kdl_tensor *target, kdl_tensor *places, int64_t run, kdl_tensor *source,
                   bool add)
{
    size_t size = kdl_dtype_nbytes(source->storage->dtype);
    const int64_t *place = places->storage->data;
    const char *from = (const char *)source->storage->data + (size_t)source->offset * size;
    char *to = (char *)target->storage->data + (size_t)target->offset * size;
    if (add)
        (kdl__float_index(source) ? add_f64 : add_f32)(place, places->numel, run, from, to);
    else
        write_runs(place, places->numel, (size_t)run * size, size, from, to);
}

kdl_tensor *kdl__add_runs(kdl_tensor *grad, kdl_tensor *places, int64_t run, kdl_shape shape)
{
    kdl_tensor *rows = kdl_contiguous(grad), *result = NULL;
    if (kdl_tensor_data(places) && rows && kdl_tensor_data(rows))
        result = kdl__new_values(grad->ctx, grad->storage->dtype, shape.ndim, shape.sizes);
    if (result) {
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
        kdl__put_runs(result, places, run, rows, true);
    }
    kdl_tensor_release(rows);
    return result;
}
