/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the functions of one element, of the type T (included for each). */

/* What is shared by a function and its derivative, or too long for the list. */
#define logistic(x) (1 / (1 + EXP(-(x))))
/* tanh(log(1 + e^x)), of e = e^x; 1 above 20, where e^2 might be infinite. */
#define mish_exp EXP(x > 20 ? 20 : x)
#define mish_tanh (mish_exp * (mish_exp + 2) / (mish_exp * (mish_exp + 2) + 2))
#define normal_density (EXP(x * x * (T)-0.5) * (T)(M_2_SQRTPI * M_SQRT1_2 * 0.5))
/* (1 + tanh(u)) / 2 is the logistic function of 2 u. */
#define GELU_SLOPE (T)(M_SQRT2 * M_2_SQRTPI)
#define GELU_CUBE (T)0.044715
#define gelu_gate logistic(GELU_SLOPE *(x + GELU_CUBE * (x * x * x)))

#define AT(k) (*(T *)(data[k] + i * strides[k]))

#define DEFINE_LOOPS(name, backward_name, saved, value, derivative)                                \
    TARGET static void LOOP(name)(const void *arguments, char *const *data,                        \
                                  const int64_t *strides, int64_t n)                               \
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
    TARGET static void LOOP(name##_backward)(const void *arguments, char *const *data,             \
                                             const int64_t *strides, int64_t n)                    \
    {                                                                                              \
        const kdl__numbers *numbers = arguments;                                                   \
        const T a = (T)numbers->a, b = (T)numbers->b, c = (T)numbers->c;                           \
        (void)a, (void)b, (void)c;                                                                 \
        bool flat = strides[0] == sizeof(T) && strides[2] == sizeof(T);                            \
        T *out = (T *)data[0];                                                                     \
        const T *grad = (const T *)data[1], *kept = (const T *)data[2];                            \
        if (flat && strides[1] == sizeof(T)) {                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T g = grad[i], saved = kept[i];                                              \
                (void)saved;                                                                       \
                out[i] = derivative;                                                               \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        if (flat && strides[1] == 0) { /* a mean's or a sum's gradient */                          \
            const T g = *grad;                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T saved = kept[i];                                                           \
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

#undef logistic
#undef mish_exp
#undef mish_tanh
#undef normal_density
#undef GELU_SLOPE
#undef GELU_CUBE
#undef gelu_gate
#undef AT
#undef DEFINE_LOOPS
