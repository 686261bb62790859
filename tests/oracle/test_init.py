# SPDX-License-Identifier: Apache-2.0
"""Every function of torch.nn.init: PyTorch's bits, generator state, errors and warnings."""
import ctypes
import itertools
import math
import random
import warnings

import pytest
import torch
from torch.nn import init

from compare import assert_same, is_intel, outcome, state_of
from kindling import CALCULATE_GAIN, LONG, Context
from tensor_cases import DTYPES, apply_view

FLOATS = ("f32", "f64", "f16", "bf16")
INTEGERS = ("i64", "i32", "u8", "bool")
ALL = FLOATS + INTEGERS
SEEDS = (0, 2**32 - 1, 2**32 + 5, -1, 42)
NAN, INF = math.nan, math.inf

SHAPES = [
    (3, 5), (1, 1), (1, 7), (7, 1), (2, 2), (4, 4), (5, 3), (15, 1), (1, 16), (17, 1), (4, 9),
    (200, 3), (3, 200), (64, 64), (1000, 7), (0, 3), (3, 0), (2, 3, 4), (1, 1, 5), (8, 4, 1),
    (6, 2, 3), (3, 0, 2), (0, 2, 5), (4, 3, 3, 3), (6, 3, 1, 1), (1, 16, 3, 3), (9, 1, 2, 5),
    (2, 0, 3, 3), (4, 2, 3, 2, 3), (6, 1, 1, 1, 1), (3, 48, 11, 11),
]
ANY_SHAPES = [(), (0,), (1,), (2,), (15,), (16,), (17,), (1000,)] + SHAPES
KERNELS = [shape for shape in SHAPES if 3 <= len(shape) <= 5]
MATRICES = [shape for shape in SHAPES if len(shape) == 2]

NONLINEARITIES = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                  "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
KAIMING = [{}, {"a": math.sqrt(5)}, {"mode": "fan_out", "nonlinearity": "relu"},
           {"mode": "fan_out", "nonlinearity": "tanh"}, {"nonlinearity": "selu"}, {"a": -0.3}]
GAINS = [{}, {"gain": 2.0}, {"gain": math.sqrt(2)}, {"gain": 0.1}, {"gain": 0.0}]

# Redrawn normals: from one certain round to many; below 30 % within: uniform candidates, rejected.
REDRAWN = [{}, {"std": 0.02}, {"std": 1.0, "a": -1.0, "b": 1.0}, {"std": 3.0, "a": -2.0, "b": 2.0},
           {"mean": 0.5, "std": 0.25, "a": 0.0, "b": 1.0}, {"mean": -3.0, "a": -2.9, "b": 100.0},
           {"std": 0.35, "a": -2.0, "b": 2.0}, {"mean": 1.0, "std": 1e-3, "a": 1.0, "b": 2.0},
           {"a": -INF, "b": INF}, {"a": -INF, "b": 0.0}]
REJECTED = [{"a": 1.0, "b": 2.0}, {"a": -0.3, "b": 0.3}, {"std": 10.0}, {"a": 2.0, "b": 5.0},
            {"mean": 5.0}, {"mean": -1.0, "std": 2.0, "a": 0.5, "b": 0.75}, {"std": -1.0},
            {"a": 1.5, "b": 1.5}, {"mean": 100.0, "std": 0.5, "a": 100.6, "b": 103.0},
            {"std": NAN}, {"std": INF}, {"mean": INF}]

# function: shapes, lists of named arguments
CASES = {
    "uniform_": (ANY_SHAPES, [{}, {"a": -10.0, "b": 10.0}, {"a": 5.0, "b": 5.01}]),
    "normal_": (ANY_SHAPES, [{}, {"mean": -3.7, "std": 12.5}, {"std": 0.0}, {"std": 0.02}]),
    "trunc_normal_": (ANY_SHAPES, REDRAWN),
    "trunc_normal_ by rejection": (ANY_SHAPES, REJECTED),
    "constant_": (ANY_SHAPES, [{"val": 0.3}, {"val": -0.0}, {"val": 7.0}]),
    "ones_": (ANY_SHAPES, [{}]),
    "zeros_": (ANY_SHAPES, [{}]),
    "eye_": (MATRICES, [{}]),
    "dirac_": (KERNELS, [{}, {"groups": 2}, {"groups": 3}, {"groups": -1}, {"groups": 6}]),
    "xavier_uniform_": (SHAPES, GAINS),
    "xavier_normal_": (SHAPES, GAINS),
    "kaiming_uniform_": (SHAPES, KAIMING),
    "kaiming_normal_": (SHAPES, KAIMING),
    "sparse_": (MATRICES, [{"sparsity": 0.1}, {"sparsity": 0.5, "std": 2.0}, {"sparsity": 0.0},
                           {"sparsity": 1.0}, {"sparsity": 3.5}, {"sparsity": -0.4},
                           {"sparsity": -2.0}]),
}
REJECTION = "trunc_normal_ by rejection"
WITHOUT_DRAWS = ("constant_", "ones_", "zeros_", "eye_", "dirac_")
TAKES_GENERATOR = [name for name in CASES if name not in WITHOUT_DRAWS] + ["orthogonal_"]


@pytest.fixture(scope="module", params=[False, True], ids=["eager", "deferred"])
def context(request, prototyped_library):
    return Context(prototyped_library, deferred=request.param)


class Pair:
    """One call made by both, and everything that is compared afterwards."""

    def __init__(self, context):
        self.context = context
        self.theirs, self.ours = torch.Generator(), context.generator()
        self.default = context.default_generator()

    def seed(self, seed):
        self.theirs.manual_seed(seed)
        self.ours.manual_seed(seed % 2**64)
        torch.manual_seed(seed + 1)
        self.default.manual_seed((seed + 1) % 2**64)

    def make(self, shape, dtype, views):
        """The whole tensors, and the views of them that are to be initialised."""
        base = torch.full(shape, 3, dtype=DTYPES[dtype])
        # A deferred tensor has to be made by an op of Kindling's, not from data.
        mine = self.context.empty(shape, DTYPES[dtype])
        mine.kdl_init_constant_(3.0)
        expected, view = base, mine
        for call in views:
            expected, view = apply_view(expected, call), view.view(call)
        return base, mine, expected, view

    def call(self, name, shape, dtype, named, views=(), generator=True):
        """Both outcomes; the tensors' bits, the states and the warnings are compared here."""
        name = name.split()[0]
        base, mine, expected, view = self.make(shape, dtype, views)
        what = (name, shape, dtype, named, views)
        options = {"generator": self.theirs} if generator and name in TAKES_GENERATOR else {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            wanted = outcome(lambda: getattr(init, name)(expected, **named, **options))
        self.context.warnings.clear()
        got = outcome(lambda: view.init(name, generator=self.ours if options else None, **named))
        if wanted[0] == "OverflowError":  # there is no such status
            wanted = ("ValueError", wanted[1])
        assert got == wanted, what
        assert self.context.warnings == [str(w.message) for w in caught], what
        assert self.ours.state() == state_of(self.theirs), what
        assert self.default.state() == state_of(torch.default_generator), what
        return got, mine, base, what

    def check(self, *arguments, **options):
        got, mine, base, what = self.call(*arguments, **options)
        assert_same(mine.torch(), base, *what)
        return got


def arguments_of(name):
    shapes, lists = CASES[name]
    return [(shape, named) for shape in shapes for named in lists]


def skip_if_other_log(name):
    if name == REJECTION and is_intel():
        pytest.skip("PyTorch's log_ is another one of MKL's on this processor")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CASES)
def test_shapes_and_seeds(context, name, dtype):
    skip_if_other_log(name)
    pair = Pair(context)
    for shape, named in arguments_of(name):
        for seed in SEEDS[:1] if name in WITHOUT_DRAWS else SEEDS:
            pair.seed(seed)
            pair.check(name, shape, dtype, named)


SIZES = (*range(71), 127, 128, 65537, 1000003)
OF_ANY_SIZE = {
    "uniform_": [{"a": -0.1, "b": 0.3}],
    "normal_": [{"mean": 1.0, "std": 0.02}],
    "trunc_normal_": [{}, {"std": 0.02}, {"mean": 0.5, "std": 3.0}],
    REJECTION: [{"a": 1.0, "b": 2.0}, {"a": -0.3, "b": 0.3}],
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_sizes(context, name, dtype):
    skip_if_other_log(name)
    pair = Pair(context)
    for size, named in itertools.product(SIZES, OF_ANY_SIZE[name]):
        for seed in SEEDS if size < 1000000 else SEEDS[-1:]:
            pair.seed(seed)
            pair.check(name, (size,), dtype, named)


VIEWS = [
    ((7, 5), [("transpose", 0, 1)]),
    ((33, 70), [("transpose", 0, 1)]),
    ((9, 20), [("slice", 1, 0, 2**63 - 1, 2)]),
    ((20, 9), [("slice", 0, 1, 20, 3)]),
    ((20, 18), [("slice", 0, 1, 20, 3), ("slice", 1, 1, 17, 2), ("transpose", 0, 1)]),
    ((40, 3, 7), [("select", 1, 2)]),
    ((6, 16), [("narrow", 0, 2, 3)]),
    ((4, 5, 6), [("permute", (2, 0, 1))]),
    ((4, 5, 6), [("permute", (0, 2, 1))]),
    ((3, 1, 4, 5), [("permute", (1, 3, 0, 2))]),
    ((6, 5, 4, 4), [("narrow", 1, 1, 2), ("transpose", 0, 3)]),
    ((2, 6, 2, 3, 4), [("select", 0, 1)]),
    ((2, 3), [("transpose", 0, 1)]),
]


@pytest.mark.parametrize("base,views", VIEWS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_views(context, name, base, views):
    """Transposed, permuted and sliced tensors; what lies between their elements stays."""
    skip_if_other_log(name)
    pair = Pair(context)
    for dtype in FLOATS:
        for named in CASES[name][1]:
            for seed in SEEDS[:2]:
                pair.seed(seed)
                pair.check(name, base, dtype, named, views)


@pytest.mark.parametrize("seed", range(8))
def test_sequences(context, seed):
    """One after the other on one generator, so that the spare normal goes from one to the next."""
    choice = random.Random(seed)
    pair = Pair(context)
    pair.seed(seed)
    names = [name for name in TAKES_GENERATOR
             if name != "orthogonal_" and not (name == REJECTION and is_intel())]
    for _ in range(150):
        name = choice.choice(names)
        shapes = [shape for shape in CASES[name][0] if math.prod(shape) < 40]
        views = [("transpose", 0, 1)] if choice.random() < 0.3 else []
        shape = choice.choice([s for s in shapes if len(s) > 1 or not views])
        pair.check(name, shape, choice.choice(FLOATS), choice.choice(CASES[name][1]), views,
                   generator=choice.random() < 0.8)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("threads", [1, 3])
def test_many_elements(prototyped_library, dtype, threads):
    """More than one chunk of trunc_normal_; a ragged end."""
    pair = Pair(Context(prototyped_library, threads=threads))
    shape = (1048576 // 512 * 2 + 1, 513)
    rejected = [] if is_intel() else [{"a": 1.0, "b": 3.0}, {"a": 0.0, "b": 0.5}]
    for seed, named in enumerate([{}, {"std": 0.02}, *rejected]):
        pair.seed(seed)
        pair.check("trunc_normal_", shape, dtype, named)
        if seed == 0:
            pair.check("trunc_normal_", shape, dtype, named, [("transpose", 0, 1)])


# ---- orthogonal_ -------------------------------------------------------------------------------

ORTHOGONAL = [shape for shape in SHAPES] + [(65, 64), (129, 257), (300, 300), (512, 128)]


def as_matrix(tensor):
    """In f64, with at least as many rows as columns."""
    matrix = tensor.double().reshape(tensor.shape[0], -1)
    return matrix if matrix.shape[0] >= matrix.shape[1] else matrix.t()


def assert_close_to_orthogonal(ours, theirs, draws, gain, *what):
    """What is promised without MKL: see kdl_set_lapack()."""
    eps = torch.finfo(ours.dtype).eps
    q, wanted, a = as_matrix(ours), as_matrix(theirs), as_matrix(draws)
    n = q.shape[1]
    products = q.t() @ q / gain**2 - torch.eye(n, dtype=torch.float64)
    assert torch.linalg.matrix_norm(products, 2) <= 8 * n * eps, what
    condition = float(torch.linalg.cond(a))
    assert (q - wanted).abs().max() <= 32 * eps * condition * gain, what
    diagonal = torch.linalg.qr(a).R.diagonal().abs()
    signs = (q * wanted).sum(0) > 0
    assert bool((signs | (diagonal <= 1e-4)).all()), what


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_orthogonal(context, dtype):
    pair = Pair(context)
    for shape in ORTHOGONAL:
        for gain in (1.0, 2.5):
            for seed in SEEDS:
                pair.seed(seed)
                draws = torch.Generator()
                draws.set_state(pair.theirs.get_state())
                got, mine, base, what = pair.call("orthogonal_", shape, dtype, {"gain": gain})
                assert got == "ok"
                if base.numel() == 0:
                    continue
                rows = torch.empty((shape[0], math.prod(shape[1:])), dtype=DTYPES[dtype])
                rows.normal_(generator=draws)
                assert_close_to_orthogonal(mine.torch(), base, rows, gain, *what)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_orthogonal_is_the_same_for_every_number_of_threads(prototyped_library, dtype):
    results = []
    for threads in (1, 2, 7):
        context = Context(prototyped_library, threads=threads)
        tensor = context.empty((300, 400), DTYPES[dtype])
        tensor.init("orthogonal_")
        results.append(tensor.torch())
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def mkl_folder():
    from importlib.metadata import files  # noqa: PLC0415
    return next(file.locate().resolve().parent for file in files("mkl")
                if file.name == "libmkl_rt.so.2")


@pytest.fixture(scope="module", params=[1, 2])
def mkl_context(request, prototyped_library):
    """A context that computes by MKL, with as many threads as PyTorch, whose bits depend on them."""
    before = torch.get_num_threads()
    context = Context(prototyped_library, threads=request.param)
    context.call("kdl_set_lapack", context, f"mkl:{mkl_folder()}".encode())
    assert context.call("kdl_get_lapack", context) == b"mkl" and not context.warnings
    torch.set_num_threads(request.param)
    yield context
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_orthogonal_by_mkl(mkl_context, dtype):
    pair = Pair(mkl_context)
    views = [((40, 30), [("transpose", 0, 1)]), ((40, 60), [("slice", 1, 0, 60, 2)])]
    for shape, calls in [(shape, ()) for shape in ORTHOGONAL + [(1024, 1024)]] + views:
        for gain in (1.0, 2.5):
            for seed in SEEDS:
                pair.seed(seed)
                assert pair.check("orthogonal_", shape, dtype, {"gain": gain}, calls) == "ok"


# ---- arguments ---------------------------------------------------------------------------------

BAD = {
    "uniform_": [{"a": 2.0, "b": 1.0}, {"a": NAN}, {"b": 1e300}, {}],
    "normal_": [{"std": -1.0}, {"std": NAN}, {"mean": NAN}, {}],
    "trunc_normal_": [{"std": 0.0}, {"a": 2.0, "b": 1.0}, {"a": NAN}, {"b": NAN},
                      {"a": 4.0, "b": INF}, {"std": 1e-300, "a": 1.0, "b": 2.0}, {"mean": INF},
                      {"a": -1e300, "b": 1e300}, {"std": 1e5, "a": 0.0, "b": 7e4}, {"mean": 9.0},
                      {"mean": 1e6, "std": 1e6, "a": 2.0, "b": 3.0}, {"a": 0.0, "b": 255.0},
                      {"a": 0.0, "b": 256.0}, {"a": -INF}, {"mean": 1e39, "std": 1e39}, {}],
    "constant_": [{"val": NAN}, {"val": INF}, {"val": 1e300}, {"val": -1e300}, {"val": 65519.0},
                  {"val": 65520.0}, {"val": 3.4e38}, {"val": 3.5e38}, {"val": -1.0},
                  {"val": 255.0}, {"val": 255.5}, {"val": 256.0}, {"val": 2.0**31},
                  {"val": -2.0**31}, {"val": 2.0**31 - 0.5}, {"val": 2.0**64}, {"val": 0.5}],
    "ones_": [{}],
    "zeros_": [{}],
    "eye_": [{}],
    "dirac_": [{}, {"groups": 0}, {"groups": 2}, {"groups": -1}, {"groups": -2}, {"groups": 7}],
    "xavier_uniform_": [{}, {"gain": -1.0}, {"gain": NAN}, {"gain": 1e300}],
    "xavier_normal_": [{}, {"gain": -1.0}, {"gain": NAN}, {"gain": INF}],
    "kaiming_uniform_": [{}, {"a": 1e200}, {"a": INF}, {"a": NAN}, {"mode": "fan_foo"},
                         {"nonlinearity": "foo"}, {"mode": "FAN_OUT"}],
    "kaiming_normal_": [{}, {"a": -1e200}, {"a": NAN}, {"mode": "Fan_Bar"}],
    "orthogonal_": [{}, {"gain": 0.0}],
    "sparse_": [{"sparsity": 0.5}, {"sparsity": NAN}, {"sparsity": INF}, {"sparsity": -INF},
                {"sparsity": 1e300}, {"sparsity": 0.5, "std": -1.0}, {"sparsity": 0.5, "std": NAN}],
}
BAD_SHAPES = [(), (0,), (3,), (3, 5), (0, 0), (0, 3), (3, 0), (2, 2, 0), (2, 2, 0, 3),
              (2, 2, 3, 0), (2, 0, 0), (0, 2, 3), (4, 3, 2), (1, 1, 1, 1, 1, 1)]


def late_parse(name, named, shape):
    """Where an unknown name is found only after something that the enumerators' parser is before."""
    return "kaiming" in name and (math.prod(shape) == 0 or len(shape) < 2) and (
        named.get("nonlinearity") == "foo" or math.prod(shape) == 0 and "mode" in named)


@pytest.mark.parametrize("name", BAD)
def test_arguments(context, name):
    """The same exceptions and warnings with the same texts, and draws up to where they are raised."""
    pair, seen = Pair(context), set()
    for dtype, shape, named in itertools.product(ALL, BAD_SHAPES, BAD[name]):
        if late_parse(name, named, shape):
            continue
        pair.seed(3)
        got, mine, base, what = pair.call(name, shape, dtype, named)
        if got == "ok" and name != "orthogonal_":
            if dtype not in INTEGERS or not named.get("val", 0) == 2.0**63:
                assert_same(mine.torch(), base, *what)
        seen.add(got)
    assert "ok" in seen
    assert len(seen) > 1 or name in ("ones_", "zeros_")


def test_views_that_are_refused(context):
    pair = Pair(context)
    permuted = [("permute", (0, 2, 1))]
    expanded = [("expand", (3, 3))]
    for dtype in ALL:
        pair.seed(1)
        assert pair.call("orthogonal_", (3, 4, 5), dtype, {}, permuted)[0] != "ok"
        for name, named in (("orthogonal_", {}), ("sparse_", {"sparsity": 0.5}),
                            ("trunc_normal_", {}), ("trunc_normal_", {"a": 1.5}), ("uniform_", {}),
                            ("xavier_normal_", {}), ("kaiming_uniform_", {})):
            assert pair.call(name, (1, 3), dtype, named, expanded)[0] != "ok"
        pair.check("constant_", (1, 3), dtype, {"val": 1.0}, expanded)


# ---- gains and fans ----------------------------------------------------------------------------


def test_gains(context):
    generator = random.Random(0)
    for name in NONLINEARITIES:
        value = context.parse("nonlinearity", name)
        for param in (None, 0.0, 0.2, -1.0, math.sqrt(5), 1e-200, 1e200, INF, NAN,
                      *(generator.uniform(-10, 10) for _ in range(2000))):
            options = CALCULATE_GAIN(ctypes.sizeof(CALCULATE_GAIN), 0.01 if param is None else param)
            made = {}
            got = outcome(lambda: made.update(ours=context.call(
                "kdl_init_calculate_gain_with", context, value, options)))
            wanted = outcome(lambda: made.update(theirs=init.calculate_gain(name, param)))
            if wanted[0] == "OverflowError":
                wanted = ("ValueError", wanted[1])
            assert got == wanted, (name, param)
            if got == "ok":
                assert made["ours"] == made["theirs"] or math.isnan(made["theirs"]), (name, param)
    assert outcome(lambda: context.parse("nonlinearity", "foo")) == outcome(
        lambda: init.calculate_gain("foo"))


def test_fans(context):
    for shape in ANY_SHAPES:
        tensor, fans = context.empty(shape), (LONG(), LONG())
        wanted = []
        got = outcome(lambda: tensor.kdl_init_calculate_fan_in_and_fan_out(*map(ctypes.byref, fans)))
        assert got == outcome(
            lambda: wanted.extend(init._calculate_fan_in_and_fan_out(torch.empty(shape)))), shape
        if got == "ok":
            assert [fan.value for fan in fans] == wanted, shape
