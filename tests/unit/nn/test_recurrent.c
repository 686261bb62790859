/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, LSTM, GRU and their cells through the C API: constructors, classes, errors, warnings. */
#include "kindling/kindling.h"
#include "support/contexts.h"

/* Asserts that a module (released), made from this seed, is what the call in Python makes. */
static void assert_made(kdl_context *ctx, kdl_module *module, const char *call)
{
    kdl_manual_seed(ctx, 11);
    kdl_module *expected = kdl_nn_from_text(ctx, call);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_ptr_equal(kdl_module_type(module), kdl_module_type(expected));
    char *printed = kdl_module_to_string(module), *text = kdl_module_to_string(expected);
    assert_string_equal(printed, text);
    kdl_iterator theirs = kdl_state_dict(expected);
    for (kdl_iterator it = kdl_state_dict(module); kdl_next(&it);) {
        assert_true(kdl_next(&theirs));
        assert_string_equal(it.name, theirs.name);
        assert_int_equal(kdl_tensor_nbytes(it.tensor), kdl_tensor_nbytes(theirs.tensor));
        assert_memory_equal(kdl_tensor_data(it.tensor), kdl_tensor_data(theirs.tensor),
                            kdl_tensor_nbytes(it.tensor));
    }
    assert_false(kdl_next(&theirs));
    kdl_free(ctx, printed);
    kdl_free(ctx, text);
    kdl_module_release(module);
    kdl_module_release(expected);
    kdl_manual_seed(ctx, 11);
}

static void test_constructors(void **state)
{
    kdl_context *ctx = *state;
    kdl_manual_seed(ctx, 11);
    assert_made(ctx, kdl_nn_rnn(ctx, 3, 4, .nonlinearity = "relu", .dtype = KDL_F64),
                "RNN(3, 4, nonlinearity='relu', dtype=torch.float64)");
    assert_made(ctx, kdl_nn_lstm(ctx, 3, 4, .num_layers = 2, .proj_size = 2, .bidirectional = true),
                "LSTM(3, 4, 2, proj_size=2, bidirectional=True)");
    assert_made(
        ctx,
        kdl_nn_gru(ctx, 3, 4, .num_layers = 2, .bias = false, .batch_first = true, .dropout = 0.5),
        "GRU(3, 4, 2, False, True, 0.5)");
    assert_made(ctx, kdl_nn_rnn_base(ctx, "RNN_RELU", 3, 4, .proj_size = 1),
                "RNNBase('RNN_RELU', 3, 4, proj_size=1)");
    assert_made(ctx, kdl_nn_rnn_cell(ctx, 3, 4, .nonlinearity = "relu"),
                "RNNCell(3, 4, nonlinearity='relu')");
    assert_made(ctx, kdl_nn_lstm_cell(ctx, 3, 4, .bias = false), "LSTMCell(3, 4, False)");
    assert_made(ctx, kdl_nn_gru_cell(ctx, 3, 4, .dtype = KDL_BF16),
                "GRUCell(3, 4, dtype=torch.bfloat16)");
    assert_made(ctx, kdl_nn_rnn_cell_base(ctx, 3, 4, false, 2), "RNNCellBase(3, 4, False, 2)");
}

static void test_classes(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *lstm = kdl_nn_lstm(ctx, 2, 3, .dropout = kdl_int(0));
    assert_true(kdl_isinstance(lstm, KDL_CLASS_RNN_BASE));
    assert_false(kdl_isinstance(lstm, KDL_CLASS_RNN));
    const kdl_rnn_options *fields = kdl_module_fields(lstm);
    assert_string_equal(fields->mode, "LSTM");
    assert_int_equal(fields->proj_size, 0);
    assert_false(kdl_is_int(fields->dropout)); /* float(dropout) */
    kdl_module *gru = kdl_nn_gru(ctx, 2, 3);
    fields = kdl_module_fields(gru);
    assert_int_equal(fields->proj_size, 0);
    kdl_module *cell = kdl_nn_gru_cell(ctx, 2, 3);
    assert_true(kdl_isinstance(cell, KDL_CLASS_RNN_CELL_BASE));
    const kdl_rnn_cell_options *cell_fields = kdl_module_fields(cell);
    assert_int_equal(cell_fields->num_chunks, 3);

    kdl_tensor *bias = kdl_parameter(gru, "bias_hh_l0");
    double before = kdl_tensor_get(bias, (const int64_t[]){ 8 });
    assert_int_equal(kdl_reset_parameters(gru), KDL_OK);
    assert_true(kdl_tensor_get(bias, (const int64_t[]){ 8 }) != before);
    kdl_module_release(lstm);
    kdl_module_release(gru);
    kdl_module_release(cell);
}

static void test_dropout(void **state)
{
    kdl_context *ctx = *state;
    char warning[MAX_WARNING] = "";
    kdl_set_warning_callback(ctx, keep_warning, warning);
    kdl_module_release(kdl_nn_gru(ctx, 2, 3, .dropout = 0.25, .num_layers = 2));
    kdl_module_release(kdl_nn_gru(ctx, 2, 3));
    assert_string_equal(warning, "");
    kdl_module_release(kdl_nn_lstm(ctx, 2, 3, .dropout = 0.25));
    assert_string_equal(warning,
                        "dropout option adds dropout after all but last recurrent layer, so "
                        "non-zero dropout expects num_layers greater than 1, but got dropout=0.25 "
                        "and num_layers=1");
    const double refused[] = { -0.5, 1.25, KDL_NONE_FLOAT, kdl_int(2) };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_null(kdl_nn_rnn(ctx, 2, 3, .dropout = refused[i]));
        assert_error(ctx, KDL_ERROR_VALUE,
                     "dropout should be a number in range [0, 1] representing the probability of "
                     "an element being zeroed");
    }
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    assert_null(kdl_nn_lstm(ctx, 0, 3));
    assert_error(ctx, KDL_ERROR_VALUE, "input_size must be greater than zero");
    assert_null(kdl_nn_lstm(ctx, 2, -3));
    assert_error(ctx, KDL_ERROR_VALUE, "hidden_size must be greater than zero");
    assert_null(kdl_nn_gru(ctx, 2, 3, .num_layers = 0));
    assert_error(ctx, KDL_ERROR_VALUE, "num_layers must be greater than zero");
    assert_null(kdl_nn_lstm(ctx, 2, 3, .proj_size = -1));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "proj_size should be a positive integer or zero to disable projections");
    assert_null(kdl_nn_lstm(ctx, 2, 3, .proj_size = 3));
    assert_error(ctx, KDL_ERROR_VALUE, "proj_size has to be smaller than hidden_size");
    assert_null(kdl_nn_rnn(ctx, 2, 3, .proj_size = 1));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "proj_size argument is only supported for LSTM, not RNN or GRU");
    assert_null(kdl_nn_rnn(ctx, 2, 3, .nonlinearity = "gelu"));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Unknown nonlinearity 'gelu'. Select from 'tanh' or 'relu'.");
    assert_null(kdl_nn_rnn(ctx, 2, 3, .nonlinearity = NULL));
    assert_error(ctx, KDL_ERROR_TYPE, "the argument 'nonlinearity' cannot be None");
    assert_null(kdl_nn_rnn_base(ctx, "RNN", 2, 3));
    assert_error(ctx, KDL_ERROR_VALUE, "Unrecognized RNN mode: RNN");
    assert_null(kdl_nn_lstm(ctx, 2, INT64_MAX / 2));
    assert_error(ctx, KDL_ERROR_RUNTIME, "numel: integer multiplication overflow");
    assert_null(kdl_nn_gru_cell(ctx, 2, -1));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Trying to create tensor with negative dimension -3: [-3, 2]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_constructors),
        CONTEXT_TEST(test_classes),
        CONTEXT_TEST(test_dropout),
        CONTEXT_TEST(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
