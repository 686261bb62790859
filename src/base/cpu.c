/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction sets: what each needs, what the machine has, and the choice of one for a context. */
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"

enum {
    HAS_AVX2 = 1,
    HAS_FMA = 2,
    HAS_F16C = 4,
    HAS_PCLMULQDQ = 8,
    HAS_AVX512F = 16,
    HAS_AVX512BW = 32,
    HAS_AVX512DQ = 64,
    HAS_AVX512VL = 128,
    HAS_AVX512VBMI = 256,
    HAS_GFNI = 512,
    HAS_VPCLMULQDQ = 1024,
    HAS_NEON = 2048,
    HAS_PMULL = 4096,
    NOT_BUILT = 1 << 30 /* which no machine has */
};

/* Kernels are compiled where KDL__HAVE_<NAME> says so (cmake/isa.cmake). */
#ifdef KDL__HAVE_AVX2
#define NEEDS_AVX2 (HAS_AVX2 | HAS_FMA | HAS_F16C | HAS_PCLMULQDQ)
#else
#define NEEDS_AVX2 NOT_BUILT
#endif
#ifdef KDL__HAVE_AVX512
#define NEEDS_AVX512 (NEEDS_AVX2 | HAS_AVX512F | HAS_AVX512BW | HAS_AVX512DQ | HAS_AVX512VL)
#else
#define NEEDS_AVX512 NOT_BUILT
#endif
#define NEEDS_AVX512ICL (NEEDS_AVX512 | HAS_AVX512VBMI | HAS_GFNI | HAS_VPCLMULQDQ)
#ifdef KDL__HAVE_NEON
#define NEEDS_NEON HAS_NEON
#else
#define NEEDS_NEON NOT_BUILT
#endif
#define NEEDS_NEON_PMULL (NEEDS_NEON | HAS_PMULL)

/* From the portable one to the best. */
static const struct {
    const char *name;
    unsigned needs;
} cpus[KDL__CPU_COUNT] = {
    [KDL__CPU_REF] = { "ref", 0 },
    [KDL__CPU_AVX2] = { "avx2", NEEDS_AVX2 },
    [KDL__CPU_AVX512] = { "avx512", NEEDS_AVX512 },
    [KDL__CPU_AVX512ICL] = { "avx512icl", NEEDS_AVX512ICL },
    [KDL__CPU_NEON] = { "neon", NEEDS_NEON },
    [KDL__CPU_NEON_PMULL] = { "neon-pmull", NEEDS_NEON_PMULL },
};

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register states the operating system saves (XCR0); AVX code is unusable without. */
static unsigned saved_states(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static unsigned find_features(void)
{
    enum { YMM_STATES = 0x06, ZMM_STATES = 0xe6 }; /* SSE, AVX; opmask and both halves of ZMM */
    unsigned eax, ebx, ecx, edx, found = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return 0;
    const unsigned states = saved_states();
    if ((states & YMM_STATES) != YMM_STATES)
        return 0;
    found |= ecx & bit_FMA ? HAS_FMA : 0;
    found |= ecx & bit_F16C ? HAS_F16C : 0;
    found |= ecx & bit_PCLMUL ? HAS_PCLMULQDQ : 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return found;
    found |= ebx & bit_AVX2 ? HAS_AVX2 : 0;
    if ((states & ZMM_STATES) != ZMM_STATES)
        return found;
    found |= ebx & bit_AVX512F ? HAS_AVX512F : 0;
    found |= ebx & bit_AVX512BW ? HAS_AVX512BW : 0;
    found |= ebx & bit_AVX512DQ ? HAS_AVX512DQ : 0;
    found |= ebx & bit_AVX512VL ? HAS_AVX512VL : 0;
    found |= ecx & bit_AVX512VBMI ? HAS_AVX512VBMI : 0;
    found |= ecx & bit_GFNI ? HAS_GFNI : 0;
    found |= ecx & bit_VPCLMULQDQ ? HAS_VPCLMULQDQ : 0;
    return found;
}
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

/* NEON is there on every AArch64 processor that runs Linux. */
static unsigned find_features(void)
{
    return getauxval(AT_HWCAP) & HWCAP_PMULL ? HAS_NEON | HAS_PMULL : HAS_NEON;
}
#else
static unsigned find_features(void)
{
    return 0;
}
#endif

/* CPUID can take microseconds in a virtual machine, so it is asked once. */
static unsigned features(void)
{
    enum { KNOWN = 1 << 29 };
    static atomic_uint kept;
    unsigned found = atomic_load_explicit(&kept, memory_order_relaxed);
    if (!found) {
        found = find_features() | KNOWN;
        atomic_store_explicit(&kept, found, memory_order_relaxed);
    }
    return found;
}

bool kdl__cpu_available(kdl__cpu cpu)
{
    return (cpus[cpu].needs & ~features()) == 0;
}

kdl__cpu kdl__cpu_best(void)
{
    int best = KDL__CPU_COUNT - 1;
    while (!kdl__cpu_available((kdl__cpu)best))
        best--;
    return (kdl__cpu)best;
}

bool kdl__cpu_parse(const char *name, kdl__cpu *cpu)
{
    if (!name || strcmp(name, "auto") == 0) {
        *cpu = kdl__cpu_best();
        return true;
    }
    for (int i = 0; i < KDL__CPU_COUNT; i++) {
        if (strcmp(name, cpus[i].name) == 0) {
            *cpu = (kdl__cpu)i;
            return kdl__cpu_available(*cpu);
        }
    }
    return false;
}

const char *kdl_cpu_at(size_t index)
{
    for (int i = 0; i < KDL__CPU_COUNT; i++)
        if (kdl__cpu_available((kdl__cpu)i) && index-- == 0)
            return cpus[i].name;
    return NULL;
}

const char *kdl_get_cpu(const kdl_context *ctx)
{
    return cpus[ctx->cpu].name;
}

static kdl_status fail_unknown_cpu(kdl_context *ctx, const char *place, const char *name)
{
    char list[128] = "auto";
    const char *other;
    size_t length = strlen(list);
    for (size_t i = 0; (other = kdl_cpu_at(i)) && length < sizeof list; i++)
        length += (size_t)snprintf(list + length, sizeof list - length, ", %s", other);
    return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "no kernels for cpu '%s'; this machine has %s",
                        name, list);
}

kdl_status kdl_set_cpu(kdl_context *ctx, const char *name)
{
    if (kdl__failed(ctx))
        return ctx->status;
    if (!kdl__cpu_parse(name, &ctx->cpu))
        return fail_unknown_cpu(ctx, __func__, name);
    return KDL_OK;
}
