/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter and Module: registering, looking up, iterating, tying, classes, failures. */
#include "kindling/kindling.h"
#include "nn/module_impl.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* The names that an iterator gives, separated by spaces. */
static const char *names(kdl_iterator it)
{
    static char text[2048];
    text[0] = '\0';
    while (kdl_next(&it)) {
        assert_true(strlen(text) + strlen(it.name) + 2 < sizeof text);
        strcat(strcat(text, *it.name ? it.name : "(root)"), " ");
    }
    return text;
}

static kdl_tensor *ones(kdl_context *ctx)
{
    return kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(2)));
}

/* ---- Parameter --------------------------------------------------------------------------- */

static void test_parameter(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *data = kdl_ones(ctx, KDL_SHAPE(2, 3));
    kdl_tensor *parameter = kdl_parameter_new(kdl_tensor_retain(data));
    assert_true(kdl_tensor_is_parameter(parameter));
    assert_true(kdl_tensor_requires_grad(parameter));
    assert_false(kdl_tensor_is_parameter(data));
    assert_true(kdl_tensor_shares_storage(parameter, data));
    kdl_tensor *frozen = kdl_parameter_new(parameter, .requires_grad = false);
    assert_false(kdl_tensor_requires_grad(frozen));
    kdl_tensor_release(frozen);
    kdl_tensor_release(data);

    assert_null(kdl_parameter_new(NULL));
    assert_null(kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(1), .dtype = KDL_I64)));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_RUNTIME);
    kdl_error_clear(ctx);
    parameter =
        kdl_parameter_new(kdl_ones(ctx, KDL_SHAPE(1), .dtype = KDL_I64), .requires_grad = false);
    assert_non_null(parameter);
    kdl_tensor_release(parameter);
}

/* ---- registering ------------------------------------------------------------------------- */

static void test_register(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = kdl_module_new(ctx, KDL_CLASS_MODULE);
    kdl_register_parameter(module, "weight", ones(ctx));
    kdl_register_parameter(module, "bias", NULL);
    kdl_register_buffer(module, "mean", kdl_zeros(ctx, KDL_SHAPE(2)));
    kdl_register_buffer(module, "cache", kdl_zeros(ctx, KDL_SHAPE(2)), .persistent = false);
    kdl_register_buffer(module, "none", NULL);
    kdl_add_module(module, "child", kdl_nn_linear(ctx, 2, 2));
    kdl_add_module(module, "nobody", NULL);

    assert_string_equal(names(kdl_named_parameters(module)), "weight child.weight child.bias ");
    assert_string_equal(names(kdl_named_parameters(module, .recurse = false)), "weight ");
    assert_string_equal(names(kdl_named_parameters(module, .prefix = "net")),
                        "net.weight net.child.weight net.child.bias ");
    assert_string_equal(names(kdl_named_buffers(module)), "mean cache ");
    assert_string_equal(names(kdl_state_dict(module)), "weight mean child.weight child.bias ");
    assert_string_equal(names(kdl_named_modules(module)), "(root) child ");
    assert_string_equal(names(kdl_named_modules(module, .prefix = "net")), "net net.child ");
    assert_string_equal(names(kdl_named_children(module)), "child ");

    /* A replaced one keeps its place. */
    kdl_register_parameter(module, "weight", NULL);
    kdl_register_parameter(module, "bias", ones(ctx));
    kdl_register_parameter(module, "weight", ones(ctx));
    assert_string_equal(names(kdl_named_parameters(module, .recurse = false)), "weight bias ");
    kdl_register_buffer(module, "mean", kdl_zeros(ctx, KDL_SHAPE(2)), .persistent = false);
    assert_string_equal(names(kdl_state_dict(module)), "weight bias child.weight child.bias ");
    assert_int_equal(kdl_module_numel(module), 2 + 2 + 4 + 2);
    kdl_module_release(module);
}

static void test_register_errors(void **state)
{
    kdl_context *ctx = *state, *other = kdl_context_new(NULL);
    kdl_module *module = kdl_nn_linear(ctx, 2, 2);
    kdl_register_buffer(module, "mean", NULL);

    kdl_register_parameter(module, "a.b", NULL);
    assert_error(ctx, KDL_ERROR_KEY, "parameter name can't contain \".\"");
    kdl_register_parameter(module, "", ones(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "parameter name can't be empty string \"\"");
    kdl_register_parameter(module, "mean", ones(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "attribute 'mean' already exists");
    kdl_register_parameter(module, "weight", kdl_ones(ctx, KDL_SHAPE(2)));
    assert_error(ctx, KDL_ERROR_TYPE,
                 "cannot assign 'torch.FloatTensor' object to parameter 'weight' "
                 "(torch.nn.Parameter or None required)");
    kdl_register_buffer(module, "a.b", kdl_ones(ctx, KDL_SHAPE(2)));
    assert_error(ctx, KDL_ERROR_KEY, "buffer name can't contain \".\"");
    kdl_register_buffer(module, "", NULL);
    assert_error(ctx, KDL_ERROR_KEY, "buffer name can't be empty string \"\"");
    kdl_register_buffer(module, "weight", kdl_ones(ctx, KDL_SHAPE(2)));
    assert_error(ctx, KDL_ERROR_KEY, "attribute 'weight' already exists");
    kdl_add_module(module, "a.b", kdl_nn_relu(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "module name can't contain \".\", got: a.b");
    kdl_add_module(module, "", kdl_nn_relu(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "module name can't be empty string \"\"");
    kdl_add_module(module, "weight", kdl_nn_relu(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "attribute 'weight' already exists");
    kdl_append(module, kdl_nn_relu(ctx));
    assert_error(ctx, KDL_ERROR_KEY, "'Linear' object has no attribute 'append'");
    kdl_register_parameter(module, "weight", ones(other));
    assert_error(ctx, KDL_ERROR_VALUE, "the parameter 'weight' is of another context");
    kdl_add_module(module, "act", kdl_nn_relu(other));
    assert_error(ctx, KDL_ERROR_VALUE, "the module 'act' is of another context");
    assert_string_equal(names(kdl_named_parameters(module)), "weight bias ");
    kdl_module_release(module);
    kdl_context_release(other);
}

static void test_circles(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = kdl_nn_linear(ctx, 2, 2);
    kdl_add_module(module, "self", kdl_module_retain(module));
    assert_error(ctx, KDL_ERROR_VALUE, "the module 'self' contains the one it is added to");
    kdl_module *outer = kdl_nn_sequential(ctx, kdl_nn_sequential(ctx, module));
    kdl_add_module(module, "outer", kdl_module_retain(outer));
    assert_error(ctx, KDL_ERROR_VALUE, "the module 'outer' contains the one it is added to");

    kdl_module_release(outer);
}

/* While an error stands nothing is registered, and what is given is released. */
static void test_standing_error(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = kdl_nn_linear(ctx, 2, 2);
    kdl_child(module, 5);
    assert_int_not_equal(kdl_error_status(ctx), KDL_OK);
    assert_int_equal(kdl_add_module(module, "act", kdl_nn_relu(ctx)), KDL_ERROR_INDEX);
    assert_false(kdl_next(&(kdl_iterator){ .root_ = module }));
    assert_int_equal(kdl_module_numel(module), -1);
    assert_null(kdl_module_to_string(module));
    kdl_error_clear(ctx);
    kdl_module_release(module);
}

/* A constructor that failed gives NULL, which every function takes. */
static void test_null(void **state)
{
    kdl_context *ctx = *state;
    assert_int_equal(kdl_add_module(NULL, "a", kdl_nn_relu(ctx)), KDL_ERROR_VALUE);
    assert_int_equal(kdl_append(NULL, kdl_nn_relu(ctx)), KDL_ERROR_VALUE);
    assert_int_equal(kdl_register_parameter(NULL, "a", ones(ctx)), KDL_ERROR_VALUE);
    assert_int_equal(kdl_register_buffer(NULL, "a", ones(ctx)), KDL_ERROR_VALUE);
    assert_int_equal(kdl_apply(NULL, NULL, NULL), KDL_ERROR_VALUE);
    assert_int_equal(kdl_reset_parameters(NULL), KDL_ERROR_VALUE);
    assert_int_equal(kdl_module_requires_grad_(NULL, true), KDL_ERROR_VALUE);
    assert_int_equal(kdl_module_plan(NULL, NULL), KDL_ERROR_VALUE);
    assert_int_equal(kdl_module_print(NULL, stdout), KDL_ERROR_VALUE);
    assert_int_equal(kdl_module_numel(NULL), -1);
    assert_int_equal(kdl_child_count(NULL), 0);
    assert_null(kdl_parameter(NULL, "a"));
    assert_null(kdl_submodule(NULL, "a"));
    assert_null(kdl_get_buffer(NULL, "a"));
    assert_null(kdl_child(NULL, 0));
    assert_null(kdl_forward(NULL, NULL));
    assert_null(kdl_module_fields(NULL));
    assert_false(kdl_isinstance(NULL, KDL_CLASS_MODULE));
    assert_string_equal(names(kdl_named_modules(NULL)), "");
    kdl_module_release(NULL);
}

/* ---- looking up -------------------------------------------------------------------------- */

static void test_look_up(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net =
        kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 3, 2, .bias = false),
                          kdl_nn_sequential(ctx, kdl_nn_layer_norm(ctx, KDL_SHAPE(2))));
    kdl_register_buffer(net, "mean", kdl_zeros(ctx, KDL_SHAPE(2)));
    kdl_register_buffer(net, "none", NULL);
    assert_ptr_equal(kdl_parameter(net, "1.0.bias"), kdl_get_parameter(net, "1.0.bias"));
    assert_int_equal(kdl_tensor_numel(kdl_parameter(net, "0.weight")), 6);
    assert_ptr_equal(kdl_submodule(net, "1.0"), kdl_child(kdl_child(net, 1), 0));
    assert_ptr_equal(kdl_get_submodule(net, ""), net);
    assert_ptr_equal(kdl_child(net, -2), kdl_submodule(net, "0"));
    assert_non_null(kdl_buffer(net, "mean"));
    assert_int_equal(kdl_child_count(net), 2);

    assert_null(kdl_parameter(net, "0.bias")); /* None */
    assert_null(kdl_parameter(net, "0"));
    assert_null(kdl_parameter(net, "0.weight.data"));
    assert_null(kdl_parameter(net, "weight"));
    assert_null(kdl_parameter(net, "2.weight"));
    assert_null(kdl_parameter(net, ""));
    assert_null(kdl_buffer(net, "0.weight"));
    assert_null(kdl_submodule(net, "mean"));
    assert_int_equal(kdl_error_status(ctx), KDL_OK);

    assert_null(kdl_get_parameter(net, "0.bias"));
    assert_error(ctx, KDL_ERROR_KEY, "`bias` is not an nn.Parameter");
    assert_null(kdl_get_parameter(net, "0.gain"));
    assert_error(ctx, KDL_ERROR_KEY, "Linear has no attribute `gain`");
    assert_null(kdl_get_parameter(net, "mean"));
    assert_error(ctx, KDL_ERROR_KEY, "`mean` is not an nn.Parameter");
    assert_null(kdl_get_parameter(net, "0.weight.data"));
    assert_error(ctx, KDL_ERROR_KEY, "`weight` is not an nn.Module");
    assert_null(kdl_get_submodule(net, "7.0"));
    assert_error(ctx, KDL_ERROR_KEY, "Sequential has no attribute `7`");
    assert_null(kdl_get_buffer(net, "0.weight"));
    assert_error(ctx, KDL_ERROR_KEY, "`weight` is not a buffer");
    assert_null(kdl_get_buffer(net, "none")); /* a buffer, which is None */
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    assert_null(kdl_child(net, 2));
    assert_error(ctx, KDL_ERROR_INDEX, "index 2 is out of range");
    assert_null(kdl_child(net, -3));
    assert_error(ctx, KDL_ERROR_INDEX, "index -3 is out of range");
    kdl_module_release(net);
}

/* ---- tying ------------------------------------------------------------------------------- */

static void collect(kdl_module *module, void *user_data)
{
    strcat(strcat(user_data, kdl_module_type(module)->name), " ");
}

static void test_shared_module(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *shared = kdl_nn_linear(ctx, 8, 8);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 4, 8), kdl_nn_relu(ctx),
                                        kdl_module_retain(shared), kdl_nn_relu(ctx),
                                        kdl_module_retain(shared), kdl_nn_linear(ctx, 8, 1));
    assert_string_equal(names(kdl_named_parameters(net)),
                        "0.weight 0.bias 2.weight 2.bias 5.weight 5.bias ");
    assert_string_equal(names(kdl_named_parameters(net, .remove_duplicate = false)),
                        "0.weight 0.bias 2.weight 2.bias 4.weight 4.bias 5.weight 5.bias ");
    assert_string_equal(names(kdl_state_dict(net)),
                        "0.weight 0.bias 2.weight 2.bias 4.weight 4.bias 5.weight 5.bias ");
    assert_string_equal(names(kdl_named_modules(net)), "(root) 0 1 2 3 5 ");
    assert_string_equal(names(kdl_named_modules(net, .remove_duplicate = false)),
                        "(root) 0 1 2 3 4 5 ");
    assert_string_equal(names(kdl_named_children(net)), "0 1 2 3 5 ");
    assert_int_equal(kdl_module_numel(net), 4 * 8 + 8 + 8 * 8 + 8 + 8 + 1);

    /* Within one module apply goes to it once, through two parents twice: as PyTorch does. */
    char applied[256] = "";
    kdl_apply(net, collect, applied);
    assert_string_equal(applied, "Linear ReLU Linear ReLU Linear Sequential ");
    kdl_module *both =
        kdl_nn_sequential(ctx, net, kdl_nn_sequential(ctx, kdl_module_retain(shared)));
    applied[0] = '\0';
    kdl_apply(both, collect, applied);
    assert_string_equal(applied,
                        "Linear ReLU Linear ReLU Linear Sequential Linear Sequential Sequential ");
    assert_string_equal(names(kdl_named_modules(both)), "(root) 0 0.0 0.1 0.2 0.3 0.5 1 ");
    assert_string_equal(names(kdl_named_parameters(kdl_child(both, 1))), "0.weight 0.bias ");
    kdl_module_release(both);
    kdl_module_release(shared);
}

static void test_tied_parameter(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_module_new(ctx, KDL_CLASS_MODULE);
    kdl_add_module(net, "encoder", kdl_nn_embedding(ctx, 5, 3));
    kdl_add_module(net, "decoder", kdl_nn_linear(ctx, 3, 5));
    kdl_tensor *weight = kdl_parameter(net, "encoder.weight");
    kdl_register_parameter(kdl_submodule(net, "decoder"), "weight", kdl_tensor_retain(weight));
    assert_string_equal(names(kdl_named_parameters(net)), "encoder.weight decoder.bias ");
    assert_string_equal(names(kdl_state_dict(net)), "encoder.weight decoder.weight decoder.bias ");
    assert_int_equal(kdl_module_numel(net), 5 * 3 + 5);

    /* Two names in one module; then a name fewer. */
    kdl_module *decoder = kdl_submodule(net, "decoder");
    kdl_register_parameter(decoder, "again", kdl_tensor_retain(weight));
    assert_string_equal(names(kdl_named_parameters(decoder)), "weight bias ");
    kdl_register_parameter(decoder, "weight", NULL);
    assert_string_equal(names(kdl_named_parameters(decoder)), "bias again ");
    assert_string_equal(names(kdl_named_parameters(net)), "encoder.weight decoder.bias ");

    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_module_plan(net, plan);
    assert_int_equal(kdl_plan_count(plan), 3);
    assert_string_equal(kdl_plan_get(plan, 2)->name, "decoder.again");
    assert_int_equal(kdl_plan_get(plan, 2)->tied_to, 0);
    assert_int_equal(kdl_plan_get(plan, 1)->tied_to, -1);
    kdl_plan_release(plan);

    kdl_module_requires_grad_(net, false);
    assert_false(kdl_tensor_requires_grad(weight));
    kdl_module_release(net);
}

/* ---- classes of one's own ---------------------------------------------------------------- */

typedef struct scale {
    double factor;
    char *owned;
} scale;

static int destroyed;

static void scale_destroy(kdl_module *module)
{
    scale *fields = kdl_module_fields(module);
    kdl_free(kdl_module_context(module), fields->owned);
    destroyed++;
}

static kdl_status scale_reset_parameters(kdl_module *module)
{
    return kdl_fill_(kdl_parameter(module, "factor"), ((scale *)kdl_module_fields(module))->factor);
}

static char *scale_extra_repr(const kdl_module *module)
{
    const scale *fields = kdl_module_fields(module);
    return kdl_format(kdl_module_context(module), "factor=%g", fields->factor);
}

static kdl_tensor *scale_forward(kdl_module *module, kdl_tensor *input)
{
    kdl_tensor *output = kdl_clone(input);
    kdl_mul_(output, ((scale *)kdl_module_fields(module))->factor);
    return output;
}

static const kdl_module_class scale_class = {
    .name = "Scale",
    .fields_nbytes = sizeof(scale),
    .reset_parameters = scale_reset_parameters,
    .extra_repr = scale_extra_repr,
    .forward = scale_forward,
    .destroy = scale_destroy,
};

typedef struct double_scale {
    scale base;
    int more;
} double_scale;

static void double_scale_destroy(kdl_module *module)
{
    destroyed += 10 * ((double_scale *)kdl_module_fields(module))->more;
}

static const kdl_module_class double_scale_class = {
    .name = "DoubleScale",
    .parent = &scale_class,
    .fields_nbytes = sizeof(double_scale),
    .destroy = double_scale_destroy,
};

static void test_classes(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *module = kdl_module_new(ctx, &double_scale_class);
    double_scale *fields = kdl_module_fields(module);
    assert_int_equal((uintptr_t)fields % _Alignof(max_align_t), 0);
    assert_int_equal(fields->more, 0);
    fields->more = 1;
    fields->base.factor = 2.5;
    fields->base.owned = kdl_format(ctx, "%d", 1);
    kdl_register_parameter(module, "factor", ones(ctx));

    assert_true(kdl_module_is(module, &double_scale_class));
    assert_false(kdl_module_is(module, &scale_class));
    assert_true(kdl_isinstance(module, &double_scale_class));
    assert_true(kdl_isinstance(module, &scale_class));
    assert_true(kdl_isinstance(module, KDL_CLASS_MODULE));
    assert_false(kdl_isinstance(module, KDL_CLASS_LINEAR));
    assert_ptr_equal(kdl_module_type(module), &double_scale_class);

    kdl_reset_parameters(module);
    assert_float_equal(kdl_tensor_get(kdl_parameter(module, "factor"), (int64_t[]){ 0 }), 2.5, 0);
    kdl_tensor *output = kdl_forward(module, kdl_parameter(module, "factor"));
    assert_float_equal(kdl_tensor_get(output, (int64_t[]){ 1 }), 6.25, 0);
    kdl_tensor_release(output);
    char *text = kdl_module_to_string(module);
    assert_string_equal(text, "DoubleScale(factor=2.5)");
    kdl_free(ctx, text);

    destroyed = 0;
    kdl_module_release(kdl_module_retain(module));
    assert_int_equal(destroyed, 0);
    kdl_module_release(module);
    assert_int_equal(destroyed, 11);

    module = kdl_nn_relu(ctx);
    kdl_reset_parameters(module);
    assert_error(ctx, KDL_ERROR_KEY, "'ReLU' object has no attribute 'reset_parameters'");
    assert_null(kdl_forward(module, NULL));
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "Module [ReLU] is missing the required \"forward\" function (those of torch.nn's "
                 "classes are in libkindling_train)");
    kdl_module_release(module);
}

static void fail_at_relu(kdl_module *module, void *user_data)
{
    strcat(strcat(user_data, kdl_module_type(module)->name), " ");
    if (kdl_module_is(module, KDL_CLASS_RELU))
        kdl_child(module, 0);
}

static void test_apply_stops(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net =
        kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 1, 1), kdl_nn_relu(ctx), kdl_nn_tanh(ctx));
    char applied[256] = "";
    assert_int_equal(kdl_apply(net, fail_at_relu, applied), KDL_ERROR_INDEX);
    assert_string_equal(applied, "Linear ReLU ");
    kdl_error_clear(ctx);
    kdl_module_release(net);
}

/* ---- limits ------------------------------------------------------------------------------ */

static void test_depth(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *root = kdl_nn_sequential(ctx), *inner = root;
    for (int depth = 1; depth < KDL_MAX_MODULE_DEPTH; depth++) {
        kdl_append(inner, kdl_nn_sequential(ctx));
        inner = kdl_child(inner, 0);
    }
    char applied[1024] = "";
    assert_int_equal(kdl_apply(root, collect, applied), KDL_OK);
    int count = 0;
    for (kdl_iterator it = kdl_named_modules(root); kdl_next(&it);)
        count++;
    assert_int_equal(count, KDL_MAX_MODULE_DEPTH);

    kdl_append(inner, kdl_nn_relu(ctx)); /* from above its depth cannot be seen */
    for (kdl_iterator it = kdl_named_modules(root); kdl_next(&it);)
        count++;
    assert_error(ctx, KDL_ERROR_VALUE, "modules are nested more than 64 deep");
    applied[0] = '\0';
    kdl_apply(root, collect, applied);
    assert_error(ctx, KDL_ERROR_VALUE, "modules are nested more than 64 deep");
    assert_null(kdl_module_to_string(root));
    assert_error(ctx, KDL_ERROR_VALUE, "modules are nested more than 64 deep");
    kdl_module *outer = kdl_nn_sequential(ctx, root);
    assert_error(ctx, KDL_ERROR_VALUE, "modules are nested more than 64 deep");
    kdl_module_release(outer);

    /* Freeing does not recurse. */
    root = inner = kdl_nn_sequential(ctx);
    for (int depth = 0; depth < 100000; depth++) {
        kdl_append(inner, kdl_nn_sequential(ctx));
        inner = kdl_child(inner, 0);
    }
    kdl_module_release(root);
}

static void test_long_names(void **state)
{
    kdl_context *ctx = *state;
    char name[600];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    kdl_module *outer = kdl_module_new(ctx, KDL_CLASS_MODULE);
    kdl_add_module(outer, name, kdl_module_new(ctx, KDL_CLASS_MODULE));
    kdl_register_parameter(kdl_child(outer, 0), "weight", ones(ctx));
    assert_int_equal(strlen(names(kdl_named_parameters(outer))), 599 + 1 + 6 + 1);
    kdl_register_parameter(kdl_child(outer, 0), name, ones(ctx));
    names(kdl_named_parameters(outer));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_VALUE);
    assert_non_null(strstr(kdl_error_message(ctx), "has more than 1023 bytes"));
    kdl_error_clear(ctx);
    char prefix[KDL_MAX_MODULE_PATH + 1] = { 0 };
    memset(prefix, 'p', KDL_MAX_MODULE_PATH);
    names(kdl_named_parameters(outer, .prefix = prefix));
    assert_error(ctx, KDL_ERROR_VALUE, "the prefix has 1024 bytes, more than 1023");
    kdl_module_release(outer);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status build(kdl_context *ctx, void *body_data)
{
    (void)body_data;
    kdl_module *shared = kdl_nn_linear(ctx, 3, 3);
    kdl_module *net = kdl_nn_sequential(
        ctx, kdl_nn_embedding(ctx, 5, 3, .padding_idx = 1), kdl_module_retain(shared),
        kdl_nn_dropout(ctx), kdl_module_retain(shared), kdl_nn_rms_norm(ctx, KDL_SHAPE(3)),
        kdl_nn_module_list(ctx, kdl_nn_prelu(ctx), kdl_nn_prelu(ctx), kdl_nn_tanh(ctx)));
    kdl_module_release(shared);
    kdl_register_buffer(net, "mean", kdl_zeros(ctx, KDL_SHAPE(2)));
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_module_plan(net, plan);
    kdl_free(ctx, kdl_module_to_string(net));
    kdl_plan_release(plan);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_parameter),       CONTEXT_TEST(test_register),
        CONTEXT_TEST(test_register_errors), CONTEXT_TEST(test_circles),
        CONTEXT_TEST(test_standing_error),  CONTEXT_TEST(test_null),
        CONTEXT_TEST(test_look_up),         CONTEXT_TEST(test_shared_module),
        CONTEXT_TEST(test_tied_parameter),  CONTEXT_TEST(test_classes),
        CONTEXT_TEST(test_apply_stops),     CONTEXT_TEST(test_depth),
        CONTEXT_TEST(test_long_names),      cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
