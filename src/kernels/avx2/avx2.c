/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the AVX2 kernels: what has no AVX2 version of its own is the plain C one. */
#include "kernels/avx2/avx2.h"
#include "kernels/ref/ref.h"

const kdl__kernels kdl__kernels_avx2 = {
    .name = "avx2",
    .draws = kdl__draws_ref,
    .uniform_f32 = kdl__uniform_f32_ref,
    .uniform_f16 = kdl__uniform_f16_ref,
    .uniform_bf16 = kdl__uniform_bf16_ref,
    .uniform_f64 = kdl__uniform_f64_ref,
    .normal_f32 = kdl__normal_f32_ref,
    .normal_f16 = kdl__normal_f16_ref,
    .normal_bf16 = kdl__normal_bf16_ref,
    .normal_f64 = kdl__normal_f64_ref,
    .convert = kdl__convert_ref,
    .fill = kdl__fill_ref,
    .jump = kdl__jump_pclmul,
    .jump_power = kdl__jump_power_pclmul,
    .jump_apply = kdl__jump_apply_pclmul,
    .jump_pays_from = 120000,
    .tile_f64 = kdl__tile_f64_avx2,
};
