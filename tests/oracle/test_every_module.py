# SPDX-License-Identifier: Apache-2.0
"""Every class of torch.nn that Kindling has computes, forward and backward, as PyTorch's does."""
import ctypes
import inspect

import pytest
import torch
from torch import nn

from conftest import BUILD
from training import Training, assert_close, default_path, load_training, twins

# Those that compute nothing by themselves, here and there.
CONTAINERS = {"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}
IMAGE = {1: (2, 4, 7), 2: (2, 4, 6, 7), 3: (2, 4, 4, 5, 6)}


def per_dimension(text, start=1, shape=None):
    """Calls for 1d to 3d; "{d}" in the text is the number."""
    return {text.format(d=d).split("(")[0]: (text.format(d=d), [shape or IMAGE[d]])
            for d in range(start, 4)}


CALLS = {
    "Identity": ("Identity()", [(2, 3)]),
    "Linear": ("Linear(3, 4)", [(2, 3)]),
    "Bilinear": ("Bilinear(3, 4, 5)", [(2, 3), (2, 4)]),
    "LazyLinear": ("LazyLinear(4)", [(2, 3)]),
    "Flatten": ("Flatten()", [(2, 3, 4)]),
    "Unflatten": ("Unflatten(1, (2, 3))", [(2, 6)]),
    **{name: (f"{name}()", [(3, 8)]) for name in (
        "ReLU", "ReLU6", "Tanh", "Sigmoid", "GELU", "SiLU", "LogSigmoid", "Mish", "Softsign",
        "Tanhshrink", "Hardsigmoid", "Hardswish", "SELU", "ELU", "CELU", "LeakyReLU", "Hardtanh",
        "Softplus", "Softshrink", "Hardshrink", "PReLU", "RReLU", "GLU", "Dropout", "AlphaDropout")},
    **{name: (f"{name}(dim=1)", [(3, 8)]) for name in ("Softmax", "LogSoftmax", "Softmin")},
    "Threshold": ("Threshold(0.1, 2.0)", [(3, 8)]),
    "Softmax2d": ("Softmax2d()", [(2, 3, 4, 5)]),
    "FeatureAlphaDropout": ("FeatureAlphaDropout()", [(2, 3, 4)]),
    **per_dimension("Dropout{d}d()"),
    **per_dimension("Conv{d}d(4, 6, 3, padding=1, groups=2)"),
    **per_dimension("ConvTranspose{d}d(4, 6, 3, stride=2, output_padding=1)"),
    **per_dimension("LazyConv{d}d(6, 3)"), **per_dimension("LazyConvTranspose{d}d(6, 3)"),
    **per_dimension("MaxPool{d}d(2)"), **per_dimension("AvgPool{d}d(2)"),
    **per_dimension("LPPool{d}d(2, 2)"), **per_dimension("AdaptiveMaxPool{d}d(3)"),
    **per_dimension("AdaptiveAvgPool{d}d(3)"), **per_dimension("BatchNorm{d}d(4)"),
    **per_dimension("FractionalMaxPool{d}d(2, output_size=2)", 2),
    **per_dimension("LazyBatchNorm{d}d()"), **per_dimension("InstanceNorm{d}d(4, affine=True)"),
    **per_dimension("LazyInstanceNorm{d}d()"), **per_dimension("ConstantPad{d}d(1, 0.5)"),
    **per_dimension("ZeroPad{d}d(1)"), **per_dimension("ReflectionPad{d}d(1)"),
    **per_dimension("ReplicationPad{d}d(1)"), **per_dimension("CircularPad{d}d(1)"),
    "SyncBatchNorm": ("SyncBatchNorm(4)", [(2, 4, 3)]),
    "GroupNorm": ("GroupNorm(2, 4)", [(2, 4, 3)]),
    "LayerNorm": ("LayerNorm((4, 3))", [(2, 4, 3)]),
    "RMSNorm": ("RMSNorm(3)", [(2, 4, 3)]),
    "LocalResponseNorm": ("LocalResponseNorm(3)", [(2, 4, 3, 3)]),
    "CrossMapLRN2d": ("CrossMapLRN2d(3)", [(2, 4, 3, 3)]),
    "ChannelShuffle": ("ChannelShuffle(2)", [(2, 4, 3, 3)]),
    "PixelShuffle": ("PixelShuffle(2)", [(2, 4, 3, 3)]),
    "PixelUnshuffle": ("PixelUnshuffle(2)", [(2, 4, 6, 4)]),
    "Fold": ("Fold((4, 5), 2)", [(2, 12, 12)]),
    "Unfold": ("Unfold(2)", [(2, 3, 4, 5)]),
    "Upsample": ("Upsample(scale_factor=2, mode='bilinear')", [(2, 3, 4, 5)]),
    "UpsamplingNearest2d": ("UpsamplingNearest2d(scale_factor=2)", [(2, 3, 4, 5)]),
    "UpsamplingBilinear2d": ("UpsamplingBilinear2d(scale_factor=2)", [(2, 3, 4, 5)]),
    "Embedding": ("Embedding(5, 3)", [("labels", 5, (2, 4))]),
    "EmbeddingBag": ("EmbeddingBag(5, 3)", [("labels", 5, (2, 4))]),
    "RNN": ("RNN(3, 4)", [(5, 2, 3)]), "LSTM": ("LSTM(3, 4, num_layers=2)", [(5, 2, 3)]),
    "GRU": ("GRU(3, 4, bidirectional=True)", [(5, 2, 3)]),
    "RNNCell": ("RNNCell(3, 4)", [(2, 3)]), "LSTMCell": ("LSTMCell(3, 4)", [(2, 3)]),
    "GRUCell": ("GRUCell(3, 4)", [(2, 3)]),
    "MultiheadAttention": ("MultiheadAttention(4, 2)", [(5, 2, 4)] * 3),
    "TransformerEncoderLayer": ("TransformerEncoderLayer(4, 2, 8)", [(5, 2, 4)]),
    "TransformerDecoderLayer": ("TransformerDecoderLayer(4, 2, 8)", [(5, 2, 4), (3, 2, 4)]),
    "Transformer": ("Transformer(4, 2, 1, 1, 8)", [(5, 2, 4), (3, 2, 4)]),
    **{f"{name}Loss": (f"{name}Loss()", [(6,), ("same", (6,))]) for name in (
        "L1", "MSE", "SmoothL1", "Huber")},
    "BCELoss": ("BCELoss()", [("probabilities", (6,)), ("probabilities", (6,))]),
    "BCEWithLogitsLoss": ("BCEWithLogitsLoss()", [(6,), ("probabilities", (6,))]),
    "KLDivLoss": ("KLDivLoss(reduction='sum')", [(6,), ("probabilities", (6,))]),
    "PoissonNLLLoss": ("PoissonNLLLoss()", [(6,), ("probabilities", (6,))]),
    "GaussianNLLLoss": ("GaussianNLLLoss()", [(6,), (6,), ("probabilities", (6,))]),
    "SoftMarginLoss": ("SoftMarginLoss()", [(6,), ("signs", (6,))]),
    "HingeEmbeddingLoss": ("HingeEmbeddingLoss()", [(6,), ("signs", (6,))]),
    "MarginRankingLoss": ("MarginRankingLoss()", [(6,), (6,), ("signs", (6,))]),
    "CosineEmbeddingLoss": ("CosineEmbeddingLoss()", [(6, 3), (6, 3), ("signs", (6,))]),
    "MultiLabelSoftMarginLoss": ("MultiLabelSoftMarginLoss()", [(6, 3), ("probabilities", (6, 3))]),
    "MultiLabelMarginLoss": ("MultiLabelMarginLoss()", [(2, 3), ("labels", 3, (2, 3))]),
    **{name: (f"{name}()", [(6, 3), ("labels", 3, (6,))]) for name in (
        "CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")},
    "LinearCrossEntropyLoss": ("LinearCrossEntropyLoss(4, 3)", [(6, 4), ("labels", 3, (6,))]),
    "AdaptiveLogSoftmaxWithLoss": ("AdaptiveLogSoftmaxWithLoss(4, 9, [3])",
                                   [(6, 4), ("labels", 9, (6,))]),
    "CTCLoss": ("CTCLoss()", [(6, 1, 4), ("labels", 4, (1, 2)), ("number", 6), ("number", 2)]),
    "TripletMarginLoss": ("TripletMarginLoss()", [(6, 3)] * 3),
    "TripletMarginWithDistanceLoss": ("TripletMarginWithDistanceLoss()", [(6, 3)] * 3),
    "CosineSimilarity": ("CosineSimilarity()", [(6, 3)] * 2),
    "PairwiseDistance": ("PairwiseDistance()", [(6, 3)] * 2),
}
# Their inputs or their children are made by others: tested where those are.
ELSEWHERE = {"Sequential", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "TransformerEncoder",
             "TransformerDecoder"}
RECURRENT = {"RNN", "LSTM", "GRU"}  # their signatures do not say what they take


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def make(what, dtype):
    """An input: of sizes, from N(0, 1), with gradients; or as its first word says."""
    if not isinstance(what[0], str):
        return torch.randn(what, dtype=dtype, requires_grad=True)
    kind, *rest = what
    if kind == "labels":
        return torch.randint(0, rest[0], rest[1])
    if kind == "number":
        return torch.tensor(rest)
    if kind == "signs":
        return torch.randint(0, 2, rest[0]).mul(2).sub(1).to(dtype)
    values = torch.rand(rest[0], dtype=dtype).mul(0.9).add(0.05)
    return values.requires_grad_() if kind == "probabilities" else values


def test_all_are_here(context):
    names, index = set(), 0
    while pointer := context.library.kdl_nn_class_at(index):
        names.add(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_char_p))[0].decode())
        index += 1
    private = {name for name in names if name.startswith("_")}
    assert names - private - set(CALLS) - CONTAINERS - ELSEWHERE == {
        "Module", "RNNBase", "RNNCellBase"}  # parents of others
    assert names >= set(CALLS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
def test_computes(context, name, dtype):
    call, inputs = CALLS[name]
    if name in RECURRENT or "dtype" in inspect.signature(getattr(nn, name).__init__).parameters:
        call = f"{call[:-1]}, dtype={dtype})".replace("(, ", "(")
    ours, theirs = twins(context, call, seed=3)
    ours, theirs = context.child(ours, 0), theirs[0]
    values = [make(what, dtype) for what in inputs]
    for value in values:
        value.grad = None
    torch.manual_seed(5)
    context.default_generator().manual_seed(5)
    mine = [context.leaf(value) for value in values]
    expected = theirs(*values)
    got = context.module_call(ours, *mine)[0]
    expected = expected[0] if isinstance(expected, tuple) else expected
    assert_close(got.torch().contiguous(), expected.detach(), name)
    weights = torch.randn(expected.shape, dtype=dtype)
    expected.backward(weights)
    context.backward(got, context.tensor(weights))
    for value, tensor in zip(values, mine):
        if value.requires_grad:
            assert_close(context.grad(tensor), value.grad, name, "input")
    for (key, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        grad = context.grad(tensor)
        assert (grad is None) == (parameter.grad is None), key
        if grad is not None:
            assert_close(grad, parameter.grad, name, key)
