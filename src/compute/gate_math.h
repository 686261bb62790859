/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp, sigmoid and tanh in f32 without calls or branches, so that loops of them become vectors: within 4
 * units in the last place. Choices are made among bits, which every compiler turns into masks.
 */
#ifndef KDL_SRC_COMPUTE_GATE_MATH_H
#define KDL_SRC_COMPUTE_GATE_MATH_H

#include <stdint.h>
#include <string.h>

static inline int32_t kdl__bits_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float kdl__float_of(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

enum {
    KDL__FLOAT_MAGNITUDE = 0x7fffffff, /* all bits but the sign */
    KDL__FLOAT_INFINITY = 0x7f800000,  /* larger ones, as magnitudes, are NaN */
    KDL__FLOAT_NAN = 0x7fc00000,
    KDL__FLOAT_87 = 0x42ae0000, /* e^-87 is still a normal number */
    KDL__FLOAT_0_3 = 0x3e99999a,
};

/*
 * e^-size of a magnitude, at least e^-87: 2^n e^r with n = round(-size / ln 2), |r| <= ln 2 / 2, and
 * e^r by Taylor's series to r^7, whose rest is below 1e-8. ln 2 is taken in two parts, the first
 * with few bits, so that n times it is exact.
 */
static inline float kdl__exp_of_minus(float size)
{
    static const float to_integer = 12582912; /* 1.5 * 2^23: the last bit then stands for 1 */
    int32_t bits = kdl__bits_of(size);
    float x = -kdl__float_of(bits < KDL__FLOAT_87 ? bits : KDL__FLOAT_87);
    float shifted = x * 1.44269504F + to_integer, n = shifted - to_integer;
    float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    float series = 1.0F / 5040;
    series = series * r + 1.0F / 720;
    series = series * r + 1.0F / 120;
    series = series * r + 1.0F / 24;
    series = series * r + 1.0F / 6;
    series = series * r + 0.5F;
    series = series * r + 1;
    series = series * r + 1;
    /* n + 127 in the place of an exponent. */
    return series * kdl__float_of((int32_t)(((uint32_t)kdl__bits_of(shifted) + 127) << 23));
}

/* The same down to 0, which it is from 87 on; NaN stays NaN. For what softmax takes of its row. */
static inline float kdl__exp_down(float size)
{
    int32_t bits = kdl__bits_of(size), inside = -(bits < KDL__FLOAT_87);
    int32_t nan = -((bits & KDL__FLOAT_MAGNITUDE) > KDL__FLOAT_INFINITY);
    int32_t result = kdl__bits_of(kdl__exp_of_minus(size)) & inside;
    return kdl__float_of(result | (nan & KDL__FLOAT_NAN));
}

/* 1 / (1 + e^-x), from e^-|x|, which cannot overflow. */
static inline float kdl__gate_sigmoid(float x)
{
    int32_t bits = kdl__bits_of(x), magnitude = bits & KDL__FLOAT_MAGNITUDE;
    int32_t negative = -(bits < 0), nan = -(magnitude > KDL__FLOAT_INFINITY);
    float e = kdl__exp_of_minus(kdl__float_of(magnitude)), y = 1 / (1 + e);
    int32_t result = (kdl__bits_of(y) & ~negative) | (kdl__bits_of(e * y) & negative);
    return kdl__float_of(result | (nan & KDL__FLOAT_NAN));
}

/* Near 0, where 1 - e^-2|x| would lose digits, Taylor's series to x^11 (its rest is below 1e-8). */
static inline float kdl__gate_tanh(float x)
{
    int32_t bits = kdl__bits_of(x), magnitude = bits & KDL__FLOAT_MAGNITUDE;
    int32_t near = -(magnitude < KDL__FLOAT_0_3), nan = -(magnitude > KDL__FLOAT_INFINITY);
    float e = kdl__exp_of_minus(2 * kdl__float_of(magnitude));
    int32_t far = kdl__bits_of((1 - e) / (1 + e)) | (bits & ~KDL__FLOAT_MAGNITUDE);
    float square = x * x, series = -1382.0F / 155925;
    series = series * square + 62.0F / 2835;
    series = series * square - 17.0F / 315;
    series = series * square + 2.0F / 15;
    series = series * square - 1.0F / 3;
    int32_t result = (kdl__bits_of(x + x * (square * series)) & near) | (far & ~near);
    return kdl__float_of(result | (nan & KDL__FLOAT_NAN));
}

#endif
