/* SPDX-License-Identifier: Apache-2.0 */
/* bench: programs that time one thing each; this is their clock. */
#ifndef KDL_BENCH_CLOCK_H
#define KDL_BENCH_CLOCK_H

#include <time.h>

/* Seconds from some moment on. */
static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#endif
