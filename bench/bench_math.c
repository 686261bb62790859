/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times one function of f32 tensors: bench_math FUNCTION THREADS SECONDS ROWS COLUMNS. Prints
 * nanoseconds an element of the function and (0 if it has none) of its way back, each the best of
 * as many calls as fit into SECONDS; with 0 SECONDS, as bytes, what both give for torch.randn(ROWS,
 * COLUMNS) under seed 7. bench/train_against_torch.py runs it beside PyTorch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
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

static kdl_tensor *sum_columns(kdl_tensor *x)
{
    return kdl_sum_dim(x, -1, false);
}

/* Over the middle of three dimensions. */
static kdl_tensor *sum_middle(kdl_tensor *x)
{
    int64_t rows = kdl_tensor_size(x, 0), columns = kdl_tensor_size(x, 1);
    kdl_tensor *cube = kdl_view(x, KDL_SHAPE(rows / 8, 8, columns));
    kdl_tensor *result = kdl_sum_dim(cube, 1, false);
    kdl_tensor_release(cube);
    return result;
}

static kdl_tensor *max_columns(kdl_tensor *x)
{
    return kdl_max_dim(x, -1, false, NULL);
}

static kdl_tensor *var_columns(kdl_tensor *x)
{
    return kdl_var_dim(x, -1, 1, false);
}

static kdl_tensor *softmax_rows(kdl_tensor *x)
{
    return kdl_f_softmax(x, 0);
}

static kdl_tensor *cumsum_rows(kdl_tensor *x)
{
    return kdl_cumsum(x, 0);
}

static kdl_tensor *cumsum_columns(kdl_tensor *x)
{
    return kdl_cumsum(x, -1);
}

static kdl_tensor *add_to_itself(kdl_tensor *x)
{
    return kdl_add_tensor(x, x);
}

static kdl_tensor *clamp(kdl_tensor *x)
{
    return kdl_clamp(x, -1, 1);
}

static kdl_tensor *greater(kdl_tensor *x)
{
    return kdl_gt(x, 0.5);
}

static kdl_tensor *negate_in_place(kdl_tensor *x)
{
    kdl_mul_(x, -1);
    return kdl_tensor_retain(x);
}

static kdl_tensor *add_in_place(kdl_tensor *x)
{
    kdl_add_(x, 1e-3);
    return kdl_tensor_retain(x);
}

static kdl_tensor *fill(kdl_tensor *x)
{
    kdl_fill_(x, 1.5);
    return kdl_tensor_retain(x);
}

static kdl_tensor *arange(kdl_tensor *x)
{
    double end = (double)kdl_tensor_numel(x);
    return kdl_arange(kdl_tensor_context(x), 0, end, 1, .dtype = KDL_F32);
}

static kdl_tensor *linspace(kdl_tensor *x)
{
    return kdl_linspace(kdl_tensor_context(x), 0, 1, kdl_tensor_numel(x));
}

static kdl_tensor *transposed_copy(kdl_tensor *x)
{
    kdl_tensor *transposed = kdl_t(x), *result = kdl_contiguous(transposed);
    kdl_tensor_release(transposed);
    return result;
}

static kdl_tensor *cat_rows(kdl_tensor *x)
{
    return kdl_cat((kdl_tensor *[]){ x, x }, 2, 0);
}

static kdl_tensor *cat_columns(kdl_tensor *x)
{
    return kdl_cat((kdl_tensor *[]){ x, x }, 2, 1);
}

/* Numbers below the rows' and the columns', one for each row, mixed up. */
static kdl_tensor *numbers_of_rows, *numbers_of_columns;

static kdl_tensor *mixed_numbers(kdl_context *ctx, int64_t count, int64_t bound)
{
    kdl_tensor *numbers = kdl_empty(ctx, KDL_SHAPE(count), .dtype = KDL_I64);
    int64_t *values = kdl_tensor_data(numbers);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = i * 7919 % bound;
    return numbers;
}

static kdl_tensor *index_select(kdl_tensor *x)
{
    return kdl_index_select(x, 0, numbers_of_rows);
}

static kdl_tensor *embedding(kdl_tensor *x)
{
    return kdl_f_embedding(numbers_of_rows, x);
}

static kdl_tensor *cross_entropy(kdl_tensor *x)
{
    return kdl_f_cross_entropy(x, numbers_of_columns);
}

/* As one image. */
static kdl_tensor *max_pool(kdl_tensor *x)
{
    kdl_tensor *image = kdl_unsqueeze(x, 0), *result = kdl_f_max_pool2d(image, 2);
    kdl_tensor_release(image);
    return result;
}

typedef struct named_function {
    const char *name;
    bench_function *run;
} named_function;

static const named_function functions[] = {
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
    { "abs", kdl_abs },
    { "add", add_to_itself },
    { "clamp", clamp },
    { "sum_columns", sum_columns },
    { "sum_middle", sum_middle },
    { "max_columns", max_columns },
    { "var_columns", var_columns },
    { "softmax_rows", softmax_rows },
    { "cumsum_rows", cumsum_rows },
    { "cumsum_columns", cumsum_columns },
    { "transposed_copy", transposed_copy },
    { "cat_rows", cat_rows },
    { "cat_columns", cat_columns },
    { "index_select", index_select },
    { "embedding", embedding },
    { "cross_entropy", cross_entropy },
    { "max_pool", max_pool },
    { NULL, NULL },
};

/* Without a way back. */
static const named_function one_way[] = {
    { "gt", greater },    { "mul_", negate_in_place }, { "add_", add_in_place }, { "fill_", fill },
    { "arange", arange }, { "linspace", linspace },    { NULL, NULL },
};

static bench_function *find(const named_function *function, const char *name)
{
    while (function->name && strcmp(function->name, name) != 0)
        function++;
    return function->run;
}

enum { FEWEST = 5 }; /* the first calls ask the system for their memory */

/* Seconds of a call, in a group of so many. */
static double time_forward(bench_function *run, kdl_tensor *x, int group)
{
    double start = now();
    for (int i = 0; i < group; i++)
        kdl_tensor_release(run(x));
    return (now() - start) / group;
}

/* Of the way back with gradient `g` alone, which small calls are too short for the clock in. */
static double time_backward(bench_function *run, kdl_tensor *x, kdl_tensor *g)
{
    kdl_tensor *y = run(x);
    double start = now();
    kdl_backward(y, .gradient = g);
    double seconds = now() - start;
    kdl_tensor_release(y);
    kdl_tensor_set_grad(x, NULL);
    return seconds;
}

/* Seconds of the function and (with a gradient `g`) of its way back, the best of both. */
static void best_calls(bench_function *run, kdl_tensor *x, kdl_tensor *g, double budget,
                       double best[2])
{
    double begin = now(), once = time_forward(run, x, 1);
    int group = once < 1e-5 ? (int)(2e-5 / (once + 1e-9)) + 1 : 1;
    best[0] = INFINITY;
    best[1] = g ? INFINITY : 0;
    for (int i = 0; i < FEWEST || now() - begin < budget; i++) {
        best[0] = fmin(best[0], time_forward(run, x, group));
        if (g)
            best[1] = fmin(best[1], time_backward(run, x, g));
    }
}

static void print_results(bench_function *run, kdl_tensor *x, kdl_tensor *g)
{
    kdl_tensor *y = run(x);
    if (y)
        fwrite(kdl_tensor_data(y), 1, kdl_tensor_nbytes(y), stdout);
    if (g && !kdl_backward(y, .gradient = g))
        fwrite(kdl_tensor_data(kdl_tensor_grad(x)), 1, kdl_tensor_nbytes(x), stdout);
    kdl_tensor_release(y);
}

int main(int argc, char **argv)
{
    bench_function *both = argc == 6 ? find(functions, argv[1]) : NULL;
    bench_function *run = argc == 6 && !both ? find(one_way, argv[1]) : both;
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
    int64_t rows = atoll(argv[4]), columns = atoll(argv[5]);
    kdl_tensor *x = kdl_randn(ctx, KDL_SHAPE(rows, columns)), *g = NULL;
    numbers_of_rows = mixed_numbers(ctx, rows, rows);
    numbers_of_columns = mixed_numbers(ctx, rows, columns);
    if (both) {
        kdl_requires_grad_(x, true);
        kdl_tensor *y = run(x);
        g = kdl_ones_like(y);
        kdl_tensor_release(y);
    }
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
    kdl_tensor_release(numbers_of_rows);
    kdl_tensor_release(numbers_of_columns);
    kdl_context_release(ctx);
    return code;
}
