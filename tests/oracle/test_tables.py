# SPDX-License-Identifier: Apache-2.0
"""Embeddings, bags of them, bilinear forms, and their gradients, beside PyTorch's."""
import itertools

import pytest
import torch
import torch.nn.functional as F

from conftest import BUILD
from kindling import KindlingError
from test_autograd import DTYPES, compare, sample
from test_sequence import compare_function, twins
from training import Training, assert_close, default_path, load_training


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


# ---- embedding -------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", (*DTYPES, torch.bfloat16, torch.float16), ids=str)
def test_embedding(context, dtype):
    torch.manual_seed(15)
    for shape, padding, by_freq in itertools.product(((), (4,), (2, 3), (0,), (20,)),
                                                     (None, 0, -1), (False, True)):
        options = {"padding_idx": padding, "scale_grad_by_freq": by_freq}
        indices, weight = torch.randint(0, 6, shape), sample((6, 5), dtype)
        for kind in (torch.int64, torch.int32):
            weight.grad = None
            compare(context,
                    lambda w: context.embedding(context.tensor(indices.to(kind)), w, **options),
                    lambda w: F.embedding(indices.to(kind), w, **options), [weight], shape, options)
    weight = sample((5, 6), dtype).detach().t().requires_grad_()
    indices = torch.tensor([[0, 5], [5, 2]]).t()
    compare(context, lambda w: context.embedding(context.tensor(indices), w),
            lambda w: F.embedding(indices, w), [weight])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("norm_type", (1.0, 2.0, 3.5, float("inf")))
def test_max_norm(context, norm_type, dtype):
    """Only the rows that are asked for are shortened, in place, and the version tells."""
    torch.manual_seed(16)
    for strided in (False, True):
        weight = sample((7, 4), dtype, strided=strided).detach()
        ours, theirs = context.tensor(weight), weight.clone()
        indices = torch.tensor([0, 3, 3, 5])
        got = context.embedding(context.tensor(indices), ours, max_norm=1.5, norm_type=norm_type)
        expected = F.embedding(indices, theirs, max_norm=1.5, norm_type=norm_type)
        assert_close(got.torch(), expected, norm_type)
        assert_close(ours.torch(), theirs, norm_type)
        assert torch.equal(ours.torch()[[1, 2, 4, 6]], weight[[1, 2, 4, 6]])
        assert context.call("kdl_tensor_version", ours) > 0
    leaf = weight.clone().requires_grad_()
    mine = context.leaf(leaf)
    context.embedding(context.tensor(indices), mine, max_norm=0.5)  # under no_grad, as PyTorch
    assert context.call("kdl_tensor_is_leaf", mine)


def test_embedding_refusals(context):
    weight = context.tensor(torch.ones(6, 2))
    for indices, options, message in (
            ([6], {}, "index out of range in self"), ([-1], {}, "index out of range in self"),
            ([0.0], {}, "Expected tensor for argument #1 'indices' to have one of the following "
                        "scalar types: Long, Int; but got torch.FloatTensor instead"),
            ([0], {"padding_idx": 6}, "Padding_idx must be within num_embeddings"),
            ([0], {"padding_idx": -7}, "Padding_idx must be within num_embeddings")):
        with pytest.raises(KindlingError, match=message.replace("(", r"\(")):
            context.embedding(context.tensor(torch.tensor(indices)), weight, **options)
    with pytest.raises(KindlingError, match="'weight' must be 2-D"):
        context.embedding(context.tensor(torch.tensor([0])), context.tensor(torch.ones(3)))


# ---- bags ------------------------------------------------------------------------------------

BAGS = (([0, 4, 4, 2, 1, 4, 0], [0, 2, 2, 5]), ([1], [0]), ([3, 3, 3], [0, 3]),
        ([], [0, 0]), ([[0, 1, 2], [4, 4, 0]], None), ([[3], [3]], None))


def compare_bags(context, indices, weight, offsets, factors=None, **options):
    """Values and gradients of the table and, where there are some, of the factors."""
    indices = torch.tensor(indices, dtype=torch.int64)
    if offsets is not None:
        offsets = torch.tensor(offsets, dtype=torch.int64)
    inputs = [weight.detach().clone().requires_grad_()]
    if factors:
        inputs.append(torch.randn(indices.shape, dtype=weight.dtype, requires_grad=True))
    compare(context,
            lambda w, f=None: context.embedding_bag(
                context.tensor(indices), w, None if offsets is None else context.tensor(offsets),
                per_sample_weights=f, **options),
            lambda w, f=None: F.embedding_bag(indices, w, offsets, per_sample_weights=f, **options),
            inputs, indices, offsets, options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ("sum", "mean", "max"))
@pytest.mark.parametrize("indices,offsets", BAGS)
def test_bags(context, indices, offsets, mode, dtype):
    torch.manual_seed(17)
    for width in (1, 3, 40):
        weight = sample((5, width), dtype)
        for padding in (None, 4, -5):
            compare_bags(context, indices, weight, offsets, mode=mode, padding_idx=padding)
            if mode == "sum":
                compare_bags(context, indices, weight, offsets, True, mode=mode,
                             padding_idx=padding)
            if mode != "max":
                compare_bags(context, indices, weight, offsets, mode=mode, padding_idx=padding,
                             scale_grad_by_freq=True)
        if offsets is not None:
            compare_bags(context, indices, weight, [*offsets, len(indices)], mode=mode,
                         include_last_offset=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ("sum", "mean"))
def test_sparse_bags(context, mode, dtype):
    """The gradients' rows are PyTorch's, one for each index that is no padding."""
    torch.manual_seed(19)
    indices, offsets = torch.tensor([0, 4, 4, 2, 1, 4, 0]), torch.tensor([0, 2, 2, 5])
    for padding, weighted in ((None, False), (4, False), (0, mode == "sum")):
        weight = sample((5, 3), dtype).detach().requires_grad_()
        factors = torch.randn(7, dtype=dtype, requires_grad=True) if weighted else None
        ours, mine = context.leaf(weight), context.leaf(factors) if weighted else None
        theirs = F.embedding_bag(indices, weight, offsets, mode=mode, padding_idx=padding,
                                 per_sample_weights=factors, sparse=True)
        got = context.embedding_bag(context.tensor(indices), ours, context.tensor(offsets),
                                    mode=mode, padding_idx=padding, per_sample_weights=mine,
                                    sparse=True)
        weights = torch.randn_like(theirs)
        theirs.backward(weights)
        context.backward(got, context.tensor(weights))
        rows, values = context.sparse_grad(ours)
        table = torch.zeros_like(weight).index_add_(0, rows, values)
        assert_close(table, weight.grad.to_dense())
        assert torch.equal(rows.sort().values, weight.grad._indices()[0].sort().values)
        if weighted:
            assert_close(context.grad(mine), factors.grad)
    with pytest.raises(KindlingError, match="not supported with sparse gradients"):
        got = context.embedding_bag(context.tensor(indices), ours, context.tensor(offsets),
                                    mode=mode, sparse=True, scale_grad_by_freq=True)
        context.backward(got.kdl_sum())
    with pytest.raises(KindlingError, match="max mode does not support sparse weights"):
        context.embedding_bag(context.tensor(indices), ours, context.tensor(offsets), mode="max",
                              sparse=True)


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_half_bags(context, dtype):
    torch.manual_seed(18)
    for mode in ("sum", "mean", "max"):
        compare_bags(context, [0, 4, 2, 2, 1], sample((5, 3), dtype), [0, 2], mode=mode)


def test_bag_refusals(context):
    weight, make = torch.ones(5, 3), lambda *v, **k: torch.tensor(*v, **k)  # noqa: E731
    three = make([0, 1, 2])
    for indices, offsets, options in (
            (three, None, {}), (three, make([1, 2]), {}), (three, make([0, 5]), {}),
            (three, make([[0]]), {}), (make([[0]]), make([0]), {}), (make([[[0]]]), None, {}),
            (three, make([0]), {"mode": "min"}), (three.float(), make([0]), {}),
            (three, make([0]), {"mode": "max", "scale_grad_by_freq": True}),
            (three, make([0]), {"padding_idx": 5}),
            (three, make([0]), {"per_sample_weights": torch.ones(3)}),
            (three, make([0]), {"per_sample_weights": torch.ones(2), "mode": "sum"}),
            (three, make([0]), {"per_sample_weights": torch.ones(3).double(), "mode": "sum"})):
        with pytest.raises((RuntimeError, ValueError)) as theirs:
            F.embedding_bag(indices, weight, offsets, **options)
        factors = options.get("per_sample_weights")
        if factors is not None:
            options = {**options, "per_sample_weights": context.tensor(factors)}
        with pytest.raises(KindlingError) as ours:
            context.embedding_bag(context.tensor(indices), context.tensor(weight),
                                  None if offsets is None else context.tensor(offsets), **options)
        first = str(theirs.value).splitlines()[0].replace("torch.Size([", "").split(", as input")[0]
        assert first.split("(")[0] in str(ours.value), (theirs.value, ours.value)
    with pytest.raises(KindlingError, match="which is not in the valid range"):
        context.embedding_bag(context.tensor(make([9])), context.tensor(weight),
                              context.tensor(make([0])))
    with pytest.raises(KindlingError, match="have to ascend"):
        context.embedding_bag(context.tensor(three), context.tensor(weight),
                              context.tensor(make([0, 2, 1])))


# ---- modules ---------------------------------------------------------------------------------

@pytest.mark.parametrize("call", (
    "Embedding(5, 3, padding_idx=1)", "Embedding(5, 3, max_norm=0.7, scale_grad_by_freq=True)",
    "EmbeddingBag(5, 3)", "EmbeddingBag(5, 3, mode='max', padding_idx=2)",
    "EmbeddingBag(5, 3, mode='sum', max_norm=1.0, include_last_offset=True)"))
def test_modules(context, call):
    ours, theirs = twins(context, call, torch.float32)
    inputs = [torch.tensor([1, 2, 2, 4, 0])]
    if "Bag" in call:
        inputs.append(torch.tensor([0, 3, 5]))
        if "sum" in call:
            inputs.append(torch.randn(5))
    compare_function(context, ours, theirs, theirs, inputs, call)
    compare_function(context, ours, theirs, theirs, inputs, call, "again")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bias", (True, False))
def test_bilinear(context, bias, dtype):
    ours, theirs = twins(context, f"Bilinear(3, 4, 5, bias={bias})", dtype)
    for batch in ((), (1,), (6,), (2, 3), (0,)):
        inputs = [torch.randn(*batch, 3, dtype=dtype), torch.randn(*batch, 4, dtype=dtype)]
        compare_function(context, ours, theirs, theirs, inputs, batch)
    z = torch.zeros
    for inputs in ([z(2, 3), z(4)], [z(2, 3), z(3, 4)], [z(2, 4), z(2, 4)], [z(2, 3), z(2, 3)]):
        with pytest.raises(RuntimeError) as theirs_says:
            F.bilinear(*inputs, z(5, 3, 4), z(5))
        with pytest.raises(KindlingError) as ours_says:
            context.call("kdl_f_bilinear",
                         *(context.tensor(x) for x in (*inputs, z(5, 3, 4), z(5))))
        assert str(theirs_says.value) in str(ours_says.value)
