# SPDX-License-Identifier: Apache-2.0
"""
Layers have PyTorch's values; trees of modules are walked, counted, copied and printed as PyTorch
does.
"""
import copy
import ctypes
import random

import pytest
import torch
from torch import nn

import kindling

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
SEEDS = (0, 2**32 - 1, 2**32 + 5, -1, 42)
SIZES = (0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 127)


def compare(context, call, seed):
    """Compares what a constructor's call makes."""
    torch.manual_seed(seed)
    theirs = eval("nn." + call)  # pylint: disable=eval-used
    generator = context.default_generator()
    generator.manual_seed(seed % 2**64)
    ours = context.nn(call)
    assert generator.state() == torch.get_rng_state().numpy().tobytes()
    state = ours.iterate("state_dict")
    assert [name for name, _ in state] == list(theirs.state_dict())
    for (name, tensor), expected in zip(state, theirs.state_dict().values()):
        got = tensor.torch()
        assert got.dtype == expected.dtype and got.shape == expected.shape, name
        bits = {4: torch.int32, 2: torch.int16, 8: torch.int64}[got.element_size()]
        assert torch.equal(got.view(bits), expected.view(bits)), name
    assert str(ours) == str(theirs)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_linear(context, dtype):
    for bias in (True, False):
        for inputs in SIZES:
            for outputs in SIZES:
                call = f"Linear({inputs}, {outputs}, {bias}, dtype={dtype})"
                compare(context, call, SEEDS[(inputs + outputs) % len(SEEDS)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_embedding(context, dtype):
    for count in SIZES:
        for width in SIZES:
            for padding in (None, 0, count - 1, -1, -count):
                if padding is not None and count == 0:
                    continue
                call = f"Embedding({count}, {width}, {padding}, dtype={dtype})"
                compare(context, call, SEEDS[(count + width) % len(SEEDS)])


class Pair:
    """A module of ours and PyTorch's, built alike."""

    def __init__(self, context, kind):
        self.context = context
        self.ours = context.nn(f"{kind.__name__}()")
        self.theirs = kind()

    def add(self, name, child):
        pointer = child and self.context.library.kdl_module_retain(child.ours.pointer)
        self.context.call("kdl_add_module", self.ours, name.encode(), pointer)
        self.theirs.add_module(name, child and child.theirs)

    def add_tensor(self, name, pair, persistent):
        """A pair of tensors, or None; persistent is None for a parameter."""
        ours, theirs = pair or (None, None)
        retained = ours and ctypes.cast(self.context.library.kdl_tensor_retain(ours.pointer),
                                        ctypes.c_void_p)
        if persistent is None:
            self.context.call("kdl_register_parameter", self.ours, name.encode(), retained)
            self.theirs.register_parameter(name, theirs)
        else:
            options = kindling.BufferOptions(ctypes.sizeof(kindling.BufferOptions), persistent)
            self.context.call("kdl_register_buffer_with", self.ours, name.encode(), retained,
                              options)
            self.theirs.register_buffer(name, theirs, persistent)


def random_tree(context, choose):
    """A tree in which modules, parameters and buffers may have several names, or none."""
    def tensor(parameter):
        theirs = torch.ones(choose.randint(0, 3))
        ours = context.tensor(theirs)
        if not parameter:
            return ours, theirs
        retained = context.library.kdl_tensor_retain(ours.pointer)
        return context.call("kdl_parameter_new_with", retained, None), nn.Parameter(theirs)

    parameters = [tensor(True) for _ in range(5)]
    buffers = [tensor(False) for _ in range(4)]
    modules = []
    for _ in range(choose.randint(1, 12)):
        pair = Pair(context, choose.choice((nn.Sequential, nn.ModuleList)))
        for i in range(choose.randint(0, 5)):
            kind = choose.choice("pbcn")
            if kind == "p":
                pair.add_tensor(f"p{i}", choose.choice(parameters + [None]), None)
            elif kind == "b":
                pair.add_tensor(f"b{i}", choose.choice(buffers + [None]), choose.random() < 0.6)
            elif modules:
                pair.add(f"m{i}", choose.choice(modules[-4:]) if kind == "c" else
                         choose.choice(modules + [None]))
        modules.append(pair)
    return modules


def test_trees(context):
    choose = random.Random(7)
    for _ in range(300):
        modules = random_tree(context, choose)
        ours, theirs = modules[-1].ours, modules[-1].theirs
        for name in ("named_parameters", "named_buffers"):
            for recurse in (True, False):
                for once in (True, False):
                    got = ours.iterate(name, "net", recurse, once)
                    expected = getattr(theirs, name)("net", recurse, once)
                    assert [n for n, _ in got] == [n for n, _ in expected]
        for once in (True, False):
            got = ours.iterate("named_modules", "a.b", True, once)
            expected = theirs.named_modules(prefix="a.b", remove_duplicate=once)
            assert [n for n, _ in got] == [n for n, _ in expected]
        assert ([n for n, _ in ours.iterate("named_children")] ==
                [n for n, _ in theirs.named_children()])
        assert [n for n, _ in ours.iterate("state_dict")] == list(theirs.state_dict())
        assert (context.call("kdl_module_numel", ours) ==
                sum(p.numel() for p in theirs.parameters()))
        assert str(ours) == str(theirs)
        compare_copies(context.call("kdl_module_deep_copy", ours), copy.deepcopy(theirs))
        assert applied(context, modules) == applied_by_theirs(modules)


def compare_copies(ours, theirs):
    """Compares two copies: what is told by the names is compared with all names and without."""
    for name in ("named_parameters", "named_buffers"):
        for once in (True, False):
            got = ours.iterate(name, "", True, once)
            expected = list(getattr(theirs, name)("", True, once))
            assert [n for n, _ in got] == [n for n, _ in expected]
            assert all(torch.equal(a.torch(), b) for (_, a), (_, b) in zip(got, expected))
    assert ([n for n, _ in ours.iterate("named_modules")] ==
            [n for n, _ in theirs.named_modules()])
    assert [n for n, _ in ours.iterate("state_dict")] == list(theirs.state_dict())
    assert str(ours) == str(theirs)


def applied(context, modules):
    """The indices of the modules that apply() goes to, in order."""
    index = {pair.ours.pointer: i for i, pair in enumerate(modules)}
    order = []
    function = kindling.APPLY_FUNCTION(lambda module, _: order.append(index[module]))
    context.call("kdl_apply", modules[-1].ours, function, None)
    return order


def applied_by_theirs(modules):
    index = {id(pair.theirs): i for i, pair in enumerate(modules)}
    order = []
    modules[-1].theirs.apply(lambda module: order.append(index[id(module)]))
    return order
