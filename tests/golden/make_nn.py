# SPDX-License-Identifier: Apache-2.0
"""torch.nn's containers: digests of parameters, the generator's state, the printed text."""
import torch
from torch import nn

from golden import DTYPES, HEADER, digest, raw

SEEDS = (0, 42, 2**32 - 1)

# The names are those of the constructors in tests/unit/nn/test_layers.c.
CONTAINERS = {
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
    lines = [HEADER, "# container NAME DTYPE SEED DIGEST STATE: of the state_dict's values one after the\n"
             "# other, of the generator afterwards; before them the lines of print(container)\n"]
    for name, make in CONTAINERS.items():
        lines += [f"|{line}\n" for line in str(make(torch.float32)).split("\n")]
        for dtype in ("f32", "f64", "f16", "bf16"):
            for seed in SEEDS:
                torch.manual_seed(seed)
                values = b"".join(raw(v) for v in make(DTYPES[dtype]).state_dict().values())
                state = torch.get_rng_state().numpy().tobytes()
                lines.append(f"container {name} {dtype} {seed} {digest(values)} {digest(state)}\n")
    return {"nn.txt": "".join(lines)}
