/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the AVX-512 kernels: they differ in the jump. */
#include "kernels/avx512/lanes_avx512.h"
#include "kernels/avx2/avx2.h"
#include "kernels/avx512/avx512.h"
#include "kernels/elements.h"
#include "kernels/lanes/constant.h"
#include "kernels/lanes/convert.h"
#include "kernels/lanes/normal.h"
#include "kernels/lanes/outside.h"
#include "kernels/lanes/uniform.h"

#define FILLS_AND_MOVES                                                                            \
    .regenerate = regenerate, .draws = draw_words, .uniform_f32 = uniform_f32,                     \
    .uniform_f16 = uniform_f16, .uniform_bf16 = uniform_bf16, .uniform_f64 = uniform_f64,          \
    .normal_f32 = normal_f32, .normal_f16 = normal_f16, .normal_bf16 = normal_bf16,                \
    .normal_f64 = normal_f64, .convert = convert, .list_outside_f32 = list_outside_f32,            \
    .fill = fill, .tile_f64 = kdl__tile_f64_avx2, KDL__ELEMENT_KERNELS

const kdl__kernels kdl__kernels_avx512 = {
    .name = "avx512",
    FILLS_AND_MOVES,
    .jump = kdl__jump_pclmul,
    .jump_power = kdl__jump_power_pclmul,
    .jump_apply = kdl__jump_apply_pclmul,
    .jump_pays_from = 230000,
};

const kdl__kernels kdl__kernels_avx512icl = {
    .name = "avx512icl",
    FILLS_AND_MOVES,
    .jump = kdl__jump_vpclmulqdq,
    .jump_power = kdl__jump_power_vpclmulqdq,
    .jump_apply = kdl__jump_apply_vpclmulqdq,
    .jump_pays_from = 90000,
};
