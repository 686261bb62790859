/* SPDX-License-Identifier: Apache-2.0 */
/* weight_norm, spectral_norm and orthogonal through the C API, run and recorded. */
#include <inttypes.h>
#include <math.h>

#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/golden.h"

/* Asserts the names of the state_dict, each followed by a space. */
static void assert_names(kdl_module *module, const char *expected)
{
    char names[512] = "";
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);)
        strcat(strcat(names, it.name), " ");
    assert_string_equal(names, expected);
}

/* ---- weight_norm ------------------------------------------------------------------------- */

/* The norms' bits, at once and recorded. */
static void check_norms(kdl_context *ctx, const char *line)
{
    char dtype_name[8];
    int64_t in, out, dim;
    uint64_t seed, digest, state;
    unsigned char bytes[KDL_GENERATOR_STATE_NBYTES];
    double values[512];
    kdl_dtype dtype;
    assert_int_equal(sscanf(line,
                            "weight_norm %" SCNd64 " %" SCNd64 " %" SCNd64 " %7s %" SCNu64
                            " %" SCNx64 " %" SCNx64,
                            &in, &out, &dim, dtype_name, &seed, &digest, &state),
                     7);
    assert_true(kdl_dtype_parse(dtype_name, &dtype));
    kdl_manual_seed(ctx, seed);
    kdl_module *linear = kdl_nn_linear(ctx, in, out, .dtype = dtype);
    kdl_parametrizations_weight_norm(linear, .dim = dim);
    kdl_tensor *norms = kdl_parameter(linear, "parametrizations.weight.original0");
    assert_true(kdl_tensor_nbytes(norms) <= sizeof values * kdl_dtype_nbytes(dtype) / 8);
    kdl_tensor_read(norms, 0, kdl_tensor_numel(norms), values);
    kdl_generator_get_state(kdl_default_generator(ctx), bytes);
    if (golden_digest(values, kdl_tensor_nbytes(norms)) != digest ||
        golden_digest(bytes, sizeof bytes) != state)
        fail_msg("%s", line);
    kdl_module_release(linear);
}

static void test_norms(void **state)
{
    kdl_context *ctx = *state;
    char line[256];
    int count = 0;
    FILE *file = golden_open("parametrizations.txt");
    while (golden_line(file, line, sizeof line)) {
        kdl_set_deferred(ctx, false);
        check_norms(ctx, line);
        kdl_set_deferred(ctx, true);
        check_norms(ctx, line);
        count++;
    }
    fclose(file);
    assert_true(count >= 40);
}

/* A state_dict goes from one module to another; PyTorch's old names of g and v are known. */
static void test_load_state_dict(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *one = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 5));
    kdl_module *two = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 5));
    kdl_parametrizations_weight_norm(kdl_child(one, 0));
    kdl_parametrizations_weight_norm(kdl_child(two, 0));
    kdl_state_dict *dict = kdl_module_state_dict(one);
    kdl_load_state_dict(two, dict);
    const char *const names[][2] = { { "0.parametrizations.weight.original0", "0.weight_g" },
                                     { "0.parametrizations.weight.original1", "0.weight_v" } };
    for (int i = 0; i < 2; i++) {
        kdl_tensor *tensor = kdl_tensor_retain(kdl_state_dict_get(dict, names[i][0]));
        assert_memory_equal(kdl_tensor_data(tensor),
                            kdl_tensor_data(kdl_parameter(two, names[i][0])),
                            kdl_tensor_nbytes(tensor));
        kdl_zero_(kdl_parameter(two, names[i][0]));
        kdl_state_dict_set(dict, names[i][1], tensor);
        kdl_state_dict_remove(dict, names[i][0]);
    }
    kdl_load_state_dict(two, dict);
    assert_string_equal(kdl_error_message(ctx), "");
    for (int i = 0; i < 2; i++)
        assert_memory_equal(kdl_tensor_data(kdl_parameter(one, names[i][0])),
                            kdl_tensor_data(kdl_parameter(two, names[i][0])), 20);
    kdl_state_dict_remove(dict, "0.weight_g");
    assert_int_not_equal(kdl_load_state_dict(two, dict), KDL_OK); /* both, or neither */
    kdl_error_clear(ctx);
    kdl_state_dict_release(dict);
    kdl_module_release(one);
    kdl_module_release(two);
}

/* ---- spectral_norm ----------------------------------------------------------------------- */

/* ConvTranspose2d's weight has its outputs second. */
static void test_spectral_norm(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *conv = kdl_nn_conv_transpose2d(ctx, 3, 4, 2);
    kdl_parametrizations_spectral_norm(conv);
    assert_int_equal(kdl_tensor_numel(kdl_buffer(conv, "parametrizations.weight.0._u")), 4);
    assert_int_equal(kdl_tensor_numel(kdl_buffer(conv, "parametrizations.weight.0._v")), 12);
    kdl_module_release(conv);

    /* Of a diagonal matrix the norm is the largest element; evaluating does not iterate. */
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2, .dtype = KDL_F64);
    kdl_tensor *weight = kdl_parameter(linear, "weight");
    kdl_zero_(weight);
    ((double *)kdl_tensor_data(weight))[0] = 0.5;
    ((double *)kdl_tensor_data(weight))[3] = -8;
    kdl_parametrizations_spectral_norm(linear);
    kdl_module_eval(linear);
    for (int i = 0; i < 2; i++) {
        kdl_tensor *value = kdl_parametrized(linear, "weight");
        const double *w = kdl_tensor_data(value);
        assert_true(fabs(w[0] - 0.0625) < 1e-12 && fabs(w[3] + 1) < 1e-12 && w[1] == 0);
        kdl_tensor_release(value);
    }
    kdl_module_release(linear);
}

/* ---- orthogonal -------------------------------------------------------------------------- */

/* Wrapped again, with its state loaded, it goes on as before; what is missing may stay. */
static void test_spectral_norm_state(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 3, 5);
    kdl_parametrizations_spectral_norm(linear);
    assert_names(linear, "bias parametrizations.weight.original parametrizations.weight.0._u "
                         "parametrizations.weight.0._v ");
    kdl_module *kept = kdl_module_deep_copy(linear);
    kdl_state_dict *dict = kdl_module_state_dict(kept);
    kdl_tensor *values[2];
    for (int i = 0; i < 2; i++) {
        kdl_remove_parametrizations(linear, "weight", true);
        kdl_parametrizations_spectral_norm(linear);
        kdl_load_state_dict(linear, dict);
        kdl_tensor_release(kdl_parametrized(linear, "weight"));
        values[i] = kdl_parametrized(linear, "weight");
    }
    assert_memory_equal(kdl_tensor_data(values[0]), kdl_tensor_data(values[1]), 60);
    kdl_tensor_release(values[0]);
    kdl_tensor_release(values[1]);
    kdl_state_dict_remove(dict, "parametrizations.weight.0._u");
    assert_int_equal(kdl_load_state_dict(linear, dict, .strict = false), KDL_OK);
    kdl_state_dict_remove(dict, "parametrizations.weight.original");
    assert_int_equal(kdl_load_state_dict(linear, dict, .strict = false), KDL_OK);
    assert_int_equal(kdl_load_state_dict(linear, dict), KDL_ERROR_RUNTIME);
    kdl_error_clear(ctx);
    kdl_state_dict_release(dict);
    kdl_module_release(kept);
    kdl_module_release(linear);
}

/* Each map gives orthonormal columns, or rows; a value assigned comes back if it is orthogonal. */
static void test_orthogonal(void **state)
{
    kdl_context *ctx = *state;
    static const char *const maps[] = { NULL, "matrix_exp", "cayley", "householder" };
    for (int c = 0; c < 16; c++) {
        int64_t in = c & 4 ? 5 : 9, out = 9, rank = in;
        kdl_module *linear = c & 8 ? kdl_nn_linear(ctx, out, in, .dtype = KDL_F64)
                                   : kdl_nn_linear(ctx, in, out, .dtype = KDL_F64);
        kdl_parametrizations_orthogonal(linear, .orthogonal_map = maps[c & 3]);
        kdl_tensor *value = kdl_parametrized(linear, "weight");
        const double *q = kdl_tensor_data(value);
        int64_t step = c & 8 ? 1 : in, along = c & 8 ? out : 1;
        for (int64_t i = 0; i < rank; i++) {
            for (int64_t j = 0; j < rank; j++) {
                double sum = 0;
                for (int64_t l = 0; l < out; l++)
                    sum += q[i * along + l * step] * q[j * along + l * step];
                assert_true(fabs(sum - (i == j)) < 1e-13);
            }
        }
        kdl_tensor *turned = kdl_clone(value), *again = NULL;
        kdl_mul_(turned, -1);
        kdl_set_parametrized(linear, "weight", turned);
        again = kdl_parametrized(linear, "weight");
        const double *a = kdl_tensor_data(turned), *b = kdl_tensor_data(again);
        for (int64_t i = 0; i < in * out; i++)
            assert_true(fabs(a[i] - b[i]) < 1e-13);
        kdl_tensor_release(again);
        kdl_tensor_release(turned);
        kdl_tensor_release(value);
        kdl_module_release(linear);
    }
}

static void test_orthogonal_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 3, 3);
    kdl_parametrizations_orthogonal(linear, .name = "bias");
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Expected a matrix or batch of matrices. Got a tensor of 1 dimensions.");
    kdl_parametrizations_orthogonal(linear, .orthogonal_map = "");
    assert_error(ctx, KDL_ERROR_VALUE,
                 "orthogonal_map has to be one of \"matrix_exp\", \"cayley\", \"householder\". "
                 "Got: ");
    assert_names(linear, "weight bias ");
    kdl_parametrizations_orthogonal(linear, .use_trivialization = false);
    kdl_tensor *value = kdl_zeros(ctx, KDL_SHAPE(3, 3)), *wide = kdl_zeros(ctx, KDL_SHAPE(3, 4));
    kdl_set_parametrized(linear, "weight", value);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "It is not possible to assign to the matrix exponential or the Cayley "
                 "parametrizations when use_trivialization=False.");
    kdl_set_parametrized(linear, "weight", wide);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Expected a matrix or batch of matrices of shape torch.Size([3, 3]). Got a tensor "
                 "of shape torch.Size([3, 4]).");
    kdl_tensor_release(value);
    kdl_tensor_release(wide);
    kdl_module_release(linear);
}

/* ---- plans ------------------------------------------------------------------------------- */

/* Recorded: a range of the norms of a weight that is never there as a whole. */
static void test_recorded(void **state)
{
    kdl_context *ctx = *state;
    kdl_set_deferred(ctx, true);
    kdl_module *linear = kdl_nn_linear(ctx, 1 << 10, 1 << 20, .bias = false);
    kdl_parametrizations_weight_norm(linear);
    kdl_tensor *norms = kdl_parameter(linear, "parametrizations.weight.original0");
    kdl_tensor *weight = kdl_parameter(linear, "parametrizations.weight.original1");
    float row[1 << 10], norm;
    double sum = 0;
    kdl_tensor_read(norms, 777777, 1, &norm);
    kdl_tensor_read(weight, (int64_t)777777 << 10, 1 << 10, row);
    for (int i = 0; i < 1 << 10; i++)
        sum += (double)row[i] * row[i];
    assert_true(fabs(norm - sqrt(sum)) < 1e-6);
    assert_false(kdl_tensor_is_materialized(weight));
    assert_false(kdl_tensor_is_materialized(norms));
    kdl_module_release(linear);
}

/* A plan through its recipe gives the same bytes. */
static void test_recipe(void **state)
{
    kdl_context *ctx = *state;
    kdl_set_deferred(ctx, true);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_conv2d(ctx, 4, 6, 3), kdl_nn_linear(ctx, 9, 5),
                                        kdl_nn_linear(ctx, 9, 5), kdl_nn_linear(ctx, 4, 7));
    kdl_parametrizations_weight_norm(kdl_child(net, 0), .dim = 1);
    kdl_parametrizations_spectral_norm(kdl_child(net, 1));
    kdl_parametrizations_orthogonal(kdl_child(net, 2));
    kdl_parametrizations_orthogonal(kdl_child(net, 3), .use_trivialization = false);
    for (int64_t i = 1; i < 4; i++)
        kdl_remove_parametrizations(kdl_child(net, i), "weight", i == 2);
    kdl_parametrizations_orthogonal(kdl_child(net, 3), .orthogonal_map = "cayley");
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_module_plan(net, plan);
    char *json = kdl_plan_to_json(plan);
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_plan *again = kdl_plan_from_json(ctx, json, strlen(json), NULL);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_int_equal(kdl_plan_count(again), kdl_plan_count(plan));
    for (int i = 0; i < kdl_plan_count(plan); i++) {
        float ours[256], theirs[256];
        int64_t numel = kdl_plan_get(plan, i)->numel;
        assert_true(numel <= 256);
        kdl_plan_request one = { i, 0, numel, ours }, other = { i, 0, numel, theirs };
        kdl_plan_read(plan, &one, 1);
        kdl_plan_read(again, &other, 1);
        assert_memory_equal(ours, theirs, (size_t)numel * sizeof *ours);
    }
    kdl_free(ctx, json);
    kdl_plan_release(again);
    kdl_plan_release(plan);
    kdl_module_release(net);
}

static kdl_status use_all(kdl_context *ctx, void *deferred)
{
    kdl_set_deferred(ctx, deferred != NULL);
    kdl_module *linear = kdl_nn_linear(ctx, 3, 3);
    if (linear) {
        kdl_parametrizations_weight_norm(linear);
        kdl_parametrizations_spectral_norm(linear, .name = "bias");
        kdl_parametrizations_spectral_norm(linear);
        kdl_tensor_release(kdl_parametrized(linear, "weight"));
        kdl_module_release(kdl_module_deep_copy(linear));
        kdl_free(ctx, kdl_module_to_string(linear));
        kdl_remove_parametrizations(linear, "weight", true);
        kdl_parametrizations_orthogonal(linear);
        kdl_tensor *original = kdl_parameter(linear, "parametrizations.weight.original");
        if (original)
            kdl_fill_(original, 0.5); /* so that the map has something to compute */
        kdl_remove_parametrizations(linear, "weight", true);
        kdl_parametrizations_orthogonal(linear, .orthogonal_map = "cayley");
        kdl_remove_parametrizations(linear, "weight", true);
        kdl_parametrizations_orthogonal(linear, .orthogonal_map = "householder",
                                        .use_trivialization = false);
        kdl_remove_parametrizations(linear, "weight", true);
        float values[9];
        kdl_tensor *weight = kdl_parameter(linear, "weight");
        if (weight)
            kdl_tensor_read(weight, 0, 9, values);
    }
    kdl_module_release(linear);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    static char deferred;
    check_allocation_failures(use_all, NULL);
    check_allocation_failures(use_all, &deferred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_norms),
        CONTEXT_TEST(test_load_state_dict),
        CONTEXT_TEST(test_spectral_norm),
        CONTEXT_TEST(test_spectral_norm_state),
        CONTEXT_TEST(test_orthogonal),
        CONTEXT_TEST(test_orthogonal_errors),
        CONTEXT_TEST(test_recorded),
        CONTEXT_TEST(test_recipe),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
