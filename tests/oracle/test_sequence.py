# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers, attention and transformers, and their gradients, beside PyTorch's."""
import ctypes
import warnings

import pytest
import torch
from torch import nn

from conftest import BUILD
from kindling import FUNCTIONS, INT, POINTER, KindlingError, Status, Tensor
from test_autograd import DTYPES
from training import Training, assert_close, default_path, load_training

warnings.filterwarnings("ignore", "LSTM with projections")
POINTERS = ctypes.POINTER(POINTER)
FUNCTIONS["kdl_call_with"] = (Status, POINTER, POINTERS, INT, POINTERS, INT)


@pytest.fixture(scope="module")
def context():
    return Training(load_training(default_path(BUILD)))


def call_module(context, module, inputs, wanted):
    """The outputs of a module of several inputs, of which some may be None."""
    outputs = (POINTER * wanted)()
    context.call("kdl_call_with", module, (POINTER * len(inputs))(
        *(tensor.pointer if tensor else None for tensor in inputs)), len(inputs), outputs, wanted)
    return [Tensor(context, pointer) for pointer in outputs]


def flatten(result):
    """What a module of PyTorch returns as one list."""
    return [x for item in result for x in flatten(item)] if isinstance(result, tuple) else [result]


def parameters_alike(ours, theirs):
    """That both modules have the same parameters, so that what they compute can be compared."""
    for (_, mine), value in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert torch.equal(mine.torch(), value.detach())


def compare_module(context, ours, theirs, inputs, arguments, *what, wanted=None):
    """
    Outputs of a module, the gradients of its inputs and parameters, and the generator after it;
    `arguments` makes PyTorch's arguments of the inputs.
    """
    torch.manual_seed(11)
    context.default_generator().manual_seed(11)
    leaves = [x if x is None or not x.is_floating_point() else x.clone().requires_grad_()
              for x in inputs]
    expected = flatten(theirs(*arguments(leaves)))
    expected = [x for x in expected if x is not None][:wanted]
    mine = [x if x is None else context.leaf(x) for x in leaves]
    got = call_module(context, ours, mine, len(expected))
    for index, (a, b) in enumerate(zip(got, expected)):
        assert_close(a.torch().contiguous(), b.detach(), *what, index)
    assert context.default_generator().state() == torch.get_rng_state().numpy().tobytes(), what
    weights = [torch.randn_like(x) for x in expected]
    theirs.zero_grad()
    sum((x * w).sum() for x, w in zip(expected, weights)).backward()
    total = None
    for x, w in zip(got, weights):
        part = x.kdl_mul_tensor(context.tensor(w)).kdl_sum()
        total = part if total is None else total.kdl_add_tensor(part)
    for _, tensor in ours.iterate("named_parameters"):
        context.call("kdl_tensor_set_grad", tensor, None)
    context.backward(total)
    for index, (a, b) in enumerate(zip(mine, leaves)):
        if b is not None and b.grad is not None:
            assert_close(context.grad(a), b.grad, *what, "gradient of input", index)
    for (name, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        if parameter.grad is not None:
            assert_close(context.grad(tensor), parameter.grad, *what, name)


def twins(context, call, dtype, seed=5):
    """A module of ours and of PyTorch's from one seed."""
    call = call[:-1] + f", dtype={dtype})"
    torch.manual_seed(seed)
    context.default_generator().manual_seed(seed)
    ours, theirs = context.nn(call), eval("nn." + call, {"nn": nn, "torch": torch})  # noqa: S307
    parameters_alike(ours, theirs)
    return ours, theirs


# ---- recurrent layers ------------------------------------------------------------------------

LAYERS = ("RNN(4, 5)", "RNN(4, 5, nonlinearity='relu')", "LSTM(4, 5)", "LSTM(4, 5, proj_size=3)",
          "GRU(4, 5)")
OPTIONS = ("", ", num_layers=2", ", bidirectional=True", ", bias=False", ", batch_first=True",
           ", num_layers=3, bidirectional=True, batch_first=True, bias=False",
           ", num_layers=3, dropout=0.4", ", num_layers=2, bidirectional=True, dropout=0.7")


def first_states(module, batch, dtype):
    """h_0 and c_0 as far as a layer has them; batch None: without one."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    middle = () if batch is None else (batch,)
    widths = [module.proj_size or module.hidden_size, module.hidden_size]
    return [torch.randn(count, *middle, width, dtype=dtype)
            for width in widths[:2 if isinstance(module, nn.LSTM) else 1]]


def arrange(inputs):
    """PyTorch's arguments: an LSTM's states are one tuple."""
    x, *states = inputs
    if not states or states[0] is None:
        return [x]
    return [x, tuple(states) if len(states) > 1 else states[0]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("call", LAYERS)
def test_layers(context, call, options, dtype):
    ours, theirs = twins(context, call[:-1] + options + ")", dtype)
    for mode in (True, False):
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        for steps, batch in ((6, 3), (1, 2), (2, 1), (5, None)):
            shape = (batch, steps) if theirs.batch_first and batch else (steps, batch)
            x = torch.randn(*(size for size in shape if size is not None), 4, dtype=dtype)
            compare_module(context, ours, theirs, [x], arrange, call, options, mode, steps, batch)
            compare_module(context, ours, theirs, [x, *first_states(theirs, batch, dtype)], arrange,
                           call, options, mode, steps, batch, "states")


@pytest.mark.parametrize("call", ("LSTM(40, 64)", "GRU(40, 64)", "RNN(40, 64)"))
def test_long_layers(context, call):
    """More steps and wider rows than a vector; strided inputs; only h_n is used."""
    ours, theirs = twins(context, call, torch.float32)
    x = torch.randn(9, 50, 40).transpose(0, 1)
    compare_module(context, ours, theirs, [x], arrange, call)
    torch.manual_seed(3)
    expected = flatten(theirs(x))[1]
    got = call_module(context, ours, [context.tensor(x)], 2)[1]
    assert_close(got.torch().contiguous(), expected.detach(), call)
    theirs.zero_grad()
    for _, tensor in ours.iterate("named_parameters"):
        context.call("kdl_tensor_set_grad", tensor, None)
    expected.sum().backward()
    context.backward(got.kdl_sum())
    for (name, tensor), parameter in zip(ours.iterate("named_parameters"), theirs.parameters()):
        assert_close(context.grad(tensor), parameter.grad, call, name)


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
@pytest.mark.parametrize("call", LAYERS)
def test_half_layers(context, call, dtype):
    ours, theirs = twins(context, call, dtype)
    x = torch.randn(3, 2, 4, dtype=dtype)
    for a, b in zip(call_module(context, ours, [context.tensor(x)], 2), flatten(theirs(x))):
        assert_close(a.torch().contiguous(), b.detach(), call)


def test_empty_batch(context):
    for call in LAYERS:
        ours, theirs = twins(context, call, torch.float64)
        compare_module(context, ours, theirs, [torch.empty(3, 0, 4, dtype=torch.float64)], arrange,
                       call)


CELLS = ("RNNCell(4, 5)", "RNNCell(4, 5, nonlinearity='relu')", "LSTMCell(4, 5)", "GRUCell(4, 5)")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", ("", ", bias=False"))
@pytest.mark.parametrize("call", CELLS)
def test_cells(context, call, options, dtype):
    ours, theirs = twins(context, call[:-1] + options + ")", dtype)
    for batch in ((3,), (1,), ()):
        x = torch.randn(*batch, 4, dtype=dtype)
        states = [torch.randn(*batch, 5, dtype=dtype) for _ in range(2 if "LSTM" in call else 1)]
        compare_module(context, ours, theirs, [x], arrange, call, batch)
        compare_module(context, ours, theirs, [x, *states], arrange, call, batch, "states")


def refusals(context, ours, theirs, cases):
    """PyTorch's texts; afterwards the module computes as before."""
    for inputs in cases:
        with pytest.raises((RuntimeError, ValueError)) as theirs_says:
            theirs(*arrange(inputs))
        with pytest.raises(KindlingError) as ours_says:
            call_module(context, ours, [x if x is None else context.tensor(x) for x in inputs], 1)
        assert str(theirs_says.value) in str(ours_says.value), inputs


def test_layer_refusals(context):
    z = torch.zeros
    for call in ("LSTM(4, 5, num_layers=2)", "GRU(4, 5, bidirectional=True)", "RNN(4, 5)"):
        ours, theirs = twins(context, call, torch.float32)
        h, c = first_states(theirs, 3, torch.float32)[0], z(2, 3, 5)
        states = (lambda *given: given) if "LSTM" in call else (lambda *given: given[:1])
        refusals(context, ours, theirs, (
            [z(4)], [z(2, 3, 4, 1)], [z(6, 3, 7)], [z(6, 3, 4, dtype=torch.float64)],
            [z(6, 3, 4), *states(z(7, 3, 5), c)], [z(6, 3, 4), *states(z(2, 2, 5), c)],
            [z(6, 2, 4), *states(h, c)], [z(6, 3, 4), *states(z(2, 5), c)],
            [z(6, 4), *states(h, c)], [z(0, 3, 4)]))
        assert call_module(context, ours, [context.tensor(z(6, 3, 4))], 1)[0].shape[:2] == [6, 3]
    ours, theirs = twins(context, "LSTM(4, 5)", torch.float32)
    refusals(context, ours, theirs, ([z(6, 3, 4), z(1, 3, 5), z(1, 3, 4)],))
    with pytest.raises(KindlingError, match="two hidden states"):
        call_module(context, ours, [context.tensor(z(6, 3, 4)), context.tensor(z(1, 3, 5))], 1)


def test_cell_refusals(context):
    z = torch.zeros
    for call in ("RNNCell(4, 5)", "LSTMCell(4, 5)", "GRUCell(4, 5)"):
        ours, theirs = twins(context, call, torch.float32)
        states = (lambda given: [given, z(3, 5)]) if "LSTM" in call else (lambda given: [given])
        refusals(context, ours, theirs, (
            [z(3, 7)], [z(3, 4), *states(z(2, 5))], [z(3, 4), *states(z(3, 6))], [z(1, 3, 4)]))
    with pytest.raises(KindlingError, match="Unknown nonlinearity: sin"):
        ours = context.nn("RNNCell(4, 5, nonlinearity='sin')")
        call_module(context, ours, [context.tensor(z(3, 4))], 1)


def test_cell_threads():
    """The same bits for any number of threads."""
    results = []
    for threads in (1, 2, 3):
        context = Training(load_training(default_path(BUILD)), threads)
        context.default_generator().manual_seed(1)
        cell = context.nn("LSTMCell(1, 33)")
        x = context.tensor(torch.linspace(-9, 9, 7).reshape(7, 1))
        results.append([y.torch() for y in call_module(context, cell, [x], 2)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other))
