# SPDX-License-Identifier: Apache-2.0
"""Tensor.to between every two dtypes."""
import pytest
import torch

from kindling import DTYPES

WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def values_of(dtype, count, generator):
    """Random bit patterns, values of every magnitude, and special ones."""
    if dtype == torch.bool:
        return torch.randint(0, 2, (count,), generator=generator).bool()
    random = torch.randint(-(2**63), 2**63 - 1, (count,), generator=generator)
    if not dtype.is_floating_point:
        return (random >> torch.randint(0, 63, (count,), generator=generator)).to(dtype)
    patterns = (random >> 1).to(WORDS[dtype.itemsize]).view(dtype)
    exponents = torch.randint(-160, 70, (count,), generator=generator).double()
    spread = (torch.randn(count, dtype=torch.float64, generator=generator)
              * torch.exp2(exponents)).to(dtype)
    whole = torch.randint(-70000, 70000, (count,), generator=generator).to(dtype) / 2
    specials = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan")], dtype=dtype)
    return torch.cat((patterns, spread, whole, specials))


def assert_converts(context, source, dtype):
    expected = source.to(dtype)
    got = context.tensor(source).kdl_to(DTYPES.index(dtype)).torch()
    differ = (got.view(torch.uint8) != expected.view(torch.uint8)).view(len(source), -1).any(1)
    if dtype.is_floating_point:  # PyTorch's scalar and vector code disagree on a NaN's payload
        differ &= ~(got.isnan() & expected.isnan())
    assert not differ.any(), (source[differ][:5], got[differ][:5], expected[differ][:5])


@pytest.mark.parametrize("target", DTYPES, ids=str)
@pytest.mark.parametrize("source", DTYPES, ids=str)
def test_pairs(context, source, target):
    generator = torch.Generator()
    generator.manual_seed(1)
    for count in (1, 7, 1000, 300000):
        assert_converts(context, values_of(source, count, generator), target)


@pytest.mark.parametrize("target", DTYPES, ids=str)
@pytest.mark.parametrize("source", [torch.float16, torch.bfloat16], ids=str)
def test_every_half(context, source, target):
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(source)
    assert_converts(context, every, target)


@pytest.mark.parametrize("target", [torch.float16, torch.bfloat16], ids=str)
def test_floats_of_every_size(context, target):
    for start in range(-(2**31), 2**31, 2**27):
        words = torch.arange(start + start // 2**27 % 61, start + 2**27, 61, dtype=torch.int64)
        assert_converts(context, words.to(torch.int32).view(torch.float32), target)
