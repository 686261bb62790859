/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Embedding's row for padding is zero, gets no gradient, and so stays zero; a word that is there
 * twice gets the sum of both gradients. Its twin is embedding_padding.py.
 */
#include <stdio.h>
#include <kindling/train.h>

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 0);
    kdl_module *embedding = kdl_nn_embedding(ctx, 4, 3, .padding_idx = 0);
    kdl_tensor *weight = kdl_parameter(embedding, "weight");
    kdl_tensor_print(weight, stdout);

    /* Two sentences, the second one filled up; nobody uses word 3. */
    kdl_tensor *words =
        kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(2, 3), (int64_t[]){ 1, 2, 1, 2, 0, 0 });
    kdl_tensor *vectors = kdl_forward(embedding, words), *sum = kdl_sum(vectors);
    kdl_backward(sum);
    kdl_tensor_print(kdl_tensor_grad(weight), stdout);

    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(embedding), 0.1);
    kdl_optimizer_step(optimizer);
    kdl_tensor_print(weight, stdout);

    if (kdl_error_status(ctx))
        fprintf(stderr, "%s\n", kdl_error_message(ctx));
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(sum);
    kdl_tensor_release(vectors);
    kdl_tensor_release(words);
    kdl_module_release(embedding);
    kdl_context_release(ctx);
    return 0;
}
