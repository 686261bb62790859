/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times an optimiser's step over one parameter of f32: bench_optim OPTIMIZER NUMEL THREADS SECONDS.
 * Prints nanoseconds an element, the best of as many steps as fit into SECONDS; with 0 SECONDS, as
 * bytes, the parameter after three steps, where torch.randn under seed 7 gives it and then its
 * gradient. bench/train_against_torch.py runs it beside PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kindling/train.h"

static kdl_optimizer *make(const char *name, kdl_iterator params)
{
    if (strcmp(name, "SGD") == 0)
        return kdl_optim_sgd(params, 0.01);
    if (strcmp(name, "SGD, momentum") == 0)
        return kdl_optim_sgd(params, 0.01, .momentum = 0.9);
    if (strcmp(name, "Adam") == 0)
        return kdl_optim_adam(params, 1e-3);
    if (strcmp(name, "AdamW") == 0)
        return kdl_optim_adamw(params, 1e-3);
    return NULL;
}

/* Seconds of the best step; the first makes the state. */
static double best_step(kdl_optimizer *optimizer, double budget)
{
    double begin = now(), best = INFINITY;
    kdl_optimizer_step(optimizer);
    do {
        double from = now();
        kdl_optimizer_step(optimizer);
        best = fmin(best, now() - from);
    } while (now() - begin < budget);
    return best;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_optim OPTIMIZER NUMEL THREADS SECONDS\n");
        return 2;
    }
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = atoi(argv[3]);
    kdl_context *ctx = kdl_context_new(&options);
    if (!ctx)
        return 1;
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 7);
    const int64_t numel = atoll(argv[2]);
    kdl_module *net = kdl_nn_parameter_list(ctx);
    kdl_parameter_list_append(net, kdl_parameter_new(kdl_randn(ctx, KDL_SHAPE(numel))));
    kdl_tensor *values = kdl_parameter(net, "0"), *grad = kdl_randn(ctx, KDL_SHAPE(numel));
    kdl_tensor_set_grad(values, grad);
    kdl_optimizer *optimizer = make(argv[1], kdl_named_parameters(net));
    double budget = atof(argv[4]);
    if (!optimizer && !kdl_error_status(ctx))
        fprintf(stderr, "bench_optim: no optimiser is called %s\n", argv[1]);
    else if (budget > 0)
        printf("%.6f\n", best_step(optimizer, budget) / (double)numel * 1e9);
    for (int i = 0; i < 3 && budget <= 0; i++)
        kdl_optimizer_step(optimizer);
    if (budget <= 0)
        fwrite(kdl_tensor_data(values), sizeof(float), (size_t)numel, stdout);
    int code = optimizer && !kdl_error_status(ctx) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (kdl_error_status(ctx))
        fprintf(stderr, "bench_optim: %s\n", kdl_error_message(ctx));
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(grad);
    kdl_module_release(net);
    kdl_context_release(ctx);
    return code;
}
