/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between oneDNN 2 and 3: memory descriptors were structs and are handles now, and the
 * operation descriptors are gone. This is the part of both that convolutions need, in one form.
 */
#ifndef KDL_SRC_COMPUTE_DNNL_API_H
#define KDL_SRC_COMPUTE_DNNL_API_H

#include <dnnl.h>
#include <stdbool.h>
#include <string.h>

#define KDL__DNNL_MAX_DIMS 6 /* of a grouped weight with three spatial dimensions */

typedef enum kdl__dnnl_kind {
    KDL__DNNL_FORWARD,
    KDL__DNNL_INPUT_GRAD,
    KDL__DNNL_WEIGHT_GRAD
} kdl__dnnl_kind;

/* A convolution's tensors, in this order in arrays; a bias is there in the forward pass only. */
enum { KDL__DNNL_SOURCE, KDL__DNNL_WEIGHT, KDL__DNNL_RESULT, KDL__DNNL_BIAS, KDL__DNNL_TENSORS };

/* How far windows go: one number for each spatial dimension. */
typedef struct kdl__dnnl_steps {
    dnnl_dims_t strides, dilations, before, behind; /* dilations begin at 0 */
} kdl__dnnl_steps;

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t kdl__dnnl_layout; /* borrowed */
#define KDL__DNNL_LAYOUT(owned) (owned)

static inline dnnl_status_t kdl__dnnl_layout_new(dnnl_memory_desc_t *owned, int ndim,
                                                 const dnnl_dims_t sizes, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(owned, ndim, sizes, dnnl_f32, tag);
}

static inline void kdl__dnnl_layout_free(dnnl_memory_desc_t *owned)
{
    if (*owned)
        dnnl_memory_desc_destroy(*owned);
    *owned = NULL;
}

/* The description of a primitive for tensors of these layouts; `hint` is the forward one's. */
static inline dnnl_status_t kdl__dnnl_describe(dnnl_primitive_desc_t *description,
                                               dnnl_engine_t engine, kdl__dnnl_kind kind,
                                               const dnnl_memory_desc_t tensors[KDL__DNNL_TENSORS],
                                               bool bias, const kdl__dnnl_steps *s,
                                               dnnl_primitive_desc_t hint,
                                               const_dnnl_primitive_attr_t attributes)
{
    dnnl_memory_desc_t source = tensors[KDL__DNNL_SOURCE], weight = tensors[KDL__DNNL_WEIGHT];
    dnnl_memory_desc_t result = tensors[KDL__DNNL_RESULT];
    switch (kind) {
    case KDL__DNNL_INPUT_GRAD:
        return dnnl_convolution_backward_data_primitive_desc_create(
            description, engine, dnnl_convolution_direct, source, weight, result, s->strides,
            s->dilations, s->before, s->behind, hint, attributes);
    case KDL__DNNL_WEIGHT_GRAD:
        return dnnl_convolution_backward_weights_primitive_desc_create(
            description, engine, dnnl_convolution_direct, source, weight, NULL, result, s->strides,
            s->dilations, s->before, s->behind, hint, attributes);
    default:
        return dnnl_convolution_forward_primitive_desc_create(
            description, engine, dnnl_forward_training, dnnl_convolution_direct, source, weight,
            bias ? tensors[KDL__DNNL_BIAS] : NULL, result, s->strides, s->dilations, s->before,
            s->behind, attributes);
    }
}

#else

typedef const dnnl_memory_desc_t *kdl__dnnl_layout;
#define KDL__DNNL_LAYOUT(owned) (&(owned))

static inline dnnl_status_t kdl__dnnl_layout_new(dnnl_memory_desc_t *owned, int ndim,
                                                 const dnnl_dims_t sizes, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(owned, ndim, sizes, dnnl_f32, tag);
}

static inline void kdl__dnnl_layout_free(dnnl_memory_desc_t *owned)
{
    memset(owned, 0, sizeof *owned);
}

static inline dnnl_status_t kdl__dnnl_describe(dnnl_primitive_desc_t *description,
                                               dnnl_engine_t engine, kdl__dnnl_kind kind,
                                               const dnnl_memory_desc_t tensors[KDL__DNNL_TENSORS],
                                               bool bias, const kdl__dnnl_steps *s,
                                               dnnl_primitive_desc_t hint,
                                               const_dnnl_primitive_attr_t attributes)
{
    const dnnl_memory_desc_t *source = &tensors[KDL__DNNL_SOURCE];
    const dnnl_memory_desc_t *weight = &tensors[KDL__DNNL_WEIGHT];
    const dnnl_memory_desc_t *result = &tensors[KDL__DNNL_RESULT];
    dnnl_convolution_desc_t operation;
    dnnl_status_t status;
    switch (kind) {
    case KDL__DNNL_INPUT_GRAD:
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &operation, dnnl_convolution_direct, source, weight, result, s->strides, s->dilations,
            s->before, s->behind);
        break;
    case KDL__DNNL_WEIGHT_GRAD:
        status = dnnl_dilated_convolution_backward_weights_desc_init(
            &operation, dnnl_convolution_direct, source, weight, NULL, result, s->strides,
            s->dilations, s->before, s->behind);
        break;
    default:
        status = dnnl_dilated_convolution_forward_desc_init(
            &operation, dnnl_forward_training, dnnl_convolution_direct, source, weight,
            bias ? &tensors[KDL__DNNL_BIAS] : NULL, result, s->strides, s->dilations, s->before,
            s->behind);
    }
    return status == dnnl_success
               ? dnnl_primitive_desc_create(description, &operation, attributes, engine, hint)
               : status;
}

#endif
#endif
