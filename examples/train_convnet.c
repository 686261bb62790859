/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolutional network learns the direction of stripes in noise, and is asked about images that
 * it has not seen. Its twin is train_convnet.py.
 */
#include <stdio.h>
#include "training.h"

enum { IMAGES = 640, TESTS = 160, SIZE = 12, BATCH = 32, STEPS = 200 };

/* Draws noise with stripes in it, and the class of their direction (a new reference). */
static kdl_tensor *make_images(kdl_context *ctx, int64_t count, kdl_tensor **classes)
{
    /* By class: what a step to the right and a step down add to the phase of the stripes. */
    static const int right[] = { 1, 0, 1, 1 }, down[] = { 0, 1, 1, 3 };
    kdl_tensor *images = kdl_randn(ctx, KDL_SHAPE(count, 1, SIZE, SIZE));
    kdl_tensor *labels = kdl_randint(ctx, 0, 4, KDL_SHAPE(count));
    kdl_tensor *phases = kdl_randint(ctx, 0, 4, KDL_SHAPE(count));
    float *pixel = kdl_tensor_data(images);
    const int64_t *label = kdl_tensor_data(labels), *phase = kdl_tensor_data(phases);
    for (int64_t i = 0; i < count; i++)
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++)
                *pixel++ +=
                    (phase[i] + down[label[i]] * y + right[label[i]] * x) % 4 < 2 ? 0.5F : -0.5F;
    kdl_tensor_release(phases);
    *classes = labels;
    return images;
}

/* The part of the images whose class the network finds. */
static double test(kdl_module *net, kdl_tensor *images, kdl_tensor *labels)
{
    kdl_set_grad_enabled(kdl_module_context(net), false);
    kdl_tensor *scores = kdl_forward(net, images);
    double right = accuracy(scores, labels);
    kdl_tensor_release(scores);
    return right;
}

int main(int argc, char **argv)
{
    training run = training_begin(argc, argv, NULL);
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 2);
    kdl_module *net = kdl_nn_sequential(
        ctx, kdl_nn_conv2d(ctx, 1, 8, 3, .padding = 1), kdl_nn_relu(ctx), kdl_nn_max_pool2d(ctx, 2),
        kdl_nn_conv2d(ctx, 8, 16, 3, .padding = 1), kdl_nn_relu(ctx), kdl_nn_max_pool2d(ctx, 2),
        kdl_nn_flatten(ctx), kdl_nn_linear(ctx, 16 * 3 * 3, 4));
    kdl_module_to(net, run.dtype);
    kdl_tensor *labels, *drawn = make_images(ctx, IMAGES, &labels);
    kdl_tensor *test_labels, *test_drawn = make_images(ctx, TESTS, &test_labels);
    kdl_tensor *images = kdl_to(drawn, run.dtype), *tests = kdl_to(test_drawn, run.dtype);
    kdl_data_loader *loader = kdl_data_loader_new(KDL_TENSOR_DATASET(images, labels),
                                                  .batch_size = BATCH, .shuffle = true);
    kdl_optimizer *optimizer = kdl_optim_sgd(kdl_named_parameters(net), 0.02, .momentum = 0.9);
    fit(&run, net, loader, optimizer, STEPS);
    int status = training_end(&run, net, test(net, tests, test_labels));

    kdl_tensor *made[] = { drawn, images, labels, test_drawn, tests, test_labels };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        kdl_tensor_release(made[i]);
    kdl_optimizer_release(optimizer);
    kdl_data_loader_release(loader);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return status;
}
