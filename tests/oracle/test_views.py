# SPDX-License-Identifier: Apache-2.0
"""Views: random sequences of calls give PyTorch's layout and elements, or its error."""
import pytest

from kindling import Context, KindlingError
from tensor_cases import view_cases, view_source

import torch


@pytest.mark.parametrize("seed", range(4))
def test_random_sequences(prototyped_library, seed):
    context = Context(prototyped_library)
    outcomes = {"layout": 0, "error": 0}
    for dtype, shape, calls, expected in view_cases(seed=100 + seed, count=5000):
        tensor = context.tensor(view_source(dtype, shape))
        try:
            for call in calls:
                tensor = tensor.view(call)
        except KindlingError as error:
            assert isinstance(expected, Exception), (shape, calls, str(error))
            assert (error.status, str(error)) == (type(expected).__name__, str(expected)), (
                shape, calls)
            outcomes["error"] += 1
            continue
        assert isinstance(expected, torch.Tensor), (shape, calls, expected)
        assert (tensor.shape, tensor.strides, tensor.kdl_tensor_storage_offset(),
                tensor.kdl_tensor_is_contiguous()) == (
            list(expected.shape), list(expected.stride()), expected.storage_offset(),
            expected.is_contiguous()), (shape, calls)
        if 0 < expected.numel() <= 2000:  # expanded ones may have more elements than memory
            assert torch.equal(tensor.torch(), expected), (dtype, shape, calls)
        outcomes["layout"] += 1
    assert outcomes["layout"] > 2000 and outcomes["error"] > 500, outcomes
