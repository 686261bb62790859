/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling at places that a grid gives, and its gradients (places as PyTorch's GridSampler.h). */
#include <math.h>
#include <string.h>

#include "compute/resample.h"
#include "compute/sample.h"

enum { AXES = 3, MOST_TAPS = 4 }; /* an image has one plane */

/* One of the elements along a dimension that a place is between. */
typedef struct tap {
    int64_t index; /* below 0: outside, and nothing */
    double weight;
    double slope; /* of the weight, by the grid's coordinate */
} tap;

/* The taps of one place, along each axis; the last is the one whose elements lie side by side. */
typedef struct place {
    tap taps[AXES][MOST_TAPS];
} place;

/* One sample of the batch. */
typedef struct sampling_run {
    const kdl__sampling *how;
    kdl_dtype dtype;
    int64_t sizes[AXES], volume; /* of a plane of the input */
    int dimensions, width[AXES];
    int64_t points, channels;
    const char *grid;
    const char *input, *grad;
    char *output, *input_grad, *grid_grad; /* the last two may be NULL */
} sampling_run;

static double load(const sampling_run *run, const char *from, int64_t index)
{
    return run->dtype == KDL_F64 ? ((const double *)from)[index] : ((const float *)from)[index];
}

static void store(const sampling_run *run, char *to, int64_t index, double value)
{
    if (run->dtype == KDL_F64)
        ((double *)to)[index] = value;
    else
        ((float *)to)[index] = (float)value;
}

/* ---- places ------------------------------------------------------------------------------ */

/* Between 0 and the last element; on the border and outside nothing depends on x. */
static double clipped(double x, int64_t size, double *slope)
{
    double last = (double)(size - 1);
    if (x > 0 && x < last)
        return x;
    *slope = 0;
    return x > 0 ? last : 0; /* a NaN becomes 0 */
}

/* Thrown back at both ends as often as it takes. */
static double reflected(double x, int64_t size, bool align_corners, double *slope)
{
    double least = align_corners ? 0 : -0.5, span = (double)(align_corners ? size - 1 : size);
    if (span == 0) {
        *slope = 0;
        return 0;
    }
    x -= least;
    if (x < 0) {
        x = -x;
        *slope = -*slope;
    }
    double rest = fmod(x, span);
    if (fmod(floor(x / span), 2) == 0)
        return rest + least;
    *slope = -*slope;
    return span - rest + least;
}

static double inside(const kdl__sampling *how, double x, int64_t size, double *slope)
{
    if (how->padding == KDL__SAMPLE_ZEROS)
        return x;
    if (how->padding == KDL__SAMPLE_REFLECTION)
        x = reflected(x, size, how->align_corners, slope);
    return clipped(x, size, slope);
}

static int64_t index_of(double x, int64_t size)
{
    return x >= 0 && x <= (double)(size - 1) ? (int64_t)x : -1;
}

static void set_cubic(const kdl__sampling *how, tap *taps, double x, int64_t size, double slope)
{
    static const double keys = -0.75;
    double first = floor(x), t = x - first;
    const double at[] = { 1 + t, t, 1 - t, 2 - t };
    for (int i = 0; i < 4; i++) {
        double ignored = 1, sign = i < 2 ? 1 : -1, d = at[i];
        bool near = i == 1 || i == 2;
        double weight = near ? kdl__cubic_near(d, keys) : kdl__cubic_far(d, keys);
        double change = near ? (3 * (keys + 2) * d - 2 * (keys + 3)) * d
                             : (3 * keys * d - 10 * keys) * d + 8 * keys;
        double index = inside(how, first - 1 + i, size, &ignored);
        taps[i] = (tap){ index_of(index, size), weight, sign * change * slope };
    }
}

/* The taps for a coordinate, of which -1 and 1 are the ends; computed in the dtype, as PyTorch. */
static void set_taps(const sampling_run *run, tap *taps, double coordinate, int64_t size)
{
    const kdl__sampling *how = run->how;
    double slope = (double)(how->align_corners ? size - 1 : size) / 2;
    double x = (coordinate + 1) * slope;
    if (run->dtype == KDL_F32)
        x = (double)((float)(coordinate + 1) * (float)slope);
    x -= how->align_corners ? 0 : 0.5;
    x = run->dtype == KDL_F32 ? (double)(float)x : x;
    if (how->mode == KDL__SAMPLE_BICUBIC) {
        set_cubic(how, taps, x, size, slope);
        return;
    }
    x = inside(how, x, size, &slope);
    if (how->mode == KDL__SAMPLE_NEAREST) {
        taps[0] = (tap){ index_of(nearbyint(x), size), 1, 0 };
        return;
    }
    double first = floor(x), part = x - first;
    taps[0] = (tap){ index_of(first, size), 1 - part, -slope };
    taps[1] = (tap){ index_of(first + 1, size), part, slope };
}

/* That of point p. A grid has the coordinate of the last axis first. */
static place place_of(const sampling_run *run, int64_t p)
{
    place at = { { { { 0, 1, 0 } } } };
    for (int d = 0; d < run->dimensions; d++) {
        int axis = AXES - 1 - d;
        set_taps(run, at.taps[axis], load(run, run->grid, p * run->dimensions + d),
                 run->sizes[axis]);
    }
    return at;
}

/* ---- what lies around a place ------------------------------------------------------------- */

/*
 * One of the elements, its place in a plane, its weight, and that weight's slope along each axis.
 */
typedef struct neighbour {
    int64_t index;
    double weight, slope[AXES];
} neighbour;

enum { MOST_NEIGHBOURS = MOST_TAPS * MOST_TAPS }; /* bicubic is for images only */

/* All of point p's that are inside; gives how many. */
static int neighbours_of(const sampling_run *run, int64_t p, neighbour *out)
{
    const place at = place_of(run, p);
    int count = 0;
    for (int z = 0; z < run->width[0]; z++) {
        for (int y = 0; y < run->width[1]; y++) {
            for (int x = 0; x < run->width[2]; x++) {
                const tap *a = &at.taps[0][z], *b = &at.taps[1][y], *c = &at.taps[2][x];
                if (a->index < 0 || b->index < 0 || c->index < 0)
                    continue;
                out[count++] = (neighbour){
                    .index = (a->index * run->sizes[1] + b->index) * run->sizes[2] + c->index,
                    .weight = a->weight * b->weight * c->weight,
                    .slope = { a->slope * b->weight * c->weight, a->weight * b->slope * c->weight,
                               a->weight * b->weight * c->slope },
                };
            }
        }
    }
    return count;
}

/* Of each point all channels. */
static void take_points(const void *data, int64_t first, int64_t last)
{
    const sampling_run *run = data;
    neighbour around[MOST_NEIGHBOURS];
    for (int64_t p = first; p < last; p++) {
        int count = neighbours_of(run, p, around);
        for (int64_t c = 0; c < run->channels; c++) {
            double sum = 0;
            for (int i = 0; i < count; i++)
                sum += around[i].weight * load(run, run->input, c * run->volume + around[i].index);
            store(run, run->output, c * run->points + p, sum);
        }
    }
}

static void give_channels(const void *data, int64_t first, int64_t last)
{
    const sampling_run *run = data;
    neighbour around[MOST_NEIGHBOURS];
    for (int64_t p = 0; p < run->points; p++) {
        int count = neighbours_of(run, p, around);
        for (int64_t c = first; c < last; c++) {
            double g = load(run, run->grad, c * run->points + p);
            for (int i = 0; i < count; i++) {
                int64_t at = c * run->volume + around[i].index;
                store(run, run->input_grad, at,
                      load(run, run->input_grad, at) + around[i].weight * g);
            }
        }
    }
}

static void give_points(const void *data, int64_t first, int64_t last)
{
    const sampling_run *run = data;
    neighbour around[MOST_NEIGHBOURS];
    for (int64_t p = first; p < last; p++) {
        int count = neighbours_of(run, p, around);
        double sums[AXES] = { 0 };
        for (int i = 0; i < count; i++) {
            double both = 0;
            for (int64_t c = 0; c < run->channels; c++)
                both += load(run, run->grad, c * run->points + p) *
                        load(run, run->input, c * run->volume + around[i].index);
            for (int axis = 0; axis < AXES; axis++)
                sums[axis] += both * around[i].slope[axis];
        }
        for (int d = 0; d < run->dimensions; d++)
            store(run, run->grid_grad, p * run->dimensions + d, sums[AXES - 1 - d]);
    }
}

/* ---- batches ----------------------------------------------------------------------------- */

static sampling_run start(const kdl__sampling *how, const kdl_tensor *input, const kdl_tensor *grid)
{
    static const int widths[] = {
        [KDL__SAMPLE_BILINEAR] = 2, [KDL__SAMPLE_NEAREST] = 1, [KDL__SAMPLE_BICUBIC] = 4
    };
    sampling_run run = { .how = how,
                         .dtype = input->storage->dtype,
                         .sizes = { 1, 1, 1 },
                         .width = { 1, 1, 1 },
                         .volume = 1,
                         .points = 1,
                         .channels = input->dims[1],
                         .dimensions = input->ndim - 2 };
    for (int d = 0; d < run.dimensions; d++) {
        int axis = AXES - run.dimensions + d;
        run.sizes[axis] = input->dims[2 + d];
        run.width[axis] = widths[how->mode];
        run.volume *= input->dims[2 + d];
        run.points *= grid->dims[1 + d];
    }
    return run;
}

/* Element `index` of a row-major tensor; NULL for NULL. */
static char *at(const kdl_tensor *tensor, int64_t index)
{
    return tensor ? (char *)tensor->storage->data +
                        (size_t)(tensor->offset + index) * kdl_dtype_nbytes(tensor->storage->dtype)
                  : NULL;
}

static void begin_sample(sampling_run *run, int64_t n, kdl_tensor *input, kdl_tensor *grid)
{
    run->input = at(input, n * run->channels * run->volume);
    run->grid = at(grid, n * run->points * run->dimensions);
}

kdl_tensor *kdl__compute_grid_sample(const kdl__sampling *how, kdl_tensor *input, kdl_tensor *grid)
{
    kdl_shape shape = kdl_tensor_shape(input);
    sampling_run run = start(how, input, grid);
    memcpy(shape.sizes + 2, grid->dims + 1, (size_t)run.dimensions * sizeof *shape.sizes);
    kdl_tensor *result = kdl__new_values(input->ctx, run.dtype, shape.ndim, shape.sizes);
    for (int64_t n = 0; result && result->numel > 0 && n < input->dims[0]; n++) {
        begin_sample(&run, n, input, grid);
        run.output = at(result, n * run.channels * run.points);
        kdl__run_ranges(input->ctx, run.points, 8 * (run.channels + 8), take_points, &run);
    }
    return result;
}

/* Channels are apart in the input's gradient, and points in the grid's. */
void kdl__compute_grid_sample_grad(const kdl__sampling *how, kdl_tensor *grad, kdl_tensor *input,
                                   kdl_tensor *grid, kdl_tensor *input_grad, kdl_tensor *grid_grad)
{
    sampling_run run = start(how, input, grid);
    for (int64_t n = 0; grad->numel > 0 && n < input->dims[0]; n++) {
        begin_sample(&run, n, input, grid);
        run.grad = at(grad, n * run.channels * run.points);
        run.input_grad = at(input_grad, n * run.channels * run.volume);
        run.grid_grad = at(grid_grad, n * run.points * run.dimensions);
        if (input_grad)
            kdl__run_ranges(input->ctx, run.channels, 8 * run.points, give_channels, &run);
        if (grid_grad)
            kdl__run_ranges(input->ctx, run.points, 16 * (run.channels + 8), give_points, &run);
    }
}
