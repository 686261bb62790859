# SPDX-License-Identifier: Apache-2.0
"""
torch.optim with arguments drawn at random, another set for each of two groups, over 50 steps whose
gradients are now plain, zeros, mostly zeros, tiny, large, strided, or not there at all; in the
middle the states are exchanged.
"""
import copy
import random

import pytest
import torch

from conftest import BUILD
from optimizers import FIELDS, Optimizer
from test_optim import DTYPES, EXACT, LIMITS, OPTIONS, compare, largest, set_parameters
from training import Training, default_path, load_training, twins

CHOICES = {
    "lr": (0.0, 1e-4, 1e-2, 0.3), "weight_decay": (1e-3, 0.1), "momentum": (0.3, 0.9, 0.99),
    "dampening": (0.5, 1.0), "alpha": (0.5, 0.9), "lr_decay": (0.01, 0.5),
    "initial_accumulator_value": (0.1, 1.0), "rho": (0.0, 0.5, 1.0), "momentum_decay": (0.0, 0.2),
    "lambd": (0.0, 0.1), "t0": (0.0, 5.0), "beta2_decay": (-0.5, -1.5), "d": (1.0, 2.0),
    "eps": (1e-6, 1e-3, 0.1), "amsgrad": (True,), "maximize": (True,), "centered": (True,),
    "decoupled_weight_decay": (True,), "ns_steps": (3, 6),
}
PAIRS = {
    "beta1": ("betas", lambda r: (r.choice((0.0, 0.3, 0.9)), r.choice((0.5, 0.9, 0.9999)))),
    "eta_minus": ("etas", lambda r: (r.uniform(0.1, 0.9), r.uniform(1.05, 2))),
    "step_size_min": ("step_sizes", lambda r: (r.choice((1e-6, 1e-3)), r.choice((0.01, 0.5)))),
    "eps1": ("eps", lambda r: (r.choice((None, 1e-3)), r.choice((0.0, 0.5)))),
}
LAYERS = ("Linear(4, 3, dtype={})", "Conv2d(2, 3, (2, 1), dtype={})", "Linear(1, 1, dtype={})",
          "BatchNorm1d(5, dtype={})", "PReLU(dtype={})", "Embedding(7, 3, 2, dtype={})",
          "LSTM(2, 3, dtype={})")
MATRICES = ("Linear(4, 3, bias=False, dtype={})", "Embedding(9, 5, dtype={})",
            "Linear(6, 1, bias=False, dtype={})")


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def draw_options(name, rng):
    """Each of the optimiser's arguments with a chance of one half."""
    options = {}
    for field in FIELDS[name]:
        if rng.random() < 0.5:
            continue
        if field in PAIRS:
            key, draw = PAIRS[field]
            options[key] = draw(rng)
        elif field in CHOICES and not (name == "AdamW" and field == "decoupled_weight_decay"):
            options[field] = rng.choice(CHOICES[field])
    if name == "SGD" and "momentum" in options and rng.random() < 0.5:
        options.update(nesterov=True, dampening=0.0)
    return options


class Side:
    """Two groups, here and there."""

    def __init__(self, context, name, layers, options):
        self.context = context
        self.modules = [twins(context, layer, seed=i) for i, layer in enumerate(layers)]
        (ours, theirs), (others, their_others) = self.modules
        self.mine = Optimizer(context, name, ours, **options[0])
        self.mine.add_param_group(others, **{"lr": options[0].get("lr", FIELDS[name]["lr"]),
                                             **options[1]})
        self.other = getattr(torch.optim, name)(theirs.parameters(), **options[0])
        defaults = getattr(torch.optim, name)([torch.zeros(1, 1)]).defaults
        self.other.add_param_group({**defaults, "lr": self.other.param_groups[0]["lr"],
                                    **options[1], "params": list(their_others.parameters())})
        assert len(self.mine.state_dict()["state"]) == len(self.other.state_dict()["state"])

    def pairs(self):
        for ours, theirs in self.modules:
            yield from zip((tensor for _, tensor in ours.iterate("named_parameters")),
                           theirs.parameters())

    def set_grads(self, kinds, step):
        for i, (tensor, parameter) in enumerate(self.pairs()):
            kind = kinds[(i + step // 7) % len(kinds)]
            grad = (torch.randn_like(parameter) + parameter.detach()) / (1 + step)
            if kind == "sparse":
                grad = grad * (torch.rand_like(parameter) > 0.7)
            grad = grad * {"zero": 0, "large": 30, "tiny": 1e-10}.get(kind, 1)
            if kind == "strided":
                order = tuple(reversed(range(grad.dim())))
                grad = grad.permute(order).contiguous().permute(order)
            parameter.grad = None if kind == "none" else grad
            given = None
            if kind != "none":
                order = tuple(reversed(range(grad.dim())))
                mine = self.context.tensor(grad.permute(order)).view(("permute", order))
                given = self.context.library.kdl_tensor_retain(mine.pointer)
            tensor.kdl_tensor_set_grad(given)

    def step(self, kinds, step):
        self.set_grads(kinds, step)
        self.mine.step()
        self.other.step()
        return max(largest(theirs) for _, theirs in self.modules)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", OPTIONS)
def test_mixed(context, name, seed, dtype):
    rng = random.Random(f"{name} {seed}")
    layers = [layer.format(dtype) for layer in rng.sample(MATRICES if name == "Muon" else LAYERS, 2)]
    kinds = [rng.choice(("plain", "zero", "sparse", "none", "large", "tiny", "strided"))
             for _ in range(4)]
    options = [draw_options(name, rng) for _ in range(2)]
    torch.manual_seed(seed)
    side = Side(context, name, layers, options)
    scale = max(side.step(kinds, step) for step in range(25))
    fresh = Side(context, name, layers, ({}, {}))
    for (ours, theirs), (_, values) in zip(fresh.modules, side.modules):
        set_parameters(context, ours, [value.detach() for value in values.parameters()])
        theirs.load_state_dict(values.state_dict())
    fresh.mine.load_state_dict(side.other.state_dict())
    fresh.other.load_state_dict(copy.deepcopy(side.mine.state_dict()))
    scale = max(scale, *(fresh.step(kinds, step) for step in range(25, 50)))
    for ours, theirs in fresh.modules:
        compare(ours, theirs, scale, LIMITS.get(name, EXACT))
