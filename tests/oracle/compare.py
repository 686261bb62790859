# SPDX-License-Identifier: Apache-2.0
"""What comparisons with PyTorch compare: bits, states, exceptions."""
import pytest
import torch

from kindling import KindlingError


def is_intel():
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        return "GenuineIntel" in cpuinfo.read()


def bits(tensor):
    """Comparable bits; NaN counts as NaN, whatever its payload."""
    if tensor.dtype.is_floating_point:
        tensor = tensor.nan_to_num(nan=1.2345, posinf=torch.inf, neginf=-torch.inf)
    row_major = tensor.new_empty(tensor.numel()).copy_(tensor.reshape(-1))
    return row_major.view(torch.uint8)


def assert_same(ours, theirs, *what):
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, what
    if not torch.equal(bits(ours), bits(theirs)):
        pytest.fail(f"{what}: {int((ours != theirs).sum())} of {ours.numel()} differ")


def state_of(generator):
    return generator.get_state().numpy().tobytes()


def outcome(call):
    """What a call gives: "ok", or the exception's name and the first line of its text."""
    try:
        call()
    except KindlingError as error:
        return error.status, str(error)
    except Exception as error:  # noqa: BLE001: any of PyTorch's
        return type(error).__name__, str(error).split("\n", maxsplit=1)[0]
    return "ok"
