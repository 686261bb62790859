# SPDX-License-Identifier: Apache-2.0
"""torch.nn's attention and transformers, at once and through a plan."""
import warnings

import pytest
from torch import nn  # noqa: F401: calls name it

from layers import SEEDS, Contexts, compare_layer, compare_refusals

DTYPES = ("float32", "float64", "bfloat16")

# "{}" stands for the argument dtype.
ATTENTION = (
    "MultiheadAttention(4, 1{})",
    "MultiheadAttention(16, 4, 0.1, False{})",
    "MultiheadAttention(12, 3, bias=True, add_bias_kv=True, batch_first=True{})",
    "MultiheadAttention(8, 2, kdim=5{})",
    "MultiheadAttention(8, 8, 0.5, False, True, True, 3, 7, True{})",
    "MultiheadAttention(6, 2, kdim=6, vdim=6, add_zero_attn=True{})",
    "MultiheadAttention(embed_dim=10, num_heads=5, vdim=0{})",
    "MultiheadAttention(5, 5, add_bias_kv=True, bias=False{})",
)
LAYERS = (
    "(8, 2{})",
    "(4, 1, 7{})",
    "(12, 3, 16, 0, 'gelu', 1e-6, True, True{})",
    "(6, 6, dim_feedforward=5, bias=False, norm_first=True{})",
    "(8, 4, 3, 0.25, activation=nn.GELU('tanh'){})",
    "(8, 4, 3, activation=nn.PReLU(2{}), layer_norm_eps=1{})",
    "(d_model=2, nhead=1, dim_feedforward=1, dropout=0.5, batch_first=True{})",
)
STACKS = (
    "(LAYER(8, 2, 5{}), 3)",
    "(LAYER(8, 2, 5{}), num_layers=1, norm=nn.LayerNorm(8, bias=False{}))",
    "(LAYER(4, 2, 9, bias=False, batch_first=True{}), 2)",
    "(LAYER(4, 1, 3, activation=nn.PReLU(3{}){}), 2, nn.RMSNorm(4{}))",
    "(LAYER(2, 1, 4, 0.0, 'gelu'{}), 0)",
    "(nn.Linear(3, 4{}), 4, nn.Identity())",
)
TRANSFORMERS = (
    "Transformer(8, 2, 2, 2, 12{})",
    "Transformer(d_model=6, nhead=3, num_encoder_layers=1, num_decoder_layers=2, "
    "dim_feedforward=5, dropout=0, activation='gelu', bias=False{})",
    "Transformer(8, 4, 2, 1, 7, 0.5, 'relu', None, None, 1e-3, True, True{})",
    "Transformer(4, 2, 0, 1, 3{})",
    "Transformer(4, 2, 2, 2, 6, activation=nn.PReLU(3{}){})",
    "Transformer(4, 2, 1, 1, 6, custom_encoder=nn.Linear(4, 5{}){})",
    "Transformer(4, 2, 1, 2, 6, custom_decoder=nn.TransformerDecoder("
    "nn.TransformerDecoderLayer(4, 1, 3{}), 2){})",
)
CALLS = (
    list(ATTENTION) +
    [f"Transformer{kind}Layer{call}" for kind in ("Encoder", "Decoder") for call in LAYERS] +
    [f"Transformer{kind}{call}".replace("LAYER", f"nn.Transformer{kind}Layer")
     for kind in ("Encoder", "Decoder") for call in STACKS] +
    list(TRANSFORMERS))


@pytest.fixture(scope="module")
def contexts(prototyped_library):
    return Contexts(prototyped_library)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("dtype", DTYPES)
def test_transformers(contexts, dtype):
    for call in CALLS:
        for seed in SEEDS:
            compare_layer(contexts, call.replace("{}", f", dtype=torch.{dtype}"), seed)


def test_base(contexts):
    """The one of the paper, with 44,140,544 parameters."""
    compare_layer(contexts, "Transformer()", 1)


WARNINGS = (
    "(nn.TransformerEncoderLayer(4, 2, 3, batch_first=True), 1)",
    "(nn.TransformerEncoderLayer(4, 2, 3), 1)",
    "(nn.TransformerEncoderLayer(4, 2, 3), 1, enable_nested_tensor=False)",
    "(nn.TransformerEncoderLayer(4, 2, 3, norm_first=True), 1)",
    "(nn.TransformerEncoderLayer(4, 2, 3, batch_first=True, bias=False), 1)",
    "(nn.TransformerEncoderLayer(4, 2, 3, 0, nn.Tanh(), batch_first=True), 1)",
    "(nn.TransformerEncoderLayer(4, 2, 3, 0, nn.ReLU(), batch_first=True), 1)",
    "(nn.TransformerEncoderLayer(4, 2, 3, 0, nn.GELU(), batch_first=True), 1)",
    "(nn.TransformerEncoderLayer(3, 3, 3, batch_first=True), 1)",
    "(nn.TransformerDecoderLayer(4, 2, 3, batch_first=True), 1)",
)


def test_warnings(contexts):
    for call in WARNINGS:
        with warnings.catch_warnings(record=True) as theirs:
            warnings.simplefilter("always")
            eval("nn.TransformerEncoder" + call)  # pylint: disable=eval-used
        contexts.eager.warnings.clear()
        contexts.eager.nn("TransformerEncoder" + call)
        assert contexts.eager.warnings == [str(w.message) for w in theirs], call


def test_errors(contexts):
    compare_refusals(contexts.eager, [
        "MultiheadAttention(0, 2)", "MultiheadAttention(4, -2)", "MultiheadAttention(4, 2, kdim=-1)",
        "TransformerEncoderLayer(4, 2, 3, activation='tanh')",
        "TransformerDecoderLayer(4, 2, 3, activation='')",
        "TransformerEncoderLayer(4, 2, 3, dropout=2)", "TransformerEncoderLayer(4, 2, -3)",
        "Transformer(4, 2, 1, 1, 3, activation='selu')", "Transformer(0)",
    ])
