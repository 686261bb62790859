/* SPDX-License-Identifier: Apache-2.0 */
/* Attention and transformers through the C API: constructors, copies, resets, errors, warnings. */
#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* Asserts equal names and values, and releases both modules. */
static void assert_equal_modules(kdl_module *module, kdl_module *expected)
{
    kdl_iterator theirs = kdl_state_dict(expected);
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);) {
        assert_true(kdl_next(&theirs));
        assert_string_equal(it.name, theirs.name);
        assert_int_equal(kdl_tensor_nbytes(it.tensor), kdl_tensor_nbytes(theirs.tensor));
        assert_memory_equal(kdl_tensor_data(it.tensor), kdl_tensor_data(theirs.tensor),
                            kdl_tensor_nbytes(it.tensor));
    }
    assert_false(kdl_next(&theirs));
    kdl_module_release(module);
    kdl_module_release(expected);
}

static void test_constructors(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *ours = kdl_nn_multihead_attention(ctx, 8, 2, .kdim = 3, .add_bias_kv = true);
    kdl_manual_seed(ctx, 1);
    assert_equal_modules(
        ours, kdl_nn_from_text(ctx, "MultiheadAttention(8, 2, kdim=3, add_bias_kv=True)"));

    kdl_manual_seed(ctx, 1);
    ours = kdl_nn_transformer(ctx, .d_model = 4, .nhead = 2, .num_encoder_layers = 1,
                              .num_decoder_layers = 2, .dim_feedforward = 5, .bias = false);
    kdl_manual_seed(ctx, 1);
    assert_equal_modules(ours, kdl_nn_from_text(ctx, "Transformer(4, 2, 1, 2, 5, bias=False)"));

    kdl_manual_seed(ctx, 1);
    kdl_module *layer = kdl_nn_transformer_decoder_layer(ctx, 4, 2, .dim_feedforward = 3,
                                                         .activation_module = kdl_nn_prelu(ctx));
    kdl_module *norm = kdl_nn_layer_norm(ctx, 4);
    ours = kdl_nn_transformer_decoder(ctx, layer, 2, .norm = norm);
    kdl_manual_seed(ctx, 1);
    assert_equal_modules(ours, kdl_nn_from_text(ctx, "TransformerDecoder(TransformerDecoderLayer("
                                                     "4, 2, 3, activation=PReLU()), 2, "
                                                     "LayerNorm(4))"));
}

/* The layers of a stack begin equal, and each has its own storage. */
static void test_stack(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *layer = kdl_nn_transformer_encoder_layer(ctx, 4, 2, .batch_first = true);
    kdl_module *stack = kdl_nn_transformer_encoder(ctx, layer, 3);
    kdl_tensor *first = kdl_parameter(stack, "layers.0.self_attn.out_proj.weight");
    kdl_tensor *last = kdl_parameter(stack, "layers.2.self_attn.out_proj.weight");
    assert_false(kdl_tensor_shares_storage(first, last));
    assert_memory_equal(kdl_tensor_data(first), kdl_tensor_data(last), 64);
    kdl_zero_(first);
    assert_memory_not_equal(kdl_tensor_data(first), kdl_tensor_data(last), 64);
    assert_null(kdl_submodule(stack, "norm"));
    kdl_module_release(stack);
}

static void test_reset(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *attention = kdl_nn_multihead_attention(ctx, 4, 2);
    kdl_tensor *fused = kdl_parameter(attention, "in_proj_weight");
    kdl_tensor *out = kdl_parameter(attention, "out_proj.weight");
    float before[16], again[16];
    memcpy(before, kdl_tensor_data(out), sizeof before);
    memcpy(again, kdl_tensor_data(fused), sizeof again);
    kdl_fill_(kdl_parameter(attention, "out_proj.bias"), 3);
    assert_int_equal(kdl_multihead_attention_reset_parameters(attention), KDL_OK);
    assert_memory_equal(kdl_tensor_data(out), before, sizeof before);
    assert_memory_not_equal(kdl_tensor_data(fused), again, sizeof again);
    assert_true(kdl_tensor_get(kdl_parameter(attention, "out_proj.bias"), (int64_t[]){ 3 }) == 0);

    assert_int_equal(kdl_transformer_reset_parameters(attention), KDL_ERROR_TYPE);
    assert_error(ctx, KDL_ERROR_TYPE, "the module is no Transformer but a MultiheadAttention");
    assert_int_not_equal(kdl_multihead_attention_reset_parameters(NULL), KDL_OK);
    kdl_module_release(attention);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    assert_null(kdl_nn_multihead_attention(ctx, 0, 2));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "embed_dim and num_heads must be greater than 0, got embed_dim=0 and num_heads=2 "
                 "instead");
    assert_null(kdl_nn_multihead_attention(ctx, 6, 4));
    assert_error(ctx, KDL_ERROR_VALUE, "embed_dim must be divisible by num_heads");
    assert_null(kdl_nn_multihead_attention(ctx, INT64_MAX, 1));
    assert_error(ctx, KDL_ERROR_RUNTIME, "numel: integer multiplication overflow");
    assert_null(kdl_nn_transformer_encoder_layer(ctx, 4, 2, .activation = "tanh"));
    assert_error(ctx, KDL_ERROR_RUNTIME, "activation should be relu/gelu, not tanh");
    assert_null(kdl_nn_transformer_encoder(ctx, NULL, 2));
    assert_error(ctx, KDL_ERROR_TYPE, "the argument 'encoder_layer' cannot be None");
    assert_null(
        kdl_nn_transformer(ctx, .activation = "selu", .custom_decoder = kdl_nn_linear(ctx, 2, 2)));
    assert_error(ctx, KDL_ERROR_RUNTIME, "activation should be relu/gelu, not selu");
}

static void test_warnings(void **state)
{
    kdl_context *ctx = *state;
    char warning[MAX_WARNING] = "";
    kdl_set_warning_callback(ctx, keep_warning, warning);
    kdl_module *layer = kdl_nn_transformer_encoder_layer(ctx, 3, 3, .batch_first = true);
    kdl_module_release(kdl_nn_transformer_encoder(ctx, kdl_module_retain(layer), 1,
                                                  .enable_nested_tensor = false));
    assert_string_equal(warning, "");
    kdl_module_release(kdl_nn_transformer_encoder(ctx, layer, 1));
    assert_string_equal(warning,
                        "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                        "encoder_layer.self_attn.num_heads is odd");
}

static kdl_status build_all(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module *custom = kdl_nn_linear(ctx, 4, 4);
    kdl_module *activation = kdl_nn_prelu(ctx);
    kdl_module_release(kdl_nn_transformer(ctx, .d_model = 4, .nhead = 2, .num_encoder_layers = 2,
                                          .dim_feedforward = 3, .custom_decoder = custom,
                                          .activation_module = activation));
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(build_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_constructors), CONTEXT_TEST(test_stack),
        CONTEXT_TEST(test_reset),        CONTEXT_TEST(test_errors),
        CONTEXT_TEST(test_warnings),     cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
