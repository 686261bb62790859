/* SPDX-License-Identifier: Apache-2.0 */
/* The losses' gradients by finite differences, and what they do without memory. */
#include <math.h>

#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

#define PAIR(name, call)                                                                           \
    static kdl_tensor *name(kdl_tensor *a, kdl_tensor *b)                                          \
    {                                                                                              \
        return call;                                                                               \
    }
PAIR(mse, kdl_f_mse_loss(a, b, KDL_REDUCTION_NONE))
PAIR(smooth_l1, kdl_f_smooth_l1_loss(a, b, KDL_REDUCTION_MEAN, 0.2))
PAIR(huber, kdl_f_huber_loss(a, b, KDL_REDUCTION_SUM, 0.15))
PAIR(logits, kdl_f_binary_cross_entropy_with_logits(a, b, NULL, NULL, KDL_REDUCTION_NONE))
PAIR(weighted, kdl_f_binary_cross_entropy_with_logits(a, b, a, b, KDL_REDUCTION_MEAN))
PAIR(kl, kdl_f_kl_div(a, b, KDL_REDUCTION_BATCHMEAN, false))
PAIR(kl_log, kdl_f_kl_div(a, b, KDL_REDUCTION_SUM, true))
PAIR(poisson, kdl_f_poisson_nll_loss(a, b, false, false, 1e-8, KDL_REDUCTION_NONE))
PAIR(gaussian, kdl_f_gaussian_nll_loss(a, b, b, true, 1e-6, KDL_REDUCTION_NONE))
PAIR(similarity, kdl_f_cosine_similarity(a, b, 1, 1e-8))
PAIR(distance, kdl_f_pairwise_distance(a, b, 3, 1e-6, true))
PAIR(triplet, kdl_f_triplet_margin_loss(a, b, a, 1, 2, 1e-6, true, KDL_REDUCTION_SUM))
PAIR(ranked, kdl_f_margin_ranking_loss(a, b, b, 0.3, KDL_REDUCTION_NONE))
PAIR(probable, kdl_f_cross_entropy(a, b, .label_smoothing = 0.2))
PAIR(together, ((void)b, kdl_logsumexp(a, 0, true)))
PAIR(multiplied, ((void)b, kdl_prod_dim(a, 1, false)))
PAIR(deviation, ((void)b, kdl_std_dim(a, 1, 1, false)))
PAIR(summed, ((void)b, kdl_cumsum(a, 1)))
PAIR(length, ((void)b, kdl_norm_dim(a, 2, 0, false)))

/* Of classes 2, 0, 3. */
static kdl_tensor *labels_of(kdl_tensor *a)
{
    return kdl_tensor_from_data(kdl_tensor_context(a), KDL_I64, KDL_SHAPE(3),
                                (int64_t[]){ 2, 0, 3 });
}

static kdl_tensor *classes(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *labels = labels_of(a), *weight = kdl_select(b, 0, 0);
    kdl_tensor *fixed = weight ? kdl_detach(weight) : NULL;
    kdl_tensor *loss = kdl_f_cross_entropy(a, labels, .weight = fixed, .label_smoothing = 0.1);
    kdl_tensor_release(labels);
    kdl_tensor_release(weight);
    kdl_tensor_release(fixed);
    return loss;
}

/* A linear layer's scores of three rows: in chunks of two. */
static kdl_tensor *by_chunks(kdl_tensor *a, kdl_tensor *b, kdl_reduction reduction)
{
    kdl_tensor *labels = labels_of(a), *weight = kdl_cat((kdl_tensor *[]){ b, a }, 2, 0);
    kdl_tensor *bias = weight ? kdl_select(weight, 1, 2) : NULL;
    kdl_tensor *loss =
        kdl_f_linear_cross_entropy(a, weight, labels, .linear_bias = bias, .reduction = reduction,
                                   .options.chunked = true, .options.batch_chunk_size = 2);
    kdl_tensor *all[] = { labels, weight, bias };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kdl_tensor_release(all[i]);
    return loss;
}

PAIR(chunks, by_chunks(a, b, KDL_REDUCTION_MEAN))
PAIR(rows_of_chunks, by_chunks(a, b, KDL_REDUCTION_NONE))

static kdl_tensor *linear_classes(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *labels = labels_of(a), *weight = kdl_cat((kdl_tensor *[]){ b, b }, 2, 0);
    kdl_tensor *loss = kdl_f_linear_cross_entropy(a, weight, labels, .ignore_index = 0);
    kdl_tensor_release(weight);
    kdl_tensor_release(labels);
    return loss;
}

static kdl_tensor *margins(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_tensor *labels = labels_of(a);
    kdl_tensor *loss = kdl_f_multi_margin_loss(a, labels, 2, 1, NULL, KDL_REDUCTION_MEAN);
    kdl_tensor_release(labels);
    return loss;
}

/* As PyTorch's, the gradient is that of what goes into log_softmax. */
static kdl_tensor *aligned(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_context *ctx = kdl_tensor_context(a);
    kdl_tensor *logarithms = kdl_f_log_softmax(a, 1);
    kdl_tensor *labels = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(2), (int64_t[]){ 2, 1 });
    kdl_tensor *times = kdl_tensor_from_data(ctx, KDL_I64, KDL_SCALAR_SHAPE, (int64_t[]){ 3 });
    kdl_tensor *count = kdl_tensor_from_data(ctx, KDL_I64, KDL_SCALAR_SHAPE, (int64_t[]){ 2 });
    kdl_tensor *loss =
        kdl_f_ctc_loss(logarithms, labels, times, count, 0, KDL_REDUCTION_MEAN, false);
    release_all(logarithms, labels, times, count);
    return loss;
}

static gradient_body *const functions[] = {
    mse,      smooth_l1,  huber,          logits,         weighted, kl,      kl_log,
    poisson,  gaussian,   similarity,     distance,       triplet,  ranked,  probable,
    together, multiplied, deviation,      summed,         length,   classes, margins,
    aligned,  chunks,     rows_of_chunks, linear_classes,
};

static void test_finite_differences(void **state)
{
    check_gradients(*state, GRADIENT_BODIES(functions));
}

/* Cross entropy with probabilities of no classes at all. */
static void test_no_classes(void **state)
{
    kdl_tensor *scores = kdl_zeros(*state, KDL_SHAPE(2, 0)), *parts = kdl_zeros_like(scores);
    kdl_tensor *mean = kdl_f_cross_entropy(scores, parts);
    kdl_tensor *sum = kdl_f_cross_entropy(scores, parts, .reduction = KDL_REDUCTION_SUM);
    assert_true(isnan(kdl_tensor_item(mean)));
    assert_float_equal(kdl_tensor_item(sum), 0, 0);
    release_all(scores, parts, mean, sum);
}

static kdl_status compute_adaptive(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *module = kdl_nn_adaptive_log_softmax_with_loss(ctx, 4, 9, KDL_SHAPE(2, 5));
    kdl_tensor *in[] = { kdl_rand(ctx, KDL_SHAPE(3, 4)),
                         kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(3), (int64_t[]){ 8, 0, 3 }) };
    kdl_tensor *out[2] = { NULL };
    if (module && in[0] && in[1])
        kdl_call_with(module, in, 2, out, 2);
    kdl_backward(out[1]);
    kdl_tensor *chosen = kdl_adaptive_predict(module, in[0]);
    release_all(in[0], in[1], out[0], out[1], chosen);
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_gradient_allocations(GRADIENT_BODIES(functions));
    check_allocation_failures(compute_adaptive, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finite_differences),
        TRAINING_TEST(test_no_classes),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
