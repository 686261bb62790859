# SPDX-License-Identifier: Apache-2.0
"""weight_norm's originals, whose bits follow from the order of PyTorch's sums."""
import torch
from torch import nn
from torch.nn.utils import parametrizations

from golden import DTYPES, HEADER, digest, raw

# in_features, out_features of a Linear; the dimension.
CASES = ((1, 40, 0), (5, 9, 0), (8, 8, 0), (13, 30, 0), (20, 7, 0), (300, 33, 0), (9, 300, 1),
         (40, 1, 1), (1, 40, 1), (333, 21, -1))


def files():
    lines = [HEADER, "# weight_norm IN OUT DIM DTYPE SEED DIGEST STATE: of the norms of Linear(IN,\n"
             "# OUT)'s weight but for DIM, of the generator afterwards\n"]
    for inputs, outputs, dim in CASES:
        for name in ("f32", "f64", "f16", "bf16"):
            torch.manual_seed(inputs)
            layer = nn.Linear(inputs, outputs, dtype=DTYPES[name])
            parametrizations.weight_norm(layer, dim=dim)
            norms = digest(raw(layer.parametrizations.weight.original0))
            state = digest(torch.get_rng_state().numpy().tobytes())
            lines.append(f"weight_norm {inputs} {outputs} {dim} {name} {inputs} {norms} {state}\n")
    return {"parametrizations.txt": "".join(lines)}
