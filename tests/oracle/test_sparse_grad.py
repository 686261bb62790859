# SPDX-License-Identifier: Apache-2.0
"""Embedding(sparse=True)'s row gradients and SparseAdam, beside PyTorch's."""
import pytest
import torch
from torch import nn

from conftest import BUILD
from kindling import KindlingError
from optimizers import Optimizer, parameters
from training import Training, assert_close, default_path, load_training, twins


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize("padding", (None, 2))
def test_rows(context, padding, dtype):
    torch.manual_seed(1)
    weight = torch.randn(6, 3, dtype=dtype, requires_grad=True)
    ours = context.leaf(weight)
    for shape in ((4,), (2, 3), (1,)):  # they add up
        indices = torch.randint(0, 6, shape)
        theirs = nn.functional.embedding(indices, weight, padding, sparse=True)
        mine = context.embedding(context.tensor(indices), ours, padding, sparse=True)
        factor = torch.randn(*shape, 3, dtype=dtype)
        (theirs * factor).sum().backward()
        context.backward(mine.kdl_mul_tensor(context.tensor(factor)).kdl_sum())
        rows, values = context.sparse_grad(ours)
        table = torch.zeros_like(weight).index_add_(0, rows, values)
        assert_close(table, weight.grad.to_dense())
    (weight * 2).sum().backward()  # and with a dense one they become dense
    context.backward(ours.kdl_mul(2.0).kdl_sum())
    assert not context.call("kdl_tensor_grad_rows", ours)
    assert_close(context.grad(ours), weight.grad)


def test_not_of_leaves(context):
    """The gradient of a computed table is dense."""
    weight = torch.randn(6, 3, requires_grad=True)
    ours = context.leaf(weight)
    indices = torch.tensor([1, 1, 5])
    nn.functional.embedding(indices, weight * 2, sparse=True).sum().backward()
    context.backward(context.embedding(context.tensor(indices), ours.kdl_mul(2.0),
                                       sparse=True).kdl_sum())
    assert not context.call("kdl_tensor_grad_rows", ours)
    assert_close(context.grad(ours), weight.grad.to_dense())


LIMITS = {torch.float32: 1e-6, torch.float64: 1e-12}


def run(context, pair, steps):
    """
    Steps of (ours, theirs, our optimiser, theirs), each of some rows; the tables are then the same
    within their dtype's limit of the largest magnitude that there was.
    """
    ours, theirs, mine, other = pair
    weight, scale = theirs[0].weight.detach(), 1.0
    for _ in range(steps):
        indices = torch.randint(0, 9, (5,))
        mine.zero_grad()
        other.zero_grad()
        theirs(indices).square().sum().backward()
        output = context.call("kdl_forward", ours, context.tensor(indices))
        context.backward(output.kdl_square().kdl_sum())
        mine.step()
        other.step()
        scale = max(scale, float(weight.abs().max()))
    (_, tensor), = ours.iterate("named_parameters")
    assert float((tensor.torch() - weight).abs().max()) <= LIMITS[weight.dtype] * scale


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
@pytest.mark.parametrize("name,options", [
    ("SparseAdam", {}), ("SparseAdam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    ("SparseAdam", {"maximize": True}),
    ("SGD", {}), ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.5, "nesterov": True}),
    ("SGD", {"momentum": 0.5, "dampening": 0.5, "maximize": True}),
    ("Adagrad", {}), ("Adagrad", {"lr_decay": 0.1, "maximize": True}),
    ("Adagrad", {"eps": 0.0}), ("Adagrad", {"initial_accumulator_value": 0.5})], ids=str)
def test_steps(context, name, options, dtype):
    """50 steps of those that take sparse gradients."""
    ours, theirs = twins(context, f"Embedding(9, 4, sparse=True, dtype={dtype})", seed=2)
    run(context, (ours, theirs, Optimizer(context, name, ours, lr=0.05, **options),
                  getattr(torch.optim, name)(theirs.parameters(), lr=0.05, **options)), 50)


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
def test_lbfgs(context, dtype):
    """Its one vector has a sparse gradient in full."""
    ours, theirs = twins(context, f"Embedding(9, 4, sparse=True, dtype={dtype})", seed=2)
    mine = Optimizer(context, "LBFGS", ours, lr=0.1)
    other = torch.optim.LBFGS(theirs.parameters(), lr=0.1)
    for indices in (torch.tensor([0, 3, 3]), torch.tensor([8, 0])):
        def our_loss():
            mine.zero_grad()
            output = context.call("kdl_forward", ours, context.tensor(indices))
            loss = output.kdl_square().kdl_square().kdl_sum()
            context.backward(loss)
            return loss

        def their_loss():
            other.zero_grad()
            loss = theirs(indices).square().square().sum()
            loss.backward()
            return loss

        got, expected = mine.step_closure(our_loss), other.step(their_loss)
        assert_close(got.torch(), expected.detach())
    (_, tensor), = ours.iterate("named_parameters")
    assert_close(tensor.torch(), theirs[0].weight.detach())


@pytest.mark.parametrize("dtype", LIMITS, ids=str)
def test_exchange(context, dtype):
    """SparseAdam's state goes to the other side; its step is an int in PyTorch."""
    pairs = []
    for _ in range(2):
        ours, theirs = twins(context, f"Embedding(9, 4, sparse=True, dtype={dtype})", seed=2)
        pairs.append((ours, theirs, Optimizer(context, "SparseAdam", ours, lr=0.05),
                      torch.optim.SparseAdam(theirs.parameters(), lr=0.05)))
    first, second = pairs
    run(context, first, 25)
    (_, tensor), = second[0].iterate("named_parameters")
    context.call("kdl_set_grad_enabled", context, False)
    tensor.kdl_copy_(context.tensor(first[1][0].weight))
    context.call("kdl_set_grad_enabled", context, True)
    second[1].load_state_dict(first[1].state_dict())
    state = first[2].state_dict()
    state["state"][0]["step"] = int(state["state"][0]["step"])
    second[2].load_state_dict(first[3].state_dict())
    second[3].load_state_dict(state)
    run(context, second, 25)


@pytest.mark.parametrize("name", [
    "Adam", "AdamW", "RMSprop", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD",
    "Adafactor", "Muon", ("SGD", 0.1), ("Adagrad", 0.1)], ids=str)
def test_sparse_refusals(context, name):
    name, options = (name, {}) if isinstance(name, str) else (name[0], {"weight_decay": name[1]})
    ours, theirs = twins(context, "Embedding(4, 2, sparse=True)")
    indices = torch.tensor([0, 3])
    context.backward(context.call("kdl_forward", ours, context.tensor(indices)).kdl_sum())
    theirs(indices).sum().backward()
    with pytest.raises(RuntimeError) as expected:
        getattr(torch.optim, name)(theirs.parameters(), **options).step()
    with pytest.raises(KindlingError) as got:
        Optimizer(context, name, ours, **options).step()
    assert got.value.args[-1] == str(expected.value)
    with pytest.raises(KindlingError, match="sparse gradients are not clipped"):
        context.call("kdl_clip_grad_value_", parameters(context, ours), 1.0)


def test_refusals(context):
    ours, theirs = twins(context, "Embedding(4, 2, sparse=True)", "Linear(2, 2)")
    indices = torch.tensor([0, 3])
    output = context.call("kdl_forward", ours, context.tensor(indices))
    context.backward(output.kdl_sum())
    adam, sparse = (Optimizer(context, name, ours) for name in ("Adam", "SparseAdam"))
    with pytest.raises(KindlingError, match="does not support sparse gradients"):
        adam.step()
    theirs(indices).sum().backward()
    with pytest.raises(RuntimeError) as expected:
        torch.optim.SparseAdam(theirs.parameters()).step()
    with pytest.raises(KindlingError) as got:
        sparse.step()
    assert str(got.value) == str(expected.value)
    for options in ({"lr": 0.0}, {"eps": 0.0}, {"betas": (1.0, 0.9)}):
        with pytest.raises(ValueError) as expected:
            torch.optim.SparseAdam(theirs.parameters(), **options)
        with pytest.raises(KindlingError) as got:
            Optimizer(context, "SparseAdam", ours, **options)
        assert str(got.value) == str(expected.value)
