/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating tensors (torch.zeros, ...) and writing them in place (Tensor.fill_, Tensor.normal_,
 * ...).
 *
 * Optional arguments are given by name: kdl_rand(ctx, KDL_SHAPE(3, 5), .dtype = KDL_F64). In a
 * deferred context (plan.h) nothing is computed: the operation is recorded on its tensor.
 *
 * Creating functions give one reference, NULL on failure. Writing functions return a status.
 */
#ifndef KINDLING_OPS_H
#define KINDLING_OPS_H

#include "kindling/options.h"
#include "kindling/random.h"
#include "kindling/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Options of the creating functions; start from KDL_TENSOR_DEFAULTS. */
typedef struct kdl_tensor_options {
    size_t nbytes;            /**< sizeof(kdl_tensor_options), for the ABI */
    kdl_dtype dtype;          /**< default KDL_F32 (randint, randperm, arange: KDL_I64) */
    bool requires_grad;       /**< default false */
    kdl_generator *generator; /**< for random ones; default NULL: the context's (borrowed) */
} kdl_tensor_options;

#define KDL_TENSOR_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_tensor_options), KDL_F32, false, NULL                                           \
    }
#define KDL_TENSOR_INT_DEFAULTS                                                                    \
    {                                                                                              \
        sizeof(kdl_tensor_options), KDL_I64, false, NULL                                           \
    }

#define KDL__CREATE(named, function, ...)                                                          \
    KDL__WITH(kdl_tensor_options, KDL_TENSOR_DEFAULTS, named, function, __VA_ARGS__)
#define KDL__CREATE_INT(named, function, ...)                                                      \
    KDL__WITH(kdl_tensor_options, KDL_TENSOR_INT_DEFAULTS, named, function, __VA_ARGS__)

/**
 * torch.empty(shape): uninitialised; zeros in a deferred context. RuntimeError, here and below, for
 * negative and overflowing sizes, and for requires_grad with a dtype that is not floating point.
 */
#define kdl_empty(ctx, shape, ...) KDL__CREATE((__VA_ARGS__), kdl_empty_with, ctx, shape)
/** torch.zeros(shape). */
#define kdl_zeros(ctx, shape, ...) KDL__CREATE((__VA_ARGS__), kdl_zeros_with, ctx, shape)
/** torch.ones(shape). */
#define kdl_ones(ctx, shape, ...) KDL__CREATE((__VA_ARGS__), kdl_ones_with, ctx, shape)
/** torch.full(shape, value), but of dtype f32 unless another is given; converts as kdl_fill_(). */
#define kdl_full(ctx, shape, value, ...)                                                           \
    KDL__CREATE((__VA_ARGS__), kdl_full_with, ctx, shape, value)
/** torch.eye(n, m). */
#define kdl_eye(ctx, n, m, ...) KDL__CREATE((__VA_ARGS__), kdl_eye_with, ctx, n, m)
/**
 * torch.arange(start, end, step) of int64 unless a dtype is given: of Python floats, which an int64
 * arange truncates before it counts, the other integers after. Floating dtypes have the bits of
 * PyTorch's kernel, which counts in vectors of 32 bytes whatever the processor offers. It starts
 * anew in each part of a sequence that it splits among threads, from 32768 elements on: there
 * PyTorch's bits depend on its threads, and Kindling's are those of one thread. RuntimeError for
 * bounds and steps that lead nowhere, too many elements, and numbers that the dtype cannot count
 * with; ValueError for an int64 step that is truncated to 0; NotImplementedError for bool.
 */
#define kdl_arange(ctx, start, end, step, ...)                                                     \
    KDL__CREATE_INT((__VA_ARGS__), kdl_arange_with, ctx, start, end, step)
/**
 * torch.linspace(start, end, steps), by the bits of PyTorch's kernel: from both ends to the middle.
 * RuntimeError for a negative number of steps and for a bound that the dtype cannot hold;
 * NotImplementedError for bool.
 */
#define kdl_linspace(ctx, start, end, steps, ...)                                                  \
    KDL__CREATE((__VA_ARGS__), kdl_linspace_with, ctx, start, end, steps)
/** torch.rand(shape): uniform on [0, 1). */
#define kdl_rand(ctx, shape, ...) KDL__CREATE((__VA_ARGS__), kdl_rand_with, ctx, shape)
/** torch.randn(shape): normal with mean 0 and standard deviation 1. */
#define kdl_randn(ctx, shape, ...) KDL__CREATE((__VA_ARGS__), kdl_randn_with, ctx, shape)
/** torch.randint(low, high, shape): integers in [low, high), int64 unless a dtype is given. */
#define kdl_randint(ctx, low, high, shape, ...)                                                    \
    KDL__CREATE_INT((__VA_ARGS__), kdl_randint_with, ctx, low, high, shape)
/**
 * torch.randperm(n): a permutation of 0 .. n - 1, int64 unless a dtype is given. RuntimeError for
 * an n that the dtype cannot count to (bf16 is not checked, as in PyTorch); NotImplementedError for
 * bool.
 */
#define kdl_randperm(ctx, n, ...) KDL__CREATE_INT((__VA_ARGS__), kdl_randperm_with, ctx, n)

KDL_API kdl_tensor *kdl_empty_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_zeros_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_ones_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_full_with(kdl_context *ctx, kdl_shape shape, double value,
                                  const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_eye_with(kdl_context *ctx, int64_t n, int64_t m,
                                 const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_arange_with(kdl_context *ctx, double start, double end, double step,
                                    const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_linspace_with(kdl_context *ctx, double start, double end, int64_t steps,
                                      const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_rand_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_randn_with(kdl_context *ctx, kdl_shape shape, const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_randint_with(kdl_context *ctx, int64_t low, int64_t high, kdl_shape shape,
                                     const kdl_tensor_options *);
KDL_API kdl_tensor *kdl_randperm_with(kdl_context *ctx, int64_t n, const kdl_tensor_options *);

/**
 * torch.empty_like, zeros_like, ones_like, full_like, rand_like, randn_like: the tensor's dtype and
 * sizes. Its strides too if it is dense (transposed, say), else dense ones in their order.
 */
KDL_API kdl_tensor *kdl_empty_like(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_zeros_like(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_ones_like(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_full_like(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_rand_like(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_randn_like(kdl_tensor *tensor);

/**
 * torch.tensor(data): copies numel elements of `dtype`, row-major, from `data`. In memory at once.
 */
KDL_API kdl_tensor *kdl_tensor_from_data(kdl_context *ctx, kdl_dtype dtype, kdl_shape shape,
                                         const void *data);

/**
 * Tensor.clone(): the same values, with strides as kdl_empty_like() gives them. Recorded values are
 * shared, not computed.
 */
KDL_API kdl_tensor *kdl_clone(kdl_tensor *tensor);
/** Tensor.contiguous(): the tensor itself (retained) when it is contiguous, else row-major. */
KDL_API kdl_tensor *kdl_contiguous(kdl_tensor *tensor);
/** Tensor.reshape(shape): a view where that is possible, else a view of a row-major clone. */
KDL_API kdl_tensor *kdl_reshape(kdl_tensor *tensor, kdl_shape shape);
/**
 * Tensor.flatten(start_dim, end_dim): those dimensions made one (PyTorch's defaults are 0 and -1),
 * as kdl_reshape() does; the tensor itself (retained) when they are one. IndexError, RuntimeError.
 */
KDL_API kdl_tensor *kdl_flatten(kdl_tensor *tensor, int start_dim, int end_dim);
/** Tensor.to(dtype): the tensor itself (retained) when it has that dtype, else converted. */
KDL_API kdl_tensor *kdl_to(kdl_tensor *tensor, kdl_dtype dtype);

/* ---- element by element, into new tensors ------------------------------------------------- */

/** torch.abs(tensor). NotImplementedError for bool. */
KDL_API kdl_tensor *kdl_abs(kdl_tensor *tensor);
/** tensor == value, !=, <, <=, >, >=, with a Python number: tensors of bool. */
KDL_API kdl_tensor *kdl_eq(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_ne(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_lt(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_le(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_gt(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_ge(kdl_tensor *tensor, double value);

/* ---- in place ---------------------------------------------------------------------------- */

/** Tensor.zero_(). */
KDL_API kdl_status kdl_zero_(kdl_tensor *tensor);
/**
 * Tensor.fill_(value) with a Python float: truncated for integers, rounded for floats. RuntimeError
 * where the dtype cannot hold it: "value cannot be converted to type c10::Half without overflow".
 * (A single f16 or bf16 element becomes infinite instead, as in PyTorch.)
 */
KDL_API kdl_status kdl_fill_(kdl_tensor *tensor, double value);
/** Tensor.fill_(value) with a Python int: uint8 takes -255 .. -1 too, which wrap around. */
KDL_API kdl_status kdl_fill_int_(kdl_tensor *tensor, int64_t value);
/**
 * Tensor.add_(value), Tensor.mul_(value), with a Python number: a float, but an int where the dtype
 * is an integer one and the value whole. RuntimeError for other values and for bool.
 */
KDL_API kdl_status kdl_add_(kdl_tensor *tensor, double value);
KDL_API kdl_status kdl_mul_(kdl_tensor *tensor, double value);
/**
 * Tensor.add_(other), Tensor.mul_(other): `other` is broadcast, and both are converted to a dtype
 * in common as torch.result_type() says, so a bool mask multiplies floats. RuntimeError where sizes
 * do not fit, where the tensors overlap in part, and where the result has another category of dtype
 * than the tensor.
 */
KDL_API kdl_status kdl_add_tensor_(kdl_tensor *tensor, kdl_tensor *other);
KDL_API kdl_status kdl_mul_tensor_(kdl_tensor *tensor, kdl_tensor *other);
/** Tensor.abs_(). NotImplementedError for bool. */
KDL_API kdl_status kdl_abs_(kdl_tensor *tensor);
/**
 * Tensor.copy_(source): broadcast and converted; the source's values of this moment. RuntimeError
 * where sizes do not fit, and where PyTorch sees that the tensors overlap in part; where it does
 * not, and may read what it has written, Kindling reads first.
 */
KDL_API kdl_status kdl_copy_(kdl_tensor *tensor, kdl_tensor *source);

/** tensor[i, j] = value, by ndim indices (IndexError); converts as kdl_fill_() one element. */
KDL_API kdl_status kdl_tensor_set(kdl_tensor *tensor, const int64_t *index, double value);

/* ---- in place, random: `.generator =` as an option; default the context's ----------------- */

/** Options of the random functions; start from KDL_RANDOM_DEFAULTS. */
typedef struct kdl_random_options {
    size_t nbytes;            /**< sizeof(kdl_random_options), for the ABI */
    kdl_generator *generator; /**< default NULL: the context's (borrowed) */
} kdl_random_options;

#define KDL_RANDOM_DEFAULTS                                                                        \
    {                                                                                              \
        sizeof(kdl_random_options), NULL                                                           \
    }
#define KDL__RANDOM_OP(named, function, ...)                                                       \
    KDL__WITH(kdl_random_options, KDL_RANDOM_DEFAULTS, named, function, __VA_ARGS__)

/** Tensor.uniform_(from, to): U[from, to). */
#define kdl_uniform_(tensor, from, to, ...)                                                        \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_uniform_with_, tensor, from, to)
/** Tensor.normal_(mean, std). */
#define kdl_normal_(tensor, mean, std, ...)                                                        \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_normal_with_, tensor, mean, std)
/** Tensor.log_normal_(mean, std): of the underlying normal. */
#define kdl_log_normal_(tensor, mean, std, ...)                                                    \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_log_normal_with_, tensor, mean, std)
/** Tensor.exponential_(lambd). */
#define kdl_exponential_(tensor, lambd, ...)                                                       \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_exponential_with_, tensor, lambd)
/** Tensor.cauchy_(median, sigma). */
#define kdl_cauchy_(tensor, median, sigma, ...)                                                    \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_cauchy_with_, tensor, median, sigma)
/** Tensor.geometric_(p). */
#define kdl_geometric_(tensor, p, ...) KDL__RANDOM_OP((__VA_ARGS__), kdl_geometric_with_, tensor, p)
/** Tensor.bernoulli_(p). */
#define kdl_bernoulli_(tensor, p, ...) KDL__RANDOM_OP((__VA_ARGS__), kdl_bernoulli_with_, tensor, p)
/**
 * Tensor.bernoulli_(p) with a tensor of probabilities, of a floating dtype and broadcast: which one
 * decides how they are drawn. RuntimeError where one is not in [0, 1], and then nothing is written;
 * recorded ones are looked at when they are computed. RuntimeError too for sizes that
 * do not fit and tensors that overlap in part; NotImplementedError for other dtypes of `p`.
 */
#define kdl_bernoulli_tensor_(tensor, p, ...)                                                      \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_bernoulli_tensor_with_, tensor, p)
/** Tensor.random_(): over the dtype's whole range. */
#define kdl_random_(tensor, ...) KDL__RANDOM_OP((__VA_ARGS__), kdl_random_with_, tensor)
/** Tensor.random_(from, to): integers in [from, to). */
#define kdl_random_range_(tensor, from, to, ...)                                                   \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_random_range_with_, tensor, from, to)
/**
 * Tensor.random_(from, None): integers from `from` up to the dtype's largest (of a float dtype, to
 * the last one up to which it has them all). INT64_MIN: every 64-bit integer, for i64, f32, f64 and
 * bf16 only. RuntimeError for a `from` that is too large or outside the dtype.
 */
#define kdl_random_from_(tensor, from, ...)                                                        \
    KDL__RANDOM_OP((__VA_ARGS__), kdl_random_from_with_, tensor, from)

KDL_API kdl_status kdl_uniform_with_(kdl_tensor *, double from, double to,
                                     const kdl_random_options *);
KDL_API kdl_status kdl_normal_with_(kdl_tensor *, double mean, double std,
                                    const kdl_random_options *);
KDL_API kdl_status kdl_log_normal_with_(kdl_tensor *, double mean, double std,
                                        const kdl_random_options *);
KDL_API kdl_status kdl_exponential_with_(kdl_tensor *, double lambd, const kdl_random_options *);
KDL_API kdl_status kdl_cauchy_with_(kdl_tensor *, double median, double sigma,
                                    const kdl_random_options *);
KDL_API kdl_status kdl_geometric_with_(kdl_tensor *, double p, const kdl_random_options *);
KDL_API kdl_status kdl_bernoulli_with_(kdl_tensor *, double p, const kdl_random_options *);
KDL_API kdl_status kdl_bernoulli_tensor_with_(kdl_tensor *, kdl_tensor *p,
                                              const kdl_random_options *);
KDL_API kdl_status kdl_random_with_(kdl_tensor *, const kdl_random_options *);
KDL_API kdl_status kdl_random_range_with_(kdl_tensor *, int64_t from, int64_t to,
                                          const kdl_random_options *);
KDL_API kdl_status kdl_random_from_with_(kdl_tensor *, int64_t from, const kdl_random_options *);

#ifdef __cplusplus
}
#endif
#endif
