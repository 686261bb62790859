# SPDX-License-Identifier: Apache-2.0
"""torch.optim: each optimiser's steps, refusals, parameter groups, and its state exchanged."""
import copy

import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from optimizers import Optimizer, load_file, save_file
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
    "Adafactor": [{}, {"lr": float("inf")}, {"beta2_decay": -0.3}, {"eps": (1e-2, 1e-1)}, {"eps": (None, 0.0)},
                  {"d": 3.0}, {"weight_decay": 0.1, "maximize": True}],
    "Muon": [{}, {"momentum": 0.5, "nesterov": False}, {"ns_steps": 3, "weight_decay": 0.0},
             {"adjust_lr_fn": "original"}, {"adjust_lr_fn": "match_rms_adamw"},
             {"ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3}],
}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]
DTYPES = (torch.float32, torch.float64)


# Muon works in bf16.
EXACT = (1e-6, 1e-12)
LIMITS = {"Muon": (2e-2, 2e-2)}


def layers(name, dtype):
    """Parameters of one to three dimensions; Muon takes matrices only."""
    if name == "Muon":
        return f"Linear(4, 3, bias=False, dtype={dtype})", f"Linear(5, 20, bias=False, dtype={dtype})"
    return f"Linear(4, 3, dtype={dtype})", f"Conv1d(2, 3, 4, dtype={dtype})"


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


def compare(ours, theirs, scale, limits=EXACT):
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
    ours, theirs = twins(context, *layers(name, dtype))
    mine = Optimizer(context, name, ours, **{"lr": 0.05, **options})
    other = getattr(torch.optim, name)(theirs.parameters(), **{"lr": 0.05, **options})
    scale = 0
    for step in range(50):
        set_grads(context, ours, theirs, step)
        mine.step()
        other.step()
        scale = max(scale, largest(theirs))
    compare(ours, theirs, scale, LIMITS.get(name, EXACT))


def set_parameters(context, ours, values):
    was = context.call("kdl_set_grad_enabled", context, False)
    for (_, tensor), value in zip(ours.iterate("named_parameters"), values):
        tensor.kdl_copy_(context.tensor(value))
    context.call("kdl_set_grad_enabled", context, was)


@pytest.mark.parametrize("through_file", (False, True), ids=("memory", "file"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name,options", CASES, ids=str)
def test_exchange(context, name, options, dtype, through_file, tmp_path):
    """
    After 25 steps each one's state goes to the other, and to a fresh one of its own kind, for 25
    more. All are made with other arguments, which the state then replaces.
    """
    def make(values=None):
        ours, theirs = twins(context, *layers(name, dtype))
        if values is not None:
            set_parameters(context, ours, values)
            with torch.no_grad():
                for parameter, value in zip(theirs.parameters(), values):
                    parameter.copy_(value)
        arguments = {"lr": 0.05, **options} if values is None else {"lr": 0.5}
        return (ours, theirs, Optimizer(context, name, ours, **arguments),
                getattr(torch.optim, name)(theirs.parameters(), **arguments))

    def go(group, steps, scale):
        for step in steps:
            set_grads(context, *group[:2], step)
            for optimizer in group[2:]:
                optimizer.step()
            scale = max(scale, largest(group[1]))
        return scale

    first = make()
    scale = go(first, range(25), 0)
    values = [parameter.detach().clone() for parameter in first[1].parameters()]
    from_ours, from_theirs = make(values), make(values)
    if through_file:
        first[2].save(tmp_path / "ours")
        from_ours[2].load(tmp_path / "ours")
        state = load_file(tmp_path / "ours")
        save_file(first[3].state_dict(), tmp_path / "theirs")
        from_theirs[2].load(tmp_path / "theirs")
    else:
        state = first[2].state_dict()
        from_ours[2].load_state_dict(state)
        from_theirs[2].load_state_dict(first[3].state_dict())
    from_ours[3].load_state_dict(copy.deepcopy(state))
    from_theirs[3].load_state_dict(copy.deepcopy(first[3].state_dict()))
    compare_states(state, first[3].state_dict(), dtype)
    compare_states(from_theirs[2].state_dict(), from_theirs[3].state_dict(), dtype, exact=True)
    for pair in (from_ours, from_theirs):
        torch.manual_seed(1)
        compare(*pair[:2], go(pair, range(25, 50), scale), LIMITS.get(name, EXACT))


def compare_states(ours, theirs, dtype, exact=False):
    """The same names, dtypes and groups, and about the same values."""
    assert set(ours["state"]) == set(theirs["state"])
    for index, state in theirs["state"].items():
        assert set(ours["state"][index]) == set(state)
        for key, value in state.items():
            got = ours["state"][index][key]
            assert got.dtype == value.dtype and got.shape == value.shape, (index, key)
            limit = 0 if exact else (2e-5 if dtype == torch.float32 else 1e-11)
            assert torch.allclose(got, value, rtol=limit, atol=limit), (index, key, got, value)
    for our_group, their_group in zip(ours["param_groups"], theirs["param_groups"]):
        assert {key: list(value) if isinstance(value, (list, tuple)) else value
                for key, value in their_group.items()} == our_group


@pytest.mark.parametrize("change", ("groups", "params", "key", "type", "name", "sizes", "list"))
def test_wrong_states(context, change):
    """PyTorch's errors for what it refuses too; what it would take and then fail with, refused."""
    ours, theirs = twins(context, "Linear(2, 3)")
    mine, other = Optimizer(context, "Adam", ours), torch.optim.Adam(theirs.parameters())
    set_grads(context, ours, theirs, 0)
    mine.step()
    other.step()
    state, before = other.state_dict(), mine.state_dict()
    group = state["param_groups"][0]
    if change == "groups":
        state["param_groups"].append(group)
    elif change == "params":
        group["params"] = [0]
    elif change == "key":
        del group["eps"]
    elif change == "type":
        group["lr"] = "fast"
    elif change == "name":
        state["state"][0]["momentum_buffer"] = state["state"][0].pop("exp_avg")
    elif change == "sizes":
        state["state"][1]["exp_avg"] = torch.zeros(2, 3)
    else:
        state["param_groups"] = {"lr": 1}
    with pytest.raises(KindlingError) as error:
        mine.load_state_dict(state)
    if change in ("groups", "params"):
        with pytest.raises(ValueError) as expected:
            other.load_state_dict(state)
        assert error.value.args[-1] == str(expected.value)
    after = mine.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert all(torch.equal(after["state"][index][key], value)
               for index, state in before["state"].items() for key, value in state.items())


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
    compare(first, their_first, largest(their_first), LIMITS.get(name, EXACT))
    compare(second, their_second, largest(their_second), LIMITS.get(name, EXACT))


@pytest.mark.parametrize("name", OPTIONS)
def test_strides(context, name):
    """Gradients whose elements do not lie side by side; a parameter of no elements."""
    empty = ["Linear(0, 2, bias=False)"] if name not in ("Adafactor", "Muon") else []  # which divide
    ours, theirs = twins(context, "Linear(4, 3, bias=False)", *empty)
    mine = Optimizer(context, name, ours, lr=0.1)
    other = getattr(torch.optim, name)(theirs.parameters(), lr=0.1)
    for step in range(3):
        for (_, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
            parameter.grad = torch.randn(parameter.shape[::-1]).t()
            grad = context.tensor(parameter.grad.t()).kdl_t()
            tensor.kdl_tensor_set_grad(context.library.kdl_tensor_retain(grad.pointer))
        mine.step()
        other.step()
    compare(ours, theirs, largest(theirs), LIMITS.get(name, EXACT))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name,options", [
    case for case in CASES if case[0] not in ("Adafactor", "Muon")], ids=str)
def test_special(context, name, options, dtype):
    """Gradients of infinities, NaN and zeros, which move from element to element."""
    special = torch.tensor([torch.inf, -torch.inf, torch.nan, 0.0, -0.0, 1e-40, -1.0, 1.0],
                           dtype=dtype)
    ours, theirs = twins(context, f"Linear(8, 1, bias=False, dtype={dtype})")
    mine = Optimizer(context, name, ours, **{"lr": 0.05, **options})
    other = getattr(torch.optim, name)(theirs.parameters(), **{"lr": 0.05, **options})
    (_, tensor), = ours.iterate("named_parameters")
    parameter, = theirs.parameters()
    for step in range(5):
        parameter.grad = special.roll(step // 2)[None]
        grad = context.tensor(parameter.grad)
        tensor.kdl_tensor_set_grad(context.library.kdl_tensor_retain(grad.pointer))
        mine.step()
        other.step()
        limit = EXACT[dtype == torch.float64] * 10
        assert torch.allclose(tensor.torch(), parameter.detach(), rtol=limit, atol=limit,
                              equal_nan=True), step


def refusal(call):
    try:
        call()
    except (KindlingError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("name,options", [
    *((name, {"lr": -1.0}) for name in OPTIONS),
    *((name, {"weight_decay": -1.0}) for name in OPTIONS if name != "Rprop"),
    *((name, {"eps": -1.0}) for name in OPTIONS
      if name not in ("SGD", "Rprop", "ASGD", "Adafactor", "Muon")),
    *(("Adafactor", options) for options in (
        {"beta2_decay": 0.5}, {"eps": (-1.0, 1.0)}, {"eps": (None, -1.0)}, {"d": 0.5})),
    ("Muon", {"momentum": -1.0}), ("Muon", {"adjust_lr_fn": "none"}), ("Muon", {}),
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
        ours, theirs = twins(context, "Linear(301, 700, bias=False)")
        mine = Optimizer(context, name, ours)
        for step in range(2):
            set_grads(context, ours, theirs, step)
            mine.step()
        results.append([tensor.torch() for _, tensor in ours.iterate("named_parameters")])
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other))
