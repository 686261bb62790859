/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backward pass. A function's inputs were made before it, so in order of falling sequence
 * numbers every function comes after all that use its output: its gradient is then complete.
 */
#include <string.h>

#include "autograd/function.h"
#include "compute/table.h"
#include "kindling/indexing.h"
#include "kindling/math.h"

/* ---- the heap of functions whose gradients have begun to come in -------------------------- */

static void swap(kdl__function **a, kdl__function **b)
{
    kdl__function *other = *a;
    *a = *b;
    *b = other;
}

static bool push_ready(kdl__training *training, kdl__function *function)
{
    kdl__function ***heap = &training->ready;
    if (!kdl__grow(function->ctx, (void **)heap, &training->ready_capacity,
                   training->ready_count + 1, sizeof **heap))
        return false;
    function->references++;
    size_t i = training->ready_count++;
    (*heap)[i] = function;
    for (; i > 0 && (*heap)[(i - 1) / 2]->sequence < (*heap)[i]->sequence; i = (i - 1) / 2)
        swap(&(*heap)[i], &(*heap)[(i - 1) / 2]);
    return true;
}

static kdl__function *pop_ready(kdl__training *training)
{
    kdl__function **heap = training->ready, *top = heap[0];
    heap[0] = heap[--training->ready_count];
    for (size_t i = 0, child; (child = 2 * i + 1) < training->ready_count; i = child) {
        if (child + 1 < training->ready_count && heap[child + 1]->sequence > heap[child]->sequence)
            child++;
        if (heap[i]->sequence >= heap[child]->sequence)
            break;
        swap(&heap[i], &heap[child]);
    }
    return top;
}

/* ---- adding up --------------------------------------------------------------------------- */

/* Whether nobody else can see what is written into the tensor. */
static bool is_own(const kdl_tensor *tensor)
{
    return atomic_load(&tensor->references) == 1 &&
           atomic_load(&tensor->storage->references) == 1 && kdl_tensor_is_contiguous(tensor);
}

/* Whether sums are computed in the dtype itself; of f16 and bf16 they are in f32, and rounded. */
static bool is_wide(const kdl_tensor *tensor)
{
    return tensor->storage->dtype == KDL_F32 || tensor->storage->dtype == KDL_F64;
}

/* sum += grad */
static void add_into(kdl_tensor *sum, kdl_tensor *grad)
{
    if (is_wide(sum)) {
        kdl__accumulate(sum, grad, 1);
        sum->storage->version++;
        return;
    }
    kdl_tensor *wide = kdl_to(sum, KDL_F32), *other = kdl_to(grad, KDL_F32);
    if (wide && other && !kdl__accumulate(wide, other, 1))
        kdl_copy_(sum, wide);
    kdl_tensor_release(wide);
    kdl_tensor_release(other);
}

/* The sum of two gradients, both consumed. */
static kdl_tensor *add_gradients(kdl_tensor *sum, kdl_tensor *grad)
{
    kdl_tensor *result = sum;
    if (is_own(sum)) {
        add_into(sum, grad);
    } else if (is_wide(sum)) {
        result = kdl__compute_binary(KDL__ADD, sum, grad, 1);
        kdl_tensor_release(sum);
    } else {
        result = kdl__clone_row_major(sum);
        if (result)
            add_into(result, grad);
        kdl_tensor_release(sum);
    }
    kdl_tensor_release(grad);
    return result;
}

kdl_tensor *kdl__open_sum(const kdl__function *function, int index)
{
    const kdl__function *maker = function->edges[index].function;
    return maker && maker->grad && is_own(maker->grad) && is_wide(maker->grad) ? maker->grad : NULL;
}

/* A copy of the gradient with the strides of its leaf, as PyTorch keeps it. */
static kdl_tensor *copy_for(kdl_tensor *leaf, kdl_tensor *grad)
{
    kdl_tensor *copy = kdl_empty_like(leaf);
    if (copy)
        kdl_copy_(copy, grad);
    return copy;
}

/* Zeros of an edge's sizes, to which the rows are added. One reference. */
static kdl_tensor *as_dense(kdl_context *ctx, int ndim, const int64_t *sizes, kdl_tensor *rows,
                            kdl_tensor *grad)
{
    kdl_tensor *table = kdl__new_values(ctx, grad->storage->dtype, ndim, sizes);
    const int64_t *indices = kdl_tensor_data(rows);
    if (table && indices) {
        memset(table->storage->data, 0, kdl_tensor_nbytes(table));
        kdl__add_rows(table, grad, &(kdl__row_sum){ indices, NULL, NULL, rows->numel, -1 });
    }
    return table;
}

kdl_tensor *kdl__dense_grad(kdl_tensor *leaf)
{
    return leaf->grad_rows
               ? as_dense(leaf->ctx, leaf->ndim, leaf->dims, leaf->grad_rows, leaf->grad)
               : kdl_tensor_retain(leaf->grad);
}

/* A leaf's gradient: memory of its own at first, added to in place later. Consumes `grad`. */
static void accumulate_leaf(kdl_tensor *leaf, kdl_tensor *grad)
{
    kdl__function *hooks = leaf->autograd;
    if (hooks)
        grad = kdl__run_hooks(hooks, grad);
    if (grad && leaf->grad_rows)
        kdl_tensor_set_grad(leaf, kdl__dense_grad(leaf));
    if (grad && !leaf->grad) {
        bool fits = is_own(grad) && kdl_tensor_is_contiguous(leaf);
        leaf->grad = fits ? kdl_tensor_retain(grad) : copy_for(leaf, grad);
    } else if (grad) {
        add_into(leaf->grad, grad);
    }
    kdl_tensor_release(grad);
}

/* Makes a gradient fit its input: what broadcasting repeated is summed. Consumes `grad`. */
static kdl_tensor *fit(const kdl__edge *edge, kdl_tensor *grad)
{
    bool same = grad->ndim == edge->ndim &&
                memcmp(grad->dims, edge->sizes, (size_t)edge->ndim * sizeof *edge->sizes) == 0;
    if (!same) {
        kdl_tensor *wide = kdl__cast(grad, is_wide(grad) ? grad->storage->dtype : KDL_F32);
        grad = wide ? kdl__sum_to(wide, edge->ndim, edge->sizes) : NULL;
        kdl_tensor_release(wide);
    }
    return kdl__cast(grad, edge->dtype);
}

/* Adds to what has come in for a function's output. Consumes `grad`. */
static void give_function(kdl__function *function, kdl_tensor *grad)
{
    if (function->grad)
        function->grad = add_gradients(function->grad, grad);
    else if (push_ready(kdl__training_of(function->ctx), function))
        function->grad = grad;
    else
        kdl_tensor_release(grad);
}

/* ---- rows -------------------------------------------------------------------------------- */

/* Consumes both. */
static void accumulate_rows(kdl_tensor *leaf, kdl_tensor *rows, kdl_tensor *grad)
{
    if (leaf->grad && !leaf->grad_rows) {
        kdl__add_rows(leaf->grad, grad,
                      &(kdl__row_sum){ kdl_tensor_data(rows), NULL, NULL, rows->numel, -1 });
        leaf->grad->storage->version++;
        kdl_tensor_release(rows);
        kdl_tensor_release(grad);
        return;
    }
    if (leaf->grad_rows) {
        kdl__scope scope = { 0 };
        kdl_tensor *both[] = { leaf->grad_rows, kdl__hold(&scope, rows) };
        kdl_tensor *values[] = { leaf->grad, kdl__hold(&scope, grad) };
        rows = kdl_cat(both, 2, 0);
        grad = kdl_cat(values, 2, 0);
        kdl__close(&scope, NULL);
    }
    if (rows && grad && !kdl__failed(leaf->ctx)) {
        kdl_tensor_set_grad(leaf, NULL);
        leaf->grad = grad; /* not of the leaf's sizes, as a set one must be */
        leaf->grad_rows = rows;
        return;
    }
    kdl_tensor_release(rows);
    kdl_tensor_release(grad);
}

void kdl__give_rows(kdl__function *function, int index, kdl_tensor *rows, kdl_tensor *grad)
{
    const kdl__edge *edge = &function->edges[index];
    bool sparse = edge->leaf && !edge->leaf->autograd && rows && grad &&
                  grad->storage->dtype == edge->dtype && !kdl__failed(function->ctx);
    if (sparse) { /* hooks want a tensor of the leaf's sizes */
        accumulate_rows(edge->leaf, rows, grad);
        return;
    }
    kdl_tensor *table = NULL;
    if (rows && grad && !kdl__failed(function->ctx))
        table = as_dense(function->ctx, edge->ndim, edge->sizes, rows, grad);
    kdl_tensor_release(rows);
    kdl_tensor_release(grad);
    kdl__give(function, index, table);
}

void kdl__give(kdl__function *function, int index, kdl_tensor *grad)
{
    const kdl__edge *edge = &function->edges[index];
    if (grad)
        grad = fit(edge, grad);
    bool fits = grad && !kdl__failed(function->ctx);
    if (fits && edge->function)
        give_function(edge->function, grad);
    else if (fits && edge->leaf)
        accumulate_leaf(edge->leaf, grad);
    else
        kdl_tensor_release(grad);
}

/* ---- the pass ---------------------------------------------------------------------------- */

static void run_function(kdl__function *function, bool retain_graph)
{
    kdl_tensor *grad = kdl__run_hooks(function, function->grad);
    function->grad = NULL;
    if (grad && function->retains_grad && function->output)
        kdl_tensor_set_grad(function->output, kdl_clone(grad));
    if (function->freed)
        kdl__fail_at(function->ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                     "Trying to backward through the graph a second time (or directly access saved "
                     "tensors after they have already been freed). Saved intermediate values of "
                     "the graph are freed when you call .backward() or autograd.grad(). Specify "
                     "retain_graph=True if you need to backward through the graph a second time or "
                     "if you need to access saved tensors after calling backward.");
    else if (grad && !kdl__failed(function->ctx))
        function->class->backward(function, grad);
    kdl_tensor_release(grad);
    if (!retain_graph)
        kdl__free_graph(function);
}

static void run_all(kdl_context *ctx, bool retain_graph)
{
    kdl__training *training = kdl__training_of(ctx);
    while (training->ready_count > 0) {
        kdl__function *function = pop_ready(training);
        if (!kdl__failed(ctx))
            run_function(function, retain_graph);
        kdl_tensor_release(function->grad);
        function->grad = NULL;
        kdl__function_release(function);
    }
}

/* torch.Size([2, 3]) is what PyTorch writes. */
static kdl_status fail_shape(const kdl_tensor *tensor, const kdl_tensor *gradient)
{
    return kdl__fail_at(tensor->ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                        "Mismatch in shape: grad_output[0] has a shape of torch.Size(%s) and "
                        "output[0] has a shape of torch.Size(%s).",
                        kdl__shape_text(gradient->ndim, gradient->dims).chars,
                        kdl__shape_text(tensor->ndim, tensor->dims).chars);
}

static kdl_status check_backward(kdl_tensor *tensor, kdl_tensor *gradient)
{
    kdl_context *ctx = tensor->ctx;
    if (!kdl__requires_grad(tensor) || !kdl__training_of(ctx))
        return kdl__fail_at(ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                            "element 0 of tensors does not require grad and does not have a "
                            "grad_fn");
    if (!gradient && tensor->numel != 1)
        return kdl__fail_at(ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                            "grad can be implicitly created only for scalar outputs");
    if (!gradient)
        return KDL_OK;
    if (kdl__check_contexts(tensor, gradient, "kdl_backward"))
        return ctx->status;
    if (gradient->ndim != tensor->ndim ||
        memcmp(gradient->dims, tensor->dims, (size_t)tensor->ndim * sizeof *tensor->dims) != 0)
        return fail_shape(tensor, gradient);
    return KDL_OK;
}

/* The gradient to begin with, of memory that nobody else writes. */
static kdl_tensor *first_gradient(kdl_tensor *tensor, kdl_tensor *gradient)
{
    if (!gradient)
        return kdl_ones_like(tensor);
    return gradient->storage->dtype == tensor->storage->dtype
               ? kdl_detach(gradient)
               : kdl_to(gradient, tensor->storage->dtype);
}

kdl_status kdl_backward_with(kdl_tensor *tensor, const kdl_backward_options *given)
{
    kdl_backward_options options = KDL_BACKWARD_DEFAULTS;
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    kdl_context *ctx = tensor->ctx;
    if (!kdl__read_options(ctx, "kdl_backward", &options, sizeof options, given) ||
        check_backward(tensor, options.gradient))
        return ctx->status;
    kdl__training *training = kdl__training_of(ctx);
    if (training->running)
        return kdl__fail_at(ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                            "kdl_backward() was called by a hook of a backward pass");
    kdl__function *maker = kdl__maker(tensor);
    const kdl__tape *tape = kdl__no_grad(ctx);
    training->running = true;
    kdl_tensor *grad = first_gradient(tensor, options.gradient);
    if (grad && maker)
        give_function(maker, grad);
    else if (grad)
        accumulate_leaf(tensor, grad);
    run_all(ctx, options.retain_graph);
    training->running = false;
    ctx->tape = tape;
    return ctx->status;
}
