/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying strided elements: in rows as long as possible, or by tiles where rows would run across.
 */
#include "plan/grid.h"

#include <string.h>

/* Elements are copied as integers of their size, whatever they are. */
typedef uint8_t element_1;
typedef uint16_t element_2 __attribute__((may_alias));
typedef uint32_t element_4 __attribute__((may_alias));
typedef uint64_t element_8 __attribute__((may_alias));

/* Drops dimensions of size 1, and makes one of two where the outer one continues the inner one. */
static void merge_dims(kdl__grid *grid)
{
    int last = -1;
    for (int d = 0; d < grid->ndim; d++) {
        int64_t size = grid->sizes[d], to = grid->to_steps[d], from = grid->from_steps[d];
        if (size == 1)
            continue;
        if (last >= 0 && grid->to_steps[last] == to * size && grid->from_steps[last] == from * size)
            size *= grid->sizes[last];
        else
            last++;
        grid->sizes[last] = size;
        grid->to_steps[last] = to;
        grid->from_steps[last] = from;
    }
    grid->ndim = last + 1;
    if (grid->ndim == 0) { /* a single element */
        grid->ndim = 1;
        grid->sizes[0] = grid->to_steps[0] = grid->from_steps[0] = 1;
    }
}

/* ---- rows -------------------------------------------------------------------------------- */

#define DEFINE_COPY_ROW(size)                                                                      \
    static void copy_row_##size(void *out, int64_t to_step, const void *in, int64_t from_step,     \
                                int64_t count)                                                     \
    {                                                                                              \
        element_##size *to = out;                                                                  \
        const element_##size *from = in;                                                           \
        for (int64_t i = 0; i < count; i++)                                                        \
            to[i * to_step] = from[i * from_step];                                                 \
    }
DEFINE_COPY_ROW(1)
DEFINE_COPY_ROW(2)
DEFINE_COPY_ROW(4)
DEFINE_COPY_ROW(8)

static void copy_row(size_t size, void *out, int64_t to_step, const void *in, int64_t from_step,
                     int64_t count)
{
    if (to_step == 1 && from_step == 1)
        memcpy(out, in, (size_t)count * size);
    else if (size == 1)
        copy_row_1(out, to_step, in, from_step, count);
    else if (size == 2)
        copy_row_2(out, to_step, in, from_step, count);
    else if (size == 4)
        copy_row_4(out, to_step, in, from_step, count);
    else
        copy_row_8(out, to_step, in, from_step, count);
}

/* ---- tiles ------------------------------------------------------------------------------- */

enum { TILE = 32 };

/* Where blocks of elements are not turned in vectors. */
#define NO_BLOCKS(tile, from, from_step, height, width) 0

/* A block of four by four, whose columns are `from_step` apart. */
typedef uint32_t four __attribute__((vector_size(16)));
typedef four placed_four __attribute__((aligned(4), may_alias));

static void turn_block(element_4 (*rows)[TILE], const element_4 *from, int64_t from_step)
{
    const four a = *(const placed_four *)from, b = *(const placed_four *)(from + from_step);
    const four c = *(const placed_four *)(from + 2 * from_step);
    const four d = *(const placed_four *)(from + 3 * from_step);
    const four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const four ab_behind = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const four cd_behind = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(placed_four *)rows[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(placed_four *)rows[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(placed_four *)rows[2] = __builtin_shufflevector(ab_behind, cd_behind, 0, 1, 4, 5);
    *(placed_four *)rows[3] = __builtin_shufflevector(ab_behind, cd_behind, 2, 3, 6, 7);
}

/* As many columns as blocks cover, of which a column's elements lie side by side; how many. */
static int64_t turn_blocks(element_4 (*tile)[TILE], const element_4 *from, int64_t from_step,
                           int64_t height, int64_t width)
{
    if (height % 4 != 0)
        return 0;
    for (int64_t c = 0; c + 4 <= width; c += 4)
        for (int64_t r = 0; r < height; r += 4)
            turn_block((element_4(*)[TILE]) & tile[r][c], from + c * from_step + r, from_step);
    return width - width % 4;
}

/*
 * A matrix of which the elements of a column lie together at `in` and those of a row at `out`:
 * tiles of it stay in the cache.
 */
#define DEFINE_TURN(size, blocks)                                                                  \
    static void turn_##size(void *out, int64_t to_step, const void *in, int64_t from_step,         \
                            int64_t from_row, int64_t rows, int64_t columns)                       \
    {                                                                                              \
        element_##size tile[TILE][TILE];                                                           \
        element_##size *to = out;                                                                  \
        for (int64_t row = 0; row < rows; row += TILE)                                             \
            for (int64_t column = 0; column < columns; column += TILE) {                           \
                int64_t height = rows - row < TILE ? rows - row : TILE;                            \
                int64_t width = columns - column < TILE ? columns - column : TILE;                 \
                const element_##size *from = in;                                                   \
                from += column * from_step + row * from_row;                                       \
                int64_t c = from_row == 1 ? blocks(tile, from, from_step, height, width) : 0;      \
                for (; c < width; c++)                                                             \
                    for (int64_t r = 0; r < height; r++)                                           \
                        tile[r][c] = from[c * from_step + r * from_row];                           \
                for (int64_t r = 0; r < height; r++)                                               \
                    memcpy(to + (row + r) * to_step + column, tile[r], (size_t)width * size);      \
            }                                                                                      \
    }
DEFINE_TURN(1, NO_BLOCKS)
DEFINE_TURN(2, NO_BLOCKS)
DEFINE_TURN(4, turn_blocks)
DEFINE_TURN(8, NO_BLOCKS)

static void turn(size_t size, void *out, int64_t to_step, const void *in, int64_t from_step,
                 int64_t from_row, int64_t rows, int64_t columns)
{
    if (size == 1)
        turn_1(out, to_step, in, from_step, from_row, rows, columns);
    else if (size == 2)
        turn_2(out, to_step, in, from_step, from_row, rows, columns);
    else if (size == 4)
        turn_4(out, to_step, in, from_step, from_row, rows, columns);
    else
        turn_8(out, to_step, in, from_step, from_row, rows, columns);
}

/* ---- both -------------------------------------------------------------------------------- */

/* Where a copy stands: the indices of an element, and its places. */
typedef struct place {
    int64_t index[KDL_MAX_DIMS];
    int64_t to, from;
} place;

static void find_place(const kdl__grid *grid, int64_t number, place *at)
{
    at->to = grid->to;
    at->from = grid->from;
    for (int d = grid->ndim - 1; d >= 0; d--) {
        at->index[d] = number % grid->sizes[d];
        number /= grid->sizes[d];
        at->to += at->index[d] * grid->to_steps[d];
        at->from += at->index[d] * grid->from_steps[d];
    }
}

/* Goes `count` steps along a dimension, to its end at most. */
static void move_place(const kdl__grid *grid, place *at, int dim, int64_t count)
{
    at->index[dim] += count;
    at->to += count * grid->to_steps[dim];
    at->from += count * grid->from_steps[dim];
    for (int d = dim; d > 0 && at->index[d] == grid->sizes[d]; d--) {
        at->to += grid->to_steps[d - 1] - at->index[d] * grid->to_steps[d];
        at->from += grid->from_steps[d - 1] - at->index[d] * grid->from_steps[d];
        at->index[d] = 0;
        at->index[d - 1]++;
    }
}

/* How many whole rows from a place on can be copied by tiles; 0 where that does not pay. */
static int64_t rows_to_turn(const kdl__grid *grid, const place *at, int64_t count)
{
    const int inner = grid->ndim - 1;
    if (inner < 1 || at->index[inner] != 0 || grid->to_steps[inner] != 1 ||
        grid->from_steps[inner] <= 1 || grid->from_steps[inner - 1] >= grid->from_steps[inner])
        return 0;
    int64_t left = grid->sizes[inner - 1] - at->index[inner - 1];
    return count / grid->sizes[inner] < left ? count / grid->sizes[inner] : left;
}

void kdl__grid_copy(kdl__grid *grid, size_t size, void *out, const void *in, int64_t first,
                    int64_t count)
{
    const int64_t nbytes = (int64_t)size;
    place at;
    if (count == 0)
        return;
    merge_dims(grid);
    find_place(grid, first, &at);
    const int inner = grid->ndim - 1;
    const int64_t columns = grid->sizes[inner];
    while (count > 0) {
        char *to = (char *)out + at.to * nbytes;
        const char *from = (const char *)in + at.from * nbytes;
        int64_t rows = rows_to_turn(grid, &at, count);
        if (rows > 0) {
            turn(size, to, grid->to_steps[inner - 1], from, grid->from_steps[inner],
                 grid->from_steps[inner - 1], rows, columns);
            move_place(grid, &at, inner - 1, rows);
            count -= rows * columns;
        } else {
            int64_t n = columns - at.index[inner] < count ? columns - at.index[inner] : count;
            copy_row(size, to, grid->to_steps[inner], from, grid->from_steps[inner], n);
            move_place(grid, &at, inner, n);
            count -= n;
        }
    }
}
