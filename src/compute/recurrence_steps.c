/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of recurrent layers: for f32 and f64, and for f32 in longer vectors where there are some. */
#include "compute/recurrence_steps.h"

#include <math.h>
#include <string.h>

#include "compute/gate_math.h"

/* A function of its own, so that what `restrict` says of its arguments holds for all of it. */
#define ROW(name) TARGET __attribute__((noinline)) static void LOOP(name)

#define T float
#define SIGMOID(x) kdl__gate_sigmoid(x)
#define TANH(x) kdl__gate_tanh(x)

#define TARGET
#define LOOP(name) name##_f32
#include "compute/recurrence_loops.h"
#undef LOOP
#undef TARGET

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2")))
#define LOOP(name) name##_f32_avx2
#include "compute/recurrence_loops.h"
#undef LOOP
#undef TARGET
#endif

#undef T
#undef SIGMOID
#undef TANH

#define T double
#define SIGMOID(x) (1 / (1 + exp(-(x))))
#define TANH(x) tanh(x)
#define TARGET
#define LOOP(name) name##_f64
#include "compute/recurrence_loops.h"

const kdl__recurrent_steps *kdl__recurrent_steps_of(const kdl_context *ctx, bool is_f64)
{
    if (is_f64)
        return &steps_f64;
#ifdef __x86_64__
    if (ctx->cpu != KDL__CPU_REF)
        return &steps_f32_avx2;
#endif
    (void)ctx;
    return &steps_f32;
}
