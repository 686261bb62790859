/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensor.normal_ of contiguous tensors: at::native's normal_fill, Box-Muller on blocks of 16
 * uniforms, of which the first 8 give the radius and the last 8 the angle.
 *
 * In float the logarithm, sine and cosine are the single-precision polynomials of S. Moshier's
 * Cephes library, with each multiplication and addition fused where PyTorch's AVX2 build fuses
 * them. In double they are libm's.
 */
#include <math.h>
#include "kernels/half.h"
#include "kernels/ref/ref.h"

enum { BLOCK = 16, PAIRS = 8 };

/* The natural logarithm of a normal number in (0, 1]. */
static float log_cephes(float x)
{
    uint32_t bits = kdl__f32_bits(x);
    int exponent = (int)(bits >> 23) - 126;
    float m = kdl__f32_from_bits((bits & 0x007fffff) | 0x3f000000); /* [0.5, 1) */
    if (m < 0.707106781186547524f) {
        exponent -= 1;
        m = (m - 1.0f) + m;
    } else {
        m = m - 1.0f;
    }
    float e = (float)exponent;
    float z = m * m;
    float y = 7.0376836292e-2f;
    y = fmaf(y, m, -1.1514610310e-1f);
    y = fmaf(y, m, 1.1676998740e-1f);
    y = fmaf(y, m, -1.2420140846e-1f);
    y = fmaf(y, m, 1.4249322787e-1f);
    y = fmaf(y, m, -1.6668057665e-1f);
    y = fmaf(y, m, 2.0000714765e-1f);
    y = fmaf(y, m, -2.4999993993e-1f);
    y = fmaf(y, m, 3.3333331174e-1f);
    y = y * m;
    y = fmaf(y, z, e * -2.12194440e-4f); /* ln 2 = 0.693359375 - 2.12194440e-4 */
    y = fmaf(-z, 0.5f, y);
    return fmaf(e, 0.693359375f, m + y);
}

/* Sine and cosine of an angle in [0, 2 pi]. */
static void sincos_cephes(float angle, float *sine, float *cosine)
{
    int octant = ((int)(angle * 1.27323954473516f) + 1) & ~1; /* 4 / pi */
    float j = (float)octant;
    float x = fmaf(j, -0.78515625f, angle); /* pi / 4 in three parts */
    x = fmaf(j, -2.4187564849853515625e-4f, x);
    x = fmaf(j, -3.77489497744594108e-8f, x);
    float z = x * x;

    float c = 2.443315711809948e-5f;
    c = fmaf(c, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = c * z;
    c = fmaf(c, z, -(z * 0.5f));
    c = c + 1.0f;

    float s = -1.9515295891e-4f;
    s = fmaf(s, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = s * z;
    s = fmaf(s, x, x);

    bool swapped = octant & 2;
    *sine = swapped ? c : s;
    *cosine = swapped ? s : c;
    if (octant & 4)
        *sine = -*sine;
    if (((octant + 2) & 4) != 0)
        *cosine = -*cosine;
}

static void block_f32(kdl__mt *mt, float mean, float std, float out[BLOCK])
{
    kdl__uniform_f32_ref(mt, 0.0f, 1.0f, out, BLOCK);
    for (int i = 0; i < PAIRS; i++) {
        float radius = sqrtf(-2.0f * log_cephes(1.0f - out[i]));
        float sine, cosine;
        sincos_cephes((float)(2.0 * 3.14159265358979323846) * out[i + PAIRS], &sine, &cosine);
        out[i] = fmaf(radius * cosine, std, mean);
        out[i + PAIRS] = fmaf(radius * sine, std, mean);
    }
}

void kdl__normal_f32_ref(kdl__mt *mt, float mean, float std, float *out, size_t n)
{
    for (size_t i = 0; i < n; i += BLOCK)
        block_f32(mt, mean, std, out + i);
}

void kdl__normal_f16_ref(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n)
{
    float block[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        block_f32(mt, mean, std, block);
        for (int j = 0; j < BLOCK; j++)
            out[i + (size_t)j] = kdl__f32_to_f16(block[j]);
    }
}

void kdl__normal_bf16_ref(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n)
{
    float block[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        block_f32(mt, mean, std, block);
        for (int j = 0; j < BLOCK; j++)
            out[i + (size_t)j] = kdl__f32_to_bf16(block[j]);
    }
}

void kdl__box_muller_f64_ref(double mean, double std, double *values, size_t n)
{
    for (double *end = values + n; values < end; values += BLOCK) {
        for (int i = 0; i < PAIRS; i++) {
            double radius = sqrt(-2.0 * log(1.0 - values[i]));
            double angle = 2.0 * 3.14159265358979323846 * values[i + PAIRS];
            values[i] = fma(radius * cos(angle), std, mean);
            values[i + PAIRS] = fma(radius * sin(angle), std, mean);
        }
    }
}

void kdl__normal_f64_ref(kdl__mt *mt, double mean, double std, double *out, size_t n)
{
    for (size_t i = 0; i < n; i += BLOCK) {
        kdl__uniform_f64_ref(mt, 0.0, 1.0, out + i, BLOCK);
        kdl__box_muller_f64_ref(mean, std, out + i, BLOCK);
    }
}
