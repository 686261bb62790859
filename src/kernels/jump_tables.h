/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead in MT19937: squares of elements (jump_element.h, docs/jump.md) by looking up bytes.
 * The tables are made anew for each power, in less than a hundredth of its time: nothing to share
 * between threads.
 */
#ifndef KDL_SRC_KERNELS_JUMP_TABLES_H
#define KDL_SRC_KERNELS_JUMP_TABLES_H

#include "kernels/jump_element.h"

/*
 * The squares of u^0, ..., u^31: (u^k)^2 = quotient t^-1 + remainder. Squaring is linear, so they
 * say it all. The quotient is in the low half of each, the remainder in the high half.
 */
static inline void kdl__jump_square_columns(uint64_t columns[32])
{
    uint32_t quotient = 0, remainder = 1;
    for (int k = 0; k < 32; k++) {
        columns[k] = quotient | (uint64_t)remainder << 32;
        for (int twice = 0; twice < 2; twice++) {
            quotient = quotient << 1 | remainder >> 31;
            remainder = kdl__jump_times_u(remainder);
        }
    }
}

/* The square of a word: of each of its bytes, added. */
typedef struct kdl__jump_tables {
    uint64_t square[4][256];
} kdl__jump_tables;

static inline void kdl__jump_tables_init(kdl__jump_tables *tables)
{
    uint64_t columns[32];
    kdl__jump_square_columns(columns);
    for (int byte = 0; byte < 4; byte++) {
        uint64_t *table = tables->square[byte];
        table[0] = 0;
        for (int bit = 0; bit < 8; bit++)
            for (int v = 0; v < 1 << bit; v++)
                table[v + (1 << bit)] = table[v] ^ columns[8 * byte + bit];
    }
}

/* words[j] t^j squared: its remainder belongs to t^(2j), its quotient to t^(2j-1). */
static inline void kdl__jump_square_by_tables(const void *tables, const kdl__jump_element *element,
                                              kdl__jump_product *square)
{
    const kdl__jump_tables *t = tables;
    for (int j = 0; j < KDL__MT_WORDS; j++) {
        uint32_t word = element->words[j];
        uint64_t sum = t->square[0][word & 255] ^ t->square[1][word >> 8 & 255] ^
                       t->square[2][word >> 16 & 255] ^ t->square[3][word >> 24];
        square->words[2 * j] = (uint32_t)sum;
        square->words[2 * j + 1] = (uint32_t)(sum >> 32);
    }
}

#endif
