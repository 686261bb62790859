/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast memory is: bench_memory READS WRITES NUMEL THREADS SECONDS. Prints nanoseconds an
 * element of a pass over READS arrays of NUMEL f32 that reads them all and writes the first WRITES
 * of them; for 1 0, of a copy from one array to another. It is the limit of what moves as many
 * bytes: the best of as many passes as fit into SECONDS, by THREADS threads that begin each pass
 * together.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { MOST = 4, MOST_THREADS = 1024 };

typedef struct share {
    pthread_t thread;
    pthread_barrier_t *barrier;
    float *arrays[MOST]; /* where this thread's part begins */
    size_t count;
    int reads, writes, passes;
    double best; /* seconds */
} share;

/* So little arithmetic that memory is what takes the time. */
static void pass(const share *own)
{
    const size_t n = own->count;
    float *restrict a = own->arrays[0], *restrict b = own->arrays[1], *restrict c = own->arrays[2];
    const float *restrict last = own->arrays[own->reads - 1];
    if (own->writes == 0)
        memcpy(b, a, n * sizeof *a);
    for (size_t i = 0; i < n && own->writes == 1; i++)
        a[i] += last[i];
    for (size_t i = 0; i < n && own->writes == 2; i++) {
        a[i] += last[i];
        b[i] += last[i];
    }
    for (size_t i = 0; i < n && own->writes == 3; i++) {
        a[i] += last[i];
        b[i] += last[i];
        c[i] += last[i];
    }
}

static void *run(void *argument)
{
    share *own = argument;
    own->best = INFINITY;
    for (int i = 0; i < own->passes; i++) {
        pthread_barrier_wait(own->barrier);
        double begin = now();
        pass(own);
        pthread_barrier_wait(own->barrier);
        own->best = fmin(own->best, now() - begin);
    }
    return NULL;
}

/* Seconds of the best pass, by the clock of the first thread. */
static double best_pass(share *shares, int threads, int passes)
{
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = threads - 1; i >= 0; i--) {
        shares[i].barrier = &barrier;
        shares[i].passes = passes;
        if (i > 0 && pthread_create(&shares[i].thread, NULL, run, &shares[i]))
            abort(); /* those that have begun would wait for ever */
    }
    run(shares);
    for (int i = 1; i < threads; i++)
        pthread_join(shares[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
    return shares[0].best;
}

int main(int argc, char **argv)
{
    static share shares[MOST_THREADS];
    int reads = argc == 6 ? atoi(argv[1]) : 0, writes = argc == 6 ? atoi(argv[2]) : 0;
    int threads = argc == 6 ? atoi(argv[4]) : 0;
    if (reads < 1 || reads > MOST || writes < 0 || (writes > 0 && writes != reads - 1) ||
        (writes == 0 && reads != 1) || threads < 1 || threads > MOST_THREADS) {
        fprintf(stderr, "usage: bench_memory READS WRITES NUMEL THREADS SECONDS\n");
        return 2;
    }
    size_t numel = strtoull(argv[3], NULL, 10), arrays = (size_t)(writes ? reads : 2);
    float *memory = aligned_alloc(64, (arrays * numel * sizeof *memory + 63) / 64 * 64);
    if (!memory)
        return 1;
    for (size_t i = 0; i < arrays * numel; i++)
        memory[i] = 1e-3F * (float)(i % 1000); /* zeros would be written faster */
    for (int t = 0; t < threads; t++) {
        size_t first = numel * (size_t)t / (size_t)threads;
        shares[t].count = numel * ((size_t)t + 1) / (size_t)threads - first;
        shares[t].reads = reads;
        shares[t].writes = writes;
        for (size_t k = 0; k < arrays; k++)
            shares[t].arrays[k] = memory + k * numel + first;
    }
    int passes = (int)(atof(argv[5]) / (best_pass(shares, threads, 2) + 1e-7)) + 3;
    printf("%.6f\n", best_pass(shares, threads, passes) / (double)numel * 1e9);
    free(memory);
    return 0;
}
