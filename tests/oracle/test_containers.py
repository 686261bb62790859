# SPDX-License-Identifier: Apache-2.0
"""Containers as lists and dictionaries: names, texts, values and errors after random operations."""
import random

import pytest
import torch
from torch import nn

from compare import assert_same
from kindling import DTYPES, Context, KindlingError

CALLS = ("Linear(2, 1)", "ReLU()", "Linear(1, 2, bias=False)", "Tanh()")


@pytest.fixture(scope="module")
def context(prototyped_library):
    return Context(prototyped_library)


def new_layer(context, choose):
    call = choose.choice(CALLS)
    seed = choose.randrange(1000)
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    return context.nn(call), eval("nn." + call)  # pylint: disable=eval-used


def retained(context, module):
    return context.library.kdl_module_retain(module.pointer)


def assert_equal(ours, theirs, what):
    assert str(ours) == str(theirs), what
    state = ours.iterate("state_dict")
    assert [name for name, _ in state] == list(theirs.state_dict()), what
    for (name, tensor), expected in zip(state, theirs.state_dict().values()):
        assert_same(tensor.torch(), expected, what, name)
    assert ([name for name, _ in ours.iterate("named_parameters")] ==
            [name for name, _ in theirs.named_parameters()]), what


def attempt(ours, theirs, what):
    """Both succeed, or both raise the same."""
    try:
        expected = theirs()
    except (IndexError, ValueError, KeyError) as error:
        with pytest.raises(KindlingError) as caught:
            ours()
        assert (caught.value.status, str(caught.value)) == (type(error).__name__, str(error)), what
        return None, None
    return ours(), expected


def change_list(context, choose, ours, theirs):
    """One random operation; what it gives beside PyTorch's is compared."""
    count = len(theirs)
    index = choose.randint(-count - 1, count)
    call = context.call
    operation = choose.choice(("append", "insert", "extend", "set", "pop", "delete", "slice", "add"))
    if operation == "append":
        mine, other = new_layer(context, choose)
        call("kdl_append", ours, retained(context, mine))
        theirs.append(other)
    elif operation == "insert":
        if isinstance(theirs, nn.ModuleList) and not 0 <= index <= count:
            return  # PyTorch: a KeyError halfway
        mine, other = new_layer(context, choose)
        attempt(lambda: call("kdl_insert", ours, index, retained(context, mine)),
                lambda: theirs.insert(index, other), operation)
    elif operation == "extend" and count < 12:
        call("kdl_extend", ours, ours)
        theirs.extend(list(theirs))
    elif operation == "set":
        mine, other = new_layer(context, choose)
        attempt(lambda: call("kdl_set_child", ours, index, retained(context, mine)),
                lambda: theirs.__setitem__(index, other), operation)
    elif operation == "pop":
        got, expected = attempt(lambda: call("kdl_pop", ours, index), lambda: theirs.pop(index),
                                operation)
        assert str(got) == str(expected)
    elif operation == "delete":
        attempt(lambda: call("kdl_delete_child", ours, index), lambda: theirs.__delitem__(index),
                operation)
    elif operation == "slice":
        start, end = choose.randint(-6, 6), choose.choice((choose.randint(-6, 6), 2**63 - 1))
        step = choose.randint(1, 3)
        assert_equal(call("kdl_children_slice", ours, start, end, step), theirs[start:end:step],
                     (operation, start, end, step))
    elif operation == "add":
        assert_equal(call("kdl_concatenate", ours, ours), theirs + theirs, operation)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("kind", (nn.Sequential, nn.ModuleList))
def test_lists(context, kind, seed):
    choose = random.Random(seed)
    ours, theirs = context.nn(f"{kind.__name__}()"), kind()
    for step in range(25):
        change_list(context, choose, ours, theirs)
        assert_equal(ours, theirs, (seed, step))


def test_repeat(context):
    ours, theirs = context.nn("Sequential()"), nn.Sequential()
    for call in CALLS:
        torch.manual_seed(1)
        context.default_generator().manual_seed(1)
        context.call("kdl_append", ours, retained(context, context.nn(call)))
        theirs.append(eval("nn." + call))  # pylint: disable=eval-used
    for times in (1, 3):
        assert_equal(context.call("kdl_repeat", ours, times), theirs * times, times)
    with pytest.raises(KindlingError, match="Non-positive multiplication factor 0"):
        context.call("kdl_repeat", ours, 0)


@pytest.mark.parametrize("seed", range(20))
def test_module_dict(context, seed):
    choose = random.Random(seed)
    ours, theirs = context.nn("ModuleDict()"), nn.ModuleDict()
    other, twin = context.nn("ModuleDict()"), nn.ModuleDict()
    for step in range(25):
        key = choose.choice("abcdef")
        mine, layer = new_layer(context, choose)
        operation = choose.choice(("set", "set", "pop", "other", "update", "clear"))
        if operation == "set":
            context.call("kdl_add_module", ours, key.encode(), retained(context, mine))
            theirs[key] = layer
        elif operation == "other":
            context.call("kdl_add_module", other, key.encode(), retained(context, mine))
            twin[key] = layer
        elif operation == "pop":
            attempt(lambda: context.call("kdl_module_dict_pop", ours, key.encode()),
                    lambda: theirs.pop(key), key)
        elif operation == "update":
            context.call("kdl_module_dict_update", ours, other)
            theirs.update(twin)
        elif step > 20:
            context.call("kdl_module_dict_clear", ours)
            theirs.clear()
        assert_equal(ours, theirs, (seed, step))


def new_tensor(context, choose):
    torch.manual_seed(choose.randrange(1000))
    dtype = choose.choice([d for d in DTYPES if d.is_floating_point])
    value = torch.randn([choose.randint(1, 3) for _ in range(choose.randint(0, 3))]).to(dtype)
    tensor = context.tensor(value)
    return context.library.kdl_tensor_retain(tensor.pointer), value


@pytest.mark.parametrize("seed", range(20))
def test_parameter_list(context, seed):
    choose = random.Random(seed)
    ours, theirs = context.nn("ParameterList()"), nn.ParameterList()
    for step in range(20):
        mine, value = new_tensor(context, choose)
        index = choose.randint(-len(theirs) - 1, len(theirs))
        operation = choose.choice(("append", "append", "set", "extend"))
        if operation == "append":
            context.call("kdl_parameter_list_append", ours, mine)
            theirs.append(value)
        elif operation == "set":
            attempt(lambda: context.call("kdl_parameter_list_set", ours, index, mine),
                    lambda: theirs.__setitem__(index, value), index)
        elif len(theirs) < 10:
            context.library.kdl_tensor_release(mine)
            context.call("kdl_parameter_list_extend", ours, ours)
            theirs.extend(list(theirs))
        assert_equal(ours, theirs, (seed, step))


@pytest.mark.parametrize("seed", range(20))
def test_parameter_dict(context, seed):
    choose = random.Random(seed)
    ours, theirs = context.nn("ParameterDict()"), nn.ParameterDict()
    for step in range(20):
        key = choose.choice("abcd")
        mine, value = new_tensor(context, choose)
        if choose.random() < 0.7:
            context.call("kdl_parameter_dict_set", ours, key.encode(), mine)
            theirs[key] = value
        else:
            context.library.kdl_tensor_release(mine)
            if key in theirs:
                context.call("kdl_parameter_dict_pop", ours, key.encode())
                theirs.pop(key)
            else:
                with pytest.raises(KindlingError, match=f"no attribute '{key}'"):
                    context.call("kdl_parameter_dict_pop", ours, key.encode())
        assert_equal(ours, theirs, (seed, step))
