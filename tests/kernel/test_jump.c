/* SPDX-License-Identifier: Apache-2.0 */
/* Jumping ahead, by every table: against stepping, the portable one, and PyTorch. */
#include <inttypes.h>
#include "kernel/jump_cases.h"
#include "support/golden.h"
#include "support/unit.h"

/* `count` raw words of the sequence of `seed`. */
static uint32_t *sequence(uint32_t seed, size_t count)
{
    uint32_t *words = malloc(sizeof *words * (count + KDL__MT_WORDS));
    assert_non_null(words);
    kdl__mt mt;
    kdl__mt_seed(&mt, seed);
    for (size_t i = 0; i < count; i += KDL__MT_WORDS) {
        memcpy(words + i, mt.words, sizeof *words * KDL__MT_WORDS);
        kdl__mt_regenerate(&mt);
    }
    return words;
}

/* Equal in every bit that belongs to a state. */
static void assert_same_state(const uint32_t *actual, const uint32_t *expected)
{
    assert_int_equal(actual[0] >> 31, expected[0] >> 31);
    assert_memory_equal(actual + 1, expected + 1, sizeof *actual * (KDL__MT_WORDS - 1));
}

static void assert_jump_is_stepping(const kdl__kernels *kernels, const uint32_t *words, size_t from,
                                    size_t steps)
{
    uint32_t moved[KDL__MT_WORDS];
    memcpy(moved, words + from, sizeof moved);
    kernels->jump(moved, steps);
    assert_same_state(moved, words + from + steps);
}

static void test_short_distances(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    uint32_t *words = sequence(42, 4000);
    for (size_t i = 0; (kernels = next_jump(&i));)
        for (size_t steps = 0; steps <= 2000; steps += CASE_STEP(7))
            assert_jump_is_stepping(kernels, words, steps % 2 ? 0 : 313, steps);
    free(words);
}

static void test_block_boundaries(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    enum { COUNT = 3000000 };
    uint32_t *words = sequence(5489, COUNT + 2 * KDL__MT_WORDS);
    for (size_t i = 0; (kernels = next_jump(&i));)
        for (size_t blocks = 1; blocks * KDL__MT_WORDS < COUNT; blocks += 1 + blocks / 5)
            for (size_t nearby = 0; nearby < 3; nearby++)
                assert_jump_is_stepping(kernels, words, blocks % KDL__MT_WORDS,
                                        blocks * KDL__MT_WORDS + nearby - 1);
    free(words);
}

/* Powers have one form, whoever computes them; any of them serves any implementation. */
static void test_powers(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    for (int i = 0; i < 200; i++) {
        uint64_t steps = random_bits() >> (i % 64);
        kdl__jump_element expected;
        kdl__kernels_ref.jump_power(&expected, steps);
        for (size_t k = 0; (kernels = next_jump(&k));) {
            struct {
                kdl__jump_element before, power, after;
            } guarded, untouched;
            memset(&guarded, 0xee, sizeof guarded);
            untouched = guarded;
            kernels->jump_power(&guarded.power, steps);
            assert_memory_equal(&guarded.before, &untouched.before, sizeof guarded.before);
            assert_memory_equal(&guarded.power, &expected, sizeof expected);
            assert_memory_equal(&guarded.after, &untouched.after, sizeof guarded.after);
        }
    }
}

static void test_equal_strides(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    const uint64_t strides[] = { 1, 624, 4096, 1000003, UINT64_C(1) << 40, UINT64_MAX / 50 };
    for (size_t s = 0; s < sizeof strides / sizeof strides[0]; s++) {
        kdl__jump_element power;
        kdl__kernels_ref.jump_power(&power, strides[s]);
        for (size_t i = 0; (kernels = next_jump(&i));) {
            kdl__mt start, moved, expected;
            kdl__mt_seed(&start, 7);
            moved = start;
            for (uint64_t chunk = 1; chunk <= 50; chunk++) {
                kernels->jump_apply(moved.words, &power);
                expected = start;
                kernels->jump(expected.words, chunk * strides[s]);
                assert_memory_equal(moved.words, expected.words, sizeof(uint32_t) * KDL__MT_WORDS);
            }
        }
    }
}

static void assert_same_position(const kdl__mt *actual, const kdl__mt *expected)
{
    assert_memory_equal(actual->words, expected->words, sizeof(uint32_t) * KDL__MT_WORDS);
    assert_int_equal(actual->next, expected->next);
}

/* The table, made to jump over `pays_from` draws or more. */
static kdl__kernels jumping_from(const kdl__kernels *kernels, uint64_t pays_from)
{
    kdl__kernels table = *kernels;
    table.jump_pays_from = pays_from;
    return table;
}

static void test_skip_is_drawing(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    const uint32_t origins[] = { 0, 1, 313, 623, 624 };
    for (size_t i = 0; (kernels = next_jump(&i));) {
        const kdl__kernels jumping = jumping_from(kernels, 0);
        const kdl__kernels stepping = jumping_from(kernels, UINT64_MAX);
        for (size_t o = 0; o < sizeof origins / sizeof origins[0]; o += CASE_STEP(2)) {
            kdl__mt start, drawn;
            kdl__mt_seed(&start, 99);
            start.next = origins[o];
            drawn = start;
            for (uint64_t draws = 0; draws <= 5000; draws++) {
                if (draws < 1300 || draws % 624 < 3 || draws % 624 > 621) {
                    kdl__mt skipped = start;
                    kdl__mt_skip(&jumping, &skipped, draws);
                    assert_same_position(&skipped, &drawn);
                    skipped = start;
                    kdl__mt_skip(&stepping, &skipped, draws);
                    assert_same_position(&skipped, &drawn);
                }
                (void)kdl__mt_draw(&drawn);
            }
        }
    }
}

static void test_skip_far(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    for (size_t i = 0; (kernels = next_jump(&i));) {
        const kdl__kernels table = jumping_from(kernels, 5000);
        for (int r = 0; r < 200; r++) {
            uint64_t whole = r == 0 ? UINT64_MAX : random_bits();
            uint64_t part = r == 0 ? 623 : random_bits() % whole;
            kdl__mt once, twice;
            kdl__mt_seed(&once, 3);
            twice = once;
            kdl__mt_skip(&table, &once, whole);
            kdl__mt_skip(&table, &twice, part);
            kdl__mt_skip(&table, &twice, whole - part);
            assert_same_position(&once, &twice);
        }
    }
}

static void test_golden_skips(void **state)
{
    (void)state;
    const kdl__kernels *kernels;
    FILE *file = golden_open("skips.txt");
    char line[128];
    int lines = 0;
    for (; golden_line(file, line, sizeof line); lines++) {
        uint32_t seed, next;
        uint64_t draws, digest;
        assert_int_equal(sscanf(line, "%" SCNu32 " %" SCNu64 " %" SCNu32 " %" SCNx64, &seed, &draws,
                                &next, &digest),
                         4);
        for (size_t i = 0; (kernels = next_jump(&i));) {
            const kdl__kernels table = jumping_from(kernels, 5000);
            kdl__mt mt;
            kdl__mt_seed(&mt, seed);
            kdl__mt_skip(&table, &mt, draws);
            assert_int_equal(mt.next, next);
            assert_true(golden_digest(mt.words, sizeof(uint32_t) * KDL__MT_WORDS) == digest);
        }
    }
    assert_int_equal(lines, 18);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_distances), cmocka_unit_test(test_block_boundaries),
        cmocka_unit_test(test_powers),          cmocka_unit_test(test_equal_strides),
        cmocka_unit_test(test_skip_is_drawing), cmocka_unit_test(test_skip_far),
        cmocka_unit_test(test_golden_skips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
