# SPDX-License-Identifier: Apache-2.0
"""torch.optim: each optimiser's steps, refusals, parameter groups."""
import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from optimizers import Optimizer
from training import Training, default_path, load_training, twins

ADAM = [{}, {"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"amsgrad": True},
        {"maximize": True, "amsgrad": True, "weight_decay": 0.01}]
DECOUPLED = [{"weight_decay": 0.1, "decoupled_weight_decay": True}]
OPTIONS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
            {"momentum": 0.5, "dampening": 0.3, "weight_decay": 0.01}, {"maximize": True}],
    "Adam": ADAM + DECOUPLED,
    "AdamW": ADAM,
    "RMSprop": [{}, {"alpha": 0.5}, {"momentum": 0.9}, {"centered": True}, {"eps": 0.1},
                {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "maximize": True}],
    "Adagrad": [{}, {"lr_decay": 0.1}, {"weight_decay": 0.2}, {"initial_accumulator_value": 0.5},
                {"eps": 1e-2, "maximize": True, "lr_decay": 0.01}],
    "Adadelta": [{}, {"rho": 0.5}, {"eps": 1e-3}, {"weight_decay": 0.1},
                 {"maximize": True, "weight_decay": 0.1, "rho": 1.0}],
    "Adamax": [{}, {"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.1},
               {"maximize": True, "weight_decay": 0.1}],
    "NAdam": [{}, {"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.1},
              {"momentum_decay": 0.1}, {"maximize": True, "momentum_decay": 0.0}] + DECOUPLED,
    "RAdam": [{}, {"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.1},
              {"maximize": True, "betas": (0.0, 0.5)}] + DECOUPLED,
    "Rprop": [{}, {"etas": (0.3, 1.5)}, {"step_sizes": (1e-3, 0.1)}, {"maximize": True}],
    "ASGD": [{}, {"lambd": 0.1}, {"alpha": 0.3}, {"t0": 20.0}, {"weight_decay": 0.1},
             {"t0": 0.0, "maximize": True, "lambd": 1e-3}],
}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]
DTYPES = (torch.float32, torch.float64)


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def set_grads(context, ours, theirs, step):
    """The same gradients on both sides, which fall and turn as those of a real loss do."""
    for (_, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        parameter.grad = (torch.randn_like(parameter) + parameter.detach()) / (1 + step)
        grad = context.tensor(parameter.grad)
        tensor.kdl_tensor_set_grad(context.library.kdl_tensor_retain(grad.pointer))


def largest(module):
    """The largest magnitude among a module's parameters."""
    return max(float(parameter.detach().abs().max()) for parameter in module.parameters()
               if parameter.numel())


def compare(ours, theirs, scale, limits=(1e-6, 1e-12)):
    """Parameters within the limits (f32, f64) of the largest magnitude that they had."""
    for (key, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        got, expected = tensor.torch(), parameter.detach()
        difference = (got - expected).abs()
        limit = limits[got.dtype == torch.float64] * max(1.0, scale)
        assert bool((difference <= limit).all()), (key, difference, limit)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name,options", CASES, ids=str)
def test_steps(context, name, options, dtype):
    """50 steps with the same gradients."""
    ours, theirs = twins(context, f"Linear(4, 3, dtype={dtype})")
    mine = Optimizer(context, name, ours, lr=0.05, **options)
    other = getattr(torch.optim, name)(theirs.parameters(), lr=0.05, **options)
    scale = 0
    for step in range(50):
        set_grads(context, ours, theirs, step)
        mine.step()
        other.step()
        scale = max(scale, largest(theirs))
    compare(ours, theirs, scale)


@pytest.mark.parametrize("name", OPTIONS)
def test_groups(context, name):
    """Two groups, each with its own rate; a parameter that gets no gradient at every other step."""
    (first, their_first), (second, their_second) = (
        twins(context, f"Linear({size}, 3, bias=False)", seed=size) for size in (2, 5))
    mine = Optimizer(context, name, first, lr=0.1)
    mine.add_param_group(second, lr=0.01)
    other = getattr(torch.optim, name)(their_first.parameters(), lr=0.1)
    other.add_param_group({"params": list(their_second.parameters()), "lr": 0.01})
    for step in range(20):
        mine.zero_grad()
        other.zero_grad()
        set_grads(context, first, their_first, step)
        if step % 2:
            set_grads(context, second, their_second, step)
        mine.step()
        other.step()
    compare(first, their_first, largest(their_first))
    compare(second, their_second, largest(their_second))


@pytest.mark.parametrize("name", OPTIONS)
def test_strides(context, name):
    """Gradients whose elements do not lie side by side; a parameter of no elements."""
    ours, theirs = twins(context, "Linear(4, 3, bias=False)", "Linear(0, 2, bias=False)")
    mine = Optimizer(context, name, ours, lr=0.1)
    other = getattr(torch.optim, name)(theirs.parameters(), lr=0.1)
    for step in range(3):
        for (_, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
            parameter.grad = torch.randn(parameter.shape[::-1]).t()
            grad = context.tensor(parameter.grad.t()).kdl_t()
            tensor.kdl_tensor_set_grad(context.library.kdl_tensor_retain(grad.pointer))
        mine.step()
        other.step()
    compare(ours, theirs, largest(theirs))


def refusal(call):
    try:
        call()
    except (KindlingError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("name,options", [
    *((name, {"lr": -1.0}) for name in OPTIONS),
    *((name, {"weight_decay": -1.0}) for name in OPTIONS if name != "Rprop"),
    *((name, {"eps": -1.0}) for name in OPTIONS if name not in ("SGD", "Rprop", "ASGD")),
    *((name, {"betas": betas}) for name in ("Adam", "AdamW", "Adamax", "NAdam", "RAdam")
      for betas in ((1.0, 0.9), (0.9, -0.1))),
    ("SGD", {"momentum": -0.5}), ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    ("RMSprop", {"momentum": -0.5}), ("RMSprop", {"alpha": -0.5}), ("Adagrad", {"lr_decay": -1.0}),
    ("Adagrad", {"initial_accumulator_value": -1.0}), ("Adadelta", {"rho": 1.5}),
    ("NAdam", {"momentum_decay": -1.0}), ("Rprop", {"etas": (0.5, 0.9)}),
    ("Rprop", {"etas": (0.0, 1.5)}), ("RAdam", {"lr": float("nan")})], ids=str)
def test_refusals(context, name, options):
    ours, theirs = twins(context, "Linear(2, 2)")
    expected = refusal(lambda: getattr(torch.optim, name)(theirs.parameters(), **options))
    assert expected and refusal(lambda: Optimizer(context, name, ours, **options)) == expected


@pytest.mark.parametrize("name", OPTIONS)
def test_threads(name):
    """The same bits for any number of threads."""
    results = []
    for threads in (1, 2, 3):
        context = Training(load_training(default_path(BUILD)), threads)
        ours, theirs = twins(context, "Linear(301, 700)")
        mine = Optimizer(context, name, ours)
        for step in range(2):
            set_grads(context, ours, theirs, step)
            mine.step()
        results.append([tensor.torch() for _, tensor in ours.iterate("named_parameters")])
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other))
