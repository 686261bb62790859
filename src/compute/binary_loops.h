/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two elements, of the type T (included for each set of loops, loop_sets.h). */

/* Operands that lie side by side, either of which may be a single number; or any. */
#define DEFINE_LOOP(name, value)                                                                   \
    TARGET static void LOOP(name)(const void *arguments, char *const *data,                        \
                                  const int64_t *strides, int64_t n)                               \
    {                                                                                              \
        const T alpha = (T) * (const double *)arguments;                                           \
        (void)alpha;                                                                               \
        T *out = (T *)data[0];                                                                     \
        const T *left = (const T *)data[1], *right = (const T *)data[2];                           \
        const bool flat = strides[0] == sizeof(T), left_flat = strides[1] == sizeof(T);            \
        const bool right_flat = strides[2] == sizeof(T);                                           \
        if (flat && left_flat && right_flat) {                                                     \
            KDL__INDEPENDENT                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T a = left[i], b = right[i];                                                 \
                out[i] = value;                                                                    \
            }                                                                                      \
        } else if (flat && left_flat && strides[2] == 0) {                                         \
            const T b = *right;                                                                    \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T a = left[i];                                                               \
                out[i] = value;                                                                    \
            }                                                                                      \
        } else if (flat && right_flat && strides[1] == 0) {                                        \
            const T a = *left;                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T b = right[i];                                                              \
                out[i] = value;                                                                    \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T a = *(const T *)(data[1] + i * strides[1]);                                \
                const T b = *(const T *)(data[2] + i * strides[2]);                                \
                *(T *)(data[0] + i * strides[0]) = value;                                          \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_LOOP(add, a + alpha * b)
DEFINE_LOOP(mul, a *b)
DEFINE_LOOP(div, a / b)
DEFINE_LOOP(power, M(pow)(a, b))
/* A NaN on either side is the result. */
DEFINE_LOOP(maximum, a != a || a > b ? a : b)
DEFINE_LOOP(minimum, a != a || a < b ? a : b)
DEFINE_LOOP(equal, a == b)
DEFINE_LOOP(less, a < b)

#undef DEFINE_LOOP

TARGET static void LOOP(where)(const void *arguments, char *const *data, const int64_t *strides,
                               int64_t n)
{
    (void)arguments;
    const bool flat = strides[0] == sizeof(T) && strides[1] == 1 && strides[2] == sizeof(T);
    if (flat && strides[3] == sizeof(T)) {
        T *out = (T *)data[0];
        const unsigned char *mask = (const unsigned char *)data[1];
        const T *a = (const T *)data[2], *b = (const T *)data[3];
        for (int64_t i = 0; i < n; i++) {
            const T chosen = a[i], other = b[i];
            out[i] = mask[i] ? chosen : other;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const bool chosen = *(const unsigned char *)(data[1] + i * strides[1]) != 0;
        const int operand = chosen ? 2 : 3;
        *(T *)(data[0] + i * strides[0]) = *(const T *)(data[operand] + i * strides[operand]);
    }
}
