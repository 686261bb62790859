# SPDX-License-Identifier: Apache-2.0
"""
Random programs: views, broadcasting, reductions, writes in place and parts that are forgotten, in
any order, then backward passes, some of which PyTorch refuses. It all happens here and there.
"""
import random

import pytest
import torch

from conftest import BUILD
from kindling import KindlingError
from training import Training, assert_close, default_path, ints, load_training


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


UNARY = {
    "kdl_tanh": torch.tanh, "kdl_sin": torch.sin, "kdl_sigmoid": torch.sigmoid,
    "kdl_abs": torch.abs, "kdl_square": lambda x: x * x * 0.5, "kdl_f_relu": torch.relu,
    "kdl_clone": torch.clone, "kdl_t": torch.t,
    "kdl_sum": torch.sum, "kdl_mean": torch.mean, "kdl_detach": torch.Tensor.detach,
    "kdl_alias": lambda x: x[...],
}
BINARY = {
    "kdl_add_tensor": torch.add, "kdl_mul_tensor": torch.mul, "kdl_sub_tensor": torch.sub,
    "kdl_maximum": torch.maximum, "kdl_matmul": torch.matmul,
}
ALONG = {
    "kdl_sum_dim": lambda x, d, k: x.sum(d, k), "kdl_mean_dim": lambda x, d, k: x.mean(d, k),
    "kdl_amax": lambda x, d, k: x.amax(d, k), "kdl_logsumexp": lambda x, d, k: x.logsumexp(d, k),
    "kdl_f_softmax": lambda x, d, _: x.softmax(d), "kdl_cumsum": lambda x, d, _: x.cumsum(d),
    "kdl_unsqueeze": lambda x, d, _: x.unsqueeze(d), "kdl_squeeze": lambda x, d, _: x.squeeze(d),
}
KEEP = {"kdl_sum_dim", "kdl_mean_dim", "kdl_amax", "kdl_logsumexp"}


class Program:
    """Pairs of tensors, ours and PyTorch's, that steps are drawn for."""

    def __init__(self, context, seed):
        self.context, self.rng = context, random.Random(seed)
        torch.manual_seed(seed)
        self.leaves, self.pool = [], []
        for shape in ((3, 4), (4,), (2, 3, 4), (1,), ()):
            value = torch.randn(shape, dtype=torch.float64)
            value.requires_grad_(self.rng.random() < 0.8)
            self.leaves.append((context.leaf(value), value))
            self.pool.append(self.leaves[-1])

    def both(self, ours, theirs, words=True):
        """Does the same here and there: a pair, or None where both refuse, with the same words."""
        try:
            expected = theirs()
        except (RuntimeError, IndexError, ValueError) as error:
            with pytest.raises(KindlingError) as got:
                ours()
            assert got.value.status == type(error).__name__
            assert not words or str(got.value).split(":")[0] == str(error).split(":")[0]
            return None
        return ours(), expected

    def step(self):
        """One function of tensors that are there; forgets some."""
        rng = self.rng
        mine, x = rng.choice(self.pool)
        other, y = rng.choice(self.pool)
        dim, kind = rng.randrange(-2, 3), rng.randrange(10)
        if kind < 2:
            name = rng.choice(list(UNARY))
            factor = 0.5 if name == "kdl_square" else None
            result = self.both(lambda: getattr(mine, name)() if factor is None else
                               mine.kdl_square().kdl_mul(factor), lambda: UNARY[name](x))
        elif kind < 4:
            name = rng.choice(list(BINARY))
            result = self.both(lambda: getattr(mine, name)(other), lambda: BINARY[name](x, y),
                               name != "kdl_matmul")
        elif kind < 6:
            name = rng.choice(list(ALONG))
            keep = rng.random() < 0.5
            result = self.both(lambda: getattr(mine, name)(dim, *([keep] if name in KEEP else [])),
                               lambda: ALONG[name](x, dim, keep))
        elif kind < 8:
            result = self.view(mine, x, dim)
        else:
            result = self.write(mine, x, other, y)
        if result and result[1].numel() <= 400 and result[1].dim() < 5:
            self.pool.append(result)
        if len(self.pool) > 12:  # views outlive what they are views of, results their inputs
            del self.pool[rng.randrange(len(self.pool))]

    def view(self, mine, x, dim):
        rng, kind = self.rng, self.rng.randrange(6)
        if kind == 0:
            index = rng.randrange(-4, 4)
            return self.both(lambda: mine.kdl_select(dim, index), lambda: x.select(dim, index))
        if kind == 1:
            start, length = rng.randrange(-2, 3), rng.randrange(3)
            return self.both(lambda: mine.kdl_narrow(dim, start, length),
                             lambda: x.narrow(dim, start, length))
        if kind == 2:
            return self.both(lambda: mine.kdl_transpose(dim, 0), lambda: x.transpose(dim, 0))
        if kind == 3:
            shape = [2, *([1] if not x.dim() else x.shape)]
            return self.both(lambda: mine.kdl_expand(shape), lambda: x.expand(shape))
        if kind == 4:
            # Whether that is a view depends on the layout of results, here row-major always.
            return self.both(lambda: mine.kdl_reshape([-1, 2]).kdl_clone(),
                             lambda: x.reshape(-1, 2).clone())
        order = list(range(x.dim()))
        rng.shuffle(order)
        return self.both(lambda: self.context.call("kdl_permute", mine, len(order), ints(order)),
                         lambda: x.permute(order))

    def write(self, mine, x, other, y):
        rng, kind = self.rng, self.rng.randrange(6)
        off = rng.random() < 0.2
        was = self.context.call("kdl_set_grad_enabled", self.context, not off)
        with torch.set_grad_enabled(not off):
            # Of a leaf that overlaps or has other sizes, too, either may be what is said.
            if kind == 0:
                self.both(lambda: mine.kdl_mul_(0.5), lambda: x.mul_(0.5), False)
            elif kind == 1:
                self.both(lambda: mine.kdl_add_(0.25), lambda: x.add_(0.25), False)
            elif kind < 4:
                self.both(lambda: mine.kdl_add_tensor_(other), lambda: x.add_(y), False)
            elif x is not y:  # Kindling leaves a leaf that is copied to itself alone
                self.both(lambda: mine.kdl_copy_(other), lambda: x.copy_(y), False)
        self.context.call("kdl_set_grad_enabled", self.context, was)

    def backward(self):
        """From some results, in any order, twice too; False where PyTorch refuses."""
        rng = self.rng
        for mine, x in rng.sample(self.pool, min(3, len(self.pool))):
            if not x.requires_grad:
                assert not mine.kdl_tensor_requires_grad()
                continue
            retain = rng.random() < 0.5
            ours, theirs = mine.kdl_sum(), x.sum()
            for _ in range(rng.randrange(1, 3)):
                try:
                    theirs.backward(retain_graph=retain)
                except RuntimeError as error:
                    self.refuse(ours, retain, str(error))
                    return False
                self.context.backward(ours, retain_graph=retain)
        return True

    def refuse(self, ours, retain, text):
        """Ours may need less than what was freed or overwritten, but says nothing else."""
        try:
            self.context.backward(ours, retain_graph=retain)
        except KindlingError as error:
            assert (error.status, str(error)[:40]) == ("RuntimeError", text[:40])


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_programs(context, first):
    refused = 0
    for seed in range(first, first + 100):
        program = Program(context, seed)
        for _ in range(25):
            program.step()
        for mine, x in program.pool:
            assert mine.kdl_tensor_requires_grad() == x.requires_grad, seed
            assert_close(mine.torch().contiguous(), x.detach().contiguous(), seed, least=1.0)
        if not program.backward():
            refused += 1  # what was added up by then is left open
            continue
        for mine, x in program.leaves:
            ours = context.grad(mine)
            assert (ours is None) == (x.grad is None), seed
            if ours is not None:
                assert_close(ours, x.grad, seed, least=1.0)
    assert refused < 60
