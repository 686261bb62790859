/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a jump costs by its distance, in microseconds, for each kernel table of this machine, beside
 * stepping there. Each figure is the least of many.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "kernels/kernels.h"

/* The least time of running `statement` once, over `ROUNDS` rounds. */
enum { ROUNDS = 2000 };
#define LEAST(least, statement)                                                                    \
    do {                                                                                           \
        least = 1e30;                                                                              \
        for (int round_ = 0; round_ < ROUNDS; round_++) {                                          \
            double start_ = now();                                                                 \
            statement;                                                                             \
            double took_ = 1e6 * (now() - start_);                                                 \
            least = took_ < least ? took_ : least;                                                 \
        }                                                                                          \
    } while (0)

/* Two jumps must be the jump by the sum. */
static void check(const kdl__kernels *kernels, uint64_t steps)
{
    kdl__mt once, twice;
    kdl__mt_seed(&once, 42);
    twice = once;
    kernels->jump(once.words, steps);
    kernels->jump(twice.words, steps / 3);
    kernels->jump(twice.words, steps - steps / 3);
    if (memcmp(once.words, twice.words, sizeof(uint32_t) * KDL__MT_WORDS) != 0) {
        fprintf(stderr, "%s: wrong jump by %" PRIu64 "\n", kernels->name, steps);
        exit(1);
    }
}

static void bench_table(const kdl__kernels *kernels)
{
    const int distances[] = { 10, 14, 17, 20, 24, 30, 40, 50, 63 };
    kdl__mt mt;
    kdl__jump_element power;
    double block, jump, raise, apply;
    kdl__mt_seed(&mt, 42);
    LEAST(block, for (int i = 0; i < 16; i++) kernels->regenerate(&mt));
    block /= 16;
    kernels->jump_power(&power, 1000000007);
    LEAST(apply, kernels->jump_apply(mt.words, &power));
    printf("%s: one jump by a known power %.2f\n", kernels->name, apply);
    printf("%10s %10s %10s %14s\n", "distance", "jump", "power", "stepping");
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        uint64_t steps = (UINT64_C(1) << distances[i]) - 1;
        check(kernels, steps);
        LEAST(jump, kernels->jump(mt.words, steps));
        LEAST(raise, kernels->jump_power(&power, steps));
        printf("%7s%-3d %10.2f %10.2f %14.4g\n", "2^", distances[i], jump, raise,
               block * (double)steps / KDL__MT_WORDS);
    }
}

int main(void)
{
    const kdl__kernels *kernels;
    puts("Microseconds, the least of many.");
    for (size_t i = 0; (kernels = kdl__kernels_at(i)); i++)
        bench_table(kernels);
    return 0;
}
