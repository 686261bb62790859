/* SPDX-License-Identifier: Apache-2.0 */
/* neon: kernels for AArch64; the jump can also use PMULL, which only some processors have. */
#ifndef KDL_SRC_KERNELS_NEON_NEON_H
#define KDL_SRC_KERNELS_NEON_NEON_H

#include "kernels/kernels.h"

/* Each is documented at its field of kdl__kernels. */
void kdl__jump_pmull(uint32_t words[KDL__MT_WORDS], uint64_t steps);
void kdl__jump_power_pmull(kdl__jump_element *power, uint64_t steps);
void kdl__jump_apply_pmull(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power);

#endif
