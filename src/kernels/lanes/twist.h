/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MT19937 in vectors. A block is replaced in place: vector i of the new block follows from the old
 * vectors i and i + 1 and from the words 397 on, which are old ones while they lie in the block
 * and new ones behind it. The first words of the new block are therefore mirrored behind the block:
 * no vector has to be put together from the two ends, neither there nor where draws are taken.
 */
#ifndef KDL_SRC_KERNELS_LANES_TWIST_H
#define KDL_SRC_KERNELS_LANES_TWIST_H

#include "kernels/mt19937.h"

enum {
    VECTORS = KDL__MT_WORDS / LANES,
    MIRROR = KDL__MT_SCRATCH,
    /*
     * From this vector on, the words 397 on lie wholly in the mirror or at the block's beginning.
     */
    VECTORS_AHEAD = (KDL__MT_WORDS - KDL__MT_SHIFT) / LANES + 1
};

/* Makes vector i of the next block; to be called for i = 0 to VECTORS - 1 in order. */
INLINE void twist_vector(uint32_t *block, size_t i)
{
    uint32_t *at = block + LANES * i;
    const uint32_t *shifted = at + KDL__MT_SHIFT - (i < VECTORS_AHEAD ? 0 : KDL__MT_WORDS);
    words next = words_load(at + 1);
    words mixed = words_merge(words_all(0x7fffffff), next, words_load(at));
    words made =
        words_xor_if_odd(words_load(shifted) ^ mixed >> 1, next, words_all(KDL__MT_MATRIX));
    words_store(at, made);
    if (i < MIRROR / LANES)
        words_store(at + KDL__MT_WORDS, made);
}

static void twist_from(uint32_t *block, size_t i)
{
    for (; i < VECTORS; i++)
        twist_vector(block, i);
}

static void regenerate(kdl__mt *mt)
{
    twist_from(mt->words, 0);
    mt->next = 0;
}

INLINE words temper(words raw)
{
    raw ^= raw >> 11;
    raw ^= raw << 7 & 0x9d2c5680;
    raw ^= raw << 15 & 0xefc60000;
    return raw ^ raw >> 18;
}

/* The next `count` <= LANES raw words, in the first lanes; the others are anything. */
INLINE words take(kdl__mt *mt, uint32_t count)
{
    const uint32_t *from = mt->words + mt->next;
    mt->next += count;
    if (mt->next <= KDL__MT_WORDS)
        return words_load(from);
    mt->next -= KDL__MT_WORDS;
    twist_vector(mt->words, 0);
    words group = words_load(from); /* from the old block, then from the mirror of the new one */
    twist_from(mt->words, 1);
    return group;
}

#endif
