/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor.uniform_, normal_ and the other in-place random functions. */
#include "ops/ops.h"

/* The fill that an op of one of kdl__op_fills stands for. */
static kdl__fill fill_of(const kdl__op *op)
{
    return (kdl__fill){
        .distribution = (kdl__distribution)(op->class - kdl__op_fills),
        .dtype = op->dtype,
        .numel = (uint64_t)op->region.numel,
        .a = op->number[0],
        .b = op->number[1],
        .low = op->integer[0],
        .range = (uint64_t)op->integer[1],
        .has_spare = op->spare.present,
    };
}

static uint64_t fill_draws(const kdl__op *op)
{
    kdl__fill fill = fill_of(op);
    return kdl__fill_draws(&fill);
}

static bool fill_leaves_spare(const kdl__op *op, uint64_t *offset)
{
    kdl__fill fill = fill_of(op);
    return kdl__fill_leaves_spare(&fill, offset);
}

static kdl_status fill_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                             uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    kdl__fill fill = fill_of(op);
    if (fill.has_spare && first == 0)
        fill.spare = kdl__spare_value(&op->spare, worker->cursor);
    kdl__fill_range(&fill, op->at.segment->stream, kdl__op_start(op), worker->cursor, first, count,
                    values);
    return KDL_OK;
}

/* PyTorch's normal_ fills blocks of 16 only where the tensor is contiguous and has that many. */
static kdl_status fill_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    kdl__fill fill = fill_of(op);
    bool blocks = op->region.numel >= 16 && kdl__region_is_contiguous(&op->region);
    if (fill.distribution == KDL__NORMAL && !blocks)
        op->class = &kdl__op_fills[KDL__NORMAL_SERIAL];
    return kdl__fill_check(ctx, place, &fill);
}

#define FILL_CLASS(recipe_name, spare, ...)                                                        \
    {                                                                                              \
        .name = recipe_name, .flags = KDL__OP_STREAM_ORDER, .draws = fill_draws,                   \
        .leaves_spare = spare, .range = fill_range, .check = fill_check, __VA_ARGS__               \
    }

const kdl__op_class kdl__op_fills[KDL__DISTRIBUTION_COUNT] = {
    [KDL__UNIFORM] = FILL_CLASS("uniform", NULL, .number_names = { "from", "to" }),
    [KDL__NORMAL] = FILL_CLASS("normal", NULL, .number_names = { "mean", "std" }),
    [KDL__NORMAL_SERIAL] =
        FILL_CLASS("normal_serial", fill_leaves_spare, .number_names = { "mean", "std" }),
    [KDL__LOG_NORMAL] =
        FILL_CLASS("log_normal", fill_leaves_spare, .number_names = { "mean", "std" }),
    [KDL__EXPONENTIAL] = FILL_CLASS("exponential", NULL, .number_names = { "lambd" }),
    [KDL__CAUCHY] = FILL_CLASS("cauchy", NULL, .number_names = { "median", "sigma" }),
    [KDL__GEOMETRIC] = FILL_CLASS("geometric", NULL, .number_names = { "p" }),
    [KDL__BERNOULLI] = FILL_CLASS("bernoulli", NULL, .number_names = { "p" }),
    [KDL__RANDOM] = FILL_CLASS("random", NULL, .integer_names = { "low", "range" }),
    [KDL__RANDOM_DTYPE] = FILL_CLASS("random_dtype", NULL),
};

kdl_status kdl__random_fill(kdl_tensor *tensor, const kdl__fill *fill, kdl_generator *generator,
                            const char *place)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    generator = kdl__generator_or_default(tensor->ctx, generator);
    if (!generator)
        return tensor->ctx->status;
    kdl__op op = {
        .class = &kdl__op_fills[fill->distribution],
        .number = { fill->a, fill->b },
        .integer = { fill->low, (int64_t)fill->range },
    };
    return kdl__op_apply(tensor, &op, generator, place);
}

static kdl_status fill_with(kdl_tensor *tensor, kdl__distribution distribution, double a, double b,
                            const kdl_random_options *options, const char *place)
{
    kdl__fill fill = { .distribution = distribution, .a = a, .b = b };
    return kdl__random_fill(tensor, &fill, options ? options->generator : NULL, place);
}

kdl_status kdl_uniform_with_(kdl_tensor *tensor, double from, double to,
                             const kdl_random_options *options)
{
    return fill_with(tensor, KDL__UNIFORM, from, to, options, "kdl_uniform_");
}

kdl_status kdl_normal_with_(kdl_tensor *tensor, double mean, double std,
                            const kdl_random_options *options)
{
    return fill_with(tensor, KDL__NORMAL, mean, std, options, "kdl_normal_");
}

kdl_status kdl_log_normal_with_(kdl_tensor *tensor, double mean, double std,
                                const kdl_random_options *options)
{
    return fill_with(tensor, KDL__LOG_NORMAL, mean, std, options, "kdl_log_normal_");
}

kdl_status kdl_exponential_with_(kdl_tensor *tensor, double lambd,
                                 const kdl_random_options *options)
{
    return fill_with(tensor, KDL__EXPONENTIAL, lambd, 0, options, "kdl_exponential_");
}

kdl_status kdl_cauchy_with_(kdl_tensor *tensor, double median, double sigma,
                            const kdl_random_options *options)
{
    return fill_with(tensor, KDL__CAUCHY, median, sigma, options, "kdl_cauchy_");
}

kdl_status kdl_geometric_with_(kdl_tensor *tensor, double p, const kdl_random_options *options)
{
    return fill_with(tensor, KDL__GEOMETRIC, p, 0, options, "kdl_geometric_");
}

kdl_status kdl_bernoulli_with_(kdl_tensor *tensor, double p, const kdl_random_options *options)
{
    return fill_with(tensor, KDL__BERNOULLI, p, 0, options, "kdl_bernoulli_");
}

kdl_status kdl_random_with_(kdl_tensor *tensor, const kdl_random_options *options)
{
    return fill_with(tensor, KDL__RANDOM_DTYPE, 0, 0, options, "kdl_random_");
}

kdl_status kdl__random_range(kdl_tensor *tensor, int64_t from, int64_t to, kdl_generator *generator,
                             const char *place)
{
    if (kdl__refuses(tensor) || kdl__check_written(tensor, NULL, place))
        return kdl__refusal(tensor);
    kdl__fill fill = { .dtype = tensor->storage->dtype };
    kdl_status status = kdl__fill_set_range(tensor->ctx, place, &fill, from, to);
    return status ? status : kdl__random_fill(tensor, &fill, generator, place);
}

kdl_status kdl_random_range_with_(kdl_tensor *tensor, int64_t from, int64_t to,
                                  const kdl_random_options *options)
{
    return kdl__random_range(tensor, from, to, options ? options->generator : NULL,
                             "kdl_random_range_");
}

kdl_status kdl_random_from_with_(kdl_tensor *tensor, int64_t from,
                                 const kdl_random_options *options)
{
    static const char place[] = "kdl_random_from_";
    if (kdl__refuses(tensor) || kdl__check_written(tensor, NULL, place))
        return kdl__refusal(tensor);
    kdl__fill fill = { .dtype = tensor->storage->dtype };
    kdl_status status = kdl__fill_set_from(tensor->ctx, place, &fill, from);
    if (status)
        return status;
    return kdl__random_fill(tensor, &fill, options ? options->generator : NULL, place);
}

/* ---- bernoulli_ with a probability for each element ---------------------------------------- */

enum { PIECE = 1024 }; /* elements computed at a time */

/* The dtype of the probabilities decides what is drawn. */
static unsigned bernoulli_width(const kdl__op *op)
{
    return op->source.dtype == KDL_F64 ? 2 : 1;
}

static uint64_t bernoulli_draws(const kdl__op *op)
{
    return (uint64_t)op->region.numel * bernoulli_width(op);
}

/*
 * Probabilities [first, first + count), at most PIECE of them; KDL_ERROR_RUNTIME where one is none.
 */
static kdl_status read_probabilities(const kdl__values *source, kdl__worker *worker, uint64_t first,
                                     uint64_t count, double *out)
{
    double raw[PIECE];
    kdl_status status = kdl__values_range(source, worker, first, count, raw);
    if (status)
        return status;
    worker->cursor->kernels->convert(source->dtype, raw, KDL_F64, out, count);
    bool valid = true;
    for (uint64_t i = 0; i < count; i++)
        valid &= out[i] >= 0 && out[i] <= 1;
    return valid ? KDL_OK : KDL_ERROR_RUNTIME;
}

/* Uniform numbers on [0, 1) as PyTorch compares them with probabilities of `dtype`. */
static void draw_for(kdl_dtype dtype, kdl__cursor *cursor, double *out, uint64_t count)
{
    float narrow[PIECE];
    if (dtype == KDL_F64) {
        kdl__cursor_uniforms(cursor, out, count);
        return;
    }
    cursor->kernels->uniform_f32(&cursor->mt, 0, 1, narrow, count);
    cursor->draw += count;
    cursor->kernels->convert(KDL_F32, narrow, KDL_F64, out, count);
}

static kdl_status bernoulli_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                  uint64_t first, uint64_t count, void *values)
{
    (void)whole;
    const unsigned width = bernoulli_width(op);
    kdl__cursor *cursor = worker->cursor;
    char *out = values;
    for (uint64_t n; count > 0; count -= n, first += n, out += n * kdl_dtype_nbytes(op->dtype)) {
        double probabilities[PIECE], uniforms[PIECE];
        n = count < PIECE ? count : PIECE;
        kdl_status status = read_probabilities(&op->source, worker, first, n, probabilities);
        if (status)
            return status;
        kdl__cursor_move(cursor, op->at.segment->stream, kdl__op_start(op) + width * first);
        draw_for(op->source.dtype, cursor, uniforms, n);
        for (uint64_t i = 0; i < n; i++)
            uniforms[i] = uniforms[i] < probabilities[i] ? 1.0 : 0.0;
        cursor->kernels->convert(KDL_F64, uniforms, op->dtype, out, n);
    }
    return KDL_OK;
}

/* Probabilities in memory are looked at before anything is drawn, recorded ones in time. */
static kdl_status bernoulli_check(kdl__op *op, kdl_context *ctx, const char *place)
{
    const kdl__values *source = &op->source;
    const uint64_t numel = source->storage ? (uint64_t)source->region.numel : 0;
    double piece[PIECE];
    kdl_status status = KDL_OK;
    if (!kdl_dtype_is_floating_point(source->dtype))
        return kdl__fail_at(ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                            "\"bernoulli_tensor_cpu_p_\" not implemented for '%s'",
                            kdl_dtype_scalar_name(source->dtype));
    kdl__cursor cursor;
    kdl__cursor_init(&cursor, kdl__kernels_of(ctx));
    kdl__worker worker = { ctx, &cursor, false };
    for (uint64_t first = 0; first < numel && !status; first += PIECE) {
        uint64_t n = numel - first < PIECE ? numel - first : PIECE;
        status = read_probabilities(source, &worker, first, n, piece);
    }
    kdl__cursor_free(&cursor);
    return status ? kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                                 "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  "
                                 "(Could this error message be improved?  If so, please report an "
                                 "enhancement request to PyTorch.)")
                  : KDL_OK;
}

const kdl__op_class kdl__op_bernoulli_tensor = {
    .name = "bernoulli_tensor",
    .flags = KDL__OP_STREAM_ORDER | KDL__OP_SOURCE,
    .draws = bernoulli_draws,
    .range = bernoulli_range,
    .check = bernoulli_check,
};

kdl_status kdl_bernoulli_tensor_with_(kdl_tensor *tensor, kdl_tensor *p,
                                      const kdl_random_options *options)
{
    static const char place[] = "kdl_bernoulli_tensor_";
    kdl_status status = kdl__check_contexts(tensor, p, place);
    if (status || tensor->numel == 0)
        return status;
    kdl_generator *generator =
        kdl__generator_or_default(tensor->ctx, options ? options->generator : NULL);
    if (!generator || kdl__check_written(tensor, NULL, place))
        return tensor->ctx->status;
    return kdl__apply_source(tensor, &kdl__op_bernoulli_tensor, p, generator, place);
}
