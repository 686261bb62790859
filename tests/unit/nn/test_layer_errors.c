/* SPDX-License-Identifier: Apache-2.0 */
/* What constructors refuse, in PyTorch's words; and embeddings of given weights. */
#include "kindling/kindling.h"
#include "support/contexts.h"

static const struct {
    const char *call;
    kdl_status status;
    const char *message;
} refused[] = {
    { "Dropout2d(-1)", KDL_ERROR_VALUE,
      "dropout probability has to be between 0 and 1, but got -1" },
    { "Hardtanh(1, 1.0)", KDL_ERROR_VALUE, "max_val (1.0) must be greater than min_val (1)" },
    { "Hardtanh(min_value=2)", KDL_ERROR_VALUE, "max_val (1.0) must be greater than min_val (2)" },
    { "Conv2d(3, 8, 3, groups=0)", KDL_ERROR_VALUE, "groups must be a positive integer" },
    { "Conv2d(3, 8, 3, groups=2)", KDL_ERROR_VALUE, "in_channels must be divisible by groups" },
    { "Conv2d(4, 9, 3, groups=2)", KDL_ERROR_VALUE, "out_channels must be divisible by groups" },
    { "Conv2d(4, 8, 3, padding='same', stride=(1, 2))", KDL_ERROR_VALUE,
      "padding='same' is not supported for strided convolutions" },
    { "Conv2d(4, 8, 3, padding='some')", KDL_ERROR_TYPE,
      "Conv2d's argument 'padding' cannot be 'some'" },
    { "Conv1d(4, 8, 3, padding_mode='foo')", KDL_ERROR_VALUE,
      "padding_mode must be one of {'zeros', 'reflect', 'replicate', 'circular'}, but got "
      "padding_mode='foo'" },
    { "Conv1d(4, 8, (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1))", KDL_ERROR_VALUE,
      "kernel_size (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) has too many dimensions" },
    { "Conv2d(-3, 8, 3)", KDL_ERROR_RUNTIME,
      "Trying to create tensor with negative dimension -3: [8, -3, 3, 3]" },
    { "ConvTranspose2d(4, 8, 3, padding_mode='reflect')", KDL_ERROR_VALUE,
      "Only \"zeros\" padding mode is supported for ConvTranspose2d" },
    { "LazyConvTranspose3d(8, 3, padding_mode='circular')", KDL_ERROR_VALUE,
      "Only \"zeros\" padding mode is supported for LazyConvTranspose3d" },
    { "ConvTranspose2d(4, 8, 3, padding='same')", KDL_ERROR_TYPE, "padding cannot be 'same'" },
    { "LazyConv2d(9, 3, groups=-1)", KDL_ERROR_VALUE, "groups must be a positive integer" },
    { "Bilinear(0, 1, 2)", KDL_ERROR_VALUE, "in1_features must be > 0, but got (in1_features=0)" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, 5)", KDL_ERROR_TYPE, "'int' object is not iterable" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [])", KDL_ERROR_VALUE,
      "cutoffs should be a sequence of length larger than 0" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5, 20])", KDL_ERROR_VALUE,
      "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
      "where each value is between 1 and n_classes-1" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16])",
      KDL_ERROR_NOT_IMPLEMENTED, "more than 15 cutoffs are not supported" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5], 0)", KDL_ERROR_ZERO_DIVISION,
      "integer division or modulo by zero" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5], 0.0)", KDL_ERROR_ZERO_DIVISION,
      "float floor division by zero" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5, 6], 1e300)", KDL_ERROR_VALUE,
      "(34, 'Numerical result out of range')" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5], nan)", KDL_ERROR_VALUE,
      "cannot convert float NaN to integer" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5], 5e-324)", KDL_ERROR_VALUE,
      "cannot convert float infinity to integer" },
    { "AdaptiveLogSoftmaxWithLoss(8, 20, [5], -3)", KDL_ERROR_RUNTIME,
      "Trying to create tensor with negative dimension -3: [-3, 8]" },
    { "GroupNorm(3, 4)", KDL_ERROR_VALUE, "num_channels (4) must be divisible by num_groups (3)" },
    { "GroupNorm(0, 4)", KDL_ERROR_ZERO_DIVISION, "integer modulo by zero" },
    { "EmbeddingBag(5, 3, padding_idx=5)", KDL_ERROR_VALUE,
      "padding_idx must be within num_embeddings" },
    { "EmbeddingBag(5, 3, padding_idx=-6)", KDL_ERROR_VALUE,
      "padding_idx must be within num_embeddings" },
    { "FractionalMaxPool2d(3)", KDL_ERROR_VALUE,
      "FractionalMaxPool2d requires specifying either an output size, or a pooling ratio" },
    { "FractionalMaxPool3d(3)", KDL_ERROR_VALUE,
      "FractionalMaxPool3d requires specifying either an output size, or a pooling ratio" },
    { "FractionalMaxPool2d(3, 4, 0.5)", KDL_ERROR_VALUE,
      "only one of output_size and output_ratio may be specified" },
    { "FractionalMaxPool2d(3, output_ratio=1)", KDL_ERROR_VALUE,
      "output_ratio must be between 0 and 1 (got 1)" },
    { "FractionalMaxPool3d(3, output_ratio=(0.5, 0.0, 0.5))", KDL_ERROR_VALUE,
      "output_ratio must be between 0 and 1 (got (0.5, 0.0, 0.5))" },
    { "FractionalMaxPool3d((3, 0, 1), 4)", KDL_ERROR_VALUE,
      "kernel_size must be greater than 0, but got (3, 0, 1)" },
    { "FractionalMaxPool3d(0, 4)", KDL_ERROR_VALUE,
      "kernel_size must be greater than 0, but got 0" },
    { "Unflatten(1, 3)", KDL_ERROR_TYPE,
      "unflattened_size must be a tuple of ints, but found type int" },
    { "MultiMarginLoss(3)", KDL_ERROR_VALUE, "only p == 1 and p == 2 supported" },
    { "TripletMarginLoss(0)", KDL_ERROR_VALUE,
      "TripletMarginLoss: expected margin to be greater than 0, got 0 instead" },
    { "TripletMarginWithDistanceLoss(margin=-1.5)", KDL_ERROR_VALUE,
      "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got -1.5 instead" },
    { "TripletMarginWithDistanceLoss(distance_function=ReLU(), margin=0)", KDL_ERROR_VALUE,
      "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got 0 instead" },
    { "TripletMarginWithDistanceLoss(0)", KDL_ERROR_TYPE,
      "TripletMarginWithDistanceLoss.__init__() takes 1 positional arguments but more were given" },
    { "LinearCrossEntropyLoss(3, 4, label_smoothing=1.5)", KDL_ERROR_RUNTIME,
      "expected label_smoothing to be in range [0, 1], got 1.5" },
    { "LinearCrossEntropyLoss(3, 4, out_features=2)", KDL_ERROR_TYPE,
      "'int' object is not iterable" },
    { "LinearCrossEntropyLoss(3, 4611686018427387904, out_features=(2,))", KDL_ERROR_RUNTIME,
      "numel: integer multiplication overflow" },
    { "LinearCrossEntropyLoss(3, 4, options=3)", KDL_ERROR_TYPE,
      "LinearCrossEntropyLoss's argument 'options' cannot be 3" },
    { "LinearCrossEntropyLoss(3, 4, allow_retain_graph=True)", KDL_ERROR_TYPE,
      "LinearCrossEntropyLoss.__init__() got an unexpected keyword argument 'allow_retain_graph'" },
    { "LinearCrossEntropyLoss(3, 4, options=LinearCrossEntropyOptions(bias=True))", KDL_ERROR_TYPE,
      "LinearCrossEntropyOptions.__init__() got an unexpected keyword argument 'bias'" },
    { "LinearCrossEntropyLoss(3, 4, options=LinearCrossEntropyOptions(True, 2, None, 'auto', None, "
      "1))",
      KDL_ERROR_TYPE,
      "LinearCrossEntropyOptions.__init__() takes 6 positional arguments but more were given" },
    { "LinearCrossEntropyLoss(3, 4, options=LinearCrossEntropyOptions(acc_policy='loose'))",
      KDL_ERROR_VALUE, "invalid acc_policy: 'loose'" },
    { "LinearCrossEntropyLoss(3, 4, options=LinearCrossEntropyOptions(batch_chunk_size=0))",
      KDL_ERROR_VALUE, "batch_chunk_size must be positive int or None, got 0" },
    { "BCELoss(weight=3)", KDL_ERROR_TYPE, "BCELoss's argument 'weight' cannot be 3" },
    { "MSELoss(reduction=None)", KDL_ERROR_TYPE, "MSELoss's argument 'reduction' cannot be None" },
    { "AvgPool1d(3, divisor_override=2)", KDL_ERROR_TYPE,
      "AvgPool1d.__init__() got an unexpected keyword argument 'divisor_override'" },
    { "ZeroPad2d(1, 2)", KDL_ERROR_TYPE,
      "ZeroPad2d.__init__() takes 2 positional arguments but more were given" },
    { "UpsamplingNearest2d(mode='nearest')", KDL_ERROR_TYPE,
      "UpsamplingNearest2d.__init__() got an unexpected keyword argument 'mode'" },
    { "BatchNorm2d(3, 1e-5, 0.1, True, True, None, None, True)", KDL_ERROR_TYPE,
      "BatchNorm2d.__init__() takes 8 positional arguments but more were given" },
    { "LazyBatchNorm2d(num_features=3)", KDL_ERROR_TYPE,
      "LazyBatchNorm2d.__init__() got an unexpected keyword argument 'num_features'" },
    { "LazyConv1d()", KDL_ERROR_TYPE,
      "LazyConv1d.__init__() missing 2 required positional arguments: 'out_channels' and "
      "'kernel_size'" },
};

static void test_refused(void **state)
{
    kdl_context *ctx = *state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_null(kdl_nn_from_text(ctx, refused[i].call));
        assert_error(ctx, refused[i].status, refused[i].message);
    }
}

/* ---- embeddings -------------------------------------------------------------------------- */

static void test_from_pretrained(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *values = kdl_ones(ctx, KDL_SHAPE(4, 3), .dtype = KDL_F64);
    kdl_module *frozen = kdl_nn_embedding_from_pretrained(ctx, kdl_tensor_retain(values));
    kdl_tensor *weight = kdl_parameter(frozen, "weight");
    assert_true(kdl_tensor_shares_storage(weight, values));
    assert_false(kdl_tensor_requires_grad(weight));
    assert_true(kdl_tensor_is_parameter(weight));
    assert_int_equal(kdl_tensor_dtype(weight), KDL_F64);
    kdl_module *bag = kdl_nn_embedding_bag_from_pretrained(
        ctx, kdl_tensor_retain(values), .freeze = false, .padding_idx = -1, .mode = "sum");
    assert_true(kdl_tensor_requires_grad(kdl_parameter(bag, "weight")));
    assert_true(kdl_tensor_get(values, (int64_t[]){ 3, 0 }) == 1); /* not zeroed */
    char *text = kdl_module_to_string(bag);
    assert_string_equal(text, "EmbeddingBag(4, 3, mode='sum', padding_idx=3)");
    kdl_free(ctx, text);
    kdl_module *given =
        kdl_nn_embedding(ctx, 4, 3, .weight = kdl_tensor_retain(values), .freeze = true);
    assert_false(kdl_tensor_requires_grad(kdl_parameter(given, "weight")));
    kdl_module_release(given);
    kdl_module_release(frozen);
    kdl_module_release(bag);

    assert_null(kdl_nn_embedding_from_pretrained(ctx, kdl_ones(ctx, KDL_SHAPE(4))));
    assert_error(ctx, KDL_ERROR_VALUE, "Embeddings parameter is expected to be 2-dimensional");
    assert_null(kdl_nn_embedding_bag_from_pretrained(ctx, NULL));
    assert_error(ctx, KDL_ERROR_VALUE, "embeddings must be a tensor");
    assert_null(kdl_nn_embedding(ctx, 3, 4, .weight = kdl_tensor_retain(values)));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "Shape of weight does not match num_embeddings and embedding_dim");
    assert_null(kdl_nn_embedding_from_pretrained(ctx, kdl_tensor_retain(values),
                                                 .padding_idx = 4)); /* released, too */
    assert_error(ctx, KDL_ERROR_VALUE, "Padding_idx must be within num_embeddings");

    /* What is given is consumed while an error stands. */
    assert_null(kdl_nn_from_text(ctx, "?"));
    assert_null(kdl_nn_embedding_from_pretrained(ctx, kdl_tensor_retain(values)));
    kdl_error_clear(ctx);
    kdl_tensor_release(values);
}

/* ---- losses ------------------------------------------------------------------------------ */

static void test_weighted_losses(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *loss = kdl_nn_cross_entropy_loss(ctx, .weight = kdl_ones(ctx, KDL_SHAPE(3)));
    assert_int_equal(kdl_tensor_size(kdl_buffer(loss, "weight"), 0), 3);
    const kdl_cross_entropy_loss_options *options = kdl_module_fields(loss);
    assert_null(options->weight); /* it is the buffer */
    kdl_module *copy = kdl_module_deep_copy(loss);
    assert_non_null(kdl_buffer(copy, "weight"));
    kdl_module_release(copy);
    kdl_module_release(loss);

    loss = kdl_nn_bce_with_logits_loss(ctx, .weight = kdl_ones(ctx, KDL_SHAPE(1)),
                                       .pos_weight = kdl_zeros(ctx, KDL_SHAPE(2, 2)));
    kdl_iterator it = kdl_state_dict(loss);
    assert_true(kdl_next(&it));
    assert_string_equal(it.name, "weight");
    assert_true(kdl_next(&it));
    assert_string_equal(it.name, "pos_weight");
    assert_false(kdl_next(&it));
    kdl_module_release(loss);

    assert_null(kdl_nn_multi_margin_loss(ctx, .weight = kdl_ones(ctx, KDL_SHAPE(3, 1))));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "MultiMarginLoss: expected weight to be None or 1D tensor, got 2D instead");
    assert_null(
        kdl_nn_linear_cross_entropy_loss(ctx, 2, 5, .weight = kdl_ones(ctx, KDL_SHAPE(3, 1))));
    assert_error(ctx, KDL_ERROR_RUNTIME, "expected weight shape to be (5,), got (3, 1)");

    kdl_tensor *samples = kdl_ones(ctx, KDL_SHAPE(1, 1, 2));
    kdl_module *pool = kdl_nn_fractional_max_pool2d(ctx, 2, .output_size = 3,
                                                    .random_samples = kdl_tensor_retain(samples));
    assert_ptr_equal(kdl_buffer(pool, "_random_samples"), samples);
    kdl_module_release(pool);
    assert_null(kdl_nn_fractional_max_pool2d(ctx, 2, .random_samples = samples));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_VALUE);
    kdl_error_clear(ctx);
}

static void test_deprecated(void **state)
{
    static const struct {
        const char *call, *reduction;
    } cases[] = { { "L1Loss(True)", "mean" },       { "L1Loss(False)", "sum" },
                  { "L1Loss(None, True)", "mean" }, { "L1Loss(True, False)", "none" },
                  { "L1Loss(False, True)", "sum" }, { "L1Loss(False, False, 'mean')", "none" } };
    kdl_context *ctx = *state;
    char warning[MAX_WARNING] = "", expected[200];
    kdl_set_warning_callback(ctx, keep_warning, warning);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kdl_module *loss = kdl_nn_from_text(ctx, cases[i].call);
        const kdl_loss_options *options = kdl_module_fields(loss);
        assert_string_equal(options->reduction, cases[i].reduction);
        snprintf(expected, sizeof expected,
                 "size_average and reduce args will be deprecated, please use reduction='%s' "
                 "instead.",
                 cases[i].reduction);
        assert_string_equal(warning, expected);
        kdl_module_release(loss);
    }
    kdl_module_release(kdl_nn_hardtanh(ctx, .max_value = 3));
    assert_string_equal(warning,
                        "keyword argument `max_value` is deprecated and renamed to `max_val`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_refused),
        CONTEXT_TEST(test_from_pretrained),
        CONTEXT_TEST(test_weighted_losses),
        CONTEXT_TEST(test_deprecated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
