/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 as in FIPS 180-4, whose constants these are.
 *
 * It names a configuration of a few kilobytes, once a run. A cryptographic library would be the
 * largest thing that libkindling depends on, for this one small and frozen function.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

#define BLOCK_NBYTES 64

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate_right(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

/* The block's 16 big-endian words, extended to the 64 that the rounds take. */
static void make_schedule(const uint8_t *block, uint32_t schedule[64])
{
    for (int t = 0; t < 16; t++)
        schedule[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
                      (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t a = schedule[t - 15], b = schedule[t - 2];
        uint32_t small0 = rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3;
        uint32_t small1 = rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10;
        schedule[t] = small1 + schedule[t - 7] + small0 + schedule[t - 16];
    }
}

static void add_block(uint32_t hash[8], const uint8_t *block)
{
    uint32_t schedule[64], v[8];
    make_schedule(block, schedule);
    memcpy(v, hash, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t a = v[0], e = v[4];
        uint32_t big0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t big1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t choice = (e & v[5]) ^ (~e & v[6]);
        uint32_t majority = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);
        uint32_t first = v[7] + big1 + choice + round_constants[t] + schedule[t];
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += first;
        v[0] = first + big0 + majority;
    }
    for (int i = 0; i < 8; i++)
        hash[i] += v[i];
}

void kdl__sha256_hex(const void *data, size_t nbytes, char hex[KDL__SHA256_HEX_NBYTES])
{
    uint32_t hash[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    const uint8_t *bytes = data;
    size_t rest = nbytes % BLOCK_NBYTES;
    for (size_t at = 0; at + BLOCK_NBYTES <= nbytes; at += BLOCK_NBYTES)
        add_block(hash, bytes + at);

    /* What remains, a one bit, zeros, and the length in bits: one block or two. */
    uint8_t tail[2 * BLOCK_NBYTES] = { 0 };
    size_t tail_nbytes = rest + 9 <= BLOCK_NBYTES ? BLOCK_NBYTES : sizeof tail;
    if (rest)
        memcpy(tail, bytes + nbytes - rest, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[tail_nbytes - 1 - (size_t)i] = (uint8_t)((uint64_t)nbytes * 8 >> 8 * i);
    for (size_t at = 0; at < tail_nbytes; at += BLOCK_NBYTES)
        add_block(hash, tail + at);

    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08x", (unsigned)hash[i]);
}
