/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Includes the file KDL__LOOPS once for each set of inner loops (kdl__loop_set), with
 *   T              the elements' type
 *   M(f)           libm's f of T
 *   EXP(x)         e^x, where of f32 only normal numbers need to be right (kdl__exp_normal_f32)
 *   NORMAL_CDF(x)  the normal distribution's function
 *   LOOP(name)     the name of a loop in its set
 *   TARGET         the instructions that a loop may be compiled to.
 * In each set the loops give the same bits for f32.
 */
#include <math.h>

#include "compute/compute.h"
#include "compute/float_math.h"

#define T double
#define M(function) function
#define EXP exp
#define NORMAL_CDF kdl__normal_cdf_f64
#define LOOP(name) name##_f64
#define TARGET
#include KDL__LOOPS
#undef T
#undef M
#undef EXP
#undef NORMAL_CDF
#undef LOOP
#undef TARGET

#define T float
#define M(function) kdl__##function##_f32
#define EXP kdl__exp_normal_f32
#define NORMAL_CDF kdl__normal_cdf_f32

#define LOOP(name) name##_f32
#define TARGET
#include KDL__LOOPS
#undef LOOP
#undef TARGET

#ifdef __x86_64__
#define LOOP(name) name##_avx2
#define TARGET KDL__TARGET_AVX2
#include KDL__LOOPS
#undef LOOP
#undef TARGET

#define LOOP(name) name##_avx512
#define TARGET KDL__TARGET_AVX512
#include KDL__LOOPS
#undef LOOP
#undef TARGET
#endif

#undef T
#undef M
#undef EXP
#undef NORMAL_CDF
#undef KDL__LOOPS
