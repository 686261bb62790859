/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_kernels [OP...]: nanoseconds per element of each kernel, for every instruction set of this
 * machine, on one thread, with `memset` over the same bytes beside it as the limit.
 *
 * The contestants take turns, and the best turn of each counts, so that whatever else the machine
 * does hits all alike. Pages are touched before. Results are equal by the tests; here only the
 * last value of each fill is compared with ref's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kernels/kernels.h"

enum { MOST_TABLES = 8, ALIGNMENT = 4096 };

static const size_t sizes[] = { 1 << 10, 1 << 16, 1 << 20, 1 << 26 };
static const double seconds_a_cell = 0.4;

struct op {
    const char *name;
    size_t nbytes;
    void (*run)(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n);
};

static void run_memset(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t nbytes)
{
    (void)kernels;
    (void)mt;
    memset(out, 0x5a, nbytes);
}

static void run_draws(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->draws(mt, out, n);
}

static void run_uniform_f32(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->uniform_f32(mt, -0.05f, 0.05f, out, n);
}

static void run_uniform_f16(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->uniform_f16(mt, -0.05f, 0.05f, out, n);
}

static void run_uniform_bf16(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->uniform_bf16(mt, -0.05f, 0.05f, out, n);
}

static void run_uniform_f64(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->uniform_f64(mt, -0.05, 0.05, out, n);
}

static void run_normal_f32(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->normal_f32(mt, 0, 0.02f, out, n);
}

static void run_normal_f16(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->normal_f16(mt, 0, 0.02f, out, n);
}

static void run_normal_bf16(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->normal_bf16(mt, 0, 0.02f, out, n);
}

static void run_normal_f64(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    kernels->normal_f64(mt, 0, 0.02, out, n);
}

static void run_fill_f32(const kdl__kernels *kernels, kdl__mt *mt, void *out, size_t n)
{
    (void)mt;
    kernels->fill(out, 4, 0x3f8ccccd, n);
}

static const struct op ops[] = {
    { "draws", 4, run_draws },
    { "uniform_f32", 4, run_uniform_f32 },
    { "uniform_f16", 2, run_uniform_f16 },
    { "uniform_bf16", 2, run_uniform_bf16 },
    { "uniform_f64", 8, run_uniform_f64 },
    { "normal_f32", 4, run_normal_f32 },
    { "normal_f16", 2, run_normal_f16 },
    { "normal_bf16", 2, run_normal_bf16 },
    { "normal_f64", 8, run_normal_f64 },
    { "fill_f32", 4, run_fill_f32 },
};

/* Seconds of one call, the mean of `calls`. */
static double time_of(const struct op *op, const kdl__kernels *kernels, void *out, size_t n,
                      size_t calls)
{
    kdl__mt mt;
    kdl__mt_seed(&mt, 42);
    double start = now();
    for (size_t i = 0; i < calls; i++)
        op->run(kernels, &mt, out, n);
    return (now() - start) / (double)calls;
}

static void check_last(const struct op *op, const kdl__kernels *kernels, char *out, size_t n)
{
    char expected[8];
    const size_t last = (n - 1) * op->nbytes;
    (void)time_of(op, &kdl__kernels_ref, out, n, 1);
    memcpy(expected, out + last, op->nbytes);
    (void)time_of(op, kernels, out, n, 1);
    if (memcmp(expected, out + last, op->nbytes) != 0) {
        fprintf(stderr, "%s of %s differs from ref\n", op->name, kernels->name);
        exit(EXIT_FAILURE);
    }
}

static void bench(const struct op *op, size_t n, char *out)
{
    const struct op limit = { "memset", 1, run_memset };
    double best[MOST_TABLES], best_memset = INFINITY;
    const kdl__kernels *kernels;
    size_t tables = 0;
    for (; (kernels = kdl__kernels_at(tables)); tables++) {
        best[tables] = INFINITY;
        if (n <= 1 << 20)
            check_last(op, kernels, out, n);
    }
    const size_t calls = n < 1 << 16 ? (1 << 16) / n : 1;
    const double end = now() + seconds_a_cell;
    for (int turn = 0; turn < 3 || now() < end; turn++) {
        best_memset = fmin(best_memset, time_of(&limit, NULL, out, n * op->nbytes, calls));
        for (size_t i = turn < 2 ? 0 : 1; i < tables; i++) /* ref is slow: two turns will do */
            best[i] = fmin(best[i], time_of(op, kdl__kernels_at(i), out, n, calls));
    }
    const double to_ns = 1e9 / (double)n;
    printf("%-13s%10zu%9.3f", op->name, n, best_memset * to_ns);
    for (size_t i = 0; i < tables; i++)
        printf("%9.3f", best[i] * to_ns);
    printf("\n");
    fflush(stdout);
}

static bool is_wanted(const char *name, int count, char **names)
{
    bool wanted = count == 0;
    for (int i = 0; i < count; i++)
        wanted = wanted || strcmp(name, names[i]) == 0;
    return wanted;
}

int main(int argc, char **argv)
{
    const size_t nbytes = sizes[sizeof sizes / sizeof *sizes - 1] * sizeof(double);
    char *out = aligned_alloc(ALIGNMENT, nbytes);
    if (!out) {
        fprintf(stderr, "out of memory\n");
        return EXIT_FAILURE;
    }
    memset(out, 1, nbytes);
    printf("ns per element\n%-13s%10s%9s", "op", "elements", "memset");
    for (size_t i = 0; kdl__kernels_at(i); i++)
        printf("%9s", kdl__kernels_at(i)->name);
    printf("\n");
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            if (is_wanted(ops[i].name, argc - 1, argv + 1))
                bench(&ops[i], sizes[k], out);
    free(out);
    return EXIT_SUCCESS;
}
