# SPDX-License-Identifier: Apache-2.0
"""Random tensors and random sequences of view calls, for golden files and for live comparison.

A view call is a list such as ["narrow", 0, 1, 2]: PyTorch's name and plain arguments. Three of the
functions copy where there is no view: reshape, flatten and contiguous.
"""
import math
import random

import torch

from golden import DTYPES, FLOATS

# ---- views -------------------------------------------------------------------------------------


def apply_view(tensor, call):
    """What PyTorch makes of a view call."""
    name, *arguments = call
    if name == "slice":
        dim, start, end, step = arguments
        if step <= 0:  # only indexing knows Python's message
            return tensor[(slice(None),) * (dim % tensor.dim()) + (slice(start, end, step),)]
        return torch.ops.aten.slice(tensor, dim, start, end, step)
    if name == "alias":
        return tensor[...]
    return getattr(tensor, name)(*arguments)


def factorise(rng, numel, parts):
    """`parts` sizes whose product is `numel`, at random."""
    sizes = [1] * parts
    factor = 2
    while numel > 1:
        if numel % factor == 0:
            sizes[rng.randrange(parts)] *= factor
            numel //= factor
        else:
            factor += 1
    return sizes


def random_view_shape(rng, tensor):
    numel = tensor.numel()
    if numel == 0:
        sizes = [rng.choice((0, 1, 2, 3)) for _ in range(rng.randint(1, 3))]
    else:
        parts = rng.randint(1, 4)
        sizes = factorise(rng, numel, parts)
    if rng.random() < 0.3:
        sizes[rng.randrange(len(sizes))] = -1
    if rng.random() < 0.1:
        sizes[rng.randrange(len(sizes))] = rng.choice((-2, -1, 0, 5, 2**40))
    return sizes


def random_expand_shape(rng, tensor):
    sizes = [rng.choice((-1, size, rng.randint(0, 3) if size == 1 else size))
             for size in tensor.shape]
    for _ in range(rng.choice((0, 0, 1, 2))):
        sizes.insert(0, rng.choice((0, 1, 1, 2, 3)))
    if rng.random() < 0.1:
        sizes.insert(0, -1)
    if sizes and rng.random() < 0.1:
        sizes[rng.randrange(len(sizes))] = rng.choice((-2, 4, 2**62))
    if sizes and rng.random() < 0.05:
        sizes.pop(0)
    return sizes


def random_view_call(rng, tensor):
    """A call that mostly works on `tensor`, and sometimes does not."""
    ndim = tensor.dim()

    def dim(extra=0):
        count = max(ndim + extra, 1)
        if rng.random() < 0.05:
            return rng.choice((count, -count - 1, 7))
        return rng.randrange(-count, count)

    def size_of(d):
        return tensor.shape[d] if ndim and -ndim <= d < ndim else 0

    name = rng.choice(("transpose", "t", "permute", "narrow", "select", "slice", "slice", "squeeze",
                       "unsqueeze", "expand", "view", "view", "reshape", "flatten", "contiguous",
                       "alias", "detach"))
    if name in ("transpose", "flatten"):
        return [name, dim(), dim()]
    if name == "permute":
        dims = list(range(ndim))
        rng.shuffle(dims)
        dims = [d - ndim if rng.random() < 0.3 else d for d in dims]
        if rng.random() < 0.1:
            dims.append(0)
        elif dims and rng.random() < 0.1:
            dims[0] = rng.choice((dims[-1], ndim))
        return [name, dims]
    if name == "narrow":
        d = dim()
        size = size_of(d)
        start = rng.randint(-size, size)
        rest = -start if start < 0 else size - start
        length = rng.randint(0, rest)
        if rng.random() < 0.1:
            start, length = rng.choice(((size + 1, 0), (-size - 1, 0), (0, size + 1), (0, -1),
                                        (0, 2**63 - 1)))
        return [name, d, start, length]
    if name == "select":
        d = dim()
        size = size_of(d)
        if size == 0 or rng.random() < 0.1:
            return [name, d, rng.choice((size, -size - 1, 2**40))]
        return [name, d, rng.randrange(-size, size)]
    if name == "slice":
        d = dim()
        size = size_of(d)
        step = rng.choice((1, 1, 2, 3, size + 1, 2**40))
        if ndim and rng.random() < 0.05:
            return [name, rng.randrange(ndim), 0, size, rng.choice((0, -1))]
        bound = rng.choice((size + 2, size + 2, 2**62))
        return [name, d, rng.randint(-bound, bound), rng.choice((rng.randint(-bound, bound),
                                                                 2**63 - 1)), step]
    if name == "squeeze":
        return [name, dim()]
    if name == "unsqueeze":
        return [name, dim(1)]
    if name == "expand":
        return [name, random_expand_shape(rng, tensor)]
    if name in ("view", "reshape"):
        return [name, random_view_shape(rng, tensor)]
    return [name]


def random_shape(rng, largest=4, most_dims=4):
    return [rng.choice((0, 1, 1, 2, 3, largest) if rng.random() < 0.3 else (1, 2, 3, largest))
            for _ in range(rng.randint(0, most_dims))]


def view_source(dtype, shape):
    """What the calls of view_cases start from."""
    return torch.arange(math.prod(shape)).to(DTYPES[dtype]).reshape(shape)


def view_cases(seed, count):
    """(dtype name, shape, calls, result): the result is a tensor, or what the last call raised."""
    rng = random.Random(seed)
    for _ in range(count):
        dtype = rng.choice(tuple(DTYPES))
        shape = random_shape(rng)
        result, calls = view_source(dtype, shape), []
        for _ in range(rng.randint(1, 5)):
            calls.append(random_view_call(rng, result))
            try:
                result = apply_view(result, calls[-1])
            except (IndexError, RuntimeError, ValueError) as error:
                result = error
                break
            if min(result.shape, default=0) < 0:
                break
            if max(result.shape, default=0) > 100 or result.numel() > 2000:
                break
        # PyTorch expands to a negative size beside a 0; Kindling does not.
        if isinstance(result, Exception) or min(result.shape, default=0) >= 0:
            yield dtype, shape, calls, result


# ---- tensors to print ----------------------------------------------------------------------------

EDGES = (1e-4, 0.0001000001, 9.9999e-5, 1e8, 99999999.0, 100000008.0, 1e3, 1.0, 1e-3, 999.9999,
         1000.0001, 0.00005, 0.00015, 0.12345, 0.99995, 9.99995, 2.5, 65504.0, 12345.678, 1e-7,
         16777216.0, 33554432.0)
SPECIALS = (0.0, -0.0, math.nan, math.inf, -math.inf)
# (bytes, smallest normal exponent, largest exponent), by which random magnitudes are chosen
EXPONENTS = {"f32": (-149, 127), "f64": (-1074, 1023), "f16": (-24, 15), "bf16": (-133, 127)}


def random_reals(rng, dtype, numel):
    low, high = EXPONENTS[dtype]
    family = rng.randrange(11)
    scale = 10.0 ** rng.randint(-6, 9)
    if family == 0:
        values = [rng.gauss(0, 1) * scale for _ in range(numel)]
    elif family == 1:
        values = [rng.uniform(-1, 1) for _ in range(numel)]
    elif family == 2:
        spread = rng.choice((3, 10, 30))
        values = [rng.choice((-1, 1)) * math.ldexp(rng.uniform(1, 2), rng.randint(-spread, spread))
                  for _ in range(numel)]
    elif family == 3:
        values = [float(rng.randint(-10, 10)) for _ in range(numel)]
    elif family == 4:
        values = [float(rng.randint(0, 10 ** rng.randint(1, 9))) for _ in range(numel)]
    elif family == 5:
        values = [rng.choice(EDGES) * rng.choice((1, 1, -1)) for _ in range(numel)]
    elif family == 6:  # every magnitude that the dtype has
        values = [rng.choice((-1, 1)) * math.ldexp(rng.uniform(1, 2), rng.randint(low, high - 1))
                  for _ in range(numel)]
    elif family == 7:  # denormals
        values = [math.ldexp(rng.randint(-8, 8), low) for _ in range(numel)]
    elif family == 8:
        values = [0.0] * numel
    elif family == 9:  # ties of the last digit
        values = [rng.randint(-200000, 200000) / 2**rng.randint(1, 17) for _ in range(numel)]
    else:  # the ratio of largest to smallest at its limit
        smallest = rng.choice((1.0, 0.25, 3.0, 0.001))
        values = [rng.choice((smallest, smallest * 1000, smallest * 1000.5)) for _ in range(numel)]
    if rng.random() < 0.3:
        share = rng.choice((0.1, 0.5, 1))
        values = [rng.choice(SPECIALS) if rng.random() < share else value for value in values]
    return torch.tensor(values, dtype=torch.float64).to(DTYPES[dtype])


def random_integers(rng, dtype, numel):
    if dtype == "bool":
        return torch.tensor([rng.random() < 0.5 for _ in range(numel)], dtype=torch.bool)
    info = torch.iinfo(DTYPES[dtype])
    limit = 10 ** rng.randint(0, 19)
    low, high = rng.choice(((-limit, limit), (0, limit), (-3, 3), (info.min, info.max)))
    values = [min(max(rng.randint(low, high), info.min), info.max) for _ in range(numel)]
    return torch.tensor(values, dtype=DTYPES[dtype])


def printed_shape(rng, kind):
    if kind == "large":  # summarised, whole lines and parts of lines
        return rng.choice(([1001], [7, 150], [5, 201], [1001, 1], [1, 1001], [2, 7, 80], [40, 30],
                           [3, 3, 8, 16], [8, 3, 50], [11, 11, 11], [6, 6, 6, 6], [2, 600, 1]))
    if kind == "empty":
        return rng.choice(([0], [0, 3], [3, 0], [2, 0, 3], [0, 0], [1, 0, 1, 2]))
    if kind == "vector":
        return [rng.randint(1, 60)]
    return [rng.choice((1, 2, 3, 5, 13)) for _ in range(rng.randint(0, 4))]


def printed_cases(seed, count, pattern_numel=None, longest=math.inf):
    """(dtype name, the storage's values, shape, calls, requires_grad, parameter, text).

    With `pattern_numel` no more different values than that are used, repeated to fill the shape.
    Texts with more than `longest` characters are left out.
    """
    rng = random.Random(seed)
    made = 0
    while made < count:
        dtype = rng.choice(tuple(DTYPES) + FLOATS + ("f32",) * 4)
        shape = printed_shape(rng, rng.choice(("large", "empty", "vector") + ("any",) * 5))
        numel = math.prod(shape)
        drawn = numel if pattern_numel is None else min(numel, pattern_numel)
        values = (random_reals if dtype in FLOATS else random_integers)(rng, dtype, drawn)
        whole = values.repeat(numel // drawn + 1)[:numel] if drawn else values
        tensor, calls = whole.reshape(shape), []
        if rng.random() < 0.3:
            call = random_view_call(rng, tensor)
            try:
                tensor = apply_view(tensor, call)
                calls.append(call)
            except (IndexError, RuntimeError, ValueError):
                pass
        if tensor.numel() > 20000 or min(tensor.shape, default=0) < 0:
            continue
        requires_grad = dtype in FLOATS and rng.random() < 0.2
        parameter = rng.random() < 0.2
        tensor = tensor.detach()
        if parameter:
            tensor = torch.nn.Parameter(tensor, requires_grad)
        else:
            tensor.requires_grad_(requires_grad)
        text = repr(tensor)
        if len(text) <= longest:
            made += 1
            yield dtype, values, shape, calls, requires_grad, parameter, text
