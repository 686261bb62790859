# SPDX-License-Identifier: Apache-2.0
"""Losses and distances, as functions and as modules, beside PyTorch's."""
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import BUILD
from kindling import KindlingError
from training import REDUCTIONS, Training, assert_close, compare, default_path, load_training

DTYPES = (torch.float32, torch.float64)


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def normal(*shape, dtype=torch.float32):
    return torch.randn(shape, dtype=dtype, requires_grad=True)


def probabilities(*shape, dtype):
    return torch.rand(shape, dtype=dtype).mul(0.98).add(0.01).requires_grad_()


def signs(*shape, dtype=torch.float32):
    return torch.randint(0, 2, shape).mul(2).sub(1).to(dtype)


def labels(classes, *shape):
    return torch.randint(0, classes, shape)


def ended(classes, *shape):
    """Rows of different classes that end with -1."""
    rows = torch.stack([torch.randperm(classes) for _ in range(math.prod(shape[:-1]))])
    ends = torch.randint(0, classes + 1, (rows.shape[0], 1))
    rows[torch.arange(classes)[None] >= ends] = -1
    return rows.reshape(shape)


def log_probs(*shape, dtype):
    return torch.randn(shape, dtype=dtype).log_softmax(-1).requires_grad_()


CALLS = (
    ("L1Loss()", lambda d: (normal(3, 4, dtype=d), normal(3, 4, dtype=d))),
    ("L1Loss()", lambda d: (normal(0, 4, dtype=d).sum(1), normal(0, dtype=d))),
    ("MSELoss()", lambda d: (normal(3, 4, dtype=d), normal(3, 4, dtype=d))),
    ("SmoothL1Loss()", lambda d: (normal(30, dtype=d), normal(30, dtype=d))),
    ("SmoothL1Loss(beta=0.3)", lambda d: (normal(30, dtype=d), normal(30, dtype=d))),
    ("SmoothL1Loss(beta=0.0)", lambda d: (normal(30, dtype=d), normal(30, dtype=d))),
    ("HuberLoss(delta=0.7)", lambda d: (normal(5, 7, dtype=d), normal(5, 7, dtype=d))),
    ("BCELoss()", lambda d: (probabilities(4, 5, dtype=d), probabilities(4, 5, dtype=d))),
    ("BCELoss()", lambda d: (torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=d).requires_grad_(),
                             torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=d))),
    ("BCEWithLogitsLoss()", lambda d: (normal(4, 5, dtype=d), probabilities(4, 5, dtype=d))),
    ("BCEWithLogitsLoss()", lambda d: (torch.tensor([90.0, -90.0, 0.0], dtype=d).requires_grad_(),
                                       torch.tensor([0.0, 1.0, 1.0], dtype=d))),
    ("MultiLabelSoftMarginLoss()", lambda d: (normal(4, 5, dtype=d),
                                              labels(2, 4, 5).to(d))),
    ("SoftMarginLoss()", lambda d: (normal(4, 5, dtype=d), signs(4, 5, dtype=d))),
    ("HingeEmbeddingLoss()", lambda d: (normal(40, dtype=d), signs(40, dtype=d))),
    ("HingeEmbeddingLoss(margin=0.2)", lambda d: (normal(4, 10, dtype=d), signs(4, 10, dtype=d))),
    ("KLDivLoss()", lambda d: (log_probs(3, 4, dtype=d), probabilities(3, 4, dtype=d))),
    ("KLDivLoss(log_target=True)", lambda d: (log_probs(3, 4, dtype=d), log_probs(3, 4, dtype=d))),
    ("PoissonNLLLoss()", lambda d: (normal(20, dtype=d), labels(9, 20).to(d))),
    ("PoissonNLLLoss(log_input=False, full=True)",
     lambda d: (probabilities(20, dtype=d), labels(9, 20).to(d))),
    ("PoissonNLLLoss(full=True)", lambda d: (normal(20, dtype=d), labels(9, 20).to(d))),
    ("GaussianNLLLoss()", lambda d: (normal(3, 4, dtype=d), normal(3, 4, dtype=d),
                                     probabilities(3, 4, dtype=d))),
    ("GaussianNLLLoss(full=True, eps=0.5)", lambda d: (normal(3, 4, dtype=d), normal(3, 4, dtype=d),
                                                       probabilities(3, dtype=d))),
    ("GaussianNLLLoss()", lambda d: (normal(3, 4, dtype=d), normal(3, 4, dtype=d),
                                     probabilities(3, 1, dtype=d))),
    ("NLLLoss()", lambda d: (log_probs(6, 5, dtype=d), labels(5, 6))),
    ("NLLLoss(ignore_index=2)", lambda d: (log_probs(2, 5, 3, 4, dtype=d), labels(5, 2, 3, 4))),
    ("NLLLoss()", lambda d: (log_probs(5, dtype=d), torch.tensor(3))),
    ("CrossEntropyLoss()", lambda d: (normal(6, 5, dtype=d), labels(5, 6))),
    ("CrossEntropyLoss()", lambda d: (normal(5, dtype=d), torch.tensor(2))),
    ("CrossEntropyLoss(ignore_index=1)", lambda d: (normal(2, 5, 3, dtype=d), labels(5, 2, 3))),
    ("CrossEntropyLoss(label_smoothing=0.2)", lambda d: (normal(4, 5, 2, 3, dtype=d),
                                                         labels(5, 4, 2, 3))),
    ("CrossEntropyLoss(label_smoothing=0.1, ignore_index=0)",
     lambda d: (normal(9, 5, dtype=d), labels(5, 9))),
    ("CrossEntropyLoss()", lambda d: (normal(3, 5, 2, dtype=d), probabilities(3, 5, 2, dtype=d))),
    ("CrossEntropyLoss(label_smoothing=0.3)", lambda d: (normal(3, 5, dtype=d),
                                                         probabilities(3, 5, dtype=d))),
    ("MultiMarginLoss()", lambda d: (normal(6, 5, dtype=d), labels(5, 6))),
    ("MultiMarginLoss(p=2, margin=0.5)", lambda d: (normal(6, 5, dtype=d), labels(5, 6))),
    ("MultiMarginLoss()", lambda d: (normal(5, dtype=d), torch.tensor(1))),
    ("MultiLabelMarginLoss()", lambda d: (normal(4, 6, dtype=d), ended(6, 4, 6))),
    ("MultiLabelMarginLoss()", lambda d: (normal(6, dtype=d), ended(6, 6))),
    ("CosineEmbeddingLoss()", lambda d: (normal(7, 5, dtype=d), normal(7, 5, dtype=d),
                                         signs(7, dtype=d))),
    ("CosineEmbeddingLoss(margin=0.3)", lambda d: (normal(5, dtype=d), normal(5, dtype=d),
                                                   signs(dtype=d))),
    ("MarginRankingLoss(margin=0.5)", lambda d: (normal(9, dtype=d), normal(9, dtype=d),
                                                 signs(9, dtype=d))),
    ("TripletMarginLoss()", lambda d: tuple(normal(6, 5, dtype=d) for _ in range(3))),
    ("TripletMarginLoss(margin=0.2, p=1.0, swap=True)",
     lambda d: tuple(normal(6, 5, dtype=d) for _ in range(3))),
    ("TripletMarginLoss(p=3.5)", lambda d: tuple(normal(5, dtype=d) for _ in range(3))),
    ("TripletMarginWithDistanceLoss(swap=True)",
     lambda d: tuple(normal(6, 5, dtype=d) for _ in range(3))),
    ("CTCLoss()", lambda d: (log_probs(12, 3, 6, dtype=d), labels(5, 3, 4).add(1),
                             torch.tensor([12, 9, 12]), torch.tensor([4, 3, 0]))),
    ("CTCLoss(blank=2, zero_infinity=True)",
     lambda d: (log_probs(5, 3, 6, dtype=d), torch.tensor([1, 1, 1, 1, 1, 3, 4, 0, 5]),
                torch.tensor([5, 5, 4]), torch.tensor([5, 2, 2]))),
    ("CTCLoss()", lambda d: (log_probs(7, 6, dtype=d), labels(5, 3).add(1), torch.tensor(7),
                             torch.tensor(3))),
)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("call,make", CALLS, ids=[f"{i}-{call}" for i, (call, _) in
                                                  enumerate(CALLS)])
def test_loss_modules(context, call, make, reduction, dtype):
    torch.manual_seed(len(call))
    text = call.replace(")", f", reduction='{reduction}')").replace("(, ", "(")
    ours, theirs = context.nn(text), eval("nn." + text, {"nn": nn})  # noqa: S307
    inputs = make(dtype)
    compare(context, lambda *t: context.module_call(ours, *t)[0], theirs,
            [value if value.is_leaf else value.detach().requires_grad_() for value in inputs],
            call, reduction)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights(context, reduction, dtype):
    """What a tensor weighs: classes, elements, positive ones."""
    torch.manual_seed(7)
    number, weight = REDUCTIONS.index(reduction), torch.rand(5, dtype=dtype) + 0.1
    mine = context.tensor(weight)
    for target in (labels(5, 3, 2), torch.rand(3, 5, 2, dtype=dtype)):
        for smoothing in (0.0, 0.25):
            compare(context, lambda x, t: context.class_loss(
                "cross_entropy", x, t, reduction=reduction, weight=mine, label_smoothing=smoothing),
                lambda x, t: F.cross_entropy(x, t, weight, reduction=reduction,
                                             label_smoothing=smoothing),
                [normal(3, 5, 2, dtype=dtype), target], target.dtype, smoothing)
    compare(context, lambda x, t: context.class_loss("nll_loss", x, t, 1, reduction, mine),
            lambda x, t: F.nll_loss(x, t, weight, ignore_index=1, reduction=reduction),
            [log_probs(8, 5, dtype=dtype), labels(5, 8)])
    compare(context, lambda x, t: context.call("kdl_f_multi_margin_loss", x, t, 2, 0.7, mine,
                                               number),
            lambda x, t: F.multi_margin_loss(x, t, 2, 0.7, weight, reduction=reduction),
            [normal(8, 5, dtype=dtype), labels(5, 8)])
    for name, make in (("binary_cross_entropy", probabilities),
                       ("multilabel_soft_margin_loss", normal)):
        compare(context, lambda x, t: context.call(f"kdl_f_{name}", x, t, mine, number),
                lambda x, t: getattr(F, name)(x, t, weight, reduction=reduction),
                [make(3, 5, dtype=dtype), probabilities(3, 5, dtype=dtype).detach()], name)
    positive = torch.rand(5, dtype=dtype) * 3
    name = "binary_cross_entropy_with_logits"
    for w, p in itertools.product((None, weight), (None, positive)):
        compare(context, lambda x, t: context.call(
            f"kdl_f_{name}", x, t, w is not None and context.tensor(w) or None,
            p is not None and context.tensor(p) or None, number),
            lambda x, t: getattr(F, name)(x, t, w, pos_weight=p, reduction=reduction),
            [normal(3, 5, dtype=dtype), probabilities(3, 5, dtype=dtype)], name)
    compare(context, lambda x, t: context.call("kdl_f_kl_div", x, t, 3, False),
            lambda x, t: F.kl_div(x, t, reduction="batchmean"),
            [log_probs(3, 5, dtype=dtype), probabilities(3, 5, dtype=dtype)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_distances(context, dtype):
    torch.manual_seed(8)
    for shapes in (((3, 4), (3, 4)), ((3, 4), (1, 4)), ((2, 3, 4), (2, 3, 4))):
        inputs = [normal(*shape, dtype=dtype) for shape in shapes]
        for p in (2.0, 1.0, 3.5, math.inf):
            compare(context, lambda a, b: context.call("kdl_f_pairwise_distance", a, b, p, 1e-6,
                                                       True),
                    lambda a, b: F.pairwise_distance(a, b, p, keepdim=True), inputs, p)
        for dim in (1, -1):
            compare(context, lambda a, b: context.call("kdl_f_cosine_similarity", a, b, dim, 1e-8),
                    lambda a, b: F.cosine_similarity(a, b, dim), inputs, dim)
    for p in (2.0, 1.0, 3.0):
        compare(context, lambda a: context.call("kdl_f_normalize", a, p, 1, 1e-12),
                lambda a: F.normalize(a, p), [normal(3, 4, dtype=dtype)], p)
    for call in ("CosineSimilarity(dim=0)", "PairwiseDistance(p=1.0)"):
        ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn})  # noqa: S307
        compare(context, lambda a, b: context.module_call(ours, a, b)[0], theirs,
                [normal(3, 4, dtype=dtype), normal(3, 4, dtype=dtype)], call)


@pytest.mark.parametrize("call,shape,target", (
    ("LinearCrossEntropyLoss(4, 5)", (7, 4), (7,)),
    ("LinearCrossEntropyLoss(4, 5, bias=True, label_smoothing=0.1)", (7, 4), (7,)),
    ("LinearCrossEntropyLoss(4, 5, out_features=(2, 3))", (7, 4), (7, 2, 3)),
    ("LinearCrossEntropyLoss(4, 5, reduction='sum', ignore_index=2)", (4,), ())), ids=str)
def test_linear_cross_entropy(context, call, shape, target):
    torch.manual_seed(9)
    context.default_generator().manual_seed(9)
    ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn})  # noqa: S307
    torch.manual_seed(10)
    compare(context, lambda x, t: context.module_call(ours, x, t)[0], theirs,
            [normal(*shape), labels(5, *target)], call)
    for (name, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert_close(context.grad(tensor), parameter.grad, name)


@pytest.mark.parametrize("call", (
    "AdaptiveLogSoftmaxWithLoss(8, 20, [4])",
    "AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10, 15], div_value=2.0, head_bias=True)"))
def test_adaptive_softmax(context, call):
    torch.manual_seed(12)
    context.default_generator().manual_seed(12)
    ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn})  # noqa: S307
    for target in (labels(20, 30), labels(4, 3), torch.tensor([19, 0]), torch.tensor(7)):
        x = normal(*target.shape, 8)
        mine = context.leaf(x)
        expected = theirs(x, target)
        output, loss = context.module_call(ours, mine, context.tensor(target), outputs=2)
        assert_close(output.torch().contiguous(), expected.output.detach(), target)
        assert_close(loss.torch(), expected.loss.detach(), target)
        theirs.zero_grad()
        context.call("kdl_module_zero_grad", ours, True)
        expected.loss.backward()
        context.backward(loss)
        assert_close(context.grad(mine), x.grad, target)
        for (name, tensor), parameter in zip(ours.iterate("named_parameters"),
                                             theirs.parameters()):
            got, wanted = context.grad(tensor), parameter.grad
            assert (got is None) == (wanted is None), name
            if got is not None:
                assert_close(got, wanted, name)
    x = torch.randn(7, 8)
    assert_close(context.call("kdl_adaptive_log_prob", ours, context.tensor(x)).torch(),
                 theirs.log_prob(x).detach())
    assert torch.equal(context.call("kdl_adaptive_predict", ours, context.tensor(x)).torch(),
                       theirs.predict(x))
    for x, target in ((torch.ones(2, 8), torch.tensor([0, 20])), (torch.ones(8), labels(20, 2)),
                      (torch.ones(3, 8), labels(20, 2)), (torch.ones(2, 8), labels(20, 2, 1))):
        with pytest.raises(RuntimeError) as expected:
            theirs(x, target)
        with pytest.raises(KindlingError) as got:
            context.module_call(ours, context.tensor(x), context.tensor(target))
        assert str(got.value) == str(expected.value)


REFUSALS = (
    ("CrossEntropyLoss()", lambda: (normal(3, 5), labels(5, 4))),
    ("CrossEntropyLoss()", lambda: (normal(3, 5), torch.tensor([0, 5, 1]))),
    ("NLLLoss()", lambda: (normal(3, 5), torch.tensor([0, -1, 1]))),
    ("BCELoss()", lambda: (normal(3).sigmoid(), torch.rand(4))),
    ("BCELoss()", lambda: (torch.tensor([0.5, 1.5]), torch.rand(2))),
    ("BCEWithLogitsLoss()", lambda: (normal(3), torch.rand(4))),
    ("GaussianNLLLoss()", lambda: (normal(3, 4), normal(3, 4), torch.rand(2, 4))),
    ("GaussianNLLLoss()", lambda: (normal(3, 4), normal(3, 4), -torch.rand(3, 4))),
    ("MarginRankingLoss()", lambda: (normal(3), normal(3), signs(3, 1))),
    ("MSELoss()", lambda: (normal(3), normal(4))),
    ("SmoothL1Loss(beta=-1.0)", lambda: (normal(3), normal(3))),
    ("HuberLoss(delta=0.0)", lambda: (normal(3), normal(3))),
    ("L1Loss(reduction='median')", lambda: (normal(3), normal(3))),
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call,make", REFUSALS, ids=[call for call, _ in REFUSALS])
def test_refusals(context, call, make):
    """PyTorch's kind of error and its text; another call then works."""
    inputs = [value.detach() for value in make()]
    with pytest.raises((RuntimeError, ValueError, IndexError)) as expected:
        eval("nn." + call, {"nn": nn})(*inputs)  # noqa: S307
    ours = context.nn(call)
    with pytest.raises(KindlingError) as got:
        context.module_call(ours, *(context.tensor(value) for value in inputs))
    assert str(got.value) == str(expected.value)
    context.call("kdl_f_mse_loss", context.tensor(inputs[0]), context.tensor(inputs[0]), 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reductions(context, dtype):
    torch.manual_seed(11)
    for shape in ((5,), (3, 4), (2, 3, 4), (0, 3), ()):
        for dim in range(max(len(shape), 1)):
            empty = shape and shape[dim] == 0
            for keep in (False, True):
                x = normal(*shape, dtype=dtype)
                cases = [
                    (("kdl_logsumexp", dim, keep), lambda a: a.logsumexp(dim, keep)),
                    (("kdl_prod_dim", dim, keep), lambda a: a.prod(dim, keep)),
                    (("kdl_var_dim", dim, 0.0, keep), lambda a: a.var(dim, correction=0,
                                                                      keepdim=keep)),
                ]
                if not empty:
                    cases += [(("kdl_amax", dim, keep), lambda a: a.amax(dim, keep)),
                              (("kdl_amin", dim, keep), lambda a: a.amin(dim, keep))]
                if shape and shape[dim] > 1:
                    cases += [(("kdl_std_dim", dim, 1.0, keep), lambda a: a.std(dim, keepdim=keep))]
                if not empty:
                    for p in (2.0, 1.0, 3.0, 0.5, math.inf, -math.inf):
                        cases.append((("kdl_norm_dim", p, dim, keep), lambda a, p=p:
                                      torch.linalg.vector_norm(a, p, dim, keep)))
                for (name, *arguments), theirs in cases:
                    compare(context, lambda a: context.call(name, a, *arguments), theirs, [x],
                            name, arguments, shape)
            compare(context, lambda a: a.kdl_cumsum(dim), lambda a: a.cumsum(dim),
                    [normal(*shape, dtype=dtype)], shape, dim)
    zeros = torch.tensor([[0.0, 2.0, 0.0], [0.0, 3.0, 4.0], [1.0, 2.0, 3.0]], dtype=dtype)
    for name, theirs in (("kdl_prod_dim", lambda a: a.prod(1)), ("kdl_amin", lambda a: a.amin(1))):
        compare(context, lambda a: context.call(name, a, 1, False), theirs,
                [zeros.clone().requires_grad_()], name)
    compare(context, lambda a: a.kdl_norm_dim(2.0, 1, False), lambda a: a.norm(dim=1),
            [torch.zeros(2, 3, dtype=dtype, requires_grad=True)])
    infinite = torch.tensor([[math.inf, 1.0], [-math.inf, -math.inf]], dtype=dtype)
    assert torch.equal(context.call("kdl_logsumexp", context.tensor(infinite), 1, False).torch(),
                       infinite.logsumexp(1))
