# SPDX-License-Identifier: Apache-2.0
"""Comparing a layer, made by the same call in PyTorch and here, at once and through a plan."""
import random
import warnings

import torch
from torch import nn  # noqa: F401: calls name it

from compare import assert_same, outcome
from kindling import Context

SEEDS = (0, 42, 2**32 + 5)


class Contexts:
    """One that computes at once, and one that records."""

    def __init__(self, library):
        self.eager = Context(library)
        self.deferred = Context(library, deferred=True)


def make(context, call, seed, shape=None):
    """(ours, theirs); the generators' states are equal. A shape initialises a Lazy module."""
    torch.manual_seed(seed)
    generator = context.default_generator()
    generator.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = eval("nn." + call)  # pylint: disable=eval-used
        ours = context.nn(call)
        if shape:
            assert str(ours) == str(theirs)
            theirs._infer_parameters(theirs, (torch.zeros(shape),))  # as its first forward does
            context.call("kdl_initialize_parameters", ours, list(shape))
    assert generator.state() == torch.get_rng_state().numpy().tobytes(), call
    return ours, theirs


def compare_values(call, ours, theirs):
    """Names, order, dtypes, shapes and bits of parameters and of the state_dict; the text."""
    parameters, state = ours.iterate("named_parameters"), ours.iterate("state_dict")
    assert [n for n, _ in parameters] == [n for n, _ in theirs.named_parameters()], call
    assert ([n for n, _ in ours.iterate("named_buffers")] ==
            [n for n, _ in theirs.named_buffers()]), call
    assert [n for n, _ in state] == list(theirs.state_dict()), call
    for (name, tensor), expected in zip(state, theirs.state_dict().values()):
        assert_same(tensor.torch(), expected, call, name)
    for (name, tensor), expected in zip(parameters, theirs.parameters()):
        assert tensor.kdl_tensor_requires_grad() == expected.requires_grad, (call, name)
    assert str(ours) == str(theirs)


def read_by_ranges(plan, theirs, choose):
    """Reads every entry in pieces, all pieces in a random order."""
    expected = list(theirs.state_dict().items())
    read = [torch.empty(value.numel(), dtype=value.dtype) for _, value in expected]
    pieces = []
    for index, (_, value) in enumerate(expected):
        cuts = sorted({0, value.numel(), *(choose.randint(0, value.numel()) for _ in range(3))})
        pieces += [(index, first, last - first) for first, last in zip(cuts, cuts[1:])]
    choose.shuffle(pieces)
    for index, first, count in pieces:
        name, read[index][first:first + count] = plan.read(index, first, count)
        assert name == expected[index][0]
    return [(values.reshape(value.shape), value) for values, (_, value) in zip(read, expected)]


def compare_layer(contexts, call, seed, shape=None):
    """Compares what a constructor's call makes, at once and through a plan."""
    compare_values(call, *make(contexts.eager, call, seed, shape))
    ours, theirs = make(contexts.deferred, call, seed, shape)
    plan = contexts.deferred.call("kdl_plan_new", contexts.deferred)
    plan.add_module(ours)
    for values, expected in read_by_ranges(plan, theirs, random.Random(call)):
        assert_same(values, expected, call, "by ranges")
    compare_values(call, ours, theirs)


def compare_refusals(context, calls):
    """Compares what is said of calls that fail."""
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = outcome(lambda: eval("nn." + call))  # pylint: disable=eval-used
        assert outcome(lambda: context.nn(call)) == theirs != "ok", call
