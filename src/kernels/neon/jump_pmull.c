/* SPDX-License-Identifier: Apache-2.0 */
/* Jump-ahead with PMULL on 64-bit words, an instruction of the cryptographic extension. */
#include <arm_neon.h>
#include "kernels/neon/neon.h"

typedef uint64x2_t kdl__pairs;

static inline kdl__pairs kdl__pairs_low(kdl__pairs a, kdl__pairs b)
{
    return vreinterpretq_u64_p128(vmull_p64((poly64_t)a[0], (poly64_t)b[0]));
}

static inline kdl__pairs kdl__pairs_high(kdl__pairs a, kdl__pairs b)
{
    return vreinterpretq_u64_p128(
        vmull_high_p64(vreinterpretq_p64_u64(a), vreinterpretq_p64_u64(b)));
}

#define kdl__pairs_swap(a) vextq_u64(a, a, 1)
#define kdl__pairs_join(a, b) vextq_u64(a, b, 1)
#define JUMP_NAME(part) kdl__jump##part##_pmull
#include "kernels/jump_clmul128.h"
