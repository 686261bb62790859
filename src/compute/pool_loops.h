/* SPDX-License-Identifier: Apache-2.0 */
/* The largest element of each window (pool.c): included for each set of loops. */

typedef T LOOP(values) __attribute__((vector_size(WINDOWS * sizeof(T))));
/* Integers as wide. */
typedef __typeof__((LOOP(values)){ 0 } < (LOOP(values)){ 0 }) LOOP(numbers);

/*
 * Those of WINDOWS windows, which lie `stride` elements apart. Which elements they are, chance
 * decides: they are chosen without a branch. Where a NaN is, no comparison is true.
 */
TARGET static inline __attribute__((always_inline)) void LOOP(largest)(
    const kdl__spans *s, const kdl__span *a, const kdl__span *b, const kdl__span *c, int64_t stride,
    const T *from, T *to, int64_t *index)
{
    LOOP(values) most = { 0 }, value = most;
    LOOP(numbers) best = (most != most) - 1, number, offsets = best;
    most -= (T)INFINITY;
    for (int x = 0; x < WINDOWS; x++)
        offsets[x] = (__typeof__(best[0]))(x * stride);
    EACH_COVERED(s)
    {
        for (int x = 0; x < WINDOWS; x++)
            value[x] = from[at + x * stride];
        number = offsets + (__typeof__(best[0]))at;
        const LOOP(numbers) chosen = (best < 0) | (value > most) | (value != value);
        best = (number & chosen) | (best & ~chosen);
        most = (LOOP(values))(((LOOP(numbers))value & chosen) | ((LOOP(numbers))most & ~chosen));
    }
    for (int x = 0; x < WINDOWS; x++) {
        to[x] = most[x];
        index[x] = best[x];
    }
}

static void LOOP(largest_of_one)(const kdl__spans *s, const kdl__span *a, const kdl__span *b,
                                 const kdl__span *c, const T *from, T *to, int64_t *index)
{
    int64_t best = -1;
    EACH_COVERED(s)
    {
        if (best < 0 || from[at] > from[best] || from[at] != from[at])
            best = at;
    }
    *to = best < 0 ? -(T)INFINITY : from[best];
    *index = best;
}

/* Windows that lie side by side are done together, the last ones of them perhaps twice. */
TARGET static void LOOP(max_plane)(void *state, int64_t p)
{
    OF_PLANE(T);
    const kdl__spans *s = pool->spans;
    const bool few = pool->input <= INT32_MAX; /* whose numbers are as wide as any T */
    int64_t *index = pool->indices + p * pool->output, stride;
    EACH_ROW(s, p)
    {
        const kdl__span *c = spans_ + s->start[2], *c_end = c + s->output[2];
        for (int64_t n, x; c < c_end; c += n, to += n, index += n) {
            n = side_by_side(c, c_end, &stride);
            for (x = 0; few && n >= WINDOWS && x < n; x += WINDOWS) {
                x = x + WINDOWS <= n ? x : n - WINDOWS;
                LOOP(largest)(s, a, b, c + x, stride, from, to + x, index + x);
            }
            for (; x < n; x++)
                LOOP(largest_of_one)(s, a, b, c + x, from, to + x, index + x);
        }
    }
}
