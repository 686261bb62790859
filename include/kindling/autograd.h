/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reverse-mode differentiation, as torch.autograd: in libkindling_train.
 *
 * Once kdl_train_enable() was called for a context, functions that make tensors from tensors that
 * require gradients record how (as PyTorch does), until kdl_backward() follows the record back and
 * adds up the gradients of its leaves in kdl_tensor_grad(). Nothing is recorded while gradients are
 * switched off (torch.no_grad()).
 *
 * In-place functions are recorded too, on tensors and on views of them, but not on leaves that
 * require gradients, nor on views of those: PyTorch's RuntimeErrors. A view that was made while
 * gradients were switched off counts as a tensor of its own.
 *
 * Gradients of gradients (create_graph) are not there.
 */
#ifndef KINDLING_AUTOGRAD_H
#define KINDLING_AUTOGRAD_H

#include "kindling/module.h"
#include "kindling/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes the context able to train: functions record gradients from now on, and kdl_forward() of
 * torch.nn's modules computes. Call it once, at the beginning; again: nothing happens. The context
 * also keeps memory that tensors of 64 KiB to 64 MiB leave, up to half a gigabyte, for the next
 * ones.
 */
KDL_API kdl_status kdl_train_enable(kdl_context *ctx);

/** torch.is_grad_enabled(): whether functions record; false without kdl_train_enable(). */
KDL_API bool kdl_is_grad_enabled(const kdl_context *ctx);
/**
 * torch.set_grad_enabled(enabled); gives what it was, to set it back:
 *
 *     bool was = kdl_set_grad_enabled(ctx, false); // with torch.no_grad():
 *     ...
 *     kdl_set_grad_enabled(ctx, was);
 */
KDL_API bool kdl_set_grad_enabled(kdl_context *ctx, bool enabled);

/** Options of kdl_backward(); start from KDL_BACKWARD_DEFAULTS. */
typedef struct kdl_backward_options {
    size_t nbytes;        /**< sizeof(kdl_backward_options), for the ABI */
    kdl_tensor *gradient; /**< of the tensor's sizes (borrowed); default NULL: 1, for one element */
    bool retain_graph;    /**< default false: what functions saved is freed on the way */
} kdl_backward_options;

#define KDL_BACKWARD_DEFAULTS                                                                      \
    {                                                                                              \
        sizeof(kdl_backward_options), NULL, false                                                  \
    }

/**
 * Tensor.backward(gradient=None, retain_graph=False): adds to the gradient of each leaf that the
 * tensor was computed from. PyTorch's RuntimeErrors: for a tensor that does not require gradients,
 * no gradient for more than one element, one of other sizes, a graph that was freed, and values
 * that were needed but have been overwritten since. After an error gradients may be incomplete;
 * kdl_module_zero_grad() and a new forward pass start afresh.
 */
#define kdl_backward(tensor, ...)                                                                  \
    KDL__WITH(kdl_backward_options, KDL_BACKWARD_DEFAULTS, (__VA_ARGS__), kdl_backward_with, tensor)
KDL_API kdl_status kdl_backward_with(kdl_tensor *tensor, const kdl_backward_options *options);

/**
 * Tensor.grad._indices()[0] of a sparse gradient (borrowed), i64: kdl_tensor_grad() then has those
 * rows of the tensor only, and one may be there more than once. NULL: the gradient is dense, or
 * None. Sparse gradients come from kdl_f_embedding(..., .sparse = true); optim.h says who takes
 * them.
 */
KDL_API kdl_tensor *kdl_tensor_grad_rows(const kdl_tensor *tensor);

/** Tensor.is_leaf: whether it was not computed from tensors that require gradients. */
KDL_API bool kdl_tensor_is_leaf(const kdl_tensor *tensor);
/**
 * Tensor.retain_grad(): a tensor that is no leaf gets its gradient too. RuntimeError as PyTorch.
 */
KDL_API kdl_status kdl_retain_grad(kdl_tensor *tensor);
/** type(Tensor.grad_fn).__name__, e.g. "MulBackward0" (a static string); NULL: None. */
KDL_API const char *kdl_tensor_grad_fn(const kdl_tensor *tensor);
/** Tensor._version: how often in-place functions have written its storage. */
KDL_API uint32_t kdl_tensor_version(const kdl_tensor *tensor);

/**
 * What a hook does with the gradient (borrowed) of a tensor: gives another one in its place (one
 * reference, of the same sizes and dtype), or NULL to leave it.
 */
typedef kdl_tensor *kdl_tensor_hook(kdl_tensor *grad, void *user_data);

/**
 * Tensor.register_hook(hook): called in order of registration whenever the tensor's gradient is
 * computed, before it is used and added up. Gives a number for kdl_tensor_remove_hook(), 0 on
 * failure. RuntimeError for a tensor that requires no gradient.
 */
KDL_API uint64_t kdl_tensor_register_hook(kdl_tensor *tensor, kdl_tensor_hook *hook,
                                          void *user_data);
/** handle.remove(): a number that is not there is ignored. */
KDL_API void kdl_tensor_remove_hook(kdl_tensor *tensor, uint64_t hook);

#ifdef __cplusplus
}
#endif
#endif
