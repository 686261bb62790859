# SPDX-License-Identifier: Apache-2.0
"""Known answers for arange, linspace, fill_ and mul_: digests of the values, or errors."""
import torch

from golden import DTYPES, HEADER, digest, raw

# Python floats and ints; start, end, step
ARANGES = (
    (0.0, 100.0, 1.0), (-3.7, 9.9, 0.1), (5.5, -8.0, -1 / 3), (0.25, 7.0, 0.0007), (1e4, 4e5, 321.5),
    (0.0, 0.0, 1.0), (250.0, 260.0, 2.0), (0.0, 3.0, 0.5), (0.0, 1.0, 0.0), (0.0, 1.0, -1.0),
    (0.0, float("inf"), 1.0), (0.0, 1e300, 1e-10), (1e300, 1e300, 1.0), (-2.0**62, 2.0**62, 2.0**61),
)
# NaN apart, whose sign is not part of the contract; start, end, steps
LINSPACES = (
    (0.0, 1.0, 100), (-3.7, 9.9, 37), (200.5, 3.25, 1001), (0.0, 250.0, 2), (7.5, 1.0, 1),
    (1e300, 1.0, 1), (0.0, 7e4, 3), (0.0, 1.0, -1), (0.0, 1.0, 0), (-1e300, 1e300, 5),
)
FILLS = (0.0, 2.7, -2.7, 255.5, 300.0, 65519.0, 2147483647.5, 2.0**63, 3.39e38, 1e40, float("-inf"),
         float("nan"), 1e-45, -1, 255, -255, -256, 65505, 2**31, 2**60 + 2**52 + 2**36 + 1)
FACTORS = (3.0, 0.1, -2.5, 1e37, 2.0**40)


def cases():
    """op, dtype, what is written of the arguments, the call."""
    for dtype in DTYPES.values():
        for a in ARANGES:
            yield "arange", dtype, a, lambda a=a, d=dtype: torch.arange(*a, dtype=d)
        for a in LINSPACES:
            yield "linspace", dtype, a, lambda a=a, d=dtype: torch.linspace(*a, dtype=d)
        for value in FILLS:
            for numel in (1, 3):
                yield "fill_", dtype, (value, numel, 0), (
                    lambda v=value, n=numel, d=dtype: torch.zeros(n, dtype=d).fill_(v))
        for factor in FACTORS:  # integers are multiplied by a Python int where it is one
            whole = not dtype.is_floating_point and factor.is_integer() and factor < 2**63
            yield "mul_", dtype, (factor, 37, 0), (
                lambda f=int(factor) if whole else factor, d=dtype:
                torch.linspace(0, 100, 37).to(d).mul_(f))


def files():
    torch.set_num_threads(1)  # a long arange depends on it
    names = {dtype: name for name, dtype in DTYPES.items()}
    lines = [HEADER, "# op dtype, three arguments, then numel and digest, or error and text\n"]
    for op, dtype, arguments, call in cases():
        try:
            values = call()
            result = f"{values.numel()} {digest(raw(values))}"
        except (RuntimeError, ValueError) as error:
            result = f"{type(error).__name__} {error}"
        written = " ".join(map(repr, arguments))
        lines.append(f"{op} {names[dtype]} {written} {result}\n")
    return {"creation.txt": "".join(lines)}
