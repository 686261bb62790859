/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes: plans to JSON and back with the same bits, and written by hand. */
#include <math.h>

#include "kindling/init.h"
#include "kindling/ops.h"
#include "kindling/plan.h"
#include "support/counting_allocator.h"
#include "support/tensors.h"
#include "support/unit.h"

static kdl_context *ctx;

static int set_up(void **state)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    (void)state;
    options.deferred = true;
    ctx = kdl_context_new(&options);
    return ctx ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    kdl_context_release(ctx);
    return 0;
}

/* ---- there and back ------------------------------------------------------------------------- */

static void add(kdl_plan *plan, const char *name, kdl_tensor *tensor)
{
    if (tensor)
        kdl_plan_add(plan, name, tensor);
}

/* As t0, t1, ...; releases them when all are in. */
static void add_all(kdl_plan *plan, kdl_tensor *const *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "t%zu", i);
        add(plan, name, tensors[i]);
    }
    release_tensors(tensors, count);
}

static void expect_same_bits(kdl_plan *a, kdl_plan *b)
{
    assert_int_equal(kdl_plan_count(a), kdl_plan_count(b));
    for (int i = 0; i < kdl_plan_count(a); i++) {
        const kdl_plan_tensor *x = kdl_plan_get(a, i), *y = kdl_plan_get(b, i);
        size_t nbytes = (size_t)x->numel * kdl_dtype_nbytes(x->dtype);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->dtype, y->dtype);
        assert_int_equal(x->tied_to, y->tied_to);
        assert_int_equal(x->shape.ndim, y->shape.ndim);
        for (int d = 0; d < x->shape.ndim; d++)
            assert_int_equal(x->shape.sizes[d], y->shape.sizes[d]);
        void *p = malloc(nbytes + 1), *q = malloc(nbytes + 1);
        kdl_plan_request of_a = { i, 0, x->numel, p }, of_b = { i, 0, y->numel, q };
        assert_int_equal(kdl_plan_read(a, &of_a, 1), KDL_OK);
        assert_int_equal(kdl_plan_read(b, &of_b, 1), KDL_OK);
        if (memcmp(p, q, nbytes) != 0)
            fail_msg("'%s' differs", x->name);
        free(p);
        free(q);
    }
}

/* Consumes the plan; returns its text (kdl_free). */
static char *round_trip(kdl_plan *plan)
{
    char *json = kdl_plan_to_json(plan);
    assert_non_null(json);
    kdl_plan *back = kdl_plan_from_json(ctx, json, strlen(json), NULL);
    if (!back)
        fail_msg("%s\n%s", kdl_error_message(ctx), json);
    char *again = kdl_plan_to_json(back);
    assert_string_equal(json, again);
    expect_same_bits(plan, back);
    kdl_plan_cost cost, cost_back;
    assert_int_equal(kdl_plan_get_cost(plan, &cost), KDL_OK);
    assert_int_equal(kdl_plan_get_cost(back, &cost_back), KDL_OK);
    assert_memory_equal(&cost, &cost_back, sizeof cost);
    kdl_plan_release(back);
    kdl_plan_release(plan);
    kdl_free(ctx, again);
    return json;
}

static void fills_of_every_dtype(void **state)
{
    (void)state;
    static const kdl_dtype floats[] = { KDL_F32, KDL_F64, KDL_F16, KDL_BF16 };
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, UINT64_MAX - 5);
    for (size_t d = 0; d < sizeof floats / sizeof *floats; d++)
        for (int numel = 3; numel < 50; numel += 23) {
            char name[64];
            kdl_tensor *t[8];
            for (int i = 0; i < 8; i++)
                t[i] = kdl_empty(ctx, KDL_SHAPE(numel), .dtype = floats[d]);
            kdl_uniform_(t[0], -0.1, 0.30000000000000004);
            kdl_normal_(t[1], 1e-3, 0.02);
            kdl_log_normal_(t[2], 0, 0.5);
            kdl_exponential_(t[3], 1.5);
            kdl_cauchy_(t[4], 0, 2);
            kdl_geometric_(t[5], 0.3);
            kdl_bernoulli_(t[6], 0.4);
            kdl_random_(t[7]);
            for (int i = 0; i < 8; i++) {
                snprintf(name, sizeof name, "%s.%d.%d", kdl_dtype_name(floats[d]), numel, i);
                add(plan, name, t[i]);
                kdl_tensor_release(t[i]);
            }
        }
    kdl_tensor *integers = kdl_randint(ctx, -5, 500, KDL_SHAPE(20), .dtype = KDL_I32);
    add(plan, "randint", integers);
    kdl_random_(integers);
    add(plan, "random", integers);
    kdl_tensor_release(integers);
    kdl_plan_set_end(plan, kdl_default_generator(ctx));
    kdl_free(ctx, round_trip(plan));
}

static void sequences_and_constants(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_tensor *made[] = {
        kdl_zeros(ctx, KDL_SHAPE(2, 3)),
        kdl_ones(ctx, KDL_SCALAR_SHAPE),
        kdl_full(ctx, KDL_SHAPE(4), -0.0),
        kdl_full(ctx, KDL_SHAPE(4), INFINITY),
        kdl_full(ctx, KDL_SHAPE(4), NAN),
        kdl_full(ctx, KDL_SHAPE(4), 0.1, .dtype = KDL_F64),
        kdl_full(ctx, KDL_SHAPE(4), -3, .dtype = KDL_I64),
        kdl_ones(ctx, KDL_SHAPE(5), .dtype = KDL_BOOL),
        kdl_eye(ctx, 4, 7),
        kdl_arange(ctx, 3, 90, 7),
        kdl_linspace(ctx, -1, 1, 13),
        kdl_randperm(ctx, 40),
        kdl_zeros(ctx, KDL_SHAPE(0, 5)),
    };
    add_all(plan, made, sizeof made / sizeof *made);
    kdl_tensor *large = kdl_zeros(ctx, KDL_SHAPE(2), .dtype = KDL_I64);
    kdl_fill_int_(large, INT64_MIN + 1);
    add(plan, "large", large);
    kdl_tensor_release(large);
    kdl_free(ctx, round_trip(plan));
}

static void views_and_what_is_written_over_them(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 3);
    kdl_tensor *base = kdl_randn(ctx, KDL_SHAPE(6, 8));
    kdl_tensor *row = kdl_select(base, 0, 2), *columns = kdl_slice(base, 1, 1, 8, 3);
    kdl_tensor *turned = kdl_t(base), *middle = kdl_narrow(turned, 0, 2, 3);
    kdl_zero_(row);
    kdl_normal_(columns, 0, 1);
    kdl_mul_(middle, 0.5);
    kdl_uniform_(turned, 0, 1);
    kdl_mul_(row, -2);
    add(plan, "base", base);
    add(plan, "row", row);
    add(plan, "columns", columns);
    add(plan, "turned", turned);
    add(plan, "middle", middle);
    add(plan, "base.again", base);
    release_all(base, row, columns, turned, middle);
    char *json = round_trip(plan);
    assert_non_null(strstr(json, "{\"name\": \"base.again\", \"same_as\": \"base\"}"));
    assert_non_null(strstr(json, "\"strides\""));
    kdl_free(ctx, json);
}

static void probabilities_of_each_element(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 11);
    kdl_tensor *p = kdl_rand(ctx, KDL_SHAPE(7), .dtype = KDL_F64);
    kdl_tensor *base = kdl_zeros(ctx, KDL_SHAPE(7, 5), .dtype = KDL_I32), *turned = kdl_t(base);
    kdl_bernoulli_tensor_(turned, p);
    kdl_bernoulli_tensor_(p, p);
    add(plan, "base", base);
    add(plan, "p", p);
    kdl_plan_set_end(plan, kdl_default_generator(ctx));
    char *json = round_trip(plan);
    assert_non_null(strstr(json, "\"op\": \"bernoulli_tensor\""));
    kdl_free(ctx, json);
    kdl_tensor_release(p);
    kdl_tensor_release(base);
    kdl_tensor_release(turned);
}

static void copies_share_and_convert(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 4);
    kdl_tensor *first = kdl_randn(ctx, KDL_SHAPE(5, 7)), *clone = kdl_clone(first);
    kdl_tensor *half = kdl_to(first, KDL_BF16), *turned = kdl_t(first);
    kdl_tensor *copied = kdl_clone(turned), *twice = kdl_zeros(ctx, KDL_SHAPE(2, 35));
    kdl_mul_(first, 3);
    for (int i = 0; i < 2; i++) {
        kdl_tensor *part = kdl_select(twice, 0, i), *flat = kdl_reshape(first, KDL_SHAPE(35));
        kdl_copy_(part, flat);
        kdl_tensor_release(part);
        kdl_tensor_release(flat);
        kdl_zero_(first);
    }
    kdl_tensor *all[] = { first, clone, half, turned, copied, twice };
    add_all(plan, all, sizeof all / sizeof *all);
    char *json = round_trip(plan);
    assert_non_null(strstr(json, "\"histories\""));
    kdl_free(ctx, json);
}

static void tensors_in_memory_are_data(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    const float values[] = { 1, -2, 3.5F, NAN, 5, 6 };
    const uint8_t bools[] = { 1, 0, 1 };
    kdl_tensor *data = kdl_tensor_from_data(ctx, KDL_F32, KDL_SHAPE(2, 3), values);
    kdl_tensor *turned = kdl_t(data), *tied = kdl_alias(data), *copy = kdl_zeros(ctx, KDL_SHAPE(6));
    kdl_tensor *flags = kdl_tensor_from_data(ctx, KDL_BOOL, KDL_SHAPE(3), bools);
    kdl_tensor *flat = kdl_reshape(data, KDL_SHAPE(6));
    kdl_copy_(copy, flat);
    kdl_tensor *all[] = { data, turned, tied, copy, flags, flat };
    add_all(plan, all, sizeof all / sizeof *all);
    kdl_free(ctx, round_trip(plan));
}

static void streams_of_several_generators(void **state)
{
    (void)state;
    uint8_t bytes[KDL_GENERATOR_STATE_NBYTES];
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_generator *other = kdl_generator_new(ctx), *third = kdl_generator_new(ctx);
    kdl_generator_manual_seed(other, 7);
    kdl_generator_random(other);
    kdl_generator_get_state(other, bytes);
    kdl_generator_set_state(third, bytes, sizeof bytes);
    kdl_manual_seed(ctx, 42);
    kdl_tensor *t[5];
    for (int i = 0; i < 5; i++)
        t[i] = kdl_zeros(ctx, KDL_SHAPE(3, 7));
    kdl_normal_(t[0], 0, 1);
    kdl_normal_(t[1], 0, 1, .generator = other);
    kdl_normal_(t[2], 0, 1, .generator = third);
    kdl_manual_seed(ctx, 42);
    kdl_normal_(t[3], 0, 1);
    kdl_manual_seed(ctx, (uint64_t)-1);
    kdl_normal_(t[4], 0, 1);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        add(plan, name, t[i]);
        kdl_tensor_release(t[i]);
    }
    kdl_generator_release(other);
    kdl_generator_release(third);
    char *json = round_trip(plan);
    assert_non_null(strstr(json, "\"seed\": 42,"));
    assert_non_null(strstr(json, "\"1\": {\"seed\": 7}"));
    assert_non_null(strstr(json, "\"2\": {\"state\": \""));
    assert_non_null(strstr(json, "\"3\": {\"seed\": \"18446744073709551615\"}"));
    const uint64_t seed = 5;
    assert_null(kdl_plan_from_json(ctx, json, strlen(json), &seed));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "the recipe has streams besides its own: a new seed would replace only that");
    kdl_free(ctx, json);
}

/* Element-by-element normals hand a spare from one tensor to the next, across a larger one. */
static void spare_normals_are_kept(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 1);
    static const int sizes[] = { 3, 20, 5, 1, 1, 2 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[16];
        kdl_tensor *t = kdl_randn(ctx, KDL_SHAPE(sizes[i]));
        snprintf(name, sizeof name, "t%zu", i);
        add(plan, name, t);
        kdl_tensor_release(t);
    }
    char *json = round_trip(plan);
    assert_non_null(strstr(json, "\"spare\": {\"draw\": 4}"));
    kdl_free(ctx, json);
}

/* A spare that came with a state is a value. */
static void spare_normals_of_states_are_kept(void **state)
{
    (void)state;
    uint8_t bytes[KDL_GENERATOR_STATE_NBYTES];
    kdl_manual_seed(ctx, 1);
    kdl_tensor_release(kdl_randn(ctx, KDL_SHAPE(1)));
    kdl_generator_get_state(kdl_default_generator(ctx), bytes);
    kdl_generator_set_state(kdl_default_generator(ctx), bytes, sizeof bytes);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_tensor *t = kdl_randn(ctx, KDL_SHAPE(4));
    add(plan, "t", t);
    kdl_tensor_release(t);
    char *json = round_trip(plan);
    assert_non_null(strstr(json, "\"spare\": {\"value\": "));
    const uint64_t seed = 5;
    assert_null(kdl_plan_from_json(ctx, json, strlen(json), &seed));
    assert_error(ctx, KDL_ERROR_FORMAT,
                 "recipe: tensors[0].ops[0].spare: this was computed from the recipe's own seed, "
                 "which a new seed therefore cannot replace");
    kdl_free(ctx, json);
}

static kdl_plan *data_dependent_plan(uint64_t seed)
{
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, seed);
    kdl_tensor *t[6];
    for (int i = 0; i < 6; i++)
        t[i] = kdl_empty(ctx, KDL_SHAPE(5, 20));
    kdl_init_trunc_normal_(t[0], .std = 1);
    kdl_uniform_(t[1], 0, 1);
    kdl_init_trunc_normal_(t[2], .std = 2);
    kdl_normal_(t[2], 0, 1);
    kdl_init_trunc_normal_(t[3], .std = 1, .a = 3, .b = 4);
    kdl_init_sparse_(t[4], 0.3);
    kdl_init_orthogonal_(t[5], .gain = 2);
    kdl_tensor *row = kdl_select(t[5], 1, 3), *clone = kdl_clone(t[3]);
    kdl_normal_(row, 0, 1);
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        add(plan, name, t[i]);
        kdl_tensor_release(t[i]);
    }
    add(plan, "clone", clone);
    kdl_plan_set_end(plan, kdl_default_generator(ctx));
    kdl_tensor_release(row);
    kdl_tensor_release(clone);
    return plan;
}

/*
 * Where draws go on behind an op depends on its data, also when its values are overwritten. Nothing
 * of that was computed, so that a new seed gives what it gives the calls.
 */
static void draws_behind_data_dependent_ops(void **state)
{
    (void)state;
    const uint64_t seed = 7;
    char *json = round_trip(data_dependent_plan(6));
    assert_non_null(strstr(json, "\"behind\": \"3\""));
    kdl_plan *from_recipe = kdl_plan_from_json(ctx, json, strlen(json), &seed);
    kdl_plan *from_calls = data_dependent_plan(seed);
    assert_non_null(from_recipe);
    expect_same_bits(from_recipe, from_calls);
    kdl_plan_release(from_recipe);
    kdl_plan_release(from_calls);
    kdl_free(ctx, json);
}

/* Such an op of few elements leaves a spare normal, so the next one's place is computed at once. */
static void draws_that_were_counted_for_one_seed(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 6);
    kdl_tensor *few = kdl_empty(ctx, KDL_SHAPE(3)), *next = kdl_empty(ctx, KDL_SHAPE(5));
    kdl_init_trunc_normal_(few, .std = 2);
    kdl_normal_(next, 0, 1);
    add(plan, "few", few);
    add(plan, "next", next);
    kdl_tensor_release(few);
    kdl_tensor_release(next);
    char *json = round_trip(plan);
    const uint64_t seed = 7;
    assert_null(kdl_plan_from_json(ctx, json, strlen(json), &seed));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_FORMAT);
    kdl_error_clear(ctx);
    kdl_free(ctx, json);
}

static void attributes_and_end(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_manual_seed(ctx, 1);
    kdl_tensor *t = kdl_rand(ctx, KDL_SHAPE(10));
    add(plan, "w \"\xc3\xa9\"", t);
    kdl_tensor_release(t);
    kdl_tensor_release(kdl_rand(ctx, KDL_SHAPE(100)));
    kdl_plan_set_end(plan, kdl_default_generator(ctx));
    kdl_plan_set_attribute(plan, "model", "Test \"Model\"");
    kdl_plan_set_digest(plan, "config_sha256", "abc", 3);
    char *json = round_trip(plan);
    assert_string_equal(
        json, "{\n"
              "  \"kindling_recipe\": 1,\n"
              "  \"profile\": \"torch-2.13\",\n"
              "  \"seed\": 1,\n"
              "  \"attributes\": {\n"
              "    \"model\": \"Test \\\"Model\\\"\",\n"
              "    \"config_sha256\": "
              "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n"
              "  },\n"
              "  \"end\": {\"draw\": 110},\n"
              "  \"tensors\": [\n"
              "    {\"name\": \"w \\\"\xc3\xa9\\\"\", \"dtype\": \"float32\", \"shape\": [10], "
              "\"ops\": [{\"op\": \"uniform\", \"from\": 0.0, \"to\": 1.0, \"draw\": 0, "
              "\"draws\": 10}]}\n"
              "  ]\n"
              "}\n");
    kdl_free(ctx, json);
}

static void texts_that_json_cannot_hold_are_refused(void **state)
{
    (void)state;
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_plan_set_attribute(plan, "model", "\xff");
    assert_null(kdl_plan_to_json(plan));
    assert_error(ctx, KDL_ERROR_VALUE, "'\xff' is not UTF-8");
    kdl_plan_release(plan);
}

/* ---- written by hand ------------------------------------------------------------------------ */

static kdl_plan *read(const char *json, const uint64_t *seed)
{
    kdl_plan *plan = kdl_plan_from_json(ctx, json, strlen(json), seed);
    if (!plan)
        fail_msg("%s", kdl_error_message(ctx));
    return plan;
}

#define HEAD "{\"kindling_recipe\": 1, \"profile\": \"torch-2.13\", "

/* Draws that are not placed come one after the other, as the same calls would have them. */
static void ops_follow_one_another(void **state)
{
    (void)state;
    kdl_plan *plan = read(HEAD "\"seed\": 42, \"tensors\": ["
                               "{\"name\": \"w\", \"shape\": [3, 5], \"ops\": "
                               "[{\"op\": \"normal\", \"mean\": 0, \"std\": 0.02}]},"
                               "{\"name\": \"b\", \"shape\": [5]},"
                               "{\"name\": \"v\", \"dtype\": \"bf16\", \"shape\": [4, 7], \"ops\": "
                               "[{\"op\": \"uniform\", \"from\": -1, \"to\": 1}, "
                               "{\"op\": \"constant\", \"value\": 0, \"shape\": [7]}]},"
                               "{\"name\": \"u\", \"shape\": [3], \"ops\": "
                               "[{\"op\": \"normal\", \"mean\": 0, \"std\": 1}]}]}",
                          NULL);
    kdl_manual_seed(ctx, 42);
    kdl_tensor *w = kdl_empty(ctx, KDL_SHAPE(3, 5)), *b = kdl_zeros(ctx, KDL_SHAPE(5));
    kdl_tensor *v = kdl_empty(ctx, KDL_SHAPE(4, 7), .dtype = KDL_BF16);
    kdl_normal_(w, 0, 0.02);
    kdl_uniform_(v, -1, 1);
    kdl_tensor *row = kdl_select(v, 0, 0), *u = kdl_randn(ctx, KDL_SHAPE(3));
    kdl_zero_(row);
    kdl_plan *expected = kdl_plan_new(ctx);
    add(expected, "w", w);
    add(expected, "b", b);
    add(expected, "v", v);
    add(expected, "u", u);
    expect_same_bits(plan, expected);
    kdl_plan_cost cost;
    assert_int_equal(kdl_plan_get_cost(plan, &cost), KDL_OK);
    assert_int_equal(cost.draws, kdl_generator_tell(kdl_default_generator(ctx)));
    kdl_plan_release(plan);
    kdl_plan_release(expected);
    release_all(w, b, v, row, u);
}

static void a_new_seed_replaces_the_recipes(void **state)
{
    (void)state;
    static const char json[] = HEAD "\"seed\": -1, \"tensors\": [{\"name\": \"w\", \"shape\": [9], "
                                    "\"ops\": [{\"op\": \"uniform\", \"from\": 0, \"to\": 1}]}]}";
    const uint64_t seed = 5;
    uint64_t found;
    kdl_plan *own = read(json, NULL), *other = read(json, &seed);
    assert_true(kdl_plan_seed(own, &found) && found == UINT64_MAX);
    assert_true(kdl_plan_seed(other, &found) && found == 5);
    float a[9], b[9];
    kdl_plan_request of_own = { 0, 0, 9, a }, of_other = { 0, 0, 9, b };
    assert_int_equal(kdl_plan_read(own, &of_own, 1), KDL_OK);
    assert_int_equal(kdl_plan_read(other, &of_other, 1), KDL_OK);
    assert_memory_not_equal(a, b, sizeof a);
    kdl_plan_release(own);
    kdl_plan_release(other);
}

static void an_overwritten_op_counts_as_dead(void **state)
{
    (void)state;
    kdl_plan *plan = read(HEAD "\"seed\": 0, \"tensors\": [{\"name\": \"w\", \"shape\": [9], "
                               "\"ops\": [{\"op\": \"uniform\", \"from\": 0, \"to\": 1}, "
                               "{\"op\": \"uniform\", \"from\": 0, \"to\": 1}]}]}",
                          NULL);
    kdl_plan_cost cost;
    assert_int_equal(kdl_plan_get_cost(plan, &cost), KDL_OK);
    assert_int_equal(cost.draws, 18);
    assert_int_equal(cost.live_draws, 9);
    kdl_plan_release(plan);
}

/* ---- memory --------------------------------------------------------------------------------- */

static kdl_status go_round(kdl_context *failing, void *unused)
{
    (void)unused;
    kdl_set_deferred(failing, true);
    kdl_plan *plan = kdl_plan_new(failing);
    kdl_generator *other = kdl_generator_new(failing);
    kdl_manual_seed(failing, 1);
    kdl_tensor *a = kdl_randn(failing, KDL_SHAPE(3, 7));
    kdl_tensor *b = a ? kdl_clone(a) : NULL, *c = a ? kdl_to(a, KDL_F64) : NULL;
    kdl_tensor *d = other ? kdl_randn(failing, KDL_SHAPE(3), .generator = other) : NULL;
    if (plan && a && b && c && d) {
        kdl_mul_(b, 2);
        kdl_plan_add(plan, "a", a);
        kdl_plan_add(plan, "b", b);
        kdl_plan_add(plan, "c", c);
        kdl_plan_add(plan, "d", d);
    }
    char *json = plan ? kdl_plan_to_json(plan) : NULL;
    kdl_plan *back = json ? kdl_plan_from_json(failing, json, strlen(json), NULL) : NULL;
    kdl_plan_release(back);
    kdl_plan_release(plan);
    kdl_free(failing, json);
    kdl_generator_release(other);
    release_all(a, b, c, d);
    return kdl_error_status(failing);
}

static void allocation_failures_are_survived(void **state)
{
    (void)state;
    check_allocation_failures(go_round, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_of_every_dtype),
        cmocka_unit_test(sequences_and_constants),
        cmocka_unit_test(views_and_what_is_written_over_them),
        cmocka_unit_test(probabilities_of_each_element),
        cmocka_unit_test(copies_share_and_convert),
        cmocka_unit_test(tensors_in_memory_are_data),
        cmocka_unit_test(streams_of_several_generators),
        cmocka_unit_test(spare_normals_are_kept),
        cmocka_unit_test(spare_normals_of_states_are_kept),
        cmocka_unit_test(draws_behind_data_dependent_ops),
        cmocka_unit_test(draws_that_were_counted_for_one_seed),
        cmocka_unit_test(attributes_and_end),
        cmocka_unit_test(texts_that_json_cannot_hold_are_refused),
        cmocka_unit_test(ops_follow_one_another),
        cmocka_unit_test(a_new_seed_replaces_the_recipes),
        cmocka_unit_test(an_overwritten_op_counts_as_dead),
        cmocka_unit_test(allocation_failures_are_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
