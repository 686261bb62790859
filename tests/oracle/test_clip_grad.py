# SPDX-License-Identifier: Apache-2.0
"""torch.nn.utils: clip_grad_norm_, clip_grad_value_."""
import ctypes
import math

import pytest
import torch
from torch.nn import utils

from conftest import BUILD
from kindling import KindlingError
from optimizers import ClipOptions, parameters
from training import Training, assert_close, default_path, load_training, twins

SIZES = ((3, 4), (300, 700), (1, 1), (0, 3))


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)), threads=2)


def networks(context, dtype, special=None, scale=1.0):
    """(ours, theirs) with the same gradients; one parameter has none."""
    calls = [f"Linear({columns}, {rows}, bias=False, dtype={dtype})"
             for columns, rows in SIZES] + [f"Linear(2, 2, dtype={dtype})"]
    ours, theirs = twins(context, *calls)
    pairs = list(zip(ours.iterate("named_parameters"), theirs.parameters()))
    for (_, tensor), parameter in pairs[:-1]:
        parameter.grad = torch.randn_like(parameter) * scale
        if special is not None and parameter.numel():
            parameter.grad.view(-1)[-1] = special
        grad = context.tensor(parameter.grad)
        tensor.kdl_tensor_set_grad(context.library.kdl_tensor_retain(grad.pointer))
    return ours, theirs


def compare(context, ours, theirs, *what):
    for (key, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        grad = context.grad(tensor)
        assert (grad is None) == (parameter.grad is None)
        if grad is not None:
            assert_close(grad, parameter.grad, key, *what)


def clip(context, ours, max_norm, norm_type=2.0, error_if_nonfinite=False):
    return context.call("kdl_clip_grad_norm_with_", parameters(context, ours), max_norm,
                        ClipOptions(ctypes.sizeof(ClipOptions), norm_type, error_if_nonfinite))


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize("norm_type", (2.0, 1.0, 0.0, math.inf, 3.0, 0.5))
def test_norm(context, norm_type, dtype):
    """Beside PyTorch's in f64: its sums in f32 are off by more than ours."""
    for max_norm in (0.0, 0.1, 1.0, 1e6):
        ours, theirs = networks(context, dtype)
        grads = [None if parameter.grad is None else parameter.grad.double()
                 for parameter in theirs.parameters()]
        theirs.double()
        for parameter, grad in zip(theirs.parameters(), grads):
            # PyTorch refuses a tensor of no elements where the order is infinite.
            parameter.grad = None if math.isinf(norm_type) and not parameter.numel() else grad
        norm = clip(context, ours, max_norm, norm_type)
        expected = float(utils.clip_grad_norm_(theirs.parameters(), max_norm, norm_type))
        limit = 1e-6 if dtype == torch.float32 else 1e-12
        assert abs(norm - expected) <= limit * expected, (norm, expected)
        for (key, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
            if parameter.grad is not None:
                assert_close(context.grad(tensor), parameter.grad.to(dtype), key, max_norm)


@pytest.mark.parametrize("special", (math.inf, -math.inf, math.nan))
def test_special(context, special):
    for norm_type in (2.0, 1.0):
        ours, theirs = networks(context, torch.float32, special)
        norm = clip(context, ours, 1.0, norm_type)
        expected = float(utils.clip_grad_norm_(theirs.parameters(), 1.0, norm_type))
        assert norm == expected or (math.isnan(norm) and math.isnan(expected))
        compare(context, ours, theirs, norm_type)
        with pytest.raises(RuntimeError) as theirs_error:
            utils.clip_grad_norm_(theirs.parameters(), 1.0, norm_type, error_if_nonfinite=True)
        with pytest.raises(KindlingError) as ours_error:
            clip(context, ours, 1.0, norm_type, True)
        assert ours_error.value.args[-1] == str(theirs_error.value)


@pytest.mark.parametrize("special", (None, math.inf, math.nan))
@pytest.mark.parametrize("value", (0.0, 0.3, 100.0))
def test_value(context, value, special):
    for dtype in (torch.float32, torch.float64):
        ours, theirs = networks(context, dtype, special)
        context.call("kdl_clip_grad_value_", parameters(context, ours), value)
        utils.clip_grad_value_(theirs.parameters(), value)
        compare(context, ours, theirs, value)


def test_threads():
    norms = set()
    for threads in (1, 2, 3):
        context = Training(load_training(default_path(BUILD)), threads)
        ours, _ = networks(context, torch.float32)
        norms.add(clip(context, ours, 1.0))
    assert len(norms) == 1
