/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each constructor's macro gives what the call gives that test_calls.c compares with PyTorch: the
 * same arguments, text, tensors and draws.
 */
#include "kindling/kindling.h"
#include "nn/arguments.h"
#include "support/contexts.h"

/* All of a module's arguments, in Python's notation. */
static char *arguments_text(kdl_module *module)
{
    const kdl__arguments *arguments = kdl__class_arguments(kdl_module_type(module));
    kdl__text text;
    kdl__text_init(&text, kdl_module_context(module));
    for (int i = 0; i < arguments->count; i++) {
        kdl__text_puts(&text, i ? ", " : "");
        kdl__text_argument(&text, module, &arguments->list[i], true);
    }
    return kdl__text_take(&text);
}

/* Everything that can be asked of two modules is equal; both are released. */
static void assert_equal(kdl_context *ctx, const char *call, kdl_module *made, kdl_module *read)
{
    if (kdl_error_status(ctx) != KDL_OK)
        fail_msg("%s: %s", call, kdl_error_message(ctx));
    char *text = kdl_module_to_string(made), *expected = kdl_module_to_string(read);
    assert_string_equal(text, expected);
    assert_ptr_equal(kdl_module_type(made), kdl_module_type(read));
    kdl_free(ctx, text);
    kdl_free(ctx, expected);
    text = arguments_text(made);
    expected = arguments_text(read);
    assert_string_equal(text, expected);
    kdl_iterator a = kdl_state_dict(made), b = kdl_state_dict(read);
    while (kdl_next(&a)) {
        assert_true(kdl_next(&b));
        assert_string_equal(a.name, b.name);
        assert_int_equal(kdl_tensor_dtype(a.tensor), kdl_tensor_dtype(b.tensor));
        assert_int_equal(kdl_tensor_is_uninitialized(a.tensor),
                         kdl_tensor_is_uninitialized(b.tensor));
        if (kdl_tensor_is_uninitialized(a.tensor))
            continue;
        assert_int_equal(kdl_tensor_numel(a.tensor), kdl_tensor_numel(b.tensor));
        assert_memory_equal(kdl_tensor_data(a.tensor), kdl_tensor_data(b.tensor),
                            kdl_tensor_nbytes(a.tensor));
    }
    assert_false(kdl_next(&b));
    kdl_free(ctx, text);
    kdl_free(ctx, expected);
    kdl_module_release(made);
    kdl_module_release(read);
}

/* Makes a module both ways from the same seed. */
#define SAME(macro, call)                                                                          \
    do {                                                                                           \
        kdl_manual_seed(ctx, 7);                                                                   \
        kdl_module *made_ = macro;                                                                 \
        kdl_manual_seed(ctx, 7);                                                                   \
        assert_equal(ctx, call, made_, kdl_nn_from_text(ctx, call));                               \
    } while (0)

static void test_activations(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_log_sigmoid(ctx), "LogSigmoid()");
    SAME(kdl_nn_sigmoid(ctx), "Sigmoid()");
    SAME(kdl_nn_softmax2d(ctx), "Softmax2d()");
    SAME(kdl_nn_softsign(ctx), "Softsign()");
    SAME(kdl_nn_tanh(ctx), "Tanh()");
    SAME(kdl_nn_tanhshrink(ctx), "Tanhshrink()");
    SAME(kdl_nn_hardsigmoid(ctx, .inplace = true), "Hardsigmoid(True)");
    SAME(kdl_nn_hardswish(ctx), "Hardswish()");
    SAME(kdl_nn_mish(ctx, .inplace = true), "Mish(True)");
    SAME(kdl_nn_relu(ctx), "ReLU()");
    SAME(kdl_nn_relu6(ctx, .inplace = true), "ReLU6(True)");
    SAME(kdl_nn_selu(ctx), "SELU()");
    SAME(kdl_nn_silu(ctx, .inplace = true), "SiLU(True)");
    SAME(kdl_nn_glu(ctx), "GLU()");
    SAME(kdl_nn_log_softmax(ctx, .dim = 1), "LogSoftmax(1)");
    SAME(kdl_nn_softmax(ctx), "Softmax()");
    SAME(kdl_nn_softmin(ctx, .dim = KDL_NONE_INT), "Softmin(None)");
    SAME(kdl_nn_celu(ctx, .alpha = 2), "CELU(2.0)");
    SAME(kdl_nn_elu(ctx, .alpha = 0.5, .inplace = true), "ELU(0.5, True)");
    SAME(kdl_nn_gelu(ctx, .approximate = "tanh"), "GELU('tanh')");
    SAME(kdl_nn_hardshrink(ctx), "Hardshrink()");
    SAME(kdl_nn_softshrink(ctx, .lambd = kdl_int(1)), "Softshrink(1)");
    SAME(kdl_nn_hardtanh(ctx, .max_val = 3), "Hardtanh(max_val=3.0)");
    SAME(kdl_nn_leaky_relu(ctx, .negative_slope = 1e-5), "LeakyReLU(1e-5)");
    SAME(kdl_nn_prelu(ctx, .num_parameters = 3, .dtype = KDL_BF16), "PReLU(3, dtype=bfloat16)");
    SAME(kdl_nn_rrelu(ctx), "RReLU()");
    SAME(kdl_nn_softplus(ctx, .beta = 2), "Softplus(2.0)");
    SAME(kdl_nn_threshold(ctx, 0.1, 20), "Threshold(0.1, 20)");
    SAME(kdl_nn_alpha_dropout(ctx), "AlphaDropout()");
    SAME(kdl_nn_dropout(ctx, .p = 0.1), "Dropout(0.1)");
    SAME(kdl_nn_dropout1d(ctx), "Dropout1d()");
    SAME(kdl_nn_dropout2d(ctx, .inplace = true), "Dropout2d(inplace=True)");
    SAME(kdl_nn_dropout3d(ctx), "Dropout3d()");
    SAME(kdl_nn_feature_alpha_dropout(ctx), "FeatureAlphaDropout()");
}

static void test_linear(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_identity(ctx), "Identity()");
    SAME(kdl_nn_linear(ctx, 3, 4, .bias = false), "Linear(3, 4, False)");
    SAME(kdl_nn_lazy_linear(ctx, 4, .dtype = KDL_F64), "LazyLinear(4, dtype=float64)");
    SAME(kdl_nn_bilinear(ctx, 2, 3, 4), "Bilinear(2, 3, 4)");
    SAME(kdl_nn_embedding(ctx, 5, 3, .padding_idx = -1), "Embedding(5, 3, -1)");
    SAME(kdl_nn_embedding_bag(ctx, 5, 3, .mode = "max"), "EmbeddingBag(5, 3, mode='max')");
}

static void test_convolutions(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_conv1d(ctx, 4, 6, 3, .stride = 2), "Conv1d(4, 6, 3, stride=2)");
    SAME(kdl_nn_conv2d(ctx, 4, 6, KDL_SHAPE(3, 2), .padding = KDL_PADDING_SAME, .groups = 2),
         "Conv2d(4, 6, (3, 2), padding='same', groups=2)");
    SAME(kdl_nn_conv3d(ctx, 4, 6, 1, .strides = KDL_SHAPE(1, 2, 3), .padding_mode = "circular"),
         "Conv3d(4, 6, 1, stride=(1, 2, 3), padding_mode='circular')");
    SAME(kdl_nn_conv_transpose1d(ctx, 4, 6, 3, .output_padding = 1, .stride = 2),
         "ConvTranspose1d(4, 6, 3, output_padding=1, stride=2)");
    SAME(kdl_nn_conv_transpose2d(ctx, 4, 6, 3, .dilations = KDL_SHAPE(2, 1)),
         "ConvTranspose2d(4, 6, 3, dilation=(2, 1))");
    SAME(kdl_nn_conv_transpose3d(ctx, 4, 6, 2, .bias = false),
         "ConvTranspose3d(4, 6, 2, bias=False)");
    SAME(kdl_nn_lazy_conv1d(ctx, 6, 3), "LazyConv1d(6, 3)");
    SAME(kdl_nn_lazy_conv2d(ctx, 6, 3, .paddings = KDL_SHAPE(1, 2)),
         "LazyConv2d(6, 3, padding=(1, 2))");
    SAME(kdl_nn_lazy_conv3d(ctx, 6, 3, .bias = false), "LazyConv3d(6, 3, bias=False)");
    SAME(kdl_nn_lazy_conv_transpose1d(ctx, 6, 3), "LazyConvTranspose1d(6, 3)");
    SAME(kdl_nn_lazy_conv_transpose2d(ctx, 6, 3), "LazyConvTranspose2d(6, 3)");
    SAME(kdl_nn_lazy_conv_transpose3d(ctx, 6, 3), "LazyConvTranspose3d(6, 3)");
}

static void test_norms(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_layer_norm(ctx, 5), "LayerNorm(5)");
    SAME(kdl_nn_layer_norm(ctx, KDL_SHAPE(5, 2), .eps = 1), "LayerNorm((5, 2), 1.0)");
    SAME(kdl_nn_rms_norm(ctx, 5), "RMSNorm(5)");
    SAME(kdl_nn_group_norm(ctx, 2, 4, .bias = false), "GroupNorm(2, 4, bias=False)");
    SAME(kdl_nn_local_response_norm(ctx, 2), "LocalResponseNorm(2)");
    SAME(kdl_nn_cross_map_lrn2d(ctx, 2, .beta = 1), "CrossMapLRN2d(2, beta=1.0)");
    SAME(kdl_nn_batch_norm1d(ctx, 3), "BatchNorm1d(3)");
    SAME(kdl_nn_batch_norm2d(ctx, 3, .momentum = KDL_NONE_FLOAT), "BatchNorm2d(3, momentum=None)");
    SAME(kdl_nn_batch_norm3d(ctx, 3, .affine = false), "BatchNorm3d(3, affine=False)");
    SAME(kdl_nn_sync_batch_norm(ctx, 3, .dtype = KDL_F16), "SyncBatchNorm(3, dtype=float16)");
    SAME(kdl_nn_instance_norm1d(ctx, 3), "InstanceNorm1d(3)");
    SAME(kdl_nn_instance_norm2d(ctx, 3, .affine = true), "InstanceNorm2d(3, affine=True)");
    SAME(kdl_nn_instance_norm3d(ctx, 3, .track_running_stats = true),
         "InstanceNorm3d(3, track_running_stats=True)");
    SAME(kdl_nn_lazy_batch_norm1d(ctx), "LazyBatchNorm1d()");
    SAME(kdl_nn_lazy_batch_norm2d(ctx, .bias = false), "LazyBatchNorm2d(bias=False)");
    SAME(kdl_nn_lazy_batch_norm3d(ctx), "LazyBatchNorm3d()");
    SAME(kdl_nn_lazy_instance_norm1d(ctx), "LazyInstanceNorm1d()");
    SAME(kdl_nn_lazy_instance_norm2d(ctx), "LazyInstanceNorm2d()");
    SAME(kdl_nn_lazy_instance_norm3d(ctx, .eps = 1), "LazyInstanceNorm3d(1.0)");
}

static void test_pools(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_max_pool1d(ctx, 3), "MaxPool1d(3)");
    SAME(kdl_nn_max_pool2d(ctx, KDL_SHAPE(3, 2), .stride = 2, .ceil_mode = true),
         "MaxPool2d((3, 2), 2, ceil_mode=True)");
    SAME(kdl_nn_max_pool3d(ctx, 3, .dilations = KDL_SHAPE(1, 2, 3)),
         "MaxPool3d(3, dilation=(1, 2, 3))");
    SAME(kdl_nn_max_unpool1d(ctx, 3), "MaxUnpool1d(3)");
    SAME(kdl_nn_max_unpool2d(ctx, 3, .strides = KDL_SHAPE(2, 1)), "MaxUnpool2d(3, (2, 1))");
    SAME(kdl_nn_max_unpool3d(ctx, 3, .padding = 1), "MaxUnpool3d(3, padding=1)");
    SAME(kdl_nn_avg_pool1d(ctx, 3), "AvgPool1d(3)");
    SAME(kdl_nn_avg_pool2d(ctx, 3, .divisor_override = 2), "AvgPool2d(3, divisor_override=2)");
    SAME(kdl_nn_avg_pool3d(ctx, 3, .paddings = KDL_SHAPE(1, 0, 1)),
         "AvgPool3d(3, padding=(1, 0, 1))");
    SAME(kdl_nn_lp_pool1d(ctx, 2, 3), "LPPool1d(2, 3)");
    SAME(kdl_nn_lp_pool2d(ctx, 1.5, KDL_SHAPE(3, 2)), "LPPool2d(1.5, (3, 2))");
    SAME(kdl_nn_lp_pool3d(ctx, 2, 3, .stride = 1), "LPPool3d(2, 3, 1)");
    SAME(kdl_nn_adaptive_avg_pool1d(ctx, 5), "AdaptiveAvgPool1d(5)");
    SAME(kdl_nn_adaptive_avg_pool2d(ctx, KDL_SHAPE(KDL_NONE_INT, 7)),
         "AdaptiveAvgPool2d((None, 7))");
    SAME(kdl_nn_adaptive_avg_pool3d(ctx, KDL_NONE_INT), "AdaptiveAvgPool3d(None)");
    SAME(kdl_nn_adaptive_max_pool1d(ctx, 5, .return_indices = true), "AdaptiveMaxPool1d(5, True)");
    SAME(kdl_nn_adaptive_max_pool2d(ctx, 5), "AdaptiveMaxPool2d(5)");
    SAME(kdl_nn_adaptive_max_pool3d(ctx, KDL_SHAPE(1, 2, 3)), "AdaptiveMaxPool3d((1, 2, 3))");
    SAME(kdl_nn_fractional_max_pool2d(ctx, 3, .output_ratios = KDL_RATIOS(0.5, 0.25)),
         "FractionalMaxPool2d(3, output_ratio=(0.5, 0.25))");
    SAME(kdl_nn_fractional_max_pool3d(ctx, 3, .output_size = 4), "FractionalMaxPool3d(3, 4)");
}

static void test_shapes(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_circular_pad1d(ctx, 1), "CircularPad1d(1)");
    SAME(kdl_nn_circular_pad2d(ctx, KDL_SHAPE(1, 2, 3, 4)), "CircularPad2d((1, 2, 3, 4))");
    SAME(kdl_nn_circular_pad3d(ctx, 1), "CircularPad3d(1)");
    SAME(kdl_nn_constant_pad1d(ctx, 1, 0), "ConstantPad1d(1, 0)");
    SAME(kdl_nn_constant_pad2d(ctx, 1, 3.5), "ConstantPad2d(1, 3.5)");
    SAME(kdl_nn_constant_pad3d(ctx, 1, -1), "ConstantPad3d(1, -1)");
    SAME(kdl_nn_reflection_pad1d(ctx, 1), "ReflectionPad1d(1)");
    SAME(kdl_nn_reflection_pad2d(ctx, 1), "ReflectionPad2d(1)");
    SAME(kdl_nn_reflection_pad3d(ctx, 1), "ReflectionPad3d(1)");
    SAME(kdl_nn_replication_pad1d(ctx, 1), "ReplicationPad1d(1)");
    SAME(kdl_nn_replication_pad2d(ctx, 1), "ReplicationPad2d(1)");
    SAME(kdl_nn_replication_pad3d(ctx, 1), "ReplicationPad3d(1)");
    SAME(kdl_nn_zero_pad1d(ctx, 1), "ZeroPad1d(1)");
    SAME(kdl_nn_zero_pad2d(ctx, 1), "ZeroPad2d(1)");
    SAME(kdl_nn_zero_pad3d(ctx, 1), "ZeroPad3d(1)");
    SAME(kdl_nn_flatten(ctx, .start_dim = 0), "Flatten(0)");
    SAME(kdl_nn_unflatten(ctx, 1, KDL_SHAPE(2, 5)), "Unflatten(1, (2, 5))");
    SAME(kdl_nn_fold(ctx, KDL_SHAPE(4, 5), 2, .stride = 2), "Fold((4, 5), 2, stride=2)");
    SAME(kdl_nn_unfold(ctx, 2, .paddings = KDL_SHAPE(1, 0)), "Unfold(2, padding=(1, 0))");
    SAME(kdl_nn_channel_shuffle(ctx, 2), "ChannelShuffle(2)");
    SAME(kdl_nn_pixel_shuffle(ctx, 2), "PixelShuffle(2)");
    SAME(kdl_nn_pixel_unshuffle(ctx, 2), "PixelUnshuffle(2)");
    SAME(kdl_nn_upsample(ctx, .scale_factor = 2, .mode = "bilinear", .align_corners = true),
         "Upsample(scale_factor=2, mode='bilinear', align_corners=True)");
    SAME(kdl_nn_upsampling_nearest2d(ctx, .size = 3), "UpsamplingNearest2d(3)");
    SAME(kdl_nn_upsampling_bilinear2d(ctx, .scale_factors = KDL_RATIOS(2, 1.5)),
         "UpsamplingBilinear2d(scale_factor=(2, 1.5))");
}

static void test_losses(void **state)
{
    kdl_context *ctx = *state;
    SAME(kdl_nn_adaptive_log_softmax_with_loss(ctx, 8, 20, KDL_SHAPE(5, 10), .div_value = 2,
                                               .head_bias = true),
         "AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], 2.0, True)");
    SAME(kdl_nn_l1_loss(ctx), "L1Loss()");
    SAME(kdl_nn_mse_loss(ctx, .reduction = "sum"), "MSELoss(reduction='sum')");
    SAME(kdl_nn_multi_label_margin_loss(ctx), "MultiLabelMarginLoss()");
    SAME(kdl_nn_soft_margin_loss(ctx, .size_average = false), "SoftMarginLoss(False)");
    SAME(kdl_nn_bce_loss(ctx), "BCELoss()");
    SAME(kdl_nn_multi_label_soft_margin_loss(ctx), "MultiLabelSoftMarginLoss()");
    SAME(kdl_nn_nll_loss(ctx, .ignore_index = 0), "NLLLoss(ignore_index=0)");
    SAME(kdl_nn_cross_entropy_loss(ctx, .label_smoothing = 0.1),
         "CrossEntropyLoss(label_smoothing=0.1)");
    SAME(kdl_nn_linear_cross_entropy_loss(ctx, 3, 4, .out_features = KDL_SHAPE(2)),
         "LinearCrossEntropyLoss(3, 4, out_features=(2,))");
    SAME(kdl_nn_linear_cross_entropy_loss(ctx, 3, 4, .bias = true),
         "LinearCrossEntropyLoss(3, 4, out_features=(), bias=True)");
    SAME(kdl_nn_linear_cross_entropy_loss(ctx, 3, 4, .options.chunked = true,
                                          .options.batch_chunk_size = 8,
                                          .options.acc_dtype = KDL_F32),
         "LinearCrossEntropyLoss(3, 4, options=nn.LinearCrossEntropyOptions(batch_chunk_size=8, "
         "acc_dtype=torch.float32))");
    SAME(kdl_nn_bce_with_logits_loss(ctx), "BCEWithLogitsLoss()");
    SAME(kdl_nn_poisson_nll_loss(ctx, .full = true), "PoissonNLLLoss(full=True)");
    SAME(kdl_nn_gaussian_nll_loss(ctx), "GaussianNLLLoss()");
    SAME(kdl_nn_kl_div_loss(ctx, .log_target = true), "KLDivLoss(log_target=True)");
    SAME(kdl_nn_ctc_loss(ctx, .blank = 1), "CTCLoss(1)");
    SAME(kdl_nn_smooth_l1_loss(ctx, .beta = 2), "SmoothL1Loss(beta=2.0)");
    SAME(kdl_nn_huber_loss(ctx), "HuberLoss()");
    SAME(kdl_nn_hinge_embedding_loss(ctx), "HingeEmbeddingLoss()");
    SAME(kdl_nn_cosine_embedding_loss(ctx, .margin = 1), "CosineEmbeddingLoss(1.0)");
    SAME(kdl_nn_margin_ranking_loss(ctx), "MarginRankingLoss()");
    SAME(kdl_nn_multi_margin_loss(ctx, .p = 2), "MultiMarginLoss(2)");
    SAME(kdl_nn_triplet_margin_loss(ctx, .swap = true), "TripletMarginLoss(swap=True)");
    SAME(kdl_nn_triplet_margin_with_distance_loss(ctx), "TripletMarginWithDistanceLoss()");
    SAME(kdl_nn_triplet_margin_with_distance_loss(ctx, .distance_function =
                                                           kdl_nn_cosine_similarity(ctx, .dim = 0)),
         "TripletMarginWithDistanceLoss(distance_function=CosineSimilarity(0))");
    SAME(kdl_nn_cosine_similarity(ctx), "CosineSimilarity()");
    SAME(kdl_nn_pairwise_distance(ctx, .keepdim = true), "PairwiseDistance(keepdim=True)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_activations), CONTEXT_TEST(test_linear), CONTEXT_TEST(test_convolutions),
        CONTEXT_TEST(test_norms),       CONTEXT_TEST(test_pools),  CONTEXT_TEST(test_shapes),
        CONTEXT_TEST(test_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
