/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of f32 beside libm's of f64, and the same bits with every instruction set. */
#include "compute/float_math.h"
#include "kindling/train.h"
#include "support/unit.h"

/* ---- how far from the truth -------------------------------------------------------------- */

#define FUNCTION(name)                                                                             \
    static float name##_of(float x)                                                                \
    {                                                                                              \
        return kdl__##name##_f32(x);                                                               \
    }
FUNCTION(exp)
FUNCTION(expm1)
FUNCTION(log)
FUNCTION(log1p)
FUNCTION(tanh)
FUNCTION(erf)

/* Units in the last place of `right` between them; where that is special, 0 only for the same. */
static double ulps(float got, double right)
{
    float rounded = (float)right;
    if (isnan(rounded))
        return isnan(got) ? 0 : INFINITY;
    if (isinf(rounded) || rounded == 0)
        return got == rounded && !signbit(got) == !signbit(rounded) ? 0 : INFINITY;
    int exponent;
    frexp(right, &exponent);
    return fabs(got - right) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* Bit patterns of all exponents and both signs, NaN and the subnormals among them. */
static void check_function(float (*function)(float), double (*exact)(double), double limit)
{
    static const float chosen[] = { 0,  -0.0F,     1,        -1,         0.5F,      -0.5F,
                                    89, 88.72284F, -104,     -87.33655F, 1e-45F,    -1e-45F,
                                    4,  -4,        INFINITY, -INFINITY,  0x1p-126F, NAN };
    double worst = 0;
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++)
        worst = fmax(worst, ulps(function(chosen[i]), exact(chosen[i])));
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += 9973) {
        float x = kdl__from_bits_f32((int32_t)(uint32_t)bits);
        worst = fmax(worst, ulps(function(x), exact(x)));
    }
    if (worst > limit)
        fail_msg("%g units in the last place", worst);
}

static void test_functions(void **state)
{
    (void)state;
    check_function(exp_of, exp, 1);
    check_function(expm1_of, expm1, 1.6);
    check_function(log_of, log, 0.9);
    check_function(log1p_of, log1p, 0.9);
    check_function(tanh_of, tanh, 2.4);
    check_function(erf_of, erf, 2.4);
}

static void test_normal_cdf(void **state)
{
    (void)state;
    for (float x = -12; x < 12; x += 1e-3F) {
        double right = kdl__normal_cdf_f64(x), got = kdl__normal_cdf_f32(x);
        assert_true(fabs(got - right) <= 3e-7);
        assert_true(fabs(got - right) <= 1e-5 * right);
    }
    assert_true(kdl__normal_cdf_f32(INFINITY) == 1 && kdl__normal_cdf_f32(-INFINITY) == 0);
    assert_true(isnan(kdl__normal_cdf_f32(NAN)));
}

/* ---- instruction sets -------------------------------------------------------------------- */

/* Functions that were made of these, and what else is compiled for each set. */
static kdl_tensor *gelu(kdl_tensor *x)
{
    return kdl_f_gelu(x, "none");
}

static kdl_tensor *gelu_tanh(kdl_tensor *x)
{
    return kdl_f_gelu(x, "tanh");
}

static kdl_tensor *elu(kdl_tensor *x)
{
    return kdl_f_elu(x, 1.5);
}

static kdl_tensor *softplus(kdl_tensor *x)
{
    return kdl_f_softplus(x, 2, 20);
}

static kdl_tensor *softmax(kdl_tensor *x)
{
    return kdl_f_softmax(x, -1);
}

static kdl_tensor *log_softmax(kdl_tensor *x)
{
    return kdl_f_log_softmax(x, 0);
}

static kdl_tensor *layer_norm(kdl_tensor *x)
{
    return kdl_f_layer_norm(x, KDL_SHAPE(kdl_tensor_size(x, 1)), NULL, NULL, 1e-5);
}

static kdl_tensor *sum_rows(kdl_tensor *x)
{
    return kdl_sum_dim(x, 0, false);
}

static kdl_tensor *times_row(kdl_tensor *x)
{
    kdl_tensor *row = kdl_select(x, 0, 1), *result = kdl_mul_tensor(x, row);
    kdl_tensor_release(row);
    return result;
}

static kdl_tensor *(*const functions[])(kdl_tensor *x) = {
    kdl_exp,     kdl_expm1,        kdl_log,    kdl_log1p, kdl_tanh,   kdl_erf,
    kdl_sigmoid, kdl_f_silu,       gelu,       gelu_tanh, kdl_f_mish, elu,
    softplus,    kdl_f_logsigmoid, kdl_f_relu, kdl_sqrt,  softmax,    log_softmax,
    layer_norm,  kdl_sum,          sum_rows,   times_row,
};

enum { ROWS = 71, COLUMNS = 2003 };

/* The value and the gradient of a function, as one tensor of bytes to compare. */
static void run_function(size_t index, const char *cpu, int threads, float *value, float *gradient)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = threads;
    options.cpu = cpu;
    kdl_context *ctx = kdl_context_new(&options);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 3);
    kdl_tensor *x = kdl_randn(ctx, KDL_SHAPE(ROWS, COLUMNS));
    kdl_requires_grad_(x, true);
    kdl_tensor *y = functions[index](x), *g = kdl_randn(ctx, kdl_tensor_shape(y));
    assert_int_equal(kdl_backward(y, .gradient = g), KDL_OK);
    memcpy(value, kdl_tensor_data(y), kdl_tensor_nbytes(y));
    memcpy(gradient, kdl_tensor_data(kdl_tensor_grad(x)), kdl_tensor_nbytes(x));
    kdl_tensor_release(y);
    kdl_tensor_release(g);
    kdl_tensor_release(x);
    kdl_context_release(ctx);
}

static void test_instruction_sets(void **state)
{
    (void)state;
    static float expected[2][ROWS * COLUMNS], got[2][ROWS * COLUMNS];
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        run_function(i, "ref", 1, expected[0], expected[1]);
        for (size_t cpu = 0; kdl_cpu_at(cpu); cpu++)
            for (int threads = 1; threads <= 3; threads++) {
                run_function(i, kdl_cpu_at(cpu), threads, got[0], got[1]);
                if (memcmp(got, expected, sizeof got) != 0)
                    fail_msg("function %zu with %s and %d threads", i, kdl_cpu_at(cpu), threads);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_normal_cdf),
        cmocka_unit_test(test_instruction_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
