/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers and schedules beside what PyTorch gave (tests/golden/make_optim.py). */
#include <math.h>

#include "kindling/train.h"
#include "support/golden.h"
#include "support/unit.h"

typedef kdl_optimizer *make_optimizer(kdl_iterator params);
typedef kdl_lr_scheduler *make_schedule(kdl_optimizer *optimizer);

#define OPTIMIZER(name, ...)                                                                       \
    static kdl_optimizer *name(kdl_iterator params)                                                \
    {                                                                                              \
        return kdl_optim_##name(params, 0.05, __VA_ARGS__);                                        \
    }
OPTIMIZER(sgd, .momentum = 0.9, .nesterov = true, .weight_decay = 0.1)
OPTIMIZER(adam, .amsgrad = true, .weight_decay = 0.1)
OPTIMIZER(adamw, .beta1 = 0.5, .beta2 = 0.9)
OPTIMIZER(rmsprop, .centered = true, .momentum = 0.5)
OPTIMIZER(adagrad, .lr_decay = 0.1, .initial_accumulator_value = 0.5)
OPTIMIZER(adadelta, .rho = 0.5, .maximize = true)
OPTIMIZER(adamax, .eps = 1e-3)
OPTIMIZER(nadam, .momentum_decay = 0.1)
OPTIMIZER(radam, .beta2 = 0.5, .decoupled_weight_decay = true, .weight_decay = 0.1)
OPTIMIZER(rprop, .eta_minus = 0.3, .eta_plus = 1.5)
OPTIMIZER(asgd, .lambd = 0.1, .t0 = 2)
OPTIMIZER(adafactor, .d = 2, .weight_decay = 0.1)

#define SCHEDULE(name, ...)                                                                        \
    static kdl_lr_scheduler *name(kdl_optimizer *optimizer)                                        \
    {                                                                                              \
        return kdl_lr_##name(optimizer, __VA_ARGS__);                                              \
    }
SCHEDULE(step, 3, .gamma = 0.7)
SCHEDULE(multi_step, KDL_MILESTONES(2, 2, 5), .gamma = 0.1)
SCHEDULE(constant, .total_iters = 3)
SCHEDULE(linear, .total_iters = 7)
SCHEDULE(exponential, 0.9, .last_epoch = -1)
SCHEDULE(polynomial, .total_iters = 9, .power = 1.7)
SCHEDULE(cosine_annealing, 5, .eta_min = 0.01)
SCHEDULE(cosine_annealing_warm_restarts, 3, .t_mult = 2)
SCHEDULE(cyclic, 0.1, 0.7, .step_size_up = 4, .mode = "exp_range", .gamma = 0.9)
SCHEDULE(one_cycle, 0.9, .total_steps = 12, .three_phase = true)

#define NAMED(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct {
    const char *name;
    make_optimizer *make;
} optimizers[] = {
    NAMED(sgd),    NAMED(adam),  NAMED(adamw), NAMED(rmsprop), NAMED(adagrad), NAMED(adadelta),
    NAMED(adamax), NAMED(nadam), NAMED(radam), NAMED(rprop),   NAMED(asgd),    NAMED(adafactor),
};
static const struct {
    const char *name;
    make_schedule *make;
} schedules[] = {
    NAMED(step),
    NAMED(multi_step),
    NAMED(constant),
    NAMED(linear),
    NAMED(exponential),
    NAMED(polynomial),
    NAMED(cosine_annealing),
    NAMED(cyclic),
    NAMED(one_cycle),
    NAMED(cosine_annealing_warm_restarts),
};
enum {
    OPTIMIZERS = sizeof optimizers / sizeof *optimizers,
    SCHEDULES = sizeof schedules / sizeof *schedules,
    STEPS = 6,
    ELEMENTS = 6,
    EPOCHS = 10
};

/* Compares with the numbers of a line. */
static void check_numbers(const double *values, int count, const char *text, double limit)
{
    char *end;
    for (int i = 0; i < count; i++, text = end) {
        double expected = strtod(text, &end);
        assert_true(end != text);
        assert_true(fabs(values[i] - expected) <= limit * fabs(expected));
    }
}

static kdl_module *new_net(kdl_context *ctx)
{
    kdl_module *net = kdl_nn_linear(ctx, 3, 2, .bias = false, .dtype = KDL_F64);
    double *weight = kdl_tensor_data(kdl_parameter(net, "weight"));
    for (int i = 0; i < ELEMENTS; i++)
        weight[i] = 1 + i / 2.0;
    return net;
}

static void check_optimizer(kdl_context *ctx, make_optimizer *make, const char *numbers)
{
    kdl_module *net = new_net(ctx);
    kdl_tensor *weight = kdl_parameter(net, "weight");
    kdl_optimizer *optimizer = make(kdl_named_parameters(net));
    for (int step_index = 0; step_index < STEPS; step_index++) {
        double grad[ELEMENTS];
        for (int i = 0; i < ELEMENTS; i++)
            grad[i] = ((7 * i + 3 * step_index) % 5 - 1.5) / 4;
        kdl_tensor_set_grad(weight, kdl_tensor_from_data(ctx, KDL_F64, KDL_SHAPE(2, 3), grad));
        kdl_optimizer_step(optimizer);
    }
    check_numbers(kdl_tensor_data(weight), ELEMENTS, numbers, 1e-12);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

static void check_schedule(kdl_context *ctx, make_schedule *make, const char *numbers)
{
    kdl_module *net = new_net(ctx);
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 0.3, .momentum = 0.5);
    kdl_lr_scheduler *schedule = make(optimizer);
    double rates[EPOCHS];
    for (int i = 0; i < EPOCHS; i++) {
        rates[i] = kdl_optimizer_lr(optimizer, 0);
        kdl_lr_scheduler_step(schedule);
    }
    check_numbers(rates, EPOCHS, numbers, 1e-15); /* cos and pow are the C library's */
    kdl_lr_scheduler_release(schedule);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

static void test_golden(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_int_equal(kdl_train_enable(ctx), KDL_OK);
    FILE *file = golden_open("optim.txt");
    char line[1024], kind[8], name[64];
    int checked = 0, begin;
    while (golden_line(file, line, sizeof line)) {
        assert_int_equal(sscanf(line, "%7s %63s %n", kind, name, &begin), 2);
        for (int i = 0; strcmp(kind, "step") == 0 && i < OPTIMIZERS; i++)
            if (strcmp(optimizers[i].name, name) == 0 && ++checked)
                check_optimizer(ctx, optimizers[i].make, line + begin);
        for (int i = 0; strcmp(kind, "lr") == 0 && i < SCHEDULES; i++)
            if (strcmp(schedules[i].name, name) == 0 && ++checked)
                check_schedule(ctx, schedules[i].make, line + begin);
    }
    fclose(file);
    assert_int_equal(checked, OPTIMIZERS + SCHEDULES);
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
