# SPDX-License-Identifier: Apache-2.0
"""Layers by their constructors' calls: digests of the values, generator states, printed texts."""
import inspect
import warnings

import torch
from torch import nn  # noqa: F401: calls name it

from golden import DTYPES, HEADER, digest, raw
from layer_cases import CALLS as CASES_OF, INPUTS

SEEDS = (0, 2**32 - 1)
CASES = (("f32", "float32"), ("f64", "float64"), ("bf16", "bfloat16"))

# "{}" stands for the argument dtype.
RECURRENT = (
    "RNN(4, 9, 2, 'relu', False, True, 0.5, True{})",
    "RNN(3, 5{})",
    "LSTM(8, 6, 3, False, True, 0.1, True, 5{})",
    "LSTM(10, 20, 2, dropout=0.25, batch_first=True{})",
    "LSTM(6, 11, bidirectional=True, proj_size=1{})",
    "GRU(7, 4, 3, bias=False, bidirectional=True{})",
    "GRU(5, 16{})",
    "RNNBase('GRU', 3, 4, 2, proj_size=2{})",
    "RNNCell(3, 4, True, 'relu'{})",
    "RNNCell(10, 20, bias=False{})",
    "LSTMCell(3, 7{})",
    "LSTMCell(16, 5, False{})",
    "GRUCell(33, 3{})",
    "GRUCell(2, 1, bias=False{})",
    "RNNCellBase(3, 4, True, 5{})",
    "AdaptiveLogSoftmaxWithLoss(20, 200, [20, 100, 150], div_value=2.0{})",
    "AdaptiveLogSoftmaxWithLoss(8, 20, (5, 10), 3, True{})",
    "MultiheadAttention(16, 4, 0.1, False{})",
    "MultiheadAttention(8, 8, 0.5, False, True, True, 3, 7, True{})",
    "MultiheadAttention(12, 3, add_bias_kv=True{})",
    "TransformerEncoderLayer(12, 3, 16, 0, 'gelu', 1e-6, True, True{})",
    "TransformerEncoderLayer(8, 4, 3, activation=nn.PReLU(2{}), bias=False{})",
    "TransformerDecoderLayer(6, 6, 5, activation=nn.GELU('tanh'){})",
    "TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 5{}), 3, nn.RMSNorm(8{}))",
    "TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 9{}), 2)",
    "Transformer(8, 2, 2, 1, 12{})",
    "Transformer(6, 3, 1, 2, 5, 0, 'gelu', batch_first=True, norm_first=True, bias=False{})",
    "Transformer(4, 2, 1, 1, 6, activation=nn.PReLU(3{}), custom_encoder=nn.Linear(4, 5{}){})",
)


def takes_dtype(name):
    return "dtype" in inspect.signature(getattr(nn, name)).parameters


def some_calls():
    """Two of each class's cases, and those above."""
    for name, cases in CASES_OF.items():
        mark = "{}" if takes_dtype(name) else ""
        for arguments in [case for case in cases if case or not mark][:4:2]:
            yield f"{name}({arguments}{mark})"
    yield from RECURRENT


def make(call, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = eval("nn." + call.replace("{}", dtype))  # pylint: disable=eval-used
        shape = INPUTS.get(type(module).__name__)
        if shape:
            module._infer_parameters(module, (torch.zeros(shape),))  # as its first forward does
        return module


def values(call, name, dtype, seed):
    torch.manual_seed(seed)
    module = make(call, f", dtype=torch.{dtype}")
    assert all(p.dtype == DTYPES[name] for p in module.parameters())
    state = torch.get_rng_state().numpy().tobytes()
    data = b"".join(raw(v) for v in module.state_dict().values())
    return f"values {name} {seed} {digest(data)} {digest(state)}\n"


def files():
    lines = [HEADER, "# call CALL, then the lines of print(module), then for each dtype and seed\n"
             "# values DTYPE SEED DIGEST STATE: of the state_dict's values one after the other, of\n"
             "# the generator afterwards. Before a Lazy module's call: input SIZES, of what\n"
             "# initialises it.\n"]
    for call in some_calls():
        shape = INPUTS.get(call.partition("(")[0])
        if shape:
            lines.append(f"input {' '.join(map(str, shape))}\n")
        lines += [f"call {call}\n", *(f"|{line}\n" for line in str(make(call, "")).split("\n"))]
        if "{}" in call:
            lines += [values(call, *case, seed) for case in CASES for seed in SEEDS]
        else:
            lines.append(values(call, *CASES[0], SEEDS[0]))
    return {"calls.txt": "".join(lines)}
