/* SPDX-License-Identifier: Apache-2.0 */
/* Copying strided elements: random grids and ranges of them against one element at a time. */
#include "plan/grid.h"
#include "support/unit.h"

enum { GRIDS = 1500, MOST = 1 << 18 };

static uint64_t random_state = 1;

static int64_t below(int64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((random_state >> 33) % (uint64_t)n);
}

/* Steps that give each element its own place, the dimensions in a random order, gaps between. */
static int64_t spread(const kdl__grid *grid, int64_t *steps)
{
    int order[KDL_MAX_DIMS];
    int64_t step = below(4) ? 1 : 1 + below(3);
    for (int d = 0; d < grid->ndim; d++) {
        int at = (int)below(d + 1);
        order[d] = order[at];
        order[at] = d;
    }
    bool turned = below(3) > 0;
    for (int i = 0; i < grid->ndim; i++) {
        int d = turned ? order[i] : grid->ndim - 1 - i;
        steps[d] = step;
        step *= grid->sizes[d] + (below(4) ? 0 : below(3));
    }
    return step;
}

static kdl__grid random_grid(int64_t *out_length, int64_t *in_length)
{
    kdl__grid grid = { .ndim = (int)below(5) };
    for (int d = 0; d < grid.ndim; d++)
        grid.sizes[d] = below(5) ? 1 + below(8) : 1 + below(70);
    *out_length = spread(&grid, grid.to_steps);
    *in_length = spread(&grid, grid.from_steps);
    for (int d = 0; d < grid.ndim; d++)
        if (below(8) == 0) /* the same elements over again */
            grid.from_steps[d] = 0;
    return grid;
}

/* Where element `number` lies, by the definition. */
static int64_t place_of(const kdl__grid *grid, const int64_t *steps, int64_t number)
{
    int64_t at = 0;
    for (int d = grid->ndim - 1; d >= 0; d--) {
        at += number % grid->sizes[d] * steps[d];
        number /= grid->sizes[d];
    }
    return at;
}

static void check_grid(const unsigned char *in, unsigned char *out, unsigned char *expected)
{
    int64_t out_length, in_length, numel = 1;
    kdl__grid grid = random_grid(&out_length, &in_length);
    for (int d = 0; d < grid.ndim; d++)
        numel *= grid.sizes[d];
    size_t size = (size_t)1 << below(4);
    if (out_length + 8 > MOST / 8 || in_length + 8 > MOST / 8)
        return;
    int64_t first = below(3) ? below(numel) : 0;
    int64_t count = below(3) ? below(numel - first + 1) : numel - first;
    grid.to = below(8);
    grid.from = below(8);
    memset(out, 0x5a, MOST);
    memset(expected, 0x5a, MOST);
    for (int64_t i = first; i < first + count; i++)
        memcpy(expected + (size_t)(grid.to + place_of(&grid, grid.to_steps, i)) * size,
               in + (size_t)(grid.from + place_of(&grid, grid.from_steps, i)) * size, size);
    kdl__grid_copy(&grid, size, out, in, first, count);
    assert_memory_equal(out, expected, MOST);
}

static void test_random_grids(void **state)
{
    (void)state;
    unsigned char *in = malloc(MOST), *out = malloc(MOST), *expected = malloc(MOST);
    for (size_t i = 0; i < MOST; i++)
        in[i] = (unsigned char)below(256);
    for (int i = 0; i < GRIDS; i++)
        check_grid(in, out, expected);
    free(in);
    free(out);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_grids) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
