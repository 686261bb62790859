/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.init against PyTorch's golden answers: eager, recorded, and by ranges. */
#include <math.h>
#include "init/torch_log.h"
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/golden.h"

/* What a line of init.txt says. */
typedef struct golden_init {
    char name[24], numbers[4][32];
    kdl_dtype dtype;
    uint64_t seed, values, state, default_state;
    kdl_shape shape; /* of the tensor in memory */
    bool transposed;
    double number[4];
} golden_init;

static void read_shape(const char *text, bool transposed, kdl_shape *shape)
{
    char *end = NULL;
    shape->ndim = 0;
    for (const char *at = text; !end || *end; at = end + 1)
        shape->sizes[shape->ndim++] = strtoll(at, &end, 10);
    for (int i = 0, j = shape->ndim - 1; transposed && i < j; i++, j--) {
        int64_t size = shape->sizes[i];
        shape->sizes[i] = shape->sizes[j];
        shape->sizes[j] = size;
    }
}

static void read_init(const char *line, golden_init *init)
{
    char dtype[8], shape[64];
    unsigned long long seed, values, state, default_state;
    int transposed;
    assert_int_equal(sscanf(line, "%23s %7s %llu %63s %d %31s %31s %31s %31s %llx %llx %llx",
                            init->name, dtype, &seed, shape, &transposed, init->numbers[0],
                            init->numbers[1], init->numbers[2], init->numbers[3], &values, &state,
                            &default_state),
                     12);
    assert_true(kdl_dtype_parse(dtype, &init->dtype));
    init->transposed = transposed;
    read_shape(shape, transposed, &init->shape);
    init->seed = seed;
    init->values = values;
    init->state = state;
    init->default_state = default_state;
    for (int i = 0; i < 4; i++)
        init->number[i] = strtod(init->numbers[i], NULL);
}

static kdl_status call_kaiming(const golden_init *init, kdl_tensor *tensor,
                               kdl_generator *generator)
{
    kdl_context *ctx = kdl_tensor_context(tensor);
    kdl_fan_mode mode;
    kdl_nonlinearity nonlinearity;
    assert_int_equal(kdl_fan_mode_parse(ctx, init->numbers[1], &mode), KDL_OK);
    assert_int_equal(kdl_nonlinearity_parse(ctx, init->numbers[2], &nonlinearity), KDL_OK);
    if (!strcmp(init->name, "kaiming_uniform_"))
        return kdl_init_kaiming_uniform_(tensor, .a = init->number[0], .mode = mode,
                                         .nonlinearity = nonlinearity, .generator = generator);
    assert_string_equal(init->name, "kaiming_normal_");
    return kdl_init_kaiming_normal_(tensor, .a = init->number[0], .mode = mode,
                                    .nonlinearity = nonlinearity, .generator = generator);
}

/* Calls the function that the line names. */
static kdl_status call(const golden_init *init, kdl_tensor *tensor, kdl_generator *generator)
{
    const char *name = init->name;
    const double *number = init->number;
    if (!strcmp(name, "uniform_"))
        return kdl_init_uniform_(tensor, .a = number[0], .b = number[1], .generator = generator);
    if (!strcmp(name, "normal_"))
        return kdl_init_normal_(tensor, .mean = number[0], .std = number[1],
                                .generator = generator);
    if (!strcmp(name, "trunc_normal_"))
        return kdl_init_trunc_normal_(tensor, .mean = number[0], .std = number[1], .a = number[2],
                                      .b = number[3], .generator = generator);
    if (!strcmp(name, "constant_"))
        return kdl_init_constant_(tensor, number[0]);
    if (!strcmp(name, "ones_"))
        return kdl_init_ones_(tensor);
    if (!strcmp(name, "zeros_"))
        return kdl_init_zeros_(tensor);
    if (!strcmp(name, "eye_"))
        return kdl_init_eye_(tensor);
    if (!strcmp(name, "dirac_"))
        return kdl_init_dirac_(tensor, .groups = (int64_t)number[0]);
    if (!strcmp(name, "xavier_uniform_"))
        return kdl_init_xavier_uniform_(tensor, .gain = number[0], .generator = generator);
    if (!strcmp(name, "xavier_normal_"))
        return kdl_init_xavier_normal_(tensor, .gain = number[0], .generator = generator);
    if (!strcmp(name, "sparse_"))
        return kdl_init_sparse_(tensor, number[0], .std = number[1], .generator = generator);
    return call_kaiming(init, tensor, generator);
}

static uint64_t state_digest(kdl_generator *generator)
{
    unsigned char state[KDL_GENERATOR_STATE_NBYTES];
    assert_int_equal(kdl_generator_get_state(generator, state), KDL_OK);
    return golden_digest(state, sizeof state);
}

/* Reads the tensor by pieces, where nothing has been computed yet, and digests that. */
static uint64_t digest_of_ranges(kdl_tensor *tensor)
{
    size_t size = kdl_dtype_nbytes(kdl_tensor_dtype(tensor));
    int64_t numel = kdl_tensor_numel(tensor);
    char values[512 * sizeof(double)];
    assert_true(numel <= 512);
    for (int64_t end = numel, step = 1; end > 0; end -= step, step += 3) {
        if (step > end)
            step = end;
        assert_int_equal(
            kdl_tensor_read(tensor, end - step, step, values + (size_t)(end - step) * size),
            KDL_OK);
    }
    return golden_digest(values, (size_t)numel * size);
}

static void check_init(kdl_context *ctx, const char *line)
{
    golden_init init;
    read_init(line, &init);
    kdl_generator *generator = kdl_generator_new(ctx);
    kdl_generator_manual_seed(generator, init.seed);
    kdl_manual_seed(ctx, init.seed);
    kdl_tensor *base = kdl_ones(ctx, init.shape, .dtype = init.dtype);
    const int reversed[] = { 4, 3, 2, 1, 0 };
    int ndim = init.shape.ndim;
    kdl_tensor *tensor =
        init.transposed ? kdl_permute(base, ndim, reversed + 5 - ndim) : kdl_tensor_retain(base);
    assert_int_equal(call(&init, tensor, generator), KDL_OK);
    if (kdl_is_deferred(ctx) && digest_of_ranges(base) != init.values)
        fail_msg("ranges: %s", line);
    if (golden_digest(kdl_tensor_data(base), kdl_tensor_nbytes(base)) != init.values)
        fail_msg("values: %s", line);
    if (state_digest(generator) != init.state)
        fail_msg("state: %s", line);
    if (state_digest(kdl_default_generator(ctx)) != init.default_state)
        fail_msg("default generator: %s", line);
    kdl_tensor_release(tensor);
    kdl_tensor_release(base);
    kdl_generator_release(generator);
}

static void test_golden(void **state)
{
    kdl_context *ctx = *state;
    FILE *file = golden_open("init.txt");
    int lines = 0;
    for (char line[320]; golden_line(file, line, sizeof line); lines++)
        check_init(ctx, line);
    fclose(file);
    assert_true(lines > 1300);
}

static void test_logarithm_of_every_uniform(void **state)
{
    (void)state;
    FILE *file = golden_open("init_log.txt");
    char line[64];
    unsigned long long expected;
    assert_true(golden_line(file, line, sizeof line));
    assert_int_equal(sscanf(line, "%llx", &expected), 1);
    fclose(file);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 1u << 24; i++) {
        int32_t bits = (int32_t)kdl__f32_bits(kdl__torch_log((float)i * 0x1p-24f));
        sum += (uint64_t)(int64_t)bits * (2 * (uint64_t)i + 1);
    }
    assert_int_equal(sum, expected);
}

/* ---- what is recorded -------------------------------------------------------------------- */

static void assert_recorded(kdl_context *ctx, kdl_tensor *tensor, const char *name,
                            const char *arguments)
{
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_plan_op op;
    assert_int_equal(kdl_plan_add(plan, "tensor", tensor), KDL_OK);
    assert_int_equal(kdl_plan_op_count(plan, 0), 1);
    assert_int_equal(kdl_plan_get_op(plan, 0, 0, &op), KDL_OK);
    assert_string_equal(op.name, name);
    assert_string_equal(op.arguments, arguments);
    kdl_plan_release(plan);
}

/* A truncation that cannot bite is a plain normal, which any range can be computed of. */
static void test_certain_truncations(void **state)
{
    (void)state;
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = true;
    kdl_context *ctx = kdl_context_new(&options);
    kdl_tensor *f32 = kdl_empty(ctx, KDL_SHAPE(1000));
    kdl_tensor *f64 = kdl_empty(ctx, KDL_SHAPE(1000), .dtype = KDL_F64);
    kdl_init_trunc_normal_(f32, .std = 0.02);
    assert_recorded(ctx, f32, "normal", "0, 0.02");
    kdl_init_trunc_normal_(f32, .std = 0.3467); /* 2 / 0.3467 > sqrt(48 ln 2) */
    assert_recorded(ctx, f32, "normal", "0, 0.3467");
    kdl_init_trunc_normal_(f32, .std = 0.3468);
    assert_recorded(ctx, f32, "trunc_normal", "0, 0.3468, -2, 2");
    kdl_init_trunc_normal_(f64, .std = 0.2333); /* 2 / 0.2333 > sqrt(106 ln 2) */
    assert_recorded(ctx, f64, "normal", "0, 0.2333");
    kdl_init_trunc_normal_(f64, .std = 0.2334);
    assert_recorded(ctx, f64, "trunc_normal", "0, 0.2334, -2, 2");
    kdl_init_trunc_normal_(f32, .a = 1);
    assert_recorded(ctx, f32, "trunc_normal_rejection", "0, 1, 1, 2");
    kdl_tensor_release(f32);
    kdl_tensor_release(f64);
    kdl_context_release(ctx);
}

/* All that a plan can hold of this folder: written as a recipe, read back, the same values. */
static void initialise_for_recipe(kdl_tensor *tensor, int which)
{
    kdl_init_normal_(tensor);
    if (which == 0)
        kdl_init_trunc_normal_(tensor);
    else if (which == 1)
        kdl_init_trunc_normal_(tensor, .a = 1);
    else if (which == 2)
        kdl_init_orthogonal_(tensor, .gain = 2);
    else if (which == 3)
        kdl_init_sparse_(tensor, 0.5);
    else
        kdl_init_dirac_(tensor, .groups = 2);
    kdl_init_uniform_(tensor, .a = 5); /* refused: what comes next draws from the same place */
    kdl_error_clear(kdl_tensor_context(tensor));
}

static void test_recipes(void **state)
{
    (void)state;
    const kdl_shape small = KDL_SHAPE(2, 6), big = KDL_SHAPE(20, 30), kernel = KDL_SHAPE(4, 3, 5);
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = true;
    kdl_context *ctx = kdl_context_new(&options);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_tensor *tensors[15];
    char name[12];
    kdl_manual_seed(ctx, 3);
    for (int i = 0; i < 15; i++) {
        tensors[i] = kdl_empty(ctx,
                               i % 5 == 4 ? kernel
                               : i / 5    ? big
                                          : small,
                               .dtype = i / 5 == 2 ? KDL_F64 : KDL_F32);
        initialise_for_recipe(tensors[i], i % 5);
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(kdl_plan_add(plan, name, tensors[i]), KDL_OK);
    }
    char *text = kdl_plan_to_json(plan);
    assert_non_null(text);
    kdl_plan *again = kdl_plan_from_json(ctx, text, strlen(text), NULL);
    assert_non_null(again);
    char *text_again = kdl_plan_to_json(again);
    assert_string_equal(text, text_again);
    for (int i = 0; i < 15; i++) {
        char values[600 * sizeof(double)];
        kdl_plan_request all = { i, 0, kdl_tensor_numel(tensors[i]), values };
        assert_int_equal(kdl_plan_read(again, &all, 1), KDL_OK);
        assert_memory_equal(values, kdl_tensor_data(tensors[i]), kdl_tensor_nbytes(tensors[i]));
        kdl_tensor_release(tensors[i]);
    }
    kdl_free(ctx, text);
    kdl_free(ctx, text_again);
    kdl_plan_release(plan);
    kdl_plan_release(again);
    kdl_context_release(ctx);
}

/* What a function would refuse is refused of a recipe too; a truncation finds its own way. */
static void test_recipes_are_checked(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "[3],\"ops\":[{\"op\":\"orthogonal\",\"gain\":1}]",
          "Only tensors with 2 or more dimensions are supported" },
        { "[3,5],\"ops\":[{\"op\":\"dirac\",\"groups\":1}]",
          "Only tensors with 3, 4, or 5 dimensions are supported" },
        { "[3,5,1],\"ops\":[{\"op\":\"dirac\",\"groups\":2}]",
          "dim 0 must be divisible by groups" },
        { "[3,5],\"ops\":[{\"op\":\"sparse\",\"zeros\":4}]", "4 zeros in a column of 3 rows" },
        { "[3,5],\"ops\":[{\"op\":\"sparse\",\"zeros\":-1}]", "-1 zeros in a column of 3 rows" },
        { "[3,5],\"ops\":[{\"op\":\"trunc_normal\",\"mean\":0,\"std\":0,\"a\":-2,\"b\":2}]",
          "float division by zero" },
        { "[3,5],\"ops\":[{\"op\":\"trunc_normal\",\"mean\":0,\"std\":1,\"a\":2,\"b\":1}]",
          "uniform_ expects to return a [from, to) range, but found from=2 > to=1" },
        { "[3,5],\"ops\":[{\"op\":\"trunc_normal\",\"mean\":0,\"std\":0.02,\"a\":-2,\"b\":2}]",
          NULL },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"kindling_recipe\":1,\"profile\":\"torch-2.13\",\"seed\":1,"
                 "\"tensors\":[{\"name\":\"w\",\"shape\":%s}]}",
                 pairs[i][0]);
        kdl_plan *plan = kdl_plan_from_json(ctx, text, strlen(text), NULL);
        if (pairs[i][1]) {
            assert_null(plan);
            assert_int_equal(kdl_error_status(ctx), KDL_ERROR_FORMAT);
            if (!strstr(kdl_error_message(ctx), pairs[i][1]))
                fail_msg("%s", kdl_error_message(ctx));
            kdl_error_clear(ctx);
            continue;
        }
        kdl_plan_op op;
        assert_int_equal(kdl_plan_get_op(plan, 0, 0, &op), KDL_OK);
        assert_string_equal(op.name, "normal_serial"); /* 15 elements */
        kdl_plan_release(plan);
    }
    kdl_context_release(ctx);
}

/* No float lies in [a, b] that float(mean) + std * z can reach: PyTorch would never return. */
static void test_truncation_that_cannot_end(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_tensor *tensor = kdl_empty(ctx, KDL_SHAPE(16));
    double mean = 1 + 0x1p-24; /* a float rounds this to 1, and what is above to 1 + 2^-23 */
    kdl_init_trunc_normal_(tensor, .mean = mean, .std = 0x1p-51, .a = mean + 0x1p-52, .b = 2);
    assert_error(ctx, KDL_ERROR_VALUE, "ValueError while computing values");
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

/* ---- orthogonal_ ------------------------------------------------------------------------- */

/* PyTorch's draws, and bits that are the same on every machine. */
static void check_orthogonal(bool deferred, int threads, kdl_shape shape, uint64_t digest)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = deferred;
    options.threads = threads;
    kdl_context *ctx = kdl_context_new(&options);
    kdl_manual_seed(ctx, 42);
    kdl_tensor *tensor = kdl_empty(ctx, shape);
    kdl_tensor *normal = kdl_empty(ctx, shape);
    assert_int_equal(kdl_init_orthogonal_(tensor, .gain = 1.5), KDL_OK);
    uint64_t after = state_digest(kdl_default_generator(ctx));
    kdl_manual_seed(ctx, 42);
    kdl_init_normal_(normal);
    assert_int_equal(after, state_digest(kdl_default_generator(ctx)));
    assert_int_equal(golden_digest(kdl_tensor_data(tensor), kdl_tensor_nbytes(tensor)), digest);
    kdl_tensor_release(tensor);
    kdl_tensor_release(normal);
    kdl_context_release(ctx);
}

static void test_orthogonal(void **state)
{
    (void)state;
    const int threads[] = { 1, 2, 7 };
    for (int deferred = 0; deferred < 2; deferred++) {
        for (int i = 0; i < 3; i++) {
            check_orthogonal(deferred, threads[i], KDL_SHAPE(3, 5), UINT64_C(0xc51bba1c5d94e0fb));
            check_orthogonal(deferred, threads[i], KDL_SHAPE(130, 70),
                             UINT64_C(0x29563ceeb3a8a1a9));
            check_orthogonal(deferred, threads[i], KDL_SHAPE(6, 3, 7, 7),
                             UINT64_C(0xfd736d3a883ddd14));
        }
    }
}

/* ---- arguments --------------------------------------------------------------------------- */

/* A few of each kind; the oracle compares all of them. */
static void test_messages(void **state)
{
    (void)state;
    char warning[MAX_WARNING] = "";
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_set_warning_callback(ctx, keep_warning, warning);
    kdl_tensor *vector = kdl_zeros(ctx, KDL_SHAPE(3));
    kdl_tensor *matrix = kdl_zeros(ctx, KDL_SHAPE(3, 4));
    kdl_tensor *none = kdl_zeros(ctx, KDL_SHAPE(0, 0));
    kdl_tensor *half = kdl_zeros(ctx, KDL_SHAPE(4, 4), .dtype = KDL_F16);
    int64_t before = kdl_generator_tell(kdl_default_generator(ctx));

    kdl_init_xavier_uniform_(vector);
    assert_string_equal(kdl_error_place(ctx), "kdl_init_xavier_uniform_");
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
    kdl_init_xavier_normal_(none);
    assert_error(ctx, KDL_ERROR_ZERO_DIVISION, "float division by zero");
    kdl_init_kaiming_normal_(matrix, .mode = (kdl_fan_mode)7);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Mode 7 not supported, please use one of ['fan_in', 'fan_out']");
    kdl_init_kaiming_normal_(matrix, .nonlinearity = KDL_NONLINEARITY_COUNT);
    assert_error(ctx, KDL_ERROR_VALUE, "Unsupported nonlinearity 12");
    kdl_init_eye_(vector);
    assert_error(ctx, KDL_ERROR_VALUE, "Only tensors with 2 dimensions are supported");
    kdl_init_dirac_(matrix);
    assert_error(ctx, KDL_ERROR_VALUE, "Only tensors with 3, 4, or 5 dimensions are supported");
    kdl_init_sparse_(matrix, NAN);
    assert_error(ctx, KDL_ERROR_VALUE, "cannot convert float NaN to integer");
    kdl_init_trunc_normal_(matrix, .std = 0);
    assert_error(ctx, KDL_ERROR_ZERO_DIVISION, "float division by zero");
    kdl_init_orthogonal_(vector);
    assert_error(ctx, KDL_ERROR_VALUE, "Only tensors with 2 or more dimensions are supported");
    assert_true(isnan(kdl_init_calculate_gain(ctx, (kdl_nonlinearity)-1)));
    assert_error(ctx, KDL_ERROR_VALUE, "Unsupported nonlinearity -1");
    kdl_init_constant_(half, 7e4);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "value cannot be converted to type c10::Half without overflow");
    assert_int_equal(kdl_init_constant_(half, INFINITY), KDL_OK);
    assert_int_equal(kdl_generator_tell(kdl_default_generator(ctx)), before);

    kdl_init_orthogonal_(half); /* draws before it finds out */
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED, "\"geqrf_cpu\" not implemented for 'Half'");
    assert_int_equal(kdl_generator_tell(kdl_default_generator(ctx)), before + 16);

    assert_int_equal(kdl_init_kaiming_uniform_(none), KDL_OK);
    assert_string_equal(warning, "Initializing zero-element tensors is a no-op");
    assert_int_equal(kdl_init_trunc_normal_(matrix, .mean = 5), KDL_OK);
    assert_string_equal(warning, "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
                                 "The distribution of values may be incorrect.");
    kdl_tensor_release(vector);
    kdl_tensor_release(matrix);
    kdl_tensor_release(none);
    kdl_tensor_release(half);
    kdl_context_release(ctx);
}

static void test_names_and_gains(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    for (int i = 0; i < KDL_NONLINEARITY_COUNT; i++) {
        kdl_nonlinearity nonlinearity = KDL_NONLINEARITY_COUNT;
        const char *name = kdl_nonlinearity_name((kdl_nonlinearity)i);
        assert_int_equal(kdl_nonlinearity_parse(ctx, name, &nonlinearity), KDL_OK);
        assert_int_equal(nonlinearity, i);
    }
    assert_null(kdl_nonlinearity_name(KDL_NONLINEARITY_COUNT));
    assert_true(kdl_init_calculate_gain(ctx, KDL_NONLINEARITY_TANH) == 5.0 / 3);
    assert_true(kdl_init_calculate_gain(ctx, KDL_NONLINEARITY_RELU) == sqrt(2.0));
    assert_true(kdl_init_calculate_gain(ctx, KDL_NONLINEARITY_LEAKY_RELU) == sqrt(2 / 1.0001));
    assert_true(kdl_init_calculate_gain(ctx, KDL_NONLINEARITY_LEAKY_RELU, .param = 1) == 1);
    kdl_fan_mode mode = KDL_FAN_OUT;
    assert_int_equal(kdl_fan_mode_parse(ctx, "Fan_In", &mode), KDL_OK);
    assert_int_equal(mode, KDL_FAN_IN);
    kdl_fan_mode_parse(ctx, "FAN", &mode);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Mode fan not supported, please use one of ['fan_in', 'fan_out']");
    kdl_tensor *weight = kdl_zeros(ctx, KDL_SHAPE(3, 48, 11, 11));
    int64_t fan_in, fan_out;
    kdl_init_calculate_fan_in_and_fan_out(weight, &fan_in, &fan_out);
    assert_int_equal(fan_in, 5808);
    assert_int_equal(fan_out, 363);
    kdl_tensor_release(weight);
    kdl_context_release(ctx);
}

/* ---- memory ------------------------------------------------------------------------------ */

static kdl_status initialise_all(kdl_context *ctx, void *deferred)
{
    kdl_set_deferred(ctx, *(bool *)deferred);
    kdl_tensor *tensor = kdl_empty(ctx, KDL_SHAPE(20, 30));
    kdl_tensor *kernel = kdl_view(tensor, KDL_SHAPE(4, 5, 5, 6));
    kdl_init_trunc_normal_(tensor);
    kdl_init_trunc_normal_(tensor, .a = 1);
    kdl_init_dirac_(kernel);
    kdl_init_orthogonal_(tensor);
    kdl_init_sparse_(tensor, 0.3);
    if (tensor)
        kdl_materialize(tensor);
    kdl_tensor_release(kernel);
    kdl_tensor_release(tensor);
    return kdl_error_status(ctx);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    bool deferred = false;
    check_allocation_failures(initialise_all, &deferred);
    deferred = true;
    check_allocation_failures(initialise_all, &deferred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_golden),
        RECORDED_TEST(test_golden),
        cmocka_unit_test(test_logarithm_of_every_uniform),
        cmocka_unit_test(test_certain_truncations),
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_recipes_are_checked),
        cmocka_unit_test(test_truncation_that_cannot_end),
        cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_names_and_gains),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
