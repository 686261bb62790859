# SPDX-License-Identifier: Apache-2.0
"""torch.nn.utils.parametrizations: names, text, draws, originals, values; at once and planned.

weight_norm's originals are compared bit for bit, what comes from sums in double within TOLERANCE.
"""
import copy
import random
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from compare import assert_same, outcome
from layers import SEEDS, Contexts, make

DTYPES = ("float32", "float64")
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9, torch.bfloat16: 2e-2, torch.float16: 2e-3}

# The call of a layer, "{}" for its dtype; then arguments.
WEIGHT_NORM = (
    ("Linear(7, 5{})", {}),
    ("Linear(33, 20{})", {"dim": None}),
    ("Linear(300, 3{})", {"dim": 1}),
    ("Linear(1, 40, bias=False{})", {"dim": -1}),
    ("Linear(40, 1{})", {"dim": 1}),
    ("Linear(9, 8{})", {"name": "bias"}),
    ("Conv2d(6, 10, 3{})", {"dim": 0}),
    ("Conv2d(6, 10, (3, 5), groups=2{})", {"dim": 1}),
    ("Conv1d(4, 9, 3{})", {"dim": 2}),
    ("ConvTranspose2d(8, 6, 5{})", {"dim": 1}),
    ("Conv3d(3, 5, 2{})", {"dim": 3}),
    ("Conv3d(3, 5, 2{})", {"dim": -3}),
    ("Embedding(50, 31{})", {}),
    ("LSTM(13, 11, 2{})", {"name": "weight_hh_l1"}),
)
SPECTRAL_NORM = (
    ("Linear(7, 5{})", {}),
    ("Linear(20, 33{})", {"n_power_iterations": 3}),
    ("Linear(4, 4{})", {"dim": 1, "eps": 0.5}),
    ("Linear(9, 8{})", {"name": "bias"}),
    ("Conv2d(6, 10, 3{})", {}),
    ("Conv2d(6, 10, 3{})", {"dim": -1}),
    ("ConvTranspose2d(8, 6, 5{})", {}),
    ("ConvTranspose1d(3, 4, 2{})", {"dim": 0}),
    ("Embedding(5, 16{})", {"eps": 1e3, "n_power_iterations": 2}),
    ("GRU(13, 11{})", {"name": "weight_ih_l0"}),
)
ORTHOGONAL = [
    (call, {**named, "use_trivialization": trivialized})
    for call, names in (
        ("Linear(7, 7{})", ("", "matrix_exp", "cayley", "householder")),
        ("Linear(5, 12{})", ("", "matrix_exp", "cayley", "householder")),
        ("Linear(33, 20{})", ("", "matrix_exp", "cayley", "householder")),
        ("Conv2d(3, 4, 5{})", ("", "cayley")),
        ("Conv1d(6, 5, 1{})", ("householder", "matrix_exp")),
        ("Linear(1, 1{})", ("",)),
        ("Linear(1, 4{})", ("cayley",)),
    )
    for named in ({"orthogonal_map": name} if name else {} for name in names)
    for trivialized in (True, False)] + [
    ("GRU(10, 8{})", {"name": "weight_hh_l0"}),
    ("Embedding(16, 4{})", {"orthogonal_map": "cayley"}),
]
CASES = ([("weight_norm", *case) for case in WEIGHT_NORM] +
         [("spectral_norm", *case) for case in SPECTRAL_NORM] +
         [("orthogonal", *case) for case in ORTHOGONAL])


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    return Contexts(prototyped_library)


def both(context, function, call, named, seed, before=lambda ours, theirs: None):
    """(ours, theirs): a layer with a parametrization, from equal generators to equal generators."""
    ours, theirs = make(context, call, seed)
    before(ours, theirs)
    getattr(parametrizations, function)(theirs, **named)
    ours.parametrize(function, **named)
    state = context.default_generator().state()
    assert state == torch.get_rng_state().numpy().tobytes(), (function, call, named)
    return ours, theirs


def assert_close(ours, theirs, *what):
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, what
    tolerance = TOLERANCE[theirs.dtype]
    assert torch.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True), (
        what, (ours - theirs).abs().max())


def compare_tensors(function, what, ours, theirs):
    """Two lists of (name, values)."""
    assert [n for n, _ in ours] == [n for n, _ in theirs], what
    for (name, tensor), (_, expected) in zip(ours, theirs):
        exact = not (name.endswith(("_u", "_v", "base")) or
                     (function == "orthogonal" and name.endswith("original")))
        (assert_same if exact else assert_close)(tensor, expected, what, name)


def compare(function, what, ours, theirs):
    """Everything of a module."""
    assert str(ours) == str(theirs)
    state = [(name, tensor.torch()) for name, tensor in ours.iterate("state_dict")]
    compare_tensors(function, what, state, list(theirs.state_dict().items()))
    for kind in ("named_parameters", "named_buffers", "named_modules"):
        assert ([n for n, _ in ours.iterate(kind)] == [n for n, _ in getattr(theirs, kind)()]), what
    for (_, tensor), expected in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert tensor.kdl_tensor_requires_grad() == expected.requires_grad, what


def compare_value(what, ours, theirs, name):
    """module.name, which may change its parametrization."""
    value = ours.context.call("kdl_parametrized", ours, name.encode()).torch()
    assert_close(value, getattr(theirs, name).detach(), what)


def read_planned(contexts, ours):
    """The state_dict's values, by ranges out of order."""
    plan = contexts.deferred.call("kdl_plan_new", contexts.deferred)
    plan.add_module(ours)
    count = contexts.deferred.call("kdl_plan_count", plan)
    shapes = [plan.read(i)[1].shape for i in range(count)]
    read = [[] for _ in shapes]
    pieces = []
    for i, shape in enumerate(shapes):
        cuts = sorted({0, shape.numel(), shape.numel() // 3, shape.numel() // 2})
        pieces += [(i, a, b - a) for a, b in zip(cuts, cuts[1:])]
    random.Random(count).shuffle(pieces)
    for i, first, length in pieces:
        name, values = plan.read(i, first, length)
        read[i].append((first, name, values))
    found = []
    for shape, parts in zip(shapes, read):
        parts.sort(key=lambda part: part[0])
        found.append((parts[0][1], torch.cat([v for _, _, v in parts]).reshape(shape)))
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function,call,named", CASES)
def test_parametrization(contexts, function, call, named, dtype):
    call = call.replace("{}", f", dtype=torch.{dtype}")
    name = named.get("name", "weight")
    for seed in SEEDS:
        what = (function, call, named, seed)
        for context in (contexts.eager, contexts.deferred):
            ours, theirs = both(context, function, call, named, seed)
            if context is contexts.deferred:
                compare_tensors(function, what, read_planned(contexts, ours),
                                list(theirs.state_dict().items()))
            compare(function, what, ours, theirs)
            compare_value(what, ours, theirs, name)
            compare(function, what, ours, theirs)


@pytest.mark.parametrize("dtype", ("bfloat16", "float16"))
def test_halves(contexts, dtype):
    """The norms are exact; a power iteration in halves has their precision."""
    for call, named in WEIGHT_NORM:
        call = call.replace("{}", f", dtype=torch.{dtype}")
        ours, theirs = both(contexts.eager, "weight_norm", call, named, 3)
        compare("weight_norm", (call, named), ours, theirs)
    ours, theirs = both(contexts.eager, "spectral_norm", f"Linear(9, 6, dtype=torch.{dtype})", {}, 3)
    compare("spectral_norm", dtype, ours, theirs)


@pytest.mark.parametrize("function,call,named", CASES)
def test_eval_and_remove(contexts, function, call, named):
    """A module that does not train; parametrizations removed, with their values or without."""
    def stop_training(ours, theirs):
        theirs.eval()
        ours.context.call("kdl_module_train", ours, False)

    call, name = call.replace("{}", ""), named.get("name", "weight")
    for leave in (True, False):
        ours, theirs = both(contexts.eager, function, call, named, 5, stop_training)
        compare(function, call, ours, theirs)
        compare_value(call, ours, theirs, name)
        said = outcome(lambda: parametrize.remove_parametrizations(theirs, name, leave))
        assert outcome(lambda: contexts.eager.call("kdl_remove_parametrizations", ours,
                                                   name.encode(), leave)) == said
        assert str(ours) == str(theirs)
        assert ([n for n, _ in ours.iterate("state_dict")] == list(theirs.state_dict()))
        for (key, tensor), expected in zip(ours.iterate("state_dict"), theirs.state_dict().values()):
            assert_close(tensor.torch(), expected, call, key)


@pytest.mark.parametrize("function,call,named", CASES)
def test_assignment(contexts, function, call, named):
    """module.weight = value."""
    call, name = call.replace("{}", ""), named.get("name", "weight")
    ours, theirs = make(contexts.eager, call, 8)
    value = torch.randn(getattr(theirs, name).shape)
    ours, theirs = both(contexts.eager, function, call, named, 8)
    given = contexts.eager.tensor(value)
    assert (outcome(lambda: contexts.eager.call("kdl_set_parametrized", ours, name.encode(), given))
            == outcome(lambda: setattr(theirs, name, value)))
    compare_value(call, ours, theirs, name)
    for (key, tensor), expected in zip(ours.iterate("state_dict"), theirs.state_dict().values()):
        assert_close(tensor.torch(), expected, call, key)


def test_several(contexts):
    """Several tensors of a module; one parametrization on another."""
    ours, theirs = make(contexts.eager, "Linear(6, 6)", 2)
    for function, named in (("weight_norm", {}), ("spectral_norm", {"name": "bias"}),
                            ("spectral_norm", {})):
        getattr(parametrizations, function)(theirs, **named)
        ours.parametrize(function, **named)
        compare(function, "several", ours, theirs)
    assert contexts.eager.default_generator().state() == torch.get_rng_state().numpy().tobytes()
    for name in ("weight", "bias"):
        compare_value("several", ours, theirs, name)
    for name in ("weight", "bias"):
        parametrize.remove_parametrizations(theirs, name)
        contexts.eager.call("kdl_remove_parametrizations", ours, name.encode(), True)
        assert str(ours) == str(theirs)
    copied = copy.deepcopy(theirs)
    assert [n for n, _ in ours.iterate("state_dict")] == list(copied.state_dict())


def test_deep_copy(contexts):
    for function, call, named in CASES:
        ours, theirs = both(contexts.eager, function, call.replace("{}", ""), named, 4)
        clone = contexts.eager.call("kdl_module_deep_copy", ours)
        name = named.get("name", "weight")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            twin = copy.deepcopy(theirs)
        getattr(theirs, name)  # the copy stays as it was
        contexts.eager.call("kdl_parametrized", ours, name.encode())
        compare(function, (call, named), clone, twin)


def test_orthogonal_originals(contexts):
    """Bit for bit: -I with trivialization, else the weight, but under the householder map."""
    for call, named in ORTHOGONAL:
        ours, theirs = both(contexts.eager, "orthogonal", call.replace("{}", ""), named, 6)
        name = f"parametrizations.{named.get('name', 'weight')}.original"
        if named.get("use_trivialization", True) or "householder" not in (
                named["orthogonal_map"] if "orthogonal_map" in named else
                str(theirs.get_submodule(name.rpartition(".")[0])[0].orthogonal_map)):
            original = dict(ours.iterate("state_dict"))[name].torch()
            assert_same(original, theirs.state_dict()[name], call, named)


def test_orthogonal_weight(contexts):
    """A square weight that is orthogonal stays, bit for bit; a wide one's base has it."""
    for call in ("Linear(9, 9)", "Linear(9, 4)", "Linear(3, 9)"):
        weight = nn.init.orthogonal_(torch.empty(*reversed(eval(call[6:]))))

        def set_weight(ours, theirs):
            theirs.weight.data.copy_(weight)
            tensors = dict(ours.iterate("state_dict"))
            tensors["weight"].context.call("kdl_copy_", tensors["weight"],
                                           contexts.eager.tensor(weight))

        ours, theirs = both(contexts.eager, "orthogonal", call, {}, 6, set_weight)
        compare("orthogonal", call, ours, theirs)
        compare_value(call, ours, theirs, "weight")
        if call == "Linear(9, 9)":
            base = dict(ours.iterate("state_dict"))["parametrizations.weight.0.base"].torch()
            assert_same(base, weight)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_orthogonal_at_its_limits(contexts):
    """No elements; dtypes that LAPACK does not have; behind another parametrization."""
    for call, named in (("Linear(4, 0)", {}), ("Linear(0, 4)", {}), ("Linear(0, 0)", {}),
                        ("Linear(4, 4, dtype=torch.bfloat16)", {}),
                        ("Linear(4, 6, dtype=torch.float16)", {}),
                        ("Linear(4, 6, dtype=torch.bfloat16)", {"use_trivialization": False})):
        ours, theirs = both(contexts.eager, "orthogonal", call, named, 6)
        compare("orthogonal", call, ours, theirs)
    ours, theirs = both(contexts.eager, "weight_norm", "Linear(3, 5)", {}, 6)
    parametrizations.orthogonal(theirs)
    ours.parametrize("orthogonal")
    compare("orthogonal", "behind", ours, theirs)
    assert (outcome(lambda: contexts.eager.call("kdl_parametrized", ours, b"weight"))
            == outcome(lambda: theirs.weight))
    ours, theirs = both(contexts.eager, "orthogonal", "Linear(3, 5)", {}, 6)
    value = torch.randn(5, 4)
    assert (outcome(lambda: contexts.eager.call("kdl_set_parametrized", ours, b"weight",
                                                contexts.eager.tensor(value)))
            == outcome(lambda: setattr(theirs, "weight", value)))


REFUSALS = (
    ("weight_norm", "Linear(3, 4)", {"name": "nothing"}),
    ("weight_norm", "Linear(3, 4)", {"dim": 2}),
    ("weight_norm", "Linear(3, 4)", {"dim": -3}),
    ("weight_norm", "Linear(0, 4)", {"dim": 1}),
    ("weight_norm", "Linear(4, 3, bias=False)", {"name": "bias"}),
    ("spectral_norm", "Linear(3, 4)", {"name": "nothing"}),
    ("spectral_norm", "Linear(3, 4)", {"dim": 2}),
    ("spectral_norm", "Linear(3, 4)", {"dim": -3}),
    ("spectral_norm", "Linear(3, 4)", {"name": "bias", "dim": 1}),
    ("spectral_norm", "Linear(3, 4)", {"n_power_iterations": 0}),
    ("spectral_norm", "Sequential()", {}),
    ("orthogonal", "Linear(3, 4)", {"name": "nothing"}),
    ("orthogonal", "Linear(3, 4)", {"name": "bias"}),
    ("orthogonal", "Linear(3, 4)", {"orthogonal_map": "cayly"}),
)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_refusals(contexts):
    for function, call, named in REFUSALS:
        ours, theirs = make(contexts.eager, call, 1)
        said = outcome(lambda: getattr(parametrizations, function)(theirs, **named))
        if said[0] == "AttributeError":  # of None
            said = ("ValueError", f"Module '{theirs}' does not have a parameter, a buffer, or a "
                    f"parametrized element with name '{named['name']}'")
        assert outcome(lambda: ours.parametrize(function, **named)) == said != "ok", (call, named)
        assert str(ours) == str(theirs)
    ours, theirs = make(contexts.eager, "Linear(3, 4)", 1)
    assert (outcome(lambda: contexts.eager.call("kdl_remove_parametrizations", ours, b"weight", True))
            == outcome(lambda: parametrize.remove_parametrizations(theirs, "weight")))
    assert isinstance(theirs, nn.Linear)
