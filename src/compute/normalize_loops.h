/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalising a row and its way back, of the type T (included for each set of loops, loop_sets.h).
 * A row is made of runs of rows->inner elements side by side.
 */

/* Begins what is done to each run of row r, whose elements are [at, at + n). */
#define EACH_RUN(r, at)                                                                            \
    for (int64_t o_ = 0, at = (r)*n; o_ < rows->outer; o_++, at += rows->rows * n)

TARGET static void LOOP(normalize_row)(const normalize_call *call, int64_t r)
{
    const kdl__rows *rows = &call->rows;
    const int64_t n = rows->inner;
    const T *in = call->in;
    T *out = call->out;
    double count = (double)(rows->outer * n), mean = 0, squares = 0;
    EACH_RUN(r, at)
    {
        const T *run = in + at;
        KDL__SUM_IN_LANES(sum, n, i, run[i])
        mean += sum;
    }
    mean = rows->centered ? mean / count : 0;
    EACH_RUN(r, at)
    {
        const T *run = in + at;
        KDL__SUM_IN_LANES(sum, n, i, ((double)run[i] - mean) * ((double)run[i] - mean))
        squares += sum;
    }
    const double variance = squares / count, scale = 1 / sqrt(variance + rows->eps);
    EACH_RUN(r, at)
    for (int64_t i = at; i < at + n; i++)
        out[i] = (T)(((double)in[i] - mean) * scale);
    call->moments.mean[r] = mean;
    call->moments.variance[r] = variance;
}

TARGET static void LOOP(normalize_row_grad)(const normalize_call *call, int64_t r)
{
    const kdl__rows *rows = &call->rows;
    const int64_t n = rows->inner;
    const T *grad = call->in, *result = call->result;
    T *out = call->out;
    double count = (double)(rows->outer * n), mean = 0, product = 0;
    EACH_RUN(r, at)
    {
        const T *g = grad + at, *y = result + at;
        KDL__SUM_IN_LANES(sum, n, i, g[i])
        KDL__SUM_IN_LANES(products, n, i, (double)g[i] * (double)y[i])
        mean += sum;
        product += products;
    }
    mean = rows->centered ? mean / count : 0;
    product /= count;
    const double scale = 1 / sqrt(call->variance[r] + rows->eps);
    EACH_RUN(r, at)
    for (int64_t i = at; i < at + n; i++)
        out[i] = (T)(((double)grad[i] - mean - (double)result[i] * product) * scale);
}

static void LOOP(normalize)(const void *data, int64_t first, int64_t last)
{
    for (int64_t r = first; r < last; r++)
        LOOP(normalize_row)(data, r);
}

static void LOOP(normalize_grad)(const void *data, int64_t first, int64_t last)
{
    for (int64_t r = first; r < last; r++)
        LOOP(normalize_row_grad)(data, r);
}

#undef EACH_RUN
