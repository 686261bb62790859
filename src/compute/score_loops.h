/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of attention's scores (scores.c): included for each set of loops. */

#define ROW(name) TARGET __attribute__((noinline)) static void LOOP(name)

/*
 * The largest element, then the sum of what exp makes of the distances from it: both in eight
 * lanes, which can be vectors. A NaN is not the largest, but makes the sum one.
 */
ROW(softmax_row)(void *row, int64_t n, bool safe)
{
    T *restrict x = row;
    T lanes[8], most = (T)-INFINITY;
    double sums[8] = { 0 };
    bool nothing = true;
    int64_t i = 0;
    for (int lane = 0; lane < 8; lane++)
        lanes[lane] = (T)-INFINITY;
    for (; i + 8 <= n; i += 8)
        for (int lane = 0; lane < 8; lane++)
            lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int lane = 0; lane < 8; lane++)
        most = lanes[lane] > most ? lanes[lane] : most;
    if (safe && most == (T)-INFINITY) {
        for (i = 0; i < n; i++)
            nothing = nothing && x[i] == (T)-INFINITY;
        if (nothing) {
            memset(x, 0, (size_t)n * sizeof *x);
            return;
        }
    }
    for (i = 0; i < n; i++)
        x[i] = M(exp)(x[i] - most);
    for (i = 0; i + 8 <= n; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sums[lane] += (double)x[i + lane];
    for (; i < n; i++)
        sums[0] += (double)x[i];
    const T factor = (T)(1 / (((sums[0] + sums[4]) + (sums[1] + sums[5])) +
                              ((sums[2] + sums[6]) + (sums[3] + sums[7]))));
    for (i = 0; i < n; i++)
        x[i] *= factor;
}

/* p (g - sum(g p)). */
ROW(softmax_row_grad)(const void *grad, const void *probabilities, void *result, int64_t n)
{
    const T *restrict g = grad, *restrict p = probabilities;
    T *restrict out = result;
    double sums[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sums[lane] += (double)(g[i + lane] * p[i + lane]);
    for (; i < n; i++)
        sums[0] += (double)(g[i] * p[i]);
    const T sum = (T)(((sums[0] + sums[4]) + (sums[1] + sums[5])) +
                      ((sums[2] + sums[6]) + (sums[3] + sums[7])));
    for (i = 0; i < n; i++)
        out[i] = p[i] * (g[i] - sum);
}

/* A mask's row: what is added, or -inf where it is false; `stride` in elements, 0 or more. */
ROW(add_row)(void *row, const void *mask, int64_t stride, int64_t n)
{
    T *restrict x = row;
    const T *restrict added = mask;
    if (stride == 1)
        for (int64_t i = 0; i < n; i++)
            x[i] += added[i];
    else
        for (int64_t i = 0; i < n; i++)
            x[i] += added[i * stride];
}

ROW(choose_row)(void *row, const void *mask, int64_t stride, int64_t n)
{
    T *restrict x = row;
    const bool *restrict chosen = mask;
    for (int64_t i = 0; i < n; i++)
        x[i] = chosen[i * stride] ? x[i] : (T)-INFINITY;
}

static const row_functions LOOP(rows) = { LOOP(softmax_row), LOOP(softmax_row_grad), LOOP(add_row),
                                          LOOP(choose_row) };
#undef ROW
