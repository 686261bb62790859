/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of one element: F(name, PyTorch's name of the gradient, what is saved (x, y or
 * nothing), f(x), g * f'(x)). T is the element's type M(f) libm's function for it (EXP: see
 * loop_sets.h); a, b, c are its numbers.
 */
#ifndef KDL_SRC_COMPUTE_UNARY_H
#define KDL_SRC_COMPUTE_UNARY_H

#define KDL__UNARY_LIST(F)                                                                         \
    F(add_number, "AddBackward0", nothing, x + a, g)                                               \
    F(mul_number, "MulBackward0", nothing, x *a, g *a)                                             \
    F(div_number, "DivBackward0", nothing, x / a, g / a)                                           \
    F(rsub_number, "RsubBackward1", nothing, a - x, -g)                                            \
    F(rdiv_number, "MulBackward0", x, a / x, -g * a / (x * x))                                     \
    F(pow_number, "PowBackward0", x, M(pow)(x, a), a == 0 ? 0 : g * (a * M(pow)(x, a - 1)))        \
    F(neg, "NegBackward0", nothing, -x, -g)                                                        \
    F(abs, "AbsBackward0", x, M(fabs)(x), x > 0 ? g : x < 0 ? -g : g * x)                          \
    F(exp, "ExpBackward0", y, M(exp)(x), g *y)                                                     \
    F(expm1, "Expm1Backward0", y, M(expm1)(x), g *(y + 1))                                         \
    F(log, "LogBackward0", x, M(log)(x), g / x)                                                    \
    F(log1p, "Log1PBackward0", x, M(log1p)(x), g / (x + 1))                                        \
    F(sqrt, "SqrtBackward0", y, M(sqrt)(x), g / (2 * y))                                           \
    F(rsqrt, "RsqrtBackward0", y, 1 / M(sqrt)(x), (T)-0.5 * g * (y * y * y))                       \
    F(reciprocal, "ReciprocalBackward0", y, 1 / x, -g * (y * y))                                   \
    F(square, "PowBackward0", x, x *x, g *(2 * x))                                                 \
    F(exp2, "Exp2Backward0", y, M(exp2)(x), g *(y * (T)M_LN2))                                     \
    F(log2, "Log2Backward0", x, M(log2)(x), g / (x * (T)M_LN2))                                    \
    F(log10, "Log10Backward0", x, M(log10)(x), g / (x * (T)M_LN10))                                \
    F(sinh, "SinhBackward0", x, M(sinh)(x), g *M(cosh)(x))                                         \
    F(cosh, "CoshBackward0", x, M(cosh)(x), g *M(sinh)(x))                                         \
    F(asin, "AsinBackward0", x, M(asin)(x), g / M(sqrt)(1 - x * x))                                \
    F(acos, "AcosBackward0", x, M(acos)(x), -g / M(sqrt)(1 - x * x))                               \
    F(atan, "AtanBackward0", x, M(atan)(x), g / (x * x + 1))                                       \
    F(asinh, "AsinhBackward0", x, M(asinh)(x), g / M(sqrt)(x * x + 1))                             \
    F(acosh, "AcoshBackward0", x, M(acosh)(x), g / M(sqrt)(x * x - 1))                             \
    F(atanh, "AtanhBackward0", x, M(atanh)(x), g / (1 - x * x))                                    \
    F(erfc, "ErfcBackward0", x, M(erfc)(x), g *((T)-M_2_SQRTPI * M(exp)(-(x * x))))                \
    F(sign, "SignBackward0", nothing, (T)((x > 0) - (x < 0)), 0 * g)                               \
    F(floor, "FloorBackward0", nothing, M(floor)(x), 0 * g)                                        \
    F(ceil, "CeilBackward0", nothing, M(ceil)(x), 0 * g)                                           \
    F(round, "RoundBackward0", nothing, M(nearbyint)(x), 0 * g)                                    \
    F(trunc, "TruncBackward0", nothing, M(trunc)(x), 0 * g)                                        \
    F(sin, "SinBackward0", x, M(sin)(x), g *M(cos)(x))                                             \
    F(cos, "CosBackward0", x, M(cos)(x), -g *M(sin)(x))                                            \
    F(tan, "TanBackward0", y, M(tan)(x), g *(1 + y * y))                                           \
    F(tanh, "TanhBackward0", y, M(tanh)(x), g *(1 - y * y))                                        \
    F(erf, "ErfBackward0", x, M(erf)(x), g *((T)M_2_SQRTPI * EXP(-(x * x))))                       \
    F(sigmoid, "SigmoidBackward0", y, logistic(x), g *((1 - y) * y))                               \
    F(relu, "ReluBackward0", y, x <= 0 ? 0 : x, y <= 0 ? 0 : g)                                    \
    F(logsigmoid, "LogSigmoidBackward0", x, (x < 0 ? x : 0) - M(log1p)(M(exp)(-M(fabs)(x))),       \
      g * logistic(-x))                                                                            \
    F(silu, "SiluBackward0", x, x / (1 + EXP(-x)),                                                 \
      g * (logistic(x) * (1 + x * (1 - logistic(x)))))                                             \
    F(mish, "MishBackward0", x, x *mish_tanh,                                                      \
      g *(mish_tanh + x * logistic(x) * (1 - mish_tanh * mish_tanh)))                              \
    F(gelu, "GeluBackward0", x, x *NORMAL_CDF(x), g *(NORMAL_CDF(x) + x * normal_density))         \
    F(gelu_tanh, "GeluBackward0", x, x *gelu_gate,                                                 \
      g *(gelu_gate +                                                                              \
          x * gelu_gate * (1 - gelu_gate) * GELU_SLOPE * (1 + 3 * GELU_CUBE * (x * x))))           \
    F(softplus, "SoftplusBackward0", x, x *a > b ? x : M(log1p)(M(exp)(x * a)) / a,                \
      x * a > b ? g : g * logistic(x * a))                                                         \
    F(softsign, "DivBackward0", x, x / (1 + M(fabs)(x)),                                           \
      g / ((1 + M(fabs)(x)) * (1 + M(fabs)(x))))                                                   \
    F(tanhshrink, "SubBackward0", x, x - M(tanh)(x), g * (M(tanh)(x) * M(tanh)(x)))                \
    /* a: alpha, b: scale, c: the scale of the input */                                            \
    F(elu, "EluBackward0", x, x <= 0 ? M(expm1)(x * c) * (a * b) : x * b,                          \
      x <= 0 ? g * c * (a * b) * M(exp)(x * c) : g * b)                                            \
    F(leaky_relu, "LeakyReluBackward0", x, x > 0 ? x : x * a, x > 0 ? g : g * a)                   \
    F(hardtanh, "HardtanhBackward0", x, x<a ? a : x> b ? b : x, x <= a || x >= b ? 0 : g)          \
    F(clamp, "ClampBackward1", x, x<a ? a : x> b ? b : x, x >= a && x <= b ? g : 0)                \
    F(hardsigmoid, "HardsigmoidBackward0", x,                                                      \
      x <= -3  ? 0                                                                                 \
      : x >= 3 ? 1                                                                                 \
               : (x + 3) / 6,                                                                      \
      x > -3 && x < 3 ? g * (T)(1.0F / 6) : 0)                                                     \
    F(hardswish, "HardswishBackward0", x,                                                          \
      x *(x <= -3  ? 0                                                                             \
          : x >= 3 ? 1                                                                             \
                   : (x + 3) / 6),                                                                 \
      x <= -3 ? 0                                                                                  \
      : x < 3 ? g * (x / 3 + (T)0.5)                                                               \
              : g)                                                                                 \
    F(softshrink, "SoftshrinkBackward0", x,                                                        \
      x > a    ? x - a                                                                             \
      : x < -a ? x + a                                                                             \
               : x * 0,                                                                            \
      x >= -a && x <= a ? 0 : g)                                                                   \
    F(hardshrink, "HardshrinkBackward0", x, x >= -a && x <= a ? 0 : x, x >= -a && x <= a ? 0 : g)  \
    F(threshold, "ThresholdBackward0", x, x <= a ? b : x, x <= a ? 0 : g)

#define KDL__UNARY_INDEX(name, ...) KDL__UNARY_##name,
enum { KDL__UNARY_LIST(KDL__UNARY_INDEX) KDL__UNARY_COUNT };

#endif
