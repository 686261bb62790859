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

/* What an element counts at a distance, with antialias. */
typedef double filter(double x);

/* How one dimension is resampled. */
typedef struct axis {
    int64_t input, output;
    double factor; /* what was given; NaN: nothing, the sizes tell it */
    bool align_corners, is_f32;
    filter *weight; /* NULL: without antialias */
    double reach;   /* of the filter */
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

static void cubic(kdl__tap *tap, int64_t place, const axis *a)
{
    double at = position(a, place);
    int64_t index = at_most((int64_t)floor(at), a->input - 1);
    double t = fmin(fmax(at - (double)index, 0), 1);
    const double keys = -0.75; /* what PyTorch takes for Keys' parameter */
    const double weights[] = { kdl__cubic_far(t + 1, keys), kdl__cubic_near(t, keys),
                               kdl__cubic_near(1 - t, keys), kdl__cubic_far(2 - t, keys) };
    for (int i = 0; i < 4; i++)
        tap[i] = (kdl__tap){ clamped(index - 1 + i, a->input - 1), weights[i] };
}

/* ---- with antialias: filters that grow with what they leave out ------------------------------ */

static double triangle(double x)
{
    return fmax(1 - fabs(x), 0);
}

static double half_cubic(double x)
{
    x = fabs(x);
    return x < 1 ? kdl__cubic_near(x, -0.5) : x < 2 ? kdl__cubic_far(x, -0.5) : 0;
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double lanczos(double x)
{
    return fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static double support_of(const axis *a)
{
    return rounded(a, a->reach * fmax(step_of(a), 1));
}

/* No more than `input` elements can count, however far the filter reaches. */
static int64_t spread_width(const axis *a)
{
    double most = 2 * ceil(support_of(a)) + 1;
    return most < (double)a->input ? (int64_t)most : a->input;
}

static void spread(kdl__tap *tap, int64_t place, const axis *a)
{
    double step = step_of(a), support = support_of(a), total = 0;
    double center = rounded(a, step * ((double)place + 0.5));
    double from = rounded(a, center - support) + 0.5, to = rounded(a, center + support) + 0.5;
    int64_t first = from > 0 ? (int64_t)from : 0;
    int64_t count = (to < (double)a->input ? (int64_t)to : a->input) - first;
    count = count < spread_width(a) ? count : spread_width(a);
    for (int64_t i = 0; i < count; i++) {
        double x = ((double)(first + i) - center + 0.5) / fmax(step, 1);
        tap[i] = (kdl__tap){ first + i, a->weight(x) };
        total += tap[i].weight;
    }
    for (int64_t i = 0; i < count && total != 0; i++)
        tap[i].weight /= total;
}

/* ---- their table ------------------------------------------------------------------------- */

struct mode {
    const char *name, *function;
    set_taps *set; /* NULL: by adaptive_avg_pool */
    int width;
    int spatial; /* how many dimensions it is for; 0: any */
    filter *weight;
    double reach;
};

static const struct mode modes[] = {
    { "nearest", "UpsampleNearestBackward0", nearest, 1, 0, NULL, 0 },
    { "nearest-exact", "UpsampleNearestExactBackward0", nearest_exact, 1, 0, NULL, 0 },
    { "area", NULL, NULL, 0, 0, NULL, 0 },
    { "linear", "UpsampleLinear1DBackward0", linear, 2, 1, NULL, 0 },
    { "bilinear", "UpsampleBilinear2DBackward0", linear, 2, 2, NULL, 0 },
    { "trilinear", "UpsampleTrilinear3DBackward0", linear, 2, 3, NULL, 0 },
    { "bicubic", "UpsampleBicubic2DBackward0", cubic, 4, 2, NULL, 0 },
};
static const struct mode antialiased[] = {
    { "bilinear", "UpsampleBilinear2DAaBackward0", spread, 2, 2, triangle, 1 },
    { "bicubic", "UpsampleBicubic2DAaBackward0", spread, 4, 2, half_cubic, 2 },
    { "lanczos", "UpsampleLanczos2DAaBackward0", spread, 6, 2, lanczos, 3 },
};

/* ---- checks: PyTorch's errors ------------------------------------------------------------- */

static const struct mode *find_antialiased(const kdl_tensor *x, const char *name)
{
    for (size_t i = 0; x->ndim == 4 && i < sizeof antialiased / sizeof *antialiased; i++)
        if (strcmp(antialiased[i].name, name) == 0)
            return &antialiased[i];
    kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_VALUE,
                 "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and "
                 "requires a 4-D tensor as input");
    return NULL;
}

static const struct mode *find_mode(const kdl_tensor *x, const char *name)
{
    const struct mode *found = NULL;
    int spatial = x->ndim - 2;
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
    else if (spatial == 2 && strcmp(name, "lanczos") == 0)
        kdl__fail_at(x->ctx, "kdl_f_interpolate", KDL_ERROR_VALUE,
                     "Lanczos mode requires antialias=True");
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
    else if (o->align_corners == true && strcmp(mode->name, "lanczos") == 0)
        fault = "Lanczos mode does not support align_corners=True";
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
        axis a = { x->dims[2 + d],
                   sizes->sizes[d],
                   scaled ? factor_of(o, d) : NAN,
                   o->align_corners == true,
                   x->storage->dtype == KDL_F32,
                   mode->weight,
                   mode->reach };
        kdl__taps *taps = kdl__taps_new(x->ctx, 2 + d, a.input, a.output,
                                        mode->weight ? spread_width(&a) : mode->width);
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
    if (x && kdl__read_options(x->ctx, "kdl_f_interpolate", &options, sizeof options, given)) {
        const char *name = options.mode ? options.mode : "None";
        mode = options.antialias ? find_antialiased(x, name) : find_mode(x, name);
    }
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
