# SPDX-License-Identifier: Apache-2.0
"""Every function of the headers that has gradients: how it is called here and in PyTorch."""
import ctypes
import math
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
import torch.nn.functional as F

from kindling import BOOL, DOUBLE, DTYPES, FUNCTIONS, INT, LONG, POINTER, TEXT, NewTensor
from test_autograd import BINARY, BROADCASTS, NUMBERS, PAIRS, RANGES, UNARY
from test_sequence import attend
from training import REDUCTIONS, ints
from windows import PoolOptions, Windows, structure


@dataclass(frozen=True)
class Floats:
    """An input of floating point: its sizes, and the range that it is drawn from."""

    shape: tuple
    low: float = -2.0
    high: float = 2.0
    grad: bool = True


@dataclass(frozen=True)
class Case:
    """ours(context, *tensors) beside theirs(*tensors), of Floats, constants (tensors), and None."""

    ours: object
    theirs: object
    inputs: tuple
    # False: PyTorch's gradient is, by intention, another one than that of the function's values.
    numeric: bool = field(default=True, kw_only=True)
    # False: of rows that are all the same, the result is little else than rounding.
    expands: bool = field(default=True, kw_only=True)


ELEMENTS = ((), (1,), (0, 3), (17,), (3, 5), (2, 67), (2, 1, 3))
DIMENSIONS = ((), (1,), (4,), (3, 5), (2, 3, 17))  # of reductions, along each of them
OPERATIONS = {}
Recurrent = structure("Recurrent", ("has_biases", BOOL), ("num_layers", LONG), ("dropout", DOUBLE),
                      ("train", BOOL), ("bidirectional", BOOL), ("batch_first", BOOL))
LinearLoss = structure("LinearLoss", ("linear_bias", POINTER), ("weight", POINTER),
                       ("reduction", INT), ("ignore_index", LONG), ("label_smoothing", DOUBLE),
                       ("chunked", BOOL), ("allow_retain_graph", BOOL),
                       ("batch_chunk_size", LONG), ("chunking_method", TEXT),
                       ("acc_policy", TEXT), ("acc_dtype", INT))
PadSequence = structure("PadSequence", ("batch_first", BOOL), ("padding_value", DOUBLE))
POINTERS = ctypes.POINTER(POINTER)
FUNCTIONS.update({
    "kdl_f_linear_cross_entropy_with": (NewTensor, POINTER, POINTER, POINTER,
                                        ctypes.POINTER(LinearLoss)),
    "kdl_pad_sequence_with": (NewTensor, POINTERS, INT, ctypes.POINTER(PadSequence)),
    **{f"kdl_{name}_with": (NewTensor, POINTER, POINTERS, POINTERS, INT, POINTERS,
                            ctypes.POINTER(Recurrent))
       for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")},
    "kdl_lstm_cell": (NewTensor, POINTER, POINTERS, *(POINTER,) * 4, POINTERS),
    **{f"kdl_{name}_cell": (NewTensor, *(POINTER,) * 6)
       for name in ("gru", "rnn_tanh", "rnn_relu")},
    **{f"kdl_f_{name}": (NewTensor, POINTER, DOUBLE, BOOL) for name in (
        "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
        "feature_alpha_dropout")},
    **{f"kdl_f_{name}": (NewTensor, POINTER, INT) for name in ("glu", "softmin")},
    "kdl_f_prelu": (NewTensor, POINTER, POINTER),
    "kdl_f_rrelu": (NewTensor, POINTER, DOUBLE, DOUBLE, BOOL),
})


def pointers(tensors):
    """An array of them; NULL for None."""
    return (POINTER * len(tensors))(*(t and t.pointer for t in tensors))


def add(name, case):
    OPERATIONS.setdefault(f"kdl_{name}", []).append(case)


def put(name, theirs, *inputs, arguments=(), **options):
    """A function that takes tensors first, then `arguments`, as PyTorch's does."""
    add(name, Case(lambda context, *tensors: context.call(f"kdl_{name}", *tensors, *arguments),
                   lambda *tensors: theirs(*tensors, *arguments), inputs, **options))


def floats(*shapes, **options):
    return tuple(Floats(shape, **options) for shape in shapes)


def weights(*shapes):
    return floats(*shapes, low=-0.7, high=0.7)


def integers(high, *shape):
    """Labels and indices, always the same."""
    return (torch.arange(math.prod(shape)) * 7 + 1).remainder(high).reshape(shape)


def mask(*shape):
    return integers(3, *shape) > 0


SQUARE = (torch.arange(3) + torch.arange(3)[:, None]) % 3  # no row and no column repeats any


def signs(*shape):
    return integers(2, *shape).mul(2).sub(1)


# ---- each element --------------------------------------------------------------------------------

for name, theirs in UNARY.items():
    low, high = RANGES.get(name, (-2.0, 2.0))
    for shape in ELEMENTS:
        put(name, theirs, Floats(shape, low, high))
for name, theirs in NUMBERS.items():
    for shape, number in zip(ELEMENTS, (0.5, 2.0, 1.0, 3.0, 0.25, 1.5, 2.0)):
        low = 0.1 if name in ("pow", "rdiv") else -2.0
        put(name, theirs, Floats(shape, low), arguments=(number,))
for name, theirs in PAIRS.items():
    for shape in ELEMENTS:
        put(name, theirs, Floats(shape), arguments=(0.25, 1.0))
for shape in ELEMENTS:
    for approximate in ("none", "tanh"):
        add("f_gelu", Case(lambda c, x, a=approximate: c.call("kdl_f_gelu", x, a.encode()),
                           lambda x, a=approximate: F.gelu(x, approximate=a), (Floats(shape),)))
    for name in ("zero_", "abs_"):
        add(name, Case(lambda c, x, n=name: in_place(c, n, x),
                       lambda x, n=name: getattr(x.clone(), n)(), (Floats(shape),)))
    for name in ("add_", "mul_", "fill_"):
        add(name, Case(lambda c, x, n=name: in_place(c, n, x, 0.75),
                       lambda x, n=name: getattr(x.clone(), n)(0.75), (Floats(shape),)))
    add("fill_int_", Case(lambda c, x: in_place(c, "fill_int_", x, 3),
                          lambda x: x.clone().fill_(3), (Floats(shape),)))
for left, right in (*BROADCASTS, ((67,), (1,)), ((2, 67), (2, 67))):
    for name, theirs in BINARY.items():
        put(name, theirs, Floats(left), Floats(right, 0.5))
    put("pow_tensor", torch.pow, Floats(left, 0.3), Floats(right))
    for flags in ((True, False), (False, True)):
        put("where", torch.where, mask(*right), Floats(left, grad=flags[0]),
            Floats(right, grad=flags[1]))
    put("masked_select", torch.masked_select, Floats(left), mask(*right))
    put("masked_fill", torch.masked_fill, Floats(left), mask(*right), arguments=(-1.5,))


def in_place(context, name, x, *arguments):
    """What an in-place function leaves in a copy of x."""
    copy = x.kdl_clone()
    context.call(f"kdl_{name}", copy, *arguments)
    return copy


for own, other in (((), ()), ((2, 3), ()), ((2, 3), (3,)), ((5, 17), (5, 1)), ((0, 3), (1, 3))):
    for name, method in (("add_tensor_", "add_"), ("mul_tensor_", "mul_"), ("copy_", "copy_")):
        add(name, Case(lambda c, x, y, n=name: in_place(c, n, x, y),
                       lambda x, y, n=method: getattr(x.clone(), n)(y), floats(own, other)))

# What is drawn has no gradient: that of what it replaces is 0.
for name, draw in (("uniform_", (-1.0, 2.0)), ("normal_", (0.5, 2.0)), ("log_normal_", (0.0, 0.5)),
                   ("exponential_", (1.5,)), ("cauchy_", (0.5, 2.0)), ("geometric_", (0.4,)),
                   ("bernoulli_", (0.4,)), ("random_", ()), ("random_", (2, 9)),
                   ("random_", (3, None))):
    add({(): f"{name}with_", (2, 9): "random_range_with_", (3, None): "random_from_with_"}.get(
        draw if name == "random_" else (), f"{name}with_"),
        Case(lambda c, x, n=name, a=draw: drawn(x, n, a),
             lambda x, n=name, a=draw: getattr(x.clone(), n)(*a), (Floats((3, 17)),)))
add("bernoulli_tensor_with_", Case(
    lambda c, x, p: in_place(c, "bernoulli_tensor_with_", x, p, None),
    lambda x, p: x.clone().bernoulli_(p), (Floats((3, 5)), Floats((5,), 0.0, 1.0, grad=False))))


def drawn(x, name, arguments):
    copy = x.kdl_clone()
    copy.fill(name, *arguments)
    return copy


# ---- reductions ----------------------------------------------------------------------------------

for shape in (*DIMENSIONS, (0, 3)):
    for name in ("sum", "mean"):
        put(name, getattr(torch, name), Floats(shape))
for shape in DIMENSIONS:
    for name in ("max", "min", "prod"):
        put(name, getattr(torch, name), Floats(shape))
    for name in ("var", "std"):
        if len(shape) > 1 or shape == (4,):
            add(name, Case(lambda c, x, n=name: c.call(f"kdl_{n}", x, 1.0),
                           lambda x, n=name: getattr(torch, n)(x, correction=1), (Floats(shape),)))
    for dims in (tuple(range(len(shape))), (-1,)):
        for name in ("sum", "mean"):
            add(f"{name}_dims", Case(
                lambda c, x, n=name, d=dims: c.call(f"kdl_{n}_dims", x, len(d), ints(d), True),
                lambda x, n=name, d=dims: getattr(torch, n)(x, d, keepdim=True), (Floats(shape),)))
    for dim in range(-1, len(shape)):
        for keepdim in (False, True):
            given = (dim, keepdim)
            for name in ("sum", "mean", "prod"):
                put(f"{name}_dim", getattr(torch, name), Floats(shape), arguments=given)
            for name in ("logsumexp", "amax", "amin"):
                put(name, getattr(torch, name), Floats(shape), arguments=given)
            for name in ("max", "min"):
                add(f"{name}_dim", Case(
                    lambda c, x, n=name, g=given: c.call(f"kdl_{n}_dim", x, *g, None),
                    lambda x, n=name, g=given: getattr(torch, n)(x, *g)[0], (Floats(shape),)))
            for correction in (0.0, 1.0):
                if shape in ((), (1,)) and correction:
                    continue  # 0 / 0
                for name in ("var", "std"):
                    if name == "std" and shape in ((), (1,)):
                        continue  # its gradient is 0 / 0
                    add(f"{name}_dim", Case(
                        lambda c, x, n=name, g=(dim, correction, keepdim): c.call(
                            f"kdl_{n}_dim", x, *g),
                        lambda x, n=name, d=dim, k=keepdim, o=correction: getattr(torch, n)(
                            x, d, correction=o, keepdim=k), (Floats(shape),)))
            for p in (0.0, 1.0, 2.0, 3.5, math.inf, -math.inf):
                add("norm_dim", Case(
                    lambda c, x, g=(p, dim, keepdim): c.call("kdl_norm_dim", x, *g),
                    lambda x, g=(p, dim, keepdim): torch.linalg.vector_norm(x, *g),
                    (Floats(shape),)))
        put("cumsum", torch.cumsum, Floats(shape), arguments=(dim,))
        for name in ("softmax", "log_softmax", "softmin"):
            put(f"f_{name}", getattr(F, name), Floats(shape), arguments=(dim,))

# ---- products ------------------------------------------------------------------------------------

for left, right in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((17, 9), (9, 33)),
                    ((5, 2, 3), (3, 4)), ((2, 1, 2, 3), (5, 3, 4)), ((0, 3), (3, 2)),
                    ((2, 0), (0, 3)), ((0, 2, 3), (3, 4)), ((4, 2, 3), (3,))):
    put("matmul", torch.matmul, *floats(left, right))
for n, i, k, j in ((2, 3, 4, 5), (3, 17, 9, 33), (0, 2, 3, 4), (2, 3, 0, 4)):
    put("bmm", torch.bmm, *floats((n, i, k), (n, k, j)))
    for size in ((i, j), (j,), ()):
        add("addmm", Case(lambda c, *t: c.call("kdl_addmm", *t, 0.5, -2.0),
                          lambda *t: torch.addmm(*t, beta=0.5, alpha=-2.0),
                          floats(size, (i, k), (k, j))))
for batch in ((), (3,), (2, 3), (0,)):
    for bias in (Floats((4,)), None):
        put("f_linear", F.linear, Floats((*batch, 5)), Floats((4, 5)), bias)
        put("f_bilinear", F.bilinear, Floats((*batch, 3)), Floats((*batch, 2)), Floats((4, 3, 2)),
            bias)

# ---- views, parts, indices -----------------------------------------------------------------------

VIEWS = {
    "alias": (lambda x: x.kdl_alias(), lambda x: x[...], (3, 4)),
    "transpose": (lambda x: x.kdl_transpose(0, -1), lambda x: x.transpose(0, -1), (2, 3, 4)),
    "t": (lambda x: x.kdl_t(), torch.t, (3, 4)),
    "permute": (lambda x: x.view(("permute", (2, 0, 1))), lambda x: x.permute(2, 0, 1), (2, 3, 4)),
    "narrow": (lambda x: x.kdl_narrow(1, -2, 2), lambda x: x.narrow(1, -2, 2), (3, 4)),
    "select": (lambda x: x.kdl_select(1, -1), lambda x: x.select(1, -1), (3, 4)),
    "slice": (lambda x: x.kdl_slice(0, -4, 2**63 - 1, 2), lambda x: x[-4::2], (5, 3)),
    "squeeze": (lambda x: x.kdl_squeeze(1), lambda x: x.squeeze(1), (3, 1, 4)),
    "unsqueeze": (lambda x: x.kdl_unsqueeze(-1), lambda x: x.unsqueeze(-1), (3, 4)),
    "expand": (lambda x: x.kdl_expand([2, 3, 4]), lambda x: x.expand(2, 3, 4), (3, 1)),
    "view": (lambda x: x.kdl_alias().kdl_view([-1, 1]), lambda x: x.view(-1, 1), (7,)),
    "reshape": (lambda x: x.kdl_reshape([4, -1]), lambda x: x.reshape(4, -1), (2, 6)),
    "flatten": (lambda x: x.kdl_flatten(0, 1), lambda x: x.flatten(0, 1), (2, 3, 4)),
    "unflatten": (lambda x: x.kdl_unflatten(-1, [3, -1]), lambda x: x.unflatten(-1, (3, -1)),
                  (2, 6)),
    "contiguous": (lambda x: x.kdl_contiguous(), lambda x: x.contiguous(), (3, 4)),
    "clone": (lambda x: x.kdl_clone(), torch.clone, (3, 4)),
    "to": (lambda x: x.kdl_to(DTYPES.index(torch.float64)), lambda x: x.to(torch.float64), (3, 4)),
}
for name, (ours, theirs, shape) in VIEWS.items():
    add(name, Case(lambda c, x, call=ours: call(x), theirs, (Floats(shape),)))
for dim in (0, 1, -1):
    for name in ("cat", "stack"):
        add(name, Case(lambda c, *t, n=name, d=dim: c.many(f"kdl_{n}", t, d),
                       lambda *t, n=name, d=dim: getattr(torch, n)(t, d), floats(*((2, 3),) * 3)))
    for name in ("split", "chunk"):
        add(name, Case(lambda c, x, n=name, d=dim: c.many("kdl_cat", c.parts(
            f"kdl_{n}", x, 2, d)[::-1], d),
            lambda x, n=name, d=dim: torch.cat(getattr(x, n)(2, d)[::-1], d), floats((5, 3))))
    for index in (torch.tensor([2, 0, 2, 1]), torch.tensor([], dtype=torch.int64)):
        add("index_select", Case(lambda c, x, i, d=dim: c.call("kdl_index_select", x, d, i),
                                 lambda x, i, d=dim: x.index_select(d, i),
                                 (Floats((3, 5)), index)))
    add("gather", Case(lambda c, x, i, d=dim: c.call("kdl_gather", x, d, i),
                       lambda x, i, d=dim: x.gather(d, i), (Floats((3, 5)), integers(3, 3, 4))))
    for name in ("scatter", "scatter_add"):
        add(name, Case(lambda c, x, i, s, n=name, d=dim: c.call(f"kdl_{n}", x, d, i, s),
                       lambda x, i, s, n=name, d=dim: getattr(torch, n)(x, d, i, s),
                       (Floats((3, 5)), SQUARE, Floats((3, 3)))))
    add("index_add", Case(lambda c, x, i, s, d=dim: c.call("kdl_index_add", x, d, i, s, -0.5),
                          lambda x, i, s, d=dim: x.index_add(d, i, s, alpha=-0.5),
                          (Floats((4, 4)), torch.tensor([2, 0, 2, 1]), Floats((4, 4)))))
    add("unbind", Case(lambda c, x, d=dim: c.many("kdl_stack", c.parts("kdl_unbind", x, d), 0),
                       lambda x, d=dim: torch.stack(x.unbind(d)), floats((3, 4))))
    add("sort", Case(lambda c, x, d=dim: c.ordered("kdl_sort", x, d, True)[0],
                     lambda x, d=dim: x.sort(d, descending=True).values, floats((3, 17))))
    add("topk", Case(lambda c, x, d=dim: c.ordered("kdl_topk", x, 2, d, False)[0],
                     lambda x, d=dim: x.topk(2, d, largest=False).values, floats((3, 17))))
    put("roll", torch.roll, Floats((3, 4)), arguments=(2, dim))
    add("flip", Case(lambda c, x, d=dim: c.call("kdl_flip", x, 1, ints([d])),
                     lambda x, d=dim: x.flip(d), floats((3, 4))))
for diagonal in (-1, 0, 2):
    put("tril", torch.tril, Floats((2, 3, 4)), arguments=(diagonal,))
    put("triu", torch.triu, Floats((2, 3, 4)), arguments=(diagonal,))
add("tile", Case(lambda c, x: c.call("kdl_tile", x, [2, 1, 3]), lambda x: x.tile(2, 1, 3),
                 floats((3, 4))))
add("cat", Case(lambda c, *t: c.many("kdl_cat", t, 0), lambda *t: torch.cat(t, 0),
                floats((2, 3), (0, 3), (4, 3))))

for first in (False, True):
    add("pad_sequence_with", Case(
        lambda c, *t, f=first: c.call("kdl_pad_sequence_with", pointers(t), len(t),
                                      PadSequence(ctypes.sizeof(PadSequence), f, 0.5)),
        lambda *t, f=first: torch.nn.utils.rnn.pad_sequence(t, f, 0.5),
        floats((3, 2), (0, 2), (5, 2))))

# ---- gates, dropout ------------------------------------------------------------------------------

for shape, dim in (((4,), 0), ((2, 6), 1), ((2, 34), -1), ((4, 3, 2), 0)):
    put("f_glu", F.glu, Floats(shape), arguments=(dim,))
for shape, count in (((), 1), ((5,), 1), ((3, 4), 4), ((2, 3, 5), 3), ((2, 3, 5), 1)):
    put("f_prelu", F.prelu, Floats(shape), Floats((count,)))
for training in (True, False):
    for shape in ELEMENTS:
        put("f_rrelu", F.rrelu, Floats(shape), arguments=(0.1, 0.4, training))
        put("f_dropout", F.dropout, Floats(shape), arguments=(0.4, training))
        put("f_alpha_dropout", F.alpha_dropout, Floats(shape), arguments=(0.4, training))
    for name, shape in (("dropout1d", (2, 4, 5)), ("dropout2d", (2, 4, 2, 3)),
                        ("dropout3d", (2, 3, 2, 2, 2)), ("feature_alpha_dropout", (2, 4, 5))):
        put(f"f_{name}", getattr(F, name), Floats(shape), arguments=(0.4, training))

# ---- normalisation -------------------------------------------------------------------------------

for weight in (True, False):
    for shape, sizes in (((4,), (4,)), ((2, 3, 17), (17,)), ((2, 3, 4), (3, 4)), ((0, 3), (3,))):
        scale = Floats(sizes) if weight else None
        add("f_layer_norm", Case(
            lambda c, x, w, b, s=sizes: c.call("kdl_f_layer_norm", x, list(s), w, b, 1e-5),
            lambda x, w, b, s=sizes: F.layer_norm(x, s, w, b, 1e-5), (Floats(shape), scale, scale)))
        add("f_rms_norm", Case(
            lambda c, x, w, s=sizes: c.call("kdl_f_rms_norm", x, list(s), w, 1e-5),
            lambda x, w, s=sizes: F.rms_norm(x, s, w, 1e-5), (Floats(shape), scale)))
    vector = Floats((4,)) if weight else None
    running = (Floats((4,), grad=False), Floats((4,), 0.5, grad=False)) if weight else (None, None)
    for shape in ((5, 4), (2, 4, 5), (3, 4, 2, 3)):
        if len(shape) > 2:
            add("f_group_norm", Case(
                lambda c, x, w, b: c.call("kdl_f_group_norm", x, 2, w, b, 1e-5),
            lambda x, w, b: F.group_norm(x, 2, w, b, 1e-5), (Floats(shape), vector, vector)))
        for training in (True, False):
            if training or weight:
                put("f_batch_norm", F.batch_norm, Floats(shape), *running, vector, vector,
                    arguments=(training, 0.1, 1e-5), expands=len(shape) > 2)
                if len(shape) > 2:
                    put("f_instance_norm", F.instance_norm, Floats(shape), *running, vector, vector,
                        arguments=(training, 0.1, 1e-5))
put("f_local_response_norm", F.local_response_norm, Floats((2, 5, 3)),
    arguments=(3, 0.5, 0.75, 1.0))
put("f_local_response_norm", F.local_response_norm, Floats((2, 5, 3, 2)),
    arguments=(2, 0.5, 0.6, 2.0))
add("f_cross_map_lrn2d", Case(
    lambda c, x: c.call("kdl_f_cross_map_lrn2d", x, 3, 0.5, 0.75, 1.0),
    lambda x: torch.nn.CrossMapLRN2d(3, 0.5, 0.75, 1.0)(x), (Floats((2, 5, 3, 2)),),
    numeric=False))
for p in (1.0, 2.0, 3.0):
    put("f_normalize", F.normalize, Floats((3, 5)), arguments=(p, 1, 1e-12))

# ---- losses and distances ------------------------------------------------------------------------


def loss(name, inputs, arguments=MappingProxyType({}), theirs=None):
    """A loss by each reduction, which comes last here and by name in PyTorch."""
    function = theirs or getattr(F, name)
    for number, reduction in enumerate(REDUCTIONS):
        add(f"f_{name}", Case(
            lambda c, *t, n=number: c.call(f"kdl_f_{name}", *t, *arguments.values(), n),
            lambda *t, r=reduction: function(*t, **arguments, reduction=r), inputs))


def reduced(name, inputs, **arguments):
    """The same where other arguments follow the reduction."""
    function = getattr(F, name)
    for number, reduction in enumerate(REDUCTIONS):
        add(f"f_{name}", Case(
            lambda c, *t, n=number: c.call(f"kdl_f_{name}", *t, n, *arguments.values()),
            lambda *t, r=reduction: function(*t, **arguments, reduction=r), inputs))


def chances(*shape, grad=True):
    return Floats(shape, 0.05, 0.95, grad)


for shape in ((), (17,), (3, 5)):
    for name in ("mse_loss", "l1_loss"):
        reduced(name, floats(shape, shape))
    reduced("smooth_l1_loss", floats(shape, shape), beta=0.7)
    reduced("huber_loss", floats(shape, shape), delta=0.7)
    for weight in (None, Floats(shape, 0.1, 1.0, grad=False)):
        loss("binary_cross_entropy", (chances(*shape), chances(*shape), weight))
        loss("binary_cross_entropy_with_logits", (Floats(shape), chances(*shape), weight, weight),
             theirs=lambda x, t, w, p, reduction: F.binary_cross_entropy_with_logits(
                 x, t, w, pos_weight=p, reduction=reduction))
    reduced("soft_margin_loss", (Floats(shape), Floats(shape, grad=False)))
    loss("hinge_embedding_loss", (Floats(shape), signs(*shape)), {"margin": 0.8})
    for log_target in (False, True):
        reduced("kl_div", (Floats(shape), chances(*shape)), log_target=log_target)
    for log_input in (False, True):
        loss("poisson_nll_loss", (chances(*shape), Floats(shape, 0.0, 5.0, grad=False)),
             {"log_input": log_input, "full": True, "eps": 1e-8})
    loss("margin_ranking_loss", (*floats(shape, shape), signs(*shape)), {"margin": 0.1})
for var in ((3, 5), (3, 1), (3,)):
    loss("gaussian_nll_loss", (*floats((3, 5), (3, 5)), Floats(var, 0.2, 2.0)),
         {"full": True, "eps": 1e-6})
loss("multilabel_soft_margin_loss", (Floats((3, 5)), Floats((3, 5), 0.0, 1.0), None), {})
reduced("multilabel_margin_loss", (Floats((2, 4)), torch.tensor([[2, 0, -1, 1], [3, -1, 0, 0]])))
loss("cosine_embedding_loss", (*floats((4, 5), (4, 5)), signs(4)), {"margin": 0.1})
loss("triplet_margin_loss", floats((4, 5), (4, 5), (4, 5)),
     {"margin": 1.0, "p": 2.0, "eps": 1e-6, "swap": True})
for p in (1, 2):
    for number, reduction in enumerate(REDUCTIONS):
        add("f_multi_margin_loss", Case(
            lambda c, x, t, w, p=p, n=number: c.call("kdl_f_multi_margin_loss", x, t, p, 0.8, w, n),
            lambda x, t, w, p=p, r=reduction: F.multi_margin_loss(x, t, p, 0.8, w, reduction=r),
            (Floats((4, 5)), integers(5, 4), Floats((5,), 0.2, 1.0, grad=False))))
for reduction in REDUCTIONS:
    for scores, target in (((5,), torch.tensor(3)), ((7, 5), integers(5, 7)),
                           ((2, 5, 3), integers(5, 2, 3))):
        for weight in (None, Floats((5,), 0.2, 1.0, grad=False)):
            for name in ("cross_entropy", "nll_loss"):
                add(f"f_{name}_with", Case(
                    lambda c, x, t, w, n=name, r=reduction: c.class_loss(n, x, t, 1, r, w),
                    lambda x, t, w, n=name, r=reduction: getattr(F, n)(
                        x, t, w, ignore_index=1, reduction=r), (Floats(scores), target, weight)))
        add("f_cross_entropy_with", Case(
            lambda c, x, t, r=reduction: c.class_loss("cross_entropy", x, t, -100, r, None, 0.2),
            lambda x, t, r=reduction: F.cross_entropy(x, t, reduction=r, label_smoothing=0.2),
            (Floats(scores), chances(*scores))))
    for size in (None, 1, 3, 9):
        add("f_linear_cross_entropy_with", Case(
            lambda c, x, w, b, t, r=reduction, s=size: c.call(
                "kdl_f_linear_cross_entropy_with", x, w, t, LinearLoss(
                    ctypes.sizeof(LinearLoss), b.pointer, None, REDUCTIONS.index(r), 1, 0.0,
                    s is not None, False, s or 1, None, b"auto", len(DTYPES))),
            lambda x, w, b, t, r=reduction: F.linear_cross_entropy(
                x, w, t, linear_bias=b, reduction=r, ignore_index=1),
            (*floats((7, 4), (5, 4), (5,)), integers(5, 7))))
add("f_ctc_loss", Case(
    lambda c, x, t, a, b: c.call("kdl_f_ctc_loss", x.kdl_f_log_softmax(-1), t, a, b, 0, 1, False),
    lambda x, t, a, b: F.ctc_loss(x.log_softmax(-1), t, a, b),
    (Floats((6, 2, 4)), torch.tensor([[1, 2], [3, 3]]), torch.tensor([6, 5]),
     torch.tensor([2, 2]))))
put("f_cosine_similarity", F.cosine_similarity, *floats((3, 5), (3, 5)), arguments=(1, 1e-8))
put("f_cosine_similarity", F.cosine_similarity, *floats((3, 5), (1, 5)), arguments=(-1, 1e-8))
for p in (1.0, 2.0, 3.0):
    put("f_pairwise_distance", F.pairwise_distance, *floats((3, 5), (3, 5)),
        arguments=(p, 1e-6, True))

# ---- windows -------------------------------------------------------------------------------------

IMAGES = {1: (9,), 2: (6, 7), 3: (4, 5, 4)}


def window(name, method, theirs, inputs, **options):
    """A method of Windows beside PyTorch's function; both take the options by name."""
    add(name, Case(lambda c, *t: getattr(c, method)(*t, **options),
                   lambda *t: theirs(*t, **options), inputs))


for count, sizes in IMAGES.items():
    for batch in ((2,), ()):
        image = Floats((*batch, 4, *sizes))
        for options in ({}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"groups": 2}):
            if count == 3 and "dilation" in options or not batch and options:
                continue
            groups = options.get("groups", 1)
            kernel = (4, 4 // groups, *(2, 3, 2)[:count])
            for bias in (Floats((4,)), None)[:1 if options else 2]:
                for name, method in (("conv", "conv"), ("conv_transpose", "conv_transpose")):
                    add(f"f_{name}_with", Case(
                        lambda c, *t, m=method, d=count, o=options: getattr(c, m)(d, *t, **o),
                        lambda *t, m=method, d=count, o=options: getattr(F, f"{m}{d}d")(*t, **o),
                        (image, *weights(kernel), bias)))
        for options in ({}, {"stride": 1, "padding": 1}, {"ceil_mode": True}):
            for name in ("max", "avg"):
                add(f"f_{name}_pool_with", Case(
                    lambda c, x, n=name, d=count, o=options: c.pool(n, d, x, 3, **o),
                    lambda x, n=name, d=count, o=options: getattr(F, f"{n}_pool{d}d")(x, 3, **o),
                    (image,)))
        add("f_lp_pool_with", Case(
            lambda c, x, d=count: c.lp_pool(d, x, 2.0, 2),
            lambda x, d=count: getattr(F, f"lp_pool{d}d")(x, 2.0, 2), (Floats(image.shape, 0.1),)))
        size = (2, 3, 1)[:count]
        add("f_adaptive_avg_pool", Case(
            lambda c, x, d=count, s=size: c.call("kdl_f_adaptive_avg_pool", d, x, list(s)),
            lambda x, d=count, s=size: getattr(F, f"adaptive_avg_pool{d}d")(x, s), (image,)))
        add("f_adaptive_max_pool", Case(
            lambda c, x, d=count, s=size: c.adaptive_max_pool(d, x, s)[0],
            lambda x, d=count, s=size: getattr(F, f"adaptive_max_pool{d}d")(x, s), (image,)))
        for mode in ("constant", "reflect", "replicate", "circular"):
            widths = (1, 2, 0, 1, 2, 1)[:2 * count]
            add("f_pad_with", Case(lambda c, x, w=widths, m=mode: c.pad(x, w, m),
                                   lambda x, w=widths, m=mode: F.pad(x, w, m), (image,)))
        pooled = tuple(size // 2 for size in sizes)
        steps = torch.arange(math.prod(pooled)).reshape(pooled).expand(*batch, 4, *pooled)
        add("f_max_unpool_with", Case(
            lambda c, x, i, d=count: c.max_unpool(d, x, i, 2),
            lambda x, i, d=count: getattr(F, f"max_unpool{d}d")(x, i, 2),
            (Floats((*batch, 4, *pooled)), steps.contiguous())))
        if count > 1:
            add("f_fractional_max_pool_with", Case(
                lambda c, x, d=count: c.fractional_max_pool(d, x, 2, 2)[0],
                lambda x, d=count: getattr(F, f"fractional_max_pool{d}d")(x, 2, 2), (image,)))
    image = Floats((2, 3, *sizes))
    for mode in ("nearest", "nearest-exact", ("linear", "bilinear", "trilinear")[count - 1], "area",
                 *(("bicubic",) if count == 2 else ())):
        window("f_interpolate_with", "interpolate", F.interpolate, (image,), mode=mode,
               size=(5, 4, 6)[:count])
        window("f_interpolate_with", "interpolate", F.interpolate, (image,), mode=mode,
               scale_factor=1.7)
for mode in ("bilinear", "bicubic"):
    for padding in ("zeros", "border", "reflection"):
        add("f_grid_sample_with", Case(
            lambda c, x, g, m=mode, p=padding: c.grid_sample(x, g, m, p, False),
            lambda x, g, m=mode, p=padding: F.grid_sample(x, g, m, p, False),
            (Floats((2, 3, 5, 4)), Floats((2, 3, 4, 2), -1.5, 1.5))))
add("f_affine_grid", Case(lambda c, t: c.affine_grid(t, (2, 3, 4, 5), False),
                          lambda t: F.affine_grid(t, (2, 3, 4, 5), False), (Floats((2, 2, 3)),)))
for mode in ("bilinear", "bicubic", "lanczos"):
    for size in ((3, 4), (9, 2)):
        window("f_interpolate_with", "interpolate", F.interpolate, (Floats((2, 3, 8, 7)),),
               mode=mode, size=size, antialias=True)
for options in ({}, {"padding": 1, "stride": 2}, {"dilation": 2}):
    window("f_unfold_with", "unfold", F.unfold, (Floats((2, 3, 5, 6)),), kernel_size=2, **options)
window("f_fold_with", "fold", F.fold, (Floats((2, 12, 20)),), kernel_size=2, output_size=(5, 6))
window("f_fold_with", "fold", F.fold, (Floats((12, 12)),), kernel_size=2, output_size=(5, 6),
       padding=1, stride=2)
put("f_pixel_shuffle", F.pixel_shuffle, Floats((2, 8, 3, 2)), arguments=(2,))
put("f_pixel_unshuffle", F.pixel_unshuffle, Floats((2, 2, 4, 6)), arguments=(2,))
put("channel_shuffle", torch.channel_shuffle, Floats((2, 6, 3, 2)), arguments=(3,))

# ---- tables and sequences ------------------------------------------------------------------------

for shape in ((), (6,), (2, 3)):
    for options in ({}, {"padding_idx": 1}, {"scale_grad_by_freq": True}, {"max_norm": 1.5}):
        add("f_embedding_with", Case(lambda c, i, w, o=options: c.embedding(i, w, **o),
                                     lambda i, w, o=options: F.embedding(i, w, **o),
                                     (integers(5, *shape), Floats((5, 3))),
                                     numeric=not options, expands="max_norm" not in options))
for mode in ("mean", "sum", "max"):
    for options in ({}, {"padding_idx": 1}, {"include_last_offset": True}):
        add("f_embedding_bag_with", Case(
            lambda c, i, w, s, o=options, m=mode: c.embedding_bag(i, w, s, mode=m, **o),
            lambda i, w, s, o=options, m=mode: F.embedding_bag(i, w, s, mode=m, **o),
            (integers(5, 7), Floats((5, 3)), torch.tensor([0, 2, 2, 7])),
            numeric="padding_idx" not in options))
add("f_embedding_bag_with", Case(
    lambda c, i, w, s: c.embedding_bag(i, w, mode="sum", per_sample_weights=s),
    lambda i, w, s: F.embedding_bag(i, w, mode="sum", per_sample_weights=s),
    (integers(5, 2, 3), *floats((5, 3), (2, 3)))))


def flat(context, tensors):
    """The elements of several tensors as one vector."""
    return context.many("kdl_cat", [tensor.kdl_flatten(0, -1) for tensor in tensors], 0)


def recurrent(name, gates, outputs, layers, directions, batch, batch_first, biases):
    """torch.lstm and its kin: outputs and last states, of inputs, first states, parameters."""
    hidden, width = 4, 3
    sides = [Floats((*((2, 5)[::1 if batch_first else -1] if batch else (5,)), width))]
    sides += [Floats((layers * directions, *((2,) if batch else ()), hidden))] * outputs
    for layer in range(layers):
        for _ in range(directions):
            columns = hidden * directions if layer else width
            shapes = ((gates * hidden, columns), (gates * hidden, hidden))
            sides += weights(*shapes, *(((gates * hidden,),) * 2 if biases else ()))

    def ours(context, x, *rest):
        states = (POINTER * outputs)()
        params = rest[outputs:]
        result = context.call(
            f"kdl_{name}_with", x, pointers(rest[:outputs]), pointers(params), len(params), states,
            context.struct(Recurrent, biases, layers, 0.0, False, directions == 2, batch_first))
        return flat(context, [result, *(context.taken(states[i:i + 1]) for i in range(outputs))])

    def theirs(x, *rest):
        states = rest[:outputs]
        if not batch:
            x, states = x.unsqueeze(0 if batch_first else 1), [s.unsqueeze(1) for s in states]
        results = getattr(torch, name)(x, states if outputs == 2 else states[0],
                                       rest[outputs:], biases, layers, 0.0, False, directions == 2,
                                       batch_first)
        return torch.cat([result.flatten() for result in results])

    add(f"{name}_with", Case(ours, theirs, tuple(sides)))


for name, gates, outputs in (("lstm", 4, 2), ("gru", 3, 1), ("rnn_tanh", 1, 1), ("rnn_relu", 1, 1)):
    recurrent(name, gates, outputs, 1, 1, True, False, True)
    recurrent(name, gates, outputs, 2, 2, True, True, True)
    recurrent(name, gates, outputs, 1, 2, False, False, False)
    shapes = weights((gates * 4, 3), (gates * 4, 4), (gates * 4,), (gates * 4,))
    if name == "lstm":
        def cell(context, x, h, c, *params):
            last = (POINTER * 1)()
            result = context.call("kdl_lstm_cell", x, pointers((h, c)), *params, last)
            return flat(context, [result, context.taken(last)])

        add("lstm_cell", Case(
            cell, lambda x, h, c, *p: torch.cat([t.flatten() for t in torch.lstm_cell(
                x, (h, c), *p)]), (*floats((2, 3), (2, 4), (2, 4)), *shapes)))
    else:
        put(f"{name}_cell", getattr(torch, f"{name}_cell"), *floats((2, 3), (2, 4)), *shapes)


for batch in ((), (2,), (2, 3)):
    inputs = floats((*batch, 5, 4), (*batch, 6, 4), (*batch, 6, 3))
    for extra in ((), (mask(5, 6),), (Floats((5, 6)),)):
        add("f_scaled_dot_product_attention_with", Case(
            attend, F.scaled_dot_product_attention, (*inputs, *extra)))
    for options in ({"is_causal": True}, {"scale": 0.3}):
        add("f_scaled_dot_product_attention_with", Case(
            lambda c, *t, o=options: attend(c, *t, **o),
            lambda *t, o=options: F.scaled_dot_product_attention(*t, **o), inputs))
