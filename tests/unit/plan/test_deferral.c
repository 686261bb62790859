/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording must not show: long random programs of views, fills, copies and re-seedings run twice,
 * eagerly and recorded, and every tensor and the generator must come out the same.
 */
#include "kindling/kindling.h"
#include "plan/op.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

enum { TENSORS = 6, STEPS = 60, PROGRAMS = 150 };

/* ---- an op of unknown length: each value takes draws until one is divisible by 4 ---------- */

static uint64_t unknown_draws(const kdl__op *op)
{
    (void)op;
    return KDL__DRAWS_UNKNOWN;
}

static kdl_status patient_prepare(const kdl__op *op, kdl__worker *worker, kdl__prepared *prepared)
{
    size_t size = kdl_dtype_nbytes(op->dtype);
    char *values = kdl__alloc_quiet(worker->ctx, (size_t)op->region.numel, size);
    if (!values)
        return KDL_ERROR_MEMORY;
    kdl__cursor_move(worker->cursor, op->at.segment->stream, kdl__op_start(op));
    for (int64_t i = 0; i < op->region.numel; i++) {
        int64_t draw;
        do {
            draw = kdl__cursor_draw(worker->cursor);
            prepared->draws++;
        } while (draw % 4);
        draw %= 1000;
        worker->cursor->kernels->convert(KDL_I64, &draw, op->dtype, values + (size_t)i * size, 1);
    }
    prepared->whole = values;
    return KDL_OK;
}

static kdl_status patient_range(const kdl__op *op, const void *whole, kdl__worker *worker,
                                uint64_t first, uint64_t count, void *values)
{
    (void)worker;
    size_t size = kdl_dtype_nbytes(op->dtype);
    memcpy(values, (const char *)whole + first * size, count * size);
    return KDL_OK;
}

static const kdl__op_class patient = {
    .name = "patient",
    .draws = unknown_draws,
    .prepare = patient_prepare,
    .range = patient_range,
};

static kdl_status patient_(kdl_tensor *tensor)
{
    kdl__op op = { .class = &patient };
    if (!tensor)
        return KDL_ERROR_VALUE;
    return kdl__op_apply(tensor, &op, kdl_default_generator(kdl_tensor_context(tensor)), __func__);
}

/* ---- programs ---------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static int64_t below(uint64_t *state, int64_t n)
{
    return (int64_t)(next_random(state) % (uint64_t)n);
}

/* A random view of a tensor of two dimensions; the caller releases it. */
static kdl_tensor *random_view(kdl_tensor *tensor, uint64_t *random)
{
    int dim = (int)below(random, 2);
    int64_t size = kdl_tensor_size(tensor, dim), start = below(random, size);
    switch (below(random, 6)) {
    case 0:
        return kdl_transpose(tensor, 0, 1);
    case 1:
        return kdl_narrow(tensor, dim, start, 1 + below(random, size - start));
    case 2:
        return kdl_select(tensor, dim, start);
    case 3:
        return kdl_slice(tensor, dim, start, INT64_MAX, 1 + below(random, 3));
    default:
        return kdl_alias(tensor);
    }
}

static kdl_status write_randomly(kdl_tensor *view, uint64_t *random)
{
    switch (below(random, 7)) {
    case 0:
        return kdl_uniform_(view, -1, 2);
    case 1:
    case 2:
        return kdl_normal_(view, 0.5, 2);
    case 3:
        return kdl_fill_(view, (double)below(random, 9));
    case 4:
        return kdl_mul_(view, 0.75);
    case 5:
        return patient_(view);
    default:
        return kdl_zero_(view);
    }
}

/* Copies between random tensors of one shape, or their transposes; sometimes a whole clone. */
static void copy_randomly(kdl_tensor **tensors, uint64_t *random)
{
    int64_t from = below(random, TENSORS), to = below(random, TENSORS);
    if (below(random, 3) == 0) {
        kdl_tensor *clone = kdl_clone(tensors[from]);
        kdl_tensor_release(tensors[from]);
        tensors[from] = clone;
        return;
    }
    kdl_tensor *source = kdl_alias(tensors[from]), *target = kdl_alias(tensors[to]);
    if (kdl_tensor_size(source, 0) != kdl_tensor_size(target, 0)) {
        kdl_tensor *turned = kdl_transpose(source, 0, 1);
        kdl_tensor_release(source);
        source = turned;
    }
    kdl_copy_(target, source);
    kdl_tensor_release(source);
    kdl_tensor_release(target);
}

static void step(kdl_context *ctx, kdl_tensor **tensors, uint64_t *random)
{
    int64_t choice = below(random, 12);
    if (choice < 2) {
        copy_randomly(tensors, random);
    } else if (choice == 2 && below(random, 3) == 0) {
        kdl_manual_seed(ctx, (uint64_t)below(random, 1000));
    } else {
        kdl_tensor *view = random_view(tensors[below(random, TENSORS)], random);
        write_randomly(view, random);
        kdl_tensor_release(view);
    }
}

/* Runs program `number`; the tensors are the caller's. */
static void run_program(kdl_context *ctx, uint64_t number, kdl_tensor **tensors)
{
    static const kdl_dtype dtypes[] = { KDL_F32, KDL_F32, KDL_BF16, KDL_F64, KDL_F16 };
    uint64_t random = number * 77 + 1;
    kdl_manual_seed(ctx, number);
    int64_t rows = 1 + below(&random, 40), columns = 1 + below(&random, 40);
    for (int i = 0; i < TENSORS; i++) {
        kdl_dtype dtype = dtypes[below(&random, 5)];
        bool turn = below(&random, 2);
        kdl_shape shape = turn ? KDL_SHAPE(columns, rows) : KDL_SHAPE(rows, columns);
        tensors[i] = kdl_zeros(ctx, shape, .dtype = dtype);
    }
    int64_t steps = below(&random, STEPS);
    for (int64_t i = 0; i < steps; i++)
        step(ctx, tensors, &random);
}

static void assert_same_state(kdl_context *a, kdl_context *b)
{
    char bytes[2][KDL_GENERATOR_STATE_NBYTES];
    assert_int_equal(kdl_generator_get_state(kdl_default_generator(a), bytes[0]), KDL_OK);
    assert_int_equal(kdl_generator_get_state(kdl_default_generator(b), bytes[1]), KDL_OK);
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
}

/* All of a recorded tensor, read in random order by random ranges. */
static void assert_ranges_equal(kdl_tensor *recorded, kdl_tensor *eager, uint64_t *random)
{
    size_t size = kdl_dtype_nbytes(kdl_tensor_dtype(eager));
    int64_t numel = kdl_tensor_numel(eager);
    const char *expected = kdl_tensor_data(eager);
    char *values = malloc((size_t)numel * size);
    for (int i = 0; i < 4; i++) {
        int64_t first = below(random, numel), count = below(random, numel - first + 1);
        assert_int_equal(kdl_tensor_read(recorded, first, count, values), KDL_OK);
        assert_memory_equal(values, expected + (size_t)first * size, (size_t)count * size);
    }
    assert_false(kdl_tensor_is_materialized(recorded));
    assert_memory_equal(kdl_tensor_data(recorded), expected, (size_t)numel * size);
    assert_true(kdl_tensor_is_materialized(recorded));
    free(values);
}

static void test_programs(void **state)
{
    (void)state;
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    kdl_context *eager = kdl_context_new(&options);
    options.deferred = true;
    options.threads = 3;
    kdl_context *deferred = kdl_context_new(&options);
    uint64_t random = 5;
    for (uint64_t number = 0; number < PROGRAMS; number++) {
        kdl_tensor *expected[TENSORS], *recorded[TENSORS];
        run_program(eager, number, expected);
        run_program(deferred, number, recorded);
        if (number % 2) /* the state first, or the values first */
            assert_same_state(eager, deferred);
        for (int i = 0; i < TENSORS; i++)
            assert_ranges_equal(recorded[i], expected[i], &random);
        assert_same_state(eager, deferred);
        for (int i = 0; i < TENSORS; i++) {
            kdl_tensor_release(recorded[i]);
            kdl_tensor_release(expected[i]);
        }
    }
    assert_string_equal(kdl_error_message(eager), "");
    assert_string_equal(kdl_error_message(deferred), "");
    kdl_context_release(eager);
    kdl_context_release(deferred);
}

static kdl_status failing_program(kdl_context *ctx, void *data)
{
    uint64_t number = *(const uint64_t *)data;
    kdl_tensor *tensors[TENSORS] = { 0 };
    kdl_set_deferred(ctx, true);
    if (kdl_default_generator(ctx)) {
        kdl_manual_seed(ctx, number);
        for (int i = 0; i < TENSORS; i++)
            tensors[i] = kdl_zeros(ctx, KDL_SHAPE(5, 7));
        for (int i = 0; i + 1 < TENSORS; i++) {
            kdl_tensor *view = kdl_transpose(tensors[i], 0, 1);
            patient_(tensors[i]);
            kdl_normal_(view, 0, 1);
            kdl_copy_(tensors[i + 1], tensors[i]);
            kdl_tensor_release(view);
        }
        for (int i = 0; i < TENSORS; i++)
            kdl_materialize(tensors[i]);
    }
    for (int i = 0; i < TENSORS; i++)
        kdl_tensor_release(tensors[i]);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    uint64_t number = 3;
    check_allocation_failures(failing_program, &number);
}

/* A row of thousands of ops, and of data-dependent ones, must not become a deep recursion. */
static void test_long_histories(void **state)
{
    (void)state;
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = true;
    kdl_context *ctx = kdl_context_new(&options);
    kdl_tensor *tensor = kdl_ones(ctx, KDL_SHAPE(20));
    kdl_tensor *other = kdl_ones(ctx, KDL_SHAPE(20));
    kdl_tensor *tail = kdl_narrow(tensor, 0, 10, 10);
    for (int i = 0; i < 20000; i++) {
        kdl_mul_(tensor, i % 2 ? 0.5 : 2);
        kdl_fill_(tail, i);
        patient_(other);
        kdl_copy_(i % 2 ? tensor : other, i % 2 ? other : tensor);
    }
    assert_true(kdl_generator_tell(kdl_default_generator(ctx)) > 20000);
    assert_non_null(kdl_tensor_data(other));
    assert_non_null(kdl_tensor_data(tensor));
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_tensor_release(tail);
    kdl_tensor_release(other);
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_long_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
