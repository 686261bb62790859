/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by indices and masks, and tensors in parts. */
#include <string.h>

#include "autograd/function.h"
#include "compute/gather.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- by places --------------------------------------------------------------------------- */

/* saved: the places; integers: the run. */
static void gather_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *input = &function->edges[0];
    kdl_shape shape = { .ndim = input->ndim };
    memcpy(shape.sizes, input->sizes, (size_t)input->ndim * sizeof *shape.sizes);
    kdl_tensor *places = kdl__saved_value(function, 0), *wide = NULL;
    if (places) /* f16 and bf16 are summed in f32 */
        wide = kdl_to(grad, grad->storage->dtype == KDL_F64 ? KDL_F64 : KDL_F32);
    if (wide)
        kdl__give(function, 0, kdl__add_runs(wide, places, function->integers[0], shape));
    kdl_tensor_release(wide);
}

static const kdl__function_class gather_class = { "GatherBackward0", gather_backward };
static const kdl__function_class index_select_class = { "IndexSelectBackward0", gather_backward };
static const kdl__function_class masked_select_class = { "MaskedSelectBackward0", gather_backward };

/* The elements of x (row-major) at `places`, recorded. Consumes `places`; NULL: an error stands. */
static kdl_tensor *gathered(kdl_tensor *x, kdl_tensor *places, int64_t run, kdl_shape shape,
                            const kdl__function_class *class)
{
    kdl_tensor *result = places ? kdl__take_runs(x, places, run, shape) : NULL;
    kdl__function *function = kdl__record(result, class, 1, x);
    if (function)
        function->integers[0] = run;
    kdl__save(function, 0, places);
    kdl_tensor_release(places);
    return result;
}

/* ---- gather, index_select ------------------------------------------------------------------ */

static bool check_index_dtype(const kdl_tensor *index, const char *place)
{
    if (index->storage->dtype == KDL_I64)
        return true;
    kdl__fail_at(index->ctx, place, KDL_ERROR_RUNTIME, "expected an index of int64, not of %s",
                 kdl_dtype_name(index->storage->dtype));
    return false;
}

static bool check_bounds(const kdl_tensor *index, const int64_t *values, int dim, int64_t size,
                         const char *place)
{
    for (int64_t i = 0; i < index->numel; i++) {
        if (values[i] < 0 || values[i] >= size) {
            kdl__fail_at(index->ctx, place, KDL_ERROR_INDEX,
                         "index %" PRId64 " is out of bounds for dimension %d with size %" PRId64,
                         values[i], dim, size);
            return false;
        }
    }
    return true;
}

static bool check_gather(const kdl_tensor *x, const kdl_tensor *index, int dim)
{
    const char *place = "kdl_gather";
    int own = x->ndim ? x->ndim : 1, other = index->ndim ? index->ndim : 1;
    if (own != other) {
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "Index tensor must have the same number of dimensions as input tensor");
        return false;
    }
    for (int d = 0; d < index->ndim && d < x->ndim; d++) {
        if (d != dim && index->dims[d] > x->dims[d]) {
            kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                         "Size does not match at dimension %d expected index %s to be no larger "
                         "than self %s apart from dimension %d",
                         d, kdl__shape_text(index->ndim, index->dims).chars,
                         kdl__shape_text(x->ndim, x->dims).chars, dim);
            return false;
        }
    }
    return check_index_dtype(index, place);
}

/* Where gather() finds each element, in a row-major tensor of the input's sizes. */
static kdl_tensor *gather_places(const kdl_tensor *x, kdl_tensor *index, int dim)
{
    const int64_t *values = kdl_tensor_data(index);
    int64_t size = x->ndim ? x->dims[dim] : 1;
    if (!values || !check_bounds(index, values, dim, size, "kdl_gather"))
        return NULL;
    kdl_tensor *places = kdl__new_values(x->ctx, KDL_I64, index->ndim, index->dims);
    int64_t *place = places ? places->storage->data : NULL;
    for (int64_t i = 0; place && i < index->numel; i++) {
        int64_t rest = i, stride = 1;
        place[i] = 0;
        for (int d = x->ndim - 1; d >= 0 && index->ndim > 0; d--) {
            int64_t at = rest % index->dims[d];
            rest /= index->dims[d];
            place[i] += (d == dim ? values[i] : at) * stride;
            stride *= x->dims[d];
        }
    }
    return places;
}

/* A dimension of the tensor, or -1 with IndexError; 0 or -1 of one without dimensions: 0. */
static int dimension(const kdl_tensor *tensor, int dim)
{
    return kdl__wrap_dim(tensor->ctx, dim, tensor->ndim ? tensor->ndim : 1);
}

kdl_tensor *kdl_gather(kdl_tensor *tensor, int dim, kdl_tensor *index)
{
    kdl_tensor *both[] = { tensor, index };
    if (!kdl__usable(__func__, 2, both) || (dim = dimension(tensor, dim)) < 0 ||
        !check_gather(tensor, index, dim))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_contiguous(tensor));
    kdl_tensor *rows = kdl__hold(&scope, kdl_contiguous(index)), *result = NULL;
    if (x && rows)
        result = gathered(x, gather_places(x, rows, dim), 1, kdl_tensor_shape(rows), &gather_class);
    return kdl__close(&scope, result);
}

/* Where the runs begin, of x as (outer, size, run) by its middle dimension. */
static kdl_tensor *select_places(const kdl_tensor *x, kdl_tensor *index, int dim, int64_t run)
{
    const int64_t *values = kdl_tensor_data(index);
    int64_t size = x->ndim ? x->dims[dim] : 1, outer = 1;
    if (!values || !check_bounds(index, values, dim, size, "kdl_index_select"))
        return NULL;
    for (int d = 0; d < dim; d++)
        outer *= x->dims[d];
    kdl_tensor *places = kdl__new_values(x->ctx, KDL_I64, 2, (int64_t[]){ outer, index->numel });
    int64_t *place = places ? places->storage->data : NULL;
    for (int64_t o = 0; place && o < outer; o++)
        for (int64_t i = 0; i < index->numel; i++)
            *place++ = (o * size + values[i]) * run;
    return places;
}

kdl_tensor *kdl_index_select(kdl_tensor *tensor, int dim, kdl_tensor *index)
{
    kdl_tensor *both[] = { tensor, index };
    if (!kdl__usable(__func__, 2, both) || (dim = dimension(tensor, dim)) < 0)
        return NULL;
    if (index->ndim > 1) {
        kdl__fail(tensor->ctx, KDL_ERROR_INDEX, "index_select(): Index is supposed to be a vector");
        return NULL;
    }
    if (!check_index_dtype(index, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_contiguous(tensor));
    kdl_tensor *rows = kdl__hold(&scope, kdl_contiguous(index)), *result = NULL;
    kdl_shape shape = kdl_tensor_shape(tensor);
    int64_t run = 1;
    for (int d = dim + 1; d < shape.ndim; d++)
        run *= shape.sizes[d];
    if (shape.ndim)
        shape.sizes[dim] = index->numel;
    if (x && rows)
        result = gathered(x, select_places(x, rows, dim, run), run, shape, &index_select_class);
    return kdl__close(&scope, result);
}

/* ---- masks ------------------------------------------------------------------------------- */

static bool check_mask(const kdl_tensor *mask, const char *place)
{
    if (mask->storage->dtype == KDL_BOOL)
        return true;
    kdl__fail_at(mask->ctx, place, KDL_ERROR_RUNTIME, "%s: expected BoolTensor for mask",
                 place + sizeof "kdl_" - 1);
    return false;
}

/* Where a mask (row-major) is true. */
static kdl_tensor *true_places(kdl_tensor *mask)
{
    const unsigned char *values = kdl_tensor_data(mask);
    int64_t count = 0;
    for (int64_t i = 0; values && i < mask->numel; i++)
        count += values[i] != 0;
    kdl_tensor *places = values ? kdl__new_values(mask->ctx, KDL_I64, 1, &count) : NULL;
    int64_t *place = places ? places->storage->data : NULL;
    for (int64_t i = 0; place && i < mask->numel; i++)
        if (values[i])
            *place++ = i;
    return places;
}

kdl_tensor *kdl_masked_select(kdl_tensor *tensor, kdl_tensor *mask)
{
    kdl_tensor *both[] = { tensor, mask };
    if (!kdl__usable(__func__, 2, both) || !check_mask(mask, __func__))
        return NULL;
    kdl_shape shape = kdl_tensor_shape(tensor);
    if (!kdl__broadcast(tensor->ctx, &shape, mask))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_expand(tensor, shape)), *result = NULL;
    kdl_tensor *wide = kdl__hold(&scope, kdl_expand(mask, shape));
    x = kdl__hold(&scope, kdl_contiguous(x));
    kdl_tensor *rows = kdl__hold(&scope, kdl_contiguous(wide));
    kdl_tensor *places = rows ? true_places(rows) : NULL;
    if (x && places)
        result = gathered(x, places, 1, KDL_SHAPE(places->numel), &masked_select_class);
    else
        kdl_tensor_release(places);
    return kdl__close(&scope, result);
}

kdl_tensor *kdl_masked_fill(kdl_tensor *tensor, kdl_tensor *mask, double value)
{
    kdl_tensor *both[] = { tensor, mask };
    if (!kdl__usable(__func__, 2, both) || !check_mask(mask, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *number = kdl__hold(
        &scope, kdl_full(tensor->ctx, KDL_SCALAR_SHAPE, value, .dtype = tensor->storage->dtype));
    return kdl__close(&scope, kdl_where(mask, number, tensor));
}

/* ---- parts ------------------------------------------------------------------------------- */

int kdl_split(kdl_tensor *tensor, int64_t split_size, int dim, kdl_tensor **parts, int room)
{
    if (kdl__refuses(tensor))
        return 0;
    kdl_context *ctx = tensor->ctx;
    if (tensor->ndim == 0)
        kdl__fail(ctx, KDL_ERROR_RUNTIME, "split expects at least a 1-dimensional tensor");
    else if ((dim = kdl__wrap_dim(ctx, dim, tensor->ndim)) < 0)
        return 0;
    else if (split_size < 1 && !(split_size == 0 && tensor->dims[dim] == 0))
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "split expects split_size be non-negative, but got split_size=%" PRId64,
                  split_size);
    if (kdl__failed(ctx))
        return 0;
    int64_t size = tensor->dims[dim];
    int64_t count = size && split_size ? (size + split_size - 1) / split_size : 1;
    if (count > room) {
        kdl__fail(ctx, KDL_ERROR_VALUE, "there is room for %d parts of %" PRId64, room, count);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        int64_t start = i * split_size, rest = size - start;
        parts[i] = kdl_narrow(tensor, dim, start, rest < split_size ? rest : split_size);
    }
    for (int i = 0; i < count && kdl__failed(ctx); i++) {
        kdl_tensor_release(parts[i]);
        parts[i] = NULL;
    }
    return kdl__failed(ctx) ? 0 : (int)count;
}

int kdl_chunk(kdl_tensor *tensor, int64_t chunks, int dim, kdl_tensor **parts, int room)
{
    if (kdl__refuses(tensor))
        return 0;
    if (chunks < 1) {
        kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                  "chunk expects `chunks` to be greater than 0, got: %" PRId64, chunks);
        return 0;
    }
    int wrapped = tensor->ndim ? kdl__wrap_dim(tensor->ctx, dim, tensor->ndim) : 0;
    if (wrapped < 0)
        return 0;
    int64_t size = tensor->ndim ? tensor->dims[wrapped] : 0;
    return kdl_split(tensor, size ? (size + chunks - 1) / chunks : 1, dim, parts, room);
}
