/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions in f32, by oneDNN, beside those in f64, by products of matrices. */
#include <math.h>

#include "kindling/train.h"
#include "support/unit.h"

/* What a convolution gives and its gradients, in one dtype: released by free_results(). */
typedef struct results {
    kdl_tensor *x, *weight, *bias, *y;
} results;

static results convolve(kdl_context *ctx, kdl_dtype dtype, kdl_shape x, kdl_shape weight,
                        const kdl_f_conv_options *options)
{
    kdl_manual_seed(ctx, 7);
    kdl_tensor *drawn[] = { kdl_rand(ctx, x), kdl_rand(ctx, weight),
                            kdl_rand(ctx, KDL_SHAPE(weight.sizes[0])) };
    results r = { kdl_to(drawn[0], dtype), kdl_to(drawn[1], dtype), kdl_to(drawn[2], dtype), NULL };
    kdl_requires_grad_(r.x, true);
    kdl_requires_grad_(r.weight, true);
    kdl_requires_grad_(r.bias, true);
    for (int i = 0; i < 3; i++)
        kdl_tensor_release(drawn[i]);
    r.y = kdl_f_conv_with(x.ndim - 2, r.x, r.weight, r.bias, options);
    kdl_tensor *squares = kdl_square(r.y), *sum = kdl_sum(squares);
    kdl_backward(sum);
    kdl_tensor_release(squares);
    kdl_tensor_release(sum);
    return r;
}

static void free_results(const results *r)
{
    kdl_tensor_release(r->x);
    kdl_tensor_release(r->weight);
    kdl_tensor_release(r->bias);
    kdl_tensor_release(r->y);
}

static void assert_near(kdl_tensor *narrow, kdl_tensor *wide)
{
    const float *a = kdl_tensor_data(narrow);
    const double *b = kdl_tensor_data(wide);
    double scale = 1e-30, difference = 0;
    assert_int_equal(kdl_tensor_numel(narrow), kdl_tensor_numel(wide));
    for (int64_t i = 0; i < kdl_tensor_numel(wide); i++) {
        scale = fmax(scale, fabs(b[i]));
        difference = fmax(difference, fabs(a[i] - b[i]));
    }
    assert_true(difference <= 1e-5 * scale);
}

static void compare(kdl_context *ctx, kdl_shape x, kdl_shape weight,
                    const kdl_f_conv_options *options)
{
    results narrow = convolve(ctx, KDL_F32, x, weight, options);
    results wide = convolve(ctx, KDL_F64, x, weight, options);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_near(narrow.y, wide.y);
    assert_near(kdl_tensor_grad(narrow.x), kdl_tensor_grad(wide.x));
    assert_near(kdl_tensor_grad(narrow.weight), kdl_tensor_grad(wide.weight));
    assert_near(kdl_tensor_grad(narrow.bias), kdl_tensor_grad(wide.bias));
    free_results(&narrow);
    free_results(&wide);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        kdl_context_options context_options = KDL_CONTEXT_DEFAULTS;
        context_options.threads = threads;
        kdl_context *ctx = kdl_context_new(&context_options);
        kdl_train_enable(ctx);
        for (int channels = 1; channels <= 20; channels += 3) {
            for (int step = 1; step <= 2; step++) {
                kdl_f_conv_options options = KDL_F_CONV_DEFAULTS;
                options.stride = step;
                options.padding = 2;
                options.dilation = 3 - step;
                compare(ctx, KDL_SHAPE(2, channels, 9), KDL_SHAPE(5, channels, 3), &options);
                compare(ctx, KDL_SHAPE(2, channels, 7, 6), KDL_SHAPE(5, channels, 3, 2), &options);
                compare(ctx, KDL_SHAPE(1, channels, 3, 4, 5), KDL_SHAPE(5, channels, 2, 3, 1),
                        &options);
                options.groups = 2;
                compare(ctx, KDL_SHAPE(2, 2 * channels, 7, 6), KDL_SHAPE(6, channels, 3, 2),
                        &options);
                options.groups = channels;
                compare(ctx, KDL_SHAPE(2, channels, 7, 6), KDL_SHAPE(channels, 1, 3, 2), &options);
            }
        }
        kdl_context_release(ctx);
    }
}

/* More shapes than primitives are kept, back and forth. */
static void test_many_shapes(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_f_conv_options options = KDL_F_CONV_DEFAULTS;
    for (int round = 0; round < 2; round++)
        for (int size = 3; size < 70; size += CASE_STEP(5))
            compare(ctx, KDL_SHAPE(1, 4, size), KDL_SHAPE(4, 4, 3), &options);
    kdl_context_release(ctx);
}

/* As many parts as the batch allows, on one thread and on three: the same bits. */
static void test_threads(void **state)
{
    (void)state;
    kdl_f_conv_options options = KDL_F_CONV_DEFAULTS;
    options.padding = 1;
    kdl_context *contexts[2];
    results found[2];
    for (int i = 0; i < 2; i++) {
        kdl_context_options context_options = KDL_CONTEXT_DEFAULTS;
        context_options.threads = 1 + 2 * i;
        contexts[i] = kdl_context_new(&context_options);
        kdl_train_enable(contexts[i]);
        found[i] = convolve(contexts[i], KDL_F32, KDL_SHAPE(12, 5, 20, 20), KDL_SHAPE(17, 5, 3, 3),
                            &options);
        assert_string_equal(kdl_error_message(contexts[i]), "");
    }
    kdl_tensor *pairs[][2] = {
        { found[0].y, found[1].y },
        { kdl_tensor_grad(found[0].x), kdl_tensor_grad(found[1].x) },
        { kdl_tensor_grad(found[0].weight), kdl_tensor_grad(found[1].weight) },
        { kdl_tensor_grad(found[0].bias), kdl_tensor_grad(found[1].bias) },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_memory_equal(kdl_tensor_data(pairs[i][0]), kdl_tensor_data(pairs[i][1]),
                            kdl_tensor_nbytes(pairs[i][0]));
    for (int i = 0; i < 2; i++) {
        free_results(&found[i]);
        kdl_context_release(contexts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_many_shapes),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
