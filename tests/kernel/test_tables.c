/* SPDX-License-Identifier: Apache-2.0 */
/* Every table against known answers: the generator's own, and PyTorch's golden ones. */
#include <math.h>
#include <string.h>
#include "kernels/half.h"
#include "kernels/kernels.h"
#include "kernels/mt19937.h"
#include "support/golden.h"
#include "support/unit.h"

static const kdl__kernels *kernels; /* the table under test */

static void test_engine(void **state)
{
    (void)state;
    kdl__mt mt;
    kdl__mt_seed(&mt, 5489);
    uint32_t last = 0;
    for (int i = 0; i < 10000; i++)
        last = kdl__mt_draw(&mt);
    assert_int_equal(last, 4123659995u); /* the C++ standard's own check of mt19937 */
}

static void test_draws_in_any_pieces(void **state)
{
    (void)state;
    enum { N = 3000 };
    static uint32_t whole[N], pieces[N];
    kdl__mt mt, again;
    kdl__mt_seed(&mt, 7);
    for (int i = 0; i < N; i++)
        whole[i] = kdl__mt_draw(&mt);
    kdl__mt_seed(&again, 7);
    for (size_t done = 0, piece = 0; done < N; done += piece, piece++) {
        size_t count = piece < N - done ? piece : N - done;
        kernels->draws(&again, pieces + done, count);
        if (count < piece)
            break;
    }
    assert_memory_equal(whole, pieces, sizeof whole);
    assert_int_equal(mt.next, again.next);
    assert_memory_equal(mt.words, again.words, 4 * KDL__MT_WORDS);
}

/* Calls the kernel that a golden line names; values go to `out`. */
static void run_fill(const char *op, kdl_dtype dtype, kdl__mt *mt, double a, double b, void *out,
                     size_t n)
{
    bool uniform = !strcmp(op, "uniform");
    assert_true(uniform || !strcmp(op, "normal"));
    switch (dtype) {
    case KDL_F32:
        (uniform ? kernels->uniform_f32 : kernels->normal_f32)(mt, (float)a, (float)b, out, n);
        break;
    case KDL_F16:
        (uniform ? kernels->uniform_f16 : kernels->normal_f16)(mt, (float)a, (float)b, out, n);
        break;
    case KDL_BF16:
        (uniform ? kernels->uniform_bf16 : kernels->normal_bf16)(mt, (float)a, (float)b, out, n);
        break;
    default:
        assert_int_equal(dtype, KDL_F64);
        (uniform ? kernels->uniform_f64 : kernels->normal_f64)(mt, a, b, out, n);
        break;
    }
}

static void test_golden_fills(void **state)
{
    (void)state;
    static uint64_t values[10000];
    FILE *file = golden_open("kernels.txt");
    int cases = 0;
    for (char line[256], op[16], name[8]; golden_line(file, line, sizeof line); cases++) {
        uint32_t seed;
        size_t n;
        double a, b;
        unsigned long long digest;
        assert_int_equal(
            sscanf(line, "%15s %7s %u %zu %lf %lf %llx", op, name, &seed, &n, &a, &b, &digest), 7);
        assert_true(n <= sizeof values / sizeof values[0]);
        kdl_dtype dtype;
        assert_true(kdl_dtype_parse(name, &dtype));
        kdl__mt mt;
        kdl__mt_seed(&mt, seed);
        run_fill(op, dtype, &mt, a, b, values, n);
        if (golden_digest(values, n * kdl_dtype_nbytes(dtype)) != digest)
            fail_msg("%s", line);
    }
    fclose(file);
    assert_true(cases > 300);
}

static void test_golden_conversions(void **state)
{
    (void)state;
    FILE *file = golden_open("conversions.txt");
    int cases = 0;
    static char line[4096], in_hex[2048], out_hex[2048];
    for (char from_name[8], to_name[8]; golden_line(file, line, sizeof line); cases++) {
        _Alignas(8) unsigned char in[1024], expected[1024], out[1024];
        assert_int_equal(sscanf(line, "%7s %7s %2047s %2047s", from_name, to_name, in_hex, out_hex),
                         4);
        kdl_dtype from = KDL_F32, to = KDL_F32;
        assert_true(kdl_dtype_parse(from_name, &from) && kdl_dtype_parse(to_name, &to));
        size_t n = golden_hex(in_hex, in, sizeof in) / kdl_dtype_nbytes(from);
        size_t nbytes = golden_hex(out_hex, expected, sizeof expected);
        assert_int_equal(nbytes, n * kdl_dtype_nbytes(to));
        kernels->convert(from, in, to, out, n);
        if (memcmp(out, expected, nbytes) != 0)
            fail_msg("%s to %s", from_name, to_name);
    }
    fclose(file);
    assert_int_equal(cases, KDL_DTYPE_COUNT * KDL_DTYPE_COUNT);
}

static void test_nan_conversions(void **state)
{
    (void)state;
    float in[2] = { NAN, -NAN };
    uint16_t half[2];
    float back[2];
    kdl_dtype halves[] = { KDL_F16, KDL_BF16 };
    for (int i = 0; i < 2; i++) {
        kernels->convert(KDL_F32, in, halves[i], half, 2);
        kernels->convert(halves[i], half, KDL_F32, back, 2);
        assert_true(isnan(back[0]) && isnan(back[1]));
    }
    int64_t i64[2];
    int32_t i32[2];
    uint8_t u8[2], boolean[2];
    kernels->convert(KDL_F32, in, KDL_I64, i64, 2);
    kernels->convert(KDL_F32, in, KDL_I32, i32, 2);
    kernels->convert(KDL_F32, in, KDL_U8, u8, 2);
    kernels->convert(KDL_F32, in, KDL_BOOL, boolean, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(i64[i] == INT64_MIN && i32[i] == INT32_MIN);
        assert_true(u8[i] == 0 && boolean[i] == 1);
    }
}

static void test_every_half_comes_back(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float f16 = kdl__f16_to_f32((uint16_t)bits);
        float bf16 = kdl__bf16_to_f32((uint16_t)bits);
        assert_true(isnan(f16) || kdl__f32_to_f16(f16) == bits);
        assert_true(isnan(bf16) || kdl__f32_to_bf16(bf16) == bits);
        assert_true(!isnan(f16) || (bits & 0x7fff) > 0x7c00);
        assert_true(!isnan(bf16) || (bits & 0x7fff) > 0x7f80);
    }
}

static void test_fill(void **state)
{
    (void)state;
    const uint64_t bits = UINT64_C(0x8877665544332211);
    for (size_t nbytes = 1; nbytes <= 8; nbytes *= 2) {
        unsigned char out[8 * 33 + 1];
        for (size_t n = 0; n <= 33; n++) {
            memset(out, 0xee, sizeof out);
            kernels->fill(out, nbytes, bits, n);
            for (size_t i = 0; i < n * nbytes; i++)
                assert_int_equal(out[i], (unsigned char)(bits >> 8 * (i % nbytes)));
            assert_int_equal(out[n * nbytes], 0xee);
        }
    }
}

static void test_jump_is_stepping(void **state)
{
    (void)state;
    const uint64_t steps[] = { 0, 1, 227, 396, 397, 623, 624, 625, 1247, 1248, 100000 };
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        kdl__mt stepped, jumped;
        kdl__mt_seed(&stepped, 42);
        kdl__mt_seed(&jumped, 42);
        kernels->jump(jumped.words, steps[s]);
        for (uint64_t i = 0; i < steps[s]; i++)
            (void)kdl__mt_draw(&stepped);
        /* The jumped block is the 624 words behind `steps` draws: the next ones follow it. */
        uint32_t position = steps[s] == 0 ? 0 : stepped.next % KDL__MT_WORDS;
        for (int i = 0; i < 2000; i++) {
            if (position == 0)
                kdl__mt_regenerate(&stepped);
            uint32_t expected = stepped.words[position];
            position = (position + 1) % KDL__MT_WORDS;
            if (i % KDL__MT_WORDS == 0)
                kdl__mt_regenerate(&jumped);
            assert_int_equal(jumped.words[i % KDL__MT_WORDS], expected);
        }
    }
}

static void test_regenerate(void **state)
{
    (void)state;
    kdl__mt expected, mt;
    kdl__mt_seed(&expected, 99);
    mt = expected;
    for (int i = 0; i < 3; i++) {
        kdl__mt_regenerate(&expected);
        kernels->regenerate(&mt);
        assert_int_equal(mt.next, 0);
        assert_memory_equal(mt.words, expected.words, 4 * KDL__MT_WORDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_regenerate),
        cmocka_unit_test(test_draws_in_any_pieces),
        cmocka_unit_test(test_golden_fills),
        cmocka_unit_test(test_golden_conversions),
        cmocka_unit_test(test_nan_conversions),
        cmocka_unit_test(test_every_half_comes_back),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_jump_is_stepping),
    };
    int failed = 0;
    for (size_t i = 0; (kernels = kdl__kernels_at(i)); i++)
        failed += cmocka_run_group_tests_name(kernels->name, tests, NULL, NULL);
    return failed;
}
