/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jump-ahead with AVX-512 (docs/jump.md). The linear maps of words are 8 x 8 bit matrices (GFNI)
 * between permutations of bytes (VBMI); digits are multiplied by VPCLMULQDQ, four at a time.
 */
#include <immintrin.h>
#include "kernels/avx512/avx512.h"
#include "kernels/jump_multiply.h"

typedef __m512i kdl__pairs;
#define kdl__pairs_low(a, b) _mm512_clmulepi64_epi128(a, b, 0x00)
#define kdl__pairs_high(a, b) _mm512_clmulepi64_epi128(a, b, 0x11)
#define kdl__pairs_swap(a) _mm512_shuffle_epi32(a, 0x4e)
#define kdl__pairs_join(a, b) _mm512_alignr_epi8(b, a, 8)
#include "kernels/jump_clmul.h"

enum { WORDS = KDL__MT_WORDS, TAP = KDL__MT_SHIFT - 1, GAP = WORDS - 1 - TAP };

/* An order of bytes: qword j is the first one with j added to each byte. */
static inline __m512i order_from(int64_t first)
{
    __m512i numbers = _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                                         _mm512_set1_epi64(0x0101010101010101));
    return _mm512_add_epi8(_mm512_set1_epi64(first), numbers);
}

/* An order that brings to each lane one byte of 16 words: the byte of the number given for it. */
static inline __m512i order_by_lanes(int64_t lane_0, int64_t lane_1, int64_t lane_2, int64_t lane_3)
{
    __m512i first = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60));
    __m512i byte =
        _mm512_setr_epi64(lane_0, lane_0, lane_1, lane_1, lane_2, lane_2, lane_3, lane_3);
    return _mm512_add_epi8(first, _mm512_mullo_epi64(byte, _mm512_set1_epi64(0x0101010101010101)));
}

/* Orders that turn a vector as a matrix of 8 x 8 bytes; the second mirrors it too. */
#define TURN_BYTES order_from(0x3830282018100800)
#define TURN_BYTES_MIRRORED order_from(0x0008101820283038)

/*
 * The same for each qword as a matrix of 8 x 8 bits. GFNI multiplies the bytes of one operand by
 * the matrix in the other, whose rows stand in descending order; here the data is the matrix. So
 * one mirror undoes the other.
 */
static inline __m512i turn_mirrored_bits(__m512i bits)
{
    return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((int64_t)0x8040201008040201), bits, 0);
}

/* Eight rows of 64 bits to 64 columns: bit i of byte j becomes what bit j of qword i was. */
static inline __m512i columns_of_rows(__m512i rows)
{
    return turn_mirrored_bits(_mm512_permutexvar_epi8(TURN_BYTES_MIRRORED, rows));
}

/* And back. */
static inline __m512i rows_of_columns(__m512i columns)
{
    const __m512i mirror = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    __m512i bits = turn_mirrored_bits(_mm512_shuffle_epi8(columns, mirror));
    return _mm512_permutexvar_epi8(TURN_BYTES, bits);
}

/*
 * A map of words (jump_map.h) as matrices: qword p of matrices[b] takes byte b of the word to byte
 * p of the image. Bytes 0 to 3 of the image are the quotient, 4 to 7 the remainder.
 */
static void matrices_of_map(__m512i matrices[4], int first, int step)
{
    const __m512i mirror = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    uint64_t powers[32];
    kdl__jump_powers_of_u(powers, first, step);
    for (int byte = 0; byte < 4; byte++) {
        __m512i columns = columns_of_rows(_mm512_loadu_si512(powers + 8 * byte));
        matrices[byte] = _mm512_shuffle_epi8(columns, mirror);
    }
}

/*
 * Squaring, made ready for 16 words at a time: lane p of a vector holds byte p of the 16 words or
 * images. Of the image, byte 0 of a word reaches the remainder's bytes 0 and 1 only, and byte 1 its
 * bytes 2 and 3; they share a vector.
 */
typedef struct squaring {
    __m512i quotient_2, quotient_3, remainder_01, remainder_2, remainder_3; /* matrices */
    __m512i byte_01, byte_2, byte_3; /* orders that bring the words' bytes into lanes */
    __m512i first_8, last_8;         /* orders that bring the images out of them */
} squaring;

static void squaring_init(squaring *s)
{
    const __m512i quotient = _mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3);
    const __m512i remainder = _mm512_setr_epi64(4, 4, 5, 5, 6, 6, 7, 7);
    __m512i matrices[4];
    matrices_of_map(matrices, KDL__JUMP_SQUARING);
    s->quotient_2 = _mm512_permutexvar_epi64(quotient, matrices[2]);
    s->quotient_3 = _mm512_permutexvar_epi64(quotient, matrices[3]);
    s->remainder_2 = _mm512_permutexvar_epi64(remainder, matrices[2]);
    s->remainder_3 = _mm512_permutexvar_epi64(remainder, matrices[3]);
    s->remainder_01 = _mm512_permutexvar_epi64(
        remainder, _mm512_mask_blend_epi64(0xc0, matrices[0], matrices[1]));
    s->byte_01 = order_by_lanes(0, 0, 1, 1);
    s->byte_2 = order_by_lanes(2, 2, 2, 2);
    s->byte_3 = order_by_lanes(3, 3, 3, 3);
    s->first_8 = order_from(0x7060504030201000);
    s->last_8 = _mm512_add_epi8(s->first_8, _mm512_set1_epi8(8));
}

/* Squares words[j..j+15]: image[0] has the coefficients from t^(2j-1) on, image[1] 16 more. */
static inline void square_16(const squaring *s, const uint32_t *words, __m512i image[2])
{
    __m512i w = _mm512_load_si512(words);
    __m512i byte_01 = _mm512_permutexvar_epi8(s->byte_01, w);
    __m512i byte_2 = _mm512_permutexvar_epi8(s->byte_2, w);
    __m512i byte_3 = _mm512_permutexvar_epi8(s->byte_3, w);
    __m512i quotient = _mm512_gf2p8affine_epi64_epi8(byte_2, s->quotient_2, 0) ^
                       _mm512_gf2p8affine_epi64_epi8(byte_3, s->quotient_3, 0);
    __m512i remainder = _mm512_gf2p8affine_epi64_epi8(byte_01, s->remainder_01, 0) ^
                        _mm512_gf2p8affine_epi64_epi8(byte_2, s->remainder_2, 0) ^
                        _mm512_gf2p8affine_epi64_epi8(byte_3, s->remainder_3, 0);
    image[0] = _mm512_permutex2var_epi8(quotient, s->first_8, remainder);
    image[1] = _mm512_permutex2var_epi8(quotient, s->last_8, remainder);
}

/* The quotient of the square by u, as kdl__jump_fold has it; returns the last of the remainder. */
static inline uint32_t divide_square(const squaring *s, const uint32_t *words, uint32_t *quotient)
{
    __m512i image[2];
    square_16(s, words + 304, image);
    _mm512_store_si512(quotient, image[1]);
    for (int j = 320; j < WORDS; j += 16) {
        square_16(s, words + j, image);
        _mm512_store_si512(quotient + 2 * j - WORDS, image[0]);
        _mm512_store_si512(quotient + 2 * j - WORDS + 16, image[1]);
    }
    for (int m = 384; m >= 0; m -= 16) {
        __mmask16 inside = m + 15 + GAP < WORDS ? 0xffff : 0xffff >> (m + 16 + GAP - WORDS);
        __m512i higher = _mm512_maskz_loadu_epi32(inside, quotient + m + GAP);
        _mm512_store_si512(quotient + m, higher ^ _mm512_load_si512(quotient + m));
    }
    uint32_t last = quotient[0];
    quotient[0] = 0;
    return last;
}

/* The sixteen words of the folded square from t^m on, of which the product's are given. */
static inline __m512i fold_16(__m512i product, const uint32_t *quotient, int m)
{
    __m512i here = _mm512_loadu_si512(quotient + m), next = _mm512_loadu_si512(quotient + m + 1);
    __m512i word = product ^ _mm512_add_epi32(here, here) ^ _mm512_srli_epi32(next, 31) ^
                   (_mm512_srai_epi32(here, 31) & _mm512_set1_epi32((int)KDL__JUMP_P));
    if (m + 15 > TAP) {
        __mmask16 above = m > TAP ? 0xffff : 0xffff << (TAP + 1 - m);
        word ^= _mm512_maskz_loadu_epi32(above, quotient + m - TAP);
    }
    return word;
}

/*
 * A kdl__jump_square that folds the coefficients as they come, the upper half first for the
 * quotient, then the lower half downwards: the words that are replaced have been squared already.
 */
static void square(const void *tables, kdl__jump_element *element, bool by_t)
{
    const squaring s = *(const squaring *)tables;
    _Alignas(64) uint32_t buffer[16 + WORDS];
    uint32_t *quotient = buffer + 16, *words = element->words + by_t;
    _mm512_store_si512(buffer, _mm512_setzero_si512());
    uint32_t last = divide_square(&s, element->words, quotient);
    for (int j = 304; j >= 0; j -= 16) {
        int m = 2 * j - 1;
        __m512i image[2];
        square_16(&s, element->words + j, image);
        if (j < 304)
            _mm512_storeu_si512(words + m + 16, fold_16(image[1], quotient, m + 16));
        _mm512_mask_storeu_epi32(words + m, j > 0 ? 0xffff : 0xfffe,
                                 fold_16(image[0], quotient, m));
    }
    words[WORDS - 1] = last ^ kdl__jump_times_u(quotient[WORDS - 1]);
    if (by_t)
        kdl__jump_fold_top(element);
}

/* Lane i of row j changes places with lane j of row i. */
static inline void transpose_lanes(__m512i rows[4])
{
    __m512i a = _mm512_shuffle_i64x2(rows[0], rows[1], 0x88);
    __m512i b = _mm512_shuffle_i64x2(rows[0], rows[1], 0xdd);
    __m512i c = _mm512_shuffle_i64x2(rows[2], rows[3], 0x88);
    __m512i d = _mm512_shuffle_i64x2(rows[2], rows[3], 0xdd);
    rows[0] = _mm512_shuffle_i64x2(a, c, 0x88);
    rows[1] = _mm512_shuffle_i64x2(b, d, 0x88);
    rows[2] = _mm512_shuffle_i64x2(a, c, 0xdd);
    rows[3] = _mm512_shuffle_i64x2(b, d, 0xdd);
}

/* The same for qwords and eight rows. */
static inline void transpose_qwords(__m512i rows[8])
{
    __m512i even[4], odd[4];
    for (int i = 0; i < 4; i++) {
        even[i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
        odd[i] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
    }
    transpose_lanes(even);
    transpose_lanes(odd);
    for (int i = 0; i < 4; i++) {
        rows[2 * i] = even[i];
        rows[2 * i + 1] = odd[i];
    }
}

/* A point's words are taken in eights from 0, 8 and 16; the last are only four. */
static inline __m512i load_words(const kdl__jump_point *point, int first)
{
    const uint64_t *words = point->words + first;
    if (first < 16)
        return _mm512_loadu_si512(words);
    return _mm512_zextsi256_si512(_mm256_loadu_si256((const __m256i *)words));
}

static inline void store_words(kdl__jump_point *point, int first, __m512i words)
{
    if (first < 16)
        _mm512_storeu_si512(point->words + first, words);
    else
        _mm256_storeu_si256((__m256i *)(point->words + first), _mm512_castsi512_si256(words));
}

/* Multiplies four points: lane i of pairs[k] is pair k of point i. */
static inline void multiply_4_points(kdl__jump_point points[4])
{
    __m512i pairs[12];
    for (int k = 0; k < 12; k += 4) {
        for (int i = 0; i < 4; i++)
            pairs[k + i] = load_words(&points[i], 2 * k);
        transpose_lanes(pairs + k);
    }
    kdl__jump_multiply_pairs(pairs, pairs, pairs + 5);
    for (int k = 0; k < 12; k += 4) {
        transpose_lanes(pairs + k);
        for (int i = 0; i < 4; i++)
            store_words(&points[i], 2 * k, pairs[k + i]);
    }
}

static void multiply_points(kdl__jump_point *points)
{
    for (size_t p = 0; p < KDL__JUMP_POINTS_ROUND; p += 4)
        multiply_4_points(points + p);
}

/* kdl__jump_digits. Byte p of the words makes digits 8p to 8p + 7. */
static void digits_of_elements(kdl__jump_point digits[KDL__JUMP_DIGITS], const kdl__jump_element *x,
                               const kdl__jump_element *y)
{
    enum { WIDTH = KDL__JUMP_DIGIT_WORDS };
    const __m512i lanes = order_by_lanes(0, 1, 2, 3);
    __m512i rows[4][24] = { { _mm512_setzero_si512() } };
    for (int w = 0; w < 2 * WIDTH; w++) {
        const uint32_t *words = w < WIDTH ? x->words + 64 * w : y->words + 64 * (w - WIDTH);
        __m512i bytes[4];
        for (int i = 0; i < 4; i++)
            bytes[i] = _mm512_permutexvar_epi8(lanes, _mm512_load_si512(words + 16 * i));
        transpose_lanes(bytes);
        for (int p = 0; p < 4; p++)
            rows[p][w] = rows_of_columns(bytes[p]);
    }
    for (int p = 0; p < 4; p++)
        for (int first = 0; first < 24; first += 8) {
            transpose_qwords(rows[p] + first);
            for (int i = 0; i < 8; i++)
                store_words(&digits[8 * p + i], first, rows[p][first + i]);
        }
}

/* Byte p of 64 coefficients of the product, p < 8: digits 8p to 8p + 7. In order of t. */
static void bytes_of_digits(__m512i bytes[8][24], const kdl__jump_point digits[64])
{
    for (int p = 0; p < 8; p++)
        for (int first = 0; first < 24; first += 8) {
            __m512i *rows = bytes[p] + first;
            for (int i = 0; i < 8; i++)
                rows[i] = load_words(&digits[8 * p + i], first);
            transpose_qwords(rows);
            for (int i = 0; i < 8; i++)
                rows[i] = columns_of_rows(rows[i]);
        }
}

/* Byte `p` of the images of the words whose bytes are given. */
static inline __m512i image_byte(const uint64_t matrices[4][8], const __m512i bytes[4], int p)
{
    __m512i sum = _mm512_setzero_si512();
    for (int b = 0; b < 4; b++)
        sum ^=
            _mm512_gf2p8affine_epi64_epi8(bytes[b], _mm512_set1_epi64((int64_t)matrices[b][p]), 0);
    return sum;
}

/* Transposes the product's digits to coefficients of t^m and reduces those in u. */
static void reduce_digits(kdl__jump_product *product, const kdl__jump_point digits[64])
{
    const __m512i from_lanes = _mm512_add_epi8(
        _mm512_set1_epi32(0x30201000),
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32(0x01010101)));
    _Alignas(64) uint64_t matrices[4][8];
    __m512i bytes[8][24], above[4] = { _mm512_setzero_si512() };
    matrices_of_map((__m512i *)matrices, KDL__JUMP_REDUCTION);
    bytes_of_digits(bytes, digits);
    for (int w = 2 * KDL__JUMP_DIGIT_WORDS - 1; w >= 0; w--) {
        __m512i high[4], words[4];
        for (int p = 0; p < 4; p++)
            high[p] = bytes[4 + p][w];
        for (int p = 0; p < 4; p++) {
            /* The quotient goes to one power of t lower: a byte down, through all lanes. */
            __m512i quotient = image_byte(matrices, high, p);
            __m512i lanes = _mm512_alignr_epi64(above[p], quotient, 2);
            words[p] = bytes[p][w] ^ image_byte(matrices, high, 4 + p) ^
                       _mm512_alignr_epi8(lanes, quotient, 1);
            above[p] = quotient;
        }
        transpose_lanes(words);
        for (int i = 0; i < 4; i++)
            _mm512_storeu_si512(product->words + 1 + 64 * w + 16 * i,
                                _mm512_permutexvar_epi8(from_lanes, words[i]));
    }
}

/* kdl__jump_multiply. */
static void multiply(kdl__jump_element *product, const kdl__jump_element *x,
                     const kdl__jump_element *y)
{
    kdl__jump_point digits[KDL__JUMP_DIGITS], product_digits[64];
    kdl__jump_product unfolded;
    digits_of_elements(digits, x, y);
    kdl__jump_multiply_digits(product_digits, digits, multiply_points);
    reduce_digits(&unfolded, product_digits);
    kdl__jump_fold(&unfolded, product);
}

void kdl__jump_power_vpclmulqdq(kdl__jump_element *power, uint64_t steps)
{
    squaring s;
    squaring_init(&s);
    kdl__jump_raise(power, steps, square, &s);
}

void kdl__jump_apply_vpclmulqdq(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power)
{
    kdl__jump_move(words, power, multiply);
}

void kdl__jump_vpclmulqdq(uint32_t words[KDL__MT_WORDS], uint64_t steps)
{
    kdl__jump_element power;
    kdl__jump_power_vpclmulqdq(&power, steps);
    kdl__jump_apply_vpclmulqdq(words, &power);
}
