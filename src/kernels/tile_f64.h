/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of kdl__kernels.tile_f64, for files that define before including it
 *   TILE_NAME   the function's name
 *   TILE_LANES  doubles in one vector register
 *   TILE_HEIGHT rows kept in registers at a time (a multiple of TILE_LANES that divides 8)
 *
 * Each element is a sum over k in ascending order, every product and every sum rounded. How many
 * elements are summed side by side does not enter into it, so all variants give the same bits.
 */
#include "kernels/kernels.h"

typedef double lanes __attribute__((vector_size(8 * TILE_LANES)));
typedef double unaligned_lanes __attribute__((vector_size(8 * TILE_LANES), aligned(8), may_alias));

#define VECTORS (TILE_HEIGHT / TILE_LANES)

void TILE_NAME(size_t k, const double *a, const double *b, double *c, size_t ldc)
{
    for (size_t top = 0; top < KDL__TILE_ROWS; top += TILE_HEIGHT) {
        lanes sums[KDL__TILE_COLUMNS][VECTORS] = { 0 };
        for (size_t p = 0; p < k; p++) {
            const double *rows = a + KDL__TILE_ROWS * p + top;
            const double *columns = b + KDL__TILE_COLUMNS * p;
            for (size_t j = 0; j < KDL__TILE_COLUMNS; j++)
                for (size_t i = 0; i < VECTORS; i++)
                    sums[j][i] += *(const unaligned_lanes *)(rows + TILE_LANES * i) * columns[j];
        }
        for (size_t j = 0; j < KDL__TILE_COLUMNS; j++)
            for (size_t i = 0; i < VECTORS; i++)
                *(unaligned_lanes *)(c + ldc * j + top + TILE_LANES * i) += sums[j][i];
    }
}
