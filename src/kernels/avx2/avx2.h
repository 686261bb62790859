/* SPDX-License-Identifier: Apache-2.0 */
/* avx2: kernels for x86-64 processors with AVX2 and FMA. */
#ifndef KDL_SRC_KERNELS_AVX2_AVX2_H
#define KDL_SRC_KERNELS_AVX2_AVX2_H

#include "kernels/kernels.h"

/* Each is documented at its field of kdl__kernels. */
void kdl__jump_pclmul(uint32_t words[KDL__MT_WORDS], uint64_t steps);
void kdl__jump_power_pclmul(kdl__jump_element *power, uint64_t steps);
void kdl__jump_apply_pclmul(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power);
void kdl__tile_f64_avx2(size_t k, const double *a, const double *b, double *c, size_t ldc);

#endif
