# SPDX-License-Identifier: Apache-2.0
"""Containers do what PyTorch's do: random operations, then names, texts, values and errors."""
import ast
import copy
import ctypes
import random
from collections import OrderedDict

import pytest
import torch
from torch import nn

from compare import assert_same, outcome
from kindling import NONE_INT, POINTER
from layers import SEEDS, Contexts, compare_values, read_by_ranges

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
KEYS = ("a", "b", "left", "it's", "0", "weight_2")


def outcome_of(call):
    """
    outcome(), with the status that stands for an AttributeError, and a KeyError's text as it was
    given: str(KeyError(text)) is its repr().
    """
    got = outcome(call)
    if got[0] not in ("AttributeError", "KeyError"):
        return got
    try:
        return "KeyError", ast.literal_eval(got[1])
    except SyntaxError:
        return "KeyError", got[1]


def nothing(_):
    """The container, which a method returns, is compared in any case."""


class Both:
    """A container of ours and PyTorch's."""

    def __init__(self, context, kind, ours=None, theirs=None):
        self.context, self.kind = context, kind
        self.ours = ours or context.nn(f"{kind.__name__}()")
        self.theirs = kind() if theirs is None else theirs

    def check(self):
        assert str(self.ours) == str(self.theirs)
        for name in ("named_children", "named_parameters"):
            assert ([n for n, _ in self.ours.iterate(name)] ==
                    [n for n, _ in getattr(self.theirs, name)()])
        state = self.theirs.state_dict()
        assert [n for n, _ in self.ours.iterate("state_dict")] == list(state)
        for (_, tensor), expected in zip(self.ours.iterate("state_dict"), state.values()):
            assert tensor.dtype == expected.dtype and torch.equal(tensor.torch(), expected)

    def do(self, ours, theirs):
        """
        Calls both, each of which gives None or something to compare. A call of PyTorch's that fails
        may have changed something; one of ours may not.
        """
        before = copy.deepcopy(self.theirs)
        results = [None, None]

        def run(index, function):
            results[index] = function()

        expected = outcome_of(lambda: run(1, theirs))
        assert outcome_of(lambda: run(0, ours)) == expected
        if expected == "ok":
            assert results[0] == results[1]
        else:
            self.theirs = before
        self.check()
        return expected == "ok"

    def retained(self):
        return self.context.library.kdl_module_retain(self.ours.pointer)


def new_module(context, choose):
    call = choose.choice((f"Flatten({choose.randint(-99, 99)})", "Linear(3, 2)", "ReLU()"))
    seed = choose.randint(0, 99)
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    theirs = eval("nn." + call)  # pylint: disable=eval-used
    return Both(context, nn.Module, context.nn(call), theirs)


def filled(context, choose, kind):
    """A list or dict of modules."""
    both = Both(context, kind)
    for i in range(choose.randint(0, 4)):
        child, name = new_module(context, choose), str(i)
        if kind is nn.ModuleDict or (kind is nn.Sequential and choose.random() < 0.2):
            name = choose.choice(KEYS)
        context.call("kdl_add_module", both.ours, name.encode(), child.retained())
        both.theirs.add_module(name, child.theirs)
    both.check()
    return both


def bounds(choose):
    """A slice's start, stop and step, as Python and C write them."""
    given = [choose.choice((None, None, *range(-6, 7), 10**9)) for _ in range(2)]
    given.append(choose.choice((None, 1, 1, 2, 3, -1, -2, 0)))
    return slice(*given), [NONE_INT if v is None else v for v in given]


def delete_item(container, index):
    del container[index]


def step_list(context, choose, both):  # noqa: C901: one branch an operation
    operation = choose.choice(("append", "insert", "pop", "set", "get", "delete", "delete_one",
                               "slice", "extend", "extend_self", "add", "multiply"))
    child, index = new_module(context, choose), choose.randint(-5, 5)
    if operation in ("append", "insert"):
        arguments = [index] if operation == "insert" else []
        return both.do(lambda: context.call(f"kdl_{operation}", both.ours, *arguments,
                                            child.retained()),
                       lambda: nothing(getattr(both.theirs, operation)(*arguments, child.theirs)))
    if operation == "pop":
        return both.do(lambda: str(context.call("kdl_pop", both.ours, index)),
                       lambda: str(both.theirs.pop(index)))
    if operation == "set":
        return both.do(lambda: context.call("kdl_set_child", both.ours, index, child.retained()),
                       lambda: both.theirs.__setitem__(index, child.theirs))
    if operation == "get":
        return both.do(lambda: context.call("kdl_module_to_string",
                                            context.call("kdl_child", both.ours, index)),
                       lambda: str(both.theirs[index]))
    if operation == "delete":
        python, c = bounds(choose)
        return both.do(lambda: context.call("kdl_delete_children", both.ours, *c),
                       lambda: delete_item(both.theirs, python))
    if operation == "slice":
        python, c = bounds(choose)
        return both.do(lambda: str(context.call("kdl_children_slice", both.ours, *c)),
                       lambda: str(both.theirs[python]))
    if operation == "extend_self":  # with which PyTorch fails halfway
        return both.do(lambda: context.call("kdl_extend", both.ours, both.ours),
                       lambda: nothing(both.theirs.extend(list(both.theirs))))
    if operation == "delete_one":
        return both.do(lambda: context.call("kdl_delete_child", both.ours, index),
                       lambda: delete_item(both.theirs, index))
    if operation == "multiply":
        if both.kind is nn.ModuleList:
            return True
        return both.do(lambda: str(context.call("kdl_repeat", both.ours, index)),
                       lambda: str(both.theirs * index))
    other = filled(context, choose, choose.choice((nn.Sequential, nn.ModuleList, nn.ModuleDict)))
    if len(other.theirs) == 0:
        return True  # PyTorch takes an empty ModuleDict for a list
    if operation == "extend":
        return both.do(lambda: context.call("kdl_extend", both.ours, other.ours),
                       lambda: nothing(both.theirs.extend(other.theirs)))
    return both.do(lambda: str(context.call("kdl_concatenate", both.ours, other.ours)),
                   lambda: str(both.theirs + other.theirs))


def numbers(names):
    return [str(i) for i in range(len(names))]


@pytest.mark.parametrize("kind", (nn.Sequential, nn.ModuleList))
def test_lists(context, kind):
    choose = random.Random(kind.__name__)
    fine = total = 0
    for _ in range(250):
        both = filled(context, choose, kind)
        for _ in range(12):
            fine += step_list(context, choose, both)
            total += 1
            names = [name for name, _ in both.theirs.named_children()]
            if len(names) > 12 or (kind is nn.ModuleList and names != numbers(names)):
                break  # a ModuleList with a hole is of no use any more
    assert total // 3 < fine < total


def test_wrong_sources(context):
    linear = context.nn("Linear(1, 1)")
    for kind in (nn.Sequential, nn.ModuleList):
        both = Both(context, kind)
        assert not both.do(lambda: context.call("kdl_extend", both.ours, linear),
                           lambda: both.theirs.extend(nn.Linear(1, 1)))
    both = Both(context, nn.ModuleDict)
    assert not both.do(lambda: context.call("kdl_module_dict_update", both.ours, linear),
                       lambda: both.theirs.update(nn.Linear(1, 1)))
    both = Both(context, nn.ParameterList)
    assert not both.do(lambda: context.call("kdl_parameter_list_extend", both.ours, linear),
                       lambda: both.theirs.extend(nn.Linear(1, 1)))
    both = Both(context, nn.ParameterDict)
    assert not both.do(lambda: context.call("kdl_parameter_dict_update", both.ours, linear),
                       lambda: both.theirs.update(nn.Linear(1, 1)))


def step_module_dict(context, choose, both):
    operation = choose.choice(("set", "get", "pop", "contains", "clear", "update", "items"))
    key, child = choose.choice(KEYS), new_module(context, choose)
    c_key = key.encode()
    if operation == "set":
        return both.do(lambda: context.call("kdl_add_module", both.ours, c_key, child.retained()),
                       lambda: both.theirs.__setitem__(key, child.theirs))
    if operation == "get":
        return both.do(lambda: context.call("kdl_module_to_string",
                                            context.call("kdl_module_dict_get", both.ours, c_key)),
                       lambda: str(both.theirs[key]))
    if operation == "pop":
        return both.do(lambda: str(context.call("kdl_module_dict_pop", both.ours, c_key)),
                       lambda: str(both.theirs.pop(key)))
    if operation == "contains":
        return both.do(lambda: context.call("kdl_module_dict_contains", both.ours, c_key),
                       lambda: key in both.theirs)
    if operation == "clear":
        return both.do(lambda: context.call("kdl_module_dict_clear", both.ours), both.theirs.clear)
    if operation == "update":
        other = filled(context, choose, nn.ModuleDict)
        return both.do(lambda: context.call("kdl_module_dict_update", both.ours, other.ours),
                       lambda: both.theirs.update(other.theirs))
    return both.do(
        lambda: [(context.call("kdl_child_name", both.ours, i).decode(),
                  context.call("kdl_module_to_string", context.call("kdl_child", both.ours, i)))
                 for i in range(context.call("kdl_child_count", both.ours))],
        lambda: [(k, str(v)) for k, v in both.theirs.items()])


def test_module_dicts(context):
    choose = random.Random("ModuleDict")
    fine = 0
    for _ in range(100):
        both = filled(context, choose, nn.ModuleDict)
        fine += sum(step_module_dict(context, choose, both) for _ in range(12))
    assert 600 < fine < 1200


def new_value(context, choose):
    """A tensor, a Parameter or None: (an owned pointer of ours, PyTorch's)."""
    if choose.random() < 0.15:
        return None, None
    shape = [choose.randint(0, 3) for _ in range(choose.randint(0, 3))]
    if choose.random() < 0.1:
        theirs = torch.ones(shape, dtype=torch.int64)  # cannot be a Parameter that requires grad
    else:
        theirs = torch.randn(shape, dtype=torch.float64).to(choose.choice(DTYPES))
    copied = context.tensor(theirs)
    ours = context.library.kdl_tensor_retain(copied.pointer)
    if theirs.is_floating_point() and choose.random() < 0.5:
        return context.library.kdl_parameter_new_with(ours, None), nn.Parameter(theirs)
    return ours, theirs


def described(context, pointer):
    return pointer and context.call("kdl_tensor_to_string", pointer)


def described_value(value):
    return str(value) if value.pointer else None


def described_theirs(value):
    return None if value is None else str(value)


def fill_parameter_list(context, choose):
    both = Both(context, nn.ParameterList)
    for _ in range(choose.randint(0, 4)):
        ours, theirs = new_value(context, choose)
        both.do(lambda: context.call("kdl_parameter_list_append", both.ours, ours),
                lambda: nothing(both.theirs.append(theirs)))
    return both


def step_parameter_list(context, choose, both):
    operation = choose.choice(("append", "get", "set", "extend", "extend_self", "slice", "copy"))
    index = choose.randint(-6, 6)
    if operation == "get":
        return both.do(lambda: described(context, context.call("kdl_parameter_list_get", both.ours,
                                                               index)),
                       lambda: described_theirs(both.theirs[index]))
    if operation == "slice":
        python, c = bounds(choose)
        return both.do(lambda: str(context.call("kdl_parameter_list_slice", both.ours, *c)),
                       lambda: str(both.theirs[python]))
    if operation == "copy":
        return both.do(lambda: str(context.call("kdl_module_deep_copy", both.ours)),
                       lambda: str(copy.deepcopy(both.theirs)))
    if operation.startswith("extend"):
        other = both if operation == "extend_self" else fill_parameter_list(context, choose)
        return both.do(lambda: context.call("kdl_parameter_list_extend", both.ours, other.ours),
                       lambda: nothing(both.theirs.extend(other.theirs)))
    ours, theirs = new_value(context, choose)
    if operation == "set":
        return both.do(lambda: context.call("kdl_parameter_list_set", both.ours, index, ours),
                       lambda: both.theirs.__setitem__(index, theirs))
    return both.do(lambda: context.call("kdl_parameter_list_append", both.ours, ours),
                   lambda: nothing(both.theirs.append(theirs)))


def test_parameter_lists(context):
    torch.manual_seed(0)
    choose = random.Random("ParameterList")
    fine = total = 0
    for _ in range(120):
        both = fill_parameter_list(context, choose)
        for _ in range(10):
            fine += step_parameter_list(context, choose, both)
            total += 1
            assert context.call("kdl_parameter_count", both.ours) == len(both.theirs)
            if len(both.theirs) > 20:
                break
    assert total // 3 < fine < total


def fill_parameter_dict(context, choose):
    both = Both(context, nn.ParameterDict)
    for _ in range(choose.randint(0, 4)):
        set_value(context, choose, both, choose.choice(KEYS))
    return both


def set_value(context, choose, both, key):
    ours, theirs = new_value(context, choose)
    return both.do(lambda: context.call("kdl_parameter_dict_set", both.ours, key.encode(), ours),
                   lambda: both.theirs.__setitem__(key, theirs))


def pop_item(context, both):
    key = POINTER()
    value = context.call("kdl_parameter_dict_popitem", both.ours, ctypes.byref(key))
    text = ctypes.string_at(key.value).decode()
    context.library.kdl_free(context.pointer, key)
    return text, described_value(value)


def pop_item_of_theirs(container):
    key, value = container.popitem()
    return key, described_theirs(value)


def step_parameter_dict(context, choose, both):  # noqa: C901: one branch an operation
    operation = choose.choice(("set", "set", "get", "contains", "pop", "popitem", "setdefault",
                               "clear", "update", "copy", "deepcopy", "dotted"))
    key = choose.choice(KEYS)
    c_key = key.encode()
    if operation == "set":
        return set_value(context, choose, both, key)
    if operation == "get":
        return both.do(lambda: described(context, context.call("kdl_parameter_dict_get", both.ours,
                                                               c_key)),
                       lambda: described_theirs(both.theirs[key]))
    if operation == "contains":
        return both.do(lambda: context.call("kdl_parameter_dict_contains", both.ours, c_key),
                       lambda: key in both.theirs)
    if operation == "pop":
        return both.do(lambda: described_value(context.call("kdl_parameter_dict_pop", both.ours,
                                                            c_key)),
                       lambda: described_theirs(both.theirs.pop(key)))
    if operation == "popitem":
        return both.do(lambda: pop_item(context, both), lambda: pop_item_of_theirs(both.theirs))
    if operation == "setdefault":
        ours, theirs = new_value(context, choose)
        return both.do(
            lambda: described(context, context.call("kdl_parameter_dict_setdefault", both.ours,
                                                    c_key, ours)),
            lambda: described_theirs(both.theirs.setdefault(key, theirs)))
    if operation == "clear":
        return both.do(lambda: context.call("kdl_parameter_dict_clear", both.ours),
                       both.theirs.clear)
    if operation == "update":
        other = fill_parameter_dict(context, choose)
        return both.do(lambda: context.call("kdl_parameter_dict_update", both.ours, other.ours),
                       lambda: both.theirs.update(other.theirs))
    if operation == "copy":
        return both.do(lambda: str(context.call("kdl_parameter_dict_copy", both.ours)),
                       lambda: str(both.theirs.copy()))
    if operation == "deepcopy":
        return both.do(lambda: str(context.call("kdl_module_deep_copy", both.ours)),
                       lambda: str(copy.deepcopy(both.theirs)))
    ours = context.tensor(torch.ones(2))
    return both.do(lambda: context.call("kdl_parameter_dict_set", both.ours, b"a.b",
                                        context.library.kdl_tensor_retain(ours.pointer)),
                   lambda: both.theirs.__setitem__("a.b", torch.ones(2)))


def test_parameter_dicts(context):
    torch.manual_seed(0)
    choose = random.Random("ParameterDict")
    fine = 0
    for _ in range(120):
        both = fill_parameter_dict(context, choose)
        for _ in range(10):
            fine += step_parameter_dict(context, choose, both)
            keys = context.call("kdl_parameter_dict_keys", both.ours)
            assert (context.call("kdl_key_list_to_string", keys) ==
                    str(list(both.theirs.keys())))
    assert 400 < fine < 1200


def test_ties(context):
    """What is extended, sliced or copied holds the same Parameters."""
    weight = context.tensor(torch.ones(2))
    both = Both(context, nn.ParameterList)
    context.call("kdl_parameter_list_append", both.ours,
                 context.library.kdl_tensor_retain(weight.pointer))
    both.theirs.append(torch.ones(2))
    both.do(lambda: context.call("kdl_parameter_list_extend", both.ours, both.ours),
            lambda: nothing(both.theirs.extend(both.theirs)))
    assert [n for n, _ in both.ours.iterate("named_parameters")] == ["0"]
    assert [n for n, _ in both.ours.iterate("state_dict")] == ["0", "1"]


SHAPES = ([], [()], [(3,), (0, 2)], [(17, 5)], [(1,), (2, 2, 2), (16,)], [(33,), (4, 4), ()],
          [(5,)] * 12, [(300, 3), (7,)])


def fill_with_normals(context, kind, shapes, dtype):
    """A list or dict of normal_() parameters, drawn alike from both default generators."""
    ours, theirs = context.nn(f"{kind.__name__}()"), kind()
    for i, shape in enumerate(shapes):
        drawn = context.empty(shape, dtype)
        drawn.fill("normal_", 0.0, 1.0)
        retained = context.library.kdl_tensor_retain(drawn.pointer)
        value = torch.empty(shape, dtype=dtype).normal_()
        if kind is nn.ParameterList:
            context.call("kdl_parameter_list_append", ours, retained)
            theirs.append(value)
        else:
            context.call("kdl_parameter_dict_set", ours, f"p{i}".encode(), retained)
            theirs[f"p{i}"] = value
    return ours, theirs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", (nn.ParameterList, nn.ParameterDict))
def test_plan(prototyped_library, kind, dtype):
    """At once, and recorded, then read by ranges out of order."""
    contexts = Contexts(prototyped_library)
    for shapes in SHAPES:
        for seed in SEEDS:
            for context in (contexts.eager, contexts.deferred):
                generator = context.default_generator()
                generator.manual_seed(seed)
                torch.manual_seed(seed)
                ours, theirs = fill_with_normals(context, kind, shapes, dtype)
                assert generator.state() == torch.get_rng_state().numpy().tobytes()
                if context is contexts.deferred:
                    plan = context.call("kdl_plan_new", context)
                    plan.add_module(ours)
                    for values, expected in read_by_ranges(plan, theirs, random.Random(seed)):
                        assert_same(values, expected, shapes)
                compare_values(kind.__name__, ours, theirs)


def test_named(context):
    """Sequential(OrderedDict) is add_module() in turn, also here."""
    theirs = nn.Sequential(OrderedDict([("conv", nn.Conv2d(1, 2, 3)), ("relu", nn.ReLU())]))
    both = Both(context, nn.Sequential, theirs=theirs)
    for name, call in (("conv", "Conv2d(1, 2, 3)"), ("relu", "ReLU()")):
        module = context.nn(call)
        context.call("kdl_add_module", both.ours, name.encode(),
                     context.library.kdl_module_retain(module.pointer))
    assert str(both.ours) == str(both.theirs)
    both.do(lambda: str(context.call("kdl_pop", both.ours, 0)), lambda: str(both.theirs.pop(0)))
