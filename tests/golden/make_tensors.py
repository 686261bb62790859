# SPDX-License-Identifier: Apache-2.0
"""Known answers for views (layouts and errors) and for printed tensors."""
import json

from golden import raw
from tensor_cases import printed_cases, view_cases


def lines(cases):
    """A JSON array with one case a line."""
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"


def views():
    for dtype, shape, calls, result in view_cases(seed=1, count=500):
        case = {"dtype": dtype, "shape": shape, "calls": calls}
        if isinstance(result, Exception):
            case.update(error=type(result).__name__, message=str(result))
        else:
            case.update(sizes=list(result.shape), strides=list(result.stride()),
                        offset=result.storage_offset(), contiguous=result.is_contiguous())
        yield case


def printed():
    for dtype, values, shape, calls, requires_grad, parameter, text in printed_cases(
            seed=1, count=320, pattern_numel=40, longest=1500):
        yield {"dtype": dtype, "shape": shape, "pattern": raw(values).hex(), "calls": calls,
               "requires_grad": requires_grad, "parameter": parameter, "text": text}


def files():
    return {"views.json": lines(views()), "printed.json": lines(printed())}
