/* SPDX-License-Identifier: Apache-2.0 */
/* The tile of a matrix product, in the two lanes that x86-64 and AArch64 always have. */
#include "kernels/ref/ref.h"

#define TILE_NAME kdl__tile_f64_ref
#define TILE_LANES 2
#define TILE_HEIGHT 4
#include "kernels/tile_f64.h"
