/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean, standard deviation and extremes of a file's tensor, in one pass: blocks are summed up by
 * themselves and joined in order by the formulas of Chan, Golub and LeVeque (1979), so that the
 * result neither cancels nor depends on the threads.
 */
#include <math.h>
#include <stdatomic.h>

#include "checkpoint/checkpoint.h"
#include "kernels/kernels.h"

enum { BLOCK = 4096, BLOCKS_A_PIECE = 64, PIECE = BLOCK * BLOCKS_A_PIECE, LANES = 8 };

typedef struct moments {
    double count, mean, squares; /* squares: of the deviations from the mean, summed */
    double min, max;
    bool has_nan;
} moments;

static const moments no_moments = { 0, 0, 0, INFINITY, -INFINITY, false };

/* In lanes, which the compiler can put side by side without reordering any sum. */
static moments block_moments(const double *values, size_t count)
{
    double sum[LANES] = { 0 }, squares[LANES] = { 0 };
    moments m = no_moments;
    for (size_t i = 0; i < count; i++)
        sum[i % LANES] += values[i];
    for (int lane = 0; lane < LANES; lane++)
        m.mean += sum[lane];
    m.count = (double)count;
    m.mean /= m.count;
    for (size_t i = 0; i < count; i++)
        squares[i % LANES] += (values[i] - m.mean) * (values[i] - m.mean);
    for (int lane = 0; lane < LANES; lane++)
        m.squares += squares[lane];
    for (size_t i = 0; i < count; i++) {
        m.min = values[i] < m.min ? values[i] : m.min;
        m.max = values[i] > m.max ? values[i] : m.max;
        m.has_nan |= isnan(values[i]);
    }
    return m;
}

static moments join(moments a, moments b)
{
    moments m = { .count = a.count + b.count, .has_nan = a.has_nan || b.has_nan };
    if (b.count == 0 || a.count == 0)
        return b.count == 0 ? a : b;
    double delta = b.mean - a.mean;
    m.mean = a.mean + delta * (b.count / m.count);
    m.squares = a.squares + b.squares + delta * delta * (a.count * b.count / m.count);
    m.min = a.min < b.min ? a.min : b.min;
    m.max = a.max > b.max ? a.max : b.max;
    return m;
}

typedef struct job {
    const kdl_safetensors *file;
    const kdl_safetensors_entry *entry;
    moments *pieces;
    atomic_int error; /* an errno */
} job;

static kdl_status summarize_piece(void *user_data, size_t index, int worker)
{
    job *all = user_data;
    const kdl_safetensors_entry *entry = all->entry;
    size_t size = kdl_dtype_nbytes(entry->dtype);
    _Alignas(64) char raw[BLOCK * sizeof(double)];
    _Alignas(64) double values[BLOCK];
    const kdl__kernels *kernels = kdl__kernels_of(kdl_safetensors_context(all->file));
    moments piece = no_moments;
    uint64_t first = (uint64_t)index * PIECE, end = first + PIECE;
    (void)worker;
    if (end > (uint64_t)entry->numel)
        end = (uint64_t)entry->numel;
    for (; first < end; first += BLOCK) {
        size_t count = end - first < BLOCK ? (size_t)(end - first) : BLOCK;
        int error =
            kdl__safetensors_pread(all->file, entry->offset + first * size, raw, count * size);
        if (error) {
            atomic_store(&all->error, error);
            return KDL_ERROR_IO;
        }
        kernels->convert(entry->dtype, raw, KDL_F64, values, count);
        piece = join(piece, block_moments(values, count));
    }
    all->pieces[index] = piece;
    return KDL_OK;
}

kdl_status kdl_safetensors_summarize(kdl_safetensors *file, int index, kdl_summary *summary)
{
    kdl_context *ctx = kdl_safetensors_context(file);
    const kdl_safetensors_entry *entry = kdl__safetensors_check(file, index, 0, 0);
    if (!entry)
        return ctx ? kdl_error_status(ctx) : KDL_ERROR_VALUE;
    size_t pieces = (size_t)(entry->numel / PIECE + (entry->numel % PIECE != 0));
    job all = { file, entry, kdl__alloc(ctx, pieces, sizeof *all.pieces), 0 };
    if (!all.pieces)
        return kdl_error_status(ctx);
    moments m = no_moments;
    if (kdl__parallel(ctx, pieces, summarize_piece, &all))
        kdl__safetensors_fail(file, atomic_load(&all.error));
    else
        for (size_t i = 0; i < pieces; i++)
            m = join(m, all.pieces[i]);
    kdl_free(ctx, all.pieces);
    bool none = m.count == 0 || m.has_nan;
    *summary = (kdl_summary){
        .numel = entry->numel,
        .mean = none ? NAN : m.mean,
        .std = none || m.count < 2 ? NAN : sqrt(m.squares / (m.count - 1)),
        .min = none ? NAN : m.min,
        .max = none ? NAN : m.max,
    };
    return kdl_error_status(ctx);
}
