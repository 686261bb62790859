# SPDX-License-Identifier: Apache-2.0
"""torch.nn.utils.rnn, and recurrent layers of packed sequences, beside PyTorch's."""
import ctypes
import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils import rnn

from conftest import BUILD
from kindling import BOOL, DOUBLE, INT, LONG, POINTER, SIZE, TEXT, KindlingError, Tensor
from training import NO_INT, Training, assert_close, default_path, load_training


class Packed(ctypes.Structure):
    """kdl_packed_sequence."""

    _fields_ = [(name, POINTER) for name in ("data", "batch_sizes", "sorted_indices",
                                             "unsorted_indices")]


class PackOptions(ctypes.Structure):
    """kdl_pack_sequence_options."""

    _fields_ = [("nbytes", SIZE), ("batch_first", BOOL), ("enforce_sorted", BOOL)]


class PadOptions(ctypes.Structure):
    """kdl_pad_sequence_options."""

    _fields_ = [("nbytes", SIZE), ("batch_first", BOOL), ("padding_value", DOUBLE),
                ("total_length", LONG), ("padding_side", TEXT)]


TENSORS = ctypes.POINTER(POINTER)
PACKED = ctypes.POINTER(Packed)
SIGNATURES = {
    "kdl_packed_sequence_release": (None, PACKED),
    "kdl_pack_padded_sequence_with": (INT, POINTER, POINTER, PACKED, ctypes.POINTER(PackOptions)),
    "kdl_pack_sequence_with": (INT, TENSORS, INT, PACKED, ctypes.POINTER(PackOptions)),
    "kdl_pad_packed_sequence_with": (POINTER, PACKED, TENSORS, ctypes.POINTER(PadOptions)),
    "kdl_pad_sequence_with": (POINTER, TENSORS, INT, ctypes.POINTER(PadOptions)),
    "kdl_unpad_sequence": (INT, POINTER, POINTER, BOOL, TENSORS, INT),
    "kdl_unpack_sequence": (INT, PACKED, TENSORS, INT),
    "kdl_invert_permutation": (POINTER, POINTER),
    "kdl_call_packed": (INT, POINTER, PACKED, TENSORS, PACKED, TENSORS),
}


class Sequences(Training):
    """A context with the functions of functional_packed.h."""

    def __init__(self):
        super().__init__(load_training(default_path(BUILD)))
        self.functions = {}
        for name, (result, *arguments) in SIGNATURES.items():
            function = ctypes.CDLL(self.library._name)[name]  # pylint: disable=protected-access
            function.restype, function.argtypes = result, arguments
            self.functions[name] = function

    def run(self, name, *arguments):
        result = self.functions[name](*arguments)
        self.check()
        return result

    def check(self):
        """Raises the error that stands, if one does."""
        self.call("kdl_set_grad_enabled", self, True)

    def array(self, tensors):
        return (POINTER * max(len(tensors), 1))(*(tensor and tensor.pointer for tensor in tensors))

    def pack_padded(self, x, lengths, batch_first=False, enforce_sorted=True):
        packed = Packed()
        self.run("kdl_pack_padded_sequence_with", x.pointer, lengths.pointer, packed,
                 PackOptions(ctypes.sizeof(PackOptions), batch_first, enforce_sorted))
        return packed

    def pack(self, sequences, enforce_sorted=True):
        packed = Packed()
        self.run("kdl_pack_sequence_with", self.array(sequences), len(sequences), packed,
                 PackOptions(ctypes.sizeof(PackOptions), False, enforce_sorted))
        return packed

    def options(self, batch_first=False, padding_value=0.0, total_length=None,
                padding_side="right"):
        return PadOptions(ctypes.sizeof(PadOptions), batch_first, padding_value,
                          NO_INT if total_length is None else total_length, padding_side.encode())

    def pad_packed(self, packed, **options):
        lengths = (POINTER * 1)()
        result = self.run("kdl_pad_packed_sequence_with", packed, lengths, self.options(**options))
        return Tensor(self, result), Tensor(self, lengths[0])

    def pad(self, sequences, **options):
        return Tensor(self, self.run("kdl_pad_sequence_with", self.array(sequences),
                                     len(sequences), self.options(**options)))

    def borrowed(self, pointer):
        return pointer and Tensor(self, self.library.kdl_tensor_retain(pointer))

    def call_packed(self, module, packed, hx, states):
        output, last = Packed(), (POINTER * 2)()
        self.run("kdl_call_packed", module.pointer, packed, self.array(hx) if hx else None, output,
                 last)
        return output, [Tensor(self, state) for state in last[:states]]


@pytest.fixture(scope="module")
def context():
    return Sequences()


def same(context, packed, expected):
    """
    The tensors of a packed sequence. Of more than 16 sequences torch.sort, which is not stable, puts
    equal lengths into an order that depends on the processor.
    """
    if expected.sorted_indices is not None and expected.sorted_indices.numel() > 16:
        assert torch.equal(context.borrowed(packed.batch_sizes).torch(), expected.batch_sizes)
        return
    for name in ("data", "batch_sizes", "sorted_indices", "unsorted_indices"):
        ours, theirs = context.borrowed(getattr(packed, name)), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        assert ours is None or torch.equal(ours.torch(), theirs.detach()), name


CASES = ((5, 3, (2,)), (1, 1, ()), (9, 6, (2, 3)), (4, 20, ()), (3, 2, (1,)))


def random_lengths(steps, count, ordered):
    lengths = torch.randint(1, steps + 1, (count,))
    lengths[torch.randint(count, ())] = steps
    return lengths.sort(descending=True)[0] if ordered else lengths


@pytest.mark.parametrize("batch_first", (False, True))
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64, torch.int64, torch.bfloat16))
def test_packing(context, batch_first, dtype):
    for (steps, count, rest), ordered, longer in itertools.product(CASES, (True, False), (0, 2)):
        lengths = random_lengths(steps, count, ordered)
        sizes = (count, steps + longer) if batch_first else (steps + longer, count)
        x = (torch.randn(*sizes, *rest) * 9).to(dtype)
        x.requires_grad_(dtype.is_floating_point)
        expected = rnn.pack_padded_sequence(x, lengths, batch_first, ordered)
        mine = context.leaf(x)
        packed = context.pack_padded(mine, context.tensor(lengths), batch_first, ordered)
        same(context, packed, expected)
        padded, back = rnn.pad_packed_sequence(expected, not batch_first, -1.5, steps + 1)
        ours, ours_back = context.pad_packed(packed, batch_first=not batch_first,
                                             padding_value=-1.5, total_length=steps + 1)
        assert torch.equal(ours.torch().contiguous(), padded.detach())
        assert torch.equal(ours_back.torch(), back)
        if dtype.is_floating_point:
            weights = torch.randn(padded.shape).to(dtype)
            padded.backward(weights)
            context.backward(ours, context.tensor(weights))
            assert torch.equal(context.grad(mine), x.grad)
        context.functions["kdl_packed_sequence_release"](packed)


@pytest.mark.parametrize("dtype", (torch.float32, torch.int64))
def test_lists(context, dtype):
    for (steps, count, rest), ordered in itertools.product(CASES, (True, False)):
        lengths = random_lengths(steps, count, ordered).tolist()
        sequences = [(torch.randn(n, *rest) * 9).to(dtype).requires_grad_(dtype.is_floating_point)
                     for n in lengths]
        mine = [context.leaf(x) for x in sequences]
        for side, first in itertools.product(("left", "right"), (False, True)):
            expected = rnn.pad_sequence(sequences, first, 3, side)
            got = context.pad(mine, batch_first=first, padding_value=3, padding_side=side)
            assert torch.equal(got.torch().contiguous(), expected.detach())
        expected, packed = rnn.pack_sequence(sequences, ordered), context.pack(mine, ordered)
        same(context, packed, expected)
        parts = (POINTER * count)()
        assert context.run("kdl_unpack_sequence", packed, parts, count) == count
        parts = [Tensor(context, part) for part in parts]
        for part, theirs in zip(parts, rnn.unpack_sequence(expected)):
            assert torch.equal(part.torch().contiguous(), theirs.detach())
        if dtype.is_floating_point:
            weights = [torch.randn(x.shape) for x in sequences]
            sum((x * w).sum() for x, w in zip(rnn.unpack_sequence(expected), weights)).backward()
            for part, weight in zip(parts, weights):
                context.backward(part, context.tensor(weight), retain_graph=True)
            for ours, theirs in zip(mine, sequences):
                assert_close(context.grad(ours), theirs.grad)
        context.functions["kdl_packed_sequence_release"](packed)


LAYERS = (
    "RNN(3, 4)", "RNN(3, 4, nonlinearity='relu', num_layers=2)", "GRU(3, 4)", "LSTM(3, 4)",
    "RNN(3, 5, bidirectional=True, num_layers=2, bias=False)", "GRU(3, 1, bidirectional=True)",
    "GRU(3, 4, num_layers=3, bidirectional=True, dropout=0.4)", "LSTM(3, 4, num_layers=2, bias=False)",
    "LSTM(3, 4, num_layers=2, bidirectional=True, dropout=0.3)", "LSTM(3, 5, proj_size=2)",
    "LSTM(3, 5, num_layers=2, proj_size=2, bidirectional=True, batch_first=True)")


@pytest.mark.parametrize("stated", (False, True))
@pytest.mark.parametrize("call", LAYERS)
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_layers(context, call, dtype, stated):
    call = call[:-1] + f", dtype={dtype})"
    for (steps, count), ordered in itertools.product(((6, 4), (1, 3), (5, 1), (12, 9)),
                                                     (True, False)):
        torch.manual_seed(steps)
        context.default_generator().manual_seed(steps)
        ours, theirs = context.nn(call), eval("nn." + call)  # pylint: disable=eval-used
        torch.manual_seed(77)
        context.default_generator().manual_seed(77)
        with torch.random.fork_rng():
            torch.manual_seed(count)
            lengths = random_lengths(steps, count, ordered)
            x = torch.randn(steps, count, 3, dtype=dtype, requires_grad=True)
            directions = (1 + theirs.bidirectional) * theirs.num_layers
            widths = [theirs.proj_size or theirs.hidden_size, theirs.hidden_size][
                :1 + call.startswith("LSTM")]
            hx = [torch.randn(directions, count, width, dtype=dtype, requires_grad=True)
                  for width in widths] if stated else []
        mine, mine_hx = context.leaf(x), [context.leaf(h) for h in hx]
        packed = context.pack_padded(mine, context.tensor(lengths), False, ordered)
        output, states = context.call_packed(ours, packed, mine_hx, len(widths))
        given = hx[0] if len(hx) == 1 else tuple(hx) or None
        expected, last = theirs(rnn.pack_padded_sequence(x, lengths, False, ordered), given)
        last = last if isinstance(last, tuple) else (last,)
        results = [context.borrowed(output.data), *states]
        with torch.random.fork_rng():
            weights = [torch.randn(t.shape, dtype=dtype) for t in (expected.data, *last)]
        for got, theirs_result in zip(results, (expected.data, *last)):
            assert_close(got.torch().contiguous(), theirs_result.detach(), call, steps, count)
        sum((t * w).sum() for t, w in zip((expected.data, *last), weights)).backward()
        for got, weight in zip(results, weights):
            context.backward(got, context.tensor(weight), retain_graph=True)
        pairs = list(zip([mine, *mine_hx], [x, *hx]))
        pairs += [(tensor, parameter) for (_, tensor), parameter in
                  zip(ours.iterate("named_parameters"), theirs.parameters())]
        for got, value in pairs:
            assert_close(context.grad(got), value.grad, call, steps, count, value.shape)
        for held in (packed, output):
            context.functions["kdl_packed_sequence_release"](held)


def fails(function):
    with pytest.raises((RuntimeError, ValueError, IndexError)) as error:
        function()
    return type(error.value).__name__, str(error.value)


@pytest.mark.parametrize("lengths", ([3, 4, 5], [3, 2], [3, 2, 0], [5, 4, 3, 2], [[3, 2, 1]]))
@pytest.mark.parametrize("sizes", ((5, 3, 2), (0, 3, 2), (5, 3, 0)))
def test_packing_errors(context, lengths, sizes):
    kind, text = fails(lambda: rnn.pack_padded_sequence(torch.zeros(sizes), torch.tensor(lengths)))
    with pytest.raises(KindlingError) as error:
        context.pack_padded(context.tensor(torch.zeros(sizes)),
                            context.tensor(torch.tensor(lengths)))
    assert (error.value.status, text) == (kind, text) and text in str(error.value)


def test_errors(context):
    x = torch.zeros(5, 3, 2)
    packed = context.pack_padded(context.tensor(x), context.tensor(torch.tensor([5, 3, 1])))
    theirs = rnn.pack_padded_sequence(x, [5, 3, 1])
    zeros = [torch.zeros(3, 2), torch.zeros(2, 3)]
    gru, expected = context.nn("GRU(2, 3)"), nn.GRU(2, 3)
    for ours, call in (
            (lambda: context.pad_packed(packed, total_length=4),
             lambda: rnn.pad_packed_sequence(theirs, total_length=4)),
            (lambda: context.pad([context.tensor(z) for z in zeros]),
             lambda: rnn.pad_sequence(zeros)),
            (lambda: context.pad([context.tensor(zeros[0])], padding_side="x"),
             lambda: rnn.pad_sequence(zeros[:1], padding_side="x")),
            (lambda: context.pack([context.tensor(z) for z in (x[:2, :, 0], x[:3, :, 0])]),
             lambda: rnn.pack_sequence([x[:2, :, 0], x[:3, :, 0]])),
            (lambda: context.call_packed(gru, packed, [context.tensor(torch.zeros(1, 2, 3))], 1),
             lambda: expected(theirs, torch.zeros(1, 2, 3)))):
        kind, text = fails(call)
        with pytest.raises(KindlingError) as error:
            ours()
        assert error.value.status == kind and text in str(error.value)
    with pytest.raises(KindlingError, match="beyond the 5 steps"):
        context.pack_padded(context.tensor(x), context.tensor(torch.tensor([6, 3, 1])))


def test_permutation(context):
    order = torch.randperm(40)
    given, wrong = context.tensor(order), context.tensor(torch.tensor([0, 2, 2]))
    got = Tensor(context, context.run("kdl_invert_permutation", given.pointer))
    assert torch.equal(got.torch(), rnn.invert_permutation(order))
    with pytest.raises(KindlingError, match="permutation"):
        context.run("kdl_invert_permutation", wrong.pointer)
