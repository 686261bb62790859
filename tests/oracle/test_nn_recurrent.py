# SPDX-License-Identifier: Apache-2.0
"""torch.nn's recurrent layers and cells, at once and through a plan."""
import pytest

from layers import SEEDS, Contexts, compare_layer, compare_refusals

DTYPES = ("float32", "float64", "bfloat16", "float16")

LAYERS = (
    "(1, 1{})",
    "(3, 5{})",
    "(10, 20, 2, dropout=0.25, batch_first=True{})",
    "(7, 4, 3, bias=False, bidirectional=True{})",
    "(input_size=16, hidden_size=33, num_layers=1, bidirectional=True{})",
    "(5, 2, num_layers=4, bidirectional=True, batch_first=True, dropout=1{})",
    "(64, 48, bias=False{})",
)
ONLY_RNN = (
    "(4, 9, 2, 'relu', False, True, 0.5, True{})",
    "(4, 9, nonlinearity='tanh', bias=False{})",
)
ONLY_LSTM = (
    "(3, 5, proj_size=2{})",
    "(8, 6, 3, False, True, 0.1, True, 5{})",
    "(6, 11, 2, bidirectional=True, proj_size=1{})",
)
CELLS = (
    "(1, 1{})",
    "(10, 20{})",
    "(3, 7, False{})",
    "(input_size=33, hidden_size=16, bias=True{})",
    "(0, 4{})",
    "(5, 0{})",
)
CALLS = (
    [name + call for name in ("RNN", "LSTM", "GRU") for call in LAYERS] +
    ["RNN" + call for call in ONLY_RNN] + ["LSTM" + call for call in ONLY_LSTM] +
    [f"RNNBase('{mode}', " + call[1:] for mode in ("LSTM", "GRU", "RNN_RELU")
     for call in (LAYERS[2], *ONLY_LSTM[:2])] +
    [name + call for name in ("RNNCell", "LSTMCell", "GRUCell") for call in CELLS] +
    ["RNNCell(3, 4, True, 'relu'{})", "RNNCell(3, 4, nonlinearity='unchecked'{})"] +
    ["RNNCellBase(" + call for call in (
        "3, 4, True, 5{})", "6, 2, bias=False, num_chunks=1{})", "1, 1, True, 1{})",
        "16, 33, False, 4{})", "input_size=0, hidden_size=3, bias=True, num_chunks=2{})",
        "5, 7, num_chunks=0, bias=True{})")])


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    return Contexts(prototyped_library)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layers(contexts, dtype):
    for call in CALLS:
        for seed in SEEDS:
            compare_layer(contexts, call.format(f", dtype=torch.{dtype}"), seed)


def test_errors(contexts):
    compare_refusals(contexts.eager, [
        "RNN(3, 4, nonlinearity='sigmoid')", "RNN(3, 4, proj_size=2)", "GRU(3, 4, proj_size=0)",
        "LSTM(3, 4, proj_size=-1)", "LSTM(3, 4, proj_size=4)", "LSTM(0, 4)", "GRU(-1, 4)",
        "RNN(3, 0)", "LSTM(3, 4, 0)", "GRU(3, 4, dropout=1.5)", "GRU(3, 4, dropout=-1)",
        "LSTM(3, 4, dropout=2)",
        "RNNBase('TANH', 3, 4)", "LSTMCell(-1, 4)", "GRUCell(3, -2)",
    ])
