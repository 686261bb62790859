/* SPDX-License-Identifier: Apache-2.0 */
/* Parametrizations while gradients are recorded: whose flow, and what is refused. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

static kdl_tensor *triple(kdl_module *module, kdl_tensor *x)
{
    (void)module;
    return kdl_mul(x, 3);
}
static const kdl_module_class tripled = { .name = "Triple", .forward = triple };

/* Of one's own: the original gets the gradient. */
static void test_own(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2);
    kdl_register_parametrization(linear, "weight", kdl_module_new(ctx, &tripled));
    kdl_tensor *original = kdl_parameter(linear, "parametrizations.weight.original");
    assert_true(kdl_tensor_is_leaf(original));
    kdl_tensor *weight = kdl_parametrized(linear, "weight"), *sum = kdl_sum(weight);
    assert_true(kdl_tensor_requires_grad(weight));
    kdl_backward(sum);
    assert_true(kdl_tensor_get(kdl_tensor_grad(original), (const int64_t[]){ 1, 0 }) == 3);
    kdl_tensor_release(sum);
    kdl_tensor_release(weight);
    kdl_remove_parametrizations(linear, "weight", true);
    assert_true(kdl_tensor_is_leaf(kdl_parameter(linear, "weight")));
    kdl_module_release(linear);
}

/*
 * The sum of the squares of what a module gives for some numbers; computes the gradients where
 * enabled.
 */
static double loss_of(void *module)
{
    kdl_context *ctx = kdl_module_context(module);
    kdl_tensor *input = kdl_linspace(ctx, 0.1, 0.9, 15, .dtype = KDL_F64);
    kdl_tensor *rows = kdl_reshape(input, KDL_SHAPE(5, 3)), *output = kdl_forward(module, rows);
    kdl_tensor *squares = kdl_square(output), *sum = kdl_sum(squares);
    double value = kdl_tensor_item(sum);
    if (kdl_is_grad_enabled(ctx))
        kdl_backward(sum);
    release_all(input, rows, output, squares, sum);
    return value;
}

static void test_norms(void **state)
{
    kdl_context *ctx = *state;
    for (int which = 0; which < 2; which++) {
        kdl_module *linear = kdl_nn_linear(ctx, 3, 4, .dtype = KDL_F64);
        if (which == 0)
            kdl_parametrizations_weight_norm(linear);
        else
            kdl_parametrizations_spectral_norm(linear);
        kdl_module_train(linear, false);
        loss_of(linear);
        for (kdl_iterator it = kdl_named_parameters(linear); kdl_next(&it);)
            check_leaf(it.tensor, loss_of, linear);
        kdl_module_release(linear);
    }
}

/* Each map, of tall and of wide matrices, with a base and without, away from where it begins. */
static void test_orthogonal(void **state)
{
    static const char *const maps[] = { "matrix_exp", "cayley", "householder" };
    kdl_context *ctx = *state;
    for (int which = 0; which < 12; which++) {
        bool wide = which % 2, based = which / 2 % 2;
        kdl_module *linear = kdl_nn_linear(ctx, 3, wide ? 2 : 5, .dtype = KDL_F64);
        kdl_parametrizations_orthogonal(linear, .orthogonal_map = maps[which / 4],
                                        .use_trivialization = based);
        bool was = kdl_set_grad_enabled(ctx, false);
        kdl_tensor *original = kdl_parameter(linear, "parametrizations.weight.original");
        kdl_tensor *moved = kdl_randn(ctx, kdl_tensor_shape(original), .dtype = KDL_F64);
        if (which / 4 < 2)
            kdl_copy_(original, moved);
        kdl_mul_(original, 1.5); /* 1 times a column where integers count */
        kdl_set_grad_enabled(ctx, was);
        loss_of(linear);
        for (kdl_iterator it = kdl_named_parameters(linear); kdl_next(&it);)
            check_leaf(it.tensor, loss_of, linear);
        kdl_tensor_release(moved);
        kdl_module_release(linear);
    }
}

/* spectral_norm of a vector: also one that is shorter than eps. */
static void test_vector(void **state)
{
    kdl_context *ctx = *state;
    for (int which = 0; which < 2; which++) {
        kdl_module *linear = kdl_nn_linear(ctx, 3, 4, .dtype = KDL_F64);
        kdl_parametrizations_spectral_norm(linear, .name = "bias", .eps = which ? 7 : 1e-12);
        loss_of(linear);
        for (kdl_iterator it = kdl_named_parameters(linear); kdl_next(&it);)
            check_leaf(it.tensor, loss_of, linear);
        kdl_module_release(linear);
    }
}

static kdl_status train(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 3, 4), kdl_nn_linear(ctx, 4, 2),
                                        kdl_nn_linear(ctx, 2, 2), kdl_nn_linear(ctx, 2, 3),
                                        kdl_nn_linear(ctx, 3, 2));
    kdl_parametrizations_weight_norm(kdl_child(net, 0));
    kdl_parametrizations_spectral_norm(kdl_child(net, 0), .name = "bias");
    kdl_parametrizations_spectral_norm(kdl_child(net, 1));
    kdl_parametrizations_orthogonal(kdl_child(net, 2));
    kdl_parametrizations_orthogonal(kdl_child(net, 3), .orthogonal_map = "cayley");
    kdl_parametrizations_orthogonal(kdl_child(net, 4), .use_trivialization = false);
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(2, 3));
    kdl_tensor *output = net && input ? kdl_forward(net, input) : NULL, *sum = kdl_sum(output);
    kdl_backward(sum);
    release_all(input, output, sum);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(train, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_own),
        TRAINING_TEST(test_orthogonal),
        TRAINING_TEST(test_vector),
        TRAINING_TEST(test_norms),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
