# SPDX-License-Identifier: Apache-2.0
"""torch.nn's layers: digests of parameters and buffers, the generator's state, the printed text."""
import torch
from torch import nn

from golden import DTYPES, HEADER, digest, raw

SEEDS = (0, 42, 2**32 - 1)

# The names are those of the constructors in tests/unit/nn/test_layers.c.
LAYERS = {
    "linear": lambda dtype: nn.Linear(7, 5, dtype=dtype),
    "linear_wide": lambda dtype: nn.Linear(300, 3, dtype=dtype),
    "linear_no_bias": lambda dtype: nn.Linear(4, 4, bias=False, dtype=dtype),
    "linear_no_inputs": lambda dtype: nn.Linear(0, 3, dtype=dtype),
    "embedding": lambda dtype: nn.Embedding(10, 3, dtype=dtype),
    "embedding_padding": lambda dtype: nn.Embedding(5, 2, padding_idx=0, dtype=dtype),
    "embedding_all": lambda dtype: nn.Embedding(
        9, 4, padding_idx=-2, max_norm=1.5, norm_type=3.0, scale_grad_by_freq=True, sparse=True,
        dtype=dtype),
    "layer_norm": lambda dtype: nn.LayerNorm(6, dtype=dtype),
    "layer_norm_no_bias": lambda dtype: nn.LayerNorm((2, 3), eps=1e-12, bias=False, dtype=dtype),
    "layer_norm_plain": lambda dtype: nn.LayerNorm(
        (1, 2, 3), elementwise_affine=False, dtype=dtype),
    "rms_norm": lambda dtype: nn.RMSNorm(4, dtype=dtype),
    "rms_norm_eps": lambda dtype: nn.RMSNorm((3, 2), eps=0.1, dtype=dtype),
    "rms_norm_plain": lambda dtype: nn.RMSNorm(
        5, eps=1e-06, elementwise_affine=False, dtype=dtype),
    "prelu": lambda dtype: nn.PReLU(3, init=0.1, dtype=dtype),
    "identity": lambda dtype: nn.Identity(),
    "dropout": lambda dtype: nn.Dropout(),
    "dropout_inplace": lambda dtype: nn.Dropout(0.0, inplace=True),
    "relu": lambda dtype: nn.ReLU(),
    "relu_inplace": lambda dtype: nn.ReLU(inplace=True),
    "relu6": lambda dtype: nn.ReLU6(),
    "silu": lambda dtype: nn.SiLU(inplace=True),
    "mish": lambda dtype: nn.Mish(),
    "hardswish": lambda dtype: nn.Hardswish(inplace=True),
    "sigmoid": lambda dtype: nn.Sigmoid(),
    "tanh": lambda dtype: nn.Tanh(),
    "gelu": lambda dtype: nn.GELU(),
    "gelu_tanh": lambda dtype: nn.GELU("tanh"),
    "leaky_relu": lambda dtype: nn.LeakyReLU(),
    "leaky_relu_all": lambda dtype: nn.LeakyReLU(1e-05, inplace=True),
    "sequential": lambda dtype: nn.Sequential(
        nn.Linear(3, 4, dtype=dtype), nn.Sequential(), nn.Sequential(nn.ReLU(), nn.Tanh()),
        nn.Embedding(3, 2, dtype=dtype)),
    "module_list": lambda dtype: nn.ModuleList(
        [nn.Linear(2, 2, dtype=dtype), nn.Linear(2, 2, dtype=dtype), nn.ReLU(),
         nn.Linear(2, 2, dtype=dtype), nn.ModuleList()]),
    "module_dict": lambda dtype: nn.ModuleDict(
        {"a": nn.Linear(2, 1, dtype=dtype), "b": nn.ModuleList([nn.Dropout(0.25)])}),
}


def files():
    lines = [HEADER, "# layer NAME DTYPE SEED DIGEST STATE: of the state_dict's values one after the\n"
             "# other, of the generator afterwards; before them the lines of print(layer)\n"]
    for name, make in LAYERS.items():
        lines += [f"|{line}\n" for line in str(make(torch.float32)).split("\n")]
        for dtype in ("f32", "f64", "f16", "bf16"):
            for seed in SEEDS:
                torch.manual_seed(seed)
                values = b"".join(raw(v) for v in make(DTYPES[dtype]).state_dict().values())
                state = torch.get_rng_state().numpy().tobytes()
                lines.append(f"layer {name} {dtype} {seed} {digest(values)} {digest(state)}\n")
    return {"nn.txt": "".join(lines)}
