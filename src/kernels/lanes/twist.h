/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MT19937 in vectors. A block is replaced in place: vector i of the new block follows from the old
 * vectors i and i + 1 and from the words 397 on, which are old ones while they lie in the block
 * and new ones behind it. The new block's first vector is therefore mirrored behind the block, and
 * no vector has to be put together from the two ends.
 */
#ifndef KDL_SRC_KERNELS_LANES_TWIST_H
#define KDL_SRC_KERNELS_LANES_TWIST_H

#include "kernels/mt19937.h"

enum {
    VECTORS = KDL__MT_WORDS / LANES,
    /* From this vector on, the words 397 on lie wholly in the mirror or at the block's beginning. */
    VECTORS_AHEAD = (KDL__MT_WORDS - KDL__MT_SHIFT) / LANES + 1
};

/* Vector i of the next block; to be called for i = 0 to VECTORS - 1 in order. */
INLINE words twist_vector(uint32_t *block, size_t i)
{
    uint32_t *at = block + LANES * i;
    const uint32_t *shifted = at + KDL__MT_SHIFT - (i < VECTORS_AHEAD ? 0 : KDL__MT_WORDS);
    words next = words_load(at + 1);
    words mixed = words_merge(words_all(0x7fffffff), next, words_load(at));
    words made =
        words_xor_if_odd(words_load(shifted) ^ mixed >> 1, next, words_all(KDL__MT_MATRIX));
    words_store(at, made);
    if (i == 0)
        words_store(block + KDL__MT_WORDS, made);
    return made;
}

static void regenerate(kdl__mt *mt)
{
    for (size_t i = 0; i < VECTORS; i++)
        twist_vector(mt->words, i);
    mt->next = 0;
}

INLINE words temper(words raw)
{
    raw ^= raw >> 11;
    raw ^= raw << 7 & 0x9d2c5680;
    raw ^= raw << 15 & 0xefc60000;
    return raw ^ raw >> 18;
}

/* The next `count` <= LANES raw words, in the first lanes. */
INLINE words take(kdl__mt *mt, uint32_t count)
{
    uint32_t left = KDL__MT_WORDS - mt->next;
    if (count <= left) { /* what lies behind the block is read too, but not used */
        words group = words_load(mt->words + mt->next);
        mt->next += count;
        return group;
    }
    words last = words_load(mt->words + KDL__MT_WORDS - LANES);
    regenerate(mt);
    mt->next = count - left;
    return words_slide(last, words_load(mt->words), slide_behind(left));
}

#endif
