/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compute: the arithmetic of training on tensors in memory, without gradients: element by element
 * with broadcasting, reductions, products of matrices. Tensors here are f32 or f64, the operands of
 * one function of one dtype; masks are bool and indices i64. The layer above sees to that.
 *
 * No bit depends on the number of threads, nor on the instruction set but in products of matrices,
 * which oneDNN (f32) and OpenBLAS (f64) compute, and in convolutions (oneDNN in f32).
 */
#ifndef KDL_SRC_COMPUTE_COMPUTE_H
#define KDL_SRC_COMPUTE_COMPUTE_H

#include "ops/ops.h"

/* ---- loops ------------------------------------------------------------------------------- */

#define KDL__MAX_OPERANDS 5

/*
 * What is done to `n` elements of each operand, the element i of operand k at
 * data[k] + i * strides[k] (strides in bytes). Runs on several threads at once.
 */
typedef void kdl__inner_loop(const void *arguments, char *const *data, const int64_t *strides,
                             int64_t n);

/*
 * Runs the inner loop over all elements of `count` tensors, each broadcast to the sizes of the
 * first, which must have a place for each element. On the context's threads.
 */
kdl_status kdl__loop_run(kdl_tensor *const *tensors, int count, kdl__inner_loop *inner,
                         const void *arguments);
/*
 * The same where elements of the first tensor share places: each thread does its part of dimension
 * `dim`, in row-major order. With `pieces`, that dimension is cut into as many, for any number of
 * threads, and piece i has its own first tensor, `apart` bytes behind that of piece i - 1.
 */
kdl_status kdl__loop_run_sliced(kdl_tensor *const *tensors, int count, int dim, int64_t pieces,
                                int64_t apart, kdl__inner_loop *inner, const void *arguments);

/* What is done to those of some things that have the numbers [first, last). */
typedef void kdl__range(const void *data, int64_t first, int64_t last);

/* Does all `count` of them, on the context's threads where each is `work` elements of work. */
void kdl__run_ranges(kdl_context *ctx, int64_t count, int64_t work, kdl__range *run,
                     const void *data);

/* Where portion `index` of `count` things begins, of `portions` as equal as can be. */
static inline uint64_t kdl__portion(uint64_t count, size_t portions, size_t index)
{
    uint64_t rest = count % portions;
    return count / portions * index + (index < rest ? index : rest);
}

/* Before a loop in which no element's result depends on another's, though pointers may be equal. */
#ifdef __clang__
#define KDL__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define KDL__INDEPENDENT _Pragma("GCC ivdep")
#endif

/* For which elements, and in which vectors, inner loops are compiled (loop_sets.h). */
typedef enum kdl__loop_set {
    KDL__LOOPS_F32,
    KDL__LOOPS_F64,
#ifdef __x86_64__
    KDL__LOOPS_AVX2, /* of f32, as the next */
    KDL__LOOPS_AVX512,
#endif
    KDL__LOOP_SETS
} kdl__loop_set;

#ifdef __x86_64__
/* What a loop of those sets is compiled for; GCC would rather have vectors of 256 bits. */
#define KDL__TARGET_AVX2 __attribute__((target("avx2")))
#ifdef __clang__
#define KDL__TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define KDL__TARGET_AVX512                                                                         \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#endif

#define KDL__LOOP_SET(name)                                                                        \
    {                                                                                              \
        name##_f32, name##_f64, name##_avx2, name##_avx512                                         \
    }
#else
#define KDL__LOOP_SET(name)                                                                        \
    {                                                                                              \
        name##_f32, name##_f64                                                                     \
    }
#endif

/* That for a tensor's dtype and what its context may use (kdl_set_cpu). */
kdl__loop_set kdl__loops_of(const kdl_tensor *tensor);

/* ---- element by element ------------------------------------------------------------------ */

/* What the functions of one tensor take besides: PyTorch's arguments, in its order. */
typedef struct kdl__numbers {
    double a, b, c;
} kdl__numbers;

/* A function of one element and its derivative: y = f(x), and g * f'(x) from x or y. */
typedef struct kdl__unary {
    const char *name; /* of the gradient's function, as PyTorch prints it */
    enum kdl__saves { KDL__SAVES_nothing, KDL__SAVES_x, KDL__SAVES_y } saves; /* for backward */
    kdl__inner_loop *forward[KDL__LOOP_SETS];                                 /* y, x */
    kdl__inner_loop *backward[KDL__LOOP_SETS]; /* the gradient of x, g, x or y */
} kdl__unary;

/* In the order of KDL__UNARY_LIST (unary.h). */
extern const kdl__unary kdl__unaries[];

/*
 * f(x), and g f'(x) where `saved` is x or y (or anything of its sizes). Each gives one reference,
 * NULL on failure.
 */
kdl_tensor *kdl__compute_unary(const kdl__unary *function, kdl_tensor *x, kdl__numbers numbers);
kdl_tensor *kdl__compute_derivative(const kdl__unary *function, kdl_tensor *g, kdl_tensor *saved,
                                    kdl__numbers numbers);

typedef enum kdl__binary {
    KDL__ADD, /* a + alpha b */
    KDL__MUL,
    KDL__DIV,
    KDL__POW,
    KDL__MAXIMUM,
    KDL__MINIMUM,
    KDL__EQUAL, /* the rest: 1 or 0, in the operands' dtype */
    KDL__LESS,
    KDL__BINARY_COUNT
} kdl__binary;

/* a and b, broadcast against each other. Gives one reference. */
kdl_tensor *kdl__compute_binary(kdl__binary function, kdl_tensor *a, kdl_tensor *b, double alpha);
/* a where the mask is true, else b: all broadcast. Of i64 too. */
kdl_tensor *kdl__compute_where(kdl_tensor *mask, kdl_tensor *a, kdl_tensor *b);
/* target += alpha * source, which is broadcast. */
kdl_status kdl__accumulate(kdl_tensor *target, kdl_tensor *source, double alpha);

/* Widens `shape` to what it and other sizes broadcast to; PyTorch's RuntimeError (false). */
bool kdl__broadcast_sizes(kdl_context *ctx, const char *place, kdl_shape *shape, int ndim,
                          const int64_t *sizes);
/* The same with a tensor's sizes. */
bool kdl__broadcast(kdl_context *ctx, kdl_shape *shape, const kdl_tensor *tensor);

/* ---- reductions -------------------------------------------------------------------------- */

/*
 * The sum over the dimensions in `mask` (bit d: dimension d); those stay, of size 1, with `keep`.
 */
kdl_tensor *kdl__compute_sum(kdl_tensor *tensor, uint32_t mask, bool keep);
/* The sum over what broadcasting `shape` to the tensor's sizes repeated: a tensor of `shape`. */
kdl_tensor *kdl__sum_to(kdl_tensor *tensor, int ndim, const int64_t *sizes);
/* The largest element along `dim` (smallest with `least`), and where: the first of equals, or the
 * first NaN. `indices` may be NULL; i64. */
kdl_status kdl__compute_extreme(kdl_tensor *tensor, int dim, bool keep, bool least,
                                kdl_tensor **values, kdl_tensor **indices);
/* softmax or its logarithm along `dim`, row-major; and the gradient of its argument. */
kdl_tensor *kdl__compute_softmax(kdl_tensor *tensor, int dim, bool logarithm);
kdl_tensor *kdl__compute_softmax_grad(kdl_tensor *grad, kdl_tensor *result, int dim,
                                      bool logarithm);

/* Sums along a dimension of a row-major tensor in memory, each up to an element, or from it on. */
kdl_tensor *kdl__compute_running_sums(kdl_tensor *tensor, int dim, bool from_last);

/* ---- products of matrices ---------------------------------------------------------------- */

/*
 * result = alpha a b + beta result, each a matrix or (with as many dimensions as the others) a
 * batch of them; `result` is row-major. A batch's dimensions of size 1 are broadcast.
 */
kdl_status kdl__compute_matmul(kdl_tensor *a, kdl_tensor *b, double alpha, double beta,
                               kdl_tensor *result);
/* result = a b + beta result. Consumes all three, of which any may be NULL: an error stands. */
void kdl__matmul_into(kdl_tensor *a, kdl_tensor *b, double beta, kdl_tensor *result);
/* rows x columns of a row-major tensor, from element `first` on. Gives one reference. */
kdl_tensor *kdl__matrix_at(kdl_tensor *tensor, int64_t first, int64_t rows, int64_t columns);

/*
 * Keeps oneDNN to one thread in what this thread calls, and gives what to tell
 * kdl__restore_library_threads() afterwards. OpenMP counts threads for each thread that asks.
 */
int kdl__one_library_thread(void);
void kdl__restore_library_threads(int threads);

/* ---- shared ------------------------------------------------------------------------------ */

/* An uninitialised row-major tensor in memory, also in a deferred context. */
kdl_tensor *kdl__new_values(kdl_context *ctx, kdl_dtype dtype, int ndim, const int64_t *sizes);
/* The tensor (consumed; may be NULL) with its values in memory; NULL when that fails. */
static inline kdl_tensor *kdl__in_memory(kdl_tensor *tensor)
{
    if (!tensor || kdl_tensor_data(tensor))
        return tensor;
    kdl_tensor_release(tensor);
    return NULL;
}
/* Element `index`, in memory, of a row-major tensor. */
static inline double kdl__element(const kdl_tensor *tensor, int64_t index)
{
    return kdl__load_double(tensor->storage->dtype, tensor->storage->data, tensor->offset + index);
}
static inline void kdl__set_element(kdl_tensor *tensor, int64_t index, double value)
{
    index += tensor->offset;
    if (tensor->storage->dtype == KDL_F64)
        ((double *)tensor->storage->data)[index] = value;
    else
        ((float *)tensor->storage->data)[index] = (float)value;
}
/* 0 for f32, 1 for f64: the index into pairs of functions. */
static inline int kdl__float_index(const kdl_tensor *tensor)
{
    return tensor->storage->dtype == KDL_F64;
}

#endif
