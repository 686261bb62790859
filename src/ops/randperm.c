/* SPDX-License-Identifier: Apache-2.0 */
/* torch.randperm: shuffles as PyTorch's CPU does, which need the whole permutation at once. */
#include "ops/ops.h"

/* From this length on PyTorch draws 64 bits for each element and shuffles "inside out". */
static const uint64_t long_randperm = 214748364;

uint64_t kdl__permutation_draws(uint64_t n)
{
    return n >= long_randperm ? 2 * n : n - (n > 0);
}

static uint64_t randperm_draws(const kdl__op *op)
{
    return kdl__permutation_draws((uint64_t)op->region.numel);
}

/* Elements whose partners are worked out, and asked of memory, before the first is exchanged. */
enum { AHEAD = 256 };

/* Fisher-Yates from the front, with 32-bit draws. */
static void shuffle(int64_t *order, uint64_t n, kdl__cursor *cursor)
{
    uint32_t others[AHEAD];
    for (uint64_t i = 0; i < n; i++)
        order[i] = (int64_t)i;
    for (uint32_t i = 0, count; i + 1 < n; i += count) {
        uint32_t left = (uint32_t)n - i;
        count = left - 1 < AHEAD ? left - 1 : AHEAD;
        kdl__cursor_draws(cursor, others, count);
        for (uint32_t k = 0; k < count; k++) {
            others[k] = i + k + others[k] % (left - k);
            __builtin_prefetch(&order[others[k]], 1);
        }
        for (uint32_t k = 0; k < count; k++) {
            int64_t swapped = order[i + k];
            order[i + k] = order[others[k]];
            order[others[k]] = swapped;
        }
    }
}

static void shuffle_inside_out(int64_t *order, uint64_t n, kdl__cursor *cursor)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t other = kdl__cursor_draw64(cursor) % (i + 1);
        order[i] = (int64_t)i;
        order[i] = order[other];
        order[other] = (int64_t)i;
    }
}

void kdl__permutation(int64_t *order, uint64_t n, kdl__cursor *cursor)
{
    if (n >= long_randperm)
        shuffle_inside_out(order, n, cursor);
    else
        shuffle(order, n, cursor);
}

static kdl_status randperm_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    uint64_t n = (uint64_t)op->region.numel;
    prepared->in_place = prepared->target && op->dtype == KDL_I64;
    int64_t *order = prepared->target;
    if (!prepared->in_place)
        order = kdl__alloc_quiet(worker->ctx, n, sizeof *order);
    if (!order)
        return KDL_ERROR_MEMORY;
    kdl__cursor_move(worker->cursor, op->at.segment->stream, kdl__op_start(op));
    kdl__permutation(order, n, worker->cursor);
    prepared->whole = prepared->in_place ? NULL : order;
    return KDL_OK;
}

static kdl_status randperm_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                 uint64_t first, uint64_t count, void *values)
{
    worker->cursor->kernels->convert(KDL_I64, (const int64_t *)whole + first, op->dtype, values,
                                     count);
    return KDL_OK;
}

/*
 * The largest n whose numbers a float dtype holds exactly, as PyTorch says it; bf16 is not checked.
 */
static const char *float_limit(kdl_dtype dtype, int64_t n)
{
    if (dtype == KDL_F16 && n > 2049)
        return "2049";
    if (dtype == KDL_F32 && n > (INT64_C(1) << 24) + 1)
        return "2^24+1";
    if (dtype == KDL_F64 && n > (INT64_C(1) << 53) + 1)
        return "2^53+1";
    return NULL;
}

static kdl_status check_randperm(kdl_context *ctx, kdl_dtype dtype, int64_t n)
{
    static const char place[] = "kdl_randperm";
    const char *limit = float_limit(dtype, n);
    if (n < 0)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "Trying to create tensor with negative dimension %lld: [%lld]",
                            (long long)n, (long long)n);
    if (limit)
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "n cannot be greater than %s for %s type.", limit,
                            kdl_dtype_scalar_name(dtype));
    if ((dtype == KDL_U8 && n > 256) || (dtype == KDL_I32 && n > INT64_C(1) << 31))
        return kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                            "value cannot be converted to type %s without overflow",
                            dtype == KDL_U8 ? "uint8_t" : "int");
    if (dtype == KDL_BOOL)
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"randperm\" not implemented for 'Bool'");
    return KDL_OK;
}

static kdl_status randperm_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    (void)place;
    return check_randperm(ctx, op->dtype, op->region.numel);
}

const kdl__op_class kdl__op_randperm = {
    .name = "randperm",
    .draws = randperm_draws,
    .prepare = randperm_prepare,
    .range = randperm_range,
    .check = randperm_check,
};

kdl_tensor *kdl_randperm_with(kdl_context *ctx, int64_t n, const kdl_tensor_options *options)
{
    static const kdl_tensor_options defaults = KDL_TENSOR_INT_DEFAULTS;
    if (kdl__failed(ctx))
        return NULL;
    if (!options)
        options = &defaults;
    if (check_randperm(ctx, options->dtype, n))
        return NULL;
    kdl_generator *generator = kdl__generator_or_default(ctx, options->generator);
    kdl_tensor *tensor = generator ? kdl__empty(ctx, KDL_SHAPE(n), options) : NULL;
    kdl__op op = { .class = &kdl__op_randperm };
    kdl_status status =
        tensor ? kdl__op_apply(tensor, &op, generator, "kdl_randperm") : ctx->status;
    return kdl__created(tensor, status, options->requires_grad, "kdl_randperm");
}
