/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of an element and what it should be, of the type T (for each set, loop_sets.h). */

#define signed_by(value, gradient) ((value) > 0 ? (gradient) : (value) < 0 ? -(gradient) : (value))
#define above(value, limit) ((value) > (limit) ? (value) : (limit))
#define AT(k) (*(const T *)(data[k] + i * strides[k]))

/* Operands: the value, x, t. */
#define DEFINE_VALUE(name, value)                                                                  \
    TARGET static void LOOP(name)(const void *arguments, char *const *data,                        \
                                  const int64_t *strides, int64_t n)                               \
    {                                                                                              \
        const T a = (T)((const kdl__numbers *)arguments)->a;                                       \
        (void)a;                                                                                   \
        T *out = (T *)data[0];                                                                     \
        const T *xs = (const T *)data[1], *ts = (const T *)data[2];                                \
        if (strides[0] == sizeof(T) && strides[1] == sizeof(T) && strides[2] == sizeof(T)) {       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T x = xs[i], t = ts[i];                                                      \
                out[i] = value;                                                                    \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T x = AT(1), t = AT(2);                                                          \
            *(T *)(data[0] + i * strides[0]) = value;                                              \
        }                                                                                          \
    }

/* Operands: the gradient of x or t, that of the value, x, t. That of a mean is a single number. */
#define DEFINE_GRADIENT(name, gradient)                                                            \
    TARGET static void LOOP(name)(const void *arguments, char *const *data,                        \
                                  const int64_t *strides, int64_t n)                               \
    {                                                                                              \
        const T a = (T)((const kdl__numbers *)arguments)->a;                                       \
        (void)a;                                                                                   \
        T *out = (T *)data[0];                                                                     \
        const T *xs = (const T *)data[2], *ts = (const T *)data[3];                                \
        bool flat = strides[0] == sizeof(T) && strides[1] == 0;                                    \
        if (flat && strides[2] == sizeof(T) && strides[3] == sizeof(T)) {                          \
            const T g = *(const T *)data[1];                                                       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T x = xs[i], t = ts[i];                                                      \
                (void)x, (void)t;                                                                  \
                out[i] = gradient;                                                                 \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T g = AT(1), x = AT(2), t = AT(3);                                               \
            (void)x, (void)t;                                                                      \
            *(T *)(data[0] + i * strides[0]) = gradient;                                           \
        }                                                                                          \
    }

#define DEFINE_LOOPS(name, backward_name, value, of_x, of_t)                                       \
    DEFINE_VALUE(name, value)                                                                      \
    DEFINE_GRADIENT(name##_of_x, of_x)                                                             \
    DEFINE_GRADIENT(name##_of_t, of_t)

KDL__PAIR_LIST(DEFINE_LOOPS)

#undef signed_by
#undef above
#undef AT
#undef DEFINE_VALUE
#undef DEFINE_GRADIENT
#undef DEFINE_LOOPS
