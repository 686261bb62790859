/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times what random access costs: bench_plan CONFIG THREADS prints, in milliseconds, the best time
 * to make the plan of a model from its config.json, and the median and the largest time to read
 * 1 MB from the middle of tensors spread over it, each by a plan that has computed nothing near.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kindling/kindling.h"

enum { PLANS = 7, SLICES = 101, SLICE_NBYTES = 1 << 20 };

static char *read_file(const char *path, size_t *nbytes)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    *nbytes = fread(text, 1, sizeof text, file);
    fclose(file);
    return text;
}

static kdl_plan *make_plan(kdl_context *ctx, const char *text, size_t nbytes)
{
    kdl_manual_seed(ctx, 42);
    kdl_module *model = kdl_model_from_config(ctx, text, nbytes);
    kdl_plan *plan = model ? kdl_model_checkpoint_plan(model) : NULL;
    kdl_module_release(model);
    return plan;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Reads 1 MB out of the middle of tensor number `index` and tells the milliseconds. */
static double time_slice(kdl_plan *plan, int index)
{
    static _Alignas(64) char values[SLICE_NBYTES];
    const kdl_plan_tensor *tensor = kdl_plan_get(plan, index);
    int64_t count = SLICE_NBYTES / (int64_t)kdl_dtype_nbytes(tensor->dtype);
    int64_t first = tensor->numel > count ? (tensor->numel - count) / 2 : 0;
    kdl_plan_request request = { index, first, tensor->numel > count ? count : tensor->numel,
                                 values };
    double begin = now();
    kdl_plan_read(plan, &request, 1);
    return 1e3 * (now() - begin);
}

int main(int argc, char **argv)
{
    size_t nbytes;
    char *text = argc == 3 ? read_file(argv[1], &nbytes) : NULL;
    if (!text) {
        fprintf(stderr, "usage: bench_plan CONFIG THREADS\n");
        return 2;
    }
    kdl_context_options options = KDL_CONTEXT_DEFAULTS;
    options.deferred = true;
    options.threads = atoi(argv[2]);
    kdl_context *ctx = kdl_context_new(&options);
    kdl_plan *plan = NULL;
    double best = 1e9, slices[SLICES];
    for (int i = 0; i < PLANS; i++) {
        kdl_plan_release(plan);
        double begin = now();
        plan = make_plan(ctx, text, nbytes);
        double took = 1e3 * (now() - begin);
        best = took < best ? took : best;
    }
    for (int i = 0; plan && i < SLICES; i++)
        slices[i] = time_slice(plan, (int)((int64_t)i * 7919 % kdl_plan_count(plan)));
    if (kdl_error_status(ctx)) {
        fprintf(stderr, "bench_plan: %s\n", kdl_error_message(ctx));
        return 1;
    }
    qsort(slices, SLICES, sizeof *slices, compare);
    printf("%.3f %.4f %.4f\n", best, slices[SLICES / 2], slices[SLICES - 1]);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
    return 0;
}
