/* SPDX-License-Identifier: Apache-2.0 */
/* Any range of any fill equals the slice of the whole, wherever in the stream it begins. */
#include "kernels/mt19937.h"
#include "random/fill.h"
#include "support/unit.h"

enum { LONGEST = 5000, ELEMENT = 8 };

static uint64_t mixed_state;

/* A generator of test cases that has nothing to do with what is tested (splitmix64). */
static uint64_t mixed(uint64_t below)
{
    uint64_t z = mixed_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static kdl__fill some_fill(void)
{
    static const kdl_dtype floats[] = { KDL_F32, KDL_F64, KDL_F16, KDL_BF16 };
    kdl__fill fill = { .distribution = (kdl__distribution)mixed(KDL__DISTRIBUTION_COUNT) };
    fill.dtype = floats[mixed(4)];
    if (fill.distribution >= KDL__BERNOULLI)
        fill.dtype = (kdl_dtype)mixed(KDL_DTYPE_COUNT);
    fill.numel = 1 + mixed(mixed(2) ? LONGEST : 70);
    if (fill.distribution == KDL__NORMAL && fill.numel < 16)
        fill.numel += 16;
    fill.a = 0.25;
    fill.b = 0.75;
    fill.low = -3;
    fill.range = mixed(2) ? 10 : UINT64_C(1) << 40;
    fill.has_spare = kdl__distribution_uses_spare(fill.distribution) && mixed(2);
    fill.spare = 1.5;
    return fill;
}

/* Positions near the beginning, at a block's borders, and far away. */
static uint64_t some_position(void)
{
    switch (mixed(4)) {
    case 0:
        return mixed(3000);
    case 1:
        return KDL__MT_WORDS * mixed(1000) + mixed(3);
    case 2:
        return mixed(1000000);
    default:
        return mixed(UINT64_C(1) << 40);
    }
}

static void test_ranges(void **state)
{
    (void)state;
    static unsigned char whole[LONGEST * ELEMENT + 16 * ELEMENT], part[sizeof whole];
    kdl_context *ctx = kdl_context_new(NULL);
    kdl__stream *stream = kdl__stream_from_seed(ctx, 42);
    kdl__cursor for_whole, for_part;
    kdl__cursor_init(&for_whole, kdl__kernels_best());
    kdl__cursor_init(&for_part, kdl__kernels_best());
    for (int fills = 0, ranges = 0; ranges < 1000; fills++) {
        const kdl__fill fill = some_fill();
        const size_t nbytes = kdl_dtype_nbytes(fill.dtype);
        const uint64_t start = some_position();
        kdl__fill_range(&fill, stream, start, &for_whole, 0, fill.numel, whole);
        for (int again = 0; again < 8; again++, ranges++) {
            uint64_t first = mixed(fill.numel + 1), count = mixed(fill.numel - first + 1);
            memset(part, 0xee, sizeof part);
            kdl__fill_range(&fill, stream, start, &for_part, first, count, part);
            if (memcmp(part, whole + first * nbytes, count * nbytes) != 0)
                fail_msg("distribution %d, %s, numel %llu, from %llu on %llu elements",
                         (int)fill.distribution, kdl_dtype_name(fill.dtype),
                         (unsigned long long)fill.numel, (unsigned long long)first,
                         (unsigned long long)count);
            for (size_t i = count * nbytes; i < sizeof part; i++)
                assert_int_equal(part[i], 0xee);
        }
    }
    kdl__cursor_free(&for_part);
    kdl__cursor_free(&for_whole);
    kdl__stream_release(stream);
    kdl_context_release(ctx);
}

/* A fill of all its elements stands behind its draws when it ends; its engine is the right one. */
static void test_draws(void **state)
{
    (void)state;
    static unsigned char values[(LONGEST + 16) * ELEMENT];
    kdl_context *ctx = kdl_context_new(NULL);
    kdl__stream *stream = kdl__stream_from_seed(ctx, 7);
    for (int i = 0; i < 500; i++) {
        const kdl__fill fill = some_fill();
        const uint64_t start = mixed(5000);
        kdl__cursor used, moved;
        kdl__cursor_init(&used, kdl__kernels_best());
        kdl__cursor_init(&moved, kdl__kernels_best());
        kdl__fill_range(&fill, stream, start, &used, 0, fill.numel, values);
        kdl__cursor_move(&moved, stream, start + kdl__fill_draws(&fill));
        if (kdl__fill_draws(&fill) > 0) {
            assert_int_equal(used.draw, moved.draw);
            assert_int_equal(kdl__cursor_draw(&used), kdl__cursor_draw(&moved));
        }
        kdl__cursor_free(&used);
        kdl__cursor_free(&moved);
    }
    kdl__stream_release(stream);
    kdl_context_release(ctx);
}

/* Two fills in a row with the spare between them are one fill of all their elements. */
static void test_spare(void **state)
{
    (void)state;
    enum { N = 40 };
    double whole[N], parts[N];
    kdl_context *ctx = kdl_context_new(NULL);
    kdl__stream *stream = kdl__stream_from_seed(ctx, 3);
    kdl__segment *segment = kdl__segment_first(ctx, stream);
    kdl__cursor cursor;
    kdl__cursor_init(&cursor, kdl__kernels_best());
    kdl__fill fill = { KDL__NORMAL_SERIAL, KDL_F64, N, 1.0, 2.0, 0, 0, false, 0 };
    kdl__fill_range(&fill, stream, 0, &cursor, 0, N, whole);
    for (uint64_t split = 1; split < N; split++) {
        kdl__fill first = fill, second = fill;
        uint64_t offset = 0;
        first.numel = split;
        second.numel = N - split;
        second.has_spare = kdl__fill_leaves_spare(&first, &offset);
        assert_int_equal(second.has_spare, split % 2);
        kdl__spare spare = { .present = second.has_spare, .origin = { segment, offset } };
        if (spare.present)
            second.spare = kdl__spare_value(&spare, &cursor);
        kdl__fill_range(&first, stream, 0, &cursor, 0, split, parts);
        kdl__fill_range(&second, stream, kdl__fill_draws(&first), &cursor, 0, N - split,
                        parts + split);
        assert_memory_equal(parts, whole, sizeof whole);
        assert_int_equal(kdl__fill_draws(&first) + kdl__fill_draws(&second),
                         kdl__fill_draws(&fill));
    }
    kdl__cursor_free(&cursor);
    kdl__segment_release(segment);
    kdl__stream_release(stream);
    kdl_context_release(ctx);
}

/* Moving in any order gives what stepping gives, and the state that PyTorch's engine would have. */
static void test_cursor(void **state)
{
    (void)state;
    enum { N = 4000 };
    static uint32_t stepped[N + 1], next[N + 1];
    kdl_context *ctx = kdl_context_new(NULL);
    kdl__stream *stream = kdl__stream_from_seed(ctx, 5489);
    kdl__mt mt = stream->origin;
    for (int i = 0; i <= N; i++) {
        next[i] = mt.next;
        stepped[i] = kdl__mt_draw(&mt);
    }
    kdl__cursor cursor;
    kdl__cursor_init(&cursor, kdl__kernels_best());
    for (int i = 0; i < 20000; i++) {
        uint64_t draw = mixed(2) ? mixed(N + 1) : KDL__MT_WORDS * mixed(N / KDL__MT_WORDS + 1);
        kdl__cursor_move(&cursor, stream, draw);
        assert_int_equal(cursor.mt.next, next[draw]);
        if (mixed(2)) {
            assert_int_equal(kdl__cursor_draw(&cursor), stepped[draw]);
            assert_int_equal(cursor.draw, draw + 1);
        }
    }
    kdl__cursor_free(&cursor);
    kdl__stream_release(stream);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_spare),
        cmocka_unit_test(test_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
