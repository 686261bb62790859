# SPDX-License-Identifier: Apache-2.0
"""state_dict and load_state_dict: texts, errors and values are PyTorch's, in memory and in files."""
import ctypes
import random

import pytest
import safetensors.torch
import torch
from torch import nn

from compare import assert_same
from kindling import (DTYPES, KindlingError, LoadOptions, SaveOptions, StateDictOptions)

LAYERS = ("Linear(3, 2)", "Linear(2, 4, bias=False)", "BatchNorm1d(3)", "LayerNorm(2)",
          "Embedding(4, 3)", "Conv2d(2, 3, 2)", "LSTM(2, 3)", "GRUCell(2, 2)", "ReLU()",
          "BatchNorm2d(2, affine=False)", "BatchNorm1d(2, track_running_stats=False)", "PReLU()")


def make_tree(context, choose, depth=2):
    """The same random tree here and there, named as in Sequential; some branches are shared."""
    ours, theirs = context.nn("Sequential()"), nn.Sequential()
    children = []
    for _ in range(choose.randint(1, 4)):
        if children and choose.random() < 0.2:
            child = choose.choice(children)
        elif depth and choose.random() < 0.4:
            child = make_tree(context, choose, depth - 1)
        else:
            call = choose.choice(LAYERS)
            child = context.nn(call), eval("nn." + call)  # pylint: disable=eval-used
        children.append(child)
        context.call("kdl_append", ours, context.library.kdl_module_retain(child[0].pointer))
        theirs.append(child[1])
    return ours, theirs


def make_same(context, choose, seed):
    """A tree with the same values on either side."""
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    return make_tree(context, choose)


def state_dict(module, prefix="", keep_vars=False):
    return module.context.call(
        "kdl_module_state_dict_with", module,
        StateDictOptions(ctypes.sizeof(StateDictOptions), prefix.encode(), keep_vars))


def load(module, state, strict=True, assign=False):
    options = LoadOptions(ctypes.sizeof(LoadOptions), strict, assign, None, None)
    name = "kdl_load_with" if isinstance(state, bytes) else "kdl_load_state_dict_with"
    module.context.call(name, module, state, options)


def assert_equal_values(ours, theirs, what):
    items = list(state_dict(ours).items())
    assert [name for name, _ in items] == list(theirs.state_dict()), what
    for (name, tensor), expected in zip(items, theirs.state_dict().values()):
        assert_same(tensor.torch(), expected, what, name)


@pytest.mark.parametrize("seed", range(60))
def test_text(context, seed):
    choose = random.Random(seed)
    ours, theirs = make_same(context, choose, seed)
    for prefix in ("", "a.", "b"):
        for keep_vars in (False, True):
            got, expected = state_dict(ours, prefix, keep_vars), theirs.state_dict(
                prefix=prefix, keep_vars=keep_vars)
            assert str(got) == str(expected)
            assert got.keys() == str(expected.keys())


def change(choose, state):
    """Takes entries away, adds some, changes sizes."""
    for key in list(state):
        kind = choose.random()
        if kind < 0.1:
            del state[key]
        elif kind < 0.2:
            value = state[key]
            shape = list(value.shape)
            if shape:
                shape[choose.randrange(len(shape))] += 1
            else:
                shape = [choose.choice((1, 2))]
            state[key] = torch.ones(shape, dtype=value.dtype)
        elif kind < 0.3:
            parts = key.split(".")
            parts.insert(choose.randint(0, len(parts)), choose.choice(("7", "weight", "new")))
            state[".".join(parts)] = state[key]
    return state


@pytest.mark.parametrize("seed", range(200))
def test_load(context, seed):
    choose = random.Random(seed)
    shape = random.Random(seed)
    ours, theirs = make_same(context, shape, seed)
    _, source = make_same(context, random.Random(seed), seed + 1)
    state = change(choose, source.state_dict())
    copied = context.call("kdl_state_dict_new", context)
    for key, value in state.items():
        copied.set(key, value)
    before = [(name, tensor.torch().clone()) for name, tensor in state_dict(ours).items()]
    for strict, assign in ((True, False), (False, False), (True, True)):
        try:
            theirs.load_state_dict(state, strict=strict, assign=assign)
            expected = None
        except RuntimeError as error:
            expected = str(error)
        if expected is None:
            load(ours, copied, strict, assign)
            assert_equal_values(ours, theirs, (seed, strict, assign))
        else:
            with pytest.raises(KindlingError) as caught:
                load(ours, copied, strict, assign)
            assert caught.value.status == "RuntimeError"
            assert str(caught.value) == expected
            # PyTorch has copied what fits, Kindling nothing: they go on alike from the same values.
            after = [(name, tensor.torch()) for name, tensor in state_dict(ours).items()]
            for (name, old), (_, new) in zip(before, after):
                assert_same(new, old, seed, name)
            with torch.no_grad():
                for (_, old), value in zip(before, theirs.state_dict().values()):
                    value.copy_(old)
        before = [(name, tensor.torch().clone()) for name, tensor in state_dict(ours).items()]


@pytest.mark.parametrize("seed", range(40))
def test_files(context, seed, tmp_path):
    choose = random.Random(seed)
    ours, theirs = make_same(context, choose, seed)
    if not theirs.state_dict():
        return
    mine, other = str(tmp_path / "ours.safetensors"), str(tmp_path / "theirs.safetensors")
    context.call("kdl_save_with", ours, mine.encode(),
                 SaveOptions(ctypes.sizeof(SaveOptions), False, False, None, None))
    safetensors.torch.save_model(theirs, other)
    got, expected = safetensors.torch.load_file(mine), safetensors.torch.load_file(other)
    assert list(got) == list(expected)
    for name, value in expected.items():
        assert_same(got[name], value, seed, name)
    loaded, _ = make_same(context, random.Random(seed), seed + 1)
    load(loaded, other.encode())
    assert_equal_values(loaded, theirs, seed)
    _, again = make_same(context, random.Random(seed), seed + 2)
    # Not strict: of a shared BatchNorm it finds num_batches_tracked unexpected, in its own file too.
    safetensors.torch.load_model(again, mine, strict=False)
    assert_equal_values(ours, again, seed)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_to(context, seed, dtype):
    ours, theirs = make_same(context, random.Random(seed), seed)
    try:
        theirs.to(dtype)
    except TypeError as error:
        with pytest.raises(KindlingError) as caught:
            context.call("kdl_module_to", ours, DTYPES.index(dtype))
        assert (caught.value.status, str(caught.value)) == ("TypeError", str(error))
    else:
        context.call("kdl_module_to", ours, DTYPES.index(dtype))
        assert_equal_values(ours, theirs, dtype)
