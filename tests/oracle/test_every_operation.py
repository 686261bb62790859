# SPDX-License-Identifier: Apache-2.0
"""Every function of the headers that has gradients, by one table: values, gradients, refusals."""
import pathlib
import re

import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from operations import OPERATIONS, Floats, Windows
from training import assert_close, default_path, load_training

HEADERS = pathlib.Path(__file__).parents[2] / "include" / "kindling"
DTYPES = (torch.float32, torch.float64)
LAYOUTS = ("row-major", "transposed", "sliced", "expanded")


@pytest.fixture(scope="module")
def context():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # of so little, threads take longer
    yield Windows(load_training(default_path(BUILD)))
    torch.set_num_threads(threads)


# ---- what there is -------------------------------------------------------------------------------

# Of integers or bool, of a shape alone, of what a tensor has, or without gradients by their nature.
NO_GRADIENT = {f"kdl_{name}" for name in (
    "argmax", "argmin", "argsort", "any", "all", "multinomial_with", "logical_not", "logical_and", "logical_or", "logical_xor", "f_one_hot",
    "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "detach",
    "tensor_retain", "invert_permutation", "tensor_grad", "tensor_grad_rows", "requires_grad_",
    *(f"{name}{kind}" for name in ("eq", "ne", "lt", "le", "gt", "ge") for kind in ("", "_tensor")),
)}
# Modules: tested as such.
OF_MODULES = {"kdl_forward", "kdl_adaptive_log_prob", "kdl_adaptive_predict",
              "kdl_parameter_new_with", "kdl_parameter_dict_setdefault"}


def declared():
    """The functions of the headers that take tensors, and give one or write one in place."""
    text = "\n".join(path.read_text() for path in sorted(HEADERS.glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    pattern = r"KDL_API\s+(kdl_tensor \*|kdl_status |int )(kdl_\w+)\(([^;]*?)\);"
    for result, name, arguments in re.findall(pattern, text):
        tensors = re.search(r"kdl_tensor \*(const \*)?\w*\s*(,|$)", arguments)
        if tensors and (result == "kdl_tensor *" or name.endswith("_") or "parts" in arguments):
            yield name


def test_all_are_here():
    """A new function of the headers belongs into the table."""
    names = {name for name in declared() if not name.startswith("kdl_init_")} - OF_MODULES
    print(names - NO_GRADIENT - set(OPERATIONS))
    assert names - NO_GRADIENT == set(OPERATIONS)
    assert len(names) > 150


# ---- values and gradients ------------------------------------------------------------------------

def laid_out(what, dtype, layout):
    """A leaf that holds an input, and what makes the input of it, here and in PyTorch."""
    shape = what.shape
    same = (lambda x: x, lambda x: x)
    view = same
    if layout == "transposed" and len(shape) > 1:
        shape = (shape[-1], *shape[1:-1], shape[0])
        view = (lambda x: x.kdl_transpose(0, -1), lambda x: x.transpose(0, -1))
    elif layout == "sliced" and shape:
        shape = (*shape[:-1], 2 * shape[-1] + 1)
        view = (lambda x: x.kdl_slice(-1, 1, 2**63 - 1, 2), lambda x: x[..., 1::2])
    elif layout == "expanded" and len(shape) > 1 and shape[0]:
        sizes = list(shape)
        shape = (1, *shape[1:])
        view = (lambda x: x.kdl_expand(sizes), lambda x: x.expand(sizes))
    leaf = torch.rand(shape, dtype=torch.float64) * (what.high - what.low) + what.low
    return leaf.to(dtype).requires_grad_(what.grad), view


def seed(context):
    torch.default_generator.manual_seed(9)
    context.default_generator().manual_seed(9)


class Inputs:
    """The inputs of a case, here and there; gradients are added up in the leaves."""

    def __init__(self, context, case, dtype, layout="row-major"):
        self.leaves, self.mine, self.ours, self.theirs = [], [], [], []
        for what in case.inputs:
            if not isinstance(what, Floats):
                self.add(what, what is not None and context.tensor(what) or None)
                continue
            leaf, (ours, theirs) = laid_out(what, dtype, layout)
            mine = context.leaf(leaf)
            self.add(theirs(leaf), ours(mine))
            self.leaves.append(leaf)
            self.mine.append(mine)

    def add(self, theirs, ours):
        self.theirs.append(theirs)
        self.ours.append(ours)


def weights_of(shape, dtype):
    """What the elements of a result count in the sum that is differentiated."""
    return torch.linspace(0.5, 1.5, shape.numel(), dtype=torch.float64).reshape(shape).to(dtype)


def compute_theirs(context, case, tensors, leaves):
    """The result, and the leaves' gradients: None where there are none."""
    seed(context)
    result = case.theirs(*tensors)
    if result.requires_grad:
        result.backward(weights_of(result.shape, result.dtype))
    return [result.detach(), *(leaf.grad for leaf in leaves)]


def compute_ours(context, case, tensors, leaves):
    seed(context)
    result = case.ours(context, *tensors)
    if result.kdl_tensor_requires_grad():
        shape = torch.Size(result.shape)
        context.backward(result, context.tensor(weights_of(shape, result.dtype)))
    return [result.torch().contiguous(), *(context.grad(leaf) for leaf in leaves)]


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_gradients(context, name, dtype):
    torch.manual_seed(1)
    for number, case in enumerate(OPERATIONS[name]):
        for layout in LAYOUTS[:None if case.expands else -1]:
            inputs = Inputs(context, case, dtype, layout)
            # Of what is the same everywhere, differences cancel to nothing but rounding.
            least = 1.0 if layout == "expanded" else 1e-30
            expected = compute_theirs(context, case, inputs.theirs, inputs.leaves)
            got = compute_ours(context, case, inputs.ours, inputs.mine)
            for place, (theirs, ours) in enumerate(zip(expected, got)):
                if theirs is None:  # PyTorch says so of norms that count elements, too
                    assert ours is None or not ours.any(), (number, place)
                else:
                    assert_close(ours, theirs, number, layout, place, least=least)
            for leaf, mine in zip(inputs.leaves, inputs.mine):
                assert_close(mine.torch(), leaf.detach(), number, layout, "afterwards")


# As their documentation says.
NOT_OF_HALVES = {"kdl_f_embedding_with"}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_halves(context, name, dtype):
    """No farther from what f64 gives than PyTorch, which rounds more often, and a few units."""
    torch.manual_seed(2)
    for number, case in enumerate(OPERATIONS[name]):
        inputs = Inputs(context, case, dtype)
        try:
            theirs = compute_theirs(context, case, inputs.theirs, inputs.leaves)
        except RuntimeError:
            continue
        try:
            ours = compute_ours(context, case, inputs.ours, inputs.mine)
        except KindlingError as error:
            assert name in NOT_OF_HALVES and error.status == "NotImplementedError", number
            continue
        leaves = [leaf.detach().double().requires_grad_(leaf.requires_grad)
                  for leaf in inputs.leaves]
        rest = iter(leaves)
        exact = compute_theirs(context, case, [next(rest) if isinstance(kind, Floats) else what
                                               for kind, what in zip(case.inputs, inputs.theirs)],
                               leaves)
        for place, values in enumerate(zip(ours, theirs, exact)):
            if values[1] is not None:
                check_rounding(*values, (number, place))


def check_rounding(ours, theirs, exact, what):
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), what
    finite = theirs.isfinite() & exact.isfinite()
    if finite.any():
        exact = exact[finite]
        distance = (ours[finite].double() - exact).abs().max()
        allowed = 2 * (theirs[finite].double() - exact).abs().max()
        unit = torch.finfo(theirs.dtype).eps * exact.abs().max()
        assert distance <= allowed + 8 * unit, what


# ---- gradients beside differences --------------------------------------------------------------

STEP = 1e-6


def weighed(context, case, values):
    """The sum of the result's elements, each times its weight."""
    seed(context)
    inputs = [value if value is None else context.tensor(value) for value in values]
    result = case.ours(context, *inputs).torch()
    return (result * weights_of(result.shape, result.dtype)).sum().item()


@pytest.mark.parametrize("name", OPERATIONS)
def test_differences(context, name):
    """torch.autograd.gradcheck of a few elements of every input."""
    torch.manual_seed(3)
    for number, case in enumerate(OPERATIONS[name]):
        if not case.numeric:
            continue
        inputs = Inputs(context, case, torch.float64)
        seed(context)
        result = case.ours(context, *inputs.ours)
        if not result.kdl_tensor_requires_grad() or result.dtype != torch.float64:
            continue
        context.backward(result, context.tensor(weights_of(torch.Size(result.shape),
                                                           torch.float64)))
        leaves = iter(zip(inputs.leaves, inputs.mine))
        values = [value if value is None else value.detach() for value in inputs.theirs]
        for place, what in enumerate(case.inputs):
            if not isinstance(what, Floats):
                continue
            leaf, mine = next(leaves)
            if what.grad and leaf.numel():
                check_differences(context, case, values, place, context.grad(mine),
                                  (number, place))


def check_differences(context, case, values, place, grad, what):
    given = values[place]
    grad = torch.zeros_like(given) if grad is None else grad
    chosen = range(0, given.numel(), max(1, given.numel() // 6))
    found = []
    for element in chosen:
        ends = []
        for step in (STEP, -STEP):
            values[place] = given.clone()
            values[place].view(-1)[element] += step
            ends.append(weighed(context, case, values))
        found.append((ends[0] - ends[1]) / (2 * STEP))
    values[place] = given
    expected = grad.reshape(-1)[list(chosen)]
    difference = (torch.tensor(found, dtype=torch.float64) - expected).abs().max().item()
    assert difference <= 1e-6 * max(1.0, expected.abs().max().item()), (what, found, expected)
