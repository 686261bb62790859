/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes as rows of zeros and a one; a layer as a function and as a module; a run that is repeated
 * from its seed. Its twin is one_hot.py.
 */
#include <stdio.h>
#include <string.h>
#include <kindling/train.h>

/* Trains a layer to give back the class of each row; writes its weight to `weight`. */
static void run(kdl_context *ctx, kdl_tensor *rows, kdl_tensor *labels, float weight[12])
{
    kdl_manual_seed(ctx, 7);
    kdl_module *layer = kdl_nn_linear(ctx, 4, 3);
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(layer), 0.5);
    for (int step = 0; step < 20; step++) {
        kdl_optimizer_zero_grad(optimizer);
        kdl_tensor *scores = kdl_forward(layer, rows);
        kdl_tensor *loss = kdl_f_cross_entropy(scores, labels);
        kdl_backward(loss);
        kdl_optimizer_step(optimizer);
        kdl_tensor_release(loss);
        kdl_tensor_release(scores);
    }
    memcpy(weight, kdl_tensor_data(kdl_parameter(layer, "weight")), 12 * sizeof *weight);
    kdl_optimizer_release(optimizer);
    kdl_module_release(layer);
}

int main(void)
{
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_use_deterministic_algorithms(ctx, true);
    kdl_tensor *labels = kdl_tensor_from_data(ctx, KDL_I64, KDL_SHAPE(3), (int64_t[]){ 2, 0, 1 });
    kdl_tensor *ones = kdl_f_one_hot(labels, 4), *rows = kdl_to(ones, KDL_F32);
    kdl_tensor_print(ones, stdout);
    kdl_manual_seed(ctx, 0);
    kdl_module *layer = kdl_nn_linear(ctx, 4, 2);
    kdl_tensor *weight = kdl_parameter(layer, "weight"), *bias = kdl_parameter(layer, "bias");
    kdl_tensor *module = kdl_forward(layer, rows), *function = kdl_f_linear(rows, weight, bias);
    kdl_tensor *table = kdl_t(weight), *found = kdl_f_embedding(labels, table);
    kdl_tensor_print(module, stdout);
    kdl_tensor_print(function, stdout);
    kdl_tensor_print(found, stdout); /* the table's rows: the product without the bias */

    float first[12], second[12];
    run(ctx, rows, labels, first);
    run(ctx, rows, labels, second);
    bool same = true;
    for (int i = 0; i < 12; i++)
        same = same && first[i] == second[i];
    printf("%s\n", same ? "the same bits again" : "other bits");
    kdl_tensor *made[] = { labels, ones, rows, module, function, table, found };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        kdl_tensor_release(made[i]);
    kdl_module_release(layer);
    kdl_context_release(ctx);
    return 0;
}
