/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers, with gradients: one recorded function for a layer's direction. */
#include <string.h>

#include "autograd/function.h"
#include "compute/recurrence.h"
#include "kindling/functional.h"
#include "kindling/ops.h"

/* ---- one direction ----------------------------------------------------------------------- */

/* What its function keeps besides tensors; an operand that is not there has the edge -1. */
typedef struct recurrent_call {
    kdl__recurrence recurrence;
    int edges[KDL__RECURRENT_COUNT];
} recurrent_call;

enum { SAVED_RESULT = KDL__RECURRENT_KEPT, SAVED_WORK };

static void recurrent_backward(kdl__function *function, kdl_tensor *grad)
{
    const recurrent_call *call = function->own;
    kdl_tensor *operands[KDL__RECURRENT_COUNT] = { NULL }, *gradients[KDL__RECURRENT_COUNT];
    uint32_t wanted = 0;
    for (int place = 0; place < KDL__RECURRENT_COUNT; place++) {
        int edge = call->edges[place];
        if (edge >= 0 && kdl__needs(function, edge))
            wanted |= 1U << place;
        if (place < KDL__RECURRENT_KEPT)
            operands[place] = kdl__saved_value(function, place);
    }
    kdl_tensor *result = kdl__saved_value(function, SAVED_RESULT);
    kdl_tensor *work = kdl__saved_value(function, SAVED_WORK);
    if (kdl__failed(function->ctx))
        return;
    kdl__compute_recurrence_grad(&call->recurrence, grad, operands, result, work, wanted,
                                 gradients);
    for (int place = 0; place < KDL__RECURRENT_COUNT; place++)
        if (gradients[place])
            kdl__give(function, call->edges[place], gradients[place]);
}

static const kdl__function_class recurrent_classes[] = {
    [KDL__CELL_TANH] = { "RnnTanhBackward0", recurrent_backward },
    [KDL__CELL_RELU] = { "RnnReluBackward0", recurrent_backward },
    [KDL__CELL_LSTM] = { "LstmBackward0", recurrent_backward },
    [KDL__CELL_GRU] = { "GruBackward0", recurrent_backward },
};

/* The call in function->own, with the first rows of packed steps behind it. */
static void keep_call(kdl__function *function, const recurrent_call *call)
{
    const kdl__recurrence *r = &call->recurrence;
    size_t rows = r->first_rows ? (size_t)(r->steps + 1) * sizeof *r->first_rows : 0;
    recurrent_call *own = function ? kdl__alloc(function->ctx, 1, sizeof *call + rows) : NULL;
    if (!own)
        return;
    *own = *call;
    if (rows)
        own->recurrence.first_rows = memcpy(own + 1, r->first_rows, rows);
    function->own = own;
}

static kdl_tensor *record_direction(const kdl__recurrence *recurrence, kdl_tensor *const *operands)
{
    kdl_tensor *work = NULL, *inputs[KDL__RECURRENT_COUNT];
    kdl_tensor *result = kdl__compute_recurrence(recurrence, operands, &work);
    recurrent_call call = { .recurrence = *recurrence };
    int count = 0;
    for (int place = 0; place < KDL__RECURRENT_COUNT; place++) {
        call.edges[place] = operands[place] ? count : -1;
        if (operands[place])
            inputs[count++] = operands[place];
    }
    kdl__function *function =
        kdl__record_list(result, &recurrent_classes[recurrence->cell], count, inputs);
    keep_call(function, &call);
    for (int place = 0; place < KDL__RECURRENT_KEPT; place++)
        kdl__save(function, place, operands[place]);
    kdl__save(function, SAVED_RESULT, result);
    kdl__save(function, SAVED_WORK, work);
    kdl_tensor_release(work);
    return result;
}

/* ---- layers ------------------------------------------------------------------------------ */

static const char *const names[] = {
    [KDL__CELL_TANH] = "RNN",
    [KDL__CELL_RELU] = "RNN",
    [KDL__CELL_LSTM] = "LSTM",
    [KDL__CELL_GRU] = "GRU",
};

/* A call of kdl_lstm() and the like: its tensors as they are computed with. */
typedef struct layers {
    kdl__cell cell;
    kdl_recurrent_options options;
    int directions, states; /* 1 or 2; an LSTM has 2 states */
    kdl_tensor *const *params;
    int each; /* parameters of a direction */
    kdl__recurrence sizes;
    kdl_tensor *first[2]; /* h_0, c_0 of all layers (borrowed); NULL: zeros */
    kdl_tensor *zeros[2]; /* in their place, of one layer */
    kdl_tensor **last[2]; /* h_n, c_n of each layer and direction; NULL: not wanted */
    int64_t *first_rows;  /* of packed sequences, owned; NULL: they are none */
    kdl_tensor *ends;     /* the rows of their last steps */
} layers;

static int64_t state_width(const layers *l, int state)
{
    return state == 0 ? l->sizes.outputs : l->sizes.hidden;
}

/* A parameter of a direction; NULL where it has none. */
static kdl_tensor *param_of(const layers *l, int64_t index, int place)
{
    bool biases = l->options.has_biases;
    int at = place == KDL__RECURRENT_IH        ? 0
             : place == KDL__RECURRENT_HH      ? 1
             : place == KDL__RECURRENT_BIAS_IH ? biases ? 2 : l->each
             : place == KDL__RECURRENT_BIAS_HH ? biases ? 3 : l->each
                                               : 2 + 2 * biases;
    return at < l->each ? l->params[index * l->each + at] : NULL;
}

/* How many rows all steps have together. */
static int64_t row_total(const layers *l)
{
    return l->first_rows ? l->first_rows[l->sizes.steps] : l->sizes.steps * l->sizes.batch;
}

/* The outputs and the last cell state in what an LSTM's function gives; others give no more. */
static kdl_tensor *outputs_in(const layers *l, kdl_tensor *result)
{
    kdl__scope scope = { 0 };
    const kdl__recurrence *r = &l->sizes;
    if (l->cell != KDL__CELL_LSTM)
        return kdl_tensor_retain(result);
    const kdl_shape shape = l->first_rows ? KDL_SHAPE(row_total(l), r->outputs)
                                          : KDL_SHAPE(r->steps, r->batch, r->outputs);
    kdl_tensor *part = kdl__hold(&scope, kdl_narrow(result, 0, 0, row_total(l) * r->outputs));
    return kdl__close(&scope, kdl_view(part, shape));
}

/* The outputs of each sequence's last step, (N, outputs). */
static kdl_tensor *last_outputs(const layers *l, kdl_tensor *outputs, bool reverse)
{
    if (!l->first_rows)
        return kdl_select(outputs, 0, reverse ? 0 : l->sizes.steps - 1);
    return reverse ? kdl_narrow(outputs, 0, 0, l->sizes.batch)
                   : kdl_index_select(outputs, 0, l->ends);
}

static kdl_tensor *cell_state_in(const layers *l, kdl_tensor *result)
{
    kdl__scope scope = { 0 };
    const kdl__recurrence *r = &l->sizes;
    kdl_tensor *part =
        kdl__hold(&scope, kdl_narrow(result, 0, row_total(l) * r->outputs, r->batch * r->hidden));
    return kdl__close(&scope, kdl_view(part, KDL_SHAPE(r->batch, r->hidden)));
}

/* The outputs of one direction of a layer, whose last states go where they belong. */
static kdl_tensor *run_direction(const layers *l, kdl_tensor *x, int64_t index)
{
    static const int params[] = { KDL__RECURRENT_IH, KDL__RECURRENT_HH, KDL__RECURRENT_HR,
                                  KDL__RECURRENT_BIAS_IH, KDL__RECURRENT_BIAS_HH };
    kdl__scope scope = { 0 };
    kdl_tensor *operands[KDL__RECURRENT_COUNT] = { [KDL__RECURRENT_INPUT] = x };
    kdl__recurrence r = l->sizes;
    r.inputs = x ? x->dims[x->ndim - 1] : 0;
    r.reverse = index % l->directions;
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        kdl_tensor *given = param_of(l, index, params[i]);
        kdl_tensor *value = given ? kdl__hold(&scope, kdl__operand(given, names[l->cell])) : NULL;
        operands[params[i]] = value ? kdl__hold(&scope, kdl_contiguous(value)) : NULL;
    }
    for (int s = 0; s < l->states; s++)
        operands[KDL__RECURRENT_H0 + s] =
            l->first[s] ? kdl__hold(&scope, kdl_select(l->first[s], 0, index)) : l->zeros[s];
    kdl_context *ctx = l->params[0]->ctx;
    kdl_tensor *result =
        kdl__failed(ctx) ? NULL : kdl__hold(&scope, record_direction(&r, operands));
    kdl_tensor *outputs = outputs_in(l, result);
    if (l->last[0])
        l->last[0][index] = last_outputs(l, outputs, r.reverse);
    if (l->last[1])
        l->last[1][index] = cell_state_in(l, result);
    return kdl__close(&scope, outputs);
}

/* The outputs of all layers. Consumes x (T, N, C), or the rows of packed sequences, row-major. */
static kdl_tensor *run_layers(const layers *l, kdl_tensor *x)
{
    const kdl_recurrent_options *o = &l->options;
    for (int64_t layer = 0; x && layer < o->num_layers; layer++) {
        kdl__scope scope = { 0 };
        kdl_tensor *outputs[2] = { NULL };
        kdl__hold(&scope, x);
        for (int d = 0; d < l->directions; d++)
            outputs[d] = kdl__hold(&scope, run_direction(l, x, layer * l->directions + d));
        kdl_tensor *y =
            l->directions == 2 ? kdl_cat(outputs, 2, -1) : kdl_tensor_retain(outputs[0]);
        if (o->dropout > 0 && o->train && layer < o->num_layers - 1)
            y = kdl_f_dropout(kdl__hold(&scope, y), o->dropout, true);
        kdl__close(&scope, NULL);
        x = y;
    }
    return x;
}

/* ---- what fits --------------------------------------------------------------------------- */

static bool fail(kdl_context *ctx, const layers *l, kdl_status status, const char *text)
{
    kdl__fail_at(ctx, names[l->cell], status, "%s", text);
    return false;
}

static bool check_dtypes(const layers *l, kdl_tensor *input, int count)
{
    kdl_context *ctx = input->ctx;
    for (int i = 0; i < count; i++) {
        if (kdl__check_contexts(input, l->params[i], names[l->cell]))
            return false;
        const char *given = kdl_dtype_name(input->storage->dtype);
        const char *wanted = kdl_dtype_name(l->params[i]->storage->dtype);
        if (given != wanted) {
            kdl__fail_at(ctx, names[l->cell], KDL_ERROR_VALUE,
                         "RNN input dtype (torch.%s) does not match weight dtype (torch.%s). "
                         "Convert input: input.to(torch.%s), or convert model: model.to(torch.%s)",
                         given, wanted, wanted, given);
            return false;
        }
    }
    return true;
}

/* Whether a parameter that may be NULL has the sizes; columns -1: a vector. */
static bool has_sizes(const kdl_tensor *param, int64_t rows, int64_t columns)
{
    return !param ||
           (param->dims[0] == rows &&
            (columns < 0 ? param->ndim == 1 : param->ndim == 2 && param->dims[1] == columns));
}

/* Reads hidden and outputs from the first weights; whether all have the sizes that follow. */
static bool read_params(layers *l, kdl_context *ctx, int64_t inputs)
{
    int gates = kdl__gate_count(l->cell);
    kdl_tensor *ih = param_of(l, 0, KDL__RECURRENT_IH), *hh = param_of(l, 0, KDL__RECURRENT_HH);
    for (int64_t i = 0; i < l->options.num_layers * l->directions * l->each; i++)
        if (l->params[i]->ndim < 1)
            return fail(ctx, l, KDL_ERROR_RUNTIME, "a parameter has no dimensions");
    l->sizes.hidden = ih->dims[0] / gates;
    l->sizes.outputs = hh->ndim == 2 ? hh->dims[1] : 0;
    int64_t rows = l->sizes.hidden * gates;
    if (ih->ndim == 2 && ih->dims[1] != inputs) {
        kdl__fail_at(ctx, names[l->cell], KDL_ERROR_RUNTIME,
                     "input.size(-1) must be equal to input_size. Expected %" PRId64
                     ", got %" PRId64,
                     ih->dims[1], inputs);
        return false;
    }
    for (int64_t i = 0; i < l->options.num_layers * l->directions; i++) {
        int64_t width = i < l->directions ? inputs : l->sizes.outputs * l->directions;
        kdl_tensor *hr = param_of(l, i, KDL__RECURRENT_HR);
        if (!has_sizes(param_of(l, i, KDL__RECURRENT_IH), rows, width) ||
            !has_sizes(param_of(l, i, KDL__RECURRENT_HH), rows, l->sizes.outputs) ||
            !has_sizes(param_of(l, i, KDL__RECURRENT_BIAS_IH), rows, -1) ||
            !has_sizes(param_of(l, i, KDL__RECURRENT_BIAS_HH), rows, -1) ||
            !has_sizes(hr, l->sizes.outputs, l->sizes.hidden) ||
            (!hr && l->sizes.outputs != l->sizes.hidden))
            return fail(ctx, l, KDL_ERROR_RUNTIME,
                        "the parameters' sizes do not fit: each direction needs weight_ih, "
                        "weight_hh, with biases bias_ih and bias_hh, with a projection weight_hr");
    }
    return true;
}

static bool check_count(layers *l, kdl_context *ctx, int count)
{
    int64_t deep = l->options.num_layers, directions = 0;
    if (deep > 0 && deep <= count)
        directions = deep * l->directions;
    int least = l->options.has_biases ? 4 : 2;
    l->each = directions > 0 && directions <= count ? (int)(count / directions) : 0;
    if (l->each * directions == count && directions > 0 &&
        (l->each == least || (l->cell == KDL__CELL_LSTM && l->each == least + 1)))
        return true;
    return fail(ctx, l, KDL_ERROR_RUNTIME, "the number of parameters does not fit num_layers");
}

/* Whether states have a batch: packed sequences always are one. */
static bool is_batched(const layers *l, const kdl_tensor *input)
{
    return l->first_rows || input->ndim == 3;
}

static bool check_state(const layers *l, kdl_tensor *input, kdl_tensor *const *hx, int state)
{
    kdl_tensor *given = hx[state];
    if (kdl__check_contexts(input, given, names[l->cell]))
        return false;
    if (given->storage->dtype != input->storage->dtype) {
        kdl__fail_at(input->ctx, names[l->cell], KDL_ERROR_RUNTIME,
                     "mat1 and mat2 must have the same dtype, but got %s and %s",
                     kdl_dtype_scalar_name(given->storage->dtype),
                     kdl_dtype_scalar_name(input->storage->dtype));
        return false;
    }
    const int64_t expected[] = { l->options.num_layers * l->directions, l->sizes.batch,
                                 state_width(l, state) };
    const int64_t sizes[] = { given->dims[0], is_batched(l, input) ? given->dims[1] : 1,
                              given->dims[given->ndim - 1] };
    if (memcmp(sizes, expected, sizeof sizes) == 0)
        return true;
    const char *name = l->states == 1 ? "" : state == 0 ? "[0]" : "[1]";
    kdl__fail_at(input->ctx, names[l->cell], KDL_ERROR_RUNTIME,
                 "Expected hidden%s size (%" PRId64 ", %" PRId64 ", %" PRId64 "), got %s", name,
                 expected[0], expected[1], expected[2], kdl__shape_text(3, sizes).chars);
    return false;
}

static bool check_states(const layers *l, kdl_tensor *input, kdl_tensor *const *hx)
{
    kdl_context *ctx = input->ctx;
    bool batched = is_batched(l, input);
    int ndim = batched ? 3 : 2;
    if (l->states == 2 && !hx[0] != !hx[1])
        return fail(ctx, l, KDL_ERROR_RUNTIME, "lstm expects two hidden states");
    if (!hx[0])
        return true;
    for (int s = 0; s < l->states; s++)
        if (kdl__check_contexts(input, hx[s], names[l->cell]))
            return false;
    if (l->states == 2 && (hx[0]->ndim != ndim || hx[1]->ndim != ndim)) {
        kdl__fail_at(ctx, names[l->cell], KDL_ERROR_RUNTIME,
                     "For %s input, hx and cx should also be %d-D but got (%d-D, %d-D) tensors",
                     batched ? "batched 3-D" : "unbatched 2-D", ndim, hx[0]->ndim, hx[1]->ndim);
        return false;
    }
    if (hx[0]->ndim != ndim) {
        kdl__fail_at(ctx, names[l->cell], KDL_ERROR_RUNTIME,
                     "For %s input, hx should also be %d-D but got %d-D tensor",
                     batched ? "batched 3-D" : "unbatched 2-D", ndim, hx[0]->ndim);
        return false;
    }
    return check_state(l, input, hx, 0) && (l->states == 1 || check_state(l, input, hx, 1));
}

/* Whether all fits together: then `l` has the sizes. */
static bool check_call(layers *l, kdl_tensor *input, kdl_tensor *const *hx, int count)
{
    kdl_context *ctx = input->ctx;
    if (!check_count(l, ctx, count) || !check_dtypes(l, input, count))
        return false;
    if (input->ndim != 2 && input->ndim != 3) {
        kdl__fail_at(ctx, names[l->cell], KDL_ERROR_VALUE,
                     "%s: Expected input to be 2D or 3D, got %dD%s instead", names[l->cell],
                     input->ndim, kdl__gate_count(l->cell) == 1 ? " tensor" : "");
        return false;
    }
    bool batch_first = l->options.batch_first && input->ndim == 3;
    if (!l->first_rows) {
        l->sizes.steps = input->dims[batch_first];
        l->sizes.batch = input->ndim == 2 ? 1 : input->dims[!batch_first];
    }
    if (!read_params(l, ctx, input->dims[input->ndim - 1]) || !check_states(l, input, hx))
        return false;
    return l->sizes.steps > 0 ||
           fail(ctx, l, KDL_ERROR_RUNTIME, "Expected sequence length to be larger than 0 in RNN");
}

/* ---- packed sequences -------------------------------------------------------------------- */

/* Fills in where steps begin and sequences end; false where the sizes cannot be of so many rows. */
static bool read_steps(layers *l, const int64_t *batch_sizes, int64_t rows)
{
    int64_t steps = l->sizes.steps, *ends = l->ends->storage->data;
    l->first_rows[0] = 0;
    for (int64_t t = 0; t < steps; t++) {
        int64_t next = t + 1 < steps ? batch_sizes[t + 1] : 0, first = l->first_rows[t];
        if (batch_sizes[t] <= 0 || next > batch_sizes[t] || batch_sizes[t] > rows - first)
            return false;
        for (int64_t n = next < 0 ? 0 : next; n < batch_sizes[t]; n++)
            ends[n] = first + n;
        l->first_rows[t + 1] = first + batch_sizes[t];
    }
    return l->first_rows[steps] == rows;
}

/* Reads options.batch_sizes, if it is there; false with an error. */
static bool read_batch_sizes(layers *l, kdl_tensor *input)
{
    kdl_context *ctx = input->ctx;
    kdl_tensor *given = l->options.batch_sizes, *sizes = NULL;
    if (!given)
        return true;
    if (kdl__check_contexts(input, given, names[l->cell]))
        return false;
    if (input->ndim != 2) {
        kdl__fail_at(ctx, names[l->cell], KDL_ERROR_RUNTIME, "input must have 2 dimensions, got %d",
                     input->ndim);
        return false;
    }
    bool fits = given->ndim == 1 && given->storage->dtype == KDL_I64 && given->numel > 0;
    if (fits && (sizes = kdl__in_rows(given))) {
        const int64_t *values = kdl_tensor_data(sizes);
        l->sizes.steps = sizes->numel;
        l->sizes.batch = values[0];
        fits = values[0] > 0 && values[0] <= input->dims[0];
        l->first_rows = kdl__alloc(ctx, (size_t)sizes->numel + 1, sizeof *l->first_rows);
        if (fits && l->first_rows)
            l->ends = kdl__new_values(ctx, KDL_I64, 1, values);
        fits = fits && (!l->ends || read_steps(l, values, input->dims[0]));
        l->sizes.first_rows = l->first_rows;
    }
    kdl_tensor_release(sizes);
    if (!kdl__failed(ctx) && !fits)
        fail(ctx, l, KDL_ERROR_RUNTIME,
             "batch_sizes have to be a vector of int64 that decreases only, of all rows of input");
    return !kdl__failed(ctx);
}

/* ---- calls ------------------------------------------------------------------------------- */

/* The input as layers take it, (T, N, C) or packed, and row-major. */
static kdl_tensor *arranged(const layers *l, kdl_tensor *input)
{
    kdl__scope scope = { 0 };
    kdl_tensor *x = kdl__hold(&scope, kdl__operand(input, names[l->cell]));
    if (l->first_rows)
        return kdl__close(&scope, kdl_contiguous(x));
    if (input->ndim == 2)
        x = kdl__hold(&scope, kdl_unsqueeze(x, 1));
    else if (l->options.batch_first)
        x = kdl__hold(&scope, kdl_transpose(x, 0, 1));
    return kdl__close(&scope, kdl_contiguous(x));
}

/* The first states, or zeros in their place. */
static void arrange_states(layers *l, kdl_tensor *const *hx, bool batched, kdl__scope *scope)
{
    kdl_context *ctx = l->params[0]->ctx;
    kdl_dtype dtype = l->params[0]->storage->dtype == KDL_F64 ? KDL_F64 : KDL_F32;
    for (int s = 0; s < l->states; s++) {
        if (!hx[s]) {
            const kdl_shape shape = KDL_SHAPE(l->sizes.batch, state_width(l, s));
            l->zeros[s] = kdl__hold(scope, kdl_zeros(ctx, shape, .dtype = dtype));
            if (l->zeros[s])
                kdl_tensor_data(l->zeros[s]);
            continue;
        }
        kdl_tensor *state = kdl__hold(scope, kdl__operand(hx[s], names[l->cell]));
        if (!batched)
            state = kdl__hold(scope, kdl_unsqueeze(state, 1));
        l->first[s] = kdl__hold(scope, kdl_contiguous(state));
    }
}

/* The last states of all layers as one tensor, in the dtype. Frees their array. */
static kdl_tensor *stack_states(const layers *l, int state, bool batched, kdl_dtype dtype)
{
    kdl_context *ctx = l->params[0]->ctx;
    kdl__scope scope = { 0 };
    int count = (int)(l->options.num_layers * l->directions);
    kdl_tensor **each = l->last[state], *all = NULL;
    if (!kdl__failed(ctx))
        all = kdl__hold(&scope, kdl_stack(each, count, 0));
    if (!batched)
        all = kdl__hold(&scope, kdl_squeeze(all, 1));
    for (int i = 0; each && i < count; i++)
        kdl_tensor_release(each[i]);
    kdl_free(ctx, each);
    return kdl__close(&scope, kdl__cast(kdl_tensor_retain(all), dtype));
}

/* The outputs as the caller has its input. Consumes them. */
static kdl_tensor *outputs_for(const layers *l, kdl_tensor *outputs, kdl_tensor *input)
{
    kdl__scope scope = { 0 };
    kdl_tensor *y = kdl__hold(&scope, outputs);
    if (l->first_rows)
        return kdl__close(&scope, kdl__cast(kdl_tensor_retain(y), input->storage->dtype));
    if (input->ndim == 2)
        y = kdl__hold(&scope, kdl_squeeze(y, 1));
    else if (l->options.batch_first)
        y = kdl__hold(&scope, kdl_transpose(y, 0, 1));
    return kdl__close(&scope, kdl__cast(kdl_tensor_retain(y), input->storage->dtype));
}

static kdl_tensor *run_call(layers *l, kdl_tensor *input, kdl_tensor *const *hx,
                            kdl_tensor **states)
{
    kdl_context *ctx = input->ctx;
    kdl__scope scope = { 0 };
    bool batched = is_batched(l, input);
    size_t count = (size_t)(l->options.num_layers * l->directions);
    arrange_states(l, hx, batched, &scope);
    for (int s = 0; states && s < l->states; s++)
        l->last[s] = kdl__alloc_zeroed(ctx, count, sizeof **l->last);
    kdl_tensor *outputs = kdl__failed(ctx) ? NULL : run_layers(l, arranged(l, input));
    outputs = outputs_for(l, outputs, input);
    for (int s = 0; states && s < l->states; s++)
        states[s] = stack_states(l, s, batched, input->storage->dtype);
    return kdl__close(&scope, outputs);
}

static kdl_tensor *recurrent(kdl__cell cell, kdl_tensor *input, kdl_tensor *const *hx,
                             kdl_tensor *const *params, int count, kdl_tensor **states,
                             const kdl_recurrent_options *given)
{
    static kdl_tensor *const none[2] = { NULL };
    layers l = { .cell = cell, .options = KDL_RECURRENT_DEFAULTS, .params = params };
    l.states = cell == KDL__CELL_LSTM ? 2 : 1;
    l.sizes.cell = cell;
    for (int s = 0; states && s < l.states; s++)
        states[s] = NULL;
    if (kdl__refuses(input) ||
        !kdl__read_options(input->ctx, names[cell], &l.options, sizeof l.options, given))
        return NULL;
    l.directions = l.options.bidirectional ? 2 : 1;
    kdl_tensor *result = NULL;
    if (read_batch_sizes(&l, input) && check_call(&l, input, hx ? hx : none, count))
        result = run_call(&l, input, hx ? hx : none, states);
    kdl_free(input->ctx, l.first_rows);
    kdl_tensor_release(l.ends);
    return result;
}

#define DEFINE_RECURRENT(public, cell)                                                             \
    kdl_tensor *public(kdl_tensor * input, kdl_tensor *const *hx, kdl_tensor *const *params,       \
                       int count, kdl_tensor **states, const kdl_recurrent_options *options)       \
    {                                                                                              \
        return recurrent(cell, input, hx, params, count, states, options);                         \
    }
DEFINE_RECURRENT(kdl_lstm_with, KDL__CELL_LSTM)
DEFINE_RECURRENT(kdl_gru_with, KDL__CELL_GRU)
DEFINE_RECURRENT(kdl_rnn_tanh_with, KDL__CELL_TANH)
DEFINE_RECURRENT(kdl_rnn_relu_with, KDL__CELL_RELU)
