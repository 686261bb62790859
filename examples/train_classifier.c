/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of two layers learns to tell points apart: whether both coordinates have one sign. Its
 * twin is train_classifier.py.
 */
#include <stdio.h>
#include "training.h"

enum { POINTS = 256, BATCH = 32, EPOCHS = 25 };

/* The class of a point: whether its coordinates have one sign. */
static kdl_tensor *make_labels(kdl_tensor *points)
{
    const float *xy = kdl_tensor_data(points);
    int64_t labels[POINTS];
    for (int i = 0; i < POINTS; i++)
        labels[i] = xy[2 * i] * xy[2 * i + 1] > 0;
    return kdl_tensor_from_data(kdl_tensor_context(points), KDL_I64, KDL_SHAPE(POINTS), labels);
}

int main(int argc, char **argv)
{
    training run = training_begin(argc, argv, NULL);
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 1);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 16), kdl_nn_tanh(ctx),
                                        kdl_nn_linear(ctx, 16, 2));
    kdl_module_to(net, run.dtype);
    kdl_tensor *drawn = kdl_randn(ctx, KDL_SHAPE(POINTS, 2)), *labels = make_labels(drawn);
    kdl_tensor *points = kdl_to(drawn, run.dtype);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(points, labels),
                                                  .batch_size = BATCH, .shuffle = true);
    kdl_optimizer *optimizer = kdl_optim_adam(kdl_named_parameters(net), 0.02);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        for (kdl_data_iterator it = kdl_data_iter(loader); kdl_data_next(&it);) {
            kdl_optimizer_zero_grad(optimizer);
            kdl_tensor *scores = kdl_forward(net, it.tensors[0]);
            kdl_tensor *loss = kdl_f_cross_entropy(scores, it.tensors[1]);
            kdl_backward(loss);
            kdl_optimizer_step(optimizer);
            training_add(&run, loss);
            kdl_tensor_release(loss);
            kdl_tensor_release(scores);
        }
    }
    kdl_tensor *scores = kdl_forward(net, points);
    int status = training_end(&run, net, accuracy(scores, labels));
    kdl_tensor_release(scores);
    kdl_optimizer_release(optimizer);
    kdl_data_loader_release(loader);
    kdl_tensor_release(points);
    kdl_tensor_release(drawn);
    kdl_tensor_release(labels);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return status;
}
