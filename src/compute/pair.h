/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of an element x and what it should be, t: the losses that are taken element by element.
 *
 * F(name, backward's name, f(x, t), g df/dx, g df/dt), of the type T, with a and b for the
 * function's numbers and M(f) for libm's f of T.
 */
#ifndef KDL_SRC_COMPUTE_PAIR_H
#define KDL_SRC_COMPUTE_PAIR_H

#include "compute/compute.h"

#define KDL__PAIR_LIST(F)                                                                          \
    F(mse, "MseLossBackward0", (x - t) * (x - t), g * (2 * (x - t)), g * (2 * (t - x)))            \
    F(l1, "MeanBackward0", M(fabs)(x - t), signed_by(x - t, g), signed_by(t - x, g))               \
    /* a: beta */                                                                                  \
    F(smooth_l1, "SmoothL1LossBackward0",                                                          \
      M(fabs)(x - t) < a ? (T)0.5 * (x - t) * (x - t) / a : M(fabs)(x - t) - (T)0.5 * a,           \
      M(fabs)(x - t) < a ? g * (x - t) / a : signed_by(x - t, g),                                  \
      M(fabs)(x - t) < a ? g * (t - x) / a : signed_by(t - x, g))                                  \
    /* a: delta */                                                                                 \
    F(huber, "HuberLossBackward0",                                                                 \
      M(fabs)(x - t) <= a ? (T)0.5 * (x - t) * (x - t) : a * (M(fabs)(x - t) - (T)0.5 * a),        \
      M(fabs)(x - t) <= a ? g * (x - t) : signed_by(x - t, a * g),                                 \
      M(fabs)(x - t) <= a ? g * (t - x) : signed_by(t - x, a * g))                                 \
    /* the logarithms are -100 at least, and the divisor not 0, as in PyTorch */                   \
    F(bce, "BinaryCrossEntropyBackward0",                                                          \
      (t - 1) * above(M(log1p)(-x), -100) - t * above(M(log)(x), -100),                            \
      g * (x - t) / above((1 - x) * x, (T)1e-12F),                                                 \
      g * (above(M(log1p)(-x), -100) - above(M(log)(x), -100)))                                    \
    F(bce_logits, "BinaryCrossEntropyWithLogitsBackward0",                                         \
      (1 - t) * x + M(log1p)(M(exp)(-M(fabs)(x))) + (x < 0 ? -x : 0),                              \
      g * (1 / (1 + M(exp)(-x)) - t), -g * x)                                                      \
    F(kl, "KlDivBackward0", (t == 0 ? 0 : t * M(log)(t)) - t * x, -g * t, g * (M(log)(t) + 1 - x)) \
    F(kl_log, "KlDivBackward0", M(exp)(t) * (t - x), -g * M(exp)(t),                               \
      g * (M(exp)(t) * (t - x + 1)))                                                               \
    F(poisson_log, "PoissonNllLossBackward0", M(exp)(x) - t * x, g * (M(exp)(x) - t), -g * x)      \
    /* a: epsilon */                                                                               \
    F(poisson, "PoissonNllLossBackward0", x - t * M(log)(x + a), g * (1 - t / (x + a)),            \
      -g * M(log)(x + a))                                                                          \
    /* a: margin; t is 1 or -1 */                                                                  \
    F(hinge_embedding, "HingeEmbeddingLossBackward0",                                              \
      (t != 1 && a - x > 0 ? a - x : 0) + (t != -1 ? x : 0),                                       \
      (t != -1 ? g : 0) - (t != 1 && a - x >= 0 ? g : 0), 0 * g)                                   \
    F(soft_margin, "SoftMarginLossBackward0", M(log1p)(M(exp)(-t * x)),                            \
      -g *t / (1 + M(exp)(t * x)), -g * x / (1 + M(exp)(t * x)))

#define KDL__PAIR_INDEX(name, ...) KDL__PAIR_##name,
typedef enum kdl__pair_loss { KDL__PAIR_LIST(KDL__PAIR_INDEX) KDL__PAIR_COUNT } kdl__pair_loss;

/* f(x, t), broadcast; the gradient of x (of t with `of_target`), broadcast. One reference each. */
kdl_tensor *kdl__compute_pair(kdl__pair_loss function, kdl_tensor *x, kdl_tensor *t,
                              kdl__numbers numbers);
kdl_tensor *kdl__compute_pair_grad(kdl__pair_loss function, bool of_target, kdl_tensor *g,
                                   kdl_tensor *x, kdl_tensor *t, kdl__numbers numbers);

#endif
