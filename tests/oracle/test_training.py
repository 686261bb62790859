# SPDX-License-Identifier: Apache-2.0
"""Networks trained here and in PyTorch: the same losses at every step."""
import math

import pytest
import torch
from torch import nn

from conftest import BUILD
from kindling import KindlingError, Tensor
from optimizers import Optimizer
from training import (BACKWARD_HOOK, BACKWARD_PRE_HOOK, Training, assert_close, default_path,
                      load_training, twins)


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def train(context, calls, data, loss_name, optimizer, dtype, steps, nudge=0):
    """Losses at every step, (ours, theirs)."""
    ours, theirs = twins(context, *calls)
    x, y = data
    inputs, targets = context.tensor(x), context.tensor(y)
    mine = Optimizer(context, optimizer, ours, lr=0.01)
    other = getattr(torch.optim, optimizer)(theirs.parameters(), lr=0.01)
    if nudge:
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.copy_(torch.nextafter(parameter, parameter + nudge))
    losses = []
    for _ in range(steps):
        mine.zero_grad()
        other.zero_grad()
        output = context.call("kdl_forward", ours, inputs)
        loss = (context.class_loss("cross_entropy", output, targets)
                if loss_name == "cross_entropy" else
                context.call("kdl_f_mse_loss", output, targets, 1))
        expected = getattr(nn.functional, loss_name)(theirs(x), y)
        losses.append((loss.kdl_tensor_item(), expected.item()))
        context.backward(loss)
        expected.backward()
        mine.step()
        other.step()
    return torch.tensor(losses, dtype=torch.float64)


@pytest.mark.parametrize("optimizer", ("SGD", "Adam", "AdamW"))
@pytest.mark.parametrize("activation", ("ReLU()", "Tanh()", "GELU()", "SiLU()"))
def test_twins(context, activation, optimizer):
    """200 steps: f64 within 1e-9, f32 within ten times what one ulp at the start makes of PyTorch."""
    for dtype in (torch.float64, torch.float32):
        calls = (f"Linear(2, 16, dtype={dtype})", activation, f"Linear(16, 16, dtype={dtype})",
                 activation, f"Linear(16, 2, dtype={dtype})")
        torch.manual_seed(3)
        x = torch.randn(64, 2, dtype=dtype)
        data = x, ((x[:, 0] * x[:, 1]) > 0).long()
        losses = train(context, calls, data, "cross_entropy", optimizer, dtype, 200)
        difference = (losses[:, 0] - losses[:, 1]).abs().max()
        if dtype == torch.float64:
            assert difference <= 1e-9, difference
        else:
            nudged = train(context, calls, data, "cross_entropy", optimizer, dtype, 200, nudge=1)
            drift = (nudged[:, 1] - losses[:, 1]).abs().max()
            assert difference <= 10 * max(drift, 1e-7), (difference, drift)


def test_threads():
    """The optimisers' and the elementwise functions' bits do not depend on the threads."""
    results = []
    for threads in (1, 2, 3):
        context = Training(load_training(default_path(BUILD)), threads)
        torch.manual_seed(1)
        x = torch.randn(300, 1001, requires_grad=True)
        ours = context.leaf(x)
        y = ours.kdl_tanh().kdl_mul_tensor(ours).kdl_sum_dim(0, False).kdl_sum()
        context.backward(y)
        results.append((y.torch(), context.grad(ours)))
    for value, grad in results[1:]:
        assert torch.equal(value, results[0][0]) and torch.equal(grad, results[0][1])


@pytest.mark.parametrize("norm,call,shape", (
    ("weight_norm", "Linear(3, 4)", (5, 3)), ("weight_norm", "Conv2d(2, 3, 2)", (2, 2, 4, 4)),
    ("weight_norm", "Linear(3, 4, dtype=torch.float64)", (5, 3)),
    ("spectral_norm", "Linear(3, 4)", (5, 3)), ("spectral_norm", "Conv1d(2, 3, 2)", (2, 2, 5)),
    ("spectral_norm", "Linear(3, 4, dtype=torch.float64)", (5, 3))), ids=str)
def test_parametrized(context, norm, call, shape):
    """Steps of a network with a parametrized weight: outputs, gradients of originals, buffers."""
    ours, theirs = twins(context, call, seed=4)
    context.child(ours, 0).parametrize(norm)
    getattr(nn.utils.parametrizations, norm)(theirs[0])
    mine = Optimizer(context, "SGD", ours, lr=0.1)
    other = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(4):
        x = torch.randn(shape, dtype=next(theirs.parameters()).dtype)
        mine.zero_grad()
        other.zero_grad()
        got, expected = context.call("kdl_forward", ours, context.tensor(x)), theirs(x)
        assert_close(got.torch().contiguous(), expected.detach(), norm, call)
        expected.square().sum().backward()
        context.backward(got.kdl_square().kdl_sum())
        for (name, tensor), parameter in zip(ours.iterate("named_parameters"),
                                             theirs.parameters()):
            assert_close(context.grad(tensor), parameter.grad, name)
        mine.step()
        other.step()


@pytest.mark.parametrize("call,shape", (
    ("LazyLinear(4)", (5, 3)), ("LazyConv2d(3, 2, padding=1)", (2, 2, 4, 4)),
    ("LazyConvTranspose1d(3, 2)", (2, 2, 4)), ("LazyBatchNorm1d()", (4, 3)),
    ("LazyBatchNorm2d(affine=False, track_running_stats=False)", (4, 3, 2, 2)),
    ("LazyInstanceNorm1d(affine=True)", (4, 3, 5)), ("SyncBatchNorm(3)", (4, 3, 5))), ids=str)
def test_first_forward(context, call, shape):
    """A Lazy module's first forward draws as PyTorch's, and makes it what it stood for."""
    ours, theirs = twins(context, call, seed=6)
    torch.manual_seed(8)
    context.default_generator().manual_seed(8)
    x = torch.linspace(-1, 1, math.prod(shape)).reshape(shape)
    for _ in range(2):
        got, expected = context.call("kdl_forward", ours, context.tensor(x)), theirs(x)
        assert_close(got.torch().contiguous(), expected.detach(), call)
    assert context.call("kdl_module_to_string", ours) == str(theirs)
    for (name, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert torch.equal(tensor.torch(), parameter.detach()), name


@pytest.mark.parametrize("call,shape", (
    ("BatchNorm1d(3)", (4, 3, 2, 2)), ("BatchNorm2d(3)", (4, 3)), ("BatchNorm3d(3)", (4, 3, 2)),
    ("SyncBatchNorm(3)", (3,)), ("BatchNorm1d(3)", (1, 3)), ("Linear(3, 4)", (2, 5)),
    ("LayerNorm(3)", (2, 4)), ("GroupNorm(2, 4)", (3, 5)), ("Conv2d(2, 3, 2)", (1, 3, 4, 4)),
    ("LazyLinear(3)", ())), ids=str)
def test_wrong_shapes(context, call, shape):
    """PyTorch's kind of error; the module then computes what fits."""
    ours, theirs = twins(context, call, seed=1)
    with pytest.raises((ValueError, RuntimeError, IndexError)) as expected:
        theirs(torch.ones(shape))
    with pytest.raises(KindlingError) as got:
        context.call("kdl_forward", ours, context.tensor(torch.ones(shape)))
    assert got.value.status == type(expected.value).__name__, (got.value, expected.value)
    first = str(expected.value)
    assert str(got.value)[:12] == first[:12], (str(got.value), first)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
def test_deterministic(dtype):
    """The bits of products do not depend on the number of threads either, asked for or not."""
    results = []
    for threads in (1, 2, 3, 4):
        context = Training(load_training(default_path(BUILD)), threads)
        context.call("kdl_use_deterministic_algorithms", context, threads % 2 == 0)
        torch.manual_seed(2)
        values = []
        for m, k, n, batch in ((300, 517, 129, ()), (7, 2000, 5, ()), (64, 33, 20, (6,)),
                               (1000, 64, 1000, ()), (128, 64, 784, ()), (50, 40, 60, (2, 3))):
            a = torch.randn(*batch, m, k, dtype=dtype, requires_grad=True)
            b = torch.randn(*batch, k, n, dtype=dtype, requires_grad=True)
            ours, other = context.leaf(a), context.leaf(b)
            product = ours.kdl_matmul(other)
            assert_close(product.torch(), (a @ b).detach())
            context.backward(product.kdl_square().kdl_sum())
            values += [product.torch(), context.grad(ours), context.grad(other)]
        results.append(values)
    for values in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(values, results[0]))


@pytest.mark.parametrize("first", (True, False), ids=("input with gradients", "without"))
def test_backward_hooks(context, first):
    """Gradients that the hooks of modules see, and what they give instead."""
    calls = ("Linear(3, 4)", "Tanh()", "Linear(4, 2)")
    ours, theirs = twins(context, *calls, seed=5)
    seen, expected, keep = [], [], []

    def value(pointer):
        return pointer and Tensor(context, context.library.kdl_tensor_retain(pointer)).torch()

    for index in range(3):
        def pre(module, grad, _):
            seen.append(("pre", value(grad)))
            return context.library.kdl_mul(grad, 2.0)

        def hook(module, grad_input, grad_output, _, index=index):
            seen.append((index, value(grad_input), value(grad_output)))
            return context.library.kdl_mul(grad_input, 0.5) if grad_input and index else None

        def their_hook(module, grad_input, grad_output, index=index):
            expected.append((index, grad_input[0], grad_output[0]))
            return (grad_input[0] * 0.5,) if grad_input[0] is not None and index else None

        keep += [BACKWARD_PRE_HOOK(pre), BACKWARD_HOOK(hook)]
        child = context.child(ours, index)
        if index == 1:
            context.call("kdl_register_full_backward_pre_hook", child, keep[-2], None, False)
            theirs[index].register_full_backward_pre_hook(
                lambda module, grad: (expected.append(("pre", grad[0])), (grad[0] * 2,))[1])
        context.call("kdl_register_full_backward_hook", child, keep[-1], None, False)
        theirs[index].register_full_backward_hook(their_hook)
    x = torch.randn(5, 3, requires_grad=first)
    mine = context.leaf(x)
    theirs(x).square().sum().backward()
    context.backward(context.call("kdl_forward", ours, mine).kdl_square().kdl_sum())
    assert len(seen) == len(expected) == 4
    for got, wanted in zip(seen, expected):
        assert got[0] == wanted[0]
        for a, b in zip(got[1:], wanted[1:]):
            assert (a is None) == (b is None), got[0]
            if b is not None:
                assert_close(a.contiguous(), b, got[0])
    if first:
        assert_close(context.grad(mine), x.grad)
    for (name, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert_close(context.grad(tensor), parameter.grad, name)
