/* SPDX-License-Identifier: Apache-2.0 */
/* Dropouts, of elements and of channels: PyTorch's _dropout_impl. */
#include <math.h>

#include "autograd/function.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ValueError (false) with Python's text of the number. */
static bool check_probability(kdl_context *ctx, double p, const char *place)
{
    if (p >= 0 && p <= 1)
        return true;
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_repr(&text, p);
    char *number = kdl__text_take(&text);
    if (number)
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "dropout probability has to be between 0 and 1, but got %s", number);
    kdl_free(ctx, number);
    return false;
}

/* A mask of bernoulli_(1 - p): for each element, or (N, C, 1, ...) for each channel. */
static kdl_tensor *draw_mask(kdl_tensor *input, double p, bool channels)
{
    kdl_tensor *mask = NULL;
    if (channels) {
        kdl_shape shape = kdl_tensor_shape(input);
        for (int d = 2; d < shape.ndim; d++)
            shape.sizes[d] = 1;
        mask = kdl_empty(input->ctx, shape, .dtype = input->storage->dtype);
    } else {
        mask = kdl_empty_like(input);
    }
    if (mask && kdl_bernoulli_(mask, 1 - p)) {
        kdl_tensor_release(mask);
        return NULL;
    }
    return mask;
}

/* What was dropped is set so that mean and variance stay (Klambauer et al., 2017). */
static kdl_tensor *alpha_drop(kdl_tensor *input, kdl_tensor *mask, double p)
{
    static const double alpha = 1.7580993408473766; /* SELU's alpha times its scale */
    double a = 1 / sqrt((alpha * alpha * p + 1) * (1 - p));
    kdl__scope scope = { 0 };
    kdl_tensor *less = kdl__hold(&scope, kdl_add(mask, -1));
    kdl_tensor *scaled = kdl__hold(&scope, kdl_mul(less, alpha * a));
    kdl_tensor *shift = kdl__hold(&scope, kdl_add(scaled, alpha * a * p));
    kdl_tensor *kept =
        kdl__hold(&scope, kdl_mul_tensor(input, kdl__hold(&scope, kdl_mul(mask, a))));
    return kdl__close(&scope, kdl_add_tensor(kept, shift));
}

static kdl_tensor *drop(kdl_tensor *input, double p, bool training, bool channels, bool alpha,
                        const char *place)
{
    if (!kdl__usable(place, 1, &input) || !check_probability(input->ctx, p, place))
        return NULL;
    if (p == 0 || !training || input->numel == 0)
        return kdl_tensor_retain(input);
    if (p == 1)
        return kdl_mul(input, 0);
    if (channels && input->ndim < 2) {
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME,
                     "Feature dropout requires at least 2 dimensions in the input");
        return NULL;
    }
    kdl__scope scope = { 0 };
    kdl_tensor *mask = kdl__hold(&scope, draw_mask(input, p, channels));
    if (alpha)
        return kdl__close(&scope, mask ? alpha_drop(input, mask, p) : NULL);
    return kdl__close(&scope, kdl_mul_tensor(input, kdl__hold(&scope, kdl_div(mask, 1 - p))));
}

kdl_tensor *kdl_f_dropout(kdl_tensor *input, double p, bool training)
{
    return drop(input, p, training, false, false, __func__);
}

kdl_tensor *kdl_f_alpha_dropout(kdl_tensor *input, double p, bool training)
{
    return drop(input, p, training, false, true, __func__);
}

kdl_tensor *kdl_f_feature_alpha_dropout(kdl_tensor *input, double p, bool training)
{
    return drop(input, p, training, true, true, __func__);
}

/* ---- of channels: what each takes for a sample without a batch ------------------------------ */

/* The same of an input without a batch. */
static kdl_tensor *drop_sample(kdl_tensor *input, double p, bool training, const char *place)
{
    kdl__scope scope = { 0 };
    kdl_tensor *batch = kdl__hold(&scope, kdl_unsqueeze(input, 0));
    kdl_tensor *result = kdl__hold(&scope, drop(batch, p, training, true, false, place));
    return kdl__close(&scope, kdl_squeeze(result, 0));
}

static void warn_of_dims(const kdl_tensor *input, int nd)
{
    kdl__warn(
        input->ctx,
        "dropout%dd: Received a %d-D input to dropout%dd, which is deprecated and will result "
        "in an error in a future release. To retain the behavior and silence this warning, "
        "please use dropout instead. Note that dropout%dd exists to provide channel-wise "
        "dropout on inputs with %d spatial dimensions, a channel dimension, and an optional "
        "batch dimension (i.e. %dD or %dD inputs).",
        nd, input->ndim, nd, nd, nd, nd + 1, nd + 2);
}

kdl_tensor *kdl_f_dropout1d(kdl_tensor *input, double p, bool training)
{
    if (!kdl__usable(__func__, 1, &input) || !check_probability(input->ctx, p, __func__))
        return NULL;
    if (input->ndim != 2 && input->ndim != 3) {
        kdl__fail(input->ctx, KDL_ERROR_RUNTIME,
                  "dropout1d: Expected 2D or 3D input, but received a %dD input. Note that "
                  "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial "
                  "dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D "
                  "inputs).",
                  input->ndim);
        return NULL;
    }
    return input->ndim == 3 ? drop(input, p, training, true, false, __func__)
                            : drop_sample(input, p, training, __func__);
}

kdl_tensor *kdl_f_dropout2d(kdl_tensor *input, double p, bool training)
{
    if (!kdl__usable(__func__, 1, &input) || !check_probability(input->ctx, p, __func__))
        return NULL;
    if (input->ndim != 3 && input->ndim != 4)
        warn_of_dims(input, 2);
    if (input->ndim == 3)
        kdl__warn(
            input->ctx,
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C "
            "is the channel dim. This behavior will change in a future release to interpret "
            "the input as one without a batch dimension, i.e. shape (C, H, W). To maintain "
            "the 1D channel-wise dropout behavior, please switch to using dropout1d instead.");
    return drop(input, p, training, true, false, __func__);
}

kdl_tensor *kdl_f_dropout3d(kdl_tensor *input, double p, bool training)
{
    if (!kdl__usable(__func__, 1, &input) || !check_probability(input->ctx, p, __func__))
        return NULL;
    if (input->ndim != 4 && input->ndim != 5)
        warn_of_dims(input, 3);
    return input->ndim == 5 ? drop(input, p, training, true, false, __func__)
                            : drop_sample(input, p, training, __func__);
}
