/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions: in f32 by oneDNN, else as products of matrices, of which the columns of one are an
 * input's windows.
 */
#include <string.h>

#include "compute/dnnl_convolution.h"
#include "compute/window.h"

/* ---- windows as columns ------------------------------------------------------------------ */

/*
 * Goes through (channel, place in the kernel) as rows and places in the output as columns: BODY is
 * run for each run of columns along the last dimension, with `column` at its first element, `plane`
 * at the input's row of it (NULL: in the padding), and `first` the input's index of the first one.
 */
#define EACH_RUN(type, BODY)                                                                       \
    const int64_t *k = w->kernel, *o = w->output, *in = w->input;                                  \
    for (int64_t c = 0; c < channels; c++)                                                         \
        for (int64_t a = 0; a < k[0]; a++)                                                         \
            for (int64_t b = 0; b < k[1]; b++)                                                     \
                for (int64_t e = 0; e < k[2]; e++)                                                 \
                    for (int64_t x = 0; x < o[0]; x++)                                             \
                        for (int64_t y = 0; y < o[1]; y++, column += o[2]) {                       \
                            int64_t i = x * w->stride[0] - w->padding[0] + a * w->dilation[0];     \
                            int64_t j = y * w->stride[1] - w->padding[1] + b * w->dilation[1];     \
                            int64_t first = e * w->dilation[2] - w->padding[2];                    \
                            bool inside = i >= 0 && i < in[0] && j >= 0 && j < in[1];              \
                            type *plane =                                                          \
                                inside ? image + ((c * in[0] + i) * in[1] + j) * in[2] : NULL;     \
                            BODY                                                                   \
                        }

#define DEFINE_COLUMNS(name, type)                                                                 \
    static void name##_from_image(const kdl__window *w, int64_t channels, const type *image,       \
                                  type *column)                                                    \
    {                                                                                              \
        EACH_RUN(                                                                                  \
            const type, for (int64_t z = 0; z < o[2]; z++) {                                       \
                int64_t l = first + z * w->stride[2];                                              \
                column[z] = plane && l >= 0 && l < in[2] ? plane[l] : 0;                           \
            })                                                                                     \
    }                                                                                              \
    static void name##_to_image(const kdl__window *w, int64_t channels, type *image,               \
                                const type *column)                                                \
    {                                                                                              \
        EACH_RUN(                                                                                  \
            type, for (int64_t z = 0; plane && z < o[2]; z++) {                                    \
                int64_t l = first + z * w->stride[2];                                              \
                if (l >= 0 && l < in[2])                                                           \
                    plane[l] += column[z];                                                         \
            })                                                                                     \
    }
DEFINE_COLUMNS(columns_f32, float)
DEFINE_COLUMNS(columns_f64, double)

static void *elements(kdl_tensor *tensor, int64_t offset)
{
    return (char *)tensor->storage->data +
           (size_t)(tensor->offset + offset) * kdl_dtype_nbytes(tensor->storage->dtype);
}

/*
 * The windows of `channels` planes that begin at an offset in `image`, (channels * kernel, output),
 * at an offset in `columns`; or what is added back.
 */
static void to_columns(const kdl__window *w, int64_t channels, kdl_tensor *image, int64_t from,
                       kdl_tensor *columns, int64_t to)
{
    if (kdl__float_index(image))
        columns_f64_from_image(w, channels, elements(image, from), elements(columns, to));
    else
        columns_f32_from_image(w, channels, elements(image, from), elements(columns, to));
}

static void from_columns(const kdl__window *w, int64_t channels, kdl_tensor *image, int64_t to,
                         kdl_tensor *columns, int64_t from)
{
    if (kdl__float_index(image))
        columns_f64_to_image(w, channels, elements(image, to), elements(columns, from));
    else
        columns_f32_to_image(w, channels, elements(image, to), elements(columns, from));
}

/* ---- folding ----------------------------------------------------------------------------- */

typedef struct folding {
    const kdl__window *window;
    kdl_tensor *image, *columns;
    int64_t channels, volume, area; /* of a sample: planes, elements of one, elements of columns */
} folding;

static folding folding_of(kdl_tensor *image, kdl_tensor *columns, const kdl__window *w)
{
    int64_t volume = kdl__volume(w->input);
    int64_t channels = image->dims[1];
    return (
        folding){ w,        image,  columns,
                  channels, volume, channels * kdl__volume(w->kernel) * kdl__volume(w->output) };
}

static void unfold_sample(void *state, int64_t n)
{
    const folding *f = state;
    to_columns(f->window, f->channels, f->image, n * f->channels * f->volume, f->columns,
               n * f->area);
}

static void fold_sample(void *state, int64_t n)
{
    const folding *f = state;
    from_columns(f->window, f->channels, f->image, n * f->channels * f->volume, f->columns,
                 n * f->area);
}

kdl_tensor *kdl__compute_unfold(kdl_tensor *image, const kdl__window *w, kdl_shape shape)
{
    kdl_tensor *columns =
        kdl__new_values(image->ctx, image->storage->dtype, shape.ndim, shape.sizes);
    if (columns) {
        folding f = folding_of(image, columns, w);
        kdl__each_plane(image->ctx, image->dims[0], columns->numel, unfold_sample, &f);
    }
    return columns;
}

kdl_tensor *kdl__compute_fold(kdl_tensor *columns, const kdl__window *w, kdl_shape shape)
{
    kdl_tensor *image =
        kdl__new_values(columns->ctx, columns->storage->dtype, shape.ndim, shape.sizes);
    if (image) {
        memset(image->storage->data, 0, kdl_tensor_nbytes(image));
        folding f = folding_of(image, columns, w);
        kdl__each_plane(image->ctx, image->dims[0], columns->numel, fold_sample, &f);
    }
    return image;
}

/* ---- what the three have in common -------------------------------------------------------- */

/* The sizes of one product, and its matrices: views of sample `n`, group `g`. */
typedef struct sizes {
    int64_t samples, groups, inputs, outputs, window, columns; /* inputs, outputs: of a group */
} sizes;

static sizes sizes_of(const kdl_tensor *weight, int64_t samples, int64_t groups,
                      const kdl__window *w)
{
    return (sizes){ samples,
                    groups,
                    weight->dims[1],
                    weight->dims[0] / groups,
                    weight->dims[1] * kdl__volume(w->kernel),
                    kdl__volume(w->output) };
}

static kdl_tensor *new_columns(kdl_tensor *like, const sizes *s)
{
    int64_t dims[] = { s->window, s->columns };
    return kdl__new_values(like->ctx, like->storage->dtype, 2, dims);
}

static kdl_tensor *turned(kdl_tensor *tensor)
{
    kdl_tensor *result = tensor ? kdl_transpose(tensor, 0, 1) : NULL;
    kdl_tensor_release(tensor);
    return result;
}

/* ---- the three --------------------------------------------------------------------------- */

void kdl__compute_add_bias(kdl_tensor *output, kdl_tensor *bias)
{
    int64_t channels = output->dims[1];
    int64_t wide[] = { output->dims[0], channels, 1 }, narrow[] = { channels, 1 };
    for (int d = 2; d < output->ndim; d++)
        wide[2] *= output->dims[d];
    kdl_tensor *all = kdl__tensor_new(output->ctx, output->storage, 0, 3, wide, NULL);
    kdl_tensor *each = kdl__tensor_new(bias->ctx, bias->storage, bias->offset, 2, narrow, NULL);
    if (all && each)
        kdl__accumulate(all, each, 1);
    kdl_tensor_release(all);
    kdl_tensor_release(each);
}

/*
 * Whether oneDNN computed it: f32 that holds something, of which it has a primitive. The gradient
 * of an input of few channels is faster by columns (3 to 4 times for one channel, on a Zen 4).
 */
static bool by_dnnl(kdl__dnnl_kind kind, kdl_tensor *source, kdl_tensor *weight, kdl_tensor *result,
                    kdl_tensor *bias, const kdl__window *w, int64_t groups)
{
    if (source->storage->dtype != KDL_F32 || source->numel == 0 || weight->numel == 0 ||
        result->numel == 0)
        return false;
    if (kind == KDL__DNNL_INPUT_GRAD && groups == 1 && source->dims[1] < 4)
        return false;
    return kdl__dnnl_convolve(kind, source, weight, result, bias, w, groups);
}

static void conv_by_columns(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                            const kdl__window *w, int64_t groups, kdl_tensor *output)
{
    sizes s = sizes_of(weight, output->dims[0], groups, w);
    int64_t volume = kdl__volume(w->input);
    kdl_tensor *columns = new_columns(input, &s);
    for (int64_t i = 0; columns && i < s.samples * groups && !kdl__failed(input->ctx); i++) {
        int64_t g = i % groups;
        to_columns(w, s.inputs, input, i * s.inputs * volume, columns, 0);
        kdl__matmul_into(kdl__matrix_at(weight, g * s.outputs * s.window, s.outputs, s.window),
                         kdl_tensor_retain(columns), 0,
                         kdl__matrix_at(output, i * s.outputs * s.columns, s.outputs, s.columns));
    }
    if (columns && bias && !kdl__failed(input->ctx))
        kdl__compute_add_bias(output, bias);
    kdl_tensor_release(columns);
}

kdl_tensor *kdl__compute_conv(kdl_tensor *input, kdl_tensor *weight, kdl_tensor *bias,
                              const kdl__window *w, int64_t groups, kdl_shape shape)
{
    kdl_tensor *output =
        kdl__new_values(input->ctx, input->storage->dtype, shape.ndim, shape.sizes);
    if (output && !by_dnnl(KDL__DNNL_FORWARD, input, weight, output, bias, w, groups))
        conv_by_columns(input, weight, bias, w, groups, output);
    return output;
}

static void input_grad_by_columns(kdl_tensor *grad, kdl_tensor *weight, const kdl__window *w,
                                  int64_t groups, kdl_tensor *result)
{
    sizes s = sizes_of(weight, result->dims[0], groups, w);
    int64_t volume = kdl__volume(w->input);
    kdl_tensor *columns = new_columns(grad, &s);
    memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    for (int64_t i = 0; columns && i < s.samples * groups && !kdl__failed(grad->ctx); i++) {
        int64_t g = i % groups;
        kdl__matmul_into(
            turned(kdl__matrix_at(weight, g * s.outputs * s.window, s.outputs, s.window)),
            kdl__matrix_at(grad, i * s.outputs * s.columns, s.outputs, s.columns), 0,
            kdl_tensor_retain(columns));
        from_columns(w, s.inputs, result, i * s.inputs * volume, columns, 0);
    }
    kdl_tensor_release(columns);
}

kdl_tensor *kdl__compute_conv_input_grad(kdl_tensor *grad, kdl_tensor *weight, const kdl__window *w,
                                         int64_t groups, kdl_shape shape)
{
    kdl_tensor *result = kdl__new_values(grad->ctx, grad->storage->dtype, shape.ndim, shape.sizes);
    if (result && !by_dnnl(KDL__DNNL_INPUT_GRAD, result, weight, grad, NULL, w, groups))
        input_grad_by_columns(grad, weight, w, groups, result);
    return result;
}

static void weight_grad_by_columns(kdl_tensor *grad, kdl_tensor *input, const kdl__window *w,
                                   int64_t groups, kdl_tensor *result)
{
    sizes s = sizes_of(result, grad->dims[0], groups, w);
    int64_t volume = kdl__volume(w->input);
    kdl_tensor *columns = new_columns(grad, &s);
    memset(result->storage->data, 0, kdl_tensor_nbytes(result));
    for (int64_t i = 0; columns && i < s.samples * groups && !kdl__failed(grad->ctx); i++) {
        int64_t g = i % groups;
        to_columns(w, s.inputs, input, i * s.inputs * volume, columns, 0);
        kdl__matmul_into(kdl__matrix_at(grad, i * s.outputs * s.columns, s.outputs, s.columns),
                         turned(kdl_tensor_retain(columns)), 1,
                         kdl__matrix_at(result, g * s.outputs * s.window, s.outputs, s.window));
    }
    kdl_tensor_release(columns);
}

kdl_tensor *kdl__compute_conv_weight_grad(kdl_tensor *grad, kdl_tensor *input, const kdl__window *w,
                                          int64_t groups, kdl_shape shape)
{
    kdl_tensor *result = kdl__new_values(grad->ctx, grad->storage->dtype, shape.ndim, shape.sizes);
    if (result && !by_dnnl(KDL__DNNL_WEIGHT_GRAD, input, result, grad, NULL, w, groups))
        weight_grad_by_columns(grad, input, w, groups, result);
    return result;
}
