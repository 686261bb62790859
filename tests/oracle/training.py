# SPDX-License-Identifier: Apache-2.0
"""libkindling_train through ctypes: what kindling.py is for libkindling."""
import ctypes
import os
import pathlib

import torch
from torch import nn

from kindling import (BOOL, DOUBLE, FUNCTIONS, INT, LONG, POINTER, SIZE, TEXT, Context,
                      KindlingError, Module,
                      NewTensor, RandomOptions, Shape, Status, Tensor, load)

NUMBER = (NewTensor, POINTER, DOUBLE)
TWO = (NewTensor, POINTER, POINTER)
ONE = (NewTensor, POINTER)


class Hook(ctypes.Structure):
    """kdl_hook."""

    _fields_ = [("module", POINTER), ("id", ctypes.c_uint64)]


class BackwardOptions(ctypes.Structure):
    """kdl_backward_options."""

    _fields_ = [("nbytes", SIZE), ("gradient", POINTER), ("retain_graph", BOOL)]


class ClassLossOptions(ctypes.Structure):
    """kdl_f_class_loss_options."""

    _fields_ = [("nbytes", SIZE), ("ignore_index", LONG), ("reduction", INT),
                ("weight", POINTER), ("label_smoothing", DOUBLE)]


NO_INT, NO_FLOAT = -2**63, float("nan")


class IntOrShape(ctypes.Structure):
    """KDL_INT_OR_SHAPE: an int has no dimensions."""

    _fields_ = Shape._fields_

    @classmethod
    def of(cls, value):
        values = value if isinstance(value, tuple) else (value,)
        return cls((LONG * 16)(*values), len(value) if isinstance(value, tuple) else 0)


class ConvOptions(ctypes.Structure):
    """kdl_f_conv_options."""

    _fields_ = [("nbytes", SIZE), ("stride", IntOrShape), ("padding", IntOrShape),
                ("dilation", IntOrShape), ("groups", LONG)]


class PoolOptions(ctypes.Structure):
    """kdl_f_pool_options."""

    _fields_ = [("nbytes", SIZE), ("stride", IntOrShape), ("padding", IntOrShape),
                ("dilation", IntOrShape), ("ceil_mode", BOOL), ("count_include_pad", BOOL),
                ("divisor_override", LONG), ("indices", ctypes.POINTER(POINTER))]


class EmbeddingOptions(ctypes.Structure):
    """kdl_f_embedding_options."""

    _fields_ = [("nbytes", SIZE), ("padding_idx", LONG), ("max_norm", DOUBLE),
                ("norm_type", DOUBLE), ("scale_grad_by_freq", BOOL), ("sparse", BOOL)]


class EmbeddingBagOptions(ctypes.Structure):
    """kdl_f_embedding_bag_options."""

    _fields_ = [("nbytes", SIZE), ("max_norm", DOUBLE), ("norm_type", DOUBLE),
                ("scale_grad_by_freq", BOOL), ("mode", TEXT), ("per_sample_weights", POINTER),
                ("include_last_offset", BOOL), ("padding_idx", LONG), ("sparse", BOOL)]


REDUCTIONS = ("none", "mean", "sum")
LOSS2, LOSS3 = (NewTensor, POINTER, POINTER), (NewTensor, POINTER, POINTER, POINTER)
BACKWARD_PRE_HOOK = ctypes.CFUNCTYPE(POINTER, POINTER, POINTER, POINTER)
BACKWARD_HOOK = ctypes.CFUNCTYPE(POINTER, POINTER, POINTER, POINTER, POINTER)
HOOK = ctypes.CFUNCTYPE(POINTER, POINTER, POINTER)

FUNCTIONS.update({
    "kdl_train_enable": (Status, POINTER),
    "kdl_set_grad_enabled": (BOOL, POINTER, BOOL),
    "kdl_backward_with": (Status, POINTER, ctypes.POINTER(BackwardOptions)),
    "kdl_tensor_grad": (POINTER, POINTER),
    "kdl_register_full_backward_pre_hook": (Hook, POINTER, BACKWARD_PRE_HOOK, POINTER, BOOL),
    "kdl_register_full_backward_hook": (Hook, POINTER, BACKWARD_HOOK, POINTER, BOOL),
    "kdl_tensor_grad_rows": (POINTER, POINTER),
    "kdl_tensor_set_grad": (Status, POINTER, POINTER),
    "kdl_tensor_is_leaf": (BOOL, POINTER),
    "kdl_tensor_grad_fn": (TEXT, POINTER),
    "kdl_tensor_version": (ctypes.c_uint32, POINTER),
    "kdl_retain_grad": (Status, POINTER),
    "kdl_tensor_register_hook": (ctypes.c_uint64, POINTER, HOOK, POINTER),
    "kdl_tensor_remove_hook": (None, POINTER, ctypes.c_uint64),
    "kdl_forward": (NewTensor, POINTER, POINTER),
    "kdl_where": (NewTensor, POINTER, POINTER, POINTER),
    "kdl_clamp": (NewTensor, POINTER, DOUBLE, DOUBLE),
    "kdl_matmul": TWO,
    **{f"kdl_{name}": NUMBER for name in ("add", "sub", "mul", "div", "rsub", "rdiv", "pow")},
    **{f"kdl_{name}_tensor": TWO for name in ("add", "sub", "mul", "div", "pow")},
    "kdl_maximum": TWO,
    "kdl_minimum": TWO,
    **{f"kdl_{name}": ONE for name in (
        "neg", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "square", "sin",
        "cos", "tan", "tanh", "erf", "sigmoid", "sum", "mean", "exp2", "log2", "log10", "sinh",
        "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "erfc", "sign", "floor", "ceil",
        "round", "trunc", "logical_not")},
    **{f"kdl_{name}": TWO for name in ("eq_tensor", "ne_tensor", "lt_tensor", "le_tensor",
                                       "gt_tensor", "ge_tensor", "logical_and", "logical_or",
                                       "logical_xor", "masked_select")},
    **{f"kdl_{name}": (NewTensor, POINTER, INT, POINTER) for name in ("gather", "index_select")},
    "kdl_masked_fill": (NewTensor, POINTER, POINTER, DOUBLE),
    **{f"kdl_{name}": (INT, POINTER, LONG, INT, ctypes.POINTER(POINTER), INT)
       for name in ("split", "chunk")},
    "kdl_f_one_hot": (NewTensor, POINTER, LONG),
    **{f"kdl_{name}_dim": (NewTensor, POINTER, INT, BOOL) for name in ("sum", "mean")},
    **{f"kdl_{name}_dim": (NewTensor, POINTER, INT, BOOL, ctypes.POINTER(POINTER))
       for name in ("max", "min")},
    **{f"kdl_{name}": (NewTensor, POINTER, INT, BOOL) for name in ("argmax", "argmin")},
    "kdl_bmm": (NewTensor, POINTER, POINTER),
    "kdl_addmm": (NewTensor, POINTER, POINTER, POINTER, DOUBLE, DOUBLE),
    **{f"kdl_{name}_dims": (NewTensor, POINTER, INT, ctypes.POINTER(INT), BOOL) for name in ("sum", "mean")},
    **{f"kdl_{name}": (NewTensor, POINTER) for name in ("max", "min", "prod", "any", "all")},
    **{f"kdl_{name}": (NewTensor, POINTER, DOUBLE) for name in ("var", "std")},
    **{f"kdl_{name}": (NewTensor, POINTER, INT, POINTER, POINTER)
       for name in ("scatter", "scatter_add")},
    "kdl_index_add": (NewTensor, POINTER, INT, POINTER, POINTER, DOUBLE),
    "kdl_sort": (NewTensor, POINTER, INT, BOOL, ctypes.POINTER(POINTER)),
    "kdl_argsort": (NewTensor, POINTER, INT, BOOL),
    "kdl_topk": (NewTensor, POINTER, LONG, INT, BOOL, ctypes.POINTER(POINTER)),
    "kdl_multinomial_with": (NewTensor, POINTER, LONG, BOOL, ctypes.POINTER(RandomOptions)),
    "kdl_unbind": (INT, POINTER, INT, ctypes.POINTER(POINTER), INT),
    "kdl_flip": (NewTensor, POINTER, INT, ctypes.POINTER(INT)),
    "kdl_roll": (NewTensor, POINTER, LONG, INT),
    "kdl_tile": (NewTensor, POINTER, Shape),
    "kdl_tril": (NewTensor, POINTER, LONG),
    "kdl_triu": (NewTensor, POINTER, LONG),
    "kdl_cat": (NewTensor, ctypes.POINTER(POINTER), INT, INT),
    "kdl_stack": (NewTensor, ctypes.POINTER(POINTER), INT, INT),
    "kdl_f_linear": (NewTensor, POINTER, POINTER, POINTER),
    **{f"kdl_f_{name}": ONE for name in (
        "relu", "relu6", "logsigmoid", "silu", "mish", "softsign", "tanhshrink", "hardsigmoid",
        "hardswish", "selu")},
    **{f"kdl_f_{name}": NUMBER for name in ("elu", "celu", "leaky_relu", "softshrink",
                                            "hardshrink")},
    **{f"kdl_f_{name}": (NewTensor, POINTER, DOUBLE, DOUBLE)
       for name in ("hardtanh", "softplus", "threshold")},
    "kdl_f_gelu": (NewTensor, POINTER, TEXT),
    "kdl_f_softmax": (NewTensor, POINTER, INT),
    "kdl_f_log_softmax": (NewTensor, POINTER, INT),
    "kdl_f_dropout": (NewTensor, POINTER, DOUBLE, BOOL),
    "kdl_f_mse_loss": (NewTensor, POINTER, POINTER, INT),
    "kdl_f_l1_loss": (NewTensor, POINTER, POINTER, INT),
    "kdl_f_cross_entropy_with": (NewTensor, POINTER, POINTER, ctypes.POINTER(ClassLossOptions)),
    "kdl_f_nll_loss_with": (NewTensor, POINTER, POINTER, ctypes.POINTER(ClassLossOptions)),
    **{f"kdl_f_{name}": (*LOSS2, INT)
       for name in ("soft_margin_loss", "multilabel_margin_loss")},
    **{f"kdl_f_{name}": (*LOSS2, INT, DOUBLE) for name in ("smooth_l1_loss", "huber_loss")},
    **{f"kdl_f_{name}": (*LOSS3, INT)
       for name in ("binary_cross_entropy", "multilabel_soft_margin_loss")},
    "kdl_f_binary_cross_entropy_with_logits": (*LOSS3, POINTER, INT),
    "kdl_f_linear_cross_entropy_with": (*LOSS3, POINTER),
    "kdl_f_hinge_embedding_loss": (*LOSS2, DOUBLE, INT),
    "kdl_f_kl_div": (*LOSS2, INT, BOOL),
    "kdl_f_poisson_nll_loss": (*LOSS2, BOOL, BOOL, DOUBLE, INT),
    "kdl_f_gaussian_nll_loss": (*LOSS3, BOOL, DOUBLE, INT),
    "kdl_f_multi_margin_loss": (*LOSS2, LONG, DOUBLE, POINTER, INT),
    "kdl_f_ctc_loss": (*LOSS3, POINTER, LONG, INT, BOOL),
    "kdl_f_cosine_similarity": (*LOSS2, INT, DOUBLE),
    "kdl_f_pairwise_distance": (*LOSS2, DOUBLE, DOUBLE, BOOL),
    "kdl_f_normalize": (NewTensor, POINTER, DOUBLE, INT, DOUBLE),
    **{f"kdl_f_{name}": (*LOSS3, DOUBLE, INT)
       for name in ("margin_ranking_loss", "cosine_embedding_loss")},
    "kdl_f_triplet_margin_loss": (*LOSS3, DOUBLE, DOUBLE, DOUBLE, BOOL, INT),
    **{f"kdl_{name}_dim": (NewTensor, POINTER, INT, DOUBLE, BOOL) for name in ("var", "std")},
    "kdl_norm_dim": (NewTensor, POINTER, DOUBLE, INT, BOOL),
    **{f"kdl_{name}": (NewTensor, POINTER, INT, BOOL)
       for name in ("logsumexp", "prod_dim", "amax", "amin")},
    "kdl_cumsum": (NewTensor, POINTER, INT),
    "kdl_use_deterministic_algorithms": (None, POINTER, BOOL),
    "kdl_module_zero_grad": (Status, POINTER, BOOL),
    "kdl_adaptive_log_prob": (NewTensor, POINTER, POINTER),
    "kdl_adaptive_predict": (NewTensor, POINTER, POINTER),
    "kdl_call_with": (Status, POINTER, ctypes.POINTER(POINTER), INT, ctypes.POINTER(POINTER), INT),
    "kdl_f_embedding_with": (NewTensor, POINTER, POINTER, ctypes.POINTER(EmbeddingOptions)),
    "kdl_f_embedding_bag_with": (NewTensor, POINTER, POINTER, POINTER,
                                 ctypes.POINTER(EmbeddingBagOptions)),
    "kdl_f_bilinear": (NewTensor, POINTER, POINTER, POINTER, POINTER),
    "kdl_f_conv_with": (NewTensor, INT, POINTER, POINTER, POINTER, ctypes.POINTER(ConvOptions)),
    "kdl_f_max_pool_with": (NewTensor, INT, POINTER, Shape, ctypes.POINTER(PoolOptions)),
    "kdl_f_avg_pool_with": (NewTensor, INT, POINTER, Shape, ctypes.POINTER(PoolOptions)),
    "kdl_f_adaptive_avg_pool": (NewTensor, INT, POINTER, Shape),
    "kdl_f_layer_norm": (NewTensor, POINTER, Shape, POINTER, POINTER, DOUBLE),
    "kdl_f_rms_norm": (NewTensor, POINTER, Shape, POINTER, DOUBLE),
    "kdl_f_group_norm": (NewTensor, POINTER, LONG, POINTER, POINTER, DOUBLE),
    "kdl_f_batch_norm": (NewTensor, POINTER, POINTER, POINTER, POINTER, POINTER, BOOL, DOUBLE,
                         DOUBLE),
    "kdl_module_train": (Status, POINTER, BOOL),
})


def ints(values):
    """An array of int, such as dimensions."""
    return (INT * max(len(values), 1))(*values)


def load_training(path):
    """libkindling_train, which lies beside libkindling; a look-up in it finds both's functions."""
    return load(pathlib.Path(path).with_name("libkindling_train.so"))


def default_path(build):
    return os.environ.get("KINDLING_LIBRARY", str(build / "libkindling.so"))


class Training(Context):
    """A context that can train."""

    def __init__(self, library, threads=1):
        super().__init__(library, threads=threads)
        self.call("kdl_train_enable", self)

    def leaf(self, value):
        """A copy of a torch.Tensor that requires gradients where that does."""
        tensor = self.tensor(value)
        if value.requires_grad:
            tensor.kdl_requires_grad_(True)
        return tensor

    def many(self, name, tensors, dim):
        """kdl_cat or kdl_stack."""
        if not tensors:  # there is no context to hold the error
            raise KindlingError("RuntimeError", "expected a non-empty list of tensors")
        pointers = (POINTER * len(tensors))(*(tensor.pointer for tensor in tensors))
        return self.call(name, pointers, len(tensors), dim)

    def parts(self, name, tensor, *arguments):
        """kdl_split, kdl_chunk or kdl_unbind."""
        results = (POINTER * 16)()
        count = self.call(name, tensor, *arguments, results, 16)
        return [Tensor(self, result) for result in results[:count]]

    def ordered(self, name, tensor, *arguments):
        """kdl_sort or kdl_topk: the values, and where they were."""
        indices = POINTER()
        values = self.call(name, tensor, *arguments, ctypes.byref(indices))
        return values, Tensor(self, indices.value).torch()

    def backward(self, tensor, gradient=None, retain_graph=False):
        self.call("kdl_backward_with", tensor,
                  BackwardOptions(ctypes.sizeof(BackwardOptions),
                                  gradient.pointer if gradient else None, retain_graph))

    def grad(self, tensor):
        """A copy of a tensor's gradient, or None."""
        grad = self.call("kdl_tensor_grad", tensor)
        return grad and Tensor(self, self.library.kdl_tensor_retain(grad)).torch().contiguous()

    def sparse_grad(self, tensor):
        """Copies of a sparse gradient's rows and their values."""
        rows = self.call("kdl_tensor_grad_rows", tensor)
        return Tensor(self, self.library.kdl_tensor_retain(rows)).torch(), self.grad(tensor)

    def class_loss(self, name, scores, labels, ignore_index=-100, reduction="mean", weight=None,
                   label_smoothing=0.0):
        return self.call(f"kdl_f_{name}_with", scores, labels,
                         ClassLossOptions(ctypes.sizeof(ClassLossOptions), ignore_index,
                                          REDUCTIONS.index(reduction), weight and weight.pointer,
                                          label_smoothing))

    def child(self, module, index):
        """A child of a container."""
        return Module(self, self.library.kdl_module_retain(self.call("kdl_child", module, index)))

    def module_call(self, module, *inputs, outputs=1):
        """module(*inputs): its outputs, None for those that it does not give."""
        given = (POINTER * max(len(inputs), 1))(*(value and value.pointer for value in inputs))
        results = (POINTER * outputs)()
        self.call("kdl_call_with", module, given, len(inputs), results, outputs)
        return [Tensor(self, result) if result else None for result in results]

    def conv(self, count, x, weight, bias, stride=1, padding=0, dilation=1, groups=1):
        """F.conv1d to conv3d."""
        padding = {"same": -2**63 + 1, "valid": -2**63 + 2}.get(padding, padding)
        return self.call("kdl_f_conv_with", count, x, weight, bias,
                         ConvOptions(ctypes.sizeof(ConvOptions), IntOrShape.of(stride),
                                     IntOrShape.of(padding), IntOrShape.of(dilation), groups))

    def embedding(self, indices, weight, padding_idx=None, max_norm=None, norm_type=2.0,
                  scale_grad_by_freq=False, sparse=False):
        """F.embedding."""
        return self.call("kdl_f_embedding_with", indices, weight, EmbeddingOptions(
            ctypes.sizeof(EmbeddingOptions), NO_INT if padding_idx is None else padding_idx,
            NO_FLOAT if max_norm is None else max_norm, norm_type, scale_grad_by_freq, sparse))

    def embedding_bag(self, indices, weight, offsets=None, max_norm=None, norm_type=2.0,
                      scale_grad_by_freq=False, mode="mean", per_sample_weights=None,
                      include_last_offset=False, padding_idx=None, sparse=False):
        """F.embedding_bag."""
        return self.call("kdl_f_embedding_bag_with", indices, weight, offsets, EmbeddingBagOptions(
            ctypes.sizeof(EmbeddingBagOptions), NO_FLOAT if max_norm is None else max_norm,
            norm_type, scale_grad_by_freq, mode.encode(),
            per_sample_weights and per_sample_weights.pointer, include_last_offset,
            NO_INT if padding_idx is None else padding_idx, sparse))

    def pool(self, name, count, x, kernel_size, stride=None, padding=0, dilation=1,
             ceil_mode=False, count_include_pad=True, divisor_override=None):
        """F.max_pool1d to avg_pool3d: name is "max" or "avg"."""
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * count
        options = PoolOptions(
            ctypes.sizeof(PoolOptions), IntOrShape.of(NO_INT if stride is None else stride),
            IntOrShape.of(padding), IntOrShape.of(dilation), ceil_mode, count_include_pad,
            NO_INT if divisor_override is None else divisor_override)
        return self.call(f"kdl_f_{name}_pool_with", count, x, list(kernel), options)


def twins(context, *calls, seed=0):
    """The same layers here and there, in a Sequential."""
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    ours, theirs = context.nn("Sequential()"), nn.Sequential()
    for call in calls:
        layer = context.nn(call)
        context.call("kdl_append", ours, context.library.kdl_module_retain(layer.pointer))
        theirs.append(eval("nn." + call, {"nn": nn, "torch": torch}))  # noqa: S307
    return ours, theirs


def assert_close(ours, theirs, *what, least=1e-30):
    """
    Within 1e-5 (f64: 1e-10) of the result's scale, or of `least` where that is larger; the same
    infinities and NaNs.
    """
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, what
    if not theirs.is_floating_point():
        assert torch.equal(ours, theirs), what
        return
    limit = {torch.float64: 1e-10, torch.float32: 1e-5}.get(theirs.dtype, 1e-2)
    special = ~theirs.isfinite()
    assert torch.equal(special, ~ours.isfinite()), what
    assert torch.equal(ours[special].nan_to_num(1.5), theirs[special].nan_to_num(1.5)), what
    difference = (ours.double() - theirs.double())[~special].abs()
    scale = theirs.double()[~special].abs()
    if difference.numel():
        assert float(difference.max()) <= limit * max(float(scale.max()), least), (
            what, float(difference.max()), float(scale.max()))


def compare(context, ours, theirs, inputs, *what):
    """Values of a function, and the gradients of those inputs that want one; ours gets Tensors."""
    mine = [context.leaf(value) for value in inputs]
    for value in inputs:
        value.grad = None
    expected, got = theirs(*inputs), ours(*mine)
    assert_close(got.torch().contiguous(), expected.detach(), *what)
    assert got.kdl_tensor_requires_grad() == expected.requires_grad, what
    if not expected.requires_grad:
        return
    weights = torch.randn(expected.shape, dtype=expected.dtype)
    expected.backward(weights)
    context.backward(got, context.tensor(weights))
    for value, tensor in zip(inputs, mine):
        if value.requires_grad:
            assert_close(context.grad(tensor), value.grad, *what, "gradient")
