# SPDX-License-Identifier: Apache-2.0
"""The text of random tensors of every dtype is PyTorch's, character for character."""
import pytest

from kindling import Context
from tensor_cases import printed_cases


@pytest.mark.parametrize("seed", range(4))
def test_random_tensors(prototyped_library, seed):
    context = Context(prototyped_library)
    for dtype, values, shape, calls, requires_grad, parameter, expected in printed_cases(
            seed=100 + seed, count=1500):
        tensor = context.tensor(values.reshape(shape))
        for call in calls:
            tensor = tensor.view(call)
        if requires_grad:
            tensor.kdl_requires_grad_(True)
        prefix = "Parameter containing:\n" if parameter else ""
        assert prefix + str(tensor) == expected, (dtype, shape, calls)
