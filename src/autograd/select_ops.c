/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by indices and masks, put in their places and tensors in parts. */
#include <string.h>

#include "autograd/lines.h"
#include "compute/gather.h"
#include "kindling/indexing.h"
#include "kindling/math.h"
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
    if (index->storage->dtype == KDL_I64 || index->storage->dtype == KDL_I32)
        return true;
    kdl__fail_at(index->ctx, place, KDL_ERROR_RUNTIME, "%s(): Expected dtype %s for index",
                 place + sizeof "kdl_" - 1,
                 strcmp(place, "kdl_index_select") == 0 ? "int32 or int64" : "int32/int64");
    return false;
}

/* An index as i64, row-major. One reference. */
static kdl_tensor *index_rows(kdl_tensor *index)
{
    kdl__scope scope = { 0 };
    return kdl__close(&scope, kdl_contiguous(kdl__hold(&scope, kdl_to(index, KDL_I64))));
}

/* As PyTorch: RuntimeError of gather() and scatter(), IndexError where an index is a vector. */
static bool check_bounds(const kdl_tensor *index, const int64_t *values, int dim, int64_t size,
                         kdl_status status, const char *place)
{
    for (int64_t i = 0; i < index->numel; i++) {
        if (values[i] < 0 || values[i] >= size) {
            kdl__fail_at(index->ctx, place, status,
                         "index %" PRId64 " is out of bounds for dimension %d with size %" PRId64,
                         values[i], dim, size);
            return false;
        }
    }
    return true;
}

static bool check_gather(const kdl_tensor *x, const kdl_tensor *index, int dim, const char *place)
{
    int own = x->ndim ? x->ndim : 1, other = index->ndim ? index->ndim : 1;
    if (own != other) {
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "Index tensor must have the same number of dimensions as %s tensor",
                     strcmp(place, "kdl_gather") == 0 ? "input" : "self");
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
static kdl_tensor *gather_places(const kdl_tensor *x, kdl_tensor *index, int dim, const char *what)
{
    const int64_t *values = kdl_tensor_data(index);
    int64_t size = x->ndim ? x->dims[dim] : 1;
    if (!values || !check_bounds(index, values, dim, size, KDL_ERROR_RUNTIME, what))
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

kdl_tensor *kdl_gather(kdl_tensor *tensor, int dim, kdl_tensor *index)
{
    kdl_tensor *both[] = { tensor, index };
    if (!kdl__usable(__func__, 2, both) || (dim = kdl__dim_of(tensor, dim)) < 0 ||
        !check_gather(tensor, index, dim, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_contiguous(tensor));
    kdl_tensor *rows = kdl__hold(&scope, index_rows(index)), *result = NULL;
    if (x && rows)
        result = gathered(x, gather_places(x, rows, dim, __func__), 1, kdl_tensor_shape(rows),
                          &gather_class);
    return kdl__close(&scope, result);
}

/* How many elements belong to one index of a dimension, one behind the other. */
static int64_t run_behind(const kdl_tensor *x, int dim)
{
    int64_t run = 1;
    for (int d = dim + 1; d < x->ndim; d++)
        run *= x->dims[d];
    return run;
}

/* Where the runs begin, of x as (outer, size, run) by its middle dimension. */
static kdl_tensor *select_places(const kdl_tensor *x, kdl_tensor *index, int dim, const char *what)
{
    const int64_t *values = kdl_tensor_data(index);
    int64_t size = x->ndim ? x->dims[dim] : 1, outer = 1, run = run_behind(x, dim);
    if (!values || !check_bounds(index, values, dim, size, KDL_ERROR_INDEX, what))
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

static bool check_vector(const kdl_tensor *index, const char *place)
{
    if (index->ndim <= 1)
        return check_index_dtype(index, place);
    kdl__fail_at(index->ctx, place, KDL_ERROR_INDEX, "%s(): Index is supposed to be a vector",
                 place + sizeof "kdl_" - 1);
    return false;
}

kdl_tensor *kdl_index_select(kdl_tensor *tensor, int dim, kdl_tensor *index)
{
    kdl_tensor *both[] = { tensor, index };
    if (!kdl__usable(__func__, 2, both) || (dim = kdl__dim_of(tensor, dim)) < 0 ||
        !check_vector(index, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl_contiguous(tensor));
    kdl_tensor *rows = kdl__hold(&scope, index_rows(index)), *result = NULL;
    kdl_shape shape = kdl_tensor_shape(tensor);
    if (shape.ndim)
        shape.sizes[dim] = index->numel;
    if (x && rows)
        result = gathered(x, select_places(x, rows, dim, __func__), run_behind(x, dim), shape,
                          &index_select_class);
    return kdl__close(&scope, result);
}

/* ---- scatter, scatter_add, index_add -------------------------------------------------------- */

/* Zeros where the others' elements came. Nothing is consumed. */
static kdl_tensor *without_places(kdl_tensor *grad, kdl_tensor *places)
{
    kdl_tensor *kept = kdl_clone(grad), *result = kdl__in_rows(kept);
    kdl_tensor *zeros =
        result ? kdl__new_values(grad->ctx, grad->storage->dtype, places->ndim, places->dims)
               : NULL;
    if (zeros) {
        memset(zeros->storage->data, 0, kdl_tensor_nbytes(zeros));
        kdl__put_runs(result, places, 1, zeros, false);
    }
    kdl_tensor_release(zeros);
    kdl_tensor_release(kept);
    return result;
}

/* saved: the places; integers: the run, whether elements were added. */
static void put_backward(kdl__function *function, kdl_tensor *grad)
{
    const kdl__edge *source = &function->edges[1];
    kdl_tensor *places = kdl__saved_value(function, 0);
    if (places && kdl__needs(function, 0))
        kdl__give(function, 0,
                  function->integers[1] ? kdl_tensor_retain(grad) : without_places(grad, places));
    kdl_tensor *rows = places && kdl__needs(function, 1) ? kdl__in_rows(grad) : NULL;
    if (rows) {
        kdl_shape shape = { .ndim = source->ndim };
        memcpy(shape.sizes, source->sizes, (size_t)source->ndim * sizeof *shape.sizes);
        kdl__give(function, 1, kdl__take_runs(rows, places, function->integers[0], shape));
    }
    kdl_tensor_release(rows);
}

static const kdl__function_class scatter_class = { "ScatterBackward0", put_backward };
static const kdl__function_class scatter_add_class = { "ScatterAddBackward0", put_backward };
static const kdl__function_class index_add_class = { "IndexAddBackward0", put_backward };

/* A copy of x with the source's elements at `places` (consumed), or added there, recorded. */
static kdl_tensor *put(kdl_tensor *x, kdl_tensor *source, kdl_tensor *places, int64_t run,
                       const kdl__function_class *class)
{
    bool add = class != &scatter_class;
    const kdl__tape *tape = kdl__no_grad(x->ctx);
    kdl__scope scope = { 0 };
    kdl_tensor *from = kdl__hold(&scope, kdl__in_rows(source));
    kdl_tensor *copy = kdl__hold(&scope, from ? kdl_clone(x) : NULL), *result = kdl__in_rows(copy);
    if (result)
        kdl__put_runs(result, places, run, from, add);
    x->ctx->tape = tape;
    kdl__function *function = kdl__record(result, class, 2, x, source);
    if (function) {
        function->integers[0] = run;
        function->integers[1] = add;
    }
    kdl__save(function, 0, places);
    kdl__hold(&scope, places);
    return kdl__close(&scope, result);
}

/* The part of src that an index has a place for: a view. NULL: an error stands. */
static kdl_tensor *part_for(kdl_tensor *src, const kdl_tensor *index, const char *place)
{
    if (src->ndim != index->ndim && (src->ndim > 1 || index->ndim > 1)) {
        kdl__fail_at(src->ctx, place, KDL_ERROR_RUNTIME,
                     "Index tensor must have the same number of dimensions as src tensor");
        return NULL;
    }
    kdl_tensor *part = src->ndim == index->ndim ? kdl_tensor_retain(src)
                                                : kdl_reshape(src, kdl_tensor_shape(index));
    for (int d = 0; part && d < index->ndim; d++) {
        if (index->dims[d] > part->dims[d]) {
            kdl__fail_at(src->ctx, place, KDL_ERROR_RUNTIME,
                         "Expected index %s to be no larger than src %s",
                         kdl__shape_text(index->ndim, index->dims).chars,
                         kdl__shape_text(src->ndim, src->dims).chars);
        }
        kdl_tensor *narrow = kdl_narrow(part, d, 0, index->dims[d]);
        kdl_tensor_release(part);
        part = narrow;
    }
    return part;
}

static bool same_dtype(const kdl_tensor *x, const kdl_tensor *source, const char *place)
{
    kdl_dtype own = x->storage->dtype, other = source->storage->dtype;
    if (own == other)
        return true;
    kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                 "%s(): Expected self.dtype to be equal to src.dtype, but they are %s and %s",
                 place + sizeof "kdl_" - 1, kdl_dtype_name(own), kdl_dtype_name(other));
    return false;
}

static kdl_tensor *scatter(kdl_tensor *tensor, int dim, kdl_tensor *index, kdl_tensor *src,
                           const kdl__function_class *class, const char *place)
{
    kdl_tensor *all[] = { tensor, index, src };
    if (!kdl__usable(place, 3, all) || (dim = kdl__dim_of(tensor, dim)) < 0 ||
        !check_gather(tensor, index, dim, place) || !same_dtype(tensor, src, place))
        return NULL;
    kdl__scope scope = { 0 };
    bool add = class == &scatter_add_class;
    kdl_tensor *x =
        kdl__hold(&scope, add ? kdl__operand(tensor, place) : kdl_tensor_retain(tensor));
    kdl_tensor *part = kdl__hold(&scope, x ? part_for(src, index, place) : NULL);
    kdl_tensor *source = kdl__hold(&scope, part ? kdl_to(part, x->storage->dtype) : NULL);
    kdl_tensor *rows = kdl__hold(&scope, source ? index_rows(index) : NULL), *result = NULL;
    kdl_tensor *places = rows ? gather_places(tensor, rows, dim, place) : NULL;
    if (places)
        result = put(x, source, places, 1, class);
    return kdl__cast(kdl__close(&scope, result), tensor->storage->dtype);
}

kdl_tensor *kdl_scatter(kdl_tensor *tensor, int dim, kdl_tensor *index, kdl_tensor *src)
{
    return scatter(tensor, dim, index, src, &scatter_class, __func__);
}

kdl_tensor *kdl_scatter_add(kdl_tensor *tensor, int dim, kdl_tensor *index, kdl_tensor *src)
{
    return scatter(tensor, dim, index, src, &scatter_add_class, __func__);
}

/* Whether the source has a part of the tensor's sizes for each index. */
static bool check_index_add(const kdl_tensor *x, const kdl_tensor *index, const kdl_tensor *source,
                            int dim, const char *place)
{
    if (!check_vector(index, place) || !same_dtype(x, source, place))
        return false;
    bool fits = x->ndim == source->ndim;
    for (int d = 0; fits && d < x->ndim; d++)
        fits = d == dim ? source->dims[d] == index->numel : source->dims[d] == x->dims[d];
    if (!fits)
        kdl__fail_at(x->ctx, place, KDL_ERROR_RUNTIME,
                     "index_add(): a source of %s does not fit %" PRId64 " indices of dimension %d "
                     "of %s",
                     kdl__shape_text(source->ndim, source->dims).chars, index->numel, dim,
                     kdl__shape_text(x->ndim, x->dims).chars);
    return fits;
}

kdl_tensor *kdl_index_add(kdl_tensor *tensor, int dim, kdl_tensor *index, kdl_tensor *source,
                          double alpha)
{
    kdl_tensor *all[] = { tensor, index, source };
    if (!kdl__usable(__func__, 3, all) || (dim = kdl__dim_of(tensor, dim)) < 0 ||
        !check_index_add(tensor, index, source, dim, __func__))
        return NULL;
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(tensor, __func__));
    kdl_tensor *wide = kdl__hold(&scope, x ? kdl_to(source, x->storage->dtype) : NULL);
    kdl_tensor *scaled = alpha == 1 ? wide : kdl__hold(&scope, kdl_mul(wide, alpha));
    kdl_tensor *rows = kdl__hold(&scope, scaled ? index_rows(index) : NULL), *result = NULL;
    kdl_tensor *places = rows ? select_places(tensor, rows, dim, __func__) : NULL;
    if (places)
        result = put(x, scaled, places, run_behind(tensor, dim), &index_add_class);
    return kdl__cast(kdl__close(&scope, result), tensor->storage->dtype);
}

/* ---- masks ------------------------------------------------------------------------------- */

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
    if (!kdl__usable(__func__, 2, both))
        return NULL;
    if (mask->storage->dtype != KDL_BOOL) {
        kdl__fail(mask->ctx, KDL_ERROR_RUNTIME, "masked_select: expected BoolTensor for mask");
        return NULL;
    }
    kdl_shape shape = kdl_tensor_shape(mask);
    if (!kdl__broadcast(tensor->ctx, &shape, tensor))
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
    if (!kdl__usable(__func__, 2, both))
        return NULL;
    if (mask->storage->dtype != KDL_BOOL) {
        kdl__fail(mask->ctx, KDL_ERROR_RUNTIME,
                  "masked_fill_ only supports boolean masks, but got mask with dtype %s",
                  kdl__dtype_cpp_name(mask->storage->dtype));
        return NULL;
    }
    kdl__scope scope = { 0 };
    kdl_tensor *number = kdl__hold(
        &scope, kdl_full(tensor->ctx, KDL_SCALAR_SHAPE, value, .dtype = tensor->storage->dtype));
    return kdl__close(&scope, kdl_where(mask, number, tensor));
}

/* ---- parts ------------------------------------------------------------------------------- */

/* How many parts there are; none of them stays when an error stands. */
static int all_or_none(kdl_context *ctx, kdl_tensor **parts, int count)
{
    for (int i = 0; i < count && kdl__failed(ctx); i++) {
        kdl_tensor_release(parts[i]);
        parts[i] = NULL;
    }
    return kdl__failed(ctx) ? 0 : count;
}

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
    return all_or_none(ctx, parts, (int)count);
}

int kdl_unbind(kdl_tensor *tensor, int dim, kdl_tensor **parts, int room)
{
    if (kdl__refuses(tensor))
        return 0;
    if (tensor->ndim == 0) {
        kdl__fail(tensor->ctx, KDL_ERROR_INDEX,
                  "Dimension specified as %d but tensor has no dimensions", dim);
        return 0;
    }
    if ((dim = kdl__wrap_dim(tensor->ctx, dim, tensor->ndim)) < 0)
        return 0;
    int count = tensor->dims[dim] ? kdl_split(tensor, 1, dim, parts, room) : 0;
    for (int i = 0; i < count; i++) {
        kdl_tensor *part = kdl_select(parts[i], dim, 0);
        kdl_tensor_release(parts[i]);
        parts[i] = part;
    }
    return all_or_none(tensor->ctx, parts, count);
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
