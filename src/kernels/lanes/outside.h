/* SPDX-License-Identifier: Apache-2.0 */
/* Which values lie outside of bounds. */
#ifndef KDL_SRC_KERNELS_LANES_OUTSIDE_H
#define KDL_SRC_KERNELS_LANES_OUTSIDE_H

#include "kernels/lanes/lanes.h"
#include "kernels/ref/ref.h"

static size_t list_outside_f32(const float *values, float lowest, float highest, size_t n,
                               uint32_t first, uint32_t *numbers)
{
    const floats low = (floats){ 0 } + lowest, high = (floats){ 0 } + highest;
    size_t count = 0, i = 0;
    for (; i + LANES <= n; i += LANES) {
        floats value;
        memcpy(&value, values + i, sizeof value);
        count += floats_list_outside(value, low, high, first + (uint32_t)i, numbers + count);
    }
    return count + kdl__list_outside_f32_ref(values + i, lowest, highest, n - i,
                                             first + (uint32_t)i, numbers + count);
}

#endif
