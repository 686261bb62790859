/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers by themselves: that they descend, their errors, their memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/tensors.h"

typedef kdl_optimizer *make(kdl_iterator params);

#define MAKE(name, ...)                                                                            \
    static kdl_optimizer *make_##name(kdl_iterator params)                                         \
    {                                                                                              \
        return kdl_optim_##name(params, __VA_ARGS__);                                              \
    }
MAKE(sgd, 0.1, .momentum = 0.5, .nesterov = true)
MAKE(adam, 0.05, .amsgrad = true)
MAKE(adamw, 0.05)
MAKE(rmsprop, 0.05, .centered = true, .momentum = 0.1)
MAKE(adagrad, 0.3)
MAKE(adadelta, 1, .eps = 1e-2)
MAKE(adamax, 0.05)
MAKE(nadam, 0.05)
MAKE(radam, 0.1)
MAKE(rprop, 0.01)
MAKE(asgd, 0.1, .t0 = 5)
MAKE(adafactor, 0.1)
MAKE(muon, 0.05)

static make *const optimizers[] = {
    make_sgd,   make_adam,  make_adamw, make_rmsprop, make_adagrad,   make_adadelta, make_adamax,
    make_nadam, make_radam, make_rprop, make_asgd,    make_adafactor, make_muon,
};
enum { OPTIMIZERS = sizeof optimizers / sizeof *optimizers };

/* One step towards zero of all that a Linear(3, 2) computes; gives the loss. */
static double train_step(kdl_optimizer *optimizer, kdl_module *net, kdl_tensor *input)
{
    kdl_optimizer_zero_grad(optimizer);
    kdl_tensor *output = kdl_forward(net, input), *square = kdl_square(output);
    kdl_tensor *loss = kdl_mean(square);
    double value = loss ? kdl_tensor_item(loss) : 0;
    kdl_backward(loss);
    kdl_clip_grad_norm_(kdl_named_parameters(net), 10);
    kdl_optimizer_step(optimizer);
    kdl_tensor_release(loss);
    kdl_tensor_release(square);
    kdl_tensor_release(output);
    return value;
}

static void test_descends(void **state)
{
    kdl_context *ctx = *state;
    for (int i = 0; i < OPTIMIZERS; i++) {
        kdl_manual_seed(ctx, 1);
        kdl_module *net = kdl_nn_linear(ctx, 3, 2, .bias = false);
        kdl_tensor *input = kdl_randn(ctx, KDL_SHAPE(8, 3));
        kdl_optimizer *optimizer = optimizers[i](kdl_named_parameters(net));
        double first = train_step(optimizer, net, input), last = first;
        for (int step = 0; step < 60; step++)
            last = train_step(optimizer, net, input);
        assert_true(last < first / 2);
        kdl_optimizer_release(optimizer);
        kdl_tensor_release(input);
        kdl_module_release(net);
    }
}

/* A step by hand: what each does first to a parameter of 1 whose gradient is 2. */
static void test_first_step(void **state)
{
    static const double expected[OPTIMIZERS] = {
        1 - 0.1 * (2 + 0.5 * 2),     /* SGD, nesterov */
        1 - 0.05,                    /* Adam: the gradient's sign */
        1 - 1e-2 * 0.05 - 0.05,      /* AdamW */
        1 - 0.05 * 2 / 0.198997487,  /* RMSprop: sqrt(0.01 * 4 - 0.02^2) */
        1 - 0.3,                     /* Adagrad */
        1 - 0.31234752,              /* Adadelta: sqrt(0.01 / (0.1 * 4 + 0.01)) * 2 */
        1 - 0.05,                    /* Adamax */
        1 - 0.05 * 0.98076183,       /* NAdam: see below */
        1 - 0.1 * 2,                 /* RAdam: not rectified yet */
        1 - 0.01,                    /* Rprop */
        1 - 1e-4 * 0.1 - 0.1 * 2,    /* ASGD */
        1 - 0.1,                     /* Adafactor: the update's mean square is 1 */
        1 - 0.1 * 0.05 - 0.05 * 0.7, /* Muon: five iterations from 1, in bf16 */
    };
    kdl_context *ctx = *state;
    for (int i = 0; i < OPTIMIZERS; i++) {
        kdl_module *net = kdl_nn_linear(ctx, 1, 1, .bias = false);
        kdl_tensor *weight = kdl_parameter(net, "weight");
        kdl_init_ones_(weight);
        kdl_tensor_set_grad(weight, kdl_full(ctx, KDL_SHAPE(1, 1), 2));
        kdl_optimizer *optimizer = optimizers[i](kdl_named_parameters(net));
        kdl_optimizer_step(optimizer);
        if (i ==
            7) { /* mu = 0.45, both averages' corrections: 0.55 / 0.55 + 0.1 mu' / (1 - mu mu') */
            double mu = 0.9 * (1 - 0.5 * 0.99983671), next = 0.9 * (1 - 0.5 * 0.99967346);
            double change = (1 - mu) / (1 - mu) + 0.1 * next / (1 - mu * next);
            assert_float_equal(kdl_tensor_item(weight), 1 - 0.05 * change, 1e-6);
        } else {
            double limit = optimizers[i] == make_muon ? 1e-3 : 1e-6;
            assert_float_equal(kdl_tensor_item(weight), expected[i], limit);
        }
        kdl_optimizer_release(optimizer);
        kdl_module_release(net);
    }
}

/* What three steps make of a matrix whose sizes no vector divides, with this instruction set. */
static void step_with(make *make_optimizer, const char *cpu, float values[33 * 31])
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_set_cpu(ctx, cpu);
    kdl_manual_seed(ctx, 3);
    kdl_module *net = kdl_nn_linear(ctx, 33, 31, .bias = false);
    kdl_optimizer *optimizer = make_optimizer(kdl_named_parameters(net));
    for (int i = 0; i < 3; i++) {
        kdl_tensor_set_grad(kdl_parameter(net, "weight"), kdl_randn(ctx, KDL_SHAPE(31, 33)));
        kdl_optimizer_step(optimizer);
    }
    memcpy(values, kdl_tensor_data(kdl_parameter(net, "weight")), 33 * 31 * sizeof *values);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
    kdl_context_release(ctx);
}

static void test_instruction_sets(void **state)
{
    (void)state;
    float expected[33 * 31], values[33 * 31];
    for (int i = 0; i < OPTIMIZERS; i++) {
        step_with(optimizers[i], kdl_cpu_at(0), expected);
        for (int k = 1; kdl_cpu_at(k); k++) {
            step_with(optimizers[i], kdl_cpu_at(k), values);
            assert_memory_equal(values, expected, sizeof expected);
        }
    }
}

static void test_groups(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *first = kdl_nn_linear(ctx, 2, 2), *second = kdl_nn_linear(ctx, 2, 2);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(first), 0.5, .eps = 1e-3);
    assert_int_equal(kdl_optimizer_add_param_group(optimizer, kdl_named_parameters(second), NULL),
                     KDL_OK);
    assert_int_equal(kdl_optimizer_group_count(optimizer), 2);
    assert_float_equal(kdl_optimizer_lr(optimizer, 1), 0.5, 0); /* as the constructor was told */
    kdl_optimizer_set_lr(optimizer, 1, 0.25);
    assert_float_equal(kdl_optimizer_lr(optimizer, 0), 0.5, 0);
    assert_float_equal(kdl_optimizer_lr(optimizer, 1), 0.25, 0);
    kdl_optimizer_lr(optimizer, 2);
    assert_error(ctx, KDL_ERROR_INDEX, "there is no parameter group 2");
    kdl_optimizer_add_param_group(optimizer, kdl_named_parameters(second), NULL);
    assert_error(ctx, KDL_ERROR_VALUE, "some parameters appear in more than one parameter group");
    assert_int_equal(kdl_optimizer_group_count(optimizer), 2);
    kdl_optimizer_release(optimizer);
    kdl_module_release(second);
    kdl_module_release(first);
}

/* As in PyTorch only the first group must have parameters. */
static void test_empty_group(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1, .bias = false), *empty = kdl_nn_relu(ctx);
    kdl_module *other = kdl_nn_linear(ctx, 2, 1);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(net), 0.5);
    assert_int_equal(kdl_optimizer_add_param_group(optimizer, kdl_named_parameters(empty), NULL),
                     KDL_OK);
    kdl_optimizer_add_param_group(optimizer, kdl_named_parameters(other), NULL);
    assert_int_equal(kdl_optimizer_group_count(optimizer), 3);
    for (kdl_iterator it = kdl_named_parameters(other); kdl_next(&it);)
        kdl_tensor_set_grad(it.tensor, kdl_ones(ctx, kdl_tensor_shape(it.tensor)));
    kdl_optimizer_step(optimizer);
    kdl_optimizer_set_lr(optimizer, 1, 0.25);
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    char *groups = kdl_optimizer_param_groups(optimizer);
    assert_non_null(strstr(groups, "\"params\": [0]}, {"));
    assert_non_null(strstr(groups, "\"params\": []}, {"));
    assert_non_null(strstr(groups, "\"params\": [1, 2]}]"));
    kdl_optimizer_set_lr(optimizer, 1, 0);
    assert_int_equal(kdl_optimizer_load_state_dict(optimizer, dict, groups), KDL_OK);
    assert_float_equal(kdl_optimizer_lr(optimizer, 1), 0.25, 0);
    assert_int_equal(kdl_optimizer_step(optimizer), KDL_OK);
    kdl_free(ctx, groups);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(other);
    kdl_module_release(empty);
    kdl_module_release(net);
}

/* A parameter that an iteration gives by two names is taken once, with PyTorch's warning. */
static void test_duplicates(void **state)
{
    kdl_context *ctx = *state;
    char warning[MAX_WARNING] = "";
    kdl_set_warning_callback(ctx, keep_warning, warning);
    kdl_module *net = kdl_nn_linear(ctx, 2, 2, .bias = false);
    kdl_register_parameter(net, "tied", kdl_tensor_retain(kdl_parameter(net, "weight")));
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 1);
    assert_string_equal(warning, "");
    kdl_optimizer_release(optimizer);
    optimizer = kdl_optim_sgd(kdl_named_parameters(net, .remove_duplicate = false), 1);
    assert_string_equal(
        warning, "optimizer contains a parameter group with duplicate parameters; in future, this "
                 "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                 "information");
    kdl_init_ones_(kdl_parameter(net, "weight"));
    kdl_tensor_set_grad(kdl_parameter(net, "weight"), kdl_ones(ctx, KDL_SHAPE(2, 2)));
    kdl_optimizer_step(optimizer);
    assert_float_equal(kdl_tensor_get(kdl_parameter(net, "weight"), (int64_t[]){ 1, 1 }), 0, 0);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 2), *empty = kdl_nn_relu(ctx);
    assert_null(kdl_optim_sgd(kdl_named_parameters(empty), 0.1));
    assert_error(ctx, KDL_ERROR_VALUE, "optimizer got an empty parameter list");
    assert_null(kdl_optim_nadam(kdl_named_parameters(net), -1));
    assert_error(ctx, KDL_ERROR_VALUE, "Invalid learning rate: -1.0");
    assert_null(kdl_optim_radam(kdl_named_parameters(net), 1, .beta2 = 1));
    assert_error(ctx, KDL_ERROR_VALUE, "Invalid beta parameter at index 1: 1.0");
    assert_null(kdl_optim_rprop(kdl_named_parameters(net), 1, .eta_plus = 1));
    assert_error(ctx, KDL_ERROR_VALUE, "Invalid eta values: 0.5, 1.0");
    kdl_module *biased = kdl_nn_linear(ctx, 2, 3);
    assert_null(kdl_optim_muon(kdl_named_parameters(biased), 1));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Muon only supports 2D parameters whereas we found a parameter with size: "
                 "torch.Size([3])");
    kdl_module_release(biased);
    kdl_asgd_options wrong = KDL_ASGD_DEFAULTS;
    wrong.nbytes = 3;
    assert_null(kdl_optim_asgd_with(kdl_named_parameters(net), &wrong));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_TYPE);
    kdl_error_clear(ctx);
    kdl_module_to(net, KDL_BF16);
    assert_null(kdl_optim_adagrad(kdl_named_parameters(net), 1));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_NOT_IMPLEMENTED);
    kdl_error_clear(ctx);
    assert_int_equal(kdl_optimizer_step(NULL), KDL_ERROR_VALUE);
    kdl_module_release(empty);
    kdl_module_release(net);
}

/* Parameters that are converted between steps leave the optimiser's state in the other dtype. */
static void test_converted(void **state)
{
    kdl_context *ctx = *state;
    for (int i = 0; i < OPTIMIZERS; i++) {
        kdl_module *net = kdl_nn_linear(ctx, 3, 2, .bias = false);
        kdl_tensor *weight = kdl_parameter(net, "weight");
        kdl_optimizer *optimizer = optimizers[i](kdl_named_parameters(net));
        kdl_tensor_set_grad(weight, kdl_ones(ctx, KDL_SHAPE(2, 3)));
        kdl_optimizer_step(optimizer);
        kdl_module_to(net, KDL_F64);
        kdl_init_ones_(weight);
        kdl_optimizer_step(optimizer);
        assert_error(
            ctx, KDL_ERROR_RUNTIME,
            "a parameter is torch.float64 now, but its optimizer's state is torch.float32: "
            "make the optimizer after converting");
        assert_float_equal(kdl_tensor_get(weight, (int64_t[]){ 0, 0 }), 1, 0);
        kdl_module_to(net, KDL_BF16);
        kdl_optimizer_step(optimizer);
        assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                     "parameters of bfloat16 are not optimised: keep them in f32");
        kdl_module_to(net, KDL_F32);
        assert_int_equal(kdl_optimizer_step(optimizer), KDL_OK);
        kdl_optimizer_release(optimizer);
        kdl_module_release(net);
    }
}

/* A module whose weight is that tensor, which is consumed. */
static kdl_module *module_of(kdl_tensor *weight)
{
    kdl_module *module = kdl_module_new(kdl_tensor_context(weight), KDL_CLASS_MODULE);
    kdl_register_parameter(module, "weight", kdl_parameter_new(weight));
    return module;
}

/* The same steps where a parameter's elements do not lie side by side. */
static void test_strided(void **state)
{
    kdl_context *ctx = *state;
    for (int i = 0; i < OPTIMIZERS; i++) {
        kdl_tensor *values = kdl_randn(ctx, KDL_SHAPE(5, 3)), *turned = kdl_t(values);
        kdl_module *strided = module_of(kdl_t(values)), *plain = module_of(kdl_contiguous(turned));
        kdl_tensor *weights[] = { kdl_parameter(strided, "weight"),
                                  kdl_parameter(plain, "weight") };
        kdl_optimizer *first = optimizers[i](kdl_named_parameters(strided));
        kdl_optimizer *second = optimizers[i](kdl_named_parameters(plain));
        assert_false(kdl_tensor_is_contiguous(weights[0]));
        for (int step = 0; step < 3; step++) {
            kdl_tensor *grad = kdl_randn(ctx, KDL_SHAPE(3, 5));
            kdl_tensor_set_grad(weights[0], kdl_tensor_retain(grad));
            kdl_tensor_set_grad(weights[1], grad);
            kdl_optimizer_step(first);
            kdl_optimizer_step(second);
        }
        for (int64_t k = 0; k < 15; k++) {
            const int64_t at[] = { k / 5, k % 5 };
            assert_float_equal(kdl_tensor_get(weights[0], at), kdl_tensor_get(weights[1], at),
                               1e-6);
        }
        kdl_optimizer_release(second);
        kdl_optimizer_release(first);
        kdl_module_release(plain);
        kdl_module_release(strided);
        release_all(turned, values);
    }
}

static void test_expanded(void **state)
{
    static const char refusal[] =
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory location. Please clone() the tensor before performing the operation.";
    kdl_context *ctx = *state;
    for (int i = 0; i < OPTIMIZERS; i++) {
        kdl_tensor *row = kdl_ones(ctx, KDL_SHAPE(1, 3));
        kdl_module *module = module_of(kdl_expand(row, KDL_SHAPE(4, 3)));
        kdl_tensor_set_grad(kdl_parameter(module, "weight"), kdl_ones(ctx, KDL_SHAPE(4, 3)));
        kdl_optimizer *optimizer = optimizers[i](kdl_named_parameters(module));
        kdl_optimizer_step(optimizer);
        assert_error(ctx, KDL_ERROR_RUNTIME, refusal);
        assert_float_equal(kdl_tensor_get(row, (int64_t[]){ 0, 0 }), 1, 0);
        kdl_optimizer_release(optimizer);
        kdl_module_release(module);
        kdl_tensor_release(row);
    }
    kdl_tensor *one = kdl_ones(ctx, KDL_SHAPE(1, 1));
    kdl_module *module = module_of(kdl_ones(ctx, KDL_SHAPE(4, 3)));
    kdl_tensor_set_grad(kdl_parameter(module, "weight"), kdl_expand(one, KDL_SHAPE(4, 3)));
    kdl_clip_grad_value_(kdl_named_parameters(module), 0.5);
    assert_error(ctx, KDL_ERROR_RUNTIME, refusal);
    kdl_module_release(module);
    kdl_tensor_release(one);
}

static void test_clip(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1, .bias = false);
    kdl_tensor *weight = kdl_parameter(net, "weight");
    assert_float_equal(kdl_clip_grad_norm_(kdl_named_parameters(net), 1), 0, 0); /* no gradient */
    kdl_tensor_set_grad(weight, kdl_full(ctx, KDL_SHAPE(1, 2), 3));
    uint32_t version = kdl_tensor_version(kdl_tensor_grad(weight));
    assert_float_equal(kdl_clip_grad_norm_(kdl_named_parameters(net), 3, .norm_type = 1), 6, 0);
    assert_float_equal(kdl_tensor_get(kdl_tensor_grad(weight), (int64_t[]){ 0, 1 }), 1.5, 1e-6);
    kdl_clip_grad_value_(kdl_named_parameters(net), 0.5);
    assert_float_equal(kdl_tensor_get(kdl_tensor_grad(weight), (int64_t[]){ 0, 1 }), 0.5, 0);
    assert_int_equal(kdl_tensor_version(kdl_tensor_grad(weight)), version + 2);
    assert_float_equal(kdl_clip_grad_norm_(kdl_named_parameters(NULL), 1), 0, 0);
    kdl_module_release(net);
}

static kdl_status train(kdl_context *ctx, void *optimizer_make)
{
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_linear(ctx, 3, 2, .bias = false);
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(2, 3));
    kdl_optimizer *optimizer = net ? (*(make **)optimizer_make)(kdl_named_parameters(net)) : NULL;
    for (int i = 0; i < 2 && !kdl_error_status(ctx); i++)
        train_step(optimizer, net, input);
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(input);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    for (int i = 0; i < OPTIMIZERS; i++)
        check_allocation_failures(train, (void *)&optimizers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_descends),   TRAINING_TEST(test_first_step),
        TRAINING_TEST(test_clip),       TRAINING_TEST(test_strided),
        TRAINING_TEST(test_expanded),   cmocka_unit_test(test_instruction_sets),
        TRAINING_TEST(test_groups),     TRAINING_TEST(test_empty_group),
        TRAINING_TEST(test_duplicates), TRAINING_TEST(test_errors),
        TRAINING_TEST(test_converted),  cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
