/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes: the kernels for vectors of any width, each written once. A file for an instruction set
 * (lanes_avx2.h) gives the width and what C has no operators for; the table's file (avx2.c)
 * includes that file, then the bodies (uniform.h, convert.h, ...), all of whose functions are
 * static.
 *
 * The arithmetic is that of ref/ wherever it rounds. Where the order of operations differs the
 * comment says why the bits cannot.
 *
 * Before it includes this header, a file for an instruction set defines
 *
 *     LANES                 32-bit lanes in a vector: 4, 8 or 16
 *
 * and after it these functions and the type `table`:
 *
 *     words_merge(mask, a, b)         the bits of a where `mask` has ones, else those of b
 *     words_xor_if_odd(a, b, matrix)  a ^ matrix in the lanes where b is odd, else a
 *     words_pair(block, first, second)  loads from one or two blocks of 16 the words 0-7 and 8-15
 *                                     (4 lanes: 0-3 and 8-11 of what begins at `block`)
 *     floats_unpair(first, second)    turns two such vectors, in place, into the order of blocks
 *     words_round(a)                  a + 0x7fff, and 1 more where a has bit 16
 *     words_upper(a, b, paired)       the upper 16 bits of each lane; unpaired if paired
 *     floats_fma(a, b, c)             a * b + c rounded once
 *     floats_sqrt(a)
 *     floats_replace(a, old, new)     a, but new where a == old
 *     halves_replace(a, compared, old, new)    a, but new where a & compared == old
 *     table_of(eight)                 a table of eight floats
 *     table_look_up(table, words)     the entries that the words tell, which are below 8
 *     floats_if_bit(a, bit, yes, no)  yes where words a have the bit, else no
 *     floats_to_f16(a, b, paired)     rounded to nearest; unpaired if paired
 *     floats_from_f16(in), floats_from_bf16(in), floats_from_f64(in)    of LANES in memory
 *     floats_to_f64(a, out)           to LANES in memory
 *     doubles_from_draws(a)           of each two words the low 53 bits, the first word high
 *     doubles_fma(a, b, c), doubles_replace(a, old, new)
 *     floats_list_outside(a, low, high, first, out)    writes first + i for the lanes i of a that
 *                                     lie outside, with room for LANES; gives how many
 *     words_stream(out, a)            stores past the caches, to an aligned place
 *     stream_end()                    makes them visible to other threads in order
 */
#ifndef KDL_SRC_KERNELS_LANES_LANES_H
#define KDL_SRC_KERNELS_LANES_LANES_H

#include <string.h>
#include "kernels/half.h"
#include "kernels/kernels.h"

/* Everything is inlined into the few functions of the table, with its constant arguments. */
#define INLINE static inline __attribute__((always_inline))

typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef uint64_t longs __attribute__((vector_size(4 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef double doubles __attribute__((vector_size(4 * LANES)));  /* half as many */
typedef uint16_t halves __attribute__((vector_size(4 * LANES))); /* twice as many */

enum { PAIR = 2 * LANES };

/* In memory, wherever an element may begin. (GCC copies what memcpy names by way of the stack.) */
typedef words placed_words __attribute__((aligned(1), may_alias));

INLINE words words_load(const void *from)
{
    return *(const placed_words *)from;
}

INLINE void words_store(void *to, words vector)
{
    *(placed_words *)to = vector;
}

INLINE words words_all(uint32_t value)
{
    return (words){ 0 } + value;
}

INLINE floats floats_all(float value)
{
    return (floats)words_all(kdl__f32_bits(value));
}

INLINE doubles doubles_all(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (doubles)((longs){ 0 } + bits);
}

INLINE halves halves_all(uint16_t value)
{
    return (halves){ 0 } + value;
}

/* Exact: the words are at most 2^24. */
INLINE floats floats_from_words(words vector)
{
    return __builtin_convertvector((integers)vector, floats);
}

#endif
