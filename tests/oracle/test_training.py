# SPDX-License-Identifier: Apache-2.0
"""Networks trained here and in PyTorch: the same losses at every step; each optimiser's steps."""
import pytest
import torch
from torch import nn

from conftest import BUILD
from kindling import KindlingError
from training import Training, default_path, load_training

SGD = [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
       {"momentum": 0.5, "dampening": 0.3, "weight_decay": 0.01}, {"maximize": True}]
ADAM = [{}, {"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"amsgrad": True},
        {"maximize": True, "amsgrad": True, "weight_decay": 0.01}]
CASES = ([("SGD", options) for options in SGD] + [("Adam", options) for options in ADAM] +
         [("AdamW", options) for options in ADAM])


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


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


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize("name,options", CASES, ids=str)
def test_optimizer(context, name, options, dtype):
    """50 steps with the same gradients, which fall and turn as those of a real loss do."""
    ours, theirs = twins(context, f"Linear(4, 3, dtype={dtype})")
    mine = context.optimizer(name, ours, lr=0.05, **options)
    other = getattr(torch.optim, name)(theirs.parameters(), lr=0.05, **options)
    for step in range(50):
        for (_, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
            parameter.grad = (torch.randn_like(parameter) + parameter.detach()) / (1 + step)
            grad = context.tensor(parameter.grad)
            tensor.kdl_tensor_set_grad(context.library.kdl_tensor_retain(grad.pointer))
        mine.step()
        other.step()
    limit = 1e-6 if dtype == torch.float32 else 1e-12
    for (key, tensor), expected in zip(ours.iterate("named_parameters"), theirs.parameters()):
        got, wanted = tensor.torch(), expected.detach()
        scale = max(1.0, float(wanted.abs().max()))
        assert float((got - wanted).abs().max()) <= limit * scale, (key, got, wanted)


def refusal(call):
    try:
        call()
    except (KindlingError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("name,options", [
    ("SGD", {"lr": -1.0}), ("SGD", {"momentum": -0.5}), ("SGD", {"weight_decay": -1.0}),
    ("SGD", {"nesterov": True}), ("Adam", {"lr": -0.1}), ("Adam", {"eps": -1.0}),
    ("AdamW", {"betas": (1.0, 0.9)}), ("AdamW", {"betas": (0.9, -0.1)}),
    ("Adam", {"weight_decay": -2.0})], ids=str)
def test_refusals(context, name, options):
    ours, theirs = twins(context, "Linear(2, 2)")
    expected = refusal(lambda: getattr(torch.optim, name)(theirs.parameters(), **options))
    assert expected and refusal(lambda: context.optimizer(name, ours, **options)) == expected


def train(context, calls, data, loss_name, optimizer, dtype, steps, nudge=0):
    """Losses at every step, (ours, theirs)."""
    ours, theirs = twins(context, *calls)
    x, y = data
    inputs, targets = context.tensor(x), context.tensor(y)
    mine = context.optimizer(optimizer, ours, lr=0.01)
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
