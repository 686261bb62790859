/* SPDX-License-Identifier: Apache-2.0 */
/* Moving ahead in the sequence of raw words, by stepping. */
#include <string.h>
#include "kernels/mt19937.h"
#include "kernels/ref/ref.h"

void kdl__jump_ref(uint32_t words[KDL__MT_WORDS], uint64_t steps)
{
    kdl__mt mt;
    memcpy(mt.words, words, sizeof(uint32_t) * KDL__MT_WORDS);
    for (; steps >= KDL__MT_WORDS; steps -= KDL__MT_WORDS)
        kdl__mt_regenerate(&mt);
    size_t rest = (size_t)steps;
    memcpy(words, mt.words + rest, sizeof(uint32_t) * (KDL__MT_WORDS - rest));
    kdl__mt_regenerate(&mt);
    memcpy(words + KDL__MT_WORDS - rest, mt.words, sizeof(uint32_t) * rest);
}
