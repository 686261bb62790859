/* SPDX-License-Identifier: Apache-2.0 */
/* The tile of a matrix product, in the four lanes of AVX2. */
#include "kernels/avx2/avx2.h"

#define TILE_NAME kdl__tile_f64_avx2
#define TILE_LANES 4
#define TILE_HEIGHT 8
#include "kernels/tile_f64.h"
