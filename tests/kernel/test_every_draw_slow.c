/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every 24-bit draw through the fills of every table, against ref: as a uniform, as the draw of a
 * normal's radius (all inputs of the logarithm) and as that of its angle (all inputs of sine and
 * cosine). The engine's block is filled with the raw words that are tempered to the wanted draws.
 */
#include "fill_cases.h"
#include "kernels/half.h"
#include "support/unit.h"

enum { N = KDL__MT_WORDS, HALF_BLOCK = 8, DRAWS = 1 << 24 };

/* Undoes kdl__mt_temper, shift by shift. */
static uint32_t untemper(uint32_t word)
{
    word ^= word >> 18;
    word ^= word << 15 & 0xefc60000;
    uint32_t whole = word;
    for (int i = 0; i < 4; i++)
        whole = word ^ (whole << 7 & 0x9d2c5680);
    word = whole ^ whole >> 11;
    return whole ^ word >> 11;
}

static kdl__mt engine_of(const uint32_t *draws)
{
    kdl__mt mt = { .next = 0 };
    for (int i = 0; i < N; i++)
        mt.words[i] = untemper(draws[i]);
    return mt;
}

static void compare(const kdl__kernels *kernels, fill_case fill, const kdl__mt *start, double a,
                    double b, const void *expected)
{
    unsigned char actual[N * 4];
    kdl__mt mt = *start;
    run_fill_case(kernels, fill, &mt, a, b, actual, N);
    if (memcmp(actual, expected, N * fill_cases[fill].nbytes) != 0)
        fail_msg("%s %s(%a, %a)", kernels->name, fill_cases[fill].name, a, b);
}

static void test_untemper(void **state)
{
    (void)state;
    uint32_t draws[N], again[N];
    for (uint32_t i = 0; i < N; i++)
        draws[i] = i * 2654435761u;
    kdl__mt mt = engine_of(draws);
    kdl__kernels_ref.draws(&mt, again, N);
    assert_memory_equal(again, draws, sizeof draws);
}

static void check_uniforms(double from, double to)
{
    const kdl__kernels *kernels;
    for (uint32_t first = 0; first < DRAWS; first += N) {
        uint32_t draws[N], expected[N];
        for (uint32_t i = 0; i < N; i++) /* the upper 8 bits must not count */
            draws[i] = (first + i) % DRAWS | i << 24;
        kdl__mt start = engine_of(draws);
        for (fill_case fill = FILL_UNIFORM_F32; fill <= FILL_UNIFORM_BF16; fill++) {
            kdl__mt mt = start;
            run_fill_case(&kdl__kernels_ref, fill, &mt, from, to, expected, N);
            for (size_t i = 1; (kernels = next_fills(&i));)
                compare(kernels, fill, &start, from, to, expected);
        }
    }
}

static void test_uniform(void **state)
{
    (void)state;
    check_uniforms(0, 1);
    check_uniforms(-0.1, 0.1);
    check_uniforms(5, 5.0078125);
}

static void compare_normals(const kdl__mt *start)
{
    const kdl__kernels *kernels;
    kdl__mt mt = *start;
    float expected[N];
    uint16_t expected_f16[N], expected_bf16[N];
    kdl__kernels_ref.normal_f32(&mt, 0, 1, expected, N);
    for (int i = 0; i < N; i++) {
        expected_f16[i] = kdl__f32_to_f16(expected[i]);
        expected_bf16[i] = kdl__f32_to_bf16(expected[i]);
    }
    for (size_t i = 1; (kernels = next_fills(&i));) {
        compare(kernels, FILL_NORMAL_F32, start, 0, 1, expected);
        compare(kernels, FILL_NORMAL_F16, start, 0, 1, expected_f16);
        compare(kernels, FILL_NORMAL_BF16, start, 0, 1, expected_bf16);
    }
}

/* All draws in the halves of the blocks that begin at `half`, mixed up ones in the other halves. */
static void check_normals(uint32_t half)
{
    for (uint32_t draw = 0; draw < DRAWS;) {
        uint32_t draws[N];
        for (uint32_t block = 0; block < N; block += 2 * HALF_BLOCK) {
            for (uint32_t i = 0; i < HALF_BLOCK; i++, draw++) {
                draws[block + half + i] = draw % DRAWS | i << 29;
                draws[block + HALF_BLOCK - half + i] = draw * 2654435761u;
            }
        }
        kdl__mt start = engine_of(draws);
        compare_normals(&start);
    }
}

static void test_radius(void **state)
{
    (void)state;
    check_normals(0);
}

static void test_angle(void **state)
{
    (void)state;
    check_normals(HALF_BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untemper),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_radius),
        cmocka_unit_test(test_angle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
