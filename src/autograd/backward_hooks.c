/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backward hooks of modules. A call of a module that has some goes between two functions that
 * change nothing: the one at its output keeps the gradient that comes in, the one at its input
 * hands both to the hooks. Without gradients at the input, the first one does.
 */
#include "autograd/function.h"
#include "kindling/module_hooks.h"
#include "nn/module_impl.h"

/* One call of a module; shared by its two functions. */
struct kdl__module_call {
    int references;
    kdl_module *module;      /* retained */
    kdl_tensor *grad_output; /* owned, during a backward pass */
    bool has_input;
};

static void release_call(kdl__module_call *call)
{
    if (!call || --call->references > 0)
        return;
    kdl_context *ctx = call->module->ctx;
    kdl_tensor_release(call->grad_output);
    kdl_module_release(call->module);
    kdl_free(ctx, call);
}

static void destroy(kdl__function *function)
{
    release_call((kdl__module_call *)function->table);
}

static void replace(kdl_tensor **tensor, kdl_tensor *given)
{
    if (given) {
        kdl_tensor_release(*tensor);
        *tensor = given;
    }
}

/* The gradient of the input as the hooks leave it. Consumes it; it may be NULL. */
static kdl_tensor *run_backward_hooks(kdl__module_call *call, kdl_tensor *grad_input)
{
    kdl_module *module = call->module;
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_BACKWARD);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook)) {
        kdl_tensor *given = ((kdl_backward_hook *)hook->function)(
            module, grad_input, call->grad_output, hook->user_data);
        if (given && !grad_input)
            kdl__fail_at(module->ctx, "kdl_backward", KDL_ERROR_RUNTIME,
                         "Backward hook for Modules where no input requires gradient should always "
                         "return None or None for all gradients.");
        replace(&grad_input, given);
    }
    kdl__hooks_end(module);
    return grad_input;
}

static void output_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__module_call *call = (kdl__module_call *)function->table;
    kdl_module *module = call->module;
    kdl_tensor *given = kdl_tensor_retain(grad);
    kdl__hook *hook = kdl__hooks_begin(module, KDL__HOOK_BACKWARD_PRE);
    for (; hook && !kdl__failed(module->ctx); hook = kdl__hooks_next(hook))
        replace(&given, ((kdl_backward_pre_hook *)hook->function)(module, given, hook->user_data));
    kdl__hooks_end(module);
    kdl_tensor_release(call->grad_output);
    call->grad_output = kdl_tensor_retain(given);
    if (!call->has_input)
        kdl_tensor_release(run_backward_hooks(call, NULL));
    kdl__give(function, 0, given);
}

static void input_backward(kdl__function *function, kdl_tensor *grad)
{
    kdl__module_call *call = (kdl__module_call *)function->table;
    kdl__give(function, 0, run_backward_hooks(call, kdl_tensor_retain(grad)));
    kdl_tensor_release(call->grad_output);
    call->grad_output = NULL;
}

static const kdl__function_class output_class = { "BackwardHookFunctionBackward", output_backward };
static const kdl__function_class input_class = { "BackwardHookFunctionBackward", input_backward };

/* Puts a tensor with the same values, made by a function of the call, in the place of *tensor. */
static bool wrap(kdl__module_call *call, const kdl__function_class *class, kdl_tensor **tensor)
{
    kdl_context *ctx = call->module->ctx;
    const kdl__tape *tape = kdl__no_grad(ctx);
    kdl_tensor *alias = kdl_alias(*tensor);
    ctx->tape = tape;
    kdl__function *function = kdl__record(alias, class, 1, *tensor);
    if (!function) {
        kdl_tensor_release(alias);
        return false;
    }
    function->table = call;
    function->destroy = destroy;
    call->references++;
    replace(tensor, alias);
    return true;
}

kdl__module_call *kdl__begin_module_call(kdl_module *module, kdl_tensor **input)
{
    kdl__module_call *call = kdl__alloc_zeroed(module->ctx, 1, sizeof *call);
    if (!call)
        return NULL;
    call->references = 1;
    call->module = kdl_module_retain(module);
    call->has_input = *input && kdl__requires_grad(*input) && wrap(call, &input_class, input);
    return call;
}

void kdl__end_module_call(kdl__module_call *call, kdl_tensor **output)
{
    if (call && *output && kdl__requires_grad(*output))
        wrap(call, &output_class, output);
    release_call(call);
}
