/* SPDX-License-Identifier: Apache-2.0 */
/* Sums and softmax of rows, of the type T (included for each set of loops, loop_sets.h). */

/* Operands: the sums (f64), the values. */
TARGET static void LOOP(sum)(const void *arguments, char *const *data, const int64_t *strides,
                             int64_t n)
{
    (void)arguments;
    double *sums = (double *)data[0];
    const T *values = (const T *)data[1];
    if (strides[0] == 0 && strides[1] == sizeof(T)) {
        KDL__SUM_IN_LANES(total, n, i, values[i])
        *sums += total;
    } else if (strides[0] == sizeof(double) && strides[1] == sizeof(T)) {
        for (int64_t i = 0; i < n; i++)
            sums[i] += (double)values[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            *(double *)(data[0] + i * strides[0]) += (double)*(const T *)(data[1] + i * strides[1]);
    }
}

TARGET static void LOOP(softmax_row)(const T *in, T *out, int64_t n, bool logarithm)
{
    KDL__MAX_IN_LANES(T, most, n, in)
    for (int64_t i = 0; i < n; i++)
        out[i] = EXP(in[i] - most);
    KDL__SUM_IN_LANES(sum, n, i, out[i])
    if (logarithm) {
        const T shift = most + (T)log(sum);
        for (int64_t i = 0; i < n; i++)
            out[i] = in[i] - shift;
    } else {
        const T factor = (T)(1 / sum);
        for (int64_t i = 0; i < n; i++)
            out[i] *= factor;
    }
}

TARGET static void LOOP(softmax_row_grad)(const T *g, const T *y, T *out, int64_t n, bool logarithm)
{
    if (logarithm) {
        KDL__SUM_IN_LANES(sum, n, i, g[i])
        const T all = (T)sum;
        for (int64_t i = 0; i < n; i++)
            out[i] = g[i] - EXP(y[i]) * all;
    } else {
        KDL__SUM_IN_LANES(sum, n, i, g[i] * y[i])
        const T all = (T)sum;
        for (int64_t i = 0; i < n; i++)
            out[i] = (g[i] - all) * y[i];
    }
}

static void LOOP(softmax)(const void *data, int64_t first, int64_t last)
{
    const softmax_call *call = data;
    const int64_t n = call->n;
    const T *in = call->in;
    T *out = call->out;
    for (int64_t r = first; r < last; r++)
        LOOP(softmax_row)(in + r * n, out + r * n, n, call->logarithm);
}

static void LOOP(softmax_grad)(const void *data, int64_t first, int64_t last)
{
    const softmax_call *call = data;
    const int64_t n = call->n;
    const T *g = call->in, *y = call->result;
    T *out = call->out;
    for (int64_t r = first; r < last; r++)
        LOOP(softmax_row_grad)(g + r * n, y + r * n, out + r * n, n, call->logarithm);
}
