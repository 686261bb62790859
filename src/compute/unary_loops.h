/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the functions of one element, of the type T (included for each). */

/* What is shared by a function and its derivative, or too long for the list. */
#define silu_derivative (1 / (1 + M(exp)(-x)) * (1 + x * (1 - 1 / (1 + M(exp)(-x)))))
#define mish_tanh M(tanh)(M(log1p)(M(exp)(x)))
#define mish_derivative (mish_tanh + x / (1 + M(exp)(-x)) * (1 - mish_tanh * mish_tanh))
#define gelu_derivative                                                                            \
    ((T)0.5 * (1 + M(erf)(x * (T)M_SQRT1_2)) +                                                     \
     x * M(exp)(x * x * (T)-0.5) * (T)(M_2_SQRTPI * M_SQRT1_2 * 0.5))
#define GELU_SLOPE (T)(M_SQRT2 * M_2_SQRTPI * 0.5)
#define GELU_CUBE (T)0.044715
#define gelu_inner (GELU_SLOPE * (x + GELU_CUBE * (x * x * x)))
#define gelu_tanh_derivative                                                                       \
    ((T)0.5 * (1 + M(tanh)(gelu_inner)) + (T)0.5 * x *                                             \
                                              (1 - M(tanh)(gelu_inner) * M(tanh)(gelu_inner)) *    \
                                              GELU_SLOPE * (1 + 3 * GELU_CUBE * (x * x)))

#define AT(k) (*(T *)(data[k] + i * strides[k]))

#define DEFINE_LOOPS(name, backward_name, saved, value, derivative)                                \
    static void LOOP(name)(const void *arguments, char *const *data, const int64_t *strides,       \
                           int64_t n)                                                              \
    {                                                                                              \
        const kdl__numbers *numbers = arguments;                                                   \
        const T a = (T)numbers->a, b = (T)numbers->b, c = (T)numbers->c;                           \
        (void)a, (void)b, (void)c;                                                                 \
        if (strides[0] == sizeof(T) && strides[1] == sizeof(T)) {                                  \
            T *out = (T *)data[0];                                                                 \
            const T *in = (const T *)data[1];                                                      \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T x = in[i];                                                                 \
                out[i] = value;                                                                    \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T x = AT(1);                                                                     \
            AT(0) = value;                                                                         \
        }                                                                                          \
    }                                                                                              \
    static void LOOP(name##_backward)(const void *arguments, char *const *data,                    \
                                      const int64_t *strides, int64_t n)                           \
    {                                                                                              \
        const kdl__numbers *numbers = arguments;                                                   \
        const T a = (T)numbers->a, b = (T)numbers->b, c = (T)numbers->c;                           \
        (void)a, (void)b, (void)c;                                                                 \
        if (strides[0] == sizeof(T) && strides[1] == sizeof(T) && strides[2] == sizeof(T)) {       \
            T *out = (T *)data[0];                                                                 \
            const T *grad = (const T *)data[1], *kept = (const T *)data[2];                        \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T g = grad[i], saved = kept[i];                                              \
                (void)saved;                                                                       \
                out[i] = derivative;                                                               \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T g = AT(1), saved = AT(2);                                                      \
            (void)saved;                                                                           \
            AT(0) = derivative;                                                                    \
        }                                                                                          \
    }

KDL__UNARY_LIST(DEFINE_LOOPS)

#undef silu_derivative
#undef mish_tanh
#undef mish_derivative
#undef gelu_derivative
#undef GELU_SLOPE
#undef GELU_CUBE
#undef gelu_inner
#undef gelu_tanh_derivative
#undef AT
#undef DEFINE_LOOPS
