/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensor.log() of f32 as PyTorch's wheels compute it on the processors that the profile means, for
 * the 24-bit fractions that uniform_() gives. It is not correctly rounded (1,264,763 of them
 * differ), so it has to be this one.
 *
 * x = 2^e m with m in [2/3, 4/3): log x = e ln 2 + log(1 + r), r = m - 1, by a polynomial of degree
 * 10 in r; every step is rounded, none is fused. The coefficients are those with which all 2^24
 * values agree with PyTorch 2.13.0's: they were found by least squares on its values and rounding.
 */
#ifndef KDL_SRC_INIT_TORCH_LOG_H
#define KDL_SRC_INIT_TORCH_LOG_H

#include <math.h>
#include <stdint.h>

#include "kernels/half.h"

static inline float kdl__torch_log(float x)
{
    static const float coefficients[] = { -0x1.08059p-3f, 0x1.1e66bap-3f,  -0x1.f3113cp-4f,
                                          0x1.1ed718p-3f, -0x1.559dccp-3f, 0x1.99d028p-3f,
                                          -0x1.fffefp-3f, 0x1.555506p-2f,  -0x1p-1f };
    const uint32_t two_thirds = 0x3f2aaaab;
    const float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    if (x == 0)
        return -INFINITY;
    uint32_t bits = kdl__f32_bits(x) - two_thirds;
    float e = (float)((int32_t)bits >> 23);
    float r = kdl__f32_from_bits((bits & 0x7fffff) + two_thirds) - 1;
    float p = coefficients[0];
    for (int i = 1; i < 9; i++)
        p = p * r + coefficients[i];
    return e * ln2_high + (r + r * (r * p) + e * ln2_low);
}

#endif
