/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks on tensors, and gradients of tensors that are no leaves. */
#include "autograd/function.h"

typedef struct kdl__hook kdl__hook;
struct kdl__hook {
    kdl__hook *next;
    uint64_t number;
    kdl_tensor_hook *call;
    void *user_data;
};

void kdl__free_hooks(kdl__function *function)
{
    for (kdl__hook *hook = function->hooks, *next; hook; hook = next) {
        next = hook->next;
        kdl_free(function->ctx, hook);
    }
    function->hooks = NULL;
}

uint64_t kdl_tensor_register_hook(kdl_tensor *tensor, kdl_tensor_hook *call, void *user_data)
{
    if (kdl__refuses(tensor))
        return 0;
    kdl_context *ctx = tensor->ctx;
    kdl__training *training = kdl__training_of(ctx);
    if (!kdl__requires_grad(tensor) || !training) {
        kdl__fail(ctx, KDL_ERROR_RUNTIME,
                  "cannot register a hook on a tensor that doesn't require gradient");
        return 0;
    }
    kdl__function *function = kdl__function_of(tensor);
    kdl__hook *hook = function ? kdl__alloc_zeroed(ctx, 1, sizeof *hook) : NULL;
    if (!hook)
        return 0;
    *hook = (kdl__hook){ NULL, ++training->hook, call, user_data };
    kdl__hook **end = &function->hooks;
    while (*end)
        end = &(*end)->next;
    *end = hook;
    return hook->number;
}

void kdl_tensor_remove_hook(kdl_tensor *tensor, uint64_t number)
{
    kdl__function *function = tensor ? tensor->autograd : NULL;
    kdl__hook **at = function ? &function->hooks : NULL;
    while (at && *at && (*at)->number != number)
        at = &(*at)->next;
    if (!at || !*at)
        return;
    kdl__hook *hook = *at;
    *at = hook->next;
    kdl_free(tensor->ctx, hook);
}

static bool alike(const kdl_tensor *a, const kdl_tensor *b)
{
    bool same = a->ctx == b->ctx && a->ndim == b->ndim && a->storage->dtype == b->storage->dtype;
    for (int d = 0; same && d < a->ndim; d++)
        same = a->dims[d] == b->dims[d];
    return same;
}

kdl_tensor *kdl__run_hooks(kdl__function *function, kdl_tensor *grad)
{
    for (kdl__hook *hook = function->hooks, *next; grad && hook; hook = next) {
        next = hook->next; /* it may remove itself */
        kdl_tensor *other = hook->call(grad, hook->user_data);
        if (!other)
            continue;
        if (!alike(other, grad)) {
            kdl__fail_at(function->ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                         "hook has changed the size of value");
            kdl_tensor_release(other);
            continue;
        }
        kdl_tensor_release(grad);
        grad = other;
    }
    return grad;
}

kdl_status kdl_retain_grad(kdl_tensor *tensor)
{
    if (kdl__refuses(tensor))
        return kdl__refusal(tensor);
    if (!kdl__requires_grad(tensor))
        return kdl__fail(tensor->ctx, KDL_ERROR_RUNTIME,
                         "can't retain_grad on Tensor that has requires_grad=False");
    kdl__function *function = kdl__maker(tensor);
    if (function)
        function->retains_grad = true;
    return KDL_OK;
}
