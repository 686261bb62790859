/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_calls: nanoseconds per call of small fills, through the public functions, for every
 * instruction set of this machine. Here it is not the arithmetic that counts but what surrounds it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "kindling/kindling.h"

enum { CALLS = 10000, TURNS = 200 };

static void fill_uniform(kdl_tensor *tensor)
{
    (void)kdl_uniform_(tensor, -0.05, 0.05);
}

static void fill_normal(kdl_tensor *tensor)
{
    (void)kdl_normal_(tensor, 0, 0.02);
}

static void fill_constant(kdl_tensor *tensor)
{
    (void)kdl_fill_(tensor, 1.1);
}

static double best_ns(kdl_tensor *tensor, void (*fill)(kdl_tensor *tensor))
{
    double best = INFINITY;
    for (int turn = 0; turn < TURNS; turn++) {
        double start = now();
        for (int call = 0; call < CALLS; call++)
            fill(tensor);
        best = fmin(best, now() - start);
    }
    return best / CALLS * 1e9;
}

int main(void)
{
    static const int64_t sizes[] = { 1, 10, 16, 96, 100, 1000 };
    kdl_context *ctx = kdl_context_new(NULL);
    printf("ns per call, f32\n%-8s%10s%10s%10s%10s\n", "cpu", "elements", "uniform_", "normal_",
           "fill_");
    for (size_t cpu = 0; kdl_cpu_at(cpu); cpu++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            kdl_set_cpu(ctx, kdl_cpu_at(cpu));
            kdl_tensor *tensor = kdl_empty(ctx, KDL_SHAPE(sizes[i]));
            printf("%-8s%10lld%10.1f%10.1f%10.1f\n", kdl_cpu_at(cpu), (long long)sizes[i],
                   best_ns(tensor, fill_uniform), best_ns(tensor, fill_normal),
                   best_ns(tensor, fill_constant));
            kdl_tensor_release(tensor);
        }
    }
    if (kdl_error_status(ctx))
        fprintf(stderr, "%s\n", kdl_error_message(ctx));
    int code = kdl_error_status(ctx) ? EXIT_FAILURE : EXIT_SUCCESS;
    kdl_context_release(ctx);
    return code;
}
