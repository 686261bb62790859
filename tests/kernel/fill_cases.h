/* SPDX-License-Identifier: Apache-2.0 */
/* The fills of a kernel table by number, for tests that go through all of them. */
#ifndef KDL_TESTS_KERNEL_FILL_CASES_H
#define KDL_TESTS_KERNEL_FILL_CASES_H

#include "kernels/kernels.h"

typedef enum fill_case {
    FILL_DRAWS,
    FILL_UNIFORM_F32,
    FILL_UNIFORM_F16,
    FILL_UNIFORM_BF16,
    FILL_UNIFORM_F64,
    FILL_NORMAL_F32,
    FILL_NORMAL_F16,
    FILL_NORMAL_BF16,
    FILL_NORMAL_F64,
    FILL_CASES
} fill_case;

static const struct {
    const char *name;
    size_t nbytes;
    size_t unit; /* the number of values is a multiple of it */
} fill_cases[FILL_CASES] = {
    { "draws", 4, 1 },        { "uniform_f32", 4, 1 },  { "uniform_f16", 2, 1 },
    { "uniform_bf16", 2, 1 }, { "uniform_f64", 8, 1 },  { "normal_f32", 4, 16 },
    { "normal_f16", 2, 16 },  { "normal_bf16", 2, 16 }, { "normal_f64", 8, 16 },
};

/* The next table after *index with fills of its own, which differ all or not; NULL at the end. */
static inline const kdl__kernels *next_fills(size_t *index)
{
    const kdl__kernels *table, *before;
    do {
        before = *index > 0 ? kdl__kernels_at(*index - 1) : NULL;
        table = kdl__kernels_at((*index)++);
    } while (table && before && table->draws == before->draws);
    return table;
}

static inline void run_fill_case(const kdl__kernels *kernels, fill_case fill, kdl__mt *mt, double a,
                                 double b, void *out, size_t n)
{
    switch (fill) {
    case FILL_DRAWS:
        kernels->draws(mt, out, n);
        break;
    case FILL_UNIFORM_F32:
        kernels->uniform_f32(mt, (float)a, (float)b, out, n);
        break;
    case FILL_UNIFORM_F16:
        kernels->uniform_f16(mt, (float)a, (float)b, out, n);
        break;
    case FILL_UNIFORM_BF16:
        kernels->uniform_bf16(mt, (float)a, (float)b, out, n);
        break;
    case FILL_UNIFORM_F64:
        kernels->uniform_f64(mt, a, b, out, n);
        break;
    case FILL_NORMAL_F32:
        kernels->normal_f32(mt, (float)a, (float)b, out, n);
        break;
    case FILL_NORMAL_F16:
        kernels->normal_f16(mt, (float)a, (float)b, out, n);
        break;
    case FILL_NORMAL_BF16:
        kernels->normal_bf16(mt, (float)a, (float)b, out, n);
        break;
    default:
        kernels->normal_f64(mt, a, b, out, n);
        break;
    }
}

#endif
