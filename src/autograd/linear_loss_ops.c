/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear_cross_entropy: of the scores of the whole batch, or in chunks of it, with the gradients of
 * each chunk beside its loss, after torch/nn/modules/linear_cross_entropy.py.
 */
#include <math.h>
#include <string.h>

#include "autograd/loss.h"
#include "nn/module_impl.h"

static const char place[] = "kdl_f_linear_cross_entropy";

typedef kdl_f_linear_cross_entropy_options loss_options;

/* ---- chunks ------------------------------------------------------------------------------ */

enum { INPUT, WEIGHT, BIAS, OPERANDS };

/* What is computed in chunks, all of one dtype, f32 or f64. */
typedef struct chunks {
    kdl_tensor *operands[OPERANDS];  /* (N, F), (C, F), (C) or NULL */
    kdl_tensor *labels;              /* (N), of classes that are there */
    kdl_tensor *factors;             /* (N), of each row's loss; 0 for rows that do not count */
    kdl_tensor *losses;              /* (N), or NULL: not wanted */
    kdl_tensor *gradients[OPERANDS]; /* NULL: not wanted */
    int64_t size;                    /* rows of a chunk */
} chunks;

/* Rows of probabilities on their way to the scores' gradients. */
typedef struct slopes {
    kdl_tensor *rows;
    const int64_t *labels;
    const kdl_tensor *factors;
    int64_t first; /* of the labels and factors */
} slopes;

/* factor (p - 1 at the label). */
static void scale_rows(const void *data, int64_t first, int64_t last)
{
    const slopes *s = data;
    int64_t classes = s->rows->dims[1];
    for (int64_t i = first; i < last; i++) {
        double factor = kdl__element(s->factors, s->first + i);
        int64_t at = i * classes + s->labels[s->first + i];
        if (kdl__float_index(s->rows)) {
            double *row = (double *)s->rows->storage->data + i * classes;
            for (int64_t c = 0; c < classes; c++)
                row[c] *= factor;
        } else {
            float *row = (float *)s->rows->storage->data + i * classes, scale = (float)factor;
            for (int64_t c = 0; c < classes; c++)
                row[c] *= scale;
        }
        kdl__set_element(s->rows, at, kdl__element(s->rows, at) - factor);
    }
}

/* What the chunk adds to the gradients, by those of its scores. */
static void add_gradients(const chunks *c, kdl_tensor *input, kdl_tensor *slope, int64_t first)
{
    kdl__scope scope = { 0 };
    if (!slope)
        return;
    if (c->gradients[INPUT]) {
        kdl_tensor *rows =
            kdl__hold(&scope, kdl_narrow(c->gradients[INPUT], 0, first, slope->dims[0]));
        if (rows)
            kdl__compute_matmul(slope, c->operands[WEIGHT], 1, 0, rows);
    }
    if (c->gradients[WEIGHT]) {
        kdl_tensor *turned = kdl__hold(&scope, kdl_transpose(slope, 0, 1));
        if (turned)
            kdl__compute_matmul(turned, input, 1, 1, c->gradients[WEIGHT]);
    }
    if (c->gradients[BIAS]) {
        kdl_tensor *sum = kdl__hold(&scope, kdl__compute_sum(slope, 1, false));
        if (sum)
            kdl__accumulate(c->gradients[BIAS], sum, 1);
    }
    kdl__close(&scope, NULL);
}

/* The logarithms of the probabilities of a chunk's classes. */
static kdl_tensor *logarithms_of(const chunks *c, kdl_tensor *input)
{
    kdl_tensor *scores = kdl_f_linear(input, c->operands[WEIGHT], c->operands[BIAS]);
    kdl_tensor *result = scores ? kdl__compute_softmax(scores, 1, true) : NULL;
    kdl_tensor_release(scores);
    return result;
}

static void run_chunk(const chunks *c, int64_t first, int64_t rows)
{
    kdl_tensor *input = kdl_narrow(c->operands[INPUT], 0, first, rows);
    kdl_tensor *logarithms = logarithms_of(c, input);
    const int64_t *labels = kdl_tensor_data(c->labels);
    for (int64_t i = 0; logarithms && c->losses && i < rows; i++) {
        int64_t at = i * logarithms->dims[1] + labels[first + i];
        kdl__set_element(c->losses, first + i,
                         -kdl__element(c->factors, first + i) * kdl__element(logarithms, at));
    }
    if (c->gradients[INPUT] || c->gradients[WEIGHT] || c->gradients[BIAS]) {
        kdl_tensor *slope = kdl_exp(logarithms);
        const slopes s = { slope, labels, c->factors, first };
        if (slope)
            kdl__run_ranges(slope->ctx, rows, slope->dims[1], scale_rows, &s);
        add_gradients(c, input, slope, first);
        kdl_tensor_release(slope);
    }
    kdl_tensor_release(logarithms);
    kdl_tensor_release(input);
}

/* Nothing of it is recorded. */
static void run_chunks(const chunks *c)
{
    kdl_context *ctx = c->labels->ctx;
    const kdl__tape *tape = kdl__no_grad(ctx);
    int64_t count = c->labels->numel;
    for (int64_t first = 0; first < count && !kdl__failed(ctx); first += c->size)
        run_chunk(c, first, first + c->size < count ? c->size : count - first);
    ctx->tape = tape;
}

static kdl_tensor *new_gradient(const kdl_tensor *like)
{
    kdl_tensor *gradient = kdl__new_values(like->ctx, like->storage->dtype, like->ndim, like->dims);
    if (gradient)
        memset(gradient->storage->data, 0, kdl_tensor_nbytes(gradient));
    return gradient;
}

/* ---- gradients --------------------------------------------------------------------------- */

/* What comes with the loss; integers: whether it stays for the next time, whether it has gone. */
static void sum_backward(kdl__function *function, kdl_tensor *grad)
{
    if (function->integers[1]) {
        kdl__fail_at(function->ctx, place, KDL_ERROR_RUNTIME,
                     "linear_cross_entropy chunked backward called twice; retain_graph=True / "
                     "double backward are not supported.");
        return;
    }
    for (int i = 0; i < function->count; i++) {
        if (!kdl__needs(function, i))
            continue;
        kdl_tensor *gradient = kdl__saved_value(function, i);
        if (function->integers[0]) {
            gradient = kdl_mul_tensor(gradient, grad);
        } else if (gradient) {
            function->saved[i].tensor = NULL;
            kdl_mul_(gradient, kdl__element(grad, 0));
        }
        kdl__give(function, i, gradient);
    }
    function->integers[1] = !function->integers[0];
}

/* Without a reduction: computed again, now that the factor of each row's loss is known. */
static void rows_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__scope scope = { 0 };
    chunks c = { .size = function->integers[0] };
    for (int i = 0; i < function->count; i++)
        c.operands[i] = kdl__saved_value(function, i);
    kdl_tensor *factors = kdl__saved_value(function, OPERANDS);
    c.labels = kdl__saved_value(function, OPERANDS + 1);
    c.factors = kdl__hold(&scope, kdl_mul_tensor(factors, grad));
    for (int i = 0; i < function->count && c.factors && c.labels; i++)
        if (c.operands[i] && kdl__needs(function, i))
            c.gradients[i] = new_gradient(c.operands[i]);
    if (!kdl__failed(function->ctx))
        run_chunks(&c);
    for (int i = 0; i < function->count; i++)
        if (kdl__needs(function, i))
            kdl__give(function, i, c.gradients[i]);
    kdl__close(&scope, NULL);
}

static const kdl__function_class sum_class = {
    "GeneratedBackwardFor_torch_nn__linear_cross_entropy_batch_chunked_defaultBackward",
    sum_backward
};
static const kdl__function_class rows_class = {
    "GeneratedBackwardFor_torch_nn__linear_cross_entropy_batch_chunked_no_reduction_"
    "defaultBackward",
    rows_backward
};

/* ---- a call in chunks -------------------------------------------------------------------- */

/* The number behind "aspect_ratio:", at most `most`; 1 without one. */
static int64_t factor_of(const char *method, int64_t most)
{
    const char *digit = strchr(method, ':');
    int64_t factor = digit ? 0 : 1;
    while (digit && *++digit && factor < most)
        factor = factor * 10 + (*digit - '0');
    return factor;
}

static int64_t divided_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* Rows of a chunk whose scores have about as many elements as the input. */
static int64_t rows_by_aspect(const char *method, int64_t rows, int64_t features, int64_t classes)
{
    int64_t target = divided_up(rows, divided_up(classes, features)), power = 1;
    while (power < target)
        power *= 2;
    int64_t size = power / factor_of(method, INT32_MAX);
    return size < rows ? size : rows;
}

/* LinearCrossEntropyOptions._adjust(): the rows of a chunk; 0 with an error. */
static int64_t chunk_size(const kdl_tensor *input, const kdl_tensor *weight,
                          const kdl_linear_cross_entropy_options *o)
{
    kdl_context *ctx = input->ctx;
    int64_t rows = input->dims[0], features = input->dims[1], classes = weight->dims[0];
    bool half = kdl_dtype_nbytes(input->storage->dtype) == 2, given = o->batch_chunk_size > 0;
    const char *method = o->chunking_method;
    if (method && strcmp(method, "auto") == 0)
        method = given ? NULL : half ? "aspect_ratio" : "aspect_ratio:2";
    int64_t size = given && o->batch_chunk_size < rows ? o->batch_chunk_size : rows;
    if (method && (features == 0 || classes == 0)) {
        kdl__fail_at(ctx, place, KDL_ERROR_ZERO_DIVISION, "integer division or modulo by zero");
        return 0;
    }
    if (method)
        size = rows_by_aspect(method, rows, features, classes);
    if (method && given && size != o->batch_chunk_size) {
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "batch_chunk_size (=%" PRId64 ") and chunking_method ('%s') give different "
                     "chunk sizes (%" PRId64 " vs %" PRId64 "); pass only one.",
                     o->batch_chunk_size, method, o->batch_chunk_size, size);
        return 0;
    }
    return size > 1 ? size : 1;
}

static bool check_chunks(const kdl_tensor *input, const kdl_tensor *target, const loss_options *o,
                         const kdl_tensor *linear_weight)
{
    kdl_context *ctx = input->ctx;
    kdl_dtype dtype = input->storage->dtype, acc = o->options.acc_dtype;
    bool half = kdl_dtype_nbytes(dtype) == 2;
    if (acc != KDL_NONE_DTYPE && acc != dtype && !(half && acc == KDL_F32))
        kdl__fail_at(
            ctx, place, KDL_ERROR_RUNTIME,
            "linear_cross_entropy supports float32 acc_dtype with float16/bfloat16 inputs, "
            "but got torch.%s acc_dtype and torch.%s inputs.",
            kdl_dtype_name(acc), kdl_dtype_name(dtype));
    else if (target->ndim != 1)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "Index tensor must have the same number of dimensions as input tensor");
    else if (target->dims[0] != input->dims[0])
        kdl__fail_at(ctx, place, KDL_ERROR_VALUE,
                     "Expected input batch_size (%" PRId64 ") to match target batch_size (%" PRId64
                     ").",
                     input->dims[0], target->dims[0]);
    else if (o->weight && (o->weight->ndim != 1 || o->weight->numel != linear_weight->dims[0]))
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "weight tensor should be defined either for all %" PRId64
                     " classes or no classes but got weight tensor of shape: %s",
                     linear_weight->dims[0],
                     kdl__shape_text(o->weight->ndim, o->weight->dims).chars);
    return !kdl__failed(ctx);
}

/* The labels (those that are ignored may be outside), and the factors of the rows' losses. */
static void read_targets(chunks *c, kdl_tensor *target, const loss_options *o)
{
    kdl_context *ctx = target->ctx;
    int64_t classes = c->operands[WEIGHT]->dims[0];
    kdl_tensor *from = kdl__in_rows(target), *weight = o->weight ? kdl__in_rows(o->weight) : NULL;
    c->labels = kdl__new_values(ctx, KDL_I64, 1, target->dims);
    c->factors = kdl__new_values(ctx, c->operands[INPUT]->storage->dtype, 1, target->dims);
    if (!from || !c->labels || !c->factors || (o->weight && !weight))
        goto end;
    const int64_t *labels = kdl_tensor_data(from);
    int64_t *kept = (int64_t *)c->labels->storage->data;
    double total = 0;
    int64_t ignored = o->ignore_index == KDL_NONE_INT ? -100 : o->ignore_index;
    for (int64_t i = 0; i < from->numel; i++) {
        bool outside = labels[i] < 0 || labels[i] >= classes, counts = labels[i] != ignored;
        if (outside && counts) {
            if (weight)
                kdl__fail_at(ctx, place, KDL_ERROR_INDEX, "index out of range in self");
            else
                kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                             "index %" PRId64
                             " is out of bounds for dimension 1 with size %" PRId64,
                             labels[i], classes);
            goto end;
        }
        kept[i] = outside ? 0 : labels[i];
        double factor = counts ? (weight ? kdl__element(weight, kept[i]) : 1) : 0;
        kdl__set_element(c->factors, i, factor);
        total += factor;
    }
    for (int64_t i = 0; i < from->numel && o->reduction == KDL_REDUCTION_MEAN; i++)
        kdl__set_element(c->factors, i, total == 0 ? NAN : kdl__element(c->factors, i) / total);
end:
    kdl_tensor_release(from);
    kdl_tensor_release(weight);
}

/* The loss of the rows' losses, recorded. One reference. */
static kdl_tensor *recorded(const chunks *c, const loss_options *o)
{
    bool each = o->reduction == KDL_REDUCTION_NONE;
    kdl_tensor *result = kdl_tensor_retain(c->losses);
    if (!each) {
        const kdl__tape *tape = kdl__no_grad(c->labels->ctx);
        kdl_tensor_release(result);
        result = c->labels->numel == 0 && o->reduction == KDL_REDUCTION_MEAN ? kdl_mean(c->losses)
                                                                             : kdl_sum(c->losses);
        c->labels->ctx->tape = tape;
    }
    kdl__function *function = kdl__record_list(result, each ? &rows_class : &sum_class,
                                               c->operands[BIAS] ? 3 : 2, c->operands);
    for (int i = 0; i < OPERANDS; i++)
        kdl__save(function, i, each ? c->operands[i] : c->gradients[i]);
    if (each) {
        kdl__save(function, OPERANDS, c->factors);
        kdl__save(function, OPERANDS + 1, c->labels);
    }
    if (function)
        function->integers[0] = each ? c->size : o->options.allow_retain_graph;
    return result;
}

static kdl_tensor *run_call(chunks *c, kdl_tensor *target, const loss_options *o)
{
    kdl_context *ctx = target->ctx;
    read_targets(c, target, o);
    if (!kdl__failed(ctx))
        c->losses = kdl__new_values(ctx, c->operands[INPUT]->storage->dtype, 1, c->labels->dims);
    for (int i = 0; i < OPERANDS && ctx->tape && o->reduction != KDL_REDUCTION_NONE; i++)
        if (c->losses && c->operands[i] && kdl__requires_grad(c->operands[i]))
            c->gradients[i] = new_gradient(c->operands[i]);
    kdl_tensor *result = NULL;
    if (!kdl__failed(ctx)) {
        run_chunks(c);
        result = kdl__failed(ctx) ? NULL : recorded(c, o);
    }
    for (int i = 0; i < OPERANDS; i++)
        kdl_tensor_release(c->gradients[i]);
    kdl_tensor_release(c->labels);
    kdl_tensor_release(c->factors);
    kdl_tensor_release(c->losses);
    return result;
}

/* Of input (N, F) or (F) and linear_weight (C, F). */
static kdl_tensor *in_chunks(kdl_tensor *input, kdl_tensor *linear_weight, kdl_tensor *target,
                             const loss_options *o)
{
    if (!kdl__check_addmm_dtypes(input, linear_weight, o->linear_bias, place))
        return NULL;
    kdl__scope scope = { 0 };
    bool batched = input->ndim == 2;
    kdl_tensor *rows = batched ? input : kdl__hold(&scope, kdl_unsqueeze(input, 0));
    kdl_tensor *labels = batched ? target : kdl__hold(&scope, kdl_unsqueeze(target, 0));
    kdl_tensor *result = NULL, *given[] = { rows, linear_weight, o->linear_bias };
    kdl_dtype dtype = input->storage->dtype == KDL_F64 ? KDL_F64 : KDL_F32;
    chunks c = { 0 };
    if (rows && labels && check_chunks(rows, labels, o, linear_weight))
        c.size = chunk_size(rows, linear_weight, &o->options);
    for (int i = 0; i < OPERANDS && c.size; i++) {
        kdl_tensor *values = given[i] ? kdl__hold(&scope, kdl_to(given[i], dtype)) : NULL;
        c.operands[i] = values ? kdl__hold(&scope, kdl__in_rows(values)) : NULL;
    }
    if (c.size && !kdl__failed(input->ctx))
        result = run_call(&c, labels, o);
    if (!batched && o->reduction == KDL_REDUCTION_NONE)
        result = kdl_squeeze(kdl__hold(&scope, result), 0);
    return kdl__cast(kdl__close(&scope, result), input->storage->dtype);
}

/* ---- checks: PyTorch's errors ------------------------------------------------------------- */

/* RuntimeError with the text, which is freed. */
static void fail_with(kdl_context *ctx, kdl__text *text)
{
    char *message = kdl__text_take(text);
    if (message)
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME, "%s", message);
    kdl_free(ctx, message);
}

static void fail_bias(const kdl_tensor *bias, const kdl_shape *expected)
{
    kdl__text text;
    kdl__text_init(&text, bias->ctx);
    kdl__text_puts(&text, "expected linear_bias shape ");
    kdl__text_tuple(&text, expected->ndim, expected->sizes);
    kdl__text_puts(&text, ", got ");
    kdl__text_tuple(&text, bias->ndim, bias->dims);
    fail_with(bias->ctx, &text);
}

static void fail_unbatched(const kdl_tensor *input, const kdl_tensor *linear_weight)
{
    kdl__text text;
    kdl__text_init(&text, input->ctx);
    kdl__text_puts(&text, "K-dimensional loss defined by linear_weight shape ");
    kdl__text_tuple(&text, linear_weight->ndim, linear_weight->dims);
    kdl__text_printf(&text,
                     " requires batched input, (N, %" PRId64
                     "), got unbatched input with shape (%" PRId64 ",)",
                     input->dims[0], input->dims[0]);
    fail_with(input->ctx, &text);
}

/* The sizes (N, C, ...) or (C) of the scores. */
static kdl_shape score_shape(const kdl_tensor *input, const kdl_tensor *linear_weight)
{
    kdl_shape shape = { .ndim = 0 };
    if (input->ndim == 2)
        shape.sizes[shape.ndim++] = input->dims[0];
    for (int d = 0; d < linear_weight->ndim - 1; d++)
        shape.sizes[shape.ndim++] = linear_weight->dims[d];
    return shape;
}

static bool is_shape(const kdl_tensor *tensor, const kdl_shape *shape)
{
    return tensor->ndim == shape->ndim &&
           memcmp(tensor->dims, shape->sizes, (size_t)shape->ndim * sizeof *shape->sizes) == 0;
}

static bool check_sizes(kdl_tensor *input, kdl_tensor *linear_weight, kdl_tensor *target,
                        const loss_options *o)
{
    kdl_context *ctx = input->ctx;
    if (input->ndim < 1 || input->ndim > 2) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "expected input with dimensionality 1 or 2, got %d", input->ndim);
        return false;
    }
    if (linear_weight->ndim < 2 || linear_weight->ndim == KDL_MAX_DIMS) {
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "expected linear_weight with dimensionality at least 2, got %d",
                     linear_weight->ndim);
        return false;
    }
    int64_t features = input->dims[input->ndim - 1];
    const kdl_shape scores = score_shape(input, linear_weight);
    kdl_shape classes = kdl_tensor_shape(linear_weight);
    classes.ndim--;
    if (features != linear_weight->dims[classes.ndim])
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "expected equal input and linear_weight last dimensions (in_features), got "
                     "%" PRId64 " and %" PRId64 ", respectively",
                     features, linear_weight->dims[classes.ndim]);
    else if (o->linear_bias && !is_shape(o->linear_bias, &classes))
        fail_bias(o->linear_bias, &classes);
    else if (classes.ndim > 1 && input->ndim == 1)
        fail_unbatched(input, linear_weight);
    else if (o->ignore_index != KDL_NONE_INT && is_shape(target, &scores))
        kdl__fail_at(ctx, place, KDL_ERROR_RUNTIME,
                     "ignore_index cannot be specified when target contains probabilities");
    return !kdl__failed(ctx);
}

/* ---- the call ---------------------------------------------------------------------------- */

static void warn_ignored(const kdl_tensor *linear_weight, const kdl_tensor *target,
                         const loss_options *o)
{
    static const char *const reductions[] = { "none", "mean", "sum" };
    kdl__text text;
    kdl__text_init(&text, target->ctx);
    kdl__text_printf(&text,
                     "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in "
                     "{'mean','sum','none'}, label_smoothing == 0, target.dtype == int64, "
                     "out_features == (). Got reduction='%s', label_smoothing=",
                     reductions[o->reduction]);
    kdl__text_repr(&text, o->label_smoothing);
    kdl__text_printf(
        &text, ", target.dtype=torch.%s, out_features=", kdl_dtype_name(target->storage->dtype));
    kdl__text_tuple(&text, linear_weight->ndim - 2, linear_weight->dims + 1);
    kdl__text_puts(&text, ", tracing=False, linear_bias.shape=");
    if (o->linear_bias)
        kdl__text_tuple(&text, o->linear_bias->ndim, o->linear_bias->dims);
    else
        kdl__text_puts(&text, "None");
    char *message = kdl__text_take(&text);
    if (message)
        kdl__warn(target->ctx, "%s.", message);
    kdl_free(target->ctx, message);
}

/* cross_entropy of all scores together. */
static kdl_tensor *at_once(kdl_tensor *input, kdl_tensor *linear_weight, kdl_tensor *target,
                           const loss_options *o)
{
    kdl__scope scope = { 0 };
    kdl_shape rows = KDL_SHAPE(0, input->dims[input->ndim - 1]);
    kdl_tensor *weight = linear_weight, *bias = o->linear_bias;
    if (weight->ndim > 2) {
        rows.sizes[0] = 1;
        for (int d = 0; d < linear_weight->ndim - 1; d++)
            rows.sizes[0] *= linear_weight->dims[d];
        weight = kdl__hold(&scope, kdl_reshape(weight, rows));
        bias = bias ? kdl__hold(&scope, kdl_reshape(bias, KDL_SHAPE(rows.sizes[0]))) : NULL;
    }
    kdl_tensor *scores = kdl__hold(&scope, kdl_f_linear(input, weight, bias));
    if (linear_weight->ndim > 2 && scores)
        scores = kdl__hold(&scope, kdl_reshape(scores, score_shape(input, linear_weight)));
    int64_t ignored = o->ignore_index == KDL_NONE_INT ? -100 : o->ignore_index;
    return kdl__close(&scope,
                      kdl_f_cross_entropy(scores, target, .weight = o->weight,
                                          .ignore_index = ignored, .reduction = o->reduction,
                                          .label_smoothing = o->label_smoothing));
}

kdl_tensor *kdl_f_linear_cross_entropy_with(kdl_tensor *input, kdl_tensor *linear_weight,
                                            kdl_tensor *target, const loss_options *given)
{
    loss_options o = KDL_F_LINEAR_CROSS_ENTROPY_DEFAULTS;
    if (kdl__refuses(input) || !kdl__read_options(input->ctx, place, &o, sizeof o, given) ||
        kdl__check_chunking(input->ctx, place, &o.options))
        return NULL;
    kdl_tensor *all[] = { input, linear_weight, target, o.linear_bias, o.weight };
    int count = 0;
    for (int i = 0; i < 5; i++)
        if (i < 3 || all[i])
            all[count++] = all[i];
    if (!kdl__usable(place, count, all) || !check_sizes(input, linear_weight, target, &o))
        return NULL;
    bool possible = linear_weight->ndim == 2 && o.label_smoothing == 0 &&
                    target->storage->dtype == KDL_I64 && o.reduction <= KDL_REDUCTION_SUM;
    if (o.options.chunked && possible)
        return in_chunks(input, linear_weight, target, &o);
    if (o.options.chunked)
        warn_ignored(linear_weight, target, &o);
    return at_once(input, linear_weight, target, &o);
}
