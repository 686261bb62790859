# SPDX-License-Identifier: Apache-2.0
"""Transposed convolutions, padding, pooling with indices: values and gradients beside PyTorch's."""
import itertools

import pytest
import torch
import torch.nn.functional as F

from conftest import BUILD
from kindling import KindlingError
from test_autograd import DTYPES, compare, sample
from training import assert_close, default_path, load_training
from windows import Windows

SIZES = {1: (7,), 2: (5, 6), 3: (4, 3, 5)}
TRANSPOSED = ({}, {"stride": 2}, {"padding": 1}, {"dilation": 2}, {"groups": 2},
              {"stride": 3, "output_padding": 2}, {"dilation": 2, "output_padding": 1},
              {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2, "dilation": 2})
MODES = ("constant", "reflect", "replicate", "circular")


@pytest.fixture(scope="module")
def context():
    return Windows(load_training(default_path(BUILD)))


def texts(theirs, ours):
    """What PyTorch's call says of wrong arguments, and ours."""
    with pytest.raises(Exception) as expected:
        theirs()
    with pytest.raises(KindlingError) as got:
        ours()
    return str(expected.value).split("\n")[0], str(got.value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", TRANSPOSED, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_conv_transpose(context, count, options, dtype):
    torch.manual_seed(1)
    groups, theirs = options.get("groups", 1), getattr(F, f"conv_transpose{count}d")
    for batch in ((3,), (), (0,)):
        for kernel in ((1,) * count, (3,) * count, (2, 3, 1)[:count]):
            if kernel == (1,) * count and options.get("padding"):
                options = {**options, "stride": 2}
            x = sample((*batch, 4, *SIZES[count]), dtype, strided=True)
            weight, bias = sample((4, 6 // groups, *kernel), dtype), sample((6,), dtype)
            compare(context, lambda *t: context.conv_transpose(count, *t, **options),
                    lambda *t: theirs(*t, **options), [x, weight, bias], kernel, batch)
            x.grad = weight.grad = None
            compare(context, lambda *t: context.conv_transpose(count, *t, None, **options),
                    lambda *t: theirs(*t, **options), [x, weight], kernel, batch)


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_halves(context, dtype):
    torch.manual_seed(2)
    x, weight = sample((2, 4, 5, 6), dtype), sample((4, 3, 3, 3), dtype)
    compare(context, lambda *t: context.conv_transpose(2, *t, None),
            F.conv_transpose2d, [x, weight])
    x.grad = None
    compare(context, lambda t: context.conv(2, t, context.tensor(weight.detach().transpose(0, 1)),
                                            None),
            lambda t: F.conv2d(t, weight.detach().transpose(0, 1)), [x])
    for mode in MODES:
        x.grad = None
        compare(context, lambda t: context.pad(t, (1, 2, 0, 1), mode),
                lambda t: F.pad(t, (1, 2, 0, 1), mode), [x], mode)


def test_conv_refusals(context):
    ones = torch.ones
    cases = (((1, 3, 5, 5), (2, 4, 3, 3), {}), ((1, 3, 5, 5), (3, 4, 3, 3), {"groups": 2}),
             ((1, 3, 1, 1), (3, 4, 1, 1), {"padding": 2}), ((3, 5), (3, 4, 3, 3), {}),
             ((3, 5, 5), (3, 4, 3, 3), {"stride": 0}), ((3, 5, 5), (3, 4, 3, 3), {"padding": -1}),
             ((3, 5, 5), (3, 4, 3, 3), {"groups": 0}),
             ((3, 5, 5), (3, 4, 3, 3), {"stride": (1, 1, 1)}))
    for shape, weight, options in cases:
        expected, got = texts(
            lambda: F.conv_transpose2d(ones(shape), ones(weight), **options),
            lambda: context.conv_transpose(2, context.tensor(ones(shape)),
                                           context.tensor(ones(weight)), None, **options))
        assert expected == got
    cases = (((1, 3, 5, 5), (2, 4, 3, 3), {}), ((1, 3, 2, 2), (2, 3, 3, 3), {}),
             ((1, 4, 4, 4), (3, 2, 3, 3), {"groups": 2}), ((3, 5), (2, 3, 3, 3), {}),
             ((3, 5, 5), (2, 3, 3, 3), {"stride": 0}), ((3, 5, 5), (2, 3, 3, 3), {"padding": -1}),
             ((3, 5, 5), (2, 3, 3, 3), {"groups": 0}),
             ((3, 5, 5), (2, 3, 3, 3), {"stride": (1, 1, 1)}),
             ((3, 5, 5), (2, 3, 3, 3), {"stride": 2, "padding": "same"}))
    for shape, weight, options in cases:
        expected, got = texts(
            lambda: F.conv2d(ones(shape), ones(weight), **options),
            lambda: context.conv(2, context.tensor(ones(shape)), context.tensor(ones(weight)), None,
                                 **options))
        assert expected == got
    x, weight, bias = ones(1, 3, 5, 5), ones(3, 3, 3, 3), ones(4)
    for theirs, ours in ((F.conv2d, context.conv), (F.conv_transpose2d, context.conv_transpose)):
        expected, got = texts(lambda: theirs(x, weight, bias),
                              lambda: ours(2, context.tensor(x), context.tensor(weight),
                                           context.tensor(bias)))
        assert expected == got
        with pytest.raises(KindlingError, match="expected scalar type Float but found Double"):
            ours(2, context.tensor(x), context.tensor(weight.double()), None)


def paddings(dims, mode):
    """Widths before and behind of each of so many dimensions, some of them negative."""
    one = [(0, 0), (1, 2), (3, 0), (-1, 2)]
    if mode in ("constant", "replicate"):
        one.append((7, 9))
    for widths in itertools.product(one, repeat=dims):
        yield tuple(itertools.chain(*widths))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dims", (1, 2, 3))
def test_pad(context, dims, mode, dtype):
    torch.manual_seed(3)
    for batch in ((2, 3), (2,), (0, 2)):
        shape = (*batch, 4, 5, 6)[:len(batch) + dims]
        for number, widths in enumerate(paddings(dims, mode)):
            if dims == 3 and number % 5:
                continue
            x = sample(shape, dtype, strided=True)
            value = 0.0 if mode != "constant" else 2.5
            compare(context, lambda t: context.pad(t, widths, mode, value),
                    lambda t: F.pad(t, widths, mode, value if value else None), [x], widths, batch)


def test_pad_of_all(context):
    """Constant padding takes any dimensions, and gives a tensor of its own always."""
    x = sample((2, 3, 4, 2, 3), torch.float64)
    for widths in ((), (0, 0), (1, 1, 0, 0, 2, 0, 0, 1, 1, 0), (-1, 0, 0, 0, 0, 0, 0, -1)):
        x.grad = None
        compare(context, lambda t: context.pad(t, widths), lambda t: F.pad(t, widths), [x], widths)
    mine = context.tensor(torch.ones(3))
    same = context.pad(mine, ())
    mine.kdl_zero_()
    assert same.torch().tolist() == [1, 1, 1]


PAD_REFUSALS = (
    ((3, 5), (1,), "constant"), ((3,), (1, 1, 1, 1), "constant"), ((3,), (1, 1), "reflect"),
    ((2, 3, 3, 4), (1, 1), "reflect"), ((2, 3), (3, 1), "reflect"),
    ((2, 3, 4), (1, 1, 3, 1), "reflect"), ((1, 2, 3, 4, 5), (1, 1, 3, 1, 3, 1), "reflect"),
    ((2, 3), (-2, -1), "reflect"), ((2, 0), (0, 0), "reflect"), ((2, 0), (1, 0), "replicate"),
    ((2, 3), (-2, -1), "replicate"), ((2, 3), (4, 1), "circular"), ((2, 3), (-2, -2), "circular"),
    ((2, 0), (1, 1), "circular"), ((2, 3), (1, 1), "foo"), ((1, 2, 3), (1,) * 6, "replicate"),
    ((1, 2, 3), (), "reflect"))


@pytest.mark.parametrize("shape,widths,mode", PAD_REFUSALS, ids=str)
def test_pad_refusals(context, shape, widths, mode):
    expected, got = texts(lambda: F.pad(torch.ones(shape), widths, mode),
                          lambda: context.pad(context.tensor(torch.ones(shape)), widths, mode))
    if mode == "constant" or mode == "reflect" and widths[-1:] != (-1,):
        assert expected == got
    assert expected.split(" ")[0] == got.split(" ")[0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_indices(context, count, dtype):
    """The places of the largest elements, of equal ones and NaN too."""
    torch.manual_seed(4)
    pool, adaptive = getattr(F, f"max_pool{count}d"), getattr(F, f"adaptive_max_pool{count}d")
    for batch in ((2,), ()):
        x = torch.randint(0, 4, (*batch, 3, 9, 8, 7)[:len(batch) + 1 + count]).to(dtype)
        x.view(-1)[::17] = float("nan")
        x.view(-1)[5:9] = -float("inf")
        x.requires_grad_()
        for options in ({}, {"stride": 1}, {"padding": 1, "stride": 2}, {"dilation": 2},
                        {"ceil_mode": True, "stride": 2}, {"dilation": 2, "padding": 1}):
            values, places = pool(x, 3, **options, return_indices=True)
            mine, ours = context.max_pool(count, context.tensor(x.detach()), 3, **options)
            assert torch.equal(ours.torch(), places), options
            assert_close(mine.torch(), values.detach(), options)
        for size in ((1,) * count, (3,) * count, (4, 2, 5)[:count], (11, 9, 7)[:count]):
            values, places = adaptive(x, size, return_indices=True)
            mine, ours = context.adaptive_max_pool(count, context.tensor(x.detach()), size)
            assert torch.equal(ours.torch(), places), size
            assert_close(mine.torch(), values.detach(), size)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_adaptive(context, count, dtype):
    torch.manual_seed(5)
    for batch in ((2,), (), (0,)):
        for size in ((1,) * count, (3,) * count, (4, 2, 5)[:count], (0,) * count):
            x = sample((*batch, 3, 9, 8, 7)[:len(batch) + 1 + count], dtype)
            for name in ("max", "avg"):
                x.grad = None
                x.requires_grad_(0 not in size)  # of nothing PyTorch has no gradient
                theirs = getattr(F, f"adaptive_{name}_pool{count}d")
                ours = {"max": lambda t: context.adaptive_max_pool(count, t, size)[0],
                        "avg": lambda t: context.call("kdl_f_adaptive_avg_pool", count, t,
                                                      list(size))}[name]
                compare(context, ours, lambda t: theirs(t, size), [x], name, size, batch)


POOL_REFUSALS = (({"kernel_size": 5}, (1, 2, 4, 4)), ({"kernel_size": 2, "padding": 2}, (1, 2, 4, 4)),
                 ({"kernel_size": 2, "stride": 0}, (1, 2, 4, 4)),
                 ({"kernel_size": 2}, (1, 2, 0, 4)), ({"kernel_size": 2}, (2, 0, 4, 4)))


@pytest.mark.parametrize("options,shape", POOL_REFUSALS, ids=str)
def test_pool_refusals(context, options, shape):
    for name in ("max", "avg"):
        expected, got = texts(
            lambda: getattr(F, f"{name}_pool2d")(torch.ones(shape), **options),
            lambda: context.pool(name, 2, context.tensor(torch.ones(shape)), **options))
        assert expected == got
