/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel tables, by instruction set. */
#include "base/base.h"
#include "kernels/kernels.h"

static const kdl__kernels *const tables[KDL__CPU_COUNT] = {
    [KDL__CPU_REF] = &kdl__kernels_ref,
#ifdef KDL__HAVE_AVX2
    [KDL__CPU_AVX2] = &kdl__kernels_avx2,
#endif
#ifdef KDL__HAVE_AVX512
    [KDL__CPU_AVX512] = &kdl__kernels_avx512, [KDL__CPU_AVX512ICL] = &kdl__kernels_avx512icl,
#endif
#ifdef KDL__HAVE_NEON
    [KDL__CPU_NEON] = &kdl__kernels_neon,     [KDL__CPU_NEON_PMULL] = &kdl__kernels_neon_pmull,
#endif
};

const kdl__kernels *kdl__kernels_of(const kdl_context *ctx)
{
    return tables[ctx->cpu];
}

const kdl__kernels *kdl__kernels_at(size_t index)
{
    for (int cpu = 0; cpu < KDL__CPU_COUNT; cpu++)
        if (kdl__cpu_available((kdl__cpu)cpu) && index-- == 0)
            return tables[cpu];
    return NULL;
}

const kdl__kernels *kdl__kernels_best(void)
{
    return tables[kdl__cpu_best()];
}
