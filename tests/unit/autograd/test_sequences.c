/* SPDX-License-Identifier: Apache-2.0 */
/* Layers for sequences by themselves: finite differences in f64, and failing memory. */
#include <math.h>

#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* ---- finite differences ------------------------------------------------------------------ */

enum { MOST_OUTPUTS = 3 };

/* A module, and what it is called with. */
typedef struct module_call {
    kdl_module *module;
    kdl_tensor *const *inputs;
    int count, outputs;
} module_call;

/* The weighted sum of all outputs; NULL on failure. */
static kdl_tensor *call(const module_call *of)
{
    kdl_tensor *values[MOST_OUTPUTS] = { NULL }, *total = NULL;
    kdl_call_with(of->module, of->inputs, of->count, values, of->outputs);
    for (int i = 0; i < of->outputs; i++) {
        kdl_tensor *sum = weighted_sum(values[i]);
        kdl_tensor *next = total ? kdl_add_tensor(total, sum) : kdl_tensor_retain(sum);
        release_all(values[i], sum, total);
        total = next;
    }
    return total;
}

static double evaluate(void *data)
{
    kdl_tensor *sum = call(data);
    assert_non_null(sum);
    double value = kdl_tensor_item(sum);
    kdl_tensor_release(sum);
    return value;
}

/* The gradients of a module's inputs (consumed) and parameters; consumes the module too. */
static void check_module(kdl_module *module, kdl_tensor **inputs, int count, int outputs)
{
    assert_non_null(module);
    module_call of = { module, inputs, count, outputs };
    for (int i = 0; i < count; i++)
        kdl_requires_grad_(inputs[i], true);
    kdl_tensor *sum = call(&of);
    assert_int_equal(kdl_backward(sum), KDL_OK);
    kdl_tensor_release(sum);
    for (int i = 0; i < count; i++)
        check_leaf(inputs[i], evaluate, &of);
    for (kdl_iterator it = kdl_named_parameters(module); kdl_next(&it);)
        check_leaf(it.tensor, evaluate, &of);
    release_tensors(inputs, (size_t)count);
    kdl_module_release(module);
}

#define NEW(...) kdl_randn(ctx, KDL_SHAPE(__VA_ARGS__), .dtype = KDL_F64)

static void test_recurrent(void **state)
{
    kdl_context *ctx = *state;
    check_module(kdl_nn_lstm(ctx, 3, 4, .num_layers = 2, .bidirectional = true, .proj_size = 2,
                             .dtype = KDL_F64),
                 (kdl_tensor *[]){ NEW(3, 2, 3), NEW(4, 2, 2), NEW(4, 2, 4) }, 3, 3);
    check_module(
        kdl_nn_gru(ctx, 2, 3, .bidirectional = true, .batch_first = true, .dtype = KDL_F64),
        (kdl_tensor *[]){ NEW(2, 4, 2), NEW(2, 2, 3) }, 2, 2);
    check_module(kdl_nn_rnn(ctx, 2, 3, .num_layers = 2, .dtype = KDL_F64),
                 (kdl_tensor *[]){ NEW(4, 2), NEW(2, 3) }, 2, 2);
    check_module(kdl_nn_lstm_cell(ctx, 2, 3, .dtype = KDL_F64),
                 (kdl_tensor *[]){ NEW(2, 2), NEW(2, 3), NEW(2, 3) }, 3, 2);
    check_module(kdl_nn_gru_cell(ctx, 2, 3, .bias = false, .dtype = KDL_F64),
                 (kdl_tensor *[]){ NEW(2), NEW(3) }, 2, 1);
}

static void test_attention(void **state)
{
    kdl_context *ctx = *state;
    check_module(kdl_nn_multihead_attention(ctx, 4, 2, .kdim = 3, .add_bias_kv = true,
                                            .add_zero_attn = true, .dtype = KDL_F64),
                 (kdl_tensor *[]){ NEW(2, 2, 4), NEW(3, 2, 3), NEW(3, 2, 4) }, 3, 3);
    kdl_tensor *mask = kdl_generate_square_subsequent_mask(ctx, 3, KDL_F64);
    kdl_tensor *x = NEW(2, 3, 4), *memory = NEW(2, 2, 4);
    kdl_module *layer = kdl_nn_transformer_decoder_layer(ctx, 4, 2, .dim_feedforward = 3,
                                                         .dropout = 0, .batch_first = true,
                                                         .activation = "gelu", .dtype = KDL_F64);
    kdl_requires_grad_(x, true);
    kdl_tensor *const inputs[] = { x, memory, mask };
    module_call of = { layer, inputs, 3, 1 };
    kdl_tensor *sum = call(&of);
    assert_int_equal(kdl_backward(sum), KDL_OK);
    kdl_tensor_release(sum);
    check_leaf(x, evaluate, &of);
    kdl_module_release(layer);
    kdl_tensor_release(mask);
    kdl_tensor_release(x);
    kdl_tensor_release(memory);
}

/* Attention itself, with heads in groups: a (3, 4) gives queries and keys, b values and a mask. */
static kdl_tensor *attend(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *queries = kdl_reshape(a, KDL_SHAPE(2, 3, 2)), *keys = kdl_narrow(queries, 0, 0, 1);
    kdl_tensor *halves = kdl_reshape(b, KDL_SHAPE(2, 3, 2)), *values = kdl_narrow(halves, 0, 0, 1);
    kdl_tensor *mask = kdl_narrow(b, 1, 0, 3);
    kdl_tensor *result = kdl_f_scaled_dot_product_attention(queries, keys, values,
                                                            .attn_mask = mask, .enable_gqa = true);
    release_all(queries, keys, halves, values, mask);
    return result;
}

static void test_scaled_dot_product_attention(void **state)
{
    check_gradients(*state, (gradient_body *[]){ attend }, 1);
}

/* What a module gives on an instruction set, and the gradient of its input: a reference to each. */
static void run_on(kdl_context *ctx, const char *cpu, kdl_module *module, kdl_tensor *input,
                   kdl_tensor **output, kdl_tensor **grad)
{
    kdl_set_cpu(ctx, cpu);
    kdl_tensor_set_grad(input, NULL);
    *output = kdl_forward(module, input);
    kdl_tensor *sum = kdl_sum(*output);
    kdl_backward(sum);
    *grad = kdl_tensor_retain(kdl_tensor_grad(input));
    kdl_tensor_release(sum);
}

/* Of NaN any one will do. Releases b. */
static void assert_same_bits(kdl_tensor *a, kdl_tensor *b)
{
    assert_non_null(a);
    assert_non_null(b);
    const float *x = kdl_tensor_data(a), *y = kdl_tensor_data(b);
    for (int64_t i = 0; i < kdl_tensor_numel(a); i++)
        if (!isnan(x[i]) || !isnan(y[i]))
            assert_memory_equal(&x[i], &y[i], sizeof *x);
    kdl_tensor_release(b);
}

/* The same bits from every instruction set, also where numbers saturate or are none. */
static void test_instruction_sets(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *modules[] = { kdl_nn_lstm(ctx, 9, 13), kdl_nn_gru(ctx, 9, 13),
                              kdl_nn_rnn(ctx, 9, 13) };
    kdl_tensor *input = kdl_randn(ctx, KDL_SHAPE(30, 2, 9)), *one[2], *other[2];
    kdl_mul_(input, 30);
    kdl_tensor_set(input, (int64_t[]){ 27, 1, 3 }, NAN);
    kdl_requires_grad_(input, true);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        run_on(ctx, kdl_cpu_at(0), modules[i], input, &one[0], &one[1]);
        for (size_t cpu = 1; kdl_cpu_at(cpu); cpu++) {
            run_on(ctx, kdl_cpu_at(cpu), modules[i], input, &other[0], &other[1]);
            assert_same_bits(one[0], other[0]);
            assert_same_bits(one[1], other[1]);
        }
        kdl_tensor_release(one[0]);
        kdl_tensor_release(one[1]);
        kdl_module_release(modules[i]);
    }
    kdl_tensor_release(input);
}

/* NULL in the place of a tensor: an error stands, or nothing happens. */
static void test_null(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *ones = kdl_ones(ctx, KDL_SHAPE(2, 2)), *states[2];
    kdl_tensor *const params[4] = { ones };
    assert_null(kdl_lstm(NULL, NULL, NULL, 0, states));
    assert_null(states[1]);
    assert_null(kdl_gru(ones, NULL, params, 4, NULL));
    assert_null(kdl_f_scaled_dot_product_attention(ones, NULL, ones, .is_causal = true));
    assert_null(kdl_rnn_tanh_cell(ones, NULL, ones, NULL, NULL, NULL));
    kdl_tensor_release(ones);
}

/* ---- failing memory ---------------------------------------------------------------------- */

static kdl_status run_module(kdl_context *ctx, kdl_module *module, kdl_shape shape, int outputs)
{
    kdl_tensor *input = kdl_rand(ctx, shape), *sum = NULL;
    if (module && input)
        sum = call(&(module_call){ module, &input, 1, outputs });
    kdl_backward(sum);
    kdl_tensor_release(input);
    kdl_tensor_release(sum);
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static kdl_status run_lstm(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *module = kdl_nn_lstm(ctx, 2, 3, .num_layers = 2, .bidirectional = true,
                                     .dropout = 0.5, .proj_size = 2, .batch_first = true);
    return run_module(ctx, module, KDL_SHAPE(2, 3, 2), 3);
}

static kdl_status run_gru(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    run_module(ctx, kdl_nn_rnn(ctx, 2, 3), KDL_SHAPE(3, 2), 2);
    run_module(ctx, kdl_nn_lstm_cell(ctx, 2, 3), KDL_SHAPE(2), 2);
    return run_module(ctx, kdl_nn_gru(ctx, 2, 3), KDL_SHAPE(4, 1, 2), 2);
}

/* Self-attention with both masks, an encoder and a decoder. */
static kdl_status run_transformer(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *module =
        kdl_nn_transformer(ctx, .d_model = 4, .nhead = 2, .num_encoder_layers = 1,
                           .num_decoder_layers = 1, .dim_feedforward = 3, .batch_first = true);
    kdl_tensor *x = kdl_rand(ctx, KDL_SHAPE(1, 3, 4)), *output = NULL;
    kdl_tensor *mask = kdl_generate_square_subsequent_mask(ctx, 3, KDL_F32);
    kdl_tensor *padding = kdl_zeros(ctx, KDL_SHAPE(1, 3), .dtype = KDL_BOOL);
    kdl_tensor *inputs[] = { x, x, mask, mask, NULL, padding, NULL, padding };
    kdl_call_with(module, inputs, 8, &output, 1);
    kdl_tensor *sum = kdl_sum(output);
    kdl_backward(sum);
    release_all(x, output, mask, padding, sum);
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static kdl_status run_attention(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *module = kdl_nn_multihead_attention(ctx, 4, 2, .kdim = 3, .vdim = 3,
                                                    .add_bias_kv = true, .add_zero_attn = true);
    kdl_tensor *x = kdl_rand(ctx, KDL_SHAPE(3, 4)), *y = kdl_rand(ctx, KDL_SHAPE(2, 3));
    kdl_tensor *mask = kdl_zeros(ctx, KDL_SHAPE(3, 2), .dtype = KDL_BOOL);
    kdl_tensor *const inputs[] = { x, y, y, NULL, mask };
    kdl_tensor *sum = call(&(module_call){ module, inputs, 5, 3 });
    kdl_backward(sum);
    release_all(x, y, mask, sum);
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(run_attention, NULL);
    check_allocation_failures(run_transformer, NULL);
    check_allocation_failures(run_lstm, NULL);
    check_allocation_failures(run_gru, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_recurrent),
        TRAINING_TEST(test_attention),
        TRAINING_TEST(test_scaled_dot_product_attention),
        TRAINING_TEST(test_instruction_sets),
        TRAINING_TEST(test_null),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
