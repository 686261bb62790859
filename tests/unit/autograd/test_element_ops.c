/* SPDX-License-Identifier: Apache-2.0 */
/* Dropouts, activations that are composed, bilinear, Lazy modules: gradients, draws, memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* ---- finite differences ------------------------------------------------------------------ */

static kdl_tensor *gated(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    return kdl_f_glu(a, 1);
}

static kdl_tensor *sloped(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *below = kdl_sub(a, 0.8), *slopes = kdl_select(b, 0, 1);
    kdl_tensor *result = kdl_f_prelu(below, slopes);
    kdl_tensor_release(below);
    kdl_tensor_release(slopes);
    return result;
}

static kdl_tensor *lesser(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    return kdl_f_softmin(a, 0);
}

static kdl_tensor *of_both(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *weight = kdl_ones(kdl_tensor_context(a), KDL_SHAPE(2, 4, 4), .dtype = KDL_F64);
    kdl_tensor *result = kdl_f_bilinear(a, b, weight, NULL);
    kdl_tensor_release(weight);
    return result;
}

static void test_finite_differences(void **state)
{
    static gradient_body *const functions[] = { gated, sloped, lesser, of_both };
    check_gradients(*state, GRADIENT_BODIES(functions));
}

/* ---- draws ------------------------------------------------------------------------------- */

/* A channel is dropped or kept as a whole, for two draws of 32 bits each. */
static void test_channels(void **state)
{
    kdl_context *ctx = *state;
    kdl_generator *generator = kdl_default_generator(ctx);
    kdl_tensor *x = kdl_ones(ctx, KDL_SHAPE(3, 50, 2, 2));
    int64_t before = kdl_generator_tell(generator);
    kdl_tensor *y = kdl_f_dropout2d(x, 0.5, true);
    assert_int_equal(kdl_generator_tell(generator) - before, 2 * 150);
    const float *values = kdl_tensor_data(y);
    int kept = 0;
    for (int i = 0; i < 150; i++) {
        assert_true(values[4 * i] == 0 || values[4 * i] == 2);
        kept += values[4 * i] == 2;
        for (int k = 1; k < 4; k++)
            assert_float_equal(values[4 * i + k], values[4 * i], 0);
    }
    assert_in_range(kept, 40, 110);
    kdl_tensor_release(y);
    y = kdl_f_alpha_dropout(x, 0.5, false); /* not in training: the input itself */
    assert_ptr_equal(y, x);
    kdl_tensor_release(y);
    assert_null(kdl_f_dropout(x, 1.5, true));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "dropout probability has to be between 0 and 1, but got 1.5");
    kdl_tensor_release(x);
}

/* Only what is not above 0 draws, a double each. */
static void test_rrelu(void **state)
{
    kdl_context *ctx = *state;
    kdl_generator *generator = kdl_default_generator(ctx);
    kdl_tensor *x = kdl_linspace(ctx, -2, 2, 5), *y = NULL;
    int64_t before = kdl_generator_tell(generator);
    y = kdl_f_rrelu(x, 0.25, 0.5, true);
    assert_int_equal(kdl_generator_tell(generator) - before, 2 * 3);
    assert_in_range((int)(kdl_tensor_get(y, (int64_t[]){ 0 }) * -1000), 500, 1000);
    assert_float_equal(kdl_tensor_get(y, (int64_t[]){ 4 }), 2, 0);
    kdl_tensor_release(y);
    y = kdl_f_rrelu(x, 0.25, 0.5, false);
    assert_float_equal(kdl_tensor_get(y, (int64_t[]){ 0 }), -0.75, 0);
    kdl_tensor_release(y);
    kdl_tensor_release(x);
}

/* What abs() saves of f16 is no f32. */
static void test_abs_of_halves(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_linspace(ctx, -2, 2, 5, .dtype = KDL_F16, .requires_grad = true);
    kdl_tensor *y = kdl_abs(x), *sum = kdl_sum(y);
    assert_int_equal(kdl_backward(sum), KDL_OK);
    for (int64_t i = 0; i < 5; i++)
        assert_float_equal(kdl_tensor_get(kdl_tensor_grad(x), &i), i < 2 ? -1 : i > 2, 0);
    release_all(x, y, sum);
}

/* Elements that are all the same deviate by nothing, and get no gradient, not a NaN. */
static void test_std_of_constants(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_full(ctx, KDL_SHAPE(2, 7), 0.1, .requires_grad = true);
    kdl_tensor *std = kdl_std_dim(x, 1, 1, false), *sum = kdl_sum(std);
    assert_int_equal(kdl_backward(sum), KDL_OK);
    assert_float_equal(kdl_tensor_item(sum), 0, 0);
    for (int64_t i = 0; i < 14; i++)
        assert_float_equal(kdl_tensor_get(kdl_tensor_grad(x), (const int64_t[]){ i / 7, i % 7 }), 0,
                           0);
    release_all(x, std, sum);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status run_modules(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(
        ctx, kdl_nn_lazy_conv1d(ctx, 4, 1), kdl_nn_prelu(ctx, .num_parameters = 4),
        kdl_nn_dropout1d(ctx), kdl_nn_alpha_dropout(ctx), kdl_nn_feature_alpha_dropout(ctx),
        kdl_nn_rrelu(ctx), kdl_nn_glu(ctx), kdl_nn_softmin(ctx, .dim = 1));
    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(2, 3, 4)), *output = kdl_forward(net, input);
    kdl_tensor *sum = kdl_sum(output);
    kdl_backward(sum);
    kdl_module *bilinear = kdl_nn_bilinear(ctx, 4, 4, 2);
    kdl_tensor *product = kdl_call(bilinear, input, input);
    release_all(input, output, sum, product);
    kdl_module_release(net);
    kdl_module_release(bilinear);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(run_modules, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finite_differences),
        TRAINING_TEST(test_channels),
        TRAINING_TEST(test_rrelu),
        TRAINING_TEST(test_abs_of_halves),
        TRAINING_TEST(test_std_of_constants),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
