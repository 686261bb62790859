/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers' states: their names and text, through a file, wrong ones, memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* Sets every gradient to `value` and steps. */
static void step(kdl_module *net, kdl_optimizer *optimizer, double value)
{
    for (kdl_iterator it = kdl_named_parameters(net); kdl_next(&it);)
        kdl_tensor_set_grad(
            it.tensor, kdl_full(kdl_tensor_context(it.tensor), kdl_tensor_shape(it.tensor), value));
    kdl_optimizer_step(optimizer);
}

static void test_text(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1);
    kdl_optimizer *optimizer = kdl_optim_nadam(kdl_named_parameters(net), 0.5, .beta1 = 0.25);
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    assert_int_equal(kdl_state_dict_count(dict), 0); /* before the first step */
    kdl_state_dict_release(dict);
    step(net, optimizer, 1);
    dict = kdl_optimizer_state_dict(optimizer);
    char *keys = kdl_state_dict_keys_to_string(dict);
    assert_string_equal(
        keys, "odict_keys(['state.0.step', 'state.0.mu_product', 'state.0.exp_avg', "
              "'state.0.exp_avg_sq', 'state.1.step', 'state.1.mu_product', 'state.1.exp_avg', "
              "'state.1.exp_avg_sq'])");
    kdl_free(ctx, keys);
    assert_float_equal(kdl_tensor_item(kdl_state_dict_get(dict, "state.1.step")), 1, 0);
    kdl_state_dict_release(dict);
    kdl_lr_scheduler *schedule = kdl_lr_exponential(optimizer, 0.5);
    char *groups = kdl_optimizer_param_groups(optimizer);
    assert_string_equal(
        groups,
        "[{\"lr\": 0.5, \"eps\": 1e-08, \"betas\": [0.25, 0.999], \"weight_decay\": 0.0, "
        "\"momentum_decay\": 0.004, \"decoupled_weight_decay\": false, \"maximize\": false, "
        "\"foreach\": null, \"capturable\": false, \"differentiable\": false, "
        "\"initial_lr\": 0.5, \"params\": [0, 1]}]");
    kdl_free(ctx, groups);
    kdl_lr_scheduler_release(schedule);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

static void test_file(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1), *copy;
    kdl_optimizer *first = kdl_optim_adamw(kdl_named_parameters(net), 0.1, .amsgrad = true);
    for (int i = 0; i < 3; i++)
        step(net, first, i);
    remove("optimizer.safetensors");
    assert_int_equal(kdl_optimizer_save(first, "optimizer.safetensors"), KDL_OK);
    copy = kdl_module_deep_copy(net);
    kdl_optimizer *second = kdl_optim_adamw(kdl_named_parameters(copy), 1);
    assert_int_equal(kdl_optimizer_load(second, "optimizer.safetensors"), KDL_OK);
    assert_float_equal(kdl_optimizer_lr(second, 0), 0.1, 0);
    step(net, first, 7);
    step(copy, second, 7);
    assert_memory_equal(kdl_tensor_data(kdl_parameter(net, "weight")),
                        kdl_tensor_data(kdl_parameter(copy, "weight")), 8);
    assert_int_equal(kdl_save(net, "module.safetensors", .force = true), KDL_OK);
    kdl_optimizer_load(second, "module.safetensors");
    assert_error(ctx, KDL_ERROR_FORMAT,
                 "module.safetensors holds no optimizer: its metadata lacks "
                 "\"kindling.param_groups\"");
    kdl_optimizer_release(second);
    kdl_optimizer_release(first);
    kdl_module_release(copy);
    kdl_module_release(net);
}

static void test_wrong(void **state)
{
    static const struct {
        const char *groups;
        kdl_status status;
        const char *message;
    } cases[] = {
        { "[", KDL_ERROR_FORMAT, NULL },
        { "{}", KDL_ERROR_TYPE, "param_groups must be a list" },
        { "[]", KDL_ERROR_VALUE, "loaded state dict has a different number of parameter groups" },
        { "[{\"params\": [0]}]", KDL_ERROR_VALUE,
          "loaded state dict contains a parameter group that doesn't match the size of "
          "optimizer's group" },
        { "[{\"params\": [0, 1]}]", KDL_ERROR_KEY, "'lr'" },
        { "[{\"lr\": true, \"params\": [0, 1]}]", KDL_ERROR_TYPE,
          "param_groups: \"lr\" must be a number" },
        { "[{\"lr\": 1, \"momentum\": 0, \"weight_decay\": 0, \"dampening\": 0, \"nesterov\": 1, "
          "\"params\": [0, 1]}]",
          KDL_ERROR_TYPE, "param_groups: \"nesterov\" must be true or false" },
        { "[{\"lr\": 1, \"momentum\": 0, \"weight_decay\": 0, \"dampening\": 0, "
          "\"params\": [0, \"1\"]}]",
          KDL_ERROR_TYPE, "param_groups: \"params\" must be a list of integers" },
    };
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1);
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 0.5);
    kdl_state_dict *dict = kdl_state_dict_new(ctx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kdl_optimizer_load_state_dict(optimizer, dict, cases[i].groups);
        if (cases[i].message)
            assert_string_equal(kdl_error_message(ctx), cases[i].message);
        assert_int_equal(kdl_error_status(ctx), cases[i].status);
        kdl_error_clear(ctx);
    }
    static const char *const names[] = { "state.0.step", "state.2.momentum_buffer", "state.0",
                                         "state.-1.momentum_buffer", "weight" };
    static const char fine[] = "[{\"lr\": Infinity, \"momentum\": 0, \"weight_decay\": 0, "
                               "\"dampening\": 0, \"params\": [0, 1]}]";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        kdl_state_dict_set(dict, names[i], kdl_zeros(ctx, KDL_SHAPE(1, 2)));
        assert_int_equal(kdl_optimizer_load_state_dict(optimizer, dict, fine), KDL_ERROR_VALUE);
        kdl_error_clear(ctx);
        kdl_state_dict_remove(dict, names[i]);
    }
    assert_float_equal(kdl_optimizer_lr(optimizer, 0), 0.5, 0); /* nothing of it was kept */
    assert_int_equal(kdl_optimizer_load_state_dict(optimizer, dict, fine), KDL_OK);
    assert_true(kdl_optimizer_lr(optimizer, 0) > 1e300);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

/* A text of any characters is a string in JSON. */
static void test_quotes(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1);
    kdl_optimizer *optimizer =
        kdl_optim_lbfgs(kdl_named_parameters(net), 1, .line_search_fn = "\"\\\n");
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    char *groups = kdl_optimizer_param_groups(optimizer);
    assert_non_null(strstr(groups, "\"line_search_fn\": \"\\\"\\\\\\n\","));
    assert_int_equal(kdl_optimizer_load_state_dict(optimizer, dict, groups), KDL_OK);
    kdl_free(ctx, groups);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

/* Parameters that await their shapes have no state yet, and can be given none. */
static void test_uninitialized(void **state)
{
    static const char refusal[] =
        "Attempted to use an uninitialized parameter. This error happens when you are using a lazy "
        "module: call kdl_initialize_parameters() on it first";
    kdl_context *ctx = *state;
    kdl_module *lazy = kdl_nn_lazy_linear(ctx, 1, .bias = false);
    assert_null(kdl_optim_adagrad(kdl_named_parameters(lazy), 0.5)); /* makes its state at once */
    assert_error(ctx, KDL_ERROR_VALUE, refusal);
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(lazy), 0.5, .momentum = 0.5);
    kdl_state_dict *dict = kdl_state_dict_new(ctx);
    char *groups = kdl_optimizer_param_groups(optimizer);
    kdl_state_dict_set(dict, "state.0.momentum_buffer", kdl_zeros(ctx, KDL_SHAPE(0)));
    kdl_optimizer_load_state_dict(optimizer, dict, groups);
    assert_error(ctx, KDL_ERROR_VALUE, refusal);
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(2, 3));
    kdl_tensor_release(kdl_forward(lazy, input));
    step(lazy, optimizer, 1);
    kdl_state_dict_release(dict);
    dict = kdl_optimizer_state_dict(optimizer);
    assert_int_equal(kdl_tensor_numel(kdl_state_dict_get(dict, "state.0.momentum_buffer")), 3);
    assert_int_equal(kdl_optimizer_load_state_dict(optimizer, dict, groups), KDL_OK);
    kdl_tensor_release(input);
    kdl_free(ctx, groups);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(lazy);
}

/* A file that ends early is refused wherever it ends, and changes nothing. */
static void test_truncated(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(net), 0.5);
    step(net, optimizer, 1);
    assert_int_equal(kdl_optimizer_save(optimizer, "whole.safetensors", .force = true), KDL_OK);
    char bytes[4096];
    FILE *file = fopen("whole.safetensors", "rb");
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(count > 500 && count < sizeof bytes);
    kdl_optimizer_set_lr(optimizer, 0, 0.25);
    for (size_t n = 0; n < count; n += CASE_STEP(31)) {
        file = fopen("truncated.safetensors", "wb");
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        fclose(file);
        assert_int_equal(kdl_optimizer_load(optimizer, "truncated.safetensors"), KDL_ERROR_FORMAT);
        kdl_error_clear(ctx);
    }
    assert_float_equal(kdl_optimizer_lr(optimizer, 0), 0.25, 0);
    assert_int_equal(kdl_optimizer_load(optimizer, "whole.safetensors"), KDL_OK);
    assert_float_equal(kdl_optimizer_lr(optimizer, 0), 0.5, 0);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
}

static kdl_status exchange(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module *net = kdl_nn_linear(ctx, 2, 1);
    kdl_optimizer *optimizer = net ? kdl_optim_adam(kdl_named_parameters(net), 0.1) : NULL;
    if (optimizer)
        step(net, optimizer, 1);
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    char *groups = kdl_optimizer_param_groups(optimizer);
    kdl_optimizer_load_state_dict(optimizer, dict, groups);
    kdl_optimizer_save(optimizer, "failing.safetensors", .force = true);
    kdl_free(ctx, groups);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(exchange, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_text),
        TRAINING_TEST(test_file),
        TRAINING_TEST(test_wrong),
        TRAINING_TEST(test_quotes),
        TRAINING_TEST(test_uninitialized),
        TRAINING_TEST(test_truncated),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
