/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trunc_normal_ (as of PyTorch 2.12): which way it goes, and the way of redrawing normals. The
 * other one is in trunc_rejection.c.
 */
#include "init/trunc_normal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "plan/region.h"

/* ---- rounds ------------------------------------------------------------------------------ */

enum { CHUNK = 1 << 20 };

static kdl_status run_chunk(void *user_data, size_t index, int worker_index)
{
    (void)worker_index;
    kdl__rounds *rounds = user_data;
    uint64_t numel = (uint64_t)rounds->op->region.numel, first = (uint64_t)index * CHUNK, taken;
    uint64_t count = numel - first < CHUNK ? numel - first : CHUNK;
    char *values = rounds->values + first * kdl_dtype_nbytes(rounds->op->dtype);
    if (numel <= CHUNK) {
        kdl_status status = rounds->chunk(rounds, rounds->cursor, first, count, values, &taken);
        rounds->taken = taken;
        return status;
    }
    kdl__cursor cursor;
    kdl__cursor_init(&cursor, rounds->cursor->kernels);
    kdl_status status = rounds->chunk(rounds, &cursor, first, count, values, &taken);
    kdl__cursor_free(&cursor);
    uint64_t most = atomic_load(&rounds->taken);
    while (!status && taken > most && !atomic_compare_exchange_weak(&rounds->taken, &most, taken))
        continue;
    return status;
}

kdl_status kdl__rounds_run(kdl__rounds *rounds, kdl__worker *worker, kdl__prepared *prepared)
{
    uint64_t numel = (uint64_t)rounds->op->region.numel;
    size_t chunks = (size_t)((numel + CHUNK - 1) / CHUNK);
    size_t size = kdl_dtype_nbytes(rounds->op->dtype);
    prepared->in_place = prepared->target;
    if (!prepared->target)
        prepared->whole = kdl__alloc_quiet(worker->ctx, (size_t)numel, size);
    rounds->values = prepared->target ? prepared->target : prepared->whole;
    if (!rounds->values)
        return KDL_ERROR_MEMORY;
    rounds->ctx = worker->ctx;
    rounds->cursor = worker->cursor;
    atomic_init(&rounds->taken, 0);
    if (worker->parallel)
        return kdl__parallel(worker->ctx, chunks, run_chunk, rounds);
    kdl_status status = KDL_OK;
    for (size_t i = 0; i < chunks && !status; i++)
        status = run_chunk(rounds, i, 0);
    return status;
}

kdl_status kdl__rounds_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                             uint64_t first, uint64_t count, void *values)
{
    (void)worker;
    size_t size = kdl_dtype_nbytes(op->dtype);
    memcpy(values, (const char *)whole + first * size, count * size);
    return KDL_OK;
}

uint64_t kdl__rounds_draws(const kdl__op *op)
{
    (void)op;
    return KDL__DRAWS_UNKNOWN;
}

/* ---- redrawing normals ------------------------------------------------------------------- */

/* Where a round begins: its first draw, and the spare normal before it. */
typedef struct spot {
    uint64_t draw;
    bool has_spare;
    double spare;
} spot;

/*
 * The fill of a round. The first fills the tensor as it lies; the later ones fill a fresh tensor of
 * the same order of dimensions, which is contiguous wherever that order is the row-major one.
 */
static kdl__fill fill_at(const kdl__op *op, const spot *at, bool is_first)
{
    kdl__walk walk;
    kdl__walk_init(&walk, &op->region);
    bool contiguous = is_first ? kdl__region_is_contiguous(&op->region) : walk.is_row_major;
    kdl__fill fill = kdl__normal_of(op->dtype, (uint64_t)op->region.numel, contiguous,
                                    op->number[0], op->number[1]);
    fill.has_spare = fill.distribution == KDL__NORMAL_SERIAL && at->has_spare;
    fill.spare = at->spare;
    return fill;
}

/* Goes behind the round of `fill` at `at`. */
static void go_behind(spot *at, const kdl__fill *fill, kdl__stream *stream, kdl__cursor *cursor)
{
    uint64_t offset, begin = at->draw;
    at->draw += kdl__fill_draws(fill);
    if (fill->distribution != KDL__NORMAL_SERIAL)
        return;
    at->has_spare = kdl__fill_leaves_spare(fill, &offset);
    if (at->has_spare) {
        kdl__cursor_move(cursor, stream, begin + offset);
        double u1 = kdl__cursor_uniform(cursor);
        at->spare = kdl__normal_pair(u1, kdl__cursor_uniform(cursor)).second;
    }
}

static spot first_spot(const kdl__op *op, kdl__cursor *cursor)
{
    spot at = { .draw = kdl__op_start(op), .has_spare = op->spare.present };
    if (at.has_spare)
        at.spare = kdl__spare_value(&op->spare, cursor);
    return at;
}

/* The elements of a chunk that still lie outside, by their numbers in it. */
typedef struct outsiders {
    uint32_t *numbers; /* room for KDL__MT_SCRATCH more than there can be */
    size_t count;
} outsiders;

/* Elements that are drawn together, in the nearest cache; more than one draw's block of 16. */
enum { SPAN = 4096, BLOCK = 16 };

/*
 * The values of a span in a type that can be compared with the bounds: f64 as they are, all others
 * as f32, which holds both them and the bounds exactly.
 */
static const void *comparable(const kdl__rounds *rounds, const void *values, size_t n, float *room)
{
    kdl_dtype dtype = rounds->op->dtype;
    if (dtype == KDL_F32 || dtype == KDL_F64)
        return values;
    rounds->cursor->kernels->convert(dtype, values, KDL_F32, room, n);
    return room;
}

static bool lies_outside(const kdl__rounds *rounds, const void *comparables, size_t i)
{
    if (rounds->op->dtype == KDL_F64) {
        double value = ((const double *)comparables)[i];
        return (value < rounds->lowest) | (value > rounds->highest);
    }
    float value = ((const float *)comparables)[i];
    return (value < (float)rounds->lowest) | (value > (float)rounds->highest);
}

/* Lists those of a span's n values that lie outside, `first` being the first one's number. */
static void list_outsiders(const kdl__rounds *rounds, const char *values, size_t n, uint32_t first,
                           outsiders *list)
{
    float room[SPAN];
    const void *span = comparable(rounds, values, n, room);
    if (rounds->op->dtype != KDL_F64) {
        list->count = rounds->cursor->kernels->list_outside_f32(
            span, (float)rounds->lowest, (float)rounds->highest, n, first, list->numbers);
        return;
    }
    list->count = 0;
    for (size_t i = 0; i < n; i++) { /* appending without a branch: chance decides it */
        list->numbers[list->count] = first + (uint32_t)i;
        list->count += lies_outside(rounds, span, i);
    }
}

/* memcpy() of a size that the compiler knows. */
static void copy_element(char *to, const char *from, size_t size)
{
    if (size == 4)
        memcpy(to, from, 4);
    else if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, 2);
}

/*
 * One more round for the elements of the list: fresh values for them, drawn `length` at a time, and
 * what still lies outside stays in the list.
 */
static void redraw(const kdl__rounds *rounds, const kdl__fill *fill, uint64_t draw,
                   kdl__cursor *cursor, uint64_t first, uint64_t count, size_t length, char *values,
                   outsiders *list)
{
    _Alignas(64) char fresh[SPAN * sizeof(double)];
    float room[SPAN];
    size_t size = kdl_dtype_nbytes(fill->dtype), kept = 0;
    for (size_t at = 0; at < list->count;) {
        size_t from = list->numbers[at] / length * length;
        size_t n = count - from < length ? (size_t)count - from : length;
        kdl__fill_range(fill, rounds->op->at.segment->stream, draw, cursor, first + from, n, fresh);
        const void *span = comparable(rounds, fresh, n, room);
        for (; at < list->count && list->numbers[at] < from + n; at++) {
            size_t i = list->numbers[at] - from;
            copy_element(values + (from + i) * size, fresh + i * size, size);
            list->numbers[kept] = (uint32_t)(from + i);
            kept += lies_outside(rounds, span, i);
        }
    }
    list->count = kept;
}

/* A round as it is done: what it draws, where that begins, and the engine that draws it. */
typedef struct turn {
    kdl__fill fill;
    uint64_t draw;
    kdl__cursor *cursor;
} turn;

static void redraw_turn(const kdl__rounds *rounds, const turn *r, uint64_t first, uint64_t count,
                        bool densely, char *values, outsiders *list)
{
    redraw(rounds, &r->fill, r->draw, r->cursor, first, count, densely ? SPAN : BLOCK, values,
           list);
}

/*
 * The first round of a chunk, and the second with it if that is given: span by span, while values
 * are in the cache. Where most blocks have an outsider it is quicker to draw the whole span again.
 * The list is of those that are left; gives how many rounds that took.
 */
static uint64_t first_rounds(const kdl__rounds *rounds, const turn *one, const turn *two,
                             uint64_t first, uint64_t count, char *values, outsiders *list)
{
    kdl__stream *stream = rounds->op->at.segment->stream;
    size_t size = kdl_dtype_nbytes(rounds->op->dtype);
    uint64_t taken = 1;
    for (uint64_t done = 0; done < count; done += SPAN) {
        size_t n = count - done < SPAN ? (size_t)(count - done) : SPAN;
        char *span = values + done * size;
        outsiders here = { list->numbers + list->count, 0 };
        kdl__fill_range(&one->fill, stream, one->draw, one->cursor, first + done, n, span);
        list_outsiders(rounds, span, n, (uint32_t)done, &here);
        if (two && here.count) {
            redraw_turn(rounds, two, first, count, here.count > n / (2 * BLOCK), values, &here);
            taken = 2;
        }
        list->count += here.count;
    }
    return taken;
}

/*
 * Where PyTorch would go on for ever: more than 30 % of the normal lies within the bounds, but none
 * of the dtype's numbers near the mean does. (For any other element 0.7^10000 is never.)
 */
enum { MOST_ROUNDS = 10000 };

static kdl_status redraw_chunk(const kdl__rounds *rounds, kdl__cursor *cursor, uint64_t first,
                               uint64_t count, void *values, uint64_t *taken)
{
    const kdl__op *op = rounds->op;
    kdl__stream *stream = op->at.segment->stream;
    outsiders list = { .count = 0 };
    list.numbers = kdl__alloc_quiet(rounds->ctx, count + KDL__MT_SCRATCH, sizeof *list.numbers);
    if (!list.numbers)
        return KDL_ERROR_MEMORY;
    kdl__cursor other;
    kdl__cursor_init(&other, cursor->kernels);
    spot at = first_spot(op, cursor);
    turn last = { fill_at(op, &at, true), at.draw, cursor }, one = last;
    /*
     * Where the second round begins is known before the first only if no spare normal is in play.
     */
    bool together = one.fill.distribution == KDL__NORMAL;
    if (together) {
        go_behind(&at, &one.fill, stream, cursor);
        last = (turn){ fill_at(op, &at, false), at.draw, &other };
    }
    *taken = first_rounds(rounds, &one, together ? &last : NULL, first, count, values, &list);
    for (; list.count && *taken < MOST_ROUNDS; ++*taken) {
        go_behind(&at, &last.fill, stream, cursor);
        last = (turn){ fill_at(op, &at, false), at.draw, cursor };
        redraw_turn(rounds, &last, first, count, list.count > count / (2 * BLOCK), values, &list);
    }
    kdl__cursor_free(&other);
    kdl_free(rounds->ctx, list.numbers);
    return list.count ? KDL_ERROR_VALUE : KDL_OK;
}

/* `value` as PyTorch rounds it to the dtype. */
static double in_dtype(kdl_dtype dtype, double value)
{
    uint64_t element = 0;
    double rounded;
    kdl__kernels_ref.convert(KDL_F64, &value, dtype, &element, 1);
    kdl__kernels_ref.convert(dtype, &element, KDL_F64, &rounded, 1);
    return rounded;
}

static kdl_status trunc_normal_prepare(const kdl__op *op, kdl__worker *worker,
                                       kdl__prepared *prepared)
{
    kdl__rounds rounds = {
        .op = op,
        .chunk = redraw_chunk,
        .lowest = in_dtype(op->dtype, op->number[2]),
        .highest = in_dtype(op->dtype, op->number[3]),
    };
    kdl_status status = kdl__rounds_run(&rounds, worker, prepared);
    if (status)
        return status;
    spot at = first_spot(op, worker->cursor);
    for (uint64_t round = 0; round < rounds.taken; round++) {
        kdl__fill fill = fill_at(op, &at, round == 0);
        go_behind(&at, &fill, op->at.segment->stream, worker->cursor);
    }
    prepared->draws = at.draw - kdl__op_start(op);
    prepared->spare_present = at.has_spare;
    prepared->spare = at.spare;
    return KDL_OK;
}

/* What is left is known only when the draws are; see kdl__prepared. */
static bool leaves_unknown(const kdl__op *op, uint64_t *offset)
{
    (void)op;
    *offset = 0;
    return false;
}

const kdl__op_class kdl__op_trunc_normal = {
    .name = "trunc_normal",
    .flags = KDL__OP_STREAM_ORDER,
    .number_names = { "mean", "std", "a", "b" },
    .draws = kdl__rounds_draws,
    .prepare = trunc_normal_prepare,
    .range = kdl__rounds_range,
    .check = kdl__trunc_normal_check,
};

const kdl__op_class kdl__op_trunc_normal_serial = {
    .name = "trunc_normal_serial",
    .flags = KDL__OP_STREAM_ORDER,
    .number_names = { "mean", "std", "a", "b" },
    .draws = kdl__rounds_draws,
    .leaves_spare = leaves_unknown,
    .prepare = trunc_normal_prepare,
    .range = kdl__rounds_range,
    .check = kdl__trunc_normal_check,
};

/* ---- which way to go --------------------------------------------------------------------- */

static double normal_cdf(double x)
{
    return (1.0 + erf(x / sqrt(2.0))) / 2.0;
}

/*
 * Whether no normal that PyTorch can draw lies outside [lowest, highest]. A 24-bit uniform gives a
 * radius of sqrt(48 ln 2) at most, a 53-bit one sqrt(106 ln 2); both rounded up with room to spare.
 */
static bool never_outside(const kdl__fill *fill, double lowest, double highest)
{
    bool narrow = fill->distribution == KDL__NORMAL && fill->dtype != KDL_F64;
    double reach = (narrow ? 5.7682 : 8.5722) * fill->b;
    double mean = narrow ? (double)(float)fill->a : fill->a;
    reach += (fabs(mean) + reach) * FLT_EPSILON; /* for the roundings of mean, std and the sum */
    return in_dtype(fill->dtype, mean - reach) >= lowest &&
           in_dtype(fill->dtype, mean + reach) <= highest;
}

/* new_tensor(bound) of an integer dtype; the draw that follows refuses the dtype itself. */
static kdl_status check_bound(kdl_context *ctx, kdl_dtype dtype, double bound, const char *place)
{
    double lowest = dtype == KDL_I64 ? -0x1p63 : dtype == KDL_I32 ? INT32_MIN : 0;
    double end = dtype == KDL_I64 ? 0x1p63 : dtype == KDL_I32 ? 0x1p31 : 0x1p8;
    if (kdl_dtype_is_floating_point(dtype) || dtype == KDL_BOOL || (bound >= lowest && bound < end))
        return KDL_OK;
    return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                        "value cannot be converted to type %s without overflow",
                        kdl_dtype_name(dtype));
}

/* More than 30 % of the normal lies within: redraws, or one draw where none can be needed. */
static kdl_status choose_redraws(kdl__op *op, kdl_context *ctx, const char *place)
{
    double a = op->number[2], b = op->number[3];
    kdl__fill fill = fill_at(op, &(spot){ 0 }, true), later = fill_at(op, &(spot){ 0 }, false);
    if (check_bound(ctx, op->dtype, a, place) || check_bound(ctx, op->dtype, b, place) ||
        kdl__fill_check(ctx, place, &fill))
        return ctx->status;
    if (fill.numel == 0 || never_outside(&fill, in_dtype(op->dtype, a), in_dtype(op->dtype, b)))
        op->class = &kdl__op_fills[fill.distribution];
    else if (fill.distribution == KDL__NORMAL && later.distribution == KDL__NORMAL)
        op->class = &kdl__op_trunc_normal;
    else
        op->class = &kdl__op_trunc_normal_serial;
    return KDL_OK;
}

/* Less: uniform candidates, rejected by the density. */
static kdl_status choose_rejection(kdl__op *op, kdl_context *ctx, const char *place)
{
    double mean = op->number[0], std = op->number[1], a = op->number[2], b = op->number[3], square;
    kdl__fill fill = {
        .distribution = KDL__UNIFORM,
        .dtype = op->dtype,
        .numel = (uint64_t)op->region.numel,
        .a = a,
        .b = b,
    };
    op->class = &kdl__op_trunc_normal_rejection;
    if (kdl__python_square(ctx, place, (kdl__trunc_mode(mean, a, b) - mean) / std, &square))
        kdl__fill_check(ctx, place, &fill);
    return ctx->status;
}

kdl_status kdl__trunc_normal_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    double mean = op->number[0], std = op->number[1], a = op->number[2], b = op->number[3];
    if (std == 0)
        return kdl__fail_zero_division(ctx, place);
    double p = normal_cdf((b - mean) / std) - normal_cdf((a - mean) / std);
    return (p > 0.3 ? choose_redraws : choose_rejection)(op, ctx, place);
}

kdl_status kdl_init_trunc_normal_with_(kdl_tensor *tensor,
                                       const kdl_init_trunc_normal_options *options)
{
    static const kdl_init_trunc_normal_options defaults = KDL_INIT_TRUNC_NORMAL_DEFAULTS;
    static const char place[] = "kdl_init_trunc_normal_";
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (!options)
        options = &defaults;
    kdl_context *ctx = tensor->ctx;
    double mean = options->mean, std = options->std, a = options->a, b = options->b;
    kdl_generator *generator = kdl__generator_or_default(ctx, options->generator);
    if (!generator)
        return ctx->status;
    if (mean < a - 2 * std || mean > b + 2 * std)
        kdl__warn(ctx, "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The "
                       "distribution of values may be incorrect.");
    kdl__op op = { .number = { mean, std, a, b }, .dtype = kdl_tensor_dtype(tensor) };
    kdl__region_of(tensor, &op.region);
    if (kdl__trunc_normal_check(&op, ctx, place))
        return ctx->status;
    return kdl__init_apply(tensor, &op, generator, place);
}
