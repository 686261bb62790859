/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the functions of two elements, of the type T (included for each). */

#define signed_by(value, gradient) ((value) > 0 ? (gradient) : (value) < 0 ? -(gradient) : (value))
#define above(value, limit) ((value) > (limit) ? (value) : (limit))
#define AT(k) (*(T *)(data[k] + i * strides[k]))

#define DEFINE_LOOPS(name, backward_name, value, of_x, of_t)                                       \
    static void LOOP(name)(const void *arguments, char *const *data, const int64_t *strides,       \
                           int64_t n)                                                              \
    {                                                                                              \
        const T a = (T)((const kdl__numbers *)arguments)->a;                                       \
        (void)a;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T x = AT(1), t = AT(2);                                                          \
            AT(0) = value;                                                                         \
        }                                                                                          \
    }                                                                                              \
    static void LOOP(name##_of_x)(const void *arguments, char *const *data,                        \
                                  const int64_t *strides, int64_t n)                               \
    {                                                                                              \
        const T a = (T)((const kdl__numbers *)arguments)->a;                                       \
        (void)a;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T g = AT(1), x = AT(2), t = AT(3);                                               \
            (void)x, (void)t;                                                                      \
            AT(0) = of_x;                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void LOOP(name##_of_t)(const void *arguments, char *const *data,                        \
                                  const int64_t *strides, int64_t n)                               \
    {                                                                                              \
        const T a = (T)((const kdl__numbers *)arguments)->a;                                       \
        (void)a;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T g = AT(1), x = AT(2), t = AT(3);                                               \
            (void)x, (void)t;                                                                      \
            AT(0) = of_t;                                                                          \
        }                                                                                          \
    }

KDL__PAIR_LIST(DEFINE_LOOPS)

#undef signed_by
#undef above
#undef AT
#undef DEFINE_LOOPS
