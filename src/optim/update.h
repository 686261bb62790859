/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an optimiser's arithmetic is written: as a function of one element, in f32 and f64, that
 * gives the parameter's new value and changes up to three states. The loop around it is made here,
 * once for elements side by side, which compilers turn into vectors, and once for any strides.
 */
#ifndef KDL_SRC_OPTIM_UPDATE_H
#define KDL_SRC_OPTIM_UPDATE_H

#include <tgmath.h>
#include "optim/optimizer.h"

/* What comes first in every update's arguments, and is done before its own arithmetic. */
typedef struct kdl__decay {
    double sign;   /* of the gradient: -1 to maximize */
    double l2;     /* how much of the parameter is added to the gradient */
    double shrink; /* what the parameter is multiplied with before (decoupled weight decay) */
} kdl__decay;

static inline kdl__decay kdl__decay_of(bool maximize, double weight_decay, bool decoupled,
                                       double lr)
{
    return (kdl__decay){ .sign = maximize ? -1 : 1,
                         .l2 = decoupled ? 0 : weight_decay,
                         .shrink = decoupled ? 1 - lr * weight_decay : 1 };
}

/* torch.lerp(a, b, weight), rounded as there. */
#define KDL__LERP(a, b, weight)                                                                    \
    ((weight) < 0.5 ? (a) + (weight) * ((b) - (a)) : (b) - ((b) - (a)) * (1 - (weight)))

/*
 * Begins the definition of `T NAME_T(s, flags, x, g, a, b, c)` for the arguments `s` (kdl__decay
 * `decay` first), the parameter x, its gradient g and three states. `flags` is constant, so that a
 * loop is made for each of its values; states that it says are not used must not be touched.
 */
#define KDL__ELEMENT(name, arguments, T)                                                           \
    static inline __attribute__((always_inline))                                                   \
    T name##_##T(const arguments *s, int flags, T x, T g, T *a, T *b, T *c)

#define KDL__UPDATE_LOOP(loop, set, target, element, arguments, flags, T)                          \
    target static void loop##_##set(const void *given, char *const *data, const int64_t *strides,  \
                                    int64_t n)                                                     \
    {                                                                                              \
        const arguments s = *(const arguments *)given;                                             \
        const T sign = (T)s.decay.sign, l2 = (T)s.decay.l2, shrink = (T)s.decay.shrink;            \
        bool side_by_side = true;                                                                  \
        for (int k = 0; k < KDL__MAX_OPERANDS; k++)                                                \
            side_by_side = side_by_side && strides[k] == sizeof(T);                                \
        if (side_by_side) {                                                                        \
            T *x = (T *)data[0], *a = (T *)data[2], *b = (T *)data[3], *c = (T *)data[4];          \
            const T *grads = (const T *)data[1];                                                   \
            KDL__INDEPENDENT                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                T value = x[i] * shrink, g = sign * grads[i];                                      \
                g = l2 != 0 ? g + l2 * value : g;                                                  \
                x[i] = element##_##T(&s, flags, value, g, a + i, b + i, c + i);                    \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            T *at[KDL__MAX_OPERANDS];                                                              \
            for (int k = 0; k < KDL__MAX_OPERANDS; k++)                                            \
                at[k] = (T *)(data[k] + i * strides[k]);                                           \
            T value = *at[0] * shrink, g = sign * *at[1];                                          \
            g = l2 != 0 ? g + l2 * value : g;                                                      \
            *at[0] = element##_##T(&s, flags, value, g, at[2], at[3], at[4]);                      \
        }                                                                                          \
    }

#ifdef __x86_64__
#define KDL__UPDATE_VECTORS(loop, element, arguments, flags)                                       \
    KDL__UPDATE_LOOP(loop, avx2, KDL__TARGET_AVX2, element, arguments, flags, float)               \
    KDL__UPDATE_LOOP(loop, avx512, KDL__TARGET_AVX512, element, arguments, flags, float)
#else
#define KDL__UPDATE_VECTORS(loop, element, arguments, flags)
#endif

/* Defines `loop`, the inner loops (a kdl__loop_set) of an element's function with those flags. */
#define KDL__UPDATE(loop, element, arguments, flags)                                               \
    KDL__UPDATE_LOOP(loop, f32, , element, arguments, flags, float)                                \
    KDL__UPDATE_LOOP(loop, f64, , element, arguments, flags, double)                               \
    KDL__UPDATE_VECTORS(loop, element, arguments, flags)                                           \
    static kdl__inner_loop *const loop[] = KDL__LOOP_SET(loop);

enum { KDL__GRAD = 1 }; /* the gradient's place among a loop's operands */

/*
 * Runs such loops over a parameter, its gradient and those of its states that `states` has a bit
 * for; they are made, of zeros, where they are not there. All elements, or those of the gradient's
 * rows, on every thread.
 */
kdl_status kdl__optim_update(kdl__optim_param *param, kdl_tensor *grad, unsigned states,
                             kdl__inner_loop *const *loops, const void *arguments);

#endif
