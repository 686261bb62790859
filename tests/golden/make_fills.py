# SPDX-License-Identifier: Apache-2.0
"""Known answers for the random fills: digests of the values and of the generator's state after."""
import sys
import warnings

import torch

from golden import DTYPES, FLOATS, HEADER, digest, raw

INTEGERS = ("i64", "i32", "u8", "bool")
SEEDS = (42, 2**64 - 1)
# rows, columns: 0 rows are one dimension; otherwise the transpose of (rows, columns) is filled
SHAPES = ((0, 1), (0, 15), (0, 16), (0, 37), (0, 1000), (3, 8))

FILLS = {
    "uniform_": (FLOATS, ((0.0, 1.0), (-0.1, 0.3), (5.0, 5.01))),
    "normal_": (FLOATS, ((0.0, 1.0), (-3.7, 0.02))),
    "log_normal_": (FLOATS, ((0.0, 1.0), (1.5, 0.25))),
    "exponential_": (FLOATS, ((1.0, 0.0), (0.3, 0.0))),
    "cauchy_": (FLOATS, ((0.0, 1.0), (2.5, 0.7))),
    "geometric_": (FLOATS + INTEGERS[:3], ((0.5, 0.0), (1e-10, 0.0))),
    "bernoulli_": (FLOATS + INTEGERS, ((0.5, 0.0), (0.001, 0.0))),
}
ONE_ARGUMENT = ("exponential_", "geometric_", "bernoulli_")
RANGES = {
    "f32": ((-5, 2**24), (0, 2**28), (2**24 + 1, 2**26 + 3)), "f64": ((-(2**53), 2**53),),
    "f16": ((-2048, 2049), (0, 65504)), "bf16": ((-256, 257), (-(2**40), 2**41 + 12345)),
    "i64": ((-5, 5), (0, 2**28 - 1), (0, 2**28), (-(2**63), 2**63 - 1)),
    "i32": ((-(2**31), 2**31), (0, 10)), "u8": ((0, 256), (3, 10)), "bool": ((0, 2), (1, 2)),
}


STARTS = {  # random_(from, None)
    "f32": (-3, -(2**63)), "f64": (5,), "f16": (-2048,), "bf16": (-(2**63),),
    "i64": (2**63 - 1, -(2**63)), "i32": (2**31 - 2**28,), "u8": (7,), "bool": (1,),
}


def cases():
    """op, dtype, the arguments as the file has them, the arguments of the call."""
    for op, (dtypes, lists) in FILLS.items():
        for dtype in dtypes:
            for a, b in lists:
                yield op, dtype, (a, b), (a,) if op in ONE_ARGUMENT else (a, b)
    for dtype, lists in RANGES.items():
        yield "random_", dtype, (0, 0), ()
        for bounds in lists:
            yield "random_", dtype, bounds, bounds
        for start in STARTS[dtype]:
            yield "random_", dtype, (start, None), (start, None)
    for dtype in DTYPES:
        for of in FLOATS:  # bernoulli_(p) of a tensor
            yield "bernoulli_", dtype, (of, 0), of


def files():
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        if "GenuineIntel" in cpuinfo.read():
            sys.exit("exponential_ and bernoulli_ draw from MKL's own streams on this processor")
    warnings.simplefilter("ignore")  # random_ beyond what a float dtype can count
    lines = [HEADER, "# op dtype seed rows columns a b, digests of the values and of the state\n",
             "# bernoulli_ with a dtype: of a linspace from 0 to 1 of f64, converted to that\n"]
    generator = torch.Generator()
    for op, dtype, written, arguments in cases():
        for seed in SEEDS:
            for rows, columns in SHAPES:
                generator.manual_seed(seed)
                base = torch.ones((rows, columns) if rows else (columns,), dtype=DTYPES[dtype])
                view = base.t()
                if isinstance(arguments, str):
                    p = torch.linspace(0, 1, base.numel(), dtype=torch.float64).to(DTYPES[arguments])
                    view.bernoulli_(p.reshape(view.shape), generator=generator)
                else:
                    getattr(view, op)(*arguments, generator=generator)
                state = generator.get_state().numpy().tobytes()
                lines.append(f"{op} {dtype} {seed} {rows} {columns} {written[0]} {written[1]} "
                             f"{digest(raw(base))} {digest(state)}\n")
    return {"fills.txt": "".join(lines)}
