/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 16-bit floating-point formats as bit patterns: IEEE binary16 and bfloat16, to and from float,
 * rounding to nearest even as PyTorch's c10::Half and c10::BFloat16 do.
 *
 * A double goes through float first in PyTorch, and so it must here: the direct conversion differs.
 * The payload of a NaN is not part of the contract: PyTorch's own scalar and vector code disagree
 * on it. Here it is what the scalar code gives.
 */
#ifndef KDL_SRC_KERNELS_HALF_H
#define KDL_SRC_KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t kdl__f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float kdl__f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float kdl__bf16_to_f32(uint16_t bits)
{
    return kdl__f32_from_bits((uint32_t)bits << 16);
}

static inline uint16_t kdl__f32_to_bf16(float value)
{
    if (value != value)
        return 0x7fc0;
    uint32_t bits = kdl__f32_bits(value);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float kdl__f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t magnitude = bits & 0x7fff;
    if (magnitude < 0x0400) { /* zero, or a denormal: a multiple of 2^-24 */
        float value = (float)magnitude * 0x1p-24f;
        return kdl__f32_from_bits(sign | kdl__f32_bits(value));
    }
    if (magnitude < 0x7c00)
        return kdl__f32_from_bits(sign | ((magnitude << 13) + (112u << 23)));
    uint32_t quiet = magnitude > 0x7c00 ? 0x00400000 : 0;
    return kdl__f32_from_bits(sign | 0x7f800000 | magnitude << 13 | quiet);
}

static inline uint16_t kdl__f32_to_f16(float value)
{
    uint32_t bits = kdl__f32_bits(value);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    uint32_t half;
    if (magnitude > 0x7f800000) { /* NaN */
        half = 0x7e00 | (magnitude >> 13 & 0x01ff);
    } else if (magnitude >= 0x47800000) { /* 2^16 and more, infinity too */
        half = 0x7c00;
    } else if (magnitude < 0x38800000) { /* below 2^-14: adding 0.5 rounds at 2^-24 */
        half = kdl__f32_bits(kdl__f32_from_bits(magnitude) + 0.5f) - 0x3f000000;
    } else { /* rebias the exponent, round at 13 bits; a carry may reach infinity */
        half = (magnitude - (112u << 23) + 0x0fff + (magnitude >> 13 & 1)) >> 13;
    }
    return (uint16_t)(sign | half);
}

#endif
