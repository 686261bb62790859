/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpolation, with gradients: one dimension after the other (indices as PyTorch's UpSample.h).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/resample_ops.h"
#include "autograd/window_ops.h"
#include "kindling/functional_window.h"

/* How one dimension is resampled. */
typedef struct axis {
    int64_t input, output;
    double factor; /* what was given; NaN: nothing, the sizes tell it */
    bool align_corners, is_f32;
} axis;

typedef void set_taps(kdl__tap *tap, int64_t place, const axis *a);

/* ---- where a place lies in the input: PyTorch computes in the element's dtype --------------- */

static double rounded(const axis *a, double value)
{
    return a->is_f32 ? (double)(float)value : value;
}

static double step_of(const axis *a)
{
    if (a->align_corners)
        return a->output > 1 ? rounded(a, (double)(a->input - 1) / (double)(a->output - 1)) : 0;
    return rounded(a, a->factor > 0 ? 1 / a->factor : (double)a->input / (double)a->output);
}

static double position(const axis *a, int64_t place)
{
    double step = step_of(a);
    if (a->align_corners)
        return rounded(a, step * (double)place);
    return rounded(a, fma(step, (double)place + 0.5, -0.5));
}

static int64_t at_most(int64_t index, int64_t last)
{
    return index < last ? index : last;
}

static int64_t clamped(int64_t index, int64_t last)
{
    return index < 0 ? 0 : at_most(index, last);
}

/* ---- modes ------------------------------------------------------------------------------- */

/* PyTorch takes the floor of a float, whatever the dtype. */
static void nearest(kdl__tap *tap, int64_t place, const axis *a)
{
    double at = rounded(a, (double)place * step_of(a));
    *tap = (kdl__tap){ at_most((int64_t)floorf((float)at), a->input - 1), 1 };
}

static void nearest_exact(kdl__tap *tap, int64_t place, const axis *a)
{
    double at = rounded(a, position(a, place) + 0.5);
    *tap = (kdl__tap){ at_most((int64_t)floorf((float)at), a->input - 1), 1 };
}

static void linear(kdl__tap *tap, int64_t place, const axis *a)
{
    if (a->output == a->input) {
        tap[0] = (kdl__tap){ place, 1 };
        return;
    }
    double at = position(a, place);
    at = at < 0 ? 0 : at;
    int64_t index = at_most((int64_t)floor(at), a->input - 1);
    double part = fmin(at - (double)index, 1);
    tap[0] = (kdl__tap){ index, 1 - part };
    tap[1] = (kdl__tap){ at_most(index + 1, a->input - 1), part };
}

/* Keys' cubic convolution with a = -0.75: for distances up to 1, and from 1 to 2. */
static double near_weight(double x)
{
    return (1.25 * x - 2.25) * x * x + 1;
}
static double far_weight(double x)
{
    return ((-0.75 * x + 3.75) * x - 6) * x + 3;
}

static void cubic(kdl__tap *tap, int64_t place, const axis *a)
{
    double at = position(a, place);
    int64_t index = at_most((int64_t)floor(at), a->input - 1);
    double t = fmin(fmax(at - (double)index, 0), 1);
    const double weights[] = { far_weight(t + 1), near_weight(t), near_weight(1 - t),
                               far_weight(2 - t) };
    for (int i = 0; i < 4; i++)
        tap[i] = (kdl__tap){ clamped(index - 1 + i, a->input - 1), weights[i] };
}

static const struct mode {
    const char *name, *function;
    set_taps *set; /* NULL: by adaptive_avg_pool */
    int width;
    int spatial; /* how many dimensions it is for; 0: any */
} modes[] = {
    { "nearest", "UpsampleNearestBackward0", nearest, 1, 0 },
    { "nearest-exact", "UpsampleNearestExactBackward0", nearest_exact, 1, 0 },
    { "area", NULL, NULL, 0, 0 },
    { "linear", "UpsampleLinear1DBackward0", linear, 2, 1 },
    { "bilinear", "UpsampleBilinear2DBackward0", linear, 2, 2 },
    { "trilinear", "UpsampleTrilinear3DBackward0", linear, 2, 3 },
    { "bicubic", "UpsampleBicubic2DBackward0", cubic, 4, 2 },
};

/* ---- checks: PyTorch's errors ------------------------------------------------------------- */

static const struct mode *find_mode(const kdl_tensor *x, const char *name)
{
    const struct mode *found = NULL;
    int spatial = x->ndim - 2;
    name = name ? name : "None";
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, name) == 0)
            found = &modes[i];
    bool known = spatial >= 1 && spatial <= 3 && found;
    if (known && (found->spatial == 0 || found->spatial == spatial))
        return found;
    if (known && found->width == 2)
        kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_NOT_IMPLEMENTED,
                     "Got %dD input, but %s mode needs %dD input", x->ndim, name,
                     found->spatial + 2);
    else
        kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_NOT_IMPLEMENTED,
                     "Input Error: Only 3D, 4D and 5D input Tensors supported (got %dD) for the "
                     "modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | "
                     "nearest-exact (got %s)",
                     x->ndim, name);
    return NULL;
}

static bool has_size(const kdl_f_interpolate_options *o)
{
    return o->sizes.ndim > 0 || o->size != KDL_NONE_INT;
}

static bool has_factor(const kdl_f_interpolate_options *o)
{
    return o->scale_factors.count > 0 || !isnan(kdl_number(o->scale_factor));
}

static double factor_of(const kdl_f_interpolate_options *o, int d)
{
    return kdl_number(o->scale_factors.values[o->scale_factors.count > 0 ? d : 0]);
}

static bool check_options(const kdl_tensor *x, const struct mode *mode,
                          const kdl_f_interpolate_options *o)
{
    int spatial = x->ndim - 2;
    const char *fault = NULL;
    if (mode->width < 2 && o->align_corners != KDL_NONE_BOOL)
        fault = "align_corners option can only be set with the interpolating modes: linear | "
                "bilinear | bicubic | trilinear";
    else if (has_size(o) && has_factor(o))
        fault = "only one of size or scale_factor should be defined";
    else if (!has_size(o) && !has_factor(o))
        fault = "either size or scale_factor should be defined";
    else if (o->sizes.ndim > 0 && o->sizes.ndim != spatial)
        fault = "Input and output must have the same number of spatial dimensions";
    else if (has_factor(o) && o->scale_factors.count > 0 && o->scale_factors.count != spatial)
        fault = "Input and scale_factor must have the same number of spatial dimensions";
    else if (has_size(o) && o->recompute_scale_factor == true)
        fault = "recompute_scale_factor is not meaningful with an explicit size.";
    if (fault)
        kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_VALUE, "%s", fault);
    return !fault;
}

/* "(H: 2, W: 3)" */
static kdl__shape_chars named_text(int spatial, const int64_t *sizes)
{
    kdl__shape_chars text = { "(" };
    size_t length = 1;
    for (int d = 0; d < spatial; d++)
        length +=
            (size_t)snprintf(text.chars + length, sizeof text.chars - length, "%s%c: %" PRId64,
                             d ? ", " : "", "DHW"[3 - spatial + d], sizes[d]);
    snprintf(text.chars + length, sizeof text.chars - length, ")");
    return text;
}

/* The output's spatial sizes; false where one cannot be. */
static bool interpolated_sizes(const kdl_tensor *x, const struct mode *mode,
                               const kdl_f_interpolate_options *o, kdl_shape *sizes)
{
    *sizes = (kdl_shape){ .ndim = x->ndim - 2 };
    bool positive = true;
    for (int d = 0; d < sizes->ndim; d++) {
        double size = has_size(o) ? (double)kdl__part(&o->sizes, d)
                                  : (double)x->dims[2 + d] * factor_of(o, d);
        if (!(fabs(size) <= INT32_MAX)) {
            kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_RUNTIME, "integer out of range");
            return false;
        }
        sizes->sizes[d] = (int64_t)size;
        positive = positive && sizes->sizes[d] > 0 && x->dims[2 + d] > 0;
    }
    if (!mode->set)
        return true;
    if (!positive)
        kdl__fail_at(
            x->ctx, "kdl_f_interpolate", KDL_ERROR_RUNTIME,
            "Input and output sizes should be greater than 0, but got input %s%s output %s",
            named_text(sizes->ndim, x->dims + 2).chars, sizes->ndim == 1 ? " and" : "",
            named_text(sizes->ndim, sizes->sizes).chars);
    else if (x->dims[1] == 0)
        kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_RUNTIME,
                     "Non-empty %dD data tensor expected but got a tensor with sizes %s", x->ndim,
                     kdl__shape_text(x->ndim, x->dims).chars);
    return !kdl__failed(x->ctx);
}

/* ---- the call ---------------------------------------------------------------------------- */

/* x (consumed), resampled in each of its spatial dimensions. */
static kdl_tensor *interpolate(kdl_tensor *x, const struct mode *mode, const kdl_shape *sizes,
                               const kdl_f_interpolate_options *o)
{
    bool scaled = has_factor(o) && o->recompute_scale_factor != true;
    for (int d = 0; d < sizes->ndim && x; d++) {
        axis a = { x->dims[2 + d], sizes->sizes[d], scaled ? factor_of(o, d) : NAN,
                   o->align_corners == true, x->storage->dtype == KDL_F32 };
        kdl__taps *taps = kdl__taps_new(x->ctx, 2 + d, a.input, a.output, mode->width);
        for (int64_t i = 0; taps && i < a.output; i++)
            mode->set(taps->tap + i * taps->width, i, &a);
        x = kdl__resample(x, taps, mode->function);
    }
    return x;
}

kdl_tensor *kdl_f_interpolate_with(kdl_tensor *input, const kdl_f_interpolate_options *given)
{
    kdl_f_interpolate_options options = KDL_F_INTERPOLATE_DEFAULTS;
    kdl_tensor *x = kdl__row_major(input, "kdl_f_interpolate");
    const struct mode *mode = NULL;
    kdl_shape sizes;
    if (x && kdl__read_options(x->ctx, "kdl_f_interpolate", &options, sizeof options, given))
        mode = find_mode(x, options.mode);
    if (!mode || !check_options(x, mode, &options) ||
        !interpolated_sizes(x, mode, &options, &sizes)) {
        kdl_tensor_release(x);
        return NULL;
    }
    if (!mode->set) {
        kdl_tensor_release(x);
        return kdl_f_adaptive_avg_pool(sizes.ndim, input, sizes);
    }
    kdl_tensor *result = interpolate(x, mode, &sizes, &options);
    return result ? kdl__cast(result, input->storage->dtype) : NULL;
}
