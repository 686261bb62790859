# SPDX-License-Identifier: Apache-2.0
"""SyncBatchNorm.convert_sync_batchnorm() of random trees: classes, texts, names, values, modes."""
import random

import pytest
import torch
from torch import nn

from compare import assert_same

CALLS = (
    "BatchNorm1d(3)", "BatchNorm2d(4, 1e-3, None, dtype=torch.float64)",
    "BatchNorm3d(2, affine=False)", "BatchNorm2d(5, track_running_stats=False)",
    "BatchNorm1d(2, bias=False, dtype=torch.bfloat16)", "SyncBatchNorm(3, momentum=0.5)",
    "BatchNorm2d(1, 1e-3, 0.2, False, False)", "Linear(2, 3)", "InstanceNorm2d(3, affine=True)",
    "ReLU()",
)


def random_tree(context, choose, depth=0):
    """(ours, theirs): modules in containers, some under several names, some in eval mode."""
    ours, theirs = context.nn("Sequential()"), nn.Sequential()
    children = []
    for i in range(choose.randint(0, 4)):
        if children and choose.random() < 0.25:
            child = choose.choice(children)
        elif depth < 3 and choose.random() < 0.3:
            child = random_tree(context, choose, depth + 1)
        else:
            call = choose.choice(CALLS)
            seed(context, i)
            child = context.nn(call), eval("nn." + call)  # pylint: disable=eval-used
        children.append(child)
        context.call("kdl_add_module", ours, f"m{i}".encode(),
                     context.library.kdl_module_retain(child[0].pointer))
        theirs.add_module(f"m{i}", child[1])
    mode = choose.random() < 0.6
    context.call("kdl_module_train", ours, mode)
    theirs.train(mode)
    return ours, theirs


def modes(context, module):
    return [context.library.kdl_module_training(context.call("kdl_submodule", module, name.encode())
                                                if name else module.pointer)
            for name, _ in module.iterate("named_modules", "", True, False)]


def convert(context, ours, theirs):
    retained = context.library.kdl_module_retain(ours.pointer)
    return (context.call("kdl_convert_sync_batchnorm", retained),
            nn.SyncBatchNorm.convert_sync_batchnorm(theirs))


def compare(context, ours, theirs):
    assert str(ours) == str(theirs)
    for name in ("named_parameters", "named_buffers", "named_modules"):
        for once in (True, False):
            assert ([n for n, _ in ours.iterate(name, "", True, once)] ==
                    [n for n, _ in getattr(theirs, name)(remove_duplicate=once)])
    assert modes(context, ours) == [
        m.training for _, m in theirs.named_modules(remove_duplicate=False)]
    state = theirs.state_dict()
    assert [n for n, _ in ours.iterate("state_dict")] == list(state)
    for (name, tensor), expected in zip(ours.iterate("state_dict"), state.values()):
        assert_same(tensor.torch(), expected, name)


def seed(context, value):
    torch.manual_seed(value)
    context.default_generator().manual_seed(value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", (*CALLS, "LazyBatchNorm2d(eps=0.1)"))
def test_root(context, call):
    seed(context, 1)
    ours, theirs = context.nn(call), eval("nn." + call)  # pylint: disable=eval-used
    converted, expected = convert(context, ours, theirs)
    assert (converted.pointer == ours.pointer) == (expected is theirs)
    assert str(converted) == str(expected)
    if "Lazy" not in call:
        compare(context, converted, expected)


@pytest.mark.filterwarnings("ignore")
def test_trees(context):
    choose = random.Random(3)
    for _ in range(150):
        ours, theirs = random_tree(context, choose)
        converted, expected = convert(context, ours, theirs)
        compare(context, converted, expected)


def test_values(context):
    """The tensors are the same ones: changed values, not the defaults."""
    ours, theirs = context.nn("BatchNorm1d(3)"), nn.BatchNorm1d(3)
    with torch.no_grad():
        theirs.weight.fill_(2.5)
        theirs.running_var.fill_(7)
    for name, value in (("weight", 2.5), ("running_var", 7)):
        tensor = dict(ours.iterate("state_dict"))[name]
        context.call("kdl_init_constant_", tensor, value)
    compare(context, *convert(context, ours, theirs))
