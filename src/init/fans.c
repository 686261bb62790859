/* SPDX-License-Identifier: Apache-2.0 */
/* Fans and gains, and the names of what they depend on. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "init/init.h"

static const char *const nonlinearity_names[KDL_NONLINEARITY_COUNT] = {
    [KDL_NONLINEARITY_LINEAR] = "linear",
    [KDL_NONLINEARITY_CONV1D] = "conv1d",
    [KDL_NONLINEARITY_CONV2D] = "conv2d",
    [KDL_NONLINEARITY_CONV3D] = "conv3d",
    [KDL_NONLINEARITY_CONV_TRANSPOSE1D] = "conv_transpose1d",
    [KDL_NONLINEARITY_CONV_TRANSPOSE2D] = "conv_transpose2d",
    [KDL_NONLINEARITY_CONV_TRANSPOSE3D] = "conv_transpose3d",
    [KDL_NONLINEARITY_SIGMOID] = "sigmoid",
    [KDL_NONLINEARITY_TANH] = "tanh",
    [KDL_NONLINEARITY_RELU] = "relu",
    [KDL_NONLINEARITY_LEAKY_RELU] = "leaky_relu",
    [KDL_NONLINEARITY_SELU] = "selu",
};

const char *kdl_nonlinearity_name(kdl_nonlinearity nonlinearity)
{
    return (unsigned)nonlinearity < KDL_NONLINEARITY_COUNT ? nonlinearity_names[nonlinearity]
                                                           : NULL;
}

kdl_status kdl_nonlinearity_parse(kdl_context *ctx, const char *name,
                                  kdl_nonlinearity *nonlinearity)
{
    if (kdl__failed(ctx))
        return ctx->status;
    for (int i = 0; i < KDL_NONLINEARITY_COUNT; i++) {
        if (!strcmp(name, nonlinearity_names[i])) {
            *nonlinearity = (kdl_nonlinearity)i;
            return KDL_OK;
        }
    }
    return kdl__fail(ctx, KDL_ERROR_VALUE, "Unsupported nonlinearity %s", name);
}

static kdl_status fail_mode(kdl_context *ctx, const char *place, const char *mode)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                        "Mode %s not supported, please use one of ['fan_in', 'fan_out']", mode);
}

kdl_status kdl_fan_mode_parse(kdl_context *ctx, const char *name, kdl_fan_mode *mode)
{
    if (kdl__failed(ctx))
        return ctx->status;
    char *lower = kdl__strdup(ctx, name);
    if (!lower)
        return ctx->status;
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    kdl_status status = KDL_OK;
    if (!strcmp(lower, "fan_in"))
        *mode = KDL_FAN_IN;
    else if (!strcmp(lower, "fan_out"))
        *mode = KDL_FAN_OUT;
    else
        status = fail_mode(ctx, __func__, lower);
    kdl_free(ctx, lower);
    return status;
}

/* ---- Python's arithmetic ----------------------------------------------------------------- */

double kdl__square(double value)
{
    const volatile double two = 2; /* or a compiler multiplies */
    return pow(value, two);
}

bool kdl__python_square(kdl_context *ctx, const char *place, double value, double *square)
{
    *square = kdl__square(value);
    if (isfinite(value) && isinf(*square))
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "(34, 'Numerical result out of range')");
    return !kdl__failed(ctx);
}

kdl_status kdl__fail_zero_division(kdl_context *ctx, const char *place)
{
    return kdl__fail_at(ctx, place, KDL_ERROR_ZERO_DIVISION, "float division by zero");
}

/* ---- gains ------------------------------------------------------------------------------- */

bool kdl__gain(kdl_context *ctx, const char *place, kdl_nonlinearity nonlinearity, double param,
               double *gain)
{
    double square;
    switch (nonlinearity) {
    case KDL_NONLINEARITY_LINEAR:
    case KDL_NONLINEARITY_CONV1D:
    case KDL_NONLINEARITY_CONV2D:
    case KDL_NONLINEARITY_CONV3D:
    case KDL_NONLINEARITY_CONV_TRANSPOSE1D:
    case KDL_NONLINEARITY_CONV_TRANSPOSE2D:
    case KDL_NONLINEARITY_CONV_TRANSPOSE3D:
    case KDL_NONLINEARITY_SIGMOID:
        *gain = 1;
        return true;
    case KDL_NONLINEARITY_TANH:
        *gain = 5.0 / 3;
        return true;
    case KDL_NONLINEARITY_RELU:
        *gain = sqrt(2.0);
        return true;
    case KDL_NONLINEARITY_LEAKY_RELU:
        if (!kdl__python_square(ctx, place, param, &square))
            return false;
        *gain = sqrt(2.0 / (1 + square));
        return true;
    case KDL_NONLINEARITY_SELU:
        *gain = 3.0 / 4;
        return true;
    default:
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "Unsupported nonlinearity %d", (int)nonlinearity);
        return false;
    }
}

double kdl_init_calculate_gain_with(kdl_context *ctx, kdl_nonlinearity nonlinearity,
                                    const kdl_init_calculate_gain_options *options)
{
    static const kdl_init_calculate_gain_options defaults = KDL_INIT_CALCULATE_GAIN_DEFAULTS;
    double gain;
    if (kdl__failed(ctx) || !kdl__gain(ctx, "kdl_init_calculate_gain", nonlinearity,
                                       (options ? options : &defaults)->param, &gain))
        return NAN;
    return gain;
}

/* ---- fans -------------------------------------------------------------------------------- */

kdl_status kdl__fans(const kdl_tensor *tensor, const char *place, int64_t *fan_in, int64_t *fan_out)
{
    kdl_context *ctx = tensor->ctx;
    if (tensor->ndim < 2)
        return kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                            "Fan in and fan out can not be computed for tensor with fewer than 2 "
                            "dimensions");
    int64_t fans[2] = { tensor->dims[1], tensor->dims[0] };
    for (int i = 0; i < 2; i++)
        for (int d = 2; d < tensor->ndim; d++)
            /* Possible only beside a size of 0; Python's integers have no end. */
            if (__builtin_mul_overflow(fans[i], tensor->dims[d], &fans[i]))
                return kdl__fail_at(ctx, place, KDL_ERROR_VALUE, "a fan exceeds 64 bits");
    *fan_in = fans[0];
    *fan_out = fans[1];
    return KDL_OK;
}

kdl_status kdl_init_calculate_fan_in_and_fan_out(const kdl_tensor *tensor, int64_t *fan_in,
                                                 int64_t *fan_out)
{
    return kdl__refuses(tensor) ? kdl__refusal(tensor)
                                : kdl__fans(tensor, __func__, fan_in, fan_out);
}
