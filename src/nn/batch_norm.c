/* SPDX-License-Identifier: Apache-2.0 */
/* Batch and instance norms, lazy ones too (torch/nn/modules/batchnorm.py and instancenorm.py). */
#include "kindling/init.h"
#include "kindling/ops.h"
#include "nn/arguments.h"

static kdl_status reset_norm(kdl_module *module)
{
    const kdl_batch_norm_options *norm = kdl_module_fields(module);
    if (norm->track_running_stats) {
        kdl_zero_(kdl_buffer(module, "running_mean"));
        kdl_fill_(kdl_buffer(module, "running_var"), 1);
        kdl_zero_(kdl_buffer(module, "num_batches_tracked"));
    }
    return kdl__reset_affine(module);
}

static void add_count(kdl_module *module, bool tracked)
{
    kdl_tensor *count = tracked ? kdl_zeros(module->ctx, KDL_SCALAR_SHAPE, .dtype = KDL_I64) : NULL;
    kdl_register_buffer(module, "num_batches_tracked", count);
}

static void build_norm(kdl_module *module)
{
    const kdl_batch_norm_options *norm = kdl_module_fields(module);
    kdl_shape shape = KDL_SHAPE(norm->num_features);
    bool tracked = norm->track_running_stats;
    kdl__add_affine(module, shape, norm->dtype, norm->affine, norm->bias);
    kdl_tensor *mean = tracked ? kdl_zeros(module->ctx, shape, .dtype = norm->dtype) : NULL;
    kdl_register_buffer(module, "running_mean", mean);
    kdl_tensor *var = tracked ? kdl_ones(module->ctx, shape, .dtype = norm->dtype) : NULL;
    kdl_register_buffer(module, "running_var", var);
    add_count(module, tracked);
    kdl_reset_parameters(module);
}

/* ---- Lazy -------------------------------------------------------------------------------- */

static void build_lazy_norm(kdl_module *module)
{
    const kdl_batch_norm_options *norm = kdl_module_fields(module);
    kdl__add_uninitialized_parameter(module, "weight", norm->dtype, norm->affine);
    kdl__add_uninitialized_parameter(module, "bias", norm->dtype, norm->affine && norm->bias);
    kdl__add_uninitialized_buffer(module, "running_mean", norm->dtype, norm->track_running_stats);
    kdl__add_uninitialized_buffer(module, "running_var", norm->dtype, norm->track_running_stats);
    add_count(module, norm->track_running_stats);
}

static kdl_status reset_lazy_norm(kdl_module *module)
{
    const kdl_batch_norm_options *norm = kdl_module_fields(module);
    if (kdl_has_uninitialized_params(module) || norm->num_features == 0)
        return KDL_OK;
    return reset_norm(module);
}

static void initialize_norm(kdl_module *module, const kdl_shape *input)
{
    kdl_batch_norm_options *norm = kdl_module_fields(module);
    if (!kdl_has_uninitialized_params(module))
        return;
    if (input->ndim < 2) {
        kdl__fail_in(module, KDL_ERROR_INDEX, "tuple index out of range");
        return;
    }
    norm->num_features = input->sizes[1];
    kdl_shape shape = KDL_SHAPE(norm->num_features);
    kdl__initialize_tensor(kdl_parameter(module, "weight"), shape);
    kdl__initialize_tensor(kdl_parameter(module, "bias"), shape);
    kdl__initialize_tensor(kdl_buffer(module, "running_mean"), shape);
    kdl__initialize_tensor(kdl_buffer(module, "running_var"), shape);
    kdl_reset_parameters(module);
}

/* ---- classes ----------------------------------------------------------------------------- */

static const kdl_batch_norm_options batch_norm_defaults = KDL_BATCH_NORM_DEFAULTS;
static const kdl_batch_norm_options instance_norm_defaults = KDL_INSTANCE_NORM_DEFAULTS;

#define NORM_LIST(...)                                                                             \
    {                                                                                              \
        KDL__ARGUMENT(kdl_batch_norm_options, num_features),                                       \
            KDL__ARGUMENT(kdl_batch_norm_options, eps),                                            \
            KDL__OPTIONAL_ARGUMENT(kdl_batch_norm_options, momentum),                              \
            KDL__ARGUMENT(kdl_batch_norm_options, affine),                                         \
            KDL__ARGUMENT(kdl_batch_norm_options, track_running_stats),                            \
            __VA_ARGS__ KDL__FACTORY(kdl_batch_norm_options),                                      \
            KDL__ARGUMENT(kdl_batch_norm_options, bias),                                           \
    }
static const kdl__argument norm_list[] = NORM_LIST();
static const kdl__argument sync_norm_list[] = NORM_LIST(KDL__IGNORED("process_group"), );

#define NORM(lower, title, parent, array, struct_defaults, lazy, reset, ...)                       \
    static const kdl__arguments lower##_arguments = {                                              \
        .list = array,                                                                             \
        .count = KDL__LENGTH(array),                                                               \
        .hidden = lazy,                                                                            \
        .required = 1 - (lazy),                                                                    \
        .keyword_only = 1,                                                                         \
        .defaults = &(struct_defaults),                                                            \
        .nbytes = sizeof(struct_defaults),                                                         \
        .repr = "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias?}, "  \
                "track_running_stats={track_running_stats}",                                       \
        __VA_ARGS__                                                                                \
    };                                                                                             \
    KDL__LAYER(lower, title, parent, kdl_batch_norm_options, lower##_arguments,                    \
               .reset_parameters = reset)

#define LAZY(class) .build = build_lazy_norm, .becomes = class, .initialize = initialize_norm

#define NORMS(n)                                                                                   \
    NORM(batch_norm##n##d, "BatchNorm" #n "d", KDL_CLASS_BATCH_NORM, norm_list,                    \
         batch_norm_defaults, 0, reset_norm, .build = build_norm)                                  \
    NORM(instance_norm##n##d, "InstanceNorm" #n "d", KDL_CLASS_INSTANCE_NORM, norm_list,           \
         instance_norm_defaults, 0, reset_norm, .build = build_norm)                               \
    NORM(lazy_batch_norm##n##d, "LazyBatchNorm" #n "d", KDL_CLASS_BATCH_NORM, norm_list,           \
         batch_norm_defaults, 1, reset_lazy_norm, LAZY(KDL_CLASS_BATCH_NORM##n##D))                \
    NORM(lazy_instance_norm##n##d, "LazyInstanceNorm" #n "d", KDL_CLASS_INSTANCE_NORM, norm_list,  \
         batch_norm_defaults, 1, reset_lazy_norm, LAZY(KDL_CLASS_INSTANCE_NORM##n##D))

const kdl_module_class kdl_class_norm_base = { .name = "_NormBase" };
const kdl_module_class kdl_class_batch_norm = { .name = "_BatchNorm",
                                                .parent = KDL_CLASS_NORM_BASE };
const kdl_module_class kdl_class_instance_norm = { .name = "_InstanceNorm",
                                                   .parent = KDL_CLASS_NORM_BASE };
NORMS(1)
NORMS(2)
NORMS(3)
NORM(sync_batch_norm, "SyncBatchNorm", KDL_CLASS_BATCH_NORM, sync_norm_list, batch_norm_defaults, 0,
     reset_norm, .build = build_norm)
