/* SPDX-License-Identifier: Apache-2.0 */
/* The table of element types. */
#include "kindling/dtype.h"
#include "support/unit.h"

static const struct {
    kdl_dtype dtype;
    const char *name, *scalar_name;
    size_t nbytes;
    bool floating_point;
} expected[] = {
    { KDL_F32, "float32", "Float", 4, true }, { KDL_F64, "float64", "Double", 8, true },
    { KDL_F16, "float16", "Half", 2, true },  { KDL_BF16, "bfloat16", "BFloat16", 2, true },
    { KDL_I64, "int64", "Long", 8, false },   { KDL_I32, "int32", "Int", 4, false },
    { KDL_U8, "uint8", "Byte", 1, false },    { KDL_BOOL, "bool", "Bool", 1, false },
};

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(sizeof expected / sizeof *expected, KDL_DTYPE_COUNT);
    for (size_t i = 0; i < KDL_DTYPE_COUNT; i++) {
        kdl_dtype dtype = expected[i].dtype, parsed = KDL_DTYPE_COUNT;
        assert_string_equal(kdl_dtype_name(dtype), expected[i].name);
        assert_string_equal(kdl_dtype_scalar_name(dtype), expected[i].scalar_name);
        assert_int_equal(kdl_dtype_nbytes(dtype), expected[i].nbytes);
        assert_int_equal(kdl_dtype_is_floating_point(dtype), expected[i].floating_point);
        assert_true(kdl_dtype_parse(expected[i].name, &parsed));
        assert_int_equal(parsed, dtype);
    }
    assert_int_equal(kdl_dtype_nbytes(KDL_DTYPE_COUNT), 0);
    assert_int_equal(kdl_dtype_nbytes((kdl_dtype)-1), 0);
    assert_string_equal(kdl_dtype_name(KDL_DTYPE_COUNT), "");
    assert_string_equal(kdl_dtype_scalar_name((kdl_dtype)77), "");
    assert_false(kdl_dtype_is_floating_point(KDL_DTYPE_COUNT));
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        kdl_dtype dtype;
    } good[] = {
        { "float", KDL_F32 },         { "f32", KDL_F32 },
        { "torch.float32", KDL_F32 }, { "double", KDL_F64 },
        { "f64", KDL_F64 },           { "torch.half", KDL_F16 },
        { "f16", KDL_F16 },           { "torch.bfloat16", KDL_BF16 },
        { "bf16", KDL_BF16 },         { "long", KDL_I64 },
        { "i64", KDL_I64 },           { "int", KDL_I32 },
        { "i32", KDL_I32 },           { "u8", KDL_U8 },
        { "torch.bool", KDL_BOOL },
    };
    static const char *const bad[] = { "", "torch.", "float3", "float322", "F32", " f32", "int16" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        kdl_dtype dtype = KDL_DTYPE_COUNT;
        assert_true(kdl_dtype_parse(good[i].name, &dtype));
        assert_int_equal(dtype, good[i].dtype);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kdl_dtype dtype = KDL_I32;
        assert_false(kdl_dtype_parse(bad[i], &dtype));
        assert_int_equal(dtype, KDL_I32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
