/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: what they match, in which order they draw, what is refused. */
#include "kindling/kindling.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static const kdl_module_class net_class = { .name = "Net" };

/* A parameter of its own, a Linear, a PReLU, a Linear in a Sequential; everything zero. */
static kdl_module *net_new(kdl_context *ctx)
{
    kdl_module *net = kdl_module_new(ctx, &net_class);
    kdl_register_parameter(net, "scale", kdl_parameter_new(kdl_zeros(ctx, KDL_SHAPE(2))));
    kdl_add_module(net, "fc1", kdl_nn_linear(ctx, 3, 4));
    kdl_add_module(net, "act", kdl_nn_prelu(ctx));
    kdl_add_module(net, "fc2", kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 2)));
    for (kdl_iterator it = kdl_named_parameters(net); kdl_next(&it);)
        kdl_init_zeros_(it.tensor);
    return net;
}

static float first_of(kdl_module *net, const char *name)
{
    return *(const float *)kdl_tensor_data(kdl_parameter(net, name));
}

static void apply_one(kdl_module *net, const char *rule)
{
    kdl_apply_rules(net, &rule, 1);
}

/* Which parameters `pattern` matches, a letter each. */
static void check_matches(kdl_context *ctx, const char *pattern, const char *expected)
{
    static const struct {
        const char *name, *letter;
    } parameters[] = {
        { "scale", "s" },      { "fc1.weight", "w" },   { "fc1.bias", "b" },
        { "act.weight", "a" }, { "fc2.0.weight", "W" }, { "fc2.0.bias", "B" },
    };
    char rule[64], found[8] = "";
    kdl_module *net = net_new(ctx);
    snprintf(rule, sizeof rule, "%s=ones", pattern);
    apply_one(net, rule);
    assert_string_equal(kdl_error_message(ctx), "");
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (first_of(net, parameters[i].name) == 1)
            strcat(found, parameters[i].letter);
    }
    assert_string_equal(found, expected);
    kdl_module_release(net);
}

static void test_matching(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    check_matches(ctx, "*", "swbaWB");
    check_matches(ctx, "*.weight", "waW");
    check_matches(ctx, "fc1.weight", "w");
    check_matches(ctx, "fc?.*.bias", "B");
    check_matches(ctx, "[!f]*", "sa");
    check_matches(ctx, "Linear.weight", "wW");
    check_matches(ctx, "Linear.*", "wbWB");
    check_matches(ctx, "PReLU.weight ", "a");
    check_matches(ctx, "Net.scale", "s");
    check_matches(ctx, "Module.?ias", "bB");
    kdl_context_release(ctx);
}

/* Children draw first, and of several rules for a parameter the last one alone draws. */
static void test_order(void **state)
{
    (void)state;
    static const char *const rules[] = { "*=uniform(a=5, b=6)", "scale=normal",
                                         "*.bias=constant(3)" };
    static const char *const order[] = { "fc1.weight", "act.weight", "fc2.0.weight" };
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_module *net = net_new(ctx);
    kdl_manual_seed(ctx, 9);
    assert_int_equal(kdl_apply_rules(net, rules, 3), KDL_OK);
    kdl_manual_seed(ctx, 9);
    for (int i = 0; i < 4; i++) {
        kdl_tensor *given = kdl_parameter(net, i < 3 ? order[i] : "scale");
        kdl_tensor *expected = kdl_empty(ctx, kdl_tensor_shape(given));
        if (i < 3)
            kdl_init_uniform_(expected, .a = 5, .b = 6);
        else
            kdl_init_normal_(expected);
        assert_memory_equal(kdl_tensor_data(given), kdl_tensor_data(expected),
                            kdl_tensor_nbytes(given));
        kdl_tensor_release(expected);
    }
    assert_true(first_of(net, "fc1.bias") == 3 && first_of(net, "fc2.0.bias") == 3);
    kdl_module_release(net);
    kdl_context_release(ctx);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        kdl_status status;
        const char *message;
    } cases[] = {
        { "zeros", KDL_ERROR_VALUE, "a rule is written PATTERN=SCHEME(arguments), not 'zeros'" },
        { "=zeros", KDL_ERROR_VALUE, "a rule is written PATTERN=SCHEME(arguments), not '=zeros'" },
        { "conv.weight=zeros", KDL_ERROR_VALUE, "rule 'conv.weight=zeros' matches no parameter" },
        { "*=glorot", KDL_ERROR_KEY, "rule '*=glorot': torch.nn.init has no scheme 'glorot'" },
        { "fc1.bias=xavier_normal", KDL_ERROR_VALUE,
          "rule 'fc1.bias=xavier_normal': fc1.bias: Fan in and fan out can not be computed for "
          "tensor with fewer than 2 dimensions" },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_module *net = net_new(ctx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *rules[] = { "*=ones", cases[i].rule };
        kdl_apply_rules(net, rules + (i == 4), 2 - (i == 4));
        assert_error(ctx, cases[i].status, cases[i].message);
        assert_true(first_of(net, "scale") == 0);
    }
    kdl_module_release(net);
    kdl_context_release(ctx);
}

static kdl_status apply_some(kdl_context *ctx, void *unused)
{
    static const char *const rules[] = { "*.bias=zeros", "Linear.weight=kaiming_normal(a=1)" };
    (void)unused;
    kdl_module *net = net_new(ctx);
    kdl_apply_rules(net, rules, 2);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(apply_some, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
