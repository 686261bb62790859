# SPDX-License-Identifier: Apache-2.0
"""Known answers for torch.nn.init: digests of values and of both generators' states after."""
import math
import sys
import warnings

import torch
from torch.nn import init

from golden import DTYPES, FLOATS, HEADER, digest, raw

SEEDS = (42, 2**64 - 1)
ANY = ((1,), (15,), (37,), (3, 5), (8, 6), (0, 3), (4, 3, 3, 3))
MATRICES = ((3, 5), (5, 3), (1, 20), (33, 7), (0, 3))
KERNELS = ((2, 3, 4), (6, 2, 3), (4, 3, 3, 3), (6, 1, 2, 1, 3))
FANS = ((3, 5), (20, 7), (2, 3, 4), (4, 3, 3, 3), (3, 0))

# function: shapes, names of up to four arguments, lists of their values
CASES = {
    "uniform_": (ANY, ("a", "b"), ((0, 1), (-10, 10))),
    "normal_": (ANY, ("mean", "std"), ((0, 1), (-3.7, 0.02))),
    "trunc_normal_": (ANY, ("mean", "std", "a", "b"), (
        (0, 1, -2, 2), (0, 0.02, -2, 2), (0, 1, -0.6, 0.6), (0.5, 0.25, 0, 1), (0, 1, 1, 2),
        (100, 0.5, 100.6, 103), (0, 10, -2, 2), (-1, 2, 0.5, 0.75))),
    "constant_": (ANY, ("val",), ((0.3,),)),
    "ones_": (ANY, (), ((),)),
    "zeros_": (ANY, (), ((),)),
    "eye_": (MATRICES, (), ((),)),
    "dirac_": (KERNELS, ("groups",), ((1,), (2,))),
    "xavier_uniform_": (FANS, ("gain",), ((1,), (math.sqrt(2),))),
    "xavier_normal_": (FANS, ("gain",), ((1,), (math.sqrt(2),))),
    "kaiming_uniform_": (FANS, ("a", "mode", "nonlinearity"), (
        (0, "fan_in", "leaky_relu"), (math.sqrt(5), "fan_in", "leaky_relu"),
        (0, "fan_out", "relu"))),
    "kaiming_normal_": (FANS, ("a", "mode", "nonlinearity"), (
        (0, "fan_in", "leaky_relu"), (0, "fan_out", "tanh"))),
    "sparse_": (MATRICES, ("sparsity", "std"), ((0.1, 0.01), (0.5, 2))),
}
WITHOUT_GENERATOR = ("constant_", "ones_", "zeros_", "eye_", "dirac_")


def cases():
    for name, (shapes, names, lists) in CASES.items():
        for shape in shapes:
            for values in lists:
                if name != "dirac_" or shape[0] % values[0] == 0:
                    yield name, shape, dict(zip(names, values))


def initialisers():
    """Every second tensor is initialised as the transpose of one that is given its sizes."""
    lines = [HEADER, "# function dtype seed sizes transposed four arguments, then digests of the "
                     "values,\n# of the generator's state and of the default generator's\n"]
    generator, count = torch.Generator(), 0
    for name, shape, named in cases():
        for dtype in FLOATS:
            for seed in SEEDS:
                count += 1
                transposed = count % 2 == 0 and len(shape) > 1
                sizes = shape[::-1] if transposed else shape
                base = torch.ones(sizes, dtype=DTYPES[dtype])
                generator.manual_seed(seed)
                torch.manual_seed(seed)
                options = {} if name in WITHOUT_GENERATOR else {"generator": generator}
                tensor = base.permute(*range(base.dim())[::-1]) if transposed else base
                getattr(init, name)(tensor, **named, **options)
                states = (g.get_state().numpy().tobytes()
                          for g in (generator, torch.default_generator))
                arguments = [*named.values(), 0, 0, 0, 0][:4]
                lines.append(" ".join(str(x) for x in (
                    name, dtype, seed, "x".join(map(str, shape)), int(transposed), *arguments,
                    digest(raw(base)), *map(digest, states))) + "\n")
    return "".join(lines)


def logarithms():
    """The logarithm of every value of a 24-bit uniform: the sum of bits[i] * (2 i + 1)."""
    uniform = torch.arange(2**24, dtype=torch.int64)
    bits = (uniform.float() * 2.0**-24).log_().view(torch.int32).to(torch.int64)
    return f"{int((bits * (2 * uniform + 1)).sum()) % 2**64:016x}"


def files():
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        if "GenuineIntel" in cpuinfo.read():
            sys.exit("log_ may be another on this processor: it comes from MKL")
    warnings.simplefilter("ignore")
    return {"init.txt": initialisers(), "init_log.txt": HEADER + logarithms() + "\n"}
