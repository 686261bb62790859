# SPDX-License-Identifier: Apache-2.0
"""Functions and their gradients beside PyTorch's; what backward refuses."""
import math

import pytest
import torch
import torch.nn.functional as F

from conftest import BUILD
from kindling import KindlingError
from training import HOOK, REDUCTIONS, Training, assert_close, compare, default_path, load_training

DTYPES = (torch.float32, torch.float64)
SHAPES = ((), (1,), (5,), (3, 4), (2, 1, 3), (0, 3), (7, 33, 5))


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def sample(shape, dtype, low=-3.0, high=3.0, strided=False):
    values = torch.rand(shape, dtype=dtype) * (high - low) + low
    if strided and len(shape) > 1:
        values = values.transpose(0, -1).contiguous().transpose(0, -1)
    return values.requires_grad_()


UNARY = {
    "neg": torch.neg, "exp": torch.exp, "expm1": torch.expm1, "log": torch.log,
    "log1p": torch.log1p, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal, "square": torch.square, "sin": torch.sin, "cos": torch.cos,
    "tan": torch.tan, "tanh": torch.tanh, "erf": torch.erf, "sigmoid": torch.sigmoid,
    "abs": torch.abs, "f_relu": F.relu, "f_relu6": F.relu6, "f_logsigmoid": F.logsigmoid,
    "exp2": torch.exp2, "log2": torch.log2, "log10": torch.log10, "sinh": torch.sinh,
    "cosh": torch.cosh, "atan": torch.atan, "asinh": torch.asinh, "erfc": torch.erfc,
    "sign": torch.sign, "floor": torch.floor, "ceil": torch.ceil, "round": torch.round,
    "trunc": torch.trunc, "asin": torch.asin, "acos": torch.acos, "atanh": torch.atanh,
    "acosh": torch.acosh, "f_silu": F.silu, "f_mish": F.mish, "f_softsign": F.softsign, "f_tanhshrink": F.tanhshrink,
    "f_hardsigmoid": F.hardsigmoid, "f_hardswish": F.hardswish, "f_selu": F.selu,
}
RANGES = {**dict.fromkeys(("log", "sqrt", "rsqrt", "reciprocal", "log1p", "log2", "log10"),
                          (0.05, 4.0)),
          **dict.fromkeys(("asin", "acos", "atanh"), (-0.9, 0.9)), "acosh": (1.1, 4.0)}
NUMBERS = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
    "rsub": torch.rsub, "rdiv": lambda x, a: a / x, "pow": torch.pow, "f_elu": F.elu,
    "f_celu": F.celu, "f_leaky_relu": F.leaky_relu, "f_softshrink": F.softshrink,
    "f_hardshrink": F.hardshrink,
}
PAIRS = {
    "clamp": torch.clamp, "f_hardtanh": F.hardtanh, "f_softplus": F.softplus,
    "f_threshold": F.threshold,
}
BINARY = {
    "add_tensor": torch.add, "sub_tensor": torch.sub, "mul_tensor": torch.mul,
    "div_tensor": torch.div, "maximum": torch.maximum, "minimum": torch.minimum,
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_unary(context, name, dtype):
    torch.manual_seed(1)
    low, high = RANGES.get(name, (-4.0, 4.0))
    for shape in SHAPES:
        for strided in (False, True):
            x = sample(shape, dtype, low, high, strided)
            compare(context, lambda a: context.call(f"kdl_{name}", a), UNARY[name], [x], shape)
    special = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 30.0, -30.0], dtype=dtype)
    ours = context.call(f"kdl_{name}", context.tensor(special)).torch()
    theirs = UNARY[name](special)
    assert torch.equal(ours.isnan(), theirs.isnan()), (name, ours, theirs)
    assert torch.equal(ours.isinf(), theirs.isinf()), (name, ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NUMBERS)
def test_number(context, name, dtype):
    torch.manual_seed(2)
    for number in (0.5, 2.0, 1.0, 3.0):
        for shape in SHAPES:
            x = sample(shape, dtype, 0.1 if name in ("pow", "rdiv") else -3.0)
            compare(context, lambda a: context.call(f"kdl_{name}", a, number),
                    lambda a: NUMBERS[name](a, number), [x], name, number, shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_numbers(context, name, dtype):
    torch.manual_seed(3)
    for a, b in ((0.5, 2.0), (1.0, 20.0), (0.25, 0.5)):
        for shape in SHAPES:
            compare(context, lambda x: context.call(f"kdl_{name}", x, a, b),
                    lambda x: PAIRS[name](x, a, b), [sample(shape, dtype)], name, a, b, shape)


@pytest.mark.parametrize("approximate", ("none", "tanh"))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gelu(context, dtype, approximate):
    torch.manual_seed(4)
    for shape in SHAPES:
        compare(context, lambda x: context.call("kdl_f_gelu", x, approximate.encode()),
                lambda x: F.gelu(x, approximate=approximate), [sample(shape, dtype)], shape)


BROADCASTS = (((), ()), ((3,), ()), ((), (2, 3)), ((4, 1), (3,)), ((2, 3), (2, 3)),
              ((5, 1, 3), (4, 1)), ((0, 3), (1, 3)), ((1,), (1, 1)), ((40, 50), (50,)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary(context, name, dtype):
    torch.manual_seed(5)
    for left, right in BROADCASTS:
        for wants in ((True, True), (True, False), (False, True)):
            a, b = sample(left, dtype), sample(right, dtype, 0.5)
            a, b = a.detach().requires_grad_(wants[0]), b.detach().requires_grad_(wants[1])
            compare(context, lambda x, y: context.call(f"kdl_{name}", x, y), BINARY[name], [a, b],
                    name, left, right)


def test_equal_extremes_share(context):
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    b = torch.tensor([1.0, 1.0, 4.0], requires_grad=True)
    for name in ("maximum", "minimum"):
        a.grad = b.grad = None
        compare(context, lambda x, y: context.call(f"kdl_{name}", x, y), BINARY[name], [a, b], name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_pow_tensor(context, dtype):
    torch.manual_seed(6)
    for left, right in BROADCASTS:
        a, b = sample(left, dtype, 0.2), sample(right, dtype, -2.0)
        compare(context, lambda x, y: context.call("kdl_pow_tensor", x, y), torch.pow, [a, b])
    zeros = torch.tensor([0.0, 0.0, 2.0], dtype=dtype, requires_grad=True)
    powers = torch.tensor([2.0, 0.0, 0.0], dtype=dtype, requires_grad=True)
    compare(context, lambda x, y: context.call("kdl_pow_tensor", x, y), torch.pow, [zeros, powers])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_where(context, dtype):
    torch.manual_seed(7)
    for left, right in BROADCASTS:
        mask = torch.rand(right) > 0.5
        compare(context, lambda x, y: context.call("kdl_where", context.tensor(mask), x, y),
                lambda x, y: torch.where(mask, x, y), [sample(left, dtype), sample(right, dtype)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reductions(context, dtype):
    torch.manual_seed(8)
    for shape in (*SHAPES, (100, 1001)):
        for name in ("sum", "mean"):
            compare(context, lambda x: context.call(f"kdl_{name}", x), getattr(torch, name),
                    [sample(shape, dtype, strided=True)], name, shape)
            for dim in range(-max(len(shape), 1), max(len(shape), 1)):
                for keepdim in (False, True):
                    compare(context, lambda x: context.call(f"kdl_{name}_dim", x, dim, keepdim),
                            lambda x: getattr(torch, name)(x, dim, keepdim),
                            [sample(shape, dtype)], name, shape, dim, keepdim)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ("max", "min"))
def test_extremes(context, name, dtype):
    torch.manual_seed(9)
    for shape in ((), (1,), (5,), (3, 4), (2, 1, 3), (7, 33, 5)):
        for dim in range(-max(len(shape), 1), max(len(shape), 1)):
            for keepdim in (False, True):
                x = sample(shape, dtype)
                compare(context,
                        lambda x: context.call(f"kdl_{name}_dim", x, dim, keepdim, None),
                        lambda x: getattr(torch, name)(x, dim, keepdim).values, [x], shape, dim)
                ours = context.call(f"kdl_arg{name}", context.tensor(x), dim, keepdim).torch()
                assert torch.equal(ours, getattr(torch, "arg" + name)(x, dim, keepdim))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
def test_softmax(context, name, dtype):
    torch.manual_seed(10)
    for shape in ((), (1,), (5,), (3, 4), (2, 1, 3), (7, 33, 5), (4, 1000)):
        for dim in range(-max(len(shape), 1), max(len(shape), 1)):
            compare(context, lambda x: context.call(f"kdl_f_{name}", x, dim),
                    lambda x: getattr(F, name)(x, dim), [sample(shape, dtype, -20, 20)], shape, dim)


MATRICES = (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((1, 1), (1, 1)),
            ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)),
            ((2, 1, 2, 3), (5, 3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((65, 130), (130, 70)),
            ((4, 2, 3), (3,)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_matmul(context, dtype):
    torch.manual_seed(11)
    for left, right in MATRICES:
        for strided in (False, True):
            a, b = sample(left, dtype, strided=strided), sample(right, dtype, strided=strided)
            compare(context, lambda x, y: context.call("kdl_matmul", x, y), torch.matmul, [a, b],
                    left, right, strided)
    for left, right in (((2, 3), (4, 5)), ((), (2,)), ((2, 2, 3), (3, 3, 4))):
        with pytest.raises(KindlingError):
            context.call("kdl_matmul", context.tensor(torch.ones(left)),
                         context.tensor(torch.ones(right)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_linear(context, dtype):
    torch.manual_seed(12)
    for batch in ((), (1,), (7,), (2, 3), (0,)):
        for inputs, outputs in ((3, 4), (1, 1), (64, 33)):
            x, w, b = (sample(shape, dtype) for shape in ((*batch, inputs), (outputs, inputs),
                                                          (outputs,)))
            compare(context, lambda *t: context.call("kdl_f_linear", *t), F.linear, [x, w, b])
            x.grad = w.grad = None
            compare(context, lambda *t: context.call("kdl_f_linear", *t, None), F.linear, [x, w])


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_half_sums(context, dtype):
    """Gradients of f16 and bf16 that come together at leaves, functions, views and broadcasts."""
    torch.manual_seed(30)
    x = torch.randn(301, 5).to(dtype).requires_grad_()
    row = torch.randn(1, 5).to(dtype).requires_grad_()
    compare(context, lambda a: a.kdl_exp().kdl_add_tensor(a.kdl_tanh()).kdl_add_tensor(a),
            lambda a: a.exp() + a.tanh() + a, [x])
    for leaf in (x, row):
        leaf.grad = None

    def ours(a, b):
        y = a.kdl_tanh()
        parts = [y.kdl_narrow(0, start, 100) for start in (0, 50, 201)]
        wide = b.kdl_expand([100, 5])
        return parts[0].kdl_mul_tensor(parts[1]).kdl_add_tensor(
            parts[2].kdl_mul_tensor(wide)).kdl_add_tensor(wide)

    def theirs(a, b):
        y = a.tanh()
        parts = [y.narrow(0, start, 100) for start in (0, 50, 201)]
        wide = b.expand(100, 5)
        return parts[0] * parts[1] + parts[2] * wide + wide

    compare(context, ours, theirs, [x, row])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_views(context, dtype):
    """Gradients through views, which the core makes."""
    torch.manual_seed(13)
    calls = (
        (lambda x: x.kdl_transpose(0, 1), lambda x: x.transpose(0, 1)),
        (lambda x: x.view(("permute", (2, 0, 1))), lambda x: x.permute(2, 0, 1)),
        (lambda x: x.kdl_narrow(1, 1, 2), lambda x: x.narrow(1, 1, 2)),
        (lambda x: x.kdl_select(0, -1), lambda x: x.select(0, -1)),
        (lambda x: x.kdl_slice(2, 0, 2**63 - 1, 2), lambda x: x[:, :, ::2]),
        (lambda x: x.kdl_unsqueeze(1), lambda x: x.unsqueeze(1)),
        (lambda x: x.kdl_reshape([8, -1]), lambda x: x.reshape(8, -1)),
        (lambda x: x.kdl_transpose(0, 2).kdl_reshape([-1]),
         lambda x: x.transpose(0, 2).reshape(-1)),
        (lambda x: x.kdl_unsqueeze(0).kdl_expand([3, 2, 4, 5]),
         lambda x: x.unsqueeze(0).expand(3, 2, 4, 5)),
        (lambda x: x.kdl_flatten(0, 1), lambda x: x.flatten(0, 1)),
        (lambda x: x.kdl_clone(), lambda x: x.clone()),
        (lambda x: x.kdl_to(0), lambda x: x.to(torch.float32)),
        (lambda x: x.kdl_select(1, 2).kdl_t(), lambda x: x.select(1, 2).t()),
    )
    for ours, theirs in calls:
        compare(context, ours, theirs, [sample((2, 4, 5), dtype)])


@pytest.mark.parametrize("name", ("cat", "stack"))
def test_cat(context, name):
    torch.manual_seed(14)
    for dim in (0, 1, -1):
        inputs = [sample((2, 3), torch.float64) for _ in range(3)]
        compare(context, lambda *t: context.many(f"kdl_{name}", t, dim),
                lambda *t: getattr(torch, name)(t, dim), inputs)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses(context, reduction, dtype):
    torch.manual_seed(16)
    number = REDUCTIONS.index(reduction)
    for shape in SHAPES:
        for name in ("mse_loss", "l1_loss"):
            compare(context, lambda a, b: context.call(f"kdl_f_{name}", a, b, number),
                    lambda a, b: getattr(F, name)(a, b, reduction=reduction),
                    [sample(shape, dtype), sample(shape, dtype)], name, shape)
    for rows, classes in ((1, 1), (4, 3), (100, 10)):
        labels = torch.randint(0, classes, (rows,))
        labels[rows // 2] = -100
        for name in ("cross_entropy", "nll_loss"):
            compare(context,
                    lambda x: context.class_loss(name, x, context.tensor(labels),
                                                 reduction=reduction),
                    lambda x: getattr(F, name)(x, labels, reduction=reduction),
                    [sample((rows, classes), dtype)], name, rows, classes)


@pytest.mark.parametrize("dtype", (*DTYPES, torch.bfloat16), ids=str)
def test_dropout(context, dtype):
    """PyTorch's own bits."""
    for seed in (0, 5):
        for shape in ((7,), (3, 40), (1000,)):
            for p in (0.0, 0.1, 0.5, 1.0):
                x = torch.ones(shape, dtype=dtype)
                torch.manual_seed(seed)
                context.default_generator().manual_seed(seed)
                ours = context.call("kdl_f_dropout", context.tensor(x), p, True)
                assert torch.equal(ours.torch(), F.dropout(x, p))


# ---- indices, masks, comparisons ---------------------------------------------------------------

@pytest.mark.parametrize("dtype", (*DTYPES, torch.bfloat16), ids=str)
def test_indices(context, dtype):
    torch.manual_seed(21)
    for shape in ((5,), (3, 4), (2, 3, 4)):
        for strided in (False, True):
            x = sample(shape, dtype, strided=strided)
            for dim in range(-1, len(shape)):
                index = torch.randint(0, shape[dim], (6,))
                compare(context, lambda a: context.call("kdl_index_select", a, dim,
                                                        context.tensor(index)),
                        lambda a: a.index_select(dim, index), [x], shape, dim)
                x.grad = None
                sizes = list(shape)
                sizes[dim] = 7
                index = torch.randint(0, shape[dim], sizes)
                compare(context, lambda a: context.call("kdl_gather", a, dim,
                                                        context.tensor(index)),
                        lambda a: a.gather(dim, index), [x], shape, dim)
                x.grad = None
            for mask in (torch.rand(shape) < 0.5, torch.rand(shape[-1:]) < 0.5,
                         torch.zeros(shape, dtype=torch.bool)):
                given = context.tensor(mask)
                compare(context, lambda a: a.kdl_masked_select(given),
                        lambda a: a.masked_select(mask), [x], shape)
                x.grad = None
                compare(context, lambda a: a.kdl_masked_fill(given, -2.5),
                        lambda a: a.masked_fill(mask, -2.5), [x], shape)
                x.grad = None


def test_parts(context):
    torch.manual_seed(22)
    for size, dim in ((2, 0), (3, 1), (5, 1), (1, -1)):
        for name in ("split", "chunk"):
            x = sample((4, 7), torch.float64)
            mine, theirs = context.leaf(x), getattr(x, name)(size, dim)
            ours = context.parts(f"kdl_{name}", mine, size, dim)
            assert [tuple(p.shape) for p in ours] == [tuple(p.shape) for p in theirs]
            last = theirs[-1].exp().sum()
            last.backward()
            context.backward(ours[-1].kdl_exp().kdl_sum())
            assert_close(context.grad(mine), x.grad, name, size, dim)


@pytest.mark.parametrize("name", ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or",
                                  "logical_xor"))
def test_comparisons(context, name):
    torch.manual_seed(23)
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8)
    full = name if name.startswith("logical") else f"{name}_tensor"
    for first in dtypes:
        for second in dtypes:
            a = torch.randint(0, 3, (4, 5)).to(first)
            b = torch.randint(0, 3, (5,)).to(second)
            ours = context.call(f"kdl_{full}", context.tensor(a), context.tensor(b)).torch()
            assert torch.equal(ours, getattr(torch, name)(a, b)), (first, second)


def test_one_hot(context):
    for shape in ((), (4,), (2, 3)):
        labels = torch.randint(0, 5, shape)
        for classes in (-1, 5, 9):
            ours = context.call("kdl_f_one_hot", context.tensor(labels), classes).torch()
            assert torch.equal(ours, F.one_hot(labels, classes))


@pytest.mark.parametrize("ours,theirs", (
    (lambda c, x: x.kdl_gather(0, c.tensor(torch.tensor([[0, 9]]))),
     lambda x: x.gather(0, torch.tensor([[0, 9]]))),
    (lambda c, x: x.kdl_gather(0, c.tensor(torch.tensor([0]))),
     lambda x: x.gather(0, torch.tensor([0]))),
    (lambda c, x: x.kdl_gather(0, c.tensor(torch.zeros(1, 9, dtype=torch.int64))),
     lambda x: x.gather(0, torch.zeros(1, 9, dtype=torch.int64))),
    (lambda c, x: c.call("kdl_f_one_hot", c.tensor(torch.tensor([3])), 2),
     lambda x: F.one_hot(torch.tensor([3]), 2)),
    (lambda c, x: c.call("kdl_f_one_hot", c.tensor(torch.tensor([-3])), 2),
     lambda x: F.one_hot(torch.tensor([-3]), 2)),
    (lambda c, x: c.parts("kdl_chunk", x, 0, 0), lambda x: x.chunk(0, 0)),
))
def test_index_refusals(context, ours, theirs):
    x = torch.ones(3, 4)
    with pytest.raises((RuntimeError, IndexError)) as expected:
        theirs(x)
    with pytest.raises(KindlingError) as got:
        ours(context, context.tensor(x))
    assert str(got.value) == str(expected.value)


# ---- the graph -------------------------------------------------------------------------------

def test_accumulates_and_retains(context):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    ours = context.leaf(x)
    y, mine = (x * x).sum(), ours.kdl_mul_tensor(ours).kdl_sum()
    for retain in (True, True, False):
        y.backward(retain_graph=retain)
        context.backward(mine, retain_graph=retain)
        assert torch.equal(context.grad(ours), x.grad)
    with pytest.raises(RuntimeError) as expected:
        y.backward()
    with pytest.raises(KindlingError) as got:
        context.backward(mine)
    assert str(got.value) == str(expected.value)


def test_refusals(context):
    ones = context.tensor(torch.ones(2))
    leaf = context.leaf(torch.ones(2, requires_grad=True))
    theirs = torch.ones(2, requires_grad=True)
    pairs = (
        (lambda: context.backward(ones), lambda: torch.ones(2).backward()),
        (lambda: context.backward(leaf.kdl_mul(2)), lambda: (theirs * 2).backward()),
        (lambda: context.backward(leaf.kdl_mul(2), context.tensor(torch.ones(3))),
         lambda: (theirs * 2).backward(torch.ones(3))),
        (lambda: leaf.kdl_mul_(2), lambda: theirs.mul_(2)),
        (lambda: leaf.kdl_zero_(), lambda: theirs.zero_()),
        (lambda: ones.kdl_retain_grad(), lambda: torch.ones(2).retain_grad()),
    )
    for ours, other in pairs:
        with pytest.raises(RuntimeError) as expected:
            other()
        with pytest.raises(KindlingError) as got:
            ours()
        assert (got.value.status, str(got.value)) == ("RuntimeError", str(expected.value))


def test_overwritten_values(context):
    theirs = torch.ones(2, 3, requires_grad=True).exp()
    with torch.no_grad():
        theirs.mul_(2)
    ours = context.leaf(torch.ones(2, 3, requires_grad=True)).kdl_exp()
    was = context.call("kdl_set_grad_enabled", context, False)
    ours.kdl_mul_(2)
    context.call("kdl_set_grad_enabled", context, was)
    with pytest.raises(RuntimeError) as expected:
        theirs.sum().backward()
    with pytest.raises(KindlingError) as got:
        context.backward(ours.kdl_sum())
    assert str(got.value) == str(expected.value)


def test_no_grad_and_detach(context):
    leaf = context.leaf(torch.ones(2, requires_grad=True))
    was = context.call("kdl_set_grad_enabled", context, False)
    assert not leaf.kdl_mul(2).kdl_tensor_requires_grad()
    context.call("kdl_set_grad_enabled", context, was)
    assert leaf.kdl_mul(2).kdl_tensor_requires_grad()
    assert not leaf.kdl_mul(2).kdl_detach().kdl_tensor_requires_grad()
    assert leaf.kdl_tensor_is_leaf() and not leaf.kdl_mul(2).kdl_tensor_is_leaf()
    assert leaf.kdl_mul_tensor(leaf).kdl_tensor_grad_fn() == b"MulBackward0"


def test_hooks(context):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    ours, seen = context.leaf(x), []
    y, mine = x * 3, ours.kdl_mul(3)
    keep = []

    def double(grad, _):
        seen.append(grad)
        result = context.library.kdl_mul(grad, 2.0)
        return result

    hook = HOOK(double)
    for tensor in (ours, mine):
        context.call("kdl_tensor_register_hook", tensor, hook, None)
    removed = context.call("kdl_tensor_register_hook", mine, hook, None)
    context.call("kdl_tensor_remove_hook", mine, removed)
    x.register_hook(lambda grad: grad * 2)
    y.register_hook(lambda grad: grad * 2)
    y.retain_grad()
    mine.kdl_retain_grad()
    keep.append(hook)
    y.sum().backward()
    context.backward(mine.kdl_sum())
    assert len(seen) == 2
    assert torch.equal(context.grad(ours), x.grad)
    assert torch.equal(context.grad(mine), y.grad)


def test_deep_graph(context):
    """Neither the pass nor the freeing recurses."""
    leaf = context.leaf(torch.ones(1, requires_grad=True))
    value = leaf
    for _ in range(50000):
        value = value.kdl_add(0.0)
    context.backward(value)
    assert context.grad(leaf).item() == 1
    for _ in range(50000):
        value = value.kdl_add(0.0)
    del value
