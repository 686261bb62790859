/* SPDX-License-Identifier: Apache-2.0 */
/* init: torch.nn.init, each function one op, and the linear algebra that orthogonal_ needs. */
#ifndef KDL_SRC_INIT_INIT_H
#define KDL_SRC_INIT_INIT_H

#include "kindling/init.h"
#include "ops/ops.h"

/* ---- the classes of this folder's ops ---------------------------------------------------- */

extern const kdl__op_class kdl__op_dirac;      /* integer: groups */
extern const kdl__op_class kdl__op_sparse;     /* integer: rows to zero in each column */
extern const kdl__op_class kdl__op_orthogonal; /* number: gain; from 16 elements on */
extern const kdl__op_class
    kdl__op_orthogonal_serial; /* the same for fewer: uses the spare normal */
/* number: mean, std, a, b. Redraws of a normal; the second may use the spare normal. */
extern const kdl__op_class kdl__op_trunc_normal;
extern const kdl__op_class kdl__op_trunc_normal_serial;
extern const kdl__op_class kdl__op_trunc_normal_rejection; /* uniform candidates, rejected */

extern const kdl__op_class kdl__op_norm_except_dim; /* integer: whether columns are summed */
/* What parametrizations make of the tensors that they read, see maps.c. */
extern const kdl__op_class kdl__op_weight_norm;   /* integer: rows */
extern const kdl__op_class kdl__op_power_u;       /* integer: height, width, rounds; number: eps */
extern const kdl__op_class kdl__op_power_v;       /* the same */
extern const kdl__op_class kdl__op_spectral_norm; /* integer: height, width */
/* And of matrices, see orthogonal_maps.c. */
extern const kdl__op_class kdl__op_orthogonal_base; /* integer: n, whether orthogonal ones stay */
extern const kdl__op_class kdl__op_reflectors;      /* integer: n, k */
extern const kdl__op_class kdl__op_orthogonal_map;  /* integer: map, n, k, trivialized */

/* ---- Python's arithmetic ----------------------------------------------------------------- */

/* value ** 2: libm's pow, which is not always value * value. */
double kdl__square(double value);
/* The same, checked: false, with OverflowError's message, when it is too large. */
bool kdl__python_square(kdl_context *ctx, const char *place, double value, double *square);

/* ZeroDivisionError of floats. */
kdl_status kdl__fail_zero_division(kdl_context *ctx, const char *place);

/*
 * torch.norm_except_dim(tensor, 2, dim), where `dim` is that of a dimension, or -1 for the norm of
 * all: a new tensor, NULL on failure.
 */
kdl_tensor *kdl__norm_except_dim(kdl_tensor *tensor, int dim, const char *place);

/* ---- shared ------------------------------------------------------------------------------ */

kdl_status kdl__fans(const kdl_tensor *tensor, const char *place, int64_t *fan_in,
                     int64_t *fan_out);
bool kdl__gain(kdl_context *ctx, const char *place, kdl_nonlinearity nonlinearity, double param,
               double *gain);

/* kdl__op_apply(), but under torch.no_grad(), as all of torch.nn.init. */
kdl_status kdl__init_apply(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator,
                           const char *place);
/* uniform_(a, b) and normal_(mean, std) for an initialiser that reports errors at `place`. */
kdl_status kdl__fill_uniform(kdl_tensor *tensor, double a, double b, kdl_generator *generator,
                             const char *place);
kdl_status kdl__fill_normal(kdl_tensor *tensor, double mean, double std, kdl_generator *generator,
                            const char *place);

/* The fill of a normal that PyTorch's normal_ does for so many elements of a dtype. */
static inline kdl__fill kdl__normal_of(kdl_dtype dtype, uint64_t numel, bool contiguous,
                                       double mean, double std)
{
    return (kdl__fill){
        .distribution = contiguous && numel >= 16 ? KDL__NORMAL : KDL__NORMAL_SERIAL,
        .dtype = dtype,
        .numel = numel,
        .a = mean,
        .b = std,
    };
}

#endif
