# SPDX-License-Identifier: Apache-2.0
"""Convolutions, pooling and normalisations, and their gradients, beside PyTorch's."""
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import BUILD
from kindling import KindlingError
from test_autograd import DTYPES, compare, sample
from training import Training, assert_close, default_path, load_training

SIZES = {1: (11,), 2: (7, 8), 3: (6, 5, 7)}
CONVS = ({}, {"stride": 2}, {"padding": 1}, {"dilation": 2}, {"groups": 2}, {"padding": "same"},
         {"padding": "valid"}, {"stride": 2, "padding": 2, "dilation": 2, "groups": 2},
         {"padding": "same", "dilation": 2, "groups": 4})
POOLS = ({}, {"stride": 1}, {"padding": 1}, {"stride": 2, "padding": 1}, {"ceil_mode": True},
         {"ceil_mode": True, "stride": 2, "padding": 1})


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", CONVS, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_conv(context, count, options, dtype):
    torch.manual_seed(1)
    groups = options.get("groups", 1)
    for batch in ((3,), ()):
        for kernel in ((1,) * count, (3,) * count, (2, 3, 1)[:count]):
            x = sample((*batch, 4, *SIZES[count]), dtype)
            weight, bias = sample((8, 4 // groups, *kernel), dtype), sample((8,), dtype)
            theirs = getattr(F, f"conv{count}d")
            compare(context, lambda *t: context.conv(count, *t, **options),
                    lambda *t: theirs(*t, **options), [x, weight, bias], kernel, batch)
            x.grad = weight.grad = None
            compare(context, lambda *t: context.conv(count, *t, None, **options),
                    lambda *t: theirs(*t, **options), [x, weight], kernel, batch)


def test_conv_refusals(context):
    ones = lambda *shape: context.tensor(torch.ones(shape))  # noqa: E731
    for arguments in ((ones(1, 3, 5, 5), ones(2, 4, 3, 3)), (ones(1, 3, 2, 2), ones(2, 3, 3, 3)),
                      (ones(3, 5), ones(2, 3, 3, 3))):
        with pytest.raises(KindlingError):
            context.conv(2, *arguments, None)
    assert context.conv(2, ones(1, 3, 5, 5), ones(2, 3, 3, 3), None).shape == [1, 2, 3, 3]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", POOLS, ids=str)
@pytest.mark.parametrize("count", (1, 2, 3))
def test_pool(context, count, options, dtype):
    torch.manual_seed(2)
    for batch in ((2,), ()):
        for kernel in (2, 3, (3, 2, 4)[:count]):
            x = sample((*batch, 3, *SIZES[count]), dtype)
            for name in ("max", "avg"):
                x.grad = None
                compare(context, lambda t: context.pool(name, count, t, kernel, **options),
                        lambda t: getattr(F, f"{name}_pool{count}d")(t, kernel, **options), [x],
                        name, kernel, batch)
            x.grad = None
            further = {"count_include_pad": False}
            compare(context, lambda t: context.pool("avg", count, t, kernel, **options, **further),
                    lambda t: getattr(F, f"avg_pool{count}d")(t, kernel, **options, **further),
                    [x], kernel, batch)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_pool_options(context, dtype):
    torch.manual_seed(3)
    x = sample((2, 3, 9, 8), dtype)
    compare(context, lambda t: context.pool("max", 2, t, 2, dilation=2, stride=1),
            lambda t: F.max_pool2d(t, 2, dilation=2, stride=1), [x])
    x.grad = None
    compare(context, lambda t: context.pool("avg", 2, t, 2, divisor_override=3),
            lambda t: F.avg_pool2d(t, 2, divisor_override=3), [x])
    for size in ((1, 1), (3, 5), (9, 8), (2, 11)):
        x.grad = None
        compare(context, lambda t: context.call("kdl_f_adaptive_avg_pool", 2, t, list(size)),
                lambda t: F.adaptive_avg_pool2d(t, size), [x], size)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_norms(context, dtype):
    torch.manual_seed(4)
    for shape in ((4, 6), (2, 3, 6), (2, 4, 5, 6)):
        for last in range(1, len(shape)):
            sizes = shape[-last:]
            x, w, b = sample(shape, dtype), sample(sizes, dtype), sample(sizes, dtype)
            compare(context, lambda *t: context.call("kdl_f_layer_norm", t[0], list(sizes), *t[1:],
                                                     1e-5),
                    lambda *t: F.layer_norm(t[0], sizes, *t[1:]), [x, w, b], shape, last)
            x.grad = w.grad = None
            compare(context, lambda *t: context.call("kdl_f_rms_norm", t[0], list(sizes), t[1],
                                                     1e-5),
                    lambda *t: F.rms_norm(t[0], sizes, t[1], 1e-5), [x, w], shape, last)
    for groups in (1, 2, 6):
        for shape in ((3, 6), (2, 6, 5), (2, 6, 3, 4)):
            if len(shape) == 2 and groups == 6:
                continue  # one value a group: nothing but rounding
            x, w, b = sample(shape, dtype), sample((6,), dtype), sample((6,), dtype)
            compare(context, lambda *t: context.call("kdl_f_group_norm", t[0], groups, *t[1:],
                                                     1e-5),
                    lambda *t: F.group_norm(t[0], groups, *t[1:]), [x, w, b], shape, groups)


MODULES = (
    ("Conv1d(4, 6, 3, padding=1)", (2, 4, 9)), ("Conv2d(4, 6, (2, 3), groups=2)", (2, 4, 8, 9)),
    ("Conv3d(4, 2, 2, bias=False)", (1, 4, 4, 5, 6)),
    ("Conv1d(4, 6, 3, padding=2, padding_mode='reflect')", (2, 4, 9)),
    ("Conv2d(4, 6, (2, 3), padding='same', padding_mode='replicate')", (4, 8, 9)),
    ("Conv2d(4, 6, 3, padding='valid', padding_mode='circular')", (4, 8, 9)),
    ("Conv3d(4, 2, 2, padding=(1, 0, 2), padding_mode='circular')", (1, 4, 4, 5, 6)),
    ("ConvTranspose1d(4, 6, 3, stride=2, output_padding=1)", (2, 4, 9)),
    ("ConvTranspose2d(4, 6, (2, 3), groups=2, dilation=2)", (2, 4, 8, 9)),
    ("ConvTranspose3d(4, 2, 2, bias=False, padding=1)", (1, 4, 4, 5, 6)),
    ("AdaptiveMaxPool1d(4)", (2, 3, 9)), ("AdaptiveMaxPool2d((None, 3))", (2, 3, 9, 8)),
    ("AdaptiveMaxPool3d(2)", (2, 3, 4, 5)), ("ConstantPad1d((1, 2), 3.5)", (2, 3)),
    ("ConstantPad2d(1, -1)", (2, 3, 4)), ("ConstantPad3d(2, 0)", (2, 3, 4, 5)),
    ("ZeroPad1d(2)", (2, 3)), ("ZeroPad2d((1, -1, 2, 0))", (2, 3, 4)), ("ZeroPad3d(1)", (2, 3, 4)),
    ("ReflectionPad1d(2)", (2, 3)), ("ReflectionPad2d((1, 2, 0, 1))", (2, 3, 4)),
    ("ReflectionPad3d(1)", (2, 3, 4, 5)), ("ReplicationPad1d(4)", (2, 3)),
    ("ReplicationPad2d(3)", (1, 2, 3, 4)), ("ReplicationPad3d(2)", (2, 3, 4, 5)),
    ("CircularPad1d(2)", (2, 3)), ("CircularPad2d((1, 2, 3, 0))", (2, 3, 4)),
    ("CircularPad3d(1)", (2, 3, 4, 5)), ("LPPool1d(2, 3)", (2, 3, 9)),
    ("LPPool2d(2, (2, 3), stride=1)", (2, 9, 8)), ("LPPool3d(1.5, 2)", (1, 2, 4, 5, 6)),
    ("FractionalMaxPool2d(2, output_size=(3, 4))", (2, 3, 9, 8)),
    ("FractionalMaxPool3d(2, output_ratio=0.6)", (2, 3, 6, 7, 8)),
    ("InstanceNorm1d(3)", (2, 3, 4)), ("InstanceNorm1d(3, affine=True)", (3, 4)),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", (2, 3, 4, 5)),
    ("InstanceNorm3d(3, track_running_stats=True, momentum=None)", (3, 4, 5, 2)),
    ("LocalResponseNorm(3, alpha=0.5)", (2, 5, 4)), ("CrossMapLRN2d(4, k=2)", (2, 5, 4, 3)),
    ("PixelShuffle(2)", (2, 8, 2, 3)), ("PixelUnshuffle(2)", (2, 4, 6)),
    ("ChannelShuffle(3)", (2, 6, 4)), ("Unflatten(1, (2, -1))", (2, 6, 4)),
    ("Fold((4, 5), (2, 2))", (2, 8, 12)), ("Unfold(2, padding=1, stride=2)", (2, 3, 4, 5)),
    ("Upsample(scale_factor=2)", (2, 3, 4)), ("Upsample(size=7, mode='linear')", (2, 3, 4)),
    ("Upsample((5, 9), mode='bicubic', align_corners=True)", (2, 3, 4, 4)),
    ("Upsample(scale_factor=1.6, mode='bilinear', recompute_scale_factor=True)", (2, 3, 4, 4)),
    ("PReLU(3, init=0.3)", (2, 3, 4)), ("RReLU()", (2, 3, 4)), ("GLU(1)", (2, 6, 4)),
    ("Softmin(dim=-1)", (3, 4)), ("Softmax2d()", (3, 4, 5)), ("AlphaDropout(0.3)", (5, 6)),
    ("FeatureAlphaDropout(0.3)", (5, 6, 2)), ("Dropout1d()", (5, 6)), ("Dropout2d()", (2, 6, 3, 4)),
    ("Dropout3d(0.2)", (6, 2, 3, 4)), ("SyncBatchNorm(3)", (4, 3, 2)),
    ("UpsamplingNearest2d(scale_factor=3)", (2, 3, 4, 4)),
    ("UpsamplingBilinear2d(size=(3, 9))", (2, 3, 4, 4)), ("MaxPool1d(2)", (2, 3, 9)),
    ("MaxPool2d(3, 2, 1)", (2, 3, 9, 8)), ("MaxPool3d(2)", (1, 2, 4, 5, 6)),
    ("AvgPool1d(3)", (2, 3, 9)), ("AvgPool2d((2, 3), stride=1)", (2, 3, 9, 8)),
    ("AvgPool3d(2)", (1, 2, 4, 5, 6)), ("AdaptiveAvgPool2d((2, 3))", (2, 3, 9, 8)), ("AdaptiveAvgPool1d(4)", (3, 9)),
    ("LayerNorm((3, 4))", (2, 3, 4)), ("LayerNorm(4, bias=False)", (2, 3, 4)),
    ("RMSNorm(4)", (2, 3, 4)), ("GroupNorm(2, 4)", (2, 4, 5)), ("BatchNorm1d(4)", (6, 4)),
    ("BatchNorm1d(4)", (6, 4, 3)), ("BatchNorm2d(4)", (3, 4, 5, 6)),
    ("BatchNorm2d(4, momentum=None)", (3, 4, 5, 6)), ("BatchNorm3d(4)", (2, 4, 3, 4, 5)),
    ("BatchNorm2d(4, track_running_stats=False)", (3, 4, 5, 6)),
    ("BatchNorm2d(4, affine=False)", (3, 4, 5, 6)), ("ReLU()", (3, 4)), ("Flatten()", (2, 3, 4)),
)


@pytest.mark.parametrize("call,shape", MODULES, ids=str)
def test_modules(context, call, shape):
    """Forward and backward of modules, in training and in evaluation; their buffers go on alike."""
    torch.manual_seed(5)
    context.default_generator().manual_seed(5)
    ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn})  # noqa: S307
    for mode in (True, True, False):
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        x = torch.randn(shape, requires_grad=True)
        mine = context.leaf(x)
        context.default_generator().load_state(torch.get_rng_state().numpy().tobytes())
        got, expected = context.call("kdl_forward", ours, mine), theirs(x)
        assert context.default_generator().state() == torch.get_rng_state().numpy().tobytes()
        assert_close(got.torch().contiguous(), expected.detach(), call, mode)
        weights = torch.randn(expected.shape)
        expected.backward(weights)
        context.backward(got, context.tensor(weights))
        assert_close(context.grad(mine), x.grad, call, mode, "gradient")
        for (name, tensor), parameter in zip(ours.iterate("named_parameters"),
                                             theirs.parameters()):
            assert_close(context.grad(tensor), parameter.grad, call, mode, name)
        for (name, tensor), buffer in zip(ours.iterate("named_buffers"), theirs.buffers()):
            if buffer.is_floating_point():
                assert_close(tensor.torch(), buffer, call, mode, name)
            else:
                assert torch.equal(tensor.torch(), buffer), (call, mode, name)
