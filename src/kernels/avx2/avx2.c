/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the AVX2 kernels. */
#include "kernels/avx2/lanes_avx2.h"
#include "kernels/avx2/avx2.h"
#include "kernels/elements.h"
#include "kernels/lanes/constant.h"
#include "kernels/lanes/convert.h"
#include "kernels/lanes/normal.h"
#include "kernels/lanes/outside.h"
#include "kernels/lanes/uniform.h"

const kdl__kernels kdl__kernels_avx2 = {
    .name = "avx2",
    .regenerate = regenerate,
    .draws = draw_words,
    .uniform_f32 = uniform_f32,
    .uniform_f16 = uniform_f16,
    .uniform_bf16 = uniform_bf16,
    .uniform_f64 = uniform_f64,
    .normal_f32 = normal_f32,
    .normal_f16 = normal_f16,
    .normal_bf16 = normal_bf16,
    .normal_f64 = normal_f64,
    .convert = convert,
    .list_outside_f32 = list_outside_f32,
    .fill = fill,
    .jump = kdl__jump_pclmul,
    .jump_power = kdl__jump_power_pclmul,
    .jump_apply = kdl__jump_apply_pclmul,
    .jump_pays_from = 190000,
    .tile_f64 = kdl__tile_f64_avx2,
    KDL__ELEMENT_KERNELS,
};
