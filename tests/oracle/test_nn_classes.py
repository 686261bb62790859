# SPDX-License-Identifier: Apache-2.0
"""Which of torch.nn's classes there are, and what each derives from."""
import ctypes
import inspect
from itertools import chain

import pytest
from torch import nn

from kindling import POINTER, TEXT
from layer_cases import CALLS

# Deprecated, or about devices.
LEFT_OUT = {"Container", "DataParallel", "NLLLoss2d"}


class Class(ctypes.Structure):
    """What kdl_module_class begins with."""

    _fields_ = [("name", TEXT), ("parent", POINTER)]


def exported():
    return {name: kind for name, kind in vars(nn).items()
            if inspect.isclass(kind) and issubclass(kind, nn.Module)}


def ancestors(pointer):
    """The names of a class and its parents, nn.Module left out."""
    while pointer:
        found = ctypes.cast(pointer, ctypes.POINTER(Class)).contents
        if found.name != b"Module":
            yield found.name.decode()
        pointer = found.parent


def test_count():
    assert len(exported()) == 163


def test_every_class(prototyped_library):
    classes = exported()
    missing = {n for n in classes if not prototyped_library.kdl_nn_class(n.encode())}
    assert missing == LEFT_OUT


def test_no_other_class(prototyped_library):
    """Every class that there is is one of torch.nn's, with the same ancestors."""
    index = 0
    while (pointer := prototyped_library.kdl_nn_class_at(index)):
        index += 1
        ours = list(ancestors(pointer))
        if not ours:  # Module itself
            continue
        theirs = [kind.__name__ for kind in getattr(nn, ours[0]).__mro__
                  if issubclass(kind, nn.Module) and kind is not nn.Module]
        # Several parents: a mixin is not followed, and of two classes one.
        lazy = {"LazyModuleMixin", "_LazyNormBase", "_LazyConvXdMixin"}
        assert ours == [name for name in theirs if name not in lazy]
    assert index > 130


def test_cases():
    """Every class that takes arguments is compared with at least six lists of them."""
    for name, lists in CALLS.items():
        parameters = inspect.signature(getattr(nn, name).__init__).parameters
        takes = any(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
                    for p in list(parameters.values())[1:])
        assert len(lists) >= (6 if takes else 1), name
        assert len(set(lists)) == len(lists), name


@pytest.mark.filterwarnings("ignore")
def test_cases_with_tensors():
    """Where a class has parameters or buffers, at least six of the lists give it some."""
    found = {}
    for name, lists in CALLS.items():
        modules = [eval(f"nn.{name}({args})") for args in lists]  # pylint: disable=eval-used
        found[name] = sum(any(True for _ in chain(m.parameters(), m.buffers())) for m in modules)
    classes = {name: count for name, count in found.items() if count}
    print(f"{len(classes)} classes with tensors, {sum(classes.values())} calls")
    assert len(classes) >= 36 and min(classes.values()) >= 6
