/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling layers (torch/nn/modules/pooling.py). */
#include <math.h>

#include "nn/arguments.h"

static bool is_none(const kdl_shape *shape)
{
    return shape->ndim == 0 && shape->sizes[0] == KDL_NONE_INT;
}

/* A class of a family for `n` dimensions, whose table is an array of arguments. */
#define POOL(lower, title, parent, family, type, count_, expand_, ...)                             \
    static const kdl__arguments lower##_arguments = { .list = family##_list,                       \
                                                      .count = count_,                             \
                                                      .required = 1,                               \
                                                      .defaults = &family##_defaults,              \
                                                      .nbytes = sizeof(type),                      \
                                                      .expand = expand_,                           \
                                                      __VA_ARGS__ };                               \
    KDL__LAYER(lower, title, parent, type, lower##_arguments)

/* ---- max --------------------------------------------------------------------------------- */

static void build_max_pool(kdl_module *module)
{
    kdl_max_pool_options *pool = kdl_module_fields(module);
    if (is_none(&pool->strides))
        pool->strides = pool->kernel_size;
}

KDL__TABLE(max_pool, kdl_max_pool_options, KDL_MAX_POOL_DEFAULTS, 1,
           (.repr = "kernel_size={kernel_size}, stride={stride}, padding={padding}, "
                    "dilation={dilation}, ceil_mode={ceil_mode}",
            .build = build_max_pool),
           KDL__ARGUMENT(kdl_max_pool_options, kernel_size),
           KDL__OPTIONAL_PLURAL(kdl_max_pool_options, stride, strides),
           KDL__PLURAL(kdl_max_pool_options, padding, paddings),
           KDL__PLURAL(kdl_max_pool_options, dilation, dilations),
           KDL__ARGUMENT(kdl_max_pool_options, return_indices),
           KDL__ARGUMENT(kdl_max_pool_options, ceil_mode))
KDL__LAYER(max_pool_nd, "_MaxPoolNd", NULL, kdl_max_pool_options, max_pool_arguments)
KDL__LAYER(max_pool1d, "MaxPool1d", KDL_CLASS_MAX_POOL_ND, kdl_max_pool_options, max_pool_arguments)
KDL__LAYER(max_pool2d, "MaxPool2d", KDL_CLASS_MAX_POOL_ND, kdl_max_pool_options, max_pool_arguments)
KDL__LAYER(max_pool3d, "MaxPool3d", KDL_CLASS_MAX_POOL_ND, kdl_max_pool_options, max_pool_arguments)

static void build_max_unpool(kdl_module *module)
{
    kdl_max_unpool_options *pool = kdl_module_fields(module);
    if (is_none(&pool->strides))
        pool->strides = pool->kernel_size;
}

static const char window_repr[] = "kernel_size={kernel_size}, stride={stride}, padding={padding}";
static const kdl_max_unpool_options max_unpool_defaults = KDL_MAX_UNPOOL_DEFAULTS;
static const kdl__argument max_unpool_list[] = {
    KDL__ARGUMENT(kdl_max_unpool_options, kernel_size),
    KDL__OPTIONAL_PLURAL(kdl_max_unpool_options, stride, strides),
    KDL__PLURAL(kdl_max_unpool_options, padding, paddings),
};

#define MAX_UNPOOL(n)                                                                              \
    POOL(max_unpool##n##d, "MaxUnpool" #n "d", KDL_CLASS_MAX_UNPOOL_ND, max_unpool,                \
         kdl_max_unpool_options, 3, n, .repr = window_repr, .build = build_max_unpool)
const kdl_module_class kdl_class_max_unpool_nd = { .name = "_MaxUnpoolNd" };
MAX_UNPOOL(1)
MAX_UNPOOL(2)
MAX_UNPOOL(3)

/* ---- average, norm ----------------------------------------------------------------------- */

static void build_avg_pool(kdl_module *module)
{
    kdl_avg_pool_options *pool = kdl_module_fields(module);
    if (is_none(&pool->strides))
        pool->strides = pool->kernel_size;
}

static const kdl_avg_pool_options avg_pool_defaults = KDL_AVG_POOL_DEFAULTS;
static const kdl__argument avg_pool_list[] = {
    KDL__ARGUMENT(kdl_avg_pool_options, kernel_size),
    KDL__OPTIONAL_PLURAL(kdl_avg_pool_options, stride, strides),
    KDL__PLURAL(kdl_avg_pool_options, padding, paddings),
    KDL__ARGUMENT(kdl_avg_pool_options, ceil_mode),
    KDL__ARGUMENT(kdl_avg_pool_options, count_include_pad),
    KDL__OPTIONAL_ARGUMENT(kdl_avg_pool_options, divisor_override),
};

/* The one-dimensional one has no divisor_override, and makes tuples. */
#define AVG_POOL(n, arguments, expand)                                                             \
    POOL(avg_pool##n##d, "AvgPool" #n "d", KDL_CLASS_AVG_POOL_ND, avg_pool, kdl_avg_pool_options,  \
         arguments, expand, .repr = window_repr, .build = build_avg_pool)
const kdl_module_class kdl_class_avg_pool_nd = { .name = "_AvgPoolNd" };
AVG_POOL(1, 5, 1)
AVG_POOL(2, 6, 0)
AVG_POOL(3, 6, 0)

KDL__TABLE(lp_pool, kdl_lp_pool_options, KDL_LP_POOL_DEFAULTS, 2,
           (.repr = "norm_type={norm_type}, kernel_size={kernel_size}, stride={stride}, "
                    "ceil_mode={ceil_mode}"),
           KDL__ARGUMENT(kdl_lp_pool_options, norm_type),
           KDL__ARGUMENT(kdl_lp_pool_options, kernel_size),
           KDL__OPTIONAL_PLURAL(kdl_lp_pool_options, stride, strides),
           KDL__ARGUMENT(kdl_lp_pool_options, ceil_mode))
KDL__LAYER(lp_pool_nd, "_LPPoolNd", NULL, kdl_lp_pool_options, lp_pool_arguments)
KDL__LAYER(lp_pool1d, "LPPool1d", KDL_CLASS_LP_POOL_ND, kdl_lp_pool_options, lp_pool_arguments)
KDL__LAYER(lp_pool2d, "LPPool2d", KDL_CLASS_LP_POOL_ND, kdl_lp_pool_options, lp_pool_arguments)
KDL__LAYER(lp_pool3d, "LPPool3d", KDL_CLASS_LP_POOL_ND, kdl_lp_pool_options, lp_pool_arguments)

/* ---- to a size --------------------------------------------------------------------------- */

static const kdl_adaptive_pool_options adaptive_defaults = KDL_ADAPTIVE_POOL_DEFAULTS;
static const kdl__argument adaptive_list[] = {
    KDL__OPTIONAL_ARGUMENT(kdl_adaptive_pool_options, output_size),
    KDL__ARGUMENT(kdl_adaptive_pool_options, return_indices),
};

/* The average has no indices to return. */
#define ADAPTIVE(n)                                                                                \
    POOL(adaptive_avg_pool##n##d, "AdaptiveAvgPool" #n "d", KDL_CLASS_ADAPTIVE_AVG_POOL_ND,        \
         adaptive, kdl_adaptive_pool_options, 1, 0, .repr = "output_size={output_size}")           \
    POOL(adaptive_max_pool##n##d, "AdaptiveMaxPool" #n "d", KDL_CLASS_ADAPTIVE_MAX_POOL_ND,        \
         adaptive, kdl_adaptive_pool_options, 2, 0, .repr = "output_size={output_size}")
const kdl_module_class kdl_class_adaptive_avg_pool_nd = { .name = "_AdaptiveAvgPoolNd" };
const kdl_module_class kdl_class_adaptive_max_pool_nd = { .name = "_AdaptiveMaxPoolNd" };
ADAPTIVE(1)
ADAPTIVE(2)
ADAPTIVE(3)

static bool within_0_and_1(const kdl_ratios *ratios)
{
    bool within = true;
    for (int i = 0; i < (ratios->count > 0 ? ratios->count : 1); i++) {
        double ratio = kdl_number(ratios->values[i]);
        within = within && 0 < ratio && ratio < 1;
    }
    return within;
}

static bool is_positive(const kdl_shape *shape)
{
    bool positive = true;
    for (int i = 0; i < (shape->ndim > 0 ? shape->ndim : 1); i++)
        positive = positive && shape->sizes[i] > 0;
    return positive;
}

static void build_fractional(kdl_module *module)
{
    kdl_fractional_max_pool_options *pool = kdl_module_fields(module);
    const char *message = NULL;
    bool three = kdl_isinstance(module, KDL_CLASS_FRACTIONAL_MAX_POOL3D);
    bool sized = !is_none(&pool->output_sizes);
    bool scaled = pool->output_ratios.count > 0 || !isnan(kdl_number(pool->output_ratio));
    if (three && !is_positive(&pool->kernel_size))
        message = "kernel_size must be greater than 0, but got {kernel_size}";
    else if (!sized && !scaled)
        message = three ? "FractionalMaxPool3d requires specifying either an output size, or a "
                          "pooling ratio"
                        : "FractionalMaxPool2d requires specifying either an output size, or a "
                          "pooling ratio";
    else if (sized && scaled)
        message = "only one of output_size and output_ratio may be specified";
    else if (scaled && !within_0_and_1(&pool->output_ratios))
        message = "output_ratio must be between 0 and 1 (got {output_ratio})";
    if (message) { /* with the arguments as they were given */
        kdl__fail_in(module, KDL_ERROR_VALUE, message);
        return;
    }
    kdl__expand(&pool->kernel_size, three ? 3 : 2);
    kdl__expand(&pool->output_sizes, three ? 3 : 2);
    kdl__expand_ratios(&pool->output_ratios, three ? 3 : 2);
    kdl_register_buffer(module, "_random_samples", kdl__take(&pool->random_samples));
}

KDL__TABLE(fractional, kdl_fractional_max_pool_options, KDL_FRACTIONAL_MAX_POOL_DEFAULTS, 1,
           (.build = build_fractional), KDL__ARGUMENT(kdl_fractional_max_pool_options, kernel_size),
           KDL__OPTIONAL_PLURAL(kdl_fractional_max_pool_options, output_size, output_sizes),
           KDL__OPTIONAL_PLURAL(kdl_fractional_max_pool_options, output_ratio, output_ratios),
           KDL__ARGUMENT(kdl_fractional_max_pool_options, return_indices),
           KDL__NAMED_ARGUMENT(kdl_fractional_max_pool_options, "_random_samples", random_samples,
                               true))
KDL__LAYER(fractional_max_pool2d, "FractionalMaxPool2d", NULL, kdl_fractional_max_pool_options,
           fractional_arguments)
KDL__LAYER(fractional_max_pool3d, "FractionalMaxPool3d", NULL, kdl_fractional_max_pool_options,
           fractional_arguments)
