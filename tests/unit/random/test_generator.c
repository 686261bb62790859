/* SPDX-License-Identifier: Apache-2.0 */
/* Generators: seeds, positions, states in PyTorch's bytes, clones, references. */
#include "kindling/kindling.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

typedef unsigned char state_bytes[KDL_GENERATOR_STATE_NBYTES];

/* Offsets in the state. */
enum { LEFT = 8, SEEDED = 12, NEXT = 16, NORMAL_Y = 5024, NORMAL_IS_VALID = 5040 };

static void poke(state_bytes state, size_t offset, int32_t value)
{
    memcpy(state + offset, &value, sizeof value);
}

static int32_t peek(const state_bytes state, size_t offset)
{
    int32_t value;
    memcpy(&value, state + offset, sizeof value);
    return value;
}

static void test_seeds(void **test_state)
{
    (void)test_state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_generator *generator = kdl_generator_new(ctx);
    assert_true(kdl_generator_initial_seed(generator) == KDL_DEFAULT_SEED);
    assert_true(kdl_generator_initial_seed(kdl_default_generator(ctx)) == KDL_DEFAULT_SEED);

    kdl_generator_manual_seed(generator, 5489);
    for (int i = 1; i < 10000; i++)
        (void)kdl_generator_random(generator);
    assert_int_equal(kdl_generator_random(generator), 4123659995u); /* the C++ standard's check */
    assert_int_equal(kdl_generator_tell(generator), 10000);

    kdl_generator_manual_seed(generator, (uint64_t)INT64_C(-1));
    assert_true(kdl_generator_initial_seed(generator) == UINT64_MAX);
    uint32_t first = kdl_generator_random(generator);
    kdl_generator_manual_seed(generator, UINT32_MAX); /* the same low 32 bits, the same stream */
    assert_int_equal(kdl_generator_random(generator), first);
    uint64_t second = kdl_generator_random(generator), third = kdl_generator_random(generator);
    kdl_generator_seek(generator, 1);
    assert_true(kdl_generator_random64(generator) == (second << 32 | third));

    assert_int_equal(kdl_manual_seed(ctx, 99), KDL_OK);
    assert_true(kdl_generator_initial_seed(kdl_default_generator(ctx)) == 99);
    kdl_generator_release(generator);
    kdl_context_release(ctx);
}

static void test_positions(void **test_state)
{
    (void)test_state;
    enum { N = 2000 };
    static uint32_t draws[N];
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_generator *generator = kdl_generator_new(ctx);
    for (int i = 0; i < N; i++)
        draws[i] = kdl_generator_random(generator);
    for (int64_t i = N - 1; i >= 0; i -= 37) { /* backwards, across blocks */
        assert_int_equal(kdl_generator_seek(generator, i), KDL_OK);
        assert_int_equal(kdl_generator_tell(generator), i);
        assert_int_equal(kdl_generator_random(generator), draws[i]);
    }
    /* Far ahead: where a jump leads is where two jumps lead. */
    kdl_generator_seek(generator, INT64_C(1) << 50);
    uint64_t far = kdl_generator_random64(generator);
    kdl_generator_seek(generator, 123456789);
    kdl_generator_seek(generator, INT64_C(1) << 50);
    assert_true(kdl_generator_random64(generator) == far);

    kdl_generator_seek(generator, -1);
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_VALUE);
    assert_int_equal(kdl_generator_tell(generator), -1); /* an error stands */
    kdl_error_clear(ctx);
    assert_int_equal(kdl_generator_tell(generator), (INT64_C(1) << 50) + 2);
    kdl_generator_release(generator);
    kdl_context_release(ctx);
}

/* After every number of draws: `left` and `next` as PyTorch tells them, and a round trip. */
static void test_state_counters(void **test_state)
{
    (void)test_state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_generator *generator = kdl_generator_new(ctx), *other = kdl_generator_new(ctx);
    kdl_generator_manual_seed(generator, 42);
    for (int drawn = 0; drawn < 1300; drawn++) {
        state_bytes state, again;
        kdl_generator_get_state(generator, state);
        int next = drawn == 0 ? 0 : (drawn - 1) % 624 + 1;
        assert_int_equal(peek(state, NEXT), next);
        assert_int_equal(peek(state, LEFT), drawn == 0 ? 1 : 625 - next);
        assert_int_equal(peek(state, SEEDED), 1);
        assert_int_equal(kdl_generator_set_state(other, state, sizeof state), KDL_OK);
        assert_int_equal(kdl_generator_tell(other), 0);
        kdl_generator_get_state(other, again);
        assert_memory_equal(state, again, sizeof state);
        assert_true(kdl_generator_initial_seed(other) == 42);
        assert_int_equal(kdl_generator_random(generator), kdl_generator_random(other));
    }
    kdl_generator_release(other);
    kdl_generator_release(generator);
    kdl_context_release(ctx);
}

static void test_bad_states(void **test_state)
{
    (void)test_state;
    static const struct {
        size_t offset;
        int32_t value;
    } bad[] = {
        { LEFT, 0 },   { LEFT, -1 },  { LEFT, 625 },
        { LEFT, 300 }, /* in range, but not what `next` says */
        { SEEDED, 0 }, { NEXT, 625 }, { NEXT, -1 },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_generator *generator = kdl_generator_new(ctx);
    for (int i = 0; i < 100; i++)
        (void)kdl_generator_random(generator);
    state_bytes good, changed, after;
    kdl_generator_get_state(generator, good);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memcpy(changed, good, sizeof good);
        poke(changed, bad[i].offset, bad[i].value);
        kdl_generator_set_state(generator, changed, sizeof changed);
        assert_error(ctx, KDL_ERROR_RUNTIME, "Invalid mt19937 state");
        kdl_generator_get_state(generator, after);
        assert_memory_equal(after, good, sizeof good);
    }
    kdl_generator_set_state(generator, good, 10);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size "
                 "to be 10");
    kdl_generator_release(generator);
    kdl_context_release(ctx);
}

static void test_spare_in_state(void **test_state)
{
    (void)test_state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_generator *generator = kdl_default_generator(ctx), *other = kdl_generator_new(ctx);
    kdl_manual_seed(ctx, 42);
    kdl_tensor *three = kdl_randn(ctx, KDL_SHAPE(3), .dtype = KDL_F64);
    state_bytes state;
    kdl_generator_get_state(generator, state);
    assert_int_equal(peek(state, NORMAL_IS_VALID), 1);
    kdl_tensor *one = kdl_randn(ctx, KDL_SHAPE(1), .dtype = KDL_F64);
    assert_memory_equal(state + NORMAL_Y, kdl_tensor_data(one), sizeof(double));

    kdl_generator_set_state(other, state, sizeof state);
    kdl_generator *clone = kdl_generator_clone(other);
    kdl_generator *both[] = { other, clone };
    for (int i = 0; i < 2; i++) {
        kdl_tensor *same = kdl_randn(ctx, KDL_SHAPE(1), .dtype = KDL_F64, .generator = both[i]);
        assert_memory_equal(kdl_tensor_data(same), kdl_tensor_data(one), sizeof(double));
        kdl_tensor_release(same);
    }
    kdl_generator_set_state(other, state, sizeof state);
    kdl_generator_manual_seed(other, 1); /* drops it */
    kdl_generator_get_state(other, state);
    assert_int_equal(peek(state, NORMAL_IS_VALID), 0);

    kdl_tensor_release(one);
    kdl_tensor_release(three);
    kdl_generator_release(clone);
    kdl_generator_release(other);
    kdl_context_release(ctx);
}

static void test_clone_goes_its_own_way(void **test_state)
{
    (void)test_state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_generator *generator = kdl_generator_new(ctx);
    (void)kdl_generator_random(generator);
    kdl_generator *clone = kdl_generator_clone(generator);
    uint32_t next = kdl_generator_random(generator);
    assert_int_equal(kdl_generator_tell(clone), 1);
    assert_int_equal(kdl_generator_random(clone), next);
    kdl_generator_manual_seed(generator, 3);
    assert_int_equal(kdl_generator_tell(clone), 2);
    assert_true(kdl_generator_initial_seed(clone) == KDL_DEFAULT_SEED);
    kdl_generator_release(generator);
    kdl_generator_release(clone);
    kdl_context_release(ctx);
}

/* A reference to the default generator keeps its context alive. */
static void test_default_generator_is_kept(void **test_state)
{
    (void)test_state;
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    kdl_generator *generator = kdl_generator_retain(kdl_default_generator(ctx));
    assert_ptr_equal(kdl_default_generator(ctx), generator);
    kdl_context_release(ctx);
    assert_int_equal(kdl_generator_tell(generator), 0);
    kdl_generator_release(generator);
    assert_int_equal(atomic_load(&allocator.live), 0);
}

static void test_other_context(void **test_state)
{
    (void)test_state;
    kdl_context *ctx = kdl_context_new(NULL), *other = kdl_context_new(NULL);
    kdl_generator *generator = kdl_generator_new(other);
    assert_null(kdl_rand(ctx, KDL_SHAPE(2), .generator = generator));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_VALUE);
    assert_int_equal(kdl_error_status(other), KDL_OK);
    kdl_generator_release(generator);
    kdl_context_release(ctx);
    kdl_context_release(other);
}

static void test_null(void **test_state)
{
    (void)test_state;
    state_bytes state;
    assert_null(kdl_generator_retain(NULL));
    kdl_generator_release(NULL);
    assert_null(kdl_generator_clone(NULL));
    assert_int_not_equal(kdl_generator_manual_seed(NULL, 1), KDL_OK);
    assert_int_not_equal(kdl_generator_get_state(NULL, state), KDL_OK);
    assert_int_not_equal(kdl_generator_set_state(NULL, state, sizeof state), KDL_OK);
    assert_int_not_equal(kdl_generator_seek(NULL, 1), KDL_OK);
    assert_int_equal(kdl_generator_tell(NULL), -1);
    assert_int_equal(kdl_generator_random(NULL), 0);
    assert_true(kdl_generator_initial_seed(NULL) == 0);
}

static kdl_status use_generators(kdl_context *ctx, void *unused)
{
    (void)unused;
    state_bytes state;
    kdl_manual_seed(ctx, 1);
    kdl_generator *generator = kdl_generator_new(ctx);
    kdl_generator *clone = kdl_generator_clone(generator);
    kdl_generator_seek(clone, 700);
    if (kdl_generator_get_state(clone, state) == KDL_OK)
        kdl_generator_set_state(generator, state, sizeof state);
    kdl_generator_release(clone);
    kdl_generator_release(generator);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **test_state)
{
    (void)test_state;
    check_allocation_failures(use_generators, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_state_counters),
        cmocka_unit_test(test_bad_states),
        cmocka_unit_test(test_spare_in_state),
        cmocka_unit_test(test_clone_goes_its_own_way),
        cmocka_unit_test(test_default_generator_is_kept),
        cmocka_unit_test(test_other_context),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
