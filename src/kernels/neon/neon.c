/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the NEON kernels: they differ in the jump. */
#include "kernels/neon/lanes_neon.h"
#include "kernels/elements.h"
#include "kernels/lanes/constant.h"
#include "kernels/lanes/convert.h"
#include "kernels/lanes/normal.h"
#include "kernels/lanes/uniform.h"
#include "kernels/neon/neon.h"

#define FILLS_AND_MOVES                                                                            \
    .regenerate = regenerate, .draws = draw_words, .uniform_f32 = uniform_f32,                     \
    .uniform_f16 = uniform_f16, .uniform_bf16 = uniform_bf16, .uniform_f64 = uniform_f64,          \
    .normal_f32 = normal_f32, .normal_f16 = normal_f16, .normal_bf16 = normal_bf16,                \
    .normal_f64 = normal_f64, .convert = convert, .fill = fill, .tile_f64 = kdl__tile_f64_ref,     \
    .list_outside_f32 = kdl__list_outside_f32_ref, KDL__ELEMENT_KERNELS

/* Where jumping pays has not been measured on such a processor: as on x86-64. */
const kdl__kernels kdl__kernels_neon = {
    .name = "neon",
    FILLS_AND_MOVES,
    .jump = kdl__jump_ref,
    .jump_power = kdl__jump_power_ref,
    .jump_apply = kdl__jump_apply_ref,
    .jump_pays_from = 500000,
};

const kdl__kernels kdl__kernels_neon_pmull = {
    .name = "neon-pmull",
    FILLS_AND_MOVES,
    .jump = kdl__jump_pmull,
    .jump_power = kdl__jump_power_pmull,
    .jump_apply = kdl__jump_apply_pmull,
    .jump_pays_from = 190000,
};
