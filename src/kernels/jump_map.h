/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead in MT19937: the two linear maps of words, squaring and reduction (docs/jump.md), by
 * looking up bytes. The tables are made anew for each use, in less than a hundredth of its time:
 * nothing to share between threads.
 */
#ifndef KDL_SRC_KERNELS_JUMP_MAP_H
#define KDL_SRC_KERNELS_JUMP_MAP_H

#include "kernels/jump_element.h"

/*
 * u^first, u^(first + step), ..., 32 of them, reduced: quotient t^-1 + remainder, the quotient in
 * the low half, the remainder in the high half. Both maps follow from the images of single bits:
 * squaring a word takes u^k to u^(2k), and reduction takes bit k of a high half to u^(32+k).
 */
#define KDL__JUMP_SQUARING 0, 2
#define KDL__JUMP_REDUCTION 32, 1
static inline void kdl__jump_powers_of_u(uint64_t powers[32], int first, int step)
{
    uint32_t quotient = 0, remainder = 1;
    for (int exponent = 0, k = 0; k < 32; exponent++) {
        if (exponent == first + k * step)
            powers[k++] = quotient | (uint64_t)remainder << 32;
        quotient = quotient << 1 | remainder >> 31;
        remainder = kdl__jump_times_u(remainder);
    }
}

/* The image of a word is the sum of its bytes' images. */
typedef struct kdl__jump_map {
    uint64_t images[4][256];
} kdl__jump_map;

static inline void kdl__jump_map_init(kdl__jump_map *map, int first, int step)
{
    uint64_t powers[32];
    kdl__jump_powers_of_u(powers, first, step);
    for (int byte = 0; byte < 4; byte++) {
        uint64_t *images = map->images[byte];
        images[0] = 0;
        for (int bit = 0; bit < 8; bit++)
            for (int v = 0; v < 1 << bit; v++)
                images[v + (1 << bit)] = images[v] ^ powers[8 * byte + bit];
    }
}

static inline uint64_t kdl__jump_image(const kdl__jump_map *map, uint32_t word)
{
    return map->images[0][word & 255] ^ map->images[1][word >> 8 & 255] ^
           map->images[2][word >> 16 & 255] ^ map->images[3][word >> 24];
}

/* A kdl__jump_square, with the map for squaring. */
static inline void kdl__jump_square_by_map(const void *map, kdl__jump_element *element, bool by_t)
{
    kdl__jump_product square;
    /* words[j] t^j squared: the remainder belongs to t^(2j), the quotient to t^(2j-1). */
    for (int j = 0; j < KDL__MT_WORDS; j++) {
        uint64_t image = kdl__jump_image(map, element->words[j]);
        square.words[2 * j] = (uint32_t)image;
        square.words[2 * j + 1] = (uint32_t)(image >> 32);
    }
    kdl__jump_fold(&square, element);
    if (by_t) {
        memmove(element->words + 1, element->words, sizeof(uint32_t) * KDL__MT_WORDS);
        kdl__jump_fold_top(element);
    }
}

#endif
