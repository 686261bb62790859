# SPDX-License-Identifier: Apache-2.0
"""
LBFGS: its steps with and without the line search, and its state exchanged, beside PyTorch's.

The limits are 1e-6 (f64: 1e-12) or, where that is more, ten times what becomes of PyTorch's own
parameters when their first values are moved by one ulp. A line search decides by differences of
losses, which near a minimum are rounding: in f32 it finds parameters to the root of f32's epsilon.
"""
import copy

import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from optimizers import Optimizer, load_file, save_file
from training import Training, default_path, load_training, twins

OPTIONS = [{"lr": 0.1}, {"lr": 0.1, "max_iter": 4, "history_size": 3},
           {"lr": 0.05, "max_eval": 3, "tolerance_grad": 1e-3}, {"line_search_fn": "strong_wolfe"},
           {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2},
           {"line_search_fn": "strong_wolfe", "lr": 3.0, "max_iter": 6},
           {"line_search_fn": "strong_wolfe", "lr": 0.5, "max_eval": 5},
           {"lr": 0.1, "tolerance_change": 1e-2}]
DTYPES = (torch.float32, torch.float64)


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


class Problem:
    """A function of a Linear's parameters, computed by PyTorch for all sides; not a quadratic."""

    def __init__(self, context, dtype, values=None, **options):
        self.context = context
        self.ours, self.theirs = twins(context, f"Linear(3, 2, dtype={dtype})", seed=4)
        if values is not None:
            self.set_parameters(values)
        self.nudged = [copy.deepcopy(self.theirs) for _ in range(3)]
        for i, module in enumerate(self.nudged):
            for parameter in module.parameters():
                towards = parameter.data + torch.randn_like(parameter) * (i > 1) + (1, -1, 0)[i]
                parameter.data.copy_(torch.nextafter(parameter.data, towards))
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(8, 3, dtype=dtype, generator=generator)
        self.y = torch.randn(8, 2, dtype=dtype, generator=generator)
        self.mine = Optimizer(context, "LBFGS", self.ours, **options)
        self.other, *self.others = (torch.optim.LBFGS(module.parameters(), **options)
                                    for module in (self.theirs, *self.nudged))
        self.calls, self.limit = [0, 0], 1e-6 if dtype == torch.float32 else 1e-12
        if dtype == torch.float32 and self.other.param_groups[0]["line_search_fn"]:
            self.limit = torch.finfo(dtype).eps ** 0.5

    def tensors(self):
        return [tensor for _, tensor in self.ours.iterate("named_parameters")]

    def set_parameters(self, values):
        was = self.context.call("kdl_set_grad_enabled", self.context, False)
        for tensor, parameter, value in zip(self.tensors(), self.theirs.parameters(), values):
            tensor.kdl_copy_(self.context.tensor(value))
            parameter.data.copy_(value)
        self.context.call("kdl_set_grad_enabled", self.context, was)

    def load_theirs(self, state):
        for optimizer in (self.other, *self.others):
            optimizer.load_state_dict(copy.deepcopy(state))

    def loss(self, weight, bias):
        output = torch.nn.functional.linear(self.x, weight, bias)
        return ((output - self.y) ** 2).mean() + 0.1 * (output ** 4).mean()

    def our_closure(self):
        self.calls[0] += 1
        values = [tensor.torch().requires_grad_() for tensor in self.tensors()]
        loss = self.loss(*values)
        loss.backward()
        for tensor, value in zip(self.tensors(), values):
            grad = self.context.tensor(value.grad)
            tensor.kdl_tensor_set_grad(self.context.library.kdl_tensor_retain(grad.pointer))
        return self.context.tensor(loss)

    def their_closure(self, module=None):
        self.calls[1] += module is None
        module = module or self.theirs
        module.zero_grad()
        loss = self.loss(*module.parameters())
        loss.backward()
        return loss

    def step(self):
        """Both's losses."""
        for optimizer, module in zip(self.others, self.nudged):
            optimizer.step(lambda module=module: self.their_closure(module))
        return (self.mine.step_closure(self.our_closure).kdl_tensor_item(),
                self.other.step(self.their_closure).item())

    def compare(self):
        theirs = list(self.theirs.parameters())
        scale = max(1.0, *(float(parameter.detach().abs().max()) for parameter in theirs))
        drift = max(float((parameter - other).detach().abs().max())
                    for module in self.nudged
                    for parameter, other in zip(theirs, module.parameters()))
        for tensor, parameter in zip(self.tensors(), theirs):
            difference = float((tensor.torch() - parameter.detach()).abs().max())
            assert difference <= max(self.limit * scale, 10 * drift), (difference, drift)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps(context, options, dtype):
    """50 steps; at first the same losses and, in f64, as many evaluations."""
    problem = Problem(context, dtype, **options)
    for step in range(50):
        loss, expected = problem.step()
        if step < 3:
            assert abs(loss - expected) <= problem.limit * abs(expected)
            assert problem.calls[0] == problem.calls[1] or dtype == torch.float32
        problem.compare()


@pytest.mark.parametrize("through_file", (False, True), ids=("memory", "file"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("steps", (1, 3))
def test_exchange(context, options, dtype, through_file, steps, tmp_path):
    """Each one's state in the middle goes to the other, and to a fresh one of its own kind."""
    first = Problem(context, dtype, **{**options, "max_iter": min(options.get("max_iter", 3), 3)})
    for _ in range(steps):
        first.step()
    values = [parameter.detach().clone() for parameter in first.theirs.parameters()]
    pairs = Problem(context, dtype, values), Problem(context, dtype, values)
    theirs = first.other.state_dict()
    if through_file:
        first.mine.save(tmp_path / "ours")
        pairs[0].mine.load(tmp_path / "ours")
        ours = load_file(tmp_path / "ours")
        save_file(theirs, tmp_path / "theirs")
        pairs[1].mine.load(tmp_path / "theirs")
    else:
        ours = first.mine.state_dict()
        pairs[0].mine.load_state_dict(ours)
        pairs[1].mine.load_state_dict(theirs)
    pairs[0].load_theirs(ours)
    pairs[1].load_theirs(theirs)
    assert set(ours["state"][0]) == set(theirs["state"][0]) - {"al"}
    for key in ("func_evals", "n_iter"):
        assert ours["state"][0][key] == theirs["state"][0][key]
    assert ours["param_groups"] == theirs["param_groups"]
    for pair in pairs:
        for _ in range(5):
            pair.step()
        pair.compare()


def test_closures(context):
    """Any optimiser takes one, and gives its loss."""
    problem = Problem(context, torch.float64)
    problem.mine = Optimizer(context, "SGD", problem.ours, lr=0.1)
    problem.other = torch.optim.SGD(problem.theirs.parameters(), lr=0.1)
    for _ in range(3):
        loss, expected = problem.step()
        assert abs(loss - expected) < 1e-14
    problem.compare()


def test_refusals(context):
    problem = Problem(context, torch.float32)
    with pytest.raises(TypeError) as expected:
        problem.other.step()
    with pytest.raises(KindlingError) as error:
        problem.mine.step()
    assert error.value.args[-1] == str(expected.value)
    with pytest.raises(KindlingError) as error:
        problem.mine.add_param_group(twins(context, "Linear(2, 2)")[0])
    with pytest.raises(ValueError) as expected:
        torch.optim.LBFGS([{"params": parameter} for parameter in problem.theirs.parameters()])
    assert error.value.args[-1] == str(expected.value)
    problem = Problem(context, torch.float32, line_search_fn="armijo")
    with pytest.raises(RuntimeError) as expected:
        problem.other.step(problem.their_closure)
    with pytest.raises(KindlingError) as error:
        problem.mine.step_closure(problem.our_closure)
    assert error.value.args[-1] == str(expected.value)
    problem = Problem(context, torch.float32)
    with pytest.raises(KindlingError):
        problem.mine.step_closure(lambda: None)
    state = problem.mine.state_dict()
    state["state"][0] = {"momentum": torch.zeros(8)}
    with pytest.raises(KindlingError):
        problem.mine.load_state_dict(state)
