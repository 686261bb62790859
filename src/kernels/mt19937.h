/* SPDX-License-Identifier: Apache-2.0 */
/* The two formulas of MT19937: how a raw word follows from earlier ones, and its tempering. */
#ifndef KDL_SRC_KERNELS_MT19937_H
#define KDL_SRC_KERNELS_MT19937_H

#include "kernels/kernels.h"

#define KDL__MT_SHIFT 397
#define KDL__MT_MATRIX 0x9908b0dfu

/* Word k + 624 of the sequence, from words k, k + 1 and k + 397. */
static inline uint32_t kdl__mt_twist(uint32_t word, uint32_t next, uint32_t shifted)
{
    uint32_t mixed = (word & 0x80000000u) | (next & 0x7fffffffu);
    return shifted ^ (mixed >> 1) ^ (-(next & 1u) & KDL__MT_MATRIX);
}

static inline uint32_t kdl__mt_temper(uint32_t word)
{
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

#endif
