/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torch's functions of tensors that give new tensors, with gradients: in libkindling_train.
 *
 * They take tensors in memory (recorded values are materialised) and give one reference, NULL on
 * failure. Operands are broadcast and converted to a dtype in common as PyTorch does it; results
 * are row-major. f16 and bf16 are computed in f32 and rounded. Functions of integers alone are
 * refused (NotImplementedError) unless it is said otherwise. Where a function's name has _tensor,
 * the one without takes a number.
 *
 * Not PyTorch's bits: libm's functions and orders of summation differ in the last digits.
 */
#ifndef KINDLING_MATH_H
#define KINDLING_MATH_H

#include "kindling/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- arithmetic -------------------------------------------------------------------------- */

/** tensor + value, - value, * value, / value, value - tensor, value / tensor, tensor ** value. */
KDL_API kdl_tensor *kdl_add(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_sub(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_mul(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_div(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_rsub(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_rdiv(kdl_tensor *tensor, double value);
KDL_API kdl_tensor *kdl_pow(kdl_tensor *tensor, double value);
/** a + b, a - b, a * b, a / b, a ** b. */
KDL_API kdl_tensor *kdl_add_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_sub_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_mul_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_div_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_pow_tensor(kdl_tensor *a, kdl_tensor *b);
/** torch.maximum, torch.minimum: a NaN wins; equal elements share the gradient. */
KDL_API kdl_tensor *kdl_maximum(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_minimum(kdl_tensor *a, kdl_tensor *b);
/** torch.where(condition, a, b): `condition` is bool, a and b of any dtype. RuntimeError. */
KDL_API kdl_tensor *kdl_where(kdl_tensor *condition, kdl_tensor *a, kdl_tensor *b);

/* ---- functions of each element ----------------------------------------------------------- */

/** torch.neg, exp, expm1, log, log1p, sqrt, rsqrt, reciprocal, square. */
KDL_API kdl_tensor *kdl_neg(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_exp(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_expm1(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_log(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_log1p(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_sqrt(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_rsqrt(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_reciprocal(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_square(kdl_tensor *tensor);
/** torch.exp2, log2, log10, sinh, cosh, asin, acos, atan, asinh, acosh, atanh, erfc. */
KDL_API kdl_tensor *kdl_exp2(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_log2(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_log10(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_sinh(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_cosh(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_asin(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_acos(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_atan(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_asinh(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_acosh(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_atanh(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_erfc(kdl_tensor *tensor);
/** torch.sign, floor, ceil, round (to even), trunc: their gradient is 0. */
KDL_API kdl_tensor *kdl_sign(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_floor(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_ceil(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_round(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_trunc(kdl_tensor *tensor);
/** torch.sin, cos, tan, tanh, erf, sigmoid. */
KDL_API kdl_tensor *kdl_sin(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_cos(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_tan(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_tanh(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_erf(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_sigmoid(kdl_tensor *tensor);
/** torch.clamp(tensor, min, max): -INFINITY, INFINITY for none. */
KDL_API kdl_tensor *kdl_clamp(kdl_tensor *tensor, double min, double max);

/* ---- reductions: `dim` may be negative ---------------------------------------------------- */

/**
 * tensor.sum(), tensor.mean(): of all elements, a tensor without dimensions. The sum of integers
 * and of bool is i64.
 */
KDL_API kdl_tensor *kdl_sum(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_mean(kdl_tensor *tensor);
/** tensor.sum(dim, keepdim), tensor.mean(dim, keepdim). IndexError. */
KDL_API kdl_tensor *kdl_sum_dim(kdl_tensor *tensor, int dim, bool keepdim);
KDL_API kdl_tensor *kdl_mean_dim(kdl_tensor *tensor, int dim, bool keepdim);
/** The same over `count` dimensions at once; none: over all. RuntimeError for one named twice. */
KDL_API kdl_tensor *kdl_sum_dims(kdl_tensor *tensor, int count, const int *dims, bool keepdim);
KDL_API kdl_tensor *kdl_mean_dims(kdl_tensor *tensor, int count, const int *dims, bool keepdim);
/**
 * tensor.max(), min(): of all elements; equal ones share the gradient. RuntimeError where there is
 * no element. tensor.prod(), var(correction), std(correction) likewise.
 */
KDL_API kdl_tensor *kdl_max(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_min(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_prod(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_var(kdl_tensor *tensor, double correction);
KDL_API kdl_tensor *kdl_std(kdl_tensor *tensor, double correction);
/** tensor.any(), all(): bool, of any dtype; what is not 0 is true. */
KDL_API kdl_tensor *kdl_any(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_all(kdl_tensor *tensor);
/**
 * tensor.max(dim, keepdim), tensor.min(dim, keepdim): the values; *indices (may be NULL) gets one
 * reference to where they are (i64). The gradient goes to that element. IndexError, also for a
 * dimension of size 0.
 */
KDL_API kdl_tensor *kdl_max_dim(kdl_tensor *tensor, int dim, bool keepdim, kdl_tensor **indices);
KDL_API kdl_tensor *kdl_min_dim(kdl_tensor *tensor, int dim, bool keepdim, kdl_tensor **indices);
/** tensor.argmax(dim, keepdim), tensor.argmin(dim, keepdim): i64. */
KDL_API kdl_tensor *kdl_argmax(kdl_tensor *tensor, int dim, bool keepdim);
KDL_API kdl_tensor *kdl_argmin(kdl_tensor *tensor, int dim, bool keepdim);

/**
 * torch.var(tensor, dim, correction, keepdim), torch.std: PyTorch's default correction is 1.
 * IndexError.
 */
KDL_API kdl_tensor *kdl_var_dim(kdl_tensor *tensor, int dim, double correction, bool keepdim);
KDL_API kdl_tensor *kdl_std_dim(kdl_tensor *tensor, int dim, double correction, bool keepdim);
/**
 * torch.linalg.vector_norm(tensor, p, dim, keepdim): p may be INFINITY and -INFINITY. IndexError.
 */
KDL_API kdl_tensor *kdl_norm_dim(kdl_tensor *tensor, double p, int dim, bool keepdim);
/** torch.logsumexp, torch.prod(tensor, dim, keepdim). IndexError. */
KDL_API kdl_tensor *kdl_logsumexp(kdl_tensor *tensor, int dim, bool keepdim);
KDL_API kdl_tensor *kdl_prod_dim(kdl_tensor *tensor, int dim, bool keepdim);
/** torch.amax, torch.amin(tensor, dim, keepdim): equal elements share the gradient. IndexError. */
KDL_API kdl_tensor *kdl_amax(kdl_tensor *tensor, int dim, bool keepdim);
KDL_API kdl_tensor *kdl_amin(kdl_tensor *tensor, int dim, bool keepdim);
/** torch.cumsum(tensor, dim). IndexError. */
KDL_API kdl_tensor *kdl_cumsum(kdl_tensor *tensor, int dim);

/* ---- products of matrices ---------------------------------------------------------------- */

/**
 * torch.matmul(a, b): of vectors, matrices and batches of them, which are broadcast. RuntimeError
 * where sizes or dtypes do not fit.
 */
KDL_API kdl_tensor *kdl_matmul(kdl_tensor *a, kdl_tensor *b);
/** torch.bmm(a, b): of two batches (n, i, k) and (n, k, j), not broadcast. RuntimeError. */
KDL_API kdl_tensor *kdl_bmm(kdl_tensor *a, kdl_tensor *b);
/**
 * torch.addmm(input, mat1, mat2, beta=beta, alpha=alpha): beta input + alpha mat1 mat2, of matrices
 * (i, k) and (k, j); `input` is broadcast to (i, j), and not looked at where beta is 0.
 * RuntimeError.
 */
KDL_API kdl_tensor *kdl_addmm(kdl_tensor *input, kdl_tensor *mat1, kdl_tensor *mat2, double beta,
                              double alpha);

/**
 * torch.use_deterministic_algorithms(mode), torch.are_deterministic_algorithms_enabled(). The mode
 * is kept, for code that asks for it, and changes nothing: every function has the same bits on
 * every run and for any number of threads. Products of matrices and convolutions are cut into
 * tiles, by their sizes alone, which oneDNN (f32) and OpenBLAS (f64) compute on one thread each;
 * those bits depend on the processor's instruction set and on the libraries' versions.
 */
KDL_API void kdl_use_deterministic_algorithms(kdl_context *ctx, bool mode);
KDL_API bool kdl_are_deterministic_algorithms_enabled(const kdl_context *ctx);

/* ---- comparisons: tensors of bool, without gradients ---------------------------------------- */

/** a == b, !=, <, <=, >, >=, of tensors of any dtypes, broadcast. RuntimeError. */
KDL_API kdl_tensor *kdl_eq_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_ne_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_lt_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_le_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_gt_tensor(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_ge_tensor(kdl_tensor *a, kdl_tensor *b);
/** torch.logical_not, logical_and, logical_or, logical_xor: what is not 0 is true. */
KDL_API kdl_tensor *kdl_logical_not(kdl_tensor *tensor);
KDL_API kdl_tensor *kdl_logical_and(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_logical_or(kdl_tensor *a, kdl_tensor *b);
KDL_API kdl_tensor *kdl_logical_xor(kdl_tensor *a, kdl_tensor *b);

#ifdef __cplusplus
}
#endif
#endif
