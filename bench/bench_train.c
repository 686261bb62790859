/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times steps of training: bench_train THREADS SECONDS SIZES CLASSES LAYER..., the layers as
 * PyTorch writes them, SIZES those of a batch of inputs (64,784). Behind an Embedding inputs are
 * numbers of classes, one to be guessed for each, and encoder layers see those before. A step is
 * zero_grad, forward, cross entropy, backward, SGD. Prints microseconds a step, the best of as many
 * groups as fit into SECONDS; with 0 SECONDS, the losses of the first four steps under seed 7, in
 * which the network is made before inputs and labels. bench/train_against_torch.py runs it beside
 * PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "kindling/train.h"

typedef struct task {
    kdl_module *net;
    kdl_tensor *inputs, *labels, *mask;
    kdl_optimizer *optimizer;
} task;

static kdl_shape parse_sizes(const char *text)
{
    kdl_shape shape = { .ndim = 0 };
    for (char *end; shape.ndim < KDL_MAX_DIMS; text = end + 1) {
        shape.sizes[shape.ndim++] = strtoll(text, &end, 10);
        if (*end != ',')
            break;
    }
    return shape;
}

static void set_up(kdl_context *ctx, task *work, char **arguments, int layers)
{
    kdl_shape sizes = parse_sizes(arguments[0]);
    work->net = kdl_nn_sequential(ctx);
    for (int i = 0; i < layers; i++)
        kdl_append(work->net, kdl_nn_from_text(ctx, arguments[2 + i]));
    bool of_classes = kdl_isinstance(kdl_child(work->net, 0), KDL_CLASS_EMBEDDING);
    int64_t classes = atoll(arguments[1]), labels = sizes.sizes[0];
    for (int d = 1; of_classes && d < sizes.ndim; d++)
        labels *= sizes.sizes[d];
    work->inputs = of_classes ? kdl_randint(ctx, 0, classes, sizes) : kdl_randn(ctx, sizes);
    work->labels = kdl_randint(ctx, 0, classes, KDL_SHAPE(labels));
    work->mask = kdl_generate_square_subsequent_mask(ctx, sizes.sizes[1], KDL_F32);
    work->optimizer = kdl_optim_sgd(kdl_named_parameters(work->net), 0.01);
}

static kdl_tensor *forward(const task *work)
{
    kdl_tensor *x = kdl_tensor_retain(work->inputs);
    for (int64_t i = 0; i < (int64_t)kdl_child_count(work->net); i++) {
        kdl_module *layer = kdl_child(work->net, i);
        bool masked = kdl_isinstance(layer, KDL_CLASS_TRANSFORMER_ENCODER_LAYER);
        kdl_tensor *y = masked ? kdl_call(layer, x, work->mask) : kdl_forward(layer, x);
        kdl_tensor_release(x);
        x = y;
    }
    return x;
}

/* Gives the loss where `wanted`; it has to be computed anyway. */
static double step(const task *work, bool wanted)
{
    kdl_optimizer_zero_grad(work->optimizer);
    kdl_tensor *scores = forward(work);
    kdl_tensor *loss = kdl_f_cross_entropy(scores, work->labels);
    kdl_backward(loss);
    kdl_optimizer_step(work->optimizer);
    double value = wanted ? kdl_tensor_item(loss) : 0;
    kdl_tensor_release(loss);
    kdl_tensor_release(scores);
    return value;
}

/* Seconds of a step, in the best group of some milliseconds. */
static double best_step(const task *work, double budget)
{
    double begin = now(), best = INFINITY;
    step(work, false);
    int group = (int)(5e-3 / (now() - begin)) + 1;
    do {
        double from = now();
        for (int i = 0; i < group; i++)
            step(work, false);
        best = fmin(best, (now() - from) / group);
    } while (now() - begin < budget);
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: bench_train THREADS SECONDS SIZES CLASSES LAYER...\n");
        return 2;
    }
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = atoi(argv[1]);
    kdl_context *ctx = kdl_context_new(&options);
    if (!ctx)
        return 1;
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 7);
    task work;
    set_up(ctx, &work, argv + 3, argc - 5);
    double budget = atof(argv[2]);
    if (budget > 0)
        printf("%.4f\n", best_step(&work, budget) * 1e6);
    for (int i = 0; i < 4 && budget <= 0; i++)
        printf("%.9g\n", step(&work, true));
    int code = kdl_error_status(ctx) ? EXIT_FAILURE : EXIT_SUCCESS;
    if (code)
        fprintf(stderr, "bench_train: %s\n", kdl_error_message(ctx));
    kdl_optimizer_release(work.optimizer);
    kdl_tensor_release(work.inputs);
    kdl_tensor_release(work.labels);
    kdl_tensor_release(work.mask);
    kdl_module_release(work.net);
    kdl_context_release(ctx);
    return code;
}
