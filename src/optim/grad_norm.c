/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The norm of all elements of a tensor, and of two the product, on every thread. They are cut into
 * chunks of one size, whose sums (in double) are added in order, so that the result does not depend
 * on the threads.
 */
#include <math.h>

#include "optim/optimizer.h"

enum { CHUNK = 1 << 16, LANES = 8 };

typedef struct norm_state {
    const void *values, *others; /* others: what values are multiplied with; of norms, themselves */
    int64_t numel;
    bool is_f64;
    double p;
    double *partial; /* of each chunk */
} norm_state;

static double larger(double a, double b)
{
    return b > a || b != b ? b : a;
}

static double smaller(double a, double b)
{
    return b < a || b != b ? b : a;
}

static double combine(double p, double a, double b)
{
    return isinf(p) ? (p > 0 ? larger(a, b) : smaller(a, b)) : a + b;
}

/* What an element adds to a chunk's sum, whatever the order. */
static double term(double p, double magnitude)
{
    return isinf(p) ? magnitude : p == 0 ? magnitude != 0 : pow(magnitude, p);
}

/* A chunk's sum of products, in lanes that can be a vector; of another order, one by one. */
#define DEFINE_CHUNK(T)                                                                            \
    static double products_##T(const T *values, const T *others, int64_t n)                        \
    {                                                                                              \
        double lanes[LANES] = { 0 };                                                               \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= n; i += LANES)                                                         \
            for (int lane = 0; lane < LANES; lane++)                                               \
                lanes[lane] += (double)values[i + lane] * (double)others[i + lane];                \
        for (; i < n; i++)                                                                         \
            lanes[i % LANES] += (double)values[i] * (double)others[i];                             \
        return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +                                   \
               ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));                                    \
    }                                                                                              \
    static double terms_##T(const T *values, int64_t n, double p)                                  \
    {                                                                                              \
        double sum = term(p, fabs((double)values[0]));                                             \
        for (int64_t i = 1; i < n; i++)                                                            \
            sum = combine(p, sum, term(p, fabs((double)values[i])));                               \
        return sum;                                                                                \
    }
DEFINE_CHUNK(float)
DEFINE_CHUNK(double)

static kdl_status run_chunk(void *user_data, size_t chunk, int worker)
{
    (void)worker;
    norm_state *s = user_data;
    int64_t first = (int64_t)chunk * CHUNK, left = s->numel - first,
            n = left < CHUNK ? left : CHUNK;
    const float *floats = s->values, *other_floats = s->others;
    const double *doubles = s->values, *other_doubles = s->others;
    if (s->p == 2)
        s->partial[chunk] = s->is_f64 ? products_double(doubles + first, other_doubles + first, n)
                                      : products_float(floats + first, other_floats + first, n);
    else
        s->partial[chunk] = s->is_f64 ? terms_double(doubles + first, n, s->p)
                                      : terms_float(floats + first, n, s->p);
    return KDL_OK;
}

static double root(double p, double sum)
{
    return p == 2 ? sqrt(sum) : p == 0 || isinf(p) ? sum : pow(sum, 1 / p);
}

double kdl__norm_of(const double *values, size_t count, double p)
{
    double sum = count > 0 ? term(p, fabs(values[0])) : 0;
    for (size_t i = 1; i < count; i++)
        sum = combine(p, sum, term(p, fabs(values[i])));
    return root(p, sum);
}

/* The sum over the elements of two tensors, which are one for a norm. */
static kdl_status sum_chunks(kdl_tensor *tensor, kdl_tensor *other, double p, double *sum)
{
    kdl_context *ctx = tensor->ctx;
    *sum = 0;
    if (tensor->numel == 0 || kdl__failed(ctx))
        return ctx->status;
    kdl_tensor *rows = kdl_contiguous(tensor), *others = kdl_contiguous(other);
    size_t chunks = (size_t)((tensor->numel - 1) / CHUNK + 1);
    norm_state s = { .values = rows ? kdl_tensor_data(rows) : NULL,
                     .others = others ? kdl_tensor_data(others) : NULL,
                     .numel = tensor->numel,
                     .is_f64 = kdl__float_index(tensor),
                     .p = p };
    s.partial = s.values && s.others ? kdl__alloc(ctx, chunks, sizeof *s.partial) : NULL;
    if (s.partial) {
        kdl__parallel(ctx, chunks, run_chunk, &s);
        *sum = s.partial[0];
        for (size_t i = 1; i < chunks; i++)
            *sum = combine(p, *sum, s.partial[i]);
    }
    kdl_free(ctx, s.partial);
    kdl_tensor_release(rows);
    kdl_tensor_release(others);
    return ctx->status;
}

kdl_status kdl__norm(kdl_tensor *tensor, double p, double *norm)
{
    kdl_status status = sum_chunks(tensor, tensor, p, norm);
    *norm = tensor->numel > 0 ? root(p, *norm) : 0;
    return status;
}

kdl_status kdl__dot(kdl_tensor *a, kdl_tensor *b, double *product)
{
    return sum_chunks(a, b, 2, product);
}
