/* SPDX-License-Identifier: Apache-2.0 */
/* avx512: kernels for x86-64 processors with AVX-512 F, BW, DQ and VL; some need more. */
#ifndef KDL_SRC_KERNELS_AVX512_AVX512_H
#define KDL_SRC_KERNELS_AVX512_AVX512_H

#include "kernels/kernels.h"

/* Each is documented at its field of kdl__kernels. These need VBMI, GFNI and VPCLMULQDQ. */
void kdl__jump_vpclmulqdq(uint32_t words[KDL__MT_WORDS], uint64_t steps);
void kdl__jump_power_vpclmulqdq(kdl__jump_element *power, uint64_t steps);
void kdl__jump_apply_vpclmulqdq(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power);

#endif
