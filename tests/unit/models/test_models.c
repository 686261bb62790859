/* SPDX-License-Identifier: Apache-2.0 */
/* Models from a config.json: against transformers' from_config, and what is refused. */
#include <inttypes.h>

#include "kindling/kindling.h"
#include "support/counting_allocator.h"
#include "support/golden.h"
#include "support/unit.h"

static kdl_context *new_context(bool deferred)
{
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = deferred;
    return kdl_context_new(&options);
}

static kdl_module *make(kdl_context *ctx, const char *config)
{
    return kdl_model_from_config(ctx, config, strlen(config));
}

/* ---- the golden models ------------------------------------------------------------------- */

/* Compares one model of the golden file, whose lines come after `header`. */
static void check_model(kdl_context *ctx, FILE *file, const char *header)
{
    char head[64], dtype_name[8], name[128], line[1024];
    uint64_t seed, digest;
    int config_at = 0;
    kdl_dtype dtype;
    assert_int_equal(
        sscanf(header, "model %63s %7s %" SCNu64 " %n", head, dtype_name, &seed, &config_at), 3);
    assert_true(kdl_dtype_parse(dtype_name, &dtype));
    const char *config = header + config_at;
    kdl_manual_seed(ctx, seed);
    kdl_module *model =
        kdl_model_from_config(ctx, config, strlen(config), .head = head, .dtype = dtype);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_string_equal(kdl_module_type(model)->name, head);
    unsigned char state[KDL_GENERATOR_STATE_NBYTES];
    kdl_generator_get_state(kdl_default_generator(ctx), state);
    char *text = kdl_module_to_string(model);
    const char *rest = text;
    kdl_iterator it = kdl_state_dict(model);
    while (golden_line(file, line, sizeof line) && strcmp(line, "end") != 0) {
        if (sscanf(line, "tensor %127s %" SCNx64, name, &digest) == 2) {
            assert_true(kdl_next(&it));
            assert_string_equal(it.name, name);
            if (golden_digest(kdl_tensor_data(it.tensor), kdl_tensor_nbytes(it.tensor)) != digest)
                fail_msg("%s of %s", name, header);
        } else if (sscanf(line, "state %" SCNx64, &digest) == 1) {
            assert_false(kdl_next(&it));
            assert_int_equal(golden_digest(state, sizeof state), digest);
        } else {
            size_t length = strlen(line + 1);
            assert_memory_equal(rest, line + 1, length);
            rest += length;
            rest += *rest == '\n';
        }
    }
    assert_string_equal(rest, "");
    kdl_free(ctx, text);
    kdl_module_release(model);
}

static void check_models(bool deferred)
{
    kdl_context *ctx = new_context(deferred);
    FILE *file = golden_open("models.txt");
    char line[1024];
    int count = 0;
    while (golden_line(file, line, sizeof line)) {
        check_model(ctx, file, line);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 16);
    kdl_context_release(ctx);
}

static void test_models(void **state)
{
    (void)state;
    check_models(false);
}

static void test_recorded_models(void **state)
{
    (void)state;
    check_models(true);
}

/* ---- what is saved ----------------------------------------------------------------------- */

static void test_checkpoint_plan(void **state)
{
    (void)state;
    kdl_context *ctx = new_context(true);
    kdl_module *model = make(ctx, "{\"model_type\": \"gpt2\", \"n_layer\": 11, \"n_embd\": 4,"
                                  " \"n_head\": 2, \"vocab_size\": 5, \"n_positions\": 3,"
                                  " \"activation_function\": \"xielu\"}");
    kdl_plan *plan = kdl_model_checkpoint_plan(model);
    /* 12 tensors and 4 of xielu in a block; without the head, which is wte. */
    assert_int_equal(kdl_plan_count(plan), 11 * 16 + 4);
    assert_string_equal(kdl_plan_attribute(plan, "model"), "GPT2LMHeadModel");
    assert_int_equal(kdl_plan_find(plan, "lm_head.weight"), -1);
    for (int i = 1; i < kdl_plan_count(plan); i++) {
        const kdl_plan_tensor *before = kdl_plan_get(plan, i - 1), *entry = kdl_plan_get(plan, i);
        if (before->dtype == entry->dtype)
            assert_true(strcmp(before->name, entry->name) < 0);
        else
            assert_true(before->dtype == KDL_F32 && entry->dtype == KDL_BF16);
    }
    kdl_plan_release(plan);
    kdl_module_release(model);

    model = make(ctx, "{\"model_type\": \"llama\", \"num_hidden_layers\": 1, \"hidden_size\": 4,"
                      " \"num_attention_heads\": 2, \"vocab_size\": 5, \"intermediate_size\": 6}");
    plan = kdl_model_checkpoint_plan(model);
    assert_int_equal(kdl_plan_count(plan), 9 + 3);
    assert_string_equal(kdl_plan_get(plan, 0)->name, "lm_head.weight");
    kdl_plan_release(plan);
    kdl_module_release(model);

    kdl_module *linear = kdl_nn_linear(ctx, 1, 1);
    assert_null(kdl_model_checkpoint_plan(linear));
    assert_error(ctx, KDL_ERROR_TYPE, "a Linear is not a PreTrainedModel");
    assert_null(kdl_model_checkpoint_plan(NULL));
    kdl_module_release(linear);
    kdl_context_release(ctx);
}

/* ---- refusing ---------------------------------------------------------------------------- */

static const struct refusal {
    const char *config;
    kdl_status status;
    const char *message;
} refusals[] = {
    { "", KDL_ERROR_FORMAT, "line 1, column 0: '[' or '{' expected near end of file" },
    { "{\n  \"model_type\": \"gpt2\",\n  \"n_embd\" 3\n}", KDL_ERROR_FORMAT,
      "line 3, column 12: ':' expected near '3'" },
    { "[1]", KDL_ERROR_FORMAT, "the configuration is not a JSON object" },
    { "{}", KDL_ERROR_FORMAT, "the configuration has no \"model_type\"" },
    { "{\"model_type\": 3}", KDL_ERROR_FORMAT, "the configuration has no \"model_type\"" },
    { "{\"model_type\": \"bert\"}", KDL_ERROR_NOT_IMPLEMENTED,
      "the model_type \"bert\" is not supported; these are: gpt2, llama" },
    { "{\"model_type\": \"llama\", \"architectures\": [\"Llama4\"]}", KDL_ERROR_NOT_IMPLEMENTED,
      "llama has no class \"Llama4\" here; these are supported: LlamaModel (base), "
      "LlamaForCausalLM (causal), LlamaForSequenceClassification (sequence-classification), "
      "LlamaForTokenClassification (token-classification), "
      "LlamaForQuestionAnswering (question-answering)" },
    { "{\"model_type\": \"llama\", \"architectures\": \"LlamaModel\"}", KDL_ERROR_FORMAT,
      "\"architectures\" must be a list of class names, but is a string" },
    { "{\"model_type\": \"gpt2\", \"n_embd\": 768.0}", KDL_ERROR_FORMAT,
      "\"n_embd\" must be an integer, but is a floating-point number" },
    { "{\"model_type\": \"gpt2\", \"hidden_size\": \"768\"}", KDL_ERROR_FORMAT,
      "\"hidden_size\" must be an integer, but is a string" },
    { "{\"model_type\": \"gpt2\", \"vocab_size\": -1}", KDL_ERROR_FORMAT,
      "\"vocab_size\" must be from 0 to 2147483647, but is -1" },
    { "{\"model_type\": \"gpt2\", \"n_inner\": 9223372036854775807}", KDL_ERROR_FORMAT,
      "\"n_inner\" must be from 0 to 2147483647, but is 9223372036854775807" },
    { "{\"model_type\": \"gpt2\", \"n_inner\": 9223372036854775808}", KDL_ERROR_FORMAT,
      "line 1, column 53: too big integer near '9223372036854775808'" },
    { "{\"model_type\": \"gpt2\", \"n_layer\": 10001}", KDL_ERROR_FORMAT,
      "\"n_layer\" must be from 0 to 10000, but is 10001" },
    { "{\"model_type\": \"gpt2\", \"n_layer\": Infinity}", KDL_ERROR_FORMAT,
      "\"n_layer\" must be an integer, but is a number that is not finite" },
    { "{\"model_type\": \"gpt2\", \"initializer_range\": 1}", KDL_ERROR_FORMAT,
      "\"initializer_range\" must be a floating-point number, but is an integer" },
    { "{\"model_type\": \"gpt2\", \"initializer_range\": NaN}", KDL_ERROR_RUNTIME,
      "normal expects std >= 0.0, but found std nan" },
    { "{\"model_type\": \"gpt2\", \"tie_word_embeddings\": null}", KDL_ERROR_FORMAT,
      "\"tie_word_embeddings\" must be true or false, but is null" },
    { "{\"model_type\": \"gpt2\", \"resid_pdrop\": {}}", KDL_ERROR_FORMAT,
      "\"resid_pdrop\" must be a number, but is an object" },
    { "{\"model_type\": \"gpt2\", \"activation_function\": \"quick\"}", KDL_ERROR_FORMAT,
      "\"activation_function\" is \"quick\", which is no activation that transformers has" },
    { "{\"model_type\": \"gpt2\", \"n_head\": 5}", KDL_ERROR_VALUE,
      "`embed_dim` must be divisible by num_heads (got `embed_dim`: 768 and `num_heads`: 5)." },
    { "{\"model_type\": \"gpt2\", \"n_head\": 0}", KDL_ERROR_VALUE,
      "`embed_dim` must be divisible by num_heads (got `embed_dim`: 768 and `num_heads`: 0)." },
    { "{\"model_type\": \"llama\", \"num_attention_heads\": 7}", KDL_ERROR_VALUE,
      "The hidden size (4096) is not a multiple of the number of attention heads (7)." },
    { "{\"model_type\": \"llama\", \"num_key_value_heads\": 0}", KDL_ERROR_VALUE,
      "\"num_key_value_heads\" is 0, so attention has no keys" },
    { "{\"model_type\": \"llama\", \"head_dim\": 0}", KDL_ERROR_VALUE,
      "\"head_dim\" is 0, so attention has no width" },
    { "{\"model_type\": \"llama\", \"head_dim\": 7}", KDL_ERROR_VALUE,
      "RoPE requires an even rotary dimension, but got `head_dim`=7." },
    { "{\"model_type\": \"llama\", \"pad_token_id\": 32000}", KDL_ERROR_VALUE,
      "Padding_idx must be within num_embeddings" },
    { "{\"model_type\": \"llama\", \"pad_token_id\": 1.5}", KDL_ERROR_FORMAT,
      "\"pad_token_id\" must be an integer or null, but is a floating-point number" },
    { "{\"model_type\": \"llama\", \"initializer_range\": 1.5}", KDL_ERROR_VALUE,
      "\"initializer_range\" must be from 0 to 1" },
    { "{\"model_type\": \"llama\", \"torch_dtype\": \"float8_e4m3fn\"}", KDL_ERROR_NOT_IMPLEMENTED,
      "\"torch_dtype\" is \"float8_e4m3fn\"; weights can be drawn in float32, float64, float16, "
      "bfloat16" },
    { "{\"model_type\": \"llama\", \"dtype\": 16}", KDL_ERROR_FORMAT,
      "\"dtype\" must be a string, but is an integer" },
    { "{\"model_type\": \"llama\", \"id2label\": [\"a\"]}", KDL_ERROR_FORMAT,
      "\"id2label\" must be an object, but is a list" },
    { "{\"model_type\": \"llama\", \"num_labels\": 1,"
      " \"problem_type\": \"single_label_classification\"}",
      KDL_ERROR_VALUE, "`problem_type=\"single_label_classification\"` requires `num_labels > 1`" },
    { "{\"model_type\": \"llama\", \"quantization_config\": {\"bits\": 4}}",
      KDL_ERROR_NOT_IMPLEMENTED,
      "\"quantization_config\" cannot be honoured: quantised weights are not supported" },
    { "{\"model_type\": \"llama\", \"auto_map\": {\"AutoModel\": \"m.M\"}}",
      KDL_ERROR_NOT_IMPLEMENTED,
      "\"auto_map\" cannot be honoured: code that comes with a model is not supported" },
    { "{\"model_type\": \"gpt2\", \"pruned_heads\": {\"0\": [1]}}", KDL_ERROR_NOT_IMPLEMENTED,
      "\"pruned_heads\" cannot be honoured: pruned attention heads are not supported" },
    { "{\"model_type\": \"gpt2\", \"per_layer_config\": {\"0\": {}}}", KDL_ERROR_NOT_IMPLEMENTED,
      "\"per_layer_config\" cannot be honoured: layers that differ from each other are not "
      "supported" },
};

static void test_refusals(void **state)
{
    (void)state;
    counting_allocator allocator = { 0 };
    kdl_context *ctx = counting_context_new(&allocator);
    kdl_set_deferred(ctx, true);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        assert_null(make(ctx, refusals[i].config));
        assert_error(ctx, refusals[i].status, refusals[i].message);
    }
    counting_context_release(&allocator, ctx);
}

static void test_options(void **state)
{
    (void)state;
    const char *config = "{\"model_type\": \"gpt2\", \"n_layer\": 0, \"dtype\": \"half\"}";
    kdl_context *ctx = new_context(true);
    assert_string_equal(kdl_model_family(0), "gpt2");
    assert_string_equal(kdl_model_family(1), "llama");
    assert_null(kdl_model_family(2));
    assert_null(kdl_model_family(-1));

    assert_null(kdl_model_from_config(ctx, config, strlen(config), .head = "masked"));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_NOT_IMPLEMENTED);
    assert_non_null(strstr(kdl_error_message(ctx), "GPT2LMHeadModel (causal)"));
    kdl_error_clear(ctx);
    assert_null(kdl_model_from_config(ctx, config, strlen(config), .dtype = KDL_I64));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "GPT2LMHeadModel cannot be instantiated under `dtype=torch.int64` as it's not a "
                 "floating-point dtype");
    kdl_module *model = kdl_model_from_config(ctx, config, strlen(config), .head = "base");
    assert_string_equal(kdl_module_type(model)->name, "GPT2Model");
    assert_int_equal(kdl_tensor_dtype(kdl_parameter(model, "wte.weight")), KDL_F16);
    kdl_module_release(model);
    assert_null(kdl_model_from_config(ctx, config, strlen(config) - 1));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_FORMAT);
    assert_null(make(ctx, config)); /* while an error stands */
    kdl_error_clear(ctx);
    kdl_context_release(ctx);
}

static void test_special_numbers(void **state)
{
    (void)state;
    kdl_context *ctx = new_context(false);
    const char *texts[] = {
        "{\"model_type\": \"gpt2\", \"a\": \"x\\\"NaN\", \"initializer_range\": Infinity,"
        " \"b\": [NaN, -Infinity], \"n_layer\": 0, \"vocab_size\": 16, \"n_embd\": 1}",
        "{\"model_type\": \"gpt2\", \"initializer_range\": {\"__float__\": \"Infinity\"},"
        " \"n_layer\": 0, \"vocab_size\": 16, \"n_embd\": 1}",
    };
    for (int i = 0; i < 2; i++) {
        kdl_module *model = make(ctx, texts[i]);
        const float *weight = kdl_tensor_data(kdl_parameter(model, "transformer.wte.weight"));
        assert_true(weight[0] - weight[0] != 0); /* infinite or nan */
        kdl_module_release(model);
    }
    assert_null(make(ctx, "{\"model_type\": \"gpt2\", \"initializer_range\": \"@@\"}"));
    assert_error(ctx, KDL_ERROR_FORMAT,
                 "\"initializer_range\" must be a floating-point number, but is a string");
    assert_null(make(ctx, "{\"a\": NaN, \"b\": Infinite}"));
    assert_error(ctx, KDL_ERROR_FORMAT, "line 1, column 24: invalid token near 'Infinite'");
    kdl_context_release(ctx);
}

/* ---- failing memory, size ---------------------------------------------------------------- */

static kdl_status build(kdl_context *ctx, void *config)
{
    kdl_set_deferred(ctx, true);
    kdl_module *model = make(ctx, config);
    kdl_plan_release(kdl_model_checkpoint_plan(model));
    kdl_module_release(model);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    char gpt2[] = "{\"model_type\": \"gpt2\", \"n_layer\": 1}";
    char llama[] = "{\"model_type\": \"llama\", \"num_hidden_layers\": 1,"
                   " \"tie_word_embeddings\": true}";
    char wrong[] = "{\"model_type\": \"llama\", \"head_dim\": \"wide\"}";
    check_allocation_failures(build, gpt2);
    check_allocation_failures(build, llama);
    kdl_context *ctx = new_context(true);
    assert_int_equal(build(ctx, wrong), KDL_ERROR_FORMAT);
    kdl_context_release(ctx);
}

static void test_largest(void **state)
{
    (void)state;
    kdl_context *ctx = new_context(true);
    kdl_module *model = make(ctx, "{\"model_type\": \"llama\", \"hidden_size\": 16384,"
                                  " \"intermediate_size\": 53248, \"num_hidden_layers\": 126,"
                                  " \"num_attention_heads\": 128, \"num_key_value_heads\": 8,"
                                  " \"vocab_size\": 128256, \"dtype\": \"bfloat16\"}");
    assert_int_equal(kdl_module_numel(model), INT64_C(405853388800));
    kdl_plan *plan = kdl_model_checkpoint_plan(model);
    assert_int_equal(kdl_plan_count(plan), 126 * 9 + 3);
    kdl_plan_release(plan);
    kdl_module_release(model);

    assert_null(make(ctx, "{\"model_type\": \"llama\", \"hidden_size\": 2147483646,"
                          " \"num_attention_heads\": 2, \"vocab_size\": 2147483647,"
                          " \"intermediate_size\": 2147483647, \"num_hidden_layers\": 1}"));
    assert_int_not_equal(kdl_error_status(ctx), KDL_OK);
    kdl_error_clear(ctx);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_recorded_models),
        cmocka_unit_test(test_checkpoint_plan),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_special_numbers),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
