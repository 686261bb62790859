/* SPDX-License-Identifier: Apache-2.0 */
/* One value over and over. */
#ifndef KDL_SRC_KERNELS_LANES_CONSTANT_H
#define KDL_SRC_KERNELS_LANES_CONSTANT_H

#include "kernels/lanes/lanes.h"

/*
 * The first and the last vector may overlap the others, as the pattern repeats with every element
 * and all of them begin at one.
 */
static void fill(void *out, size_t nbytes, uint64_t bits, size_t n)
{
    if (nbytes < 8)
        bits &= (UINT64_C(1) << 8 * nbytes) - 1;
    for (size_t size = nbytes; size < 8; size *= 2)
        bits |= bits << 8 * size;
    const words pattern = (words)((longs){ 0 } + bits);
    char *at = out, *end = at + n * nbytes;
    if (n * nbytes < sizeof pattern) {
        memcpy(at, &pattern, n * nbytes);
        return;
    }
    words_store(at, pattern);
    words_store(end - sizeof pattern, pattern);
    at += sizeof pattern - (uintptr_t)at % sizeof pattern;
    const bool stream = n * nbytes >= 8 * KDL__STREAM_NBYTES; /* below, caches are much faster */
    for (; (size_t)(end - at) > sizeof pattern && stream; at += sizeof pattern)
        words_stream(at, pattern);
    for (; end - at > (ptrdiff_t)sizeof pattern; at += sizeof pattern)
        words_store(at, pattern);
    if (stream)
        stream_end();
}

#endif
