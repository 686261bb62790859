/* SPDX-License-Identifier: Apache-2.0 */
/* The forwards of normalisations. */
#include <math.h>

#include "forward/forwards.h"
#include "kindling/functional.h"
#include "kindling/nn.h"
#include "kindling/ops.h"

/* ---- rows and groups --------------------------------------------------------------------- */

static kdl_tensor *layer_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_layer_norm_options *own = kdl_module_fields(module);
    return kdl_f_layer_norm(input, own->normalized_shape, kdl_parameter(module, "weight"),
                            kdl_parameter(module, "bias"), kdl_number(own->eps));
}

static kdl_tensor *rms_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_rms_norm_options *own = kdl_module_fields(module);
    return kdl_f_rms_norm(input, own->normalized_shape, kdl_parameter(module, "weight"),
                          kdl_number(own->eps));
}

static kdl_tensor *group_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_group_norm_options *own = kdl_module_fields(module);
    return kdl_f_group_norm(input, own->num_groups, kdl_parameter(module, "weight"),
                            kdl_parameter(module, "bias"), kdl_number(own->eps));
}

/* ---- batches and instances ---------------------------------------------------------------- */

/* _check_input_dim: RuntimeErrors of their own behind it say less. */
static bool check_batch_norm(kdl_module *module, const kdl_tensor *input)
{
    int ndim = kdl_tensor_ndim(input);
    bool sync = kdl_isinstance(module, KDL_CLASS_SYNC_BATCH_NORM);
    int nd = sync ? 0 : kdl__spatial(module);
    if (sync ? ndim >= 2 : ndim == nd + 2 || (nd == 1 && ndim == 2))
        return true;
    static const char *const wanted[] = { "at least 2D", "2D or 3D", "4D", "5D" };
    kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                 "expected %s input (got %dD input)", wanted[nd], ndim);
    return false;
}

/* One more batch seen; momentum=None averages over all of them alike. */
static double batch_momentum(kdl_module *module, double momentum)
{
    kdl_tensor *seen = kdl_buffer(module, "num_batches_tracked");
    if (!seen || !kdl_module_training(module))
        return isnan(momentum) ? 0 : momentum;
    bool was = kdl_set_grad_enabled(module->ctx, false);
    kdl_add_(seen, 1);
    kdl_set_grad_enabled(module->ctx, was);
    return isnan(momentum) ? 1 / kdl_tensor_item(seen) : momentum;
}

static kdl_tensor *batch_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_batch_norm_options *own = kdl_module_fields(module);
    if (!check_batch_norm(module, input))
        return NULL;
    double momentum = batch_momentum(module, kdl_number(own->momentum));
    kdl_tensor *mean = kdl_buffer(module, "running_mean"), *var = kdl_buffer(module, "running_var");
    bool by_batch = kdl_module_training(module) || !mean || !var;
    return kdl_f_batch_norm(input, mean, var, kdl_parameter(module, "weight"),
                            kdl_parameter(module, "bias"), by_batch, momentum,
                            kdl_number(own->eps));
}

/* nn.InstanceNorm*'s checks: of 1d 2 or 3 dimensions, and so on, and num_features channels. */
static bool check_instance_norm(kdl_module *module, const kdl_tensor *input)
{
    const kdl_batch_norm_options *own = kdl_module_fields(module);
    int nd = kdl__spatial(module), ndim = kdl_tensor_ndim(input);
    if (ndim != nd + 1 && ndim != nd + 2) {
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                     "expected %dD or %dD input (got %dD input)", nd + 1, nd + 2, ndim);
        return false;
    }
    int at = ndim - nd - 1;
    int64_t channels = kdl_tensor_size(input, at);
    if (channels == own->num_features)
        return true;
    if (own->affine)
        kdl__fail_at(module->ctx, module->class->name, KDL_ERROR_VALUE,
                     "expected input's size at dim=%d to match num_features (%" PRId64
                     "), but got: %" PRId64 ".",
                     at, own->num_features, channels);
    else
        kdl__warn(
            module->ctx,
            "input's size at dim=%d does not match num_features. You can silence this warning "
            "by not passing in num_features, which is not used because affine=False",
            at);
    return !own->affine;
}

static kdl_tensor *instance_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_batch_norm_options *own = kdl_module_fields(module);
    if (!check_instance_norm(module, input))
        return NULL;
    double momentum = kdl_number(own->momentum);
    bool batched = kdl_tensor_ndim(input) == kdl__spatial(module) + 2;
    kdl_tensor *x = batched ? kdl_tensor_retain(input) : kdl_unsqueeze(input, 0);
    kdl_tensor *y = kdl_f_instance_norm(
        x, kdl_buffer(module, "running_mean"), kdl_buffer(module, "running_var"),
        kdl_parameter(module, "weight"), kdl_parameter(module, "bias"),
        kdl_module_training(module) || !own->track_running_stats, isnan(momentum) ? 0 : momentum,
        kdl_number(own->eps));
    kdl_tensor *result = batched ? kdl_tensor_retain(y) : kdl_squeeze(y, 0);
    kdl_tensor_release(x);
    kdl_tensor_release(y);
    return result;
}

/* ---- neighbouring channels ---------------------------------------------------------------- */

static kdl_tensor *local_response_norm(kdl_module *module, kdl_tensor *input)
{
    const kdl_local_response_norm_options *own = kdl_module_fields(module);
    return kdl_f_local_response_norm(input, own->size, kdl_number(own->alpha),
                                     kdl_number(own->beta), kdl_number(own->k));
}

static kdl_tensor *cross_map_lrn2d(kdl_module *module, kdl_tensor *input)
{
    const kdl_local_response_norm_options *own = kdl_module_fields(module);
    return kdl_f_cross_map_lrn2d(input, own->size, kdl_number(own->alpha), kdl_number(own->beta),
                                 kdl_number(own->k));
}

/* ---- the table --------------------------------------------------------------------------- */

const kdl__forward_entry kdl__norm_forwards[] = {
    KDL__ONE(KDL_CLASS_LAYER_NORM, layer_norm),
    KDL__ONE(KDL_CLASS_RMS_NORM, rms_norm),
    KDL__ONE(KDL_CLASS_GROUP_NORM, group_norm),
    KDL__ONE(KDL_CLASS_BATCH_NORM1D, batch_norm),
    KDL__ONE(KDL_CLASS_BATCH_NORM2D, batch_norm),
    KDL__ONE(KDL_CLASS_BATCH_NORM3D, batch_norm),
    KDL__ONE(KDL_CLASS_SYNC_BATCH_NORM, batch_norm), /* of one process */
    KDL__ONE(KDL_CLASS_INSTANCE_NORM1D, instance_norm),
    KDL__ONE(KDL_CLASS_INSTANCE_NORM2D, instance_norm),
    KDL__ONE(KDL_CLASS_INSTANCE_NORM3D, instance_norm),
    KDL__ONE(KDL_CLASS_LOCAL_RESPONSE_NORM, local_response_norm),
    KDL__ONE(KDL_CLASS_CROSS_MAP_LRN2D, cross_map_lrn2d),
    KDL__END_OF_FORWARDS,
};
