/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the kernel table for this machine. */
#include "kernels/kernels.h"

#ifdef KDL__HAVE_AVX2
/* The compiler's runtime looks at CPUID and at what the operating system saves (XGETBV). */
static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("pclmul");
}
#endif

const kdl__kernels *kdl__kernels_at(size_t index)
{
    const kdl__kernels *tables[2] = { &kdl__kernels_ref };
    size_t count = 1;
#ifdef KDL__HAVE_AVX2
    if (has_avx2())
        tables[count++] = &kdl__kernels_avx2;
#endif
    return index < count ? tables[index] : NULL;
}

const kdl__kernels *kdl__kernels_best(void)
{
    const kdl__kernels *best = NULL, *table;
    for (size_t i = 0; (table = kdl__kernels_at(i)); i++)
        best = table;
    return best;
}
