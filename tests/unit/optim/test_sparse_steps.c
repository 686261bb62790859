/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers and gradients that have some rows only: which rows move, refusals, memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

typedef kdl_optimizer *make(kdl_iterator params);

#define MAKE(name, function, ...)                                                                  \
    static kdl_optimizer *make_##name(kdl_iterator params)                                         \
    {                                                                                              \
        return kdl_optim_##function(params, __VA_ARGS__);                                          \
    }
MAKE(sgd, sgd, 0.5)
MAKE(momentum, sgd, 0.5, .momentum = 0.5)
MAKE(adagrad, adagrad, 0.5, .eps = 0)
MAKE(sparse_adam, sparse_adam, 0.5)
static make *const makes[] = { make_sgd, make_momentum, make_adagrad, make_sparse_adam };
enum { MAKES = sizeof makes / sizeof *makes };

/* Adds a gradient of 1 for each of these rows. */
static void give_rows(kdl_module *table, const int64_t *numbers, int64_t count)
{
    kdl_context *ctx = kdl_module_context(table);
    kdl_tensor *rows = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(count), numbers);
    kdl_tensor *output = kdl_forward(table, rows), *sum = kdl_sum(output);
    kdl_backward(sum);
    kdl_tensor_release(sum);
    kdl_tensor_release(output);
    kdl_tensor_release(rows);
}

/*
 * Rows of ones after a step of row 1 once and row 3 twice, and one of row 0: Adagrad's rows without
 * a gradient, which would be 0 / 0 were it dense, stay; momentum carries rows on.
 */
static void test_rows(void **state)
{
    static const double expected[MAKES][4] = {
        { 0.5, 0.5, 1, 0 },
        { 0.5, 0.25, 1, -0.5 },
        { 0.5, 0.5, 1, 0.5 },
        { 1 - 0.3720684, 0.5, 1, 0.5 }, /* its bias is corrected as in a second step */
    };
    kdl_context *ctx = *state;
    for (int i = 0; i < MAKES; i++) {
        kdl_module *table = kdl_nn_embedding(ctx, 4, 2, .sparse = true);
        kdl_tensor *weight = kdl_parameter(table, "weight");
        kdl_init_ones_(weight);
        kdl_optimizer *optimizer = makes[i](kdl_named_parameters(table));
        give_rows(table, (int64_t[]){ 3, 1, 3 }, 3);
        kdl_optimizer_step(optimizer);
        kdl_optimizer_zero_grad(optimizer);
        give_rows(table, (int64_t[]){ 0 }, 1);
        kdl_optimizer_step(optimizer);
        for (int64_t k = 0; k < 8; k++)
            assert_float_equal(kdl_tensor_get(weight, (int64_t[]){ k / 2, k % 2 }),
                               expected[i][k / 2], 1e-6);
        kdl_optimizer_release(optimizer);
        kdl_module_release(table);
    }
}

/* One gradient that does not fit keeps every parameter from moving. */
static void test_refusals(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 1, 1, .bias = false),
                                        kdl_nn_embedding(ctx, 4, 2, .sparse = true));
    kdl_tensor *weight = kdl_parameter(net, "0.weight");
    kdl_init_ones_(weight);
    kdl_tensor_set_grad(weight, kdl_ones(ctx, KDL_SHAPE(1, 1)));
    give_rows(kdl_submodule(net, "1"), (int64_t[]){ 2 }, 1);
    kdl_optimizer *optimizers[] = {
        kdl_optim_adam(kdl_named_parameters(net), 0.1),
        kdl_optim_sparse_adam(kdl_named_parameters(net), 0.1),
        kdl_optim_adagrad(kdl_named_parameters(net), 0.1, .weight_decay = 0.1),
    };
    static const char *const messages[] = {
        "Adam does not support sparse gradients, please consider SparseAdam instead",
        "SparseAdam does not support dense gradients, please consider Adam instead",
        "weight_decay option is not compatible with sparse gradients",
    };
    for (int i = 0; i < 3; i++) {
        kdl_optimizer_step(optimizers[i]);
        assert_error(ctx, KDL_ERROR_RUNTIME, messages[i]);
        assert_float_equal(kdl_tensor_item(weight), 1, 0);
        kdl_optimizer_release(optimizers[i]);
    }
    kdl_clip_grad_norm_(kdl_named_parameters(net), 0.1);
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED, "sparse gradients are not clipped");
    assert_float_equal(kdl_tensor_item(kdl_tensor_grad(weight)), 1, 0);
    kdl_module_release(net);
}

static kdl_status train(kdl_context *ctx, void *given)
{
    kdl_train_enable(ctx);
    kdl_module *table = kdl_nn_embedding(ctx, 5, 2, .sparse = true);
    kdl_optimizer *optimizer = table ? (*(make **)given)(kdl_named_parameters(table)) : NULL;
    for (int i = 0; i < 2 && optimizer && !kdl_error_status(ctx); i++) {
        give_rows(table, (int64_t[]){ 4, 1, 4 }, 3); /* the second time adds to the first */
        kdl_optimizer_step(optimizer);
    }
    kdl_optimizer_release(optimizer);
    kdl_module_release(table);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    for (int i = 0; i < MAKES; i++)
        check_allocation_failures(train, (void *)&makes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_rows),
        TRAINING_TEST(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
