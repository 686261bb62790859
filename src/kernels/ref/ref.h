/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref: the kernels in plain C. They define the result: for every argument the other tables give the
 * same bits. Fused multiply-adds are written as such; nothing else may be contracted.
 */
#ifndef KDL_SRC_KERNELS_REF_REF_H
#define KDL_SRC_KERNELS_REF_REF_H

#include "kernels/kernels.h"

/* Each is documented at its field of kdl__kernels. */
void kdl__draws_ref(kdl__mt *mt, uint32_t *out, size_t n);

void kdl__uniform_f32_ref(kdl__mt *mt, float from, float to, float *out, size_t n);
void kdl__uniform_f16_ref(kdl__mt *mt, float from, float to, uint16_t *out, size_t n);
void kdl__uniform_bf16_ref(kdl__mt *mt, float from, float to, uint16_t *out, size_t n);
void kdl__uniform_f64_ref(kdl__mt *mt, double from, double to, double *out, size_t n);

void kdl__normal_f32_ref(kdl__mt *mt, float mean, float std, float *out, size_t n);
void kdl__normal_f16_ref(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n);
void kdl__normal_bf16_ref(kdl__mt *mt, float mean, float std, uint16_t *out, size_t n);
void kdl__normal_f64_ref(kdl__mt *mt, double mean, double std, double *out, size_t n);

/* The second half of normal_f64: turns n uniforms, a multiple of 16, into normals in place. */
void kdl__box_muller_f64_ref(double mean, double std, double *values, size_t n);

void kdl__convert_ref(kdl_dtype from, const void *in, kdl_dtype to, void *out, size_t n);
void kdl__fill_ref(void *out, size_t nbytes, uint64_t bits, size_t n);

void kdl__jump_ref(uint32_t words[KDL__MT_WORDS], uint64_t steps);
void kdl__jump_power_ref(kdl__jump_element *power, uint64_t steps);
void kdl__jump_apply_ref(uint32_t words[KDL__MT_WORDS], const kdl__jump_element *power);

size_t kdl__list_outside_f32_ref(const float *values, float lowest, float highest, size_t n,
                                 uint32_t first, uint32_t *numbers);
void kdl__tile_f64_ref(size_t k, const double *a, const double *b, double *c, size_t ldc);

#endif
