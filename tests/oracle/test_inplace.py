# SPDX-License-Identifier: Apache-2.0
"""fill_, mul_, copy_ and setting elements: PyTorch's bits and errors, eager and recorded."""
import ctypes
import math
import random

import pytest
import torch

from compare import assert_same, outcome
from kindling import LONG, Context
from tensor_cases import DTYPES, FLOATS, apply_view, random_integers, random_reals, random_view_call

NAN, INF = math.nan, math.inf
FLOAT_VALUES = (0.0, -0.0, 1.0, -1.0, 2.7, -2.7, -0.5, 255.0, 255.5, 256.0, 300.0, -255.0, -300.0,
                65504.0, 65519.0, 65520.0, 7e4, -7e4, 2.0**24 + 1, 2.0**31 - 1, 2147483647.5,
                2.0**31, -2.0**31, -2147483648.5, -2.0**31 - 1, 2.0**63, -2.0**63, -2.0**63 - 2048,
                1e19, 3.38e38, 3.39e38, 3.3961775e38, 3.4e38, 3.4028236e38, 1e40, 1e300, -1e300,
                INF, -INF, NAN, 1e-50, 1e-45, 5.96e-8, 1e-320)
INT_VALUES = (0, 1, -1, 2, -3, 255, 256, 300, -255, -256, 2048, 2049, 65504, 65505, 65520, -65504,
              -65505, 2**24 + 1, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**40, 2**53 + 1,
              2**60 + 2**52 + 2**36 + 1, 2**63 - 1, -2**63)
SHAPES = ((), (0,), (1,), (3,), (70, 3), (1, 1, 1))


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    """An eager and a deferred one."""
    return Context(prototyped_library), Context(prototyped_library, deferred=True)


def recorded(context, values):
    """A tensor with these values that is recorded in a deferred context, as far as it can be."""
    tensor = context.empty(values.shape, values.dtype)
    tensor.kdl_copy_(context.tensor(values))
    return tensor


def check(contexts, values, theirs, ours, *what):
    """Does the same to a tensor of these values in PyTorch and Kindling; returns what came out."""
    expected = values.clone()
    wanted = outcome(lambda: theirs(expected))
    for context in contexts:
        tensor = recorded(context, values)
        assert outcome(lambda: ours(tensor)) == wanted, what
        assert_same(tensor.torch(), expected, *what)
    return wanted


def values_of(dtype, shape, seed=1):
    generator = torch.Generator()
    generator.manual_seed(seed)
    if dtype == "bool":
        return torch.rand(shape, generator=generator) < 0.5
    return (torch.randn(shape, generator=generator) * 50).abs().to(DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_fill(contexts, dtype):
    seen = set()
    for shape in SHAPES:
        values = values_of(dtype, shape)
        for value in FLOAT_VALUES + INT_VALUES:
            name = "kdl_fill_" if isinstance(value, float) else "kdl_fill_int_"
            seen.add(check(contexts, values, lambda t: t.fill_(value),
                           lambda t: getattr(t, name)(value), "fill_", dtype, shape, value))
        check(contexts, values, lambda t: t.zero_(), lambda t: t.kdl_zero_(), "zero_", dtype, shape)
    assert len(seen) == (1 if dtype in ("f64", "bool") else 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_fill_views(contexts, dtype):
    values = values_of(dtype, (5, 7))
    for calls in ([["t"]], [["narrow", 1, 2, 3]], [["slice", 0, 0, 5, 2], ["slice", 1, 1, 7, 3]],
                  [["select", 1, 3]], [["select", 0, 2], ["select", 0, 1]]):
        def both(tensor, fill, view):
            for call in calls:
                tensor = view(tensor, call)
            fill(tensor)
        check(contexts, values, lambda t: both(t, lambda v: v.fill_(1.0), apply_view),
              lambda t: both(t, lambda v: v.kdl_fill_(1.0), lambda v, call: v.view(call)), calls)
    # What is written once only may overlap.
    check(contexts, values[:1], lambda t: t.expand(4, 7).fill_(1.0),
          lambda t: t.kdl_expand([4, 7]).kdl_fill_(1.0), dtype)
    check(contexts, values[:1, :1], lambda t: t.expand(4, 7).fill_(1e300),
          lambda t: t.kdl_expand([4, 7]).kdl_fill_(1e300), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_set_and_get(contexts, dtype):
    values = values_of(dtype, (4, 3))
    for value in FLOAT_VALUES:
        for index in ((0, 0), (3, 2), (-1, -3), (2, 1), (4, 0), (0, -4), (2, 3)):
            where = (LONG * 2)(*index)
            done = check(contexts, values, lambda t: t.__setitem__(index, value),
                         lambda t: t.kdl_tensor_set(where, value), "set", dtype, value, index)
            if done == "ok":
                got = contexts[0].tensor(values).kdl_tensor_get(where)
                assert got == float(values[index]), (dtype, index)


FACTORS = (2.0, 1.0, 0.0, -0.0, -3.0, 0.1, 2.5, 0.7071067811865476, 1e-3, 1e39, 1e300, -1e300, 7e4,
           2.0**40, 2.0**62, -2.0**63, INF, NAN, 1e-40, 3e-8, 1 / 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mul(contexts, dtype):
    """Integers are multiplied by a whole number as by a Python int."""
    rng = random.Random(3)
    make = random_reals if dtype in FLOATS else random_integers
    for factor in FACTORS:
        for size in (0, 1, 2, 3, 7, 16, 17, 33, 70, 1000, 5000):
            values = torch.cat([make(rng, dtype, size // 2), make(rng, dtype, size - size // 2)])
            whole = dtype not in FLOATS and factor.is_integer() and -2.0**63 <= factor < 2.0**63
            by = int(factor) if whole else factor
            check(contexts, values, lambda t: t.mul_(by), lambda t: t.kdl_mul_(factor), dtype,
                  factor, size)
    values = make(rng, dtype, 35).reshape(5, 7)
    check(contexts, values, lambda t: t.t()[1:3].mul_(3),
          lambda t: t.kdl_t().kdl_narrow(0, 1, 2).kdl_mul_(3.0), dtype)
    check(contexts, values[:1], lambda t: t.expand(4, 7).mul_(3),
          lambda t: t.kdl_expand([4, 7]).kdl_mul_(3.0), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_mul_large(contexts, dtype):
    generator = torch.Generator()
    generator.manual_seed(6)
    values = torch.randn(300001, generator=generator).to(DTYPES[dtype])
    for factor in (0.1, 1.7677669529663689, 3.0):
        check(contexts, values, lambda t: t.mul_(factor), lambda t: t.kdl_mul_(factor), dtype, factor)


# ---- copy_ -------------------------------------------------------------------------------------


def views_of(rng, tensor, calls):
    """A random view of `tensor`; `calls` gets what made it."""
    for _ in range(rng.randint(0, 3)):
        call = random_view_call(rng, tensor)
        if call[0] in ("reshape", "flatten", "contiguous"):
            continue
        try:
            view = apply_view(tensor, call)
        except (IndexError, RuntimeError, ValueError):
            continue
        if not 0 <= min(view.shape, default=1) <= max(view.shape, default=1) <= 100:
            continue
        tensor = view
        calls.append(call)
    return tensor


def kindling_view(tensor, calls):
    for call in calls:
        tensor = tensor.view(call)
    return tensor


def shape_that_fits(rng, shape):
    """A shape that mostly broadcasts to `shape`."""
    sizes = [1 if rng.random() < 0.2 else size for size in shape]
    if rng.random() < 0.2:
        sizes = sizes[rng.randint(0, len(sizes)):]
    if rng.random() < 0.15:
        sizes.insert(0, rng.choice((1, 2)))
    if sizes and rng.random() < 0.15:
        sizes[rng.randrange(len(sizes))] = rng.choice((0, 1, 2, 3))
    return sizes


@pytest.mark.parametrize("seed", range(3))
def test_copy(contexts, seed):
    """Between random views of random dtypes: broadcast, converted, refused."""
    rng, outcomes = random.Random(seed), {}
    for _ in range(4000):
        dtypes = rng.choice(list(DTYPES)), rng.choice(list(DTYPES))
        shape = [rng.choice((1, 2, 3, 5)) for _ in range(rng.randint(0, 4))]
        calls, source_calls = [], []
        target = views_of(rng, values_of(dtypes[0], shape), calls)
        source_shape = shape_that_fits(rng, target.shape)
        order = list(range(len(source_shape)))
        rng.shuffle(order)
        base = values_of(dtypes[1], [source_shape[d] for d in order], seed=2)
        source_calls.append(["permute", [order.index(d) for d in range(len(order))]])
        source = apply_view(base, source_calls[0])

        def theirs(tensor):
            for call in calls:
                tensor = apply_view(tensor, call)
            tensor.copy_(source)

        done = check(contexts, values_of(dtypes[0], shape), theirs,
                     lambda t: kindling_view(t, calls).kdl_copy_(
                         kindling_view(recorded(t.context, base), source_calls)),
                     dtypes, shape, calls, source_shape, order)
        kind = done if done == "ok" else done[1].split("(")[0][:30]
        outcomes[kind] = outcomes.get(kind, 0) + 1
    assert outcomes["ok"] > 2000 and len(outcomes) >= 4, outcomes


@pytest.mark.parametrize("seed", range(2))
def test_copy_within_one_storage(contexts, seed):
    """Views of one tensor: refused where PyTorch can tell that they overlap in part."""
    rng, outcomes = random.Random(seed), {"ok": 0, "refused": 0, "compared": 0}
    for _ in range(4000):
        dtype = rng.choice(list(DTYPES))
        shape = [rng.choice((1, 2, 3, 6)) for _ in range(rng.randint(1, 3))]
        values, calls, source_calls = values_of(dtype, shape), [], []
        source = views_of(rng, values, source_calls)
        target = views_of(rng, values, calls)
        # What PyTorch reads after writing it is its kernels' business; Kindling reads first.
        wanted = values.clone()

        def through(tensor, chain):
            for call in chain:
                tensor = apply_view(tensor, call)
            return tensor

        def theirs(tensor):
            plain = tensor.clone()
            through(tensor, calls).copy_(through(tensor, source_calls))
            tensor.copy_(plain)
            through(tensor, calls).copy_(through(plain, source_calls).clone())

        if target.shape == source.shape and calls == source_calls:
            outcomes["compared"] += 1
        done = check(contexts, wanted, theirs,
                     lambda t: kindling_view(t, calls).kdl_copy_(kindling_view(t, source_calls)),
                     dtype, shape, calls, source_calls)
        outcomes["ok" if done == "ok" else "refused"] += 1
    assert outcomes["ok"] > 500 and outcomes["refused"] > 500, outcomes


def test_copy_to_itself(contexts):
    values = values_of("f32", (3, 4))
    check(contexts, values, lambda t: t.copy_(t), lambda t: t.kdl_copy_(t))
    check(contexts, values, lambda t: t[:].copy_(t), lambda t: t.kdl_alias().kdl_copy_(t))
    expanded = outcome(lambda: torch.ones(1).expand(3).copy_(torch.ones(3)))
    for context in contexts:
        tensor = context.tensor(torch.ones(1)).kdl_expand([3])
        assert outcome(lambda: tensor.kdl_copy_(tensor)) == "ok"
        assert outcome(lambda: tensor.kdl_copy_(context.tensor(torch.ones(3)))) == expanded
        assert expanded[0] == "RuntimeError"


@pytest.mark.parametrize("pair", [("f32", "f32"), ("f16", "f64"), ("bf16", "f32"), ("i64", "u8"),
                                  ("f32", "i64"), ("u8", "u8")], ids=str)
@pytest.mark.parametrize("shape,dims", [((300, 257), (1, 0)), ((17, 40, 33), (2, 0, 1)),
                                        ((3, 5, 7, 11), (3, 1, 0, 2)), ((2, 70000), (1, 0))], ids=str)
def test_copy_large(contexts, pair, shape, dims):
    """Beyond the pieces that copies are made in."""
    source = values_of(pair[1], shape)
    turned = source.permute(dims)
    c_dims = (ctypes.c_int * len(dims))(*dims)
    check(contexts, torch.zeros(turned.shape, dtype=DTYPES[pair[0]]), lambda t: t.copy_(turned),
          lambda t: t.kdl_copy_(recorded(t.context, source).kdl_permute(len(dims), c_dims)))
    check(contexts, torch.zeros(shape, dtype=DTYPES[pair[0]]),
          lambda t: t.permute(dims).copy_(turned.contiguous()),
          lambda t: t.kdl_permute(len(dims), c_dims).kdl_copy_(
              recorded(t.context, turned.contiguous())))
    check(contexts, torch.zeros(shape, dtype=DTYPES[pair[0]]),
          lambda t: t[..., ::2].copy_(source[..., 1:].narrow(-1, 0, (shape[-1] + 1) // 2)
                                      if shape[-1] % 2 == 0 else source[..., ::2]),
          lambda t: t.kdl_slice(-1, 0, 2**63 - 1, 2).kdl_copy_(
              recorded(t.context, source).kdl_narrow(-1, 1, (shape[-1] + 1) // 2)
              if shape[-1] % 2 == 0
              else recorded(t.context, source).kdl_slice(-1, 0, 2**63 - 1, 2)))
