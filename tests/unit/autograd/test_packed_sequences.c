/* SPDX-License-Identifier: Apache-2.0 */
/* Packed sequences by themselves: their order, finite differences, and failing memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* ---- order ------------------------------------------------------------------------------- */

static kdl_tensor *vector(kdl_context *ctx, int64_t count, const int64_t *values)
{
    return kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(count), values);
}

static void assert_values(kdl_tensor *tensor, int64_t count, const int64_t *expected)
{
    assert_int_equal(kdl_tensor_numel(tensor), count);
    assert_memory_equal(kdl_tensor_data(tensor), expected, (size_t)count * sizeof *expected);
}

/* The example of PyTorch's pack_padded_sequence, and its way back. */
static void test_order(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *batch = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(3, 3),
                                             (const int64_t[]){ 1, 2, 0, 3, 0, 0, 4, 5, 6 });
    kdl_tensor *lengths = vector(ctx, 3, (const int64_t[]){ 2, 1, 3 }), *back, *parts[3];
    kdl_packed_sequence packed, again;
    kdl_pack_padded_sequence(batch, lengths, &packed, .batch_first = true, .enforce_sorted = false);
    assert_values(packed.data, 6, (const int64_t[]){ 4, 1, 3, 5, 2, 6 });
    assert_values(packed.batch_sizes, 3, (const int64_t[]){ 3, 2, 1 });
    assert_values(packed.sorted_indices, 3, (const int64_t[]){ 2, 0, 1 });
    assert_values(packed.unsorted_indices, 3, (const int64_t[]){ 1, 2, 0 });
    kdl_tensor *padded = kdl_pad_packed_sequence(&packed, &back, .batch_first = true);
    assert_values(padded, 9, kdl_tensor_data(batch));
    assert_values(back, 3, (const int64_t[]){ 2, 1, 3 });
    assert_int_equal(kdl_unpack_sequence(&packed, parts, 2), 0);
    assert_error(ctx, KDL_ERROR_VALUE, "there are 3 sequences, and room for 2");
    assert_int_equal(kdl_unpack_sequence(&packed, parts, 3), 3);
    kdl_pack_sequence(parts, 3, &again, .enforce_sorted = false);
    assert_values(again.data, 6, kdl_tensor_data(packed.data));
    release_tensors(parts, 3);
    release_all(batch, lengths, padded, back);
    kdl_packed_sequence_release(&packed);
    kdl_packed_sequence_release(&again);
    assert_null(packed.data);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *batch = kdl_zeros(ctx, KDL_SHAPE(3, 2, 4)), *sizes;
    kdl_tensor *lengths = vector(ctx, 2, (const int64_t[]){ 1, 4 });
    kdl_module *linear = kdl_nn_linear(ctx, 4, 4), *gru = kdl_nn_gru(ctx, 4, 2);
    kdl_packed_sequence packed, output;
    kdl_pack_padded_sequence(batch, lengths, &packed, .enforce_sorted = false);
    assert_error(ctx, KDL_ERROR_RUNTIME, "a length of 4 is beyond the 3 steps that there are");
    assert_null(packed.sorted_indices);
    kdl_call_packed(gru, &packed, NULL, &output, NULL);
    assert_error(ctx, KDL_ERROR_TYPE, "an RNN, LSTM or GRU and a packed sequence are needed");
    ((int64_t *)kdl_tensor_data(lengths))[1] = 3;
    kdl_pack_padded_sequence(batch, lengths, &packed, .enforce_sorted = false);
    kdl_call_packed(linear, &packed, NULL, &output, NULL);
    assert_error(ctx, KDL_ERROR_TYPE, "an RNN, LSTM or GRU and a packed sequence are needed");
    sizes = packed.batch_sizes;
    packed.batch_sizes = lengths; /* 1, 3 */
    kdl_call_packed(gru, &packed, NULL, &output, NULL);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "batch_sizes have to be a vector of int64 that decreases only, of all rows of "
                 "input");
    assert_null(kdl_pad_packed_sequence(&packed, NULL));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "this is no PackedSequence: its batch_sizes or sorted_indices do not fit");
    packed.batch_sizes = sizes;
    release_all(batch, lengths);
    kdl_packed_sequence_release(&packed);
    kdl_module_release(linear);
    kdl_module_release(gru);
}

/* ---- gradients --------------------------------------------------------------------------- */

/* Both as three sequences of 4 numbers: of one step, of two, and of one. */
static kdl_status pack_both(kdl_tensor *a, kdl_tensor *b, kdl_packed_sequence *packed)
{
    kdl_tensor *both = kdl_stack((kdl_tensor *[]){ a, b }, 2, 0);
    kdl_tensor *lengths = vector(kdl_tensor_context(a), 3, (const int64_t[]){ 1, 2, 1 });
    kdl_status status = kdl_pack_padded_sequence(both, lengths, packed, .enforce_sorted = false);
    release_all(both, lengths);
    return status;
}

/* The outputs and last states of a layer, all as one vector; consumes the module. */
static kdl_tensor *all_of(kdl_module *module, kdl_tensor *a, kdl_tensor *b)
{
    kdl_packed_sequence packed, output;
    kdl_tensor *states[2] = { NULL }, *parts[3] = { NULL }, *result = NULL;
    pack_both(a, b, &packed);
    kdl_call_packed(module, &packed, NULL, &output, states);
    kdl_tensor *padded = kdl_pad_packed_sequence(&output, NULL, .padding_value = 2);
    kdl_tensor *all[] = { padded, states[0], states[1] };
    int count = states[1] ? 3 : 2;
    for (int i = 0; i < count; i++)
        parts[i] = kdl_reshape(all[i], KDL_SHAPE(-1));
    if (parts[0] && parts[1] && (parts[2] || count == 2))
        result = kdl_cat(parts, count, 0);
    release_tensors(parts, 3);
    release_tensors(all, 3);
    kdl_packed_sequence_release(&packed);
    kdl_packed_sequence_release(&output);
    kdl_module_release(module);
    return result;
}

/* The same weights every time. */
static kdl_context *seeded(kdl_tensor *a)
{
    kdl_context *ctx = kdl_tensor_context(a);
    kdl_manual_seed(ctx, 3);
    return ctx;
}

static kdl_tensor *lstm(kdl_tensor *a, kdl_tensor *b)
{
    return all_of(kdl_nn_lstm(seeded(a), 4, 3, .num_layers = 2, .bidirectional = true,
                              .proj_size = 2, .dtype = KDL_F64),
                  a, b);
}

static kdl_tensor *gru(kdl_tensor *a, kdl_tensor *b)
{
    return all_of(kdl_nn_gru(seeded(a), 4, 3, .bidirectional = true, .dtype = KDL_F64), a, b);
}

static kdl_tensor *rnn(kdl_tensor *a, kdl_tensor *b)
{
    return all_of(kdl_nn_rnn(seeded(a), 4, 3, .num_layers = 2, .dtype = KDL_F64), a, b);
}

static kdl_tensor *lists(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *part = kdl_narrow(b, 0, 1, 1), *sequences[] = { a, part };
    kdl_tensor *padded =
        part ? kdl_pad_sequence(sequences, 2, .padding_side = "left", .padding_value = 1) : NULL;
    kdl_tensor_release(part);
    return padded;
}

static gradient_body *const functions[] = { lstm, gru, rnn, lists };

static void test_finite_differences(void **state)
{
    check_gradients(*state, functions, sizeof functions / sizeof *functions);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_gradient_allocations(functions, sizeof functions / sizeof *functions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_order),
        TRAINING_TEST(test_errors),
        TRAINING_TEST(test_finite_differences),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
