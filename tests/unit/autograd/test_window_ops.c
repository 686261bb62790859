/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolutions, padding and pooling: finite differences, errors, failing memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* ---- finite differences ------------------------------------------------------------------ */

static kdl_tensor *convolved_back(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *image = kdl_reshape(a, KDL_SHAPE(3, 2, 2));
    kdl_tensor *weight = kdl_reshape(b, KDL_SHAPE(3, 1, 2, 2));
    kdl_tensor *bias = kdl_narrow(b, 0, 1, 1);
    kdl_tensor *row = kdl_reshape(bias, KDL_SHAPE(-1)), *first = kdl_narrow(row, 0, 0, 1);
    kdl_tensor *result = kdl_f_conv_transpose2d(image, weight, first, .strides = KDL_SHAPE(2, 1),
                                                .padding = 1, .output_paddings = KDL_SHAPE(1, 0));
    release_all(image, weight, bias, row, first);
    return result;
}

/* A function of what a, (3, 4), is seen as in these sizes. */
#define SEEN_AS(sizes, name, x, call)                                                              \
    static kdl_tensor *name(kdl_tensor *a, kdl_tensor *b)                                          \
    {                                                                                              \
        (void)b;                                                                                   \
        kdl_tensor *x = kdl_reshape(a, sizes), *result = call;                                     \
        kdl_tensor_release(x);                                                                     \
        return result;                                                                             \
    }
#define OF_IMAGE(name, call) SEEN_AS(KDL_SHAPE(1, 3, 4), name, image, call)
#define OF_BATCH(name, call) SEEN_AS(KDL_SHAPE(1, 4, 3, 1), name, batch, call)

OF_IMAGE(reflected, kdl_f_pad(image, KDL_SHAPE(2, 1, 1, 2), .mode = "reflect"))
OF_IMAGE(replicated, kdl_f_pad(image, KDL_SHAPE(2, -1, 1, 5), .mode = "replicate"))
OF_IMAGE(circled, kdl_f_pad(image, KDL_SHAPE(-1, 3, 1, 2), .mode = "circular"))
OF_IMAGE(padded, kdl_f_pad(image, KDL_SHAPE(1, -2, 0, 2), .value = 3))
OF_IMAGE(largest_of_parts, kdl_f_adaptive_max_pool(2, image, KDL_SHAPE(2, 3), NULL))
OF_IMAGE(means_of_parts, kdl_f_adaptive_avg_pool(2, image, KDL_SHAPE(2, 3)))
OF_IMAGE(power_means, kdl_f_lp_pool2d(image, 3, 2, .stride = 1))
OF_IMAGE(columns, kdl_f_unfold(image, 2, .padding = 1))
OF_IMAGE(shuffled, kdl_channel_shuffle(image, 3))
OF_BATCH(smooth, kdl_f_interpolate(batch, .sizes = KDL_SHAPE(5, 2), .mode = "bicubic"))
OF_BATCH(fewer,
         kdl_f_interpolate(batch, .sizes = KDL_SHAPE(1, 3), .mode = "lanczos", .antialias = true))
OF_BATCH(pixels, kdl_f_pixel_shuffle(batch, 2))
OF_BATCH(instances, kdl_f_instance_norm(batch, NULL, NULL, NULL, NULL, true, 0.1, 1e-5))
OF_BATCH(neighbours, kdl_f_local_response_norm(batch, 3, 0.5, 0.75, 1))

/* a as an image (3, 4), at six places that b gives. */
static kdl_tensor *sampled(kdl_tensor *a, kdl_tensor *b, const char *mode, const char *padding)
{
    kdl_tensor *image = kdl_reshape(a, KDL_SHAPE(1, 1, 3, 4));
    kdl_tensor *places = kdl_reshape(b, KDL_SHAPE(1, 3, 2, 2));
    kdl_tensor *result = kdl_f_grid_sample(image, places, .mode = mode, .padding_mode = padding,
                                           .align_corners = true);
    release_all(image, places);
    return result;
}

static kdl_tensor *sampled_smoothly(kdl_tensor *a, kdl_tensor *b)
{
    return sampled(a, b, "bicubic", "reflection");
}

/* a (3, 4) as the matrix of a volume's places, at which b is sampled. */
static kdl_tensor *transformed(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *theta = kdl_reshape(a, KDL_SHAPE(1, 3, 4));
    kdl_tensor *volume = kdl_reshape(b, KDL_SHAPE(1, 2, 2, 1, 3));
    kdl_tensor *places = kdl_f_affine_grid(theta, KDL_SHAPE(1, 2, 2, 2, 3), false);
    kdl_tensor *result = kdl_f_grid_sample(volume, places, .align_corners = false);
    release_all(theta, volume, places);
    return result;
}

static void test_finite_differences(void **state)
{
    static gradient_body *const functions[] = {
        convolved_back, reflected,   replicated, circled,   padded,           largest_of_parts,
        means_of_parts, power_means, columns,    shuffled,  sampled_smoothly, transformed,
        smooth,         fewer,       pixels,     instances, neighbours,
    };
    check_gradients(*state, GRADIENT_BODIES(functions));
}

/* ---- errors ------------------------------------------------------------------------------ */

static void test_indices(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_arange(ctx, 0, 16, 1, .dtype = KDL_F32),
               *image = kdl_reshape(x, KDL_SHAPE(1, 4, 4));
    kdl_tensor *indices = NULL, *values = kdl_f_max_pool2d(image, 2, .indices = &indices);
    assert_int_equal(kdl_tensor_dtype(indices), KDL_I64);
    assert_int_equal(kdl_tensor_ndim(indices), 3);
    assert_float_equal(kdl_tensor_get(indices, (int64_t[]){ 0, 1, 0 }), 13, 0);
    assert_float_equal(kdl_tensor_get(values, (int64_t[]){ 0, 1, 0 }), 13, 0);
    kdl_tensor_release(values);
    kdl_tensor_release(indices);
    assert_null(kdl_f_max_pool2d(image, 5, .indices = &indices));
    assert_null(indices);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Given input size: (1x4x4). Calculated output size: (1x0x0). Output size is too "
                 "small");
    kdl_tensor_release(image);
    kdl_tensor_release(x);
}

static void test_refusals(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_ones(ctx, KDL_SHAPE(1, 3, 5, 5));
    kdl_tensor *weight = kdl_ones(ctx, KDL_SHAPE(3, 3, 3, 3));
    kdl_tensor *wide = kdl_ones(ctx, KDL_SHAPE(3, 3, 3, 3), .dtype = KDL_F64);
    kdl_tensor *bias = kdl_ones(ctx, KDL_SHAPE(2));
    assert_null(kdl_f_conv2d(x, weight, bias));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Given weight of size [3, 3, 3, 3], expected bias to be 1-dimensional with 3 "
                 "elements, but got bias of size [2] instead");
    assert_null(kdl_f_conv2d(x, wide, NULL));
    assert_error(ctx, KDL_ERROR_RUNTIME, "expected scalar type Float but found Double");
    assert_null(kdl_f_conv_transpose2d(x, weight, NULL, .output_padding = 1));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "output padding must be smaller than either stride or dilation, but got "
                 "output_padding: 1 stride: 1 dilation: 1");
    assert_null(kdl_f_conv2d(x, weight, NULL, .dilation = (int64_t)1 << 40));
    assert_error(ctx, KDL_ERROR_RUNTIME, "integer out of range");
    assert_null(kdl_f_pad(x, KDL_SHAPE(1), .mode = "reflect"));
    assert_error(ctx, KDL_ERROR_RUNTIME, "Padding length must be divisible by 2");
    assert_null(kdl_f_pad(x, KDL_SHAPE((int64_t)1 << 40, 0)));
    assert_error(ctx, KDL_ERROR_RUNTIME, "integer out of range");
    assert_null(kdl_f_pad(x, KDL_SHAPE(-6, 0)));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "The input size 5, plus negative padding -6 and 0 resulted in a negative output "
                 "size, which is invalid. Check dimension 3 of your input.");
    assert_null(kdl_f_adaptive_max_pool(2, x, KDL_SHAPE(-2, 1), NULL));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "elements of output_size must be greater than or equal to 0 but received -2");
    release_all(x, weight, wide, bias);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status run_modules(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(
        ctx, kdl_nn_conv2d(ctx, 1, 2, 3, .padding = 2, .padding_mode = "circular"),
        kdl_nn_reflection_pad2d(ctx, 1), kdl_nn_conv_transpose2d(ctx, 2, 1, 2, .stride = 2),
        kdl_nn_constant_pad2d(ctx, 1, 2), kdl_nn_adaptive_max_pool2d(ctx, 2));
    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(1, 3, 3));
    kdl_tensor *output = kdl_forward(net, input), *sum = kdl_sum(output), *outputs[2];
    kdl_backward(sum);
    kdl_module *pool = kdl_nn_max_pool2d(ctx, 2, .return_indices = true);
    kdl_call_with(pool, &input, 1, outputs, 2);
    release_all(input, output, sum, outputs[0], outputs[1]);
    kdl_module_release(net);
    kdl_module_release(pool);
    return kdl_error_status(ctx);
}

static kdl_status run_others(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(
        ctx, kdl_nn_upsample(ctx, .scale_factor = 1.5, .mode = "bilinear"),
        kdl_nn_instance_norm2d(ctx, 4, .affine = true, .track_running_stats = true),
        kdl_nn_local_response_norm(ctx, 2), kdl_nn_cross_map_lrn2d(ctx, 3),
        kdl_nn_pixel_shuffle(ctx, 2), kdl_nn_unfold(ctx, 2), kdl_nn_fold(ctx, 6, 2),
        kdl_nn_fractional_max_pool2d(ctx, 2, .output_size = 4), kdl_nn_lp_pool2d(ctx, 2, 2));
    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(2, 4, 2, 2)), *output = kdl_forward(net, input);
    kdl_tensor *indices = NULL, *values = kdl_f_max_pool2d(input, 2, .indices = &indices);
    kdl_tensor *back = kdl_f_max_unpool2d(values, indices, 2), *sum = kdl_sum(output);
    kdl_backward(sum);
    release_all(input, output, indices, values, back, sum);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    static gradient_body *const functions[] = { sampled_smoothly, transformed, fewer };
    check_gradient_allocations(GRADIENT_BODIES(functions));
    check_allocation_failures(run_modules, NULL);
    check_allocation_failures(run_others, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finite_differences),
        TRAINING_TEST(test_indices),
        TRAINING_TEST(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
