/* SPDX-License-Identifier: Apache-2.0 */
/* Jumping ahead by huge distances: jump(a) and jump(b) are jump(a + b). */
#include "kernel/jump_cases.h"
#include "support/unit.h"

/* Two jumps by anyone are the portable jump by the sum. */
static void assert_composition(uint64_t first, uint64_t second)
{
    const kdl__kernels *kernels;
    kdl__mt start, expected;
    kdl__mt_seed(&start, (uint32_t)first);
    expected = start;
    kdl__kernels_ref.jump(expected.words, first + second);
    for (size_t i = 0; (kernels = next_jump(&i));) {
        kdl__mt moved = start;
        kernels->jump(moved.words, first);
        kernels->jump(moved.words, second);
        assert_memory_equal(moved.words, expected.words, sizeof(uint32_t) * KDL__MT_WORDS);
    }
}

static void test_composition(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        assert_composition(random_bits() >> 2, random_bits() >> 2);
    assert_composition(INT64_MAX, (uint64_t)INT64_MAX + 1);
    assert_composition(UINT64_MAX, 0);
    assert_composition(1, UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_composition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
