# SPDX-License-Identifier: Apache-2.0
"""What chooses, orders, draws and arranges elements, beside torch's functions."""
import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from training import Training, assert_close, default_path, ints, load_training

DTYPES = (torch.float32, torch.float64)
ALL = (*DTYPES, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool)


@pytest.fixture(scope="module")
def library():
    return load_training(default_path(BUILD))


@pytest.fixture(params=(1, 3), ids=("1 thread", "3 threads"))
def context(library, request):
    return Training(library, request.param)


def sample(shape, dtype, strided=False):
    """Leaves with repeated values; strided: every second column of a transposed tensor."""
    if strided and len(shape) > 1:
        whole = torch.randint(-4, 5, (*shape[:-2], shape[-1] * 2, shape[-2])).to(dtype)
        value = whole.transpose(-1, -2)[..., ::2]
    else:
        value = torch.randint(-4, 5, shape).to(dtype)
    value = value.detach()
    return value.requires_grad_() if dtype.is_floating_point else value


def compare(context, ours, theirs, inputs, *what):
    """The same values and, where there are any, gradients of weighted sums."""
    mine = [context.leaf(value) for value in inputs]
    result, expected = ours(*mine), theirs(*inputs)
    if not expected.dtype.is_floating_point:
        assert torch.equal(result.torch(), expected), what
        return
    assert_close(result.torch().contiguous(), expected.detach(), *what)
    leaves = [(m, t) for m, t in zip(mine, inputs) if t.requires_grad]
    assert context.call("kdl_tensor_requires_grad", result) == bool(leaves), what
    if not leaves:
        return
    if expected.dtype in DTYPES:  # others go through f32, and back
        name = context.call("kdl_tensor_grad_fn", result).decode()
        assert name == type(expected.grad_fn).__name__, what
    weights = torch.rand(expected.shape, dtype=torch.float64).to(expected.dtype)
    grads = torch.autograd.grad(expected, [t for _, t in leaves], weights)
    context.backward(result, context.tensor(weights))
    for (leaf, _), grad in zip(leaves, grads):
        assert_close(context.grad(leaf), grad, *what)


# ---- order -----------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_sort(context, dtype):
    torch.manual_seed(1)
    for shape in ((), (0,), (1,), (9,), (4, 33), (3, 0, 2), (2, 5, 7)):
        for strided in (False, True):
            for dim in range(-max(len(shape), 1), max(len(shape), 1)):
                for descending in (False, True):
                    x = sample(shape, dtype, strided)
                    found = []

                    def ours(a):
                        values, where = context.ordered("kdl_sort", a, dim, descending)
                        found.append(where)
                        return values

                    expected = torch.sort(x, dim=dim, descending=descending, stable=True)
                    compare(context, ours, lambda a: torch.sort(
                        a, dim=dim, descending=descending, stable=True).values, [x],
                        shape, dim, descending)
                    assert torch.equal(found[0], expected.indices)
                    assert torch.equal(context.call("kdl_argsort", context.tensor(x.detach()), dim,
                                                    descending).torch(), expected.indices)


def test_sort_special(context):
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([0.0, nan, -inf, -0.0, inf, 5e-324, -5e-324, nan, 1e308, -1.0],
                     dtype=torch.float64)
    large = torch.tensor([2**63 - 1, -2**63, 2**62 + 1, 2**62, 0])
    for value in (x, large):
        for descending in (False, True):
            values, where = context.ordered("kdl_sort", context.tensor(value), 0, descending)
            expected = torch.sort(value, descending=descending, stable=True)
            assert torch.equal(where, expected.indices)
            assert str(values.torch()) == str(expected.values)


@pytest.mark.parametrize("dtype", ALL[:-1], ids=str)
def test_topk(context, dtype):
    torch.manual_seed(2)
    for shape in ((), (1,), (40,), (4, 33), (2, 5, 7)):
        for dim in range(-max(len(shape), 1), max(len(shape), 1)):
            size = shape[dim] if shape else 1
            for k in sorted({0, 1, size // 2, size}):
                for largest in (False, True):
                    x = sample(shape, dtype)
                    if dtype.is_floating_point and x.numel():  # no ties: PyTorch leaves them open
                        x = torch.randperm(x.numel()).reshape(shape).to(dtype).requires_grad_()
                    compare(context, lambda a: context.ordered("kdl_topk", a, k, dim, largest)[0],
                            lambda a: torch.topk(a, k, dim, largest).values, [x], shape, dim, k)


# ---- draws -----------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", (*DTYPES, torch.float16, torch.bfloat16), ids=str)
def test_multinomial(context, dtype):
    for seed, shape in enumerate(((1,), (7,), (1000,), (65536,), (3, 20), (40, 5), (5, 4097))):
        torch.manual_seed(seed)
        weights = torch.rand(shape).to(dtype)
        weights[..., ::3] = 0
        weights[..., -1] = 0.5
        few = int((weights > 0).sum(-1).min())
        cases = [(1, False), (1, True), (min(few, 3), False), (2, True), (100, True)]
        if dtype in DTYPES and few < 1000:  # others have equal quotients, whose order is open
            cases.append((few, False))
        for samples, replacement in cases:
            torch.manual_seed(seed)
            expected = torch.multinomial(weights, samples, replacement)
            after = torch.rand(3)
            context.default_generator().manual_seed(seed)
            ours = context.call("kdl_multinomial_with", context.tensor(weights), samples,
                                replacement, None)
            assert torch.equal(ours.torch(), expected), (shape, samples, replacement)
            assert torch.equal(context.call("kdl_rand_with", context, [3], None).torch(), after)


def test_multinomial_refusals(context):
    nan = float("nan")
    for weights, samples, replacement in (
            ([1.0, 2.0], 0, True), ([1.0, 2.0], 3, False), ([1.0, -2.0], 1, False),
            ([1.0, nan], 1, False), ([0.0, 0.0], 1, True), ([0.0, 0.0], 2, True),
            ([[0.5, 0.5], [0.0, 0.0]], 1, False)):
        x = torch.tensor(weights)
        with pytest.raises(RuntimeError) as expected:
            torch.multinomial(x, samples, replacement)
        with pytest.raises(KindlingError) as got:
            context.call("kdl_multinomial_with", context.tensor(x), samples, replacement, None)
        assert str(got.value) == str(expected.value), (weights, samples)


# ---- places ----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ("scatter", "scatter_add"))
@pytest.mark.parametrize("dtype", (*DTYPES, torch.bfloat16), ids=str)
def test_scatter(context, name, dtype):
    torch.manual_seed(3)
    for shape, part in (((), ()), ((6,), (4,)), ((4, 5), (4, 5)), ((4, 5), (2, 3)),
                        ((3, 4, 5), (3, 0, 5)), ((3, 4, 5), (2, 4, 3))):
        for strided in (False, True):
            for dim in range(-max(len(shape), 1), max(len(shape), 1)):
                x, source = sample(shape, dtype, strided), sample(part, dtype, strided)
                size = shape[dim] if shape else 1
                index = torch.randint(0, size, part)
                if name == "scatter" and part and part[dim] <= size:  # no place twice
                    index = torch.rand(part).argsort(dim) % size
                given = context.tensor(index)
                compare(context, lambda a, b: context.call(f"kdl_{name}", a, dim, given, b),
                        lambda a, b: getattr(torch, name)(a, dim, index, b), [x, source],
                        shape, part, dim)


def test_scatter_integers(context):
    x, index = torch.zeros(3, 4, dtype=torch.int64), torch.tensor([[1], [0], [3]])
    source = torch.tensor([[7, 0], [8, 0], [9, 0]])
    ours = context.call("kdl_scatter", context.tensor(x), 1, context.tensor(index),
                        context.tensor(source))
    assert torch.equal(ours.torch(), x.scatter(1, index, source))


@pytest.mark.parametrize("dtype", (*DTYPES, torch.bfloat16), ids=str)
def test_index_add(context, dtype):
    torch.manual_seed(4)
    for shape in ((5,), (4, 3), (2, 3, 4)):
        for dim in range(-len(shape), len(shape)):
            for count in (0, 1, 7):
                sizes = list(shape)
                sizes[dim] = count
                x, source = sample(shape, dtype), sample(sizes, dtype)
                index = torch.randint(0, shape[dim], (count,))
                for alpha in (1, -0.5):
                    compare(context, lambda a, b: context.call(
                        "kdl_index_add", a, dim, context.tensor(index), b, alpha),
                        lambda a, b: torch.index_add(a, dim, index, b, alpha=alpha),
                        [x, source], shape, dim, count)


@pytest.mark.parametrize("ours,theirs", (
    (lambda c, x: c.call("kdl_scatter", x, 0, c.tensor(torch.tensor([[3]])), x),
     lambda x: x.scatter(0, torch.tensor([[3]]), x)),
    (lambda c, x: c.call("kdl_scatter_add", x, 0, c.tensor(torch.tensor([0])), x),
     lambda x: x.scatter_add(0, torch.tensor([0]), x)),
    (lambda c, x: c.call("kdl_topk", x, 5, 1, True, None), lambda x: x.topk(5, 1)),
    (lambda c, x: c.call("kdl_topk", x, -1, 1, True, None), lambda x: x.topk(-1, 1)),
    (lambda c, x: c.call("kdl_sort", x, 2, True, None), lambda x: x.sort(2)),
    (lambda c, x: c.call("kdl_flip", x, 2, ints([1, -1])), lambda x: x.flip(1, -1)),
    (lambda c, x: c.call("kdl_tril", c.tensor(torch.ones(3)), 0), lambda x: torch.ones(3).tril()),
    (lambda c, x: c.call("kdl_sum_dims", x, 2, ints([0, 0]), False), lambda x: x.sum((0, 0))),
    (lambda c, x: c.tensor(torch.ones(0)).kdl_max(), lambda x: torch.ones(0).max()),
    (lambda c, x: c.call("kdl_bmm", x, x), lambda x: x.bmm(x)),
    (lambda c, x: c.call("kdl_addmm", c.tensor(torch.ones(4).double()), x,
                         c.tensor(torch.ones(4, 4)), 1, 1),
     lambda x: torch.ones(4).double().addmm(x, torch.ones(4, 4))),
    (lambda c, x: c.call("kdl_addmm", x, c.tensor(torch.ones(3)), x, 1, 1),
     lambda x: x.addmm(torch.ones(3), x)),
))
def test_refusals(context, ours, theirs):
    x = torch.ones(3, 4)
    with pytest.raises((RuntimeError, IndexError)) as expected:
        theirs(x)
    with pytest.raises(KindlingError) as got:
        ours(context, context.tensor(x))
    assert str(got.value) == str(expected.value)


# ---- arrangement -----------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_arrangement(context, dtype):
    torch.manual_seed(5)
    for shape in ((4,), (3, 5), (2, 3, 4), (0, 3)):
        for strided in (False, True):
            x = sample(shape, dtype, strided)
            for dims in ((), (0,), (-1,), tuple(range(len(shape)))):
                compare(context, lambda a: context.call("kdl_flip", a, len(dims), ints(dims)),
                        lambda a: a.flip(dims), [x], shape, dims)
            for shift in (-7, 0, 1, 3, 40):
                compare(context, lambda a: context.call("kdl_roll", a, shift, -1),
                        lambda a: a.roll(shift, -1), [x], shape, shift)
            for repeats in ((2,), (1, 3), (2, 0), (2, 1, 3, 2)):
                compare(context, lambda a: context.call("kdl_tile", a, list(repeats)),
                        lambda a: a.tile(repeats), [x], shape, repeats)
            for diagonal in (-2, 0, 1, 9):
                for name in ("tril", "triu") if len(shape) > 1 else ():
                    compare(context, lambda a: context.call(f"kdl_{name}", a, diagonal),
                            lambda a: getattr(a, name)(diagonal), [x], shape, name, diagonal)


def test_unbind(context):
    torch.manual_seed(6)
    for dim in (0, 1, -1):
        x = sample((3, 4), torch.float64)
        mine, theirs = context.leaf(x), x.unbind(dim)
        ours = context.parts("kdl_unbind", mine, dim)
        assert [tuple(part.shape) for part in ours] == [tuple(part.shape) for part in theirs]
        theirs[-1].exp().sum().backward()
        context.backward(ours[-1].kdl_exp().kdl_sum())
        assert_close(context.grad(mine), x.grad, dim)


# ---- products and reductions --------------------------------------------------------------------

@pytest.mark.parametrize("dtype", (*DTYPES, torch.bfloat16), ids=str)
def test_products(context, dtype):
    torch.manual_seed(7)
    for n, i, k, j in ((1, 1, 1, 1), (3, 4, 5, 6), (2, 7, 0, 3), (5, 33, 17, 9)):
        a, b = sample((n, i, k), dtype), sample((n, k, j), dtype)
        compare(context, lambda a, b: context.call("kdl_bmm", a, b), torch.bmm, [a, b], n, i, k, j)
        for size in ((i, j), (j,), (1, j), (i, 1), ()):
            for beta, alpha in ((1, 1), (0.5, -2), (1, 0)):
                parts = [sample(size, dtype), sample((i, k), dtype), sample((k, j), dtype)]
                mine = [context.leaf(part) for part in parts]
                result = context.call("kdl_addmm", *mine, beta, alpha)
                expected = torch.addmm(*parts, beta=beta, alpha=alpha)
                assert_close(result.torch(), expected.detach(), i, k, j, beta, alpha)
                expected.sum().backward()
                context.backward(result.kdl_sum())
                for ours, theirs in zip(mine, parts):
                    assert_close(context.grad(ours), theirs.grad, i, k, j, beta, alpha)
    nothing = torch.full((2, 2), float("nan"))
    ours = context.call("kdl_addmm", context.tensor(nothing), *[context.tensor(torch.eye(2))] * 2,
                        0, 1)
    assert torch.equal(ours.torch(), torch.eye(2))


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_reductions(context, dtype):
    torch.manual_seed(8)
    for shape in ((), (1,), (7,), (3, 5), (2, 3, 4), (3, 0)):
        for strided in (False, True):
            x = sample(shape, dtype, strided)
            floating = dtype.is_floating_point
            for name in ("any", "all", "sum") + (("mean", "prod") if floating else ()):
                compare(context, lambda a: context.call(f"kdl_{name}", a),
                        lambda a: getattr(torch, name)(a), [x], shape, name)
            for dims in ((), (0,), (-1,), tuple(range(len(shape)))):
                for keep in (False, True):
                    for name in ("sum", "mean") if floating else ("sum",):
                        compare(context, lambda a: context.call(
                            f"kdl_{name}_dims", a, len(dims), ints(dims), keep),
                            lambda a: getattr(a, name)(dims, keepdim=keep), [x], shape, dims)
            if not floating or x.numel() == 0:
                continue
            for name in ("max", "min"):
                mine, theirs = context.leaf(x), getattr(x, name)()
                ours = context.call(f"kdl_{name}", mine)
                assert torch.equal(ours.torch(), theirs.detach())
                context.backward(ours)
                assert_close(context.grad(mine), torch.autograd.grad(theirs, x)[0], shape, name)
            for correction in (0, 1) if x.numel() > 1 else ():
                for name in ("var", "std"):
                    mine, theirs = context.leaf(x), getattr(x, name)(correction=correction)
                    ours = context.call(f"kdl_{name}", mine, correction)
                    assert_close(ours.torch(), theirs.detach(), shape, name)
                    context.backward(ours)
                    assert_close(context.grad(mine), torch.autograd.grad(theirs, x)[0], shape, name)
