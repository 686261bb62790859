# SPDX-License-Identifier: Apache-2.0
"""grid_sample and affine_grid beside PyTorch's: values, gradients, errors, warnings."""
import itertools
import warnings

import pytest
import torch
import torch.nn.functional as F

from conftest import BUILD
from test_autograd import DTYPES
from test_windows_shape import texts
from training import assert_close, default_path, load_training
from windows import Windows

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
IMAGES = (((2, 3, 5, 7), (4, 6)), ((1, 1, 1, 1), (3, 3)), ((2, 2, 1, 9), (5, 1)),
          ((3, 4, 8, 2), (1, 30)), ((1, 40, 3, 3), (2, 2)), ((0, 2, 3, 3), (2, 2)),
          ((2, 3, 5, 7), (0, 6)))
VOLUMES = (((2, 3, 4, 5, 6), (3, 2, 5)), ((1, 2, 1, 3, 1), (4, 4, 2)), ((1, 1, 7, 2, 3), (1, 1, 9)))


@pytest.fixture(scope="module")
def context():
    return Windows(load_training(default_path(BUILD)))


def compare(context, ours, theirs, inputs, *what):
    """Values and gradients, of elements about 1: what cancels to less is rounding."""
    mine = [context.leaf(value) for value in inputs]
    expected, got = theirs(*inputs), ours(*mine)
    assert_close(got.torch().contiguous(), expected.detach(), *what, least=0.1)
    weights = torch.randn(expected.shape, dtype=expected.dtype)
    expected.backward(weights)
    context.backward(got, context.tensor(weights))
    for value, tensor in zip(inputs, mine):
        assert_close(context.grad(tensor), value.grad, *what, "gradient", least=0.1)


@pytest.mark.parametrize("align", (False, True))
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_random_places(context, dtype, mode, padding, align):
    torch.manual_seed(4)
    for (shape, sizes), scale in itertools.product(
            IMAGES + (() if mode == "bicubic" else VOLUMES), (0.5, 1.3, 4.0)):
        grid = torch.randn(shape[0], *sizes, len(shape) - 2, dtype=dtype) * scale
        x = torch.randn(shape, dtype=dtype)
        compare(context,
                lambda x, g: context.grid_sample(x, g, mode, padding, align),
                lambda x, g: F.grid_sample(x, g, mode, padding, align),
                [x.requires_grad_(), grid.requires_grad_()], shape, sizes, scale)


@pytest.mark.parametrize("align", (False, True))
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_exact_places(context, dtype, mode, padding, align):
    """Centers, borders, halves between, and what is no number."""
    steps = torch.tensor([-3, -2, -1.5, -1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.25, 2, 1e9,
                          -1e9], dtype=dtype)
    for width, height in ((4, 4), (8, 2), (2, 1)):
        x = torch.randn(1, 2, height, width, dtype=dtype)
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)[None]
        if mode == "bicubic" or padding == "reflection":
            grid = grid.clamp(-3, 3)
        ours = context.grid_sample(context.tensor(x), context.tensor(grid), mode, padding, align)
        assert_close(ours.torch(), F.grid_sample(x, grid, mode, padding, align), width, height)


@pytest.mark.parametrize("mode", ("bilinear", "bicubic"))
@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_halves(context, dtype, mode):
    """Computed in f32: beside what that gives of the same numbers."""
    x, grid = torch.randn(2, 3, 5, 6).to(dtype), torch.randn(2, 4, 4, 2).to(dtype)
    ours = context.grid_sample(context.tensor(x), context.tensor(grid), mode, "border", False)
    exact = F.grid_sample(x.float(), grid.float(), mode, "border", False)
    assert ours.dtype == dtype
    assert_close(ours.torch(), exact.to(dtype))


@pytest.mark.parametrize("align", (False, True))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_affine(context, dtype, align):
    torch.manual_seed(6)
    for size in ((2, 3, 4, 5), (1, 1, 1, 1), (3, 1, 9, 1), (2, 3, 4, 5, 6), (1, 2, 1, 7, 3)):
        count = len(size) - 2
        theta = torch.randn(size[0], count, count + 1, dtype=dtype, requires_grad=True)
        compare(context, lambda t: context.affine_grid(t, size, align),
                lambda t: F.affine_grid(t, size, align), [theta], size)


def test_transformer(context):
    """A spatial transformer: gradients of the matrices through both."""
    theta = torch.eye(2, 3, dtype=torch.float64) + torch.randn(2, 2, 3, dtype=torch.float64) / 9
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    compare(context,
            lambda x, t: context.grid_sample(x, context.affine_grid(t, (2, 3, 5, 5), False),
                                             "bilinear", "zeros", False),
            lambda x, t: F.grid_sample(x, F.affine_grid(t, (2, 3, 5, 5), False), "bilinear",
                                       "zeros", False), [x, theta.requires_grad_()])


SAMPLE_REFUSALS = (
    ((2, 3, 4, 5), (2, 6, 7, 2), {"mode": "foo"}), ((2, 3, 4, 5), (2, 6, 7, 2), {"padding": "foo"}),
    ((2, 3, 4, 5), (1, 6, 7, 2), {}), ((2, 3, 4, 5), (2, 6, 7, 3), {}), ((3, 4, 5), (2, 6, 7, 2), {}),
    ((2, 3, 4, 5), (6, 7, 2), {}), ((2, 3, 4, 5, 6), (2, 6, 7, 2, 3), {"mode": "bicubic"}),
    ((2, 3, 0, 5), (2, 6, 7, 2), {}), ((2, 3, 4, 5, 6), (2, 6, 7, 2, 2), {}),
    ((2, 3, 4), (2, 6, 7), {}), ((2, 3, 4, 5), (2, 7, 2), {}), ((2, 3, 4), (2, 7, 1), {}),
    ((2, 3, 4, 5), (2, 6, 7, 2), {"dtype": torch.float64}))


@pytest.mark.parametrize("shape,places,options", SAMPLE_REFUSALS, ids=str)
def test_refusals(context, shape, places, options):
    x, grid = torch.zeros(shape), torch.zeros(places, dtype=options.pop("dtype", torch.float32))
    arguments = (options.get("mode", "bilinear"), options.get("padding", "zeros"), False)
    expected, got = texts(
        lambda: F.grid_sample(x, grid, *arguments),
        lambda: context.grid_sample(context.tensor(x), context.tensor(grid), *arguments))
    assert expected == got


@pytest.mark.parametrize("shape,size", (
    ((2, 2, 3), (2, 3, 4)), ((2, 2, 3), (3, 3, 4, 5)), ((2, 3), (2, 3, 4, 5)),
    ((2, 2, 3), (2, 3, 0, 5)), ((2, 3, 4), (2, 3, 4, 5)), ((2, 2, 3), (2, 3, 4, 5, 6)),
    ((2, 2, 3), (2, 3, 4, 5, 6, 7)), ((2, 2, 3), (2, 3, -4, 5))))
def test_affine_refusals(context, shape, size):
    theta = torch.zeros(shape)
    expected, got = texts(lambda: F.affine_grid(theta, size, False),
                          lambda: context.affine_grid(context.tensor(theta), size, False))
    assert expected == got


def test_warnings(context):
    theta, x = torch.zeros(1, 2, 3), torch.zeros(1, 1, 2, 2)
    for align, size in ((None, (1, 1, 3, 3)), (True, (1, 1, 1, 3)), (False, (1, 1, 1, 3))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grid = F.affine_grid(theta, size, align)
            F.grid_sample(x, grid, align_corners=align)
        context.warnings.clear()
        ours = context.affine_grid(context.tensor(theta), size, align)
        context.grid_sample(context.tensor(x), ours, "bilinear", "zeros", align)
        assert context.warnings == [str(w.message) for w in caught]
