/* SPDX-License-Identifier: Apache-2.0 */
/* Moving an engine ahead by a number of draws. */
#include "kernels/kernels.h"

void kdl__mt_skip(const kdl__kernels *kernels, kdl__mt *mt, uint64_t draws)
{
    (void)kernels;
    while (draws > 0) {
        if (mt->next == KDL__MT_WORDS)
            kdl__mt_regenerate(mt);
        uint64_t left = KDL__MT_WORDS - mt->next, step = draws < left ? draws : left;
        mt->next += (uint32_t)step;
        draws -= step;
    }
}
