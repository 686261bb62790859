/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the ops of recipes and the values that they make up. */
#include <string.h>

#include "plan/region.h"
#include "recipe/reader.h"

static const char place[] = "kdl_plan_from_json";

/* ---- regions -------------------------------------------------------------------------------- */

/* The product of the sizes, if that many elements can be addressed. */
static bool read_numel(kdl__recipe_reader *r, const kdl__path *at, kdl__region *region)
{
    int64_t nbytes;
    region->numel = 1;
    for (int d = 0; d < region->ndim; d++)
        if (__builtin_mul_overflow(region->numel, region->sizes[d], &region->numel))
            return kdl__field_fail(r->ctx, at, "the shape has more elements than can be counted");
    if (__builtin_mul_overflow(region->numel, (int64_t)sizeof(double), &nbytes))
        return kdl__field_fail(r->ctx, at, "the shape has more elements than can be counted");
    return true;
}

/* Whether every element lies in a storage of `numel`. */
static bool is_within(const kdl__region *region, int64_t numel)
{
    int64_t last = region->offset, step;
    if (region->numel == 0)
        return region->offset <= numel;
    for (int d = 0; d < region->ndim; d++)
        if (__builtin_mul_overflow(region->sizes[d] - 1, region->strides[d], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    return last < numel;
}

/* Whether no two elements can share an address: each stride steps over all smaller ones. */
static bool is_apart(const kdl__region *region)
{
    bool used[KDL_MAX_DIMS] = { false };
    int64_t reach = 0; /* of the dimensions that were looked at */
    for (int round = 0; round < region->ndim; round++) {
        int smallest = -1;
        for (int d = 0; d < region->ndim; d++)
            if (!used[d] && region->sizes[d] > 1 &&
                (smallest < 0 || region->strides[d] < region->strides[smallest]))
                smallest = d;
        if (smallest < 0)
            break;
        if (region->strides[smallest] <= reach)
            return false;
        used[smallest] = true;
        reach += (region->sizes[smallest] - 1) * region->strides[smallest];
    }
    return true;
}

/* "offset" and "strides", where they are given; the sizes are there. */
static bool read_place(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                       kdl__region *region, int64_t storage_numel)
{
    int count = region->ndim;
    region->offset = 0;
    kdl__shape_strides(region->ndim, region->sizes, region->strides);
    if (json_object_get(object, "offset") &&
        !kdl__field_count(r->ctx, at, object, "offset", &region->offset))
        return false;
    if (json_object_get(object, "strides") &&
        !kdl__field_sizes(r->ctx, at, object, "strides", &count, region->strides))
        return false;
    if (count != region->ndim)
        return kdl__field_fail(r->ctx, at, "there must be as many strides as sizes");
    return is_within(region, storage_numel) ||
           kdl__field_fail(r->ctx, at, "its elements do not lie within the %lld of its storage",
                           (long long)storage_numel);
}

/* The elements that an op writes: all of them unless it says otherwise. */
static bool read_region(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                        const kdl__region *whole, kdl__region *region)
{
    *region = *whole;
    if (json_object_get(object, "shape") &&
        (!kdl__field_sizes(r->ctx, at, object, "shape", &region->ndim, region->sizes) ||
         !read_numel(r, at, region)))
        return false;
    if (!read_place(r, at, object, region, whole->numel))
        return false;
    if (region->numel == 0)
        return kdl__field_fail(r->ctx, at, "it writes no element");
    return is_apart(region) || kdl__field_fail(r->ctx, at, "it writes some element more than once");
}

/* ---- ops ------------------------------------------------------------------------------------ */

static bool read_arguments(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                           kdl__op *op)
{
    const kdl__op_class *class = op->class;
    for (int i = 0; i < KDL__OP_NUMBERS && class->number_names[i]; i++)
        if (!kdl__field_number(r->ctx, at, object, class->number_names[i], &op->number[i]))
            return false;
    for (int i = 0; i < KDL__OP_INTEGERS && class->integer_names[i]; i++)
        if (!kdl__field_integer(r->ctx, at, object, class->integer_names[i], &op->integer[i]))
            return false;
    return true;
}

static bool read_source(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                        kdl__op *op)
{
    kdl_shape shape;
    const kdl__path below = { at, "source", 0 };
    const json_t *source = json_object_get(object, "source");
    if (!(op->class->flags & (KDL__OP_SOURCE | KDL__OP_FREE_SOURCE)))
        return true;
    if (!source)
        return kdl__field_fail(r->ctx, at, "the field 'source' is missing");
    if (!kdl__recipe_values(r, &below, source, NULL, &op->source, &shape))
        return false;
    if (op->class->flags & KDL__OP_STREAM_ORDER) {
        /* Its elements are counted by descending stride, and so must those of the source be. */
        if (shape.ndim != op->region.ndim ||
            memcmp(shape.sizes, op->region.sizes, (size_t)shape.ndim * sizeof *shape.sizes) != 0)
            return kdl__field_fail(r->ctx, &below, "its shape is not that of the op");
        kdl__region_sort_both(&op->region, &op->source.region);
    }
    return (op->class->flags & KDL__OP_FREE_SOURCE) ||
           op->source.region.numel == op->region.numel ||
           kdl__field_fail(r->ctx, &below, "it has %lld elements for %lld",
                           (long long)op->source.region.numel, (long long)op->region.numel);
}

/* Numbers that were computed from the old stream say nothing about a new one. */
static bool refuse_new_seed(kdl__recipe_reader *r, const kdl__path *at)
{
    kdl__field_fail(r->ctx, at,
                    "this was computed from the recipe's own seed, which a new seed "
                    "therefore cannot replace");
    return false;
}

static bool read_spare(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                       kdl__spare *spare)
{
    static const char *const known[] = { "value", "draw", "behind", "stream" };
    const kdl__path below = { at, "spare", 0 };
    const json_t *value = json_object_get(object, "spare");
    if (!value)
        return true;
    if (!kdl__field_object(r->ctx, &below, value, known, sizeof known / sizeof *known))
        return false;
    spare->known = json_object_get(value, "value") != NULL;
    if (spare->known && r->seed_replaced)
        return refuse_new_seed(r, &below);
    spare->present = spare->known ? kdl__field_number(r->ctx, &below, value, "value", &spare->value)
                                  : kdl__recipe_position(r, &below, value, &spare->origin);
    return spare->present;
}

/* Where the op draws: where it says, with the spare normal that it names, or behind the last op. */
static bool read_draw(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                      const kdl__op_class *class)
{
    static const char *const of_drawing[] = { "draw", "draws", "behind", "stream", "spare" };
    kdl__position position = { 0 };
    kdl__spare spare = { 0 };
    for (size_t i = 0; i < sizeof of_drawing / sizeof *of_drawing; i++) {
        const char *field = of_drawing[i];
        if (!json_object_get(object, field))
            continue;
        if (!class->draws || (!class->leaves_spare && !strcmp(field, "spare")))
            return kdl__field_fail(r->ctx, at, "'%s' takes no '%s'", class->name, field);
        if (i > 1 && !json_object_get(object, "draw"))
            return kdl__field_fail(r->ctx, at, "'%s' needs a 'draw' beside it", field);
    }
    if (!json_object_get(object, "draw"))
        return !class->draws || r->first ||
               kdl__field_fail(r->ctx, at, "there is no seed to draw from");
    if (!kdl__recipe_position(r, at, object, &position))
        return false;
    if (!read_spare(r, at, object, &spare)) {
        kdl__position_free(&position);
        return false;
    }
    kdl__position_free(&r->generator->at);
    kdl__spare_free(&r->generator->spare);
    r->generator->at = position;
    r->generator->spare = spare;
    return true;
}

/* Has the op's class look at it, and says where it was when that refuses it. */
static bool check_op(kdl__recipe_reader *r, const kdl__path *at, kdl__op *op)
{
    if (!op->class->check || !op->class->check(op, r->ctx, place))
        return true;
    char *message = kdl__strdup(r->ctx, kdl_error_message(r->ctx));
    if (!message || kdl_error_status(r->ctx) == KDL_ERROR_MEMORY)
        return false;
    kdl_error_clear(r->ctx);
    kdl__field_fail(r->ctx, at, "%s", message);
    kdl_free(r->ctx, message);
    return false;
}

static bool check_draws(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                        const kdl__op *op)
{
    int64_t given;
    uint64_t draws = op->class->draws ? op->class->draws(op) : 0;
    if (draws == KDL__DRAWS_UNKNOWN && op->class->leaves_spare && r->seed_replaced)
        return refuse_new_seed(r, at);
    if (!json_object_get(object, "draws"))
        return true;
    if (!kdl__field_count(r->ctx, at, object, "draws", &given))
        return false;
    if (draws == KDL__DRAWS_UNKNOWN)
        return kdl__field_fail(r->ctx, at, "how many draws it takes depends on them");
    return (uint64_t)given == draws || kdl__field_fail(r->ctx, at, "it takes %llu draws, not %lld",
                                                       (unsigned long long)draws, (long long)given);
}

static bool check_fields(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                         const kdl__op_class *class)
{
    enum { COMMON = 10 };
    const char *known[COMMON + KDL__OP_NUMBERS + KDL__OP_INTEGERS] = {
        "op", "offset", "shape", "strides", "source", "draw", "draws", "behind", "stream", "spare",
    };
    memcpy(known + COMMON, class->number_names, sizeof class->number_names);
    memcpy(known + COMMON + KDL__OP_NUMBERS, class->integer_names, sizeof class->integer_names);
    if (!kdl__field_object(r->ctx, at, object, known, sizeof known / sizeof *known))
        return false;
    return !json_object_get(object, "source") ||
           (class->flags & (KDL__OP_SOURCE | KDL__OP_FREE_SOURCE)) != 0 ||
           kdl__field_fail(r->ctx, at, "'%s' takes no 'source'", class->name);
}

/* Fills an op whose storage has the elements `whole`. */
static bool read_op(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                    const kdl__region *whole, kdl__op *op)
{
    const char *name;
    if (!json_is_object(object))
        return kdl__field_fail(r->ctx, at, "this must be an object");
    if (!kdl__field_string(r->ctx, at, object, "op", &name))
        return false;
    op->class = kdl__recipe_class(name);
    if (!op->class)
        return kdl__field_fail(r->ctx, at, "unknown op '%s'", name);
    return check_fields(r, at, object, op->class) && read_arguments(r, at, object, op) &&
           read_region(r, at, object, whole, &op->region) && read_source(r, at, object, op) &&
           check_op(r, at, op) && read_draw(r, at, object, op->class);
}

/* Puts the op at `index` of "ops" on top of *history. */
static bool add_op(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                   kdl_dtype dtype, const kdl__region *whole, kdl__node **history)
{
    kdl__op op = { .dtype = dtype };
    if (!read_op(r, at, object, whole, &op)) {
        kdl__op_free(&op);
        return false;
    }
    kdl_generator *generator = op.class->draws ? r->generator : NULL;
    kdl__node *node = kdl__node_record(r->ctx, *history, whole->numel, &op, generator, place);
    if (!node)
        return false;
    kdl__node_release(*history);
    *history = node;
    if (node->copy_depth > KDL__MAX_COPY_DEPTH)
        return kdl__field_fail(r->ctx, at, "copies of copies are nested more than %d deep",
                               KDL__MAX_COPY_DEPTH);
    return check_draws(r, at, object, &node->op);
}

/* ---- values --------------------------------------------------------------------------------- */

/* "from": the history that the ops go on from. */
static bool read_base(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                      kdl__values *values)
{
    const char *id;
    if (!json_object_get(object, "from"))
        return true;
    if (!kdl__field_string(r->ctx, at, object, "from", &id))
        return false;
    const kdl__named_history *history = kdl__recipe_history(r, at, id);
    if (!history)
        return false;
    if (history->node->op.dtype != values->dtype || history->numel > values->storage_numel)
        return kdl__field_fail(r->ctx, at, "the history '%s' is of another dtype or larger", id);
    values->node = kdl__node_retain(history->node);
    return true;
}

static bool read_ops(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                     const kdl__region *whole, kdl__values *values)
{
    const kdl__path list = { at, "ops", 0 };
    const json_t *ops = json_object_get(object, "ops");
    size_t count = json_array_size(ops);
    if (ops && !json_is_array(ops))
        return kdl__field_fail(r->ctx, &list, "this must be a list");
    for (size_t i = 0; i < count; i++) {
        const kdl__path below = { &list, NULL, i };
        if (!add_op(r, &below, json_array_get(ops, i), values->dtype, whole, &values->node))
            return false;
    }
    return true;
}

/* Elements that stand in the recipe themselves. */
static bool read_data(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                      kdl__values *values)
{
    void *bytes;
    size_t nbytes, expected = (size_t)values->region.numel * kdl_dtype_nbytes(values->dtype);
    if (json_object_get(object, "ops") || json_object_get(object, "from") ||
        json_object_get(object, "view"))
        return kdl__field_fail(r->ctx, at, "'data' stands by itself, without ops, from and view");
    if (!kdl__field_bytes(r->ctx, at, object, "data", &bytes, &nbytes))
        return false;
    bool ok =
        nbytes == expected ||
        kdl__field_fail(r->ctx, at, "'data' has %zu bytes where %zu are needed", nbytes, expected);
    for (size_t i = 0; ok && values->dtype == KDL_BOOL && i < nbytes; i++)
        ok = ((uint8_t *)bytes)[i] <= 1 ||
             kdl__field_fail(r->ctx, at, "a bool in 'data' is neither 0 nor 1");
    values->storage = ok ? kdl__storage_new(r->ctx, values->dtype, values->region.numel) : NULL;
    if (values->storage)
        memcpy(values->storage->data, bytes, nbytes);
    kdl_free(r->ctx, bytes);
    return values->storage != NULL;
}

/* Which elements of which storage the values are: all, or those that "view" tells. */
static bool read_view(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                      kdl__values *values, kdl__region *whole)
{
    static const char *const known[] = { "numel", "offset", "strides" };
    const kdl__path below = { at, "view", 0 };
    const json_t *view = json_object_get(object, "view");
    kdl__region *region = &values->region;
    values->storage_numel = region->numel;
    kdl__recipe_plain_region(whole, region->ndim, region->sizes, region->numel);
    if (!view)
        return read_place(r, at, NULL, region, region->numel);
    if (!kdl__field_object(r->ctx, &below, view, known, sizeof known / sizeof *known) ||
        !kdl__field_count(r->ctx, &below, view, "numel", &values->storage_numel))
        return false;
    kdl__recipe_plain_region(whole, 1, &values->storage_numel, values->storage_numel);
    return read_numel(r, &below, whole) &&
           read_place(r, &below, view, region, values->storage_numel);
}

static bool read_dtype(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                       kdl_dtype *dtype)
{
    const char *name;
    *dtype = KDL_F32;
    if (!json_object_get(object, "dtype"))
        return true;
    if (!kdl__field_string(r->ctx, at, object, "dtype", &name))
        return false;
    return kdl_dtype_parse(name, dtype) || kdl__field_fail(r->ctx, at, "unknown dtype '%s'", name);
}

static bool read_into(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                      kdl__values *values)
{
    kdl__region whole;
    kdl__region *region = &values->region;
    if (!read_dtype(r, at, object, &values->dtype) ||
        !kdl__field_sizes(r->ctx, at, object, "shape", &region->ndim, region->sizes) ||
        !read_numel(r, at, region) || !read_view(r, at, object, values, &whole))
        return false;
    if (json_object_get(object, "data"))
        return read_data(r, at, object, values);
    return read_base(r, at, object, values) && read_ops(r, at, object, &whole, values);
}

bool kdl__recipe_values(kdl__recipe_reader *r, const kdl__path *at, const json_t *object,
                        const char *label, kdl__values *values, kdl_shape *shape)
{
    const char *const known[] = { label, "dtype", "shape", "data", "from", "ops", "view" };
    memset(values, 0, sizeof *values);
    if (!kdl__field_object(r->ctx, at, object, known, sizeof known / sizeof *known) ||
        !read_into(r, at, object, values)) {
        kdl__values_free(values);
        return false;
    }
    shape->ndim = values->region.ndim;
    memcpy(shape->sizes, values->region.sizes, sizeof shape->sizes);
    return true;
}
