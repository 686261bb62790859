/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward hooks, training and evaluation, attributes, gradients' places: 27 behaviours that
 * PyTorch's test_module_hooks.py and test_nn.py cover, each a comment [n] below.
 */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/tensors.h"

/* ---- forward hooks ----------------------------------------------------------------------- */

static char seen[256];

static void note(const char *what)
{
    strcat(strcat(seen, what), " ");
}

/* forward(x) = 2 x */
static kdl_tensor *twice(kdl_module *module, kdl_tensor *input)
{
    (void)module;
    note("forward");
    kdl_tensor *output = kdl_clone(input);
    kdl_mul_(output, 2);
    return output;
}

static const kdl_module_class twice_class = { .name = "Twice", .forward = twice };

/* What Twice gives for a tensor of one 3. */
static double run(kdl_module *module)
{
    kdl_context *ctx = kdl_module_context(module);
    kdl_tensor *input = kdl_full(ctx, KDL_SHAPE(1), 3), *output = kdl_forward(module, input);
    double value = output ? kdl_tensor_item(output) : -1;
    assert_float_equal(kdl_tensor_item(input), kdl_error_status(ctx) ? 0 : 3, 0);
    kdl_tensor_release(input);
    kdl_tensor_release(output);
    return value;
}

static kdl_tensor *note_input(kdl_module *module, kdl_tensor *input, void *user_data)
{
    assert_true(kdl_module_is(module, &twice_class));
    assert_float_equal(kdl_tensor_item(input), 3, 0);
    note(user_data);
    return NULL;
}

static kdl_tensor *add_one_before(kdl_module *module, kdl_tensor *input, void *user_data)
{
    (void)module, (void)user_data;
    kdl_tensor *other = kdl_clone(input);
    kdl_add_(other, 1);
    return other;
}

static kdl_tensor *note_output(kdl_module *module, kdl_tensor *input, kdl_tensor *output,
                               void *user_data)
{
    (void)module, (void)input, (void)output;
    note(user_data);
    return NULL;
}

static kdl_tensor *add_input(kdl_module *module, kdl_tensor *input, kdl_tensor *output,
                             void *user_data)
{
    (void)module, (void)user_data;
    kdl_tensor *sum = kdl_clone(output);
    kdl_add_tensor_(sum, input);
    return sum;
}

static kdl_hook to_remove;

static kdl_tensor *remove_itself(kdl_module *module, kdl_tensor *input, kdl_tensor *output,
                                 void *user_data)
{
    note_output(module, input, output, user_data);
    kdl_hook_remove(to_remove);
    return NULL;
}

static kdl_tensor *fail_before(kdl_module *module, kdl_tensor *input, void *user_data)
{
    (void)input, (void)user_data;
    kdl_set_num_threads(kdl_module_context(module), -1); /* any error will do */
    return NULL;
}

static void test_forward_order(void **state)
{
    kdl_module *module = kdl_module_new(*state, &twice_class);
    kdl_register_forward_pre_hook(module, note_input, (char[]){ "pre1" }, false);
    kdl_register_forward_pre_hook(module, note_input, (char[]){ "pre2" }, false);
    kdl_register_forward_pre_hook(module, note_input, (char[]){ "pre0" }, true);
    kdl_hook second = kdl_register_forward_hook(module, note_output, (char[]){ "b" }, false);
    kdl_register_forward_hook(module, note_output, (char[]){ "c" }, false);
    kdl_register_forward_hook(module, note_output, (char[]){ "a" }, true);
    seen[0] = '\0';
    assert_float_equal(run(module), 6, 0); /* [1] hooks that give nothing change nothing */
    assert_string_equal(seen, "pre0 pre1 pre2 forward a b c "); /* [2] order, [3] prepend */
    kdl_hook_remove(second);
    seen[0] = '\0';
    run(module);
    assert_string_equal(seen, "pre0 pre1 pre2 forward a c "); /* [4] one is removed alone */
    kdl_hook_remove(second); /* [5] and a second time without effect */
    kdl_module *copy = kdl_module_deep_copy(module);
    seen[0] = '\0';
    run(copy);
    assert_string_equal(seen, "pre0 pre1 pre2 forward a c "); /* [6] a copy has them too */
    kdl_module_release(copy);
    kdl_module_release(module);
}

static void test_forward_values(void **state)
{
    kdl_module *module = kdl_module_new(*state, &twice_class);
    kdl_hook before = kdl_register_forward_pre_hook(module, add_one_before, NULL, false);
    assert_float_equal(run(module), 8, 0); /* [7] a pre-hook replaces the input */
    kdl_register_forward_pre_hook(module, add_one_before, NULL, false);
    assert_float_equal(run(module), 10, 0); /* [8] the next one gets what it gave */
    kdl_hook_remove(before);
    kdl_register_forward_hook(module, add_input, NULL, false);
    assert_float_equal(run(module), 12, 0); /* [9] a hook replaces the output, [10] seeing the input
                                               that forward saw */
    kdl_register_forward_hook(module, add_input, NULL, false);
    assert_float_equal(run(module), 16, 0); /* [11] and so on */
    kdl_module_release(module);
}

static void test_hooks_that_change_hooks(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = kdl_module_new(ctx, &twice_class);
    to_remove = kdl_register_forward_hook(module, remove_itself, (char[]){ "once" }, false);
    kdl_register_forward_hook(module, note_output, (char[]){ "after" }, false);
    seen[0] = '\0';
    run(module);
    run(module);
    assert_string_equal(seen, "forward once after forward after "); /* [12] removed while called */
    kdl_register_forward_pre_hook(module, fail_before, NULL, false);
    seen[0] = '\0';
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(1));
    assert_null(kdl_forward(module, input)); /* [13] an error ends the call: forward is not run */
    assert_string_equal(seen, "");
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_VALUE);
    kdl_error_clear(ctx);
    kdl_tensor_release(input);
    kdl_module_release(module);
}

/* forward(a, b=None): gives b and a. */
static kdl_status exchange(kdl_module *module, kdl_tensor *const *inputs, int input_count,
                           kdl_tensor **outputs, int output_count)
{
    (void)module;
    for (int i = 0; i < output_count && i < input_count; i++)
        outputs[i] = kdl_tensor_retain(inputs[input_count - 1 - i]);
    return KDL_OK;
}

static const kdl_module_class exchange_class = { .name = "Exchange", .call = exchange };

static void test_calls_of_several(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = kdl_module_new(ctx, &exchange_class);
    kdl_tensor *in[] = { kdl_zeros(ctx, KDL_SHAPE(1)), kdl_ones(ctx, KDL_SHAPE(1)) }, *out[3];
    seen[0] = '\0';
    kdl_register_forward_hook(module, note_output, (char[]){ "hook" }, false);
    assert_int_equal(kdl_call_with(module, in, 2, out, 3), KDL_OK);
    assert_ptr_equal(out[0], in[1]);
    assert_ptr_equal(out[1], in[0]);
    assert_null(out[2]);
    kdl_tensor *last = kdl_call(module, in[0], in[1]), *first = kdl_call(module, last, in[0]);
    assert_ptr_equal(last, in[1]);
    assert_ptr_equal(first, in[0]);
    release_all(out[0], out[1], first, last, in[0], in[1]);
    kdl_module *one = kdl_module_new(ctx, &twice_class);
    in[0] = kdl_ones(ctx, KDL_SHAPE(1));
    assert_null(kdl_call(one, in[0], in[0]));
    assert_error(
        ctx, KDL_ERROR_TYPE,
        "Twice.forward() takes from 1 to 1 tensors and gives up to 1, but 2 were given (or "
        "one of them is NULL) and 1 wanted");
    assert_null(kdl_forward(one, NULL));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_TYPE);
    kdl_error_clear(ctx);
    kdl_tensor_release(in[0]);
    kdl_module_release(one);
    kdl_module_release(module);
}

static void test_no_forward(void **state)
{
    kdl_context *ctx = *state;
    static const kdl_module_class empty = { .name = "Empty" };
    kdl_module *module = kdl_module_new(ctx, &empty);
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(1));
    assert_null(kdl_forward(module, input)); /* [14] */
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "Module [Empty] is missing the required \"forward\" function (those of torch.nn's "
                 "classes are in libkindling_train)");
    kdl_tensor_release(input);
    kdl_module_release(module);
}

/* ---- training, gradients ----------------------------------------------------------------- */

static void test_training(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 2),
                                        kdl_nn_sequential(ctx, kdl_nn_dropout(ctx)));
    kdl_module *inner = kdl_submodule(net, "1.0");
    assert_true(kdl_module_training(net) && kdl_module_training(inner)); /* [15] at first */
    kdl_module_eval(net); /* [16] eval of a tree reaches its leaves */
    assert_false(kdl_module_training(net) || kdl_module_training(inner));
    kdl_module_train(kdl_child(net, 1), true); /* [17] of a part only that part */
    assert_true(!kdl_module_training(net) && kdl_module_training(inner));
    kdl_module *copy = kdl_module_deep_copy(net); /* [18] and copies are as they were */
    assert_true(!kdl_module_training(copy) && kdl_module_training(kdl_submodule(copy, "1.0")));
    kdl_module_release(copy);
    kdl_module_release(net);
}

static void test_gradients(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 3);
    kdl_tensor *weight = kdl_parameter(net, "weight"), *bias = kdl_parameter(net, "bias");
    assert_null(kdl_tensor_grad(weight)); /* [19] None at first */
    kdl_tensor_set_grad(weight, kdl_ones(ctx, KDL_SHAPE(3, 2)));
    kdl_module_zero_grad(net, false); /* [20] zeros, and None stays None */
    assert_float_equal(kdl_tensor_get(kdl_tensor_grad(weight), (int64_t[]){ 0, 0 }), 0, 0);
    assert_null(kdl_tensor_grad(bias));
    kdl_module_zero_grad(net, true); /* [21] or None for all */
    assert_null(kdl_tensor_grad(weight));
    kdl_tensor_set_grad(weight, kdl_ones(ctx, KDL_SHAPE(2, 3))); /* [22] of the right size only */
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "attempting to assign a gradient of size '[2, 3]' to a tensor of size '[3, 2]'. "
                 "Please ensure that the gradient and the tensor are the same size");
    kdl_module_requires_grad_(net, false); /* [23] freezing */
    assert_false(kdl_tensor_requires_grad(weight) || kdl_tensor_requires_grad(bias));
    kdl_module_release(net);
}

/* ---- attributes -------------------------------------------------------------------------- */

static void test_attributes(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_linear(ctx, 2, 3);
    kdl_set_attribute(net, "scale", kdl_ones(ctx, KDL_SHAPE(1))); /* [24] plain: not registered */
    assert_non_null(kdl_attribute(net, "scale"));
    assert_null(kdl_parameter(net, "scale"));
    assert_null(kdl_buffer(net, "scale"));
    kdl_set_attribute(net, "scale", kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(1))));
    assert_non_null(kdl_parameter(net, "scale")); /* [25] a Parameter takes the name over */
    kdl_delete_attribute(net, "scale");           /* [26] and goes when it is deleted */
    assert_null(kdl_attribute(net, "scale"));
    kdl_delete_attribute(net, "scale");
    assert_error(ctx, KDL_ERROR_KEY, "'Linear' object has no attribute 'scale'");
    kdl_set_attribute(net, "bias", NULL); /* [27] None keeps a parameter's name */
    assert_null(kdl_parameter(net, "bias"));
    kdl_set_attribute(net, "bias", kdl_zeros(ctx, KDL_SHAPE(3)));
    assert_error(
        ctx, KDL_ERROR_TYPE,
        "cannot assign 'torch.FloatTensor' as parameter 'bias' (torch.nn.Parameter or None "
        "expected)");
    kdl_module_release(net);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status use_hooks(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module *module = kdl_module_new(ctx, &twice_class);
    kdl_register_forward_pre_hook(module, add_one_before, NULL, true);
    kdl_register_forward_hook(module, add_input, NULL, false);
    kdl_set_attribute(module, "scale", kdl_ones(ctx, KDL_SHAPE(1)));
    kdl_module *copy = kdl_module_deep_copy(module);
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(1));
    seen[0] = '\0';
    kdl_tensor_release(copy && input ? kdl_forward(copy, input) : NULL);
    kdl_tensor_release(input);
    kdl_module_release(copy);
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(use_hooks, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_forward_order),
        CONTEXT_TEST(test_forward_values),
        CONTEXT_TEST(test_hooks_that_change_hooks),
        CONTEXT_TEST(test_calls_of_several),
        CONTEXT_TEST(test_no_forward),
        CONTEXT_TEST(test_training),
        CONTEXT_TEST(test_gradients),
        CONTEXT_TEST(test_attributes),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
