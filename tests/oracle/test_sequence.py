# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers, attention and transformers, and their gradients, beside PyTorch's."""
import ctypes
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import BUILD
from kindling import (BOOL, DOUBLE, FUNCTIONS, INT, LONG, POINTER, SIZE, KindlingError, Module,
                      NewTensor, Status, Tensor)
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


def compare_module(context, ours, theirs, inputs, arguments, *what):
    """compare_function(), where `arguments` makes PyTorch's arguments of the inputs."""
    compare_function(context, ours, theirs, lambda *values: theirs(*arguments(values)), inputs,
                     *what)


def compare_function(context, ours, theirs, call, inputs, *what, again=lambda *values: values):
    """
    Outputs of a module, the gradients of its inputs and parameters, and the generator after it.
    `call` runs PyTorch's module on the inputs; `again` makes our inputs of them.
    """
    torch.manual_seed(11)
    context.default_generator().manual_seed(11)
    leaves = [x if x is None or not x.is_floating_point() else x.clone().requires_grad_()
              for x in inputs]
    expected = [x for x in flatten(call(*leaves)) if x is not None]
    mine = [x if x is None else context.leaf(x) for x in leaves]
    got = call_module(context, ours, again(*mine), len(expected))
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


@pytest.mark.parametrize("call", ("LSTM(3, 4, proj_size=2)", "GRU(3, 4)", "RNN(3, 4)"))
def test_frozen_parts(context, call):
    """Gradients of some inputs and parameters only; a second backward pass adds the same again."""
    ours, theirs = twins(context, call, torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    parts = [x, *first_states(theirs, 2, torch.float64), *theirs.parameters()]
    mine = [context.tensor(part.detach()) for part in parts[:-len(list(theirs.parameters()))]]
    mine += [tensor for _, tensor in ours.iterate("named_parameters")]
    count = len(parts) - len(list(theirs.parameters()))
    for wanted in range(len(parts)):
        for index, (part, tensor) in enumerate(zip(parts, mine)):
            part.requires_grad_(index == wanted)
            tensor.kdl_requires_grad_(index == wanted)
        out = theirs(*arrange(parts[:count]))[0]
        got = call_module(context, ours, mine[:count], 1)[0]
        for again in (True, False):
            out.sum().backward(retain_graph=again)
            context.backward(got.kdl_sum(), retain_graph=again)
        for index, (part, tensor) in enumerate(zip(parts, mine)):
            if index == wanted:
                assert_close(context.grad(tensor), part.grad, call, wanted)
            assert (context.grad(tensor) is None) == (part.grad is None)
            part.grad = None
            context.call("kdl_tensor_set_grad", tensor, None)


def test_layer_threads():
    """Several threads, and rows enough for them."""
    context = Training(load_training(default_path(BUILD)), threads=3)
    for dtype in DTYPES:
        for call in ("LSTM(20, 70, bidirectional=True)", "GRU(20, 70, num_layers=2)"):
            ours, theirs = twins(context, call, dtype)
            compare_module(context, ours, theirs, [torch.randn(6, 40, 20, dtype=dtype)], arrange,
                           call)


@pytest.mark.parametrize("call,path,name", (
    ("LSTM(4, 5, num_layers=2)", "", "weight_hh_l1"), ("GRUCell(4, 5)", "", "weight_ih"),
    ("MultiheadAttention(4, 2, dropout=0)", "", "in_proj_weight"),
    ("MultiheadAttention(4, 2)", "out_proj", "weight")))
def test_parametrized(context, call, path, name):
    ours, theirs = twins(context, call, torch.float64)
    child = context.call("kdl_submodule", ours, path.encode()) if path else ours.pointer
    Module(context, context.library.kdl_module_retain(child)).parametrize("weight_norm", name=name)
    nn.utils.parametrizations.weight_norm(getattr(theirs, path) if path else theirs, name)
    inputs = [torch.randn(*shape, 4, dtype=torch.float64)
              for shape in (((3, 2),) * (3 if "Attention" in call else 1) if "Cell" not in call
                            else ((3,),))]
    compare_function(context, ours, theirs, theirs, inputs, call, name)


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


# ---- attention -------------------------------------------------------------------------------

class AttentionOptions(ctypes.Structure):
    """kdl_f_attention_options."""

    _fields_ = [("nbytes", SIZE), ("attn_mask", POINTER), ("dropout_p", DOUBLE),
                ("is_causal", BOOL), ("scale", DOUBLE), ("enable_gqa", BOOL)]


FUNCTIONS["kdl_f_scaled_dot_product_attention_with"] = (
    NewTensor, POINTER, POINTER, POINTER, ctypes.POINTER(AttentionOptions))
FUNCTIONS["kdl_generate_square_subsequent_mask"] = (NewTensor, POINTER, LONG, INT)


def attend(context, q, k, v, mask=None, dropout_p=0.0, is_causal=False, scale=None,
           enable_gqa=False):
    return context.call("kdl_f_scaled_dot_product_attention_with", q, k, v, AttentionOptions(
        ctypes.sizeof(AttentionOptions), mask and mask.pointer, dropout_p, is_causal,
        float("nan") if scale is None else scale, enable_gqa))


def compare_attention(context, tensors, mask=None, **options):
    """Values, gradients (also of a mask that wants one) and the generator."""
    torch.manual_seed(21)
    context.default_generator().manual_seed(21)
    leaves = [x.clone().requires_grad_() for x in tensors]
    if mask is not None and mask.is_floating_point():
        mask = mask.clone().requires_grad_()
        leaves.append(mask)
    expected = F.scaled_dot_product_attention(*leaves[:3], attn_mask=mask, **options)
    mine = [context.leaf(x) for x in leaves]
    my_mask = None if mask is None else mine[3] if len(mine) > 3 else context.tensor(mask)
    got = attend(context, *mine[:3], my_mask, **options)
    what = [tuple(x.shape) for x in tensors], mask is not None, options
    assert_close(got.torch().contiguous(), expected.detach(), *what)
    assert context.default_generator().state() == torch.get_rng_state().numpy().tobytes(), what
    weights = torch.randn_like(expected)
    expected.backward(weights)
    context.backward(got, context.tensor(weights))
    for index, (a, b) in enumerate(zip(mine, leaves)):
        assert_close(context.grad(a), b.grad, *what, "gradient", index)


ATTENTIONS = (
    ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8)), ((4, 8), (6, 8), (6, 8)),
    ((2, 5, 8), (2, 5, 8), (2, 5, 4)), ((2, 3, 5, 8), (1, 3, 7, 8), (2, 1, 7, 8)),
    ((1, 2, 1, 4), (1, 2, 9, 4), (1, 2, 9, 4)), ((2, 2, 33, 16), (2, 2, 65, 16), (2, 2, 65, 16)),
)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shapes", ATTENTIONS, ids=str)
def test_attention(context, shapes, dtype):
    torch.manual_seed(20)
    tensors = [torch.randn(shape, dtype=dtype) for shape in shapes]
    length, keys = shapes[0][-2], shapes[1][-2]
    compare_attention(context, tensors)
    compare_attention(context, tensors, scale=0.3)
    compare_attention(context, tensors, is_causal=True)
    compare_attention(context, tensors, dropout_p=0.4)
    compare_attention(context, tensors, dropout_p=0.4, is_causal=True)
    strided = [x.transpose(-1, -2).contiguous().transpose(-1, -2) for x in tensors]
    compare_attention(context, strided)
    masks = [(length, keys), (1, keys)]
    if len(shapes[0]) == 4:
        masks += [(shapes[0][0], 1, 1, keys), (*shapes[0][:2], length, keys), (1, 1, length, keys)]
    for shape in masks:
        mask = torch.randn(shape, dtype=dtype)
        compare_attention(context, tensors, mask)
        compare_attention(context, tensors, mask, dropout_p=0.5)
        allowed = mask > -0.5
        allowed[..., 0] = True
        compare_attention(context, tensors, allowed)
    compare_attention(context, tensors, torch.arange(length)[:, None] % 3 > 0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_attention_threads(dtype):
    """Many small products, which threads share, and few."""
    context = Training(load_training(default_path(BUILD)), threads=3)
    torch.manual_seed(25)
    for shapes in (((5, 3, 40, 16), (5, 3, 50, 16), (5, 3, 50, 8)),
                   ((1, 2, 300, 64), (1, 2, 310, 64), (1, 2, 310, 64))):
        compare_attention(context, [torch.randn(shape, dtype=dtype) for shape in shapes])


def test_attention_of_nothing(context):
    """A query that sees no key gives 0, as do the gradients; sizes of 0."""
    torch.manual_seed(22)
    q, k, v = (torch.randn(2, 3, 4, 8) for _ in range(3))
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[1] = False
    compare_attention(context, [q, k, v], mask)
    for shapes in (((0, 3, 8), (0, 3, 8), (0, 3, 8)), ((2, 0, 8), (2, 3, 8), (2, 3, 8))):
        compare_attention(context, [torch.randn(shape) for shape in shapes])


def test_grouped_attention(context):
    torch.manual_seed(23)
    for heads, groups in ((4, 2), (6, 1), (3, 3)):
        tensors = [torch.randn(2, count, 5, 8, dtype=torch.float64)
                   for count in (heads, groups, groups)]
        for options in ({}, {"is_causal": True}, {"dropout_p": 0.3}, {"scale": 2.0}):
            compare_attention(context, tensors, enable_gqa=True, **options)
        for shape in ((5, 5), (2, 1, 5, 5), (2, heads, 5, 5)):
            compare_attention(context, tensors, torch.randn(shape, dtype=torch.float64),
                              enable_gqa=True)


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16), ids=str)
def test_half_attention(context, dtype):
    torch.manual_seed(24)
    q, k, v = (torch.randn(2, 3, 5, 8, dtype=dtype) for _ in range(3))
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    got = attend(context, *(context.tensor(x) for x in (q, k, v)), is_causal=True)
    assert_close(got.torch(), expected)


def test_attention_refusals(context):
    z = torch.zeros
    good = z(2, 3, 4)
    for tensors, options in (
            ((good, good.double(), good), {}), ((z(4), good, good), {}),
            ((good, z(2, 3, 5), good), {}), ((good, good, z(2, 4, 4)), {}),
            ((z(3, 3, 4), good, good), {}), ((good, good, good), {"mask": z(3, 4)}),
            ((good, good, good), {"mask": z(3, 3).long()}),
            ((good, good, good), {"mask": z(3, 3), "is_causal": True}),
            ((z(1, 3, 3, 4), z(1, 2, 3, 4), z(1, 2, 3, 4)), {"enable_gqa": True})):
        named = {("attn_mask" if key == "mask" else key): value for key, value in options.items()}
        with pytest.raises(RuntimeError):
            F.scaled_dot_product_attention(*tensors, **named)
        if "mask" in options:
            options = {**options, "mask": context.tensor(options["mask"])}
        with pytest.raises(KindlingError):
            attend(context, *(context.tensor(x) for x in tensors), **options)
    with pytest.raises(KindlingError, match="should not be set when is_causal=True"):
        attend(context, *(context.tensor(good) for _ in range(3)), context.tensor(z(3, 3)),
               is_causal=True)


# ---- MultiheadAttention ----------------------------------------------------------------------

HEADS = ("", ", bias=False", ", batch_first=True", ", add_bias_kv=True, add_zero_attn=True",
         ", kdim=6, vdim=5", ", dropout=0.3", ", add_bias_kv=True, batch_first=True, dropout=0.5",
         ", kdim=5, batch_first=True, bias=False", ", add_zero_attn=True")


def attention_masks(n, heads, length, keys, dtype):
    """(key_padding_mask, attn_mask) of each kind that leaves every query a key."""
    padding = torch.zeros(n, keys, dtype=torch.bool)
    padding[-1, keys - 1:] = keys > 1
    causal = torch.arange(keys) > torch.arange(length)[:, None]
    numbers = torch.randn(n * heads, length, keys, dtype=dtype)
    return ((None, None), (padding, None), (None, causal), (padding, causal), (None, numbers),
            (torch.randn(n, keys, dtype=dtype), None),
            (padding.to(dtype) * -3, numbers[0]))


def named_masks(values):
    """MultiheadAttention's arguments, which PyTorch has in another order."""
    return {"key_padding_mask": values[3], "attn_mask": values[4]}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", HEADS)
def test_multihead_attention(context, options, dtype):
    ours, theirs = twins(context, f"MultiheadAttention(8, 2{options})", dtype)
    n, length, keys = 3, 4, 5
    for mode in (True, False):
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        for padding, mask in attention_masks(n, 2, length, keys, dtype):
            sizes = [(length, n, 8), (keys, n, theirs.kdim), (keys, n, theirs.vdim)]
            x = [torch.randn(s[1::-1] + s[2:] if theirs.batch_first else s, dtype=dtype)
                 for s in sizes]
            inputs = [*x, padding, mask]
            what = options, mode, padding is not None, mask is not None
            for average, wanted in ((True, 1), (True, 2), (False, 2)):
                def call(*values):
                    out, weights = theirs(*values[:3], **named_masks(values),
                                          need_weights=wanted > 1, average_attn_weights=average)
                    return (out, weights) if average else (out, weights.mean(1), weights)
                compare_function(context, ours, theirs, call, inputs, *what, average, wanted)
        unbatched = [torch.randn(s[0], s[2], dtype=dtype) for s in sizes]
        compare_function(context, ours, theirs, lambda *v: theirs(*v), unbatched, options, mode)


def test_self_attention(context):
    """One tensor for queries, keys and values, or for keys and values."""
    for call in ("MultiheadAttention(8, 4)", "MultiheadAttention(8, 4, batch_first=True)"):
        ours, theirs = twins(context, call, torch.float64)
        x, y = (torch.randn(5, 3, 8, dtype=torch.float64) for _ in range(2))
        compare_function(context, ours, theirs, lambda a: theirs(a, a, a), [x], call,
                         again=lambda a: [a, a, a])
        compare_function(context, ours, theirs, lambda a, b: theirs(a, b, b), [x, y], call,
                         again=lambda a, b: [a, b, b])


def test_attention_sees_nothing(context):
    """With weights NaN, as PyTorch; without them 0."""
    ours, theirs = twins(context, "MultiheadAttention(4, 2)", torch.float32)
    x = torch.randn(3, 1, 4)
    mask = torch.eye(3, dtype=torch.bool)
    mask[1] = True
    inputs = [context.tensor(x)] * 3 + [None, context.tensor(mask)]
    for wanted in (1, 2):
        out, weights = theirs(x, x, x, attn_mask=mask, need_weights=wanted > 1)
        got = call_module(context, ours, inputs, wanted)
        assert_close(got[0].torch(), out.detach())
        if wanted > 1:
            assert_close(got[1].torch(), weights.detach())


def test_multihead_attention_refusals(context):
    z = torch.zeros
    ours, theirs = twins(context, "MultiheadAttention(4, 2)", torch.float32)
    x, padding = z(3, 2, 4), z(2, 3, dtype=torch.bool)
    for inputs in ([z(4), x, x], [x, z(3, 4), x], [z(3, 4), x, x], [x, x, x, z(3).bool()],
                   [x, x, x, None, z(3).bool()], [z(3, 2, 6), x, x], [x, z(4, 2, 4), x],
                   [x, x, x, None, z(3, 4)], [x, x, x, None, z(3, 3, 3)], [x, x, x, z(3, 3).bool()],
                   [x, x, x, z(2, 4).bool()], [x, x, x, padding.long()],
                   [x, x, x, None, z(3, 3).long()]):
        values = inputs + [None] * (5 - len(inputs))
        with pytest.raises((AssertionError, RuntimeError)) as theirs_says:
            theirs(*values[:3], **named_masks(values))
        with pytest.raises(KindlingError) as ours_says:
            call_module(context, ours, [v if v is None else context.tensor(v) for v in values], 1)
        if "does not match value" not in str(theirs_says.value):
            assert str(theirs_says.value) in str(ours_says.value), inputs
    assert call_module(context, ours, [context.tensor(x)] * 3, 1)[0].shape == [3, 2, 4]


# ---- transformers ----------------------------------------------------------------------------

BLOCKS = ("", ", norm_first=True", ", activation='gelu', batch_first=True", ", bias=False",
          ", dropout=0.0, norm_first=True, batch_first=True")


def transformer_masks(n, length, keys, dtype):
    """Attention and padding masks: none, or both of one kind."""
    causal = torch.arange(keys) > torch.arange(length)[:, None]
    padding = torch.zeros(n, keys, dtype=torch.bool)
    padding[0, -1] = True
    numbers = torch.zeros(length, keys, dtype=dtype).masked_fill(causal, -torch.inf)
    return (None, None), (causal, padding), (numbers, None), (None, padding)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", BLOCKS)
def test_encoder_layers(context, options, dtype):
    ours, theirs = twins(context, f"TransformerEncoderLayer(8, 2, 16{options})", dtype)
    for mode in (True, False):
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        for mask, padding in transformer_masks(3, 5, 5, dtype):
            shape = (3, 5, 8) if theirs.self_attn.batch_first else (5, 3, 8)
            compare_function(context, ours, theirs, theirs,
                             [torch.randn(shape, dtype=dtype), mask, padding], options, mode)
        compare_function(context, ours, theirs, theirs, [torch.randn(5, 8, dtype=dtype)], options)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", BLOCKS)
def test_decoder_layers(context, options, dtype):
    ours, theirs = twins(context, f"TransformerDecoderLayer(8, 2, 16{options})", dtype)
    for mode in (True, False):
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        for (mask, padding), (other, other_padding) in zip(transformer_masks(3, 4, 4, dtype),
                                                           transformer_masks(3, 4, 6, dtype)):
            x, memory = (torch.randn((3, size, 8) if theirs.self_attn.batch_first else (size, 3, 8),
                                     dtype=dtype) for size in (4, 6))
            compare_function(context, ours, theirs, theirs,
                             [x, memory, mask, other, padding, other_padding], options, mode)


STACKS = ("TransformerEncoder(TransformerEncoderLayer(8, 2, 16{0}), 2)",
          "TransformerEncoder(TransformerEncoderLayer(8, 2, 16, norm_first=True{0}), 2, "
          "norm=LayerNorm(8{0}))", "TransformerDecoder(TransformerDecoderLayer(8, 2, 16{0}), 2)")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("call", STACKS)
def test_stacks(context, call, dtype):
    for mode in (True, False):
        torch.manual_seed(5)
        context.default_generator().manual_seed(5)
        text = call.format(f", dtype={dtype}")
        ours = context.nn(text)
        theirs = eval(text, {**vars(nn), "torch": torch})  # noqa: S307
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        for mask, padding in transformer_masks(3, 5, 5, dtype):
            x = torch.randn(5, 3, 8, dtype=dtype)
            inputs = [x, mask, padding]
            if "Decoder" in call:
                inputs = [x, torch.randn(5, 3, 8, dtype=dtype), mask, mask, padding, padding]
            compare_function(context, ours, theirs, theirs, inputs, call, mode)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("options", ("", ", batch_first=True, norm_first=True, dropout=0.2",
                                     ", activation='gelu', bias=False"))
def test_transformer(context, options, dtype):
    call = f"Transformer(8, 2, 2, 1, 16{options})"
    ours, theirs = twins(context, call, dtype)
    first = theirs.batch_first
    for mode in (True, False):
        context.call("kdl_module_train", ours, mode)
        theirs.train(mode)
        for (sm, sp), (tm, tp), (mm, mp) in zip(transformer_masks(3, 6, 6, dtype),
                                                transformer_masks(3, 4, 4, dtype),
                                                transformer_masks(3, 4, 6, dtype)):
            src, tgt = (torch.randn((3, size, 8) if first else (size, 3, 8), dtype=dtype)
                        for size in (6, 4))
            compare_function(context, ours, theirs, theirs, [src, tgt, sm, tm, mm, sp, tp, mp],
                             call, mode)
    z = torch.zeros
    for src, tgt in ((z(3, 4, 8), z(2, 5, 8)), (z(3, 3, 7), z(3, 3, 7))):
        with pytest.raises(RuntimeError) as theirs_says:
            theirs(src.to(dtype), tgt.to(dtype))
        with pytest.raises(KindlingError) as ours_says:
            call_module(context, ours, [context.tensor(src.to(dtype)),
                                        context.tensor(tgt.to(dtype))], 1)
        assert str(theirs_says.value) in str(ours_says.value)


def test_subsequent_mask(context):
    for size in (0, 1, 5):
        for number, dtype in ((0, torch.float32), (1, torch.float64), (3, torch.bfloat16)):
            ours = context.call("kdl_generate_square_subsequent_mask", context, size, number)
            assert torch.equal(ours.torch(),
                               nn.Transformer.generate_square_subsequent_mask(size, dtype=dtype))
