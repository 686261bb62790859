# SPDX-License-Identifier: Apache-2.0
"""add_, mul_, abs and comparisons: every pair of dtypes gives PyTorch's bits, or its error."""
import itertools

import pytest
import torch

from kindling import DTYPES, Context, KindlingError

VALUES = [0.0, -0.0, 1.0, -1.0, 0.1, -2.5, 3.0, 65504.0, 1e-8, float("inf"), float("nan"), 7.3]
NUMBERS = [0.0, 1.0, -1.0, 0.1, 2.5, 3.0, 1e-8, 250.0, 300.0, -212.0, 2.0**31, -2.0**40, 2.0**62,
           -2.0**63]


def values(dtype, shape, seed):
    """A tensor of the dtype: awkward values first, then random ones."""
    generator = torch.Generator().manual_seed(seed)
    numel = torch.Size(shape).numel()
    if not dtype.is_floating_point:
        low, high = {torch.bool: (0, 2), torch.uint8: (0, 256)}.get(dtype, (-2**31, 2**31))
        return torch.randint(low, high, shape, generator=generator).to(dtype)
    tensor = torch.randn(numel, generator=generator, dtype=torch.float64) * 4
    tensor[:len(VALUES)] = torch.tensor(VALUES)[:numel]
    return tensor.to(dtype).reshape(shape)


def same_bits(ours, expected):
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[expected.itemsize]
    nan = expected != expected  # of a NaN only that it is one
    return (ours.dtype == expected.dtype and torch.equal(ours != ours, nan)
            and torch.equal(ours.contiguous().view(kind).masked_fill(nan, 0),
                            expected.contiguous().view(kind).masked_fill(nan, 0)))


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except (KindlingError, RuntimeError, NotImplementedError) as error:
        return getattr(error, "status", type(error).__name__), str(error)


def compare(ours, expected, what):
    if isinstance(expected, tuple) or isinstance(ours, tuple):
        assert ours == expected, what
    else:
        assert same_bits(ours.torch(), expected), what


SHAPES = [((2500,), (2500,)), ((40, 33), (33,)), ((7, 5), (7, 1)), ((6,), ()), ((2,), (3,)),
          ((1,), (3,)), ((3,), (2, 3)), ((2, 1), (1, 4))]


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("name", ["add", "mul"])
def test_by_tensor(prototyped_library, name, deferred):
    context = Context(prototyped_library, deferred=deferred)
    for own, other, (shape, with_shape) in itertools.product(DTYPES, DTYPES, SHAPES):
        a, b = values(own, shape, 1), values(other, with_shape, 2)
        ours, by = context.tensor(a), context.tensor(b)
        expected = outcome(getattr(a, name + "_"), b)
        got = outcome(getattr(ours, f"kdl_{name}_tensor_"), by)
        compare(got if isinstance(got, tuple) else ours, expected, (own, other, shape, with_shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_by_number(prototyped_library, dtype):
    context = Context(prototyped_library)
    for name, number, shape in itertools.product(("add", "mul"), NUMBERS, ((5,), (3000,), ())):
        number = int(number) if number.is_integer() and not dtype.is_floating_point else number
        tensor = values(dtype, shape, 3)
        ours = context.tensor(tensor)
        expected = outcome(getattr(tensor, name + "_"), number)
        got = outcome(getattr(ours, f"kdl_{name}_"), float(number))
        compare(got if isinstance(got, tuple) else ours, expected, (name, number, shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_comparisons(prototyped_library, dtype):
    context = Context(prototyped_library)
    for name, number in itertools.product(("eq", "ne", "lt", "le", "gt", "ge"), NUMBERS):
        tensor = values(dtype, (2000,), 4)
        argument = int(number) if number.is_integer() and not dtype.is_floating_point else number
        compare(getattr(context.tensor(tensor), f"kdl_{name}")(number),
                getattr(torch, name)(tensor, argument), (name, number))
        turned = getattr(context.tensor(tensor.view(40, 50)).kdl_t(), f"kdl_{name}")(number)
        assert turned.strides == [1, 50]
        assert torch.equal(turned.torch(), getattr(torch, name)(tensor.view(40, 50).t(), argument))


@pytest.mark.parametrize("dtype", DTYPES)
def test_abs(prototyped_library, dtype):
    context = Context(prototyped_library)
    tensor = values(dtype, (60, 50), 5)
    compare(outcome(context.tensor(tensor).kdl_abs), outcome(tensor.abs), dtype)
    compare(outcome(context.tensor(tensor).kdl_transpose(0, 1).kdl_abs),
            outcome(tensor.t().abs), dtype)
