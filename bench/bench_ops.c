/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times one public function: bench_ops OP DTYPE NUMEL THREADS SECONDS. Prints nanoseconds an
 * element, the best of as many calls as fit into SECONDS; with 0 SECONDS, what one call under seed
 * 7 gives, as bytes. The destination's pages are touched before. `memset` writes a non-zero byte
 * over as many bytes: the limit of any fill. bench/against_torch.py runs it beside PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kindling/kindling.h"

/* Does the op; `*result` is the tensor that holds what it gave, if that is another one. */
typedef void bench_op(kdl_tensor *tensor, kdl_tensor **result);

static void run_memset(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    memset(kdl_tensor_data(tensor), 0x55, kdl_tensor_nbytes(tensor));
}

static void run_fill(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    kdl_fill_(tensor, 1.5);
}

static void run_uniform(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    kdl_uniform_(tensor, -1, 2);
}

static void run_normal(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    kdl_normal_(tensor, 0.1, 0.7);
}

static void run_trunc_normal(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    kdl_init_trunc_normal_(tensor, .a = -2, .b = 2);
}

static void run_bernoulli(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    kdl_bernoulli_(tensor, 0.3);
}

static void run_exponential(kdl_tensor *tensor, kdl_tensor **result)
{
    (void)result;
    kdl_exponential_(tensor, 1);
}

static void run_randperm(kdl_tensor *tensor, kdl_tensor **result)
{
    kdl_context *ctx = kdl_tensor_context(tensor);
    kdl_tensor_release(*result);
    *result = kdl_randperm(ctx, kdl_tensor_numel(tensor), .dtype = kdl_tensor_dtype(tensor));
}

/* The tensor as a square matrix. */
static kdl_tensor *square(kdl_tensor *tensor)
{
    int64_t side = (int64_t)sqrt((double)kdl_tensor_numel(tensor));
    return kdl_view(tensor, KDL_SHAPE(side, side));
}

static void run_orthogonal(kdl_tensor *tensor, kdl_tensor **result)
{
    kdl_tensor *matrix = square(tensor);
    (void)result;
    kdl_init_orthogonal_(matrix);
    kdl_tensor_release(matrix);
}

static void run_sparse(kdl_tensor *tensor, kdl_tensor **result)
{
    kdl_tensor *matrix = square(tensor);
    (void)result;
    kdl_init_sparse_(matrix, 0.1);
    kdl_tensor_release(matrix);
}

static const struct {
    const char *name;
    bench_op *run;
} ops[] = {
    { "memset", run_memset },
    { "fill", run_fill },
    { "uniform", run_uniform },
    { "normal", run_normal },
    { "trunc_normal", run_trunc_normal },
    { "bernoulli", run_bernoulli },
    { "exponential", run_exponential },
    { "randperm", run_randperm },
    { "orthogonal", run_orthogonal },
    { "sparse", run_sparse },
};

/* Seconds of the best call; small calls are timed in groups, so that the clock does not show. */
static double best_call(bench_op *run, kdl_tensor *tensor, kdl_tensor **result, double budget)
{
    double begin = now(), best = INFINITY;
    run(tensor, result);
    double once = now() - begin;
    int group = once < 1e-5 ? (int)(2e-5 / (once + 1e-9)) + 1 : 1;
    do {
        double from = now();
        for (int i = 0; i < group; i++)
            run(tensor, result);
        double seconds = (now() - from) / group;
        if (seconds < best)
            best = seconds;
    } while (now() - begin < budget);
    return best;
}

int main(int argc, char **argv)
{
    kdl_dtype dtype;
    bench_op *run = NULL;
    for (size_t i = 0; argc > 2 && i < sizeof ops / sizeof *ops; i++)
        if (strcmp(argv[1], ops[i].name) == 0)
            run = ops[i].run;
    if (argc != 6 || !run || !kdl_dtype_parse(argv[2], &dtype)) {
        fprintf(stderr, "usage: bench_ops OP DTYPE NUMEL THREADS SECONDS\n");
        return 2;
    }
    int64_t numel = strtoll(argv[3], NULL, 10);
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.threads = atoi(argv[4]);
    kdl_context *ctx = kdl_context_new(&options);
    kdl_tensor *tensor = ctx ? kdl_ones(ctx, KDL_SHAPE(numel), .dtype = dtype) : NULL;
    kdl_tensor *result = NULL;
    double budget = atof(argv[5]), seconds = 0;
    if (tensor)
        kdl_manual_seed(ctx, 7);
    if (tensor && budget > 0)
        seconds = best_call(run, tensor, &result, budget);
    else if (tensor)
        run(tensor, &result);
    if (!ctx || kdl_error_status(ctx)) {
        fprintf(stderr, "bench_ops: %s\n", ctx ? kdl_error_message(ctx) : "no context");
        return 1;
    }
    if (budget > 0)
        printf("%.6f\n", seconds / (double)numel * 1e9);
    else
        fwrite(kdl_tensor_data(result ? result : tensor), 1, kdl_tensor_nbytes(tensor), stdout);
    kdl_tensor_release(result);
    kdl_tensor_release(tensor);
    kdl_context_release(ctx);
    return 0;
}
