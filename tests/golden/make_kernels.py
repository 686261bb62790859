# SPDX-License-Identifier: Apache-2.0
"""Known answers for the kernel tables: whole blocks of uniforms and normals, and conversions."""
import torch

from golden import DTYPES, FLOATS, HEADER, digest, raw

SEEDS = (0, 42, 2**32 - 1)
NUMELS = (16, 624, 10000)
UNIFORM = ((0.0, 1.0), (-0.25, 0.75), (5.0, 5.0078125), (-3.0, 0.0), (2.0, 2.0))
NORMAL = ((0.0, 1.0), (0.5, 0.015625), (-1000.0, 7.0), (3.0, 0.0))


def fills():
    lines = [HEADER, "# op dtype seed numel a b digest\n"]
    for op, arguments in (("uniform", UNIFORM), ("normal", NORMAL)):
        for name in FLOATS:
            for seed in SEEDS:
                for numel in NUMELS:
                    for a, b in arguments:
                        torch.manual_seed(seed)
                        values = getattr(torch.empty(numel, dtype=DTYPES[name]), op + "_")(a, b)
                        lines.append(f"{op} {name} {seed} {numel} {a} {b} {digest(raw(values))}\n")
    return "".join(lines)


# Values that meet every case of rounding, overflow and truncation, NaN apart: PyTorch's scalar
# and vector code disagree on its payload.
REALS = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 0.9999999, 254.99, 255.0, 256.0, 300.0, -300.0,
         2048.0, 2049.0, 2050.0, 2051.0, 65504.0, 65519.99, 65520.0, -65536.0, 2.0**24 + 1,
         2.0**31 - 1, 2.0**31, -2.0**31, -2.0**31 - 1, 3e9, 5.0e9 + 7, 2.0**53 + 2, 2.0**63,
         -2.0**63, 1e19, -1e30, 3.4028235e38, 3.4028236e38, 1e300, float("inf"), float("-inf"),
         2.0**-14, 2.0**-24, 2.0**-25, 2.0**-25 * (1 + 2.0**-30), 3 * 2.0**-25, 2.0**-126,
         2.0**-133, 2.0**-149, 1e-300, 5e-324, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-11,
         1 + 3 * 2.0**-11, 1 + 2.0**-11 + 2.0**-40, 0.1, 3.14159265358979]
INTEGERS = [0, 1, -1, 2, 127, 128, 255, 256, -255, -256, 2049, 65519, 65520, -65520, 2**24 + 1,
            2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 + 5, 2**53 + 1, 2**60 + 2**35 + 1,
            2**62 + 1, 2**63 - 1, -(2**63), 12345678901]


def conversions():
    lines = [HEADER, "# from to, then every element's bytes before and after, little-endian\n"]
    for from_name, from_dtype in DTYPES.items():
        if from_name in FLOATS:
            source = torch.tensor(REALS, dtype=torch.float64).to(from_dtype)
        elif from_name == "bool":
            source = torch.tensor([False, True] * 20)
        else:
            source = torch.tensor(INTEGERS, dtype=torch.int64).to(from_dtype)
        for to_name, to_dtype in DTYPES.items():
            result = source.to(to_dtype)
            lines.append(f"{from_name} {to_name} {raw(source).hex()} {raw(result).hex()}\n")
    return "".join(lines)


def files():
    return {"kernels.txt": fills(), "conversions.txt": conversions()}
