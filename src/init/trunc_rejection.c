/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trunc_normal_ where little of the normal lies within the bounds: uniform candidates, each taken
 * when the logarithm of another uniform does not exceed its log-density, relative to the highest.
 * Each round draws a candidate for every element of the tensor, then a uniform for every element.
 */
#include <math.h>
#include <string.h>

#include "init/torch_log.h"
#include "init/trunc_normal.h"

/*
 * PyTorch computes the log-density in place in the tensor's dtype: every step is rounded to it, and
 * so is what sub_() subtracts, but not what div_() divides by.
 */
typedef struct density {
    kdl_dtype dtype;
    double mean, std, log_peak;
} density;

static density density_of(const kdl__op *op)
{
    double mean = op->number[0], std = op->number[1];
    double mode = kdl__trunc_mode(mean, op->number[2], op->number[3]);
    return (density){ op->dtype, mean, std, -0.5 * kdl__square((mode - mean) / std) };
}

static float rounded(kdl_dtype dtype, float value)
{
    if (dtype == KDL_F16)
        return kdl__f16_to_f32(kdl__f32_to_f16(value));
    return dtype == KDL_BF16 ? kdl__bf16_to_f32(kdl__f32_to_bf16(value)) : value;
}

static bool rejects_f64(const density *d, double candidate, double uniform)
{
    double z = (candidate - d->mean) / d->std;
    return log(uniform) > z * z * -0.5 - d->log_peak;
}

static bool rejects(const density *d, float candidate, float uniform)
{
    float mean = rounded(d->dtype, (float)d->mean),
          log_peak = rounded(d->dtype, (float)d->log_peak);
    float t = rounded(d->dtype, candidate - mean);
    t = rounded(d->dtype, t / (float)d->std);
    t = rounded(d->dtype, t * t);
    t = rounded(d->dtype, t * -0.5f);
    t = rounded(d->dtype, t - log_peak);
    float log_uniform = d->dtype == KDL_F32 ? kdl__torch_log(uniform)
                                            : rounded(d->dtype, (float)log((double)uniform));
    return log_uniform > t;
}

enum { GROUP = 64 }; /* elements that are drawn together */

/* Two engines in one round: the candidates' and the uniforms'. */
typedef struct engines {
    kdl__cursor *candidates, *uniforms;
    kdl__fill candidate, uniform;
    uint64_t draw; /* where the round begins */
} engines;

/* One round of a group: pending elements take their candidates, and may stay pending. */
static void run_group(const density *d, kdl__stream *stream, const engines *e, uint64_t first,
                      uint64_t count, unsigned char *pending, char *values)
{
    _Alignas(16) char candidates[GROUP * sizeof(double)], uniforms[GROUP * sizeof(double)];
    float candidate[GROUP], uniform[GROUP];
    const kdl__kernels *kernels = e->candidates->kernels;
    size_t size = kdl_dtype_nbytes(d->dtype);
    uint64_t behind = e->draw + kdl__fill_draws(&e->candidate);
    kdl__fill_range(&e->candidate, stream, e->draw, e->candidates, first, count, candidates);
    kdl__fill_range(&e->uniform, stream, behind, e->uniforms, first, count, uniforms);
    if (d->dtype != KDL_F64) {
        kernels->convert(d->dtype, candidates, KDL_F32, candidate, count);
        kernels->convert(d->dtype, uniforms, KDL_F32, uniform, count);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!pending[i])
            continue;
        memcpy(values + i * size, candidates + i * size, size);
        if (d->dtype == KDL_F64)
            pending[i] =
                rejects_f64(d, ((double *)(void *)candidates)[i], ((double *)(void *)uniforms)[i]);
        else
            pending[i] = rejects(d, candidate[i], uniform[i]);
    }
}

/* Rounds until nothing is pending. */
static uint64_t run_rounds(const kdl__op *op, engines *e, uint64_t first, uint64_t count,
                           unsigned char *pending, char *values)
{
    density d = density_of(op);
    size_t size = kdl_dtype_nbytes(op->dtype);
    uint64_t taken = 0;
    memset(pending, 1, count);
    for (; memchr(pending, 1, count); taken++) {
        for (uint64_t i = 0; i < count; i += GROUP) {
            uint64_t n = count - i < GROUP ? count - i : GROUP;
            if (memchr(pending + i, 1, n))
                run_group(&d, op->at.segment->stream, e, first + i, n, pending + i,
                          values + i * size);
        }
        e->draw += 2 * kdl__fill_draws(&e->candidate);
    }
    return taken;
}

static kdl__fill uniform_of(const kdl__op *op, double a, double b)
{
    return (kdl__fill){
        .distribution = KDL__UNIFORM,
        .dtype = op->dtype,
        .numel = (uint64_t)op->region.numel,
        .a = a,
        .b = b,
    };
}

static kdl_status reject_chunk(const kdl__rounds *rounds, kdl__cursor *cursor, uint64_t first,
                               uint64_t count, void *values, uint64_t *taken)
{
    const kdl__op *op = rounds->op;
    unsigned char *pending = kdl__alloc_quiet(rounds->ctx, count, 1);
    if (!pending)
        return KDL_ERROR_MEMORY;
    kdl__cursor other;
    kdl__cursor_init(&other, cursor->kernels);
    engines e = {
        .candidates = cursor,
        .uniforms = &other,
        .candidate = uniform_of(op, op->number[2], op->number[3]),
        .uniform = uniform_of(op, 0, 1),
        .draw = kdl__op_start(op),
    };
    *taken = run_rounds(op, &e, first, count, pending, values);
    kdl__cursor_free(&other);
    kdl_free(rounds->ctx, pending);
    return KDL_OK;
}

static kdl_status rejection_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    kdl__rounds rounds = { .op = op, .chunk = reject_chunk };
    kdl__fill candidate = uniform_of(op, op->number[2], op->number[3]);
    kdl_status status = kdl__rounds_run(&rounds, worker, prepared);
    prepared->draws = rounds.taken * 2 * kdl__fill_draws(&candidate);
    return status;
}

const kdl__op_class kdl__op_trunc_normal_rejection = {
    .name = "trunc_normal_rejection",
    .flags = KDL__OP_STREAM_ORDER,
    .number_names = { "mean", "std", "a", "b" },
    .draws = kdl__rounds_draws,
    .prepare = rejection_prepare,
    .range = kdl__rounds_range,
    .check = kdl__trunc_normal_check,
};
