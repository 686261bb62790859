/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of torch.nn.init by name: what a call gives, and what is no call. */
#include "kindling/kindling.h"
#include "support/unit.h"

/* Both tensors, made under the same seed, have the same elements. */
#define CHECK(ctx, shape, text, direct)                                                            \
    do {                                                                                           \
        kdl_scheme scheme;                                                                         \
        kdl_tensor *expected = kdl_zeros(ctx, shape), *given = kdl_zeros(ctx, shape);              \
        kdl_manual_seed(ctx, 11);                                                                  \
        direct;                                                                                    \
        kdl_manual_seed(ctx, 11);                                                                  \
        kdl_scheme_parse(ctx, text, &scheme);                                                      \
        kdl_scheme_apply(&scheme, given);                                                          \
        assert_string_equal(kdl_error_message(ctx), "");                                           \
        assert_memory_equal(kdl_tensor_data(given), kdl_tensor_data(expected),                     \
                            kdl_tensor_nbytes(expected));                                          \
        kdl_tensor_release(given);                                                                 \
        kdl_tensor_release(expected);                                                              \
    } while (0)

static void test_calls(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_shape shape = KDL_SHAPE(5, 4);
    CHECK(ctx, shape, "uniform", kdl_init_uniform_(expected));
    CHECK(ctx, shape, "uniform_( -1, b=2.5 )", kdl_init_uniform_(expected, .a = -1, .b = 2.5));
    CHECK(ctx, shape, "normal(std=2e-2)", kdl_init_normal_(expected, .std = 0.02));
    CHECK(ctx, shape, "normal(1)", kdl_init_normal_(expected, .mean = 1));
    CHECK(ctx, shape, "trunc_normal(0, 1, -1, b=1.5)",
          kdl_init_trunc_normal_(expected, .a = -1, .b = 1.5));
    CHECK(ctx, shape, "constant(val=7)", kdl_init_constant_(expected, 7));
    CHECK(ctx, shape, "ones()", kdl_init_ones_(expected));
    CHECK(ctx, shape, "zeros", kdl_init_zeros_(expected));
    CHECK(ctx, shape, "eye", kdl_init_eye_(expected));
    CHECK(ctx, KDL_SHAPE(4, 2, 3), "dirac(groups=2)", kdl_init_dirac_(expected, .groups = 2));
    CHECK(ctx, shape, "xavier_uniform(gain=tanh)",
          kdl_init_xavier_uniform_(expected,
                                   .gain = kdl_init_calculate_gain(ctx, KDL_NONLINEARITY_TANH)));
    CHECK(ctx, shape, "xavier_normal(0.5)", kdl_init_xavier_normal_(expected, .gain = 0.5));
    CHECK(ctx, shape, "kaiming_uniform(a=0.1)", kdl_init_kaiming_uniform_(expected, .a = 0.1));
    CHECK(ctx, shape, "kaiming_normal(mode='fan_out', nonlinearity=relu)",
          kdl_init_kaiming_normal_(expected, .mode = KDL_FAN_OUT,
                                   .nonlinearity = KDL_NONLINEARITY_RELU));
    CHECK(ctx, shape, "orthogonal(gain=2)", kdl_init_orthogonal_(expected, .gain = 2));
    CHECK(ctx, shape, "sparse(0.5, std=1)", kdl_init_sparse_(expected, 0.5, .std = 1));
    kdl_context_release(ctx);
}

static void test_signatures(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    const char *signature;
    size_t count = 0;
    for (; (signature = kdl_scheme_at(count)); count++) {
        kdl_scheme scheme;
        char name[32] = "";
        memcpy(name, signature, strcspn(signature, "("));
        bool required = strcmp(name, "constant") == 0 || strcmp(name, "sparse") == 0;
        assert_int_equal(kdl_scheme_parse(ctx, name, &scheme), required ? KDL_ERROR_TYPE : KDL_OK);
        kdl_error_clear(ctx);
    }
    assert_int_equal(count, 14);
    kdl_context_release(ctx);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        kdl_status status;
        const char *message;
    } cases[] = {
        { "", KDL_ERROR_KEY, "torch.nn.init has no scheme ''" },
        { "glorot", KDL_ERROR_KEY, "torch.nn.init has no scheme 'glorot'" },
        { "normal(", KDL_ERROR_FORMAT, "normal(: a number is expected at column 8" },
        { "normal(1 2)", KDL_ERROR_FORMAT, "normal(1 2): ',' or ')' is expected at column 10" },
        { "normal() x", KDL_ERROR_FORMAT, "normal() x: the end is expected at column 10" },
        { "normal(1, 2, 3)", KDL_ERROR_TYPE,
          "normal takes no more arguments than normal(mean=0.0, std=1.0)" },
        { "normal(std=1, 2)", KDL_ERROR_FORMAT,
          "normal(std=1, 2): a named argument is expected at column 15" },
        { "normal(sd=1)", KDL_ERROR_TYPE, "normal_() got an unexpected keyword argument 'sd'" },
        { "normal(1, mean=1)", KDL_ERROR_TYPE, "normal_() got multiple values for 'mean'" },
        { "constant", KDL_ERROR_TYPE, "constant_() misses its argument 'val'" },
        { "dirac(1.5)", KDL_ERROR_FORMAT, "dirac(1.5): an integer is expected at column 7" },
        { "kaiming_normal(mode=fan_avg)", KDL_ERROR_VALUE,
          "Mode fan_avg not supported, please use one of ['fan_in', 'fan_out']" },
        { "kaiming_normal(nonlinearity=swish)", KDL_ERROR_VALUE, "Unsupported nonlinearity swish" },
        { "kaiming_normal(mode='fan_in)", KDL_ERROR_FORMAT,
          "kaiming_normal(mode='fan_in): the closing quote is expected at column 28" },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kdl_scheme scheme;
        kdl_scheme_parse(ctx, cases[i].text, &scheme);
        assert_error(ctx, cases[i].status, cases[i].message);
    }
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
