# SPDX-License-Identifier: Apache-2.0
"""Pools made of others, instances, shuffles, folding, interpolation: values and gradients beside
PyTorch's; the places that fractional pooling draws, bit for bit."""
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import BUILD
from kindling import KindlingError
from test_autograd import DTYPES, compare, sample
from test_windows_shape import texts
from training import assert_close, default_path, load_training
from windows import Windows

SIZES = {1: (9,), 2: (9, 8), 3: (7, 8, 6)}
EVEN = {1: (8,), 2: (8, 6), 3: (6, 8, 4)}


@pytest.fixture(scope="module")
def context():
    return Windows(load_training(default_path(BUILD)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_lp_pool(context, count, dtype):
    torch.manual_seed(1)
    pool = getattr(F, f"lp_pool{count}d")
    for batch in ((2, 3), (3,)):
        for norm in (1, 2, 3, 1.5, float("inf"), -float("inf")):
            for options in ({}, {"stride": 1}, {"stride": 2, "ceil_mode": True}):
                x = sample((*batch, *SIZES[count]), dtype, 0.1 if norm == 1.5 else -3.0)
                with torch.no_grad():
                    if norm == 2:
                        x.view(-1)[:9] = 0
                if norm == 3:  # roots of negative sums are NaN: not a thing to compare gradients of
                    x = sample((*batch, *SIZES[count]), dtype, 0.2)
                compare(context, lambda t: context.lp_pool(count, t, norm, 2, **options),
                        lambda t: pool(t, norm, 2, **options), [x], norm, options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_max_unpool(context, count, dtype):
    torch.manual_seed(2)
    pool, unpool = getattr(F, f"max_pool{count}d"), getattr(F, f"max_unpool{count}d")
    for batch in ((2, 3), (3,), (0, 3)):
        for options in ({}, {"stride": 3}, {"padding": 1}):
            sizes = EVEN[count]
            whole = torch.randn((*batch, *sizes), dtype=dtype)
            values, indices = pool(whole, 2, **options, return_indices=True)
            given = context.tensor(indices)
            for size in (sizes,) if options else (None, sizes, (*batch, *sizes)):
                if size and len(size) == count + 1:
                    continue
                x = values.clone().requires_grad_()
                compare(context, lambda t: context.max_unpool(count, t, given, 2, **options,
                                                              output_size=size or ()),
                        lambda t: unpool(t, indices, 2, **options, output_size=size), [x],
                        options, size, batch)


def test_max_unpool_refusals(context):
    x, indices = torch.ones(1, 2, 4, 4), torch.zeros(1, 2, 4, 4, dtype=torch.long)
    for wrong in (indices[..., :2], indices + 1000, indices - 1, indices.int()):
        expected, got = texts(lambda: F.max_unpool2d(x, wrong, 2),
                              lambda: context.max_unpool(2, context.tensor(x),
                                                         context.tensor(wrong), 2))
        assert expected == got
    for size in ([100, 100], [1, 2, 3]):
        expected, got = texts(lambda: F.max_unpool2d(x, indices, 2, output_size=size),
                              lambda: context.max_unpool(2, context.tensor(x),
                                                         context.tensor(indices), 2,
                                                         output_size=size))
        assert expected == got


@pytest.mark.parametrize("dtype", (*DTYPES, torch.float16, torch.bfloat16), ids=str)
@pytest.mark.parametrize("count", (2, 3))
def test_fractional_max_pool(context, count, dtype):
    pool = getattr(F, f"fractional_max_pool{count}d")
    for seed in range(20):
        for batch in ((2, 3), (3,)):
            for kernel, options in ((2, {"output_size": 3}), (3, {"output_size": (4, 3, 2)[:count]}),
                                    ((1, 2, 3)[:count], {"output_ratio": 0.6}),
                                    (2, {"output_ratio": (0.5, 0.3, 0.7)[:count]}),
                                    (2, {"output_size": 1})):
                # PyTorch takes no ratio without a tuple.
                ratio = options.get("output_ratio")
                ratios = ratio if isinstance(ratio, tuple) or ratio is None else (ratio,) * count
                x = torch.rand((*batch, *SIZES[count]), dtype=dtype)
                torch.manual_seed(seed)
                context.default_generator().manual_seed(seed)
                values, indices = pool(x, kernel, **{**options, "output_ratio": ratios},
                                       return_indices=True)
                got, places = context.fractional_max_pool(count, context.tensor(x), kernel,
                                                          **options)
                assert torch.equal(places.torch(), indices), (seed, batch, kernel, options)
                assert torch.equal(got.torch(), values)
                assert (context.default_generator().state() ==
                        torch.get_rng_state().numpy().tobytes())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_fractional_gradient(context, dtype):
    torch.manual_seed(3)
    for count in (2, 3):
        samples = torch.rand(2, 3, count, dtype=dtype)
        given = context.tensor(samples)
        x = sample((2, 3, *SIZES[count]), dtype)
        pool = getattr(F, f"fractional_max_pool{count}d")
        compare(context, lambda t: context.fractional_max_pool(count, t, 3, 3, samples=given)[0],
                lambda t: pool(t, 3, 3, _random_samples=samples), [x])


def test_fractional_refusals(context):
    x = torch.ones(1, 1, 4, 4)
    for options in ({}, {"output_size": 4}, {"output_size": (3, 3), "kernel": (2, 3)},
                    {"output_size": (3, 3), "kernel": (3, 2)}):
        kernel = options.pop("kernel", 2)
        expected, got = texts(lambda: F.fractional_max_pool2d(x, kernel, **options),
                              lambda: context.fractional_max_pool(2, context.tensor(x), kernel,
                                                                  **options))
        assert expected == got
    for samples in (torch.ones(1, 2, 2), torch.ones(0, 1, 2), torch.ones(1, 1, 2).double()):
        expected, got = texts(
            lambda: F.fractional_max_pool2d(x, 2, 2, _random_samples=samples),
            lambda: context.fractional_max_pool(2, context.tensor(x), 2, 2,
                                                samples=context.tensor(samples)))
        assert expected == got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_instance_norm(context, dtype):
    torch.manual_seed(4)
    for shape in ((3, 4, 5), (2, 4, 5, 3), (1, 4, 3, 2, 2), (0, 4, 5)):
        for own in (True, False):
            for affine in (True, False):
                if 0 in shape and (affine or not own):
                    continue  # PyTorch fails
                x = sample(shape, dtype)
                vectors = [sample((4,), dtype) for _ in range(2 if affine else 0)]
                running = [torch.rand(4, dtype=dtype), torch.rand(4, dtype=dtype) + 0.5]
                if own and 0 in shape:
                    running = [None, None]
                mine = [vector if vector is None else context.tensor(vector)
                        for vector in running]

                def ours(t, weight=None, bias=None):
                    return context.call("kdl_f_instance_norm", t, *mine, weight, bias, own, 0.3,
                                        1e-5)

                def theirs(t, weight=None, bias=None):
                    return F.instance_norm(t, *running, weight, bias, own, 0.3, 1e-5)

                compare(context, ours, theirs, [x, *vectors], shape, own, affine)
                for tensor, expected in zip(mine, running if running[0] is not None else ()):
                    assert_close(tensor.torch(), expected, shape, own)


def test_instance_norm_refusals(context):
    for shape, own in (((2, 3), True), ((2, 3, 1), True), ((2, 3, 4), False)):
        expected, got = texts(
            lambda: F.instance_norm(torch.ones(shape), use_input_stats=own),
            lambda: context.call("kdl_f_instance_norm", context.tensor(torch.ones(shape)), None,
                                 None, None, None, own, 0.1, 1e-5))
        assert expected == got
    x, weight = torch.ones(2, 3, 4), torch.ones(2)
    expected, got = texts(
        lambda: F.instance_norm(x, weight=weight),
        lambda: context.call("kdl_f_instance_norm", context.tensor(x), None, None,
                             context.tensor(weight), None, True, 0.1, 1e-5))
    assert expected == got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_neighbours(context, dtype):
    torch.manual_seed(5)
    for shape in ((2, 7, 3), (2, 7, 3, 4), (1, 5, 2, 3, 2)):
        for size in (1, 2, 3, 4, 5, 9):
            for beta in (0.75, 2.0):
                x = sample(shape, dtype)
                compare(context, lambda t: context.call("kdl_f_local_response_norm", t, size, 0.5,
                                                        beta, 1.5),
                        lambda t: F.local_response_norm(t, size, 0.5, beta, 1.5), [x], shape, size)
                if len(shape) == 4:
                    x.grad = None
                    x.requires_grad_(size > 1)  # then PyTorch's backward fails
                    compare(context, lambda t: context.call("kdl_f_cross_map_lrn2d", t, size, 0.5,
                                                            beta, 1.5),
                            nn.CrossMapLRN2d(size, 0.5, beta, 1.5), [x], "cross", size)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_shuffles(context, dtype):
    torch.manual_seed(6)
    for shape in ((8, 2, 3), (2, 8, 2, 3), (2, 1, 4, 4, 2), (0, 4, 2, 2)):
        for factor in (1, 2):
            x = sample(shape, dtype, strided=True)
            x.requires_grad_(0 not in shape)  # of nothing PyTorch has no gradient
            compare(context, lambda t: context.call("kdl_f_pixel_shuffle", t, factor),
                    lambda t: F.pixel_shuffle(t, factor), [x], shape, factor)
            if 0 in shape:
                continue
            x = sample((*shape[:-2], shape[-2] * 2, shape[-1] * 2), dtype)
            compare(context, lambda t: context.call("kdl_f_pixel_unshuffle", t, factor),
                    lambda t: F.pixel_unshuffle(t, factor), [x], shape, factor)
    for shape in ((2, 6, 3), (1, 6, 2, 3), (0, 6, 2)):
        for groups in (1, 2, 3, 6):
            x = sample(shape, dtype)
            compare(context, lambda t: context.call("kdl_channel_shuffle", t, groups),
                    lambda t: torch.channel_shuffle(t, groups), [x], shape, groups)
    x = sample((2, 6, 3), dtype)
    for dim, sizes in ((1, (2, 3)), (1, (-1, 2)), (-1, (3, 1)), (0, (1, 2, 1))):
        x.grad = None
        compare(context, lambda t: context.call("kdl_unflatten", t, dim, list(sizes)),
                lambda t: t.unflatten(dim, sizes), [x], dim, sizes)


SHUFFLE_REFUSALS = (
    ("pixel_shuffle", (1, 3, 2, 2), 2), ("pixel_shuffle", (1, 4, 2, 2), 0),
    ("pixel_shuffle", (4, 2), 2), ("pixel_unshuffle", (1, 3, 3, 2), 2),
    ("pixel_unshuffle", (1, 3, 2, 3), 2), ("pixel_unshuffle", (1, 4, 2, 2), 0),
    ("channel_shuffle", (1, 3, 2), 2), ("channel_shuffle", (1, 4), 2),
    ("channel_shuffle", (1, 4, 2), 0))


@pytest.mark.parametrize("name,shape,number", SHUFFLE_REFUSALS, ids=str)
def test_shuffle_refusals(context, name, shape, number):
    ours = name if name == "channel_shuffle" else f"f_{name}"
    expected, got = texts(
        lambda: getattr(torch, name)(torch.ones(shape), number),
        lambda: context.call(f"kdl_{ours}", context.tensor(torch.ones(shape)), number))
    assert expected == got


def test_unflatten_refusals(context):
    for dim, sizes in ((1, (2, 3)), (4, (2, 3)), (-1, (4, -1)), (1, (0, -1))):
        expected, got = texts(
            lambda: torch.ones(2, 5).unflatten(dim, sizes),
            lambda: context.call("kdl_unflatten", context.tensor(torch.ones(2, 5)), dim,
                                 list(sizes)))
        assert expected == got


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_folding(context, dtype):
    torch.manual_seed(7)
    for kernel in (1, 2, (3, 2)):
        for options in ({}, {"stride": 2}, {"padding": 1}, {"dilation": (1, 2)},
                        {"stride": (2, 1), "padding": (0, 1), "dilation": 2}):
            for batch in ((2,), (), (0,)):
                x = sample((*batch, 3, 7, 6), dtype)
                columns = F.unfold(x.detach(), kernel, **options)
                compare(context, lambda t: context.unfold(t, kernel, **options),
                        lambda t: F.unfold(t, kernel, **options), [x], kernel, options)
                y = torch.randn_like(columns).requires_grad_()
                compare(context, lambda t: context.fold(t, (7, 6), kernel, **options),
                        lambda t: F.fold(t, (7, 6), kernel, **options), [y], kernel, options)


def test_fold_refusals(context):
    for shape, kernel, options in (
            ((3, 3), 2, {}), ((1, 1, 3, 3), 4, {}), ((1, 0, 3, 3), 2, {}), ((1, 1, 0, 3), 2, {}),
            ((1, 1, 1, 3, 3), 2, {})):
        if shape == (3, 3):
            with pytest.raises(KindlingError):
                context.unfold(context.tensor(torch.ones(shape)), kernel)
            continue
        expected, got = texts(lambda: F.unfold(torch.ones(shape), kernel, **options),
                              lambda: context.unfold(context.tensor(torch.ones(shape)), kernel,
                                                     **options))
        assert expected == got
    for shape, size in (((1, 4, 5), (3, 3)), ((1, 5, 4), (3, 3)), ((4,), (3, 3)),
                        ((1, 4, 4), (1, 1))):
        expected, got = texts(lambda: F.fold(torch.ones(shape), size, 2),
                              lambda: context.fold(context.tensor(torch.ones(shape)), size, 2))
        assert expected == got


MODES = {1: ("nearest", "nearest-exact", "area", "linear"),
         2: ("nearest", "nearest-exact", "area", "bilinear", "bicubic"),
         3: ("nearest", "nearest-exact", "area", "trilinear")}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count,mode", [(count, mode) for count in MODES for mode in MODES[count]])
def test_interpolate(context, count, mode, dtype):
    torch.manual_seed(8)
    aligns = (None, True, False) if mode.endswith(("linear", "cubic")) else (None,)
    targets = [{"size": 5}, {"size": (11, 3, 6)[:count]}, {"size": SIZES[count]},
               {"size": 1}, {"scale_factor": 2.0}, {"scale_factor": 0.7},
               {"scale_factor": (1.3, 2.4, 0.5)[:count]},
               {"scale_factor": 1.7, "recompute_scale_factor": True}]
    for batch in ((2, 3), (0, 2)):
        for target in targets:
            for align in aligns:
                x = sample((*batch, *SIZES[count]), dtype)
                compare(context, lambda t: context.interpolate(t, **target, mode=mode,
                                                               align_corners=align),
                        lambda t: F.interpolate(t, **target, mode=mode, align_corners=align), [x],
                        mode, target, align)


@pytest.mark.parametrize("mode", ("nearest", "nearest-exact"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nearest_places(context, dtype, mode):
    """Which element is the nearest, of many sizes: rounding counts."""
    for size in range(1, 60):
        x = torch.arange(size, dtype=dtype).view(1, 1, size)
        mine = context.tensor(x)
        for target in [{"size": other} for other in range(1, 80, 3)] + [
                {"scale_factor": factor} for factor in (0.3, 0.7, 1.1, 1.9, 2.0, 3.7)]:
            if int(size * target.get("scale_factor", 9)) < 1:
                continue
            ours = context.interpolate(mine, **target, mode=mode).torch()
            assert torch.equal(ours, F.interpolate(x, **target, mode=mode)), (size, target)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ("bilinear", "bicubic", "lanczos"))
def test_antialias(context, mode, dtype):
    torch.manual_seed(8)
    aligns = (None, False) if mode == "lanczos" else (None, True, False)
    targets = [{"size": 5}, {"size": (3, 11)}, {"size": 1}, {"size": (40, 2)}, {"size": (17, 23)},
               {"scale_factor": 2.0}, {"scale_factor": 0.3}, {"scale_factor": (0.21, 1.4)},
               {"scale_factor": 0.7, "recompute_scale_factor": True}]
    for shape in ((2, 3, 17, 23), (1, 1, 4, 1), (0, 2, 7, 9), (1, 2, 64, 3)):
        for target in targets:
            if "scale_factor" in target and shape[3] < 6:
                continue
            for align in aligns:
                compare(context, lambda t: context.interpolate(t, **target, mode=mode,
                                                               align_corners=align,
                                                               antialias=True),
                        lambda t: F.interpolate(t, **target, mode=mode, align_corners=align,
                                                antialias=True), [sample(shape, dtype)],
                        mode, shape, target, align)


INTERPOLATE_REFUSALS = (
    ((1, 1, 4), {}), ((1, 1, 4), {"size": 2, "scale_factor": 2.0}),
    ((1, 1, 4), {"size": 2, "mode": "bilinear"}), ((1, 1, 4), {"size": 2, "mode": "foo"}),
    ((1, 1, 4), {"size": 2, "align_corners": True}), ((1, 1, 4), {"size": 0}),
    ((2, 2), {"size": 2}), ((1, 1, 4), {"size": 2, "recompute_scale_factor": True}),
    ((1, 1, 4), {"scale_factor": 0.1}), ((1, 0, 4), {"size": 2}), ((1, 1, 0), {"size": 2}),
    ((1, 1, 4), {"size": 2, "mode": "bicubic"}), ((1, 1, 2, 2), {"size": 2, "mode": "linear"}),
    ((1, 1, 4), {"size": -1}), ((1, 1, 2, 3), {"size": (2, 0)}),
    ((1, 1, 4), {"size": 2, "mode": "linear", "antialias": True}),
    ((1, 1, 4, 4), {"size": 2, "antialias": True}), ((1, 1, 4, 4), {"size": 2, "mode": "lanczos"}),
    ((1, 1, 4, 4), {"size": 2, "mode": "lanczos", "antialias": True, "align_corners": True}),
    ((1, 1, 4, 4), {"size": (2, 0), "mode": "bilinear", "antialias": True}),
    ((1, 1, 2, 3, 2), {"size": (2, 0, 1)}))


@pytest.mark.parametrize("shape,options", INTERPOLATE_REFUSALS, ids=str)
def test_interpolate_refusals(context, shape, options):
    expected, got = texts(
        lambda: F.interpolate(torch.ones(shape), **options),
        lambda: context.interpolate(context.tensor(torch.ones(shape)), **options))
    assert expected == got


def test_unpool_module(context):
    """Modules of two inputs or outputs."""
    x = torch.randn(2, 3, 6, 8)
    for count in (1, 2, 3):
        shape = (2, 3, 6, 8, 4)[:2 + count]
        x = torch.randn(shape)
        values, indices = getattr(nn, f"MaxPool{count}d")(2, return_indices=True)(x)
        mine = context.module_call(context.nn(f"MaxPool{count}d(2, return_indices=True)"),
                              context.tensor(x), outputs=2)
        assert torch.equal(mine[1].torch(), indices)
        ours, = context.module_call(context.nn(f"MaxUnpool{count}d(2)"), *mine)
        assert torch.equal(ours.torch(), getattr(nn, f"MaxUnpool{count}d")(2)(values, indices))
    assert context.module_call(context.nn("MaxPool1d(2)"), context.tensor(torch.ones(1, 4)),
                          outputs=2)[1] is None


def test_batch_norm_refusals(context):
    """Vectors of another size are refused, and running statistics of f16 and bf16 go on."""
    x = torch.randn(4, 3, 2)
    for sizes in ((3, 3, 2, 3), (2, 3, 3, 3), (3, 4, 3, 3), (3, 3, 3, 5)):
        vectors = [torch.ones(size) for size in sizes]
        expected, got = texts(
            lambda: F.batch_norm(x, *vectors, True),
            lambda: context.call("kdl_f_batch_norm", context.tensor(x),
                                 *map(context.tensor, vectors), True, 0.1, 1e-5))
        assert expected == got
    for dtype in (torch.float16, torch.bfloat16):
        vectors = [torch.rand(3).to(dtype) for _ in range(4)]
        mine = [context.tensor(vector) for vector in vectors]
        got = context.call("kdl_f_batch_norm", context.tensor(x.to(dtype)), *mine, True, 0.1, 1e-5)
        assert_close(got.torch(), F.batch_norm(x.to(dtype), *vectors, True), dtype)
        for tensor, expected in zip(mine, vectors):
            assert_close(tensor.torch(), expected, dtype)


def test_strided(context):
    """Inputs whose elements lie otherwise: values and gradients are those of a row-major copy."""
    torch.manual_seed(9)
    pairs = (
        (lambda t: context.pad(t, (1, 2, 0, 1), "reflect"),
         lambda t: F.pad(t, (1, 2, 0, 1), "reflect")),
        (lambda t: context.pool("max", 2, t, 2), lambda t: F.max_pool2d(t, 2)),
        (lambda t: context.pool("avg", 2, t, 2), lambda t: F.avg_pool2d(t, 2)),
        (lambda t: context.adaptive_max_pool(2, t, (2, 3))[0],
         lambda t: F.adaptive_max_pool2d(t, (2, 3))),
        (lambda t: context.lp_pool(2, t, 2, 2), lambda t: F.lp_pool2d(t, 2, 2)),
        (lambda t: context.unfold(t, 2), lambda t: F.unfold(t, 2)),
        (lambda t: context.interpolate(t, 5, mode="bilinear"),
         lambda t: F.interpolate(t, 5, mode="bilinear")),
        (lambda t: context.call("kdl_f_pixel_shuffle", t, 2), lambda t: F.pixel_shuffle(t, 2)),
        (lambda t: context.call("kdl_channel_shuffle", t, 2),
         lambda t: torch.channel_shuffle(t, 2)),
        (lambda t: context.call("kdl_f_local_response_norm", t, 3, 0.5, 0.75, 1.0),
         lambda t: F.local_response_norm(t, 3, 0.5)),
        (lambda t: context.call("kdl_f_cross_map_lrn2d", t, 3, 0.5, 0.75, 1.0),
         nn.CrossMapLRN2d(3, 0.5)),
        (lambda t: context.call("kdl_f_instance_norm", t, None, None, None, None, True, 0.1, 1e-5),
         F.instance_norm))
    weight = torch.randn(4, 2, 3, 3)
    pairs += tuple(
        ((lambda t, options=options: context.conv(2, t, context.tensor(weight), None, **options)),
         (lambda t, options=options: F.conv2d(t, weight, None, **options)))
        for options in ({"groups": 2}, {"groups": 2, "stride": 2, "padding": 1}))
    pairs += (((lambda t: context.conv_transpose(2, t, context.tensor(weight), None)),
               (lambda t: F.conv_transpose2d(t, weight))),)
    for ours, theirs in pairs:
        base = torch.randn(6, 5, 4, 2, requires_grad=True)
        mine = context.leaf(base)
        turned = mine.kdl_transpose(0, 3).kdl_transpose(1, 2)
        got, expected = ours(turned), theirs(base.transpose(0, 3).transpose(1, 2))
        assert_close(got.torch().contiguous(), expected.detach())
        weights = torch.randn(expected.shape)
        expected.backward(weights)
        context.backward(got, context.tensor(weights))
        assert_close(context.grad(mine), base.grad)
