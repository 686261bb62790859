/* SPDX-License-Identifier: Apache-2.0 */
/* Skipping draws: by stepping through the blocks when they are few, else by a jump. */
#include "kernels/kernels.h"

void kdl__mt_skip(const kdl__kernels *kernels, kdl__mt *mt, uint64_t draws)
{
    /* Without regeneration `next` would become 624 blocks + rest; 1 <= rest <= 624 as it stays 624
     * until the draw after the block's last one. */
    uint64_t blocks = draws / KDL__MT_WORDS;
    uint32_t rest = mt->next + (uint32_t)(draws % KDL__MT_WORDS);
    if (rest > KDL__MT_WORDS) {
        rest -= KDL__MT_WORDS;
        blocks++;
    } else if (rest == 0 && blocks > 0) {
        rest = KDL__MT_WORDS;
        blocks--;
    }
    /* The last block is regenerated: that gives word 0 the low bits which a jump leaves open. */
    if (draws >= kernels->jump_pays_from && blocks > 1) {
        kernels->jump(mt->words, (blocks - 1) * KDL__MT_WORDS);
        blocks = 1;
    }
    for (; blocks > 0; blocks--)
        kernels->regenerate(mt);
    mt->next = rest;
}
