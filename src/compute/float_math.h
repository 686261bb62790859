/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libm's functions of f32 that training calls most, without calls, tables or branches, so that
 * loops of them become vectors: within 2 units in the last place, with libm's results for zeros of
 * either sign, infinities, NaN, and whatever over- or underflows. They are made of correctly
 * rounded operations in one order: the same bits with every instruction set.
 *
 * Arguments are reduced as in W. Cody and W. Waite, Software Manual for the Elementary Functions,
 * 1980. Coefficients are of minimax polynomials, found by Lawson's algorithm in higher precision.
 */
#ifndef KDL_SRC_COMPUTE_FLOAT_MATH_H
#define KDL_SRC_COMPUTE_FLOAT_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A function of its own would keep a loop from becoming vectors. */
#define KDL__FLOAT_MATH static inline __attribute__((always_inline)) float

static inline __attribute__((always_inline)) int32_t kdl__bits_f32(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

KDL__FLOAT_MATH kdl__from_bits_f32(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n for a normal result. */
KDL__FLOAT_MATH kdl__power_of_2_f32(int32_t n)
{
    return kdl__from_bits_f32((int32_t)(((uint32_t)n + 127) << 23));
}

/* ln 2 in two parts, the first with few bits, so that its product with an exponent is exact. */
#define KDL__LN2_HIGH 0.693359375F
#define KDL__LN2_LOW (-2.12194440e-4F)

/*
 * x = n ln 2 + r, |r| <= ln 2 / 2: gives e^r - 1. What is added to round x / ln 2 leaves n in the
 * sum's last bits. A NaN stays one, with some n.
 */
KDL__FLOAT_MATH kdl__reduced_expm1_f32(float x, int32_t *n)
{
    static const float rounder = 12582912; /* 1.5 * 2^23 */
    float shifted = x * 1.44269504F + rounder, multiple = shifted - rounder;
    float r = (x - multiple * KDL__LN2_HIGH) - multiple * KDL__LN2_LOW;
    float p = 0.00139508338F;
    p = p * r + 0.00836908817F;
    p = p * r + 0.0416662022F;
    p = p * r + 0.166665167F;
    p = p * r + 0.5F;
    *n = (int32_t)((uint32_t)kdl__bits_f32(shifted) - 0x4b400000);
    return r + r * r * p;
}

/* 2^n in two factors: one alone would be no normal number at either end. */
KDL__FLOAT_MATH kdl__exp_f32(float x)
{
    int32_t n;
    x = x > 89 ? 89 : x;
    x = x < -104 ? -104 : x;
    float y = 1 + kdl__reduced_expm1_f32(x, &n);
    int32_t half = n >> 1;
    return y * kdl__power_of_2_f32(half) * kdl__power_of_2_f32(n - half);
}

/* e^x where only normal numbers count: 0 below e^-87, infinite above e^88. */
KDL__FLOAT_MATH kdl__exp_normal_f32(float x)
{
    int32_t n;
    float y = 1 + kdl__reduced_expm1_f32(x, &n);
    y *= kdl__power_of_2_f32(n);
    y = x > 88 ? INFINITY : y;
    return x < -87 ? 0 : y;
}

/* Half of it, then twice that: 2^128 is no number. Below -40 it is -1. */
KDL__FLOAT_MATH kdl__expm1_f32(float given)
{
    int32_t n;
    float x = given > 89 ? 89 : given;
    x = x < -40 ? -40 : x;
    float y = kdl__reduced_expm1_f32(x, &n), power = kdl__power_of_2_f32(n - 1);
    y = 2 * (power * y + (power - 0.5F));
    return given == 0 ? given : y; /* the sign of 0 */
}

/*
 * The logarithm of u (1 + c), where c is tiny and u positive and normal: u = 2^k m with m next to
 * 1, then the series' first terms and a polynomial for the others.
 */
KDL__FLOAT_MATH kdl__normal_log_f32(float u, float c, int32_t k)
{
    const uint32_t bits = (uint32_t)kdl__bits_f32(u), root = 0x3f3504f3; /* of 1/2 */
    int32_t exponent = (int32_t)(bits - root) >> 23;
    float f = kdl__from_bits_f32((int32_t)(bits - ((uint32_t)exponent << 23))) - 1;
    float n = (float)(k + exponent);
    float p = 0.0674659163F;
    p = p * f - 0.116756387F;
    p = p * f + 0.118881777F;
    p = p * f - 0.124055922F;
    p = p * f + 0.142195508F;
    p = p * f - 0.166679963F;
    p = p * f + 0.200021192F;
    p = p * f - 0.250000089F;
    p = p * f + 0.333333135F;
    float square = f * f, rest = f * square * p + (n * KDL__LN2_LOW + c);
    return (rest - 0.5F * square) + f + n * KDL__LN2_HIGH;
}

KDL__FLOAT_MATH kdl__log_f32(float x)
{
    float tiny = x < 0x1p-126F ? 0x1p23F : 1;
    float y = kdl__normal_log_f32(x * tiny, 0, x < 0x1p-126F ? -23 : 0);
    y = x < INFINITY ? y : x; /* and NaN */
    y = x == 0 ? -INFINITY : y;
    return x < 0 ? NAN : y;
}

/* What 1 + x loses is given back, relative to it. */
KDL__FLOAT_MATH kdl__log1p_f32(float x)
{
    float u = 1 + x, lost = x > 1 ? 1 - (u - x) : x - (u - 1);
    float y = kdl__normal_log_f32(u, lost / u, 0);
    y = x < INFINITY ? y : x;
    y = x == 0 ? x : y;
    y = x == -1 ? -INFINITY : y;
    return x < -1 ? NAN : y;
}

/* From e^2|x| - 1, which beyond 10 is large enough for 1. */
KDL__FLOAT_MATH kdl__tanh_f32(float x)
{
    float size = fabsf(x), power = kdl__expm1_f32(2 * (size > 10 ? 10 : size));
    return copysignf(power / (power + 2), x);
}

/*
 * By polynomials: below 1 of x^2, for erf(x) / x; above of x, for log(1 - erf(x)). Beyond 4 it is
 * 1.
 */
KDL__FLOAT_MATH kdl__erf_f32(float x)
{
    float size = fabsf(x), square = x * x;
    float near = 7.85385419e-05F;
    near = near * square - 0.000801019138F;
    near = near * square + 0.00518832728F;
    near = near * square - 0.026853811F;
    near = near * square + 0.112835854F;
    near = near * square - 0.37612626F;
    near = near * square + 1.12837911F;
    float bounded = size > 4 ? 4 : size;
    float far = 0.000187605649F;
    far = far * bounded - 0.00296012219F;
    far = far * bounded + 0.0218896735F;
    far = far * bounded - 0.103218265F;
    far = far * bounded - 0.638012171F;
    far = far * bounded - 1.12717164F;
    far = far * bounded - 0.000320564432F;
    far = copysignf(1 - kdl__exp_f32(far), x);
    return size < 1 ? x * near : far;
}

/*
 * (1 + erf(x / sqrt 2)) / 2: for a negative x this is e^(-x^2 / 2) times a polynomial of
 * t = 1 / (1 + 0.3275911 |x| / sqrt 2) (the form of Abramowitz and Stegun, 7.1.26). Within 3e-7,
 * and in the tail of negative x within some units of x^2's last place.
 */
KDL__FLOAT_MATH kdl__normal_cdf_f32(float x)
{
    float t = 1 / (1 + 0.231641888F * fabsf(x));
    float p = -0.0703240037F;
    p = p * t + 0.247256458F;
    p = p * t - 0.200891525F;
    p = p * t + 0.224514261F;
    p = p * t + 0.0139636016F;
    p = p * t + 0.102517731F;
    p = p * t + 0.0904429331F;
    p = p * t + 0.0925206244F;
    float tail = p * t * kdl__exp_normal_f32(x * x * -0.5F);
    return x > 0 ? 1 - tail : tail;
}

static inline double kdl__normal_cdf_f64(double x)
{
    return 0.5 * erfc(x * -0.70710678118654752440);
}

/* What the processor does by itself, or is left to libm, under names of the same kind. */
#define kdl__fabs_f32 fabsf
#define kdl__sqrt_f32 sqrtf
#define kdl__floor_f32 floorf
#define kdl__ceil_f32 ceilf
#define kdl__trunc_f32 truncf
#define kdl__nearbyint_f32 nearbyintf
#define kdl__pow_f32 powf
#define kdl__exp2_f32 exp2f
#define kdl__log2_f32 log2f
#define kdl__log10_f32 log10f
#define kdl__sin_f32 sinf
#define kdl__cos_f32 cosf
#define kdl__tan_f32 tanf
#define kdl__asin_f32 asinf
#define kdl__acos_f32 acosf
#define kdl__atan_f32 atanf
#define kdl__sinh_f32 sinhf
#define kdl__cosh_f32 coshf
#define kdl__asinh_f32 asinhf
#define kdl__acosh_f32 acoshf
#define kdl__atanh_f32 atanhf
#define kdl__erfc_f32 erfcf

#endif
