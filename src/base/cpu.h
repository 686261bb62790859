/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction sets that kernels are written for, and which of them this machine runs. */
#ifndef KDL_SRC_BASE_CPU_H
#define KDL_SRC_BASE_CPU_H

#include <stdbool.h>

typedef enum kdl__cpu {
    KDL__CPU_REF, /* plain C */
    KDL__CPU_AVX2,
    KDL__CPU_AVX512,
    KDL__CPU_AVX512ICL, /* as in Ice Lake and Zen 4: also VBMI, GFNI and VPCLMULQDQ */
    KDL__CPU_NEON,
    KDL__CPU_NEON_PMULL, /* also PMULL on 64-bit words */
    KDL__CPU_COUNT
} kdl__cpu;

/* Whether its kernels are compiled in and the processor and the operating system support it. */
bool kdl__cpu_available(kdl__cpu cpu);

/* The best one that is available. */
kdl__cpu kdl__cpu_best(void);

/* Finds an available one by name; "auto" and NULL mean the best. */
bool kdl__cpu_parse(const char *name, kdl__cpu *cpu);

#endif
