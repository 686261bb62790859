/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of jumps share: random distances, and the tables to try. */
#ifndef KDL_TESTS_KERNEL_JUMP_CASES_H
#define KDL_TESTS_KERNEL_JUMP_CASES_H

#include "kernels/kernels.h"

static inline uint64_t random_bits(void)
{
    static uint64_t state = 1; /* splitmix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The next table after *index that jumps in a way of its own; NULL at the end. */
static inline const kdl__kernels *next_jump(size_t *index)
{
    const kdl__kernels *table, *other;
    while ((table = kdl__kernels_at((*index)++))) {
        size_t i = 0;
        while ((other = kdl__kernels_at(i)) != table && other->jump != table->jump)
            i++;
        if (other == table)
            break;
    }
    return table;
}

#endif
