# SPDX-License-Identifier: Apache-2.0
"""Creating functions give PyTorch's bits, layouts and errors; recorded ones the same, by ranges."""
import math
import random

import pytest
import torch

from compare import assert_same, outcome, state_of
from kindling import Context
from tensor_cases import DTYPES, view_cases, view_source

FLOATS = ("f32", "f64", "f16", "bf16")
NAN, INF = math.nan, math.inf
SIZES = (*range(71), 127, 128, 1000, 65537)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Where PyTorch's bits depend on its threads (arange), Kindling's are those of one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    """An eager and a deferred one."""
    return Context(prototyped_library), Context(prototyped_library, deferred=True)


def check_values(tensor, expected, rng, *what):
    """Compares the values, by ranges first, and the layout."""
    assert (tensor.shape, tensor.strides) == (list(expected.shape), list(expected.stride())), what
    numel = expected.numel()
    if numel == 0:
        return
    for _ in range(2):
        first = rng.randrange(numel)
        count = rng.randint(1, min(numel - first, 1000))
        part = expected.reshape(-1)[first:first + count]
        assert_same(tensor.read(first, count), part, *what, first, count)
    assert_same(tensor.torch(), expected, *what)


def check_call(contexts, rng, wanted_call, got_call, *what):
    """Compares what both calls give: a tensor, or an error's name and text. Returns "ok" or that."""
    made = {}
    wanted = outcome(lambda: made.update(torch=wanted_call()))
    for context in contexts:
        got = outcome(lambda: made.update(kindling=got_call(context)))
        assert got == wanted, what
        if wanted == "ok":
            check_values(made["kindling"], made["torch"], rng, *what)
    return wanted


def check_created(contexts, rng, name, dtype, *arguments, options=None):
    """The creating function `name` with torch's arguments."""
    given = [list(a) if isinstance(a, tuple) else a for a in arguments]
    return check_call(contexts, rng,
                      lambda: getattr(torch, name)(*arguments, dtype=DTYPES[dtype], **options or {}),
                      lambda c: c.create(name, *given, dtype=DTYPES[dtype], **options or {}),
                      name, dtype, arguments)


# ---- arange and linspace -----------------------------------------------------------------------


def random_number(rng):
    return rng.choice((0.0, 1.0, float(rng.randint(-100, 100)), rng.uniform(-1, 1),
                       rng.uniform(-1, 1) * 10 ** rng.randint(-6, 4), rng.choice((0.1, 1 / 3))))


@pytest.mark.parametrize("dtype", DTYPES)
def test_arange(contexts, dtype):
    rng, numel = random.Random(7), 0
    for size in SIZES * 6:
        start = random_number(rng)
        step = random_number(rng) or 0.5
        if dtype in ("i64", "i32", "u8"):
            step = math.copysign(math.ceil(abs(step)), step)
        end = start + step * (size + rng.choice((-0.5, -0.25, 0, 1e-9)))
        if check_created(contexts, rng, "arange", dtype, start, end, step) == "ok":
            numel += size
    assert numel > 400000 or dtype == "bool"


@pytest.mark.parametrize("dtype", FLOATS)
def test_long_arange(contexts, dtype):
    """Beyond 2^24, where indices are no floats any more."""
    check_created(contexts[:1], random.Random(1), "arange", dtype, -3.7, 2**24 * 0.1 + 5, 0.1)


ARANGES = [
    (0, 3, 0), (0, 3, NAN), (0, INF, 1), (NAN, 1, 1), (0.1, -INF, -1), (123456789, INF, 1),
    (0, 1, INF), (0, -1, 1), (0, 1, -1), (0, 0, 1), (0, 0, -1), (0, 1e300, 1e-10), (0, 3.9, 1),
    (0.5, 3.7, 1.5), (0, 3, 0.5), (0, 1e5, 1e4), (0, 70000, 20000), (-3, 3, 1), (-1.5, 1.5, 1),
    (0, 300, 100), (250, 260, 2), (1e10, 1e10 + 3, 1), (0, 9.3e18, 9e18), (1e300, 2e300, 5e299),
    (5, 2, -1), (0, 1e20, 1e18), (0, 1, 1e-300), (0, 1e-300, 1), (-2**63, 2**63 - 1024, 2**61),
    (-2**62, 2**62 + 2**60, 2**61), (2**63 - 1024, 0, -2**61), (0, -2**63, -2**61),
    (0, -2**63, -2**62), (0, 2**63, 2**62), (1e300, 1e300, 1), (1, 1, 1e300), (1, 1e300, 1e299),
    (0, 1e-5, 1e-6), (0.9, 0.1, -1), (0.2, 5, 1), (7.9, 0.1, -2.5), (0, 2**62, 1), (2**63, 0, -2**62),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arange_arguments(contexts, dtype):
    rng, seen = random.Random(1), set()
    for arguments in ARANGES:
        if dtype in ("u8", "bool") and arguments == (0, 2**62, 1):
            continue  # 2^62 bytes: PyTorch's allocator says what it was asked for
        seen.add(check_created(contexts, rng, "arange", dtype, *map(float, arguments)))
    assert ("ok" in seen and len(seen) > 5) or dtype == "bool"


@pytest.mark.parametrize("dtype", DTYPES)
def test_linspace(contexts, dtype):
    rng = random.Random(8)
    for steps in SIZES * 6:
        start, end = random_number(rng), random_number(rng)
        if dtype == "u8":
            start, end = abs(start) % 256, abs(end) % 256
        check_created(contexts, rng, "linspace", dtype, start, end, steps)


@pytest.mark.parametrize("dtype", FLOATS + ("i64", "i32", "u8"))
def test_long_linspace(contexts, dtype):
    check_created(contexts[:1], random.Random(1), "linspace", dtype, 3.7, 250.9, 2**24 + 99)


LINSPACES = [
    (0, 1, -1), (0, 1, 0), (0, 1, 1), (INF, 1, 1), (0, INF, 3), (NAN, 1, 3), (0, 1e300, 3),
    (0, 70000, 3), (-3, 5, 4), (3.7, 9.2, 4), (0, 1e10, 3), (-1e300, 1, 0), (1e300, 1, 1),
    (NAN, 0, 1), (7e4, 0, 1), (300, 2, 1), (-1, 2, 1), (2**63, 0, 3), (-2**63, 2**63, 9),
    (-2**63, 2**63 - 1024, 9), (-3e38, 3e38, 5), (-6e4, 6e4, 7), (-1e308, 1e308, 7), (1e19, 0, 2),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_linspace_arguments(contexts, dtype):
    rng, seen = random.Random(1), set()
    for start, end, steps in LINSPACES:
        seen.add(check_created(contexts, rng, "linspace", dtype, float(start), float(end), steps))
    assert "ok" in seen and len(seen) > 1


# ---- the others --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_eye(contexts, dtype):
    rng = random.Random(2)
    for n, m in ((0, 0), (0, 3), (3, 0), (1, 1), (1, 7), (7, 1), (5, 5), (4, 9), (9, 4), (300, 257),
                 (257, 300), (1, 5000), (5000, 1), (-1, 2), (2, -1), (-1, -2), (2**32, 2**32)):
        check_created(contexts, rng, "eye", dtype, n, m)


SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 0, 3), (2, 3, 4, 5), (70000,), (-1,), (2, -3),
          (2**62, 4), (2**40, 2**40), (0, 2**62, 4)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes(contexts, dtype):
    rng = random.Random(3)
    for shape in SHAPES:
        for name in ("zeros", "ones"):
            check_created(contexts, rng, name, dtype, shape)
        for value in (0.0, 2.0, -1.5, 3.7, 300.0, 7e4, 1e40, INF, NAN):
            check_created(contexts, rng, "full", dtype, shape, value)


@pytest.mark.parametrize("name,arguments", [
    ("zeros", [(3,)]), ("ones", [(3,)]), ("full", [(3,), 1.0]), ("eye", [3, 2]),
    ("arange", [0.0, 5.0, 1.0]), ("linspace", [0.0, 5.0, 4]), ("rand", [(3,)]), ("randn", [(3,)]),
    ("randint", [0, 2, (3,)]), ("randperm", [2])])
def test_requires_grad(contexts, name, arguments):
    for dtype in DTYPES:
        if name in ("rand", "randn", "randint", "randperm"):
            torch.manual_seed(5)
            for context in contexts:
                context.call("kdl_manual_seed", context, 5)
        made = check_created(contexts, random.Random(4), name, dtype, *arguments,
                             options={"requires_grad": True})
        assert (made == "ok") == (dtype in FLOATS), (name, dtype)
    tensor = contexts[0].create(name, *(list(a) if isinstance(a, tuple) else a for a in arguments),
                                requires_grad=True)
    assert tensor.kdl_tensor_requires_grad()


@pytest.mark.parametrize("seed", range(2))
def test_like(contexts, seed):
    """*_like, clone, contiguous and to of views: their strides too."""
    rng = random.Random(seed)
    for dtype, shape, calls, source in view_cases(seed=500 + seed, count=1500):
        if isinstance(source, Exception) or source.numel() > 2000:
            continue
        other = rng.choice(list(DTYPES))
        calls_of = {
            "zeros_like": [], "ones_like": [], "full_like": [rng.choice((0.0, 1.0, 2.5, 300.0))],
            "clone": [], "contiguous": [], "to": [other],
        }
        if dtype in FLOATS:
            calls_of.update(rand_like=[], randn_like=[])
        for name, arguments in calls_of.items():
            def ours(context):
                context.call("kdl_manual_seed", context, seed)
                tensor = context.tensor(view_source(dtype, shape))
                for call in calls:
                    tensor = tensor.view(call)
                given = [list(DTYPES).index(other)] if name == "to" else arguments
                return getattr(tensor, "kdl_" + name)(*given)

            def theirs():
                torch.manual_seed(seed)
                if name == "to":
                    return source.to(DTYPES[other])
                function = getattr(source, name, None) or (
                    lambda *rest: getattr(torch, name)(source, *rest))
                return function(*arguments)

            check_call(contexts, rng, theirs, ours, name, dtype, shape, calls, arguments)
            if name in ("rand_like", "randn_like"):
                for context in contexts:
                    assert (context.default_generator().state()
                            == state_of(torch.default_generator)), (name, dtype, shape, calls)


def test_like_of_random_strides(contexts):
    """Expanded, transposed and stepped in every order: what decides the new strides."""
    rng = random.Random(9)
    for _ in range(1500):
        sizes = [rng.choice((1, 1, 2, 3)) for _ in range(rng.randint(0, 5))]
        base = torch.arange(math.prod(sizes) * 2**len(sizes), dtype=torch.float32)
        base = base.reshape([2 * size for size in sizes])
        dims = list(range(len(sizes)))
        rng.shuffle(dims)
        calls = [["slice", d, rng.choice((0, 1)), 2**63 - 1, 2] for d in dims if rng.random() < 0.5]
        calls += [["narrow", d, 0, 1] for d in dims if rng.random() < 0.3]
        calls.append(["permute", dims])
        source = base
        for name, *rest in calls:
            source = (torch.ops.aten.slice(source, *rest) if name == "slice"
                      else getattr(source, name)(*rest))
        calls.append(["expand", [4 if size == 1 and rng.random() < 0.5 else size
                                 for size in source.shape]])
        source = source.expand(calls[-1][1])

        def ours(context):
            tensor = context.tensor(base)
            for call in calls:
                tensor = tensor.view(call)
            return tensor.kdl_clone()

        check_call(contexts, rng, source.clone, ours, sizes, calls)
