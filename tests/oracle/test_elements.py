# SPDX-License-Identifier: Apache-2.0
"""Dropouts with PyTorch's bits, activations with parameters or draws, Lazy modules, bilinear."""
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import BUILD
from kindling import BOOL, DOUBLE, FUNCTIONS, INT, POINTER, KindlingError, NewTensor
from test_autograd import DTYPES, compare, sample
from test_windows_shape import texts
from training import assert_close, default_path, load_training
from windows import Windows

DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
            "feature_alpha_dropout")
FUNCTIONS.update({
    **{f"kdl_f_{name}": (NewTensor, POINTER, DOUBLE, BOOL) for name in DROPOUTS},
    "kdl_f_glu": (NewTensor, POINTER, INT),
    "kdl_f_softmin": (NewTensor, POINTER, INT),
    "kdl_f_prelu": (NewTensor, POINTER, POINTER),
    "kdl_f_rrelu": (NewTensor, POINTER, DOUBLE, DOUBLE, BOOL),
    "kdl_f_bilinear": (NewTensor, *(POINTER,) * 4),
})


@pytest.fixture(scope="module")
def context():
    return Windows(load_training(default_path(BUILD)))


def same_stream(context):
    context.default_generator().load_state(torch.get_rng_state().numpy().tobytes())


def assert_stream(context, *what):
    assert (context.default_generator().state() ==
            torch.get_rng_state().numpy().tobytes()), what


@pytest.mark.parametrize("dtype", (*DTYPES, torch.float16, torch.bfloat16), ids=str)
@pytest.mark.parametrize("name", DROPOUTS)
def test_dropouts(context, name, dtype):
    """Every bit of values and gradients, and the stream afterwards."""
    torch.manual_seed(1)
    shapes = {"dropout1d": ((3, 5), (2, 3, 40)), "dropout2d": ((2, 3, 5), (2, 3, 4, 5)),
              "dropout3d": ((3, 2, 4, 5), (2, 3, 2, 4, 5))}
    for shape in shapes.get(name, ((7, 3), (2, 3, 5), (20, 30), (0, 3))):
        for p in (0.0, 0.2, 0.5, 0.9, 1.0):
            for training in (True, False):
                if 0 in shape and name in DROPOUTS[1:4]:
                    continue
                x = torch.randn(shape).to(dtype).requires_grad_()
                mine = context.leaf(x)
                same_stream(context)
                got = context.call(f"kdl_f_{name}", mine, p, training)
                expected = getattr(F, name)(x, p, training)
                assert_stream(context, shape, p)
                assert torch.equal(got.torch(), expected.detach()), (shape, p)
                weights = torch.randn(shape).to(dtype)
                expected.backward(weights)
                context.backward(got, context.tensor(weights))
                assert torch.equal(context.grad(mine), x.grad), (shape, p)


def test_dropout_of_strided(context):
    x = torch.randn(5, 4, 3)
    mine = context.tensor(x).kdl_transpose(0, 2)
    same_stream(context)
    got = mine.kdl_f_dropout(0.5, True)
    assert torch.equal(got.torch(), F.dropout(x.transpose(0, 2), 0.5))
    assert_stream(context)


@pytest.mark.parametrize("name", DROPOUTS)
def test_dropout_refusals(context, name):
    ones = torch.ones(3, 3, 3, 3)
    for p in (2.0, -0.5):
        expected, got = texts(lambda: getattr(F, name)(ones, p, True),
                              lambda: context.call(f"kdl_f_{name}", context.tensor(ones), p, True))
        assert expected == got
    if name in ("dropout1d", "dropout2d", "feature_alpha_dropout"):
        expected, got = texts(
            lambda: getattr(F, name)(torch.ones(3), 0.5, True),
            lambda: context.call(f"kdl_f_{name}", context.tensor(torch.ones(3)), 0.5, True))
        assert expected == got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rrelu(context, dtype):
    torch.manual_seed(2)
    for shape in ((5,), (3, 4, 7), (40, 50), (0, 3), ()):
        for lower, upper in ((1 / 8, 1 / 3), (-1.0, 2.0), (0.5, 0.5)):
            for training in (True, False):
                x = sample(shape, dtype, strided=True)
                mine = context.leaf(x)
                same_stream(context)
                got = context.call("kdl_f_rrelu", mine, lower, upper, training)
                expected = F.rrelu(x, lower, upper, training)
                assert_stream(context, shape)
                if training:
                    assert torch.equal(got.torch(), expected.detach()), (shape, lower)
                assert_close(got.torch().contiguous(), expected.detach(), shape)
                weights = torch.randn(shape, dtype=dtype)
                expected.backward(weights)
                context.backward(got, context.tensor(weights))
                assert_close(context.grad(mine), x.grad, shape, lower, training)
    expected, got = texts(lambda: F.rrelu(torch.ones(3), 0.5, 0.3),
                          lambda: context.tensor(torch.ones(3)).kdl_f_rrelu(0.5, 0.3, False))
    assert expected == got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gates(context, dtype):
    torch.manual_seed(3)
    for shape, dim in (((4,), 0), ((2, 6), 1), ((2, 6), -1), ((4, 3, 2), 0), ((0, 2), 1)):
        compare(context, lambda t: context.call("kdl_f_glu", t, dim), lambda t: F.glu(t, dim),
                [sample(shape, dtype, strided=True)], shape, dim)
    for shape in ((), (5,), (3, 4), (2, 3, 5), (2, 3, 4, 5), (0, 3)):
        for count in {1, shape[1] if len(shape) > 1 else 1}:
            x = sample(shape, dtype)
            if x.numel():
                with torch.no_grad():
                    x.view(-1)[0] = 0
            weight = sample((count,), dtype)
            compare(context, lambda a, b: context.call("kdl_f_prelu", a, b), F.prelu, [x, weight],
                    shape, count)
    for shape in ((3, 4), (2, 3, 5)):
        compare(context, lambda t: context.call("kdl_f_softmin", t, 1), lambda t: F.softmin(t, 1),
                [sample(shape, dtype)], shape)
    for shape, dim in (((3,), 0), ((), 0), ((2, 4), 5)):
        expected, got = texts(lambda: F.glu(torch.ones(shape), dim),
                              lambda: context.tensor(torch.ones(shape)).kdl_f_glu(dim))
        assert expected == got
    for shape, weight in (((2, 3), (2,)), ((3,), (2,)), ((3,), (2, 2))):
        expected, got = texts(
            lambda: F.prelu(torch.ones(shape), torch.ones(weight)),
            lambda: context.tensor(torch.ones(shape)).kdl_f_prelu(context.tensor(torch.ones(weight))))
        assert expected == got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_bilinear(context, dtype):
    torch.manual_seed(4)
    for batch in ((), (3,), (2, 3), (0,)):
        inputs = [sample((*batch, 3), dtype), sample((*batch, 4), dtype),
                  sample((5, 3, 4), dtype), sample((5,), dtype)]
        compare(context, lambda *t: context.call("kdl_f_bilinear", *t), F.bilinear, inputs, batch)
        for value in inputs:
            value.grad = None
        compare(context, lambda *t: context.call("kdl_f_bilinear", *t, None), F.bilinear,
                inputs[:3], batch)
    ones = torch.ones
    for a, b, bias in (((2, 2), (2, 4), 5), ((2, 3), (2, 3), 5), ((2, 3), (1, 2, 4), 5),
                       ((2, 3), (3, 4), 5), ((2, 3), (2, 4), 4)):
        expected, got = texts(
            lambda: F.bilinear(ones(a), ones(b), ones(5, 3, 4), ones(bias)),
            lambda: context.call("kdl_f_bilinear", *map(context.tensor, (
                ones(a), ones(b), ones(5, 3, 4), ones(bias)))))
        assert expected == got


LAZY = (("LazyLinear(3)", (2, 5)), ("LazyConv1d(4, 3)", (2, 3, 7)), ("LazyConv2d(4, 2)", (3, 5, 6)),
        ("LazyConv3d(2, 2)", (1, 3, 3, 4, 5)), ("LazyConvTranspose1d(4, 3)", (2, 3, 7)),
        ("LazyConvTranspose2d(4, 2)", (3, 5, 6)), ("LazyConvTranspose3d(2, 2)", (1, 3, 3, 4, 5)),
        ("LazyBatchNorm1d()", (4, 3)), ("LazyBatchNorm2d()", (2, 3, 4, 5)),
        ("LazyBatchNorm3d()", (2, 3, 2, 4, 5)), ("LazyInstanceNorm1d()", (2, 3, 4)),
        ("LazyInstanceNorm2d()", (2, 3, 4, 5)), ("LazyInstanceNorm3d()", (2, 3, 2, 4, 5)))


@pytest.mark.parametrize("call,shape", LAZY, ids=str)
def test_lazy(context, call, shape):
    """The first call tells the shapes, draws as PyTorch does, and changes the class."""
    torch.manual_seed(5)
    x = torch.randn(shape)
    ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn})  # noqa: S307
    for _ in range(2):
        same_stream(context)
        got, expected = context.call("kdl_forward", ours, context.tensor(x)), theirs(x)
        assert_stream(context, call)
        assert_close(got.torch().contiguous(), expected.detach(), call)
        assert str(ours) == str(theirs)


def test_dimensions(context):
    """A module says what dimensions it wants, as PyTorch's does."""
    for call, shape in (("BatchNorm1d(3)", (2, 3, 4, 5)), ("BatchNorm2d(3)", (2, 3, 4)),
                        ("BatchNorm3d(3)", (2, 3, 4)), ("SyncBatchNorm(3)", (3,)),
                        ("InstanceNorm2d(3)", (2, 3)), ("InstanceNorm1d(3, affine=True)", (2, 4, 3)),
                        ("Softmax2d()", (3, 4)), ("CircularPad2d(1)", (3, 4))):
        expected, got = texts(
            lambda: eval("nn." + call, {"nn": nn})(torch.ones(shape)),  # noqa: S307
            lambda: context.call("kdl_forward", context.nn(call), context.tensor(torch.ones(shape))))
        assert expected == got


def test_numbers_that_are_ints(context):
    """ELU(alpha=2) and the like: a Python int counts as the number it is."""
    x = torch.linspace(-3, 3, 12).view(3, 4)
    for call in ("ELU(alpha=2)", "LeakyReLU(negative_slope=1)", "Hardtanh(-1, 2)", "Dropout(p=1)",
                 "Softplus(beta=2, threshold=3)", "Threshold(0, 7)", "LayerNorm(4, eps=1)",
                 "BatchNorm1d(4, momentum=1, eps=1)", "Softmax()", "LogSoftmax()", "Softmin()"):
        ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn})  # noqa: S307
        got = context.call("kdl_forward", ours, context.tensor(x))
        assert_close(got.torch().contiguous(), theirs(x).detach(), call)
        for (_, tensor), buffer in zip(ours.iterate("named_buffers"), theirs.buffers()):
            if buffer.is_floating_point():
                assert_close(tensor.torch(), buffer, call)
    with pytest.raises(KindlingError):
        context.call("kdl_forward", context.nn("PReLU(3)"), context.tensor(x))
