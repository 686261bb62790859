/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernels: the arithmetic that turns MT19937 draws into numbers, and loops over elements: one table
 * of functions for each instruction set. ref/ is plain C and defines the result; every other table
 * gives the same bits.
 */
#ifndef KDL_SRC_KERNELS_KERNELS_H
#define KDL_SRC_KERNELS_KERNELS_H

#include "kindling/dtype.h"

#define KDL__MT_WORDS 624
#define KDL__MT_SCRATCH 32
/*
 * A fill of so many bytes or more, in one call, may be written past the caches: faster where the
 * pages are in use already and what was written is not needed at once; slower on pages that the
 * system has yet to provide.
 */
#define KDL__STREAM_NBYTES ((size_t)4 << 20)
#define KDL__TILE_ROWS 8
#define KDL__TILE_COLUMNS 4

/* Comparisons, in the order of PyTorch's names: equal, not equal, less, ... */
typedef enum kdl__relation { KDL__EQ, KDL__NE, KDL__LT, KDL__LE, KDL__GT, KDL__GE } kdl__relation;

/*
 * An MT19937 state: a block of 624 raw words, of which words[next..623] are still to be tempered
 * and handed out; next == 624 means that the next draw regenerates the block first. What is
 * behind the block is scratch, for kernels that read past its end.
 */
typedef struct kdl__mt {
    _Alignas(64) uint32_t words[KDL__MT_WORDS + KDL__MT_SCRATCH];
    uint32_t next;
} kdl__mt;

/*
 * A power of the step from one raw word of the sequence to the next, for jumping by the same
 * distance again and again: an element of F2[t]/phi (docs/jump.md). The words behind the 624 are 0.
 */
typedef struct kdl__jump_element {
    _Alignas(64) uint32_t words[KDL__MT_WORDS + KDL__MT_SCRATCH];
} kdl__jump_element;

/*
 * Every function that takes a kdl__mt consumes draws from it in order and leaves it right behind
 * the last one. Destinations need only their element's alignment; n == 0 is allowed.
 */
typedef struct kdl__kernels {
    const char *name; /* "ref", "avx2", "avx512", "avx512icl", "neon", "neon-pmull" */

    /* Replaces the block by the next one and sets next to 0. */
    void (*regenerate)(kdl__mt *mt);

    /* n tempered 32-bit draws. */
    void (*draws)(kdl__mt *mt, uint32_t *out, size_t n);

    /* PyTorch's uniform_ kernels: one draw a value (f64: two). f16 and bf16 are bit patterns. */
    void (*uniform_f32)(kdl__mt *mt, float from, float to, float *out, size_t n);
    void (*uniform_f16)(kdl__mt *mt, float from, float to, uint16_t *out, size_t n);
    void (*uniform_bf16)(kdl__mt *mt, float from, float to, uint16_t *out, size_t n);
    void (*uniform_f64)(kdl__mt *mt, double from, double to, double *out, size_t n);

    /* PyTorch's normal_fill: whole blocks of 16 values, n a multiple of 16, n draws (f64: 2n). */
    void (*normal_f32)(kdl__mt *mt, float mean, float std, float *out, size_t n);
    void (*normal_f16)(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n);
    void (*normal_bf16)(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n);
    void (*normal_f64)(kdl__mt *mt, double mean, double std, double *out, size_t n);

    /* PyTorch's conversions between dtypes: tensor.to(dtype). Source and destination are apart. */
    void (*convert)(kdl_dtype from, const void *in, kdl_dtype to, void *out, size_t n);

    /*
     * Writes first + i to `numbers`, in order, for each values[i] outside [lowest, highest] (a NaN
     * is not), and gives how many. There is room for KDL__MT_SCRATCH numbers more than n.
     */
    size_t (*list_outside_f32)(const float *values, float lowest, float highest, size_t n,
                               uint32_t first, uint32_t *numbers);

    /* n elements of `nbytes` (1, 2, 4 or 8) bytes, each the low bytes of `bits`. */
    void (*fill)(void *out, size_t nbytes, uint64_t bits, size_t n);

    /*
     * Advances 624 consecutive raw words of the sequence by `steps` words. The result's word 0 is
     * right in its top bit only (the other 31 bits never matter to the sequence).
     */
    void (*jump)(uint32_t words[KDL__MT_WORDS], uint64_t steps);
    /* The two halves of a jump: the power for `steps`, and one jump by it. Any table's power. */
    void (*jump_power)(kdl__jump_element *power, uint64_t steps);
    void (*jump_apply)(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power);
    /* So many draws kdl__mt_skip jumps over, fewer it steps through: where the costs meet. */
    uint64_t jump_pays_from;

    /*
     * c += a b for one tile of a product of matrices: c has KDL__TILE_ROWS rows and
     * KDL__TILE_COLUMNS columns, `ldc` doubles apart; a is packed by columns, b by rows. Each
     * element's k products are summed in order, from zero, nothing fused, then added to c.
     */
    void (*tile_f64)(size_t k, const double *a, const double *b, double *c, size_t ldc);

    /*
     * values += other, or values *= other, element by element or (`single`) all by one. `dtype` has
     * no 16-bit floats; integers wrap around.
     */
    void (*combine)(kdl_dtype dtype, bool multiply, void *values, const void *other, bool single,
                    size_t n);
    /* |in|; `out` may be `in`. */
    void (*absolute)(kdl_dtype dtype, const void *in, void *out, size_t n);
    /* Whether values stand in the relation to one number; no 16-bit floats. */
    void (*compare)(kdl_dtype dtype, kdl__relation relation, const void *values, const void *number,
                    unsigned char *out, size_t n);

    /* Elements [first, first + n) of torch.arange and of torch.linspace of `numel` elements. */
    void (*arange_f64)(double start, double step, uint64_t numel, uint64_t first, size_t n,
                       double *out);
    void (*arange_f32)(double start, double step, uint64_t numel, uint64_t first, size_t n,
                       float *out);
    /* Not rounded to f16 and bf16 yet. */
    void (*arange_f16)(float start, float step, uint64_t numel, uint64_t first, size_t n,
                       float *out);
    void (*arange_bf16)(float start, float step, uint64_t numel, uint64_t first, size_t n,
                        float *out);
    void (*linspace_f64)(double start, double end, uint64_t numel, uint64_t first, size_t n,
                         double *out);
    void (*linspace_f32)(float start, float end, uint64_t numel, uint64_t first, size_t n,
                         float *out);
} kdl__kernels;

/* The portable definition: works on every machine. */
extern const kdl__kernels kdl__kernels_ref;

/* Defined where the compiler can build them (KDL__HAVE_AVX2, ...). */
extern const kdl__kernels kdl__kernels_avx2;
extern const kdl__kernels kdl__kernels_avx512;
extern const kdl__kernels kdl__kernels_avx512icl;
extern const kdl__kernels kdl__kernels_neon;
extern const kdl__kernels kdl__kernels_neon_pmull;

/* The table that the context chose (kdl_set_cpu). */
const kdl__kernels *kdl__kernels_of(const kdl_context *ctx);

/* The tables that this machine can run, from the portable one to the best; NULL behind it. */
const kdl__kernels *kdl__kernels_at(size_t index);
/* The best table that this machine can run. */
const kdl__kernels *kdl__kernels_best(void);

/* The state that manual_seed(seed) leaves: only the low 32 bits of a seed matter. */
void kdl__mt_seed(kdl__mt *mt, uint32_t seed);
/* Replaces the block by the next one and sets next to 0. */
void kdl__mt_regenerate(kdl__mt *mt);
/* One draw. */
uint32_t kdl__mt_draw(kdl__mt *mt);
/* Leaves `draws` draws out: the same state as drawing them, all bits of it. */
void kdl__mt_skip(const kdl__kernels *kernels, kdl__mt *mt, uint64_t draws);

#endif
