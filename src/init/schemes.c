/* SPDX-License-Identifier: Apache-2.0 */
/* The initialisers that are one fill with arguments to be computed: uniform_ to kaiming_normal_. */
#include <math.h>

#include "init/init.h"

kdl_status kdl__init_apply(kdl_tensor *tensor, kdl__op *op, kdl_generator *generator,
                           const char *place)
{
    const kdl__tape *tape = kdl__no_grad_of(tensor);
    return kdl__restore_grad(tensor, tape, kdl__op_apply(tensor, op, generator, place));
}

kdl_status kdl__fill_uniform(kdl_tensor *tensor, double a, double b, kdl_generator *generator,
                             const char *place)
{
    kdl__fill fill = { .distribution = KDL__UNIFORM, .a = a, .b = b };
    const kdl__tape *tape = kdl__no_grad_of(tensor);
    return kdl__restore_grad(tensor, tape, kdl__random_fill(tensor, &fill, generator, place));
}

kdl_status kdl__fill_normal(kdl_tensor *tensor, double mean, double std, kdl_generator *generator,
                            const char *place)
{
    kdl__fill fill = { .distribution = KDL__NORMAL, .a = mean, .b = std };
    const kdl__tape *tape = kdl__no_grad_of(tensor);
    return kdl__restore_grad(tensor, tape, kdl__random_fill(tensor, &fill, generator, place));
}

kdl_status kdl_init_uniform_with_(kdl_tensor *tensor, const kdl_init_uniform_options *options)
{
    static const kdl_init_uniform_options defaults = KDL_INIT_UNIFORM_DEFAULTS;
    if (!options)
        options = &defaults;
    return kdl__fill_uniform(tensor, options->a, options->b, options->generator,
                             "kdl_init_uniform_");
}

kdl_status kdl_init_normal_with_(kdl_tensor *tensor, const kdl_init_normal_options *options)
{
    static const kdl_init_normal_options defaults = KDL_INIT_NORMAL_DEFAULTS;
    if (!options)
        options = &defaults;
    return kdl__fill_normal(tensor, options->mean, options->std, options->generator,
                            "kdl_init_normal_");
}

static kdl_status fill_constant(kdl_tensor *tensor, double value, const char *place)
{
    const kdl__tape *tape = kdl__no_grad_of(tensor);
    return kdl__restore_grad(tensor, tape, kdl__fill_value(tensor, value, place));
}

kdl_status kdl_init_constant_(kdl_tensor *tensor, double val)
{
    return fill_constant(tensor, val, __func__);
}

kdl_status kdl_init_ones_(kdl_tensor *tensor)
{
    return fill_constant(tensor, 1, __func__);
}

kdl_status kdl_init_zeros_(kdl_tensor *tensor)
{
    return fill_constant(tensor, 0, __func__);
}

kdl_status kdl_init_eye_(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (tensor->ndim != 2)
        return kdl__fail(tensor->ctx, KDL_ERROR_VALUE,
                         "Only tensors with 2 dimensions are supported");
    kdl__op op = { .class = &kdl__op_eye };
    return kdl__init_apply(tensor, &op, NULL, __func__);
}

/* Draws with a standard deviation, uniformly about 0 or normally. */
static kdl_status fill(kdl_tensor *tensor, double std, bool uniform, kdl_generator *generator,
                       const char *place)
{
    double bound = sqrt(3.0) * std;
    return uniform ? kdl__fill_uniform(tensor, -bound, bound, generator, place)
                   : kdl__fill_normal(tensor, 0, std, generator, place);
}

/* ---- xavier ------------------------------------------------------------------------------ */

static const kdl_init_gain_options gain_defaults = KDL_INIT_GAIN_DEFAULTS;

static kdl_status xavier_std(const kdl_tensor *tensor, double gain, double *std, const char *place)
{
    int64_t fan_in, fan_out;
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (kdl__fans(tensor, place, &fan_in, &fan_out))
        return tensor->ctx->status;
    double fans = (double)((uint64_t)fan_in + (uint64_t)fan_out);
    if (fans == 0)
        return kdl__fail_zero_division(tensor->ctx, place);
    *std = gain * sqrt(2.0 / fans);
    return KDL_OK;
}

static kdl_status xavier(kdl_tensor *tensor, const kdl_init_gain_options *options, bool uniform,
                         const char *place)
{
    double std = 0;
    if (!options)
        options = &gain_defaults;
    kdl_status status = xavier_std(tensor, options->gain, &std, place);
    return status ? status : fill(tensor, std, uniform, options->generator, place);
}

kdl_status kdl_init_xavier_uniform_with_(kdl_tensor *tensor, const kdl_init_gain_options *options)
{
    return xavier(tensor, options, true, "kdl_init_xavier_uniform_");
}

kdl_status kdl_init_xavier_normal_with_(kdl_tensor *tensor, const kdl_init_gain_options *options)
{
    return xavier(tensor, options, false, "kdl_init_xavier_normal_");
}

/* ---- kaiming ----------------------------------------------------------------------------- */

static const kdl_init_kaiming_options kaiming_defaults = KDL_INIT_KAIMING_DEFAULTS;

/* PyTorch's _calculate_correct_fan: the mode is looked at first. */
static kdl_status chosen_fan(const kdl_tensor *tensor, kdl_fan_mode mode, int64_t *fan,
                             const char *place)
{
    int64_t fan_in, fan_out;
    if (mode != KDL_FAN_IN && mode != KDL_FAN_OUT)
        return kdl__fail_at(tensor->ctx, place, KDL_ERROR_VALUE,
                            "Mode %d not supported, please use one of ['fan_in', 'fan_out']",
                            (int)mode);
    if (kdl__fans(tensor, place, &fan_in, &fan_out))
        return tensor->ctx->status;
    *fan = mode == KDL_FAN_IN ? fan_in : fan_out;
    return KDL_OK;
}

static kdl_status kaiming_std(const kdl_tensor *tensor, const kdl_init_kaiming_options *options,
                              double *std, const char *place)
{
    int64_t fan = 0;
    double gain;
    if (chosen_fan(tensor, options->mode, &fan, place) ||
        !kdl__gain(tensor->ctx, place, options->nonlinearity, options->a, &gain))
        return tensor->ctx->status;
    *std = gain / sqrt((double)fan);
    return KDL_OK;
}

static bool warn_if_empty(const kdl_tensor *tensor)
{
    if (tensor->numel == 0)
        kdl__warn(tensor->ctx, "Initializing zero-element tensors is a no-op");
    return tensor->numel == 0;
}

static kdl_status kaiming(kdl_tensor *tensor, const kdl_init_kaiming_options *options, bool uniform,
                          const char *place)
{
    double std = 0;
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (!options)
        options = &kaiming_defaults;
    if (warn_if_empty(tensor) || kaiming_std(tensor, options, &std, place))
        return tensor->ctx->status;
    return fill(tensor, std, uniform, options->generator, place);
}

kdl_status kdl_init_kaiming_uniform_with_(kdl_tensor *tensor,
                                          const kdl_init_kaiming_options *options)
{
    return kaiming(tensor, options, true, "kdl_init_kaiming_uniform_");
}

kdl_status kdl_init_kaiming_normal_with_(kdl_tensor *tensor,
                                         const kdl_init_kaiming_options *options)
{
    return kaiming(tensor, options, false, "kdl_init_kaiming_normal_");
}
