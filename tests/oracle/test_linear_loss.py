# SPDX-License-Identifier: Apache-2.0
"""linear_cross_entropy, in chunks and at once, beside PyTorch's."""
import itertools
import warnings

import pytest
import torch
from torch import nn

from conftest import BUILD
from kindling import KindlingError
from training import Training, assert_close, default_path, load_training

OPTIONS = nn.LinearCrossEntropyOptions
LOSS = "LinearCrossEntropyLoss"


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def modules(context, arguments, seed=3):
    """The same module twice, and PyTorch's with its weights."""
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    call = f"nn.{LOSS}({arguments})"
    return context.nn(call), eval(call)  # pylint: disable=eval-used


def compare(context, arguments, x, target):
    ours, theirs = modules(context, arguments)
    x = x.detach().clone().requires_grad_()
    mine = context.leaf(x)
    expected = theirs(x, target)
    got = context.module_call(ours, mine, context.tensor(target))[0]
    weights = torch.randn(expected.shape, dtype=expected.dtype)
    assert_close(got.torch().contiguous(), expected.detach(), arguments)
    if target.numel() == 0:
        return
    expected.backward(weights)
    context.backward(got, context.tensor(weights))
    assert_close(context.grad(mine), x.grad, arguments)
    for (name, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert_close(context.grad(tensor), parameter.grad, arguments, name)


CHUNKS = ("batch_chunk_size=1", "batch_chunk_size=3", "batch_chunk_size=100", "",
          "chunking_method=None", "chunking_method='aspect_ratio'", "allow_retain_graph=True",
          "chunking_method='aspect_ratio:3', acc_policy='compact'",
          "chunking_method='aspect_ratio:1000', acc_policy='balanced'")


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_chunks(context, chunks, dtype):
    options = f"options=nn.LinearCrossEntropyOptions({chunks}), dtype=torch.{dtype}"
    for bias, reduction, ignored in itertools.product((False, True), ("mean", "sum", "none"),
                                                      (None, 2, -1, 99)):
        for rows in (7, 1, 0):
            target = torch.randint(0, 5, (rows,))
            if ignored is not None and rows > 1:
                target[torch.rand(rows) < 0.4] = ignored
            x = torch.randn(rows, 4, dtype=getattr(torch, dtype))
            compare(context, f"4, 5, bias={bias}, reduction='{reduction}', ignore_index={ignored}, "
                    + options, x, target)
        compare(context, f"4, 5, bias={bias}, reduction='{reduction}', " + options,
                torch.randn(4, dtype=getattr(torch, dtype)), torch.tensor(3))


def test_large(context):
    """Chunks of many classes, also of strided rows."""
    for dtype in ("float32", "float64"):
        x = torch.randn(64, 130, dtype=getattr(torch, dtype)).t()[:, ::2]
        arguments = f"32, 1000, dtype=torch.{dtype}, bias=True, options=nn.{OPTIONS.__name__}"
        compare(context, f"{arguments}(batch_chunk_size=32)", x, torch.randint(0, 1000, (130,)))
        compare(context, f"{arguments}()", x, torch.randint(0, 1000, (130,)))


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
def test_halves(context, dtype):
    for acc in ("", ", acc_dtype=torch.float32", f", acc_dtype=torch.{dtype}"):
        for policy in ("auto", "accurate", "balanced", "compact"):
            x = torch.randn(9, 8).to(getattr(torch, dtype))
            compare(context, f"8, 6, bias=True, dtype=torch.{dtype}, options=nn.{OPTIONS.__name__}"
                    f"(batch_chunk_size=4, acc_policy='{policy}'{acc})", x,
                    torch.randint(0, 6, (9,)))


@pytest.mark.parametrize("arguments,target", (
    ("4, 5, label_smoothing=0.1", torch.tensor([1, 2, 3])),
    ("4, 5, label_smoothing=1.0, bias=True", torch.tensor([1, 2, 3])),
    ("4, 5, out_features=(2, 3), bias=True", torch.randint(0, 5, (3, 2, 3))),
    ("4, 5", torch.rand(3, 5)), ("4, 5, reduction='none'", torch.rand(3, 5))))
def test_ignored(context, arguments, target):
    """What cannot be in chunks warns and is computed at once."""
    arguments += f", options=nn.{OPTIONS.__name__}()"
    ours, theirs = modules(context, arguments)
    x = torch.randn(3, 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = theirs(x, target)
    context.warnings.clear()
    got = context.module_call(ours, context.tensor(x), context.tensor(target))[0]
    assert_close(got.torch(), expected.detach(), arguments)
    assert context.warnings == [str(w.message) for w in caught] and len(caught) == 1


@pytest.mark.parametrize("arguments", (
    "", "True, 3, None, 'balanced', torch.float16", "chunking_method='aspect_ratio:12'",
    "acc_dtype=torch.float32, batch_chunk_size=None"))
def test_printed(context, arguments):
    """Printed, and read again from what was printed."""
    ours, theirs = modules(context, f"4, 5, options=nn.LinearCrossEntropyOptions({arguments})")
    assert str(ours) == str(theirs)
    call = str(theirs).split("\n")[1].strip()
    assert str(context.nn(f"{LOSS}({call})".replace("reduction=mean", "reduction='mean'"))) == str(
        theirs)


def fails(function, *arguments):
    try:
        function(*arguments)
    except (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError) as error:
        return type(error).__name__, str(error)
    raise AssertionError("PyTorch takes it")


@pytest.mark.parametrize("arguments,x,target", (
    ("4, 5", torch.zeros(7, 3), torch.zeros(7, dtype=torch.long)),
    ("4, 5", torch.zeros(1, 7, 4), torch.zeros(7, dtype=torch.long)),
    ("4, 5, out_features=(2,)", torch.zeros(4), torch.zeros(2, dtype=torch.long)),
    ("4, 5, ignore_index=1", torch.zeros(3, 5)[:, :4], torch.rand(3, 5)),
    ("4, 5, options=nn.LinearCrossEntropyOptions()", torch.zeros(2, 4), torch.tensor([0, 5])),
    ("4, 5, options=nn.LinearCrossEntropyOptions()", torch.zeros(2, 4), torch.tensor([0, -3])),
    ("4, 5, options=nn.LinearCrossEntropyOptions(acc_dtype=torch.float64)", torch.zeros(2, 4),
     torch.tensor([0, 4])),
    ("4, 5, options=nn.LinearCrossEntropyOptions(batch_chunk_size=3, "
     "chunking_method='aspect_ratio')", torch.zeros(7, 4), torch.zeros(7, dtype=torch.long))))
def test_errors(context, arguments, x, target):
    ours, theirs = modules(context, arguments)
    kind, message = fails(theirs, x, target)
    with pytest.raises(KindlingError) as error:
        context.module_call(ours, context.tensor(x), context.tensor(target))
    assert error.value.status == kind and message in str(error.value)


@pytest.mark.parametrize("arguments", (
    "acc_policy='x'", "chunking_method='a'", "chunking_method='aspect_ratio:0'",
    "chunking_method='aspect_ratio:+2'", "chunking_method='aspect_ratio:'", "batch_chunk_size=0",
    "batch_chunk_size=-2", "acc_dtype=torch.int64"))
def test_options_that_cannot_be(context, arguments):
    _, message = fails(lambda: eval(f"OPTIONS({arguments})"))  # pylint: disable=eval-used
    with pytest.raises(KindlingError) as error:
        context.nn(f"{LOSS}(4, 5, options=nn.LinearCrossEntropyOptions({arguments}))")
    assert message in str(error.value)


def test_backward_twice(context):
    for allow, reduction in itertools.product((False, True), ("mean", "none")):
        ours, theirs = modules(context, f"4, 5, reduction='{reduction}', options="
                               f"nn.LinearCrossEntropyOptions(allow_retain_graph={allow})")
        x, target = torch.randn(6, 4, requires_grad=True), torch.randint(0, 5, (6,))
        mine = context.leaf(x)
        expected = theirs(x, target)
        got = context.module_call(ours, mine, context.tensor(target))[0]
        assert context.call("kdl_tensor_grad_fn", got).decode() == type(expected.grad_fn).__name__
        weights = torch.rand(expected.shape)
        expected.backward(weights, retain_graph=True)
        context.backward(got, context.tensor(weights), retain_graph=True)
        if allow or reduction == "none":
            expected.backward(weights)
            context.backward(got, context.tensor(weights))
            assert_close(context.grad(mine), x.grad)
            continue
        _, message = fails(expected.backward, weights)
        with pytest.raises(KindlingError) as error:
            context.backward(got, context.tensor(weights))
        assert message in str(error.value)
