/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums (running.c): included for each set of loops. */

/* Those of `width` lines, whose elements are `down` apart, and the lines `across`. */
TARGET static inline __attribute__((always_inline)) void LOOP(add_up)(const T *restrict in,
                                                                      T *restrict out,
                                                                      int64_t count, int64_t down,
                                                                      int64_t across, int64_t width)
{
    double sums[WIDE] = { 0 };
    for (int64_t i = 0; i < count; i++, in += down, out += down)
        for (int64_t line = 0; line < width; line++)
            out[line * across] = (T)(sums[line] += (double)in[line * across]);
}

TARGET static void LOOP(side_by_side)(const void *data, int64_t first, int64_t last)
{
    const running *r = data;
    const int64_t down = r->from_last ? -r->inner : r->inner;
    for (int64_t block = first; block < last; block++) {
        const int64_t line = block % r->blocks * WIDE, left = r->inner - line;
        int64_t at = block / r->blocks * r->count * r->inner + line;
        at += r->from_last ? (r->count - 1) * r->inner : 0;
        LOOP(add_up)
        ((const T *)r->in + at, (T *)r->out + at, r->count, down, 1, left < WIDE ? left : WIDE);
    }
}

TARGET static void LOOP(in_rows)(const void *data, int64_t first, int64_t last)
{
    const running *r = data;
    const int64_t down = r->from_last ? -1 : 1;
    for (int64_t block = first; block < last; block++) {
        const int64_t left = r->lines - block * FEW;
        const int64_t at = block * FEW * r->count + (r->from_last ? r->count - 1 : 0);
        const T *in = (const T *)r->in + at;
        T *out = (T *)r->out + at;
        if (left >= FEW)
            LOOP(add_up)(in, out, r->count, down, r->count, FEW);
        else
            LOOP(add_up)(in, out, r->count, down, r->count, left);
    }
}
