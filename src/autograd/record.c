/* SPDX-License-Identifier: Apache-2.0 */
/* Recording: functions, what they keep, and when they go. */
#include <stdio.h>
#include <string.h>

#include "autograd/function.h"

/* ---- lifetime ---------------------------------------------------------------------------- */

static void free_saved(kdl__function *function)
{
    for (int i = 0; i < KDL__MAX_SAVED; i++) {
        kdl_tensor_release(function->saved[i].tensor);
        function->saved[i].tensor = NULL;
    }
}

static void free_function(kdl__function *function)
{
    kdl_context *ctx = function->ctx;
    free_saved(function);
    for (int i = 0; i < function->count; i++) {
        kdl__function_release(function->edges[i].function);
        kdl_tensor_release(function->edges[i].leaf);
    }
    kdl_tensor_release(function->grad);
    if (function->destroy)
        function->destroy(function);
    kdl__free_hooks(function);
    kdl_free(ctx, function->own);
    kdl_free(ctx, function);
}

/* A list and not a recursion: graphs may be as deep as a training run is long. */
void kdl__function_release(kdl__function *function)
{
    if (!function || --function->references > 0)
        return;
    kdl__training *training = kdl__training_of(function->ctx);
    function->next = training->dead;
    training->dead = function;
    if (training->freeing)
        return;
    kdl_context *ctx = kdl_context_retain(function->ctx); /* its last tensors may go now */
    training->freeing = true;
    while (training->dead) {
        function = training->dead;
        training->dead = function->next;
        free_function(function);
    }
    training->freeing = false;
    kdl_context_release(ctx);
}

/* What a tensor calls when it goes. */
static void release_slot(void *slot)
{
    kdl__function *function = slot;
    function->output = NULL;
    kdl__function_release(function);
}

/* In the place of the function that made what the tensor held before, if there is one. */
static void attach(kdl_tensor *tensor, kdl__function *function)
{
    if (tensor->autograd)
        release_slot(tensor->autograd);
    tensor->autograd = function;
    tensor->release_autograd = release_slot;
    function->output = tensor;
}

/* ---- recording --------------------------------------------------------------------------- */

/* A function without edges yet; the caller has the one reference. */
static kdl__function *new_function(kdl_context *ctx, const kdl__function_class *class, int count,
                                   int sizes)
{
    kdl__function *function = kdl__alloc_zeroed(
        ctx, 1,
        sizeof *function + (size_t)count * sizeof(kdl__edge) + (size_t)sizes * sizeof(int64_t));
    if (!function)
        return NULL;
    function->class = class;
    function->name = class->name;
    function->ctx = ctx;
    function->references = 1;
    function->count = count;
    function->sequence = ++kdl__training_of(ctx)->sequence;
    return function;
}

static void set_edge(kdl__edge *edge, kdl_tensor *input, int64_t *sizes)
{
    edge->dtype = input->storage->dtype;
    edge->ndim = input->ndim;
    edge->sizes = sizes;
    memcpy(sizes, input->dims, (size_t)input->ndim * sizeof *sizes);
    if (!kdl__requires_grad(input))
        return;
    kdl__function *maker = kdl__maker(input);
    if (maker) {
        maker->references++;
        edge->function = maker;
    } else {
        edge->leaf = kdl_tensor_retain(input);
    }
}

kdl__function *kdl__record_list(kdl_tensor *result, const kdl__function_class *class, int count,
                                kdl_tensor *const *inputs)
{
    if (!result || !result->ctx->tape || kdl__failed(result->ctx) ||
        !kdl_dtype_is_floating_point(result->storage->dtype))
        return NULL;
    int wanted = 0, sizes = 0;
    for (int i = 0; i < count; i++) {
        kdl__maker(inputs[i]); /* now, so that this function is the later one */
        wanted += kdl__requires_grad(inputs[i]);
        sizes += inputs[i]->ndim;
    }
    if (!wanted)
        return NULL;
    kdl__function *function = new_function(result->ctx, class, count, sizes);
    if (!function)
        return NULL;
    int64_t *at = (int64_t *)(function->edges + count);
    for (int i = 0; i < count; at += inputs[i++]->ndim)
        set_edge(&function->edges[i], inputs[i], at);
    attach(result, function);
    result->requires_grad = true;
    return function;
}

kdl__function *kdl__record(kdl_tensor *result, const kdl__function_class *class, int count, ...)
{
    kdl_tensor *inputs[4];
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        inputs[i] = va_arg(list, kdl_tensor *);
    va_end(list);
    return kdl__record_list(result, class, count, inputs);
}

static const kdl__function_class leaf_class = { .name = "AccumulateGrad" };

bool kdl__is_leaf_function(const kdl__function *function)
{
    return function->class == &leaf_class;
}

/* A view after its base was written: its values come from what the base's do now. */
static void follow_base(kdl_tensor *view)
{
    kdl_context *ctx = view->ctx;
    const kdl__tape *tape = ctx->tape;
    ctx->tape = &kdl__training_of(ctx)->tape; /* the write was recorded, so this is */
    kdl__record_region(view);
    ctx->tape = tape;
    view->base_version = view->storage->version;
}

kdl__function *kdl__maker(kdl_tensor *tensor)
{
    if (kdl__lags_base(tensor))
        follow_base(tensor);
    kdl__function *function = tensor->autograd;
    return function && !kdl__is_leaf_function(function) ? function : NULL;
}

kdl__function *kdl__function_of(kdl_tensor *tensor)
{
    if (!kdl__maker(tensor) && !tensor->autograd) {
        kdl__function *function = new_function(tensor->ctx, &leaf_class, 0, 0);
        if (function)
            attach(tensor, function);
    }
    return tensor->autograd;
}

/* ---- values for the backward pass -------------------------------------------------------- */

void kdl__save(kdl__function *function, int place, kdl_tensor *tensor)
{
    if (!function || !tensor)
        return;
    kdl__saved *saved = &function->saved[place];
    const kdl__function *maker = kdl__maker(tensor);
    /*
     * The output holds the function, and other tensors may come to hold it when they are written:
     * kept as they are, the two would keep each other forever.
     */
    bool is_parameter = tensor->requires_grad && !maker;
    saved->tensor = is_parameter ? kdl_tensor_retain(tensor) : kdl_detach(tensor);
    saved->version = tensor->storage->version;
    saved->made_by = maker ? maker->name : NULL;
}

void kdl__keep(kdl__function *function, const void *data, size_t nbytes)
{
    if (!function)
        return;
    function->own = kdl__alloc(function->ctx, 1, nbytes);
    if (function->own)
        memcpy(function->own, data, nbytes);
}

/* PyTorch's name of a tensor's type. */
static const char *type_name(kdl_dtype dtype)
{
    switch (dtype) {
    case KDL_F64:
        return "torch.DoubleTensor";
    case KDL_F32:
        return "torch.FloatTensor";
    case KDL_I64:
        return "torch.LongTensor";
    default:
        return "torch.BoolTensor";
    }
}

static kdl_tensor *fail_overwritten(const kdl__saved *saved)
{
    const kdl_tensor *tensor = saved->tensor;
    char maker[96] = "";
    if (saved->made_by)
        snprintf(maker, sizeof maker, ", which is output 0 of %.*s,",
                 (int)(strstr(saved->made_by, "Backward") - saved->made_by), saved->made_by);
    kdl__fail_at(tensor->ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                 "one of the variables needed for gradient computation has been modified by an "
                 "inplace operation: [%s %s]%s is at version %" PRIu32 "; expected version "
                 "%" PRIu32 " instead. Hint: enable anomaly detection to find the operation that "
                 "failed to compute its gradient, with torch.autograd.set_detect_anomaly(True, "
                 "check_nan=False).",
                 type_name(tensor->storage->dtype),
                 kdl__shape_text(tensor->ndim, tensor->dims).chars, maker, tensor->storage->version,
                 saved->version);
    return NULL;
}

kdl_tensor *kdl__saved_value(kdl__function *function, int place)
{
    const kdl__saved *saved = &function->saved[place];
    if (kdl__failed(function->ctx) || !saved->tensor)
        return NULL;
    return saved->tensor->storage->version == saved->version ? saved->tensor
                                                             : fail_overwritten(saved);
}

void kdl__free_graph(kdl__function *function)
{
    for (int i = 0; i < KDL__MAX_SAVED; i++)
        function->freed = function->freed || function->saved[i].tensor;
    free_saved(function);
}

/* ---- the context's part ------------------------------------------------------------------ */

static void destroy_training(kdl_context *ctx, void *value)
{
    kdl__training *training = value;
    ctx->tape = NULL;
    kdl_free(ctx, training->ready);
    kdl_free(ctx, training);
}

kdl_status kdl__autograd_enable(kdl_context *ctx)
{
    if (kdl__failed(ctx) || kdl__training_of(ctx) || kdl__keep_memory(ctx))
        return ctx->status;
    kdl__training *training = kdl__alloc_zeroed(ctx, 1, sizeof *training);
    if (!training)
        return ctx->status;
    training->tape = (kdl__tape){
        .view = kdl__record_view,
        .copied = kdl__record_copy,
        .absolute = kdl__record_abs,
        .derived = kdl__record_derived,
        .call = kdl__begin_module_call,
        .called = kdl__end_module_call,
        .write = kdl__begin_write,
        .written = kdl__end_write,
        .grad_fn = kdl_tensor_grad_fn,
    };
    kdl__slot_set(ctx, KDL__SLOT_TRAINING, training, destroy_training);
    ctx->tape = &training->tape;
    return KDL_OK;
}

bool kdl_is_grad_enabled(const kdl_context *ctx)
{
    return ctx->tape;
}

bool kdl_set_grad_enabled(kdl_context *ctx, bool enabled)
{
    kdl__training *training = kdl__training_of(ctx);
    bool was = ctx->tape;
    ctx->tape = enabled && training ? &training->tape : NULL;
    return was;
}

bool kdl_tensor_is_leaf(const kdl_tensor *tensor)
{
    return !kdl_tensor_grad_fn(tensor);
}

const char *kdl_tensor_grad_fn(const kdl_tensor *tensor)
{
    const kdl__function *function = kdl__maker((kdl_tensor *)tensor);
    return function ? function->name : NULL;
}

kdl_tensor *kdl_tensor_grad_rows(const kdl_tensor *tensor)
{
    return tensor ? tensor->grad_rows : NULL;
}

uint32_t kdl_tensor_version(const kdl_tensor *tensor)
{
    return tensor->storage->version;
}
