/* SPDX-License-Identifier: Apache-2.0 */
/* Learning-rate schedules by themselves: first values, lives, errors, memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

static kdl_optimizer *new_optimizer(kdl_context *ctx)
{
    kdl_module *net = kdl_nn_linear(ctx, 1, 1);
    kdl_optimizer *optimizer =
        net ? kdl_optim_sgd(kdl_named_parameters(net), 1, .momentum = 0.5) : NULL;
    kdl_module_release(net); /* the optimiser keeps the parameters */
    return optimizer;
}

static double halve(int64_t epoch, size_t group, void *count)
{
    (void)epoch, (void)group;
    ++*(int *)count;
    return 0.5;
}

/* The rate at epochs 0, 1, 2, ... */
static void check_rates(kdl_optimizer *optimizer, kdl_lr_scheduler *schedule, int count,
                        const double *expected)
{
    for (int i = 0; i < count; i++) {
        assert_float_equal(kdl_optimizer_lr(optimizer, 0), expected[i], 1e-15);
        assert_float_equal(kdl_lr_scheduler_last_lr(schedule, 0), expected[i], 1e-15);
        kdl_lr_scheduler_step(schedule);
    }
    kdl_lr_scheduler_release(schedule);
    kdl_optimizer_set(optimizer, 0, "lr", 0, 1);
    kdl_optimizer_set(optimizer, 0, "initial_lr", 0, 1);
}

static void test_rates(void **state)
{
    kdl_optimizer *o = new_optimizer(*state);
    int calls = 0;
    check_rates(o, kdl_lr_step(o, 2, .gamma = 0.5), 5, (double[]){ 1, 1, 0.5, 0.5, 0.25 });
    check_rates(o, kdl_lr_multi_step(o, KDL_MILESTONES(1, 3)), 4, (double[]){ 1, 0.1, 0.1, 0.01 });
    check_rates(o, kdl_lr_multiplicative(o, halve, &calls), 3, (double[]){ 1, 0.5, 0.25 });
    assert_int_equal(calls, 3);
    check_rates(o, kdl_lr_constant(o, .factor = 0.5, .total_iters = 2), 3,
                (double[]){ 0.5, 0.5, 1 });
    check_rates(o, kdl_lr_linear(o, .start_factor = 0.5, .total_iters = 2), 4,
                (double[]){ 0.5, 0.75, 1, 1 });
    check_rates(o, kdl_lr_cosine_annealing(o, 2), 5, (double[]){ 1, 0.5, 0, 0.5, 1 });
    check_rates(o, kdl_lr_cosine_annealing_warm_restarts(o, 2), 4, (double[]){ 1, 0.5, 1, 0.5 });
    kdl_optimizer_release(o);
    o = new_optimizer(*state); /* which knows no "initial_lr" */
    check_rates(o, kdl_lr_cyclic(o, 0, 1, .step_size_up = 2), 5, (double[]){ 0, 0.5, 1, 0.5, 0 });
    assert_float_equal(kdl_optimizer_get(o, 0, "momentum", 0), 0.85, 1e-15);
    kdl_optimizer_release(o);
}

static void test_sequence(void **state)
{
    kdl_optimizer *o = new_optimizer(*state);
    kdl_lr_scheduler *parts[2];
    parts[0] = kdl_lr_constant(o, .factor = 0.5, .total_iters = 2);
    parts[1] = kdl_lr_exponential(o, 0.5);
    kdl_lr_scheduler *both = kdl_lr_sequential(o, parts, 2, KDL_MILESTONES(2));
    check_rates(o, both, 5, (double[]){ 0.5, 0.5, 1, 0.5, 0.25 });
    kdl_optimizer_release(o);
}

static void test_lives(void **state)
{
    kdl_optimizer *optimizer = new_optimizer(*state);
    kdl_lr_scheduler *schedule = kdl_lr_exponential(optimizer, 0.5);
    kdl_optimizer_release(optimizer); /* the schedule keeps it */
    kdl_lr_scheduler_step(schedule);
    assert_float_equal(kdl_lr_scheduler_last_lr(schedule, 0), 0.5, 0);
    assert_int_equal(kdl_lr_scheduler_last_epoch(schedule), 1);
    kdl_lr_scheduler_release(schedule);
}

static void test_state(void **state)
{
    kdl_context *ctx = *state;
    kdl_optimizer *o = new_optimizer(ctx);
    kdl_lr_scheduler *parts[2];
    parts[0] = kdl_lr_step(o, 2);
    parts[1] = kdl_lr_exponential(o, 0.5);
    kdl_lr_scheduler *both = kdl_lr_sequential(o, parts, 2, KDL_MILESTONES(7));
    char *text = kdl_lr_scheduler_state_dict(both);
    assert_string_equal(
        text, "{\"_last_lr\": [1.0], \"last_epoch\": 0, \"_schedulers\": [{\"_last_lr\": [1.0], "
              "\"last_epoch\": 0, \"_step_count\": 1, \"base_lrs\": [1.0], \"step_size\": 2, "
              "\"gamma\": 0.1}, {\"_last_lr\": [1.0], \"last_epoch\": -1, \"_step_count\": 1, "
              "\"base_lrs\": [1.0], \"gamma\": 0.5}]}");
    kdl_lr_scheduler_step(both);
    kdl_lr_scheduler_step(both);
    assert_float_equal(kdl_lr_scheduler_last_lr(both, 0), 0.1, 1e-7);
    assert_int_equal(kdl_lr_scheduler_load_state_dict(both, text), KDL_OK);
    assert_int_equal(kdl_lr_scheduler_last_epoch(both), 0);
    kdl_free(ctx, text);
    kdl_lr_scheduler_load_state_dict(both, "{\"_last_lr\": [1.0], \"last_epoch\": 4}");
    assert_error(ctx, KDL_ERROR_VALUE, "SequentialLR consists of 2 schedules, the state_dict of 0");
    assert_int_equal(kdl_lr_scheduler_last_epoch(both), 0); /* nothing of it was kept */
    kdl_lr_scheduler_load_state_dict(both, "{");
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_FORMAT);
    kdl_error_clear(ctx);
    kdl_lr_scheduler_release(both);
    kdl_optimizer_release(o);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_optimizer *o = new_optimizer(ctx), *other = new_optimizer(ctx);
    assert_null(kdl_lr_step(o, 0));
    assert_error(ctx, KDL_ERROR_ZERO_DIVISION, "integer modulo by zero");
    assert_null(kdl_lr_lambda(o, NULL, NULL));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_TYPE);
    kdl_error_clear(ctx);
    kdl_lr_scheduler *plateau = kdl_lr_reduce_on_plateau(o), *step = kdl_lr_step(o, 1);
    kdl_lr_scheduler_step(plateau);
    assert_error(ctx, KDL_ERROR_TYPE,
                 "ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'");
    kdl_lr_scheduler_step_metrics(step, 1);
    assert_error(ctx, KDL_ERROR_TYPE, "StepLR.step() takes no metrics");
    kdl_lr_scheduler_last_lr(step, 1);
    assert_error(ctx, KDL_ERROR_INDEX, "there is no parameter group 1");
    kdl_lr_scheduler *strange = kdl_lr_step(other, 1), *none = NULL;
    assert_null(kdl_lr_chained(o, &strange, 1)); /* consumed */
    assert_error(ctx, KDL_ERROR_VALUE,
                 "ChainedScheduler expects all schedulers to belong to the same optimizer, but got "
                 "scheduler StepLR at index 0 of another one");
    assert_null(kdl_lr_chained(o, &none, 1));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_TYPE);
    kdl_error_clear(ctx);
    kdl_optimizer_get(o, 0, "betas", 0);
    assert_error(ctx, KDL_ERROR_KEY, "'betas'");
    kdl_optimizer_get(o, 0, "momentum", 1);
    assert_error(ctx, KDL_ERROR_INDEX, "'momentum' has no number at 1");
    assert_null(kdl_lr_step(NULL, 1));
    assert_int_equal(kdl_lr_scheduler_step(NULL), KDL_ERROR_VALUE);
    kdl_module *net = kdl_nn_linear(ctx, 1, 1);
    kdl_optimizer_add_param_group(o, kdl_named_parameters(net), NULL);
    kdl_lr_scheduler_step(step);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "the schedule is of 1 parameter groups, and now the optimizer has 2: add groups "
                 "before you make schedules");
    kdl_module_release(net);
    kdl_lr_scheduler_release(step);
    kdl_lr_scheduler_release(plateau);
    kdl_optimizer_release(other);
    kdl_optimizer_release(o);
}

static kdl_status make_all(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_optimizer *o = new_optimizer(ctx);
    kdl_lr_scheduler *parts[2] = { NULL }, *all[5];
    all[0] = kdl_lr_multi_step(o, KDL_MILESTONES(1, 3));
    all[1] = kdl_lr_cyclic(o, 0, 1);
    all[2] = kdl_lr_one_cycle(o, 1, .total_steps = 10);
    all[3] = kdl_lr_reduce_on_plateau(o);
    parts[0] = kdl_lr_linear(o);
    parts[1] = kdl_lr_polynomial(o);
    all[4] = kdl_lr_sequential(o, parts, 2, KDL_MILESTONES(1));
    for (int i = 0; i < 5; i++) {
        if (i != 3)
            kdl_lr_scheduler_step(all[i]);
        char *text = kdl_lr_scheduler_state_dict(all[i]);
        kdl_lr_scheduler_load_state_dict(all[i], text);
        kdl_free(ctx, text);
        kdl_lr_scheduler_release(all[i]);
    }
    kdl_optimizer_release(o);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(make_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_rates),  TRAINING_TEST(test_sequence),
        TRAINING_TEST(test_lives),  TRAINING_TEST(test_state),
        TRAINING_TEST(test_errors), cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
