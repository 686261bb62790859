/* SPDX-License-Identifier: Apache-2.0 */
/* Grids of places, and sampling at them, with gradients: spatial transformers. */
#include <string.h>

#include "autograd/function.h"
#include "compute/sample.h"
#include "kindling/functional.h"

/* ---- grid_sample ------------------------------------------------------------------------- */

static const char place[] = "kdl_f_grid_sample";

static kdl_tensor *zeros_like(const kdl_tensor *like)
{
    kdl_tensor *result = kdl__new_values(like->ctx, like->storage->dtype, like->ndim, like->dims);
    if (result)
        memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    return result;
}

/* own: how it was sampled; saved: input, grid. */
static void grid_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl_tensor *input = kdl__saved_value(function, 0), *grid = kdl__saved_value(function, 1);
    kdl_tensor *rows = kdl__in_rows(grad), *gradients[2] = { NULL };
    if (input && grid && rows) {
        for (int i = 0; i < 2; i++)
            gradients[i] = kdl__needs(function, i) ? zeros_like(i ? grid : input) : NULL;
        if (!kdl__failed(function->ctx))
            kdl__compute_grid_sample_grad(function->own, rows, input, grid, gradients[0],
                                          gradients[1]);
        for (int i = 0; i < 2; i++)
            if (kdl__needs(function, i))
                kdl__give(function, i, gradients[i]);
    }
    kdl_tensor_release(rows);
}

static const kdl__function_class grid_classes[] = {
    { "GridSampler2DBackward0", grid_backward },
    { "GridSampler3DBackward0", grid_backward },
};

/* The number of a name among `count`; -1, with PyTorch's error, for another one. */
static int find_name(const kdl_tensor *x, const char *const *names, int count, const char *name,
                     const char *what)
{
    name = name ? name : "None";
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    kdl__fail_at(x->ctx, place, KDL_ERROR_VALUE,
                 "nn.functional.grid_sample(): expected %s, but got: '%s'", what, name);
    return -1;
}

static bool read_sampling(const kdl_tensor *x, const kdl_f_grid_sample_options *o,
                          kdl__sampling *how)
{
    static const char *const modes[] = { "bilinear", "nearest", "bicubic" };
    static const char *const paddings[] = { "zeros", "border", "reflection" };
    int mode = find_name(x, modes, 3, o->mode, "mode to be 'bilinear', 'nearest' or 'bicubic'");
    int padding = mode < 0 ? -1
                           : find_name(x, paddings, 3, o->padding_mode,
                                       "padding_mode to be 'zeros', 'border', or 'reflection'");
    *how = (kdl__sampling){ (kdl__sample_mode)mode, (kdl__sample_padding)padding,
                            o->align_corners == true };
    return padding >= 0;
}

/* PyTorch's warning for what was not said. */
static void warn_corners(kdl_context *ctx, int8_t align_corners)
{
    if (align_corners == KDL_NONE_BOOL)
        kdl__warn(ctx,
                  "Default grid_sample and affine_grid behavior has changed to "
                  "align_corners=False since 1.3.0. Please specify align_corners=True if the "
                  "old behavior is desired. See the documentation of grid_sample for details.");
}

static bool check_dtypes(const kdl_tensor *input, const kdl_tensor *grid)
{
    kdl_dtype a = input->storage->dtype, b = grid->storage->dtype;
    if (a != b)
        kdl__fail_at(input->ctx, place, KDL_ERROR_RUNTIME, "expected scalar type %s but found %s",
                     kdl_dtype_scalar_name(a), kdl_dtype_scalar_name(b));
    else if (!kdl_dtype_is_floating_point(a))
        kdl__fail_at(input->ctx, place, KDL_ERROR_NOT_IMPLEMENTED,
                     "\"grid_sampler_%dd_cpu%s\" not implemented for '%s'", input->ndim - 2,
                     input->ndim == 4 ? "_kernel_impl" : "", kdl_dtype_scalar_name(a));
    return !kdl__failed(input->ctx);
}

static bool check_grid(const kdl_tensor *input, const kdl_tensor *grid, kdl__sample_mode mode)
{
    kdl_context *ctx = input->ctx;
    kdl__shape_chars sizes = kdl__shape_text(input->ndim, input->dims);
    kdl__shape_chars given = kdl__shape_text(grid->ndim, grid->dims);
    int nd = input->ndim - 2;
    bool batched = input->ndim > 0 && grid->ndim > 0;
    if (!batched || input->dims[0] != grid->dims[0])
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "grid_sampler(): expected grid and input to have same batch size, but got "
                     "input with sizes %s and grid with sizes %s",
                     sizes.chars, given.chars);
    else if (grid->dims[grid->ndim - 1] != nd)
        kdl__fail_at(
            ctx, place, KDL_ERROR_RUNTIME,
            "grid_sampler(): expected grid to have size %d in last dimension, but got grid "
            "with sizes %s",
            nd, given.chars);
    for (int d = 2; d < input->ndim && !kdl__failed(ctx); d++)
        if (input->dims[d] == 0)
            kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                         "grid_sampler(): expected input to have non-empty spatial dimensions, but "
                         "input has sizes %s with dimension %d being empty",
                         sizes.chars, d);
    if (kdl__failed(ctx))
        return false;
    if ((nd != 2 && nd != 3) || grid->ndim != input->ndim)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "grid_sampler(): expected %dD input and grid with same number of dimensions, "
                     "but got input with sizes %s and grid with sizes %s",
                     nd == 2 ? 4 : 5, sizes.chars, given.chars);
    else if (nd == 3 && mode == KDL__SAMPLE_BICUBIC)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "grid_sampler(): bicubic interpolation only supports 4D input");
    return !kdl__failed(ctx);
}

kdl_tensor *kdl_f_grid_sample_with(kdl_tensor *input, kdl_tensor *grid,
                                   const kdl_f_grid_sample_options *given)
{
    kdl_f_grid_sample_options options = KDL_F_GRID_SAMPLE_DEFAULTS;
    kdl_tensor *both[] = { input, grid }, *result = NULL;
    kdl__sampling how;
    if (!kdl__usable(place, 2, both) ||
        !kdl__read_options(input->ctx, place, &options, sizeof options, given) ||
        !read_sampling(input, &options, &how))
        return NULL;
    warn_corners(input->ctx, options.align_corners);
    if (!check_grid(input, grid, how.mode) || !check_dtypes(input, grid))
        return NULL;
    kdl_tensor *x = kdl__row_major(input, place), *places = kdl__row_major(grid, place);
    if (x && places)
        result = kdl__compute_grid_sample(&how, x, places);
    kdl__function *function = kdl__record(result, &grid_classes[input->ndim == 5], 2, x, places);
    kdl__keep(function, &how, sizeof how);
    kdl__save(function, 0, x);
    kdl__save(function, 1, places);
    kdl_tensor_release(x);
    kdl_tensor_release(places);
    return kdl__cast(result, input->storage->dtype);
}

/* ---- affine_grid ------------------------------------------------------------------------- */

/* "(2, 3, 4)". */
static char *tuple_of(kdl_context *ctx, const kdl_shape *size)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    for (int d = 0; d < size->ndim; d++)
        kdl__text_printf(&text, "%s%" PRId64, d ? ", " : "", size->sizes[d]);
    return kdl__text_take(&text);
}

/* PyTorch's errors, and its warning; false where one stands. */
static bool check_affine(const kdl_tensor *theta, const kdl_shape *size, bool align_corners)
{
    kdl_context *ctx = theta->ctx;
    const char *at = "kdl_f_affine_grid";
    int nd = size->ndim - 2;
    bool unit = false, positive = true;
    char *text = tuple_of(ctx, size);
    for (int d = 0; d < size->ndim; d++) {
        unit = unit || (d >= 2 && size->sizes[d] == 1);
        positive = positive && size->sizes[d] > 0;
    }
    if (!text)
        ;
    else if (!kdl_dtype_is_floating_point(theta->storage->dtype))
        kdl__fail_at(ctx, at, KDL_ERROR_VALUE,
                     "Expected theta to have floating point type, but got torch.%s",
                     kdl_dtype_name(theta->storage->dtype));
    else if (nd != 2 && nd != 3)
        kdl__fail_at(ctx, at, KDL_ERROR_NOT_IMPLEMENTED,
                     "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
                     "respectively. Got size (%s).",
                     text);
    else if (theta->ndim != 3 || theta->dims[1] != nd || theta->dims[2] != nd + 1)
        kdl__fail_at(ctx, at, KDL_ERROR_VALUE,
                     "Expected a batch of %dD affine matrices of shape Nx%dx%d for size (%s). Got "
                     "torch.Size(%s).",
                     nd, nd, nd + 1, text, kdl__shape_text(theta->ndim, theta->dims).chars);
    else if (!positive)
        kdl__fail_at(ctx, at, KDL_ERROR_VALUE, "Expected non-zero, positive output size. Got (%s)",
                     text);
    else if (theta->dims[0] != size->sizes[0])
        kdl__fail_at(ctx, at, KDL_ERROR_RUNTIME,
                     "Expected size for first two dimensions of batch2 tensor to be: [%" PRId64
                     ", %d] but got: [%" PRId64 ", %d].",
                     size->sizes[0], nd + 1, theta->dims[0], nd + 1);
    else if (align_corners && unit)
        kdl__warn(ctx, "Since version 1.3.0, affine_grid behavior has changed for unit-size grids "
                       "when align_corners=True. This is not an intended use case of affine_grid. "
                       "See the documentation of affine_grid for details.");
    kdl_free(ctx, text);
    return !kdl__failed(ctx);
}

/* Coordinate i of `size`, of which -1 and 1 are the ends: of the corners, or of their borders. */
static double coordinate(int64_t i, int64_t size, bool align_corners)
{
    double steps = (double)(align_corners ? size - 1 : size);
    double from = align_corners ? 2 * (double)i - steps : 2 * (double)i + 1 - steps;
    return steps > 0 ? from / steps : 0;
}

/* Every point's coordinates, the last dimension's first, and 1: (points, nd + 1). */
static kdl_tensor *identity_grid(kdl_context *ctx, const kdl_shape *size, bool align_corners)
{
    int nd = size->ndim - 2;
    int64_t points = 1, numel;
    if (!kdl__shape_numel(ctx, nd, size->sizes + 2, &points) ||
        !kdl__shape_numel(ctx, 2, (int64_t[]){ points, nd + 1 }, &numel))
        return NULL;
    kdl_tensor *grid = kdl__new_values(ctx, KDL_F64, 2, (int64_t[]){ points, nd + 1 });
    for (int64_t p = 0; grid && p < points; p++) {
        int64_t rest = p;
        for (int d = 0; d < nd; d++) {
            int64_t length = size->sizes[size->ndim - 1 - d];
            kdl__set_element(grid, p * (nd + 1) + d,
                             coordinate(rest % length, length, align_corners));
            rest /= length;
        }
        kdl__set_element(grid, p * (nd + 1) + nd, 1);
    }
    return grid;
}

kdl_tensor *kdl_f_affine_grid(kdl_tensor *theta, kdl_shape size, int8_t align_corners)
{
    kdl__scope scope = { 0 };
    if (kdl__refuses(theta))
        return NULL;
    warn_corners(theta->ctx, align_corners);
    if (!check_affine(theta, &size, align_corners == true))
        return NULL;
    kdl_dtype dtype = theta->storage->dtype;
    kdl_shape shape = { { size.sizes[0] }, size.ndim };
    memcpy(shape.sizes + 1, size.sizes + 2, (size_t)(size.ndim - 2) * sizeof *shape.sizes);
    shape.sizes[size.ndim - 1] = size.ndim - 2;
    kdl_tensor *exact = kdl__hold(&scope, identity_grid(theta->ctx, &size, align_corners == true));
    kdl_tensor *base = kdl__hold(&scope, exact ? kdl_to(exact, dtype) : NULL);
    kdl_tensor *turned = kdl__hold(&scope, kdl_transpose(theta, 1, 2));
    kdl_tensor *points = kdl__hold(&scope, base ? kdl_matmul(base, turned) : NULL);
    return kdl__close(&scope, points ? kdl_reshape(points, shape) : NULL);
}
