/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of each kind of cell and its way back (recurrence_steps.h): included for each set of
 * loops. The work is done in rows whose arrays have no aliases, so that they can be vectors.
 */

/* A function of its own, so that what `restrict` says of its arguments holds for all of it. */
#define ROW(name) TARGET __attribute__((noinline)) static void LOOP(name)
#define SIGMOID(x) (1 / (1 + M(exp)(-(x))))

/* ---- RNN --------------------------------------------------------------------------------- */

ROW(rnn_row)(int64_t n, bool relu, T *restrict y)
{
    if (relu)
        for (int64_t i = 0; i < n; i++)
            y[i] = y[i] <= 0 ? 0 : y[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = M(tanh)(y[i]);
}

ROW(rnn_row_grad)(int64_t n, bool relu, const T *restrict y, T *restrict dy)
{
    if (relu)
        for (int64_t i = 0; i < n; i++)
            dy[i] = y[i] <= 0 ? 0 : dy[i];
    else
        for (int64_t i = 0; i < n; i++)
            dy[i] *= 1 - y[i] * y[i];
}

static void LOOP(rnn_step)(int64_t n, bool relu, void *y)
{
    LOOP(rnn_row)(n, relu, y);
}

static void LOOP(rnn_step_grad)(int64_t n, bool relu, const void *y, void *dy)
{
    LOOP(rnn_row_grad)(n, relu, y, dy);
}

/* ---- LSTM -------------------------------------------------------------------------------- */

ROW(lstm_row)
(int64_t n, T *restrict in, T *restrict forget, T *restrict cell, T *restrict out,
 const T *restrict c_before, T *restrict c, T *restrict y)
{
    for (int64_t i = 0; i < n; i++) {
        T a = SIGMOID(in[i]), f = SIGMOID(forget[i]), g = M(tanh)(cell[i]), o = SIGMOID(out[i]);
        in[i] = a;
        forget[i] = f;
        cell[i] = g;
        out[i] = o;
        c[i] = f * c_before[i] + a * g;
        y[i] = o * M(tanh)(c[i]);
    }
}

ROW(lstm_row_grad)
(int64_t n, const T *restrict gates, const T *restrict c_before, const T *restrict c,
 const T *restrict dy, T *restrict dc, T *restrict din, T *restrict dforget, T *restrict dcell,
 T *restrict dout)
{
    for (int64_t i = 0; i < n; i++) {
        T a = gates[i], f = gates[n + i], g = gates[2 * n + i], o = gates[3 * n + i];
        T y = M(tanh)(c[i]), d = dc[i] + dy[i] * o * (1 - y * y);
        din[i] = d * g * (a * (1 - a));
        dforget[i] = d * c_before[i] * (f * (1 - f));
        dcell[i] = d * a * (1 - g * g);
        dout[i] = dy[i] * y * (o * (1 - o));
        dc[i] = d * f;
    }
}

static void LOOP(lstm_step)(int64_t batch, int64_t n, void *gates, const void *c_before, void *c,
                            void *y)
{
    for (int64_t b = 0; b < batch; b++) {
        T *g = (T *)gates + b * 4 * n;
        LOOP(lstm_row)
        (n, g, g + n, g + 2 * n, g + 3 * n, (const T *)c_before + b * n, (T *)c + b * n,
         (T *)y + b * n);
    }
}

static void LOOP(lstm_step_grad)(int64_t batch, int64_t n, const void *gates, const void *c_before,
                                 const void *c, const void *dy, void *dc, void *dgates)
{
    for (int64_t b = 0; b < batch; b++) {
        T *d = (T *)dgates + b * 4 * n;
        LOOP(lstm_row_grad)
        (n, (const T *)gates + b * 4 * n, (const T *)c_before + b * n, (const T *)c + b * n,
         (const T *)dy + b * n, (T *)dc + b * n, d, d + n, d + 2 * n, d + 3 * n);
    }
}

/* ---- GRU --------------------------------------------------------------------------------- */

ROW(gru_row)
(int64_t n, T *restrict reset, T *restrict update, T *restrict fresh, const T *restrict hidden,
 const T *restrict before, T *restrict kept, T *restrict y)
{
    for (int64_t i = 0; i < n; i++) {
        T r = SIGMOID(reset[i] + hidden[i]), z = SIGMOID(update[i] + hidden[n + i]);
        T h = hidden[2 * n + i], f = M(tanh)(fresh[i] + r * h);
        reset[i] = r;
        update[i] = z;
        fresh[i] = f;
        kept[i] = h;
        y[i] = f + z * (before[i] - f);
    }
}

ROW(gru_row_grad)
(int64_t n, const T *restrict gates, const T *restrict before, const T *restrict kept,
 const T *restrict dy, T *restrict dreset, T *restrict dupdate, T *restrict dfresh,
 T *restrict dhidden, T *restrict dbefore)
{
    for (int64_t i = 0; i < n; i++) {
        T r = gates[i], z = gates[n + i], f = gates[2 * n + i];
        T df = dy[i] * (1 - z) * (1 - f * f), dz = dy[i] * (before[i] - f) * (z * (1 - z));
        T dr = df * kept[i] * (r * (1 - r));
        dreset[i] = dr;
        dupdate[i] = dz;
        dfresh[i] = df;
        dhidden[i] = df * r;
        dbefore[i] += dy[i] * z;
    }
}

static void LOOP(gru_step)(int64_t batch, int64_t n, void *gates, const void *hidden,
                           const void *before, void *kept, void *y)
{
    for (int64_t b = 0; b < batch; b++) {
        T *g = (T *)gates + b * 3 * n;
        LOOP(gru_row)
        (n, g, g + n, g + 2 * n, (const T *)hidden + b * 3 * n, (const T *)before + b * n,
         (T *)kept + b * n, (T *)y + b * n);
    }
}

static void LOOP(gru_step_grad)(int64_t batch, int64_t n, const void *gates, const void *before,
                                const void *kept, const void *dy, void *dgates, void *dhidden,
                                void *dbefore)
{
    for (int64_t b = 0; b < batch; b++) {
        T *d = (T *)dgates + b * 3 * n, *h = (T *)dhidden + b * 3 * n;
        LOOP(gru_row_grad)
        (n, (const T *)gates + b * 3 * n, (const T *)before + b * n, (const T *)kept + b * n,
         (const T *)dy + b * n, d, d + n, d + 2 * n, h + 2 * n, (T *)dbefore + b * n);
        memcpy(h, d, 2 * (size_t)n * sizeof(T));
    }
}

static const kdl__recurrent_steps LOOP(steps) = {
    LOOP(rnn_step),       LOOP(rnn_step_grad), LOOP(lstm_step),
    LOOP(lstm_step_grad), LOOP(gru_step),      LOOP(gru_step_grad),
};

#undef ROW
#undef SIGMOID
