/* SPDX-License-Identifier: Apache-2.0 */
/* What constructors refuse, in PyTorch's words; and embeddings of given weights. */
#include "kindling/kindling.h"
#include "support/unit.h"

static int set_up(void **state)
{
    *state = kdl_context_new(NULL);
    return *state == NULL;
}

static int tear_down(void **state)
{
    kdl_context *ctx = *state;
    int failed = kdl_error_status(ctx) != KDL_OK;
    kdl_context_release(ctx);
    return failed;
}

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
    { "GroupNorm(3, 4)", KDL_ERROR_VALUE, "num_channels (4) must be divisible by num_groups (3)" },
    { "GroupNorm(0, 4)", KDL_ERROR_ZERO_DIVISION, "integer modulo by zero" },
    { "EmbeddingBag(5, 3, padding_idx=5)", KDL_ERROR_VALUE,
      "padding_idx must be within num_embeddings" },
    { "EmbeddingBag(5, 3, padding_idx=-6)", KDL_ERROR_VALUE,
      "padding_idx must be within num_embeddings" },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_from_pretrained, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
