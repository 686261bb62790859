/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times one function of f32 tensors: bench_math FUNCTION THREADS SECONDS ROWS COLUMNS. Prints
 * nanoseconds an element of the function and of its way back, each the best of as many calls as fit
 * into SECONDS; with 0 SECONDS, as bytes, what both give for torch.randn(ROWS, COLUMNS) under seed
 * 7. bench/train_against_torch.py runs it beside PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kindling/train.h"

typedef kdl_tensor *bench_function(kdl_tensor *x);

static kdl_tensor *gelu(kdl_tensor *x)
{
    return kdl_f_gelu(x, "none");
}

static kdl_tensor *gelu_tanh(kdl_tensor *x)
{
    return kdl_f_gelu(x, "tanh");
}

static kdl_tensor *log_of_square(kdl_tensor *x)
{
    kdl_tensor *square = kdl_square(x), *result = kdl_log(square);
    kdl_tensor_release(square);
    return result;
}

static kdl_tensor *times_itself(kdl_tensor *x)
{
    return kdl_mul_tensor(x, x);
}

/* With a row of its own, repeated. */
static kdl_tensor *plus_row(kdl_tensor *x)
{
    kdl_tensor *row = kdl_select(x, 0, 0), *result = kdl_add_tensor(x, row);
    kdl_tensor_release(row);
    return result;
}

static kdl_tensor *softmax(kdl_tensor *x)
{
    return kdl_f_softmax(x, -1);
}

static kdl_tensor *log_softmax(kdl_tensor *x)
{
    return kdl_f_log_softmax(x, -1);
}

static kdl_tensor *layer_norm(kdl_tensor *x)
{
    return kdl_f_layer_norm(x, KDL_SHAPE(kdl_tensor_size(x, -1)), NULL, NULL, 1e-5);
}

static kdl_tensor *sum_rows(kdl_tensor *x)
{
    return kdl_sum_dim(x, 0, false);
}

static kdl_tensor *dropout(kdl_tensor *x)
{
    return kdl_f_dropout(x, 0.1, true);
}

static const struct {
    const char *name;
    bench_function *run;
} functions[] = {
    { "exp", kdl_exp },
    { "log_square", log_of_square },
    { "tanh", kdl_tanh },
    { "erf", kdl_erf },
    { "sigmoid", kdl_sigmoid },
    { "relu", kdl_f_relu },
    { "silu", kdl_f_silu },
    { "gelu", gelu },
    { "gelu_tanh", gelu_tanh },
    { "mul", times_itself },
    { "add_row", plus_row },
    { "softmax", softmax },
    { "log_softmax", log_softmax },
    { "layer_norm", layer_norm },
    { "sum", kdl_sum },
    { "sum_rows", sum_rows },
    { "dropout", dropout },
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of the function and of its way back, whose gradient is `g`, the best of both. */
static void best_calls(bench_function *run, kdl_tensor *x, kdl_tensor *g, double budget,
                       double best[2])
{
    double begin = now();
    best[0] = best[1] = INFINITY;
    do {
        double start = now();
        kdl_tensor *y = run(x);
        double middle = now();
        kdl_backward(y, .gradient = g);
        double end = now();
        best[0] = fmin(best[0], middle - start);
        best[1] = fmin(best[1], end - middle);
        kdl_tensor_release(y);
        kdl_tensor_set_grad(x, NULL);
    } while (now() - begin < budget);
}

static void print_results(bench_function *run, kdl_tensor *x, kdl_tensor *g)
{
    kdl_tensor *y = run(x);
    if (!kdl_backward(y, .gradient = g)) {
        fwrite(kdl_tensor_data(y), 1, kdl_tensor_nbytes(y), stdout);
        fwrite(kdl_tensor_data(kdl_tensor_grad(x)), 1, kdl_tensor_nbytes(x), stdout);
    }
    kdl_tensor_release(y);
}

int main(int argc, char **argv)
{
    bench_function *run = NULL;
    for (size_t i = 0; argc == 6 && i < sizeof functions / sizeof *functions; i++)
        if (strcmp(argv[1], functions[i].name) == 0)
            run = functions[i].run;
    if (!run) {
        fprintf(stderr, "usage: bench_math FUNCTION THREADS SECONDS ROWS COLUMNS\n");
        return 2;
    }
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = atoi(argv[2]);
    kdl_context *ctx = kdl_context_new(&options);
    if (!ctx)
        return 1;
    kdl_train_enable(ctx);
    kdl_manual_seed(ctx, 7);
    kdl_tensor *x = kdl_randn(ctx, KDL_SHAPE(atoll(argv[4]), atoll(argv[5])));
    kdl_requires_grad_(x, true);
    kdl_tensor *y = run(x), *g = kdl_ones_like(y);
    kdl_tensor_release(y);
    double budget = atof(argv[3]), best[2];
    kdl_manual_seed(ctx, 7);
    if (budget > 0) {
        best_calls(run, x, g, budget, best);
        double numel = (double)kdl_tensor_numel(x);
        printf("%.6f %.6f\n", best[0] / numel * 1e9, best[1] / numel * 1e9);
    } else {
        print_results(run, x, g);
    }
    int code = kdl_error_status(ctx) ? EXIT_FAILURE : EXIT_SUCCESS;
    if (code)
        fprintf(stderr, "bench_math: %s\n", kdl_error_message(ctx));
    kdl_tensor_release(g);
    kdl_tensor_release(x);
    kdl_context_release(ctx);
    return code;
}
