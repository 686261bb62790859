/* SPDX-License-Identifier: Apache-2.0 */
/* The random functions against PyTorch's golden answers: values, generator states, messages. */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/golden.h"
#include "support/tensors.h"

/* What a line of fills.txt says. */
typedef struct golden_fill {
    char op[16], a[32], b[32];
    kdl_dtype dtype;
    uint64_t seed, values, state;
    int64_t rows, columns;
} golden_fill;

static void read_fill(const char *line, golden_fill *fill)
{
    char dtype[8];
    unsigned long long seed, values, state;
    long long rows, columns;
    assert_int_equal(sscanf(line, "%15s %7s %llu %lld %lld %31s %31s %llx %llx", fill->op, dtype,
                            &seed, &rows, &columns, fill->a, fill->b, &values, &state),
                     9);
    assert_true(kdl_dtype_parse(dtype, &fill->dtype));
    fill->seed = seed;
    fill->rows = rows;
    fill->columns = columns;
    fill->values = values;
    fill->state = state;
}

static kdl_status bernoulli_tensor(kdl_tensor *tensor, kdl_dtype of, kdl_generator *generator)
{
    kdl_tensor *line =
        kdl_linspace(kdl_tensor_context(tensor), 0, 1, kdl_tensor_numel(tensor), .dtype = KDL_F64);
    kdl_tensor *p = kdl_to(line, of), *shaped = kdl_view(p, kdl_tensor_shape(tensor));
    kdl_status status = kdl_bernoulli_tensor_(tensor, shaped, .generator = generator);
    kdl_tensor_release(line);
    kdl_tensor_release(p);
    kdl_tensor_release(shaped);
    return status;
}

/* Calls the function that the line names. */
static kdl_status call(const golden_fill *fill, kdl_tensor *tensor, kdl_generator *generator)
{
    const double a = strtod(fill->a, NULL), b = strtod(fill->b, NULL);
    const int64_t from = strtoll(fill->a, NULL, 10), to = strtoll(fill->b, NULL, 10);
    kdl_dtype of;
    if (!strcmp(fill->op, "uniform_"))
        return kdl_uniform_(tensor, a, b, .generator = generator);
    if (!strcmp(fill->op, "normal_"))
        return kdl_normal_(tensor, a, b, .generator = generator);
    if (!strcmp(fill->op, "log_normal_"))
        return kdl_log_normal_(tensor, a, b, .generator = generator);
    if (!strcmp(fill->op, "exponential_"))
        return kdl_exponential_(tensor, a, .generator = generator);
    if (!strcmp(fill->op, "cauchy_"))
        return kdl_cauchy_(tensor, a, b, .generator = generator);
    if (!strcmp(fill->op, "geometric_"))
        return kdl_geometric_(tensor, a, .generator = generator);
    if (!strcmp(fill->op, "bernoulli_") && kdl_dtype_parse(fill->a, &of))
        return bernoulli_tensor(tensor, of, generator);
    if (!strcmp(fill->op, "bernoulli_"))
        return kdl_bernoulli_(tensor, a, .generator = generator);
    assert_string_equal(fill->op, "random_");
    if (!strcmp(fill->b, "None"))
        return kdl_random_from_(tensor, from, .generator = generator);
    if (from == to)
        return kdl_random_(tensor, .generator = generator);
    return kdl_random_range_(tensor, from, to, .generator = generator);
}

static void check_fill(kdl_context *ctx, const char *line)
{
    golden_fill fill;
    read_fill(line, &fill);
    kdl_generator *generator = kdl_generator_new(ctx);
    kdl_generator_manual_seed(generator, fill.seed);
    kdl_shape shape =
        fill.rows ? KDL_SHAPE(fill.rows, fill.columns) : (kdl_shape)KDL_SHAPE(fill.columns);
    kdl_tensor *base = kdl_ones(ctx, shape, .dtype = fill.dtype);
    kdl_tensor *view = kdl_t(base);
    assert_int_equal(call(&fill, view, generator), KDL_OK);
    unsigned char state[KDL_GENERATOR_STATE_NBYTES];
    assert_int_equal(kdl_generator_get_state(generator, state), KDL_OK);
    if (golden_digest(kdl_tensor_data(base), kdl_tensor_nbytes(base)) != fill.values)
        fail_msg("values: %s", line);
    if (golden_digest(state, sizeof state) != fill.state)
        fail_msg("state: %s", line);
    kdl_tensor_release(view);
    kdl_tensor_release(base);
    kdl_generator_release(generator);
}

static void test_golden(void **state)
{
    kdl_context *ctx = *state;
    FILE *file = golden_open("fills.txt");
    int lines = 0;
    for (char line[256]; golden_line(file, line, sizeof line); lines++)
        check_fill(ctx, line);
    fclose(file);
    assert_true(lines > 700);
}

/* Each function's own check, and the dtypes that it does not take. The whole is in the oracle. */
static void test_messages(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *f16 = kdl_zeros(ctx, KDL_SHAPE(3), .dtype = KDL_F16);
    kdl_tensor *i64 = kdl_zeros(ctx, KDL_SHAPE(3), .dtype = KDL_I64);
    kdl_tensor *none = kdl_zeros(ctx, KDL_SHAPE(0), .dtype = KDL_I64);
    int64_t before = kdl_generator_tell(kdl_default_generator(ctx));

    kdl_uniform_(f16, 0, 70000);
    assert_error(ctx, KDL_ERROR_RUNTIME, "to is out of bounds for c10::Half");
    kdl_uniform_(f16, -4e4, 4e4);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "uniform_ expects to-from <= std::numeric_limits<Half>::max(), but found to=40000 "
                 "and from=-40000 which result in to-from to exceed the limit");
    kdl_uniform_(none, 0, 1);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "\"check_uniform_bounds\" not implemented for 'Long'");
    kdl_normal_(i64, 0, -1);
    assert_error(ctx, KDL_ERROR_RUNTIME, "normal expects std >= 0.0, but found std -1");
    kdl_normal_(i64, 0, 1);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "\"normal_kernel_cpu\" not implemented for 'Long'");
    assert_int_equal(kdl_normal_(none, 0, 1), KDL_OK); /* PyTorch looks at nothing to fill first */
    kdl_log_normal_(f16, 0, 0);
    assert_error(ctx, KDL_ERROR_RUNTIME, "log_normal_ expects std > 0.0, but found std=0");
    kdl_exponential_(i64, 1);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Exponential distribution is a continuous probability distribution. dtype must be "
                 "a floating point but you specified Long");
    kdl_cauchy_(none, 0, 1);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Cauchy distribution is a continuous probability distribution. dtype must be a "
                 "floating point but you specified long int");
    kdl_geometric_(i64, 1);
    assert_error(ctx, KDL_ERROR_RUNTIME, "geometric_ expects p to be in (0, 1), but got p=1");
    kdl_bernoulli_(i64, 1.5);
    assert_error(ctx, KDL_ERROR_RUNTIME, "bernoulli_ expects p to be in [0, 1], but got p=1.5");
    kdl_random_range_(i64, 5, 5);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "random_ expects 'from' to be less than 'to', but got from=5 >= to=5");
    kdl_random_range_(f16, 2051, 2052);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but "
                 "got from=2051 >= to=2050");
    kdl_random_range_(f16, 0, 70000);
    assert_error(ctx, KDL_ERROR_RUNTIME, "to - 1 is out of bounds for c10::Half");

    assert_int_equal(kdl_generator_tell(kdl_default_generator(ctx)), before);
    kdl_tensor_release(f16);
    kdl_tensor_release(i64);
    kdl_tensor_release(none);
    kdl_context_release(ctx);
}

/* Probabilities are looked at when they are known: at once, or when they are computed. */
static void test_probabilities(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *p = kdl_full(ctx, KDL_SHAPE(2000), 0.5), *tensor = kdl_zeros(ctx, KDL_SHAPE(2000));
    kdl_tensor *integers = kdl_ones(ctx, KDL_SHAPE(2000), .dtype = KDL_I32);
    kdl_tensor_set(p, (int64_t[]){ 1999 }, 1.5);
    kdl_bernoulli_tensor_(tensor, p);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error "
                 "message be improved?  If so, please report an enhancement request to PyTorch.)");
    assert_int_equal(kdl_generator_tell(kdl_default_generator(ctx)), 0);
    for (const float *v = kdl_tensor_data(tensor), *end = v + 2000; v < end; v++)
        assert_true(*v == 0);
    kdl_bernoulli_tensor_(tensor, integers);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "\"bernoulli_tensor_cpu_p_\" not implemented for 'Int'");

    kdl_set_deferred(ctx, true);
    kdl_tensor *recorded = kdl_full(ctx, KDL_SHAPE(5), 1.5), *later = kdl_zeros(ctx, KDL_SHAPE(5));
    assert_int_equal(kdl_bernoulli_tensor_(later, recorded), KDL_OK);
    assert_int_equal(kdl_materialize(later), KDL_ERROR_RUNTIME);
    assert_error(ctx, KDL_ERROR_RUNTIME, "RuntimeError while computing values");
    release_all(p, tensor, integers, recorded, later);
    kdl_context_release(ctx);
}

static void test_warning(void **state)
{
    (void)state;
    char warning[MAX_WARNING] = "";
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_set_warning_callback(ctx, keep_warning, warning);
    kdl_tensor *tensor = kdl_empty(ctx, KDL_SHAPE(4), .dtype = KDL_BF16);
    assert_int_equal(kdl_random_range_(tensor, 0, 257), KDL_OK);
    assert_string_equal(warning, "");
    assert_int_equal(kdl_random_range_(tensor, 0, 300), KDL_OK);
    assert_string_equal(
        warning, "to - 1 is out of bounds [-(2^8), 2^8]. Due to precision limitations "
                 "c10::BFloat16 can support discrete uniform distribution only within this range. "
                 "This warning will become an error in version 1.7 release, please fix the code in "
                 "advance");
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

static kdl_status check_permutation(kdl_context *ctx, int64_t n, kdl_dtype dtype)
{
    kdl_tensor *tensor = kdl_randperm(ctx, n, .dtype = dtype);
    kdl_tensor_release(tensor);
    return kdl_error_status(ctx);
}

static void test_randperm(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    for (int64_t n = 0; n < 50; n++) {
        kdl_tensor *tensor = kdl_randperm(ctx, n);
        const int64_t *values = kdl_tensor_data(tensor);
        uint64_t seen = 0;
        for (int64_t i = 0; i < n; i++)
            seen |= UINT64_C(1) << values[i];
        assert_true(seen == (UINT64_C(1) << n) - 1);
        kdl_tensor_release(tensor);
    }
    assert_int_equal(check_permutation(ctx, 256, KDL_U8), KDL_OK);
    check_permutation(ctx, -1, KDL_I64);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Trying to create tensor with negative dimension -1: [-1]");
    check_permutation(ctx, 257, KDL_U8);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "value cannot be converted to type uint8_t without overflow");
    check_permutation(ctx, 2050, KDL_F16);
    assert_error(ctx, KDL_ERROR_RUNTIME, "n cannot be greater than 2049 for Half type.");
    check_permutation(ctx, 0, KDL_BOOL);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED, "\"randperm\" not implemented for 'Bool'");
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_golden),       RECORDED_TEST(test_golden),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_warning),
        cmocka_unit_test(test_randperm), cmocka_unit_test(test_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
