/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Includes the file KDL__LOOPS once for each set of inner loops (kdl__loop_set): with T for the
 * elements' type, M(f) for libm's f of T, NORMAL_CDF for the normal distribution's function of T, LOOP(name) for the name of a loop in its set, TARGET for
 * the instructions that it may be compiled to. In each the loops give the same bits for f32.
 */
#include <math.h>

#include "compute/float_math.h"

#define T double
#define M(function) function
#define NORMAL_CDF kdl__normal_cdf_f64
#define LOOP(name) name##_f64
#define TARGET
#include KDL__LOOPS
#undef T
#undef M
#undef NORMAL_CDF
#undef LOOP
#undef TARGET

#define T float
#define M(function) kdl__##function##_f32
#define NORMAL_CDF kdl__normal_cdf_f32

#define LOOP(name) name##_f32
#define TARGET
#include KDL__LOOPS
#undef LOOP
#undef TARGET

#ifdef __x86_64__
#define LOOP(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#include KDL__LOOPS
#undef LOOP
#undef TARGET

/* GCC would rather have vectors of 256 bits. */
#ifdef __clang__
#define WIDTH ""
#else
#define WIDTH ",prefer-vector-width=512"
#endif
#define LOOP(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" WIDTH)))
#include KDL__LOOPS
#undef LOOP
#undef TARGET
#undef WIDTH
#endif

#undef T
#undef M
#undef NORMAL_CDF
#undef KDL__LOOPS
