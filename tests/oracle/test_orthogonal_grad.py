# SPDX-License-Identifier: Apache-2.0
"""Gradients through torch.nn.utils.parametrizations.orthogonal, and spectral_norm of a vector."""
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from conftest import BUILD
from training import Training, assert_close, default_path, load_training

ORIGINAL = "parametrizations.weight.original"


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def equal_layers(context, call, function, seed, **named):
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    ours, theirs = context.nn(call), eval("nn." + call)  # pylint: disable=eval-used
    getattr(parametrizations, function)(theirs, **named)
    ours.parametrize(function, **named)
    return ours, theirs


def set_values(context, tensor, value):
    was = context.call("kdl_set_grad_enabled", context, False)
    tensor.kdl_copy_(context.tensor(value))
    context.call("kdl_set_grad_enabled", context, was)


def check(context, ours, theirs, name, changed):
    """Value and gradient of the parametrized tensor for an original that is changed."""
    ours_original = dict(ours.iterate("named_parameters"))[f"parametrizations.{name}.original"]
    original = getattr(theirs.parametrizations, name).original
    with torch.no_grad():
        original.copy_(changed(original))
    set_values(context, ours_original, original.detach())
    expected = getattr(theirs, name)
    got = context.call("kdl_parametrized", ours, name.encode())
    assert_close(got.torch().contiguous(), expected.detach().contiguous(), name)
    if original.numel() == 0:
        return
    weights = torch.randn(expected.shape, dtype=expected.dtype)
    expected.backward(weights)
    context.backward(got, context.tensor(weights))
    assert_close(context.grad(ours_original), original.grad, name, original.shape)


CHANGES = (lambda x: x, lambda x: x + 0.1 * torch.randn_like(x), lambda x: torch.randn_like(x) * 3,
           torch.zeros_like, lambda x: x + torch.randn_like(x).tril(-1))


@pytest.mark.parametrize("based", (True, False))
@pytest.mark.parametrize("kind", ("matrix_exp", "cayley", "householder"))
@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_orthogonal(context, kind, based, dtype):
    calls = [f"Linear({n}, {m}" for n, m in ((4, 4), (7, 3), (3, 7), (1, 5), (5, 1), (1, 1), (20, 33))]
    calls += ["Conv1d(4, 5, 3", "Conv2d(2, 3, (4, 2)"]
    for seed, call in enumerate(calls):
        for changed in CHANGES:
            ours, theirs = equal_layers(context, f"{call}, dtype=torch.{dtype})", "orthogonal",
                                        seed, orthogonal_map=kind, use_trivialization=based)
            check(context, ours, theirs, "weight", changed)


@pytest.mark.parametrize("kind", ("matrix_exp", "cayley", "householder"))
def test_training(context, kind):
    """Twenty steps of SGD by hand: the weights stay orthogonal and beside PyTorch's."""
    ours, theirs = equal_layers(context, "Linear(6, 4, dtype=torch.float64)", "orthogonal", 5,
                                orthogonal_map=kind)
    x, y = torch.randn(9, 6, dtype=torch.float64), torch.randn(9, 4, dtype=torch.float64)
    tensors = dict(ours.iterate("named_parameters"))
    for _ in range(20):
        loss = (theirs(x) - y).square().sum()
        loss.backward()
        context.backward(context.call("kdl_sum", context.call("kdl_square", context.call(
            "kdl_sub_tensor", context.module_call(ours, context.tensor(x))[0],
            context.tensor(y)))))
        for name, parameter in theirs.named_parameters():
            assert_close(context.grad(tensors[name]), parameter.grad, name)
            with torch.no_grad():
                parameter -= 0.01 * parameter.grad
            parameter.grad = None
            set_values(context, tensors[name], parameter.detach())
            context.call("kdl_tensor_set_grad", tensors[name], None)
    weight = context.call("kdl_parametrized", ours, b"weight").torch()
    assert_close(weight @ weight.T, torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_vector(context, dtype):
    for eps in (1e-12, 5.0):
        for changed in CHANGES[:4]:
            ours, theirs = equal_layers(context, f"Linear(6, 4, dtype=torch.{dtype})",
                                        "spectral_norm", 3, name="bias", eps=eps)
            check(context, ours, theirs, "bias", changed)
