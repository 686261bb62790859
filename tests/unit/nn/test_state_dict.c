/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dict and load_state_dict, as objects, through hooks and files. 26 behaviours that PyTorch's
 * test_load_state_dict.py, test_module_hooks.py and test_nn.py cover, each a comment [n] below.
 */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

#define assert_text(ctx, function, object, expected)                                               \
    do {                                                                                           \
        char *text_ = function(object);                                                            \
        assert_non_null(text_);                                                                    \
        assert_string_equal(text_, expected);                                                      \
        kdl_free(ctx, text_);                                                                      \
    } while (0)

static const kdl_module_class net_class = { .name = "Net" };

/* Net(linear: Linear(2, 2), norm: LayerNorm(2), a scalar buffer `steps`), filled with a value. */
static kdl_module *new_net(kdl_context *ctx, double value)
{
    kdl_module *net = kdl_module_new(ctx, &net_class);
    kdl_add_module(net, "linear", kdl_nn_linear(ctx, 2, 2));
    kdl_add_module(net, "norm", kdl_nn_layer_norm(ctx, KDL_SHAPE(2)));
    kdl_register_buffer(net, "steps", kdl_zeros(ctx, KDL_SCALAR_SHAPE));
    for (kdl_iterator it = kdl_state_dict(net); kdl_next(&it);)
        kdl_fill_(it.tensor, value);
    return net;
}

/* Whether all of the module's values are `value`. */
static bool is_filled(kdl_module *net, double value)
{
    bool filled = true;
    for (kdl_iterator it = kdl_state_dict(net); kdl_next(&it);) {
        kdl_tensor *different = kdl_ne(it.tensor, value);
        const bool *answers = kdl_tensor_data(different);
        for (int64_t i = 0; i < kdl_tensor_numel(different); i++)
            filled = filled && !answers[i];
        kdl_tensor_release(different);
    }
    return filled;
}

/* ---- the dictionary ---------------------------------------------------------------------- */

static void test_dictionary(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = new_net(ctx, 1);
    kdl_state_dict *dict = kdl_module_state_dict(net); /* [1] order, a buffer among them */
    assert_text(ctx, kdl_state_dict_keys_to_string, dict,
                "odict_keys(['steps', 'linear.weight', 'linear.bias', 'norm.weight', "
                "'norm.bias'])");
    kdl_tensor *weight = kdl_state_dict_get(dict, "linear.weight"); /* [2] shared and detached */
    assert_true(kdl_tensor_shares_storage(weight, kdl_parameter(net, "linear.weight")));
    assert_false(kdl_tensor_requires_grad(weight));
    assert_false(kdl_tensor_is_parameter(weight));
    kdl_state_dict *vars =
        kdl_module_state_dict(net, .prefix = "net.", .keep_vars = true); /* [3] */
    assert_ptr_equal(kdl_state_dict_get(vars, "net.linear.weight"),
                     kdl_parameter(net, "linear.weight"));
    kdl_state_dict_release(vars);

    kdl_state_dict *part = kdl_state_dict_part(dict, "norm.");
    assert_text(ctx, kdl_state_dict_to_string, part,
                "OrderedDict([('weight', tensor([1., 1.])), ('bias', tensor([1., 1.]))])");
    kdl_state_dict_rename(part, "weight", "it's");
    kdl_state_dict_set(part, "bias", kdl_zeros(ctx, KDL_SHAPE(1)));
    assert_text(ctx, kdl_state_dict_to_string, part,
                "OrderedDict([('bias', tensor([0.])), (\"it's\", tensor([1., 1.]))])");
    kdl_state_dict_remove(part, "it's");
    kdl_state_dict_remove(part, "bias");
    assert_text(ctx, kdl_state_dict_to_string, part, "OrderedDict()");
    assert_text(ctx, kdl_state_dict_keys_to_string, part, "odict_keys([])");
    assert_int_equal(kdl_state_dict_remove(part, "bias"), KDL_ERROR_KEY);
    assert_error(ctx, KDL_ERROR_KEY, "'bias'");
    assert_null(kdl_state_dict_get(part, "bias"));
    kdl_error_clear(ctx);
    assert_null(kdl_state_dict_key(part, 0));
    kdl_state_dict_release(part);
    kdl_state_dict_release(dict);
    kdl_module_release(net);
}

/* ---- loading ----------------------------------------------------------------------------- */

static void test_loads(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *from = new_net(ctx, 3), *to = new_net(ctx, 1);
    kdl_state_dict *dict = kdl_module_state_dict(from);
    kdl_tensor *before = kdl_parameter(to, "linear.weight");
    assert_int_equal(kdl_load_state_dict(to, dict), KDL_OK);
    assert_true(is_filled(to, 3)); /* [4] copied, in place */
    assert_ptr_equal(kdl_parameter(to, "linear.weight"), before);
    assert_false(kdl_tensor_shares_storage(before, kdl_parameter(from, "linear.weight")));

    kdl_module_to(to, KDL_F64); /* [5] the module's dtype stays */
    kdl_load_state_dict(to, dict);
    assert_int_equal(kdl_tensor_dtype(kdl_parameter(to, "linear.weight")), KDL_F64);
    assert_true(is_filled(to, 3));
    kdl_requires_grad_(kdl_parameter(to, "linear.weight"), false);
    kdl_load_state_dict(to, dict, .assign = true); /* [6] the dictionary's; requires_grad stays */
    kdl_tensor *assigned = kdl_parameter(to, "linear.weight");
    assert_int_equal(kdl_tensor_dtype(assigned), KDL_F32);
    assert_true(kdl_tensor_shares_storage(assigned, kdl_parameter(from, "linear.weight")));
    assert_true(kdl_tensor_is_parameter(assigned));
    assert_false(kdl_tensor_requires_grad(assigned));
    assert_true(kdl_tensor_requires_grad(kdl_parameter(to, "linear.bias")));

    kdl_state_dict_set(dict, "steps", kdl_full(ctx, KDL_SHAPE(1), 7)); /* [7] [1] for a scalar */
    kdl_load_state_dict(from, dict);
    assert_float_equal(kdl_tensor_item(kdl_buffer(from, "steps")), 7, 0);
    assert_int_equal(kdl_load_state_dict(NULL, dict), KDL_ERROR_VALUE);
    assert_int_equal(kdl_load_state_dict(from, NULL), KDL_ERROR_VALUE);
    kdl_state_dict_release(dict);
    kdl_module_release(from);
    kdl_module_release(to);
}

static void test_refuses(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *from = new_net(ctx, 3), *to = new_net(ctx, 1);
    kdl_state_dict *dict = kdl_module_state_dict(from);
    kdl_state_dict_remove(dict, "linear.weight");
    kdl_state_dict_remove(dict, "norm.bias");
    kdl_state_dict_set(dict, "linear.gain", kdl_ones(ctx, KDL_SHAPE(1)));
    kdl_state_dict_set(dict, "head.weight", kdl_ones(ctx, KDL_SHAPE(1)));
    kdl_state_dict_set(dict, "steps.deep", kdl_ones(ctx, KDL_SHAPE(1)));
    kdl_state_dict_set(dict, "linear.bias", kdl_ones(ctx, KDL_SHAPE(3, 1)));
    kdl_state_dict_set(dict, "norm.weight", kdl_ones(ctx, KDL_SCALAR_SHAPE));
    kdl_load_state_dict(to, dict); /* [8] all in one text; [9] nothing has changed */
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Error(s) in loading state_dict for Net:\n"
                 "\tMissing key(s) in state_dict: \"linear.weight\", \"norm.bias\". \n"
                 "\tUnexpected key(s) in state_dict: \"head.weight\", \"steps.deep\", "
                 "\"linear.gain\". \n"
                 "\tsize mismatch for linear.bias: copying a param with shape torch.Size([3, 1]) "
                 "from checkpoint, the shape in current model is torch.Size([2]).\n"
                 "\tsize mismatch for norm.weight: copying a param with shape torch.Size([]) from "
                 "checkpoint, the shape in current model is torch.Size([2]).");
    assert_true(is_filled(to, 1));
    kdl_load_state_dict(to, dict, .strict = false); /* [10] sizes count without strict too */
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Error(s) in loading state_dict for Net:\n"
                 "\tsize mismatch for linear.bias: copying a param with shape torch.Size([3, 1]) "
                 "from checkpoint, the shape in current model is torch.Size([2]).\n"
                 "\tsize mismatch for norm.weight: copying a param with shape torch.Size([]) from "
                 "checkpoint, the shape in current model is torch.Size([2]).");
    assert_true(is_filled(to, 1));
    kdl_state_dict_release(dict);
    kdl_module_release(from);
    kdl_module_release(to);
}

static void test_not_strict(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *from = new_net(ctx, 3), *to = new_net(ctx, 1);
    kdl_state_dict *dict = kdl_module_state_dict(from);
    const char *const gone[] = { "linear.weight", "linear.bias", "norm.weight", "norm.bias" };
    const char *const added[] = { "head.weight", "steps.deep", "linear.gain" };
    for (int i = 0; i < 4; i++)
        kdl_state_dict_remove(dict, gone[i]);
    for (int i = 0; i < 3; i++)
        kdl_state_dict_set(dict, added[i], kdl_ones(ctx, KDL_SHAPE(1)));
    kdl_key_list *missing = kdl_key_list_new(ctx), *unexpected = kdl_key_list_new(ctx);
    kdl_load_state_dict(to, dict, .strict = false, .missing_keys = missing,
                        .unexpected_keys = unexpected); /* [11] the result */
    assert_text(ctx, kdl_key_list_to_string, missing,
                "['linear.weight', 'linear.bias', 'norm.weight', 'norm.bias']");
    assert_text(ctx, kdl_key_list_to_string, unexpected,
                "['head.weight', 'steps.deep', 'linear.gain']");
    assert_float_equal(kdl_tensor_item(kdl_buffer(to, "steps")), 3, 0);
    kdl_key_list_remove(missing, "linear.bias");
    assert_int_equal(kdl_key_list_count(missing), 3);
    kdl_key_list_remove(missing, "linear.bias");
    assert_error(ctx, KDL_ERROR_VALUE, "list.remove(x): x not in list");
    kdl_key_list_release(missing);
    kdl_key_list_release(unexpected);
    kdl_state_dict_release(dict);
    kdl_module_release(from);
    kdl_module_release(to);
}

static void test_key_of_none(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *bare = kdl_nn_linear(ctx, 2, 2, .bias = false); /* [12] a key of what is None */
    kdl_state_dict *full = kdl_state_dict_new(ctx);
    kdl_state_dict_set(full, "weight", kdl_ones(ctx, KDL_SHAPE(2, 2)));
    kdl_state_dict_set(full, "bias", kdl_ones(ctx, KDL_SHAPE(2)));
    kdl_load_state_dict(bare, full);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Error(s) in loading state_dict for Linear:\n\tUnexpected key(s) in state_dict: "
                 "\"bias\". ");
    kdl_state_dict_release(full);
    kdl_module_release(bare);
}

/* Embedding and Linear that share their weight. */
static kdl_module *new_tied(kdl_context *ctx)
{
    kdl_module *net = kdl_module_new(ctx, &net_class);
    kdl_add_module(net, "encoder", kdl_nn_embedding(ctx, 5, 3));
    kdl_add_module(net, "decoder", kdl_nn_linear(ctx, 3, 5));
    kdl_tensor *weight = kdl_parameter(net, "encoder.weight");
    kdl_register_parameter(kdl_submodule(net, "decoder"), "weight", kdl_tensor_retain(weight));
    return net;
}

static void test_ties_and_files(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = new_tied(ctx), *other = new_tied(ctx);
    kdl_state_dict *dict = kdl_module_state_dict(net); /* [13] both names, one storage */
    assert_int_equal(kdl_state_dict_count(dict), 3);
    assert_true(kdl_tensor_shares_storage(kdl_state_dict_get(dict, "encoder.weight"),
                                          kdl_state_dict_get(dict, "decoder.weight")));
    kdl_load_state_dict(other, dict); /* [14] the tie stays */
    assert_ptr_equal(kdl_parameter(other, "encoder.weight"),
                     kdl_parameter(other, "decoder.weight"));
    kdl_module *copy = kdl_module_deep_copy(other); /* [15] in a copy, too */
    kdl_load_state_dict(copy, dict);
    assert_ptr_equal(kdl_parameter(copy, "encoder.weight"), kdl_parameter(copy, "decoder.weight"));
    kdl_module_to(copy, KDL_BF16); /* [16] and through a conversion */
    assert_ptr_equal(kdl_parameter(copy, "encoder.weight"), kdl_parameter(copy, "decoder.weight"));
    assert_int_equal(kdl_tensor_dtype(kdl_parameter(copy, "decoder.weight")), KDL_BF16);
    kdl_module_release(copy);

    kdl_fill_(kdl_parameter(net, "encoder.weight"), 0.5);
    kdl_save(net, "tied.safetensors", .force = true);
    kdl_load(other, "tied.safetensors"); /* [17] the file has the tied tensor once */
    assert_float_equal(kdl_tensor_get(kdl_parameter(other, "decoder.weight"), (int64_t[]){ 4, 2 }),
                       0.5, 0);
    kdl_state_dict *file = kdl_state_dict_open(ctx, "tied.safetensors");
    assert_int_equal(kdl_state_dict_count(file), 2);
    kdl_load_state_dict(other, file);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "
                 "\"encoder.weight\". ");
    kdl_state_dict *part = kdl_state_dict_part(file, "decoder."); /* [18] by part */
    kdl_state_dict_release(file);
    kdl_module *linear = kdl_nn_linear(ctx, 3, 5);
    kdl_load_state_dict(linear, part, .assign = true);
    assert_float_equal(kdl_tensor_get(kdl_parameter(linear, "weight"), (int64_t[]){ 0, 0 }), 0.5,
                       0);
    assert_int_equal(kdl_tensor_ndim(kdl_state_dict_get(part, "bias")), 1);
    assert_int_equal(remove("tied.safetensors"), 0);
    assert_int_equal(kdl_load(linear, "tied.safetensors"), KDL_ERROR_IO);
    kdl_error_clear(ctx);
    kdl_module_release(linear);
    kdl_state_dict_release(part);
    kdl_state_dict_release(dict);
    kdl_module_release(net);
    kdl_module_release(other);
}

static void test_plan(void **state)
{
    kdl_context *ctx = *state;
    kdl_state_dict *dict = kdl_state_dict_new(ctx);
    kdl_state_dict_set(dict, "weight", kdl_full(ctx, KDL_SHAPE(2, 2), 4));
    kdl_set_deferred(ctx, true);
    kdl_module *linear = kdl_nn_linear(ctx, 2, 2); /* [19] into what is only recorded */
    kdl_load_state_dict(linear, dict, .strict = false);
    assert_false(kdl_tensor_is_materialized(kdl_parameter(linear, "weight")));
    assert_float_equal(kdl_tensor_get(kdl_parameter(linear, "weight"), (int64_t[]){ 1, 1 }), 4, 0);
    kdl_state_dict_release(dict);
    kdl_module_release(linear);
}

/* ---- hooks ------------------------------------------------------------------------------- */

static char seen[512];

static void note_prefix(kdl_module *module, const char *prefix, void *user_data)
{
    (void)module;
    strcat(strcat(strcat(seen, user_data), prefix), " ");
}

static void rename_weight(kdl_module *module, kdl_state_dict *dict, const char *prefix,
                          void *user_data)
{
    (void)user_data;
    char key[64], new_key[64];
    assert_true(kdl_isinstance(module, KDL_CLASS_LINEAR));
    snprintf(key, sizeof key, "%sweight", prefix);
    snprintf(new_key, sizeof new_key, "%sW", prefix);
    kdl_state_dict_rename(dict, key, new_key);
}

static void take_old_name(kdl_module *module, kdl_state_dict *dict, const char *prefix,
                          kdl_incompatible_keys *keys, void *user_data)
{
    (void)module, (void)keys, (void)user_data;
    char key[64], new_key[64];
    snprintf(key, sizeof key, "%sW", prefix);
    snprintf(new_key, sizeof new_key, "%sweight", prefix);
    if (kdl_state_dict_contains(dict, key))
        kdl_state_dict_rename(dict, key, new_key);
}

static void forgive(kdl_module *module, kdl_incompatible_keys *keys, void *user_data)
{
    (void)module;
    strcat(seen, "post ");
    if (user_data)
        kdl_key_list_clear(keys->missing_keys);
}

static void complain(kdl_module *module, kdl_state_dict *dict, const char *prefix,
                     kdl_incompatible_keys *keys, void *user_data)
{
    (void)module, (void)dict, (void)prefix;
    kdl_key_list_append(keys->error_msgs, user_data);
}

static void test_hooks(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = new_net(ctx, 2), *linear = kdl_submodule(net, "linear");
    seen[0] = '\0';
    kdl_register_state_dict_pre_hook(net, note_prefix,
                                     (char[]){ "a:" }); /* [20] before, in order */
    kdl_hook removed = kdl_register_state_dict_pre_hook(linear, note_prefix, (char[]){ "b:" });
    kdl_register_state_dict_pre_hook(linear, note_prefix, (char[]){ "c:" });
    kdl_hook renaming = kdl_register_state_dict_post_hook(linear, rename_weight, NULL); /* [21] */
    kdl_state_dict *dict = kdl_module_state_dict(net, .prefix = "n.");
    assert_string_equal(seen, "a:n. b:n.linear. c:n.linear. ");
    assert_true(kdl_state_dict_contains(dict, "n.linear.W"));
    assert_false(kdl_state_dict_contains(dict, "n.linear.weight"));
    kdl_state_dict_release(dict);
    kdl_hook_remove(removed); /* [22] removable, once */
    kdl_hook_remove(removed);
    seen[0] = '\0';
    dict = kdl_module_state_dict(net);
    assert_string_equal(seen, "a: c:linear. ");

    kdl_fill_(kdl_state_dict_get(dict, "linear.W"), 2);
    kdl_module *to = new_net(ctx, 1); /* [23] a pre-hook changes what is loaded, not the original */
    kdl_register_load_state_dict_pre_hook(kdl_submodule(to, "linear"), take_old_name, NULL);
    kdl_load_state_dict(to, dict);
    /* The root saw no fault in "linear.W", the child took it. */
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    assert_true(is_filled(to, 2));
    assert_true(kdl_state_dict_contains(dict, "linear.W"));

    kdl_state_dict_remove(dict, "norm.bias"); /* [24] post-hooks decide about missing keys */
    for (kdl_iterator it = kdl_state_dict(to); kdl_next(&it);)
        kdl_fill_(it.tensor, 1);
    kdl_hook unforgiving = kdl_register_load_state_dict_post_hook(to, forgive, NULL);
    seen[0] = '\0';
    for (int assign = 0; assign < 2; assign++) {
        kdl_load_state_dict(to, dict, .assign = assign);
        assert_error(ctx, KDL_ERROR_RUNTIME,
                     "Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "
                     "\"norm.bias\". ");
        assert_true(is_filled(to, 1)); /* [25] and what was written is undone */
    }
    assert_string_equal(seen, "post post ");
    kdl_hook_remove(unforgiving);
    kdl_register_load_state_dict_post_hook(to, forgive, (char[]){ "all" });
    assert_int_equal(kdl_load_state_dict(to, dict), KDL_OK);
    assert_float_equal(kdl_tensor_get(kdl_parameter(to, "norm.weight"), (int64_t[]){ 0 }), 2, 0);
    kdl_register_load_state_dict_pre_hook(to, complain,
                                          (char[]){ "too old" }); /* [26] errors of a hook's own */
    kdl_load_state_dict(to, dict);
    assert_error(ctx, KDL_ERROR_RUNTIME, "Error(s) in loading state_dict for Net:\n\ttoo old");
    kdl_hook_remove(renaming);
    kdl_state_dict_release(dict);
    kdl_module_release(to);
    kdl_module_release(net);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status load_all(kdl_context *ctx, void *with_hooks)
{
    kdl_module *net = new_tied(ctx), *other = new_tied(ctx);
    kdl_state_dict *dict = other ? kdl_module_state_dict(other) : NULL;
    if (*(bool *)with_hooks)
        kdl_register_load_state_dict_post_hook(net, forgive, NULL);
    seen[0] = '\0';
    kdl_load_state_dict(net, dict);
    kdl_load_state_dict(net, dict, .assign = true);
    kdl_state_dict *part = kdl_state_dict_part(dict, "decoder.");
    if (part)
        kdl_free(ctx, kdl_state_dict_to_string(part));
    kdl_state_dict_set(part, "more", kdl_ones(ctx, KDL_SHAPE(2)));
    kdl_key_list *keys = kdl_key_list_new(ctx);
    kdl_load_state_dict(kdl_submodule(net, "decoder"), part, .strict = false,
                        .unexpected_keys = keys);
    kdl_save(net, "memory.safetensors", .force = true);
    kdl_load(other, "memory.safetensors");
    kdl_key_list_release(keys);
    kdl_state_dict_release(part);
    kdl_state_dict_release(dict);
    kdl_module_release(net);
    kdl_module_release(other);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(load_all, &(bool){ false });
    check_allocation_failures(load_all, &(bool){ true });
    remove("memory.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_dictionary),
        CONTEXT_TEST(test_loads),
        CONTEXT_TEST(test_refuses),
        CONTEXT_TEST(test_not_strict),
        CONTEXT_TEST(test_key_of_none),
        CONTEXT_TEST(test_ties_and_files),
        CONTEXT_TEST(test_plan),
        CONTEXT_TEST(test_hooks),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
