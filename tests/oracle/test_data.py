# SPDX-License-Identifier: Apache-2.0
"""Batches: their rows, and the generators' states after every step."""
import itertools

import pytest
import torch
from torch.utils import data

from batches import DataLoader
from conftest import BUILD
from kindling import DTYPES, KindlingError
from training import Training, default_path, load_training


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def generators(context, which):
    """(ours, theirs): what the loader is given, and what is looked at."""
    if which == "own":
        ours, theirs = context.generator(), torch.Generator()
        return (ours, theirs), (ours, theirs)
    both = context.default_generator(), torch.default_generator
    return (both if which == "default" else (None, None)), both


def follow(loaders, states, steps=None):
    """An iteration of both, equal in every batch and state; `steps`: left after so many."""
    def check():
        assert states[0].state() == states[1].get_state().numpy().tobytes()
    assert len(loaders[0]) == len(loaders[1])
    ours, theirs = iter(loaders[0]), iter(loaders[1])
    check()
    for step in itertools.count():
        if step == steps:
            return
        mine, other = next(ours, None), next(theirs, None)
        check()
        assert (mine is None) == (other is None)
        if mine is None:
            return
        assert all(torch.equal(a.torch(), b) for a, b in zip(mine, other))
        # What a network draws meanwhile must not disturb the order.
        context = loaders[0].context
        assert torch.equal(context.create("randn", [3]).torch(), torch.randn(3))


@pytest.mark.parametrize("which", ("none", "own", "default"))
@pytest.mark.parametrize("drop_last", (False, True))
@pytest.mark.parametrize("shuffle", (False, True))
def test_order_and_draws(context, shuffle, drop_last, which):
    for rows, size, seed in itertools.product((1, 2, 3, 8, 9, 31, 700), (1, 2, 3, 4, 9, 800),
                                              (0, 7)):
        if rows == 700 and size < 9:
            continue
        x, y = torch.arange(rows), torch.rand(rows, 2)
        given, states = generators(context, which)
        for ours, theirs in (states, (context.default_generator(), torch.default_generator)):
            ours.manual_seed(seed)
            theirs.manual_seed(seed)
        arguments = {"batch_size": size, "shuffle": shuffle, "drop_last": drop_last}
        loaders = (
            DataLoader(context, [context.tensor(x), context.tensor(y)], generator=given[0],
                       **arguments),
            data.DataLoader(data.TensorDataset(x, y), generator=given[1], **arguments))
        follow(loaders, states)
        follow(loaders, states, steps=2)
        follow(loaders, states)


VIEWS = ([], [("transpose", 0, 2)], [("narrow", 2, 1, 3)], [("select", 2, 1)],
         [("select", 2, 1), ("select", 1, 0)], [("permute", (1, 2, 0))], [("narrow", 1, 0, 0)],
         [("narrow", 0, 0, 0)], [("narrow", 0, 1, 1), ("expand", (3, 5, 7))],
         [("unsqueeze", 1), ("expand", (4, 3, 5, 7))])


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows(context, dtype):
    """Of any sizes and strides."""
    for calls in VIEWS:
        theirs = torch.arange(4 * 5 * 7).reshape(4, 5, 7).to(dtype)
        ours = context.tensor(theirs)
        for name, *arguments in calls:
            theirs, ours = getattr(theirs, name)(*arguments), ours.view((name, *arguments))
        loaders = DataLoader(context, [ours], 3), data.DataLoader(data.TensorDataset(theirs), 3)
        torch.manual_seed(1)
        context.default_generator().manual_seed(1)
        follow(loaders, (context.default_generator(), torch.default_generator))


def test_errors(context):
    for sizes, arguments in (([(3,), (4,)], {}), ([(3,)], {"batch_size": 0}),
                             ([(3,)], {"batch_size": -2}), ([(0,)], {"shuffle": True}),
                             ([(0,)], {"shuffle": True, "batch_size": 0}),
                             ([(3, 2), ()], {}), ([()], {"shuffle": True})):
        tensors = [torch.ones(size) for size in sizes]
        with pytest.raises((AssertionError, ValueError, IndexError)) as theirs:
            data.DataLoader(data.TensorDataset(*tensors), **arguments)
        with pytest.raises(KindlingError) as ours:
            DataLoader(context, [context.tensor(tensor) for tensor in tensors], **arguments)
        assert str(ours.value) == str(theirs.value)
