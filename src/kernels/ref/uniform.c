/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensor.uniform_: at::transformation::uniform_real as the x86 wheel computes it, that is with
 * x * (to - from) + from fused, then PyTorch's clamp of values that rounded up to `to`.
 */
#include <math.h>
#include "kernels/half.h"
#include "kernels/ref/ref.h"

enum { CHUNK = 256 }; /* values converted at a time */

static size_t chunk_size(size_t left)
{
    return left < CHUNK ? left : CHUNK;
}

/* n <= CHUNK values of [from, to], one draw each: 24 bits. */
static void affine_f32(kdl__mt *mt, float from, float to, float *out, size_t n)
{
    uint32_t draws[CHUNK];
    float range = to - from;
    kdl__draws_ref(mt, draws, n);
    for (size_t i = 0; i < n; i++)
        out[i] = fmaf((float)(draws[i] & 0xffffff) * 0x1p-24f, range, from);
}

void kdl__uniform_f32_ref(kdl__mt *mt, float from, float to, float *out, size_t n)
{
    for (size_t count; n > 0; n -= count, out += count) {
        count = chunk_size(n);
        affine_f32(mt, from, to, out, count);
        for (size_t i = 0; i < count; i++)
            out[i] = out[i] == to ? from : out[i];
    }
}

void kdl__uniform_f16_ref(kdl__mt *mt, float from, float to, uint16_t *out, size_t n)
{
    float values[CHUNK];
    uint16_t lower = kdl__f32_to_f16(from);
    float upper = kdl__f16_to_f32(kdl__f32_to_f16(to));
    for (size_t count; n > 0; n -= count, out += count) {
        count = chunk_size(n);
        affine_f32(mt, from, to, values, count);
        for (size_t i = 0; i < count; i++) {
            uint16_t value = kdl__f32_to_f16(values[i]);
            out[i] = kdl__f16_to_f32(value) == upper ? lower : value;
        }
    }
}

void kdl__uniform_bf16_ref(kdl__mt *mt, float from, float to, uint16_t *out, size_t n)
{
    float values[CHUNK];
    uint16_t lower = kdl__f32_to_bf16(from);
    float upper = kdl__bf16_to_f32(kdl__f32_to_bf16(to));
    for (size_t count; n > 0; n -= count, out += count) {
        count = chunk_size(n);
        affine_f32(mt, from, to, values, count);
        for (size_t i = 0; i < count; i++) {
            uint16_t value = kdl__f32_to_bf16(values[i]);
            out[i] = kdl__bf16_to_f32(value) == upper ? lower : value;
        }
    }
}

/* Two draws a value, the first one high; the low 53 bits count. */
void kdl__uniform_f64_ref(kdl__mt *mt, double from, double to, double *out, size_t n)
{
    uint32_t draws[2 * CHUNK];
    double range = to - from;
    for (size_t count; n > 0; n -= count, out += count) {
        count = chunk_size(n);
        kdl__draws_ref(mt, draws, 2 * count);
        for (size_t i = 0; i < count; i++) {
            uint64_t draw = (uint64_t)draws[2 * i] << 32 | draws[2 * i + 1];
            double value = fma((double)(draw & ((UINT64_C(1) << 53) - 1)) * 0x1p-53, range, from);
            out[i] = value == to ? from : value;
        }
    }
}
