# SPDX-License-Identifier: Apache-2.0
"""Every random fill has PyTorch's bits, and leaves the generator in PyTorch's state."""
import ctypes
import itertools
import math
import random
import struct
import warnings

import numpy
import pytest
import torch

from compare import assert_same, is_intel, outcome, state_of
from kindling import Context
from tensor_cases import DTYPES

SIZES = (*range(71), 127, 128, 1000, 65537, 1000003)
SEEDS = (0, 2**32 - 1, 2**32 + 5, -1, 42)
FLOATS = ("f32", "f64", "f16", "bf16")
INTEGERS = ("i64", "i32", "u8", "bool")
ALL = FLOATS + INTEGERS

# op: dtypes, then lists of arguments
FILLS = {
    "uniform_": (FLOATS, [(0.0, 1.0), (-0.1, 0.3), (5.0, 5.01), (-3.0, 0.0), (2.5, 2.5)]),
    "normal_": (FLOATS, [(0.0, 1.0), (0.0, 0.02), (-3.7, 12.5), (1.0, 0.0)]),
    "log_normal_": (FLOATS, [(0.0, 1.0), (1.5, 0.25), (-20.0, 4.0)]),
    "exponential_": (FLOATS, [(1.0,), (0.3,), (1e5,), (float("inf"),)]),
    "cauchy_": (FLOATS, [(0.0, 1.0), (2.5, 0.7), (-100.0, 1e-3)]),
    "geometric_": (FLOATS + ("i64", "i32", "u8"), [(0.5,), (0.01,), (0.999,), (1e-10,)]),
    "bernoulli_": (ALL, [(0.5,), (0.0,), (1.0,), (1e-3,)]),
    "random_": (ALL, [()]),
}
# random_(from, to), by dtype: on both sides of 2^28, and to the ends of the type
RANGES = {
    "f32": [(0, 10), (-5, 2**24), (0, 2**28 - 1), (0, 2**28), (2**24 + 1, 2**26 + 3)],
    "f64": [(0, 10), (-(2**53), 2**53), (0, 2**28), (-(2**63), 2**63 - 1)],
    "f16": [(0, 10), (-2048, 2049), (0, 65504), (-65000, -3)],
    "bf16": [(0, 10), (-256, 257), (0, 100000), (-(2**40), 2**41 + 12345)],
    "i64": [(0, 10), (-5, 5), (0, 2**28 - 1), (0, 2**28), (-(2**63), 2**63 - 1), (7, 8)],
    "i32": [(0, 10), (-(2**31), 2**31), (0, 2**28 - 1), (0, 2**28)],
    "u8": [(0, 10), (0, 256), (255, 256)],
    "bool": [(0, 2), (1, 2)],
}
# random_(from, None)
STARTS = {
    "f32": (0, -3, 2**24 - 1, -(2**31) - 1, -(2**63)), "f64": (5, -(2**60), -(2**63)),
    "f16": (0, -2048, 2047), "bf16": (0, 255, -(2**40) - 3, -(2**63)),
    "i64": (0, 2**63 - 1, 2**63 - 2**28, -(2**63)), "i32": (0, -(2**31), 2**31 - 2**28),
    "u8": (0, 255), "bool": (0, 1),
}
CASES = [(op, dtype, arguments) for op, (dtypes, lists) in FILLS.items() for dtype in dtypes
         for arguments in lists]
CASES += [("random_", dtype, bounds) for dtype, lists in RANGES.items() for bounds in lists]
CASES += [("random_", dtype, (start, None)) for dtype, starts in STARTS.items() for start in starts]

# On Intel processors PyTorch's wheel takes these from MKL's own streams.
MKL = ("exponential_", "bernoulli_")


def torch_fill(tensor, op, arguments, generator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(tensor, op)(*arguments, generator=generator)


@pytest.mark.parametrize("op,dtype,arguments", CASES, ids=lambda value: str(value))
def test_sizes_and_seeds(context, op, dtype, arguments):
    if op in MKL and is_intel():
        pytest.skip("PyTorch draws from MKL's streams on this processor")
    theirs, ours = torch.Generator(), context.generator()
    for seed in SEEDS:
        for size in SIZES:
            theirs.manual_seed(seed)
            ours.manual_seed(seed % 2**64)
            expected = torch_fill(torch.empty(size, dtype=DTYPES[dtype]), op, arguments, theirs)
            tensor = context.empty([size], DTYPES[dtype])
            tensor.fill(op, *arguments, generator=ours)
            assert_same(tensor.torch(), expected, op, dtype, arguments, seed, size)
            assert ours.state() == state_of(theirs), (op, dtype, arguments, seed, size)


VIEWS = [
    ([("transpose", 0, 1)], (5, 7)),
    ([("transpose", 0, 1)], (70, 33)),
    ([("slice", 0, 1, 9, 3)], (10, 20)),
    ([("slice", 1, 0, 2**63 - 1, 2)], (9, 20)),
    ([("permute", (2, 0, 1))], (4, 5, 6)),
    ([("permute", (1, 3, 0, 2))], (3, 1, 4, 5)),
    ([("select", 1, 2)], (40, 3)),
    ([("narrow", 1, 1, 2), ("transpose", 0, 2)], (6, 5, 4)),
    ([("narrow", 0, 2, 3)], (6, 16)),
    ([("select", 0, 1)], (2, 300)),
]


@pytest.mark.parametrize("calls,shape", VIEWS, ids=lambda value: str(value))
def test_views(context, calls, shape):
    theirs, ours = torch.Generator(), context.generator()
    cases = [case for case in CASES if not (case[0] in MKL and is_intel())]
    for op, dtype, arguments in cases:
        for seed in SEEDS:
            theirs.manual_seed(seed)
            ours.manual_seed(seed % 2**64)
            base = torch.ones(shape, dtype=DTYPES[dtype])
            mine = context.tensor(base)
            expected, view = base, mine
            for name, *rest in calls:
                if name == "slice":
                    dim, start, end, step = rest
                    index = [slice(None)] * expected.dim()
                    index[dim] = slice(start, end, step)
                    expected = expected[tuple(index)]
                else:
                    expected = getattr(expected, name)(*rest)
                view = view.view((name, *rest))
            torch_fill(expected, op, arguments, theirs)
            view.fill(op, *arguments, generator=ours)
            assert_same(mine.torch(), base, op, dtype, arguments, calls, shape, seed)
            assert ours.state() == state_of(theirs), (op, dtype, arguments, calls, seed)


@pytest.mark.parametrize("seed", range(20))
def test_sequences(context, seed):
    """Ops one after the other on one generator: the spare normal goes from one to the next."""
    choice = random.Random(seed)
    cases = [case for case in CASES if not (case[0] in MKL and is_intel())]
    normals = [case for case in cases if case[0] in ("normal_", "log_normal_")]
    theirs, ours = torch.Generator(), context.generator()
    theirs.manual_seed(seed)
    ours.manual_seed(seed)
    for step in range(200):
        op, dtype, arguments = choice.choice(normals if choice.random() < 0.6 else cases)
        size = choice.choice((0, 1, 2, 3, 5, 7, 15, 16, 17, 31, 200, 1001))
        expected = torch_fill(torch.empty(size, dtype=DTYPES[dtype]), op, arguments, theirs)
        tensor = context.empty([size], DTYPES[dtype])
        tensor.fill(op, *arguments, generator=ours)
        assert_same(tensor.torch(), expected, seed, step, op, dtype, arguments, size)
        assert ours.state() == state_of(theirs), (seed, step, op, dtype, arguments, size)
        if choice.random() < 0.1:  # hand the stream to a new generator, with its spare
            fresh = context.generator()
            fresh.load_state(state_of(theirs))
            ours = choice.choice((fresh, ours.clone()))


NAN, INF = float("nan"), float("inf")
BAD = {
    "uniform_": [(2.0, 1.0), (1.5, 1.25), (NAN, 1.0), (0.0, NAN), (INF, INF), (-INF, 0.0),
                 (-3e38, 3e38), (-1e308, 1e308), (-4e4, 4e4), (0.0, 7e4), (65504.0, 65510.0),
                 (123456.789, 1.0), (1e10, 1e6), (0.0, 1e40), (3.3895313e38, 3.39e38), (0.0, 1.0)],
    "normal_": [(0.0, -1.0), (0.0, NAN), (NAN, 1.0), (0.0, INF), (0.0, -1e-7), (0.0, 1.0)],
    "log_normal_": [(0.0, 0.0), (0.0, -1.5), (0.0, NAN), (NAN, 1.0), (INF, 1.0), (0.0, INF)],
    "exponential_": [(0.0,), (-1.0,), (NAN,), (INF,), (-0.0,), (1.0,)],
    "cauchy_": [(0.0, 0.0), (0.0, -1.0), (0.0, NAN), (NAN, 1.0), (0.0, INF)],
    "geometric_": [(0.0,), (1.0,), (-1.0,), (2.0,), (NAN,), (0.5,)],
    "bernoulli_": [(-0.1,), (1.1,), (NAN,), (0.5,)],
    "random_": [(), (5, 5), (6, 5), (0, 10), (-5, 5), (0, 257), (0, 3), (-257, -256), (0, 2**28),
                (0, 2**31), (0, 2**31 + 1), (-(2**31) - 1, 0), (0, 2049), (0, 2050), (2051, 2052),
                (2049, 2050), (0, 65504), (0, 65505), (0, 65520), (2**24 + 1, 2**24 + 2),
                (0, 2**24 + 2), (-(2**24) - 1, 5), (0, 2**53 + 2), (-(2**63), 2**63 - 1),
                (2**63 - 2, 2**63 - 1), (1000000007, 1000000008), (-(2**63), -(2**63) + 1)],
}
BAD["random_"] += [(start, None) for start in (
    0, 1, 2, 5, -3, -(2**63), 255, 256, 300, 2047, 2048, 2049, 65504, 70000, 2**24 - 1, 2**24,
    2**24 + 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**40, 2**53, 2**53 + 1, -(2**60), 2**62)]


@pytest.mark.parametrize("op", BAD)
@pytest.mark.parametrize("shape", [(20,), (0,)], ids=str)
def test_arguments(context, op, shape):
    """Errors and warnings: the same exceptions with the same texts, for the same arguments."""
    seen = set()
    for dtype in ALL:
        for arguments in BAD[op]:
            theirs, ours = torch.Generator(), context.generator()
            theirs.manual_seed(3)
            ours.manual_seed(3)
            expected, tensor = torch.ones(shape, dtype=DTYPES[dtype]), context.empty(
                shape, DTYPES[dtype])
            context.warnings.clear()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                torch.set_warn_always(True)
                wanted = outcome(lambda: getattr(expected, op)(*arguments, generator=theirs))
                torch.set_warn_always(False)
            got = outcome(lambda: tensor.fill(op, *arguments, generator=ours))
            assert got == wanted, (op, dtype, arguments, shape)
            texts = [str(w.message).split(" (Triggered internally")[0] for w in caught]
            assert context.warnings == texts, (op, dtype, arguments, shape)
            if got == "ok" and not (op in MKL and is_intel()):
                assert_same(tensor.torch(), expected, op, dtype, arguments)
            assert ours.state() == state_of(theirs) or is_intel(), (op, dtype, arguments)
            seen.add(got)
    assert "ok" in seen and len(seen) > 1


PROBABILITIES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16,
                 "bf16": torch.bfloat16}


def probabilities(shape, dtype):
    """0, 1, everything between."""
    values = torch.linspace(-0.2, 1.2, math.prod(shape), dtype=torch.float64)
    return values.clamp(0, 1).reshape(shape).to(PROBABILITIES[dtype])


@pytest.mark.parametrize("of", PROBABILITIES)
@pytest.mark.parametrize("deferred", [False, True])
def test_bernoulli_tensor(prototyped_library, deferred, of):
    """Probabilities of each dtype, broadcast and strided, for tensors of each dtype, strided too."""
    context = Context(prototyped_library, deferred=deferred)
    theirs, ours = torch.Generator(), context.generator()
    shapes = [((size,), (size,), []) for size in (0, 1, 2, 15, 16, 17, 70, 1023, 1025, 65537)]
    shapes += [((), (), []), ((40, 33), (33,), []), ((40, 33), (40, 1), []), ((5, 7), (1, 1), []),
               ((70, 33), (33, 70), [("transpose", 0, 1)]), ((4, 5, 6), (6, 4, 5), [("permute",
                                                                                  (2, 0, 1))])]
    for dtype in ALL:
        for seed, (shape, p_shape, calls) in itertools.product(SEEDS[:3], shapes):
            p = probabilities(p_shape, of)
            theirs.manual_seed(seed)
            ours.manual_seed(seed % 2**64)
            base, mine = torch.zeros(shape, dtype=DTYPES[dtype]), context.empty(shape, DTYPES[dtype])
            expected, view = base, mine
            for name, *rest in calls:
                expected, view = getattr(expected, name)(*rest), view.view((name, *rest))
            expected.bernoulli_(p, generator=theirs)
            view.fill("bernoulli_tensor_", context.tensor(p), generator=ours)
            if deferred and len(shape) == 1 and shape[0] > 20:
                part = mine.read(11, shape[0] - 20)
                assert_same(part, base[11:shape[0] - 9], dtype, of, shape, seed)
            assert_same(mine.torch(), base, dtype, of, shape, p_shape, seed)
            assert ours.state() == state_of(theirs), (dtype, of, shape, seed)


def test_bernoulli_tensor_of_itself(context):
    """The probabilities may be what is written, and recorded draws."""
    theirs = torch.Generator()
    for deferred in (False, True):
        kindling = context if not deferred else Context(context.library, deferred=True)
        ours = kindling.generator()
        theirs.manual_seed(9)
        ours.manual_seed(9)
        expected = torch.empty(500).uniform_(generator=theirs)
        expected.bernoulli_(expected, generator=theirs)
        tensor = kindling.empty([500])
        tensor.fill("uniform_", 0.0, 1.0, generator=ours)
        tensor.fill("bernoulli_tensor_", tensor, generator=ours)
        assert_same(tensor.torch(), expected, deferred)
        assert ours.state() == state_of(theirs)


def test_bernoulli_tensor_arguments(context):
    seen = set()
    for deferred in (False, True):
        kindling = context if not deferred else Context(context.library, deferred=True)
        for shape, p in [
                ((3,), torch.ones(2)), ((3,), torch.ones(2, 3)), ((), torch.ones(1)),
                ((0, 2), torch.ones(3)), ((0,), torch.full((1,), 7.0)), ((3,), torch.full((3,), 0.5)),
                *(((3,), torch.tensor([0.5, value, 0.5], dtype=dtype))
                  for value in (1.5, -0.1, NAN, INF, 1.0000001) for dtype in PROBABILITIES.values()),
                *(((3,), torch.ones(3, dtype=DTYPES[dtype])) for dtype in INTEGERS)]:
            tensor = kindling.empty(shape)
            wanted = outcome(lambda: torch.zeros(shape).bernoulli_(p))
            got = outcome(lambda: tensor.fill("bernoulli_tensor_", kindling.tensor(p)))
            assert got == wanted, (shape, p)
            seen.add(got)
        for p in (torch.ones(4), torch.ones(4, dtype=torch.int64), torch.ones(3)):
            wanted = outcome(lambda: torch.ones(1).expand(4).bernoulli_(p))
            tensor = kindling.tensor(torch.ones(1)).kdl_expand([4])
            assert outcome(lambda: tensor.fill("bernoulli_tensor_", kindling.tensor(p))) == wanted
        x = torch.full((4,), 0.5)
        wanted = outcome(lambda: x[1:].bernoulli_(x[:3]))
        tensor = kindling.tensor(x)
        assert outcome(lambda: tensor.kdl_narrow(0, 1, 3).fill(
            "bernoulli_tensor_", tensor.kdl_narrow(0, 0, 3))) == wanted != "ok"
    assert len(seen) > 5


def test_overlapping_memory_is_refused(context):
    for op, (_, lists) in FILLS.items():
        wanted = outcome(lambda: getattr(torch.ones(1, 5).expand(4, 5), op)(*lists[0]))
        tensor = context.tensor(torch.ones(1, 5)).kdl_expand([4, 5])
        assert outcome(lambda: tensor.fill(op, *lists[0])) == wanted != "ok", op


def test_creation(context):
    theirs, ours = torch.Generator(), context.generator()
    for seed in SEEDS:
        for dtype in ALL:
            options = {"dtype": DTYPES[dtype], "generator": theirs}
            for shape in ((), (0,), (7,), (3, 5), (16,), (100, 3), (1, 17, 1)):
                calls = [("randint", (0, 2)), ("randint", (3, 70000)), ("randint", (5, 5)),
                         ("randint", (-3, 2**40))]
                if dtype in FLOATS:
                    calls += [("rand", ()), ("randn", ())]
                for name, arguments in calls:
                    theirs.manual_seed(seed)
                    ours.manual_seed(seed % 2**64)
                    made = {}
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        wanted = outcome(lambda: made.update(
                            torch=getattr(torch, name)(*arguments, shape, **options)))
                    got = outcome(lambda: made.update(kindling=context.call(
                        f"kdl_{name}_with", context, *arguments, list(shape),
                        context.options(DTYPES[dtype], ours))))
                    assert got == wanted, (name, arguments, shape, dtype)
                    if got == "ok":
                        assert_same(made["kindling"].torch(), made["torch"], name, arguments, dtype)
                    assert ours.state() == state_of(theirs), (name, arguments, shape, dtype)


def test_randperm(context):
    theirs, ours = torch.Generator(), context.generator()
    sizes = (-1, *range(20), 255, 256, 257, 1000, 2049, 2050, 65537, 1000003, 2**24 + 1, 2**24 + 2)
    for dtype in ALL:
        for n in sizes:
            if n > 2**24 and dtype != "f32":
                continue
            theirs.manual_seed(n % 1000)
            ours.manual_seed(n % 1000)
            made = {}
            wanted = outcome(lambda: made.update(
                torch=torch.randperm(n, dtype=DTYPES[dtype], generator=theirs)))
            got = outcome(lambda: made.update(kindling=context.call(
                "kdl_randperm_with", context, n, context.options(DTYPES[dtype], ours))))
            assert got == wanted, (n, dtype)
            if got == "ok":
                assert_same(made["kindling"].torch(), made["torch"], n, dtype)
            assert ours.state() == state_of(theirs), (n, dtype)


@pytest.mark.parametrize("n", [214748363, 214748364])
def test_both_shuffles(context, n):
    """randperm changes its algorithm at n = 214748364."""
    theirs, ours = torch.Generator(), context.generator()
    theirs.manual_seed(5)
    ours.manual_seed(5)
    expected = torch.randperm(n, dtype=torch.int32, generator=theirs)
    tensor = context.call("kdl_randperm_with", context, n, context.options(torch.int32, ours))
    values = (ctypes.c_int32 * n).from_address(tensor.kdl_tensor_data())
    assert torch.equal(torch.frombuffer(values, dtype=torch.int32), expected)
    assert ours.state() == state_of(theirs)


def untemper(draws):
    """The raw words of an MT19937 whose tempering gives these draws."""
    words = draws.astype(numpy.uint32)
    words ^= words >> 18
    words ^= (words << 15) & numpy.uint32(0xEFC60000)
    undone = words.copy()
    for _ in range(5):
        undone = words ^ ((undone << 7) & numpy.uint32(0x9D2C5680))
    words = undone
    return words ^ (words >> 11) ^ (words >> 22)


@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
def test_every_uniform(context, dtype):
    """Normals of each of the 2^24 values that u1 and u2 can take, from states made for that."""
    pairs = 304  # of one state: 38 blocks of 16, and a word that is not used
    uniforms = numpy.arange(-(-2**24 // pairs) * pairs, dtype=numpy.uint32)
    first = uniforms.reshape(-1, pairs // 8, 8)
    second = (uniforms * numpy.uint32(0x9E3779B1) & numpy.uint32(0xFFFFFF)).reshape(first.shape)
    words = untemper(numpy.concatenate((first, second), axis=2)).reshape(len(first), 2 * pairs)
    theirs, ours = torch.Generator(), context.generator()
    expected = torch.empty(2 * pairs, dtype=DTYPES[dtype])
    tensor = context.empty([2 * pairs], DTYPES[dtype])
    data, nbytes = tensor.kdl_tensor_data(), expected.numel() * expected.itemsize
    state = numpy.zeros(5056, dtype=numpy.uint8)
    state[:24] = numpy.frombuffer(struct.pack("<QiiQ", 0, 624, 1, 1), dtype=numpy.uint8)
    buffer = torch.from_numpy(state)
    slots = state[24 + 8:24 + 8 * (1 + 2 * pairs)].view(numpy.uint64)
    slots[:] = words[-1]
    theirs.set_state(buffer)
    block = (torch.rand(2 * pairs, generator=theirs) * 2**24).numpy()[-16:]
    assert (block == numpy.concatenate((first[-1, -1], second[-1, -1])) % 2**24).all()
    for row in words:
        slots[:] = row
        theirs.set_state(buffer)
        ours.set_state(state.ctypes.data, len(state))
        expected.normal_(generator=theirs)
        tensor.fill("normal_", 0.0, 1.0, generator=ours)
        assert ctypes.string_at(data, nbytes) == expected.view(torch.uint8).numpy().tobytes(), row
