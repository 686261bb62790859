/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MT19937 engine: M. Matsumoto, T. Nishimura, "Mersenne Twister: a 623-dimensionally
 * equidistributed uniform pseudo-random number generator", ACM TOMACS 8(1), 1998; seeded as in
 * their 2002 revision, which is what at::mt19937 does.
 */
#include "kernels/mt19937.h"

void kdl__mt_seed(kdl__mt *mt, uint32_t seed)
{
    uint32_t word = seed;
    mt->words[0] = word;
    for (uint32_t i = 1; i < KDL__MT_WORDS; i++) {
        word = 1812433253u * (word ^ (word >> 30)) + i;
        mt->words[i] = word;
    }
    mt->next = KDL__MT_WORDS;
}

void kdl__mt_regenerate(kdl__mt *mt)
{
    uint32_t *words = mt->words;
    size_t i = 0;
    for (; i < KDL__MT_WORDS - KDL__MT_SHIFT; i++)
        words[i] = kdl__mt_twist(words[i], words[i + 1], words[i + KDL__MT_SHIFT]);
    for (; i < KDL__MT_WORDS - 1; i++)
        words[i] = kdl__mt_twist(words[i], words[i + 1], words[i + KDL__MT_SHIFT - KDL__MT_WORDS]);
    words[i] = kdl__mt_twist(words[i], words[0], words[KDL__MT_SHIFT - 1]);
    mt->next = 0;
}

uint32_t kdl__mt_draw(kdl__mt *mt)
{
    if (mt->next == KDL__MT_WORDS)
        kdl__mt_regenerate(mt);
    return kdl__mt_temper(mt->words[mt->next++]);
}
