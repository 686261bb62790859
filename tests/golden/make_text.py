# SPDX-License-Identifier: Apache-2.0
"""Networks that their printed text and rules determine: digests of values, generator states."""
import warnings

import torch

from golden import DTYPES, HEADER, digest, raw
from networks import FROM_TEXT

CASES = (("f32", 0), ("f32", 2**32 - 1), ("f64", 7), ("bf16", 8))


def construct(make, dtype, seed):
    """What `make` gives under a seed, in a default dtype; warnings are of no interest."""
    torch.set_default_dtype(dtype)
    torch.manual_seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    finally:
        torch.set_default_dtype(torch.float32)


def files():
    lines = [HEADER, "# text NAME, then the lines of print(model) and rules, then\n"
             "# values DTYPE SEED DIGEST STATE: of the state_dict's values one after the other, of\n"
             "# the generator afterwards\n"]
    for name, (make, rules) in FROM_TEXT.items():
        lines.append(f"text {name}\n")
        lines += [f"|{line}\n" for line in str(make()).split("\n")]
        lines += [f"rule {rule}\n" for rule in rules]
        for dtype, seed in CASES:
            state = construct(make, DTYPES[dtype], seed).state_dict()
            generator = torch.get_rng_state().numpy().tobytes()
            data = b"".join(raw(value) for value in state.values())
            lines.append(f"values {dtype} {seed} {digest(data)} {digest(generator)}\n")
    return {"texts.txt": "".join(lines)}
