# SPDX-License-Identifier: Apache-2.0
"""The classes of torch.nn, at once and through a plan: tensors, draws, text."""
import inspect

import pytest
from torch import nn

from layer_cases import CALLS, INPUTS
from layers import SEEDS, Contexts, compare_layer, compare_refusals

DTYPES = ("float32", "float64", "float16", "bfloat16")


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    return Contexts(prototyped_library)


def calls_of(name):
    """The calls of a class, in every dtype if it has one."""
    for arguments in CALLS[name]:
        if "dtype" not in inspect.signature(getattr(nn, name)).parameters:
            yield f"{name}({arguments})"
            continue
        for dtype in DTYPES:
            yield f"{name}({', '.join(filter(None, (arguments, f'dtype=torch.{dtype}')))})"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_class(contexts, name):
    for call in calls_of(name):
        for seed in SEEDS:
            compare_layer(contexts, call, seed, INPUTS.get(name))


def test_adaptive_errors(contexts):
    compare_refusals(contexts.eager, [f"AdaptiveLogSoftmaxWithLoss({arguments})" for arguments in (
        "8, 20, 5", "8, 20, []", "8, 20, [0]", "8, 20, [-3, 4]", "8, 20, [5, 4]", "8, 20, [3, 3]",
        "8, 20, [20]", "8, 20, [5], 0", "8, 20, [5], 0.0",
        "8, 20, [5], -2", "8, 20, [5, 6], -3.0", "-8, 20, [2]", "8, 20, [5], 1e-30", "8, 20")])
